/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reading ranges of keys, now or at a revision, and the memory results lie
 * in.  What is asked now is counted by the tree, so a page of a million keys
 * costs what the page costs.
 */
#include "room.h"

/* Memory for more of a kind than this is not kept for the next call. */
enum { KEPT = 16384 };
/* To count the keys of the past, so many changes since are always looked at. */
enum { LOOK_MIN = 1024 };

static void shrink(const struct rkv_allocator *a, void **array, size_t *cap,
                   size_t size);
static int read_one(const struct rkv_state *state, struct rkv_scratch *scratch,
                    const struct rkv_question *question,
                    struct rkv_response *out);
static int read_now(const struct rkv_state *state, struct rkv_scratch *scratch,
                    const struct rkv_question *question,
                    struct rkv_response *out);
static int read_back(const struct rkv_state *state, struct rkv_scratch *scratch,
                     const struct rkv_question *question,
                     struct rkv_response *out);
static int read_then(const struct rkv_state *state, struct rkv_scratch *scratch,
                     const struct rkv_question *question,
                     struct rkv_response *out);

void rkv_scratch_init(struct rkv_scratch *scratch,
                      const struct rkv_allocator *a)
{
    *scratch = (struct rkv_scratch){.allocator = a};
}

void rkv_scratch_free(struct rkv_scratch *scratch)
{
    const struct rkv_allocator *a = scratch->allocator;

    rkv_release(a, scratch->results,
                scratch->results_cap * sizeof(scratch->results[0]));
    rkv_release(a, scratch->responses,
                scratch->responses_cap * sizeof(scratch->responses[0]));
    rkv_release(a, scratch->starts,
                scratch->starts_cap * sizeof(scratch->starts[0]));
    rkv_release(a, scratch->items,
                scratch->items_cap * sizeof(scratch->items[0]));
    rkv_scratch_init(scratch, a);
}

void rkv_scratch_clear(struct rkv_scratch *scratch)
{
    const struct rkv_allocator *a = scratch->allocator;
    void *array = scratch->results;

    shrink(a, &array, &scratch->results_cap, sizeof(scratch->results[0]));
    scratch->results = array;
    array = scratch->responses;
    shrink(a, &array, &scratch->responses_cap, sizeof(scratch->responses[0]));
    scratch->responses = array;
    array = scratch->starts;
    shrink(a, &array, &scratch->starts_cap, sizeof(scratch->starts[0]));
    scratch->starts = array;
    array = scratch->items;
    shrink(a, &array, &scratch->items_cap, sizeof(scratch->items[0]));
    scratch->items = array;
    scratch->items_count = 0;
}

int rkv_scratch_reserve(struct rkv_scratch *scratch, size_t results,
                        size_t responses)
{
    const struct rkv_allocator *a = scratch->allocator;
    void *array = scratch->results;

    if (rkv_grow(a, &array, &scratch->results_cap, results,
                 sizeof(scratch->results[0])) < 0)
        return RKV_ENOMEM;
    scratch->results = array;
    array = scratch->responses;
    if (rkv_grow(a, &array, &scratch->responses_cap, responses,
                 sizeof(scratch->responses[0])) < 0)
        return RKV_ENOMEM;
    scratch->responses = array;
    array = scratch->starts;
    if (rkv_grow(a, &array, &scratch->starts_cap, responses,
                 sizeof(scratch->starts[0])) < 0)
        return RKV_ENOMEM;
    scratch->starts = array;
    return RKV_OK;
}

int rkv_scratch_item(struct rkv_scratch *scratch,
                     const struct rkv_record *record, bool with_value)
{
    void *items = scratch->items;

    if (scratch->items_count == scratch->items_cap) {
        if (rkv_grow(scratch->allocator, &items, &scratch->items_cap,
                     scratch->items_count + 1, sizeof(scratch->items[0])) < 0)
            return RKV_ENOMEM;
        scratch->items = items;
    }
    rkv_record_item(record, with_value, &scratch->items[scratch->items_count]);
    scratch->items_count++;
    return RKV_OK;
}

int rkv_range_run(const struct rkv_state *state, struct rkv_scratch *scratch,
                  const struct rkv_question *question, struct rkv_response *out)
{
    bool is_natural = rkv_shape_is_natural(&question->shape);

    if (question->span.kind == RKV_SPAN_ONE)
        return read_one(state, scratch, question, out);
    if (rkv_span_is_empty(&question->span))
        return RKV_OK;
    /* The count is that of the keys, whatever else is asked. */
    if ((question->flags & RKV_RANGE_COUNT_ONLY) == 0 &&
        (!is_natural || rkv_shape_filters(&question->shape))) {
        if (question->revision == 0 && question->shape.sort == RKV_SORT_KEY &&
            !rkv_shape_filters(&question->shape))
            return read_back(state, scratch, question, out);
        return rkv_shape_run(state, scratch, question, out);
    }
    if (question->revision == 0)
        return read_now(state, scratch, question, out);
    return read_then(state, scratch, question, out);
}

