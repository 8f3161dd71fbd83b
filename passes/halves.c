/* halves: deploy { weights = fp16 }.
 *
 * Needs the graphs of the entry points. In that of inference the weights of fully connected layers go through to_half,
 * so they are stored in half the bytes: at batch 1 such a layer does nothing but stream its weights from memory. A
 * convolution reads each of its weights for many pixels and would only lose accuracy. Nodes on parameters run once
 * after these were set, and training does not see them. */
#include "pass.h"

void pass_halves(Unit *u, Entry entry) {
    Graph *g = u->graph[entry];
    if (!u->half_weights || entry != ENTRY_INFER) return;
    Ref n = (Ref)g->n_node;
    for (Ref r = 1; r < n; r++) {
        if (graph_node(g, r)->op != OP_fc) continue;
        Ref half = graph_op1(g, OP_to_half, graph_node(g, r)->in[1], NULL, r);
        graph_node(g, r)->in[1] = half;
    }
}
