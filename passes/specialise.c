/* specialise: one graph for each entry point, from the net as written.
 *
 * Needs canon. Makes u->graph[ENTRY_INFER] and, if the file has a train section, u->graph[ENTRY_TRAIN], but for one
 * that is not wanted at a size of pictures other than the input's; the net stays as it is. From here on no pass knows
 * that layers behave differently in training.
 *
 *   infer   outputs that are not `only train`. Dropout is gone. Batch normalisation uses the running statistics; where
 *           it follows a convolution or fully connected layer that nobody else reads, it becomes part of the weights
 *           and bias (not where @nofuse keeps either apart), by ordinary nodes on parameters, which run once after
 *           those were set. Elsewhere it stays.
 *
 *   train   the logits of the loss terms are the outputs, "logits", "logits.1", ...; autodiff puts the loss there.
 *           Batch normalisation takes the statistics of the batch, or of runs of its pictures, and an ema effect keeps
 *           the running ones; a frozen layer leaves the running ones as they are and drops nothing out. */
#include "pass.h"

/* "infer", at another size than the input's "infer_288x288". */
static Name graph_name(const Unit *u, const char *entry) {
    const Type *t = &graph_node(u->net, u->image)->type;
    return u->base ? name_format("%s_%dx%d", entry, t->dim[2], t->dim[3]) : name_of(entry);
}

static void drop_dropout(Graph *g, Ref r) { graph_replace(g, r, graph_node(g, r)->in[0]); }

/* Inference. */

static bool is_contraction(const Graph *g, Ref r) {
    return graph_node(g, r)->op == OP_conv || graph_node(g, r)->op == OP_fc;
}

/* The contraction whose result x is, perhaps after a per-channel bias; 0 if x is something else or has other readers.
 * n_uses is the number of nodes that `uses` counted; younger ones are folded layers already. */
static Ref contraction_of(const Graph *g, Ref x, const int32_t *uses, Ref n_uses, Ref *bias) {
    *bias = 0;
    if (x >= n_uses || uses[x] != 1) return 0;
    if (is_contraction(g, x)) return x;
    const Node *n = graph_node(g, x);
    if (n->op != OP_add || n->in[0] >= n_uses || uses[n->in[0]] != 1 || !is_contraction(g, n->in[0])) return 0;
    const Type *t = &graph_node(g, n->in[1])->type;
    if (t->rank != 1 || type_batched(t)) return 0;
    *bias = n->in[1];
    return n->in[0];
}

/* bn(conv(x, w) + b, mean, var, gamma, beta) = conv(x, w s) + (beta - mean s + b s), s = gamma / sqrt(var + eps). */
static void fold_bn(Graph *g, Ref bn, Ref conv, Ref bias) {
    const Node *n = graph_node(g, bn);
    Ref mean = n->in[1], var = n->in[2], gamma = n->in[3], beta = n->in[4];
    Attr eps = {.scale = {.alpha = 1, .beta = n->attr.norm.eps}}, attr = graph_node(g, conv)->attr;
    Ref x = graph_node(g, conv)->in[0], w = graph_node(g, conv)->in[1];
    Ref r = graph_op1(g, OP_rsqrt, graph_op1(g, OP_scale, var, &eps, bn), NULL, bn);
    Ref s = graph_op2(g, OP_mul, gamma, r, NULL, bn);
    Ref t = graph_op2(g, OP_sub, beta, graph_op2(g, OP_mul, mean, s, NULL, bn), NULL, bn);
    if (bias) t = graph_op2(g, OP_add, t, graph_op2(g, OP_mul, bias, s, NULL, bn), NULL, bn);
    Op op = graph_node(g, conv)->op;
    const Attr *same = op_info[op].attr == ATTR_NONE ? NULL : &attr;
    Ref folded = graph_op2(g, op, x, graph_op2(g, OP_mul, w, s, NULL, conv), same, conv);
    graph_replace(g, bn, graph_op2(g, OP_add, folded, t, NULL, bn));
}

static void keep_outputs(Graph *g, OutputOnly not_these) {
    int32_t n = 0;
    for (int i = 0; i < g->n_output; i++)
        if (g->output[i].only != not_these) g->output[n++] = g->output[i];
    g->n_output = n;
}

