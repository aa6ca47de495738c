/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/wire/forward.c - a request on its way to the leader, and what became
 * of it.  Whether the place in the log it got is the one that commits is for
 * the origin to see in its own log: the reply only says where to look.
 *
 *     forward:   u8 kind | varint term | varint boot | varint id
 *                | varint length | payload
 *     reply:     varint boot | varint id | svarint status
 *                | varint index | varint term
 */
#include "code.h"

static uint64_t zigzag(int32_t v);

void rkv_forward_encode(struct rkv_buffer *frame, uint64_t group,
                        const struct rkv_forward *forward)
{
    assert(forward->kind == RKV_ENTRY_COMMAND ||
           forward->kind == RKV_ENTRY_CONFIG);
    size_t len = 1 + rkv_varint_size(forward->term) +
                 rkv_varint_size(forward->boot) + rkv_varint_size(forward->id) +
                 rkv_varint_size(forward->len) + forward->len;
    uint8_t *p = rkv_part_begin(frame, group, RKV_PART_FORWARD, len);
    if (p == NULL)
        return;
    *p++ = (uint8_t)forward->kind;
    p = rkv_put_varint(p, forward->term);
    p = rkv_put_varint(p, forward->boot);
    p = rkv_put_varint(p, forward->id);
    p = rkv_put_varint(p, forward->len);
    p = rkv_put_bytes(p, forward->data, forward->len);
    assert(p == frame->data + frame->len);
}

int rkv_forward_decode(struct rkv_reader *body, struct rkv_forward *out)
{
    struct rkv_forward f = {.kind = rkv_read_u8(body)};

    f.term = rkv_take_varint(body);
    f.boot = rkv_take_varint(body);
    f.id = rkv_take_varint(body);
    f.len = rkv_read_varint32(body);
    f.data = rkv_read_bytes(body, f.len);
    if (!rkv_reader_done(body))
        return RKV_EMALFORMED;
    if (f.kind != RKV_ENTRY_COMMAND && f.kind != RKV_ENTRY_CONFIG)
        return RKV_EVERSION;
    *out = f;
    return RKV_OK;
}

void rkv_forward_reply_encode(struct rkv_buffer *frame, uint64_t group,
                              const struct rkv_forward_reply *reply)
{
    uint64_t status = zigzag(reply->status);
    size_t len = rkv_varint_size(reply->boot) + rkv_varint_size(reply->id) +
                 rkv_varint_size(status) + rkv_varint_size(reply->index) +
                 rkv_varint_size(reply->term);
    uint8_t *p = rkv_part_begin(frame, group, RKV_PART_FORWARD_REPLY, len);
    if (p == NULL)
        return;
    p = rkv_put_varint(p, reply->boot);
    p = rkv_put_varint(p, reply->id);
    p = rkv_put_varint(p, status);
    p = rkv_put_varint(p, reply->index);
    p = rkv_put_varint(p, reply->term);
    assert(p == frame->data + frame->len);
}

int rkv_forward_reply_decode(struct rkv_reader *body,
                             struct rkv_forward_reply *out)
{
    struct rkv_forward_reply r = {0};

    r.boot = rkv_take_varint(body);
    r.id = rkv_take_varint(body);
    int64_t status = rkv_read_svarint(body);
    r.index = rkv_take_varint(body);
    r.term = rkv_take_varint(body);
    if (!rkv_reader_done(body))
        return RKV_EMALFORMED;
    if (status < INT32_MIN || status > INT32_MAX)
        return RKV_EMALFORMED;
    r.status = (int32_t)status;
    *out = r;
    return RKV_OK;
}

/* Small numbers of either sign are small: 0, -1, 1, -2 are 0, 1, 2, 3. */
static uint64_t zigzag(int32_t v)
{
    return (uint32_t)v << 1 ^ (v < 0 ? UINT32_MAX : 0);
}
