/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/raft/check_lease.c - reads by lease: at once while it holds, never
 * when another may lead, whoever starts anew, hands over or stands still.
 */
#include <check.h>

#include "raft/world.h"

Suite *suite_raft_lease(void);

static int switch_leases(struct world *w, uint64_t id, uint32_t op)
{
    return world_change(w, id, op, 0);
}

/* 1 leads 2 and 3 and has a lease. */
static struct world *leased(void)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    ck_assert_int_eq(switch_leases(w, 1, RKV_CHANGE_LEASES_ON), RKV_OK);
    world_pass(w, 300);
    ck_assert_uint_gt(world_status(w, 1).lease, w->now);
    return w;
}

static uint32_t answered(struct world *w, uint64_t id)
{
    return world_node(w, id)->reads_count;
}

static struct rkv_raft_msg ask_vote(struct world *w, uint32_t kind,
                                    uint64_t from, uint64_t to, uint64_t term)
{
    struct rkv_raft_status s = world_status(w, to);
    uint64_t log_term = 0;
    rkv_raft_term_at(world_node(w, to)->raft, s.last, &log_term);
    return (struct rkv_raft_msg){.kind = kind,
                                 .from = from,
                                 .to = to,
                                 .term = term,
                                 .index = s.last,
                                 .log_term = log_term};
}

START_TEST(with_a_lease_reads_are_answered_without_asking)
{
    struct world *w = leased();
    world_read_point(w, 1);
    ck_assert_uint_eq(answered(w, 1), 1);
    ck_assert_int_eq(world_node(w, 1)->reads[0].status, RKV_OK);
    ck_assert_uint_eq(world_node(w, 1)->reads[0].index,
                      world_status(w, 1).commit);
    ck_assert_uint_eq(w->packets_count, 0);
    /* A follower asks, and the leader answers at once. */
    world_read_point(w, 2);
    ck_assert(world_deliver_kind(w, RKV_MSG_READ, 2, 1));
    ck_assert_uint_eq(w->packets_count, 1);
    world_pump(w);
    ck_assert_uint_eq(answered(w, 2), 1);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(without_agreement_there_are_none)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    world_pass(w, 300);
    ck_assert_uint_eq(world_status(w, 1).lease, 0);
    world_read_point(w, 1);
    ck_assert_uint_eq(answered(w, 1), 0);
    world_free(w);
}
END_TEST

/* Nine tenths of an election timeout, counted from when it was asked for. */
START_TEST(a_lease_that_nobody_renews_ends)
{
    struct world *w = leased();
    uint64_t end = world_status(w, 1).lease;
    ck_assert_uint_le(end, w->now + 900);
    w->cut[1] = true;
    w->now = end - 1;
    world_read_point(w, 1);
    ck_assert_uint_eq(answered(w, 1), 1);
    w->now = end;
    world_read_point(w, 1);
    ck_assert_uint_eq(answered(w, 1), 1);
    world_check(w);
    world_free(w);
}
END_TEST

/* An answer counts from when its heartbeat was sent, not from its arrival. */
START_TEST(a_late_answer_makes_no_longer_lease)
{
    struct world *w = leased();
    w->now += 100;
    uint64_t asked = w->now;
    world_tick(w, 1);
    world_deliver_kind(w, RKV_MSG_HEARTBEAT, 1, 2);
    world_lose_kind(w, RKV_MSG_HEARTBEAT, 1, 3);
    w->now += 500;
    ck_assert(world_deliver_kind(w, RKV_MSG_HEARTBEAT_REPLY, 2, 1));
    ck_assert_uint_le(world_status(w, 1).lease, asked + 900);
    world_check(w);
    world_free(w);
}
END_TEST

/* It would vote for 3 at once, having forgotten what it promised 1. */
START_TEST(who_starts_anew_keeps_a_promise_it_does_not_know)
{
    struct world *w = leased();
    world_crash(w, 2, 9);
    world_start(w, 2);
    world_tick(w, 2);
    uint64_t term = world_status(w, 2).term;
    struct rkv_raft_msg m = ask_vote(w, RKV_MSG_PREVOTE, 3, 2, term + 1);
    world_receive(w, 2, &m);
    m = ask_vote(w, RKV_MSG_VOTE, 3, 2, term + 1);
    world_receive(w, 2, &m);
    ck_assert_uint_eq(w->packets_count, 0);
    ck_assert_uint_eq(world_status(w, 2).term, term);
    ck_assert_int_eq(world_campaign(w, 2), RKV_ESTATE);
    w->now += 1000;
    world_receive(w, 2, &m);
    ck_assert_uint_eq(world_status(w, 2).vote, 3);
    world_check(w);
    world_free(w);
}
END_TEST

