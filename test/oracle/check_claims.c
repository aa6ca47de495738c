/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Requests against the log: what is true is believed, and every lie is seen.
 */
#include <check.h>

#include "claims.h"

Suite *suite_oracle_claims(void);

static struct verdict verdict;
static struct claims claims;

static void set_up(void)
{
    verdict = (struct verdict){NULL, ""};
    claims_init(&claims, &verdict);
}

static void tear_down(void)
{
    claims_free(&claims);
}

START_TEST(done_not_done_and_unknown_are_believed)
{
    for (uint64_t n = 1; n <= 1000; n++)
        claims_asked(&claims, n << 20);
    for (uint64_t n = 1; n <= 500; n++)
        claims_landed(&claims, n + 1, n << 20, false);
    for (uint64_t n = 1; n <= 400; n++)
        claims_done(&claims, n << 20, n + 1);
    for (uint64_t n = 601; n <= 1000; n++)
        claims_not_done(&claims, n << 20);
    /* Of an unknown outcome, and late. */
    claims_landed(&claims, 502, (uint64_t)550 << 20, false);
    claims_landed(&claims, 503, 77, true);
    ck_assert_uint_eq(claims_count(&claims, (uint64_t)550 << 20), 1);
    ck_assert_uint_eq(claims_count(&claims, (uint64_t)551 << 20), 0);
    ck_assert_ptr_null(verdict.broken);
}
END_TEST

/* A command in a session is sent again: two requests, two entries. */
START_TEST(the_same_bytes_twice_are_believed)
{
    claims_asked(&claims, 5);
    claims_asked(&claims, 5);
    claims_landed(&claims, 2, 5, false);
    claims_landed(&claims, 3, 5, false);
    claims_done(&claims, 5, 3);
    claims_done(&claims, 5, 2);
    ck_assert_ptr_null(verdict.broken);
}
END_TEST

START_TEST(what_was_not_done_and_shows_is_seen)
{
    claims_asked(&claims, 5);
    claims_not_done(&claims, 5);
    ck_assert_ptr_null(verdict.broken);
    claims_landed(&claims, 2, 5, false);
    ck_assert_ptr_nonnull(verdict.broken);
}
END_TEST

START_TEST(what_shows_and_is_said_not_to_be_done_is_seen)
{
    claims_asked(&claims, 5);
    claims_landed(&claims, 2, 5, false);
    claims_not_done(&claims, 5);
    ck_assert_ptr_nonnull(verdict.broken);
}
END_TEST

START_TEST(what_is_done_twice_is_seen)
{
    claims_asked(&claims, 5);
    claims_landed(&claims, 2, 5, false);
    claims_done(&claims, 5, 2);
    claims_landed(&claims, 4, 5, false);
    ck_assert_ptr_nonnull(verdict.broken);
}
END_TEST

START_TEST(what_is_done_nowhere_is_seen)
{
    claims_asked(&claims, 5);
    claims_done(&claims, 5, 2);
    ck_assert_ptr_nonnull(verdict.broken);
}
END_TEST

START_TEST(what_is_done_elsewhere_is_seen)
{
    claims_asked(&claims, 5);
    claims_asked(&claims, 6);
    claims_landed(&claims, 2, 6, false);
    claims_landed(&claims, 3, 5, false);
    claims_done(&claims, 5, 2);
    ck_assert_ptr_nonnull(verdict.broken);
}
END_TEST

START_TEST(an_entry_that_answers_two_is_seen)
{
    claims_asked(&claims, 5);
    claims_asked(&claims, 5);
    claims_landed(&claims, 2, 5, false);
    claims_done(&claims, 5, 2);
    claims_done(&claims, 5, 2);
    ck_assert_ptr_nonnull(verdict.broken);
}
END_TEST

START_TEST(what_nobody_asked_for_is_seen)
{
    claims_asked(&claims, 5);
    claims_landed(&claims, 2, 6, false);
    ck_assert_ptr_nonnull(verdict.broken);
}
END_TEST

Suite *suite_oracle_claims(void)
{
    Suite *suite = suite_create("oracle claims");
    TCase *tcase = tcase_create("claims");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, done_not_done_and_unknown_are_believed);
    tcase_add_test(tcase, the_same_bytes_twice_are_believed);
    tcase_add_test(tcase, what_was_not_done_and_shows_is_seen);
    tcase_add_test(tcase, what_shows_and_is_said_not_to_be_done_is_seen);
    tcase_add_test(tcase, what_is_done_twice_is_seen);
    tcase_add_test(tcase, what_is_done_nowhere_is_seen);
    tcase_add_test(tcase, what_is_done_elsewhere_is_seen);
    tcase_add_test(tcase, an_entry_that_answers_two_is_seen);
    tcase_add_test(tcase, what_nobody_asked_for_is_seen);
    suite_add_tcase(suite, tcase);
    return suite;
}
