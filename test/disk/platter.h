/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/disk/platter.h - a disk that is not there: files in memory, each twice,
 * as a process reads it now and as it would be found after a loss of power.
 *
 * What happens here: writes land in the first image and make their sectors
 * dirty; a sync carries dirty sectors over to the second; a crash decides for
 * each dirty sector, name and length by itself what became of it.  A disk has
 * traits, which it keeps, and faults, which strike after so many operations.
 * What it promises: what was synced is there, as long as no fault says
 * otherwise.  An SQLite VFS stands in front of it (vfs.c), so that database,
 * log, promise file and snapshots all pass this door.  What lies beneath:
 * dice, and nothing else.  Where to start: platter.c; what goes wrong with a
 * disk that nobody writes to is in wear.c.
 */
#ifndef TEST_DISK_PLATTER_H
#define TEST_DISK_PLATTER_H

#include <sqlite3.h>

#include "dice.h"
#include "fuse.h"

enum {
    SECTOR_BYTES = 512,
    PLATTER_NAME_BYTES = 64,
    SHARED_LOCKS = 8,
    SHARED_REGIONS = 8
};

enum platter_op { OP_READ, OP_WRITE, OP_SYNC, OP_OPEN, OP_REMOVE, OPS_COUNT };

/* What a failed sync leaves behind, by kinds of file systems: pages that pass
 * for clean with the new content, or with the old one; or it is the background
 * that failed earlier, for some pages, and the sync does the rest. */
enum sync_failure {
    SYNC_FORGETS,
    SYNC_REVERTS,
    SYNC_TELLS_LATE,
    SYNC_FAILURES
};

struct platter_traits {
    bool strict_names;  /* a file's own sync does not keep its name */
    bool tears_around;  /* a torn write may spoil its whole sector */
    bool shares_memory; /* offers SQLite shared memory for the WAL's index */
    bool full_late;     /* a full disk shows when syncing, not when writing */
    bool keeps_cache;   /* rot shows only once power was lost */
    enum sync_failure sync_failure;
    uint32_t sector; /* as told to SQLite: 512 or 4096 */
};

struct platter_file {
    struct platter_file *next;
    char name[PLATTER_NAME_BYTES];
    bool named;    /* the process finds it */
    bool anchored; /* and would after a loss of power */
    uint32_t handles;
    uint8_t *now; /* both images have room for cap bytes, zeros at the end */
    uint8_t *kept;
    uint64_t cap;
    uint64_t now_len;
    uint64_t kept_len;
    uint64_t cut;        /* shortest since the last sync; UINT64_MAX: no cut */
    uint64_t *dirty;     /* a bit per sector */
    uint64_t dirty_from; /* no word below or from dirty_to on has a bit */
    uint64_t dirty_to;
    uint64_t unreadable; /* a sector, counted from 1 */
    /* Locks of SQLite's two kinds; owners are handles. */
    uint32_t readers;
    const void *reserved;
    const void *pending;
    uint32_t shared_readers[SHARED_LOCKS];
    const void *shared_writer[SHARED_LOCKS];
    void *shared[SHARED_REGIONS];
};

/* A fault that waits: after left operations it strikes, once or for ever. */
struct platter {
    struct dice dice;
    struct platter_traits traits;
    struct platter_file *files;
    struct fuse faults[OPS_COUNT];
    int64_t power;     /* operations until it goes; negative: it stays */
    bool off;          /* it went: nothing works until platter_crash() */
    uint64_t capacity; /* bytes; 0: no limit */
    bool misdirects;   /* the next write to a database goes elsewhere */
    int reason;        /* errno of what failed last */
    uint64_t ops;      /* of all kinds, for measure */
    uint64_t syncs;
    uint64_t struck; /* operations that failed on purpose */
    sqlite3_vfs vfs;
    char vfs_name[16];
};

void platter_init(struct platter *platter, const char *vfs_name,
                  struct dice dice);
void platter_free(struct platter *platter);
void platter_draw_traits(struct platter *platter);

/* Files.  Results are SQLite's. */
int platter_open(struct platter *platter, const char *name, bool create,
                 struct platter_file **out);
void platter_close(struct platter *platter, struct platter_file *file);
struct platter_file *platter_find(const struct platter *platter,
                                  const char *name);
int platter_remove(struct platter *platter, const char *name);
int platter_read(struct platter *platter, struct platter_file *file, void *buf,
                 uint64_t len, uint64_t offset);
int platter_write(struct platter *platter, struct platter_file *file,
                  const void *data, uint64_t len, uint64_t offset);
int platter_cut(struct platter *platter, struct platter_file *file,
                uint64_t len);
int platter_sync(struct platter *platter, struct platter_file *file);
/* The names in the directory are durable as they are now. */
void platter_sync_names(struct platter *platter);

/* Faults that wait. */
void platter_fail(struct platter *platter, enum platter_op op, uint64_t after,
                  bool for_ever);
void platter_cut_power(struct platter *platter, uint64_t after);
void platter_fill(struct platter *platter, uint64_t room);
/* No more of them; a lost sector stays lost. */
void platter_heal(struct platter *platter);

/* The process is gone; all its handles must be closed. */
void platter_kill(struct platter *platter);
/* So is the power: sectors, lengths and names that were not synced are as
 * chance has it. */
void platter_crash(struct platter *platter);
uint64_t platter_used(const struct platter *platter);

/* vfs.c: registers it under its name; as SQLite's default, whose chance it
 * then gives. */
void platter_mount(struct platter *platter, bool is_default);
void platter_unmount(struct platter *platter);

/* wear.c, on files whose name ends so.  False: there was nothing to spoil. */
bool platter_rot(struct platter *platter, const char *ending);
bool platter_lose_sector(struct platter *platter, const char *ending);
/* All files but that, as they are durable now, to be put back later. */
struct platter_file *platter_copy(const struct platter *platter,
                                  const char *but);
void platter_put_back(struct platter *platter, struct platter_file *copy,
                      const char *but);
void platter_free_copy(struct platter_file *copy);

#endif
