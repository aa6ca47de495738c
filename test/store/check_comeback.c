/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Coming back after a sync that failed.  The system may then call pages clean
 * that never reached the disk: whoever opens the store again reads what the
 * next loss of power takes away.
 */
#include <check.h>
#include <string.h>

#include "disk/platter.h"
#include "support.h"

Suite *suite_store_comeback(void);

static struct platter platter;

static void set_up(void)
{
    static const struct dice dice = {7};

    platter_init(&platter, "forgetful", dice);
    platter.traits.sync_failure = SYNC_FORGETS;
    platter_mount(&platter, false);
}

static void tear_down(void)
{
    platter_unmount(&platter);
    platter_free(&platter);
}

static int open_on_platter(rkv_store **out)
{
    const struct rkv_sqlite_options options = {.size = sizeof options,
                                               .path = "/store",
                                               .vfs = "forgetful",
                                               .checkpoint_pages = 25};

    return rkv_store_sqlite(&options, out);
}

/* Twelve entries that are acknowledged and three whose sync fails. */
static void leave_unsynced(uint64_t sync)
{
    struct scribe scribe = {.group = 1, .term = 1, .len = 90};
    rkv_store *store = NULL;

    ck_assert_int_eq(open_on_platter(&store), RKV_OK);
    (void)start(store);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(scribe_write(&scribe, store, 3), RKV_OK);
    platter_fail(&platter, OP_SYNC, sync, false);
    ck_assert_int_eq(scribe_write(&scribe, store, 3), RKV_EIO);
    rkv_store_close(store);
    platter_kill(&platter);
}

/* Opens it and goes on, until the power goes. */
static void wake_without_power(uint64_t after)
{
    struct rkv_store_identity identity = {.size = sizeof identity};
    rkv_store *store = NULL;

    platter_cut_power(&platter, after);
    if (open_on_platter(&store) == RKV_OK)
        (void)rkv_store_start(store, &identity);
    platter.off = true;
    rkv_store_close(store);
    platter_crash(&platter);
}

static void all_is_there(void)
{
    struct scribe scribe = {.group = 1, .term = 1, .len = 90};
    rkv_store *store = NULL;
    int rc = open_on_platter(&store);

    ck_assert_msg(rc == RKV_OK, "%s: %s", rkv_errname(rc),
                  rkv_store_errmsg(store));
    ck_assert_uint_eq(start(store).recovering, 0);
    uint64_t last = state_of(store, 1).last;
    ck_assert_msg(last == 12 || last == 15, "expected 12 or 15, found %d",
                  (int)last);
    ck_assert_uint_eq(scribe_count(&scribe, store, 1), last);
    rkv_store_close(store);
}

/* Of the two syncs of a write the first is the log's, the second the promise
 * file's. */
START_TEST(what_a_failed_sync_left_in_memory_is_not_built_on)
{
    for (uint64_t after = 0; after < 40; after++)
        for (uint64_t seed = 0; seed < 5; seed++) {
            tear_down();
            set_up();
            platter.dice.state = seed;
            leave_unsynced((uint64_t)_i);
            wake_without_power(after);
            all_is_there();
        }
}
END_TEST

static int live_shortly(uint64_t *struck)
{
    struct scribe scribe = {.group = 1, .term = 1, .len = 90};
    struct rkv_store_identity identity = {.size = sizeof identity};
    rkv_store *store = NULL;
    int rc = open_on_platter(&store);

    if (rc == RKV_OK)
        rc = rkv_store_start(store, &identity);
    for (int i = 0; rc == RKV_OK && i < 20; i++)
        rc = scribe_write(&scribe, store, 3);
    if (rc == RKV_OK)
        rc = scribe_snapshot(&scribe, store, 20, 6, 700);
    *struck = platter.struck;
    rkv_store_close(store);
    platter_kill(&platter);
    return rc;
}

/* From the first look at an empty disk on. */
START_TEST(no_sync_that_fails_goes_unnoticed)
{
    for (uint64_t k = 0;; k++) {
        uint64_t struck;

        tear_down();
        set_up();
        platter_fail(&platter, OP_SYNC, k, false);
        int rc = live_shortly(&struck);
        if (struck == 0) {
            ck_assert_uint_gt(k, 50);
            break;
        }
        ck_assert_msg(rc == RKV_EIO, "sync %d failed, the store said %s",
                      (int)k, rkv_errname(rc));
    }
}
END_TEST

Suite *suite_store_comeback(void)
{
    Suite *suite = suite_create("store_comeback");
    TCase *tests = tcase_create("failed syncs");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(
        tests, what_a_failed_sync_left_in_memory_is_not_built_on, 0, 2);
    tcase_add_test(tests, no_sync_that_fails_goes_unnoticed);
    suite_add_tcase(suite, tests);
    return suite;
}
