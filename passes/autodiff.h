/* Reverse accumulation over a graph, as the autodiff pass and the gradient tests use it. */
#ifndef CNNC_PASSES_AUTODIFF_H
#define CNNC_PASSES_AUTODIFF_H

#include "../ir/graph.h"

/* Appends the nodes that compute the gradient of dot(y, dy) with respect to every node that `wanted` marks (n_node
 * flags; y and dy are nodes of one shape, operands have smaller numbers than their users). Returns, from the graph's
 * arena, the gradient of each old node: 0 where there is none or nobody wants it. */
Ref *graph_gradients(Graph *g, Ref y, Ref dy, const bool *wanted);

#endif
