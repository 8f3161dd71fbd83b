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

/* The label of a picture or of a pixel: labels are plain. */
static const Expr *label_at(Lower *l, Ref labels, const Row *r) {
    const Type *t = &graph_node(l->g, labels)->type;
    Coord c = r->at;
    c.outer[1] = ex_int(l->k, 0);
    return ex_load(l->k, lower_arg(l, labels), t->rank > 1 ? index_at(l, t, &c) : c.outer[0]);
}

static const Expr *if_label(Lower *l, int32_t classes, const Expr *label, const Expr *value) {
    const Expr *not_below = ex2(l->k, EX_le, ex_int(l->k, 0), label);
    const Expr *not_above = ex2(l->k, EX_lt, label, ex_int(l->k, classes));
    return ex3(l->k, EX_select, ex2(l->k, EX_and, not_below, not_above), value, num(l, 0));
}

/* A label that is no class has loss 0 and gradient 0, and nothing is read there. */
static const Expr *if_class(Lower *l, const Row *r, const Expr *label, const Expr *value) {
    return if_label(l, r->t->dim[1], label, value);
}

/* The place in a vector of classes that the label says; that of another class if it says none. */
static const Expr *class_place(Lower *l, int32_t classes, const Expr *label) {
    return ex2(l->k, EX_min, ex2(l->k, EX_max, label, ex_int(l->k, 0)), ex_int(l->k, classes - 1));
}

/* ---- sums over pixels ---- */

static Stmt *set_zero(Lower *l, int32_t reg) { return st_store(l->k, reg, ex_int(l->k, 0), num(l, 0)); }

static Stmt *add_to(Lower *l, int32_t reg, const Expr *value) {
    const Expr *zero = ex_int(l->k, 0);
    return st_store(l->k, reg, zero, add_e(l, ex_load(l->k, reg, zero), value));
}

/* Takes the loops over pixels out of the row's nest: a sum runs through them within a task. */
static void row_sums_pixels(Row *r, Nest *y, Nest *x) {
    *y = *x = (Nest){0};
    for (int32_t i = 1; i < r->pixel.n; i++) {
        Nest *to = i + 1 < r->pixel.n ? y : x;
        to->loop[to->n] = r->pixel.loop[i];
        to->loop[to->n++].role = ROLE_NONE;
    }
    r->pixel.n = r->pixel.n ? 1 : 0;
}

/* The sum of `value`, which `body` computes, over the pixels, line by line, so that no long sum of small numbers is
 * rounded again and again; appended to `all`. */
static const Expr *pixel_sum(Lower *l, const Nest *y, const Nest *x, Stmt *body, const Expr *value, Stmt *all) {
    int32_t line = lower_reg(l, "line", DT_F32, 1), sum = lower_reg(l, "pixels", DT_F32, 1);
    Stmt *one = st_seq(l->k);
    st_append(l->k, body, add_to(l, line, value));
    st_append(l->k, one, set_zero(l, line));
    st_append(l->k, one, nest_wrap(l, x, body));
    st_append(l->k, one, add_to(l, sum, ex_load(l->k, line, ex_int(l->k, 0))));
    st_append(l->k, all, set_zero(l, sum));
    st_append(l->k, all, nest_wrap(l, y, one));
    return ex_load(l->k, sum, ex_int(l->k, 0));
}

/* ---- weights of classes ---- */

/* N / the sum of the weights of all labels. */
const Expr *lower_label_factor(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    const Type *t = &graph_node(l->g, n->in[0])->type;
    int32_t classes = n->attr.classes.classes;
    lower_begin(l);
    Kernel *k = l->k;
    Row r = row_begin(l, t);
    Nest y, x, pictures = r.pixel;
    row_sums_pixels(&r, &y, &x);
    pictures.n = r.pixel.n;
    pictures.loop[0].role = ROLE_NONE;
    const Expr *label = label_at(l, n->in[0], &r), *one = num(l, 1), *zero = ex_int(k, 0);
    if (n->n_in > 1) one = ex_load(k, lower_arg(l, n->in[1]), class_place(l, classes, label));
    Stmt *body = st_seq(k), *picture = st_seq(k), *all = st_seq(k);
    int32_t sum = lower_reg(l, "labels", DT_F32, 1);
    const Expr *of_picture = pixel_sum(l, &y, &x, body, if_label(l, classes, label, one), picture);
    st_append(k, picture, add_to(l, sum, of_picture));
    st_append(k, all, set_zero(l, sum));
    st_append(k, all, nest_wrap(l, &pictures, picture));
    const Expr *some = ex2(k, EX_max, ex_load(k, sum, zero), num(l, 1e-30));
    const Expr *factor = ex2(k, EX_div, ex1(k, EX_tofloat, ex_batch(k)), some);
    st_append(k, all, st_store(k, lower_arg(l, node), zero, factor));
    lower_end(l, all);
    lower_zero_pads(l, node);
    return NULL;
}

/* What the loss wants channel c to be, times its weight. */
static const Expr *weighted_target(Lower *l, const Row *r, const Coord *c, const Expr *label, Ref weights, double s) {
    const Expr *channel = coord_channel(l, r->t, c), *is_label = ex2(l->k, EX_eq, channel, label);
    double rest = s / r->t->dim[1];
    const Expr *target = ex3(l->k, EX_select, is_label, num(l, 1 - s + rest), num(l, rest));
    return mul_e(l, ex_load(l->k, lower_arg(l, weights), channel), target);
}

