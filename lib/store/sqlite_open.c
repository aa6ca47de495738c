/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Waking up.  Two memories are compared, the database and the promise file:
 *
 *     promise   database          then
 *     absent    absent            a new store
 *     absent    there             refused: what was promised is unknown
 *     spoilt    any               refused
 *     N > 0     absent            all commits were lost: recovering
 *     N         below N           commits were lost: recovering
 *     N         N                 as it was left
 *     N         N + 1             a crash between COMMIT and the promise
 *     N         beyond            refused: the promise file is an older copy
 *     any       another's         refused
 *
 * Lost commits do not refuse the store: its groups catch up without voting.
 * A damaged row does, by its name.
 */
#include "sqlite.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE meta(id INTEGER PRIMARY KEY,format INTEGER,cluster INTEGER,"
    "member INTEGER,sequence INTEGER,marked INTEGER,incarnation BLOB,"
    "sum BLOB);"
    "CREATE TABLE groups(id INTEGER PRIMARY KEY,term INTEGER,vote INTEGER,"
    "commit_index INTEGER,kept INTEGER,last INTEGER,last_term INTEGER,"
    "snapshot_index INTEGER,snapshot_term INTEGER,snapshot_len INTEGER,"
    "snapshot_slot INTEGER,previous_index INTEGER,previous_len INTEGER,"
    "previous_slot INTEGER,recovering INTEGER,sequence INTEGER,"
    "kept_chain BLOB,last_chain BLOB,snapshot_chain BLOB,snapshot_hash BLOB,"
    "config BLOB,sum BLOB);"
    "CREATE TABLE segments(id INTEGER PRIMARY KEY,grp INTEGER,first INTEGER);";

static int prepare_all(struct rkv_sqlite *s)
{
    const struct {
        sqlite3_stmt **to;
        const char *sql;
    } statements[] = {
        {&s->begin, "BEGIN IMMEDIATE"},
        {&s->commit, "COMMIT"},
        {&s->put_meta, "INSERT OR REPLACE INTO meta(id,format,cluster,member,"
                       "sequence,marked,incarnation,sum) "
                       "VALUES(1,?,?,?,?,?,?,?)"},
        {&s->put_group, "INSERT OR REPLACE INTO groups VALUES"
                        "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"},
        {&s->put_segment, "INSERT INTO segments VALUES(?,?,?)"},
        {&s->drop_segment, "DELETE FROM segments WHERE id=?"},
    };
    int rc = RKV_OK;

    for (size_t i = 0;
         rc == RKV_OK && i < sizeof statements / sizeof *statements; i++)
        rc = rkv_sqlite_prepare(s, statements[i].sql, statements[i].to);
    return rc;
}

/* SQLite tells here how long its log is; sqlite.c decides what to do. */
static int count_pages(void *ctx, sqlite3 *db, const char *name, int pages)
{
    struct rkv_sqlite *s = ctx;

    (void)db;
    (void)name;
    if ((uint32_t)pages < s->wal_pages)
        s->checkpoint_at = s->checkpoint_pages; /* it began anew */
    s->wal_pages = (uint32_t)pages;
    return SQLITE_OK;
}

/* A statement of one row.  What it changes is written only when it ends, and
 * there it may fail though it has answered. */
static int ask(struct rkv_sqlite *s, const char *sql, char *answer, size_t cap)
{
    sqlite3_stmt *statement = NULL;
    int rc = rkv_sqlite_prepare(s, sql, &statement);

    if (rc != RKV_OK)
        return rc;
    int result = sqlite3_step(statement);
    if (result == SQLITE_ROW) {
        (void)sqlite3_snprintf((int)cap, answer, "%s",
                               (const char *)sqlite3_column_text(statement, 0));
        result = sqlite3_step(statement);
    }
    if (result != SQLITE_DONE)
        rc = rkv_sqlite_trouble(s, sql);
    (void)sqlite3_finalize(statement);
    return rc;
}

