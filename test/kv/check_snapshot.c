/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Snapshots: a view that stays as it was, and its way back; bytes that are
 * not what they should be change nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "kv/room.h"
#include "support.h"

Suite *suite_kv_snapshot(void);

static struct kit kit, other;

static void open_kits(void)
{
    kit_open(&kit, NULL);
    kit_open(&other, NULL);
}

static void close_kits(void)
{
    kit_close(&kit);
    kit_close(&other);
}

static void write_story(struct kit *to)
{
    (void)kit_put(to, "a", "1");
    (void)kit_put(to, "a", "2");
    (void)kit_put(to, "b", "3");
    (void)kit_delete(to, "a", NULL);
    (void)kit_put(to, "a", "4");
    (void)add_put(to->txn, "c", "5", 0);
    (void)add_delete(to->txn, "b", NULL, 0);
    (void)add_put(to->txn, "d", "", 0);
    (void)kit_apply(to);
    (void)kit_put(to, "d", "some longer value to cut in the middle");
    (void)kit_delete(to, "c", NULL);
}

static void assert_same(const struct kit *a, const struct kit *b)
{
    struct rkv_kv_status first = kit_report(a), second = kit_report(b);

    ck_assert_mem_eq(&first, &second, sizeof(first));
}

START_TEST(what_was_restored_is_the_same)
{
    static const int64_t compactions[] = {-1, 0, 3, 5, 7, 8, 9};
    uint8_t *data;
    size_t len;

    write_story(&kit);
    (void)kit_compact(&kit, compactions[_i]);
    if (_i % 2 == 0)
        kit_settle(&kit);
    (void)kit_put(&other, "to be", "forgotten");
    data = kit_snapshot(&kit, &len);
    ck_assert_int_eq(kit_restore(&other, data, len), RKV_OK);
    assert_same(&kit, &other);
    for (int64_t revision = 1; revision <= 9; revision++) {
        ck_assert_int_eq(kit_range_status(&other, "a", revision),
                         revision < compactions[_i] ? RKV_ECOMPACTED : RKV_OK);
        if (revision >= compactions[_i] && revision == 6)
            ck_assert_str_eq(kit_get(&other, "a", revision), "4");
    }
    /* And both go on alike. */
    for (int64_t revision = compactions[_i] + 1; revision <= 9; revision++) {
        ck_assert_int_eq(kit_compact(&kit, revision), RKV_OK);
        (void)kit_put(&kit, "a", "5");
        ck_assert_int_eq(kit_compact(&other, revision), RKV_OK);
        (void)kit_put(&other, "a", "5");
        assert_same(&kit, &other);
    }
    free(data);
}
END_TEST

START_TEST(an_empty_store_makes_a_snapshot_too)
{
    size_t len;
    uint8_t *data = kit_snapshot(&kit, &len);

    (void)kit_put(&other, "a", "1");
    ck_assert_int_eq(kit_restore(&other, data, len), RKV_OK);
    assert_same(&kit, &other);
    free(data);
}
END_TEST

START_TEST(chunks_of_any_size_make_the_same_bytes)
{
    uint8_t chunk[100];
    rkv_snapshot *snapshot;
    size_t len, part;
    uint8_t *data;

    write_story(&kit);
    data = kit_snapshot(&kit, &len);
    for (size_t cap = 1; cap <= sizeof(chunk); cap++) {
        size_t at = 0;

        ck_assert_int_eq(rkv_kv_snapshot(kit.kv, &snapshot), RKV_OK);
        ck_assert_uint_eq(rkv_snapshot_applied(snapshot), kit.index);
        ck_assert_int_eq(rkv_kv_restore_begin(other.kv), RKV_OK);
        for (;;) {
            ck_assert_int_eq(rkv_snapshot_read(snapshot, chunk, cap, &part),
                             RKV_OK);
            if (part == 0)
                break;
            ck_assert_uint_le(at + part, len);
            ck_assert_mem_eq(chunk, data + at, part);
            ck_assert_int_eq(rkv_kv_restore_write(other.kv, chunk, part),
                             RKV_OK);
            at += part;
        }
        ck_assert_uint_eq(at, len);
        rkv_snapshot_close(snapshot);
        ck_assert_int_eq(rkv_kv_restore_end(other.kv), RKV_OK);
        other.index = kit.index;
        assert_same(&kit, &other);
    }
    free(data);
}
END_TEST

