/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Members together: what a host of the node may rely on.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"

Suite *suite_node_cluster(void);

static struct cluster *start(uint32_t count, uint32_t members)
{
    struct cluster *c = calloc(1, sizeof *c);

    ck_assert_ptr_nonnull(c);
    c->seed = 7;
    cluster_init(c, count, members);
    return c;
}

static void stop(struct cluster *c)
{
    cluster_free(c);
    free(c);
}

static void assert_done(const struct cluster *c, uint64_t token)
{
    const struct answer *answer = cluster_answer(c, token);

    ck_assert_uint_eq(answer->outcome, RKV_DONE);
    ck_assert_int_eq(answer->result_status, RKV_OK);
}

static void assert_equal_states(struct cluster *c)
{
    for (uint32_t i = 1; i < c->count; i++)
        ck_assert_uint_eq(cluster_hash(c, i), cluster_hash(c, 0));
}

START_TEST(a_member_alone_elects_itself_and_answers)
{
    struct cluster *c = start(1, 1);
    uint32_t leader = cluster_elect(c);
    int rc;
    uint64_t token = cluster_put(c, leader, "a", "1", &rc);

    ck_assert_int_eq(rc, RKV_OK);
    cluster_settle(c);
    assert_done(c, token);
    ck_assert_str_eq(cluster_get(c, 0, "a"), "1");
    stop(c);
}
END_TEST

START_TEST(a_write_reaches_all_members)
{
    struct cluster *c = start(3, 3);
    uint32_t leader = cluster_elect(c);
    int rc;
    uint64_t token = cluster_put(c, leader, "a", "1", &rc);

    ck_assert_int_eq(rc, RKV_OK);
    cluster_run(c, 20);
    assert_done(c, token);
    ck_assert_int_eq(cluster_answer(c, token)->revision, 2);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_str_eq(cluster_get(c, i, "a"), "1");
    assert_equal_states(c);
    stop(c);
}
END_TEST

START_TEST(a_follower_forwards_and_learns_the_result)
{
    struct cluster *c = start(3, 3);
    uint32_t follower = (cluster_elect(c) + 1) % 3;
    int rc;
    uint64_t token;

    cluster_run(c, 20);
    token = cluster_put(c, follower, "a", "1", &rc);
    ck_assert_int_eq(rc, RKV_OK);
    cluster_run(c, 20);
    assert_done(c, token);
    ck_assert_int_eq(cluster_answer(c, token)->revision, 2);
    stop(c);
}
END_TEST

START_TEST(a_request_without_a_leader_waits_for_one)
{
    struct cluster *c = start(3, 3);
    int rc;
    uint64_t put = cluster_put(c, 0, "a", "1", &rc);

    ck_assert_int_eq(rc, RKV_OK);
    (void)cluster_elect(c);
    cluster_run(c, 50);
    assert_done(c, put);
    stop(c);
}
END_TEST

START_TEST(a_request_that_never_met_a_leader_was_not_done)
{
    struct cluster *c = start(3, 3);
    int rc;
    uint64_t put, read;

    cluster_isolate(c, 0, true);
    put = cluster_put(c, 0, "a", "1", &rc);
    ck_assert_int_eq(rc, RKV_OK);
    read = cluster_read(c, 0, &rc);
    ck_assert_int_eq(rc, RKV_OK);
    cluster_run(c, 600);
    ck_assert_uint_eq(cluster_answer(c, put)->outcome, RKV_NOT_DONE);
    ck_assert_int_eq(cluster_answer(c, put)->status, RKV_ENOLEADER);
    ck_assert_uint_eq(cluster_answer(c, read)->outcome, RKV_NOT_DONE);
    stop(c);
}
END_TEST

START_TEST(a_write_cut_off_with_its_leader_is_unknown_then_lost)
{
    struct cluster *c = start(3, 3);
    uint32_t old = cluster_elect(c), new;
    int rc;
    uint64_t put;

    cluster_isolate(c, old, true);
    put = cluster_put(c, old, "a", "old", &rc);
    ck_assert_int_eq(rc, RKV_OK);
    cluster_run(c, 400);
    new = (uint32_t)cluster_leader(c);
    ck_assert_uint_ne(new, old);
    (void)cluster_put(c, new, "a", "new", &rc);
    cluster_run(c, 20);
    cluster_isolate(c, old, false);
    cluster_run(c, 200);
    ck_assert_uint_ne(cluster_answer(c, put)->outcome, RKV_DONE);
    ck_assert_uint_eq(cluster_answer(c, put)->count, 1);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_str_eq(cluster_get(c, i, "a"), "new");
    stop(c);
}
END_TEST

