/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the tests of wire share: buffers, copies in blocks of exactly their
 * size, so that a decoder that reads one byte too far is caught by the tools
 * that watch memory, and bytes written as people read them.
 */
#ifndef RKV_TEST_WIRE_SUPPORT_H
#define RKV_TEST_WIRE_SUPPORT_H

#include "base/prng.h"
#include "wire/wire.h"

/* An empty buffer on malloc. */
struct rkv_buffer wire_buffer(void);
/* An empty buffer whose n-th request for memory, counted from 0, fails, and
 * all after it; *n is counted down.  The allocator must outlive the buffer. */
struct rkv_allocator wire_poor_allocator(int *n);

/* A copy to be freed. */
uint8_t *wire_copy(const void *data, size_t len);

/* These bytes are those, spelled in hex with blanks anywhere. */
void wire_expect_hex(const void *data, size_t len, const char *hex);

/* 0 often, else of a random number of bits. */
uint64_t wire_random(struct rkv_prng *prng);

/* Decodes a body and encodes what came out: recode.h has them. */
typedef int (*wire_recode)(const uint8_t *data, size_t len,
                           struct rkv_buffer *out);
/* This body gives itself again; no beginning of it decodes, nor it with a
 * byte more; and with any bit flipped it is refused or gives itself again. */
void wire_expect_exact(wire_recode recode, const void *body, size_t len);

#endif
