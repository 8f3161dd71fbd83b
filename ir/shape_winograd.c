/* The phases of a convolution by Winograd's method. Only the compiler writes them. */
#include "shape.h"
#include "winograd.h"

static int64_t taps(const WinogradAttr *a) {
    int64_t side = (int64_t)a->tile + a->kernel - 1;
    return side * side;
}

static int64_t tiles(const WinogradAttr *a) { return (int64_t)div_up(a->out[1], a->tile) * div_up(a->out[2], a->tile); }

static bool check_attr(const Node *n, Diags *d) {
    const WinogradAttr *a = &n->attr.winograd;
    WinogradMatrices ignored;
    bool good = a->tile > 0 && a->tile < WINOGRAD_MAX && a->kernel > 0 && a->kernel < WINOGRAD_MAX && a->band >= 0 &&
                winograd_matrices(a->tile, a->kernel, &ignored);
    for (int i = 0; i < 3; i++) good = good && a->out[i] > 0 && a->out[i] <= INT32_MAX - 16;
    for (int i = 0; i < 2; i++) good = good && a->pad[i] >= 0 && a->pad[i] < a->kernel;
    return good || rule_misfit(n, d, E_INTERNAL, "`%s` has attributes that fit no convolution", op_info[n->op].name);
}

static bool misfit(const Graph *g, const Node *n, int i, Diags *d) {
    return rule_misfit(n, d, E_INTERNAL, "`%s` does not take %s", op_info[n->op].name, rule_text(d, rule_in(g, n, i)));
}

static bool is_taps(const Type *t, const WinogradAttr *a) {
    return t->dtype == DT_F32 && t->rank == 4 && type_batched(t) && t->dim[2] == taps(a) && t->dim[3] == tiles(a);
}

bool shape_winograd_weight(const Graph *g, const Node *n, Type *result, Diags *d) {
    const Type *w = rule_in(g, n, 0);
    const WinogradAttr *a = &n->attr.winograd;
    if (!check_attr(n, d)) return false;
    if (w->dtype != DT_F32 || w->rank != 4 || type_batched(w) || w->dim[0] != a->out[0] || w->dim[2] != a->kernel ||
        w->dim[3] != a->kernel)
        return misfit(g, n, 0, d);
    return rule_result(n, d, result, DT_F32, DIMS(taps(a) * round_up(a->out[0], 16), w->dim[1]));
}

bool shape_winograd_input(const Graph *g, const Node *n, Type *result, Diags *d) {
    const WinogradAttr *a = &n->attr.winograd;
    if (!rule_pictures(g, n, 0, d) || !check_attr(n, d)) return false;
    return rule_result(n, d, result, DT_F32, DIMS(BATCH, rule_in(g, n, 0)->dim[1], taps(a), tiles(a)));
}

bool shape_winograd_product(const Graph *g, const Node *n, Type *result, Diags *d) {
    const Type *v = rule_in(g, n, 0), *u = rule_in(g, n, 1);
    const WinogradAttr *a = &n->attr.winograd;
    if (!check_attr(n, d)) return false;
    if (!is_taps(v, a)) return misfit(g, n, 0, d);
    if (u->dtype != DT_F32 || u->rank != 2 || type_batched(u) || u->dim[0] != taps(a) * round_up(a->out[0], 16) ||
        u->dim[1] != v->dim[1])
        return misfit(g, n, 1, d);
    return rule_result(n, d, result, DT_F32, DIMS(BATCH, a->out[0], taps(a), tiles(a)));
}

bool shape_winograd_output(const Graph *g, const Node *n, Type *result, Diags *d) {
    const WinogradAttr *a = &n->attr.winograd;
    if (!check_attr(n, d)) return false;
    if (!is_taps(rule_in(g, n, 0), a) || rule_in(g, n, 0)->dim[1] != a->out[0]) return misfit(g, n, 0, d);
    return rule_result(n, d, result, DT_F32, DIMS(BATCH, a->out[0], a->out[1], a->out[2]));
}
