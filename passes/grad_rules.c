/* Gradients of contractions, element-wise operators, batch norm and reductions; grad_window.c has the others. */
#include "grad_rules.h"

static const Type *type_of(const Graph *g, Ref r) { return &graph_node(g, r)->type; }

static Ref operand(const Graph *g, Ref node, int i) { return graph_node(g, node)->in[i]; }

/* alpha * x (/ N); of two such nodes in a row it makes one. */
static Ref scaled(Graph *g, Ref x, double alpha, bool per_picture, Ref from) {
    const Node *n = graph_node(g, x);
    if (n->op == OP_scale && n->attr.scale.beta == 0 && !(per_picture && n->attr.scale.per_picture)) {
        alpha *= n->attr.scale.alpha;
        per_picture |= n->attr.scale.per_picture;
        x = n->in[0];
    }
    Attr attr = {.scale = {.alpha = alpha, .per_picture = per_picture}};
    return graph_op1(g, OP_scale, x, &attr, from);
}

static Ref spread_like(Graph *g, Ref vector, Ref like, Ref from) {
    Type t = *type_of(g, like);
    Attr attr = {.shape = {type_make(t.dtype, t.rank, t.dim)}};
    return graph_op1(g, OP_spread, vector, &attr, from);
}

/* How many elements a channel of x has, not counting the batch. */
static double elements_per_channel(const Graph *g, Ref x) {
    return (double)(type_elements(type_of(g, x)) / type_channels(type_of(g, x)));
}

Ref grad_sum(Graph *g, Ref a, Ref b) {
    if (graph_node(g, a)->op == OP_spread) {
        Ref swap = a;
        a = b;
        b = swap;
    }
    return graph_op2(g, OP_add, a, graph_node(g, b)->op == OP_spread ? operand(g, b, 0) : b, NULL, b);
}

/* Contractions. */

void grad_conv(Graph *g, Ref node, Ref dy, Ref *dx) {
    Ref x = operand(g, node, 0), w = operand(g, node, 1);
    Attr attr = graph_node(g, node)->attr;
    const Type *tx = type_of(g, x);
    attr.conv.in_c = type_channels(tx);
    attr.conv.in_h = type_height(tx);
    attr.conv.in_w = type_width(tx);
    dx[0] = graph_op2(g, OP_conv_dgrad, dy, graph_op1(g, OP_swap_io, w, &attr, node), &attr, node);
    dx[1] = graph_op2(g, OP_conv_wgrad, dy, x, &attr, node);
}

/* swap_io(w); of what it made of a weight it makes that weight. */
static Ref swapped(Graph *g, Ref w, const Attr *attr, Ref from) {
    return graph_node(g, w)->op == OP_swap_io ? operand(g, w, 0) : graph_op1(g, OP_swap_io, w, attr, from);
}

/* A transposed convolution, whose x is the convolution's dy and whose dy is the convolution's x. */
void grad_conv_dgrad(Graph *g, Ref node, Ref dy, Ref *dx) {
    Ref x = operand(g, node, 0), w = operand(g, node, 1);
    Attr attr = graph_node(g, node)->attr, forward = attr;
    forward.conv.in_c = forward.conv.in_h = forward.conv.in_w = 0;
    dx[0] = graph_op2(g, OP_conv, dy, swapped(g, w, &attr, node), &forward, node);
    dx[1] = swapped(g, graph_op2(g, OP_conv_wgrad, x, dy, &attr, node), &attr, node);
}

void grad_swap_io(Graph *g, Ref node, Ref dy, Ref *dx) {
    Attr attr = graph_node(g, node)->attr;
    dx[0] = swapped(g, dy, &attr, node);
}

void grad_fc(Graph *g, Ref node, Ref dy, Ref *dx) {
    dx[0] = graph_op2(g, OP_fc_dgrad, dy, operand(g, node, 1), NULL, node);
    dx[1] = graph_op2(g, OP_fc_wgrad, dy, operand(g, node, 0), NULL, node);
}

