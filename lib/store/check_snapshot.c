/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Rules about snapshots and compaction.
 */
#include <string.h>

#include "trial.h"

enum { LEN = 2500, SEED = 11 };

static int snapshot_reads_back(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    int rc = rkv_trial_append(trial, model, 1, 10, 1);

    if (rc == RKV_OK)
        rc = rkv_trial_snapshot(trial, model, 10, 1);
    if (rc == RKV_OK)
        rc = rkv_trial_agrees_snapshot(trial, model, &model->current);
    return rc;
}

/* In one piece, as a host with large buffers may do it. */
static int large_snapshot_reads_back(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    const struct rkv_allocator allocator = rkv_alloc_choose(NULL);
    const size_t len = 512 * 1024;
    uint8_t *bytes = rkv_alloc(&allocator, 2 * len);
    size_t found = 0;

    if (bytes == NULL)
        return rkv_trial_worked(trial, "making a snapshot", RKV_ENOMEM);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(i * 5 + i / 253);
    int rc = rkv_store_snap_begin(*trial->store, model->group, 9);
    if (rc == RKV_OK)
        rc = rkv_store_snap_write(*trial->store, model->group, 0, bytes, len);
    if (rc == RKV_OK)
        rc = rkv_store_snap_finish(*trial->store, model->group, len);
    struct rkv_store_write write =
        rkv_trial_naming(trial, model, 9, 1, 0, SEED);
    write.snapshot_len = len;
    if (rc == RKV_OK)
        rc = rkv_store_write(*trial->store, &write, 1);
    for (size_t done = 0; rc == RKV_OK && done < len; done += found) {
        rc = rkv_store_snap_read(*trial->store, model->group, 9, done,
                                 bytes + len + done, len - done, &found);
        if (rc == RKV_OK && found == 0)
            break;
    }
    rc = rkv_trial_worked(trial, "a large snapshot", rc);
    if (rc == RKV_OK)
        rc = rkv_trial_equal(trial, "equal bytes", 1,
                             memcmp(bytes, bytes + len, len) == 0);
    rkv_release(&allocator, bytes, 2 * len);
    return rc;
}

static int empty_snapshot_reads_back(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    int rc = rkv_trial_put_snapshot(trial, model, 4, 0, SEED);

    if (rc != RKV_OK)
        return rc;
    struct rkv_store_write write =
        rkv_trial_naming(trial, model, 4, 1, 0, SEED);
    rc = rkv_trial_worked(trial, "naming an empty snapshot",
                          rkv_store_write(*trial->store, &write, 1));
    rkv_model_take(model, &write);
    model->current.index = 4;
    return rc == RKV_OK ? rkv_trial_agrees(trial, model) : rc;
}

static int read_is_refused(struct rkv_trial *trial,
                           const struct rkv_model *model, uint64_t index,
                           const char *what)
{
    size_t len;

    return rkv_trial_refused(trial, what, RKV_ENOTFOUND,
                             rkv_store_snap_read(*trial->store, model->group,
                                                 index, 0, trial->bytes[1], 100,
                                                 &len));
}

static int unfinished_is_not_served(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    int rc = rkv_trial_append(trial, model, 1, 10, 1);

    if (rc == RKV_OK)
        rc = rkv_trial_snapshot(trial, model, 3, 1);
    if (rc == RKV_OK)
        rc = rkv_trial_worked(
            trial, "beginning a snapshot",
            rkv_store_snap_begin(*trial->store, model->group, 8));
    if (rc == RKV_OK)
        rc = rkv_trial_worked(
            trial, "writing a snapshot",
            rkv_store_snap_write(*trial->store, model->group, 0, "half", 4));
    if (rc == RKV_OK)
        rc = read_is_refused(trial, model, 8, "reading an unfinished snapshot");
    return rc == RKV_OK ? rkv_trial_agrees(trial, model) : rc;
}

static int unnamed_is_not_current(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    int rc = rkv_trial_append(trial, model, 1, 10, 1);

    if (rc == RKV_OK)
        rc = rkv_trial_snapshot(trial, model, 3, 1);
    if (rc == RKV_OK)
        rc = rkv_trial_put_snapshot(trial, model, 9, LEN, SEED);
    if (rc == RKV_OK)
        rc = read_is_refused(trial, model, 9, "reading an unnamed snapshot");
    return rc == RKV_OK ? rkv_trial_agrees(trial, model) : rc;
}

