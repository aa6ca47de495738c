/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Memory runs out at every single allocation in turn: a defined error, no
 * leak, and nothing acknowledged is lost.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "meter.h"

Suite *suite_node_oom(void);

static int put(rkv_node *node, uint64_t token, const char *key)
{
    struct rkv_put what = {.size = sizeof what,
                           .key = key,
                           .key_len = strlen(key),
                           .value = "v",
                           .value_len = 1};
    const void *command;
    size_t len;
    rkv_txn *txn;
    int rc;

    ck_assert_int_eq(rkv_txn_new(NULL, &txn), RKV_OK);
    (void)rkv_txn_put(txn, &what);
    ck_assert_int_eq(rkv_txn_encode(txn, &command, &len), RKV_OK);
    rc = rkv_node_propose(node, token, command, len);
    rkv_txn_free(txn);
    return rc;
}

/* What became of the two writes; one that was taken is answered once. */
struct fate {
    bool taken[3];
    int answers[3];
    bool done[3];
};

static bool run(rkv_node *node, uint64_t *now, uint64_t ticks,
                struct fate *fate)
{
    const struct rkv_event *event;
    const struct rkv_frame *frame;

    for (uint64_t end = *now + ticks; *now < end; *now += 10) {
        (void)rkv_node_tick(node, *now);
        for (int i = 0; i < 4; i++) {
            while (rkv_node_next_frame(node, &frame) > 0) {
            }
            (void)rkv_node_flush(node, *now);
            while (rkv_node_next_event(node, &event) > 0) {
                if (event->kind != RKV_EVENT_DONE)
                    continue;
                ck_assert_uint_lt(event->token, 3);
                fate->answers[event->token]++;
                if (event->outcome == RKV_DONE)
                    fate->done[event->token] = true;
            }
        }
    }
    return fate->done[1] && fate->done[2];
}

static bool holds(rkv_node *node, const char *key)
{
    struct rkv_range range = {
        .size = sizeof range, .key = key, .key_len = strlen(key)};
    const struct rkv_result *result;

    ck_assert_int_eq(rkv_kv_range(rkv_node_kv(node), &range, &result), RKV_OK);
    return result->responses[0].items_count == 1;
}

static void after(rkv_store *store, const struct fate *fate)
{
    static const struct rkv_raft_options raft = {
        .size = sizeof raft, .election_ticks = 100, .heartbeat_ticks = 10};
    struct rkv_node_options options = {
        .size = sizeof options, .cluster = 1, .id = 1, .raft = &raft};
    struct fate ignored = {.taken = {false}};
    uint64_t now = 1;
    rkv_node *node;

    ck_assert_int_eq(rkv_node_open(&options, store, &node), RKV_OK);
    (void)run(node, &now, 500, &ignored);
    if (fate->done[1])
        ck_assert(holds(node, "one"));
    if (fate->done[2])
        ck_assert(holds(node, "two"));
    rkv_node_close(node);
}

/* The first write waits for a leader, the second does not. */
static bool live(rkv_node *node, struct fate *fate)
{
    uint64_t now = 1;

    fate->taken[1] = put(node, 1, "one") == RKV_OK;
    (void)run(node, &now, 300, fate);
    fate->taken[2] = put(node, 2, "two") == RKV_OK;
    (void)run(node, &now, 600, fate);
    for (int i = 1; i < 3; i++)
        ck_assert_int_eq(fate->answers[i], fate->taken[i]);
    return fate->done[1] && fate->done[2];
}

/* True once the k-th allocation was beyond what the whole story needs. */
static bool story(uint64_t k, bool for_ever)
{
    static const struct rkv_raft_options raft = {
        .size = sizeof raft, .election_ticks = 100, .heartbeat_ticks = 10};
    struct meter meter = {.fail_at = k, .for_ever = for_ever};
    struct rkv_allocator allocator = meter_allocator(&meter);
    struct rkv_node_options options = {.size = sizeof options,
                                       .cluster = 1,
                                       .id = 1,
                                       .raft = &raft,
                                       .snapshot_entries = 2,
                                       .snapshot_bytes = 1,
                                       .snapshot_keep = 1,
                                       .allocator = &allocator,
                                       .recorder_bytes = 256 << 10};
    struct rkv_member self = {.id = 1, .role = RKV_VOTER};
    struct fate fate = {.taken = {false}};
    bool all = false;
    rkv_store *store;
    rkv_node *node;
    int rc;

    ck_assert_int_eq(rkv_store_memory(NULL, &store), RKV_OK);
    rc = rkv_node_open(&options, store, &node);
    if (rc == RKV_OK)
        rc = rkv_node_bootstrap(node, &self, 1);
    if (rc == RKV_OK)
        all = live(node, &fate);
    else
        ck_assert_int_eq(rc, RKV_ENOMEM);
    rkv_node_close(node);
    ck_assert_uint_eq(meter.out, 0);
    if (rc == RKV_OK)
        after(store, &fate);
    rkv_store_close(store);
    return meter.asked < k && all;
}

