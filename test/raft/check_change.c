/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/raft/check_change.c - membership: one change at a time, in effect when
 * applied, never without a quorum, never by a quorum others have left.
 */
#include <check.h>

#include "raft/world.h"

Suite *suite_raft_change(void);

static uint32_t role_of(struct world *w, uint64_t at, uint64_t id)
{
    const struct rkv_raft_member *members;
    uint32_t count = rkv_raft_members(world_node(w, at)->raft, &members);
    for (uint32_t i = 0; i < count; i++)
        if (members[i].id == id)
            return members[i].role;
    return 0;
}

START_TEST(a_learner_joins_catches_up_and_becomes_a_voter)
{
    struct world *w = world_new(4, 3, 7);
    world_elect(w, 1);
    world_propose(w, 1, 5, 10);
    world_pump(w);
    for (uint64_t id = 1; id <= 3; id++)
        world_compact(w, id, 0);
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_ADD_LEARNER, 4), RKV_OK);
    world_pass(w, 500);
    ck_assert_uint_eq(role_of(w, 4, 4), RKV_LEARNER);
    ck_assert_uint_eq(world_status(w, 4).last, world_status(w, 1).last);
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_ADD_VOTER, 4), RKV_OK);
    world_pass(w, 500);
    for (uint64_t id = 1; id <= 4; id++)
        ck_assert_uint_eq(role_of(w, id, 4), RKV_VOTER);
    world_check(w);
    world_free(w);
}
END_TEST

/* Adds 4 as a learner, which does not hear of anything if it is cut off. */
static struct world *with_learner(const struct rkv_raft_options *options,
                                  bool is_cut)
{
    struct world *w = world_new_with(4, 3, 7, options);
    world_elect(w, 1);
    world_propose(w, 1, 5, 10);
    world_pump(w);
    for (uint64_t id = 1; id <= 3; id++)
        world_compact(w, id, 0);
    w->cut[4] = is_cut;
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_ADD_LEARNER, 4), RKV_OK);
    world_pass(w, 500);
    return w;
}

START_TEST(a_learner_that_lacks_too_much_is_not_promoted)
{
    struct rkv_raft_options options = {.promote_lag_max = 10};
    struct world *w = with_learner(&options, false);
    w->cut[4] = true;
    world_propose(w, 1, 11, 1);
    world_pump(w);
    uint64_t last = world_status(w, 1).last;
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_ADD_VOTER, 4), RKV_EBEHIND);
    const struct rkv_raft_change two[] = {{.op = RKV_CHANGE_ADD_VOTER, .id = 4},
                                          {.op = RKV_CHANGE_REMOVE, .id = 3}};
    ck_assert_int_eq(world_change_all(w, 1, RKV_CHANGE_AUTO, 2, two),
                     RKV_EBEHIND);
    ck_assert_uint_eq(world_status(w, 1).last, last);
    w->cut[4] = false;
    world_pass(w, 300);
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_ADD_VOTER, 4), RKV_OK);
    world_pass(w, 300);
    ck_assert_uint_eq(role_of(w, 4, 4), RKV_VOTER);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_learner_that_was_never_heard_from_is_not_promoted)
{
    struct world *w = with_learner(NULL, true);
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_ADD_VOTER, 4), RKV_EBEHIND);
    world_free(w);
}
END_TEST

START_TEST(a_learner_that_fell_silent_is_not_promoted)
{
    struct world *w = with_learner(NULL, false);
    w->cut[4] = true;
    world_pass(w, 1100);
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_ADD_VOTER, 4), RKV_EBEHIND);
    world_free(w);
}
END_TEST

START_TEST(whoever_wishes_promotes_a_learner_at_any_lag)
{
    struct rkv_raft_options options = {.promote_lag_max = UINT32_MAX};
    struct world *w = with_learner(&options, true);
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_ADD_VOTER, 4), RKV_OK);
    world_free(w);
}
END_TEST

START_TEST(a_change_takes_effect_when_it_is_applied)
{
    struct world *w = world_new(4, 3, 7);
    world_elect(w, 1);
    w->hold_apply[1] = true;
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_REMOVE, 3), RKV_OK);
    world_pump(w);
    ck_assert_uint_eq(role_of(w, 1, 3), RKV_VOTER);
    ck_assert_uint_eq(role_of(w, 2, 3), 0);
    w->hold_apply[1] = false;
    world_pump(w);
    ck_assert_uint_eq(role_of(w, 1, 3), 0);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_second_change_is_refused_while_one_waits)
{
    struct world *w = world_new(5, 3, 7);
    world_elect(w, 1);
    w->hold_apply[1] = true;
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_ADD_LEARNER, 4), RKV_OK);
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_ADD_LEARNER, 5),
                     RKV_EPENDING);
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 1).pending_change, 1);
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_ADD_LEARNER, 5),
                     RKV_EPENDING);
    w->hold_apply[1] = false;
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 1).pending_change, 0);
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_ADD_LEARNER, 5), RKV_OK);
    world_free(w);
}
END_TEST

