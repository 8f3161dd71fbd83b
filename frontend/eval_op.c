/* Operators. Numbers stay exact while both sides are; a real on either side makes the result real. */
#include <math.h>
#include <string.h>

#include "blame.h"
#include "derive.h"

/* An operand's shape or number, where the text does not show it. */
static void label_operand(Elab *e, const AstExpr *x, const Value *v) {
    if (v->kind == V_TENSOR) diag_label(e->diags, x->span, "%s", type_shape_text(e->arena, tensor_type(e, v)));
    else if (value_is_number(v) && !expr_is_literal(x)) diag_label(e->diags, x->span, "%s", value_text_of(e->arena, v));
    else diag_label(e->diags, x->span, "%s", value_kind_name(v));
}

static void propose_mul(Elab *e, const AstExpr *x) {
    bool one_line = x->span.len > 1;
    const char *mul = arena_printf(e->arena, "mul(%s, %s)", expr_text(e, x->op.a), expr_text(e, x->op.b));
    if (one_line) diag_fix(e->diags, x->span, mul, "tensors are multiplied by mul");
    else diag_help(e->diags, (Span){0}, "tensors are multiplied by mul(a, b)");
}

/* "conv" + i is "conv{i}". */
static void propose_braces(Elab *e, const AstExpr *x) {
    const char *left = expr_text(e, x->op.a), *right = expr_text(e, x->op.b);
    bool first = x->op.a->kind == X_STRING;
    if (first) left = arena_strndup(e->arena, left + 1, strlen(left) - 2);
    else right = arena_strndup(e->arena, right + 1, strlen(right) - 2);
    const char *text = arena_printf(e->arena, first ? "\"%s{%s}\"" : "\"{%s}%s\"", left, right);
    bool plain = (x->op.a->kind == X_STRING) != (x->op.b->kind == X_STRING) && x->op.op == OPR_add && x->span.len > 1;
    if (plain && !strchr(first ? right : left, '"')) diag_fix(e->diags, x->span, text, "a string holds values in braces");
    else diag_help(e->diags, (Span){0}, "a string holds values in braces: \"stage{i}\"");
}

/* x * 0.1 */
static void propose_scale(Elab *e, const AstExpr *x, bool left) {
    const AstExpr *tensor = left ? x->op.a : x->op.b, *number = left ? x->op.b : x->op.a;
    bool plain = x->op.op == OPR_mul && x->span.len > 1 && tensor->kind == X_NAME;
    if (plain)
        diag_fix(e->diags, x->span,
                 arena_printf(e->arena, "scale(%s, init=%s)@freeze()", expr_text(e, tensor), expr_text(e, number)),
                 "a tensor is multiplied by numbers in a layer");
    else diag_help(e->diags, (Span){0}, "numbers are in layers: scale(x, init=0.1)@freeze() is 0.1 * x");
}

static void advise_operator(Elab *e, const AstExpr *x, const Value *a, const Value *b) {
    Operator op = x->op.op;
    bool tensors = a->kind == V_TENSOR && b->kind == V_TENSOR, numbers = value_is_number(a) && value_is_number(b);
    if (op == OPR_mul && tensors) propose_mul(e, x);
    else if ((a->kind == V_TENSOR && value_is_number(b)) || (b->kind == V_TENSOR && value_is_number(a)))
        propose_scale(e, x, a->kind == V_TENSOR);
    else if (tensors) diag_help(e->diags, (Span){0}, "tensors are added by + or add and multiplied by mul");
    else if (op == OPR_range && numbers)
        diag_fix(e->diags, x->span, arena_printf(e->arena, "[%s, %s]", expr_text(e, x->op.a), expr_text(e, x->op.b)),
                 "a range has whole numbers; the ends of an interval are a list");
    else if (x->op.a->kind == X_STRING || x->op.b->kind == X_STRING) propose_braces(e, x);
}

static Value mismatch(Elab *e, const AstExpr *x, const Value *a, const Value *b) {
    if (!b) {
        diag_error(e->diags, x->span, "E0111", "`%s` does not work on %s", x->op.op == OPR_not ? "not" : "-",
                   value_kind_name(a));
        return v_error;
    }
    diag_error(e->diags, x->span, "E0111", "`%s` does not work on %s and %s", operator_text[x->op.op],
               value_kind_name(a), value_kind_name(b));
    label_operand(e, x->op.a, a);
    label_operand(e, x->op.b, b);
    note_uses(e);
    advise_operator(e, x, a, b);
    help_waiting(e, a->kind == V_PIPE ? a : b);
    return a->kind == V_TENSOR || b->kind == V_TENSOR ? v_lost : v_error;
}

