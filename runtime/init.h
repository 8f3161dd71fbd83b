/* Initial values of the parameters.
 *
 * Value e (logical row-major order) of parameter p is a function of (seed, p, e) only: four values share the Philox
 * block with counter {e / 4, 0, p, RNG_INIT}. So they depend neither on the layout nor on the number of threads. */
#ifndef CNNC_RUNTIME_INIT_H
#define CNNC_RUNTIME_INIT_H

#include "model.h"
#include "pool.h"

/* Fills the parameter region (storage form, Model.param_bytes); pad lanes become zero. */
bool init_params(const Model *m, uint64_t seed, Pool *pool, float *params, RtError *err);

#endif
