/* Softmax and cross-entropy over channels. One picture (one pixel) is a task; blocks of channels are vectors whose pad
 * lanes are kept out of maxima and sums. Stable: everything is relative to the largest logit. */
#include "lower_words.h"

typedef struct Row { /* the channels of one pixel of one picture */
    Nest pixel;
    Coord at;
    const Type *t;
    int64_t blocks, lanes;
} Row;

static Row row_begin(Lower *l, const Type *t) {
    Row r = {.t = t, .blocks = div_up(t->dim[1], t->layout.b1), .lanes = t->layout.b1};
    r.at.outer[0] = nest_loop(l, &r.pixel, "n", BATCH, ROLE_TASK);
    if (t->rank > 2) r.at.outer[2] = nest_loop(l, &r.pixel, "h", t->dim[2], ROLE_TASK);
    if (t->rank > 3) r.at.outer[3] = nest_loop(l, &r.pixel, "w", t->dim[3], ROLE_NONE);
    r.at.lane[0] = ex_int(l->k, 0);
    return r;
}

static Nest row_channels(Lower *l, const Row *r, Coord *c) {
    Nest nest = {0};
    *c = r->at;
    c->outer[1] = nest_loop(l, &nest, "cb", r->blocks, ROLE_NONE);
    c->lane[1] = nest_loop(l, &nest, "i", r->lanes, ROLE_LANE);
    return nest;
}

static const Expr *real_channel(Lower *l, const Row *r, const Coord *c, const Expr *value, double otherwise) {
    if (r->t->dim[1] % r->lanes == 0) return value;
    const Expr *inside = ex2(l->k, EX_lt, coord_channel(l, r->t, c), ex_int(l->k, r->t->dim[1]));
    return ex3(l->k, EX_select, inside, value, num(l, otherwise));
}

/* Registers have one element a lane while a row is read, and element 0 holds the result at the end. */
static const Expr *row_max(Lower *l, const Row *r, Ref x, Stmt *body) {
    Kernel *k = l->k;
    int32_t best = lower_reg(l, "best", DT_F32, r->lanes), top = lower_reg(l, "top", DT_F32, 1);
    Nest start = {0}, lanes = {0};
    Coord c;
    const Expr *i = nest_loop(l, &start, "i", r->lanes, ROLE_LANE);
    st_append(k, body, nest_wrap(l, &start, st_store(k, best, i, num(l, -1.0 / 0.0))));
    Nest nest = row_channels(l, r, &c);
    const Expr *v = real_channel(l, r, &c, load_at(l, x, &c), -1.0 / 0.0);
    st_append(k, body,
              nest_wrap(l, &nest, st_store(k, best, c.lane[1], ex2(k, EX_max, ex_load(k, best, c.lane[1]), v))));
    const Expr *zero = ex_int(k, 0);
    st_append(k, body, st_store(k, top, zero, num(l, -1.0 / 0.0)));
    const Expr *j = nest_loop(l, &lanes, "j", r->lanes, ROLE_REDUCE);
    Stmt *pick = st_store(k, top, zero, ex2(k, EX_max, ex_load(k, top, zero), ex_load(k, best, j)));
    Stmt *fold = nest_wrap(l, &lanes, pick);
    if (fold->kind == ST_FOR) fold->u.loop.mode = LOOP_UNROLL;
    st_append(k, body, fold);
    return ex_load(k, top, zero);
}

/* Sum over the row of `term`, a value at c. */
static const Expr *row_sum(Lower *l, const Row *r, const Nest *nest, const Coord *c, const char *name, const Expr *term,
                           Stmt *body) {
    Kernel *k = l->k;
    int32_t part = lower_reg(l, "part", DT_F32, r->lanes), sum = lower_reg(l, name, DT_F32, 1);
    Nest start = {0}, end = {0};
    const Expr *i = nest_loop(l, &start, "i", r->lanes, ROLE_LANE), *j = nest_loop(l, &end, "i", r->lanes, ROLE_LANE);
    const Expr *zero = ex_int(k, 0);
    st_append(k, body, nest_wrap(l, &start, st_store(k, part, i, num(l, 0))));
    const Expr *more = add_e(l, ex_load(k, part, c->lane[1]), real_channel(l, r, c, term, 0));
    st_append(k, body, nest_wrap(l, nest, st_store(k, part, c->lane[1], more)));
    st_append(k, body, st_store(k, sum, zero, num(l, 0)));
    st_append(k, body,
              nest_wrap(l, &end, st_store(k, sum, zero, add_e(l, ex_load(k, sum, zero), ex_load(k, part, j)))));
    return ex_load(k, sum, zero);
}

static const Expr *row_exp(Lower *l, Ref x, const Coord *c, const Expr *top) {
    return ex1(l->k, EX_exp, ex2(l->k, EX_sub, load_at(l, x, c), top));
}

