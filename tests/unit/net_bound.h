/* How far a net's numbers may be from the double interpreter's, element by element: running error analysis.
 *
 * Each node gets for each element a bound on the error of the float result, made from those of its operands and from
 * what its own roundings can do. A sum of K products in any order is off by at most min(K + 2, 8 sqrt K) u sum |a b|:
 * roundings are not all of one sign. What can be in an accumulator together (sum, bias, folded normalisation) is
 * rounded relative to the sum of all these sizes. Whole numbers (`unit` > 0: every element is a multiple of it) whose
 * sums of sizes stay below 2^24 units are not rounded at all: their bound is 0, the results must be equal.
 *
 * A convolution by Winograd's algorithm is off by at most 2e-5 of the largest element, instead. */
#ifndef CNNC_TESTS_UNIT_NET_BOUND_H
#define CNNC_TESTS_UNIT_NET_BOUND_H

#include <math.h>

#include "backends/ref.h"

#define BOUND_ROUND 0x1p-24
#define BOUND_WINOGRAD 2e-5
#define BOUND_HALF 0x1p-11 /* what a 16-bit weight is rounded by */
#define BOUND_HALF_LEAST 0x1p-25

typedef struct Bound {
    const RefRun *run; /* done */
    Arena *arena;
    const bool *winograd; /* by node; NULL: none */
    bool half;            /* weights of fc are 16-bit numbers */
    double **err, **size; /* by node and element; size: of what is summed up in it, at least its absolute value */
    double *unit;         /* by node; 0: not whole */
    double *growth;       /* by node: of its sums, the largest min(K + 2, 8 sqrt K) */
} Bound;

typedef struct BoundNode { /* one node's arrays */
    const Node *n;
    const double *v[5], *e[5], *s[5]; /* of the operands */
    const double *y;
    double *err, *size;
    int64_t count;
    Ref ref;
} BoundNode;

static inline double bound_growth(double terms) { return fmin(terms + 2, 8 * sqrt(terms)); }

static inline const Type *bound_type(const Bound *b, const BoundNode *x, int i) {
    return &graph_node(b->run->graph, x->n->in[i])->type;
}

/* Which element of operand i (of the node's shape, or one number a channel) belongs to element e. */
static inline int64_t bound_at(const Bound *b, const BoundNode *x, int i, int64_t e) {
    const Type *t = &x->n->type;
    Broadcast how = type_broadcast(t, bound_type(b, x, i));
    if (how == BROADCAST_NONE) return e;
    if (how == BROADCAST_ONE) return 0;
    e /= (int64_t)type_height(t) * type_width(t);
    return how == BROADCAST_PLANE ? e : e % type_channels(t);
}

/* ---- sums of products ------------------------------------------------------------------------------------------- */

static inline void bound_product(const BoundNode *x, int64_t to, int64_t a, int64_t w) {
    x->size[to] += fabs(x->v[0][a] * x->v[1][w]);
    x->err[to] += x->e[0][a] * fabs(x->v[1][w]);
}

static inline void bound_sum(Bound *b, const BoundNode *x, int64_t to, int64_t terms) {
    double growth = bound_growth((double)terms);
    b->growth[x->ref] = fmax(b->growth[x->ref], growth);
    x->err[to] += growth * BOUND_ROUND * (x->size[to] + x->err[to]);
}

static inline int64_t bound_taps(const Bound *b, const BoundNode *x, int64_t to, const int64_t *at) {
    const ConvAttr *a = &x->n->attr.conv;
    const Type *in = bound_type(b, x, 0);
    int64_t in_g = type_channels(in) / a->groups, first = at[1] / (type_channels(&x->n->type) / a->groups) * in_g;
    int64_t height = type_height(in), width = type_width(in), terms = 0;
    for (int64_t kh = 0; kh < a->kernel[0]; kh++)
        for (int64_t kw = 0; kw < a->kernel[1]; kw++) {
            int64_t h = at[2] * a->stride[0] - a->pad[0] + kh * a->dilation[0];
            int64_t w = at[3] * a->stride[1] - a->pad[2] + kw * a->dilation[1];
            if (h < 0 || h >= height || w < 0 || w >= width) continue;
            for (int64_t i = 0; i < in_g; i++)
                bound_product(x, to, ((at[0] * type_channels(in) + first + i) * height + h) * width + w,
                              ((at[1] * in_g + i) * a->kernel[0] + kh) * a->kernel[1] + kw);
            terms += in_g;
        }
    return terms;
}

