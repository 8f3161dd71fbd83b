/* Every differentiable operator against central differences in double precision, then whole training graphs. The
 * operators are enumerated from ir/ops.def: one without cases fails. */
#include <CUnit/Basic.h>

#include "ir/unit.h"
#include "lab.h"
#include "passes/autodiff.h"
#include "passes/pass.h"

enum { MIN_CASES = 10, MAX_LEAVES = 16, MAX_PROBES = 60 };
static const double epsilon = 1e-6, absolute = 1e-5, relative = 1e-3;

/* The operands of one case. A leaf is an input or param with random numbers; its gradient is checked. */
typedef struct Lab {
    Graph *g;
    int64_t n; /* pictures */
    struct {
        Ref ref;
        Fill fill;
    } leaf[MAX_LEAVES];
    int n_leaf;
} Lab;

static Ref add_leaf(Lab *l, Ref ref, Fill fill) {
    l->leaf[l->n_leaf].ref = ref;
    l->leaf[l->n_leaf++].fill = fill;
    return ref;
}

static Ref pictures(Lab *l, int32_t c, int32_t h, int32_t w, Fill fill) {
    return add_leaf(l, lab_image(l->g, c, h, w), fill);
}

static Ref vectors(Lab *l, int32_t k, Fill fill) {
    Ref x = pictures(l, k, 1, 1, fill);
    return graph_op1(l->g, OP_flatten, x, NULL, x);
}

static Ref weights(Lab *l, int rank, const int32_t *dim, Fill fill) {
    return add_leaf(l, lab_param(l->g, name_format("w%d", l->n_leaf), PARAM_WEIGHT, rank, dim), fill);
}

static Ref per_channel(Lab *l, int32_t c, Fill fill) { return weights(l, 1, (const int32_t[]){c}, fill); }

/* Something of type t that is no leaf of the case: the random functional. */
static Ref functional(Graph *g, const Type *t) {
    Attr attr = {.shape = {type_make(DT_F32, t->rank, t->dim)}};
    if (!type_batched(t)) return lab_param(g, "dy", PARAM_BUFFER, t->rank, t->dim);
    Ref x = lab_image(g, (int32_t)type_elements(t), 1, 1);
    return graph_op1(g, OP_reshape, x, &attr, x);
}

/* Shapes for operators that take any: 1, 3, 7, 17 and 33 channels, single pixels, uneven sides, batches 1, 2, 5. */
typedef struct Shape {
    int32_t n, c, h, w;
} Shape;
static const Shape shapes[] = {{1, 1, 1, 1}, {2, 3, 5, 4},  {5, 7, 1, 1}, {1, 17, 3, 7}, {2, 33, 2, 2}, {5, 1, 6, 3},
                               {1, 7, 5, 1}, {2, 17, 1, 6}, {5, 3, 4, 4}, {1, 33, 3, 3}, {2, 1, 7, 2},  {1, 3, 11, 5}};
enum { N_SHAPES = ARRAY_LEN(shapes) };

static Ref any_pictures(Lab *l, int i, Fill fill) {
    l->n = shapes[i].n;
    return pictures(l, shapes[i].c, shapes[i].h, shapes[i].w, fill);
}

static Ref op1(Lab *l, Op op, Ref x, const Attr *attr) { return graph_op1(l->g, op, x, attr, x); }

