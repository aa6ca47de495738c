/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/kv/state.h - the history, all records in the order of revisions; and
 * the state, which has them in every way they are looked for and knows what
 * they come to.
 */
#ifndef RKV_KV_STATE_H
#define RKV_KV_STATE_H

#include "auth.h"
#include "lease.h"
#include "record.h"
#include "session.h"
#include "tree.h"

/* --------------------------------------------------------------- history */

/* The records in the order of their revisions, in pages.  A record that goes
 * leaves a gap. */
enum { RKV_PAGE_RECORDS = 256 };
struct rkv_page {
    int64_t main;   /* all here are at or behind this place, */
    uint32_t sub;   /* all on the pages before are in front of it */
    uint32_t count; /* slots in use, gaps included */
    uint32_t held;
    struct rkv_record *records[RKV_PAGE_RECORDS];
};
/* Where a page begins stands beside it, to search without looking at pages. */
struct rkv_page_entry {
    int64_t main;
    struct rkv_page *page;
};
struct rkv_history {
    const struct rkv_allocator *allocator;
    struct rkv_page_entry *pages; /* none of them empty */
    size_t first;                 /* pages before it are gone */
    size_t end;
    size_t cap;
    uint64_t epoch; /* rises when places move */
};
struct rkv_history_place {
    size_t page;
    uint32_t slot;
    uint64_t epoch;
};

void rkv_history_init(struct rkv_history *history,
                      const struct rkv_allocator *a);
void rkv_history_free(struct rkv_history *history);
/* record is newer than all that are there.  RKV_OK or RKV_ENOMEM. */
int rkv_history_append(struct rkv_history *history, struct rkv_record *record);
void rkv_history_remove(struct rkv_history *history, struct rkv_record *record);
/* The place of the first record at or after (main, sub). */
struct rkv_history_place rkv_history_seek(const struct rkv_history *history,
                                          int64_t main, uint32_t sub);
/* The record there, and on to the next place; NULL at the end. */
struct rkv_record *rkv_history_next(const struct rkv_history *history,
                                    struct rkv_history_place *place);
/* Every invariant, by brute force: a test's question. */
bool rkv_history_check(const struct rkv_history *history);

/* ----------------------------------------------------------------- state */

/* How much some records are, as three sums. */
struct rkv_mass {
    uint64_t records;
    uint64_t bytes;
    uint64_t hash;
};

void rkv_mass_add(struct rkv_mass *mass, const struct rkv_record *record);

/* Sums over all records up to a revision, those long gone included: of the
 * records that others have replaced by then, and of the deletions.  The
 * difference of two checkpoints is what a compaction between them removes. */
struct rkv_checkpoint {
    int64_t main;
    struct rkv_mass replaced;
    struct rkv_mass deletions;
    struct rkv_mass earlier; /* the deletions before `main` alone */
};

struct rkv_state {
    struct rkv_allocator allocator;
    struct rkv_pool pool;
    struct rkv_tree tree;
    struct rkv_history history;
    struct rkv_leases leases;
    struct rkv_sessions sessions;
    struct rkv_auth auth;
    uint64_t owners;    /* the handle, and every snapshot */
    uint64_t snapshots; /* while there are some, nothing is removed */
    uint64_t applied;
    int64_t revision;
    int64_t compacted;
    int64_t quota; /* on the space; 0: none */
    struct rkv_mass held;
    struct rkv_mass removed; /* by the compaction at `compacted` and before */
    struct rkv_checkpoint now;
    struct rkv_checkpoint base;         /* at `compacted` */
    struct rkv_checkpoint *checkpoints; /* those between, by main */
    size_t checkpoints_count;
    size_t checkpoints_cap;
    uint64_t since_checkpoint; /* records */
    int64_t sweep_main;        /* records before this place have been swept */
    uint32_t sweep_sub;
    uint64_t sweep_owed; /* records written since the sweep fell behind */
};

/* NULL: no memory.  Fresh: revision 1, nothing compacted. */
struct rkv_state *rkv_state_new(const struct rkv_allocator *a);
/* Gives up one ownership; the last one frees. */
void rkv_state_drop(struct rkv_state *state);
/* One more record, behind the one at spot: RKV_OK or RKV_ENOMEM, after which
 * the state is good for nothing but a drop. */
int rkv_state_append(struct rkv_state *state, const struct rkv_draft *draft,
                     struct rkv_tree_spot spot, struct rkv_record **out);
/* What the state takes up, as every member counts it: what is in records and
 * leases, and so much for each of them. */
enum { RKV_SPACE_EACH = 128 };
uint64_t rkv_state_space(const struct rkv_state *state);
bool rkv_state_is_full(const struct rkv_state *state);
uint64_t rkv_state_hash(const struct rkv_state *state);
/* The same, counted anew from the records. */
uint64_t rkv_state_rehash(const struct rkv_state *state, struct rkv_mass *held);
/* RKV_OK, RKV_ECOMPACTED or RKV_EFUTURE. */
int rkv_state_compact(struct rkv_state *state, int64_t revision);
/* Frees some of what compaction has removed, and more than has been written
 * since the last time.  Each call that may change something takes it along.
 * Pointers to compacted records end here. */
void rkv_state_sweep(struct rkv_state *state);

#endif
