/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Applying: revisions, versions, what came before, transactions and why some
 * are refused.  After etcd's rules, one by one.
 */
#include <string.h>

#include "support.h"

Suite *suite_kv_apply(void);

static struct kit kit;
static rkv_txn *txn;

static void open_kit(void)
{
    kit_open(&kit, NULL);
    txn = kit.txn;
}

static void close_kit(void)
{
    kit_close(&kit);
}

/* ------------------------------------------------------- puts, deletions */

START_TEST(a_fresh_store_is_at_revision_one)
{
    struct rkv_kv_status status = kit_report(&kit);

    ck_assert_int_eq(status.revision, 1);
    ck_assert_int_eq(status.compacted, -1);
    ck_assert_uint_eq(status.applied, 0);
    ck_assert_uint_eq(status.keys, 0);
    ck_assert_uint_eq(status.revisions, 0);
    ck_assert_uint_eq(status.bytes, 0);
}
END_TEST

START_TEST(a_put_raises_revision_and_version)
{
    ck_assert_int_eq(kit_put(&kit, "a", "1"), 2);
    assert_item(kit_range(&kit, "a", NULL, 0)->items, "a", "1", 2, 2, 1);
    ck_assert_int_eq(kit_put(&kit, "b", "1"), 3);
    ck_assert_int_eq(kit_put(&kit, "a", "1"), 4); /* the same value counts */
    assert_item(kit_range(&kit, "a", NULL, 0)->items, "a", "1", 2, 4, 2);
    ck_assert_int_eq(kit_delete(&kit, "a", NULL), 5);
    ck_assert_int_eq(kit_put(&kit, "a", "2"), 6);
    assert_item(kit_range(&kit, "a", NULL, 0)->items, "a", "2", 6, 6, 1);
    ck_assert_uint_eq(kit_report(&kit).keys, 2);
    ck_assert_uint_eq(kit_report(&kit).revisions, 5);
    ck_assert_uint_eq(kit_report(&kit).bytes, 9);
}
END_TEST

START_TEST(what_changes_nothing_takes_no_revision)
{
    const struct rkv_result *result;

    ck_assert_int_eq(kit_delete(&kit, "a", NULL), 1);
    (void)add_range(txn, "a", "@", 0, 0, 0);
    ck_assert_int_eq(kit_apply(&kit)->revision, 1);
    result = kit_apply(&kit); /* nothing at all */
    ck_assert_int_eq(result->status, RKV_OK);
    ck_assert_uint_eq(result->succeeded, 1);
    ck_assert_uint_eq(result->responses_count, 0);
    ck_assert_int_eq(result->revision, 1);
    ck_assert_uint_eq(kit_report(&kit).applied, 3);
}
END_TEST

START_TEST(a_put_shows_what_it_replaced_if_asked)
{
    const struct rkv_response *response;

    (void)add_put(txn, "a", "1", RKV_PUT_PREV);
    response = kit_apply(&kit)->responses;
    ck_assert_uint_eq(response->kind, RKV_RESPONSE_PUT);
    ck_assert_uint_eq(response->items_count, 0);
    (void)add_put(txn, "a", "2", RKV_PUT_PREV);
    response = kit_apply(&kit)->responses;
    ck_assert_uint_eq(response->items_count, 1);
    assert_item(response->items, "a", "1", 2, 2, 1);
    ck_assert_int_eq(response->revision, 3);
    (void)add_put(txn, "a", "3", 0);
    ck_assert_uint_eq(kit_apply(&kit)->responses->items_count, 0);
    (void)kit_delete(&kit, "a", NULL);
    (void)add_put(txn, "a", "4", RKV_PUT_PREV);
    ck_assert_uint_eq(kit_apply(&kit)->responses->items_count, 0);
}
END_TEST

