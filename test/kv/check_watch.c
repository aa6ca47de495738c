/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Watches: who is told what, in which order, from where on, and when one is
 * told that it came too late.
 */
#include <stdio.h>
#include <string.h>

#include "kv/room.h"
#include "support.h"

Suite *suite_kv_watch(void);

static struct kit kit;

static void open_kit(void)
{
    kit_open(&kit, NULL);
}

static void close_kit(void)
{
    kit_close(&kit);
}

static uint64_t watch(const char *key, const char *end, int64_t start,
                      uint32_t flags)
{
    struct rkv_watch w = watch_of(key, end);
    uint64_t id = 0;

    w.flags = flags;
    w.start = start;
    ck_assert_int_eq(rkv_kv_watch(kit.kv, &w, &id), RKV_OK);
    return id;
}

/* All that is to be told: "id:revision+key=value" for a put, "-key" for a
 * deletion, "!compacted" for the end; "." behind the last of a revision. */
static const char *pull(void)
{
    static char all[1024];
    const struct rkv_change_event *change;
    size_t len = 0;

    all[0] = 0;
    while (rkv_kv_next_change(kit.kv, &change) == 1) {
        const struct rkv_item *now = &change->now;
        const char *blank = len > 0 ? " " : "";

        if (change->kind == RKV_CHANGE_CANCELED)
            len +=
                (size_t)snprintf(all + len, sizeof(all) - len, "%s%d!%d", blank,
                                 (int)change->watch, (int)change->compacted);
        else
            len += (size_t)snprintf(
                all + len, sizeof(all) - len, "%s%d:%d%s%.*s%s%.*s%s", blank,
                (int)change->watch, (int)change->revision,
                change->kind == RKV_CHANGE_PUT ? "+" : "-", (int)now->key_len,
                (const char *)now->key,
                change->kind == RKV_CHANGE_PUT ? "=" : "", (int)now->value_len,
                (const char *)now->value, change->last ? "." : "");
    }
    return all;
}

START_TEST(a_watch_is_told_of_what_comes)
{
    (void)kit_put(&kit, "a", "0");
    ck_assert_uint_eq(watch("a", NULL, 0, 0), 1);
    ck_assert_str_eq(pull(), "");
    (void)kit_put(&kit, "a", "1");
    (void)kit_put(&kit, "b", "1");
    (void)kit_delete(&kit, "a", NULL);
    ck_assert_str_eq(pull(), "1:3+a=1. 1:5-a.");
    ck_assert_str_eq(pull(), "");
}
END_TEST

START_TEST(a_range_is_told_of_all_its_keys)
{
    (void)watch("b", "d", 0, 0);
    (void)watch("c", "@", 0, 0);
    (void)kit_put(&kit, "a", "1");
    (void)kit_put(&kit, "b", "2");
    (void)kit_put(&kit, "c", "3");
    (void)kit_put(&kit, "d", "4");
    ck_assert_str_eq(pull(), "1:3+b=2. 1:4+c=3. 2:4+c=3. 2:5+d=4.");
}
END_TEST

START_TEST(a_watch_can_start_in_the_past)
{
    for (int i = 0; i < 2; i++) {
        (void)kit_put(&kit, "a", "1");
        (void)kit_put(&kit, "b", "1");
        (void)kit_delete(&kit, "a", "c");
    }
    (void)watch("a", NULL, 3, 0);
    ck_assert_str_eq(pull(), "1:4-a. 1:5+a=1. 1:7-a.");
    (void)watch("a", "c", 3, 0);
    ck_assert_str_eq(pull(), "2:3+b=1. 2:4-a 2:4-b. 2:5+a=1. 2:6+b=1. "
                             "2:7-a 2:7-b.");
    (void)kit_put(&kit, "a", "2");
    ck_assert_str_eq(pull(), "1:8+a=2. 2:8+a=2.");
}
END_TEST

START_TEST(past_and_present_meet_without_a_gap)
{
    (void)kit_put(&kit, "a", "1");
    (void)watch("a", NULL, 1, 0);
    (void)watch("a", "b", 1, 0);
    (void)kit_put(&kit, "a", "2");
    ck_assert_str_eq(pull(), "1:2+a=1. 2:2+a=1. 1:3+a=2. 2:3+a=2.");
    (void)kit_put(&kit, "a", "3");
    ck_assert_str_eq(pull(), "1:4+a=3. 2:4+a=3.");
}
END_TEST

