/* Layers that normalise: bn, layer_norm, group_norm, lrn; and scale. */
#include "layers.h"

static Ref weight_vector(Elab *e, const Bound *b, const char *what, ParamRole role, double first) {
    int32_t channels = type_channels(tensor_type(e, bound(b, "x")));
    return layer_param(e, b, what, role, layer_constant(first), 1, &channels);
}

Value build_bn(Elab *e, const Bound *b) {
    Attr attr = {.norm = {.eps = bound_real(b, "eps"), .momentum = bound_real(b, "momentum")}};
    if (bound_given(b, "ghost")) attr.norm.ghost = (int32_t)bound_int(b, "ghost");
    Ref gamma = weight_vector(e, b, "weight", PARAM_WEIGHT, bound_real(b, "gamma"));
    Ref beta = weight_vector(e, b, "bias", PARAM_WEIGHT, bound_real(b, "beta"));
    Ref mean = weight_vector(e, b, "running_mean", PARAM_BUFFER, 0);
    Ref var = weight_vector(e, b, "running_var", PARAM_BUFFER, 1);
    if (!gamma || !beta || !mean || !var) return v_error;
    Ref in[] = {bound(b, "x")->tensor, mean, var, gamma, beta};
    return layer_value(layer_node(e, b, OP_bn, 5, in, &attr));
}

static Value affine(Elab *e, const Bound *b, Op op, const Attr *attr) {
    Ref gamma = weight_vector(e, b, "weight", PARAM_WEIGHT, bound_real(b, "gamma"));
    Ref beta = weight_vector(e, b, "bias", PARAM_WEIGHT, bound_real(b, "beta"));
    if (!gamma || !beta) return v_error;
    Ref in[] = {bound(b, "x")->tensor, gamma, beta};
    return layer_value(layer_node(e, b, op, 3, in, attr));
}

/* Over the channels of each pixel, as ConvNeXt's LayerNorm2d; of a flat tensor that is torch.nn.LayerNorm. */
Value build_layer_norm(Elab *e, const Bound *b) {
    return affine(e, b, OP_layer_norm, &(Attr){.eps = {bound_real(b, "eps")}});
}

Value build_group_norm(Elab *e, const Bound *b) {
    return affine(e, b, OP_group_norm, &(Attr){.groups = {bound_real(b, "eps"), (int32_t)bound_int(b, "groups")}});
}

/* Its parameter bears the layer's own name, as one that a module of PyTorch has itself. */
Value build_scale(Elab *e, const Bound *b) {
    Ref in[] = {bound(b, "x")->tensor, weight_vector(e, b, NULL, PARAM_WEIGHT, bound_real(b, "init"))};
    return layer_value(in[1] ? layer_node(e, b, OP_mul, 2, in, NULL) : 0);
}

Value build_lrn(Elab *e, const Bound *b) {
    Attr attr = {.lrn = {.size = (int32_t)bound_int(b, "size"),
                         .alpha = bound_real(b, "alpha"),
                         .beta = bound_real(b, "beta"),
                         .k = bound_real(b, "k")}};
    return layer_unary(e, b, OP_lrn, &attr);
}
