/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The tail, against a plain array of what should be in it.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "base/support.h"
#include "support.h"

Suite *suite_store_tail(void);

enum { LOG_MAX = 4000 };

/* Terms and lengths by index; bytes follow from both. */
struct mirror {
    uint64_t base;
    uint64_t last;
    uint64_t term[LOG_MAX + 1];
    uint32_t len[LOG_MAX + 1];
    uint8_t chain[LOG_MAX + 1][32];
};
static struct mirror mirror;
static uint8_t bytes[100000];

static const uint8_t *payload(uint64_t index, uint64_t term, uint32_t len)
{
    struct rkv_prng prng;

    rkv_prng_seed(&prng, index * 1000 + term);
    for (uint32_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)rkv_prng_next(&prng);
    return bytes;
}

static rkv_tail *make_tail(uint64_t cache, const struct rkv_allocator *a)
{
    const struct rkv_tail_options options = {
        .size = sizeof options, .cache_bytes_max = cache, .allocator = a};
    const uint8_t zeros[32] = {0};
    rkv_tail *tail = NULL;

    memset(&mirror, 0, sizeof mirror);
    ck_assert_int_eq(rkv_tail_new(&options, 0, zeros, &tail), RKV_OK);
    return tail;
}

/* Adds one entry to both. */
static int add(rkv_tail *tail, uint64_t index, uint64_t term, uint32_t len)
{
    struct rkv_entry entry = {.index = index,
                              .term = term,
                              .kind = RKV_ENTRY_COMMAND,
                              .len = len,
                              .data = payload(index, term, len)};
    int rc = rkv_tail_add(tail, &entry, 1);

    if (rc != RKV_OK || (index <= mirror.last && mirror.term[index] == term))
        return rc;
    mirror.term[index] = term;
    mirror.len[index] = len;
    mirror.last = index;
    rkv_entry_chain(&entry, mirror.chain[index - 1]);
    memcpy(mirror.chain[index], entry.chain, 32);
    return rc;
}

static int get(rkv_tail *tail, uint64_t first, uint32_t count,
               const struct rkv_entry **out)
{
    struct rkv_raft_entry listed[64];

    for (uint32_t i = 0; i < count; i++)
        listed[i] = (struct rkv_raft_entry){.index = first + i,
                                            .term = mirror.term[first + i]};
    return rkv_tail_get(tail, listed, count, out);
}

static void agrees(const struct rkv_entry *entries, uint64_t first,
                   uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct rkv_entry *entry = &entries[i];
        uint64_t index = first + i;

        ck_assert_uint_eq(entry->index, index);
        ck_assert_uint_eq(entry->term, mirror.term[index]);
        ck_assert_uint_eq(entry->len, mirror.len[index]);
        ck_assert_int_eq(memcmp(entry->chain, mirror.chain[index], 32), 0);
        if (entry->len != 0)
            ck_assert_int_eq(memcmp(entry->data,
                                    payload(index, entry->term, entry->len),
                                    entry->len),
                             0);
    }
}

START_TEST(entries_come_back_with_bytes_and_chain)
{
    rkv_tail *tail = make_tail(0, NULL);
    const struct rkv_entry *entries;

    for (uint64_t i = 1; i <= 50; i++)
        ck_assert_int_eq(add(tail, i, 1 + i / 20, (uint32_t)(i * 7 % 90)),
                         RKV_OK);
    ck_assert_int_eq(get(tail, 1, 50, &entries), RKV_OK);
    agrees(entries, 1, 50);
    rkv_tail_free(tail);
}
END_TEST

