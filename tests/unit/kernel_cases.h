/* Small graphs for test_kernels.c: for every operator, shapes that no tile, no vector and no block divides. A case
 * builds the operator's node and gives it, or 0 where it named outputs itself or where there is an effect to look at.
 */
#ifndef CNNC_TESTS_UNIT_KERNEL_CASES_H
#define CNNC_TESTS_UNIT_KERNEL_CASES_H

#include "lab.h"

typedef struct Case {
    Graph *g;
    int64_t n; /* pictures */
    int32_t n_leaf;
} Case;

static Ref case_image(Case *c, int32_t channels, int32_t height, int32_t width) {
    Ref x = lab_image(c->g, channels, height, width);
    graph_node(c->g, x)->name = name_format("image%d", c->n_leaf++);
    return x;
}

static Ref case_param(Case *c, const char *suffix, ParamRole role, int rank, const int32_t *dim) {
    return lab_param(c->g, name_format("p%d%s", c->n_leaf++, suffix), role, rank, dim);
}

static Ref case_vector(Case *c, int32_t channels) {
    return case_param(c, "", PARAM_BUFFER, 1, (const int32_t[]){channels});
}

static Ref case_op1(Case *c, Op op, Ref x, const Attr *attr) { return graph_op1(c->g, op, x, attr, x); }
static Ref case_op2(Case *c, Op op, Ref x, Ref y, const Attr *attr) { return graph_op2(c->g, op, x, y, attr, x); }
static const Type *case_type(const Case *c, Ref x) { return &graph_node(c->g, x)->type; }

static void case_output(Case *c, Ref x) { graph_output(c->g, name_format("y%d", c->g->n_output), x, ONLY_BOTH); }

/* A tensor in blocks that its reader finds in memory: slices share no kernel with anybody. */
static Ref case_stored(Case *c, Ref x) {
    Attr all = {.slice = {0, type_channels(case_type(c, x))}};
    return case_op1(c, OP_slice, x, &all);
}

/* Pictures in one of three ways: plain, as the runtime hands them over; computed in blocks by an element-wise node,
 * which may end up in the reader's kernel; in blocks in memory. */
static Ref case_pictures(Case *c, int way, int32_t channels, int32_t height, int32_t width) {
    Attr same = {.scale = {.alpha = 1}};
    Ref x = case_image(c, channels, height, width);
    return way % 3 == 0 ? x : way % 3 == 1 ? case_op1(c, OP_scale, x, &same) : case_stored(c, x);
}

static Ref case_features(Case *c, int32_t length) { return case_op1(c, OP_flatten, case_image(c, length, 1, 1), NULL); }

static Ref case_fill(Case *c, double value, bool per_picture, const Type *type) {
    Attr attr = {.fill = {value, per_picture, type_make(type->dtype, type->rank, type->dim)}};
    return graph_add(c->g, OP_fill, 0, NULL, &attr, name_of("fill"), (Span){0}, NULL);
}

/* ---- shapes for operators that take any ------------------------------------------------------------------------- */

typedef struct Shape {
    int32_t n, c, h, w;
} Shape;
static const Shape shapes[] = {{1, 1, 1, 1},  {2, 3, 5, 4},  {5, 7, 1, 1}, {1, 17, 3, 7}, {2, 33, 2, 2}, {5, 1, 6, 3},
                               {1, 7, 5, 1},  {2, 17, 1, 6}, {5, 3, 4, 4}, {1, 33, 3, 3}, {2, 1, 7, 2},  {1, 3, 11, 5},
                               {1, 16, 4, 5}, {2, 32, 3, 1}, {1, 8, 2, 3}, {2, 4, 3, 3}};
enum { N_SHAPES = ARRAY_LEN(shapes) };

static Ref case_any(Case *c, int i) {
    Shape s = shapes[i % N_SHAPES];
    c->n = s.n;
    return case_pictures(c, i, s.c, s.h, s.w);
}

/* Rank 4, and in every fourth case rank 2. */
static Ref case_any_rank(Case *c, int i) {
    Ref x = case_any(c, i);
    return i % 4 == 3 ? case_op1(c, OP_flatten, x, NULL) : x;
}

static Ref case_like(Case *c, Ref x) {
    Type t = *case_type(c, x);
    if (!type_batched(&t)) return case_param(c, "", PARAM_BUFFER, t.rank, t.dim);
    if (t.rank == 2) return case_features(c, t.dim[1]);
    return case_stored(c, case_image(c, t.dim[1], t.dim[2], t.dim[3]));
}

/* ---- sources ---------------------------------------------------------------------------------------------------- */

static Ref build_input(Case *c, int i) { return case_any(c, 3 * (i / 3) + 1 + i % 2); }

/* A parameter that is read as it is: by a copy that is not fused. */
static Ref build_param(Case *c, int i) {
    Attr twice = {.scale = {.alpha = 2}};
    Shape s = shapes[i];
    const int32_t dim[] = {s.c, s.h, s.w, 2};
    return case_op1(c, OP_scale, case_param(c, "", PARAM_WEIGHT, 1 + i % 4, dim), &twice);
}

/* As it is, and read. */
static Ref build_table(Case *c, int i) {
    Ref x = case_any_rank(c, i), t = lab_class_weights(c->g, type_channels(case_type(c, x)));
    case_output(c, t);
    return case_op2(c, OP_mul, x, t, NULL);
}

