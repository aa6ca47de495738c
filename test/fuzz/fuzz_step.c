/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Any bytes as a life of the core: messages from members that say whatever
 * they like, and a host that keeps its side of the contract.  The input is a
 * list of steps, a byte that says which and the bytes it takes.  After each,
 * everything is drained, the invariants of the room must hold, and what the
 * core wants sent must pass through wire unchanged.  Two cores live it, and
 * must end alike.
 */
#include <stdio.h>

#include "exact.h"
#include "raft/core.h"

enum { SELF = 1, ENTRIES_MAX = 256, QUEUE_MAX = 1024, DRAINS_MAX = 1000 };

struct life {
    rkv_raft *raft;
    const uint8_t *at;
    const uint8_t *end;
    uint64_t now;
    uint64_t token;     /* of the last persist asked for */
    uint64_t committed; /* given to us up to here */
    uint64_t restore_index;
    uint64_t restore_term;
    uint32_t queue_head; /* committed, not applied */
    uint32_t queue_tail;
    struct rkv_raft_entry queue[QUEUE_MAX];
};

static const uint8_t zeros[1 << 16];
static const struct rkv_raft_member everybody[] = {
    {.id = 1, .role = RKV_VOTER},
    {.id = 2, .role = RKV_VOTER},
    {.id = 3, .role = RKV_VOTER},
};
static const struct rkv_raft_member half_out[] = {
    {.id = 1, .role = RKV_VOTER | RKV_OUTGOING | RKV_AUTO_LEAVE},
    {.id = 2, .role = RKV_OUTGOING | RKV_LEARNER_NEXT | RKV_AUTO_LEAVE},
    {.id = 3, .role = RKV_VOTER},
};

static uint8_t next(struct life *life)
{
    return life->at < life->end ? *life->at++ : 0;
}

/* A number near another, and sometimes far away. */
static uint64_t near(struct life *life, uint64_t from)
{
    uint8_t by = next(life);
    if (by >= 0xf0)
        return (uint64_t)next(life) << (by & 15) * 4;
    if (by >= 0x80)
        return from + (by & 15);
    return from > (by & 15u) ? from - (by & 15u) : 0;
}

static int step(struct life *life, struct rkv_raft_in *in)
{
    in->now = life->now;
    return rkv_raft_step(life->raft, in);
}

/* What the core wants sent is what a peer would read. */
static void post(const struct rkv_raft_msg *msg)
{
    static struct rkv_entry entries[2 * ENTRIES_MAX];
    static struct rkv_entry got[2 * ENTRIES_MAX];
    static struct rkv_raft_entry records[2 * ENTRIES_MAX];
    struct rkv_message_room room = {got, records, 2 * ENTRIES_MAX};
    struct rkv_allocator allocator = rkv_alloc_choose(NULL);
    struct rkv_raft_msg read;
    const uint8_t *previous;
    struct rkv_buffer body;
    struct rkv_reader reader;

    exact_require(msg->count <= 2 * ENTRIES_MAX);
    for (uint32_t i = 0; i < msg->count; i++)
        entries[i] = (struct rkv_entry){.index = msg->entries[i].index,
                                        .term = msg->entries[i].term,
                                        .data = zeros,
                                        .len = msg->entries[i].len,
                                        .kind = msg->entries[i].kind};
    rkv_buffer_init(&body, &allocator);
    rkv_message_encode(&body, 1, msg, zeros, entries);
    recode_bare(&body);
    rkv_reader_init(&reader, body.data, body.len);
    exact_require(rkv_message_decode(&reader, &read, &previous, &room) ==
                  RKV_OK);
    for (uint32_t i = 0; i < msg->count; i++)
        exact_require(memcmp(&read.entries[i], &msg->entries[i],
                             sizeof *msg->entries) == 0);
    read.entries = msg->entries;
    exact_require(memcmp(&read, msg, sizeof read) == 0);
    rkv_buffer_free(&body);
}

