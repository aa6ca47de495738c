/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Watchers that have yet to catch up: whatever happens while they do, each
 * change comes once and in order, or they are told that it is gone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support.h"

Suite *suite_kv_watchpast(void);

enum { WATCHES = 4, CHANGES = 19 };

static struct kit kit;
/* Per watch, "revision+key" or "revision-key", "." behind the last one. */
static char told[WATCHES + 1][512];

static void open_kit(void)
{
    kit_open(&kit, NULL);
    memset(told, 0, sizeof(told));
}

static void close_kit(void)
{
    kit_close(&kit);
}

static uint64_t watch(const char *key, const char *end, int64_t start)
{
    struct rkv_watch w = watch_of(key, end);
    uint64_t id = 0;

    w.start = start;
    ck_assert_int_eq(rkv_kv_watch(kit.kv, &w, &id), RKV_OK);
    return id;
}

/* How many came, of at most so many. */
static int pull(int most)
{
    const struct rkv_change_event *change;
    int count = 0;

    while (count < most && rkv_kv_next_change(kit.kv, &change) == 1) {
        char *line = told[change->watch];
        size_t len = strlen(line), left = sizeof(told[0]) - len;

        count++;
        if (change->kind == RKV_CHANGE_CANCELED)
            snprintf(line + len, left, "!");
        else
            snprintf(line + len, left, "%d%s%.*s%s ", (int)change->revision,
                     change->kind == RKV_CHANGE_PUT ? "+" : "-",
                     (int)change->now.key_len, (const char *)change->now.key,
                     change->last ? "." : "");
    }
    return count;
}

/* Revisions 2 to 8, and four watchers that have to read them. */
static void write_past(void)
{
    (void)kit_put(&kit, "a", "1");
    (void)add_put(kit.txn, "c", "1", 0);
    (void)add_put(kit.txn, "a", "2", 0);
    (void)add_put(kit.txn, "x", "1", 0);
    (void)add_put(kit.txn, "b", "1", 0);
    (void)kit_apply(&kit);
    (void)kit_put(&kit, "x", "2");
    (void)kit_delete(&kit, "a", "d");
    (void)kit_put(&kit, "x", "3");
    (void)kit_put(&kit, "b", "2");
    (void)kit_put(&kit, "x", "4");
}

static void watch_past(void)
{
    (void)watch("a", "d", 2);
    (void)watch("b", NULL, 2);
    (void)watch("b", "c", 2);
    (void)watch("a", "c", 3);
}

static const char *const whole[WATCHES + 1] = {
    "",
    "2+a. 3+c 3+a 3+b. 5-a 5-b 5-c. 7+b. ",
    "3+b. 5-b. 7+b. ",
    "3+b. 5-b. 7+b. ",
    "3+a 3+b. 5-a 5-b. 7+b. ",
};

START_TEST(the_past_is_told_whole_and_in_order)
{
    write_past();
    watch_past();
    ck_assert_int_eq(pull(100), CHANGES);
    for (int i = 1; i <= WATCHES; i++)
        ck_assert_str_eq(told[i], whole[i]);
    /* And the present after it. */
    (void)kit_put(&kit, "b", "3");
    ck_assert_int_eq(pull(100), 4);
    ck_assert_str_eq(told[1] + strlen(whole[1]), "9+b. ");
}
END_TEST

START_TEST(who_stops_on_the_way_is_told_nothing_more)
{
    size_t len;

    write_past();
    watch_past();
    (void)pull(_i / WATCHES);
    len = strlen(told[_i % WATCHES + 1]);
    ck_assert_int_eq(rkv_kv_unwatch(kit.kv, (uint64_t)(_i % WATCHES) + 1),
                     RKV_OK);
    (void)pull(100);
    for (int i = 1; i <= WATCHES; i++)
        if (i == _i % WATCHES + 1)
            ck_assert_uint_eq(strlen(told[i]), len);
        else
            ck_assert_str_eq(told[i], whole[i]);
}
END_TEST

START_TEST(who_comes_on_the_way_is_told_all_of_it)
{
    write_past();
    (void)watch("a", "d", 2);
    (void)watch("b", NULL, 2);
    (void)pull(_i);
    (void)watch("b", "c", 2);
    (void)watch("a", "c", 3);
    (void)kit_put(&kit, "x", "5");
    (void)pull(100);
    for (int i = 1; i <= WATCHES; i++)
        ck_assert_str_eq(told[i], whole[i]);
}
END_TEST

