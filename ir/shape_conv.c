/* Convolution, the fully connected layer, and their gradients. */
#include "shape.h"

static bool check_attr(const Node *n, Diags *d) {
    const ConvAttr *a = &n->attr.conv;
    for (int i = 0; i < 2; i++)
        if (a->kernel[i] < 1 || a->stride[i] < 1 || a->dilation[i] < 1)
            return rule_misfit(n, d, E_WINDOW, "kernel, stride and dilation must be at least 1, but are %d, %d and %d",
                               a->kernel[i], a->stride[i], a->dilation[i]);
    for (int i = 0; i < 4; i++)
        if (a->pad[i] < 0) return rule_misfit(n, d, E_WINDOW, "a pad must not be negative, but is %d", a->pad[i]);
    return a->groups >= 1 || rule_misfit(n, d, E_WINDOW, "groups must be at least 1, but is %d", a->groups);
}

/* out[0..1]: height and width of the convolution of an in_h x in_w picture. */
static bool output_size(const Node *n, Diags *d, int64_t in_h, int64_t in_w, int64_t out[2]) {
    const ConvAttr *a = &n->attr.conv;
    const int64_t in[2] = {in_h, in_w};
    for (int i = 0; i < 2; i++) {
        int64_t pads = (int64_t)a->pad[2 * i] + a->pad[2 * i + 1];
        out[i] = window_count(in[i], pads, a->kernel[i], a->stride[i], a->dilation[i]);
        if (out[i] == 0) return rule_window_misfit(n, d, in_h, in_w, a->kernel, a->dilation, a->pad);
    }
    return true;
}

static bool groups_divide(const Node *n, Diags *d, int64_t in, int64_t out) {
    int32_t groups = n->attr.conv.groups;
    return rule_groups_divide(n, d, groups, "input", in) && rule_groups_divide(n, d, groups, "output", out);
}

/* Weights are made by the compiler: these checks guard against our own mistakes. */
static bool check_weight(const Graph *g, const Node *n, Diags *d, int64_t dim0, int64_t dim1) {
    const Type *w = rule_in(g, n, 1);
    const ConvAttr *a = &n->attr.conv;
    if (w->dtype == DT_F32 && w->rank == 4 && w->dim[0] == dim0 && w->dim[1] == dim1 && w->dim[2] == a->kernel[0] &&
        w->dim[3] == a->kernel[1])
        return true;
    return rule_misfit(n, d, E_INTERNAL, "`%s` needs a weight of %lldx%lldx%dx%d, but gets %s", op_info[n->op].name,
                       (long long)dim0, (long long)dim1, a->kernel[0], a->kernel[1], rule_text(d, w));
}

bool shape_conv(const Graph *g, const Node *n, Type *result, Diags *d) {
    const Type *x = rule_in(g, n, 0), *w = rule_in(g, n, 1);
    int64_t out[2];
    if (!rule_pictures(g, n, 0, d) || !check_attr(n, d)) return false;
    int64_t outputs = w->rank == 4 ? w->dim[0] : 0;
    if (!groups_divide(n, d, x->dim[1], outputs)) return false;
    if (outputs < 1) return rule_misfit(n, d, E_INTERNAL, "the weight of `conv` is %s", rule_text(d, w));
    if (!check_weight(g, n, d, outputs, x->dim[1] / n->attr.conv.groups)) return false;
    if (!output_size(n, d, x->dim[2], x->dim[3], out)) return false;
    return rule_result(n, d, result, DT_F32, DIMS(BATCH, outputs, out[0], out[1]));
}

/* dy must be what a convolution of an in_h x in_w picture gives. */
static bool check_dy(const Graph *g, const Node *n, Diags *d, int64_t in_h, int64_t in_w) {
    const Type *dy = rule_in(g, n, 0);
    int64_t out[2];
    if (!rule_pictures(g, n, 0, d) || !check_attr(n, d) || !output_size(n, d, in_h, in_w, out)) return false;
    return (dy->dim[2] == out[0] && dy->dim[3] == out[1]) ||
           rule_misfit(n, d, E_INTERNAL, "`%s` needs a gradient of height %lld and width %lld, but gets %s",
                       op_info[n->op].name, (long long)out[0], (long long)out[1], rule_text(d, dy));
}

bool shape_conv_dgrad(const Graph *g, const Node *n, Type *result, Diags *d) {
    const ConvAttr *a = &n->attr.conv;
    if (a->in_c < 1 || a->in_h < 1 || a->in_w < 1)
        return rule_misfit(n, d, E_INTERNAL, "`conv_dgrad` does not know the shape of x");
    if (!check_dy(g, n, d, a->in_h, a->in_w)) return false;
    int64_t outputs = rule_in(g, n, 0)->dim[1];
    if (!groups_divide(n, d, a->in_c, outputs) || !check_weight(g, n, d, a->in_c, outputs / a->groups)) return false;
    return rule_result(n, d, result, DT_F32, DIMS(BATCH, a->in_c, a->in_h, a->in_w));
}

