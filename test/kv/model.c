/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The second opinion.
 */
#include "model.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

void model_init(struct model *model)
{
    memset(model, 0, sizeof(*model));
    model->revision = 1;
    model->compacted = -1;
}

void model_free(struct model *model)
{
    free(model->changes);
}

static int text_order(const struct model_text *a, const struct model_text *b)
{
    for (size_t i = 0; i < a->len && i < b->len; i++) {
        if (a->bytes[i] != b->bytes[i])
            return a->bytes[i] < b->bytes[i] ? -1 : 1;
    }
    return (a->len > b->len) - (a->len < b->len);
}

static bool is_zero_byte(const struct model_text *text)
{
    return text->len == 1 && text->bytes[0] == 0;
}

bool model_span_holds(const struct model_span *span,
                      const struct model_text *key)
{
    if (span->end.len == 0)
        return text_order(key, &span->key) == 0;
    if (text_order(key, &span->key) < 0)
        return false;
    return is_zero_byte(&span->end) || text_order(key, &span->end) < 0;
}

const struct model_change *model_at(const struct model *model,
                                    const struct model_text *key,
                                    int64_t revision)
{
    for (size_t i = model->count; i-- > 0;) {
        const struct model_change *change = &model->changes[i];

        if (change->mod <= revision && text_order(&change->key, key) == 0)
            return change;
    }
    return NULL;
}

/* The keys that are there at a revision, in order. */
size_t model_keys_at(const struct model *model, const struct model_span *span,
                     int64_t revision, const struct model_change **out)
{
    size_t count = 0;

    for (size_t i = 0; i < model->count; i++) {
        const struct model_change *change = &model->changes[i];
        size_t at;

        if (change->version == 0 || !model_span_holds(span, &change->key) ||
            model_at(model, &change->key, revision) != change)
            continue;
        for (at = count++; at > 0; at--) {
            if (text_order(&out[at - 1]->key, &change->key) < 0)
                break;
            out[at] = out[at - 1];
        }
        out[at] = change;
    }
    return count;
}

void model_item(const struct model_change *change, const struct rkv_item *got,
                bool with_value)
{
    ck_assert_uint_eq(got->key_len, change->key.len);
    ck_assert_mem_eq(got->key, change->key.bytes, change->key.len);
    ck_assert_uint_eq(got->value_len, with_value ? change->value.len : 0);
    if (got->value_len > 0)
        ck_assert_mem_eq(got->value, change->value.bytes, got->value_len);
    ck_assert_int_eq(got->create_revision, change->create);
    ck_assert_int_eq(got->mod_revision, change->mod);
    ck_assert_int_eq(got->version, change->version);
    ck_assert_int_eq(got->lease, change->lease);
}

static int64_t number_of(const struct model_change *change, uint32_t sort)
{
    switch (sort) {
    case RKV_SORT_VERSION:
        return change->version;
    case RKV_SORT_CREATE:
        return change->create;
    case RKV_SORT_MOD:
        return change->mod;
    default:
        return 0;
    }
}

static bool comes_after(const struct model_op *op, const struct model_change *a,
                        const struct model_change *b)
{
    int64_t left = number_of(a, op->sort), right = number_of(b, op->sort);
    int order = left < right ? -1 : left > right;

    if (op->sort == RKV_SORT_KEY)
        order = text_order(&a->key, &b->key);
    if (op->sort == RKV_SORT_VALUE)
        order = text_order(&a->value, &b->value);
    if (order == 0)
        return text_order(&a->key, &b->key) > 0;
    return op->order == RKV_ORDER_DESCEND ? order < 0 : order > 0;
}

/* Leaves out what the bounds do, and sorts the rest by exchanging. */
static size_t shape(const struct model_op *op,
                    const struct model_change **found, size_t count)
{
    size_t left = 0;

    for (size_t i = 0; i < count; i++) {
        const struct model_change *c = found[i];

        if ((op->min_mod != 0 && c->mod < op->min_mod) ||
            (op->max_mod != 0 && c->mod > op->max_mod) ||
            (op->min_create != 0 && c->create < op->min_create) ||
            (op->max_create != 0 && c->create > op->max_create))
            continue;
        found[left++] = c;
    }
    for (size_t i = 0; i < left; i++) {
        for (size_t j = i + 1; j < left; j++) {
            const struct model_change *c = found[i];

            if (!comes_after(op, c, found[j]))
                continue;
            found[i] = found[j];
            found[j] = c;
        }
    }
    return left;
}

