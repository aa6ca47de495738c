/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/store/file.h - plain files through an SQLite VFS, so that everything
 * the store does to a disk passes one door: a simulated disk sees the promise
 * file and the snapshots as it sees the database.
 */
#ifndef RKV_STORE_FILE_H
#define RKV_STORE_FILE_H

#include "disk.h"

struct rkv_file {
    struct rkv_disk *disk; /* NULL: closed */
    sqlite3_file *handle;
    const char *path; /* SQLite's kind of name; freed with the file */
};

enum {
    RKV_FILE_EXISTING = 1, /* must be there, for reading */
    RKV_FILE_MADE = 2,     /* made if absent; its first sync makes its name
                              durable too */
    RKV_FILE_LOCKABLE = 3  /* must be there; can be locked */
};
int rkv_file_open(struct rkv_file *file, struct rkv_disk *disk,
                  const char *name, int how);
void rkv_file_close(struct rkv_file *file);
/* RKV_ELOCKED: another handle, of this or another process, has it. */
int rkv_file_lock(struct rkv_file *file);
int rkv_file_len(struct rkv_file *file, uint64_t *out);
int rkv_file_cut(struct rkv_file *file, uint64_t len);
/* All bytes, or RKV_ECORRUPT when the file ends before them. */
int rkv_file_read(struct rkv_file *file, uint64_t offset, void *buf,
                  size_t len);
int rkv_file_write(struct rkv_file *file, uint64_t offset, const void *data,
                   size_t len);
int rkv_file_sync(struct rkv_file *file);

#endif
