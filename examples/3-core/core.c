/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The bare core, for hosts with a state machine, a log or a wire of their own:
 * three members agree on sentences.  The core says which messages to send and
 * which entries are committed and sees no byte of them; a rkv_tail knows the
 * bytes, a rkv_store makes them durable, and this file ties the three together.
 */
#include <raftkv/raftkv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMBERS = 3, QUEUE = 64, GROUP = 1 };

struct member {
    uint64_t id;
    uint64_t applied;
    rkv_store *store;
    rkv_tail *tail;
    rkv_raft *raft;
};

/* A message on its way, with its entry: here each has one at most. */
struct packet {
    struct rkv_raft_msg msg;
    struct rkv_raft_entry listed;
    struct rkv_entry entry;
    char bytes[256];
};

static struct member members[MEMBERS];
static struct packet queue[QUEUE];
static uint64_t now, queued, delivered;

static int must(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "%s: %s\n", what, rkv_strerror(result));
        exit(1);
    }
    return result;
}

/* Outbound messages: the core lists entries, the tail has their bytes.  What
 * cannot be sent is dropped, which the core takes for what networks do. */
static void send_message(struct member *me, const struct rkv_raft_msg *msg)
{
    struct packet *packet = &queue[queued % QUEUE];
    const struct rkv_entry *entry;

    if (queued - delivered == QUEUE)
        return;
    packet->msg = *msg;
    packet->msg.entries = &packet->listed;
    if (msg->count > 0) {
        if (rkv_tail_get(me->tail, msg->entries, 1, &entry) < 0 ||
            entry->len > sizeof packet->bytes)
            return;
        packet->listed = *msg->entries;
        packet->entry = *entry;
        packet->entry.data = packet->bytes;
        if (entry->len > 0)
            memcpy(packet->bytes, entry->data, entry->len);
        printf("%d sends %d entry %d: %.*s\n", (int)me->id, (int)msg->to,
               (int)entry->index, (int)entry->len, packet->bytes);
    }
    queued++;
}

/* What the core wants durable: bytes to the tail, then all to the store. */
static void persist(struct member *me, const struct rkv_raft_out *out,
                    const struct rkv_entry *fresh)
{
    struct rkv_store_write write = {.size = sizeof write, .group = GROUP};
    struct rkv_entry own = {.kind = RKV_ENTRY_NOOP};

    write.flags = RKV_WRITE_STATE;
    write.term = out->term;
    write.vote = out->vote;
    write.commit = out->commit;
    if (out->append_count > 0) {
        write.flags |= RKV_WRITE_ENTRIES;
        write.count = 1;
        own.index = out->append->index;
        own.term = out->append->term;
        if (!fresh || fresh->index != own.index || fresh->term != own.term)
            fresh = &own; /* what a new leader adds itself is empty */
        must(rkv_tail_add(me->tail, fresh, 1), "tail");
        must(rkv_tail_get(me->tail, out->append, 1, &write.entries), "tail");
    }
    must(rkv_store_write(me->store, &write, 1), "write");
}

/* Committed entries come once each, and in order.  Here they are sentences. */
static void apply(struct member *me, const struct rkv_raft_entry *listed)
{
    const struct rkv_entry *entry;

    must(rkv_tail_get(me->tail, listed, 1, &entry), "committed");
    printf("%d has entry %d: %.*s\n", (int)me->id, (int)entry->index,
           (int)entry->len, (const char *)entry->data);
    me->applied = entry->index;
}

/* One input and all that follows from it.  fresh: the entry it brings. */
static void feed(struct member *me, struct rkv_raft_in in,
                 struct rkv_entry *fresh)
{
    struct rkv_raft_in durable = {.kind = RKV_IN_PERSISTED, .now = now};
    struct rkv_raft_in applied = {.kind = RKV_IN_APPLIED, .now = now};
    const struct rkv_raft_out *out;

