/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reading entries.  A run is read as a whole and followed to the chain that
 * its row ends with, before any of it is believed; rows must join without a
 * gap.  On opening, this is done from the first entry kept to the last.
 */
#include "sqlite.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct rkv_segment *newest(struct rkv_sqlite_group *group)
{
    return group->segments_count == 0
               ? NULL
               : &group->segments[group->segments_count - 1];
}

static int rotten(struct rkv_sqlite *s, const struct rkv_group *group,
                  const struct rkv_segment *segment, uint64_t row,
                  const char *expected, const char *found)
{
    return rkv_trouble_say(
        &s->trouble, RKV_ECORRUPT,
        "%s: table seg_%" PRId64 ", row %" PRIu64 " (group %" PRIu64
        "): expected %s, found %s: an acknowledged entry is "
        "damaged; " RKV_REPLACE_MEMBER,
        s->path, segment->id, row, group->id, expected, found);
}

static int rotten_chain(struct rkv_sqlite *s, const struct rkv_group *group,
                        const struct rkv_segment *segment, uint64_t row,
                        const uint8_t expected[32], const uint8_t found[32])
{
    char theirs[RKV_HEX_BYTES + 8] = "chain ";
    char ours[RKV_HEX_BYTES + 8] = "chain ";

    rkv_hex(theirs + 6, expected);
    rkv_hex(ours + 6, found);
    return rotten(s, group, segment, row, theirs, ours);
}

static struct rkv_segment *find_segment(struct rkv_sqlite_group *group,
                                        uint64_t index)
{
    for (size_t i = group->segments_count; i-- > 0;)
        if (group->segments[i].first <= index &&
            index <= group->segments[i].last)
            return &group->segments[i];
    return NULL;
}

static int no_segment(struct rkv_sqlite *s, const struct rkv_group *group,
                      uint64_t index)
{
    return rkv_trouble_say(&s->trouble, RKV_ECORRUPT,
                           "%s: table segments: expected one that holds "
                           "entry %" PRIu64 " of group %" PRIu64
                           ", found none: " RKV_REPLACE_MEMBER,
                           s->path, index, group->id);
}

/* Stands a select on the row whose run has this index; the caller resets
 * it. */
static int seek(struct rkv_sqlite *s, struct rkv_sqlite_group *group,
                uint64_t index, struct rkv_segment **out)
{
    struct rkv_segment *segment = find_segment(group, index);

    if (segment == NULL)
        return no_segment(s, &group->base, index);
    int rc = rkv_sqlite_prepare_select(s, segment);
    if (rc != RKV_OK)
        return rc;
    (void)sqlite3_bind_int64(segment->select, 1, (int64_t)index);
    int result = sqlite3_step(segment->select);
    if (result == SQLITE_DONE)
        rc = rotten(s, &group->base, segment, index, "a row", "none");
    else if (result != SQLITE_ROW)
        rc = rkv_sqlite_trouble(s, "reading an entry");
    if (rc != RKV_OK) {
        (void)sqlite3_reset(segment->select);
        return rc;
    }
    *out = segment;
    return RKV_OK;
}

/* Moves a select on to the row that must come next, that of index. */
static int step_on(struct rkv_sqlite *s, struct rkv_sqlite_group *group,
                   struct rkv_segment *segment, uint64_t index)
{
    int result = sqlite3_step(segment->select);

    if (result == SQLITE_ROW)
        return RKV_OK;
    if (result == SQLITE_DONE)
        return rotten(s, &group->base, segment, index, "a row", "none");
    return rkv_sqlite_trouble(s, "reading entries");
}

/* The chain that the row before the one of index ends with. */
static int chain_before(struct rkv_sqlite *s, struct rkv_sqlite_group *group,
                        uint64_t index, uint8_t out[32])
{
    const struct rkv_segment *segment = find_segment(group, index - 1);
    sqlite3_stmt *select = NULL;
    char sql[120];

    memcpy(out, group->base.now.kept_chain, 32);
    if (index <= group->base.now.kept)
        return RKV_OK;
    if (segment == NULL)
        return no_segment(s, &group->base, index - 1);
    (void)sqlite3_snprintf((int)sizeof sql, sql,
                           "SELECT chain FROM seg_%lld WHERE i<%lld "
                           "ORDER BY i DESC LIMIT 1",
                           (long long)segment->id, (long long)index);
    int rc = rkv_sqlite_prepare(s, sql, &select);
    if (rc != RKV_OK)
        return rc;
    int result = sqlite3_step(select);
    if (result == SQLITE_ROW)
        rkv_run_hash(select, 0, out);
    else if (result == SQLITE_DONE)
        rc = rotten(s, &group->base, segment, index - 1, "a row", "none");
    else
        rc = rkv_sqlite_trouble(s, "reading a chain");
    (void)sqlite3_finalize(select);
    return rc;
}

