/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Splitmix64, which needs no warming up and gives as good a stream from one
 * state as from any other.
 */
#include "dice.h"

struct dice dice_named(uint64_t seed, const char *name)
{
    struct dice dice = {seed};

    for (; *name != '\0'; name++)
        dice.state = dice_next(&dice) ^ (unsigned char)*name;
    return dice;
}

struct dice dice_thrown(struct dice *dice)
{
    struct dice thrown = {dice_next(dice)};

    return thrown;
}

uint64_t dice_next(struct dice *dice)
{
    uint64_t z = dice->state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t dice_below(struct dice *dice, uint64_t bound)
{
    return bound == 0 ? 0 : dice_next(dice) % bound;
}

bool dice_permille(struct dice *dice, uint32_t chance)
{
    return dice_below(dice, 1000) < chance;
}
