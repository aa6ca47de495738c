/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Memory that is counted and can run out.
 */
#include "memory.h"

#include <sqlite3.h>
#include <stdlib.h>

#include "world.h"

static struct memory *acting;
static sqlite3_mem_methods real;

static bool is_refused(void)
{
    if (acting == NULL || !fuse_blows(&acting->fuse))
        return false;
    acting->refused++;
    return true;
}

static void *resize(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
    struct memory *memory = ctx;
    void *block;

    if (purity_in_core())
        world_break(memory->world, "the core allocates nothing",
                    "%zu bytes were asked for within a step or drain",
                    new_size);
    if (new_size == 0) {
        free(ptr);
        memory->held -= old_size;
        return NULL;
    }
    if (acting == memory && is_refused())
        return NULL;
    block = realloc(ptr, new_size);
    if (block == NULL)
        abort();
    memory->held += new_size - old_size;
    return block;
}

static void *sqlite_alloc(int size)
{
    return is_refused() ? NULL : real.xMalloc(size);
}

static void *sqlite_resize(void *block, int size)
{
    return is_refused() ? NULL : real.xRealloc(block, size);
}

void memory_begin(void)
{
    sqlite3_mem_methods ours;

    (void)sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real);
    ours = real;
    ours.xMalloc = sqlite_alloc;
    ours.xRealloc = sqlite_resize;
    if (sqlite3_config(SQLITE_CONFIG_SINGLETHREAD) != SQLITE_OK ||
        sqlite3_config(SQLITE_CONFIG_MALLOC, &ours) != SQLITE_OK ||
        sqlite3_initialize() != SQLITE_OK)
        abort();
}

void memory_init(struct memory *memory, struct world *w)
{
    *memory = (struct memory){.world = w, .fuse = {.left = -1}};
    memory->allocator.resize = resize;
    memory->allocator.ctx = memory;
}

void memory_starve(struct memory *memory, uint64_t after, bool for_ever)
{
    memory->fuse = (struct fuse){(int64_t)after, for_ever};
}

bool memory_is_gone(const struct memory *memory)
{
    return memory->fuse.left == 0 && memory->fuse.for_ever;
}

void memory_feed(struct memory *memory)
{
    memory->fuse.left = -1;
}

void memory_act(struct memory *memory)
{
    acting = memory;
}

void memory_rest(void)
{
    acting = NULL;
}
