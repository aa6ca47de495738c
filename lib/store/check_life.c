/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Rules about reopening, and a long life of random writes against the model.
 */
#include <string.h>

#include "trial.h"

static int state_survives(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    struct rkv_store_write write;

    memset(&write, 0, sizeof write);
    write.size = (uint32_t)sizeof write;
    write.flags = RKV_WRITE_STATE;
    write.group = model->group;
    write.term = 12;
    write.vote = 3;
    write.commit = 0;
    int rc = rkv_trial_worked(trial, "writing state",
                              rkv_store_write(*trial->store, &write, 1));
    rkv_model_take(model, &write);
    if (rc == RKV_OK)
        rc = rkv_trial_reopen(trial);
    if (rc == RKV_OK && trial->identity.promised < write.term)
        rc = rkv_trial_equal(trial, "promised at least", write.term,
                             trial->identity.promised);
    return rc == RKV_OK ? rkv_trial_agrees_state(trial, model) : rc;
}

static int log_survives(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    int rc = rkv_trial_append(trial, model, 1, 50, 1);

    if (rc == RKV_OK)
        rc = rkv_trial_append(trial, model, 41, 5, 2);
    if (rc == RKV_OK)
        rc = rkv_trial_reopen(trial);
    if (rc == RKV_OK)
        rc = rkv_trial_agrees(trial, model);
    if (rc == RKV_OK)
        rc = rkv_trial_append(trial, model, 44, 6, 3);
    return rc == RKV_OK ? rkv_trial_agrees(trial, model) : rc;
}

static int snapshots_survive(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    int rc = rkv_trial_append(trial, model, 1, 50, 1);

    if (rc == RKV_OK)
        rc = rkv_trial_snapshot(trial, model, 20, 1);
    if (rc == RKV_OK)
        rc = rkv_trial_snapshot(trial, model, 35, 1);
    if (rc == RKV_OK)
        rc = rkv_trial_reopen(trial);
    return rc == RKV_OK ? rkv_trial_agrees(trial, model) : rc;
}

/* Half a snapshot, or a whole one without a name, is nothing after a crash. */
static int unnamed_does_not_return(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    int rc = rkv_trial_append(trial, model, 1, 50, 1);

    if (rc == RKV_OK)
        rc = rkv_trial_snapshot(trial, model, 20, 1);
    if (rc == RKV_OK)
        rc = rkv_trial_put_snapshot(trial, model, 30, 1000, 5);
    if (rc == RKV_OK)
        rc = rkv_trial_reopen(trial);
    if (rc == RKV_OK)
        rc = rkv_trial_agrees(trial, model);
    if (rc == RKV_OK)
        rc = rkv_trial_snapshot(trial, model, 40, 1);
    return rc == RKV_OK ? rkv_trial_agrees(trial, model) : rc;
}

static int identity_survives(struct rkv_trial *trial)
{
    struct rkv_store_identity before = trial->identity;
    struct rkv_store_write write;

    memset(&write, 0, sizeof write);
    write.size = (uint32_t)sizeof write;
    write.flags = RKV_WRITE_IDENTITY;
    write.cluster = RKV_TRIAL_CLUSTER;
    write.member = RKV_TRIAL_MEMBER;
    int rc = rkv_trial_worked(trial, "writing an identity",
                              rkv_store_write(*trial->store, &write, 1));
    if (rc == RKV_OK)
        rc = rkv_trial_reopen(trial);
    if (rc == RKV_OK)
        rc = rkv_trial_equal(trial, "cluster", RKV_TRIAL_CLUSTER,
                             trial->identity.cluster);
    if (rc == RKV_OK)
        rc = rkv_trial_equal(trial, "member", RKV_TRIAL_MEMBER,
                             trial->identity.member);
    if (rc == RKV_OK)
        rc =
            rkv_trial_equal(trial, "recovering", 0, trial->identity.recovering);
    if (rc == RKV_OK && memcmp(before.incarnation, trial->identity.incarnation,
                               sizeof before.incarnation) != 0)
        rc = rkv_trouble_say(&trial->trouble, RKV_ESTATE,
                             "incarnation: expected the same as before, found "
                             "another");
    return rc;
}

