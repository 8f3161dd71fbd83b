/* Fused groups for test_kernels.c: what may follow what in one kernel, several stored members, operands from other
 * kernels, results that take the place of an operand. */
#ifndef CNNC_TESTS_UNIT_KERNEL_CHAINS_H
#define CNNC_TESTS_UNIT_KERNEL_CHAINS_H

#include "kernel_cases.h"

static const Shape chain_shapes[] = {{2, 17, 5, 6}, {1, 3, 4, 7}, {5, 16, 3, 3}};
enum { N_CHAIN_SHAPES = ARRAY_LEN(chain_shapes) };

static Ref chain_x(Case *c, int i) {
    Shape s = chain_shapes[i % N_CHAIN_SHAPES];
    c->n = s.n;
    return case_stored(c, case_image(c, s.c, s.h, s.w));
}

static Ref chain_conv(Case *c, Ref x, int32_t outputs, int32_t groups) {
    Attr attr = {.conv = CONV(3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1)};
    attr.conv.groups = groups;
    const int32_t dim[] = {outputs, type_channels(case_type(c, x)) / groups, 3, 3};
    return case_op2(c, OP_conv, x, case_param(c, "", PARAM_WEIGHT, 4, dim), &attr);
}

static Ref chain_bias(Case *c, Ref x) {
    return case_op2(c, OP_add, x, case_vector(c, type_channels(case_type(c, x))), NULL);
}

static Ref chain_relu(Case *c, Ref x) { return case_op1(c, OP_relu, x, NULL); }

static Ref chain_dropout(Case *c, Ref x) {
    Attr attr = {.dropout = {0.3, 5}};
    return case_op1(c, OP_dropout, x, &attr);
}

static Ref chain_scale(Case *c, Ref x, double alpha, double beta) {
    Attr attr = {.scale = {.alpha = alpha, .beta = beta}};
    return case_op1(c, OP_scale, x, &attr);
}

/* relu(bn(conv(x))) + branch, all of it in one kernel behind the convolution. */
static Ref build_residual(Case *c, int i) {
    Ref x = chain_x(c, i), branch = chain_bias(c, chain_conv(c, x, 20, 1));
    Ref y = chain_relu(c, case_bn(c, chain_conv(c, x, 20, 1), 1e-5));
    return chain_relu(c, case_op2(c, OP_add, y, branch, NULL));
}

/* A block whose input is read by the branch and by the sum, and which a convolution with padding reads again. */
static Ref build_identity_block(Case *c, int i) {
    Ref x = chain_relu(c, chain_conv(c, chain_x(c, i), 18, 1));
    for (int k = 0; k < 2; k++) {
        Ref y = chain_relu(c, case_bn(c, chain_conv(c, x, 18, 1), 1e-5));
        y = case_bn(c, chain_conv(c, y, 18, 1), 1e-5);
        x = chain_relu(c, case_op2(c, OP_add, y, x, NULL));
    }
    return chain_conv(c, x, 5, 1);
}

/* Every member is wanted by somebody else too. */
static Ref build_all_stored(Case *c, int i) {
    Ref y = chain_conv(c, chain_x(c, i), 20, 1);
    case_output(c, y);
    y = chain_bias(c, y);
    case_output(c, y);
    y = chain_dropout(c, chain_relu(c, y));
    case_output(c, chain_conv(c, y, 3, 1));
    return case_op2(c, OP_mul, y, y, NULL);
}

/* Depthwise, in blocks or not, and groups that fill no block. */
static Ref build_grouped(Case *c, int i) {
    Ref x = chain_x(c, i);
    int32_t channels = type_channels(case_type(c, x));
    Ref y = chain_relu(c, case_bn(c, chain_conv(c, x, channels, channels), 1e-5));
    case_output(c, y);
    Ref z = chain_scale(c, chain_conv(c, y, 2 * channels, channels), 0.5, 1);
    case_output(c, z);
    return chain_conv(c, chain_relu(c, z), 7, 1);
}

