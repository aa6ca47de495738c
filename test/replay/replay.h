/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/replay/replay.h - a recording, played again.
 *
 * What happens here: a core is made from the image that a recording begins
 * with and told what was told to the recorded one; it must answer the same and
 * end the same.  What it needs: the inside of lib/raft and lib/node, of the
 * build that recorded.
 */
#ifndef RKV_TEST_REPLAY_H
#define RKV_TEST_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct replayed {
    uint64_t inputs, drains, refused, gaps;
    uint64_t digest;
    char said[256]; /* what is wrong, where, expected and found */
};

/* False: it cannot be played, or comes to something else. */
bool replay(const void *file, size_t len, struct replayed *out);
/* Tells each input and what was answered, to standard output. */
bool replay_aloud(const void *file, size_t len, struct replayed *out);

#endif
