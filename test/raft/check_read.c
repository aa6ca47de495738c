/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/raft/check_read.c - read points: never too early, never from the past,
 * never forgotten.
 */
#include <check.h>

#include "raft/world.h"

Suite *suite_raft_read(void);

START_TEST(a_read_waits_for_a_quorum_to_confirm_the_leader)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    struct node *n = world_node(w, 1);
    ck_assert_int_eq(world_read(w, 1, 5), RKV_OK);
    ck_assert_uint_eq(n->reads_count, 0);
    world_pump(w);
    ck_assert_uint_eq(n->reads_count, 1);
    ck_assert_uint_eq(n->reads[0].token, 5);
    ck_assert_int_eq(n->reads[0].status, RKV_OK);
    ck_assert_uint_eq(n->reads[0].index, world_status(w, 1).commit);
    world_free(w);
}
END_TEST

START_TEST(a_leader_cut_off_answers_no_read)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    w->cut[1] = true;
    world_read(w, 1, 5);
    world_pass(w, 500);
    ck_assert_uint_eq(world_node(w, 1)->reads_count, 0);
    world_pass(w, 3000);
    ck_assert_uint_eq(world_node(w, 1)->reads_count, 1);
    ck_assert_int_eq(world_node(w, 1)->reads[0].status, RKV_ENOTLEADER);
    world_free(w);
}
END_TEST

START_TEST(a_new_leader_answers_nothing_before_its_first_commit)
{
    struct world *w = world_new(3, 3, 7);
    world_campaign(w, 1);
    while (world_status(w, 1).role != RKV_LEADER) {
        world_deliver(w, 0);
        for (uint64_t id = 1; id <= 3; id++)
            world_persist(w, id);
    }
    world_read(w, 1, 5);
    /* A heartbeat's round is no help: nothing of its term is committed. */
    w->now += 100;
    world_tick(w, 1);
    while (world_deliver_kind(w, RKV_MSG_HEARTBEAT, 1, 0))
        ;
    while (world_deliver_kind(w, RKV_MSG_HEARTBEAT_REPLY, 0, 1))
        ;
    ck_assert_uint_eq(world_node(w, 1)->reads_count, 0);
    world_pump(w);
    ck_assert_uint_eq(world_node(w, 1)->reads_count, 1);
    ck_assert_uint_ge(world_node(w, 1)->reads[0].index, 2);
    world_check(w);
    world_free(w);
}
END_TEST

/* It applied and answered more than its disk says is committed. */
START_TEST(a_single_voter_reads_nothing_stale_after_a_restart)
{
    struct world *w = world_new(1, 1, 7);
    world_elect(w, 1);
    world_propose(w, 1, 1, 1);
    world_pump(w);
    uint64_t seen = world_status(w, 1).commit;
    ck_assert_uint_lt(world_node(w, 1)->disk.commit, seen);
    world_crash(w, 1, 9);
    world_start(w, 1);
    w->hold_disk[1] = true;
    world_campaign(w, 1);
    world_persist(w, 1);
    ck_assert_uint_eq(world_status(w, 1).role, RKV_LEADER);
    world_read(w, 1, 5);
    world_pump(w);
    ck_assert_uint_eq(world_node(w, 1)->reads_count, 0);
    w->hold_disk[1] = false;
    world_pump(w);
    ck_assert_uint_eq(world_node(w, 1)->reads_count, 1);
    ck_assert_uint_gt(world_node(w, 1)->reads[0].index, seen);
    world_free(w);
}
END_TEST

START_TEST(an_answer_to_an_earlier_round_confirms_no_later_read)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    struct node *n = world_node(w, 1);
    world_read(w, 1, 5);
    world_deliver_kind(w, RKV_MSG_HEARTBEAT, 1, 2);
    world_lose_kind(w, RKV_MSG_HEARTBEAT, 1, 0);
    /* Same token, asked after that heartbeat was answered. */
    world_read(w, 1, 5);
    world_lose_kind(w, RKV_MSG_HEARTBEAT, 1, 0);
    world_deliver_kind(w, RKV_MSG_HEARTBEAT_REPLY, 2, 1);
    ck_assert_uint_eq(n->reads_count, 1);
    world_pump(w);
    ck_assert_uint_eq(n->reads_count, 1);
    world_pass(w, 200);
    ck_assert_uint_eq(n->reads_count, 2);
    world_free(w);
}
END_TEST

/* Members answer with the highest round they heard; those of an earlier
 * leader must not count for the next one, whose numbers are lower. */
