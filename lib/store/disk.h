/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/store/disk.h - the directory a store lies in, by way of an SQLite VFS,
 * and the words and codes for what can go wrong there.
 */
#ifndef RKV_STORE_DISK_H
#define RKV_STORE_DISK_H

#include <sqlite3.h>

#include "room.h"

/* A directory on some VFS, and where to say what went wrong there. */
struct rkv_disk {
    sqlite3_vfs *vfs;
    const struct rkv_allocator *allocator;
    struct rkv_trouble *trouble;
    char *path; /* of the directory, in full */
    size_t path_size;
    bool is_ours; /* the default VFS: a directory of the system */
    int lock;     /* then: its descriptor, once it is locked; else -1 */
};

enum { RKV_PATH_BYTES = 1100 };

/* What to do about a member whose memory is not to be trusted. */
#define RKV_REPLACE_MEMBER                                                     \
    "remove this member from the cluster, delete the directory, and add it "   \
    "again"

/* The RKV_E* code for an SQLite result that is not SQLITE_OK, and the errno
 * with it (0: not known). */
int rkv_disk_code(int result, int reason);
/* What to do then. */
const char *rkv_disk_advice(int code);
/* Says "PATH: DOING failed: ..." and returns the code for the result. */
int rkv_disk_trouble(const struct rkv_disk *disk, const char *path,
                     const char *doing, int result);

/* Says that the file or directory is another's: RKV_ELOCKED. */
int rkv_disk_locked(const struct rkv_disk *disk, const char *path);

/* vfs NULL: the default, and then the directory is made when absent. */
int rkv_disk_open(struct rkv_disk *disk, const char *path, const char *vfs);
void rkv_disk_close(struct rkv_disk *disk);
/* DIRECTORY/name. */
void rkv_disk_path(const struct rkv_disk *disk, const char *name,
                   char out[RKV_PATH_BYTES]);
/* To a VFS, an empty file is none. */
int rkv_disk_exists(const struct rkv_disk *disk, const char *name, bool *out);
/* An absent file is removed already. */
int rkv_disk_remove(const struct rkv_disk *disk, const char *name);

/* On the default VFS; another one has its own ways, and these do nothing. */
/* Makes an absent file, empty, for its owner alone. */
int rkv_disk_make(const struct rkv_disk *disk, const char *name);
/* The names made in the directory so far are durable.  SQLite sees to it
 * too, but takes a failure of that for success. */
int rkv_disk_sync(const struct rkv_disk *disk);
/* So is the name of the directory. */
int rkv_disk_sync_parent(const struct rkv_disk *disk);
/* The directory is ours until it is closed: RKV_ELOCKED when it is another's.
 */
int rkv_disk_lock(struct rkv_disk *disk);

#endif
