/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The model that a store on trial is compared with: plain arrays, no disk.
 */
#include "trial.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "../base/hash.h"

int rkv_trial_equal(struct rkv_trial *trial, const char *what,
                    uint64_t expected, uint64_t found)
{
    if (expected == found)
        return RKV_OK;
    return rkv_trouble_say(&trial->trouble, RKV_ECORRUPT,
                           "%s: expected %" PRIu64 ", found %" PRIu64, what,
                           expected, found);
}

int rkv_trial_worked(struct rkv_trial *trial, const char *what, int rc)
{
    if (rc >= 0)
        return RKV_OK;
    return rkv_trouble_say(&trial->trouble, rc,
                           "%s: expected success, found %s (%s)", what,
                           rkv_errname(rc), rkv_store_errmsg(*trial->store));
}

int rkv_trial_refused(struct rkv_trial *trial, const char *what, int code,
                      int rc)
{
    if (code == 0 ? rc < 0 && rc > RKV_ENOMEM : rc == code)
        return RKV_OK;
    return rkv_trouble_say(&trial->trouble, rc < 0 ? rc : RKV_ECORRUPT,
                           "%s: expected %s, found %s", what,
                           code == 0 ? "a refusal" : rkv_errname(code),
                           rkv_errname(rc));
}

int rkv_trial_start(struct rkv_trial *trial)
{
    memset(&trial->identity, 0, sizeof trial->identity);
    trial->identity.size = (uint32_t)sizeof trial->identity;
    return rkv_trial_worked(trial, "start",
                            rkv_store_start(*trial->store, &trial->identity));
}

int rkv_trial_reopen(struct rkv_trial *trial)
{
    int rc = trial->reopen(trial->reopen_ctx, trial->store);

    if (rc == RKV_OK)
        return rkv_trial_start(trial);
    return rkv_trouble_say(&trial->trouble, rc,
                           "reopening: expected success, found %s",
                           rkv_errname(rc));
}

struct rkv_model *rkv_trial_group(struct rkv_trial *trial, int which)
{
    struct rkv_model *model = &trial->models[which];

    memset(model, 0, sizeof *model);
    /* Numbers that use all their bytes, in no order. */
    model->group = rkv_mix64(++trial->groups, 1);
    model->state.size = (uint32_t)sizeof model->state;
    model->state.first = 1;
    model->kept = 1;
    return model;
}

uint64_t rkv_trial_below(struct rkv_trial *trial, uint64_t bound)
{
    return rkv_prng_below(&trial->prng, bound);
}

static void fill(uint8_t *bytes, size_t len, uint64_t seed)
{
    struct rkv_prng prng;

    rkv_prng_seed(&prng, seed);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)rkv_prng_next(&prng);
}

void rkv_trial_make(struct rkv_trial *trial, const struct rkv_model *model,
                    uint64_t first, uint32_t count, uint64_t term)
{
    const uint8_t *previous = model->entries[first - 1].chain;

    assert(count <= RKV_MODEL_BATCH_MAX);
    assert(first + count - 1 <= RKV_MODEL_INDEX_MAX);
    for (uint32_t i = 0; i < count; i++) {
        struct rkv_entry *entry = &trial->made[i];
        uint64_t index = first + i;

        entry->index = index;
        entry->term = term;
        entry->kind = (uint32_t)(1 + index % 3);
        entry->len =
            entry->kind == RKV_ENTRY_NOOP
                ? 0
                : (uint32_t)rkv_trial_below(trial, RKV_MODEL_PAYLOAD_MAX + 1);
        entry->data = trial->payload[i];
        fill(trial->payload[i], entry->len,
             rkv_mix64(model->group, index << 20 | term));
        rkv_entry_chain(entry, previous);
        previous = entry->chain;
    }
}

