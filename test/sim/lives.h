/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/sim/lives.h - the store alone on a simulated disk.
 */
#ifndef TEST_SIM_LIVES_H
#define TEST_SIM_LIVES_H

#include <raftkv/store.h>
#include <stdbool.h>

enum { LIVES_DETAIL = 2200 };

struct lives_total {
    uint64_t seeds, failed, lives, ends, commits, struck;
};

/* One disk from its first store to its last; false: broken says why. */
bool lives_run(uint64_t seed, struct lives_total *total,
               char broken[LIVES_DETAIL]);
/* How many commits, and how many crashes with what follows, in a second. */
void lives_pace(uint64_t commits, uint64_t lives);

#endif
