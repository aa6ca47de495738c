/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the SQLite store finds when its files were damaged, while it was away
 * or open: a damaged row refuses by its name, and is never served.
 */
#include <check.h>
#include <string.h>

#include "support.h"

Suite *suite_store_damage(void);

static struct place place;

static void set_up(void)
{
    place_make(&place);
}

static void tear_down(void)
{
    place_remove(&place);
}

/* A closed store of 25 entries in three tables, and a snapshot at 5. */
static void leave_log(struct scribe *scribe)
{
    const struct rkv_sqlite_options options = small_options(&place);
    rkv_store *store = NULL;

    *scribe = (struct scribe){.group = 1, .term = 3, .vote = 1, .len = 64};
    ck_assert_int_eq(rkv_store_sqlite(&options, &store), RKV_OK);
    ck_assert_int_eq(scribe_write(scribe, store, 25), RKV_OK);
    ck_assert_int_eq(scribe_snapshot(scribe, store, 5, 0, 3000), RKV_OK);
    rkv_store_close(store);
}

/* After this damage the store does not open, and its words have this in. */
static void refuses(const char *sql, int code, const char *words)
{
    struct scribe scribe;
    rkv_store *store = NULL;

    place_clear(&place);
    leave_log(&scribe);
    run_sql(place_of(&place, "log.db"), sql);
    int rc = try_open(&place, NULL, &store);
    ck_assert_msg(rc == code, "%s: expected %s, found %s", sql,
                  rkv_errname(code), rkv_errname(rc));
    ck_assert_msg(strstr(rkv_store_errmsg(store), words) != NULL,
                  "%s: no \"%s\" in: %s", sql, words, rkv_store_errmsg(store));
    ck_assert_ptr_nonnull(strstr(rkv_store_errmsg(store), "log.db"));
    rkv_store_close(store);
}

START_TEST(a_damaged_row_refuses_by_its_name)
{
    refuses("UPDATE seg_2 SET data=zeroblob(64)", RKV_ECORRUPT,
            "table seg_2, row 11");
    refuses("UPDATE seg_2 SET data=substr(data,1,length(data)-1)", RKV_ECORRUPT,
            "table seg_2, row 11");
    refuses("UPDATE seg_2 SET data=data||x'00'", RKV_ECORRUPT,
            "table seg_2, row 11");
    /* The term of the first entry, 3; its kind; a byte of a payload. */
    refuses("UPDATE seg_2 SET data=x'04'||substr(data,2)", RKV_ECORRUPT,
            "table seg_2, row 11");
    refuses("UPDATE seg_2 SET data=substr(data,1,1)||x'02'||substr(data,3)",
            RKV_ECORRUPT, "table seg_2, row 11");
    refuses("UPDATE seg_1 SET data=substr(data,1,500)||x'ff'||substr(data,502)",
            RKV_ECORRUPT, "table seg_1, row 1");
    refuses("UPDATE seg_1 SET last=9", RKV_ECORRUPT, "table seg_1, row");
    refuses("UPDATE seg_3 SET last=26", RKV_ECORRUPT, "table seg_3, row");
    refuses("UPDATE seg_3 SET last=1e17", RKV_ECORRUPT, "table seg_3, row");
    refuses("UPDATE seg_3 SET chain=zeroblob(32)", RKV_ECORRUPT,
            "table seg_3, row 21");
    refuses("UPDATE seg_3 SET before=zeroblob(32)", RKV_ECORRUPT,
            "table seg_3, row 21");
    refuses("UPDATE seg_3 SET chain=NULL, data=5", RKV_ECORRUPT,
            "table seg_3, row 21");
}
END_TEST

START_TEST(a_missing_row_refuses_by_its_name)
{
    refuses("DELETE FROM seg_2", RKV_ECORRUPT, "row 11");
    refuses("DELETE FROM seg_3", RKV_ECORRUPT, "row 21");
    refuses("UPDATE seg_2 SET i=12", RKV_ECORRUPT, "row 11");
    refuses("UPDATE seg_2 SET i=10", RKV_ECORRUPT, "seg_2, row");
    refuses("DROP TABLE seg_2", RKV_ECORRUPT, "seg_2");
    refuses("DELETE FROM segments WHERE id=2", RKV_ECORRUPT, "seg_1");
    refuses("DELETE FROM segments WHERE id=3", RKV_ECORRUPT, "seg_2");
    refuses("INSERT INTO seg_3 SELECT 26,26,chain,chain,data FROM seg_3",
            RKV_ECORRUPT, "row 26");
    refuses("UPDATE segments SET first=40 WHERE id=3", RKV_ECORRUPT,
            "segments");
    refuses("UPDATE segments SET grp=40 WHERE id=3", RKV_ECORRUPT, "segments");
}
END_TEST

