/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the store tells a watch is believed, and every lie about it is seen.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "kv/support.h"
#include "watcher.h"

Suite *suite_oracle_watcher(void);

enum { EVENTS_MAX = 16, WATCH = 7 };

static struct kit kit;
static struct twin twin;
static struct verdict verdict;
static struct watcher watcher;
/* What the store told. */
static struct rkv_change_event events[EVENTS_MAX];
static int events_count;

static void step(void)
{
    const struct rkv_result *result;
    const void *data;
    size_t len;
    void *copy;

    ck_assert_int_eq(rkv_txn_encode(kit.txn, &data, &len), RKV_OK);
    copy = malloc(len);
    memcpy(copy, data, len);
    result = kit_apply(&kit);
    twin_applied(&twin, kit.index, copy, len, result, 0);
    free(copy);
}

static void put(const char *key, const char *value)
{
    (void)add_put(kit.txn, key, value, 0);
    step();
}

static void open_watch(uint32_t flags, int64_t start)
{
    struct rkv_watch watch = watch_of("a", "n");
    const struct span span = {{(const uint8_t *)"a", 1},
                              {(const uint8_t *)"n", 1}};

    watch.id = WATCH;
    watch.flags = flags;
    watcher_begin(&watcher, &twin, &verdict, &span, 1, flags, start);
    watch.start = watcher_open(&watcher);
    ck_assert_int_eq(rkv_kv_watch(kit.kv, &watch, NULL), RKV_OK);
}

static int64_t compacted(void)
{
    return kit_report(&kit).compacted;
}

/* Copies, since they last for one call alone; the bytes they point to are the
 * twin's. */
static void keep(const struct rkv_change_event *event)
{
    const struct text name = {event->now.key, event->now.key_len};
    const struct twin_key *key = twin_find(&twin, name);
    const struct twin_version *version = twin_at(key, event->revision);
    struct rkv_change_event *copy = &events[events_count++];

    *copy = *event;
    copy->now.key = key->name.bytes;
    copy->now.value = version->value.bytes;
    if (event->before.version > 0)
        copy->before.value = twin_at(key, event->revision - 1)->value.bytes;
}

static void pull(void)
{
    const struct rkv_change_event *event;

    events_count = 0;
    while (rkv_kv_next_change(kit.kv, &event) > 0)
        keep(event);
}

static void tell(int from, int to)
{
    for (int i = from; i < to; i++)
        watcher_told(&watcher, &events[i], compacted());
}

/* Six changes of interest in five revisions; two others, one of them beside
 * one of interest. */
static void write_scene(void)
{
    put("b", "one");
    put("x", "not watched");
    (void)add_put(kit.txn, "c", "two", 0);
    (void)add_put(kit.txn, "d", "three", 0);
    (void)add_put(kit.txn, "y", "not watched", 0);
    step();
    put("b", "four");
    (void)add_delete(kit.txn, "c", NULL, 0);
    step();
    put("c", "five");
}

static void set_up(void)
{
    memset(&verdict, 0, sizeof verdict);
    kit_open(&kit, NULL);
    twin_init(&twin, 0, &verdict);
    put("b", "before");
    open_watch(RKV_WATCH_PREV, 3);
    write_scene();
    pull();
    ck_assert_int_eq(events_count, 6);
}

static void tear_down(void)
{
    twin_free(&twin);
    kit_close(&kit);
}

START_TEST(the_truth_is_believed)
{
    int64_t revision;

    tell(0, events_count);
    ck_assert_int_eq(rkv_kv_progress(kit.kv, WATCH, &revision), RKV_OK);
    watcher_progress(&watcher, revision);
    ck_assert_msg(verdict.broken == NULL, "%s: %s", verdict.broken,
                  verdict.detail);
    ck_assert_int_eq(watcher.told, 8);
}
END_TEST

/* It begins in the future: what comes before is nothing to it. */
START_TEST(a_stream_from_the_future_is_believed)
{
    int64_t revision;

    (void)rkv_kv_unwatch(kit.kv, WATCH);
    open_watch(0, 10);
    put("b", "too early");
    put("b", "in time");
    pull();
    ck_assert_int_eq(events_count, 1);
    tell(0, 1);
    ck_assert_int_eq(rkv_kv_progress(kit.kv, WATCH, &revision), RKV_OK);
    watcher_progress(&watcher, revision);
    ck_assert_msg(verdict.broken == NULL, "%s: %s", verdict.broken,
                  verdict.detail);
    ck_assert_int_eq(watcher.told, 10);
}
END_TEST

/* Cut off anywhere, it goes on elsewhere: a revision told in part comes
 * again. */
START_TEST(a_stream_that_is_resumed_is_believed)
{
    struct rkv_watch watch = watch_of("a", "n");
    int64_t revision;

    tell(0, _i);
    watcher_close(&watcher);
    (void)rkv_kv_unwatch(kit.kv, WATCH);
    watch.flags = RKV_WATCH_PREV;
    watch.start = watcher_open(&watcher);
    ck_assert_int_eq(rkv_kv_watch(kit.kv, &watch, NULL), RKV_OK);
    pull();
    tell(0, events_count);
    ck_assert_int_eq(rkv_kv_progress(kit.kv, 0, &revision), RKV_OK);
    watcher_progress(&watcher, revision);
    ck_assert_msg(verdict.broken == NULL, "%s: %s", verdict.broken,
                  verdict.detail);
    ck_assert_int_eq(watcher.told, 8);
}
END_TEST

