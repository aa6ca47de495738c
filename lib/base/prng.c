/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xoshiro256** (Blackman and Vigna), seeded by splitmix64.
 */
#include "prng.h"

static uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static uint64_t splitmix(uint64_t *x)
{
    uint64_t z = *x += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void rkv_prng_seed(struct rkv_prng *prng, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        prng->state[i] = splitmix(&seed);
}

uint64_t rkv_prng_next(struct rkv_prng *prng)
{
    uint64_t *s = prng->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t rkv_prng_below(struct rkv_prng *prng, uint64_t bound)
{
    uint64_t draw, reject;

    if (bound == 0)
        return 0;
    /* Draws below 2^64 mod bound would make small results likelier. */
    reject = (0 - bound) % bound;
    do
        draw = rkv_prng_next(prng);
    while (draw < reject);
    return draw % bound;
}
