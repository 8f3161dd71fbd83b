/* Fully connected layers as products of matrices for OpenBLAS: where the weight lies by rows (blas.h). */
#ifndef CNNC_PASSES_LOWER_BLAS_H
#define CNNC_PASSES_LOWER_BLAS_H

#include "lower.h"

/* Is the weight (or its gradient) one of those? Vectors have several lanes on every target, and all other weights
 * blocks of as many outputs. */
static inline bool blas_weight(const Type *w) { return w->layout.b0 == 1; }
/* The rules of fc, fc_dgrad and fc_wgrad for them; NULL like every rule that emits kernels. */
const Expr *lower_fc_blas(Lower *l, Ref node);
const Expr *lower_fc_dgrad_blas(Lower *l, Ref node);
const Expr *lower_fc_wgrad_blas(Lower *l, Ref node);

#endif