/* Takes the run that a select stands on into the store's own memory, behind
 * what was taken before, and follows its chain.  Payloads are noted as their
 * places, since the memory still moves. */
static int take_run(struct rkv_sqlite *s, const struct rkv_group *group,
                    const struct rkv_segment *segment, uint64_t index,
                    size_t *count, size_t *used, struct rkv_run *run)
{
    struct rkv_run_cursor cursor;
    struct rkv_entry entry;

    *run = rkv_run_of(segment->select);
    if (index < run->first || index > run->last)
        return rotten(s, group, segment, run->first, "another row", "this one");
    if (run->last - run->first >= RKV_RUN_ENTRIES_MAX)
        return rotten(s, group, segment, run->first, "fewer entries", "more");
    if (rkv_grow(&s->allocator, (void **)&s->entries, &s->entries_cap,
                 *count + (size_t)(run->last - run->first) + 1,
                 sizeof *s->entries) != RKV_OK ||
        rkv_grow(&s->allocator, (void **)&s->payload, &s->payload_cap,
                 *used + run->len, 1) != RKV_OK)
        return rkv_trouble_say(&s->trouble, RKV_ENOMEM,
                               "no memory to read entries from %" PRIu64,
                               run->first);
    if (run->len != 0)
        memcpy(s->payload + *used, run->data, run->len);
    run->data = s->payload + *used;
    rkv_run_begin(&cursor, run);
    while (rkv_run_next(&cursor, &entry)) {
        struct rkv_entry *to = &s->entries[(*count)++];

        *to = entry;
        to->data =
            (const void *)(entry.len == 0
                               ? (uintptr_t)0
                               : (uintptr_t)((const uint8_t *)entry.data -
                                             s->payload));
    }
    *used += run->len;
    if (!rkv_run_is_whole(&cursor, run))
        return rotten_chain(s, group, segment, run->first, run->chain,
                            cursor.chain);
    return RKV_OK;
}

/* Takes the first run of an answer.  Nothing before it is read that it could
 * join; so the row before is asked for the chain it ends with, or a row that
 * came here from elsewhere, whole in itself, would be believed. */
static int take_first_run(struct rkv_sqlite *s, struct rkv_sqlite_group *group,
                          const struct rkv_segment *segment, uint64_t index,
                          size_t *count, size_t *used, struct rkv_run *run)
{
    uint8_t before[32];
    int rc = take_run(s, &group->base, segment, index, count, used, run);

    if (rc != RKV_OK || run->first < group->base.now.kept)
        return rc;
    rc = chain_before(s, group, run->first, before);
    if (rc == RKV_OK && memcmp(run->before, before, 32) != 0)
        rc = rotten_chain(s, &group->base, segment, run->first, before,
                          run->before);
    return rc;
}

/* Payloads have stopped moving. */
static void settle_payloads(struct rkv_sqlite *s, size_t count)
{
    for (size_t i = 0; i < count; i++)
        s->entries[i].data = s->entries[i].len != 0
                                 ? s->payload + (uintptr_t)s->entries[i].data
                                 : NULL;
}

int rkv_sqlite_load_run(struct rkv_sqlite *s, struct rkv_sqlite_group *group,
                        uint64_t index, uint64_t *first, uint8_t before[32],
                        const struct rkv_entry **out)
{
    struct rkv_segment *segment;
    struct rkv_run run;
    size_t count = 0;
    size_t used = 0;
    int rc = seek(s, group, index, &segment);

    if (rc != RKV_OK)
        return rc;
    rc = take_first_run(s, group, segment, index, &count, &used, &run);
    (void)sqlite3_reset(segment->select);
    if (rc != RKV_OK)
        return rc;
    settle_payloads(s, count);
    *first = run.first;
    memcpy(before, run.before, 32);
    *out = s->entries;
    return RKV_OK;
}

int rkv_sqlite_place(void *ctx, struct rkv_group *base, uint64_t index,
                     struct rkv_place *out)
{
    struct rkv_sqlite *s = ctx;
    const struct rkv_entry *entries;
    uint8_t before[32];
    uint64_t first;
    int rc = rkv_sqlite_load_run(s, rkv_sqlite_group(base), index, &first,
                                 before, &entries);

    if (rc != RKV_OK)
        return rc;
    out->term = entries[index - first].term;
    memcpy(out->chain, entries[index - first].chain, 32);
    return RKV_OK;
}

/* A read under way: taken holds whole runs, of which the answer is a part. */
struct reading {
    uint64_t next; /* index to be taken next */
    uint64_t last; /* not beyond */
    uint64_t bytes_max;
    size_t skip; /* entries of the first run that were not asked for */
    size_t taken;
    size_t used;
    uint8_t chain[32];
};

