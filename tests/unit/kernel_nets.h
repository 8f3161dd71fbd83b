/* Whole small nets for test_kernels.c, as the front end would make them: every layer of the language at least once. */
#ifndef CNNC_TESTS_UNIT_KERNEL_NETS_H
#define CNNC_TESTS_UNIT_KERNEL_NETS_H

#include "ir/unit.h"
#include "kernel_cases.h"

enum { NET_BATCH = 3, NET_CLASSES = 5 };

static Ref net_param(Unit *u, const char *layer, const char *what, int rank, const int32_t *dim) {
    bool buffer = strncmp(what, "running", 7) == 0;
    Ref w = lab_param(u->net, name_format("%s.%s", layer, what), buffer ? PARAM_BUFFER : PARAM_WEIGHT, rank, dim);
    graph_node(u->net, w)->attr.param.weight_decay = rank > 1 ? 0.01 : 0;
    if (rank > 1) graph_node(u->net, w)->attr.param.init = INIT_HE;
    return w;
}

static Ref net_op(Unit *u, Op op, Ref x, const Attr *attr) { return graph_op1(u->net, op, x, attr, x); }

static Ref net_bias(Unit *u, const char *name, Ref x) {
    const int32_t c[] = {type_channels(&graph_node(u->net, x)->type)};
    return graph_op2(u->net, OP_add, x, net_param(u, name, "bias", 1, c), NULL, x);
}

static Ref net_conv(Unit *u, const char *name, Ref x, int32_t outputs, int32_t kernel, int32_t stride, int32_t groups) {
    int32_t inputs = type_channels(&graph_node(u->net, x)->type), pad = kernel / 2;
    Attr attr = {.conv = {{kernel, kernel}, {stride, stride}, {1, 1}, {pad, pad, pad, pad}, groups, 0, 0, 0}};
    Ref w = net_param(u, name, "weight", 4, (const int32_t[]){outputs, inputs / groups, kernel, kernel});
    return graph_op2(u->net, OP_conv, x, w, &attr, x);
}

static Ref net_bn(Unit *u, const char *name, Ref x) {
    const int32_t c[] = {type_channels(&graph_node(u->net, x)->type)};
    Attr attr = {.norm = {1e-5, 0.1, 0}};
    Ref in[] = {x, net_param(u, name, "running_mean", 1, c), net_param(u, name, "running_var", 1, c),
                net_param(u, name, "weight", 1, c), net_param(u, name, "bias", 1, c)};
    return graph_add(u->net, OP_bn, 5, in, &attr, name_of(name), (Span){0}, NULL);
}

static Ref net_conv_bn(Unit *u, const char *name, Ref x, int32_t outputs, int32_t kernel, int32_t stride,
                       int32_t groups) {
    x = net_conv(u, name, x, outputs, kernel, stride, groups);
    return net_bn(u, name_format("%s.bn", name), x);
}

static Ref net_fc(Unit *u, const char *name, Ref x, int32_t outputs) {
    x = net_op(u, OP_flatten, x, NULL);
    const int32_t dim[] = {outputs, type_channels(&graph_node(u->net, x)->type)};
    return net_bias(u, name, graph_op2(u->net, OP_fc, x, net_param(u, name, "weight", 2, dim), NULL, x));
}

static void net_loss(Unit *u, int i, Ref logits, double weight, double smoothing) {
    u->train.loss[i] = (LossTerm){.weight = weight, .logits = logits, .op = OP_cross_entropy, .attr = {.loss = {smoothing}}};
    u->train.n_loss = i + 1;
}

static Ref net_relu(Unit *u, Ref x) { return net_op(u, OP_relu, x, NULL); }
static Ref net_add(Unit *u, Ref x, Ref y) { return graph_op2(u->net, OP_add, x, y, NULL, x); }

static const PoolAttr net_pool_3x3 = {{3, 3}, {2, 2}, {1, 1, 1, 1}, false, false, 0, 0, {0, 0}};

/* Residual blocks with and without a projection, a depthwise layer, batch norm everywhere, a 1x1 convolution with a
 * stride that is wide enough for `gather`, global pooling. */
static void net_residual(Unit *u) {
    Attr pool = {.pool = net_pool_3x3}, global = {.pool = {.kernel = {2, 2}, .stride = {1, 1}}};
    Ref x = net_relu(u, net_conv_bn(u, "conv1", u->image, 20, 7, 2, 1));
    x = net_op(u, OP_maxpool, x, &pool);
    Ref y = net_relu(u, net_conv_bn(u, "a.conv1", x, 20, 3, 1, 1));
    x = net_relu(u, net_add(u, net_conv_bn(u, "a.conv2", y, 20, 3, 1, 1), x));
    y = net_relu(u, net_conv_bn(u, "b.conv1", x, 33, 1, 1, 1));
    y = net_relu(u, net_conv_bn(u, "b.conv2", y, 33, 3, 1, 33));
    y = net_conv_bn(u, "b.conv3", y, 48, 1, 1, 1);
    x = net_relu(u, net_add(u, y, net_conv_bn(u, "b.down", x, 48, 1, 1, 1)));
    x = net_op(u, OP_avgpool, net_relu(u, net_bias(u, "c", net_conv(u, "c", x, 513, 1, 2, 1))), &global);
    Ref logits = net_fc(u, "fc", x, NET_CLASSES);
    graph_output(u->net, name_of("scores"), net_op(u, OP_softmax, logits, NULL), ONLY_DEPLOY);
    net_loss(u, 0, logits, 1, 0);
}

