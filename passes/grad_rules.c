/* Gradients of contractions, element-wise operators and reductions; grad_window.c has the others. */
#include "grad_rules.h"

static const Type *type_of(const Graph *g, Ref r) { return &graph_node(g, r)->type; }

static Ref operand(const Graph *g, Ref node, int i) { return graph_node(g, node)->in[i]; }

static Ref scaled(Graph *g, Ref x, double alpha, bool per_picture, Ref from) {
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

void grad_fc(Graph *g, Ref node, Ref dy, Ref *dx) {
    dx[0] = graph_op2(g, OP_fc_dgrad, dy, operand(g, node, 1), NULL, node);
    dx[1] = graph_op2(g, OP_fc_wgrad, dy, operand(g, node, 0), NULL, node);
}

/* Element-wise. The second operand may be a per-channel vector: its gradient is then summed over the channel. */

static bool broadcast(const Graph *g, Ref node) {
    return !type_same_shape(type_of(g, operand(g, node, 1)), type_of(g, node));
}

void grad_add(Graph *g, Ref node, Ref dy, Ref *dx) {
    dx[0] = dy;
    dx[1] = broadcast(g, node) ? graph_op1(g, OP_channel_sum, dy, NULL, node) : dy;
}

void grad_sub(Graph *g, Ref node, Ref dy, Ref *dx) {
    grad_add(g, node, dy, dx);
    dx[1] = scaled(g, dx[1], -1, false, node);
}

void grad_mul(Graph *g, Ref node, Ref dy, Ref *dx) {
    dx[0] = graph_op2(g, OP_mul, dy, operand(g, node, 1), NULL, node);
    dx[1] = graph_op2(g, broadcast(g, node) ? OP_channel_dot : OP_mul, dy, operand(g, node, 0), NULL, node);
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

void grad_relu(Graph *g, Ref node, Ref dy, Ref *dx) { dx[0] = graph_op2(g, OP_relu_grad, dy, node, NULL, node); }

/* y = (x - mean) r gamma + beta with r = (var + eps)^(-1/2), where all five operands are free. Only sum(dy) and
 * dot(dy, x) pass over whole tensors; dot(dy, x - mean) = dot(dy, x) - mean sum(dy) is put together from these per
 * channel, and so is all the rest. In training mean() and var() of x hand their part back to x: then dx is one
 * element-wise chain  dy (gamma r) + (x - mean) c3 + c2, see grad_var and grad_sum. */
void grad_bn(Graph *g, Ref node, Ref dy, Ref *dx) {
    Ref x = operand(g, node, 0), mean = operand(g, node, 1), var = operand(g, node, 2), gamma = operand(g, node, 3);
    Attr eps = {.scale = {.alpha = 1, .beta = graph_node(g, node)->attr.norm.eps}};
    Ref r = graph_op1(g, OP_rsqrt, graph_op1(g, OP_scale, var, &eps, node), NULL, node);
    Ref gain = graph_op2(g, OP_mul, gamma, r, NULL, node);
    Ref sum = graph_op1(g, OP_channel_sum, dy, NULL, node);
    Ref dot = graph_op2(g, OP_channel_dot, dy, x, NULL, node);
    Ref centred = graph_op2(g, OP_sub, dot, graph_op2(g, OP_mul, mean, sum, NULL, node), NULL, node);
    dx[0] = graph_op2(g, OP_mul, dy, gain, NULL, node);
    dx[1] = scaled(g, graph_op2(g, OP_mul, gain, sum, NULL, node), -1, false, node);
    dx[3] = graph_op2(g, OP_mul, centred, r, NULL, node);
    dx[4] = sum;
    Ref r_squared = graph_op2(g, OP_mul, r, r, NULL, node);
    Ref dgain = graph_op2(g, OP_mul, graph_op2(g, OP_mul, gain, r_squared, NULL, node), centred, NULL, node);
    dx[2] = scaled(g, dgain, -0.5, false, node);
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

/* The mean of x; batch normalisation has it already. */
static Ref mean_of(Graph *g, Ref x, Ref from) {
    for (Ref r = 1; r < (Ref)g->n_node; r++)
        if (graph_node(g, r)->op == OP_mean && operand(g, r, 0) == x) return r;
    return graph_op1(g, OP_mean, x, NULL, from);
}

/* d var / d x = 2 (x - mean) / M; the mean's own part is zero, because the x - mean sum to zero. */
void grad_var(Graph *g, Ref node, Ref dy, Ref *dx) {
    Ref x = operand(g, node, 0);
    Ref share = scaled(g, dy, 2 / elements_per_channel(g, x), type_batched(type_of(g, x)), node);
    Ref centred = graph_op2(g, OP_sub, x, mean_of(g, x, node), NULL, node);
    dx[0] = graph_op2(g, OP_mul, centred, share, NULL, node);
}

void grad_channel_sum(Graph *g, Ref node, Ref dy, Ref *dx) { dx[0] = spread_like(g, dy, operand(g, node, 0), node); }

void grad_spread(Graph *g, Ref node, Ref dy, Ref *dx) { dx[0] = graph_op1(g, OP_channel_sum, dy, NULL, node); }
