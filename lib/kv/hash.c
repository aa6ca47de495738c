/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Hashes of the whole state.  Ours is the sum of the hashes of all records
 * that compaction has left, and of leases, sessions and users, so it is kept up
 * to date for next to nothing and says the same on every member; etcd's is a
 * CRC over all of them in order, counted when asked.
 */
#include "room.h"

static uint64_t hash_of(const struct rkv_state *state,
                        const struct rkv_mass *held, uint64_t lease_hash,
                        uint64_t session_hash, uint64_t auth_hash);

uint64_t rkv_state_hash(const struct rkv_state *state)
{
    return hash_of(state, &state->held, state->leases.hash,
                   state->sessions.hash, state->auth.hash);
}

uint64_t rkv_state_rehash(const struct rkv_state *state, struct rkv_mass *held)
{
    struct rkv_history_place place = rkv_history_seek(&state->history, -1, 0);
    struct rkv_record *record;

    *held = (struct rkv_mass){0, 0, 0};
    while ((record = rkv_history_next(&state->history, &place)) != NULL) {
        if (!rkv_record_held(record, state->compacted))
            continue;
        held->records += 1;
        held->bytes += (uint64_t)record->key_len + record->value_len;
        held->hash += rkv_record_rehash(record);
    }
    return hash_of(state, held, rkv_leases_rehash(&state->leases),
                   rkv_sessions_rehash(&state->sessions),
                   rkv_auth_rehash(&state->auth));
}

static uint64_t hash_of(const struct rkv_state *state,
                        const struct rkv_mass *held, uint64_t lease_hash,
                        uint64_t session_hash, uint64_t auth_hash)
{
    const struct rkv_leases *leases = &state->leases;
    uint8_t numbers[104];

    rkv_put_u64(numbers, (uint64_t)state->revision);
    rkv_put_u64(numbers + 8, (uint64_t)state->compacted);
    rkv_put_u64(numbers + 16, held->records);
    rkv_put_u64(numbers + 24, held->bytes);
    rkv_put_u64(numbers + 32, held->hash);
    rkv_put_u64(numbers + 40, (uint64_t)leases->clock);
    rkv_put_u64(numbers + 48, leases->term);
    rkv_put_u64(numbers + 56, leases->count);
    rkv_put_u64(numbers + 64, lease_hash);
    rkv_put_u64(numbers + 72, (uint64_t)state->quota);
    rkv_put_u64(numbers + 80, state->sessions.count);
    rkv_put_u64(numbers + 88, session_hash);
    rkv_put_u64(numbers + 96, auth_hash);
    return rkv_hash64(0, numbers, sizeof(numbers));
}

/* A field of protocol buffers: number and wire type in one byte. */
enum {
    FIELD_KEY = 1 << 3 | 2,
    FIELD_CREATE = 2 << 3,
    FIELD_MOD = 3 << 3,
    FIELD_VERSION = 4 << 3,
    FIELD_VALUE = 5 << 3 | 2,
    FIELD_LEASE = 6 << 3
};

struct message {
    uint8_t bytes[64];
    size_t len;
};

static void add_varint(struct message *message, uint64_t value)
{
    while (value >= 0x80) {
        message->bytes[message->len++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    message->bytes[message->len++] = (uint8_t)value;
}

static void add_number(struct message *message, uint8_t field, int64_t value)
{
    if (value == 0)
        return;
    message->bytes[message->len++] = field;
    add_varint(message, (uint64_t)value);
}

static void add_length(struct message *message, uint8_t field, uint32_t len)
{
    message->bytes[message->len++] = field;
    add_varint(message, len);
}

static void flush(struct rkv_crc32c *crc, struct message *message)
{
    rkv_crc32c_add(crc, message->bytes, message->len);
    message->len = 0;
}

static void put_big_endian(uint8_t *to, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(value >> (56 - 8 * i));
}

/* A record as etcd stores it: the revision is the key, the value a KeyValue
 * message without the fields that are zero. */
static void hash_record(struct rkv_crc32c *crc, const struct rkv_record *record)
{
    struct message message = {.len = 17};

    put_big_endian(message.bytes, (uint64_t)record->main);
    message.bytes[8] = '_';
    put_big_endian(message.bytes + 9, record->sub);
    if (!rkv_record_is_live(record))
        message.bytes[message.len++] = 't';
    add_length(&message, FIELD_KEY, record->key_len);
    flush(crc, &message);
    rkv_crc32c_add(crc, record->bytes, record->key_len);
    if (!rkv_record_is_live(record))
        return;
    add_number(&message, FIELD_CREATE, record->create);
    add_number(&message, FIELD_MOD, record->main);
    add_number(&message, FIELD_VERSION, record->version);
    if (record->value_len > 0) {
        add_length(&message, FIELD_VALUE, record->value_len);
        flush(crc, &message);
        rkv_crc32c_add(crc, rkv_record_value(record), record->value_len);
    }
    add_number(&message, FIELD_LEASE, rkv_record_lease(record));
    flush(crc, &message);
}

/* The newest of its key at revision, and there. */
static bool is_kept(const struct rkv_record *record, int64_t revision)
{
    return rkv_record_is_live(record) &&
           (record->next == NULL || record->next->main > revision);
}

static bool keeps_any(const struct rkv_state *state, int64_t revision)
{
    struct rkv_history_place place = rkv_history_seek(&state->history, -1, 0);
    struct rkv_record *record;

    while ((record = rkv_history_next(&state->history, &place)) != NULL &&
           record->main <= revision) {
        if (is_kept(record, revision))
            return true;
    }
    return false;
}

/* etcd skips what a compaction is about to remove, as seen from the revision
 * asked for, but not when nothing at all would be kept; and always a deletion
 * just at the compacted revision, which its versions treat differently. */
static bool is_hashed(const struct rkv_record *record, int64_t compacted,
                      int64_t revision, bool keeps)
{
    if (!rkv_record_held(record, compacted))
        return false;
    if (record->main > compacted)
        return true;
    if (keeps && !is_kept(record, revision))
        return false;
    return record->main < compacted || rkv_record_is_live(record);
}

int rkv_kv_hash(rkv_kv *kv, int64_t revision, uint32_t *hash,
                int64_t *compacted)
{
    struct rkv_state *state = kv->state;
    struct rkv_history_place place;
    struct rkv_record *record;
    struct rkv_crc32c crc;
    bool keeps;

    if (kv->failed)
        return RKV_EFAILED;
    if (hash == NULL || compacted == NULL)
        return RKV_EINVAL;
    if (revision > 0 && revision < state->compacted)
        return RKV_ECOMPACTED;
    if (revision > state->revision)
        return RKV_EFUTURE;
    /* As in etcd a number below 0 is a revision before all others. */
    if (revision == 0)
        revision = state->revision;
    keeps = keeps_any(state, revision);
    rkv_crc32c_begin(&crc);
    rkv_crc32c_add(&crc, "key", 3);
    place = rkv_history_seek(&state->history, -1, 0);
    while ((record = rkv_history_next(&state->history, &place)) != NULL &&
           record->main <= revision) {
        if (is_hashed(record, state->compacted, revision, keeps))
            hash_record(&crc, record);
    }
    *hash = crc.value;
    *compacted = state->compacted;
    return RKV_OK;
}
