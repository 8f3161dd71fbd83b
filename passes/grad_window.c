/* Gradients of windows, norms within a picture, shapes and classification; grad_rules.c has the others. */
#include "grad_rules.h"

static const Type *type_in(const Graph *g, Ref node, int i) { return &graph_node(g, graph_node(g, node)->in[i])->type; }

/* The gradients cannot know from dy what the pooled tensor measured. */
static Attr pool_attr(const Graph *g, Ref node) {
    Attr attr = graph_node(g, node)->attr;
    attr.pool.in_h = type_height(type_in(g, node, 0));
    attr.pool.in_w = type_width(type_in(g, node, 0));
    return attr;
}

void grad_maxpool(Graph *g, Ref node, Ref dy, Ref *dx) {
    Attr attr = pool_attr(g, node);
    Ref index = graph_op1(g, OP_maxpool_index, graph_node(g, node)->in[0], &attr, node);
    dx[0] = graph_op2(g, OP_maxpool_grad, dy, index, &attr, node);
}

void grad_avgpool(Graph *g, Ref node, Ref dy, Ref *dx) {
    Attr attr = pool_attr(g, node);
    dx[0] = graph_op1(g, OP_avgpool_grad, dy, &attr, node);
}

/* What was put around is taken away, and the other way round. */
void grad_pad(Graph *g, Ref node, Ref dy, Ref *dx) {
    Attr attr = {.pad = {.value = 0}};
    for (int i = 0; i < 4; i++) attr.pad.pad[i] = -graph_node(g, node)->attr.pad.pad[i];
    dx[0] = graph_op1(g, OP_pad, dy, &attr, node);
}

void grad_resize(Graph *g, Ref node, Ref dy, Ref *dx) {
    Attr attr = graph_node(g, node)->attr;
    dx[0] = graph_op1(g, OP_resize_grad, dy, &attr, node);
}

void grad_lrn(Graph *g, Ref node, Ref dy, Ref *dx) {
    Attr attr = graph_node(g, node)->attr;
    dx[0] = graph_op2(g, OP_lrn_grad, dy, graph_node(g, node)->in[0], &attr, node);
}

static void norm_gradients(Graph *g, Ref node, Op gradient, Op dot, Ref dy, Ref *dx) {
    Attr attr = graph_node(g, node)->attr;
    Ref x = graph_node(g, node)->in[0], gamma = graph_node(g, node)->in[1];
    dx[0] = graph_op3(g, gradient, dy, x, gamma, &attr, node);
    dx[1] = graph_op1(g, OP_channel_sum, graph_op2(g, dot, dy, x, &attr, node), NULL, node);
    dx[2] = graph_op1(g, OP_channel_sum, dy, NULL, node);
}

void grad_layer_norm(Graph *g, Ref node, Ref dy, Ref *dx) {
    norm_gradients(g, node, OP_layer_norm_grad, OP_layer_norm_dot, dy, dx);
}

void grad_group_norm(Graph *g, Ref node, Ref dy, Ref *dx) {
    norm_gradients(g, node, OP_group_norm_grad, OP_group_norm_dot, dy, dx);
}

void grad_flatten(Graph *g, Ref node, Ref dy, Ref *dx) {
    Type t = *type_in(g, node, 0);
    Attr attr = {.shape = {type_make(t.dtype, t.rank, t.dim)}};
    dx[0] = graph_op1(g, OP_reshape, dy, &attr, node);
}

void grad_reshape(Graph *g, Ref node, Ref dy, Ref *dx) { grad_flatten(g, node, dy, dx); }

void grad_concat(Graph *g, Ref node, Ref dy, Ref *dx) {
    int32_t from = 0;
    for (int i = 0; i < graph_node(g, node)->n_in; i++) {
        Attr attr = {.slice = {.from = from, .count = type_channels(type_in(g, node, i))}};
        dx[i] = graph_op1(g, OP_slice, dy, &attr, node);
        from += attr.slice.count;
    }
}

void grad_slice(Graph *g, Ref node, Ref dy, Ref *dx) {
    Attr attr = {.slice = {graph_node(g, node)->attr.slice.from, type_channels(type_in(g, node, 0))}};
    dx[0] = graph_op1(g, OP_pad_channels, dy, &attr, node);
}

void grad_pad_channels(Graph *g, Ref node, Ref dy, Ref *dx) {
    Attr attr = {.slice = {graph_node(g, node)->attr.slice.from, type_channels(type_in(g, node, 0))}};
    dx[0] = graph_op1(g, OP_slice, dy, &attr, node);
}

void grad_channel_shuffle(Graph *g, Ref node, Ref dy, Ref *dx) {
    Attr attr = {.shuffle = {type_channels(&graph_node(g, node)->type) / graph_node(g, node)->attr.shuffle.groups}};
    dx[0] = graph_op1(g, OP_channel_shuffle, dy, &attr, node);
}

void grad_softmax(Graph *g, Ref node, Ref dy, Ref *dx) { dx[0] = graph_op2(g, OP_softmax_grad, dy, node, NULL, node); }

void grad_log_softmax(Graph *g, Ref node, Ref dy, Ref *dx) {
    dx[0] = graph_op2(g, OP_log_softmax_grad, dy, node, NULL, node);
}

/* Labels have no gradient. */
static Ref loss_gradient(Graph *g, Ref node, Op gradient, Ref dy) {
    const Node *n = graph_node(g, node);
    Attr attr = n->attr;
    return graph_op3(g, gradient, n->in[0], n->in[1], dy, op_info[n->op].attr == ATTR_NONE ? NULL : &attr, node);
}

void grad_cross_entropy(Graph *g, Ref node, Ref dy, Ref *dx) {
    const Node *n = graph_node(g, node);
    Attr attr = n->attr;
    Ref in[] = {n->in[0], n->in[1], dy, n->n_in > 2 ? n->in[2] : 0, n->n_in > 3 ? n->in[3] : 0};
    dx[0] = graph_add(g, OP_cross_entropy_grad, n->n_in + 1, in, &attr, n->name, n->span, NULL);
}

#define LOSS(id, ...) \
    void grad_##id(Graph *g, Ref node, Ref dy, Ref *dx) { dx[0] = loss_gradient(g, node, OP_##id##_grad, dy); }
#include "../ir/losses.def"
#undef LOSS
