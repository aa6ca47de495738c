/* SPDX-License-Identifier: BSD-2-Clause
 *
 * How much of the past a node keeps unasked.
 */
#include <check.h>
#include <raftkv/auth.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"

Suite *suite_node_history(void);

static struct cluster *start(uint32_t members, uint64_t revisions, uint64_t ms,
                             uint32_t flags)
{
    struct cluster *c = calloc(1, sizeof *c);

    ck_assert_ptr_nonnull(c);
    c->seed = 13;
    c->options.history_revisions = revisions;
    c->options.history_ms = ms;
    c->options.flags = flags;
    cluster_init(c, members, members);
    return c;
}

static void stop(struct cluster *c)
{
    cluster_free(c);
    free(c);
}

static struct rkv_kv_status status_of(struct cluster *c, uint32_t at)
{
    struct rkv_kv_status status = {.size = sizeof status};

    rkv_kv_status(rkv_node_kv(c->nodes[at]), &status);
    return status;
}

static void put(struct cluster *c, uint32_t at, int count)
{
    int rc;

    for (int i = 0; i < count; i++) {
        (void)cluster_put(c, at, "a", "1", &rc);
        ck_assert_int_eq(rc, RKV_OK);
        cluster_settle(c);
    }
}

static void propose(struct cluster *c, uint32_t at, rkv_txn *txn)
{
    uint64_t token = ++c->next_token;
    const void *command;
    size_t len;

    ck_assert_int_eq(rkv_txn_encode(txn, &command, &len), RKV_OK);
    ck_assert_int_eq(rkv_node_propose(c->nodes[at], token, command, len),
                     RKV_OK);
    rkv_txn_reset(txn);
    cluster_settle(c);
    ck_assert_int_eq(cluster_answer(c, token)->result_status, RKV_OK);
}

/* Both bounds hold at every moment, and in the end little more is kept. */
START_TEST(the_past_is_bounded_by_number_and_by_age)
{
    struct cluster *c = start(3, 50, 2000, 0);
    uint32_t leader = cluster_elect(c);
    int64_t old[100];

    for (int i = 0; i < 100; i++) {
        put(c, leader, 5);
        old[i] = status_of(c, leader).revision;
        cluster_run(c, 100);
        if (old[i] > 50)
            ck_assert_int_le(status_of(c, leader).compacted, old[i] - 50);
        if (i >= 20)
            ck_assert_int_le(status_of(c, leader).compacted, old[i - 20]);
        else
            ck_assert_int_le(status_of(c, leader).compacted, 0);
    }
    ck_assert_int_ge(status_of(c, leader).compacted, old[70]);
    cluster_run(c, 10 * c->raft.heartbeat_ticks);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_uint_eq(cluster_hash(c, i), cluster_hash(c, leader));
    stop(c);
}
END_TEST

/* The notes reach back as far as what is kept, also where eight of them do
 * not divide it. */
START_TEST(an_age_of_any_number_of_ticks_ends)
{
    for (uint64_t ms = 1; ms < 40; ms++) {
        struct cluster *c = start(1, 1, ms, 0);

        (void)cluster_elect(c);
        for (int i = 0; i < 100; i++) {
            put(c, 0, 1);
            ck_assert_int_eq(rkv_node_tick(c->nodes[0], ++c->now), RKV_OK);
            cluster_settle(c);
        }
        ck_assert_int_ge(status_of(c, 0).compacted, 100 - 3 * (int64_t)ms / 2);
        stop(c);
    }
}
END_TEST

START_TEST(without_changes_the_log_stays_as_it_is)
{
    struct cluster *c = start(1, 10, 1000, 0);
    struct rkv_node_status before = {.size = sizeof before}, after = before;

    (void)cluster_elect(c);
    put(c, 0, 100);
    cluster_run(c, 5000);
    ck_assert_int_eq(status_of(c, 0).compacted, status_of(c, 0).revision - 10);
    rkv_node_status(c->nodes[0], &before);
    cluster_run(c, 20000);
    rkv_node_status(c->nodes[0], &after);
    ck_assert_uint_eq(after.last, before.last);
    stop(c);
}
END_TEST

START_TEST(a_host_may_keep_all_of_it)
{
    struct cluster *c = start(1, 10, 1000, RKV_NODE_KEEP_HISTORY);

    (void)cluster_elect(c);
    put(c, 0, 100);
    cluster_run(c, 20000);
    ck_assert_int_eq(status_of(c, 0).compacted, -1);
    stop(c);
}
END_TEST

/* Writing the same key over and over never reaches the quota. */
START_TEST(a_quota_that_is_near_takes_the_past_at_once)
{
    struct cluster *c = start(1, 0, 0, 0);
    rkv_txn *txn;

    (void)cluster_elect(c);
    ck_assert_int_eq(rkv_txn_new(NULL, &txn), RKV_OK);
    (void)rkv_txn_quota(txn, 20000);
    propose(c, 0, txn);
    rkv_txn_free(txn);
    for (int i = 0; i < 40; i++) {
        put(c, 0, 20);
        cluster_run(c, 1200);
        ck_assert_uint_eq(status_of(c, 0).full, 0);
    }
    ck_assert_int_gt(status_of(c, 0).compacted, 0);
    stop(c);
}
END_TEST

/* Compacting is root's; the node does it for root. */
START_TEST(users_do_not_stop_it)
{
    struct cluster *c = start(1, 10, 1000, 0);
    struct rkv_user root = {.name = {"root", 4}};
    struct rkv_role role = {.name = {"root", 4}};
    rkv_txn *txn;

    (void)cluster_elect(c);
    put(c, 0, 100);
    ck_assert_int_eq(rkv_txn_new(NULL, &txn), RKV_OK);
    (void)rkv_txn_user_add(txn, &root);
    propose(c, 0, txn);
    (void)rkv_txn_user_grant(txn, &root, &role);
    propose(c, 0, txn);
    (void)rkv_txn_auth_enable(txn, 1);
    propose(c, 0, txn);
    rkv_txn_free(txn);
    cluster_run(c, 5000);
    ck_assert_int_eq(status_of(c, 0).compacted, status_of(c, 0).revision - 10);
    stop(c);
}
END_TEST

Suite *suite_node_history(void)
{
    Suite *suite = suite_create("node history");
    TCase *tcase = tcase_create("history");

    tcase_add_test(tcase, the_past_is_bounded_by_number_and_by_age);
    tcase_add_test(tcase, an_age_of_any_number_of_ticks_ends);
    tcase_add_test(tcase, without_changes_the_log_stays_as_it_is);
    tcase_add_test(tcase, a_host_may_keep_all_of_it);
    tcase_add_test(tcase, a_quota_that_is_near_takes_the_past_at_once);
    tcase_add_test(tcase, users_do_not_stop_it);
    suite_add_tcase(suite, tcase);
    return suite;
}
