/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/wire/frame.c - what travels between members: a header of fixed size and
 * parts until the end.  A frame that opens is whole and undamaged; whether it
 * is for us, and from whom it says it is, is for the node to judge, and that
 * nobody forged it is for the link below to see to.
 *
 *        0        1        2        3        4                          8
 *      0 |  'R'   |  'K'   |  'V'   | version|   length of the frame    |
 *      8 |                           cluster                            |
 *     16 |                            from                              |
 *     24 |                             to                               |
 *     32 |          flags, 0                 |       reserved, 0        |
 *     40 |                            check                             |
 *     48 | part | part | ...                                            |
 *
 *     part:   varint group | u8 kind | varint length | body
 *
 * Numbers are little-endian.  The check runs over the 40 bytes before it and
 * then over the parts.  Magic, version and length stay where they are in all
 * versions to come, so that a stream can be split into frames by a member
 * that understands none of them.
 */
#include "code.h"

#include "../base/hash.h"

enum {
    AT_VERSION = 3,
    AT_LEN = 4,
    AT_CLUSTER = 8,
    AT_FROM = 16,
    AT_TO = 24,
    AT_FLAGS = 32,
    AT_RESERVED = 36,
    AT_CHECK = 40
};

static const uint8_t magic[AT_VERSION] = {'R', 'K', 'V'};
static const uint64_t check_seed = UINT64_C(0x316d72662d766b72);
static const uint64_t bytes_max_default = UINT64_C(2) << 20;

static uint64_t check_of(const uint8_t *frame, size_t len);

void rkv_frame_begin(struct rkv_buffer *frame, uint64_t cluster, uint64_t from,
                     uint64_t to)
{
    assert(frame->len == 0);
    if (frame->failed || !rkv_buffer_reserve(frame, RKV_FRAME_HEADER_BYTES))
        return;
    uint8_t *p = frame->data;
    frame->len = RKV_FRAME_HEADER_BYTES;
    memset(p, 0, RKV_FRAME_HEADER_BYTES);
    memcpy(p, magic, sizeof magic);
    p[AT_VERSION] = RKV_WIRE_VERSION;
    rkv_put_u64(p + AT_CLUSTER, cluster);
    rkv_put_u64(p + AT_FROM, from);
    rkv_put_u64(p + AT_TO, to);
}

void rkv_frame_end(struct rkv_buffer *frame)
{
    if (frame->failed)
        return;
    assert(frame->len >= RKV_FRAME_HEADER_BYTES);
    if (frame->len > UINT32_MAX) {
        frame->failed = true;
        return;
    }
    rkv_put_u32(frame->data + AT_LEN, (uint32_t)frame->len);
    rkv_put_u64(frame->data + AT_CHECK, check_of(frame->data, frame->len));
}

/* The check comes before the flags: what a damaged frame claims to need says
 * nothing about the peer's version. */
int rkv_frame_open(const void *data, size_t len, uint64_t bytes_max,
                   struct rkv_frame_header *header, struct rkv_reader *parts)
{
    const uint8_t *p = data;

    if (len > bytes_max)
        return RKV_ETOOBIG;
    if (len < RKV_FRAME_HEADER_BYTES || memcmp(p, magic, sizeof magic) != 0)
        return RKV_EMALFORMED;
    if (p[AT_VERSION] != RKV_WIRE_VERSION)
        return RKV_EVERSION;
    if (rkv_get_u32(p + AT_LEN) != len)
        return RKV_EMALFORMED;
    if (rkv_get_u64(p + AT_CHECK) != check_of(p, len))
        return RKV_EMALFORMED;
    if (rkv_get_u32(p + AT_FLAGS) != 0 || rkv_get_u32(p + AT_RESERVED) != 0)
        return RKV_EVERSION;

    header->cluster = rkv_get_u64(p + AT_CLUSTER);
    header->from = rkv_get_u64(p + AT_FROM);
    header->to = rkv_get_u64(p + AT_TO);
    header->len = (uint32_t)len;
    header->flags = 0;
    rkv_reader_init(parts, p + RKV_FRAME_HEADER_BYTES,
                    len - RKV_FRAME_HEADER_BYTES);
    return RKV_OK;
}

/* Looks at as many bytes as there are, so that a stream that is none of ours
 * is refused at its first byte. */
int64_t rkv_frame_len(const void *data, size_t len, uint64_t frame_bytes_max)
{
    const uint8_t *p = data;
    size_t seen = len < sizeof magic ? len : sizeof magic;
    uint64_t max = frame_bytes_max ? frame_bytes_max : bytes_max_default;

    if (seen > 0 && memcmp(p, magic, seen) != 0)
        return RKV_EMALFORMED;
    if (len < AT_CLUSTER)
        return 0;
    uint32_t told = rkv_get_u32(p + AT_LEN);
    if (told < RKV_FRAME_HEADER_BYTES)
        return RKV_EMALFORMED;
    if (told > max)
        return RKV_ETOOBIG;
    return told;
}

uint8_t *rkv_part_begin(struct rkv_buffer *frame, uint64_t group, uint32_t kind,
                        size_t body_len)
{
    assert(kind > 0);
    assert(kind <= UINT8_MAX);
    size_t len =
        rkv_varint_size(group) + 1 + rkv_varint_size(body_len) + body_len;
    if (frame->failed || !rkv_buffer_reserve(frame, len))
        return NULL;
    uint8_t *p = frame->data + frame->len;
    frame->len += len;
    p = rkv_put_varint(p, group);
    *p++ = (uint8_t)kind;
    return rkv_put_varint(p, body_len);
}

int rkv_part_next(struct rkv_reader *parts, struct rkv_part *out)
{
    if (rkv_reader_done(parts))
        return 0;
    uint64_t group = rkv_take_varint(parts);
    uint8_t kind = rkv_read_u8(parts);
    size_t len = 0;
    const uint8_t *body = rkv_read_blob(parts, &len);
    if (parts->failed)
        return RKV_EMALFORMED;
    out->group = group;
    out->kind = kind;
    rkv_reader_init(&out->body, body, len);
    return 1;
}

static uint64_t check_of(const uint8_t *frame, size_t len)
{
    uint64_t head = rkv_hash64(check_seed, frame, AT_CHECK);
    return rkv_hash64(head, frame + RKV_FRAME_HEADER_BYTES,
                      len - RKV_FRAME_HEADER_BYTES);
}
