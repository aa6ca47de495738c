/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/loop.c - the life of the server, turn by turn.  libuv waits, then
 * hands out what came in: requests are proposed, frames received, a finished
 * write noted.  The turn follows, once for all of them: time passes, frames
 * and the next write go out, answers are taken and sent.  So many requests of
 * one wake-up become one write to the disk and one frame per peer.
 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    EVENTS_A_TURN = 4096,
    SWEEP_MS = 250,
    SLEEP_MAX_MS = 60000,
    LEAVE_MS = 2000
};

uint64_t server_now(const struct server *server)
{
    return uv_now(&server->uv);
}

int64_t server_revision(const struct server *server)
{
    struct rkv_kv_status status = {.size = sizeof status};

    rkv_kv_status(server->kv, &status);
    return status.revision;
}

struct header server_header(const struct server *server, int64_t revision)
{
    return (struct header){
        .cluster_id = server->cluster,
        .member_id = server->id,
        .revision = revision,
        .raft_term = server->term,
    };
}

/* ---- one turn ---- */

/* That it is there keeps the loop from waiting; the turn takes it away. */
static void ran_again(uv_idle_t *idle)
{
    (void)idle;
}

void server_again(struct server *server)
{
    uv_idle_start(&server->again, ran_again);
}

static void send_frames(struct server *server)
{
    const struct rkv_frame *frame;

    while (rkv_node_next_frame(server->node, &frame) == 1)
        peers_send(&server->peers, frame);
}

static void role_changed(struct server *server, const struct rkv_event *event)
{
    static const char *const roles[] = {"nobody", "follower", "precandidate",
                                        "candidate", "leader"};

    if (event->leader != server->leader && event->leader != 0) {
        server->metrics.leader_changes++;
        log_line(&server->log, LOG_INFO, "there is a leader",
                 "leader=%llx term=%llu", (unsigned long long)event->leader,
                 (unsigned long long)event->term);
    } else if (event->leader == 0 && server->leader != 0) {
        log_line(&server->log, LOG_WARN, "the leader is lost", "term=%llu",
                 (unsigned long long)event->term);
        server->leaderless = server_now(server);
    }
    if (event->role != server->role && event->role <= RKV_LEADER)
        log_line(&server->log, LOG_DEBUG, "role changed", "role=%s term=%llu",
                 roles[event->role], (unsigned long long)event->term);
    server->role = event->role;
    server->leader = event->leader;
    server->term = event->term;
}

static void take_event(struct server *server, const struct rkv_event *event)
{
    switch (event->kind) {
    case RKV_EVENT_DONE:
        calls_done(&server->calls, event);
        break;
    case RKV_EVENT_CHANGE:
        watches_change(&server->watches, event->change);
        break;
    case RKV_EVENT_ROLE:
        role_changed(server, event);
        break;
    case RKV_EVENT_MEMBERS:
        server->published = false;
        peers_update(&server->peers);
        break;
    case RKV_EVENT_RESTORED:
        log_line(&server->log, LOG_INFO,
                 "a snapshot of the leader's took the place of the state",
                 "index=%llu", (unsigned long long)event->index);
        break;
    default:
        break;
    }
}

/* True: there may be more. */
static bool take_events(struct server *server)
{
    const struct rkv_event *event;

    for (int i = 0; i < EVENTS_A_TURN; i++) {
        int rc = rkv_node_next_event(server->node, &event);
        if (rc == 1) {
            take_event(server, event);
            continue;
        }
        if (rc < 0) {
            log_line(&server->log, LOG_ERROR, "the member stopped",
                     "code=%s error=\"%s\" detail=\"%s\"", rkv_errname(rc),
                     rkv_strerror(rc), rkv_node_errmsg(server->node));
            server_stop(server, EXIT_FAILURE);
        }
        return false;
    }
    return true;
}