START_TEST(a_watch_can_start_in_the_future)
{
    (void)watch("a", NULL, 4, 0);
    (void)kit_put(&kit, "a", "1");
    (void)kit_put(&kit, "a", "2");
    ck_assert_str_eq(pull(), "");
    (void)kit_put(&kit, "a", "3");
    ck_assert_str_eq(pull(), "1:4+a=3.");
}
END_TEST

START_TEST(a_revision_is_told_in_one_piece)
{
    (void)watch("a", "c", 0, 0);
    (void)watch("c", "e", 0, 0);
    for (int i = 0; i < 2; i++) {
        (void)add_put(kit.txn, "c", "1", 0);
        (void)add_put(kit.txn, "b", "2", 0);
        (void)add_put(kit.txn, "x", "3", 0);
        (void)add_put(kit.txn, "a", "4", 0);
        (void)add_put(kit.txn, "d", "5", 0);
        ck_assert_int_eq(kit_status(&kit), RKV_OK);
    }
    ck_assert_str_eq(pull(), "2:2+c=1 1:2+b=2 1:2+a=4. 2:2+d=5. "
                             "2:3+c=1 1:3+b=2 1:3+a=4. 2:3+d=5.");
}
END_TEST

START_TEST(filters_leave_out_puts_or_deletions)
{
    (void)kit_put(&kit, "a", "1");
    (void)kit_delete(&kit, "a", NULL);
    (void)watch("a", NULL, 2, RKV_WATCH_NO_PUT);
    (void)watch("a", NULL, 2, RKV_WATCH_NO_DELETE);
    (void)watch("a", "b", 2, RKV_WATCH_NO_DELETE);
    (void)watch("a", NULL, 2, RKV_WATCH_NO_DELETE | RKV_WATCH_NO_PUT);
    ck_assert_str_eq(pull(), "1:3-a. 3:2+a=1. 2:2+a=1.");
    (void)kit_put(&kit, "a", "2");
    (void)kit_delete(&kit, "a", NULL);
    ck_assert_str_eq(pull(), "2:4+a=2. 3:4+a=2. 1:5-a.");
    /* The last of a revision is the last that is wanted. */
    (void)kit_put(&kit, "b", "2");
    (void)watch("a", "c", 7, RKV_WATCH_NO_DELETE);
    (void)add_put(kit.txn, "a", "3", 0);
    (void)add_delete(kit.txn, "b", NULL, 0);
    (void)kit_apply(&kit);
    ck_assert_str_eq(pull(), "2:7+a=3. 3:7+a=3. 5:7+a=3.");
}
END_TEST

/* The version that the next change shows of before; 0: none. */
static int64_t before(void)
{
    const struct rkv_change_event *change;

    ck_assert_int_eq(rkv_kv_next_change(kit.kv, &change), 1);
    return change->before.version;
}

START_TEST(the_item_before_is_shown_if_asked_and_still_there)
{
    (void)watch("a", NULL, 0, RKV_WATCH_PREV);
    (void)kit_put(&kit, "a", "1");
    (void)kit_put(&kit, "a", "2");
    (void)kit_delete(&kit, "a", NULL);
    (void)kit_put(&kit, "a", "3");
    ck_assert_int_eq(before(), 0);
    ck_assert_int_eq(before(), 1);
    ck_assert_int_eq(before(), 2);
    ck_assert_int_eq(before(), 0);
    (void)watch("a", NULL, 3, 0);
    ck_assert_int_eq(before(), 0); /* not asked */
    ck_assert_int_eq(kit_compact(&kit, 3), RKV_OK);
    (void)watch("a", NULL, 3, RKV_WATCH_PREV);
    (void)rkv_kv_unwatch(kit.kv, 2);
    ck_assert_int_eq(before(), 0); /* compacted */
    ck_assert_int_eq(before(), 2);
}
END_TEST

