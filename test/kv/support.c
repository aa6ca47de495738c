/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the tests of kv share.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void kit_open(struct kit *kit, const struct rkv_kv_options *options)
{
    struct rkv_kv_options ours = {.size = sizeof(ours)};

    kit->allocator = base_allocator(&kit->heap);
    kit->index = 0;
    if (options != NULL)
        ours = *options;
    ours.allocator = &kit->allocator;
    ck_assert_int_eq(rkv_kv_new(&ours, &kit->kv), RKV_OK);
    ck_assert_int_eq(rkv_txn_new(&kit->allocator, &kit->txn), RKV_OK);
}

void kit_close(struct kit *kit)
{
    rkv_kv_free(kit->kv);
    rkv_txn_free(kit->txn);
    ck_assert(!kit->heap.was_lied_to);
    ck_assert_uint_eq(kit->heap.blocks, 0);
    ck_assert_uint_eq(kit->heap.bytes, 0);
}

struct rkv_range range_of(const char *key, const char *end)
{
    struct rkv_range range = {.size = sizeof(range)};

    range.key = key;
    range.key_len = strlen(key);
    if (end != NULL && strcmp(end, "@") == 0) {
        range.end = "";
        range.end_len = 1;
    } else if (end != NULL) {
        range.end = end;
        range.end_len = strlen(end);
    }
    return range;
}

struct rkv_watch watch_of(const char *key, const char *end)
{
    struct rkv_range range = range_of(key, end);

    return (struct rkv_watch){
        .size = sizeof(struct rkv_watch),
        .key = range.key,
        .key_len = range.key_len,
        .end = range.end,
        .end_len = range.end_len,
    };
}

int add_put(rkv_txn *txn, const char *key, const char *value, uint32_t flags)
{
    struct rkv_put put = {
        .size = sizeof(put),
        .flags = flags,
        .key = key,
        .key_len = strlen(key),
        .value = value,
        .value_len = strlen(value),
    };

    return rkv_txn_put(txn, &put);
}

int add_delete(rkv_txn *txn, const char *key, const char *end, uint32_t flags)
{
    struct rkv_range range = range_of(key, end);

    range.flags = flags;
    return rkv_txn_delete(txn, &range);
}

int add_range(rkv_txn *txn, const char *key, const char *end, int64_t revision,
              int64_t limit, uint32_t flags)
{
    struct rkv_range range = range_of(key, end);

    range.flags = flags;
    range.revision = revision;
    range.limit = limit;
    return rkv_txn_range(txn, &range);
}

int add_number(rkv_txn *txn, uint32_t target, uint32_t relation,
               const char *key, int64_t number)
{
    struct rkv_compare compare = {
        .size = sizeof(compare),
        .target = target,
        .relation = relation,
        .key = key,
        .key_len = strlen(key),
        .number = number,
    };

    return rkv_txn_compare(txn, &compare);
}

int add_value(rkv_txn *txn, uint32_t relation, const char *key,
              const char *value)
{
    struct rkv_compare compare = {
        .size = sizeof(compare),
        .target = RKV_COMPARE_VALUE,
        .relation = relation,
        .key = key,
        .key_len = strlen(key),
        .value = value,
        .value_len = strlen(value),
    };

    return rkv_txn_compare(txn, &compare);
}

const struct rkv_result *kit_apply(struct kit *kit)
{
    const struct rkv_result *result = NULL;
    const void *data;
    size_t len;

    ck_assert_int_eq(rkv_txn_encode(kit->txn, &data, &len), RKV_OK);
    ck_assert_int_eq(rkv_kv_apply(kit->kv, ++kit->index, data, len, &result),
                     RKV_OK);
    rkv_txn_reset(kit->txn);
    return result;
}

int32_t kit_status(struct kit *kit)
{
    return kit_apply(kit)->status;
}

int64_t kit_put(struct kit *kit, const char *key, const char *value)
{
    const struct rkv_result *result;

    (void)add_put(kit->txn, key, value, 0);
    result = kit_apply(kit);
    ck_assert_int_eq(result->status, RKV_OK);
    return result->revision;
}