/* Read by an element-wise node, by another node, or an output as it is. */
static Ref build_fill(Case *c, int i) {
    Ref x = case_any_rank(c, i), f = case_fill(c, 0.3, i % 2, case_type(c, x));
    case_output(c, f);
    if (i % 3 == 0) return case_op2(c, OP_add, x, f, NULL);
    return i % 3 == 1 ? case_stored(c, f) : case_op2(c, OP_sub, f, x, NULL);
}

/* ---- contractions ----------------------------------------------------------------------------------------------- */

typedef struct ConvShape {
    int32_t n, c, h, w, o;
    ConvAttr a;
} ConvShape;
#define CONV(kh, kw, sh, sw, dh, dw, t, b, l, r, g)                                                                    \
    { {kh, kw}, {sh, sw}, {dh, dw}, {t, b, l, r}, g, 0, 0, 0 }
static const ConvShape convs[] = {
    {1, 1, 1, 1, 1, CONV(1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1)},
    {2, 3, 7, 5, 7, CONV(3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1)},
    {1, 17, 7, 9, 33, CONV(3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1)},
    {1, 7, 6, 9, 3, CONV(3, 1, 2, 3, 1, 1, 0, 1, 0, 0, 1)},
    {5, 3, 4, 5, 1, CONV(4, 5, 1, 1, 1, 1, 0, 0, 0, 0, 1)}, /* the kernel covers the picture */
    {2, 1, 5, 5, 17, CONV(5, 5, 1, 1, 1, 1, 0, 0, 0, 0, 1)},
    {1, 17, 3, 3, 17, CONV(3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 17)}, /* depthwise */
    {2, 33, 7, 6, 33, CONV(3, 3, 2, 2, 1, 1, 0, 1, 1, 1, 33)},
    {1, 3, 5, 9, 3, CONV(3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 3)},
    {5, 16, 5, 4, 16, CONV(2, 3, 1, 2, 2, 1, 1, 2, 0, 1, 16)},
    {2, 2, 3, 3, 2, CONV(3, 3, 3, 3, 1, 1, 2, 2, 2, 2, 2)},
    {2, 6, 7, 8, 4, CONV(2, 3, 4, 1, 1, 2, 1, 0, 2, 1, 2)}, /* groups that fill no block */
    {1, 18, 3, 5, 60, CONV(1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 3)}, /* a vector has lanes of two groups, of four */
    {1, 15, 4, 3, 35, CONV(2, 3, 1, 1, 1, 1, 1, 0, 1, 1, 5)},
    {1, 33, 2, 2, 3, CONV(1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 3)},
    {2, 4, 5, 5, 8, CONV(3, 3, 2, 2, 1, 1, 0, 2, 1, 0, 4)},
    {1, 32, 5, 6, 64, CONV(3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 2)}, /* groups that fill blocks of 16, of 8, of 4 */
    {2, 16, 5, 5, 16, CONV(3, 3, 1, 2, 1, 1, 1, 1, 1, 1, 2)},
    {1, 8, 6, 5, 12, CONV(1, 3, 1, 1, 1, 1, 0, 0, 1, 1, 2)},
    {1, 3, 11, 10, 2, CONV(5, 5, 4, 3, 1, 1, 2, 2, 2, 2, 1)}, /* strides, dilations, pads */
    {5, 1, 5, 6, 3, CONV(3, 3, 1, 1, 2, 2, 2, 2, 2, 2, 1)},
    {1, 3, 9, 4, 33, CONV(2, 2, 3, 2, 3, 1, 0, 0, 0, 1, 1)},
    {2, 7, 1, 13, 3, CONV(1, 7, 1, 4, 1, 1, 0, 0, 3, 3, 1)},
    {1, 16, 9, 9, 16, CONV(3, 3, 4, 4, 2, 2, 1, 1, 1, 1, 1)},
    {2, 17, 7, 7, 16, CONV(1, 1, 2, 2, 1, 1, 0, 0, 0, 0, 1)},
    {1, 3, 23, 19, 20, CONV(7, 7, 2, 2, 1, 1, 3, 3, 3, 3, 1)},
    {1, 16, 2, 31, 64, CONV(3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1)}, /* wide and deep enough for whole tiles and a tail */
    {1, 33, 6, 14, 96, CONV(1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1)},
    {5, 8, 2, 2, 40, CONV(2, 2, 1, 1, 1, 1, 1, 0, 0, 1, 1)},
    {1, 17, 3, 1, 7, CONV(2, 3, 1, 3, 3, 3, 1, 2, 4, 4, 1)}, /* columns of x that no tap reaches */
    {1, 33, 9, 23, 33, CONV(3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 33)}, /* windows that slide: whole tiles and tails */
    {2, 16, 17, 15, 16, CONV(3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 16)},
    {1, 17, 14, 14, 17, CONV(3, 3, 1, 1, 2, 2, 2, 2, 2, 2, 17)},
    {1, 16, 11, 12, 16, CONV(3, 3, 2, 2, 3, 2, 3, 3, 2, 2, 16)},
    {1, 18, 12, 25, 18, CONV(5, 5, 1, 1, 1, 1, 2, 2, 2, 2, 18)},
    {1, 16, 9, 30, 16, CONV(7, 7, 2, 1, 1, 1, 3, 3, 3, 3, 16)},
    {2, 32, 1, 9, 32, CONV(1, 5, 1, 1, 1, 1, 0, 0, 2, 2, 32)},
    {1, 16, 13, 2, 16, CONV(5, 1, 1, 1, 1, 1, 2, 2, 0, 0, 16)},
    {1, 32, 9, 11, 32, CONV(3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 8)}, /* whose lanes change places within a block */
    {2, 32, 7, 8, 32, CONV(3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 4)},
    {1, 20, 6, 5, 20, CONV(3, 5, 1, 1, 1, 1, 1, 1, 2, 2, 10)},
    {1, 24, 4, 6, 24, CONV(1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 6)},
    {2, 12, 5, 6, 24, CONV(3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 12)}, /* and across blocks */
    {1, 40, 5, 4, 8, CONV(3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 8)},
    {1, 36, 5, 5, 36, CONV(3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 3)},
};
enum { N_CONVS = ARRAY_LEN(convs), N_PLAIN = 14 };