static void take(struct life *life, const struct rkv_raft_out *out)
{
    if ((out->flags & RKV_OUT_PERSIST) != 0) {
        exact_require(out->token > life->token);
        life->token = out->token;
    }
    for (uint32_t i = 1; i < out->append_count; i++)
        exact_require(out->append[i].index == out->append[i - 1].index + 1);
    for (uint32_t i = 0; i < out->msgs_count; i++)
        post(&out->msgs[i]);
    for (uint32_t i = 0; i < out->committed_count; i++) {
        exact_require(out->committed[i].index == life->committed + 1);
        exact_require(life->queue_tail - life->queue_head < QUEUE_MAX);
        life->committed++;
        life->queue[life->queue_tail++ % QUEUE_MAX] = out->committed[i];
    }
    if ((out->flags & RKV_OUT_RESTORE) != 0) {
        life->restore_index = out->restore_index;
        life->restore_term = out->restore_term;
    }
}

static void drain(struct life *life)
{
    const struct rkv_raft_out *out;
    int drains = 0;

    while (rkv_raft_drain(life->raft, &out) != 0) {
        exact_require(drains++ < DRAINS_MAX);
        take(life, out);
    }
    const char *broken = rkv_core_check(life->raft);
    if (broken != NULL) {
        fprintf(stderr, "no longer true: %s\n", broken);
        abort();
    }
}

/* Through bytes, as it would come. */
static void receive(struct life *life, const uint8_t *body, size_t len)
{
    static struct rkv_entry entries[ENTRIES_MAX];
    static struct rkv_raft_entry records[ENTRIES_MAX];
    struct rkv_message_room room = {entries, records, ENTRIES_MAX};
    struct rkv_raft_msg msg;
    struct rkv_raft_in in = {.kind = RKV_IN_RECEIVE, .msg = &msg};
    const uint8_t *previous;
    struct rkv_reader reader;

    rkv_reader_init(&reader, body, len);
    if (rkv_message_decode(&reader, &msg, &previous, &room) == RKV_OK)
        (void)step(life, &in);
}

static void receive_raw(struct life *life)
{
    size_t len = next(life);
    size_t left = (size_t)(life->end - life->at);

    len = len < left ? len : left;
    receive(life, life->at, len);
    life->at += len;
}

/* A message about what this member has, roughly: the rest of the space is
 * refused at the door. */
static void receive_likely(struct life *life)
{
    struct rkv_allocator allocator = rkv_alloc_choose(NULL);
    struct rkv_raft_status status = {.size = sizeof status};
    struct rkv_entry entries[8];
    struct rkv_raft_msg msg = {.to = SELF};
    struct rkv_buffer body;

    rkv_raft_status(life->raft, &status);
    msg.kind = 1 + next(life) % RKV_MSG_TRANSFER;
    msg.flags = next(life) & 127;
    msg.priority = msg.flags & 3;
    msg.from = 2 + next(life) % 4;
    msg.term = near(life, status.term);
    msg.index = near(life, status.last);
    msg.log_term = near(life, status.term);
    msg.commit = near(life, status.commit);
    msg.hint = near(life, status.last);
    msg.hint_term = near(life, status.term);
    msg.round = next(life);
    msg.boot = next(life) & 3;
    msg.stated_boot = next(life) & 3;
    msg.stated_last = near(life, status.last);
    if (msg.kind == RKV_MSG_APPEND) {
        if (msg.log_term > msg.term)
            msg.log_term = msg.term;
        msg.last_term = msg.log_term;
        for (uint8_t n = next(life) & 7; n > 0; n--) {
            uint64_t term = near(life, msg.term);
            if (term < msg.last_term || term > msg.term)
                term = msg.term;
            entries[msg.count] = (struct rkv_entry){
                .index = msg.index + 1 + msg.count,
                .term = term,
                .data = zeros,
                .len = next(life),
                .kind = 1 + next(life) % RKV_ENTRY_NOOP,
            };
            msg.count++;
            msg.last_term = term;
        }
        if (msg.last_term == 0)
            return;
    }
    rkv_buffer_init(&body, &allocator);
    rkv_message_encode(&body, 1, &msg, zeros, entries);
    recode_bare(&body);
    receive(life, body.data, body.len);
    rkv_buffer_free(&body);
}