int64_t kit_delete(struct kit *kit, const char *key, const char *end)
{
    const struct rkv_result *result;

    (void)add_delete(kit->txn, key, end, 0);
    result = kit_apply(kit);
    ck_assert_int_eq(result->status, RKV_OK);
    return result->revision;
}

int32_t kit_compact(struct kit *kit, int64_t revision)
{
    (void)rkv_txn_compact(kit->txn, revision);
    return kit_status(kit);
}

const struct rkv_response *kit_range(struct kit *kit, const char *key,
                                     const char *end, int64_t revision)
{
    struct rkv_range range = range_of(key, end);
    const struct rkv_result *result;

    range.revision = revision;
    ck_assert_int_eq(rkv_kv_range(kit->kv, &range, &result), RKV_OK);
    ck_assert_int_eq(result->status, RKV_OK);
    ck_assert_uint_eq(result->responses_count, 1);
    return result->responses;
}

int32_t kit_range_status(struct kit *kit, const char *key, int64_t revision)
{
    struct rkv_range range = range_of(key, NULL);
    const struct rkv_result *result;

    range.revision = revision;
    ck_assert_int_eq(rkv_kv_range(kit->kv, &range, &result), RKV_OK);
    return result->status;
}

const char *kit_get(struct kit *kit, const char *key, int64_t revision)
{
    static char value[64];
    const struct rkv_response *response = kit_range(kit, key, NULL, revision);

    if (response->count == 0)
        return "-";
    snprintf(value, sizeof(value), "%.*s", (int)response->items->value_len,
             (const char *)response->items->value);
    return value;
}

struct rkv_kv_status kit_report(const struct kit *kit)
{
    struct rkv_kv_status status = {.size = sizeof(status)};

    rkv_kv_status(kit->kv, &status);
    return status;
}

void kit_settle(struct kit *kit)
{
    struct rkv_kv_status status = kit_report(kit);

    for (uint64_t i = 0; i <= 2 * status.revisions + 10000; i += 64)
        ck_assert_int_eq(rkv_kv_skip(kit->kv, ++kit->index), RKV_OK);
}

uint8_t *kit_snapshot(struct kit *kit, size_t *len)
{
    size_t cap = 64 << 20, part;
    uint8_t *all = malloc(cap);
    rkv_snapshot *snapshot;

    ck_assert_int_eq(rkv_kv_snapshot(kit->kv, &snapshot), RKV_OK);
    *len = 0;
    do {
        ck_assert_int_eq(
            rkv_snapshot_read(snapshot, all + *len, cap - *len, &part), RKV_OK);
        *len += part;
    } while (part > 0);
    rkv_snapshot_close(snapshot);
    return realloc(all, *len);
}

int kit_restore(struct kit *kit, const void *data, size_t len)
{
    int error = rkv_kv_restore_begin(kit->kv);

    if (error == RKV_OK)
        (void)rkv_kv_restore_write(kit->kv, data, len);
    if (error == RKV_OK)
        error = rkv_kv_restore_end(kit->kv);
    if (error == RKV_OK)
        kit->index = kit_report(kit).applied;
    return error;
}

void assert_item(const struct rkv_item *item, const char *key,
                 const char *value, int64_t create, int64_t mod,
                 int64_t version)
{
    ck_assert_uint_eq(item->key_len, strlen(key));
    ck_assert_mem_eq(item->key, key, item->key_len);
    ck_assert_uint_eq(item->value_len, strlen(value));
    if (item->value_len > 0)
        ck_assert_mem_eq(item->value, value, item->value_len);
    ck_assert_int_eq(item->create_revision, create);
    ck_assert_int_eq(item->mod_revision, mod);
    ck_assert_int_eq(item->version, version);
}

void assert_keys(const struct rkv_response *response, const char *keys)
{
    char all[256] = "";
    size_t len = 0;

    for (uint64_t i = 0; i < response->items_count; i++) {
        const struct rkv_item *item = &response->items[i];

        len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%.*s",
                                i > 0 ? " " : "", (int)item->key_len,
                                (const char *)item->key);
    }
    ck_assert_str_eq(all, keys);
}
