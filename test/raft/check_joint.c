/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/raft/check_joint.c - several changes at once, by way of a joint
 * configuration (thesis 4.3): both halves are asked in everything, and it
 * comes to an end whoever crashes meanwhile.
 */
#include <check.h>

#include "raft/world.h"

Suite *suite_raft_joint(void);

enum { V = RKV_VOTER, L = RKV_LEARNER, OUT = RKV_OUTGOING };

static const struct rkv_raft_change swap_two[] = {
    {.op = RKV_CHANGE_ADD_VOTER, .id = 4},
    {.op = RKV_CHANGE_ADD_VOTER, .id = 5},
    {.op = RKV_CHANGE_REMOVE, .id = 2},
    {.op = RKV_CHANGE_REMOVE, .id = 3}};

static uint32_t role_of(struct world *w, uint64_t at, uint64_t id)
{
    const struct rkv_raft_member *members;
    uint32_t count = rkv_raft_members(world_node(w, at)->raft, &members);
    for (uint32_t i = 0; i < count; i++)
        if (members[i].id == id)
            return members[i].role;
    return 0;
}

static bool is_joint(struct world *w, uint64_t at)
{
    const struct rkv_raft_member *members;
    uint32_t count = rkv_raft_members(world_node(w, at)->raft, &members);
    for (uint32_t i = 0; i < count; i++)
        if ((members[i].role & OUT) != 0)
            return true;
    return false;
}

/* 1 leads of 1, 2, 3; a snapshot is there for those who join. */
static struct world *three_of_five(const struct rkv_raft_options *options)
{
    struct world *w = world_new_with(5, 3, 7, options);
    world_elect(w, 1);
    world_propose(w, 1, 3, 1);
    world_pump(w);
    world_compact(w, 1, 0);
    return w;
}

/* 1, 2, 3 go out and 1, 4, 5 come in; it stays so until told otherwise. */
static struct world *between(const struct rkv_raft_options *options)
{
    struct world *w = three_of_five(options);
    ck_assert_int_eq(world_change_all(w, 1, RKV_CHANGE_EXPLICIT, 4, swap_two),
                     RKV_OK);
    world_pass(w, 500);
    ck_assert_uint_eq(world_status(w, 5).commit, world_status(w, 1).last);
    ck_assert(is_joint(w, 1));
    return w;
}

static void cut_off(struct world *w, uint64_t a, uint64_t b, bool is_cut)
{
    w->cut[a] = is_cut;
    w->cut[b] = is_cut;
}

START_TEST(several_changes_at_once_end_by_themselves)
{
    struct world *w = three_of_five(NULL);
    ck_assert_int_eq(world_change_all(w, 1, RKV_CHANGE_AUTO, 4, swap_two),
                     RKV_OK);
    world_pass(w, 500);
    for (uint64_t id = 1; id <= 5; id++) {
        if (id == 2 || id == 3)
            continue;
        ck_assert(!is_joint(w, id));
        ck_assert_uint_eq(role_of(w, id, 1), V);
        ck_assert_uint_eq(role_of(w, id, 2), 0);
        ck_assert_uint_eq(role_of(w, id, 3), 0);
        ck_assert_uint_eq(role_of(w, id, 4), V);
        ck_assert_uint_eq(role_of(w, id, 5), V);
    }
    ck_assert_uint_eq(world_status(w, 1).pending_change, 0);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(an_explicit_one_stays_until_it_is_ended)
{
    struct world *w = between(NULL);
    world_pass(w, 3000);
    ck_assert(is_joint(w, 1));
    ck_assert_uint_eq(role_of(w, 4, 1), V | OUT);
    ck_assert_uint_eq(role_of(w, 4, 2), OUT);
    ck_assert_uint_eq(role_of(w, 4, 5), V);
    uint64_t last = world_status(w, 1).last;
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_ADD_VOTER, 6), RKV_EJOINT);
    ck_assert_int_eq(world_change_all(w, 1, RKV_CHANGE_AUTO, 4, swap_two),
                     RKV_EJOINT);
    ck_assert_uint_eq(world_status(w, 1).last, last);
    ck_assert_int_eq(world_leave(w, 1), RKV_OK);
    ck_assert_int_eq(world_leave(w, 1), RKV_EPENDING);
    world_pass(w, 300);
    ck_assert(!is_joint(w, 1));
    ck_assert(!is_joint(w, 4));
    ck_assert_int_eq(world_leave(w, 1), RKV_EJOINT);
    world_check(w);
    world_free(w);
}
END_TEST

