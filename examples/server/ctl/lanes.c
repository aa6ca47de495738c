/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ctl/lanes.c - an epoll loop around non-blocking sockets.  It reads no more
 * of an answer than its status and its length.
 */
#include "lanes.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, RETRY_NS = 20 * 1000 * 1000, TICK_MS = 20 };

struct place {
    struct sockaddr_storage at;
    socklen_t len;
};

uint64_t lanes_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void lanes_post(struct lane *lane, const char *path,
                const struct message *message, const void *record,
                struct buffer *scratch)
{
    scratch->len = 0;
    message_to_json(scratch, message, record);
    lane->out.len = 0;
    buffer_text(&lane->out, "POST ");
    buffer_text(&lane->out, path);
    buffer_text(&lane->out, " HTTP/1.1\r\nHost: raftkv\r\nContent-Length: ");
    buffer_u64(&lane->out, scratch->len);
    buffer_text(&lane->out, "\r\n\r\n");
    buffer_add(&lane->out, scratch->at, scratch->len);
}

static int find_places(struct ctl *ctl, struct place *places)
{
    for (size_t i = 0; i < ctl->endpoints.count; i++) {
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
        char port[8];
        snprintf(port, sizeof port, "%u",
                 (unsigned)ctl->endpoints.urls[i].port);
        int rc = getaddrinfo(ctl->endpoints.urls[i].host, port, &hints, &found);
        if (rc != 0) {
            fprintf(stderr, "raftkvctl: %s: %s\n", ctl->endpoints.urls[i].host,
                    gai_strerror(rc));
            return CTL_UNREACHED;
        }
        const struct addrinfo *info = url_address(found, 0);
        memcpy(&places[i].at, info->ai_addr, info->ai_addrlen);
        places[i].len = info->ai_addrlen;
        freeaddrinfo(found);
    }
    return CTL_OK;
}

static void watch(struct lanes *lanes, struct lane *lane, int op,
                  uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = lane};
    epoll_ctl(lanes->epoll, op, lane->fd, &event);
}

static void hang_up(struct lanes *lanes, struct lane *lane)
{
    if (lane->fd >= 0)
        close(lane->fd);
    lane->fd = -1;
    lane->connecting = false;
    lane->in.len = 0;
    lane->retry_at = lanes_now() + RETRY_NS;
    lane->endpoint++;
    if (lane->busy) {
        lane->busy = false;
        lanes->lost(lanes, lane);
    }
}

