/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The promise file: its slots, its layout, and what the store makes of a file
 * that is damaged, missing, old or another's.
 */
#define _POSIX_C_SOURCE 200809L
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "store/promise.h"
#include "support.h"

Suite *suite_store_promise(void);

static struct place place;

static void set_up(void)
{
    place_make(&place);
}

static void tear_down(void)
{
    place_remove(&place);
}

static const char *promise_path(void)
{
    return place_of(&place, "promise");
}

/* One life: an identity, some writes. */
static void live(struct scribe *scribe, int writes)
{
    struct rkv_store_write own = {.size = sizeof own,
                                  .flags = RKV_WRITE_IDENTITY,
                                  .cluster = 5,
                                  .member = 6};
    rkv_store *store = open_store(&place, NULL);

    ck_assert_int_eq(rkv_store_write(store, &own, 1), RKV_OK);
    for (int i = 0; i < writes; i++)
        ck_assert_int_eq(scribe_write(scribe, store, 1), RKV_OK);
    rkv_store_close(store);
}

static void read_slot(int which, uint8_t out[512])
{
    FILE *file = fopen(promise_path(), "rb");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fseek(file, which * 4096L, SEEK_SET), 0);
    ck_assert_uint_eq(fread(out, 1, 512, file), 512);
    (void)fclose(file);
}

static void write_slot(size_t which, const uint8_t slot[512])
{
    FILE *file = fopen(promise_path(), "r+b");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fseek(file, (long)which * 4096, SEEK_SET), 0);
    ck_assert_uint_eq(fwrite(slot, 1, 512, file), 512);
    ck_assert_int_eq(fclose(file), 0);
}

/* Where the record that holds now lies, and where the older one. */
static size_t newest_slot(void)
{
    uint8_t slots[2][512];

    read_slot(0, slots[0]);
    read_slot(1, slots[1]);
    return rkv_get_u64(slots[1] + 16) > rkv_get_u64(slots[0] + 16);
}

START_TEST(the_layout_is_what_the_header_shows)
{
    struct scribe scribe = {.group = 1, .term = 300, .vote = 2, .len = 10};
    uint8_t slot[512];
    uint8_t hash[32];

    live(&scribe, 4);
    ck_assert_uint_eq(file_len(promise_path()), 8192);
    read_slot((int)newest_slot(), slot);
    ck_assert_int_eq(memcmp(slot, "rkvprom\n", 8), 0);
    ck_assert_uint_eq(rkv_get_u32(slot + 8), 1);
    ck_assert_uint_eq(rkv_get_u32(slot + 12), 112);
    ck_assert_uint_eq(rkv_get_u64(slot + 24), 5);
    ck_assert_uint_eq(rkv_get_u64(slot + 32), 6);
    ck_assert_uint_eq(rkv_get_u64(slot + 40), 1);
    ck_assert_uint_eq(rkv_get_u64(slot + 48), 5);
    ck_assert_uint_eq(rkv_get_u64(slot + 56), 300);
    rkv_blake(hash, slot, 80);
    ck_assert_int_eq(memcmp(slot + 80, hash, 32), 0);
}
END_TEST

START_TEST(it_never_grows)
{
    struct scribe scribe = {.group = 1, .term = 1, .len = 10};

    live(&scribe, 50);
    ck_assert_uint_eq(file_len(promise_path()), 8192);
}
END_TEST

START_TEST(two_stores_have_two_incarnations)
{
    struct scribe scribe = {.group = 1, .term = 1, .len = 10};
    uint8_t first[512];
    uint8_t second[512];

    live(&scribe, 1);
    read_slot(0, first);
    place_clear(&place);
    scribe = (struct scribe){.group = 1, .term = 1, .len = 10};
    live(&scribe, 1);
    read_slot(0, second);
    ck_assert_int_ne(memcmp(first + 64, second + 64, 16), 0);
}
END_TEST

START_TEST(a_store_has_one_incarnation_and_says_it)
{
    struct scribe scribe = {.group = 1, .term = 1, .len = 10};
    uint8_t slot[512];

    live(&scribe, 1);
    read_slot(0, slot);
    for (int life = 0; life < 3; life++) {
        rkv_store *store = open_store(&place, NULL);
        struct rkv_store_identity identity = start(store);

        ck_assert_int_eq(memcmp(identity.incarnation, slot + 64, 16), 0);
        rkv_store_close(store);
    }
}
END_TEST