START_TEST(a_change_shows_the_whole_item)
{
    const struct rkv_change_event *change;

    (void)kit_put(&kit, "a", "1");
    (void)watch("a", NULL, 0, RKV_WATCH_PREV);
    (void)kit_put(&kit, "a", "2");
    (void)kit_delete(&kit, "a", NULL);
    ck_assert_int_eq(rkv_kv_next_change(kit.kv, &change), 1);
    assert_item(&change->now, "a", "2", 2, 3, 2);
    assert_item(&change->before, "a", "1", 2, 2, 1);
    ck_assert_int_eq(rkv_kv_next_change(kit.kv, &change), 1);
    assert_item(&change->now, "a", "", 0, 4, 0);
    assert_item(&change->before, "a", "2", 2, 3, 2);
    ck_assert_int_eq(rkv_kv_next_change(kit.kv, &change), 0);
}
END_TEST

START_TEST(a_watch_that_comes_too_late_is_told_so_once)
{
    for (int i = 0; i < 5; i++)
        (void)kit_put(&kit, "a", "1");
    ck_assert_int_eq(kit_compact(&kit, 4), RKV_OK);
    (void)watch("a", NULL, 3, 0);
    (void)watch("a", NULL, 4, 0);
    ck_assert_str_eq(pull(), "1!4 2:4+a=1. 2:5+a=1. 2:6+a=1.");
    ck_assert_int_eq(rkv_kv_unwatch(kit.kv, 1), RKV_ENOTFOUND);
    ck_assert_uint_eq(kit_report(&kit).watches, 1);
}
END_TEST

START_TEST(a_deletion_at_the_compacted_revision_is_told)
{
    (void)kit_put(&kit, "a", "1");
    (void)kit_delete(&kit, "a", NULL);
    (void)kit_put(&kit, "b", "1");
    ck_assert_int_eq(kit_compact(&kit, 3), RKV_OK);
    kit_settle(&kit);
    (void)watch("a", "z", 3, 0);
    ck_assert_str_eq(pull(), "1:3-a. 1:4+b=1.");
}
END_TEST

START_TEST(what_was_told_in_time_survives_compaction)
{
    (void)watch("a", NULL, 0, RKV_WATCH_PREV);
    (void)kit_put(&kit, "a", "1");
    (void)kit_put(&kit, "a", "2");
    (void)kit_delete(&kit, "a", NULL);
    (void)kit_put(&kit, "b", "2");
    ck_assert_int_eq(kit_compact(&kit, 5), RKV_OK);
    kit_settle(&kit);
    ck_assert_str_eq(pull(), "1:2+a=1. 1:3+a=2. 1:4-a.");
}
END_TEST

START_TEST(a_slow_watch_reads_history_and_misses_nothing)
{
    struct rkv_kv_options options = {
        .size = sizeof(options),
        .watch_bytes_max = 100,
    };
    char expected[1024];
    size_t len = 0;

    kit_close(&kit);
    kit_open(&kit, &options);
    (void)watch("a", NULL, 0, 0);
    for (int i = 0; i < 40; i++) {
        (void)kit_put(&kit, "a", "v");
        len += (size_t)snprintf(expected + len, sizeof(expected) - len,
                                "%s1:%d+a=v.", i > 0 ? " " : "", i + 2);
    }
    ck_assert_uint_le(kit.kv->watches.queue_bytes, 100);
    ck_assert_str_eq(pull(), expected);
    (void)kit_put(&kit, "a", "w");
    ck_assert_str_eq(pull(), "1:42+a=w.");
}
END_TEST

static int drain(void)
{
    const struct rkv_change_event *change;
    int count = 0;

    while (rkv_kv_next_change(kit.kv, &change) == 1)
        count++;
    return count;
}

START_TEST(memory_for_a_flood_of_changes_is_not_kept)
{
    size_t bytes;

    for (int i = 0; i < 50; i++)
        (void)watch("a", "b", 0, 0);
    (void)kit_put(&kit, "a", "1");
    ck_assert_int_eq(drain(), 50);
    bytes = kit.heap.bytes;
    for (int i = 0; i < 2000; i++)
        (void)kit_put(&kit, "a", "1");
    ck_assert_uint_gt(kit.heap.bytes,
                      bytes + 100000 * sizeof(struct rkv_notice));
    ck_assert_int_eq(drain(), 100000);
    ck_assert_uint_lt(kit.heap.bytes,
                      bytes + 50000 * sizeof(struct rkv_notice));
    (void)kit_put(&kit, "a", "2");
    ck_assert_int_eq(drain(), 50);
}
END_TEST

