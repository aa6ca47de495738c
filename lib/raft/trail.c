/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/raft/trail.c - what the core remembers of every retained entry.  Looking
 * up an index takes two loads; adding, cutting and compacting move nothing.
 * The hall gives it its pages.  Payloads are somebody else's.
 */
#include "core.h"

void rkv_trail_begin(struct trail *t, uint64_t base, uint64_t base_term,
                     uint32_t entries_max)
{
    *t = (struct trail){.first = base + 1,
                        .last = base,
                        .base_term = base_term,
                        .last_term = base_term,
                        .config_last = 0,
                        .entries_max = entries_max};
}

void rkv_trail_truncate(struct trail *t, uint64_t cut)
{
    assert(cut + 1 >= t->first);
    assert(cut <= t->last);
    t->last_term = trail_term(t, cut);
    t->last = cut;
    if (t->config_last > cut)
        t->config_last = cut;
}

void rkv_trail_compact(struct trail *t, uint64_t index)
{
    assert(index + 1 >= t->first);
    assert(index <= t->last);
    t->base_term = trail_term(t, index);
    t->first = index + 1;
    rkv_trail_measure(t);
}

void rkv_trail_restart(struct trail *t, uint64_t index, uint64_t term)
{
    t->first = index + 1;
    t->last = index;
    t->base_term = term;
    t->last_term = term;
    t->config_last = 0;
    rkv_trail_measure(t);
}

/* Terms never fall along a log, so halving finds the place. */
uint64_t rkv_trail_conflict(const struct trail *t, uint64_t from, uint64_t term)
{
    uint64_t low = t->first - 1;
    uint64_t high = from < t->last ? from : t->last;

    if (high < low || trail_term(t, low) > term)
        return low == 0 ? 0 : low - 1;
    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2;
        if (trail_term(t, middle) <= term)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

bool rkv_trail_has_config(const struct trail *t, uint64_t first, uint64_t last)
{
    if (last > t->config_last)
        last = t->config_last;
    if (first < t->first)
        first = t->first;
    for (uint64_t index = last; index >= first; index--)
        if (trail_kind(trail_at(t, index)) == RKV_ENTRY_CONFIG)
            return true;
    return false;
}

void rkv_trail_measure(struct trail *t)
{
    uint64_t page = (t->first >> PAGE_SHIFT) + t->page_mask + 1;
    t->end = (page << PAGE_SHIFT) - 1;
    t->limit = t->first - 1 + t->entries_max;
}
