/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The hashes against known answers, and what a chain is over.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

Suite *suite_base_hash(void);

static void expect_hex(const uint8_t *bytes, size_t len, const char *hex)
{
    static const char digits[] = "0123456789abcdef";
    char text[65];
    ck_assert_uint_le(len, 32);
    for (size_t i = 0; i < len; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    text[2 * len] = '\0';
    ck_assert_str_eq(text, hex);
}

static void count_up(uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)i;
}

START_TEST(blake2b_256_gives_its_known_answers)
{
    uint8_t out[32], bytes[200];
    count_up(bytes, sizeof bytes);
    rkv_blake(out, "", 0);
    expect_hex(
        out, 32,
        "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
    rkv_blake(out, NULL, 0);
    expect_hex(
        out, 32,
        "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
    rkv_blake(out, "abc", 3);
    expect_hex(
        out, 32,
        "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
    rkv_blake(out, bytes, sizeof bytes);
    expect_hex(
        out, 32,
        "63c3d97a9f8894d5e043a707b0fee7f7ec4c049a23bbf1079df20b4165f9e22d");
}
END_TEST

START_TEST(pieces_hash_to_the_same_as_the_whole)
{
    uint8_t whole[32], pieces[32], bytes[300];
    count_up(bytes, sizeof bytes);
    rkv_blake(whole, bytes, sizeof bytes);
    for (size_t cut = 0; cut <= sizeof bytes; cut++) {
        struct rkv_blake h;
        rkv_blake_begin(&h);
        rkv_blake_add(&h, bytes, cut);
        rkv_blake_add(&h, NULL, 0);
        rkv_blake_add(&h, bytes + cut, sizeof bytes - cut);
        rkv_blake_end(&h, pieces);
        ck_assert_mem_eq(pieces, whole, 32);
    }
}
END_TEST

START_TEST(a_chain_is_over_what_went_before_and_the_whole_entry)
{
    uint8_t previous[32];
    count_up(previous, sizeof previous);
    struct rkv_entry entry = {.index = 7,
                              .term = 3,
                              .data = "hello",
                              .len = 5,
                              .kind = RKV_ENTRY_COMMAND};
    rkv_entry_chain(&entry, previous);
    expect_hex(
        entry.chain, 32,
        "9976f66c3c06c6c7997de414998e5656a559a3aab052772dd7c3b719e65d8ac0");

    struct rkv_entry empty = {
        .index = UINT64_C(1) << 63, .term = UINT64_MAX, .kind = RKV_ENTRY_NOOP};
    rkv_entry_chain(&empty, previous);
    expect_hex(
        empty.chain, 32,
        "424f245e90ebefb17870a865a29f632944ead1d53a3db2c18229ae862715d6e2");
}
END_TEST

START_TEST(a_chain_may_replace_the_one_it_continues)
{
    struct rkv_entry a = {.index = 1,
                          .term = 1,
                          .data = "x",
                          .len = 1,
                          .kind = RKV_ENTRY_COMMAND};
    struct rkv_entry b = a;
    uint8_t previous[32] = {9};
    memcpy(b.chain, previous, 32);
    rkv_entry_chain(&a, previous);
    rkv_entry_chain(&b, b.chain);
    ck_assert_mem_eq(a.chain, b.chain, 32);
}
END_TEST

/* Frames carry this hash: the numbers are part of the format. */
START_TEST(the_fast_hash_gives_the_same_numbers_everywhere)
{
    uint8_t bytes[100];
    count_up(bytes, sizeof bytes);
    ck_assert_uint_eq(rkv_hash64(0, "", 0), UINT64_C(0xb9e89389daa80a8d));
    ck_assert_uint_eq(rkv_hash64(1, "a", 1), UINT64_C(0x28eccef8f2b95f0a));
    ck_assert_uint_eq(rkv_hash64(7, bytes, 100), UINT64_C(0x2521024897e42ddd));
}
END_TEST

START_TEST(the_fast_hash_does_not_care_where_bytes_lie)
{
    uint8_t bytes[200], moved[216];
    count_up(bytes, sizeof bytes);
    for (size_t by = 0; by < 16; by++) {
        memcpy(moved + by, bytes, sizeof bytes);
        for (size_t len = 0; len <= sizeof bytes; len++)
            ck_assert_uint_eq(rkv_hash64(5, moved + by, len),
                              rkv_hash64(5, bytes, len));
    }
}
END_TEST

START_TEST(the_fast_hash_reads_no_byte_too_far)
{
    for (size_t len = 0; len < 130; len++) {
        uint8_t *exact = malloc(len);
        if (len > 0)
            memset(exact, 7, len);
        ck_assert_uint_eq(rkv_hash64(1, exact, len), rkv_hash64(1, exact, len));
        free(exact);
    }
}
END_TEST

START_TEST(every_bit_and_every_length_counts)
{
    uint8_t bytes[150] = {0};
    for (size_t len = 0; len < sizeof bytes; len++) {
        uint64_t before = rkv_hash64(3, bytes, len);
        ck_assert_uint_ne(before, rkv_hash64(3, bytes, len + 1));
        ck_assert_uint_ne(before, rkv_hash64(4, bytes, len));
        for (size_t bit = 0; bit < 8 * len; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            ck_assert_uint_ne(before, rkv_hash64(3, bytes, len));
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}
END_TEST

START_TEST(small_numbers_mix_to_different_ones)
{
    uint64_t seen[16 * 16];
    size_t n = 0;
    for (uint64_t a = 0; a < 16; a++)
        for (uint64_t b = 0; b < 16; b++)
            seen[n++] = rkv_mix64(a, b);
    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1; k < n; k++)
            ck_assert(seen[i] != seen[k]);
}
END_TEST

static uint32_t crc_of(const void *data, size_t len)
{
    struct rkv_crc32c crc;
    rkv_crc32c_begin(&crc);
    rkv_crc32c_add(&crc, data, len);
    return crc.value;
}

START_TEST(crc_32c_gives_its_known_answers)
{
    uint8_t bytes[32];
    ck_assert_uint_eq(crc_of("", 0), 0);
    ck_assert_uint_eq(crc_of("123456789", 9), 0xe3069283);
    memset(bytes, 0, sizeof bytes);
    ck_assert_uint_eq(crc_of(bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, sizeof bytes);
    ck_assert_uint_eq(crc_of(bytes, 32), 0x62a8ab43);
    count_up(bytes, sizeof bytes);
    ck_assert_uint_eq(crc_of(bytes, 32), 0x46dd794e);
}
END_TEST

/* A bit at a time, as the polynomial says. */
static uint32_t crc_by_bits(const uint8_t *data, size_t len)
{
    uint32_t c = 0xffffffff;
    for (size_t i = 0; i < len; i++) {
        c ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            c = c >> 1 ^ ((c & 1) != 0 ? 0x82f63b78u : 0);
    }
    return ~c;
}

START_TEST(crc_32c_goes_on_wherever_it_was_cut)
{
    uint8_t bytes[64];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)rkv_mix64(i, 5);
    for (size_t len = 0; len <= sizeof bytes; len++) {
        uint32_t expected = crc_by_bits(bytes, len);
        for (size_t cut = 0; cut <= len; cut++) {
            struct rkv_crc32c crc;
            rkv_crc32c_begin(&crc);
            rkv_crc32c_add(&crc, bytes, cut);
            rkv_crc32c_add(&crc, bytes + cut, len - cut);
            ck_assert_uint_eq(crc.value, expected);
        }
    }
}
END_TEST

Suite *suite_base_hash(void)
{
    Suite *suite = suite_create("base/hash");
    TCase *tc = tcase_create("hash");
    tcase_add_test(tc, blake2b_256_gives_its_known_answers);
    tcase_add_test(tc, pieces_hash_to_the_same_as_the_whole);
    tcase_add_test(tc, a_chain_is_over_what_went_before_and_the_whole_entry);
    tcase_add_test(tc, a_chain_may_replace_the_one_it_continues);
    tcase_add_test(tc, the_fast_hash_gives_the_same_numbers_everywhere);
    tcase_add_test(tc, the_fast_hash_does_not_care_where_bytes_lie);
    tcase_add_test(tc, the_fast_hash_reads_no_byte_too_far);
    tcase_add_test(tc, every_bit_and_every_length_counts);
    tcase_add_test(tc, small_numbers_mix_to_different_ones);
    tcase_add_test(tc, crc_32c_gives_its_known_answers);
    tcase_add_test(tc, crc_32c_goes_on_wherever_it_was_cut);
    suite_add_tcase(suite, tc);
    return suite;
}
