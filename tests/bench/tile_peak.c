/* What one core reaches in a register tile whose operands stay in the first-level cache, beside the same multiply-adds
 * on registers alone, and its clock after each. Processors that set their clock by the instructions that run have a
 * lower one where operands are loaded, by how much changes with the load of the host. In turn, medians:
 *     cc -O3 -march=native -o tile_peak tests/bench/tile_peak.c && ./tile_peak */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if defined(__AVX512F__)
enum { LANES = 16, BLOCKS = 4, POINTS = 6 };
#else
enum { LANES = 8, BLOCKS = 2, POINTS = 6 };
#endif
enum { DEPTH = 64, TIMES = 20000, ROUNDS = 101, MULTIPLICATIONS = 400, LATENCY = 3 };
typedef float Vector __attribute__((vector_size(LANES * sizeof(float))));

static Vector weight[DEPTH][BLOCKS], sums[POINTS][BLOCKS];
static float pixel[POINTS][DEPTH];

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* By a chain of known latency, short enough that the clock is still that of the loop before it. */
static double clock_now(void) {
    uint64_t x = 3;
    double start = now();
    for (int i = 0; i < MULTIPLICATIONS; i += 4)
        __asm__ volatile("imul %0, %0\n imul %0, %0\n imul %0, %0\n imul %0, %0" : "+r"(x));
    return 1e-9 * MULTIPLICATIONS * LATENCY / (now() - start);
}

#define PRAGMA(text) _Pragma(#text)
#define ALL_SUMS                                                                                                       \
    PRAGMA(GCC unroll 6)                                                                                               \
    for (int p = 0; p < POINTS; p++) PRAGMA(GCC unroll 4)                                                              \
    for (int b = 0; b < BLOCKS; b++)

/* TIMES tiles; NEXT is a sum after step i. */
#define LOOP(name, NEXT)                                                                                               \
    __attribute__((noinline)) static void name(void) {                                                                 \
        Vector s[POINTS][BLOCKS], w = weight[0][0], x = weight[1][0];                                                  \
        ALL_SUMS s[p][b] = sums[p][b];                                                                                 \
        for (int t = 0; t < TIMES; t++) {                                                                              \
            __asm__ volatile("" : "+x"(w), "+x"(x) : : "memory");                                                      \
            PRAGMA(GCC unroll 4)                                                                                       \
            for (int i = 0; i < DEPTH; i++) ALL_SUMS s[p][b] = (NEXT);                                                 \
        }                                                                                                              \
        ALL_SUMS sums[p][b] = s[p][b];                                                                                 \
    }
LOOP(on_registers, s[p][b] * w + x)
LOOP(on_loads, s[p][b] + weight[i][b] * pixel[p][i])

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x) {
    qsort(x, ROUNDS, sizeof *x, by_size);
    return x[ROUNDS / 2];
}

int main(void) {
    void (*const loop[])(void) = {on_registers, on_loads};
    static double rate[2][ROUNDS], clock_after[2][ROUNDS], ratio[ROUNDS];
    for (int p = 0; p < POINTS; p++)
        for (int i = 0; i < DEPTH; i++) pixel[p][i] = 1e-3f * (float)(p - i);
    for (int i = 0; i < DEPTH; i++)
        for (int b = 0; b < BLOCKS; b++) weight[i][b] = (Vector){0} + 1e-3f * (float)(b + i - 30);
    for (int r = 0; r < ROUNDS; r++) {
        for (int k = 0; k < 2; k++) {
            double start = now();
            loop[k]();
            rate[k][r] = 2e-9 * LANES * BLOCKS * POINTS * DEPTH * TIMES / (now() - start);
            clock_after[k][r] = clock_now();
        }
        ratio[r] = rate[1][r] / rate[0][r];
    }
    for (int k = 0; k < 2; k++)
        printf("%-9s %6.1f GFLOP/s  clock %.2f GHz\n", k ? "loads" : "registers", median(rate[k]),
               median(clock_after[k]));
    printf("ratio     %6.3f\n", median(ratio));
    return 0;
}