static Attr conv_attr(const ConvShape *s) {
    Attr attr = {.conv = s->a};
    attr.conv.in_c = s->c;
    attr.conv.in_h = s->h;
    attr.conv.in_w = s->w;
    return attr;
}

static Ref conv_weight(Case *c, const ConvShape *s) {
    return case_param(c, "", PARAM_WEIGHT, 4,
                      (const int32_t[]){s->o, s->c / s->a.groups, s->a.kernel[0], s->a.kernel[1]});
}

/* The first time round pictures in blocks, then plain ones. */
static Ref conv_x(Case *c, int i) {
    const ConvShape *s = &convs[i % N_CONVS];
    c->n = s->n;
    return case_pictures(c, i < N_CONVS ? 1 + i % 2 : 0, s->c, s->h, s->w);
}

static Ref build_conv(Case *c, int i) {
    const ConvShape *s = &convs[i % N_CONVS];
    Attr attr = {.conv = s->a};
    Ref x = conv_x(c, i);
    return case_op2(c, OP_conv, x, conv_weight(c, s), &attr);
}

/* Something of the shape of the convolution's result. */
static Ref conv_dy(Case *c, int i) {
    const ConvShape *s = &convs[i % N_CONVS];
    int32_t out[2];
    for (int d = 0; d < 2; d++) {
        int32_t size = (d ? s->w : s->h) + s->a.pad[2 * d] + s->a.pad[2 * d + 1];
        out[d] = (size - s->a.dilation[d] * (s->a.kernel[d] - 1) - 1) / s->a.stride[d] + 1;
    }
    c->n = s->n;
    return case_pictures(c, 1 + i % 2, s->o, out[0], out[1]);
}

static Ref build_conv_dgrad(Case *c, int i) {
    const ConvShape *s = &convs[i % N_CONVS];
    Attr attr = conv_attr(s);
    Ref w = conv_weight(c, s), dy = conv_dy(c, i);
    return case_op2(c, OP_conv_dgrad, dy, case_op1(c, OP_swap_io, w, &attr), &attr);
}

static Ref build_conv_wgrad(Case *c, int i) {
    Attr attr = conv_attr(&convs[i % N_CONVS]);
    Ref dy = conv_dy(c, i), x = conv_x(c, i);
    return case_op2(c, OP_conv_wgrad, dy, x, &attr);
}

/* The weight lies as its convolution wants it. */
static Ref build_swap_io(Case *c, int i) {
    const ConvShape *s = &convs[i];
    Attr attr = {.conv = s->a};
    Ref x = conv_x(c, i), w = conv_weight(c, s);
    case_output(c, case_op2(c, OP_conv, x, w, &attr));
    return case_op1(c, OP_swap_io, w, &attr);
}

/* Rank 2 and rank 4, as in fc(flatten(x), w) and fc(x, w); outputs and pictures in whole tiles and not. */
static const int32_t fc_outputs[N_SHAPES] = {1, 3, 7, 17, 33, 2, 1, 5, 100, 4, 7, 3, 64, 16, 40, 9};
static Ref fc_x(Case *c, int i) {
    Shape s = shapes[i % N_SHAPES];
    c->n = i < N_SHAPES ? s.n : i % 2 ? 100 : 17;
    if (i % 2) return case_pictures(c, i / 2, s.c, s.h, s.w);
    return case_features(c, s.c * s.h);
}

static Ref fc_weight(Case *c, int i) {
    Shape s = shapes[i % N_SHAPES];
    const int32_t dim[] = {fc_outputs[i % N_SHAPES], i % 2 ? s.c : s.c * s.h, s.h, s.w};
    return case_param(c, "", PARAM_WEIGHT, i % 2 ? 4 : 2, dim);
}

/* All cases again with weights in halves. */
enum { N_FCS = N_SHAPES + 4 };
static Ref build_fc(Case *c, int i) {
    Ref x = fc_x(c, i % N_FCS), w = fc_weight(c, i % N_FCS);
    return case_op2(c, OP_fc, x, i < N_FCS ? w : case_op1(c, OP_to_half, w, NULL), NULL);
}

