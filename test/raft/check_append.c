/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/raft/check_append.c - the follower's log under good, late and
 * contrary messages, and how far it commits.
 */
#include <check.h>

#include "raft/world.h"

Suite *suite_raft_append(void);

enum { COUNT = 6 };

/* A follower with entries 1..6 of these terms, all durable. */
static rkv_raft *follower(const uint64_t terms[COUNT], uint64_t term,
                          uint64_t commit)
{
    static const struct rkv_raft_member members[] = {
        {.id = 1, .role = RKV_VOTER},
        {.id = 2, .role = RKV_VOTER},
        {.id = 3, .role = RKV_VOTER}};
    struct rkv_raft_options options = {
        .size = sizeof(options), .id = 1, .entries_max = 64};
    struct rkv_raft_boot boot = {.size = sizeof(boot),
                                 .term = term,
                                 .commit = commit,
                                 .members = members,
                                 .members_count = 3};
    rkv_raft *raft = NULL;
    const struct rkv_raft_out *out;
    ck_assert_int_eq(rkv_raft_new(&options, &boot, &raft), RKV_OK);
    for (uint64_t i = 0; i < COUNT; i++) {
        struct rkv_raft_entry e = {.index = i + 1,
                                   .term = terms[i],
                                   .len = 1,
                                   .kind = RKV_ENTRY_COMMAND};
        ck_assert_int_eq(rkv_raft_load(raft, &e, 1), RKV_OK);
    }
    rkv_raft_drain(raft, &out);
    return raft;
}

static struct rkv_raft_status status(const rkv_raft *raft)
{
    struct rkv_raft_status s = {.size = sizeof(s)};
    rkv_raft_status(raft, &s);
    return s;
}

static uint32_t refusals; /* of send() */

/* Sends prev and entries of one term, persists, and gives the answer. */
static struct rkv_raft_msg send(rkv_raft *raft, uint64_t term, uint64_t prev,
                                uint64_t prev_term, uint32_t count,
                                uint64_t entry_term, uint64_t commit)
{
    struct rkv_raft_entry entries[80];
    const struct rkv_raft_out *out;
    for (uint32_t i = 0; i < count; i++)
        entries[i] = (struct rkv_raft_entry){.index = prev + 1 + i,
                                             .term = entry_term,
                                             .len = 1,
                                             .kind = RKV_ENTRY_COMMAND};
    struct rkv_raft_msg m = {.kind = RKV_MSG_APPEND,
                             .from = 2,
                             .to = 1,
                             .term = term,
                             .index = prev,
                             .log_term = prev_term,
                             .commit = commit,
                             .entries = count > 0 ? entries : NULL,
                             .count = count};
    struct rkv_raft_in in = {.kind = RKV_IN_RECEIVE, .now = 1, .msg = &m};
    struct rkv_raft_msg answer = {0};
    refusals = 0;
    ck_assert_int_eq(rkv_raft_step(raft, &in), RKV_OK);
    for (int i = 0; i < 2; i++) {
        rkv_raft_drain(raft, &out);
        for (uint32_t k = 0; k < out->msgs_count; k++)
            if (out->msgs[k].kind == RKV_MSG_APPEND_REPLY) {
                answer = out->msgs[k];
                refusals += (answer.flags & RKV_MSG_REJECT) != 0;
            }
        if ((out->flags & RKV_OUT_PERSIST) != 0) {
            struct rkv_raft_in done = {
                .kind = RKV_IN_PERSISTED, .now = 1, .token = out->token};
            ck_assert_int_eq(rkv_raft_step(raft, &done), RKV_OK);
        }
    }
    return answer;
}

static const uint64_t ones[COUNT] = {1, 1, 1, 1, 1, 1};

START_TEST(it_acknowledges_what_the_message_covered_not_its_own_end)
{
    rkv_raft *raft = follower(ones, 2, 0);
    struct rkv_raft_msg m = send(raft, 2, 3, 1, 1, 1, 0);
    ck_assert_uint_eq(m.index, 4);
    ck_assert_uint_eq(m.flags, 0);
    ck_assert_uint_eq(status(raft).last, 6);
    rkv_raft_free(raft);
}
END_TEST

