/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Compaction: what stays, what is refused, and that the memory comes back
 * without anybody noticing when.
 */
#include <stdio.h>
#include <time.h>

#include "base/prng.h"
#include "kv/room.h"
#include "support.h"

Suite *suite_kv_compact(void);

static struct kit kit;

static void open_kit(void)
{
    kit_open(&kit, NULL);
}

static void close_kit(void)
{
    kit_close(&kit);
}

/* Records in memory, whatever counts. */
static uint64_t in_memory(void)
{
    struct rkv_history_place place =
        rkv_history_seek(&kit.kv->state->history, -1, 0);
    uint64_t count = 0;

    while (rkv_history_next(&kit.kv->state->history, &place) != NULL)
        count++;
    return count;
}

START_TEST(only_what_is_ahead_can_be_compacted)
{
    ck_assert_int_eq(kit_compact(&kit, 2), RKV_EFUTURE);
    ck_assert_int_eq(kit_compact(&kit, -1), RKV_ECOMPACTED);
    ck_assert_int_eq(kit_compact(&kit, 0), RKV_OK);
    ck_assert_int_eq(kit_compact(&kit, 0), RKV_ECOMPACTED);
    ck_assert_int_eq(kit_compact(&kit, 1), RKV_OK);
    (void)kit_put(&kit, "a", "1");
    ck_assert_int_eq(kit_compact(&kit, 2), RKV_OK);
    (void)rkv_txn_compact(kit.txn, 2);
    ck_assert_int_eq(kit_apply(&kit)->compacted, 2);
    ck_assert_int_eq(kit_report(&kit).revision, 2);
    ck_assert_int_eq(kit_report(&kit).compacted, 2);
}
END_TEST

/* a: 2, 3, deleted at 4; b: 5, 6; c: 7, deleted at 8; d: 9; a again: 10 */
static void write_story(void)
{
    (void)kit_put(&kit, "a", "1");
    (void)kit_put(&kit, "a", "2");
    (void)kit_delete(&kit, "a", NULL);
    (void)kit_put(&kit, "b", "3");
    (void)kit_put(&kit, "b", "4");
    (void)kit_put(&kit, "c", "5");
    (void)kit_delete(&kit, "c", NULL);
    (void)kit_put(&kit, "d", "6");
    (void)kit_put(&kit, "a", "7");
}

static const struct {
    int64_t revision;
    uint64_t held;
} stories[] = {
    {1, 9},  {2, 9},         /* nothing is replaced yet */
    {3, 8},                  /* a@2 */
    {4, 7},                  /* a@3; the deletion at 4 stays */
    {5, 6},                  /* now it goes */
    {6, 5},                  /* b@5 */
    {7, 5},  {8, 4}, {9, 3}, /* c */
    {10, 3},                 /* a@10, b@6, d@9 */
};

START_TEST(a_compaction_keeps_the_newest_and_what_is_behind)
{
    write_story();
    ck_assert_int_eq(kit_compact(&kit, stories[_i].revision), RKV_OK);
    ck_assert_uint_eq(kit_report(&kit).revisions, stories[_i].held);
    kit_settle(&kit);
    ck_assert_uint_eq(in_memory(), stories[_i].held);
    ck_assert_uint_eq(kit_report(&kit).revisions, stories[_i].held);
    ck_assert_uint_eq(kit_report(&kit).keys, 3);
    assert_keys(kit_range(&kit, "a", "z", 0), "a b d");
}
END_TEST

START_TEST(compacting_step_by_step_comes_to_the_same)
{
    write_story();
    for (int64_t revision = 1; revision <= 10; revision++) {
        ck_assert_int_eq(kit_compact(&kit, revision), RKV_OK);
        ck_assert_uint_eq(kit_report(&kit).revisions,
                          stories[revision - 1].held);
        if (_i == 1)
            kit_settle(&kit);
    }
    kit_settle(&kit);
    ck_assert_uint_eq(in_memory(), 3);
}
END_TEST

