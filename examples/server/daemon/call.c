/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/call.c - tokens and what they stand for.
 */
#include "server.h"

#include <stdlib.h>

enum { HELD_BYTES_MAX = 64 * 1024 * 1024 };

static uint64_t token_of(const struct call *call)
{
    return (uint64_t)call->round << 32 | call->slot;
}

void calls_init(struct calls *calls, struct server *server)
{
    calls->server = server;
}

void calls_free(struct calls *calls)
{
    for (uint32_t i = 0; i < calls->count; i++) {
        free(calls->slots[i]->keys);
        free(calls->slots[i]->command);
        free(calls->slots[i]);
    }
    free(calls->slots);
    calls->slots = NULL;
    calls->count = 0;
}

/* Calls are never freed while the server runs, so the slots in use are as
 * many as ever waited at once. */
static struct call *call_new(struct calls *calls, struct stream *stream,
                             enum call_kind kind)
{
    struct call *call = calls->free;

    if (call) {
        calls->free = call->next;
    } else {
        if ((calls->count & (calls->count - 1)) == 0) {
            size_t cap = calls->count ? (size_t)calls->count * 2 : 1;
            struct call **slots = realloc(calls->slots, cap * sizeof *slots);
            if (!slots)
                return NULL;
            calls->slots = slots;
        }
        call = calloc(1, sizeof *call);
        if (!call)
            return NULL;
        call->slot = calls->count;
        calls->slots[calls->count++] = call;
    }
    call->next = NULL;
    call->batch = NULL;
    call->server = calls->server;
    call->kind = kind;
    call->round++;
    call->in_use = true;
    call->stream = stream;
    if (stream)
        stream->call = call;
    calls->waiting++;
    return call;
}

static void call_free(struct calls *calls, struct call *call)
{
    if (call->stream)
        call->stream->call = NULL;
    free(call->keys);
    call->keys = NULL;
    free(call->command);
    call->command = NULL;
    call->stream = NULL;
    call->in_use = false;
    call->next = calls->free;
    calls->free = call;
    calls->waiting--;
}

static void call_fail(struct calls *calls, struct call *call,
                      struct status status)
{
    struct stream *stream = call->stream;

    call_free(calls, call);
    if (stream)
        stream_fail(stream, status.code, status.text);
}

static uint64_t patience(const struct server *server)
{
    return server_now(server) + 5000 + 2 * server->flags.election_ms;
}

/* A request forwarded to a leader that is gone is lost without a trace, and
 * nobody could say what became of it; so while the line to the leader is down
 * it waits here, for the line or for another leader. */
static bool must_hold(const struct server *server)
{
    return server->leader != 0 && server->leader != server->id &&
           !peers_reach(&server->peers, server->leader);
}

static void propose(struct calls *calls, struct call *call, const void *command,
                    size_t len)
{
    struct metrics *metrics = &calls->server->metrics;

    call->kind = CALL_COMMAND;
    int rc =
        rkv_node_propose(calls->server->node, token_of(call), command, len);
    if (rc == RKV_OK) {
        metrics->proposals_pending++;
        return;
    }
    metrics->proposals_failed++;
    call_fail(calls, call, status_of(rc));
}

static void hold(struct calls *calls, struct call *call, const void *command,
                 size_t len)
{
    bool full = len > HELD_BYTES_MAX - calls->held_bytes;

    call->kind = CALL_HELD;
    call->command = full ? NULL : malloc(len);
    if (!call->command) {
        call_fail(calls, call, status_of(RKV_EBUSY));
        return;
    }
    memcpy(call->command, command, len);
    call->command_len = len;
    call->deadline = patience(calls->server);
    calls->held_bytes += len;
    if (calls->held)
        calls->last_held->next = call;
    else
        calls->held = call;
    calls->last_held = call;
}

void calls_propose(struct stream *stream,
                   void (*done)(struct call *, const struct rkv_result *))
{
    struct server *server = stream->server;
    struct calls *calls = &server->calls;
    const void *command;
    size_t len;

    if (server->leave_by) {
        stream->transport->fail(stream, status_of(RKV_ECLOSED));
        return;
    }
    int rc = rkv_txn_encode(server->txn, &command, &len);
    if (rc == RKV_OK)
        rc = rkv_kv_check(server->kv, command, len);
    if (rc != RKV_OK) {
        stream->transport->fail(stream, status_of(rc));
        return;
    }
    struct call *call = call_new(calls, stream, CALL_COMMAND);
    if (!call) {
        stream_fail(stream, STATUS_EXHAUSTED, "etcdserver: too many requests");
        return;
    }
    call->done = done;
    if (must_hold(server))
        hold(calls, call, command, len);
    else
        propose(calls, call, command, len);
}

static void release_one(struct calls *calls, struct call *call, bool held)
{
    void *command = call->command;

    call->command = NULL;
    call->next = NULL;
    if (!call->stream)
        call_free(calls, call);
    else if (held)
        call_fail(calls, call, status_of_write(RKV_NOT_DONE, RKV_ETIMEOUT));
    else
        propose(calls, call, command, call->command_len);
    free(command);
}

