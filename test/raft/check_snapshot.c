/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/raft/check_snapshot.c - compaction, and members whom only a snapshot
 * can bring up.
 */
#include <check.h>

#include "raft/world.h"

Suite *suite_raft_snapshot(void);

/* 1 leads and compacted what 3, cut off, does not have. */
static struct world *left_behind_with(const struct rkv_raft_options *options)
{
    struct world *w = world_new_with(3, 3, 7, options);
    world_elect(w, 1);
    w->cut[3] = true;
    world_propose(w, 1, 10, 1);
    world_pump(w);
    world_compact(w, 1, 0);
    w->cut[3] = false;
    return w;
}

static struct world *left_behind(void)
{
    return left_behind_with(NULL);
}

START_TEST(who_is_left_behind_is_told_to_fetch_and_comes_up)
{
    struct world *w = left_behind();
    world_pass(w, 500);
    ck_assert_uint_eq(world_status(w, 3).last, world_status(w, 1).last);
    ck_assert_uint_eq(world_status(w, 3).commit, world_status(w, 1).commit);
    ck_assert_uint_eq(world_peer(w, 1, 3).progress, RKV_PROGRESS_REPLICATE);
    world_propose(w, 1, 2, 1);
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 3).last, world_status(w, 1).last);
    world_check(w);
    world_free(w);
}
END_TEST

/* Delivers everything but does not fetch. */
static void until_told(struct world *w)
{
    for (int i = 0; i < 50 && !world_node(w, 3)->restore_wanted; i++) {
        w->now += 50;
        world_tick(w, 1);
        while (world_deliver(w, 0))
            ;
        for (uint64_t id = 1; id <= 3; id++)
            while (world_persist(w, id))
                ;
    }
    ck_assert(world_node(w, 3)->restore_wanted);
}

START_TEST(a_snapshot_that_failed_is_offered_again)
{
    struct world *w = left_behind();
    until_told(w);
    struct node *n = world_node(w, 3);
    n->restore_wanted = false;
    struct rkv_raft_in in = {.kind = RKV_IN_RESTORE_FAILED};
    ck_assert_int_eq(world_step(w, 3, in), RKV_OK);
    ck_assert_int_eq(world_step(w, 3, in), RKV_ESTATE);
    world_pass(w, 500);
    ck_assert_uint_eq(world_status(w, 3).last, world_status(w, 1).last);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(an_offer_that_was_lost_is_repeated)
{
    struct world *w = left_behind();
    uint32_t lost = 0;
    for (int i = 0; i < 50 && lost == 0; i++) {
        w->now += 50;
        world_tick(w, 1);
        lost = world_lose_kind(w, RKV_MSG_SNAPSHOT, 1, 3);
        world_deliver(w, 0);
    }
    world_pass(w, 500);
    ck_assert_uint_eq(world_status(w, 3).last, world_status(w, 1).last);
    world_free(w);
}
END_TEST

START_TEST(while_it_fetches_a_member_neither_campaigns_nor_takes_entries)
{
    struct world *w = left_behind();
    until_told(w);
    uint64_t last = world_status(w, 3).last;
    ck_assert_int_eq(world_campaign(w, 3), RKV_ESTATE);
    struct rkv_raft_status s = world_status(w, 3);
    struct rkv_raft_entry e = {
        .index = last + 1, .term = s.term, .len = 1, .kind = RKV_ENTRY_COMMAND};
    struct rkv_raft_msg m = {.kind = RKV_MSG_APPEND,
                             .from = 1,
                             .to = 3,
                             .term = s.term,
                             .index = last,
                             .log_term = s.term,
                             .entries = &e,
                             .count = 1};
    ck_assert_int_eq(world_receive(w, 3, &m), RKV_OK);
    ck_assert_uint_eq(world_status(w, 3).last, last);
    world_pass(w, 500);
    ck_assert_uint_eq(world_status(w, 3).last, world_status(w, 1).last);
    world_check(w);
    world_free(w);
}
END_TEST

/* Our log holds another entry where the snapshot ends, so that nothing in it
 * can be committed behind; whoever says so contradicts our leader. */
START_TEST(while_it_fetches_a_member_learns_of_no_commit)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    w->cut[1] = true;
    world_propose(w, 1, 5, 1);
    world_persist(w, 1);
    uint64_t last = world_status(w, 1).last;
    uint64_t term = world_status(w, 1).term;
    w->cut[1] = false;
    struct rkv_raft_msg m = {.kind = RKV_MSG_SNAPSHOT,
                             .from = 2,
                             .to = 1,
                             .term = term + 1,
                             .index = last - 1,
                             .log_term = term + 1};
    ck_assert_int_eq(world_receive(w, 1, &m), RKV_OK);
    ck_assert(world_node(w, 1)->restore_wanted);
    m = (struct rkv_raft_msg){.kind = RKV_MSG_PREVOTE_REPLY,
                              .flags = RKV_MSG_REJECT,
                              .from = 3,
                              .to = 1,
                              .term = term,
                              .commit = last,
                              .hint_term = term};
    uint64_t commit = world_status(w, 1).commit;
    world_receive(w, 1, &m);
    ck_assert_uint_eq(world_status(w, 1).commit, commit);
    ck_assert_msg(w->failure[0] == 0, "%s", w->failure);
    world_free(w);
}
END_TEST

