/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The directory of a store.  All passes through the VFS, but for what a VFS
 * does not offer or does not admit to have failed at: making directories,
 * making files for their owner alone, and syncing names.
 */
#define _POSIX_C_SOURCE 200809L
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_full(int reason)
{
    return reason == ENOSPC || reason == EDQUOT;
}

int rkv_disk_code(int result, int reason)
{
    if (result == SQLITE_IOERR_NOMEM)
        return RKV_ENOMEM;
    if (result == SQLITE_IOERR_SHORT_READ || result == SQLITE_IOERR_CORRUPTFS)
        return RKV_ECORRUPT;
    switch (result & 0xff) {
    case SQLITE_FULL:
        return RKV_ENOSPC;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
    /* Our statements are fixed: a table or row is not what we made. */
    case SQLITE_ERROR:
    case SQLITE_CONSTRAINT:
        return RKV_ECORRUPT;
    case SQLITE_NOMEM:
        return RKV_ENOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return RKV_ELOCKED;
    case SQLITE_TOOBIG:
        return RKV_ETOOBIG;
    default:
        /* A quota, and a full disk that is met while a file is made or
         * synced, SQLite calls an error like any other. */
        return is_full(reason) ? RKV_ENOSPC : RKV_EIO;
    }
}

const char *rkv_disk_advice(int code)
{
    switch (code) {
    case RKV_ENOSPC:
        return "make room, then open the store again";
    case RKV_ENOMEM:
        return "open the store again when there is memory";
    case RKV_ELOCKED:
        return "another program is writing to it: end that program, then open "
               "the store again";
    case RKV_ECORRUPT:
        return RKV_REPLACE_MEMBER;
    default:
        return "see to the disk, and to who may write there, then open the "
               "store again";
    }
}

/* The system's own reason, where SQLite keeps it: its words are few. */
static int reason_of(const struct rkv_disk *disk, int result)
{
    int kind = result & 0xff;

    if ((kind != SQLITE_IOERR && kind != SQLITE_CANTOPEN) ||
        result == SQLITE_IOERR_SHORT_READ || result == SQLITE_IOERR_NOMEM ||
        disk->vfs->xGetLastError == NULL)
        return 0;
    return disk->vfs->xGetLastError(disk->vfs, 0, NULL);
}

int rkv_disk_trouble(const struct rkv_disk *disk, const char *path,
                     const char *doing, int result)
{
    int reason = reason_of(disk, result);
    int code = rkv_disk_code(result, reason);

    return rkv_trouble_say(
        disk->trouble, code, "%s: %s failed: %s (SQLite result %d): %s", path,
        doing, reason != 0 ? strerror(reason) : sqlite3_errstr(result), result,
        rkv_disk_advice(code));
}

static int system_trouble(const struct rkv_disk *disk, const char *path,
                          const char *doing, int reason)
{
    int code = is_full(reason) ? RKV_ENOSPC : RKV_EIO;

    return rkv_trouble_say(disk->trouble, code, "%s: %s failed: %s: %s", path,
                           doing, strerror(reason), rkv_disk_advice(code));
}

int rkv_disk_locked(const struct rkv_disk *disk, const char *path)
{
    return rkv_trouble_say(disk->trouble, RKV_ELOCKED,
                           "%s: locked by another handle of this or another "
                           "process: one store serves one member; close the "
                           "other, or choose another directory",
                           path);
}

static int make_directory(const struct rkv_disk *disk, const char *path)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return RKV_OK;
    return system_trouble(disk, path, "making this directory", errno);
}

int rkv_disk_open(struct rkv_disk *disk, const char *path, const char *vfs)
{
    disk->lock = -1;
    if (sqlite3_initialize() != SQLITE_OK)
        return rkv_trouble_say(disk->trouble, RKV_ENOMEM,
                               "SQLite did not start: no memory");
    disk->vfs = sqlite3_vfs_find(vfs);
    if (disk->vfs == NULL)
        return rkv_trouble_say(disk->trouble, RKV_EINVAL,
                               "SQLite has no VFS called %s",
                               vfs != NULL ? vfs : "(default)");
    disk->is_ours = vfs == NULL;
    size_t size = (size_t)disk->vfs->mxPathname + 1;
    /* Our own names come behind it: 64 bytes are more than the longest. */
    if (strlen(path) + 64 > size || strlen(path) + 64 > RKV_PATH_BYTES)
        return rkv_trouble_say(disk->trouble, RKV_ETOOBIG,
                               "the path %.200s... is too long", path);
    if (disk->is_ours) {
        int rc = make_directory(disk, path);
        if (rc != RKV_OK)
            return rc;
    }
    disk->path = rkv_alloc(disk->allocator, size);
    if (disk->path == NULL)
        return rkv_trouble_say(disk->trouble, RKV_ENOMEM,
                               "no memory for a path");
    disk->path_size = size;
    int result =
        disk->vfs->xFullPathname(disk->vfs, path, (int)size, disk->path);
    /* SQLITE_OK_SYMLINK is no failure. */
    if ((result & 0xff) != SQLITE_OK)
        return rkv_disk_trouble(disk, path, "finding its full path", result);
    if (strlen(disk->path) + 64 > size ||
        strlen(disk->path) + 64 > RKV_PATH_BYTES)
        return rkv_trouble_say(disk->trouble, RKV_ETOOBIG,
                               "the full path of %.200s is too long", path);
    return RKV_OK;
}

