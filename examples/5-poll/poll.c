/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Three members that talk TCP over the loopback, driven by poll(2) and nothing
 * else.  Each writes once; all end in the same state.  They share a process so
 * that the example ends by itself, and in it nothing but their sockets.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <poll.h>
#include <raftkv/raftkv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* A link in each direction: first those to each member, then those from any. */
enum { MEMBERS = 3, LINKS = 2 * MEMBERS, BUFFER = 1 << 22 };

struct host {
    rkv_store *store;
    rkv_node *node;
    int asked; /* our write is under way, or done */
    int listener;
    struct pollfd fds[LINKS];
    size_t lens[LINKS];
    unsigned char bytes[LINKS][BUFFER]; /* to be sent, or to be split */
};

static struct host hosts[MEMBERS];
static const void *command; /* what each of them writes */
static size_t command_len;

static int must(int result, const char *what)
{
    if (result >= 0)
        return result;
    fprintf(stderr, "%s, or ", rkv_strerror(result)); /* if not in errno */
    perror(what);
    exit(1);
}

static uint64_t now_ms(void)
{
    struct timespec time;

    must(clock_gettime(CLOCK_MONOTONIC, &time), "clock");
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static void drop_first(struct host *host, int link, size_t len)
{
    host->lens[link] -= len;
    memmove(host->bytes[link], host->bytes[link] + len, host->lens[link]);
}

/* A byte stream knows no frames: rkv_frame_len() says where each ends. */
static int receive(struct host *host, int link)
{
    size_t *held = &host->lens[link];
    ssize_t got =
        recv(host->fds[link].fd, host->bytes[link] + *held, BUFFER - *held, 0);
    int64_t len = 0;

    for (*held += got > 0 ? (size_t)got : 0; got > 0;) {
        len = rkv_frame_len(host->bytes[link], *held, BUFFER / 2);
        if (len <= 0 || (size_t)len > *held)
            break;
        rkv_node_receive(host->node, now_ms(), host->bytes[link], (size_t)len);
        drop_first(host, link, (size_t)len);
    }
    return got > 0 && len >= 0;
}

/* Frames wait for their socket; their address is what bootstrap was given. */
static void take_frames(struct host *host)
{
    const struct rkv_frame *frame;

    while (must(rkv_node_next_frame(host->node, &frame), "frame")) {
        int link = (int)frame->to - 1;
        struct pollfd *fd = &host->fds[link];

        if (fd->fd < 0) {
            fd->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
            (void)connect(must(fd->fd, "socket"), frame->address,
                          (socklen_t)frame->address_len);
        }
        if (frame->len <= BUFFER - host->lens[link]) {
            memcpy(host->bytes[link] + host->lens[link], frame->data,
                   frame->len);
            host->lens[link] += frame->len;
            fd->events = POLLOUT;
        }
    }
}

static int send_bytes(struct host *host, int link)
{
    ssize_t sent = send(host->fds[link].fd, host->bytes[link], host->lens[link],
                        MSG_NOSIGNAL);

    drop_first(host, link, sent > 0 ? (size_t)sent : 0);
    host->fds[link].events = host->lens[link] > 0 ? POLLOUT : 0;
    return sent >= 0;
}

/* A link is ready.  One that nobody has called yet waits at the listener; one
 * that breaks loses what it held, and Raft sends again what matters. */
static void serve(struct host *host, int link)
{
    int *fd = &host->fds[link].fd;

    if (*fd == host->listener) {
        int caller = accept(*fd, NULL, NULL); /* -1: another link was first */
        *fd = caller < 0 ? host->listener : caller;
    } else if (!(link < MEMBERS ? send_bytes : receive)(host, link)) {
        close(*fd);
        *fd = link < MEMBERS ? -1 : host->listener; /* -1: not polled */
        host->lens[link] = 0;
        if (link < MEMBERS)
            rkv_node_unreachable(host->node, (uint64_t)link + 1);
    }
}

/* A whole host; the three take turns, so none sleeps for longer than a tick. */
static void turn(struct host *host)
{
    const struct rkv_event *event;

    must(poll(host->fds, LINKS, rkv_node_deadline(host->node) > now_ms()),
         "poll");
    for (int i = 0; i < LINKS; i++)
        if (host->fds[i].revents)
            serve(host, i);
    must(rkv_node_tick(host->node, now_ms()), "tick");
    take_frames(host); /* they set out while our disk works */
    must(rkv_node_flush(host->node, now_ms()), "flush");
    take_frames(host);
    while (must(rkv_node_next_event(host->node, &event), "event"))
        if (event->kind == RKV_EVENT_DONE)
            host->asked = event->outcome == RKV_DONE;
    if (!host->asked) /* it waits until there is a leader */
        must(rkv_node_propose(host->node, 1, command, command_len), "write");
    host->asked = 1;
}

int main(void)
{
    struct rkv_node_options options = {.size = sizeof options, .cluster = 7};
    struct rkv_put put = {.size = sizeof put, .key = "hello", .key_len = 5};
    struct rkv_kv_status status = {.size = sizeof status};
    uint64_t hash = 0;
    struct sockaddr_in addresses[MEMBERS] = {0};
    struct rkv_member all[MEMBERS];
    socklen_t len = sizeof addresses[0];
    rkv_txn *txn;

    must(rkv_txn_new(NULL, &txn), "txn");
    rkv_txn_put(txn, &put); /* its error would come with encode */
    must(rkv_txn_encode(txn, &command, &command_len), "encode");
    for (uint32_t i = 0; i < MEMBERS; i++) {
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

        addresses[i].sin_family = AF_INET; /* port 0: any that is free */
        addresses[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        must(bind(listener, (void *)&addresses[i], len), "bind");
        must(listen(listener, MEMBERS), "listen");
        must(getsockname(listener, (void *)&addresses[i], &len), "name");
        all[i] = (struct rkv_member){i + 1, RKV_VOTER, len, &addresses[i]};
        hosts[i].listener = listener;
        for (int link = 0; link < LINKS; link++)
            hosts[i].fds[link] = (struct pollfd){
                .fd = link < MEMBERS ? -1 : listener, .events = POLLIN};
    }
    for (int i = 0; i < MEMBERS; i++) {
        options.id = options.seed = all[i].id;
        must(rkv_store_memory(NULL, &hosts[i].store), "store");
        must(rkv_node_open(&options, hosts[i].store, &hosts[i].node), "open");
        must(rkv_node_bootstrap(hosts[i].node, all, MEMBERS), "bootstrap");
    }
    for (int done = 0; done < MEMBERS;) {
        done = 0;
        for (int i = 0; i < MEMBERS; i++) {
            turn(&hosts[i]);
            rkv_kv_status(rkv_node_kv(hosts[i].node), &status);
            hash = i == 0 ? status.hash : hash;
            done += status.revision > MEMBERS && status.hash == hash;
        }
    }
    printf("all three have state hash %016llx\n", (unsigned long long)hash);
    for (int i = 0; i < MEMBERS; i++) {
        rkv_node_close(hosts[i].node);
        rkv_store_close(hosts[i].store);
    }
    rkv_txn_free(txn);
    return 0;
}