struct rkv_store_write rkv_trial_entries(const struct rkv_trial *trial,
                                         const struct rkv_model *model,
                                         uint32_t count)
{
    struct rkv_store_write write;

    memset(&write, 0, sizeof write);
    write.size = (uint32_t)sizeof write;
    write.flags = RKV_WRITE_ENTRIES;
    write.group = model->group;
    write.entries = trial->made;
    write.count = count;
    return write;
}

/* What the header says of RKV_WRITE_SNAPSHOT, in the model's words. */
static void take_snapshot(struct rkv_model *model,
                          const struct rkv_store_write *write)
{
    struct rkv_store_state *state = &model->state;
    uint64_t index = write->snapshot_index;
    struct rkv_model_entry *entry = &model->entries[index];
    bool continues =
        index <= state->last && entry->term == write->snapshot_term;

    if (!continues) {
        state->last = index;
        entry->term = write->snapshot_term;
        memcpy(entry->chain, write->snapshot_chain, 32);
    }
    if (!continues || !(write->flags & RKV_WRITE_COMPACT))
        model->kept = index + 1;
    state->first = index + 1;
    state->snapshot_index = index;
    state->snapshot_term = write->snapshot_term;
    state->snapshot_len = write->snapshot_len;
    memcpy(state->snapshot_chain, write->snapshot_chain, 32);
    memcpy(state->snapshot_hash, write->snapshot_hash, 32);
    state->config_len = write->config_len;
    memcpy(model->config, write->config, write->config_len);
}

void rkv_model_take(struct rkv_model *model,
                    const struct rkv_store_write *write)
{
    struct rkv_store_state *state = &model->state;

    if (write->flags & RKV_WRITE_SNAPSHOT)
        take_snapshot(model, write);
    if (write->flags & RKV_WRITE_STATE) {
        state->term = write->term;
        state->vote = write->vote;
        state->commit = write->commit;
    }
    for (uint64_t i = 0; (write->flags & RKV_WRITE_ENTRIES) && i < write->count;
         i++) {
        const struct rkv_entry *from = &write->entries[i];
        struct rkv_model_entry *to = &model->entries[from->index];

        to->term = from->term;
        to->kind = from->kind;
        to->len = from->len;
        to->seed = rkv_mix64(model->group, from->index << 20 | from->term);
        memcpy(to->chain, from->chain, 32);
        state->last = from->index;
    }
    if ((write->flags & RKV_WRITE_COMPACT) && write->compact >= model->kept)
        model->kept =
            (write->compact < state->snapshot_index ? write->compact
                                                    : state->snapshot_index) +
            1;
}

int rkv_trial_append(struct rkv_trial *trial, struct rkv_model *model,
                     uint64_t first, uint32_t count, uint64_t term)
{
    rkv_trial_make(trial, model, first, count, term);
    struct rkv_store_write write = rkv_trial_entries(trial, model, count);
    int rc = rkv_store_write(*trial->store, &write, 1);

    if (rc == RKV_OK)
        rkv_model_take(model, &write);
    return rkv_trial_worked(trial, "appending", rc);
}

int rkv_trial_put_snapshot(struct rkv_trial *trial, struct rkv_model *model,
                           uint64_t index, uint64_t len, uint64_t seed)
{
    uint64_t done = 0;
    int rc = rkv_store_snap_begin(*trial->store, model->group, index);

    assert(len <= sizeof trial->bytes[0]);
    fill(trial->bytes[0], (size_t)len, seed);
    while (rc == RKV_OK && done < len) {
        uint64_t piece = 1 + rkv_trial_below(trial, 1500);

        if (piece > len - done)
            piece = len - done;
        rc = rkv_store_snap_write(*trial->store, model->group, done,
                                  trial->bytes[0] + done, (size_t)piece);
        done += piece;
    }
    if (rc == RKV_OK)
        rc = rkv_store_snap_finish(*trial->store, model->group, len);
    return rkv_trial_worked(trial, "writing a snapshot", rc);
}