static inline double bound_largest(const double *p, int64_t n) {
    double largest = 0;
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(p[i]));
    return largest;
}

/* What Winograd's algorithm adds where it is taken. */
static inline void bound_winograd(Bound *b, const BoundNode *x) {
    if (!b->winograd || !b->winograd[x->ref]) return;
    double more = BOUND_WINOGRAD * bound_largest(x->y, x->count);
    for (int64_t i = 0; i < x->count; i++) x->err[i] += more;
    b->unit[x->ref] = 0;
}

static inline void bound_conv(Bound *b, const BoundNode *x) {
    const Type *y = &x->n->type;
    int64_t inner[] = {type_channels(y), type_height(y), type_width(y)};
    for (int64_t to = 0; to < x->count; to++) {
        int64_t at[] = {to / (inner[0] * inner[1] * inner[2]), to / (inner[1] * inner[2]) % inner[0],
                        to / inner[2] % inner[1], to % inner[2]};
        bound_sum(b, x, to, bound_taps(b, x, to, at));
    }
    bound_winograd(b, x);
}

/* All products of one number of the operand of a transposed convolution, at[] being its place. */
static inline void bound_scatter(const Bound *b, const BoundNode *x, int64_t from, const int64_t *at, int64_t *terms) {
    const ConvAttr *a = &x->n->attr.conv;
    int64_t in_g = a->in_c / a->groups, out_g = type_channels(bound_type(b, x, 0)) / a->groups;
    for (int64_t i = at[1] / out_g * in_g; i < (at[1] / out_g + 1) * in_g; i++)
        for (int64_t k = 0; k < (int64_t)a->kernel[0] * a->kernel[1]; k++) {
            int64_t h = at[2] * a->stride[0] - a->pad[0] + k / a->kernel[1] * a->dilation[0];
            int64_t w = at[3] * a->stride[1] - a->pad[2] + k % a->kernel[1] * a->dilation[1];
            if (h < 0 || h >= a->in_h || w < 0 || w >= a->in_w) continue;
            int64_t to = ((at[0] * a->in_c + i) * a->in_h + h) * a->in_w + w;
            bound_product(x, to, from, (i * out_g + at[1] % out_g) * a->kernel[0] * a->kernel[1] + k);
            terms[to]++;
        }
}

static inline void bound_conv_dgrad(Bound *b, const BoundNode *x) {
    const Type *in = bound_type(b, x, 0);
    int64_t c = type_channels(in), h = type_height(in), w = type_width(in), n = x->count / type_elements(&x->n->type);
    int64_t *terms = NEW_ARRAY(b->arena, int64_t, x->count);
    for (int64_t i = 0; i < n * c * h * w; i++) {
        int64_t at[] = {i / (c * h * w), i / (h * w) % c, i / w % h, i % w};
        bound_scatter(b, x, i, at, terms);
    }
    for (int64_t to = 0; to < x->count; to++) bound_sum(b, x, to, terms[to]);
    bound_winograd(b, x);
}

/* A weight in another order is as exact as it was. */
static inline void bound_swap_io(Bound *b, const BoundNode *x) { (void)b, (void)x; }

static inline void bound_fc(Bound *b, const BoundNode *x) {
    int64_t length = type_elements(bound_type(b, x, 0)), rows = type_channels(&x->n->type);
    for (int64_t to = 0; to < x->count; to++) {
        double inputs = 0;
        for (int64_t k = 0; k < length; k++) {
            bound_product(x, to, to / rows * length + k, to % rows * length + k);
            inputs += fabs(x->v[0][to / rows * length + k]);
        }
        if (b->half) x->err[to] += BOUND_HALF * x->size[to] + BOUND_HALF_LEAST * inputs;
        bound_sum(b, x, to, length);
    }
    if (b->half) b->growth[x->ref] += BOUND_HALF / BOUND_ROUND; /* whole weights are fractions once bn is folded in */
}