/* Folding as specialise does it: the weights times a vector computed from vectors. */
static Ref build_folded(Case *c, int i) {
    Attr attr = {.conv = CONV(3, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1)};
    Ref x = chain_x(c, i), variance = case_param(c, "var", PARAM_BUFFER, 1, (const int32_t[]){20});
    const int32_t dim[] = {20, type_channels(case_type(c, x)), 3, 3};
    Ref s =
        case_op2(c, OP_mul, case_vector(c, 20), case_op1(c, OP_rsqrt, chain_scale(c, variance, 1, 1e-5), NULL), NULL);
    Ref w = case_op2(c, OP_mul, case_param(c, "", PARAM_WEIGHT, 4, dim), s, NULL);
    Ref t = case_op2(c, OP_sub, case_vector(c, 20), case_op2(c, OP_mul, case_vector(c, 20), s, NULL), NULL);
    return chain_relu(c, case_op2(c, OP_add, case_op2(c, OP_conv, x, w, &attr), t, NULL));
}

/* x dies here, so a result may take its place, but not one that is stored before x was read for the last time. */
static Ref build_in_place(Case *c, int i) {
    Ref x = chain_x(c, i), y = chain_bias(c, x), z = chain_relu(c, y);
    Ref late = case_op2(c, OP_mul, i < N_CHAIN_SHAPES ? z : y, x, NULL);
    case_output(c, case_op1(c, OP_slice, i < N_CHAIN_SHAPES ? y : z, &(Attr){.slice = {0, 3}}));
    return case_op2(c, OP_add, z, late, NULL);
}

/* The same behind a convolution, whose residual operand dies. */
static Ref build_in_place_residual(Case *c, int i) {
    Ref x = chain_x(c, i), y = chain_conv(c, chain_x(c, i), type_channels(case_type(c, x)), 1);
    Ref sum = case_op2(c, OP_add, y, x, NULL), late = case_op2(c, OP_mul, y, x, NULL);
    case_output(c, case_op1(c, OP_slice, chain_relu(c, sum), &(Attr){.slice = {0, 3}}));
    return case_op2(c, OP_sub, late, sum, NULL);
}

/* Gradients of a fully connected layer behind relu: elements are finished one at a time there. */
static Ref build_fc_chain(Case *c, int i) {
    Ref dy = fc_dy(c, i), w = fc_weight(c, i), dx = case_op2(c, OP_fc_dgrad, dy, w, NULL);
    Ref y = case_op2(c, OP_relu_grad, dx, case_like(c, dx), NULL);
    case_output(c, dx);
    case_output(c, y);
    return case_op2(c, OP_add, chain_dropout(c, y), case_op2(c, OP_mul, y, case_like(c, dx), NULL), NULL);
}

static Ref build_fc_forward(Case *c, int i) {
    Ref y = chain_relu(c, chain_bias(c, build_fc(c, i)));
    case_output(c, chain_dropout(c, y));
    return case_op2(c, OP_mul, y, y, NULL);
}

static Ref build_dgrad_chain(Case *c, int i) {
    Ref dx = build_conv_dgrad(c, 3 * i), y = case_op2(c, OP_relu_grad, dx, case_like(c, dx), NULL);
    case_output(c, y);
    return case_op2(c, OP_add, chain_dropout(c, y), case_op2(c, OP_add, dx, case_like(c, dx), NULL), NULL);
}

/* Windows, normalisations and rows with a chain behind them. */
static Ref build_headed(Case *c, int i) {
    static Build *const head[] = {build_maxpool, build_avgpool,      build_lrn,   build_lrn_grad,
                                  build_softmax, build_softmax_grad, build_spread};
    Ref y = head[i % ARRAY_LEN(head)](c, i);
    case_output(c, y);
    Ref z = case_op2(c, OP_mul, chain_bias(c, y), case_like(c, y), NULL);
    case_output(c, z);
    return case_op2(c, OP_sub, chain_relu(c, z), z, NULL);
}

