/* See outline.h. */
#include "outline.h"

#include <stdlib.h>
#include <string.h>

/* ---- what a layer is, in a few words ---- */

/* "3x3/2": a window and its stride. */
static void add_window(Str *s, const int32_t kernel[2], const int32_t stride[2]) {
    str_addf(s, " %dx%d", kernel[0], kernel[1]);
    if (stride[0] != stride[1])
        str_addf(s, "/%dx%d", stride[0], stride[1]);
    else if (stride[0] != 1)
        str_addf(s, "/%d", stride[0]);
}

static void say_conv(Str *s, const Attr *attr, const Type *x) {
    const ConvAttr *c = &attr->conv;
    add_window(s, c->kernel, c->stride);
    if (c->dilation[0] != 1 || c->dilation[1] != 1) str_addf(s, " dilation %dx%d", c->dilation[0], c->dilation[1]);
    if (c->groups > 1 && c->groups == type_channels(x))
        str_add(s, " depthwise");
    else if (c->groups > 1)
        str_addf(s, " groups %d", c->groups);
}

static void say_pool(Str *s, const Attr *attr, const Type *x) {
    const PoolAttr *p = &attr->pool;
    if (p->kernel[0] == type_height(x) && p->kernel[1] == type_width(x))
        str_add(s, " global");
    else
        add_window(s, p->kernel, p->stride);
}

static void say_lrn(Str *s, const Attr *attr, const Type *x) {
    (void)x;
    str_addf(s, " %d", attr->lrn.size);
}

static void say_dropout(Str *s, const Attr *attr, const Type *x) {
    (void)x;
    str_addf(s, " %g", attr->dropout.p);
}

static void say_shuffle(Str *s, const Attr *attr, const Type *x) {
    (void)x;
    str_addf(s, " %d", attr->shuffle.groups);
}

static void say_slope(Str *s, const Attr *attr, const Type *x) {
    (void)x;
    str_addf(s, " %g", attr->slope.slope);
}

static void say_resize(Str *s, const Attr *attr, const Type *x) {
    (void)x;
    str_addf(s, " %dx%d%s", attr->resize.to[0], attr->resize.to[1], attr->resize.linear ? " bilinear" : "");
}

typedef void Say(Str *s, const Attr *attr, const Type *x);

static const char *describe(const Graph *g, Arena *a, const Node *n) {
    static Say *const say[ATTR_COUNT] = {
        [ATTR_CONV] = say_conv,       [ATTR_POOL] = say_pool,   [ATTR_LRN] = say_lrn,      [ATTR_DROPOUT] = say_dropout,
        [ATTR_SHUFFLE] = say_shuffle, [ATTR_SLOPE] = say_slope, [ATTR_RESIZE] = say_resize};
    Str s = STR(a);
    str_add(&s, n->kind ? n->kind : op_info[n->op].name);
    if (n->n_in && say[op_info[n->op].attr]) say[op_info[n->op].attr](&s, &n->attr, &graph_node(g, n->in[0])->type);
    return str_text(&s);
}

/* ---- layers ---- */

/* "0" for "layer1.0" in "layer1". */
static const char *inside(Name name, Name block) {
    size_t n = strlen(block);
    return n && !strncmp(name, block, n) && name[n] == '.' ? name + n + 1 : name;
}

/* Does the node belong to the last layer? Nodes without a name are layers of their own. */
static bool continues(const Outline *o, const Node *n) {
    return o->n_layer > 0 && n->name && o->layer[o->n_layer - 1].name == n->name;
}

static int ascending(const void *x, const void *y) {
    int32_t a = *(const int32_t *)x, b = *(const int32_t *)y;
    return (a > b) - (a < b);
}

/* Sorts what it reads and drops repetitions. */
static void sort_sources(Layer *l) {
    int32_t n = 0;
    if (l->n_from) qsort(l->from, (size_t)l->n_from, sizeof *l->from, ascending);
    for (int32_t i = 0; i < l->n_from; i++)
        if (n == 0 || l->from[n - 1] != l->from[i]) l->from[n++] = l->from[i];
    l->n_from = n;
}

