/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The conformance run, on trial itself: stores that break one promise each,
 * made of a sound store and a wrapper, and the rule that must name it.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

Suite *suite_store_conformance(void);

enum fault {
    SOUND,
    LOSES_TERM,
    LOSES_VOTE,
    LOSES_COMMIT,
    LAST_NEVER_FALLS,
    IGNORES_REPLACEMENT,
    WRITES_RECORD_BY_RECORD,
    WRITES_FIRST_RECORD_ONLY,
    SPOILS_CHAIN,
    SPOILS_PAYLOAD,
    SPOILS_KIND,
    READS_BEYOND_LAST,
    READS_PAST_LAST,
    IGNORES_COUNT,
    IGNORES_BYTES,
    GIVES_NOTHING,
    ACCEPTS_GAPS,
    BOOT_STANDS_STILL,
    IDENTITY_IS_OVERWRITTEN,
    IDENTITY_IS_LOST,
    IS_NOT_FRESH,
    UNKNOWN_GROUPS_HAVE_A_TERM,
    MIXES_GROUPS,
    ALWAYS_RECOVERING,
    REFUSES_LARGE_ENTRIES,
    REFUSES_MANY_ENTRIES,
    SERVES_ANY_SNAPSHOT,
    NAMES_ANY_SNAPSHOT,
    NEVER_SWAPS,
    LOSES_CONFIG,
    KEEPS_COVERED_ENTRIES,
    DROPS_FOLLOWING_ENTRIES,
    FORGETS_WHERE_A_SNAPSHOT_ENDS,
    PREVIOUS_IS_GONE,
    TAKES_BYTES_IN_ANY_ORDER,
    FINISHES_AT_ANY_LENGTH,
    SPOILS_SNAPSHOT,
    REFUSES_EMPTY_SNAPSHOTS,
    REFUSES_LARGE_PIECES,
    BEGINS_ONLY_ONCE,
    HAS_ONE_SNAPSHOT_FOR_ALL,
    COMPACTS_TOO_FAR,
    SPOILS_WHAT_IS_COVERED,
    FORGETS_STATE_AT_REOPEN,
    FORGETS_ALL_AT_REOPEN,
    PROMISES_NOTHING,
    PROMISES_NOTHING_AT_REOPEN,
    TAKES_ANY_IDENTITY,
    TAKES_PROMISES_BACK,
    TAKES_ANY_ENTRY,
    TURNS_RECORDS_ROUND,
    MIXES_LAST_GROUP,
    NAMES_OLDER_SNAPSHOTS,
    FORGETS_ALL_BUT_THE_SNAPSHOT,
    UNNAMED_RETURNS_AT_REOPEN,
    IS_BORN_AGAIN_AT_REOPEN,
    BOOT_FALLS_AT_REOPEN
};

