/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Every queue has a limit, and an answer when it is reached; and what was
 * full goes on when there is room again.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "meter.h"

Suite *suite_node_limits(void);

/* ---- requests ---- */

START_TEST(answers_that_nobody_takes_stop_new_requests)
{
    struct cluster *c = calloc(1, sizeof *c);
    int rc, taken = 0;

    c->seed = 3;
    c->options.requests_max = 10;
    c->options.request_ticks = 100;
    cluster_init(c, 3, 3);
    cluster_isolate(c, 0, true);
    for (int i = 0; i < 100; i++) {
        (void)cluster_read(c, 0, &rc);
        taken += rc == RKV_OK;
        c->now += 60;
        ck_assert_int_eq(rkv_node_tick(c->nodes[0], c->now), RKV_OK);
    }
    ck_assert_int_eq(taken, 10);
    cluster_run(c, 10);
    (void)cluster_read(c, 0, &rc);
    ck_assert_int_eq(rc, RKV_OK);
    cluster_free(c);
    free(c);
}
END_TEST

/* Nobody leads: commands wait, up to 16 MiB of them, and are not lost. */
START_TEST(commands_that_wait_for_a_leader_have_a_limit)
{
    struct cluster *c = calloc(1, sizeof *c);
    char *big = malloc(1000001);
    int rc = RKV_OK, taken = 0;

    memset(big, 'x', 1000000);
    big[1000000] = '\0';
    c->seed = 3;
    cluster_init(c, 3, 3);
    for (uint32_t i = 0; i < 3; i++)
        cluster_isolate(c, i, true);
    while (taken < 100) {
        (void)cluster_put(c, 0, "a", big, &rc);
        if (rc != RKV_OK)
            break;
        taken++;
    }
    ck_assert_int_eq(rc, RKV_EBUSY);
    ck_assert_int_eq(taken, 16);
    (void)cluster_read(c, 0, &rc);
    ck_assert_int_eq(rc, RKV_OK);
    for (uint32_t i = 0; i < 3; i++)
        cluster_isolate(c, i, false);
    (void)cluster_elect(c);
    cluster_run(c, 100);
    for (int i = 1; i <= taken; i++)
        ck_assert_uint_eq(cluster_answer(c, (uint64_t)i)->outcome, RKV_DONE);
    ck_assert_uint_eq(cluster_hash(c, 1), cluster_hash(c, 0));
    free(big);
    cluster_free(c);
    free(c);
}
END_TEST

/* ---- a host that takes no events ---- */

enum { BACKLOG = 200 << 10 };

static struct cluster *start_small(struct rkv_allocator *allocator)
{
    struct cluster *c = calloc(1, sizeof *c);

    c->seed = 9;
    c->options.cache_bytes_max = BACKLOG / 2;
    c->raft = (struct rkv_raft_options){.size = sizeof c->raft,
                                        .election_ticks = 100,
                                        .heartbeat_ticks = 10,
                                        .stall_ticks = UINT32_MAX,
                                        .uncommitted_bytes_max = BACKLOG};
    cluster_init(c, 3, 3);
    /* From here on one member's memory is counted. */
    cluster_close(c, 0);
    c->allocator = allocator;
    ck_assert_int_eq(cluster_open(c, 0), RKV_OK);
    c->allocator = NULL;
    (void)cluster_elect(c);
    return c;
}

/* The member whose memory is counted leads. */
static void lead_by_counted(struct cluster *c)
{
    int rc;

    if (cluster_leader(c) != 0) {
        (void)cluster_transfer(c, (uint32_t)cluster_leader(c), 1, &rc);
        cluster_run(c, 50);
    }
    ck_assert_int_eq(cluster_leader(c), 0);
}

