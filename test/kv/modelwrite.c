/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The second opinion: its transactions as commands.
 */
#include "model.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct rkv_range write_span(const struct model_span *span)
{
    struct rkv_range range = {.size = sizeof(range)};

    range.key = span->key.bytes;
    range.key_len = span->key.len;
    range.end = span->end.bytes;
    range.end_len = span->end.len;
    return range;
}

struct rkv_range model_write_range(const struct model_op *op)
{
    struct rkv_range range = write_span(&op->span);

    range.flags = op->flags;
    range.revision = op->revision;
    range.limit = op->limit;
    range.offset = op->offset;
    range.sort = op->sort;
    range.order = op->order;
    range.min_mod = op->min_mod;
    range.max_mod = op->max_mod;
    range.min_create = op->min_create;
    range.max_create = op->max_create;
    return range;
}

static void write_op(const struct model_op *op, rkv_txn *out)
{
    struct rkv_range range = model_write_range(op);
    struct rkv_put put = {
        .size = sizeof(put),
        .flags = op->flags,
        .key = op->span.key.bytes,
        .key_len = op->span.key.len,
        .value = op->value.bytes,
        .value_len = op->value.len,
        .lease = op->lease,
        .ttl = op->ttl,
    };

    switch (op->kind) {
    case MODEL_PUT:
        (void)rkv_txn_put(out, &put);
        break;
    case MODEL_RANGE:
        (void)rkv_txn_range(out, &range);
        break;
    case MODEL_DELETE:
        (void)rkv_txn_delete(out, &range);
        break;
    default:
        (void)rkv_txn_begin(out);
        model_write(op->txn, out);
        (void)rkv_txn_end(out);
    }
}

void model_write(const struct model_txn *txn, rkv_txn *out)
{
    for (size_t i = 0; i < txn->compares_count; i++) {
        const struct model_compare *from = &txn->compares[i];
        struct rkv_compare compare = {
            .size = sizeof(compare),
            .target = from->target,
            .relation = from->relation,
            .key = from->span.key.bytes,
            .key_len = from->span.key.len,
            .end = from->span.end.bytes,
            .end_len = from->span.end.len,
            .number = from->number,
            .value = from->value.bytes,
            .value_len = from->value.len,
        };

        (void)rkv_txn_compare(out, &compare);
    }
    for (int side = 0; side < 2; side++) {
        if (side == 1 && txn->ops_count[1] > 0)
            (void)rkv_txn_else(out);
        for (size_t i = 0; i < txn->ops_count[side]; i++)
            write_op(&txn->ops[side][i], out);
    }
}
