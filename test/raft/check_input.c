/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/raft/check_input.c - whatever comes in, in whatever role: refused with
 * a reason and without a trace, or taken whole; and equal runs stay equal.
 */
#include <check.h>
#include <string.h>

#include "raft/world.h"

Suite *suite_raft_input(void);

/* 2 is a follower of 1, at some log. */
static struct world *followed(void)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    world_propose(w, 1, 5, 1);
    world_pass(w, 100);
    return w;
}

static struct rkv_raft_msg good_append(struct world *w,
                                       const struct rkv_raft_entry *entries,
                                       uint32_t count)
{
    struct rkv_raft_status s = world_status(w, 2);
    return (struct rkv_raft_msg){.kind = RKV_MSG_APPEND,
                                 .from = 1,
                                 .to = 2,
                                 .term = s.term,
                                 .index = s.last,
                                 .log_term = s.term,
                                 .entries = entries,
                                 .count = count};
}

static void refused(struct world *w, struct rkv_raft_msg m, int code)
{
    ck_assert_int_eq(world_receive(w, 2, &m), code);
    ck_assert_str_eq(w->failure, "");
}

START_TEST(a_message_that_is_none_is_refused)
{
    struct world *w = followed();
    struct rkv_raft_status s = world_status(w, 2);
    struct rkv_raft_msg m = good_append(w, NULL, 0);
    const uint64_t huge = UINT64_C(1) << 62;
#define WITH(field, value, code)                                               \
    do {                                                                       \
        struct rkv_raft_msg bad = m;                                           \
        bad.field = (value);                                                   \
        refused(w, bad, code);                                                 \
    } while (0)
    WITH(kind, 0, RKV_EMALFORMED);
    WITH(kind, 14, RKV_EMALFORMED);
    WITH(kind, UINT32_MAX, RKV_EMALFORMED);
    WITH(flags, 1u << 20, RKV_EMALFORMED);
    WITH(to, 3, RKV_EINVAL);
    WITH(from, 0, RKV_EINVAL);
    WITH(from, 2, RKV_EINVAL);
    WITH(term, 0, RKV_EMALFORMED);
    WITH(term, huge, RKV_EMALFORMED);
    WITH(term, UINT64_MAX, RKV_EMALFORMED);
    WITH(index, huge, RKV_EMALFORMED);
    WITH(log_term, s.term + 1, RKV_EMALFORMED);
    WITH(log_term, 0, RKV_EMALFORMED);
    WITH(index, 0, RKV_EMALFORMED);
    WITH(commit, huge, RKV_EMALFORMED);
    WITH(hint, UINT64_MAX, RKV_EMALFORMED);
    WITH(hint_term, huge, RKV_EMALFORMED);
    WITH(round, huge, RKV_EMALFORMED);
    WITH(stated_last, huge, RKV_EMALFORMED);
    WITH(count, 1, RKV_EINVAL);
    /* A second leader in this term. */
    WITH(from, 3, RKV_EMALFORMED);
#undef WITH
    struct rkv_raft_in in = {.kind = RKV_IN_RECEIVE};
    ck_assert_int_eq(world_step(w, 2, in), RKV_EINVAL);
    world_free(w);
}
END_TEST

START_TEST(entries_that_do_not_follow_each_other_are_refused)
{
    struct world *w = followed();
    struct rkv_raft_status s = world_status(w, 2);
    struct rkv_raft_entry e[2] = {
        {.index = s.last + 1, .term = s.term, .kind = RKV_ENTRY_COMMAND},
        {.index = s.last + 2, .term = s.term, .kind = RKV_ENTRY_COMMAND}};
    struct rkv_raft_msg m = good_append(w, e, 2);
    e[1].index++;
    refused(w, m, RKV_EMALFORMED);
    e[1].index--;
    e[1].term--;
    refused(w, m, RKV_EMALFORMED);
    e[1].term += 2;
    refused(w, m, RKV_EMALFORMED);
    e[1].term--;
    e[0].kind = 0;
    refused(w, m, RKV_EMALFORMED);
    e[0].kind = 4;
    refused(w, m, RKV_EMALFORMED);
    e[0].kind = RKV_ENTRY_COMMAND;
    m.kind = RKV_MSG_HEARTBEAT;
    refused(w, m, RKV_EMALFORMED);
    world_free(w);
}
END_TEST

