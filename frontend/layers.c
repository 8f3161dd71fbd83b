/* Layers: from bound arguments to graph nodes. The rows are in layers.def; shape mistakes are reported by the
 * operators' shape rules at the call's place. */
#include <math.h>
#include <string.h>

#include "blame.h"
#include "layers.h"

Value layer_value(Ref r) { return r ? (Value){.kind = V_TENSOR, .tensor = r} : v_error; }

const Type *tensor_type(const Elab *e, const Value *v) { return &graph_node(e->graph, v->tensor)->type; }

Ref layer_node(Elab *e, const Bound *b, Op op, int n_in, const Ref *in, const Attr *attr) {
    return graph_add(e->graph, op, n_in, in, attr, b->name, b->at, e->diags);
}

Value layer_unary(Elab *e, const Bound *b, Op op, const Attr *attr) {
    return layer_value(layer_node(e, b, op, 1, &bound(b, "x")->tensor, attr));
}

Ref layer_param(Elab *e, const Bound *b, const char *what, ParamRole role, Value init, int rank,
                     const int32_t *dim) {
    Attr attr = {.param = {.role = role, .init = init.init.kind, .a = init.init.a, .b = init.init.b, .lr_scale = 1,
                           .type = type_make(DT_F32, rank, dim)}};
    Name name = what ? name_join(b->name, ".", what) : b->name;
    Ref r = graph_add(e->graph, OP_param, 0, NULL, &attr, name, b->at, e->diags);
    if (!r) return 0;
    e->n_parameters += type_elements(&graph_node(e->graph, r)->type);
    if (e->n_parameters <= MAX_PARAMETERS) return r;
    exceed(e, b->at, "E0907", "the net has too many parameters", MAX_PARAMETERS);
    return 0;
}

Value layer_constant(double x) { return (Value){.kind = V_INIT, .init = {INIT_CONSTANT, x, 0}}; }

Ref layer_bias(Elab *e, const Bound *b, Ref y, int32_t out, double fan_in) {
    const Value *bias = bound(b, "bias");
    if (!y || (bias->kind == V_BOOL && !bias->flag)) return y;
    const Value *init = bound(b, "init");
    bool torch = init->kind == V_NONE || init->init.kind == INIT_TORCH;
    Value first = layer_constant(bias->kind == V_BOOL ? 0 : value_double(bias));
    if (bias->kind == V_BOOL && torch) first.init.kind = INIT_TORCH, first.init.a = fan_in;
    Ref in[] = {y, layer_param(e, b, "bias", PARAM_WEIGHT, first, 1, &out)};
    return in[1] ? layer_node(e, b, OP_add, 2, in, NULL) : 0;
}

Value layer_weight_init(const Bound *b) {
    const Value *init = bound(b, "init");
    return init->kind == V_NONE ? (Value){.kind = V_INIT, .init = {INIT_TORCH, 0, 0}} : *init;
}

void layer_pair(int32_t *two, const Value *v) {
    two[0] = v->dim.h;
    two[1] = v->dim.w;
}

Value build_conv(Elab *e, const Bound *b) {
    const Type x = *tensor_type(e, bound(b, "x"));
    int32_t out = (int32_t)bound_int(b, "out");
    Attr attr = {.conv = {.groups = (int32_t)bound_int(b, "groups")}};
    ConvAttr *c = &attr.conv;
    layer_pair(c->kernel, bound(b, "kernel"));
    layer_pair(c->stride, bound(b, "stride"));
    layer_pair(c->dilation, bound(b, "dilation"));
    memcpy(c->pad, bound(b, "pad")->pad, sizeof c->pad);
    int32_t in_c = (int32_t)max_i64(type_channels(&x) / c->groups, 1);   /* the shape rule says what does not divide */
    int32_t dim[] = {out, in_c, c->kernel[0], c->kernel[1]};
    Ref in[] = {bound(b, "x")->tensor, layer_param(e, b, "weight", PARAM_WEIGHT, layer_weight_init(b), 4, dim)};
    Ref y = in[1] ? layer_node(e, b, OP_conv, 2, in, &attr) : 0;
    return layer_value(layer_bias(e, b, y, out, (double)in_c * c->kernel[0] * c->kernel[1]));
}

