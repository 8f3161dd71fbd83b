/* explain: what was chosen for each step, for people.
 *
 * Needs the final steps; sets how and cycles of each and changes nothing else. Late, because every choice before it
 * shows. Predictions, for a call of all pictures, are those of the algorithm model for Winograd's method and for
 * convolutions of inference, else of the tile model. */
#include "algorithm_model.h"
#include "chain.h"
#include "pass.h"
#include "slice.h"

/* Convolutions in the step's kernel, and poolings of what they make. */
static int32_t stages(const Graph *g, const Node *root) {
    int32_t n = root->op == OP_conv;
    for (int32_t i = 1; root->group && i < g->n_node; i++) {
        const Node *member = graph_node(g, (Ref)i);
        n += member != root && member->group == root->group && chain_is_stage(g, (Ref)i);
    }
    return n;
}

static Name algorithm_of(const Graph *g, const Node *root) {
    const WinogradAttr *w = &root->attr.winograd;
    if (root->op == OP_winograd_weight) return name_format("F(%d,%d)", w->tile, w->kernel);
    if (op_info[root->op].attr == ATTR_WINOGRAD)
        return w->band ? name_format("F(%d,%d) band %d", w->tile, w->kernel, w->band)
                       : name_format("F(%d,%d) phases", w->tile, w->kernel);
    if (op_info[root->op].attr != ATTR_CONV) return name_of("");
    int32_t n = stages(g, root);
    return n > 1 ? name_format("chain of %d", n) : name_of(root->attr.conv.groups > 1 ? "grouped" : "direct");
}

/* Of the whole convolution, for the step that counts its products. In training that transforms weights, too. */
static double winograd_prediction(const Unit *u, const Graph *g, Entry entry, const Step *s, int32_t pictures) {
    const Node *root = graph_node(g, s->root);
    const WinogradAttr *w = &root->attr.winograd;
    if (!s->macs) return 0;
    const Node *input = root->op == OP_winograd_product ? graph_node(g, root->in[0]) : root;
    Type y = type_make(DT_F32, 4, (const int32_t[]){BATCH, w->out[0], w->out[1], w->out[2]});
    ConvAttr conv = {.kernel = {w->kernel, w->kernel}, .stride = {1, 1}, .dilation = {1, 1}, .groups = 1};
    ConvProblem p = {.conv = &conv,
                     .x = &graph_node(g, input->in[0])->type,
                     .y = &y,
                     .fresh = entry == ENTRY_TRAIN,
                     .pictures = pictures,
                     .machine = u->machine};
    return conv_cycles(&p, w->tile, w->band);
}

/* Whether it is computed for each picture, or sums over them. */
static bool goes_over_pictures(const Graph *g, const Node *n) {
    bool batched = type_batched(&n->type);
    for (int32_t i = 0; i < n->n_in; i++) batched = batched || type_batched(&graph_node(g, n->in[i])->type);
    return batched;
}

/* Of one run of the step with so many pictures. */
static double prediction(const Unit *u, const Graph *g, Entry entry, const Step *s, const Kernel *k, int32_t pictures) {
    const Node *root = graph_node(g, s->root);
    if (op_info[root->op].attr == ATTR_WINOGRAD) return winograd_prediction(u, g, entry, s, pictures);
    if (entry == ENTRY_INFER && root->op == OP_conv && s->macs && stages(g, root) == 1) {
        ConvProblem p = conv_problem(u, g, s->root, pictures);
        if (!p.plain && p.conv->groups == 1 && p.x->dim[1] >= u->machine->vector_lanes) return conv_cycles(&p, 0, 0);
    }
    return k->cycles * (goes_over_pictures(g, root) ? pictures : 1);
}

void pass_explain(Unit *u, Entry entry) {
    Program *p = u->program[entry];
    int32_t all = unit_pictures(u, entry);
    for (int32_t i = 0; i < p->n_step; i++) {
        Step *s = &p->step[i];
        const Kernel *k = p->kernel[s->kernel];
        const Node *root = graph_node(p->graph, s->root);
        Name algorithm = algorithm_of(p->graph, root);
        s->how = k->tiles ? name_format("%s%s%s", algorithm, *algorithm ? ", " : "", k->tiles) : algorithm;
        int32_t some = entry == ENTRY_TRAIN ? all : slice_pictures(u, p->slice, p->n_slice, i);
        s->cycles = prediction(u, p->graph, entry, s, k, some) * all / some;
    }
}