/* A row that was right once: the page it was replaced on never got there. */
START_TEST(an_older_tail_refuses_by_its_name)
{
    const struct rkv_sqlite_options options = small_options(&place);
    struct scribe scribe = {.group = 1, .term = 3, .len = 64};
    rkv_store *store = NULL;
    uint8_t chain[32];

    ck_assert_int_eq(rkv_store_sqlite(&options, &store), RKV_OK);
    ck_assert_int_eq(scribe_write(&scribe, store, 20), RKV_OK);
    memcpy(chain, scribe.chain, 32);
    ck_assert_int_eq(scribe_write(&scribe, store, 5), RKV_OK);
    rkv_store_close(store);
    run_sql(place_of(&place, "log.db"),
            "CREATE TABLE kept AS SELECT * FROM seg_3");
    ck_assert_int_eq(rkv_store_sqlite(&options, &store), RKV_OK);
    scribe.last = 20;
    scribe.term = 4;
    memcpy(scribe.chain, chain, 32);
    ck_assert_int_eq(scribe_write(&scribe, store, 5), RKV_OK);
    rkv_store_close(store);
    run_sql(place_of(&place, "log.db"),
            "DELETE FROM seg_4; INSERT INTO seg_4 SELECT * FROM kept");
    ck_assert_int_eq(try_open(&place, NULL, &store), RKV_ECORRUPT);
    ck_assert_ptr_nonnull(strstr(rkv_store_errmsg(store),
                                 "table groups, row 1: expected a log that "
                                 "ends at 25 with chain"));
    rkv_store_close(store);
}
END_TEST

/* While the store is open, a row comes to lie in the place of another that is
 * as whole as it: no read that touches it serves it. */
START_TEST(a_row_from_elsewhere_is_never_served)
{
    const struct rkv_sqlite_options options = small_options(&place);
    struct scribe one = {.group = 1, .term = 3, .len = 64};
    struct scribe two = {.group = 2, .term = 3, .len = 64};
    const struct rkv_entry *entries;
    rkv_store *store = NULL;
    uint32_t count;

    ck_assert_int_eq(rkv_store_sqlite(&options, &store), RKV_OK);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(scribe_write(&one, store, 4), RKV_OK);
        ck_assert_int_eq(scribe_write(&two, store, 4), RKV_OK);
    }
    ck_assert_uint_eq(scribe_count(&one, store, 1), 16);
    run_sql(place_of(&place, "log.db"),
            "UPDATE seg_1 SET (last,before,chain,data)=(SELECT last,before,"
            "chain,data FROM seg_2 WHERE i=5) WHERE i=5");
    for (uint64_t first = 1; first <= 16; first++) {
        int rc = rkv_store_read(store, 1, first, 8, 10000, &entries, &count);

        if (first + 7 < 5 || first > 10)
            ck_assert_int_eq(rc, RKV_OK);
        else
            ck_assert_int_eq(rc, RKV_ECORRUPT);
        if (rc != RKV_OK)
            ck_assert_ptr_nonnull(
                strstr(rkv_store_errmsg(store), "table seg_1, row"));
    }
    ck_assert_uint_eq(scribe_count(&two, store, 1), 16);
    rkv_store_close(store);
    ck_assert_int_eq(try_open(&place, NULL, &store), RKV_ECORRUPT);
    rkv_store_close(store);
}
END_TEST

