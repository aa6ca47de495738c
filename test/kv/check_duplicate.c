/* SPDX-License-Identifier: BSD-2-Clause
 *
 * No transaction changes a key twice: which pairs of operations meet, and
 * that looking for them does not take long.
 */
#include <stdio.h>

#include "support.h"

Suite *suite_kv_duplicate(void);

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

/* A command in small: p<key> put, d<key> delete, d<key>-<end> delete a range,
 * ( ) a transaction inside, | else. */
static void write_small(const char *text)
{
    char key[2] = "", end[2] = "";

    for (; *text != 0; text++) {
        switch (*text) {
        case 'p':
            key[0] = *++text;
            (void)add_put(txn, key, "", 0);
            break;
        case 'd':
            key[0] = *++text;
            if (text[1] == '-') {
                end[0] = text[2];
                text += 2;
                (void)add_delete(txn, key, end, 0);
            } else {
                (void)add_delete(txn, key, NULL, 0);
            }
            break;
        case '(':
            (void)rkv_txn_begin(txn);
            break;
        case ')':
            (void)rkv_txn_end(txn);
            break;
        case '|':
            (void)rkv_txn_else(txn);
            break;
        default:
            break;
        }
    }
}

static const struct {
    const char *text;
    int32_t status;
} smalls[] = {
    {"pa pb", RKV_OK},
    {"pa pa", RKV_EDUPLICATE},
    {"pa pb pc pa", RKV_EDUPLICATE},
    {"pa da", RKV_EDUPLICATE},
    {"da pa", RKV_EDUPLICATE},
    {"da da", RKV_OK},
    {"da-d db-e", RKV_OK},
    {"da-c pb", RKV_EDUPLICATE},
    {"pb da-c", RKV_EDUPLICATE},
    {"da-c pc", RKV_OK},
    {"dc-a pb", RKV_OK}, /* an empty range */
    {"db-@ pz", RKV_EDUPLICATE},
    {"db-@ pa", RKV_OK},
    {"pa | pa", RKV_OK},
    {"pa | da", RKV_OK},
    {"pa | pb pb", RKV_EDUPLICATE}, /* the other side counts too */
    {"pa (pa)", RKV_EDUPLICATE},
    {"(pa) pa", RKV_EDUPLICATE},
    {"pa (|pa)", RKV_EDUPLICATE},
    {"(pa | pa)", RKV_OK},
    {"(pa | da)", RKV_OK},
    {"(pa | da-c) pb", RKV_EDUPLICATE},
    {"(pa) (pa)", RKV_EDUPLICATE},
    {"(pa |) (| pa)", RKV_EDUPLICATE}, /* siblings, exclusive or not */
    {"(pa) da", RKV_EDUPLICATE},
    {"da (pa)", RKV_EDUPLICATE},
    {"(da) pa", RKV_EDUPLICATE},
    {"(da) (pa)", RKV_EDUPLICATE},
    {"(pa) (da)", RKV_EDUPLICATE},
    {"(da) (da)", RKV_OK},
    {"((pa) | (pa))", RKV_OK},
    {"((pa | pb) | (pa | da-c))", RKV_OK},
    {"((pa | pb) (pb) | pa)", RKV_EDUPLICATE},
    {"(pa | pa) (pb | (pc | da))", RKV_EDUPLICATE},
    {"(pa | pa) (pb | (pc | dd))", RKV_OK},
    {"(pa | pb) | (pa | pb)", RKV_OK},
    {"(((pa))) (((pb))) (((pa)))", RKV_EDUPLICATE},
    {"((pa | pc) | (pb | pc)) dc-d", RKV_EDUPLICATE},
    {"((pa | pc) | (pb | pc)) dd-f", RKV_OK},
};

START_TEST(no_transaction_changes_a_key_twice)
{
    const char *text = smalls[_i].text;
    const void *data;
    size_t len;

    write_small(text);
    ck_assert_int_eq(rkv_txn_encode(txn, &data, &len), RKV_OK);
    ck_assert_int_eq(rkv_kv_check(kit.kv, data, len), smalls[_i].status);
    ck_assert_int_eq(kit_status(&kit), smalls[_i].status);
}
END_TEST

START_TEST(duplicates_are_found_quickly_among_many)
{
    char key[16];

    /* Everything that looks at each put for each deletion takes minutes. */
    for (int i = 0; i < 20000; i++) {
        snprintf(key, sizeof(key), "k%06d", i);
        (void)add_put(txn, key, "", 0);
    }
    (void)rkv_txn_else(txn);
    for (int i = 0; i < 20000; i++)
        (void)add_delete(txn, "a", "@", 0);
    ck_assert_int_eq(kit_status(&kit), RKV_OK);
}
END_TEST

Suite *suite_kv_duplicate(void)
{
    Suite *suite = suite_create("kv duplicate");
    TCase *tcase = tcase_create("duplicate");

    tcase_add_checked_fixture(tcase, open_kit, close_kit);
    tcase_add_loop_test(tcase, no_transaction_changes_a_key_twice, 0,
                        (int)(sizeof(smalls) / sizeof(smalls[0])));
    tcase_add_test(tcase, duplicates_are_found_quickly_among_many);
    suite_add_tcase(suite, tcase);
    return suite;
}
