/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Memory that runs out at every place where it can: a defined answer, no
 * leak, and after a command that was half done a store that says so.
 */
#include <stdio.h>
#include <stdlib.h>

#include "kv/room.h"
#include "support.h"

Suite *suite_kv_oom(void);

/* Everything the store can do, once; each call either works or says that
 * there is no memory, and so do all after a command that failed. */
struct story {
    struct kit kit;
    const uint8_t *snapshot;
    size_t snapshot_len;
    int failures;
    bool is_broken;
};

static void settle(struct story *story, int error)
{
    if (error < 0) {
        ck_assert_int_eq(error, story->is_broken ? RKV_EFAILED : RKV_ENOMEM);
        story->failures++;
    }
}

static void apply(struct story *story)
{
    const struct rkv_result *result = NULL;
    const void *data;
    size_t len;
    int error = rkv_txn_encode(story->kit.txn, &data, &len);

    if (error == RKV_OK) {
        error = rkv_kv_check(story->kit.kv, data, len);
        settle(story, error);
        error =
            rkv_kv_apply(story->kit.kv, ++story->kit.index, data, len, &result);
        settle(story, error);
        if (error < 0)
            story->is_broken = true;
        else
            ck_assert_int_eq(result->status, RKV_OK);
    } else {
        ck_assert_int_eq(error, RKV_ENOMEM);
        story->failures++;
    }
    rkv_txn_reset(story->kit.txn);
}

static void fill(struct story *story, int from, int to)
{
    rkv_txn *txn = story->kit.txn;
    char key[32];

    for (int i = from; i < to; i++) {
        snprintf(key, sizeof(key), "a rather long key %d", i);
        (void)add_put(txn, key, "value", RKV_PUT_PREV);
        (void)rkv_txn_begin(txn);
        (void)add_range(txn, "a", "b", 0, 0, 0);
        (void)rkv_txn_end(txn);
        (void)add_delete(txn, "x", "y", 0);
        apply(story);
    }
}

static void watch(struct story *story, const char *key, const char *end,
                  int64_t start)
{
    struct rkv_watch w = watch_of(key, end);

    w.start = start;
    settle(story, rkv_kv_watch(story->kit.kv, &w, NULL));
}

static void read_and_pull(struct story *story)
{
    struct rkv_range range = range_of("a", "z");
    const struct rkv_change_event *change;
    const struct rkv_result *result;
    int more;

    settle(story, rkv_kv_range(story->kit.kv, &range, &result));
    while ((more = rkv_kv_next_change(story->kit.kv, &change)) == 1)
        continue;
    settle(story, more);
}

static void view_and_restore(struct story *story)
{
    rkv_kv *kv = story->kit.kv;
    rkv_snapshot *snapshot = NULL;
    uint8_t chunk[100];
    size_t len;
    int error = rkv_kv_snapshot(kv, &snapshot);

    settle(story, error);
    if (error == RKV_OK)
        ck_assert_int_eq(
            rkv_snapshot_read(snapshot, chunk, sizeof(chunk), &len), RKV_OK);
    rkv_snapshot_close(snapshot);
    error = rkv_kv_restore_begin(kv);
    settle(story, error);
    if (error < 0)
        return;
    error = rkv_kv_restore_write(kv, story->snapshot, story->snapshot_len);
    settle(story, error);
    ck_assert_int_eq(rkv_kv_restore_end(kv), error);
    story->kit.index = kit_report(&story->kit).applied;
}

/* One lease of many keys, many of one, and an end to all of them. */
static void lease(struct story *story)
{
    struct rkv_put put = {.size = sizeof(put), .key_len = 2};
    char key[4] = "l0";

    (void)rkv_txn_grant(story->kit.txn, 1, 100);
    apply(story);
    for (int i = 0; i < 50 && !story->is_broken; i++) {
        key[1] = (char)('0' + i);
        put.key = key;
        put.lease = i < 40 ? 1 : 0;
        put.ttl = i < 40 ? 0 : 100;
        (void)rkv_txn_put(story->kit.txn, &put);
        apply(story);
    }
    for (int64_t clock = 0; clock < 200; clock += 100) {
        (void)rkv_txn_clock(story->kit.txn, 1, clock);
        apply(story);
    }
}

static void live(struct story *story)
{
    watch(story, "a", "b", 0);
    watch(story, "a rather long key 1", NULL, 0);
    fill(story, 0, 70);
    watch(story, "a", "c", 2);
    (void)rkv_txn_compact(story->kit.txn, 30);
    if (!story->is_broken && kit_report(&story->kit).revision >= 30)
        apply(story);
    rkv_txn_reset(story->kit.txn);
    fill(story, 50, 60);
    read_and_pull(story);
    lease(story);
    view_and_restore(story);
    fill(story, 60, 64);
    read_and_pull(story);
}