START_TEST(rounds_answered_to_an_earlier_leader_confirm_nothing_for_the_next)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    for (uint64_t token = 1; token <= 20; token++) {
        world_read(w, 1, token);
        world_pump(w);
    }
    ck_assert_uint_eq(world_node(w, 1)->reads_count, 20);
    world_elect(w, 2);
    world_pass(w, 500);
    ck_assert_uint_eq(world_status(w, 2).role, RKV_LEADER);
    w->cut[2] = true;
    world_read(w, 2, 50);
    world_pump(w);
    ck_assert_uint_eq(world_node(w, 2)->reads_count, 0);
    w->cut[2] = false;
    world_pass(w, 300);
    ck_assert_uint_eq(world_node(w, 2)->reads_count, 1);
    ck_assert_int_eq(world_node(w, 2)->reads[0].status, RKV_OK);
    ck_assert_uint_gt(world_peer(w, 2, 3).heard, w->now - 150);
    world_free(w);
}
END_TEST

START_TEST(reads_between_two_drains_share_a_round)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    w->manual_drain = true;
    for (uint64_t i = 0; i < 100; i++)
        ck_assert_int_eq(world_read(w, 1, i), RKV_OK);
    world_drain(w, 1);
    w->manual_drain = false;
    ck_assert_uint_eq(world_count_kind(w, RKV_MSG_HEARTBEAT, 1, 0), 2);
    world_pump(w);
    ck_assert_uint_eq(world_node(w, 1)->reads_count, 100);
    world_free(w);
}
END_TEST

START_TEST(a_follower_asks_its_leader_once_for_all_its_reads)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    w->manual_drain = true;
    for (uint64_t i = 0; i < 100; i++)
        ck_assert_int_eq(world_read(w, 2, i), RKV_OK);
    world_drain(w, 2);
    w->manual_drain = false;
    ck_assert_uint_eq(world_count_kind(w, RKV_MSG_READ, 2, 1), 1);
    world_pump(w);
    struct node *n = world_node(w, 2);
    ck_assert_uint_eq(n->reads_count, 100);
    ck_assert_int_eq(n->reads[99].status, RKV_OK);
    ck_assert_uint_eq(n->reads[99].index, world_status(w, 1).commit);
    world_free(w);
}
END_TEST

/* It asks, restarts under the same leader, and asks again: the answer to its
 * first life's question lies before what was committed since. */
START_TEST(an_answer_to_an_earlier_life_decides_no_read_of_the_next)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    world_read(w, 2, 5);
    world_deliver_kind(w, RKV_MSG_READ, 2, 1);
    while (world_deliver_kind(w, RKV_MSG_HEARTBEAT, 1, 0) ||
           world_deliver_kind(w, RKV_MSG_HEARTBEAT_REPLY, 0, 1))
        ;
    struct packet *p = world_find(w, RKV_MSG_READ_REPLY, 1, 2);
    ck_assert_ptr_nonnull(p);
    struct rkv_raft_msg late = p->msg;
    world_crash(w, 2, 9);
    world_propose(w, 1, 1, 1);
    world_pump(w);
    world_start(w, 2);
    world_pass(w, 200);
    ck_assert_uint_eq(world_status(w, 2).leader, 1);
    world_node(w, 2)->reads_count = 0;
    world_read_point(w, 2);
    world_receive(w, 2, &late);
    ck_assert_uint_eq(world_node(w, 2)->reads_count, 0);
    world_pump(w);
    ck_assert_uint_eq(world_node(w, 2)->reads_count, 1);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_follower_asks_again_when_its_question_was_lost)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    world_read(w, 2, 5);
    world_lose_kind(w, 0, 0, 0);
    world_pass(w, 300);
    ck_assert_uint_eq(world_node(w, 2)->reads_count, 1);
    ck_assert_int_eq(world_node(w, 2)->reads[0].status, RKV_OK);
    world_free(w);
}
END_TEST

START_TEST(a_question_of_another_term_deposes_nobody_and_is_refused)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    uint64_t term = world_status(w, 1).term;
    for (uint64_t by = 0; by <= 2; by += 2) {
        struct rkv_raft_msg m = {.kind = RKV_MSG_READ,
                                 .from = 2,
                                 .to = 1,
                                 .term = term - 1 + by,
                                 .round = 5};
        world_receive(w, 1, &m);
        ck_assert_uint_eq(world_leader(w), 1);
        ck_assert_uint_eq(world_status(w, 1).term, term);
        struct packet *p = world_find(w, RKV_MSG_READ_REPLY, 1, 2);
        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq(p->msg.flags, RKV_MSG_REJECT);
        world_lose_kind(w, 0, 0, 0);
    }
    world_free(w);
}
END_TEST

START_TEST(a_follower_without_a_leader_says_so_at_once)
{
    struct world *w = world_new(3, 3, 7);
    ck_assert_int_eq(world_read(w, 2, 5), RKV_ENOLEADER);
    world_free(w);
}
END_TEST

START_TEST(a_read_whose_leader_fell_silent_is_given_back)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    w->cut[1] = true;
    world_read(w, 2, 5);
    world_pass(w, 2500);
    ck_assert_uint_eq(world_node(w, 2)->reads_count, 1);
    ck_assert_int_eq(world_node(w, 2)->reads[0].status, RKV_ENOLEADER);
    world_free(w);
}
END_TEST