/* Each fault, and a rule that must not hold then. */
static const struct {
    enum fault fault;
    const char *rule;
} cases[] = {
    {IS_NOT_FRESH, "a-fresh-store-is-empty"},
    {UNKNOWN_GROUPS_HAVE_A_TERM, "an-unknown-group-is-empty"},
    {BOOT_STANDS_STILL, "a-start-raises-the-boot"},
    {IDENTITY_IS_LOST, "an-identity-is-kept"},
    {IDENTITY_IS_OVERWRITTEN, "another-identity-is-refused"},
    {TAKES_ANY_IDENTITY, "half-an-identity-is-refused"},
    {TAKES_PROMISES_BACK, "promises-are-not-taken-back"},
    {PROMISES_NOTHING, "the-highest-term-is-promised"},
    {PROMISES_NOTHING_AT_REOPEN, "state-survives-a-reopen"},
    {TAKES_ANY_ENTRY, "entries-must-follow"},
    {TURNS_RECORDS_ROUND, "records-take-turns"},
    {MIXES_LAST_GROUP, "groups-have-any-number"},
    {NAMES_OLDER_SNAPSHOTS, "an-older-snapshot-is-refused"},
    {FORGETS_ALL_BUT_THE_SNAPSHOT, "a-record's-parts-take-turns"},
    {LOSES_TERM, "the-term-is-kept"},
    {LOSES_VOTE, "the-vote-is-kept"},
    {LOSES_COMMIT, "the-commit-is-carried"},
    {SPOILS_CHAIN, "entries-read-back"},
    {SPOILS_PAYLOAD, "entries-read-back"},
    {SPOILS_KIND, "entries-read-back"},
    {READS_PAST_LAST, "a-read-ends-at-the-last"},
    {REFUSES_MANY_ENTRIES, "many-entries-read-back"},
    {REFUSES_LARGE_ENTRIES, "a-large-entry-reads-back"},
    {IGNORES_COUNT, "a-read-stops-at-its-count"},
    {IGNORES_BYTES, "a-read-stops-near-its-bytes"},
    {GIVES_NOTHING, "a-read-gives-at-least-one"},
    {READS_BEYOND_LAST, "a-read-beyond-the-last-is-refused"},
    {IGNORES_REPLACEMENT, "a-tail-is-replaced"},
    {LAST_NEVER_FALLS, "a-shorter-tail-leaves-nothing-behind"},
    {ACCEPTS_GAPS, "a-gap-is-refused"},
    {WRITES_RECORD_BY_RECORD, "a-refused-write-changes-nothing"},
    {WRITES_FIRST_RECORD_ONLY, "one-write-spans-groups"},
    {MIXES_GROUPS, "groups-are-kept-apart"},
    {ALWAYS_RECOVERING, "a-mark-of-recovery-is-cleared"},
    {SPOILS_SNAPSHOT, "a-snapshot-reads-back"},
    {REFUSES_EMPTY_SNAPSHOTS, "an-empty-snapshot-reads-back"},
    {REFUSES_LARGE_PIECES, "a-large-snapshot-reads-back"},
    {SERVES_ANY_SNAPSHOT, "an-unfinished-snapshot-is-not-served"},
    {SERVES_ANY_SNAPSHOT, "an-unnamed-snapshot-is-not-current"},
    {NAMES_ANY_SNAPSHOT, "only-a-finished-snapshot-can-be-named"},
    {NAMES_ANY_SNAPSHOT, "a-snapshot-is-named-by-its-length"},
    {TAKES_BYTES_IN_ANY_ORDER, "a-snapshot-is-written-in-order"},
    {FINISHES_AT_ANY_LENGTH, "a-snapshot-is-finished-at-its-length"},
    {NEVER_SWAPS, "a-named-snapshot-swaps-the-state"},
    {LOSES_CONFIG, "a-named-snapshot-swaps-the-state"},
    {KEEPS_COVERED_ENTRIES, "a-snapshot-drops-what-it-covers"},
    {DROPS_FOLLOWING_ENTRIES, "a-snapshot-keeps-what-follows"},
    {LAST_NEVER_FALLS, "a-snapshot-replaces-another-log"},
    {FORGETS_WHERE_A_SNAPSHOT_ENDS, "a-snapshot-replaces-a-shorter-log"},
    {PREVIOUS_IS_GONE, "the-previous-snapshot-is-served"},
    {BEGINS_ONLY_ONCE, "beginning-discards-the-unfinished"},
    {HAS_ONE_SNAPSHOT_FOR_ALL, "snapshots-are-kept-apart"},
    {COMPACTS_TOO_FAR, "compaction-stops-at-the-snapshot"},
    {SPOILS_WHAT_IS_COVERED, "compaction-leaves-the-rest"},
    {FORGETS_STATE_AT_REOPEN, "state-survives-a-reopen"},
    {FORGETS_ALL_AT_REOPEN, "the-log-survives-a-reopen"},
    {FORGETS_ALL_AT_REOPEN, "snapshots-survive-a-reopen"},
    {FORGETS_ALL_AT_REOPEN, "the-identity-survives-a-reopen"},
    {IS_BORN_AGAIN_AT_REOPEN, "the-identity-survives-a-reopen"},
    {UNNAMED_RETURNS_AT_REOPEN, "an-unnamed-snapshot-does-not-return"},
    {BOOT_FALLS_AT_REOPEN, "a-reopen-raises-the-boot"},
    {LOSES_VOTE, "a-random-life-agrees"},
};
enum { CASES = sizeof cases / sizeof *cases };

enum { SLOTS = 512 };
struct broken {
    rkv_store *inner;
    enum fault fault;
    bool was_reopened;
    uint64_t boot;
    uint64_t cluster;
    uint64_t member;
    uint64_t group[SLOTS]; /* last seen, by group ... */
    uint64_t last[SLOTS];  /* ... the highest last index */
    uint64_t compacted[SLOTS];
    uint64_t coming[SLOTS];
    struct rkv_entry entries[1024];
    uint8_t byte[4];
};