START_TEST(a_deletion_counts_and_shows_what_it_took)
{
    const struct rkv_response *response;

    (void)kit_put(&kit, "b", "2");
    (void)kit_put(&kit, "a", "1");
    (void)kit_put(&kit, "c", "3");
    (void)add_delete(txn, "a", "c", RKV_RANGE_PREV);
    response = kit_apply(&kit)->responses;
    ck_assert_uint_eq(response->kind, RKV_RESPONSE_DELETE);
    ck_assert_uint_eq(response->count, 2);
    ck_assert_uint_eq(response->items_count, 2);
    assert_item(&response->items[0], "a", "1", 3, 3, 1);
    assert_item(&response->items[1], "b", "2", 2, 2, 1);
    ck_assert_int_eq(response->revision, 5);
    (void)add_delete(txn, "a", "@", 0);
    response = kit_apply(&kit)->responses;
    ck_assert_uint_eq(response->count, 1);
    ck_assert_uint_eq(response->items_count, 0);
    ck_assert_uint_eq(kit_report(&kit).keys, 0);
}
END_TEST

START_TEST(a_value_can_be_kept)
{
    (void)add_put(txn, "a", "", RKV_PUT_IGNORE_VALUE);
    ck_assert_int_eq(kit_status(&kit), RKV_ENOTFOUND);
    (void)kit_put(&kit, "a", "1");
    (void)add_put(txn, "a", "", RKV_PUT_IGNORE_VALUE | RKV_PUT_PREV);
    assert_item(kit_apply(&kit)->responses->items, "a", "1", 2, 2, 1);
    assert_item(kit_range(&kit, "a", NULL, 0)->items, "a", "1", 2, 3, 2);
    (void)add_put(txn, "a", "2", RKV_PUT_IGNORE_LEASE);
    ck_assert_int_eq(kit_status(&kit), RKV_OK);
    (void)kit_delete(&kit, "a", NULL);
    (void)add_put(txn, "a", "3", RKV_PUT_IGNORE_LEASE);
    ck_assert_int_eq(kit_status(&kit), RKV_ENOTFOUND);
}
END_TEST

START_TEST(a_lease_is_not_found_while_there_are_none)
{
    struct rkv_put put = {
        .size = sizeof(put), .key = "a", .key_len = 1, .lease = 7};

    (void)rkv_txn_put(txn, &put);
    ck_assert_int_eq(kit_status(&kit), RKV_ELEASE);
    ck_assert_int_eq(kit_report(&kit).revision, 1);
}
END_TEST

/* ----------------------------------------------------------- comparisons */

static const struct {
    uint32_t target;
    uint32_t relation;
    const char *key;
    int64_t number;
    const char *value;
    uint32_t holds;
} comparisons[] = {
    /* a: created at 2, changed at 3, version 2, value "m"; x: absent */
    {RKV_COMPARE_VERSION, RKV_EQUAL, "a", 2, NULL, 1},
    {RKV_COMPARE_VERSION, RKV_EQUAL, "a", 1, NULL, 0},
    {RKV_COMPARE_VERSION, RKV_GREATER, "a", 1, NULL, 1},
    {RKV_COMPARE_VERSION, RKV_GREATER, "a", 2, NULL, 0},
    {RKV_COMPARE_VERSION, RKV_LESS, "a", 3, NULL, 1},
    {RKV_COMPARE_VERSION, RKV_LESS, "a", 2, NULL, 0},
    {RKV_COMPARE_VERSION, RKV_NOT_EQUAL, "a", 1, NULL, 1},
    {RKV_COMPARE_VERSION, RKV_NOT_EQUAL, "a", 2, NULL, 0},
    {RKV_COMPARE_CREATE, RKV_EQUAL, "a", 2, NULL, 1},
    {RKV_COMPARE_CREATE, RKV_GREATER, "a", 2, NULL, 0},
    {RKV_COMPARE_MOD, RKV_EQUAL, "a", 3, NULL, 1},
    {RKV_COMPARE_MOD, RKV_LESS, "a", 3, NULL, 0},
    {RKV_COMPARE_LEASE, RKV_EQUAL, "a", 0, NULL, 1},
    {RKV_COMPARE_LEASE, RKV_GREATER, "a", 0, NULL, 0},
    {RKV_COMPARE_VALUE, RKV_EQUAL, "a", 0, "m", 1},
    {RKV_COMPARE_VALUE, RKV_EQUAL, "a", 0, "mm", 0},
    {RKV_COMPARE_VALUE, RKV_LESS, "a", 0, "mm", 1},
    {RKV_COMPARE_VALUE, RKV_GREATER, "a", 0, "", 1},
    {RKV_COMPARE_VALUE, RKV_GREATER, "a", 0, "b", 1},
    {RKV_COMPARE_VALUE, RKV_NOT_EQUAL, "a", 0, "b", 1},
    /* an absent key is a key of zeros, but its value compares as nothing */
    {RKV_COMPARE_VERSION, RKV_EQUAL, "x", 0, NULL, 1},
    {RKV_COMPARE_CREATE, RKV_EQUAL, "x", 0, NULL, 1},
    {RKV_COMPARE_MOD, RKV_LESS, "x", 1, NULL, 1},
    {RKV_COMPARE_LEASE, RKV_EQUAL, "x", 0, NULL, 1},
    {RKV_COMPARE_VERSION, RKV_GREATER, "x", 0, NULL, 0},
    {RKV_COMPARE_VALUE, RKV_EQUAL, "x", 0, "", 0},
    {RKV_COMPARE_VALUE, RKV_NOT_EQUAL, "x", 0, "m", 0},
    {RKV_COMPARE_VALUE, 99, "x", 0, "m", 0},
    /* what nobody knows */
    {RKV_COMPARE_VERSION, 99, "a", 77, NULL, 1},
    {99, RKV_EQUAL, "a", 77, NULL, 1},
    {99, RKV_NOT_EQUAL, "a", 77, NULL, 0},
    {99, RKV_GREATER, "a", 77, NULL, 0},
};