/* What was whole when the store was opened, and is not when it is read. */
START_TEST(what_rots_while_open_is_never_served)
{
    static const char *const rots[] = {
        "UPDATE seg_1 SET data=zeroblob(length(data)) WHERE i=5",
        "UPDATE seg_1 SET data=data||x'00' WHERE i=5",
        "UPDATE seg_1 SET chain=zeroblob(32) WHERE i=5",
        "UPDATE seg_1 SET before=zeroblob(32) WHERE i=5",
        "UPDATE seg_1 SET last=100000000000000000 WHERE i=5",
        "UPDATE seg_1 SET last=7 WHERE i=5",
        "DELETE FROM seg_1 WHERE i=5"};
    const struct rkv_sqlite_options options = small_options(&place);

    for (size_t i = 0; i < sizeof rots / sizeof *rots; i++) {
        struct scribe scribe = {.group = 1, .term = 3, .len = 64};
        const struct rkv_entry *entries;
        rkv_store *store = NULL;
        uint32_t count;

        place_clear(&place);
        ck_assert_int_eq(rkv_store_sqlite(&options, &store), RKV_OK);
        for (int k = 0; k < 2; k++)
            ck_assert_int_eq(scribe_write(&scribe, store, 4), RKV_OK);
        run_sql(place_of(&place, "log.db"), rots[i]);
        for (uint64_t first = 1; first <= 8; first++) {
            int rc =
                rkv_store_read(store, 1, first, 8, 10000, &entries, &count);

            ck_assert_msg(rc == RKV_ECORRUPT, "%s, from %u: %s", rots[i],
                          (unsigned)first, rkv_errname(rc));
            ck_assert_ptr_nonnull(
                strstr(rkv_store_errmsg(store), "table seg_1, row"));
        }
        ck_assert_int_eq(rkv_store_read(store, 1, 1, 4, 999, &entries, &count),
                         RKV_OK);
        rkv_store_close(store);
    }
}
END_TEST

START_TEST(damaged_hard_state_refuses_by_its_name)
{
    refuses("UPDATE groups SET term=2", RKV_ECORRUPT, "table groups, row 1");
    refuses("UPDATE groups SET vote=2", RKV_ECORRUPT, "table groups, row 1");
    refuses("UPDATE groups SET last=24", RKV_ECORRUPT, "table groups, row 1");
    refuses("UPDATE groups SET sum=NULL", RKV_ECORRUPT, "table groups, row 1");
    refuses("UPDATE groups SET config=x'00'", RKV_ECORRUPT, "table groups");
    refuses("UPDATE meta SET sequence=7", RKV_ECORRUPT, "table meta");
    refuses("DELETE FROM meta", RKV_ECORRUPT, "table meta");
    refuses("UPDATE meta SET format=99", RKV_EVERSION, "format 99");
}
END_TEST

/* Of a format yet to come, only meta and its column format are known. */
START_TEST(a_newer_format_is_no_damage)
{
    refuses("UPDATE meta SET format=2; ALTER TABLE groups ADD COLUMN later;"
            "ALTER TABLE meta DROP COLUMN marked; DROP TABLE segments",
            RKV_EVERSION, "format 2");
}
END_TEST

START_TEST(a_missing_group_is_a_segment_without_owner)
{
    refuses("DELETE FROM groups", RKV_ECORRUPT, "table segments, row 1");
}
END_TEST

/* A closed store of two groups, everything in the database. */
static void leave_two_groups(struct scribe *one, struct scribe *two)
{
    const struct rkv_sqlite_options options = small_options(&place);
    struct rkv_store_write identity = {.size = sizeof identity,
                                       .flags = RKV_WRITE_IDENTITY,
                                       .cluster = 9,
                                       .member = 2};
    rkv_store *store = NULL;

    *one = (struct scribe){.group = 1, .term = 300, .vote = 1, .len = 64};
    *two = (struct scribe){.group = 2, .term = 301, .vote = 3, .len = 900};
    ck_assert_int_eq(rkv_store_sqlite(&options, &store), RKV_OK);
    ck_assert_int_eq(rkv_store_write(store, &identity, 1), RKV_OK);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(scribe_write(one, store, 5), RKV_OK);
    ck_assert_int_eq(scribe_write(two, store, 9), RKV_OK);
    ck_assert_int_eq(scribe_snapshot(one, store, 6, 3, 3000), RKV_OK);
    rkv_store_close(store);
}

