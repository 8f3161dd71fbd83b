/* Element-wise operators: the value of one element from the values of the operands' elements; and the updates that
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

/* In the place of the sum, see storage_for. */
const Expr *lower_accumulate(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    Nest nest = {0};
    lower_begin(l);
    Kernel *k = l->k;
    int32_t sum = lower_arg(l, node);
    Coord c = nest_tensor(l, &nest, &n->type);
    const Expr *at = index_at(l, &n->type, &c), *more = ex_load(k, lower_arg(l, n->in[1]), at);
    const Expr *again = ex_load(k, lower_arg(l, n->in[2]), ex_int(k, 0)),
               *both = ex2(k, EX_add, ex_load(k, sum, at), more);
    const Expr *value = ex3(k, EX_select, ex2(k, EX_le, again, num(l, 0)), more, both);
    lower_end(l, nest_wrap(l, &nest, st_store(k, sum, at, value)));
    return NULL;
}

/* Where an update works: element `at` of a weight, and of its gradient, which decay has joined, and state. Numbers that
 * several stores need are kept in registers, one for each lane. */
typedef struct Update {
    Nest nest;
    const Node *n;
    const Expr *at, *lane, *weight, *grad, *rate; /* rate: less than 0 */
    int32_t lanes;
    Stmt *seq;
} Update;

static Update update_begin(Lower *l, Ref node, double weight_decay, double lr_scale) {
    const Node *n = graph_node(l->g, node);
    const Type *t = &graph_node(l->g, n->in[0])->type;
    Update u = {.n = n};
    lower_begin(l);
    Kernel *k = l->k;
    Coord c = nest_tensor(l, &u.nest, t);
    u.at = index_at(l, t, &c);
    u.lane = t->layout.b0 > 1 ? c.lane[0] : t->layout.b1 > 1 ? c.lane[1] : ex_int(k, 0);
    u.lanes = t->layout.b0 > 1 ? t->layout.b0 : t->layout.b1;
    u.grad = ex_load(k, lower_arg(l, n->in[1]), u.at);
    u.weight = ex_load(k, lower_arg(l, n->in[0]), u.at);
    if (weight_decay != 0) u.grad = ex3(k, EX_fma, num(l, weight_decay), u.weight, u.grad);
    u.rate = ex2(k, EX_mul, num(l, -lr_scale), ex_load(k, lower_arg(l, n->in[n->n_in - 1]), ex_int(k, 0)));
    u.seq = st_seq(k);
    return u;
}

static const Expr *update_keep(Lower *l, Update *u, const char *name, const Expr *value) {
    int32_t reg = lower_reg(l, name, DT_F32, u->lanes);
    st_append(l->k, u->seq, st_store(l->k, reg, u->lane, value));
    return ex_load(l->k, reg, u->lane);
}

static const Expr *update_state(Lower *l, const Update *u, int operand) {
    return ex_load(l->k, lower_arg(l, u->n->in[operand]), u->at);
}

static void update_store(Lower *l, Update *u, int operand, const Expr *value) {
    st_append(l->k, u->seq, st_store(l->k, lower_arg(l, u->n->in[operand]), u->at, value));
}

/* The update of PyTorch's SGD: g += decay * w; v = momentum * v + g; w -= lr * (nesterov ? g + momentum * v : v). */
const Expr *lower_sgd(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const SgdAttr *a = &graph_node(l->g, node)->attr.sgd;
    Update u = update_begin(l, node, a->weight_decay, a->lr_scale);
    Kernel *k = l->k;
    const Expr *velocity = update_state(l, &u, 2);
    const Expr *kept = update_keep(l, &u, "v", ex3(k, EX_fma, num(l, a->momentum), velocity, u.grad)), *step = kept;
    if (a->nesterov) step = ex3(k, EX_fma, num(l, a->momentum), kept, u.grad);
    update_store(l, &u, 0, ex3(k, EX_fma, u.rate, step, u.weight));
    update_store(l, &u, 2, kept);
    lower_end(l, nest_wrap(l, &u.nest, u.seq));
    return NULL;
}

/* beta * old + (1 - beta) * value: once for the averages and once for the sums, so that both round betas alike. */
static const Expr *average(Lower *l, double beta, const Expr *old, const Expr *value) {
    return ex3(l->k, EX_fma, num(l, 1 - beta), value, mul_e(l, num(l, beta), old));
}

static const Expr *adam_sum(Lower *l, const Update *u, int i) {
    const Expr *old = ex_load(l->k, lower_arg(l, u->n->in[4 + i]), ex_int(l->k, 0));
    return average(l, u->n->attr.adam.beta[i], old, num(l, 1));
}

