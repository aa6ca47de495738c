/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/raft/check_trace.c - the record of what happened: complete and in
 * order while it is pulled, with a gap that can be counted when it is not, and
 * without any influence on what happens.
 */
#include <raftkv/trace.h>
#include <check.h>
#include <string.h>

#include "raft/world.h"

Suite *suite_raft_trace(void);

static struct world *traced(uint32_t trace_max)
{
    struct rkv_raft_options options = {.trace_max = trace_max};
    return world_new_with(3, 3, 7, &options);
}

/* Pulls until one of these; false: there was none. */
static bool pull(struct world *w, uint64_t id, uint32_t event,
                 struct rkv_raft_trace *out)
{
    const struct rkv_raft_trace *record;
    while (rkv_raft_trace(world_node(w, id)->raft, &record) == 1)
        if (record->event == event) {
            *out = *record;
            return true;
        }
    return false;
}

START_TEST(a_life_is_told_in_order)
{
    struct world *w = traced(4096);
    struct rkv_raft_trace t;
    world_elect(w, 1);
    world_propose(w, 1, 2, 10);
    world_pump(w);
    ck_assert(pull(w, 1, RKV_TRACE_INIT, &t));
    ck_assert_uint_eq(t.number, 1);
    ck_assert_uint_eq(t.role, RKV_FOLLOWER);
    ck_assert(pull(w, 1, RKV_TRACE_BECOME_CANDIDATE, &t));
    ck_assert_uint_eq(t.role, RKV_PRECANDIDATE);
    ck_assert(pull(w, 1, RKV_TRACE_SEND, &t));
    ck_assert_uint_eq(t.msg_kind, RKV_MSG_PREVOTE);
    ck_assert(pull(w, 1, RKV_TRACE_RECEIVE, &t));
    ck_assert_uint_eq(t.msg_kind, RKV_MSG_PREVOTE_REPLY);
    ck_assert_uint_eq(t.term, 1);
    ck_assert(pull(w, 1, RKV_TRACE_BECOME_CANDIDATE, &t));
    ck_assert_uint_eq(t.role, RKV_CANDIDATE);
    ck_assert_uint_eq(t.term, 2);
    ck_assert_uint_eq(t.vote, 1);
    ck_assert(pull(w, 1, RKV_TRACE_READY, &t));
    ck_assert(pull(w, 1, RKV_TRACE_BECOME_LEADER, &t));
    ck_assert(pull(w, 1, RKV_TRACE_COMMIT, &t));
    ck_assert_uint_eq(t.commit, 2);
    ck_assert(pull(w, 1, RKV_TRACE_REPLICATE, &t));
    ck_assert_uint_eq(t.last, 4);
    ck_assert(pull(w, 1, RKV_TRACE_SEND, &t));
    ck_assert_uint_eq(t.msg_kind, RKV_MSG_APPEND);
    ck_assert_uint_eq(t.msg_entries, 2);
    ck_assert(pull(w, 1, RKV_TRACE_COMMIT, &t));
    ck_assert_uint_eq(t.commit, 4);
    ck_assert(pull(w, 2, RKV_TRACE_BECOME_FOLLOWER, &t));
    world_free(w);
}
END_TEST

START_TEST(changes_are_told)
{
    struct world *w = traced(4096);
    struct rkv_raft_trace t;
    world_elect(w, 1);
    world_change(w, 1, RKV_CHANGE_ADD_LEARNER, 4);
    world_pump(w);
    ck_assert(pull(w, 1, RKV_TRACE_CHANGE_CONF, &t));
    ck_assert(pull(w, 1, RKV_TRACE_APPLY_CONF, &t));
    ck_assert(pull(w, 3, RKV_TRACE_APPLY_CONF, &t));
    world_free(w);
}
END_TEST

START_TEST(what_is_not_pulled_makes_room_and_leaves_a_gap)
{
    struct world *w = traced(8);
    const struct rkv_raft_trace *t;
    world_elect(w, 1);
    rkv_raft *raft = world_node(w, 1)->raft;
    ck_assert_int_eq(rkv_raft_trace(raft, &t), 1);
    uint64_t first = t->number;
    ck_assert_uint_gt(first, 1);
    for (uint64_t i = 1; i < 8; i++) {
        ck_assert_int_eq(rkv_raft_trace(raft, &t), 1);
        ck_assert_uint_eq(t->number, first + i);
    }
    ck_assert_int_eq(rkv_raft_trace(raft, &t), 0);
    world_propose(w, 1, 1, 1);
    ck_assert_int_eq(rkv_raft_trace(raft, &t), 1);
    ck_assert_uint_eq(t->number, first + 8);
    world_free(w);
}
END_TEST