/* The erratum to the thesis: a leader that committed nothing in its term may
 * not know of a change that another one is about to commit. */
START_TEST(a_new_leader_changes_nothing_before_its_first_commit)
{
    struct world *w = world_new(4, 3, 7);
    world_campaign(w, 1);
    while (world_status(w, 1).role != RKV_LEADER) {
        world_deliver(w, 0);
        for (uint64_t id = 1; id <= 3; id++)
            world_persist(w, id);
    }
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_ADD_LEARNER, 4),
                     RKV_ENOTYET);
    world_pump(w);
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_ADD_LEARNER, 4), RKV_OK);
    world_free(w);
}
END_TEST

START_TEST(refused_changes_are_errors_and_leave_no_entry)
{
    struct world *w = world_new(4, 1, 7);
    world_elect(w, 1);
    uint64_t last = world_status(w, 1).last;
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_REMOVE, 1), RKV_EUNSAFE);
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_ADD_LEARNER, 1),
                     RKV_EUNSAFE);
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_ADD_VOTER, 0), RKV_EINVAL);
    ck_assert_int_eq(world_change(w, 1, 9, 2), RKV_EINVAL);
    ck_assert_int_eq(world_change(w, 2, RKV_CHANGE_ADD_VOTER, 2),
                     RKV_ENOLEADER);
    ck_assert_uint_eq(world_status(w, 1).last, last);
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_UPDATE, 1), RKV_OK);
    world_pump(w);
    /* What is so already can be asked for again. */
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_ADD_VOTER, 1), RKV_OK);
    world_pump(w);
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_REMOVE, 4), RKV_OK);
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 1).pending_change, 0);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_configuration_without_its_change_is_refused)
{
    struct world *w = world_new(1, 1, 7);
    world_elect(w, 1);
    struct rkv_raft_entry e = {.kind = RKV_ENTRY_CONFIG, .len = 4};
    struct rkv_raft_in in = {.kind = RKV_IN_PROPOSE, .entries = &e, .count = 1};
    ck_assert_int_eq(world_step(w, 1, in), RKV_EINVAL);
    struct rkv_raft_entry two[2] = {e, e};
    in.entries = two;
    in.count = 2;
    ck_assert_int_eq(world_step(w, 1, in), RKV_EINVAL);
    world_free(w);
}
END_TEST

START_TEST(a_rejected_configuration_changes_nothing_and_waits_no_longer)
{
    struct world *w = world_new(4, 3, 7);
    world_elect(w, 1);
    w->hold_apply[1] = true;
    world_change(w, 1, RKV_CHANGE_ADD_LEARNER, 4);
    world_pump(w);
    uint64_t index = world_status(w, 1).commit;
    /* Not by the way, and not at another place. */
    struct rkv_raft_in in = {.kind = RKV_IN_APPLIED, .index = index};
    ck_assert_int_eq(world_step(w, 1, in), RKV_EINVAL);
    in.kind = RKV_IN_REJECTED;
    in.index = index - 1;
    ck_assert_int_eq(world_step(w, 1, in), RKV_EINVAL);
    in.index = index;
    ck_assert_int_eq(world_step(w, 1, in), RKV_OK);
    ck_assert_uint_eq(role_of(w, 1, 4), 0);
    ck_assert_uint_eq(world_status(w, 1).applied, index);
    ck_assert_uint_eq(world_status(w, 1).pending_change, 0);
    world_free(w);
}
END_TEST

START_TEST(nobody_campaigns_with_a_committed_change_not_yet_applied)
{
    struct world *w = world_new(4, 3, 7);
    world_elect(w, 1);
    w->hold_apply[2] = true;
    world_change(w, 1, RKV_CHANGE_REMOVE, 3);
    world_pump(w);
    ck_assert_int_eq(world_campaign(w, 2), RKV_ESTATE);
    w->now += 5000;
    world_tick(w, 2);
    w->now += 2500;
    world_tick(w, 2);
    ck_assert_uint_eq(world_status(w, 2).role, RKV_FOLLOWER);
    w->hold_apply[2] = false;
    world_apply(w, 2);
    ck_assert_int_eq(world_campaign(w, 2), RKV_OK);
    world_free(w);
}
END_TEST