static int reopen_raises_the_boot(struct rkv_trial *trial)
{
    uint64_t before = trial->identity.boot;
    int rc = rkv_trial_reopen(trial);

    if (rc == RKV_OK && trial->identity.boot <= before)
        rc = rkv_trial_equal(trial, "boot", before + 1, trial->identity.boot);
    return rc;
}

static int live_append(struct rkv_trial *trial, struct rkv_model *model)
{
    uint64_t last = model->state.last;
    uint64_t held = last - model->state.snapshot_index;
    uint64_t back = rkv_trial_below(trial, 3) != 0
                        ? 0
                        : rkv_trial_below(trial, held < 20 ? held + 1 : 20);
    uint64_t first = last + 1 - back;
    uint32_t count = (uint32_t)(1 + rkv_trial_below(trial, 12));
    uint64_t term = model->entries[last].term + rkv_trial_below(trial, 2);

    if (first + count > RKV_MODEL_INDEX_MAX)
        return RKV_OK;
    rkv_trial_make(trial, model, first, count, back != 0 ? term + 1 : term);
    struct rkv_store_write write = rkv_trial_entries(trial, model, count);
    write.flags |= rkv_trial_below(trial, 2) != 0 ? RKV_WRITE_STATE : 0;
    write.term = model->state.term + rkv_trial_below(trial, 2);
    write.vote = write.term == model->state.term ? model->state.vote
                                                 : rkv_trial_below(trial, 4);
    write.commit = model->state.commit + rkv_trial_below(trial, 3);
    int rc = rkv_trial_worked(trial, "writing",
                              rkv_store_write(*trial->store, &write, 1));
    rkv_model_take(model, &write);
    return rc;
}

static int live_snapshot(struct rkv_trial *trial, struct rkv_model *model)
{
    uint64_t current = model->state.snapshot_index;
    uint64_t index = current + 1 + rkv_trial_below(trial, 20);

    if (index >= RKV_MODEL_INDEX_MAX || rkv_trial_below(trial, 3) != 0)
        return RKV_OK;
    /* Mostly its own, now and then another member's. */
    uint64_t term = index <= model->state.last && rkv_trial_below(trial, 4) != 0
                        ? model->entries[index].term
                        : model->entries[model->state.last].term + 1;
    return rkv_trial_snapshot(trial, model, index, term);
}

static int random_life_agrees(struct rkv_trial *trial)
{
    int rc = RKV_OK;

    for (int i = 0; i < RKV_MODELS; i++)
        (void)rkv_trial_group(trial, i);
    for (int step = 0; rc == RKV_OK && step < 400; step++) {
        struct rkv_model *model =
            &trial->models[rkv_trial_below(trial, RKV_MODELS)];
        uint64_t what = rkv_trial_below(trial, 20);

        if (what == 0 && trial->reopen != NULL)
            rc = rkv_trial_reopen(trial);
        else if (what < 5)
            rc = live_snapshot(trial, model);
        else
            rc = live_append(trial, model);
        if (rc == RKV_OK && what < 8)
            rc = rkv_trial_agrees(trial, model);
    }
    for (int i = 0; rc == RKV_OK && i < RKV_MODELS; i++)
        rc = rkv_trial_agrees(trial, &trial->models[i]);
    return rc;
}

const struct rkv_rule rkv_rules_life[] = {
    {"state-survives-a-reopen", state_survives, true},
    {"the-log-survives-a-reopen", log_survives, true},
    {"snapshots-survive-a-reopen", snapshots_survive, true},
    {"an-unnamed-snapshot-does-not-return", unnamed_does_not_return, true},
    {"the-identity-survives-a-reopen", identity_survives, true},
    {"a-reopen-raises-the-boot", reopen_raises_the_boot, true},
    {"a-random-life-agrees", random_life_agrees, false},
    {NULL, NULL, false},
};