START_TEST(each_allocation_may_fail_once)
{
    uint64_t k = 1;

    while (!story(k, false))
        ck_assert_uint_lt(k++, 100000);
    ck_assert_uint_gt(k, 10);
}
END_TEST

START_TEST(each_allocation_may_be_the_last)
{
    uint64_t k = 1;

    while (!story(k, true))
        ck_assert_uint_lt(k++, 100000);
    ck_assert_uint_gt(k, 10);
}
END_TEST

/* A member that has a life behind it: for want of memory it begins later, and
 * what it left is not called damaged. */
START_TEST(a_new_life_bears_the_failure_of_any_allocation)
{
    struct rkv_member self = {.id = 1, .role = RKV_VOTER};
    struct meter meter = {.fail_at = 0};
    struct rkv_allocator allocator = meter_allocator(&meter);
    struct rkv_node_options options = {
        .size = sizeof options, .cluster = 1, .id = 1, .allocator = &allocator};
    rkv_store *store;
    rkv_node *node;
    int rc = RKV_ENOMEM;

    ck_assert_int_eq(rkv_store_memory(NULL, &store), RKV_OK);
    ck_assert_int_eq(rkv_node_open(&options, store, &node), RKV_OK);
    ck_assert_int_eq(rkv_node_bootstrap(node, &self, 1), RKV_OK);
    rkv_node_close(node);
    while (rc != RKV_OK) {
        ck_assert_int_eq(rc, RKV_ENOMEM);
        meter.asked = 0;
        meter.fail_at++;
        meter.for_ever = _i == 1;
        rc = rkv_node_open(&options, store, &node);
        rkv_node_close(node);
        ck_assert_uint_eq(meter.out, 0);
    }
    ck_assert_uint_gt(meter.fail_at, 10);
    rkv_store_close(store);
}
END_TEST

/* ---- groups: one that finds no memory leaves the others alone ---- */

enum { GROUPS = 3 };

static bool open_groups(rkv_hub *hub, rkv_node *nodes[GROUPS])
{
    static const struct rkv_raft_options raft = {
        .size = sizeof raft, .election_ticks = 100, .heartbeat_ticks = 10};
    struct rkv_node_options options = {.size = sizeof options, .raft = &raft};
    struct rkv_member self = {.id = 1, .role = RKV_VOTER};
    bool all = true;

    for (uint64_t i = 0; i < GROUPS; i++) {
        int rc;

        options.group = i;
        nodes[i] = NULL;
        rc = rkv_hub_node(hub, &options, &nodes[i]);
        if (rc == RKV_OK)
            rc = rkv_node_bootstrap(nodes[i], &self, 1);
        if (rc != RKV_OK)
            ck_assert(rc == RKV_ENOMEM || rc == RKV_EFAILED);
        all = all && rc == RKV_OK;
    }
    return all;
}

static void live_in_groups(rkv_hub *hub, rkv_node *nodes[GROUPS],
                           struct fate *fate)
{
    const struct rkv_event *event;

    for (uint64_t now = 1; now < 1000; now += 10) {
        (void)rkv_hub_tick(hub, now);
        if (now == 301)
            for (uint64_t i = 0; i < GROUPS; i++)
                fate->taken[i] =
                    nodes[i] != NULL && put(nodes[i], i, "one") == RKV_OK;
        (void)rkv_hub_flush(hub, now);
        while (rkv_hub_next_event(hub, &event) > 0) {
            if (event->kind != RKV_EVENT_DONE)
                continue;
            ck_assert_uint_eq(event->group, event->token);
            fate->answers[event->token]++;
            fate->done[event->token] = event->outcome == RKV_DONE;
        }
    }
}

/* True once the k-th allocation was beyond what the whole story needs. */
static bool hub_story(uint64_t k)
{
    struct meter meter = {.fail_at = k};
    struct rkv_allocator allocator = meter_allocator(&meter);
    struct rkv_hub_options options = {
        .size = sizeof options, .cluster = 1, .id = 1, .allocator = &allocator};
    struct fate fate = {.taken = {false}};
    rkv_node *nodes[GROUPS];
    rkv_store *store;
    rkv_hub *hub;
    bool all = false;
    int rc;

    ck_assert_int_eq(rkv_store_memory(NULL, &store), RKV_OK);
    rc = rkv_hub_open(&options, store, &hub);
    if (rc == RKV_OK) {
        all = open_groups(hub, nodes);
        live_in_groups(hub, nodes, &fate);
    } else {
        ck_assert_int_eq(rc, RKV_ENOMEM);
    }
    rkv_hub_close(hub);
    rkv_store_close(store);
    ck_assert_uint_eq(meter.out, 0);
    for (int i = 0; i < GROUPS; i++) {
        ck_assert_int_eq(fate.answers[i], fate.taken[i]);
        all = all && fate.done[i];
    }
    return meter.asked < k && all;
}

