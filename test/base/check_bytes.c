/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Numbers in memory: little-endian, varints of one spelling, a reader that
 * cannot be led past its end and a buffer that survives want of memory.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/prng.h"
#include "support.h"

Suite *suite_base_bytes(void);

/* A reader over a block of exactly these bytes, to be freed. */
static uint8_t *reader_over(struct rkv_reader *r, const void *data, size_t len)
{
    uint8_t *copy = malloc(len);
    if (len > 0)
        memcpy(copy, data, len);
    rkv_reader_init(r, copy, len);
    return copy;
}

START_TEST(numbers_are_little_endian)
{
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 0xf8};
    uint8_t out[8];

    ck_assert_uint_eq(rkv_get_u32(bytes), 0x04030201);
    ck_assert_uint_eq(rkv_get_u32(bytes + 4), 0xf8070605);
    ck_assert_uint_eq(rkv_get_u64(bytes), UINT64_C(0xf807060504030201));
    rkv_put_u32(out, 0x04030201);
    ck_assert_mem_eq(out, bytes, 4);
    rkv_put_u64(out, UINT64_C(0xf807060504030201));
    ck_assert_mem_eq(out, bytes, 8);
}
END_TEST

static const struct {
    uint64_t value;
    uint8_t bytes[10];
    size_t len;
} varints[] = {
    {0, {0}, 1},
    {1, {1}, 1},
    {127, {0x7f}, 1},
    {128, {0x80, 1}, 2},
    {300, {0xac, 2}, 2},
    {16383, {0xff, 0x7f}, 2},
    {16384, {0x80, 0x80, 1}, 3},
    {UINT32_MAX, {0xff, 0xff, 0xff, 0xff, 0x0f}, 5},
    {UINT64_C(1) << 63,
     {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1},
     10},
    {UINT64_MAX, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, 10},
};

START_TEST(a_varint_is_written_and_read_in_its_shortest_form)
{
    struct rkv_allocator a = rkv_alloc_choose(NULL);
    struct rkv_buffer b;
    struct rkv_reader r;

    rkv_buffer_init(&b, &a);
    rkv_write_varint(&b, varints[_i].value);
    ck_assert_uint_eq(b.len, varints[_i].len);
    ck_assert_mem_eq(b.data, varints[_i].bytes, b.len);
    uint8_t *copy = reader_over(&r, b.data, b.len);
    ck_assert(rkv_read_varint(&r) == varints[_i].value);
    ck_assert(rkv_reader_done(&r));
    free(copy);
    rkv_buffer_free(&b);
}
END_TEST

START_TEST(any_number_is_read_as_it_was_written)
{
    struct rkv_allocator a = rkv_alloc_choose(NULL);
    struct rkv_prng prng;
    struct rkv_buffer b;

    rkv_buffer_init(&b, &a);
    rkv_prng_seed(&prng, 1);
    for (int i = 0; i < 5000; i++) {
        uint64_t v = rkv_prng_next(&prng) >> rkv_prng_below(&prng, 64);
        int64_t s =
            (int64_t)(rkv_prng_next(&prng) >> rkv_prng_below(&prng, 64));
        struct rkv_reader r;
        if (i % 2 == 0)
            s = -s;
        rkv_buffer_clear(&b);
        rkv_write_varint(&b, v);
        rkv_write_svarint(&b, s);
        rkv_write_u8(&b, (uint8_t)v);
        rkv_write_u32(&b, (uint32_t)v);
        rkv_write_u64(&b, v);
        rkv_reader_init(&r, b.data, b.len);
        ck_assert(rkv_read_varint(&r) == v);
        ck_assert(rkv_read_svarint(&r) == s);
        ck_assert(rkv_read_u8(&r) == (uint8_t)v);
        ck_assert(rkv_read_u32(&r) == (uint32_t)v);
        ck_assert(rkv_read_u64(&r) == v);
        ck_assert(rkv_reader_done(&r));
    }
    rkv_buffer_free(&b);
}
END_TEST

static const struct {
    const char *why;
    uint8_t bytes[12];
    size_t len;
} bad_varints[] = {
    {"nothing", {0}, 0},
    {"an end that is missing", {0x80}, 1},
    {"0 in two bytes", {0x80, 0}, 2},
    {"127 in two bytes", {0xff, 0}, 2},
    {"1 in three bytes", {0x81, 0x80, 0}, 3},
    {"2^64", {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2}, 10},
    {"eleven bytes",
     {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x81, 1},
     11},
    {"ten bytes that go on",
     {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80},
     10},
};

START_TEST(another_spelling_of_a_varint_fails)
{
    struct rkv_reader r;
    uint8_t *copy = reader_over(&r, bad_varints[_i].bytes, bad_varints[_i].len);
    ck_assert_msg(rkv_read_varint(&r) == 0, "%s", bad_varints[_i].why);
    ck_assert_msg(r.failed, "%s", bad_varints[_i].why);
    free(copy);
}
END_TEST

