/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A host that sleeps exactly until the deadline misses nothing and is not
 * woken for nothing.
 */
#include <check.h>
#include <stdlib.h>

#include "cluster.h"

Suite *suite_node_deadline(void);

static struct cluster *start(uint32_t count, uint32_t members)
{
    struct cluster *c = calloc(1, sizeof *c);

    ck_assert_ptr_nonnull(c);
    c->seed = 41;
    cluster_init(c, count, members);
    return c;
}

static void stop(struct cluster *c)
{
    cluster_free(c);
    free(c);
}

static uint64_t earliest(const struct cluster *c)
{
    uint64_t due = UINT64_MAX;

    for (uint32_t i = 0; i < c->count; i++)
        if (c->nodes[i] != NULL && rkv_node_deadline(c->nodes[i]) < due)
            due = rkv_node_deadline(c->nodes[i]);
    return due;
}

/* Only members that are due are called.  How often time had to stop. */
static uint64_t sleep_until(struct cluster *c, uint64_t end)
{
    uint64_t wakes = 0;

    for (;; wakes++) {
        uint64_t due = earliest(c);

        if (due > end)
            break;
        ck_assert_uint_gt(due, c->now); /* settled: nothing is due now */
        c->now = due;
        for (uint32_t i = 0; i < c->count; i++)
            if (c->nodes[i] != NULL && rkv_node_deadline(c->nodes[i]) <= due)
                (void)rkv_node_tick(c->nodes[i], c->now);
        cluster_settle(c);
    }
    c->now = end;
    return wakes;
}

START_TEST(idle_members_wake_for_heartbeats_only)
{
    struct cluster *c = start(3, 3);
    uint64_t wakes;

    (void)cluster_elect(c);
    cluster_run(c, 50);
    wakes = sleep_until(c, c->now + 10000);
    ck_assert_uint_ge(wakes, 900);
    /* A heartbeat each 10 ticks, and a look at who is there each 100. */
    ck_assert_uint_le(wakes, 1200);
    ck_assert_int_ge(cluster_leader(c), 0);
    stop(c);
}
END_TEST

START_TEST(a_member_alone_sleeps_until_it_is_asked)
{
    struct cluster *c = start(1, 1);
    uint64_t put;
    int rc;

    (void)cluster_elect(c);
    cluster_settle(c);
    ck_assert_uint_eq(earliest(c), UINT64_MAX);
    put = cluster_put(c, 0, "a", "1", &rc);
    ck_assert_uint_le(earliest(c), c->now);
    cluster_settle(c);
    ck_assert_uint_eq(cluster_answer(c, put)->outcome, RKV_DONE);
    ck_assert_uint_eq(earliest(c), UINT64_MAX);
    stop(c);
}
END_TEST

START_TEST(a_member_nobody_told_of_its_cluster_seldom_wakes)
{
    struct cluster *c = start(1, 0);

    ck_assert_int_eq(rkv_node_tick(c->nodes[0], c->now), RKV_OK);
    cluster_settle(c);
    ck_assert_uint_le(sleep_until(c, 10000), 110);
    stop(c);
}
END_TEST

START_TEST(a_request_is_given_up_on_the_tick_that_was_named)
{
    struct cluster *c = start(3, 3);
    uint64_t put;
    int rc;

    cluster_isolate(c, 0, true);
    put = cluster_put(c, 0, "a", "1", &rc);
    ck_assert_int_eq(rc, RKV_OK);
    for (uint32_t i = 0; i < 3; i++)
        (void)rkv_node_tick(c->nodes[i], c->now);
    cluster_settle(c);
    (void)sleep_until(c, c->now + 499);
    ck_assert_uint_eq(cluster_answer(c, put)->outcome, 0);
    (void)sleep_until(c, c->now + 1);
    ck_assert_uint_eq(cluster_answer(c, put)->outcome, RKV_NOT_DONE);
    stop(c);
}
END_TEST

START_TEST(a_job_that_is_out_keeps_nobody_awake)
{
    struct cluster *c = start(1, 1);
    const struct rkv_frame *frame;
    rkv_job *job;
    int rc;

    (void)cluster_elect(c);
    cluster_settle(c);
    (void)cluster_put(c, 0, "a", "1", &rc);
    ck_assert_int_eq(rkv_node_flush_begin(c->nodes[0], c->now, &job), 1);
    (void)cluster_put(c, 0, "a", "2", &rc);
    ck_assert_int_eq(rkv_node_next_frame(c->nodes[0], &frame), 0);
    ck_assert_uint_gt(rkv_node_deadline(c->nodes[0]), c->now);
    ck_assert_int_eq(rkv_job_run(job), RKV_OK);
    ck_assert_int_eq(rkv_node_flush_end(c->nodes[0], c->now, job), RKV_OK);
    ck_assert_uint_le(rkv_node_deadline(c->nodes[0]), c->now);
    stop(c);
}
END_TEST

/* A watch may begin in the past: then there is something to take at once. */
START_TEST(a_watch_of_the_past_wakes_its_host)
{
    struct cluster *c = start(1, 1);
    struct rkv_watch watch = {
        .size = sizeof watch, .key = "a", .key_len = 1, .start = 1};
    int rc;

    (void)cluster_elect(c);
    (void)cluster_put(c, 0, "a", "1", &rc);
    (void)cluster_put(c, 0, "a", "2", &rc);
    cluster_settle(c);
    ck_assert_uint_eq(earliest(c), UINT64_MAX);
    ck_assert_int_eq(rkv_kv_watch(rkv_node_kv(c->nodes[0]), &watch, NULL),
                     RKV_OK);
    ck_assert_uint_le(earliest(c), c->now);
    cluster_settle(c);
    ck_assert_uint_eq(c->changes, 2);
    ck_assert_uint_eq(earliest(c), UINT64_MAX);
    stop(c);
}
END_TEST

Suite *suite_node_deadline(void)
{
    Suite *s = suite_create("node_deadline");
    TCase *t = tcase_create("deadline");

    tcase_set_timeout(t, 20);
    tcase_add_test(t, idle_members_wake_for_heartbeats_only);
    tcase_add_test(t, a_member_alone_sleeps_until_it_is_asked);
    tcase_add_test(t, a_member_nobody_told_of_its_cluster_seldom_wakes);
    tcase_add_test(t, a_request_is_given_up_on_the_tick_that_was_named);
    tcase_add_test(t, a_job_that_is_out_keeps_nobody_awake);
    tcase_add_test(t, a_watch_of_the_past_wakes_its_host);
    suite_add_tcase(s, t);
    return s;
}
