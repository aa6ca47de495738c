/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/raft/check_trail.c - the trail against a plain array, and its room.
 */
#include <check.h>

#include "raft/core.h"

Suite *suite_raft_trail(void);

enum { PLAIN = 20000 };

static void check_same(const struct trail *t, const uint64_t *plain)
{
    for (uint64_t i = t->first; i <= t->last; i++)
        ck_assert_uint_eq(trail_term(t, i), plain[i]);
    ck_assert_uint_le(t->last, t->end);
}

START_TEST(it_holds_what_a_plain_array_holds)
{
    static uint64_t plain[PLAIN];
    struct rkv_allocator a = rkv_alloc_choose(NULL);
    struct rkv_prng prng;
    struct trail t;
    uint64_t term = 1;
    rkv_prng_seed(&prng, 3);
    ck_assert_int_eq(rkv_trail_init(&t, &a, 0, 0, 1 << 16), RKV_OK);
    for (int i = 0; i < 3000; i++) {
        uint64_t span = t.last + 1 - t.first;
        uint64_t count = rkv_prng_below(&prng, 300);
        switch (rkv_prng_below(&prng, 4)) {
        case 0:
            if (span > 0)
                rkv_trail_truncate(&t, t.last -
                                           rkv_prng_below(&prng, span + 1) / 8);
            break;
        case 1:
            if (span > 0)
                rkv_trail_compact(&t, t.first - 1 +
                                          rkv_prng_below(&prng, span + 1));
            break;
        default:
            term += rkv_prng_below(&prng, 3) == 0;
            ck_assert_int_eq(rkv_trail_reserve(&t, &a, count), RKV_OK);
            ck_assert_uint_ge(t.end - t.last, count + KEPT_BACK);
            for (uint64_t k = 0; k < count && t.last + 1 < PLAIN; k++) {
                plain[t.last + 1] = term;
                trail_add(&t, term, (uint32_t)k, RKV_ENTRY_COMMAND);
            }
            break;
        }
        if (i % 50 == 0)
            check_same(&t, plain);
    }
    rkv_trail_free(&t, &a);
}
END_TEST

START_TEST(forgetting_the_front_makes_room_at_the_end)
{
    struct rkv_allocator a = rkv_alloc_choose(NULL);
    struct trail t;
    ck_assert_int_eq(rkv_trail_init(&t, &a, 0, 0, 1 << 16), RKV_OK);
    ck_assert_int_eq(rkv_trail_reserve(&t, &a, 1000), RKV_OK);
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 700; i++)
            trail_add(&t, 1, 1, RKV_ENTRY_COMMAND);
        ck_assert_uint_le(t.last, t.end);
        rkv_trail_compact(&t, t.last - 50);
    }
    ck_assert_uint_eq(t.page_mask + 1, 4);
    rkv_trail_free(&t, &a);
}
END_TEST

START_TEST(it_grows_to_its_limit_and_keeps_room_above_it)
{
    struct rkv_allocator a = rkv_alloc_choose(NULL);
    struct trail t;
    ck_assert_int_eq(rkv_trail_init(&t, &a, 1000, 3, 500), RKV_OK);
    ck_assert_int_eq(rkv_trail_reserve(&t, &a, 501), RKV_EBUSY);
    ck_assert_int_eq(rkv_trail_reserve(&t, &a, 500), RKV_OK);
    ck_assert_uint_eq(trail_command_end(&t, KEPT_BACK), 1500);
    for (int i = 0; i < 500; i++)
        trail_add(&t, 3, 1, RKV_ENTRY_COMMAND);
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(rkv_trail_reserve(&t, &a, 1), RKV_EBUSY);
        ck_assert_uint_ge(t.end, t.last + KEPT_BACK);
        trail_add(&t, 3, 0, RKV_ENTRY_NOOP);
    }
    ck_assert_uint_eq(trail_command_end(&t, KEPT_BACK), 1500);
    rkv_trail_free(&t, &a);
}
END_TEST

START_TEST(a_conflict_is_found_where_terms_allow)
{
    struct rkv_allocator a = rkv_alloc_choose(NULL);
    struct trail t;
    static const uint64_t terms[] = {4, 4, 5, 5, 8, 8, 8};
    ck_assert_int_eq(rkv_trail_init(&t, &a, 10, 3, 100), RKV_OK);
    for (int i = 0; i < 7; i++)
        trail_add(&t, terms[i], 1, RKV_ENTRY_COMMAND);
    ck_assert_uint_eq(rkv_trail_conflict(&t, 99, 9), 17);
    ck_assert_uint_eq(rkv_trail_conflict(&t, 16, 8), 16);
    ck_assert_uint_eq(rkv_trail_conflict(&t, 17, 7), 14);
    ck_assert_uint_eq(rkv_trail_conflict(&t, 17, 4), 12);
    ck_assert_uint_eq(rkv_trail_conflict(&t, 17, 3), 10);
    ck_assert_uint_eq(rkv_trail_conflict(&t, 17, 2), 9);
    ck_assert_uint_eq(rkv_trail_conflict(&t, 5, 9), 9);
    rkv_trail_free(&t, &a);
}
END_TEST

