/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the SQLite store remembers when it did not end well: killed, without
 * power, out of space, out of memory, or with any one operation failing.  The
 * question is always the same: is everything that was acknowledged there?
 */
#define _POSIX_C_SOURCE 200809L
#include <check.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/prng.h"
#include "base/support.h"
#include "faulty.h"
#include "support.h"

Suite *suite_store_crash(void);

static struct place place;

static void set_up(void)
{
    place_make(&place);
}

static void tear_down(void)
{
    place_remove(&place);
}

/* What the store said is durable, so far. */
struct acked {
    uint64_t cluster;
    uint64_t boot;
    uint64_t last;
    uint64_t term;
    uint64_t vote;
    uint64_t snapshot;
};

static struct rkv_sqlite_options options_for(const char *vfs)
{
    struct rkv_sqlite_options options = small_options(&place);

    options.vfs = vfs;
    options.checkpoint_pages = 25;
    return options;
}

/* A short life: identity, entries, a new term, a replaced tail, snapshots.
 * Stops at the first failure and says which. */
static int live(rkv_store *store, struct scribe *scribe, struct acked *acked)
{
    struct rkv_store_identity identity = {.size = sizeof identity};
    struct rkv_store_write own = {.size = sizeof own,
                                  .flags = RKV_WRITE_IDENTITY,
                                  .cluster = 5,
                                  .member = 6};
    int rc = rkv_store_start(store, &identity);

    if (rc == RKV_OK)
        acked->boot = identity.boot;
    if (rc == RKV_OK)
        rc = rkv_store_write(store, &own, 1);
    if (rc == RKV_OK)
        acked->cluster = 5;
    for (int i = 1; rc == RKV_OK && i <= 14; i++) {
        scribe->term = acked->term + (i % 4 == 0);
        scribe->vote = i % 4 == 0 ? (uint64_t)i : scribe->vote;
        rc = scribe_write(scribe, store, 3);
        if (rc != RKV_OK)
            break;
        acked->last = scribe->last;
        acked->term = scribe->term;
        acked->vote = scribe->vote;
        if (i % 5 != 0)
            continue;
        rc = scribe_snapshot(scribe, store, scribe->last - 4, 6, 700);
        if (rc == RKV_OK)
            acked->snapshot = scribe->last - 4;
    }
    return rc;
}

/* Opens what is left on a sound disk. */
static void all_is_there(const struct acked *acked)
{
    const struct rkv_sqlite_options options = options_for(NULL);
    struct scribe scribe = {.group = 1, .len = 90};
    rkv_store *store = NULL;
    int rc = rkv_store_sqlite(&options, &store);

    ck_assert_msg(rc == RKV_OK, "%s: %s", rkv_errname(rc),
                  rkv_store_errmsg(store));
    struct rkv_store_identity identity = start(store);
    struct rkv_store_state state = state_of(store, 1);
    ck_assert_uint_gt(identity.boot, acked->boot);
    ck_assert_uint_eq(identity.recovering, 0);
    if (acked->cluster != 0)
        ck_assert_uint_eq(identity.cluster, acked->cluster);
    ck_assert_uint_eq(state.recovering, 0);
    ck_assert_uint_ge(state.last, acked->last);
    ck_assert_uint_ge(state.term, acked->term);
    if (state.term == acked->term)
        ck_assert_uint_eq(state.vote, acked->vote);
    ck_assert_uint_ge(state.snapshot_index, acked->snapshot);
    ck_assert_uint_eq(scribe_count(&scribe, store, state.first),
                      state.last - state.first + 1);
    /* And life goes on. */
    struct rkv_store_write more = {.size = sizeof more,
                                   .flags = RKV_WRITE_STATE,
                                   .group = 1,
                                   .term = state.term + 1,
                                   .vote = 9,
                                   .commit = state.commit};
    ck_assert_int_eq(rkv_store_write(store, &more, 1), RKV_OK);
    rkv_store_close(store);
}