static Graph *infer_graph(const Unit *u) {
    Graph *g = graph_clone(u->arena, u->net);
    g->name = graph_name(u, "infer");
    keep_outputs(g, ONLY_TRAIN);
    for (Ref r = 1; r < (Ref)g->n_node; r++)
        if (graph_node(g, r)->op == OP_dropout) drop_dropout(g, r);
    graph_compact(g, u->arena); /* so that what is dead by now does not count as a reader */
    const int32_t *uses = graph_uses(g, u->arena);
    Ref n = (Ref)g->n_node, bias;
    for (Ref r = 1; r < n; r++) {
        if (graph_node(g, r)->op != OP_bn || graph_node(g, r)->nofuse) continue;
        Ref conv = contraction_of(g, graph_node(g, r)->in[0], uses, n, &bias);
        if (conv && !graph_node(g, conv)->nofuse) fold_bn(g, r, conv, bias);
    }
    return g;
}

/* Training. */

static void add_ema(Graph *g, Ref bn, Ref running, Ref value, bool unbias) {
    const Node *n = graph_node(g, bn);
    int32_t pixels = type_height(&n->type) * type_width(&n->type);
    Attr attr = {.ema = {n->attr.norm.momentum, unbias, pixels, n->attr.norm.ghost}};
    graph_op2(g, OP_ema, running, value, &attr, bn);
}

/* Mean and variance of each run of pictures, for each of its pictures: from those of planes, whose numbers are few. */
static void ghost_statistics(Graph *g, Ref bn, Ref *mean, Ref *var) {
    Ref x = graph_node(g, bn)->in[0];
    Attr run = {.ghost = {graph_node(g, bn)->attr.norm.ghost}};
    bool planes = graph_node(g, x)->type.rank > 2;
    Ref own = planes ? graph_op1(g, OP_plane_mean, x, NULL, bn) : x;
    *mean = graph_op1(g, OP_ghost_mean, own, &run, bn);
    Ref off = graph_op2(g, OP_sub, own, *mean, NULL, bn), square = graph_op2(g, OP_mul, off, off, NULL, bn);
    if (planes) square = graph_op2(g, OP_add, graph_op1(g, OP_plane_var, x, NULL, bn), square, NULL, bn);
    *var = graph_op1(g, OP_ghost_mean, square, &run, bn);
}

static void take_batch_statistics(Graph *g, Ref bn) {
    Ref x = graph_node(g, bn)->in[0], running_mean = graph_node(g, bn)->in[1], running_var = graph_node(g, bn)->in[2];
    Ref mean, var;
    if (graph_node(g, bn)->attr.norm.ghost) {
        ghost_statistics(g, bn, &mean, &var);
    } else {
        mean = graph_op1(g, OP_mean, x, NULL, bn);
        var = graph_op1(g, OP_var, x, NULL, bn);
    }
    graph_node(g, bn)->in[1] = mean;
    graph_node(g, bn)->in[2] = var;
    add_ema(g, bn, running_mean, mean, false);
    add_ema(g, bn, running_var, var, true);
}

static Graph *train_graph(const Unit *u) {
    Graph *g = graph_clone(u->arena, u->net);
    g->name = graph_name(u, "train");
    g->n_output = 0;
    for (int i = 0; i < u->train.n_loss; i++)
        graph_output(g, i ? name_format("logits.%d", i) : name_of("logits"), u->train.loss[i].logits, ONLY_BOTH);
    graph_compact(g, u->arena); /* only now: an ema effect would keep a layer that no loss needs */
    Ref n = (Ref)g->n_node;
    for (Ref r = 1; r < n; r++) {
        bool frozen = graph_node(g, r)->frozen;
        if (graph_node(g, r)->op == OP_dropout && frozen) drop_dropout(g, r);
        if (graph_node(g, r)->op == OP_bn && !frozen) take_batch_statistics(g, r);
    }
    return g;
}

void pass_specialise(Unit *u, Entry entry) {
    (void)entry;
    if (!u->unwanted[ENTRY_INFER]) u->graph[ENTRY_INFER] = infer_graph(u);
    if (u->train.present && !u->unwanted[ENTRY_TRAIN]) u->graph[ENTRY_TRAIN] = train_graph(u);
}
