/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the tests of stores share: a directory of their own, a scribe who
 * writes entries it can tell again later, and ways to damage files.
 */
#ifndef RKV_TEST_STORE_SUPPORT_H
#define RKV_TEST_STORE_SUPPORT_H

#include <raftkv/store.h>
#include <stdbool.h>

/* A new empty directory, and a way out of it. */
struct place {
    char path[256];
};
void place_make(struct place *place);
void place_clear(struct place *place);
void place_remove(const struct place *place);
/* path/name, in one of a few static buffers. */
const char *place_of(const struct place *place, const char *name);
/* Every file of one place, copied to another. */
void place_copy(const struct place *from, const struct place *to);

/* An SQLite store that must open and start. */
rkv_store *open_store(const struct place *place, const char *vfs);
/* One that need not; started when it opens. */
int try_open(const struct place *place, const char *vfs, rkv_store **out);
/* options with small segments and checkpoints, so that all paths are taken */
struct rkv_sqlite_options small_options(const struct place *place);

/* Writes a log whose payloads follow from group and index. */
struct scribe {
    uint64_t group;
    uint64_t last;
    uint64_t term;
    uint64_t vote;
    uint64_t commit;
    uint32_t len; /* of each payload */
    uint8_t chain[32];
};
enum { SCRIBE_BATCH_MAX = 256, SCRIBE_LEN_MAX = 1024 };
/* count more entries, with term, vote and commit; moves on when it worked */
int scribe_write(struct scribe *scribe, rkv_store *store, uint32_t count);
/* A snapshot at index, whole, of len bytes; 0 keeps nothing behind it. */
int scribe_snapshot(struct scribe *scribe, rkv_store *store, uint64_t index,
                    uint64_t keep, size_t len);
/* Counts entries from first on that are as written; stops at the first that
 * is not, or is not there. */
uint64_t scribe_count(const struct scribe *scribe, rkv_store *store,
                      uint64_t first);

struct rkv_store_state state_of(rkv_store *store, uint64_t group);
struct rkv_store_identity start(rkv_store *store);

/* Whole files. */
size_t file_len(const char *path);
void flip_bit(const char *path, size_t offset);
void zero_bytes(const char *path, size_t offset, size_t len);
void copy_bytes(const char *path, size_t from, size_t to, size_t len);
void remove_file(const char *path);
void copy_file(const char *from, const char *to);
/* Runs SQL on a database file, behind the store's back. */
void run_sql(const char *path, const char *sql);
/* The first column of the first row, as a number. */
int64_t ask_sql(const char *path, const char *sql);

#endif
