/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The bytes of a command, read.  One byte of version, then operations up to
 * the end, each a tag and its fields: numbers as varints (v; z: zigzag),
 * strings as a varint length and bytes (b).
 *
 *     1 compare  target v, relation v, key b, end b, number z | value b
 *     2 put      flags v, lease z, key b, value b; with a flag that is not
 *                public: time to live z
 *     3 range    flags v, revision z, limit z, key b, end b; with a flag that
 *                is not public: offset z, sort v, order v, and z each: least
 *                and last modification, least and last creation
 *     4 delete   flags v, key b, end b
 *     5 else
 *     6 begin    a transaction as an operation
 *     7 end
 *     8 compact  revision z; this and the following alone in their command
 *     9 grant    id z, time to live z
 *    10 revoke   id z
 *    11 keep alive  id z; may be followed by others
 *    12 clock    term v, time z
 *    13 quota    bytes z
 *    14 open a session
 *    16 auth     v, 1 to enable it
 *    17 add a user  name b, password b; 18 delete it  name b; 19 its
 *       password  name b, password b; 20 grant, 21 revoke  name b, role b
 *    22 add a role  name b; 23 delete it  name b; 24 grant, 25 revoke
 *       access v, role b, key b, end b
 *
 * In front of them, behind the version, may stand
 *
 *    26 user     name b, auth revision v
 *    15 session  id v, sequence v
 *
 * A transaction lists its comparisons, then the operations for when they
 * hold, then else and the others.  The bytes come from anywhere: nothing here
 * takes their word for a size, and depth costs a number, not a stack frame.
 */
#include "room.h"

#include <string.h>

enum {
    RANGE_FLAGS = RKV_RANGE_KEYS_ONLY | RKV_RANGE_COUNT_ONLY,
    PUT_FLAGS = RKV_PUT_PREV | RKV_PUT_IGNORE_VALUE | RKV_PUT_IGNORE_LEASE
};

/* Memory for more operations than this is not kept for the next command. */
enum { OPS_KEPT = 4096 };

static bool read_user(struct rkv_program *program, struct rkv_reader *r);
static bool read_session(struct rkv_program *program, struct rkv_reader *r);
static struct rkv_op *add_op(struct rkv_program *program, uint32_t kind,
                             uint32_t begin);
static int read_op(struct rkv_program *program, struct rkv_reader *r,
                   uint32_t *begin);
static int read_fields(struct rkv_reader *r, struct rkv_op *op);
static int place_op(struct rkv_program *program, uint32_t *begin);
static int check_op(const struct rkv_op *op);

void rkv_program_init(struct rkv_program *program,
                      const struct rkv_allocator *a)
{
    *program = (struct rkv_program){.allocator = a};
}

void rkv_program_free(struct rkv_program *program)
{
    rkv_release(program->allocator, program->ops,
                program->cap * sizeof(program->ops[0]));
    rkv_release(program->allocator, program->marks,
                program->marks_cap * sizeof(program->marks[0]));
    rkv_release(program->allocator, program->counts,
                program->counts_cap * sizeof(program->counts[0]));
    rkv_program_init(program, program->allocator);
}

int rkv_program_decode(struct rkv_program *program, const void *data,
                       size_t len, uint32_t ops_max)
{
    struct rkv_reader r;
    uint32_t begin = 0;
    uint8_t version;

    if (program->cap > OPS_KEPT)
        rkv_program_free(program);
    program->count = 0;
    program->depth = 0;
    program->ops_max = ops_max;
    if (len == 0 || len > RKV_COMMAND_BYTES_MAX)
        return len == 0 ? RKV_EMALFORMED : RKV_ETOOBIG;
    rkv_reader_init(&r, data, len);
    version = rkv_read_u8(&r);
    if (version != RKV_COMMAND_VERSION)
        return version == 0 ? RKV_EMALFORMED : RKV_EVERSION;
    if (!read_user(program, &r) || !read_session(program, &r))
        return RKV_EMALFORMED;
    if (add_op(program, RKV_OP_BEGIN, 0) == NULL)
        return RKV_ENOMEM;
    while (rkv_reader_left(&r) > 0) {
        int status = read_op(program, &r, &begin);

        if (status < 0)
            return status;
    }
    if (r.failed || begin != 0)
        return RKV_EMALFORMED;
    if (add_op(program, RKV_OP_END, 0) == NULL)
        return RKV_ENOMEM;
    return place_op(program, &begin);
}