static int naming_needs_a_finished_one(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    int rc = rkv_trial_append(trial, model, 1, 10, 1);

    if (rc == RKV_OK)
        rc = rkv_trial_worked(
            trial, "beginning a snapshot",
            rkv_store_snap_begin(*trial->store, model->group, 8));
    if (rc == RKV_OK)
        rc = rkv_trial_worked(
            trial, "writing a snapshot",
            rkv_store_snap_write(*trial->store, model->group, 0, "half", 4));
    if (rc != RKV_OK)
        return rc;
    struct rkv_store_write write =
        rkv_trial_naming(trial, model, 8, 1, 4, SEED);
    rc =
        rkv_trial_refused(trial, "naming an unfinished snapshot", RKV_ENOTFOUND,
                          rkv_store_write(*trial->store, &write, 1));
    return rc == RKV_OK ? rkv_trial_agrees(trial, model) : rc;
}

static int naming_needs_its_length(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    int rc = rkv_trial_put_snapshot(trial, model, 8, LEN, SEED);

    if (rc != RKV_OK)
        return rc;
    struct rkv_store_write write =
        rkv_trial_naming(trial, model, 8, 1, LEN - 1, SEED);
    rc = rkv_trial_refused(trial, "naming a snapshot by another length",
                           RKV_ENOTFOUND,
                           rkv_store_write(*trial->store, &write, 1));
    return rc == RKV_OK ? rkv_trial_agrees(trial, model) : rc;
}

static int written_in_order(struct rkv_trial *trial)
{
    const struct rkv_model *model = rkv_trial_group(trial, 0);
    rkv_store *store = *trial->store;
    int rc = rkv_trial_worked(trial, "beginning a snapshot",
                              rkv_store_snap_begin(store, model->group, 8));

    if (rc == RKV_OK)
        rc = rkv_trial_worked(
            trial, "writing a snapshot",
            rkv_store_snap_write(store, model->group, 0, "12345", 5));
    if (rc == RKV_OK)
        rc = rkv_trial_refused(
            trial, "snapshot bytes behind a gap", RKV_EINVAL,
            rkv_store_snap_write(store, model->group, 6, "7", 1));
    if (rc == RKV_OK)
        rc = rkv_trial_refused(
            trial, "snapshot bytes written twice", RKV_EINVAL,
            rkv_store_snap_write(store, model->group, 4, "5", 1));
    return rc;
}

static int finished_at_its_length(struct rkv_trial *trial)
{
    const struct rkv_model *model = rkv_trial_group(trial, 0);
    rkv_store *store = *trial->store;
    int rc = rkv_trial_worked(trial, "beginning a snapshot",
                              rkv_store_snap_begin(store, model->group, 8));

    if (rc == RKV_OK)
        rc = rkv_trial_worked(
            trial, "writing a snapshot",
            rkv_store_snap_write(store, model->group, 0, "12345", 5));
    if (rc == RKV_OK)
        rc = rkv_trial_refused(trial, "finishing a snapshot at another length",
                               RKV_EINVAL,
                               rkv_store_snap_finish(store, model->group, 6));
    return rc;
}

static int naming_swaps_the_state(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    int rc = rkv_trial_append(trial, model, 1, 20, 1);

    if (rc == RKV_OK)
        rc = rkv_trial_snapshot(trial, model, 5, 1);
    if (rc == RKV_OK)
        rc = rkv_trial_agrees_state(trial, model);
    if (rc == RKV_OK)
        rc = rkv_trial_snapshot(trial, model, 15, 1);
    return rc == RKV_OK ? rkv_trial_agrees_state(trial, model) : rc;
}

/* Where it is refused, at its beginning or when it is named, is the store's
 * to choose. */
static int older_is_refused(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    int rc = rkv_trial_append(trial, model, 1, 20, 1);

    if (rc == RKV_OK)
        rc = rkv_trial_snapshot(trial, model, 15, 1);
    for (uint64_t index = 14; rc == RKV_OK && index <= 15; index++) {
        struct rkv_store_write write =
            rkv_trial_naming(trial, model, index, 1, 4, SEED);
        int got = rkv_store_snap_begin(*trial->store, model->group, index);

        if (got == RKV_OK)
            got =
                rkv_store_snap_write(*trial->store, model->group, 0, "abcd", 4);
        if (got == RKV_OK)
            got = rkv_store_snap_finish(*trial->store, model->group, 4);
        if (got == RKV_OK)
            got = rkv_store_write(*trial->store, &write, 1);
        rc = rkv_trial_refused(trial, "a snapshot not above the current one", 0,
                               got);
    }
    return rc == RKV_OK ? rkv_trial_agrees(trial, model) : rc;
}

/* The parts of one record, in the order of their bits: the snapshot makes
 * the log that the entries join. */