bool shape_conv_wgrad(const Graph *g, const Node *n, Type *result, Diags *d) {
    const ConvAttr *a = &n->attr.conv;
    const Type *x = rule_in(g, n, 1);
    if (!rule_pictures(g, n, 1, d) || !check_dy(g, n, d, x->dim[2], x->dim[3])) return false;
    if (a->in_c != x->dim[1])
        return rule_misfit(n, d, E_INTERNAL, "`conv_wgrad` has in_c = %d, but x has %d channels", a->in_c, x->dim[1]);
    int64_t outputs = rule_in(g, n, 0)->dim[1];
    if (!groups_divide(n, d, a->in_c, outputs)) return false;
    return rule_result(n, d, result, DT_F32, DIMS(outputs, a->in_c / a->groups, a->kernel[0], a->kernel[1]));
}

bool shape_swap_io(const Graph *g, const Node *n, Type *result, Diags *d) {
    const Type *w = rule_in(g, n, 0);
    int32_t groups = n->attr.conv.groups;
    if (w->dtype != DT_F32 || w->rank != 4 || type_batched(w) || groups < 1 || w->dim[0] % groups != 0)
        return rule_misfit(n, d, E_INTERNAL, "`swap_io` in %d groups does not take %s", groups, rule_text(d, w));
    return rule_result(n, d, result, DT_F32,
                       DIMS((int64_t)w->dim[1] * groups, w->dim[0] / groups, w->dim[2], w->dim[3]));
}

static bool check_fc_weight(const Node *n, Diags *d, const Type *w) {
    bool good = w->dtype == DT_F32 || (n->op == OP_fc && w->dtype == DT_F16);
    return (good && (w->rank == 2 || w->rank == 4) && !type_batched(w)) ||
           rule_misfit(n, d, E_INTERNAL, "the weight of `%s` is %s", op_info[n->op].name, rule_text(d, w));
}

/* x of fc, or its weight's gradient's x: a vector or a picture per picture. */
static bool check_fc_x(const Graph *g, const Node *n, int i, Diags *d) {
    const Type *x = rule_in(g, n, i);
    return (x->dtype == DT_F32 && type_batched(x) && (x->rank == 2 || x->rank == 4)) ||
           rule_misfit(n, d, E_OPERAND, "`%s` needs a vector or channels x height x width, but its input is %s",
                       op_info[n->op].name, rule_text(d, x));
}

static bool check_fc_dy(const Graph *g, const Node *n, Diags *d) {
    const Type *dy = rule_in(g, n, 0);
    return (dy->dtype == DT_F32 && dy->rank == 2 && type_batched(dy)) ||
           rule_misfit(n, d, E_INTERNAL, "`%s` needs a vector per picture, but gets %s", op_info[n->op].name,
                       rule_text(d, dy));
}

bool shape_fc(const Graph *g, const Node *n, Type *result, Diags *d) {
    const Type *x = rule_in(g, n, 0), *w = rule_in(g, n, 1);
    if (!check_fc_x(g, n, 0, d) || !check_fc_weight(n, d, w)) return false;
    bool fits = w->rank == x->rank;
    for (int i = 1; fits && i < x->rank; i++) fits = w->dim[i] == x->dim[i];
    if (!fits)
        return rule_misfit(n, d, E_INTERNAL, "a weight of %s does not fit an input of %s", rule_text(d, w),
                           rule_text(d, x));
    return rule_result(n, d, result, DT_F32, DIMS(BATCH, w->dim[0]));
}

bool shape_fc_dgrad(const Graph *g, const Node *n, Type *result, Diags *d) {
    const Type *dy = rule_in(g, n, 0), *w = rule_in(g, n, 1);
    if (!check_fc_dy(g, n, d) || !check_fc_weight(n, d, w)) return false;
    if (w->dim[0] != dy->dim[1])
        return rule_misfit(n, d, E_INTERNAL, "a weight of %s does not fit a gradient of %s", rule_text(d, w),
                           rule_text(d, dy));
    return rule_result(n, d, result, DT_F32, w->rank, (const int64_t[]){BATCH, w->dim[1], w->dim[2], w->dim[3]});
}

bool shape_fc_wgrad(const Graph *g, const Node *n, Type *result, Diags *d) {
    const Type *dy = rule_in(g, n, 0), *x = rule_in(g, n, 1);
    if (!check_fc_dy(g, n, d) || !check_fc_x(g, n, 1, d)) return false;
    return rule_result(n, d, result, DT_F32, x->rank, (const int64_t[]){dy->dim[1], x->dim[1], x->dim[2], x->dim[3]});
}