static void check_range(const struct model *model, const struct model_op *op,
                        int64_t revision, const struct rkv_response *got)
{
    const struct model_change **found =
        calloc(model->count + 1, sizeof(found[0]));
    size_t count = model_keys_at(model, &op->span, revision, found);
    size_t left = shape(op, found, count), shown = left, skipped = 0;

    if (op->offset > 0)
        skipped = (size_t)op->offset < left ? (size_t)op->offset : left;
    left -= skipped;
    shown = left;
    if (op->limit > 0 && left > (size_t)op->limit)
        shown = (size_t)op->limit;
    if ((op->flags & RKV_RANGE_COUNT_ONLY) != 0)
        shown = 0;
    ck_assert_uint_eq(got->kind, RKV_RESPONSE_RANGE);
    ck_assert_uint_eq(got->count, count);
    ck_assert_uint_eq(got->more,
                      (op->flags & RKV_RANGE_COUNT_ONLY) == 0 && shown < left);
    ck_assert_uint_eq(got->items_count, shown);
    for (size_t i = 0; i < shown; i++)
        model_item(found[skipped + i], &got->items[i],
                   (op->flags & RKV_RANGE_KEYS_ONLY) == 0);
    free(found);
}

/* Whether two operations of one list change the same key.  puts and deletions
 * of everything below count. */
static bool clash(const struct model_op *a, const struct model_op *b)
{
    if (a->kind == MODEL_TXN) {
        for (int side = 0; side < 2; side++)
            for (size_t i = 0; i < a->txn->ops_count[side]; i++)
                if (clash(&a->txn->ops[side][i], b))
                    return true;
        return false;
    }
    if (b->kind == MODEL_TXN)
        return clash(b, a);
    if (a->kind == MODEL_PUT && b->kind == MODEL_PUT)
        return text_order(&a->span.key, &b->span.key) == 0;
    if (a->kind == MODEL_PUT && b->kind == MODEL_DELETE)
        return model_span_holds(&b->span, &a->span.key);
    if (a->kind == MODEL_DELETE && b->kind == MODEL_PUT)
        return model_span_holds(&a->span, &b->span.key);
    return false;
}

static bool has_duplicates(const struct model_txn *txn)
{
    for (int side = 0; side < 2; side++) {
        const struct model_op *ops = txn->ops[side];

        for (size_t i = 0; i < txn->ops_count[side]; i++) {
            if (ops[i].kind == MODEL_TXN && has_duplicates(ops[i].txn))
                return true;
            for (size_t j = 0; j < i; j++)
                if (clash(&ops[i], &ops[j]))
                    return true;
        }
    }
    return false;
}

static bool holds_for(const struct model_compare *compare,
                      const struct model_change *change)
{
    int64_t number = 0;
    int order;

    switch (compare->target) {
    case RKV_COMPARE_VERSION:
        number = change->version;
        break;
    case RKV_COMPARE_CREATE:
        number = change->create;
        break;
    case RKV_COMPARE_MOD:
        number = change->mod;
        break;
    case RKV_COMPARE_LEASE:
        number = change->lease;
        break;
    default:
        break;
    }
    order = (number > compare->number) - (number < compare->number);
    if (compare->target == RKV_COMPARE_VALUE)
        order = text_order(&change->value, &compare->value);
    if (compare->relation == RKV_EQUAL)
        return order == 0;
    if (compare->relation == RKV_NOT_EQUAL)
        return order != 0;
    return compare->relation == RKV_GREATER ? order > 0 : order < 0;
}