START_TEST(it_commits_no_further_than_the_message_covered)
{
    rkv_raft *raft = follower(ones, 2, 0);
    send(raft, 2, 3, 1, 1, 1, 6);
    ck_assert_uint_eq(status(raft).commit, 4);
    rkv_raft_free(raft);
}
END_TEST

START_TEST(a_heartbeat_commits_nothing_that_was_not_compared)
{
    rkv_raft *raft = follower(ones, 2, 0);
    struct rkv_raft_msg m = {
        .kind = RKV_MSG_HEARTBEAT, .from = 2, .to = 1, .term = 2, .commit = 5};
    struct rkv_raft_in in = {.kind = RKV_IN_RECEIVE, .now = 1, .msg = &m};
    ck_assert_int_eq(rkv_raft_step(raft, &in), RKV_OK);
    ck_assert_uint_eq(status(raft).commit, 0);
    send(raft, 2, 3, 1, 0, 0, 0);
    ck_assert_int_eq(rkv_raft_step(raft, &in), RKV_OK);
    ck_assert_uint_eq(status(raft).commit, 3);
    rkv_raft_free(raft);
}
END_TEST

START_TEST(an_old_message_cuts_nothing_that_agrees)
{
    rkv_raft *raft = follower(ones, 2, 0);
    struct rkv_raft_msg m = send(raft, 2, 0, 0, 2, 1, 0);
    ck_assert_uint_eq(m.index, 2);
    ck_assert_uint_eq(status(raft).last, 6);
    rkv_raft_free(raft);
}
END_TEST

START_TEST(a_conflict_cuts_the_log_where_it_begins)
{
    rkv_raft *raft = follower(ones, 2, 3);
    struct rkv_raft_msg m = send(raft, 2, 4, 1, 1, 2, 0);
    uint64_t term;
    ck_assert_uint_eq(m.index, 5);
    ck_assert_uint_eq(status(raft).last, 5);
    ck_assert_int_eq(rkv_raft_term_at(raft, 5, &term), RKV_OK);
    ck_assert_uint_eq(term, 2);
    rkv_raft_free(raft);
}
END_TEST

START_TEST(what_lies_before_the_commit_is_acknowledged_at_the_commit)
{
    rkv_raft *raft = follower(ones, 2, 4);
    struct rkv_raft_msg m = send(raft, 2, 1, 1, 1, 1, 0);
    ck_assert_uint_eq(m.flags, 0);
    ck_assert_uint_eq(m.index, 4);
    ck_assert_uint_eq(refusals, 0);
    rkv_raft_free(raft);
}
END_TEST