/* It holds the agreement, but starts without knowing that it is committed. */
START_TEST(an_agreement_not_known_to_be_committed_binds_after_a_start)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    switch_leases(w, 1, RKV_CHANGE_LEASES_ON);
    ck_assert(world_deliver_kind(w, RKV_MSG_APPEND, 1, 2));
    world_persist(w, 2);
    world_crash(w, 2, 9);
    world_start(w, 2);
    world_tick(w, 2);
    ck_assert_uint_lt(world_status(w, 2).commit, world_status(w, 2).last);
    uint64_t term = world_status(w, 2).term;
    struct rkv_raft_msg m = ask_vote(w, RKV_MSG_VOTE, 3, 2, term + 1);
    world_receive(w, 2, &m);
    ck_assert_uint_eq(world_status(w, 2).term, term);
    w->now += 1000;
    world_receive(w, 2, &m);
    ck_assert_uint_eq(world_status(w, 2).vote, 3);
    world_free(w);
}
END_TEST

START_TEST(nothing_is_promised_before_the_agreement_is_durable)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    w->hold_disk[2] = true;
    switch_leases(w, 1, RKV_CHANGE_LEASES_ON);
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 2).applied, world_status(w, 1).last);
    ck_assert_uint_lt(world_status(w, 2).durable, world_status(w, 2).applied);
    w->now += 100;
    world_tick(w, 1);
    world_deliver_kind(w, RKV_MSG_HEARTBEAT, 1, 2);
    struct packet *p = world_find(w, RKV_MSG_HEARTBEAT_REPLY, 2, 1);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(p->msg.hint, 0);
    w->hold_disk[2] = false;
    world_pump(w);
    w->now += 100;
    world_tick(w, 1);
    world_deliver_kind(w, RKV_MSG_HEARTBEAT, 1, 2);
    p = world_find(w, RKV_MSG_HEARTBEAT_REPLY, 2, 1);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(p->msg.hint, 1000);
    world_free(w);
}
END_TEST

/* The word to campaign is late: the hand-over was given up long ago, but
 * what it sets off asks for votes that no promise holds back. */
START_TEST(a_hand_over_ends_leases_for_the_rest_of_the_term)
{
    struct world *w = leased();
    ck_assert_int_eq(world_transfer(w, 1, 2), RKV_OK);
    ck_assert_uint_eq(world_status(w, 1).lease, 0);
    struct packet *p = world_find(w, RKV_MSG_TIMEOUT_NOW, 1, 2);
    ck_assert_ptr_nonnull(p);
    struct rkv_raft_msg late = p->msg;
    world_lose_kind(w, RKV_MSG_TIMEOUT_NOW, 1, 2);
    world_pass(w, 1500);
    ck_assert_uint_eq(world_leader(w), 1);
    ck_assert_int_eq(world_propose(w, 1, 1, 1), RKV_OK);
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 1).lease, 0);
    w->cut[1] = true;
    world_receive(w, 2, &late);
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 2).role, RKV_LEADER);
    world_propose(w, 2, 1, 1);
    world_pump(w);
    world_read_point(w, 1);
    ck_assert_uint_eq(answered(w, 1), 0);
    /* The next one has one of its own. */
    w->cut[1] = false;
    world_pass(w, 1500);
    ck_assert_uint_gt(world_status(w, 2).lease, w->now);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(who_promised_does_not_campaign_by_command)
{
    struct world *w = leased();
    ck_assert_int_eq(world_campaign(w, 2), RKV_ESTATE);
    w->cut[1] = true;
    w->now += 1000;
    ck_assert_int_eq(world_campaign(w, 2), RKV_OK);
    world_free(w);
}
END_TEST

/* Word of a higher term makes it forget its leader, but not its promise. */
START_TEST(a_promise_outlives_the_term_it_was_given_in)
{
    struct world *w = leased();
    uint64_t term = world_status(w, 2).term + 3;
    struct rkv_raft_msg m = {.kind = RKV_MSG_APPEND_REPLY,
                             .flags = RKV_MSG_REJECT,
                             .from = 3,
                             .to = 2,
                             .term = term};
    world_receive(w, 2, &m);
    ck_assert_uint_eq(world_status(w, 2).term, term);
    ck_assert_uint_eq(world_status(w, 2).leader, 0);
    m = ask_vote(w, RKV_MSG_VOTE, 3, 2, term);
    world_receive(w, 2, &m);
    m = ask_vote(w, RKV_MSG_PREVOTE, 3, 2, term + 1);
    world_receive(w, 2, &m);
    ck_assert_uint_eq(world_status(w, 2).vote, 0);
    ck_assert_uint_eq(w->packets_count, 0);
    w->now += 1000;
    m = ask_vote(w, RKV_MSG_VOTE, 3, 2, term);
    world_receive(w, 2, &m);
    ck_assert_uint_eq(world_status(w, 2).vote, 3);
    world_check(w);
    world_free(w);
}
END_TEST