static bool read_user(struct rkv_program *program, struct rkv_reader *r)
{
    program->user = (struct rkv_bytes){NULL, 0};
    if (rkv_reader_left(r) == 0 || *r->at != RKV_TAG_USER)
        return true;
    (void)rkv_read_u8(r);
    program->user.data = rkv_read_blob(r, &program->user.len);
    program->auth_revision = rkv_read_varint(r);
    return !r->failed && program->user.len > 0;
}

/* Neither number is 0. */
static bool read_session(struct rkv_program *program, struct rkv_reader *r)
{
    program->session = 0;
    program->sequence = 0;
    if (rkv_reader_left(r) == 0 || *r->at != RKV_TAG_SESSION)
        return true;
    (void)rkv_read_u8(r);
    program->session = rkv_read_varint(r);
    program->sequence = rkv_read_varint(r);
    return !r->failed && program->session != 0 && program->sequence != 0;
}

int rkv_program_check(struct rkv_program *program)
{
    for (size_t i = 0; i < program->count; i++) {
        int status = check_op(&program->ops[i]);

        if (status < 0)
            return status;
    }
    return rkv_program_check_duplicates(program);
}

/* As etcd counts: what is inside a transaction shares what its own longest
 * list leaves of the limit.  A begin keeps its budget in `response`, which
 * nothing else uses before the command runs. */
int rkv_program_limits(struct rkv_program *program,
                       const struct rkv_kv_options *options)
{
    for (size_t i = 0; i < program->count; i++) {
        struct rkv_op *op = &program->ops[i];
        uint32_t budget = options->txn_ops_max, longest;

        if (op->span.key_len > options->key_bytes_max ||
            op->span.end_len > options->key_bytes_max)
            return RKV_ETOOBIG;
        if (op->kind != RKV_OP_BEGIN)
            continue;
        if (i > 0)
            budget = program->ops[op->begin].response;
        longest = op->compares;
        if (op->branch[0] > longest)
            longest = op->branch[0];
        if (op->branch[1] > longest)
            longest = op->branch[1];
        if (longest > budget)
            return RKV_ETOOMANY;
        op->response = budget - longest;
    }
    return program->depth > options->txn_depth_max ? RKV_ETOOMANY : RKV_OK;
}

static struct rkv_op *add_op(struct rkv_program *program, uint32_t kind,
                             uint32_t begin)
{
    void *ops = program->ops;
    struct rkv_op *op;

    if (program->count == program->cap) {
        if (rkv_grow(program->allocator, &ops, &program->cap,
                     program->count + 1, sizeof(program->ops[0])) < 0)
            return NULL;
        program->ops = ops;
    }
    op = &program->ops[program->count++];
    memset(op, 0, sizeof(*op));
    op->kind = kind;
    op->begin = begin;
    return op;
}

static int read_op(struct rkv_program *program, struct rkv_reader *r,
                   uint32_t *begin)
{
    uint32_t kind = rkv_read_u8(r);
    struct rkv_op *op;
    int status;

    if (kind < RKV_OP_COMPARE || kind > RKV_OP_ROLE_REVOKE ||
        kind == RKV_TAG_SESSION)
        return RKV_EMALFORMED;
    op = add_op(program, kind, *begin);
    if (op == NULL)
        return RKV_ENOMEM;
    status = read_fields(r, op);
    return status < 0 ? status : place_op(program, begin);
}

static void read_span(struct rkv_reader *r, struct rkv_op *op, bool has_end)
{
    size_t key_len, end_len = 0;
    const uint8_t *key = rkv_read_blob(r, &key_len);
    const uint8_t *end = has_end ? rkv_read_blob(r, &end_len) : NULL;

    if (!r->failed)
        op->span = rkv_span_of(key, key_len, end, end_len);
}

static void read_value(struct rkv_reader *r, struct rkv_op *op)
{
    size_t len;
    const uint8_t *value = rkv_read_blob(r, &len);

    if (r->failed)
        return;
    op->value = value;
    op->value_len = (uint32_t)len;
}

