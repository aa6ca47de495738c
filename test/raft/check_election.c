/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/raft/check_election.c - terms, votes, loyalty and who leads.
 */
#include <check.h>

#include "raft/world.h"

Suite *suite_raft_election(void);

static struct rkv_raft_msg vote_request(struct world *w, uint32_t kind,
                                        uint64_t from, uint64_t to,
                                        uint64_t term)
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

START_TEST(somebody_leads_within_a_few_timeouts)
{
    struct world *w = world_new(3, 3, 7);
    world_pass(w, 4000);
    ck_assert_uint_ne(world_leader(w), 0);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_single_voter_leads_once_its_own_vote_is_durable)
{
    struct world *w = world_new(1, 1, 7);
    w->hold_disk[1] = true;
    world_campaign(w, 1);
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 1).role, RKV_CANDIDATE);
    w->hold_disk[1] = false;
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 1).role, RKV_LEADER);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_candidate_whose_disk_stalls_does_not_lead_on_others_votes)
{
    struct world *w = world_new(3, 3, 7);
    w->hold_disk[1] = true;
    world_campaign(w, 1);
    world_pump(w);
    ck_assert_uint_eq(world_node(w, 2)->grants, 1);
    ck_assert_uint_eq(world_node(w, 3)->grants, 1);
    ck_assert_uint_eq(world_status(w, 1).role, RKV_CANDIDATE);
    ck_assert_ptr_null(world_find(w, RKV_MSG_APPEND, 1, 0));
    world_persist(w, 1);
    ck_assert_uint_eq(world_status(w, 1).role, RKV_LEADER);
    world_check(w);
    world_free(w);
}
END_TEST

/* The crash of the story: its term was never durable, so it may win the same
 * term again, and must not have used it before. */
START_TEST(a_term_is_not_led_twice_across_a_crash)
{
    struct world *w = world_new(3, 3, 7);
    w->hold_disk[1] = true;
    world_campaign(w, 1);
    world_pump(w);
    world_propose(w, 1, 1, 1);
    world_pump(w);
    uint64_t term = world_status(w, 1).term;
    world_crash(w, 1, 0);
    world_start(w, 1);
    w->hold_disk[1] = false;
    world_campaign(w, 1);
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 1).term, term);
    world_propose(w, 1, 1, 1);
    world_pump(w);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_vote_is_given_to_one_candidate_a_term)
{
    struct world *w = world_new(3, 3, 7);
    struct rkv_raft_msg m = vote_request(w, RKV_MSG_VOTE, 2, 1, 5);
    world_receive(w, 1, &m);
    world_persist(w, 1);
    m = vote_request(w, RKV_MSG_VOTE, 3, 1, 5);
    world_receive(w, 1, &m);
    struct packet *p = world_find(w, RKV_MSG_VOTE_REPLY, 1, 2);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(p->msg.flags, 0);
    p = world_find(w, RKV_MSG_VOTE_REPLY, 1, 3);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(p->msg.flags, RKV_MSG_REJECT);
    world_check(w);
    world_free(w);
}
END_TEST

/* It campaigns, loses, and is asked by another in the very same term. */
START_TEST(a_candidate_that_lost_keeps_its_vote_for_itself)
{
    struct rkv_raft_options options = {.flags = RKV_RAFT_NO_PREVOTE};
    struct world *w = world_new_with(3, 3, 7, &options);
    world_campaign(w, 1);
    world_persist(w, 1);
    world_lose_kind(w, 0, 0, 0);
    uint64_t term = world_status(w, 1).term;
    for (uint64_t from = 2; from <= 3; from++) {
        struct rkv_raft_msg no = {.kind = RKV_MSG_VOTE_REPLY,
                                  .flags = RKV_MSG_REJECT,
                                  .from = from,
                                  .to = 1,
                                  .term = term};
        world_receive(w, 1, &no);
    }
    ck_assert_uint_eq(world_status(w, 1).role, RKV_FOLLOWER);
    ck_assert_uint_eq(world_status(w, 1).vote, 1);
    struct rkv_raft_msg m = vote_request(w, RKV_MSG_VOTE, 3, 1, term);
    world_receive(w, 1, &m);
    ck_assert_uint_eq(world_find(w, RKV_MSG_VOTE_REPLY, 1, 3)->msg.flags,
                      RKV_MSG_REJECT);
    world_free(w);
}
END_TEST

