/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Files through an SQLite VFS.  A VFS knows kinds of files: a journal's name
 * becomes durable with its first sync, and only a database can be locked, so
 * what we open passes for one or the other.
 */
#include "file.h"

#include <inttypes.h>
#include <string.h>

static int open_flags(int how)
{
    switch (how) {
    case RKV_FILE_EXISTING:
        return SQLITE_OPEN_READONLY | SQLITE_OPEN_SUPER_JOURNAL;
    case RKV_FILE_MADE:
        return SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
               SQLITE_OPEN_SUPER_JOURNAL;
    default:
        return SQLITE_OPEN_READWRITE | SQLITE_OPEN_MAIN_DB;
    }
}

static void let_go(struct rkv_file *file)
{
    rkv_release(file->disk->allocator, file->handle,
                (size_t)file->disk->vfs->szOsFile);
    sqlite3_free_filename((char *)(uintptr_t)file->path);
    memset(file, 0, sizeof *file);
}

int rkv_file_open(struct rkv_file *file, struct rkv_disk *disk,
                  const char *name, int how)
{
    char path[RKV_PATH_BYTES];
    int result = SQLITE_NOMEM;

    memset(file, 0, sizeof *file);
    if (how == RKV_FILE_MADE) {
        int rc = rkv_disk_make(disk, name);
        if (rc != RKV_OK)
            return rc;
    }
    rkv_disk_path(disk, name, path);
    file->disk = disk;
    file->path = sqlite3_create_filename(path, "", "", 0, NULL);
    file->handle =
        rkv_alloc_zeroed(disk->allocator, (size_t)disk->vfs->szOsFile);
    if (file->path != NULL && file->handle != NULL)
        result = disk->vfs->xOpen(disk->vfs, file->path, file->handle,
                                  open_flags(how), NULL);
    if (result == SQLITE_OK)
        return RKV_OK;
    if (file->handle != NULL && file->handle->pMethods != NULL)
        (void)file->handle->pMethods->xClose(file->handle);
    let_go(file);
    return rkv_disk_trouble(disk, path, "opening it", result);
}

void rkv_file_close(struct rkv_file *file)
{
    if (file->disk == NULL)
        return;
    (void)file->handle->pMethods->xClose(file->handle);
    let_go(file);
}

/* SQLite's middle lock: of all that share the file, one may hold it. */
int rkv_file_lock(struct rkv_file *file)
{
    const sqlite3_io_methods *methods = file->handle->pMethods;
    int result = methods->xLock(file->handle, SQLITE_LOCK_SHARED);

    if (result == SQLITE_OK)
        result = methods->xLock(file->handle, SQLITE_LOCK_RESERVED);
    if (result == SQLITE_OK)
        return RKV_OK;
    (void)methods->xUnlock(file->handle, SQLITE_LOCK_NONE);
    if ((result & 0xff) != SQLITE_BUSY)
        return rkv_disk_trouble(file->disk, file->path, "locking it", result);
    return rkv_disk_locked(file->disk, file->path);
}

int rkv_file_len(struct rkv_file *file, uint64_t *out)
{
    sqlite3_int64 len = 0;
    int result = file->handle->pMethods->xFileSize(file->handle, &len);

    if (result != SQLITE_OK)
        return rkv_disk_trouble(file->disk, file->path, "asking its size",
                                result);
    *out = (uint64_t)len;
    return RKV_OK;
}

int rkv_file_cut(struct rkv_file *file, uint64_t len)
{
    int result =
        file->handle->pMethods->xTruncate(file->handle, (sqlite3_int64)len);

    if (result != SQLITE_OK)
        return rkv_disk_trouble(file->disk, file->path, "cutting it", result);
    return RKV_OK;
}

/* A VFS counts bytes of one call in an int, and SQLite's own keeps no more
 * than seventeen bits of it. */
enum { PIECE_BYTES = 1 << 16 };

int rkv_file_read(struct rkv_file *file, uint64_t offset, void *buf, size_t len)
{
    uint8_t *at = buf;

    while (len != 0) {
        int piece = len < PIECE_BYTES ? (int)len : PIECE_BYTES;
        int result = file->handle->pMethods->xRead(file->handle, at, piece,
                                                   (sqlite3_int64)offset);
        if (result == SQLITE_IOERR_SHORT_READ)
            return rkv_trouble_say(file->disk->trouble, RKV_ECORRUPT,
                                   "%s: expected bytes up to %" PRIu64
                                   ", found its end: " RKV_REPLACE_MEMBER,
                                   file->path, offset + (uint64_t)piece);
        if (result != SQLITE_OK)
            return rkv_disk_trouble(file->disk, file->path, "reading it",
                                    result);
        at += piece;
        offset += (uint64_t)piece;
        len -= (size_t)piece;
    }
    return RKV_OK;
}

int rkv_file_write(struct rkv_file *file, uint64_t offset, const void *data,
                   size_t len)
{
    const uint8_t *at = data;

    while (len != 0) {
        int piece = len < PIECE_BYTES ? (int)len : PIECE_BYTES;
        int result = file->handle->pMethods->xWrite(file->handle, at, piece,
                                                    (sqlite3_int64)offset);
        if (result != SQLITE_OK)
            return rkv_disk_trouble(file->disk, file->path, "writing it",
                                    result);
        at += piece;
        offset += (uint64_t)piece;
        len -= (size_t)piece;
    }
    return RKV_OK;
}

int rkv_file_sync(struct rkv_file *file)
{
    int result = file->handle->pMethods->xSync(
        file->handle, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);

    if (result != SQLITE_OK)
        return rkv_disk_trouble(file->disk, file->path, "syncing it", result);
    return RKV_OK;
}
