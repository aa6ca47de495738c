/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/raft/check_replicate.c - the leader's flow: windows, probes, loss, and
 * what it takes and what it refuses.
 */
#include <check.h>

#include "raft/world.h"

Suite *suite_raft_replicate(void);

static struct world *led(const struct rkv_raft_options *options)
{
    struct world *w = world_new_with(3, 3, 7, options);
    world_elect(w, 1);
    return w;
}

START_TEST(a_hundred_proposals_make_one_message_for_each_member)
{
    struct world *w = led(NULL);
    w->manual_drain = true;
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(world_propose(w, 1, 1, 10), RKV_OK);
    world_drain(w, 1);
    ck_assert_uint_eq(world_count_kind(w, RKV_MSG_APPEND, 1, 0), 2);
    ck_assert_uint_eq(world_find(w, RKV_MSG_APPEND, 1, 2)->msg.count, 100);
    w->manual_drain = false;
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 3).commit, world_status(w, 1).last);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(an_entry_costs_two_messages_a_member_and_one_answer)
{
    struct world *w = led(NULL);
    world_propose(w, 1, 1, 10);
    uint32_t messages = 0;
    for (;;) {
        if (world_deliver(w, 0))
            messages++;
        else if (!world_persist(w, 2) && !world_persist(w, 3) &&
                 !world_persist(w, 1))
            break;
    }
    ck_assert_uint_eq(world_status(w, 3).commit, world_status(w, 1).last);
    ck_assert_uint_eq(messages, 6);
    world_free(w);
}
END_TEST

START_TEST(the_window_is_bounded_in_count)
{
    struct rkv_raft_options options = {.inflight_max = 4};
    struct world *w = led(&options);
    for (int i = 0; i < 10; i++)
        world_propose(w, 1, 1, 10);
    ck_assert_uint_eq(world_count_kind(w, RKV_MSG_APPEND, 1, 2), 4);
    ck_assert_uint_eq(world_peer(w, 1, 2).inflight, 4);
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 2).last, world_status(w, 1).last);
    ck_assert_uint_eq(world_peer(w, 1, 2).inflight, 0);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(the_window_is_bounded_in_bytes_and_stays_so_after_loss)
{
    struct rkv_raft_options options = {.inflight_bytes_max = 100};
    struct world *w = led(&options);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 10; i++)
            world_propose(w, 1, 1, 40);
        ck_assert_uint_eq(world_count_kind(w, RKV_MSG_APPEND, 1, 2), 3);
        world_lose_kind(w, RKV_MSG_APPEND, 1, 2);
        world_pass(w, 300);
        ck_assert_uint_eq(world_status(w, 2).last, world_status(w, 1).last);
    }
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_large_entry_still_fits_alone_into_a_message)
{
    struct rkv_raft_options options = {.append_bytes_max = 100,
                                       .inflight_bytes_max = 50};
    struct world *w = led(&options);
    world_propose(w, 1, 2, 5000);
    struct packet *p = world_find(w, RKV_MSG_APPEND, 1, 2);
    ck_assert_uint_eq(p->msg.count, 1);
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 2).last, world_status(w, 1).last);
    world_free(w);
}
END_TEST

START_TEST(messages_are_bounded_in_entries_and_bytes)
{
    struct rkv_raft_options options = {.append_entries_max = 4,
                                       .append_bytes_max = 100};
    struct world *w = led(&options);
    world_propose(w, 1, 8, 1);
    ck_assert_uint_eq(world_find(w, RKV_MSG_APPEND, 1, 2)->msg.count, 4);
    ck_assert_uint_eq(world_count_kind(w, RKV_MSG_APPEND, 1, 2), 2);
    world_pump(w);
    world_propose(w, 1, 4, 40);
    ck_assert_uint_eq(world_find(w, RKV_MSG_APPEND, 1, 2)->msg.count, 2);
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 2).last, world_status(w, 1).last);
    world_free(w);
}
END_TEST

START_TEST(a_full_window_that_was_lost_opens_at_a_heartbeat)
{
    struct rkv_raft_options options = {.inflight_max = 2};
    struct world *w = led(&options);
    /* Nothing commits, so no news wakes the stream either. */
    w->cut[3] = true;
    for (int i = 0; i < 5; i++)
        world_propose(w, 1, 1, 10);
    world_lose_kind(w, RKV_MSG_APPEND, 1, 2);
    world_pump(w);
    ck_assert_uint_lt(world_status(w, 2).last, world_status(w, 1).last);
    world_pass(w, 200);
    ck_assert_uint_eq(world_status(w, 2).last, world_status(w, 1).last);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_lost_answer_is_made_good_by_a_heartbeat)
{
    struct world *w = led(NULL);
    world_propose(w, 1, 1, 10);
    world_deliver_kind(w, RKV_MSG_APPEND, 1, 2);
    world_persist(w, 2);
    ck_assert_uint_eq(world_lose_kind(w, RKV_MSG_APPEND_REPLY, 2, 1), 1);
    world_lose_kind(w, RKV_MSG_APPEND, 1, 3);
    world_pass(w, 100);
    ck_assert_uint_eq(world_peer(w, 1, 2).match, world_status(w, 1).last);
    world_free(w);
}
END_TEST

