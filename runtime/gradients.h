/* The gradients of a step before its updates: their norm, and what becomes of them. They are one block of floats, as
 * region "gradient" has them; what pads it is 0. Results do not depend on the number of threads. */
#ifndef CNNC_RUNTIME_GRADIENTS_H
#define CNNC_RUNTIME_GRADIENTS_H

#include "pool.h"

typedef struct Gradients {
    float *value;
    int64_t n;
    double *part; /* sums of squares of pieces, added up in order */
} Gradients;

/* Of the block value[n], which outlives it. False and RT_OS if memory is short. */
bool gradients_open(Gradients *g, float *value, int64_t n, RtError *err);
void gradients_close(Gradients *g);
/* The square root of the sum of all squares, in double precision. */
double gradients_norm(Gradients *g, Pool *pool);
/* Each becomes factor times itself, but at most `limit` in size; limit may be INFINITY. */
void gradients_scale(Gradients *g, Pool *pool, double factor, double limit);

#endif
