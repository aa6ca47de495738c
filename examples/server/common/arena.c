/* SPDX-License-Identifier: BSD-2-Clause
 *
 * common/arena.c - a list of blocks, each filled from its start.  A piece
 * too large for a block gets one of its own.
 */
#include "arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 32 * 1024 };

struct arena_block {
    struct arena_block *next;
    size_t cap;
    size_t used;
    alignas(max_align_t) char at[];
};

void *arena_take(struct arena *arena, size_t len)
{
    size_t align = alignof(max_align_t);

    if (len > SIZE_MAX / 2)
        return NULL;
    len = (len + align - 1) / align * align;
    struct arena_block *block = arena->blocks;
    if (!block || block->cap - block->used < len) {
        size_t cap = len > BLOCK_BYTES ? len : BLOCK_BYTES;
        block = malloc(sizeof *block + cap);
        if (!block)
            return NULL;
        block->cap = cap;
        block->used = 0;
        block->next = arena->blocks;
        arena->blocks = block;
    }
    void *piece = block->at + block->used;
    block->used += len;
    return memset(piece, 0, len);
}

void *arena_array(struct arena *arena, size_t count, size_t len)
{
    if (len != 0 && count > SIZE_MAX / 2 / len)
        return NULL;
    return arena_take(arena, count * len);
}

void arena_reset(struct arena *arena)
{
    struct arena_block *kept = NULL;

    while (arena->blocks) {
        struct arena_block *block = arena->blocks;
        arena->blocks = block->next;
        if (!kept && block->cap == BLOCK_BYTES)
            kept = block;
        else
            free(block);
    }
    if (kept) {
        kept->next = NULL;
        kept->used = 0;
    }
    arena->blocks = kept;
}

void arena_free(struct arena *arena)
{
    while (arena->blocks) {
        struct arena_block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
}
