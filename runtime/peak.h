/* What the processor can do at most, to compare with: multiply-adds that depend on nothing. */
#ifndef CNNC_RUNTIME_PEAK_H
#define CNNC_RUNTIME_PEAK_H

#include "pool.h"

/* GFLOP/s of all threads of the pool at once, in vectors of that many floats (4, 8 or 16), which the processor must
 * have; with `fma`, by fused multiply-adds, else by pairs of instructions. The best of several runs of a few
 * milliseconds. */
double peak_gflops(Pool *pool, int lanes, bool fma);

#endif