START_TEST(readers_below_are_refused_at_once)
{
    write_story();
    ck_assert_int_eq(kit_compact(&kit, 6), RKV_OK);
    ck_assert_int_eq(kit_range_status(&kit, "a", 5), RKV_ECOMPACTED);
    ck_assert_str_eq(kit_get(&kit, "b", 6), "4");
    ck_assert_str_eq(kit_get(&kit, "c", 7), "5");
    ck_assert_str_eq(kit_get(&kit, "a", 6), "-");
    ck_assert_str_eq(kit_get(&kit, "a", 10), "7");
}
END_TEST

START_TEST(a_key_that_died_long_ago_leaves_no_trace)
{
    char key[16];

    for (int i = 0; i < 3000; i++) {
        snprintf(key, sizeof(key), "key%d", i);
        (void)kit_put(&kit, key, "v");
    }
    (void)kit_delete(&kit, "key", "kez");
    (void)kit_put(&kit, "other", "v");
    ck_assert_int_eq(kit_compact(&kit, kit_report(&kit).revision), RKV_OK);
    kit_settle(&kit);
    ck_assert_uint_eq(in_memory(), 1);
    ck_assert_uint_eq(kit_report(&kit).bytes, 6);
    ck_assert_ptr_null(rkv_tree_find(&kit.kv->state->tree, "key7", 4).record);
    ck_assert(rkv_tree_check(&kit.kv->state->tree));
    (void)kit_put(&kit, "key7", "again");
    assert_item(kit_range(&kit, "key7", NULL, 0)->items, "key7", "again", 3004,
                3004, 1);
}
END_TEST

START_TEST(memory_is_used_again_after_a_compaction)
{
    size_t bytes = 0;

    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 2000; i++)
            (void)kit_put(&kit, "a", "value");
        ck_assert_int_eq(kit_compact(&kit, kit_report(&kit).revision), RKV_OK);
        kit_settle(&kit);
        if (round == 1)
            bytes = kit.heap.bytes;
    }
    ck_assert_uint_le(kit.heap.bytes, bytes);
    ck_assert_uint_eq(in_memory(), 1);
}
END_TEST

START_TEST(sweeping_goes_on_while_commands_are_applied)
{
    for (int i = 0; i < 10000; i++)
        (void)kit_put(&kit, "a", "value");
    ck_assert_int_eq(kit_compact(&kit, kit_report(&kit).revision), RKV_OK);
    ck_assert_uint_eq(kit_report(&kit).revisions, 1);
    /* Not in one go: a compaction must not hold up the others. */
    ck_assert_uint_gt(in_memory(), 9000);
    for (int i = 0; i < 200; i++)
        (void)kit_put(&kit, "b", "value");
    ck_assert_uint_eq(in_memory(), 201);
}
END_TEST

static void put_hundred(void)
{
    char key[16];

    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "key%d", i);
        (void)add_put(kit.txn, key, "value", 0);
    }
    ck_assert_int_eq(kit_status(&kit), RKV_OK);
}

START_TEST(sweeping_keeps_pace_with_large_transactions)
{
    for (int round = 0; round < 300; round++) {
        for (int i = 0; i < 10; i++)
            put_hundred();
        ck_assert_int_eq(kit_compact(&kit, kit_report(&kit).revision), RKV_OK);
    }
    /* What two rounds have written, not what all have. */
    ck_assert_uint_lt(in_memory(), 2100);
}
END_TEST

START_TEST(sweeping_keeps_pace_with_views_that_hold_it_up)
{
    rkv_snapshot *view;

    for (int round = 0; round < 100; round++) {
        ck_assert_int_eq(rkv_kv_snapshot(kit.kv, &view), RKV_OK);
        for (int i = 0; i < 10; i++)
            put_hundred();
        ck_assert_int_eq(kit_compact(&kit, kit_report(&kit).revision), RKV_OK);
        rkv_snapshot_close(view);
        put_hundred();
    }
    ck_assert_uint_lt(in_memory(), 5000);
}
END_TEST