START_TEST(a_view_stays_as_it_was_while_commands_go_on)
{
    rkv_snapshot *views[8];
    uint8_t *expected[8], chunk[64];
    size_t lens[8], ats[8] = {0}, part;
    struct rkv_history_place place;
    struct rkv_prng prng;

    rkv_prng_seed(&prng, (uint64_t)_i);
    for (int v = 0; v < 8; v++) {
        for (int i = 0; i < 300; i++) {
            char key[2] = {(char)('a' + rkv_prng_below(&prng, 20)), 0};

            if (rkv_prng_below(&prng, 4) == 0)
                (void)kit_delete(&kit, key, NULL);
            else
                (void)kit_put(&kit, key, "value");
            if (rkv_prng_below(&prng, 100) == 0)
                (void)kit_compact(&kit, kit_report(&kit).revision - 10);
            for (int w = 0; w < v; w++) {
                ck_assert_int_eq(
                    rkv_snapshot_read(views[w], chunk, sizeof(chunk), &part),
                    RKV_OK);
                ck_assert_mem_eq(chunk, expected[w] + ats[w], part);
                ats[w] += part;
            }
        }
        expected[v] = kit_snapshot(&kit, &lens[v]);
        ck_assert_int_eq(rkv_kv_snapshot(kit.kv, &views[v]), RKV_OK);
    }
    (void)kit_delete(&kit, "a", "z");
    (void)kit_put(&kit, "z", "last");
    (void)kit_compact(&kit, kit_report(&kit).revision);
    kit_settle(&kit);
    for (int v = 0; v < 8; v++) {
        do {
            ck_assert_int_eq(
                rkv_snapshot_read(views[v], chunk, sizeof(chunk), &part),
                RKV_OK);
            ck_assert_mem_eq(chunk, expected[v] + ats[v], part);
            ats[v] += part;
        } while (part > 0);
        ck_assert_uint_eq(ats[v], lens[v]);
        rkv_snapshot_close(views[v]);
        free(expected[v]);
    }
    /* With the last view closed the rest goes too. */
    kit_settle(&kit);
    place = rkv_history_seek(&kit.kv->state->history, -1, 0);
    ck_assert_ptr_nonnull(rkv_history_next(&kit.kv->state->history, &place));
    ck_assert_ptr_null(rkv_history_next(&kit.kv->state->history, &place));
}
END_TEST

START_TEST(a_view_outlives_the_state_it_was_taken_of)
{
    rkv_snapshot *snapshot;
    uint8_t *data, *empty, chunk[4096];
    size_t len, empty_len, part;

    write_story(&kit);
    data = kit_snapshot(&kit, &len);
    empty = kit_snapshot(&other, &empty_len);
    ck_assert_int_eq(rkv_kv_snapshot(kit.kv, &snapshot), RKV_OK);
    ck_assert_int_eq(kit_restore(&kit, empty, empty_len), RKV_OK);
    (void)kit_put(&kit, "z", "1");
    ck_assert_int_eq(rkv_snapshot_read(snapshot, chunk, sizeof(chunk), &part),
                     RKV_OK);
    ck_assert_uint_eq(part, len);
    ck_assert_mem_eq(chunk, data, len);
    rkv_snapshot_close(snapshot);
    rkv_snapshot_close(NULL);
    free(data);
    free(empty);
}
END_TEST

START_TEST(no_snapshot_cut_short_is_taken)
{
    uint64_t hash;
    uint8_t *data;
    size_t len;

    write_story(&kit);
    (void)kit_compact(&kit, 5);
    data = kit_snapshot(&kit, &len);
    (void)kit_put(&other, "a", "1");
    hash = kit_report(&other).hash;
    for (size_t cut = 0; cut < len; cut++) {
        ck_assert_int_eq(kit_restore(&other, data, cut), RKV_EMALFORMED);
        ck_assert_uint_eq(kit_report(&other).hash, hash);
    }
    ck_assert_str_eq(kit_get(&other, "a", 0), "1");
    ck_assert_int_eq(kit_restore(&other, data, len), RKV_OK);
    free(data);
}
END_TEST

START_TEST(no_snapshot_with_a_bent_byte_is_taken)
{
    uint64_t hash;
    uint8_t *data;
    size_t len;

    write_story(&kit);
    (void)kit_compact(&kit, 5);
    data = kit_snapshot(&kit, &len);
    hash = kit_report(&other).hash;
    for (size_t at = 0; at < len; at++) {
        for (int bit = 0; bit < 8; bit++) {
            int error;

            data[at] ^= (uint8_t)(1 << bit);
            error = kit_restore(&other, data, len);
            ck_assert(error == RKV_EMALFORMED || error == RKV_ECORRUPT ||
                      (error == RKV_EVERSION && at == 7));
            data[at] ^= (uint8_t)(1 << bit);
        }
    }
    ck_assert_uint_eq(kit_report(&other).hash, hash);
    free(data);
}
END_TEST

