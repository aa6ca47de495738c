/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Three members in one process; the network is a for loop.  They elect a
 * leader, take writes on any member, lose their leader, elect another, go on,
 * and take the lost one back; in the end all hold the same, to the byte.
 *
 * A memory store lasts as long as its handle: a node that is closed and opened
 * again on its store is what a crash and a restart are to a member on disk.
 */
#include <raftkv/raftkv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMBERS = 3 };

struct member {
    rkv_store *store;
    rkv_node *node;   /* NULL while it is dead */
    uint64_t answers; /* requests of ours that are done */
};

static struct member members[MEMBERS];
static uint64_t now; /* in ticks */

static int must(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "%s: %s: %s\n", what, rkv_errname(result),
                rkv_strerror(result));
        exit(1);
    }
    return result;
}

static void fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static void take_event(struct member *me, const struct rkv_event *event)
{
    if (event->kind == RKV_EVENT_ROLE && event->role == RKV_LEADER)
        printf("member %d leads term %llu\n", (int)(me - members) + 1,
               (unsigned long long)event->term);
    if (event->kind == RKV_EVENT_DONE && event->outcome != RKV_DONE)
        fail(rkv_strerror(event->status));
    if (event->kind == RKV_EVENT_DONE)
        me->answers++;
}

/* The loop of every host, once around.  The network is its first while: a
 * frame for member n is handed to member n, if it lives. */
static void turn(struct member *me)
{
    const struct rkv_frame *frame;
    const struct rkv_event *event;

    must(rkv_node_tick(me->node, now), "tick");
    must(rkv_node_flush(me->node, now), "flush");
    while (must(rkv_node_next_frame(me->node, &frame), "frame")) {
        struct member *to = &members[frame->to - 1];
        if (to->node)
            rkv_node_receive(to->node, now, frame->data, frame->len);
    }
    while (must(rkv_node_next_event(me->node, &event), "event"))
        take_event(me, event);
}

/* Ten ticks pass, and everybody alive gets a turn. */
static void pass_time(void)
{
    now += 10;
    for (int i = 0; i < MEMBERS; i++)
        if (members[i].node)
            turn(&members[i]);
}

static void start(struct member *me)
{
    uint64_t id = (uint64_t)(me - members) + 1;
    struct rkv_node_options options = {
        .size = sizeof options, .cluster = 7, .id = id, .seed = id};
    struct rkv_member everybody[MEMBERS];

    if (!me->store)
        must(rkv_store_memory(NULL, &me->store), "store");
    must(rkv_node_open(&options, me->store, &me->node), "open");
    for (int i = 0; i < MEMBERS; i++)
        everybody[i] =
            (struct rkv_member){.id = (uint64_t)i + 1, .role = RKV_VOTER};
    must(rkv_node_bootstrap(me->node, everybody, MEMBERS), "bootstrap");
}

/* The member that leads and whom all others that live follow. */
static struct member *wait_for_leader(void)
{
    struct rkv_node_status status = {.size = sizeof status};
    uint64_t leader;
    int agreed, turns = 0;

    do {
        if (turns++ == 10000)
            fail("no leader was elected");
        pass_time();
        leader = 0;
        agreed = 1;
        for (int i = 0; i < MEMBERS; i++) {
            if (!members[i].node)
                continue;
            rkv_node_status(members[i].node, &status);
            leader = leader ? leader : status.leader;
            agreed = agreed && leader != 0 && status.leader == leader;
        }
    } while (!agreed || !members[leader - 1].node);
    return &members[leader - 1];
}

/* Puts a key through any member: one that does not lead hands it on. */
static void put(struct member *me, const char *key)
{
    struct rkv_put put = {
        .size = sizeof put, .key = key, .key_len = strlen(key)};
    uint64_t before = me->answers;
    const void *command;
    size_t len;
    rkv_txn *txn;

    must(rkv_txn_new(NULL, &txn), "txn");
    rkv_txn_put(txn, &put);
    must(rkv_txn_encode(txn, &command, &len), "encode");
    must(rkv_node_propose(me->node, 1, command, len), "propose");
    rkv_txn_free(txn);
    for (int turns = 0; me->answers == before; turns++) {
        if (turns == 10000)
            fail("a write was not answered");
        pass_time();
    }
    printf("put %s through member %d\n", key, (int)(me - members) + 1);
}

/* Turns until all three have applied the same; then their hashes are one. */
static void compare(void)
{
    struct rkv_kv_status status[MEMBERS];
    int turns = 0;

    do {
        if (turns++ == 10000)
            fail("the members never came to the same index");
        pass_time();
        for (int i = 0; i < MEMBERS; i++) {
            status[i].size = sizeof status[i];
            rkv_kv_status(rkv_node_kv(members[i].node), &status[i]);
        }
    } while (status[0].applied != status[1].applied ||
             status[1].applied != status[2].applied);
    if (status[0].hash != status[1].hash || status[1].hash != status[2].hash ||
        status[0].keys != 4)
        fail("the members differ");
    printf("all three hold %llu keys, state hash %016llx\n",
           (unsigned long long)status[0].keys,
           (unsigned long long)status[0].hash);
}

int main(void)
{
    struct member *leader, *dead;

    for (int i = 0; i < MEMBERS; i++)
        start(&members[i]);
    leader = wait_for_leader();
    put(leader, "through/the/leader");
    put(&members[(leader - members + 1) % MEMBERS], "through/another");

    dead = leader;
    printf("member %d dies\n", (int)(dead - members) + 1);
    rkv_node_close(dead->node);
    dead->node = NULL;
    leader = wait_for_leader();
    put(leader, "without/the/first");

    start(dead);
    printf("member %d is back\n", (int)(dead - members) + 1);
    wait_for_leader();
    put(dead, "through/the/one/that/died");
    compare();

    for (int i = 0; i < MEMBERS; i++) {
        rkv_node_close(members[i].node);
        rkv_store_close(members[i].store);
    }
    return 0;
}
