/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Random operations for the second opinion: few keys, so that they meet.
 */
#include "maker.h"

#include <string.h>

uint64_t maker_below(struct maker *maker, uint64_t bound)
{
    return rkv_prng_below(&maker->prng, bound);
}

static struct model_text random_key(struct maker *maker)
{
    static const char *const keys[] = {
        "a",  "b",          "c",          "d",          "e",
        "ab", "prefix--0a", "prefix--0b", "prefix--0c", "prefix--1"};
    const char *key = keys[maker_below(maker, 10)];
    struct model_text text = {.len = strlen(key)};

    memcpy(text.bytes, key, text.len);
    if (maker_below(maker, 10) == 0)
        text.bytes[text.len++] = 0;
    return text;
}

struct model_span maker_span(struct maker *maker, uint64_t singles)
{
    struct model_span span = {.key = random_key(maker)};

    if (maker_below(maker, 10) < singles)
        return span;
    if (maker_below(maker, 5) == 0)
        span.end.len = 1;
    else
        span.end = random_key(maker);
    if (maker_below(maker, 10) == 0) {
        span.key = (struct model_text){.len = 1};
        span.end = span.key;
    }
    return span;
}

static struct model_text random_value(struct maker *maker)
{
    struct model_text text = {.len = maker_below(maker, 5)};

    for (size_t i = 0; i < text.len; i++)
        text.bytes[i] = (uint8_t)('0' + maker_below(maker, 3));
    return text;
}

int64_t maker_revision(struct maker *maker)
{
    uint64_t last = (uint64_t)maker->model->revision;

    switch (maker_below(maker, 8)) {
    case 0:
        return (int64_t)(1 + maker_below(maker, last + 2));
    case 1:
        return (int64_t)(last > 20 ? last - maker_below(maker, 20) : last);
    case 2:
        return maker_below(maker, 4) == 0 ? -1 : 0;
    default:
        return 0;
    }
}

/* One that is there, mostly. */
int64_t maker_lease(struct maker *maker)
{
    const struct model *model = maker->model;

    if (model->leases_count == 0 || maker_below(maker, 6) == 0)
        return (int64_t)maker_below(maker, 9) - 1;
    return model->leases[maker_below(maker, model->leases_count)].id;
}

static int64_t random_bound(struct maker *maker)
{
    if (maker_below(maker, 3) > 0)
        return 0;
    return (int64_t)maker_below(maker, (uint64_t)maker->model->revision + 2) -
           1;
}

void maker_page(struct maker *maker, struct model_op *op)
{
    op->limit = (int64_t)maker_below(maker, 6) - 1;
    op->flags = (uint32_t)maker_below(maker, 8) % 5 & 3;
    if (maker_below(maker, 3) == 0)
        op->offset = (int64_t)maker_below(maker, 6) - 1;
    if (maker_below(maker, 2) == 0)
        op->order = (uint32_t)maker_below(maker, 3);
    if (maker_below(maker, 3) == 0)
        op->sort = (uint32_t)maker_below(maker, 5);
    if (maker_below(maker, 4) > 0)
        return;
    op->min_mod = random_bound(maker);
    op->max_mod = random_bound(maker);
    op->min_create = random_bound(maker);
    op->max_create = random_bound(maker);
}

static struct model_op random_op(struct maker *maker, int depth)
{
    struct model_op op = {.kind = MODEL_PUT};
    uint64_t dice = maker_below(maker, 10);

    if (dice < 6) {
        op.span.key = random_key(maker);
        op.value = random_value(maker);
        op.flags = maker_below(maker, 3) == 0 ? RKV_PUT_PREV : 0;
        if (maker_below(maker, 4) == 0)
            op.lease = maker_lease(maker);
        else if (maker_below(maker, 15) == 0)
            op.ttl = 1 + (int64_t)maker_below(maker, 60);
        if (maker_below(maker, 12) == 0 && op.ttl == 0) {
            op.flags |= RKV_PUT_IGNORE_LEASE;
            op.lease = 0;
        }
        if (maker_below(maker, 12) == 0) {
            op.flags |= RKV_PUT_IGNORE_VALUE;
            op.value.len = 0;
        }
    } else if (dice < 8) {
        op.kind = MODEL_RANGE;
        op.span = maker_span(maker, 4);
        op.revision = maker_below(maker, 3) == 0 ? maker_revision(maker) : 0;
        maker_page(maker, &op);
    } else if (dice < 9 || depth >= 3 || maker->txns_used == MAKER_TXNS) {
        op.kind = MODEL_DELETE;
        op.span = maker_span(maker, 6);
        op.flags = maker_below(maker, 2) == 0 ? RKV_RANGE_PREV : 0;
    } else {
        op.kind = MODEL_TXN;
        op.txn = maker_txn(maker, depth + 1);
    }
    return op;
}

struct model_txn *maker_txn(struct maker *maker, int depth)
{
    struct model_txn *txn = &maker->txns[maker->txns_used++];
    bool is_plain = depth == 0 && maker_below(maker, 2) == 0;

    memset(txn, 0, sizeof(*txn));
    if (is_plain) {
        txn->ops_count[0] = 1;
        txn->ops[0][0] = random_op(maker, 3);
        return txn;
    }
    txn->compares_count = maker_below(maker, MODEL_COMPARES);
    for (size_t i = 0; i < txn->compares_count; i++) {
        struct model_compare *compare = &txn->compares[i];

        compare->target = (uint32_t)maker_below(maker, 5);
        compare->relation = (uint32_t)maker_below(maker, 4);
        compare->span = maker_span(maker, 7);
        compare->number = (int64_t)maker_below(maker, 4);
        compare->value = random_value(maker);
    }
    for (int side = 0; side < 2; side++) {
        txn->ops_count[side] = maker_below(maker, 4);
        for (size_t i = 0; i < txn->ops_count[side]; i++)
            txn->ops[side][i] = random_op(maker, depth);
    }
    return txn;
}