/* Long forgotten, and other entries lie where these were kept. */
START_TEST(what_was_compacted_is_acknowledged_and_not_compared)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    for (int i = 0; i < 12; i++) {
        world_propose(w, 1, 50, i < 5 ? 1 : 2);
        world_pass(w, 100);
        for (uint64_t id = 1; id <= 3; id++)
            world_compact(w, id, 0);
    }
    struct rkv_raft_status s = world_status(w, 2);
    ck_assert_uint_gt(s.first, 256 + 20);
    struct rkv_raft_entry e = {
        .index = 20, .term = s.term, .len = 1, .kind = RKV_ENTRY_COMMAND};
    struct rkv_raft_msg m = {.kind = RKV_MSG_APPEND,
                             .from = 1,
                             .to = 2,
                             .term = s.term,
                             .index = 19,
                             .log_term = s.term,
                             .last_term = s.term,
                             .entries = &e,
                             .count = 1};
    ck_assert_int_eq(world_receive(w, 2, &m), RKV_OK);
    struct packet *p = world_find(w, RKV_MSG_APPEND_REPLY, 2, 1);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(p->msg.flags, 0);
    ck_assert_uint_eq(p->msg.index, s.commit);
    ck_assert_uint_eq(world_status(w, 2).last, s.last);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(what_reaches_over_the_commit_is_taken_from_there)
{
    rkv_raft *raft = follower(ones, 2, 4);
    struct rkv_raft_entry entries[3] = {
        {.index = 4, .term = 1, .len = 1, .kind = RKV_ENTRY_COMMAND},
        {.index = 5, .term = 2, .len = 1, .kind = RKV_ENTRY_COMMAND},
        {.index = 6, .term = 2, .len = 1, .kind = RKV_ENTRY_COMMAND}};
    struct rkv_raft_msg m = {.kind = RKV_MSG_APPEND,
                             .from = 2,
                             .to = 1,
                             .term = 2,
                             .index = 3,
                             .log_term = 1,
                             .entries = entries,
                             .count = 3};
    struct rkv_raft_in in = {.kind = RKV_IN_RECEIVE, .now = 1, .msg = &m};
    uint64_t term;
    ck_assert_int_eq(rkv_raft_step(raft, &in), RKV_OK);
    ck_assert_int_eq(rkv_raft_term_at(raft, 5, &term), RKV_OK);
    ck_assert_uint_eq(term, 2);
    ck_assert_uint_eq(status(raft).last, 6);
    rkv_raft_free(raft);
}
END_TEST

START_TEST(another_entry_in_a_committed_place_is_refused_as_divergence)
{
    rkv_raft *raft = follower(ones, 2, 4);
    struct rkv_raft_entry e = {
        .index = 4, .term = 2, .len = 1, .kind = RKV_ENTRY_COMMAND};
    struct rkv_raft_msg m = {.kind = RKV_MSG_APPEND,
                             .from = 2,
                             .to = 1,
                             .term = 2,
                             .index = 3,
                             .log_term = 1,
                             .entries = &e,
                             .count = 1};
    struct rkv_raft_in in = {.kind = RKV_IN_RECEIVE, .now = 1, .msg = &m};
    uint64_t before = rkv_raft_digest(raft);
    ck_assert_int_eq(rkv_raft_step(raft, &in), RKV_EDIVERGED);
    ck_assert_uint_eq(rkv_raft_digest(raft), before);
    rkv_raft_free(raft);
}
END_TEST

/* What comes after it may well be new to us: it is the place before the list
 * that gives the sender away. */
START_TEST(a_list_after_another_committed_entry_is_refused_as_divergence)
{
    for (uint64_t at = 2; at <= 4; at += 2) {
        rkv_raft *raft = follower(ones, 3, 4);
        struct rkv_raft_msg m = {.kind = RKV_MSG_APPEND,
                                 .from = 2,
                                 .to = 1,
                                 .term = 3,
                                 .index = at,
                                 .log_term = 2,
                                 .last_term = 2};
        struct rkv_raft_in in = {.kind = RKV_IN_RECEIVE, .now = 1, .msg = &m};
        uint64_t before = rkv_raft_digest(raft);
        ck_assert_int_eq(rkv_raft_step(raft, &in), RKV_EDIVERGED);
        ck_assert_uint_eq(rkv_raft_digest(raft), before);
        rkv_raft_free(raft);
    }
}
END_TEST

START_TEST(one_place_and_term_with_two_shapes_is_refused_as_divergence)
{
    rkv_raft *raft = follower(ones, 2, 0);
    struct rkv_raft_entry e = {
        .index = 4, .term = 1, .len = 2, .kind = RKV_ENTRY_COMMAND};
    struct rkv_raft_msg m = {.kind = RKV_MSG_APPEND,
                             .from = 2,
                             .to = 1,
                             .term = 2,
                             .index = 3,
                             .log_term = 1,
                             .entries = &e,
                             .count = 1};
    struct rkv_raft_in in = {.kind = RKV_IN_RECEIVE, .now = 1, .msg = &m};
    ck_assert_int_eq(rkv_raft_step(raft, &in), RKV_EDIVERGED);
    rkv_raft_free(raft);
}
END_TEST

