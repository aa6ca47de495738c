/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/client.h - the connections of clients: accepting, reading, writing
 * and closing.  What the bytes mean is http.c's; another protocol would stand
 * beside it.
 */
#ifndef SERVER_CLIENT_H
#define SERVER_CLIENT_H

#include <http_parser.h>
#include <uv.h>

#include "../common/buffer.h"
#include "../common/json.h"
#include "../common/url.h"
#include "rpc.h"

struct server;

enum {
    HTTP_PATH_MAX = 1024,
    HTTP_HEADERS_MAX = 16 * 1024,
    /* 1.5 MiB of command in base64, and what is around it. */
    HTTP_BODY_MAX = 2 * 1024 * 1024 + 64 * 1024,
    /* Bytes a client may send ahead of the answer to its last request. */
    CLIENT_AHEAD_MAX = 256 * 1024,
    /* Bytes of answers it may leave unread before its next request is not
     * looked at. */
    CLIENT_UNREAD_MAX = 1024 * 1024,
    /* What an idle connection keeps of each of its buffers. */
    CLIENT_KEEP_BYTES = 8 * 1024,
    READ_BYTES = 256 * 1024
};

/* Pages that wait for a linearizable read. */
enum page { PAGE_NONE, PAGE_HEALTH, PAGE_READY };

struct client {
    struct server *server;
    struct client *next;
    struct client *previous;
    struct client *next_dirty;
    uv_tcp_t tcp;
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct buffer out;     /* to be sent at the end of the turn */
    struct buffer sending; /* with the socket */
    size_t sent;           /* of sending */
    struct buffer ahead;   /* read, not yet parsed */
    uint64_t since; /* when the request now coming in began; 0: none is */
    bool sniffed;
    bool dirty;   /* in the list of those with something to send */
    bool writing; /* sending is with the socket */
    bool reading;
    bool closing;   /* the handle is being closed */
    bool last;      /* close once all is sent */
    bool ended;     /* the client has said all it will say */
    bool lingering; /* half closed: whatever comes is thrown away */

    /* HTTP/1.1: one request at a time. */
    struct stream stream;
    http_parser parser;
    struct buffer body;
    struct json_scan scan; /* of a body that is many requests */
    char path[HTTP_PATH_MAX];
    size_t path_len;
    size_t header_bytes;
    char name[24]; /* of the header now coming in, or how it begins */
    size_t name_len;
    const struct rpc *rpc; /* while its body comes in piecemeal */
    bool busy;             /* a request waits for its answer */
    bool complete;         /* the request is here as a whole */
    bool chunked;          /* the answer is being streamed */
    bool refused;          /* answered before it was all here */
    bool bare;             /* HTTP/1.0: a stream goes out without chunks */
    enum page page;        /* the answer is one of those that judge */
};

struct clients {
    struct server *server;
    struct client *first;
    struct client *dirty;
    size_t count;
    uint64_t accepted;
    uint64_t refused;
    uint64_t told_off; /* when one that spoke HTTP/2 was last */
    uv_tcp_t listeners[URL_LIST_MAX];
    char *read; /* READ_BYTES, lent to whoever reads */
};

int clients_listen(struct clients *clients, struct server *server,
                   struct url_list *urls);
/* No more of them. */
void clients_close_doors(struct clients *clients);
/* Has each been sent all there was to say?  Watches never have. */
bool clients_have_all(const struct clients *clients);
void clients_flush(struct clients *clients);
/* Closes those that keep us waiting for their request. */
void clients_sweep(struct clients *clients, uint64_t now);
void clients_stop(struct clients *clients);

/* There is something in client->out. */
void client_touch(struct client *client);
void client_close(struct client *client);
/* Goes on with what was read ahead, once the last request is answered. */
void client_resume(struct client *client);
/* Bytes waiting to leave. */
size_t client_queued(const struct client *client);

/* http.c */
void http_begin(struct client *client);
/* Takes what it can and says how much that was; -1: the connection is no
 * longer worth reading. */
int64_t http_read(struct client *client, const char *data, size_t len);
/* A plain answer to a request that is no RPC, or not fit to be one. */
void http_answer(struct client *client, unsigned status, const char *type,
                 const void *body, size_t len);
/* The client took too long. */
void http_too_slow(struct client *client);

#endif