/* Chains of vectors behind reductions; of numbers per picture behind a loss. */
static Ref build_reduced(Case *c, int i) {
    static Build *const head[] = {build_mean, build_channel_sum, build_channel_dot, build_cross_entropy, build_var};
    Ref y = head[i % ARRAY_LEN(head)](c, i), z = chain_scale(c, y, 0.5, 4);
    if (i % ARRAY_LEN(head) == 4) z = case_op1(c, OP_rsqrt, z, NULL);
    case_output(c, z);
    return case_op2(c, OP_sub, case_op2(c, OP_mul, z, y, NULL), z, NULL);
}

/* Batch normalisation as training does it. */
static Ref build_batch_norm(Case *c, int i) {
    Ref x = chain_conv(c, chain_x(c, i), 20, 1);
    Ref in[] = {x, case_op1(c, OP_mean, x, NULL), case_op1(c, OP_var, x, NULL), case_vector(c, 20), case_vector(c, 20)};
    Attr attr = {.norm = {1e-5, 0.1, 0}};
    return chain_relu(c, graph_add(c->g, OP_bn, 5, in, &attr, NULL, (Span){0}, NULL));
}

/* The picture's own copy heads the chain: plain on one side, in blocks on the other. */
static Ref build_from_picture(Case *c, int i) {
    Shape s = chain_shapes[i % N_CHAIN_SHAPES];
    c->n = s.n;
    Ref image = case_image(c, s.c, s.h, s.w), y = chain_dropout(c, chain_bias(c, image));
    Ref z = case_op2(c, OP_mul, chain_scale(c, y, 2, -1), case_stored(c, case_image(c, s.c, s.h, s.w)), NULL);
    case_output(c, y);
    case_output(c, chain_conv(c, image, 5, 1));
    case_output(c, chain_conv(c, z, 5, 1));
    return case_op2(c, OP_add, z, image, NULL);
}

/* More operands than a kernel has arguments. */
static Ref build_long_sum(Case *c, int i) {
    Ref x = chain_x(c, i);
    for (int k = 0; k < 80; k++) x = case_op2(c, OP_add, x, chain_x(c, i), NULL);
    return chain_relu(c, x);
}

/* Two groups that wait for each other if they are joined without looking. */
static Ref build_crossed(Case *c, int i) {
    Ref x = chain_x(c, i), a = chain_conv(c, x, 9, 1), b = chain_conv(c, x, 9, 1);
    Ref p = case_op2(c, OP_add, a, chain_relu(c, b), NULL), q = case_op2(c, OP_mul, b, chain_relu(c, a), NULL);
    case_output(c, case_op2(c, OP_sub, p, q, NULL));
    return case_op2(c, OP_add, chain_conv(c, p, 9, 1), q, NULL);
}

/* Tensors of one size one after the other and next to each other: their places are shared. */
static Ref build_shared_memory(Case *c, int i) {
    Ref x = chain_x(c, i), y = x;
    for (int k = 0; k < 5; k++) y = chain_relu(c, chain_conv(c, k % 2 ? y : case_stored(c, y), 17, 1));
    Ref z = case_stored(c, y), in[] = {y, z, x};
    return graph_add(c->g, OP_concat, 3, in, NULL, NULL, (Span){0}, NULL);
}

static Ref chain_join(Case *c, Ref a, Ref b) {
    return graph_add(c->g, OP_concat, 2, (Ref[]){a, b}, NULL, NULL, (Span){0}, NULL);
}

static Ref chain_slice(Case *c, Ref x, int32_t from, int32_t count) {
    Attr attr = {.slice = {from, count}};
    return case_op1(c, OP_slice, x, &attr);
}

/* Branches that are written where their join has them: with a halo that only one of them needs, read by others too,
 * joined twice in one and in several tensors, an output; the last one fills no block. */
static Ref build_joined(Case *c, int i) {
    Ref x = chain_x(c, i), a = chain_relu(c, chain_conv(c, x, 32, 1)), b = chain_bias(c, chain_conv(c, x, 16, 1));
    Ref d = chain_conv(c, a, i % 2 ? 16 : 5, 1), ab = chain_join(c, a, b), aba = chain_join(c, ab, a);
    Ref all = chain_join(c, aba, d), twice = chain_join(c, b, b);
    case_output(c, chain_relu(c, chain_conv(c, ab, 7, 1)));
    case_output(c, i < N_CHAIN_SHAPES ? ab : b);
    case_output(c, case_op2(c, OP_add, twice, chain_relu(c, twice), NULL));
    return case_op2(c, OP_mul, all, chain_relu(c, chain_join(c, aba, chain_relu(c, d))), NULL);
}

