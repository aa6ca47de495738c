/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/link.h - one connection to another member, or to whoever says that
 * it is one.
 */
#ifndef SERVER_LINK_H
#define SERVER_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "../common/buffer.h"

struct server;
struct peer;

struct link {
    struct server *server;
    struct peer *peer; /* NULL until the other end said who it is */
    struct link *next;
    struct link *previous;
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_getaddrinfo_t resolve;
    uv_write_t write;
    struct buffer in;
    struct buffer out;
    struct buffer sending;
    size_t sent;
    uint64_t since; /* when it was made, or last heard of */
    bool dialled;
    bool strange; /* it called, and counts as a stranger until it is up */
    bool up;      /* both have said hello */
    bool held;    /* they have, but it is not on disk yet: nothing is read */
    uint64_t settles_at; /* this state of what is kept has it */
    bool resolving;
    bool writing;
    bool closing;
};

enum { LINK_HELLO = 1, LINK_PING = 2, LINK_PONG = 3, LINK_PROTOCOL = 2 };

/* In the server's list of links; NULL: no memory. */
struct link *link_new(struct server *server);
/* why is key=value words for the log. */
void link_close(struct link *link, const char *why);
/* No stranger any more. */
void link_known(struct link *link);
/* One that was closed while its host was being looked up may go now. */
void link_release(struct link *link);
/* It is connected: read from it. */
void link_start(struct link *link);
/* Stop reading for now; go on with what waits. */
void link_hold(struct link *link);
void link_go_on(struct link *link);
/* Sends what is in link->out. */
void link_send(struct link *link);
void link_ping(struct link *link);
/* Ends it, and says why in the log, unless that was said a moment ago. */
void link_refuse(struct link *link, const char *what, const char *detail);

#endif
