/* The syntax tree back to source, in the house form: four blanks of indentation, one statement a line, parentheses only
 * where the grammar needs them. A long chain of arrows starts a line per step. */
#include "ast.h"

#include <string.h>

static void print_expr(Str *s, const AstExpr *e, int at_least);

static void print_args(Str *s, const ArgList *list) {
    str_add(s, "(");
    for (int32_t i = 0; i < list->n; i++) {
        const Arg *a = &list->item[i];
        if (i) str_add(s, ", ");
        if (a->name) str_addf(s, "%s=", a->name);
        if (a->spread) str_add(s, "*");
        print_expr(s, a->value, 0);
    }
    str_add(s, ")");
}

static void print_list(Str *s, const ExprList *list) {
    str_add(s, "[");
    for (int32_t i = 0; i < list->n; i++) {
        if (i) str_add(s, ", ");
        print_expr(s, list->item[i], 0);
    }
    str_add(s, "]");
}

/* Binary operators are left-associative, so the right side binds tighter; `..` does not chain at all. */
static void print_operator(Str *s, const AstExpr *e) {
    int precedence = operator_precedence[e->op.op];
    if (e->kind == X_UNARY) {
        str_add(s, operator_text[e->op.op]);
        print_expr(s, e->op.a, precedence);
        return;
    }
    bool tight = e->op.op == OPR_range;
    print_expr(s, e->op.a, tight ? precedence + 1 : precedence);
    str_addf(s, tight ? "%s" : " %s ", operator_text[e->op.op]);
    print_expr(s, e->op.b, precedence + 1);
}

/* What flows into an arrow: a choice, which binds more tightly, has parentheses all the same (E0010). */
static void print_source(Str *s, const AstExpr *e) { print_expr(s, e, e->kind == X_COND ? 2 : 0); }

static void print_plain(Str *s, const AstExpr *e) {
    switch (e->kind) {
    case X_ERROR: break;
    case X_NAME: str_add(s, e->name); break;
    case X_NUMBER:
    case X_DIM: str_add(s, e->literal.text); break;
    case X_STRING: str_addf(s, "\"%s\"", e->string.text); break;
    case X_LIST: print_list(s, &e->list); break;
    case X_CALL:
    case X_ANNOTATE:
        print_expr(s, e->call.callee, 10);
        if (e->kind == X_ANNOTATE) str_addf(s, "@%s", e->call.label);
        print_args(s, &e->call.arg);
        break;
    case X_INDEX:
    case X_FIELD:
        print_expr(s, e->access.base, 10);
        if (e->kind == X_FIELD) {
            str_addf(s, ".%s", e->access.field);
        } else {
            str_add(s, "[");
            print_expr(s, e->access.index, 0);
            str_add(s, "]");
        }
        break;
    case X_UNARY:
    case X_BINARY: print_operator(s, e); break;
    case X_COND:
        print_expr(s, e->cond.value, 2);
        str_add(s, " if ");
        print_expr(s, e->cond.test, 2);
        str_add(s, " else ");
        print_expr(s, e->cond.other, 1);
        break;
    case X_ARROW:
        print_source(s, e->arrow.from);
        str_add(s, " -> ");
        print_expr(s, e->arrow.to, 10);
        break;
    }
}

static void print_expr(Str *s, const AstExpr *e, int at_least) {
    bool parentheses = ast_precedence(e) < at_least;
    if (parentheses) str_add(s, "(");
    print_plain(s, e);
    if (parentheses) str_add(s, ")");
}

void ast_expr_print(Str *s, const AstExpr *e) { print_expr(s, e, 0); }

static void indent(Str *s, int level) { str_addf(s, "%*s", 4 * level, ""); }

/* A statement's right side. When the chain is too long for its line, every arrow starts one of its own. */
static void print_value(Str *s, const AstExpr *e, int level) {
    enum { WIDE = 100 };
    Str line = STR(s->arena);
    print_expr(&line, e, 0);
    if (e->kind != X_ARROW || line.n <= WIDE) {
        str_add(s, str_text(&line));
        return;
    }
    const AstExpr **step = NEW_ARRAY(s->arena, const AstExpr *, e->depth + 1);
    int n = 0;
    for (; e->kind == X_ARROW; e = e->arrow.from) step[n++] = e->arrow.to;
    print_source(s, e);
    while (n > 0) {
        str_add(s, "\n");
        indent(s, level + 1);
        str_add(s, "-> ");
        print_expr(s, step[--n], 10);
    }
}

