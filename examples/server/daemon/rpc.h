/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/rpc.h - the one table of what can be asked, whatever protocol asks.
 * A handler is given a decoded request and answers on a stream, now or
 * later; how request and answer look on the wire is the transport's.
 */
#ifndef SERVER_RPC_H
#define SERVER_RPC_H

#include "../common/message.h"
#include "status.h"

struct server;
struct stream;
struct call;
struct watcher;

/* How an answer leaves.  reply and fail end a stream; push adds a message to
 * one that goes on. */
struct transport {
    void (*reply)(struct stream *stream, const struct message *message,
                  const void *record);
    void (*fail)(struct stream *stream, struct status status);
    void (*push)(struct stream *stream, const struct message *message,
                 const void *record);
    size_t (*queued)(const struct stream *stream);
};
struct stream {
    const struct transport *transport;
    struct server *server;
    const struct rpc *rpc;   /* once it was started, until it is handled */
    struct call *call;       /* while it waits for the cluster */
    struct watcher *watcher; /* while it watches */
    bool needs_leader;       /* no news without one is no good news */
};

/* start must answer, or leave a call or a watcher behind that will. */
struct rpc {
    const char *service;
    const char *method;
    const char *path; /* after /v3 */
    const struct message *request;
    void (*start)(struct stream *stream, const void *request);
    bool streaming; /* requests come one after the other */
};

/* path is "/kv/range"; NULL: there is no such thing. */
const struct rpc *rpc_find(struct bytes path);
/* What is counted of each: for /metrics. */
enum { RPCS_MAX = 40 };
struct rpc_counts {
    uint64_t started;
    uint64_t handled[STATUS_CODES];
};
/* The position'th of the table; NULL: there are no more. */
const struct rpc *rpc_at(size_t position);
/* The version of etcd whose API this is; tools compare its numbers. */
extern const char api_version[];

void stream_started(struct stream *stream, const struct rpc *rpc);
void stream_handled(struct stream *stream, int code);
void stream_fail(struct stream *stream, int code, const char *text);
void stream_reply(struct stream *stream, const struct message *message,
                  const void *record);
/* The one who asked has gone. */
void stream_gone(struct stream *stream);

/* The handlers: kv_rpc.c, watch_rpc.c, cluster_rpc.c, maintenance_rpc.c. */
void kv_range(struct stream *stream, const void *request);
void kv_put(struct stream *stream, const void *request);
void kv_delete(struct stream *stream, const void *request);
void kv_txn(struct stream *stream, const void *request);
void kv_compact(struct stream *stream, const void *request);
void watch_request(struct stream *stream, const void *request);
void cluster_member_list(struct stream *stream, const void *request);
void maintenance_status(struct stream *stream, const void *request);
void maintenance_hash_kv(struct stream *stream, const void *request);

#endif
