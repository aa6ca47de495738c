/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One change of one key, and the line of changes it stands in.
 */
#include <string.h>

#include "room.h"

static uint32_t digest_of(const struct rkv_record *record)
{
    return (uint32_t)rkv_hash64(record->key_len, record->bytes,
                                (size_t)record->key_len + record->value_len);
}

static uint64_t hash_of(const struct rkv_record *record, uint32_t digest)
{
    uint64_t hash = rkv_mix64((uint64_t)record->main, record->sub);

    hash = rkv_mix64(hash, (uint64_t)record->create);
    hash = rkv_mix64(hash, (uint64_t)record->version);
    hash = rkv_mix64(hash, (uint64_t)rkv_record_lease(record));
    return rkv_mix64(hash, (uint64_t)record->value_len << 32 | digest);
}

/* Behind the bytes nothing is aligned. */
static uint8_t *behind(const struct rkv_record *record)
{
    return (uint8_t *)(uintptr_t)record->bytes + record->key_len +
           record->value_len;
}

static uint8_t *lease_of(const struct rkv_record *record)
{
    return behind(record) +
           (rkv_record_jumps(record) ? sizeof(struct rkv_jump) : 0);
}

void rkv_record_fill(struct rkv_record *record, const struct rkv_draft *draft)
{
    struct rkv_jump nowhere = {NULL, 0};

    memcpy(record->bytes, draft->key, draft->key_len);
    if (draft->value_len > 0)
        memcpy(record->bytes + draft->key_len, draft->value, draft->value_len);
    if (rkv_record_jumps(record))
        memcpy(behind(record), &nowhere, sizeof(nowhere));
    if (record->is_leased)
        memcpy(lease_of(record), &draft->lease, sizeof(draft->lease));
    record->digest = digest_of(record);
}

uint64_t rkv_record_hash(const struct rkv_record *record)
{
    return hash_of(record, record->digest);
}

uint64_t rkv_record_rehash(const struct rkv_record *record)
{
    return hash_of(record, digest_of(record));
}

int64_t rkv_record_lease(const struct rkv_record *record)
{
    int64_t lease = 0;

    if (record->is_leased)
        memcpy(&lease, lease_of(record), sizeof(lease));
    return lease;
}

struct rkv_jump rkv_record_jump(const struct rkv_record *record)
{
    struct rkv_jump jump = {record->prev, 0};

    if (rkv_record_jumps(record))
        memcpy(&jump, behind(record), sizeof(jump));
    else if (jump.to != NULL)
        jump.main = jump.to->main;
    return jump;
}

/* The n-th record of a key jumps to the one whose number is n without its
 * lowest bit.  From the record before, the same jumps lead there. */
void rkv_record_link(struct rkv_record *record, struct rkv_record *newest,
                     int64_t compacted)
{
    struct rkv_jump jump = {newest, 0};
    uint32_t wanted;

    if (newest == NULL)
        return;
    record->prev = newest;
    newest->next = record;
    if (!rkv_record_jumps(record))
        return;
    wanted = record->depth & (record->depth - 1);
    while (jump.to != NULL && jump.to->depth > wanted) {
        jump = rkv_record_jump(jump.to);
        if (jump.main < compacted)
            jump.to = NULL;
    }
    if (jump.to == NULL)
        return;
    jump.main = jump.to->main;
    memcpy(behind(record), &jump, sizeof(jump));
}

struct rkv_record *rkv_record_at(struct rkv_record *newest, int64_t revision)
{
    struct rkv_record *record = newest;

    while (record != NULL && record->main > revision) {
        struct rkv_jump jump = rkv_record_jump(record);

        record =
            jump.to != NULL && jump.main > revision ? jump.to : record->prev;
    }
    return record;
}

struct rkv_record *rkv_record_since(struct rkv_record *newest, int64_t revision)
{
    struct rkv_record *record = newest;

    if (record == NULL || record->main < revision)
        return NULL;
    for (;;) {
        struct rkv_jump jump = rkv_record_jump(record);

        if (jump.to != NULL && jump.main >= revision)
            record = jump.to;
        else if (record->prev != NULL && record->prev->main >= revision)
            record = record->prev;
        else
            return record;
    }
}

bool rkv_record_held(const struct rkv_record *record, int64_t compacted)
{
    if (record->main >= compacted)
        return true;
    if (!rkv_record_is_live(record))
        return false;
    return record->next == NULL || record->next->main > compacted;
}

void rkv_record_item(const struct rkv_record *record, bool with_value,
                     struct rkv_item *out)
{
    *out = (struct rkv_item){
        .key = record->bytes,
        .key_len = record->key_len,
        .value = with_value ? rkv_record_value(record) : NULL,
        .value_len = with_value ? record->value_len : 0,
        .create_revision = record->create,
        .mod_revision = record->main,
        .version = record->version,
        .lease = rkv_record_lease(record),
    };
}

int rkv_bytes_compare(const void *a, size_t a_len, const void *b, size_t b_len)
{
    size_t len = a_len < b_len ? a_len : b_len;
    int order = len == 0 ? 0 : memcmp(a, b, len);

    if (order != 0)
        return order;
    return (a_len > b_len) - (a_len < b_len);
}

bool rkv_span_is_given(const void *key, size_t key_len, const void *end,
                       size_t end_len)
{
    return (key != NULL || key_len == 0) && (end != NULL || end_len == 0);
}

struct rkv_span rkv_span_of(const void *key, size_t key_len, const void *end,
                            size_t end_len)
{
    struct rkv_span span = {
        .key = key,
        .key_len = (uint32_t)key_len,
        .end = end,
        .end_len = (uint32_t)end_len,
        .kind = RKV_SPAN_UNTIL,
    };

    if (end_len == 0)
        span.kind = RKV_SPAN_ONE;
    else if (end_len == 1 && span.end[0] == 0)
        span.kind = RKV_SPAN_FROM;
    return span;
}

bool rkv_span_holds(const struct rkv_span *span, const void *key,
                    size_t key_len)
{
    int order = rkv_bytes_compare(key, key_len, span->key, span->key_len);

    if (span->kind == RKV_SPAN_ONE)
        return order == 0;
    if (order < 0)
        return false;
    return span->kind == RKV_SPAN_FROM ||
           rkv_bytes_compare(key, key_len, span->end, span->end_len) < 0;
}

bool rkv_span_is_empty(const struct rkv_span *span)
{
    return span->kind == RKV_SPAN_UNTIL &&
           rkv_bytes_compare(span->key, span->key_len, span->end,
                             span->end_len) >= 0;
}