START_TEST(reads_are_answered_on_every_member)
{
    struct cluster *c = start(3, 3);
    int rc;
    uint64_t reads[3];

    (void)cluster_elect(c);
    cluster_run(c, 20);
    for (uint32_t i = 0; i < 3; i++) {
        reads[i] = cluster_read(c, i, &rc);
        ck_assert_int_eq(rc, RKV_OK);
    }
    cluster_run(c, 30);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_uint_eq(cluster_answer(c, reads[i])->outcome, RKV_DONE);
    stop(c);
}
END_TEST

START_TEST(a_deposed_leader_answers_no_read)
{
    struct cluster *c = start(3, 3);
    uint32_t old = cluster_elect(c);
    int rc;
    uint64_t read;

    cluster_isolate(c, old, true);
    read = cluster_read(c, old, &rc);
    ck_assert_int_eq(rc, RKV_OK);
    cluster_run(c, 700);
    ck_assert_uint_eq(cluster_answer(c, read)->outcome, RKV_NOT_DONE);
    stop(c);
}
END_TEST

START_TEST(a_stalled_disk_acknowledges_nothing_and_commits_with_the_others)
{
    struct cluster *c = start(3, 3);
    uint32_t leader = cluster_elect(c);
    int rc;
    uint64_t put;

    c->stalled[(leader + 1) % 3] = true;
    put = cluster_put(c, leader, "a", "1", &rc);
    cluster_run(c, 30);
    assert_done(c, put);
    c->stalled[(leader + 2) % 3] = true;
    put = cluster_put(c, leader, "b", "2", &rc);
    cluster_run(c, 30);
    ck_assert_uint_eq(cluster_answer(c, put)->outcome, 0);
    c->stalled[(leader + 1) % 3] = false;
    cluster_run(c, 30);
    assert_done(c, put);
    stop(c);
}
END_TEST

START_TEST(what_was_flushed_survives_a_restart_of_all)
{
    struct cluster *c = start(3, 3);
    uint32_t leader = cluster_elect(c);
    int rc;
    uint64_t hash;

    for (int i = 0; i < 20; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "k%d", i);
        (void)cluster_put(c, leader, key, "v", &rc);
    }
    cluster_run(c, 30);
    hash = cluster_hash(c, leader);
    for (uint32_t i = 0; i < 3; i++)
        cluster_close(c, i);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_int_eq(cluster_open(c, i), RKV_OK);
    (void)cluster_elect(c);
    cluster_run(c, 50);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_uint_eq(cluster_hash(c, i), hash);
    stop(c);
}
END_TEST

START_TEST(leadership_moves_where_it_is_asked_to)
{
    struct cluster *c = start(3, 3);
    uint32_t leader = cluster_elect(c), target = (leader + 1) % 3;
    int rc;
    uint64_t move;

    cluster_run(c, 20);
    move = cluster_transfer(c, leader, target + 1, &rc);
    ck_assert_int_eq(rc, RKV_OK);
    cluster_run(c, 30);
    ck_assert_uint_eq(cluster_answer(c, move)->outcome, RKV_DONE);
    ck_assert_int_eq(cluster_leader(c), (int)target);
    stop(c);
}
END_TEST

START_TEST(leadership_moves_when_a_follower_asks)
{
    struct cluster *c = start(3, 3);
    uint32_t leader = cluster_elect(c), target = (leader + 1) % 3;
    int rc;
    uint64_t move;

    cluster_run(c, 20);
    move = cluster_transfer(c, target, target + 1, &rc);
    ck_assert_int_eq(rc, RKV_OK);
    cluster_run(c, 30);
    ck_assert_uint_eq(cluster_answer(c, move)->outcome, RKV_DONE);
    ck_assert_int_eq(cluster_leader(c), (int)target);
    stop(c);
}
END_TEST

START_TEST(a_transfer_to_a_silent_member_is_given_up_and_said_so)
{
    struct cluster *c = start(3, 3);
    uint32_t leader = cluster_elect(c), target = (leader + 1) % 3;
    int rc;
    uint64_t move, put;

    cluster_run(c, 20);
    cluster_isolate(c, target, true);
    move = cluster_transfer(c, leader, target + 1, &rc);
    ck_assert_int_eq(rc, RKV_OK);
    put = cluster_put(c, leader, "a", "1", &rc);
    ck_assert_int_eq(rc, RKV_OK);
    cluster_run(c, 200);
    /* It was told to campaign, and that word may yet arrive. */
    ck_assert_uint_eq(cluster_answer(c, move)->outcome, RKV_UNKNOWN);
    ck_assert_int_eq(cluster_leader(c), (int)leader);
    assert_done(c, put);
    stop(c);
}
END_TEST