/* One life on a disk with this fault; false when it ended before the fault. */
static bool live_on(struct faulty *faulty, uint64_t seed, int expected)
{
    const struct rkv_sqlite_options options = options_for("faulty");
    struct scribe scribe = {.group = 1, .len = 90};
    struct acked acked = {.term = 1};
    rkv_store *store = NULL;

    place_clear(&place);
    faulty_begin(faulty);
    int rc = rkv_store_sqlite(&options, &store);
    if (rc == RKV_OK)
        rc = live(store, &scribe, &acked);
    if (rc != RKV_OK) {
        ck_assert_msg(rc == expected, "expected %s, found %s: %s",
                      rkv_errname(expected), rkv_errname(rc),
                      rkv_store_errmsg(store));
        ck_assert_uint_ne(strlen(rkv_store_errmsg(store)), 0);
    }
    /* What failed stays failed, though the disk is sound again. */
    if (rc != RKV_OK) {
        struct rkv_store_identity identity = {.size = sizeof identity};

        ck_assert_int_eq(scribe_write(&scribe, store, 1), RKV_EFAILED);
        ck_assert_int_eq(rkv_store_start(store, &identity), RKV_EFAILED);
        ck_assert_uint_ne(strlen(rkv_store_errmsg(store)), 0);
        faulty->since = 0;
    }
    rkv_store_close(store);
    /* Nor does anything more reach the disk, not even on closing. */
    if (rc != RKV_OK && !faulty->power)
        ck_assert_int_eq(faulty->since, 0);
    bool struck = faulty->has_struck;
    faulty_end(seed);
    if (acked.last == 0)
        acked.term = acked.vote = 0;
    all_is_there(&acked);
    return struck;
}

/* Every operation of these kinds fails once, each in a life of its own. */
static int64_t fail_each(uint32_t kinds, int result, bool for_ever,
                         int expected)
{
    int64_t k = 0;

    for (;; k++) {
        struct faulty faulty = {
            .kinds = kinds, .left = k, .result = result, .for_ever = for_ever};

        if (!live_on(&faulty, 0, expected))
            return k;
    }
}

START_TEST(any_write_may_fail)
{
    ck_assert_int_gt(
        fail_each(FAULTY_WRITE, SQLITE_IOERR_WRITE, false, RKV_EIO), 50);
}
END_TEST

START_TEST(any_sync_may_fail)
{
    ck_assert_int_gt(fail_each(FAULTY_SYNC, SQLITE_IOERR_FSYNC, false, RKV_EIO),
                     30);
}
END_TEST

START_TEST(any_open_or_cut_may_fail)
{
    ck_assert_int_gt(fail_each(FAULTY_OPEN, SQLITE_CANTOPEN, false, RKV_EIO),
                     3);
    (void)fail_each(FAULTY_CUT, SQLITE_IOERR_TRUNCATE, false, RKV_EIO);
}
END_TEST

START_TEST(any_read_may_fail)
{
    ck_assert_int_gt(fail_each(FAULTY_READ, SQLITE_IOERR_READ, false, RKV_EIO),
                     3);
}
END_TEST

START_TEST(the_disk_may_be_full_from_any_write_on)
{
    ck_assert_int_gt(fail_each(FAULTY_WRITE, SQLITE_FULL, true, RKV_ENOSPC),
                     50);
}
END_TEST

START_TEST(the_power_may_go_at_any_moment)
{
    for (int64_t k = 0;; k++) {
        struct faulty faulty = {.kinds =
                                    FAULTY_WRITE | FAULTY_SYNC | FAULTY_CUT,
                                .left = k,
                                .result = SQLITE_IOERR,
                                .power = true};

        if (!live_on(&faulty, (uint64_t)_i * (uint64_t)(k + 1), RKV_EIO)) {
            ck_assert_int_gt(k, 100);
            break;
        }
    }
}
END_TEST

static void write_until_killed(int to)
{
    const struct rkv_sqlite_options options = options_for(NULL);
    struct scribe scribe = {.group = 1, .len = 90};
    const struct rkv_entry *entries;
    rkv_store *store = NULL;
    uint32_t count;

    if (rkv_store_sqlite(&options, &store) != RKV_OK)
        _exit(1);
    (void)start(store);
    struct rkv_store_state state = state_of(store, 1);
    scribe.last = state.last;
    scribe.term = state.term;
    if (state.last > state.snapshot_index &&
        rkv_store_read(store, 1, state.last, 1, 1, &entries, &count) == RKV_OK)
        memcpy(scribe.chain, entries[0].chain, 32);
    else
        memcpy(scribe.chain, state.snapshot_chain, 32);
    for (;;) {
        struct acked acked;

        scribe.term++;
        scribe.vote = scribe.term % 7;
        if (scribe_write(&scribe, store, (uint32_t)(1 + scribe.term % 20)) !=
            RKV_OK)
            _exit(2);
        if (scribe.term % 9 == 0 &&
            scribe_snapshot(&scribe, store, scribe.last - 3, 20, 5000) !=
                RKV_OK)
            _exit(3);
        acked = (struct acked){
            .last = scribe.last, .term = scribe.term, .vote = scribe.vote};
        if (write(to, &acked, sizeof acked) != (ssize_t)sizeof acked)
            _exit(4);
    }
}

