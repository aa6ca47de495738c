/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The failing disk.  Each write notes what it overwrote; a sync forgets the
 * notes of its file.  The name of a new file is as volatile: it lasts from the
 * next time that the directory is synced, which happens, as in SQLite's own
 * VFS, with the first sync of a journal.
 */
#define _POSIX_C_SOURCE 200809L
#include "faulty.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/prng.h"

struct note {
    struct note *older;
    char path[300];
    int64_t offset;
    int64_t len;      /* of the write */
    int64_t old_len;  /* how much of that was there before */
    int64_t old_size; /* of the file; only a cut changes it back */
    bool is_cut;
    uint8_t old[];
};

/* A file made since the directory was last synced. */
struct name {
    struct name *older;
    char path[300];
};

struct faulty_file {
    sqlite3_file base;
    char path[300];
    bool syncs_names;
    sqlite3_file *real;
};

static struct {
    struct faulty *faulty;
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    struct note *notes;
    struct name *names;
} disk;

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct faulty_file *)(void *)file)->real;
}

/* SQLITE_OK, or what this operation is to fail with. */
static int strike(uint32_t kind)
{
    struct faulty *faulty = disk.faulty;

    if (faulty->has_struck &&
        (kind & (FAULTY_WRITE | FAULTY_SYNC | FAULTY_CUT)))
        faulty->since++;
    if (faulty->has_struck && (faulty->power || faulty->for_ever) &&
        (faulty->power || (faulty->kinds & kind)))
        return faulty->result;
    if (faulty->left < 0 || !(faulty->kinds & kind) || faulty->has_struck)
        return SQLITE_OK;
    if (faulty->left-- > 0)
        return SQLITE_OK;
    faulty->has_struck = true;
    return faulty->result;
}

static void take_note(sqlite3_file *file, int64_t offset, int64_t len,
                      bool is_cut)
{
    const struct faulty_file *mine = (struct faulty_file *)(void *)file;
    sqlite3_int64 size = 0;
    struct note *note;

    if (!disk.faulty->power)
        return;
    (void)mine->real->pMethods->xFileSize(mine->real, &size);
    int64_t there = size - offset;
    there = there < 0 ? 0 : there > len ? len : there;
    note = calloc(1, sizeof *note + (size_t)there);
    ck_assert_ptr_nonnull(note);
    (void)snprintf(note->path, sizeof note->path, "%s", mine->path);
    note->offset = offset;
    note->len = len;
    note->old_len = there;
    note->old_size = size;
    note->is_cut = is_cut;
    if (there > 0)
        ck_assert_int_eq(mine->real->pMethods->xRead(mine->real, note->old,
                                                     (int)there, offset),
                         SQLITE_OK);
    note->older = disk.notes;
    disk.notes = note;
}

static void forget_notes(const char *path)
{
    struct note **at = &disk.notes;

    while (*at != NULL) {
        struct note *note = *at;

        if (path != NULL && strcmp(note->path, path) != 0) {
            at = &note->older;
            continue;
        }
        *at = note->older;
        free(note);
    }
}

static void forget_names(const char *path)
{
    struct name **at = &disk.names;

    while (*at != NULL) {
        struct name *name = *at;

        if (path != NULL && strcmp(name->path, path) != 0) {
            at = &name->older;
            continue;
        }
        *at = name->older;
        free(name);
    }
}

static void take_name(const char *path, int flags)
{
    struct name *name;

    if (!disk.faulty->power || !(flags & SQLITE_OPEN_CREATE) ||
        access(path, F_OK) == 0)
        return;
    name = calloc(1, sizeof *name);
    ck_assert_ptr_nonnull(name);
    (void)snprintf(name->path, sizeof name->path, "%s", path);
    name->older = disk.names;
    disk.names = name;
}

static int faulty_close(sqlite3_file *file)
{
    sqlite3_file *real = real_of(file);
    int rc = real->pMethods->xClose(real);

    free(real);
    return rc;
}

static int faulty_read(sqlite3_file *file, void *buf, int len,
                       sqlite3_int64 offset)
{
    int rc = strike(FAULTY_READ);

    return rc != SQLITE_OK ? rc
                           : real_of(file)->pMethods->xRead(real_of(file), buf,
                                                            len, offset);
}

static int faulty_write(sqlite3_file *file, const void *data, int len,
                        sqlite3_int64 offset)
{
    int rc = strike(FAULTY_WRITE);

    if (rc != SQLITE_OK)
        return rc;
    take_note(file, offset, len, false);
    return real_of(file)->pMethods->xWrite(real_of(file), data, len, offset);
}

static int faulty_cut(sqlite3_file *file, sqlite3_int64 len)
{
    int rc = strike(FAULTY_CUT);
    sqlite3_int64 size = 0;

    if (rc != SQLITE_OK)
        return rc;
    (void)real_of(file)->pMethods->xFileSize(real_of(file), &size);
    if (size > len)
        take_note(file, len, size - len, true);
    return real_of(file)->pMethods->xTruncate(real_of(file), len);
}

