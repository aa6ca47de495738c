/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ctl/http.c - just enough of an HTTP/1.1 client: connect, ask, read, all
 * within a time limit.
 */
#include "ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <http_parser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ERROR_BYTES = 256, HOST_BYTES = URL_HOST_MAX + 16 };

struct http {
    int fd;
    int timeout_ms;
    int64_t deadline; /* -1: none */
    char host[HOST_BYTES];
    struct buffer out;
    http_parser parser;
    struct buffer *answer;
    bool complete;
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int wait_for(struct http *http, short events)
{
    struct pollfd entry = {.fd = http->fd, .events = events};
    int wait = -1;

    if (http->deadline >= 0) {
        int64_t left = http->deadline - now_ms();
        if (left <= 0)
            return -1;
        wait = (int)left;
    }
    int rc;
    do {
        rc = poll(&entry, 1, wait);
    } while (rc < 0 && errno == EINTR);
    return rc > 0 ? 0 : -1;
}

/* A watch waits without a limit, but not for a machine that is gone. */
static void keep_alive(int fd)
{
    int on = 1, idle_s = 15, again_s = 5, times = 3;

    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &again_s, sizeof again_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof times);
}

static int connect_to(struct http *http, const struct addrinfo *info,
                      char *error)
{
    int one = 1, failed = 0;
    socklen_t len = sizeof failed;

    http->fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (http->fd < 0) {
        snprintf(error, ERROR_BYTES, "%s", strerror(errno));
        return -1;
    }
    fcntl(http->fd, F_SETFL, O_NONBLOCK);
    setsockopt(http->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    keep_alive(http->fd);
    if (connect(http->fd, info->ai_addr, info->ai_addrlen) == 0)
        return 0;
    if (errno == EINPROGRESS) {
        if (wait_for(http, POLLOUT) != 0)
            failed = ETIMEDOUT;
        else
            getsockopt(http->fd, SOL_SOCKET, SO_ERROR, &failed, &len);
    } else {
        failed = errno;
    }
    if (failed == 0)
        return 0;
    snprintf(error, ERROR_BYTES, "%s", strerror(failed));
    close(http->fd);
    http->fd = -1;
    return -1;
}

int http_open(const struct url *url, int timeout_ms, struct http **out,
              char *error)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found, *info;
    struct http *http = calloc(1, sizeof *http);
    char port[8];

    if (!http) {
        snprintf(error, ERROR_BYTES, "out of memory");
        return -1;
    }
    http->timeout_ms = timeout_ms;
    http->deadline = now_ms() + timeout_ms;
    snprintf(port, sizeof port, "%u", (unsigned)url->port);
    snprintf(http->host, sizeof http->host, "%s:%s", url->host, port);
    int rc = getaddrinfo(url->host, port, &hints, &found);
    if (rc != 0) {
        snprintf(error, ERROR_BYTES, "%s", gai_strerror(rc));
        free(http);
        return -1;
    }
    http->fd = -1;
    for (info = found; info && http->fd < 0; info = info->ai_next)
        connect_to(http, info, error);
    freeaddrinfo(found);
    if (http->fd < 0) {
        free(http);
        return -1;
    }
    *out = http;
    return 0;
}

void http_close(struct http *http)
{
    if (!http)
        return;
    close(http->fd);
    buffer_free(&http->out);
    free(http);
}

static int send_all(struct http *http, char *error)
{
    size_t sent = 0;

    while (sent < http->out.len) {
        ssize_t done = send(http->fd, http->out.at + sent, http->out.len - sent,
                            MSG_NOSIGNAL);
        if (done > 0) {
            sent += (size_t)done;
        } else if (done < 0 && (errno == EAGAIN || errno == EINTR)) {
            if (wait_for(http, POLLOUT) != 0) {
                snprintf(error, ERROR_BYTES, "no time left while sending");
                break;
            }
        } else {
            snprintf(error, ERROR_BYTES, "%s", strerror(errno));
            break;
        }
    }
    /* A server may refuse a request before it is all there, and its answer
     * is worth reading. */
    return sent == 0 ? -1 : 0;
}

