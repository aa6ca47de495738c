/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Writing a command.  Each call appends one operation to the bytes; what they
 * look like is said in command.c, which reads them.
 */
#include "room.h"
#include "txn.h"

enum {
    RANGE_FLAGS = RKV_RANGE_KEYS_ONLY | RKV_RANGE_COUNT_ONLY,
    PUT_FLAGS = RKV_PUT_PREV | RKV_PUT_IGNORE_VALUE | RKV_PUT_IGNORE_LEASE
};

struct level {
    bool has_ops;
    bool has_else;
};

struct rkv_txn {
    struct rkv_allocator allocator;
    struct rkv_buffer buffer;
    int error;
    size_t head; /* bytes in front of the operations */
    bool has_user;
    bool has_session;
    uint32_t alone; /* the kind of what is no transaction, or 0 */
    uint32_t depth;
    struct level levels[RKV_COMMAND_DEPTH_MAX + 1];
};

static int check_op(const rkv_txn *txn);
static int check_bytes(const void *data, size_t len, bool is_key);
static int check_ttl(int64_t ttl);
static void begin_op(rkv_txn *txn, uint8_t kind);

int rkv_txn_new(const struct rkv_allocator *allocator, rkv_txn **out)
{
    struct rkv_allocator chosen = rkv_alloc_choose(allocator);
    rkv_txn *txn;

    if (out == NULL)
        return RKV_EINVAL;
    txn = rkv_alloc_zeroed(&chosen, sizeof(*txn));
    if (txn == NULL)
        return RKV_ENOMEM;
    txn->allocator = chosen;
    rkv_buffer_init(&txn->buffer, &txn->allocator);
    rkv_txn_reset(txn);
    *out = txn;
    return RKV_OK;
}

void rkv_txn_free(rkv_txn *txn)
{
    struct rkv_allocator allocator;

    if (txn == NULL)
        return;
    allocator = txn->allocator;
    rkv_buffer_free(&txn->buffer);
    rkv_release(&allocator, txn, sizeof(*txn));
}

void rkv_txn_reset(rkv_txn *txn)
{
    rkv_buffer_clear(&txn->buffer);
    txn->error = RKV_OK;
    txn->alone = 0;
    txn->depth = 0;
    txn->levels[0] = (struct level){false, false};
    rkv_write_u8(&txn->buffer, RKV_COMMAND_VERSION);
    txn->head = txn->buffer.len;
    txn->has_user = false;
    txn->has_session = false;
}

int rkv_txn_compare(rkv_txn *txn, const struct rkv_compare *compare)
{
    struct rkv_compare c;
    int error = rkv_options(&c, sizeof(c), compare);

    if (error == RKV_OK)
        error = check_op(txn);
    if (error == RKV_OK && txn->levels[txn->depth].has_ops)
        error = RKV_ESTATE;
    if (error == RKV_OK && c.reserved != 0)
        error = RKV_EINVAL;
    if (error == RKV_OK)
        error = check_bytes(c.key, c.key_len, true);
    if (error == RKV_OK)
        error = check_bytes(c.end, c.end_len, false);
    if (error == RKV_OK)
        error = check_bytes(c.value, c.value_len, false);
    if (error != RKV_OK)
        return rkv_txn_settle(txn, error);
    rkv_write_u8(&txn->buffer, RKV_OP_COMPARE);
    rkv_write_varint(&txn->buffer, c.target);
    rkv_write_varint(&txn->buffer, c.relation);
    rkv_write_blob(&txn->buffer, c.key, c.key_len);
    rkv_write_blob(&txn->buffer, c.end, c.end_len);
    if (c.target == RKV_COMPARE_VALUE)
        rkv_write_blob(&txn->buffer, c.value, c.value_len);
    else
        rkv_write_svarint(&txn->buffer, c.number);
    return rkv_txn_settle(txn, RKV_OK);
}

