/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/client.c - client connections.  Answers gather in a buffer per
 * connection and leave with one write at the end of the turn.
 */
#include "server.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/resource.h>

enum {
    LINGER_MS = 1000,
    TELL_AGAIN_MS = 30000,
    KEEPALIVE_S = 30,
    KEEPALIVE_AGAIN_S = 10,
    DESCRIPTORS_KEPT = 64
};

static void closed(uv_handle_t *handle)
{
    struct client *client = handle->data;

    buffer_free(&client->out);
    buffer_free(&client->sending);
    buffer_free(&client->ahead);
    buffer_free(&client->body);
    free(client);
}

static void forget_dirty(struct client *client)
{
    struct client **at = &client->server->clients.dirty;

    while (*at && *at != client)
        at = &(*at)->next_dirty;
    if (*at)
        *at = client->next_dirty;
    client->dirty = false;
}

void client_close(struct client *client)
{
    struct clients *clients = &client->server->clients;

    if (client->closing)
        return;
    client->closing = true;
    stream_gone(&client->stream);
    if (client->dirty)
        forget_dirty(client);
    if (client->previous)
        client->previous->next = client->next;
    else
        clients->first = client->next;
    if (client->next)
        client->next->previous = client->previous;
    clients->count--;
    uv_close((uv_handle_t *)&client->tcp, closed);
}

size_t client_queued(const struct client *client)
{
    return client->out.len + client->sending.len - client->sent;
}

void client_touch(struct client *client)
{
    struct clients *clients = &client->server->clients;

    if (client->dirty || client->closing)
        return;
    client->dirty = true;
    client->next_dirty = clients->dirty;
    clients->dirty = client;
}

/* Reading. */

static void lend(uv_handle_t *handle, size_t hint, uv_buf_t *out)
{
    struct client *client = handle->data;

    (void)hint;
    *out = uv_buf_init(client->server->clients.read, READ_BYTES);
}

static void read_some(uv_stream_t *tcp, ssize_t len, const uv_buf_t *buf);

static void set_reading(struct client *client, bool wanted)
{
    if (client->reading == wanted || client->closing)
        return;
    client->reading = wanted;
    if (wanted)
        uv_read_start((uv_stream_t *)&client->tcp, lend, read_some);
    else
        uv_read_stop((uv_stream_t *)&client->tcp);
}

static void keep_ahead(struct client *client, const char *data, size_t len)
{
    buffer_add(&client->ahead, data, len);
    if (client->ahead.failed)
        client_close(client);
    else if (client->ahead.len > CLIENT_AHEAD_MAX)
        set_reading(client, false);
}

/* gRPC will be told by its first bytes; until it is here, it is told off. */
static bool sniff(struct client *client, const char *data, size_t len)
{
    if (client->sniffed)
        return true;
    client->sniffed = true;
    if (len < 3 || memcmp(data, "PRI", 3) != 0)
        return true;
    struct clients *clients = &client->server->clients;
    uint64_t now = server_now(client->server);
    /* gRPC clients try again and again; once in a while is enough. */
    if (clients->told_off == 0 || now - clients->told_off > TELL_AGAIN_MS) {
        clients->told_off = now;
        log_line(&client->server->log, LOG_WARN,
                 "a client speaks HTTP/2, which is not there yet",
                 "do=\"use the JSON API over HTTP/1.1, for instance POST "
                 "/v3/kv/range\"");
    }
    client_close(client);
    return false;
}

/* A client that does not read its answers is given no more to read. */
static bool is_full(const struct client *client)
{
    return client_queued(client) > CLIENT_UNREAD_MAX;
}

static void take(struct client *client, const char *data, size_t len)
{
    while (len > 0 && !client->closing && !client->last) {
        if (client->busy || is_full(client)) {
            keep_ahead(client, data, len);
            break;
        }
        int64_t used = http_read(client, data, len);
        if (used < 0)
            return;
        data += used;
        len -= (size_t)used;
    }
    if (is_full(client))
        set_reading(client, false);
}

static void at_end(struct client *client)
{
    /* A client may close its half and still want its answers. */
    client->ended = true;
    set_reading(client, false);
    if (client->stream.watcher || client->lingering)
        client_close(client);
    else
        client_touch(client);
}

