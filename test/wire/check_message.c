/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The core's messages: all kinds, all fields, and all the ways to get an
 * append wrong.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "recode.h"
#include "support.h"

Suite *suite_wire_message(void);

enum { ENTRIES_MAX = 16 };

/* A message with everything it takes to write and to read it. */
struct letter {
    struct rkv_raft_msg msg;
    struct rkv_entry entries[ENTRIES_MAX];
    struct rkv_raft_entry records[ENTRIES_MAX];
    uint8_t previous[32];
    char payloads[ENTRIES_MAX][32];
};

static uint64_t at_most(uint64_t v, uint64_t max)
{
    return v < max ? v : v % max;
}

static void add_entry(struct letter *letter, uint64_t term, uint32_t kind,
                      uint32_t len)
{
    struct rkv_raft_msg *msg = &letter->msg;
    uint32_t i = msg->count++;
    memset(letter->payloads[i], 'a' + (int)i, sizeof letter->payloads[i]);
    letter->entries[i] = (struct rkv_entry){
        .index = msg->index + 1 + i,
        .term = term,
        .data = letter->payloads[i],
        .len = len,
        .kind = kind,
    };
    msg->last_term = term;
}

/* Every field is drawn, within what holds for an append if it is one. */
static void draw(struct letter *letter, uint32_t kind, struct rkv_prng *prng)
{
    struct rkv_raft_msg *msg = &letter->msg;

    memset(letter, 0, sizeof *letter);
    *msg = (struct rkv_raft_msg){
        .kind = kind,
        .flags = (uint32_t)rkv_prng_below(prng, 128),
        .priority = (uint32_t)wire_random(prng),
        .from = wire_random(prng),
        .to = wire_random(prng),
        .term = wire_random(prng),
        .index = wire_random(prng),
        .log_term = wire_random(prng),
        .commit = wire_random(prng),
        .hint = wire_random(prng),
        .hint_term = wire_random(prng),
        .round = wire_random(prng),
        .boot = wire_random(prng),
        .stated_boot = wire_random(prng),
        .stated_last = wire_random(prng),
        .last_term = wire_random(prng),
    };
    if (kind != RKV_MSG_APPEND)
        return;
    for (int i = 0; i < 32; i++)
        letter->previous[i] = (uint8_t)rkv_prng_next(prng);
    msg->term |= UINT64_C(1) << 63;
    msg->log_term = at_most(msg->log_term, UINT64_C(1) << 60) + 1;
    msg->index = at_most(msg->index, UINT64_MAX - ENTRIES_MAX);
    msg->last_term = msg->log_term;
    for (uint64_t n = rkv_prng_below(prng, ENTRIES_MAX + 1); n > 0; n--)
        add_entry(letter,
                  msg->last_term +
                      at_most(wire_random(prng), UINT64_C(1) << 58),
                  1 + (uint32_t)rkv_prng_below(prng, 3),
                  (uint32_t)rkv_prng_below(prng, 32));
}

/* The body alone, as the frame carries it. */
static struct rkv_buffer body_of(const struct letter *letter)
{
    struct rkv_buffer body = wire_buffer();
    size_t bound = rkv_message_bound(&letter->msg, letter->entries);
    rkv_message_encode(&body, 77, &letter->msg, letter->previous,
                       letter->entries);
    ck_assert(!body.failed);
    ck_assert_uint_le(body.len, bound);
    recode_bare(&body);
    return body;
}

/* Decodes from a block of exactly len bytes, with room for cap entries; the
 * payloads in what comes out are gone. */
static int decode(const void *data, size_t len, uint32_t cap,
                  struct letter *letter)
{
    struct rkv_message_room room = {letter->entries, letter->records, cap};
    uint8_t *copy = wire_copy(data, len);
    struct rkv_reader body;
    const uint8_t *previous = NULL;

    rkv_reader_init(&body, copy, len);
    int rc = rkv_message_decode(&body, &letter->msg, &previous, &room);
    if (rc == RKV_OK && previous != NULL)
        memcpy(letter->previous, previous, 32);
    for (uint32_t i = 0; rc == RKV_OK && i < letter->msg.count; i++)
        memcpy(letter->payloads[i], letter->entries[i].data,
               letter->entries[i].len);
    ck_assert(rc != RKV_OK ||
              (previous != NULL) == (letter->msg.kind == RKV_MSG_APPEND));
    free(copy);
    return rc;
}

