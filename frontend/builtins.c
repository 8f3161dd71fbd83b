/* Functions of compile-time values, and initialisers. The rows are in builtins.def. */
#include <math.h>
#include <string.h>

#include "eval.h"

/* Several numbers, or one list of them. */
static Value extreme(Elab *e, const Bound *b, bool want_max) {
    const Value *list = bound(b, "values");
    if (list->n == 1 && list->item[0].kind == V_LIST) list = &list->item[0];
    Value best = v_none;
    for (int32_t i = 0; i < list->n; i++) {
        const Value *v = &list->item[i];
        if (!value_is_number(v) || (best.kind != V_NONE && v->unit != best.unit)) {
            report_wants(e, bound_span(b, "values"), want_max ? "max" : "min", "numbers of one unit", v);
            return v_error;
        }
        if (best.kind == V_NONE || (want_max ? value_compare(v, &best) > 0 : value_compare(v, &best) < 0)) best = *v;
    }
    if (best.kind != V_NONE) return best;
    diag_error(e->diags, b->at, "E0105", "there is nothing to choose from");
    return v_error;
}

static Value run_min(Elab *e, const Bound *b) { return extreme(e, b, false); }
static Value run_max(Elab *e, const Bound *b) { return extreme(e, b, true); }

/* [a, b] -> [[0, a], [1, b]] */
static Value run_enumerate(Elab *e, const Bound *b) {
    const Value *list = bound(b, "list");
    if (!spend(e, list->n)) return v_error;
    Value *pair = NEW_ARRAY(e->arena, Value, list->n);
    for (int32_t i = 0; i < list->n; i++) {
        Value *two = NEW_ARRAY(e->arena, Value, 2);
        two[0] = value_int(i);
        two[1] = list->item[i];
        pair[i] = value_list(two, 2);
    }
    return value_list(pair, list->n);
}

static Value run_len(Elab *e, const Bound *b) {
    (void)e;
    return value_int(bound(b, "list")->n);
}

static Value run_abs(Elab *e, const Bound *b) {
    (void)e;
    Value v = *bound(b, "x");
    if (v.kind == V_REAL) v.real = fabs(v.real);
    else if (v.ratio.num < 0) v.ratio.num = -v.ratio.num;
    return v;
}

/* The whole number next to x in the given direction; its unit stays. */
static Value rounded(Elab *e, const Bound *b, double (*round_real)(double), int64_t (*round_ratio)(int64_t, int64_t)) {
    Value v = *bound(b, "x");
    if (v.kind == V_RATIO) {
        v.ratio.num = round_ratio(v.ratio.num, v.ratio.den);
        v.ratio.den = 1;
        return v;
    }
    double x = round_real(v.real);
    if (fabs(x) > 9007199254740992.0) {
        diag_error(e->diags, b->at, "E0112", "this number is too large to round");
        return v_error;
    }
    Value whole = value_int((int64_t)x);
    whole.unit = v.unit;
    return whole;
}

static int64_t floor_ratio(int64_t n, int64_t d) { return n / d - (n % d < 0); }
static int64_t ceil_ratio(int64_t n, int64_t d) { return n / d + (n % d > 0); }
static Value run_floor(Elab *e, const Bound *b) { return rounded(e, b, floor, floor_ratio); }
static Value run_ceil(Elab *e, const Bound *b) { return rounded(e, b, ceil, ceil_ratio); }

static Value init_value(InitKind kind, double a, double b) { return (Value){.kind = V_INIT, .init = {kind, a, b}}; }

/* normal(std), or normal(mean, std). */
static Value run_normal(Elab *e, const Bound *b) {
    bool mean = bound_given(b, "std");
    double std = bound_real(b, mean ? "std" : "mean");
    if (std >= 0) return init_value(INIT_NORMAL, mean ? bound_real(b, "mean") : 0, std);
    diag_error(e->diags, b->at, "E0125", "a standard deviation is at least 0");
    return v_error;
}

static Value run_uniform(Elab *e, const Bound *b) {
    double lo = bound_real(b, "low"), hi = bound_real(b, "high");
    if (lo <= hi) return init_value(INIT_UNIFORM, lo, hi);
    diag_error(e->diags, b->at, "E0125", "the lower end is above the upper end");
    return v_error;
}

static Value run_constant(Elab *e, const Bound *b) {
    (void)e;
    return init_value(INIT_CONSTANT, bound_real(b, "value"), 0);
}

static Value run_he(Elab *e, const Bound *b) { (void)e, (void)b; return init_value(INIT_HE, 0, 0); }
static Value run_xavier(Elab *e, const Bound *b) { (void)e, (void)b; return init_value(INIT_XAVIER, 0, 0); }
static Value run_torch(Elab *e, const Bound *b) { (void)e, (void)b; return init_value(INIT_TORCH, 0, 0); }

static const Function builtin_table[] = {
#define FUNCTION(id, text) {.kind = FN_BUILTIN, .name = #id, .signature = text, .run = run_##id},
#include "builtins.def"
#undef FUNCTION
};

const Function *builtin_find(Name name) {
    for (int i = 0; i < ARRAY_LEN(builtin_table); i++)
        if (!strcmp(builtin_table[i].name, name)) return &builtin_table[i];
    return NULL;
}

int builtin_names(const char **out, int cap) {
    int n = 0;
    for (int i = 0; i < ARRAY_LEN(builtin_table) && n < cap; i++) out[n++] = builtin_table[i].name;
    return n;
}
