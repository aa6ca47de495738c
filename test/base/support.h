/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the tests of base share: an allocator that counts, checks the sizes it
 * is told and can run dry.
 */
#ifndef RKV_TEST_BASE_SUPPORT_H
#define RKV_TEST_BASE_SUPPORT_H

#include "base/alloc.h"

struct base_heap {
    size_t bytes;     /* held now */
    size_t blocks;    /* held now */
    int left;         /* requests that will be granted; negative: all */
    bool was_lied_to; /* a size that is not the block's */
};

/* Every block remembers its size in front of itself. */
struct rkv_allocator base_allocator(struct base_heap *heap);

#endif
