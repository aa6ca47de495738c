/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/base/alloc.h - memory through the caller's rkv_allocator, or malloc
 * when there is none.  Sizes are exact on both ends, so a test's allocator
 * can count every byte.
 */
#ifndef RKV_BASE_ALLOC_H
#define RKV_BASE_ALLOC_H

#include <raftkv/base.h>
#include <stdbool.h>

/* The allocator to keep in a handle: *given, or malloc for NULL. */
struct rkv_allocator rkv_alloc_choose(const struct rkv_allocator *given);

/* NULL: no memory.  Zeroed when asked so. */
void *rkv_alloc(const struct rkv_allocator *a, size_t size);
void *rkv_alloc_zeroed(const struct rkv_allocator *a, size_t size);
/* Keeps the contents; on NULL the old block is still there. */
void *rkv_resize(const struct rkv_allocator *a, void *ptr, size_t old_size,
                 size_t new_size);
/* ptr NULL or size 0: nothing happens. */
void rkv_release(const struct rkv_allocator *a, void *ptr, size_t size);

/* count * size, or false when it does not fit. */
bool rkv_mul(size_t count, size_t size, size_t *out);

/* Grows an array of `size`-byte elements to hold at least `wanted`, doubling
 * from 8.  *cap is in elements.  RKV_OK or RKV_ENOMEM (nothing changed). */
int rkv_grow(const struct rkv_allocator *a, void **array, size_t *cap,
             size_t wanted, size_t size);

#endif
