/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Writing entries: runs (sqlite_run.h) in segments.  A group's log is a run of
 * tables without gaps:
 *
 *     seg_7 │ 1 ... 16384      seg_9 │ 16385 ... 32768      seg_12 │ 32769 ...
 *
 * The newest grows until it is full; the oldest is dropped whole once nothing
 * in it is kept, which costs a few pages whatever it held.  Rows before kept
 * may lie on in a table that is not all old; nothing reads them.
 */
#include "sqlite.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void forget_statements_of(struct rkv_sqlite *s,
                                 struct rkv_segment *segment)
{
    if (segment->insert != NULL)
        s->statements--;
    if (segment->select != NULL)
        s->statements--;
    (void)sqlite3_finalize(segment->insert);
    (void)sqlite3_finalize(segment->select);
    segment->insert = NULL;
    segment->select = NULL;
}

void rkv_sqlite_forget_statements(struct rkv_sqlite *s)
{
    for (size_t i = 0; i < s->ledger.groups_count; i++) {
        struct rkv_sqlite_group *group = rkv_sqlite_group(s->ledger.groups[i]);

        for (size_t k = 0; k < group->segments_count; k++)
            forget_statements_of(s, &group->segments[k]);
    }
    assert(s->statements == 0);
}

/* One of a segment's statements; each %lld in the text is its id. */
static int prepare(struct rkv_sqlite *s, const struct rkv_segment *segment,
                   const char *format, sqlite3_stmt **statement)
{
    char sql[200];

    if (*statement != NULL)
        return RKV_OK;
    if (s->statements >= RKV_STATEMENTS_MAX)
        rkv_sqlite_forget_statements(s);
    (void)sqlite3_snprintf((int)sizeof sql, sql, format, (long long)segment->id,
                           (long long)segment->id);
    int rc = rkv_sqlite_prepare(s, sql, statement);
    if (rc == RKV_OK)
        s->statements++;
    return rc;
}

int rkv_sqlite_prepare_insert(struct rkv_sqlite *s, struct rkv_segment *segment)
{
    return prepare(s, segment, "INSERT INTO seg_%lld VALUES(?,?,?,?,?)",
                   &segment->insert);
}

int rkv_sqlite_prepare_select(struct rkv_sqlite *s, struct rkv_segment *segment)
{
    return prepare(s, segment,
                   "SELECT " RKV_RUN_COLUMNS " FROM seg_%lld WHERE i>="
                   "(SELECT max(i) FROM seg_%lld WHERE i<=?) ORDER BY i",
                   &segment->select);
}

/* Runs a statement about one segment that is not worth keeping. */
static int run_once(struct rkv_sqlite *s, int64_t id, const char *format)
{
    char sql[200];

    (void)sqlite3_snprintf((int)sizeof sql, sql, format, (long long)id);
    return rkv_sqlite_run(s, sql);
}

static struct rkv_segment *newest(struct rkv_sqlite_group *group)
{
    return group->segments_count == 0
               ? NULL
               : &group->segments[group->segments_count - 1];
}

static int add_segment(struct rkv_sqlite *s, struct rkv_sqlite_group *group,
                       uint64_t first)
{
    struct rkv_segment segment = {
        .id = s->segment_id + 1, .first = first, .last = first - 1};
    int rc =
        rkv_grow(&s->allocator, (void **)&group->segments, &group->segments_cap,
                 group->segments_count + 1, sizeof *group->segments);

    if (rc != RKV_OK)
        return rkv_trouble_say(&s->trouble, rc, "no memory for a segment");
    rc = run_once(s, segment.id,
                  "CREATE TABLE seg_%lld(i INTEGER PRIMARY KEY,last INTEGER,"
                  "before BLOB,chain BLOB,data BLOB)");
    if (rc != RKV_OK)
        return rc;
    (void)sqlite3_bind_int64(s->put_segment, 1, segment.id);
    (void)sqlite3_bind_int64(s->put_segment, 2, (int64_t)group->base.id);
    (void)sqlite3_bind_int64(s->put_segment, 3, (int64_t)first);
    rc = rkv_sqlite_step(s, s->put_segment, "naming a segment");
    if (rc != RKV_OK)
        return rc;
    s->segment_id++;
    group->segments[group->segments_count++] = segment;
    return RKV_OK;
}

static int drop_segment(struct rkv_sqlite *s, struct rkv_sqlite_group *group,
                        size_t position)
{
    struct rkv_segment *segment = &group->segments[position];

    forget_statements_of(s, segment);
    int rc = run_once(s, segment->id, "DROP TABLE seg_%lld");
    if (rc != RKV_OK)
        return rc;
    (void)sqlite3_bind_int64(s->drop_segment, 1, segment->id);
    rc = rkv_sqlite_step(s, s->drop_segment, "forgetting a segment");
    if (rc != RKV_OK)
        return rc;
    group->segments_count--;
    memmove(segment, segment + 1,
            (group->segments_count - position) * sizeof *segment);
    return RKV_OK;
}

