/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The second opinion: leases.
 */
#include "model.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct model_lease *model_find_lease(const struct model *model, int64_t id)
{
    for (size_t i = 0; i < model->leases_count; i++) {
        if (model->leases[i].id == id)
            return (struct model_lease *)(uintptr_t)&model->leases[i];
    }
    return NULL;
}

uint64_t model_count_leased(const struct model *model, int64_t id)
{
    uint64_t count = 0;

    for (size_t i = 0; i < model->count; i++) {
        const struct model_change *change = &model->changes[i];

        count += change->version > 0 && change->lease == id &&
                 model_at(model, &change->key, INT64_MAX) == change;
    }
    return count;
}

void model_drop_lease(struct model *model, const struct model_lease *lease)
{
    size_t at = (size_t)(lease - model->leases);

    model->leases_count--;
    memmove(model->leases + at, model->leases + at + 1,
            (model->leases_count - at) * sizeof(*lease));
}

void model_add_lease(struct model *model, int64_t id, int64_t ttl,
                     bool is_owned)
{
    ck_assert_int_ne(id, 0);
    ck_assert_ptr_null(model_find_lease(model, id));
    ck_assert_uint_lt(model->leases_count, MODEL_LEASES);
    model->leases[model->leases_count++] =
        (struct model_lease){.id = id, .ttl = ttl, .is_owned = is_owned};
}

static void check_status(const struct model *model,
                         const struct rkv_result *got, int32_t status)
{
    ck_assert_int_eq(got->status, status);
    ck_assert_int_eq(got->revision, model->revision);
    ck_assert_int_eq(got->compacted, model->compacted);
    if (status != RKV_OK)
        ck_assert_uint_eq(got->responses_count, 0);
}

void model_grant(struct model *model, int64_t id, int64_t ttl,
                 const struct rkv_result *got)
{
    int32_t status = RKV_OK;

    if (ttl < 1)
        status = RKV_EINVAL;
    else if (model_is_full(model))
        status = RKV_EQUOTA;
    else if (id != 0 && model_find_lease(model, id) != NULL)
        status = RKV_EEXIST;
    check_status(model, got, status);
    if (status != RKV_OK)
        return;
    ck_assert_uint_eq(got->responses_count, 1);
    ck_assert_uint_eq(got->responses->kind, RKV_RESPONSE_LEASE);
    ck_assert_int_eq(got->responses->ttl, ttl);
    if (id == 0)
        ck_assert_int_gt(got->responses->lease, 0);
    else
        ck_assert_int_eq(got->responses->lease, id);
    model_add_lease(model, got->responses->lease, ttl, false);
}

/* Its keys, in order, are deleted. */
static uint64_t end_lease(struct model *model, int64_t id, int64_t revision)
{
    struct model_span all = {.key = {.len = 1}, .end = {.len = 1}};
    const struct model_change **found =
        calloc(model->count + 1, sizeof(found[0]));
    size_t count = model_keys_at(model, &all, INT64_MAX, found);
    struct model_text *keys = calloc(count + 1, sizeof(keys[0]));
    size_t ended = 0;

    for (size_t i = 0; i < count; i++) {
        if (found[i]->lease == id)
            keys[ended++] = found[i]->key;
    }
    model_drop_lease(model, model_find_lease(model, id));
    for (size_t i = 0; i < ended; i++)
        model_add(model, &keys[i], NULL, 0, revision);
    free(found);
    free(keys);
    return ended;
}

void model_revoke(struct model *model, int64_t id, const struct rkv_result *got)
{
    uint64_t ended;

    if (model_find_lease(model, id) == NULL) {
        check_status(model, got, RKV_ELEASE);
        return;
    }
    ended = end_lease(model, id, model->revision + 1);
    model->revision += ended > 0;
    check_status(model, got, RKV_OK);
    ck_assert_uint_eq(got->responses->count, ended);
    ck_assert_int_eq(got->responses->lease, id);
}

void model_keep_alive(struct model *model, const int64_t *ids, size_t count,
                      const struct rkv_result *got)
{
    check_status(model, got, RKV_OK);
    ck_assert_uint_eq(got->responses_count, count);
    for (size_t i = 0; i < count; i++) {
        struct model_lease *lease = model_find_lease(model, ids[i]);

        ck_assert_int_eq(got->responses[i].lease, ids[i]);
        ck_assert_int_eq(got->responses[i].ttl, lease == NULL ? 0 : lease->ttl);
        if (lease != NULL)
            lease->deadline = 0;
    }
}

static const struct model_lease *next_due(const struct model *model)
{
    const struct model_lease *next = NULL;

    for (size_t i = 0; i < model->leases_count; i++) {
        const struct model_lease *lease = &model->leases[i];

        if (lease->deadline > model->clock)
            continue;
        if (next == NULL || lease->deadline < next->deadline ||
            (lease->deadline == next->deadline && lease->id < next->id))
            next = lease;
    }
    return next;
}

void model_clock(struct model *model, uint64_t term, int64_t clock,
                 const struct rkv_result *got)
{
    const struct model_lease *due;
    uint64_t ended = 0, leases = 0;

    if (term < model->term) {
        check_status(model, got, RKV_ESTALE);
        return;
    }
    model->term = term;
    if (clock > model->clock)
        model->clock = clock;
    for (size_t i = 0; i < model->leases_count; i++) {
        if (model->leases[i].deadline == 0)
            model->leases[i].deadline = model->clock + model->leases[i].ttl;
    }
    for (; (due = next_due(model)) != NULL; leases++)
        ended += end_lease(model, due->id, model->revision + 1);
    model->revision += ended > 0;
    check_status(model, got, RKV_OK);
    ck_assert_uint_eq(got->responses->kind, RKV_RESPONSE_CLOCK);
    ck_assert_uint_eq(got->responses->count, leases);
    ck_assert_uint_eq(got->responses->more, 0);
}

void model_lease(const struct model *model, const struct model_lease *lease,
                 rkv_kv *kv)
{
    struct rkv_lease_status status = {.size = sizeof(status)};
    uint64_t keys = model_count_leased(model, lease->id);
    const struct rkv_result *result;

    ck_assert_int_eq(rkv_kv_lease(kv, lease->id, &status), RKV_OK);
    ck_assert_int_eq(status.id, lease->id);
    ck_assert_int_eq(status.ttl, lease->ttl);
    ck_assert_int_eq(status.left, lease->deadline == 0
                                      ? lease->ttl
                                      : lease->deadline - model->clock);
    ck_assert_uint_eq(status.keys, keys);
    ck_assert_int_eq(rkv_kv_lease_keys(kv, lease->id, &result), RKV_OK);
    ck_assert_uint_eq(result->responses->items_count, keys);
    for (uint64_t i = 0; i < keys; i++) {
        const struct rkv_item *item = &result->responses->items[i];
        struct model_text key = {.len = item->key_len};

        memcpy(key.bytes, item->key, item->key_len);
        model_item(model_at(model, &key, INT64_MAX), item, true);
        ck_assert_int_eq(item->lease, lease->id);
    }
}
