/* SPDX-License-Identifier: BSD-2-Clause
 *
 * raftkv/node.h - a member of a replicated key-value store, without a
 * network.
 *
 * You own sockets, threads and the clock.  Bytes from peers go in through
 * rkv_node_receive(), bytes for peers come out of rkv_node_next_frame(), and
 * answers come out of rkv_node_next_event().  rkv_node_flush() is the only
 * call that touches the disk: everything asked for since the last one becomes
 * one durable write.  The loop of every host:
 *
 *     receive what arrived, tick;  send frames;  flush;  send frames;
 *     take events until there are none;  sleep until the deadline
 *
 * Events must be taken: committed entries are applied as they are pulled, so
 * a host that is slow to take answers slows its own member and nothing else.
 */
#ifndef RAFTKV_NODE_H
#define RAFTKV_NODE_H

#include "kv.h"
#include "raft.h"
#include "store.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rkv_node rkv_node;
typedef struct rkv_job rkv_job;

struct rkv_node_options {
    uint32_t size;
    uint32_t flags;                      /* RKV_NODE_... */
    uint64_t cluster;                    /* not 0; the same on all members */
    uint64_t id;                         /* this member; not 0 */
    uint64_t group;                      /* many groups: which one */
    uint64_t seed;                       /* of the election jitter */
    const struct rkv_raft_options *raft; /* NULL: defaults; id, seed unused */
    const struct rkv_kv_options *kv;     /* NULL: defaults */
    uint32_t request_ticks;              /* 5 election timeouts, then UNKNOWN */
    uint32_t requests_max;               /* 65536 waiting for an answer */
    uint64_t request_bytes_max;          /* 1.5 MiB: one command */
    uint64_t frame_bytes_max;            /* 2 MiB */
    uint64_t outbox_bytes_max;           /* 16 MiB per peer; then frames drop */
    uint64_t cache_bytes_max;            /* 8 MiB of log kept in memory */
    uint64_t snapshot_entries;     /* 10000: snapshot at most this often ... */
    uint64_t snapshot_bytes;       /* ... or 16 MiB, and only when the log
                                      outweighs the state */
    uint64_t snapshot_keep;        /* 5000 entries kept for slow members */
    uint64_t snapshot_chunk_bytes; /* 256 KiB */
    const struct rkv_allocator *allocator;
    uint32_t tick_ms;  /* 1: milliseconds of a lease per tick; the same on all
                          members */
    uint32_t reserved; /* 0 */
    uint64_t history_revisions; /* 100000 at least are kept, and ... */
    uint64_t history_ms;     /* ... one hour; less only when a quota is near */
    uint64_t recorder_bytes; /* 0: nothing is recorded; else 128 KiB at least */
};
enum { RKV_NODE_KEEP_HISTORY = 1u << 0 }; /* never compact unasked */

/* Opens a member alone in its store (many groups: hub.h).  The store is
 * borrowed and must be closed after the node.  Applies what was known to be
 * committed.  On failure *out may be a handle that only answers errmsg and
 * close, or NULL. */
RKV_API int rkv_node_open(const struct rkv_node_options *options,
                          rkv_store *store, rkv_node **out);
RKV_API void rkv_node_close(rkv_node *node);

/* First start of a cluster: the same members, in any order, on each of them;
 * all of role RKV_VOTER.  Durable when it returns.  Again with the same
 * members: RKV_OK; with others: RKV_EEXIST.  A member that joins a running
 * cluster is not bootstrapped: it waits for a snapshot. */
RKV_API int rkv_node_bootstrap(rkv_node *node, const struct rkv_member *members,
                               uint32_t count);

/* Bytes and time in; none of these block.  receive takes one whole frame and
 * judges only the frame: a negative code means it was dropped, and why. */
RKV_API int rkv_node_receive(rkv_node *node, uint64_t now, const void *frame,
                             size_t len);
RKV_API int rkv_node_tick(rkv_node *node, uint64_t now);
/* The tick by which rkv_node_tick() wants to be called; at most `now` of the
 * last call when there is work for a flush or an event to take. */
RKV_API uint64_t rkv_node_deadline(const rkv_node *node);
/* The link to peer broke: what was under way is lost. */
RKV_API int rkv_node_unreachable(rkv_node *node, uint64_t peer);
/* The member is dead, for all the host knows: who follows it waits no longer.
 * Hosts that let groups sleep (quiet_ticks of raft) must say so. */
RKV_API int rkv_node_dead(rkv_node *node, uint64_t peer);

/* Requests, on any member.  token is yours and comes back in exactly one
 * RKV_EVENT_DONE; a negative result means there will be none. */
RKV_API int rkv_node_propose(rkv_node *node, uint64_t token,
                             const void *command, size_t len);
/* Once DONE, ranges over rkv_node_kv() are linearizable. */
RKV_API int rkv_node_read(rkv_node *node, uint64_t token);
struct rkv_change {
    uint32_t size;
    uint32_t op; /* RKV_CHANGE_* of raft.h */
    uint64_t id;
    const void *address; /* add, update */
    size_t address_len;
};
RKV_API int rkv_node_change(rkv_node *node, uint64_t token,
                            const struct rkv_change *change);