static struct rkv_raft_changes draw_changes(struct life *life,
                                            struct rkv_raft_change list[4])
{
    uint8_t what = next(life);
    struct rkv_raft_changes changes = {
        .list = list, .count = what & 3, .transition = what >> 2 & 3};

    for (uint32_t i = 0; i < changes.count; i++) {
        uint8_t step = next(life);
        list[i].op = step & 7;
        list[i].id = (step >> 3) % 6u;
    }
    return changes;
}

static void propose(struct life *life)
{
    struct rkv_raft_entry entries[4] = {{0}};
    struct rkv_raft_change list[4] = {{0}};
    struct rkv_raft_changes changes;
    struct rkv_raft_in in = {.kind = RKV_IN_PROPOSE, .entries = entries};
    uint8_t what = next(life);

    if (what >= 0xc0) {
        changes = draw_changes(life, list);
        in.changes = &changes;
        in.count = 1;
        entries[0].kind = RKV_ENTRY_CONFIG;
        entries[0].len = 20;
    } else {
        in.count = 1 + (what & 3);
        for (uint32_t i = 0; i < in.count; i++) {
            entries[i].kind = RKV_ENTRY_COMMAND;
            entries[i].len = next(life);
        }
    }
    (void)step(life, &in);
}

/* Applies up to n of what was committed, in order; a configuration ends one
 * way or the other. */
static void apply(struct life *life, uint32_t n)
{
    for (; n > 0 && life->queue_head != life->queue_tail; n--) {
        const struct rkv_raft_entry *entry =
            &life->queue[life->queue_head++ % QUEUE_MAX];
        struct rkv_raft_change list[4] = {{0}};
        struct rkv_raft_in in = {.kind = RKV_IN_APPLIED, .index = entry->index};
        if (entry->kind == RKV_ENTRY_CONFIG) {
            struct rkv_raft_changes changes = draw_changes(life, list);
            in.kind = RKV_IN_CONFIGURED;
            in.changes = &changes;
            if (step(life, &in) == RKV_OK)
                continue;
            in.kind = RKV_IN_REJECTED;
            in.changes = NULL;
        }
        int rc = step(life, &in);
        exact_require(rc == RKV_OK || rc == RKV_EFAILED);
    }
}

static void restore(struct life *life)
{
    struct rkv_raft_in in = {.kind = RKV_IN_RESTORED};
    uint8_t what = next(life);

    if (what >= 0xc0) {
        in.kind = RKV_IN_RESTORE_FAILED;
    } else {
        in.index = life->restore_index + (what & 7);
        in.term = life->restore_term + (what >> 3 & 1);
        in.members = (what & 0x80) != 0 ? half_out : everybody;
        in.count = 1 + (what >> 4) % 3;
    }
    if (step(life, &in) != RKV_OK)
        return;
    if (in.kind == RKV_IN_RESTORED) {
        life->committed = in.index;
        life->queue_head = life->queue_tail;
    }
}

static void ask(struct life *life)
{
    static const uint32_t kinds[] = {
        RKV_IN_READ,     RKV_IN_SNAPSHOT_FAILED, RKV_IN_UNREACHABLE,
        RKV_IN_TRANSFER, RKV_IN_CAMPAIGN,        RKV_IN_FORGET_LEADER,
        RKV_IN_CAPACITY, RKV_IN_WANT_SNAPSHOT,   RKV_IN_WAKE,
    };
    uint8_t what = next(life);
    struct rkv_raft_in in = {.kind = kinds[what % 9]};

    if (in.kind == RKV_IN_READ)
        in.token = what;
    else if (in.kind == RKV_IN_CAPACITY)
        in.token = (uint64_t)what << (what & 15);
    else if (in.kind < RKV_IN_CAMPAIGN)
        in.peer = (what >> 4) % 6;
    (void)step(life, &in);
}