/* As gradients of joins: slices that are read where they are, also with padding, and joined again. */
static Ref build_sliced(Case *c, int i) {
    Ref x = chain_relu(c, chain_conv(c, chain_x(c, i), i % 2 ? 48 : 40, 1)), low = chain_slice(c, x, 0, 16);
    Ref high = chain_slice(c, x, 16, type_channels(case_type(c, x)) - 16), part = chain_slice(c, high, 16, 5);
    case_output(c, chain_conv(c, high, 5, 1));
    case_output(c, i < N_CHAIN_SHAPES ? low : chain_relu(c, low));
    case_output(c, case_op2(c, OP_add, chain_relu(c, high), high, NULL));
    return chain_join(c, chain_join(c, low, chain_relu(c, low)), chain_join(c, high, part));
}

/* As in a densely connected net: the sum of a tensor and what a part of it gives must not take the tensor's place. */
static Ref build_part_and_whole(Case *c, int i) {
    Ref x = chain_x(c, i), a = chain_relu(c, chain_conv(c, x, 16, 1)), b = chain_relu(c, chain_conv(c, a, 16, 1));
    Ref ab = chain_join(c, a, b), y = case_op2(c, OP_add, chain_conv(c, b, 32, 1), ab, NULL);
    Ref low = chain_bias(c, chain_slice(c, y, 0, 16)), high = chain_relu(c, chain_slice(c, y, 16, 16));
    return chain_join(c, high, case_op2(c, OP_mul, low, chain_slice(c, y, 0, 16), NULL));
}

/* ---- nodes taken by chance --------------------------------------------------------------------------------------- */

static Ref random_weights(Case *c, Ref conv) {
    Ref w = graph_node(c->g, conv)->in[1];
    graph_node(c->g, w)->attr.param.init = INIT_HE;
    return conv;
}

static Ref random_pool(Case *c, Op op, Ref x) {
    Attr attr = {.pool = {.kernel = {3, 3}, .stride = {1, 1}, .pad = {1, 1, 1, 1}, .count_pad = true}};
    return case_op1(c, op, x, &attr);
}

/* Two halves change places. */
static Ref random_swap(Case *c, Ref x) {
    int32_t n = type_channels(case_type(c, x)), half = n / 2;
    if (half == 0) return chain_relu(c, x);
    Attr low = {.slice = {0, half}}, high = {.slice = {half, n - half}};
    Ref in[] = {case_op1(c, OP_slice, x, &high), case_op1(c, OP_slice, x, &low)};
    return graph_add(c->g, OP_concat, 2, in, NULL, NULL, (Span){0}, NULL);
}

static Ref random_node(Case *c, int kind, Ref x, Ref y) {
    int32_t channels = type_channels(case_type(c, x));
    Attr one = {.conv = CONV(1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1)}, lrn = lrn_attr(3);
    const int32_t dim[] = {channels, channels, 1, 1};
    switch (kind) {
    case 0:
    case 1: return case_op2(c, OP_add, x, y, NULL);
    case 2: return case_op2(c, OP_sub, x, y, NULL);
    case 3: return case_op2(c, OP_mul, x, case_op1(c, OP_softmax, y, NULL), NULL);
    case 4: return chain_relu(c, x);
    case 5: return case_op1(c, OP_swish, x, NULL);
    case 6: return chain_bias(c, x);
    case 7: return chain_dropout(c, x);
    case 8: return chain_scale(c, x, 0.5, 1);
    case 9: return case_bn(c, x, 1e-5);
    case 10: return random_weights(c, chain_conv(c, x, channels, 1));
    case 11: return random_weights(c, case_op2(c, OP_conv, x, case_param(c, "", PARAM_WEIGHT, 4, dim), &one));
    case 12: return random_weights(c, chain_conv(c, x, channels, channels));
    case 13: return random_pool(c, OP_maxpool, x);
    case 14: return random_pool(c, OP_avgpool, x);
    case 15: return case_op2(c, OP_relu_grad, x, y, NULL);
    case 16: return case_op1(c, OP_lrn, x, &lrn);
    case 17: return case_op2(c, OP_sub, x, case_op1(c, OP_mean, x, NULL), NULL);
    default: return random_swap(c, x);
    }
}

