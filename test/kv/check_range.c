/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reading: which keys a range holds, what of them is shown, and then.
 */
#include <stdio.h>
#include <time.h>

#include "kv/room.h"
#include "support.h"

Suite *suite_kv_range(void);

static struct kit kit;

static void open_kit(void)
{
    kit_open(&kit, NULL);
}

static void close_kit(void)
{
    kit_close(&kit);
}

static void put_letters(void)
{
    static const char *const keys[] = {"c", "a", "b", "ab", "d", "aa"};

    for (size_t i = 0; i < 6; i++)
        (void)kit_put(&kit, keys[i], "v");
}

static const struct {
    const char *key;
    const char *end; /* "@": from key on */
    const char *keys;
} spans[] = {
    {"a", NULL, "a"},       {"aaa", NULL, ""},     {"a", "b", "a aa ab"},
    {"aa", "c", "aa ab b"}, {"aab", "bb", "ab b"}, {"b", "@", "b c d"},
    {"e", "@", ""},         {"b", "a", ""},        {"b", "b", ""},
    {"c", "zz", "c d"},
};

START_TEST(a_range_holds_these_keys)
{
    const struct rkv_response *response;

    put_letters();
    for (int64_t revision = 0; revision <= 7; revision += 7) {
        response = kit_range(&kit, spans[_i].key, spans[_i].end, revision);
        assert_keys(response, spans[_i].keys);
        ck_assert_uint_eq(response->count, response->items_count);
        ck_assert_uint_eq(response->more, 0);
    }
    /* The same, when it has become the past. */
    (void)kit_delete(&kit, "a", "@");
    assert_keys(kit_range(&kit, spans[_i].key, spans[_i].end, 7),
                spans[_i].keys);
    assert_keys(kit_range(&kit, spans[_i].key, spans[_i].end, 0), "");
}
END_TEST

START_TEST(two_zero_bytes_hold_everything)
{
    struct rkv_range range = {
        .size = sizeof(range),
        .key = "",
        .key_len = 1,
        .end = "",
        .end_len = 1,
    };
    const struct rkv_result *result;

    put_letters();
    ck_assert_int_eq(rkv_kv_range(kit.kv, &range, &result), RKV_OK);
    assert_keys(result->responses, "a aa ab b c d");
}
END_TEST

static const struct rkv_response *limited(int64_t limit, uint32_t flags,
                                          int64_t revision)
{
    struct rkv_range range = range_of("a", "d");
    const struct rkv_result *result;

    range.limit = limit;
    range.flags = flags;
    range.revision = revision;
    ck_assert_int_eq(rkv_kv_range(kit.kv, &range, &result), RKV_OK);
    ck_assert_int_eq(result->status, RKV_OK);
    return result->responses;
}

START_TEST(a_limit_cuts_the_items_but_not_the_count)
{
    /* [a, d) holds five keys. */
    static const struct {
        int64_t limit;
        const char *keys;
        uint32_t more;
    } cuts[] = {
        {-1, "a aa ab b c", 0}, {0, "a aa ab b c", 0}, {1, "a", 1},
        {4, "a aa ab b", 1},    {5, "a aa ab b c", 0}, {6, "a aa ab b c", 0},
    };

    put_letters();
    (void)kit_put(&kit, "x", "v");
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        for (int64_t revision = 0; revision <= 7; revision += 7) {
            const struct rkv_response *response =
                limited(cuts[i].limit, 0, revision);

            assert_keys(response, cuts[i].keys);
            ck_assert_uint_eq(response->count, 5);
            ck_assert_uint_eq(response->more, cuts[i].more);
        }
    }
}
END_TEST

START_TEST(only_the_count_is_only_the_count)
{
    const struct rkv_response *response;

    put_letters();
    (void)kit_put(&kit, "x", "v");
    for (int64_t revision = 0; revision <= 7; revision += 7) {
        response = limited(1, RKV_RANGE_COUNT_ONLY, revision);
        ck_assert_uint_eq(response->count, 5);
        ck_assert_uint_eq(response->items_count, 0);
        ck_assert_uint_eq(response->more, 0);
    }
}
END_TEST

START_TEST(only_keys_come_without_values_but_with_numbers)
{
    const struct rkv_response *response;

    (void)kit_put(&kit, "a", "long value");
    (void)kit_put(&kit, "a", "another");
    response = limited(0, RKV_RANGE_KEYS_ONLY, 0);
    assert_item(&response->items[0], "a", "", 2, 3, 2);
}
END_TEST

