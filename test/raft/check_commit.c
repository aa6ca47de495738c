/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/raft/check_commit.c - what a quorum is, alone and joint, and what a
 * leader may take for committed.
 */
#include <check.h>
#include <stdlib.h>

#include "raft/core.h"
#include "raft/world.h"

Suite *suite_raft_commit(void);

/* A bare state with these halves, slots from bit 0. */
static struct rkv_raft *halves(uint64_t voters, uint64_t outgoing)
{
    struct rkv_raft *r = calloc(1, sizeof(*r));
    ck_assert_ptr_nonnull(r);
    r->voters = voters;
    r->outgoing = outgoing;
    return r;
}

/* The slow and plain way: the largest value that more than half reach. */
static uint64_t plain_half(uint64_t voters, const uint64_t *values)
{
    uint64_t best = 0;
    for (int i = 0; i < 64; i++) {
        int count = 0;
        if ((voters >> i & 1) == 0)
            continue;
        for (int k = 0; k < 64; k++)
            count += (voters >> k & 1) != 0 && values[k] >= values[i];
        if (2 * count > __builtin_popcountll(voters) && values[i] > best)
            best = values[i];
    }
    return best;
}

START_TEST(a_quorum_has_reached_what_more_than_half_have)
{
    struct rkv_prng prng;
    uint64_t values[64];
    rkv_prng_seed(&prng, 1);
    for (int i = 0; i < 20000; i++) {
        uint64_t voters = rkv_prng_next(&prng) &
                          ((UINT64_C(2) << rkv_prng_below(&prng, 9)) - 1);
        for (int k = 0; k < 64; k++)
            values[k] = rkv_prng_below(&prng, 6);
        if (voters == 0)
            continue;
        struct rkv_raft *r = halves(voters, 0);
        ck_assert_uint_eq(rkv_quorum_value(r, values),
                          plain_half(voters, values));
        free(r);
    }
}
END_TEST

START_TEST(with_an_even_number_half_is_not_enough)
{
    const uint64_t values[64] = {9, 9, 3, 2};
    struct rkv_raft *r = halves(15, 0);
    ck_assert_uint_eq(rkv_quorum_value(r, values), 3);
    ck_assert_int_eq(rkv_quorum_vote(r, 3, 0), VOTE_PENDING);
    ck_assert_int_eq(rkv_quorum_vote(r, 7, 0), VOTE_WON);
    ck_assert_int_eq(rkv_quorum_vote(r, 1, 6), VOTE_LOST);
    free(r);
}
END_TEST

START_TEST(a_joint_quorum_needs_both_halves)
{
    const uint64_t values[64] = {9, 9, 9, 1, 1, 4};
    struct rkv_raft *r = halves(7, 56);
    ck_assert_uint_eq(rkv_quorum_value(r, values), 1);
    ck_assert_int_eq(rkv_quorum_vote(r, 7, 0), VOTE_PENDING);
    ck_assert_int_eq(rkv_quorum_vote(r, 7 | 24, 0), VOTE_WON);
    ck_assert_int_eq(rkv_quorum_vote(r, 7, 24), VOTE_LOST);
    free(r);
}
END_TEST

START_TEST(nobody_is_no_quorum)
{
    const uint64_t values[64] = {9};
    struct rkv_raft *r = halves(0, 0);
    ck_assert_uint_eq(rkv_quorum_value(r, values), 0);
    ck_assert_int_eq(rkv_quorum_vote(r, 1, 0), VOTE_LOST);
    free(r);
}
END_TEST

static int step(rkv_raft *raft, struct rkv_raft_in in)
{
    const struct rkv_raft_out *out;
    in.now = 1;
    int rc = rkv_raft_step(raft, &in);
    rkv_raft_drain(raft, &out);
    while (rc == RKV_OK && (out->flags & RKV_OUT_PERSIST) != 0) {
        in = (struct rkv_raft_in){
            .kind = RKV_IN_PERSISTED, .now = 1, .token = out->token};
        rc = rkv_raft_step(raft, &in);
        rkv_raft_drain(raft, &out);
    }
    return rc;
}

