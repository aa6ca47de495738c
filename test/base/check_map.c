/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The map against an array that remembers everything.
 */
#include <check.h>

#include "base/map.h"
#include "base/prng.h"
#include "support.h"

Suite *suite_base_map(void);

static int things[512];

START_TEST(an_empty_map_holds_nothing_and_no_memory)
{
    struct base_heap heap;
    struct rkv_allocator a = base_allocator(&heap);
    struct rkv_map map;
    rkv_map_init(&map, &a);
    ck_assert_ptr_null(rkv_map_get(&map, 0));
    ck_assert_ptr_null(rkv_map_remove(&map, 0));
    ck_assert_uint_eq(heap.blocks, 0);
    rkv_map_free(&map);
}
END_TEST

START_TEST(a_key_finds_what_was_last_set)
{
    struct base_heap heap;
    struct rkv_allocator a = base_allocator(&heap);
    struct rkv_map map;

    rkv_map_init(&map, &a);
    ck_assert_int_eq(rkv_map_set(&map, 0, &things[0]), RKV_OK);
    ck_assert_int_eq(rkv_map_set(&map, UINT64_MAX, &things[1]), RKV_OK);
    ck_assert_ptr_eq(rkv_map_get(&map, 0), &things[0]);
    ck_assert_ptr_eq(rkv_map_get(&map, UINT64_MAX), &things[1]);
    ck_assert_ptr_null(rkv_map_get(&map, 1));
    ck_assert_int_eq(rkv_map_set(&map, 0, &things[2]), RKV_OK);
    ck_assert_ptr_eq(rkv_map_get(&map, 0), &things[2]);
    ck_assert_uint_eq(map.count, 2);
    ck_assert_ptr_eq(rkv_map_remove(&map, 0), &things[2]);
    ck_assert_ptr_null(rkv_map_get(&map, 0));
    ck_assert_ptr_null(rkv_map_remove(&map, 0));
    ck_assert_uint_eq(map.count, 1);
    rkv_map_free(&map);
    ck_assert_uint_eq(heap.blocks, 0);
    ck_assert(!heap.was_lied_to);
}
END_TEST

/* Keys that share all but few bits, where a poor hash would pile up. */
START_TEST(a_map_agrees_with_an_array_through_many_changes)
{
    enum { KEYS = 512, STEPS = 20000 };
    struct base_heap heap;
    struct rkv_allocator a = base_allocator(&heap);
    uint64_t shift = (uint64_t)_i * 8;
    void *expected[KEYS] = {NULL};
    struct rkv_prng prng;
    struct rkv_map map;
    size_t count = 0;

    rkv_map_init(&map, &a);
    rkv_prng_seed(&prng, (uint64_t)_i);
    for (int step = 0; step < STEPS; step++) {
        size_t k = rkv_prng_below(&prng, KEYS);
        uint64_t key = (uint64_t)k << shift;
        switch (rkv_prng_below(&prng, 4)) {
        case 0:
            count += expected[k] == NULL;
            expected[k] = &things[rkv_prng_below(&prng, KEYS)];
            ck_assert(rkv_map_set(&map, key, expected[k]) == RKV_OK);
            break;
        case 1:
            count -= expected[k] != NULL;
            ck_assert(rkv_map_remove(&map, key) == expected[k]);
            expected[k] = NULL;
            break;
        default:
            ck_assert(rkv_map_get(&map, key) == expected[k]);
            break;
        }
        ck_assert(map.count == count);
    }
    for (size_t k = 0; k < KEYS; k++)
        ck_assert_ptr_eq(rkv_map_get(&map, (uint64_t)k << shift), expected[k]);
    rkv_map_free(&map);
    ck_assert_uint_eq(heap.blocks, 0);
    ck_assert(!heap.was_lied_to);
}
END_TEST

START_TEST(a_map_that_cannot_grow_is_as_it_was)
{
    struct base_heap heap;
    struct rkv_allocator a = base_allocator(&heap);
    struct rkv_map map;
    uint64_t n = 0;

    rkv_map_init(&map, &a);
    heap.left = 0;
    ck_assert_int_eq(rkv_map_set(&map, 1, &things[0]), RKV_ENOMEM);
    heap.left = 2;
    while (rkv_map_set(&map, n, &things[n]) == RKV_OK)
        n++;
    ck_assert_uint_ge(n, 16);
    ck_assert_uint_eq(map.count, n);
    for (uint64_t k = 0; k < n; k++)
        ck_assert_ptr_eq(rkv_map_get(&map, k), &things[k]);
    ck_assert_ptr_null(rkv_map_get(&map, n));
    rkv_map_free(&map);
    ck_assert_uint_eq(heap.blocks, 0);
}
END_TEST

Suite *suite_base_map(void)
{
    Suite *suite = suite_create("base/map");
    TCase *tc = tcase_create("map");
    tcase_add_test(tc, an_empty_map_holds_nothing_and_no_memory);
    tcase_add_test(tc, a_key_finds_what_was_last_set);
    tcase_add_loop_test(tc, a_map_agrees_with_an_array_through_many_changes, 0,
                        7);
    tcase_add_test(tc, a_map_that_cannot_grow_is_as_it_was);
    suite_add_tcase(suite, tc);
    return suite;
}
