/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Restoring a snapshot: a second state is built from the bytes and takes the
 * place of the first when all of them have come, fit each other, and add up
 * to the hash they promised.  The bytes may come from anywhere, in pieces of
 * any size; memory is taken only for what has really come.
 */
#include "room.h"

#include <string.h>

enum {
    AT_HEADER = 0,
    AT_LEASES = 1,
    AT_SESSIONS = 2,
    AT_USERS = 3,
    AT_ROLES = 4,
    AT_RECORDS = 5,
    AT_END = 6
};

/* Far above what a store can reach, far below where sums would overflow. */
static const int64_t revision_max = INT64_MAX / 4;

struct rkv_restore {
    struct rkv_state *state;
    struct rkv_buffer pending;
    uint32_t stage;
    int error;
    uint64_t left[AT_RECORDS]; /* pieces of each kind */
    uint8_t header[RKV_SNAPSHOT_HEADER];
    int64_t main;
    uint32_t sub;
};

static int consume(struct rkv_restore *restore);
static int read_header(struct rkv_restore *restore, const uint8_t *data);
static void choose_stage(struct rkv_restore *restore);
static int read_other(struct rkv_restore *restore, const uint8_t *data,
                      size_t len);
static int read_record(struct rkv_restore *restore, const uint8_t *data,
                       size_t len);
static int add_record(struct rkv_restore *restore,
                      const struct rkv_draft *draft);
static bool follows(const struct rkv_state *state,
                    const struct rkv_draft *draft,
                    const struct rkv_record *newest);
static int finish(struct rkv_restore *restore);

int rkv_kv_restore_begin(rkv_kv *kv)
{
    struct rkv_restore *restore;

    if (kv->failed)
        return RKV_EFAILED;
    if (kv->restore != NULL)
        return RKV_ESTATE;
    restore = rkv_alloc_zeroed(&kv->allocator, sizeof(*restore));
    if (restore == NULL)
        return RKV_ENOMEM;
    restore->state = rkv_state_new(&kv->allocator);
    if (restore->state == NULL) {
        rkv_release(&kv->allocator, restore, sizeof(*restore));
        return RKV_ENOMEM;
    }
    rkv_buffer_init(&restore->pending, &kv->allocator);
    kv->restore = restore;
    return RKV_OK;
}

int rkv_kv_restore_write(rkv_kv *kv, const void *data, size_t len)
{
    struct rkv_restore *restore = kv->restore;

    if (restore == NULL)
        return RKV_ESTATE;
    if (data == NULL && len > 0)
        return RKV_EINVAL;
    if (restore->error != RKV_OK || len == 0)
        return restore->error;
    rkv_write_bytes(&restore->pending, data, len);
    restore->error = restore->pending.failed ? RKV_ENOMEM : consume(restore);
    return restore->error;
}

int rkv_kv_restore_end(rkv_kv *kv)
{
    struct rkv_state *old = kv->state;
    int error;

    if (kv->restore == NULL)
        return RKV_ESTATE;
    error = finish(kv->restore);
    if (error == RKV_OK) {
        rkv_watches_move(&kv->watches, old);
        kv->state = kv->restore->state;
        kv->state->leases.is_restored = false;
        kv->restore->state = NULL;
        rkv_state_drop(old);
    }
    rkv_kv_restore_abort(kv);
    return error;
}

void rkv_kv_restore_abort(rkv_kv *kv)
{
    if (kv->restore == NULL)
        return;
    rkv_state_drop(kv->restore->state);
    rkv_buffer_free(&kv->restore->pending);
    rkv_release(&kv->allocator, kv->restore, sizeof(*kv->restore));
    kv->restore = NULL;
}

/* Takes one piece if all of it is there: 1, 0 when more must come, or what is
 * wrong. */