START_TEST(a_vote_leaves_only_when_it_is_durable)
{
    struct world *w = world_new(3, 3, 7);
    struct rkv_raft_msg m = vote_request(w, RKV_MSG_VOTE, 2, 1, 5);
    world_receive(w, 1, &m);
    ck_assert_ptr_null(world_find(w, RKV_MSG_VOTE_REPLY, 1, 2));
    world_persist(w, 1);
    ck_assert_ptr_nonnull(world_find(w, RKV_MSG_VOTE_REPLY, 1, 2));
    /* Also when the disk holds the term already. */
    m = (struct rkv_raft_msg){.kind = RKV_MSG_APPEND_REPLY,
                              .flags = RKV_MSG_REJECT,
                              .from = 2,
                              .to = 1,
                              .term = 6};
    world_receive(w, 1, &m);
    world_persist(w, 1);
    world_lose_kind(w, 0, 0, 0);
    ck_assert_uint_eq(world_node(w, 1)->disk.term, 6);
    m = vote_request(w, RKV_MSG_VOTE, 3, 1, 6);
    world_receive(w, 1, &m);
    ck_assert_ptr_null(world_find(w, RKV_MSG_VOTE_REPLY, 1, 3));
    world_persist(w, 1);
    ck_assert_ptr_nonnull(world_find(w, RKV_MSG_VOTE_REPLY, 1, 3));
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_new_term_forgets_a_vote_that_was_still_owed)
{
    struct world *w = world_new(3, 3, 7);
    struct rkv_raft_msg m = vote_request(w, RKV_MSG_VOTE, 2, 1, 5);
    world_receive(w, 1, &m);
    m = vote_request(w, RKV_MSG_VOTE, 3, 1, 6);
    world_receive(w, 1, &m);
    while (world_persist(w, 1))
        ;
    ck_assert_ptr_null(world_find(w, RKV_MSG_VOTE_REPLY, 1, 2));
    ck_assert_uint_eq(world_find(w, RKV_MSG_VOTE_REPLY, 1, 3)->msg.term, 6);
    /* And so does one that comes with its leader. */
    world_lose_kind(w, 0, 0, 0);
    m = vote_request(w, RKV_MSG_VOTE, 3, 1, 7);
    world_receive(w, 1, &m);
    m = (struct rkv_raft_msg){
        .kind = RKV_MSG_HEARTBEAT, .from = 2, .to = 1, .term = 8};
    world_receive(w, 1, &m);
    while (world_persist(w, 1))
        ;
    ck_assert_ptr_null(world_find(w, RKV_MSG_VOTE_REPLY, 1, 0));
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_repeated_request_is_granted_again)
{
    struct world *w = world_new(3, 3, 7);
    struct rkv_raft_msg m = vote_request(w, RKV_MSG_VOTE, 2, 1, 5);
    world_receive(w, 1, &m);
    world_persist(w, 1);
    world_lose_kind(w, 0, 0, 0);
    world_receive(w, 1, &m);
    struct packet *p = world_find(w, RKV_MSG_VOTE_REPLY, 1, 2);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(p->msg.flags, 0);
    world_free(w);
}
END_TEST

START_TEST(a_vote_goes_only_to_a_log_at_least_as_good)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    world_propose(w, 1, 3, 1);
    world_pump(w);
    world_crash(w, 1, 0);
    world_pass(w, 1000);
    struct rkv_raft_status s = world_status(w, 2);
    world_lose_kind(w, 0, 0, 0);
    struct rkv_raft_msg m = vote_request(w, RKV_MSG_VOTE, 3, 2, s.term + 1);
    m.flags = RKV_MSG_FORCE;
    m.index--;
    world_receive(w, 2, &m);
    world_persist(w, 2);
    ck_assert_uint_eq(world_find(w, RKV_MSG_VOTE_REPLY, 2, 3)->msg.flags,
                      RKV_MSG_REJECT);
    /* Shorter, but of a later term. */
    world_lose_kind(w, 0, 0, 0);
    m.term++;
    m.log_term++;
    world_receive(w, 2, &m);
    world_persist(w, 2);
    ck_assert_uint_eq(world_find(w, RKV_MSG_VOTE_REPLY, 2, 3)->msg.flags, 0);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_grant_for_another_log_than_ours_does_not_count)
{
    struct world *w = world_new(3, 3, 7);
    world_campaign(w, 1);
    world_deliver_kind(w, RKV_MSG_PREVOTE, 1, 2);
    world_deliver_kind(w, RKV_MSG_PREVOTE_REPLY, 2, 1);
    world_persist(w, 1);
    ck_assert_uint_eq(world_status(w, 1).role, RKV_CANDIDATE);
    struct rkv_raft_msg m = {.kind = RKV_MSG_VOTE_REPLY,
                             .from = 2,
                             .to = 1,
                             .term = world_status(w, 1).term,
                             .index = 9,
                             .log_term = 1};
    world_receive(w, 1, &m);
    ck_assert_uint_eq(world_status(w, 1).role, RKV_CANDIDATE);
    m.index = 1;
    world_receive(w, 1, &m);
    ck_assert_uint_eq(world_status(w, 1).role, RKV_LEADER);
    world_free(w);
}
END_TEST

