/* algorithm: how each convolution is computed.
 *
 * Needs gradients (they are rules of conv). Replaces a conv by the phases of Winograd's method (ir/winograd.h) where a model
 * of its cost (algorithm_model.h) says that this is faster, or where it was measured (Options.tuned). Inference only:
 * training would transform the weights in every step. Before order, because the phases are nodes like any other; before
 * layout, because their operands have halos of their own. Calls have as many pictures as the command line says (--batch). */
#include "algorithm_model.h"
#include "pass.h"
#include "slice.h"

static void replace(Graph *g, Ref conv, const WinogradAttr *winograd) {
    Attr attr = {.winograd = *winograd};
    const Node *n = graph_node(g, conv);
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

void pass_algorithm(Unit *u, Entry entry) {
    Graph *g = u->graph[entry];
    if (entry != ENTRY_INFER) return;
    Slices s = slice_of_graph(u, g);
    for (int32_t i = 1, n = g->n_node; i < n; i++) {
        const Node *conv = graph_node(g, (Ref)i);
        if (conv->op != OP_conv) continue;
        ConvProblem p = conv_problem(u, g, (Ref)i, slice_pictures(u, s.slice, s.n, i));
        ConvChoice c = choose(u, &p);
        if (c.tile)
            replace(g, (Ref)i,
                    &(WinogradAttr){.tile = c.tile,
                                    .kernel = conv->attr.conv.kernel[0],
                                    .pad = {conv->attr.conv.pad[0], conv->attr.conv.pad[2]},
                                    .out = {conv->type.dim[1], conv->type.dim[2], conv->type.dim[3]},
                                    .band = c.band});
    }
}
