/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Hashes of the state: etcd's, against what etcd itself says, and ours.
 */
#include "kv/room.h"
#include "support.h"

Suite *suite_kv_hash(void);

static struct kit kit;

static void open_kit(void)
{
    kit_open(&kit, NULL);
}

static void close_kit(void)
{
    kit_close(&kit);
}

static uint32_t hash_at(int64_t revision)
{
    uint32_t hash = 0;
    int64_t compacted;

    ck_assert_int_eq(rkv_kv_hash(kit.kv, revision, &hash, &compacted), RKV_OK);
    ck_assert_int_eq(compacted, kit_report(&kit).compacted);
    return hash;
}

START_TEST(etcd_says_the_same)
{
    uint32_t hash;
    int64_t compacted;

    ck_assert_uint_eq(hash_at(0), 1084519789u);
    (void)kit_put(&kit, "a", "1");
    (void)kit_put(&kit, "a", "2");
    (void)kit_delete(&kit, "a", NULL);
    (void)kit_put(&kit, "b", "x");
    ck_assert_uint_eq(hash_at(0), 323556781u);
    ck_assert_uint_eq(hash_at(5), 323556781u);
    ck_assert_uint_eq(hash_at(3), 535221974u);
    ck_assert_int_eq(kit_compact(&kit, 4), RKV_OK);
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_eq(hash_at(0), 376657901u);
        ck_assert_int_eq(rkv_kv_hash(kit.kv, 3, &hash, &compacted),
                         RKV_ECOMPACTED);
        ck_assert_int_eq(rkv_kv_hash(kit.kv, 6, &hash, &compacted),
                         RKV_EFUTURE);
        kit_settle(&kit);
    }
}
END_TEST

START_TEST(before_the_first_revision_there_is_nothing)
{
    uint32_t nothing = hash_at(0);

    (void)kit_put(&kit, "a", "1");
    ck_assert_uint_ne(hash_at(0), nothing);
    ck_assert_uint_eq(hash_at(-1), nothing);
    ck_assert_int_eq(kit_compact(&kit, 2), RKV_OK);
    ck_assert_uint_eq(hash_at(-3), nothing);
}
END_TEST

START_TEST(a_hash_needs_a_place)
{
    uint32_t hash;
    int64_t compacted;

    ck_assert_int_eq(rkv_kv_hash(kit.kv, 0, NULL, &compacted), RKV_EINVAL);
    ck_assert_int_eq(rkv_kv_hash(kit.kv, 0, &hash, NULL), RKV_EINVAL);
}
END_TEST

START_TEST(what_a_later_revision_replaced_does_not_count_below)
{
    uint32_t hash;

    /* At 4 the compacted a@2 is not the newest any more, and is left out,
     * as etcd does. */
    (void)kit_put(&kit, "a", "1");
    (void)kit_put(&kit, "b", "1");
    ck_assert_int_eq(kit_compact(&kit, 3), RKV_OK);
    hash = hash_at(3);
    (void)kit_put(&kit, "a", "2");
    ck_assert_uint_eq(hash_at(3), hash);
    ck_assert_uint_ne(hash_at(4), hash);
}
END_TEST

START_TEST(the_hash_of_the_state_follows_every_change)
{
    uint64_t seen[9];
    struct rkv_mass held;

    seen[0] = kit_report(&kit).hash;
    (void)kit_put(&kit, "a", "1");
    seen[1] = kit_report(&kit).hash;
    (void)kit_put(&kit, "a", "1");
    seen[2] = kit_report(&kit).hash;
    (void)kit_put(&kit, "b", "2");
    seen[3] = kit_report(&kit).hash;
    (void)kit_delete(&kit, "a", NULL);
    seen[4] = kit_report(&kit).hash;
    ck_assert_int_eq(kit_compact(&kit, 2), RKV_OK);
    seen[5] = kit_report(&kit).hash;
    ck_assert_int_eq(kit_compact(&kit, 5), RKV_OK);
    seen[6] = kit_report(&kit).hash;
    ck_assert_uint_eq(rkv_state_rehash(kit.kv->state, &held), seen[6]);
    for (int i = 0; i < 7; i++)
        for (int j = 0; j < i; j++)
            ck_assert_uint_ne(seen[i], seen[j]);
}
END_TEST

START_TEST(what_changes_nothing_leaves_the_hash)
{
    uint64_t hash;

    (void)kit_put(&kit, "a", "1");
    hash = kit_report(&kit).hash;
    (void)kit_delete(&kit, "b", NULL);
    (void)rkv_kv_skip(kit.kv, ++kit.index);
    (void)rkv_txn_compact(kit.txn, 9);
    ck_assert_int_eq(kit_status(&kit), RKV_EFUTURE);
    ck_assert_uint_eq(kit_report(&kit).hash, hash);
}
END_TEST

START_TEST(where_a_key_ends_and_its_value_begins_counts)
{
    struct kit other;

    kit_open(&other, NULL);
    (void)kit_put(&kit, "ab", "c");
    (void)kit_put(&other, "a", "bc");
    ck_assert_uint_ne(kit_report(&kit).hash, kit_report(&other).hash);
    kit_close(&other);
}
END_TEST

Suite *suite_kv_hash(void)
{
    Suite *suite = suite_create("kv hash");
    TCase *tcase = tcase_create("hash");

    tcase_add_checked_fixture(tcase, open_kit, close_kit);
    tcase_add_test(tcase, etcd_says_the_same);
    tcase_add_test(tcase, before_the_first_revision_there_is_nothing);
    tcase_add_test(tcase, a_hash_needs_a_place);
    tcase_add_test(tcase, what_a_later_revision_replaced_does_not_count_below);
    tcase_add_test(tcase, the_hash_of_the_state_follows_every_change);
    tcase_add_test(tcase, what_changes_nothing_leaves_the_hash);
    tcase_add_test(tcase, where_a_key_ends_and_its_value_begins_counts);
    suite_add_tcase(suite, tcase);
    return suite;
}
