/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The state: all records, in all the ways they are looked for, and what they
 * come to.  A handle owns one, and so does each snapshot that is being read;
 * restoring makes a second one and swaps.
 */
#include "room.h"

/* Records between two checkpoints. */
enum { CHECKPOINT_EVERY = 256 };

static void begin_revision(struct rkv_state *state, int64_t main);
static void take_checkpoint(struct rkv_state *state);
static void free_large_records(struct rkv_state *state);

struct rkv_state *rkv_state_new(const struct rkv_allocator *a)
{
    struct rkv_state *state = rkv_alloc_zeroed(a, sizeof(*state));

    if (state == NULL)
        return NULL;
    state->allocator = *a;
    rkv_pool_init(&state->pool, &state->allocator);
    rkv_tree_init(&state->tree, &state->allocator);
    rkv_history_init(&state->history, &state->allocator);
    rkv_leases_init(&state->leases, &state->allocator);
    rkv_sessions_init(&state->sessions, &state->allocator);
    rkv_auth_init(&state->auth, &state->allocator);
    state->owners = 1;
    state->revision = 1;
    state->compacted = -1;
    state->base.main = -1;
    state->now.main = -1;
    return state;
}

void rkv_state_drop(struct rkv_state *state)
{
    struct rkv_allocator allocator;

    if (state == NULL || --state->owners > 0)
        return;
    allocator = state->allocator;
    rkv_leases_free(&state->leases);
    rkv_sessions_free(&state->sessions);
    rkv_auth_free(&state->auth);
    free_large_records(state);
    rkv_tree_free(&state->tree);
    rkv_history_free(&state->history);
    rkv_pool_free(&state->pool);
    rkv_release(&allocator, state->checkpoints,
                state->checkpoints_cap * sizeof(state->checkpoints[0]));
    rkv_release(&allocator, state, sizeof(*state));
}

void rkv_mass_add(struct rkv_mass *mass, const struct rkv_record *record)
{
    mass->records += 1;
    mass->bytes += (uint64_t)record->key_len + record->value_len;
    mass->hash += rkv_record_hash(record);
}

int rkv_state_append(struct rkv_state *state, const struct rkv_draft *draft,
                     struct rkv_tree_spot spot, struct rkv_record **out)
{
    struct rkv_record *newest = spot.record;
    struct rkv_record *record = rkv_record_new(&state->pool, draft, newest);

    if (record == NULL)
        return RKV_ENOMEM;
    if (rkv_history_append(&state->history, record) < 0) {
        rkv_record_drop(&state->pool, record);
        return RKV_ENOMEM;
    }
    if (draft->main > state->now.main)
        begin_revision(state, draft->main);
    state->since_checkpoint++;
    state->sweep_owed++;
    if (newest != NULL && rkv_record_is_live(newest))
        rkv_mass_add(&state->now.replaced, newest);
    if (!rkv_record_is_live(record))
        rkv_mass_add(&state->now.deletions, record);
    rkv_mass_add(&state->held, record);
    rkv_record_link(record, newest, state->compacted);
    if (rkv_tree_put(&state->tree, record, spot) < 0 ||
        rkv_leases_change(&state->leases, newest, record) < 0)
        return RKV_ENOMEM;
    *out = record;
    return RKV_OK;
}

uint64_t rkv_state_space(const struct rkv_state *state)
{
    return state->held.bytes +
           RKV_SPACE_EACH * (state->held.records + state->leases.count);
}

bool rkv_state_is_full(const struct rkv_state *state)
{
    return state->quota > 0 && rkv_state_space(state) >= (uint64_t)state->quota;
}

/* Between two revisions what the sums sum up is whole. */
static void begin_revision(struct rkv_state *state, int64_t main)
{
    if (state->since_checkpoint >= CHECKPOINT_EVERY &&
        state->now.main > state->compacted)
        take_checkpoint(state);
    state->now.main = main;
    state->now.earlier = state->now.deletions;
}

/* Checkpoints only save a compaction some counting: without memory for one
 * there is none. */
static void take_checkpoint(struct rkv_state *state)
{
    void *checkpoints = state->checkpoints;

    if (rkv_grow(&state->allocator, &checkpoints, &state->checkpoints_cap,
                 state->checkpoints_count + 1,
                 sizeof(state->checkpoints[0])) < 0)
        return;
    state->checkpoints = checkpoints;
    state->checkpoints[state->checkpoints_count++] = state->now;
    state->since_checkpoint = 0;
}

static void free_large_records(struct rkv_state *state)
{
    struct rkv_history_place place = rkv_history_seek(&state->history, -1, 0);
    struct rkv_record *record;

    while (state->pool.large > 0 &&
           (record = rkv_history_next(&state->history, &place)) != NULL)
        rkv_record_drop(&state->pool, record);
}