static void read_shape(struct rkv_reader *r, struct rkv_shape *shape)
{
    shape->offset = rkv_read_svarint(r);
    shape->sort = rkv_read_varint32(r);
    shape->order = rkv_read_varint32(r);
    shape->min_mod = rkv_read_svarint(r);
    shape->max_mod = rkv_read_svarint(r);
    shape->min_create = rkv_read_svarint(r);
    shape->max_create = rkv_read_svarint(r);
}

static void read_lease_fields(struct rkv_reader *r, struct rkv_op *op)
{
    if (op->kind == RKV_OP_CLOCK) {
        op->term = rkv_read_varint(r);
        op->number = rkv_read_svarint(r);
    }
    if (op->kind == RKV_OP_GRANT || op->kind == RKV_OP_REVOKE ||
        op->kind == RKV_OP_KEEP_ALIVE)
        op->lease = rkv_read_svarint(r);
    if (op->kind == RKV_OP_GRANT)
        op->ttl = rkv_read_svarint(r);
}

static void read_auth_fields(struct rkv_reader *r, struct rkv_op *op)
{
    switch (op->kind) {
    case RKV_OP_AUTH:
        op->number = rkv_read_varint32(r);
        break;
    case RKV_OP_ROLE_GRANT:
    case RKV_OP_ROLE_REVOKE:
        op->number = rkv_read_varint32(r);
        read_value(r, op);
        read_span(r, op, true);
        break;
    case RKV_OP_USER_DELETE:
    case RKV_OP_ROLE_ADD:
    case RKV_OP_ROLE_DELETE:
        read_span(r, op, false);
        break;
    default:
        read_span(r, op, false);
        read_value(r, op);
        break;
    }
}

static int read_fields(struct rkv_reader *r, struct rkv_op *op)
{
    uint32_t known = 0;

    switch (op->kind) {
    case RKV_OP_COMPARE:
        op->target = rkv_read_varint32(r);
        op->relation = rkv_read_varint32(r);
        read_span(r, op, true);
        if (op->target == RKV_COMPARE_VALUE)
            read_value(r, op);
        else
            op->number = rkv_read_svarint(r);
        break;
    case RKV_OP_PUT:
        known = PUT_FLAGS | RKV_PUT_TTL;
        op->flags = rkv_read_varint32(r);
        op->lease = rkv_read_svarint(r);
        read_span(r, op, false);
        read_value(r, op);
        if ((op->flags & RKV_PUT_TTL) != 0)
            op->ttl = rkv_read_svarint(r);
        break;
    case RKV_OP_RANGE:
        known = RANGE_FLAGS | RKV_RANGE_SHAPED;
        op->flags = rkv_read_varint32(r);
        op->number = rkv_read_svarint(r);
        op->limit = rkv_read_svarint(r);
        read_span(r, op, true);
        if ((op->flags & RKV_RANGE_SHAPED) != 0)
            read_shape(r, &op->shape);
        break;
    case RKV_OP_DELETE:
        known = RKV_RANGE_PREV;
        op->flags = rkv_read_varint32(r);
        read_span(r, op, true);
        break;
    case RKV_OP_COMPACT:
    case RKV_OP_QUOTA:
        op->number = rkv_read_svarint(r);
        break;
    default:
        if (op->kind >= RKV_OP_AUTH)
            read_auth_fields(r, op);
        else
            read_lease_fields(r, op);
        break;
    }
    if (r->failed)
        return RKV_EMALFORMED;
    return (op->flags & ~known) != 0 ? RKV_EVERSION : RKV_OK;
}

static int open_txn(struct rkv_program *program, uint32_t at, uint32_t *begin)
{
    struct rkv_op *op = &program->ops[at];

    if (op->depth > RKV_COMMAND_DEPTH_MAX)
        return RKV_ETOOMANY;
    if (op->depth > program->depth)
        program->depth = op->depth;
    *begin = at;
    return RKV_OK;
}

