/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The bytes of a command: what they are, and what is no command.
 */
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "kv/room.h"
#include "support.h"

Suite *suite_kv_command(void);

#define BYTES(...)                                                             \
    (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

/* A block of exactly this size, so that reading past its end is caught. */
static int check_exactly(const struct kit *kit, const void *data, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    int status;

    if (len > 0)
        memcpy(copy, data, len);
    status = rkv_kv_check(kit->kv, copy, len);
    free(copy);
    return status;
}

START_TEST(the_bytes_of_a_command_are_these)
{
    static const uint8_t expected[] = {
        1,                                     /* version */
        1, 0, 1, 1,   'a', 0,   6,             /* version(a) > 3 */
        1, 3, 3, 1,   'b', 0,   2,   'x', 'y', /* value(b) != "xy" */
        2, 1, 0, 1,   'a', 1,   '1',           /* put a=1, with previous */
        3, 2, 9, 4,   1,   'a', 1,   'c',      /* count [a,c) at -5, limit 2 */
        5,                                     /* else */
        6,                                     /* begin */
        4, 4, 1, 'd', 1,   0,                  /* delete from d on, with prev */
        7,                                     /* end */
    };
    struct kit kit;
    const void *data;
    size_t len;

    kit_open(&kit, NULL);
    (void)add_number(kit.txn, RKV_COMPARE_VERSION, RKV_GREATER, "a", 3);
    (void)add_value(kit.txn, RKV_NOT_EQUAL, "b", "xy");
    (void)add_put(kit.txn, "a", "1", RKV_PUT_PREV);
    (void)add_range(kit.txn, "a", "c", -5, 2, RKV_RANGE_COUNT_ONLY);
    (void)rkv_txn_else(kit.txn);
    (void)rkv_txn_begin(kit.txn);
    (void)add_delete(kit.txn, "d", "@", RKV_RANGE_PREV);
    (void)rkv_txn_end(kit.txn);
    ck_assert_int_eq(rkv_txn_encode(kit.txn, &data, &len), RKV_OK);
    ck_assert_uint_eq(len, sizeof(expected));
    ck_assert_mem_eq(data, expected, len);
    ck_assert_int_eq(check_exactly(&kit, data, len), RKV_OK);
    kit_close(&kit);
}
END_TEST

static const struct {
    const uint8_t *data;
    size_t len;
    int status;
} rows[] = {
    {NULL, 0, RKV_EMALFORMED},
    {BYTES(0), RKV_EMALFORMED},
    {BYTES(2), RKV_EVERSION},
    {BYTES(255, 1, 2), RKV_EVERSION},
    {BYTES(1), RKV_OK}, /* nothing to do is a command too */
    {BYTES(1, 0), RKV_EMALFORMED},
    {BYTES(1, 9), RKV_EMALFORMED},
    {BYTES(1, 5), RKV_OK},
    {BYTES(1, 5, 5), RKV_EMALFORMED},
    {BYTES(1, 6), RKV_EMALFORMED},
    {BYTES(1, 7), RKV_EMALFORMED},
    {BYTES(1, 6, 7), RKV_OK},
    {BYTES(1, 6, 7, 7), RKV_EMALFORMED},
    {BYTES(1, 7, 6), RKV_EMALFORMED},
    {BYTES(1, 6, 5, 7, 5), RKV_OK},
    {BYTES(1, 2, 0, 0, 1, 'a', 0), RKV_OK},
    {BYTES(1, 2, 0, 0, 1, 'a'), RKV_EMALFORMED},
    {BYTES(1, 2, 0, 0, 2, 'a', 0), RKV_EMALFORMED},
    {BYTES(1, 2, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 'a'), RKV_EMALFORMED},
    {BYTES(1, 2, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
           'a'),
     RKV_EMALFORMED},
    {BYTES(1, 2, 0x80, 0, 0, 1, 'a', 0), RKV_EMALFORMED}, /* long varint */
    {BYTES(1, 2, 8, 0, 1, 'a', 0), RKV_EVERSION},         /* unknown flag */
    {BYTES(1, 3, 4, 0, 0, 1, 'a', 0), RKV_EVERSION},
    {BYTES(1, 4, 1, 1, 'a', 0), RKV_EVERSION},
    {BYTES(1, 2, 0, 0, 0, 0), RKV_EKEY},
    {BYTES(1, 3, 0, 0, 0, 0, 0), RKV_EKEY},
    {BYTES(1, 4, 0, 0, 1, 'a'), RKV_EKEY},
    {BYTES(1, 1, 0, 0, 0, 0, 0), RKV_EKEY},
    {BYTES(1, 2, 2, 0, 1, 'a', 1, 'v'), RKV_EINVAL}, /* ignore a value */
    {BYTES(1, 2, 4, 2, 1, 'a', 0), RKV_EINVAL},      /* ignore a lease */
    {BYTES(1, 2, 0, 0, 1, 'a', 0, 1, 0, 0, 1, 'a', 0, 0),
     RKV_EMALFORMED}, /* a comparison behind an operation */
    {BYTES(1, 5, 1, 0, 0, 1, 'a', 0, 0), RKV_EMALFORMED},
    {BYTES(1, 1, 77, 99, 1, 'a', 0, 0), RKV_OK}, /* etcd lets them pass */
    {BYTES(1, 8, 4), RKV_OK},
    {BYTES(1, 8), RKV_EMALFORMED},
    {BYTES(1, 8, 4, 8, 4), RKV_EMALFORMED},
    {BYTES(1, 8, 4, 5), RKV_EMALFORMED},
    {BYTES(1, 8, 4, 7), RKV_EMALFORMED},
    {BYTES(1, 8, 4, 6, 7), RKV_EMALFORMED},
    {BYTES(1, 6, 8, 4, 7), RKV_EMALFORMED},
    {BYTES(1, 5, 8, 4), RKV_EMALFORMED},
    {BYTES(1, 8, 4, 2, 0, 0, 1, 'a', 0), RKV_EMALFORMED},
    {BYTES(1, 2, 0, 0, 1, 'a', 0, 8, 4), RKV_EMALFORMED},
    {BYTES(1, 8, 4, 1, 0, 0, 1, 'a', 0, 0), RKV_EMALFORMED},
};

START_TEST(what_is_no_command_is_refused_alike_by_check_and_apply)
{
    const struct rkv_result *result;
    struct kit kit;

    kit_open(&kit, NULL);
    (void)kit_put(&kit, "other", "");
    ck_assert_int_eq(check_exactly(&kit, rows[_i].data, rows[_i].len),
                     rows[_i].status);
    ck_assert_int_eq(
        rkv_kv_apply(kit.kv, 2, rows[_i].data, rows[_i].len, &result), RKV_OK);
    ck_assert_int_eq(result->status, rows[_i].status);
    /* Whatever came of it, the index is applied. */
    ck_assert_uint_eq(kit_report(&kit).applied, 2);
    kit_close(&kit);
}
END_TEST

START_TEST(a_command_cut_short_is_refused)
{
    struct kit kit;
    const uint8_t *data;
    const void *all;
    size_t len;

    kit_open(&kit, NULL);
    (void)rkv_txn_begin(kit.txn);
    (void)add_number(kit.txn, RKV_COMPARE_MOD, RKV_LESS, "key", 1000);
    (void)add_value(kit.txn, RKV_EQUAL, "key", "value");
    (void)add_range(kit.txn, "key", "kez", 100000, 50, 0);
    (void)add_put(kit.txn, "key", "value", 0);
    (void)rkv_txn_end(kit.txn);
    ck_assert_int_eq(rkv_txn_encode(kit.txn, &all, &len), RKV_OK);
    data = all;
    /* One byte is the empty command. */
    for (size_t cut = 2; cut < len; cut++)
        ck_assert_int_eq(check_exactly(&kit, data, cut), RKV_EMALFORMED);
    ck_assert_int_eq(check_exactly(&kit, data, len), RKV_OK);
    kit_close(&kit);
}
END_TEST

START_TEST(no_bytes_harm_apply)
{
    struct rkv_prng prng;
    struct kit kit;
    uint8_t data[24];

    kit_open(&kit, NULL);
    rkv_prng_seed(&prng, (uint64_t)_i);
    for (int i = 0; i < 20000; i++) {
        const struct rkv_result *result;
        size_t len = 1 + rkv_prng_below(&prng, sizeof(data) - 1);

        data[0] = 1;
        for (size_t j = 1; j < len; j++)
            data[j] = (uint8_t)rkv_prng_below(&prng, 10);
        ck_assert_int_eq(rkv_kv_apply(kit.kv, ++kit.index, data, len, &result),
                         RKV_OK);
    }
    ck_assert_uint_eq(kit_report(&kit).applied, 20000);
    kit_close(&kit);
}
END_TEST

START_TEST(depth_has_an_end_that_costs_no_stack)
{
    struct kit kit;
    uint8_t *data = malloc(1 << 20);
    const struct rkv_result *result;

    kit_open(&kit, NULL);
    data[0] = 1;
    memset(data + 1, 6, (1 << 20) - 1);
    ck_assert_int_eq(check_exactly(&kit, data, 1 << 20), RKV_ETOOMANY);
    memset(data + 1, 6, 32);
    memset(data + 33, 7, 32);
    ck_assert_int_eq(rkv_kv_apply(kit.kv, 1, data, 65, &result), RKV_OK);
    ck_assert_int_eq(result->status, RKV_OK);
    /* The proposer's limit is lower than what the log may hold. */
    ck_assert_int_eq(check_exactly(&kit, data, 65), RKV_ETOOMANY);
    memset(data + 1, 6, 8);
    memset(data + 9, 7, 8);
    ck_assert_int_eq(check_exactly(&kit, data, 17), RKV_OK);
    free(data);
    kit_close(&kit);
}
END_TEST

/* A list of this many ranges. */
static void add_ranges(rkv_txn *txn, int count)
{
    for (int i = 0; i < count; i++)
        (void)add_range(txn, "k", NULL, 0, 0, 0);
}

START_TEST(what_is_too_much_is_not_read_to_its_end)
{
    size_t len = 1 << 20;
    uint8_t *data = malloc(len);
    const struct rkv_result *result;
    struct kit kit;
    size_t bytes;

    /* Half a million transactions inside. */
    kit_open(&kit, NULL);
    data[0] = 1;
    for (size_t i = 1; i < len; i++)
        data[i] = i % 2 == 1 ? 6 : 7;
    bytes = kit.heap.bytes;
    ck_assert_int_eq(check_exactly(&kit, data, len - 1), RKV_ETOOMANY);
    ck_assert_uint_lt(kit.heap.bytes, bytes + 100000);
    /* The log is obeyed, and the memory for it given back. */
    ck_assert_int_eq(rkv_kv_apply(kit.kv, 1, data, len - 1, &result), RKV_OK);
    ck_assert_int_eq(result->status, RKV_OK);
    ck_assert_uint_eq(result->responses_count, (1 << 19) - 1);
    ck_assert_int_eq(rkv_kv_apply(kit.kv, 2, data, 1, &result), RKV_OK);
    ck_assert_uint_lt(kit.heap.bytes, bytes + 4000000);
    free(data);
    kit_close(&kit);
}
END_TEST

static int kit_check(struct kit *kit)
{
    const void *data;
    size_t len;
    int status;

    ck_assert_int_eq(rkv_txn_encode(kit->txn, &data, &len), RKV_OK);
    status = rkv_kv_check(kit->kv, data, len);
    rkv_txn_reset(kit->txn);
    return status;
}

START_TEST(the_longest_list_counts_and_what_is_inside_shares_the_rest)
{
    struct rkv_kv_options options = {.size = sizeof(options), .txn_ops_max = 8};
    struct kit kit;

    kit_open(&kit, &options);
    for (int i = 0; i < 8; i++)
        (void)add_number(kit.txn, RKV_COMPARE_MOD, RKV_EQUAL, "k", 0);
    add_ranges(kit.txn, 8);
    (void)rkv_txn_else(kit.txn);
    add_ranges(kit.txn, 8);
    ck_assert_int_eq(kit_check(&kit), RKV_OK);
    add_ranges(kit.txn, 9);
    ck_assert_int_eq(kit_check(&kit), RKV_ETOOMANY);
    (void)rkv_txn_else(kit.txn);
    add_ranges(kit.txn, 9);
    ck_assert_int_eq(kit_check(&kit), RKV_ETOOMANY);
    for (int i = 0; i < 9; i++)
        (void)add_number(kit.txn, RKV_COMPARE_MOD, RKV_EQUAL, "k", 0);
    ck_assert_int_eq(kit_check(&kit), RKV_ETOOMANY);
    for (int inside = 5; inside <= 6; inside++) {
        add_ranges(kit.txn, 2);
        (void)rkv_txn_begin(kit.txn);
        add_ranges(kit.txn, inside);
        (void)rkv_txn_end(kit.txn);
        ck_assert_int_eq(kit_check(&kit), inside == 5 ? RKV_OK : RKV_ETOOMANY);
    }
    /* What the log holds is done all the same. */
    add_ranges(kit.txn, 9);
    ck_assert_int_eq(kit_status(&kit), RKV_OK);
    kit_close(&kit);
}
END_TEST

START_TEST(keys_and_commands_have_a_size_that_proposers_keep)
{
    struct rkv_kv_options options = {
        .size = sizeof(options),
        .key_bytes_max = 4,
        .command_bytes_max = 20,
    };
    struct kit kit;

    kit_open(&kit, &options);
    (void)add_put(kit.txn, "1234", "", 0);
    ck_assert_int_eq(kit_check(&kit), RKV_OK);
    (void)add_put(kit.txn, "12345", "", 0);
    ck_assert_int_eq(kit_check(&kit), RKV_ETOOBIG);
    (void)add_delete(kit.txn, "1", "12345", 0);
    ck_assert_int_eq(kit_check(&kit), RKV_ETOOBIG);
    (void)add_put(kit.txn, "1", "1234567890123", 0);
    ck_assert_int_eq(kit_check(&kit), RKV_OK);
    (void)add_put(kit.txn, "1", "12345678901234", 0);
    ck_assert_int_eq(kit_check(&kit), RKV_ETOOBIG);
    (void)add_put(kit.txn, "12345", "12345678901234", 0);
    ck_assert_int_eq(kit_status(&kit), RKV_OK);
    kit_close(&kit);
}
END_TEST

Suite *suite_kv_command(void)
{
    Suite *suite = suite_create("kv command");
    TCase *tcase = tcase_create("command");

    tcase_add_test(tcase, the_bytes_of_a_command_are_these);
    tcase_add_loop_test(tcase,
                        what_is_no_command_is_refused_alike_by_check_and_apply,
                        0, (int)(sizeof(rows) / sizeof(rows[0])));
    tcase_add_test(tcase, a_command_cut_short_is_refused);
    tcase_add_loop_test(tcase, no_bytes_harm_apply, 0, 3);
    tcase_add_test(tcase, depth_has_an_end_that_costs_no_stack);
    tcase_add_test(tcase, what_is_too_much_is_not_read_to_its_end);
    tcase_add_test(tcase,
                   the_longest_list_counts_and_what_is_inside_shares_the_rest);
    tcase_add_test(tcase, keys_and_commands_have_a_size_that_proposers_keep);
    suite_add_tcase(suite, tcase);
    return suite;
}