/* Without the half that goes out, and without the one that comes in. */
START_TEST(nothing_is_committed_by_one_half)
{
    for (uint64_t half = 0; half < 2; half++) {
        struct world *w = between(NULL);
        uint64_t commit = world_status(w, 1).commit;
        cut_off(w, half == 0 ? 2 : 4, half == 0 ? 3 : 5, true);
        world_propose(w, 1, 1, 1);
        world_pump(w);
        ck_assert_uint_eq(world_status(w, 1).commit, commit);
        cut_off(w, half == 0 ? 2 : 4, half == 0 ? 3 : 5, false);
        world_pass(w, 300);
        ck_assert_uint_gt(world_status(w, 1).commit, commit);
        world_check(w);
        world_free(w);
    }
}
END_TEST

START_TEST(nobody_is_elected_by_one_half)
{
    for (uint64_t half = 0; half < 2; half++) {
        struct world *w = between(NULL);
        world_crash(w, 1, 9);
        cut_off(w, half == 0 ? 2 : 4, half == 0 ? 3 : 5, true);
        world_pass(w, 8000);
        ck_assert_uint_eq(world_leader(w), 0);
        cut_off(w, half == 0 ? 2 : 4, half == 0 ? 3 : 5, false);
        world_pass(w, 8000);
        ck_assert_uint_ne(world_leader(w), 0);
        world_check(w);
        world_free(w);
    }
}
END_TEST

START_TEST(no_read_is_confirmed_by_one_half)
{
    for (uint64_t half = 0; half < 2; half++) {
        struct world *w = between(NULL);
        struct node *n = world_node(w, 1);
        cut_off(w, half == 0 ? 2 : 4, half == 0 ? 3 : 5, true);
        uint32_t before = n->reads_count;
        world_read_point(w, 1);
        world_pass(w, 300);
        ck_assert_uint_eq(n->reads_count, before);
        cut_off(w, half == 0 ? 2 : 4, half == 0 ? 3 : 5, false);
        world_pass(w, 300);
        ck_assert_uint_eq(n->reads_count, before + 1);
        ck_assert_int_eq(n->reads[before].status, RKV_OK);
        world_check(w);
        world_free(w);
    }
}
END_TEST

START_TEST(a_leader_that_one_half_does_not_answer_steps_down)
{
    for (uint64_t half = 0; half < 2; half++) {
        struct world *w = between(NULL);
        cut_off(w, half == 0 ? 2 : 4, half == 0 ? 3 : 5, true);
        world_pass(w, 2100);
        ck_assert_uint_ne(world_status(w, 1).role, RKV_LEADER);
        world_free(w);
    }
}
END_TEST

START_TEST(a_voter_becomes_a_learner_only_when_the_other_half_is_gone)
{
    static const struct rkv_raft_change list[] = {
        {.op = RKV_CHANGE_ADD_LEARNER, .id = 2},
        {.op = RKV_CHANGE_ADD_VOTER, .id = 4}};
    struct world *w = three_of_five(NULL);
    ck_assert_int_eq(world_change_all(w, 1, RKV_CHANGE_EXPLICIT, 2, list),
                     RKV_OK);
    world_pass(w, 500);
    ck_assert_uint_eq(role_of(w, 3, 2), OUT | RKV_LEARNER_NEXT);
    uint64_t match = world_peer(w, 1, 2).match;
    world_leave(w, 1);
    world_pass(w, 300);
    ck_assert_uint_eq(role_of(w, 3, 2), L);
    ck_assert_uint_eq(role_of(w, 2, 2), L);
    ck_assert_uint_ge(world_peer(w, 1, 2).match, match);
    ck_assert_int_eq(world_campaign(w, 2), RKV_ESTATE);
    world_check(w);
    world_free(w);
}
END_TEST

/* The leader proposes the end as soon as it has applied the beginning, once,
 * and sends it at once. */
