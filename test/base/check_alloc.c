/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Memory: the caller's allocator is told the truth, or malloc is used.
 */
#include <check.h>
#include <string.h>

#include "support.h"

Suite *suite_base_alloc(void);

START_TEST(without_an_allocator_malloc_serves)
{
    struct rkv_allocator a = rkv_alloc_choose(NULL);
    char *text = rkv_alloc(&a, 6);
    ck_assert_ptr_nonnull(text);
    memcpy(text, "hello", 6);
    text = rkv_resize(&a, text, 6, 4096);
    ck_assert_ptr_nonnull(text);
    ck_assert_str_eq(text, "hello");
    rkv_release(&a, text, 4096);
}
END_TEST

START_TEST(the_allocator_that_was_given_is_kept)
{
    struct base_heap heap;
    struct rkv_allocator given = base_allocator(&heap);
    struct rkv_allocator a = rkv_alloc_choose(&given);
    void *ptr = rkv_alloc(&a, 10);
    ck_assert_uint_eq(heap.bytes, 10);
    rkv_release(&a, ptr, 10);
    ck_assert_uint_eq(heap.bytes, 0);
}
END_TEST

START_TEST(zeroed_memory_is_zero)
{
    static const uint8_t zeros[100];
    struct base_heap heap;
    struct rkv_allocator a = base_allocator(&heap);
    uint8_t *p = rkv_alloc(&a, 100);
    memset(p, 0xff, 100);
    rkv_release(&a, p, 100);
    p = rkv_alloc_zeroed(&a, 100);
    ck_assert_mem_eq(p, zeros, 100);
    rkv_release(&a, p, 100);
    ck_assert(!heap.was_lied_to);
}
END_TEST

START_TEST(releasing_nothing_is_nothing)
{
    struct base_heap heap;
    struct rkv_allocator a = base_allocator(&heap);
    rkv_release(&a, NULL, 0);
    rkv_release(&a, NULL, 10);
    rkv_release(&a, &heap, 0);
    ck_assert_ptr_null(rkv_alloc(&a, 0));
    ck_assert_ptr_null(rkv_alloc_zeroed(&a, 0));
    ck_assert_uint_eq(heap.blocks, 0);
    ck_assert(!heap.was_lied_to);
}
END_TEST

START_TEST(no_memory_is_told_and_what_was_there_stays)
{
    struct base_heap heap;
    struct rkv_allocator a = base_allocator(&heap);
    char *text = rkv_alloc(&a, 6);
    memcpy(text, "hello", 6);
    heap.left = 0;
    ck_assert_ptr_null(rkv_alloc(&a, 1));
    ck_assert_ptr_null(rkv_alloc_zeroed(&a, 1));
    ck_assert_ptr_null(rkv_resize(&a, text, 6, 100));
    ck_assert_str_eq(text, "hello");
    rkv_release(&a, text, 6);
    ck_assert_uint_eq(heap.blocks, 0);
}
END_TEST

START_TEST(a_product_that_does_not_fit_is_refused)
{
    size_t out = 7;
    ck_assert(rkv_mul(6, 7, &out));
    ck_assert_uint_eq(out, 42);
    ck_assert(rkv_mul(SIZE_MAX, 1, &out));
    ck_assert_uint_eq(out, SIZE_MAX);
    ck_assert(rkv_mul(0, SIZE_MAX, &out));
    ck_assert_uint_eq(out, 0);
    ck_assert(!rkv_mul(SIZE_MAX, 2, &out));
    ck_assert(!rkv_mul(SIZE_MAX / 2 + 1, 2, &out));
}
END_TEST

START_TEST(an_array_doubles_from_eight_and_keeps_what_it_holds)
{
    struct base_heap heap;
    struct rkv_allocator a = base_allocator(&heap);
    void *array = NULL;
    size_t cap = 0;

    ck_assert_int_eq(rkv_grow(&a, &array, &cap, 1, sizeof(int)), RKV_OK);
    ck_assert_uint_eq(cap, 8);
    for (int i = 0; i < 8; i++)
        ((int *)array)[i] = i;
    ck_assert_int_eq(rkv_grow(&a, &array, &cap, 8, sizeof(int)), RKV_OK);
    ck_assert_uint_eq(cap, 8);
    ck_assert_int_eq(rkv_grow(&a, &array, &cap, 9, sizeof(int)), RKV_OK);
    ck_assert_uint_eq(cap, 16);
    ck_assert_int_eq(rkv_grow(&a, &array, &cap, 1000, sizeof(int)), RKV_OK);
    ck_assert_uint_eq(cap, 1024);
    ck_assert_uint_eq(heap.bytes, 1024 * sizeof(int));
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(((int *)array)[i], i);
    rkv_release(&a, array, cap * sizeof(int));
    ck_assert(!heap.was_lied_to);
}
END_TEST

START_TEST(an_array_that_cannot_grow_is_as_it_was)
{
    struct base_heap heap;
    struct rkv_allocator a = base_allocator(&heap);
    void *array = NULL, *before;
    size_t cap = 0;

    ck_assert_int_eq(rkv_grow(&a, &array, &cap, 4, 16), RKV_OK);
    before = array;
    ck_assert_int_eq(rkv_grow(&a, &array, &cap, SIZE_MAX, 16), RKV_ENOMEM);
    ck_assert_int_eq(rkv_grow(&a, &array, &cap, SIZE_MAX / 8, 16), RKV_ENOMEM);
    heap.left = 0;
    ck_assert_int_eq(rkv_grow(&a, &array, &cap, 100, 16), RKV_ENOMEM);
    ck_assert_ptr_eq(array, before);
    ck_assert_uint_eq(cap, 8);
    rkv_release(&a, array, cap * 16);
    ck_assert(!heap.was_lied_to);
}
END_TEST

Suite *suite_base_alloc(void)
{
    Suite *suite = suite_create("base/alloc");
    TCase *tc = tcase_create("alloc");
    tcase_add_test(tc, without_an_allocator_malloc_serves);
    tcase_add_test(tc, the_allocator_that_was_given_is_kept);
    tcase_add_test(tc, zeroed_memory_is_zero);
    tcase_add_test(tc, releasing_nothing_is_nothing);
    tcase_add_test(tc, no_memory_is_told_and_what_was_there_stays);
    tcase_add_test(tc, a_product_that_does_not_fit_is_refused);
    tcase_add_test(tc, an_array_doubles_from_eight_and_keeps_what_it_holds);
    tcase_add_test(tc, an_array_that_cannot_grow_is_as_it_was);
    suite_add_tcase(suite, tc);
    return suite;
}