START_TEST(every_allocation_may_fail)
{
    struct story story = {.failures = 0};
    struct kit source;
    uint8_t *snapshot;
    int at = 0;

    kit_open(&source, NULL);
    for (int i = 0; i < 100; i++) {
        char key[16];

        snprintf(key, sizeof(key), "key %d", i);
        (void)kit_put(&source, key, "value");
    }
    snapshot = kit_snapshot(&source, &story.snapshot_len);
    story.snapshot = snapshot;
    do {
        story.failures = 0;
        story.is_broken = false;
        kit_open(&story.kit, NULL);
        story.kit.heap.left = at++;
        live(&story);
        story.kit.heap.left = -1;
        if (story.is_broken)
            ck_assert_int_eq(rkv_kv_skip(story.kit.kv, 1u << 30), RKV_EFAILED);
        else
            ck_assert(rkv_tree_check(&story.kit.kv->state->tree));
        kit_close(&story.kit);
    } while (story.failures > 0);
    ck_assert_int_gt(at, 30);
    free(snapshot);
    kit_close(&source);
}
END_TEST

START_TEST(one_allocation_fails_and_the_next_ones_do_not)
{
    struct story story = {.failures = 0};
    struct kit source;
    uint8_t *snapshot;

    kit_open(&source, NULL);
    (void)kit_put(&source, "key", "value");
    snapshot = kit_snapshot(&source, &story.snapshot_len);
    story.snapshot = snapshot;
    for (int at = 0; at < 60; at++) {
        story.failures = 0;
        story.is_broken = false;
        kit_open(&story.kit, NULL);
        story.kit.heap.left = at;
        watch(&story, "a", "b", 0);
        fill(&story, 0, 40);
        story.kit.heap.left = -1;
        live(&story);
        kit_close(&story.kit);
    }
    free(snapshot);
    kit_close(&source);
}
END_TEST

START_TEST(a_store_is_made_whole_or_not_at_all)
{
    struct base_heap heap;
    struct rkv_allocator allocator = base_allocator(&heap);
    struct rkv_kv_options options = {.size = sizeof(options),
                                     .allocator = &allocator};
    rkv_kv *kv = NULL;
    rkv_txn *txn = NULL;
    int error, left = 0;

    do {
        heap.left = left++;
        error = rkv_kv_new(&options, &kv);
        if (error < 0)
            ck_assert_ptr_null(kv);
        ck_assert(error == RKV_OK || heap.blocks == 0);
    } while (error == RKV_ENOMEM);
    ck_assert_int_eq(error, RKV_OK);
    rkv_kv_free(kv);
    heap.left = 0;
    ck_assert_int_eq(rkv_txn_new(&allocator, &txn), RKV_ENOMEM);
    ck_assert_uint_eq(heap.blocks, 0);
}
END_TEST

START_TEST(want_of_memory_for_the_queue_makes_a_watch_slow_not_deaf)
{
    struct rkv_watch w = watch_of("a", NULL);
    const struct rkv_change_event *change;
    struct kit kit;

    kit_open(&kit, NULL);
    (void)kit_put(&kit, "b", "1"); /* memory for what follows */
    ck_assert_int_eq(rkv_kv_watch(kit.kv, &w, NULL), RKV_OK);
    kit.heap.left = 0;
    (void)kit_put(&kit, "a", "1");
    kit.heap.left = -1;
    (void)kit_put(&kit, "a", "2");
    for (int64_t revision = 3; revision <= 4; revision++) {
        ck_assert_int_eq(rkv_kv_next_change(kit.kv, &change), 1);
        ck_assert_int_eq(change->revision, revision);
    }
    ck_assert_int_eq(rkv_kv_next_change(kit.kv, &change), 0);
    kit_close(&kit);
}
END_TEST

Suite *suite_kv_oom(void)
{
    Suite *suite = suite_create("kv oom");
    TCase *tcase = tcase_create("out of memory");

    tcase_add_test(tcase, every_allocation_may_fail);
    tcase_add_test(tcase, one_allocation_fails_and_the_next_ones_do_not);
    tcase_add_test(tcase, a_store_is_made_whole_or_not_at_all);
    tcase_add_test(tcase,
                   want_of_memory_for_the_queue_makes_a_watch_slow_not_deaf);
    suite_add_tcase(suite, tcase);
    return suite;
}
