/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The word of an oracle, and memory for its records.
 */
#include "verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 64 << 10, ALIGNMENT = 16 };

struct arena_block {
    struct arena_block *next;
    size_t used;
    size_t cap;
    size_t reserved; /* what follows is aligned for everything */
};

void verdict_break(struct verdict *verdict, const char *rule,
                   const char *format, ...)
{
    va_list args;

    if (verdict->broken != NULL)
        return;
    verdict->broken = rule;
    va_start(args, format);
    (void)vsnprintf(verdict->detail, sizeof verdict->detail, format, args);
    va_end(args);
}

void digest_number(struct digest *digest, uint64_t number)
{
    uint64_t z = digest->value + 0x9e3779b97f4a7c15u;

    z = (z ^ number) * 0xff51afd7ed558ccdu;
    z = (z ^ z >> 32) * 0xc4ceb9fe1a85ec53u;
    digest->value = z ^ z >> 29;
}

void digest_bytes(struct digest *digest, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    uint64_t word;

    digest_number(digest, len);
    for (; len >= sizeof word; at += sizeof word, len -= sizeof word) {
        memcpy(&word, at, sizeof word);
        digest_number(digest, word);
    }
    word = 0;
    if (len > 0)
        memcpy(&word, at, len);
    digest_number(digest, word);
}

void *arena_take(struct arena *arena, size_t size)
{
    struct arena_block *block = arena->blocks;
    size_t cap = BLOCK_BYTES;
    void *taken;

    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (block == NULL || block->cap - block->used < size) {
        if (cap < size)
            cap = size;
        block = malloc(sizeof *block + cap);
        if (block == NULL)
            abort();
        *block = (struct arena_block){.next = arena->blocks, .cap = cap};
        arena->blocks = block;
    }
    taken = (uint8_t *)(block + 1) + block->used;
    block->used += size;
    return memset(taken, 0, size);
}

void *arena_copy(struct arena *arena, const void *bytes, size_t len)
{
    void *copy = arena_take(arena, len + 1);

    if (len > 0)
        memcpy(copy, bytes, len);
    return copy;
}

void arena_clear(struct arena *arena)
{
    struct arena rest = {NULL};

    if (arena->blocks == NULL)
        return;
    rest.blocks = arena->blocks->next;
    arena_free(&rest);
    arena->blocks->next = NULL;
    arena->blocks->used = 0;
}

void arena_free(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *next = arena->blocks->next;

        free(arena->blocks);
        arena->blocks = next;
    }
}

void *row_grow(void *row, size_t *cap, size_t count, size_t size)
{
    if (count < *cap)
        return row;
    *cap = *cap == 0 ? 16 : 2 * *cap;
    row = realloc(row, *cap * size);
    if (row == NULL)
        abort();
    return row;
}
