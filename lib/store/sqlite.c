/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The SQLite store.  path/log.db holds hard state and logs:
 *
 *     meta      one row: format, incarnation, identity, sequence, mark
 *     groups    one row per group: term, vote, commit, the ends of its log,
 *               its snapshots, the sequence of the last write to it
 *     segments  which tables hold whose entries
 *     seg_<id>  entries, a row for each run that was written together
 *
 * WAL with synchronous=FULL: one sync per transaction, none less.  Then the
 * promise file says how far it went (promise.h).  secure_delete and automatic
 * checkpoints are off: dropping a segment must not rewrite it, and a
 * checkpoint waits for the end of a write.  No mmap: a bad page is an error,
 * not a signal.  Rows carry checksums of their own, since SQLite checks its
 * log but not its pages; entries are checked by their chain.
 */
#include "sqlite.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../base/options.h"

enum {
    CHECKPOINT_PAGES = 4000,
    SEGMENT_ENTRIES = 16384,
    /* How far ahead of itself the WAL is filled with zeros. */
    AHEAD_BYTES = 512 * 1024,
    WAL_FRAME_BYTES = RKV_PAGE_BYTES + 24
};
#define SEGMENT_BYTES ((uint64_t)64 * 1024 * 1024)

int rkv_sqlite_trouble(struct rkv_sqlite *s, const char *doing)
{
    int result = sqlite3_extended_errcode(s->db);
    int kind = result & 0xff;
    int reason = kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN
                     ? sqlite3_system_errno(s->db)
                     : 0;
    int code = rkv_disk_code(result, reason);

    return rkv_trouble_say(
        &s->trouble, code, "%s: %s failed: %s%s%s (SQLite result %d): %s",
        s->path, doing, sqlite3_errmsg(s->db), reason != 0 ? ", " : "",
        reason != 0 ? strerror(reason) : "", result, rkv_disk_advice(code));
}

int rkv_sqlite_prepare(struct rkv_sqlite *s, const char *sql,
                       sqlite3_stmt **out)
{
    if (sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out,
                           NULL) != SQLITE_OK)
        return rkv_sqlite_trouble(s, sql);
    return RKV_OK;
}

int rkv_sqlite_run(struct rkv_sqlite *s, const char *sql)
{
    if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return rkv_sqlite_trouble(s, sql);
    return RKV_OK;
}

int rkv_sqlite_step(struct rkv_sqlite *s, sqlite3_stmt *statement,
                    const char *doing)
{
    int rc = RKV_OK;

    if (sqlite3_step(statement) != SQLITE_DONE)
        rc = rkv_sqlite_trouble(s, doing);
    (void)sqlite3_reset(statement);
    return rc;
}

int rkv_sqlite_begin(struct rkv_sqlite *s)
{
    return rkv_sqlite_step(s, s->begin, "beginning a transaction");
}

int rkv_sqlite_promise(struct rkv_sqlite *s, uint64_t boot)
{
    struct rkv_promise_record next = s->promise.said;

    next.cluster = s->ledger.next_cluster;
    next.member = s->ledger.next_member;
    next.boot = boot;
    next.sequence = s->sequence;
    for (size_t i = 0; i < s->ledger.touched_count; i++)
        if (next.term < s->ledger.touched[i]->next.state.term)
            next.term = s->ledger.touched[i]->next.state.term;
    return rkv_promise_say(&s->promise, &next);
}

int rkv_sqlite_commit(struct rkv_sqlite *s)
{
    int rc = rkv_sqlite_step(s, s->commit, "committing");

    return rc != RKV_OK ? rc : rkv_sqlite_promise(s, s->promise.said.boot);
}

/* Nothing that failed is tried again: nobody knows what a disk holds after a
 * failed sync, and SQLite itself would go on as if nothing had been. */
