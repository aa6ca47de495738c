/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/server.h - the hall of raftkvd: one member, its sockets, its disk
 * and its clients, all in one struct, and all of it but the disk's one job in
 * one thread.  Where to start: loop.c, whose turn() is the server's life.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <raftkv/raftkv.h>
#include <stdbool.h>
#include <uv.h>

#include "../common/arena.h"
#include "../common/buffer.h"
#include "../common/etcd.h"
#include "../common/json.h"
#include "call.h"
#include "client.h"
#include "cluster.h"
#include "disk.h"
#include "flags.h"
#include "hello.h"
#include "keep.h"
#include "log.h"
#include "metrics.h"
#include "peers.h"
#include "watch.h"

struct server {
    struct settings flags;
    struct log log;
    uv_loop_t uv;

    /* The member. */
    rkv_store *store;
    rkv_node *node;
    rkv_kv *kv;
    uint64_t id;
    uint64_t cluster;
    uint64_t boot;                          /* how often it was started ... */
    uint8_t incarnation[INCARNATION_BYTES]; /* ... on this store */
    bool was_here; /* the store had a cluster when it was opened */

    /* What it last said about itself; current within a turn. */
    uint32_t role;
    uint64_t leader;
    uint64_t leaderless; /* since when, while there is no leader */
    uint64_t term;

    uint64_t publish_at; /* when to try again; 0: now */
    bool publishing;
    bool published;

    /* One turn: loop.c. */
    uv_check_t turn;
    uv_timer_t alarm;
    uv_idle_t again;
    uv_signal_t terminate;
    uv_signal_t interrupt;
    uint64_t swept;    /* when limits in time were last looked at */
    uint64_t leave_by; /* told to stop: when at the latest; 0: it was not */
    bool stopping;
    int exit_code;

    struct disk disk;
    struct keep keep;
    struct peers peers;
    struct clients clients;
    struct calls calls;
    struct watches watches;
    struct metrics metrics;

    /* What one request borrows. */
    struct arena arena;
    struct json json;
    struct buffer scratch;
    rkv_txn *txn;
};

/* The turn and the life around it: loop.c. */
int server_start(struct server *server);
int server_run(struct server *server);
void server_end(struct server *server);
/* Leave the loop; the first reason wins. */
void server_stop(struct server *server, int exit_code);
/* Another turn, without waiting for anything. */
void server_again(struct server *server);
/* Milliseconds of a clock that never goes back. */
uint64_t server_now(const struct server *server);
/* The header of a response about the store at this revision. */
struct header server_header(const struct server *server, int64_t revision);
int64_t server_revision(const struct server *server);

/* Opening and closing the member: member.c. */
int member_open(struct server *server);
void member_close(struct server *server);
/* The configuration should name the URLs clients are told to use. */
void member_publish(struct server *server, uint64_t now);
void member_published(struct server *server, uint32_t outcome, int32_t status);

/* Pages that are no RPC: pages.c.  False: there is no such page. */
bool pages_serve(struct client *client, struct bytes path, struct bytes query);
/* The read that client->page waits for came to nothing. */
void pages_fail(struct client *client, const char *reason);

/* Sockets that listen: listen.c.  Writes the chosen ports back into the
 * list. */
int listen_on(struct server *server, struct url_list *urls, const char *flag,
              uv_connection_cb arrived, uv_tcp_t *sockets);

#endif
