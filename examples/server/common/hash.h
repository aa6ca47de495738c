/* SPDX-License-Identifier: BSD-2-Clause
 *
 * common/hash.h - 64 bits of what was added, piece by piece: FNV-1a with its
 * bits stirred at the end.  Hashes must differ where their bytes do, and keep
 * nobody out.
 */
#ifndef SERVER_HASH_H
#define SERVER_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_START UINT64_C(0xcbf29ce484222325)

uint64_t hash_bytes(uint64_t hash, const void *data, size_t len);
/* With the zero at its end, so that texts do not run into each other. */
uint64_t hash_text(uint64_t hash, const char *text);
/* Never 0. */
uint64_t hash_end(uint64_t hash);

#endif
