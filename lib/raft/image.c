/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/raft/image.c - see image.h.  An image is the core's own memory, part by
 * part; a core made from the same options has the same parts, so only where
 * they lie has to be put right.  What a drain hands out is not among it.
 */
#include "image.h"

#include <string.h>

#include "../base/bytes.h"
#include "../base/hash.h"
#include "core.h"

/* More than any log that was held has; a file may say anything. */
enum { PARTS = 7, PAGES_MAX = 1 << 22 };

struct part {
    void *at;
    size_t size;
};

/* All but the trail, which has a length of its own. */
static void list_parts(const struct rkv_raft *r, struct part parts[PARTS])
{
    size_t members = r->options.members_max;
    const struct part all[PARTS] = {
        {r->members, members * sizeof r->members[0]},
        {r->peers, members * sizeof r->peers[0]},
        {r->windows,
         members * ((size_t)r->window_mask + 1) * sizeof r->windows[0]},
        {r->tokens, ((size_t)r->tokens_mask + 1) * sizeof r->tokens[0]},
        {r->reads.ring, ((size_t)r->reads.mask + 1) * sizeof r->reads.ring[0]},
        {r->outbox, (size_t)r->outbox_max * sizeof r->outbox[0]},
        {r->traces.ring, (size_t)r->traces.max * sizeof r->traces.ring[0]}};

    memcpy(parts, all, sizeof all);
}

static uint64_t trail_count(const struct trail *t)
{
    return t->last + 1 - t->first;
}

uint64_t rkv_image_build(void)
{
    const uint64_t sizes[] = {sizeof(struct rkv_raft),
                              sizeof(struct peer),
                              sizeof(struct flight),
                              sizeof(struct token),
                              sizeof(struct read),
                              sizeof(struct rkv_raft_msg),
                              sizeof(struct trail_entry),
                              offsetof(struct rkv_raft, trail),
                              offsetof(struct rkv_raft, reads),
                              offsetof(struct rkv_raft, members),
                              offsetof(struct rkv_raft, options),
                              offsetof(struct rkv_raft, traces)};

    return rkv_hash64(1, sizes, sizeof sizes);
}

size_t rkv_image_size(const rkv_raft *r)
{
    struct part parts[PARTS];
    size_t size = sizeof *r;

    list_parts(r, parts);
    for (int i = 0; i < PARTS; i++)
        size += parts[i].size;
    return size + (size_t)trail_count(&r->trail) * sizeof(struct trail_entry);
}

void rkv_image_save(const rkv_raft *r, void *to)
{
    struct part parts[PARTS];
    uint8_t *at = rkv_put_bytes(to, r, sizeof *r);

    list_parts(r, parts);
    for (int i = 0; i < PARTS; i++)
        at = rkv_put_bytes(at, parts[i].at, parts[i].size);
    for (uint64_t index = r->trail.first; index <= r->trail.last; index++)
        at = rkv_put_bytes(at, trail_at(&r->trail, index),
                           sizeof(struct trail_entry));
}

/* Made of the same options, two cores have parts of the same sizes. */
static bool fits(const struct rkv_raft *mine, const struct rkv_raft *theirs)
{
    const struct trail *t = &theirs->trail;

    return mine->window_mask == theirs->window_mask &&
           mine->tokens_mask == theirs->tokens_mask &&
           mine->reads.mask == theirs->reads.mask &&
           mine->outbox_max == theirs->outbox_max &&
           mine->traces.max == theirs->traces.max &&
           theirs->outbox_count <= theirs->outbox_max &&
           theirs->count <= theirs->options.members_max &&
           theirs->self < (int32_t)theirs->count && t->first > 0 &&
           t->last < NUMBER_LIMIT && t->last + 1 >= t->first &&
           (t->page_mask & (t->page_mask + 1)) == 0 && t->page_mask < PAGES_MAX;
}