static void read_some(uv_stream_t *tcp, ssize_t len, const uv_buf_t *buf)
{
    struct client *client = tcp->data;

    if (client->closing || len == 0)
        return;
    if (len < 0) {
        if (len == UV_EOF)
            at_end(client);
        else
            client_close(client);
        return;
    }
    client->server->metrics.client_bytes_in += (uint64_t)len;
    if (client->lingering)
        return;
    if (client->ahead.len > 0)
        keep_ahead(client, buf->base, (size_t)len);
    else if (sniff(client, buf->base, (size_t)len))
        take(client, buf->base, (size_t)len);
}

void client_resume(struct client *client)
{
    struct buffer ahead = client->ahead;

    if (client->busy || client->closing || is_full(client))
        return;
    if (ahead.len > 0) {
        client->ahead = (struct buffer){0};
        take(client, ahead.at, ahead.len);
        buffer_free(&ahead);
        /* Nothing may have been asked by it, and then it is over. */
        if (client->ended)
            client_touch(client);
        server_again(client->server);
    }
    if (client->ahead.len <= CLIENT_AHEAD_MAX && !client->last &&
        !client->ended && !is_full(client))
        set_reading(client, true);
}

/* Writing. */

static void wrote(uv_write_t *write, int status);

static void half_closed(uv_shutdown_t *shutdown, int status)
{
    (void)status;
    (void)shutdown;
}

/* All is sent.  When more of a refused request may still be coming, closing
 * at once would reset the connection and take the answer with it. */
static void finish(struct client *client)
{
    if (!client->refused || client->ended) {
        client_close(client);
        return;
    }
    client->lingering = true;
    client->since = server_now(client->server);
    set_reading(client, true);
    uv_shutdown(&client->shutdown, (uv_stream_t *)&client->tcp, half_closed);
}

static void send_rest(struct client *client)
{
    uv_buf_t buf = uv_buf_init(client->sending.at + client->sent,
                               (unsigned)(client->sending.len - client->sent));

    client->write.data = client;
    if (uv_write(&client->write, (uv_stream_t *)&client->tcp, &buf, 1, wrote) !=
        0)
        client_close(client);
    else
        client->writing = true;
}

static void send_now(struct client *client)
{
    if (client->closing || client->writing || client->out.len == 0)
        return;
    if (client->out.failed) {
        client_close(client);
        return;
    }
    unsigned len =
        client->out.len > INT32_MAX ? INT32_MAX : (unsigned)client->out.len;
    uv_buf_t buf = uv_buf_init(client->out.at, len);
    int sent = uv_try_write((uv_stream_t *)&client->tcp, &buf, 1);
    if (sent < 0 && sent != UV_EAGAIN) {
        client_close(client);
        return;
    }
    size_t done = sent > 0 ? (size_t)sent : 0;
    client->server->metrics.client_bytes_out += client->out.len;
    if (done == client->out.len) {
        buffer_reset(&client->out, CLIENT_KEEP_BYTES);
        return;
    }
    struct buffer empty = client->sending;
    client->sending = client->out;
    client->sent = done;
    client->out = empty;
    client->out.len = 0;
    send_rest(client);
}

static void wrote(uv_write_t *write, int status)
{
    struct client *client = write->data;

    client->writing = false;
    if (status < 0) {
        client_close(client);
        return;
    }
    client->sent = 0;
    buffer_reset(&client->sending, CLIENT_KEEP_BYTES);
    client_touch(client);
}

static bool is_over(const struct client *client)
{
    bool last = client->last || (client->ended && client->ahead.len == 0);

    return last && !client->writing && !client->lingering && !client->busy &&
           !client->stream.watcher;
}

void clients_flush(struct clients *clients)
{
    struct client *client = clients->dirty;

    clients->dirty = NULL;
    while (client) {
        struct client *next = client->next_dirty;
        client->dirty = false;
        send_now(client);
        if (!client->closing) {
            if (is_over(client))
                finish(client);
            else if (!client->lingering)
                client_resume(client);
        }
        client = next;
    }
}

/* Coming and going. */

static struct client *client_new(struct clients *clients)
{
    struct client *client = calloc(1, sizeof *client);

