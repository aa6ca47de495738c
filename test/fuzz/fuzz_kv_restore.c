/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Any bytes as a snapshot; and, since no fuzzer guesses the hashes, as the
 * records of one whose sums are set right.  What is refused changes nothing.
 * What is taken makes the same bytes again and works on.
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

static int restore(rkv_kv *kv, const uint8_t *data, size_t size, size_t piece)
{
    require(rkv_kv_restore_begin(kv) == RKV_OK);
    for (size_t at = 0; at < size; at += piece) {
        size_t len = size - at < piece ? size - at : piece;

        if (rkv_kv_restore_write(kv, data + at, len) < 0)
            break;
    }
    return rkv_kv_restore_end(kv);
}

/* The same bytes come out again, so there is one way to say a state. */
static void compare_bytes(rkv_kv *kv, const uint8_t *data, size_t size)
{
    rkv_snapshot *snapshot;
    uint8_t chunk[256];
    size_t at = 0, len;

    require(rkv_kv_snapshot(kv, &snapshot) == RKV_OK);
    for (;;) {
        require(rkv_snapshot_read(snapshot, chunk, sizeof(chunk), &len) ==
                RKV_OK);
        if (len == 0)
            break;
        require(len <= size - at && memcmp(chunk, data + at, len) == 0);
        at += len;
    }
    require(at == size);
    rkv_snapshot_close(snapshot);
}

static void read_all(rkv_kv *kv)
{
    struct rkv_range range = {.size = sizeof(range),
                              .key = "",
                              .key_len = 1,
                              .end = "",
                              .end_len = 1};
    struct rkv_watch watch = {.size = sizeof(watch),
                              .key = "",
                              .key_len = 1,
                              .end = "",
                              .end_len = 1};
    struct rkv_kv_status status = {.size = sizeof(status)};
    const struct rkv_change_event *change;
    const struct rkv_result *result;
    uint32_t hash;
    int64_t compacted;

    rkv_kv_status(kv, &status);
    for (int64_t back = 0; back < 20 && back < status.revision; back++) {
        range.revision = status.revision - back;
        require(rkv_kv_range(kv, &range, &result) == RKV_OK);
    }
    require(rkv_kv_hash(kv, 0, &hash, &compacted) == RKV_OK);
    watch.start = status.compacted > 0 ? status.compacted : 1;
    require(rkv_kv_watch(kv, &watch, NULL) == RKV_OK);
    while (rkv_kv_next_change(kv, &change) == 1)
        continue;
}

/* Compacts all of it, and all of that is swept. */
static void work_on(rkv_kv *kv)
{
    const uint8_t clear[] = {1, 4, 0, 1, 0, 1, 0};
    struct rkv_kv_status status = {.size = sizeof(status)};
    struct rkv_mass held;
    const void *compact;
    size_t len;
    rkv_txn *txn;

    rkv_kv_status(kv, &status);
    if (status.applied > UINT64_MAX - 3000)
        return;
    require(rkv_txn_new(NULL, &txn) == RKV_OK);
    require(rkv_txn_compact(txn, status.revision) == RKV_OK);
    require(rkv_txn_encode(txn, &compact, &len) == RKV_OK);
    require(rkv_kv_apply(kv, ++status.applied, compact, len, NULL) == RKV_OK);
    require(rkv_kv_apply(kv, ++status.applied, clear, sizeof(clear), NULL) ==
            RKV_OK);
    rkv_txn_free(txn);
    for (int i = 0; i < 2000 && i < 10 + (int)status.revisions; i++)
        require(rkv_kv_skip(kv, ++status.applied) == RKV_OK);
    require(rkv_tree_check(&kv->state->tree));
    require(rkv_history_check(&kv->state->history));
    rkv_kv_status(kv, &status);
    require(rkv_state_rehash(kv->state, &held) == status.hash);
    require(status.keys == 0);
    require(rkv_leases_check(&kv->state->leases, &kv->state->tree));
}

static void try(const uint8_t *data, size_t size)
{
    struct rkv_kv_status before = {.size = sizeof(before)}, after = before;
    rkv_kv *kv;

    require(rkv_kv_new(NULL, &kv) == RKV_OK);
    rkv_kv_status(kv, &before);
    if (restore(kv, data, size, 7) == RKV_OK) {
        require(rkv_tree_check(&kv->state->tree));
        require(rkv_leases_check(&kv->state->leases, &kv->state->tree));
        compare_bytes(kv, data, size);
        read_all(kv);
        work_on(kv);
    } else {
        rkv_kv_status(kv, &after);
        require(memcmp(&before, &after, sizeof(before)) == 0);
    }
    rkv_kv_free(kv);
}