static size_t slot_of(struct broken *b, uint64_t group)
{
    size_t i = 0;

    while (i + 1 < SLOTS && b->group[i] != 0 && b->group[i] != group)
        i++;
    b->group[i] = group;
    return i;
}

static uint64_t mixed(const struct broken *b, uint64_t group)
{
    if (b->fault == MIXES_LAST_GROUP && group == UINT64_MAX)
        return 0;
    return b->fault == MIXES_GROUPS ? 1 : group;
}

static void broken_close(void *ctx)
{
    (void)ctx;
}

static int broken_start(void *ctx, struct rkv_store_identity *out)
{
    struct broken *b = ctx;
    int rc = rkv_store_start(b->inner, out);

    b->boot = out->boot > b->boot ? out->boot : b->boot;
    if (b->fault == BOOT_STANDS_STILL)
        out->boot = 1;
    if (b->fault == BOOT_FALLS_AT_REOPEN && b->was_reopened)
        out->boot = 1;
    if (b->fault == PROMISES_NOTHING ||
        (b->fault == PROMISES_NOTHING_AT_REOPEN && b->was_reopened))
        out->promised = 0;
    if (b->fault == IDENTITY_IS_LOST)
        out->cluster = 0;
    if (b->fault == IS_BORN_AGAIN_AT_REOPEN)
        out->incarnation[0] = (uint8_t)out->boot;
    if (b->fault == IS_NOT_FRESH && out->cluster == 0)
        out->cluster = 1;
    if (b->fault == IDENTITY_IS_OVERWRITTEN) {
        out->cluster = b->cluster;
        out->member = b->member;
    }
    return rc;
}

static int broken_state(void *ctx, uint64_t group, struct rkv_store_state *out)
{
    struct broken *b = ctx;
    size_t slot = slot_of(b, group);
    int rc = rkv_store_state(b->inner, mixed(b, group), out);

    if (b->fault == LOSES_TERM)
        out->term &= 0xffff;
    if (b->fault == UNKNOWN_GROUPS_HAVE_A_TERM && out->term == 0)
        out->term = 1;
    if (b->fault == ALWAYS_RECOVERING)
        out->recovering = 1;
    if (b->fault == LAST_NEVER_FALLS && out->last < b->last[slot])
        out->last = b->last[slot];
    if (b->fault == FORGETS_WHERE_A_SNAPSHOT_ENDS && out->snapshot_index != 0 &&
        out->last == out->snapshot_index)
        out->last--;
    if (b->fault == COMPACTS_TOO_FAR && out->first <= b->compacted[slot])
        out->first = b->compacted[slot] + 1;
    if (b->fault == LOSES_CONFIG)
        out->config_len = 0;
    if (b->fault == FORGETS_STATE_AT_REOPEN && b->was_reopened)
        out->term = out->vote = 0;
    if (b->fault == UNNAMED_RETURNS_AT_REOPEN && b->was_reopened &&
        b->coming[slot] != 0)
        out->snapshot_index = b->coming[slot];
    return rc;
}

/* Writes of these flags are said to have worked, whatever became of them. */
static const uint32_t takes_anyway[BOOT_FALLS_AT_REOPEN + 1] = {
    [TAKES_ANY_IDENTITY] = RKV_WRITE_IDENTITY,
    [TAKES_PROMISES_BACK] = RKV_WRITE_STATE,
    [TAKES_ANY_ENTRY] = RKV_WRITE_ENTRIES,
    [NAMES_OLDER_SNAPSHOTS] = RKV_WRITE_SNAPSHOT};