/* Twenty nodes on tensors of one shape, the younger the more often read; every fifth is an output. */
static Ref build_random(Case *c, int i) {
    enum { NODES = 20, KINDS = 19 };
    Ref made[NODES + 1] = {chain_x(c, i)};
    for (int k = 1; k <= NODES; k++) {
        double where[2], far = 1.0 / 3;
        for (int d = 0; d < 2; d++) where[d] = pow(lab_uniform((uint64_t)i + 1, (uint64_t)(3 * k + d)), far) * k;
        int kind = (int)(KINDS * lab_uniform((uint64_t)i + 1, (uint64_t)(3 * k + 2)));
        made[k] = random_node(c, kind, made[(int)where[0]], made[(int)where[1]]);
        if (k % 5 == 0 && k < NODES) case_output(c, made[k]);
    }
    return made[NODES];
}

/* As in a mobile net: clip behind convolutions of every kind; and what is not a number comes through. */
static Ref build_clipped(Case *c, int i) {
    Attr relu6 = {.clip = {0, 6}}, narrow = {.clip = {-0.1, 0.2}};
    Ref x = case_op1(c, OP_clip, case_bn(c, chain_conv(c, chain_x(c, i), 32, 1), 1e-5), &relu6);
    x = case_op1(c, OP_clip, case_bn(c, chain_conv(c, x, 32, 32), 1e-5), &narrow);
    case_output(c, case_op1(c, OP_clip, case_op1(c, OP_rsqrt, x, NULL), &narrow));
    return case_op2(c, OP_clip_grad, chain_conv(c, x, 32, 1), x, &narrow);
}

/* Activations that read their operand many times, one behind the other in one kernel, and their gradients, which are
 * the operators that follow them. */
static Ref build_curved(Case *c, int i) {
    static const Op ops[] = {OP_swish, OP_gelu, OP_hswish, OP_gelu_tanh, OP_sigmoid, OP_tanh, OP_hsigmoid};
    Ref first = case_bn(c, chain_conv(c, chain_x(c, i), 20, 1), 1e-5), x = first;
    for (int k = 0; k < ARRAY_LEN(ops); k++) x = case_op1(c, ops[k], x, NULL);
    x = case_op1(c, OP_swish, case_bn(c, chain_conv(c, x, 20, 20), 1e-5), NULL);
    case_output(c, x);
    Ref dx = chain_conv(c, x, 20, 1);
    for (int k = 0; k < 3; k++) dx = case_op2(c, (Op)(ops[k] + 1), dx, k ? first : x, NULL);
    return case_op2(c, OP_add, dx, first, NULL);
}

/* Roots of numbers a fifth of which are negative: a window that holds something that is not a number gives just that.
 * (Of numbers near zero they would be inexact.) */
static Ref build_not_numbers(Case *c, int i) {
    Attr shift = {.scale = {.alpha = 1, .beta = 0.6}}, pool = {.pool = pools[i].a}, low = {.clip = {0, 5}};
    Ref roots = case_op1(c, OP_clip, case_op1(c, OP_rsqrt, case_op1(c, OP_scale, pool_x(c, i), &shift), NULL), &low);
    return case_op1(c, OP_maxpool, case_stored(c, roots), &pool);
}

/* Convolutions of which a kernel takes bands of rows, where the cache is small: what begins (kernel 1 or 3, 0:
 * nothing), the window, what ends (0: nothing), and whether the input is added in the end. */