START_TEST(small_numbers_of_either_sign_are_short)
{
    static const struct {
        int64_t value;
        uint8_t byte;
    } cases[] = {{0, 0}, {-1, 1}, {1, 2}, {-2, 3}, {63, 126}, {-64, 127}};
    struct rkv_allocator a = rkv_alloc_choose(NULL);
    struct rkv_buffer b;

    rkv_buffer_init(&b, &a);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rkv_buffer_clear(&b);
        rkv_write_svarint(&b, cases[i].value);
        ck_assert_uint_eq(b.len, 1);
        ck_assert_uint_eq(b.data[0], cases[i].byte);
    }
    rkv_buffer_free(&b);
}
END_TEST

START_TEST(the_extremes_of_a_signed_number_survive)
{
    static const int64_t values[] = {INT64_MIN, INT64_MIN + 1, INT64_MAX};
    struct rkv_allocator a = rkv_alloc_choose(NULL);
    struct rkv_buffer b;

    rkv_buffer_init(&b, &a);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct rkv_reader r;
        rkv_buffer_clear(&b);
        rkv_write_svarint(&b, values[i]);
        rkv_reader_init(&r, b.data, b.len);
        ck_assert(rkv_read_svarint(&r) == values[i]);
        ck_assert(rkv_reader_done(&r));
    }
    rkv_buffer_free(&b);
}
END_TEST

START_TEST(a_varint_beyond_32_bits_fails_where_32_are_wanted)
{
    struct rkv_reader r;
    uint8_t *copy = reader_over(&r, "\xff\xff\xff\xff\x0f", 5);
    ck_assert_uint_eq(rkv_read_varint32(&r), UINT32_MAX);
    ck_assert(rkv_reader_done(&r));
    free(copy);
    copy = reader_over(&r, "\x80\x80\x80\x80\x10", 5);
    ck_assert_uint_eq(rkv_read_varint32(&r), 0);
    ck_assert(r.failed);
    free(copy);
}
END_TEST

START_TEST(a_reader_that_failed_gives_nothing_more)
{
    struct rkv_reader r;
    uint8_t *copy = reader_over(&r, "\x01\x02\x03", 3);
    size_t len = 99;

    ck_assert_uint_eq(rkv_read_u8(&r), 1);
    ck_assert_uint_eq(rkv_read_u32(&r), 0);
    ck_assert(r.failed);
    ck_assert_uint_eq(rkv_read_u8(&r), 0);
    ck_assert_uint_eq(rkv_read_varint(&r), 0);
    ck_assert_int_eq(rkv_read_svarint(&r), 0);
    ck_assert_uint_eq(rkv_read_varint32(&r), 0);
    ck_assert_uint_eq(rkv_read_u64(&r), 0);
    ck_assert_ptr_null(rkv_read_bytes(&r, 0));
    ck_assert_ptr_null(rkv_read_bytes(&r, 1));
    ck_assert_ptr_null(rkv_read_blob(&r, &len));
    ck_assert_uint_eq(len, 0);
    ck_assert_uint_eq(rkv_reader_left(&r), 0);
    ck_assert(!rkv_reader_done(&r));
    free(copy);
}
END_TEST

START_TEST(bytes_are_read_in_place_and_only_if_all_are_there)
{
    struct rkv_reader r;
    uint8_t *copy = reader_over(&r, "abcdef", 6);

    ck_assert_ptr_eq(rkv_read_bytes(&r, 4), copy);
    ck_assert_uint_eq(rkv_reader_left(&r), 2);
    ck_assert_ptr_eq(rkv_read_bytes(&r, 0), copy + 4);
    ck_assert_ptr_null(rkv_read_bytes(&r, 3));
    ck_assert(r.failed);
    rkv_reader_init(&r, copy, 6);
    ck_assert_ptr_null(rkv_read_bytes(&r, SIZE_MAX));
    ck_assert(r.failed);
    free(copy);
}
END_TEST

START_TEST(a_blob_is_as_long_as_it_says_or_fails)
{
    struct rkv_reader r;
    size_t len = 0;
    uint8_t *copy = reader_over(&r,
                                "\x03"
                                "abc\x00\x02z",
                                7);

    const uint8_t *blob = rkv_read_blob(&r, &len);
    ck_assert_uint_eq(len, 3);
    ck_assert_mem_eq(blob, "abc", 3);
    ck_assert_ptr_nonnull(rkv_read_blob(&r, &len));
    ck_assert_uint_eq(len, 0);
    ck_assert_ptr_null(rkv_read_blob(&r, &len));
    ck_assert(r.failed);
    free(copy);
    copy = reader_over(&r, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10);
    ck_assert_ptr_null(rkv_read_blob(&r, &len));
    ck_assert(r.failed);
    free(copy);
}
END_TEST

START_TEST(a_reader_of_nothing_is_done_at_once)
{
    struct rkv_reader r;
    rkv_reader_init(&r, NULL, 0);
    ck_assert(rkv_reader_done(&r));
    ck_assert_uint_eq(rkv_reader_left(&r), 0);
    ck_assert_ptr_nonnull(rkv_read_bytes(&r, 0));
    ck_assert(rkv_reader_done(&r));
}
END_TEST

