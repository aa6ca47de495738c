/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The SQLite store: the rules of any store, who may open it, its segments and
 * checkpoints.
 */
#define _POSIX_C_SOURCE 200809L
#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/support.h"
#include "faulty.h"
#include "support.h"

Suite *suite_store_sqlite(void);

static struct place place;

static void set_up(void)
{
    place_make(&place);
}

static void tear_down(void)
{
    place_remove(&place);
}

static int reopen_small(void *ctx, rkv_store **store)
{
    const struct rkv_sqlite_options options = small_options(ctx);

    rkv_store_close(*store);
    return rkv_store_sqlite(&options, store);
}

START_TEST(it_keeps_the_rules_of_a_store)
{
    const struct rkv_sqlite_options options = small_options(&place);
    static char report[16384];
    rkv_store *store = NULL;

    ck_assert_int_eq(rkv_store_sqlite(&options, &store), RKV_OK);
    int rc = rkv_store_check(&store, reopen_small, &place, (uint64_t)_i + 1,
                             report, sizeof report);
    ck_assert_msg(rc == RKV_OK, "%s", report);
    rkv_store_close(store);
}
END_TEST

static int reopen_elsewhere(void *ctx, rkv_store **store)
{
    struct rkv_sqlite_options options = small_options(ctx);

    options.vfs = "faulty";
    rkv_store_close(*store);
    return rkv_store_sqlite(&options, store);
}

/* One that has no shared memory, and no faults today. */
START_TEST(it_keeps_them_on_a_vfs_of_another_kind)
{
    static char report[16384];
    struct faulty none = {.left = -1};
    rkv_store *store = NULL;

    faulty_begin(&none);
    ck_assert_int_eq(reopen_elsewhere(&place, &store), RKV_OK);
    int rc = rkv_store_check(&store, reopen_elsewhere, &place, 1, report,
                             sizeof report);
    ck_assert_msg(rc == RKV_OK, "%s", rkv_store_errmsg(store));
    rkv_store_close(store);
    faulty_end(0);
}
END_TEST

START_TEST(a_directory_serves_one_handle_at_a_time)
{
    struct rkv_sqlite_options options = {.size = sizeof options,
                                         .path = place.path};
    rkv_store *store = open_store(&place, NULL);
    rkv_store *second = NULL;

    ck_assert_int_eq(rkv_store_sqlite(&options, &second), RKV_ELOCKED);
    ck_assert_ptr_nonnull(strstr(rkv_store_errmsg(second), place.path));
    ck_assert_int_eq(rkv_store_write(second, NULL, 0), RKV_EFAILED);
    rkv_store_close(second);
    /* The one that was refused took no lock away. */
    ck_assert_int_eq(rkv_store_sqlite(&options, &second), RKV_ELOCKED);
    rkv_store_close(second);
    rkv_store_close(store);
    rkv_store_close(open_store(&place, NULL));
}
END_TEST