START_TEST(nothing_depends_on_being_traced)
{
    struct world *with = traced(16);
    struct world *without = traced(0);
    const struct rkv_raft_trace *t;
    for (int i = 0; i < 2; i++) {
        struct world *w = i == 0 ? with : without;
        world_elect(w, 1);
        world_propose(w, 1, 3, 10);
        world_pass(w, 2000);
    }
    for (uint64_t id = 1; id <= 3; id++)
        ck_assert_uint_eq(rkv_raft_digest(world_node(with, id)->raft),
                          rkv_raft_digest(world_node(without, id)->raft));
    ck_assert_int_eq(rkv_raft_trace(world_node(without, 1)->raft, &t), 0);
    world_free(with);
    world_free(without);
}
END_TEST

START_TEST(a_record_is_a_line_of_json)
{
    struct rkv_raft_trace t = {.number = 7,
                               .now = 40,
                               .id = 1,
                               .term = 3,
                               .vote = 2,
                               .commit = 9,
                               .last = 11,
                               .event = RKV_TRACE_BECOME_LEADER,
                               .role = RKV_LEADER};
    char line[768];
    int len = rkv_trace_json(&t, line, sizeof(line));
    ck_assert_str_eq(line,
                     "{\"number\":7,\"tick\":40,\"name\":\"BecomeLeader\","
                     "\"nid\":\"1\",\"state\":{\"term\":3,\"vote\":\"2\","
                     "\"commit\":9},\"role\":\"StateLeader\",\"log\":11}\n");
    ck_assert_int_eq(len, (int)strlen(line));
    ck_assert_int_eq(rkv_trace_json(&t, line, (size_t)len), RKV_ETOOBIG);
    ck_assert_int_eq(rkv_trace_json(&t, line, (size_t)len + 1), len);
    t.event = RKV_TRACE_RECEIVE;
    t.msg_kind = RKV_MSG_APPEND_REPLY;
    t.msg_flags = RKV_MSG_REJECT;
    t.msg_from = 2;
    t.msg_to = 1;
    t.msg_term = 3;
    t.msg_index = 5;
    t.msg_hint = 4;
    rkv_trace_json(&t, line, sizeof(line));
    ck_assert_ptr_nonnull(strstr(line, "ReceiveAppendEntriesResponse"));
    ck_assert_ptr_nonnull(strstr(line,
                                 "\"msg\":{\"type\":\"MsgAppResp\",\"term\":3,"
                                 "\"from\":\"2\",\"to\":\"1\",\"entries\":0,"
                                 "\"logTerm\":0,\"index\":5,\"commit\":0,"
                                 "\"reject\":true,\"rejectHint\":4}"));
    ck_assert_int_eq(rkv_trace_json(NULL, line, sizeof(line)), RKV_EINVAL);
}
END_TEST

/* The largest numbers there are. */
START_TEST(every_record_fits)
{
    struct rkv_raft_trace t;
    char line[768];
    memset(&t, 0xff, sizeof(t));
    for (uint32_t event = RKV_TRACE_INIT; event <= RKV_TRACE_RECEIVE; event++)
        for (uint32_t kind = 0; kind <= RKV_MSG_TRANSFER + 1; kind++)
            for (uint32_t role = 0; role <= RKV_LEADER + 1; role++) {
                t.event = event;
                t.msg_kind = kind;
                t.role = role;
                ck_assert_int_gt(rkv_trace_json(&t, line, sizeof(line)), 0);
            }
}
END_TEST

Suite *suite_raft_trace(void)
{
    Suite *suite = suite_create("raft trace");
    TCase *tc = tcase_create("trace");
    tcase_add_test(tc, a_life_is_told_in_order);
    tcase_add_test(tc, changes_are_told);
    tcase_add_test(tc, what_is_not_pulled_makes_room_and_leaves_a_gap);
    tcase_add_test(tc, nothing_depends_on_being_traced);
    tcase_add_test(tc, a_record_is_a_line_of_json);
    tcase_add_test(tc, every_record_fits);
    suite_add_tcase(suite, tc);
    return suite;
}