START_TEST(a_prevote_changes_neither_term_nor_vote)
{
    struct world *w = world_new(3, 3, 7);
    struct rkv_raft_msg m = vote_request(w, RKV_MSG_PREVOTE, 2, 1, 5);
    world_receive(w, 1, &m);
    ck_assert_uint_eq(world_status(w, 1).term, 1);
    ck_assert_uint_eq(world_status(w, 1).vote, 0);
    ck_assert_uint_eq(world_node(w, 1)->writes_count, 0);
    struct packet *p = world_find(w, RKV_MSG_PREVOTE_REPLY, 1, 2);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(p->msg.flags, 0);
    ck_assert_uint_eq(p->msg.term, 5);
    world_free(w);
}
END_TEST

/* It asks whether a campaign would be worth it when the vote of its term,
 * still free, is asked for: the answer must not wait for its own question. */
START_TEST(a_precandidate_votes_in_the_term_it_is_in)
{
    struct world *w = world_new(3, 3, 7);
    world_campaign(w, 1);
    uint64_t term = world_status(w, 1).term;
    ck_assert_uint_eq(world_status(w, 1).role, RKV_PRECANDIDATE);
    struct rkv_raft_msg m = vote_request(w, RKV_MSG_VOTE, 2, 1, term);
    world_receive(w, 1, &m);
    world_persist(w, 1);
    struct packet *p = world_find(w, RKV_MSG_VOTE_REPLY, 1, 2);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(p->msg.flags, 0);
    ck_assert_uint_eq(world_status(w, 1).role, RKV_PRECANDIDATE);
    world_check(w);
    world_free(w);
}
END_TEST

/* We came into term 5 by word of mouth and voted for nobody in it: who would
 * campaign for it may hope for our vote. */
START_TEST(a_prevote_for_a_term_we_are_in_is_granted_while_our_vote_is_free)
{
    struct world *w = world_new(3, 3, 7);
    struct rkv_raft_msg m = vote_request(w, RKV_MSG_APPEND_REPLY, 3, 1, 5);
    m.flags = RKV_MSG_REJECT;
    world_receive(w, 1, &m);
    ck_assert_uint_eq(world_status(w, 1).term, 5);
    m = vote_request(w, RKV_MSG_PREVOTE, 2, 1, 5);
    world_receive(w, 1, &m);
    struct packet *p = world_find(w, RKV_MSG_PREVOTE_REPLY, 1, 2);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(p->msg.flags, 0);
    ck_assert_uint_eq(p->msg.term, 5);
    world_lose_kind(w, 0, 0, 0);
    m = vote_request(w, RKV_MSG_VOTE, 3, 1, 5);
    world_receive(w, 1, &m);
    m = vote_request(w, RKV_MSG_PREVOTE, 2, 1, 5);
    world_receive(w, 1, &m);
    p = world_find(w, RKV_MSG_PREVOTE_REPLY, 1, 2);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(p->msg.flags, RKV_MSG_REJECT);
    ck_assert_uint_eq(p->msg.term, 5);
    world_check(w);
    world_free(w);
}
END_TEST

/* Loyalty is to keep a leader's term from ending; who asks for a term that is
 * not even later is told so. */