START_TEST(a_member_reported_unreachable_is_probed_and_streams_again)
{
    struct world *w = led(NULL);
    world_propose(w, 1, 3, 10);
    world_lose_kind(w, RKV_MSG_APPEND, 1, 2);
    struct rkv_raft_in in = {.kind = RKV_IN_UNREACHABLE, .peer = 2};
    ck_assert_int_eq(world_step(w, 1, in), RKV_OK);
    ck_assert_uint_eq(world_peer(w, 1, 2).progress, RKV_PROGRESS_PROBE);
    ck_assert_uint_eq(world_count_kind(w, RKV_MSG_APPEND, 1, 2), 1);
    /* Said again and again it sends nothing more by itself. */
    ck_assert_int_eq(world_step(w, 1, in), RKV_OK);
    ck_assert_int_eq(world_step(w, 1, in), RKV_OK);
    ck_assert_uint_eq(world_count_kind(w, RKV_MSG_APPEND, 1, 2), 1);
    world_pump(w);
    ck_assert_uint_eq(world_peer(w, 1, 2).progress, RKV_PROGRESS_REPLICATE);
    in.peer = 9;
    ck_assert_int_eq(world_step(w, 1, in), RKV_ENOTFOUND);
    world_free(w);
}
END_TEST

START_TEST(a_probed_member_that_lacks_nothing_streams_after_a_heartbeat)
{
    struct world *w = led(NULL);
    struct rkv_raft_in in = {.kind = RKV_IN_UNREACHABLE, .peer = 2};
    world_step(w, 1, in);
    ck_assert_uint_eq(world_peer(w, 1, 2).progress, RKV_PROGRESS_PROBE);
    world_pass(w, 200);
    ck_assert_uint_eq(world_peer(w, 1, 2).progress, RKV_PROGRESS_REPLICATE);
    world_free(w);
}
END_TEST

START_TEST(late_and_repeated_answers_lower_nothing)
{
    struct world *w = led(NULL);
    world_propose(w, 1, 3, 10);
    world_pump(w);
    struct rkv_raft_peer before = world_peer(w, 1, 2);
    struct rkv_raft_msg m = {.kind = RKV_MSG_APPEND_REPLY,
                             .from = 2,
                             .to = 1,
                             .term = world_status(w, 1).term,
                             .index = before.match - 2,
                             .boot = 1};
    world_receive(w, 1, &m);
    m.flags = RKV_MSG_REJECT;
    world_receive(w, 1, &m);
    struct rkv_raft_peer after = world_peer(w, 1, 2);
    ck_assert_uint_eq(after.match, before.match);
    ck_assert_uint_eq(after.next, before.next);
    ck_assert_uint_eq(after.progress, RKV_PROGRESS_REPLICATE);
    world_free(w);
}
END_TEST

/* It said full at one place, and then that it holds more after all. */
START_TEST(an_answer_from_beyond_what_comes_next_moves_that_too)
{
    struct world *w = led(NULL);
    world_propose(w, 1, 3, 10);
    struct rkv_raft_peer peer = world_peer(w, 1, 2);
    struct rkv_raft_msg m = {.kind = RKV_MSG_APPEND_REPLY,
                             .flags = RKV_MSG_FULL,
                             .from = 2,
                             .to = 1,
                             .term = world_status(w, 1).term,
                             .index = peer.match,
                             .boot = 1};
    world_receive(w, 1, &m);
    ck_assert_uint_eq(world_peer(w, 1, 2).next, peer.match + 1);
    m.flags = 0;
    m.index = peer.match + 2;
    world_receive(w, 1, &m);
    ck_assert_uint_eq(world_peer(w, 1, 2).match, peer.match + 2);
    ck_assert_uint_eq(world_peer(w, 1, 2).next, peer.match + 3);
    ck_assert_msg(w->failure[0] == 0, "%s", w->failure);
    world_free(w);
}
END_TEST

