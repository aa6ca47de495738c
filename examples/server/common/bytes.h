/* SPDX-License-Identifier: BSD-2-Clause
 *
 * common/bytes.h - some bytes that somebody else owns: a pointer and a
 * length, laid out like the pairs in the library's records, so that one
 * description of a message fits both.
 */
#ifndef SERVER_BYTES_H
#define SERVER_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const void *at;
    size_t len;
};

/* A sequence of equal records, or of pointers. */
struct list {
    const void *at;
    size_t count;
};

static inline struct bytes bytes_of(const void *at, size_t len)
{
    return (struct bytes){at, len};
}

static inline struct bytes bytes_text(const char *text)
{
    return (struct bytes){text, strlen(text)};
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline bool bytes_are(struct bytes a, const char *text)
{
    return bytes_equal(a, bytes_text(text));
}

static inline bool bytes_start(struct bytes a, const char *text)
{
    size_t len = strlen(text);
    return a.len >= len && memcmp(a.at, text, len) == 0;
}

/* Numbers as they travel, the small end first. */
static inline void bytes_put_u64(char *at, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        at[i] = (char)(value >> (8 * i) & 255);
}

static inline uint64_t bytes_u64(const char *at)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value |= (uint64_t)(unsigned char)at[i] << (8 * i);
    return value;
}

/* Bytewise order; a beginning comes before what it begins. */
static inline int bytes_order(struct bytes a, struct bytes b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.at, b.at, len) : 0;
    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

#endif