static void open_lane(struct lanes *lanes, struct lane *lane,
                      const struct place *places)
{
    const struct place *place =
        &places[lane->endpoint % lanes->ctl->endpoints.count];
    int one = 1;

    lane->fd = socket(place->at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (lane->fd < 0) {
        hang_up(lanes, lane);
        return;
    }
    fcntl(lane->fd, F_SETFL, O_NONBLOCK);
    setsockopt(lane->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(lane->fd, (const struct sockaddr *)&place->at, place->len) !=
            0 &&
        errno != EINPROGRESS) {
        hang_up(lanes, lane);
        return;
    }
    lane->connecting = true;
    lane->started = lanes_now();
    watch(lanes, lane, EPOLL_CTL_ADD, EPOLLOUT);
}

static void send_some(struct lanes *lanes, struct lane *lane)
{
    ssize_t sent = send(lane->fd, lane->out.at + lane->sent,
                        lane->out.len - lane->sent, MSG_NOSIGNAL);

    if (sent < 0 && errno != EAGAIN) {
        hang_up(lanes, lane);
        return;
    }
    if (sent > 0)
        lane->sent += (size_t)sent;
    if (lane->sent < lane->out.len)
        watch(lanes, lane, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
}

static void start_next(struct lanes *lanes, struct lane *lane)
{
    if (lane->fd < 0 || lane->connecting || lane->busy || lanes->over)
        return;
    if (!lanes->next(lanes, lane))
        return;
    lane->busy = true;
    lane->sent = 0;
    lane->started = lanes_now();
    send_some(lanes, lane);
}

/* 1: an answer is whole; 0: more is to come; -1: that is no answer. */
static int read_head(const struct lane *lane, size_t *head, size_t *body)
{
    static const char length[] = "Content-Length: ";
    const char *at = lane->in.at;
    const char *end = memmem(at, lane->in.len, "\r\n\r\n", 4);

    if (!end)
        return lane->in.len > 64 * 1024 ? -1 : 0;
    *head = (size_t)(end - at) + 4;
    const char *found = memmem(at, *head, length, sizeof length - 1);
    if (!found || *head < 12 || memcmp(at, "HTTP/1.1 ", 9) != 0)
        return -1;
    *body = strtoul(found + sizeof length - 1, NULL, 10);
    return lane->in.len >= *head + *body;
}

static void receive(struct lanes *lanes, struct lane *lane)
{
    size_t head, body;

    if (!buffer_reserve(&lane->in, 16 * 1024)) {
        hang_up(lanes, lane);
        return;
    }
    ssize_t len = recv(lane->fd, lane->in.at + lane->in.len,
                       lane->in.cap - lane->in.len, 0);
    if (len < 0 && errno == EAGAIN)
        return;
    if (len > 0)
        lane->in.len += (size_t)len;
    int whole = len > 0 && lane->busy ? read_head(lane, &head, &body) : -1;
    if (whole < 0) {
        hang_up(lanes, lane);
        return;
    }
    if (whole == 0)
        return;
    lane->busy = false;
    lanes->answered(lanes, lane, atoi(lane->in.at + 9), lane->in.at + head,
                    body);
    lane->in.len = 0;
    start_next(lanes, lane);
}

static void connected(struct lanes *lanes, struct lane *lane)
{
    int failed = 0;
    socklen_t len = sizeof failed;

    getsockopt(lane->fd, SOL_SOCKET, SO_ERROR, &failed, &len);
    if (failed != 0) {
        hang_up(lanes, lane);
        return;
    }
    lane->connecting = false;
    watch(lanes, lane, EPOLL_CTL_MOD, EPOLLIN);
    start_next(lanes, lane);
}

static void handle(struct lanes *lanes, struct epoll_event *event)
{
    struct lane *lane = event->data.ptr;

    if (lane->fd < 0)
        return;
    if (lane->connecting) {
        connected(lanes, lane);
        return;
    }
    if (event->events & EPOLLOUT && lane->sent < lane->out.len) {
        send_some(lanes, lane);
        if (lane->fd >= 0 && lane->sent == lane->out.len)
            watch(lanes, lane, EPOLL_CTL_MOD, EPOLLIN);
    }
    if (lane->fd >= 0 && event->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        receive(lanes, lane);
}

static void look_after(struct lanes *lanes, const struct place *places,
                       uint64_t now)
{
    for (size_t i = 0; i < lanes->count; i++) {
        struct lane *lane = &lanes->lane[i];
        if (lane->fd < 0 && now >= lane->retry_at)
            open_lane(lanes, lane, places);
        else if ((lane->busy || lane->connecting) &&
                 now > lane->started + lanes->timeout_ns)
            hang_up(lanes, lane);
        else
            start_next(lanes, lane);
    }
    if (lanes->tick)
        lanes->tick(lanes, now);
}

static int set_up(struct lanes *lanes, struct place *places)
{
    lanes->epoll = epoll_create1(EPOLL_CLOEXEC);
    lanes->lane = calloc(lanes->count, sizeof *lanes->lane);
    if (lanes->epoll < 0 || !lanes->lane) {
        perror("raftkvctl");
        return CTL_REFUSED;
    }
    for (size_t i = 0; i < lanes->count; i++) {
        lanes->lane[i].fd = -1;
        lanes->lane[i].endpoint = i;
    }
    return find_places(lanes->ctl, places);
}

int lanes_run(struct lanes *lanes)
{
    struct place places[URL_LIST_MAX];
    struct epoll_event events[EVENTS];
    uint64_t looked = 0;

    int rc = set_up(lanes, places);
    while (rc == CTL_OK && !lanes->over) {
        uint64_t now = lanes_now();
        if (now - looked >= (uint64_t)TICK_MS * 1000000) {
            looked = now;
            look_after(lanes, places, now);
        }
        int count = epoll_wait(lanes->epoll, events, EVENTS, TICK_MS);
        for (int i = 0; i < count && !lanes->over; i++)
            handle(lanes, &events[i]);
    }
    for (size_t i = 0; lanes->lane && i < lanes->count; i++) {
        if (lanes->lane[i].fd >= 0)
            close(lanes->lane[i].fd);
        buffer_free(&lanes->lane[i].in);
        buffer_free(&lanes->lane[i].out);
    }
    free(lanes->lane);
    lanes->lane = NULL;
    if (lanes->epoll >= 0)
        close(lanes->epoll);
    return rc;
}
