/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Leases that end in time are believed, those that end early or never are
 * seen.  What a lease does is told by changing the twin's by hand.
 */
#include <check.h>
#include <string.h>

#include "lifetimes.h"

Suite *suite_oracle_lifetimes(void);

static struct verdict verdict;
static struct lifetimes lifetimes;
static struct twin twin;
static struct twin_lease leases[2];

static void set_up(void)
{
    memset(&verdict, 0, sizeof verdict);
    memset(&twin, 0, sizeof twin);
    lifetimes_init(&lifetimes, 1100, &verdict);
    leases[0] = (struct twin_lease){.id = 7, .ttl = 1100, .renewals = 1};
    leases[1] = (struct twin_lease){.id = 8, .ttl = 9000, .renewals = 2};
    twin.leases = leases;
    twin.leases_count = 2;
    /* Taken in at 1000, applied at 1500. */
    lifetimes_step(&lifetimes, &twin, 1000, 1500, 2, false);
}

static void tear_down(void)
{
    lifetimes_free(&lifetimes);
}

static void end_first(uint64_t now, uint64_t term, bool by_clock)
{
    leases[0] = leases[1];
    twin.leases_count = 1;
    lifetimes_step(&lifetimes, &twin, now, now, term, by_clock);
}

START_TEST(a_lease_that_ends_in_time_is_believed)
{
    end_first(2000, 3, true);
    ck_assert_ptr_null(verdict.broken);
    ck_assert_uint_eq(lifetimes.ended_across, 1);
    ck_assert_uint_eq(lifetimes.count, 1);
}
END_TEST

START_TEST(a_lease_that_ends_early_is_seen)
{
    end_first(1990, 2, true);
    ck_assert_ptr_nonnull(verdict.broken);
}
END_TEST

START_TEST(a_lease_that_is_revoked_may_end_early)
{
    end_first(1600, 2, false);
    ck_assert_ptr_null(verdict.broken);
}
END_TEST

START_TEST(a_lease_that_was_kept_alive_and_ends_early_is_seen)
{
    leases[0].renewals = 3;
    lifetimes_step(&lifetimes, &twin, 1800, 1900, 2, false);
    ck_assert_ptr_null(verdict.broken);
    end_first(2500, 2, true);
    ck_assert_ptr_nonnull(verdict.broken);
}
END_TEST

START_TEST(a_lease_that_never_ends_is_seen)
{
    lifetimes_finish(&lifetimes, 1500 + 2200 + 100, 100);
    ck_assert_ptr_null(verdict.broken);
    lifetimes_finish(&lifetimes, 1500 + 2200 + 101, 100);
    ck_assert_ptr_nonnull(verdict.broken);
}
END_TEST

Suite *suite_oracle_lifetimes(void)
{
    Suite *suite = suite_create("oracle lifetimes");
    TCase *tcase = tcase_create("lifetimes");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_lease_that_ends_in_time_is_believed);
    tcase_add_test(tcase, a_lease_that_ends_early_is_seen);
    tcase_add_test(tcase, a_lease_that_is_revoked_may_end_early);
    tcase_add_test(tcase, a_lease_that_was_kept_alive_and_ends_early_is_seen);
    tcase_add_test(tcase, a_lease_that_never_ends_is_seen);
    suite_add_tcase(suite, tcase);
    return suite;
}
