/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/raft/check_flow.c - how much may come at once: pages of what is
 * committed, disks that fill up, and a snapshot for who has the log but not
 * the state.
 */
#include <check.h>

#include "raft/world.h"

Suite *suite_raft_flow(void);

static int input(struct world *w, uint64_t id, uint32_t kind, uint64_t token)
{
    return world_step(w, id,
                      (struct rkv_raft_in){.kind = kind, .token = token});
}

START_TEST(what_is_committed_comes_in_pages_of_bytes)
{
    struct rkv_raft_options options = {.committed_bytes_max = 250};
    struct world *w = world_new_with(1, 1, 7, &options);
    const struct rkv_raft_out *out;
    uint64_t next = 0;
    world_elect(w, 1);
    rkv_raft *raft = world_node(w, 1)->raft;
    world_propose(w, 1, 5, 100);
    world_propose(w, 1, 1, 1000);
    world_propose(w, 1, 1, 100);
    next = world_status(w, 1).commit + 1;
    w->manual_drain = true;
    while (world_persist(w, 1))
        ;
    static const uint32_t pages[] = {2, 2, 1, 1, 1};
    for (size_t i = 0; i < 5; i++) {
        rkv_raft_drain(raft, &out);
        ck_assert_uint_eq(out->committed_count, pages[i]);
        for (uint32_t k = 0; k < out->committed_count; k++)
            ck_assert_uint_eq(out->committed[k].index, next++);
        ck_assert_int_eq((out->flags & RKV_OUT_MORE) != 0, i < 4);
    }
    world_free(w);
}
END_TEST

START_TEST(a_full_disk_refuses_proposals_before_it_breaks)
{
    struct world *w = world_new(4, 3, 7);
    world_elect(w, 1);
    ck_assert_int_eq(input(w, 1, RKV_IN_CAPACITY, 250), RKV_OK);
    ck_assert_int_eq(world_propose(w, 1, 2, 100), RKV_OK);
    uint64_t last = world_status(w, 1).last;
    ck_assert_int_eq(world_propose(w, 1, 1, 51), RKV_ENOSPC);
    ck_assert_uint_eq(world_status(w, 1).last, last);
    ck_assert_int_eq(world_propose(w, 1, 1, 50), RKV_OK);
    ck_assert_int_eq(world_propose(w, 1, 1, 1), RKV_ENOSPC);
    /* It can still change leaders and members. */
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_ADD_LEARNER, 4), RKV_OK);
    world_pump(w);
    world_transfer(w, 1, 2);
    world_pump(w);
    ck_assert_uint_eq(world_leader(w), 2);
    world_elect(w, 1);
    ck_assert_int_eq(world_propose(w, 1, 1, 1), RKV_ENOSPC);
    ck_assert_int_eq(input(w, 1, RKV_IN_CAPACITY, 1000), RKV_OK);
    ck_assert_int_eq(world_propose(w, 1, 1, 1000), RKV_OK);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_follower_whose_disk_is_full_is_waited_for)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    input(w, 3, RKV_IN_CAPACITY, 250);
    uint64_t last = world_status(w, 3).last;
    world_propose(w, 1, 5, 100);
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 3).last, last + 2);
    ck_assert_uint_eq(world_peer(w, 1, 3).match, last + 2);
    ck_assert_uint_eq(world_status(w, 1).commit, last + 5);
    world_pass(w, 1000);
    ck_assert_uint_eq(world_status(w, 3).last, last + 2);
    input(w, 3, RKV_IN_CAPACITY, UINT64_MAX);
    world_pass(w, 300);
    ck_assert_uint_eq(world_status(w, 3).last, world_status(w, 1).last);
    ck_assert_uint_eq(world_peer(w, 1, 3).progress, RKV_PROGRESS_REPLICATE);
    world_check(w);
    world_free(w);
}
END_TEST

/* 3 has every entry, and 1 keeps them; but 3 lost what it made of them. */
static struct world *stateless(void)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    world_propose(w, 1, 5, 10);
    world_pass(w, 200);
    world_node(w, 1)->disk.snapshot = world_node(w, 1)->config;
    return w;
}

