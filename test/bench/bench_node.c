/* SPDX-License-Identifier: BSD-2-Clause
 *
 * build/bench-node: three members in one process and one thread, on memory
 * stores, frames handed over as they come: puts of 256 bytes over 10,000
 * keys, unsealed, each counted when it is applied on all three.  Batch N
 * means that N are proposed at once and the next N only when those are
 * applied everywhere.
 *
 * A tick passes with each 128 puts, and a history of 100 ticks is kept, so
 * that what is measured is how things go on: logs are cut, history is
 * compacted, and memory is used again.
 */
#include <raftkv/node.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"

enum { MEMBERS = 3, KEYS = 10000, VALUE = 256, COMMAND_MAX = 512 };
enum { HISTORY_MS = 100, PUTS_A_TICK = 128, PUTS_A_TURN = 8 * PUTS_A_TICK };

struct fleet {
    rkv_store *stores[MEMBERS];
    rkv_node *nodes[MEMBERS];
    uint64_t now;
    uint32_t leader;
    uint64_t next;
    uint64_t answered;
    uint32_t batch;
    unsigned char command[COMMAND_MAX];
    size_t command_len;
    size_t key_at; /* where the key stands in the command */
};

static void send_all(struct fleet *f, uint32_t at)
{
    const struct rkv_frame *frame;

    while (rkv_node_next_frame(f->nodes[at], &frame) > 0)
        (void)rkv_node_receive(f->nodes[frame->to - 1], f->now, frame->data,
                               frame->len);
}

static void turn(struct fleet *f, uint32_t at)
{
    const struct rkv_event *event;

    send_all(f, at);
    bench_must(rkv_node_flush(f->nodes[at], f->now) == RKV_OK, "a flush");
    send_all(f, at);
    while (rkv_node_next_event(f->nodes[at], &event) > 0)
        if (event->kind == RKV_EVENT_DONE) {
            bench_must(event->outcome == RKV_DONE, "a put is done");
            f->answered++;
        }
}

static void turn_all(struct fleet *f)
{
    for (uint32_t i = 0; i < MEMBERS; i++)
        turn(f, (f->leader + i) % MEMBERS);
}

static uint64_t applied(const struct fleet *f, uint32_t at)
{
    struct rkv_node_status status = {.size = sizeof status};

    rkv_node_status(f->nodes[at], &status);
    return status.applied;
}

static bool all_applied(const struct fleet *f)
{
    uint64_t first;

    if (f->answered != f->next)
        return false;
    first = applied(f, f->leader);
    return applied(f, (f->leader + 1) % MEMBERS) == first &&
           applied(f, (f->leader + 2) % MEMBERS) == first;
}

/* One command, made once; each put changes the digits of its key. */
static void make_command(struct fleet *f)
{
    char value[VALUE];
    struct rkv_put put = {.size = sizeof put,
                          .key = "key-000000",
                          .key_len = 10,
                          .value = value,
                          .value_len = sizeof value};
    const void *bytes;
    rkv_txn *txn;

    memset(value, 'v', sizeof value);
    bench_must(rkv_txn_new(NULL, &txn) == RKV_OK, "a transaction");
    (void)rkv_txn_put(txn, &put);
    bench_must(rkv_txn_encode(txn, &bytes, &f->command_len) == RKV_OK &&
                   f->command_len <= COMMAND_MAX,
               "a command");
    memcpy(f->command, bytes, f->command_len);
    rkv_txn_free(txn);
    while (f->key_at < f->command_len &&
           memcmp(f->command + f->key_at, "key-000000", 10) != 0)
        f->key_at++;
    bench_must(f->key_at < f->command_len, "the key in the command");
}

static void propose(struct fleet *f)
{
    uint64_t key = f->next * 7919 % KEYS;

    for (int digit = 9; digit > 3; digit--, key /= 10)
        f->command[f->key_at + (size_t)digit] = (unsigned char)('0' + key % 10);
    bench_must(rkv_node_propose(f->nodes[f->leader], f->next, f->command,
                                f->command_len) == RKV_OK,
               "a proposal");
    f->next++;
}

static void pass(struct fleet *f, uint64_t ticks)
{
    f->now += ticks;
    for (uint32_t at = 0; at < MEMBERS; at++)
        (void)rkv_node_tick(f->nodes[at], f->now);
}

static double round_of(void *ctx, uint64_t count)
{
    struct fleet *f = ctx;
    double begin = bench_now();

    for (uint64_t i = 0; i < count; i += f->batch) {
        for (uint32_t k = 0; k < f->batch; k++)
            propose(f);
        while (!all_applied(f))
            turn_all(f);
        if (i % PUTS_A_TURN < f->batch)
            pass(f, PUTS_A_TURN / PUTS_A_TICK);
    }
    return bench_now() - begin;
}

static void open_all(struct fleet *f, const struct rkv_allocator *allocator)
{
    struct rkv_member members[MEMBERS] = {{.id = 1, .role = RKV_VOTER},
                                          {.id = 2, .role = RKV_VOTER},
                                          {.id = 3, .role = RKV_VOTER}};

    f->now = 1;
    for (uint32_t i = 0; i < MEMBERS; i++) {
        struct rkv_node_options options = {.size = sizeof options,
                                           .cluster = 1,
                                           .id = i + 1,
                                           .seed = i,
                                           .history_revisions = KEYS,
                                           .history_ms = HISTORY_MS,
                                           .allocator = allocator};

        bench_must(rkv_store_memory(allocator, &f->stores[i]) == RKV_OK,
                   "a store");
        bench_must(rkv_node_open(&options, f->stores[i], &f->nodes[i]) ==
                       RKV_OK,
                   "a node");
        bench_must(rkv_node_bootstrap(f->nodes[i], members, MEMBERS) == RKV_OK,
                   "a bootstrap");
    }
}

static void elect(struct fleet *f)
{
    struct rkv_node_status status = {.size = sizeof status};

    for (f->leader = 0;; f->leader = (f->leader + 1) % MEMBERS) {
        f->now += 10;
        for (uint32_t i = 0; i < MEMBERS; i++)
            (void)rkv_node_tick(f->nodes[i], f->now);
        turn_all(f);
        rkv_node_status(f->nodes[f->leader], &status);
        if (status.role == RKV_LEADER && status.commit == status.last)
            return;
        bench_must(f->now < 100000, "an election");
    }
}

static void run(uint32_t batch, uint64_t count)
{
    struct bench_allocator allocator;
    struct fleet f = {.batch = batch};
    char name[64];
    uint64_t calls;

    bench_allocator_init(&allocator);
    make_command(&f);
    open_all(&f, &allocator.allocator);
    elect(&f);
    /* Past the first snapshot and the first of each key. */
    (void)round_of(&f, count);
    calls = allocator.calls;
    (void)snprintf(name, sizeof name, "node.batch%u.entries_per_s", batch);
    (void)bench_rate(name, "entries/s", round_of, &f, count);
    (void)snprintf(name, sizeof name, "node.batch%u.allocs_per_entry", batch);
    bench_line(name,
               (double)(allocator.calls - calls) /
                   (double)(count * BENCH_ROUNDS),
               "calls");
    for (uint32_t i = 0; i < MEMBERS; i++) {
        rkv_node_close(f.nodes[i]);
        rkv_store_close(f.stores[i]);
    }
    bench_must(allocator.bytes == 0, "all memory given back");
}

int main(int argc, char **argv)
{
    uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 30000;

    run(1, count);
    run(100, 2 * count);
    return 0;
}
