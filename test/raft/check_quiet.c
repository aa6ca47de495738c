/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/raft/check_quiet.c - a group that has nothing to do sleeps, and wakes
 * for whatever happens to one of its members.
 */
#include <check.h>

#include "raft/world.h"

Suite *suite_raft_quiet(void);

enum { QUIET = 300 };

static struct world *sleepers_of(uint32_t voters)
{
    struct rkv_raft_options options = {.quiet_ticks = QUIET};
    struct world *w = world_new_with(4, voters, 7, &options);
    world_elect(w, 1);
    world_propose(w, 1, 3, 10);
    world_pass(w, 1000);
    return w;
}

static struct world *asleep(void)
{
    struct world *w = sleepers_of(3);
    for (uint64_t id = 1; id <= 3; id++) {
        ck_assert_uint_eq(world_status(w, id).quiet, 1);
        ck_assert_uint_eq(world_node(w, id)->deadline, UINT64_MAX);
    }
    ck_assert_uint_eq(w->packets_count, 0);
    return w;
}

static int unreachable(struct world *w, uint64_t id, uint64_t peer)
{
    return world_step(
        w, id, (struct rkv_raft_in){.kind = RKV_IN_UNREACHABLE, .peer = peer});
}

START_TEST(who_sleeps_asks_for_nothing)
{
    struct world *w = asleep();
    uint64_t term = world_status(w, 1).term;
    w->now += 1000000;
    for (uint64_t id = 1; id <= 3; id++)
        world_tick(w, id);
    ck_assert_uint_eq(w->packets_count, 0);
    ck_assert_uint_eq(world_leader(w), 1);
    ck_assert_uint_eq(world_status(w, 2).leader, 1);
    ck_assert_uint_eq(world_status(w, 2).term, term);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(without_the_wish_nobody_sleeps)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    world_pass(w, 5000);
    ck_assert_uint_eq(world_status(w, 1).quiet, 0);
    ck_assert_uint_ne(world_node(w, 1)->deadline, UINT64_MAX);
    world_free(w);
}
END_TEST

START_TEST(a_proposal_wakes_all_and_then_they_sleep_again)
{
    struct world *w = asleep();
    w->now += 100000;
    ck_assert_int_eq(world_propose(w, 1, 1, 1), RKV_OK);
    ck_assert_uint_eq(world_status(w, 1).quiet, 0);
    world_pump(w);
    uint64_t last = world_status(w, 1).last;
    for (uint64_t id = 1; id <= 3; id++) {
        ck_assert_uint_eq(world_status(w, id).commit, last);
        ck_assert_uint_eq(world_status(w, id).quiet, 0);
        ck_assert_uint_le(world_node(w, id)->deadline, w->now + 2000);
    }
    world_pass(w, 1000);
    for (uint64_t id = 1; id <= 3; id++)
        ck_assert_uint_eq(world_status(w, id).quiet, 1);
    world_check(w);
    world_free(w);
}
END_TEST