START_TEST(configurations_are_found_within_bounds)
{
    struct rkv_allocator a = rkv_alloc_choose(NULL);
    struct trail t;
    ck_assert_int_eq(rkv_trail_init(&t, &a, 0, 0, 100), RKV_OK);
    for (int i = 1; i <= 10; i++)
        trail_add(&t, 1, 1,
                  i == 4 || i == 8 ? RKV_ENTRY_CONFIG : RKV_ENTRY_COMMAND);
    ck_assert(rkv_trail_has_config(&t, 1, 10));
    ck_assert(rkv_trail_has_config(&t, 5, 8));
    ck_assert(!rkv_trail_has_config(&t, 5, 7));
    ck_assert(!rkv_trail_has_config(&t, 9, 10));
    rkv_trail_truncate(&t, 7);
    ck_assert(!rkv_trail_has_config(&t, 5, 7));
    ck_assert(rkv_trail_has_config(&t, 4, 7));
    ck_assert(!rkv_trail_has_config(&t, 5, 4));
    rkv_trail_free(&t, &a);
}
END_TEST

/* Every allocation fails once; nothing is lost and nothing leaks. */
struct failing {
    uint64_t left;
    uint64_t held;
    struct rkv_allocator real;
};

static void *fail_resize(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
    struct failing *f = ctx;
    if (new_size == 0) {
        f->held -= old_size;
        return f->real.resize(f->real.ctx, ptr, old_size, new_size);
    }
    if (f->left-- == 0)
        return NULL;
    f->held += new_size - old_size;
    return f->real.resize(f->real.ctx, ptr, old_size, new_size);
}

START_TEST(growth_that_finds_no_memory_changes_nothing)
{
    struct failing f = {.left = UINT64_MAX, .real = rkv_alloc_choose(NULL)};
    struct rkv_allocator a = {.resize = fail_resize, .ctx = &f};
    struct trail t;
    ck_assert_int_eq(rkv_trail_init(&t, &a, 0, 0, 1 << 16), RKV_OK);
    for (int i = 0; i < 200; i++)
        trail_add(&t, 1 + (uint64_t)i, 1, RKV_ENTRY_COMMAND);
    uint64_t held = f.held;
    for (uint64_t k = 0;; k++) {
        f.left = k;
        int rc = rkv_trail_reserve(&t, &a, 2000);
        if (rc == RKV_OK)
            break;
        ck_assert_int_eq(rc, RKV_ENOMEM);
        ck_assert_uint_eq(f.held, held);
        ck_assert_uint_eq(trail_term(&t, 150), 150);
    }
    ck_assert_uint_eq(trail_term(&t, 150), 150);
    f.left = UINT64_MAX;
    rkv_trail_free(&t, &a);
    ck_assert_uint_eq(f.held, 0);
}
END_TEST

START_TEST(a_core_for_which_there_is_no_memory_leaves_none_behind)
{
    struct failing f = {.real = rkv_alloc_choose(NULL)};
    struct rkv_allocator a = {.resize = fail_resize, .ctx = &f};
    struct rkv_raft_options options = {
        .size = sizeof(options), .id = 1, .allocator = &a};
    rkv_raft *raft = NULL;
    uint64_t k = 0;
    int rc = RKV_ENOMEM;
    for (; rc != RKV_OK; k++) {
        f.left = k;
        rc = rkv_raft_new(&options, NULL, &raft);
        if (rc != RKV_OK) {
            ck_assert_int_eq(rc, RKV_ENOMEM);
            ck_assert_uint_eq(f.held, 0);
        }
    }
    ck_assert_uint_gt(k, 8);
    f.left = UINT64_MAX;
    rkv_raft_free(raft);
    ck_assert_uint_eq(f.held, 0);
}
END_TEST

Suite *suite_raft_trail(void)
{
    Suite *suite = suite_create("raft trail");
    TCase *tc = tcase_create("trail");
    tcase_add_test(tc, it_holds_what_a_plain_array_holds);
    tcase_add_test(tc, forgetting_the_front_makes_room_at_the_end);
    tcase_add_test(tc, it_grows_to_its_limit_and_keeps_room_above_it);
    tcase_add_test(tc, a_conflict_is_found_where_terms_allow);
    tcase_add_test(tc, configurations_are_found_within_bounds);
    tcase_add_test(tc, growth_that_finds_no_memory_changes_nothing);
    tcase_add_test(tc, a_core_for_which_there_is_no_memory_leaves_none_behind);
    suite_add_tcase(suite, tc);
    return suite;
}