/* What was told is the beginning of the whole; who was not told all of it was
 * told why. */
START_TEST(a_compaction_on_the_way_leaves_no_gap)
{
    int64_t compacted = 2 + _i % 7;

    write_past();
    watch_past();
    (void)pull(_i / 7);
    ck_assert_int_eq(kit_compact(&kit, compacted), RKV_OK);
    kit_settle(&kit);
    (void)pull(100);
    for (int i = 1; i <= WATCHES; i++) {
        size_t len = strcspn(told[i], "!");

        ck_assert_mem_eq(told[i], whole[i], len);
        if (told[i][len] != '!')
            ck_assert_str_eq(told[i], whole[i]);
        else
            ck_assert_uint_eq(strlen(told[i]), len + 1);
        /* Who could still go on did. */
        if (compacted <= (i == 4 ? 3 : 2))
            ck_assert_str_eq(told[i], whole[i]);
    }
}
END_TEST

START_TEST(another_state_on_the_way_leaves_no_gap)
{
    uint8_t *data;
    size_t len;

    write_past();
    watch_past();
    data = kit_snapshot(&kit, &len);
    (void)pull(_i);
    ck_assert_int_eq(kit_restore(&kit, data, len), RKV_OK);
    (void)pull(100);
    for (int i = 1; i <= WATCHES; i++)
        ck_assert_str_eq(told[i], whole[i]);
    (void)kit_put(&kit, "b", "3");
    ck_assert_int_eq(pull(100), 4);
    free(data);
}
END_TEST

START_TEST(who_was_told_everything_is_not_cancelled)
{
    write_past();
    (void)watch("a", "d", 2);
    (void)watch("b", NULL, 2);
    (void)kit_put(&kit, "b", "3");
    /* To the last change, but not to the word that there is no more. */
    ck_assert_int_eq(pull(13), 13);
    for (int i = 0; i < 3; i++)
        (void)kit_put(&kit, "y", "1");
    ck_assert_int_eq(kit_compact(&kit, 12), RKV_OK);
    (void)kit_put(&kit, "b", "4");
    ck_assert_int_eq(pull(100), 2);
    ck_assert_ptr_null(strchr(told[1], '!'));
    ck_assert_ptr_null(strchr(told[2], '!'));
}
END_TEST

static clock_t catch_up_with(int watchers)
{
    clock_t start;
    char key[16], end[16];

    for (int i = 0; i < watchers; i++) {
        snprintf(key, sizeof(key), "other%04d/", i);
        snprintf(end, sizeof(end), "other%04d0", i);
        (void)watch(key, end, 2);
    }
    start = clock();
    ck_assert_int_eq(pull(1), 0);
    return clock() - start;
}

START_TEST(a_thousand_read_the_past_together)
{
    clock_t one;
    char key[16];

    for (int i = 0; i < 20000; i++) {
        snprintf(key, sizeof(key), "k%d", i % 500);
        (void)kit_put(&kit, key, "");
    }
    one = catch_up_with(1);
    /* A thousand times as long, if each read alone. */
    ck_assert_int_lt(catch_up_with(1000), 50 * one + 20000);
}
END_TEST

Suite *suite_kv_watchpast(void)
{
    Suite *suite = suite_create("kv watchpast");
    TCase *tcase = tcase_create("past");

    tcase_add_checked_fixture(tcase, open_kit, close_kit);
    tcase_add_test(tcase, the_past_is_told_whole_and_in_order);
    tcase_add_loop_test(tcase, who_stops_on_the_way_is_told_nothing_more, 0,
                        (CHANGES + 1) * WATCHES);
    tcase_add_loop_test(tcase, who_comes_on_the_way_is_told_all_of_it, 0, 13);
    tcase_add_loop_test(tcase, a_compaction_on_the_way_leaves_no_gap, 0,
                        (CHANGES + 1) * 7);
    tcase_add_loop_test(tcase, another_state_on_the_way_leaves_no_gap, 0,
                        CHANGES + 1);
    tcase_add_test(tcase, who_was_told_everything_is_not_cancelled);
    tcase_add_test(tcase, a_thousand_read_the_past_together);
    suite_add_tcase(suite, tcase);
    return suite;
}