static const Expr *row_exp_sum(Lower *l, const Row *r, Ref x, const Expr *top, Stmt *body) {
    Coord c;
    Nest nest = row_channels(l, r, &c);
    return row_sum(l, r, &nest, &c, "sum", row_exp(l, x, &c, top), body);
}

const Expr *lower_softmax(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    lower_begin(l);
    Row r = row_begin(l, &n->type);
    Stmt *body = st_seq(l->k);
    const Expr *top = row_max(l, &r, n->in[0], body), *sum = row_exp_sum(l, &r, n->in[0], top, body);
    Coord c;
    Nest nest = row_channels(l, &r, &c);
    const Expr *y = real_channel(l, &r, &c, ex2(l->k, EX_div, row_exp(l, n->in[0], &c, top), sum), 0);
    st_append(l->k, body, nest_wrap(l, &nest, lower_finish(l, &c, y)));
    lower_end(l, nest_wrap(l, &r.pixel, body));
    return NULL;
}

/* y = x - log of the sum of e^x */
const Expr *lower_log_softmax(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    lower_begin(l);
    Row r = row_begin(l, &n->type);
    Stmt *body = st_seq(l->k);
    const Expr *top = row_max(l, &r, n->in[0], body), *sum = row_exp_sum(l, &r, n->in[0], top, body);
    int32_t reg = lower_reg(l, "log", DT_F32, 1);
    st_append(l->k, body, st_store(l->k, reg, ex_int(l->k, 0), ex1(l->k, EX_log, sum)));
    Coord c;
    Nest nest = row_channels(l, &r, &c);
    const Expr *above = ex2(l->k, EX_sub, load_at(l, n->in[0], &c), top);
    const Expr *y = ex2(l->k, EX_sub, above, ex_load(l->k, reg, ex_int(l->k, 0)));
    st_append(l->k, body, nest_wrap(l, &nest, lower_finish(l, &c, real_channel(l, &r, &c, y, 0))));
    lower_end(l, nest_wrap(l, &r.pixel, body));
    return NULL;
}

/* Of softmax dx = y * (dy - sum of dy * y), of its logarithm dx = dy - e^y * sum of dy. */
static const Expr *softmax_gradient(Lower *l, Ref node, bool logarithm) {
    const Node *n = graph_node(l->g, node);
    lower_begin(l);
    Row r = row_begin(l, &n->type);
    Stmt *body = st_seq(l->k);
    Coord c;
    Nest nest = row_channels(l, &r, &c);
    const Expr *dy = load_at(l, n->in[0], &c), *term = logarithm ? dy : mul_e(l, dy, load_at(l, n->in[1], &c));
    const Expr *sum = row_sum(l, &r, &nest, &c, "sum", term, body);
    nest = row_channels(l, &r, &c);
    dy = load_at(l, n->in[0], &c);
    const Expr *y = load_at(l, n->in[1], &c);
    const Expr *dx = logarithm ? ex2(l->k, EX_sub, dy, mul_e(l, ex1(l->k, EX_exp, y), sum))
                               : mul_e(l, y, ex2(l->k, EX_sub, dy, sum));
    st_append(l->k, body, nest_wrap(l, &nest, lower_finish(l, &c, real_channel(l, &r, &c, dx, 0))));
    lower_end(l, nest_wrap(l, &r.pixel, body));
    return NULL;
}

const Expr *lower_softmax_grad(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    return softmax_gradient(l, node, false);
}

const Expr *lower_log_softmax_grad(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    return softmax_gradient(l, node, true);
}

static const Expr *label_at(Lower *l, Ref labels, const Row *r) {
    return ex_load(l->k, lower_arg(l, labels), r->at.outer[0]);
}

/* A label that is no class has loss 0 and gradient 0, and nothing is read there. */
static const Expr *if_class(Lower *l, const Row *r, const Expr *label, const Expr *value) {
    const Expr *not_below = ex2(l->k, EX_le, ex_int(l->k, 0), label);
    const Expr *not_above = ex2(l->k, EX_lt, label, ex_int(l->k, r->t->dim[1]));
    return ex3(l->k, EX_select, ex2(l->k, EX_and, not_below, not_above), value, num(l, 0));
}

/* ---- weights of classes ---- */

/* The place in a vector of classes that the label says; that of another class if it says none. */
static const Expr *class_place(Lower *l, const Row *r, const Expr *label) {
    return ex2(l->k, EX_min, ex2(l->k, EX_max, label, ex_int(l->k, 0)), ex_int(l->k, r->t->dim[1] - 1));
}