static int on_body(http_parser *parser, const char *at, size_t len)
{
    struct http *http = parser->data;

    buffer_add(http->answer, at, len);
    return http->answer->failed ? 1 : 0;
}

static int on_complete(http_parser *parser)
{
    struct http *http = parser->data;

    http->complete = true;
    return 0;
}

static const http_parser_settings callbacks = {
    .on_body = on_body,
    .on_message_complete = on_complete,
};

static int start(struct http *http, const char *method, const char *path,
                 const char *headers, const void *body, size_t len,
                 struct buffer *answer, char *error)
{
    http->deadline = now_ms() + http->timeout_ms;
    http->out.len = 0;
    buffer_printf(&http->out,
                  "%s %s HTTP/1.1\r\nHost: %s\r\n%sContent-Length: "
                  "%zu\r\n\r\n",
                  method, path, http->host, headers, len);
    buffer_add(&http->out, body, len);
    http_parser_init(&http->parser, HTTP_RESPONSE);
    http->parser.data = http;
    http->complete = false;
    http->answer = answer;
    if (http->out.failed) {
        snprintf(error, ERROR_BYTES, "out of memory");
        return -1;
    }
    return send_all(http, error);
}

/* 1: something came in. */
static int receive(struct http *http, char *error)
{
    char data[64 * 1024];

    for (;;) {
        ssize_t len = recv(http->fd, data, sizeof data, 0);
        if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
            if (wait_for(http, POLLIN) == 0)
                continue;
            snprintf(error, ERROR_BYTES, "no answer in time");
            return -1;
        }
        if (len < 0) {
            snprintf(error, ERROR_BYTES, "%s", strerror(errno));
            return -1;
        }
        size_t used =
            http_parser_execute(&http->parser, &callbacks, data, (size_t)len);
        if (HTTP_PARSER_ERRNO(&http->parser) != HPE_OK ||
            (used < (size_t)len && !http->complete)) {
            snprintf(error, ERROR_BYTES, "the answer is no HTTP");
            return -1;
        }
        if (len == 0 && !http->complete) {
            snprintf(error, ERROR_BYTES, "the server hung up");
            return -1;
        }
        return 1;
    }
}

int http_ask(struct http *http, const char *method, const char *path,
             const void *body, size_t len, struct buffer *answer, char *error)
{
    answer->len = 0;
    if (start(http, method, path, "", body, len, answer, error) != 0)
        return HTTP_FAILED_EARLY;
    while (!http->complete)
        if (receive(http, error) != 1)
            return HTTP_FAILED_LATE;
    return (int)http->parser.status_code;
}

int http_stream(struct http *http, const char *path, const void *body,
                size_t len, bool (*take)(void *ctx, char *line, size_t len),
                void *ctx, char *error)
{
    struct buffer lines = {0};
    /* Better elsewhere than here without a leader, and so without news. */
    int rc = start(http, "POST", path, "Grpc-Metadata-Hasleader: true\r\n",
                   body, len, &lines, error);
    bool more = rc == 0;

    http->deadline = -1;
    while (more && !http->complete) {
        rc = receive(http, error);
        if (rc != 1)
            break;
        char *end;
        while (more && lines.len > 0 &&
               (end = memchr(lines.at, '\n', lines.len))) {
            size_t line = (size_t)(end - lines.at);
            more = take(ctx, lines.at, line);
            buffer_shift(&lines, line + 1);
        }
        rc = 0;
    }
    if (more && http->complete && lines.len > 0)
        take(ctx, lines.at, lines.len);
    buffer_free(&lines);
    return rc < 0 ? HTTP_FAILED_LATE : (int)http->parser.status_code;
}