/* On a follower too: it wakes its leader, and that the others. */
START_TEST(a_read_wakes_all)
{
    struct world *w = asleep();
    w->now += 100000;
    ck_assert_int_eq(world_read_point(w, 2), RKV_OK);
    world_pump(w);
    ck_assert_uint_eq(world_node(w, 2)->reads_count, 1);
    ck_assert_int_eq(world_node(w, 2)->reads[0].status, RKV_OK);
    for (uint64_t id = 1; id <= 3; id++)
        ck_assert_uint_eq(world_status(w, id).quiet, 0);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(who_lacks_something_keeps_all_awake)
{
    struct rkv_raft_options options = {.quiet_ticks = QUIET};
    struct world *w = world_new_with(3, 3, 7, &options);
    world_elect(w, 1);
    w->cut[3] = true;
    world_propose(w, 1, 3, 10);
    world_pass(w, 3000);
    ck_assert_uint_eq(world_status(w, 1).quiet, 0);
    ck_assert_uint_eq(world_status(w, 2).quiet, 0);
    w->cut[3] = false;
    world_pass(w, 3000);
    ck_assert_uint_eq(world_status(w, 1).quiet, 1);
    ck_assert_uint_eq(world_status(w, 3).quiet, 1);
    world_check(w);
    world_free(w);
}
END_TEST

/* It holds all there is, but its consent is not known. */
START_TEST(a_leader_sleeps_only_when_all_have_agreed)
{
    struct rkv_raft_options options = {.quiet_ticks = QUIET};
    struct world *w = world_new_with(3, 3, 7, &options);
    world_elect(w, 1);
    world_propose(w, 1, 1, 1);
    world_pump(w);
    for (int i = 0; i < 20; i++) {
        w->now += 100;
        world_tick(w, 1);
        while (world_lose_kind(w, RKV_MSG_HEARTBEAT_REPLY, 3, 1) > 0 ||
               world_deliver(w, 0))
            ;
    }
    ck_assert_uint_eq(world_status(w, 2).quiet, 1);
    ck_assert_uint_eq(world_status(w, 3).quiet, 1);
    ck_assert_uint_eq(world_status(w, 1).quiet, 0);
    ck_assert_uint_eq(world_leader(w), 1);
    world_pass(w, 300);
    ck_assert_uint_eq(world_status(w, 1).quiet, 1);
    world_check(w);
    world_free(w);
}
END_TEST

/* One of them wishes for no sleep at all. */
START_TEST(who_never_agrees_keeps_its_leader_awake)
{
    struct world *w = sleepers_of(3);
    world_crash(w, 3, 9);
    w->options.quiet_ticks = 0;
    world_start(w, 3);
    world_pass(w, 8000);
    ck_assert_uint_ne(world_leader(w), 0);
    ck_assert_uint_eq(world_status(w, world_leader(w)).quiet, 0);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_dead_leader_is_replaced_when_the_host_says_so)
{
    for (int at_once = 0; at_once < 2; at_once++) {
        struct world *w = asleep();
        world_crash(w, 1, 9);
        world_pass(w, 20000);
        ck_assert_uint_eq(world_leader(w), 0);
        for (uint64_t id = 2; id <= 3; id++) {
            if (at_once)
                world_step(w, id,
                           (struct rkv_raft_in){.kind = RKV_IN_FORGET_LEADER});
            else
                ck_assert_int_eq(unreachable(w, id, 1), RKV_OK);
            ck_assert_uint_eq(world_status(w, id).quiet, 0);
        }
        if (at_once)
            world_campaign(w, 2);
        world_pass(w, at_once ? 1 : 5000);
        ck_assert_uint_ne(world_leader(w), 0);
        world_check(w);
        world_free(w);
    }
}
END_TEST

/* It knows of no leader, and asks for votes: they wake, and it finds one. */
START_TEST(who_starts_anew_finds_its_group_and_it_sleeps_again)
{
    struct world *w = asleep();
    world_crash(w, 3, 9);
    world_start(w, 3);
    world_pass(w, 10000);
    uint64_t leader = world_leader(w);
    ck_assert_uint_ne(leader, 0);
    for (uint64_t id = 1; id <= 3; id++) {
        ck_assert_uint_eq(world_status(w, id).leader, leader);
        ck_assert_uint_eq(world_status(w, id).quiet, 1);
    }
    world_check(w);
    world_free(w);
}
END_TEST

/* Whoever asks knows of less than we hold, or of something else. */
START_TEST(only_who_ends_where_its_leader_does_agrees)
{
    struct rkv_raft_options options = {.quiet_ticks = QUIET};
    struct world *w = world_new_with(3, 3, 7, &options);
    world_elect(w, 1);
    struct rkv_raft_status s = world_status(w, 2);
    for (uint64_t i = 0; i < 3; i++) {
        struct rkv_raft_msg m = {.kind = RKV_MSG_HEARTBEAT,
                                 .flags = RKV_MSG_QUIET,
                                 .from = 1,
                                 .to = 2,
                                 .term = s.term,
                                 .index = s.last - (i == 0),
                                 .log_term = s.term - (i <= 1),
                                 .commit = s.commit};
        world_receive(w, 2, &m);
        ck_assert_uint_eq(world_status(w, 2).quiet, i == 2);
    }
    world_free(w);
}
END_TEST

/* Not by its own clock, which may be an election timeout late. */
START_TEST(who_wakes_wakes_the_others_at_once)
{
    struct world *w = asleep();
    ck_assert_int_eq(unreachable(w, 1, 2), RKV_OK);
    ck_assert_ptr_nonnull(world_find(w, RKV_MSG_HEARTBEAT, 1, 2));
    ck_assert_ptr_nonnull(world_find(w, RKV_MSG_HEARTBEAT, 1, 3));
    world_pass(w, 1000);
    ck_assert_uint_eq(world_status(w, 1).quiet, 1);
    ck_assert_int_eq(unreachable(w, 2, 3), RKV_OK);
    ck_assert(world_deliver_kind(w, RKV_MSG_HEARTBEAT_REPLY, 2, 1));
    ck_assert_uint_eq(world_status(w, 1).quiet, 0);
    ck_assert(world_deliver_kind(w, RKV_MSG_HEARTBEAT, 1, 3));
    ck_assert_uint_eq(world_status(w, 3).quiet, 0);
    ck_assert_ptr_null(world_find(w, RKV_MSG_APPEND_REPLY, 3, 1));
    world_pass(w, 1000);
    ck_assert_uint_eq(world_leader(w), 1);
    ck_assert_uint_eq(world_status(w, 1).quiet, 1);
    world_check(w);
    world_free(w);
}
END_TEST

/* It would not let itself be deposed, were it awake. */
START_TEST(who_sleeps_refuses_nobody_for_its_leaders_sake)
{
    struct rkv_raft_options options = {.quiet_ticks = QUIET};
    for (int is_woken = 0; is_woken < 2; is_woken++) {
        struct world *w = world_new_with(3, 3, 7, &options);
        world_elect(w, 1);
        while (!world_status(w, 3).quiet)
            world_pass(w, 10);
        ck_assert_uint_eq(world_status(w, 2).quiet, 1);
        world_crash(w, 1, 9);
        if (is_woken)
            ck_assert_int_eq(
                world_step(w, 3, (struct rkv_raft_in){.kind = RKV_IN_WAKE}),
                RKV_OK);
        world_campaign(w, 2);
        world_pump(w);
        ck_assert_uint_eq(world_leader(w), 2);
        world_check(w);
        world_free(w);
    }
}
END_TEST

/* Heard from again, the leader has its followers' loyalty back. */
START_TEST(who_wakes_and_hears_its_leader_is_loyal)
{
    struct world *w = asleep();
    ck_assert_int_eq(world_propose(w, 1, 1, 1), RKV_OK);
    world_pump(w);
    w->cut[1] = true;
    uint64_t term = world_status(w, 3).term;
    world_campaign(w, 2);
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 3).leader, 1);
    ck_assert_uint_eq(world_status(w, 3).term, term);
    world_free(w);
}
END_TEST

