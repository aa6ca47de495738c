/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a slow member needs is read from the store while everything goes on;
 * what has been read is sent only if it is still true.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "look.h"
#include "wire/wire.h"

Suite *suite_node_errand(void);

/* Its log is long, little of it is in memory, and `slow` has none of it. */
static struct cluster *with_slow_member(uint32_t *leader, uint32_t *slow)
{
    struct cluster *c = calloc(1, sizeof *c);
    int rc;

    c->seed = 5;
    c->options.cache_bytes_max = 1000;
    cluster_init(c, 3, 3);
    *leader = cluster_elect(c);
    *slow = (*leader + 1) % 3;
    cluster_run(c, 20);
    cluster_isolate(c, *slow, true);
    for (int i = 0; i < 50; i++) {
        (void)cluster_put(c, *leader, "a",
                          "a value that is long enough to leave memory", &rc);
        cluster_settle(c);
    }
    cluster_isolate(c, *slow, false);
    return c;
}

/* Heartbeats go, and their answers come, until the leader must read. */
static rkv_job *wait_for_errand(struct cluster *c, uint32_t leader)
{
    rkv_job *job = NULL;

    for (int i = 0; i < 10; i++) {
        c->now += c->raft.heartbeat_ticks;
        ck_assert_int_eq(rkv_node_tick(c->nodes[leader], c->now), RKV_OK);
        for (int k = 0; k < 3; k++)
            cluster_exchange(c);
        if (rkv_node_flush_begin(c->nodes[leader], c->now, &job) == 1)
            return job;
    }
    ck_abort_msg("nothing is to be read");
    return NULL;
}

static uint32_t appends_from(struct cluster *c, uint32_t at)
{
    const struct rkv_frame *frame;
    uint32_t count = 0;

    while (rkv_node_next_frame(c->nodes[at], &frame) > 0)
        count += frame_holds(frame, RKV_MSG_APPEND);
    return count;
}

START_TEST(what_left_memory_is_read_and_sent)
{
    uint32_t leader, slow;
    struct cluster *c = with_slow_member(&leader, &slow);
    rkv_job *job = wait_for_errand(c, leader);

    ck_assert_uint_eq(appends_from(c, leader), 0);
    ck_assert_int_eq(rkv_job_run(job), RKV_OK);
    ck_assert_int_eq(rkv_node_flush_end(c->nodes[leader], c->now, job), RKV_OK);
    ck_assert_uint_gt(appends_from(c, leader), 0);
    cluster_run(c, 100);
    ck_assert_uint_eq(cluster_hash(c, slow), cluster_hash(c, leader));
    cluster_free(c);
    free(c);
}
END_TEST

/* Another leads while the disk reads: what was asked for is of a log that may
 * have changed since, and of a term in which we have no say any more. */
START_TEST(what_was_read_for_an_earlier_term_is_not_sent)
{
    uint32_t leader, slow;
    struct cluster *c = with_slow_member(&leader, &slow);
    rkv_job *job = wait_for_errand(c, leader);
    struct rkv_node_status status = {.size = sizeof status};
    struct rkv_raft_msg msg = {
        .kind = RKV_MSG_HEARTBEAT, .from = slow + 1, .to = leader + 1};

    rkv_node_status(c->nodes[leader], &status);
    msg.term = status.term + 1;
    cluster_say(c, &msg);
    rkv_node_status(c->nodes[leader], &status);
    ck_assert_uint_eq(status.role, RKV_FOLLOWER);
    (void)appends_from(c, leader);
    ck_assert_int_eq(rkv_job_run(job), RKV_OK);
    ck_assert_int_eq(rkv_node_flush_end(c->nodes[leader], c->now, job), RKV_OK);
    ck_assert_uint_eq(appends_from(c, leader), 0);
    cluster_free(c);
    free(c);
}
END_TEST

Suite *suite_node_errand(void)
{
    Suite *s = suite_create("node_errand");
    TCase *t = tcase_create("errand");

    tcase_set_timeout(t, 30);
    tcase_add_test(t, what_left_memory_is_read_and_sent);
    tcase_add_test(t, what_was_read_for_an_earlier_term_is_not_sent);
    suite_add_tcase(s, t);
    return s;
}
