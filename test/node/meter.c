/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Counting on top of malloc.
 */
#include "meter.h"

#include <check.h>
#include <stdlib.h>

static void *metered(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
    struct meter *meter = ctx;
    void *moved;

    ck_assert_msg(!meter->closed, "memory is asked for where it must not be");
    if (new_size == 0) {
        meter->out -= old_size;
        free(ptr);
        return NULL;
    }
    meter->asked++;
    if (meter->fail_at != 0 &&
        (meter->asked == meter->fail_at ||
         (meter->for_ever && meter->asked > meter->fail_at)))
        return NULL;
    moved = realloc(ptr, new_size);
    ck_assert_ptr_nonnull(moved);
    meter->out += new_size - old_size;
    if (meter->out > meter->peak)
        meter->peak = meter->out;
    return moved;
}

struct rkv_allocator meter_allocator(struct meter *meter)
{
    return (struct rkv_allocator){.resize = metered, .ctx = meter};
}
