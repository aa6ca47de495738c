/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Ranges in another order than that of the keys, or with bounds on revisions.
 * Every key of the range is looked at, but only as many are kept as the limit
 * lets through: a heap with the last of them on top, sorted at the end.
 */
#include "room.h"

struct pick {
    struct rkv_scratch *scratch;
    const struct rkv_shape *shape;
    size_t start; /* of the heap, in the items */
    uint64_t most;
    uint64_t matched;
    bool with_value;
};

static int pick_add(struct pick *pick, const struct rkv_record *record);
static void heapify(struct rkv_item *heap, size_t count,
                    const struct rkv_shape *shape);
static void sift(struct rkv_item *heap, size_t at, size_t count,
                 const struct rkv_shape *shape);
static void pick_sort(struct pick *pick);
static void drop_front(struct pick *pick, uint64_t offset);

bool rkv_shape_is_known(const struct rkv_shape *shape)
{
    return shape->sort <= RKV_SORT_VALUE && shape->order <= RKV_ORDER_DESCEND;
}

bool rkv_shape_filters(const struct rkv_shape *shape)
{
    return shape->min_mod != 0 || shape->max_mod != 0 ||
           shape->min_create != 0 || shape->max_create != 0;
}

bool rkv_shape_is_natural(const struct rkv_shape *shape)
{
    return shape->sort == RKV_SORT_KEY && shape->order != RKV_ORDER_DESCEND;
}

static bool lets_through(int64_t revision, int64_t min, int64_t max)
{
    return (min == 0 || revision >= min) && (max == 0 || revision <= max);
}

bool rkv_shape_lets(const struct rkv_shape *shape,
                    const struct rkv_record *record)
{
    return lets_through(record->main, shape->min_mod, shape->max_mod) &&
           lets_through(record->create, shape->min_create, shape->max_create);
}

/* How many keys there are is said before bounds and limit, so all are counted;
 * but in the order of keys, and now, the tree knows. */
int rkv_shape_run(const struct rkv_state *state, struct rkv_scratch *scratch,
                  const struct rkv_question *question, struct rkv_response *out)
{
    const struct rkv_shape *shape = &question->shape;
    const struct rkv_span *span = &question->span;
    bool keys_only = (question->flags & RKV_RANGE_KEYS_ONLY) != 0;
    uint64_t most = rkv_range_end(question);
    struct pick pick = {
        .scratch = scratch,
        .shape = shape,
        .start = scratch->items_count,
        .most = most,
        .with_value = !keys_only || shape->sort == RKV_SORT_VALUE,
    };
    struct rkv_tree_place place =
        rkv_tree_seek(&state->tree, span->key, span->key_len);
    bool may_stop = question->revision == 0 && rkv_shape_is_natural(shape);
    const struct rkv_record *record;

    while ((record = rkv_range_next(state, question, &place)) != NULL) {
        out->count++;
        if (rkv_shape_lets(shape, record) && pick_add(&pick, record) < 0)
            return RKV_ENOMEM;
        if (may_stop && pick.matched > most) {
            out->count = rkv_range_count(state, span);
            break;
        }
    }
    out->more = pick.matched > most;
    pick_sort(&pick);
    drop_front(&pick, rkv_range_offset(question));
    for (size_t i = pick.start; keys_only && i < scratch->items_count; i++) {
        scratch->items[i].value = NULL;
        scratch->items[i].value_len = 0;
    }
    return RKV_OK;
}

static int order_numbers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* Equal ones go by key, so that every member answers alike. */
static int order_items(const struct rkv_shape *shape, const struct rkv_item *a,
                       const struct rkv_item *b)
{
    int by_key = rkv_bytes_compare(a->key, a->key_len, b->key, b->key_len);
    int order = by_key;

    switch (shape->sort) {
    case RKV_SORT_VERSION:
        order = order_numbers(a->version, b->version);
        break;
    case RKV_SORT_CREATE:
        order = order_numbers(a->create_revision, b->create_revision);
        break;
    case RKV_SORT_MOD:
        order = order_numbers(a->mod_revision, b->mod_revision);
        break;
    case RKV_SORT_VALUE:
        order =
            rkv_bytes_compare(a->value, a->value_len, b->value, b->value_len);
        break;
    default:
        break;
    }
    if (order == 0)
        return by_key;
    return (order < 0) == (shape->order == RKV_ORDER_DESCEND) ? 1 : -1;
}

/* One more that matches: kept while there is room, or in the place of the
 * last one if it comes before that. */
static int pick_add(struct pick *pick, const struct rkv_record *record)
{
    struct rkv_scratch *scratch = pick->scratch;
    size_t kept = scratch->items_count - pick->start;
    struct rkv_item *heap, item;

    pick->matched++;
    if (kept < pick->most) {
        if (rkv_scratch_item(scratch, record, pick->with_value) < 0)
            return RKV_ENOMEM;
        if (kept + 1 == pick->most)
            heapify(scratch->items + pick->start, kept + 1, pick->shape);
        return RKV_OK;
    }
    heap = scratch->items + pick->start;
    rkv_record_item(record, pick->with_value, &item);
    if (order_items(pick->shape, &item, heap) < 0) {
        *heap = item;
        sift(heap, 0, kept, pick->shape);
    }
    return RKV_OK;
}

static void heapify(struct rkv_item *heap, size_t count,
                    const struct rkv_shape *shape)
{
    for (size_t at = count / 2; at-- > 0;)
        sift(heap, at, count, shape);
}

static void sift(struct rkv_item *heap, size_t at, size_t count,
                 const struct rkv_shape *shape)
{
    struct rkv_item item = heap[at];

    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= count)
            break;
        if (child + 1 < count &&
            order_items(shape, &heap[child], &heap[child + 1]) < 0)
            child++;
        if (order_items(shape, &item, &heap[child]) >= 0)
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = item;
}

static void pick_sort(struct pick *pick)
{
    size_t count = pick->scratch->items_count - pick->start;
    struct rkv_item *heap, last;

    /* Without items there may be no array. */
    if (count == 0)
        return;
    heap = pick->scratch->items + pick->start;
    heapify(heap, count, pick->shape);
    while (count-- > 1) {
        last = heap[0];
        heap[0] = heap[count];
        heap[count] = last;
        sift(heap, 0, count, pick->shape);
    }
}

static void drop_front(struct pick *pick, uint64_t offset)
{
    struct rkv_scratch *scratch = pick->scratch;
    size_t count = scratch->items_count - pick->start;
    size_t gone = offset < count ? (size_t)offset : count;

    for (size_t i = pick->start; gone > 0 && i + gone < scratch->items_count;
         i++)
        scratch->items[i] = scratch->items[i + gone];
    scratch->items_count -= gone;
}
