/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the tests of wire share.
 */
#include "support.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static void *malloc_resize(void *ctx, void *ptr, size_t old_size,
                           size_t new_size);
static void *poor_resize(void *ctx, void *ptr, size_t old_size,
                         size_t new_size);
static void expect_canonical(wire_recode recode, const uint8_t *body,
                             size_t len);

static const struct rkv_allocator on_malloc = {malloc_resize, NULL};

struct rkv_buffer wire_buffer(void)
{
    struct rkv_buffer buffer;
    rkv_buffer_init(&buffer, &on_malloc);
    return buffer;
}

struct rkv_allocator wire_poor_allocator(int *n)
{
    return (struct rkv_allocator){poor_resize, n};
}

uint8_t *wire_copy(const void *data, size_t len)
{
    uint8_t *copy = malloc(len);
    ck_assert(copy != NULL || len == 0);
    if (len > 0)
        memcpy(copy, data, len);
    return copy;
}

void wire_expect_hex(const void *data, size_t len, const char *hex)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *bytes = data;
    char *have = malloc(2 * len + 1);
    char *want = malloc(strlen(hex) + 1);
    size_t n = 0;

    ck_assert(have != NULL && want != NULL);
    for (size_t i = 0; i < len; i++) {
        have[2 * i] = digits[bytes[i] >> 4];
        have[2 * i + 1] = digits[bytes[i] & 15];
    }
    have[2 * len] = '\0';
    for (const char *p = hex; *p != '\0'; p++)
        if (*p != ' ')
            want[n++] = *p;
    want[n] = '\0';
    ck_assert_str_eq(have, want);
    free(have);
    free(want);
}

uint64_t wire_random(struct rkv_prng *prng)
{
    uint64_t bits = rkv_prng_below(prng, 80);
    if (bits == 0 || bits > 64)
        return 0;
    return rkv_prng_next(prng) >> (64 - bits);
}

void wire_expect_exact(wire_recode recode, const void *body, size_t len)
{
    struct rkv_buffer out = wire_buffer();
    uint8_t *bytes = wire_copy(body, len);

    ck_assert_int_eq(recode(bytes, len, &out), RKV_OK);
    ck_assert_uint_eq(out.len, len);
    ck_assert_mem_eq(out.data, bytes, len);

    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *beginning = wire_copy(bytes, cut);
        rkv_buffer_clear(&out);
        ck_assert_int_lt(recode(beginning, cut, &out), 0);
        free(beginning);
    }

    uint8_t *longer = malloc(len + 1);
    ck_assert_ptr_nonnull(longer);
    memcpy(longer, bytes, len);
    longer[len] = 0;
    rkv_buffer_clear(&out);
    ck_assert_int_lt(recode(longer, len + 1, &out), 0);
    free(longer);

    for (size_t bit = 0; bit < 8 * len; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        expect_canonical(recode, bytes, len);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    free(bytes);
    rkv_buffer_free(&out);
}

static void expect_canonical(wire_recode recode, const uint8_t *body,
                             size_t len)
{
    struct rkv_buffer out = wire_buffer();
    if (recode(body, len, &out) == RKV_OK) {
        ck_assert_uint_eq(out.len, len);
        ck_assert_mem_eq(out.data, body, len);
    }
    rkv_buffer_free(&out);
}

static void *malloc_resize(void *ctx, void *ptr, size_t old_size,
                           size_t new_size)
{
    (void)ctx;
    (void)old_size;
    if (new_size > 0)
        return realloc(ptr, new_size);
    free(ptr);
    return NULL;
}

static void *poor_resize(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
    int *left = ctx;
    if (new_size > 0 && (*left)-- <= 0)
        return NULL;
    return malloc_resize(NULL, ptr, old_size, new_size);
}
