/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Result codes: their numbers are ABI, and each has a name and a text.
 */
#include <check.h>
#include <raftkv/base.h>
#include <stdbool.h>
#include <string.h>

Suite *suite_base_errors(void);

/* Symbol, and the number it will always have. */
#define CODES(X)                                                               \
    X(RKV_OK, 0)                                                               \
    X(RKV_EINVAL, -1)                                                          \
    X(RKV_ESTATE, -2)                                                          \
    X(RKV_ETOOBIG, -3)                                                         \
    X(RKV_ENOTFOUND, -4)                                                       \
    X(RKV_ECOMPACTED, -5)                                                      \
    X(RKV_EFUTURE, -6)                                                         \
    X(RKV_EVERSION, -7)                                                        \
    X(RKV_EMALFORMED, -8)                                                      \
    X(RKV_EAUTH, -9)                                                           \
    X(RKV_ECLUSTER, -10)                                                       \
    X(RKV_EEXIST, -11)                                                         \
    X(RKV_EKEY, -12)                                                           \
    X(RKV_EDUPLICATE, -13)                                                     \
    X(RKV_ETOOMANY, -14)                                                       \
    X(RKV_EUNSAFE, -15)                                                        \
    X(RKV_ELEASE, -16)                                                         \
    X(RKV_ESESSION, -18)                                                       \
    X(RKV_EDENIED, -19)                                                        \
    X(RKV_ENOUSER, -34)                                                        \
    X(RKV_ENOROLE, -35)                                                        \
    X(RKV_EROOT, -36)                                                          \
    X(RKV_EOLDAUTH, -37)                                                       \
    X(RKV_EQUOTA, -17)                                                         \
    X(RKV_EBUSY, -20)                                                          \
    X(RKV_ENOTLEADER, -21)                                                     \
    X(RKV_ENOLEADER, -22)                                                      \
    X(RKV_ELOST, -23)                                                          \
    X(RKV_ETIMEOUT, -24)                                                       \
    X(RKV_EPENDING, -25)                                                       \
    X(RKV_ETRANSFER, -26)                                                      \
    X(RKV_ECLOSED, -27)                                                        \
    X(RKV_ESTALE, -28)                                                         \
    X(RKV_ESKIPPED, -29)                                                       \
    X(RKV_ERECOVERING, -30)                                                    \
    X(RKV_EJOINT, -31)                                                         \
    X(RKV_ENOTYET, -32)                                                        \
    X(RKV_EBEHIND, -33)                                                        \
    X(RKV_ENOMEM, -40)                                                         \
    X(RKV_EIO, -41)                                                            \
    X(RKV_ECORRUPT, -42)                                                       \
    X(RKV_EFAILED, -43)                                                        \
    X(RKV_EDIVERGED, -44)                                                      \
    X(RKV_EROLLBACK, -45)                                                      \
    X(RKV_ELOCKED, -46)                                                        \
    X(RKV_ENOSPC, -47)

static const struct {
    int32_t code;
    int32_t number;
    const char *name;
} codes[] = {
#define X(symbol, number) {symbol, number, #symbol},
    CODES(X)
#undef X
};
enum { COUNT = sizeof codes / sizeof *codes };

static bool is_known(int32_t code)
{
    for (int i = 0; i < COUNT; i++)
        if (codes[i].number == code)
            return true;
    return false;
}

START_TEST(a_code_keeps_its_number_and_has_its_name)
{
    ck_assert_int_eq(codes[_i].code, codes[_i].number);
    ck_assert_str_eq(rkv_errname(codes[_i].code), codes[_i].name);
}
END_TEST

START_TEST(a_code_has_a_text_of_its_own)
{
    const char *text = rkv_strerror(codes[_i].code);
    ck_assert_uint_gt(strlen(text), 0);
    for (int i = 0; i < COUNT; i++)
        ck_assert(i == _i || strcmp(text, rkv_strerror(codes[i].code)) != 0);
}
END_TEST

START_TEST(an_unknown_code_is_safe_to_ask_about)
{
    static const int32_t unknown[] = {INT32_MIN, -12345, 1, 42, INT32_MAX};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        ck_assert_uint_gt(strlen(rkv_errname(unknown[i])), 0);
        ck_assert_uint_gt(strlen(rkv_strerror(unknown[i])), 0);
    }
}
END_TEST

START_TEST(no_code_has_a_name_that_is_not_listed_here)
{
    const char *nameless = rkv_errname(12345);
    for (int32_t code = -1000; code <= 1000; code++)
        ck_assert_msg((strcmp(rkv_errname(code), nameless) != 0) ==
                          is_known(code),
                      "%d", (int)code);
}
END_TEST

Suite *suite_base_errors(void)
{
    Suite *suite = suite_create("base/errors");
    TCase *tc = tcase_create("errors");
    tcase_add_loop_test(tc, a_code_keeps_its_number_and_has_its_name, 0, COUNT);
    tcase_add_loop_test(tc, a_code_has_a_text_of_its_own, 0, COUNT);
    tcase_add_test(tc, an_unknown_code_is_safe_to_ask_about);
    tcase_add_test(tc, no_code_has_a_name_that_is_not_listed_here);
    suite_add_tcase(suite, tc);
    return suite;
}
