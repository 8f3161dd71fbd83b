/* Between the files of the layout pass. */
#ifndef CNNC_PASSES_LAYOUT_H
#define CNNC_PASSES_LAYOUT_H

#include "pass.h"

/* Decides which tensors lie inside others (see ir/type.h), so that concat and slice need not move them, and gives all
 * tensors that share memory the halo that the hungriest of them has. After all other layouts and halos are set. */
void layout_parts(Graph *g, Arena *a);

#endif
