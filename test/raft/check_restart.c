/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/raft/check_restart.c - what a member makes of what it finds on its
 * disk, and what becomes of an election or a change that a crash meets at any
 * of its steps.
 */
#include <check.h>

#include "raft/world.h"

Suite *suite_raft_restart(void);

static struct rkv_raft_in input(uint32_t kind)
{
    return (struct rkv_raft_in){.kind = kind};
}

START_TEST(a_commit_beyond_the_log_on_disk_is_cut_to_it)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    world_propose(w, 1, 5, 1);
    world_pass(w, 100);
    struct node *n = world_node(w, 2);
    uint64_t last = n->disk.last;
    world_crash(w, 2, 0);
    n->disk.commit = last + 100;
    world_start(w, 2);
    ck_assert_uint_eq(world_status(w, 2).commit, last);
    ck_assert_uint_eq(world_status(w, 2).last, last);
    world_propose(w, 1, 5, 1);
    world_pass(w, 100);
    ck_assert_uint_eq(world_status(w, 2).commit, last + 5);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_commit_before_the_snapshot_is_the_snapshots)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    world_propose(w, 1, 5, 1);
    world_pass(w, 100);
    world_compact(w, 2, 0);
    struct node *n = world_node(w, 2);
    world_crash(w, 2, 0);
    n->disk.commit = 1;
    world_start(w, 2);
    ck_assert_uint_gt(n->disk.snapshot.index, 1);
    ck_assert_uint_eq(world_status(w, 2).commit, n->disk.snapshot.index);
    ck_assert_uint_eq(world_status(w, 2).applied, n->disk.snapshot.index);
    world_propose(w, 1, 5, 1);
    world_pass(w, 100);
    world_compare(w);
    world_check(w);
    world_free(w);
}
END_TEST

/* The snapshot is of an earlier term than the one 3 voted in. */
START_TEST(a_snapshot_lowers_no_term_and_frees_no_vote)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    w->cut[3] = true;
    world_propose(w, 1, 5, 1);
    world_pass(w, 100);
    w->hold_apply[2] = true;
    world_compact(w, 2, 0);
    w->cut[3] = false;
    w->cut[1] = true;
    for (int i = 0; i < 50 && world_node(w, 3)->restore_index == 0; i++) {
        w->now += 100;
        for (uint64_t id = 2; id <= 3; id++)
            world_tick(w, id);
        if (world_leader(w) != 2 && i % 10 == 9)
            world_campaign(w, 2);
        while (
            world_node(w, 3)->restore_index == 0 &&
            (world_deliver(w, 0) || world_persist(w, 2) || world_persist(w, 3)))
            ;
    }
    ck_assert_uint_ne(world_node(w, 3)->restore_index, 0);
    struct rkv_raft_status before = world_status(w, 3);
    ck_assert_uint_eq(before.vote, 2);
    ck_assert_uint_gt(before.term, world_node(w, 2)->disk.snapshot.term);
    ck_assert(world_restore(w, 3));
    struct rkv_raft_status after = world_status(w, 3);
    ck_assert_uint_gt(after.commit, before.commit);
    ck_assert_uint_eq(after.term, before.term);
    ck_assert_uint_eq(after.vote, 2);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_failed_write_cuts_nothing_that_was_sent)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    world_propose(w, 1, 3, 1);
    uint64_t last = world_status(w, 1).last;
    ck_assert_int_eq(world_step(w, 1, input(RKV_IN_PERSIST_FAILED)), RKV_OK);
    ck_assert_uint_eq(world_status(w, 1).last, last);
    ck_assert_uint_lt(world_status(w, 1).durable, last);
    /* What was sent goes on to be committed without it. */
    world_crash(w, 1, 0);
    world_pump(w);
    world_elect(w, 2);
    world_start(w, 1);
    world_pass(w, 1000);
    ck_assert_uint_ge(world_status(w, 1).commit, last);
    world_compare(w);
    world_check(w);
    world_free(w);
}
END_TEST

