/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The twin reads commands.  A proposer's member refuses what does not decode,
 * so in a log everything does; what does not is an offence.
 */
#include <string.h>

#include "twin_room.h"

enum { FLAG_EXTENDED = 1u << 7, DEPTH_MAX = 32 };

struct input {
    const uint8_t *at;
    size_t left;
    bool failed;
    struct arena *arena;
};

static uint64_t read_number(struct input *in)
{
    uint64_t number = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte;

        if (in->left == 0)
            break;
        byte = *in->at++;
        in->left--;
        number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return number;
    }
    in->failed = true;
    return 0;
}

static int64_t read_signed(struct input *in)
{
    uint64_t folded = read_number(in);

    return (int64_t)(folded >> 1) ^ -(int64_t)(folded & 1);
}

static struct text read_text(struct input *in)
{
    size_t len = (size_t)read_number(in);
    struct text text = {in->at, len};

    if (in->failed || len > in->left) {
        in->failed = true;
        return (struct text){NULL, 0};
    }
    in->at += len;
    in->left -= len;
    return text;
}

static struct span read_span(struct input *in)
{
    struct span span;

    span.key = read_text(in);
    span.end = read_text(in);
    return span;
}

static void read_compare(struct input *in, struct operation *op)
{
    op->target = (uint32_t)read_number(in);
    op->relation = (uint32_t)read_number(in);
    op->span = read_span(in);
    if (op->target == RKV_COMPARE_VALUE)
        op->value = read_text(in);
    else
        op->number = read_signed(in);
}

static void read_put(struct input *in, struct operation *op)
{
    op->flags = (uint32_t)read_number(in);
    op->lease = read_signed(in);
    op->span.key = read_text(in);
    op->value = read_text(in);
    if ((op->flags & FLAG_EXTENDED) != 0)
        op->ttl = read_signed(in);
}

static void read_range(struct input *in, struct operation *op)
{
    op->flags = (uint32_t)read_number(in);
    op->number = read_signed(in);
    op->limit = read_signed(in);
    op->span = read_span(in);
    if ((op->flags & FLAG_EXTENDED) == 0)
        return;
    op->offset = read_signed(in);
    op->sort = (uint32_t)read_number(in);
    op->order = (uint32_t)read_number(in);
    op->min_mod = read_signed(in);
    op->max_mod = read_signed(in);
    op->min_create = read_signed(in);
    op->max_create = read_signed(in);
}

static void read_lease(struct input *in, struct operation *op)
{
    if (op->deed == DEED_CLOCK) {
        op->term = read_number(in);
        op->number = read_signed(in);
        return;
    }
    op->lease = read_signed(in);
    if (op->deed == DEED_GRANT)
        op->ttl = read_signed(in);
}

static void read_auth(struct input *in, struct operation *op)
{
    switch (op->deed) {
    case DEED_AUTH:
        op->number = (int64_t)read_number(in);
        break;
    case DEED_ROLE_GRANT:
    case DEED_ROLE_REVOKE:
        op->access = (uint32_t)read_number(in);
        op->value = read_text(in);
        op->span = read_span(in);
        break;
    case DEED_USER_DELETE:
    case DEED_ROLE_ADD:
    case DEED_ROLE_DELETE:
        op->span.key = read_text(in);
        break;
    default:
        op->span.key = read_text(in);
        op->value = read_text(in);
    }
}

static void read_fields(struct input *in, struct operation *op)
{
    switch (op->deed) {
    case DEED_COMPARE:
        read_compare(in, op);
        break;
    case DEED_PUT:
        read_put(in, op);
        break;
    case DEED_RANGE:
        read_range(in, op);
        break;
    case DEED_DELETE:
        op->flags = (uint32_t)read_number(in);
        op->span = read_span(in);
        break;
    case DEED_COMPACT:
    case DEED_QUOTA:
        op->number = read_signed(in);
        break;
    case DEED_GRANT:
    case DEED_REVOKE:
    case DEED_KEEP:
    case DEED_CLOCK:
        read_lease(in, op);
        break;
    case DEED_ELSE:
    case DEED_TXN:
    case DEED_END:
    case DEED_OPEN:
        break;
    default:
        if (op->deed < DEED_AUTH || op->deed > DEED_ROLE_REVOKE)
            in->failed = true;
        else
            read_auth(in, op);
    }
}

static struct operation *add(struct arena *arena, struct list *list,
                             const struct operation *op)
{
    if (list->count == list->cap) {
        size_t cap = list->cap == 0 ? 4 : 2 * list->cap;
        struct operation *ops = arena_take(arena, cap * sizeof *ops);

        if (list->count > 0)
            memcpy(ops, list->ops, list->count * sizeof *ops);
        list->ops = ops;
        list->cap = cap;
    }
    list->ops[list->count] = *op;
    return &list->ops[list->count++];
}

/* Up to its end, or that of the bytes. */
static void read_txn(struct input *in, struct transaction *txn, uint32_t depth)
{
    int side = 0;

    while (!in->failed && in->left > 0) {
        struct operation op = {.deed = (enum deed)read_number(in)};

        read_fields(in, &op);
        if (op.deed == DEED_END) {
            in->failed = in->failed || depth == 0;
            return;
        }
        if (op.deed == DEED_ELSE) {
            in->failed = in->failed || side == 1;
            side = 1;
        } else if (op.deed == DEED_COMPARE) {
            (void)add(in->arena, &txn->compares, &op);
        } else if (op.deed == DEED_TXN && depth < DEPTH_MAX) {
            op.txn = arena_take(in->arena, sizeof *op.txn);
            (void)add(in->arena, &txn->sides[side], &op);
            read_txn(in, op.txn, depth + 1);
        } else if (op.deed <= DEED_DELETE) {
            (void)add(in->arena, &txn->sides[side], &op);
        } else {
            in->failed = true;
        }
    }
    in->failed = in->failed || depth > 0;
}

static void read_alone(struct input *in, struct command *out)
{
    struct list list = {NULL, 0, 0};

    while (!in->failed && in->left > 0) {
        struct operation op = {.deed = (enum deed)read_number(in)};

        read_fields(in, &op);
        if (list.count > 0 &&
            (op.deed != DEED_KEEP || list.ops[0].deed != DEED_KEEP))
            in->failed = true;
        (void)add(in->arena, &list, &op);
    }
    out->alone = list.ops;
    out->alone_count = list.count;
}

static bool comes(struct input *in, enum deed deed)
{
    if (in->left == 0 || *in->at != (uint8_t)deed)
        return false;
    in->at++;
    in->left--;
    return true;
}

const char *command_read(struct arena *arena, const void *bytes, size_t len,
                         struct command *out)
{
    struct input in = {.at = bytes, .left = len, .arena = arena};

    memset(out, 0, sizeof *out);
    if (read_number(&in) != 1)
        return "its version is not 1";
    if (comes(&in, DEED_USER)) {
        out->user = read_text(&in);
        out->auth_revision = read_number(&in);
    }
    if (comes(&in, DEED_SESSION)) {
        out->session = read_number(&in);
        out->sequence = read_number(&in);
    }
    if (in.left > 0 && *in.at >= DEED_COMPACT)
        read_alone(&in, out);
    else
        read_txn(&in, &out->txn, 0);
    return in.failed ? "it does not decode" : NULL;
}
