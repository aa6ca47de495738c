/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Ranges in another order, from an offset, within bounds on revisions: inside
 * a transaction and outside, now and then.
 */
#include <stdio.h>
#include <string.h>

#include "support.h"

Suite *suite_kv_shape(void);

static struct kit kit;

/* By key: a (create 2, mod 8, version 3, "x"), b (3, 3, 1, "z"),
 * c (4, 6, 2, "y"), d (5, 5, 1, "x"). */
static void open_kit(void)
{
    kit_open(&kit, NULL);
    (void)kit_put(&kit, "a", "1");
    (void)kit_put(&kit, "b", "z");
    (void)kit_put(&kit, "c", "1");
    (void)kit_put(&kit, "d", "x");
    (void)kit_put(&kit, "c", "y");
    (void)kit_put(&kit, "a", "2");
    (void)kit_put(&kit, "a", "x");
}

static void close_kit(void)
{
    kit_close(&kit);
}

static struct rkv_range all(void)
{
    return range_of("a", "@");
}

/* The answer outside a transaction, which must be the one inside. */
static const struct rkv_response *ask(const struct rkv_range *range)
{
    const struct rkv_result *result;
    char inside[256] = "";
    size_t len = 0;

    ck_assert_int_eq(rkv_txn_range(kit.txn, range), RKV_OK);
    result = kit_apply(&kit);
    ck_assert_int_eq(result->status, RKV_OK);
    for (uint64_t i = 0; i < result->responses->items_count; i++)
        len += (size_t)snprintf(inside + len, sizeof(inside) - len, "%s%.*s",
                                i > 0 ? " " : "",
                                (int)result->responses->items[i].key_len,
                                (const char *)result->responses->items[i].key);
    ck_assert_int_eq(rkv_kv_range(kit.kv, range, &result), RKV_OK);
    ck_assert_int_eq(result->status, RKV_OK);
    assert_keys(result->responses, inside);
    return result->responses;
}

static const struct {
    uint32_t sort;
    uint32_t order;
    const char *keys;
} orders[] = {
    {RKV_SORT_KEY, RKV_ORDER_NONE, "a b c d"},
    {RKV_SORT_KEY, RKV_ORDER_ASCEND, "a b c d"},
    {RKV_SORT_KEY, RKV_ORDER_DESCEND, "d c b a"},
    {RKV_SORT_VERSION, RKV_ORDER_NONE, "b d c a"},
    {RKV_SORT_VERSION, RKV_ORDER_DESCEND, "a c b d"},
    {RKV_SORT_CREATE, RKV_ORDER_DESCEND, "d c b a"},
    {RKV_SORT_MOD, RKV_ORDER_ASCEND, "b d c a"},
    {RKV_SORT_VALUE, RKV_ORDER_NONE, "a d c b"},
    {RKV_SORT_VALUE, RKV_ORDER_DESCEND, "b c a d"},
};

START_TEST(a_range_comes_in_this_order)
{
    struct rkv_range range = all();
    const struct rkv_response *response;

    range.sort = orders[_i].sort;
    range.order = orders[_i].order;
    response = ask(&range);
    assert_keys(response, orders[_i].keys);
    ck_assert_uint_eq(response->count, 4);
    ck_assert_uint_eq(response->more, 0);
}
END_TEST

/* Every page of every order is that piece of the whole. */
START_TEST(pages_are_pieces_of_the_whole)
{
    for (int64_t offset = 0; offset < 6; offset++) {
        for (int64_t limit = 0; limit < 6; limit++) {
            struct rkv_range range = all();
            size_t from = offset < 4 ? (size_t)offset : 4, len = 4 - from;
            const struct rkv_response *response;
            char keys[16];

            if (limit > 0 && len > (size_t)limit)
                len = (size_t)limit;
            snprintf(keys, sizeof(keys), "%.*s",
                     len == 0 ? 0 : (int)(2 * len - 1),
                     from == 4 ? "" : orders[_i].keys + 2 * from);
            range.sort = orders[_i].sort;
            range.order = orders[_i].order;
            range.offset = offset;
            range.limit = limit;
            response = ask(&range);
            assert_keys(response, keys);
            ck_assert_uint_eq(response->count, 4);
            ck_assert_uint_eq(response->more, from + len < 4);
        }
    }
}
END_TEST

START_TEST(the_past_has_its_own_order)
{
    struct rkv_range range = all();

    range.revision = 6;
    range.sort = RKV_SORT_MOD;
    range.order = RKV_ORDER_DESCEND;
    assert_keys(ask(&range), "c d b a");
    range.sort = RKV_SORT_KEY;
    range.offset = 1;
    range.limit = 2;
    assert_keys(ask(&range), "c b");
}
END_TEST

static const struct {
    int64_t min_mod;
    int64_t max_mod;
    int64_t min_create;
    int64_t max_create;
    const char *keys;
} bounds[] = {
    {5, 0, 0, 0, "a c d"}, {0, 5, 0, 0, "b d"},      {5, 6, 0, 0, "c d"},
    {0, 0, 3, 0, "b c d"}, {0, 0, 0, 3, "a b"},      {4, 0, 0, 4, "a c"},
    {9, 0, 0, 0, ""},      {-5, 0, 0, 0, "a b c d"}, {0, -1, 0, 0, ""},
};