/* In the layout that a reader wants, and without one; of a computed number. */
static Ref build_to_half(Case *c, int i) {
    Attr large = {.scale = {.alpha = i % 5 ? 1 : 1e5}};
    Ref x = fc_x(c, i), half = case_op1(c, OP_to_half, case_op1(c, OP_scale, fc_weight(c, i), &large), NULL);
    if (i % 3) case_output(c, case_op2(c, OP_fc, x, half, NULL));
    return half;
}

static Ref fc_dy(Case *c, int i) {
    c->n = i < N_SHAPES ? shapes[i % N_SHAPES].n : 17;
    return case_features(c, fc_outputs[i % N_SHAPES]);
}

static Ref build_fc_dgrad(Case *c, int i) {
    Ref dy = fc_dy(c, i);
    return case_op2(c, OP_fc_dgrad, dy, fc_weight(c, i), NULL);
}

static Ref build_fc_wgrad(Case *c, int i) {
    Ref dy = fc_dy(c, i), x = fc_x(c, i);
    return case_op2(c, OP_fc_wgrad, dy, x, NULL);
}

/* ---- element-wise ----------------------------------------------------------------------------------------------- */

/* x op y: y like x, a vector, x itself; for mul a convolution's weight and a
 * vector; two vectors. */
static Ref build_binary(Case *c, Op op, int i) {
    Shape s = shapes[i % N_SHAPES];
    if (i % 5 == 3 && op == OP_mul) {
        Attr attr = {.conv = CONV(1, 2, 1, 1, 1, 1, 0, 0, 0, 1, 1)};
        Ref x = case_any(c, i), w = case_param(c, "", PARAM_WEIGHT, 4, (const int32_t[]){7 + i, s.c, 1, 2});
        Ref scaled = case_op2(c, op, w, case_vector(c, 7 + i), NULL);
        case_output(c, case_op2(c, OP_conv, x, scaled, &attr));
        return scaled;
    }
    Ref x = i % 5 == 4 ? case_vector(c, s.c) : case_any_rank(c, i);
    Ref y = i % 5 == 0 || i % 5 == 4 ? case_like(c, x)
            : i % 5 == 1             ? case_vector(c, type_channels(case_type(c, x)))
                                     : x;
    return case_op2(c, op, x, y, NULL);
}

/* The rest: one number a plane, as [N,C] and as [N,C,1,1], of pictures in blocks and not; one for all. */
static Ref build_broadcast(Case *c, Op op, int i) {
    if (i < 2 * N_SHAPES) return build_binary(c, op, i);
    Ref x = i % 2 ? case_stored(c, case_any(c, i)) : case_any(c, i);
    int32_t channels = type_channels(case_type(c, x));
    Ref y = i % 3 == 0   ? case_features(c, channels)
            : i % 3 == 1 || op != OP_mul ? case_stored(c, case_image(c, channels, 1, 1))
                                         : case_vector(c, 1);
    return case_op2(c, op, x, y, NULL);
}

static Ref build_add(Case *c, int i) { return build_broadcast(c, OP_add, i); }
static Ref build_sub(Case *c, int i) { return build_broadcast(c, OP_sub, i); }
static Ref build_mul(Case *c, int i) { return build_broadcast(c, OP_mul, i); }

static Ref build_scale(Case *c, int i) {
    Attr attr = {.scale = {0.7 * i - 2, i % 3 ? 0.3 : 0, i % 2}};
    return case_op1(c, OP_scale, i % 5 == 4 ? case_vector(c, shapes[i].c) : case_any_rank(c, i), &attr);
}

static Ref build_rsqrt(Case *c, int i) {
    Ref x = i % 2 ? case_param(c, "var", PARAM_BUFFER, 1, (const int32_t[]){shapes[i].c}) : case_any(c, i);
    if (!(i % 2)) graph_node(c->g, 1)->name = name_of("image_var");
    return case_op1(c, OP_rsqrt, x, NULL);
}

/* Every other one of numbers up to 8 in size, where the tails are. */
static Ref case_act_x(Case *c, int i) {
    Attr wide = {.scale = {.alpha = 8}};
    Ref x = case_any_rank(c, i);
    return i % 2 ? case_op1(c, OP_scale, x, &wide) : x;
}

static Ref build_act(Case *c, Op op, int i) {
    Attr attr = lab_act_attr(op, i);
    return case_op1(c, op, case_act_x(c, i), lab_attr_or_null(op, &attr));
}

static Ref build_act_grad(Case *c, Op op, int i) {
    Attr attr = lab_act_attr(op, i);
    Ref x = case_act_x(c, i);
    return case_op2(c, op, case_like(c, x), x, lab_attr_or_null(op, &attr));
}

#define ACT(id, ...)                                                                                                   \
    static Ref build_##id(Case *c, int i) { return build_act(c, OP_##id, i); }                                         \
    static Ref build_##id##_grad(Case *c, int i) { return build_act_grad(c, OP_##id##_grad, i); }
#include "ir/acts.def"
#undef ACT

static Ref case_bn_of(Case *c, Ref x, Ref mean, Ref var, double eps) {
    int32_t channels = type_channels(case_type(c, x));
    Attr attr = {.norm = {eps, 0.1, 0}};
    Ref in[] = {x, mean, var, case_vector(c, channels), case_vector(c, channels)};
    return graph_add(c->g, OP_bn, 5, in, &attr, name_of("bn"), (Span){0}, NULL);
}

