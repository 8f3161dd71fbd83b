#include "shape.h"

bool shape_infer(const Graph *g, const Node *n, Type *result, Diags *d) {
    return op_info[n->op].shape(g, n, result, d);
}

const Type *rule_in(const Graph *g, const Node *n, int i) { return &graph_node(g, n->in[i])->type; }

bool rule_misfit(const Node *n, Diags *d, const char *code, const char *format, ...) {
    if (!d) return false;
    va_list ap;
    va_start(ap, format);
    const char *text = arena_vprintf(d->arena, format, ap);
    va_end(ap);
    diag_error(d, n->span, code, "%s", text);
    return false;
}

const char *rule_text(Diags *d, const Type *t) { return d ? type_shape_text(d->arena, t) : ""; }

const char *rule_difference(Diags *d, const Type *a, const Type *b) {
    static const char *const what[MAX_RANK] = {"", "channels", "heights", "widths"};
    if (!d) return "";
    if (a->dtype != b->dtype) return "element types differ";
    if (a->rank != b->rank) return "numbers of dimensions differ";
    if (!type_batched(a) || !type_batched(b)) return "sizes differ";
    const char *differ[MAX_RANK];
    int n = 0;
    for (int i = 1; i < a->rank; i++)
        if (a->dim[i] != b->dim[i]) differ[n++] = what[i];
    Str s = STR(d->arena);
    for (int i = 0; i < n; i++) {
        str_add(&s, i == 0 ? "" : i == n - 1 ? " and " : ", ");
        str_add(&s, differ[i]);
    }
    str_add(&s, " differ");
    return str_text(&s);
}

const char *rule_groups_text(Arena *a, int32_t groups, const char *side, int64_t channels) {
    if (groups > channels)
        return arena_printf(a, "groups = %d is more than the %s's %lld channels", groups, side, (long long)channels);
    return arena_printf(a, "groups = %d does not divide the %s's %lld channels: %lld = %lld * %d + %lld", groups, side,
                        (long long)channels, (long long)channels, (long long)(channels / groups), groups,
                        (long long)(channels % groups));
}

bool rule_groups_divide(const Node *n, Diags *d, int32_t groups, const char *side, int64_t channels) {
    if (channels % groups == 0) return true;
    return d && rule_misfit(n, d, E_GROUPS, "%s", rule_groups_text(d->arena, groups, side, channels));
}

bool rule_window_misfit(const Node *n, Diags *d, int64_t in_h, int64_t in_w, const int32_t *kernel,
                        const int32_t *dilation, const int32_t *pad) {
    if (!d) return false;
    const int32_t one[] = {1, 1}, *apart = dilation ? dilation : one;
    const char *spans = "", *pads = arena_printf(d->arena, "2*%d", pad[0]);
    if (apart[0] > 1 || apart[1] > 1)
        spans = arena_printf(d->arena, " of dilation %dx%d, which spans %lldx%lld,", apart[0], apart[1],
                             (long long)apart[0] * (kernel[0] - 1) + 1, (long long)apart[1] * (kernel[1] - 1) + 1);
    if (pad[0] != pad[1] || pad[0] != pad[2] || pad[0] != pad[3])
        pads = arena_printf(d->arena, "%d+%d and %d+%d", pad[0], pad[1], pad[2], pad[3]);
    return rule_misfit(n, d, E_KERNEL, "a %dx%d window%s does not fit on %lldx%lld (+ %s padding)", kernel[0],
                       kernel[1], spans, (long long)in_h, (long long)in_w, pads);
}

static bool fits_limits(const Node *n, Diags *d, int rank, const int64_t *dim) {
    int64_t elements = 1;
    for (int i = 0; i < rank; i++) {
        if (i == 0 && dim[i] == BATCH) continue;
        if (dim[i] < 1 || dim[i] > INT32_MAX)
            return rule_misfit(n, d, E_LIMIT, "`%s` would give a tensor with a dimension of %lld: allowed are 1 to %d",
                               op_info[n->op].name, (long long)dim[i], INT32_MAX);
        if (!mul_ok(elements, dim[i], &elements) || elements > MAX_ELEMENTS)
            return rule_misfit(n, d, E_LIMIT, "`%s` would give a tensor of more than 2^40 numbers",
                               op_info[n->op].name);
    }
    return true;
}

