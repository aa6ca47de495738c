/* SPDX-License-Identifier: BSD-2-Clause
 *
 * common/buffer.h - bytes being gathered.  A buffer that could not grow
 * remembers it and swallows the rest, so one look at `failed` is enough.
 */
#ifndef SERVER_BUFFER_H
#define SERVER_BUFFER_H

#include <stdint.h>
#include <string.h>

#include "bytes.h"

struct buffer {
    char *at;
    size_t len;
    size_t cap;
    bool failed;
};

void buffer_free(struct buffer *buffer);
/* Empty again; memory above keep bytes is given back. */
void buffer_reset(struct buffer *buffer, size_t keep);
/* Room for len more bytes; false and failed when there is none. */
bool buffer_reserve(struct buffer *buffer, size_t len);
void buffer_add(struct buffer *buffer, const void *data, size_t len);
void buffer_text(struct buffer *buffer, const char *text);
void buffer_byte(struct buffer *buffer, char byte);
void buffer_u64(struct buffer *buffer, uint64_t number);
void buffer_i64(struct buffer *buffer, int64_t number);
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Takes the first len bytes away. */
void buffer_shift(struct buffer *buffer, size_t len);

#endif