/* Who crashes, who is elected next, and after how many events. */
static void crash_at(uint64_t step, uint64_t who, uint64_t next)
{
    struct rkv_raft_change two[] = {{.op = RKV_CHANGE_REMOVE, .id = 3},
                                    {.op = RKV_CHANGE_ADD_VOTER, .id = 4}};
    struct world *w = world_new(4, 3, 7);
    world_elect(w, 1);
    ck_assert_int_eq(world_change_all(w, 1, RKV_CHANGE_IMPLICIT, 2, two),
                     RKV_OK);
    for (uint64_t i = 0; i < step; i++) {
        uint64_t id = 1 + i / 3 % 4;
        if (i % 3 == 0)
            world_deliver(w, 0);
        else if (i % 3 == 1)
            world_persist(w, id);
        else
            world_apply(w, id);
    }
    world_crash(w, who, 0);
    /* The others may not even hear of it before they elect. */
    world_campaign(w, next);
    for (int i = 0; i < 40; i++) {
        world_deliver(w, 0);
        world_persist(w, 1 + (uint64_t)i % 4);
    }
    world_start(w, who);
    world_pass(w, 5000);
    uint64_t leader = world_leader(w);
    ck_assert_msg(leader != 0, "step %d: nobody leads", (int)step);
    const struct rkv_raft_member *members;
    uint32_t count = rkv_raft_members(world_node(w, leader)->raft, &members);
    ck_assert_uint_eq(count, 3);
    for (uint32_t i = 0; i < count; i++)
        ck_assert_uint_eq(members[i].role, RKV_VOTER);
    ck_assert_int_eq(world_propose(w, leader, 1, 1), RKV_OK);
    world_pass(w, 500);
    ck_assert_uint_eq(world_status(w, leader).commit,
                      world_status(w, leader).last);
    world_compare(w);
    world_check(w);
    world_free(w);
}

START_TEST(a_joint_change_survives_a_crash_and_an_election_at_any_step)
{
    for (uint64_t step = (uint64_t)_i; step < 120; step += 4)
        for (uint64_t who = 1; who <= 3; who++)
            crash_at(step, who, who % 3 + 1);
}
END_TEST

/* A message names the term of its last entry, so a host that fetched the
 * payloads for it late can see that it is of no use any more: here is one of
 * entries of two terms. */
START_TEST(a_message_says_which_log_it_was_made_from)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    w->cut[3] = true;
    world_propose(w, 1, 3, 1);
    world_pump(w);
    uint64_t first = world_status(w, 1).term;
    world_elect(w, 2);
    w->cut[3] = false;
    struct packet *p = NULL;
    for (int i = 0; i < 1000 && (p == NULL || p->msg.count < 2); i++) {
        if (!world_deliver(w, 0)) {
            w->now += 100;
            world_tick(w, 2);
        }
        p = world_find(w, RKV_MSG_APPEND, 2, 3);
    }
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(p->entries[0].term, first);
    ck_assert_uint_eq(p->msg.last_term, p->entries[p->msg.count - 1].term);
    ck_assert_uint_gt(p->msg.last_term, first);
    world_free(w);
}
END_TEST

START_TEST(while_a_snapshot_is_installed_heartbeats_are_answered)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    world_propose(w, 1, 3, 1);
    world_pump(w);
    struct rkv_raft_status s = world_status(w, 2);
    struct rkv_raft_msg m = {.kind = RKV_MSG_SNAPSHOT,
                             .from = 1,
                             .to = 2,
                             .term = s.term,
                             .index = s.last + 5,
                             .log_term = s.term};
    ck_assert_int_eq(world_receive(w, 2, &m), RKV_OK);
    ck_assert_uint_ne(world_node(w, 2)->restore_index, 0);
    world_lose_kind(w, 0, 0, 0);
    m = (struct rkv_raft_msg){
        .kind = RKV_MSG_HEARTBEAT, .from = 1, .to = 2, .term = s.term};
    for (int i = 0; i < 20; i++) {
        w->now += 200;
        ck_assert_int_eq(world_receive(w, 2, &m), RKV_OK);
        world_tick(w, 2);
        ck_assert_uint_eq(world_lose_kind(w, RKV_MSG_HEARTBEAT_REPLY, 2, 1), 1);
    }
    ck_assert_uint_eq(world_status(w, 2).leader, 1);
    ck_assert_uint_eq(world_status(w, 2).term, s.term);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_read_at_a_follower_waits_for_no_heartbeat)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    world_propose(w, 1, 3, 1);
    while (world_status(w, 1).commit < world_status(w, 1).last) {
        world_deliver(w, 0);
        for (uint64_t id = 1; id <= 3; id++)
            world_persist(w, id);
    }
    /* The news that they are committed is lost. */
    world_lose_kind(w, 0, 1, 0);
    struct node *n = world_node(w, 2);
    world_read(w, 2, 5);
    uint64_t now = w->now;
    world_pump(w);
    ck_assert_uint_eq(w->now, now);
    ck_assert_uint_eq(n->reads_count, 1);
    ck_assert_int_eq(n->reads[0].status, RKV_OK);
    ck_assert_uint_eq(n->reads[0].index, world_status(w, 1).commit);
    ck_assert_uint_ge(n->applied, n->reads[0].index);
    world_check(w);
    world_free(w);
}
END_TEST

