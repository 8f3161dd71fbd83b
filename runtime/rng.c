#include "rng.h"

#include <math.h>
#include <string.h>

/* One word's worth of the round: the product's low half goes on, its high half is mixed with the neighbour and the key.
 */
static void multiply(uint32_t factor, uint32_t x, uint32_t *high, uint32_t *low) {
    uint64_t product = (uint64_t)factor * x;
    *high = (uint32_t)(product >> 32);
    *low = (uint32_t)product;
}

void rng_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4]) {
    enum { ROUNDS = 10 };
    uint32_t k0 = key[0], k1 = key[1];
    uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]};
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t high0, low0, high1, low1;
        multiply(0xD2511F53u, c[0], &high0, &low0);
        multiply(0xCD9E8D57u, c[2], &high1, &low1);
        c[0] = high1 ^ c[1] ^ k0;
        c[1] = low1;
        c[2] = high0 ^ c[3] ^ k1;
        c[3] = low0;
        k0 += 0x9E3779B9u; /* the golden ratio, and below sqrt(3) - 1: Weyl sequences of the key */
        k1 += 0xBB67AE85u;
    }
    memcpy(out, c, sizeof c);
}

float rng_uniform(const uint32_t key[2], uint64_t index, uint32_t site) {
    uint32_t counter[4] = {(uint32_t)index, (uint32_t)(index >> 32), site, RNG_DROPOUT}, out[4];
    rng_philox(key, counter, out);
    return (float)(out[0] >> 8) * 0x1p-24f;
}

Rng rng_stream(RngUse use, uint64_t seed, uint32_t epoch, uint32_t sample, uint32_t site) {
    return (Rng){.key = {(uint32_t)(seed ^ seed >> 32), epoch}, .counter = {0, sample, site, (uint32_t)use}};
}

uint32_t rng_u32(Rng *r) {
    if (r->left == 0) {
        rng_philox(r->key, r->counter, r->block);
        r->counter[0]++;
        r->left = 4;
    }
    return r->block[4 - r->left--];
}

/* Lemire's method: the high half of a 32x32 product is the answer; low halves under 2^32 mod n would make some answers
 * more likely and are drawn again. */
uint32_t rng_below(Rng *r, uint32_t n) {
    uint32_t unfair = (0u - n) % n;
    uint64_t product;
    do product = (uint64_t)rng_u32(r) * n;
    while ((uint32_t)product < unfair);
    return (uint32_t)(product >> 32);
}

double rng_range(Rng *r, double low, double high) { return low + (high - low) * (rng_u32(r) * 0x1p-32); }

double rng_normal(Rng *r) {
    const double pi = 3.14159265358979323846;
    double radius = sqrt(-2.0 * log((rng_u32(r) + 1.0) * 0x1p-32)); /* + 1: the logarithm of 0 cannot happen */
    return radius * cos(2.0 * pi * (rng_u32(r) * 0x1p-32));
}