/* The host gave it a later snapshot by another way; any sign will do. */
START_TEST(a_later_snapshot_than_the_one_offered_will_do)
{
    struct world *w = left_behind();
    until_told(w);
    world_propose(w, 1, 5, 1);
    w->hold_disk[3] = true;
    world_node(w, 3)->restore_wanted = false;
    world_pump(w);
    /* Taken, but nothing of the log was dropped for it. */
    world_compact(w, 1, 100);
    ck_assert_uint_gt(world_node(w, 1)->disk.snapshot.index,
                      world_node(w, 3)->restore_index);
    world_node(w, 3)->restore_wanted = true;
    w->hold_disk[3] = false;
    ck_assert(world_restore(w, 3));
    world_pump(w);
    ck_assert_uint_eq(world_peer(w, 1, 3).progress, RKV_PROGRESS_REPLICATE);
    ck_assert_uint_eq(world_status(w, 3).last, world_status(w, 1).last);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(an_offer_of_what_is_committed_is_answered_not_fetched)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    world_propose(w, 1, 5, 1);
    world_pass(w, 100);
    struct rkv_raft_status s = world_status(w, 2);
    struct rkv_raft_msg m = {.kind = RKV_MSG_SNAPSHOT,
                             .from = 1,
                             .to = 2,
                             .term = s.term,
                             .index = s.commit - 1,
                             .log_term = s.term};
    world_receive(w, 2, &m);
    ck_assert(!world_node(w, 2)->restore_wanted);
    struct packet *p = world_find(w, RKV_MSG_APPEND_REPLY, 2, 1);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(p->msg.index, s.last);
    world_free(w);
}
END_TEST

START_TEST(an_offer_of_an_entry_we_have_costs_none_behind_it)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    world_propose(w, 1, 5, 1);
    /* 2 has them all durably and knows of no commit. */
    world_deliver_kind(w, RKV_MSG_APPEND, 1, 2);
    world_persist(w, 2);
    struct rkv_raft_status s = world_status(w, 2);
    ck_assert_uint_lt(s.commit, s.last - 2);
    struct rkv_raft_msg m = {.kind = RKV_MSG_SNAPSHOT,
                             .from = 1,
                             .to = 2,
                             .term = s.term,
                             .index = s.last - 2,
                             .log_term = s.term};
    world_receive(w, 2, &m);
    ck_assert(!world_node(w, 2)->restore_wanted);
    ck_assert_uint_eq(world_status(w, 2).last, s.last);
    ck_assert_uint_eq(world_status(w, 2).commit, s.last - 2);
    world_free(w);
}
END_TEST

