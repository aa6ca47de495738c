/* SPDX-License-Identifier: BSD-2-Clause
 *
 * raftkv/store.h - where logs and snapshots live.
 *
 * A store serves one member and any number of groups.  The library brings
 * two, memory and SQLite; to bring your own, fill a table of methods.  One
 * method writes, and it is atomic and durable, because that is the one thing
 * Raft asks of a disk.  A failed write or sync is final: the store answers
 * RKV_EFAILED until it is opened again, since nobody knows what a disk holds
 * after a failed sync.
 */
#ifndef RAFTKV_STORE_H
#define RAFTKV_STORE_H

#include "base.h"
#include "raft.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rkv_store rkv_store;

/* Who this store belongs to, and how its life began this time. */
struct rkv_store_identity {
    uint32_t size;
    uint32_t recovering; /* commits were lost since the last life */
    uint64_t cluster;    /* 0: never written to */
    uint64_t member;
    uint64_t boot;           /* rises durably with every rkv_store_start() */
    uint64_t promised;       /* highest term promised in any group */
    uint8_t incarnation[16]; /* drawn when the store was made, and with it for
                                ever; zeros: it was given none */
};

/* One group's hard state, log and current snapshot. */
struct rkv_store_state {
    uint32_t size;
    uint32_t recovering; /* this group lost commits and is not yet whole */
    uint64_t term;
    uint64_t vote;
    uint64_t commit;
    uint64_t first; /* the log: snapshot_index + 1 ...; last < first: none */
    uint64_t last;
    uint64_t snapshot_index; /* 0: no snapshot, and with it no group */
    uint64_t snapshot_term;
    uint64_t snapshot_len;
    uint8_t snapshot_chain[32]; /* of the entry at snapshot_index */
    uint8_t snapshot_hash[32];  /* BLAKE2b-256 of the snapshot's bytes */
    const void *config;         /* as of the snapshot, opaque to the store */
    size_t config_len;
};

/* What to write for one group.  Parts take effect in the order of the bits;
 * all of them, of all records in the array, or none. */
enum {
    RKV_WRITE_IDENTITY = 1u << 0, /* cluster, member: once, or the same */
    RKV_WRITE_SNAPSHOT = 1u << 1, /* snapshot_*, config name the finished
                                     snapshot: entries up to its index go
                                     (with COMPACT in the same record, those
                                     above compact can still be read), and
                                     all others too unless the entry at its
                                     index is held with its term */
    RKV_WRITE_STATE = 1u << 2,    /* term, vote, commit */
    RKV_WRITE_ENTRIES = 1u << 3,  /* replace all from entries[0].index on */
    RKV_WRITE_COMPACT = 1u << 4,  /* entries up to compact may go; never
                                     beyond snapshot_index */
    RKV_WRITE_RECOVERED = 1u << 5 /* the group is whole again */
};
struct rkv_store_write {
    uint32_t size;
    uint32_t flags;
    uint64_t group;
    uint64_t cluster;
    uint64_t member;
    uint64_t term;
    uint64_t vote;
    uint64_t commit;
    uint64_t compact;
    const struct rkv_entry *entries;
    uint64_t count;
    uint64_t snapshot_index;
    uint64_t snapshot_term;
    uint64_t snapshot_len;
    uint8_t snapshot_chain[32];
    uint8_t snapshot_hash[32];
    const void *config;
    size_t config_len;
    const uint8_t *follows; /* 32 bytes: the chain of the entry before
                               entries[0], from which the chains of entries
                               were computed (rkv_tail_chain() tells it); the
                               store compares it with its own.  NULL: the
                               store computes the links at both ends */
};

/* Your own store.  Methods return RKV_OK or a negative code.  Two methods of
 * one store are never called at the same time, though perhaps from different
 * threads.  Results borrow the store's memory until its next method call. */
struct rkv_store_methods {
    uint32_t size;
    uint32_t flags;
    void (*close)(void *ctx);
    int (*start)(void *ctx, struct rkv_store_identity *out);
    int (*state)(void *ctx, uint64_t group, struct rkv_store_state *out);
    int (*write)(void *ctx, const struct rkv_store_write *writes,
                 uint32_t count);
    /* Entries from first on: at least one, at most count and about bytes_max
     * of payload. */
    int (*read)(void *ctx, uint64_t group, uint64_t first, uint32_t count,
                uint64_t bytes_max, const struct rkv_entry **out,
                uint32_t *out_count);
    /* A snapshot is written beside the current one in order, finished
     * (synced, under its own name) and only then named by a write.  begin
     * discards what was unfinished of this group; read serves the current
     * one and the one before it, *len 0 at the end. */
    int (*snap_begin)(void *ctx, uint64_t group, uint64_t index);
    int (*snap_write)(void *ctx, uint64_t group, uint64_t offset,
                      const void *data, size_t len);
    int (*snap_finish)(void *ctx, uint64_t group, uint64_t len);
    int (*snap_read)(void *ctx, uint64_t group, uint64_t index, uint64_t offset,
                     void *buf, size_t cap, size_t *len);
    const char *(*errmsg)(void *ctx); /* may be NULL */
};

RKV_API int rkv_store_custom(const struct rkv_store_methods *methods, void *ctx,
                             const struct rkv_allocator *allocator,
                             rkv_store **out);

