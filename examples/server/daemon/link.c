/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/link.c - what travels between two members, in both directions, is
 * frames of the library and a few records of our own, told apart by their
 * first byte:
 *
 *     'R' ...                            a frame; rkv_frame_len() has its end
 *     'P' 'K' 'V' 1 | version ...        hello: hello.h
 *     'P' 'K' 'V' 2 | version | a time, and four words of zeros     ping
 *     'P' 'K' 'V' 3 | version | the same                            pong
 *
 * Both ends say hello first; only then does the rest follow.
 */
#include "server.h"

#include <stdlib.h>

enum {
    RECORD_BYTES = 48,
    STRANGERS_MS = 1000, /* anyone can call, and fill the log */
    STRANGER_BYTES = 256,
    KEEP_BYTES = 1024 * 1024,
    FRAME_MAX = 4 * 1024 * 1024
};

static void put_record(struct link *link, int kind, uint64_t time)
{
    char record[RECORD_BYTES] = {'P', 'K', 'V', (char)kind, LINK_PROTOCOL};

    bytes_put_u64(record + 8, time);
    buffer_add(&link->out, record, sizeof record);
}

void link_ping(struct link *link)
{
    put_record(link, LINK_PING, uv_hrtime());
}

/* ---- coming and going ---- */

static void freed(uv_handle_t *handle)
{
    struct link *link = handle->data;

    buffer_free(&link->in);
    buffer_free(&link->out);
    buffer_free(&link->sending);
    free(link);
}

void link_release(struct link *link)
{
    uv_close((uv_handle_t *)&link->tcp, freed);
}

struct link *link_new(struct server *server)
{
    struct link *link = calloc(1, sizeof *link);

    if (!link)
        return NULL;
    link->server = server;
    link->since = server_now(server);
    uv_tcp_init(&server->uv, &link->tcp);
    link->tcp.data = link;
    link->next = server->peers.links;
    if (link->next)
        link->next->previous = link;
    server->peers.links = link;
    return link;
}

void link_known(struct link *link)
{
    if (link->strange)
        link->server->peers.strangers--;
    link->strange = false;
}

void link_close(struct link *link, const char *why)
{
    struct peer *peer = link->peer;

    if (link->closing)
        return;
    link->closing = true;
    link_known(link);
    if (link->previous)
        link->previous->next = link->next;
    else
        link->server->peers.links = link->next;
    if (link->next)
        link->next->previous = link->previous;
    if (link->resolving)
        uv_cancel((uv_req_t *)&link->resolve);
    else
        link_release(link);
    if (!peer)
        return;
    if (peer->link == link) {
        peer->link = NULL;
        peer->disconnects++;
        peer_complain(peer, LOG_WARN, "lost the connection to a peer", why);
        if (link->server->node)
            rkv_node_unreachable(link->server->node, peer->id);
    }
    if (peer->dialing == link)
        peer->dialing = NULL;
    if (link->dialled && !link->up)
        peer_call_elsewhere(peer);
    if (!peer->link && !peer->dialing)
        peer_dial_later(peer);
}

static void lend(uv_handle_t *handle, size_t hint, uv_buf_t *out)
{
    struct link *link = handle->data;

    (void)hint;
    /* A hello is short, and a stranger gets no room for more. */
    if (!buffer_reserve(&link->in, link->up ? READ_BYTES : STRANGER_BYTES)) {
        *out = uv_buf_init(NULL, 0);
        return;
    }
    *out = uv_buf_init(link->in.at + link->in.len,
                       (unsigned)(link->in.cap - link->in.len));
}

void link_refuse(struct link *link, const char *what, const char *detail)
{
    struct peers *peers = &link->server->peers;

    if (link->peer)
        peer_complain(link->peer, LOG_ERROR, what, detail);
    else if (server_now(link->server) - peers->complained >= STRANGERS_MS &&
             peers_is_news(link->server, what, detail, peers->complaint,
                           &peers->complained))
        log_line(&link->server->log, LOG_ERROR, what, "%s", detail);
    link_close(link, detail);
}

static bool take_record(struct link *link, const char *record)
{
    struct metrics *metrics = &link->server->metrics;

    if (record[1] != 'K' || record[2] != 'V' ||
        (record[3] == LINK_HELLO) == link->up) {
        link_refuse(link, "a peer port was called by something else",
                    "do=\"send clients to the client URLs\"");
        return false;
    }
    if (record[3] == LINK_HELLO)
        return hello_take(link, record);
    if (record[3] == LINK_PING)
        put_record(link, LINK_PONG, bytes_u64(record + 8));
    if (record[3] == LINK_PONG) {
        uint64_t took = uv_hrtime() - bytes_u64(record + 8);
        if (took < UINT64_C(3600000000000)) {
            histogram_add(&link->peer->round_trip, took);
            samples_add(&metrics->round_trips, took);
        }
    }
    return true;
}