static int take_piece(struct rkv_restore *restore, const uint8_t *data,
                      size_t left, size_t *taken)
{
    uint32_t len;

    if (restore->stage == AT_END)
        return left > 0 ? RKV_EMALFORMED : 0;
    if (restore->stage == AT_HEADER) {
        *taken = RKV_SNAPSHOT_HEADER;
        return left < *taken ? 0 : read_header(restore, data);
    }
    if (left < 4)
        return 0;
    len = rkv_get_u32(data);
    if (restore->stage < AT_RECORDS) {
        *taken = 4 + (size_t)len;
        if (len > RKV_COMMAND_BYTES_MAX)
            return RKV_EMALFORMED;
        return left < *taken ? 0 : read_other(restore, data + 4, len);
    }
    if (len == 0) {
        *taken = 12;
        if (left < *taken)
            return 0;
        restore->stage = AT_END;
        return rkv_get_u64(data + 4) ==
                       rkv_hash64(0, restore->header, RKV_SNAPSHOT_HEADER)
                   ? 1
                   : RKV_ECORRUPT;
    }
    if (len > RKV_COMMAND_BYTES_MAX + RKV_SNAPSHOT_PREFIX_MAX)
        return RKV_EMALFORMED;
    *taken = 4 + (size_t)len;
    return left < *taken ? 0 : read_record(restore, data + 4, len);
}

static int consume(struct rkv_restore *restore)
{
    struct rkv_buffer *pending = &restore->pending;
    size_t at = 0, taken = 0;
    int more;

    while ((more = take_piece(restore, pending->data + at, pending->len - at,
                              &taken)) > 0)
        at += taken;
    if (more < 0)
        return more;
    pending->len -= at;
    if (at > 0 && pending->len > 0)
        memmove(pending->data, pending->data + at, pending->len);
    return RKV_OK;
}

static int read_header(struct rkv_restore *restore, const uint8_t *data)
{
    struct rkv_state *state = restore->state;
    uint64_t revision = rkv_get_u64(data + 16);
    int64_t compacted = (int64_t)rkv_get_u64(data + 24);
    int64_t clock = (int64_t)rkv_get_u64(data + 56);

    if (memcmp(data, rkv_snapshot_magic, 7) != 0)
        return RKV_EMALFORMED;
    if (data[7] != rkv_snapshot_magic[7])
        return RKV_EVERSION;
    if (revision < 1 || revision > (uint64_t)revision_max || compacted < -1 ||
        compacted > (int64_t)revision || clock < 0 ||
        clock > RKV_LEASE_CLOCK_MAX || rkv_get_u64(data + 80) > INT64_MAX)
        return RKV_EMALFORMED;
    memcpy(restore->header, data, RKV_SNAPSHOT_HEADER);
    state->applied = rkv_get_u64(data + 8);
    state->revision = (int64_t)revision;
    state->compacted = compacted;
    state->base.main = compacted;
    state->sweep_main = compacted + 1;
    state->leases.clock = clock;
    state->leases.term = rkv_get_u64(data + 64);
    state->leases.is_restored = true;
    state->quota = (int64_t)rkv_get_u64(data + 80);
    state->auth.revision = rkv_get_u64(data + 96) & INT64_MAX;
    state->auth.is_enabled = rkv_get_u64(data + 96) >> 63 != 0;
    restore->left[AT_LEASES] = rkv_get_u64(data + 72);
    restore->left[AT_SESSIONS] = rkv_get_u64(data + 88);
    restore->left[AT_USERS] = rkv_get_u64(data + 104);
    restore->left[AT_ROLES] = rkv_get_u64(data + 112);
    restore->stage = AT_LEASES;
    choose_stage(restore);
    return 1;
}

static void choose_stage(struct rkv_restore *restore)
{
    while (restore->stage < AT_RECORDS && restore->left[restore->stage] == 0)
        restore->stage++;
}

/* One of what stands before the records. */
static int read_other(struct rkv_restore *restore, const uint8_t *data,
                      size_t len)
{
    struct rkv_state *state = restore->state;
    int status;

    if (restore->stage == AT_LEASES)
        status = rkv_leases_read(&state->leases, data, len);
    else if (restore->stage == AT_SESSIONS)
        status = rkv_sessions_read(&state->sessions, data, len);
    else if (restore->stage == AT_USERS)
        status = rkv_auth_read_user(&state->auth, data, len);
    else
        status = rkv_auth_read_role(&state->auth, data, len);
    if (status < 0)
        return status;
    restore->left[restore->stage]--;
    choose_stage(restore);
    return 1;
}