START_TEST(a_comparison_holds_or_not)
{
    (void)kit_put(&kit, "a", "l");
    (void)kit_put(&kit, "a", "m");
    if (comparisons[_i].value != NULL)
        (void)add_value(txn, comparisons[_i].relation, comparisons[_i].key,
                        comparisons[_i].value);
    else
        (void)add_number(txn, comparisons[_i].target, comparisons[_i].relation,
                         comparisons[_i].key, comparisons[_i].number);
    ck_assert_uint_eq(kit_apply(&kit)->succeeded, comparisons[_i].holds);
}
END_TEST

static uint32_t version_in_range(const char *key, const char *end,
                                 uint32_t relation, int64_t version)
{
    struct rkv_range range = range_of(key, end);
    struct rkv_compare compare = {
        .size = sizeof(compare),
        .target = RKV_COMPARE_VERSION,
        .relation = relation,
        .key = range.key,
        .key_len = range.key_len,
        .end = range.end,
        .end_len = range.end_len,
        .number = version,
    };

    (void)rkv_txn_compare(txn, &compare);
    return kit_apply(&kit)->succeeded;
}

START_TEST(a_comparison_over_a_range_holds_for_every_key)
{
    (void)kit_put(&kit, "a", "1");
    (void)kit_put(&kit, "b", "1");
    (void)kit_put(&kit, "b", "2");
    ck_assert_uint_eq(version_in_range("a", "c", RKV_GREATER, 0), 1);
    ck_assert_uint_eq(version_in_range("a", "c", RKV_EQUAL, 1), 0);
    ck_assert_uint_eq(version_in_range("a", "b", RKV_EQUAL, 1), 1);
    ck_assert_uint_eq(version_in_range("b", "@", RKV_EQUAL, 2), 1);
    /* An empty one is one absent key. */
    ck_assert_uint_eq(version_in_range("c", "@", RKV_EQUAL, 0), 1);
    ck_assert_uint_eq(version_in_range("c", "a", RKV_GREATER, 0), 0);
}
END_TEST

START_TEST(all_comparisons_must_hold)
{
    (void)kit_put(&kit, "a", "1");
    (void)add_number(txn, RKV_COMPARE_VERSION, RKV_EQUAL, "a", 1);
    (void)add_number(txn, RKV_COMPARE_VERSION, RKV_EQUAL, "a", 2);
    (void)add_put(txn, "then", "", 0);
    (void)rkv_txn_else(txn);
    (void)add_put(txn, "else", "", 0);
    ck_assert_uint_eq(kit_apply(&kit)->succeeded, 0);
    assert_keys(kit_range(&kit, "a", "@", 0), "a else");
}
END_TEST

/* ---------------------------------------------------------- transactions */

