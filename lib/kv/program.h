/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/kv/program.h - a command, decoded.
 */
#ifndef RKV_KV_PROGRAM_H
#define RKV_KV_PROGRAM_H

#include "auth.h"
#include "record.h"

#include "../base/bytes.h"

/* A decoded command: its operations in the order of the bytes, each pointing
 * into them.  [0] begins the command, the last one ends it. */
enum {
    RKV_OP_COMPARE = 1,
    RKV_OP_PUT = 2,
    RKV_OP_RANGE = 3,
    RKV_OP_DELETE = 4,
    RKV_OP_ELSE = 5,
    RKV_OP_BEGIN = 6,
    RKV_OP_END = 7,
    RKV_OP_COMPACT = 8,
    RKV_OP_GRANT = 9,
    RKV_OP_REVOKE = 10,
    RKV_OP_KEEP_ALIVE = 11,
    RKV_OP_CLOCK = 12,
    RKV_OP_QUOTA = 13,
    RKV_OP_OPEN_SESSION = 14,
    RKV_OP_AUTH = 16,
    RKV_OP_USER_ADD = 17,
    RKV_OP_USER_DELETE = 18,
    RKV_OP_USER_PASSWORD = 19,
    RKV_OP_USER_GRANT = 20,
    RKV_OP_USER_REVOKE = 21,
    RKV_OP_ROLE_ADD = 22,
    RKV_OP_ROLE_DELETE = 23,
    RKV_OP_ROLE_GRANT = 24,
    RKV_OP_ROLE_REVOKE = 25
};
/* What no option can exceed: part of the format. */
enum {
    RKV_COMMAND_VERSION = 1,
    RKV_COMMAND_DEPTH_MAX = 32,
    RKV_COMMAND_BYTES_MAX = 1 << 30
};

/* In front of all operations, if at all, and in this order: whose the command
 * is, and its session. */
enum { RKV_TAG_SESSION = 15, RKV_TAG_USER = 26 };
/* On the wire alone: a range whose shape is given, a put with a time to
 * live. */
enum { RKV_RANGE_SHAPED = 1u << 7, RKV_PUT_TTL = 1u << 7 };

/* In which order a range comes, and what of it. */
struct rkv_shape {
    int64_t offset;
    uint32_t sort;
    uint32_t order;
    int64_t min_mod;
    int64_t max_mod;
    int64_t min_create;
    int64_t max_create;
};

bool rkv_shape_is_known(const struct rkv_shape *shape);
bool rkv_shape_filters(const struct rkv_shape *shape);
/* In the order of the keys. */
bool rkv_shape_is_natural(const struct rkv_shape *shape);
bool rkv_shape_lets(const struct rkv_shape *shape,
                    const struct rkv_record *record);
static inline struct rkv_shape rkv_shape_of(const struct rkv_range *range)
{
    return (struct rkv_shape){
        range->offset,  range->sort,       range->order,      range->min_mod,
        range->max_mod, range->min_create, range->max_create,
    };
}

struct rkv_op {
    uint32_t kind;
    uint32_t flags;
    uint32_t begin; /* of the transaction around it */
    uint32_t depth; /* transactions around it */
    uint32_t slot;  /* its response */
    bool in_else;
    struct rkv_span span;
    union {
        struct {         /* RKV_OP_BEGIN */
            bool chosen; /* the comparisons held */
            uint32_t compares;
            uint32_t branch[2]; /* how many operations: then, else */
            uint32_t else_at;   /* RKV_OP_ELSE, or end */
            uint32_t end;       /* RKV_OP_END */
            uint32_t result;
            uint32_t response; /* the next one to fill */
        };
        struct { /* all others */
            uint32_t target;
            uint32_t relation;
            const uint8_t *value;
            uint32_t value_len;
            int64_t number; /* to compare with; revision */
            int64_t limit;
            int64_t lease;
            int64_t ttl;
            uint64_t term;
            struct rkv_shape shape;
        };
    };
};

struct rkv_mark {
    uint32_t op;
    uint32_t kind;
};

struct rkv_program {
    const struct rkv_allocator *allocator;
    struct rkv_op *ops;
    size_t count;
    size_t cap;
    uint32_t depth; /* of the deepest transaction; the command itself is 0 */
    uint32_t ops_max;
    struct rkv_bytes user; /* empty: nobody's */
    uint64_t auth_revision;
    uint64_t session; /* 0: none */
    uint64_t sequence;
    /* Scratch of the search for duplicates. */
    struct rkv_mark *marks;
    size_t marks_cap;
    uint32_t *counts;
    size_t counts_cap;
};

void rkv_program_init(struct rkv_program *program,
                      const struct rkv_allocator *a);
void rkv_program_free(struct rkv_program *program);
/* RKV_OK, RKV_ENOMEM, or the status of bytes that are no command.  No list
 * may have more than ops_max operations: what is too much for a proposer is
 * not read to its end. */
int rkv_program_decode(struct rkv_program *program, const void *data,
                       size_t len, uint32_t ops_max);
/* The status every state would give: RKV_OK, RKV_EKEY, RKV_EINVAL,
 * RKV_EDUPLICATE; or RKV_ENOMEM. */
int rkv_program_check(struct rkv_program *program);
int rkv_program_check_duplicates(struct rkv_program *program);
/* The status of an operation about users and roles, whatever the state. */
int rkv_auth_check_op(const struct rkv_op *op);
/* The limits a proposer keeps: RKV_OK, RKV_ETOOMANY, RKV_ETOOBIG. */
int rkv_program_limits(struct rkv_program *program,
                       const struct rkv_kv_options *options);

#endif
