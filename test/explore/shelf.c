/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/explore/shelf.c - see shelf.h.
 */
#include "shelf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 1024, BLOCKS_MAX = 1 << 16, TABLE_FIRST = 1 << 12 };

void *must_have(void *ptr)
{
    if (ptr == NULL) {
        fputs("explore: no memory\n", stderr);
        exit(2);
    }
    return ptr;
}

void shelf_open(struct shelf *s, size_t size)
{
    *s = (struct shelf){.size = size};
    s->blocks = must_have(calloc(BLOCKS_MAX, sizeof *s->blocks));
}

void shelf_close(struct shelf *s)
{
    for (uint32_t i = 0; i < BLOCKS_MAX && s->blocks[i] != NULL; i++)
        free(s->blocks[i]);
    free(s->blocks);
    memset(s, 0, sizeof *s);
}

void *shelf_at(const struct shelf *s, uint32_t at)
{
    return (unsigned char *)s->blocks[at / BLOCK] + at % BLOCK * s->size;
}

void *shelf_add(struct shelf *s)
{
    uint32_t block = s->count / BLOCK;

    if (block == BLOCKS_MAX) {
        fputs("explore: too many to keep apart\n", stderr);
        exit(2);
    }
    if (s->blocks[block] == NULL) {
        s->blocks[block] = must_have(calloc(BLOCK, s->size));
        s->memory += BLOCK * s->size;
    }
    return shelf_at(s, s->count++);
}

/* Keys may be numbers in a row. */
static uint64_t slot_of(const struct table *t, uint64_t key)
{
    uint64_t at = (key * 0x9e3779b97f4a7c15u >> 24) & t->mask;

    while (t->keys[at] != 0 && t->keys[at] != key)
        at = (at + 1) & t->mask;
    return at;
}

static void open_sized(struct table *t, uint64_t size)
{
    t->mask = size - 1;
    t->count = 0;
    t->keys = must_have(calloc(size, sizeof *t->keys));
    t->values = must_have(calloc(size, sizeof *t->values));
}

void table_open(struct table *t)
{
    open_sized(t, TABLE_FIRST);
}

void table_close(struct table *t)
{
    free(t->keys);
    free(t->values);
    memset(t, 0, sizeof *t);
}

void table_put(struct table *t, uint64_t key, uint32_t value)
{
    uint64_t at;

    if (t->count * 3 > t->mask * 2) {
        struct table more;

        open_sized(&more, 2 * (t->mask + 1));
        for (uint64_t i = 0; i <= t->mask; i++)
            if (t->keys[i] != 0)
                table_put(&more, t->keys[i], t->values[i]);
        table_close(t);
        *t = more;
    }
    at = slot_of(t, key);
    t->keys[at] = key;
    t->values[at] = value;
    t->count++;
}

bool table_get(const struct table *t, uint64_t key, uint32_t *value)
{
    uint64_t at = slot_of(t, key);

    *value = t->values[at];
    return t->keys[at] == key;
}

size_t table_memory(const struct table *t)
{
    return (size_t)(t->mask + 1) * (sizeof *t->keys + sizeof *t->values);
}
