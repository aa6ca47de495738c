/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The key tree: order, counts and shape through many inserts and removals.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "kv/room.h"
#include "support.h"

Suite *suite_kv_tree(void);

enum { KEYS = 6000 };

struct wood {
    struct base_heap heap;
    struct rkv_allocator allocator;
    struct rkv_pool pool;
    struct rkv_tree tree;
    struct rkv_record **records; /* by number; NULL: not there */
    struct rkv_prng prng;
};

static void wood_open(struct wood *wood)
{
    wood->allocator = base_allocator(&wood->heap);
    rkv_pool_init(&wood->pool, &wood->allocator);
    rkv_tree_init(&wood->tree, &wood->allocator);
    wood->records = calloc(KEYS, sizeof(wood->records[0]));
    rkv_prng_seed(&wood->prng, 1);
}

static void wood_close(struct wood *wood)
{
    rkv_tree_free(&wood->tree);
    rkv_pool_free(&wood->pool);
    ck_assert_uint_eq(wood->heap.blocks, 0);
    ck_assert(!wood->heap.was_lied_to);
    free(wood->records);
}

typedef size_t wood_key(uint32_t number, uint8_t *out);

/* All alike in front, different at the end. */
static size_t key_behind_prefix(uint32_t number, uint8_t *out)
{
    return (size_t)sprintf((char *)out, "registry/pods/default/%08u", number);
}

/* Each the beginning of others: 4 bits to a byte, no trailing zero. */
static size_t key_that_begins_others(uint32_t number, uint8_t *out)
{
    size_t len = 0;

    for (uint32_t rest = number + 1; rest > 0; rest /= 3)
        out[len++] = (uint8_t)(rest % 3);
    for (size_t i = 0; i < len / 2; i++) {
        uint8_t byte = out[i];

        out[i] = out[len - 1 - i];
        out[len - 1 - i] = byte;
    }
    return len;
}

static size_t key_scattered(uint32_t number, uint8_t *out)
{
    rkv_put_u64(out, rkv_mix64(number, 77));
    return 8;
}

static wood_key *const wood_keys[] = {key_behind_prefix, key_that_begins_others,
                                      key_scattered};

static struct rkv_record *wood_record(struct wood *wood, wood_key *key,
                                      uint32_t number, bool is_live)
{
    uint8_t bytes[64];
    struct rkv_draft draft = {
        .key = bytes,
        .key_len = (uint32_t)key(number, bytes),
        .main = 2,
        .version = is_live,
    };

    return rkv_record_new(&wood->pool, &draft, NULL);
}

static void wood_put(struct wood *wood, wood_key *key, uint32_t number,
                     bool is_live)
{
    struct rkv_record *record = wood_record(wood, key, number, is_live);
    struct rkv_tree_spot spot =
        rkv_tree_find(&wood->tree, record->bytes, record->key_len);

    ck_assert_ptr_eq(spot.record, wood->records[number]);
    ck_assert_int_eq(rkv_tree_put(&wood->tree, record, spot), RKV_OK);
    wood->records[number] = record;
}

/* The tree holds what the array holds, in order, and counts it. */
static void wood_compare(struct wood *wood)
{
    const struct rkv_record *last = NULL, *record;
    struct rkv_tree_place place, live;
    uint64_t found = 0, expected = 0, rank = 0;

    ck_assert(rkv_tree_check(&wood->tree));
    for (uint32_t i = 0; i < KEYS; i++)
        expected += wood->records[i] != NULL;
    place = rkv_tree_seek(&wood->tree, "", 0);
    live = place;
    while ((record = rkv_tree_next(&place)) != NULL) {
        if (last != NULL)
            ck_assert_int_lt(rkv_bytes_compare(last->bytes, last->key_len,
                                               record->bytes, record->key_len),
                             0);
        ck_assert_uint_eq(
            rkv_tree_rank(&wood->tree, record->bytes, record->key_len), rank);
        if (rkv_record_is_live(record))
            ck_assert_ptr_eq(rkv_tree_next_live(&wood->tree, &live), record);
        rank += rkv_record_is_live(record);
        last = record;
        found++;
    }
    ck_assert_ptr_null(rkv_tree_next_live(&wood->tree, &live));
    ck_assert_uint_eq(found, expected);
    ck_assert_uint_eq(wood->tree.live, rank);
}

START_TEST(keys_put_in_any_order_stand_in_order)
{
    wood_key *key = wood_keys[_i % 3];
    struct wood wood;

    wood_open(&wood);
    for (uint32_t i = 0; i < KEYS; i++) {
        uint32_t number = i;

        if (_i / 3 == 1)
            number = KEYS - 1 - i;
        if (_i / 3 == 2)
            number = (uint32_t)((uint64_t)i * 2687 % KEYS);
        wood_put(&wood, key, number, number % 3 != 0);
    }
    wood_compare(&wood);
    wood_close(&wood);
}
END_TEST

