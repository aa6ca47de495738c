/* SPDX-License-Identifier: BSD-2-Clause
 *
 * build/bench-groups: many groups of three that have nothing to do, in one
 * process and thread, with small windows: three hubs on memory stores, frames
 * handed over as they come.  What each member takes of memory, what a second
 * of them costs while they exchange heartbeats and while they sleep, and how
 * long a put takes that wakes one.  A tick is a millisecond.
 */
#include <raftkv/hub.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"

enum {
    MEMBERS = 3,
    HEARTBEAT = 100,
    ELECTION = 1000,
    QUIET = 2000,
    SECOND = 1000,
    WAKES = 201
};

struct crowd {
    rkv_store *stores[MEMBERS];
    rkv_hub *hubs[MEMBERS];
    rkv_node **nodes[MEMBERS]; /* by group */
    uint64_t count;
    uint64_t now;
    uint64_t frames;
    uint64_t bytes; /* of them */
    uint64_t done;  /* puts */
    struct bench_allocator memory;
    struct bench_allocator disks;
    unsigned char command[512];
    size_t command_len;
};

/* ---- a loop ---- */

static void send_all(struct crowd *c, int at)
{
    const struct rkv_frame *frame;

    while (rkv_hub_next_frame(c->hubs[at], &frame) > 0) {
        c->frames++;
        c->bytes += frame->len;
        (void)rkv_hub_receive(c->hubs[frame->to - 1], c->now, frame->data,
                              frame->len);
    }
}

static void turn(struct crowd *c, int at)
{
    const struct rkv_event *event;

    bench_must(rkv_hub_tick(c->hubs[at], c->now) == RKV_OK, "a tick");
    send_all(c, at);
    bench_must(rkv_hub_flush(c->hubs[at], c->now) == RKV_OK, "a flush");
    send_all(c, at);
    while (rkv_hub_next_event(c->hubs[at], &event) > 0)
        if (event->kind == RKV_EVENT_DONE) {
            bench_must(event->outcome == RKV_DONE, "a put is done");
            c->done++;
        }
}

static uint64_t next_deadline(const struct crowd *c)
{
    uint64_t due = UINT64_MAX;

    for (int i = 0; i < MEMBERS; i++) {
        uint64_t at = rkv_hub_deadline(c->hubs[i]);
        due = at < due ? at : due;
    }
    return due;
}

/* Whoever has something to do does it, until nobody has. */
static void settle(struct crowd *c)
{
    for (bool any = true; any;) {
        any = false;
        for (int i = 0; i < MEMBERS; i++)
            if (rkv_hub_deadline(c->hubs[i]) <= c->now) {
                turn(c, i);
                any = true;
            }
    }
}

static void pass(struct crowd *c, uint64_t ticks)
{
    uint64_t end = c->now + ticks;

    for (uint64_t due; (due = next_deadline(c)) <= end; settle(c))
        c->now = due > c->now ? due : c->now;
    c->now = end;
}

/* ---- a life ---- */

static void make_command(struct crowd *c)
{
    struct rkv_put put = {.size = sizeof put,
                          .key = "key",
                          .key_len = 3,
                          .value = "value",
                          .value_len = 5};
    const void *bytes;
    rkv_txn *txn;

    bench_must(rkv_txn_new(NULL, &txn) == RKV_OK, "a transaction");
    (void)rkv_txn_put(txn, &put);
    bench_must(rkv_txn_encode(txn, &bytes, &c->command_len) == RKV_OK &&
                   c->command_len <= sizeof c->command,
               "a command");
    memcpy(c->command, bytes, c->command_len);
    rkv_txn_free(txn);
}

static void open_group(struct crowd *c, int at, uint64_t group,
                       uint32_t quiet_ticks)
{
    struct rkv_raft_options raft = {.size = sizeof raft,
                                    .election_ticks = ELECTION,
                                    .heartbeat_ticks = HEARTBEAT,
                                    .members_max = MEMBERS,
                                    .inflight_max = 4,
                                    .append_entries_max = 16,
                                    .reads_max = 4,
                                    .entries_max = 64,
                                    .quiet_ticks = quiet_ticks};
    struct rkv_node_options options = {
        .size = sizeof options, .group = group, .seed = group, .raft = &raft};
    struct rkv_member members[MEMBERS];
    rkv_node **node = &c->nodes[at][group];

    memset(members, 0, sizeof members);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        members[i].id = i + 1;
        members[i].role = RKV_VOTER;
        members[i].address = "10.0.0.1:2380";
        members[i].address_len = 13;
    }
    bench_must(rkv_hub_node(c->hubs[at], &options, node) == RKV_OK, "a node");
    bench_must(rkv_node_bootstrap(*node, members, MEMBERS) == RKV_OK,
               "a bootstrap");
}

