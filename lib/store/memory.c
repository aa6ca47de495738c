/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A store in memory: everything a store promises, for as long as the handle
 * lives.  For tests, simulations and members that may forget.  What can fail
 * for want of memory is done before the first change, so a write is atomic
 * here too.
 */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "ledger.h"

struct snapshot {
    uint64_t index; /* 0: none */
    uint64_t len;
    uint8_t *bytes;
    size_t cap;
    bool finished;
};

struct memory_group {
    struct rkv_group base;
    struct rkv_entry *entries; /* kept ... last; payloads are owned */
    size_t count;
    size_t cap;
    size_t more; /* entries for it in the write under way */
    struct snapshot current;
    struct snapshot previous;
    struct snapshot coming;
};

struct memory {
    struct rkv_allocator allocator;
    struct rkv_trouble trouble;
    struct rkv_ledger ledger;
    uint64_t boot;
    /* Payloads copied for the write under way, in its order. */
    void **copies;
    size_t copies_cap;
};

static struct memory_group *of_memory(struct rkv_group *group)
{
    return (struct memory_group *)(void *)group;
}

static void free_snapshot(struct memory *m, struct snapshot *snapshot)
{
    rkv_release(&m->allocator, snapshot->bytes, snapshot->cap);
    memset(snapshot, 0, sizeof *snapshot);
}

static void free_payload(struct memory *m, const struct rkv_entry *entry)
{
    rkv_release(&m->allocator, (void *)(uintptr_t)entry->data, entry->len);
}

static void release_group(void *ctx, struct rkv_group *base)
{
    struct memory *m = ctx;
    struct memory_group *group = of_memory(base);

    for (size_t i = 0; i < group->count; i++)
        free_payload(m, &group->entries[i]);
    rkv_release(&m->allocator, group->entries,
                group->cap * sizeof *group->entries);
    free_snapshot(m, &group->current);
    free_snapshot(m, &group->previous);
    free_snapshot(m, &group->coming);
}

static void memory_close(void *ctx)
{
    struct memory *m = ctx;
    struct rkv_allocator allocator = m->allocator;

    rkv_ledger_free(&m->ledger, release_group, m);
    rkv_release(&allocator, m->copies, m->copies_cap * sizeof *m->copies);
    rkv_release(&allocator, m, sizeof *m);
}

static int memory_start(void *ctx, struct rkv_store_identity *out)
{
    struct memory *m = ctx;

    m->boot++;
    out->cluster = m->ledger.cluster;
    out->member = m->ledger.member;
    out->boot = m->boot;
    for (size_t i = 0; i < m->ledger.groups_count; i++) {
        struct rkv_group *group = m->ledger.groups[i];

        /* What nobody finished does not outlive the member that began it. */
        free_snapshot(m, &of_memory(group)->coming);
        if (out->promised < group->now.state.term)
            out->promised = group->now.state.term;
    }
    return RKV_OK;
}

static int memory_state(void *ctx, uint64_t id, struct rkv_store_state *out)
{
    struct memory *m = ctx;

    rkv_ledger_state(&m->ledger, id, out);
    return RKV_OK;
}

static int find_place(void *ctx, struct rkv_group *base, uint64_t index,
                      struct rkv_place *out)
{
    const struct memory_group *group = of_memory(base);
    const struct rkv_entry *entry = &group->entries[index - base->now.kept];

    (void)ctx;
    assert(entry->index == index);
    out->term = entry->term;
    memcpy(out->chain, entry->chain, sizeof out->chain);
    return RKV_OK;
}

static bool is_finished(void *ctx, struct rkv_group *base, uint64_t index,
                        uint64_t len)
{
    const struct snapshot *coming = &of_memory(base)->coming;

    (void)ctx;
    return coming->finished && coming->index == index && coming->len == len;
}

/* Copies all payloads and makes room for all entries, or for none. */
static int gather(struct memory *m, const struct rkv_store_write *writes,
                  uint32_t count)
{
    uint64_t total = 0;
    size_t done = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (!(writes[i].flags & RKV_WRITE_ENTRIES))
            continue;
        total += writes[i].count;
        of_memory(rkv_ledger_find(&m->ledger, writes[i].group))->more = 0;
    }
    if (total > SIZE_MAX / sizeof(void *) ||
        rkv_grow(&m->allocator, (void **)&m->copies, &m->copies_cap,
                 (size_t)total, sizeof *m->copies) != RKV_OK)
        return RKV_ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        if (!(writes[i].flags & RKV_WRITE_ENTRIES))
            continue;
        for (uint64_t k = 0; k < writes[i].count; k++, done++) {
            const struct rkv_entry *entry = &writes[i].entries[k];

            m->copies[done] = NULL;
            if (entry->len == 0)
                continue;
            m->copies[done] = rkv_alloc(&m->allocator, entry->len);
            if (m->copies[done] == NULL)
                goto undo;
            memcpy(m->copies[done], entry->data, entry->len);
        }
        struct memory_group *group =
            of_memory(rkv_ledger_find(&m->ledger, writes[i].group));
        /* At most all its entries are added to what is held. */
        group->more += (size_t)writes[i].count;
        if (rkv_grow(&m->allocator, (void **)&group->entries, &group->cap,
                     group->count + group->more,
                     sizeof *group->entries) != RKV_OK)
            goto undo;
    }
    return RKV_OK;
