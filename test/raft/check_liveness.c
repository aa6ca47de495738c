/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/raft/check_liveness.c - what keeps a group going when its leader is
 * known to be dead, when its leader's disk is, and when members that were
 * removed do not know it.
 */
#include <check.h>

#include "raft/world.h"

Suite *suite_raft_liveness(void);

static int forget(struct world *w, uint64_t id)
{
    return world_step(w, id,
                      (struct rkv_raft_in){.kind = RKV_IN_FORGET_LEADER});
}

/* Their clocks would hold them back for an election timeout. */
START_TEST(a_leader_known_to_be_dead_is_replaced_at_once)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    uint64_t term = world_status(w, 3).term;
    world_crash(w, 1, 9);
    world_campaign(w, 2);
    world_pump(w);
    ck_assert_uint_eq(world_leader(w), 0);
    ck_assert_int_eq(forget(w, 3), RKV_OK);
    ck_assert_uint_eq(world_status(w, 3).leader, 0);
    ck_assert_uint_eq(world_status(w, 3).term, term);
    ck_assert_uint_eq(world_status(w, 3).role, RKV_FOLLOWER);
    world_campaign(w, 2);
    world_pump(w);
    ck_assert_uint_eq(world_leader(w), 2);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(who_forgot_its_leader_still_helps_no_worse_log)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    w->cut[2] = true;
    world_propose(w, 1, 1, 1);
    world_pump(w);
    w->cut[2] = false;
    world_crash(w, 1, 9);
    forget(w, 3);
    world_campaign(w, 2);
    world_pump(w);
    ck_assert_uint_eq(world_leader(w), 0);
    world_check(w);
    world_free(w);
}
END_TEST

/* It found no majority and stepped down; what it said before is still on its
 * way to 2, again and again. */
START_TEST(a_leader_that_asks_for_votes_is_believed_to_lead_no_more)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    world_pass(w, 200);
    uint64_t term = world_status(w, 2).term;
    w->cut[2] = w->cut[3] = true;
    for (int i = 0; i < 50 && world_status(w, 1).role == RKV_LEADER; i++) {
        w->now += 50;
        world_tick(w, 1);
    }
    w->cut[2] = false;
    ck_assert_uint_ne(world_status(w, 1).role, RKV_LEADER);
    struct rkv_raft_msg late = {
        .kind = RKV_MSG_HEARTBEAT, .from = 1, .to = 2, .term = term};
    for (int i = 0; i < 400 && world_leader(w) == 0; i++) {
        w->now += 10;
        ck_assert_int_eq(world_receive(w, 2, &late), RKV_OK);
        world_tick(w, 1);
        world_pump(w);
    }
    ck_assert_uint_eq(world_leader(w), 1);
    ck_assert_uint_gt(world_status(w, 2).term, term);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(word_of_the_leader_brings_it_back)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    world_read(w, 2, 5);
    forget(w, 2);
    ck_assert_uint_eq(world_node(w, 2)->reads_count, 1);
    ck_assert_int_eq(world_node(w, 2)->reads[0].status, RKV_ENOLEADER);
    ck_assert_int_eq(forget(w, 2), RKV_OK);
    world_pass(w, 100);
    ck_assert_uint_eq(world_status(w, 2).leader, 1);
    ck_assert_uint_eq(world_leader(w), 1);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(who_forgets_its_leader_waits_no_longer_for_it)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct world *w = world_new(3, 3, seed);
        world_elect(w, 1);
        uint64_t deadline = world_status(w, 2).deadline;
        ck_assert_int_eq(forget(w, 2), RKV_OK);
        ck_assert_uint_eq(world_status(w, 2).deadline, deadline);
        world_free(w);
    }
}
END_TEST

START_TEST(neither_a_leader_nor_who_promised_forgets)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    ck_assert_int_eq(forget(w, 1), RKV_ESTATE);
    ck_assert_uint_eq(world_leader(w), 1);
    world_change(w, 1, RKV_CHANGE_LEASES_ON, 0);
    world_pass(w, 300);
    ck_assert_int_eq(forget(w, 2), RKV_ESTATE);
    ck_assert_uint_eq(world_status(w, 2).leader, 1);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_leader_whose_disk_stands_still_hands_over)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    w->hold_disk[1] = true;
    world_propose(w, 1, 1, 1);
    world_pass(w, 1900);
    ck_assert_uint_eq(world_leader(w), 1);
    world_pass(w, 300);
    uint64_t leader = world_leader(w);
    ck_assert_uint_ne(leader, 1);
    ck_assert_uint_ne(leader, 0);
    ck_assert_int_eq(world_propose(w, leader, 1, 1), RKV_OK);
    world_pump(w);
    ck_assert_uint_eq(world_status(w, leader).commit,
                      world_status(w, leader).last);
    world_check(w);
    world_free(w);
}
END_TEST