START_TEST(a_log_that_differs_at_the_snapshot_is_dropped_whole)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 3);
    w->cut[3] = true;
    world_propose(w, 3, 30, 1);
    world_pump(w);
    uint64_t tail = world_status(w, 3).last;
    world_pass(w, 3000);
    world_elect(w, 1);
    world_propose(w, 1, 5, 1);
    world_pump(w);
    world_compact(w, 1, 0);
    ck_assert_uint_gt(tail, world_status(w, 1).last);
    w->cut[3] = false;
    world_pass(w, 3000);
    ck_assert_uint_eq(world_status(w, 3).last, world_status(w, 1).last);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(only_what_is_applied_and_durable_is_compacted)
{
    struct world *w = world_new(1, 1, 7);
    world_elect(w, 1);
    world_propose(w, 1, 5, 1);
    uint64_t last = world_status(w, 1).last;
    struct rkv_raft_in in = {.kind = RKV_IN_COMPACTED, .index = last};
    ck_assert_int_eq(world_step(w, 1, in), RKV_EINVAL);
    world_persist(w, 1);
    ck_assert_int_eq(world_step(w, 1, in), RKV_EINVAL);
    world_apply(w, 1);
    ck_assert_int_eq(world_step(w, 1, in), RKV_OK);
    ck_assert_uint_eq(world_status(w, 1).first, last + 1);
    in.index = last - 1;
    ck_assert_int_eq(world_step(w, 1, in), RKV_OK);
    ck_assert_uint_eq(world_status(w, 1).first, last + 1);
    uint64_t term;
    rkv_raft *raft = world_node(w, 1)->raft;
    ck_assert_int_eq(rkv_raft_term_at(raft, last, &term), RKV_OK);
    ck_assert_int_eq(rkv_raft_term_at(raft, last - 1, &term), RKV_ECOMPACTED);
    ck_assert_int_eq(rkv_raft_term_at(raft, last + 1, &term), RKV_EFUTURE);
    world_free(w);
}
END_TEST

/* Nobody says how it ended; and then it is not heard from any more. */
START_TEST(a_snapshot_that_takes_too_long_ends_in_a_probe)
{
    struct rkv_raft_options options = {.snapshot_ticks = 500};
    struct world *w = left_behind_with(&options);
    until_told(w);
    world_node(w, 3)->restore_wanted = false;
    ck_assert_uint_eq(world_peer(w, 1, 3).progress, RKV_PROGRESS_SNAPSHOT);
    w->cut[3] = true;
    world_pass(w, 2500);
    ck_assert_uint_eq(world_leader(w), 1);
    ck_assert_uint_eq(world_peer(w, 1, 3).progress, RKV_PROGRESS_PROBE);
    world_free(w);
}
END_TEST

START_TEST(a_dead_member_is_offered_no_snapshot)
{
    struct rkv_raft_options options = {.snapshot_ticks = 500};
    struct world *w = left_behind_with(&options);
    until_told(w);
    w->cut[3] = true;
    world_pass(w, 450);
    w->cut[3] = false;
    for (int i = 0; i < 20; i++) {
        w->now += 100;
        world_tick(w, 1);
        if (i > 12)
            ck_assert_uint_eq(world_count_kind(w, RKV_MSG_SNAPSHOT, 1, 3), 0);
        world_lose_kind(w, 0, 0, 3);
        world_pump(w);
    }
    ck_assert_uint_eq(world_leader(w), 1);
    world_free(w);
}
END_TEST

START_TEST(a_snapshot_that_failed_ends_in_a_probe)
{
    struct world *w = left_behind();
    until_told(w);
    world_node(w, 3)->restore_wanted = false;
    ck_assert_uint_eq(world_peer(w, 1, 3).progress, RKV_PROGRESS_SNAPSHOT);
    struct rkv_raft_in in = {.kind = RKV_IN_SNAPSHOT_FAILED, .peer = 3};
    ck_assert_int_eq(world_step(w, 1, in), RKV_OK);
    struct rkv_raft_peer peer = world_peer(w, 1, 3);
    ck_assert_uint_eq(peer.progress, RKV_PROGRESS_PROBE);
    ck_assert_uint_eq(peer.next, peer.match + 1);
    in.peer = 9;
    ck_assert_int_eq(world_step(w, 1, in), RKV_ENOTFOUND);
    world_free(w);
}
END_TEST

