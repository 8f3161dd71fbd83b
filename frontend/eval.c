/* Expressions to values, except operators (eval_op.c) and calls (eval_call.c). See eval.h. */
#include "blame.h"
#include "foreign.h"

#include <string.h>

const Value v_error = {.kind = V_ERROR}, v_none = {.kind = V_NONE}, v_lost = {.kind = V_ERROR, .n = 1};

void exceed(Elab *e, Span at, const char *code, const char *what, int64_t most) {
    if (!e->stopped) diag_error(e->diags, at, code, "%s (at most %lld)", what, (long long)most);
    e->stopped = true;
}

bool spend(Elab *e, int64_t n) {
    if (e->diags->n_error >= MAX_ERRORS || e->diags->n_repeat >= MAX_REPEATS) e->stopped = true;
    e->steps += n;
    if (e->steps > MAX_STEPS && !e->stopped)
        exceed(e, e->here, "E0906", "too many steps of evaluation: loops within loops?", MAX_STEPS);
    return !e->stopped;
}

Variable *variable_find(const Elab *e, Name name) { return e->scope ? table_get(&e->scope->variables, name) : NULL; }

void variable_set(Elab *e, Name name, Span at, Value v, const AstExpr *from) {
    Variable *var = table_get(&e->scope->variables, name);
    if (!var) {
        var = NEW(e->arena, Variable);
        var->span = at;
        table_set(e->arena, &e->scope->variables, name, var);
    }
    *var = (Variable){.value = v, .span = var->span, .set = at, .from = from, .where = e->scope};
}

static int collect_globals(const Elab *e, const char **out, int cap) {
    int n = 0;
    for (int32_t i = 0; i < e->n_global && n < cap; i++) out[n++] = e->global_name[i];
    for (int32_t i = 0; e->scope && i < e->scope->variables.cap && n < cap; i++)
        if (e->scope->variables.key[i]) out[n++] = e->scope->variables.key[i];
    return n;
}

int known_names(const Elab *e, const char **out, int cap) {
    int n = layer_names(out, cap);
    n += builtin_names(out + n, cap - n);
    return n + collect_globals(e, out + n, cap - n);
}

/* Where the body gives the name a value, NULL if it does not. */
static const AstStmt *assignment_of(const Body *body, Name name) {
    for (int32_t i = 0; body && i < body->n; i++)
        for (const AstStmt *s = body->item[i]; s; s = s->else_if) {
            for (int32_t k = 0; s->kind == S_ASSIGN && k < s->names.n; k++)
                if (s->names.item[k] == name) return s;
            const AstStmt *inside = assignment_of(s->body, name);
            if (!inside) inside = assignment_of(s->other, name);
            if (inside) return inside;
        }
    return NULL;
}

void report_unknown_name(Elab *e, const AstExpr *x) {
    foreign_report_callee(e, x, x);
    const AstStmt *s = e->scope ? assignment_of(e->scope->item->body, x->name) : NULL;
    if (!s || e->diags->current < 0 || s == e->scope->stmt) return;
    diag_note(e->diags, s->span, s->span.line > x->span.line ? "it has a value only from here on" : "it would have a value from here, which does not run");
}

static Value function_value(const Function *f) { return (Value){.kind = V_FUNC, .func = f}; }

bool name_value(Elab *e, Name name, Value *out) {
    const Variable *v = variable_find(e, name);
    const Global *g = v ? NULL : table_get(&e->globals, name);
    const Function *f = v || g ? NULL : layer_find(name);
    if (!v && !g && !f) f = builtin_find(name);
    if (v) *out = v->value;
    else if (g) *out = g->fn.name ? function_value(&g->fn) : g->value;
    else if (f) *out = function_value(f);
#define CONSTANT(text, truth) else if (!strcmp(name, #text)) *out = value_bool(truth);
#include "words.def"
    else return false;
    return true;
}

static Value eval_name(Elab *e, const AstExpr *x) {
    Value v;
    if (name_value(e, x->name, &v)) return v;
    report_unknown_name(e, x);
    return v_error;
}

static Value eval_string(Elab *e, const AstExpr *x) {
    Str s = STR(e->arena);
    for (int32_t i = 0; i < x->string.part.n; i++) {
        const Part *part = &x->string.part.item[i];
        str_add(&s, part->text);
        if (!part->value) continue;
        Value v = eval(e, part->value);
        if (v.kind == V_ERROR) return v_error;
        if (!value_is_number(&v) && v.kind != V_TEXT && v.kind != V_DIM && v.kind != V_BOOL) {
            diag_error(e->diags, part->value->span, "E0109", "a string cannot hold %s", value_kind_name(&v));
            return v_error;
        }
        value_print(&s, &v, MAX_STRING + 1);
        if (s.n <= MAX_STRING) continue;
        exceed(e, x->span, "E0903", "this string is too long", MAX_STRING);
        return v_error;
    }
    return value_text(str_text(&s));
}

static Value eval_list(Elab *e, const AstExpr *x) {
    Value *item = NEW_ARRAY(e->arena, Value, x->list.n), list = value_list(item, x->list.n);
    for (int32_t i = 0; i < x->list.n; i++) {
        item[i] = eval(e, x->list.item[i]);
        if (item[i].kind == V_ERROR && !value_is_lost(&list)) list = item[i];   /* a lost tensor is one */
    }
    return list;
}

