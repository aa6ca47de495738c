/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/base/bytes.h - reading and writing little-endian numbers and varints in
 * memory, checked.  A reader never passes its end: the first read that would
 * marks it failed, and every later one gives zero, so one check at the end of
 * a decoder is enough.  A buffer grows through an allocator and remembers
 * that it could not.
 */
#ifndef RKV_BASE_BYTES_H
#define RKV_BASE_BYTES_H

#include <raftkv/base.h>
#include <stdbool.h>
#include <string.h>

#include "alloc.h"

/* Without a loop, compilers make one store of it. */
static inline void rkv_put_u32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}

static inline void rkv_put_u64(uint8_t *p, uint64_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
    p[4] = (uint8_t)(v >> 32);
    p[5] = (uint8_t)(v >> 40);
    p[6] = (uint8_t)(v >> 48);
    p[7] = (uint8_t)(v >> 56);
}

static inline uint32_t rkv_get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

static inline uint64_t rkv_get_u64(const uint8_t *p)
{
    return (uint64_t)rkv_get_u32(p) | (uint64_t)rkv_get_u32(p + 4) << 32;
}

struct rkv_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

void rkv_reader_init(struct rkv_reader *r, const void *data, size_t len);
size_t rkv_reader_left(const struct rkv_reader *r);
/* True when nothing failed and nothing is left. */
bool rkv_reader_done(const struct rkv_reader *r);
uint8_t rkv_read_u8(struct rkv_reader *r);
uint32_t rkv_read_u32(struct rkv_reader *r);
uint64_t rkv_read_u64(struct rkv_reader *r);
/* LEB128, at most 10 bytes, shortest form only: another form fails. */
uint64_t rkv_read_varint(struct rkv_reader *r);
/* zigzag */
int64_t rkv_read_svarint(struct rkv_reader *r);
/* A varint that must fit 32 bits. */
uint32_t rkv_read_varint32(struct rkv_reader *r);
/* len bytes in place; NULL when they are not there (or len is 0 and failed). */
const uint8_t *rkv_read_bytes(struct rkv_reader *r, size_t len);
/* varint length, then that many bytes. */
const uint8_t *rkv_read_blob(struct rkv_reader *r, size_t *len);

struct rkv_buffer {
    const struct rkv_allocator *allocator;
    uint8_t *data;
    size_t len;
    size_t cap;
    bool failed; /* an append found no memory; data is what was before it */
};

void rkv_buffer_init(struct rkv_buffer *b, const struct rkv_allocator *a);
void rkv_buffer_free(struct rkv_buffer *b);
/* Empties it and forgets failure; keeps the memory. */
void rkv_buffer_clear(struct rkv_buffer *b);
/* Makes room for n more bytes: false and failed when there is no memory. */
bool rkv_buffer_reserve(struct rkv_buffer *b, size_t n);
void rkv_write_u8(struct rkv_buffer *b, uint8_t v);
void rkv_write_u32(struct rkv_buffer *b, uint32_t v);
void rkv_write_u64(struct rkv_buffer *b, uint64_t v);
void rkv_write_varint(struct rkv_buffer *b, uint64_t v);
void rkv_write_svarint(struct rkv_buffer *b, int64_t v);
void rkv_write_bytes(struct rkv_buffer *b, const void *data, size_t len);
void rkv_write_blob(struct rkv_buffer *b, const void *data, size_t len);

/* Says where the next bytes go; data may be NULL when there are none. */
static inline uint8_t *rkv_put_bytes(uint8_t *p, const void *data, size_t len)
{
    if (len > 0)
        memcpy(p, data, len);
    return p + len;
}

#endif