/* Enough when there are as many as asked, or bytes have run out. */
static bool has_enough(const struct reading *r)
{
    return r->next > r->last || (r->taken > r->skip && r->used >= r->bytes_max);
}

static int read_segment(struct rkv_sqlite *s, struct rkv_sqlite_group *group,
                        struct reading *r)
{
    struct rkv_segment *segment;
    struct rkv_run run;
    int rc = seek(s, group, r->next, &segment);

    if (rc != RKV_OK)
        return rc;
    for (;;) {
        bool is_first = r->taken == 0;

        rc = is_first ? take_first_run(s, group, segment, r->next, &r->taken,
                                       &r->used, &run)
                      : take_run(s, &group->base, segment, r->next, &r->taken,
                                 &r->used, &run);
        if (rc != RKV_OK)
            break;
        if (is_first)
            r->skip = (size_t)(r->next - run.first);
        else if (run.first != r->next || memcmp(run.before, r->chain, 32) != 0)
            rc = rotten_chain(s, &group->base, segment, run.first, r->chain,
                              run.before);
        memcpy(r->chain, run.chain, 32);
        r->next = run.last + 1;
        if (rc != RKV_OK || has_enough(r) || r->next > segment->last)
            break;
        rc = step_on(s, group, segment, r->next);
        if (rc != RKV_OK)
            break;
    }
    (void)sqlite3_reset(segment->select);
    return rc;
}

/* How many of those taken are the answer: at least one. */
static uint32_t count_answer(const struct rkv_entry *entries, size_t there,
                             uint32_t count, uint64_t bytes_max)
{
    uint64_t bytes = entries[0].len;
    uint32_t answer = 1;

    while (answer < there && answer < count) {
        bytes += entries[answer].len;
        if (bytes > bytes_max)
            break;
        answer++;
    }
    return answer;
}

int rkv_sqlite_read(void *ctx, uint64_t id, uint64_t first, uint32_t count,
                    uint64_t bytes_max, const struct rkv_entry **out,
                    uint32_t *out_count)
{
    struct rkv_sqlite *s = ctx;
    struct rkv_group *group = rkv_ledger_find(&s->ledger, id);
    int rc = rkv_ledger_readable(&s->ledger, group, id, first);

    if (rc != RKV_OK)
        return rc;
    rkv_sqlite_slim(s);
    uint64_t last = group->now.state.last;
    struct reading r = {.next = first,
                        .last = last - first < count ? last : first + count - 1,
                        .bytes_max = bytes_max};
    while (rc == RKV_OK && !has_enough(&r))
        rc = read_segment(s, rkv_sqlite_group(group), &r);
    if (rc != RKV_OK)
        return rc;
    settle_payloads(s, r.taken);
    *out = s->entries + r.skip;
    *out_count = count_answer(*out, r.taken - r.skip, count, bytes_max);
    return RKV_OK;
}

static int load_segment(struct rkv_sqlite *s, sqlite3_stmt *select)
{
    struct rkv_segment segment = {
        .id = sqlite3_column_int64(select, 0),
        .first = (uint64_t)sqlite3_column_int64(select, 2)};
    uint64_t id = (uint64_t)sqlite3_column_int64(select, 1);
    struct rkv_group *base = rkv_ledger_find(&s->ledger, id);

    if (base == NULL || segment.id <= s->segment_id || segment.first == 0)
        return rkv_trouble_say(&s->trouble, RKV_ECORRUPT,
                               "%s: table segments, row %" PRId64
                               ": expected a group that is known and a first "
                               "index, found group %" PRIu64 "%s and %" PRIu64
                               ": " RKV_REPLACE_MEMBER,
                               s->path, segment.id, id,
                               base == NULL ? ", which has no row," : "",
                               segment.first);
    struct rkv_sqlite_group *group = rkv_sqlite_group(base);
    struct rkv_segment *before = newest(group);
    if (segment.first > base->now.state.last ||
        (before != NULL && segment.first <= before->first))
        return rkv_trouble_say(
            &s->trouble, RKV_ECORRUPT,
            "%s: table segments, row %" PRId64 " (group %" PRIu64
            "): expected a first index in order and at most %" PRIu64
            ", found %" PRIu64 ": " RKV_REPLACE_MEMBER,
            s->path, segment.id, id, base->now.state.last, segment.first);
    /* Its end is where the next one begins, or the log ends. */
    segment.last = base->now.state.last;
    if (before != NULL)
        before->last = segment.first - 1;
    int rc =
        rkv_grow(&s->allocator, (void **)&group->segments, &group->segments_cap,
                 group->segments_count + 1, sizeof *group->segments);
    if (rc != RKV_OK)
        return rkv_trouble_say(&s->trouble, rc, "no memory for a segment");
    group->segments[group->segments_count++] = segment;
    s->segment_id = segment.id;
    return RKV_OK;
}