START_TEST(the_past_is_as_it_was)
{
    ck_assert_int_eq(kit_put(&kit, "a", "1"), 2);
    ck_assert_int_eq(kit_put(&kit, "a", "2"), 3);
    ck_assert_int_eq(kit_delete(&kit, "a", NULL), 4);
    ck_assert_int_eq(kit_put(&kit, "a", "3"), 5);
    ck_assert_int_eq(kit_put(&kit, "b", "4"), 6);
    ck_assert_str_eq(kit_get(&kit, "a", 1), "-");
    ck_assert_str_eq(kit_get(&kit, "a", 2), "1");
    ck_assert_str_eq(kit_get(&kit, "a", 3), "2");
    ck_assert_str_eq(kit_get(&kit, "a", 4), "-");
    ck_assert_str_eq(kit_get(&kit, "a", 5), "3");
    ck_assert_str_eq(kit_get(&kit, "a", 0), "3");
    ck_assert_str_eq(kit_get(&kit, "a", -7), "3");
    ck_assert_str_eq(kit_get(&kit, "b", 5), "-");
    assert_item(kit_range(&kit, "a", NULL, 3)->items, "a", "2", 2, 3, 2);
    assert_item(kit_range(&kit, "a", NULL, 5)->items, "a", "3", 5, 5, 1);
}
END_TEST

START_TEST(the_answer_carries_the_revision_of_now)
{
    struct rkv_range range = range_of("a", NULL);
    const struct rkv_result *result;

    put_letters();
    range.revision = 3;
    ck_assert_int_eq(rkv_kv_range(kit.kv, &range, &result), RKV_OK);
    ck_assert_int_eq(result->revision, 7);
    ck_assert_int_eq(result->responses->revision, 7);
    ck_assert_int_eq(result->compacted, -1);
    ck_assert_uint_eq(result->succeeded, 1);
}
END_TEST

START_TEST(what_cannot_be_read_is_said_in_the_status)
{
    put_letters();
    ck_assert_int_eq(kit_range_status(&kit, "a", 7), RKV_OK);
    ck_assert_int_eq(kit_range_status(&kit, "a", 8), RKV_EFUTURE);
    ck_assert_int_eq(kit_range_status(&kit, "", 0), RKV_EKEY);
    ck_assert_int_eq(kit_compact(&kit, 5), RKV_OK);
    ck_assert_int_eq(kit_range_status(&kit, "a", 4), RKV_ECOMPACTED);
    ck_assert_int_eq(kit_range_status(&kit, "a", 5), RKV_OK);
    ck_assert_int_eq(kit_range_status(&kit, "a", -1), RKV_OK);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused_by_the_call)
{
    struct rkv_range range = range_of("a", NULL);
    const struct rkv_result *result = NULL;

    range.flags = RKV_RANGE_PREV;
    ck_assert_int_eq(rkv_kv_range(kit.kv, &range, &result), RKV_EINVAL);
    range.flags = 0;
    ck_assert_int_eq(rkv_kv_range(kit.kv, &range, NULL), RKV_EINVAL);
    range.size = 3;
    ck_assert_int_eq(rkv_kv_range(kit.kv, &range, &result), RKV_EINVAL);
    range = range_of("a", NULL);
    range.end_len = 1;
    ck_assert_int_eq(rkv_kv_range(kit.kv, &range, &result), RKV_EINVAL);
    range = range_of("a", NULL);
    range.key = NULL;
    ck_assert_int_eq(rkv_kv_range(kit.kv, &range, &result), RKV_EINVAL);
    ck_assert_ptr_null(result);
}
END_TEST

START_TEST(a_page_of_many_keys_costs_what_the_page_costs)
{
    struct rkv_range range = range_of("key", "kez");
    const struct rkv_result *result;
    char key[16];

    for (int i = 0; i < 30000; i++) {
        snprintf(key, sizeof(key), "key%05d", i);
        (void)kit_put(&kit, key, "");
    }
    range.limit = 10;
    for (int i = 0; i < 100000; i++) {
        ck_assert_int_eq(rkv_kv_range(kit.kv, &range, &result), RKV_OK);
        ck_assert_uint_eq(result->responses->count, 30000);
    }
    ck_assert_uint_eq(result->responses->items_count, 10);
}
END_TEST

/* CPU seconds for reads, comparisons and deletions just before "key". */
static double knock(void)
{
    struct rkv_range range = range_of("kex", "kez");
    const struct rkv_result *result;
    clock_t start = clock();

    range.limit = 1;
    for (int i = 0; i < 3000; i++) {
        ck_assert_int_eq(rkv_kv_range(kit.kv, &range, &result), RKV_OK);
        ck_assert_uint_eq(result->responses->count, 1);
        ck_assert_uint_eq(kit_range(&kit, "a", "key", 0)->count, 0);
        (void)add_number(kit.txn, RKV_COMPARE_VERSION, RKV_EQUAL, "kex", 0);
        (void)add_delete(kit.txn, "kex", NULL, 0);
        ck_assert_uint_eq(kit_apply(&kit)->succeeded, 1);
    }
    return (double)(clock() - start) / CLOCKS_PER_SEC;
}

START_TEST(the_dead_do_not_slow_the_living)
{
    char key[16];
    double fresh;

    (void)kit_put(&kit, "key999999", "");
    fresh = knock();
    for (int i = 0; i < 400000; i++) {
        snprintf(key, sizeof(key), "key%06d", i);
        (void)kit_put(&kit, key, "");
    }
    (void)kit_delete(&kit, "key", "key9");
    /* A hundred times as long, if each leaf of dead keys were looked at. */
    ck_assert_double_lt(knock(), 20 * fresh + 0.1);
}
END_TEST

