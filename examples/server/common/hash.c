/* SPDX-License-Identifier: BSD-2-Clause
 *
 * common/hash.c - one multiplication a byte, and a stir at the end.
 */
#include "hash.h"

#include <string.h>

uint64_t hash_bytes(uint64_t hash, const void *data, size_t len)
{
    const unsigned char *at = data;

    for (size_t i = 0; i < len; i++) {
        hash ^= at[i];
        hash *= UINT64_C(0x100000001b3);
    }
    return hash;
}

uint64_t hash_text(uint64_t hash, const char *text)
{
    return hash_bytes(hash, text, strlen(text) + 1);
}

uint64_t hash_end(uint64_t hash)
{
    hash ^= hash >> 33;
    hash *= UINT64_C(0xff51afd7ed558ccd);
    hash ^= hash >> 33;
    hash *= UINT64_C(0xc4ceb9fe1a85ec53);
    hash ^= hash >> 33;
    return hash ? hash : 1;
}
