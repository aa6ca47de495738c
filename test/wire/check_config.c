/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Changes of membership and whole configurations.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "recode.h"
#include "support.h"

Suite *suite_wire_config(void);

static struct rkv_buffer change_bytes(uint32_t op, uint64_t id,
                                      const char *address)
{
    struct rkv_changes changes = {.count = 1,
                                  .list[0] = {.op = op,
                                              .id = id,
                                              .address = address,
                                              .address_len = strlen(address)}};
    struct rkv_buffer bytes = wire_buffer();
    rkv_changes_encode(&bytes, &changes);
    ck_assert(!bytes.failed);
    return bytes;
}

static int change_code(const char *bytes, size_t len)
{
    struct rkv_changes changes;
    uint8_t *copy = wire_copy(bytes, len);
    int rc = rkv_changes_decode(copy, len, &changes);
    free(copy);
    return rc;
}

static int members_code(const char *bytes, size_t len, uint32_t cap)
{
    struct rkv_member members[RKV_MEMBERS_MAX];
    struct rkv_reader in;
    uint32_t count;
    uint8_t *copy = wire_copy(bytes, len);
    rkv_reader_init(&in, copy, len);
    int rc = rkv_members_decode(&in, members, cap, &count);
    free(copy);
    return rc;
}

START_TEST(a_change_is_read_as_it_was_written)
{
    for (uint32_t op = RKV_CHANGE_ADD_LEARNER; op <= RKV_CHANGE_UPDATE; op++) {
        const char *address = op == RKV_CHANGE_REMOVE ? "" : "10.0.0.1:7000";
        struct rkv_buffer bytes = change_bytes(op, UINT64_MAX - op, address);
        struct rkv_changes all;
        memset(&all, 0xa5, sizeof all);
        ck_assert_int_eq(rkv_changes_decode(bytes.data, bytes.len, &all),
                         RKV_OK);
        ck_assert_uint_eq(all.count, 1);
        ck_assert_uint_eq(all.transition, RKV_CHANGE_AUTO);
        struct rkv_change got = all.list[0];
        ck_assert_uint_eq(got.size, sizeof got);
        ck_assert_uint_eq(got.op, op);
        ck_assert_uint_eq(got.id, UINT64_MAX - op);
        ck_assert_uint_eq(got.address_len, strlen(address));
        ck_assert_mem_eq(got.address, address, strlen(address));
        wire_expect_exact(recode_change, bytes.data, bytes.len);
        rkv_buffer_free(&bytes);
    }
}
END_TEST

START_TEST(a_removal_carries_no_address)
{
    struct rkv_buffer with = change_bytes(RKV_CHANGE_REMOVE, 7, "somewhere");
    wire_expect_hex(with.data, with.len, "01 03 07 00");
    rkv_buffer_free(&with);
    ck_assert_int_eq(change_code("\x01\x03\x07\x01x", 5), RKV_EMALFORMED);
}
END_TEST

START_TEST(a_change_that_nobody_wrote_is_refused)
{
    ck_assert_int_eq(change_code("\x01\x01\x07\x01x", 5), RKV_OK);
    ck_assert_int_eq(change_code("", 0), RKV_EMALFORMED);
    ck_assert_int_eq(change_code("\x00\x01\x07\x01x", 5), RKV_EVERSION);
    ck_assert_int_eq(change_code("\x03\x01\x07\x01x", 5), RKV_EVERSION);
    ck_assert_int_eq(change_code("\x01\x00\x07\x01x", 5), RKV_EVERSION);
    ck_assert_int_eq(change_code("\x01\x07\x07\x01x", 5), RKV_EVERSION);
    ck_assert_int_eq(change_code("\x01\x05\x00\x00", 4), RKV_OK);
    ck_assert_int_eq(change_code("\x01\x05\x07\x00", 4), RKV_EMALFORMED);
    ck_assert_int_eq(change_code("\x01\x06\x00\x01x", 5), RKV_EMALFORMED);
    ck_assert_int_eq(change_code("\x01\x01\x00\x01x", 5), RKV_EMALFORMED);
    ck_assert_int_eq(change_code("\x01\x01\x07\x02x", 5), RKV_EMALFORMED);
    ck_assert_int_eq(change_code("\x01\x01\x07\x01xy", 6), RKV_EMALFORMED);
}
END_TEST