START_TEST(a_learner_reads_through_the_only_voter)
{
    struct world *w = world_new(2, 1, 7);
    world_elect(w, 1);
    world_change(w, 1, RKV_CHANGE_ADD_LEARNER, 2);
    world_pass(w, 300);
    world_compact(w, 1, 0);
    world_pass(w, 300);
    ck_assert_int_eq(world_read(w, 2, 5), RKV_OK);
    world_pump(w);
    ck_assert_uint_eq(world_node(w, 2)->reads_count, 1);
    ck_assert_int_eq(world_node(w, 2)->reads[0].status, RKV_OK);
    ck_assert_uint_eq(world_node(w, 1)->reads_count, 0);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_smaller_quorum_confirms_reads_that_waited)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    w->cut[3] = true;
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_REMOVE, 3), RKV_OK);
    w->hold_apply[1] = true;
    world_pump(w);
    /* Now 2 falls silent too: only its removal lets the read pass. */
    w->hold_apply[1] = false;
    world_apply(w, 1);
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_REMOVE, 2), RKV_OK);
    w->hold_apply[1] = true;
    world_pump(w);
    w->cut[2] = true;
    world_read(w, 1, 5);
    world_pump(w);
    ck_assert_uint_eq(world_node(w, 1)->reads_count, 0);
    w->hold_apply[1] = false;
    world_apply(w, 1);
    ck_assert_uint_eq(world_node(w, 1)->reads_count, 1);
    ck_assert_int_eq(world_node(w, 1)->reads[0].status, RKV_OK);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(too_many_reads_are_refused_and_none_is_lost)
{
    struct rkv_raft_options options = {.reads_max = 10};
    struct world *w = world_new_with(3, 3, 7, &options);
    world_elect(w, 1);
    for (uint64_t i = 0; i < 10; i++)
        ck_assert_int_eq(world_read(w, 1, i), RKV_OK);
    ck_assert_int_eq(world_read(w, 1, 10), RKV_EBUSY);
    /* A follower's is refused too, and told so. */
    world_read(w, 2, 77);
    world_deliver_kind(w, RKV_MSG_READ, 2, 1);
    world_deliver_kind(w, RKV_MSG_READ_REPLY, 1, 2);
    ck_assert_uint_eq(world_node(w, 2)->reads_count, 1);
    ck_assert_int_eq(world_node(w, 2)->reads[0].status, RKV_EBUSY);
    world_pump(w);
    ck_assert_uint_eq(world_node(w, 1)->reads_count, 10);
    ck_assert_int_eq(world_read(w, 1, 11), RKV_OK);
    world_free(w);
}
END_TEST

START_TEST(reads_of_a_deposed_leader_are_given_back_and_not_kept)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    w->cut[1] = true;
    world_read(w, 1, 5);
    world_pass(w, 4000);
    w->cut[1] = false;
    world_pass(w, 4000);
    ck_assert_uint_eq(world_node(w, 1)->reads_count, 1);
    ck_assert_int_ne(world_node(w, 1)->reads[0].status, RKV_OK);
    world_elect(w, 1);
    ck_assert_uint_eq(world_node(w, 1)->reads_count, 1);
    world_free(w);
}
END_TEST

Suite *suite_raft_read(void)
{
    Suite *suite = suite_create("raft read");
    TCase *tc = tcase_create("read");
    tcase_add_test(tc, a_read_waits_for_a_quorum_to_confirm_the_leader);
    tcase_add_test(tc, a_leader_cut_off_answers_no_read);
    tcase_add_test(tc, a_new_leader_answers_nothing_before_its_first_commit);
    tcase_add_test(tc, a_single_voter_reads_nothing_stale_after_a_restart);
    tcase_add_test(tc, an_answer_to_an_earlier_round_confirms_no_later_read);
    tcase_add_test(
        tc, rounds_answered_to_an_earlier_leader_confirm_nothing_for_the_next);
    tcase_add_test(tc, reads_between_two_drains_share_a_round);
    tcase_add_test(tc, a_follower_asks_its_leader_once_for_all_its_reads);
    tcase_add_test(tc,
                   an_answer_to_an_earlier_life_decides_no_read_of_the_next);
    tcase_add_test(tc, a_follower_asks_again_when_its_question_was_lost);
    tcase_add_test(tc,
                   a_question_of_another_term_deposes_nobody_and_is_refused);
    tcase_add_test(tc, a_follower_without_a_leader_says_so_at_once);
    tcase_add_test(tc, a_read_whose_leader_fell_silent_is_given_back);
    tcase_add_test(tc, a_learner_reads_through_the_only_voter);
    tcase_add_test(tc, a_smaller_quorum_confirms_reads_that_waited);
    tcase_add_test(tc, too_many_reads_are_refused_and_none_is_lost);
    tcase_add_test(tc, reads_of_a_deposed_leader_are_given_back_and_not_kept);
    suite_add_tcase(suite, tc);
    return suite;
}
