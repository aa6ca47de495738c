/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/kv/record.h - one change of one key, the memory it lives in, and
 * ranges of keys.
 */
#ifndef RKV_KV_RECORD_H
#define RKV_KV_RECORD_H

#include <raftkv/kv.h>
#include <stdbool.h>

#include "../base/alloc.h"

/* One change of one key: a put, or a deletion when version is 0.  There may be
 * a hundred million of them, so what few need stands behind the bytes: a jump,
 * then a lease.
 *
 * depth is how many of this key came before; every other one, from the third
 * on, has a jump to an older record, so that the one a revision saw is found
 * in a logarithmic number of steps. */
struct rkv_record {
    struct rkv_record *prev; /* the same key before; NULL: none is held */
    struct rkv_record *next; /* the same key after; NULL: this is the newest */
    int64_t main;
    int64_t create;
    int64_t version;
    uint32_t sub;
    uint32_t depth;
    uint32_t key_len;
    uint32_t value_len;
    uint32_t refs : 31; /* the state's, and one per place in the watch queue */
    uint32_t is_leased : 1;
    uint32_t digest; /* of the bytes, which are rarely at hand when it counts */
    uint8_t bytes[]; /* key, then value */
};

/* The target may be gone; it is there for certain while main is above the
 * compacted revision. */
struct rkv_jump {
    struct rkv_record *to; /* NULL: nowhere */
    int64_t main;
};

/* What a record is made of. */
struct rkv_draft {
    const uint8_t *key;
    const uint8_t *value;
    uint32_t key_len;
    uint32_t value_len;
    int64_t main;
    int64_t create;
    int64_t version;
    int64_t lease;
    uint32_t sub;
};

/* Recycles records by size class; large ones go straight to the allocator. */
enum { RKV_POOL_STEP = 16, RKV_POOL_CLASSES = 64 };
struct rkv_pool {
    const struct rkv_allocator *allocator;
    struct rkv_pool_chunk *chunks;
    struct rkv_pool_free *free[RKV_POOL_CLASSES];
    uint8_t *at; /* the rest of the newest chunk */
    size_t left;
    size_t chunk_size; /* of the next chunk */
    size_t large;      /* records that are the allocator's own blocks */
};

void rkv_pool_init(struct rkv_pool *pool, const struct rkv_allocator *a);
/* Releases the chunks; large records must have been dropped before. */
void rkv_pool_free(struct rkv_pool *pool);

/* What comes behind newest, which may be NULL.  NULL: no memory.  The caller
 * holds one reference. */
struct rkv_record *rkv_record_new(struct rkv_pool *pool,
                                  const struct rkv_draft *draft,
                                  const struct rkv_record *newest);
void rkv_record_drop(struct rkv_pool *pool, struct rkv_record *record);
/* Copies key and value, and the lease. */
void rkv_record_fill(struct rkv_record *record, const struct rkv_draft *draft);
/* Of everything that is replicated in it; and the same with the digest of the
 * bytes made anew. */
uint64_t rkv_record_hash(const struct rkv_record *record);
uint64_t rkv_record_rehash(const struct rkv_record *record);
int64_t rkv_record_lease(const struct rkv_record *record);
struct rkv_jump rkv_record_jump(const struct rkv_record *record);
size_t rkv_record_size(const struct rkv_record *record);
/* Links record behind newest, which may be NULL. */
void rkv_record_link(struct rkv_record *record, struct rkv_record *newest,
                     int64_t compacted);
/* What a reader at revision sees of a key, deletions included, or NULL.
 * revision must not be below compacted. */
struct rkv_record *rkv_record_at(struct rkv_record *newest, int64_t revision);
/* The oldest record of the key at or after revision, or NULL. */
struct rkv_record *rkv_record_since(struct rkv_record *newest,
                                    int64_t revision);
/* Compaction at this revision keeps the record. */
bool rkv_record_held(const struct rkv_record *record, int64_t compacted);
void rkv_record_item(const struct rkv_record *record, bool with_value,
                     struct rkv_item *out);
int rkv_bytes_compare(const void *a, size_t a_len, const void *b, size_t b_len);

static inline bool rkv_record_is_live(const struct rkv_record *record)
{
    return record->version != 0;
}

static inline bool rkv_record_jumps(const struct rkv_record *record)
{
    return record->depth != 0 && record->depth % 2 == 0;
}

static inline const uint8_t *rkv_record_value(const struct rkv_record *record)
{
    return record->bytes + record->key_len;
}

/* ------------------------------------------------------------------ span */

/* A range of keys: one key, [key, end), or everything from key on. */
enum { RKV_SPAN_ONE = 0, RKV_SPAN_UNTIL = 1, RKV_SPAN_FROM = 2 };
struct rkv_span {
    const uint8_t *key;
    const uint8_t *end; /* RKV_SPAN_UNTIL */
    uint32_t key_len;
    uint32_t end_len;
    uint32_t kind;
};

/* Whether the bytes are there that the lengths promise. */
bool rkv_span_is_given(const void *key, size_t key_len, const void *end,
                       size_t end_len);
/* The lengths must fit 32 bits. */
struct rkv_span rkv_span_of(const void *key, size_t key_len, const void *end,
                            size_t end_len);
bool rkv_span_holds(const struct rkv_span *span, const void *key,
                    size_t key_len);
bool rkv_span_is_empty(const struct rkv_span *span);

/* Whether a key at or behind the start of the span is in it. */
static inline bool rkv_span_reaches(const struct rkv_span *span,
                                    const struct rkv_record *record)
{
    if (span->kind == RKV_SPAN_FROM)
        return true;
    if (span->kind == RKV_SPAN_UNTIL)
        return rkv_bytes_compare(record->bytes, record->key_len, span->end,
                                 span->end_len) < 0;
    return rkv_bytes_compare(record->bytes, record->key_len, span->key,
                             span->key_len) == 0;
}

#endif