static void put_kilobytes(struct cluster *c, uint32_t at, int count)
{
    char value[1001];
    int rc;

    memset(value, 'x', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    for (int i = 0; i < count; i++) {
        (void)cluster_put(c, at, "a", value, &rc);
        if (i % 10 == 9)
            cluster_run(c, 10);
    }
}

START_TEST(a_follower_whose_host_takes_nothing_keeps_its_memory)
{
    struct meter meter = {0};
    struct rkv_allocator allocator = meter_allocator(&meter);
    struct cluster *c = start_small(&allocator);
    size_t before;
    int rc;

    if (cluster_leader(c) == 0) {
        (void)cluster_transfer(c, 0, 2, &rc);
        cluster_run(c, 50);
    }
    ck_assert_int_ne(cluster_leader(c), 0);
    before = meter.out;
    c->idle[0] = true;
    put_kilobytes(c, (uint32_t)cluster_leader(c), 3000);
    ck_assert_uint_le(meter.out, before + 8 * BACKLOG);
    c->idle[0] = false;
    cluster_run(c, 500);
    ck_assert_uint_eq(cluster_hash(c, 0), cluster_hash(c, 1));
    cluster_free(c);
    free(c);
}
END_TEST

/* Others hand it their requests, so its own limit of requests is no help. */
START_TEST(a_leader_whose_host_takes_nothing_takes_no_more_either)
{
    struct meter meter = {0};
    struct rkv_allocator allocator = meter_allocator(&meter);
    struct cluster *c = start_small(&allocator);
    const struct answer *answer;
    size_t before;
    int rc;

    lead_by_counted(c);
    before = meter.out;
    c->idle[0] = true;
    put_kilobytes(c, 1, 3000);
    ck_assert_uint_le(meter.out, before + 8 * BACKLOG);
    answer = cluster_answer(c, c->next_token);
    ck_assert_uint_eq(answer->outcome, RKV_NOT_DONE);
    ck_assert_int_eq(answer->status, RKV_EBUSY);
    c->idle[0] = false;
    cluster_run(c, 500);
    (void)cluster_put(c, 1, "b", "1", &rc);
    cluster_run(c, 50);
    ck_assert_str_eq(cluster_get(c, 0, "b"), "1");
    ck_assert_uint_eq(cluster_hash(c, 0), cluster_hash(c, 1));
    cluster_free(c);
    free(c);
}
END_TEST

/* The others make a majority, so all goes on but the leader's own disk. */
START_TEST(a_leader_whose_disk_stands_still_takes_no_more_at_last)
{
    struct meter meter = {0};
    struct rkv_allocator allocator = meter_allocator(&meter);
    struct cluster *c = start_small(&allocator);
    size_t before;
    uint64_t put;
    int rc;

    lead_by_counted(c);
    before = meter.out;
    c->stalled[0] = true;
    put = cluster_put(c, 0, "b", "1", &rc);
    cluster_run(c, 20);
    ck_assert_uint_eq(cluster_answer(c, put)->outcome, RKV_DONE);
    put_kilobytes(c, 0, 3000);
    (void)cluster_put(c, 0, "b", "2", &rc);
    ck_assert_int_eq(rc, RKV_EBUSY);
    ck_assert_uint_le(meter.out, before + 8 * BACKLOG);
    c->stalled[0] = false;
    cluster_run(c, 200);
    put = cluster_put(c, 0, "b", "3", &rc);
    cluster_run(c, 50);
    ck_assert_uint_eq(cluster_answer(c, put)->outcome, RKV_DONE);
    ck_assert_uint_eq(cluster_hash(c, 0), cluster_hash(c, 1));
    cluster_free(c);
    free(c);
}
END_TEST

/* A candidate for ever, each time with news. */
START_TEST(news_that_nobody_takes_is_only_kept_up_to_date)
{
    struct meter meter = {0};
    struct rkv_allocator allocator = meter_allocator(&meter);
    struct cluster *c = calloc(1, sizeof *c);
    struct rkv_node_status status = {.size = sizeof status};
    const struct rkv_event *event;
    uint64_t term = 0;
    size_t before = 0;
    int taken = 0;

    c->seed = 3;
    c->allocator = &allocator;
    c->raft = (struct rkv_raft_options){.size = sizeof c->raft,
                                        .election_ticks = 100,
                                        .heartbeat_ticks = 10,
                                        .flags = RKV_RAFT_NO_PREVOTE};
    cluster_init(c, 3, 3);
    cluster_isolate(c, 0, true);
    c->idle[0] = true;
    for (int i = 0; i < 12000; i++) {
        c->now += 50;
        (void)rkv_node_tick(c->nodes[0], c->now);
        ck_assert_int_eq(rkv_node_flush(c->nodes[0], c->now), RKV_OK);
        if (i == 10000)
            before = meter.out;
    }
    ck_assert_uint_le(meter.out, before);
    rkv_node_status(c->nodes[0], &status);
    ck_assert_uint_gt(status.term, 2000);
    while (rkv_node_next_event(c->nodes[0], &event) > 0) {
        ck_assert_uint_ge(event->term, term);
        term = event->term;
        taken++;
    }
    ck_assert_int_le(taken, 1100);
    ck_assert_uint_eq(term, status.term);
    cluster_free(c);
    free(c);
}
END_TEST

/* ---- a host that sends nothing ---- */

static uint32_t progress_of(const rkv_node *node, uint64_t id)
{
    struct rkv_raft_peer peer = {.size = sizeof peer};

    ck_assert_int_eq(rkv_raft_peer(rkv_node_raft(node), id, &peer), RKV_OK);
    return peer.progress;
}

START_TEST(frames_that_nobody_takes_are_dropped_and_made_good)
{
    struct meter meter = {0};
    struct rkv_allocator allocator = meter_allocator(&meter);
    struct cluster *c = calloc(1, sizeof *c);
    struct rkv_node_status status = {.size = sizeof status};
    char value[10001];
    uint32_t leader;
    size_t before;
    int rc;

    memset(value, 'x', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    c->seed = 3;
    c->allocator = &allocator;
    c->options.cache_bytes_max = 10000;
    c->options.request_bytes_max = 64 << 10;
    c->options.frame_bytes_max = 128 << 10;
    c->options.outbox_bytes_max = 256 << 10;
    c->options.snapshot_chunk_bytes = 80 << 10;
    c->raft = (struct rkv_raft_options){.size = sizeof c->raft,
                                        .election_ticks = 100,
                                        .heartbeat_ticks = 10,
                                        .append_entries_max = 64,
                                        .uncommitted_bytes_max = 1 << 20};
    cluster_init(c, 3, 3);
    leader = cluster_elect(c);
    cluster_run(c, 20);
    before = meter.out;
    /* Not one frame is taken. */
    for (int i = 0; i < 200; i++) {
        (void)cluster_put(c, leader, "a", value, &rc);
        ck_assert(rc == RKV_OK || rc == RKV_EBUSY);
        ck_assert_int_eq(rkv_node_flush(c->nodes[leader], c->now), RKV_OK);
        ck_assert_int_eq(rkv_node_unreachable(c->nodes[leader], leader + 1),
                         RKV_OK);
    }
    ck_assert_int_eq(rc, RKV_EBUSY);
    rkv_node_status(c->nodes[leader], &status);
    ck_assert_uint_gt(status.frames_dropped, 0);
    /* The core hears of it with the next tick, and asks before it streams. */
    ck_assert_int_eq(rkv_node_tick(c->nodes[leader], ++c->now), RKV_OK);
    for (uint64_t id = 1; id <= 3; id++)
        if (id != leader + 1)
            ck_assert_uint_eq(progress_of(c->nodes[leader], id),
                              RKV_PROGRESS_PROBE);
    /* Two full outboxes, and what may be uncommitted: here and in the store. */
    ck_assert_uint_le(meter.out, before + 2 * (300 << 10) + (3 << 20));
    cluster_run(c, 300);
    (void)cluster_put(c, cluster_elect(c), "b", "1", &rc);
    cluster_run(c, 50);
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_str_eq(cluster_get(c, i, "b"), "1");
        ck_assert_uint_eq(cluster_hash(c, i), cluster_hash(c, 0));
    }
    cluster_free(c);
    free(c);
    ck_assert_uint_eq(meter.out, 0);
}
END_TEST

/* ---- groups ---- */

START_TEST(a_hub_has_only_so_many_groups)
{
    struct rkv_hub_options options = {
        .size = sizeof options, .cluster = 5, .id = 1, .groups_max = 2};
    struct rkv_node_options one = {.size = sizeof one};
    rkv_node *nodes[3];
    rkv_store *store;
    rkv_hub *hub;

    ck_assert_int_eq(rkv_store_memory(NULL, &store), RKV_OK);
    ck_assert_int_eq(rkv_hub_open(&options, store, &hub), RKV_OK);
    for (one.group = 0; one.group < 2; one.group++)
        ck_assert_int_eq(rkv_hub_node(hub, &one, &nodes[one.group]), RKV_OK);
    ck_assert_int_eq(rkv_hub_node(hub, &one, &nodes[2]), RKV_EBUSY);
    ck_assert_ptr_null(nodes[2]);
    rkv_node_close(nodes[0]);
    ck_assert_int_eq(rkv_hub_node(hub, &one, &nodes[2]), RKV_OK);
    rkv_hub_close(hub);
    rkv_store_close(store);
}
END_TEST

Suite *suite_node_limits(void)
{
    Suite *s = suite_create("node_limits");
    TCase *t = tcase_create("limits");

    tcase_set_timeout(t, 30);
    tcase_add_test(t, answers_that_nobody_takes_stop_new_requests);
    tcase_add_test(t, commands_that_wait_for_a_leader_have_a_limit);
    tcase_add_test(t, a_follower_whose_host_takes_nothing_keeps_its_memory);
    tcase_add_test(t, a_leader_whose_host_takes_nothing_takes_no_more_either);
    tcase_add_test(t, a_leader_whose_disk_stands_still_takes_no_more_at_last);
    tcase_add_test(t, news_that_nobody_takes_is_only_kept_up_to_date);
    tcase_add_test(t, frames_that_nobody_takes_are_dropped_and_made_good);
    tcase_add_test(t, a_hub_has_only_so_many_groups);
    suite_add_tcase(s, t);
    return s;
}