/* Five bytes make a record: main and age in small steps, one key of eight,
 * one lease of three or none. */
static void add_record(struct rkv_state *state, struct rkv_buffer *out,
                       const uint8_t *from, int64_t *main)
{
    uint8_t key[] = {'k', (uint8_t)('0' + from[4] % 8)};
    struct rkv_draft draft = {
        .key = key,
        .key_len = sizeof(key),
        .value = from,
        .value_len = from[2] % 8 == 0 ? 0 : from[4] / 64,
        .main = *main + from[0] % 4,
        .sub = from[1] % 4,
        .version = from[2] % 8,
    };
    struct rkv_tree_spot spot =
        rkv_tree_find(&state->tree, draft.key, draft.key_len);
    size_t at = out->len;
    struct rkv_record *record;

    if (draft.version > 0) {
        draft.create = draft.main - from[3] % 8;
        draft.lease = from[0] / 64;
    }
    require(rkv_state_append(state, &draft, spot, &record) == RKV_OK);
    rkv_write_u32(out, 0);
    rkv_write_varint(out, (uint64_t)(draft.main - *main));
    rkv_write_varint(out, draft.sub);
    rkv_write_varint(out, (uint64_t)draft.version);
    if (draft.version > 0) {
        rkv_write_varint(out, (uint64_t)(draft.main - draft.create));
        rkv_write_svarint(out, draft.lease);
    }
    rkv_write_blob(out, key, sizeof(key));
    rkv_write_bytes(out, draft.value, draft.value_len);
    rkv_put_u32(out->data + at, (uint32_t)(out->len - at - 4));
    *main = draft.main;
}

static void add_lease(struct rkv_state *state, uint8_t id, uint8_t from)
{
    struct rkv_lease draft = {
        .id = id,
        .ttl = 10,
        .deadline = from / 64,
        .flags = from / 32 % 2,
    };

    require(rkv_leases_grant(&state->leases, &draft) == RKV_OK);
}

static void try_forged(const uint8_t *data, size_t size)
{
    struct rkv_allocator allocator = rkv_alloc_choose(NULL);
    struct rkv_state *state = rkv_state_new(&allocator);
    struct rkv_buffer out;
    int64_t main = 0;

    require(state != NULL);
    rkv_buffer_init(&out, &allocator);
    rkv_write_bytes(&out, rkv_snapshot_magic, 8);
    for (int i = 0; i < 11; i++)
        rkv_write_u64(&out, 7);
    rkv_write_u64(&out, 1);
    rkv_write_u64(&out, 0);
    rkv_write_u64(&out, 0);
    state->leases.clock = 7;
    state->quota = 7;
    state->leases.term = 7;
    state->leases.is_restored = true;
    for (uint8_t id = 1; size > 1 && id <= data[0] / 4 % 3; id++)
        add_lease(state, id, data[1]);
    rkv_leases_write(&state->leases, &out);
    for (uint64_t id = 1; size > 2 && id <= data[2] % 4u; id++) {
        struct rkv_result result = {.revision = data[2]};

        require(rkv_sessions_open(&state->sessions, id) == RKV_OK);
        require(rkv_sessions_keep(&state->sessions, state->sessions.last,
                                  3 + id, data[2] / 4, &result) == RKV_OK);
    }
    rkv_sessions_write(&state->sessions, &out);
    rkv_put_u64(out.data + 72, state->leases.count);
    rkv_put_u64(out.data + 88, state->sessions.count);
    for (size_t at = 2; at + 5 <= size; at += 5)
        add_record(state, &out, data + at, &main);
    state->revision = main + (size > 0 ? data[0] % 4 : 1);
    state->compacted = size > 1 ? data[1] % 32 - 1 : -1;
    rkv_put_u64(out.data + 16, (uint64_t)state->revision);
    rkv_put_u64(out.data + 24, (uint64_t)state->compacted);
    rkv_put_u64(out.data + 32, state->held.records);
    rkv_put_u64(out.data + 40, state->held.bytes);
    rkv_put_u64(out.data + 48, rkv_state_hash(state));
    rkv_write_u32(&out, 0);
    rkv_write_u64(&out, rkv_hash64(0, out.data, RKV_SNAPSHOT_HEADER));
    require(!out.failed);
    try(out.data, out.len);
    rkv_buffer_free(&out);
    rkv_state_drop(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try(data, size);
    try_forged(data, size);
    return 0;
}