struct rkv_store_write rkv_trial_naming(struct rkv_trial *trial,
                                        struct rkv_model *model, uint64_t index,
                                        uint64_t term, uint64_t len,
                                        uint64_t seed)
{
    static const char config[] = "a configuration, opaque to the store";
    struct rkv_store_write write;

    memset(&write, 0, sizeof write);
    write.size = (uint32_t)sizeof write;
    write.flags = RKV_WRITE_SNAPSHOT;
    write.group = model->group;
    write.snapshot_index = index;
    write.snapshot_term = term;
    write.snapshot_len = len;
    if (index <= model->state.last && model->entries[index].term == term)
        memcpy(write.snapshot_chain, model->entries[index].chain, 32);
    else
        fill(write.snapshot_chain, 32, rkv_mix64(seed, 3));
    fill(trial->bytes[0], (size_t)len, seed);
    rkv_blake(write.snapshot_hash, trial->bytes[0], (size_t)len);
    write.config = config;
    write.config_len = 1 + (size_t)(seed % (sizeof config - 1));
    return write;
}

int rkv_trial_snapshot(struct rkv_trial *trial, struct rkv_model *model,
                       uint64_t index, uint64_t term)
{
    const struct rkv_model_snapshot next = {.index = index,
                                            .len = rkv_trial_below(trial, 4000),
                                            .seed =
                                                rkv_mix64(model->group, index)};
    int rc = rkv_trial_put_snapshot(trial, model, index, next.len, next.seed);

    if (rc != RKV_OK)
        return rc;
    struct rkv_store_write write =
        rkv_trial_naming(trial, model, index, term, next.len, next.seed);
    rc = rkv_store_write(*trial->store, &write, 1);
    if (rc != RKV_OK)
        return rkv_trial_worked(trial, "naming a snapshot", rc);
    rkv_model_take(model, &write);
    model->previous = model->current;
    model->current = next;
    return RKV_OK;
}

int rkv_trial_agrees_state(struct rkv_trial *trial,
                           const struct rkv_model *model)
{
    const struct rkv_store_state *expected = &model->state;
    struct rkv_store_state found = {.size = sizeof found};
    int rc = rkv_trial_worked(
        trial, "state", rkv_store_state(*trial->store, model->group, &found));

    if (rc != RKV_OK)
        return rc;
    const struct {
        const char *name;
        uint64_t expected;
        uint64_t found;
    } fields[] = {
        {"recovering", expected->recovering, found.recovering},
        {"term", expected->term, found.term},
        {"vote", expected->vote, found.vote},
        {"commit", expected->commit, found.commit},
        {"first", expected->first, found.first},
        {"last", expected->last, found.last},
        {"snapshot_index", expected->snapshot_index, found.snapshot_index},
        {"snapshot_term", expected->snapshot_term, found.snapshot_term},
        {"snapshot_len", expected->snapshot_len, found.snapshot_len},
        {"config_len", expected->config_len, found.config_len},
    };
    for (size_t i = 0; rc == RKV_OK && i < sizeof fields / sizeof *fields; i++)
        rc = rkv_trial_equal(trial, fields[i].name, fields[i].expected,
                             fields[i].found);
    if (rc != RKV_OK)
        return rc;
    if (memcmp(expected->snapshot_chain, found.snapshot_chain, 32) != 0 ||
        memcmp(expected->snapshot_hash, found.snapshot_hash, 32) != 0)
        return rkv_trouble_say(&trial->trouble, RKV_ECORRUPT,
                               "the snapshot's chain and hash: expected those "
                               "written, found others");
    if (found.config_len != 0 &&
        memcmp(model->config, found.config, found.config_len) != 0)
        return rkv_trouble_say(&trial->trouble, RKV_ECORRUPT,
                               "the configuration: expected the one written, "
                               "found another");
    return RKV_OK;
}