/* Already while that is under way: some may have applied it. */
START_TEST(leases_end_with_the_agreement)
{
    struct world *w = leased();
    ck_assert_int_eq(switch_leases(w, 1, RKV_CHANGE_LEASES_OFF), RKV_OK);
    ck_assert_uint_eq(world_status(w, 1).lease, 0);
    world_pass(w, 300);
    ck_assert_uint_eq(world_status(w, 1).lease, 0);
    world_read_point(w, 1);
    ck_assert_uint_eq(answered(w, 1), 0);
    world_pump(w);
    ck_assert_uint_eq(answered(w, 1), 1);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(whoever_joins_agrees)
{
    struct world *w = world_new(4, 3, 7);
    const struct rkv_raft_member *members;
    world_elect(w, 1);
    switch_leases(w, 1, RKV_CHANGE_LEASES_ON);
    world_pass(w, 300);
    for (uint64_t id = 1; id <= 3; id++)
        world_compact(w, id, 0);
    world_change(w, 1, RKV_CHANGE_ADD_VOTER, 4);
    world_pass(w, 500);
    ck_assert_uint_eq(rkv_raft_members(world_node(w, 4)->raft, &members), 4);
    for (uint32_t i = 0; i < 4; i++)
        ck_assert_uint_eq(members[i].role, RKV_VOTER | RKV_LEASES);
    ck_assert_uint_gt(world_status(w, 1).lease, w->now);
    ck_assert_int_eq(world_campaign(w, 4), RKV_ESTATE);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_leader_that_stood_still_has_no_lease)
{
    struct world *w = leased();
    w->now += 5000;
    world_read_point(w, 1);
    ck_assert_uint_eq(answered(w, 1), 0);
    world_pump(w);
    ck_assert_uint_eq(answered(w, 1), 1);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_new_leader_has_none_before_its_first_commit)
{
    struct world *w = leased();
    world_crash(w, 1, 9);
    w->now += 1000;
    w->hold_disk[3] = true;
    world_campaign(w, 2);
    for (int i = 0; i < 20 && world_status(w, 2).role != RKV_LEADER; i++) {
        world_deliver(w, 0);
        world_persist(w, 2);
        world_persist(w, 3);
    }
    ck_assert_uint_eq(world_status(w, 2).role, RKV_LEADER);
    world_lose_kind(w, 0, 2, 3);
    for (int i = 0; i < 3; i++) {
        w->now += 100;
        world_tick(w, 2);
        world_lose_kind(w, RKV_MSG_APPEND, 2, 3);
        world_deliver_kind(w, RKV_MSG_HEARTBEAT, 2, 3);
        world_deliver_kind(w, RKV_MSG_HEARTBEAT_REPLY, 3, 2);
        world_lose_kind(w, RKV_MSG_APPEND, 2, 3);
    }
    ck_assert_uint_eq(world_status(w, 2).lease, 0);
    world_read_point(w, 2);
    ck_assert_uint_eq(answered(w, 2), 0);
    w->hold_disk[3] = false;
    world_pass(w, 300);
    ck_assert_uint_gt(world_status(w, 2).lease, w->now);
    ck_assert_uint_eq(answered(w, 2), 1);
    world_check(w);
    world_free(w);
}
END_TEST

Suite *suite_raft_lease(void)
{
    Suite *suite = suite_create("raft lease");
    TCase *tc = tcase_create("lease");
    tcase_add_test(tc, with_a_lease_reads_are_answered_without_asking);
    tcase_add_test(tc, without_agreement_there_are_none);
    tcase_add_test(tc, a_lease_that_nobody_renews_ends);
    tcase_add_test(tc, a_late_answer_makes_no_longer_lease);
    tcase_add_test(tc, who_starts_anew_keeps_a_promise_it_does_not_know);
    tcase_add_test(tc,
                   an_agreement_not_known_to_be_committed_binds_after_a_start);
    tcase_add_test(tc, nothing_is_promised_before_the_agreement_is_durable);
    tcase_add_test(tc, a_hand_over_ends_leases_for_the_rest_of_the_term);
    tcase_add_test(tc, who_promised_does_not_campaign_by_command);
    tcase_add_test(tc, a_promise_outlives_the_term_it_was_given_in);
    tcase_add_test(tc, leases_end_with_the_agreement);
    tcase_add_test(tc, whoever_joins_agrees);
    tcase_add_test(tc, a_leader_that_stood_still_has_no_lease);
    tcase_add_test(tc, a_new_leader_has_none_before_its_first_commit);
    suite_add_tcase(suite, tc);
    return suite;
}