static Ref case_bn(Case *c, Ref x, double eps) {
    const int32_t dim[] = {type_channels(case_type(c, x))};
    return case_bn_of(c, x, case_vector(c, dim[0]), case_param(c, "var", PARAM_BUFFER, 1, dim), eps);
}

/* With statistics of channels, or of channels of each picture. */
static Ref build_bn(Case *c, int i) {
    Ref x = case_any_rank(c, i % N_SHAPES);
    double eps = i % 2 ? 1e-5 : 0.1;
    if (i < N_SHAPES) return case_bn(c, x, eps);
    Ref mean = case_features(c, type_channels(case_type(c, x)));
    return case_bn_of(c, x, mean, case_op2(c, OP_mul, mean, mean, NULL), eps);
}

static Ref build_dropout(Case *c, int i) {
    Attr attr = {.dropout = {0.1 * (i % 8), i, i % 3 == 1}};
    return case_op1(c, OP_dropout, case_any_rank(c, i), &attr);
}

/* ---- windows ---------------------------------------------------------------------------------------------------- */

static const struct PoolShape {
    Shape s;
    PoolAttr a;
} pools[] = {
#include "pool_shapes.def"
    {{1, 17, 3, 9}, {{3, 4}, {4, 4}, {2, 2, 1, 1}, false, true, 0, 0, {0, 0}}}, /* a step of rows above the plane's */
    {{1, 17, 20, 18}, {{17, 16}, {2, 1}, {3, 0, 0, 5}, false, false, 0, 0, {0, 0}}}, /* a large index */
    {{1, 17, 5, 83}, {{3, 3}, {2, 2}, {1, 1, 1, 1}, true, false, 0, 0, {0, 0}}}, /* several tiles a row */
    {{2, 3, 4, 61}, {{2, 2}, {3, 2}, {0, 0, 0, 0}, false, true, 0, 0, {0, 0}}},
    {{1, 5, 3, 60}, {{3, 5}, {1, 1}, {1, 1, 2, 2}, false, true, 0, 0, {0, 0}}},
    {{1, 4, 3, 90}, {{2, 2}, {1, 5}, {0, 1, 1, 1}, false, false, 0, 0, {0, 0}}},
    {.s = {1, 17, 7, 9}, .a = {.kernel = {4, 3}, .stride = {1, 1}, .to = {2, 4}}}, /* windows share the plane */
    {.s = {2, 3, 10, 12}, .a = {.kernel = {3, 4}, .stride = {1, 1}, .to = {7, 5}}},
    {.s = {1, 33, 3, 5}, .a = {.kernel = {2, 5}, .stride = {1, 1}, .to = {5, 1}}},
    {.s = {5, 4, 20, 18}, .a = {.kernel = {20, 5}, .stride = {1, 1}, .to = {1, 4}}},
    {.s = {2, 16, 1, 13}, .a = {.kernel = {1, 3}, .stride = {1, 1}, .to = {3, 6}}},
};

static Ref pool_x(Case *c, int i) {
    Shape s = pools[i].s;
    c->n = s.n;
    return case_pictures(c, i, s.c, s.h, s.w);
}

static Attr pool_attr(int i) {
    Attr attr = {.pool = pools[i].a};
    attr.pool.in_h = pools[i].s.h;
    attr.pool.in_w = pools[i].s.w;
    return attr;
}

static Ref build_pool(Case *c, Op op, int i) {
    Attr attr = {.pool = pools[i].a};
    return case_op1(c, op, pool_x(c, i), &attr);
}

static Ref build_maxpool(Case *c, int i) { return build_pool(c, OP_maxpool, i); }
static Ref build_avgpool(Case *c, int i) { return build_pool(c, OP_avgpool, i); }
static Ref build_maxpool_index(Case *c, int i) { return build_pool(c, OP_maxpool_index, i); }

static Ref pool_dy(Case *c, Ref pooled, int i) {
    Type t = *case_type(c, pooled);
    return case_pictures(c, 1 + i % 2, t.dim[1], t.dim[2], t.dim[3]);
}

static Ref build_maxpool_grad(Case *c, int i) {
    Attr attr = pool_attr(i);
    Ref index = build_maxpool_index(c, i);
    return case_op2(c, OP_maxpool_grad, pool_dy(c, index, i), index, &attr);
}

static Ref build_avgpool_grad(Case *c, int i) {
    Attr attr = pool_attr(i);
    Ref y = build_avgpool(c, i);
    case_output(c, y);
    return case_op1(c, OP_avgpool_grad, pool_dy(c, y, i), &attr);
}

/* A follower in every third case, and then sometimes both stored. */
static Ref case_followed(Case *c, Ref y, int i) {
    if (i % 3 != 1) return y;
    if (i % 2) case_output(c, y);
    return case_op1(c, OP_relu, case_op2(c, OP_add, y, case_vector(c, type_channels(case_type(c, y))), NULL), NULL);
}

static Ref build_pad(Case *c, int i) {
    Ref x = case_any(c, i);
    int32_t h = type_height(case_type(c, x)), w = type_width(case_type(c, x));
    const int32_t pads[4][4] = {{1, 2, 3, 0}, {0, 0, 0, 2}, {2, -(h / 2), -(w / 3), 5}, {-(h / 2), 0, -(w / 2), -(w / 3)}};
    Attr attr = {.pad = {.value = 0.5 * (i % 3)}};
    memcpy(attr.pad.pad, pads[i % 4], sizeof pads[0]);
    return case_followed(c, case_op1(c, OP_pad, x, &attr), i);
}