/* Opened after damage: refused by its name, or all that it was. */
static void refused_or_whole(const struct scribe *one, const struct scribe *two)
{
    const struct scribe *const scribes[] = {one, two};
    rkv_store *store = NULL;
    int rc = try_open(&place, NULL, &store);

    if (rc != RKV_OK)
        ck_assert_ptr_nonnull(strstr(rkv_store_errmsg(store), "log.db"));
    for (int i = 0; rc == RKV_OK && i < 2; i++) {
        struct rkv_store_state state = state_of(store, scribes[i]->group);

        ck_assert_uint_eq(state.term, scribes[i]->term);
        ck_assert_uint_eq(state.vote, scribes[i]->vote);
        ck_assert_uint_eq(state.last, scribes[i]->last);
        ck_assert_uint_eq(state.snapshot_index, i == 0 ? 6 : 0);
        ck_assert_uint_eq(state.recovering, 0);
        ck_assert_uint_eq(scribe_count(scribes[i], store, state.first),
                          state.last - state.first + 1);
    }
    if (rc == RKV_OK)
        ck_assert_uint_eq(start(store).cluster, 9);
    rkv_store_close(store);
}

START_TEST(no_flipped_bit_in_the_database_goes_unseen)
{
    struct place kept;
    struct scribe one;
    struct scribe two;

    place_make(&kept);
    leave_two_groups(&one, &two);
    place_copy(&place, &kept);
    size_t len = file_len(place_of(&kept, "log.db"));
    ck_assert_uint_gt(len, 40000);
    for (size_t at = (size_t)_i * 13; at < len; at += 52) {
        place_copy(&kept, &place);
        flip_bit(place_of(&place, "log.db"), at);
        refused_or_whole(&one, &two);
    }
    place_remove(&kept);
}
END_TEST

/* A page written to, or read from, the place of another. */
START_TEST(no_page_out_of_place_goes_unseen)
{
    struct place kept;
    struct scribe one;
    struct scribe two;

    place_make(&kept);
    leave_two_groups(&one, &two);
    place_copy(&place, &kept);
    size_t pages = file_len(place_of(&kept, "log.db")) / 4096;
    for (size_t from = 0; from < pages; from++)
        for (size_t to = 0; to < pages; to++) {
            place_copy(&kept, &place);
            copy_bytes(place_of(&place, "log.db"), from * 4096, to * 4096,
                       4096);
            refused_or_whole(&one, &two);
        }
    place_remove(&kept);
}
END_TEST

START_TEST(a_spoilt_database_refuses)
{
    struct scribe scribe;
    rkv_store *store = NULL;

    leave_log(&scribe);
    zero_bytes(place_of(&place, "log.db"), 0, 100);
    ck_assert_int_eq(try_open(&place, NULL, &store), RKV_ECORRUPT);
    rkv_store_close(store);
}
END_TEST

START_TEST(a_missing_snapshot_refuses_by_its_name)
{
    struct scribe scribe;
    rkv_store *store = NULL;

    leave_log(&scribe);
    remove_file(place_of(&place, "snap-0000000000000001-0"));
    ck_assert_int_eq(try_open(&place, NULL, &store), RKV_ECORRUPT);
    ck_assert_ptr_nonnull(
        strstr(rkv_store_errmsg(store), "snap-0000000000000001-0"));
    rkv_store_close(store);
}
END_TEST

Suite *suite_store_damage(void)
{
    Suite *suite = suite_create("store/damage");
    TCase *damaged = tcase_create("damaged");

    tcase_add_checked_fixture(damaged, set_up, tear_down);
    tcase_set_timeout(damaged, 60);
    tcase_add_test(damaged, a_damaged_row_refuses_by_its_name);
    tcase_add_test(damaged, a_missing_row_refuses_by_its_name);
    tcase_add_test(damaged, an_older_tail_refuses_by_its_name);
    tcase_add_test(damaged, a_row_from_elsewhere_is_never_served);
    tcase_add_test(damaged, what_rots_while_open_is_never_served);
    tcase_add_test(damaged, damaged_hard_state_refuses_by_its_name);
    tcase_add_test(damaged, a_newer_format_is_no_damage);
    tcase_add_test(damaged, a_missing_group_is_a_segment_without_owner);
    tcase_add_loop_test(damaged, no_flipped_bit_in_the_database_goes_unseen, 0,
                        4);
    tcase_add_test(damaged, no_page_out_of_place_goes_unseen);
    tcase_add_test(damaged, a_spoilt_database_refuses);
    tcase_add_test(damaged, a_missing_snapshot_refuses_by_its_name);
    suite_add_tcase(suite, damaged);
    return suite;
}
