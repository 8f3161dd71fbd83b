#include "graph.h"

#include "shape.h"

#include <string.h>

Graph *graph_new(Arena *a, Name name) {
    Graph *g = NEW(a, Graph);
    g->arena = a;
    g->name = name ? name : name_of("");
    PUSH(a, g->node, g->n_node, g->cap_node, (Node){.op = OP_none});
    PUSH(a, g->block, g->n_block, g->cap_block, ((BlockUse){.name = name_of(""), .kind = g->name}));
    return g;
}

static Ref *copy_refs(Arena *a, int n, const Ref *in) {
    Ref *copy = NEW_ARRAY(a, Ref, n);
    if (n) memcpy(copy, in, (size_t)n * sizeof *in);
    return copy;
}

Graph *graph_clone(Arena *a, const Graph *g) {
    Graph *copy = NEW(a, Graph);
    *copy = *g;
    copy->arena = a;
    copy->cap_node = g->n_node;
    copy->node = NEW_ARRAY(a, Node, g->n_node);
    memcpy(copy->node, g->node, (size_t)g->n_node * sizeof *g->node);
    for (int32_t i = 1; i < g->n_node; i++) copy->node[i].in = copy_refs(a, g->node[i].n_in, g->node[i].in);
    copy->cap_block = g->n_block;
    copy->block = NEW_ARRAY(a, BlockUse, g->n_block);
    memcpy(copy->block, g->block, (size_t)g->n_block * sizeof *g->block);
    copy->cap_output = g->n_output;
    copy->output = NEW_ARRAY(a, Output, g->n_output);
    if (g->n_output) memcpy(copy->output, g->output, (size_t)g->n_output * sizeof *g->output);
    return copy;
}

Node *graph_node(const Graph *g, Ref r) {
    ICE_UNLESS(r > 0 && r < (Ref)g->n_node, "graph `%s` has no node %%%u", g->name, r);
    return &g->node[r];
}

Ref graph_add(Graph *g, Op op, int n_in, const Ref *in, const Attr *attr, Name name, Span span, Diags *d) {
    ICE_UNLESS(op > OP_none && op < OP_COUNT, "there is no operator %d", (int)op);
    const OpInfo *info = &op_info[op];
    ICE_UNLESS(n_in >= info->min_in && n_in <= info->max_in, "`%s` does not take %d operands", info->name, n_in);
    ICE_UNLESS((info->attr == ATTR_NONE) == (attr == NULL), "`%s`: attributes missing or too many", info->name);
    Node n = {.op = op, .n_in = n_in, .in = copy_refs(g->arena, n_in, in), .name = name, .span = span};
    if (attr) n.attr = *attr;
    Diags *report = d ? d : diag_new(g->arena);
    if (!shape_infer(g, &n, &n.type, report)) {
        ICE_UNLESS(d, "layer `%s`: %s", name ? name : "", report->message[0].text);
        return 0;
    }
    PUSH(g->arena, g->node, g->n_node, g->cap_node, n);
    return (Ref)g->n_node - 1;
}

static Ref add_from(Graph *g, Op op, int n_in, const Ref *in, const Attr *attr, Ref from) {
    const Node source = *graph_node(g, from);
    Ref r = graph_add(g, op, n_in, in, attr, source.name, source.span, NULL);
    g->node[r].frozen = source.frozen;
    g->node[r].kind = source.kind;
    g->node[r].block = source.block;
    g->node[r].nofuse = source.nofuse;
    return r;
}

Ref graph_op1(Graph *g, Op op, Ref a, const Attr *attr, Ref from) {
    return add_from(g, op, 1, (const Ref[]){a}, attr, from);
}

Ref graph_op2(Graph *g, Op op, Ref a, Ref b, const Attr *attr, Ref from) {
    return add_from(g, op, 2, (const Ref[]){a, b}, attr, from);
}

Ref graph_op3(Graph *g, Op op, Ref a, Ref b, Ref c, const Attr *attr, Ref from) {
    return add_from(g, op, 3, (const Ref[]){a, b, c}, attr, from);
}

void graph_output(Graph *g, Name name, Ref ref, OutputOnly only) {
    ICE_UNLESS(ref > 0 && ref < (Ref)g->n_node, "output `%s` names no node", name);
    PUSH(g->arena, g->output, g->n_output, g->cap_output, ((Output){.name = name, .ref = ref, .only = only}));
}

Ref graph_find_output(const Graph *g, const char *name) {
    for (int32_t i = 0; i < g->n_output; i++)
        if (strcmp(g->output[i].name, name) == 0) return g->output[i].ref;
    return 0;
}

Ref graph_scores(const Graph *g) {
    Ref named = graph_find_output(g, "scores");
    return named || !g->n_output ? named : g->output[0].ref;
}

Ref graph_find_param(const Graph *g, Name name) {
    for (int32_t i = 1; i < g->n_node; i++)
        if (g->node[i].op == OP_param && g->node[i].name == name) return (Ref)i;
    return 0;
}

void graph_replace(Graph *g, Ref old, Ref new_ref) {
    for (int32_t i = 1; i < g->n_node; i++)
        for (int32_t k = 0; k < g->node[i].n_in && (Ref)i != new_ref; k++)
            if (g->node[i].in[k] == old) g->node[i].in[k] = new_ref;
    for (int32_t i = 0; i < g->n_output; i++)
        if (g->output[i].ref == old) g->output[i].ref = new_ref;
}