/* Heights and widths: multiples, others, smaller, one. */
static const struct ResizeShape {
    Shape s;
    int32_t to[2];
} resizes[] = {
    {{1, 1, 1, 1}, {2, 3}},  {{2, 3, 5, 4}, {10, 8}},  {{1, 17, 3, 7}, {9, 21}},  {{2, 33, 2, 2}, {5, 3}},
    {{1, 7, 5, 1}, {10, 9}}, {{2, 17, 1, 6}, {2, 24}}, {{1, 3, 4, 4}, {7, 64}},   {{3, 16, 6, 9}, {4, 4}},
    {{1, 33, 3, 3}, {3, 5}}, {{2, 1, 7, 2}, {1, 1}},   {{1, 16, 8, 17}, {16, 34}}, {{1, 4, 9, 5}, {2, 11}},
};
enum { N_RESIZES = ARRAY_LEN(resizes) };

/* Nearest, bilinear, bilinear with corners. */
static Attr resize_attr(int i) {
    const struct ResizeShape *s = &resizes[i % N_RESIZES];
    return (Attr){.resize = {{s->s.h, s->s.w}, {s->to[0], s->to[1]}, i >= N_RESIZES, i >= 2 * N_RESIZES}};
}

static Ref build_resize(Case *c, int i) {
    Attr attr = resize_attr(i);
    Shape s = resizes[i % N_RESIZES].s;
    c->n = s.n;
    return case_followed(c, case_op1(c, OP_resize, case_pictures(c, i, s.c, s.h, s.w), &attr), i);
}

static Ref build_resize_grad(Case *c, int i) {
    Attr attr = resize_attr(i);
    const struct ResizeShape *s = &resizes[i % N_RESIZES];
    c->n = s->s.n;
    return case_followed(c, case_op1(c, OP_resize_grad, case_pictures(c, i, s->s.c, s->to[0], s->to[1]), &attr), i);
}

static Attr lrn_attr(int i) { return (Attr){.lrn = {1 + i % 6, 0.5 + 0.1 * i, 0.75, 1 + i % 2}}; }

static Ref build_lrn(Case *c, int i) {
    Attr attr = lrn_attr(i);
    return case_op1(c, OP_lrn, case_any(c, i), &attr);
}

static Ref build_lrn_grad(Case *c, int i) {
    Attr attr = lrn_attr(i);
    Ref dy = case_any(c, i);
    return case_op2(c, OP_lrn_grad, dy, case_like(c, dy), &attr);
}

/* ---- shape ------------------------------------------------------------------------------------------------------ */

static Ref build_flatten(Case *c, int i) { return case_op1(c, OP_flatten, case_any(c, i), NULL); }

static Ref build_reshape(Case *c, int i) {
    Shape s = shapes[i];
    Attr attr = {.shape = {lab_type(4, (const int32_t[]){BATCH, s.w, s.c, s.h})}};
    return case_op1(c, OP_reshape, case_op1(c, OP_flatten, case_any(c, i), NULL), &attr);
}

/* One to four tensors; in every third case the first comes twice; once more than a kernel has arguments. */
static Ref build_concat(Case *c, int i) {
    enum { MANY = 70 };
    Shape s = shapes[i % N_SHAPES];
    Ref in[MANY + 5];
    int n = i == N_SHAPES ? MANY : 1 + i % 4;
    c->n = s.n;
    for (int k = 0; k < n; k++) {
        in[k] = case_pictures(c, i + k, i % 2 ? s.c : s.c + 2 * (k % 4), s.h, s.w);
        if (i % 5 == 4) in[k] = case_op1(c, OP_flatten, in[k], NULL);
    }
    if (i % 3 == 0) in[n++] = in[0];
    return graph_add(c->g, OP_concat, n, in, NULL, NULL, (Span){0}, NULL);
}

/* Channel ranges: inside blocks, at their edges, to the end. */
static SliceAttr slice_range(int i, int32_t channels) {
    if (i % 3 == 0) return (SliceAttr){channels / 3, channels - channels / 3 - channels / 4};
    if (i % 3 == 1) return (SliceAttr){channels / 16 * 16 % channels, channels - channels / 16 * 16 % channels};
    return (SliceAttr){0, channels > 16 ? 16 : channels};
}

static Ref build_slice(Case *c, int i) {
    Ref x = case_any_rank(c, i);
    Attr attr = {.slice = slice_range(i, type_channels(case_type(c, x)))};
    return case_op1(c, OP_slice, x, &attr);
}

static Ref build_pad_channels(Case *c, int i) {
    Ref x = case_any_rank(c, i);
    int32_t from = i % 4 == 3 ? 16 : i % 4;
    Attr attr = {.slice = {from, type_channels(case_type(c, x)) + from + i % 2}};
    return case_op1(c, OP_pad_channels, x, &attr);
}

/* Channels, groups: of shapes with a block and a half, many blocks, blocks that come from as many, more than can be
 * written out; a follower in the same kernel. */