    in.now = now;
    must(rkv_raft_reserve(me->raft, 1), "reserve");
    must(rkv_raft_step(me->raft, &in), "step");
    if (in.kind == RKV_IN_PROPOSE) /* it has its place now */
        rkv_raft_last(me->raft, &fresh->index, &fresh->term);
    while (rkv_raft_drain(me->raft, &out)) {
        durable.token = out->flags & RKV_OUT_PERSIST ? out->token : 0;
        if (durable.token)
            persist(me, out, fresh);
        for (uint32_t i = 0; i < out->msgs_count; i++)
            send_message(me, &out->msgs[i]);
        for (uint32_t i = 0; i < out->committed_count; i++)
            apply(me, &out->committed[i]);
        /* From here on `out` is gone. */
        if (durable.token)
            must(rkv_raft_step(me->raft, &durable), "persisted");
        applied.index = me->applied;
        must(rkv_raft_step(me->raft, &applied), "applied");
    }
}

/* What all members must agree on from the start is who they are. */
static void start(struct member *me, uint64_t id)
{
    static const struct rkv_raft_member voters[MEMBERS] = {
        {1, RKV_VOTER, 0}, {2, RKV_VOTER, 0}, {3, RKV_VOTER, 0}};
    static const uint8_t nothing[RKV_CHAIN_BYTES];
    struct rkv_store_identity identity = {.size = sizeof identity};
    struct rkv_raft_boot boot = {.size = sizeof boot, .members = voters};
    struct rkv_raft_options options = {.size = sizeof options, .id = id};
    struct rkv_tail_options tail = {.size = sizeof tail, .group = GROUP};

    must(rkv_store_memory(NULL, &me->store), "store");
    must(rkv_store_start(me->store, &identity), "start");
    boot.boot = identity.boot;
    boot.members_count = MEMBERS;
    options.append_entries_max = 1;
    must(rkv_tail_new(&tail, 0, nothing, &me->tail), "tail");
    must(rkv_raft_new(&options, &boot, &me->raft), "raft");
    me->id = id;
}

/* Everybody's clock goes on, and every message on its way arrives. */
static void pass_time(void)
{
    now += 10;
    for (int i = 0; i < MEMBERS; i++)
        feed(&members[i], (struct rkv_raft_in){.kind = RKV_IN_TICK}, NULL);
    for (; delivered != queued; delivered++) {
        struct packet *packet = &queue[delivered % QUEUE];
        struct rkv_raft_in in = {.kind = RKV_IN_RECEIVE, .msg = &packet->msg};

        feed(&members[in.msg->to - 1], in, &packet->entry);
    }
}

int main(void)
{
    static const char *const said[] = {"no byte passes the core", "all agree"};
    struct rkv_entry entry = {.kind = RKV_ENTRY_COMMAND};
    struct rkv_raft_entry listed = {.kind = RKV_ENTRY_COMMAND};
    struct rkv_raft_in propose = {
        .kind = RKV_IN_PROPOSE, .entries = &listed, .count = 1};
    uint8_t chain[MEMBERS][RKV_CHAIN_BYTES];

    for (int i = 0; i < MEMBERS; i++)
        start(&members[i], (uint64_t)i + 1);
    feed(members, (struct rkv_raft_in){.kind = RKV_IN_CAMPAIGN}, NULL);
    pass_time();
    for (int i = 0; i < 2; i++) {
        entry.data = said[i];
        entry.len = listed.len = (uint32_t)strlen(said[i]);
        feed(members, propose, &entry);
        pass_time();
    }
    while (members[1].applied + members[2].applied < 2 * entry.index)
        pass_time();
    for (int i = 0; i < MEMBERS; i++) {
        must(rkv_tail_chain(members[i].tail, entry.index, chain[i]), "chain");
        must(memcmp(chain[i], chain[0], 32) ? RKV_EDIVERGED : 0, "logs");
        rkv_raft_free(members[i].raft);
        rkv_tail_free(members[i].tail);
        rkv_store_close(members[i].store);
    }
    puts("all three logs are the same");
    return 0;
}
