/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/raft/check_extremes.c - every field of every message and input at the
 * ends of its range, in every state a member can be in: refused without a
 * trace, or answered; never an assertion, and what must hold still holds.
 */
#include <check.h>
#include <string.h>

#include "raft/world.h"

Suite *suite_raft_extremes(void);

const char *rkv_core_check(const struct rkv_raft *r);

enum state {
    ASLEEP_FOLLOWER,
    ASLEEP_LEADER,
    FOLLOWS,
    FORGOT,
    PREVOTES,
    CAMPAIGNS,
    LEADS,
    LEADS_JOINT,
    LEADS_BY_LEASE,
    HANDS_OVER,
    RECOVERS,
    FETCHES,
    KNOWS_NOBODY,
    STATES
};

static const uint64_t ends[] = {0,
                                1,
                                2,
                                3,
                                77,
                                (UINT64_C(1) << 31) - 1,
                                UINT64_C(1) << 31,
                                UINT32_MAX,
                                UINT64_C(1) << 32,
                                (UINT64_C(1) << 62) - 1,
                                UINT64_C(1) << 62,
                                (UINT64_C(1) << 63) - 1,
                                UINT64_C(1) << 63,
                                UINT64_MAX - 1,
                                UINT64_MAX};
enum { ENDS = sizeof(ends) / sizeof(ends[0]) };

static struct world *led(uint64_t leader, const struct rkv_raft_options *o)
{
    struct world *w = world_new_with(3, 3, 7, o);
    world_elect(w, leader);
    world_propose(w, leader, 5, 1);
    world_pass(w, 100);
    return w;
}

static void check_state(struct world *w, enum state state)
{
    struct rkv_raft_status s = world_status(w, 1);
    bool leads =
        state == ASLEEP_LEADER || (state >= LEADS && state <= HANDS_OVER);
    uint32_t role = leads                ? RKV_LEADER
                    : state == PREVOTES  ? RKV_PRECANDIDATE
                    : state == CAMPAIGNS ? RKV_CANDIDATE
                                         : RKV_FOLLOWER;
    const struct rkv_raft_member *members;
    uint32_t count = rkv_raft_members(world_node(w, 1)->raft, &members);
    ck_assert_uint_eq(s.role, role);
    ck_assert_uint_eq(s.quiet,
                      state == ASLEEP_FOLLOWER || state == ASLEEP_LEADER);
    ck_assert_uint_eq(s.transferee, state == HANDS_OVER ? 2 : 0);
    ck_assert_uint_eq(s.lease != 0, state == LEADS_BY_LEASE);
    ck_assert_uint_eq(s.recovering, state == RECOVERS);
    ck_assert_uint_eq(count, state == KNOWS_NOBODY  ? 0
                             : state == LEADS_JOINT ? 4
                                                    : 3);
    ck_assert_uint_eq(world_node(w, 1)->restore_index != 0, state == FETCHES);
}

/* Of member 1. */
static struct world *in_state(enum state state)
{
    struct rkv_raft_options sleepy = {.quiet_ticks = 300};
    struct rkv_raft_options plain = {.inflight_max = 4};
    struct rkv_raft_change two[] = {{.op = RKV_CHANGE_REMOVE, .id = 3},
                                    {.op = RKV_CHANGE_ADD_VOTER, .id = 4}};
    bool is_asleep = state == ASLEEP_FOLLOWER || state == ASLEEP_LEADER;
    bool follows = state == FOLLOWS || state == FORGOT || state == PREVOTES ||
                   state == CAMPAIGNS || state == RECOVERS ||
                   state == FETCHES || state == ASLEEP_FOLLOWER;
    if (state == KNOWS_NOBODY)
        return world_new(1, 0, 7);
    if (state == CAMPAIGNS)
        plain.flags = RKV_RAFT_NO_PREVOTE;
    struct world *w = led(follows ? 2 : 1, is_asleep ? &sleepy : &plain);
    if (is_asleep)
        world_pass(w, 3000);
    if (state == FORGOT)
        world_step(w, 1, (struct rkv_raft_in){.kind = RKV_IN_FORGET_LEADER});
    if (state == PREVOTES || state == CAMPAIGNS)
        world_campaign(w, 1);
    if (state == LEADS_JOINT) {
        world_change_all(w, 1, RKV_CHANGE_EXPLICIT, 2, two);
        world_pump(w);
    }
    if (state == LEADS_BY_LEASE) {
        world_change(w, 1, RKV_CHANGE_LEASES_ON, 0);
        world_pass(w, 500);
    }
    if (state == HANDS_OVER) {
        w->cut[2] = true;
        world_propose(w, 1, 1, 1);
        world_transfer(w, 1, 2);
    }
    if (state == RECOVERS) {
        world_crash(w, 1, 0);
        world_node(w, 1)->disk.recovering = true;
        world_node(w, 1)->disk.promised = world_status(w, 2).term;
        world_start(w, 1);
    }
    if (state == FETCHES) {
        struct rkv_raft_status s = world_status(w, 1);
        struct rkv_raft_msg m = {.kind = RKV_MSG_SNAPSHOT,
                                 .from = 2,
                                 .to = 1,
                                 .term = s.term,
                                 .index = s.last + 5,
                                 .log_term = s.term};
        ck_assert_int_eq(world_receive(w, 1, &m), RKV_OK);
    }
    world_check(w);
    check_state(w, state);
    w->manual_drain = true;
    return w;
}