int rkv_txn_put(rkv_txn *txn, const struct rkv_put *put)
{
    struct rkv_put p;
    int error = rkv_options(&p, sizeof(p), put);

    if (error == RKV_OK)
        error = check_op(txn);
    if (error == RKV_OK)
        error = check_bytes(p.key, p.key_len, true);
    if (error == RKV_OK)
        error = check_bytes(p.value, p.value_len, false);
    if (error == RKV_OK &&
        ((p.flags & ~(uint32_t)PUT_FLAGS) != 0 ||
         ((p.flags & RKV_PUT_IGNORE_VALUE) != 0 && p.value_len > 0) ||
         ((p.flags & RKV_PUT_IGNORE_LEASE) != 0 &&
          (p.lease != 0 || p.ttl != 0)) ||
         (p.lease != 0 && p.ttl != 0)))
        error = RKV_EINVAL;
    if (error == RKV_OK && p.ttl != 0)
        error = check_ttl(p.ttl);
    if (error != RKV_OK)
        return rkv_txn_settle(txn, error);
    if (p.ttl != 0)
        p.flags |= RKV_PUT_TTL;
    begin_op(txn, RKV_OP_PUT);
    rkv_write_varint(&txn->buffer, p.flags);
    rkv_write_svarint(&txn->buffer, p.lease);
    rkv_write_blob(&txn->buffer, p.key, p.key_len);
    rkv_write_blob(&txn->buffer, p.value, p.value_len);
    if (p.ttl != 0)
        rkv_write_svarint(&txn->buffer, p.ttl);
    return rkv_txn_settle(txn, RKV_OK);
}

/* A range, as far as reading and deleting have it in common. */
static int check_range(const rkv_txn *txn, const struct rkv_range *range,
                       uint32_t known, struct rkv_range *out)
{
    int error = rkv_options(out, sizeof(*out), range);

    if (error == RKV_OK)
        error = check_op(txn);
    if (error == RKV_OK)
        error = check_bytes(out->key, out->key_len, true);
    if (error == RKV_OK)
        error = check_bytes(out->end, out->end_len, false);
    if (error == RKV_OK && (out->flags & ~known) != 0)
        error = RKV_EINVAL;
    return error;
}

static void write_shape(struct rkv_buffer *buffer,
                        const struct rkv_shape *shape)
{
    rkv_write_svarint(buffer, shape->offset);
    rkv_write_varint(buffer, shape->sort);
    rkv_write_varint(buffer, shape->order);
    rkv_write_svarint(buffer, shape->min_mod);
    rkv_write_svarint(buffer, shape->max_mod);
    rkv_write_svarint(buffer, shape->min_create);
    rkv_write_svarint(buffer, shape->max_create);
}

int rkv_txn_range(rkv_txn *txn, const struct rkv_range *range)
{
    struct rkv_range r;
    struct rkv_shape shape;
    bool is_shaped;
    int error = check_range(txn, range, RANGE_FLAGS, &r);

    shape = rkv_shape_of(&r);
    if (error == RKV_OK && !rkv_shape_is_known(&shape))
        error = RKV_EINVAL;
    if (error != RKV_OK)
        return rkv_txn_settle(txn, error);
    begin_op(txn, RKV_OP_RANGE);
    is_shaped = r.offset > 0 || rkv_shape_filters(&shape) ||
                !rkv_shape_is_natural(&shape);
    rkv_write_varint(&txn->buffer,
                     is_shaped ? r.flags | RKV_RANGE_SHAPED : r.flags);
    rkv_write_svarint(&txn->buffer, r.revision);
    rkv_write_svarint(&txn->buffer, r.limit);
    rkv_write_blob(&txn->buffer, r.key, r.key_len);
    rkv_write_blob(&txn->buffer, r.end, r.end_len);
    if (is_shaped)
        write_shape(&txn->buffer, &shape);
    return rkv_txn_settle(txn, RKV_OK);
}