START_TEST(a_killed_process_has_kept_its_word)
{
    struct acked acked = {.term = 0};
    struct rkv_prng prng;

    rkv_prng_seed(&prng, 7);
    for (int life = 0; life < 12; life++) {
        struct acked next;
        int ends[2];
        int status;

        ck_assert_int_eq(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            (void)close(ends[0]);
            write_until_killed(ends[1]);
        }
        (void)close(ends[1]);
        struct timespec pause = {
            .tv_nsec = (long)(1 + rkv_prng_below(&prng, 60)) * 1000000};
        (void)nanosleep(&pause, NULL);
        (void)kill(child, SIGKILL);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(WIFSIGNALED(status), "the child ended by itself: %d",
                      WEXITSTATUS(status));
        while (read(ends[0], &next, sizeof next) == (ssize_t)sizeof next)
            acked = next;
        (void)close(ends[0]);
        all_is_there(&acked);
    }
    ck_assert_uint_gt(acked.last, 0);
}
END_TEST

/* SQLite asks for memory of its own; it is made to fail like any other. */
static sqlite3_mem_methods real_memory;
static int requests_left = -1;

static bool may_have_memory(void)
{
    if (requests_left > 0)
        requests_left--;
    else if (requests_left == 0)
        return false;
    return true;
}

static void *scarce_alloc(int size)
{
    return may_have_memory() ? real_memory.xMalloc(size) : NULL;
}

static void *scarce_resize(void *block, int size)
{
    return may_have_memory() ? real_memory.xRealloc(block, size) : NULL;
}

/* A store with rows that spill over pages, two groups, a snapshot. */
static void leave_store(void)
{
    const struct rkv_sqlite_options options = options_for(NULL);
    struct scribe one = {.group = 1, .term = 1, .len = 900};
    struct scribe two = {.group = 2, .term = 1, .len = 30};
    rkv_store *store = NULL;

    ck_assert_int_eq(rkv_store_sqlite(&options, &store), RKV_OK);
    (void)start(store);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(scribe_write(&one, store, 25), RKV_OK);
    ck_assert_int_eq(scribe_write(&two, store, 3), RKV_OK);
    ck_assert_int_eq(scribe_snapshot(&one, store, 30, 7, 5000), RKV_OK);
    rkv_store_close(store);
}

/* Opens it, reads all, replaces a tail.  What cannot be read for want of memory
 * must not pass for damage. */
static int wake(const struct rkv_sqlite_options *options, rkv_store **store)
{
    struct scribe one = {.group = 1, .term = 2, .len = 900, .last = 44};
    struct rkv_store_identity identity = {.size = sizeof identity};
    const struct rkv_entry *entries;
    uint8_t byte;
    uint32_t count;
    size_t len;
    int rc = rkv_store_sqlite(options, store);

    if (rc == RKV_OK)
        rc = rkv_store_start(*store, &identity);
    for (uint64_t next = 24; rc == RKV_OK && next <= 100; next += count)
        rc = rkv_store_read(*store, 1, next, 40, 30000, &entries, &count);
    if (rc == RKV_OK)
        rc = rkv_store_snap_read(*store, 1, 30, 4999, &byte, 1, &len);
    if (rc == RKV_OK)
        rc = rkv_store_read(*store, 1, 44, 1, 1, &entries, &count);
    if (rc != RKV_OK)
        return rc;
    memcpy(one.chain, entries[0].chain, 32);
    return scribe_write(&one, *store, 5);
}

static void is_awake(const struct rkv_sqlite_options *options, bool written)
{
    struct scribe one = {.group = 1, .len = 900};
    rkv_store *store = NULL;

    ck_assert_int_eq(rkv_store_sqlite(options, &store), RKV_OK);
    ck_assert_uint_eq(start(store).recovering, 0);
    struct rkv_store_state state = state_of(store, 1);
    ck_assert(state.last == 49 || (state.last == 100 && !written));
    ck_assert_uint_eq(scribe_count(&one, store, 31), state.last - 30);
    ck_assert_uint_eq(state_of(store, 2).last, 3);
    rkv_store_close(store);
}

START_TEST(memory_may_run_out_when_waking)
{
    struct place kept;
    int k = 0;
    int rc;

    place_make(&kept);
    leave_store();
    place_copy(&place, &kept);
    do {
        struct base_heap heap;
        struct rkv_allocator allocator = base_allocator(&heap);
        struct rkv_sqlite_options options = options_for(NULL);
        rkv_store *store = NULL;

        place_copy(&kept, &place);
        options.allocator = &allocator;
        heap.left = k++;
        rc = wake(&options, &store);
        ck_assert_msg(rc == RKV_OK || rc == RKV_ENOMEM, "%s: %s",
                      rkv_errname(rc), rkv_store_errmsg(store));
        rkv_store_close(store);
        ck_assert_uint_eq(heap.blocks, 0);
        options.allocator = NULL;
        is_awake(&options, rc == RKV_OK);
    } while (rc != RKV_OK);
    ck_assert_int_gt(k, 20);
    place_remove(&kept);
}
END_TEST