START_TEST(the_end_is_proposed_once_and_sent_with_it)
{
    struct world *w = three_of_five(NULL);
    ck_assert_int_eq(world_change_all(w, 1, RKV_CHANGE_IMPLICIT, 4, swap_two),
                     RKV_OK);
    uint64_t index = world_status(w, 1).last;
    while (world_status(w, 1).commit < index) {
        world_deliver(w, 0);
        for (uint64_t id = 1; id <= 3; id++)
            world_persist(w, id);
    }
    ck_assert_uint_eq(world_status(w, 1).last, index);
    world_lose_kind(w, 0, 1, 0);
    world_apply(w, 1);
    ck_assert_uint_eq(world_status(w, 1).last, index + 1);
    ck_assert_uint_eq(world_status(w, 1).pending_change, 1);
    struct packet *p = world_find(w, RKV_MSG_APPEND, 1, 2);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(p->entries[p->msg.count - 1].index, index + 1);
    ck_assert_uint_eq(p->entries[p->msg.count - 1].kind, RKV_ENTRY_CONFIG);
    ck_assert_uint_eq(p->entries[p->msg.count - 1].len, 0);
    for (int i = 0; i < 5; i++)
        world_tick(w, 1);
    ck_assert_uint_eq(world_status(w, 1).last, index + 1);
    world_pass(w, 500);
    ck_assert(!is_joint(w, 1));
    ck_assert_uint_eq(world_status(w, 1).last, index + 1);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(who_leads_next_ends_what_the_last_one_began)
{
    struct world *w = three_of_five(NULL);
    ck_assert_int_eq(world_change_all(w, 1, RKV_CHANGE_AUTO, 4, swap_two),
                     RKV_OK);
    uint64_t index = world_status(w, 1).last;
    while (world_status(w, 2).commit < index) {
        world_deliver(w, 0);
        for (uint64_t id = 1; id <= 3; id++)
            world_persist(w, id);
    }
    for (uint64_t id = 2; id <= 3; id++)
        world_apply(w, id);
    world_crash(w, 1, 0);
    ck_assert(is_joint(w, 2));
    world_pass(w, 1);
    world_compact(w, 2, 0);
    world_compact(w, 3, 0);
    world_pass(w, 20000);
    uint64_t leader = world_leader(w);
    ck_assert_uint_ne(leader, 0);
    ck_assert(!is_joint(w, leader));
    ck_assert_uint_eq(role_of(w, leader, 2), 0);
    world_start(w, 1);
    world_pass(w, 3000);
    ck_assert(!is_joint(w, 1));
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_transfer_puts_the_end_off_and_not_away)
{
    struct world *w = three_of_five(NULL);
    ck_assert_int_eq(world_change_all(w, 1, RKV_CHANGE_AUTO, 4, swap_two),
                     RKV_OK);
    uint64_t index = world_status(w, 1).last;
    while (world_status(w, 1).commit < index) {
        world_deliver(w, 0);
        for (uint64_t id = 1; id <= 3; id++)
            world_persist(w, id);
    }
    world_crash(w, 3, 9);
    ck_assert_int_eq(world_transfer(w, 1, 3), RKV_OK);
    world_apply(w, 1);
    ck_assert_uint_eq(world_status(w, 1).last, index);
    for (int i = 0; i < 20 && world_status(w, 1).last == index; i++) {
        world_pump(w);
        w->now += 100;
        world_tick(w, 1);
    }
    struct packet *p = world_find(w, RKV_MSG_APPEND, 1, 2);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(p->msg.count, 1);
    world_pass(w, 1500);
    ck_assert_uint_eq(world_leader(w), 1);
    ck_assert(!is_joint(w, 1));
    world_check(w);
    world_free(w);
}
END_TEST

/* Both halves and what is to become of them come out of a snapshot again. */
START_TEST(a_snapshot_keeps_what_a_joint_configuration_is)
{
    static const struct rkv_raft_change list[] = {
        {.op = RKV_CHANGE_ADD_LEARNER, .id = 2},
        {.op = RKV_CHANGE_ADD_VOTER, .id = 4}};
    struct world *w = three_of_five(NULL);
    w->cut[5] = true;
    ck_assert_int_eq(world_change_all(w, 1, RKV_CHANGE_EXPLICIT, 2, list),
                     RKV_OK);
    world_pass(w, 500);
    for (uint64_t id = 1; id <= 4; id++)
        world_compact(w, id, 0);
    for (uint64_t id = 1; id <= 4; id++) {
        world_crash(w, id, 9);
        world_start(w, id);
        ck_assert_uint_eq(role_of(w, id, 1), V | OUT);
        ck_assert_uint_eq(role_of(w, id, 2), OUT | RKV_LEARNER_NEXT);
        ck_assert_uint_eq(role_of(w, id, 4), V);
    }
    /* Who is a voter of the old half alone may still lead. */
    world_elect(w, 2);
    world_leave(w, 2);
    world_pass(w, 3000);
    ck_assert_uint_ne(world_leader(w), 2);
    ck_assert_uint_ne(world_leader(w), 0);
    ck_assert_uint_eq(role_of(w, 2, 2), L);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_leader_that_goes_out_leads_until_the_end_and_hands_over)
{
    static const struct rkv_raft_change list[] = {
        {.op = RKV_CHANGE_REMOVE, .id = 1},
        {.op = RKV_CHANGE_ADD_VOTER, .id = 4}};
    struct world *w = three_of_five(NULL);
    ck_assert_int_eq(world_change_all(w, 1, RKV_CHANGE_EXPLICIT, 2, list),
                     RKV_OK);
    world_pass(w, 500);
    ck_assert_uint_eq(world_leader(w), 1);
    ck_assert_uint_eq(role_of(w, 1, 1), OUT);
    ck_assert_int_eq(world_propose(w, 1, 1, 1), RKV_OK);
    world_pump(w);
    ck_assert_int_eq(world_leave(w, 1), RKV_OK);
    world_pump(w);
    ck_assert_uint_ne(world_leader(w), 1);
    ck_assert_uint_ne(world_leader(w), 0);
    ck_assert_uint_eq(role_of(w, 1, 1), 0);
    world_check(w);
    world_free(w);
}
END_TEST

/* After a restart nobody knows any more that the change is committed, and
 * whoever has not applied it asks the wrong voters; they tell each other. */
START_TEST(a_joint_configuration_does_not_wedge_after_a_restart)
{
    struct world *w = three_of_five(NULL);
    ck_assert_int_eq(world_change_all(w, 1, RKV_CHANGE_EXPLICIT, 4, swap_two),
                     RKV_OK);
    uint64_t index = world_status(w, 1).last;
    while (world_status(w, 1).commit < index) {
        world_deliver(w, 0);
        for (uint64_t id = 1; id <= 3; id++)
            world_persist(w, id);
    }
    world_lose_kind(w, 0, 0, 0);
    world_apply(w, 1);
    world_propose(w, 1, 1, 1);
    world_persist(w, 1);
    for (uint64_t id = 1; id <= 3; id++) {
        world_lose_kind(w, 0, 0, 0);
        world_crash(w, id, 0);
        world_start(w, id);
        world_compact(w, id, 0);
    }
    ck_assert(is_joint(w, 1));
    ck_assert(!is_joint(w, 2));
    world_pass(w, 20000);
    ck_assert_uint_ne(world_leader(w), 0);
    for (uint64_t id = 1; id <= 5; id++)
        ck_assert(is_joint(w, id));
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(malformed_changes_are_refused)
{
    struct rkv_raft_change list[2] = {
        {.op = RKV_CHANGE_ADD_VOTER, .id = 4},
        {.op = RKV_CHANGE_ADD_VOTER, .id = 5, .reserved = 1}};
    struct rkv_raft_changes changes = {.list = list, .count = 1};
    struct world *w = three_of_five(NULL);
    const rkv_raft *raft = world_node(w, 1)->raft;
    ck_assert_int_eq(rkv_raft_check_change(raft, NULL), RKV_EINVAL);
    ck_assert_int_eq(rkv_raft_check_change(raft, &changes), RKV_OK);
    changes.count = 2;
    ck_assert_int_eq(rkv_raft_check_change(raft, &changes), RKV_EINVAL);
    list[1].reserved = 0;
    ck_assert_int_eq(rkv_raft_check_change(raft, &changes), RKV_OK);
    list[1].op = RKV_CHANGE_UPDATE + 1;
    ck_assert_int_eq(rkv_raft_check_change(raft, &changes), RKV_EINVAL);
    list[1] = (struct rkv_raft_change){.op = RKV_CHANGE_REMOVE};
    ck_assert_int_eq(rkv_raft_check_change(raft, &changes), RKV_EINVAL);
    changes.transition = RKV_CHANGE_EXPLICIT + 1;
    changes.count = 1;
    ck_assert_int_eq(rkv_raft_check_change(raft, &changes), RKV_EINVAL);
    changes = (struct rkv_raft_changes){.list = NULL, .count = 1};
    ck_assert_int_eq(rkv_raft_check_change(raft, &changes), RKV_EINVAL);
    changes =
        (struct rkv_raft_changes){.list = list, .count = RKV_CHANGES_MAX + 1};
    ck_assert_int_eq(rkv_raft_check_change(raft, &changes), RKV_EINVAL);
    changes = (struct rkv_raft_changes){.count = 0};
    ck_assert_int_eq(rkv_raft_check_change(raft, &changes), RKV_EJOINT);
    world_free(w);
}
END_TEST

/* The options say so; who proposes such must know why. */
START_TEST(without_the_check_changes_follow_each_other_at_any_time)
{
    struct rkv_raft_options options = {.flags = RKV_RAFT_NO_CHANGE_CHECK};
    struct world *w = three_of_five(&options);
    ck_assert_int_eq(world_change_all(w, 1, RKV_CHANGE_EXPLICIT, 4, swap_two),
                     RKV_OK);
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_ADD_VOTER, 4), RKV_OK);
    ck_assert_int_eq(world_leave(w, 1), RKV_OK);
    world_pass(w, 500);
    ck_assert(!is_joint(w, 1));
    ck_assert_uint_eq(role_of(w, 1, 5), V);
    world_check(w);
    world_free(w);
}
END_TEST

