/* Convolutions, and maximum poolings of what they make, of which one kernel takes a band of rows through several: the
 * tensors between them stay in scratch memory that fits in the caches. */
#ifndef CNNC_PASSES_CHAIN_H
#define CNNC_PASSES_CHAIN_H

#include "../ir/graph.h"
#include "../ir/machine.h"

/* before, window, after: a dense convolution, a depthwise one or a maximum pooling that reads it, a pointwise one that
 * reads that, each through element-wise nodes. Either of the outer two may be missing (0), and after a pooling the last
 * is. */
typedef struct Chain {
    Ref before, window, after;
} Chain;

bool chain_is_stage(const Graph *g, Ref node);       /* a convolution or a maximum pooling? */
bool chain_is_window(const Graph *g, Ref node);      /* may it be in the middle of a chain? */
bool chain_may_begin(const Graph *g, Ref conv);
bool chain_may_end(const Graph *g, Ref conv);

/* How the kernel goes: tasks of `rows` rows of the window's result, and of `blocks` of its channel blocks if nothing
 * comes after the window, which needs all of them. Each divides its whole. */
typedef struct ChainPlan {
    int64_t rows, blocks;
} ChainPlan;

/* The best plan. All zero if the chain is not worth it: the convolutions, each by itself, take less time. */
ChainPlan chain_plan(const Graph *g, const Chain *c, const Machine *m);

/* Kernel, stride, dilation and padding of a window, whichever of the two it is. */
ConvAttr chain_attr(const Node *window);
/* Rows of its operand that `rows` rows of a window's result read. */
int64_t chain_reads(const ConvAttr *a, int64_t rows);

#endif