/* A VFS without shared memory can have a WAL too, if nobody else looks. */
static bool lacks_shared_memory(struct rkv_sqlite *s)
{
    sqlite3_file *file = NULL;

    (void)sqlite3_file_control(s->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    return file == NULL || file->pMethods == NULL ||
           file->pMethods->iVersion < 2 || file->pMethods->xShmMap == NULL;
}

static int configure(struct rkv_sqlite *s)
{
    char answer[16] = "";
    int rc = RKV_OK;

    /* First of all: the next statement may read a database that has a WAL. */
    if (lacks_shared_memory(s))
        rc = rkv_sqlite_run(s, "PRAGMA locking_mode=EXCLUSIVE;");
    if (rc == RKV_OK)
        rc = rkv_sqlite_run(s, "PRAGMA page_size=4096;"
                               "PRAGMA secure_delete=OFF;"
                               "PRAGMA mmap_size=0;"
                               "PRAGMA cache_size=-4096;"
                               "PRAGMA cell_size_check=ON;"
                               "PRAGMA trusted_schema=OFF;");
    if (rc == RKV_OK)
        rc = ask(s, "PRAGMA journal_mode=WAL", answer, sizeof answer);
    if (rc != RKV_OK)
        return rc;
    if (strcmp(answer, "wal") != 0)
        return rkv_trouble_say(&s->trouble, RKV_EIO,
                               "%s: SQLite's journal mode is %s where wal was "
                               "asked for: this VFS or file system cannot "
                               "have one",
                               s->path, answer);
    rc = rkv_sqlite_run(s, "PRAGMA synchronous=FULL;"
                           "PRAGMA wal_autocheckpoint=0;");
    if (rc == RKV_OK)
        (void)sqlite3_wal_hook(s->db, count_pages, s);
    return rc;
}

static int connect(struct rkv_sqlite *s)
{
    int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int result = sqlite3_open_v2(s->path, &s->db, flags, s->disk.vfs->zName);

    if (s->db == NULL)
        return rkv_trouble_say(&s->trouble, RKV_ENOMEM,
                               "%s: no memory to open it", s->path);
    if (result != SQLITE_OK)
        return rkv_sqlite_trouble(s, "opening it");
    /* Better now than at the first write. */
    if (sqlite3_db_readonly(s->db, "main") == 1)
        return rkv_trouble_say(&s->trouble, RKV_EIO,
                               "%s: it can be read but not written: %s",
                               s->path, rkv_disk_advice(RKV_EIO));
    (void)sqlite3_extended_result_codes(s->db, 1);
    (void)sqlite3_busy_timeout(s->db, 1000);
    return configure(s);
}

/* Tables and the row of meta in one transaction. */
static int create(struct rkv_sqlite *s)
{
    int rc = rkv_sqlite_run(s, schema);

    s->ledger.next_cluster = s->ledger.cluster;
    s->ledger.next_member = s->ledger.member;
    if (rc == RKV_OK)
        rc = prepare_all(s);
    if (rc == RKV_OK)
        rc = rkv_sqlite_put_meta(s);
    if (rc == RKV_OK)
        rc = rkv_sqlite_run(s, "COMMIT");
    return rc;
}

/* Refused: two memories that cannot be of one store. */
static int compare_identity(struct rkv_sqlite *s)
{
    const struct rkv_promise_record *said = &s->promise.said;
    const struct rkv_ledger *ledger = &s->ledger;

    if (said->cluster == 0 ||
        (said->cluster == ledger->cluster && said->member == ledger->member) ||
        (ledger->cluster == 0 && s->sequence < said->sequence))
        return RKV_OK;
    return rkv_trouble_say(
        &s->trouble, RKV_EROLLBACK,
        "%s: expected cluster %" PRIu64 ", member %" PRIu64
        " as the promise file says, found cluster %" PRIu64 ", member %" PRIu64
        ": put back the files that belong together",
        s->path, said->cluster, said->member, ledger->cluster, ledger->member);
}

/* The table at the head of this file. */
static int compare_sequence(struct rkv_sqlite *s)
{
    const struct rkv_promise_record *said = &s->promise.said;
    uint64_t ahead = s->promise.damaged ? 2 : 1;

    if (s->sequence < said->sequence) {
        s->unmarked = true;
        s->ledger.marked = true;
        for (size_t i = 0; i < s->ledger.groups_count; i++)
            s->ledger.groups[i]->now.state.recovering = 1;
    } else if (s->sequence - said->sequence > ahead) {
        return rkv_trouble_say(
            &s->trouble, RKV_EROLLBACK,
            "%s: says that transaction %" PRIu64
            " was the last, the database is at %" PRIu64
            ": the promise file is an older copy, and what this member "
            "promised since is unknown; put the right one back, "
            "or " RKV_REPLACE_MEMBER,
            s->promise.file.path, said->sequence, s->sequence);
    }
    return RKV_OK;
}

/* What one memory lost, the other may know. */
static void take_the_higher(struct rkv_sqlite *s)
{
    struct rkv_promise_record *said = &s->promise.said;

    if (s->ledger.cluster == 0) {
        s->ledger.cluster = said->cluster;
        s->ledger.member = said->member;
    }
    s->ledger.next_cluster = s->ledger.cluster;
    s->ledger.next_member = s->ledger.member;
    for (size_t i = 0; i < s->ledger.groups_count; i++)
        if (said->term < s->ledger.groups[i]->now.state.term)
            said->term = s->ledger.groups[i]->now.state.term;
}

/* Before any other statement, since those of a later format may not even
 * compile here: in every one there is a table meta with a column format. */
static int check_format(struct rkv_sqlite *s)
{
    char format[24] = "";
    int rc = ask(s, "SELECT max(format) FROM meta", format, sizeof format);

    if (rc != RKV_OK || strtoll(format, NULL, 10) <= RKV_FORMAT)
        return rc;
    return rkv_trouble_say(&s->trouble, RKV_EVERSION,
                           "%s: has format %s, this build knows %d: use a "
                           "newer one",
                           s->path, format, RKV_FORMAT);
}

static int load(struct rkv_sqlite *s, bool is_new)
{
    bool found = false;
    int rc = is_new ? create(s) : check_format(s);

    if (rc == RKV_OK && !is_new)
        rc = prepare_all(s);
    if (rc == RKV_OK)
        rc = rkv_sqlite_load_meta(s, &found);
    if (rc == RKV_OK && !found)
        rc = rkv_trouble_say(&s->trouble, RKV_ECORRUPT,
                             "%s: table meta: expected one row, found "
                             "none: " RKV_REPLACE_MEMBER,
                             s->path);
    if (rc == RKV_OK)
        rc = rkv_sqlite_load_groups(s);
    if (rc == RKV_OK)
        rc = rkv_sqlite_load_segments(s);
    for (size_t i = 0; rc == RKV_OK && i < s->ledger.groups_count; i++)
        rc = rkv_sqlite_check_snapshots(s,
                                        rkv_sqlite_group(s->ledger.groups[i]));
    if (rc == RKV_OK)
        rc = compare_identity(s);
    if (rc == RKV_OK)
        rc = compare_sequence(s);
    if (rc == RKV_OK)
        take_the_higher(s);
    return rc;
}

/* A crash while the store was made leaves a database without tables; so does
 * the loss of its first WAL.  The promise file tells which it was. */
static int is_empty(struct rkv_sqlite *s, bool *out)
{
    char count[24] = "";
    int rc = ask(s, "SELECT count(*) FROM sqlite_schema", count, sizeof count);

    *out = strcmp(count, "0") == 0;
    return rc;
}

int rkv_sqlite_open(struct rkv_sqlite *s, const char *path, const char *vfs)
{
    bool there;
    bool is_new;
    int rc = rkv_disk_open(&s->disk, path, vfs);

    if (rc != RKV_OK)
        return rc;
    rkv_disk_path(&s->disk, RKV_DATABASE, s->path);
    rc = rkv_promise_open(&s->promise, &s->disk, RKV_DATABASE);
    if (rc == RKV_OK)
        rc = rkv_disk_exists(&s->disk, RKV_DATABASE, &there);
    /* A WAL that outlived its database belongs to none. */
    if (rc == RKV_OK && !there)
        rc = rkv_disk_remove(&s->disk, RKV_DATABASE "-wal");
    if (rc == RKV_OK && !there)
        rc = rkv_disk_make(&s->disk, RKV_DATABASE);
    if (rc == RKV_OK)
        rc = connect(s);
    if (rc == RKV_OK)
        rc = is_empty(s, &is_new);
    if (rc == RKV_OK)
        rc = load(s, is_new);
    if (rc == RKV_OK)
        rc = rkv_sqlite_empty_wal(s, is_new);
    /* The database may be new, and its log is, if the last life ended well. */
    return rc == RKV_OK ? rkv_disk_sync(&s->disk) : rc;
}
