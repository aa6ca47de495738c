/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Snapshots in pieces.
 */
#include <check.h>
#include <string.h>

#include "base/hash.h"
#include "recode.h"
#include "support.h"

Suite *suite_wire_chunk(void);

static struct rkv_buffer chunk_body(const struct rkv_chunk *chunk)
{
    struct rkv_buffer body = wire_buffer();
    rkv_chunk_encode(&body, 3, chunk);
    recode_bare(&body);
    return body;
}

static int decode(const struct rkv_buffer *body, struct rkv_chunk *out)
{
    struct rkv_reader reader;
    rkv_reader_init(&reader, body->data, body->len);
    return rkv_chunk_decode(&reader, out);
}

static struct rkv_chunk some_chunk(void)
{
    struct rkv_chunk chunk = {.index = 1000,
                              .term = 3,
                              .total = 500,
                              .offset = 496,
                              .data = "tail",
                              .len = 4};
    memset(chunk.chain, 0xcc, sizeof chunk.chain);
    memset(chunk.hash, 0xaa, sizeof chunk.hash);
    return chunk;
}

START_TEST(a_fetch_arrives_as_it_was_sent)
{
    static const struct rkv_fetch cases[] = {
        {0},
        {.index = 7, .term = 2, .offset = 1u << 20, .len = 1u << 18},
        {.index = UINT64_MAX,
         .term = UINT64_MAX,
         .offset = UINT64_MAX,
         .len = UINT32_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rkv_buffer body = wire_buffer();
        struct rkv_reader reader;
        struct rkv_fetch got;
        rkv_fetch_encode(&body, 3, &cases[i]);
        recode_bare(&body);
        rkv_reader_init(&reader, body.data, body.len);
        memset(&got, 0xa5, sizeof got);
        ck_assert_int_eq(rkv_fetch_decode(&reader, &got), RKV_OK);
        ck_assert_mem_eq(&got, &cases[i], sizeof got);
        wire_expect_exact(recode_fetch, body.data, body.len);
        rkv_buffer_free(&body);
    }
}
END_TEST

START_TEST(a_chunk_arrives_with_the_check_of_its_data)
{
    struct rkv_chunk sent = some_chunk(), got;
    struct rkv_buffer body = chunk_body(&sent);
    uint8_t check[32];

    rkv_blake(check, "tail", 4);
    ck_assert_int_eq(decode(&body, &got), RKV_OK);
    ck_assert_uint_eq(got.index, 1000);
    ck_assert_uint_eq(got.term, 3);
    ck_assert_uint_eq(got.total, 500);
    ck_assert_uint_eq(got.offset, 496);
    ck_assert_uint_eq(got.len, 4);
    ck_assert_mem_eq(got.data, "tail", 4);
    ck_assert_mem_eq(got.chain, sent.chain, 32);
    ck_assert_mem_eq(got.hash, sent.hash, 32);
    ck_assert_mem_eq(got.check, check, 32);
    wire_expect_exact(recode_chunk, body.data, body.len);
    rkv_buffer_free(&body);
}
END_TEST

START_TEST(a_chunk_of_no_data_is_a_chunk)
{
    struct rkv_chunk sent = some_chunk(), got;
    sent.offset = sent.total;
    sent.len = 0;
    sent.data = NULL;
    struct rkv_buffer body = chunk_body(&sent);
    ck_assert_int_eq(decode(&body, &got), RKV_OK);
    ck_assert_uint_eq(got.len, 0);
    wire_expect_exact(recode_chunk, body.data, body.len);
    rkv_buffer_free(&body);
}
END_TEST

/* These bytes are the format: when they change, RKV_WIRE_VERSION must too. */
START_TEST(the_bytes_of_fetches_and_chunks_are_these)
{
    struct rkv_fetch fetch = {.index = 7, .term = 2, .offset = 300, .len = 128};
    struct rkv_chunk chunk = some_chunk();
    struct rkv_buffer body = wire_buffer();

    rkv_fetch_encode(&body, 3, &fetch);
    recode_bare(&body);
    wire_expect_hex(body.data, body.len, "07 02 ac02 8001");
    rkv_buffer_free(&body);
    body = chunk_body(&chunk);
    wire_expect_hex(
        body.data, body.len,
        "e807 03 f403 f003"
        "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "7e7ea92ca033435e93ddd12239c8503c1b2e1dca33c5e2f68bb022cc37395e0b"
        "04 7461696c");
    rkv_buffer_free(&body);
}
END_TEST

START_TEST(a_chunk_whose_data_is_damaged_is_refused)
{
    struct rkv_chunk chunk = some_chunk();
    struct rkv_buffer body = chunk_body(&chunk);
    size_t check_at = body.len - 4 - 1 - 32;
    for (size_t at = check_at; at < body.len; at++) {
        body.data[at] ^= 0x20;
        ck_assert_int_eq(decode(&body, &chunk), RKV_EMALFORMED);
        body.data[at] ^= 0x20;
    }
    rkv_buffer_free(&body);
}
END_TEST

START_TEST(a_chunk_beyond_its_snapshot_is_refused)
{
    struct rkv_chunk chunk = some_chunk();
    struct rkv_buffer body = chunk_body(&chunk);

    /* index 2 bytes, term 1, total 2, offset 2: 496 becomes 497, then 501. */
    ck_assert_uint_eq(body.data[5], 0xf0);
    body.data[5] = 0xf1;
    ck_assert_int_eq(decode(&body, &chunk), RKV_EMALFORMED);
    body.data[5] = 0xf5;
    ck_assert_int_eq(decode(&body, &chunk), RKV_EMALFORMED);
    rkv_buffer_free(&body);
}
END_TEST

Suite *suite_wire_chunk(void)
{
    Suite *suite = suite_create("wire/chunk");
    TCase *tc = tcase_create("chunk");
    tcase_add_test(tc, a_fetch_arrives_as_it_was_sent);
    tcase_add_test(tc, a_chunk_arrives_with_the_check_of_its_data);
    tcase_add_test(tc, a_chunk_of_no_data_is_a_chunk);
    tcase_add_test(tc, the_bytes_of_fetches_and_chunks_are_these);
    tcase_add_test(tc, a_chunk_whose_data_is_damaged_is_refused);
    tcase_add_test(tc, a_chunk_beyond_its_snapshot_is_refused);
    suite_add_tcase(suite, tc);
    return suite;
}
