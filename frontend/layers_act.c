/* Layers that are activations, and the gate of channels. */
#include "layers.h"

/* Those that are an operator of the same name and have no parameters. */
#define PLAIN(id) \
    Value build_##id(Elab *e, const Bound *b) { return layer_unary(e, b, OP_##id, NULL); }
PLAIN(relu)
PLAIN(sigmoid)
PLAIN(tanh)
PLAIN(swish)
PLAIN(hswish)
PLAIN(hsigmoid)
PLAIN(softmax)
PLAIN(log_softmax)

Value build_relu6(Elab *e, const Bound *b) { return layer_unary(e, b, OP_clip, &(Attr){.clip = {0, 6}}); }

Value build_leaky_relu(Elab *e, const Bound *b) {
    return layer_unary(e, b, OP_leaky_relu, &(Attr){.slope = {bound_real(b, "slope")}});
}

/* relu(x) + w (x - relu(x)): nothing is rounded but the product, since one of the two is 0. */
Value build_prelu(Elab *e, const Bound *b) {
    int32_t count = bound(b, "shared")->flag ? 1 : type_channels(tensor_type(e, bound(b, "x")));
    Value first = layer_constant(bound_real(b, "init"));
    Ref x = bound(b, "x")->tensor, w = layer_param(e, b, "weight", PARAM_WEIGHT, first, 1, &count);
    Ref above = w ? layer_node(e, b, OP_relu, 1, &x, NULL) : 0;
    Ref below = above ? layer_node(e, b, OP_sub, 2, (Ref[]){x, above}, NULL) : 0;
    if (below) below = layer_node(e, b, OP_mul, 2, (Ref[]){below, w}, NULL);
    return layer_value(below ? layer_node(e, b, OP_add, 2, (Ref[]){above, below}, NULL) : 0);
}

Value build_elu(Elab *e, const Bound *b) {
    return layer_unary(e, b, OP_elu, &(Attr){.slope = {bound_real(b, "alpha")}});
}

Value build_gelu(Elab *e, const Bound *b) {
    bool by_tanh = bound_given(b, "approximate") && bound(b, "approximate")->flag;
    return layer_unary(e, b, by_tanh ? OP_gelu_tanh : OP_gelu, NULL);
}

/* A convolution of one pixel with bias, whose parameters are those of the part `what` of the layer. */
static Ref pixel_conv(Elab *e, const Bound *b, Ref x, int32_t out, const char *what) {
    const int32_t in = type_channels(&graph_node(e->graph, x)->type), dim[] = {out, in, 1, 1};
    Attr attr = {.conv = {.kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}, .groups = 1}};
    Value init = layer_weight_init(b), first = layer_constant(0);
    if (init.init.kind == INIT_TORCH) first.init.kind = INIT_TORCH, first.init.a = in;
    Ref w = layer_param(e, b, name_join(what, ".", "weight"), PARAM_WEIGHT, init, 4, dim);
    Ref y = w ? layer_node(e, b, OP_conv, 2, (Ref[]){x, w}, &attr) : 0;
    Ref bias = y ? layer_param(e, b, name_join(what, ".", "bias"), PARAM_WEIGHT, first, 1, &out) : 0;
    return bias ? layer_node(e, b, OP_add, 2, (Ref[]){y, bias}, NULL) : 0;
}

/* Squeeze and excitation (Hu et al. 2018), with torchvision's names of parameters. */
Value build_se(Elab *e, const Bound *b) {
    Ref x = bound(b, "x")->tensor, y;
    const Type t = *tensor_type(e, bound(b, "x"));
    Attr whole = {.pool = {.kernel = {type_height(&t), type_width(&t)}, .stride = {type_height(&t), type_width(&t)},
                           .count_pad = true}};
    y = layer_node(e, b, OP_avgpool, 1, &x, &whole);
    if (y) y = pixel_conv(e, b, y, (int32_t)bound_int(b, "squeeze"), "fc1");
    if (y) y = layer_node(e, b, OP_relu, 1, &y, NULL);
    if (y) y = pixel_conv(e, b, y, type_channels(&t), "fc2");
    if (y) y = layer_node(e, b, OP_sigmoid, 1, &y, NULL);
    return layer_value(y ? layer_node(e, b, OP_mul, 2, (Ref[]){x, y}, NULL) : 0);
}
