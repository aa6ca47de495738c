/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a member says when it is read: whatever its revision is, it must be
 * what the model had at that revision.
 */
#include <stdio.h>
#include <string.h>

#include "load.h"
#include "oracle.h"

/* Keys stand in these. */
struct question {
    char key[8];
    char end[8];
    struct rkv_range range;
};

static void draw_keys(struct world *w, struct question *q)
{
    uint64_t from = load_below(w, KEYS), to = from + 1 + load_below(w, KEYS);

    q->range.key = q->key;
    q->range.end = q->end;
    q->range.key_len =
        (size_t)snprintf(q->key, sizeof q->key, "k%02u", (unsigned)from % 100);
    if (load_below(w, 3) == 0)
        return;
    q->range.end_len =
        (size_t)snprintf(q->end, sizeof q->end, "k%02u", (unsigned)to % 100);
    if (load_below(w, 6) > 0)
        return;
    q->key[0] = q->end[0] = '\0';
    q->range.key_len = q->range.end_len = 1;
}

static void draw_shape(struct world *w, struct question *q, int64_t revision)
{
    struct rkv_range *range = &q->range;

    range->flags = load_below(w, 4) == 0 ? (uint32_t)load_below(w, 3) : 0;
    if (load_below(w, 3) > 0)
        return;
    mark(w, MARK_READ_SHAPED);
    range->limit = (int64_t)load_below(w, 6);
    range->offset = (int64_t)load_below(w, 4);
    range->sort = (uint32_t)load_below(w, 5);
    range->order = (uint32_t)load_below(w, 3);
    if (load_below(w, 2) == 0)
        range->min_mod = (int64_t)load_below(w, (uint64_t)revision + 1);
    if (load_below(w, 4) == 0)
        range->max_create = (int64_t)load_below(w, (uint64_t)revision + 1);
}

static void draw_revision(struct world *w, struct question *q,
                          const struct rkv_kv_status *kv)
{
    int64_t oldest = kv->compacted > 1 ? kv->compacted : 1;
    uint64_t span = (uint64_t)(kv->revision - oldest) + 1;

    if (load_below(w, 2) == 0)
        return;
    q->range.revision = oldest + (int64_t)load_below(w, span);
    if (load_below(w, 12) == 0)
        q->range.revision = kv->revision + 1;
    if (load_below(w, 12) == 0 && oldest > 1)
        q->range.revision = oldest - 1;
}

static void note(struct world *w, const struct question *q, int32_t status,
                 const struct rkv_kv_status *kv)
{
    if (status == RKV_ECOMPACTED)
        mark(w, MARK_READ_COMPACTED);
    else if (status == RKV_EFUTURE)
        mark(w, MARK_READ_FUTURE);
    else if (q->range.revision > 0 && q->range.revision < kv->revision)
        mark(w, MARK_READ_PAST);
    if (kv->revision < w->oracle->twin.revision)
        mark(w, MARK_READ_BEHIND);
}

static void look_once(struct world *w, rkv_kv *kv)
{
    struct rkv_kv_status status = {.size = sizeof status};
    struct question q = {.range = {.size = sizeof q.range}};
    const struct rkv_result *result;
    int rc;

    rkv_kv_status(kv, &status);
    draw_keys(w, &q);
    draw_shape(w, &q, status.revision);
    draw_revision(w, &q, &status);
    rc = rkv_kv_range(kv, &q.range, &result);
    if (rc != RKV_OK) {
        world_break(w, "a range is answered", "%s", rkv_errname(rc));
        return;
    }
    note(w, &q, result->status, &status);
    twin_check_range(&w->oracle->twin, status.revision, status.compacted,
                     &q.range, result);
}

/* A host asks for itself whether its client may read: as the model has it,
 * where both have come to the same index. */
static void look_at_rights(struct world *w, rkv_kv *kv)
{
    static const char *const names[] = {"root", "alice", "bob", "nobody"};
    const char *name = names[load_below(w, 4)];
    const struct text user = {(const uint8_t *)name, strlen(name)};
    uint32_t access = 1 + (uint32_t)load_below(w, 3);
    struct question q = {.range = {.size = sizeof q.range}};
    struct rkv_kv_status status = {.size = sizeof status};
    struct span span;
    int rc;

    rkv_kv_status(kv, &status);
    if (status.applied != w->oracle->twin.applied)
        return;
    draw_keys(w, &q);
    span = (struct span){{q.range.key, q.range.key_len},
                         {q.range.end, q.range.end_len}};
    if (span.end.len > 1 && text_order(span.key, span.end) >= 0)
        return; /* of what holds nothing */
    rc = rkv_kv_permit(kv, name, user.len, access, q.range.key, q.range.key_len,
                       q.range.end, q.range.end_len);
    if ((rc == RKV_OK) != twin_permits(&w->oracle->twin, user, access, &span))
        world_break(w, "rights are what the model says",
                    "%s, access %u, from %s to %s: %s", name, access, q.key,
                    q.end, rkv_errname(rc));
}

void reading_look(struct world *w, uint32_t at)
{
    rkv_kv *kv = rkv_node_kv(w->machines[at].node);

    for (uint64_t looks = 1 + load_below(w, 2); looks > 0; looks--)
        look_once(w, kv);
    if (w->clients->has_users)
        look_at_rights(w, kv);
    oracle_hear(w);
}