static int parts_take_turns(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    int rc = rkv_trial_append(trial, model, 1, 20, 1);

    if (rc == RKV_OK)
        rc = rkv_trial_put_snapshot(trial, model, 200, LEN, SEED);
    if (rc != RKV_OK)
        return rc;
    struct rkv_store_write write =
        rkv_trial_naming(trial, model, 200, 4, LEN, SEED);
    memcpy(model->entries[200].chain, write.snapshot_chain, 32);
    rkv_trial_make(trial, model, 201, 6, 4);
    struct rkv_store_write entries = rkv_trial_entries(trial, model, 6);
    write.flags |= RKV_WRITE_STATE | RKV_WRITE_ENTRIES | RKV_WRITE_COMPACT;
    write.term = 4;
    write.commit = 200;
    write.compact = 200;
    write.entries = entries.entries;
    write.count = entries.count;
    rc = rkv_trial_worked(trial, "a snapshot and the entries behind it",
                          rkv_store_write(*trial->store, &write, 1));
    rkv_model_take(model, &write);
    model->current = (struct rkv_model_snapshot){200, LEN, SEED};
    return rc == RKV_OK ? rkv_trial_agrees(trial, model) : rc;
}

static int drops_what_it_covers(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    const struct rkv_entry *entries;
    uint32_t count;
    int rc = rkv_trial_append(trial, model, 1, 20, 1);

    if (rc == RKV_OK)
        rc = rkv_trial_snapshot(trial, model, 12, 1);
    for (uint64_t index = 1; rc == RKV_OK && index <= 12; index++)
        rc = rkv_trial_refused(trial, "reading an entry the snapshot covers",
                               RKV_ECOMPACTED,
                               rkv_store_read(*trial->store, model->group,
                                              index, 1, 10, &entries, &count));
    return rc;
}

static int keeps_what_follows(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    int rc = rkv_trial_append(trial, model, 1, 20, 3);

    if (rc == RKV_OK)
        rc = rkv_trial_snapshot(trial, model, 12, 3);
    if (rc == RKV_OK)
        rc = rkv_trial_agrees(trial, model);
    if (rc == RKV_OK)
        rc = rkv_trial_append(trial, model, 21, 4, 3);
    if (rc == RKV_OK)
        rc = rkv_trial_append(trial, model, 13, 2, 4);
    return rc == RKV_OK ? rkv_trial_agrees(trial, model) : rc;
}

static int replaces_another_log(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    int rc = rkv_trial_append(trial, model, 1, 20, 1);

    if (rc == RKV_OK)
        rc = rkv_trial_snapshot(trial, model, 12, 2);
    if (rc == RKV_OK)
        rc = rkv_trial_agrees(trial, model);
    if (rc == RKV_OK)
        rc = rkv_trial_append(trial, model, 13, 3, 2);
    return rc == RKV_OK ? rkv_trial_agrees(trial, model) : rc;
}

static int replaces_a_shorter_log(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    int rc = rkv_trial_append(trial, model, 1, 20, 1);

    if (rc == RKV_OK)
        rc = rkv_trial_snapshot(trial, model, 300, 5);
    if (rc == RKV_OK)
        rc = rkv_trial_agrees(trial, model);
    if (rc == RKV_OK)
        rc = rkv_trial_append(trial, model, 301, 7, 5);
    return rc == RKV_OK ? rkv_trial_agrees(trial, model) : rc;
}

static int previous_is_served(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    int rc = rkv_trial_append(trial, model, 1, 20, 1);

    for (uint64_t index = 5; rc == RKV_OK && index <= 20; index += 5) {
        rc = rkv_trial_snapshot(trial, model, index, 1);
        if (rc == RKV_OK)
            rc = rkv_trial_agrees_snapshot(trial, model, &model->current);
        if (rc == RKV_OK)
            rc = rkv_trial_agrees_snapshot(trial, model, &model->previous);
    }
    return rc;
}

static int begin_discards_the_unfinished(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    rkv_store *store = *trial->store;
    int rc = rkv_trial_worked(trial, "beginning a snapshot",
                              rkv_store_snap_begin(store, model->group, 8));

    if (rc == RKV_OK)
        rc = rkv_trial_worked(
            trial, "writing a snapshot",
            rkv_store_snap_write(store, model->group, 0, "12345", 5));
    if (rc == RKV_OK)
        rc = rkv_trial_snapshot(trial, model, 9, 1);
    return rc == RKV_OK ? rkv_trial_agrees(trial, model) : rc;
}

static int snapshots_are_kept_apart(struct rkv_trial *trial)
{
    struct rkv_model *one = rkv_trial_group(trial, 0);
    struct rkv_model *two = rkv_trial_group(trial, 1);
    int rc = rkv_trial_put_snapshot(trial, one, 8, LEN, SEED);

    if (rc == RKV_OK)
        rc = rkv_trial_snapshot(trial, two, 8, 2);
    if (rc != RKV_OK)
        return rc;
    struct rkv_store_write write =
        rkv_trial_naming(trial, one, 8, 1, LEN, SEED);
    rc = rkv_trial_worked(trial, "naming a snapshot",
                          rkv_store_write(*trial->store, &write, 1));
    rkv_model_take(one, &write);
    one->current.index = 8;
    one->current.len = LEN;
    one->current.seed = SEED;
    if (rc == RKV_OK)
        rc = rkv_trial_agrees(trial, one);
    return rc == RKV_OK ? rkv_trial_agrees(trial, two) : rc;
}