START_TEST(an_acknowledgement_of_more_than_there_is_is_refused)
{
    struct world *w = followed();
    struct rkv_raft_msg m = {.kind = RKV_MSG_APPEND_REPLY,
                             .from = 2,
                             .to = 1,
                             .term = world_status(w, 1).term,
                             .index = world_status(w, 1).last + 1};
    ck_assert_int_eq(world_receive(w, 1, &m), RKV_EMALFORMED);
    m.kind = RKV_MSG_HEARTBEAT_REPLY;
    ck_assert_int_eq(world_receive(w, 1, &m), RKV_EMALFORMED);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(an_answer_from_a_stranger_is_refused)
{
    struct world *w = followed();
    struct rkv_raft_msg m = {.kind = RKV_MSG_APPEND_REPLY,
                             .from = 77,
                             .to = 1,
                             .term = world_status(w, 1).term + 5,
                             .index = 1};
    ck_assert_int_eq(world_receive(w, 1, &m), RKV_ENOTFOUND);
    ck_assert_uint_eq(world_status(w, 1).role, RKV_LEADER);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(inputs_out_of_place_are_refused)
{
    struct world *w = followed();
    struct rkv_raft_in in = {.kind = 0};
    ck_assert_int_eq(world_step(w, 1, in), RKV_EINVAL);
    in.kind = 99;
    ck_assert_int_eq(world_step(w, 1, in), RKV_EINVAL);
    in.kind = RKV_IN_TICK;
    in.reserved = 1;
    ck_assert_int_eq(world_step(w, 1, in), RKV_EINVAL);
    in.reserved = 0;
    in.kind = RKV_IN_PERSISTED;
    ck_assert_int_eq(world_step(w, 1, in), RKV_EINVAL);
    in.token = UINT64_MAX;
    ck_assert_int_eq(world_step(w, 1, in), RKV_EINVAL);
    in = (struct rkv_raft_in){.kind = RKV_IN_APPLIED, .index = 9999};
    ck_assert_int_eq(world_step(w, 1, in), RKV_EINVAL);
    in.index = 1;
    ck_assert_int_eq(world_step(w, 1, in), RKV_EINVAL);
    in = (struct rkv_raft_in){.kind = RKV_IN_CONFIGURED, .index = 3};
    ck_assert_int_eq(world_step(w, 1, in), RKV_EINVAL);
    in.kind = RKV_IN_RESTORE_FAILED;
    ck_assert_int_eq(world_step(w, 1, in), RKV_ESTATE);
    in.kind = RKV_IN_CAMPAIGN;
    ck_assert_int_eq(world_step(w, 1, in), RKV_ESTATE);
    ck_assert_str_eq(w->failure, "");
    world_free(w);
}
END_TEST

START_TEST(time_does_not_run_backwards)
{
    struct world *w = followed();
    world_pass(w, 100 - w->now % 100); /* until a heartbeat is heard */
    struct rkv_raft_in in = {.kind = RKV_IN_TICK, .now = w->now - 1};
    rkv_raft *raft = world_node(w, 2)->raft;
    uint64_t before = rkv_raft_digest(raft);
    ck_assert_int_eq(rkv_raft_step(raft, &in), RKV_EINVAL);
    in.now = UINT64_MAX;
    ck_assert_int_eq(rkv_raft_step(raft, &in), RKV_EINVAL);
    ck_assert_uint_eq(rkv_raft_digest(raft), before);
    world_free(w);
}
END_TEST

START_TEST(too_many_questions_are_refused_until_a_drain)
{
    struct world *w = followed();
    struct rkv_raft_status s = world_status(w, 2);
    w->manual_drain = true;
    struct rkv_raft_msg m = {.kind = RKV_MSG_PREVOTE,
                             .to = 2,
                             .term = s.term - 1,
                             .index = 1,
                             .log_term = 1};
    int rc = RKV_OK;
    uint32_t taken = 0;
    for (uint64_t from = 10; from < 100 && rc == RKV_OK; from++) {
        m.from = from;
        rc = world_receive(w, 2, &m);
        taken += rc == RKV_OK;
    }
    ck_assert_int_eq(rc, RKV_EBUSY);
    ck_assert_uint_eq(taken, 32);
    world_drain(w, 2);
    ck_assert_int_eq(world_receive(w, 2, &m), RKV_OK);
    ck_assert_str_eq(w->failure, "");
    world_free(w);
}
END_TEST

START_TEST(options_and_boots_out_of_range_are_refused)
{
    struct rkv_raft_member members[3] = {{.id = 1, .role = RKV_VOTER},
                                         {.id = 2, .role = RKV_VOTER},
                                         {.id = 3, .role = RKV_LEARNER}};
    rkv_raft *raft = NULL;
    const struct rkv_raft_options good = {.size = sizeof(good), .id = 1};
    const struct rkv_raft_boot plain = {.size = sizeof(plain),
                                        .term = 3,
                                        .members = members,
                                        .members_count = 3};
#define OPTION(field, value)                                                   \
    do {                                                                       \
        struct rkv_raft_options o = good;                                      \
        o.field = (value);                                                     \
        ck_assert_int_eq(rkv_raft_new(&o, &plain, &raft), RKV_EINVAL);         \
    } while (0)
    OPTION(id, 0);
    OPTION(flags, 1u << 9);
    OPTION(heartbeat_ticks, 1000);
    OPTION(members_max, 65);
    OPTION(members_max, 2);
    OPTION(entries_max, 8);
    OPTION(inflight_max, 1u << 20);
    OPTION(reads_max, 1u << 30);
    OPTION(election_ticks, UINT32_MAX);
#undef OPTION
#define BOOT(field, value)                                                     \
    do {                                                                       \
        struct rkv_raft_boot b = plain;                                        \
        b.field = (value);                                                     \
        ck_assert_int_eq(rkv_raft_new(&good, &b, &raft), RKV_EINVAL);          \
    } while (0)
    BOOT(term, UINT64_MAX);
    BOOT(snapshot_term, 4);
    BOOT(snapshot_term, 1);
    BOOT(snapshot_index, 1);
    BOOT(recovering, 1);
    BOOT(members, NULL);
    members[1].id = 1;
    BOOT(boot, 1);
    members[1].id = 2;
    members[1].role = 3;
    BOOT(boot, 1);
    members[0].role = members[1].role = RKV_LEARNER;
    BOOT(boot, 1);
#undef BOOT
    ck_assert_int_eq(rkv_raft_new(&good, NULL, NULL), RKV_EINVAL);
    struct rkv_raft_options wide = {.size = 4, .id = 1};
    ck_assert_int_lt(rkv_raft_new(&wide, NULL, &raft), 0);
    ck_assert_ptr_null(raft);
    ck_assert_int_eq(rkv_raft_new(&good, NULL, &raft), RKV_OK);
    struct rkv_raft_entry e = {
        .index = 2, .term = 1, .kind = RKV_ENTRY_COMMAND};
    ck_assert_int_eq(rkv_raft_load(raft, &e, 1), RKV_EINVAL);
    ck_assert_int_eq(rkv_raft_load(raft, NULL, 1), RKV_EINVAL);
    rkv_raft_free(raft);
    rkv_raft_free(NULL);
}
END_TEST

/* Records of random bytes, near and far from sense, in every role. */
START_TEST(nonsense_is_refused_or_taken_but_breaks_nothing)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world *w = world_new(3, 3, seed);
        struct rkv_raft_entry entries[4];
        struct rkv_raft_change change;
        struct rkv_raft_member members[4];
        if (seed % 4 != 0) {
            world_elect(w, 1);
            world_propose(w, 1, 5, 1);
            world_pump(w);
        }
        for (int i = 0; i < 4000; i++) {
            uint64_t words[64];
            for (int k = 0; k < 64; k++) {
                words[k] = rkv_prng_next(&w->prng);
                if (rkv_prng_below(&w->prng, 8) != 0)
                    words[k] = rkv_prng_below(&w->prng, 12);
            }
            struct rkv_raft_msg m;
            struct rkv_raft_in in;
            memcpy(&m, words, sizeof(m));
            memcpy(&in, &words[20], sizeof(in));
            memcpy(entries, &words[40], sizeof(entries));
            memcpy(members, &words[52],
                   12 * sizeof(words[0]) < sizeof(members)
                       ? 12 * sizeof(words[0])
                       : sizeof(members));
            memcpy(&change, &words[62], sizeof(change));
            m.kind = (uint32_t)rkv_prng_below(&w->prng, 15);
            m.flags = (uint32_t)rkv_prng_below(&w->prng, 128);
            m.to = rkv_prng_below(&w->prng, 8) != 0 ? 1 : m.to;
            m.from = 1 + rkv_prng_below(&w->prng, 4);
            m.count = (uint32_t)rkv_prng_below(&w->prng, 5);
            m.entries = m.count > 0 ? entries : NULL;
            for (uint32_t k = 0; k < 4 && (words[0] & 1) != 0; k++)
                entries[k] = (struct rkv_raft_entry){.index = m.index + 1 + k,
                                                     .term = m.term,
                                                     .len = 1,
                                                     .kind = RKV_ENTRY_COMMAND};
            in.kind = rkv_prng_below(&w->prng, 3) != 0
                          ? RKV_IN_RECEIVE
                          : (uint32_t)rkv_prng_below(&w->prng, 20);
            if (in.kind == RKV_IN_PERSIST_FAILED)
                continue;
            in.reserved = 0;
            in.msg = &m;
            struct rkv_raft_changes changes = {
                .list = &change,
                .count = (uint32_t)rkv_prng_below(&w->prng, 2),
                .transition = (uint32_t)rkv_prng_below(&w->prng, 4)};
            in.changes = &changes;
            in.entries = entries;
            in.members = members;
            in.count = (uint32_t)rkv_prng_below(&w->prng, 5);
            w->manual_drain = true;
            world_step(w, 1, in);
            const struct rkv_raft_out *out;
            while (rkv_raft_drain(world_node(w, 1)->raft, &out) == 1 &&
                   (out->flags & RKV_OUT_MORE) != 0)
                ;
            w->now += rkv_prng_below(&w->prng, 50);
            ck_assert_msg(w->failure[0] == 0, "seed %d: %s", (int)seed,
                          w->failure);
        }
        world_free(w);
    }
}
END_TEST