/* Durable as long as the handle lives; every start is a new boot. */
RKV_API int rkv_store_memory(const struct rkv_allocator *allocator,
                             rkv_store **out);

struct rkv_sqlite_options {
    uint32_t size;
    uint32_t flags;
    const char *path; /* a directory; made, with mode 0700, if absent and vfs
                         is NULL */
    const char *vfs;  /* SQLite VFS to use; NULL: the default one */
    uint32_t checkpoint_pages; /* 4000: WAL pages before a checkpoint */
    uint32_t segment_entries;  /* 16384 */
    uint64_t segment_bytes;    /* 64 MiB */
    const struct rkv_allocator *allocator;
};
/* Opens path/log.db and path/promise, and locks the latter.  RKV_ELOCKED,
 * RKV_ECORRUPT, RKV_EROLLBACK (the promise file is missing or of another
 * time; a missing database has lost commits): rkv_store_errmsg() of *out
 * names what to do, so on failure *out may still be a handle that only
 * answers errmsg and close, or NULL when there was no memory for it. */
RKV_API int rkv_store_sqlite(const struct rkv_sqlite_options *options,
                             rkv_store **out);

RKV_API void rkv_store_close(rkv_store *store);

/* The methods, called by their names; what the node and bare-core hosts use.
 * They check arguments and remember failure. */
RKV_API int rkv_store_start(rkv_store *store, struct rkv_store_identity *out);
RKV_API int rkv_store_state(rkv_store *store, uint64_t group,
                            struct rkv_store_state *out);
RKV_API int rkv_store_write(rkv_store *store,
                            const struct rkv_store_write *writes,
                            uint32_t count);
RKV_API int rkv_store_read(rkv_store *store, uint64_t group, uint64_t first,
                           uint32_t count, uint64_t bytes_max,
                           const struct rkv_entry **out, uint32_t *out_count);
RKV_API int rkv_store_snap_begin(rkv_store *store, uint64_t group,
                                 uint64_t index);
RKV_API int rkv_store_snap_write(rkv_store *store, uint64_t group,
                                 uint64_t offset, const void *data, size_t len);
RKV_API int rkv_store_snap_finish(rkv_store *store, uint64_t group,
                                  uint64_t len);
RKV_API int rkv_store_snap_read(rkv_store *store, uint64_t group,
                                uint64_t index, uint64_t offset, void *buf,
                                size_t cap, size_t *len);
/* What went wrong last, in a sentence or two; "" when nothing did. */
RKV_API const char *rkv_store_errmsg(const rkv_store *store);

/* A conformance run over an empty store: what the library's own two must
 * pass, yours can be put through too.  reopen closes the store and opens it
 * anew on the same data (NULL: rules about reopening are left out and said
 * so).  report gets one line per rule, ending with a count; cut to cap.
 * Returns RKV_OK, or the first failed rule's code. */
typedef int (*rkv_store_reopen)(void *ctx, rkv_store **store);
RKV_API int rkv_store_check(rkv_store **store, rkv_store_reopen reopen,
                            void *ctx, uint64_t seed, char *report, size_t cap);

/* A tail: the payloads of one group's log, the recent ones in memory and
 * older ones in the store.  It turns what the core lists into entries with
 * bytes, and keeps the chain.  The node uses one; so can a bare-core host. */
typedef struct rkv_tail rkv_tail;

struct rkv_tail_options {
    uint32_t size;
    uint32_t reserved;
    uint64_t group;
    uint64_t cache_bytes_max; /* 8 MiB kept of what is durable and applied */
    const struct rkv_allocator *allocator;
};
/* first and chain: the last entry not in the log (the snapshot's). */
RKV_API int rkv_tail_new(const struct rkv_tail_options *options, uint64_t index,
                         const uint8_t chain[32], rkv_tail **out);
RKV_API void rkv_tail_free(rkv_tail *tail);
/* Copies payloads in and computes their chains.  An entry already held with
 * its term is skipped, one with another term cuts all from there on.
 * Indexes must not leave a gap: RKV_EINVAL. */
RKV_API int rkv_tail_add(rkv_tail *tail, const struct rkv_entry *entries,
                         uint32_t count);
/* The entries the core listed, from memory: exactly count of them, which
 * last until the next add, restore, release or free.  RKV_ESTALE: another
 * term is held there now.  RKV_ECOMPACTED: only the store has them. */
RKV_API int rkv_tail_get(rkv_tail *tail, const struct rkv_raft_entry *listed,
                         uint32_t count, const struct rkv_entry **out);
/* The chain at an index held in memory, or just before it. */
RKV_API int rkv_tail_chain(const rkv_tail *tail, uint64_t index,
                           uint8_t out[32]);
/* Entries up to index are durable and applied: they may leave memory as the
 * cache fills. */
RKV_API void rkv_tail_release(rkv_tail *tail, uint64_t index);
/* While pinned, payloads handed out by get stay where they are, whatever is
 * added, cut, released or restored: what a write on another thread needs. */
RKV_API void rkv_tail_pin(rkv_tail *tail);
RKV_API void rkv_tail_unpin(rkv_tail *tail);
/* A snapshot took the place of the log up to index: entries up to it go,
 * and all others too unless the entry at index is held with this chain. */
RKV_API int rkv_tail_restore(rkv_tail *tail, uint64_t index,
                             const uint8_t chain[32]);

#ifdef __cplusplus
}
#endif
#endif
