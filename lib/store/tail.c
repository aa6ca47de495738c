/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The tail: the recent payloads of one group's log in memory, and the chain.
 *
 *     base │ begin ...                                        last
 *          │ released, kept while the cache has room │ not yet
 *
 * Records lie in one array, so that any run of entries can be handed out in
 * place; it slides down when its front has emptied.  Payloads lie on a shelf
 * and never move.
 */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "../base/options.h"
#include "held.h"
#include "room.h"
#include "shelf.h"

enum { CACHE_BYTES_MAX = 8 * 1024 * 1024 };

struct rkv_tail {
    struct rkv_allocator allocator;
    struct rkv_shelf shelf;
    struct rkv_entry *records; /* allocated; those held begin at head */
    size_t cap;
    size_t head;
    size_t count;
    uint64_t base; /* index of the entry before the first held */
    uint8_t base_chain[32];
    uint64_t released;
    uint64_t bytes; /* held, records included */
    uint64_t bytes_max;
};

int rkv_tail_new(const struct rkv_tail_options *options, uint64_t index,
                 const uint8_t chain[32], rkv_tail **out)
{
    struct rkv_tail_options ours;
    int rc = rkv_options(&ours, sizeof ours, options);

    if (rc != RKV_OK)
        return rc;
    if (ours.reserved != 0 || chain == NULL || out == NULL)
        return RKV_EINVAL;
    struct rkv_allocator allocator = rkv_alloc_choose(ours.allocator);
    rkv_tail *tail = rkv_alloc_zeroed(&allocator, sizeof *tail);
    if (tail == NULL)
        return RKV_ENOMEM;
    tail->allocator = allocator;
    rkv_shelf_init(&tail->shelf, &tail->allocator);
    tail->base = index;
    tail->released = index;
    memcpy(tail->base_chain, chain, sizeof tail->base_chain);
    tail->bytes_max =
        ours.cache_bytes_max != 0 ? ours.cache_bytes_max : CACHE_BYTES_MAX;
    *out = tail;
    return RKV_OK;
}

void rkv_tail_free(rkv_tail *tail)
{
    struct rkv_allocator allocator;

    if (tail == NULL)
        return;
    rkv_shelf_free(&tail->shelf);
    rkv_release(&tail->allocator, tail->records,
                tail->cap * sizeof *tail->records);
    allocator = tail->allocator;
    rkv_release(&allocator, tail, sizeof *tail);
}

static struct rkv_entry *held(const struct rkv_tail *tail, size_t position)
{
    assert(position < tail->count);
    return &tail->records[tail->head + position];
}

static uint64_t last_of(const struct rkv_tail *tail)
{
    return tail->base + tail->count;
}

static uint64_t weight(const struct rkv_entry *entry)
{
    return sizeof *entry + entry->len;
}

static void forget(struct rkv_tail *tail, const struct rkv_entry *entry)
{
    tail->bytes -= weight(entry);
    if (entry->len != 0)
        rkv_shelf_drop(&tail->shelf, entry->data);
}

/* Room for more records behind those held.  Sliding down is paid for by the
 * records that left since the last time. */
static int make_room(struct rkv_tail *tail, size_t more)
{
    size_t wanted;

    if (more <= tail->cap - tail->head - tail->count)
        return RKV_OK;
    if (tail->head != 0 && tail->head >= tail->cap / 2) {
        memmove(tail->records, tail->records + tail->head,
                tail->count * sizeof *tail->records);
        tail->head = 0;
    }
    if (__builtin_add_overflow(tail->head + tail->count, more, &wanted))
        return RKV_ENOMEM;
    return rkv_grow(&tail->allocator, (void **)&tail->records, &tail->cap,
                    wanted, sizeof *tail->records);
}

static int append(struct rkv_tail *tail, const struct rkv_entry *entry,
                  const uint8_t previous[32])
{
    struct rkv_entry *record = &tail->records[tail->head + tail->count];
    void *bytes = NULL;

    if (entry->len != 0) {
        bytes = rkv_shelf_put(&tail->shelf, entry->data, entry->len);
        if (bytes == NULL)
            return RKV_ENOMEM;
    }
    *record = *entry;
    record->data = bytes;
    rkv_entry_chain(record, previous);
    tail->bytes += weight(record);
    tail->count++;
    return RKV_OK;
}

/* Records [from, end) make way; those behind move up. */
static void take_out(struct rkv_tail *tail, size_t from, size_t end)
{
    for (size_t i = from; i < end; i++)
        forget(tail, held(tail, i));
    if (end < tail->count)
        memmove(held(tail, from), held(tail, end),
                (tail->count - end) * sizeof *tail->records);
    tail->count -= end - from;
}

/* How many of the entries are known already: held with their terms, or so
 * old that they left memory or were never here. */
static uint32_t count_known(const struct rkv_tail *tail,
                            const struct rkv_entry *entries, uint32_t count)
{
    uint32_t known = 0;

    for (; known < count; known++) {
        const struct rkv_entry *entry = &entries[known];

        if (entry->index <= tail->base)
            continue;
        if (entry->index > last_of(tail))
            break;
        if (held(tail, (size_t)(entry->index - tail->base - 1))->term !=
            entry->term)
            break;
    }
    return known;
}

