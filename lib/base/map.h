/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/base/map.h - a hash map from uint64_t to a pointer, open addressing.
 * Never iterated in table order, so that no behaviour depends on it: who
 * needs an order keeps a list beside it.
 */
#ifndef RKV_BASE_MAP_H
#define RKV_BASE_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "alloc.h"

struct rkv_map_slot {
    uint64_t key;
    void *value; /* NULL: free */
};

struct rkv_map {
    const struct rkv_allocator *allocator;
    struct rkv_map_slot *slots;
    size_t cap; /* a power of two, or 0 */
    size_t count;
};

void rkv_map_init(struct rkv_map *map, const struct rkv_allocator *a);
void rkv_map_free(struct rkv_map *map);
void *rkv_map_get(const struct rkv_map *map, uint64_t key);
/* value must not be NULL; replaces.  RKV_OK or RKV_ENOMEM. */
int rkv_map_set(struct rkv_map *map, uint64_t key, void *value);
/* The value that was there, or NULL. */
void *rkv_map_remove(struct rkv_map *map, uint64_t key);

#endif
