/* SPDX-License-Identifier: BSD-2-Clause
 *
 * common/arena.h - memory for the length of one request: taken piece by
 * piece, given back all at once.  A request costs no malloc once the first
 * block is there.
 */
#ifndef SERVER_ARENA_H
#define SERVER_ARENA_H

#include <stddef.h>

struct arena_block;
struct arena {
    struct arena_block *blocks; /* the newest first */
};

/* Zeroed, aligned for anything; NULL when there is no memory. */
void *arena_take(struct arena *arena, size_t len);
/* count records of len bytes; NULL also when that is beyond counting. */
void *arena_array(struct arena *arena, size_t count, size_t len);
/* Everything taken is void; one block stays for the next request. */
void arena_reset(struct arena *arena);
void arena_free(struct arena *arena);

#endif