static void add_node(Outline *o, Arena *a, Layer *l, const Node *n) {
    int32_t self = (int32_t)(l - o->layer);
    for (int32_t k = 0; k < n->n_in; k++) {
        const Node *in = graph_node(o->net, n->in[k]);
        int32_t from = o->layer_of[n->in[k]];
        if (in->op == OP_param && in->attr.param.role == PARAM_WEIGHT) l->parameters += type_elements(&in->type);
        if (from != NO_LAYER && from != self) PUSH(a, l->from, l->n_from, l->cap_from, from);
    }
    l->type = n->type;
    l->macs += node_macs(o->net, n);
}

static void find_layers(Outline *o, Arena *a, const Ref *kept) {
    const Graph *g = o->net;
    for (int32_t i = 1; i < g->n_node; i++) {
        const Node *n = graph_node(g, (Ref)i);
        o->layer_of[i] = n->op == OP_input ? READS_PICTURE : NO_LAYER;
        if (n->op == OP_param || n->op == OP_input) continue;
        Layer new = {.name = n->name ? n->name : name_of(op_info[n->op].name),
                     .op = n->op,
                     .attr = n->attr,
                     .kind = n->kind ? n->kind : name_of(op_info[n->op].name),
                     .span = n->span,
                     .block = n->block};
        if (!continues(o, n)) {
            new.what = describe(g, a, n);
            new.label = inside(new.name, g->block[n->block].name);
            PUSH(a, o->layer, o->n_layer, o->cap_layer, new);
        }
        o->layer_of[i] = o->n_layer - 1;
        Layer *l = &o->layer[o->n_layer - 1];
        l->deployed = l->deployed || kept[i];
        add_node(o, a, l, n);
    }
    for (int32_t i = 0; i < o->n_layer; i++) sort_sources(&o->layer[i]);
}

/* ---- blocks ---- */

/* Which blocks have layers, of their own or in blocks inside them. */
static bool *with_layers(const Outline *o, Arena *a) {
    bool *has = NEW_ARRAY(a, bool, o->net->n_block);
    has[0] = true;
    for (int32_t i = 0; i < o->n_layer; i++)
        for (int32_t b = o->layer[i].block; !has[b]; b = o->net->block[b].parent) has[b] = true;
    return has;
}

static void count_layer(Outline *o, int32_t layer) {
    const Layer *l = &o->layer[layer];
    for (int32_t b = l->block; b >= 0; b = o->block[b].parent) {
        LayerBlock *at = &o->block[b];
        if (at->end == 0) at->first = layer;
        at->end = layer + 1;
        at->parameters += l->parameters;
        at->macs += l->macs;
    }
}

/* Those that have layers, and what is in them. */
static void find_blocks(Outline *o, Arena *a) {
    const Graph *g = o->net;
    const bool *has = with_layers(o, a);
    int32_t *map = NEW_ARRAY(a, int32_t, g->n_block);
    for (int32_t i = 0; i < g->n_block; i++) {
        const BlockUse *b = &g->block[i];
        if (!has[i]) continue;
        LayerBlock new = {.name = b->name, .kind = b->kind, .parent = i ? map[b->parent] : -1};
        if (i) new.depth = o->block[new.parent].depth + 1;
        new.label = i ? inside(b->name, g->block[b->parent].name) : g->name;
        map[i] = o->n_block;
        PUSH(a, o->block, o->n_block, o->cap_block, new);
    }
    for (int32_t i = 0; i < o->n_layer; i++) o->layer[i].block = map[o->layer[i].block];
    for (int32_t i = 0; i < o->n_layer; i++) count_layer(o, i);
}

const Outline *outline_of(const Graph *net, Arena *a) {
    Outline *o = NEW(a, Outline);
    Ref *kept;
    o->net = net;
    o->layer_of = NEW_ARRAY(a, int32_t, net->n_node);
    graph_deployed(net, a, &kept);
    graph_costs(net, a, &o->parameters, &o->macs);
    find_layers(o, a, kept);
    find_blocks(o, a);
    return o;
}
