/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/bench/bench_core.c - three members in one thread, messages handed over
 * by pointer, disks that are done at once: what the consensus itself costs.
 * An operation is one entry, proposed, persisted, committed and applied on
 * all three; a batch is proposed at once and done before the next begins.
 */
#include <raftkv/raft.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"

enum { MEMBERS = 3, BATCH_MAX = 256, KEEP = 1024, PAYLOAD = 256 };

struct member {
    rkv_raft *raft;
    uint64_t token;   /* to be reported durable */
    uint64_t applied; /* to be reported */
    uint64_t told;    /* was */
    uint64_t compacted;
    bool dirty; /* stepped since its last drain */
    struct rkv_raft_in in;
    /* By index, what a host would keep: the payload, passed by pointer. */
    const void *payload[2 * KEEP];
};

struct trio {
    struct member members[MEMBERS];
    struct bench_allocator allocator;
    struct rkv_raft_entry entries[BATCH_MAX];
    uint32_t batch;
    bool has_payload;
    uint64_t messages;
    uint64_t bytes; /* seen when applied, so that it is */
};

/* The record is kept and only what a kind names is set, as a host in a hurry
 * would do it. */
static void step(struct member *m, uint32_t kind)
{
    m->in.kind = kind;
    m->dirty = true;
    bench_must(rkv_raft_step(m->raft, &m->in) == RKV_OK, "step");
}

/* Payloads follow their records from the sender's memory to ours. */
static void take_payloads(struct member *to, const struct member *from,
                          const struct rkv_raft_msg *msg)
{
    for (uint32_t i = 0; i < msg->count; i++) {
        uint64_t at = msg->entries[i].index & (2 * KEEP - 1);
        to->payload[at] = from->payload[at];
    }
}

static uint64_t apply(struct trio *t, struct member *m,
                      const struct rkv_raft_out *out)
{
    uint64_t bytes = 0;
    if (t->has_payload)
        for (uint32_t i = 0; i < out->committed_count; i++) {
            uint64_t at = out->committed[i].index & (2 * KEEP - 1);
            const unsigned char *payload = m->payload[at];
            bytes += payload == NULL ? 0 : *payload;
        }
    m->applied = out->committed[out->committed_count - 1].index;
    return bytes;
}

static void drain(struct trio *t, struct member *m)
{
    const struct rkv_raft_out *out;

    if (rkv_raft_drain(m->raft, &out) == 0)
        return;
    if ((out->flags & RKV_OUT_PERSIST) != 0)
        m->token = out->token;
    if (out->committed_count > 0)
        t->bytes += apply(t, m, out);
    t->messages += out->msgs_count;
    for (uint32_t i = 0; i < out->msgs_count; i++) {
        const struct rkv_raft_msg *msg = &out->msgs[i];
        struct member *to = &t->members[msg->to - 1];
        if (t->has_payload && msg->count > 0)
            take_payloads(to, m, msg);
        to->in.msg = msg;
        step(to, RKV_IN_RECEIVE);
    }
}

/* Until every member has committed and applied it all. */
static void settle(struct trio *t)
{
    bool again = true;
    while (again) {
        again = false;
        for (int i = 0; i < MEMBERS; i++) {
            struct member *m = &t->members[i];
            if (m->token != 0) {
                m->in.token = m->token;
                m->token = 0;
                step(m, RKV_IN_PERSISTED);
            }
            if (m->applied != m->told) {
                m->told = m->in.index = m->applied;
                step(m, RKV_IN_APPLIED);
            }
            if (m->dirty) {
                m->dirty = false;
                again = true;
                drain(t, m);
            }
        }
    }
}

static void compact(struct trio *t)
{
    for (int i = 0; i < MEMBERS; i++) {
        struct member *m = &t->members[i];
        if (m->applied - m->compacted < 2 * KEEP - BATCH_MAX)
            continue;
        m->compacted = m->applied - KEEP;
        m->in.index = m->compacted;
        step(m, RKV_IN_COMPACTED);
    }
}

static void propose(struct trio *t, const void *payload)
{
    struct member *leader = &t->members[0];
    leader->in.entries = t->entries;
    leader->in.count = t->batch;
    step(leader, RKV_IN_PROPOSE);
    if (t->has_payload) {
        uint64_t last;
        uint64_t term;
        rkv_raft_last(leader->raft, &last, &term);
        for (uint32_t i = 0; i < t->batch; i++)
            leader->payload[(last - i) & (2 * KEEP - 1)] = payload;
    }
}