static bool holds(const struct model *model,
                  const struct model_compare *compare)
{
    const struct model_change **found =
        calloc(model->count + 1, sizeof(found[0]));
    size_t count = model_keys_at(model, &compare->span, model->revision, found);
    struct model_change nothing = {.version = 0};
    bool truth = true;

    for (size_t i = 0; i < count; i++)
        truth = truth && holds_for(compare, found[i]);
    if (count == 0)
        truth = compare->target != RKV_COMPARE_VALUE &&
                holds_for(compare, &nothing);
    free(found);
    return truth;
}

static void choose(const struct model *model, struct model_txn *txn)
{
    txn->chosen = true;
    for (size_t i = 0; i < txn->compares_count; i++)
        txn->chosen = txn->chosen && holds(model, &txn->compares[i]);
    for (size_t i = 0; i < txn->ops_count[!txn->chosen]; i++) {
        struct model_op *op = &txn->ops[!txn->chosen][i];

        if (op->kind == MODEL_TXN)
            choose(model, op->txn);
    }
}

/* What one operation of a kind comes to before anything is done. */
static int32_t precheck_put(const struct model *model,
                            const struct model_op *op, bool is_alone)
{
    const struct model_change *old =
        model_at(model, &op->span.key, model->revision);
    bool keeps = (op->flags & ~(uint32_t)RKV_PUT_PREV) != 0;
    bool no_key = keeps && (old == NULL || old->version == 0);
    bool no_lease =
        op->lease != 0 && model_find_lease(model, op->lease) == NULL;

    if (no_lease && is_alone)
        return RKV_ELEASE;
    if (no_key)
        return RKV_ENOTFOUND;
    return no_lease ? RKV_ELEASE : RKV_OK;
}

static int32_t precheck_op(const struct model *model, const struct model_op *op,
                           bool is_alone)
{
    if (op->kind == MODEL_PUT)
        return precheck_put(model, op, is_alone);
    if (op->kind == MODEL_RANGE && op->revision > model->revision)
        return RKV_EFUTURE;
    if (op->kind == MODEL_RANGE && op->revision != 0 &&
        op->revision < model->compacted)
        return RKV_ECOMPACTED;
    return RKV_OK;
}

/* All operations of one kind, inside and out. */
static int32_t precheck(const struct model *model, const struct model_txn *txn,
                        uint32_t kind, bool is_outer)
{
    bool is_alone = is_outer && txn->compares_count == 0 &&
                    txn->ops_count[0] == 1 && txn->ops_count[1] == 0;

    for (size_t i = 0; i < txn->ops_count[!txn->chosen]; i++) {
        const struct model_op *op = &txn->ops[!txn->chosen][i];
        int32_t status = RKV_OK;

        if (op->kind == MODEL_TXN)
            status = precheck(model, op->txn, kind, false);
        else if (op->kind == kind)
            status = precheck_op(model, op, is_alone);
        if (status != RKV_OK)
            return status;
    }
    return RKV_OK;
}

void model_add(struct model *model, const struct model_text *key,
               const struct model_text *value, int64_t lease, int64_t revision)
{
    const struct model_change *old = model_at(model, key, revision);
    struct model_change change = {.key = *key, .mod = revision};

    if (value != NULL) {
        bool was_there = old != NULL && old->version > 0;

        change.value = *value;
        change.lease = lease;
        change.create = was_there ? old->create : revision;
        change.version = was_there ? old->version + 1 : 1;
    }
    if (model->count == model->cap) {
        model->cap = model->cap == 0 ? 64 : 2 * model->cap;
        model->changes =
            realloc(model->changes, model->cap * sizeof(model->changes[0]));
    }
    model->changes[model->count++] = change;
}