START_TEST(a_directory_serves_one_process_at_a_time)
{
    rkv_store *store = open_store(&place, NULL);
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        struct rkv_sqlite_options options = {.size = sizeof options,
                                             .path = place.path};
        rkv_store *second = NULL;

        _exit(rkv_store_sqlite(&options, &second) == RKV_ELOCKED ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    rkv_store_close(store);
}
END_TEST

START_TEST(an_absent_directory_is_made_for_its_owner_alone)
{
    struct place inner;

    (void)snprintf(inner.path, sizeof inner.path, "%.200s/inner", place.path);
    rkv_store_close(open_store(&inner, NULL));
    ck_assert_uint_gt(file_len(place_of(&inner, "promise")), 0);
    ck_assert_int_eq(access(inner.path, R_OK | W_OK | X_OK), 0);
    place_remove(&inner);
}
END_TEST

START_TEST(what_cannot_be_opened_says_why)
{
    struct rkv_sqlite_options options = {
        .size = sizeof options, .path = "/nowhere/at/all", .vfs = NULL};
    rkv_store *store = NULL;

    ck_assert_int_eq(rkv_store_sqlite(&options, &store), RKV_EIO);
    ck_assert_ptr_nonnull(strstr(rkv_store_errmsg(store), "/nowhere/at/all"));
    rkv_store_close(store);
    options.vfs = "a VFS that nobody registered";
    ck_assert_int_eq(rkv_store_sqlite(&options, &store), RKV_EINVAL);
    rkv_store_close(store);
    options.path = NULL;
    ck_assert_int_eq(rkv_store_sqlite(&options, &store), RKV_EINVAL);
    ck_assert_ptr_null(store);
    ck_assert_int_eq(rkv_store_sqlite(NULL, &store), RKV_EINVAL);
}
END_TEST

START_TEST(old_segments_are_dropped_whole)
{
    const struct rkv_sqlite_options options = small_options(&place);
    struct scribe scribe = {.group = 3, .term = 1, .len = 100};
    rkv_store *store = NULL;

    ck_assert_int_eq(rkv_store_sqlite(&options, &store), RKV_OK);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(scribe_write(&scribe, store, 10), RKV_OK);
    ck_assert_int_eq(scribe_snapshot(&scribe, store, 95, 30, 1000), RKV_OK);
    rkv_store_close(store);
    /* Entries 66 to 100 lie in four of ten tables. */
    const char *db = place_of(&place, "log.db");
    ck_assert_int_eq(ask_sql(db, "SELECT count(*) FROM segments"), 4);
    ck_assert_int_eq(ask_sql(db, "SELECT count(*) FROM sqlite_schema "
                                 "WHERE name LIKE 'seg_%' AND name<>"
                                 "'segments'"),
                     4);
    ck_assert_int_eq(rkv_store_sqlite(&options, &store), RKV_OK);
    ck_assert_uint_eq(scribe_count(&scribe, store, 66), 35);
    ck_assert_uint_eq(scribe_count(&scribe, store, 65), 0);
    ck_assert_uint_eq(state_of(store, 3).first, 96);
    ck_assert_uint_eq(state_of(store, 3).last, 100);
    rkv_store_close(store);
}
END_TEST

/* Ten megabytes leave for the price of a few pages: each write is a frame's
 * head or its page. */
START_TEST(a_segment_is_dropped_without_being_rewritten)
{
    struct faulty count = {.kinds = FAULTY_WRITE, .left = INT64_MAX};
    struct rkv_sqlite_options options = {.size = sizeof options,
                                         .path = place.path,
                                         .vfs = "faulty",
                                         .segment_entries = 2000};
    struct scribe scribe = {.group = 3, .term = 1, .len = 1000};
    rkv_store *store = NULL;

    faulty_begin(&count);
    ck_assert_int_eq(rkv_store_sqlite(&options, &store), RKV_OK);
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(scribe_write(&scribe, store, 200), RKV_OK);
    int64_t before = count.left;
    ck_assert_int_eq(scribe_snapshot(&scribe, store, 9999, 0, 100), RKV_OK);
    ck_assert_int_lt(before - count.left, 300);
    rkv_store_close(store);
    faulty_end(0);
    ck_assert_int_eq(
        ask_sql(place_of(&place, "log.db"), "SELECT count(*) FROM segments"),
        1);
}
END_TEST

START_TEST(the_wal_stays_bounded)
{
    const struct rkv_sqlite_options options = small_options(&place);
    struct scribe scribe = {.group = 3, .term = 1, .len = 200};
    rkv_store *store = NULL;
    size_t largest = 0;

    ck_assert_int_eq(rkv_store_sqlite(&options, &store), RKV_OK);
    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(scribe_write(&scribe, store, 5), RKV_OK);
        size_t len = file_len(place_of(&place, "log.db-wal"));
        largest = len > largest ? len : largest;
    }
    /* Forty pages and what one write may add to them. */
    ck_assert_uint_lt(largest, 60 * 4200);
    rkv_store_close(store);
}
END_TEST