static int give_up(struct rkv_sqlite *s, int rc)
{
    s->failed = true;
    if (s->db != NULL && !sqlite3_get_autocommit(s->db))
        (void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

static int mark_groups(struct rkv_sqlite *s)
{
    int rc = rkv_sqlite_begin(s);

    for (size_t i = 0; rc == RKV_OK && i < s->ledger.groups_count; i++) {
        struct rkv_group *group = s->ledger.groups[i];

        if (group->known)
            rc = rkv_sqlite_put_group(s, rkv_sqlite_group(group), &group->now);
    }
    if (rc == RKV_OK)
        rc = rkv_sqlite_put_meta(s);
    return rc == RKV_OK ? rkv_sqlite_commit(s) : rc;
}

/* The first transaction after commits were lost: above everything that was
 * promised, it marks the store and all its groups. */
static int mark_lost(struct rkv_sqlite *s)
{
    if (!s->unmarked)
        return RKV_OK;
    if (s->sequence < s->promise.said.sequence)
        s->sequence = s->promise.said.sequence;
    s->sequence++;
    int rc = mark_groups(s);
    if (rc != RKV_OK)
        return give_up(s, rc);
    s->unmarked = false;
    return RKV_OK;
}

/* A damaged slot may have held a later boot than the one that is left, by one:
 * after a larger step both say the new one, lest the next slot to be damaged
 * be the only one that did. */
static int raise_boot(struct rkv_sqlite *s)
{
    bool is_damaged = s->promise.damaged;
    int rc = mark_lost(s);

    if (rc != RKV_OK)
        return rc;
    rc = rkv_sqlite_promise(s, s->promise.said.boot + 1 + is_damaged);
    if (rc == RKV_OK && is_damaged)
        rc = rkv_sqlite_promise(s, s->promise.said.boot);
    if (rc != RKV_OK)
        return give_up(s, rc);
    s->promise.damaged = false;
    s->started = true;
    return RKV_OK;
}

static int sqlite_start(void *ctx, struct rkv_store_identity *out)
{
    struct rkv_sqlite *s = ctx;
    bool knows_none = true;
    int rc = raise_boot(s);

    if (rc != RKV_OK)
        return rc;
    out->cluster = s->ledger.cluster;
    out->member = s->ledger.member;
    out->boot = s->promise.said.boot;
    out->promised = s->promise.said.term;
    memcpy(out->incarnation, s->promise.said.incarnation,
           sizeof out->incarnation);
    for (size_t i = 0; i < s->ledger.groups_count; i++) {
        struct rkv_group *group = s->ledger.groups[i];

        /* What nobody finished does not outlive who began it. */
        rkv_sqlite_discard_snapshot(rkv_sqlite_group(group));
        if (!group->known)
            continue;
        knows_none = false;
        if (group->now.state.recovering)
            out->recovering = 1;
    }
    /* Its groups are among what it lost, until they are heard of again. */
    if (s->ledger.marked && knows_none)
        out->recovering = 1;
    return RKV_OK;
}

static int sqlite_state(void *ctx, uint64_t id, struct rkv_store_state *out)
{
    struct rkv_sqlite *s = ctx;

    rkv_ledger_state(&s->ledger, id, out);
    return RKV_OK;
}

static int check_sizes(struct rkv_sqlite *s,
                       const struct rkv_store_write *write)
{
    if ((write->flags & RKV_WRITE_SNAPSHOT) &&
        write->config_len > RKV_ROW_BYTES_MAX)
        return rkv_trouble_say(&s->trouble, RKV_ETOOBIG,
                               "a configuration of %zu bytes is more than a "
                               "row can hold",
                               write->config_len);
    for (uint64_t i = 0; (write->flags & RKV_WRITE_ENTRIES) && i < write->count;
         i++)
        if (write->entries[i].len > RKV_ROW_BYTES_MAX)
            return rkv_trouble_say(&s->trouble, RKV_ETOOBIG,
                                   "entry %" PRIu64 " of %" PRIu32
                                   " bytes is more than a row can hold",
                                   write->entries[i].index,
                                   write->entries[i].len);
    return RKV_OK;
}

/* Records in their order; then each group's tables and row are brought to
 * what the ledger says of it.  What a snapshot replaced needs no deletion of
 * its own: it lies before kept or behind last. */
static int write_all(struct rkv_sqlite *s, const struct rkv_store_write *writes,
                     uint32_t count)
{
    int rc = rkv_sqlite_begin(s);

    for (uint32_t i = 0; rc == RKV_OK && i < count; i++) {
        struct rkv_sqlite_group *group =
            rkv_sqlite_group(rkv_ledger_find(&s->ledger, writes[i].group));

        if (writes[i].flags & RKV_WRITE_SNAPSHOT)
            rkv_sqlite_swap_snapshots(group);
        if (writes[i].flags & RKV_WRITE_ENTRIES)
            rc = rkv_sqlite_add_entries(s, group, writes[i].entries,
                                        writes[i].count, s->ledger.links[i]);
    }
    s->sequence++;
    for (size_t i = 0; rc == RKV_OK && i < s->ledger.touched_count; i++) {
        struct rkv_group *base = s->ledger.touched[i];
        struct rkv_sqlite_group *group = rkv_sqlite_group(base);

        rc = rkv_sqlite_trim(s, group, base->next.kept, base->next.state.last);
        if (rc == RKV_OK)
            rc = rkv_sqlite_put_group(s, group, &base->next);
    }
    /* Each transaction leaves its sequence in at least one row. */
    if (rc == RKV_OK && (s->ledger.touched_count == 0 ||
                         s->ledger.next_cluster != s->ledger.cluster))
        rc = rkv_sqlite_put_meta(s);
    return rc == RKV_OK ? rkv_sqlite_commit(s) : rc;
}

/* A file that grows has its length to sync too, which costs as much again as
 * the bytes.  So the WAL grows in large steps, ahead of what is written: zeros
 * are not a frame, and end it when it is read.  Once it has its length, it is
 * written over from the front again and again.  A failure here is no loss: the
 * next write meets it too. */
static void prepare_wal(struct rkv_sqlite *s)
{
    static const uint8_t zeros[16 * 1024] = {0};
    uint64_t used = (uint64_t)s->wal_pages * WAL_FRAME_BYTES;
    uint64_t most = (uint64_t)s->checkpoint_pages * WAL_FRAME_BYTES;
    uint64_t wanted = used + AHEAD_BYTES < most ? used + AHEAD_BYTES : most;
    sqlite3_file *wal = NULL;
    sqlite3_int64 len = 0;

    if (s->wal_ready >= most || s->wal_ready >= used + AHEAD_BYTES / 2)
        return;
    (void)sqlite3_file_control(s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER,
                               &wal);
    if (wal == NULL || wal->pMethods == NULL ||
        wal->pMethods->xFileSize(wal, &len) != SQLITE_OK)
        return;
    s->wal_ready = (uint64_t)len;
    while (s->wal_ready < wanted) {
        if (wal->pMethods->xWrite(wal, zeros, (int)sizeof zeros,
                                  (sqlite3_int64)s->wal_ready) != SQLITE_OK)
            break;
        s->wal_ready += sizeof zeros;
    }
}

/* Nobody reads through another connection but an operator's shell, so a
 * checkpoint takes the whole log and the next write begins at its front
 * again.  A shell that keeps reading lets the log grow: then the next try is
 * as many pages later, and from four times the limit on a try waits a moment
 * for the reader. */
static int checkpoint(struct rkv_sqlite *s)
{
    int mode = SQLITE_CHECKPOINT_PASSIVE;

    if (s->wal_pages < s->checkpoint_at) {
        prepare_wal(s);
        return RKV_OK;
    }
    if (s->wal_pages / 4 >= s->checkpoint_pages) {
        mode = SQLITE_CHECKPOINT_TRUNCATE;
        s->wal_ready = 0;
    }
    s->checkpoint_at = s->wal_pages + s->checkpoint_pages;
    int result = sqlite3_wal_checkpoint_v2(s->db, NULL, mode, NULL, NULL);
    if (result != SQLITE_OK && (result & 0xff) != SQLITE_BUSY)
        return rkv_sqlite_trouble(s, "a checkpoint");
    return RKV_OK;
}

void rkv_sqlite_slim(struct rkv_sqlite *s)
{
    if (s->run.cap > RKV_SPARE_BYTES)
        rkv_buffer_free(&s->run);
    if (s->payload_cap <= RKV_SPARE_BYTES)
        return;
    rkv_release(&s->allocator, s->payload, s->payload_cap);
    s->payload = NULL;
    s->payload_cap = 0;
}

static int sqlite_write(void *ctx, const struct rkv_store_write *writes,
                        uint32_t count)
{
    struct rkv_sqlite *s = ctx;
    int rc = RKV_OK;

    for (uint32_t i = 0; rc == RKV_OK && i < count; i++)
        rc = check_sizes(s, &writes[i]);
    if (rc == RKV_OK && !s->started)
        rc = raise_boot(s);
    if (rc == RKV_OK)
        rc = rkv_ledger_plan(&s->ledger, writes, count);
    if (rc != RKV_OK)
        return rc;
    rc = write_all(s, writes, count);
    rkv_sqlite_slim(s);
    if (rc == RKV_OK)
        rc = checkpoint(s);
    if (rc != RKV_OK) {
        rkv_ledger_undo(&s->ledger);
        return give_up(s, rc);
    }
    for (size_t i = 0; i < s->ledger.touched_count; i++)
        rkv_sqlite_sweep_snapshots(s, rkv_sqlite_group(s->ledger.touched[i]));
    rkv_ledger_settle(&s->ledger);
    return RKV_OK;
}

static const char *sqlite_errmsg(void *ctx)
{
    const struct rkv_sqlite *s = ctx;

    return s->trouble.text;
}

static void release_group(void *ctx, struct rkv_group *base)
{
    struct rkv_sqlite *s = ctx;
    struct rkv_sqlite_group *group = rkv_sqlite_group(base);

    rkv_sqlite_discard_snapshot(group);
    rkv_release(&s->allocator, group->segments,
                group->segments_cap * sizeof *group->segments);
}

static void close_database(struct rkv_sqlite *s)
{
    sqlite3_stmt *const statements[] = {s->begin,       s->commit,
                                        s->put_group,   s->put_meta,
                                        s->put_segment, s->drop_segment};

    rkv_sqlite_forget_statements(s);
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        (void)sqlite3_finalize(statements[i]);
    /* After a failure nothing more may reach the disk. */
    if (s->failed)
        (void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
                                NULL);
    (void)sqlite3_close(s->db);
}

static void sqlite_close(void *ctx)
{
    struct rkv_sqlite *s = ctx;
    struct rkv_allocator allocator = s->allocator;

    if (s->db != NULL)
        close_database(s);
    rkv_file_close(&s->reading_file);
    rkv_ledger_free(&s->ledger, release_group, s);
    rkv_promise_close(&s->promise);
    rkv_disk_close(&s->disk);
    rkv_release(&allocator, s->entries, s->entries_cap * sizeof *s->entries);
    rkv_release(&allocator, s->payload, s->payload_cap);
    rkv_buffer_free(&s->run);
    rkv_release(&allocator, s, sizeof *s);
}

static struct rkv_sqlite *make(const struct rkv_sqlite_options *options,
                               const struct rkv_allocator *allocator)
{
    struct rkv_sqlite *s = rkv_alloc_zeroed(allocator, sizeof *s);

    if (s == NULL)
        return NULL;
    const struct rkv_ledger_source source = {
        .ctx = s, .place = rkv_sqlite_place, .finished = rkv_sqlite_finished};
    s->allocator = *allocator;
    s->disk.allocator = &s->allocator;
    s->disk.trouble = &s->trouble;
    rkv_buffer_init(&s->run, &s->allocator);
    rkv_ledger_init(&s->ledger, &s->allocator, sizeof(struct rkv_sqlite_group),
                    &source, &s->trouble);
    s->checkpoint_pages = options->checkpoint_pages != 0
                              ? options->checkpoint_pages
                              : CHECKPOINT_PAGES;
    s->checkpoint_at = s->checkpoint_pages;
    s->segment_entries = options->segment_entries != 0
                             ? options->segment_entries
                             : SEGMENT_ENTRIES;
    s->segment_bytes =
        options->segment_bytes != 0 ? options->segment_bytes : SEGMENT_BYTES;
    return s;
}

int rkv_store_sqlite(const struct rkv_sqlite_options *options, rkv_store **out)
{
    static const struct rkv_store_methods methods = {
        .size = sizeof methods,
        .close = sqlite_close,
        .start = sqlite_start,
        .state = sqlite_state,
        .write = sqlite_write,
        .read = rkv_sqlite_read,
        .snap_begin = rkv_sqlite_snap_begin,
        .snap_write = rkv_sqlite_snap_write,
        .snap_finish = rkv_sqlite_snap_finish,
        .snap_read = rkv_sqlite_snap_read,
        .errmsg = sqlite_errmsg,
    };
    struct rkv_sqlite_options ours;
    int rc = rkv_options(&ours, sizeof ours, options);

    if (out == NULL)
        return RKV_EINVAL;
    *out = NULL;
    if (rc != RKV_OK)
        return rc;
    if (ours.flags != 0 || ours.path == NULL || ours.path[0] == 0)
        return RKV_EINVAL;
    struct rkv_allocator allocator = rkv_alloc_choose(ours.allocator);
    struct rkv_sqlite *s = make(&ours, &allocator);
    if (s == NULL)
        return RKV_ENOMEM;
    rc = rkv_sqlite_open(s, ours.path, ours.vfs);
    if (rc == RKV_OK)
        rc = rkv_store_custom(&methods, s, &allocator, out);
    if (rc != RKV_OK) {
        s->failed = true;
        *out = rkv_store_broken(&allocator, &s->trouble);
        sqlite_close(s);
    }
    return rc;
}
