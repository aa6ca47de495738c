/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Memory for records: a put costs a few instructions here when a record of
 * about its size has been compacted before, and a step in a chunk otherwise.
 * Chunks grow with the store, so a small one stays small.  Memory of one size
 * class is not given to another.
 */
#include "room.h"

struct rkv_pool_chunk {
    struct rkv_pool_chunk *next;
    size_t size;
};

struct rkv_pool_free {
    struct rkv_pool_free *next;
};

enum { CHUNK_MIN = 4096, CHUNK_MAX = 1 << 20 };

static size_t size_of(size_t payload)
{
    size_t size = offsetof(struct rkv_record, bytes) + payload;

    return (size + RKV_POOL_STEP - 1) / RKV_POOL_STEP * RKV_POOL_STEP;
}

static bool is_large(size_t size)
{
    return size / RKV_POOL_STEP >= RKV_POOL_CLASSES;
}

void rkv_pool_init(struct rkv_pool *pool, const struct rkv_allocator *a)
{
    *pool = (struct rkv_pool){.allocator = a, .chunk_size = CHUNK_MIN};
}

void rkv_pool_free(struct rkv_pool *pool)
{
    struct rkv_pool_chunk *next;

    for (struct rkv_pool_chunk *c = pool->chunks; c != NULL; c = next) {
        next = c->next;
        rkv_release(pool->allocator, c, c->size);
    }
    pool->chunks = NULL;
}

size_t rkv_record_size(const struct rkv_record *record)
{
    return size_of((size_t)record->key_len + record->value_len +
                   (rkv_record_jumps(record) ? sizeof(struct rkv_jump) : 0) +
                   (record->is_leased ? sizeof(int64_t) : 0));
}

static bool add_chunk(struct rkv_pool *pool)
{
    size_t header = size_of(0);
    struct rkv_pool_chunk *chunk = rkv_alloc(pool->allocator, pool->chunk_size);

    if (chunk == NULL)
        return false;
    chunk->next = pool->chunks;
    chunk->size = pool->chunk_size;
    pool->chunks = chunk;
    pool->at = (uint8_t *)chunk + header;
    pool->left = chunk->size - header;
    if (pool->chunk_size < CHUNK_MAX)
        pool->chunk_size *= 2;
    return true;
}

static void *take(struct rkv_pool *pool, size_t size)
{
    struct rkv_pool_free *free;
    void *block;

    if (is_large(size)) {
        block = rkv_alloc(pool->allocator, size);
        pool->large += block != NULL;
        return block;
    }
    free = pool->free[size / RKV_POOL_STEP];
    if (free != NULL) {
        pool->free[size / RKV_POOL_STEP] = free->next;
        return free;
    }
    if (pool->left < size && !add_chunk(pool))
        return NULL;
    block = pool->at;
    pool->at += size;
    pool->left -= size;
    return block;
}

static void give(struct rkv_pool *pool, void *block, size_t size)
{
    struct rkv_pool_free *free = block;

    if (is_large(size)) {
        pool->large--;
        rkv_release(pool->allocator, block, size);
        return;
    }
    free->next = pool->free[size / RKV_POOL_STEP];
    pool->free[size / RKV_POOL_STEP] = free;
}

struct rkv_record *rkv_record_new(struct rkv_pool *pool,
                                  const struct rkv_draft *draft,
                                  const struct rkv_record *newest)
{
    struct rkv_record form = {
        .main = draft->main,
        .create = draft->create,
        .version = draft->version,
        .sub = draft->sub,
        .depth = newest == NULL ? 0 : newest->depth + 1,
        .key_len = draft->key_len,
        .value_len = draft->value_len,
        .refs = 1,
        .is_leased = draft->lease != 0,
    };
    struct rkv_record *record = take(pool, rkv_record_size(&form));

    if (record == NULL)
        return NULL;
    *record = form;
    rkv_record_fill(record, draft);
    return record;
}

void rkv_record_drop(struct rkv_pool *pool, struct rkv_record *record)
{
    if (--record->refs == 0)
        give(pool, record, rkv_record_size(record));
}