static void run_put(struct model *model, const struct model_op *op,
                    int64_t revision, const struct rkv_response *got)
{
    const struct model_change *old = model_at(model, &op->span.key, revision);
    struct model_text value = op->value;
    bool was_there = old != NULL && old->version > 0;
    bool shown = was_there && (op->flags & RKV_PUT_PREV) != 0;
    int64_t lease = op->lease;

    ck_assert_uint_eq(got->kind, RKV_RESPONSE_PUT);
    ck_assert_uint_eq(got->items_count, shown);
    if (shown)
        model_item(old, &got->items[0], true);
    if ((op->flags & RKV_PUT_IGNORE_VALUE) != 0)
        value = old->value;
    if ((op->flags & RKV_PUT_IGNORE_LEASE) != 0)
        lease = old->lease;
    ck_assert_int_eq(got->ttl, op->ttl);
    if (op->ttl > 0) {
        model_add_lease(model, got->lease, op->ttl, true);
        ck_assert_int_gt(got->lease, 0);
        lease = got->lease;
    }
    model_add(model, &op->span.key, &value, lease, revision);
}

static void run_delete(struct model *model, const struct model_op *op,
                       int64_t revision, const struct rkv_response *got)
{
    const struct model_change **found =
        calloc(model->count + 1, sizeof(found[0]));
    size_t count = model_keys_at(model, &op->span, revision, found);
    struct model_text *keys = calloc(count + 1, sizeof(keys[0]));

    ck_assert_uint_eq(got->kind, RKV_RESPONSE_DELETE);
    ck_assert_uint_eq(got->count, count);
    ck_assert_uint_eq(got->items_count,
                      (op->flags & RKV_RANGE_PREV) != 0 ? count : 0);
    for (size_t i = 0; i < count; i++) {
        if (got->items_count > 0)
            model_item(found[i], &got->items[i], true);
        keys[i] = found[i]->key;
    }
    for (size_t i = 0; i < count; i++)
        model_add(model, &keys[i], NULL, 0, revision);
    free(found);
    free(keys);
}

/* revision is that of the changes this command makes, if it makes any. */
static void run_txn(struct model *model, const struct model_txn *txn,
                    size_t before, const struct rkv_result *got)
{
    const struct model_op *ops = txn->ops[!txn->chosen];
    int64_t revision = model->revision + 1;

    ck_assert_int_eq(got->status, RKV_OK);
    ck_assert_uint_eq(got->succeeded, txn->chosen);
    ck_assert_uint_eq(got->responses_count, txn->ops_count[!txn->chosen]);
    for (size_t i = 0; i < got->responses_count; i++) {
        const struct rkv_response *response = &got->responses[i];

        if (ops[i].kind == MODEL_PUT)
            run_put(model, &ops[i], revision, response);
        if (ops[i].kind == MODEL_DELETE)
            run_delete(model, &ops[i], revision, response);
        if (ops[i].kind == MODEL_RANGE)
            check_range(model, &ops[i],
                        ops[i].revision > 0 ? ops[i].revision : revision,
                        response);
        if (ops[i].kind == MODEL_TXN) {
            ck_assert_uint_eq(response->kind, RKV_RESPONSE_TXN);
            run_txn(model, ops[i].txn, before, response->txn);
        }
        ck_assert_int_eq(response->revision,
                         model->revision + (model->count > before));
    }
    ck_assert_int_eq(got->revision, model->revision + (model->count > before));
}

static bool puts_something(const struct model_txn *txn)
{
    for (size_t i = 0; i < txn->ops_count[!txn->chosen]; i++) {
        const struct model_op *op = &txn->ops[!txn->chosen][i];

        if (op->kind == MODEL_PUT ||
            (op->kind == MODEL_TXN && puts_something(op->txn)))
            return true;
    }
    return false;
}

void model_apply(struct model *model, struct model_txn *txn,
                 const struct rkv_result *got)
{
    size_t before = model->count;
    int32_t status = RKV_EDUPLICATE;

    if (!has_duplicates(txn)) {
        choose(model, txn);
        if (model_is_full(model) && puts_something(txn))
            status = RKV_EQUOTA;
        else
            status = precheck(model, txn, MODEL_PUT, true);
        if (status == RKV_OK)
            status = precheck(model, txn, MODEL_RANGE, true);
    }
    ck_assert_int_eq(got->status, status);
    if (status != RKV_OK) {
        ck_assert_uint_eq(got->responses_count, 0);
        ck_assert_int_eq(got->revision, model->revision);
        ck_assert_int_eq(got->compacted, model->compacted);
        return;
    }
    run_txn(model, txn, before, got);
    model->revision += model->count > before;
    for (size_t i = 0; i < model->leases_count; i++) {
        if (model->leases[i].is_owned &&
            model_count_leased(model, model->leases[i].id) == 0)
            model_drop_lease(model, &model->leases[i--]);
    }
}

