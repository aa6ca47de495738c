/* SPDX-License-Identifier: BSD-2-Clause
 *
 * raftkv/kv.h - the key-value state machine, after etcd v3's data model: one
 * revision per transaction, every key with its create and mod revision and
 * its version, ranges, compare-then-else transactions, watches, compaction.
 *
 * Like the core it is pure: rkv_kv_apply() depends on nothing but the
 * commands before it, and takes any bytes: what cannot be done is a status
 * in the result, the same on every member.  Usable on its own, under any log.
 */
#ifndef RAFTKV_KV_H
#define RAFTKV_KV_H

#include "txn.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rkv_kv rkv_kv;
typedef struct rkv_snapshot rkv_snapshot; /* a view being read */

struct rkv_kv_options {
    uint32_t size;
    /* What rkv_kv_check() lets a proposer propose.  What the log holds is
     * applied whatever they are, so members may differ in them. */
    uint32_t txn_ops_max;       /* 128; as etcd counts: the longest list of a
                                   transaction, those inside share the rest */
    uint32_t txn_depth_max;     /* 8 transactions inside each other; up to 32 */
    uint32_t watches_max;       /* 10000 */
    uint64_t key_bytes_max;     /* 64 KiB */
    uint64_t command_bytes_max; /* 1.5 MiB; up to 1 GiB */
    uint64_t watch_bytes_max;   /* 64 MiB of changes waiting to be pulled; a
                                   watch beyond that reads from history */
    const struct rkv_allocator *allocator;
};

/* Frozen: results hold arrays of these. */
struct rkv_item {
    const void *key;
    size_t key_len;
    const void *value;
    size_t value_len;
    int64_t create_revision;
    int64_t mod_revision;
    int64_t version; /* 0: this is a deletion */
    int64_t lease;
};

/* Results.  responses answer the operations of the branch that ran, in
 * order; a response is frozen, what is to come takes reserved words. */
enum {
    RKV_RESPONSE_RANGE = 1,
    RKV_RESPONSE_PUT = 2,    /* items: what was replaced, if asked */
    RKV_RESPONSE_DELETE = 3, /* items: what was deleted, if asked */
    RKV_RESPONSE_TXN = 4,    /* txn */
    RKV_RESPONSE_LEASE = 5,  /* lease; ttl: 0 when it is not there; count: of
                                its keys that were deleted */
    RKV_RESPONSE_CLOCK = 6,  /* count: leases that ended; more: others wait for
                                the next one */
    RKV_RESPONSE_SESSION = 7 /* session */
};
struct rkv_response {
    uint32_t kind;
    uint32_t more;  /* range: the limit cut it */
    uint64_t count; /* range: keys in it, whatever was filtered, passed over or
                       cut; delete: deleted */
    const struct rkv_item *items;
    uint64_t items_count;
    int64_t revision; /* the store's when this operation had run */
    const struct rkv_result *txn;
    int64_t lease; /* also of a put with a time to live: the one it made */
    int64_t ttl;
    uint64_t session;
    uint64_t reserved; /* 0 */
};
struct rkv_result {
    int32_t status;     /* RKV_OK, or why nothing was done */
    uint32_t succeeded; /* the comparisons held */
    int64_t revision;   /* of the store, after the command */
    int64_t compacted;  /* status RKV_ECOMPACTED: up to here */
    const struct rkv_response *responses;
    uint64_t responses_count;
    uint32_t replayed; /* a retry: this is what became of the first */
    uint32_t reserved;
};

/* The state machine.  Results last until the next call that takes a
 * non-const rkv_kv, snapshot chunks apart. */
RKV_API int rkv_kv_new(const struct rkv_kv_options *options, rkv_kv **out);
RKV_API void rkv_kv_free(rkv_kv *kv);
/* What a proposer asks before it proposes.  Would apply refuse these bytes
 * whatever the state?  The status it would give.  Do they go beyond the
 * limits in the options?  RKV_ETOOMANY or RKV_ETOOBIG. */
RKV_API int rkv_kv_check(const rkv_kv *kv, const void *command, size_t len);
/* index must be above the last one applied.  RKV_ENOMEM is final: the state
 * is half changed and the handle answers RKV_EFAILED from then on. */
RKV_API int rkv_kv_apply(rkv_kv *kv, uint64_t index, const void *command,
                         size_t len, const struct rkv_result **result);
/* The index is applied without a command (no-op, configuration). */
RKV_API int rkv_kv_skip(rkv_kv *kv, uint64_t index);
/* As apply: RKV_OK and a result, whose status says whether the range could be
 * read (RKV_EKEY, RKV_ECOMPACTED, RKV_EFUTURE); its one response is the
 * answer.  RKV_ENOMEM does no harm here. */
RKV_API int rkv_kv_range(rkv_kv *kv, const struct rkv_range *range,
                         const struct rkv_result **result);

