/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The index of watchers: each is found for its keys, once, on its side.
 */
#include <stdlib.h>

#include "kv/room.h"
#include "support.h"

Suite *suite_kv_watchindex(void);

struct found {
    bool is_told[512];
    int count;
};

static void note(void *ctx, struct rkv_watcher *watcher)
{
    struct found *found = ctx;

    ck_assert(!watcher->rides);
    /* From another seat it may be told again. */
    ck_assert(!found->is_told[watcher->id] || watcher->seats_count > 1);
    found->count += !found->is_told[watcher->id];
    found->is_told[watcher->id] = true;
}

static void note_rider(void *ctx, struct rkv_watcher *watcher)
{
    ck_assert(watcher->rides);
    watcher->rides = false;
    note(ctx, watcher);
    watcher->rides = true;
}

static uint8_t digit(uint64_t random)
{
    return (uint8_t)('0' + random % 40);
}

START_TEST(the_index_finds_each_watcher_of_a_key_once)
{
    static struct rkv_watcher *watchers[512];
    static struct rkv_span spans[512][2];
    static uint8_t keys[512][4];
    struct base_heap heap;
    struct rkv_allocator allocator = base_allocator(&heap);
    struct rkv_watch_index index;
    bool is_in[512] = {false};

    for (size_t i = 0; i < 512; i++)
        watchers[i] = calloc(1, sizeof(struct rkv_watcher) +
                                    2 * sizeof(struct rkv_watch_seat));
    rkv_watch_index_init(&index, &allocator);
    for (uint64_t i = 0; i < 6000; i++) {
        uint64_t random = rkv_mix64(i, 99), at = random % 512;
        uint8_t key = digit(random >> 20);
        struct found found = {.count = 0};
        int expected = 0;

        if (is_in[at]) {
            rkv_watch_index_remove(&index, watchers[at]);
        } else {
            uint64_t kind = (random >> 32) % 4;
            uint32_t count = 1 + (random >> 56) % 2;

            watchers[at]->id = at;
            for (uint32_t k = 0; k < count; k++) {
                uint8_t *bytes = &keys[at][2 * k];

                bytes[0] = digit(random >> (40 - 4 * k));
                bytes[1] = kind == 0 ? 0 : digit(random >> (48 - 4 * k));
                spans[at][k] =
                    rkv_span_of(bytes, 1, bytes + 1, kind == 1 ? 0 : 1);
            }
            if (count == 1)
                spans[at][1] = spans[at][0];
            if (rkv_span_is_empty(&spans[at][0]) ||
                rkv_span_is_empty(&spans[at][1]))
                continue;
            ck_assert_int_eq(
                rkv_watch_index_add(&index, watchers[at], spans[at], count),
                RKV_OK);
            /* Watchers of one key do not ride. */
            rkv_watch_index_turn(watchers[at],
                                 !watchers[at]->is_single && random % 3 == 0);
        }
        is_in[at] = !is_in[at];
        rkv_watch_index_match(&index, &key, 1, false, note, &found);
        rkv_watch_index_match(&index, &key, 1, true, note_rider, &found);
        for (size_t j = 0; j < 512; j++) {
            bool first = is_in[j] && rkv_span_holds(&spans[j][0], &key, 1);
            bool second = is_in[j] && rkv_span_holds(&spans[j][1], &key, 1);

            /* An assertion for each would take longer than all the rest. */
            if (found.is_told[j] != (first || second))
                ck_abort_msg("watcher %zu at step %u", j, (unsigned)i);
            expected += first || second;
        }
        ck_assert_int_eq(found.count, expected);
    }
    for (size_t j = 0; j < 512; j++)
        if (is_in[j])
            rkv_watch_index_remove(&index, watchers[j]);
    rkv_watch_index_free(&index);
    for (size_t j = 0; j < 512; j++)
        free(watchers[j]);
    ck_assert_uint_eq(heap.blocks, 0);
}
END_TEST

Suite *suite_kv_watchindex(void)
{
    Suite *suite = suite_create("kv watchindex");
    TCase *tcase = tcase_create("index");

    tcase_add_test(tcase, the_index_finds_each_watcher_of_a_key_once);
    suite_add_tcase(suite, tcase);
    return suite;
}