START_TEST(bytes_behind_the_end_are_refused)
{
    uint8_t *data;
    size_t len;

    write_story(&kit);
    data = kit_snapshot(&kit, &len);
    data = realloc(data, len + 1);
    data[len] = 0;
    ck_assert_int_eq(kit_restore(&other, data, len + 1), RKV_EMALFORMED);
    free(data);
}
END_TEST

START_TEST(a_promised_length_takes_no_memory)
{
    uint8_t *data;
    size_t len;

    write_story(&kit);
    data = kit_snapshot(&kit, &len);
    rkv_put_u32(data + RKV_SNAPSHOT_HEADER, 1 << 30);
    ck_assert_int_eq(rkv_kv_restore_begin(other.kv), RKV_OK);
    ck_assert_int_eq(rkv_kv_restore_write(other.kv, data, len), RKV_OK);
    ck_assert_uint_lt(other.heap.bytes, 100000);
    ck_assert_int_eq(rkv_kv_restore_end(other.kv), RKV_EMALFORMED);
    rkv_put_u32(data + RKV_SNAPSHOT_HEADER, 0xffffffff);
    ck_assert_int_eq(kit_restore(&other, data, len), RKV_EMALFORMED);
    free(data);
}
END_TEST

/* A snapshot by hand: records as given, sums and hashes right. */
struct forged {
    int64_t main;
    uint32_t sub;
    int64_t version;
    int64_t create;
    const char *key;
};

static const struct {
    const char *why;
    int64_t revision;
    int64_t compacted;
    struct forged records[3];
    int expected;
} forgeries[] = {
    {"as it should be", 5, -1, {{2, 0, 1, 2, "a"}, {3, 0, 2, 2, "a"}}, RKV_OK},
    {"kept by a compaction",
     9,
     8,
     {{7, 0, 5, 2, "a"}, {9, 0, 6, 2, "a"}},
     RKV_OK},
    {"a deletion at the compaction", 9, 8, {{8, 0, 0, 0, "a"}}, RKV_OK},
    {"before the first revision", 5, -1, {{1, 0, 1, 1, "a"}}, RKV_EMALFORMED},
    {"behind the last revision", 5, -1, {{6, 0, 1, 6, "a"}}, RKV_EMALFORMED},
    {"out of order",
     5,
     -1,
     {{3, 1, 1, 3, "a"}, {3, 1, 1, 3, "b"}},
     RKV_EMALFORMED},
    {"twice in one revision",
     5,
     -1,
     {{3, 0, 1, 3, "a"}, {3, 1, 2, 3, "a"}},
     RKV_EMALFORMED},
    {"a version left out",
     5,
     -1,
     {{2, 0, 1, 2, "a"}, {3, 0, 3, 2, "a"}},
     RKV_EMALFORMED},
    {"another creation",
     5,
     -1,
     {{2, 0, 1, 2, "a"}, {3, 0, 2, 3, "a"}},
     RKV_EMALFORMED},
    {"born grown up", 5, -1, {{3, 0, 2, 2, "a"}}, RKV_EMALFORMED},
    {"born before it was there", 5, -1, {{3, 0, 1, 2, "a"}}, RKV_EMALFORMED},
    {"nothing to delete", 5, -1, {{3, 0, 0, 0, "a"}}, RKV_EMALFORMED},
    {"deleted twice",
     5,
     -1,
     {{2, 0, 1, 2, "a"}, {3, 0, 0, 0, "a"}, {4, 0, 0, 0, "a"}},
     RKV_EMALFORMED},
    {"not dropped by the compaction",
     9,
     8,
     {{3, 0, 1, 3, "a"}, {4, 0, 2, 3, "a"}},
     RKV_EMALFORMED},
    {"a deletion the compaction drops",
     9,
     8,
     {{7, 0, 0, 0, "a"}},
     RKV_EMALFORMED},
    {"more versions than revisions", 9, 8, {{5, 0, 5, 3, "a"}}, RKV_EMALFORMED},
    {"created before time began", 9, 8, {{5, 0, 2, 1, "a"}}, RKV_EMALFORMED},
    {"no key", 5, -1, {{2, 0, 1, 2, ""}}, RKV_EMALFORMED},
};

