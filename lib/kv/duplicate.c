/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A transaction changes no key twice: two puts of one key, or a put and a
 * deletion around it, are refused wherever they stand, unless only one of
 * them can ever run, because they lie on different sides of one transaction's
 * else.  Sibling transactions count as running both, whatever they compare,
 * as in etcd.  So at one revision a key has one change at most.  etcd means
 * the same but overlooks a put within a deletion that is open-ended, or that
 * stands in a later sibling; here they are refused like the others.
 *
 * Two operations meet in the innermost transaction that holds both.  They
 * can both run when they stand in the same list there (then, or else), in
 * different places of it.  So for each depth one pass over all keys in order
 * is enough, which knows how many deletions are open in each list and how
 * many of those in each place.
 */
#include "room.h"

#include <string.h>

/* In the order in which they happen at one key. */
enum { CLOSE = 0, OPEN = 1, PUT = 2, CLOSE_ONE = 3 };

struct counts {
    uint32_t *place; /* per operation: the one it stands in at this depth */
    uint32_t *in_place;
    uint32_t *in_list; /* two per transaction */
};

static int collect(struct rkv_program *program, size_t *count);
static void sort(const struct rkv_op *ops, struct rkv_mark *marks,
                 size_t count);
static int compare(const struct rkv_op *ops, const struct rkv_mark *a,
                   const struct rkv_mark *b);
static bool puts_collide(const struct rkv_program *program, size_t count);
static int deletions_collide(struct rkv_program *program, size_t count);

int rkv_program_check_duplicates(struct rkv_program *program)
{
    size_t count;

    /* Begin, one operation, end. */
    if (program->count <= 3)
        return RKV_OK;
    if (collect(program, &count) < 0)
        return RKV_ENOMEM;
    sort(program->ops, program->marks, count);
    if (puts_collide(program, count))
        return RKV_EDUPLICATE;
    return deletions_collide(program, count);
}

static void mark(struct rkv_program *program, size_t *count, uint32_t op,
                 uint32_t kind)
{
    program->marks[(*count)++] = (struct rkv_mark){op, kind};
}

static int collect(struct rkv_program *program, size_t *count)
{
    void *marks = program->marks;

    if (rkv_grow(program->allocator, &marks, &program->marks_cap,
                 2 * program->count, sizeof(program->marks[0])) < 0)
        return RKV_ENOMEM;
    program->marks = marks;
    *count = 0;
    for (uint32_t i = 0; i < program->count; i++) {
        const struct rkv_op *op = &program->ops[i];

        if (op->kind == RKV_OP_PUT)
            mark(program, count, i, PUT);
        if (op->kind != RKV_OP_DELETE || rkv_span_is_empty(&op->span))
            continue;
        mark(program, count, i, OPEN);
        if (op->span.kind == RKV_SPAN_ONE)
            mark(program, count, i, CLOSE_ONE);
        if (op->span.kind == RKV_SPAN_UNTIL)
            mark(program, count, i, CLOSE);
    }
    return RKV_OK;
}

/* Sinks a mark in a heap whose last one is on top. */
static void sink(const struct rkv_op *ops, struct rkv_mark *heap, size_t count,
                 size_t at)
{
    for (;;) {
        size_t child = 2 * at + 1;
        struct rkv_mark moved = heap[at];

        if (child >= count)
            return;
        if (child + 1 < count &&
            compare(ops, &heap[child], &heap[child + 1]) < 0)
            child++;
        if (compare(ops, &moved, &heap[child]) >= 0)
            return;
        heap[at] = heap[child];
        heap[child] = moved;
        at = child;
    }
}

static void sort(const struct rkv_op *ops, struct rkv_mark *marks, size_t count)
{
    for (size_t i = count / 2; i-- > 0;)
        sink(ops, marks, count, i);
    for (size_t i = count; i-- > 1;) {
        struct rkv_mark last = marks[0];

        marks[0] = marks[i];
        marks[i] = last;
        sink(ops, marks, i, 0);
    }
}

