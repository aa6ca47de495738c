/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Blocks of payloads.
 *
 *     oldest ──▶ [ · · · ] ──▶ [ · · ] ──▶ [ large ] ──▶ [ ·    ] ◀── filling
 *
 * A payload is found again by its address, from the oldest block on, which is
 * at once where payloads leave in order; a cut tail looks from the newest.
 */
#include "shelf.h"

#include <assert.h>
#include <string.h>

enum {
    BLOCK_BYTES = 64 * 1024,
    LARGE_BYTES = BLOCK_BYTES / 4, /* from here on a block of its own */
    SPARE_MAX = 64
};

struct rkv_block {
    struct rkv_block *older;
    struct rkv_block *newer;
    size_t size; /* of bytes */
    size_t used;
    size_t live; /* payloads not dropped */
    uint8_t bytes[];
};

void rkv_shelf_init(struct rkv_shelf *shelf, const struct rkv_allocator *a)
{
    memset(shelf, 0, sizeof *shelf);
    shelf->allocator = a;
}

static void free_block(struct rkv_shelf *shelf, struct rkv_block *block)
{
    rkv_release(shelf->allocator, block, sizeof *block + block->size);
}

static void free_list(struct rkv_shelf *shelf, struct rkv_block *block)
{
    while (block != NULL) {
        struct rkv_block *newer = block->newer;

        free_block(shelf, block);
        block = newer;
    }
}

void rkv_shelf_free(struct rkv_shelf *shelf)
{
    free_list(shelf, shelf->oldest);
    free_list(shelf, shelf->spare);
    free_list(shelf, shelf->parked);
    rkv_shelf_init(shelf, shelf->allocator);
}

/* An empty block at the new end: a spare one when it fits. */
static struct rkv_block *add_block(struct rkv_shelf *shelf, size_t size)
{
    struct rkv_block *block = shelf->spare;

    if (size == BLOCK_BYTES && block != NULL) {
        shelf->spare = block->newer;
        shelf->spare_count--;
    } else {
        if (size > SIZE_MAX - sizeof *block)
            return NULL;
        block = rkv_alloc(shelf->allocator, sizeof *block + size);
        if (block == NULL)
            return NULL;
    }
    block->older = shelf->newest;
    block->newer = NULL;
    block->size = size;
    block->used = 0;
    block->live = 0;
    if (shelf->newest != NULL)
        shelf->newest->newer = block;
    else
        shelf->oldest = block;
    shelf->newest = block;
    return block;
}

static void retire(struct rkv_shelf *shelf, struct rkv_block *block)
{
    if (block->size != BLOCK_BYTES || shelf->spare_count == SPARE_MAX) {
        free_block(shelf, block);
        return;
    }
    block->newer = shelf->spare;
    shelf->spare = block;
    shelf->spare_count++;
}

static void unlink_block(struct rkv_shelf *shelf, struct rkv_block *block)
{
    if (block->older != NULL)
        block->older->newer = block->newer;
    else
        shelf->oldest = block->newer;
    if (block->newer != NULL)
        block->newer->older = block->older;
    else
        shelf->newest = block->older;
    if (shelf->pins == 0) {
        retire(shelf, block);
        return;
    }
    block->newer = shelf->parked;
    shelf->parked = block;
}

/* A block that has len bytes to give. */
static struct rkv_block *find_room(struct rkv_shelf *shelf, size_t len)
{
    struct rkv_block *full = shelf->filling;

    if (len >= LARGE_BYTES)
        return add_block(shelf, len);
    if (full != NULL && full->size - full->used >= len)
        return full;
    struct rkv_block *block = add_block(shelf, BLOCK_BYTES);
    if (block == NULL)
        return NULL;
    shelf->filling = block;
    /* Only a pinned block can be full of nothing. */
    if (full != NULL && full->live == 0)
        unlink_block(shelf, full);
    return block;
}

void *rkv_shelf_put(struct rkv_shelf *shelf, const void *data, size_t len)
{
    assert(len > 0);
    struct rkv_block *block = find_room(shelf, len);
    if (block == NULL)
        return NULL;
    uint8_t *at = block->bytes + block->used;
    memcpy(at, data, len);
    block->used += len;
    block->live++;
    return at;
}

static bool holds(const struct rkv_block *block, const void *bytes)
{
    uintptr_t at = (uintptr_t)bytes;
    uintptr_t begin = (uintptr_t)block->bytes;

    return at >= begin && at < begin + block->used;
}

void rkv_shelf_drop(struct rkv_shelf *shelf, const void *bytes)
{
    struct rkv_block *front = shelf->oldest;
    struct rkv_block *back = shelf->newest;

    while (front != NULL && !holds(front, bytes) && !holds(back, bytes)) {
        front = front->newer;
        back = back->older;
    }
    assert(front != NULL);
    struct rkv_block *block = holds(front, bytes) ? front : back;
    assert(block->live > 0);
    if (--block->live != 0)
        return;
    if (block != shelf->filling)
        unlink_block(shelf, block);
    else if (shelf->pins == 0)
        block->used = 0;
}

void rkv_shelf_pin(struct rkv_shelf *shelf)
{
    shelf->pins++;
}

void rkv_shelf_unpin(struct rkv_shelf *shelf)
{
    assert(shelf->pins > 0);
    if (--shelf->pins != 0)
        return;
    while (shelf->parked != NULL) {
        struct rkv_block *block = shelf->parked;

        shelf->parked = block->newer;
        retire(shelf, block);
    }
    if (shelf->filling != NULL && shelf->filling->live == 0)
        shelf->filling->used = 0;
}