START_TEST(one_bad_slot_is_repaired_and_the_boot_still_rises)
{
    for (int which = 0; which < 2; which++) {
        struct scribe scribe = {.group = 1, .term = 1, .len = 10};
        rkv_store *store = NULL;

        place_clear(&place);
        live(&scribe, 3);
        store = open_store(&place, NULL);
        uint64_t boot = start(store).boot;
        rkv_store_close(store);
        size_t slot = which == 0 ? newest_slot() : 1 - newest_slot();
        flip_bit(promise_path(), slot * 4096 + 40);
        const struct rkv_sqlite_options options = small_options(&place);
        ck_assert_int_eq(rkv_store_sqlite(&options, &store), RKV_OK);
        struct rkv_store_identity identity = start(store);
        ck_assert_uint_gt(identity.boot, boot);
        ck_assert_uint_eq(identity.recovering, 0);
        ck_assert_uint_eq(identity.cluster, 5);
        ck_assert_uint_eq(scribe_count(&scribe, store, 1), 3);
        rkv_store_close(store);
        store = open_store(&place, NULL);
        rkv_store_close(store);
    }
}
END_TEST

/* Each time what is damaged is what the start before has written. */
START_TEST(no_boot_comes_twice_however_often_a_slot_is_bad)
{
    const struct rkv_sqlite_options options = small_options(&place);
    struct scribe scribe = {.group = 1, .term = 1, .len = 10};
    rkv_store *store = NULL;
    uint64_t boot = 0;

    live(&scribe, 3);
    for (int i = 0; i < 12; i++) {
        size_t slot = i % 5 == 4 ? 1 - newest_slot() : newest_slot();

        flip_bit(promise_path(), slot * 4096 + 40);
        ck_assert_int_eq(rkv_store_sqlite(&options, &store), RKV_OK);
        uint64_t next = start(store).boot;
        ck_assert_msg(next > boot, "%d: boot %d follows %d", i, (int)next,
                      (int)boot);
        boot = next;
        rkv_store_close(store);
    }
}
END_TEST

START_TEST(every_flipped_bit_of_a_slot_is_seen)
{
    struct scribe scribe = {.group = 1, .term = 1, .len = 10};
    struct place copy;

    place_make(&copy);
    live(&scribe, 3);
    place_copy(&place, &copy);
    size_t newest = newest_slot();
    for (size_t byte = 0; byte < 112; byte++) {
        rkv_store *store = NULL;

        place_copy(&copy, &place);
        flip_bit(promise_path(), newest * 4096 + byte);
        flip_bit(promise_path(), (1 - newest) * 4096 + byte);
        ck_assert_int_eq(try_open(&place, NULL, &store), RKV_ECORRUPT);
        ck_assert_ptr_nonnull(strstr(rkv_store_errmsg(store), "promise"));
        rkv_store_close(store);
    }
    place_remove(&copy);
}
END_TEST

START_TEST(a_missing_file_is_refused_by_name)
{
    struct scribe scribe = {.group = 1, .term = 1, .len = 10};
    rkv_store *store = NULL;

    live(&scribe, 3);
    remove_file(promise_path());
    for (int again = 0; again < 2; again++) {
        ck_assert_int_eq(try_open(&place, NULL, &store), RKV_EROLLBACK);
        ck_assert_ptr_nonnull(strstr(rkv_store_errmsg(store), "promise"));
        rkv_store_close(store);
    }
}
END_TEST

START_TEST(an_emptied_file_is_refused)
{
    struct scribe scribe = {.group = 1, .term = 1, .len = 10};
    rkv_store *store = NULL;

    live(&scribe, 3);
    zero_bytes(promise_path(), 0, 8192);
    ck_assert_int_eq(try_open(&place, NULL, &store), RKV_ECORRUPT);
    rkv_store_close(store);
}
END_TEST

/* A later version may have longer records, but begins and ends them alike. */
START_TEST(a_newer_version_is_no_damage)
{
    struct scribe scribe = {.group = 1, .term = 1, .len = 10};
    rkv_store *store = NULL;
    uint8_t slot[512];

    live(&scribe, 3);
    size_t newest = newest_slot();
    read_slot((int)newest, slot);
    rkv_put_u32(slot + 8, 2);
    rkv_put_u32(slot + 12, 200);
    rkv_blake(slot + 168, slot, 168);
    write_slot(newest, slot);
    ck_assert_int_eq(try_open(&place, NULL, &store), RKV_EVERSION);
    ck_assert_ptr_nonnull(strstr(rkv_store_errmsg(store), "version 2"));
    ck_assert_ptr_nonnull(strstr(rkv_store_errmsg(store), "newer"));
    rkv_store_close(store);
}
END_TEST

