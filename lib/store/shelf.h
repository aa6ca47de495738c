/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/store/shelf.h - payload bytes in the order they came, in large blocks
 * that are used again.  Nothing put here moves.  Bytes are given back one
 * payload at a time, mostly from the oldest on; a block is free when all of
 * its payloads are.
 */
#ifndef RKV_STORE_SHELF_H
#define RKV_STORE_SHELF_H

#include "../base/alloc.h"

struct rkv_block;

struct rkv_shelf {
    const struct rkv_allocator *allocator;
    struct rkv_block *oldest;
    struct rkv_block *newest;
    struct rkv_block *filling; /* takes small payloads; may be NULL */
    struct rkv_block *spare;   /* empty, of standard size */
    struct rkv_block *parked;  /* empty, but pinned */
    uint32_t spare_count;
    uint32_t pins;
};

void rkv_shelf_init(struct rkv_shelf *shelf, const struct rkv_allocator *a);
void rkv_shelf_free(struct rkv_shelf *shelf);
/* A copy of the bytes, len > 0.  NULL: no memory. */
void *rkv_shelf_put(struct rkv_shelf *shelf, const void *data, size_t len);
/* What put gave is no longer wanted. */
void rkv_shelf_drop(struct rkv_shelf *shelf, const void *bytes);
/* While pinned, dropped bytes stay as they are. */
void rkv_shelf_pin(struct rkv_shelf *shelf);
void rkv_shelf_unpin(struct rkv_shelf *shelf);

#endif