/* ---- element-wise ----------------------------------------------------------------------------------------------- */

/* A bias may be the first number in the accumulator, so that every partial sum has it. */
static inline void bound_add(Bound *b, const BoundNode *x) {
    double growth = fmax(1, b->growth[x->n->in[0]]);
    for (int64_t i = 0; i < x->count; i++) {
        int64_t k = bound_at(b, x, 1, i);
        bool bias = !type_same_shape(bound_type(b, x, 1), &x->n->type);
        x->err[i] = x->e[0][i] + x->e[1][k] + BOUND_ROUND * (fabs(x->y[i]) + (bias ? growth * fabs(x->v[1][k]) : 0));
        x->size[i] = bias ? x->s[0][i] + fabs(x->v[1][k]) : fabs(x->v[0][i]) + fabs(x->v[1][k]);
    }
    if (!type_same_shape(bound_type(b, x, 1), &x->n->type)) b->growth[x->ref] = growth;
}

static inline void bound_mul(Bound *b, const BoundNode *x) {
    for (int64_t i = 0; i < x->count; i++) {
        int64_t k = bound_at(b, x, 1, i);
        double e = x->e[0][i], f = x->e[1][k];
        x->err[i] = e * fabs(x->v[1][k]) + f * fabs(x->v[0][i]) + e * f + BOUND_ROUND * fabs(x->y[i]);
    }
}

static inline void bound_sub(Bound *b, const BoundNode *x) {
    for (int64_t i = 0; i < x->count; i++) {
        int64_t k = bound_at(b, x, 1, i);
        x->err[i] = x->e[0][i] + x->e[1][k] + BOUND_ROUND * fabs(x->y[i]);
        x->size[i] = fabs(x->v[0][i]) + fabs(x->v[1][k]);
    }
}

/* relu, clip: two numbers do not get further from each other. */
static inline void bound_nearer(Bound *b, const BoundNode *x) {
    (void)b;
    memcpy(x->err, x->e[0], (size_t)x->count * sizeof *x->err);
}

/* The other activations: how steep they are at most, and at most 8 roundings of the result; that of gelu is x times a
 * number below 1 whose roundings are those of 1. A sigmoid does not go below 2e-38. */
static inline void bound_act(Bound *b, const BoundNode *x) {
    static const double steepest[OP_COUNT] = {[OP_sigmoid] = 0.25,   [OP_hsigmoid] = 1.0 / 6, [OP_tanh] = 1,
                                              [OP_swish] = 1.1,      [OP_hswish] = 1.5,       [OP_gelu] = 1.13,
                                              [OP_gelu_tanh] = 1.13, [OP_leaky_relu] = 1,     [OP_elu] = 1};
    Op op = x->n->op;
    double steep = steepest[op];
    if (op_info[op].attr == ATTR_SLOPE) steep = fmax(steep, x->n->attr.slope.slope);
    for (int64_t i = 0; i < x->count; i++) {
        double size = fabs(x->y[i]) + (op == OP_gelu || op == OP_gelu_tanh ? fabs(x->v[0][i]) : 0);
        x->err[i] = steep * x->e[0][i] + 8 * BOUND_ROUND * size + 2e-38 * fabs(x->v[0][i]);
    }
    b->unit[x->ref] = 0;
}

/* A flat tensor is what it was before: what follows is folded into what made it. */
static inline void bound_flatten(Bound *b, const BoundNode *x) {
    bound_nearer(b, x);
    memcpy(x->size, x->s[0], (size_t)x->count * sizeof *x->size);
    b->growth[x->ref] = b->growth[x->n->in[0]];
}

/* Folded into what made x, or not: at most 8 roundings of the factor or the summand, each relative to what is summed. A
 * sum of whole numbers that was exact is not so any more. */
