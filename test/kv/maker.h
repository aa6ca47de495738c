/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Random operations, made to fit what the second opinion knows.
 */
#ifndef RKV_TEST_KV_MAKER_H
#define RKV_TEST_KV_MAKER_H

#include "base/prng.h"
#include "model.h"

enum { MAKER_TXNS = 32 };

struct maker {
    struct rkv_prng prng;
    const struct model *model;
    struct model_txn txns[MAKER_TXNS];
    size_t txns_used; /* to be set to 0 before each command */
};

uint64_t maker_below(struct maker *maker, uint64_t bound);
/* One key in so many of ten cases. */
struct model_span maker_span(struct maker *maker, uint64_t singles);
int64_t maker_revision(struct maker *maker);
/* One that is there, mostly. */
int64_t maker_lease(struct maker *maker);
/* The limit and shape of a range. */
void maker_page(struct maker *maker, struct model_op *op);
struct model_txn *maker_txn(struct maker *maker, int depth);

#endif