static int decode_hex(const char *hex)
{
    uint8_t bytes[256];
    size_t len = 0;
    struct letter letter;

    for (const char *p = hex; *p != '\0'; p++) {
        char pair[3] = {p[0], '\0', '\0'};
        if (*p == ' ')
            continue;
        pair[1] = *++p;
        bytes[len++] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return decode(bytes, len, ENTRIES_MAX, &letter);
}

static void expect_same(const struct letter *have, const struct letter *want)
{
    struct rkv_raft_msg a = have->msg, b = want->msg;

    a.entries = b.entries = NULL;
    ck_assert_mem_eq(&a, &b, sizeof a);
    if (a.kind == RKV_MSG_APPEND)
        ck_assert_mem_eq(have->previous, want->previous, 32);
    for (uint32_t i = 0; i < a.count; i++) {
        const struct rkv_entry *entry = &want->entries[i];
        ck_assert_uint_eq(have->entries[i].index, entry->index);
        ck_assert_uint_eq(have->entries[i].term, entry->term);
        ck_assert_uint_eq(have->entries[i].kind, entry->kind);
        ck_assert_uint_eq(have->entries[i].len, entry->len);
        ck_assert_mem_eq(have->payloads[i], want->payloads[i], entry->len);
        ck_assert_uint_eq(have->records[i].index, entry->index);
        ck_assert_uint_eq(have->records[i].term, entry->term);
        ck_assert_uint_eq(have->records[i].kind, entry->kind);
        ck_assert_uint_eq(have->records[i].len, entry->len);
    }
}

START_TEST(a_message_of_any_kind_gives_back_every_field)
{
    struct rkv_prng prng;
    struct letter sent, got;

    rkv_prng_seed(&prng, (uint64_t)_i);
    for (int n = 0; n < 2000; n++) {
        draw(&sent, (uint32_t)_i, &prng);
        struct rkv_buffer body = body_of(&sent);
        memset(&got, 0xa5, sizeof got);
        ck_assert_int_eq(decode(body.data, body.len, ENTRIES_MAX, &got),
                         RKV_OK);
        expect_same(&got, &sent);
        ck_assert((got.msg.count > 0) == (got.msg.entries != NULL));
        ck_assert(got.msg.entries == NULL || got.msg.entries == got.records);
        rkv_buffer_free(&body);
    }
}
END_TEST

START_TEST(a_body_is_exact_to_the_last_bit)
{
    struct rkv_prng prng;
    struct letter letter;

    rkv_prng_seed(&prng, 1000 + (uint64_t)_i);
    for (int n = 0; n < 10; n++) {
        draw(&letter, (uint32_t)_i, &prng);
        struct rkv_buffer body = body_of(&letter);
        wire_expect_exact(recode_message, body.data, body.len);
        rkv_buffer_free(&body);
    }
}
END_TEST

static void small_append(struct letter *letter)
{
    memset(letter, 0, sizeof *letter);
    letter->msg = (struct rkv_raft_msg){
        .kind = RKV_MSG_APPEND,
        .from = 1,
        .to = 2,
        .term = 5,
        .index = 300,
        .log_term = 4,
        .commit = 299,
    };
    for (uint8_t i = 0; i < 32; i++)
        letter->previous[i] = i;
    add_entry(letter, 4, RKV_ENTRY_COMMAND, 3);
    add_entry(letter, 5, RKV_ENTRY_NOOP, 0);
}

/* These bytes are the format: when they change, RKV_WIRE_VERSION must too. */
START_TEST(the_bytes_of_a_heartbeat_are_these)
{
    struct letter heartbeat = {.msg = {.kind = RKV_MSG_HEARTBEAT,
                                       .from = 1,
                                       .to = 2,
                                       .term = 5,
                                       .commit = 300,
                                       .round = 9}};
    struct rkv_buffer body = body_of(&heartbeat);
    wire_expect_hex(body.data, body.len, "07 00 2701 01 02 05 ac02 09");
    rkv_buffer_free(&body);
}
END_TEST

START_TEST(the_bytes_of_an_append_are_these)
{
    struct letter append;
    small_append(&append);
    struct rkv_buffer body = body_of(&append);
    wire_expect_hex(body.data, body.len,
                    "05 00 3f10 01 02 05 ac02 04 ab02 05"
                    "000102030405060708090a0b0c0d0e0f"
                    "101112131415161718191a1b1c1d1e1f"
                    "02  01 00 03 616161  03 01 00");
    rkv_buffer_free(&body);
}
END_TEST

/* raftkv-wire(7) shows these bytes. */
START_TEST(the_example_in_the_manual_is_a_frame)
{
    struct letter heartbeat = {.msg = {.kind = RKV_MSG_HEARTBEAT,
                                       .from = 1,
                                       .to = 2,
                                       .term = 5,
                                       .commit = 300,
                                       .round = 9}};
    struct rkv_buffer frame = wire_buffer();
    rkv_frame_begin(&frame, 0xc1, 1, 2);
    rkv_message_encode(&frame, 0, &heartbeat.msg, NULL, NULL);
    rkv_frame_end(&frame);
    wire_expect_hex(frame.data, frame.len,
                    "52 4b 56 01 3d 00 00 00 c1 00 00 00 00 00 00 00"
                    "01 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00"
                    "00 00 00 00 00 00 00 00 f4 35 5c 4c 74 af 84 08"
                    "00 01 0a 07 00 27 01 01 02 05 ac 02 09");
    rkv_buffer_free(&frame);
}
END_TEST

START_TEST(a_heartbeat_is_small_even_between_members_with_large_ids)
{
    struct letter heartbeat = {.msg = {.kind = RKV_MSG_HEARTBEAT,
                                       .from = UINT64_MAX,
                                       .to = UINT64_MAX - 1,
                                       .term = 1000,
                                       .commit = 1000000000,
                                       .round = 100000}};
    struct rkv_buffer part = wire_buffer();
    rkv_message_encode(&part, 1, &heartbeat.msg, NULL, NULL);
    ck_assert_uint_lt(part.len, 40);
    rkv_buffer_free(&part);
}
END_TEST

START_TEST(more_entries_than_there_is_room_for_are_too_big)
{
    struct letter append, got;
    small_append(&append);
    struct rkv_buffer body = body_of(&append);

    ck_assert_int_eq(decode(body.data, body.len, 2, &got), RKV_OK);
    ck_assert_int_eq(decode(body.data, body.len, 1, &got), RKV_ETOOBIG);
    ck_assert_int_eq(decode(body.data, body.len, 0, &got), RKV_ETOOBIG);
    rkv_buffer_free(&body);
}
END_TEST

START_TEST(an_append_of_no_entries_needs_no_room)
{
    struct letter append, got;
    small_append(&append);
    append.msg.count = 0;
    append.msg.last_term = append.msg.log_term;
    struct rkv_buffer body = body_of(&append);

    ck_assert_int_eq(decode(body.data, body.len, 0, &got), RKV_OK);
    ck_assert_ptr_null(got.msg.entries);
    rkv_buffer_free(&body);
}
END_TEST

/* A chain of 32 bytes. */
#define CHAIN "0000000000000000000000000000000000000000000000000000000000000000"

/* from 1, to 2, term 5, then as told. */
static const struct {
    const char *why;
    const char *hex;
    int rc;
} bodies[] = {
    {"an empty body", "", RKV_EMALFORMED},
    {"the shortest message", "07 00 0000", RKV_OK},
    {"kind 0", "00 00 0000", RKV_EVERSION},
    {"the kind after the last", "0e 00 0000", RKV_EVERSION},
    {"a flag that nobody knows", "07 80 0000", RKV_EVERSION},
    {"a field that nobody knows", "07 00 0040 01", RKV_EVERSION},
    {"a priority of 32 bits", "07 00 0020 ffffffff0f", RKV_OK},
    {"a priority of 33", "07 00 0020 8080808010", RKV_EMALFORMED},
    {"a field that is there and 0", "07 00 0100 00", RKV_EMALFORMED},
    {"a field that is not there", "07 00 0100", RKV_EMALFORMED},
    {"a field in too many bytes", "07 00 0100 8100", RKV_EMALFORMED},
    {"a byte too many", "07 00 0000 00", RKV_EMALFORMED},
    {"an append without a chain", "05 00 0000 00", RKV_EMALFORMED},
    {"an append of nothing", "05 00 0000" CHAIN "00", RKV_OK},
    {"entries in a heartbeat", "07 00 0400 05" CHAIN "01 01 05 00",
     RKV_EMALFORMED},
    {"one entry", "05 00 0410 05 05" CHAIN "01 01 05 00", RKV_OK},
    {"one entry too few", "05 00 0410 05 05" CHAIN "02 01 05 00",
     RKV_EMALFORMED},
    {"one entry too many", "05 00 0410 05 05" CHAIN "01 01 05 00 01 00 00",
     RKV_EMALFORMED},
    {"a payload longer than the body",
     "05 00 0410 05 05" CHAIN "01 01 05 02 61", RKV_EMALFORMED},
    {"a payload of 2^32 bytes", "05 00 0410 05 05" CHAIN "01 01 05 8080808010",
     RKV_EMALFORMED},
    {"a payload of 2^64 - 1 bytes",
     "05 00 0410 05 05" CHAIN "01 01 05 ffffffffffffffffff01", RKV_EMALFORMED},
    {"2^64 - 1 entries",
     "05 00 0410 05 05" CHAIN "ffffffffffffffffff01 01 05 00", RKV_ETOOBIG},
    {"16 entries in three bytes", "05 00 0410 05 05" CHAIN "10 01 05 00",
     RKV_EMALFORMED},
    {"an entry of kind 0", "05 00 0410 05 05" CHAIN "01 00 05 00",
     RKV_EVERSION},
    {"an entry of kind 4", "05 00 0410 05 05" CHAIN "01 04 05 00",
     RKV_EVERSION},
    {"an entry of term 0", "05 00 0400 05" CHAIN "01 01 00 00", RKV_EMALFORMED},
    {"an entry of a term past the leader's",
     "05 00 0410 05 06" CHAIN "01 01 06 00", RKV_EMALFORMED},
    {"a term that wraps around",
     "05 00 1410 05 04 03" CHAIN "01 01 ffffffffffffffffff01 00",
     RKV_EMALFORMED},
    {"a log term past the leader's", "05 00 1410 05 06 06" CHAIN "00",
     RKV_EMALFORMED},
    {"a last term that is not the last entry's",
     "05 00 0410 05 04" CHAIN "01 01 05 00", RKV_EMALFORMED},
    {"a last term that is not the log term, of no entries",
     "05 00 1410 05 03 05" CHAIN "00", RKV_EMALFORMED},
    {"an index that wraps around",
     "05 00 0c10 05 ffffffffffffffffff01 05" CHAIN "01 01 05 00",
     RKV_EMALFORMED},
    {"the last index there is",
     "05 00 0c10 05 feffffffffffffffff01 05" CHAIN "01 01 05 00", RKV_OK},
};

START_TEST(a_body_is_judged_as_its_line_says)
{
    int rc = decode_hex(bodies[_i].hex);
    ck_assert_msg(rc == bodies[_i].rc, "%s: %s, not %s", bodies[_i].why,
                  rkv_errname(rc), rkv_errname(bodies[_i].rc));
}
END_TEST

START_TEST(a_refused_message_leaves_no_trace)
{
    struct rkv_raft_msg msg;
    const uint8_t *previous = (const uint8_t *)"untouched";
    struct rkv_message_room room = {NULL, NULL, 0};
    static const uint8_t bytes[] = {7, 0, 1, 0, 1, 1};
    struct rkv_reader body;

    memset(&msg, 0x5a, sizeof msg);
    rkv_reader_init(&body, bytes, sizeof bytes);
    ck_assert_int_eq(rkv_message_decode(&body, &msg, &previous, &room),
                     RKV_EMALFORMED);
    ck_assert_uint_eq(msg.kind, 0x5a5a5a5a);
    ck_assert_uint_eq(msg.from, UINT64_C(0x5a5a5a5a5a5a5a5a));
    ck_assert_str_eq((const char *)previous, "untouched");
}
END_TEST

START_TEST(a_message_without_memory_leaves_the_frame_failed_and_as_it_was)
{
    struct letter append;
    small_append(&append);
    int left = 1;
    struct rkv_allocator poor = wire_poor_allocator(&left);
    struct rkv_buffer frame;

    rkv_buffer_init(&frame, &poor);
    rkv_frame_begin(&frame, 1, 2, 3);
    rkv_message_encode(&frame, 1, &append.msg, append.previous, append.entries);
    ck_assert(frame.failed);
    ck_assert_uint_eq(frame.len, RKV_FRAME_HEADER_BYTES);
    rkv_buffer_free(&frame);
}
END_TEST

Suite *suite_wire_message(void)
{
    Suite *suite = suite_create("wire/message");
    TCase *tc = tcase_create("message");
    tcase_add_loop_test(tc, a_message_of_any_kind_gives_back_every_field,
                        RKV_MSG_PREVOTE, RKV_MSG_TRANSFER + 1);
    tcase_add_loop_test(tc, a_body_is_exact_to_the_last_bit, RKV_MSG_PREVOTE,
                        RKV_MSG_TRANSFER + 1);
    tcase_add_test(tc, the_bytes_of_a_heartbeat_are_these);
    tcase_add_test(tc, the_bytes_of_an_append_are_these);
    tcase_add_test(tc, the_example_in_the_manual_is_a_frame);
    tcase_add_test(tc,
                   a_heartbeat_is_small_even_between_members_with_large_ids);
    tcase_add_test(tc, more_entries_than_there_is_room_for_are_too_big);
    tcase_add_test(tc, an_append_of_no_entries_needs_no_room);
    tcase_add_loop_test(tc, a_body_is_judged_as_its_line_says, 0,
                        sizeof bodies / sizeof *bodies);
    tcase_add_test(tc, a_refused_message_leaves_no_trace);
    tcase_add_test(
        tc, a_message_without_memory_leaves_the_frame_failed_and_as_it_was);
    suite_add_tcase(suite, tc);
    return suite;
}