START_TEST(groups_bear_the_failure_of_any_allocation)
{
    uint64_t k = 1;

    while (!hub_story(k))
        ck_assert_uint_lt(k++, 100000);
    ck_assert_uint_gt(k, 50);
}
END_TEST

/* ---- three members: forwarding, catching up, a snapshot handed over ---- */

static const char *name(uint64_t token)
{
    static char key[16];

    snprintf(key, sizeof key, "%llu", (unsigned long long)token);
    return key;
}

/* Each under a name of its own, so that what became of it shows. */
static void put_at(struct cluster *c, uint32_t at, int count)
{
    for (int i = 0; i < count; i++) {
        int rc;

        (void)cluster_put(c, at, name(c->next_token + 1), "a value", &rc);
        cluster_settle(c);
    }
}

/* A member whose memory was short may have stopped, and is opened again. */
static void revive(struct cluster *c)
{
    for (uint32_t i = 0; i < c->count; i++) {
        if (rkv_node_tick(c->nodes[i], c->now) == RKV_OK)
            continue;
        cluster_close(c, i);
        ck_assert_int_eq(cluster_open(c, i), RKV_OK);
    }
}

/* What was answered is so, on every member. */
static void check_answers(struct cluster *c)
{
    for (uint64_t token = 1; token <= c->next_token; token++) {
        const struct answer *answer = cluster_answer(c, token);

        for (uint32_t i = 0; i < c->count; i++) {
            if (answer->outcome == RKV_DONE)
                ck_assert_ptr_nonnull(cluster_get(c, i, name(token)));
            if (answer->outcome == RKV_NOT_DONE)
                ck_assert_ptr_null(cluster_get(c, i, name(token)));
        }
    }
    ck_assert_uint_eq(cluster_hash(c, 1), cluster_hash(c, 0));
    ck_assert_uint_eq(cluster_hash(c, 2), cluster_hash(c, 0));
}

static void live_together(struct cluster *c, uint32_t leader)
{
    uint32_t slow = (leader + 1) % 3;

    put_at(c, (leader + 2) % 3, 10);
    cluster_isolate(c, slow, true);
    put_at(c, leader, 60);
    cluster_isolate(c, slow, false);
    cluster_run(c, 100);
    put_at(c, slow, 10);
}

static uint64_t restores(const struct cluster *c)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < c->count; i++) {
        struct rkv_node_status status = {.size = sizeof status};

        rkv_node_status(c->nodes[i], &status);
        count += status.snapshots_received;
    }
    return count;
}

/* True once the k-th allocation was beyond what the whole story needs. */
static bool shared_story(uint64_t k, bool for_ever)
{
    struct meter meter = {.for_ever = for_ever};
    struct rkv_allocator allocator = meter_allocator(&meter);
    struct cluster *c = calloc(1, sizeof *c);
    uint32_t leader;
    bool is_over;

    c->seed = 23;
    c->allocator = &allocator;
    c->options.snapshot_entries = 20;
    c->options.snapshot_bytes = 500;
    c->options.snapshot_keep = 5;
    c->options.cache_bytes_max = 500;
    c->options.snapshot_chunk_bytes = 80 << 10;
    cluster_init(c, 3, 3);
    leader = cluster_elect(c);
    meter.asked = 0;
    meter.fail_at = k;
    live_together(c, leader);
    is_over = meter.asked < k;
    meter.fail_at = 0;
    revive(c);
    cluster_run(c, 800);
    check_answers(c);
    if (is_over)
        ck_assert_uint_gt(restores(c), 0);
    cluster_free(c);
    free(c);
    ck_assert_uint_eq(meter.out, 0);
    return is_over;
}

START_TEST(members_together_bear_the_failure_of_any_allocation)
{
    uint64_t k = 1;

    while (!shared_story(k, false))
        ck_assert_uint_lt(k++, 100000);
    ck_assert_uint_gt(k, 50);
}
END_TEST

START_TEST(members_together_bear_a_time_without_memory)
{
    uint64_t k = 1;

    while (!shared_story(k, true))
        ck_assert_uint_lt(k++, 100000);
    ck_assert_uint_gt(k, 50);
}
END_TEST

Suite *suite_node_oom(void)
{
    Suite *s = suite_create("node_oom");
    TCase *t = tcase_create("oom");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, each_allocation_may_fail_once);
    tcase_add_test(t, each_allocation_may_be_the_last);
    tcase_add_loop_test(t, a_new_life_bears_the_failure_of_any_allocation, 0,
                        2);
    tcase_add_test(t, groups_bear_the_failure_of_any_allocation);
    tcase_add_test(t, members_together_bear_the_failure_of_any_allocation);
    tcase_add_test(t, members_together_bear_a_time_without_memory);
    suite_add_tcase(s, t);
    return s;
}