void calls_release(struct calls *calls)
{
    bool held = must_hold(calls->server);
    uint64_t now = server_now(calls->server);

    while (calls->held && (!held || calls->held->deadline <= now)) {
        struct call *call = calls->held;
        calls->held = call->next;
        calls->held_bytes -= call->command_len;
        release_one(calls, call, held);
    }
    while (held && calls->reads && calls->reads->deadline <= now) {
        struct call *call = calls->reads;
        calls->reads = call->next;
        if (!calls->reads)
            calls->last_read = NULL;
        call_fail(calls, call, status_of(RKV_ETIMEOUT));
    }
}

struct call *calls_read(struct stream *stream,
                        void (*done)(struct call *, const struct rkv_result *))
{
    struct calls *calls = &stream->server->calls;

    if (stream->server->leave_by) {
        stream->transport->fail(stream, status_of(RKV_ECLOSED));
        return NULL;
    }
    struct call *call = call_new(calls, stream, CALL_READ);
    if (!call) {
        stream_fail(stream, STATUS_EXHAUSTED, "etcdserver: too many requests");
        return NULL;
    }
    call->done = done;
    call->deadline = patience(stream->server);
    if (calls->last_read)
        calls->last_read->next = call;
    else
        calls->reads = call;
    calls->last_read = call;
    return call;
}

int calls_change(struct calls *calls, const struct rkv_change *change)
{
    struct call *call = call_new(calls, NULL, CALL_PUBLISH);

    if (!call)
        return RKV_ENOMEM;
    int rc = rkv_node_change(calls->server->node, token_of(call), change);
    if (rc != RKV_OK)
        call_free(calls, call);
    return rc;
}

int calls_leave(struct calls *calls)
{
    struct call *call = call_new(calls, NULL, CALL_LEAVE);

    if (!call)
        return RKV_ENOMEM;
    int rc = rkv_node_transfer(calls->server->node, token_of(call), 0);
    if (rc != RKV_OK)
        call_free(calls, call);
    return rc;
}

static void fail_batch(struct calls *calls, struct call *read,
                       struct status status)
{
    while (read) {
        struct call *next = read->next;
        calls->server->metrics.reads_failed++;
        call_fail(calls, read, status);
        read = next;
    }
}

void calls_begin_reads(struct calls *calls)
{
    struct call *reads = calls->reads;

    if (!reads || must_hold(calls->server))
        return;
    calls->reads = calls->last_read = NULL;
    struct call *batch = call_new(calls, NULL, CALL_READS);
    int rc = RKV_ENOMEM;
    if (batch) {
        batch->batch = reads;
        rc = rkv_node_read(calls->server->node, token_of(batch));
        if (rc == RKV_OK)
            return;
        call_free(calls, batch);
    }
    fail_batch(calls, reads, status_of(rc));
}

static void serve_batch(struct calls *calls, struct call *read)
{
    while (read) {
        struct call *next = read->next;
        arena_reset(&calls->server->arena);
        if (read->stream)
            read->done(read, NULL);
        call_free(calls, read);
        read = next;
    }
}

/* A result's own status says what the store made of the command. */
static void command_done(struct calls *calls, struct call *call,
                         const struct rkv_event *event)
{
    struct metrics *metrics = &calls->server->metrics;

    arena_reset(&calls->server->arena);
    metrics->proposals_pending--;
    if (event->outcome != RKV_DONE) {
        metrics->proposals_failed++;
        call_fail(calls, call, status_of_write(event->outcome, event->status));
        return;
    }
    metrics->proposals_committed++;
    if (event->result && event->result->status != RKV_OK)
        call_fail(calls, call, status_of(event->result->status));
    else if (call->stream && event->result)
        call->done(call, event->result);
    if (call->in_use)
        call_free(calls, call);
}

void calls_done(struct calls *calls, const struct rkv_event *event)
{
    uint32_t slot = (uint32_t)event->token;

    if (slot >= calls->count || !calls->slots[slot]->in_use ||
        token_of(calls->slots[slot]) != event->token)
        return;
    struct call *call = calls->slots[slot];
    struct call *batch = call->batch;
    switch (call->kind) {
    case CALL_COMMAND:
        command_done(calls, call, event);
        break;
    case CALL_READS:
        call_free(calls, call);
        if (event->outcome == RKV_DONE)
            serve_batch(calls, batch);
        else
            fail_batch(calls, batch, status_of(event->status));
        break;
    case CALL_PUBLISH:
        call_free(calls, call);
        member_published(calls->server, event->outcome, event->status);
        break;
    case CALL_LEAVE:
        call_free(calls, call);
        break;
    default:
        break;
    }
}

void calls_stop(struct calls *calls)
{
    for (uint32_t i = 0; i < calls->count; i++) {
        struct call *call = calls->slots[i];
        uint32_t outcome =
            call->kind == CALL_COMMAND ? RKV_UNKNOWN : RKV_NOT_DONE;
        if (call->in_use && call->stream)
            call_fail(calls, call, status_of_write(outcome, RKV_ECLOSED));
    }
}
