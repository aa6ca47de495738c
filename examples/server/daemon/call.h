/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/call.h - requests that wait for the cluster.  The node is given a
 * token, and gives it back exactly once; the token finds the call again, and
 * the call the stream that is to be answered, if it is still there.  Reads of
 * one turn share one read point.
 */
#ifndef SERVER_CALL_H
#define SERVER_CALL_H

#include <raftkv/node.h>

#include "../common/etcd.h"
#include "rpc.h"

enum call_kind {
    CALL_HELD,
    CALL_COMMAND,
    CALL_READ,
    CALL_READS,
    CALL_PUBLISH,
    CALL_LEAVE
};

struct call {
    struct call *next; /* reads of one batch; free: the next one */
    struct server *server;
    struct stream *stream; /* NULL: nobody waits any more */
    enum call_kind kind;
    uint32_t slot;
    uint32_t round; /* how often the slot was used: tokens never repeat */
    bool in_use;
    /* COMMAND: answers with the result; READ: with what it finds then. */
    void (*done)(struct call *call, const struct rkv_result *result);
    struct range_request range; /* READ: what was asked ... */
    char *keys;                 /* ... and its key and end, ours */
    struct call *batch;         /* READS: the reads */
    void *command;              /* HELD: what to propose, ours */
    size_t command_len;
    uint64_t deadline; /* HELD, READ: when to give up holding it back */
};

struct calls {
    struct server *server;
    struct call **slots;
    uint32_t count;
    struct call *free;
    struct call *reads; /* waiting for the turn's read point */
    struct call *last_read;
    struct call *held; /* while the leader is known but cannot be reached */
    struct call *last_held;
    size_t held_bytes;
    uint64_t waiting;
};

void calls_init(struct calls *calls, struct server *server);
void calls_free(struct calls *calls);

/* Proposes the command that server->txn holds, for the stream to be answered
 * by done; fails the stream when that cannot be. */
void calls_propose(struct stream *stream,
                   void (*done)(struct call *, const struct rkv_result *));
/* A call that will be done once reads are linearizable; fill in what it
 * needs.  NULL: the stream was told. */
struct call *calls_read(struct stream *stream,
                        void (*done)(struct call *, const struct rkv_result *));
/* A change of our own entry in the configuration; member_published() hears
 * what became of it. */
int calls_change(struct calls *calls, const struct rkv_change *change);
/* Hands leadership to whoever is furthest along. */
int calls_leave(struct calls *calls);
/* What was held back is proposed, or given up, when it is time. */
void calls_release(struct calls *calls);
/* The turn's reads ask the node together. */
void calls_begin_reads(struct calls *calls);
/* An RKV_EVENT_DONE. */
void calls_done(struct calls *calls, const struct rkv_event *event);
/* The server stops: nobody is left without an answer. */
void calls_stop(struct calls *calls);

#endif