/* What a faulty writer makes of one record; false: nothing at all. */
static bool twist(struct broken *b, struct rkv_store_write *write)
{
    struct rkv_store_state state = {.size = sizeof state};
    size_t slot = slot_of(b, write->group);
    bool has_entries = (write->flags & RKV_WRITE_ENTRIES) != 0;

    write->group = mixed(b, write->group);
    (void)rkv_store_state(b->inner, write->group, &state);
    if (b->fault == LOSES_VOTE)
        write->vote = 0;
    if (b->fault == LOSES_COMMIT)
        write->commit = 0;
    if (b->fault == NEVER_SWAPS)
        write->flags &= ~(uint32_t)RKV_WRITE_SNAPSHOT;
    if (b->fault == KEEPS_COVERED_ENTRIES &&
        (write->flags & RKV_WRITE_SNAPSHOT)) {
        write->flags |= RKV_WRITE_COMPACT;
        write->compact = 0;
    }
    if (b->fault == DROPS_FOLLOWING_ENTRIES)
        write->snapshot_term += 1000;
    if (b->fault == FORGETS_ALL_BUT_THE_SNAPSHOT &&
        (write->flags & RKV_WRITE_SNAPSHOT))
        write->flags = RKV_WRITE_SNAPSHOT;
    if (write->flags & RKV_WRITE_COMPACT)
        b->compacted[slot] = write->compact;
    if ((write->flags & RKV_WRITE_SNAPSHOT) != 0)
        b->coming[slot] = 0;
    if (write->flags & RKV_WRITE_IDENTITY) {
        b->cluster = write->cluster;
        b->member = write->member;
    }
    if (has_entries && write->entries[write->count - 1].index > b->last[slot])
        b->last[slot] = write->entries[write->count - 1].index;
    if (b->fault == IGNORES_REPLACEMENT && has_entries &&
        write->entries[0].index <= state.last)
        return false;
    if (b->fault == ACCEPTS_GAPS && has_entries &&
        write->entries[0].index > state.last + 1)
        return false;
    return write->flags != 0;
}

static int broken_write(void *ctx, const struct rkv_store_write *writes,
                        uint32_t count)
{
    struct broken *b = ctx;
    struct rkv_store_write twisted[8];
    uint32_t kept = 0;
    int rc = RKV_OK;

    ck_assert_uint_le(count, 8);
    for (uint32_t i = 0; i < count; i++) {
        if (b->fault == WRITES_FIRST_RECORD_ONLY && i > 0)
            break;
        if ((writes[i].flags & RKV_WRITE_ENTRIES) &&
            ((b->fault == REFUSES_MANY_ENTRIES && writes[i].count > 256) ||
             (b->fault == REFUSES_LARGE_ENTRIES &&
              writes[i].entries[0].len > 65536)))
            return RKV_ETOOBIG;
        twisted[kept] = writes[i];
        if (twist(b, &twisted[kept]))
            kept++;
    }
    if (b->fault == WRITES_RECORD_BY_RECORD) {
        for (uint32_t i = 0; rc == RKV_OK && i < kept; i++)
            rc = rkv_store_write(b->inner, &twisted[i], 1);
        return rc;
    }
    for (uint32_t i = 0; b->fault == TURNS_RECORDS_ROUND && i < kept / 2; i++) {
        struct rkv_store_write other = twisted[kept - 1 - i];

        twisted[kept - 1 - i] = twisted[i];
        twisted[i] = other;
    }
    rc = rkv_store_write(b->inner, twisted, kept);
    if (rc == RKV_EINVAL && writes[0].flags == takes_anyway[b->fault])
        return RKV_OK;
    if (rc == RKV_ENOTFOUND && b->fault == NAMES_ANY_SNAPSHOT)
        return RKV_OK;
    if (rc == RKV_EEXIST && b->fault == IDENTITY_IS_OVERWRITTEN)
        return RKV_OK;
    return rc;
}

static void spoil(struct broken *b, struct rkv_entry *entry, uint64_t covered)
{
    if (b->fault == SPOILS_CHAIN)
        entry->chain[31] ^= 1;
    if (b->fault == SPOILS_KIND)
        entry->kind = RKV_ENTRY_COMMAND;
    if (b->fault == SPOILS_WHAT_IS_COVERED && entry->index <= covered)
        entry->term++;
    if (b->fault == SPOILS_PAYLOAD && entry->len != 0 &&
        entry->len <= sizeof b->byte)
        entry->data = b->byte;
}

