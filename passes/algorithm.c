/* algorithm: how each convolution is computed, and each transposed one, which gradients are.
 *
 * Needs gradients (they are rules of conv). Replaces a convolution of stride 1 by the phases of Winograd's method
 * (ir/winograd.h) where a model of its cost (algorithm_model.h) says that this is faster, or where it was measured, as
 * convolutions of inference are (Options.tuned). Training transforms the weights in every step. Before order, because
 * the phases are nodes like any other; before layout, because their operands have halos of their own. Calls have as
 * many pictures as the command line says (--batch), or as a batch of training has. */
#include "algorithm_model.h"
#include "order.h"
#include "pass.h"
#include "slice.h"

/* A transposed convolution of stride 1 is a convolution with the taps in reverse order. */
static void replace(Graph *g, Ref conv, const ConvChoice *c) {
    const Node *n = graph_node(g, conv);
    const ConvAttr *a = &n->attr.conv;
    int32_t kernel = a->kernel[0];
    bool flip = n->op == OP_conv_dgrad;
    Attr attr = {
        .winograd = {.tile = c->tile,
                     .kernel = kernel,
                     .pad = {flip ? kernel - 1 - a->pad[0] : a->pad[0], flip ? kernel - 1 - a->pad[2] : a->pad[2]},
                     .out = {n->type.dim[1], n->type.dim[2], n->type.dim[3]},
                     .band = c->band,
                     .flip = flip}};
    Ref x = n->in[0], w = n->in[1];
    Ref u = graph_op1(g, OP_winograd_weight, w, &attr, conv), v = graph_op1(g, OP_winograd_input, x, &attr, conv);
    Ref m = graph_op2(g, OP_winograd_product, v, u, &attr, conv);
    graph_replace(g, conv, graph_op1(g, OP_winograd_output, m, &attr, conv));
}

static bool is_measured(const TunedConvs *t, Name shape, const ConvChoice *c) {
    for (int32_t i = 0; i < t->n; i++)
        if (t->conv[i].shape == shape && t->conv[i].tile == c->tile && t->conv[i].band == c->band) return true;
    return false;
}

/* What was measured as the fastest, if it is one of the possible choices, else the model's first. */
static ConvChoice choose(const Unit *u, const ConvProblem *p) {
    ConvChoice choice[CONV_CHOICES];
    int n = conv_choices(p, u->opt->winograd, choice);
    Name shape = u->opt->tuned ? conv_shape(p) : NULL;
    for (int i = 0; shape && i < n; i++)
        if (is_measured(u->opt->tuned, shape, &choice[i])) return choice[i];
    return choice[0];
}

/* The phases run where their convolution did: the old order is a good one (order). */
void pass_algorithm(Unit *u, Entry entry) {
    Graph *g = u->graph[entry];
    bool train = entry == ENTRY_TRAIN;
    Slices s = train ? (Slices){0} : slice_of_graph(u, g);
    Ref *seq = NULL;
    int32_t n_seq = 0, cap = 0;
    for (int32_t i = 1, n = g->n_node; i < n; i++) {
        Op op = graph_node(g, (Ref)i)->op;
        Ref first = (Ref)g->n_node;
        if (op == OP_conv || op == OP_conv_dgrad) {
            int32_t pictures = train ? unit_pictures(u, entry) : slice_pictures(u, s.slice, s.n, i);
            ConvProblem p = conv_problem(u, g, (Ref)i, pictures);
            p.fresh = train;
            ConvChoice c = choose(u, &p);
            if (c.tile) replace(g, (Ref)i, &c);
        }
        if (first == (Ref)g->n_node) PUSH(u->arena, seq, n_seq, cap, (Ref)i);
        for (; first < (Ref)g->n_node; first++) PUSH(u->arena, seq, n_seq, cap, first);
    }
    order_renumber(g, seq, n_seq);
}
