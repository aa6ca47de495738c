/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/raft/trail.h - what a member remembers of its log: all but the bytes.
 */
#ifndef RKV_RAFT_TRAIL_H
#define RKV_RAFT_TRAIL_H

#include <raftkv/raft.h>
#include <assert.h>
#include <stdbool.h>

#include "../base/alloc.h"

enum {
    PAGE_SHIFT = 8,
    PAGE_ENTRIES = 1 << PAGE_SHIFT,
    /* Room for entries the core makes itself, and for configurations, so
     * that a full log can still change hands and members. */
    KEPT_BACK = 16
};

/* The trail: term, length and kind of every retained entry, by index.
 *
 *     pages[index >> PAGE_SHIFT & page_mask][index & (PAGE_ENTRIES - 1)]
 *
 * All slots of the directory hold a page, always: forgetting the front makes
 * room at the end without moving anything. */
struct trail_entry {
    uint64_t term;
    uint64_t shape; /* len, and kind above it: one store, one load */
};

struct trail {
    struct trail_entry **pages;
    uint64_t page_mask;   /* pages - 1, pages a power of two */
    uint64_t first;       /* first index held; >= 1 */
    uint64_t last;        /* last < first: none; last >= first - 1 */
    uint64_t end;         /* the largest index there is memory for */
    uint64_t limit;       /* the largest index a command may have */
    uint64_t base_term;   /* of the entry at first - 1 */
    uint64_t last_term;   /* of the entry at last */
    uint64_t config_last; /* no CONFIG entry lies above this index */
    uint64_t entries_max;
};

/* raft.c, since only the hall takes memory: a trail with its first pages, and
 * more of them. */
int rkv_trail_init(struct trail *t, const struct rkv_allocator *a,
                   uint64_t base, uint64_t base_term, uint32_t entries_max);
void rkv_trail_free(struct trail *t, const struct rkv_allocator *a);
int rkv_trail_reserve(struct trail *t, const struct rkv_allocator *a,
                      uint64_t count);
/* The same without the limit: what is on disk must be held. */
int rkv_trail_extend(struct trail *t, const struct rkv_allocator *a,
                     uint64_t count);

/* trail.c */
/* Empty after base, and still without pages. */
void rkv_trail_begin(struct trail *t, uint64_t base, uint64_t base_term,
                     uint32_t entries_max);
/* After first or the number of pages changed. */
void rkv_trail_measure(struct trail *t);
/* Keeps entries up to cut; first - 1 <= cut <= last. */
void rkv_trail_truncate(struct trail *t, uint64_t cut);
/* Forgets entries up to index; first - 1 <= index <= last. */
void rkv_trail_compact(struct trail *t, uint64_t index);
/* Forgets everything; the next entry is index + 1. */
void rkv_trail_restart(struct trail *t, uint64_t index, uint64_t term);
/* The largest index <= from whose term is <= term; first - 2 when that is
 * below what is known. */
uint64_t rkv_trail_conflict(const struct trail *t, uint64_t from,
                            uint64_t term);
/* Whether a CONFIG entry lies in [first, last]. */
bool rkv_trail_has_config(const struct trail *t, uint64_t first, uint64_t last);

static inline struct trail_entry *trail_at(const struct trail *t,
                                           uint64_t index)
{
    return &t->pages[(index >> PAGE_SHIFT) & t->page_mask]
                    [index & (PAGE_ENTRIES - 1)];
}

static inline uint32_t trail_len(const struct trail_entry *entry)
{
    return (uint32_t)entry->shape;
}

static inline uint32_t trail_kind(const struct trail_entry *entry)
{
    return (uint32_t)(entry->shape >> 32);
}

static inline bool trail_knows(const struct trail *t, uint64_t index)
{
    return index + 1 >= t->first && index <= t->last;
}

/* first - 1 <= index <= last. */
static inline uint64_t trail_term(const struct trail *t, uint64_t index)
{
    if (index == t->last)
        return t->last_term;
    return index < t->first ? t->base_term : trail_at(t, index)->term;
}

/* The largest index a command may take, when the last `kept` places are for
 * what the core makes itself and for configurations. */
static inline uint64_t trail_command_end(const struct trail *t, uint64_t kept)
{
    uint64_t end = t->end - kept;
    return end < t->limit ? end : t->limit;
}

static inline void trail_add(struct trail *t, uint64_t term, uint32_t len,
                             uint32_t kind)
{
    uint64_t index = t->last + 1;
    struct trail_entry *entry = trail_at(t, index);
    entry->term = term;
    entry->shape = (uint64_t)kind << 32 | len;
    t->last = index;
    t->last_term = term;
    if (kind == RKV_ENTRY_CONFIG)
        t->config_last = index;
    assert(index <= t->end);
}

#endif
