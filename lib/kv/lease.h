/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/kv/lease.h - leases: what ends with time, and the keys that end with it.
 *
 * Time is what the log says it is: a clock that only commands move.  A lease
 * that was granted or renewed runs from the next time the clock moves, so it
 * ends late by as much as the clock was behind, and never early.  Which keys a
 * lease has follows from the records, so a snapshot names the leases alone.
 */
#ifndef RKV_KV_LEASE_H
#define RKV_KV_LEASE_H

#include "../base/bytes.h"
#include "../base/map.h"
#include "record.h"
#include "tree.h"

/* What no option can exceed: part of the format.  etcd's 9e9 seconds. */
#define RKV_LEASE_TTL_MAX INT64_C(9000000000000)
#define RKV_LEASE_CLOCK_MAX (INT64_MAX / 4)
/* A lease of a put, which goes when it has lost its last key. */
enum { RKV_LEASE_OWNED = 1u << 0 };
/* So many keys may end by one movement of the clock, and those of the lease
 * that passes this: the others wait for the next one. */
enum { RKV_LEASE_BATCH = 2048 };

/* The newest records of the keys, in order: a few in a row, more in a tree. */
enum { RKV_LEASE_FEW = 32 };
struct rkv_lease_keys {
    struct rkv_record **few;
    size_t few_cap;
    struct rkv_tree many; /* its root is NULL: they are few */
    uint64_t count;
};

struct rkv_lease {
    int64_t id; /* not 0 */
    int64_t ttl;
    int64_t deadline; /* 0: runs from the next movement on, and is fresh */
    uint32_t flags;
    size_t at; /* in the heap */
    struct rkv_lease_keys keys;
    struct rkv_lease *prev; /* all of them, as they were granted */
    struct rkv_lease *next;
    struct rkv_lease *fresh_prev;
    struct rkv_lease *fresh_next;
    struct rkv_lease *empty_next;
    bool is_empty; /* on the list of those that may have to go */
};

struct rkv_leases {
    const struct rkv_allocator *allocator;
    struct rkv_map ids;
    struct rkv_lease *first;
    struct rkv_lease *last;
    struct rkv_lease *fresh;
    struct rkv_lease *empty;
    struct rkv_lease **heap; /* those that run, the next to end on top; there
                                is room for all */
    size_t heap_count;
    size_t heap_cap;
    uint64_t count;
    uint64_t fresh_count;
    uint64_t hash; /* of all of them */
    int64_t clock;
    uint64_t term;    /* of who moved it last */
    uint64_t leased;  /* live keys whose newest record names a lease ... */
    uint64_t held;    /* ... and those that hang on one */
    bool is_restored; /* being built: owned leases do not go yet */
};

void rkv_leases_init(struct rkv_leases *leases, const struct rkv_allocator *a);
void rkv_leases_free(struct rkv_leases *leases);
struct rkv_lease *rkv_leases_find(const struct rkv_leases *leases, int64_t id);
/* An id that is free and follows from where the command is in the log. */
int64_t rkv_leases_choose(const struct rkv_leases *leases, uint64_t index,
                          uint32_t sub);
/* deadline 0: fresh.  The id is not taken.  RKV_OK or RKV_ENOMEM. */
int rkv_leases_grant(struct rkv_leases *leases, const struct rkv_lease *draft);
void rkv_leases_renew(struct rkv_leases *leases, struct rkv_lease *lease);
/* The lease is gone; its keys are handed over, to be freed. */
struct rkv_lease_keys rkv_leases_remove(struct rkv_leases *leases,
                                        struct rkv_lease *lease);
/* The clock moves, not backwards, and what is fresh begins to run. */
void rkv_leases_move(struct rkv_leases *leases, int64_t clock);
/* The next lease that has ended, or NULL. */
struct rkv_lease *rkv_leases_due(const struct rkv_leases *leases);
/* record takes the place of newest, which may be NULL, as its key's newest:
 * the key changes hands.  RKV_OK or RKV_ENOMEM. */
int rkv_leases_change(struct rkv_leases *leases, struct rkv_record *newest,
                      struct rkv_record *record);
/* The transaction is over: owned leases that it left without a key go.  Not
 * before, since a later put in it may name one. */
void rkv_leases_tidy(struct rkv_leases *leases);
uint64_t rkv_leases_rehash(const struct rkv_leases *leases);
/* Every invariant, by brute force: a test's question. */
bool rkv_leases_check(const struct rkv_leases *leases,
                      const struct rkv_tree *tree);
/* All of them as pieces of a snapshot, and one piece read: RKV_OK,
 * RKV_ENOMEM, RKV_EMALFORMED. */
void rkv_leases_write(const struct rkv_leases *leases, struct rkv_buffer *out);
int rkv_leases_read(struct rkv_leases *leases, const void *data, size_t len);
/* What was read fits the records. */
bool rkv_leases_fit(const struct rkv_leases *leases);

/* The first key, and the one behind it; NULL at the end. */
struct rkv_lease_place {
    size_t at;
    struct rkv_tree_place tree;
};
struct rkv_lease_place rkv_lease_first(const struct rkv_lease_keys *keys);
struct rkv_record *rkv_lease_next(const struct rkv_lease_keys *keys,
                                  struct rkv_lease_place *place);
void rkv_lease_keys_free(const struct rkv_allocator *a,
                         struct rkv_lease_keys *keys);

#endif