/* The first run may begin before what is kept: then the chain at the entry
 * before that lies inside it. */
static int check_first(struct rkv_sqlite *s, const struct rkv_group *group,
                       const struct rkv_segment *segment,
                       const struct rkv_run *run)
{
    const struct rkv_picture *now = &group->now;
    struct rkv_run_cursor cursor;
    struct rkv_entry entry;

    rkv_run_begin(&cursor, run);
    while (cursor.next < now->kept && rkv_run_next(&cursor, &entry))
        continue;
    if (memcmp(cursor.chain, now->kept_chain, 32) != 0)
        return rotten_chain(s, group, segment, run->first, now->kept_chain,
                            cursor.chain);
    return RKV_OK;
}

/* One row of a scan: joins the one before it, and is whole. */
static int scan_row(struct rkv_sqlite *s, const struct rkv_group *group,
                    struct rkv_segment *segment, struct reading *r)
{
    const struct rkv_run run = rkv_run_of(segment->select);
    struct rkv_run_cursor cursor;
    struct rkv_entry entry;
    bool is_first = r->next == group->now.kept;

    if (is_first ? r->next < run.first || r->next > run.last
                 : r->next != run.first)
        return rotten(s, group, segment, r->next, "the row", "another");
    rkv_run_begin(&cursor, &run);
    while (rkv_run_next(&cursor, &entry))
        continue;
    if (!rkv_run_is_whole(&cursor, &run) ||
        run.last - run.first >= RKV_RUN_ENTRIES_MAX)
        return rotten_chain(s, group, segment, run.first, run.chain,
                            cursor.chain);
    int rc = RKV_OK;
    if (is_first)
        rc = check_first(s, group, segment, &run);
    else if (memcmp(run.before, r->chain, 32) != 0)
        rc = rotten_chain(s, group, segment, run.first, r->chain, run.before);
    memcpy(r->chain, run.chain, 32);
    r->next = run.last + 1;
    segment->bytes += run.len;
    return rc;
}

static int scan_segment(struct rkv_sqlite *s, struct rkv_sqlite_group *group,
                        struct reading *r)
{
    struct rkv_segment *segment;
    int rc = seek(s, group, r->next, &segment);

    if (rc != RKV_OK)
        return rc;
    for (;;) {
        rc = scan_row(s, &group->base, segment, r);
        if (rc != RKV_OK || r->next > segment->last)
            break;
        rc = step_on(s, group, segment, r->next);
        if (rc != RKV_OK)
            break;
    }
    if (rc == RKV_OK && (r->next != segment->last + 1 ||
                         sqlite3_step(segment->select) != SQLITE_DONE))
        rc = rotten(s, &group->base, segment, segment->last + 1, "no row",
                    "one");
    (void)sqlite3_reset(segment->select);
    return rc;
}

/* Reads a group's whole log and follows its chain to the end that the group's
 * row names. */
static int scan(struct rkv_sqlite *s, struct rkv_sqlite_group *group)
{
    const struct rkv_picture *now = &group->base.now;
    struct reading r = {.next = now->kept};
    char expected[RKV_HEX_BYTES];
    char found[RKV_HEX_BYTES];
    int rc = RKV_OK;

    memcpy(r.chain, now->kept_chain, 32);
    while (rc == RKV_OK && r.next <= now->state.last)
        rc = scan_segment(s, group, &r);
    if (rc != RKV_OK || memcmp(r.chain, now->last.chain, 32) == 0)
        return rc;
    rkv_hex(expected, now->last.chain);
    rkv_hex(found, r.chain);
    return rkv_trouble_say(
        &s->trouble, RKV_ECORRUPT,
        "%s: table groups, row %" PRIu64
        ": expected a log that ends at %" PRIu64
        " with chain %s, found one with %s: " RKV_REPLACE_MEMBER,
        s->path, group->base.id, now->state.last, expected, found);
}

int rkv_sqlite_load_segments(struct rkv_sqlite *s)
{
    sqlite3_stmt *select = NULL;
    int result = SQLITE_DONE;
    int rc = rkv_sqlite_prepare(
        s, "SELECT id,grp,first FROM segments ORDER BY id", &select);

    while (rc == RKV_OK && (result = sqlite3_step(select)) == SQLITE_ROW)
        rc = load_segment(s, select);
    if (rc == RKV_OK && result != SQLITE_DONE)
        rc = rkv_sqlite_trouble(s, "reading the table segments");
    (void)sqlite3_finalize(select);
    for (size_t i = 0; rc == RKV_OK && i < s->ledger.groups_count; i++)
        rc = scan(s, rkv_sqlite_group(s->ledger.groups[i]));
    return rc;
}