/* Element-wise. The gradient of a second operand that is broadcast is a sum. */

/* Over each plane, of dy or of dy * times, in the form of `like`. */
static Ref plane_sum(Graph *g, Ref node, Ref dy, Ref times, Ref like) {
    Type t = *type_of(g, like), x = *type_of(g, dy);
    Attr shape = {.shape = {type_make(t.dtype, t.rank, t.dim)}};
    if (times) return graph_op2(g, OP_plane_dot, dy, times, &shape, node);
    Attr plane = {.pool = {.kernel = {x.dim[2], x.dim[3]}, .stride = {1, 1}}};
    Ref sum = scaled(g, graph_op1(g, OP_avgpool, dy, &plane, node), (double)x.dim[2] * x.dim[3], false, node);
    return t.rank == 2 ? graph_op1(g, OP_flatten, sum, NULL, node) : sum;
}

/* The gradient of the second operand from dy, or dy * times (0: none), which has the shape of the result. */
static Ref second_gradient(Graph *g, Ref node, Ref dy, Ref times) {
    Ref second = operand(g, node, 1);
    Broadcast b = type_broadcast(type_of(g, node), type_of(g, second));
    if (b == BROADCAST_PLANE) return plane_sum(g, node, dy, times, second);
    if (b == BROADCAST_NONE) return times ? graph_op2(g, OP_mul, dy, times, NULL, node) : dy;
    Ref sum = times ? graph_op2(g, OP_channel_dot, dy, times, NULL, node) : graph_op1(g, OP_channel_sum, dy, NULL, node);
    return b == BROADCAST_ONE ? graph_op1(g, OP_total, sum, NULL, node) : sum;
}

void grad_add(Graph *g, Ref node, Ref dy, Ref *dx) {
    dx[0] = dy;
    dx[1] = second_gradient(g, node, dy, 0);
}

void grad_sub(Graph *g, Ref node, Ref dy, Ref *dx) {
    grad_add(g, node, dy, dx);
    dx[1] = scaled(g, dx[1], -1, false, node);
}

void grad_mul(Graph *g, Ref node, Ref dy, Ref *dx) {
    dx[0] = graph_op2(g, OP_mul, dy, operand(g, node, 1), NULL, node);
    dx[1] = second_gradient(g, node, dy, operand(g, node, 0));
}

void grad_scale(Graph *g, Ref node, Ref dy, Ref *dx) {
    ScaleAttr a = graph_node(g, node)->attr.scale;
    dx[0] = scaled(g, dy, a.alpha, a.per_picture, node);
}

/* y = x^(-1/2), so dy/dx = -y^3 / 2. */
void grad_rsqrt(Graph *g, Ref node, Ref dy, Ref *dx) {
    Ref cube = graph_op2(g, OP_mul, graph_op2(g, OP_mul, node, node, NULL, node), node, NULL, node);
    dx[0] = graph_op2(g, OP_mul, dy, scaled(g, cube, -0.5, false, node), NULL, node);
}

/* Activations keep their operand, or their result where that says enough: it is mostly kept for others anyway. */
static Ref activation_gradient(Graph *g, Ref node, Op gradient, Ref known, Ref dy) {
    Attr attr = graph_node(g, node)->attr;
    return graph_op2(g, gradient, dy, known, op_info[gradient].attr == ATTR_NONE ? NULL : &attr, node);
}

#define KNOWN_X operand(g, node, 0)
#define KNOWN_Y node
#define ACT(id, of, ...)                                                                           \
    void grad_##id(Graph *g, Ref node, Ref dy, Ref *dx) {                                          \
        dx[0] = activation_gradient(g, node, OP_##id##_grad, KNOWN_##of, dy);                      \
    }
#include "../ir/acts.def"
#undef ACT

/* What the gradients of bn are made of; all but dy and x are per-channel vectors. */
typedef struct Bn {
    Ref node, dy, x, mean;
    Ref r;           /* (var + eps)^(-1/2) */
    Ref gain;        /* gamma r */
    Ref sum, dgamma; /* sums of dy and of dy (x - mean) r */
} Bn;