static int broken_read(void *ctx, uint64_t group, uint64_t first,
                       uint32_t count, uint64_t bytes_max,
                       const struct rkv_entry **out, uint32_t *out_count)
{
    struct broken *b = ctx;
    struct rkv_store_state state = {.size = sizeof state};
    const struct rkv_entry *found;
    uint32_t many;

    group = mixed(b, group);
    (void)rkv_store_state(b->inner, group, &state);
    if (b->fault == IGNORES_COUNT)
        count = UINT32_MAX;
    if (b->fault == IGNORES_BYTES)
        bytes_max = UINT64_MAX;
    if (b->fault == READS_BEYOND_LAST && first > state.last)
        first = state.last;
    int rc =
        rkv_store_read(b->inner, group, first, count, bytes_max, &found, &many);
    if (rc != RKV_OK)
        return rc;
    ck_assert_uint_lt(many, 1023);
    memcpy(b->entries, found, many * sizeof *found);
    for (uint32_t i = 0; i < many; i++)
        spoil(b, &b->entries[i], state.snapshot_index);
    if (b->fault == READS_PAST_LAST && many < count) {
        b->entries[many] = b->entries[many - 1];
        many++;
    }
    *out = b->entries;
    *out_count = b->fault == GIVES_NOTHING && bytes_max == 0 ? 0 : many;
    return RKV_OK;
}

static int broken_snap_begin(void *ctx, uint64_t group, uint64_t index)
{
    struct broken *b = ctx;
    size_t slot = slot_of(b, group);

    if (b->fault == BEGINS_ONLY_ONCE && b->coming[slot] != 0)
        return RKV_OK;
    b->coming[slot] = index;
    if (b->fault == HAS_ONE_SNAPSHOT_FOR_ALL)
        group = 1;
    int rc = rkv_store_snap_begin(b->inner, mixed(b, group), index);
    return b->fault == NAMES_OLDER_SNAPSHOTS ? RKV_OK : rc;
}

static int broken_snap_write(void *ctx, uint64_t group, uint64_t offset,
                             const void *data, size_t len)
{
    struct broken *b = ctx;
    uint8_t copy[4096];

    if (b->fault == REFUSES_LARGE_PIECES && len > sizeof copy)
        return RKV_ETOOBIG;
    if (b->fault == SPOILS_SNAPSHOT && len > 100 && len <= sizeof copy) {
        memcpy(copy, data, len);
        copy[100] ^= 1;
        data = copy;
    }
    if (b->fault == HAS_ONE_SNAPSHOT_FOR_ALL)
        group = 1;
    int rc = rkv_store_snap_write(b->inner, mixed(b, group), offset, data, len);
    if (rc == RKV_ESTATE && b->fault == NAMES_OLDER_SNAPSHOTS)
        return RKV_OK;
    return rc == RKV_EINVAL && b->fault == TAKES_BYTES_IN_ANY_ORDER ? RKV_OK
                                                                    : rc;
}

static int broken_snap_finish(void *ctx, uint64_t group, uint64_t len)
{
    struct broken *b = ctx;

    if (b->fault == HAS_ONE_SNAPSHOT_FOR_ALL)
        group = 1;
    if (b->fault == REFUSES_EMPTY_SNAPSHOTS && len == 0)
        return RKV_EINVAL;
    int rc = rkv_store_snap_finish(b->inner, mixed(b, group), len);
    if (rc == RKV_ESTATE && b->fault == NAMES_OLDER_SNAPSHOTS)
        return RKV_OK;
    return rc == RKV_EINVAL && b->fault == FINISHES_AT_ANY_LENGTH ? RKV_OK : rc;
}

static int broken_snap_read(void *ctx, uint64_t group, uint64_t index,
                            uint64_t offset, void *buf, size_t cap, size_t *len)
{
    struct broken *b = ctx;
    struct rkv_store_state state = {.size = sizeof state};

    group = mixed(b, group);
    (void)rkv_store_state(b->inner, group, &state);
    if (b->fault == PREVIOUS_IS_GONE && index != state.snapshot_index)
        return RKV_ENOTFOUND;
    int rc = rkv_store_snap_read(b->inner, group, index, offset, buf, cap, len);
    if (rc == RKV_ENOTFOUND && b->fault == SERVES_ANY_SNAPSHOT) {
        *len = 0;
        return RKV_OK;
    }
    return rc;
}

static rkv_store *wrap(struct broken *b)
{
    const struct rkv_store_methods methods = {
        .size = sizeof methods,
        .close = broken_close,
        .start = broken_start,
        .state = broken_state,
        .write = broken_write,
        .read = broken_read,
        .snap_begin = broken_snap_begin,
        .snap_write = broken_snap_write,
        .snap_finish = broken_snap_finish,
        .snap_read = broken_snap_read,
    };
    rkv_store *store = NULL;

    ck_assert_int_eq(rkv_store_custom(&methods, b, NULL, &store), RKV_OK);
    return store;
}

