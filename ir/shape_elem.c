/* Sources and element-wise operators. */
#include "shape.h"

static bool is_shape(const Type *t, DType dtype, int rank) {
    return t->dtype == dtype && t->rank == rank && (rank == 0 || type_batched(t));
}

/* A label for each picture, or for each of its pixels. */
static bool is_labels(const Type *t) {
    return is_shape(t, DT_I32, 1) || (is_shape(t, DT_I32, 4) && t->dim[1] == 1);
}

bool shape_input(const Graph *g, const Node *n, Type *result, Diags *d) {
    const InputAttr *a = &n->attr.input;
    (void)g;
    if (!rule_given(n, d, result, &a->type)) return false;
    const bool fit[INPUT_ROLE_COUNT] = {[INPUT_IMAGE] = is_shape(result, DT_F32, 4),
                                        [INPUT_LABEL] = is_labels(result),
                                        [INPUT_PARTNER] = is_shape(result, DT_I32, 1),
                                        [INPUT_SHARE] = is_shape(result, DT_F32, 1),
                                        [INPUT_LR] = is_shape(result, DT_F32, 0),
                                        [INPUT_AGAIN] = is_shape(result, DT_F32, 0)};
    bool fits = a->role < INPUT_ROLE_COUNT && fit[a->role];
    return fits ||
           rule_misfit(n, d, E_INTERNAL, "an input of that role cannot be %s of %s", dtype_name[result->dtype],
                       rule_text(d, result));
}

bool shape_param(const Graph *g, const Node *n, Type *result, Diags *d) {
    (void)g;
    if (!rule_given(n, d, result, &n->attr.param.type)) return false;
    return (result->dtype == DT_F32 && !type_batched(result)) ||
           rule_misfit(n, d, E_INTERNAL, "a parameter must be f32 and cannot depend on the batch");
}

bool shape_table(const Graph *g, const Node *n, Type *result, Diags *d) {
    (void)g;
    return rule_result(n, d, result, DT_F32, DIMS(table_numbers(&n->attr.table, NULL, NULL)));
}

bool shape_fill(const Graph *g, const Node *n, Type *result, Diags *d) {
    (void)g;
    return rule_given(n, d, result, &n->attr.fill.type);
}

/* x op y: equal shapes, or y has one number for each channel of x, for each channel of each picture; a factor may be
 * one for all. */
static bool binary(const Graph *g, const Node *n, Type *result, Diags *d, const char *verb) {
    const Type *x = rule_in(g, n, 0), *y = rule_in(g, n, 1);
    if (!rule_floats(g, n, 0, d) || !rule_floats(g, n, 1, d)) return false;
    bool vector = y->rank == 1 && !type_batched(y) && type_channel_dim(x) >= 0;
    Broadcast b = type_broadcast(x, y);
    if (b != BROADCAST_MISFIT && (b != BROADCAST_ONE || n->op == OP_mul)) return rule_like(g, n, d, result, 0);
    bool plane = y->rank == 4 && x->rank == 4 && type_height(y) == 1 && type_width(y) == 1;
    return rule_misfit(n, d, E_SHAPES, "cannot %s %s and %s: %s", verb, rule_text(d, x), rule_text(d, y),
                       (vector && x->rank > 1) || plane ? "channels differ" : rule_difference(d, x, y));
}

bool shape_add(const Graph *g, const Node *n, Type *result, Diags *d) { return binary(g, n, result, d, "add"); }
bool shape_sub(const Graph *g, const Node *n, Type *result, Diags *d) { return binary(g, n, result, d, "subtract"); }
bool shape_mul(const Graph *g, const Node *n, Type *result, Diags *d) { return binary(g, n, result, d, "multiply"); }

static bool unary(const Graph *g, const Node *n, Type *result, Diags *d) {
    return rule_floats(g, n, 0, d) && rule_like(g, n, d, result, 0);
}

bool shape_scale(const Graph *g, const Node *n, Type *result, Diags *d) { return unary(g, n, result, d); }
bool shape_rsqrt(const Graph *g, const Node *n, Type *result, Diags *d) { return unary(g, n, result, d); }
bool shape_to_half(const Graph *g, const Node *n, Type *result, Diags *d) {
    if (!unary(g, n, result, d)) return false;
    result->dtype = DT_F16;
    return true;
}

bool shape_dropout(const Graph *g, const Node *n, Type *result, Diags *d) { return unary(g, n, result, d); }

/* What an activation's attributes must be. Below a slope of 0 the sign of the result would not be that of the operand. */
static bool activation_fits(const Node *n, Diags *d) {
    const ClipAttr *c = &n->attr.clip;
    AttrKind kind = op_info[n->op].attr;
    if (kind == ATTR_CLIP && !(c->lo < c->hi))
        return rule_misfit(n, d, E_INTERNAL, "nothing lies between %g and %g", c->lo, c->hi);
    return kind != ATTR_SLOPE || n->attr.slope.slope >= 0 ||
           rule_misfit(n, d, E_INTERNAL, "a slope of %g is negative", n->attr.slope.slope);
}

#define ACT(id, ...)                                                                               \
    bool shape_##id(const Graph *g, const Node *n, Type *result, Diags *d) {                       \
        return activation_fits(n, d) && unary(g, n, result, d);                                    \
    }                                                                                              \
    bool shape_##id##_grad(const Graph *g, const Node *n, Type *result, Diags *d) {                \
        return activation_fits(n, d) && rule_same(g, n, 0, 1, d) && unary(g, n, result, d);        \
    }
#include "acts.def"
#undef ACT

bool shape_bn(const Graph *g, const Node *n, Type *result, Diags *d) {
    if (!rule_channels(g, n, 0, d)) return false;
    int32_t c = type_channels(rule_in(g, n, 0));
    bool planes = type_batched(rule_in(g, n, 1)); /* statistics of some pictures at a time */
    for (int i = planes ? 3 : 1; i < n->n_in; i++)
        if (!rule_vector(g, n, i, c, d)) return false;
    if (planes && !rule_same(g, n, 1, 2, d)) return false;
    bool each = type_batched(rule_in(g, n, 0)) && rule_in(g, n, 1)->rank == 2 && type_channels(rule_in(g, n, 1)) == c;
    if (planes && !each)
        return rule_misfit(n, d, E_INTERNAL, "`bn` needs one number for each channel of each picture, but gets %s",
                           rule_text(d, rule_in(g, n, 1)));
    return rule_like(g, n, d, result, 0);
}