START_TEST(a_change_takes_effect_once)
{
    struct world *w = world_new(4, 3, 7);
    world_elect(w, 1);
    world_change(w, 1, RKV_CHANGE_ADD_LEARNER, 4);
    world_pump(w);
    uint64_t index = world_status(w, 1).applied;
    struct rkv_raft_change change = {.op = RKV_CHANGE_REMOVE, .id = 4};
    struct rkv_raft_changes changes = {.list = &change, .count = 1};
    struct rkv_raft_in in = {
        .kind = RKV_IN_CONFIGURED, .index = index, .changes = &changes};
    ck_assert_int_eq(world_step(w, 1, in), RKV_EINVAL);
    in.kind = RKV_IN_REJECTED;
    ck_assert_int_eq(world_step(w, 1, in), RKV_EINVAL);
    ck_assert_uint_eq(role_of(w, 1, 4), RKV_LEARNER);
    world_free(w);
}
END_TEST

/* Two of four are no quorum, two of three are: no answer is awaited. */
START_TEST(what_a_smaller_quorum_has_is_committed_at_once)
{
    struct world *w = world_new(4, 4, 7);
    world_elect(w, 1);
    w->hold_apply[1] = true;
    world_change(w, 1, RKV_CHANGE_REMOVE, 4);
    world_pump(w);
    w->cut[3] = w->cut[4] = true;
    world_propose(w, 1, 1, 1);
    world_pump(w);
    uint64_t last = world_status(w, 1).last;
    ck_assert_uint_eq(world_status(w, 1).commit, last - 1);
    w->hold_apply[1] = false;
    world_apply(w, 1);
    ck_assert_uint_eq(world_status(w, 1).commit, last);
    world_check(w);
    world_free(w);
}
END_TEST

/* Who sits behind the one that goes moves up, with all that is known of it:
 * who was heard from is still so when the leader looks around. */
START_TEST(what_is_known_of_members_stays_with_them)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 3);
    ck_assert_int_eq(world_change(w, 3, RKV_CHANGE_REMOVE, 1), RKV_OK);
    w->hold_apply[3] = true;
    world_pump(w);
    w->cut[1] = true;
    world_pass(w, 1500);
    uint64_t heard = world_peer(w, 3, 2).heard;
    uint64_t match = world_peer(w, 3, 2).match;
    w->hold_apply[3] = false;
    world_apply(w, 3);
    ck_assert_uint_eq(world_peer(w, 3, 2).heard, heard);
    ck_assert_uint_eq(world_peer(w, 3, 2).match, match);
    w->cut[2] = true;
    uint64_t until = w->now + 950;
    while (w->now < until) {
        w->now += 50;
        world_tick(w, 3);
    }
    ck_assert_uint_eq(world_leader(w), 3);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_smaller_quorum_commits_what_waited)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    w->hold_apply[1] = true;
    world_change(w, 1, RKV_CHANGE_REMOVE, 3);
    world_pump(w);
    w->cut[2] = true;
    w->cut[3] = true;
    world_propose(w, 1, 1, 1);
    world_pump(w);
    uint64_t commit = world_status(w, 1).commit;
    w->cut[2] = false;
    w->hold_apply[1] = false;
    world_pass(w, 300);
    ck_assert_uint_eq(world_status(w, 1).commit, commit + 1);
    ck_assert_uint_eq(world_status(w, 2).commit, commit + 1);
    /* Down to one: its own disk is enough at once. */
    world_change(w, 1, RKV_CHANGE_REMOVE, 2);
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 1).commit, world_status(w, 1).last);
    world_propose(w, 1, 1, 1);
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 1).commit, world_status(w, 1).last);
    world_check(w);
    world_free(w);
}
END_TEST

