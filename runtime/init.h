/* Initial values of the parameters.
 *
 * Value e (logical row-major order) of a parameter is a function of the seed, its name and e only: four values share
 * the Philox block with counter {e / 4, 0, p, RNG_INIT}, where p is the 32-bit FNV-1a hash of the name. So they depend
 * neither on the number of threads nor on how a net is compiled, which decides on layouts and on the order of
 * parameters. */
#ifndef CNNC_RUNTIME_INIT_H
#define CNNC_RUNTIME_INIT_H

#include "model.h"
#include "pool.h"

/* Fills the first `bytes` of the parameter region (storage form), as far as whole parameters lie in them; pad lanes
 * become zero. */
bool init_params(const Model *m, uint64_t seed, Pool *pool, float *params, int64_t bytes, RtError *err);

#endif