/* The outcome of the request, not of the call, is in the result. */
static int status_of(const struct rkv_state *state,
                     const struct rkv_range *range)
{
    if (range->key_len == 0)
        return RKV_EKEY;
    if (range->key_len > UINT32_MAX || range->end_len > UINT32_MAX)
        return RKV_ETOOBIG;
    if (range->revision > state->revision)
        return RKV_EFUTURE;
    if (range->revision > 0 && range->revision < state->compacted)
        return RKV_ECOMPACTED;
    return RKV_OK;
}

int rkv_kv_range(rkv_kv *kv, const struct rkv_range *range,
                 const struct rkv_result **result)
{
    const uint32_t known = RKV_RANGE_KEYS_ONLY | RKV_RANGE_COUNT_ONLY;
    const struct rkv_state *state = kv->state;
    struct rkv_question question;
    struct rkv_shape shape;
    struct rkv_response *response;
    struct rkv_result *answer;
    struct rkv_range r;
    int error = rkv_options(&r, sizeof(r), range);

    if (kv->failed)
        return RKV_EFAILED;
    shape = rkv_shape_of(&r);
    if (error == RKV_OK &&
        ((r.flags & ~known) != 0 || result == NULL ||
         !rkv_span_is_given(r.key, r.key_len, r.end, r.end_len) ||
         !rkv_shape_is_known(&shape)))
        error = RKV_EINVAL;
    if (error != RKV_OK)
        return error;
    /* What is handed out may move here. */
    rkv_scratch_clear(&kv->scratch);
    response = kv->scratch.responses;
    answer = kv->scratch.results;
    *answer = (struct rkv_result){
        .status = status_of(state, &r),
        .revision = state->revision,
        .compacted = state->compacted,
    };
    *result = answer;
    if (answer->status != RKV_OK)
        return RKV_OK;
    question = (struct rkv_question){
        .span = rkv_span_of(r.key, r.key_len, r.end, r.end_len),
        .flags = r.flags,
        .revision =
            r.revision > 0 && r.revision < state->revision ? r.revision : 0,
        .limit = r.limit,
        .shape = shape,
    };
    *response = (struct rkv_response){
        .kind = RKV_RESPONSE_RANGE,
        .revision = state->revision,
    };
    if (rkv_range_run(state, &kv->scratch, &question, response) < 0)
        return RKV_ENOMEM;
    response->items = kv->scratch.items;
    response->items_count = kv->scratch.items_count;
    answer->succeeded = 1;
    answer->responses = response;
    answer->responses_count = 1;
    return RKV_OK;
}

/* Without memory to move to, an array stays as large as it is. */
static void shrink(const struct rkv_allocator *a, void **array, size_t *cap,
                   size_t size)
{
    void *smaller;

    if (*cap <= KEPT)
        return;
    smaller = rkv_resize(a, *array, *cap * size, KEPT * size);
    if (smaller == NULL)
        return;
    *array = smaller;
    *cap = KEPT;
}

uint64_t rkv_range_count(const struct rkv_state *state,
                         const struct rkv_span *span)
{
    uint64_t before = rkv_tree_rank(&state->tree, span->key, span->key_len);

    if (span->kind == RKV_SPAN_FROM)
        return state->tree.live - before;
    return rkv_tree_rank(&state->tree, span->end, span->end_len) - before;
}

const struct rkv_record *rkv_range_next(const struct rkv_state *state,
                                        const struct rkv_question *question,
                                        struct rkv_tree_place *place)
{
    struct rkv_record *record;

    if (question->revision == 0) {
        record = rkv_tree_next_live(&state->tree, place);
        return record != NULL && rkv_span_reaches(&question->span, record)
                   ? record
                   : NULL;
    }
    while ((record = rkv_tree_next(place)) != NULL &&
           rkv_span_reaches(&question->span, record)) {
        record = rkv_record_at(record, question->revision);
        if (record != NULL && rkv_record_is_live(record))
            return record;
    }
    return NULL;
}

uint64_t rkv_range_offset(const struct rkv_question *question)
{
    return question->shape.offset > 0 ? (uint64_t)question->shape.offset : 0;
}

/* Two numbers below 2^63 do not overflow. */
uint64_t rkv_range_end(const struct rkv_question *question)
{
    if (question->limit <= 0)
        return UINT64_MAX;
    return rkv_range_offset(question) + (uint64_t)question->limit;
}

/* Adds the record unless only the count was asked for. */
static int add(struct rkv_scratch *scratch, const struct rkv_record *record,
               uint32_t flags)
{
    if ((flags & RKV_RANGE_COUNT_ONLY) != 0)
        return RKV_OK;
    return rkv_scratch_item(scratch, record,
                            (flags & RKV_RANGE_KEYS_ONLY) == 0);
}

static int read_one(const struct rkv_state *state, struct rkv_scratch *scratch,
                    const struct rkv_question *question,
                    struct rkv_response *out)
{
    struct rkv_record *record =
        rkv_tree_find(&state->tree, question->span.key, question->span.key_len)
            .record;