int32_t *graph_uses(const Graph *g, Arena *a) {
    int32_t *uses = NEW_ARRAY(a, int32_t, g->n_node);
    for (int32_t i = 1; i < g->n_node; i++)
        for (int32_t k = 0; k < g->node[i].n_in; k++) uses[g->node[i].in[k]]++;
    for (int32_t i = 0; i < g->n_output; i++) uses[g->output[i].ref]++;
    return uses;
}

Readers graph_readers(const Graph *g, Arena *a) {
    Readers r = {.start = NEW_ARRAY(a, int32_t, (int64_t)g->n_node + 2)};
    for (int32_t i = 1; i < g->n_node; i++)   /* counts first, two places on, so that filling leaves the starts right */
        for (int32_t k = 0; k < g->node[i].n_in; k++) r.start[g->node[i].in[k] + 2]++;
    for (int32_t i = 0; i < g->n_node; i++) r.start[i + 2] += r.start[i + 1];
    r.node = NEW_ARRAY(a, Ref, r.start[g->n_node + 1]);
    for (int32_t i = 1; i < g->n_node; i++)
        for (int32_t k = 0; k < g->node[i].n_in; k++) r.node[r.start[g->node[i].in[k] + 1]++] = (Ref)i;
    return r;
}

static bool changes(const Graph *g, Ref e, Ref param) {
    return op_info[g->node[e].op].effect && g->node[e].in[0] == param;
}

bool graph_reads_before(const Graph *g, Ref r, Ref e) {
    const Node *n = &g->node[r];
    Ref param = g->node[e].in[0];
    if (!op_info[g->node[e].op].effect || changes(g, r, param)) return false;
    for (int32_t k = 0; k < n->n_in; k++)
        if (n->in[k] == param) return true;
    return false;
}

bool *graph_constants(const Graph *g, Arena *a) {
    bool *changed = NEW_ARRAY(a, bool, g->n_node), *constant = NEW_ARRAY(a, bool, g->n_node);
    for (int32_t i = 1; i < g->n_node; i++) {
        const Node *n = &g->node[i];
        if (op_info[n->op].effect || n->op == OP_accumulate) changed[n->in[0]] = true;
    }
    for (int32_t i = 1; i < g->n_node; i++) {
        const Node *n = &g->node[i];
        ParamRole role = n->op == OP_param ? n->attr.param.role : PARAM_WEIGHT;
        constant[i] = !changed[i] && (n->op == OP_param ? role == PARAM_WEIGHT || role == PARAM_BUFFER : n->n_in > 0);
        for (int32_t k = 0; k < n->n_in; k++) constant[i] = constant[i] && constant[n->in[k]];
    }
    return constant;
}

bool graph_gathers(const Graph *g) {
    for (int32_t i = 1; i < g->n_node; i++)
        if (g->node[i].op == OP_accumulate) return true;
    return false;
}

bool graph_updates(const Graph *g, Ref r) {
    const Node *n = &g->node[r];
    if (op_info[n->op].effect) return g->node[n->in[0]].attr.param.role != PARAM_BUFFER;
    for (int32_t k = 0; k < n->n_in; k++)
        if (g->node[n->in[k]].op == OP_accumulate) return true;
    return false;
}

static int64_t saturated(int64_t a, int64_t b) {
    int64_t r;
    return mul_ok(a, b, &r) ? r : INT64_MAX;
}

int64_t node_macs(const Graph *g, const Node *n) {
    const ConvAttr *c = &n->attr.conv;
    const Type *in0 = n->n_in > 0 ? rule_in(g, n, 0) : NULL, *in1 = n->n_in > 1 ? rule_in(g, n, 1) : NULL;
    int64_t taps = op_info[n->op].attr == ATTR_CONV ? (int64_t)c->kernel[0] * c->kernel[1] : 0;
    switch (n->op) {
    case OP_conv: return saturated(type_elements(&n->type), saturated(in1->dim[1], taps));
    case OP_conv_dgrad:
    case OP_conv_wgrad: return saturated(type_elements(in0), saturated(c->in_c / c->groups, taps));
    case OP_winograd_product: /* of the convolution that it is a part of */
        return saturated((int64_t)n->attr.winograd.out[0] * n->attr.winograd.out[1],
                         saturated(n->attr.winograd.out[2], saturated(in0->dim[1], (int64_t)n->attr.winograd.kernel *
                                                                                       n->attr.winograd.kernel)));
    case OP_fc:
    case OP_fc_dgrad: return type_elements(in1);
    case OP_fc_wgrad: return type_elements(&n->type);
    default: return 0;
    }
}

Graph *graph_deployed(const Graph *g, Arena *a, Ref **map) {
    Graph *deployed = graph_clone(a, g);
    deployed->n_output = 0;
    for (int32_t i = 0; i < g->n_output; i++)
        if (g->output[i].only != ONLY_TRAIN) deployed->output[deployed->n_output++] = g->output[i];
    Ref *moved = graph_compact(deployed, a);
    if (map) *map = moved;
    return deployed;
}

void graph_costs(const Graph *g, Arena *a, int64_t *parameters, int64_t *macs) {
    const Graph *deployed = graph_deployed(g, a, NULL);
    *parameters = *macs = 0;
    for (int32_t i = 1; i < deployed->n_node; i++) {
        const Node *n = &deployed->node[i];
        if (n->op == OP_param && n->attr.param.role == PARAM_WEIGHT) *parameters += type_elements(&n->type);
        *macs += node_macs(deployed, n);
    }
}