/* The end may be missing as after a bad copy; one slot whole is enough. */
START_TEST(a_cut_file_has_what_is_left_of_it)
{
    static const struct {
        off_t len;
        int rc;
    } cuts[] = {{4096 + 512, RKV_OK}, {4096 + 111, RKV_OK}, {4096, RKV_OK},
                {512, RKV_OK},        {511, RKV_ECORRUPT},  {1, RKV_ECORRUPT},
                {0, RKV_EROLLBACK}};

    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        struct scribe scribe = {.group = 1, .term = 1, .len = 10};
        rkv_store *store = NULL;

        place_clear(&place);
        live(&scribe, 3);
        ck_assert_int_eq(truncate(promise_path(), cuts[i].len), 0);
        ck_assert_int_eq(try_open(&place, NULL, &store), cuts[i].rc);
        if (cuts[i].rc == RKV_OK)
            ck_assert_uint_eq(scribe_count(&scribe, store, 1), 3);
        else
            ck_assert_ptr_nonnull(strstr(rkv_store_errmsg(store), "promise"));
        rkv_store_close(store);
    }
}
END_TEST

START_TEST(an_older_copy_is_refused)
{
    struct scribe scribe = {.group = 1, .term = 1, .len = 10};
    rkv_store *store = NULL;

    live(&scribe, 3);
    copy_file(promise_path(), place_of(&place, "kept"));
    live(&scribe, 3);
    copy_file(place_of(&place, "kept"), promise_path());
    ck_assert_int_eq(try_open(&place, NULL, &store), RKV_EROLLBACK);
    ck_assert_ptr_nonnull(strstr(rkv_store_errmsg(store), "older copy"));
    rkv_store_close(store);
}
END_TEST

/* As after a crash in the middle of a write: the database is `ahead` commits
 * beyond the promise, whose newer slot may be torn as well. */
static int wake_ahead(int ahead, bool torn, rkv_store **out)
{
    struct scribe scribe = {.group = 1, .term = 1, .len = 10};
    struct place copy;
    rkv_store *store = NULL;

    place_make(&copy);
    place_clear(&place);
    live(&scribe, 3);
    store = open_store(&place, NULL);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(scribe_write(&scribe, store, 1), RKV_OK);
    copy_file(promise_path(), place_of(&copy, "kept"));
    scribe.term = 8;
    for (int i = 0; i < ahead; i++)
        ck_assert_int_eq(scribe_write(&scribe, store, 1), RKV_OK);
    copy_file(place_of(&place, "log.db"), place_of(&copy, "log.db"));
    copy_file(place_of(&place, "log.db-wal"), place_of(&copy, "log.db-wal"));
    rkv_store_close(store);
    copy_file(place_of(&copy, "kept"), place_of(&copy, "promise"));
    place_copy(&copy, &place);
    place_remove(&copy);
    if (torn)
        zero_bytes(promise_path(), newest_slot() * 4096 + 60, 100);
    int rc = try_open(&place, NULL, out);
    if (rc == RKV_OK)
        ck_assert_uint_eq(scribe_count(&scribe, *out, 1), 5 + (uint64_t)ahead);
    return rc;
}

START_TEST(one_commit_may_be_ahead_of_the_promise)
{
    static const struct {
        int ahead;
        bool torn;
        int rc;
    } cases[] = {{0, false, RKV_OK},        {0, true, RKV_OK},
                 {1, false, RKV_OK},        {1, true, RKV_OK},
                 {2, false, RKV_EROLLBACK}, {2, true, RKV_EROLLBACK}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rkv_store *store = NULL;

        ck_assert_int_eq(wake_ahead(cases[i].ahead, cases[i].torn, &store),
                         cases[i].rc);
        if (cases[i].rc == RKV_OK) {
            ck_assert_uint_eq(state_of(store, 1).recovering, 0);
            ck_assert_uint_eq(start(store).promised,
                              cases[i].ahead == 0 ? 1 : 8);
        }
        rkv_store_close(store);
    }
}
END_TEST