    if (question->revision != 0)
        record = rkv_record_at(record, question->revision);
    if (record == NULL || !rkv_record_is_live(record))
        return RKV_OK;
    out->count = 1;
    if (rkv_range_offset(question) > 0 ||
        !rkv_shape_lets(&question->shape, record))
        return RKV_OK;
    return add(scratch, record, question->flags);
}

static int read_now(const struct rkv_state *state, struct rkv_scratch *scratch,
                    const struct rkv_question *question,
                    struct rkv_response *out)
{
    const struct rkv_span *span = &question->span;
    struct rkv_tree_place place;
    struct rkv_record *record;
    uint64_t end = rkv_range_end(question), found = rkv_range_offset(question);
    uint64_t before;

    if ((question->flags & RKV_RANGE_COUNT_ONLY) != 0) {
        out->count = rkv_range_count(state, span);
        return RKV_OK;
    }
    place = rkv_tree_seek(&state->tree, span->key, span->key_len);
    if (found > 0) {
        out->count = rkv_range_count(state, span);
        if (found >= out->count)
            return RKV_OK;
        before = rkv_tree_rank(&state->tree, span->key, span->key_len);
        place = rkv_tree_select(&state->tree, before + found);
    }
    while ((record = rkv_tree_next_live(&state->tree, &place)) != NULL &&
           rkv_span_reaches(span, record)) {
        if (found == end) {
            out->more = 1;
            out->count = rkv_range_count(state, span);
            return RKV_OK;
        }
        if (add(scratch, record, question->flags) < 0)
            return RKV_ENOMEM;
        found++;
    }
    out->count = found;
    return RKV_OK;
}

/* The last keys first: the tree says where they begin. */
static int read_back(const struct rkv_state *state, struct rkv_scratch *scratch,
                     const struct rkv_question *question,
                     struct rkv_response *out)
{
    const struct rkv_span *span = &question->span;
    uint64_t before = rkv_tree_rank(&state->tree, span->key, span->key_len);
    uint64_t count = rkv_range_count(state, span);
    uint64_t begin = rkv_range_offset(question), end = rkv_range_end(question);
    size_t first = scratch->items_count, last;
    struct rkv_tree_place place;

    out->count = count;
    out->more = count > end;
    if (end > count)
        end = count;
    if (begin >= end)
        return RKV_OK;
    place = rkv_tree_select(&state->tree, before + count - end);
    for (uint64_t left = end - begin; left > 0; left--) {
        if (add(scratch, rkv_tree_next_live(&state->tree, &place),
                question->flags) < 0)
            return RKV_ENOMEM;
    }
    for (last = scratch->items_count - 1; first < last; first++, last--) {
        struct rkv_item item = scratch->items[first];

        scratch->items[first] = scratch->items[last];
        scratch->items[last] = item;
    }
    return RKV_OK;
}

/* How many keys there were: those there are now, put right by what has
 * happened since.  False when that is too much to look at. */
static bool count_then(const struct rkv_state *state,
                       const struct rkv_span *span, int64_t revision,
                       uint64_t *count)
{
    uint64_t now = rkv_range_count(state, span), left = LOOK_MIN + now / 8;
    struct rkv_history_place place =
        rkv_history_seek(&state->history, revision + 1, 0);
    const struct rkv_record *record, *newest;

    *count = now;
    while ((record = rkv_history_next(&state->history, &place)) != NULL) {
        if (left-- == 0)
            return false;
        /* Of each key the first change since tells what was before. */
        if (!rkv_span_holds(span, record->bytes, record->key_len) ||
            (record->prev != NULL && record->prev->main > revision))
            continue;
        newest =
            rkv_tree_find(&state->tree, record->bytes, record->key_len).record;
        *count += record->prev != NULL && rkv_record_is_live(record->prev);
        *count -= rkv_record_is_live(newest);
    }
    return true;
}

/* With a limit, or for the count alone, the keys need not all be looked at
 * when little has happened since. */
static int read_then(const struct rkv_state *state, struct rkv_scratch *scratch,
                     const struct rkv_question *question,
                     struct rkv_response *out)
{
    const struct rkv_span *span = &question->span;
    bool counts = (question->flags & RKV_RANGE_COUNT_ONLY) != 0;
    uint64_t begin = rkv_range_offset(question), end = rkv_range_end(question);
    uint64_t count = UINT64_MAX, found = 0;
    struct rkv_tree_place place;
    struct rkv_record *record;

    if ((counts || question->limit > 0) &&
        !count_then(state, span, question->revision, &count))
        count = UINT64_MAX;
    place = rkv_tree_seek(&state->tree, span->key, span->key_len);
    while (found < count && (record = rkv_tree_next(&place)) != NULL &&
           rkv_span_reaches(span, record)) {
        if (count != UINT64_MAX && (counts || found == end))
            break;
        record = rkv_record_at(record, question->revision);
        if (record == NULL || !rkv_record_is_live(record))
            continue;
        if (found >= begin && found < end &&
            add(scratch, record, question->flags) < 0)
            return RKV_ENOMEM;
        found++;
    }
    out->count = count != UINT64_MAX ? count : found;
    out->more = !counts && out->count > end;
    return RKV_OK;
}