/* Only sum(dy) and dot(dy, x) pass over whole tensors; dot(dy, x - mean) = dot(dy, x) - mean sum(dy). */
static Bn bn_parts(Graph *g, Ref node, Ref dy) {
    Bn b = {.node = node, .dy = dy, .x = operand(g, node, 0), .mean = operand(g, node, 1)};
    Ref var = operand(g, node, 2), gamma = operand(g, node, 3);
    Attr eps = {.scale = {.alpha = 1, .beta = graph_node(g, node)->attr.norm.eps}};
    b.r = graph_op1(g, OP_rsqrt, graph_op1(g, OP_scale, var, &eps, node), NULL, node);
    b.gain = graph_op2(g, OP_mul, gamma, b.r, NULL, node);
    b.sum = graph_op1(g, OP_channel_sum, dy, NULL, node);
    Ref dot = graph_op2(g, OP_channel_dot, dy, b.x, NULL, node);
    Ref centred = graph_op2(g, OP_sub, dot, graph_op2(g, OP_mul, b.mean, b.sum, NULL, node), NULL, node);
    b.dgamma = graph_op2(g, OP_mul, centred, b.r, NULL, node);
    return b;
}

/* The five operands are free: y = (x - mean) r gamma + beta. */
static void bn_free(Graph *g, const Bn *b, Ref *dx) {
    dx[0] = graph_op2(g, OP_mul, b->dy, b->gain, NULL, b->node);
    dx[1] = scaled(g, graph_op2(g, OP_mul, b->gain, b->sum, NULL, b->node), -1, false, b->node);
    Ref steep = graph_op2(g, OP_mul, b->gain, b->r, NULL, b->node); /* dr/dvar = -r^3 / 2 */
    dx[2] = scaled(g, graph_op2(g, OP_mul, steep, b->dgamma, NULL, b->node), -0.5, false, b->node);
}

/* mean and var are those of x, as in training. What they would hand back to x is in dx already:
 *     dx = gain (dy - sum / M - (x - mean) r dgamma / M)
 * The sum of bn_free, grad_mean and grad_var is the same, but gain dy would be stored in passing: in this order of
 * operations everything is one chain that reads x and dy, and that waits for both sums. */
static void bn_of_batch(Graph *g, const Bn *b, Ref *dx) {
    double share = 1 / elements_per_channel(g, b->x);
    bool batched = type_batched(type_of(g, b->x));
    Ref slope = scaled(g, graph_op2(g, OP_mul, b->r, b->dgamma, NULL, b->node), -share, batched, b->node);
    Ref offset = scaled(g, b->sum, share, batched, b->node);
    Ref t = graph_op2(g, OP_mul, graph_op2(g, OP_sub, b->x, b->mean, NULL, b->node), slope, NULL, b->node);
    t = graph_op2(g, OP_add, graph_op2(g, OP_sub, t, offset, NULL, b->node), b->dy, NULL, b->node);
    dx[0] = graph_op2(g, OP_mul, t, b->gain, NULL, b->node);
}

static bool computes(const Graph *g, Ref r, Op op, Ref x) {
    return graph_node(g, r)->op == op && operand(g, r, 0) == x;
}

/* The mean of a over each of its planes, or of a * b. */
static Ref plane_mean(Graph *g, Ref a, Ref b, Ref from) {
    const Type *t = type_of(g, a);
    double share = 1 / elements_per_channel(g, a);
    if (t->rank == 2) return b ? graph_op2(g, OP_mul, a, b, NULL, from) : a;
    if (!b) return graph_op1(g, OP_plane_mean, a, NULL, from);
    Attr attr = {.shape = {type_make(DT_F32, 2, t->dim)}};
    return scaled(g, graph_op2(g, OP_plane_dot, a, b, &attr, from), share, false, from);
}