static inline void bound_bn(Bound *b, const BoundNode *x) {
    double growth = fmax(1, b->growth[x->n->in[0]]) + 8, inner = b->unit[x->n->in[0]] > 0 ? growth : 8;
    for (int64_t i = 0; i < x->count; i++) {
        int64_t c = bound_at(b, x, 1, i);
        double scale = fabs(x->v[3][c]) / sqrt(x->v[2][c] + x->n->attr.norm.eps);
        double shift = fabs(x->v[1][c]) * scale + fabs(x->v[4][c]);
        x->err[i] = scale * x->e[0][i] + BOUND_ROUND * (inner * scale * x->s[0][i] + growth * shift);
    }
    b->unit[x->ref] = 0;
}

/* ---- windows ---------------------------------------------------------------------------------------------------- */

/* For window number `to` of the result: the plane's first element and both axes' first and last position. */
typedef struct BoundWindow {
    int64_t plane, width, h0, h1, w0, w1, padded;
} BoundWindow;

static inline BoundWindow bound_window(const Bound *b, const BoundNode *x, int64_t to) {
    const PoolAttr *a = &x->n->attr.pool;
    int64_t in_h = type_height(bound_type(b, x, 0)), in_w = type_width(bound_type(b, x, 0));
    int64_t out_h = type_height(&x->n->type), out_w = type_width(&x->n->type);
    int64_t h = to / out_w % out_h * a->stride[0] - a->pad[0], w = to % out_w * a->stride[1] - a->pad[2];
    int64_t h1 = min_i64(h + a->kernel[0], in_h + a->pad[1]), w1 = min_i64(w + a->kernel[1], in_w + a->pad[3]);
    if (a->to[0]) {
        int64_t oh = to / out_w % out_h, ow = to % out_w;
        h = oh * in_h / out_h, h1 = div_up((oh + 1) * in_h, out_h);
        w = ow * in_w / out_w, w1 = div_up((ow + 1) * in_w, out_w);
    }
    return (BoundWindow){to / (out_h * out_w) * in_h * in_w,
                         in_w,
                         max_i64(h, 0),
                         min_i64(h1, in_h),
                         max_i64(w, 0),
                         min_i64(w1, in_w),
                         (h1 - h) * (w1 - w)};
}

static inline void bound_maxpool(Bound *b, const BoundNode *x) {
    for (int64_t to = 0; to < x->count; to++) {
        BoundWindow p = bound_window(b, x, to);
        for (int64_t h = p.h0; h < p.h1; h++)
            for (int64_t w = p.w0; w < p.w1; w++) x->err[to] = fmax(x->err[to], x->e[0][p.plane + h * p.width + w]);
    }
}

static inline void bound_avgpool(Bound *b, const BoundNode *x) {
    double most = 1;
    for (int64_t to = 0; to < x->count; to++) {
        BoundWindow p = bound_window(b, x, to);
        double terms = (double)((p.h1 - p.h0) * (p.w1 - p.w0)), sum = 0, err = 0;
        double divisor = x->n->attr.pool.count_pad ? (double)p.padded : terms;
        for (int64_t h = p.h0; h < p.h1; h++)
            for (int64_t w = p.w0; w < p.w1; w++) {
                sum += fabs(x->v[0][p.plane + h * p.width + w]);
                err += x->e[0][p.plane + h * p.width + w];
            }
        x->size[to] = sum / divisor;
        x->err[to] = (err + bound_growth(terms) * BOUND_ROUND * (sum + err)) / divisor;
        most = frexp(divisor, &(int){0}) == 0.5 ? fmax(most, divisor) : INFINITY;
    }
    b->unit[x->ref] /= most;
}

/* ---- across channels -------------------------------------------------------------------------------------------- */

/* y = x d^-beta, d = k + alpha/size sum x^2. d is a sum of positive numbers; powers are good to a few roundings of the
 * result and one of the logarithm. */