/* The same inputs again: equal digests after every one of them. */
START_TEST(equal_runs_have_equal_digests)
{
    struct world *a = world_new(3, 3, 99);
    struct world *b = world_new(3, 3, 99);
    for (int i = 0; i < 3000; i++) {
        uint64_t what = rkv_prng_below(&a->prng, 8);
        uint64_t who = 1 + rkv_prng_below(&a->prng, 3);
        struct world *both[2] = {a, b};
        for (int k = 0; k < 2; k++) {
            struct world *w = both[k];
            if (what == 0) {
                w->now += 40;
                world_tick(w, who);
            } else if (what == 1) {
                world_propose(w, who, 2, 3);
            } else if (what == 2) {
                world_read(w, who, 1);
            } else if (what < 5) {
                world_persist(w, who);
            } else {
                world_deliver(w, 0);
            }
        }
        ck_assert_uint_eq(rkv_raft_digest(world_node(a, who)->raft),
                          rkv_raft_digest(world_node(b, who)->raft));
    }
    world_propose(a, world_leader(a), 1, 1);
    ck_assert_uint_ne(world_leader(a), 0);
    ck_assert_uint_ne(rkv_raft_digest(world_node(a, world_leader(a))->raft),
                      rkv_raft_digest(world_node(b, world_leader(a))->raft));
    world_free(a);
    world_free(b);
}
END_TEST

