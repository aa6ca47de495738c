/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/store/sqlite_run.h - a row of a segment: a run of entries that were
 * written together.  Its data is, for each entry, varints of
 *
 *     how much its term exceeds the one before it (the first: its term)
 *     kind, len, and then len bytes of payload
 *
 * and beside it stand the chain before the first entry and that of the last:
 * the chains between follow from the entries, and a wrong bit anywhere leads
 * to another end.
 */
#ifndef RKV_STORE_SQLITE_RUN_H
#define RKV_STORE_SQLITE_RUN_H

#include <sqlite3.h>

#include "../base/bytes.h"
#include "room.h"

enum {
    RKV_RUN_ENTRIES_MAX = 256,
    RKV_RUN_BYTES_MAX = 64 * 1024 /* unless one entry is longer */
};

struct rkv_run {
    uint64_t first;
    uint64_t last;
    uint8_t before[32];
    uint8_t chain[32];
    const uint8_t *data;
    size_t len;
};

/* The columns of a select, in the order of rkv_run_of(). */
#define RKV_RUN_COLUMNS "i,last,before,chain,data"

/* How many of these entries make the next run, at most count. */
uint64_t rkv_run_cut(const struct rkv_entry *entries, uint64_t count);
/* Replaces what is in out; out->failed: no memory. */
void rkv_run_encode(struct rkv_buffer *out, const struct rkv_entry *entries,
                    uint64_t count);
/* The row a select stands on; data is SQLite's until its next step. */
struct rkv_run rkv_run_of(sqlite3_stmt *select);

/* A hash in a row; anything else there is read as zeros. */
void rkv_run_hash(sqlite3_stmt *select, int column, uint8_t out[32]);

/* Walks over the entries of a run. */
struct rkv_run_cursor {
    struct rkv_reader reader;
    uint64_t next; /* index */
    uint64_t last;
    uint64_t term;
    uint8_t chain[32]; /* of the entry before next */
};
void rkv_run_begin(struct rkv_run_cursor *cursor, const struct rkv_run *run);
/* False: that was the last, or the bytes are no entries. */
bool rkv_run_next(struct rkv_run_cursor *cursor, struct rkv_entry *out);
/* After the last: did the run hold what it says? */
bool rkv_run_is_whole(const struct rkv_run_cursor *cursor,
                      const struct rkv_run *run);

#endif