/* Any number of changes at once, by way of a joint configuration; none ends
 * one.  transition: RKV_CHANGE_AUTO, IMPLICIT or EXPLICIT of raft.h. */
RKV_API int rkv_node_reconfigure(rkv_node *node, uint64_t token,
                                 const struct rkv_change *changes,
                                 uint32_t count, uint32_t transition);
/* peer 0: the member that is furthest along.  DONE when it leads. */
RKV_API int rkv_node_transfer(rkv_node *node, uint64_t token, uint64_t peer);
/* Take a snapshot now, whatever the log's length; no answer. */
RKV_API int rkv_node_snapshot(rkv_node *node);

/* The disk.  flush() does it here and now.  begin/run/end let another thread
 * run() while this one goes on: begin gives 1 and a job, or 0 when there is
 * nothing to do or a job is out; only run may overlap other calls.  It uses
 * the store, and of the node's allocator asks nothing. */
RKV_API int rkv_node_flush(rkv_node *node, uint64_t now);
RKV_API int rkv_node_flush_begin(rkv_node *node, uint64_t now, rkv_job **job);
RKV_API int rkv_job_run(rkv_job *job);
RKV_API int rkv_node_flush_end(rkv_node *node, uint64_t now, rkv_job *job);

/* Bytes out: 1 and a frame, 0 when there are none.  It lasts until the next
 * call on the node. */
struct rkv_frame {
    uint64_t to;
    const void *data;
    size_t len;
    const void *address; /* of the member, as the configuration has it */
    size_t address_len;
};
RKV_API int rkv_node_next_frame(rkv_node *node, const struct rkv_frame **frame);
/* Splitting a byte stream into frames: the length of the frame that begins
 * at data, 0 when more bytes are needed to tell, RKV_EMALFORMED, or
 * RKV_ETOOBIG above frame_bytes_max. */
RKV_API int64_t rkv_frame_len(const void *data, size_t len,
                              uint64_t frame_bytes_max);

/* News out: 1 and an event, 0 when there are none.  It lasts until the next
 * call on the node.  Grows at the end. */
enum {
    RKV_EVENT_DONE = 1,    /* token, outcome, status, index, term, result */
    RKV_EVENT_CHANGE = 2,  /* change: of a watch */
    RKV_EVENT_ROLE = 3,    /* role, leader, term */
    RKV_EVENT_MEMBERS = 4, /* the configuration changed: rkv_node_members() */
    RKV_EVENT_RESTORED = 5 /* a snapshot took the place of the state */
};
enum {
    RKV_DONE = 1,     /* it happened; a command's result has its own status */
    RKV_NOT_DONE = 2, /* it did not and will not; status says why */
    RKV_UNKNOWN = 3   /* it may have happened; status says why */
};
struct rkv_event {
    uint32_t kind;
    uint32_t outcome;
    int32_t status;
    uint32_t role;
    uint64_t token;
    uint64_t group;
    uint64_t leader;
    uint64_t term;
    uint64_t index;
    const struct rkv_result *result;       /* of a command, else NULL */
    const struct rkv_change_event *change; /* of a watch, else NULL */
};
RKV_API int rkv_node_next_event(rkv_node *node, const struct rkv_event **event);

/* Looking in. */
struct rkv_node_status {
    uint32_t size;
    uint32_t role;
    uint64_t id;
    uint64_t cluster;
    uint64_t group;
    uint64_t leader;
    uint64_t term;
    uint64_t first; /* log held */
    uint64_t last;
    uint64_t durable;
    uint64_t commit;
    uint64_t applied;
    uint64_t snapshot_index;
    uint64_t boot;
    uint64_t requests; /* waiting */
    uint64_t frames_in;
    uint64_t frames_out;
    uint64_t frames_refused; /* malformed, of another cluster, too big */
    uint64_t frames_dropped; /* for want of room in the outbox */
    uint64_t flushes;
    uint64_t entries_written;
    uint64_t snapshots_taken;
    uint64_t snapshots_received;
    uint64_t elections; /* times this member began one */
    uint32_t members;
    uint32_t recovering;
    uint8_t incarnation[16]; /* of its store: whose boots are counted */
    uint32_t quiet;          /* it sleeps until something happens */
    uint32_t reserved;
};
RKV_API void rkv_node_status(const rkv_node *node, struct rkv_node_status *out);
/* Members as last applied, in id order; lasts until the next call. */
RKV_API uint32_t rkv_node_members(const rkv_node *node,
                                  const struct rkv_member **out);
/* The core lasts until a bootstrap or the close, the state until the close. */
RKV_API const rkv_raft *rkv_node_raft(const rkv_node *node);
RKV_API rkv_kv *rkv_node_kv(rkv_node *node); /* range and watch, not apply */
/* What went wrong last, in a sentence or two; "" when nothing did. */
RKV_API const char *rkv_node_errmsg(const rkv_node *node);

/* The last inputs of the core and what it said, as a file for build/replay: a
 * piece from this offset on, of *len bytes, 0 at the end.  It holds together as
 * long as nothing else is called meanwhile.  RKV_ESTATE: nothing is recorded.
 */
RKV_API int rkv_node_recording(rkv_node *node, uint64_t offset, void *buf,
                               size_t cap, size_t *len);

#ifdef __cplusplus
}
#endif
#endif