static inline void bound_lrn(Bound *b, const BoundNode *x) {
    const LrnAttr *a = &x->n->attr.lrn;
    int64_t channels = type_channels(&x->n->type), inner = (int64_t)type_height(&x->n->type) * type_width(&x->n->type);
    for (int64_t i = 0; i < x->count; i++) {
        int64_t c = i / inner % channels, from = max_i64(0, c - a->size / 2);
        int64_t end = min_i64(channels, c + (a->size - 1) / 2 + 1);
        double d = a->k, moved = 0;
        for (int64_t j = from; j < end; j++) {
            double v = fabs(x->v[0][i + (j - c) * inner]), e = x->e[0][i + (j - c) * inner];
            d += a->alpha / a->size * v * v;
            moved += a->alpha / a->size * (2 * v + e) * e;
        }
        double relative = a->beta * (moved / d + (double)(end - from + 6) * BOUND_ROUND);
        relative = expm1(relative) + (8 + 4 * a->beta * fabs(log(d))) * BOUND_ROUND;
        x->err[i] = (x->e[0][i] * (1 + relative) + fabs(x->v[0][i]) * relative) * pow(d, -a->beta);
    }
    b->unit[x->ref] = 0;
}

/* How far (v - mean) / sqrt(var + eps), a number of at most sqrt(n) for n numbers v that are off by at most e, may be
 * off. d: |v - mean|, spread: sqrt(var), y: the result. */
static inline double bound_standard(double n, double e, double largest, double d, double spread, double eps, double y) {
    double growth = bound_growth(n) * BOUND_ROUND, moved = 2 * e + (growth + 2 * BOUND_ROUND) * (largest + e);
    double deviation = sqrt(spread * spread + eps), var = (2 * spread + moved) * moved;
    double relative = var / (deviation * deviation) + (growth + 8 * BOUND_ROUND);
    double off = (moved + (d + moved) * relative) / deviation + 8 * BOUND_ROUND * fabs(y);
    return relative < 0.5 ? off : 2 * sqrt(n) + fabs(y);
}

/* Numbers that are standardised together: `channels` of them `step` apart, `pixels` in a row. */
typedef struct BoundSet {
    int64_t first, channels, step, pixels;
    double eps;
} BoundSet;

static inline void bound_set(const BoundNode *x, BoundSet s) {
    double n = (double)(s.channels * s.pixels), mean = 0, var = 0, largest = 0, e = 0;
    for (int pass = 0; pass < 3; pass++)
        for (int64_t i = 0; i < s.channels * s.pixels; i++) {
            int64_t k = s.first + i / s.pixels * s.step + i % s.pixels;
            double v = x->v[0][k], d = fabs(v - mean), y = d / sqrt(var + s.eps);
            int64_t c = k / s.step % type_channels(&x->n->type);
            double gamma = fabs(x->v[1][c]), beta = fabs(x->v[2][c]);
            if (pass == 0) mean += v / n, largest = fmax(largest, fabs(v)), e = fmax(e, x->e[0][k]);
            if (pass == 1) var += d * d / n;
            if (pass == 2)
                x->err[k] = gamma * bound_standard(n, e, largest, d, sqrt(var), s.eps, y) +
                            4 * BOUND_ROUND * (gamma * y + beta);
        }
}

static inline void bound_layer_norm(Bound *b, const BoundNode *x) {
    int64_t channels = type_channels(&x->n->type), inner = (int64_t)type_height(&x->n->type) * type_width(&x->n->type);
    for (int64_t i = 0; i < x->count; i++)
        if (i / inner % channels == 0) bound_set(x, (BoundSet){i, channels, inner, 1, x->n->attr.eps.eps});
    b->unit[x->ref] = 0;
}

static inline void bound_group_norm(Bound *b, const BoundNode *x) {
    const GroupsAttr *a = &x->n->attr.groups;
    int64_t channels = type_channels(&x->n->type) / a->groups;
    int64_t inner = (int64_t)type_height(&x->n->type) * type_width(&x->n->type);
    for (int64_t i = 0; i < x->count; i += channels * inner)
        bound_set(x, (BoundSet){i, channels, inner, inner, a->eps});
    b->unit[x->ref] = 0;
}

/* One line of channels, `inner` apart: y = x - top - log(sum of exponentials), whose relative error is a bound of the
 * logarithm's. */
