/* Random numbers that depend on what they are for and on nothing else: the counter-based generator Philox4x32-10
 * (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011).
 *
 * A number is a pure function of a key and a counter, so no state is shared, the order of threads cannot matter, and
 * going on after an interruption replays nothing. One block of 4 words is philox(key, counter):
 *
 *   key     = {seed, epoch or step}
 *   counter = {index of the draw, who draws (a sample, or the upper half of the index), site, use}
 *
 * `use` keeps the uses apart that share a seed; `site` tells several places of one use apart (the number of an
 * augmentation step, of a dropout layer, of a parameter). Generated code follows the same rule for dropout, see abi.h.
 *
 * Known answers (from the authors' kat_vectors; tested):
 *   key 00000000 00000000  counter 00000000 x 4                         -> 6627e8d5 e169c58d bc57ac4c 9b00dbd8
 *   key ffffffff ffffffff  counter ffffffff x 4                         -> 408f276d 41c83b0e a20bc7c6 6d5451fd
 *   key a4093822 299f31d0  counter 243f6a88 85a308d3 13198a2e 03707344  -> d16cfe09 94fdcceb 5001e420 24126ea1 */
#ifndef CNNC_RUNTIME_RNG_H
#define CNNC_RUNTIME_RNG_H

#include <stdint.h>

typedef enum RngUse {
    RNG_DROPOUT = 0, RNG_AUGMENT = 1, RNG_SHUFFLE = 2, RNG_INIT = 3, RNG_SYNTHETIC = 4, RNG_SIZE = 5, RNG_MIX = 6
} RngUse;

/* out[4] = Philox4x32-10 of counter under key. */
void rng_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4]);

/* The uniform number in [0, 1) that abi.h defines, a multiple of 2^-24: number `index` of dropout site `site`. */
float rng_uniform(const uint32_t key[2], uint64_t index, uint32_t site);

/* A sequence of numbers with an owner. Plain value: copy it to fork it, drop it when done. */
typedef struct Rng {
    uint32_t key[2];
    uint32_t counter[4]; /* of the next block */
    uint32_t block[4];
    uint32_t left; /* words of block not yet handed out */
} Rng;

/* The sequence of (use, seed, epoch, sample, site). The upper half of seed is folded into the lower. */
Rng rng_stream(RngUse use, uint64_t seed, uint32_t epoch, uint32_t sample, uint32_t site);

uint32_t rng_u32(Rng *r);
uint32_t rng_below(Rng *r, uint32_t n);            /* uniform in 0 .. n-1 without bias; n >= 1 */
double rng_range(Rng *r, double low, double high); /* uniform in [low, high), steps of 2^-32 of the range */
double rng_normal(Rng *r);                         /* mean 0, deviation 1, by Box and Muller; takes two words */

#endif
