/* Layers that are activations. */
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