START_TEST(what_is_held_already_is_skipped_and_another_term_cuts)
{
    rkv_tail *tail = make_tail(0, NULL);
    const struct rkv_entry *entries;

    for (uint64_t i = 1; i <= 10; i++)
        ck_assert_int_eq(add(tail, i, 1, 20), RKV_OK);
    ck_assert_int_eq(add(tail, 5, 1, 20), RKV_OK);
    ck_assert_int_eq(get(tail, 1, 10, &entries), RKV_OK);
    /* One batch: two held, then a conflict. */
    struct rkv_entry batch[4];
    for (uint64_t i = 0; i < 4; i++)
        batch[i] = (struct rkv_entry){
            .index = 4 + i, .term = i < 2 ? 1 : 2, .kind = 3};
    ck_assert_int_eq(rkv_tail_add(tail, batch, 4), RKV_OK);
    mirror.last = 7;
    for (uint64_t i = 6; i <= 7; i++) {
        mirror.term[i] = 2;
        mirror.len[i] = 0;
        rkv_entry_chain(&batch[i - 4], mirror.chain[i - 1]);
        memcpy(mirror.chain[i], batch[i - 4].chain, 32);
    }
    ck_assert_int_eq(get(tail, 1, 7, &entries), RKV_OK);
    agrees(entries, 1, 5);
    agrees(entries + 5, 6, 2);
    ck_assert_int_eq(get(tail, 7, 2, &entries), RKV_ESTALE);
    rkv_tail_free(tail);
}
END_TEST

START_TEST(what_cannot_be_given_says_why)
{
    rkv_tail *tail = make_tail(1, NULL);
    const struct rkv_entry *entries;
    struct rkv_raft_entry listed[2] = {{.index = 8, .term = 1},
                                       {.index = 9, .term = 2}};
    uint8_t chain[32];

    for (uint64_t i = 1; i <= 10; i++)
        ck_assert_int_eq(add(tail, i, 1, 20), RKV_OK);
    ck_assert_int_eq(rkv_tail_get(tail, listed, 2, &entries), RKV_ESTALE);
    listed[1] = (struct rkv_raft_entry){.index = 10, .term = 1};
    ck_assert_int_eq(rkv_tail_get(tail, listed, 2, &entries), RKV_EINVAL);
    listed[0].index = 11;
    ck_assert_int_eq(rkv_tail_get(tail, listed, 1, &entries), RKV_ESTALE);
    ck_assert_int_eq(rkv_tail_get(tail, listed, 0, &entries), RKV_EINVAL);
    ck_assert_int_eq(add(tail, 12, 1, 20), RKV_EINVAL);
    rkv_tail_release(tail, 6);
    listed[0].index = 6;
    ck_assert_int_eq(rkv_tail_get(tail, listed, 1, &entries), RKV_ECOMPACTED);
    ck_assert_int_eq(rkv_tail_chain(tail, 5, chain), RKV_ECOMPACTED);
    ck_assert_int_eq(rkv_tail_chain(tail, 11, chain), RKV_EFUTURE);
    for (uint64_t i = 6; i <= 10; i++) {
        ck_assert_int_eq(rkv_tail_chain(tail, i, chain), RKV_OK);
        ck_assert_int_eq(memcmp(chain, mirror.chain[i], 32), 0);
    }
    rkv_tail_free(tail);
}
END_TEST

START_TEST(only_what_is_released_leaves_and_only_when_the_cache_is_full)
{
    rkv_tail *tail = make_tail(5000, NULL);
    const struct rkv_entry *entries;

    for (uint64_t i = 1; i <= 100; i++)
        ck_assert_int_eq(add(tail, i, 1, 100), RKV_OK);
    ck_assert_int_eq(get(tail, 1, 1, &entries), RKV_OK);
    rkv_tail_release(tail, 2);
    ck_assert_int_eq(get(tail, 2, 1, &entries), RKV_ECOMPACTED);
    ck_assert_int_eq(get(tail, 3, 1, &entries), RKV_OK);
    rkv_tail_release(tail, 100);
    ck_assert_int_eq(get(tail, 60, 1, &entries), RKV_ECOMPACTED);
    ck_assert_int_eq(get(tail, 90, 11, &entries), RKV_OK);
    agrees(entries, 90, 11);
    rkv_tail_free(tail);
}
END_TEST