START_TEST(a_slow_watch_is_cancelled_by_a_compaction_it_did_not_wait_for)
{
    struct rkv_kv_options options = {
        .size = sizeof(options),
        .watch_bytes_max = 1,
    };

    kit_close(&kit);
    kit_open(&kit, &options);
    (void)watch("a", NULL, 0, 0);
    (void)watch("a", "b", 0, 0);
    (void)kit_put(&kit, "a", "1");
    (void)kit_put(&kit, "a", "2");
    ck_assert_int_eq(kit_compact(&kit, 3), RKV_OK);
    ck_assert_str_eq(pull(), "2!3 1!3");
}
END_TEST

START_TEST(a_revision_cut_by_the_limit_is_told_in_one_piece_still)
{
    struct rkv_kv_options options = {.size = sizeof(options)};

    for (uint64_t bytes = 1; bytes < 400; bytes += 10) {
        options.watch_bytes_max = bytes;
        kit_close(&kit);
        kit_open(&kit, &options);
        (void)watch("a", "z", 0, 0);
        for (int i = 0; i < 2; i++) {
            (void)add_put(kit.txn, "a", "1", 0);
            (void)add_put(kit.txn, "b", "2", 0);
            (void)add_put(kit.txn, "c", "3", 0);
            (void)kit_apply(&kit);
        }
        ck_assert_str_eq(pull(), "1:2+a=1 1:2+b=2 1:2+c=3. "
                                 "1:3+a=1 1:3+b=2 1:3+c=3.");
    }
}
END_TEST

START_TEST(who_stops_watching_is_told_nothing_more)
{
    uint64_t id = watch("a", NULL, 0, 0);

    (void)watch("a", NULL, 0, 0);
    (void)kit_put(&kit, "a", "1");
    ck_assert_int_eq(rkv_kv_unwatch(kit.kv, id), RKV_OK);
    ck_assert_int_eq(rkv_kv_unwatch(kit.kv, id), RKV_ENOTFOUND);
    (void)kit_put(&kit, "a", "2");
    ck_assert_str_eq(pull(), "2:2+a=1. 2:3+a=2.");
}
END_TEST

START_TEST(ids_are_chosen_by_either_side)
{
    struct rkv_watch w = watch_of("a", NULL);
    uint64_t id;

    w.id = 2;
    ck_assert_int_eq(rkv_kv_watch(kit.kv, &w, &id), RKV_OK);
    ck_assert_uint_eq(id, 2);
    ck_assert_int_eq(rkv_kv_watch(kit.kv, &w, &id), RKV_EEXIST);
    ck_assert_uint_eq(watch("a", NULL, 0, 0), 1);
    ck_assert_uint_eq(watch("a", NULL, 0, 0), 3);
}
END_TEST

/* A key that lies in two of them comes once; what came before is read in the
 * same way as what comes. */
START_TEST(a_watch_may_have_several_ranges)
{
    struct rkv_watch_range more[] = {{"m", 1, "p", 1}, {"c", 1, "n", 1}};
    struct rkv_watch w = watch_of("x", NULL);

    w.more = more;
    w.more_count = 2;
    (void)kit_put(&kit, "n", "0");
    for (int i = 0; i < 2; i++) {
        w.start = i == 0 ? 0 : 3;
        ck_assert_int_eq(rkv_kv_watch(kit.kv, &w, NULL), RKV_OK);
        if (i == 0) {
            (void)add_put(kit.txn, "a", "1", 0);
            (void)add_put(kit.txn, "m", "2", 0);
            (void)add_put(kit.txn, "x", "3", 0);
            (void)add_put(kit.txn, "y", "4", 0);
            (void)kit_apply(&kit);
            (void)kit_delete(&kit, "a", "@");
            ck_assert_str_eq(pull(), "1:3+m=2 1:3+x=3. 1:4-m 1:4-n 1:4-x.");
        } else {
            ck_assert_str_eq(pull(), "2:3+m=2 2:3+x=3. 2:4-m 2:4-n 2:4-x.");
        }
    }
    ck_assert_int_eq(rkv_kv_unwatch(kit.kv, 1), RKV_OK);
    (void)kit_put(&kit, "n", "5");
    ck_assert_str_eq(pull(), "2:5+n=5.");
}
END_TEST