/* The word of the host stands for the silence that was to be waited for; only
 * the part that members draw, so as not to campaign together, is left. */
START_TEST(who_is_told_that_its_leader_is_dead_waits_for_no_silence)
{
    struct world *w = asleep();
    world_crash(w, 1, 9);
    uint64_t then = w->now;
    for (uint64_t id = 2; id <= 3; id++)
        ck_assert_int_eq(
            world_step(w, id,
                       (struct rkv_raft_in){.kind = RKV_IN_FORGET_LEADER}),
            RKV_OK);
    uint64_t first = world_node(w, 2)->deadline < world_node(w, 3)->deadline
                         ? world_node(w, 2)->deadline
                         : world_node(w, 3)->deadline;
    for (uint64_t id = 2; id <= 3; id++) {
        ck_assert_uint_ge(world_node(w, id)->deadline, then);
        ck_assert_uint_lt(world_node(w, id)->deadline, then + 1000);
    }
    world_pass(w, first - then + 10);
    ck_assert_uint_ne(world_leader(w), 0);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_wake_wakes_and_does_nothing_else)
{
    struct world *w = asleep();
    struct rkv_raft_in wake = {.kind = RKV_IN_WAKE};
    ck_assert_int_eq(world_step(w, 2, wake), RKV_OK);
    world_pump(w);
    for (uint64_t id = 1; id <= 3; id++)
        ck_assert_uint_eq(world_status(w, id).quiet, 0);
    uint64_t digest = rkv_raft_digest(world_node(w, 2)->raft);
    ck_assert_int_eq(world_step(w, 2, wake), RKV_OK);
    ck_assert_uint_eq(rkv_raft_digest(world_node(w, 2)->raft), digest);
    world_pass(w, 1000);
    ck_assert_uint_eq(world_leader(w), 1);
    ck_assert_uint_eq(world_status(w, 1).quiet, 1);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_refused_input_wakes_nobody)
{
    struct world *w = asleep();
    ck_assert_int_lt(world_propose(w, 2, 1, 1), 0);
    ck_assert_uint_eq(world_status(w, 2).quiet, 1);
    ck_assert_int_eq(world_step(w, 2, (struct rkv_raft_in){.kind = 99}),
                     RKV_EINVAL);
    ck_assert_uint_eq(world_status(w, 2).quiet, 1);
    ck_assert_uint_eq(w->packets_count, 0);
    world_free(w);
}
END_TEST

