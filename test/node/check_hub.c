/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Many groups on one hub: one store write and one frame per peer for all of
 * them, and no group hears what is another's.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <raftkv/hub.h>
#include <stdbool.h>

#include "frail.h"

Suite *suite_node_hub(void);

enum { MEMBERS = 3, GROUPS = 20 };

struct fleet {
    rkv_store *stores[MEMBERS];
    rkv_hub *hubs[MEMBERS];
    rkv_node *nodes[MEMBERS][GROUPS];
    uint64_t done[GROUPS + 1];
    uint64_t now;
    uint32_t quiet_ticks;
};

static void open_member(struct fleet *f, uint32_t at)
{
    struct rkv_raft_options raft = {.size = sizeof raft,
                                    .election_ticks = 100,
                                    .heartbeat_ticks = 10,
                                    .quiet_ticks = f->quiet_ticks};
    struct rkv_hub_options options = {
        .size = sizeof options, .cluster = 5, .id = at + 1};
    struct rkv_member members[MEMBERS] = {{.id = 1, .role = RKV_VOTER},
                                          {.id = 2, .role = RKV_VOTER},
                                          {.id = 3, .role = RKV_VOTER}};

    ck_assert_int_eq(rkv_hub_open(&options, f->stores[at], &f->hubs[at]),
                     RKV_OK);
    for (uint32_t g = 0; g < GROUPS; g++) {
        struct rkv_node_options node = {.size = sizeof node,
                                        .group = 1000 - g,
                                        .seed = at * 100 + g,
                                        .raft = &raft};

        ck_assert_int_eq(rkv_hub_node(f->hubs[at], &node, &f->nodes[at][g]),
                         RKV_OK);
        ck_assert_int_eq(rkv_node_bootstrap(f->nodes[at][g], members, MEMBERS),
                         RKV_OK);
    }
}

static struct fleet *start_sleepy(uint32_t quiet_ticks)
{
    struct fleet *f = calloc(1, sizeof *f);

    f->now = 1;
    f->quiet_ticks = quiet_ticks;
    for (uint32_t i = 0; i < MEMBERS; i++) {
        ck_assert_int_eq(rkv_store_memory(NULL, &f->stores[i]), RKV_OK);
        open_member(f, i);
    }
    return f;
}

static struct fleet *start(void)
{
    return start_sleepy(0);
}

static void stop(struct fleet *f)
{
    for (uint32_t i = 0; i < MEMBERS; i++) {
        rkv_hub_close(f->hubs[i]);
        rkv_store_close(f->stores[i]);
    }
    free(f);
}

static bool send_all(struct fleet *f, uint32_t at)
{
    const struct rkv_frame *frame;
    bool any = false;

    while (rkv_hub_next_frame(f->hubs[at], &frame) > 0) {
        ck_assert_int_eq(rkv_hub_receive(f->hubs[frame->to - 1], f->now,
                                         frame->data, frame->len),
                         RKV_OK);
        any = true;
    }
    return any;
}

static bool turn(struct fleet *f, uint32_t at)
{
    const struct rkv_event *event;
    bool any = send_all(f, at);

    ck_assert_int_eq(rkv_hub_flush(f->hubs[at], f->now), RKV_OK);
    any |= send_all(f, at);
    while (rkv_hub_next_event(f->hubs[at], &event) > 0) {
        any = true;
        if (event->kind == RKV_EVENT_DONE && event->outcome == RKV_DONE) {
            ck_assert_uint_eq(event->group, 1000 - (event->token - 1));
            f->done[event->token]++;
        }
    }
    return any || rkv_hub_deadline(f->hubs[at]) <= f->now;
}

static void step(struct fleet *f)
{
    bool any = true;

    for (uint32_t i = 0; i < MEMBERS; i++)
        ck_assert_int_eq(rkv_hub_tick(f->hubs[i], f->now), RKV_OK);
    while (any) {
        any = false;
        for (uint32_t i = 0; i < MEMBERS; i++)
            any |= turn(f, i);
    }
}