START_TEST(a_prevote_for_our_leaders_own_term_is_answered_with_it)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    uint64_t term = world_status(w, 2).term;
    struct rkv_raft_msg m = vote_request(w, RKV_MSG_PREVOTE, 3, 2, term);
    world_receive(w, 2, &m);
    struct packet *p = world_find(w, RKV_MSG_PREVOTE_REPLY, 2, 3);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(p->msg.flags, RKV_MSG_REJECT);
    ck_assert_uint_eq(p->msg.term, term);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_refused_prevote_brings_the_higher_term)
{
    struct world *w = world_new(3, 3, 7);
    struct rkv_raft_msg m = vote_request(w, RKV_MSG_VOTE, 3, 2, 9);
    world_receive(w, 2, &m);
    world_persist(w, 2);
    world_lose_kind(w, 0, 0, 0);
    world_campaign(w, 1);
    world_lose_kind(w, 0, 1, 3);
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 1).term, 9);
    ck_assert_uint_eq(world_status(w, 1).role, RKV_FOLLOWER);
    world_elect(w, 1);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(who_hears_its_leader_ignores_candidates_for_a_while)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    world_pass(w, 100 - w->now % 100); /* until a heartbeat */
    uint64_t term = world_status(w, 2).term;
    struct rkv_raft_msg m = vote_request(w, RKV_MSG_VOTE, 3, 2, term + 1);
    world_receive(w, 2, &m);
    ck_assert_uint_eq(world_status(w, 2).term, term);
    ck_assert_uint_eq(w->packets_count, 0);
    /* Its leader is silent for the shortest timeout: now it may answer. */
    w->now += 999;
    world_receive(w, 2, &m);
    ck_assert_uint_eq(world_status(w, 2).term, term);
    w->now += 1;
    world_receive(w, 2, &m);
    ck_assert_uint_eq(world_status(w, 2).term, term + 1);
    world_free(w);
}
END_TEST

START_TEST(a_vote_on_a_transfer_pierces_loyalty)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    uint64_t term = world_status(w, 2).term;
    struct rkv_raft_msg m = vote_request(w, RKV_MSG_VOTE, 3, 2, term + 1);
    m.flags = RKV_MSG_FORCE;
    world_receive(w, 2, &m);
    ck_assert_uint_eq(world_status(w, 2).term, term + 1);
    ck_assert_uint_eq(world_status(w, 2).vote, 3);
    world_free(w);
}
END_TEST

START_TEST(a_member_that_just_started_votes_at_once)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    world_pump(w);
    world_crash(w, 1, 9);
    world_crash(w, 2, 9);
    world_crash(w, 3, 9);
    world_start(w, 2);
    world_start(w, 3);
    world_campaign(w, 2);
    world_pump(w);
    ck_assert_uint_eq(world_leader(w), 2);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(two_precandidates_do_not_block_each_other)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    world_crash(w, 1, 9);
    w->now += 1000;
    world_campaign(w, 2);
    world_campaign(w, 3);
    world_pump(w);
    world_pass(w, 6000);
    ck_assert_uint_ne(world_leader(w), 0);
    ck_assert_uint_ne(world_leader(w), 1);
    world_check(w);
    world_free(w);
}
END_TEST

/* Both were told to, long before their clocks would: whoever asks the other
 * is no longer held to a leader that it has given up itself. */
START_TEST(who_asks_for_prevotes_follows_nobody)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    world_crash(w, 1, 9);
    world_campaign(w, 2);
    world_campaign(w, 3);
    ck_assert_uint_eq(world_status(w, 2).leader, 0);
    world_deliver_kind(w, RKV_MSG_PREVOTE, 2, 3);
    struct packet *p = world_find(w, RKV_MSG_PREVOTE_REPLY, 3, 2);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(p->msg.flags, 0);
    world_check(w);
    world_free(w);
}
END_TEST