START_TEST(a_compaction_looks_at_few_records_however_they_came)
{
    clock_t start, deleting, compacting;
    char key[16];
    int64_t revision;

    /* Never a multiple of 256 at the end of a transaction. */
    for (int i = 0; i < 200; i++) {
        put_hundred();
        (void)kit_put(&kit, "one more", "");
    }
    ck_assert_uint_ge(kit.kv->state->checkpoints_count, 200 * 101 / 512);
    for (int i = 0; i < 200000; i++) {
        snprintf(key, sizeof(key), "mass%06d", i);
        (void)kit_put(&kit, key, "");
    }
    start = clock();
    revision = kit_delete(&kit, "mass", "masz");
    deleting = clock() - start;
    for (int i = 0; i < 2; i++) {
        start = clock();
        ck_assert_int_eq(kit_compact(&kit, revision), RKV_OK);
        compacting = clock() - start;
        ck_assert_int_lt(compacting * 30, deleting + 3000);
        revision = kit_put(&kit, "a", "1");
    }
    ck_assert_uint_eq(kit_report(&kit).keys, 102);
    ck_assert_uint_eq(kit_report(&kit).revisions, 103);
}
END_TEST

START_TEST(two_stores_that_sweep_at_another_pace_hold_the_same)
{
    struct rkv_prng prng;
    struct kit other;
    char key[2] = "a";

    kit_open(&other, NULL);
    rkv_prng_seed(&prng, 5);
    for (int i = 0; i < 4000; i++) {
        int64_t revision = kit_report(&kit).revision;

        key[0] = (char)('a' + rkv_prng_below(&prng, 20));
        switch (rkv_prng_below(&prng, 20)) {
        case 0:
            revision -= (int64_t)rkv_prng_below(&prng, 30);
            ck_assert_int_eq(kit_compact(&kit, revision),
                             kit_compact(&other, revision));
            break;
        case 1:
        case 2:
            (void)kit_delete(&kit, key, NULL);
            (void)kit_delete(&other, key, NULL);
            break;
        default:
            (void)kit_put(&kit, key, "v");
            (void)kit_put(&other, key, "v");
        }
        if (i % 7 == 0)
            for (int j = 0; j < 10; j++)
                (void)rkv_kv_skip(other.kv, ++other.index);
        ck_assert_uint_eq(kit_report(&kit).hash, kit_report(&other).hash);
        ck_assert_uint_eq(kit_report(&kit).bytes, kit_report(&other).bytes);
    }
    kit_close(&other);
}
END_TEST

Suite *suite_kv_compact(void)
{
    Suite *suite = suite_create("kv compact");
    TCase *tcase = tcase_create("compact");

    tcase_add_checked_fixture(tcase, open_kit, close_kit);
    tcase_add_test(tcase, only_what_is_ahead_can_be_compacted);
    tcase_add_loop_test(tcase, a_compaction_keeps_the_newest_and_what_is_behind,
                        0, (int)(sizeof(stories) / sizeof(stories[0])));
    tcase_add_loop_test(tcase, compacting_step_by_step_comes_to_the_same, 0, 2);
    tcase_add_test(tcase, readers_below_are_refused_at_once);
    tcase_add_test(tcase, a_key_that_died_long_ago_leaves_no_trace);
    tcase_add_test(tcase, memory_is_used_again_after_a_compaction);
    tcase_add_test(tcase, sweeping_goes_on_while_commands_are_applied);
    tcase_add_test(tcase, sweeping_keeps_pace_with_large_transactions);
    tcase_add_test(tcase, sweeping_keeps_pace_with_views_that_hold_it_up);
    tcase_add_test(tcase, a_compaction_looks_at_few_records_however_they_came);
    tcase_add_test(tcase, two_stores_that_sweep_at_another_pace_hold_the_same);
    suite_add_tcase(suite, tcase);
    return suite;
}