START_TEST(who_asks_for_a_snapshot_it_need_not_have_is_offered_one)
{
    struct world *w = stateless();
    uint64_t commit = world_status(w, 3).commit;
    ck_assert_int_eq(input(w, 3, RKV_IN_WANT_SNAPSHOT, 0), RKV_OK);
    ck_assert(world_deliver_kind(w, RKV_MSG_APPEND_REPLY, 3, 1));
    ck_assert(world_deliver_kind(w, RKV_MSG_SNAPSHOT, 1, 3));
    ck_assert(world_node(w, 3)->restore_wanted);
    ck_assert_uint_eq(world_node(w, 3)->restore_index, commit);
    ck_assert_int_eq(input(w, 3, RKV_IN_WANT_SNAPSHOT, 0), RKV_ESTATE);
    world_propose(w, 1, 3, 10);
    while (world_deliver(w, 0))
        ;
    ck_assert_uint_eq(world_status(w, 3).commit, commit);
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 3).first, commit + 1);
    world_pass(w, 300);
    ck_assert_uint_eq(world_status(w, 3).commit, world_status(w, 1).last);
    ck_assert_uint_eq(world_peer(w, 1, 3).progress, RKV_PROGRESS_REPLICATE);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_wish_for_a_snapshot_that_was_lost_is_repeated)
{
    struct world *w = stateless();
    input(w, 3, RKV_IN_WANT_SNAPSHOT, 0);
    world_lose_kind(w, 0, 0, 0);
    world_pass(w, 300);
    ck_assert_uint_gt(world_status(w, 3).first, 2);
    world_check(w);
    world_free(w);
}
END_TEST

/* What it has may not be what this leader's log comes from. */
START_TEST(a_snapshot_is_wished_for_only_with_entries_of_this_leader)
{
    struct world *w = world_new(3, 3, 7);
    ck_assert_int_eq(input(w, 3, RKV_IN_WANT_SNAPSHOT, 0), RKV_ENOLEADER);
    world_elect(w, 1);
    ck_assert_int_eq(input(w, 1, RKV_IN_WANT_SNAPSHOT, 0), RKV_ENOLEADER);
    struct rkv_raft_status s = world_status(w, 3);
    struct rkv_raft_msg m = {
        .kind = RKV_MSG_HEARTBEAT, .from = 2, .to = 3, .term = s.term + 1};
    world_receive(w, 3, &m);
    ck_assert_uint_eq(world_status(w, 3).leader, 2);
    ck_assert_int_eq(input(w, 3, RKV_IN_WANT_SNAPSHOT, 0), RKV_ESTATE);
    world_free(w);
}
END_TEST

START_TEST(a_wish_for_a_snapshot_ends_with_its_leader)
{
    struct world *w = stateless();
    input(w, 3, RKV_IN_WANT_SNAPSHOT, 0);
    world_lose_kind(w, 0, 0, 0);
    struct rkv_raft_msg m = {.kind = RKV_MSG_HEARTBEAT,
                             .from = 2,
                             .to = 3,
                             .term = world_status(w, 3).term + 1};
    world_receive(w, 3, &m);
    ck_assert_ptr_nonnull(world_find(w, RKV_MSG_HEARTBEAT_REPLY, 3, 2));
    ck_assert_ptr_null(world_find(w, RKV_MSG_APPEND_REPLY, 3, 2));
    world_check(w);
    world_free(w);
}
END_TEST

/* It acknowledged entries that go on where the snapshot ends: its leader may
 * have counted them. */
START_TEST(a_snapshot_that_agrees_with_the_log_costs_no_entry_behind_it)
{
    struct world *w = stateless();
    uint64_t commit = world_status(w, 3).commit;
    world_propose(w, 1, 3, 10);
    ck_assert(world_deliver_kind(w, RKV_MSG_APPEND, 1, 3));
    world_persist(w, 3);
    uint64_t last = world_status(w, 3).last;
    ck_assert_uint_eq(last, commit + 3);
    ck_assert_int_eq(input(w, 3, RKV_IN_WANT_SNAPSHOT, 0), RKV_OK);
    world_deliver_kind(w, RKV_MSG_APPEND_REPLY, 3, 1);
    world_deliver_kind(w, RKV_MSG_APPEND_REPLY, 3, 1);
    ck_assert(world_deliver_kind(w, RKV_MSG_SNAPSHOT, 1, 3));
    ck_assert(world_restore(w, 3));
    ck_assert_uint_eq(world_status(w, 3).first, commit + 1);
    ck_assert_uint_eq(world_status(w, 3).last, last);
    ck_assert_uint_eq(world_status(w, 3).durable, last);
    world_pump(w);
    world_check(w);
    world_free(w);
}
END_TEST

Suite *suite_raft_flow(void)
{
    Suite *suite = suite_create("raft flow");
    TCase *tc = tcase_create("flow");
    tcase_add_test(tc, what_is_committed_comes_in_pages_of_bytes);
    tcase_add_test(tc, a_full_disk_refuses_proposals_before_it_breaks);
    tcase_add_test(tc, a_follower_whose_disk_is_full_is_waited_for);
    tcase_add_test(tc, who_asks_for_a_snapshot_it_need_not_have_is_offered_one);
    tcase_add_test(tc, a_wish_for_a_snapshot_that_was_lost_is_repeated);
    tcase_add_test(tc,
                   a_snapshot_is_wished_for_only_with_entries_of_this_leader);
    tcase_add_test(tc, a_wish_for_a_snapshot_ends_with_its_leader);
    tcase_add_test(
        tc, a_snapshot_that_agrees_with_the_log_costs_no_entry_behind_it);
    suite_add_tcase(suite, tc);
    return suite;
}