static double run(void *ctx, uint64_t count)
{
    struct trio *t = ctx;
    static unsigned char payload[PAYLOAD];
    uint64_t done = t->members[2].applied;
    double begin = bench_now();

    for (uint64_t i = 0; i < count; i += t->batch) {
        propose(t, payload);
        settle(t);
        compact(t);
    }
    double taken = bench_now() - begin;
    bench_must(t->members[2].applied - done >= count,
               "all was applied by the last member");
    return taken;
}

static void trio_open(struct trio *t, uint32_t batch, bool has_payload)
{
    struct rkv_raft_member members[MEMBERS];
    memset(t, 0, sizeof(*t));
    bench_allocator_init(&t->allocator);
    t->batch = batch;
    t->has_payload = has_payload;
    for (uint32_t i = 0; i < BATCH_MAX; i++)
        t->entries[i] = (struct rkv_raft_entry){
            .kind = RKV_ENTRY_COMMAND, .len = has_payload ? PAYLOAD : 16};
    for (uint32_t i = 0; i < MEMBERS; i++)
        members[i] = (struct rkv_raft_member){.id = i + 1, .role = RKV_VOTER};
    for (uint32_t i = 0; i < MEMBERS; i++) {
        struct rkv_raft_options options = {.size = sizeof(options),
                                           .id = i + 1,
                                           .allocator =
                                               &t->allocator.allocator};
        struct rkv_raft_boot boot = {
            .size = sizeof(boot), .members = members, .members_count = MEMBERS};
        struct member *m = &t->members[i];
        bench_must(rkv_raft_new(&options, &boot, &m->raft) == RKV_OK, "new");
        bench_must(rkv_raft_reserve(m->raft, 2 * KEEP) == RKV_OK, "reserve");
    }
    step(&t->members[0], RKV_IN_CAMPAIGN);
    settle(t);
    struct rkv_raft_status status = {.size = sizeof(status)};
    rkv_raft_status(t->members[0].raft, &status);
    bench_must(status.role == RKV_LEADER, "election");
}

static void trio_close(struct trio *t)
{
    for (int i = 0; i < MEMBERS; i++)
        rkv_raft_free(t->members[i].raft);
    bench_must(t->allocator.bytes == 0, "all memory was given back");
}

static void bench_batch(uint32_t batch, bool has_payload, uint64_t count)
{
    static struct trio t;
    struct bench_counter counter;
    char name[64];
    char sub[96];

    snprintf(name, sizeof(name), "core.batch%u%s", batch,
             has_payload ? ".payload256" : "");
    trio_open(&t, batch, has_payload);
    uint64_t held = t.allocator.bytes;
    run(&t, count / 4);
    uint64_t calls = t.allocator.calls;
    uint64_t messages = t.messages;
    snprintf(sub, sizeof(sub), "%s.entries_per_s", name);
    bench_rate(sub, "entries/s", run, &t, count);
    double entries = (double)(count * BENCH_ROUNDS);
    if (!has_payload) {
        snprintf(sub, sizeof(sub), "%s.allocs_per_entry", name);
        bench_line(sub, (double)(t.allocator.calls - calls) / entries,
                   "allocs");
        snprintf(sub, sizeof(sub), "%s.messages_per_entry", name);
        bench_line(sub, (double)(t.messages - messages) / entries, "messages");
        snprintf(sub, sizeof(sub), "%s.instructions_per_entry", name);
        if (bench_counter_open(&counter)) {
            uint64_t before = bench_counter_read(&counter);
            run(&t, count);
            bench_line(sub,
                       (double)(bench_counter_read(&counter) - before) /
                           (double)count,
                       "instructions");
            bench_counter_close(&counter);
        } else {
            bench_skip(sub, "this system counts no instructions");
        }
    }
    if (batch == 1)
        bench_line("core.bytes_per_member", (double)held / MEMBERS, "bytes");
    trio_close(&t);
}

int main(int argc, char **argv)
{
    uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;

    bench_batch(1, false, count);
    bench_batch(100, false, 4 * count);
    bench_batch(100, true, 4 * count);
    return EXIT_SUCCESS;
}