undo:
    done = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!(writes[i].flags & RKV_WRITE_ENTRIES))
            continue;
        for (uint64_t k = 0; k < writes[i].count; k++, done++) {
            if (writes[i].entries[k].len != 0 && m->copies[done] == NULL)
                return RKV_ENOMEM;
            rkv_release(&m->allocator, m->copies[done],
                        writes[i].entries[k].len);
        }
    }
    return RKV_ENOMEM;
}

/* Entries up to index leave from the front. */
static void drop_front(struct memory *m, struct memory_group *group,
                       uint64_t index)
{
    size_t gone = 0;

    while (gone < group->count && group->entries[gone].index <= index)
        free_payload(m, &group->entries[gone++]);
    group->count -= gone;
    if (gone != 0)
        memmove(group->entries, group->entries + gone,
                group->count * sizeof *group->entries);
}

/* Entries from index on leave from the back. */
static void cut_back(struct memory *m, struct memory_group *group,
                     uint64_t index)
{
    while (group->count != 0 && group->entries[group->count - 1].index >= index)
        free_payload(m, &group->entries[--group->count]);
}

static void take_snapshot(struct memory *m, struct memory_group *group,
                          const struct rkv_store_write *write)
{
    uint64_t index = write->snapshot_index;
    const struct rkv_entry *first = group->entries;
    bool continues =
        group->count != 0 && index >= first->index &&
        index - first->index < group->count &&
        group->entries[index - first->index].term == write->snapshot_term;

    if (!continues)
        cut_back(m, group, 0);
    else if (!(write->flags & RKV_WRITE_COMPACT))
        drop_front(m, group, index);
    free_snapshot(m, &group->previous);
    group->previous = group->current;
    group->current = group->coming;
    memset(&group->coming, 0, sizeof group->coming);
}

static void take_entries(struct memory *m, struct memory_group *group,
                         const struct rkv_store_write *write, void **copies)
{
    cut_back(m, group, write->entries[0].index);
    for (uint64_t k = 0; k < write->count; k++) {
        struct rkv_entry *entry = &group->entries[group->count++];

        assert(group->count <= group->cap);
        *entry = write->entries[k];
        entry->data = copies[k];
    }
}

static int memory_write(void *ctx, const struct rkv_store_write *writes,
                        uint32_t count)
{
    struct memory *m = ctx;
    size_t done = 0;
    int rc = rkv_ledger_plan(&m->ledger, writes, count);

    if (rc == RKV_OK && (rc = gather(m, writes, count)) != RKV_OK) {
        rkv_ledger_undo(&m->ledger);
        (void)rkv_trouble_say(&m->trouble, rc,
                              "no memory for a write of %u "
                              "records",
                              count);
    }
    if (rc != RKV_OK)
        return rc;
    for (uint32_t i = 0; i < count; i++) {
        const struct rkv_store_write *write = &writes[i];
        struct memory_group *group =
            of_memory(rkv_ledger_find(&m->ledger, write->group));

        if (write->flags & RKV_WRITE_SNAPSHOT)
            take_snapshot(m, group, write);
        if (write->flags & RKV_WRITE_ENTRIES) {
            take_entries(m, group, write, m->copies + done);
            done += (size_t)write->count;
        }
    }
    for (size_t i = 0; i < m->ledger.touched_count; i++) {
        struct rkv_group *group = m->ledger.touched[i];

        drop_front(m, of_memory(group), group->next.kept - 1);
    }
    rkv_ledger_settle(&m->ledger);
    return RKV_OK;
}

static int memory_read(void *ctx, uint64_t id, uint64_t first, uint32_t count,
                       uint64_t bytes_max, const struct rkv_entry **out,
                       uint32_t *out_count)
{
    struct memory *m = ctx;
    struct rkv_group *group = rkv_ledger_find(&m->ledger, id);
    uint64_t bytes = 0;
    uint32_t taken = 0;
    int rc = rkv_ledger_readable(&m->ledger, group, id, first);

    if (rc != RKV_OK)
        return rc;
    const struct rkv_entry *entries =
        of_memory(group)->entries + (first - group->now.kept);
    uint64_t there = group->now.state.last - first + 1;
    while (taken < count && taken < there) {
        bytes += entries[taken].len;
        if (taken != 0 && bytes > bytes_max)
            break;
        taken++;
    }
    *out = entries;
    *out_count = taken;
    return RKV_OK;
}

