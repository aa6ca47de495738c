/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Leases at a node: they end in time, on all members, whoever leads, and not
 * a moment too early.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"

Suite *suite_node_clock(void);

/* How late a lease may end: what is fresh waits, then the entry commits. */
enum { LATE = 150 };

static struct cluster *start(uint32_t members)
{
    struct cluster *c = calloc(1, sizeof *c);

    ck_assert_ptr_nonnull(c);
    c->seed = 11;
    cluster_init(c, members, members);
    return c;
}

static void stop(struct cluster *c)
{
    cluster_free(c);
    free(c);
}

static void propose(struct cluster *c, uint32_t at, rkv_txn *txn)
{
    uint64_t token = ++c->next_token;
    const void *command;
    size_t len;

    ck_assert_int_eq(rkv_txn_encode(txn, &command, &len), RKV_OK);
    ck_assert_int_eq(rkv_node_propose(c->nodes[at], token, command, len),
                     RKV_OK);
    rkv_txn_free(txn);
    cluster_settle(c);
    ck_assert_uint_eq(cluster_answer(c, token)->outcome, RKV_DONE);
    ck_assert_int_eq(cluster_answer(c, token)->result_status, RKV_OK);
}

static void put_for(struct cluster *c, uint32_t at, const char *key,
                    int64_t ttl)
{
    struct rkv_put put = {
        .size = sizeof put, .key = key, .key_len = strlen(key), .ttl = ttl};
    rkv_txn *txn;

    ck_assert_int_eq(rkv_txn_new(NULL, &txn), RKV_OK);
    (void)rkv_txn_put(txn, &put);
    propose(c, at, txn);
}

static void grant(struct cluster *c, uint32_t at, int64_t id, int64_t ttl)
{
    rkv_txn *txn;

    ck_assert_int_eq(rkv_txn_new(NULL, &txn), RKV_OK);
    (void)rkv_txn_grant(txn, id, ttl);
    propose(c, at, txn);
}

static void keep_alive(struct cluster *c, uint32_t at, int64_t id)
{
    rkv_txn *txn;

    ck_assert_int_eq(rkv_txn_new(NULL, &txn), RKV_OK);
    (void)rkv_txn_keep_alive(txn, id);
    propose(c, at, txn);
}

static struct rkv_kv_status status_of(struct cluster *c, uint32_t at)
{
    struct rkv_kv_status status = {.size = sizeof status};

    rkv_kv_status(rkv_node_kv(c->nodes[at]), &status);
    return status;
}

static void await_end(struct cluster *c, uint32_t at, uint64_t from,
                      uint64_t least, uint64_t most)
{
    while (status_of(c, at).leases > 0) {
        ck_assert_uint_le(c->now, from + most);
        cluster_run(c, c->raft.heartbeat_ticks);
    }
    ck_assert_uint_ge(c->now, from + least);
}

START_TEST(a_key_lives_its_time_on_all_members)
{
    struct cluster *c = start(3);
    uint32_t leader = cluster_elect(c), other = (leader + 1) % 3;
    uint64_t from;

    cluster_run(c, 500);
    from = c->now;
    put_for(c, other, "a", 1000);
    cluster_run(c, 900);
    ck_assert_str_eq(cluster_get(c, leader, "a"), "");
    await_end(c, leader, from, 1000, 1000 + LATE);
    cluster_run(c, 2 * c->raft.heartbeat_ticks);
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_ptr_null(cluster_get(c, i, "a"));
        ck_assert_uint_eq(cluster_hash(c, i), cluster_hash(c, leader));
    }
    stop(c);
}
END_TEST

START_TEST(what_is_kept_alive_stays)
{
    struct cluster *c = start(1);
    uint64_t from;

    (void)cluster_elect(c);
    grant(c, 0, 5, 300);
    for (int i = 0; i < 20; i++) {
        cluster_run(c, 200);
        keep_alive(c, 0, 5);
        ck_assert_uint_eq(status_of(c, 0).leases, 1);
    }
    from = c->now;
    await_end(c, 0, from, 300, 300 + LATE);
    stop(c);
}
END_TEST

/* Neither its whole time again, nor less than it has. */
START_TEST(a_change_of_leaders_gives_back_little)
{
    struct cluster *c = start(3);
    uint32_t leader = cluster_elect(c), next;
    uint64_t from = c->now, gap;

    grant(c, leader, 5, 6000);
    cluster_run(c, 5000);
    gap = c->now;
    cluster_close(c, leader);
    next = cluster_elect(c);
    gap = c->now - gap;
    ck_assert_uint_ne(next, leader);
    await_end(c, next, from, 6000, 6000 + gap + 1000 + 2 * LATE);
    stop(c);
}
END_TEST

