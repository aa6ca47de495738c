/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/base/hash.h - the two hashes of the house: BLAKE2b-256 where a match
 * must mean equality (chains, snapshots, the promise file), and a fast 64-bit
 * mix where it only has to spread (tables, digests, state hashes).  And
 * CRC-32C, for etcd's HashKV alone.
 */
#ifndef RKV_BASE_HASH_H
#define RKV_BASE_HASH_H

#include <raftkv/base.h>

/* BLAKE2b-256 of one piece. */
void rkv_blake(uint8_t out[32], const void *data, size_t len);

/* The same in pieces.  Opaque storage, aligned for libsodium's state. */
struct rkv_blake {
    _Alignas(64) uint8_t opaque[448];
};
void rkv_blake_begin(struct rkv_blake *h);
void rkv_blake_add(struct rkv_blake *h, const void *data, size_t len);
void rkv_blake_end(struct rkv_blake *h, uint8_t out[32]);

/* Equal bytes and seed give equal numbers on every machine. */
uint64_t rkv_hash64(uint64_t seed, const void *data, size_t len);
uint64_t rkv_mix64(uint64_t a, uint64_t b);

/* CRC-32C in pieces.  The tables are made at the beginning, which takes some
 * microseconds: there is nothing global, and nothing to check in. */
struct rkv_crc32c {
    uint32_t value; /* of all so far */
    uint32_t tables[8][256];
};
void rkv_crc32c_begin(struct rkv_crc32c *crc);
void rkv_crc32c_add(struct rkv_crc32c *crc, const void *data, size_t len);

#endif