START_TEST(a_transaction_has_one_revision)
{
    const struct rkv_result *result;

    (void)kit_put(&kit, "a", "0");
    (void)add_range(txn, "a", "@", 0, 0, 0);
    (void)add_put(txn, "b", "1", 0);
    (void)add_put(txn, "c", "2", 0);
    (void)add_range(txn, "a", "@", 0, 0, 0);
    (void)add_delete(txn, "a", NULL, 0);
    (void)add_range(txn, "a", "@", 0, 0, RKV_RANGE_COUNT_ONLY);
    result = kit_apply(&kit);
    ck_assert_int_eq(result->revision, 3);
    ck_assert_uint_eq(result->responses_count, 6);
    assert_keys(&result->responses[0], "a");
    assert_keys(&result->responses[3], "a b c");
    ck_assert_uint_eq(result->responses[5].count, 2);
    /* Before its first change the store is where it was. */
    ck_assert_int_eq(result->responses[0].revision, 2);
    ck_assert_int_eq(result->responses[1].revision, 3);
    ck_assert_int_eq(result->responses[5].revision, 3);
    assert_item(kit_range(&kit, "c", NULL, 0)->items, "c", "2", 3, 3, 1);
}
END_TEST

START_TEST(a_range_inside_can_look_back)
{
    const struct rkv_result *result;

    (void)kit_put(&kit, "a", "0");
    (void)add_put(txn, "a", "1", 0);
    (void)add_range(txn, "a", NULL, 2, 0, 0);
    (void)add_range(txn, "a", NULL, 0, 0, 0);
    result = kit_apply(&kit);
    assert_item(result->responses[1].items, "a", "0", 2, 2, 1);
    assert_item(result->responses[2].items, "a", "1", 2, 3, 2);
}
END_TEST

START_TEST(a_negative_revision_inside_is_a_number)
{
    (void)kit_put(&kit, "a", "0");
    (void)add_range(txn, "a", NULL, -1, 0, 0);
    ck_assert_uint_eq(kit_apply(&kit)->responses->count, 1);
    (void)add_range(txn, "a", NULL, -2, 0, 0);
    ck_assert_int_eq(kit_status(&kit), RKV_ECOMPACTED);
    ck_assert_int_eq(kit_compact(&kit, 0), RKV_OK);
    (void)add_range(txn, "a", NULL, -1, 0, 0);
    ck_assert_int_eq(kit_status(&kit), RKV_ECOMPACTED);
}
END_TEST

START_TEST(one_operation_that_cannot_be_done_refuses_all)
{
    uint64_t hash;

    (void)kit_put(&kit, "a", "0");
    (void)kit_put(&kit, "a", "1");
    ck_assert_int_eq(kit_compact(&kit, 3), RKV_OK);
    hash = kit_report(&kit).hash;
    (void)add_put(txn, "b", "1", 0);
    (void)add_range(txn, "a", NULL, 4, 0, 0);
    ck_assert_int_eq(kit_status(&kit), RKV_EFUTURE);
    (void)add_put(txn, "b", "1", 0);
    (void)add_range(txn, "a", NULL, 2, 0, 0);
    ck_assert_int_eq(kit_status(&kit), RKV_ECOMPACTED);
    (void)add_put(txn, "b", "1", 0);
    (void)rkv_txn_begin(txn);
    (void)add_put(txn, "c", "", RKV_PUT_IGNORE_VALUE);
    (void)rkv_txn_end(txn);
    ck_assert_int_eq(kit_status(&kit), RKV_ENOTFOUND);
    ck_assert_uint_eq(kit_report(&kit).hash, hash);
    ck_assert_int_eq(kit_report(&kit).revision, 3);
    /* On the path that is not taken nothing is checked. */
    (void)rkv_txn_else(txn);
    (void)add_range(txn, "a", NULL, 99, 0, 0);
    ck_assert_int_eq(kit_status(&kit), RKV_OK);
}
END_TEST

