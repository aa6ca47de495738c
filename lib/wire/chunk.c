/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/wire/chunk.c - snapshots in pieces, pulled by the member that lacks
 * one.  A chunk says of which snapshot it is and where it belongs, so pieces
 * that come twice, late, or from another leader do no harm.
 *
 *     fetch:   varint index | varint term | varint offset | varint length
 *     chunk:   varint index | varint term | varint total | varint offset
 *              | chain, 32 bytes | hash, 32 bytes | check, 32 bytes
 *              | varint length | data
 */
#include "code.h"

#include "../base/hash.h"

enum { HASH_BYTES = 32, HASHES_BYTES = 3 * HASH_BYTES };

void rkv_fetch_encode(struct rkv_buffer *frame, uint64_t group,
                      const struct rkv_fetch *fetch)
{
    size_t len = rkv_varint_size(fetch->index) + rkv_varint_size(fetch->term) +
                 rkv_varint_size(fetch->offset) + rkv_varint_size(fetch->len);
    uint8_t *p = rkv_part_begin(frame, group, RKV_PART_FETCH, len);
    if (p == NULL)
        return;
    p = rkv_put_varint(p, fetch->index);
    p = rkv_put_varint(p, fetch->term);
    p = rkv_put_varint(p, fetch->offset);
    p = rkv_put_varint(p, fetch->len);
    assert(p == frame->data + frame->len);
}

int rkv_fetch_decode(struct rkv_reader *body, struct rkv_fetch *out)
{
    struct rkv_fetch f = {0};

    f.index = rkv_take_varint(body);
    f.term = rkv_take_varint(body);
    f.offset = rkv_take_varint(body);
    f.len = rkv_read_varint32(body);
    if (!rkv_reader_done(body))
        return RKV_EMALFORMED;
    *out = f;
    return RKV_OK;
}

void rkv_chunk_encode(struct rkv_buffer *frame, uint64_t group,
                      const struct rkv_chunk *chunk)
{
    assert(chunk->offset <= chunk->total);
    assert(chunk->len <= chunk->total - chunk->offset);
    size_t len = rkv_varint_size(chunk->index) + rkv_varint_size(chunk->term) +
                 rkv_varint_size(chunk->total) +
                 rkv_varint_size(chunk->offset) + HASHES_BYTES +
                 rkv_varint_size(chunk->len) + chunk->len;
    uint8_t *p = rkv_part_begin(frame, group, RKV_PART_CHUNK, len);
    if (p == NULL)
        return;
    p = rkv_put_varint(p, chunk->index);
    p = rkv_put_varint(p, chunk->term);
    p = rkv_put_varint(p, chunk->total);
    p = rkv_put_varint(p, chunk->offset);
    p = rkv_put_bytes(p, chunk->chain, HASH_BYTES);
    p = rkv_put_bytes(p, chunk->hash, HASH_BYTES);
    rkv_blake(p, chunk->data, chunk->len);
    p = rkv_put_varint(p + HASH_BYTES, chunk->len);
    p = rkv_put_bytes(p, chunk->data, chunk->len);
    assert(p == frame->data + frame->len);
}

int rkv_chunk_decode(struct rkv_reader *body, struct rkv_chunk *out)
{
    struct rkv_chunk c = {0};
    uint8_t check[HASH_BYTES];

    c.index = rkv_take_varint(body);
    c.term = rkv_take_varint(body);
    c.total = rkv_take_varint(body);
    c.offset = rkv_take_varint(body);
    const uint8_t *hashes = rkv_read_bytes(body, HASHES_BYTES);
    c.len = rkv_read_varint32(body);
    c.data = rkv_read_bytes(body, c.len);
    if (!rkv_reader_done(body))
        return RKV_EMALFORMED;
    if (c.offset > c.total || c.len > c.total - c.offset)
        return RKV_EMALFORMED;
    memcpy(c.chain, hashes, HASH_BYTES);
    memcpy(c.hash, hashes + HASH_BYTES, HASH_BYTES);
    memcpy(c.check, hashes + 2 * HASH_BYTES, HASH_BYTES);
    rkv_blake(check, c.data, c.len);
    if (memcmp(check, c.check, HASH_BYTES) != 0)
        return RKV_EMALFORMED;
    *out = c;
    return RKV_OK;
}
