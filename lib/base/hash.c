/* SPDX-License-Identifier: BSD-2-Clause
 *
 * BLAKE2b by libsodium; the 64-bit mix and CRC-32C by hand, since both must
 * give the same numbers on every machine.  The only file of base that knows
 * libsodium.  Nobody calls sodium_init(): hashing needs nothing of it, and the
 * vector code it would choose was measured slower than the plain one.
 */
#include "hash.h"

#include <assert.h>
#include <sodium/crypto_generichash.h>
#include <string.h>

#include "bytes.h"

static_assert(sizeof(crypto_generichash_state) <= sizeof(struct rkv_blake),
              "the opaque state has room for libsodium's");

void rkv_blake(uint8_t out[32], const void *data, size_t len)
{
    (void)crypto_generichash(out, 32, data, len, NULL, 0);
}

void rkv_blake_begin(struct rkv_blake *h)
{
    (void)crypto_generichash_init((void *)h->opaque, NULL, 0, 32);
}

void rkv_blake_add(struct rkv_blake *h, const void *data, size_t len)
{
    if (len != 0)
        (void)crypto_generichash_update((void *)h->opaque, data, len);
}

void rkv_blake_end(struct rkv_blake *h, uint8_t out[32])
{
    (void)crypto_generichash_final((void *)h->opaque, out, 32);
}

void rkv_entry_chain(struct rkv_entry *entry, const uint8_t previous[32])
{
    struct rkv_blake h;
    uint8_t head[56];

    memcpy(head, previous, 32);
    rkv_put_u64(head + 32, entry->index);
    rkv_put_u64(head + 40, entry->term);
    rkv_put_u32(head + 48, entry->kind);
    rkv_put_u32(head + 52, entry->len);
    rkv_blake_begin(&h);
    rkv_blake_add(&h, head, sizeof head);
    rkv_blake_add(&h, entry->data, entry->len);
    rkv_blake_end(&h, entry->chain);
}

/* The two halves of a 128-bit product, folded: each input bit reaches every
 * output bit.  The portable way gives the same result without the type. */
uint64_t rkv_mix64(uint64_t a, uint64_t b)
{
    a ^= 0x9e3779b97f4a7c15u;
    b ^= 0xd1b54a32d192ed03u;
#ifdef __SIZEOF_INT128__
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
    uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
    uint64_t low = al * bl, mid = ah * bl + (low >> 32);
    uint64_t mid2 = al * bh + (uint32_t)mid;

    return (mid2 << 32 | (uint32_t)low) ^
           (ah * bh + (mid >> 32) + (mid2 >> 32));
#endif
}

static uint64_t read64(const uint8_t *p)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
#else
    return rkv_get_u64(p);
#endif
}

/* Three lanes hide the latency of the multiplication; the length goes in at
 * the end, so that zero bytes at a tail count. */
uint64_t rkv_hash64(uint64_t seed, const void *data, size_t len)
{
    const uint8_t *p = data;
    uint64_t a = seed ^ 0x8ebc6af09c88c6e3u, b = seed, c = ~seed;
    uint64_t last[2] = {0, 0};
    uint8_t tail[16] = {0};
    size_t left = len;

    for (; left >= 48; left -= 48, p += 48) {
        a = rkv_mix64(read64(p) ^ a, read64(p + 8));
        b = rkv_mix64(read64(p + 16) ^ b, read64(p + 24));
        c = rkv_mix64(read64(p + 32) ^ c, read64(p + 40));
    }
    a ^= rkv_mix64(b, c);
    for (; left >= 16; left -= 16, p += 16)
        a = rkv_mix64(read64(p) ^ a, read64(p + 8));
    if (left > 0) {
        memcpy(tail, p, left);
        last[0] = read64(tail);
        last[1] = read64(tail + 8);
    }
    return rkv_mix64(rkv_mix64(last[0] ^ a, last[1] ^ seed), len ^ a);
}

/* tables[0] is what one byte comes to, tables[k] the same with k zero bytes
 * behind it. */
void rkv_crc32c_begin(struct rkv_crc32c *crc)
{
    crc->value = 0;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;

        for (int bit = 0; bit < 8; bit++)
            c = c >> 1 ^ (0x82f63b78u & (0 - (c & 1)));
        crc->tables[0][i] = c;
    }
    for (int k = 1; k < 8; k++) {
        for (int i = 0; i < 256; i++) {
            uint32_t c = crc->tables[k - 1][i];

            crc->tables[k][i] = c >> 8 ^ crc->tables[0][c & 255];
        }
    }
}

/* Eight bytes at a time, each through the table of its distance to the end:
 * HashKV goes over the whole store while nothing else can run. */
void rkv_crc32c_add(struct rkv_crc32c *crc, const void *data, size_t len)
{
    const uint8_t *p = data;
    uint32_t c = ~crc->value;

    for (; len >= 8; len -= 8, p += 8) {
        uint32_t low = rkv_get_u32(p) ^ c, high = rkv_get_u32(p + 4);

        c = crc->tables[7][low & 255] ^ crc->tables[6][low >> 8 & 255] ^
            crc->tables[5][low >> 16 & 255] ^ crc->tables[4][low >> 24] ^
            crc->tables[3][high & 255] ^ crc->tables[2][high >> 8 & 255] ^
            crc->tables[1][high >> 16 & 255] ^ crc->tables[0][high >> 24];
    }
    for (; len > 0; len--, p++)
        c = c >> 8 ^ crc->tables[0][(c ^ *p) & 255];
    crc->value = ~c;
}