Value build_fc(Elab *e, const Bound *b) {
    const Type x = *tensor_type(e, bound(b, "x"));
    if (x.rank == 4) {
        diag_error(e->diags, b->at, "E0313", "`fc` takes a flat tensor; this is %s", type_shape_text(e->arena, &x));
        return v_error;
    }
    int32_t dim[] = {(int32_t)bound_int(b, "out"), type_channels(&x)};
    Ref in[] = {bound(b, "x")->tensor, layer_param(e, b, "weight", PARAM_WEIGHT, layer_weight_init(b), 2, dim)};
    Ref y = in[1] ? layer_node(e, b, OP_fc, 2, in, NULL) : 0;
    return layer_value(layer_bias(e, b, y, dim[0], dim[1]));
}

Value build_flatten(Elab *e, const Bound *b) { return layer_unary(e, b, OP_flatten, NULL); }

Value build_identity(Elab *e, const Bound *b) {
    (void)e;
    return *bound(b, "x");
}

/* The windows of a result of the size p->to. Where that divides the plane, they are as large as their stride. */
static void pool_divide(const Type *x, PoolAttr *p) {
    const int32_t in[2] = {type_height(x), type_width(x)};
    bool even = in[0] % p->to[0] == 0 && in[1] % p->to[1] == 0;
    for (int d = 0; d < 2; d++) {
        p->kernel[d] = pool_largest(in[d], p->to[d]);
        p->stride[d] = even ? p->kernel[d] : 1;
    }
    if (even) p->to[0] = p->to[1] = 0;
}

/* The result's size is given. */
static bool pool_shares(Elab *e, const Bound *b, PoolAttr *p) {
    const int32_t *pad = bound(b, "pad")->pad;
    if (pad[0] || pad[1] || pad[2] || pad[3] || bound(b, "round")->flag) {
        diag_error(e->diags, b->at, "E0360", "`to` says where all windows are: there is nothing to pad or to round");
        return false;
    }
    layer_pair(p->to, bound(b, "to"));
    pool_divide(tensor_type(e, bound(b, "x")), p);
    return true;
}

/* global=true: one window over the whole plane. */
static bool pool_window(Elab *e, const Bound *b, PoolAttr *p) {
    bool global = bound(b, "global")->flag, kernel = bound_given(b, "kernel"), stride = bound_given(b, "stride");
    bool to = bound_given(b, "to");
    const Type *x = tensor_type(e, bound(b, "x"));
    if (global + kernel + to != 1 || (!kernel && stride)) {
        diag_error(e->diags, b->at, "E0128",
                   "pooling takes a kernel (and stride), to=, the size of the result, or global=true");
        return false;
    }
    if (to) return pool_shares(e, b, p);
    Value whole = value_dim(type_height(x), type_width(x));
    layer_pair(p->kernel, global ? &whole : bound(b, "kernel"));
    layer_pair(p->stride, stride ? bound(b, "stride") : global ? &whole : bound(b, "kernel"));
    memcpy(p->pad, bound(b, "pad")->pad, sizeof p->pad);
    p->ceil = bound(b, "round")->flag;
    return true;
}

Value build_maxpool(Elab *e, const Bound *b) {
    Attr attr = {.pool = {.count_pad = false}};
    return pool_window(e, b, &attr.pool) ? layer_unary(e, b, OP_maxpool, &attr) : v_error;
}

Value build_avgpool(Elab *e, const Bound *b) {
    Attr attr = {.pool = {.count_pad = bound(b, "count_include_pad")->flag && !bound_given(b, "to")}};
    return pool_window(e, b, &attr.pool) ? layer_unary(e, b, OP_avgpool, &attr) : v_error;
}

/* Room for n tensors to join; NULL and a message if concat takes fewer. */
static Ref *joined(Elab *e, const Bound *b, int32_t n) {
    if (n <= op_info[OP_concat].max_in) return NEW_ARRAY(e->arena, Ref, n);
    exceed(e, b->at, "E0908", "this list is too long to join", op_info[OP_concat].max_in);
    return NULL;
}

/* Spatial pyramid pooling (He et al. 2014): the greatest of each of n x n windows, for each n of the levels. */
Value build_spp(Elab *e, const Bound *b) {
    const Value *levels = bound(b, "levels");
    Ref *in = joined(e, b, levels->n);
    if (!in) return v_error;
    for (int32_t i = 0; i < levels->n; i++) {
        int32_t n = (int32_t)value_whole(&levels->item[i]);
        Attr attr = {.pool = {.to = {n, n}}};
        pool_divide(tensor_type(e, bound(b, "x")), &attr.pool);
        Ref y = layer_node(e, b, OP_maxpool, 1, &bound(b, "x")->tensor, &attr);
        in[i] = y ? layer_node(e, b, OP_flatten, 1, &y, NULL) : 0;
        if (!in[i]) return v_error;
    }
    return layer_value(layer_node(e, b, OP_concat, levels->n, in, NULL));
}

