/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/wire/code.h - what the encoders of this room share.  Every encoder
 * knows its exact size beforehand: it asks for the room once, with
 * rkv_part_begin() or rkv_buffer_reserve(), and then lays numbers down
 * through a plain pointer that comes out where the size said it would.
 */
#ifndef RKV_WIRE_CODE_H
#define RKV_WIRE_CODE_H

#include <assert.h>
#include <string.h>

#include "wire.h"

/* Bytes v takes as a varint: 1 to 10. */
static inline size_t rkv_varint_size(uint64_t v)
{
    size_t n = 1;
    for (; v >= 0x80; v >>= 7)
        n++;
    return n;
}

static inline uint8_t *rkv_put_varint(uint8_t *p, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *p++ = (uint8_t)(v | 0x80);
    *p++ = (uint8_t)v;
    return p;
}

/* rkv_read_varint() with its most frequent case, one byte, in line. */
static inline uint64_t rkv_take_varint(struct rkv_reader *r)
{
    if (!r->failed && r->at < r->end && *r->at < 0x80)
        return *r->at++;
    return rkv_read_varint(r);
}

/* Appends the head of a part and makes room for its body, which the caller
 * fills to the last byte.  NULL: no memory, now or earlier; nothing was
 * appended. */
uint8_t *rkv_part_begin(struct rkv_buffer *frame, uint64_t group, uint32_t kind,
                        size_t body_len);
/* The most the head of a part takes. */
enum { RKV_PART_HEAD_MAX = 10 + 1 + 10 };

/* The entries of an append, entry.c: how many bytes, lay them down, and read
 * msg->count of them into room, which has space for them. */
size_t rkv_entries_size(const struct rkv_raft_msg *msg,
                        const struct rkv_entry *entries);
uint8_t *rkv_entries_put(uint8_t *p, const struct rkv_raft_msg *msg,
                         const struct rkv_entry *entries);
int rkv_entries_read(struct rkv_reader *body, const struct rkv_raft_msg *msg,
                     const struct rkv_message_room *room);

#endif
