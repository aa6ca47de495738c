/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the SQLite store makes of commits that it once promised and does not
 * have any more: it is recovering, says so for as long as it lasts, and
 * notices whatever happened to its files.
 */
#include <check.h>
#include <string.h>

#include "faulty.h"
#include "support.h"

Suite *suite_store_lost(void);

static struct place place;

static void set_up(void)
{
    place_make(&place);
}

static void tear_down(void)
{
    place_remove(&place);
}

/* A store of two groups whose commits lie in the WAL, as if the process had
 * been killed: the directory is copied while it is open. */
static void leave_wal(const struct place *to, uint64_t *term)
{
    struct rkv_sqlite_options options = {
        .size = sizeof options, .path = place.path, .checkpoint_pages = 100000};
    struct rkv_store_write identity = {.size = sizeof identity,
                                       .flags = RKV_WRITE_IDENTITY,
                                       .cluster = 9,
                                       .member = 2};
    struct scribe one = {.group = 1, .term = 2, .vote = 1, .len = 100};
    struct scribe two = {.group = 2, .term = 1, .vote = 1, .len = 100};
    rkv_store *store = NULL;

    ck_assert_int_eq(rkv_store_sqlite(&options, &store), RKV_OK);
    (void)start(store);
    ck_assert_int_eq(rkv_store_write(store, &identity, 1), RKV_OK);
    ck_assert_int_eq(scribe_write(&two, store, 1), RKV_OK);
    for (int i = 0; i < 200; i++) {
        if (i == 150) {
            one.term = 5;
            one.vote = 3;
        }
        one.commit = one.last;
        ck_assert_int_eq(scribe_write(&one, store, 1), RKV_OK);
    }
    place_copy(&place, to);
    rkv_store_close(store);
    *term = one.term;
}

START_TEST(a_flipped_bit_in_the_wal_means_recovering)
{
    struct place copy;
    uint64_t term;

    place_make(&copy);
    leave_wal(&copy, &term);
    const char *wal = place_of(&copy, "log.db-wal");
    flip_bit(wal, file_len(wal) / 2);
    rkv_store *store = NULL;
    struct rkv_sqlite_options options = {.size = sizeof options,
                                         .path = copy.path};
    ck_assert_int_eq(rkv_store_sqlite(&options, &store), RKV_OK);
    /* SQLite rolled back to an old term and vote and said nothing. */
    struct rkv_store_state state = state_of(store, 1);
    ck_assert_uint_lt(state.last, 150);
    ck_assert_uint_eq(state.term, 2);
    ck_assert_uint_eq(state.recovering, 1);
    struct rkv_store_identity identity = start(store);
    ck_assert_uint_eq(identity.recovering, 1);
    ck_assert_uint_eq(identity.promised, 5);
    ck_assert_uint_eq(identity.cluster, 9);
    ck_assert_uint_eq(identity.member, 2);
    ck_assert_uint_eq(state_of(store, 2).recovering, 1);
    ck_assert_uint_eq(state_of(store, 77).recovering, 1);
    rkv_store_close(store);

    /* The mark is durable, and goes group by group. */
    ck_assert_int_eq(rkv_store_sqlite(&options, &store), RKV_OK);
    identity = start(store);
    ck_assert_uint_eq(identity.recovering, 1);
    ck_assert_uint_eq(identity.promised, 5);
    struct rkv_store_write whole = {.size = sizeof whole,
                                    .flags =
                                        RKV_WRITE_RECOVERED | RKV_WRITE_STATE,
                                    .group = 1,
                                    .term = 6,
                                    .commit = state.commit};
    ck_assert_int_eq(rkv_store_write(store, &whole, 1), RKV_OK);
    whole.flags = RKV_WRITE_RECOVERED;
    whole.group = 77;
    ck_assert_int_eq(rkv_store_write(store, &whole, 1), RKV_OK);
    rkv_store_close(store);
    ck_assert_int_eq(rkv_store_sqlite(&options, &store), RKV_OK);
    ck_assert_uint_eq(start(store).recovering, 1);
    ck_assert_uint_eq(state_of(store, 1).recovering, 0);
    ck_assert_uint_eq(state_of(store, 1).term, 6);
    ck_assert_uint_eq(state_of(store, 77).recovering, 0);
    ck_assert_uint_eq(state_of(store, 2).recovering, 1);
    ck_assert_uint_eq(state_of(store, 78).recovering, 1);
    rkv_store_close(store);
    place_remove(&copy);
}
END_TEST