static int faulty_sync(sqlite3_file *file, int flags)
{
    int rc = strike(FAULTY_SYNC);

    if (rc != SQLITE_OK)
        return rc;
    struct faulty_file *mine = (struct faulty_file *)(void *)file;
    forget_notes(mine->path);
    if (mine->syncs_names)
        forget_names(NULL);
    mine->syncs_names = false;
    return real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int faulty_size(sqlite3_file *file, sqlite3_int64 *out)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), out);
}

static int faulty_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int faulty_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int faulty_reserved(sqlite3_file *file, int *out)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}

static int faulty_control(sqlite3_file *file, int op, void *arg)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int faulty_sector(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int faulty_traits(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

/* Version 1: no shared memory, so the database is locked by one alone. */
static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = faulty_close,
    .xRead = faulty_read,
    .xWrite = faulty_write,
    .xTruncate = faulty_cut,
    .xSync = faulty_sync,
    .xFileSize = faulty_size,
    .xLock = faulty_lock,
    .xUnlock = faulty_unlock,
    .xCheckReservedLock = faulty_reserved,
    .xFileControl = faulty_control,
    .xSectorSize = faulty_sector,
    .xDeviceCharacteristics = faulty_traits,
};

static int faulty_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file,
                       int flags, int *out_flags)
{
    struct faulty_file *mine = (struct faulty_file *)(void *)file;
    int rc = strike(FAULTY_OPEN);

    (void)vfs;
    memset(mine, 0, sizeof *mine);
    if (rc != SQLITE_OK)
        return rc;
    if (name != NULL)
        take_name(name, flags);
    mine->syncs_names = (flags & SQLITE_OPEN_CREATE) != 0 &&
                        (flags & (SQLITE_OPEN_SUPER_JOURNAL |
                                  SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL));
    mine->real = calloc(1, (size_t)disk.real->szOsFile);
    ck_assert_ptr_nonnull(mine->real);
    rc = disk.real->xOpen(disk.real, name, mine->real, flags, out_flags);
    if (rc != SQLITE_OK) {
        free(mine->real);
        return rc;
    }
    (void)snprintf(mine->path, sizeof mine->path, "%s",
                   name != NULL ? name : "");
    mine->base.pMethods = &methods;
    return SQLITE_OK;
}

static int faulty_remove(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
    int rc = strike(FAULTY_REMOVE);

    (void)vfs;
    if (rc != SQLITE_OK)
        return rc;
    forget_notes(name);
    forget_names(sync_dir ? NULL : name);
    return disk.real->xDelete(disk.real, name, sync_dir);
}

static int faulty_access(sqlite3_vfs *vfs, const char *name, int flags,
                         int *out)
{
    (void)vfs;
    return disk.real->xAccess(disk.real, name, flags, out);
}

static int faulty_full_path(sqlite3_vfs *vfs, const char *name, int cap,
                            char *out)
{
    (void)vfs;
    return disk.real->xFullPathname(disk.real, name, cap, out);
}

void faulty_begin(struct faulty *faulty)
{
    ck_assert_int_eq(sqlite3_initialize(), SQLITE_OK);
    disk.faulty = faulty;
    disk.real = sqlite3_vfs_find(NULL);
    disk.vfs = *disk.real;
    disk.vfs.iVersion = 1;
    disk.vfs.szOsFile = (int)sizeof(struct faulty_file);
    disk.vfs.pNext = NULL;
    disk.vfs.zName = "faulty";
    disk.vfs.xOpen = faulty_open;
    disk.vfs.xDelete = faulty_remove;
    disk.vfs.xAccess = faulty_access;
    disk.vfs.xFullPathname = faulty_full_path;
    ck_assert_int_eq(sqlite3_vfs_register(&disk.vfs, 0), SQLITE_OK);
}

/* Bytes as they were before this write; what the write added becomes zeros,
 * or goes with the end of the file when nothing newer lies behind it. */
static void take_back(const struct note *note, bool all)
{
    FILE *file = fopen(note->path, "r+b");

    if (file == NULL)
        return;
    ck_assert_int_eq(fseek(file, (long)note->offset, SEEK_SET), 0);
    for (int64_t i = 0; i < (note->is_cut ? note->old_len : note->len); i++)
        (void)fputc(i < note->old_len ? note->old[i] : 0, file);
    ck_assert_int_eq(fclose(file), 0);
    if (all && !note->is_cut && note->old_size < note->offset + note->len)
        ck_assert_int_eq(truncate(note->path, note->old_size), 0);
}

void faulty_end(uint64_t seed)
{
    struct rkv_prng prng;

    rkv_prng_seed(&prng, seed);
    for (const struct note *note = disk.notes; note != NULL; note = note->older)
        if (disk.faulty->has_struck &&
            (seed == 0 || rkv_prng_below(&prng, 2) == 0))
            take_back(note, seed == 0);
    for (const struct name *name = disk.names; name != NULL; name = name->older)
        if (disk.faulty->has_struck &&
            (seed == 0 || rkv_prng_below(&prng, 2) == 0))
            (void)unlink(name->path);
    forget_notes(NULL);
    forget_names(NULL);
    (void)sqlite3_vfs_unregister(&disk.vfs);
}