static inline void bound_log_softmax_line(const BoundNode *x, int64_t first, int64_t channels, int64_t inner) {
    double moved = 0, far = 0, largest = -INFINITY;
    for (int64_t i = first; i < first + channels * inner; i += inner) largest = fmax(largest, x->v[0][i]);
    for (int64_t i = first; i < first + channels * inner; i += inner) {
        moved = fmax(moved, x->e[0][i]);
        far = fmax(far, exp(x->y[i]) * (largest - x->v[0][i]));
    }
    for (int64_t i = first; i < first + channels * inner; i += inner) {
        double size = 2 * (fabs(x->v[0][i]) + fabs(largest)) + 4 * fabs(x->y[i]) + (double)channels * (far + 2) + 16;
        x->err[i] = x->e[0][i] + 2 * moved + size * BOUND_ROUND;
    }
}

static inline void bound_log_softmax(Bound *b, const BoundNode *x) {
    int64_t channels = type_channels(&x->n->type), inner = (int64_t)type_height(&x->n->type) * type_width(&x->n->type);
    for (int64_t i = 0; i < x->count; i++)
        if (i / inner % channels == 0) bound_log_softmax_line(x, i, channels, inner);
    b->unit[x->ref] = 0;
}

/* One line of channels, `inner` apart. Every exponential is off by what its argument is off by, by the rounding of the
 * difference, and by a few roundings. */
static inline void bound_softmax_line(const BoundNode *x, int64_t first, int64_t channels, int64_t inner) {
    double largest = -INFINITY, moved = 0, mean = 0, terms = (double)channels;
    for (int64_t i = first; i < first + channels * inner; i += inner) {
        largest = fmax(largest, x->v[0][i]);
        moved = fmax(moved, x->e[0][i]);
    }
    for (int64_t i = first; i < first + channels * inner; i += inner) mean += x->y[i] * (largest - x->v[0][i]);
    for (int64_t i = first; i < first + channels * inner; i += inner)
        x->err[i] = x->y[i] * expm1(2 * moved + (largest - x->v[0][i] + mean + 2 * terms + 16) * BOUND_ROUND);
}

static inline void bound_softmax(Bound *b, const BoundNode *x) {
    int64_t channels = type_channels(&x->n->type), inner = (int64_t)type_height(&x->n->type) * type_width(&x->n->type);
    for (int64_t i = 0; i < x->count; i++)
        if (i / inner % channels == 0) bound_softmax_line(x, i, channels, inner);
    b->unit[x->ref] = 0;
}

static inline void bound_concat(Bound *b, const BoundNode *x) {
    const Type *y = &x->n->type;
    int64_t inner = (int64_t)type_height(y) * type_width(y), pictures = x->count / type_elements(y), to = 0;
    for (int64_t p = 0; p < pictures; p++)
        for (int i = 0; i < x->n->n_in; i++) {
            int64_t count = type_channels(&graph_node(b->run->graph, x->n->in[i])->type) * inner;
            memcpy(x->err + to, b->err[x->n->in[i]] + p * count, (size_t)count * sizeof *x->err);
            to += count;
        }
}

/* Operators that move elements: what belongs to an element of the result belonged to one of x. `from` gives its number,
 * or -1 where the result has a constant. */
typedef int64_t BoundFrom(const Bound *b, const BoundNode *x, int64_t e);
static inline void bound_move(const Bound *b, const BoundNode *x, BoundFrom *from) {
    for (int64_t i = 0; i < x->count; i++) {
        int64_t k = from(b, x, i);
        x->err[i] = k >= 0 ? x->e[0][k] : BOUND_ROUND * fabs(x->y[i]);
    }
}

/* Element e of the result, in channel `channel` of an operand with `channels` channels. */
static inline int64_t bound_channel(const BoundNode *x, int64_t e, int64_t channel, int64_t channels) {
    int64_t inner = (int64_t)type_height(&x->n->type) * type_width(&x->n->type);
    return (e / type_elements(&x->n->type) * channels + channel) * inner + e % inner;
}

static inline int64_t bound_here(const BoundNode *x, int64_t e) {
    return e / ((int64_t)type_height(&x->n->type) * type_width(&x->n->type)) % type_channels(&x->n->type);
}

static inline int64_t bound_from_slice(const Bound *b, const BoundNode *x, int64_t e) {
    return bound_channel(x, e, bound_here(x, e) + x->n->attr.slice.from, type_channels(bound_type(b, x, 0)));
}