START_TEST(several_changes_are_read_as_they_were_written)
{
    static const struct {
        uint32_t count;
        uint32_t transition;
        const char *hex;
    } cases[] = {
        {0, RKV_CHANGE_AUTO, "02 00 00"},
        {0, RKV_CHANGE_EXPLICIT, "02 02 00"},
        {1, RKV_CHANGE_IMPLICIT, "02 01 01 02 04 01 78"},
        {2, RKV_CHANGE_AUTO, "02 00 02 02 04 01 78 03 07 00"},
    };
    struct rkv_changes changes = {
        .list[0] = {.op = RKV_CHANGE_ADD_VOTER,
                    .id = 4,
                    .address = "x",
                    .address_len = 1},
        .list[1] = {.op = RKV_CHANGE_REMOVE, .id = 7}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rkv_buffer bytes = wire_buffer();
        struct rkv_changes got;
        changes.count = cases[i].count;
        changes.transition = cases[i].transition;
        rkv_changes_encode(&bytes, &changes);
        wire_expect_hex(bytes.data, bytes.len, cases[i].hex);
        ck_assert_int_eq(rkv_changes_decode(bytes.data, bytes.len, &got),
                         RKV_OK);
        ck_assert_uint_eq(got.count, cases[i].count);
        ck_assert_uint_eq(got.transition, cases[i].transition);
        for (uint32_t k = 0; k < got.count; k++) {
            ck_assert_uint_eq(got.list[k].op, changes.list[k].op);
            ck_assert_uint_eq(got.list[k].id, changes.list[k].id);
        }
        wire_expect_exact(recode_change, bytes.data, bytes.len);
        rkv_buffer_free(&bytes);
    }
    /* There is one way to say one thing, and a limit. */
    ck_assert_int_eq(change_code("\x02\x00\x01\x03\x07\x00", 6),
                     RKV_EMALFORMED);
    ck_assert_int_eq(change_code("\x02\x03\x00", 3), RKV_EVERSION);
    ck_assert_int_eq(change_code("\x02\x00\x02\x03\x07\x00", 6),
                     RKV_EMALFORMED);
    ck_assert_int_eq(change_code("\x02\x00\xff\x7f\x03\x07\x00", 7),
                     RKV_EMALFORMED);
    ck_assert_int_eq(change_code("\x02\x00\x00z", 4), RKV_EMALFORMED);
    ck_assert_int_eq(change_code("\x02\x00", 2), RKV_EMALFORMED);
}
END_TEST

START_TEST(an_address_is_at_most_as_long_as_promised)
{
    char address[RKV_ADDRESS_MAX + 2];
    memset(address, 'x', sizeof address - 1);
    address[RKV_ADDRESS_MAX] = '\0';
    struct rkv_buffer bytes = change_bytes(RKV_CHANGE_UPDATE, 7, address);
    struct rkv_changes got;
    ck_assert_int_eq(rkv_changes_decode(bytes.data, bytes.len, &got), RKV_OK);
    ck_assert_uint_eq(got.list[0].address_len, RKV_ADDRESS_MAX);

    /* One longer: the length is in the two bytes after version, op and id. */
    ck_assert_uint_eq(bytes.data[3], 0x80);
    bytes.data[3] = 0x81;
    rkv_write_u8(&bytes, 'x');
    ck_assert_int_eq(rkv_changes_decode(bytes.data, bytes.len, &got),
                     RKV_EMALFORMED);
    rkv_buffer_free(&bytes);
}
END_TEST

static struct rkv_buffer three_members(void)
{
    static const struct rkv_member members[] = {
        {.id = 1, .role = RKV_VOTER, .address_len = 1, .address = "a"},
        {.id = 300, .role = RKV_LEARNER, .address_len = 0, .address = NULL},
        {.id = UINT64_MAX,
         .role = RKV_VOTER,
         .address_len = 2,
         .address = "cc"},
    };
    struct rkv_buffer bytes = wire_buffer();
    rkv_members_encode(&bytes, members, 3);
    ck_assert(!bytes.failed);
    return bytes;
}

START_TEST(members_are_read_as_they_were_written)
{
    struct rkv_buffer bytes = three_members();
    struct rkv_member got[3];
    struct rkv_reader in;
    uint32_t count;

    rkv_reader_init(&in, bytes.data, bytes.len);
    ck_assert_int_eq(rkv_members_decode(&in, got, 3, &count), RKV_OK);
    ck_assert(rkv_reader_done(&in));
    ck_assert_uint_eq(count, 3);
    ck_assert_uint_eq(got[0].id, 1);
    ck_assert_uint_eq(got[0].role, RKV_VOTER);
    ck_assert_mem_eq(got[0].address, "a", 1);
    ck_assert_uint_eq(got[1].id, 300);
    ck_assert_uint_eq(got[1].role, RKV_LEARNER);
    ck_assert_uint_eq(got[1].address_len, 0);
    ck_assert_uint_eq(got[2].id, UINT64_MAX);
    ck_assert_uint_eq(got[2].address_len, 2);
    ck_assert_mem_eq(got[2].address, "cc", 2);
    wire_expect_exact(recode_members, bytes.data, bytes.len);
    rkv_buffer_free(&bytes);
}
END_TEST

/* These bytes are the format, and lie in logs and snapshots. */
START_TEST(the_bytes_of_changes_and_members_are_these)
{
    struct rkv_buffer bytes = change_bytes(RKV_CHANGE_ADD_VOTER, 300, "h:1");
    wire_expect_hex(bytes.data, bytes.len, "01 02 ac02 03 683a31");
    rkv_buffer_free(&bytes);
    bytes = three_members();
    wire_expect_hex(bytes.data, bytes.len,
                    "01 03  01 01 01 61  ab02 02 00"
                    "d3fdffffffffffffff01 01 02 6363");
    rkv_buffer_free(&bytes);
}
END_TEST