static void run(struct fleet *f, uint64_t ticks)
{
    for (uint64_t end = f->now + ticks; f->now < end; f->now += 10)
        step(f);
}

static void put_in_all(struct fleet *f)
{
    for (uint32_t g = 0; g < GROUPS; g++) {
        char key[16];
        struct rkv_put put = {
            .size = sizeof put, .key = key, .value = "v", .value_len = 1};
        const void *command;
        size_t len;
        rkv_txn *txn;

        put.key_len = (size_t)snprintf(key, sizeof key, "g%u", g);
        ck_assert_int_eq(rkv_txn_new(NULL, &txn), RKV_OK);
        (void)rkv_txn_put(txn, &put);
        ck_assert_int_eq(rkv_txn_encode(txn, &command, &len), RKV_OK);
        ck_assert_int_eq(
            rkv_node_propose(f->nodes[g % MEMBERS][g], g + 1, command, len),
            RKV_OK);
        rkv_txn_free(txn);
    }
}

static void each_group_holds_its_own_key(struct fleet *f)
{
    for (uint32_t at = 0; at < MEMBERS; at++)
        for (uint32_t g = 0; g < GROUPS; g++) {
            struct rkv_kv_status status = {.size = sizeof status};
            char key[16];
            struct rkv_range range = {.size = sizeof range, .key = key};
            const struct rkv_result *result;
            rkv_kv *kv = rkv_node_kv(f->nodes[at][g]);

            range.key_len = (size_t)snprintf(key, sizeof key, "g%u", g);
            rkv_kv_status(kv, &status);
            ck_assert_uint_eq(status.keys, 1);
            ck_assert_int_eq(rkv_kv_range(kv, &range, &result), RKV_OK);
            ck_assert_uint_eq(result->responses[0].items_count, 1);
        }
}

START_TEST(groups_elect_write_and_answer_side_by_side)
{
    struct fleet *f = start();

    run(f, 400);
    put_in_all(f);
    run(f, 50);
    for (uint32_t g = 1; g <= GROUPS; g++)
        ck_assert_uint_eq(f->done[g], 1);
    each_group_holds_its_own_key(f);
    stop(f);
}
END_TEST

START_TEST(one_flush_writes_for_all_groups)
{
    struct fleet *f = start();
    struct rkv_node_status before = {.size = sizeof before};
    struct rkv_node_status after = {.size = sizeof after};

    run(f, 400);
    /* Only what the members are asked from here on. */
    for (uint32_t i = 0; i < MEMBERS; i++)
        (void)turn(f, i);
    rkv_node_status(f->nodes[0][0], &before);
    put_in_all(f);
    ck_assert_int_eq(rkv_hub_flush(f->hubs[0], f->now), RKV_OK);
    rkv_node_status(f->nodes[0][0], &after);
    ck_assert_uint_le(after.flushes - before.flushes, 1);
    ck_assert_int_eq(rkv_hub_flush(f->hubs[0], f->now), RKV_OK);
    rkv_node_status(f->nodes[0][0], &before);
    ck_assert_uint_eq(after.flushes, before.flushes);
    stop(f);
}
END_TEST

/* However their elections fell, the groups' heartbeats share frames and wake
 * their hosts together. */
START_TEST(heartbeats_of_all_groups_share_frames)
{
    struct fleet *f = start();
    struct rkv_node_status before = {.size = sizeof before};
    struct rkv_node_status after = {.size = sizeof after};
    uint64_t end;

    for (end = f->now + 400; f->now < end; f->now++)
        step(f);
    rkv_node_status(f->nodes[0][0], &before);
    for (end = f->now + 1000; f->now < end; f->now++)
        step(f);
    rkv_node_status(f->nodes[0][0], &after);
    /* A hundred heartbeats and a hundred answers, to two others. */
    ck_assert_uint_ge(after.frames_out - before.frames_out, 200);
    ck_assert_uint_le(after.frames_out - before.frames_out, 450);
    stop(f);
}
END_TEST