/* CPU seconds for pages of a range, and its count, at a revision. */
static double turn_pages(int64_t revision, uint64_t count)
{
    struct rkv_range range = range_of("key", "kez");
    const struct rkv_result *result;
    clock_t start = clock();

    range.revision = revision;
    for (int i = 0; i < 400; i++) {
        range.limit = 10;
        range.flags = 0;
        ck_assert_int_eq(rkv_kv_range(kit.kv, &range, &result), RKV_OK);
        ck_assert_uint_eq(result->responses->count, count);
        ck_assert_uint_eq(result->responses->items_count, 10);
        ck_assert_uint_eq(result->responses->more, 1);
        range.flags = RKV_RANGE_COUNT_ONLY;
        ck_assert_int_eq(rkv_kv_range(kit.kv, &range, &result), RKV_OK);
        ck_assert_uint_eq(result->responses->count, count);
    }
    return (double)(clock() - start) / CLOCKS_PER_SEC;
}

START_TEST(a_page_of_the_recent_past_costs_what_has_changed_since)
{
    char key[16];
    int64_t revision;

    for (int i = 0; i < 50000; i++) {
        snprintf(key, sizeof(key), "key%05d", i);
        revision = kit_put(&kit, key, "");
    }
    for (int i = 0; i < 50; i++)
        (void)kit_put(&kit, "key00000", "");
    (void)kit_delete(&kit, "key1", "key10010");
    (void)kit_put(&kit, "key00000x", "");
    (void)kit_put(&kit, "key10002", "again");
    /* A hundred times as long, if all keys were counted. */
    ck_assert_double_lt(turn_pages(revision, 50000),
                        20 * turn_pages(0, 50000 - 8) + 0.05);
}
END_TEST

START_TEST(reading_again_takes_no_memory)
{
    size_t blocks;

    put_letters();
    (void)kit_range(&kit, "a", "@", 0);
    blocks = kit.heap.blocks;
    kit.heap.left = 0;
    for (int i = 0; i < 100; i++)
        (void)kit_range(&kit, "a", "@", i % 8);
    kit.heap.left = -1;
    ck_assert_uint_eq(kit.heap.blocks, blocks);
}
END_TEST

START_TEST(memory_for_a_huge_answer_is_not_kept)
{
    char key[16];
    size_t bytes;

    for (int i = 0; i < 40000; i++) {
        snprintf(key, sizeof(key), "key%05d", i);
        (void)kit_put(&kit, key, "");
    }
    (void)kit_range(&kit, "key", NULL, 0);
    bytes = kit.heap.bytes;
    ck_assert_uint_eq(kit_range(&kit, "key", "kez", 0)->items_count, 40000);
    ck_assert_uint_gt(kit.heap.bytes, bytes + 40000 * sizeof(struct rkv_item));
    (void)kit_range(&kit, "key", NULL, 0);
    ck_assert_uint_lt(kit.heap.bytes, bytes + 20000 * sizeof(struct rkv_item));
}
END_TEST

START_TEST(a_read_after_a_huge_transaction_answers_where_it_says)
{
    for (int i = 0; i < 20000; i++)
        (void)add_range(kit.txn, "a", NULL, 0, 0, 0);
    ck_assert_int_eq(kit_status(&kit), RKV_OK);
    /* What held the 20,000 responses is given back first. */
    ck_assert_ptr_eq(kit_range(&kit, "a", NULL, 0), kit.kv->scratch.responses);
}
END_TEST

Suite *suite_kv_range(void)
{
    Suite *suite = suite_create("kv range");
    TCase *tcase = tcase_create("range");

    tcase_add_checked_fixture(tcase, open_kit, close_kit);
    tcase_add_loop_test(tcase, a_range_holds_these_keys, 0,
                        (int)(sizeof(spans) / sizeof(spans[0])));
    tcase_add_test(tcase, two_zero_bytes_hold_everything);
    tcase_add_test(tcase, a_limit_cuts_the_items_but_not_the_count);
    tcase_add_test(tcase, only_the_count_is_only_the_count);
    tcase_add_test(tcase, only_keys_come_without_values_but_with_numbers);
    tcase_add_test(tcase, the_past_is_as_it_was);
    tcase_add_test(tcase, the_answer_carries_the_revision_of_now);
    tcase_add_test(tcase, what_cannot_be_read_is_said_in_the_status);
    tcase_add_test(tcase, what_makes_no_sense_is_refused_by_the_call);
    tcase_add_test(tcase, a_page_of_many_keys_costs_what_the_page_costs);
    tcase_add_test(tcase, the_dead_do_not_slow_the_living);
    tcase_add_test(tcase,
                   a_page_of_the_recent_past_costs_what_has_changed_since);
    tcase_add_test(tcase, reading_again_takes_no_memory);
    tcase_add_test(tcase, memory_for_a_huge_answer_is_not_kept);
    tcase_add_test(tcase,
                   a_read_after_a_huge_transaction_answers_where_it_says);
    suite_add_tcase(suite, tcase);
    return suite;
}