static inline int64_t bound_from_shuffle(const Bound *b, const BoundNode *x, int64_t e) {
    int64_t c = bound_here(x, e), groups = x->n->attr.shuffle.groups, channels = type_channels(bound_type(b, x, 0));
    return bound_channel(x, e, c % groups * (channels / groups) + c / groups, channels);
}

/* The number of the operand's pixel h, w in the plane that element e of the result is in. */
static inline int64_t bound_pixel(const Bound *b, const BoundNode *x, int64_t e, int64_t h, int64_t w) {
    const Type *in = bound_type(b, x, 0);
    int64_t plane = e / ((int64_t)type_height(&x->n->type) * type_width(&x->n->type));
    return (plane * type_height(in) + h) * type_width(in) + w;
}

static inline int64_t bound_from_pad(const Bound *b, const BoundNode *x, int64_t e) {
    const int32_t *pad = x->n->attr.pad.pad;
    int64_t w = e % type_width(&x->n->type) - pad[2];
    int64_t h = e / type_width(&x->n->type) % type_height(&x->n->type) - pad[0];
    bool inside = h >= 0 && h < type_height(bound_type(b, x, 0)) && w >= 0 && w < type_width(bound_type(b, x, 0));
    return inside ? bound_pixel(b, x, e, h, w) : -1;
}

static inline void bound_pad(Bound *b, const BoundNode *x) {
    bound_move(b, x, bound_from_pad);
    if (x->n->attr.pad.value != floor(x->n->attr.pad.value)) b->unit[x->ref] = 0;
    else if (x->n->attr.pad.value != 0) b->unit[x->ref] = fmin(b->unit[x->ref], 1);
}

/* The operand's pixels that can take part, both neighbours: at most 3 roundings for each of 3 steps between two
 * numbers, relative to the largest of them. */
static inline void bound_resize(Bound *b, const BoundNode *x) {
    const ResizeAttr *a = &x->n->attr.resize;
    for (int64_t i = 0; i < x->count; i++) {
        int64_t o[2] = {i / a->to[1] % a->to[0], i % a->to[1]}, lo[2], hi[2];
        for (int d = 0; d < 2; d++) {
            double at = ((double)o[d] + 0.5) * a->from[d] / a->to[d] - 0.5;
            if (a->corners) at = a->to[d] > 1 ? (double)o[d] * (a->from[d] - 1) / (a->to[d] - 1) : 0;
            if (!a->linear) at = (double)(o[d] * a->from[d] / a->to[d]);
            lo[d] = a->linear ? max_i64(0, (int64_t)floor(at - 1e-6)) : (int64_t)at;
            hi[d] = a->linear ? min_i64(a->from[d] - 1, (int64_t)floor(at + 1e-6) + 1) : lo[d];
        }
        double most = 0, moved = 0;
        for (int64_t h = lo[0]; h <= hi[0]; h++)
            for (int64_t w = lo[1]; w <= hi[1]; w++) {
                int64_t k = bound_pixel(b, x, i, h, w);
                most = fmax(most, fabs(x->v[0][k]) + x->e[0][k]);
                moved = fmax(moved, x->e[0][k]);
            }
        x->err[i] = moved + (a->linear ? 24 * BOUND_ROUND * most : 0);
    }
    if (a->linear) b->unit[x->ref] = 0;
}

static inline void bound_slice(Bound *b, const BoundNode *x) { bound_move(b, x, bound_from_slice); }
static inline void bound_shuffle(Bound *b, const BoundNode *x) { bound_move(b, x, bound_from_shuffle); }

/* ---- all nodes -------------------------------------------------------------------------------------------------- */