START_TEST(an_older_database_is_recovering)
{
    struct scribe scribe = {.group = 1, .term = 1, .len = 10};
    rkv_store *store = NULL;
    uint8_t slot[512];

    live(&scribe, 3);
    copy_file(place_of(&place, "log.db"), place_of(&place, "kept"));
    scribe.term = 9;
    live(&scribe, 3);
    read_slot((int)newest_slot(), slot);
    uint64_t sequence = rkv_get_u64(slot + 48);
    copy_file(place_of(&place, "kept"), place_of(&place, "log.db"));
    ck_assert_int_eq(try_open(&place, NULL, &store), RKV_OK);
    ck_assert_uint_eq(state_of(store, 1).recovering, 1);
    ck_assert_uint_eq(state_of(store, 1).last, 3);
    ck_assert_uint_eq(start(store).promised, 9);
    rkv_store_close(store);
    /* What marks the loss comes after all that was promised. */
    read_slot((int)newest_slot(), slot);
    ck_assert_uint_gt(rkv_get_u64(slot + 48), sequence);
}
END_TEST

START_TEST(the_file_of_another_store_is_refused)
{
    struct scribe scribe = {.group = 1, .term = 1, .len = 10};
    struct place other;
    rkv_store *store = NULL;

    place_make(&other);
    live(&scribe, 3);
    place_copy(&place, &other);
    place_clear(&place);
    scribe = (struct scribe){.group = 1, .term = 1, .len = 10};
    live(&scribe, 3);
    copy_file(place_of(&other, "promise"), promise_path());
    ck_assert_int_eq(try_open(&place, NULL, &store), RKV_EROLLBACK);
    ck_assert_ptr_nonnull(strstr(rkv_store_errmsg(store), "together"));
    rkv_store_close(store);
    place_remove(&other);
}
END_TEST

/* Of this store, as its incarnation says, and yet of another member. */
START_TEST(two_files_that_differ_about_whose_they_are_are_refused)
{
    for (size_t at = 24; at <= 32; at += 8) {
        struct scribe scribe = {.group = 1, .term = 1, .len = 10};
        rkv_store *store = NULL;
        uint8_t slot[512];

        place_clear(&place);
        live(&scribe, 3);
        read_slot((int)newest_slot(), slot);
        slot[at] ^= 8;
        rkv_blake(slot + 80, slot, 80);
        write_slot(newest_slot(), slot);
        ck_assert_int_eq(try_open(&place, NULL, &store), RKV_EROLLBACK);
        ck_assert_ptr_nonnull(strstr(rkv_store_errmsg(store),
                                     at == 24
                                         ? "expected cluster 13, member 6"
                                         : "expected cluster 5, member 14"));
        ck_assert_ptr_nonnull(
            strstr(rkv_store_errmsg(store), "found cluster 5, member 6"));
        rkv_store_close(store);
    }
}
END_TEST

Suite *suite_store_promise(void)
{
    Suite *suite = suite_create("store/promise");
    TCase *file = tcase_create("file");
    TCase *waking = tcase_create("waking");

    tcase_add_checked_fixture(file, set_up, tear_down);
    tcase_add_checked_fixture(waking, set_up, tear_down);
    tcase_add_test(file, the_layout_is_what_the_header_shows);
    tcase_add_test(file, it_never_grows);
    tcase_add_test(file, two_stores_have_two_incarnations);
    tcase_add_test(file, a_store_has_one_incarnation_and_says_it);
    tcase_add_test(file, one_bad_slot_is_repaired_and_the_boot_still_rises);
    tcase_add_test(file, no_boot_comes_twice_however_often_a_slot_is_bad);
    tcase_add_test(file, every_flipped_bit_of_a_slot_is_seen);
    tcase_add_test(waking, a_missing_file_is_refused_by_name);
    tcase_add_test(waking, an_emptied_file_is_refused);
    tcase_add_test(waking, a_newer_version_is_no_damage);
    tcase_add_test(waking, a_cut_file_has_what_is_left_of_it);
    tcase_add_test(waking, an_older_copy_is_refused);
    tcase_add_test(waking, one_commit_may_be_ahead_of_the_promise);
    tcase_add_test(waking, an_older_database_is_recovering);
    tcase_add_test(waking, the_file_of_another_store_is_refused);
    tcase_add_test(waking,
                   two_files_that_differ_about_whose_they_are_are_refused);
    suite_add_tcase(suite, file);
    suite_add_tcase(suite, waking);
    return suite;
}