void rkv_disk_close(struct rkv_disk *disk)
{
    if (disk->path != NULL && disk->lock >= 0) {
        /* A child forked meanwhile has the descriptor too. */
        (void)flock(disk->lock, LOCK_UN);
        (void)close(disk->lock);
    }
    rkv_release(disk->allocator, disk->path, disk->path_size);
    disk->path = NULL;
}

void rkv_disk_path(const struct rkv_disk *disk, const char *name,
                   char out[RKV_PATH_BYTES])
{
    (void)snprintf(out, RKV_PATH_BYTES, "%s/%s", disk->path, name);
}

int rkv_disk_exists(const struct rkv_disk *disk, const char *name, bool *out)
{
    char path[RKV_PATH_BYTES];
    int there = 0;

    rkv_disk_path(disk, name, path);
    int result =
        disk->vfs->xAccess(disk->vfs, path, SQLITE_ACCESS_EXISTS, &there);
    if (result != SQLITE_OK)
        return rkv_disk_trouble(disk, path, "looking for it", result);
    *out = there != 0;
    return RKV_OK;
}

int rkv_disk_remove(const struct rkv_disk *disk, const char *name)
{
    char path[RKV_PATH_BYTES];

    rkv_disk_path(disk, name, path);
    int result = disk->vfs->xDelete(disk->vfs, path, 0);
    if (result != SQLITE_OK && result != SQLITE_IOERR_DELETE_NOENT)
        return rkv_disk_trouble(disk, path, "removing it", result);
    return RKV_OK;
}

int rkv_disk_make(const struct rkv_disk *disk, const char *name)
{
    char path[RKV_PATH_BYTES];

    if (!disk->is_ours)
        return RKV_OK;
    rkv_disk_path(disk, name, path);
    int fd = open(path, O_RDONLY | O_CREAT | O_NOCTTY | O_CLOEXEC, 0600);
    if (fd < 0)
        return system_trouble(disk, path, "making this file", errno);
    (void)close(fd);
    return RKV_OK;
}

static int sync_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int reason = 0;

    if (fd < 0)
        return errno;
    if (fsync(fd) != 0)
        reason = errno;
    (void)close(fd);
    return reason;
}

int rkv_disk_sync(const struct rkv_disk *disk)
{
    int reason = disk->is_ours ? sync_directory(disk->path) : 0;

    return reason == 0 ? RKV_OK
                       : system_trouble(disk, disk->path,
                                        "syncing this directory", reason);
}

int rkv_disk_sync_parent(const struct rkv_disk *disk)
{
    char parent[RKV_PATH_BYTES];
    const char *end = strrchr(disk->path, '/');

    if (!disk->is_ours || end == NULL)
        return RKV_OK;
    (void)snprintf(parent, sizeof parent, "%.*s", (int)(end - disk->path),
                   disk->path);
    int reason = sync_directory(end == disk->path ? "/" : parent);
    /* Where we may not even look, somebody else makes the directories. */
    return reason == 0 || reason == EACCES
               ? RKV_OK
               : system_trouble(disk, parent, "syncing this directory", reason);
}

/* The promise file is locked as well, in SQLite's way.  But such a lock goes
 * when anybody in this process closes the file, and does not reach a child
 * that lives on in our place; this one does both.  A file system that has none
 * is no worse off. */
int rkv_disk_lock(struct rkv_disk *disk)
{
    if (!disk->is_ours)
        return RKV_OK;
    disk->lock = open(disk->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (disk->lock < 0)
        return system_trouble(disk, disk->path, "opening this directory",
                              errno);
    if (flock(disk->lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return RKV_OK;
    return rkv_disk_locked(disk, disk->path);
}
