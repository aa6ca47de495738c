/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Requests sent on to the leader, and its replies.
 */
#include <check.h>
#include <string.h>

#include "recode.h"
#include "support.h"

Suite *suite_wire_forward(void);

static struct rkv_buffer forward_body(const struct rkv_forward *forward)
{
    struct rkv_buffer body = wire_buffer();
    rkv_forward_encode(&body, 3, forward);
    recode_bare(&body);
    return body;
}

static struct rkv_buffer reply_body(const struct rkv_forward_reply *reply)
{
    struct rkv_buffer body = wire_buffer();
    rkv_forward_reply_encode(&body, 3, reply);
    recode_bare(&body);
    return body;
}

START_TEST(a_request_arrives_as_it_was_sent)
{
    static const struct rkv_forward cases[] = {
        {.boot = 1,
         .id = 1,
         .kind = RKV_ENTRY_COMMAND,
         .len = 3,
         .data = "abc"},
        {.term = 0,
         .boot = 0,
         .id = 0,
         .kind = RKV_ENTRY_CONFIG,
         .len = 0,
         .data = NULL},
        {.term = UINT64_MAX,
         .boot = UINT64_MAX,
         .id = UINT64_MAX,
         .kind = RKV_ENTRY_COMMAND,
         .len = 5,
         .data = "12345"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rkv_buffer body = forward_body(&cases[i]);
        struct rkv_reader reader;
        struct rkv_forward got;
        rkv_reader_init(&reader, body.data, body.len);
        ck_assert_int_eq(rkv_forward_decode(&reader, &got), RKV_OK);
        ck_assert_uint_eq(got.term, cases[i].term);
        ck_assert_uint_eq(got.boot, cases[i].boot);
        ck_assert_uint_eq(got.id, cases[i].id);
        ck_assert_uint_eq(got.kind, cases[i].kind);
        ck_assert_uint_eq(got.len, cases[i].len);
        ck_assert(got.len == 0 ||
                  memcmp(got.data, cases[i].data, got.len) == 0);
        wire_expect_exact(recode_forward, body.data, body.len);
        rkv_buffer_free(&body);
    }
}
END_TEST

START_TEST(a_reply_arrives_with_its_status_of_either_sign)
{
    static const int32_t statuses[] = {RKV_OK,    RKV_ENOTLEADER, RKV_EBUSY,
                                       INT32_MIN, INT32_MAX,      -1};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        struct rkv_forward_reply sent = {.boot = 4,
                                         .id = 1u << 30,
                                         .status = statuses[i],
                                         .index = UINT64_MAX,
                                         .term = 12};
        struct rkv_forward_reply got;
        struct rkv_buffer body = reply_body(&sent);
        struct rkv_reader reader;
        memset(&got, 0xa5, sizeof got);
        rkv_reader_init(&reader, body.data, body.len);
        ck_assert_int_eq(rkv_forward_reply_decode(&reader, &got), RKV_OK);
        ck_assert_mem_eq(&got, &sent, sizeof got);
        wire_expect_exact(recode_forward_reply, body.data, body.len);
        rkv_buffer_free(&body);
    }
}
END_TEST

/* These bytes are the format: when they change, RKV_WIRE_VERSION must too. */
START_TEST(the_bytes_of_requests_and_replies_are_these)
{
    struct rkv_forward forward = {.term = 5,
                                  .boot = 2,
                                  .id = 300,
                                  .kind = RKV_ENTRY_COMMAND,
                                  .len = 3,
                                  .data = "put"};
    struct rkv_forward_reply reply = {
        .boot = 2, .id = 300, .status = RKV_ENOTLEADER, .index = 0, .term = 7};
    struct rkv_buffer body = forward_body(&forward);
    wire_expect_hex(body.data, body.len, "01 05 02 ac02 03 707574");
    rkv_buffer_free(&body);
    body = reply_body(&reply);
    wire_expect_hex(body.data, body.len, "02 ac02 29 00 07");
    rkv_buffer_free(&body);
}
END_TEST

static int decode_forward(const char *bytes, size_t len)
{
    struct rkv_buffer out = wire_buffer();
    int rc = recode_forward((const uint8_t *)bytes, len, &out);
    rkv_buffer_free(&out);
    return rc;
}

START_TEST(a_request_is_a_command_or_a_change)
{
    ck_assert_int_eq(decode_forward("\x01\x01\x01\x01\x00", 5), RKV_OK);
    ck_assert_int_eq(decode_forward("\x02\x01\x01\x01\x00", 5), RKV_OK);
    ck_assert_int_eq(decode_forward("\x00\x01\x01\x01\x00", 5), RKV_EVERSION);
    ck_assert_int_eq(decode_forward("\x03\x01\x01\x01\x00", 5), RKV_EVERSION);
}
END_TEST

START_TEST(a_length_that_is_not_there_is_malformed)
{
    ck_assert_int_eq(decode_forward("\x01\x01\x01\x01\x02z", 6),
                     RKV_EMALFORMED);
    ck_assert_int_eq(decode_forward("\x01\x01\x01\x01\x80\x80\x80\x80\x10", 9),
                     RKV_EMALFORMED);
    ck_assert_int_eq(decode_forward("\x01\x01\x01\x01\xff\xff\xff\xff\x0f", 9),
                     RKV_EMALFORMED);
}
END_TEST

START_TEST(a_status_beyond_32_bits_is_malformed)
{
    static const uint8_t bytes[] = {1, 1, 0x80, 0x80, 0x80, 0x80, 0x10, 1, 1};
    struct rkv_buffer out = wire_buffer();
    ck_assert_int_eq(recode_forward_reply(bytes, sizeof bytes, &out),
                     RKV_EMALFORMED);
    rkv_buffer_free(&out);
}
END_TEST

Suite *suite_wire_forward(void)
{
    Suite *suite = suite_create("wire/forward");
    TCase *tc = tcase_create("forward");
    tcase_add_test(tc, a_request_arrives_as_it_was_sent);
    tcase_add_test(tc, a_reply_arrives_with_its_status_of_either_sign);
    tcase_add_test(tc, the_bytes_of_requests_and_replies_are_these);
    tcase_add_test(tc, a_request_is_a_command_or_a_change);
    tcase_add_test(tc, a_length_that_is_not_there_is_malformed);
    tcase_add_test(tc, a_status_beyond_32_bits_is_malformed);
    suite_add_tcase(suite, tc);
    return suite;
}
