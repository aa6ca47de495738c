/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/store/trial.h - a store on trial.  A rule does something to the store
 * and to a model of it, and asks whether the two agree.  check.c runs the
 * rules and reports, trial.c keeps the model, check_log.c, check_snapshot.c
 * and check_life.c are the rules.
 */
#ifndef RKV_STORE_TRIAL_H
#define RKV_STORE_TRIAL_H

#include "../base/prng.h"
#include "room.h"

enum {
    RKV_MODEL_INDEX_MAX = 600,
    RKV_MODEL_PAYLOAD_MAX = 200,
    RKV_MODEL_BATCH_MAX = 300,
    RKV_MODELS = 4,
    RKV_TRIAL_CLUSTER = 77, /* whose the store is */
    RKV_TRIAL_MEMBER = 3
};

/* An entry or a snapshot is made from its seed again to be compared. */
struct rkv_model_entry {
    uint64_t term;
    uint64_t seed;
    uint32_t len;
    uint32_t kind;
    uint8_t chain[32];
};

struct rkv_model_snapshot {
    uint64_t index;
    uint64_t len;
    uint64_t seed;
};

struct rkv_model {
    uint64_t group;
    struct rkv_store_state state;
    uint64_t kept; /* what lies before may be gone, or still be right */
    struct rkv_model_entry entries[RKV_MODEL_INDEX_MAX + 1];
    struct rkv_model_snapshot current;
    struct rkv_model_snapshot previous;
    uint8_t config[64];
};

struct rkv_trial {
    rkv_store **store;
    rkv_store_reopen reopen;
    void *reopen_ctx;
    struct rkv_prng prng;
    uint64_t groups; /* handed out so far: each rule has its own */
    struct rkv_store_identity identity; /* as of the last start */
    struct rkv_trouble trouble;         /* expected ..., found ... */
    struct rkv_model models[RKV_MODELS];
    struct rkv_entry made[RKV_MODEL_BATCH_MAX];
    uint8_t payload[RKV_MODEL_BATCH_MAX][RKV_MODEL_PAYLOAD_MAX];
    uint8_t bytes[2][4096];
};

/* A rule gives RKV_OK, or a code once the trouble is said. */
struct rkv_rule {
    const char *name;
    int (*holds)(struct rkv_trial *trial);
    bool reopens;
};
extern const struct rkv_rule rkv_rules_log[];
extern const struct rkv_rule rkv_rules_snapshot[];
extern const struct rkv_rule rkv_rules_life[];

/* Says "expected ..., found ..." of two numbers that should be equal. */
int rkv_trial_equal(struct rkv_trial *trial, const char *what,
                    uint64_t expected, uint64_t found);
/* Of a call that should have worked. */
int rkv_trial_worked(struct rkv_trial *trial, const char *what, int rc);
/* Of a call that should have been refused with this code; 0: with any that
 * leaves the store alive. */
int rkv_trial_refused(struct rkv_trial *trial, const char *what, int code,
                      int rc);

/* Starts the store, and notes what it says of itself. */
int rkv_trial_start(struct rkv_trial *trial);
int rkv_trial_reopen(struct rkv_trial *trial);
/* A model of a group never used before. */
struct rkv_model *rkv_trial_group(struct rkv_trial *trial, int which);
uint64_t rkv_trial_below(struct rkv_trial *trial, uint64_t bound);

/* Entries that could follow index first - 1 of the model, in trial->made. */
void rkv_trial_make(struct rkv_trial *trial, const struct rkv_model *model,
                    uint64_t first, uint32_t count, uint64_t term);
/* A write of made entries, and its effect on the model. */
struct rkv_store_write rkv_trial_entries(const struct rkv_trial *trial,
                                         const struct rkv_model *model,
                                         uint32_t count);
void rkv_model_take(struct rkv_model *model,
                    const struct rkv_store_write *write);
/* Make, write and take, in one. */
int rkv_trial_append(struct rkv_trial *trial, struct rkv_model *model,
                     uint64_t first, uint32_t count, uint64_t term);
/* Begins, writes and finishes a snapshot, in uneven pieces. */
int rkv_trial_put_snapshot(struct rkv_trial *trial, struct rkv_model *model,
                           uint64_t index, uint64_t len, uint64_t seed);
/* The write that names a finished one.  chain: as the model's log has it, or
 * a new one when the log does not hold that entry with that term. */
struct rkv_store_write rkv_trial_naming(struct rkv_trial *trial,
                                        struct rkv_model *model, uint64_t index,
                                        uint64_t term, uint64_t len,
                                        uint64_t seed);
/* All of that, and the model's part. */
int rkv_trial_snapshot(struct rkv_trial *trial, struct rkv_model *model,
                       uint64_t index, uint64_t term);

/* Does the store say of this group what the model says? */
int rkv_trial_agrees(struct rkv_trial *trial, const struct rkv_model *model);
int rkv_trial_agrees_state(struct rkv_trial *trial,
                           const struct rkv_model *model);
int rkv_trial_agrees_log(struct rkv_trial *trial,
                         const struct rkv_model *model);
int rkv_trial_agrees_snapshot(struct rkv_trial *trial,
                              const struct rkv_model *model,
                              const struct rkv_model_snapshot *snapshot);
/* One entry handed out, against the model. */
int rkv_trial_agrees_entry(struct rkv_trial *trial,
                           const struct rkv_model *model, uint64_t index,
                           const struct rkv_entry *entry);

#endif
