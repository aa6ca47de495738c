/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The memory store, and the counter that every store is called through.
 */
#include <check.h>
#include <string.h>

#include "base/support.h"
#include "support.h"

Suite *suite_store_memory(void);

START_TEST(it_keeps_the_rules_of_a_store)
{
    static char report[16384];
    rkv_store *store;

    ck_assert_int_eq(rkv_store_memory(NULL, &store), RKV_OK);
    int rc = rkv_store_check(&store, NULL, NULL, (uint64_t)_i + 1, report,
                             sizeof report);
    ck_assert_msg(rc == RKV_OK, "%s", report);
    ck_assert_ptr_nonnull(strstr(report, "skip the-log-survives-a-reopen"));
    ck_assert_ptr_nonnull(strstr(report, " 0 broken"));
    rkv_store_close(store);
}
END_TEST

START_TEST(memory_may_run_out_at_any_request)
{
    int k = 0;
    int rc;

    do {
        struct base_heap heap;
        struct rkv_allocator allocator = base_allocator(&heap);
        struct scribe scribe = {.group = 1, .term = 1, .len = 50};
        rkv_store *store = NULL;
        uint64_t acked = 0;

        heap.left = k++;
        rc = rkv_store_memory(&allocator, &store);
        for (int i = 0; rc == RKV_OK && i < 5; i++) {
            rc = scribe_write(&scribe, store, 7);
            acked = scribe.last;
        }
        if (rc == RKV_OK)
            rc = scribe_snapshot(&scribe, store, 20, 3, 400);
        ck_assert_msg(rc == RKV_OK || rc == RKV_ENOMEM, "%s", rkv_errname(rc));
        if (rc != RKV_OK && store != NULL) {
            ck_assert_ptr_nonnull(strstr(rkv_store_errmsg(store), "memory"));
            ck_assert_int_eq(scribe_write(&scribe, store, 1), RKV_EFAILED);
        }
        if (rc == RKV_OK)
            ck_assert_uint_eq(scribe_count(&scribe, store, 18), acked - 17);
        rkv_store_close(store);
        ck_assert_uint_eq(heap.blocks, 0);
        ck_assert(!heap.was_lied_to);
    } while (rc != RKV_OK);
    ck_assert_int_gt(k, 20);
}
END_TEST

START_TEST(the_counter_refuses_what_no_store_need_see)
{
    rkv_store *store;
    uint8_t byte = 0;
    struct rkv_entry entries[2] = {{.index = 1, .term = 1, .kind = 1},
                                   {.index = 2, .term = 1, .kind = 1}};
    struct rkv_store_write write = {.size = sizeof write,
                                    .flags = RKV_WRITE_ENTRIES,
                                    .entries = entries,
                                    .count = 2};

    rkv_entry_chain(&entries[0], (const uint8_t[32]){0});
    rkv_entry_chain(&entries[1], entries[0].chain);
    ck_assert_int_eq(rkv_store_memory(NULL, &store), RKV_OK);
    entries[1].chain[0] ^= 1;
    ck_assert_int_eq(rkv_store_write(store, &write, 1), RKV_EINVAL);
    entries[1].chain[0] ^= 1;
    entries[1].index = 3;
    ck_assert_int_eq(rkv_store_write(store, &write, 1), RKV_EINVAL);
    entries[1].index = 2;
    entries[1].term = 0;
    ck_assert_int_eq(rkv_store_write(store, &write, 1), RKV_EINVAL);
    ck_assert_ptr_nonnull(strstr(rkv_store_errmsg(store), "terms"));
    entries[1].term = 1;
    entries[0].kind = 9;
    ck_assert_int_eq(rkv_store_write(store, &write, 1), RKV_EINVAL);
    entries[0].kind = 1;
    entries[0].len = 5;
    ck_assert_int_eq(rkv_store_write(store, &write, 1), RKV_EINVAL);
    entries[0].len = 0;
    write.entries = NULL;
    ck_assert_int_eq(rkv_store_write(store, &write, 1), RKV_EINVAL);
    write.entries = entries;
    write.count = 0;
    ck_assert_int_eq(rkv_store_write(store, &write, 1), RKV_EINVAL);
    ck_assert_ptr_nonnull(strstr(rkv_store_errmsg(store), "entries"));
    write.count = 2;
    write.flags = 0;
    ck_assert_int_eq(rkv_store_write(store, &write, 1), RKV_EINVAL);
    write.flags = RKV_WRITE_SNAPSHOT;
    write.config_len = 4;
    ck_assert_int_eq(rkv_store_write(store, &write, 1), RKV_EINVAL);
    write.flags = RKV_WRITE_ENTRIES;
    ck_assert_int_eq(rkv_store_write(store, NULL, 1), RKV_EINVAL);
    ck_assert_int_eq(rkv_store_write(NULL, &write, 1), RKV_EINVAL);
    ck_assert_int_eq(rkv_store_snap_begin(store, 1, 0), RKV_EINVAL);
    ck_assert_int_eq(rkv_store_snap_write(store, 1, 0, &byte, 1), RKV_ESTATE);
    ck_assert_int_eq(rkv_store_snap_finish(store, 1, 0), RKV_ESTATE);
    ck_assert_int_eq(rkv_store_write(store, &write, 1), RKV_OK);
    ck_assert_int_eq(rkv_store_write(store, NULL, 0), RKV_OK);
    rkv_store_close(store);
    rkv_store_close(NULL);
    ck_assert_str_eq(rkv_store_errmsg(NULL), "");
}
END_TEST