/* As many pages as there were, so that it is full when it was. */
static int load_trail(struct rkv_raft *r, const struct trail *theirs,
                      const uint8_t *entries)
{
    struct trail *t = &r->trail;
    uint64_t room = (theirs->page_mask + 1) << PAGE_SHIFT;
    uint64_t begun = (theirs->first & (PAGE_ENTRIES - 1)) + KEPT_BACK;
    struct trail_entry **pages;
    int rc;

    rkv_trail_restart(t, theirs->first - 1, theirs->base_term);
    rc = rkv_trail_extend(t, &r->allocator, room > begun ? room - begun : 0);
    if (rc != RKV_OK)
        return rc;
    if (t->page_mask != theirs->page_mask || trail_count(theirs) > room)
        return RKV_EMALFORMED;
    pages = t->pages;
    *t = *theirs;
    t->pages = pages;
    for (uint64_t index = t->first; index <= t->last; index++) {
        memcpy(trail_at(t, index), entries, sizeof(struct trail_entry));
        entries += sizeof(struct trail_entry);
    }
    return RKV_OK;
}

/* Everything that says where something lies stays as it is here. */
static void keep_places(struct rkv_raft *r, const struct rkv_raft *mine)
{
    r->trail = mine->trail;
    r->reads.ring = mine->reads.ring;
    r->members = mine->members;
    r->peers = mine->peers;
    r->records = mine->records;
    r->records_max = mine->records_max;
    r->msgs = mine->msgs;
    r->msgs_max = mine->msgs_max;
    r->outbox = mine->outbox;
    r->read_results = mine->read_results;
    r->results_max = mine->results_max;
    r->tokens = mine->tokens;
    r->out.append = mine->out.append;
    r->out.msgs = mine->out.msgs;
    r->out.committed = mine->out.committed;
    r->out.reads = mine->out.reads;
    r->out.append_count = r->out.msgs_count = 0;
    r->out.committed_count = r->out.reads_count = 0;
    r->records_used = r->runs_used = 0;
    r->options.allocator = mine->options.allocator;
    r->allocator = mine->allocator;
    r->windows = mine->windows;
    r->traces.ring = mine->traces.ring;
}

/* A peer's window lies anywhere among all windows. */
static bool place_windows(struct rkv_raft *r, const struct flight *theirs)
{
    size_t size = (size_t)r->window_mask + 1;

    for (uint32_t i = 0; i < r->options.members_max; i++) {
        struct peer *p = &r->peers[i];
        size_t from = (size_t)((uintptr_t)p->window - (uintptr_t)theirs) /
                      sizeof *p->window;

        if (from % size != 0 || from / size >= r->options.members_max)
            return false;
        p->window = r->windows + from;
    }
    return true;
}

static int load(struct rkv_raft *r, const struct rkv_raft *theirs,
                const uint8_t *at, size_t len)
{
    const struct rkv_raft mine = *r;
    struct part parts[PARTS];

    if (!fits(r, theirs) ||
        len != rkv_image_size(r) - sizeof *r -
                   (size_t)trail_count(&r->trail) * sizeof(struct trail_entry) +
                   (size_t)trail_count(&theirs->trail) *
                       sizeof(struct trail_entry))
        return RKV_EMALFORMED;
    *r = *theirs;
    keep_places(r, &mine);
    list_parts(r, parts);
    for (int i = 0; i < PARTS; i++) {
        if (parts[i].size > 0)
            memcpy(parts[i].at, at, parts[i].size);
        at += parts[i].size;
    }
    if (!place_windows(r, theirs->windows))
        return RKV_EMALFORMED;
    return load_trail(r, &theirs->trail, at);
}

int rkv_image_load(const void *image, size_t len,
                   const struct rkv_allocator *allocator, rkv_raft **out)
{
    struct rkv_raft_boot boot = {.size = sizeof boot};
    struct rkv_raft_options options;
    struct rkv_raft theirs;
    rkv_raft *r;
    int rc;

    if (len < sizeof theirs)
        return RKV_EMALFORMED;
    memcpy(&theirs, image, sizeof theirs);
    options = theirs.options;
    options.allocator = allocator;
    rc = rkv_raft_new(&options, &boot, &r);
    if (rc != RKV_OK)
        return rc == RKV_ENOMEM ? rc : RKV_EMALFORMED;
    rc = load(r, &theirs, (const uint8_t *)image + sizeof theirs,
              len - sizeof theirs);
    if (rc != RKV_OK) {
        rkv_raft_free(r);
        return rc;
    }
    *out = r;
    return RKV_OK;
}