static void sweep(struct server *server, uint64_t now)
{
    if (now - server->swept < SWEEP_MS)
        return;
    server->swept = now;
    clients_sweep(&server->clients, now);
    peers_measure(&server->peers, now);
    metrics_judge_timeouts(server, now);
}

/* Sleeps no longer than until the node wants its next tick.  While a write
 * is out the node may want another; its end will wake us. */
static void set_alarm(struct server *server, uint64_t now)
{
    uint64_t deadline = rkv_node_deadline(server->node);
    uint64_t wait = deadline > now ? deadline - now : 0;

    if (wait == 0 && !disk_busy(&server->disk)) {
        server_again(server);
        return;
    }
    if (wait == 0)
        wait = 1;
    if (wait > SLEEP_MAX_MS)
        wait = SLEEP_MAX_MS;
    if (server->leave_by || server->clients.first || server->peers.links)
        wait = wait < SWEEP_MS ? wait : SWEEP_MS;
    uv_timer_start(&server->alarm, server->alarm.timer_cb, wait, 0);
}

static void rang(uv_timer_t *timer)
{
    (void)timer;
}

/* Told to stop, it goes when nobody waits for it any more, or cannot be
 * waited for. */
static void leave(struct server *server, uint64_t now)
{
    if (!server->leave_by)
        return;
    if (now >= server->leave_by ||
        (server->calls.waiting == 0 && clients_have_all(&server->clients)))
        server_stop(server, EXIT_SUCCESS);
}

static void turn(uv_check_t *check)
{
    struct server *server = check->data;
    uint64_t now = server_now(server);

    uv_idle_stop(&server->again);
    if (server->stopping)
        return;
    if (!disk_collect(&server->disk)) {
        server_stop(server, EXIT_FAILURE);
        return;
    }
    rkv_node_tick(server->node, now);
    calls_release(&server->calls);
    calls_begin_reads(&server->calls);
    send_frames(server);
    disk_begin(&server->disk);
    send_frames(server);
    peers_flush(&server->peers);
    bool more = take_events(server);
    if (server->stopping)
        return;
    if (!more)
        watches_settle(&server->watches, now);
    member_publish(server, now);
    sweep(server, now);
    send_frames(server);
    clients_flush(&server->clients);
    peers_flush(&server->peers);
    if (more)
        server_again(server);
    leave(server, now);
    set_alarm(server, now);
}

/* ---- beginning and end ---- */

void server_stop(struct server *server, int exit_code)
{
    if (server->stopping)
        return;
    server->stopping = true;
    server->exit_code = exit_code;
    uv_stop(&server->uv);
}

/* Who is on the way out takes nothing new, but each request that is under way
 * gets the answer it would have got.  A leader hands over first, so that the
 * others need not miss it for an election timeout.  The second signal does not
 * wait. */
static void told_to_stop(uv_signal_t *handle, int number)
{
    struct server *server = handle->data;

    log_line(&server->log, LOG_INFO, "stopping", "signal=%s",
             number == SIGTERM ? "SIGTERM" : "SIGINT");
    if (server->leave_by) {
        server_stop(server, EXIT_SUCCESS);
        return;
    }
    server->leave_by =
        server_now(server) + LEAVE_MS + server->flags.election_ms;
    clients_close_doors(&server->clients);
    if (server->role == RKV_LEADER && peers_up(&server->peers))
        calls_leave(&server->calls);
    server_again(server);
}

/* 0.0.0.0 is a place to listen, but none to go to. */
static void warn_of_nowhere(struct server *server)
{
    const struct url_list *urls = server->flags.advertise_client.count
                                      ? &server->flags.advertise_client
                                      : &server->flags.listen_client;

    for (size_t i = 0; i < urls->count; i++)
        if (strcmp(urls->urls[i].host, "0.0.0.0") == 0 ||
            strcmp(urls->urls[i].host, "::") == 0)
            log_line(&server->log, LOG_WARN,
                     "clients are told to go to an address that is none",
                     "host=%s do=\"give --advertise-client-urls\"",
                     urls->urls[i].host);
}