START_TEST(what_follows_the_members_is_left_to_the_caller)
{
    struct rkv_buffer bytes = three_members();
    struct rkv_member got[3];
    struct rkv_reader in;
    uint32_t count;

    rkv_write_u8(&bytes, 0x77);
    rkv_reader_init(&in, bytes.data, bytes.len);
    ck_assert_int_eq(rkv_members_decode(&in, got, 3, &count), RKV_OK);
    ck_assert_uint_eq(rkv_reader_left(&in), 1);
    ck_assert_uint_eq(rkv_read_u8(&in), 0x77);
    rkv_buffer_free(&bytes);
}
END_TEST

START_TEST(there_may_be_no_members_and_there_may_be_the_most)
{
    struct rkv_member members[RKV_MEMBERS_MAX];
    struct rkv_buffer bytes = wire_buffer();

    rkv_members_encode(&bytes, NULL, 0);
    wire_expect_exact(recode_members, bytes.data, bytes.len);
    rkv_buffer_clear(&bytes);
    for (uint32_t i = 0; i < RKV_MEMBERS_MAX; i++)
        members[i] = (struct rkv_member){.id = 1 + i, .role = RKV_VOTER};
    rkv_members_encode(&bytes, members, RKV_MEMBERS_MAX);
    wire_expect_exact(recode_members, bytes.data, bytes.len);
    rkv_buffer_free(&bytes);
}
END_TEST

START_TEST(members_that_nobody_wrote_are_refused)
{
    ck_assert_int_eq(members_code("\x01\x01\x05\x01\x00", 5, 64), RKV_OK);
    ck_assert_int_eq(members_code("\x02\x01\x05\x01\x00", 5, 64), RKV_EVERSION);
    ck_assert_int_eq(members_code("\x01\x01\x05\x00\x00", 5, 64), RKV_EVERSION);
    ck_assert_int_eq(members_code("\x01\x01\x05\x03\x00", 5, 64), RKV_EVERSION);
    ck_assert_int_eq(members_code("\x01\x01\x00\x01\x00", 5, 64),
                     RKV_EMALFORMED);
    ck_assert_int_eq(members_code("\x01\x02\x05\x01\x00\x00\x01\x00", 8, 64),
                     RKV_EMALFORMED);
    ck_assert_int_eq(members_code("\x01\x01\x05\x01\x09\x61", 6, 64),
                     RKV_EMALFORMED);
    ck_assert_int_eq(members_code("\x01\x02\x05\x01\x00", 5, 64),
                     RKV_EMALFORMED);
}
END_TEST

START_TEST(an_id_past_the_last_is_refused)
{
    ck_assert_int_eq(members_code("\x01\x02\xff\xff\xff\xff\xff\xff\xff\xff"
                                  "\xff\x01\x01\x00\x01\x01\x00",
                                  17, 64),
                     RKV_EMALFORMED);
}
END_TEST

START_TEST(more_members_than_a_cluster_may_have_are_malformed)
{
    ck_assert_int_eq(members_code("\x01\x41\x05\x01\x00", 5, 64),
                     RKV_EMALFORMED);
    ck_assert_int_eq(members_code("\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff"
                                  "\x01",
                                  11, 64),
                     RKV_EMALFORMED);
}
END_TEST

START_TEST(more_members_than_there_is_room_for_are_too_big)
{
    struct rkv_buffer bytes = three_members();
    const char *chars = (const char *)bytes.data;
    ck_assert_int_eq(members_code(chars, bytes.len, 3), RKV_OK);
    ck_assert_int_eq(members_code(chars, bytes.len, 2), RKV_ETOOBIG);
    rkv_buffer_free(&bytes);
}
END_TEST

Suite *suite_wire_config(void)
{
    Suite *suite = suite_create("wire/config");
    TCase *tc = tcase_create("config");
    tcase_add_test(tc, a_change_is_read_as_it_was_written);
    tcase_add_test(tc, a_removal_carries_no_address);
    tcase_add_test(tc, a_change_that_nobody_wrote_is_refused);
    tcase_add_test(tc, several_changes_are_read_as_they_were_written);
    tcase_add_test(tc, an_address_is_at_most_as_long_as_promised);
    tcase_add_test(tc, members_are_read_as_they_were_written);
    tcase_add_test(tc, the_bytes_of_changes_and_members_are_these);
    tcase_add_test(tc, what_follows_the_members_is_left_to_the_caller);
    tcase_add_test(tc, there_may_be_no_members_and_there_may_be_the_most);
    tcase_add_test(tc, members_that_nobody_wrote_are_refused);
    tcase_add_test(tc, an_id_past_the_last_is_refused);
    tcase_add_test(tc, more_members_than_a_cluster_may_have_are_malformed);
    tcase_add_test(tc, more_members_than_there_is_room_for_are_too_big);
    suite_add_tcase(suite, tc);
    return suite;
}