START_TEST(a_reader_in_another_program_stops_nobody)
{
    const struct rkv_sqlite_options options = small_options(&place);
    struct scribe scribe = {.group = 3, .term = 1, .len = 200};
    rkv_store *store = NULL;
    sqlite3 *shell = NULL;
    char path[512];

    ck_assert_int_eq(rkv_store_sqlite(&options, &store), RKV_OK);
    ck_assert_int_eq(scribe_write(&scribe, store, 5), RKV_OK);
    (void)snprintf(path, sizeof path, "%s", place_of(&place, "log.db"));
    ck_assert_int_eq(sqlite3_open(path, &shell), SQLITE_OK);
    ck_assert_int_eq(
        sqlite3_exec(shell, "BEGIN; SELECT * FROM groups", NULL, NULL, NULL),
        SQLITE_OK);
    for (int i = 0; i < 60; i++)
        ck_assert_int_eq(scribe_write(&scribe, store, 5), RKV_OK);
    size_t grown = file_len(place_of(&place, "log.db-wal"));
    ck_assert_uint_gt(grown, 100 * 4120);
    ck_assert_int_eq(sqlite3_close(shell), SQLITE_OK);
    for (int i = 0; i < 60; i++)
        ck_assert_int_eq(scribe_write(&scribe, store, 5), RKV_OK);
    ck_assert_uint_lt(file_len(place_of(&place, "log.db-wal")), grown + 60000);
    ck_assert_uint_eq(scribe_count(&scribe, store, 1), 605);
    rkv_store_close(store);
}
END_TEST

START_TEST(a_run_is_cut_where_a_new_tail_begins)
{
    struct rkv_sqlite_options options = small_options(&place);
    struct scribe scribe = {.group = 1, .term = 1, .len = 64};
    rkv_store *store = NULL;
    uint8_t chains[41][32] = {{0}};

    ck_assert_int_eq(rkv_store_sqlite(&options, &store), RKV_OK);
    for (uint64_t cut = 40; cut > 0; cut--) {
        const struct rkv_entry *entries;
        uint32_t count;

        /* Forty entries, then all from `cut` on again, in a later term. */
        while (scribe.last < 40)
            ck_assert_int_eq(
                scribe_write(&scribe, store, (uint32_t)(40 - scribe.last)),
                RKV_OK);
        for (uint64_t i = 1; i <= 40; i++) {
            ck_assert_int_eq(
                rkv_store_read(store, 1, i, 1, 0, &entries, &count), RKV_OK);
            ck_assert_uint_eq(count, 1);
            memcpy(chains[i], entries[0].chain, 32);
        }
        scribe.last = cut - 1;
        memcpy(scribe.chain, chains[cut - 1], 32);
        scribe.term++;
        ck_assert_int_eq(scribe_write(&scribe, store, 1), RKV_OK);
        ck_assert_uint_eq(state_of(store, 1).last, cut);
        ck_assert_uint_eq(scribe_count(&scribe, store, 1), cut);
        rkv_store_close(store);
        ck_assert_int_eq(rkv_store_sqlite(&options, &store), RKV_OK);
        ck_assert_uint_eq(scribe_count(&scribe, store, 1), cut);
    }
    rkv_store_close(store);
}
END_TEST

START_TEST(long_runs_are_split_and_read_in_parts)
{
    struct scribe scribe = {.group = 1, .term = 1, .len = 1024};
    const struct rkv_entry *entries;
    rkv_store *store = open_store(&place, NULL);
    uint32_t count;

    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(scribe_write(&scribe, store, 200), RKV_OK);
    ck_assert_uint_eq(scribe_count(&scribe, store, 1), 800);
    ck_assert_uint_eq(scribe_count(&scribe, store, 333), 468);
    ck_assert_int_eq(
        rkv_store_read(store, 1, 100, 500, 100 * 1024, &entries, &count),
        RKV_OK);
    ck_assert_uint_ge(count, 30);
    ck_assert_uint_le(count, 100);
    ck_assert_uint_eq(entries[count - 1].index, 99 + count);
    rkv_store_close(store);
    ck_assert_int_gt(
        ask_sql(place_of(&place, "log.db"), "SELECT count(*) FROM seg_1"), 12);
    store = open_store(&place, NULL);
    ck_assert_uint_eq(scribe_count(&scribe, store, 1), 800);
    rkv_store_close(store);
}
END_TEST