/* One row.  It moves on where the segment ends. */
static int insert_run(struct rkv_sqlite *s, struct rkv_segment *segment,
                      const struct rkv_entry *entries, uint64_t count,
                      const uint8_t before[32])
{
    int rc = rkv_sqlite_prepare_insert(s, segment);
    sqlite3_stmt *to = segment->insert;

    if (rc != RKV_OK)
        return rc;
    rkv_run_encode(&s->run, entries, count);
    if (s->run.failed)
        return rkv_trouble_say(&s->trouble, RKV_ENOMEM,
                               "no memory for a run of %" PRIu64 " entries",
                               count);
    (void)sqlite3_bind_int64(to, 1, (int64_t)entries[0].index);
    (void)sqlite3_bind_int64(to, 2, (int64_t)entries[count - 1].index);
    (void)sqlite3_bind_blob(to, 3, before, 32, SQLITE_STATIC);
    (void)sqlite3_bind_blob(to, 4, entries[count - 1].chain, 32, SQLITE_STATIC);
    (void)sqlite3_bind_blob64(to, 5, s->run.data, s->run.len, SQLITE_STATIC);
    rc = rkv_sqlite_step(s, to, "appending entries");
    if (rc != RKV_OK)
        return rc;
    segment->last = entries[count - 1].index;
    segment->bytes += s->run.len;
    return RKV_OK;
}

/* Rows that begin at index or later leave a segment that keeps others. */
static int delete_rows(struct rkv_sqlite *s, struct rkv_segment *segment,
                       uint64_t index)
{
    char sql[100];
    sqlite3_stmt *sum = NULL;

    (void)sqlite3_snprintf((int)sizeof sql, sql,
                           "DELETE FROM seg_%lld WHERE i>=%lld",
                           (long long)segment->id, (long long)index);
    int rc = rkv_sqlite_run(s, sql);
    if (rc != RKV_OK)
        return rc;
    (void)sqlite3_snprintf((int)sizeof sql, sql,
                           "SELECT total(length(data)) FROM seg_%lld",
                           (long long)segment->id);
    rc = rkv_sqlite_prepare(s, sql, &sum);
    if (rc == RKV_OK && sqlite3_step(sum) == SQLITE_ROW)
        segment->bytes = (uint64_t)sqlite3_column_double(sum, 0);
    else if (rc == RKV_OK)
        rc = rkv_sqlite_trouble(s, "measuring a segment");
    (void)sqlite3_finalize(sum);
    return rc;
}

/* A run that begins before index and ends behind it keeps its beginning: it
 * is taken out and put back shorter. */
static int cut_segment(struct rkv_sqlite *s, struct rkv_sqlite_group *group,
                       struct rkv_segment *segment, uint64_t index)
{
    const struct rkv_entry *kept = NULL;
    uint8_t before[32];
    uint64_t first;
    int rc = rkv_sqlite_load_run(s, group, index - 1, &first, before, &kept);

    if (rc == RKV_OK)
        rc = delete_rows(s, segment, first);
    return rc == RKV_OK ? insert_run(s, segment, kept, index - first, before)
                        : rc;
}

static int cut_from(struct rkv_sqlite *s, struct rkv_sqlite_group *group,
                    uint64_t index)
{
    struct rkv_segment *segment;
    int rc = RKV_OK;

    while (rc == RKV_OK && (segment = newest(group)) != NULL &&
           segment->last >= index) {
        if (segment->first < index)
            return cut_segment(s, group, segment, index);
        rc = drop_segment(s, group, group->segments_count - 1);
    }
    return rc;
}

int rkv_sqlite_trim(struct rkv_sqlite *s, struct rkv_sqlite_group *group,
                    uint64_t kept, uint64_t last)
{
    int rc = cut_from(s, group, last + 1);

    while (rc == RKV_OK && group->segments_count != 0 &&
           group->segments[0].last < kept)
        rc = drop_segment(s, group, 0);
    return rc;
}

static bool is_full(const struct rkv_sqlite *s,
                    const struct rkv_segment *segment)
{
    return segment->last + 1 - segment->first >= s->segment_entries ||
           segment->bytes >= s->segment_bytes;
}

int rkv_sqlite_add_entries(struct rkv_sqlite *s, struct rkv_sqlite_group *group,
                           const struct rkv_entry *entries, uint64_t count,
                           const uint8_t before[32])
{
    int rc = cut_from(s, group, entries[0].index);

    /* Behind a snapshot that replaced the log there is a gap. */
    if (rc == RKV_OK && newest(group) != NULL &&
        newest(group)->last + 1 != entries[0].index)
        rc = cut_from(s, group, 0);
    while (rc == RKV_OK && count != 0) {
        if (newest(group) == NULL || is_full(s, newest(group)))
            rc = add_segment(s, group, entries[0].index);
        if (rc != RKV_OK)
            break;
        struct rkv_segment *segment = newest(group);
        uint64_t room =
            s->segment_entries - (segment->last + 1 - segment->first);
        uint64_t taken = rkv_run_cut(entries, count < room ? count : room);

        rc = insert_run(s, segment, entries, taken, before);
        before = entries[taken - 1].chain;
        entries += taken;
        count -= taken;
    }
    return rc;
}
