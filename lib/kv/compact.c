/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Compaction.  At revision C, of each key the newest record up to C stays
 * unless it is a deletion before C, and every record after C.  A compaction
 * counts as done when it is ordered: the sums are right at once, readers
 * below C are refused at once.  The memory comes back in steps, oldest
 * revision first, so that no call takes long; how far that has come shows in
 * nothing that another member could see.
 */
#include "room.h"

#include <string.h>

/* Steps of each call, and how many may come on top. */
enum { SWEEP_STEPS = 64, SWEEP_MORE = 2048 };

static struct rkv_checkpoint checkpoint_at(const struct rkv_state *state,
                                           int64_t main);
static void count_up_to(const struct rkv_state *state, int64_t revision,
                        struct rkv_checkpoint *at, struct rkv_mass *removed);
static void sweep_some(struct rkv_state *state, uint32_t steps);
static void forget_checkpoints(struct rkv_state *state, int64_t main);
static void sweep_record(struct rkv_state *state, struct rkv_record *record);
static void remove_record(struct rkv_state *state, struct rkv_record *record);

static void mass_move(struct rkv_mass *to, const struct rkv_mass *by,
                      uint64_t sign)
{
    to->records += sign * by->records;
    to->bytes += sign * by->bytes;
    to->hash += sign * by->hash;
}

int rkv_state_compact(struct rkv_state *state, int64_t revision)
{
    const uint64_t plus = 1, minus = (uint64_t)-1;
    struct rkv_checkpoint at;
    struct rkv_mass removed;

    if (revision <= state->compacted)
        return RKV_ECOMPACTED;
    if (revision > state->revision)
        return RKV_EFUTURE;
    at = checkpoint_at(state, revision);
    removed = at.main < revision ? at.deletions : at.earlier;
    count_up_to(state, revision, &at, &removed);
    mass_move(&removed, &at.replaced, plus);
    mass_move(&state->held, &state->removed, plus);
    mass_move(&state->held, &removed, minus);
    state->removed = removed;
    at.main = revision;
    state->base = at;
    forget_checkpoints(state, revision);
    /* A deletion just at the last compaction stayed; now it may go. */
    if (state->sweep_main > state->compacted) {
        state->sweep_main = state->compacted;
        state->sweep_sub = 0;
    }
    state->compacted = revision;
    return RKV_OK;
}

/* What was written meanwhile counts on top, so memory does not grow however
 * large transactions are; only after an exceptional one, or after a snapshot
 * has held things up, it takes several calls. */
void rkv_state_sweep(struct rkv_state *state)
{
    uint64_t steps = SWEEP_STEPS, more = state->sweep_owed;

    if (state->snapshots > 0)
        return;
    if (state->sweep_main > state->compacted) {
        state->sweep_owed = 0;
        return;
    }
    if (more > SWEEP_MORE)
        more = SWEEP_MORE;
    state->sweep_owed -= more;
    for (steps += more; steps > 0 && state->sweep_main <= state->compacted;) {
        uint32_t part = steps < SWEEP_STEPS ? (uint32_t)steps : SWEEP_STEPS;

        sweep_some(state, part);
        steps -= part;
    }
}

/* The newest checkpoint up to this revision: the sums of now, if nothing came
 * after it, and those of the last compaction if there is no later one. */
static struct rkv_checkpoint checkpoint_at(const struct rkv_state *state,
                                           int64_t main)
{
    size_t low = 0, high = state->checkpoints_count;

    if (state->now.main > state->base.main && state->now.main <= main)
        return state->now;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (state->checkpoints[middle].main <= main)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? state->checkpoints[low - 1] : state->base;
}

/* Adds the records behind a checkpoint up to a revision: never more than lie
 * between two checkpoints. */
static void count_up_to(const struct rkv_state *state, int64_t revision,
                        struct rkv_checkpoint *at, struct rkv_mass *removed)
{
    struct rkv_history_place place =
        rkv_history_seek(&state->history, at->main + 1, 0);
    const struct rkv_record *record;

    while ((record = rkv_history_next(&state->history, &place)) != NULL &&
           record->main <= revision) {
        if (record->prev != NULL && rkv_record_is_live(record->prev))
            rkv_mass_add(&at->replaced, record->prev);
        if (rkv_record_is_live(record))
            continue;
        rkv_mass_add(&at->deletions, record);
        if (record->main < revision)
            rkv_mass_add(removed, record);
    }
}

static void forget_checkpoints(struct rkv_state *state, int64_t main)
{
    size_t gone = 0;

    while (gone < state->checkpoints_count &&
           state->checkpoints[gone].main <= main)
        gone++;
    state->checkpoints_count -= gone;
    if (gone > 0)
        memmove(state->checkpoints, state->checkpoints + gone,
                state->checkpoints_count * sizeof(state->checkpoints[0]));
}

/* Removing moves places, so some records are taken down first. */
static void sweep_some(struct rkv_state *state, uint32_t steps)
{
    struct rkv_record *batch[SWEEP_STEPS];
    struct rkv_history_place place =
        rkv_history_seek(&state->history, state->sweep_main, state->sweep_sub);
    uint32_t count = 0;

    while (count < steps) {
        struct rkv_record *record = rkv_history_next(&state->history, &place);

        if (record == NULL || record->main > state->compacted) {
            state->sweep_main = state->compacted + 1;
            state->sweep_sub = 0;
            break;
        }
        state->sweep_main = record->main;
        state->sweep_sub = record->sub + 1;
        batch[count++] = record;
    }
    for (uint32_t i = 0; i < count; i++)
        sweep_record(state, batch[i]);
}

/* What this record replaced goes, and a deletion goes itself. */
static void sweep_record(struct rkv_state *state, struct rkv_record *record)
{
    struct rkv_record *replaced = record->prev;

    if (replaced != NULL) {
        record->prev = NULL;
        remove_record(state, replaced);
    }
    if (rkv_record_is_live(record) || record->main == state->compacted)
        return;
    if (record->next != NULL)
        record->next->prev = NULL;
    else
        rkv_tree_remove(&state->tree, record);
    remove_record(state, record);
}

static void remove_record(struct rkv_state *state, struct rkv_record *record)
{
    rkv_history_remove(&state->history, record);
    rkv_record_drop(&state->pool, record);
}