bool rule_result(const Node *n, Diags *d, Type *result, DType dtype, int rank, const int64_t *dim) {
    if (!fits_limits(n, d, rank, dim)) return false;
    int32_t narrow[MAX_RANK];
    for (int i = 0; i < rank; i++) narrow[i] = (int32_t)dim[i];
    *result = type_make(dtype, rank, narrow);
    return true;
}

bool rule_given(const Node *n, Diags *d, Type *result, const Type *given) {
    if (given->dtype >= DT_COUNT || given->rank < 0 || given->rank > MAX_RANK)
        return rule_misfit(n, d, E_INTERNAL, "`%s` has no proper type", op_info[n->op].name);
    int64_t dim[MAX_RANK];
    for (int i = 0; i < given->rank; i++) dim[i] = given->dim[i];
    if (!rule_result(n, d, result, given->dtype, given->rank, dim)) return false;
    return type_equal(result, given) ||
           rule_misfit(n, d, E_INTERNAL, "the type attribute of `%s` has a layout", op_info[n->op].name);
}

bool rule_like(const Graph *g, const Node *n, Diags *d, Type *result, int64_t c) {
    const Type *x = rule_in(g, n, 0);
    int64_t dim[MAX_RANK];
    for (int i = 0; i < x->rank; i++) dim[i] = x->dim[i];
    if (c) dim[type_channel_dim(x)] = c;
    return rule_result(n, d, result, x->dtype, x->rank, dim);
}

bool rule_pictures(const Graph *g, const Node *n, int i, Diags *d) {
    const Type *t = rule_in(g, n, i);
    return (t->dtype == DT_F32 && t->rank == 4 && type_batched(t)) ||
           rule_misfit(n, d, E_OPERAND, "`%s` needs channels x height x width, but its input is %s",
                       op_info[n->op].name, rule_text(d, t));
}

bool rule_floats(const Graph *g, const Node *n, int i, Diags *d) {
    const Type *t = rule_in(g, n, i);
    return t->dtype == DT_F32 || rule_misfit(n, d, E_OPERAND, "`%s` needs floating-point numbers, but its input has %s",
                                             op_info[n->op].name, dtype_name[t->dtype]);
}

bool rule_channels(const Graph *g, const Node *n, int i, Diags *d) {
    if (!rule_floats(g, n, i, d)) return false;
    return type_channel_dim(rule_in(g, n, i)) >= 0 ||
           rule_misfit(n, d, E_OPERAND, "`%s` needs a tensor with channels, but its input is one number",
                       op_info[n->op].name);
}

bool rule_vector(const Graph *g, const Node *n, int i, int32_t c, Diags *d) {
    const Type *t = rule_in(g, n, i);
    if (t->dtype == DT_F32 && t->rank == 1 && t->dim[0] == c) return true;
    return rule_misfit(n, d, E_INTERNAL, "`%s` needs one number for each of %d channels, but operand %d is %s",
                       op_info[n->op].name, c, i + 1, rule_text(d, t));
}

bool rule_same(const Graph *g, const Node *n, int i, int j, Diags *d) {
    const Type *a = rule_in(g, n, i), *b = rule_in(g, n, j);
    return type_same_shape(a, b) ||
           rule_misfit(n, d, E_INTERNAL, "`%s` needs equal shapes, but operand %d is %s and operand %d is %s: %s",
                       op_info[n->op].name, i + 1, rule_text(d, a), j + 1, rule_text(d, b), rule_difference(d, a, b));
}

int64_t window_count(int64_t in, int64_t pads, int64_t kernel, int64_t stride, int64_t dilation) {
    int64_t room = in + pads - dilation * (kernel - 1) - 1;
    return room < 0 ? 0 : room / stride + 1;
}