START_TEST(several_refusals_of_one_cause_step_back_once)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    for (int i = 0; i < 6; i++)
        world_propose(w, 1, 1, 10);
    /* The first is lost, the others are refused one by one. */
    struct packet *p = world_find(w, RKV_MSG_APPEND, 1, 2);
    world_lose(w, (uint32_t)(p - w->packets));
    while (world_deliver_kind(w, RKV_MSG_APPEND, 1, 2))
        ;
    uint32_t refusals = world_count_kind(w, RKV_MSG_APPEND_REPLY, 2, 1);
    ck_assert_uint_ge(refusals, 5);
    while (world_deliver_kind(w, RKV_MSG_APPEND_REPLY, 2, 1))
        ;
    ck_assert_uint_eq(world_peer(w, 1, 2).next, world_peer(w, 1, 2).match + 1);
    ck_assert_uint_eq(world_count_kind(w, RKV_MSG_APPEND, 1, 2), 1);
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 2).last, world_status(w, 1).last);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_hint_from_nowhere_is_put_in_bounds)
{
    struct world *w = led(NULL);
    world_propose(w, 1, 5, 10);
    world_lose_kind(w, RKV_MSG_APPEND, 1, 0);
    struct rkv_raft_in in = {.kind = RKV_IN_UNREACHABLE, .peer = 2};
    world_step(w, 1, in);
    struct rkv_raft_peer peer = world_peer(w, 1, 2);
    struct rkv_raft_msg m = {.kind = RKV_MSG_APPEND_REPLY,
                             .flags = RKV_MSG_REJECT,
                             .from = 2,
                             .to = 1,
                             .term = world_status(w, 1).term,
                             .index = peer.next - 1,
                             .hint = 1u << 30,
                             .boot = 1};
    world_receive(w, 1, &m);
    ck_assert_uint_eq(world_peer(w, 1, 2).next, peer.match + 1);
    m.hint_term = 1u << 30;
    world_receive(w, 1, &m);
    world_pass(w, 300);
    ck_assert_uint_eq(world_status(w, 2).last, world_status(w, 1).last);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(different_logs_meet_within_few_probes)
{
    struct rkv_raft_options options = {.flags = RKV_RAFT_NO_CHECK_QUORUM};
    struct world *w = world_new_with(3, 3, 7, &options);
    world_elect(w, 3);
    w->cut[3] = true;
    world_propose(w, 3, 50, 1);
    world_pump(w);
    world_pass(w, 5000);
    world_lose_kind(w, 0, 0, 0);
    uint64_t leader = world_leader(w);
    ck_assert_uint_ne(leader, 3);
    world_propose(w, leader, 50, 1);
    world_pump(w);
    w->cut[3] = false;
    uint32_t refused = 0;
    for (int i = 0; i < 20; i++) {
        w->now += 50;
        world_tick(w, leader);
        for (;;) {
            refused += w->packets_count > 0 &&
                       w->packets[0].msg.kind == RKV_MSG_APPEND_REPLY &&
                       (w->packets[0].msg.flags & RKV_MSG_REJECT) != 0;
            if (!world_deliver(w, 0))
                break;
        }
        for (uint64_t id = 1; id <= 3; id++)
            while (world_persist(w, id))
                ;
    }
    ck_assert_uint_eq(world_status(w, 3).last, world_status(w, leader).last);
    ck_assert_uint_le(refused, 4);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_member_without_room_is_waited_for)
{
    struct rkv_raft_options options = {.entries_max = 64};
    struct world *w = led(&options);
    w->hold_apply[2] = true;
    /* 2 keeps its log while the others forget theirs. */
    for (int i = 0; i < 30; i++) {
        world_propose(w, 1, 3, 1);
        world_pump(w);
        world_compact(w, 1, 2);
        world_compact(w, 3, 2);
    }
    ck_assert_uint_lt(world_status(w, 2).last, world_status(w, 1).last);
    uint32_t before = world_count_kind(w, 0, 1, 2);
    world_pass(w, 50);
    ck_assert_uint_le(world_count_kind(w, 0, 1, 2), before + 1);
    w->hold_apply[2] = false;
    for (int i = 0; i < 10; i++) {
        world_pass(w, 200);
        world_compact(w, 2, 2);
    }
    ck_assert_uint_eq(world_status(w, 2).last, world_status(w, 1).last);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(proposals_beyond_the_uncommitted_bytes_are_refused)
{
    struct rkv_raft_options options = {.uncommitted_bytes_max = 100};
    struct world *w = led(&options);
    ck_assert_int_eq(world_propose(w, 1, 1, 500), RKV_OK);
    ck_assert_int_eq(world_propose(w, 1, 1, 1), RKV_EBUSY);
    ck_assert_int_eq(world_propose(w, 1, 1, 0), RKV_OK);
    ck_assert_uint_eq(world_status(w, 1).uncommitted_bytes, 500);
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 1).uncommitted_bytes, 0);
    ck_assert_int_eq(world_propose(w, 1, 1, 1), RKV_OK);
    world_free(w);
}
END_TEST

