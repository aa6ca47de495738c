/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the tests of base share.
 */
#include "support.h"

#include <stdlib.h>
#include <string.h>

enum { FRONT_BYTES = 16 };

/* A block always moves, and leaves nothing behind: who still looks at the old
 * one is found out. */
static void *heap_resize(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
    struct base_heap *heap = ctx;
    uint8_t *block = ptr == NULL ? NULL : (uint8_t *)ptr - FRONT_BYTES;
    uint8_t *moved;
    size_t size = 0;

    if (block != NULL)
        memcpy(&size, block, sizeof size);
    if (size != old_size)
        heap->was_lied_to = true;
    if (new_size > 0 && heap->left == 0)
        return NULL;
    heap->bytes -= size;
    heap->blocks -= block != NULL;
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    if (heap->left > 0)
        heap->left--;
    moved = malloc(FRONT_BYTES + new_size);
    if (moved == NULL)
        abort();
    memcpy(moved, &new_size, sizeof new_size);
    if (block != NULL) {
        memcpy(moved + FRONT_BYTES, ptr, size < new_size ? size : new_size);
        memset(ptr, 0xdd, size);
        free(block);
    }
    heap->bytes += new_size;
    heap->blocks++;
    return moved + FRONT_BYTES;
}

struct rkv_allocator base_allocator(struct base_heap *heap)
{
    *heap = (struct base_heap){.left = -1};
    return (struct rkv_allocator){heap_resize, heap};
}
