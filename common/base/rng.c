#include "common/base/rng.h"

#include "common/base/check.h"

static uint64_t splitmix64(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* The authors' advice: seed through another generator, so that no seed, 0 included, gives the
 * all-zero state that never leaves itself. */
void rng_init(struct rng *rng, uint64_t seed)
{
    for (size_t i = 0; i < 4; i++) {
        rng->state[i] = splitmix64(&seed);
    }
}

static uint64_t rotate_left(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

uint64_t rng_next(struct rng *rng)
{
    uint64_t *s = rng->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate_left(s[3], 45);
    return result;
}

__extension__ typedef unsigned __int128
    uint128; /* not of ISO C, but of every 64-bit compiler here */

uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    CHECK(bound > 0);
    uint128 product = (uint128)rng_next(rng) * bound;
    if ((uint64_t)product < bound) {
        /* Only here can a value be favoured: refuse the first 2^64 mod bound fractions. */
        uint64_t refused = (0 - bound) % bound;
        while ((uint64_t)product < refused) {
            product = (uint128)rng_next(rng) * bound;
        }
    }
    return (uint64_t)(product >> 64);
}

double rng_unit(struct rng *rng)
{
    return (double)(rng_next(rng) >> 11) * 0x1.0p-53;
}

void rng_shuffle(struct rng *rng, size_t *indices, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)rng_below(rng, i);
        size_t swapped = indices[i - 1];
        indices[i - 1] = indices[j];
        indices[j] = swapped;
    }
}
