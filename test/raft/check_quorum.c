/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/raft/check_quorum.c - quorums of up to seven voters, alone and joint,
 * against the slow and plain way: by trying what those who have not spoken
 * could still say, and by counting heads for every value there is.
 */
#include <check.h>
#include <stdbool.h>

#include "base/prng.h"
#include "raft/quorum.h"

Suite *suite_raft_quorum(void);

enum { SLOTS = 9, ROUNDS = 30000 };

static int heads(uint64_t set)
{
    int count = 0;
    for (; set != 0; set &= set - 1)
        count++;
    return count;
}

/* Nobody agrees to everything. */
static bool half_agrees(uint64_t voters, uint64_t yes)
{
    return voters == 0 || 2 * heads(voters & yes) > heads(voters);
}

/* Decided is what no word still to come can change. */
static enum vote plain_vote(uint64_t voters, uint64_t outgoing, uint64_t yes,
                            uint64_t no)
{
    uint64_t silent = (voters | outgoing) & ~(yes | no);
    bool may_win = false;
    bool may_lose = false;
    for (uint64_t more = silent;; more = (more - 1) & silent) {
        if (half_agrees(voters, yes | more) &&
            half_agrees(outgoing, yes | more))
            may_win = true;
        else
            may_lose = true;
        if (more == 0)
            break;
    }
    return may_win && may_lose ? VOTE_PENDING : may_win ? VOTE_WON : VOTE_LOST;
}

/* The largest value of anybody that both halves have reached. */
static uint64_t plain_value(uint64_t voters, uint64_t outgoing,
                            const uint64_t *values)
{
    uint64_t best = 0;
    for (int i = 0; i < SLOTS; i++) {
        uint64_t reached = 0;
        for (int k = 0; k < SLOTS; k++)
            if (values[k] >= values[i])
                reached |= UINT64_C(1) << k;
        if (half_agrees(voters, reached) && half_agrees(outgoing, reached) &&
            values[i] > best)
            best = values[i];
    }
    return best;
}

/* At most seven. */
static uint64_t draw_voters(struct rkv_prng *prng)
{
    uint64_t voters = 0;
    for (uint64_t n = rkv_prng_below(prng, 8); n > 0; n--)
        voters |= UINT64_C(1) << rkv_prng_below(prng, SLOTS);
    return voters;
}

START_TEST(a_vote_is_decided_when_no_word_can_change_it)
{
    struct rkv_prng prng;
    rkv_prng_seed(&prng, 3);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t voters = draw_voters(&prng);
        uint64_t outgoing = draw_voters(&prng);
        uint64_t yes = rkv_prng_next(&prng) & rkv_prng_next(&prng);
        uint64_t no = rkv_prng_next(&prng) & rkv_prng_next(&prng) & ~yes;
        ck_assert_int_eq(rkv_joint_vote(voters, outgoing, yes, no),
                         plain_vote(voters, outgoing, yes, no));
        ck_assert_int_eq(rkv_majority_vote(voters, yes, no),
                         plain_vote(voters, 0, yes, no));
    }
}
END_TEST

START_TEST(a_value_is_reached_when_both_halves_have)
{
    struct rkv_prng prng;
    uint64_t values[64] = {0};
    rkv_prng_seed(&prng, 4);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t voters = draw_voters(&prng);
        uint64_t outgoing = draw_voters(&prng);
        for (int k = 0; k < SLOTS; k++)
            values[k] = rkv_prng_below(&prng, 8);
        if (voters == 0)
            continue;
        ck_assert_uint_eq(rkv_majority_value(voters, values),
                          plain_value(voters, 0, values));
        ck_assert_uint_eq(rkv_joint_value(voters, outgoing, values),
                          plain_value(voters, outgoing, values));
    }
}
END_TEST

START_TEST(nobody_agrees_to_everything)
{
    const uint64_t values[64] = {5};
    ck_assert_int_eq(rkv_majority_vote(0, 0, 0), VOTE_WON);
    ck_assert_int_eq(rkv_joint_vote(0, 0, 0, 1), VOTE_WON);
    ck_assert_int_eq(rkv_joint_vote(1, 0, 0, 1), VOTE_LOST);
    ck_assert_uint_eq(rkv_majority_value(0, values), UINT64_MAX);
    ck_assert_uint_eq(rkv_joint_value(0, 0, values), UINT64_MAX);
    ck_assert_uint_eq(rkv_joint_value(0, 1, values), 5);
}
END_TEST

START_TEST(all_there_can_be_are_counted)
{
    uint64_t values[64];
    for (uint64_t i = 0; i < 64; i++)
        values[i] = i;
    ck_assert_uint_eq(rkv_majority_value(UINT64_MAX, values), 31);
    ck_assert_int_eq(rkv_majority_vote(UINT64_MAX, UINT64_MAX >> 32, 0),
                     VOTE_PENDING);
    ck_assert_int_eq(rkv_majority_vote(UINT64_MAX, UINT64_MAX >> 31, 0),
                     VOTE_WON);
    ck_assert_int_eq(rkv_majority_vote(UINT64_MAX, 0, UINT64_MAX >> 32),
                     VOTE_LOST);
}
END_TEST

Suite *suite_raft_quorum(void)
{
    Suite *suite = suite_create("raft quorum");
    TCase *tc = tcase_create("quorum");
    tcase_add_test(tc, a_vote_is_decided_when_no_word_can_change_it);
    tcase_add_test(tc, a_value_is_reached_when_both_halves_have);
    tcase_add_test(tc, nobody_agrees_to_everything);
    tcase_add_test(tc, all_there_can_be_are_counted);
    suite_add_tcase(suite, tc);
    return suite;
}