START_TEST(bounds_leave_out_keys_but_not_of_the_count)
{
    struct rkv_range range = all();
    const struct rkv_response *response;

    range.min_mod = bounds[_i].min_mod;
    range.max_mod = bounds[_i].max_mod;
    range.min_create = bounds[_i].min_create;
    range.max_create = bounds[_i].max_create;
    response = ask(&range);
    assert_keys(response, bounds[_i].keys);
    ck_assert_uint_eq(response->count, 4);
    ck_assert_uint_eq(response->more, 0);
    range.limit = 1;
    response = ask(&range);
    ck_assert_uint_eq(response->count, 4);
    ck_assert_uint_eq(response->more, strlen(bounds[_i].keys) > 1);
    range.flags = RKV_RANGE_COUNT_ONLY;
    response = ask(&range);
    ck_assert_uint_eq(response->count, 4);
    ck_assert_uint_eq(response->items_count, 0);
    ck_assert_uint_eq(response->more, 0);
}
END_TEST

START_TEST(one_key_has_a_shape_too)
{
    struct rkv_range range = range_of("c", NULL);

    range.min_mod = 7;
    ck_assert_uint_eq(ask(&range)->count, 1);
    assert_keys(ask(&range), "");
    range.min_mod = 6;
    assert_keys(ask(&range), "c");
    range.offset = 1;
    assert_keys(ask(&range), "");
}
END_TEST

START_TEST(keys_alone_may_be_sorted_by_value)
{
    struct rkv_range range = all();
    const struct rkv_response *response;

    range.sort = RKV_SORT_VALUE;
    range.flags = RKV_RANGE_KEYS_ONLY;
    response = ask(&range);
    assert_keys(response, "a d c b");
    for (uint64_t i = 0; i < response->items_count; i++)
        ck_assert_uint_eq(response->items[i].value_len, 0);
}
END_TEST

START_TEST(numbers_below_zero_ask_for_nothing)
{
    struct rkv_range range = all();

    range.offset = -3;
    range.limit = -1;
    assert_keys(ask(&range), "a b c d");
    range.offset = INT64_MAX;
    range.limit = INT64_MAX;
    assert_keys(ask(&range), "");
}
END_TEST

/* What a page needs of memory goes with the page. */
START_TEST(of_many_keys_only_a_page_is_kept)
{
    struct rkv_range range = all();
    char key[16];
    uint64_t before;

    for (int i = 0; i < 3000; i++) {
        snprintf(key, sizeof(key), "k%04d", (i * 7919) % 3000);
        (void)kit_put(&kit, key, "v");
    }
    range.sort = RKV_SORT_MOD;
    range.order = RKV_ORDER_DESCEND;
    range.limit = 3;
    before = kit.heap.bytes;
    assert_keys(ask(&range), "k1081 k2162 k0243");
    ck_assert_uint_lt(kit.heap.bytes - before, 100 * sizeof(struct rkv_item));
}
END_TEST

START_TEST(an_order_that_is_none_is_refused)
{
    /* range, shaped, revision, limit, "a", no end, offset, sort, order ... */
    uint8_t command[] = {1, 3, 0x80, 1, 0, 0, 1, 'a', 0, 0, 0, 0, 0, 0, 0, 0};
    const struct rkv_result *result;
    struct rkv_range range = all();

    range.sort = 5;
    ck_assert_int_eq(rkv_kv_range(kit.kv, &range, &result), RKV_EINVAL);
    ck_assert_int_eq(rkv_txn_range(kit.txn, &range), RKV_EINVAL);
    rkv_txn_reset(kit.txn);
    range.sort = 0;
    range.order = 3;
    ck_assert_int_eq(rkv_kv_range(kit.kv, &range, &result), RKV_EINVAL);
    ck_assert_int_eq(rkv_txn_range(kit.txn, &range), RKV_EINVAL);
    rkv_txn_reset(kit.txn);
    for (size_t at = 10; at < 12; at++) {
        command[at] = 9;
        ck_assert_int_eq(rkv_kv_check(kit.kv, command, sizeof(command)),
                         RKV_EINVAL);
        command[at] = 1;
        ck_assert_int_eq(rkv_kv_check(kit.kv, command, sizeof(command)),
                         RKV_OK);
    }
}
END_TEST

Suite *suite_kv_shape(void)
{
    Suite *suite = suite_create("kv shape");
    TCase *tcase = tcase_create("ranges");

    tcase_add_checked_fixture(tcase, open_kit, close_kit);
    tcase_add_loop_test(tcase, a_range_comes_in_this_order, 0,
                        sizeof(orders) / sizeof(orders[0]));
    tcase_add_loop_test(tcase, pages_are_pieces_of_the_whole, 0,
                        sizeof(orders) / sizeof(orders[0]));
    tcase_add_test(tcase, the_past_has_its_own_order);
    tcase_add_loop_test(tcase, bounds_leave_out_keys_but_not_of_the_count, 0,
                        sizeof(bounds) / sizeof(bounds[0]));
    tcase_add_test(tcase, one_key_has_a_shape_too);
    tcase_add_test(tcase, keys_alone_may_be_sorted_by_value);
    tcase_add_test(tcase, numbers_below_zero_ask_for_nothing);
    tcase_add_test(tcase, of_many_keys_only_a_page_is_kept);
    tcase_add_test(tcase, an_order_that_is_none_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
