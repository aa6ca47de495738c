/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/disk/dice.h - all chance of a world, from one seed.
 *
 * Each thing that draws has dice of its own, told apart by name, and what
 * follows from one draw is drawn with dice thrown for it alone: so whoever
 * leaves one fault out of a run shifts none of the others.  The generator is
 * not the library's: a run must be the same from one build to the next.
 */
#ifndef TEST_DISK_DICE_H
#define TEST_DISK_DICE_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};
struct dice dice_named(uint64_t seed, const char *name);
/* Dice for all that hangs on the next draw. */
struct dice dice_thrown(struct dice *dice);
uint64_t dice_next(struct dice *dice);
uint64_t dice_below(struct dice *dice, uint64_t bound);
bool dice_permille(struct dice *dice, uint32_t chance);

#endif
