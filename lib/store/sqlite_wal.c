/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The log that a crash left behind.  Its last commit may be the one whose
 * sync failed: then the system has its pages in memory, passing for clean,
 * and the disk does not.  SQLite would read it, move it into the database,
 * and after a loss of power find the log without it and the database with
 * some of it.  So what nobody was promised is written once more, as it is,
 * for a sync to find.  What was promised is on the disk, and is not touched:
 * a sector that is being written may be lost.
 *
 *     header 32 │ frame 24 + page │ frame … commit │ frame … commit │ …
 */
#include "sqlite.h"

#include <string.h>

enum { WAL_HEADER_BYTES = 32, FRAME_HEADER_BYTES = 24 };

/* Of a header of either kind; in a WAL numbers begin with their high byte. */
enum { HEADER_SALT = 16, FRAME_PAGE = 0, FRAME_COMMIT = 4, FRAME_SALT = 8 };

struct range {
    sqlite3_int64 from;
    sqlite3_int64 to;
};

static bool is_zero(const uint8_t word[4])
{
    return (word[0] | word[1] | word[2] | word[3]) == 0;
}

/* Where a disk may spoil its neighbours with what it writes, a commit is
 * synced up to the end of its last sector, and SQLite repeats its last frame
 * until it has passed there. */
static sqlite3_int64 synced_up_to(sqlite3_file *wal, sqlite3_int64 end)
{
    const sqlite3_io_methods *methods = wal->pMethods;
    sqlite3_int64 sector = methods->xSectorSize(wal);

    if ((methods->xDeviceCharacteristics(wal) &
         SQLITE_IOCAP_POWERSAFE_OVERWRITE) != 0 ||
        sector <= 0)
        return end;
    return (end + sector - 1) / sector * sector;
}

/* What is written behind the sync of the last commit but one, up to the end
 * of the last.  Whether its frames are whole SQLite has seen; there may be a
 * beginning of more behind them. */
static int find_last_commit(sqlite3_file *wal, sqlite3_int64 len,
                            struct range *out)
{
    const sqlite3_int64 step = FRAME_HEADER_BYTES + RKV_PAGE_BYTES;
    uint8_t header[WAL_HEADER_BYTES];
    uint8_t frame[FRAME_HEADER_BYTES];
    sqlite3_int64 at = WAL_HEADER_BYTES;
    sqlite3_int64 synced = at;
    int result = SQLITE_OK;

    *out = (struct range){.from = at, .to = at};
    if (len >= at)
        result = wal->pMethods->xRead(wal, header, sizeof header, 0);
    while (result == SQLITE_OK && at + step <= len) {
        result = wal->pMethods->xRead(wal, frame, sizeof frame, at);
        if (result != SQLITE_OK || is_zero(frame + FRAME_PAGE) ||
            memcmp(frame + FRAME_SALT, header + HEADER_SALT, 8) != 0)
            break;
        at += step;
        if (is_zero(frame + FRAME_COMMIT))
            continue;
        out->from = synced;
        synced = synced_up_to(wal, at);
        while (at < synced)
            at += step;
        out->to = at < len ? at : len;
    }
    return result;
}

static int write_again(sqlite3_file *file, const struct range *range)
{
    const sqlite3_io_methods *methods = file->pMethods;
    uint8_t piece[RKV_PAGE_BYTES];
    int result = SQLITE_OK;

    for (sqlite3_int64 at = range->from; result == SQLITE_OK && at < range->to;
         at += (sqlite3_int64)sizeof piece) {
        int n = range->to - at < (sqlite3_int64)sizeof piece
                    ? (int)(range->to - at)
                    : (int)sizeof piece;

        result = methods->xRead(file, piece, n, at);
        if (result == SQLITE_OK)
            result = methods->xWrite(file, piece, n, at);
    }
    return result == SQLITE_OK ? methods->xSync(file, SQLITE_SYNC_NORMAL)
                               : result;
}

static int renew_wal(struct rkv_sqlite *s)
{
    sqlite3_file *wal = NULL;
    sqlite3_int64 len = 0;
    struct range commit;

    (void)sqlite3_file_control(s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER,
                               &wal);
    if (wal == NULL || wal->pMethods == NULL)
        return RKV_OK;
    int result = wal->pMethods->xFileSize(wal, &len);
    if (result == SQLITE_OK)
        result = find_last_commit(wal, len, &commit);
    if (result == SQLITE_OK)
        result = write_again(wal, &commit);
    return result == SQLITE_OK
               ? RKV_OK
               : rkv_disk_trouble(&s->disk, s->path,
                                  "renewing the log left by a crash", result);
}

/* Whoever else has the database open does not write meanwhile. */
static int renew(struct rkv_sqlite *s)
{
    int rc = rkv_sqlite_begin(s);

    if (rc != RKV_OK)
        return rc;
    rc = renew_wal(s);
    int ended = sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return rc == RKV_OK && ended != SQLITE_OK
               ? rkv_sqlite_trouble(s, "ending a transaction")
               : rc;
}

/* Once it may be in the database, in part, it must not be written again: so
 * from here on it is promised.  The tables of a new store count as well. */
static int promise_all(struct rkv_sqlite *s, bool is_new)
{
    bool is_first = s->promise.generation == RKV_PROMISE_NEW;

    if (s->sequence <= s->promise.said.sequence && !is_first)
        return RKV_OK;
    int rc = is_new ? RKV_OK : renew(s);
    /* The slot that is written over now may have held a later boot. */
    return rc == RKV_OK ? rkv_sqlite_promise(s, s->promise.said.boot +
                                                    s->promise.damaged)
                        : rc;
}

int rkv_sqlite_empty_wal(struct rkv_sqlite *s, bool is_new)
{
    int rc = promise_all(s, is_new);

    if (rc != RKV_OK)
        return rc;
    int result = sqlite3_wal_checkpoint_v2(
        s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (result != SQLITE_OK && (result & 0xff) != SQLITE_BUSY)
        return rkv_sqlite_trouble(s, "emptying the log left by a crash");
    return RKV_OK;
}