/* A member alone takes its clock up again where the log left it. */
START_TEST(a_restart_goes_on_from_the_log)
{
    struct cluster *c = start(1);
    int64_t before;
    uint64_t from;

    (void)cluster_elect(c);
    grant(c, 0, 5, 6000);
    cluster_run(c, 4000);
    before = status_of(c, 0).clock;
    ck_assert_int_ge(before, 2000);
    cluster_close(c, 0);
    c->now += 100000;
    ck_assert_int_eq(cluster_open(c, 0), RKV_OK);
    (void)cluster_elect(c);
    from = c->now;
    ck_assert_int_ge(status_of(c, 0).clock, before);
    await_end(c, 0, from, 1000, 3000 + LATE);
    stop(c);
}
END_TEST

/* The old leader is alone and lets its time run: nobody hears of it, and when
 * it is back its word does not count. */
START_TEST(a_leader_that_is_cut_off_ends_nothing)
{
    struct cluster *c = start(3);
    uint32_t leader = cluster_elect(c), next = leader;

    grant(c, leader, 5, 300);
    cluster_run(c, 100);
    cluster_isolate(c, leader, true);
    for (int i = 0; i < 100 && (next == leader || cluster_leader(c) < 0); i++) {
        cluster_run(c, c->raft.heartbeat_ticks);
        next = (uint32_t)cluster_leader(c);
    }
    ck_assert_uint_ne(next, leader);
    cluster_run(c, c->raft.heartbeat_ticks);
    for (int i = 0; i < 10; i++) {
        keep_alive(c, next, 5);
        cluster_run(c, 200);
    }
    cluster_isolate(c, leader, false);
    for (int i = 0; i < 10; i++) {
        keep_alive(c, next, 5);
        cluster_run(c, 100);
    }
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_uint_eq(status_of(c, i).leases, 1);
    stop(c);
}
END_TEST

/* With no lease that is near its end the log stays as it is. */
START_TEST(leases_with_much_time_cost_few_entries)
{
    struct cluster *c = start(1);
    struct rkv_node_status before = {.size = sizeof before}, after = before;

    (void)cluster_elect(c);
    cluster_run(c, 1000);
    rkv_node_status(c->nodes[0], &before);
    cluster_run(c, 60000);
    rkv_node_status(c->nodes[0], &after);
    ck_assert_uint_eq(after.last, before.last);
    grant(c, 0, 5, 3600000);
    cluster_run(c, 1000);
    rkv_node_status(c->nodes[0], &before);
    cluster_run(c, 600000);
    rkv_node_status(c->nodes[0], &after);
    ck_assert_uint_le(after.last, before.last + 11);
    ck_assert_uint_ge(after.last, before.last + 9);
    stop(c);
}
END_TEST

/* A host that sleeps until the deadline misses nothing. */
START_TEST(the_deadline_knows_of_the_leases)
{
    struct cluster *c = start(1);
    uint64_t from, deadline;

    (void)cluster_elect(c);
    grant(c, 0, 5, 777);
    from = c->now;
    for (int i = 0; i < 200 && status_of(c, 0).leases > 0; i++) {
        deadline = rkv_node_deadline(c->nodes[0]);
        ck_assert_uint_lt(deadline, UINT64_MAX);
        if (deadline > c->now)
            c->now = deadline;
        ck_assert_int_eq(rkv_node_tick(c->nodes[0], c->now), RKV_OK);
        cluster_settle(c);
    }
    ck_assert_uint_eq(status_of(c, 0).leases, 0);
    ck_assert_uint_ge(c->now, from + 777);
    ck_assert_uint_le(c->now, from + 777 + 51);
    stop(c);
}
END_TEST

START_TEST(ticks_may_be_longer)
{
    struct cluster *c = calloc(1, sizeof *c);
    uint64_t from;

    c->seed = 11;
    c->options.tick_ms = 10;
    cluster_init(c, 1, 1);
    (void)cluster_elect(c);
    grant(c, 0, 5, 5000);
    from = c->now;
    await_end(c, 0, from, 500, 500 + 30);
    stop(c);
}
END_TEST

Suite *suite_node_clock(void)
{
    Suite *suite = suite_create("node clock");
    TCase *tcase = tcase_create("leases");

    tcase_add_test(tcase, a_key_lives_its_time_on_all_members);
    tcase_add_test(tcase, what_is_kept_alive_stays);
    tcase_add_test(tcase, a_change_of_leaders_gives_back_little);
    tcase_add_test(tcase, a_restart_goes_on_from_the_log);
    tcase_add_test(tcase, a_leader_that_is_cut_off_ends_nothing);
    tcase_add_test(tcase, leases_with_much_time_cost_few_entries);
    tcase_add_test(tcase, the_deadline_knows_of_the_leases);
    tcase_add_test(tcase, ticks_may_be_longer);
    suite_add_tcase(suite, tcase);
    return suite;
}