START_TEST(keys_that_die_and_come_back_are_counted)
{
    struct wood wood;

    wood_open(&wood);
    for (uint32_t i = 0; i < 4 * KEYS; i++)
        wood_put(&wood, key_behind_prefix,
                 (uint32_t)rkv_prng_below(&wood.prng, KEYS),
                 rkv_prng_below(&wood.prng, 2) == 0);
    wood_compare(&wood);
    wood_close(&wood);
}
END_TEST

START_TEST(the_living_are_found_across_the_dead)
{
    static const uint32_t gaps[] = {1, 60, 130, 700, 2500, KEYS};
    wood_key *key = wood_keys[_i % 3];
    struct wood wood;

    wood_open(&wood);
    for (uint32_t i = 0; i < KEYS; i++)
        wood_put(&wood, key, i, i % gaps[_i / 3] == gaps[_i / 3] - 1);
    wood_compare(&wood);
    for (uint32_t i = 0; i < KEYS; i++)
        wood_put(&wood, key, i, false);
    wood_compare(&wood);
    wood_close(&wood);
}
END_TEST

START_TEST(keys_can_be_removed_in_any_order_until_nothing_is_left)
{
    wood_key *key = wood_keys[_i % 3];
    struct wood wood;

    wood_open(&wood);
    for (uint32_t i = 0; i < KEYS; i++)
        wood_put(&wood, key, i, false);
    for (uint32_t i = 0; i < KEYS; i++) {
        uint32_t number =
            _i / 3 == 0 ? i : (uint32_t)((uint64_t)i * 2687 % KEYS);

        rkv_tree_remove(&wood.tree, wood.records[number]);
        wood.records[number] = NULL;
        if (i % 500 == 0)
            wood_compare(&wood);
    }
    ck_assert_ptr_null(wood.tree.root);
    wood_close(&wood);
}
END_TEST

START_TEST(keys_come_and_go_at_random)
{
    wood_key *key = wood_keys[_i];
    struct wood wood;

    wood_open(&wood);
    for (uint32_t i = 0; i < 10 * KEYS; i++) {
        uint32_t number = (uint32_t)rkv_prng_below(&wood.prng, KEYS);
        /* Tides: mostly puts for a while, then mostly removals. */
        bool is_flood = i / (2 * KEYS) % 2 == 0;
        bool puts = rkv_prng_below(&wood.prng, 10) < (is_flood ? 8 : 1);

        if (puts) {
            wood_put(&wood, key, number, false);
        } else if (wood.records[number] != NULL) {
            rkv_tree_remove(&wood.tree, wood.records[number]);
            wood.records[number] = NULL;
        }
        if (i % KEYS == 0)
            wood_compare(&wood);
    }
    wood_compare(&wood);
    wood_close(&wood);
}
END_TEST

START_TEST(an_empty_tree_finds_nothing)
{
    struct wood wood;
    struct rkv_tree_place place;

    wood_open(&wood);
    ck_assert_ptr_null(rkv_tree_find(&wood.tree, "a", 1).record);
    place = rkv_tree_seek(&wood.tree, "a", 1);
    ck_assert_ptr_null(rkv_tree_next(&place));
    ck_assert_ptr_null(rkv_tree_next_live(&wood.tree, &place));
    ck_assert_uint_eq(rkv_tree_rank(&wood.tree, "a", 1), 0);
    wood_close(&wood);
}
END_TEST

START_TEST(a_tree_without_memory_stays_whole)
{
    struct wood wood;

    wood_open(&wood);
    for (uint32_t i = 0; i < KEYS; i++) {
        struct rkv_record *record = wood_record(&wood, key_scattered, i, true);
        struct rkv_tree_spot spot =
            rkv_tree_find(&wood.tree, record->bytes, record->key_len);

        wood.heap.left = (int)(i % 3);
        if (rkv_tree_put(&wood.tree, record, spot) == RKV_OK)
            wood.records[i] = record;
        wood.heap.left = -1;
    }
    wood_compare(&wood);
    wood_close(&wood);
}
END_TEST

Suite *suite_kv_tree(void)
{
    Suite *suite = suite_create("kv tree");
    TCase *tcase = tcase_create("tree");

    tcase_add_test(tcase, an_empty_tree_finds_nothing);
    tcase_add_loop_test(tcase, keys_put_in_any_order_stand_in_order, 0, 9);
    tcase_add_test(tcase, keys_that_die_and_come_back_are_counted);
    tcase_add_loop_test(tcase, the_living_are_found_across_the_dead, 0, 18);
    tcase_add_loop_test(
        tcase, keys_can_be_removed_in_any_order_until_nothing_is_left, 0, 6);
    tcase_add_loop_test(tcase, keys_come_and_go_at_random, 0, 3);
    tcase_add_test(tcase, a_tree_without_memory_stays_whole);
    suite_add_tcase(suite, tcase);
    return suite;
}