static void drain_all(struct world *w)
{
    const struct rkv_raft_out *out;
    rkv_raft *raft = world_node(w, 1)->raft;
    int rounds = 0;
    do {
        rkv_raft_drain(raft, &out);
        ck_assert_int_lt(rounds++, 1000);
    } while ((out->flags & RKV_OUT_MORE) != 0);
    const char *broken = rkv_core_check(raft);
    ck_assert_msg(broken == NULL, "no longer true: %s", broken);
}

/* Gives it, and begins anew once it moved the member to another state. */
static void give(struct world **w, enum state state, struct rkv_raft_in in)
{
    struct rkv_raft_status before = world_status(*w, 1);
    in.now = (*w)->now;
    int rc = world_step(*w, 1, in);
    ck_assert_str_eq((*w)->failure, "");
    if (rc < 0)
        return;
    drain_all(*w);
    struct rkv_raft_status after = world_status(*w, 1);
    if (after.term == before.term && after.role == before.role &&
        after.leader == before.leader && after.commit == before.commit &&
        after.last == before.last && after.quiet == before.quiet &&
        after.transferee == before.transferee)
        return;
    world_free(*w);
    *w = in_state(state);
}

/* All numbers of a message, by their place in this list. */
enum { FIELDS = 15 };
static void put(struct rkv_raft_msg *m, int field, uint64_t value)
{
    uint64_t *wide[] = {&m->from,     &m->to,          &m->term,
                        &m->index,    &m->log_term,    &m->commit,
                        &m->hint,     &m->hint_term,   &m->round,
                        &m->boot,     &m->stated_boot, &m->stated_last,
                        &m->last_term};
    if (field < 13)
        *wide[field] = value;
    else if (field == 13)
        m->flags = (uint32_t)value;
    else
        m->priority = (uint32_t)value;
}

static struct rkv_raft_msg likely(struct world *w, uint32_t kind)
{
    struct rkv_raft_status s = world_status(w, 1);
    bool is_known = s.last > 0;
    return (struct rkv_raft_msg){.kind = kind,
                                 .from = s.leader > 1 ? s.leader : 2,
                                 .to = 1,
                                 .term = s.term > 0 ? s.term : 1,
                                 .index = s.last,
                                 .log_term = is_known ? s.term : 0,
                                 .commit = s.commit,
                                 .last_term = is_known ? s.term : 0};
}

START_TEST(a_message_with_any_field_at_its_ends_is_refused_or_answered)
{
    enum state state = (enum state)_i;
    struct world *w = in_state(state);
    for (uint32_t kind = 0; kind <= RKV_MSG_TRANSFER + 1; kind++) {
        for (int field = 0; field < FIELDS; field++) {
            for (size_t i = 0; i < ENDS; i++) {
                struct rkv_raft_msg m = likely(w, kind);
                put(&m, field, ends[i]);
                struct rkv_raft_in in = {.kind = RKV_IN_RECEIVE, .msg = &m};
                give(&w, state, in);
            }
        }
        /* Entries where none belong, and a count without any. */
        struct rkv_raft_msg m = likely(w, kind);
        struct rkv_raft_in in = {.kind = RKV_IN_RECEIVE, .msg = &m};
        m.count = UINT32_MAX;
        uint64_t before = rkv_raft_digest(world_node(w, 1)->raft);
        ck_assert_int_lt(world_step(w, 1, in), 0);
        struct rkv_raft_entry none[1] = {{0}};
        m.entries = none;
        ck_assert_int_lt(world_step(w, 1, in), 0);
        ck_assert_uint_eq(rkv_raft_digest(world_node(w, 1)->raft), before);
    }
    world_free(w);
}
END_TEST

