/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/oracle/verdict.h - what all oracles share: a place to say what must
 * never be, and memory that goes all at once.
 *
 * What happens here: judges of what a cluster did.  Each is told facts, one
 * by one, in the order in which they happened, and knows nothing of where
 * they come from: the simulator tells them (test/sim), and the tests here tell
 * them lies that they must see.  What they promise: no false alarm.  What they
 * need: the public headers.  Where to start: twin.h, the second opinion that
 * most of them ask.
 */
#ifndef TEST_ORACLE_VERDICT_H
#define TEST_ORACLE_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The first oracle that speaks is heard: what comes later follows from it. */
struct verdict {
    const char *broken; /* the rule, as a sentence; NULL: all is well */
    char detail[512];
};

void verdict_break(struct verdict *verdict, const char *rule,
                   const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Numbers folded into one; no cryptography, only few collisions. */
struct digest {
    uint64_t value;
};
void digest_number(struct digest *digest, uint64_t number);
void digest_bytes(struct digest *digest, const void *bytes, size_t len);

/* Pieces of memory that are freed together; never NULL, never empty. */
struct arena {
    struct arena_block *blocks;
};
void *arena_take(struct arena *arena, size_t size);
void *arena_copy(struct arena *arena, const void *bytes, size_t len);
/* All of it can be used again. */
void arena_clear(struct arena *arena);
void arena_free(struct arena *arena);

/* A row with room for one more; aborts without memory. */
void *row_grow(void *row, size_t *cap, size_t count, size_t size);

#endif
