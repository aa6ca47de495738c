/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The generator gives the numbers its authors' gives.
 */
#include <check.h>

#include "base/prng.h"

Suite *suite_base_prng(void);

START_TEST(the_generator_gives_its_published_numbers)
{
    static const uint64_t wanted[] = {
        11520,
        0,
        1509978240,
        UINT64_C(1215971899390074240),
        UINT64_C(1216172134540287360),
        UINT64_C(607988272756665600),
        UINT64_C(16172922978634559625),
    };
    struct rkv_prng prng = {{1, 2, 3, 4}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        ck_assert_uint_eq(rkv_prng_next(&prng), wanted[i]);
}
END_TEST

START_TEST(a_seed_is_a_sequence)
{
    static const uint64_t of_0[] = {
        UINT64_C(0x99ec5f36cb75f2b4), UINT64_C(0xbf6e1f784956452a),
        UINT64_C(0x1a5f849d4933e6e0), UINT64_C(0x6aa594f1262d2d2c)};
    static const uint64_t of_42[] = {
        UINT64_C(0x15780b2e0c2ec716), UINT64_C(0x6104d9866d113a7e),
        UINT64_C(0xae17533239e499a1), UINT64_C(0xecb8ad4703b360a1)};
    struct rkv_prng prng;

    rkv_prng_seed(&prng, 0);
    for (int i = 0; i < 4; i++)
        ck_assert_uint_eq(rkv_prng_next(&prng), of_0[i]);
    rkv_prng_seed(&prng, 42);
    for (int i = 0; i < 4; i++)
        ck_assert_uint_eq(rkv_prng_next(&prng), of_42[i]);
}
END_TEST

START_TEST(a_draw_is_below_its_bound)
{
    static const uint64_t bounds[] = {
        1,         2, 3, 10, 1000, UINT64_C(1) << 63, (UINT64_C(1) << 63) + 1,
        UINT64_MAX};
    struct rkv_prng prng;
    rkv_prng_seed(&prng, 7);
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++)
        for (int n = 0; n < 1000; n++)
            ck_assert(rkv_prng_below(&prng, bounds[i]) < bounds[i]);
    ck_assert_uint_eq(rkv_prng_below(&prng, 0), 0);
}
END_TEST

START_TEST(draws_spread_evenly)
{
    enum { BOUND = 7, DRAWS = 70000 };
    int seen[BOUND] = {0};
    struct rkv_prng prng;

    rkv_prng_seed(&prng, 8);
    for (int n = 0; n < DRAWS; n++)
        seen[rkv_prng_below(&prng, BOUND)]++;
    for (int i = 0; i < BOUND; i++) {
        ck_assert_int_gt(seen[i], DRAWS / BOUND * 95 / 100);
        ck_assert_int_lt(seen[i], DRAWS / BOUND * 105 / 100);
    }
}
END_TEST

Suite *suite_base_prng(void)
{
    Suite *suite = suite_create("base/prng");
    TCase *tc = tcase_create("prng");
    tcase_add_test(tc, the_generator_gives_its_published_numbers);
    tcase_add_test(tc, a_seed_is_a_sequence);
    tcase_add_test(tc, a_draw_is_below_its_bound);
    tcase_add_test(tc, draws_spread_evenly);
    suite_add_tcase(suite, tc);
    return suite;
}
