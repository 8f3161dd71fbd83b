/* Layer norm and group norm, and their gradients. */
#include "shape.h"

/* Operand 0: numbers of pictures, one or a plane for each channel; and where the operator has groups, whole ones. */
static bool fits(const Graph *g, const Node *n, Diags *d) {
    const Type *x = rule_in(g, n, 0);
    int32_t groups = op_info[n->op].attr == ATTR_GROUPS ? n->attr.groups.groups : 1;
    if (!rule_channels(g, n, 0, d)) return false;
    if (!type_batched(x) || (x->rank != 2 && x->rank != 4))
        return rule_misfit(n, d, E_OPERAND, "`%s` needs channels of pictures, but its input is %s", op_info[n->op].name,
                           rule_text(d, x));
    if (groups < 1) return rule_misfit(n, d, E_WINDOW, "groups must be at least 1, but is %d", groups);
    return rule_groups_divide(n, d, groups, "input", type_channels(x));
}

/* (x, gamma, beta) */
static bool norm(const Graph *g, const Node *n, Type *result, Diags *d) {
    if (!fits(g, n, d)) return false;
    int32_t c = type_channels(rule_in(g, n, 0));
    return rule_vector(g, n, 1, c, d) && rule_vector(g, n, 2, c, d) && rule_like(g, n, d, result, 0);
}

/* (dy, x, gamma) */
static bool norm_grad(const Graph *g, const Node *n, Type *result, Diags *d) {
    return fits(g, n, d) && rule_same(g, n, 0, 1, d) && rule_vector(g, n, 2, type_channels(rule_in(g, n, 0)), d) &&
           rule_like(g, n, d, result, 0);
}

bool shape_layer_norm(const Graph *g, const Node *n, Type *result, Diags *d) { return norm(g, n, result, d); }
bool shape_layer_norm_grad(const Graph *g, const Node *n, Type *result, Diags *d) { return norm_grad(g, n, result, d); }
bool shape_group_norm(const Graph *g, const Node *n, Type *result, Diags *d) { return norm(g, n, result, d); }
bool shape_group_norm_grad(const Graph *g, const Node *n, Type *result, Diags *d) { return norm_grad(g, n, result, d); }

bool shape_layer_norm_dot(const Graph *g, const Node *n, Type *result, Diags *d) {
    const Type *x = rule_in(g, n, 0);
    if (!fits(g, n, d) || !rule_same(g, n, 0, 1, d)) return false;
    if (x->rank == 2) return rule_like(g, n, d, result, 0);
    return rule_result(n, d, result, DT_F32, DIMS(BATCH, x->dim[1], x->dim[2], 1));
}

bool shape_group_norm_dot(const Graph *g, const Node *n, Type *result, Diags *d) {
    return fits(g, n, d) && rule_same(g, n, 0, 1, d) &&
           rule_result(n, d, result, DT_F32, DIMS(BATCH, rule_in(g, n, 0)->dim[1]));
}