static const struct BandShape {
    int32_t n, c, h, w, hidden, begin, end;
    ConvAttr window;
    bool residual;
} band_shapes[] = {
    {1, 5, 12, 40, 32, 1, 5, CONV(3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1), true},
    {2, 3, 20, 43, 20, 1, 3, CONV(3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1), true},
    {1, 3, 24, 44, 17, 3, 9, CONV(3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1), false},
    {1, 8, 16, 31, 32, 1, 0, CONV(3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1), false},
    {1, 32, 12, 39, 0, 0, 7, CONV(3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1), false},
    {1, 2, 15, 45, 30, 1, 7, CONV(5, 3, 1, 1, 1, 1, 2, 2, 0, 2, 1), false},
    {2, 2, 21, 36, 32, 1, 5, CONV(3, 3, 1, 1, 2, 2, 3, 2, 2, 2, 1), false},
    {1, 2, 30, 38, 32, 1, 20, CONV(3, 3, 3, 2, 1, 1, 0, 0, 0, 0, 1), false},
    {2, 6, 7, 7, 70, 1, 0, CONV(3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1), false}, /* the whole picture, by groups of blocks */
    {1, 5, 4, 31, 32, 1, 0, CONV(1, 2, 4, 2, 1, 1, 0, 0, 0, 0, 1), false}, /* of which one row is read */
};
enum { N_BAND_SHAPES = ARRAY_LEN(band_shapes), BAND_CACHE = 60 << 10 };

static Ref band_point(Case *c, Ref x, int32_t outputs, int32_t kernel) {
    int32_t pad = kernel / 2;
    Attr attr = {.conv = CONV(kernel, kernel, 1, 1, 1, 1, pad, pad, pad, pad, 1)};
    const int32_t dim[] = {outputs, type_channels(case_type(c, x)), kernel, kernel};
    return chain_bias(c, case_op2(c, OP_conv, x, case_param(c, "", PARAM_WEIGHT, 4, dim), &attr));
}

static Ref band_window(Case *c, Ref x, const ConvAttr *window, Op activation) {
    Attr attr = {.conv = *window};
    attr.conv.groups = type_channels(case_type(c, x));
    const int32_t dim[] = {attr.conv.groups, 1, window->kernel[0], window->kernel[1]};
    Ref y = chain_bias(c, case_op2(c, OP_conv, x, case_param(c, "", PARAM_WEIGHT, 4, dim), &attr));
    return case_op1(c, activation, y, NULL);
}

static Ref build_bands(Case *c, int i) {
    const struct BandShape *s = &band_shapes[i];
    c->n = s->n;
    Ref x = case_stored(c, case_image(c, s->c, s->h, s->w)), y = x;
    if (s->begin) y = case_op1(c, i % 2 ? OP_sigmoid : OP_relu, band_point(c, x, s->hidden, s->begin), NULL);
    y = band_window(c, y, &s->window, i % 3 ? OP_relu : OP_swish);
    if (s->end) y = band_point(c, y, s->end, 1);
    return s->residual ? case_op2(c, OP_add, y, x, NULL) : y;
}

/* Depthwise and pointwise convolutions in turn: each pointwise one may end a chain or begin one. */
static Ref build_band_series(Case *c, int i) {
    Ref y = chain_relu(c, band_point(c, case_stored(c, case_image(c, 3, 24, 60)), 16, 1));
    for (int k = 0; k < 2 + i; k++) y = chain_relu(c, band_point(c, band_window(c, y, &band_shapes[0].window, OP_relu), 16, 1));
    return y;
}

/* Maximum poolings of what a convolution makes, by bands of rows where the cache is small: of one kernel and width that
 * are alike, so that the sum of convolution and input, both as large as the result, must not take the input's place.
 * Numbers below zero, and none at all, where rows beyond the picture count as nothing. */