START_TEST(a_put_that_cannot_be_done_is_said_before_a_range)
{
    /* As etcd: all puts are looked at, then all ranges, also inside. */
    (void)add_range(txn, "a", NULL, 99, 0, 0);
    (void)rkv_txn_begin(txn);
    (void)add_put(txn, "b", "", RKV_PUT_IGNORE_VALUE);
    (void)rkv_txn_end(txn);
    ck_assert_int_eq(kit_status(&kit), RKV_ENOTFOUND);
    /* Of several ranges the first one counts. */
    ck_assert_int_eq(kit_compact(&kit, 1), RKV_OK);
    (void)rkv_txn_begin(txn);
    (void)add_range(txn, "a", NULL, -1, 0, 0);
    (void)rkv_txn_end(txn);
    (void)add_range(txn, "a", NULL, 99, 0, 0);
    ck_assert_int_eq(kit_status(&kit), RKV_ECOMPACTED);
}
END_TEST

START_TEST(a_transaction_inside_compares_what_was_before_all)
{
    const struct rkv_result *result;

    (void)add_put(txn, "a", "1", 0);
    (void)rkv_txn_begin(txn);
    (void)add_number(txn, RKV_COMPARE_VERSION, RKV_EQUAL, "a", 0);
    (void)add_put(txn, "b", "was not there", 0);
    (void)rkv_txn_else(txn);
    (void)add_put(txn, "b", "was there", 0);
    (void)rkv_txn_end(txn);
    (void)add_range(txn, "b", NULL, 0, 0, 0);
    result = kit_apply(&kit);
    ck_assert_uint_eq(result->responses_count, 3);
    ck_assert_uint_eq(result->responses[1].kind, RKV_RESPONSE_TXN);
    ck_assert_uint_eq(result->responses[1].txn->succeeded, 1);
    ck_assert_uint_eq(result->responses[1].txn->responses_count, 1);
    ck_assert_int_eq(result->responses[1].revision, 2);
    assert_item(result->responses[2].items, "b", "was not there", 2, 2, 1);
}
END_TEST

START_TEST(transactions_inside_each_other_answer_in_their_places)
{
    const struct rkv_result *result, *inner, *innermost;

    (void)kit_put(&kit, "a", "1");
    (void)rkv_txn_begin(txn);
    (void)add_number(txn, RKV_COMPARE_VERSION, RKV_EQUAL, "a", 9);
    (void)add_put(txn, "never", "", 0);
    (void)rkv_txn_begin(txn);
    (void)rkv_txn_end(txn);
    (void)rkv_txn_else(txn);
    (void)add_range(txn, "a", NULL, 0, 0, 0);
    (void)rkv_txn_begin(txn);
    (void)add_delete(txn, "a", NULL, RKV_RANGE_PREV);
    (void)rkv_txn_end(txn);
    (void)add_range(txn, "a", NULL, 0, 0, 0);
    (void)rkv_txn_end(txn);
    (void)add_put(txn, "b", "2", 0);
    result = kit_apply(&kit);
    ck_assert_uint_eq(result->responses_count, 2);
    inner = result->responses[0].txn;
    ck_assert_uint_eq(inner->succeeded, 0);
    ck_assert_uint_eq(inner->responses_count, 3);
    assert_item(inner->responses[0].items, "a", "1", 2, 2, 1);
    innermost = inner->responses[1].txn;
    ck_assert_uint_eq(innermost->succeeded, 1);
    assert_item(innermost->responses[0].items, "a", "1", 2, 2, 1);
    ck_assert_uint_eq(inner->responses[2].count, 0);
    ck_assert_int_eq(inner->revision, 3);
    ck_assert_int_eq(result->responses[0].revision, 3);
}
END_TEST

/* ----------------------------------------------------------------- calls */

START_TEST(an_index_is_applied_once_and_in_order)
{
    const uint8_t nothing[] = {1};
    const struct rkv_result *result = NULL;

    ck_assert_int_eq(rkv_kv_apply(kit.kv, 0, nothing, 1, &result), RKV_EINVAL);
    ck_assert_int_eq(rkv_kv_apply(kit.kv, 5, nothing, 1, &result), RKV_OK);
    result = NULL;
    ck_assert_int_eq(rkv_kv_apply(kit.kv, 5, nothing, 1, &result), RKV_EINVAL);
    ck_assert_int_eq(rkv_kv_apply(kit.kv, 4, nothing, 1, &result), RKV_EINVAL);
    ck_assert_ptr_null(result);
    ck_assert_int_eq(rkv_kv_skip(kit.kv, 5), RKV_EINVAL);
    ck_assert_int_eq(rkv_kv_skip(kit.kv, 9), RKV_OK);
    ck_assert_int_eq(rkv_kv_apply(kit.kv, 9, nothing, 1, NULL), RKV_EINVAL);
    ck_assert_int_eq(rkv_kv_apply(kit.kv, 10, nothing, 1, NULL), RKV_OK);
    ck_assert_uint_eq(kit_report(&kit).applied, 10);
}
END_TEST

