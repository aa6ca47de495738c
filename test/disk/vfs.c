/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The SQLite VFS in front of a platter.  It does what SQLite's own for Unix
 * does, as far as a store can see: the first sync of a journal that it made
 * keeps the names in the directory too, an empty file is none, and locks are
 * between handles.
 */
#include <stdlib.h>
#include <string.h>

#include "platter.h"

struct handle {
    sqlite3_file base;
    struct platter *platter;
    struct platter_file *file;
    bool syncs_names;
    int lock;
    uint32_t shared; /* locks of the shared memory, a bit each */
    uint32_t exclusive;
};

static struct handle *of(sqlite3_file *file)
{
    return (struct handle *)(void *)file;
}

static struct platter *platter_of(sqlite3_vfs *vfs)
{
    return vfs->pAppData;
}

/* ---- bytes ---- */

static int vfs_read(sqlite3_file *file, void *buf, int len,
                    sqlite3_int64 offset)
{
    return platter_read(of(file)->platter, of(file)->file, buf, (uint64_t)len,
                        (uint64_t)offset);
}

static int vfs_write(sqlite3_file *file, const void *data, int len,
                     sqlite3_int64 offset)
{
    return platter_write(of(file)->platter, of(file)->file, data, (uint64_t)len,
                         (uint64_t)offset);
}

static int vfs_cut(sqlite3_file *file, sqlite3_int64 len)
{
    return platter_cut(of(file)->platter, of(file)->file, (uint64_t)len);
}

static int vfs_sync(sqlite3_file *file, int flags)
{
    struct handle *h = of(file);
    int rc = platter_sync(h->platter, h->file);

    (void)flags;
    if (rc == SQLITE_OK && h->syncs_names) {
        platter_sync_names(h->platter);
        h->syncs_names = false;
    }
    return rc;
}

static int vfs_size(sqlite3_file *file, sqlite3_int64 *out)
{
    *out = (sqlite3_int64)of(file)->file->now_len;
    return SQLITE_OK;
}

/* ---- locks ---- */

static int vfs_unlock(sqlite3_file *file, int level)
{
    struct handle *h = of(file);
    struct platter_file *f = h->file;

    if (level >= h->lock)
        return SQLITE_OK;
    if (f->pending == h)
        f->pending = NULL;
    if (f->reserved == h)
        f->reserved = NULL;
    if (level == SQLITE_LOCK_NONE)
        f->readers--;
    h->lock = level;
    return SQLITE_OK;
}

static int vfs_lock(sqlite3_file *file, int level)
{
    struct handle *h = of(file);
    struct platter_file *f = h->file;

    if (level <= h->lock)
        return SQLITE_OK;
    if (f->pending != NULL && f->pending != h)
        return SQLITE_BUSY;
    if (h->lock == SQLITE_LOCK_NONE) {
        f->readers++;
        h->lock = SQLITE_LOCK_SHARED;
    }
    if (level == SQLITE_LOCK_SHARED)
        return SQLITE_OK;
    if (f->reserved != NULL && f->reserved != h)
        return SQLITE_BUSY;
    f->reserved = h;
    h->lock = SQLITE_LOCK_RESERVED;
    if (level == SQLITE_LOCK_RESERVED)
        return SQLITE_OK;
    f->pending = h;
    h->lock = SQLITE_LOCK_PENDING;
    if (f->readers > 1)
        return SQLITE_BUSY;
    h->lock = SQLITE_LOCK_EXCLUSIVE;
    return SQLITE_OK;
}

static int vfs_reserved(sqlite3_file *file, int *out)
{
    *out = of(file)->file->reserved != NULL;
    return SQLITE_OK;
}

/* ---- shared memory ---- */

static int vfs_map(sqlite3_file *file, int region, int size, int extend,
                   void volatile **out)
{
    struct platter_file *f = of(file)->file;

    *out = NULL;
    if (region >= SHARED_REGIONS)
        return SQLITE_IOERR_SHMMAP;
    if (f->shared[region] == NULL && extend) {
        f->shared[region] = calloc(1, (size_t)size);
        if (f->shared[region] == NULL)
            return SQLITE_NOMEM;
    }
    *out = f->shared[region];
    return SQLITE_OK;
}

static void release_shared(struct handle *h, uint32_t locks)
{
    struct platter_file *f = h->file;

    for (int i = 0; i < SHARED_LOCKS; i++) {
        uint32_t bit = 1u << i & locks;

        if (h->shared & bit)
            f->shared_readers[i]--;
        if (h->exclusive & bit)
            f->shared_writer[i] = NULL;
    }
    h->shared &= ~locks;
    h->exclusive &= ~locks;
}

static int vfs_shared_lock(sqlite3_file *file, int offset, int n, int flags)
{
    struct handle *h = of(file);
    struct platter_file *f = h->file;
    uint32_t locks = ((1u << n) - 1) << offset;
    bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;

    if (flags & SQLITE_SHM_UNLOCK) {
        release_shared(h, locks);
        return SQLITE_OK;
    }
    for (int i = offset; i < offset + n; i++) {
        uint32_t ours = h->shared >> i & 1;

        if (f->shared_writer[i] != NULL && f->shared_writer[i] != h)
            return SQLITE_BUSY;
        if (exclusive && f->shared_readers[i] > ours)
            return SQLITE_BUSY;
    }
    for (int i = offset; i < offset + n; i++)
        if (exclusive)
            f->shared_writer[i] = h;
        else if (!(h->shared >> i & 1))
            f->shared_readers[i]++;
    if (exclusive)
        h->exclusive |= locks;
    else
        h->shared |= locks;
    return SQLITE_OK;
}