static const struct PoolBandShape {
    int32_t n, c, h, w, hidden, begin;
    PoolAttr pool;
    Op activation;
    bool residual;
} pool_band_shapes[] = {
    {1, 3, 24, 44, 32, 3, {.kernel = {3, 3}, .stride = {2, 2}, .pad = {1, 1, 1, 1}}, OP_scale, false},
    {1, 3, 25, 43, 64, 3, {.kernel = {3, 3}, .stride = {2, 2}, .ceil = true}, OP_relu, false},
    {1, 16, 24, 40, 16, 1, {.kernel = {3, 3}, .stride = {1, 1}, .pad = {1, 1, 1, 1}}, OP_relu, true},
    {2, 32, 12, 40, 32, 3, {.kernel = {3, 3}, .stride = {1, 1}, .pad = {1, 1, 1, 1}}, OP_scale, true},
    {2, 5, 20, 30, 20, 1, {.kernel = {2, 2}, .stride = {2, 2}}, OP_rsqrt, false},
    {1, 4, 30, 33, 17, 3, {.kernel = {5, 3}, .stride = {3, 2}, .pad = {2, 2, 0, 1}}, OP_scale, false},
    {1, 6, 26, 35, 33, 1, {.kernel = {3, 2}, .stride = {2, 3}, .pad = {0, 1, 1, 0}, .ceil = true}, OP_rsqrt, false},
    {3, 7, 7, 7, 70, 1, {.kernel = {3, 3}, .stride = {2, 2}, .pad = {1, 1, 1, 1}}, OP_scale, false},
    {1, 4, 5, 31, 32, 1, {.kernel = {1, 2}, .stride = {4, 2}}, OP_scale, false},
};
enum { N_POOL_BAND_SHAPES = ARRAY_LEN(pool_band_shapes) };

static Ref build_pool_bands(Case *c, int i) {
    const struct PoolBandShape *s = &pool_band_shapes[i];
    Attr pool = {.pool = s->pool}, below = {.scale = {.alpha = -1, .beta = -1}}, some = {.clip = {0, 5}};
    c->n = s->n;
    Ref x = case_stored(c, case_image(c, s->c, s->h, s->w)), y = band_point(c, x, s->hidden, s->begin);
    if (s->residual) y = case_op2(c, OP_add, band_point(c, case_stored(c, y), s->hidden, s->begin), x, NULL);
    y = case_op1(c, s->activation, y, s->activation == OP_scale ? &below : NULL);
    if (s->activation == OP_rsqrt) y = case_op1(c, OP_clip, y, &some);
    y = case_op1(c, OP_maxpool, y, &pool);
    return chain_relu(c, chain_bias(c, y));
}

static const struct Chain {
    const char *name;
    Build *build;
    int n;
} chains[] = {
    {"residual", build_residual, N_CHAIN_SHAPES},
    {"identity block", build_identity_block, N_CHAIN_SHAPES},
    {"all stored", build_all_stored, N_CHAIN_SHAPES},
    {"grouped", build_grouped, N_CHAIN_SHAPES},
    {"folded", build_folded, N_CHAIN_SHAPES},
    {"in place", build_in_place, 2 * N_CHAIN_SHAPES},
    {"in place residual", build_in_place_residual, N_CHAIN_SHAPES},
    {"fc gradient chain", build_fc_chain, 7},
    {"fc chain", build_fc_forward, 4},
    {"conv gradient chain", build_dgrad_chain, 6},
    {"headed", build_headed, 14},
    {"reduced", build_reduced, 10},
    {"batch norm", build_batch_norm, N_CHAIN_SHAPES},
    {"from the picture", build_from_picture, N_CHAIN_SHAPES},
    {"long sum", build_long_sum, N_CHAIN_SHAPES},
    {"crossed", build_crossed, N_CHAIN_SHAPES},
    {"joined", build_joined, 2 * N_CHAIN_SHAPES},
    {"sliced", build_sliced, 2 * N_CHAIN_SHAPES},
    {"part and whole", build_part_and_whole, N_CHAIN_SHAPES},
    {"shared memory", build_shared_memory, N_CHAIN_SHAPES},
    {"winograd", build_winograd, 4 * N_WINOGRADS},
    {"clipped", build_clipped, N_CHAIN_SHAPES},
    {"curved", build_curved, N_CHAIN_SHAPES},
    {"bands", build_bands, N_BAND_SHAPES},
    {"bands in turn", build_band_series, 2},
    {"bands that are pooled", build_pool_bands, N_POOL_BAND_SHAPES},
    {"not numbers", build_not_numbers, ARRAY_LEN(pools)},
    {"random", build_random, 12},
};

#endif