START_TEST(options_outside_their_range_are_refused)
{
    struct rkv_kv_options options = {.size = sizeof(options)};
    rkv_kv *kv;

    options.txn_depth_max = 33;
    ck_assert_int_eq(rkv_kv_new(&options, &kv), RKV_EINVAL);
    options.txn_depth_max = 0;
    options.command_bytes_max = (uint64_t)1 << 31;
    ck_assert_int_eq(rkv_kv_new(&options, &kv), RKV_EINVAL);
    options.command_bytes_max = 0;
    options.size = 1;
    ck_assert_int_eq(rkv_kv_new(&options, &kv), RKV_EINVAL);
    ck_assert_int_eq(rkv_kv_new(NULL, NULL), RKV_EINVAL);
    ck_assert_int_eq(rkv_kv_new(NULL, &kv), RKV_OK);
    rkv_kv_free(kv);
    rkv_kv_free(NULL);
    rkv_txn_free(NULL);
}
END_TEST

START_TEST(large_values_come_back_as_they_went)
{
    static char value[100001];
    struct rkv_put put = {
        .size = sizeof(put),
        .key = "a",
        .key_len = 1,
        .value = value,
        .value_len = sizeof(value),
    };
    const struct rkv_response *response;

    for (size_t i = 0; i < sizeof(value); i++)
        value[i] = (char)(i % 251);
    (void)rkv_txn_put(txn, &put);
    ck_assert_int_eq(kit_status(&kit), RKV_OK);
    response = kit_range(&kit, "a", NULL, 0);
    ck_assert_uint_eq(response->items->value_len, sizeof(value));
    ck_assert_mem_eq(response->items->value, value, sizeof(value));
}
END_TEST

Suite *suite_kv_apply(void)
{
    Suite *suite = suite_create("kv apply");
    TCase *tcase = tcase_create("apply");

    tcase_add_checked_fixture(tcase, open_kit, close_kit);
    tcase_add_test(tcase, a_fresh_store_is_at_revision_one);
    tcase_add_test(tcase, a_put_raises_revision_and_version);
    tcase_add_test(tcase, what_changes_nothing_takes_no_revision);
    tcase_add_test(tcase, a_put_shows_what_it_replaced_if_asked);
    tcase_add_test(tcase, a_deletion_counts_and_shows_what_it_took);
    tcase_add_test(tcase, a_value_can_be_kept);
    tcase_add_test(tcase, a_lease_is_not_found_while_there_are_none);
    tcase_add_loop_test(tcase, a_comparison_holds_or_not, 0,
                        (int)(sizeof(comparisons) / sizeof(comparisons[0])));
    tcase_add_test(tcase, a_comparison_over_a_range_holds_for_every_key);
    tcase_add_test(tcase, all_comparisons_must_hold);
    tcase_add_test(tcase, a_transaction_has_one_revision);
    tcase_add_test(tcase, a_range_inside_can_look_back);
    tcase_add_test(tcase, a_negative_revision_inside_is_a_number);
    tcase_add_test(tcase, one_operation_that_cannot_be_done_refuses_all);
    tcase_add_test(tcase, a_put_that_cannot_be_done_is_said_before_a_range);
    tcase_add_test(tcase, a_transaction_inside_compares_what_was_before_all);
    tcase_add_test(tcase,
                   transactions_inside_each_other_answer_in_their_places);
    tcase_add_test(tcase, an_index_is_applied_once_and_in_order);
    tcase_add_test(tcase, options_outside_their_range_are_refused);
    tcase_add_test(tcase, large_values_come_back_as_they_went);
    suite_add_tcase(suite, tcase);
    return suite;
}
