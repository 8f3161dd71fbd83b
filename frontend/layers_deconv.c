/* deconv, the transposed convolution: what a convolution with the same weight and attributes hands back to its input.
 * Its weight is that convolution's, [inputs, outputs / groups, height, width], as PyTorch's ConvTranspose2d has it. */
#include <string.h>

#include "../ir/shape.h"
#include "layers.h"

static bool misfit(Elab *e, const Bound *b, const char *param, const char *code, const char *text) {
    diag_error(e->diags, bound_span(b, param), code, "%s", text);
    return false;
}

static bool check_groups(Elab *e, const Bound *b, int32_t inputs, int32_t outputs, int32_t groups) {
    bool in = inputs % groups == 0;
    if (in && outputs % groups == 0) return true;
    return misfit(e, b, "groups", "E0306",
                  rule_groups_text(e->arena, groups, in ? "output" : "input", in ? outputs : inputs));
}

/* Height (d = 0) or width of the result: (in - 1) stride - pads + span of the kernel + output_pad. */
static bool result_size(Elab *e, const Bound *b, const Type *x, int d, const ConvAttr *c, int32_t *size) {
    static const char *const what[] = {"height", "width"};
    int64_t extra = bound(b, "output_pad")->pad[2 * d], span = (int64_t)c->dilation[d] * (c->kernel[d] - 1) + 1;
    int64_t out = (int64_t)(x->dim[2 + d] - 1) * c->stride[d] - c->pad[2 * d] - c->pad[2 * d + 1] + span + extra;
    if (extra >= c->stride[d])
        return misfit(e, b, "output_pad", "E0336",
                      arena_printf(e->arena, "output_pad is below the stride, but %lld is not below %d",
                                   (long long)extra, c->stride[d]));
    if (out < 1 || out > INT32_MAX)
        return misfit(e, b, "kernel", "E0335",
                      arena_printf(e->arena, "`deconv` of %s would have a %s of (%d - 1)*%d - %d - %d + %lld + %lld = %lld",
                                   type_shape_text(e->arena, x), what[d], x->dim[2 + d], c->stride[d], c->pad[2 * d],
                                   c->pad[2 * d + 1], (long long)span, (long long)extra, (long long)out));
    *size = (int32_t)out;
    return true;
}

Value build_deconv(Elab *e, const Bound *b) {
    const Type x = *tensor_type(e, bound(b, "x"));
    Attr attr = {.conv = {.groups = (int32_t)bound_int(b, "groups"), .in_c = (int32_t)bound_int(b, "out")}};
    ConvAttr *c = &attr.conv;
    if (x.rank != 4) {
        diag_error(e->diags, b->at, "E0302", "`deconv` needs channels x height x width, but its input is %s",
                   type_shape_text(e->arena, &x));
        return v_error;
    }
    layer_pair(c->kernel, bound(b, "kernel"));
    layer_pair(c->stride, bound(b, "stride"));
    layer_pair(c->dilation, bound(b, "dilation"));
    memcpy(c->pad, bound(b, "pad")->pad, sizeof c->pad);
    if (!check_groups(e, b, x.dim[1], c->in_c, c->groups) || !result_size(e, b, &x, 0, c, &c->in_h) ||
        !result_size(e, b, &x, 1, c, &c->in_w))
        return v_error;
    int32_t dim[] = {x.dim[1], c->in_c / c->groups, c->kernel[0], c->kernel[1]};
    Ref w = layer_param(e, b, "weight", PARAM_WEIGHT, layer_weight_init(b), 4, dim);
    if (!w) return v_error;
    Ref in[] = {bound(b, "x")->tensor, layer_node(e, b, OP_swap_io, 1, &w, &attr)};
    Ref y = in[1] ? layer_node(e, b, OP_conv_dgrad, 2, in, &attr) : 0;
    return layer_value(layer_bias(e, b, y, c->in_c, (double)dim[1] * dim[2] * dim[3]));
}
