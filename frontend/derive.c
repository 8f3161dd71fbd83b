/* See derive.h. Nothing is recorded for this while a net is built but which expression a variable was given last: the
 * rest is evaluated again when there is something to report, and believed only if it gives the value in question. */
#include "derive.h"

#include <string.h>

enum { MAX_TEXT = 70 }; /* longer derivations say too much */

bool expr_is_literal(const AstExpr *x) {
    while (x->kind == X_UNARY) x = x->op.a;
    return x->kind == X_NUMBER || x->kind == X_DIM || x->kind == X_STRING;
}

const char *expr_text(const Elab *e, const AstExpr *x) {
    Str s = STR(e->arena);
    ast_expr_print(&s, x);
    return str_text(&s);
}

static bool is_plain(const AstExpr *x);

static bool args_are_plain(const ArgList *list) {
    for (int32_t i = 0; i < list->n; i++)
        if (list->item[i].spread || !is_plain(list->item[i].value)) return false;
    return true;
}

/* Evaluating it changes nothing: of calls only those of functions of numbers. */
static bool is_plain(const AstExpr *x) {
    switch (x->kind) {
    case X_NAME:
    case X_NUMBER:
    case X_DIM: return true;
    case X_FIELD: return is_plain(x->access.base);
    case X_INDEX: return is_plain(x->access.base) && is_plain(x->access.index);
    case X_UNARY: return is_plain(x->op.a);
    case X_BINARY: return is_plain(x->op.a) && is_plain(x->op.b);
    case X_COND: return is_plain(x->cond.value) && is_plain(x->cond.test) && is_plain(x->cond.other);
    case X_CALL:
        return x->call.callee->kind == X_NAME && builtin_find(x->call.callee->name) && args_are_plain(&x->call.arg);
    default: return false;
    }
}

/* A sum of tensors is plain as text, but adds a layer. Of a tensor only its fields are looked at. */
static bool adds_tensors(Elab *e, Scope *s, const AstExpr *x) {
    if (x->kind == X_NAME) {
        const Variable *v = s ? table_get(&s->variables, x->name) : NULL;
        return v && value_is_tensorish(&v->value);
    }
    if (x->kind == X_INDEX) return adds_tensors(e, s, x->access.base);
    if (x->kind == X_COND) return adds_tensors(e, s, x->cond.value) || adds_tensors(e, s, x->cond.other);
    if (x->kind == X_BINARY) return adds_tensors(e, s, x->op.a) || adds_tensors(e, s, x->op.b);
    return false;
}

Value eval_quietly(Elab *e, Scope *s, const AstExpr *x) {
    if (!is_plain(x) || adds_tensors(e, s, x)) return v_error;
    Diags *diags = e->diags;
    Scope *scope = e->scope;
    bool stopped = e->stopped;
    e->diags = diag_new(e->arena);
    e->scope = s;
    e->stopped = false;
    Value v = eval(e, x);
    e->diags = diags;
    e->scope = scope;
    e->stopped = stopped;
    return v;
}

static const char *number_text(const Elab *e, const Value *v) {
    const char *text = value_text_of(e->arena, v);
    return strchr(text, '/') ? arena_printf(e->arena, "(%s)", text) : text;
}

/* x with numbers for its names, fields and items. */
static AstExpr *with_values(Elab *e, Scope *s, AstExpr *x) {
    if (x->kind == X_NAME || x->kind == X_FIELD || x->kind == X_INDEX) {
        Value v = eval_quietly(e, s, x);
        return value_is_number(&v) ? ast_expr_literal(e->arena, x->span, X_NUMBER, v, number_text(e, &v)) : x;
    }
    if (x->kind == X_UNARY) return ast_expr_operator(e->arena, x->span, x->op.op, with_values(e, s, x->op.a), NULL);
    if (x->kind == X_BINARY)
        return ast_expr_operator(e->arena, x->span, x->op.op, with_values(e, s, x->op.a), with_values(e, s, x->op.b));
    if (x->kind != X_CALL) return x;
    ArgList list = {0};
    for (int32_t i = 0; i < x->call.arg.n; i++) {
        Arg arg = x->call.arg.item[i];
        arg.value = with_values(e, s, (AstExpr *)(uintptr_t)arg.value);
        PUSH(e->arena, list.item, list.n, list.cap, arg);
    }
    return ast_expr_call(e->arena, x->span, x->call.callee, list);
}

static void add_part(Str *s, const char *part, const char **last) {
    if (*last && !strcmp(*last, part)) return;
    str_addf(s, "%s%s", *last ? " = " : "", part);
    *last = part;
}

/* The same number? An argument may have been converted: a stride of 2 is a size of 2x2. */
static bool is_value(const Value *got, const Value *v) {
    int64_t budget = 100;
    if (!value_is_number(got)) return false;
    if (v->kind == V_DIM) return value_is_whole(got) && value_whole(got) == v->dim.h && v->dim.h == v->dim.w;
    if (v->kind == V_PAD) return value_is_whole(got) && value_whole(got) == v->pad[0];
    return value_equal(got, v, &budget);
}

/* Of an argument the expression is the caller's, and one with the parameter's own name would be taken for the
 * block's. */
static bool reads_as_circular(const Elab *e, const Scope *s, const Variable *var, Name name) {
    Table names = {0};
    if (var->where == s) return false;
    ast_expr_names(e->arena, &names, var->from);
    return table_get(&names, name) != NULL;
}

/* name = expression = the same with values; or name = value. */
static const char *derive_name(Elab *e, Scope *s, const AstExpr *x, const Value *now) {
    const Variable *var = s ? table_get(&s->variables, x->name) : NULL;
    Str text = STR(e->arena);
    const char *last = NULL;
    add_part(&text, x->name, &last);
    Value from = var && var->from ? eval_quietly(e, var->where, var->from) : v_error;
    if (var && var->from && is_value(&from, now) && var->from->kind != X_COND) {
        if (!reads_as_circular(e, s, var, x->name)) add_part(&text, expr_text(e, var->from), &last);
        add_part(&text, expr_text(e, with_values(e, var->where, (AstExpr *)(uintptr_t)var->from)), &last);
    } else {
        add_part(&text, value_text_of(e->arena, now), &last);
    }
    return str_text(&text);
}

const char *derive(Elab *e, Scope *s, const AstExpr *x, const Value *v) {
    if (!x || expr_is_literal(x)) return NULL;
    Value now = eval_quietly(e, s, x);
    if (!is_value(&now, v)) return NULL;
    const char *text;
    if (x->kind == X_NAME) {
        text = derive_name(e, s, x, &now);
    } else {
        const char *values = expr_text(e, with_values(e, s, (AstExpr *)(uintptr_t)x));
        bool same = !strcmp(values, expr_text(e, x)); /* a choice: what was chosen is what it is */
        text = arena_printf(e->arena, "= %s", same ? value_text_of(e->arena, &now) : values);
    }
    return strlen(text) <= MAX_TEXT ? text : NULL;
}