/* n, c, h, w, outputs, kernel, stride, dilation, pad, groups. */
static const struct {
    int32_t n, c, h, w, o;
    ConvAttr a;
} convs[] = {
    {1, 1, 1, 1, 1, {{1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1, 0, 0, 0}},
    {2, 3, 7, 5, 7, {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1, 0, 0, 0}},
    {1, 7, 6, 9, 3, {{3, 1}, {2, 3}, {1, 1}, {0, 1, 0, 0}, 1, 0, 0, 0}},
    {5, 3, 4, 4, 1, {{4, 4}, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1, 0, 0, 0}},
    {1, 17, 3, 3, 17, {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 17, 0, 0, 0}},
    {2, 6, 7, 8, 4, {{2, 3}, {4, 1}, {1, 2}, {1, 0, 2, 1}, 2, 0, 0, 0}},
    {1, 33, 2, 2, 3, {{1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}, 3, 0, 0, 0}},
    {1, 3, 11, 10, 2, {{5, 5}, {4, 3}, {1, 1}, {2, 2, 2, 2}, 1, 0, 0, 0}},
    {5, 1, 5, 6, 3, {{3, 3}, {1, 1}, {2, 2}, {2, 2, 2, 2}, 1, 0, 0, 0}},
    {2, 4, 5, 5, 8, {{3, 3}, {2, 2}, {1, 1}, {0, 2, 1, 0}, 4, 0, 0, 0}},
    {1, 3, 9, 4, 33, {{2, 2}, {3, 2}, {3, 1}, {0, 0, 0, 1}, 1, 0, 0, 0}},
    {2, 7, 1, 13, 3, {{1, 7}, {1, 4}, {1, 1}, {0, 0, 3, 3}, 1, 0, 0, 0}},
    {1, 2, 3, 3, 2, {{3, 3}, {3, 3}, {1, 1}, {2, 2, 2, 2}, 2, 0, 0, 0}},
};

static Ref build_conv(Lab *l, int i) {
    Attr attr = {.conv = convs[i].a};
    l->n = convs[i].n;
    Ref x = pictures(l, convs[i].c, convs[i].h, convs[i].w, FILL_SIGNED);
    const int32_t dim[] = {convs[i].o, convs[i].c / attr.conv.groups, attr.conv.kernel[0], attr.conv.kernel[1]};
    return graph_op2(l->g, OP_conv, x, weights(l, 4, dim, FILL_SIGNED), &attr, x);
}

/* The weight as it is, or swapped; a result that is larger than the convolution needs where it may be. */
static Ref build_conv_dgrad(Lab *l, int i) {
    ConvAttr c = convs[i].a;
    l->n = convs[i].n;
    int32_t out[2];
    for (int d = 0; d < 2; d++) {
        int32_t size = (d ? convs[i].w : convs[i].h) + c.pad[2 * d] + c.pad[2 * d + 1];
        out[d] = (size - c.dilation[d] * (c.kernel[d] - 1) - 1) / c.stride[d] + 1;
    }
    c.in_c = convs[i].c, c.in_h = convs[i].h, c.in_w = convs[i].w;
    Attr attr = {.conv = c};
    Ref dy = pictures(l, convs[i].o, out[0], out[1], FILL_SIGNED);
    const int32_t dim[] = {convs[i].o, c.in_c / c.groups, c.kernel[0], c.kernel[1]};
    const int32_t swapped[] = {c.in_c, convs[i].o / c.groups, c.kernel[0], c.kernel[1]};
    Ref w = weights(l, 4, i % 2 ? swapped : dim, FILL_SIGNED);
    return graph_op2(l->g, OP_conv_dgrad, dy, i % 2 ? w : graph_op1(l->g, OP_swap_io, w, &attr, w), &attr, dy);
}

static Ref build_swap_io(Lab *l, int i) {
    Attr attr = {.conv = convs[i].a};
    const int32_t dim[] = {convs[i].o, convs[i].c / attr.conv.groups, attr.conv.kernel[0], attr.conv.kernel[1]};
    return op1(l, OP_swap_io, weights(l, 4, dim, FILL_SIGNED), &attr);
}

/* Odd cases take the pictures as they are, even ones vectors. */
static Ref build_fc(Lab *l, int i) {
    static const int32_t outputs[N_SHAPES] = {1, 3, 7, 17, 33, 2, 1, 5, 3, 4, 7, 3};
    Shape s = shapes[i];
    l->n = s.n;
    const int32_t dim[] = {outputs[i], i % 2 ? s.c : s.c * s.h, s.h, s.w};
    Ref x = i % 2 ? pictures(l, s.c, s.h, s.w, FILL_SIGNED) : vectors(l, s.c * s.h, FILL_SIGNED);
    return graph_op2(l->g, OP_fc, x, weights(l, i % 2 ? 4 : 2, dim, FILL_SIGNED), NULL, x);
}

/* x op y with y of x's shape, y a vector, x an unbatched weight with a vector, and both the same node. */
static Ref build_binary(Lab *l, Op op, int i) {
    Shape s = shapes[i % N_SHAPES];
    l->n = s.n;
    Ref x, y;
    if (i % 4 == 2) {
        x = weights(l, 4, (const int32_t[]){s.c, 2, s.h, s.w}, FILL_SIGNED);
        y = per_channel(l, s.c, FILL_SIGNED);
    } else {
        x = pictures(l, s.c, s.h, s.w, FILL_SIGNED);
        y = i % 4 == 0 ? pictures(l, s.c, s.h, s.w, FILL_SIGNED) : i % 4 == 1 ? per_channel(l, s.c, FILL_SIGNED) : x;
    }
    return graph_op2(l->g, op, x, y, NULL, x);
}

/* The rest: one number a plane, as [N,C] and as [N,C,1,1]; one for all. */
static Ref build_broadcast(Lab *l, Op op, int i) {
    if (i < 4 * N_SHAPES) return build_binary(l, op, i);
    Shape s = shapes[i % N_SHAPES];
    l->n = s.n;
    Ref x = pictures(l, s.c, s.h, s.w, FILL_SIGNED);
    Ref y = i % 3 == 0                   ? vectors(l, s.c, FILL_SIGNED)
            : i % 3 == 1 || op != OP_mul ? pictures(l, s.c, 1, 1, FILL_SIGNED)
                                         : per_channel(l, 1, FILL_SIGNED);
    return graph_op2(l->g, op, x, y, NULL, x);
}

static Ref build_add(Lab *l, int i) { return build_broadcast(l, OP_add, i); }
static Ref build_sub(Lab *l, int i) { return build_broadcast(l, OP_sub, i); }
static Ref build_mul(Lab *l, int i) { return build_broadcast(l, OP_mul, i); }

static Ref build_scale(Lab *l, int i) {
    Attr attr = {.scale = {0.7 * i - 2, 0.3, i % 2}};
    return op1(l, OP_scale, any_pictures(l, i, FILL_SIGNED), &attr);
}

static Ref build_rsqrt(Lab *l, int i) { return op1(l, OP_rsqrt, any_pictures(l, i, FILL_POSITIVE), NULL); }

/* Numbers that come no nearer than 0.005 to the kinks of any activation, many of them far out: odd multiples of 0.005,
 * times 1 or 25. */
static Ref build_act(Lab *l, Op op, int i) {
    Attr wide = {.scale = {.alpha = i % 2 ? 1 : 25}}, attr = lab_act_attr(op, i);
    Ref x = op1(l, OP_scale, any_pictures(l, i, FILL_SPACED), &wide);
    return op1(l, op, x, lab_attr_or_null(op, &attr));
}

#define ACT(id, ...) \
    static Ref build_##id(Lab *l, int i) { return build_act(l, OP_##id, i); }
#include "ir/acts.def"
#undef ACT

/* All five operands free; in every third case the statistics are those of x, as in training. */
static Ref build_bn(Lab *l, int i) {
    int32_t c = shapes[i].c;
    Attr attr = {.norm = {i % 2 ? 1e-5 : 0.1, 0.1, 0}};
    Ref x = any_pictures(l, i, FILL_SIGNED);
    bool batch = i % 3 == 1;
    Ref mean = batch ? op1(l, OP_mean, x, NULL) : per_channel(l, c, FILL_SIGNED);
    Ref var = batch ? op1(l, OP_var, x, NULL) : per_channel(l, c, FILL_POSITIVE);
    Ref in[] = {x, mean, var, per_channel(l, c, FILL_SIGNED), per_channel(l, c, FILL_SIGNED)};
    return graph_add(l->g, OP_bn, 5, in, &attr, NULL, (Span){0}, NULL);
}

/* Of runs of one picture, two or three, as pass specialise makes them. */
static Ref build_ghost_bn(Lab *l, int i) {
    int32_t c = shapes[i].c;
    Attr attr = {.norm = {i % 2 ? 1e-5 : 0.1, 0.1, 1 + i % 3}}, run = {.ghost = {1 + i % 3}};
    Ref x = any_pictures(l, i, FILL_SIGNED);
    if (i % 4 == 2) x = op1(l, OP_flatten, x, NULL);
    bool planes = graph_node(l->g, x)->type.rank == 4;
    if (!planes) c = type_channels(&graph_node(l->g, x)->type);
    Ref own = planes ? op1(l, OP_plane_mean, x, NULL) : x, mean = op1(l, OP_ghost_mean, own, &run);
    Ref off = graph_op2(l->g, OP_sub, own, mean, NULL, x), square = graph_op2(l->g, OP_mul, off, off, NULL, x);
    if (planes) square = graph_op2(l->g, OP_add, square, op1(l, OP_plane_var, x, NULL), NULL, x);
    Ref var = op1(l, OP_ghost_mean, square, &run);
    Ref in[] = {x, mean, var, per_channel(l, c, FILL_SIGNED), per_channel(l, c, FILL_SIGNED)};
    return graph_add(l->g, OP_bn, 5, in, &attr, NULL, (Span){0}, NULL);
}

static Ref build_any_bn(Lab *l, int i) { return i < N_SHAPES ? build_bn(l, i) : build_ghost_bn(l, i - N_SHAPES); }

static Ref build_dropout(Lab *l, int i) {
    Attr attr = {.dropout = {0.1 * (i % 8), i, i % 4 == 3}};
    return op1(l, OP_dropout, any_pictures(l, i, FILL_SIGNED), &attr);
}

static const struct {
    Shape s;
    PoolAttr a;
} pools[] = {
#include "pool_shapes.def"
    {.s = {2, 3, 7, 9}, .a = {.kernel = {4, 3}, .stride = {1, 1}, .to = {2, 4}}}, /* windows that share the plane out */
    {.s = {1, 2, 3, 10}, .a = {.kernel = {2, 3}, .stride = {1, 1}, .to = {5, 7}}},
};

static Ref build_pool(Lab *l, Op op, int i) {
    Attr attr = {.pool = pools[i].a};
    Shape s = pools[i].s;
    l->n = s.n;
    return op1(l, op, pictures(l, s.c, s.h, s.w, FILL_SPACED), &attr);
}

static Ref build_maxpool(Lab *l, int i) { return build_pool(l, OP_maxpool, i); }
static Ref build_avgpool(Lab *l, int i) { return build_pool(l, OP_avgpool, i); }

static Ref build_pad(Lab *l, int i) {
    static const int32_t pads[N_SHAPES][4] = {{1, 0, 2, 0},  {1, 2, 3, 0},  {0, 0, 0, 2},   {-1, 1, -2, 2},
                                              {-1, 0, 0, -1}, {2, -5, 1, 1}, {-2, -2, 1, 0}, {0, 0, -2, -3},
                                              {-1, -1, -1, -1}, {5, 5, 5, 5}, {-3, 9, 0, -1}, {1, 1, -4, 1}};
    Attr attr = {.pad = {.value = 0.5 * (i % 3)}};
    memcpy(attr.pad.pad, pads[i], sizeof pads[i]);
    return op1(l, OP_pad, any_pictures(l, i, FILL_SIGNED), &attr);
}

/* To smaller and larger sizes, multiples and not, one pixel. */
static Ref build_resize(Lab *l, int i) {
    static const int32_t to[N_SHAPES][2] = {{3, 2}, {10, 8}, {4, 4}, {9, 21}, {5, 3}, {1, 1},
                                            {10, 2}, {2, 4}, {7, 5}, {3, 9}, {14, 6}, {6, 13}};
    Shape s = shapes[i % N_SHAPES];
    Attr attr = {.resize = {{s.h, s.w}, {to[i % N_SHAPES][0], to[i % N_SHAPES][1]}, i >= N_SHAPES, i >= 2 * N_SHAPES}};
    return op1(l, OP_resize, any_pictures(l, i % N_SHAPES, FILL_SIGNED), &attr);
}

static Ref build_lrn(Lab *l, int i) {
    Attr attr = {.lrn = {1 + i % 6, 0.5 + 0.1 * i, 0.75, 1 + i % 2}};
    return op1(l, OP_lrn, any_pictures(l, i, FILL_SIGNED), &attr);
}

static Ref build_layer_norm(Lab *l, int i) {
    Attr attr = {.eps = {i % 2 ? 1e-5 : 0.1}};
    Ref x = any_pictures(l, i, FILL_SIGNED);
    if (i % 3 == 2) x = op1(l, OP_flatten, x, NULL);
    int32_t c = type_channels(&graph_node(l->g, x)->type);
    Ref gamma = per_channel(l, c, FILL_SIGNED), beta = per_channel(l, c, FILL_SIGNED);
    return graph_op3(l->g, OP_layer_norm, x, gamma, beta, &attr, x);
}

/* One group, groups of a channel, and what divides the channels. */
static int32_t norm_groups(int i, int32_t channels) {
    int32_t groups = i % 3 == 0 ? 1 : i % 3 == 1 ? channels : channels / 2 + 1;
    while (channels % groups) groups--;
    return groups;
}

static Ref build_group_norm(Lab *l, int i) {
    Ref x = any_pictures(l, i, FILL_SIGNED);
    if (i % 4 == 3) x = op1(l, OP_flatten, x, NULL);
    int32_t c = type_channels(&graph_node(l->g, x)->type);
    Attr attr = {.groups = {i % 2 ? 1e-5 : 0.1, norm_groups(i, c)}};
    Ref gamma = per_channel(l, c, FILL_SIGNED), beta = per_channel(l, c, FILL_SIGNED);
    return graph_op3(l->g, OP_group_norm, x, gamma, beta, &attr, x);
}

static Ref build_flatten(Lab *l, int i) { return op1(l, OP_flatten, any_pictures(l, i, FILL_SIGNED), NULL); }

static Ref build_reshape(Lab *l, int i) {
    Shape s = shapes[i];
    Attr attr = {.shape = {lab_type(4, (const int32_t[]){BATCH, s.w, s.c, s.h})}};
    return op1(l, OP_reshape, op1(l, OP_flatten, any_pictures(l, i, FILL_SIGNED), NULL), &attr);
}

/* One to four tensors; in every third case the first comes twice. */
static Ref build_concat(Lab *l, int i) {
    Shape s = shapes[i];
    Ref in[5];
    int n = 1 + i % 4;
    l->n = s.n;
    for (int k = 0; k < n; k++) in[k] = pictures(l, s.c + 2 * k, s.h, s.w, FILL_SIGNED);
    if (i % 3 == 0) in[n++] = in[0];
    return graph_add(l->g, OP_concat, n, in, NULL, NULL, (Span){0}, NULL);
}

static Ref build_slice(Lab *l, int i) {
    int32_t c = shapes[i].c;
    Attr attr = {.slice = {c / 3, c - c / 3 - c / 4}};
    return op1(l, OP_slice, any_pictures(l, i, FILL_SIGNED), &attr);
}

static Ref build_pad_channels(Lab *l, int i) {
    Attr attr = {.slice = {i % 3, shapes[i].c + i % 3 + i % 2}};
    return op1(l, OP_pad_channels, any_pictures(l, i, FILL_SIGNED), &attr);
}

static Ref build_channel_shuffle(Lab *l, int i) {
    static const int32_t groups[N_SHAPES] = {1, 3, 7, 17, 3, 1, 1, 17, 3, 11, 1, 3};
    Attr attr = {.shuffle = {groups[i]}};
    return op1(l, OP_channel_shuffle, any_pictures(l, i, FILL_SIGNED), &attr);
}

/* Reductions take pictures, or in every fourth case an unbatched weight. */
static Ref build_reduction(Lab *l, Op op, int i) {
    Shape s = shapes[i];
    if (i % 4 != 3) return op1(l, op, any_pictures(l, i, FILL_SIGNED), NULL);
    l->n = s.n;
    return op1(l, op, weights(l, 4, (const int32_t[]){s.c, s.h, s.w, 2}, FILL_SIGNED), NULL);
}

static Ref build_mean(Lab *l, int i) { return build_reduction(l, OP_mean, i); }
static Ref build_var(Lab *l, int i) { return build_reduction(l, OP_var, i); }
static Ref build_channel_sum(Lab *l, int i) { return build_reduction(l, OP_channel_sum, i); }

static Ref build_spread(Lab *l, int i) {
    Shape s = shapes[i];
    l->n = s.n;
    Attr attr = {.shape = {lab_type(4, (const int32_t[]){BATCH, s.c, s.h, s.w})}};
    if (i % 4 == 3) attr.shape.type = lab_type(3, (const int32_t[]){s.c, s.h, s.w});
    return op1(l, OP_spread, per_channel(l, s.c, FILL_SIGNED), &attr);
}

static Ref build_softmax(Lab *l, int i) {
    Ref x = any_pictures(l, i, FILL_SIGNED);
    return op1(l, OP_softmax, i % 2 ? x : op1(l, OP_flatten, x, NULL), NULL);
}

static Ref build_log_softmax(Lab *l, int i) {
    Ref x = any_pictures(l, i, FILL_SIGNED);
    return op1(l, OP_log_softmax, i % 2 ? x : op1(l, OP_flatten, x, NULL), NULL);
}

static Ref build_loss(Lab *l, Op op, int i) {
    static const int32_t classes[N_SHAPES] = {1, 3, 7, 17, 33, 2, 10, 5, 3, 4, 100, 3};
    Attr attr = lab_loss_attr(op, i);
    bool entropy = op == OP_cross_entropy, map = i >= N_SHAPES;
    l->n = shapes[i % N_SHAPES].n;
    Ref x = map ? any_pictures(l, i % N_SHAPES, FILL_SIGNED) : vectors(l, classes[i], FILL_SIGNED);
    if (op == OP_hinge) x = graph_op2(l->g, OP_add, x, x, NULL, x);   /* so that some lie beyond the margins */
    Ref in[4] = {x, lab_labels(l->g, x)};
    int n = entropy ? lab_class_operands(l->g, in, 2, map && i % 3 != 2, i % 3 == 1) : 2;
    return graph_add(l->g, op, n, in, lab_attr_or_null(op, &attr), NULL, (Span){0}, NULL);
}

/* Vectors, then maps; with and without weights of classes. */
static Ref build_cross_entropy(Lab *l, int i) { return build_loss(l, OP_cross_entropy, i); }
#define LOSS(id, ...) \
    static Ref build_##id(Lab *l, int i) { return build_loss(l, OP_##id, i); }
#include "ir/losses.def"
#undef LOSS

typedef Ref Build(Lab *l, int i);
static const struct {
    Build *build;
    int n;
} cases[OP_COUNT] = {
    [OP_conv] = {build_conv, ARRAY_LEN(convs)},
    [OP_conv_dgrad] = {build_conv_dgrad, ARRAY_LEN(convs)},
    [OP_swap_io] = {build_swap_io, ARRAY_LEN(convs)},
    [OP_fc] = {build_fc, N_SHAPES},
    [OP_add] = {build_add, 6 * N_SHAPES},
    [OP_sub] = {build_sub, 6 * N_SHAPES},
    [OP_mul] = {build_mul, 6 * N_SHAPES},
    [OP_scale] = {build_scale, N_SHAPES},
    [OP_rsqrt] = {build_rsqrt, N_SHAPES},
#define ACT(id, ...) [OP_##id] = {build_##id, N_SHAPES},
#include "ir/acts.def"
#undef ACT
    [OP_bn] = {build_any_bn, 2 * N_SHAPES},
    [OP_dropout] = {build_dropout, N_SHAPES},
    [OP_maxpool] = {build_maxpool, ARRAY_LEN(pools)},
    [OP_avgpool] = {build_avgpool, ARRAY_LEN(pools)},
    [OP_pad] = {build_pad, N_SHAPES},
    [OP_resize] = {build_resize, 3 * N_SHAPES},
    [OP_lrn] = {build_lrn, N_SHAPES},
    [OP_layer_norm] = {build_layer_norm, N_SHAPES},
    [OP_group_norm] = {build_group_norm, N_SHAPES},
    [OP_flatten] = {build_flatten, N_SHAPES},
    [OP_reshape] = {build_reshape, N_SHAPES},
    [OP_concat] = {build_concat, N_SHAPES},
    [OP_slice] = {build_slice, N_SHAPES},
    [OP_pad_channels] = {build_pad_channels, N_SHAPES},
    [OP_channel_shuffle] = {build_channel_shuffle, N_SHAPES},
    [OP_mean] = {build_mean, N_SHAPES},
    [OP_var] = {build_var, N_SHAPES},
    [OP_channel_sum] = {build_channel_sum, N_SHAPES},
    [OP_spread] = {build_spread, N_SHAPES},
    [OP_softmax] = {build_softmax, N_SHAPES},
    [OP_log_softmax] = {build_log_softmax, N_SHAPES},
    [OP_cross_entropy] = {build_cross_entropy, 2 * N_SHAPES},
#define LOSS(id, ...) [OP_##id] = {build_##id, N_SHAPES},
#include "ir/losses.def"
#undef LOSS
};

static void set_leaf(RefRun *r, const Lab *l, int k) {
    int64_t count = ref_count(r, l->leaf[k].ref);
    for (int64_t i = 0; i < count; i++)
        ref_set(r, l->leaf[k].ref, i, lab_number(l->leaf[k].fill, (uint64_t)k + 11, i, count));
}

static RefRun *new_run(const Lab *l, const Graph *g) {
    RefRun *r = ref_new(g->arena, g, l->n, true);
    r->key[0] = 5;
    lab_set_leaves(r, 0);
    for (int k = 0; k < l->n_leaf; k++) set_leaf(r, l, k);
    return r;
}

static double dot(const RefRun *r, Ref y, Ref dy) {
    double sum = 0;
    for (int64_t i = 0; i < ref_count(r, y); i++) sum += ref_get(r, y, i) * ref_get(r, dy, i);
    return sum;
}

/* The functional's slope in element i of the leaf. */
static double slope(RefRun *r, Ref leaf, int64_t i, Ref y, Ref dy) {
    double x = ref_get(r, leaf, i);
    ref_set(r, leaf, i, x + epsilon);
    ref_run(r);
    double up = dot(r, y, dy);
    ref_set(r, leaf, i, x - epsilon);
    ref_run(r);
    double down = dot(r, y, dy);
    ref_set(r, leaf, i, x);
    return (up - down) / (2 * epsilon);
}

static bool near(double a, double b) { return fabs(a - b) <= absolute + relative * fabs(b); }

/* Element i of at most MAX_PROBES that are spread over the leaf. */
static bool check_leaf(RefRun *forward, const RefRun *whole, Ref leaf, Ref grad, Ref y, Ref dy) {
    int64_t count = ref_count(forward, leaf), probes = min_i64(count, MAX_PROBES);
    for (int64_t p = 0; p < probes; p++) {
        int64_t i = p * count / probes;
        double want = slope(forward, leaf, i, y, dy), got = grad ? ref_get(whole, grad, i) : 0;
        if (near(got, want)) continue;
        printf("\n  leaf %%%u[%lld]: gradient %.9g, difference quotient %.9g ", leaf, (long long)i, got, want);
        return false;
    }
    return true;
}

static bool check_case(Arena *a, Build *build, int i) {
    Lab l = {.g = graph_new(a, name_of("lab")), .n = 1};
    Ref y = build(&l, i), dy = functional(l.g, &graph_node(l.g, y)->type);
    RefRun *forward = new_run(&l, graph_clone(a, l.g));
    bool *wanted = NEW_ARRAY(a, bool, l.g->n_node);
    for (int k = 0; k < l.n_leaf; k++) wanted[l.leaf[k].ref] = true;
    const Ref *grad = graph_gradients(l.g, y, dy, wanted);
    RefRun *whole = new_run(&l, l.g);
    ref_run(whole);
    bool good = true;
    for (int k = 0; k < l.n_leaf; k++) good &= check_leaf(forward, whole, l.leaf[k].ref, grad[l.leaf[k].ref], y, dy);
    return good;
}

#define DIFF true
#define NODIFF false
#define OP(id, diff, ...) [OP_##id] = diff,
static const bool differentiable[OP_COUNT] = {
#include "ir/ops.def"
};
#undef OP
#undef DIFF
#undef NODIFF

static void test_operators(void) {
    for (int op = 1; op < OP_COUNT; op++) {
        if (!differentiable[op]) continue;
        if (cases[op].n < MIN_CASES) printf("\n  %s has %d cases, needs %d ", op_info[op].name, cases[op].n, MIN_CASES);
        CU_ASSERT(cases[op].n >= MIN_CASES);
        for (int i = 0; i < cases[op].n; i++) {
            Arena *a = arena_new();
            bool good = check_case(a, cases[op].build, i);
            if (!good) printf("\n  %s, case %d", op_info[op].name, i);
            CU_ASSERT(good);
            arena_free(a);
        }
    }
}

/* Whole nets. */

static Unit *new_unit(Arena *a) {
    static const Options options = {.max_batch = 4};
    Unit *u = NEW(a, Unit);
    *u = (Unit){.arena = a, .diags = diag_new(a), .opt = &options, .name = name_of("lab")};
    u->net = graph_new(a, u->name);
    u->train = (TrainConfig){.present = true, .batch = 5, .n_loss = 1, .loss = NEW(a, LossTerm), .optimizer = OP_sgd};
    u->train.loss[0] = (LossTerm){.weight = 1, .op = OP_cross_entropy};
    return u;
}

static Ref weight(Unit *u, const char *name, bool frozen, int rank, const int32_t *dim) {
    Ref w = lab_param(u->net, name, PARAM_WEIGHT, rank, dim);
    graph_node(u->net, w)->attr.param.frozen = frozen;
    return w;
}

static Ref add_conv(Unit *u, Ref x, const char *name, int32_t outputs, bool frozen) {
    int32_t inputs = type_channels(&graph_node(u->net, x)->type);
    Attr attr = {.conv = {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1, 0, 0, 0}};
    Ref w = weight(u, name_format("%s.weight", name), frozen, 4, (const int32_t[]){outputs, inputs, 3, 3});
    return graph_op2(u->net, OP_conv, x, w, &attr, x);
}

static Ref add_bn(Unit *u, Ref x, const char *name, bool frozen) {
    const int32_t c[] = {type_channels(&graph_node(u->net, x)->type)};
    Attr attr = {.norm = {1e-5, 0.1, 0}};
    Ref in[] = {x, lab_param(u->net, name_format("%s.running_mean", name), PARAM_BUFFER, 1, c),
                lab_param(u->net, name_format("%s.running_var", name), PARAM_BUFFER, 1, c),
                weight(u, name_format("%s.weight", name), frozen, 1, c),
                weight(u, name_format("%s.bias", name), frozen, 1, c)};
    Ref bn = graph_add(u->net, OP_bn, 5, in, &attr, name_of(name), (Span){0}, NULL);
    graph_node(u->net, bn)->frozen = frozen;
    return bn;
}

/* A frozen conv-bn, then conv-bn-relu-maxpool-dropout-fc with a second loss half way. */
static void make_net(Unit *u) {
    Graph *g = u->net;
    Attr pool = {.pool = {.kernel = {3, 2}, .stride = {2, 2}, .pad = {1, 0, 0, 1}}}, drop = {.dropout = {0.3, 1, false}};
    Ref x = u->image = lab_image(g, 3, 7, 9);
    x = add_bn(u, add_conv(u, x, "conv1", 4, true), "bn1", true);
    x = add_bn(u, add_conv(u, x, "conv2", 5, false), "bn2", false);
    x = graph_op1(g, OP_maxpool, graph_op1(g, OP_relu, x, NULL, x), &pool, x);
    Ref skip = add_bn(u, add_conv(u, x, "conv3", 5, false), "bn3", false);
    x = graph_op2(g, OP_add, x, skip, NULL, x);
    Ref flat = graph_op1(g, OP_dropout, graph_op1(g, OP_flatten, x, NULL, x), &drop, x);
    int32_t length = type_channels(&graph_node(g, flat)->type);
    Ref logits = graph_op2(g, OP_fc, flat, weight(u, "fc.weight", false, 2, (const int32_t[]){4, length}), NULL, flat);
    logits = graph_op2(g, OP_add, logits, weight(u, "fc.bias", false, 1, (const int32_t[]){4}), NULL, flat);
    Ref aux = graph_op2(g, OP_fc, flat, weight(u, "aux.weight", true, 2, (const int32_t[]){3, length}), NULL, flat);
    graph_output(g, name_of("logits"), logits, ONLY_BOTH);
    graph_output(g, name_of("aux"), aux, ONLY_TRAIN);
    u->train.loss = NEW_ARRAY(u->arena, LossTerm, 2);
    u->train.loss[0] = (LossTerm){.weight = 1, .logits = logits, .op = OP_cross_entropy, .attr = {.loss = {0.1}}};
    u->train.loss[1] = (LossTerm){.weight = 0.3, .logits = aux, .op = OP_cross_entropy};
    u->train.n_loss = 2;
}

static const Graph *train_graph(Unit *u) {
    static const Pass passes[] = {
        {.name = "canon", .level = LEVEL_NET, .run = pass_canon},
        {.name = "specialise", .level = LEVEL_NET, .run = pass_specialise},
        {.name = "autodiff", .level = LEVEL_GRAPH, .run = pass_autodiff},
        {.name = "order", .level = LEVEL_GRAPH, .run = pass_order},
    };
    PassOptions options = {.check_roundtrip = true};
    CU_ASSERT(pipeline_run_table(u, &options, passes, ARRAY_LEN(passes)));
    return u->graph[ENTRY_TRAIN];
}

/* The batch's mean loss with every trained weight moved by `step` times its part of a fixed random direction; *slope is
 * what the gradients say of it: with the learning rate and momentum at 0 the velocities are the gradients. */
static double loss_along(const Graph *g, double step, double *slope_out) {
    RefRun *r = ref_new(g->arena, g, 5, true);
    lab_set_leaves(r, 0);
    for (Ref s = 1; s < (Ref)g->n_node; s++) {
        if (graph_node(g, s)->op != OP_sgd) continue;
        Ref w = graph_node(g, s)->in[0];
        for (int64_t i = 0; i < ref_count(r, w); i++)
            ref_set(r, w, i, ref_get(r, w, i) + step * lab_number(FILL_SIGNED, w, i, 0));
    }
    ref_run(r);
    double loss = 0;
    *slope_out = 0;
    for (int64_t i = 0; i < 5; i++) loss += ref_get(r, graph_find_output(g, "loss"), i) / 5;
    for (Ref s = 1; s < (Ref)g->n_node; s++)
        for (int64_t i = 0; graph_node(g, s)->op == OP_sgd && i < ref_count(r, graph_node(g, s)->in[0]); i++)
            *slope_out +=
                ref_get(r, graph_node(g, s)->in[2], i) * lab_number(FILL_SIGNED, graph_node(g, s)->in[0], i, 0);
    return loss;
}

static int count_op(const Graph *g, Op op) {
    int n = 0;
    for (Ref r = 1; r < (Ref)g->n_node; r++) n += graph_node(g, r)->op == op;
    return n;
}

static void test_whole_net(void) {
    Arena *a = arena_new();
    Unit *u = new_unit(a);
    make_net(u);
    const Graph *g = train_graph(u);
    double here, there;
    double want = (loss_along(g, 1e-6, &there) - loss_along(g, -1e-6, &there)) / 2e-6;
    loss_along(g, 0, &here);
    CU_ASSERT_DOUBLE_EQUAL(here, want, 1e-7 * (1 + fabs(want)));
    CU_ASSERT(fabs(want) > 1e-3);
    CU_ASSERT_EQUAL(count_op(g, OP_sgd), 8);        /* conv2, bn2, conv3, bn3 and the fc's two; aux is frozen */
    CU_ASSERT_EQUAL(count_op(g, OP_ema), 4);        /* bn2 and bn3 */
    CU_ASSERT_EQUAL(count_op(g, OP_conv_dgrad), 1); /* conv3's: below conv2 nothing is trained */
    CU_ASSERT_EQUAL(count_op(g, OP_spread), 0);
    arena_free(a);
}

/* Softmax regression of D inputs to K classes: five steps against the same written out by hand. */
enum { D = 4, K = 3, P = 2, STEPS = 5 };

static void hand_gradient(double g[K][D], double w[K][D], const RefRun *r, Ref image) {
    memset(g, 0, sizeof(double[K][D]));
    for (int p = 0; p < P; p++) {
        double e[K], sum = 0;
        for (int k = 0; k < K; k++) {
            double logit = 0;
            for (int d = 0; d < D; d++) logit += w[k][d] * ref_get(r, image, p * D + d);
            sum += e[k] = exp(logit);
        }
        for (int k = 0; k < K; k++)
            for (int d = 0; d < D; d++) g[k][d] += (e[k] / sum - (k == p % 3)) / P * ref_get(r, image, p * D + d);
    }
}

/* What a weight's own state is: at most three numbers, of which sgd has one. */
enum { STATE = 3 };
/* A step: its number, the rate, and the lengths of the weight and of its gradient before it. */
typedef struct HandNow {
    int step;
    double lr, length, slope;
} HandNow;

typedef void HandStep(double *w, double state[STATE], double g, const HandNow *now, const Attr *update);

static void hand_sgd(double *w, double state[STATE], double g, const HandNow *now, const Attr *update) {
    const SgdAttr *a = &update->sgd;
    g += 0.01 * *w;
    state[0] = a->momentum * state[0] + g;
    *w -= now->lr * (a->nesterov ? g + a->momentum * state[0] : state[0]);
}

static void hand_adam(double *w, double state[STATE], double g, const HandNow *now, const Attr *update) {
    const AdamAttr *a = &update->adam;
    if (a->decoupled)
        *w *= 1 - now->lr * 0.01;
    else
        g += 0.01 * *w;
    state[0] = a->beta[0] * state[0] + (1 - a->beta[0]) * g;
    state[1] = a->beta[1] * state[1] + (1 - a->beta[1]) * g * g;
    double mean = state[0] / (1 - pow(a->beta[0], now->step)), square = state[1] / (1 - pow(a->beta[1], now->step));
    *w -= now->lr * mean / (sqrt(square) + a->eps);
}

static void hand_rmsprop(double *w, double state[STATE], double g, const HandNow *now, const Attr *update) {
    const RmspropAttr *a = &update->rmsprop;
    g += 0.01 * *w;
    state[0] = a->alpha * state[0] + (1 - a->alpha) * g * g;
    state[1] = a->alpha * state[1] + (1 - a->alpha) * g;
    double variance = a->centred ? state[0] - state[1] * state[1] : state[0];
    double size = a->eps_inside ? sqrt(variance + a->eps) : sqrt(variance) + a->eps;
    state[2] = a->momentum * state[2] + g / size;
    *w -= now->lr * state[2];
}

static void hand_lars(double *w, double state[STATE], double g, const HandNow *now, const Attr *update) {
    const LarsAttr *a = &update->lars;
    double rate = now->lr * a->trust * now->length / (now->slope + 0.01 * now->length + a->eps);
    state[0] = a->momentum * state[0] + rate * (g + 0.01 * *w);
    *w -= state[0];
}

static double length_of(double x[K][D]) {
    double sum = 0;
    for (int i = 0; i < K * D; i++) sum += x[i / D][i % D] * x[i / D][i % D];
    return sqrt(sum);
}

static void check_steps(Op optimizer, const Attr *update, HandStep *hand_step) {
    Arena *a = arena_new();
    Unit *u = new_unit(a);
    u->image = lab_image(u->net, D, 1, 1);
    Ref w = weight(u, "fc.weight", false, 2, (const int32_t[]){K, D});
    graph_node(u->net, w)->attr.param.lr_scale = 0.5;
    graph_node(u->net, w)->attr.param.weight_decay = 0.01;
    Ref flat = graph_op1(u->net, OP_flatten, u->image, NULL, u->image);
    u->train.loss[0].logits = graph_op2(u->net, OP_fc, flat, w, NULL, flat);
    u->train.optimizer = optimizer;
    u->train.update = *update;
    graph_output(u->net, name_of("scores"), u->train.loss[0].logits, ONLY_BOTH);
    const Graph *g = train_graph(u);
    RefRun *r = ref_new(a, g, P, true);
    lab_set_leaves(r, 0.3);
    w = graph_find_param(g, name_of("fc.weight"));
    Ref image = 1;
    double hand[K][D], gradient[K][D], state[K * D][STATE] = {{0}};
    for (int i = 0; i < K * D; i++) hand[i / D][i % D] = ref_get(r, w, i);
    CU_ASSERT_EQUAL(graph_node(g, image)->op, OP_input);
    for (int s = 1; s <= STEPS; s++) {
        ref_run(r);
        hand_gradient(gradient, hand, r, image);
        const HandNow now = {s, 0.3 * 0.5, length_of(hand), length_of(gradient)};
        for (int i = 0; i < K * D; i++)
            hand_step(&hand[i / D][i % D], state[i], gradient[i / D][i % D], &now, update);
        for (int i = 0; i < K * D; i++) CU_ASSERT_DOUBLE_EQUAL(ref_get(r, w, i), hand[i / D][i % D], 1e-12);
    }
    arena_free(a);
}

static void test_steps(void) {
    for (int i = 0; i < 2; i++) {
        check_steps(OP_sgd, &(Attr){.sgd = {.momentum = 0.9, .nesterov = i}}, hand_sgd);
        check_steps(OP_lars, &(Attr){.lars = {.momentum = 0.9, .trust = 0.3, .eps = i * 0.1}}, hand_lars);
        check_steps(OP_adam, &(Attr){.adam = {.beta = {0.8, 0.99}, .eps = 0.01, .decoupled = i}}, hand_adam);
    }
    for (int i = 0; i < 8; i++)
        check_steps(OP_rmsprop,
                    &(Attr){.rmsprop = {.alpha = 0.8, .eps = 0.01, .momentum = i & 1 ? 0.9 : 0, .centred = i & 2, .eps_inside = i & 4}},
                    hand_rmsprop);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("grad", NULL, NULL);
    CU_add_test(suite, "every differentiable operator", test_operators);
    CU_add_test(suite, "a whole net along a direction", test_whole_net);
    CU_add_test(suite, "five steps by hand", test_steps);
    CU_basic_run_tests();
    int failed = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed > 0;
}