/* A log that begins before 2^32, and a term, go on beyond it. */
START_TEST(indexes_and_terms_go_on_beyond_32_bits)
{
    static const struct rkv_raft_member members[] = {
        {.id = 1, .role = RKV_VOTER}, {.id = 2, .role = RKV_LEARNER}};
    const uint64_t edge = UINT64_C(1) << 32;
    struct rkv_raft_options options = {.size = sizeof(options), .id = 1};
    struct rkv_raft_boot boot = {.size = sizeof(boot),
                                 .term = edge - 1,
                                 .snapshot_index = edge - 3,
                                 .snapshot_term = edge - 1,
                                 .members = members,
                                 .members_count = 2};
    struct rkv_raft_entry entries[8];
    struct rkv_raft_status s = {.size = sizeof(s)};
    const struct rkv_raft_out *out;
    rkv_raft *raft = NULL;
    struct rkv_raft_in in = {.kind = RKV_IN_CAMPAIGN, .now = 1};
    ck_assert_int_eq(rkv_raft_new(&options, &boot, &raft), RKV_OK);
    ck_assert_int_eq(rkv_raft_step(raft, &in), RKV_OK);
    uint64_t committed = edge - 3;
    uint64_t sent = 0;
    for (int round = 0; round < 6; round++) {
        rkv_raft_drain(raft, &out);
        for (uint32_t i = 0; i < out->committed_count; i++)
            ck_assert_uint_eq(out->committed[i].index, ++committed);
        for (uint32_t i = 0; i < out->msgs_count; i++)
            sent = out->msgs[i].index;
        in = (struct rkv_raft_in){
            .kind = RKV_IN_PERSISTED, .now = 1, .token = out->token};
        if ((out->flags & RKV_OUT_PERSIST) != 0)
            ck_assert_int_eq(rkv_raft_step(raft, &in), RKV_OK);
        for (uint32_t i = 0; i < 8; i++)
            entries[i] =
                (struct rkv_raft_entry){.kind = RKV_ENTRY_COMMAND, .len = 1};
        in = (struct rkv_raft_in){
            .kind = RKV_IN_PROPOSE, .now = 1, .entries = entries, .count = 8};
        if (round == 2)
            ck_assert_int_eq(rkv_raft_step(raft, &in), RKV_OK);
    }
    struct rkv_raft_msg m = {.kind = RKV_MSG_APPEND_REPLY,
                             .flags = RKV_MSG_REJECT,
                             .from = 2,
                             .to = 1,
                             .term = edge,
                             .index = edge - 3,
                             .hint = edge - 3,
                             .hint_term = edge - 1};
    in = (struct rkv_raft_in){.kind = RKV_IN_RECEIVE, .now = 1, .msg = &m};
    ck_assert_int_eq(rkv_raft_step(raft, &in), RKV_OK);
    rkv_raft_status(raft, &s);
    ck_assert_uint_eq(s.role, RKV_LEADER);
    ck_assert_uint_eq(s.term, edge);
    ck_assert_uint_eq(s.last, edge + 6);
    uint64_t term = 0;
    ck_assert_int_eq(rkv_raft_term_at(raft, edge + 1, &term), RKV_OK);
    ck_assert_uint_eq(term, edge);
    ck_assert_uint_eq(committed, edge + 6);
    ck_assert_uint_ge(sent, edge - 3);
    rkv_raft_free(raft);
}
END_TEST

Suite *suite_raft_input(void)
{
    Suite *suite = suite_create("raft input");
    TCase *tc = tcase_create("input");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_message_that_is_none_is_refused);
    tcase_add_test(tc, entries_that_do_not_follow_each_other_are_refused);
    tcase_add_test(tc, an_acknowledgement_of_more_than_there_is_is_refused);
    tcase_add_test(tc, an_answer_from_a_stranger_is_refused);
    tcase_add_test(tc, inputs_out_of_place_are_refused);
    tcase_add_test(tc, time_does_not_run_backwards);
    tcase_add_test(tc, too_many_questions_are_refused_until_a_drain);
    tcase_add_test(tc, options_and_boots_out_of_range_are_refused);
    tcase_add_test(tc, nonsense_is_refused_or_taken_but_breaks_nothing);
    tcase_add_test(tc, equal_runs_have_equal_digests);
    tcase_add_test(tc, indexes_and_terms_go_on_beyond_32_bits);
    suite_add_tcase(suite, tc);
    return suite;
}