/* N / the sum of the weights of all labels: every picture adds them up, which is little beside its row. */
static const Expr *weighted_factor(Lower *l, const Row *r, Ref labels, Ref weights, Stmt *body) {
    Kernel *k = l->k;
    Nest all = {0};
    const Expr *zero = ex_int(k, 0);
    int32_t sum = lower_reg(l, "weights", DT_F32, 1), factor = lower_reg(l, "factor", DT_F32, 1);
    const Expr *label = ex_load(k, lower_arg(l, labels), nest_loop(l, &all, "m", BATCH, ROLE_NONE));
    const Expr *weight = ex_load(k, lower_arg(l, weights), class_place(l, r, label));
    const Expr *more = add_e(l, ex_load(k, sum, zero), if_class(l, r, label, weight));
    st_append(k, body, st_store(k, sum, zero, num(l, 0)));
    st_append(k, body, nest_wrap(l, &all, st_store(k, sum, zero, more)));
    const Expr *pictures = ex1(k, EX_tofloat, ex_batch(k));
    st_append(k, body, st_store(k, factor, zero, ex2(k, EX_div, pictures, ex_load(k, sum, zero))));
    return ex_load(k, factor, zero);
}

/* What the loss wants channel c to be, times its weight. */
static const Expr *weighted_target(Lower *l, const Row *r, const Coord *c, const Expr *label, Ref weights, double s) {
    const Expr *channel = coord_channel(l, r->t, c), *is_label = ex2(l->k, EX_eq, channel, label);
    double rest = s / r->t->dim[1];
    const Expr *target = ex3(l->k, EX_select, is_label, num(l, 1 - s + rest), num(l, rest));
    return mul_e(l, ex_load(l->k, lower_arg(l, weights), channel), target);
}

/* loss = factor * sum of target (log(sum exp(x - top)) + top - x) */
static const Expr *weighted_loss(Lower *l, const Row *r, const Node *n, const Expr *top, const Expr *sum, Stmt *body) {
    Kernel *k = l->k;
    const Expr *factor = weighted_factor(l, r, n->in[1], n->in[2], body), *zero = ex_int(k, 0);
    int32_t reg = lower_reg(l, "log", DT_F32, 1);
    st_append(k, body, st_store(k, reg, zero, ex1(k, EX_log, sum)));
    Coord c;
    Nest nest = row_channels(l, r, &c);
    const Expr *target = weighted_target(l, r, &c, label_at(l, n->in[1], r), n->in[2], n->attr.loss.smoothing);
    const Expr *far = ex2(k, EX_sub, ex_load(k, reg, zero), ex2(k, EX_sub, load_at(l, n->in[0], &c), top));
    return mul_e(l, factor, row_sum(l, r, &nest, &c, "all", mul_e(l, target, far), body));
}

/* loss = log(sum exp(x - top)) + top - (1 - s) x[label] - s/K sum x */
const Expr *lower_cross_entropy(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    double s = n->attr.loss.smoothing;
    lower_begin(l);
    Kernel *k = l->k;
    Row r = row_begin(l, &graph_node(l->g, n->in[0])->type);
    Stmt *body = st_seq(k);
    const Expr *top = row_max(l, &r, n->in[0], body), *sum = row_exp_sum(l, &r, n->in[0], top, body);
    const Expr *label = label_at(l, n->in[1], &r), *at[MAX_RANK] = {r.at.outer[0], class_place(l, &r, label)};
    Coord c = coord_logical(l, r.t, at);
    const Expr *hit = ex2(k, EX_sub, load_at(l, n->in[0], &c), top);
    const Expr *loss = ex2(k, EX_sub, ex1(k, EX_log, sum), mul_e(l, num(l, 1 - s), hit));
    if (n->n_in > 2) {
        loss = weighted_loss(l, &r, n, top, sum, body);
    } else if (s != 0) {
        Coord d;
        Nest nest = row_channels(l, &r, &d);
        const Expr *all = row_sum(l, &r, &nest, &d, "all", ex2(k, EX_sub, load_at(l, n->in[0], &d), top), body);
        loss = ex2(k, EX_sub, loss, mul_e(l, num(l, s / r.t->dim[1]), all));
    }
    Coord result = {{r.at.outer[0]}, {ex_int(k, 0)}};
    st_append(k, body, lower_finish(l, &result, if_class(l, &r, label, loss)));
    lower_end(l, nest_wrap(l, &r.pixel, body));
    return NULL;
}

/* dx = (softmax(x) - target) * dloss[n], target = (1 - s) [c == label] + s/K. With weights the targets of a row do not add up
 * to 1: dx = (softmax(x) sum - target) * dloss[n] * factor. */