START_TEST(no_flipped_bit_in_the_wal_goes_unseen)
{
    struct place original;
    struct place copy;
    uint64_t term;

    place_make(&original);
    place_make(&copy);
    leave_wal(&original, &term);
    size_t len = file_len(place_of(&original, "log.db-wal"));
    for (size_t i = 0; i < 40; i++) {
        rkv_store *store = NULL;

        place_copy(&original, &copy);
        /* The index is rebuilt: the file of it went with the machine. */
        remove_file(place_of(&copy, "log.db-shm"));
        flip_bit(place_of(&copy, "log.db-wal"), 32 + i * (len - 33) / 39);
        int rc = try_open(&copy, NULL, &store);
        if (rc == RKV_OK) {
            struct rkv_store_state state = state_of(store, 1);

            /* Lost and said so; or nothing that mattered was hit. */
            if (!state.recovering) {
                ck_assert_uint_eq(state.last, 200);
                ck_assert_uint_eq(state.term, term);
                ck_assert_uint_eq(state.vote, 3);
            }
        } else {
            ck_assert_int_eq(rc, RKV_ECORRUPT);
        }
        rkv_store_close(store);
    }
    place_remove(&copy);
    place_remove(&original);
}
END_TEST

START_TEST(a_wal_left_by_a_crash_is_emptied_first)
{
    struct place copy;
    rkv_store *store = NULL;
    uint64_t term;

    place_make(&copy);
    leave_wal(&copy, &term);
    ck_assert_uint_gt(file_len(place_of(&copy, "log.db-wal")), 100000);
    ck_assert_int_eq(try_open(&copy, NULL, &store), RKV_OK);
    ck_assert_uint_eq(file_len(place_of(&copy, "log.db-wal")), 0);
    ck_assert_uint_eq(state_of(store, 1).recovering, 0);
    ck_assert_uint_eq(state_of(store, 1).last, 200);
    ck_assert_uint_eq(state_of(store, 1).term, term);
    rkv_store_close(store);
    place_remove(&copy);
}
END_TEST

/* One waking on a disk that fails once after k operations, or whose power
 * goes; false when it was over before that. */
static bool wake_in_trouble(const struct place *at, int64_t k, bool power,
                            uint64_t seed, bool *acked)
{
    struct faulty faulty = {.kinds = FAULTY_WRITE | FAULTY_SYNC | FAULTY_CUT,
                            .left = k,
                            .result = SQLITE_IOERR,
                            .power = power};
    struct rkv_store_write write = {
        .size = sizeof write, .flags = RKV_WRITE_STATE, .group = 2, .term = 7};
    rkv_store *store = NULL;

    faulty_begin(&faulty);
    int rc = try_open(at, "faulty", &store);
    if (rc == RKV_OK)
        rc = rkv_store_write(store, &write, 1);
    ck_assert_msg(rc == RKV_OK || (faulty.has_struck && rc == RKV_EIO),
                  "%s: %s", rkv_errname(rc), rkv_store_errmsg(store));
    *acked = rc == RKV_OK;
    rkv_store_close(store);
    bool struck = faulty.has_struck;
    faulty_end(seed);
    return struck;
}

/* A crash while waking up after a crash: what was lost stays known to be
 * lost, and what was not is there. */