int rkv_txn_delete(rkv_txn *txn, const struct rkv_range *range)
{
    struct rkv_range r;
    int error = check_range(txn, range, RKV_RANGE_PREV, &r);

    if (error != RKV_OK)
        return rkv_txn_settle(txn, error);
    begin_op(txn, RKV_OP_DELETE);
    rkv_write_varint(&txn->buffer, r.flags);
    rkv_write_blob(&txn->buffer, r.key, r.key_len);
    rkv_write_blob(&txn->buffer, r.end, r.end_len);
    return rkv_txn_settle(txn, RKV_OK);
}

int rkv_txn_else(rkv_txn *txn)
{
    int error = check_op(txn);

    if (error == RKV_OK && txn->levels[txn->depth].has_else)
        error = RKV_ESTATE;
    if (error != RKV_OK)
        return rkv_txn_settle(txn, error);
    begin_op(txn, RKV_OP_ELSE);
    txn->levels[txn->depth].has_else = true;
    return rkv_txn_settle(txn, RKV_OK);
}

int rkv_txn_begin(rkv_txn *txn)
{
    int error = check_op(txn);

    if (error == RKV_OK && txn->depth == RKV_COMMAND_DEPTH_MAX)
        error = RKV_ETOOMANY;
    if (error != RKV_OK)
        return rkv_txn_settle(txn, error);
    begin_op(txn, RKV_OP_BEGIN);
    txn->levels[++txn->depth] = (struct level){false, false};
    return rkv_txn_settle(txn, RKV_OK);
}

int rkv_txn_end(rkv_txn *txn)
{
    int error = check_op(txn);

    if (error == RKV_OK && txn->depth == 0)
        error = RKV_ESTATE;
    if (error != RKV_OK)
        return rkv_txn_settle(txn, error);
    rkv_write_u8(&txn->buffer, RKV_OP_END);
    txn->depth--;
    return rkv_txn_settle(txn, RKV_OK);
}

int rkv_txn_compact(rkv_txn *txn, int64_t revision)
{
    if (rkv_txn_begin_alone(txn, RKV_OP_COMPACT) == RKV_OK)
        rkv_write_svarint(&txn->buffer, revision);
    return rkv_txn_settle(txn, RKV_OK);
}

struct rkv_buffer *rkv_txn_buffer(rkv_txn *txn)
{
    return &txn->buffer;
}

int rkv_txn_begin_head(rkv_txn *txn, uint8_t tag)
{
    bool *has = tag == RKV_TAG_USER ? &txn->has_user : &txn->has_session;

    if (txn->error == RKV_OK &&
        (txn->buffer.len != txn->head || *has || txn->has_session))
        return rkv_txn_settle(txn, RKV_ESTATE);
    if (txn->error != RKV_OK)
        return txn->error;
    *has = true;
    rkv_write_u8(&txn->buffer, tag);
    return RKV_OK;
}

void rkv_txn_end_head(rkv_txn *txn)
{
    txn->head = txn->buffer.len;
}

int rkv_txn_open_session(rkv_txn *txn)
{
    /* A session is not opened within one. */
    if (txn->error == RKV_OK && txn->has_session)
        return rkv_txn_settle(txn, RKV_ESTATE);
    (void)rkv_txn_begin_alone(txn, RKV_OP_OPEN_SESSION);
    return rkv_txn_settle(txn, RKV_OK);
}

int rkv_txn_session(rkv_txn *txn, uint64_t session, uint64_t sequence)
{
    if (session == 0 || sequence == 0)
        return rkv_txn_settle(txn, RKV_EINVAL);
    if (rkv_txn_begin_head(txn, RKV_TAG_SESSION) == RKV_OK) {
        rkv_write_varint(&txn->buffer, session);
        rkv_write_varint(&txn->buffer, sequence);
        rkv_txn_end_head(txn);
    }
    return rkv_txn_settle(txn, RKV_OK);
}

