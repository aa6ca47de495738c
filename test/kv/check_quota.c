/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The quota: what it counts, what it refuses, and that it lets go by itself.
 */
#include <stdlib.h>
#include <string.h>

#include "support.h"

Suite *suite_kv_quota(void);

static struct kit kit;

static void open_kit(void)
{
    kit_open(&kit, NULL);
}

static void close_kit(void)
{
    kit_close(&kit);
}

static void set_quota(int64_t bytes)
{
    (void)rkv_txn_quota(kit.txn, bytes);
    ck_assert_int_eq(kit_status(&kit), RKV_OK);
}

static int32_t try_put(const char *key)
{
    (void)add_put(kit.txn, key, "12345678", 0);
    return kit_status(&kit);
}

/* Each put takes 128 + 2 + 8. */
START_TEST(puts_are_refused_from_there_on)
{
    set_quota(2 * 138);
    ck_assert_int_eq(try_put("k1"), RKV_OK);
    ck_assert_uint_eq(kit_report(&kit).full, 0);
    ck_assert_uint_eq(kit_report(&kit).space, 138);
    ck_assert_int_eq(try_put("k2"), RKV_OK);
    ck_assert_uint_eq(kit_report(&kit).full, 1);
    ck_assert_int_eq(try_put("k3"), RKV_EQUOTA);
    ck_assert_int_eq(try_put("k1"), RKV_EQUOTA);
    ck_assert_int_eq(kit_report(&kit).revision, 3);
}
END_TEST

START_TEST(what_makes_room_is_taken)
{
    set_quota(2 * 138);
    (void)try_put("k1");
    (void)try_put("k2");
    ck_assert_int_eq(kit_delete(&kit, "k1", NULL), 4);
    ck_assert_int_eq(try_put("k3"), RKV_EQUOTA);
    ck_assert_int_eq(kit_compact(&kit, 4), RKV_OK);
    /* One key, and the deletion just there. */
    ck_assert_uint_eq(kit_report(&kit).space, 138 + 130);
    ck_assert_int_eq(try_put("k3"), RKV_OK);
}
END_TEST

START_TEST(a_transaction_is_refused_for_its_puts)
{
    set_quota(1);
    (void)add_number(kit.txn, RKV_COMPARE_VERSION, RKV_EQUAL, "a", 1);
    (void)add_put(kit.txn, "a", "1", 0);
    (void)rkv_txn_else(kit.txn);
    (void)add_delete(kit.txn, "a", NULL, 0);
    ck_assert_int_eq(kit_status(&kit), RKV_OK);
    set_quota(0);
    (void)kit_put(&kit, "a", "1");
    set_quota(1);
    (void)rkv_txn_begin(kit.txn);
    (void)add_put(kit.txn, "b", "1", 0);
    (void)rkv_txn_end(kit.txn);
    ck_assert_int_eq(kit_status(&kit), RKV_EQUOTA);
}
END_TEST

START_TEST(leases_count_and_are_refused)
{
    set_quota(128);
    (void)rkv_txn_grant(kit.txn, 1, 10);
    ck_assert_int_eq(kit_status(&kit), RKV_OK);
    ck_assert_uint_eq(kit_report(&kit).full, 1);
    (void)rkv_txn_grant(kit.txn, 2, 10);
    ck_assert_int_eq(kit_status(&kit), RKV_EQUOTA);
    (void)rkv_txn_keep_alive(kit.txn, 1);
    ck_assert_int_eq(kit_status(&kit), RKV_OK);
    (void)rkv_txn_revoke(kit.txn, 1);
    ck_assert_int_eq(kit_status(&kit), RKV_OK);
    ck_assert_uint_eq(kit_report(&kit).full, 0);
}
END_TEST

START_TEST(a_quota_comes_through_a_snapshot)
{
    struct rkv_kv_status before, after;
    struct kit other;
    uint8_t *data;
    size_t len;

    (void)kit_put(&kit, "a", "1");
    before = kit_report(&kit);
    set_quota(4711);
    ck_assert_uint_ne(kit_report(&kit).hash, before.hash);
    kit_open(&other, NULL);
    data = kit_snapshot(&kit, &len);
    ck_assert_int_eq(kit_restore(&other, data, len), RKV_OK);
    free(data);
    before = kit_report(&kit);
    after = kit_report(&other);
    ck_assert_uint_eq(after.quota, 4711);
    ck_assert_mem_eq(&before, &after, sizeof(before));
    kit_close(&other);
}
END_TEST

START_TEST(a_quota_below_nothing_is_none)
{
    const uint8_t command[] = {1, 13, 1}, two[] = {1, 13, 2, 13, 2};

    ck_assert_int_eq(rkv_txn_quota(kit.txn, -1), RKV_EINVAL);
    rkv_txn_reset(kit.txn);
    ck_assert_int_eq(rkv_kv_check(kit.kv, command, 3), RKV_EINVAL);
    ck_assert_int_eq(rkv_kv_check(kit.kv, two, 5), RKV_EMALFORMED);
}
END_TEST

Suite *suite_kv_quota(void)
{
    Suite *suite = suite_create("kv quota");
    TCase *tcase = tcase_create("quota");

    tcase_add_checked_fixture(tcase, open_kit, close_kit);
    tcase_add_test(tcase, puts_are_refused_from_there_on);
    tcase_add_test(tcase, what_makes_room_is_taken);
    tcase_add_test(tcase, a_transaction_is_refused_for_its_puts);
    tcase_add_test(tcase, leases_count_and_are_refused);
    tcase_add_test(tcase, a_quota_comes_through_a_snapshot);
    tcase_add_test(tcase, a_quota_below_nothing_is_none);
    suite_add_tcase(suite, tcase);
    return suite;
}