static int reopen(void *ctx, rkv_store **store)
{
    struct broken *b = ctx;

    b->was_reopened = true;
    if (b->fault == FORGETS_ALL_AT_REOPEN) {
        rkv_store_close(b->inner);
        ck_assert_int_eq(rkv_store_memory(NULL, &b->inner), RKV_OK);
    }
    rkv_store_close(*store);
    *store = wrap(b);
    return RKV_OK;
}

static char report[16384];

static int try_out(enum fault fault)
{
    static struct broken b;
    rkv_store *store;

    memset(&b, 0, sizeof b);
    b.fault = fault;
    ck_assert_int_eq(rkv_store_memory(NULL, &b.inner), RKV_OK);
    store = wrap(&b);
    int rc = rkv_store_check(&store, reopen, &b, 1, report, sizeof report);
    rkv_store_close(store);
    rkv_store_close(b.inner);
    return rc;
}

static bool reports(const char *verdict, const char *rule)
{
    char line[200];
    const char *at;

    (void)snprintf(line, sizeof line, "%s %s", verdict, rule);
    at = strstr(report, line);
    while (at != NULL && at != report && at[-1] != '\n')
        at = strstr(at + 1, line);
    return at != NULL;
}

START_TEST(a_sound_store_passes_whole)
{
    int rc = try_out(SOUND);

    ck_assert_msg(rc == RKV_OK, "%s", report);
    ck_assert_ptr_null(strstr(report, "not ok"));
    ck_assert_ptr_null(strstr(report, "skip"));
    ck_assert_ptr_nonnull(strstr(report, "0 broken, 0 left out\n"));
}
END_TEST

START_TEST(a_broken_store_is_named_by_its_rule)
{
    int rc = try_out(cases[_i].fault);

    ck_assert_int_lt(rc, 0);
    ck_assert_msg(reports("not ok", cases[_i].rule), "%s should be broken:\n%s",
                  cases[_i].rule, report);
}
END_TEST

START_TEST(every_rule_is_broken_by_some_store)
{
    ck_assert_int_eq(try_out(SOUND), RKV_OK);
    for (const char *line = report; strncmp(line, "ok ", 3) == 0;
         line = strchr(line, '\n') + 1) {
        size_t len = strcspn(line + 3, "\n");
        bool found = false;

        for (size_t i = 0; i < CASES; i++)
            found |= strlen(cases[i].rule) == len &&
                     memcmp(cases[i].rule, line + 3, len) == 0;
        ck_assert_msg(found, "no store breaks %.*s", (int)len, line + 3);
    }
}
END_TEST

START_TEST(a_report_is_cut_to_its_room)
{
    char small[40];
    rkv_store *store;

    ck_assert_int_eq(rkv_store_memory(NULL, &store), RKV_OK);
    memset(small, 'x', sizeof small);
    ck_assert_int_eq(
        rkv_store_check(&store, NULL, NULL, 1, small, sizeof small - 1),
        RKV_OK);
    ck_assert_uint_eq(strlen(small), sizeof small - 2);
    ck_assert_int_eq(small[sizeof small - 1], 'x');
    rkv_store_close(store);
    ck_assert_int_eq(rkv_store_memory(NULL, &store), RKV_OK);
    ck_assert_int_eq(rkv_store_check(&store, NULL, NULL, 1, NULL, 0), RKV_OK);
    ck_assert_int_eq(rkv_store_check(NULL, NULL, NULL, 1, NULL, 0), RKV_EINVAL);
    rkv_store_close(store);
}
END_TEST

START_TEST(equal_seeds_give_equal_reports)
{
    static char first[sizeof report];

    ck_assert_int_lt(try_out(LOSES_VOTE), 0);
    memcpy(first, report, sizeof report);
    ck_assert_int_lt(try_out(LOSES_VOTE), 0);
    ck_assert_str_eq(first, report);
}
END_TEST

Suite *suite_store_conformance(void)
{
    Suite *suite = suite_create("store/conformance");
    TCase *run = tcase_create("run");

    tcase_add_test(run, a_sound_store_passes_whole);
    tcase_add_loop_test(run, a_broken_store_is_named_by_its_rule, 0, CASES);
    tcase_add_test(run, every_rule_is_broken_by_some_store);
    tcase_add_test(run, a_report_is_cut_to_its_room);
    tcase_add_test(run, equal_seeds_give_equal_reports);
    suite_add_tcase(suite, run);
    return suite;
}
