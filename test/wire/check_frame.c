/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Frames: what goes in comes out, and nothing else gets in.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "wire/code.h"

Suite *suite_wire_frame(void);

static const uint64_t plenty = 1 << 20;

static void add_part(struct rkv_buffer *frame, uint64_t group, uint32_t kind,
                     const char *body)
{
    uint8_t *p = rkv_part_begin(frame, group, kind, strlen(body));
    if (p != NULL)
        memcpy(p, body, strlen(body));
}

/* Cluster 0x1122334455667788, from 7 to 9, one part in each of two groups. */
static struct rkv_buffer two_parts(void)
{
    struct rkv_buffer frame = wire_buffer();
    rkv_frame_begin(&frame, UINT64_C(0x1122334455667788), 7, 9);
    add_part(&frame, 1, 200, "hello");
    add_part(&frame, 300, 201, "");
    rkv_frame_end(&frame);
    ck_assert(!frame.failed);
    return frame;
}

static int open_copy(const void *data, size_t len)
{
    struct rkv_frame_header header;
    struct rkv_reader parts;
    uint8_t *copy = wire_copy(data, len);
    int rc = rkv_frame_open(copy, len, plenty, &header, &parts);
    free(copy);
    return rc;
}

static void expect_part(struct rkv_reader *parts, uint64_t group, uint32_t kind,
                        const char *body)
{
    struct rkv_part part;
    ck_assert_int_eq(rkv_part_next(parts, &part), 1);
    ck_assert_uint_eq(part.group, group);
    ck_assert_uint_eq(part.kind, kind);
    ck_assert_uint_eq(rkv_reader_left(&part.body), strlen(body));
    ck_assert_mem_eq(part.body.at, body, strlen(body));
}

START_TEST(a_frame_gives_back_its_header_and_its_parts_in_order)
{
    struct rkv_buffer frame = two_parts();
    struct rkv_frame_header header;
    struct rkv_reader parts;
    struct rkv_part part;

    ck_assert_int_eq(
        rkv_frame_open(frame.data, frame.len, plenty, &header, &parts), RKV_OK);
    ck_assert_uint_eq(header.cluster, UINT64_C(0x1122334455667788));
    ck_assert_uint_eq(header.from, 7);
    ck_assert_uint_eq(header.to, 9);
    ck_assert_uint_eq(header.len, frame.len);
    ck_assert_uint_eq(header.flags, 0);
    expect_part(&parts, 1, 200, "hello");
    expect_part(&parts, 300, 201, "");
    ck_assert_int_eq(rkv_part_next(&parts, &part), 0);
    ck_assert_int_eq(rkv_part_next(&parts, &part), 0);
    rkv_buffer_free(&frame);
}
END_TEST

START_TEST(a_frame_without_parts_is_a_frame)
{
    struct rkv_buffer frame = wire_buffer();
    struct rkv_frame_header header;
    struct rkv_reader parts;
    struct rkv_part part;

    rkv_frame_begin(&frame, 1, 2, 3);
    rkv_frame_end(&frame);
    ck_assert_uint_eq(frame.len, RKV_FRAME_HEADER_BYTES);
    ck_assert_int_eq(
        rkv_frame_open(frame.data, frame.len, plenty, &header, &parts), RKV_OK);
    ck_assert_int_eq(rkv_part_next(&parts, &part), 0);
    rkv_buffer_free(&frame);
}
END_TEST

/* These bytes are the format: when they change, RKV_WIRE_VERSION must too. */
START_TEST(the_bytes_of_a_frame_are_these)
{
    struct rkv_buffer frame = two_parts();
    wire_expect_hex(frame.data, frame.len,
                    "524b5601 3c000000 8877665544332211 0700000000000000"
                    "0900000000000000 00000000 00000000 7ac36f6b48fa3eb6"
                    "01 c8 05 68656c6c6f  ac02 c9 00");
    rkv_buffer_free(&frame);
}
END_TEST

START_TEST(a_frame_that_ends_early_or_late_is_refused)
{
    struct rkv_buffer frame = two_parts();
    for (size_t len = 0; len < frame.len; len++)
        ck_assert_int_eq(open_copy(frame.data, len), RKV_EMALFORMED);
    rkv_write_u8(&frame, 0);
    ck_assert_int_eq(open_copy(frame.data, frame.len), RKV_EMALFORMED);
    rkv_buffer_free(&frame);
}
END_TEST

