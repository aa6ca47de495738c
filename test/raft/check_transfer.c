/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/raft/check_transfer.c - handing leadership over.
 */
#include <check.h>

#include "raft/world.h"

Suite *suite_raft_transfer(void);

START_TEST(leadership_goes_where_it_is_wished)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    uint64_t now = w->now;
    ck_assert_int_eq(world_transfer(w, 1, 3), RKV_OK);
    world_pump(w);
    ck_assert_uint_eq(world_leader(w), 3);
    ck_assert_uint_eq(w->now, now);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(without_a_wish_it_goes_to_who_is_furthest)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    w->cut[2] = true;
    world_propose(w, 1, 3, 1);
    world_pump(w);
    w->cut[2] = false;
    ck_assert_int_eq(world_transfer(w, 1, 0), RKV_OK);
    world_pump(w);
    ck_assert_uint_eq(world_leader(w), 3);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_follower_hands_the_wish_to_its_leader)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    ck_assert_int_eq(world_transfer(w, 2, 3), RKV_OK);
    world_pump(w);
    ck_assert_uint_eq(world_leader(w), 3);
    world_free(w);
}
END_TEST

START_TEST(the_target_campaigns_only_once_it_has_the_whole_log)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    world_propose(w, 1, 3, 1);
    world_lose_kind(w, RKV_MSG_APPEND, 1, 3);
    ck_assert_int_eq(world_transfer(w, 1, 3), RKV_OK);
    ck_assert_ptr_null(world_find(w, RKV_MSG_TIMEOUT_NOW, 1, 3));
    world_pass(w, 300);
    ck_assert_uint_eq(world_leader(w), 3);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(proposals_are_refused_meanwhile_and_taken_after_it_failed)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    w->cut[3] = true;
    ck_assert_int_eq(world_transfer(w, 1, 3), RKV_OK);
    ck_assert_int_eq(world_propose(w, 1, 1, 1), RKV_ETRANSFER);
    ck_assert_uint_eq(world_status(w, 1).transferee, 3);
    world_pass(w, 999);
    ck_assert_int_eq(world_propose(w, 1, 1, 1), RKV_ETRANSFER);
    world_pass(w, 1);
    ck_assert_uint_eq(world_status(w, 1).transferee, 0);
    ck_assert_int_eq(world_propose(w, 1, 1, 1), RKV_OK);
    world_pass(w, 100);
    ck_assert_uint_eq(world_leader(w), 1);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(impossible_targets_are_refused)
{
    struct world *w = world_new(4, 3, 7);
    ck_assert_int_eq(world_transfer(w, 1, 2), RKV_ENOLEADER);
    world_elect(w, 1);
    ck_assert_int_eq(world_transfer(w, 1, 1), RKV_EINVAL);
    ck_assert_int_eq(world_transfer(w, 1, 9), RKV_ENOTFOUND);
    world_change(w, 1, RKV_CHANGE_ADD_LEARNER, 4);
    world_pump(w);
    ck_assert_int_eq(world_transfer(w, 1, 4), RKV_EINVAL);
    ck_assert_uint_eq(world_status(w, 1).transferee, 0);
    world_free(w);
}
END_TEST

START_TEST(a_target_that_is_removed_ends_the_transfer)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    w->cut[3] = true;
    w->hold_apply[1] = true;
    world_change(w, 1, RKV_CHANGE_REMOVE, 3);
    world_pump(w);
    ck_assert_int_eq(world_transfer(w, 1, 3), RKV_OK);
    w->hold_apply[1] = false;
    world_apply(w, 1);
    ck_assert_uint_eq(world_status(w, 1).transferee, 0);
    ck_assert_int_eq(world_propose(w, 1, 1, 1), RKV_OK);
    world_free(w);
}
END_TEST