static void compact(struct life *life)
{
    struct rkv_raft_status status = {.size = sizeof status};
    struct rkv_raft_in in = {.kind = RKV_IN_COMPACTED};

    rkv_raft_status(life->raft, &status);
    in.index = near(life, status.applied);
    (void)step(life, &in);
}

static void persisted(struct life *life)
{
    uint8_t behind = next(life) & 3;
    struct rkv_raft_in in = {.kind = RKV_IN_PERSISTED};

    in.token = life->token > behind ? life->token - behind : 1;
    (void)step(life, &in);
}

static void one_step(struct life *life)
{
    struct rkv_raft_in in = {.kind = RKV_IN_TICK};

    switch (next(life) & 15) {
    case 0:
        receive_raw(life);
        break;
    case 1:
        life->now += next(life);
        (void)step(life, &in);
        break;
    case 2:
        propose(life);
        break;
    case 3:
        restore(life);
        break;
    case 4:
        compact(life);
        break;
    case 5:
        (void)rkv_raft_reserve(life->raft, next(life));
        break;
    case 6:
        if (next(life) == 0xff) {
            in.kind = RKV_IN_PERSIST_FAILED;
            (void)step(life, &in);
        }
        break;
    case 7:
        ask(life);
        break;
    case 8:
        apply(life, next(life));
        break;
    case 9:
    case 10:
        persisted(life);
        break;
    default:
        receive_likely(life);
        break;
    }
}

/* The first byte says how it begins. */
static uint64_t live(const uint8_t *data, size_t size)
{
    struct rkv_raft_options options = {.size = sizeof options,
                                       .id = SELF,
                                       .seed = 1,
                                       .election_ticks = 100,
                                       .heartbeat_ticks = 10,
                                       .members_max = 4,
                                       .inflight_max = 4,
                                       .append_entries_max = 8,
                                       .reads_max = 4,
                                       .entries_max = ENTRIES_MAX,
                                       .append_bytes_max = 1024,
                                       .inflight_bytes_max = 2048,
                                       .uncommitted_bytes_max = 4096};
    struct rkv_raft_boot boot = {.size = sizeof boot,
                                 .boot = 1,
                                 .term = 1,
                                 .snapshot_index = 1,
                                 .snapshot_term = 1,
                                 .members = everybody,
                                 .members_count = 3};
    static struct life life;

    memset(&life, 0, sizeof life);
    life.at = data;
    life.end = data + size;
    uint8_t how = next(&life);
    options.flags = how & 3;
    if ((how & 32) != 0)
        options.flags |= RKV_RAFT_NO_CHANGE_CHECK | RKV_RAFT_NO_STEP_DOWN;
    if ((how & 64) != 0)
        options.priority = 2;
    if ((how & 4) != 0) {
        boot.recovering = 1;
        boot.promised = 3;
    }
    if ((how & 8) != 0)
        boot.members_count = 1;
    if ((how & 16) != 0)
        boot.snapshot_index = boot.snapshot_term = boot.members_count = 0;
    if ((how & 128) != 0)
        boot.members = half_out;
    life.committed = boot.snapshot_index;
    if (rkv_raft_new(&options, &boot, &life.raft) != RKV_OK)
        return 0;
    (void)rkv_raft_reserve(life.raft, 64);
    drain(&life);
    while (life.at < life.end) {
        one_step(&life);
        drain(&life);
    }
    uint64_t digest = rkv_raft_digest(life.raft);
    rkv_raft_free(life.raft);
    return digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 4096)
        return 0;
    exact_require(live(data, size) == live(data, size));
    return 0;
}
