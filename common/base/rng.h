/* Seeded pseudo-random numbers for shuffles, bootstrap and the simulator: the same seed gives
 * the same run everywhere. Not for keys. Source: Blackman and Vigna, "Scrambled linear
 * pseudorandom number generators" (2021), xoshiro256**, seeded through splitmix64. */
#ifndef QUARTET_COMMON_BASE_RNG_H
#define QUARTET_COMMON_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
    uint64_t state[4];
};

void rng_init(struct rng *rng, uint64_t seed);
uint64_t rng_next(struct rng *rng);

/* Uniform in [0, bound), without modulo bias (Lemire 2019). `bound` is at least 1. */
uint64_t rng_below(struct rng *rng, uint64_t bound);

/* Uniform in [0, 1), 53 bits. */
double rng_unit(struct rng *rng);

/* Fisher-Yates over `count` indices. */
void rng_shuffle(struct rng *rng, size_t *indices, size_t count);

#endif
