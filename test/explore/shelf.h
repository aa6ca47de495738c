/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/explore/shelf.h - things that never move, and tables of numbers.  Ends
 * the program when there is no memory.
 */
#ifndef RKV_TEST_EXPLORE_SHELF_H
#define RKV_TEST_EXPLORE_SHELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *must_have(void *ptr);

/* Of one size, by number; all bytes are 0 at first. */
struct shelf {
    void **blocks;
    uint32_t count;
    size_t size;
    size_t memory;
};
void shelf_open(struct shelf *s, size_t size);
void shelf_close(struct shelf *s);
void *shelf_at(const struct shelf *s, uint32_t at);
void *shelf_add(struct shelf *s);

/* From numbers that are not 0 to others. */
struct table {
    uint64_t *keys;
    uint32_t *values;
    uint64_t mask;
    uint64_t count;
};
void table_open(struct table *t);
void table_close(struct table *t);
void table_put(struct table *t, uint64_t key, uint32_t value);
bool table_get(const struct table *t, uint64_t key, uint32_t *value);
size_t table_memory(const struct table *t);

/* A hash as a key. */
static inline uint64_t table_key(uint64_t hash)
{
    return hash == 0 ? 1 : hash;
}

#endif