static Ref build_channel_shuffle(Case *c, int i) {
    static const int32_t table[][2] = {{1, 1},   {4, 2},   {6, 3},    {16, 2},  {32, 2},   {58, 2},   {116, 2}, {24, 3},
                                       {48, 16}, {64, 32}, {232, 2},  {33, 11}, {17, 17},  {10, 5},   {8, 4},   {240, 3},
                                       {96, 8},  {20, 2},  {8192, 2}, {272, 2}, {2088, 4}, {16, 4}};
    int32_t channels = table[i][0], small = channels > 300;
    Attr attr = {.shuffle = {table[i][1]}};
    c->n = 1 + i % 3;
    Ref x = i % 4 == 3 ? case_features(c, channels) : case_pictures(c, i, channels, small ? 1 : 3, small ? 2 : 1 + i % 5);
    Ref y = case_op1(c, OP_channel_shuffle, x, &attr);
    return case_followed(c, y, i);
}

/* ---- reductions ------------------------------------------------------------------------------------------------- */

static Ref build_mean(Case *c, int i) { return case_op1(c, OP_mean, case_any_rank(c, i), NULL); }

/* In every fifth case far from zero, where the mean of squares less the square of the mean would cancel. */
static Ref build_var(Case *c, int i) {
    Attr far = {.scale = {.alpha = 1, .beta = 64}};
    Ref x = case_any_rank(c, i);
    return case_op1(c, OP_var, i % 5 == 4 ? case_op1(c, OP_scale, x, &far) : x, NULL);
}

static Ref build_channel_sum(Case *c, int i) { return case_op1(c, OP_channel_sum, case_any_rank(c, i), NULL); }

static Ref build_channel_dot(Case *c, int i) {
    Ref x = case_any_rank(c, i);
    return case_op2(c, OP_channel_dot, x, case_like(c, x), NULL);
}

static Ref build_plane_dot(Case *c, int i) {
    Ref x = case_any(c, i);
    Attr attr = {.shape = {lab_type(i % 3 ? 4 : 2, (const int32_t[]){BATCH, type_channels(case_type(c, x)), 1, 1})}};
    return case_op2(c, OP_plane_dot, x, case_like(c, x), &attr);
}

static Ref build_total(Case *c, int i) {
    return case_op1(c, OP_total, i % 2 ? case_vector(c, shapes[i].c) : build_channel_sum(c, i), NULL);
}

static Ref build_spread(Case *c, int i) {
    Shape s = shapes[i];
    c->n = s.n;
    Attr attr = {.shape = {lab_type(i % 4 == 3 ? 2 : 4, (const int32_t[]){BATCH, s.c, s.h, s.w})}};
    return case_op1(c, OP_spread, case_vector(c, s.c), &attr);
}

#include "kernel_losses.h"

/* ---- effects, and what they need --------------------------------------------------------------------------------- */

#include "kernel_updates.h"

/* Weights as convolutions and fully connected layers have them, and vectors. */
static Ref build_row_squares(Case *c, int i) {
    if (i % 3 == 0) return case_op1(c, OP_row_squares, case_vector(c, shapes[i].c), NULL);
    if (i % 3 == 1) {
        const ConvShape *s = &convs[i];
        Attr attr = conv_attr(s);
        Ref x = conv_x(c, i + i % 2 * N_CONVS), w = conv_weight(c, s);
        case_output(c, case_op2(c, OP_conv, x, w, &attr));
        return case_op1(c, OP_row_squares, w, NULL);
    }
    Ref x = fc_x(c, i), w = fc_weight(c, i);
    case_output(c, case_op2(c, OP_fc, x, w, NULL));
    return case_op1(c, OP_row_squares, w, NULL);
}

static Ref build_ema(Case *c, int i) {
    Ref x = case_any_rank(c, i), value = case_op1(c, i % 2 ? OP_mean : OP_var, x, NULL);
    int32_t channels = type_channels(case_type(c, x)), pixels = (int32_t)(type_elements(case_type(c, x)) / channels);
    Attr attr = {.ema = {0.1, i % 2 == 0, pixels, 0}};
    if (i % 4 == 3) { /* some pictures after others */
        value = case_features(c, channels);
        attr.ema.ghost = 1 + i / 4;
        attr.ema.unbias = true;
        c->n = 4 + i % 3;
    }
    case_op2(c, OP_ema, case_vector(c, channels), value, &attr);
    return 0;
}

typedef Ref Build(Case *c, int i);
#include "kernel_norms.h"
#include "kernel_winograd.h"