int rkv_trial_agrees_entry(struct rkv_trial *trial,
                           const struct rkv_model *model, uint64_t index,
                           const struct rkv_entry *entry)
{
    const struct rkv_model_entry *expected = &model->entries[index];
    uint8_t payload[RKV_MODEL_PAYLOAD_MAX];
    int rc = rkv_trial_equal(trial, "index of an entry", index, entry->index);

    if (rc == RKV_OK)
        rc = rkv_trial_equal(trial, "term of an entry", expected->term,
                             entry->term);
    if (rc == RKV_OK)
        rc = rkv_trial_equal(trial, "kind of an entry", expected->kind,
                             entry->kind);
    if (rc == RKV_OK)
        rc = rkv_trial_equal(trial, "length of an entry", expected->len,
                             entry->len);
    if (rc != RKV_OK)
        return rc;
    fill(payload, expected->len, expected->seed);
    if (entry->len != 0 && memcmp(payload, entry->data, entry->len) != 0)
        return rkv_trouble_say(&trial->trouble, RKV_ECORRUPT,
                               "payload of entry %" PRIu64
                               ": expected the bytes written, found others",
                               index);
    if (memcmp(expected->chain, entry->chain, 32) != 0)
        return rkv_trouble_say(&trial->trouble, RKV_ECORRUPT,
                               "chain of entry %" PRIu64
                               ": expected the one written, found another",
                               index);
    return RKV_OK;
}

int rkv_trial_agrees_log(struct rkv_trial *trial, const struct rkv_model *model)
{
    uint64_t next = model->state.first;
    int rc = RKV_OK;

    while (rc == RKV_OK && next <= model->state.last) {
        const struct rkv_entry *entries;
        uint32_t count = 0;

        rc = rkv_trial_worked(
            trial, "reading",
            rkv_store_read(*trial->store, model->group, next,
                           (uint32_t)(1 + rkv_trial_below(trial, 100)),
                           rkv_trial_below(trial, 8000), &entries, &count));
        if (rc == RKV_OK && count == 0)
            rc = rkv_trial_equal(trial, "entries read", 1, 0);
        if (rc == RKV_OK && count > model->state.last - next + 1)
            rc = rkv_trial_equal(trial, "entries read at most",
                                 model->state.last - next + 1, count);
        for (uint32_t i = 0; rc == RKV_OK && i < count; i++)
            rc = rkv_trial_agrees_entry(trial, model, next + i, &entries[i]);
        next += count;
    }
    return rc;
}

int rkv_trial_agrees_snapshot(struct rkv_trial *trial,
                              const struct rkv_model *model,
                              const struct rkv_model_snapshot *snapshot)
{
    uint64_t done = 0;
    int rc = RKV_OK;

    if (snapshot->index == 0)
        return RKV_OK;
    fill(trial->bytes[0], (size_t)snapshot->len, snapshot->seed);
    for (;;) {
        size_t cap = (size_t)(1 + rkv_trial_below(trial, 3000));
        size_t len = 0;

        rc = rkv_trial_worked(trial, "reading a snapshot",
                              rkv_store_snap_read(*trial->store, model->group,
                                                  snapshot->index, done,
                                                  trial->bytes[1], cap, &len));
        if (rc != RKV_OK || len == 0)
            break;
        if (len > snapshot->len - done || len > cap)
            return rkv_trial_equal(trial, "snapshot bytes left at most",
                                   snapshot->len - done, len);
        if (memcmp(trial->bytes[0] + done, trial->bytes[1], len) != 0)
            return rkv_trouble_say(&trial->trouble, RKV_ECORRUPT,
                                   "snapshot bytes from %" PRIu64
                                   ": expected those written, found others",
                                   done);
        done += len;
    }
    return rc != RKV_OK
               ? rc
               : rkv_trial_equal(trial, "snapshot bytes", snapshot->len, done);
}

int rkv_trial_agrees(struct rkv_trial *trial, const struct rkv_model *model)
{
    int rc = rkv_trial_agrees_state(trial, model);

    if (rc == RKV_OK)
        rc = rkv_trial_agrees_log(trial, model);
    if (rc == RKV_OK)
        rc = rkv_trial_agrees_snapshot(trial, model, &model->current);
    return rc;
}
