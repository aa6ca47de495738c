/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/base/prng.h - xoshiro256** from a 64-bit seed: the only randomness in
 * the library, one state per instance, the same everywhere.
 */
#ifndef RKV_BASE_PRNG_H
#define RKV_BASE_PRNG_H

#include <stdint.h>

struct rkv_prng {
    uint64_t state[4];
};

void rkv_prng_seed(struct rkv_prng *prng, uint64_t seed);
uint64_t rkv_prng_next(struct rkv_prng *prng);
/* In [0, bound), without bias; bound 0 gives 0. */
uint64_t rkv_prng_below(struct rkv_prng *prng, uint64_t bound);

#endif