/* No time passes: the others know, one of them is told to go on. */
START_TEST(a_leader_removed_tells_the_others_and_hands_over)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_REMOVE, 1), RKV_OK);
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 1).role, RKV_FOLLOWER);
    ck_assert_uint_eq(world_leader(w), 2);
    for (uint64_t id = 2; id <= 3; id++)
        ck_assert_uint_eq(role_of(w, id, 1), 0);
    ck_assert_int_eq(world_propose(w, 2, 1, 1), RKV_OK);
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 3).commit, world_status(w, 2).last);
    ck_assert_int_eq(world_campaign(w, 1), RKV_ESTATE);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_leader_removed_takes_no_proposals_and_waits_until_others_know)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_REMOVE, 1), RKV_OK);
    while (world_status(w, 1).commit < world_status(w, 1).last) {
        world_deliver(w, 0);
        for (uint64_t id = 1; id <= 3; id++)
            world_persist(w, id);
    }
    world_apply(w, 1);
    world_lose_kind(w, 0, 1, 0);
    ck_assert_uint_eq(world_status(w, 1).role, RKV_LEADER);
    ck_assert_int_eq(world_propose(w, 1, 1, 1), RKV_ETRANSFER);
    ck_assert_int_eq(world_transfer(w, 1, 2), RKV_ETRANSFER);
    /* A heartbeat tells them again. */
    world_pass(w, 100);
    ck_assert_uint_eq(world_leader(w), 2);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_leader_removed_whom_nobody_hears_gives_up)
{
    struct rkv_raft_options options = {.flags = RKV_RAFT_NO_CHECK_QUORUM};
    struct world *w = world_new_with(3, 3, 7, &options);
    world_elect(w, 1);
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_REMOVE, 1), RKV_OK);
    while (world_status(w, 1).commit < world_status(w, 1).last) {
        world_deliver(w, 0);
        for (uint64_t id = 1; id <= 3; id++)
            world_persist(w, id);
    }
    w->cut[1] = true;
    world_apply(w, 1);
    ck_assert_uint_eq(world_status(w, 1).role, RKV_LEADER);
    world_pass(w, 1000);
    ck_assert_uint_eq(world_status(w, 1).role, RKV_FOLLOWER);
    world_check(w);
    world_free(w);
}
END_TEST

/* As other libraries do. */
START_TEST(a_leader_removed_may_be_told_to_name_nobody_or_to_stay)
{
    for (uint32_t i = 0; i < 2; i++) {
        struct rkv_raft_options options = {
            .flags = i == 0 ? RKV_RAFT_NO_HANDOVER : RKV_RAFT_NO_STEP_DOWN};
        struct world *w = world_new_with(3, 3, 7, &options);
        world_elect(w, 1);
        uint64_t term = world_status(w, 1).term;
        ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_REMOVE, 1), RKV_OK);
        world_pump(w);
        ck_assert_uint_eq(world_status(w, 1).role,
                          i == 0 ? RKV_FOLLOWER : RKV_LEADER);
        ck_assert_uint_eq(world_status(w, 2).term, term);
        ck_assert_int_lt(world_propose(w, 1, 1, 1), 0);
        world_check(w);
        world_free(w);
    }
}
END_TEST

START_TEST(a_member_added_that_never_spoke_does_not_unseat_the_leader)
{
    struct world *w = world_new(2, 1, 7);
    world_elect(w, 1);
    world_crash(w, 2, 0);
    w->now += 950;
    world_change(w, 1, RKV_CHANGE_ADD_VOTER, 2);
    world_pump(w);
    world_pass(w, 100);
    ck_assert_uint_eq(world_status(w, 1).role, RKV_LEADER);
    world_free(w);
}
END_TEST

START_TEST(a_new_member_is_probed_at_once)
{
    struct world *w = world_new(2, 1, 7);
    world_elect(w, 1);
    world_change(w, 1, RKV_CHANGE_ADD_LEARNER, 2);
    while (world_persist(w, 1))
        ;
    world_apply(w, 1);
    struct packet *p = world_find(w, RKV_MSG_APPEND, 1, 2);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(p->msg.count, 1);
    world_free(w);
}
END_TEST

START_TEST(a_learner_votes_but_does_not_campaign_and_is_not_counted)
{
    struct world *w = world_new(3, 2, 7);
    world_elect(w, 1);
    world_change(w, 1, RKV_CHANGE_ADD_LEARNER, 3);
    for (uint64_t id = 1; id <= 2; id++) {
        world_pass(w, 100);
        world_compact(w, id, 0);
    }
    world_pass(w, 1000);
    ck_assert_uint_eq(role_of(w, 3, 3), RKV_LEARNER);
    ck_assert_int_eq(world_campaign(w, 3), RKV_ESTATE);
    w->cut[2] = true;
    uint64_t commit = world_status(w, 1).commit;
    world_propose(w, 1, 1, 1);
    world_pump(w);
    ck_assert_uint_eq(world_peer(w, 1, 3).match, commit + 1);
    ck_assert_uint_eq(world_status(w, 1).commit, commit);
    struct rkv_raft_status s = world_status(w, 3);
    struct rkv_raft_msg m = {.kind = RKV_MSG_VOTE,
                             .flags = RKV_MSG_FORCE,
                             .from = 2,
                             .to = 3,
                             .term = s.term + 1,
                             .index = s.last,
                             .log_term = s.term};
    world_receive(w, 3, &m);
    ck_assert_uint_eq(world_status(w, 3).vote, 2);
    world_check(w);
    world_free(w);
}
END_TEST

