/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Open addressing with linear probing, at most three quarters full; removal
 * moves followers back, so there are no tombstones to clean up.
 */
#include "map.h"

#include <string.h>

#include "hash.h"

void rkv_map_init(struct rkv_map *map, const struct rkv_allocator *a)
{
    memset(map, 0, sizeof *map);
    map->allocator = a;
}

void rkv_map_free(struct rkv_map *map)
{
    rkv_release(map->allocator, map->slots, map->cap * sizeof *map->slots);
    rkv_map_init(map, map->allocator);
}

static size_t home(const struct rkv_map *map, uint64_t key)
{
    return (size_t)rkv_mix64(key, 0) & (map->cap - 1);
}

/* The slot of key, or the free one where it would go; cap must not be 0. */
static struct rkv_map_slot *find(const struct rkv_map *map, uint64_t key)
{
    size_t i = home(map, key);

    while (map->slots[i].value != NULL && map->slots[i].key != key)
        i = (i + 1) & (map->cap - 1);
    return &map->slots[i];
}

void *rkv_map_get(const struct rkv_map *map, uint64_t key)
{
    return map->cap == 0 ? NULL : find(map, key)->value;
}

static int grow(struct rkv_map *map)
{
    struct rkv_map bigger = {.allocator = map->allocator};
    size_t bytes;

    bigger.cap = map->cap == 0 ? 16 : map->cap * 2;
    if (!rkv_mul(bigger.cap, sizeof *bigger.slots, &bytes))
        return RKV_ENOMEM;
    bigger.slots = rkv_alloc_zeroed(map->allocator, bytes);
    if (bigger.slots == NULL)
        return RKV_ENOMEM;
    for (size_t i = 0; i < map->cap; i++)
        if (map->slots[i].value != NULL)
            *find(&bigger, map->slots[i].key) = map->slots[i];
    bigger.count = map->count;
    rkv_map_free(map);
    *map = bigger;
    return RKV_OK;
}

int rkv_map_set(struct rkv_map *map, uint64_t key, void *value)
{
    struct rkv_map_slot *slot;

    if ((map->count + 1) * 4 > map->cap * 3 && grow(map) != RKV_OK)
        return RKV_ENOMEM;
    slot = find(map, key);
    if (slot->value == NULL)
        map->count++;
    slot->key = key;
    slot->value = value;
    return RKV_OK;
}

void *rkv_map_remove(struct rkv_map *map, uint64_t key)
{
    struct rkv_map_slot *slot;
    size_t hole, i;
    void *value;

    if (map->cap == 0)
        return NULL;
    slot = find(map, key);
    value = slot->value;
    if (value == NULL)
        return NULL;
    map->count--;
    hole = (size_t)(slot - map->slots);
    slot->value = NULL;
    for (i = (hole + 1) & (map->cap - 1); map->slots[i].value != NULL;
         i = (i + 1) & (map->cap - 1)) {
        size_t from_home = (i - home(map, map->slots[i].key)) & (map->cap - 1);
        size_t from_hole = (i - hole) & (map->cap - 1);

        if (from_home < from_hole)
            continue;
        map->slots[hole] = map->slots[i];
        map->slots[i].value = NULL;
        hole = i;
    }
    return value;
}
