/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the fuzz targets of wire hold every decoder to: what it accepts, its
 * encoder writes again to the byte.
 */
#ifndef RKV_TEST_FUZZ_EXACT_H
#define RKV_TEST_FUZZ_EXACT_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/recode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef int (*exact_recode)(const uint8_t *data, size_t len,
                            struct rkv_buffer *out);

static inline void exact_require(int truth)
{
    if (!truth)
        abort();
}

static inline void exact_run(exact_recode recode, const uint8_t *data,
                             size_t size)
{
    struct rkv_allocator allocator = rkv_alloc_choose(NULL);
    struct rkv_buffer out;

    rkv_buffer_init(&out, &allocator);
    if (recode(data, size, &out) == RKV_OK) {
        exact_require(!out.failed);
        exact_require(out.len == size);
        exact_require(size == 0 || memcmp(out.data, data, size) == 0);
    }
    rkv_buffer_free(&out);
}

#endif