    if (!client)
        return NULL;
    client->server = clients->server;
    client->tcp.data = client;
    uv_tcp_init(&clients->server->uv, &client->tcp);
    client->tcp.data = client;
    client->next = clients->first;
    if (client->next)
        client->next->previous = client;
    clients->first = client;
    clients->count++;
    return client;
}

/* A client whose machine is gone says nothing, not even goodbye: the system
 * asks it, or its connection and its watches would be kept for ever. */
static void keep_alive(uv_tcp_t *tcp)
{
    int again = KEEPALIVE_AGAIN_S, times = 3;
    uv_os_fd_t fd;

    uv_tcp_keepalive(tcp, 1, KEEPALIVE_S);
    if (uv_fileno((uv_handle_t *)tcp, &fd) != 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &again, sizeof again);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof times);
}

static void arrived(uv_stream_t *listener, int status)
{
    struct server *server = listener->data;
    struct clients *clients = &server->clients;
    static const char full[] =
        "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"
        "Content-Length: 0\r\n\r\n";

    if (status < 0)
        return;
    struct client *client = client_new(clients);
    if (!client)
        return;
    if (uv_accept(listener, (uv_stream_t *)&client->tcp) != 0) {
        client_close(client);
        return;
    }
    clients->accepted++;
    if (clients->count > server->flags.connections_max) {
        uv_buf_t buf = uv_buf_init((char *)(uintptr_t)full, sizeof full - 1);
        uv_try_write((uv_stream_t *)&client->tcp, &buf, 1);
        if (clients->refused++ % 1000 == 0)
            log_line(&server->log, LOG_WARN, "too many connections",
                     "limit=%llu do=\"raise --max-connections\"",
                     (unsigned long long)server->flags.connections_max);
        client_close(client);
        return;
    }
    uv_tcp_nodelay(&client->tcp, 1);
    keep_alive(&client->tcp);
    client->since = server_now(server);
    http_begin(client);
    set_reading(client, true);
}

/* Clients must not take the descriptors the store needs: what opens a file
 * would fail, and with it the member. */
static void limit_by_descriptors(struct server *server)
{
    uint64_t *max = &server->flags.connections_max;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    if (limit.rlim_cur < *max + DESCRIPTORS_KEPT) {
        struct rlimit more = limit;
        more.rlim_cur = *max + DESCRIPTORS_KEPT;
        if (more.rlim_cur > more.rlim_max)
            more.rlim_cur = more.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &more) == 0)
            limit = more;
    }
    if (limit.rlim_cur >= *max + DESCRIPTORS_KEPT)
        return;
    *max = limit.rlim_cur > 2 * DESCRIPTORS_KEPT
               ? limit.rlim_cur - DESCRIPTORS_KEPT
               : limit.rlim_cur / 2;
    log_line(&server->log, LOG_WARN,
             "the system allows too few file descriptors for so many clients",
             "descriptors=%llu limit=%llu do=\"raise ulimit -n, or lower "
             "--max-connections\"",
             (unsigned long long)limit.rlim_cur, (unsigned long long)*max);
}

int clients_listen(struct clients *clients, struct server *server,
                   struct url_list *urls)
{
    clients->server = server;
    limit_by_descriptors(server);
    clients->read = malloc(READ_BYTES);
    if (!clients->read)
        return -1;
    return listen_on(server, urls, "--listen-client-urls", arrived,
                     clients->listeners);
}

void clients_sweep(struct clients *clients, uint64_t now)
{
    uint64_t limit = clients->server->flags.read_timeout_ms;

    for (struct client *client = clients->first; client;) {
        struct client *next = client->next;
        uint64_t allowed = client->lingering ? LINGER_MS : limit;
        if (client->since != 0 && now - client->since > allowed) {
            if (client->lingering || client->refused)
                client_close(client);
            else
                http_too_slow(client);
        }
        client = next;
    }
}

void clients_close_doors(struct clients *clients)
{
    for (size_t i = 0; i < clients->server->flags.listen_client.count; i++)
        uv_close((uv_handle_t *)&clients->listeners[i], NULL);
}

bool clients_have_all(const struct clients *clients)
{
    for (struct client *client = clients->first; client; client = client->next)
        if (client_queued(client) > 0 && !client->stream.watcher)
            return false;
    return true;
}

void clients_stop(struct clients *clients)
{
    while (clients->first)
        client_close(clients->first);
}
