/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/peers.c - the other members: who they are by the configuration, and
 * a line to each of them.
 */
#include "server.h"

#include <stdlib.h>

enum {
    BACKOFF_MAX_MS = 2000,
    HELLO_MS = 5000,
    SILENT_MS = 5000,
    MISSED_MS = 3000,
    COMPLAIN_AGAIN_MS = 30000,
    MEASURE_MS = 500,
    STRANGERS_MAX = 32,
    QUEUE_MAX = 32 * 1024 * 1024
};

static void dial(struct peer *peer);

struct peer *peers_find(const struct peers *peers, uint64_t id)
{
    struct peer *peer = peers->first;

    while (peer && peer->id != id)
        peer = peer->next;
    return peer;
}

/* The same complaint is not worth a line a second. */
bool peers_is_news(struct server *server, const char *what, const char *detail,
                   char last[COMPLAINT_BYTES], uint64_t *at)
{
    uint64_t now = server_now(server);
    char text[COMPLAINT_BYTES];

    snprintf(text, sizeof text, "%s: %s", what, detail);
    if (server->stopping ||
        (strcmp(text, last) == 0 && now - *at < COMPLAIN_AGAIN_MS))
        return false;
    memcpy(last, text, sizeof text);
    *at = now;
    return true;
}

void peer_complain(struct peer *peer, int level, const char *what,
                   const char *detail)
{
    if (peers_is_news(peer->server, what, detail, peer->complaint,
                      &peer->complained))
        log_line(&peer->server->log, level, what, "peer=%llx %s",
                 (unsigned long long)peer->id, detail);
}

static void retry_dial(uv_timer_t *timer)
{
    dial(timer->data);
}

/* xorshift: two members that lost each other need not knock in step. */
static uint64_t jitter(struct peer *peer, uint64_t below)
{
    peer->random ^= peer->random << 13;
    peer->random ^= peer->random >> 7;
    peer->random ^= peer->random << 17;
    return peer->random % below;
}

void peer_dial_later(struct peer *peer)
{
    if (peer->gone || peer->server->stopping || peer->id < peer->server->id)
        return;
    uint64_t wait = peer->backoff_ms / 2 + jitter(peer, peer->backoff_ms);
    peer->backoff_ms *= 2;
    if (peer->backoff_ms > BACKOFF_MAX_MS)
        peer->backoff_ms = BACKOFF_MAX_MS;
    uv_timer_start(&peer->retry, retry_dial, wait, 0);
}

/* ---- dialling ---- */

void peer_call_elsewhere(struct peer *peer)
{
    enum { ADDRESSES_TRIED = 4 };

    peer->url_at++;
    if (peer->urls.count == 0 || peer->url_at < peer->urls.count)
        return;
    peer->url_at = 0;
    peer->turn = (peer->turn + 1) % ADDRESSES_TRIED;
}

static void connected(uv_connect_t *connect, int status)
{
    struct link *link = connect->data;

    if (link->closing)
        return;
    if (status < 0) {
        char detail[320], url[URL_HOST_MAX + 32];
        struct peer *peer = link->peer;
        url_format(&peer->urls.urls[peer->url_at % peer->urls.count], url,
                   sizeof url);
        snprintf(detail, sizeof detail, "url=%s error=\"%s\"", url,
                 uv_strerror(status));
        peer_complain(peer, LOG_WARN, "cannot reach a peer; trying on", detail);
        link_close(link, detail);
        return;
    }
    hello_say(link, link->peer->id);
    link_start(link);
    link_send(link);
}

static void resolved(uv_getaddrinfo_t *resolve, int status,
                     struct addrinfo *found)
{
    struct link *link = resolve->data;

    link->resolving = false;
    if (link->closing) {
        link_release(link);
    } else if (status < 0) {
        char detail[96];
        snprintf(detail, sizeof detail, "error=\"%s\"", uv_strerror(status));
        peer_complain(link->peer, LOG_WARN, "cannot find a peer's host",
                      detail);
        link_close(link, detail);
    } else {
        link->connect.data = link;
        const struct addrinfo *info = url_address(found, link->peer->turn);
        status = uv_tcp_connect(&link->connect, &link->tcp, info->ai_addr,
                                connected);
        if (status < 0)
            link_close(link, "error=\"cannot write\"");
    }
    uv_freeaddrinfo(found);
}

static void dial(struct peer *peer)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    char port[8];

    if (peer->gone || peer->link || peer->dialing || peer->server->stopping ||
        peer->urls.count == 0)
        return;
    struct link *link = link_new(peer->server);
    if (!link) {
        peer_dial_later(peer);
        return;
    }
    const struct url *url = &peer->urls.urls[peer->url_at % peer->urls.count];
    link->peer = peer;
    link->dialled = true;
    link->resolve.data = link;
    peer->dialing = link;
    snprintf(port, sizeof port, "%u", (unsigned)url->port);
    int rc = uv_getaddrinfo(&peer->server->uv, &link->resolve, resolved,
                            url->host, port, &hints);
    if (rc != 0)
        link_close(link, "error=\"cannot resolve\"");
    else
        link->resolving = true;
}

static void called(uv_stream_t *listener, int status)
{
    struct server *server = listener->data;

    if (status < 0)
        return;
    struct link *link = link_new(server);
    if (!link)
        return;
    if (uv_accept(listener, (uv_stream_t *)&link->tcp) != 0) {
        link_close(link, "error=\"cannot accept\"");
        return;
    }
    /* Members say hello at once: whoever finds so many waiting is one of a
     * crowd that does not. */
    if (server->peers.strangers >= STRANGERS_MAX) {
        link_close(link, "error=\"too many strangers\"");
        return;
    }
    link->strange = true;
    server->peers.strangers++;
    link_start(link);
}

