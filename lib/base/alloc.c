/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The allocator: one function pointer in, a handful of conveniences out.
 */
#include "alloc.h"

#include <stdlib.h>
#include <string.h>

static void *libc_resize(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
    (void)ctx;
    (void)old_size;
    if (new_size == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, new_size);
}

struct rkv_allocator rkv_alloc_choose(const struct rkv_allocator *given)
{
    struct rkv_allocator libc = {.resize = libc_resize, .ctx = NULL};

    return given != NULL ? *given : libc;
}

void *rkv_alloc(const struct rkv_allocator *a, size_t size)
{
    return size == 0 ? NULL : a->resize(a->ctx, NULL, 0, size);
}

void *rkv_alloc_zeroed(const struct rkv_allocator *a, size_t size)
{
    void *ptr = rkv_alloc(a, size);

    if (ptr != NULL)
        memset(ptr, 0, size);
    return ptr;
}

void *rkv_resize(const struct rkv_allocator *a, void *ptr, size_t old_size,
                 size_t new_size)
{
    return a->resize(a->ctx, ptr, old_size, new_size);
}

void rkv_release(const struct rkv_allocator *a, void *ptr, size_t size)
{
    if (ptr != NULL && size != 0)
        (void)a->resize(a->ctx, ptr, size, 0);
}

bool rkv_mul(size_t count, size_t size, size_t *out)
{
    return !__builtin_mul_overflow(count, size, out);
}

int rkv_grow(const struct rkv_allocator *a, void **array, size_t *cap,
             size_t wanted, size_t size)
{
    size_t grown = *cap < 8 ? 8 : *cap;
    size_t bytes;
    void *moved;

    if (wanted <= *cap)
        return RKV_OK;
    while (grown < wanted) {
        if (grown > SIZE_MAX / 2)
            return RKV_ENOMEM;
        grown *= 2;
    }
    if (!rkv_mul(grown, size, &bytes))
        return RKV_ENOMEM;
    moved = rkv_resize(a, *array, *cap * size, bytes);
    if (moved == NULL)
        return RKV_ENOMEM;
    *array = moved;
    *cap = grown;
    return RKV_OK;
}
