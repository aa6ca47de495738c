/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Runs: many entries in a row, since a row costs SQLite more than an entry
 * of moderate size does.
 */
#include "sqlite_run.h"

#include <string.h>

uint64_t rkv_run_cut(const struct rkv_entry *entries, uint64_t count)
{
    uint64_t bytes = entries[0].len;
    uint64_t taken = 1;

    while (taken < count && taken < RKV_RUN_ENTRIES_MAX) {
        bytes += entries[taken].len;
        if (bytes > RKV_RUN_BYTES_MAX)
            break;
        taken++;
    }
    return taken;
}

void rkv_run_encode(struct rkv_buffer *out, const struct rkv_entry *entries,
                    uint64_t count)
{
    uint64_t term = 0;

    rkv_buffer_clear(out);
    for (uint64_t i = 0; i < count; i++) {
        rkv_write_varint(out, entries[i].term - term);
        rkv_write_varint(out, entries[i].kind);
        rkv_write_blob(out, entries[i].data, entries[i].len);
        term = entries[i].term;
    }
}

void rkv_run_hash(sqlite3_stmt *select, int column, uint8_t out[32])
{
    const void *hash = sqlite3_column_blob(select, column);

    memset(out, 0, 32);
    if (hash != NULL && sqlite3_column_bytes(select, column) == 32)
        memcpy(out, hash, 32);
}

struct rkv_run rkv_run_of(sqlite3_stmt *select)
{
    struct rkv_run run;

    run.first = (uint64_t)sqlite3_column_int64(select, 0);
    run.last = (uint64_t)sqlite3_column_int64(select, 1);
    rkv_run_hash(select, 2, run.before);
    rkv_run_hash(select, 3, run.chain);
    run.data = sqlite3_column_blob(select, 4);
    run.len = (size_t)sqlite3_column_bytes(select, 4);
    return run;
}

void rkv_run_begin(struct rkv_run_cursor *cursor, const struct rkv_run *run)
{
    rkv_reader_init(&cursor->reader, run->data, run->len);
    cursor->next = run->first;
    cursor->last = run->last;
    cursor->term = 0;
    memcpy(cursor->chain, run->before, 32);
}

bool rkv_run_next(struct rkv_run_cursor *cursor, struct rkv_entry *out)
{
    size_t len = 0;

    if (cursor->next > cursor->last || cursor->reader.failed)
        return false;
    cursor->term += rkv_read_varint(&cursor->reader);
    out->index = cursor->next;
    out->term = cursor->term;
    out->kind = rkv_read_varint32(&cursor->reader);
    out->data = rkv_read_blob(&cursor->reader, &len);
    out->len = (uint32_t)len;
    if (cursor->reader.failed)
        return false;
    rkv_entry_chain(out, cursor->chain);
    memcpy(cursor->chain, out->chain, 32);
    cursor->next++;
    return true;
}

bool rkv_run_is_whole(const struct rkv_run_cursor *cursor,
                      const struct rkv_run *run)
{
    return cursor->next == run->last + 1 && rkv_reader_done(&cursor->reader) &&
           memcmp(cursor->chain, run->chain, 32) == 0;
}
