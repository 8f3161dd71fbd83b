/* autodiff: gradients by reverse accumulation, on the training graph only. It knows no operator: what an operator does
 * to a gradient is grad_<id> (grad_rules.h), what the loss and an update are is objective.c.
 *
 * Needs specialise (the graph's outputs are the logits of the loss terms). Afterwards its outputs are "loss" and
 * "logits", and each trained weight has its update. Declines to differentiate what leads to no trained weight: the
 * first layer's picture, frozen layers below all others. Runs before order and fuse, so that backward nodes are
 * scheduled and fused by the same rules as forward ones. */
#include "autodiff.h"

#include "grad_rules.h"
#include "objective.h"
#include "pass.h"

static GradRule grad_none;

static void grad_none(Graph *g, Ref node, Ref dy, Ref *dx) {
    (void)dy, (void)dx;
    ice("%%%u: operator %s has no gradient", node, op_info[graph_node(g, node)->op].name);
}

#define DIFF(id) grad_##id
#define NODIFF(id) grad_none
#define OP(id, diff, ...) [OP_##id] = diff(id),
static GradRule *const grad_rule[OP_COUNT] = {
#include "../ir/ops.def"
};
#undef OP

/* A node needs a gradient if it is wanted or if one of its operands needs one. */
static bool *needs_gradient(const Graph *g, const bool *wanted) {
    bool *need = NEW_ARRAY(g->arena, bool, g->n_node);
    for (Ref r = 1; r < (Ref)g->n_node; r++) {
        const Node *n = graph_node(g, r);
        need[r] = wanted[r];
        for (int i = 0; i < n->n_in; i++) need[r] |= need[n->in[i]];
    }
    return need;
}

/* Hands the gradient of node r on to its operands. */
static void send_back(Graph *g, Ref r, const bool *need, Ref *grad) {
    int32_t n_in = graph_node(g, r)->n_in;
    bool any = false;
    for (int i = 0; i < n_in; i++) any |= need[graph_node(g, r)->in[i]];
    if (!any) return;
    Ref *dx = NEW_ARRAY(g->arena, Ref, n_in);
    grad_rule[graph_node(g, r)->op](g, r, grad[r], dx);
    for (int i = 0; i < n_in; i++) {
        Ref x = graph_node(g, r)->in[i];
        if (need[x] && dx[i]) grad[x] = grad[x] ? grad_sum(g, grad[x], dx[i]) : dx[i];
    }
}

Ref *graph_gradients(Graph *g, Ref y, Ref dy, const bool *wanted) {
    const bool *need = needs_gradient(g, wanted);
    Ref *grad = NEW_ARRAY(g->arena, Ref, g->n_node);
    grad[y] = dy;
    for (Ref r = y; r > 0; r--)
        if (grad[r]) send_back(g, r, need, grad);
    return grad;
}

/* Weights that the optimiser changes. */
static bool *trained_weights(const Graph *g) {
    bool *trained = NEW_ARRAY(g->arena, bool, g->n_node);
    for (Ref r = 1; r < (Ref)g->n_node; r++) {
        const Node *n = graph_node(g, r);
        if (n->op == OP_param) trained[r] = n->attr.param.role == PARAM_WEIGHT && !n->attr.param.frozen && !n->frozen;
    }
    return trained;
}

void pass_autodiff(Unit *u, Entry entry) {
    if (entry != ENTRY_TRAIN) return;
    Graph *g = u->graph[entry];
    Ref loss = objective_loss(u, g);
    if (!loss) return;
    Ref seed = objective_seed(u, g, loss);
    int32_t n = g->n_node;
    Ref *grad = graph_gradients(g, loss, seed, trained_weights(g));
    objective_updates(u, g, grad, n);
}