/* They are lost, or committed by another leader: either way not ours. */
START_TEST(uncommitted_bytes_are_not_counted_in_the_next_term)
{
    struct rkv_raft_options options = {.uncommitted_bytes_max = 100};
    struct world *w = led(&options);
    w->cut[1] = true;
    ck_assert_int_eq(world_propose(w, 1, 1, 500), RKV_OK);
    world_pass(w, 6000);
    ck_assert_uint_ne(world_leader(w), 1);
    w->cut[1] = false;
    world_pass(w, 1000);
    world_elect(w, 1);
    ck_assert_uint_eq(world_status(w, 1).uncommitted_bytes, 0);
    ck_assert_int_eq(world_propose(w, 1, 1, 100), RKV_OK);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_full_log_refuses_proposals_but_still_changes_hands)
{
    struct rkv_raft_options options = {.entries_max = 64};
    struct world *w = led(&options);
    w->hold_apply[1] = w->hold_apply[2] = w->hold_apply[3] = true;
    int rc = RKV_OK;
    for (int i = 0; i < 100 && rc == RKV_OK; i++) {
        rc = world_propose(w, 1, 1, 1);
        world_pump(w);
    }
    ck_assert_int_eq(rc, RKV_EBUSY);
    ck_assert_int_eq(world_change(w, 1, RKV_CHANGE_UPDATE, 2), RKV_OK);
    world_pump(w);
    w->hold_apply[1] = w->hold_apply[2] = w->hold_apply[3] = false;
    world_pump(w);
    world_elect(w, 2);
    ck_assert_uint_eq(world_status(w, 2).commit, world_status(w, 2).last);
    ck_assert_int_eq(world_propose(w, 2, 1, 1), RKV_EBUSY);
    /* It starts again with all that, too. */
    world_pump(w);
    world_crash(w, 2, 0);
    world_start(w, 2);
    world_elect(w, 2);
    ck_assert_int_eq(world_propose(w, 2, 1, 1), RKV_EBUSY);
    world_compact(w, 2, 0);
    ck_assert_int_eq(world_propose(w, 2, 1, 1), RKV_OK);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(only_commands_are_proposed_and_only_to_the_leader)
{
    struct world *w = world_new(3, 3, 7);
    ck_assert_int_eq(world_propose(w, 2, 1, 1), RKV_ENOLEADER);
    world_elect(w, 1);
    ck_assert_int_eq(world_propose(w, 2, 1, 1), RKV_ENOTLEADER);
    ck_assert_int_eq(world_propose(w, 1, 0, 1), RKV_EINVAL);
    struct rkv_raft_entry e = {.kind = RKV_ENTRY_NOOP};
    struct rkv_raft_in in = {.kind = RKV_IN_PROPOSE, .entries = &e, .count = 1};
    ck_assert_int_eq(world_step(w, 1, in), RKV_EINVAL);
    in.entries = NULL;
    ck_assert_int_eq(world_step(w, 1, in), RKV_EINVAL);
    world_check(w);
    world_free(w);
}
END_TEST

/* Its window is full and what was in it is lost; meanwhile the leader forgets
 * the very place it would go on from. */
START_TEST(a_throttled_member_whose_place_was_forgotten_is_offered_a_snapshot)
{
    struct rkv_raft_options options = {.inflight_max = 2};
    struct world *w = led(&options);
    w->cut[3] = true;
    for (int i = 0; i < 10; i++) {
        world_propose(w, 1, 1, 1);
        world_pump(w);
    }
    ck_assert_uint_eq(world_peer(w, 1, 3).progress, RKV_PROGRESS_REPLICATE);
    ck_assert_uint_eq(world_peer(w, 1, 3).inflight, 2);
    world_compact(w, 1, 0);
    ck_assert_uint_lt(world_peer(w, 1, 3).next, world_status(w, 1).first);
    w->cut[3] = false;
    w->now += 100;
    world_tick(w, 1);
    ck_assert(world_deliver_kind(w, RKV_MSG_HEARTBEAT, 1, 3));
    ck_assert(world_deliver_kind(w, RKV_MSG_HEARTBEAT_REPLY, 3, 1));
    ck_assert_ptr_null(world_find(w, RKV_MSG_APPEND, 1, 3));
    ck_assert_ptr_nonnull(world_find(w, RKV_MSG_SNAPSHOT, 1, 3));
    world_pass(w, 300);
    ck_assert_uint_eq(world_status(w, 3).last, world_status(w, 1).last);
    world_check(w);
    world_free(w);
}
END_TEST

/* It lacks what the leader's log ends with; the heartbeat asks nothing about
 * that, so nothing is refused and nothing begins anew. */
START_TEST(a_heartbeat_makes_a_member_that_lacks_entries_refuse_nothing)
{
    struct world *w = led(NULL);
    w->cut[3] = true;
    world_propose(w, 1, 3, 1);
    world_pump(w);
    w->cut[3] = false;
    ck_assert_uint_gt(world_status(w, 1).commit, world_status(w, 3).last);
    w->now += 100;
    world_tick(w, 1);
    struct packet *p = world_find(w, RKV_MSG_HEARTBEAT, 1, 3);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(p->msg.commit, world_peer(w, 1, 3).match);
    ck_assert(world_deliver_kind(w, RKV_MSG_HEARTBEAT, 1, 3));
    ck_assert_uint_eq(world_count_kind(w, 0, 3, 1), 1);
    p = world_find(w, RKV_MSG_HEARTBEAT_REPLY, 3, 1);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(p->msg.flags & RKV_MSG_REJECT, 0);
    ck_assert_uint_eq(world_peer(w, 1, 3).progress, RKV_PROGRESS_REPLICATE);
    world_check(w);
    world_free(w);
}
END_TEST

/* Nothing of it is left to compare with, nor to send. */
START_TEST(a_log_forgotten_whole_is_made_good_by_a_snapshot)
{
    struct world *w = led(NULL);
    w->cut[3] = true;
    world_propose(w, 1, 5, 1);
    world_pump(w);
    world_compact(w, 1, 0);
    struct rkv_raft_status s = world_status(w, 1);
    ck_assert_uint_eq(s.first, s.last + 1);
    w->cut[3] = false;
    w->now += 100;
    world_tick(w, 1);
    while (world_find(w, RKV_MSG_SNAPSHOT, 1, 3) == NULL)
        ck_assert(world_deliver(w, 0));
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 3).commit, s.last);
    world_check(w);
    world_free(w);
}
END_TEST