const Expr *lower_cross_entropy_grad(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    double s = n->attr.loss.smoothing;
    lower_begin(l);
    Kernel *k = l->k;
    Row r = row_begin(l, &n->type);
    Stmt *body = st_seq(k);
    const Expr *top = row_max(l, &r, n->in[0], body), *sum = row_exp_sum(l, &r, n->in[0], top, body);
    const Expr *label = label_at(l, n->in[1], &r), *factor = NULL, *all = NULL;
    Coord c;
    Nest nest = row_channels(l, &r, &c);
    if (n->n_in > 3) {
        factor = weighted_factor(l, &r, n->in[1], n->in[3], body);
        all = row_sum(l, &r, &nest, &c, "all", weighted_target(l, &r, &c, label, n->in[3], s), body);
        nest = row_channels(l, &r, &c);
    }
    const Expr *y = ex2(k, EX_div, row_exp(l, n->in[0], &c, top), sum);
    const Expr *is_label = ex2(k, EX_eq, coord_channel(l, r.t, &c), label);
    const Expr *target = ex3(k, EX_select, is_label, num(l, 1 - s + s / r.t->dim[1]), num(l, s / r.t->dim[1]));
    const Expr *scale = if_class(l, &r, label, ex_load(k, lower_arg(l, n->in[2]), r.at.outer[0]));
    if (factor) {
        y = mul_e(l, y, all);
        target = weighted_target(l, &r, &c, label, n->in[3], s);
        scale = mul_e(l, scale, factor);
    }
    const Expr *dx = real_channel(l, &r, &c, mul_e(l, ex2(k, EX_sub, y, target), scale), 0);
    st_append(k, body, nest_wrap(l, &nest, lower_finish(l, &c, dx)));
    lower_end(l, nest_wrap(l, &r.pixel, body));
    return NULL;
}

/* ---- means over classes, from ir/losses.def ------------------------------------------------------------------------ */

typedef const Expr *ClassRule(Lower *l, Ref node, const Expr *X, const Expr *T);

/* 1 for the class that the label says. */
static const Expr *is_class(Lower *l, const Row *r, const Coord *c, const Expr *label) {
    return ex3(l->k, EX_select, ex2(l->k, EX_eq, coord_channel(l, r->t, c), label), num(l, 1), num(l, 0));
}

static void mean_over_classes(Lower *l, Ref node, ClassRule *value) {
    const Node *n = graph_node(l->g, node);
    lower_begin(l);
    Row r = row_begin(l, &graph_node(l->g, n->in[0])->type);
    Stmt *body = st_seq(l->k);
    Coord c, result = {{r.at.outer[0]}, {ex_int(l->k, 0)}};
    Nest nest = row_channels(l, &r, &c);
    const Expr *label = label_at(l, n->in[1], &r);
    const Expr *one = value(l, node, load_at(l, n->in[0], &c), is_class(l, &r, &c, label));
    const Expr *sum = row_sum(l, &r, &nest, &c, "sum", one, body);
    const Expr *mean = if_class(l, &r, label, mul_e(l, sum, num(l, 1.0 / r.t->dim[1])));
    st_append(l->k, body, lower_finish(l, &result, mean));
    lower_end(l, nest_wrap(l, &r.pixel, body));
}

static void class_gradients(Lower *l, Ref node, ClassRule *gradient) {
    const Node *n = graph_node(l->g, node);
    lower_begin(l);
    Row r = row_begin(l, &n->type);
    Coord c;
    Nest nest = row_channels(l, &r, &c);
    const Expr *label = label_at(l, n->in[1], &r);
    const Expr *one = gradient(l, node, load_at(l, n->in[0], &c), is_class(l, &r, &c, label));
    const Expr *dloss = if_class(l, &r, label, ex_load(l->k, lower_arg(l, n->in[2]), r.at.outer[0]));
    const Expr *dx = mul_e(l, one, mul_e(l, dloss, num(l, 1.0 / r.t->dim[1])));
    Stmt *body = nest_wrap(l, &nest, lower_finish(l, &c, real_channel(l, &r, &c, dx, 0)));
    lower_end(l, nest_wrap(l, &r.pixel, body));
}

#define LOSS(id, value, gradient, ...)                                                             \
    static const Expr *value_of_##id(Lower *l, Ref node, const Expr *X, const Expr *T) {           \
        (void)node;                                                                                \
        return value;                                                                              \
    }                                                                                              \
    static const Expr *gradient_of_##id(Lower *l, Ref node, const Expr *X, const Expr *T) {        \
        (void)node;                                                                                \
        return gradient;                                                                           \
    }                                                                                              \
    const Expr *lower_##id(Lower *l, Ref node, const Expr *const *operand) {                       \
        (void)operand;                                                                             \
        mean_over_classes(l, node, value_of_##id);                                                 \
        return NULL;                                                                               \
    }                                                                                              \
    const Expr *lower_##id##_grad(Lower *l, Ref node, const Expr *const *operand) {                \
        (void)operand;                                                                             \
        class_gradients(l, node, gradient_of_##id);                                                \
        return NULL;                                                                               \
    }
#include "../ir/losses.def"