START_TEST(a_change_of_membership_and_a_transfer_wake_all)
{
    struct world *w = asleep();
    w->now += 5000;
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_ADD_LEARNER, 4), RKV_OK);
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 2).quiet, 0);
    for (uint64_t id = 1; id <= 3; id++)
        world_compact(w, id, 0);
    world_pass(w, 3000);
    ck_assert_uint_eq(world_status(w, 4).quiet, 1);
    ck_assert_uint_eq(world_status(w, 1).quiet, 1);
    ck_assert_int_eq(world_transfer(w, 2, 3), RKV_OK);
    world_pump(w);
    ck_assert_uint_eq(world_leader(w), 3);
    world_pass(w, 3000);
    ck_assert_uint_eq(world_status(w, 3).quiet, 1);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_member_alone_needs_no_sleep)
{
    struct world *w = sleepers_of(1);
    ck_assert_uint_eq(world_node(w, 1)->deadline, UINT64_MAX);
    w->now += 100000;
    ck_assert_int_eq(world_propose(w, 1, 1, 1), RKV_OK);
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 1).commit, world_status(w, 1).last);
    world_free(w);
}
END_TEST

Suite *suite_raft_quiet(void)
{
    Suite *suite = suite_create("raft quiet");
    TCase *tc = tcase_create("quiet");
    tcase_add_test(tc, who_sleeps_asks_for_nothing);
    tcase_add_test(tc, without_the_wish_nobody_sleeps);
    tcase_add_test(tc, a_proposal_wakes_all_and_then_they_sleep_again);
    tcase_add_test(tc, a_read_wakes_all);
    tcase_add_test(tc, who_lacks_something_keeps_all_awake);
    tcase_add_test(tc, a_leader_sleeps_only_when_all_have_agreed);
    tcase_add_test(tc, who_never_agrees_keeps_its_leader_awake);
    tcase_add_test(tc, a_dead_leader_is_replaced_when_the_host_says_so);
    tcase_add_test(tc, who_starts_anew_finds_its_group_and_it_sleeps_again);
    tcase_add_test(tc, only_who_ends_where_its_leader_does_agrees);
    tcase_add_test(tc, who_wakes_wakes_the_others_at_once);
    tcase_add_test(tc, who_sleeps_refuses_nobody_for_its_leaders_sake);
    tcase_add_test(tc, who_wakes_and_hears_its_leader_is_loyal);
    tcase_add_test(tc,
                   who_is_told_that_its_leader_is_dead_waits_for_no_silence);
    tcase_add_test(tc, a_wake_wakes_and_does_nothing_else);
    tcase_add_test(tc, a_refused_input_wakes_nobody);
    tcase_add_test(tc, a_change_of_membership_and_a_transfer_wake_all);
    tcase_add_test(tc, a_member_alone_needs_no_sleep);
    suite_add_tcase(suite, tc);
    return suite;
}
