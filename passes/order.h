/* Peak memory of an order of nodes, for the order pass and its tests. */
#ifndef CNNC_PASSES_ORDER_H
#define CNNC_PASSES_ORDER_H

#include "../ir/graph.h"

/* The most bytes that are live at once when the nodes seq[0..n_seq-1] run in that order on n pictures. A result lives
 * from its node to its last user, an output to the end. Inputs and params have memory of their own and do not
 * count. */
double order_peak(const Graph *g, const Ref *seq, int32_t n_seq, int64_t n);

/* Puts the nodes seq[0..n_seq-1] into the graph in that order, which must be topological, and drops the others. */
void order_renumber(Graph *g, const Ref *seq, int32_t n_seq);

#endif