START_TEST(a_pinned_payload_stays_where_it_is)
{
    rkv_tail *tail = make_tail(1, NULL);
    struct rkv_entry copies[40];
    const struct rkv_entry *entries;

    for (uint64_t i = 1; i <= 40; i++)
        ck_assert_int_eq(add(tail, i, 1, (uint32_t)(i * 500)), RKV_OK);
    ck_assert_int_eq(get(tail, 1, 40, &entries), RKV_OK);
    memcpy(copies, entries, sizeof copies);
    rkv_tail_pin(tail);
    rkv_tail_pin(tail);
    rkv_tail_release(tail, 20);
    for (uint64_t i = 0; i < 500; i++) {
        struct rkv_entry other = {.index = 21 + i,
                                  .term = 9,
                                  .kind = 1,
                                  .len = 900,
                                  .data = payload(1, 1, 900)};
        ck_assert_int_eq(rkv_tail_add(tail, &other, 1), RKV_OK);
    }
    ck_assert_int_eq(rkv_tail_restore(tail, 700, copies[0].chain), RKV_OK);
    rkv_tail_unpin(tail);
    agrees(copies, 1, 40);
    rkv_tail_unpin(tail);
    rkv_tail_free(tail);
}
END_TEST

START_TEST(a_restore_keeps_what_follows_it_only_on_the_same_chain)
{
    rkv_tail *tail = make_tail(0, NULL);
    const struct rkv_entry *entries;
    uint8_t chain[32];

    for (uint64_t i = 1; i <= 20; i++)
        ck_assert_int_eq(add(tail, i, 1, 30), RKV_OK);
    ck_assert_int_eq(rkv_tail_restore(tail, 8, mirror.chain[8]), RKV_OK);
    ck_assert_int_eq(get(tail, 8, 1, &entries), RKV_ECOMPACTED);
    ck_assert_int_eq(get(tail, 9, 12, &entries), RKV_OK);
    agrees(entries, 9, 12);
    ck_assert_int_eq(rkv_tail_restore(tail, 12, mirror.chain[8]), RKV_OK);
    ck_assert_int_eq(get(tail, 13, 1, &entries), RKV_ESTALE);
    ck_assert_int_eq(rkv_tail_chain(tail, 12, chain), RKV_OK);
    ck_assert_int_eq(memcmp(chain, mirror.chain[8], 32), 0);
    ck_assert_int_eq(rkv_tail_restore(tail, 500, mirror.chain[3]), RKV_OK);
    memcpy(mirror.chain[500], mirror.chain[3], 32);
    mirror.last = 500;
    ck_assert_int_eq(add(tail, 501, 4, 10), RKV_OK);
    ck_assert_int_eq(get(tail, 501, 1, &entries), RKV_OK);
    agrees(entries, 501, 1);
    rkv_tail_free(tail);
}
END_TEST

