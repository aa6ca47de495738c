/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The size tag: callers older and newer than the library.
 */
#include <check.h>
#include <string.h>

#include "base/options.h"

Suite *suite_base_options(void);

struct of_today {
    uint32_t size;
    uint32_t a;
    uint64_t b;
};
struct of_yesterday {
    uint32_t size;
    uint32_t a;
};
struct of_tomorrow {
    uint32_t size;
    uint32_t a;
    uint64_t b;
    uint64_t c;
};

START_TEST(no_options_are_all_zero)
{
    struct of_today ours = {1, 2, 3};
    ck_assert_int_eq(rkv_options(&ours, sizeof ours, NULL), RKV_OK);
    ck_assert_uint_eq(ours.size, sizeof ours);
    ck_assert_uint_eq(ours.a, 0);
    ck_assert_uint_eq(ours.b, 0);
}
END_TEST

START_TEST(options_of_the_same_size_are_copied)
{
    struct of_today theirs = {sizeof theirs, 2, 3}, ours;
    ck_assert_int_eq(rkv_options(&ours, sizeof ours, &theirs), RKV_OK);
    ck_assert_mem_eq(&ours, &theirs, sizeof ours);
}
END_TEST

START_TEST(shorter_options_are_padded_with_zeros)
{
    struct of_yesterday theirs = {sizeof theirs, 2};
    struct of_today ours = {1, 1, 1};
    ck_assert_int_eq(rkv_options(&ours, sizeof ours, &theirs), RKV_OK);
    ck_assert_uint_eq(ours.size, sizeof ours);
    ck_assert_uint_eq(ours.a, 2);
    ck_assert_uint_eq(ours.b, 0);
}
END_TEST

START_TEST(longer_options_pass_while_the_surplus_is_zero)
{
    struct of_tomorrow theirs = {sizeof theirs, 2, 3, 0};
    struct of_today ours = {1, 1, 1};
    ck_assert_int_eq(rkv_options(&ours, sizeof ours, &theirs), RKV_OK);
    ck_assert_uint_eq(ours.size, sizeof ours);
    ck_assert_uint_eq(ours.b, 3);

    theirs.c = UINT64_C(1) << 63;
    memset(&ours, 0x5a, sizeof ours);
    ck_assert_int_eq(rkv_options(&ours, sizeof ours, &theirs), RKV_EVERSION);
    ck_assert_uint_eq(ours.a, 0x5a5a5a5a);
}
END_TEST

START_TEST(a_size_that_is_none_is_an_error)
{
    struct of_today ours;
    for (uint32_t size = 0; size < 4; size++) {
        struct of_today theirs = {size, 2, 3};
        memset(&ours, 0x5a, sizeof ours);
        ck_assert_int_eq(rkv_options(&ours, sizeof ours, &theirs), RKV_EINVAL);
        ck_assert_uint_eq(ours.a, 0x5a5a5a5a);
    }
    for (uint32_t size = sizeof ours + 4097; size != 0; size <<= 1) {
        struct of_today theirs = {size, 2, 3};
        ck_assert_int_eq(rkv_options(&ours, sizeof ours, &theirs), RKV_EINVAL);
        rkv_report(&theirs, &ours, sizeof ours);
        ck_assert_uint_eq(theirs.a, 2);
    }
    struct of_today least = {4, 2, 3};
    ck_assert_int_eq(rkv_options(&ours, sizeof ours, &least), RKV_OK);
    ck_assert_uint_eq(ours.a, 0);
}
END_TEST

START_TEST(a_report_fills_what_the_caller_has_room_for)
{
    const struct of_today ours = {sizeof ours, 2, 3};
    struct of_yesterday shorter[2] = {{sizeof *shorter, 9}, {8, 9}};
    struct of_tomorrow longer = {sizeof longer, 9, 9, 9};
    struct of_today same = {sizeof same, 9, 9};

    rkv_report(&same, &ours, sizeof ours);
    ck_assert_mem_eq(&same, &ours, sizeof ours);
    rkv_report(&shorter[0], &ours, sizeof ours);
    ck_assert_uint_eq(shorter[0].size, sizeof *shorter);
    ck_assert_uint_eq(shorter[0].a, 2);
    ck_assert_uint_eq(shorter[1].a, 9);
    rkv_report(&longer, &ours, sizeof ours);
    ck_assert_uint_eq(longer.size, sizeof longer);
    ck_assert_uint_eq(longer.b, 3);
    ck_assert_uint_eq(longer.c, 0);
}
END_TEST

START_TEST(a_report_into_nothing_writes_nothing)
{
    const struct of_today ours = {sizeof ours, 2, 3};
    struct of_today theirs = {0, 9, 9};
    rkv_report(&theirs, &ours, sizeof ours);
    ck_assert_uint_eq(theirs.size, 0);
    ck_assert_uint_eq(theirs.a, 9);
}
END_TEST

Suite *suite_base_options(void)
{
    Suite *suite = suite_create("base/options");
    TCase *tc = tcase_create("options");
    tcase_add_test(tc, no_options_are_all_zero);
    tcase_add_test(tc, options_of_the_same_size_are_copied);
    tcase_add_test(tc, shorter_options_are_padded_with_zeros);
    tcase_add_test(tc, longer_options_pass_while_the_surplus_is_zero);
    tcase_add_test(tc, a_size_that_is_none_is_an_error);
    tcase_add_test(tc, a_report_fills_what_the_caller_has_room_for);
    tcase_add_test(tc, a_report_into_nothing_writes_nothing);
    suite_add_tcase(suite, tc);
    return suite;
}
