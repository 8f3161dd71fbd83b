/* Element-wise operators: the value of one element from the values of the operands' elements; and the two updates that
 * change parameters in place. */
#include "../ir/half.h"
#include "lower.h"

/* Sources have no kernel of their own; a fill that needs one is written by lower_finish. */
static _Noreturn void never(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    ice("%s is not lowered by a rule", op_info[graph_node(l->g, node)->op].name);
}

const Expr *lower_input(Lower *l, Ref node, const Expr *const *operand) { never(l, node, operand); }
const Expr *lower_param(Lower *l, Ref node, const Expr *const *operand) { never(l, node, operand); }
const Expr *lower_fill(Lower *l, Ref node, const Expr *const *operand) { never(l, node, operand); }

typedef struct Table {
    Lower *l;
    Ref node;
    Stmt *stores;
} Table;

static void store_number(void *context, int32_t i, double x) {
    Table *t = context;
    Kernel *k = t->l->k;
    st_append(k, t->stores, st_store(k, lower_arg(t->l, t->node), ex_int(k, i), num(t->l, x)));
}

/* A vector is stored in order. */
const Expr *lower_table(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    lower_begin(l);
    Table t = {l, node, st_seq(l->k)};
    table_numbers(&graph_node(l->g, node)->attr.table, store_number, &t);
    lower_end(l, t.stores);
    lower_zero_pads(l, node);
    return NULL;
}

const Expr *lower_add(Lower *l, Ref node, const Expr *const *operand) {
    (void)node;
    return ex2(l->k, EX_add, operand[0], operand[1]);
}

const Expr *lower_sub(Lower *l, Ref node, const Expr *const *operand) {
    (void)node;
    return ex2(l->k, EX_sub, operand[0], operand[1]);
}

const Expr *lower_mul(Lower *l, Ref node, const Expr *const *operand) {
    (void)node;
    return ex2(l->k, EX_mul, operand[0], operand[1]);
}

const Expr *lower_scale(Lower *l, Ref node, const Expr *const *operand) {
    const ScaleAttr *a = &graph_node(l->g, node)->attr.scale;
    const Expr *v = operand[0];
    if (a->alpha != 1) v = ex2(l->k, EX_mul, num(l, a->alpha), v);
    if (a->per_picture) v = ex2(l->k, EX_div, v, ex1(l->k, EX_tofloat, ex_batch(l->k)));
    if (a->beta != 0) v = ex2(l->k, EX_add, v, num(l, a->beta));
    return v;
}

const Expr *lower_rsqrt(Lower *l, Ref node, const Expr *const *operand) {
    (void)node;
    return ex2(l->k, EX_div, num(l, 1), ex1(l->k, EX_sqrt, operand[0]));
}

/* The store rounds. */
const Expr *lower_to_half(Lower *l, Ref node, const Expr *const *operand) {
    (void)node;
    return ex2(l->k, EX_min, num(l, HALF_MAX), ex2(l->k, EX_max, num(l, -HALF_MAX), operand[0]));
}

const Expr *lower_bn(Lower *l, Ref node, const Expr *const *operand) {
    const Expr *x = operand[0], *mean = operand[1], *var = operand[2], *gamma = operand[3], *beta = operand[4];
    const Expr *eps = num(l, graph_node(l->g, node)->attr.norm.eps);
    const Expr *scale = ex2(l->k, EX_div, gamma, ex1(l->k, EX_sqrt, ex2(l->k, EX_add, var, eps)));
    return ex3(l->k, EX_fma, ex2(l->k, EX_sub, x, mean), scale, beta);
}

/* The logical row-major index of the element being finished, pictures included. */
static const Expr *logical_index(Lower *l, const Type *t) {
    const Expr *i = ex_int(l->k, 0);
    int channel = type_channel_dim(t);
    for (int d = 0; d < t->rank; d++) {
        const Expr *x = d == channel ? coord_channel(l, t, l->at) : l->at->outer[d];
        i = d ? add_e(l, mul_i(l, i, t->dim[d]), x) : x;
    }
    return i;
}

const Expr *lower_dropout(Lower *l, Ref node, const Expr *const *operand) {
    const Node *n = graph_node(l->g, node);
    const DropoutAttr *a = &n->attr.dropout;
    const Expr *u = ex_random(l->k, a->site, a->per_picture ? l->at->outer[0] : logical_index(l, &n->type));
    const Expr *kept = ex2(l->k, EX_mul, num(l, 1 / (1 - a->p)), operand[0]);
    return ex3(l->k, EX_select, ex2(l->k, EX_le, num(l, a->p), u), kept, num(l, 0));
}