/* The result of arithmetic, or a message if it has no value that fits. */
static Value checked(Elab *e, const AstExpr *x, Value v) {
    if (v.kind == V_REAL && !isfinite(v.real)) v = v_error;
    if (v.kind == V_ERROR) diag_error(e->diags, x->span, "E0112", "this number is too large to compute with");
    return v;
}

/* Whatever fits when it is reduced is exact: the products below are twice as wide as the parts of a ratio. */
static Value ratio_add(const Value *a, const Value *b, int sign) {
    Wide left = (Wide)a->ratio.num * b->ratio.den, right = (Wide)b->ratio.num * a->ratio.den;
    return value_ratio(left + sign * right, (Wide)a->ratio.den * b->ratio.den);
}

static Value ratio_mul(const Value *a, const Value *b) {
    return value_ratio((Wide)a->ratio.num * b->ratio.num, (Wide)a->ratio.den * b->ratio.den);
}

static Value ratio_div(const Value *a, const Value *b) {
    return value_ratio((Wide)a->ratio.num * b->ratio.den, (Wide)a->ratio.den * b->ratio.num);
}

/* Of both over one denominator; the result has the sign of b. */
static Value ratio_mod(const Value *a, const Value *b) {
    Wide left = (Wide)a->ratio.num * b->ratio.den, right = (Wide)b->ratio.num * a->ratio.den, rest = left % right;
    if (rest != 0 && (rest < 0) != (right < 0)) rest += right;
    return value_ratio(rest, (Wide)a->ratio.den * b->ratio.den);
}

static Value real_arithmetic(Operator op, double a, double b) {
    switch (op) {
    case OPR_add: return value_real(a + b);
    case OPR_sub: return value_real(a - b);
    case OPR_mul: return value_real(a * b);
    case OPR_div: return value_real(a / b);
    default: return value_real(a - b * floor(a / b));
    }
}

static Value ratio_arithmetic(Operator op, const Value *a, const Value *b) {
    switch (op) {
    case OPR_add: return ratio_add(a, b, 1);
    case OPR_sub: return ratio_add(a, b, -1);
    case OPR_mul: return ratio_mul(a, b);
    case OPR_div: return ratio_div(a, b);
    default: return ratio_mod(a, b);
    }
}

/* Which unit the result has; false if the operands' units do not go together. */
static bool result_unit(Operator op, const Value *a, const Value *b, uint8_t *unit) {
    *unit = a->unit;
    if (op == OPR_add || op == OPR_sub || op == OPR_mod) return a->unit == b->unit;
    if (op == OPR_mul) *unit = a->unit ? a->unit : b->unit;
    else if (a->unit == b->unit) *unit = UNIT_NONE;
    return op == OPR_mul ? !a->unit || !b->unit : !b->unit || a->unit == b->unit;
}

static Value arithmetic(Elab *e, const AstExpr *x, const Value *a, const Value *b) {
    Operator op = x->op.op;
    uint8_t unit;
    if (!result_unit(op, a, b, &unit)) {
        diag_error(e->diags, x->span, "E0111", "`%s` does not work on %s and %s: the units differ", operator_text[op],
                   value_text_of(e->arena, a), value_text_of(e->arena, b));
        return v_error;
    }
    if ((op == OPR_div || op == OPR_mod) && value_double(b) == 0) {
        diag_error(e->diags, x->op.b->span, "E0112", "division by zero");
        explain_value(e, x->op.b, b);
        note_uses(e);
        return v_error;
    }
    bool exact = a->kind == V_RATIO && b->kind == V_RATIO;
    Value v = exact ? ratio_arithmetic(op, a, b) : real_arithmetic(op, value_double(a), value_double(b));
    v.unit = unit;
    return checked(e, x, v);
}

static Value shift(Elab *e, const AstExpr *x, const Value *a, const Value *b) {
    bool numbers = value_is_number(a) && !a->unit && value_is_number(b) && !b->unit, left = value_is_whole(a);
    if (!numbers) return mismatch(e, x, a, b);
    if (!left || !value_is_whole(b) || value_whole(b) < 0) {
        diag_error(e->diags, left ? x->op.b->span : x->op.a->span, "E0117",
                   "`<<` takes whole numbers, the second at least 0; this is %s", value_text_of(e->arena, left ? b : a));
        return v_error;
    }
    int64_t by = value_whole(b), n;
    if (by > 62 || !mul_ok(value_whole(a), (int64_t)1 << by, &n)) return checked(e, x, v_error);
    return value_int(n);
}