START_TEST(a_member_is_added_promoted_and_removed)
{
    struct cluster *c = start(4, 3);
    uint32_t leader = cluster_elect(c);
    const struct rkv_member *members;
    int rc;
    uint64_t change;

    (void)cluster_put(c, leader, "a", "1", &rc);
    cluster_run(c, 20);
    change = cluster_change(c, leader, RKV_CHANGE_ADD_LEARNER, 4, &rc);
    ck_assert_int_eq(rc, RKV_OK);
    cluster_run(c, 300);
    ck_assert_uint_eq(cluster_answer(c, change)->outcome, RKV_DONE);
    ck_assert_str_eq(cluster_get(c, 3, "a"), "1");
    ck_assert_uint_eq(rkv_node_members(c->nodes[3], &members), 4);
    ck_assert_uint_eq(members[3].role, RKV_LEARNER);
    ck_assert_uint_eq(members[3].address_len, 5);
    change = cluster_change(c, leader, RKV_CHANGE_ADD_VOTER, 4, &rc);
    ck_assert_int_eq(rc, RKV_OK);
    cluster_run(c, 50);
    ck_assert_uint_eq(cluster_answer(c, change)->outcome, RKV_DONE);
    ck_assert_uint_eq(rkv_node_members(c->nodes[0], &members), 4);
    ck_assert_uint_eq(members[3].role, RKV_VOTER);
    change =
        cluster_change(c, leader, RKV_CHANGE_REMOVE, (leader + 1) % 3 + 1, &rc);
    ck_assert_int_eq(rc, RKV_OK);
    cluster_run(c, 50);
    ck_assert_uint_eq(cluster_answer(c, change)->outcome, RKV_DONE);
    ck_assert_uint_eq(rkv_node_members(c->nodes[leader], &members), 3);
    stop(c);
}
END_TEST

START_TEST(a_second_change_waits_its_turn)
{
    struct cluster *c = start(3, 3);
    uint32_t leader = cluster_elect(c);
    int rc;

    cluster_isolate(c, leader, true);
    (void)cluster_change(c, leader, RKV_CHANGE_ADD_LEARNER, 4, &rc);
    ck_assert_int_eq(rc, RKV_OK);
    (void)cluster_change(c, leader, RKV_CHANGE_ADD_LEARNER, 5, &rc);
    ck_assert_int_eq(rc, RKV_EPENDING);
    stop(c);
}
END_TEST

START_TEST(a_member_is_bootstrapped_among_others_only_with_itself)
{
    struct cluster *c = start(2, 0);
    struct rkv_member others[2] = {{.id = 2, .role = RKV_VOTER},
                                   {.id = 3, .role = RKV_VOTER}};

    ck_assert_int_eq(rkv_node_bootstrap(c->nodes[0], others, 2), RKV_EINVAL);
    ck_assert_ptr_nonnull(strstr(rkv_node_errmsg(c->nodes[0]), "not among"));
    ck_assert_int_eq(rkv_node_bootstrap(c->nodes[1], others, 2), RKV_OK);
    stop(c);
}
END_TEST

START_TEST(bootstrapping_again_is_harmless_with_the_same_members_only)
{
    struct cluster *c = start(1, 1);
    struct rkv_member same = {
        .id = 1, .role = RKV_VOTER, .address = "here", .address_len = 4};
    struct rkv_member other = {
        .id = 2, .role = RKV_VOTER, .address = "here", .address_len = 4};

    ck_assert_int_eq(rkv_node_bootstrap(c->nodes[0], &same, 1), RKV_OK);
    ck_assert_int_eq(rkv_node_bootstrap(c->nodes[0], &other, 1), RKV_EEXIST);
    cluster_close(c, 0);
    ck_assert_int_eq(cluster_open(c, 0), RKV_OK);
    ck_assert_int_eq(rkv_node_bootstrap(c->nodes[0], &same, 1), RKV_OK);
    stop(c);
}
END_TEST

START_TEST(a_frame_of_another_cluster_is_refused_with_a_word)
{
    struct cluster *c = start(2, 2);
    struct rkv_node_options options = {
        .size = sizeof options, .cluster = 78, .id = 2, .raft = &c->raft};
    const struct rkv_frame *frame;
    rkv_store *store;
    rkv_node *stranger;
    struct rkv_member members[2] = {{.id = 1, .role = RKV_VOTER},
                                    {.id = 2, .role = RKV_VOTER}};

    ck_assert_int_eq(rkv_store_memory(NULL, &store), RKV_OK);
    ck_assert_int_eq(rkv_node_open(&options, store, &stranger), RKV_OK);
    ck_assert_int_eq(rkv_node_bootstrap(stranger, members, 2), RKV_OK);
    for (uint64_t now = 1; rkv_node_next_frame(stranger, &frame) == 0;
         now += 10)
        ck_assert_int_eq(rkv_node_tick(stranger, now), RKV_OK);
    ck_assert_int_eq(rkv_node_receive(c->nodes[0], 1, frame->data, frame->len),
                     RKV_ECLUSTER);
    ck_assert_ptr_nonnull(strstr(rkv_node_errmsg(c->nodes[0]), "cluster"));
    rkv_node_close(stranger);
    rkv_store_close(store);
    stop(c);
}
END_TEST