/* loss = sum of target (log(sum exp(x - top)) + top - x) */
static const Expr *weighted_loss(Lower *l, const Row *r, const Node *n, const Expr *top, const Expr *sum, Stmt *body) {
    Kernel *k = l->k;
    const Expr *zero = ex_int(k, 0);
    int32_t reg = lower_reg(l, "log", DT_F32, 1);
    st_append(k, body, st_store(k, reg, zero, ex1(k, EX_log, sum)));
    Coord c;
    Nest nest = row_channels(l, r, &c);
    const Expr *target = weighted_target(l, r, &c, label_at(l, n->in[1], r), n->in[3], n->attr.loss.smoothing);
    const Expr *far = ex2(k, EX_sub, ex_load(k, reg, zero), ex2(k, EX_sub, load_at(l, n->in[0], &c), top));
    return row_sum(l, r, &nest, &c, "all", mul_e(l, target, far), body);
}

/* loss = log(sum exp(x - top)) + top - (1 - s) x[label] - s/K sum x, of one row */
static const Expr *row_loss(Lower *l, const Row *r, const Node *n, Stmt *body) {
    Kernel *k = l->k;
    double s = n->attr.loss.smoothing;
    const Expr *top = row_max(l, r, n->in[0], body), *sum = row_exp_sum(l, r, n->in[0], top, body);
    const Expr *label = label_at(l, n->in[1], r);
    if (n->n_in > 3) return if_class(l, r, label, weighted_loss(l, r, n, top, sum, body));
    const Expr *at[MAX_RANK] = {r->at.outer[0], class_place(l, r->t->dim[1], label), r->at.outer[2], r->at.outer[3]};
    Coord c = coord_logical(l, r->t, at);
    const Expr *hit = ex2(k, EX_sub, load_at(l, n->in[0], &c), top);
    const Expr *loss = ex2(k, EX_sub, ex1(k, EX_log, sum), mul_e(l, num(l, 1 - s), hit));
    if (s != 0) {
        Coord d;
        Nest nest = row_channels(l, r, &d);
        const Expr *all = row_sum(l, r, &nest, &d, "all", ex2(k, EX_sub, load_at(l, n->in[0], &d), top), body);
        loss = ex2(k, EX_sub, loss, mul_e(l, num(l, s / r->t->dim[1]), all));
    }
    return if_class(l, r, label, loss);
}

const Expr *lower_cross_entropy(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    lower_begin(l);
    Kernel *k = l->k;
    Row r = row_begin(l, &graph_node(l->g, n->in[0])->type);
    Nest y, x;
    row_sums_pixels(&r, &y, &x);
    Stmt *body = st_seq(k), *picture = body;
    const Expr *loss = row_loss(l, &r, n, body);
    if (r.t->rank > 2) loss = pixel_sum(l, &y, &x, body, loss, picture = st_seq(k));
    if (n->n_in > 2) loss = mul_e(l, loss, ex_load(k, lower_arg(l, n->in[2]), ex_int(k, 0)));
    Coord result = {{r.at.outer[0]}, {ex_int(k, 0)}};
    st_append(k, picture, lower_finish(l, &result, loss));
    lower_end(l, nest_wrap(l, &r.pixel, picture));
    return NULL;
}

/* dx = (softmax(x) - target) * dloss[n] * factor, target = (1 - s) [c == label] + s/K. With weights the targets of a
 * row do not add up to 1: dx = (softmax(x) sum - target) * dloss[n] * factor. */
const Expr *lower_cross_entropy_grad(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    double s = n->attr.loss.smoothing;
    lower_begin(l);
    Kernel *k = l->k;
    Row r = row_begin(l, &n->type);
    Stmt *body = st_seq(k);
    const Expr *top = row_max(l, &r, n->in[0], body), *sum = row_exp_sum(l, &r, n->in[0], top, body);
    const Expr *label = label_at(l, n->in[1], &r), *all = NULL;
    Coord c;
    Nest nest = row_channels(l, &r, &c);
    if (n->n_in > 4) {
        all = row_sum(l, &r, &nest, &c, "all", weighted_target(l, &r, &c, label, n->in[4], s), body);
        nest = row_channels(l, &r, &c);
    }
    const Expr *y = ex2(k, EX_div, row_exp(l, n->in[0], &c, top), sum);
    const Expr *is_label = ex2(k, EX_eq, coord_channel(l, r.t, &c), label);
    const Expr *target = ex3(k, EX_select, is_label, num(l, 1 - s + s / r.t->dim[1]), num(l, s / r.t->dim[1]));
    const Expr *scale = if_class(l, &r, label, ex_load(k, lower_arg(l, n->in[2]), r.at.outer[0]));
    if (n->n_in > 3) scale = mul_e(l, scale, ex_load(k, lower_arg(l, n->in[3]), ex_int(k, 0)));
    if (all) {
        y = mul_e(l, y, all);
        target = weighted_target(l, &r, &c, label, n->in[4], s);
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