START_TEST(a_wrong_restore_is_refused)
{
    struct world *w = left_behind();
    struct rkv_raft_member members[2] = {{.id = 2, .role = RKV_VOTER},
                                         {.id = 1, .role = RKV_VOTER}};
    struct rkv_raft_in in = {.kind = RKV_IN_RESTORED,
                             .index = 100,
                             .term = 1,
                             .members = members,
                             .count = 2};
    ck_assert_int_eq(world_step(w, 3, in), RKV_ESTATE);
    until_told(w);
    ck_assert_int_eq(world_step(w, 3, in), RKV_EINVAL);
    members[0].id = 1;
    members[1].id = 2;
    in.index = world_node(w, 3)->restore_index - 1;
    ck_assert_int_eq(world_step(w, 3, in), RKV_EINVAL);
    in.index++;
    in.term = 99;
    ck_assert_int_eq(world_step(w, 3, in), RKV_EINVAL);
    in.count = 0;
    ck_assert_int_eq(world_step(w, 3, in), RKV_EINVAL);
    world_free(w);
}
END_TEST

/* Its write is under way when the snapshot takes the place of what it wrote,
 * and its end is reported afterwards. */
START_TEST(a_write_that_ends_after_a_restore_promises_nothing)
{
    static const struct rkv_raft_member members[] = {
        {.id = 1, .role = RKV_VOTER},
        {.id = 2, .role = RKV_VOTER},
        {.id = 3, .role = RKV_VOTER}};
    struct rkv_raft_options options = {.size = sizeof(options), .id = 1};
    struct rkv_raft_boot boot = {.size = sizeof(boot),
                                 .term = 1,
                                 .members = members,
                                 .members_count = 3};
    struct rkv_raft_entry entries[4];
    struct rkv_raft_status s = {.size = sizeof(s)};
    const struct rkv_raft_out *out;
    rkv_raft *raft = NULL;
    for (uint64_t i = 0; i < 4; i++)
        entries[i] = (struct rkv_raft_entry){
            .index = i + 1, .term = 1, .len = 1, .kind = RKV_ENTRY_COMMAND};
    struct rkv_raft_msg m = {.kind = RKV_MSG_APPEND,
                             .from = 2,
                             .to = 1,
                             .term = 1,
                             .entries = entries,
                             .count = 4};
    struct rkv_raft_in in = {.kind = RKV_IN_RECEIVE, .now = 1, .msg = &m};
    ck_assert_int_eq(rkv_raft_new(&options, &boot, &raft), RKV_OK);
    ck_assert_int_eq(rkv_raft_step(raft, &in), RKV_OK);
    rkv_raft_drain(raft, &out);
    struct rkv_raft_in written = {
        .kind = RKV_IN_PERSISTED, .now = 1, .token = out->token};
    /* Another leader's history ends elsewhere. */
    m = (struct rkv_raft_msg){.kind = RKV_MSG_SNAPSHOT,
                              .from = 3,
                              .to = 1,
                              .term = 2,
                              .index = 2,
                              .log_term = 2};
    ck_assert_int_eq(rkv_raft_step(raft, &in), RKV_OK);
    rkv_raft_drain(raft, &out);
    struct rkv_raft_in restored = {.kind = RKV_IN_RESTORED,
                                   .now = 1,
                                   .index = 2,
                                   .term = 2,
                                   .members = members,
                                   .count = 3};
    ck_assert_int_eq(rkv_raft_step(raft, &restored), RKV_OK);
    for (uint32_t i = 0; i < 2; i++)
        entries[2 + i].term = 2;
    m = (struct rkv_raft_msg){.kind = RKV_MSG_APPEND,
                              .from = 3,
                              .to = 1,
                              .term = 2,
                              .index = 2,
                              .log_term = 2,
                              .last_term = 2,
                              .entries = &entries[2],
                              .count = 2};
    ck_assert_int_eq(rkv_raft_step(raft, &in), RKV_OK);
    rkv_raft_drain(raft, &out);
    ck_assert_int_eq(rkv_raft_step(raft, &written), RKV_OK);
    rkv_raft_status(raft, &s);
    ck_assert_uint_eq(s.last, 4);
    ck_assert_uint_eq(s.durable, 2);
    written.token = out->token;
    ck_assert_int_eq(rkv_raft_step(raft, &written), RKV_OK);
    rkv_raft_status(raft, &s);
    ck_assert_uint_eq(s.durable, 4);
    rkv_raft_free(raft);
}
END_TEST