/* The length alone is looked at, so that no test needs half a gigabyte. */
START_TEST(what_no_row_can_hold_is_refused)
{
    const uint32_t len = 512 * 1024 * 1024 + 1;
    struct scribe scribe = {.group = 1, .term = 1, .len = 10};
    struct rkv_entry entry = {
        .index = 1, .term = 1, .kind = 1, .data = "", .len = len};
    struct rkv_store_write write = {.size = sizeof write,
                                    .flags = RKV_WRITE_ENTRIES,
                                    .group = 1,
                                    .entries = &entry,
                                    .count = 1};
    rkv_store *store = open_store(&place, NULL);

    ck_assert_int_eq(rkv_store_write(store, &write, 1), RKV_ETOOBIG);
    ck_assert_ptr_nonnull(strstr(rkv_store_errmsg(store), "536870913"));
    write.flags = RKV_WRITE_SNAPSHOT;
    write.config = "";
    write.config_len = len;
    ck_assert_int_eq(rkv_store_write(store, &write, 1), RKV_ETOOBIG);
    ck_assert_ptr_nonnull(strstr(rkv_store_errmsg(store), "536870913"));
    ck_assert_int_eq(scribe_write(&scribe, store, 1), RKV_OK);
    rkv_store_close(store);
}
END_TEST

START_TEST(one_large_entry_does_not_stay_in_memory)
{
    enum { LARGE = 16 << 20 };
    struct rkv_sqlite_options options = small_options(&place);
    struct base_heap heap;
    struct rkv_allocator allocator = base_allocator(&heap);
    struct scribe scribe = {.group = 2, .term = 1, .len = 10};
    const struct rkv_entry *entries;
    uint8_t *bytes = calloc(1, LARGE);
    struct rkv_entry entry = {
        .index = 1, .term = 1, .kind = 1, .data = bytes, .len = LARGE};
    struct rkv_store_write write = {.size = sizeof write,
                                    .flags = RKV_WRITE_ENTRIES,
                                    .group = 1,
                                    .entries = &entry,
                                    .count = 1};
    rkv_store *store = NULL;
    uint32_t count;

    ck_assert_ptr_nonnull(bytes);
    bytes[LARGE - 1] = 7;
    options.allocator = &allocator;
    rkv_entry_chain(&entry, (const uint8_t[32]){0});
    ck_assert_int_eq(rkv_store_sqlite(&options, &store), RKV_OK);
    ck_assert_int_eq(rkv_store_write(store, &write, 1), RKV_OK);
    ck_assert_uint_lt(heap.bytes, LARGE / 4);
    ck_assert_int_eq(rkv_store_read(store, 1, 1, 1, 1, &entries, &count),
                     RKV_OK);
    ck_assert_mem_eq(entries[0].data, bytes, LARGE);
    ck_assert_int_eq(scribe_write(&scribe, store, 1), RKV_OK);
    ck_assert_int_eq(rkv_store_read(store, 2, 1, 1, 1, &entries, &count),
                     RKV_OK);
    ck_assert_uint_lt(heap.bytes, LARGE / 4);
    rkv_store_close(store);
    ck_assert_uint_eq(heap.blocks, 0);
    free(bytes);
}
END_TEST