/* The same key twice is one key, which has a short way of its own. */
START_TEST(a_range_may_be_said_twice)
{
    struct rkv_watch_range more[] = {{"a", 1, NULL, 0}};
    struct rkv_watch w = watch_of("a", NULL);

    w.more = more;
    w.more_count = 1;
    (void)kit_put(&kit, "a", "1");
    w.start = 1;
    ck_assert_int_eq(rkv_kv_watch(kit.kv, &w, NULL), RKV_OK);
    (void)kit_put(&kit, "a", "2");
    ck_assert_str_eq(pull(), "1:2+a=1. 1:3+a=2.");
}
END_TEST

START_TEST(each_range_must_be_one)
{
    struct rkv_watch_range more[RKV_WATCH_RANGES_MAX];
    struct rkv_watch w = watch_of("a", NULL);

    for (int i = 0; i < RKV_WATCH_RANGES_MAX; i++)
        more[i] = (struct rkv_watch_range){"b", 1, "c", 1};
    w.more_count = 1;
    ck_assert_int_eq(rkv_kv_watch(kit.kv, &w, NULL), RKV_EINVAL);
    w.more = more;
    w.more_count = RKV_WATCH_RANGES_MAX;
    ck_assert_int_eq(rkv_kv_watch(kit.kv, &w, NULL), RKV_ETOOMANY);
    w.more_count--;
    more[62].key_len = 0;
    ck_assert_int_eq(rkv_kv_watch(kit.kv, &w, NULL), RKV_EKEY);
    more[62] = (struct rkv_watch_range){"b", 1, "b", 1};
    ck_assert_int_eq(rkv_kv_watch(kit.kv, &w, NULL), RKV_EINVAL);
    more[62] = (struct rkv_watch_range){"b", 1, "d", 1};
    ck_assert_int_eq(rkv_kv_watch(kit.kv, &w, NULL), RKV_OK);
}
END_TEST

START_TEST(keys_alone_come_without_values)
{
    const struct rkv_change_event *change;

    (void)kit_put(&kit, "a", "1");
    (void)watch("a", NULL, 2, RKV_WATCH_KEYS_ONLY | RKV_WATCH_PREV);
    (void)kit_put(&kit, "a", "2");
    ck_assert_int_eq(rkv_kv_next_change(kit.kv, &change), 1);
    ck_assert_int_eq(rkv_kv_next_change(kit.kv, &change), 1);
    assert_item(&change->now, "a", "", 2, 3, 2);
    assert_item(&change->before, "a", "", 2, 2, 1);
}
END_TEST

START_TEST(progress_is_what_has_been_told)
{
    const struct rkv_change_event *change;
    uint64_t early = watch("a", NULL, 0, 0), late;
    int64_t revision;

    (void)kit_put(&kit, "b", "1");
    ck_assert_int_eq(rkv_kv_progress(kit.kv, early, &revision), RKV_OK);
    ck_assert_int_eq(revision, 2);
    late = watch("b", "c", 1, 0);
    ck_assert_int_eq(rkv_kv_progress(kit.kv, late, &revision), RKV_EBUSY);
    ck_assert_int_eq(rkv_kv_progress(kit.kv, 0, &revision), RKV_EBUSY);
    ck_assert_int_eq(rkv_kv_progress(kit.kv, early, &revision), RKV_OK);
    ck_assert_int_eq(rkv_kv_next_change(kit.kv, &change), 1);
    ck_assert_int_eq(rkv_kv_next_change(kit.kv, &change), 0);
    ck_assert_int_eq(rkv_kv_progress(kit.kv, 0, &revision), RKV_OK);
    (void)kit_put(&kit, "a", "1");
    ck_assert_int_eq(rkv_kv_progress(kit.kv, early, &revision), RKV_EBUSY);
    ck_assert_int_eq(rkv_kv_progress(kit.kv, late, &revision), RKV_OK);
    ck_assert_int_eq(revision, 3);
    ck_assert_int_eq(rkv_kv_progress(kit.kv, 9, &revision), RKV_ENOTFOUND);
    ck_assert_int_eq(rkv_kv_next_change(kit.kv, &change), 1);
    ck_assert_int_eq(rkv_kv_progress(kit.kv, early, &revision), RKV_OK);
}
END_TEST

