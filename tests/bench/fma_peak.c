/* What one core can do at most: a loop of independent fused multiply-adds, in GFLOP/s. Run before and after a
 * benchmark: if the two differ by more than a tenth, the machine was busy and the figures do not count. Built by
 * bench.sh with -O3 -march=native. */
#include <stdio.h>
#include <time.h>

#if defined(__AVX512F__)
enum { LANES = 16 };
#elif defined(__AVX__)
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif
enum { CHAINS = 12, STEPS = 100000000 }; /* 12 chains cover the latency of two units */
typedef float Vector __attribute__((vector_size(LANES * sizeof(float))));

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Best of five: what disturbs a loop like this can only slow it down. */
int main(void) {
    double best = 0;
    float sum = 0;
    for (int run = 0; run < 5; run++) {
        Vector acc[CHAINS], a = {0}, b = {0};
        for (int i = 0; i < LANES; i++) a[i] = 0.999f, b[i] = 1e-6f;
        for (int i = 0; i < CHAINS; i++) acc[i] = a * (float)(i + run); /* equal chains would be merged */
        double start = now();
        for (int step = 0; step < STEPS; step++)
#pragma GCC unroll 12
            for (int i = 0; i < CHAINS; i++) acc[i] = acc[i] * a + b;
        double rate = 2.0 * LANES * CHAINS * STEPS / (now() - start) * 1e-9;
        if (rate > best) best = rate;
        for (int i = 0; i < CHAINS; i++) sum += acc[i][0];
    }
    printf("%.1f\n", best);
    return sum == 0; /* keeps the loop */
}