/* The updates of PyTorch's Adam and AdamW, see AdamAttr: w -= lr * (m / c0) / (sqrt(v / c1) + eps). */
const Expr *lower_adam(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const AdamAttr *a = &graph_node(l->g, node)->attr.adam;
    Update u = update_begin(l, node, a->decoupled ? 0 : a->weight_decay, a->lr_scale);
    Kernel *k = l->k;
    const Expr *m = update_state(l, &u, 2), *v = update_state(l, &u, 3);
    m = update_keep(l, &u, "m", average(l, a->beta[0], m, u.grad));
    v = update_keep(l, &u, "v", average(l, a->beta[1], v, mul_e(l, u.grad, u.grad)));
    const Expr *size = ex1(k, EX_sqrt, ex2(k, EX_div, v, adam_sum(l, &u, 1)));
    const Expr *step = ex2(k, EX_div, m, ex2(k, EX_add, size, num(l, a->eps))), *weight = u.weight;
    if (a->decoupled && a->weight_decay != 0)
        weight = ex3(k, EX_fma, mul_e(l, u.rate, num(l, a->weight_decay)), weight, weight);
    update_store(l, &u, 0, ex3(k, EX_fma, ex2(k, EX_div, u.rate, adam_sum(l, &u, 0)), step, weight));
    update_store(l, &u, 2, m);
    update_store(l, &u, 3, v);
    lower_end(l, nest_wrap(l, &u.nest, u.seq));
    return NULL;
}

/* See RmspropAttr. */
const Expr *lower_rmsprop(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const RmspropAttr *a = &graph_node(l->g, node)->attr.rmsprop;
    Update u = update_begin(l, node, a->weight_decay, a->lr_scale);
    Kernel *k = l->k;
    const Expr *square = average(l, a->alpha, update_state(l, &u, 2), mul_e(l, u.grad, u.grad)), *eps = num(l, a->eps);
    const Expr *s = square = update_keep(l, &u, "s", square), *mean = NULL;
    if (a->centred) {
        mean = update_keep(l, &u, "m", average(l, a->alpha, update_state(l, &u, u.n->n_in - 2), u.grad));
        s = ex2(k, EX_max, ex2(k, EX_sub, s, mul_e(l, mean, mean)), num(l, 0));
    }
    s = a->eps_inside ? ex1(k, EX_sqrt, add_e(l, s, eps)) : add_e(l, ex1(k, EX_sqrt, s), eps);
    const Expr *step = ex2(k, EX_div, u.grad, s);
    if (a->momentum > 0) step = update_keep(l, &u, "v", ex3(k, EX_fma, num(l, a->momentum), update_state(l, &u, 3), step));
    update_store(l, &u, 0, ex3(k, EX_fma, u.rate, step, u.weight));
    update_store(l, &u, 2, square);
    if (a->momentum > 0) update_store(l, &u, 3, step);
    if (a->centred) update_store(l, &u, u.n->n_in - 2, mean);
    lower_end(l, nest_wrap(l, &u.nest, u.seq));
    return NULL;
}

/* The r of LarsAttr, from the sums of squares. */
static const Expr *lars_ratio(Lower *l, const Node *n) {
    Kernel *k = l->k;
    const LarsAttr *a = &n->attr.lars;
    const Expr *zero = ex_int(k, 0);
    const Expr *length = ex1(k, EX_sqrt, ex_load(k, lower_arg(l, n->in[3]), zero));
    const Expr *slope = ex1(k, EX_sqrt, ex_load(k, lower_arg(l, n->in[4]), zero));
    const Expr *sum = add_e(l, ex3(k, EX_fma, num(l, a->weight_decay), length, slope), num(l, a->eps));
    return ex3(k, EX_select, ex2(k, EX_lt, num(l, 0), length), ex2(k, EX_div, mul_e(l, num(l, a->trust), length), sum), num(l, 1));
}

const Expr *lower_lars(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const LarsAttr *a = &graph_node(l->g, node)->attr.lars;
    Update u = update_begin(l, node, a->weight_decay, a->lr_scale);
    Kernel *k = l->k;
    const Expr *rate = u.n->n_in > 4 ? mul_e(l, u.rate, lars_ratio(l, u.n)) : u.rate;
    const Expr *v = mul_e(l, num(l, a->momentum), update_state(l, &u, 2));
    v = update_keep(l, &u, "v", ex2(k, EX_sub, v, mul_e(l, rate, u.grad)));
    update_store(l, &u, 0, ex2(k, EX_sub, u.weight, v));
    update_store(l, &u, 2, v);
    lower_end(l, nest_wrap(l, &u.nest, u.seq));
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
