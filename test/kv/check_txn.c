/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Writing a command: what is refused at once, and that the first error stays.
 */
#include <string.h>

#include "kv/room.h"
#include "support.h"

Suite *suite_kv_txn(void);

static struct kit kit;

static void open_kit(void)
{
    kit_open(&kit, NULL);
}

static void close_kit(void)
{
    kit_close(&kit);
}

static int encode(void)
{
    const void *data;
    size_t len;

    return rkv_txn_encode(kit.txn, &data, &len);
}

START_TEST(the_first_error_stays_until_reset)
{
    ck_assert_int_eq(add_put(kit.txn, "", "v", 0), RKV_EKEY);
    ck_assert_int_eq(add_put(kit.txn, "a", "v", 0), RKV_EKEY);
    ck_assert_int_eq(rkv_txn_else(kit.txn), RKV_EKEY);
    ck_assert_int_eq(encode(), RKV_EKEY);
    rkv_txn_reset(kit.txn);
    ck_assert_int_eq(add_put(kit.txn, "a", "v", 0), RKV_OK);
    ck_assert_int_eq(encode(), RKV_OK);
}
END_TEST

START_TEST(every_operation_needs_a_key)
{
    ck_assert_int_eq(add_delete(kit.txn, "", "z", 0), RKV_EKEY);
    rkv_txn_reset(kit.txn);
    ck_assert_int_eq(add_range(kit.txn, "", "z", 0, 0, 0), RKV_EKEY);
    rkv_txn_reset(kit.txn);
    ck_assert_int_eq(add_number(kit.txn, 0, 0, "", 0), RKV_EKEY);
    rkv_txn_reset(kit.txn);
    ck_assert_int_eq(rkv_txn_put(kit.txn, NULL), RKV_EKEY);
}
END_TEST

START_TEST(comparisons_come_before_operations)
{
    (void)add_put(kit.txn, "a", "v", 0);
    ck_assert_int_eq(add_number(kit.txn, 0, 0, "a", 0), RKV_ESTATE);
    rkv_txn_reset(kit.txn);
    (void)rkv_txn_else(kit.txn);
    ck_assert_int_eq(add_number(kit.txn, 0, 0, "a", 0), RKV_ESTATE);
    rkv_txn_reset(kit.txn);
    (void)add_put(kit.txn, "a", "v", 0);
    (void)rkv_txn_begin(kit.txn);
    ck_assert_int_eq(add_number(kit.txn, 0, 0, "a", 0), RKV_OK);
}
END_TEST

START_TEST(what_is_begun_must_be_ended_and_nothing_else)
{
    ck_assert_int_eq(rkv_txn_end(kit.txn), RKV_ESTATE);
    rkv_txn_reset(kit.txn);
    (void)rkv_txn_begin(kit.txn);
    ck_assert_int_eq(encode(), RKV_ESTATE);
    ck_assert_int_eq(rkv_txn_end(kit.txn), RKV_OK);
    ck_assert_int_eq(encode(), RKV_OK);
    (void)rkv_txn_else(kit.txn);
    ck_assert_int_eq(rkv_txn_else(kit.txn), RKV_ESTATE);
}
END_TEST

START_TEST(transactions_nest_up_to_a_limit)
{
    for (int i = 0; i < 32; i++)
        ck_assert_int_eq(rkv_txn_begin(kit.txn), RKV_OK);
    ck_assert_int_eq(rkv_txn_begin(kit.txn), RKV_ETOOMANY);
}
END_TEST

START_TEST(a_compaction_stands_alone)
{
    ck_assert_int_eq(rkv_txn_compact(kit.txn, 5), RKV_OK);
    ck_assert_int_eq(encode(), RKV_OK);
    ck_assert_int_eq(add_put(kit.txn, "a", "v", 0), RKV_ESTATE);
    rkv_txn_reset(kit.txn);
    (void)add_put(kit.txn, "a", "v", 0);
    ck_assert_int_eq(rkv_txn_compact(kit.txn, 5), RKV_ESTATE);
}
END_TEST

START_TEST(flags_that_do_not_belong_are_refused)
{
    ck_assert_int_eq(add_put(kit.txn, "a", "", 8), RKV_EINVAL);
    rkv_txn_reset(kit.txn);
    ck_assert_int_eq(add_put(kit.txn, "a", "v", RKV_PUT_IGNORE_VALUE),
                     RKV_EINVAL);
    rkv_txn_reset(kit.txn);
    ck_assert_int_eq(add_range(kit.txn, "a", NULL, 0, 0, RKV_RANGE_PREV),
                     RKV_EINVAL);
    rkv_txn_reset(kit.txn);
    ck_assert_int_eq(add_delete(kit.txn, "a", NULL, RKV_RANGE_KEYS_ONLY),
                     RKV_EINVAL);
}
END_TEST

START_TEST(records_follow_the_size_rule)
{
    struct {
        struct rkv_put put;
        uint64_t more;
    } newer = {.put = {.size = sizeof(newer), .key = "a", .key_len = 1}};

    ck_assert_int_eq(rkv_txn_put(kit.txn, &newer.put), RKV_OK);
    newer.more = 1;
    ck_assert_int_eq(rkv_txn_put(kit.txn, &newer.put), RKV_EVERSION);
    rkv_txn_reset(kit.txn);
    newer.put.size = 0;
    ck_assert_int_eq(rkv_txn_put(kit.txn, &newer.put), RKV_EINVAL);
}
END_TEST

START_TEST(sizes_are_refused_before_anything_is_copied)
{
    struct rkv_put put = {
        .size = sizeof(put),
        .key = "a",
        .key_len = (size_t)UINT32_MAX + 1,
    };

    ck_assert_int_eq(rkv_txn_put(kit.txn, &put), RKV_ETOOBIG);
    rkv_txn_reset(kit.txn);
    put.key_len = 1;
    put.value = NULL;
    put.value_len = 1;
    ck_assert_int_eq(rkv_txn_put(kit.txn, &put), RKV_EINVAL);
}
END_TEST

START_TEST(want_of_memory_is_remembered)
{
    static char value[1000];

    memset(value, 'v', sizeof(value) - 1);
    kit.heap.left = 0;
    ck_assert_int_eq(add_put(kit.txn, "a", value, 0), RKV_ENOMEM);
    kit.heap.left = -1;
    ck_assert_int_eq(add_put(kit.txn, "a", "v", 0), RKV_ENOMEM);
    ck_assert_int_eq(encode(), RKV_ENOMEM);
    rkv_txn_reset(kit.txn);
    ck_assert_int_eq(add_put(kit.txn, "a", value, 0), RKV_OK);
}
END_TEST

Suite *suite_kv_txn(void)
{
    Suite *suite = suite_create("kv txn");
    TCase *tcase = tcase_create("txn");

    tcase_add_checked_fixture(tcase, open_kit, close_kit);
    tcase_add_test(tcase, the_first_error_stays_until_reset);
    tcase_add_test(tcase, every_operation_needs_a_key);
    tcase_add_test(tcase, comparisons_come_before_operations);
    tcase_add_test(tcase, what_is_begun_must_be_ended_and_nothing_else);
    tcase_add_test(tcase, transactions_nest_up_to_a_limit);
    tcase_add_test(tcase, a_compaction_stands_alone);
    tcase_add_test(tcase, flags_that_do_not_belong_are_refused);
    tcase_add_test(tcase, records_follow_the_size_rule);
    tcase_add_test(tcase, sizes_are_refused_before_anything_is_copied);
    tcase_add_test(tcase, want_of_memory_is_remembered);
    suite_add_tcase(suite, tcase);
    return suite;
}