/* The update of PyTorch's SGD: g += decay * w; v = momentum * v + g; w -= lr * (nesterov ? g + momentum * v : v). */
const Expr *lower_sgd(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    const SgdAttr *a = &n->attr.sgd;
    Ref w = n->in[0], g = n->in[1], v = n->in[2], lr = n->in[3];
    Nest nest = {0};
    lower_begin(l);
    Kernel *k = l->k;
    Coord c = nest_tensor(l, &nest, &graph_node(l->g, w)->type);
    const Expr *at = index_at(l, &graph_node(l->g, w)->type, &c);
    const Expr *grad = ex_load(k, lower_arg(l, g), at), *weight = ex_load(k, lower_arg(l, w), at);
    if (a->weight_decay != 0) grad = ex3(k, EX_fma, num(l, a->weight_decay), weight, grad);
    const Expr *velocity = ex3(k, EX_fma, num(l, a->momentum), ex_load(k, lower_arg(l, v), at), grad);
    const Expr *rate = ex2(k, EX_mul, num(l, -a->lr_scale), ex_load(k, lower_arg(l, lr), ex_int(k, 0)));
    const Layout *layout = &graph_node(l->g, w)->type.layout;
    const Expr *lane = layout->b0 > 1 ? c.lane[0] : layout->b1 > 1 ? c.lane[1] : ex_int(k, 0);
    int32_t reg = lower_reg(l, "v", DT_F32, layout->b0 > 1 ? layout->b0 : layout->b1);
    const Expr *kept = ex_load(k, reg, lane);
    const Expr *step = kept;
    if (a->nesterov) step = ex3(k, EX_fma, num(l, a->momentum), kept, grad);
    Stmt *seq = st_seq(k);
    st_append(k, seq, st_store(k, reg, lane, velocity));
    st_append(k, seq, st_store(k, lower_arg(l, w), at, ex3(k, EX_fma, rate, step, weight)));
    st_append(k, seq, st_store(k, lower_arg(l, v), at, kept));
    lower_end(l, nest_wrap(l, &nest, seq));
    return NULL;
}

/* running = (1 - m) running + m value; the value of M numbers that is to be unbiased times M / max(M - 1, 1). */
static const Expr *ema_step(Lower *l, const EmaAttr *a, const Expr *old, const Expr *value, const Expr *pictures) {
    Kernel *k = l->k;
    if (a->unbias) {
        const Expr *m = mul_i(l, pictures, a->pixels), *rest = ex2(k, EX_max, add_i(l, m, -1), ex_int(k, 1));
        value = mul_e(l, value, ex2(k, EX_div, ex1(k, EX_tofloat, m), ex1(k, EX_tofloat, rest)));
    }
    return ex3(k, EX_fma, num(l, a->momentum), value, mul_e(l, num(l, 1 - a->momentum), old));
}

/* The first picture of every run stands for it. */
static Stmt *ema_runs(Lower *l, const Node *n, const Expr *old, const Expr *at, const Coord *c) {
    Kernel *k = l->k;
    const EmaAttr *a = &n->attr.ema;
    Nest runs = {0};
    const Expr *pic = nest_loop(l, &runs, "n", BATCH, ROLE_NONE), *run = ex_int(k, a->ghost), *zero = ex_int(k, 0);
    const Expr *pictures = ex2(k, EX_min, run, ex2(k, EX_sub, ex_batch(k), pic));
    const Coord of = {{pic, c->outer[0]}, {zero, c->lane[0]}};
    const Expr *value = ema_step(l, a, old, load_at(l, n->in[1], &of), pictures);
    Stmt *store = st_store(k, lower_arg(l, n->in[0]), at, value);
    return nest_wrap(l, &runs, st_guard(k, ex2(k, EX_eq, ex2(k, EX_mod, pic, run), zero), store));
}

const Expr *lower_ema(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    const EmaAttr *a = &n->attr.ema;
    Nest nest = {0};
    lower_begin(l);
    Kernel *k = l->k;
    const Type *t = &graph_node(l->g, n->in[0])->type;
    Coord c = nest_tensor(l, &nest, t);
    const Expr *at = index_at(l, t, &c), *old = ex_load(k, lower_arg(l, n->in[0]), at);
    Stmt *body;
    if (a->ghost)
        body = ema_runs(l, n, old, at, &c);
    else
        body = st_store(k, lower_arg(l, n->in[0]), at,
                        ema_step(l, a, old, ex_load(k, lower_arg(l, n->in[1]), at), ex_batch(k)));
    lower_end(l, nest_wrap(l, &nest, body));
    return NULL;
}