START_TEST(a_refusal_names_the_last_place_that_may_agree)
{
    static const uint64_t terms[COUNT] = {1, 1, 2, 2, 5, 5};
    rkv_raft *raft = follower(terms, 6, 0);
    /* Beyond our end. */
    struct rkv_raft_msg m = send(raft, 6, 9, 5, 0, 0, 0);
    ck_assert_uint_eq(m.flags, RKV_MSG_REJECT);
    ck_assert_uint_eq(m.index, 9);
    ck_assert_uint_eq(m.hint, 6);
    ck_assert_uint_eq(m.hint_term, 5);
    /* Terms above the leader's are skipped whole. */
    m = send(raft, 6, 6, 3, 0, 0, 0);
    ck_assert_uint_eq(m.hint, 4);
    ck_assert_uint_eq(m.hint_term, 2);
    m = send(raft, 6, 4, 1, 0, 0, 0);
    ck_assert_uint_eq(m.hint, 2);
    ck_assert_uint_eq(m.hint_term, 1);
    rkv_raft_free(raft);
}
END_TEST

START_TEST(without_room_it_takes_a_prefix_and_says_full)
{
    rkv_raft *raft = follower(ones, 2, 6);
    struct rkv_raft_msg m = send(raft, 2, 6, 1, 70, 2, 0);
    ck_assert_uint_eq(m.flags, RKV_MSG_FULL);
    ck_assert_uint_gt(m.index, 6);
    ck_assert_uint_le(m.index, 64);
    ck_assert_uint_eq(status(raft).last, m.index);
    rkv_raft_free(raft);
}
END_TEST

START_TEST(a_heartbeat_beyond_our_log_means_that_we_lost_something)
{
    rkv_raft *raft = follower(ones, 2, 0);
    struct rkv_raft_msg m = {
        .kind = RKV_MSG_HEARTBEAT, .from = 2, .to = 1, .term = 2, .commit = 7};
    struct rkv_raft_in in = {.kind = RKV_IN_RECEIVE, .now = 1, .msg = &m};
    uint64_t before = rkv_raft_digest(raft);
    ck_assert_int_eq(rkv_raft_step(raft, &in), RKV_EROLLBACK);
    ck_assert_uint_eq(rkv_raft_digest(raft), before);
    rkv_raft_free(raft);
}
END_TEST

START_TEST(what_one_leader_verified_is_not_acknowledged_to_the_next)
{
    rkv_raft *raft = follower(ones, 2, 0);
    const struct rkv_raft_out *out;
    ck_assert_uint_eq(send(raft, 2, 5, 1, 1, 1, 0).index, 6);
    struct rkv_raft_msg m = {
        .kind = RKV_MSG_HEARTBEAT, .from = 3, .to = 1, .term = 3, .commit = 6};
    struct rkv_raft_in in = {.kind = RKV_IN_RECEIVE, .now = 1, .msg = &m};
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(rkv_raft_step(raft, &in), RKV_OK);
        rkv_raft_drain(raft, &out);
        ck_assert_uint_eq(out->msgs_count, 1);
        ck_assert_uint_eq(out->msgs[0].index, 0);
        if (i == 0) {
            struct rkv_raft_in done = {
                .kind = RKV_IN_PERSISTED, .now = 1, .token = out->token};
            ck_assert_int_eq(rkv_raft_step(raft, &done), RKV_OK);
            rkv_raft_drain(raft, &out);
            ck_assert_uint_eq(out->msgs_count, 0);
        }
    }
    ck_assert_uint_eq(status(raft).commit, 0);
    rkv_raft_free(raft);
}
END_TEST