/* Today's record with room behind it, as a later version may have. */
struct longer_write {
    struct rkv_store_write now;
    uint64_t later;
};

START_TEST(records_of_another_version_are_read_by_their_size)
{
    rkv_store *store;
    struct longer_write writes[2];
    struct rkv_store_state state = {.size = 40};

    memset(writes, 0, sizeof writes);
    for (uint64_t i = 0; i < 2; i++) {
        writes[i].now.size = (uint32_t)sizeof writes[i];
        writes[i].now.flags = RKV_WRITE_STATE;
        writes[i].now.group = i;
        writes[i].now.term = 10 + i;
    }
    ck_assert_int_eq(rkv_store_memory(NULL, &store), RKV_OK);
    ck_assert_int_eq(rkv_store_write(store, &writes[0].now, 2), RKV_OK);
    ck_assert_uint_eq(state_of(store, 1).term, 11);
    writes[1].later = 1;
    ck_assert_int_eq(rkv_store_write(store, &writes[0].now, 2), RKV_EVERSION);
    writes[1].later = 0;
    writes[1].now.size = (uint32_t)sizeof writes[1].now;
    ck_assert_int_eq(rkv_store_write(store, &writes[0].now, 2), RKV_EINVAL);
    /* A result no longer than the caller knows. */
    state.snapshot_index = 77;
    ck_assert_int_eq(rkv_store_state(store, 1, &state), RKV_OK);
    ck_assert_uint_eq(state.term, 11);
    ck_assert_uint_eq(state.snapshot_index, 77);
    rkv_store_close(store);
}
END_TEST

/* What a group takes follows from its own entries, not from those that other
 * groups write with it. */
START_TEST(many_groups_in_one_write_take_no_more_room)
{
    enum { GROUPS = 1000 };
    static struct rkv_store_write writes[GROUPS];
    struct rkv_entry entry = {.index = 1, .term = 1, .kind = 3};
    struct base_heap heap;
    struct rkv_allocator allocator = base_allocator(&heap);
    rkv_store *store = NULL;

    rkv_entry_chain(&entry, (const uint8_t[32]){0});
    ck_assert_int_eq(rkv_store_memory(&allocator, &store), RKV_OK);
    for (uint64_t i = 0; i < GROUPS; i++)
        writes[i] = (struct rkv_store_write){.size = sizeof writes[i],
                                             .flags = RKV_WRITE_ENTRIES,
                                             .group = i,
                                             .entries = &entry,
                                             .count = 1};
    ck_assert_int_eq(rkv_store_write(store, writes, GROUPS), RKV_OK);
    ck_assert_uint_lt(heap.bytes, GROUPS * 4096);
    rkv_store_close(store);
    ck_assert_uint_eq(heap.blocks, 0);
}
END_TEST

START_TEST(every_start_is_a_new_boot)
{
    rkv_store *store;

    ck_assert_int_eq(rkv_store_memory(NULL, &store), RKV_OK);
    for (uint64_t boot = 1; boot < 5; boot++)
        ck_assert_uint_eq(start(store).boot, boot);
    rkv_store_close(store);
}
END_TEST

START_TEST(a_store_of_ones_own_needs_all_its_methods)
{
    struct rkv_store_methods methods = {.size = sizeof methods};
    rkv_store *store = NULL;

    ck_assert_int_eq(rkv_store_custom(NULL, NULL, NULL, &store), RKV_EINVAL);
    ck_assert_int_eq(rkv_store_custom(&methods, NULL, NULL, &store),
                     RKV_EINVAL);
    ck_assert_ptr_null(store);
}
END_TEST

Suite *suite_store_memory(void)
{
    Suite *suite = suite_create("store/memory");
    TCase *memory = tcase_create("memory");
    TCase *counter = tcase_create("counter");

    tcase_add_loop_test(memory, it_keeps_the_rules_of_a_store, 0, 20);
    tcase_add_test(memory, memory_may_run_out_at_any_request);
    tcase_add_test(memory, many_groups_in_one_write_take_no_more_room);
    tcase_add_test(memory, every_start_is_a_new_boot);
    tcase_add_test(counter, the_counter_refuses_what_no_store_need_see);
    tcase_add_test(counter, records_of_another_version_are_read_by_their_size);
    tcase_add_test(counter, a_store_of_ones_own_needs_all_its_methods);
    suite_add_tcase(suite, memory);
    suite_add_tcase(suite, counter);
    return suite;
}
