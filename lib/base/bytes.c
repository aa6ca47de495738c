/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Checked reading from memory, and a growing buffer to write to.
 */
#include "bytes.h"

#include <string.h>

void rkv_reader_init(struct rkv_reader *r, const void *data, size_t len)
{
    static const uint8_t nothing[1];

    /* Pointer arithmetic wants a real object even when there are no bytes. */
    r->at = len == 0 ? nothing : data;
    r->end = r->at + len;
    r->failed = false;
}

size_t rkv_reader_left(const struct rkv_reader *r)
{
    return r->failed ? 0 : (size_t)(r->end - r->at);
}

bool rkv_reader_done(const struct rkv_reader *r)
{
    return !r->failed && r->at == r->end;
}

const uint8_t *rkv_read_bytes(struct rkv_reader *r, size_t len)
{
    const uint8_t *at = r->at;

    if (rkv_reader_left(r) < len || r->failed) {
        r->failed = true;
        return NULL;
    }
    r->at += len;
    return at;
}

uint8_t rkv_read_u8(struct rkv_reader *r)
{
    const uint8_t *at = rkv_read_bytes(r, 1);

    return at == NULL ? 0 : *at;
}

uint32_t rkv_read_u32(struct rkv_reader *r)
{
    const uint8_t *at = rkv_read_bytes(r, 4);

    return at == NULL ? 0 : rkv_get_u32(at);
}

uint64_t rkv_read_u64(struct rkv_reader *r)
{
    const uint8_t *at = rkv_read_bytes(r, 8);

    return at == NULL ? 0 : rkv_get_u64(at);
}

uint64_t rkv_read_varint(struct rkv_reader *r)
{
    uint64_t value = 0;

    for (int shift = 0; shift < 70; shift += 7) {
        uint8_t byte = rkv_read_u8(r);

        if (r->failed)
            return 0;
        /* The tenth byte holds one bit, and no last byte but the first may be
         * zero: one number, one spelling. */
        if ((shift == 63 && byte > 1) || (shift > 0 && byte == 0))
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    r->failed = true;
    return 0;
}

int64_t rkv_read_svarint(struct rkv_reader *r)
{
    uint64_t v = rkv_read_varint(r);

    return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

uint32_t rkv_read_varint32(struct rkv_reader *r)
{
    uint64_t v = rkv_read_varint(r);

    if (v > UINT32_MAX) {
        r->failed = true;
        return 0;
    }
    return (uint32_t)v;
}

const uint8_t *rkv_read_blob(struct rkv_reader *r, size_t *len)
{
    uint64_t claimed = rkv_read_varint(r);

    *len = 0;
    if (claimed > rkv_reader_left(r)) {
        r->failed = true;
        return NULL;
    }
    *len = (size_t)claimed;
    return rkv_read_bytes(r, *len);
}

void rkv_buffer_init(struct rkv_buffer *b, const struct rkv_allocator *a)
{
    memset(b, 0, sizeof *b);
    b->allocator = a;
}

void rkv_buffer_free(struct rkv_buffer *b)
{
    rkv_release(b->allocator, b->data, b->cap);
    rkv_buffer_init(b, b->allocator);
}

void rkv_buffer_clear(struct rkv_buffer *b)
{
    b->len = 0;
    b->failed = false;
}

bool rkv_buffer_reserve(struct rkv_buffer *b, size_t n)
{
    void *data = b->data;

    if (b->failed)
        return false;
    if (n <= b->cap - b->len)
        return true;
    if (n > SIZE_MAX - b->len ||
        rkv_grow(b->allocator, &data, &b->cap, b->len + n, 1) != RKV_OK) {
        b->failed = true;
        return false;
    }
    b->data = data;
    return true;
}

void rkv_write_u8(struct rkv_buffer *b, uint8_t v)
{
    if (rkv_buffer_reserve(b, 1))
        b->data[b->len++] = v;
}

void rkv_write_u32(struct rkv_buffer *b, uint32_t v)
{
    if (!rkv_buffer_reserve(b, 4))
        return;
    rkv_put_u32(b->data + b->len, v);
    b->len += 4;
}

void rkv_write_u64(struct rkv_buffer *b, uint64_t v)
{
    if (!rkv_buffer_reserve(b, 8))
        return;
    rkv_put_u64(b->data + b->len, v);
    b->len += 8;
}

void rkv_write_varint(struct rkv_buffer *b, uint64_t v)
{
    if (!rkv_buffer_reserve(b, 10))
        return;
    for (; v >= 0x80; v >>= 7)
        b->data[b->len++] = (uint8_t)(v | 0x80);
    b->data[b->len++] = (uint8_t)v;
}

void rkv_write_svarint(struct rkv_buffer *b, int64_t v)
{
    rkv_write_varint(b, (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0));
}

void rkv_write_bytes(struct rkv_buffer *b, const void *data, size_t len)
{
    if (len == 0 || !rkv_buffer_reserve(b, len))
        return;
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

void rkv_write_blob(struct rkv_buffer *b, const void *data, size_t len)
{
    rkv_write_varint(b, len);
    rkv_write_bytes(b, data, len);
}