static void print_body(Str *s, const Body *b, int level);

static void print_names(Str *s, const NameList *names) {
    for (int32_t i = 0; i < names->n; i++) str_addf(s, "%s%s", i ? ", " : "", names->item[i]);
}

static void print_if(Str *s, const AstStmt *st, int level) {
    str_add(s, "if ");
    print_expr(s, st->value, 0);
    str_add(s, " ");
    print_body(s, st->body, level);
    if (st->else_if) {
        str_add(s, " else ");
        print_if(s, st->else_if, level);
    } else if (st->other) {
        str_add(s, " else ");
        print_body(s, st->other, level);
    }
}

static void print_stmt(Str *s, const AstStmt *st, int level) {
    indent(s, level);
    switch (st->kind) {
    case S_ASSIGN:
        print_names(s, &st->names);
        str_add(s, " = ");
        print_value(s, st->value, level);
        break;
    case S_FOR:
        str_add(s, "for ");
        print_names(s, &st->names);
        str_add(s, " in ");
        print_expr(s, st->value, 0);
        str_add(s, " ");
        print_body(s, st->body, level);
        break;
    case S_IF: print_if(s, st, level); break;
    case S_RETURN:
        str_add(s, "return ");
        print_value(s, st->value, level);
        break;
    case S_OUTPUT:
        str_addf(s, "output %s = ", st->names.item[0]);
        print_value(s, st->value, level);
        if (st->only) str_addf(s, " only %s", st->only);
        break;
    }
    str_add(s, "\n");
}

static void print_body(Str *s, const Body *b, int level) {
    str_add(s, "{\n");
    for (int32_t i = 0; i < b->n; i++) print_stmt(s, b->item[i], level + 1);
    indent(s, level);
    str_add(s, "}");
}

static void print_settings(Str *s, const SettingList *list, int level) {
    str_add(s, "{\n");
    for (int32_t i = 0; i < list->n; i++) {
        const Setting *set = list->item[i];
        indent(s, level + 1);
        if (set->key) str_addf(s, "%s = ", set->key);
        if (set->group) str_add(s, "group ");
        print_value(s, set->value, level + 1);
        if (set->group) {
            str_add(s, " ");
            print_settings(s, set->group, level + 1);
        }
        str_add(s, "\n");
    }
    indent(s, level);
    str_add(s, "}");
}

static void print_params(Str *s, const ParamList *list) {
    str_add(s, "(");
    for (int32_t i = 0; i < list->n; i++) {
        str_addf(s, "%s%s", i ? ", " : "", list->item[i].name);
        if (!list->item[i].value) continue;
        str_add(s, "=");
        print_expr(s, list->item[i].value, 0);
    }
    str_add(s, ") ");
}

static void print_item(Str *s, const Item *i) {
    switch (i->kind) {
    case I_USE:
        str_add(s, "use ");
        print_expr(s, i->value, 0);
        break;
    case I_CONST:
    case I_OPTION:
        str_addf(s, "%s %s = ", i->kind == I_CONST ? "const" : "option", i->name);
        print_value(s, i->value, 0);
        if (i->set) str_add(s, " in ");
        if (i->set) print_expr(s, i->set, 0);
        break;
    case I_INPUT:
        str_addf(s, "input %s ", i->name);
        print_settings(s, i->settings, 0);
        break;
    case I_BLOCK:
    case I_NET:
        str_addf(s, "%s %s", i->kind == I_BLOCK ? "block" : "net", i->name);
        print_params(s, &i->param);
        print_body(s, i->body, 0);
        break;
    case I_SECTION:
        str_add(s, i->section);
        if (i->name) str_addf(s, " %s", i->name);
        str_add(s, " ");
        print_settings(s, i->settings, 0);
        break;
    }
    str_add(s, "\n");
}

void ast_print(Str *s, const Ast *ast) {
    str_add(s, "cnnc 1\n");
    for (int i = 0; i < ast->n_item; i++) {
        bool braces = ast->item[i]->kind >= I_INPUT;
        if (i == 0 || braces || ast->item[i - 1]->kind >= I_INPUT) str_add(s, "\n");
        print_item(s, ast->item[i]);
    }
}
