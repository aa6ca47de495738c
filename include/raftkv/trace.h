/* SPDX-License-Identifier: BSD-2-Clause
 *
 * raftkv/trace.h - what a core does, event by event, for tools that watch a
 * run or check it against a model.
 *
 * With trace_max in its options a core keeps that many records in a ring, and
 * drops the oldest when nobody pulls them: their numbers show the gap.  Names
 * and fields are those of the trace of etcd's Raft library, one line of JSON
 * for each event.
 */
#ifndef RAFTKV_TRACE_H
#define RAFTKV_TRACE_H

#include "raft.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    RKV_TRACE_INIT = 1,
    RKV_TRACE_BECOME_FOLLOWER = 2,
    RKV_TRACE_BECOME_CANDIDATE = 3,
    RKV_TRACE_BECOME_LEADER = 4,
    RKV_TRACE_COMMIT = 5,
    RKV_TRACE_REPLICATE = 6,   /* a leader took entries into its log */
    RKV_TRACE_CHANGE_CONF = 7, /* ... of which one is a change */
    RKV_TRACE_APPLY_CONF = 8,  /* it takes effect */
    RKV_TRACE_REJECT_CONF = 9, /* ... or has none */
    RKV_TRACE_READY = 10,      /* something was given to persist */
    RKV_TRACE_SEND = 11,       /* msg_* say what */
    RKV_TRACE_RECEIVE = 12
};

/* The state is that after the event, of a RECEIVE that before.  Grows at the
 * end. */
struct rkv_raft_trace {
    uint64_t number; /* 1, 2, ...: of all, also of those that were dropped */
    uint64_t now;
    uint64_t id;
    uint64_t term;
    uint64_t vote;
    uint64_t commit;
    uint64_t last;
    uint32_t event;
    uint32_t role;
    uint32_t msg_kind; /* 0: not about a message */
    uint32_t msg_flags;
    uint64_t msg_from;
    uint64_t msg_to;
    uint64_t msg_term;
    uint64_t msg_index;
    uint64_t msg_log_term;
    uint64_t msg_commit;
    uint64_t msg_hint;
    uint32_t msg_entries;
    uint32_t reserved;
};

/* 1 and the oldest record, which is gone from the ring then and lasts until
 * the next call on the handle; 0: there is none. */
RKV_API int rkv_raft_trace(rkv_raft *raft, const struct rkv_raft_trace **out);

/* The record as one line of JSON with a newline, and 0 after it; returns the
 * length, or RKV_ETOOBIG when size, 768 is always enough, is too small. */
RKV_API int rkv_trace_json(const struct rkv_raft_trace *trace, char *out,
                           size_t size);

#ifdef __cplusplus
}
#endif
#endif
