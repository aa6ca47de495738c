/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/raft/check_status.c - what a member says of itself when asked, above
 * all why there is no leader.
 */
#include <check.h>

#include "raft/world.h"

Suite *suite_raft_status(void);

static uint32_t why(struct world *w, uint64_t id)
{
    return world_status(w, id).leaderless;
}

START_TEST(a_leader_that_is_known_is_no_reason)
{
    struct world *w = world_new(3, 3, 7);
    ck_assert_uint_eq(why(w, 1), RKV_LEADERLESS_WAITING);
    world_elect(w, 1);
    for (uint64_t id = 1; id <= 3; id++)
        ck_assert_uint_eq(why(w, id), RKV_LEADERLESS_NOT);
    world_free(w);
}
END_TEST

START_TEST(a_campaign_says_what_it_waits_for)
{
    struct world *w = world_new(5, 5, 7);
    world_campaign(w, 1);
    ck_assert_uint_eq(why(w, 1), RKV_LEADERLESS_PREVOTES);
    ck_assert_uint_eq(world_status(w, 1).granted, 1);
    world_deliver_kind(w, RKV_MSG_PREVOTE, 1, 2);
    world_deliver_kind(w, RKV_MSG_PREVOTE_REPLY, 2, 1);
    ck_assert_uint_eq(world_status(w, 1).granted, 2);
    world_deliver_kind(w, RKV_MSG_PREVOTE, 1, 3);
    world_deliver_kind(w, RKV_MSG_PREVOTE_REPLY, 3, 1);
    ck_assert_uint_eq(why(w, 1), RKV_LEADERLESS_DISK);
    ck_assert_uint_eq(world_status(w, 1).granted, 0);
    world_persist(w, 1);
    ck_assert_uint_eq(why(w, 1), RKV_LEADERLESS_VOTES);
    ck_assert_uint_eq(world_status(w, 1).granted, 1);
    struct rkv_raft_msg no = {.kind = RKV_MSG_VOTE_REPLY,
                              .flags = RKV_MSG_REJECT,
                              .from = 4,
                              .to = 1,
                              .term = world_status(w, 1).term};
    world_receive(w, 1, &no);
    ck_assert_uint_eq(world_status(w, 1).rejected, 1);
    world_free(w);
}
END_TEST

START_TEST(who_may_not_campaign_says_why)
{
    struct world *w = world_new(4, 3, 7);
    ck_assert_uint_eq(why(w, 4), RKV_LEADERLESS_NO_VOTER);
    world_crash(w, 2, 9);
    w->options.flags = RKV_RAFT_NEVER_LEADS;
    world_start(w, 2);
    ck_assert_uint_eq(why(w, 2), RKV_LEADERLESS_NEVER);
    w->options.flags = 0;
    world_crash(w, 3, 9);
    world_node(w, 3)->disk.recovering = true;
    world_start(w, 3);
    ck_assert_uint_eq(why(w, 3), RKV_LEADERLESS_RECOVERING);
    struct rkv_raft_in in = {.kind = RKV_IN_PERSIST_FAILED};
    world_step(w, 1, in);
    ck_assert_uint_eq(why(w, 1), RKV_LEADERLESS_FAILED);
    world_free(w);
}
END_TEST

START_TEST(a_change_to_be_applied_first_is_a_reason)
{
    struct world *w = world_new(4, 3, 7);
    world_elect(w, 1);
    w->hold_apply[2] = true;
    world_change(w, 1, RKV_CHANGE_ADD_LEARNER, 4);
    world_pump(w);
    world_step(w, 2, (struct rkv_raft_in){.kind = RKV_IN_FORGET_LEADER});
    ck_assert_uint_eq(why(w, 2), RKV_LEADERLESS_CHANGE);
    w->hold_apply[2] = false;
    world_apply(w, 2);
    ck_assert_uint_eq(why(w, 2), RKV_LEADERLESS_WAITING);
    world_free(w);
}
END_TEST

START_TEST(a_promise_kept_after_a_start_is_a_reason)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    world_change(w, 1, RKV_CHANGE_LEASES_ON, 0);
    world_pass(w, 300);
    w->cut[2] = true;
    world_crash(w, 2, 9);
    world_start(w, 2);
    world_tick(w, 2);
    ck_assert_uint_eq(why(w, 2), RKV_LEADERLESS_PROMISED);
    w->now += 1000;
    world_step(w, 2,
               (struct rkv_raft_in){.kind = RKV_IN_UNREACHABLE, .peer = 1});
    ck_assert_uint_eq(why(w, 2), RKV_LEADERLESS_WAITING);
    world_free(w);
}
END_TEST

START_TEST(a_snapshot_to_be_installed_first_is_a_reason)
{
    struct world *w = world_new(3, 3, 7);
    struct rkv_raft_msg m = {.kind = RKV_MSG_SNAPSHOT,
                             .from = 2,
                             .to = 1,
                             .term = 5,
                             .index = 100,
                             .log_term = 4};
    world_receive(w, 1, &m);
    ck_assert_uint_eq(why(w, 1), RKV_LEADERLESS_NOT);
    world_pass(w, 1);
    m.index = 200;
    world_receive(w, 1, &m);
    world_step(w, 1, (struct rkv_raft_in){.kind = RKV_IN_FORGET_LEADER});
    world_node(w, 1)->restore_wanted = false;
    ck_assert_uint_eq(why(w, 1), RKV_LEADERLESS_RESTORING);
    world_free(w);
}
END_TEST

Suite *suite_raft_status(void)
{
    Suite *suite = suite_create("raft status");
    TCase *tc = tcase_create("status");
    tcase_add_test(tc, a_leader_that_is_known_is_no_reason);
    tcase_add_test(tc, a_campaign_says_what_it_waits_for);
    tcase_add_test(tc, who_may_not_campaign_says_why);
    tcase_add_test(tc, a_change_to_be_applied_first_is_a_reason);
    tcase_add_test(tc, a_promise_kept_after_a_start_is_a_reason);
    tcase_add_test(tc, a_snapshot_to_be_installed_first_is_a_reason);
    suite_add_tcase(suite, tc);
    return suite;
}