/* All disks stand still, as when they are one: nobody else would do better. */
START_TEST(a_leader_hands_over_to_nobody_who_is_as_slow)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    for (uint64_t id = 1; id <= 3; id++)
        w->hold_disk[id] = true;
    world_propose(w, 1, 1, 1);
    world_pass(w, 6000);
    ck_assert_uint_eq(world_leader(w), 1);
    ck_assert_uint_eq(world_status(w, 1).transferee, 0);
    for (uint64_t id = 1; id <= 3; id++)
        w->hold_disk[id] = false;
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 1).commit, world_status(w, 1).last);
    world_check(w);
    world_free(w);
}
END_TEST

/* The write went on while nobody looked at the clock. */
START_TEST(time_that_nobody_saw_pass_is_no_stalled_disk)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    w->hold_disk[1] = true;
    world_propose(w, 1, 1, 1);
    world_pass(w, 100);
    w->now += 10000;
    world_tick(w, 1);
    world_pass(w, 500);
    ck_assert_uint_eq(world_leader(w), 1);
    ck_assert_uint_eq(world_status(w, 1).transferee, 0);
    world_free(w);
}
END_TEST

START_TEST(between_two_attempts_proposals_are_taken)
{
    struct rkv_raft_options options = {.stall_ticks = 500};
    struct world *w = world_new_with(3, 3, 7, &options);
    world_elect(w, 1);
    w->hold_disk[1] = true;
    world_propose(w, 1, 1, 1);
    uint32_t attempts = 0;
    uint32_t taken = 0;
    for (int i = 0; i < 400; i++) {
        w->now += 10;
        for (uint64_t id = 1; id <= 3; id++)
            if (world_node(w, id)->deadline <= w->now)
                world_tick(w, id);
        while (world_lose_kind(w, RKV_MSG_TIMEOUT_NOW, 0, 0) > 0 ||
               world_deliver(w, 0) || world_persist(w, 2) ||
               world_persist(w, 3))
            ;
        ck_assert_uint_eq(world_leader(w), 1);
        attempts += world_status(w, 1).transferee != 0;
        taken += attempts > 0 && world_status(w, 1).transferee == 0;
    }
    ck_assert_uint_gt(attempts, 10);
    ck_assert_uint_gt(taken, 50);
    world_free(w);
}
END_TEST

/* 3 was removed and does not know it.  With a log as good as any it asks, is
 * told what is committed, and understands; with one that is not, and without
 * asking first, it goes from term to term and is heard by nobody. */
START_TEST(a_member_removed_that_does_not_know_it_disturbs_nobody)
{
    for (int i = 0; i < 2; i++) {
        struct rkv_raft_options options = {
            .flags = i == 0 ? 0 : RKV_RAFT_NO_PREVOTE};
        struct world *w = world_new_with(3, 3, 7, &options);
        world_elect(w, 1);
        ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_REMOVE, 3), RKV_OK);
        if (i == 0)
            ck_assert(world_deliver_kind(w, RKV_MSG_APPEND, 1, 3));
        world_persist(w, 3);
        w->cut[3] = true;
        world_pass(w, 300);
        ck_assert_uint_lt(world_status(w, 3).commit, world_status(w, 1).last);
        uint64_t term = world_status(w, 1).term;
        w->cut[3] = false;
        world_pass(w, 20000);
        ck_assert_uint_eq(world_leader(w), 1);
        ck_assert_uint_eq(world_status(w, 1).term, term);
        ck_assert_uint_eq(world_status(w, 2).term, term);
        ck_assert_uint_eq(world_status(w, 3).term > term, i == 1);
        world_check(w);
        world_free(w);
    }
}
END_TEST

Suite *suite_raft_liveness(void)
{
    Suite *suite = suite_create("raft liveness");
    TCase *tc = tcase_create("liveness");
    tcase_add_test(tc, a_leader_known_to_be_dead_is_replaced_at_once);
    tcase_add_test(tc, who_forgot_its_leader_still_helps_no_worse_log);
    tcase_add_test(tc,
                   a_leader_that_asks_for_votes_is_believed_to_lead_no_more);
    tcase_add_test(tc, word_of_the_leader_brings_it_back);
    tcase_add_test(tc, who_forgets_its_leader_waits_no_longer_for_it);
    tcase_add_test(tc, neither_a_leader_nor_who_promised_forgets);
    tcase_add_test(tc, a_leader_whose_disk_stands_still_hands_over);
    tcase_add_test(tc, a_leader_hands_over_to_nobody_who_is_as_slow);
    tcase_add_test(tc, time_that_nobody_saw_pass_is_no_stalled_disk);
    tcase_add_test(tc, between_two_attempts_proposals_are_taken);
    tcase_add_test(tc, a_member_removed_that_does_not_know_it_disturbs_nobody);
    suite_add_tcase(suite, tc);
    return suite;
}