/* Who applied the beginning keeps it in a snapshot alone, starts again and
 * leads: it must know that the end is its business. */
START_TEST(a_joint_configuration_from_a_snapshot_ends_by_itself_too)
{
    struct world *w = three_of_five(NULL);
    ck_assert_int_eq(world_change_all(w, 1, RKV_CHANGE_AUTO, 4, swap_two),
                     RKV_OK);
    uint64_t index = world_status(w, 1).last;
    while (world_status(w, 2).commit < index ||
           world_status(w, 3).commit < index) {
        world_deliver(w, 0);
        for (uint64_t id = 1; id <= 3; id++)
            world_persist(w, id);
    }
    for (uint64_t id = 2; id <= 3; id++)
        world_apply(w, id);
    world_crash(w, 1, 0);
    world_lose_kind(w, 0, 0, 0);
    for (uint64_t id = 2; id <= 3; id++) {
        world_compact(w, id, 0);
        world_crash(w, id, 0);
        world_start(w, id);
        ck_assert_uint_eq(world_status(w, id).applied, index);
        ck_assert_uint_eq(role_of(w, id, 2), OUT | RKV_AUTO_LEAVE);
    }
    world_pass(w, 20000);
    uint64_t leader = world_leader(w);
    ck_assert_uint_ne(leader, 0);
    ck_assert(!is_joint(w, leader));
    world_check(w);
    world_free(w);
}
END_TEST