/* Biases, lrn, branches that are joined, groups, dropout, multiplication, two losses, a wide last layer. */
static void net_branches(Unit *u) {
    Attr pool = {.pool = net_pool_3x3}, same = pool, lrn = {.lrn = {5, 1e-2, 0.75, 1}}, drop = {.dropout = {0.4, 1, false}};
    same.pool.stride[0] = same.pool.stride[1] = 1;
    Ref x = net_op(u, OP_lrn, net_relu(u, net_bias(u, "conv1", net_conv(u, "conv1", u->image, 16, 5, 2, 1))), &lrn);
    Ref a = net_relu(u, net_bias(u, "a", net_conv(u, "a", x, 7, 1, 1, 1)));
    Ref b = net_relu(u, net_bias(u, "b", net_conv(u, "b", x, 9, 3, 1, 1)));
    Ref c = net_bias(u, "c", net_conv(u, "c", net_op(u, OP_maxpool, x, &same), 16, 1, 1, 1));
    Ref in[] = {a, b, c};
    x = graph_add(u->net, OP_concat, 3, in, NULL, NULL, (Span){0}, NULL);
    Ref gate = net_op(u, OP_softmax, net_conv(u, "gate", x, 32, 1, 1, 2), NULL);
    x = graph_op2(u->net, OP_mul, net_bias(u, "d", net_conv(u, "d", x, 32, 3, 1, 4)), gate, NULL, x);
    Ref aux = net_fc(u, "aux", net_op(u, OP_avgpool, x, &pool), NET_CLASSES);
    x = net_op(u, OP_dropout, net_op(u, OP_maxpool, net_relu(u, x), &pool), &drop);
    x = net_relu(u, net_fc(u, "fc1", x, 65));
    Ref logits = net_fc(u, "fc2", net_op(u, OP_dropout, x, &drop), NET_CLASSES);
    graph_output(u->net, name_of("scores"), net_op(u, OP_softmax, logits, NULL), ONLY_DEPLOY);
    graph_output(u->net, name_of("features"), x, ONLY_BOTH);
    net_loss(u, 0, logits, 1, 0.1);
    net_loss(u, 1, aux, 0.3, 0);
}

static Ref net_deconv(Unit *u, const char *name, Ref x, int32_t outputs, int32_t groups) {
    const Type t = graph_node(u->net, x)->type;
    Attr attr = {.conv = {{3, 2}, {2, 2}, {1, 1}, {1, 1, 0, 0}, groups, outputs, 2 * t.dim[2], 2 * t.dim[3]}};
    Ref w = net_param(u, name, "weight", 4, (const int32_t[]){t.dim[1], outputs / groups, 3, 2});
    return graph_op2(u->net, OP_conv_dgrad, x, net_op(u, OP_swap_io, w, &attr), &attr, x);
}

static Ref net_slice(Unit *u, Ref x, int32_t from, int32_t count) {
    return net_op(u, OP_slice, x, &(Attr){.slice = {from, count}});
}

/* Down and up again: pads, transposed convolutions (one of the picture), halves that are shuffled, resized, cropped. */
static void net_up(Unit *u) {
    Attr pad = {.pad = {{0, 1, 1, 0}, 0.5}}, crop = {.pad = {{-1, -1, -2, 0}, 0}}, shuffle = {.shuffle = {2}};
    Attr half = {.pool = {.kernel = {2, 2}, .stride = {2, 2}}}, twice = {.resize = {{4, 4}, {8, 8}, true, false}};
    Attr odd = {.resize = {{16, 16}, {6, 6}, true, true}}, global = {.pool = {.kernel = {6, 6}, .stride = {1, 1}}};
    Ref x = net_op(u, OP_pad, u->image, &pad); /* 8x8 */
    Ref skip = net_relu(u, net_conv_bn(u, "conv1", x, 20, 3, 1, 1));
    x = net_op(u, OP_maxpool, skip, &half);
    Ref kept = net_slice(u, x, 0, 10), y = net_slice(u, x, 10, 10);
    y = net_relu(u, net_conv_bn(u, "conv2", y, 12, 3, 1, 1));
    Ref in[] = {kept, y};
    x = net_op(u, OP_channel_shuffle, graph_add(u->net, OP_concat, 2, in, NULL, NULL, (Span){0}, NULL), &shuffle);
    y = net_relu(u, net_bias(u, "deconv1", net_deconv(u, "deconv1", x, 20, 2)));
    x = net_add(u, net_relu(u, net_conv(u, "conv3", net_op(u, OP_resize, x, &twice), 20, 1, 1, 1)), net_add(u, y, skip));
    x = net_op(u, OP_pad, x, &crop); /* 6x6 */
    y = net_op(u, OP_resize, net_deconv(u, "deconv2", net_op(u, OP_pad, u->image, &pad), 7, 1), &odd);
    Ref both[] = {x, y};
    x = graph_add(u->net, OP_concat, 2, both, NULL, NULL, (Span){0}, NULL);
    Ref logits = net_fc(u, "fc", net_op(u, OP_avgpool, x, &global), NET_CLASSES);
    graph_output(u->net, name_of("map"), x, ONLY_DEPLOY);
    graph_output(u->net, name_of("scores"), net_op(u, OP_softmax, logits, NULL), ONLY_DEPLOY);
    net_loss(u, 0, logits, 1, 0);
}

