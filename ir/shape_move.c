/* Operators that only move numbers: flatten, reshape, concat, slice, pad_channels, channel_shuffle, spread. */
#include "shape.h"

bool shape_flatten(const Graph *g, const Node *n, Type *result, Diags *d) {
    const Type *x = rule_in(g, n, 0);
    if (!rule_floats(g, n, 0, d)) return false;
    if (!type_batched(x) || x->rank < 2)
        return rule_misfit(n, d, E_OPERAND, "`flatten` needs channels x height x width, but its input is %s",
                           rule_text(d, x));
    return rule_result(n, d, result, DT_F32, DIMS(BATCH, type_elements(x)));
}

bool shape_reshape(const Graph *g, const Node *n, Type *result, Diags *d) {
    const Type *x = rule_in(g, n, 0);
    if (!rule_given(n, d, result, &n->attr.shape.type)) return false;
    return (x->dtype == result->dtype && type_batched(x) == type_batched(result) &&
            type_elements(x) == type_elements(result)) ||
           rule_misfit(n, d, E_INTERNAL, "cannot reshape %s to %s", rule_text(d, x), rule_text(d, result));
}

static bool joins(const Type *a, const Type *b) {
    int c = type_channel_dim(a);
    if (a->dtype != b->dtype || a->rank != b->rank || c != type_channel_dim(b)) return false;
    for (int i = c + 1; i < a->rank; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

static bool concat_misfit(const Graph *g, const Node *n, int i, Diags *d) {
    const Type *a = rule_in(g, n, 0), *b = rule_in(g, n, i);
    Type same = *b;   /* with a's channels: these may differ and are not to be blamed */
    if (a->rank == b->rank && a->rank > 1) same.dim[1] = a->dim[1];
    return rule_misfit(n, d, E_CONCAT, "cannot concatenate %s and %s: %s", rule_text(d, a), rule_text(d, b),
                       rule_difference(d, a, &same));
}

bool shape_concat(const Graph *g, const Node *n, Type *result, Diags *d) {
    int64_t channels = 0;
    if (!rule_channels(g, n, 0, d)) return false;
    for (int i = 0; i < n->n_in; i++) {
        if (!joins(rule_in(g, n, 0), rule_in(g, n, i))) return concat_misfit(g, n, i, d);
        channels += type_channels(rule_in(g, n, i));   /* at most 4096 operands of 2^31 */
    }
    return rule_like(g, n, d, result, channels);
}

bool shape_slice(const Graph *g, const Node *n, Type *result, Diags *d) {
    const SliceAttr *a = &n->attr.slice;
    if (!rule_channels(g, n, 0, d)) return false;
    const Type *x = rule_in(g, n, 0);
    if (a->from < 0 || a->count < 1 || (int64_t)a->from + a->count > type_channels(x))
        return rule_misfit(n, d, E_RANGE, "channels %d to %lld are not in a tensor of %s", a->from,
                           (long long)a->from + a->count - 1, rule_text(d, x));
    return rule_like(g, n, d, result, a->count);
}

bool shape_pad_channels(const Graph *g, const Node *n, Type *result, Diags *d) {
    const SliceAttr *a = &n->attr.slice;
    if (!rule_channels(g, n, 0, d)) return false;
    const Type *x = rule_in(g, n, 0);
    if (a->from < 0 || a->count < 1 || (int64_t)a->from + type_channels(x) > a->count)
        return rule_misfit(n, d, E_RANGE, "a tensor of %s does not fit at channel %d of %d", rule_text(d, x), a->from,
                           a->count);
    return rule_like(g, n, d, result, a->count);
}

bool shape_channel_shuffle(const Graph *g, const Node *n, Type *result, Diags *d) {
    int32_t groups = n->attr.shuffle.groups;
    if (!rule_channels(g, n, 0, d)) return false;
    if (groups < 1) return rule_misfit(n, d, E_WINDOW, "groups must be at least 1, but is %d", groups);
    return rule_groups_divide(n, d, groups, "input", type_channels(rule_in(g, n, 0))) && rule_like(g, n, d, result, 0);
}

bool shape_spread(const Graph *g, const Node *n, Type *result, Diags *d) {
    if (!rule_given(n, d, result, &n->attr.shape.type)) return false;
    if (result->dtype != DT_F32 || type_channel_dim(result) < 0)
        return rule_misfit(n, d, E_INTERNAL, "cannot spread channels to %s", rule_text(d, result));
    return rule_vector(g, n, 0, type_channels(result), d);
}
