/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A second opinion: the same data model over plain arrays, by brute force,
 * sharing nothing with lib/kv.  It keeps every change forever and answers each
 * question by looking at all of them.
 */
#ifndef RKV_TEST_KV_MODEL_H
#define RKV_TEST_KV_MODEL_H

#include <raftkv/kv.h>
#include <stdbool.h>

enum { MODEL_BYTES = 16, MODEL_COMPARES = 3, MODEL_OPS = 6 };

struct model_text {
    uint8_t bytes[MODEL_BYTES];
    size_t len;
};

struct model_change {
    struct model_text key;
    struct model_text value;
    int64_t create;
    int64_t mod;
    int64_t version; /* 0: a deletion */
    int64_t lease;
};

enum { MODEL_LEASES = 256 };
struct model_lease {
    int64_t id;
    int64_t ttl;
    int64_t deadline; /* 0: begins when the clock moves */
    bool is_owned;    /* goes with its last key */
};

struct model {
    struct model_lease leases[MODEL_LEASES]; /* as granted */
    size_t leases_count;
    int64_t clock;
    uint64_t term;
    int64_t quota;
    uint64_t sessions;
    struct model_change *changes;
    size_t count;
    size_t cap;
    int64_t revision;
    int64_t compacted;
};

enum { MODEL_PUT = 1, MODEL_RANGE = 2, MODEL_DELETE = 3, MODEL_TXN = 4 };

struct model_span {
    struct model_text key;
    struct model_text end;
};

struct model_compare {
    uint32_t target;
    uint32_t relation;
    struct model_span span;
    int64_t number;
    struct model_text value;
};

struct model_op {
    uint32_t kind;
    uint32_t flags;
    struct model_span span;
    struct model_text value;
    int64_t revision;
    int64_t limit;
    int64_t offset;
    uint32_t sort;
    uint32_t order;
    int64_t min_mod;
    int64_t max_mod;
    int64_t min_create;
    int64_t max_create;
    int64_t lease;
    int64_t ttl;
    struct model_txn *txn;
};

struct model_txn {
    struct model_compare compares[MODEL_COMPARES];
    size_t compares_count;
    struct model_op ops[2][MODEL_OPS]; /* then, else */
    size_t ops_count[2];
    bool chosen;
};

void model_init(struct model *model);
void model_free(struct model *model);
bool model_span_holds(const struct model_span *span,
                      const struct model_text *key);
/* What the key was at a revision, deletions included; NULL: nothing yet. */
const struct model_change *model_at(const struct model *model,
                                    const struct model_text *key,
                                    int64_t revision);
/* Applies and compares with what the store said: ck_assert speaks. */
void model_apply(struct model *model, struct model_txn *txn,
                 const struct rkv_result *got);
/* Whether the quota lets nothing in. */
bool model_is_full(const struct model *model);
/* Commands about leases, in the same way. */
void model_grant(struct model *model, int64_t id, int64_t ttl,
                 const struct rkv_result *got);
void model_revoke(struct model *model, int64_t id,
                  const struct rkv_result *got);
void model_keep_alive(struct model *model, const int64_t *ids, size_t count,
                      const struct rkv_result *got);
void model_clock(struct model *model, uint64_t term, int64_t clock,
                 const struct rkv_result *got);
/* What the store says of one that is there, and of its keys. */
void model_lease(const struct model *model, const struct model_lease *lease,
                 rkv_kv *kv);
void model_compact(struct model *model, int64_t revision,
                   const struct rkv_result *got);
/* A range outside a transaction, in the same way. */
void model_range(const struct model *model, const struct model_op *op,
                 const struct rkv_result *got);
/* What the store holds, counted. */
void model_status(const struct model *model, const struct rkv_kv_status *got);
void model_item(const struct model_change *change, const struct rkv_item *got,
                bool with_value);
/* The range an operation asks for. */
struct rkv_range model_write_range(const struct model_op *op);
/* Writes the transaction as a command. */
void model_write(const struct model_txn *txn, rkv_txn *out);

/* Among the files of the model. */
size_t model_keys_at(const struct model *model, const struct model_span *span,
                     int64_t revision, const struct model_change **out);
void model_add(struct model *model, const struct model_text *key,
               const struct model_text *value, int64_t lease, int64_t revision);
struct model_lease *model_find_lease(const struct model *model, int64_t id);
uint64_t model_count_leased(const struct model *model, int64_t id);
void model_drop_lease(struct model *model, const struct model_lease *lease);
void model_add_lease(struct model *model, int64_t id, int64_t ttl,
                     bool is_owned);

#endif