typedef void BoundRule(Bound *b, const BoundNode *x);
/* ONE ROW PER OPERATOR of nets as written, before any pass. */
static BoundRule *const bound_rules[OP_COUNT] = {
    [OP_conv] = bound_conv,       [OP_fc] = bound_fc,           [OP_add] = bound_add,
    [OP_mul] = bound_mul,         [OP_relu] = bound_nearer,     [OP_bn] = bound_bn,
    [OP_lrn] = bound_lrn,         [OP_maxpool] = bound_maxpool, [OP_avgpool] = bound_avgpool,
    [OP_softmax] = bound_softmax, [OP_concat] = bound_concat,   [OP_flatten] = bound_flatten,
    [OP_clip] = bound_nearer,     [OP_slice] = bound_slice,     [OP_channel_shuffle] = bound_shuffle,
    [OP_conv_dgrad] = bound_conv_dgrad, [OP_swap_io] = bound_swap_io,
    [OP_pad] = bound_pad,         [OP_resize] = bound_resize,
    [OP_log_softmax] = bound_log_softmax,
    [OP_sub] = bound_sub,         [OP_leaky_relu] = bound_act,  [OP_elu] = bound_act,
    [OP_sigmoid] = bound_act,     [OP_hsigmoid] = bound_act,    [OP_tanh] = bound_act,
    [OP_swish] = bound_act,       [OP_hswish] = bound_act,      [OP_gelu] = bound_act,
    [OP_gelu_tanh] = bound_act,   [OP_layer_norm] = bound_layer_norm,
    [OP_group_norm] = bound_group_norm,
};

static inline bool bound_leaf(Op op) { return op == OP_input || op == OP_param; }

/* The unit of the result if nothing is rounded: a product's is the product, a sum's the smaller. */
static inline double bound_unit(const Bound *b, const Node *n) {
    double unit = b->unit[n->in[0]];
    bool products = n->op == OP_conv || n->op == OP_fc || n->op == OP_mul || n->op == OP_conv_dgrad;
    for (int i = 1; i < n->n_in; i++) unit = products ? unit * b->unit[n->in[i]] : fmin(unit, b->unit[n->in[i]]);
    return unit;
}

static inline void bound_finish(Bound *b, const BoundNode *x) {
    for (int64_t i = 0; i < x->count; i++) x->size[i] = fmax(x->size[i], fabs(x->y[i]));
    bool exact = b->unit[x->ref] > 0 && bound_largest(x->size, x->count) < 0x1p24 * b->unit[x->ref];
    if (!exact) b->unit[x->ref] = 0;
    for (int64_t i = 0; i < x->count; i++) /* what the first-order terms leave out, and what is denormal */
        x->err[i] = exact ? 0 : 1.001 * x->err[i] + (bound_leaf(x->n->op) ? 0 : 1e-37);
}

static inline bool bound_node(Bound *b, Ref ref) {
    const Node *n = graph_node(b->run->graph, ref);
    BoundNode x = {.n = n, .ref = ref, .y = b->run->value[ref], .count = ref_count(b->run, ref)};
    x.err = b->err[ref] = NEW_ARRAY(b->arena, double, x.count);
    x.size = b->size[ref] = NEW_ARRAY(b->arena, double, x.count);
    for (int i = 0; i < n->n_in && i < ARRAY_LEN(x.v); i++) {
        x.v[i] = b->run->value[n->in[i]];
        x.e[i] = b->err[n->in[i]];
        x.s[i] = b->size[n->in[i]];
    }
    if (!bound_leaf(n->op)) {
        if (!bound_rules[n->op]) return false;
        b->unit[ref] = bound_unit(b, n);
        bound_rules[n->op](b, &x);
    }
    bound_finish(b, &x);
    return true;
}

/* The bounds of all nodes of a run in double. `whole`: the leaves hold whole numbers. *missing: an operator without a
 * rule, or OP_none. */
static inline Bound *bound_new(Arena *a, const RefRun *run, const bool *winograd, bool whole, bool half, Op *missing) {
    Bound *b = NEW(a, Bound);
    int32_t n = run->graph->n_node;
    *b = (Bound){.run = run, .arena = a, .winograd = winograd, .half = half};
    b->err = NEW_ARRAY(a, double *, n);
    b->size = NEW_ARRAY(a, double *, n);
    b->unit = NEW_ARRAY(a, double, n);
    b->growth = NEW_ARRAY(a, double, n);
    *missing = OP_none;
    for (Ref r = 1; r < (Ref)n && *missing == OP_none; r++) {
        Op op = graph_node(run->graph, r)->op;
        if (bound_leaf(op)) b->unit[r] = whole ? 1 : 0;
        if (!bound_node(b, r)) *missing = op;
    }
    return b;
}

#endif
