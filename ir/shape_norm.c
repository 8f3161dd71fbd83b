/* Layer norm and its gradients. */
#include "shape.h"

/* Operand i: numbers of pictures, one or a plane for each channel. */
static bool channels_of_pictures(const Graph *g, const Node *n, int i, Diags *d) {
    const Type *x = rule_in(g, n, i);
    if (!rule_channels(g, n, i, d)) return false;
    return (type_batched(x) && (x->rank == 2 || x->rank == 4)) ||
           rule_misfit(n, d, E_OPERAND, "`%s` needs channels of pictures, but its input is %s", op_info[n->op].name,
                       rule_text(d, x));
}

bool shape_layer_norm(const Graph *g, const Node *n, Type *result, Diags *d) {
    if (!channels_of_pictures(g, n, 0, d)) return false;
    int32_t c = type_channels(rule_in(g, n, 0));
    return rule_vector(g, n, 1, c, d) && rule_vector(g, n, 2, c, d) && rule_like(g, n, d, result, 0);
}

bool shape_layer_norm_grad(const Graph *g, const Node *n, Type *result, Diags *d) {
    return channels_of_pictures(g, n, 0, d) && rule_same(g, n, 0, 1, d) &&
           rule_vector(g, n, 2, type_channels(rule_in(g, n, 0)), d) && rule_like(g, n, d, result, 0);
}

bool shape_layer_norm_dot(const Graph *g, const Node *n, Type *result, Diags *d) {
    const Type *x = rule_in(g, n, 0);
    if (!channels_of_pictures(g, n, 0, d) || !rule_same(g, n, 0, 1, d)) return false;
    if (x->rank == 2) return rule_like(g, n, d, result, 0);
    return rule_result(n, d, result, DT_F32, DIMS(BATCH, x->dim[1], x->dim[2], 1));
}