START_TEST(all_groups_come_back_from_one_store)
{
    struct fleet *f = start();

    run(f, 400);
    put_in_all(f);
    run(f, 50);
    rkv_hub_close(f->hubs[1]);
    open_member(f, 1);
    run(f, 400);
    each_group_holds_its_own_key(f);
    stop(f);
}
END_TEST

START_TEST(a_group_opens_once)
{
    struct fleet *f = start();
    struct rkv_node_options again = {.size = sizeof again, .group = 1000};
    rkv_node *node;

    ck_assert_int_eq(rkv_hub_node(f->hubs[0], &again, &node), RKV_EEXIST);
    ck_assert_ptr_null(node);
    rkv_node_close(f->nodes[0][0]);
    ck_assert_int_eq(rkv_hub_node(f->hubs[0], &again, &f->nodes[0][0]), RKV_OK);
    stop(f);
}
END_TEST

static struct rkv_node_status status_of(const struct fleet *f, uint32_t at,
                                        uint32_t group)
{
    struct rkv_node_status status = {.size = sizeof status};

    rkv_node_status(f->nodes[at][group], &status);
    return status;
}

static uint32_t count_asleep(const struct fleet *f, uint32_t at)
{
    uint32_t count = 0;

    for (uint32_t g = 0; g < GROUPS; g++)
        count += status_of(f, at, g).quiet;
    return count;
}

/* A word of a peer is for the groups that follow it; the others, and their
 * leaders here, have nothing to do about it. */
START_TEST(a_dead_member_wakes_those_it_led)
{
    struct fleet *f = start_sleepy(200);
    uint32_t led = 0, others = 0;
    uint64_t dead;

    run(f, 1000);
    for (uint32_t i = 0; i < MEMBERS; i++)
        ck_assert_uint_eq(count_asleep(f, i), GROUPS);
    dead = status_of(f, 0, 0).leader;
    for (uint32_t i = 0; i < MEMBERS; i++) {
        if (i + 1 == dead) {
            ck_assert_int_eq(rkv_hub_dead(f->hubs[i], dead), RKV_EINVAL);
            continue;
        }
        ck_assert_int_eq(rkv_hub_dead(f->hubs[i], dead), RKV_OK);
        for (uint32_t g = 0; g < GROUPS; g++) {
            struct rkv_node_status status = status_of(f, i, g);

            led += !status.quiet;
            others += status.quiet;
            ck_assert_int_eq(status.quiet, status.leader != 0);
        }
    }
    ck_assert_uint_gt(led, 0);
    ck_assert_uint_gt(others, 0);
    /* It was not true: they hear from it, or it votes for another. */
    run(f, 1000);
    for (uint32_t i = 0; i < MEMBERS; i++)
        ck_assert_uint_eq(count_asleep(f, i), GROUPS);
    stop(f);
}
END_TEST

/* ---- one member, two groups ---- */

static rkv_node *open_alone(rkv_hub *hub, uint64_t group)
{
    static const struct rkv_raft_options raft = {
        .size = sizeof raft, .election_ticks = 100, .heartbeat_ticks = 10};
    struct rkv_node_options options = {
        .size = sizeof options, .group = group, .raft = &raft};
    struct rkv_member self = {.id = 1, .role = RKV_VOTER};
    rkv_node *node;

    ck_assert_int_eq(rkv_hub_node(hub, &options, &node), RKV_OK);
    ck_assert_int_eq(rkv_node_bootstrap(node, &self, 1), RKV_OK);
    return node;
}

