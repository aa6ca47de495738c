/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Results, compared field by field, or by a digest of all fields.
 */
#include <inttypes.h>
#include <string.h>

#include "twin_room.h"

/* Where the two are being compared, for the message. */
struct comparison {
    struct verdict *verdict;
    const char *rule;
    uint64_t index;
    uint64_t response; /* counted over all, nested ones included */
    uint64_t item;
};

static bool same(struct comparison *c, const char *what, int64_t ours,
                 int64_t theirs)
{
    if (ours == theirs)
        return true;
    verdict_break(c->verdict, c->rule,
                  "index %" PRIu64 " response %" PRIu64 " item %" PRIu64
                  ": %s is %" PRId64 ", the model says %" PRId64,
                  c->index, c->response, c->item, what, theirs, ours);
    return false;
}

static bool same_bytes(struct comparison *c, const char *what, const void *ours,
                       size_t ours_len, const void *theirs, size_t theirs_len)
{
    if (!same(c, what, (int64_t)ours_len, (int64_t)theirs_len))
        return false;
    return ours_len == 0 ||
           same(c, what, 0, memcmp(ours, theirs, ours_len) != 0);
}

static bool same_item(struct comparison *c, const struct rkv_item *a,
                      const struct rkv_item *b)
{
    return same_bytes(c, "the key", a->key, a->key_len, b->key, b->key_len) &&
           same_bytes(c, "the value", a->value, a->value_len, b->value,
                      b->value_len) &&
           same(c, "create_revision", a->create_revision, b->create_revision) &&
           same(c, "mod_revision", a->mod_revision, b->mod_revision) &&
           same(c, "version", a->version, b->version) &&
           same(c, "the item's lease", a->lease, b->lease);
}

static bool same_result(struct comparison *c, const struct rkv_result *a,
                        const struct rkv_result *b);

static bool same_response(struct comparison *c, const struct rkv_response *a,
                          const struct rkv_response *b)
{
    if (!same(c, "kind", a->kind, b->kind) ||
        !same(c, "more", a->more, b->more) ||
        !same(c, "count", (int64_t)a->count, (int64_t)b->count) ||
        !same(c, "revision", a->revision, b->revision) ||
        !same(c, "lease", a->lease, b->lease) ||
        !same(c, "ttl", a->ttl, b->ttl) ||
        !same(c, "session", (int64_t)a->session, (int64_t)b->session) ||
        !same(c, "items_count", (int64_t)a->items_count,
              (int64_t)b->items_count) ||
        !same(c, "having a txn", a->txn != NULL, b->txn != NULL))
        return false;
    for (c->item = 0; c->item < a->items_count; c->item++)
        if (!same_item(c, &a->items[c->item], &b->items[c->item]))
            return false;
    return a->txn == NULL || same_result(c, a->txn, b->txn);
}

static bool same_result(struct comparison *c, const struct rkv_result *a,
                        const struct rkv_result *b)
{
    if (!same(c, "status", a->status, b->status) ||
        !same(c, "succeeded", a->succeeded, b->succeeded) ||
        !same(c, "the result's revision", a->revision, b->revision) ||
        !same(c, "compacted", a->compacted, b->compacted) ||
        !same(c, "replayed", a->replayed, b->replayed) ||
        !same(c, "responses_count", (int64_t)a->responses_count,
              (int64_t)b->responses_count))
        return false;
    for (uint64_t i = 0; i < a->responses_count; i++) {
        c->response++;
        if (!same_response(c, &a->responses[i], &b->responses[i]))
            return false;
    }
    return true;
}

void answers_differ(struct verdict *verdict, uint64_t index,
                    const struct rkv_result *ours,
                    const struct rkv_result *theirs)
{
    struct comparison c = {
        .verdict = verdict,
        .rule = index > 0 ? "a command comes to what the model says"
                          : "a range shows what the model says",
        .index = index};

    (void)same_result(&c, ours, theirs);
}

static void digest_result(struct digest *d, const struct rkv_result *result);

static void digest_response(struct digest *d, const struct rkv_response *r)
{
    digest_number(d, (uint64_t)r->kind << 1 | r->more);
    digest_number(d, r->count);
    digest_number(d, (uint64_t)r->revision);
    digest_number(d, (uint64_t)r->lease);
    digest_number(d, (uint64_t)r->ttl);
    digest_number(d, r->session);
    for (uint64_t i = 0; i < r->items_count; i++) {
        const struct rkv_item *item = &r->items[i];

        digest_bytes(d, item->key, item->key_len);
        digest_bytes(d, item->value, item->value_len);
        digest_number(d, (uint64_t)item->create_revision);
        digest_number(d, (uint64_t)item->mod_revision);
        digest_number(d, (uint64_t)item->version);
        digest_number(d, (uint64_t)item->lease);
    }
    if (r->txn != NULL)
        digest_result(d, r->txn);
}

static void digest_result(struct digest *d, const struct rkv_result *result)
{
    digest_number(d, (uint64_t)(int64_t)result->status);
    digest_number(d, (uint64_t)result->succeeded << 1 | result->replayed);
    digest_number(d, (uint64_t)result->revision);
    digest_number(d, (uint64_t)result->compacted);
    for (uint64_t i = 0; i < result->responses_count; i++)
        digest_response(d, &result->responses[i]);
}

uint64_t twin_digest_answer(const struct rkv_result *result)
{
    struct digest digest = {0};

    if (result != NULL)
        digest_result(&digest, result);
    return digest.value;
}

/* What a session remembers. */
struct rkv_result *answer_without_items(struct arena *arena,
                                        const struct rkv_result *result)
{
    size_t count = (size_t)result->responses_count;
    struct rkv_result *copy = arena_take(arena, sizeof *copy);
    struct rkv_response *responses =
        arena_take(arena, (count + 1) * sizeof *responses);

    *copy = *result;
    copy->responses = responses;
    for (size_t i = 0; i < count; i++) {
        responses[i] = result->responses[i];
        responses[i].items = NULL;
        responses[i].items_count = 0;
        responses[i].txn = NULL;
    }
    return copy;
}