START_TEST(an_event_left_out_is_seen)
{
    int64_t revision = twin.revision;

    tell(0, _i);
    tell(_i + 1, events_count);
    watcher_progress(&watcher, revision);
    ck_assert_ptr_nonnull(verdict.broken);
}
END_TEST

START_TEST(an_event_that_comes_again_is_seen)
{
    tell(0, _i + 1);
    ck_assert_ptr_null(verdict.broken);
    tell(_i, _i + 1);
    ck_assert_ptr_nonnull(verdict.broken);
}
END_TEST

START_TEST(events_in_another_order_are_seen)
{
    struct rkv_change_event held = events[_i];

    events[_i] = events[_i + 1];
    events[_i + 1] = held;
    tell(0, events_count);
    ck_assert_ptr_nonnull(verdict.broken);
}
END_TEST

static void spoil(struct rkv_change_event *event, int how)
{
    switch (how) {
    case 0:
        event->revision++;
        break;
    case 1:
        event->kind = RKV_CHANGE_DELETE;
        break;
    case 2:
        event->now.value = "stale";
        event->now.value_len = 5;
        break;
    case 3:
        event->now.version++;
        break;
    case 4:
        event->last = !event->last;
        break;
    case 5:
        event->before.version = 0;
        break;
    case 6:
        event->before.value = "odd";
        event->before.value_len = 3;
        break;
    case 7:
        event->now.key = "q";
        break;
    case 8:
        event->now.create_revision++;
        break;
    default:
        event->now.lease = 5;
    }
}

START_TEST(an_event_that_says_something_else_is_seen)
{
    /* The second put of b: it replaced another. */
    spoil(&events[3], _i);
    tell(0, 3);
    ck_assert_ptr_null(verdict.broken);
    tell(3, 4);
    ck_assert_ptr_nonnull(verdict.broken);
}
END_TEST

START_TEST(progress_that_runs_ahead_is_seen)
{
    tell(0, 2);
    watcher_progress(&watcher, 5);
    ck_assert_ptr_nonnull(verdict.broken);
}
END_TEST

START_TEST(progress_within_a_revision_is_seen)
{
    tell(0, 2);
    watcher_progress(&watcher, 4);
    ck_assert_ptr_nonnull(verdict.broken);
}
END_TEST

START_TEST(an_event_from_the_future_is_seen)
{
    struct rkv_change_event event = events[5];

    tell(0, events_count);
    event.revision = 9;
    watcher_told(&watcher, &event, compacted());
    ck_assert_ptr_nonnull(verdict.broken);
}
END_TEST

START_TEST(an_event_of_nobody_is_seen)
{
    watcher_close(&watcher);
    tell(0, 1);
    ck_assert_ptr_nonnull(verdict.broken);
}
END_TEST

static void cancel(int64_t at)
{
    const struct rkv_change_event event = {
        .watch = WATCH, .kind = RKV_CHANGE_CANCELED, .compacted = at};

    watcher_told(&watcher, &event, compacted());
}

START_TEST(an_end_that_is_due_is_believed)
{
    tell(0, 1);
    (void)rkv_txn_compact(kit.txn, 6);
    step();
    cancel(6);
    ck_assert_ptr_null(verdict.broken);
    ck_assert(!watcher.is_open);
}
END_TEST

START_TEST(an_end_without_need_is_seen)
{
    tell(0, 4);
    (void)rkv_txn_compact(kit.txn, 6);
    step();
    cancel(6 + _i);
    ck_assert_ptr_nonnull(verdict.broken);
}
END_TEST

/* A deletion just at the compacted revision is still told. */
START_TEST(a_deletion_lost_to_compaction_is_seen)
{
    tell(0, 4);
    (void)rkv_txn_compact(kit.txn, 7);
    step();
    events[4] = events[5];
    tell(4, 5);
    ck_assert_ptr_nonnull(verdict.broken);
}
END_TEST

Suite *suite_oracle_watcher(void)
{
    Suite *suite = suite_create("oracle watcher");
    TCase *tcase = tcase_create("watcher");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, the_truth_is_believed);
    tcase_add_test(tcase, a_stream_from_the_future_is_believed);
    tcase_add_loop_test(tcase, a_stream_that_is_resumed_is_believed, 0, 7);
    tcase_add_loop_test(tcase, an_event_left_out_is_seen, 0, 6);
    tcase_add_loop_test(tcase, an_event_that_comes_again_is_seen, 0, 6);
    tcase_add_loop_test(tcase, events_in_another_order_are_seen, 0, 5);
    tcase_add_loop_test(tcase, an_event_that_says_something_else_is_seen, 0,
                        10);
    tcase_add_test(tcase, progress_that_runs_ahead_is_seen);
    tcase_add_test(tcase, progress_within_a_revision_is_seen);
    tcase_add_test(tcase, an_event_from_the_future_is_seen);
    tcase_add_test(tcase, an_event_of_nobody_is_seen);
    tcase_add_test(tcase, an_end_that_is_due_is_believed);
    tcase_add_loop_test(tcase, an_end_without_need_is_seen, 0, 2);
    tcase_add_test(tcase, a_deletion_lost_to_compaction_is_seen);
    suite_add_tcase(suite, tcase);
    return suite;
}