static int compare(const struct rkv_op *ops, const struct rkv_mark *a,
                   const struct rkv_mark *b)
{
    const struct rkv_span *s = &ops[a->op].span, *t = &ops[b->op].span;
    bool s_ends = a->kind == CLOSE, t_ends = b->kind == CLOSE;
    int order = rkv_bytes_compare(
        s_ends ? s->end : s->key, s_ends ? s->end_len : s->key_len,
        t_ends ? t->end : t->key, t_ends ? t->end_len : t->key_len);

    if (order == 0)
        order = (a->kind > b->kind) - (a->kind < b->kind);
    return order != 0 ? order : (a->op > b->op) - (a->op < b->op);
}

/* Climbs from both to the transaction that holds them both. */
static bool exclude_each_other(const struct rkv_op *ops, uint32_t a, uint32_t b)
{
    while (ops[a].depth > ops[b].depth)
        a = ops[a].begin;
    while (ops[b].depth > ops[a].depth)
        b = ops[b].begin;
    while (ops[a].begin != ops[b].begin) {
        a = ops[a].begin;
        b = ops[b].begin;
    }
    return ops[a].in_else != ops[b].in_else;
}

/* The puts of one key follow each other in the order of the command, and then
 * it is enough that neighbours exclude each other: of the two transactions
 * that part a from b and b from c, the outer one parts a from c. */
static bool puts_collide(const struct rkv_program *program, size_t count)
{
    const struct rkv_mark *last = NULL;

    for (size_t i = 0; i < count; i++) {
        const struct rkv_mark *at = &program->marks[i];
        const struct rkv_span *s, *t;

        if (at->kind != PUT)
            continue;
        if (last != NULL) {
            s = &program->ops[last->op].span;
            t = &program->ops[at->op].span;
            if (rkv_bytes_compare(s->key, s->key_len, t->key, t->key_len) ==
                    0 &&
                !exclude_each_other(program->ops, last->op, at->op))
                return true;
        }
        last = at;
    }
    return false;
}

/* One pass over the keys, for what meets at this depth. */
static bool collides_at(const struct rkv_program *program, size_t count,
                        uint32_t depth, const struct counts *counts)
{
    for (size_t i = 0; i < count; i++) {
        const struct rkv_mark *at = &program->marks[i];
        uint32_t place = counts->place[at->op];
        const struct rkv_op *op = &program->ops[place];
        uint32_t list = 2 * op->begin + op->in_else;

        if (op->depth != depth)
            continue;
        if (at->kind == PUT) {
            if (counts->in_list[list] > counts->in_place[place])
                return true;
        } else if (at->kind == OPEN) {
            counts->in_list[list]++;
            counts->in_place[place]++;
        } else {
            counts->in_list[list]--;
            counts->in_place[place]--;
        }
    }
    return false;
}

static int deletions_collide(struct rkv_program *program, size_t count)
{
    void *array = program->counts;
    size_t ops = program->count;
    struct counts counts;

    if (rkv_grow(program->allocator, &array, &program->counts_cap, 4 * ops,
                 sizeof(program->counts[0])) < 0)
        return RKV_ENOMEM;
    program->counts = array;
    counts.place = program->counts;
    counts.in_place = counts.place + ops;
    counts.in_list = counts.in_place + ops;
    for (uint32_t i = 0; i < ops; i++)
        counts.place[i] = i;
    for (uint32_t depth = program->depth + 1; depth > 0; depth--) {
        for (uint32_t i = 0; i < ops; i++) {
            if (program->ops[counts.place[i]].depth > depth)
                counts.place[i] = program->ops[counts.place[i]].begin;
        }
        memset(counts.in_place, 0, 3 * ops * sizeof(counts.in_place[0]));
        if (collides_at(program, count, depth, &counts))
            return RKV_EDUPLICATE;
    }
    return RKV_OK;
}