static int check_entries(const struct rkv_tail *tail,
                         const struct rkv_entry *entries, uint32_t count)
{
    if (entries[0].index == 0 || entries[0].index > last_of(tail) + 1)
        return RKV_EINVAL;
    for (uint32_t i = 0; i < count; i++)
        if (entries[i].index != entries[0].index + i ||
            (entries[i].data == NULL && entries[i].len != 0))
            return RKV_EINVAL;
    return RKV_OK;
}

int rkv_tail_add(rkv_tail *tail, const struct rkv_entry *entries,
                 uint32_t count)
{
    const uint8_t *previous;
    size_t before;

    if (tail == NULL || (entries == NULL && count != 0))
        return RKV_EINVAL;
    if (count == 0)
        return RKV_OK;
    int rc = check_entries(tail, entries, count);
    if (rc != RKV_OK)
        return rc;
    uint32_t known = count_known(tail, entries, count);
    if (known == count)
        return RKV_OK;
    entries += known;
    count -= known;
    rc = make_room(tail, count);
    if (rc != RKV_OK)
        return rc;
    /* New records come behind all old ones; only when every payload has
     * found room do the old ones in their place leave. */
    before = tail->count;
    size_t cut = (size_t)(entries[0].index - tail->base - 1);
    previous = cut == 0 ? tail->base_chain : held(tail, cut - 1)->chain;
    for (uint32_t i = 0; rc == RKV_OK && i < count; i++) {
        rc = append(tail, &entries[i], previous);
        previous = tail->records[tail->head + before + i].chain;
    }
    if (rc != RKV_OK) {
        take_out(tail, before, tail->count);
        return rc;
    }
    take_out(tail, cut, before);
    return RKV_OK;
}

int rkv_tail_get(rkv_tail *tail, const struct rkv_raft_entry *listed,
                 uint32_t count, const struct rkv_entry **out)
{
    if (tail == NULL || listed == NULL || out == NULL || count == 0)
        return RKV_EINVAL;
    if (listed[0].index <= tail->base)
        return RKV_ECOMPACTED;
    uint64_t position = listed[0].index - tail->base - 1;
    if (position >= tail->count || count > tail->count - position)
        return RKV_ESTALE;
    const struct rkv_entry *first = held(tail, (size_t)position);
    for (uint32_t i = 0; i < count; i++) {
        if (listed[i].index != first[i].index)
            return RKV_EINVAL;
        if (listed[i].term != first[i].term)
            return RKV_ESTALE;
    }
    *out = first;
    return RKV_OK;
}

int rkv_tail_chain(const rkv_tail *tail, uint64_t index, uint8_t out[32])
{
    if (tail == NULL || out == NULL)
        return RKV_EINVAL;
    if (index < tail->base)
        return RKV_ECOMPACTED;
    if (index > last_of(tail))
        return RKV_EFUTURE;
    memcpy(out,
           index == tail->base
               ? tail->base_chain
               : held(tail, (size_t)(index - tail->base - 1))->chain,
           32);
    return RKV_OK;
}

/* The oldest `gone` records leave; the last of them becomes the base. */
static void leave_front(struct rkv_tail *tail, size_t gone)
{
    if (gone == 0)
        return;
    tail->base = held(tail, gone - 1)->index;
    memcpy(tail->base_chain, held(tail, gone - 1)->chain,
           sizeof tail->base_chain);
    for (size_t i = 0; i < gone; i++)
        forget(tail, held(tail, i));
    tail->head += gone;
    tail->count -= gone;
    if (tail->count == 0)
        tail->head = 0;
}

void rkv_tail_release(rkv_tail *tail, uint64_t index)
{
    uint64_t bytes;
    size_t gone = 0;

    assert(tail != NULL);
    if (index > last_of(tail))
        index = last_of(tail);
    if (index > tail->released)
        tail->released = index;
    bytes = tail->bytes;
    while (bytes > tail->bytes_max && gone < tail->count &&
           tail->base + gone < tail->released) {
        bytes -= weight(held(tail, gone));
        gone++;
    }
    leave_front(tail, gone);
}

uint64_t rkv_tail_held(const rkv_tail *tail)
{
    return tail->bytes;
}

void rkv_tail_pin(rkv_tail *tail)
{
    rkv_shelf_pin(&tail->shelf);
}

void rkv_tail_unpin(rkv_tail *tail)
{
    rkv_shelf_unpin(&tail->shelf);
}

int rkv_tail_restore(rkv_tail *tail, uint64_t index, const uint8_t chain[32])
{
    uint8_t ours[32];

    if (tail == NULL || chain == NULL)
        return RKV_EINVAL;
    if (rkv_tail_chain(tail, index, ours) == RKV_OK &&
        memcmp(ours, chain, sizeof ours) == 0) {
        leave_front(tail, (size_t)(index - tail->base));
    } else {
        take_out(tail, 0, tail->count);
        tail->head = 0;
        tail->base = index;
        memcpy(tail->base_chain, chain, sizeof tail->base_chain);
    }
    if (tail->released < index)
        tail->released = index;
    if (tail->released > last_of(tail))
        tail->released = last_of(tail);
    return RKV_OK;
}