START_TEST(a_frame_with_any_bit_flipped_is_refused)
{
    struct rkv_buffer frame = two_parts();
    for (int i = 0; i < 300; i++)
        add_part(&frame, (uint64_t)i, 1, "another part");
    rkv_frame_end(&frame);
    ck_assert_int_eq(open_copy(frame.data, frame.len), RKV_OK);
    for (size_t bit = 0; bit < 8 * frame.len; bit++) {
        struct rkv_frame_header header;
        struct rkv_reader parts;
        frame.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_int_lt(
            rkv_frame_open(frame.data, frame.len, plenty, &header, &parts), 0);
        frame.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    rkv_buffer_free(&frame);
}
END_TEST

START_TEST(a_frame_of_another_version_says_so)
{
    struct rkv_buffer frame = two_parts();
    for (unsigned version = 0; version < 256; version++) {
        frame.data[3] = (uint8_t)version;
        ck_assert_int_eq(open_copy(frame.data, frame.len),
                         version == 1 ? RKV_OK : RKV_EVERSION);
    }
    rkv_buffer_free(&frame);
}
END_TEST

START_TEST(flags_of_a_later_version_are_refused_as_such)
{
    for (size_t at = 32; at < 40; at++) {
        struct rkv_buffer frame = two_parts();
        frame.data[at] = 1;
        ck_assert_int_eq(open_copy(frame.data, frame.len), RKV_EMALFORMED);
        rkv_frame_end(&frame);
        ck_assert_int_eq(open_copy(frame.data, frame.len), RKV_EVERSION);
        rkv_buffer_free(&frame);
    }
}
END_TEST

START_TEST(a_frame_over_the_limit_is_too_big)
{
    struct rkv_buffer frame = two_parts();
    struct rkv_frame_header header;
    struct rkv_reader parts;

    ck_assert_int_eq(
        rkv_frame_open(frame.data, frame.len, frame.len, &header, &parts),
        RKV_OK);
    ck_assert_int_eq(
        rkv_frame_open(frame.data, frame.len, frame.len - 1, &header, &parts),
        RKV_ETOOBIG);
    rkv_buffer_free(&frame);
}
END_TEST

START_TEST(a_part_of_unknown_kind_is_shown_and_can_be_skipped)
{
    struct rkv_buffer frame = wire_buffer();
    struct rkv_fetch fetch = {.index = 5, .term = 2, .offset = 9, .len = 100};
    struct rkv_frame_header header;
    struct rkv_reader parts;
    struct rkv_part part;

    rkv_frame_begin(&frame, 1, 2, 3);
    add_part(&frame, 4, 255, "from the future");
    rkv_fetch_encode(&frame, 4, &fetch);
    rkv_frame_end(&frame);
    ck_assert_int_eq(
        rkv_frame_open(frame.data, frame.len, plenty, &header, &parts), RKV_OK);
    expect_part(&parts, 4, 255, "from the future");
    ck_assert_int_eq(rkv_part_next(&parts, &part), 1);
    ck_assert_uint_eq(part.kind, RKV_PART_FETCH);
    memset(&fetch, 0, sizeof fetch);
    ck_assert_int_eq(rkv_fetch_decode(&part.body, &fetch), RKV_OK);
    ck_assert_uint_eq(fetch.offset, 9);
    ck_assert_int_eq(rkv_part_next(&parts, &part), 0);
    rkv_buffer_free(&frame);
}
END_TEST

static const struct {
    const char *why;
    uint8_t bytes[16];
    size_t len;
} bad_parts[] = {
    {"a group without an end", {0x80}, 1},
    {"a group in more bytes than needed", {0x81, 0x00, 1, 0}, 4},
    {"a group of more than 64 bits",
     {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 1, 0},
     12},
    {"no kind", {0x01}, 1},
    {"no length", {0x01, 0x01}, 2},
    {"a length in more bytes than needed", {0x01, 0x01, 0x80, 0x00}, 4},
    {"a body longer than the frame", {0x01, 0x01, 0x03, 'a', 'b'}, 5},
    {"a body of nearly 2^64 bytes",
     {1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
     12},
};

START_TEST(a_part_that_does_not_fit_is_malformed)
{
    uint8_t *bytes = wire_copy(bad_parts[_i].bytes, bad_parts[_i].len);
    struct rkv_reader parts;
    struct rkv_part part;

    rkv_reader_init(&parts, bytes, bad_parts[_i].len);
    ck_assert_msg(rkv_part_next(&parts, &part) == RKV_EMALFORMED, "%s",
                  bad_parts[_i].why);
    ck_assert_int_eq(rkv_part_next(&parts, &part), RKV_EMALFORMED);
    free(bytes);
}
END_TEST

START_TEST(the_length_is_known_from_eight_bytes_on)
{
    struct rkv_buffer frame = two_parts();
    for (size_t len = 0; len <= frame.len; len++) {
        uint8_t *copy = wire_copy(frame.data, len);
        ck_assert_int_eq(rkv_frame_len(copy, len, plenty),
                         len < 8 ? 0 : (int64_t)frame.len);
        free(copy);
    }
    rkv_buffer_free(&frame);
}
END_TEST

START_TEST(a_stream_that_is_none_of_ours_is_refused_at_its_first_byte)
{
    ck_assert_int_eq(rkv_frame_len("G", 1, plenty), RKV_EMALFORMED);
    ck_assert_int_eq(rkv_frame_len("RKX", 3, plenty), RKV_EMALFORMED);
    ck_assert_int_eq(rkv_frame_len("GET / HTTP/1.1", 14, plenty),
                     RKV_EMALFORMED);
}
END_TEST

START_TEST(a_length_is_held_against_the_least_and_the_most)
{
    struct rkv_buffer frame = two_parts();
    int64_t len = (int64_t)frame.len;

    ck_assert_int_eq(rkv_frame_len(frame.data, 8, frame.len), len);
    ck_assert_int_eq(rkv_frame_len(frame.data, 8, frame.len - 1), RKV_ETOOBIG);
    rkv_put_u32(frame.data + 4, 48);
    ck_assert_int_eq(rkv_frame_len(frame.data, 8, plenty), 48);
    rkv_put_u32(frame.data + 4, 47);
    ck_assert_int_eq(rkv_frame_len(frame.data, 8, plenty), RKV_EMALFORMED);
    rkv_put_u32(frame.data + 4, UINT32_MAX);
    ck_assert_int_eq(rkv_frame_len(frame.data, 8, plenty), RKV_ETOOBIG);
    ck_assert_int_eq(rkv_frame_len(frame.data, 8, UINT64_MAX),
                     (int64_t)UINT32_MAX);
    rkv_buffer_free(&frame);
}
END_TEST

START_TEST(without_a_limit_the_default_of_the_node_holds)
{
    struct rkv_buffer frame = two_parts();

    rkv_put_u32(frame.data + 4, 2u << 20);
    ck_assert_int_eq(rkv_frame_len(frame.data, 8, 0), 2 << 20);
    rkv_put_u32(frame.data + 4, (2u << 20) + 1);
    ck_assert_int_eq(rkv_frame_len(frame.data, 8, 0), RKV_ETOOBIG);
    rkv_buffer_free(&frame);
}
END_TEST

START_TEST(a_stream_is_split_even_around_frames_of_another_version)
{
    struct rkv_buffer stream = wire_buffer();
    size_t at = 0, frames = 0;

    for (int i = 0; i < 3; i++) {
        struct rkv_buffer frame = two_parts();
        if (i == 1)
            frame.data[3] = 77;
        rkv_write_bytes(&stream, frame.data, frame.len);
        rkv_buffer_free(&frame);
    }
    while (at < stream.len) {
        int64_t len = rkv_frame_len(stream.data + at, stream.len - at, plenty);
        ck_assert_int_gt(len, 0);
        ck_assert_int_eq(open_copy(stream.data + at, (size_t)len),
                         frames == 1 ? RKV_EVERSION : RKV_OK);
        at += (size_t)len;
        frames++;
    }
    ck_assert_uint_eq(frames, 3);
    rkv_buffer_free(&stream);
}
END_TEST

START_TEST(a_frame_for_which_memory_runs_out_is_marked_failed)
{
    static const char long_body[] =
        "a body that makes the buffer grow once more, and then once again";
    bool was_enough = false;

    for (int n = 0; !was_enough; n++) {
        int left = n;
        struct rkv_allocator poor = wire_poor_allocator(&left);
        struct rkv_buffer frame;
        ck_assert_int_lt(n, 10);
        rkv_buffer_init(&frame, &poor);
        rkv_frame_begin(&frame, 1, 2, 3);
        add_part(&frame, 1, 1, long_body);
        add_part(&frame, 1, 1, long_body);
        rkv_frame_end(&frame);
        was_enough = !frame.failed;
        ck_assert(was_enough || open_copy(frame.data, frame.len) < 0);
        ck_assert(!was_enough || open_copy(frame.data, frame.len) == RKV_OK);
        rkv_buffer_free(&frame);
    }
}
END_TEST

Suite *suite_wire_frame(void)
{
    Suite *suite = suite_create("wire/frame");
    TCase *tc = tcase_create("frame");
    tcase_add_test(tc, a_frame_gives_back_its_header_and_its_parts_in_order);
    tcase_add_test(tc, a_frame_without_parts_is_a_frame);
    tcase_add_test(tc, the_bytes_of_a_frame_are_these);
    tcase_add_test(tc, a_frame_that_ends_early_or_late_is_refused);
    tcase_add_test(tc, a_frame_with_any_bit_flipped_is_refused);
    tcase_add_test(tc, a_frame_of_another_version_says_so);
    tcase_add_test(tc, flags_of_a_later_version_are_refused_as_such);
    tcase_add_test(tc, a_frame_over_the_limit_is_too_big);
    tcase_add_test(tc, a_part_of_unknown_kind_is_shown_and_can_be_skipped);
    tcase_add_loop_test(tc, a_part_that_does_not_fit_is_malformed, 0,
                        sizeof bad_parts / sizeof *bad_parts);
    tcase_add_test(tc, the_length_is_known_from_eight_bytes_on);
    tcase_add_test(tc,
                   a_stream_that_is_none_of_ours_is_refused_at_its_first_byte);
    tcase_add_test(tc, a_length_is_held_against_the_least_and_the_most);
    tcase_add_test(tc, without_a_limit_the_default_of_the_node_holds);
    tcase_add_test(tc, a_stream_is_split_even_around_frames_of_another_version);
    tcase_add_test(tc, a_frame_for_which_memory_runs_out_is_marked_failed);
    suite_add_tcase(suite, tc);
    return suite;
}