START_TEST(a_buffer_grows_keeps_its_bytes_and_gives_all_memory_back)
{
    struct base_heap heap;
    struct rkv_allocator a = base_allocator(&heap);
    struct rkv_buffer b;

    rkv_buffer_init(&b, &a);
    ck_assert_uint_eq(heap.blocks, 0);
    for (uint32_t i = 0; i < 1000; i++)
        rkv_write_u32(&b, i);
    rkv_write_blob(&b, "end", 3);
    rkv_write_bytes(&b, NULL, 0);
    ck_assert(!b.failed);
    ck_assert_uint_eq(b.len, 4004);
    for (uint32_t i = 0; i < 1000; i++)
        ck_assert_uint_eq(rkv_get_u32(b.data + 4 * (size_t)i), i);
    ck_assert_mem_eq(b.data + 4000,
                     "\x03"
                     "end",
                     4);
    ck_assert_uint_eq(heap.bytes, b.cap);
    rkv_buffer_free(&b);
    ck_assert_uint_eq(heap.blocks, 0);
    ck_assert(!heap.was_lied_to);
}
END_TEST

START_TEST(a_cleared_buffer_keeps_its_memory)
{
    struct base_heap heap;
    struct rkv_allocator a = base_allocator(&heap);
    struct rkv_buffer b;

    rkv_buffer_init(&b, &a);
    ck_assert(rkv_buffer_reserve(&b, 100));
    heap.left = 0;
    for (int i = 0; i < 10; i++) {
        rkv_buffer_clear(&b);
        for (int n = 0; n < 100; n++)
            rkv_write_u8(&b, (uint8_t)n);
        ck_assert(!b.failed);
        ck_assert_uint_eq(b.len, 100);
    }
    rkv_buffer_free(&b);
}
END_TEST

START_TEST(a_buffer_without_memory_says_so_and_stops)
{
    struct base_heap heap;
    struct rkv_allocator a = base_allocator(&heap);
    struct rkv_buffer b;

    rkv_buffer_init(&b, &a);
    rkv_write_bytes(&b, "12345678", 8);
    heap.left = 0;
    rkv_write_u64(&b, 1);
    ck_assert(b.failed);
    ck_assert_uint_eq(b.len, 8);
    ck_assert_mem_eq(b.data, "12345678", 8);
    heap.left = -1;
    rkv_write_u8(&b, 1);
    ck_assert_msg(b.len == 8, "what follows a gap is not written either");
    ck_assert(!rkv_buffer_reserve(&b, 1));
    rkv_buffer_clear(&b);
    rkv_write_u8(&b, 1);
    ck_assert(!b.failed);
    ck_assert_uint_eq(b.len, 1);
    rkv_buffer_free(&b);
    ck_assert_uint_eq(heap.blocks, 0);
    ck_assert(!heap.was_lied_to);
}
END_TEST

START_TEST(a_reservation_that_overflows_fails)
{
    struct base_heap heap;
    struct rkv_allocator a = base_allocator(&heap);
    struct rkv_buffer b;

    rkv_buffer_init(&b, &a);
    rkv_write_u8(&b, 1);
    ck_assert(!rkv_buffer_reserve(&b, SIZE_MAX));
    ck_assert(b.failed);
    rkv_buffer_clear(&b);
    rkv_write_u8(&b, 1);
    ck_assert(!rkv_buffer_reserve(&b, SIZE_MAX - 1));
    ck_assert(b.failed);
    rkv_buffer_free(&b);
}
END_TEST

Suite *suite_base_bytes(void)
{
    Suite *suite = suite_create("base/bytes");
    TCase *tc = tcase_create("bytes");
    tcase_add_test(tc, numbers_are_little_endian);
    tcase_add_loop_test(tc, a_varint_is_written_and_read_in_its_shortest_form,
                        0, sizeof varints / sizeof *varints);
    tcase_add_test(tc, any_number_is_read_as_it_was_written);
    tcase_add_loop_test(tc, another_spelling_of_a_varint_fails, 0,
                        sizeof bad_varints / sizeof *bad_varints);
    tcase_add_test(tc, small_numbers_of_either_sign_are_short);
    tcase_add_test(tc, the_extremes_of_a_signed_number_survive);
    tcase_add_test(tc, a_varint_beyond_32_bits_fails_where_32_are_wanted);
    tcase_add_test(tc, a_reader_that_failed_gives_nothing_more);
    tcase_add_test(tc, bytes_are_read_in_place_and_only_if_all_are_there);
    tcase_add_test(tc, a_blob_is_as_long_as_it_says_or_fails);
    tcase_add_test(tc, a_reader_of_nothing_is_done_at_once);
    tcase_add_test(tc,
                   a_buffer_grows_keeps_its_bytes_and_gives_all_memory_back);
    tcase_add_test(tc, a_cleared_buffer_keeps_its_memory);
    tcase_add_test(tc, a_buffer_without_memory_says_so_and_stops);
    tcase_add_test(tc, a_reservation_that_overflows_fails);
    suite_add_tcase(suite, tc);
    return suite;
}