static void forge_record(struct rkv_buffer *out, const struct forged *record,
                         int64_t before)
{
    size_t at = out->len;

    rkv_write_u32(out, 0);
    rkv_write_varint(out, (uint64_t)(record->main - before));
    rkv_write_varint(out, record->sub);
    rkv_write_varint(out, (uint64_t)record->version);
    if (record->version > 0) {
        rkv_write_varint(out, (uint64_t)(record->main - record->create));
        rkv_write_svarint(out, 0);
    }
    rkv_write_blob(out, record->key, strlen(record->key));
    rkv_put_u32(out->data + at, (uint32_t)(out->len - at - 4));
}

START_TEST(a_history_that_cannot_have_happened_is_refused)
{
    struct rkv_state *state = rkv_state_new(&kit.allocator);
    struct rkv_buffer out;
    int64_t before = 0;

    rkv_buffer_init(&out, &kit.allocator);
    rkv_write_bytes(&out, rkv_snapshot_magic, 8);
    for (int i = 0; i < 14; i++)
        rkv_write_u64(&out, i == 11 ? 1 : 0);
    for (const struct forged *r = forgeries[_i].records;
         r < forgeries[_i].records + 3 && r->key != NULL; r++) {
        struct rkv_draft draft = {
            .key = (const uint8_t *)r->key,
            .key_len = (uint32_t)strlen(r->key),
            .main = r->main,
            .sub = r->sub,
            .version = r->version,
            .create = r->create,
        };
        struct rkv_tree_spot spot =
            rkv_tree_find(&state->tree, r->key, strlen(r->key));
        struct rkv_record *record;

        ck_assert_int_eq(rkv_state_append(state, &draft, spot, &record),
                         RKV_OK);
        forge_record(&out, r, before);
        before = r->main;
    }
    state->revision = forgeries[_i].revision;
    state->compacted = forgeries[_i].compacted;
    rkv_put_u64(out.data + 16, (uint64_t)state->revision);
    rkv_put_u64(out.data + 24, (uint64_t)state->compacted);
    rkv_put_u64(out.data + 32, state->held.records);
    rkv_put_u64(out.data + 40, state->held.bytes);
    rkv_put_u64(out.data + 48, rkv_state_hash(state));
    rkv_write_u32(&out, 0);
    rkv_write_u64(&out, rkv_hash64(0, out.data, RKV_SNAPSHOT_HEADER));
    ck_assert_msg(kit_restore(&other, out.data, out.len) ==
                      forgeries[_i].expected,
                  "%s", forgeries[_i].why);
    rkv_buffer_free(&out);
    rkv_state_drop(state);
}
END_TEST

START_TEST(restoring_is_begun_and_ended_in_order)
{
    uint8_t *data;
    size_t len;

    data = kit_snapshot(&kit, &len);
    ck_assert_int_eq(rkv_kv_restore_write(other.kv, data, len), RKV_ESTATE);
    ck_assert_int_eq(rkv_kv_restore_end(other.kv), RKV_ESTATE);
    rkv_kv_restore_abort(other.kv);
    ck_assert_int_eq(rkv_kv_restore_begin(other.kv), RKV_OK);
    ck_assert_int_eq(rkv_kv_restore_begin(other.kv), RKV_ESTATE);
    /* The store works on meanwhile. */
    (void)kit_put(&other, "a", "1");
    ck_assert_int_eq(rkv_kv_restore_write(other.kv, "?", 1), RKV_OK);
    ck_assert_int_eq(rkv_kv_restore_write(other.kv, data, len), RKV_EMALFORMED);
    ck_assert_int_eq(rkv_kv_restore_write(other.kv, data, len), RKV_EMALFORMED);
    ck_assert_int_eq(rkv_kv_restore_end(other.kv), RKV_EMALFORMED);
    ck_assert_str_eq(kit_get(&other, "a", 0), "1");
    /* Left open when the store is freed. */
    ck_assert_int_eq(rkv_kv_restore_begin(other.kv), RKV_OK);
    ck_assert_int_eq(rkv_kv_restore_write(other.kv, data, 9), RKV_OK);
    free(data);
}
END_TEST