static Value eval_index(Elab *e, const AstExpr *x) {
    Value base = eval(e, x->access.base), index = eval(e, x->access.index);
    if (base.kind == V_ERROR || index.kind == V_ERROR) return v_error;
    if (base.kind != V_LIST || !value_is_whole(&index)) {
        const AstExpr *culprit = base.kind != V_LIST ? x->access.base : x->access.index;
        diag_error(e->diags, culprit->span, "E0109", "an index is a whole number into a list; this is %s",
                   value_kind_name(base.kind != V_LIST ? &base : &index));
        if (base.kind == V_TENSOR) diag_help(e->diags, (Span){0}, "channels are taken apart by split(x, 2), planes by crop(x, 16)");
        return v_error;
    }
    int64_t i = value_whole(&index);
    if (i >= 0 && i < base.n) return base.item[i];
    diag_error(e->diags, x->access.index->span, "E0118", "index %lld is outside the list of %d", (long long)i, base.n);
    explain_value(e, x->access.index, &index);
    if (i < 0 && base.n > 0 && i >= -base.n)
        diag_help(e->diags, (Span){0}, "an index counts from 0, and from the end with the length: [len(list) - %lld]", (long long)-i);
    note_uses(e);
    return v_error;
}

/* What can be asked of a tensor and of a size. */
static const struct { const char *name; int32_t (*of_type)(const Type *t); int side; } field_table[] = {
#define FIELD(text, of_type, side) {#text, of_type, side},
#include "words.def"
};

/* A method of a tensor, x.relu(), is a layer behind an arrow. */
static void report_field(Elab *e, const AstExpr *x, const Value *base) {
    const char *known[ARRAY_LEN(field_table)], *field = x->access.field;
    for (int i = 0; i < ARRAY_LEN(field_table); i++) known[i] = field_table[i].name;
    Span dot = x->access.dot, name = {dot.file, dot.line, dot.col + 1, (uint32_t)strlen(field)};
    Value layer;
    Suggestion s = foreign_suggest(FOREIGN_FIELD, "", field, known, ARRAY_LEN(known));
    bool flows = base->kind == V_TENSOR || base->kind == V_PIPE || base->kind == V_FUNC;
    bool method = flows && name_value(e, name_of(field), &layer) && layer.kind == V_FUNC;
    if (method) s = (Suggestion){0};
    diag_error(e->diags, name, "E0119", "%s has no `.%s`%s", value_kind_name(base), field, foreign_question(e->arena, &s));
    if (method) diag_fix(e->diags, dot, " -> ", "layers are given a tensor by ->");
    else if (s.row || s.name) foreign_fix_word(e->diags, name, &s);
    else if (base->kind == V_TENSOR) diag_help(e->diags, (Span){0}, "a tensor has .channels, .height and .width");
}

/* Shapes are known while the net is elaborated: x.channels, x.height, x.width. */
static Value eval_field(Elab *e, const AstExpr *x) {
    Value base = eval(e, x->access.base);
    if (base.kind == V_ERROR) return v_error;
    for (int i = 0; i < ARRAY_LEN(field_table); i++) {
        if (strcmp(x->access.field, field_table[i].name) != 0) continue;
        int side = field_table[i].side;
        if (base.kind == V_TENSOR) return value_int(field_table[i].of_type(tensor_type(e, &base)));
        if (base.kind == V_DIM && side >= 0) return value_int(side ? base.dim.w : base.dim.h);
    }
    report_field(e, x, &base);
    return v_error;
}

Truth eval_condition(Elab *e, const AstExpr *x) {
    Value v = eval(e, x);
    if (v.kind == V_BOOL) return v.flag ? IS_TRUE : IS_FALSE;
    if (v.kind != V_ERROR)
        diag_error(e->diags, x->span, "E0109", "a condition is true or false; this is %s", value_kind_name(&v));
    return IS_UNKNOWN;
}

static Value eval_cond(Elab *e, const AstExpr *x) {
    Truth truth = eval_condition(e, x->cond.test);
    if (truth == IS_UNKNOWN) return v_error;
    return eval(e, truth == IS_TRUE ? x->cond.value : x->cond.other);
}

static Value eval_kind(Elab *e, const AstExpr *x) {
    switch (x->kind) {
    case X_NAME: return eval_name(e, x);
    case X_ERROR: return v_error;
    case X_NUMBER:
    case X_DIM: return x->literal.value;
    case X_STRING: return eval_string(e, x);
    case X_LIST: return eval_list(e, x);
    case X_CALL:
    case X_ANNOTATE: return eval_call(e, x);
    case X_INDEX: return eval_index(e, x);
    case X_FIELD: return eval_field(e, x);
    case X_UNARY:
    case X_BINARY: return eval_operator(e, x);
    case X_COND: return eval_cond(e, x);
    case X_ARROW: return eval_arrow(e, x);
    }
    return v_error;
}

Value eval(Elab *e, const AstExpr *x) {
    e->here = x->span;
    if (!spend(e, 1)) return v_error;
    if (e->depth >= MAX_DEPTH) {
        exceed(e, x->span, "E0902", "evaluation nests too deep", MAX_DEPTH);
        return v_error;
    }
    e->depth++;
    Value v = eval_kind(e, x);
    e->depth--;
    return e->stopped ? v_error : v;
}
