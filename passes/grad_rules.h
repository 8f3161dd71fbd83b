/* Gradient rules: one function per DIFF row of ir/ops.def. A rule gets a node, the gradient dy of some number with
 * respect to its result, and appends nodes for the gradients with respect to its operands; it leaves dx[i] = 0 where
 * operand i has none. Rules need not ask who wants a gradient: what nobody uses is dropped by graph_compact. */
#ifndef CNNC_PASSES_GRAD_RULES_H
#define CNNC_PASSES_GRAD_RULES_H

#include "../ir/graph.h"

typedef void GradRule(Graph *g, Ref node, Ref dy, Ref *dx);

#define DIFF(id) GradRule grad_##id;
#define NODIFF(id)
#define OP(id, diff, ...) diff(id)
#include "../ir/ops.def"
#undef OP
#undef NODIFF
#undef DIFF

/* The sum of two gradients of the same node. A `spread` vector is added as the vector it was, so that it never fills
 * a tensor of its own. */
Ref grad_sum(Graph *g, Ref a, Ref b);

#endif