struct rkv_kv_status {
    uint32_t size;
    uint32_t watches;
    uint64_t applied;   /* last index */
    int64_t revision;   /* 1 when fresh */
    int64_t compacted;  /* -1: never */
    uint64_t keys;      /* live ones */
    uint64_t revisions; /* records held, deletions included */
    uint64_t bytes;     /* of keys and values in all of them */
    uint64_t hash;      /* of all records, the revision and `compacted`: equal
                           on every member that has applied the same commands,
                           however it got there */
    uint64_t leases;
    uint64_t leases_fresh; /* granted or renewed since the clock moved last */
    int64_t clock;         /* milliseconds, as the log has it */
    uint64_t clock_term;
    int64_t next_end; /* of a lease, on that clock; 0: none runs */
    uint64_t space;   /* what the quota counts: bytes, and 128 for each record
                         and lease */
    uint64_t quota;   /* 0: none */
    uint64_t sessions;
    uint32_t full; /* puts are refused until space is below quota */
    uint32_t reserved;
};
RKV_API void rkv_kv_status(const rkv_kv *kv, struct rkv_kv_status *out);
/* etcd's HashKV: CRC-32C over the records up to revision (0: now). */
RKV_API int rkv_kv_hash(rkv_kv *kv, int64_t revision, uint32_t *hash,
                        int64_t *compacted);

/* Leases, as the log has them. */
struct rkv_lease_status {
    uint32_t size;
    uint32_t flags; /* 0 */
    int64_t id;
    int64_t ttl;  /* as granted */
    int64_t left; /* of it */
    uint64_t keys;
};
/* RKV_ELEASE: there is none. */
RKV_API int rkv_kv_lease(const rkv_kv *kv, int64_t id,
                         struct rkv_lease_status *out);
/* The one granted after id, 0 for the first: 1, or 0 behind the last. */
RKV_API int rkv_kv_next_lease(const rkv_kv *kv, int64_t id,
                              struct rkv_lease_status *out);
/* As range: the one response has the keys, in order. */
RKV_API int rkv_kv_lease_keys(rkv_kv *kv, int64_t id,
                              const struct rkv_result **result);

/* Watches, pulled: 1 and a change, 0 when caught up.  Changes of one watch
 * come in revision order, each once; `last` marks the last of a revision.  A
 * watch whose start was compacted gets one CANCELED change and is gone. */
/* One more range of a watch.  Frozen. */
struct rkv_watch_range {
    const void *key;
    size_t key_len;
    const void *end;
    size_t end_len;
};
enum { RKV_WATCH_RANGES_MAX = 64 };
struct rkv_watch {
    uint32_t size;
    uint32_t flags;
    const void *key;
    size_t key_len;
    const void *end; /* as in a range */
    size_t end_len;
    int64_t start; /* first revision wanted; 0: the next one */
    uint64_t id;   /* 0: the library chooses */
    const struct rkv_watch_range *more; /* a key in several comes once */
    size_t more_count;
};
enum {
    RKV_WATCH_PREV = 1u << 0, /* with the item as it was before */
    RKV_WATCH_NO_PUT = 1u << 1,
    RKV_WATCH_NO_DELETE = 1u << 2,
    RKV_WATCH_KEYS_ONLY = 1u << 3 /* without values */
};
enum { RKV_CHANGE_PUT = 1, RKV_CHANGE_DELETE = 2, RKV_CHANGE_CANCELED = 3 };
struct rkv_change_event {
    uint64_t watch;
    uint32_t kind;
    uint32_t last;
    int64_t revision;
    int64_t compacted; /* canceled: history up to here is gone */
    struct rkv_item now;
    struct rkv_item before; /* version 0: was not there, or not asked */
};
RKV_API int rkv_kv_watch(rkv_kv *kv, const struct rkv_watch *watch,
                         uint64_t *id);
RKV_API int rkv_kv_unwatch(rkv_kv *kv, uint64_t id);
/* The revision up to which a watch, or with 0 all of them, have been told
 * everything; RKV_EBUSY: there is something to tell first. */
RKV_API int rkv_kv_progress(const rkv_kv *kv, uint64_t id, int64_t *revision);
RKV_API int rkv_kv_next_change(rkv_kv *kv, const struct rkv_change_event **out);

/* Snapshots: a view of the state as it is now, read in chunks of any size
 * while commands go on being applied.  read gives *len 0 at the end.  Making
 * one copies the leases and nothing else; while it is open, compacted records
 * stay in memory.  A view must be closed before its kv is freed. */
RKV_API int rkv_kv_snapshot(rkv_kv *kv, rkv_snapshot **out);
RKV_API uint64_t rkv_snapshot_applied(const rkv_snapshot *snapshot);
RKV_API int rkv_snapshot_read(rkv_snapshot *snapshot, void *buf, size_t cap,
                              size_t *len);
RKV_API void rkv_snapshot_close(rkv_snapshot *snapshot);
/* The new state is built aside, in order, and takes the place of the old one
 * at end, which checks it; until then, and after an error, nothing changed.
 * Watches go on from where they were. */
RKV_API int rkv_kv_restore_begin(rkv_kv *kv);
RKV_API int rkv_kv_restore_write(rkv_kv *kv, const void *data, size_t len);
RKV_API int rkv_kv_restore_end(rkv_kv *kv);
RKV_API void rkv_kv_restore_abort(rkv_kv *kv);

#ifdef __cplusplus
}
#endif
#endif