static Value range(Elab *e, const AstExpr *x, const Value *a, const Value *b) {
    if (!value_is_whole(a) || !value_is_whole(b)) return mismatch(e, x, a, b);
    int64_t lo = value_whole(a), n;
    if (!add_ok(value_whole(b), -lo, &n) || n > MAX_LIST) {
        exceed(e, x->span, "E0908", "this range is too long", MAX_LIST);
        return v_error;
    }
    if (n < 0 && expr_is_literal(x->op.a) && expr_is_literal(x->op.b)) {
        diag_warning(e->diags, x->span, "W0163", "this range is empty: ranges go upwards");
        diag_help(e->diags, (Span){0}, "downwards is a list: [3, 2, 1]");
    }
    if (n < 0) n = 0;
    if (!spend(e, n)) return v_error;
    Value *item = NEW_ARRAY(e->arena, Value, n);
    for (int64_t i = 0; i < n; i++) item[i] = value_int(lo + i);
    return value_list(item, (int32_t)n);
}

static Value join_lists(Elab *e, const AstExpr *x, const Value *a, const Value *b) {
    int64_t n = (int64_t)a->n + b->n;
    if (n > MAX_LIST) {
        exceed(e, x->span, "E0908", "this list is too long", MAX_LIST);
        return v_error;
    }
    if (!spend(e, n)) return v_error;
    Value *item = NEW_ARRAY(e->arena, Value, n);
    for (int32_t i = 0; i < a->n; i++) item[i] = a->item[i];
    for (int32_t i = 0; i < b->n; i++) item[a->n + i] = b->item[i];
    return value_list(item, (int32_t)n);
}

static Value equal(Elab *e, const Value *a, const Value *b, bool want) {
    int64_t budget = MAX_STEPS - e->steps, before = budget;
    bool same = value_equal(a, b, &budget);
    return spend(e, before - budget) ? value_bool(same == want) : v_error;
}

static Value compare(Elab *e, const AstExpr *x, const Value *a, const Value *b) {
    if (x->op.op == OPR_eq || x->op.op == OPR_ne) return equal(e, a, b, x->op.op == OPR_eq);
    if (!value_is_number(a) || !value_is_number(b) || a->unit != b->unit) return mismatch(e, x, a, b);
    int order = value_compare(a, b);
    switch (x->op.op) {
    case OPR_lt: return value_bool(order < 0);
    case OPR_le: return value_bool(order <= 0);
    case OPR_gt: return value_bool(order > 0);
    default: return value_bool(order >= 0);
    }
}

static Value eval_unary(Elab *e, const AstExpr *x) {
    Value a = eval(e, x->op.a);
    if (a.kind == V_ERROR) return v_error;
    if (x->op.op == OPR_not) return a.kind == V_BOOL ? value_bool(!a.flag) : mismatch(e, x, &a, NULL);
    if (a.kind == V_REAL) a.real = -a.real;
    else if (a.kind == V_RATIO) a.ratio.num = -a.ratio.num;   /* never INT64_MIN: value_ratio refuses it */
    else return mismatch(e, x, &a, NULL);
    return a;
}

/* The right side is not looked at when the left decides, so `x != 0 and 10 / x > 1` works. */
static Value eval_logic(Elab *e, const AstExpr *x) {
    Value a = eval(e, x->op.a);
    if (a.kind == V_ERROR) return v_error;
    if (a.kind == V_BOOL && a.flag == (x->op.op == OPR_or)) return a;
    Value b = eval(e, x->op.b);
    if (b.kind == V_ERROR) return v_error;
    return a.kind == V_BOOL && b.kind == V_BOOL ? b : mismatch(e, x, &a, &b);
}

static bool is_tensor(const Value *v) { return v->kind == V_TENSOR || value_is_lost(v); }

Value eval_operator(Elab *e, const AstExpr *x) {
    if (x->kind == X_UNARY) return eval_unary(e, x);
    Operator op = x->op.op;
    if (op == OPR_and || op == OPR_or) return eval_logic(e, x);
    Value a = eval(e, x->op.a), b = eval(e, x->op.b);
    if (op == OPR_add && is_tensor(&a) && is_tensor(&b)) return layer_add(e, x, a, b);
    if (a.kind == V_ERROR || b.kind == V_ERROR) return v_error;
    if (op >= OPR_eq && op <= OPR_ge) return compare(e, x, &a, &b);
    if (op == OPR_shl) return shift(e, x, &a, &b);
    if (op == OPR_range) return range(e, x, &a, &b);
    if (value_is_number(&a) && value_is_number(&b)) return arithmetic(e, x, &a, &b);
    if (op == OPR_add && a.kind == V_LIST && b.kind == V_LIST) return join_lists(e, x, &a, &b);
    return mismatch(e, x, &a, &b);
}