static int compact(struct rkv_trial *trial, struct rkv_model *model,
                   uint64_t index)
{
    struct rkv_store_write write;

    memset(&write, 0, sizeof write);
    write.size = (uint32_t)sizeof write;
    write.flags = RKV_WRITE_COMPACT;
    write.group = model->group;
    write.compact = index;
    int rc = rkv_store_write(*trial->store, &write, 1);
    if (rc == RKV_OK)
        rkv_model_take(model, &write);
    return rc;
}

static int compaction_stops_at_the_snapshot(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    int rc = rkv_trial_append(trial, model, 1, 30, 1);

    if (rc != RKV_OK)
        return rc;
    /* Refused or done as far as it may go: both are right. */
    (void)compact(trial, model, 20);
    rc = rkv_trial_agrees(trial, model);
    if (rc == RKV_OK)
        rc = rkv_trial_snapshot(trial, model, 10, 1);
    if (rc != RKV_OK)
        return rc;
    (void)compact(trial, model, 25);
    return rkv_trial_agrees(trial, model);
}

/* With SNAPSHOT and COMPACT in one record, what lies between them may be
 * read, or be gone, but never be wrong. */
static int compaction_leaves_the_rest(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    const struct rkv_entry *entries;
    uint32_t count;
    int rc = rkv_trial_append(trial, model, 1, 30, 1);

    if (rc == RKV_OK)
        rc = rkv_trial_put_snapshot(trial, model, 20, LEN, SEED);
    if (rc != RKV_OK)
        return rc;
    struct rkv_store_write write =
        rkv_trial_naming(trial, model, 20, 1, LEN, SEED);
    write.flags |= RKV_WRITE_COMPACT;
    write.compact = 8;
    rc = rkv_trial_worked(trial, "a snapshot that compacts",
                          rkv_store_write(*trial->store, &write, 1));
    rkv_model_take(model, &write);
    for (uint64_t index = 1; rc == RKV_OK && index <= 20; index++) {
        int got = rkv_store_read(*trial->store, model->group, index, 1, 10,
                                 &entries, &count);

        if (got != RKV_ECOMPACTED)
            rc = rkv_trial_worked(trial, "reading below a snapshot", got);
        if (rc == RKV_OK && got == RKV_OK)
            rc = rkv_trial_agrees_entry(trial, model, index, &entries[0]);
    }
    return rc == RKV_OK ? rkv_trial_agrees(trial, model) : rc;
}

const struct rkv_rule rkv_rules_snapshot[] = {
    {"a-snapshot-reads-back", snapshot_reads_back, false},
    {"a-large-snapshot-reads-back", large_snapshot_reads_back, false},
    {"an-empty-snapshot-reads-back", empty_snapshot_reads_back, false},
    {"an-unfinished-snapshot-is-not-served", unfinished_is_not_served, false},
    {"an-unnamed-snapshot-is-not-current", unnamed_is_not_current, false},
    {"only-a-finished-snapshot-can-be-named", naming_needs_a_finished_one,
     false},
    {"a-snapshot-is-named-by-its-length", naming_needs_its_length, false},
    {"a-snapshot-is-written-in-order", written_in_order, false},
    {"a-snapshot-is-finished-at-its-length", finished_at_its_length, false},
    {"a-named-snapshot-swaps-the-state", naming_swaps_the_state, false},
    {"an-older-snapshot-is-refused", older_is_refused, false},
    {"a-record's-parts-take-turns", parts_take_turns, false},
    {"a-snapshot-drops-what-it-covers", drops_what_it_covers, false},
    {"a-snapshot-keeps-what-follows", keeps_what_follows, false},
    {"a-snapshot-replaces-another-log", replaces_another_log, false},
    {"a-snapshot-replaces-a-shorter-log", replaces_a_shorter_log, false},
    {"the-previous-snapshot-is-served", previous_is_served, false},
    {"beginning-discards-the-unfinished", begin_discards_the_unfinished, false},
    {"snapshots-are-kept-apart", snapshots_are_kept_apart, false},
    {"compaction-stops-at-the-snapshot", compaction_stops_at_the_snapshot,
     false},
    {"compaction-leaves-the-rest", compaction_leaves_the_rest, false},
    {NULL, NULL, false},
};