/* It came too late to vote for its leader, but knows it. */
START_TEST(no_vote_is_given_in_a_term_that_has_a_leader)
{
    struct world *w = world_new(3, 3, 7);
    struct rkv_raft_msg m = {
        .kind = RKV_MSG_HEARTBEAT, .from = 2, .to = 1, .term = 5};
    world_receive(w, 1, &m);
    ck_assert_uint_eq(world_status(w, 1).vote, 0);
    m = vote_request(w, RKV_MSG_VOTE, 3, 1, 5);
    m.flags = RKV_MSG_FORCE;
    world_receive(w, 1, &m);
    ck_assert_uint_eq(world_status(w, 1).vote, 0);
    struct packet *p = world_find(w, RKV_MSG_VOTE_REPLY, 1, 3);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(p->msg.flags, RKV_MSG_REJECT);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_leader_nobody_answers_steps_down_and_names_no_leader)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    w->cut[1] = true;
    uint64_t term = world_status(w, 1).term;
    world_pass(w, 2100);
    ck_assert_uint_ne(world_status(w, 1).role, RKV_LEADER);
    ck_assert_uint_eq(world_status(w, 1).leader, 0);
    ck_assert_uint_eq(world_status(w, 1).term, term);
    world_pass(w, 3000);
    ck_assert_uint_ne(world_leader(w), 1);
    ck_assert_uint_ne(world_leader(w), 0);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_member_back_from_isolation_does_not_depose_the_leader)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    uint64_t term = world_status(w, 1).term;
    w->cut[3] = true;
    world_pass(w, 10000);
    w->cut[3] = false;
    world_pass(w, 3000);
    ck_assert_uint_eq(world_leader(w), 1);
    ck_assert_uint_eq(world_status(w, 1).term, term);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_member_stuck_in_a_higher_term_is_set_free)
{
    struct rkv_raft_options options = {.flags = RKV_RAFT_NO_PREVOTE};
    struct world *w = world_new_with(3, 3, 7, &options);
    world_elect(w, 1);
    world_propose(w, 1, 2, 1);
    world_pump(w);
    w->cut[3] = true;
    world_pass(w, 8000);
    world_propose(w, 1, 2, 1);
    world_pump(w);
    w->cut[3] = false;
    world_pass(w, 8000);
    uint64_t leader = world_leader(w);
    ck_assert_uint_ne(leader, 0);
    ck_assert_uint_eq(world_status(w, 3).leader, leader);
    ck_assert_uint_eq(world_status(w, 3).last, world_status(w, leader).last);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_process_that_stood_still_starts_its_timers_anew)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    uint64_t term = world_status(w, 2).term;
    w->now += 100000;
    world_tick(w, 2);
    ck_assert_uint_eq(world_status(w, 2).role, RKV_FOLLOWER);
    ck_assert_uint_eq(world_status(w, 2).term, term);
    ck_assert_uint_ge(world_node(w, 2)->deadline, w->now + 1000);
    world_tick(w, 1);
    ck_assert_uint_eq(world_status(w, 1).role, RKV_LEADER);
    ck_assert_ptr_nonnull(world_find(w, RKV_MSG_HEARTBEAT, 1, 2));
    world_pass(w, 3000);
    ck_assert_uint_eq(world_leader(w), 1);
    world_free(w);
}
END_TEST

START_TEST(the_deadline_is_never_later_than_what_is_due)
{
    struct world *w = world_new(3, 3, 7);
    for (int i = 0; i < 200; i++) {
        world_pass(w, 37);
        for (uint64_t id = 1; id <= 3; id++)
            ck_assert_uint_gt(world_node(w, id)->deadline, w->now);
    }
    ck_assert_uint_ne(world_leader(w), 0);
    world_free(w);
}
END_TEST

START_TEST(a_leader_alone_in_its_cluster_lets_the_host_sleep)
{
    struct world *w = world_new(1, 1, 7);
    world_elect(w, 1);
    ck_assert_uint_eq(world_node(w, 1)->deadline, UINT64_MAX);
    world_free(w);
}
END_TEST

/* It holds a configuration in which it is the only voter, but restarted with
 * a commit index from before, and the other will not vote for it. */
START_TEST(what_is_committed_is_learnt_from_a_refused_prevote)
{
    struct world *w = world_new(2, 2, 7);
    world_elect(w, 2);
    ck_assert_int_eq(world_change(w, 2, RKV_CHANGE_ADD_LEARNER, 2), RKV_OK);
    /* 1 has it durably, but the news of its commit never arrives. */
    world_deliver_kind(w, RKV_MSG_APPEND, 2, 1);
    world_persist(w, 1);
    world_persist(w, 2);
    world_propose(w, 2, 1, 1);
    w->cut[1] = true;
    world_persist(w, 2);
    w->cut[1] = false;
    world_deliver_kind(w, RKV_MSG_APPEND_REPLY, 1, 2);
    world_lose_kind(w, 0, 2, 1);
    world_apply(w, 2);
    world_lose_kind(w, 0, 2, 1);
    /* It cannot tell anybody that it is no voter any more, and gives up. */
    w->cut[2] = true;
    world_pass(w, 2500);
    w->cut[2] = false;
    world_crash(w, 1, 9);
    world_start(w, 1);
    ck_assert_uint_eq(world_status(w, 2).role, RKV_FOLLOWER);
    ck_assert_uint_gt(world_status(w, 2).last, world_status(w, 1).last);
    world_pass(w, 20000);
    ck_assert_uint_eq(world_leader(w), 1);
    world_check(w);
    world_free(w);
}
END_TEST