int rkv_txn_quota(rkv_txn *txn, int64_t bytes)
{
    if (bytes < 0)
        return rkv_txn_settle(txn, RKV_EINVAL);
    if (rkv_txn_begin_alone(txn, RKV_OP_QUOTA) == RKV_OK)
        rkv_write_svarint(&txn->buffer, bytes);
    return rkv_txn_settle(txn, RKV_OK);
}

static int check_ttl(int64_t ttl)
{
    if (ttl < 1)
        return RKV_EINVAL;
    return ttl > RKV_LEASE_TTL_MAX ? RKV_ETOOBIG : RKV_OK;
}

int rkv_txn_grant(rkv_txn *txn, int64_t id, int64_t ttl)
{
    if (check_ttl(ttl) < 0)
        return rkv_txn_settle(txn, check_ttl(ttl));
    if (rkv_txn_begin_alone(txn, RKV_OP_GRANT) == RKV_OK) {
        rkv_write_svarint(&txn->buffer, id);
        rkv_write_svarint(&txn->buffer, ttl);
    }
    return rkv_txn_settle(txn, RKV_OK);
}

int rkv_txn_revoke(rkv_txn *txn, int64_t id)
{
    if (rkv_txn_begin_alone(txn, RKV_OP_REVOKE) == RKV_OK)
        rkv_write_svarint(&txn->buffer, id);
    return rkv_txn_settle(txn, RKV_OK);
}

int rkv_txn_keep_alive(rkv_txn *txn, int64_t id)
{
    if (rkv_txn_begin_alone(txn, RKV_OP_KEEP_ALIVE) == RKV_OK)
        rkv_write_svarint(&txn->buffer, id);
    return rkv_txn_settle(txn, RKV_OK);
}

int rkv_txn_clock(rkv_txn *txn, uint64_t term, int64_t clock)
{
    if (clock < 0 || clock > RKV_LEASE_CLOCK_MAX)
        return rkv_txn_settle(txn, RKV_EINVAL);
    if (rkv_txn_begin_alone(txn, RKV_OP_CLOCK) == RKV_OK) {
        rkv_write_varint(&txn->buffer, term);
        rkv_write_svarint(&txn->buffer, clock);
    }
    return rkv_txn_settle(txn, RKV_OK);
}

int rkv_txn_encode(rkv_txn *txn, const void **data, size_t *len)
{
    if (txn->error != RKV_OK)
        return txn->error;
    if (data == NULL || len == NULL)
        return RKV_EINVAL;
    /* The transaction may still be ended and encoded again. */
    if (txn->depth > 0)
        return RKV_ESTATE;
    *data = txn->buffer.data;
    *len = txn->buffer.len;
    return RKV_OK;
}

int rkv_txn_settle(rkv_txn *txn, int error)
{
    if (txn->error == RKV_OK)
        txn->error = txn->buffer.failed ? RKV_ENOMEM : error;
    return txn->error;
}

static int check_op(const rkv_txn *txn)
{
    if (txn->error != RKV_OK)
        return txn->error;
    return txn->alone != 0 ? RKV_ESTATE : RKV_OK;
}

static int check_bytes(const void *data, size_t len, bool is_key)
{
    if (len == 0)
        return is_key ? RKV_EKEY : RKV_OK;
    if (data == NULL)
        return RKV_EINVAL;
    return len > UINT32_MAX ? RKV_ETOOBIG : RKV_OK;
}

int rkv_txn_begin_alone(rkv_txn *txn, uint8_t kind)
{
    bool goes_on = kind == RKV_OP_KEEP_ALIVE && txn->alone == kind;

    if (txn->error == RKV_OK && !goes_on && txn->buffer.len != txn->head)
        (void)rkv_txn_settle(txn, RKV_ESTATE);
    if (txn->error != RKV_OK)
        return txn->error;
    begin_op(txn, kind);
    txn->alone = kind;
    return RKV_OK;
}

static void begin_op(rkv_txn *txn, uint8_t kind)
{
    txn->levels[txn->depth].has_ops = true;
    rkv_write_u8(&txn->buffer, kind);
}