/* 0: that cannot be told yet. */
static size_t record_len(const char *data, size_t len)
{
    if (len < HELLO_VERSION_BYTES)
        return 0;
    return data[3] == LINK_HELLO ? hello_len(data) : RECORD_BYTES;
}

static bool take_frame(struct link *link, const char *data, size_t len,
                       size_t *used)
{
    struct server *server = link->server;

    if (!link->up) {
        link_refuse(link, "a peer sent frames before its hello", "");
        return false;
    }
    int64_t frame = rkv_frame_len(data, len, FRAME_MAX);
    if (frame < 0) {
        link_refuse(link, "a peer sent what is no frame",
                    rkv_errname((int32_t)frame));
        return false;
    }
    if (frame == 0 || (uint64_t)frame > len)
        return true;
    int rc =
        rkv_node_receive(server->node, server_now(server), data, (size_t)frame);
    if (rc != RKV_OK && rc != RKV_EBUSY)
        peer_complain(link->peer, LOG_WARN, "dropped a frame", rkv_errname(rc));
    *used = (size_t)frame;
    return true;
}

/* Anything else at the beginning is a client, or a scan, at the wrong door.
 */
static void take(struct link *link)
{
    size_t at = 0;

    while (!link->closing && !link->held && at < link->in.len) {
        const char *data = link->in.at + at;
        size_t len = link->in.len - at;
        size_t used = 0;
        if (data[0] == 'R') {
            if (!take_frame(link, data, len, &used))
                return;
        } else if (data[0] == 'P' && (len < 2 || data[1] == 'K')) {
            size_t whole = record_len(data, len);
            if (whole > 0 && len >= whole) {
                if (!take_record(link, data))
                    return;
                used = whole;
            }
        } else {
            link_refuse(link, "a peer port was called by something else",
                        "do=\"send clients to the client URLs\"");
            return;
        }
        if (used == 0)
            break;
        at += used;
    }
    if (!link->closing)
        buffer_shift(&link->in, at);
}

static void read_some(uv_stream_t *tcp, ssize_t len, const uv_buf_t *buf)
{
    struct link *link = tcp->data;

    (void)buf;
    if (link->closing || len == 0)
        return;
    if (len < 0) {
        char detail[96];
        snprintf(detail, sizeof detail, "error=\"%s\"", uv_strerror((int)len));
        if (link->dialled && !link->up && link->peer)
            peer_complain(link->peer, LOG_WARN,
                          "a peer hung up on our hello; its log says why",
                          detail);
        link_close(link, detail);
        return;
    }
    link->in.len += (size_t)len;
    if (link->up)
        link->since = server_now(link->server);
    if (link->peer)
        link->peer->bytes_in += (uint64_t)len;
    take(link);
}

/* ---- writing ---- */

static void wrote(uv_write_t *write, int status)
{
    struct link *link = write->data;

    link->writing = false;
    if (link->closing)
        return;
    if (status < 0) {
        link_close(link, "error=\"cannot write\"");
        return;
    }
    link->sent = 0;
    buffer_reset(&link->sending, KEEP_BYTES);
    link_send(link);
}

void link_send(struct link *link)
{
    if (link->closing || link->writing || link->out.len == 0)
        return;
    if (link->out.failed) {
        link_close(link, "error=\"out of memory\"");
        return;
    }
    uv_stream_t *stream = (uv_stream_t *)&link->tcp;
    uv_buf_t buf = uv_buf_init(link->out.at, (unsigned)link->out.len);
    int sent = uv_try_write(stream, &buf, 1);
    if (sent < 0 && sent != UV_EAGAIN) {
        link_close(link, "error=\"cannot write\"");
        return;
    }
    size_t done = sent > 0 ? (size_t)sent : 0;
    if (link->peer)
        link->peer->bytes_out += link->out.len;
    if (done == link->out.len) {
        buffer_reset(&link->out, KEEP_BYTES);
        return;
    }
    struct buffer empty = link->sending;
    link->sending = link->out;
    link->sent = done;
    link->out = empty;
    link->out.len = 0;
    buf = uv_buf_init(link->sending.at + done,
                      (unsigned)(link->sending.len - done));
    link->write.data = link;
    if (uv_write(&link->write, stream, &buf, 1, wrote) != 0)
        link_close(link, "error=\"cannot write\"");
    else
        link->writing = true;
}

void link_start(struct link *link)
{
    uv_tcp_nodelay(&link->tcp, 1);
    uv_read_start((uv_stream_t *)&link->tcp, lend, read_some);
}

void link_hold(struct link *link)
{
    link->held = true;
    uv_read_stop((uv_stream_t *)&link->tcp);
}

void link_go_on(struct link *link)
{
    link->held = false;
    link->since = server_now(link->server);
    uv_read_start((uv_stream_t *)&link->tcp, lend, read_some);
    take(link);
}
