/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The files that the SQLite store keeps snapshots in.
 */
#define _POSIX_C_SOURCE 200809L
#include <check.h>
#include <stdio.h>
#include <unistd.h>

#include "support.h"

Suite *suite_store_snapshot(void);

static struct place place;

static void set_up(void)
{
    place_make(&place);
}

static void tear_down(void)
{
    place_remove(&place);
}

static int count_snapshots(void)
{
    int files = 0;

    for (int slot = 0; slot < 3; slot++) {
        char name[40];

        (void)snprintf(name, sizeof name, "snap-0000000000000001-%d", slot);
        files += access(place_of(&place, name), F_OK) == 0;
    }
    return files;
}

START_TEST(snapshots_nobody_names_leave_the_directory)
{
    struct scribe scribe = {.group = 1, .term = 3, .len = 64};
    rkv_store *store = open_store(&place, NULL);

    ck_assert_int_eq(scribe_write(&scribe, store, 50), RKV_OK);
    for (uint64_t index = 10; index <= 40; index += 10) {
        ck_assert_int_eq(scribe_snapshot(&scribe, store, index, 0, 500),
                         RKV_OK);
        ck_assert_int_le(count_snapshots(), 2);
    }
    ck_assert_int_eq(rkv_store_snap_begin(store, 1, 45), RKV_OK);
    ck_assert_int_eq(rkv_store_snap_write(store, 1, 0, "half", 4), RKV_OK);
    ck_assert_int_eq(count_snapshots(), 3);
    rkv_store_close(store);
    store = open_store(&place, NULL);
    ck_assert_int_eq(count_snapshots(), 2);
    ck_assert_int_eq(scribe_snapshot(&scribe, store, 45, 0, 500), RKV_OK);
    rkv_store_close(store);
}
END_TEST

START_TEST(a_snapshot_begun_again_keeps_nothing_of_the_first)
{
    static uint8_t bytes[5000];
    struct scribe scribe = {.group = 1, .term = 3, .len = 64};
    rkv_store *store = open_store(&place, NULL);
    size_t len;

    ck_assert_int_eq(scribe_write(&scribe, store, 50), RKV_OK);
    ck_assert_int_eq(rkv_store_snap_begin(store, 1, 45), RKV_OK);
    ck_assert_int_eq(rkv_store_snap_write(store, 1, 0, bytes, sizeof bytes),
                     RKV_OK);
    ck_assert_int_eq(scribe_snapshot(&scribe, store, 45, 0, 500), RKV_OK);
    rkv_store_close(store);
    store = open_store(&place, NULL);
    ck_assert_int_eq(
        rkv_store_snap_read(store, 1, 45, 0, bytes, sizeof bytes, &len),
        RKV_OK);
    ck_assert_uint_eq(len, 500);
    rkv_store_close(store);
}
END_TEST

/* The usual VFS of SQLite writes nothing when it is handed a multiple of 128
 * KiB at once, and says that the disk is full. */
START_TEST(a_snapshot_may_come_in_pieces_of_any_size)
{
    static const size_t sizes[] = {1, 65536, 131072, 262144, 1048576, 3000000};
    struct scribe scribe = {.group = 1, .term = 3, .len = 64};
    rkv_store *store = open_store(&place, NULL);
    static uint8_t back[3000000];
    size_t len;

    ck_assert_int_eq(scribe_write(&scribe, store, 50), RKV_OK);
    ck_assert_int_eq(
        scribe_snapshot(&scribe, store, 10 + (uint64_t)_i, 0, sizes[_i]),
        RKV_OK);
    ck_assert_int_eq(rkv_store_snap_read(store, 1, 10 + (uint64_t)_i, 0, back,
                                         sizeof back, &len),
                     RKV_OK);
    ck_assert_uint_eq(len, sizes[_i]);
    ck_assert_uint_eq(back[len - 1], 10 + (uint64_t)_i);
    rkv_store_close(store);
}
END_TEST

Suite *suite_store_snapshot(void)
{
    Suite *suite = suite_create("store/snapshot");
    TCase *files = tcase_create("files");

    tcase_add_checked_fixture(files, set_up, tear_down);
    tcase_add_test(files, snapshots_nobody_names_leave_the_directory);
    tcase_add_test(files, a_snapshot_begun_again_keeps_nothing_of_the_first);
    tcase_add_loop_test(files, a_snapshot_may_come_in_pieces_of_any_size, 0, 6);
    suite_add_tcase(suite, files);
    return suite;
}