START_TEST(anything_may_go_while_waking)
{
    bool loses = _i % 2 == 1;
    bool power = _i >= 2;
    struct place original;
    struct place copy;
    uint64_t term;
    bool struck = true;
    bool acked;

    place_make(&original);
    place_make(&copy);
    leave_wal(&original, &term);
    remove_file(place_of(&original, "log.db-shm"));
    const char *wal = place_of(&original, "log.db-wal");
    if (loses)
        flip_bit(wal, file_len(wal) / 2);
    for (int64_t k = 0; struck; k++) {
        rkv_store *store = NULL;

        place_copy(&original, &copy);
        uint64_t seed = power ? (uint64_t)(_i / 2 - 1) * (uint64_t)(k + 1) : 0;

        struck = wake_in_trouble(&copy, k, power, seed, &acked);
        int rc = try_open(&copy, NULL, &store);
        ck_assert_msg(rc == RKV_OK, "%s", rkv_store_errmsg(store));
        struct rkv_store_identity identity = start(store);
        ck_assert_uint_eq(identity.recovering, loses);
        ck_assert_uint_eq(identity.cluster, 9);
        ck_assert_uint_ge(identity.promised, term);
        ck_assert_uint_eq(state_of(store, 1).recovering, loses);
        ck_assert_uint_eq(state_of(store, 2).recovering, loses);
        ck_assert_uint_eq(state_of(store, 77).recovering, loses);
        if (!loses)
            ck_assert_uint_eq(state_of(store, 1).last, 200);
        if (acked)
            ck_assert_uint_eq(state_of(store, 2).term, 7);
        if (!struck)
            ck_assert_int_gt(k, 10);
        rkv_store_close(store);
    }
    place_remove(&copy);
    place_remove(&original);
}
END_TEST

START_TEST(a_lost_wal_means_recovering)
{
    struct place copy;
    rkv_store *store = NULL;
    uint64_t term;

    place_make(&copy);
    leave_wal(&copy, &term);
    remove_file(place_of(&copy, "log.db-wal"));
    remove_file(place_of(&copy, "log.db-shm"));
    ck_assert_int_eq(try_open(&copy, NULL, &store), RKV_OK);
    ck_assert_uint_eq(state_of(store, 1).last, 0);
    ck_assert_uint_eq(state_of(store, 1).recovering, 1);
    ck_assert_uint_eq(start(store).promised, term);
    rkv_store_close(store);
    place_remove(&copy);
}
END_TEST

START_TEST(a_lost_database_means_recovering)
{
    struct scribe scribe = {.group = 1, .term = 8, .vote = 2, .len = 10};
    struct rkv_store_write identity = {.size = sizeof identity,
                                       .flags = RKV_WRITE_IDENTITY,
                                       .cluster = 9,
                                       .member = 2};
    rkv_store *store = open_store(&place, NULL);

    ck_assert_int_eq(rkv_store_write(store, &identity, 1), RKV_OK);
    ck_assert_int_eq(scribe_write(&scribe, store, 20), RKV_OK);
    rkv_store_close(store);
    remove_file(place_of(&place, "log.db"));
    for (int life = 0; life < 2; life++) {
        ck_assert_int_eq(try_open(&place, NULL, &store), RKV_OK);
        struct rkv_store_identity mine = start(store);
        ck_assert_uint_eq(mine.cluster, 9);
        ck_assert_uint_eq(mine.member, 2);
        ck_assert_uint_eq(mine.promised, 8);
        ck_assert_uint_eq(mine.recovering, 1);
        ck_assert_uint_eq(state_of(store, 1).recovering, 1);
        identity.member = 3;
        ck_assert_int_eq(rkv_store_write(store, &identity, 1), RKV_EEXIST);
        rkv_store_close(store);
    }
}
END_TEST

START_TEST(a_fresh_store_that_dies_early_does_not_recover)
{
    rkv_store *store = open_store(&place, NULL);

    rkv_store_close(store);
    remove_file(place_of(&place, "log.db"));
    ck_assert_int_eq(try_open(&place, NULL, &store), RKV_OK);
    struct rkv_store_identity identity = start(store);
    ck_assert_uint_eq(identity.recovering, 0);
    ck_assert_uint_eq(state_of(store, 1).recovering, 0);
    rkv_store_close(store);
}
END_TEST

Suite *suite_store_lost(void)
{
    Suite *suite = suite_create("store/lost");
    TCase *lost = tcase_create("lost");

    tcase_add_checked_fixture(lost, set_up, tear_down);
    tcase_set_timeout(lost, 60);
    tcase_add_test(lost, a_flipped_bit_in_the_wal_means_recovering);
    tcase_add_test(lost, no_flipped_bit_in_the_wal_goes_unseen);
    tcase_add_test(lost, a_wal_left_by_a_crash_is_emptied_first);
    tcase_add_loop_test(lost, anything_may_go_while_waking, 0, 8);
    tcase_add_test(lost, a_lost_wal_means_recovering);
    tcase_add_test(lost, a_lost_database_means_recovering);
    tcase_add_test(lost, a_fresh_store_that_dies_early_does_not_recover);
    suite_add_tcase(suite, lost);
    return suite;
}