static void vfs_barrier(sqlite3_file *file)
{
    (void)file;
}

static int vfs_unmap(sqlite3_file *file, int remove)
{
    struct handle *h = of(file);

    release_shared(h, ~0u);
    for (int i = 0; remove && i < SHARED_REGIONS; i++) {
        free(h->file->shared[i]);
        h->file->shared[i] = NULL;
    }
    return SQLITE_OK;
}

/* ---- files ---- */

static int vfs_close(sqlite3_file *file)
{
    struct handle *h = of(file);

    release_shared(h, ~0u);
    (void)vfs_unlock(file, SQLITE_LOCK_NONE);
    platter_close(h->platter, h->file);
    return SQLITE_OK;
}

static int vfs_control(sqlite3_file *file, int op, void *arg)
{
    (void)file;
    (void)op;
    (void)arg;
    return SQLITE_NOTFOUND;
}

static int vfs_sector(sqlite3_file *file)
{
    return (int)of(file)->platter->traits.sector;
}

static int vfs_traits(sqlite3_file *file)
{
    return of(file)->platter->traits.tears_around
               ? 0
               : SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

#define METHODS(version)                                                       \
    {                                                                          \
        .iVersion = version, .xClose = vfs_close, .xRead = vfs_read,           \
        .xWrite = vfs_write, .xTruncate = vfs_cut, .xSync = vfs_sync,          \
        .xFileSize = vfs_size, .xLock = vfs_lock, .xUnlock = vfs_unlock,       \
        .xCheckReservedLock = vfs_reserved, .xFileControl = vfs_control,       \
        .xSectorSize = vfs_sector, .xDeviceCharacteristics = vfs_traits,       \
        .xShmMap = vfs_map, .xShmLock = vfs_shared_lock,                       \
        .xShmBarrier = vfs_barrier, .xShmUnmap = vfs_unmap                     \
    }

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file,
                    int flags, int *out_flags)
{
    static const sqlite3_io_methods alone = METHODS(1);
    static const sqlite3_io_methods sharing = METHODS(2);
    const int journals =
        SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL;
    struct platter *p = platter_of(vfs);
    struct handle *h = of(file);
    bool create = (flags & SQLITE_OPEN_CREATE) != 0;
    int rc;

    memset(h, 0, sizeof *h);
    rc = platter_open(p, name != NULL ? name : "", create, &h->file);
    if (rc != SQLITE_OK)
        return rc;
    h->platter = p;
    h->syncs_names = create && (flags & journals) != 0;
    h->base.pMethods = p->traits.shares_memory ? &sharing : &alone;
    if (out_flags != NULL)
        *out_flags = flags;
    return SQLITE_OK;
}

static int vfs_remove(sqlite3_vfs *vfs, const char *name, int sync_names)
{
    int rc = platter_remove(platter_of(vfs), name);

    if (rc == SQLITE_OK && sync_names)
        platter_sync_names(platter_of(vfs));
    return rc;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    const struct platter_file *file = platter_find(platter_of(vfs), name);

    *out = file != NULL && (flags != SQLITE_ACCESS_EXISTS || file->now_len > 0);
    return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *name, int cap, char *out)
{
    (void)vfs;
    (void)sqlite3_snprintf(cap, out, "%s", name);
    return SQLITE_OK;
}

static int vfs_random(sqlite3_vfs *vfs, int len, char *out)
{
    for (int i = 0; i < len; i++)
        out[i] = (char)dice_next(&platter_of(vfs)->dice);
    return len;
}

static int vfs_sleep(sqlite3_vfs *vfs, int microseconds)
{
    (void)vfs;
    return microseconds;
}

static int vfs_time(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
    (void)vfs;
    *out = 0;
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int len, char *out)
{
    (void)len;
    (void)out;
    return platter_of(vfs)->reason;
}

void platter_mount(struct platter *p, bool is_default)
{
    p->vfs = (sqlite3_vfs){.iVersion = 2,
                           .szOsFile = (int)sizeof(struct handle),
                           .mxPathname = PLATTER_NAME_BYTES * 4,
                           .zName = p->vfs_name,
                           .pAppData = p,
                           .xOpen = vfs_open,
                           .xDelete = vfs_remove,
                           .xAccess = vfs_access,
                           .xFullPathname = vfs_full_path,
                           .xRandomness = vfs_random,
                           .xSleep = vfs_sleep,
                           .xCurrentTimeInt64 = vfs_time,
                           .xGetLastError = vfs_last_error};
    if (sqlite3_initialize() != SQLITE_OK ||
        sqlite3_vfs_register(&p->vfs, is_default) != SQLITE_OK)
        abort();
    /* What SQLite draws by itself must begin anew, too. */
    if (is_default)
        sqlite3_randomness(0, NULL);
}

void platter_unmount(struct platter *p)
{
    (void)sqlite3_vfs_unregister(&p->vfs);
}