START_TEST(another_writer_is_called_so)
{
    const struct rkv_sqlite_options options = small_options(&place);
    struct scribe scribe = {.group = 3, .term = 1, .len = 200};
    rkv_store *store = NULL;
    sqlite3 *shell = NULL;

    ck_assert_int_eq(rkv_store_sqlite(&options, &store), RKV_OK);
    ck_assert_int_eq(scribe_write(&scribe, store, 5), RKV_OK);
    ck_assert_int_eq(sqlite3_open(place_of(&place, "log.db"), &shell),
                     SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(shell, "BEGIN IMMEDIATE", NULL, NULL, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(scribe_write(&scribe, store, 5), RKV_ELOCKED);
    ck_assert_ptr_nonnull(
        strstr(rkv_store_errmsg(store), "another program is writing"));
    ck_assert_int_eq(sqlite3_close(shell), SQLITE_OK);
    ck_assert_int_eq(scribe_write(&scribe, store, 5), RKV_EFAILED);
    rkv_store_close(store);
    store = open_store(&place, NULL);
    ck_assert_uint_eq(scribe_count(&scribe, store, 1), 5);
    rkv_store_close(store);
}
END_TEST

START_TEST(many_groups_share_one_transaction)
{
    enum { GROUPS = 200 };
    static struct rkv_store_write writes[GROUPS];
    const struct rkv_sqlite_options options = small_options(&place);
    struct rkv_entry entry = {.index = 1, .term = 1, .kind = 3};
    rkv_store *store = NULL;

    rkv_entry_chain(&entry, (const uint8_t[32]){0});
    ck_assert_int_eq(rkv_store_sqlite(&options, &store), RKV_OK);
    for (uint64_t i = 0; i < GROUPS; i++)
        writes[i] = (struct rkv_store_write){
            .size = sizeof writes[i],
            .flags = RKV_WRITE_STATE | RKV_WRITE_ENTRIES,
            .group = i * UINT64_C(0x0123456789abcdef),
            .term = i + 1,
            .entries = &entry,
            .count = 1};
    ck_assert_int_eq(rkv_store_write(store, writes, GROUPS), RKV_OK);
    rkv_store_close(store);
    ck_assert_int_eq(rkv_store_sqlite(&options, &store), RKV_OK);
    for (uint64_t i = 0; i < GROUPS; i++) {
        struct rkv_store_state state = state_of(store, writes[i].group);

        ck_assert_uint_eq(state.term, i + 1);
        ck_assert_uint_eq(state.last, 1);
    }
    ck_assert_uint_eq(start(store).promised, GROUPS);
    rkv_store_close(store);
}
END_TEST

START_TEST(one_write_may_name_a_group_twice)
{
    struct rkv_entry entries[3] = {{.index = 1, .term = 1, .kind = 3},
                                   {.index = 2, .term = 1, .kind = 3},
                                   {.index = 2, .term = 2, .kind = 3}};
    rkv_store *store = open_store(&place, NULL);

    rkv_entry_chain(&entries[0], (const uint8_t[32]){0});
    rkv_entry_chain(&entries[1], entries[0].chain);
    rkv_entry_chain(&entries[2], entries[0].chain);
    struct rkv_store_write writes[2] = {{.size = sizeof writes[0],
                                         .flags = RKV_WRITE_ENTRIES,
                                         .group = 4,
                                         .entries = entries,
                                         .count = 2},
                                        {.size = sizeof writes[0],
                                         .flags = RKV_WRITE_ENTRIES,
                                         .group = 4,
                                         .entries = entries + 2,
                                         .count = 1}};
    ck_assert_int_eq(rkv_store_write(store, writes, 2), RKV_OK);
    rkv_store_close(store);
    store = open_store(&place, NULL);
    const struct rkv_entry *found;
    uint32_t count;
    ck_assert_int_eq(rkv_store_read(store, 4, 1, 9, 99, &found, &count),
                     RKV_OK);
    ck_assert_uint_eq(count, 2);
    ck_assert_uint_eq(found[1].term, 2);
    rkv_store_close(store);
}
END_TEST

/* Another member's snapshot of the very log that this one holds otherwise. */
START_TEST(a_snapshot_of_another_history_is_called_so)
{
    struct scribe scribe = {.group = 1, .term = 3, .len = 64};
    struct rkv_store_write write = {.size = sizeof write,
                                    .flags = RKV_WRITE_SNAPSHOT,
                                    .group = 1,
                                    .snapshot_index = 3,
                                    .snapshot_term = 3};
    rkv_store *store = open_store(&place, NULL);

    ck_assert_int_eq(scribe_write(&scribe, store, 5), RKV_OK);
    ck_assert_int_eq(rkv_store_snap_begin(store, 1, 3), RKV_OK);
    ck_assert_int_eq(rkv_store_snap_finish(store, 1, 0), RKV_OK);
    ck_assert_int_eq(rkv_store_write(store, &write, 1), RKV_EDIVERGED);
    ck_assert_ptr_nonnull(strstr(rkv_store_errmsg(store), "entry 3 of term 3"));
    rkv_store_close(store);
    store = open_store(&place, NULL);
    ck_assert_uint_eq(scribe_count(&scribe, store, 1), 5);
    rkv_store_close(store);
}
END_TEST

START_TEST(what_raft_never_asks_is_refused)
{
    struct scribe scribe = {.group = 1, .term = 3, .vote = 1, .len = 64};
    rkv_store *store = open_store(&place, NULL);
    struct rkv_store_write write = {
        .size = sizeof write, .flags = RKV_WRITE_STATE, .group = 1, .term = 2};

    ck_assert_int_eq(scribe_write(&scribe, store, 5), RKV_OK);
    ck_assert_int_eq(rkv_store_write(store, &write, 1), RKV_EINVAL);
    write.term = 3;
    write.vote = 2;
    ck_assert_int_eq(rkv_store_write(store, &write, 1), RKV_EINVAL);
    ck_assert_ptr_nonnull(strstr(rkv_store_errmsg(store), "vote"));
    scribe.chain[0] ^= 1;
    ck_assert_int_eq(scribe_write(&scribe, store, 1), RKV_EINVAL);
    ck_assert_ptr_nonnull(strstr(rkv_store_errmsg(store), "chain"));
    scribe.chain[0] ^= 1;
    write.flags = 1u << 20;
    ck_assert_int_eq(rkv_store_write(store, &write, 1), RKV_EINVAL);
    write.flags = RKV_WRITE_ENTRIES;
    ck_assert_int_eq(rkv_store_write(store, &write, 1), RKV_EINVAL);
    /* None of that harmed the handle. */
    ck_assert_int_eq(scribe_write(&scribe, store, 5), RKV_OK);
    ck_assert_uint_eq(scribe_count(&scribe, store, 1), 10);
    rkv_store_close(store);
}
END_TEST

Suite *suite_store_sqlite(void)
{
    Suite *suite = suite_create("store/sqlite");
    TCase *rules = tcase_create("rules");
    TCase *opening = tcase_create("opening");
    TCase *writing = tcase_create("writing");
    TCase *all[] = {rules, opening, writing};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        tcase_add_checked_fixture(all[i], set_up, tear_down);
        suite_add_tcase(suite, all[i]);
    }
    tcase_add_loop_test(rules, it_keeps_the_rules_of_a_store, 0, 4);
    tcase_add_test(rules, it_keeps_them_on_a_vfs_of_another_kind);
    tcase_add_test(opening, a_directory_serves_one_handle_at_a_time);
    tcase_add_test(opening, a_directory_serves_one_process_at_a_time);
    tcase_add_test(opening, an_absent_directory_is_made_for_its_owner_alone);
    tcase_add_test(opening, what_cannot_be_opened_says_why);
    tcase_add_test(writing, what_no_row_can_hold_is_refused);
    tcase_add_test(writing, one_large_entry_does_not_stay_in_memory);
    tcase_add_test(writing, another_writer_is_called_so);
    tcase_add_test(writing, old_segments_are_dropped_whole);
    tcase_add_test(writing, a_segment_is_dropped_without_being_rewritten);
    tcase_add_test(writing, the_wal_stays_bounded);
    tcase_add_test(writing, a_reader_in_another_program_stops_nobody);
    tcase_add_test(writing, a_run_is_cut_where_a_new_tail_begins);
    tcase_add_test(writing, long_runs_are_split_and_read_in_parts);
    tcase_add_test(writing, many_groups_share_one_transaction);
    tcase_add_test(writing, one_write_may_name_a_group_twice);
    tcase_add_test(writing, a_snapshot_of_another_history_is_called_so);
    tcase_add_test(writing, what_raft_never_asks_is_refused);
    return suite;
}