void model_compact(struct model *model, int64_t revision,
                   const struct rkv_result *got)
{
    int32_t status = RKV_OK;

    if (revision > model->revision)
        status = RKV_EFUTURE;
    if (revision <= model->compacted)
        status = RKV_ECOMPACTED;
    ck_assert_int_eq(got->status, status);
    if (status == RKV_OK)
        model->compacted = revision;
    ck_assert_int_eq(got->compacted, model->compacted);
    ck_assert_int_eq(got->revision, model->revision);
}

void model_range(const struct model *model, const struct model_op *op,
                 const struct rkv_result *got)
{
    int32_t status = RKV_OK;

    if (op->revision > model->revision)
        status = RKV_EFUTURE;
    if (op->revision > 0 && op->revision < model->compacted)
        status = RKV_ECOMPACTED;
    ck_assert_int_eq(got->status, status);
    ck_assert_int_eq(got->revision, model->revision);
    ck_assert_int_eq(got->compacted, model->compacted);
    ck_assert_uint_eq(got->responses_count, status == RKV_OK);
    if (status == RKV_OK)
        check_range(model, op, op->revision > 0 ? op->revision : INT64_MAX,
                    got->responses);
}

/* Of each key the newest change up to the compacted revision stays unless it
 * is a deletion before it, and all changes since. */
static bool is_held(const struct model *model,
                    const struct model_change *change)
{
    if (change->mod >= model->compacted)
        return true;
    return change->version > 0 &&
           model_at(model, &change->key, model->compacted) == change;
}

static void count_held(const struct model *model, uint64_t *revisions,
                       uint64_t *bytes)
{
    *revisions = 0;
    *bytes = 0;
    for (size_t i = 0; i < model->count; i++) {
        const struct model_change *change = &model->changes[i];

        if (!is_held(model, change))
            continue;
        ++*revisions;
        *bytes += change->key.len + change->value.len;
    }
}

bool model_is_full(const struct model *model)
{
    uint64_t revisions, bytes;

    if (model->quota == 0)
        return false;
    count_held(model, &revisions, &bytes);
    return bytes + 128 * (revisions + model->leases_count) >=
           (uint64_t)model->quota;
}

void model_status(const struct model *model, const struct rkv_kv_status *got)
{
    uint64_t keys = 0, revisions, bytes, fresh = 0;
    int64_t next = 0;

    for (size_t i = 0; i < model->count; i++) {
        const struct model_change *change = &model->changes[i];

        keys += change->version > 0 &&
                model_at(model, &change->key, INT64_MAX) == change;
    }
    count_held(model, &revisions, &bytes);
    ck_assert_uint_eq(got->space,
                      bytes + 128 * (revisions + model->leases_count));
    ck_assert_uint_eq(got->quota, (uint64_t)model->quota);
    ck_assert_uint_eq(got->full, model_is_full(model));
    ck_assert_int_eq(got->revision, model->revision);
    ck_assert_int_eq(got->compacted, model->compacted);
    ck_assert_uint_eq(got->keys, keys);
    ck_assert_uint_eq(got->revisions, revisions);
    ck_assert_uint_eq(got->bytes, bytes);
    for (size_t i = 0; i < model->leases_count; i++) {
        int64_t deadline = model->leases[i].deadline;

        fresh += deadline == 0;
        if (deadline != 0 && (next == 0 || deadline < next))
            next = deadline;
    }
    ck_assert_uint_eq(got->leases, model->leases_count);
    ck_assert_uint_eq(got->leases_fresh, fresh);
    ck_assert_int_eq(got->clock, model->clock);
    ck_assert_uint_eq(got->clock_term, model->term);
    ck_assert_int_eq(got->next_end, next);
    ck_assert_uint_eq(got->sessions, model->sessions);
}
