/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mix: 64-bit mixing, and a small generator with a seed. The same seed gives
 * the same numbers on every machine. Not for secrets.
 */
#ifndef WITNESS_MIX_H
#define WITNESS_MIX_H

#include <stdint.h>

#define MIX_STEP   UINT64_C(0x9e3779b97f4a7c15) /* 2^64 / golden ratio, odd */
#define MIX_FACTOR UINT64_C(0xd6e8feb86659fd93)

/* A bijection in which each bit of x changes half of the result's bits. */
static inline uint64_t mix64(uint64_t x)
{
    x = (x ^ (x >> 32)) * MIX_FACTOR;
    x = (x ^ (x >> 32)) * MIX_FACTOR;
    return x ^ (x >> 32);
}

/* A counter that goes through all 2^64 states, mixed. */
struct mix_prng {
    uint64_t state;
};

static inline uint64_t mix_next(struct mix_prng *prng)
{
    prng->state += MIX_STEP;
    return mix64(prng->state);
}

/* Uniform below bound, which is not 0; the bias is below 2^-32. */
static inline uint64_t mix_below(struct mix_prng *prng, uint32_t bound)
{
    return ((mix_next(prng) >> 32) * bound) >> 32;
}

/* Uniform in [0, 1). */
static inline double mix_unit(struct mix_prng *prng)
{
    return (double)(mix_next(prng) >> 11) * 0x1p-53;
}

#endif
