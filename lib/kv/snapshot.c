/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Snapshots.  Records are never changed, so a view of the state is nothing
 * but its revision and what was compacted then: making one costs the same
 * however many keys there are, and commands go on being applied.  Leases,
 * sessions and users do change, so a view begins with a copy of them.  While
 * views are open, compacted records stay in memory.
 */
#include "room.h"

#include <string.h>

const uint8_t rkv_snapshot_magic[8] = {'r', 'k', 'v', '-', 'k', 'v', 0, 2};

enum { AT_HEADER = 0, AT_RECORDS = 1, AT_END = 2 };

struct rkv_snapshot {
    struct rkv_state *state;
    uint64_t applied;
    int64_t revision;
    int64_t compacted;
    uint32_t stage;
    int64_t main; /* of the record loaded last */
    uint32_t sub;
    struct rkv_history_place place;
    struct rkv_buffer others; /* leases, sessions, users: they may change */
    uint8_t header[RKV_SNAPSHOT_HEADER];
    /* What is being handed out: a prefix, then the bytes of a record. */
    uint8_t prefix[RKV_SNAPSHOT_PREFIX_MAX];
    size_t prefix_len;
    size_t prefix_at;
    const uint8_t *bytes;
    size_t bytes_left;
};

static void write_header(rkv_snapshot *snapshot);
static bool load(rkv_snapshot *snapshot);
static const struct rkv_record *next_record(rkv_snapshot *snapshot);
static void load_record(rkv_snapshot *snapshot,
                        const struct rkv_record *record);
static size_t copy_out(rkv_snapshot *snapshot, uint8_t *to, size_t room);

int rkv_kv_snapshot(rkv_kv *kv, rkv_snapshot **out)
{
    struct rkv_state *state = kv->state;
    rkv_snapshot *snapshot;

    if (kv->failed)
        return RKV_EFAILED;
    if (out == NULL)
        return RKV_EINVAL;
    snapshot = rkv_alloc_zeroed(&state->allocator, sizeof(*snapshot));
    if (snapshot == NULL)
        return RKV_ENOMEM;
    rkv_buffer_init(&snapshot->others, &state->allocator);
    rkv_leases_write(&state->leases, &snapshot->others);
    rkv_sessions_write(&state->sessions, &snapshot->others);
    rkv_auth_write(&state->auth, &snapshot->others);
    if (snapshot->others.failed) {
        rkv_buffer_free(&snapshot->others);
        rkv_release(&state->allocator, snapshot, sizeof(*snapshot));
        return RKV_ENOMEM;
    }
    state->owners++;
    state->snapshots++;
    snapshot->state = state;
    snapshot->applied = state->applied;
    snapshot->revision = state->revision;
    snapshot->compacted = state->compacted;
    snapshot->place = rkv_history_seek(&state->history, -1, 0);
    write_header(snapshot);
    *out = snapshot;
    return RKV_OK;
}

uint64_t rkv_snapshot_applied(const rkv_snapshot *snapshot)
{
    return snapshot->applied;
}

int rkv_snapshot_read(rkv_snapshot *snapshot, void *buf, size_t cap,
                      size_t *len)
{
    uint8_t *to = buf;
    size_t filled = 0;

    if (buf == NULL || cap == 0 || len == NULL)
        return RKV_EINVAL;
    do
        filled += copy_out(snapshot, to + filled, cap - filled);
    while (filled < cap && load(snapshot));
    *len = filled;
    return RKV_OK;
}

void rkv_snapshot_close(rkv_snapshot *snapshot)
{
    struct rkv_state *state;

    if (snapshot == NULL)
        return;
    state = snapshot->state;
    rkv_buffer_free(&snapshot->others);
    rkv_release(&state->allocator, snapshot, sizeof(*snapshot));
    state->snapshots--;
    rkv_state_drop(state);
}

