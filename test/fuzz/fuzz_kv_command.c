/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Any bytes as commands: the input whole, and cut into pieces by the byte
 * before each.  Whatever they do, the store stays whole, says before what it
 * will say after, and comes through a snapshot as it was.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kv/room.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
    if (!truth)
        abort();
}

static void apply(rkv_kv *kv, uint64_t *index, const uint8_t *data, size_t len)
{
    int checked = rkv_kv_check(kv, data, len);
    const struct rkv_result *result;

    require(rkv_kv_apply(kv, ++*index, data, len, &result) == RKV_OK);
    /* Limits bind the proposer alone; the rest binds everybody. */
    if (checked != RKV_OK && checked != RKV_ETOOMANY && checked != RKV_ETOOBIG)
        require(result->status == checked);
    if (result->status == RKV_OK && checked == RKV_OK)
        require(result->revision >= 1);
}

static void put(rkv_kv *kv, uint64_t *index, uint8_t key)
{
    const uint8_t command[] = {1, 2, 0, 0, 1, key, 2, 'o', 'k'};

    apply(kv, index, command, sizeof(command));
}

static void watch(rkv_kv *kv, int64_t start)
{
    struct rkv_watch w = {
        .size = sizeof(w),
        .flags = RKV_WATCH_PREV,
        .key = "",
        .key_len = 1,
        .end = "",
        .end_len = 1,
        .start = start,
    };

    require(rkv_kv_watch(kv, &w, NULL) == RKV_OK);
}

/* Changes come in order, and end. */
static void pull(rkv_kv *kv)
{
    const struct rkv_change_event *change;

    while (rkv_kv_next_change(kv, &change) == 1)
        require(change->kind >= RKV_CHANGE_PUT &&
                change->kind <= RKV_CHANGE_CANCELED);
}

static void compare_copy(rkv_kv *kv)
{
    struct rkv_kv_status first = {.size = sizeof(first)}, second = first;
    struct rkv_mass held;
    rkv_snapshot *snapshot;
    uint8_t chunk[61];
    size_t len;
    rkv_kv *copy;

    require(rkv_tree_check(&kv->state->tree));
    require(rkv_history_check(&kv->state->history));
    require(rkv_leases_check(&kv->state->leases, &kv->state->tree));
    require(rkv_kv_new(NULL, &copy) == RKV_OK);
    require(rkv_kv_snapshot(kv, &snapshot) == RKV_OK);
    require(rkv_kv_restore_begin(copy) == RKV_OK);
    for (;;) {
        require(rkv_snapshot_read(snapshot, chunk, sizeof(chunk), &len) ==
                RKV_OK);
        if (len == 0)
            break;
        require(rkv_kv_restore_write(copy, chunk, len) == RKV_OK);
    }
    rkv_snapshot_close(snapshot);
    require(rkv_kv_restore_end(copy) == RKV_OK);
    rkv_kv_status(kv, &first);
    rkv_kv_status(copy, &second);
    second.watches = first.watches;
    require(memcmp(&first, &second, sizeof(first)) == 0);
    require(rkv_state_rehash(kv->state, &held) == first.hash);
    rkv_kv_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t index = 0;
    size_t at = 0;
    rkv_kv *kv;

    require(rkv_kv_new(NULL, &kv) == RKV_OK);
    watch(kv, 0);
    for (uint8_t key = 'a'; key < 'e'; key++)
        put(kv, &index, key);
    put(kv, &index, 'a');
    apply(kv, &index, data, size);
    watch(kv, 3);
    while (at < size) {
        size_t len = data[at++];

        if (len > size - at)
            len = size - at;
        apply(kv, &index, data + at, len);
        at += len;
    }
    pull(kv);
    compare_copy(kv);
    rkv_kv_free(kv);
    return 0;
}