int peers_listen(struct peers *peers, struct server *server,
                 struct url_list *urls)
{
    peers->server = server;
    return listen_on(server, urls, "--listen-peer-urls", called,
                     peers->listeners);
}

/* ---- the configuration ---- */

static void timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void forget(struct peers *peers, struct peer **at)
{
    struct peer *peer = *at;

    *at = peer->next;
    peer->gone = true;
    (void)peers;
    if (peer->link)
        link_close(peer->link, "note=\"not a member any more\"");
    if (peer->dialing)
        link_close(peer->dialing, "note=\"not a member any more\"");
    for (struct link *link = peers->links; link; link = link->next)
        if (link->peer == peer)
            link->peer = NULL;
    uv_timer_stop(&peer->retry);
    uv_close((uv_handle_t *)&peer->retry, timer_closed);
}

static struct peer *add(struct peers *peers, uint64_t id)
{
    struct peer *peer = calloc(1, sizeof *peer);

    if (!peer)
        return NULL;
    peer->server = peers->server;
    peer->id = id;
    peer->backoff_ms = BACKOFF_MIN_MS;
    peer->round_trip.first_ns = NETWORK_FIRST_NS;
    peer->random = (uv_hrtime() ^ id) | 1;
    peer->gone = true;
    peer->missed = server_now(peers->server);
    uv_timer_init(&peers->server->uv, &peer->retry);
    peer->retry.data = peer;
    peer->next = peers->first;
    peers->first = peer;
    return peer;
}

void peers_update(struct peers *peers)
{
    const struct rkv_member *members;
    uint32_t count = rkv_node_members(peers->server->node, &members);
    struct address address;

    for (struct peer *peer = peers->first; peer; peer = peer->next)
        peer->gone = true;
    for (uint32_t i = 0; i < count; i++) {
        if (members[i].id == peers->server->id)
            continue;
        struct peer *peer = peers_find(peers, members[i].id);
        if (!peer)
            peer = add(peers, members[i].id);
        if (!peer)
            continue;
        peer->gone = false;
        if (address_decode(members[i].address, members[i].address_len,
                           &address) == 0)
            peer->urls = address.peer_urls;
    }
    for (struct peer **at = &peers->first; *at;) {
        if ((*at)->gone) {
            keep_forget(&peers->server->keep, (*at)->id);
            forget(peers, at);
        } else {
            at = &(*at)->next;
        }
    }
    for (struct peer *peer = peers->first; peer; peer = peer->next)
        if (peers->server->id < peer->id && !peer->link && !peer->dialing)
            dial(peer);
}

/* ---- the turn ---- */

bool peers_reach(const struct peers *peers, uint64_t id)
{
    const struct peer *peer = peers_find(peers, id);

    return peer && peer->link;
}

bool peers_up(const struct peers *peers)
{
    for (const struct peer *peer = peers->first; peer; peer = peer->next)
        if (peer->link)
            return true;
    return false;
}

void peers_send(struct peers *peers, const struct rkv_frame *frame)
{
    struct peer *peer = peers_find(peers, frame->to);

    if (!peer || !peer->link) {
        if (peer)
            peer->send_failures++;
        return;
    }
    struct link *link = peer->link;
    if (link->out.len + link->sending.len + frame->len > QUEUE_MAX) {
        if (peer->send_failures++ % 1024 == 0)
            peer_complain(peer, LOG_WARN, "a peer does not keep up",
                          "note=\"frames to it are dropped\"");
        return;
    }
    buffer_add(&link->out, frame->data, frame->len);
}

void peers_flush(struct peers *peers)
{
    for (struct link *link = peers->links, *next; link; link = next) {
        next = link->next;
        if (link->out.len > 0)
            link_send(link);
    }
}

static void call_the_missing(struct peers *peers, uint64_t now)
{
    for (struct peer *peer = peers->first; peer; peer = peer->next) {
        if (peer->link || peer->dialing)
            peer->missed = now;
        else if (now - peer->missed > MISSED_MS + jitter(peer, MISSED_MS))
            dial(peer);
    }
}

/* Every peer answers a ping, so one that is silent is gone, though its machine
 * may not have said so; and who never said hello is hung up on. */
void peers_measure(struct peers *peers, uint64_t now)
{
    if (now - peers->asked < MEASURE_MS)
        return;
    peers->asked = now;
    call_the_missing(peers, now);
    for (struct link *link = peers->links, *next; link; link = next) {
        next = link->next;
        uint64_t patience = SILENT_MS + 2 * peers->server->flags.election_ms;
        if (link->up && now - link->since > patience)
            link_close(link, "error=\"silent for too long\"");
        else if (link->up)
            link_ping(link);
        else if (!link->held && now - link->since > HELLO_MS)
            link_close(link, "error=\"no hello in time\"");
    }
}

void peers_settle(struct peers *peers, uint64_t state)
{
    for (struct link *link = peers->links, *next; link; link = next) {
        next = link->next;
        if (!link->held || link->closing || link->settles_at > state)
            continue;
        if (link->peer) {
            hello_settle(link);
            link_go_on(link);
        } else {
            link_close(link, "note=\"not a member any more\"");
        }
    }
}

void peers_stop(struct peers *peers)
{
    while (peers->links)
        link_close(peers->links, "this member stops");
    while (peers->first)
        forget(peers, &peers->first);
}
