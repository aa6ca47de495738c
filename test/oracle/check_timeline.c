/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Histories by hand, good and bad, and a slow checker beside the fast one.
 */
#include <check.h>
#include <string.h>

#include "base/prng.h"
#include "timeline.h"

Suite *suite_oracle_timeline(void);

enum { DEEDS_MAX = 6 };

struct history {
    const char *name;
    bool is_good;
    /* name, asked, answered, index, revision, is_write */
    struct deed_done deeds[DEEDS_MAX];
};

static const struct history histories[] = {
    {"one after the other",
     true,
     {{1, 1, 2, 10, 5, true}, {2, 3, 4, 11, 6, true}, {3, 5, 6, 11, 6, false}}},
    {"concurrent ones in the other order",
     true,
     {{1, 1, 9, 11, 6, true}, {2, 2, 8, 10, 5, true}}},
    {"a read beside a write, before it",
     true,
     {{1, 1, 9, 11, 6, true}, {2, 2, 8, 10, 5, false}}},
    {"two reads of one point",
     true,
     {{1, 1, 2, 10, 5, false}, {2, 3, 4, 10, 5, false}}},
    {"a write without a change",
     true,
     {{1, 1, 2, 10, 5, true}, {2, 3, 4, 11, 5, true}}},
    {"a stale read", false, {{1, 1, 2, 10, 5, true}, {2, 3, 4, 9, 4, false}}},
    {"a read older than a read",
     false,
     {{1, 1, 2, 10, 5, false}, {2, 3, 4, 9, 5, false}}},
    {"a write put before one that was answered",
     false,
     {{1, 1, 2, 10, 5, true}, {2, 3, 4, 9, 4, true}}},
    {"two writes of one entry",
     false,
     {{1, 1, 2, 10, 5, true}, {2, 3, 4, 10, 5, true}}},
    {"a revision that went back",
     false,
     {{1, 1, 2, 10, 7, true}, {2, 3, 4, 11, 6, false}}},
    {"a stale read behind others",
     false,
     {{1, 1, 3, 10, 5, true},
      {2, 2, 9, 12, 7, true},
      {3, 4, 5, 11, 6, true},
      {4, 6, 7, 10, 5, false}}},
    {"a read of what comes to pass later",
     false,
     {{1, 5, 6, 11, 6, true}, {2, 1, 2, 11, 6, false}, {3, 3, 4, 10, 5, true}}},
};

static bool is_broken(const struct deed_done *deeds, size_t count)
{
    struct timeline timeline = {0};
    struct verdict verdict = {NULL, ""};

    for (size_t i = 0; i < count; i++)
        if (deeds[i].name != 0)
            timeline_add(&timeline, &deeds[i]);
    timeline_check(&timeline, &verdict);
    timeline_free(&timeline);
    return verdict.broken != NULL;
}

START_TEST(histories_are_judged)
{
    const struct history *history = &histories[_i];

    ck_assert_msg(is_broken(history->deeds, DEEDS_MAX) != history->is_good,
                  "%s", history->name);
}
END_TEST

/* Every pair of them. */
static bool is_broken_slowly(const struct deed_done *deeds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            const struct deed_done *a = &deeds[i], *b = &deeds[j];

            if (a->answered < b->asked &&
                (b->index < a->index || b->revision < a->revision ||
                 (b->is_write && b->index == a->index)))
                return true;
        }
    return false;
}

START_TEST(fast_and_slow_agree)
{
    struct rkv_prng prng;
    int bad = 0;

    rkv_prng_seed(&prng, 3);
    for (int round = 0; round < 3000; round++) {
        struct deed_done deeds[8];

        for (uint64_t i = 0; i < 8; i++) {
            struct deed_done *deed = &deeds[i];

            /* Mostly in order, now and then not. */
            deed->name = i + 1;
            deed->asked = i * 4 + rkv_prng_below(&prng, 6);
            deed->answered = deed->asked + 1 + rkv_prng_below(&prng, 9);
            deed->index = deed->asked + rkv_prng_below(&prng, 8);
            deed->revision = (int64_t)deed->index / 2;
            deed->is_write = rkv_prng_below(&prng, 2) == 0;
        }
        bad += is_broken_slowly(deeds, 8);
        ck_assert_int_eq(is_broken(deeds, 8), is_broken_slowly(deeds, 8));
    }
    ck_assert_int_gt(bad, 300);
    ck_assert_int_lt(bad, 2900);
}
END_TEST

Suite *suite_oracle_timeline(void)
{
    Suite *suite = suite_create("oracle timeline");
    TCase *tcase = tcase_create("timeline");

    tcase_add_loop_test(tcase, histories_are_judged, 0,
                        sizeof histories / sizeof histories[0]);
    tcase_add_test(tcase, fast_and_slow_agree);
    suite_add_tcase(suite, tcase);
    return suite;
}