/* It adds who is there already: applied like any other, it makes way. */
START_TEST(a_change_that_changes_nothing_makes_way_for_the_next)
{
    struct world *w = world_new(4, 3, 7);
    world_elect(w, 1);
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_ADD_VOTER, 2), RKV_OK);
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_ADD_VOTER, 2), RKV_EPENDING);
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 1).pending_change, 0);
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_ADD_LEARNER, 4), RKV_OK);
    world_pump(w);
    ck_assert_uint_eq(role_of(w, 2, 4), RKV_LEARNER);
    world_check(w);
    world_free(w);
}
END_TEST

/* 1 leaves a change behind that nobody knows to be committed.  2 has it, and
 * as a leader sees it without reading a byte of the log: its own has to wait,
 * and nothing else has. */
START_TEST(an_inherited_change_is_waited_for_like_ones_own)
{
    struct world *w = world_new(4, 3, 7);
    world_elect(w, 1);
    world_propose(w, 1, 500, 1);
    world_pump(w);
    for (uint64_t id = 2; id <= 3; id++)
        w->hold_apply[id] = true;
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_ADD_LEARNER, 4), RKV_OK);
    ck_assert(world_deliver_kind(w, RKV_MSG_APPEND, 1, 2));
    world_persist(w, 2);
    world_crash(w, 1, 9);
    world_lose_kind(w, 0, 0, 0);
    world_elect(w, 2);
    ck_assert_uint_eq(world_status(w, 2).commit, world_status(w, 2).last);
    ck_assert_int_eq(world_propose(w, 2, 1, 1), RKV_OK);
    ck_assert_int_eq(world_change(w, 2, RKV_CHANGE_REMOVE, 3), RKV_EPENDING);
    w->hold_apply[2] = w->hold_apply[3] = false;
    world_pump(w);
    ck_assert_uint_eq(role_of(w, 2, 4), RKV_LEARNER);
    ck_assert_int_eq(world_change(w, 2, RKV_CHANGE_REMOVE, 4), RKV_OK);
    world_check(w);
    world_free(w);
}
END_TEST

Suite *suite_raft_change(void)
{
    Suite *suite = suite_create("raft change");
    TCase *tc = tcase_create("change");
    tcase_add_test(tc, a_learner_joins_catches_up_and_becomes_a_voter);
    tcase_add_test(tc, a_learner_that_lacks_too_much_is_not_promoted);
    tcase_add_test(tc, a_learner_that_was_never_heard_from_is_not_promoted);
    tcase_add_test(tc, a_learner_that_fell_silent_is_not_promoted);
    tcase_add_test(tc, whoever_wishes_promotes_a_learner_at_any_lag);
    tcase_add_test(tc, a_change_takes_effect_when_it_is_applied);
    tcase_add_test(tc, a_second_change_is_refused_while_one_waits);
    tcase_add_test(tc, a_new_leader_changes_nothing_before_its_first_commit);
    tcase_add_test(tc, refused_changes_are_errors_and_leave_no_entry);
    tcase_add_test(tc, a_configuration_without_its_change_is_refused);
    tcase_add_test(
        tc, a_rejected_configuration_changes_nothing_and_waits_no_longer);
    tcase_add_test(tc,
                   nobody_campaigns_with_a_committed_change_not_yet_applied);
    tcase_add_test(tc, a_change_takes_effect_once);
    tcase_add_test(tc, what_a_smaller_quorum_has_is_committed_at_once);
    tcase_add_test(tc, what_is_known_of_members_stays_with_them);
    tcase_add_test(tc, a_smaller_quorum_commits_what_waited);
    tcase_add_test(tc, a_leader_removed_tells_the_others_and_hands_over);
    tcase_add_test(
        tc, a_leader_removed_takes_no_proposals_and_waits_until_others_know);
    tcase_add_test(tc, a_leader_removed_whom_nobody_hears_gives_up);
    tcase_add_test(tc, a_leader_removed_may_be_told_to_name_nobody_or_to_stay);
    tcase_add_test(tc,
                   a_member_added_that_never_spoke_does_not_unseat_the_leader);
    tcase_add_test(tc, a_new_member_is_probed_at_once);
    tcase_add_test(tc,
                   a_learner_votes_but_does_not_campaign_and_is_not_counted);
    tcase_add_test(tc, a_change_that_changes_nothing_makes_way_for_the_next);
    tcase_add_test(tc, an_inherited_change_is_waited_for_like_ones_own);
    suite_add_tcase(suite, tc);
    return suite;
}