static int close_txn(struct rkv_program *program, uint32_t at, uint32_t *begin)
{
    struct rkv_op *txn = &program->ops[*begin];

    /* Only the end of the bytes ends the command itself. */
    if (*begin == 0 && txn->end != 0)
        return RKV_EMALFORMED;
    txn->end = at;
    if (txn->else_at == 0)
        txn->else_at = at;
    *begin = txn->begin;
    return RKV_OK;
}

/* What is no transaction stands alone in its command; only leases may be kept
 * alive by the dozen. */
static bool may_stand(const struct rkv_program *program, uint32_t at)
{
    uint32_t kind = program->ops[at].kind;
    uint32_t first = at > 0 ? program->ops[1].kind : RKV_OP_BEGIN;

    if (at == 0 || kind == RKV_OP_END)
        return kind != RKV_OP_END || first < RKV_OP_COMPACT ||
               at + 1 == program->count;
    if (kind < RKV_OP_COMPACT && first < RKV_OP_COMPACT)
        return true;
    if (kind == RKV_OP_OPEN_SESSION && program->session != 0)
        return false;
    return at == 1 || (kind == RKV_OP_KEEP_ALIVE && first == kind);
}

/* The operation added last takes its place in the transaction around it. */
static int place_op(struct rkv_program *program, uint32_t *begin)
{
    uint32_t at = (uint32_t)(program->count - 1);
    struct rkv_op *op = &program->ops[at], *txn = &program->ops[*begin];

    op->depth = txn->depth + 1;
    op->in_else = txn->else_at != 0;
    if (!may_stand(program, at))
        return RKV_EMALFORMED;
    switch (op->kind) {
    case RKV_OP_END:
        return close_txn(program, at, begin);
    case RKV_OP_ELSE:
        if (op->in_else)
            return RKV_EMALFORMED;
        txn->else_at = at;
        return RKV_OK;
    case RKV_OP_COMPARE:
        /* First, and in one piece. */
        if (at != *begin + 1 + txn->compares)
            return RKV_EMALFORMED;
        return ++txn->compares > program->ops_max ? RKV_ETOOMANY : RKV_OK;
    case RKV_OP_COMPACT:
        return RKV_OK;
    default:
        break;
    }
    if (++txn->branch[op->in_else] > program->ops_max)
        return RKV_ETOOMANY;
    return op->kind == RKV_OP_BEGIN ? open_txn(program, at, begin) : RKV_OK;
}

static int check_ttl(int64_t ttl)
{
    if (ttl < 1)
        return RKV_EINVAL;
    return ttl > RKV_LEASE_TTL_MAX ? RKV_ETOOBIG : RKV_OK;
}

/* The lease that such a put makes is its own. */
static int check_put_ttl(const struct rkv_op *op)
{
    if (op->lease != 0 || (op->flags & RKV_PUT_IGNORE_LEASE) != 0)
        return RKV_EINVAL;
    return check_ttl(op->ttl);
}

static int check_op(const struct rkv_op *op)
{
    switch (op->kind) {
    case RKV_OP_COMPARE:
    case RKV_OP_DELETE:
        return op->span.key_len == 0 ? RKV_EKEY : RKV_OK;
    case RKV_OP_RANGE:
        if (op->span.key_len == 0)
            return RKV_EKEY;
        return rkv_shape_is_known(&op->shape) ? RKV_OK : RKV_EINVAL;
    case RKV_OP_PUT:
        if (op->span.key_len == 0)
            return RKV_EKEY;
        if ((op->flags & RKV_PUT_IGNORE_VALUE) != 0 && op->value_len > 0)
            return RKV_EINVAL;
        if ((op->flags & RKV_PUT_IGNORE_LEASE) != 0 && op->lease != 0)
            return RKV_EINVAL;
        return (op->flags & RKV_PUT_TTL) != 0 ? check_put_ttl(op) : RKV_OK;
    case RKV_OP_GRANT:
        return check_ttl(op->ttl);
    case RKV_OP_QUOTA:
        return op->number < 0 ? RKV_EINVAL : RKV_OK;
    case RKV_OP_CLOCK:
        return op->number < 0 || op->number > RKV_LEASE_CLOCK_MAX ? RKV_EINVAL
                                                                  : RKV_OK;
    default:
        return op->kind >= RKV_OP_AUTH ? rkv_auth_check_op(op) : RKV_OK;
    }
}
