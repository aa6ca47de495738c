/* SPDX-License-Identifier: BSD-2-Clause
 *
 * common/buffer.c - the growing buffer: doubling, and decimal numbers
 * without a detour through a format.
 */
#include "buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buffer_free(struct buffer *buffer)
{
    free(buffer->at);
    *buffer = (struct buffer){0};
}

void buffer_reset(struct buffer *buffer, size_t keep)
{
    if (buffer->cap > keep || buffer->failed)
        buffer_free(buffer);
    buffer->len = 0;
}

bool buffer_reserve(struct buffer *buffer, size_t len)
{
    if (buffer->failed)
        return false;
    if (len <= buffer->cap - buffer->len)
        return true;
    if (len > SIZE_MAX / 4 || buffer->len > SIZE_MAX / 4) {
        buffer->failed = true;
        return false;
    }
    size_t cap = buffer->cap ? buffer->cap : 256;
    while (cap - buffer->len < len)
        cap *= 2;
    char *at = realloc(buffer->at, cap);
    if (!at) {
        buffer->failed = true;
        return false;
    }
    buffer->at = at;
    buffer->cap = cap;
    return true;
}

void buffer_add(struct buffer *buffer, const void *data, size_t len)
{
    if (len == 0 || !buffer_reserve(buffer, len))
        return;
    memcpy(buffer->at + buffer->len, data, len);
    buffer->len += len;
}

void buffer_text(struct buffer *buffer, const char *text)
{
    buffer_add(buffer, text, strlen(text));
}

void buffer_byte(struct buffer *buffer, char byte)
{
    buffer_add(buffer, &byte, 1);
}

void buffer_u64(struct buffer *buffer, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    buffer_add(buffer, digits + at, sizeof digits - at);
}

void buffer_i64(struct buffer *buffer, int64_t number)
{
    if (number < 0) {
        buffer_byte(buffer, '-');
        buffer_u64(buffer, (uint64_t)0 - (uint64_t)number);
    } else {
        buffer_u64(buffer, (uint64_t)number);
    }
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list args;
    char small[256];

    va_start(args, format);
    int len = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if (len < 0) {
        buffer->failed = true;
        return;
    }
    if ((size_t)len < sizeof small) {
        buffer_add(buffer, small, (size_t)len);
        return;
    }
    if (!buffer_reserve(buffer, (size_t)len + 1))
        return;
    va_start(args, format);
    vsnprintf(buffer->at + buffer->len, (size_t)len + 1, format, args);
    va_end(args);
    buffer->len += (size_t)len;
}

void buffer_shift(struct buffer *buffer, size_t len)
{
    if (len == 0)
        return;
    buffer->len -= len;
    memmove(buffer->at, buffer->at + len, buffer->len);
}