START_TEST(a_store_of_another_member_is_refused)
{
    struct cluster *c = start(1, 1);
    struct rkv_node_options options = {
        .size = sizeof options, .cluster = 77, .id = 9, .raft = &c->raft};
    rkv_node *node;

    cluster_close(c, 0);
    ck_assert_int_eq(rkv_node_open(&options, c->stores[0], &node),
                     RKV_ECLUSTER);
    ck_assert_ptr_nonnull(strstr(rkv_node_errmsg(node), "belongs to member"));
    rkv_node_close(node);
    stop(c);
}
END_TEST

START_TEST(a_watch_sees_every_change_once)
{
    struct cluster *c = start(3, 3);
    uint32_t leader = cluster_elect(c);
    struct rkv_watch watch = {.size = sizeof watch,
                              .key = "\0",
                              .key_len = 1,
                              .end = "\0",
                              .end_len = 1};
    uint64_t id;
    int rc;

    ck_assert_int_eq(rkv_kv_watch(rkv_node_kv(c->nodes[0]), &watch, &id),
                     RKV_OK);
    for (int i = 0; i < 10; i++)
        (void)cluster_put(c, leader, "a", "1", &rc);
    cluster_run(c, 50);
    ck_assert_uint_eq(c->changes, 10);
    stop(c);
}
END_TEST

START_TEST(a_command_too_big_or_malformed_is_refused_at_the_door)
{
    struct cluster *c = start(1, 1);
    size_t len = (3 << 19) + 1;
    char *big = calloc(1, len);

    (void)cluster_elect(c);
    ck_assert_int_eq(rkv_node_propose(c->nodes[0], 1, big, len), RKV_ETOOBIG);
    ck_assert_int_eq(rkv_node_propose(c->nodes[0], 1, "", 0), RKV_EMALFORMED);
    free(big);
    stop(c);
}
END_TEST

START_TEST(closing_a_node_forgets_nothing_that_was_acknowledged)
{
    struct cluster *c = start(3, 3);
    uint32_t leader = cluster_elect(c);
    int rc;
    uint64_t put = cluster_put(c, leader, "a", "1", &rc);

    cluster_settle(c);
    assert_done(c, put);
    for (uint32_t i = 0; i < 3; i++)
        cluster_close(c, i);
    /* The two that are enough come back. */
    ck_assert_int_eq(cluster_open(c, leader), RKV_OK);
    ck_assert_int_eq(cluster_open(c, (leader + 1) % 3), RKV_OK);
    leader = cluster_elect(c);
    ck_assert_str_eq(cluster_get(c, leader, "a"), "1");
    stop(c);
}
END_TEST

Suite *suite_node_cluster(void)
{
    Suite *s = suite_create("node_cluster");
    TCase *t = tcase_create("cluster");

    tcase_set_timeout(t, 20);
    tcase_add_test(t, a_member_alone_elects_itself_and_answers);
    tcase_add_test(t, a_write_reaches_all_members);
    tcase_add_test(t, a_follower_forwards_and_learns_the_result);
    tcase_add_test(t, a_request_without_a_leader_waits_for_one);
    tcase_add_test(t, a_request_that_never_met_a_leader_was_not_done);
    tcase_add_test(t, a_write_cut_off_with_its_leader_is_unknown_then_lost);
    tcase_add_test(t, reads_are_answered_on_every_member);
    tcase_add_test(t, a_deposed_leader_answers_no_read);
    tcase_add_test(
        t, a_stalled_disk_acknowledges_nothing_and_commits_with_the_others);
    tcase_add_test(t, what_was_flushed_survives_a_restart_of_all);
    tcase_add_test(t, leadership_moves_where_it_is_asked_to);
    tcase_add_test(t, leadership_moves_when_a_follower_asks);
    tcase_add_test(t, a_transfer_to_a_silent_member_is_given_up_and_said_so);
    tcase_add_test(t, a_member_is_added_promoted_and_removed);
    tcase_add_test(t, a_second_change_waits_its_turn);
    tcase_add_test(t, a_member_is_bootstrapped_among_others_only_with_itself);
    tcase_add_test(t,
                   bootstrapping_again_is_harmless_with_the_same_members_only);
    tcase_add_test(t, a_frame_of_another_cluster_is_refused_with_a_word);
    tcase_add_test(t, a_store_of_another_member_is_refused);
    tcase_add_test(t, a_watch_sees_every_change_once);
    tcase_add_test(t, a_command_too_big_or_malformed_is_refused_at_the_door);
    tcase_add_test(t, closing_a_node_forgets_nothing_that_was_acknowledged);
    suite_add_tcase(s, t);
    return s;
}