/* Random adds, cuts, releases and pins against the mirror. */
START_TEST(a_random_life_agrees)
{
    struct base_heap heap;
    struct rkv_allocator allocator = base_allocator(&heap);
    rkv_tail *tail = make_tail(60000, &allocator);
    struct rkv_prng prng;
    uint64_t released = 0;
    uint64_t term = 1;

    rkv_prng_seed(&prng, (uint64_t)_i + 1);
    while (mirror.last < LOG_MAX - 70) {
        const struct rkv_entry *entries;
        uint64_t what = rkv_prng_below(&prng, 10);
        uint64_t index = mirror.last + 1;
        uint32_t many = (uint32_t)(1 + rkv_prng_below(&prng, 60));

        if (what == 0 && index - released > 2) {
            index -= rkv_prng_below(&prng, index - released - 1);
            term++;
        }
        for (uint32_t i = 0; what < 5 && i < many; i++) {
            uint32_t len = (uint32_t)rkv_prng_below(
                &prng, rkv_prng_below(&prng, 30) == 0 ? 70000 : 400);
            ck_assert_int_eq(add(tail, index + i, term, len), RKV_OK);
        }
        if (what >= 5 && what < 8) {
            released += rkv_prng_below(&prng, mirror.last - released + 1);
            rkv_tail_release(tail, released);
        }
        if (many > mirror.last - released)
            many = (uint32_t)(mirror.last - released);
        if (many == 0)
            continue;
        uint64_t first =
            released + 1 +
            rkv_prng_below(&prng, mirror.last - released - many + 1);
        ck_assert_int_eq(get(tail, first, many, &entries), RKV_OK);
        agrees(entries, first, many);
    }
    rkv_tail_free(tail);
    ck_assert_uint_eq(heap.blocks, 0);
    ck_assert(!heap.was_lied_to);
}
END_TEST

START_TEST(when_memory_runs_out_nothing_has_changed)
{
    int rc = RKV_OK;

    for (int k = 0; k < 12; k++) {
        struct base_heap heap;
        struct rkv_allocator allocator = base_allocator(&heap);
        rkv_tail *tail = make_tail(1, &allocator);
        const struct rkv_entry *entries;

        for (uint64_t i = 1; i <= 30; i++)
            ck_assert_int_eq(add(tail, i, 1, 3000), RKV_OK);
        struct rkv_entry batch[60];
        for (uint64_t i = 0; i < 60; i++)
            batch[i] = (struct rkv_entry){.index = 11 + i,
                                          .term = 2,
                                          .kind = 1,
                                          .len = 20000,
                                          .data = bytes};
        heap.left = k;
        rc = rkv_tail_add(tail, batch, 60);
        heap.left = -1;
        ck_assert_int_eq(rc, RKV_ENOMEM);
        ck_assert_int_eq(get(tail, 1, 30, &entries), RKV_OK);
        agrees(entries, 1, 30);
        rkv_tail_free(tail);
        ck_assert_uint_eq(heap.blocks, 0);
    }
}
END_TEST

START_TEST(a_steady_stream_takes_no_new_memory)
{
    struct base_heap heap;
    struct rkv_allocator allocator = base_allocator(&heap);
    rkv_tail *tail = make_tail(200000, &allocator);
    struct rkv_entry entry = {.term = 1, .kind = 1, .len = 256, .data = bytes};

    for (uint64_t i = 1; i <= 60000; i++) {
        if (i == 20000)
            heap.left = 0;
        entry.index = i;
        ck_assert_int_eq(rkv_tail_add(tail, &entry, 1), RKV_OK);
        rkv_tail_release(tail, i);
    }
    rkv_tail_free(tail);
    ck_assert_uint_eq(heap.blocks, 0);
}
END_TEST

Suite *suite_store_tail(void)
{
    Suite *suite = suite_create("store/tail");
    TCase *tail = tcase_create("tail");
    TCase *memory = tcase_create("memory");

    tcase_add_test(tail, entries_come_back_with_bytes_and_chain);
    tcase_add_test(tail, what_is_held_already_is_skipped_and_another_term_cuts);
    tcase_add_test(tail, what_cannot_be_given_says_why);
    tcase_add_test(
        tail, only_what_is_released_leaves_and_only_when_the_cache_is_full);
    tcase_add_test(tail, a_pinned_payload_stays_where_it_is);
    tcase_add_test(tail,
                   a_restore_keeps_what_follows_it_only_on_the_same_chain);
    tcase_add_loop_test(tail, a_random_life_agrees, 0, 8);
    tcase_add_test(memory, when_memory_runs_out_nothing_has_changed);
    tcase_add_test(memory, a_steady_stream_takes_no_new_memory);
    suite_add_tcase(suite, tail);
    suite_add_tcase(suite, memory);
    return suite;
}
