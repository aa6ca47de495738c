/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/peers.h - one TCP connection per pair of members, dialled by the
 * one with the smaller id and used by both; when that one is silent for long
 * the other dials too, so that two who would never meet, because one has the
 * wrong list of members, can tell each other.  Frames for a member that cannot
 * be reached, or that does not keep up, are dropped, which Raft is made for.
 */
#ifndef SERVER_PEERS_H
#define SERVER_PEERS_H

#include <raftkv/node.h>
#include <uv.h>

#include "../common/url.h"
#include "link.h"
#include "metrics.h"

struct server;

enum { COMPLAINT_BYTES = 160, BACKOFF_MIN_MS = 20 };

struct peer {
    struct server *server;
    struct peer *next;
    uint64_t id;
    struct url_list urls;
    size_t url_at; /* the one to dial next ... */
    size_t turn;   /* ... at this one of its addresses */
    uv_timer_t retry;
    struct link *link;    /* up */
    struct link *dialing; /* on its way up */
    uint64_t backoff_ms;
    uint64_t random;
    uint64_t missed;                 /* since when there is no link */
    bool gone;                       /* not in the configuration any more */
    char complaint[COMPLAINT_BYTES]; /* what was last logged, so as not to
                                        repeat it */
    uint64_t complained;
    /* For /metrics. */
    uint64_t bytes_out;
    uint64_t bytes_in;
    uint64_t send_failures;
    uint64_t disconnects;
    struct histogram round_trip;
};

struct peers {
    struct server *server;
    struct peer *first;
    struct link *links;
    size_t strangers; /* of them, those that called and are not up yet */
    uv_tcp_t listeners[URL_LIST_MAX];
    uint64_t asked;                  /* when round trips were last measured */
    char complaint[COMPLAINT_BYTES]; /* about a stranger, and when */
    uint64_t complained;
};

int peers_listen(struct peers *peers, struct server *server,
                 struct url_list *urls);
/* The configuration is what it is now: dial who came, forget who went. */
void peers_update(struct peers *peers);
/* Is any of them connected? */
bool peers_up(const struct peers *peers);
/* Is this one? */
bool peers_reach(const struct peers *peers, uint64_t id);
/* Queues one frame; peers_flush() sends all of them. */
void peers_send(struct peers *peers, const struct rkv_frame *frame);
void peers_flush(struct peers *peers);
/* Asks every peer for a sign of life, to measure the round trip. */
void peers_measure(struct peers *peers, uint64_t now);
/* This state of what is known of them is on disk: who waited for it is met. */
void peers_settle(struct peers *peers, uint64_t state);
void peers_stop(struct peers *peers);

/* For link.c. */
struct peer *peers_find(const struct peers *peers, uint64_t id);
void peer_dial_later(struct peer *peer);
/* A call came to nothing: the next one goes elsewhere. */
void peer_call_elsewhere(struct peer *peer);
/* Logs it, unless it was said a moment ago. */
void peer_complain(struct peer *peer, int level, const char *what,
                   const char *detail);
bool peers_is_news(struct server *server, const char *what, const char *detail,
                   char last[COMPLAINT_BYTES], uint64_t *at);

#endif