/* It was a grant of the very term that 1 campaigns for, and came when it had
 * won its pre-votes already. */
START_TEST(a_late_grant_of_a_prevote_is_no_vote)
{
    struct world *w = world_new(3, 3, 7);
    world_campaign(w, 1);
    for (uint64_t id = 2; id <= 3; id++)
        world_deliver_kind(w, RKV_MSG_PREVOTE, 1, id);
    world_deliver_kind(w, RKV_MSG_PREVOTE_REPLY, 2, 1);
    world_persist(w, 1);
    ck_assert_uint_eq(world_status(w, 1).role, RKV_CANDIDATE);
    struct packet *p = world_find(w, RKV_MSG_PREVOTE_REPLY, 3, 1);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(p->msg.flags, 0);
    ck_assert_uint_eq(p->msg.term, world_status(w, 1).term);
    world_deliver_kind(w, RKV_MSG_PREVOTE_REPLY, 3, 1);
    ck_assert_uint_eq(world_status(w, 1).role, RKV_CANDIDATE);
    world_pump(w);
    ck_assert_uint_eq(world_leader(w), 1);
    world_check(w);
    world_free(w);
}
END_TEST

Suite *suite_raft_election(void)
{
    Suite *suite = suite_create("raft election");
    TCase *tc = tcase_create("election");
    tcase_add_test(tc, somebody_leads_within_a_few_timeouts);
    tcase_add_test(tc, a_single_voter_leads_once_its_own_vote_is_durable);
    tcase_add_test(tc,
                   a_candidate_whose_disk_stalls_does_not_lead_on_others_votes);
    tcase_add_test(tc, a_term_is_not_led_twice_across_a_crash);
    tcase_add_test(tc, a_vote_is_given_to_one_candidate_a_term);
    tcase_add_test(tc, a_candidate_that_lost_keeps_its_vote_for_itself);
    tcase_add_test(tc, a_vote_leaves_only_when_it_is_durable);
    tcase_add_test(tc, a_new_term_forgets_a_vote_that_was_still_owed);
    tcase_add_test(tc, a_repeated_request_is_granted_again);
    tcase_add_test(tc, a_vote_goes_only_to_a_log_at_least_as_good);
    tcase_add_test(tc, a_grant_for_another_log_than_ours_does_not_count);
    tcase_add_test(tc, a_prevote_changes_neither_term_nor_vote);
    tcase_add_test(tc, a_precandidate_votes_in_the_term_it_is_in);
    tcase_add_test(
        tc, a_prevote_for_a_term_we_are_in_is_granted_while_our_vote_is_free);
    tcase_add_test(tc, a_prevote_for_our_leaders_own_term_is_answered_with_it);
    tcase_add_test(tc, a_refused_prevote_brings_the_higher_term);
    tcase_add_test(tc, who_hears_its_leader_ignores_candidates_for_a_while);
    tcase_add_test(tc, a_vote_on_a_transfer_pierces_loyalty);
    tcase_add_test(tc, a_member_that_just_started_votes_at_once);
    tcase_add_test(tc, two_precandidates_do_not_block_each_other);
    tcase_add_test(tc, who_asks_for_prevotes_follows_nobody);
    tcase_add_test(tc, no_vote_is_given_in_a_term_that_has_a_leader);
    tcase_add_test(tc, a_leader_nobody_answers_steps_down_and_names_no_leader);
    tcase_add_test(tc, a_member_back_from_isolation_does_not_depose_the_leader);
    tcase_add_test(tc, a_member_stuck_in_a_higher_term_is_set_free);
    tcase_add_test(tc, a_process_that_stood_still_starts_its_timers_anew);
    tcase_add_test(tc, the_deadline_is_never_later_than_what_is_due);
    tcase_add_test(tc, a_leader_alone_in_its_cluster_lets_the_host_sleep);
    tcase_add_test(tc, what_is_committed_is_learnt_from_a_refused_prevote);
    tcase_add_test(tc, a_late_grant_of_a_prevote_is_no_vote);
    suite_add_tcase(suite, tc);
    return suite;
}
