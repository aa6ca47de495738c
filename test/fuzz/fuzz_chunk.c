/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Any bytes as a request for a piece of a snapshot, and as the piece.  No
 * fuzzer guesses a BLAKE2b, so the bytes are also made into the data of a
 * piece, which must come back.
 */
#include "exact.h"

static void send(const uint8_t *data, size_t size)
{
    struct rkv_allocator allocator = rkv_alloc_choose(NULL);
    struct rkv_chunk sent = {.data = data, .len = (uint32_t)size}, got;
    struct rkv_buffer body;
    struct rkv_reader reader;

    for (size_t i = 0; i < size && i < 8; i++)
        sent.offset = sent.offset << 8 | data[i];
    sent.offset >>= 1;
    sent.total = sent.offset + size;
    sent.index = ~sent.offset;
    sent.term = sent.offset >> 3;
    rkv_buffer_init(&body, &allocator);
    rkv_chunk_encode(&body, 1, &sent);
    exact_require(!body.failed);
    recode_bare(&body);
    rkv_reader_init(&reader, body.data, body.len);
    exact_require(rkv_chunk_decode(&reader, &got) == RKV_OK);
    exact_require(got.index == sent.index);
    exact_require(got.term == sent.term);
    exact_require(got.total == sent.total);
    exact_require(got.offset == sent.offset);
    exact_require(got.len == size);
    exact_require(size == 0 || memcmp(got.data, data, size) == 0);
    exact_run(recode_chunk, body.data, body.len);
    rkv_buffer_free(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    exact_run(recode_fetch, data, size);
    exact_run(recode_chunk, data, size);
    send(data, size);
    return 0;
}