static void crowd_open(struct crowd *c, uint64_t count, uint32_t quiet_ticks)
{
    memset(c, 0, sizeof *c);
    bench_allocator_init(&c->memory);
    bench_allocator_init(&c->disks);
    make_command(c);
    c->count = count;
    c->now = 1;
    for (int i = 0; i < MEMBERS; i++) {
        struct rkv_hub_options options = {.size = sizeof options,
                                          .groups_max = (uint32_t)count,
                                          .cluster = 1,
                                          .id = (uint64_t)i + 1,
                                          .allocator = &c->memory.allocator};

        bench_must(rkv_store_memory(&c->disks.allocator, &c->stores[i]) ==
                       RKV_OK,
                   "a store");
        bench_must(rkv_hub_open(&options, c->stores[i], &c->hubs[i]) == RKV_OK,
                   "a hub");
        c->nodes[i] = calloc(count, sizeof *c->nodes[i]);
        bench_must(c->nodes[i] != NULL, "memory");
        for (uint64_t group = 0; group < count; group++)
            open_group(c, i, group, quiet_ticks);
    }
    pass(c, 4 * ELECTION);
}

static void crowd_close(struct crowd *c)
{
    for (int i = 0; i < MEMBERS; i++) {
        rkv_hub_close(c->hubs[i]);
        rkv_store_close(c->stores[i]);
        free(c->nodes[i]);
    }
    bench_must(c->memory.bytes == 0 && c->disks.bytes == 0,
               "all memory was given back");
}

static struct rkv_node_status status_of(const struct crowd *c, int at,
                                        uint64_t group)
{
    struct rkv_node_status status = {.size = sizeof status};

    rkv_node_status(c->nodes[at][group], &status);
    return status;
}

/* ---- what it costs ---- */

static void bench_memory(const struct crowd *c)
{
    double bytes = (double)c->memory.bytes / (double)c->count;

    bench_line("groups.idle.bytes_per_group", bytes, "bytes");
    bench_line("groups.idle.bytes_per_member", bytes / MEMBERS, "bytes");
}

static void bench_time(struct crowd *c, const char *name)
{
    uint64_t frames = c->frames, bytes = c->bytes;
    double begin = bench_cpu(), cpu;
    char line[96];

    pass(c, 5 * SECOND);
    cpu = (bench_cpu() - begin) / 5;
    (void)snprintf(line, sizeof line, "groups.%s.cpu_ms_per_s", name);
    bench_line(line, cpu * 1000, "ms");
    (void)snprintf(line, sizeof line, "groups.%s.frames_per_s", name);
    bench_line(line, (double)(c->frames - frames) / 5, "frames");
    (void)snprintf(line, sizeof line, "groups.%s.bytes_per_s", name);
    bench_line(line, (double)(c->bytes - bytes) / 5, "bytes");
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* From a put at the leader of one group to its answer. */
static void bench_wake(struct crowd *c)
{
    double taken[WAKES];

    for (uint64_t i = 0; i < WAKES; i++) {
        uint64_t group = i * 7919 % c->count, done = c->done;
        int at = (int)status_of(c, 0, group).leader - 1;
        double begin;

        c->now += 10;
        begin = bench_now();
        bench_must(rkv_node_propose(c->nodes[at][group], i, c->command,
                                    c->command_len) == RKV_OK,
                   "a put");
        while (c->done == done)
            settle(c);
        taken[i] = bench_now() - begin;
        settle(c);
    }
    qsort(taken, WAKES, sizeof taken[0], by_size);
    bench_line("groups.asleep.wake_put_us", taken[WAKES / 2] * 1e6, "us");
}

int main(int argc, char **argv)
{
    uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000;
    struct crowd c;

    crowd_open(&c, count, 0);
    bench_memory(&c);
    bench_time(&c, "awake");
    crowd_close(&c);
    crowd_open(&c, count, QUIET);
    pass(&c, 2 * QUIET);
    bench_time(&c, "asleep");
    bench_wake(&c);
    crowd_close(&c);
    return EXIT_SUCCESS;
}