START_TEST(a_late_word_to_campaign_means_nothing)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    uint64_t term = world_status(w, 1).term;
    world_elect(w, 2);
    struct rkv_raft_msg m = {
        .kind = RKV_MSG_TIMEOUT_NOW, .from = 1, .to = 3, .term = term};
    world_receive(w, 3, &m);
    ck_assert_uint_eq(world_status(w, 3).role, RKV_FOLLOWER);
    m.to = 2;
    m.term = world_status(w, 2).term;
    world_receive(w, 2, &m);
    ck_assert_uint_eq(world_status(w, 2).role, RKV_LEADER);
    /* Nor to one that campaigns already: it would go to the next term. */
    w->cut[3] = true;
    w->now += 2500;
    world_campaign(w, 3);
    uint64_t now = world_status(w, 3).term;
    ck_assert_uint_eq(world_status(w, 3).role, RKV_PRECANDIDATE);
    m = (struct rkv_raft_msg){
        .kind = RKV_MSG_TIMEOUT_NOW, .from = 2, .to = 3, .term = now};
    world_receive(w, 3, &m);
    ck_assert_uint_eq(world_status(w, 3).role, RKV_PRECANDIDATE);
    ck_assert_uint_eq(world_status(w, 3).term, now);
    world_free(w);
}
END_TEST

START_TEST(who_may_not_campaign_does_not_when_told_to)
{
    struct world *w = world_new(4, 3, 7);
    world_elect(w, 1);
    world_change(w, 1, RKV_CHANGE_ADD_LEARNER, 4);
    world_pump(w);
    for (uint64_t id = 1; id <= 3; id++)
        world_compact(w, id, 0);
    world_pass(w, 500);
    struct rkv_raft_msg m = {.kind = RKV_MSG_TIMEOUT_NOW,
                             .from = 1,
                             .to = 4,
                             .term = world_status(w, 4).term};
    world_receive(w, 4, &m);
    ck_assert_uint_eq(world_status(w, 4).role, RKV_FOLLOWER);
    world_free(w);
}
END_TEST

/* Told to campaign while a committed change waits: it does when that is
 * applied, unless it comes too late. */
START_TEST(a_target_that_has_a_change_to_apply_campaigns_after_it)
{
    for (uint64_t late = 0; late < 2; late++) {
        struct world *w = world_new(4, 3, 7);
        world_elect(w, 1);
        w->hold_apply[2] = true;
        ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_ADD_LEARNER, 4), RKV_OK);
        world_pump(w);
        ck_assert_int_eq(world_transfer(w, 1, 2), RKV_OK);
        world_pump(w);
        ck_assert_uint_eq(world_status(w, 2).role, RKV_FOLLOWER);
        world_pass(w, late == 0 ? 500 : 1100);
        ck_assert_uint_eq(world_leader(w), 1);
        w->hold_apply[2] = false;
        world_pump(w);
        ck_assert_uint_eq(world_leader(w), late == 0 ? 2 : 1);
        world_check(w);
        world_free(w);
    }
}
END_TEST

Suite *suite_raft_transfer(void)
{
    Suite *suite = suite_create("raft transfer");
    TCase *tc = tcase_create("transfer");
    tcase_add_test(tc, leadership_goes_where_it_is_wished);
    tcase_add_test(tc, without_a_wish_it_goes_to_who_is_furthest);
    tcase_add_test(tc, a_follower_hands_the_wish_to_its_leader);
    tcase_add_test(tc, the_target_campaigns_only_once_it_has_the_whole_log);
    tcase_add_test(tc,
                   proposals_are_refused_meanwhile_and_taken_after_it_failed);
    tcase_add_test(tc, impossible_targets_are_refused);
    tcase_add_test(tc, a_target_that_is_removed_ends_the_transfer);
    tcase_add_test(tc, a_late_word_to_campaign_means_nothing);
    tcase_add_test(tc, who_may_not_campaign_does_not_when_told_to);
    tcase_add_test(tc, a_target_that_has_a_change_to_apply_campaigns_after_it);
    suite_add_tcase(suite, tc);
    return suite;
}
