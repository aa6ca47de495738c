/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Any bytes as a row of a segment: where its run begins and how many entries
 * it claims, then their bytes.  What is read to its end without fault is
 * written again to the byte, and a row with the chain that was computed is
 * whole, one with another is not.
 */
#include "base/bytes.h"
#include "exact.h"
#include "store/sqlite_run.h"

enum { HEAD_BYTES = 9 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rkv_entry entries[RKV_RUN_ENTRIES_MAX];
    struct rkv_allocator allocator = rkv_alloc_choose(NULL);
    struct rkv_run run = {.data = data + HEAD_BYTES, .len = size - HEAD_BYTES};
    struct rkv_run_cursor cursor;
    struct rkv_buffer again;
    uint64_t count = 0;

    if (size < HEAD_BYTES)
        return 0;
    run.first = rkv_get_u64(data) >> 2;
    run.last = run.first + data[8];
    rkv_run_begin(&cursor, &run);
    while (rkv_run_next(&cursor, &entries[count])) {
        exact_require(entries[count].index == run.first + count);
        count++;
    }
    memcpy(run.chain, cursor.chain, sizeof run.chain);
    exact_require(count <= (uint64_t)data[8] + 1);
    if (!rkv_run_is_whole(&cursor, &run))
        return 0;
    exact_require(count == (uint64_t)data[8] + 1);
    rkv_buffer_init(&again, &allocator);
    rkv_run_encode(&again, entries, count);
    exact_require(!again.failed);
    exact_require(again.len == run.len);
    exact_require(memcmp(again.data, run.data, run.len) == 0);
    rkv_buffer_free(&again);
    run.chain[31] ^= 1;
    exact_require(!rkv_run_is_whole(&cursor, &run));
    return 0;
}