START_TEST(what_cannot_be_watched_is_refused)
{
    struct rkv_kv_options options = {.size = sizeof(options), .watches_max = 1};
    struct rkv_watch w = watch_of("b", "a");

    kit_close(&kit);
    kit_open(&kit, &options);
    ck_assert_int_eq(rkv_kv_watch(kit.kv, &w, NULL), RKV_EINVAL);
    w = watch_of("", NULL);
    ck_assert_int_eq(rkv_kv_watch(kit.kv, &w, NULL), RKV_EKEY);
    w = watch_of("a", NULL);
    w.end_len = 1;
    ck_assert_int_eq(rkv_kv_watch(kit.kv, &w, NULL), RKV_EINVAL);
    w = watch_of("a", NULL);
    w.key = NULL;
    ck_assert_int_eq(rkv_kv_watch(kit.kv, &w, NULL), RKV_EINVAL);
    w = watch_of("a", NULL);
    w.flags = 16;
    ck_assert_int_eq(rkv_kv_watch(kit.kv, &w, NULL), RKV_EINVAL);
    w.flags = 0;
    ck_assert_int_eq(rkv_kv_watch(kit.kv, &w, NULL), RKV_OK);
    ck_assert_int_eq(rkv_kv_watch(kit.kv, &w, NULL), RKV_EBUSY);
}
END_TEST

START_TEST(ten_thousand_strangers_do_not_slow_a_put)
{
    char key[32];

    for (int i = 0; i < 10000; i++) {
        snprintf(key, sizeof(key), "w%08d", i);
        (void)watch(key, i % 2 == 0 ? NULL : "x", 0, 0);
    }
    /* Minutes, if each were asked. */
    for (int i = 0; i < 200000; i++)
        (void)kit_put(&kit, "a", "1");
    ck_assert_str_eq(pull(), "");
}
END_TEST

Suite *suite_kv_watch(void)
{
    Suite *suite = suite_create("kv watch");
    TCase *tcase = tcase_create("watch");

    tcase_add_checked_fixture(tcase, open_kit, close_kit);
    tcase_add_test(tcase, a_watch_is_told_of_what_comes);
    tcase_add_test(tcase, a_range_is_told_of_all_its_keys);
    tcase_add_test(tcase, a_watch_can_start_in_the_past);
    tcase_add_test(tcase, past_and_present_meet_without_a_gap);
    tcase_add_test(tcase, a_watch_can_start_in_the_future);
    tcase_add_test(tcase, a_revision_is_told_in_one_piece);
    tcase_add_test(tcase, filters_leave_out_puts_or_deletions);
    tcase_add_test(tcase, the_item_before_is_shown_if_asked_and_still_there);
    tcase_add_test(tcase, a_change_shows_the_whole_item);
    tcase_add_test(tcase, a_watch_that_comes_too_late_is_told_so_once);
    tcase_add_test(tcase, a_deletion_at_the_compacted_revision_is_told);
    tcase_add_test(tcase, what_was_told_in_time_survives_compaction);
    tcase_add_test(tcase, memory_for_a_flood_of_changes_is_not_kept);
    tcase_add_test(tcase, a_slow_watch_reads_history_and_misses_nothing);
    tcase_add_test(
        tcase, a_slow_watch_is_cancelled_by_a_compaction_it_did_not_wait_for);
    tcase_add_test(tcase,
                   a_revision_cut_by_the_limit_is_told_in_one_piece_still);
    tcase_add_test(tcase, who_stops_watching_is_told_nothing_more);
    tcase_add_test(tcase, ids_are_chosen_by_either_side);
    tcase_add_test(tcase, a_watch_may_have_several_ranges);
    tcase_add_test(tcase, a_range_may_be_said_twice);
    tcase_add_test(tcase, each_range_must_be_one);
    tcase_add_test(tcase, keys_alone_come_without_values);
    tcase_add_test(tcase, progress_is_what_has_been_told);
    tcase_add_test(tcase, what_cannot_be_watched_is_refused);
    tcase_add_test(tcase, ten_thousand_strangers_do_not_slow_a_put);
    suite_add_tcase(suite, tcase);
    return suite;
}