static const struct OpCases {
    Build *build;
    int n;
    bool contraction;
} op_cases[OP_COUNT] = {
    [OP_input] = {build_input, N_SHAPES, false},
    [OP_param] = {build_param, N_SHAPES, false},
    [OP_table] = {build_table, N_SHAPES, false},
    [OP_fill] = {build_fill, N_SHAPES, false},
    [OP_conv] = {build_conv, N_CONVS + N_PLAIN, true},
    [OP_conv_dgrad] = {build_conv_dgrad, N_CONVS, true},
    [OP_conv_wgrad] = {build_conv_wgrad, N_CONVS + N_PLAIN, true},
    [OP_fc] = {build_fc, 2 * N_FCS, true},
    [OP_fc_dgrad] = {build_fc_dgrad, N_SHAPES + 4, true},
    [OP_fc_wgrad] = {build_fc_wgrad, N_SHAPES + 4, true},
    [OP_swap_io] = {build_swap_io, N_CONVS, false},
    [OP_winograd_weight] = {build_winograd_weight, N_WINOGRADS, false},
    [OP_winograd_input] = {build_winograd_input, N_WINOGRADS, false},
    [OP_winograd_product] = {build_winograd_product, N_WINOGRADS, true},
    [OP_winograd_output] = {build_winograd_output, N_WINOGRADS, false},
    [OP_add] = {build_add, 4 * N_SHAPES, false},
    [OP_sub] = {build_sub, 4 * N_SHAPES, false},
    [OP_mul] = {build_mul, 4 * N_SHAPES, false},
    [OP_scale] = {build_scale, N_SHAPES, false},
    [OP_rsqrt] = {build_rsqrt, N_SHAPES, false},
#define ACT(id, ...) [OP_##id] = {build_##id, N_SHAPES, false}, [OP_##id##_grad] = {build_##id##_grad, N_SHAPES, false},
#include "ir/acts.def"
#undef ACT
    [OP_to_half] = {build_to_half, N_SHAPES, false},
    [OP_bn] = {build_bn, 2 * N_SHAPES, false},
    [OP_dropout] = {build_dropout, N_SHAPES, false},
    [OP_maxpool] = {build_maxpool, ARRAY_LEN(pools), false},
    [OP_maxpool_index] = {build_maxpool_index, ARRAY_LEN(pools), false},
    [OP_maxpool_grad] = {build_maxpool_grad, ARRAY_LEN(pools), false},
    [OP_avgpool] = {build_avgpool, ARRAY_LEN(pools), false},
    [OP_avgpool_grad] = {build_avgpool_grad, ARRAY_LEN(pools), false},
    [OP_pad] = {build_pad, N_SHAPES, false},
    [OP_resize] = {build_resize, 3 * N_RESIZES, false},
    [OP_resize_grad] = {build_resize_grad, 3 * N_RESIZES, false},
    [OP_lrn] = {build_lrn, N_SHAPES, false},
    [OP_lrn_grad] = {build_lrn_grad, N_SHAPES, false},
    [OP_layer_norm] = {build_layer_norm, N_NORMS + 4, false},
    [OP_layer_norm_grad] = {build_layer_norm_grad, N_NORMS + 4, false},
    [OP_layer_norm_dot] = {build_layer_norm_dot, N_NORMS + 4, false},
    [OP_group_norm] = {build_group_norm, N_NORMS + 4, false},
    [OP_group_norm_grad] = {build_group_norm_grad, N_NORMS + 4, false},
    [OP_group_norm_dot] = {build_group_norm_dot, N_NORMS + 4, false},
    [OP_flatten] = {build_flatten, N_SHAPES, false},
    [OP_reshape] = {build_reshape, N_SHAPES, false},
    [OP_concat] = {build_concat, N_SHAPES + 1, false},
    [OP_slice] = {build_slice, N_SHAPES, false},
    [OP_pad_channels] = {build_pad_channels, N_SHAPES, false},
    [OP_channel_shuffle] = {build_channel_shuffle, 22, false},
    [OP_plane_mean] = {build_plane_mean, N_NORMS, false},
    [OP_plane_var] = {build_plane_var, N_NORMS, false},
    [OP_ghost_mean] = {build_ghost_mean, N_NORMS, false},
    [OP_mean] = {build_mean, N_SHAPES, false},
    [OP_var] = {build_var, N_SHAPES, false},
    [OP_channel_sum] = {build_channel_sum, N_SHAPES, false},
    [OP_channel_dot] = {build_channel_dot, N_SHAPES, false},
    [OP_plane_dot] = {build_plane_dot, N_SHAPES, false},
    [OP_row_squares] = {build_row_squares, N_SHAPES, false},
    [OP_total] = {build_total, N_SHAPES, false},
    [OP_spread] = {build_spread, N_SHAPES, false},
    [OP_softmax] = {build_softmax, N_SHAPES, false},
    [OP_softmax_grad] = {build_softmax_grad, N_SHAPES, false},
    [OP_log_softmax] = {build_log_softmax, N_SHAPES, false},
    [OP_log_softmax_grad] = {build_log_softmax_grad, N_SHAPES, false},
#define LOSS(id, ...)                                                                                                  \
    [OP_##id] = {build_##id, ARRAY_LEN(classes), false},                                                               \
    [OP_##id##_grad] = {build_##id##_grad, ARRAY_LEN(classes), false},
#include "ir/losses.def"
#undef LOSS
    [OP_cross_entropy] = {build_cross_entropy, N_LOGITS + N_SHAPES, false},
    [OP_cross_entropy_grad] = {build_cross_entropy_grad, N_LOGITS + N_SHAPES, false},
    [OP_label_factor] = {build_label_factor, N_LOGITS + N_SHAPES, false},
    [OP_sgd] = {build_sgd, N_SHAPES, false},
    [OP_adam] = {build_adam, N_SHAPES, false},
    [OP_rmsprop] = {build_rmsprop, N_SHAPES, false},
    [OP_lars] = {build_lars, N_SHAPES, false},
    [OP_accumulate] = {build_accumulate, N_SHAPES, false},
    [OP_ema] = {build_ema, N_SHAPES, false},
};

#endif