static void wake_with_scarce_memory(void)
{
    const struct rkv_sqlite_options options = options_for(NULL);
    struct place kept;
    int rc;
    int k = 0;

    place_make(&kept);
    place_clear(&place);
    leave_store();
    place_copy(&place, &kept);
    do {
        rkv_store *store = NULL;

        place_copy(&kept, &place);
        requests_left = k;
        k += 1 + k / 100;
        rc = wake(&options, &store);
        requests_left = -1;
        ck_assert_msg(rc == RKV_OK || rc == RKV_ENOMEM, "%d: %s: %s", k,
                      rkv_errname(rc), rkv_store_errmsg(store));
        rkv_store_close(store);
        is_awake(&options, rc == RKV_OK);
    } while (rc != RKV_OK);
    ck_assert_int_gt(k, 200);
    place_remove(&kept);
}

/* In a process of its own, since SQLite's memory is chosen once. */
static void live_with_scarce_memory(void)
{
    sqlite3_mem_methods scarce;
    int rc;
    int k = 0;

    ck_assert_int_eq(sqlite3_shutdown(), SQLITE_OK);
    ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory),
                     SQLITE_OK);
    scarce = real_memory;
    scarce.xMalloc = scarce_alloc;
    scarce.xRealloc = scarce_resize;
    ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_MALLOC, &scarce), SQLITE_OK);
    ck_assert_int_eq(sqlite3_initialize(), SQLITE_OK);
    do {
        const struct rkv_sqlite_options options = options_for(NULL);
        struct scribe scribe = {.group = 1, .len = 90};
        struct acked acked = {.term = 1};
        rkv_store *store = NULL;

        place_clear(&place);
        requests_left = k;
        /* Every request at first, then ever fewer of them. */
        k += 1 + k / 40;
        rc = rkv_store_sqlite(&options, &store);
        if (rc == RKV_OK)
            rc = live(store, &scribe, &acked);
        requests_left = -1;
        ck_assert_msg(rc == RKV_OK || rc == RKV_ENOMEM, "%d: %s: %s", k,
                      rkv_errname(rc), rkv_store_errmsg(store));
        rkv_store_close(store);
        if (acked.last == 0)
            acked.term = acked.vote = 0;
        all_is_there(&acked);
    } while (rc != RKV_OK);
    ck_assert_int_gt(k, 500);
}

START_TEST(memory_may_run_out_within_sqlite)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        live_with_scarce_memory();
        wake_with_scarce_memory();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(memory_may_run_out_at_any_request)
{
    int k = 0;
    int rc;

    do {
        struct base_heap heap;
        struct rkv_allocator allocator = base_allocator(&heap);
        struct rkv_sqlite_options options = options_for(NULL);
        struct scribe scribe = {.group = 1, .len = 90};
        struct acked acked = {.term = 1};
        rkv_store *store = NULL;

        place_clear(&place);
        options.allocator = &allocator;
        heap.left = k++;
        rc = rkv_store_sqlite(&options, &store);
        if (rc == RKV_OK)
            rc = live(store, &scribe, &acked);
        ck_assert_msg(rc == RKV_OK || rc == RKV_ENOMEM, "%s: %s",
                      rkv_errname(rc), rkv_store_errmsg(store));
        rkv_store_close(store);
        ck_assert_uint_eq(heap.blocks, 0);
        ck_assert(!heap.was_lied_to);
        if (acked.last == 0)
            acked.term = acked.vote = 0;
        all_is_there(&acked);
    } while (rc != RKV_OK);
    ck_assert_int_gt(k, 10);
}
END_TEST

Suite *suite_store_crash(void)
{
    Suite *suite = suite_create("store/crash");
    TCase *disk = tcase_create("disk");
    TCase *process = tcase_create("process");

    tcase_add_checked_fixture(disk, set_up, tear_down);
    tcase_set_timeout(disk, 60);
    tcase_add_checked_fixture(process, set_up, tear_down);
    tcase_set_timeout(process, 60);
    tcase_add_test(disk, any_write_may_fail);
    tcase_add_test(disk, any_sync_may_fail);
    tcase_add_test(disk, any_open_or_cut_may_fail);
    tcase_add_test(disk, any_read_may_fail);
    tcase_add_test(disk, the_disk_may_be_full_from_any_write_on);
    tcase_add_loop_test(disk, the_power_may_go_at_any_moment, 0, 4);
    tcase_add_test(process, a_killed_process_has_kept_its_word);
    tcase_add_test(process, memory_may_run_out_at_any_request);
    tcase_add_test(process, memory_may_run_out_when_waking);
    tcase_add_test(process, memory_may_run_out_within_sqlite);
    suite_add_tcase(suite, disk);
    suite_add_tcase(suite, process);
    return suite;
}
