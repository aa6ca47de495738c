/* SPDX-License-Identifier: BSD-2-Clause
 *
 * raftkv/txn.h - writing commands for the key-value state: transactions of
 * comparisons, puts, ranges and deletions; compaction; leases.  What they do
 * is said where they are applied, in kv.h.
 */
#ifndef RAFTKV_TXN_H
#define RAFTKV_TXN_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rkv_txn rkv_txn; /* a command being written */

/* Keys: key alone is one key; key and end are [key, end); the single byte 0
 * as end means "from key on"; both the single byte 0 means all. */
struct rkv_range {
    uint32_t size;
    uint32_t flags;
    const void *key;
    size_t key_len;
    const void *end;
    size_t end_len;
    int64_t revision; /* 0 or less: now */
    int64_t limit;    /* 0 or less: all */
    int64_t offset;   /* so many are passed over first; 0 or less: none */
    uint32_t sort;    /* RKV_SORT_*; what is equal goes by key, ascending */
    uint32_t order;   /* RKV_ORDER_* */
    int64_t min_mod;  /* only keys with such revisions; 0: any */
    int64_t max_mod;
    int64_t min_create;
    int64_t max_create;
};
enum {
    RKV_SORT_KEY = 0,
    RKV_SORT_VERSION = 1,
    RKV_SORT_CREATE = 2,
    RKV_SORT_MOD = 3,
    RKV_SORT_VALUE = 4
};
enum { RKV_ORDER_NONE = 0, RKV_ORDER_ASCEND = 1, RKV_ORDER_DESCEND = 2 };
enum {
    RKV_RANGE_KEYS_ONLY = 1u << 0,
    RKV_RANGE_COUNT_ONLY = 1u << 1,
    RKV_RANGE_PREV = 1u << 2 /* delete: return what was deleted */
};

struct rkv_put {
    uint32_t size;
    uint32_t flags;
    const void *key;
    size_t key_len;
    const void *value;
    size_t value_len;
    int64_t lease; /* goes with this lease; 0: with none */
    int64_t ttl;   /* milliseconds: goes with a lease of its own */
};
enum {
    RKV_PUT_PREV = 1u << 0,         /* return what was replaced */
    RKV_PUT_IGNORE_VALUE = 1u << 1, /* keep the value */
    RKV_PUT_IGNORE_LEASE = 1u << 2  /* keep the lease */
};

/* A comparison holds for every key of its range; an empty range counts as
 * one absent key, whose numbers are 0.  A value compare fails on an absent
 * key.  As in etcd, a target that is none of these compares as equal, and a
 * relation that is none of those below holds. */
enum {
    RKV_COMPARE_VERSION = 0,
    RKV_COMPARE_CREATE = 1,
    RKV_COMPARE_MOD = 2,
    RKV_COMPARE_VALUE = 3,
    RKV_COMPARE_LEASE = 4
};
enum { RKV_EQUAL = 0, RKV_GREATER = 1, RKV_LESS = 2, RKV_NOT_EQUAL = 3 };
struct rkv_compare {
    uint32_t size;
    uint32_t target;
    uint32_t relation;
    uint32_t reserved;
    const void *key;
    size_t key_len;
    const void *end; /* as in a range */
    size_t end_len;
    int64_t number;
    const void *value; /* RKV_COMPARE_VALUE */
    size_t value_len;
};

/* Writing a command.  Every command is a transaction: when all comparisons
 * hold, the operations before rkv_txn_else() run, else those after it.  All
 * comparisons come before the first operation.  A range with a revision below
 * 0 reads at that number, which is compacted unless nothing ever was.  An
 * error is remembered and returned by every later call up to the next reset,
 * so a chain of calls needs one check at its end. */
RKV_API int rkv_txn_new(const struct rkv_allocator *allocator, rkv_txn **out);
RKV_API void rkv_txn_free(rkv_txn *txn);
RKV_API void rkv_txn_reset(rkv_txn *txn);
RKV_API int rkv_txn_compare(rkv_txn *txn, const struct rkv_compare *compare);
RKV_API int rkv_txn_put(rkv_txn *txn, const struct rkv_put *put);
RKV_API int rkv_txn_range(rkv_txn *txn, const struct rkv_range *range);
RKV_API int rkv_txn_delete(rkv_txn *txn, const struct rkv_range *range);
RKV_API int rkv_txn_else(rkv_txn *txn);
RKV_API int rkv_txn_begin(rkv_txn *txn); /* a transaction as an operation */
RKV_API int rkv_txn_end(rkv_txn *txn);
/* A command of its own: drops history up to revision; nothing else may be in
 * the transaction. */
RKV_API int rkv_txn_compact(rkv_txn *txn, int64_t revision);
/* Exactly once: first in a command, a session and a sequence that rises with
 * each of its commands.  One with the sequence of the last is answered as that
 * was, without items, and not done again; one below it comes to RKV_ESTALE. */
RKV_API int rkv_txn_session(rkv_txn *txn, uint64_t session, uint64_t sequence);
/* A command of its own; its response has the session. */
RKV_API int rkv_txn_open_session(rkv_txn *txn);
/* A command of its own: from so many bytes on the state takes no puts and
 * grants, RKV_EQUOTA, until it has become smaller; 0: without end. */
RKV_API int rkv_txn_quota(rkv_txn *txn, int64_t bytes);
/* Commands of their own about leases, which end with the keys that name them.
 * Times are milliseconds.  id 0: the state chooses.  More of them may be kept
 * alive by one command. */
RKV_API int rkv_txn_grant(rkv_txn *txn, int64_t id, int64_t ttl);
RKV_API int rkv_txn_revoke(rkv_txn *txn, int64_t id);
RKV_API int rkv_txn_keep_alive(rkv_txn *txn, int64_t id);
/* The leader of this term says how far time has come: fresh leases begin to
 * run, and those that are over end.  A node does this by itself. */
RKV_API int rkv_txn_clock(rkv_txn *txn, uint64_t term, int64_t clock);
/* The bytes to propose; valid until the next call on txn. */
RKV_API int rkv_txn_encode(rkv_txn *txn, const void **data, size_t *len);

#ifdef __cplusplus
}
#endif
#endif