START_TEST(what_was_committed_before_a_restart_comes_out_first)
{
    static const struct rkv_raft_member members[] = {
        {.id = 1, .role = RKV_VOTER}, {.id = 2, .role = RKV_VOTER}};
    struct rkv_raft_options options = {.size = sizeof(options), .id = 1};
    struct rkv_raft_boot boot = {.size = sizeof(boot),
                                 .term = 1,
                                 .commit = 3,
                                 .members = members,
                                 .members_count = 2};
    struct rkv_raft_entry entries[5];
    rkv_raft *raft = NULL;
    const struct rkv_raft_out *out;
    for (uint64_t i = 0; i < 5; i++)
        entries[i] = (struct rkv_raft_entry){
            .index = i + 1, .term = 1, .len = 1, .kind = RKV_ENTRY_COMMAND};
    ck_assert_int_eq(rkv_raft_new(&options, &boot, &raft), RKV_OK);
    ck_assert_int_eq(rkv_raft_load(raft, entries, 5), RKV_OK);
    ck_assert_int_eq(rkv_raft_drain(raft, &out), 1);
    ck_assert_uint_eq(out->committed_count, 3);
    ck_assert_uint_eq(out->committed[0].index, 1);
    ck_assert_uint_eq(out->flags & RKV_OUT_PERSIST, 0);
    ck_assert_int_eq(rkv_raft_load(raft, entries, 0), RKV_ESTATE);
    rkv_raft_free(raft);
}
END_TEST

/* The entry our snapshot ends with is known by its term, and that is enough
 * to go on after it. */
START_TEST(what_follows_our_snapshot_is_taken)
{
    static const struct rkv_raft_member members[] = {
        {.id = 1, .role = RKV_VOTER}, {.id = 2, .role = RKV_VOTER}};
    struct rkv_raft_options options = {.size = sizeof(options), .id = 1};
    struct rkv_raft_boot boot = {.size = sizeof(boot),
                                 .term = 3,
                                 .snapshot_index = 5,
                                 .snapshot_term = 2,
                                 .members = members,
                                 .members_count = 2};
    rkv_raft *raft = NULL;
    ck_assert_int_eq(rkv_raft_new(&options, &boot, &raft), RKV_OK);
    for (int i = 0; i < 2; i++) {
        /* The second time our log holds more than that. */
        struct rkv_raft_msg m = send(raft, 3, 5, 2, 2, 3, 0);
        ck_assert_uint_eq(refusals, 0);
        ck_assert_uint_eq(m.index, 7);
    }
    ck_assert_uint_eq(status(raft).last, 7);
    rkv_raft_free(raft);
}
END_TEST

Suite *suite_raft_append(void)
{
    Suite *suite = suite_create("raft append");
    TCase *tc = tcase_create("append");
    tcase_add_test(tc,
                   it_acknowledges_what_the_message_covered_not_its_own_end);
    tcase_add_test(tc, it_commits_no_further_than_the_message_covered);
    tcase_add_test(tc, a_heartbeat_commits_nothing_that_was_not_compared);
    tcase_add_test(tc, an_old_message_cuts_nothing_that_agrees);
    tcase_add_test(tc, a_conflict_cuts_the_log_where_it_begins);
    tcase_add_test(tc,
                   what_lies_before_the_commit_is_acknowledged_at_the_commit);
    tcase_add_test(tc, what_was_compacted_is_acknowledged_and_not_compared);
    tcase_add_test(tc, what_reaches_over_the_commit_is_taken_from_there);
    tcase_add_test(tc,
                   another_entry_in_a_committed_place_is_refused_as_divergence);
    tcase_add_test(
        tc, a_list_after_another_committed_entry_is_refused_as_divergence);
    tcase_add_test(tc,
                   one_place_and_term_with_two_shapes_is_refused_as_divergence);
    tcase_add_test(tc, a_refusal_names_the_last_place_that_may_agree);
    tcase_add_test(tc, without_room_it_takes_a_prefix_and_says_full);
    tcase_add_test(tc, a_heartbeat_beyond_our_log_means_that_we_lost_something);
    tcase_add_test(tc,
                   what_one_leader_verified_is_not_acknowledged_to_the_next);
    tcase_add_test(tc, what_was_committed_before_a_restart_comes_out_first);
    tcase_add_test(tc, what_follows_our_snapshot_is_taken);
    suite_add_tcase(suite, tc);
    return suite;
}
