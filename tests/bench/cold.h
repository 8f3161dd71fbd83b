/* How the peers of single layers are timed: as cold as inside a net. Before each run 64 MiB go through the caches,
 * which takes the weights out of L2 as the other layers of a net do; then the input is written, as the layer before
 * does. */
#ifndef CNNC_BENCH_COLD_H
#define CNNC_BENCH_COLD_H

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { COLD_BYTES = 64 << 20, COLD_LEAST = 3, COLD_MOST = 50 };

static inline double cold_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline void cold_caches(void) {
    static char *block;
    static char value;
    if (!block) block = (char *)malloc(COLD_BYTES);
    if (block) memset(block, ++value, COLD_BYTES);
}

/* Seconds of the fastest run, of those that fit into half a second of runs; input holds bytes. */
static inline double cold_best(void (*run)(void *), void *arg, void *input, size_t bytes) {
    double best = 1e30, total = 0;
    for (int i = 0; i < COLD_MOST && (i < COLD_LEAST || total < 0.5); i++) {
        cold_caches();
        memset(input, 0x3c, bytes); /* floats of 0.01 */
        double start = cold_now();
        run(arg);
        double t = cold_now() - start;
        total += t;
        if (t < best) best = t;
    }
    return best;
}

#endif