static void propose(rkv_node *node, uint64_t token)
{
    struct rkv_put put = {.size = sizeof put, .key = "k", .key_len = 1};
    const void *command;
    size_t len;
    rkv_txn *txn;

    ck_assert_int_eq(rkv_txn_new(NULL, &txn), RKV_OK);
    (void)rkv_txn_put(txn, &put);
    ck_assert_int_eq(rkv_txn_encode(txn, &command, &len), RKV_OK);
    ck_assert_int_eq(rkv_node_propose(node, token, command, len), RKV_OK);
    rkv_txn_free(txn);
}

/* A host may take a few events a round, as it has time. */
static int wait_for(rkv_hub *hub, uint64_t group)
{
    const struct rkv_event *event;

    for (int taken = 1;; taken++) {
        ck_assert_int_eq(rkv_hub_next_event(hub, &event), 1);
        if (event->kind == RKV_EVENT_DONE && event->group == group)
            return taken;
    }
}

START_TEST(a_busy_group_does_not_silence_the_others)
{
    struct rkv_hub_options options = {
        .size = sizeof options, .cluster = 5, .id = 1};
    const struct rkv_event *event;
    rkv_store *store;
    rkv_node *nodes[2];
    rkv_hub *hub;

    ck_assert_int_eq(rkv_store_memory(NULL, &store), RKV_OK);
    ck_assert_int_eq(rkv_hub_open(&options, store, &hub), RKV_OK);
    for (uint64_t i = 0; i < 2; i++)
        nodes[i] = open_alone(hub, i);
    for (uint64_t now = 1; now < 400; now += 10) {
        ck_assert_int_eq(rkv_hub_tick(hub, now), RKV_OK);
        ck_assert_int_eq(rkv_hub_flush(hub, now), RKV_OK);
        while (rkv_hub_next_event(hub, &event) > 0)
            continue;
    }
    for (uint64_t calm = 0; calm < 2; calm++) {
        for (uint64_t i = 0; i < 2000; i++)
            propose(nodes[1 - calm], 1);
        ck_assert_int_eq(rkv_hub_flush(hub, 400), RKV_OK);
        (void)wait_for(hub, 1 - calm);
        propose(nodes[calm], 2);
        ck_assert_int_eq(rkv_hub_flush(hub, 400), RKV_OK);
        ck_assert_int_le(wait_for(hub, calm), 100);
        while (rkv_hub_next_event(hub, &event) > 0)
            continue;
    }
    rkv_hub_close(hub);
    rkv_store_close(store);
}
END_TEST

START_TEST(its_nodes_say_which_incarnation_their_store_is)
{
    struct rkv_hub_options options = {
        .size = sizeof options, .cluster = 5, .id = 1};
    struct frail frail = {.incarnation = "one of its kind"};
    rkv_hub *hub;

    ck_assert_int_eq(rkv_store_memory(NULL, &frail.real), RKV_OK);
    rkv_store *store = frail_open(&frail);
    ck_assert_int_eq(rkv_hub_open(&options, store, &hub), RKV_OK);
    for (uint64_t group = 1; group <= 2; group++) {
        struct rkv_node_status status = {.size = sizeof status};

        rkv_node_status(open_alone(hub, group), &status);
        ck_assert_uint_eq(status.boot, 1);
        ck_assert_mem_eq(status.incarnation, frail.incarnation, 16);
    }
    rkv_hub_close(hub);
    rkv_store_close(store);
}
END_TEST

Suite *suite_node_hub(void)
{
    Suite *s = suite_create("node_hub");
    TCase *t = tcase_create("hub");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, groups_elect_write_and_answer_side_by_side);
    tcase_add_test(t, one_flush_writes_for_all_groups);
    tcase_add_test(t, heartbeats_of_all_groups_share_frames);
    tcase_add_test(t, all_groups_come_back_from_one_store);
    tcase_add_test(t, a_group_opens_once);
    tcase_add_test(t, a_dead_member_wakes_those_it_led);
    tcase_add_test(t, a_busy_group_does_not_silence_the_others);
    tcase_add_test(t, its_nodes_say_which_incarnation_their_store_is);
    suite_add_tcase(s, t);
    return s;
}