Suite *suite_raft_replicate(void)
{
    Suite *suite = suite_create("raft replicate");
    TCase *tc = tcase_create("replicate");
    tcase_add_test(tc, a_hundred_proposals_make_one_message_for_each_member);
    tcase_add_test(tc, an_entry_costs_two_messages_a_member_and_one_answer);
    tcase_add_test(tc, the_window_is_bounded_in_count);
    tcase_add_test(tc, the_window_is_bounded_in_bytes_and_stays_so_after_loss);
    tcase_add_test(tc, a_large_entry_still_fits_alone_into_a_message);
    tcase_add_test(tc, messages_are_bounded_in_entries_and_bytes);
    tcase_add_test(tc, a_full_window_that_was_lost_opens_at_a_heartbeat);
    tcase_add_test(tc, a_lost_answer_is_made_good_by_a_heartbeat);
    tcase_add_test(tc,
                   a_member_reported_unreachable_is_probed_and_streams_again);
    tcase_add_test(
        tc, a_probed_member_that_lacks_nothing_streams_after_a_heartbeat);
    tcase_add_test(tc, late_and_repeated_answers_lower_nothing);
    tcase_add_test(tc, an_answer_from_beyond_what_comes_next_moves_that_too);
    tcase_add_test(tc, several_refusals_of_one_cause_step_back_once);
    tcase_add_test(tc, a_hint_from_nowhere_is_put_in_bounds);
    tcase_add_test(tc, different_logs_meet_within_few_probes);
    tcase_add_test(tc, a_member_without_room_is_waited_for);
    tcase_add_test(tc, proposals_beyond_the_uncommitted_bytes_are_refused);
    tcase_add_test(tc, uncommitted_bytes_are_not_counted_in_the_next_term);
    tcase_add_test(tc, a_full_log_refuses_proposals_but_still_changes_hands);
    tcase_add_test(tc, only_commands_are_proposed_and_only_to_the_leader);
    tcase_add_test(
        tc, a_throttled_member_whose_place_was_forgotten_is_offered_a_snapshot);
    tcase_add_test(
        tc, a_heartbeat_makes_a_member_that_lacks_entries_refuse_nothing);
    tcase_add_test(tc, a_log_forgotten_whole_is_made_good_by_a_snapshot);
    suite_add_tcase(suite, tc);
    return suite;
}