/* Scripts that let ports be chosen read them here. */
static int write_addresses(struct server *server)
{
    char path[sizeof server->flags.data_dir + 16];
    char ready[sizeof path + 8];
    char client[1024], peer[1024];
    FILE *file;

    url_list_format(&server->flags.listen_client, client, sizeof client);
    url_list_format(&server->flags.listen_peer, peer, sizeof peer);
    snprintf(ready, sizeof ready, "%s/addresses", server->flags.data_dir);
    snprintf(path, sizeof path, "%s/addresses.new", server->flags.data_dir);
    file = fopen(path, "w");
    bool fine = file && fprintf(file, "client %s\npeer %s\n", client, peer) > 0;
    if (file && fclose(file) != 0)
        fine = false;
    if (fine && rename(path, ready) != 0)
        fine = false;
    if (!fine)
        log_line(&server->log, LOG_WARN, "cannot write the addresses file",
                 "path=%s error=\"%s\"", ready, strerror(errno));
    warn_of_nowhere(server);
    log_line(&server->log, LOG_INFO, "ready",
             "client_urls=%s peer_urls=%s id=%llx cluster=%llx data_dir=\"%s\"",
             client, peer, (unsigned long long)server->id,
             (unsigned long long)server->cluster, server->flags.data_dir);
    return 0;
}

static void start_handles(struct server *server)
{
    uv_check_init(&server->uv, &server->turn);
    uv_timer_init(&server->uv, &server->alarm);
    uv_idle_init(&server->uv, &server->again);
    uv_signal_init(&server->uv, &server->terminate);
    uv_signal_init(&server->uv, &server->interrupt);
    server->turn.data = server;
    server->terminate.data = server;
    server->interrupt.data = server;
    uv_check_start(&server->turn, turn);
    uv_timer_start(&server->alarm, rang, 0, 0);
    uv_signal_start(&server->terminate, told_to_stop, SIGTERM);
    uv_signal_start(&server->interrupt, told_to_stop, SIGINT);
}

int server_start(struct server *server)
{
    struct rkv_node_status status = {.size = sizeof status};

    metrics_init(&server->metrics);
    calls_init(&server->calls, server);
    watches_init(&server->watches, server);
    if (uv_loop_init(&server->uv) != 0)
        return -1;
    signal(SIGPIPE, SIG_IGN);
    if (clients_listen(&server->clients, server,
                       &server->flags.listen_client) != 0 ||
        peers_listen(&server->peers, server, &server->flags.listen_peer) != 0)
        return -1;
    if (member_open(server) != 0)
        return -1;
    rkv_node_status(server->node, &status);
    server->boot = status.boot;
    memcpy(server->incarnation, status.incarnation, INCARNATION_BYTES);
    server->term = status.term;
    server->leader = status.leader;
    server->leaderless = server_now(server);
    server->role = status.role;
    if (disk_start(&server->disk, server) != 0)
        return -1;
    start_handles(server);
    keep_load(&server->keep, server);
    peers_update(&server->peers);
    return write_addresses(server);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

int server_run(struct server *server)
{
    uv_run(&server->uv, UV_RUN_DEFAULT);
    return server->exit_code;
}

/* Who waits is told; what was being written is finished. */
void server_end(struct server *server)
{
    server->stopping = true;
    calls_stop(&server->calls);
    clients_flush(&server->clients);
    disk_stop(&server->disk);
    clients_stop(&server->clients);
    peers_stop(&server->peers);
    uv_walk(&server->uv, close_handle, NULL);
    uv_run(&server->uv, UV_RUN_DEFAULT);
    member_close(server);
    uv_loop_close(&server->uv);
    calls_free(&server->calls);
    watches_free(&server->watches);
    arena_free(&server->arena);
    buffer_free(&server->scratch);
    keep_free(&server->keep);
    free(server->clients.read);
}
