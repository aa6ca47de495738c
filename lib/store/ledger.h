/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/store/ledger.h - what a store knows of its groups without looking at
 * their entries, and the rules that a write must obey.  A write is planned
 * here first, whole; then the store makes it durable, or not; then the ledger
 * settles it, or undoes it.
 *
 *     plan ──▶ the store writes ──▶ settle
 *       │              └─ failed ──▶ undo
 *       └─ refused: nothing has changed
 */
#ifndef RKV_STORE_LEDGER_H
#define RKV_STORE_LEDGER_H

#include "../base/map.h"
#include "room.h"

/* SQLite's integers are signed, and an index is never near their end. */
#define RKV_INDEX_MAX ((uint64_t)1 << 62)

/* Term and chain of the entry at some index. */
struct rkv_place {
    uint64_t term;
    uint8_t chain[32];
};

/* One group.  state.first is always snapshot_index + 1: where the log begins
 * that is loaded after a restart.  Entries from kept on are there to be read
 * by slow members; kept <= first.  state.config belongs to the ledger. */
struct rkv_picture {
    struct rkv_store_state state;
    uint64_t kept;
    uint8_t kept_chain[32]; /* of the entry before kept */
    struct rkv_place last;  /* of the entry at state.last */
};

struct rkv_group {
    uint64_t id;
    bool known;   /* a write has named it */
    bool touched; /* by the write being planned */
    struct rkv_picture now;
    struct rkv_picture next;
};

/* What the ledger asks its store while it plans. */
struct rkv_ledger_source {
    void *ctx;
    /* An entry held in group->now, kept <= index <= last. */
    int (*place)(void *ctx, struct rkv_group *group, uint64_t index,
                 struct rkv_place *out);
    /* Is there a finished snapshot that no write has named? */
    bool (*finished)(void *ctx, struct rkv_group *group, uint64_t index,
                     uint64_t len);
};

struct rkv_ledger {
    const struct rkv_allocator *allocator;
    struct rkv_ledger_source source;
    struct rkv_trouble *trouble;
    struct rkv_map map;
    size_t group_size; /* of the store's own struct, a group in front */
    struct rkv_group **groups;
    size_t groups_count;
    size_t groups_cap;
    struct rkv_group **touched;
    size_t touched_count;
    size_t touched_cap;
    /* Of the write being planned: by record, the chain its entries follow. */
    uint8_t (*links)[32];
    size_t links_cap;
    bool marked; /* a group without a history starts recovering */
    uint64_t cluster;
    uint64_t member;
    uint64_t next_cluster;
    uint64_t next_member;
};

void rkv_ledger_init(struct rkv_ledger *ledger,
                     const struct rkv_allocator *allocator, size_t group_size,
                     const struct rkv_ledger_source *source,
                     struct rkv_trouble *trouble);
/* release is called for each group first, so that the store can let go of
 * what it keeps in its own part. */
void rkv_ledger_free(struct rkv_ledger *ledger,
                     void (*release)(void *ctx, struct rkv_group *group),
                     void *ctx);

struct rkv_group *rkv_ledger_find(const struct rkv_ledger *ledger, uint64_t id);
/* Finds it or makes it, not yet known to anybody; NULL: no memory. */
struct rkv_group *rkv_ledger_make(struct rkv_ledger *ledger, uint64_t id);
/* Gives the group now a copy of this configuration. */
int rkv_ledger_keep_config(struct rkv_ledger *ledger,
                           struct rkv_picture *picture, const void *config,
                           size_t len);

/* Checks the writes against all groups and fills in next of those touched.
 * Negative: refused, nothing has changed, trouble says why. */
int rkv_ledger_plan(struct rkv_ledger *ledger,
                    const struct rkv_store_write *writes, uint32_t count);
void rkv_ledger_settle(struct rkv_ledger *ledger);
void rkv_ledger_undo(struct rkv_ledger *ledger);

/* The state as a store reports it; a group nobody knows is empty. */
void rkv_ledger_state(const struct rkv_ledger *ledger, uint64_t id,
                      struct rkv_store_state *out);
/* May this read begin here?  RKV_OK, RKV_ECOMPACTED or RKV_EFUTURE. */
int rkv_ledger_readable(struct rkv_ledger *ledger,
                        const struct rkv_group *group, uint64_t id,
                        uint64_t first);

#endif