Value build_dropout(Elab *e, const Bound *b) {
    Attr attr = {.dropout = {.p = bound_real(b, "p"), .site = e->n_dropout++}};
    return layer_unary(e, b, OP_dropout, &attr);
}

/* torchvision's StochasticDepth, mode "row". */
Value build_stochastic_depth(Elab *e, const Bound *b) {
    Attr attr = {.dropout = {.p = bound_real(b, "p"), .site = e->n_dropout++, .per_picture = true}};
    return layer_unary(e, b, OP_dropout, &attr);
}

Value build_concat(Elab *e, const Bound *b) {
    const Value *xs = bound(b, "xs");
    Ref *in = joined(e, b, xs->n);
    if (!in) return v_error;
    for (int32_t i = 0; i < xs->n; i++) in[i] = xs->item[i].tensor;
    return layer_value(layer_node(e, b, OP_concat, xs->n, in, NULL));
}

/* a op b, where the order makes no difference: the one that is broadcast comes second. */
static void order_operands(const Elab *e, Ref in[2]) {
    const Type *a = &graph_node(e->graph, in[0])->type, *b = &graph_node(e->graph, in[1])->type;
    if (type_broadcast(a, b) != BROADCAST_MISFIT || type_broadcast(b, a) == BROADCAST_MISFIT) return;
    Ref first = in[0];
    in[0] = in[1];
    in[1] = first;
}

/* x0 op x1 op x2 ... from the left. */
static Value fold(Elab *e, const Bound *b, Op op) {
    const Value *xs = bound(b, "xs");
    Ref sum = xs->item[0].tensor;
    for (int32_t i = 1; sum && i < xs->n; i++) {
        Ref in[] = {sum, xs->item[i].tensor};
        order_operands(e, in);
        sum = layer_node(e, b, op, 2, in, NULL);
    }
    return layer_value(sum);
}

Value build_add(Elab *e, const Bound *b) { return fold(e, b, OP_add); }
Value build_mul(Elab *e, const Bound *b) { return fold(e, b, OP_mul); }

void layer_mark(Elab *e, int32_t first, const char *kind) {
    for (int32_t i = first; i < e->graph->n_node; i++) {
        e->graph->node[i].kind = name_of(kind);
        e->graph->node[i].block = e->scope->block;
        e->graph->node[i].nofuse = e->scope->nofuse && e->graph->node[i].op != OP_param;
    }
}

Value layer_add(Elab *e, const AstExpr *x, Value a, Value b) {
    Name name = layer_name(e, "add", &(Notes){0}, x->span, NULL);
    if (!name || a.kind == V_ERROR || b.kind == V_ERROR) return v_lost;
    Ref in[] = {a.tensor, b.tensor};
    order_operands(e, in);
    int32_t first = e->graph->n_node;
    Value v = layer_value(graph_add(e->graph, OP_add, 2, in, NULL, name, x->span, e->diags));
    layer_mark(e, first, "add");
    if (v.kind != V_ERROR) return v;
    Actual side[] = {{.value = a, .span = x->op.a->span, .at = x->op.a->span, .text = x->op.a},
                     {.value = b, .span = x->op.b->span, .at = x->op.b->span, .text = x->op.b}};
    explain_call(e, &(Call){.fn = layer_find(name_of("add")), .span = x->span, .actual = side, .n = 2}, NULL);
    e->lost = true;
    return v_lost;
}

static const Function layer_table[] = {
#define LAYER(id, text) {.kind = FN_LAYER, .name = #id, .signature = text, .run = build_##id},
#include "layers.def"
#undef LAYER
    {.kind = FN_LAYER, .name = "fork", .signature = "x: tensor, pipelines...: list"},   /* run by eval_call.c */
};

const Function *layer_find(Name name) {
    for (int i = 0; i < ARRAY_LEN(layer_table); i++)
        if (!strcmp(layer_table[i].name, name)) return &layer_table[i];
    return NULL;
}

int layer_names(const char **out, int cap) {
    int n = 0;
    for (int i = 0; i < ARRAY_LEN(layer_table) && n < cap; i++) out[n++] = layer_table[i].name;
    return n;
}