static Ref net_norm(Unit *u, Op op, const char *name, Ref x, const Attr *attr) {
    const int32_t c[] = {type_channels(&graph_node(u->net, x)->type)};
    return graph_op3(u->net, op, x, net_param(u, name, "weight", 1, c), net_param(u, name, "bias", 1, c), attr, x);
}

/* Every norm, adaptive pooling, layer scale. Of three pictures two are a run of batch norm, and one is another. */
static void net_norms(Unit *u) {
    Attr ln = {.eps = {1e-6}}, gn = {.groups = {1e-5, 4}};
    Attr share = {.pool = {.kernel = {3, 3}, .stride = {1, 1}, .to = {4, 3}}};
    Ref x = net_conv_bn(u, "conv1", u->image, 20, 3, 1, 1);
    graph_node(u->net, x)->attr.norm.ghost = 2;
    x = net_op(u, OP_avgpool, net_relu(u, x), &share);
    Ref y = net_norm(u, OP_layer_norm, "ln", net_conv(u, "conv2", x, 20, 3, 1, 20), &ln);
    y = net_op(u, OP_gelu, net_bias(u, "conv3", net_conv(u, "conv3", y, 33, 1, 1, 1)), NULL);
    y = net_conv(u, "conv4", y, 20, 1, 1, 1);
    x = net_add(u, x, graph_op2(u->net, OP_mul, y, net_param(u, "scale", "weight", 1, (const int32_t[]){20}), NULL, y));
    x = net_relu(u, net_norm(u, OP_group_norm, "gn", x, &gn));
    x = net_fc(u, "fc1", x, 17);
    Ref norm = net_bn(u, "bn", x);
    graph_node(u->net, norm)->attr.norm = (NormAttr){0.1, 0.1, 2}; /* two numbers are often close to each other */
    Ref logits = net_fc(u, "fc2", net_norm(u, OP_layer_norm, "ln2", net_relu(u, norm), &ln), NET_CLASSES);
    graph_output(u->net, name_of("scores"), net_op(u, OP_softmax, logits, NULL), ONLY_DEPLOY);
    net_loss(u, 0, logits, 1, 0);
}

/* A convolution as `gather` likes them, but of the picture, which training reads plain, too. */
static void net_pixels(Unit *u) {
    Attr global = {.pool = {.kernel = {3, 4}, .stride = {1, 1}}};
    Ref x = net_relu(u, net_conv_bn(u, "conv", u->image, 513, 1, 2, 1));
    Ref logits = net_fc(u, "fc", net_op(u, OP_avgpool, x, &global), NET_CLASSES);
    graph_output(u->net, name_of("scores"), net_op(u, OP_softmax, logits, NULL), ONLY_DEPLOY);
    net_loss(u, 0, logits, 1, 0);
}

static const struct Net {
    const char *name;
    void (*build)(Unit *u);
    int32_t height, width;
    bool gathers; /* gradients are kept until all updates */
} nets[] = {{"net residual", net_residual, 15, 11, false}, {"net branches", net_branches, 12, 17, true}, {"net up", net_up, 7, 7, true},
            {"net norms", net_norms, 7, 9, false}, {"net pixels", net_pixels, 5, 7, false}};

static void net_make(Unit *u, const struct Net *net) {
    u->net = graph_new(u->arena, u->name);
    u->train = (TrainConfig){.present = true,
                             .loss = NEW_ARRAY(u->arena, LossTerm, 2),
                             .optimizer = OP_sgd,
                             .update = {.sgd = {.momentum = 0.9}},
                             .gathers = net->gathers,
                             .batch = NET_BATCH};
    u->image = lab_image(u->net, 3, net->height, net->width);
    net->build(u);
}

#endif