START_TEST(watches_go_on_from_where_they_were)
{
    const struct rkv_change_event *change;
    struct rkv_watch w = watch_of("a", "z");
    static const int64_t revisions[] = {2, 3, 4, 5};
    uint8_t *data;
    size_t len;

    /* The other one has seen revision 2, and been told of it, or not. */
    (void)kit_put(&kit, "a", "1");
    ck_assert_int_eq(rkv_kv_watch(other.kv, &w, NULL), RKV_OK);
    (void)kit_put(&other, "a", "1");
    if (_i == 1)
        ck_assert_int_eq(rkv_kv_next_change(other.kv, &change), 1);
    (void)kit_put(&kit, "b", "2");
    (void)kit_put(&kit, "c", "3");
    data = kit_snapshot(&kit, &len);
    ck_assert_int_eq(kit_restore(&other, data, len), RKV_OK);
    (void)kit_put(&other, "d", "4");
    for (int i = _i; i < 4; i++) {
        ck_assert_int_eq(rkv_kv_next_change(other.kv, &change), 1);
        ck_assert_int_eq(change->revision, revisions[i]);
    }
    ck_assert_int_eq(rkv_kv_next_change(other.kv, &change), 0);
    free(data);
}
END_TEST

START_TEST(a_watch_behind_what_the_snapshot_compacted_is_told_so)
{
    const struct rkv_change_event *change;
    struct rkv_watch w = watch_of("a", NULL);
    uint8_t *data;
    size_t len;

    for (int i = 0; i < 5; i++)
        (void)kit_put(&kit, "a", "1");
    ck_assert_int_eq(kit_compact(&kit, 4), RKV_OK);
    data = kit_snapshot(&kit, &len);
    ck_assert_int_eq(rkv_kv_watch(other.kv, &w, NULL), RKV_OK);
    ck_assert_int_eq(kit_restore(&other, data, len), RKV_OK);
    ck_assert_int_eq(rkv_kv_next_change(other.kv, &change), 1);
    ck_assert_uint_eq(change->kind, RKV_CHANGE_CANCELED);
    ck_assert_int_eq(change->compacted, 4);
    free(data);
}
END_TEST

START_TEST(large_records_are_freed_with_their_state)
{
    static char value[50000];
    uint8_t *data;
    size_t len;

    memset(value, 'v', sizeof(value) - 1);
    for (int i = 0; i < 5; i++)
        (void)kit_put(&kit, "a", value);
    data = kit_snapshot(&kit, &len);
    ck_assert_int_eq(kit_restore(&other, data, len), RKV_OK);
    ck_assert_int_eq(kit_restore(&other, data, len), RKV_OK);
    assert_same(&kit, &other);
    free(data);
}
END_TEST

START_TEST(a_view_without_room_to_read_into_is_refused)
{
    rkv_snapshot *snapshot;
    uint8_t byte;
    size_t len;

    ck_assert_int_eq(rkv_kv_snapshot(kit.kv, NULL), RKV_EINVAL);
    ck_assert_int_eq(rkv_kv_snapshot(kit.kv, &snapshot), RKV_OK);
    ck_assert_int_eq(rkv_snapshot_read(snapshot, &byte, 0, &len), RKV_EINVAL);
    ck_assert_int_eq(rkv_snapshot_read(snapshot, NULL, 1, &len), RKV_EINVAL);
    rkv_snapshot_close(snapshot);
}
END_TEST

Suite *suite_kv_snapshot(void)
{
    Suite *suite = suite_create("kv snapshot");
    TCase *tcase = tcase_create("snapshot");

    tcase_add_checked_fixture(tcase, open_kits, close_kits);
    tcase_add_loop_test(tcase, what_was_restored_is_the_same, 0, 7);
    tcase_add_test(tcase, an_empty_store_makes_a_snapshot_too);
    tcase_add_test(tcase, chunks_of_any_size_make_the_same_bytes);
    tcase_add_loop_test(tcase, a_view_stays_as_it_was_while_commands_go_on, 0,
                        3);
    tcase_add_test(tcase, a_view_outlives_the_state_it_was_taken_of);
    tcase_add_test(tcase, no_snapshot_cut_short_is_taken);
    tcase_add_test(tcase, no_snapshot_with_a_bent_byte_is_taken);
    tcase_add_test(tcase, bytes_behind_the_end_are_refused);
    tcase_add_test(tcase, a_promised_length_takes_no_memory);
    tcase_add_loop_test(tcase, a_history_that_cannot_have_happened_is_refused,
                        0, (int)(sizeof(forgeries) / sizeof(forgeries[0])));
    tcase_add_test(tcase, restoring_is_begun_and_ended_in_order);
    tcase_add_loop_test(tcase, watches_go_on_from_where_they_were, 0, 2);
    tcase_add_test(tcase,
                   a_watch_behind_what_the_snapshot_compacted_is_told_so);
    tcase_add_test(tcase, large_records_are_freed_with_their_state);
    tcase_add_test(tcase, a_view_without_room_to_read_into_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
