/* Which fully connected layers OpenBLAS computes (-fblas). */
#ifndef CNNC_PASSES_BLAS_H
#define CNNC_PASSES_BLAS_H

#include "../ir/unit.h"

/* Does OpenBLAS compute what `entry` has of the layer with weight w [O, ...]: the product, and in training its
 * gradients? The weight then lies by rows, one output after the other. Never if w is f16. */
bool blas_takes(const Unit *u, Entry entry, const Type *w);
/* Do the parameters of such weights lie by rows? All programs share parameters, so they do where training, if the unit
 * has it, wants them to. */
bool blas_keeps(const Unit *u);

#endif