/* mean and var are ghost_means of what belongs to x, one for each channel of each picture. As for the whole batch,
 *     dx = gain (dy - mean of dy - standardised * mean of dy standardised)
 * where means are those of a run of pictures: of planes first, then of the run. */
static void bn_of_ghosts(Graph *g, Ref node, Ref dy, Ref *dx) {
    Ref x = operand(g, node, 0), mean = operand(g, node, 1), gamma = operand(g, node, 3);
    double pixels = elements_per_channel(g, x);
    Attr run = graph_node(g, mean)->attr, eps = {.scale = {.alpha = 1, .beta = graph_node(g, node)->attr.norm.eps}};
    Ref r = graph_op1(g, OP_rsqrt, graph_op1(g, OP_scale, operand(g, node, 2), &eps, node), NULL, node);
    Ref level = plane_mean(g, dy, 0, node), dot = plane_mean(g, dy, x, node);
    Ref tilt = graph_op2(g, OP_sub, dot, graph_op2(g, OP_mul, mean, level, NULL, node), NULL, node);
    tilt = graph_op2(g, OP_mul, tilt, r, NULL, node);
    Ref slope = graph_op2(g, OP_mul, graph_op1(g, OP_ghost_mean, tilt, &run, node), r, NULL, node);
    Ref offset = graph_op1(g, OP_ghost_mean, level, &run, node), gain = graph_op2(g, OP_mul, r, gamma, NULL, node);
    Ref t = graph_op2(g, OP_mul, graph_op2(g, OP_sub, x, mean, NULL, node), slope, NULL, node);
    t = graph_op2(g, OP_sub, dy, graph_op2(g, OP_add, t, offset, NULL, node), NULL, node);
    dx[0] = graph_op2(g, OP_mul, t, gain, NULL, node);
    dx[3] = scaled(g, graph_op1(g, OP_channel_sum, tilt, NULL, node), pixels, false, node);
    dx[4] = scaled(g, graph_op1(g, OP_channel_sum, level, NULL, node), pixels, false, node);
}

void grad_bn(Graph *g, Ref node, Ref dy, Ref *dx) {
    if (graph_node(g, operand(g, node, 1))->op == OP_ghost_mean) {
        bn_of_ghosts(g, node, dy, dx);
        return;
    }
    Bn b = bn_parts(g, node, dy);
    if (computes(g, b.mean, OP_mean, b.x) && computes(g, operand(g, node, 2), OP_var, b.x))
        bn_of_batch(g, &b, dx);
    else
        bn_free(g, &b, dx);
    dx[3] = b.dgamma;
    dx[4] = b.sum;
}

void grad_dropout(Graph *g, Ref node, Ref dy, Ref *dx) {
    Attr attr = graph_node(g, node)->attr;
    dx[0] = graph_op1(g, OP_dropout, dy, &attr, node);
}

/* Reductions over M = (N times) elements_per_channel elements. */

void grad_mean(Graph *g, Ref node, Ref dy, Ref *dx) {
    Ref x = operand(g, node, 0);
    Ref share = scaled(g, dy, 1 / elements_per_channel(g, x), type_batched(type_of(g, x)), node);
    dx[0] = spread_like(g, share, x, node);
}

/* d var / d x = 2 (x - mean) / M; the mean's own part is zero, because the x - mean sum to zero. */
void grad_var(Graph *g, Ref node, Ref dy, Ref *dx) {
    Ref x = operand(g, node, 0);
    Ref share = scaled(g, dy, 2 / elements_per_channel(g, x), type_batched(type_of(g, x)), node);
    Ref centred = graph_op2(g, OP_sub, x, graph_op1(g, OP_mean, x, NULL, node), NULL, node);
    dx[0] = graph_op2(g, OP_mul, centred, share, NULL, node);
}

void grad_channel_sum(Graph *g, Ref node, Ref dy, Ref *dx) { dx[0] = spread_like(g, dy, operand(g, node, 0), node); }

void grad_spread(Graph *g, Ref node, Ref dy, Ref *dx) { dx[0] = graph_op1(g, OP_channel_sum, dy, NULL, node); }
