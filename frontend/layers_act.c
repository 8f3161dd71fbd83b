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

Value build_relu6(Elab *e, const Bound *b) { return layer_unary(e, b, OP_clip, &(Attr){.clip = {0, 6}}); }

Value build_leaky_relu(Elab *e, const Bound *b) {
    return layer_unary(e, b, OP_leaky_relu, &(Attr){.slope = {bound_real(b, "slope")}});
}

Value build_elu(Elab *e, const Bound *b) {
    return layer_unary(e, b, OP_elu, &(Attr){.slope = {bound_real(b, "alpha")}});
}

Value build_gelu(Elab *e, const Bound *b) {
    bool by_tanh = bound_given(b, "approximate") && bound(b, "approximate")->flag;
    return layer_unary(e, b, by_tanh ? OP_gelu_tanh : OP_gelu, NULL);
}