Suite *suite_raft_joint(void)
{
    Suite *suite = suite_create("raft joint");
    TCase *tc = tcase_create("joint");
    tcase_add_test(tc, several_changes_at_once_end_by_themselves);
    tcase_add_test(tc, an_explicit_one_stays_until_it_is_ended);
    tcase_add_test(tc, nothing_is_committed_by_one_half);
    tcase_add_test(tc, nobody_is_elected_by_one_half);
    tcase_add_test(tc, no_read_is_confirmed_by_one_half);
    tcase_add_test(tc, a_leader_that_one_half_does_not_answer_steps_down);
    tcase_add_test(tc,
                   a_voter_becomes_a_learner_only_when_the_other_half_is_gone);
    tcase_add_test(tc, the_end_is_proposed_once_and_sent_with_it);
    tcase_add_test(tc, who_leads_next_ends_what_the_last_one_began);
    tcase_add_test(tc, a_transfer_puts_the_end_off_and_not_away);
    tcase_add_test(tc, a_snapshot_keeps_what_a_joint_configuration_is);
    tcase_add_test(tc,
                   a_leader_that_goes_out_leads_until_the_end_and_hands_over);
    tcase_add_test(tc, a_joint_configuration_does_not_wedge_after_a_restart);
    tcase_add_test(tc, malformed_changes_are_refused);
    tcase_add_test(tc, without_the_check_changes_follow_each_other_at_any_time);
    tcase_add_test(tc,
                   a_joint_configuration_from_a_snapshot_ends_by_itself_too);
    suite_add_tcase(suite, tc);
    return suite;
}