/* 1 led and sent entries before it had written them, started again, and does
 * not have them; the answer is to who it was. */
START_TEST(an_answer_to_what_it_lost_is_nobodys_fault)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    world_pump(w);
    w->hold_disk[1] = true;
    world_propose(w, 1, 1, 1);
    ck_assert(world_deliver_kind(w, RKV_MSG_APPEND, 1, 2));
    ck_assert(world_persist_all(w, 2));
    struct packet *answer = world_find(w, RKV_MSG_APPEND_REPLY, 2, 1);
    ck_assert_ptr_nonnull(answer);
    struct rkv_raft_msg m = answer->msg;
    uint64_t term = world_status(w, 1).term;
    world_crash(w, 1, 0);
    w->hold_disk[1] = false;
    world_start(w, 1);
    ck_assert_uint_eq(world_status(w, 1).term, term);
    ck_assert_uint_lt(world_status(w, 1).last, m.index);
    ck_assert_int_eq(world_receive(w, 1, &m), RKV_OK);
    world_check(w);
    world_free(w);
}
END_TEST

/* 2 has all entries, and has forgotten that they are the leader's and that
 * the last one is committed.  The one question about that is lost. */
START_TEST(a_member_that_started_again_is_asked_until_it_answers)
{
    struct world *w = world_new(3, 3, 7);
    struct node *n = world_node(w, 2);
    world_elect(w, 1);
    world_propose(w, 1, 5, 1);
    world_pass(w, 100);
    world_crash(w, 2, 0);
    n->disk.commit = n->disk.last - 1;
    world_start(w, 2);
    for (int i = 0; i < 200 && world_find(w, RKV_MSG_APPEND, 1, 2) == NULL;
         i++) {
        w->now += 1;
        for (uint64_t id = 1; id <= 3; id++)
            world_tick(w, id);
        for (uint64_t id = 2; id <= 3; id++) {
            world_deliver_kind(w, RKV_MSG_HEARTBEAT, 1, id);
            world_deliver_kind(w, RKV_MSG_HEARTBEAT_REPLY, id, 1);
        }
    }
    ck_assert_uint_eq(world_lose_kind(w, RKV_MSG_APPEND, 1, 2), 1);
    world_pass(w, 500);
    ck_assert_uint_eq(world_leader(w), 1);
    ck_assert_uint_eq(world_status(w, 2).commit, world_status(w, 1).commit);
    world_check(w);
    world_free(w);
}
END_TEST

Suite *suite_raft_restart(void)
{
    Suite *suite = suite_create("raft restart");
    TCase *tc = tcase_create("restart");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_commit_beyond_the_log_on_disk_is_cut_to_it);
    tcase_add_test(tc, a_commit_before_the_snapshot_is_the_snapshots);
    tcase_add_test(tc, a_snapshot_lowers_no_term_and_frees_no_vote);
    tcase_add_test(tc, a_failed_write_cuts_nothing_that_was_sent);
    tcase_add_loop_test(
        tc, a_joint_change_survives_a_crash_and_an_election_at_any_step, 0, 4);
    tcase_add_test(tc, a_message_says_which_log_it_was_made_from);
    tcase_add_test(tc, while_a_snapshot_is_installed_heartbeats_are_answered);
    tcase_add_test(tc, a_read_at_a_follower_waits_for_no_heartbeat);
    tcase_add_test(tc, an_answer_to_what_it_lost_is_nobodys_fault);
    tcase_add_test(tc, a_member_that_started_again_is_asked_until_it_answers);
    suite_add_tcase(suite, tc);
    return suite;
}