/* Figure 3.7 of the thesis: an entry of an earlier term on a majority is not
 * committed by counting, only with one of the leader's own term. */
START_TEST(an_entry_of_an_earlier_term_is_not_committed_by_counting)
{
    static const struct rkv_raft_member members[] = {
        {.id = 1, .role = RKV_VOTER},
        {.id = 2, .role = RKV_VOTER},
        {.id = 3, .role = RKV_VOTER}};
    struct rkv_raft_options options = {
        .size = sizeof(options), .id = 1, .flags = RKV_RAFT_NO_PREVOTE};
    struct rkv_raft_boot boot = {.size = sizeof(boot),
                                 .term = 3,
                                 .members = members,
                                 .members_count = 3};
    const struct rkv_raft_entry entries[2] = {
        {.index = 1, .term = 1, .kind = RKV_ENTRY_COMMAND},
        {.index = 2, .term = 2, .kind = RKV_ENTRY_COMMAND}};
    struct rkv_raft_status s = {.size = sizeof(s)};
    rkv_raft *raft = NULL;
    ck_assert_int_eq(rkv_raft_new(&options, &boot, &raft), RKV_OK);
    ck_assert_int_eq(rkv_raft_load(raft, entries, 2), RKV_OK);
    step(raft, (struct rkv_raft_in){.kind = RKV_IN_CAMPAIGN});
    struct rkv_raft_msg m = {.kind = RKV_MSG_VOTE_REPLY,
                             .from = 2,
                             .to = 1,
                             .term = 4,
                             .index = 2,
                             .log_term = 2};
    struct rkv_raft_in in = {.kind = RKV_IN_RECEIVE, .msg = &m};
    ck_assert_int_eq(step(raft, in), RKV_OK);
    rkv_raft_status(raft, &s);
    ck_assert_uint_eq(s.role, RKV_LEADER);
    ck_assert_uint_eq(s.durable, 3);
    m = (struct rkv_raft_msg){.kind = RKV_MSG_APPEND_REPLY,
                              .from = 2,
                              .to = 1,
                              .term = 4,
                              .index = 2};
    ck_assert_int_eq(step(raft, in), RKV_OK);
    rkv_raft_status(raft, &s);
    ck_assert_uint_eq(s.commit, 0);
    m.index = 3;
    ck_assert_int_eq(step(raft, in), RKV_OK);
    rkv_raft_status(raft, &s);
    ck_assert_uint_eq(s.commit, 3);
    rkv_raft_free(raft);
}
END_TEST

START_TEST(five_members_commit_with_three_and_not_with_two)
{
    struct world *w = world_new(5, 5, 7);
    world_elect(w, 1);
    uint64_t commit = world_status(w, 1).commit;
    w->cut[3] = w->cut[4] = w->cut[5] = true;
    world_propose(w, 1, 1, 1);
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 1).commit, commit);
    w->cut[3] = false;
    world_pass(w, 300);
    ck_assert_uint_eq(world_status(w, 1).commit, commit + 1);
    world_check(w);
    world_free(w);
}
END_TEST

Suite *suite_raft_commit(void)
{
    Suite *suite = suite_create("raft commit");
    TCase *tc = tcase_create("commit");
    tcase_add_test(tc, a_quorum_has_reached_what_more_than_half_have);
    tcase_add_test(tc, with_an_even_number_half_is_not_enough);
    tcase_add_test(tc, a_joint_quorum_needs_both_halves);
    tcase_add_test(tc, nobody_is_no_quorum);
    tcase_add_test(tc,
                   an_entry_of_an_earlier_term_is_not_committed_by_counting);
    tcase_add_test(tc, five_members_commit_with_three_and_not_with_two);
    suite_add_tcase(suite, tc);
    return suite;
}