static int memory_snap_begin(void *ctx, uint64_t id, uint64_t index)
{
    struct memory *m = ctx;
    struct rkv_group *group = rkv_ledger_make(&m->ledger, id);

    if (group == NULL)
        return rkv_trouble_say(&m->trouble, RKV_ENOMEM,
                               "no memory for a group");
    free_snapshot(m, &of_memory(group)->coming);
    if (index <= group->now.state.snapshot_index)
        return rkv_trouble_say(&m->trouble, RKV_EINVAL,
                               "group %" PRIu64 ": a snapshot at %" PRIu64
                               " cannot follow the current one at %" PRIu64,
                               id, index, group->now.state.snapshot_index);
    of_memory(group)->coming.index = index;
    return RKV_OK;
}

/* The snapshot being written, or NULL and the reason. */
static struct snapshot *find_coming(struct memory *m, uint64_t id)
{
    struct rkv_group *group = rkv_ledger_find(&m->ledger, id);

    if (group != NULL && of_memory(group)->coming.index != 0 &&
        !of_memory(group)->coming.finished)
        return &of_memory(group)->coming;
    (void)rkv_trouble_say(&m->trouble, RKV_ESTATE,
                          "group %" PRIu64 ": no snapshot was begun", id);
    return NULL;
}

static int memory_snap_write(void *ctx, uint64_t id, uint64_t offset,
                             const void *data, size_t len)
{
    struct memory *m = ctx;
    struct snapshot *coming = find_coming(m, id);

    if (coming == NULL)
        return RKV_ESTATE;
    if (offset != coming->len || len > SIZE_MAX - (size_t)offset)
        return rkv_trouble_say(&m->trouble, RKV_EINVAL,
                               "group %" PRIu64 ": snapshot bytes at %" PRIu64
                               ", where %" PRIu64 " come next",
                               id, offset, coming->len);
    if (rkv_grow(&m->allocator, (void **)&coming->bytes, &coming->cap,
                 (size_t)offset + len, 1) != RKV_OK)
        return rkv_trouble_say(&m->trouble, RKV_ENOMEM,
                               "group %" PRIu64 ": no memory for a snapshot "
                               "of %" PRIu64 " bytes and more",
                               id, offset);
    if (len != 0)
        memcpy(coming->bytes + offset, data, len);
    coming->len += len;
    return RKV_OK;
}

static int memory_snap_finish(void *ctx, uint64_t id, uint64_t len)
{
    struct memory *m = ctx;
    struct snapshot *coming = find_coming(m, id);

    if (coming == NULL)
        return RKV_ESTATE;
    if (len != coming->len)
        return rkv_trouble_say(&m->trouble, RKV_EINVAL,
                               "group %" PRIu64 ": a snapshot of %" PRIu64
                               " bytes ends after %" PRIu64,
                               id, len, coming->len);
    coming->finished = true;
    return RKV_OK;
}

static int memory_snap_read(void *ctx, uint64_t id, uint64_t index,
                            uint64_t offset, void *buf, size_t cap, size_t *len)
{
    struct memory *m = ctx;
    struct rkv_group *group = rkv_ledger_find(&m->ledger, id);
    const struct snapshot *snapshot = NULL;

    if (group != NULL && index == of_memory(group)->current.index)
        snapshot = &of_memory(group)->current;
    else if (group != NULL && index == of_memory(group)->previous.index)
        snapshot = &of_memory(group)->previous;
    if (snapshot == NULL || index == 0)
        return rkv_trouble_say(&m->trouble, RKV_ENOTFOUND,
                               "group %" PRIu64 ": no snapshot at %" PRIu64, id,
                               index);
    uint64_t left = offset < snapshot->len ? snapshot->len - offset : 0;
    size_t taken = left < cap ? (size_t)left : cap;
    if (taken != 0)
        memcpy(buf, snapshot->bytes + offset, taken);
    *len = taken;
    return RKV_OK;
}

static const char *memory_errmsg(void *ctx)
{
    const struct memory *m = ctx;

    return m->trouble.text;
}

int rkv_store_memory(const struct rkv_allocator *allocator, rkv_store **out)
{
    static const struct rkv_store_methods methods = {
        .size = sizeof methods,
        .close = memory_close,
        .start = memory_start,
        .state = memory_state,
        .write = memory_write,
        .read = memory_read,
        .snap_begin = memory_snap_begin,
        .snap_write = memory_snap_write,
        .snap_finish = memory_snap_finish,
        .snap_read = memory_snap_read,
        .errmsg = memory_errmsg,
    };
    struct rkv_allocator chosen = rkv_alloc_choose(allocator);

    if (out == NULL)
        return RKV_EINVAL;
    struct memory *m = rkv_alloc_zeroed(&chosen, sizeof *m);
    if (m == NULL)
        return RKV_ENOMEM;
    const struct rkv_ledger_source source = {
        .ctx = m, .place = find_place, .finished = is_finished};
    m->allocator = chosen;
    rkv_ledger_init(&m->ledger, &m->allocator, sizeof(struct memory_group),
                    &source, &m->trouble);
    int rc = rkv_store_custom(&methods, m, &chosen, out);
    if (rc != RKV_OK)
        memory_close(m);
    return rc;
}