START_TEST(a_message_with_two_fields_at_their_ends_is_refused_or_answered)
{
    enum state state = (enum state)_i;
    struct world *w = in_state(state);
    struct rkv_prng prng;
    rkv_prng_seed(&prng, 11 + (uint64_t)_i);
    for (int i = 0; i < 6000; i++) {
        struct rkv_raft_msg m =
            likely(w, 1 + (uint32_t)rkv_prng_below(&prng, RKV_MSG_TRANSFER));
        m.flags = (uint32_t)rkv_prng_below(&prng, 128);
        for (int k = 0; k < 2; k++)
            put(&m, (int)rkv_prng_below(&prng, FIELDS),
                ends[rkv_prng_below(&prng, ENDS)]);
        struct rkv_raft_in in = {.kind = RKV_IN_RECEIVE, .msg = &m};
        give(&w, state, in);
    }
    world_free(w);
}
END_TEST

/* The lists are as long as they say; what is said of them may be anything. */
START_TEST(an_input_with_any_field_at_its_ends_is_refused_or_taken)
{
    enum state state = (enum state)_i;
    struct world *w = in_state(state);
    for (uint32_t kind = 0; kind <= RKV_IN_WAKE + 1; kind++) {
        if (kind == RKV_IN_RECEIVE || kind == RKV_IN_PERSIST_FAILED)
            continue;
        for (int field = 0; field < 10; field++) {
            for (size_t i = 0; i < ENDS; i++) {
                struct rkv_raft_status s = world_status(w, 1);
                uint64_t value = ends[i];
                struct rkv_raft_member member = {.id = 1, .role = RKV_VOTER};
                struct rkv_raft_change change = {.op = RKV_CHANGE_ADD_LEARNER,
                                                 .id = 9};
                struct rkv_raft_changes changes = {.list = &change, .count = 1};
                struct rkv_raft_entry entry = {.len = 1,
                                               .kind = RKV_ENTRY_COMMAND};
                struct rkv_raft_in in = {.kind = kind,
                                         .count = 1,
                                         .index = s.applied,
                                         .term = s.term,
                                         .peer = 2,
                                         .token = 1,
                                         .entries = &entry,
                                         .members = &member,
                                         .changes = &changes};
                uint64_t *wide[] = {&in.index,   &in.term,   &in.peer,
                                    &in.token,   &change.id, &member.id,
                                    &in.reserved};
                if (field < 7)
                    *wide[field] = value;
                else if (field == 7)
                    entry.kind = change.op = member.role = (uint32_t)value;
                else if (field == 8)
                    entry.len = changes.transition = (uint32_t)value;
                else if (value >= UINT32_MAX >> 1)
                    changes.count = (uint32_t)value | 1u << 31;
                if (i % 2 == 0 && kind == RKV_IN_PROPOSE)
                    entry.kind = RKV_ENTRY_CONFIG;
                if (kind == RKV_IN_PERSISTED)
                    in.members = NULL;
                give(&w, state, in);
            }
        }
    }
    world_free(w);
}
END_TEST

Suite *suite_raft_extremes(void)
{
    Suite *suite = suite_create("raft extremes");
    TCase *tc = tcase_create("extremes");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(
        tc, a_message_with_any_field_at_its_ends_is_refused_or_answered, 0,
        STATES);
    tcase_add_loop_test(
        tc, a_message_with_two_fields_at_their_ends_is_refused_or_answered, 0,
        STATES);
    tcase_add_loop_test(
        tc, an_input_with_any_field_at_its_ends_is_refused_or_taken, 0, STATES);
    suite_add_tcase(suite, tc);
    return suite;
}
