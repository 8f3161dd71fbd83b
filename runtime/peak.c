/* See peak.h. */
#include "peak.h"

enum { CHAINS = 12, STEPS = 1 << 20, RUNS = 5 }; /* 12 chains cover the latency of two units */

/* A kernel (abi.h) of which each task is one such loop; arg[0]: where to put what keeps the compiler from leaving it
 * out. */
#define PEAK_KERNEL(name, isa, lanes)                                                                                  \
    isa static void name(void *const *arg, const CnncRun *run, int64_t begin, int64_t end) {                           \
        typedef float Vector __attribute__((vector_size((lanes) * sizeof(float))));                                    \
        Vector acc[CHAINS], a = (Vector){0} + 0.999f, b = (Vector){0} + 1e-6f;                                         \
        for (int i = 0; i < CHAINS; i++) acc[i] = a * (float)(i + run->n); /* equal chains would be merged */          \
        for (int64_t step = 0; step < (end - begin) * STEPS; step++)                                                   \
            _Pragma("GCC unroll 12") for (int i = 0; i < CHAINS; i++) acc[i] = acc[i] * a + b;                         \
        for (int i = 1; i < CHAINS; i++) acc[0] += acc[i];                                                             \
        ((float *)arg[0])[begin] = acc[0][0];                                                                          \
    }

#ifdef __x86_64__
PEAK_KERNEL(peak16, __attribute__((target("avx512f"))), 16)
PEAK_KERNEL(peak8, __attribute__((target("avx,fma"))), 8)
PEAK_KERNEL(peak8_pairs, __attribute__((target("avx"))), 8)
PEAK_KERNEL(peak4_fma, __attribute__((target("fma"))), 4)
#else
#define peak16 peak4
#define peak8 peak4
#define peak8_pairs peak4
#define peak4_fma peak4
#endif
PEAK_KERNEL(peak4, , 4)

double peak_gflops(Pool *pool, int lanes, bool fma) {
    CnncKernel *kernel = lanes == 16 ? peak16 : lanes == 8 ? (fma ? peak8 : peak8_pairs) : fma ? peak4_fma : peak4;
    float result[POOL_MAX_THREADS];
    void *arg[] = {result};
    CnncRun run = {.n = 1};
    double best = 0;
    for (int i = 0; i < RUNS; i++) {
        double start = rt_now();
        pool_run(pool, kernel, arg, &run, pool_size(pool));
        double rate = 2e-9 * lanes * CHAINS * (double)STEPS * pool_size(pool) / (rt_now() - start);
        if (rate > best) best = rate;
    }
    return best;
}
