/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/raft/check_priority.c - who is to lead when several could: never those
 * who said so, and rather those of higher priority, but somebody.
 */
#include <check.h>

#include "raft/world.h"

Suite *suite_raft_priority(void);

static void restart_as(struct world *w, uint64_t id, uint32_t flags,
                       uint32_t priority)
{
    world_crash(w, id, 9);
    w->options.flags = flags;
    w->options.priority = priority;
    world_start(w, id);
    w->options.flags = 0;
    w->options.priority = 0;
}

START_TEST(who_never_leads_votes_and_is_counted)
{
    struct world *w = world_new(3, 3, 7);
    restart_as(w, 2, RKV_RAFT_NEVER_LEADS, 0);
    restart_as(w, 3, RKV_RAFT_NEVER_LEADS, 0);
    world_pass(w, 5000);
    ck_assert_uint_eq(world_leader(w), 1);
    ck_assert_int_eq(world_campaign(w, 2), RKV_ESTATE);
    w->cut[3] = true;
    world_propose(w, 1, 1, 1);
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 1).commit, world_status(w, 1).last);
    w->cut[3] = false;
    world_crash(w, 1, 9);
    world_pass(w, 20000);
    ck_assert_uint_eq(world_leader(w), 0);
    world_start(w, 1);
    world_pass(w, 5000);
    ck_assert_uint_eq(world_leader(w), 1);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(leadership_is_not_handed_to_who_never_leads)
{
    struct world *w = world_new(3, 3, 7);
    restart_as(w, 2, RKV_RAFT_NEVER_LEADS, 0);
    world_elect(w, 1);
    world_pass(w, 300);
    ck_assert_int_eq(world_transfer(w, 1, 2), RKV_EINVAL);
    ck_assert_int_eq(world_transfer(w, 1, 0), RKV_OK);
    world_pump(w);
    ck_assert_uint_eq(world_leader(w), 3);
    struct rkv_raft_status s = world_status(w, 2);
    struct rkv_raft_msg m = {
        .kind = RKV_MSG_TIMEOUT_NOW, .from = 3, .to = 2, .term = s.term};
    world_receive(w, 2, &m);
    ck_assert_uint_eq(world_status(w, 2).role, RKV_FOLLOWER);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(of_equal_logs_the_higher_priority_may_lead)
{
    struct world *w = world_new(2, 2, 7);
    restart_as(w, 2, 0, 5);
    world_tick(w, 2);
    world_campaign(w, 1);
    world_pump(w);
    ck_assert_uint_eq(world_leader(w), 0);
    struct rkv_raft_status s = world_status(w, 1);
    ck_assert_uint_eq(s.role, RKV_FOLLOWER);
    world_campaign(w, 2);
    world_pump(w);
    ck_assert_uint_eq(world_leader(w), 2);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_better_log_wins_over_priority)
{
    struct world *w = world_new(2, 2, 7);
    restart_as(w, 2, 0, 5);
    world_elect(w, 1);
    world_propose(w, 1, 1, 1);
    world_persist(w, 1);
    world_lose_kind(w, 0, 0, 0);
    world_crash(w, 1, 9);
    w->now += 2500;
    world_start(w, 1);
    world_campaign(w, 1);
    world_pump(w);
    ck_assert_uint_eq(world_leader(w), 1);
    world_check(w);
    world_free(w);
}
END_TEST

/* 2 objects, but cannot be heard when it campaigns itself. */
START_TEST(who_gives_itself_priority_does_so_for_a_while_only)
{
    struct world *w = world_new(2, 2, 7);
    restart_as(w, 2, 0, 5);
    w->cut[2] = true;
    world_tick(w, 2);
    world_pass(w, 3900);
    w->cut[2] = false;
    world_campaign(w, 1);
    world_pump(w);
    ck_assert_uint_eq(world_leader(w), 0);
    w->cut[2] = true;
    world_pass(w, 200);
    w->cut[2] = false;
    world_campaign(w, 1);
    world_pump(w);
    ck_assert_uint_eq(world_leader(w), 1);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_transfer_is_not_held_up_by_priority)
{
    struct world *w = world_new(3, 3, 7);
    restart_as(w, 3, 0, 5);
    world_elect(w, 1);
    world_transfer(w, 1, 2);
    world_pump(w);
    ck_assert_uint_eq(world_leader(w), 2);
    /* Without a name it goes to the higher of those that are as far. */
    world_pass(w, 300);
    world_transfer(w, 2, 0);
    world_pump(w);
    ck_assert_uint_eq(world_leader(w), 3);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(with_priorities_somebody_leads_soon)
{
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct world *w = world_new(3, 3, seed);
        for (uint64_t id = 1; id <= 3; id++)
            restart_as(w, id, 0, (uint32_t)id);
        world_pass(w, 8000);
        ck_assert_uint_ne(world_leader(w), 0);
        world_crash(w, 3, 9);
        world_pass(w, 8000);
        ck_assert_uint_ne(world_leader(w), 0);
        world_check(w);
        world_free(w);
    }
}
END_TEST

Suite *suite_raft_priority(void)
{
    Suite *suite = suite_create("raft priority");
    TCase *tc = tcase_create("priority");
    tcase_add_test(tc, who_never_leads_votes_and_is_counted);
    tcase_add_test(tc, leadership_is_not_handed_to_who_never_leads);
    tcase_add_test(tc, of_equal_logs_the_higher_priority_may_lead);
    tcase_add_test(tc, a_better_log_wins_over_priority);
    tcase_add_test(tc, who_gives_itself_priority_does_so_for_a_while_only);
    tcase_add_test(tc, a_transfer_is_not_held_up_by_priority);
    tcase_add_test(tc, with_priorities_somebody_leads_soon);
    suite_add_tcase(suite, tc);
    return suite;
}