/* 3 was made a learner, or a voter, while it heard nothing. */
START_TEST(what_became_of_a_member_meanwhile_it_learns_from_a_snapshot)
{
    static const uint32_t ops[] = {RKV_CHANGE_ADD_LEARNER,
                                   RKV_CHANGE_ADD_VOTER};
    struct rkv_raft_options options = {.promote_lag_max = UINT32_MAX};
    struct world *w = left_behind_with(&options);
    for (uint32_t i = 0; i < 2; i++) {
        w->cut[3] = true;
        ck_assert_int_eq(world_change(w, 1, ops[i], 3), RKV_OK);
        world_propose(w, 1, 1, 1);
        world_pump(w);
        world_compact(w, 1, 0);
        w->cut[3] = false;
        world_pass(w, 500);
        const struct rkv_raft_member *members;
        ck_assert_uint_eq(rkv_raft_members(world_node(w, 3)->raft, &members),
                          3);
        ck_assert_uint_eq(members[2].role,
                          i == 0 ? (uint32_t)RKV_LEARNER : RKV_VOTER);
        ck_assert_int_eq(world_campaign(w, 3), i == 0 ? RKV_ESTATE : RKV_OK);
        world_pass(w, 3000);
        world_elect(w, 1);
    }
    world_check(w);
    world_free(w);
}
END_TEST

Suite *suite_raft_snapshot(void)
{
    Suite *suite = suite_create("raft snapshot");
    TCase *tc = tcase_create("snapshot");
    tcase_add_test(tc, who_is_left_behind_is_told_to_fetch_and_comes_up);
    tcase_add_test(tc, a_snapshot_that_failed_is_offered_again);
    tcase_add_test(tc, an_offer_that_was_lost_is_repeated);
    tcase_add_test(
        tc, while_it_fetches_a_member_neither_campaigns_nor_takes_entries);
    tcase_add_test(tc, while_it_fetches_a_member_learns_of_no_commit);
    tcase_add_test(tc, a_later_snapshot_than_the_one_offered_will_do);
    tcase_add_test(tc, an_offer_of_what_is_committed_is_answered_not_fetched);
    tcase_add_test(tc, an_offer_of_an_entry_we_have_costs_none_behind_it);
    tcase_add_test(tc, a_log_that_differs_at_the_snapshot_is_dropped_whole);
    tcase_add_test(tc, only_what_is_applied_and_durable_is_compacted);
    tcase_add_test(tc, a_dead_member_is_offered_no_snapshot);
    tcase_add_test(tc, a_snapshot_that_takes_too_long_ends_in_a_probe);
    tcase_add_test(tc, a_snapshot_that_failed_ends_in_a_probe);
    tcase_add_test(tc, a_wrong_restore_is_refused);
    tcase_add_test(tc, a_write_that_ends_after_a_restore_promises_nothing);
    tcase_add_test(tc,
                   what_became_of_a_member_meanwhile_it_learns_from_a_snapshot);
    suite_add_tcase(suite, tc);
    return suite;
}