static void write_header(rkv_snapshot *snapshot)
{
    const struct rkv_state *state = snapshot->state;
    uint8_t *to = snapshot->header;

    memcpy(to, rkv_snapshot_magic, sizeof(rkv_snapshot_magic));
    rkv_put_u64(to + 8, snapshot->applied);
    rkv_put_u64(to + 16, (uint64_t)snapshot->revision);
    rkv_put_u64(to + 24, (uint64_t)snapshot->compacted);
    rkv_put_u64(to + 32, state->held.records);
    rkv_put_u64(to + 40, state->held.bytes);
    rkv_put_u64(to + 48, rkv_state_hash(state));
    rkv_put_u64(to + 56, (uint64_t)state->leases.clock);
    rkv_put_u64(to + 64, state->leases.term);
    rkv_put_u64(to + 72, state->leases.count);
    rkv_put_u64(to + 80, (uint64_t)state->quota);
    rkv_put_u64(to + 88, state->sessions.count);
    rkv_put_u64(to + 96,
                state->auth.revision | (uint64_t)state->auth.is_enabled << 63);
    rkv_put_u64(to + 104, state->auth.users.count);
    rkv_put_u64(to + 112, state->auth.roles.count);
    snapshot->bytes = snapshot->others.data;
    snapshot->bytes_left = snapshot->others.len;
    memcpy(snapshot->prefix, to, RKV_SNAPSHOT_HEADER);
    snapshot->prefix_len = RKV_SNAPSHOT_HEADER;
}

/* The next piece to hand out; false at the end. */
static bool load(rkv_snapshot *snapshot)
{
    const struct rkv_record *record;

    if (snapshot->stage == AT_END)
        return false;
    record = next_record(snapshot);
    if (record != NULL) {
        load_record(snapshot, record);
        return true;
    }
    rkv_put_u32(snapshot->prefix, 0);
    rkv_put_u64(snapshot->prefix + 4,
                rkv_hash64(0, snapshot->header, RKV_SNAPSHOT_HEADER));
    snapshot->prefix_len = 12;
    snapshot->prefix_at = 0;
    snapshot->stage = AT_END;
    return true;
}

static const struct rkv_record *next_record(rkv_snapshot *snapshot)
{
    const struct rkv_history *history = &snapshot->state->history;
    const struct rkv_record *record;

    if (snapshot->place.epoch != history->epoch)
        snapshot->place =
            snapshot->stage == AT_HEADER
                ? rkv_history_seek(history, -1, 0)
                : rkv_history_seek(history, snapshot->main, snapshot->sub + 1);
    while ((record = rkv_history_next(history, &snapshot->place)) != NULL &&
           record->main <= snapshot->revision) {
        if (rkv_record_held(record, snapshot->compacted))
            return record;
    }
    return NULL;
}

static size_t write_varint(uint8_t *to, uint64_t value)
{
    size_t len = 0;

    while (value >= 0x80) {
        to[len++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    to[len++] = (uint8_t)value;
    return len;
}

static void load_record(rkv_snapshot *snapshot, const struct rkv_record *record)
{
    uint8_t *to = snapshot->prefix;
    int64_t before = snapshot->stage == AT_HEADER ? 0 : snapshot->main;
    uint64_t lease = (uint64_t)rkv_record_lease(record);
    size_t at = 4;

    at += write_varint(to + at, (uint64_t)(record->main - before));
    at += write_varint(to + at, record->sub);
    at += write_varint(to + at, (uint64_t)record->version);
    if (rkv_record_is_live(record)) {
        at += write_varint(to + at, (uint64_t)(record->main - record->create));
        at += write_varint(to + at, lease << 1 ^ (0 - (lease >> 63)));
    }
    at += write_varint(to + at, record->key_len);
    snapshot->prefix_len = at;
    snapshot->prefix_at = 0;
    snapshot->bytes = record->bytes;
    snapshot->bytes_left = (size_t)record->key_len + record->value_len;
    rkv_put_u32(to, (uint32_t)(at - 4 + snapshot->bytes_left));
    snapshot->main = record->main;
    snapshot->sub = record->sub;
    snapshot->stage = AT_RECORDS;
}

static size_t copy_out(rkv_snapshot *snapshot, uint8_t *to, size_t room)
{
    size_t head = snapshot->prefix_len - snapshot->prefix_at;
    size_t body;

    if (head > room)
        head = room;
    memcpy(to, snapshot->prefix + snapshot->prefix_at, head);
    snapshot->prefix_at += head;
    body =
        snapshot->bytes_left < room - head ? snapshot->bytes_left : room - head;
    if (body > 0) {
        memcpy(to + head, snapshot->bytes, body);
        snapshot->bytes += body;
        snapshot->bytes_left -= body;
    }
    return head + body;
}