static int read_record(struct rkv_restore *restore, const uint8_t *data,
                       size_t len)
{
    struct rkv_draft draft = {.key = NULL};
    struct rkv_reader r;
    uint64_t ahead, version, age = 0;

    rkv_reader_init(&r, data, len);
    ahead = rkv_read_varint(&r);
    draft.sub = rkv_read_varint32(&r);
    version = rkv_read_varint(&r);
    if (version > 0) {
        age = rkv_read_varint(&r);
        draft.lease = rkv_read_svarint(&r);
    }
    draft.key_len = rkv_read_varint32(&r);
    draft.key = rkv_read_bytes(&r, draft.key_len);
    draft.value_len = (uint32_t)rkv_reader_left(&r);
    draft.value = rkv_read_bytes(&r, draft.value_len);
    if (r.failed || draft.key_len == 0)
        return RKV_EMALFORMED;
    if (ahead > (uint64_t)(restore->state->revision - restore->main))
        return RKV_EMALFORMED;
    draft.main = restore->main + (int64_t)ahead;
    if (age > (uint64_t)draft.main || version > (uint64_t)draft.main)
        return RKV_EMALFORMED;
    draft.version = (int64_t)version;
    draft.create = version > 0 ? draft.main - (int64_t)age : 0;
    return add_record(restore, &draft);
}

static int add_record(struct rkv_restore *restore,
                      const struct rkv_draft *draft)
{
    struct rkv_state *state = restore->state;
    struct rkv_tree_spot spot =
        rkv_tree_find(&state->tree, draft->key, draft->key_len);
    struct rkv_record *record;

    if (draft->main < 2 ||
        (draft->main == restore->main && draft->sub <= restore->sub))
        return RKV_EMALFORMED;
    if (!follows(state, draft, spot.record))
        return RKV_EMALFORMED;
    if (rkv_state_append(state, draft, spot, &record) < 0)
        return RKV_ENOMEM;
    if (record->main <= state->compacted && !rkv_record_is_live(record))
        rkv_mass_add(&state->base.deletions, record);
    restore->main = draft->main;
    restore->sub = draft->sub;
    return 1;
}

/* Whether the key can go on like this.  Up to the compacted revision only its
 * newest record is there; behind that none is missing. */
static bool follows(const struct rkv_state *state,
                    const struct rkv_draft *draft,
                    const struct rkv_record *newest)
{
    bool was_live = newest != NULL && rkv_record_is_live(newest);
    bool is_first = draft->version == 1 && draft->create == draft->main;

    if (newest != NULL &&
        (draft->main <= state->compacted || draft->main == newest->main))
        return false;
    if (draft->version == 0)
        return draft->value_len == 0 && (draft->main > state->compacted
                                             ? was_live
                                             : draft->main == state->compacted);
    if (was_live)
        return draft->version == newest->version + 1 &&
               draft->create == newest->create;
    if (newest != NULL || draft->main > state->compacted)
        return is_first;
    return is_first || (draft->version > 1 && draft->create >= 2 &&
                        draft->main - draft->create >= draft->version - 1);
}

static int finish(struct rkv_restore *restore)
{
    struct rkv_state *state = restore->state;
    int error;

    if (restore->error != RKV_OK)
        return restore->error;
    if (restore->stage != AT_END || restore->pending.len > 0)
        return RKV_EMALFORMED;
    if (!rkv_leases_fit(&state->leases) ||
        (state->sessions.last != NULL &&
         state->sessions.last->used > state->applied))
        return RKV_EMALFORMED;
    error = rkv_auth_finish(&state->auth);
    if (error != RKV_OK)
        return error;
    if (state->held.records != rkv_get_u64(restore->header + 32) ||
        state->held.bytes != rkv_get_u64(restore->header + 40) ||
        rkv_state_hash(state) != rkv_get_u64(restore->header + 48))
        return RKV_ECORRUPT;
    return RKV_OK;
}
