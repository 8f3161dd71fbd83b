/* Builders of the syntax tree, and the splitting of string literals. See ast.h and parse.h. */
#include "ast.h"

#include <string.h>

#include "parse.h"

const char *const operator_text[OPR_COUNT] = {
#define OPERATOR(id, spelling, precedence) [OPR_##id] = spelling,
    OPERATORS(OPERATOR)
#undef OPERATOR
};

const int operator_precedence[OPR_COUNT] = {
#define OPERATOR(id, spelling, precedence) [OPR_##id] = precedence,
    OPERATORS(OPERATOR)
#undef OPERATOR
};

static AstExpr *new_expr(Arena *a, AstExprKind kind, Span at, int32_t depth) {
    AstExpr *e = NEW(a, AstExpr);
    e->kind = kind;
    e->span = at;
    e->depth = depth;
    return e;
}

static int32_t deeper(const AstExpr *x, const AstExpr *y) {
    int32_t dx = x ? x->depth : 0, dy = y ? y->depth : 0;
    return (dx > dy ? dx : dy) + 1;
}

static int32_t args_depth(const AstExpr *callee, const ArgList *arg) {
    int32_t depth = callee->depth;
    for (int32_t i = 0; i < arg->n; i++)
        if (arg->item[i].value->depth > depth) depth = arg->item[i].value->depth;
    return depth + 1;
}

AstExpr *ast_expr_error(Arena *a, Span at) { return new_expr(a, X_ERROR, at, 0); }

AstExpr *ast_expr_name(Arena *a, Span at, Name name) {
    AstExpr *e = new_expr(a, X_NAME, at, 0);
    e->name = name;
    return e;
}

AstExpr *ast_expr_literal(Arena *a, Span at, AstExprKind kind, Value value, const char *text) {
    AstExpr *e = new_expr(a, kind, at, 0);
    e->literal.value = value;
    e->literal.text = text;
    return e;
}

AstExpr *ast_expr_list(Arena *a, Span at, ExprList list) {
    int32_t depth = 0;
    for (int32_t i = 0; i < list.n; i++)
        if (list.item[i]->depth > depth) depth = list.item[i]->depth;
    AstExpr *e = new_expr(a, X_LIST, at, depth + 1);
    e->list = list;
    return e;
}

AstExpr *ast_expr_call(Arena *a, Span at, AstExpr *callee, ArgList arg) {
    AstExpr *e = new_expr(a, X_CALL, at, args_depth(callee, &arg));
    e->call.callee = callee;
    e->call.arg = arg;
    return e;
}

AstExpr *ast_expr_annotate(Arena *a, Span at, AstExpr *callee, Name label, ArgList arg) {
    AstExpr *e = new_expr(a, X_ANNOTATE, at, args_depth(callee, &arg));
    e->call.callee = callee;
    e->call.arg = arg;
    e->call.label = label;
    return e;
}

AstExpr *ast_expr_index(Arena *a, Span at, AstExpr *base, AstExpr *index) {
    AstExpr *e = new_expr(a, X_INDEX, at, deeper(base, index));
    e->access.base = base;
    e->access.index = index;
    return e;
}

AstExpr *ast_expr_field(Arena *a, Span at, AstExpr *base, Name field) {
    AstExpr *e = new_expr(a, X_FIELD, at, deeper(base, NULL));
    e->access.base = base;
    e->access.field = field;
    return e;
}

AstExpr *ast_expr_operator(Arena *a, Span at, Operator op, AstExpr *x, AstExpr *y) {
    AstExpr *e = new_expr(a, y ? X_BINARY : X_UNARY, at, deeper(x, y));
    e->op.op = op;
    e->op.a = x;
    e->op.b = y;
    return e;
}

AstExpr *ast_expr_cond(Arena *a, Span at, AstExpr *value, AstExpr *test, AstExpr *other) {
    int32_t depth = deeper(value, test);
    AstExpr *e = new_expr(a, X_COND, at, depth > other->depth ? depth : other->depth + 1);
    e->cond.value = value;
    e->cond.test = test;
    e->cond.other = other;
    return e;
}

AstExpr *ast_expr_arrow(Arena *a, Span at, AstExpr *from, Span sign, AstExpr *to) {
    AstExpr *e = new_expr(a, X_ARROW, at, deeper(from, to));
    e->arrow.from = from;
    e->arrow.sign = sign;
    e->arrow.to = to;
    return e;
}

AstStmt *ast_stmt(Arena *a, StmtForm kind, Span at, AstExpr *value) {
    AstStmt *s = NEW(a, AstStmt);
    s->kind = kind;
    s->span = at;
    s->value = value;
    return s;
}

Item *ast_item(Arena *a, ItemKind kind, Span at, Name name) {
    Item *i = NEW(a, Item);
    i->kind = kind;
    i->span = at;
    i->name = name;
    return i;
}

int ast_precedence(const AstExpr *e) {
    switch (e->kind) {
    case X_ARROW: return 0;
    case X_COND: return 1;
    case X_UNARY:
    case X_BINARY: return operator_precedence[e->op.op];
    default: return 10;
    }
}

const char *parse_number_text(Arena *a, const char *text, size_t n) {
    size_t unit = n;
    while (unit > 0 && ((text[unit - 1] | 0x20) >= 'a' && (text[unit - 1] | 0x20) <= 'z')) unit--;
    if (n - unit < 2) return arena_strndup(a, text, n);
    size_t digits = unit;
    while (text[digits - 1] == ' ' || text[digits - 1] == '\t') digits--;
    return arena_printf(a, "%.*s %.*s", (int)digits, text, (int)(n - unit), text + unit);
}

/* The byte that backslash and c stand for, or 0. Braces are escaped because plain ones substitute. */
static char escape(char c) {
    switch (c) {
    case '"':
    case '\\':
    case '{':
    case '}': return c;
    case 'n': return '\n';
    case 't': return '\t';
    default: return 0;
    }
}

/* {00..07} is a range of file names, which stays for whoever opens the files. */
static bool is_file_range(const char *text, size_t n) {
    size_t a = strspn(text, "0123456789");
    return a > 0 && a + 2 < n && text[a] == '.' && text[a + 1] == '.' &&
           strspn(text + a + 2, "0123456789") == n - a - 2;
}

/* The place of text[i] inside the literal whose opening quote is at `at`. */
static Span inside(Span at, size_t i, size_t n) {
    return (Span){.file = at.file, .line = at.line, .col = at.col + 1 + (uint32_t)i, .len = (uint32_t)n};
}

/* "conv{}" and "conv{i:02d}" are of Python; reported. */
static bool is_value_in_braces(Parse *p, const char *text, size_t n, Span at) {
    size_t blank = 0;
    while (blank < n && strchr(" \t", text[blank])) blank++;
    const char *format = memchr(text, ':', n);
    if (blank < n && !format) return true;
    diag_error(p->diags, at, "E0006", blank == n ? "there is no value in these braces" : "a value in braces has no format");
    if (blank == n) diag_help(p->diags, (Span){0}, "it stands in them: \"conv{i + 1}\"");
    else diag_fix(p->diags, at, arena_printf(p->arena, "{%.*s}", (int)(format - text), text), "the value alone");
    return false;
}

AstExpr *parse_string(Parse *p, Span at, const char *text, size_t n) {
    AstExpr *e = new_expr(p->arena, X_STRING, at, 0);
    e->string.text = arena_strndup(p->arena, text, n);
    Str literal = STR(p->arena);
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        if (c == '\\') {
            c = escape(text[++i]);
            if (!c) {
                diag_error(p->diags, inside(at, i - 1, 2), "E0006",
                           "there is no escape `\\%c`; known: \\\" \\\\ \\{ \\} \\n \\t", text[i]);
                return NULL;
            }
            str_addn(&literal, &c, 1);
        } else if (c == '{') {
            const char *end = memchr(text + i, '}', n - i);
            if (!end) {
                diag_error(p->diags, inside(at, i, 1), "E0006",
                           "`{` without `}` in a string; write \\{ for the character");
                return NULL;
            }
            size_t length = (size_t)(end - text) - i - 1;
            if (is_file_range(text + i + 1, length)) {
                str_addn(&literal, text + i, length + 2);
                i += length + 1;
                continue;
            }
            if (!is_value_in_braces(p, text + i + 1, length, inside(at, i, length + 2))) return NULL;
            AstExpr *value = parse_expr(p->arena, p->diags, text + i + 1, length, inside(at, i + 1, length));
            if (!value) return NULL;
            Part part = {.text = arena_strdup(p->arena, str_text(&literal)), .value = value};
            PUSH(p->arena, e->string.part.item, e->string.part.n, e->string.part.cap, part);
            if (value->depth >= e->depth) e->depth = value->depth + 1;
            literal = STR(p->arena);
            i += length + 1;
        } else {
            str_addn(&literal, &c, 1);
        }
    }
    Part rest = {.text = arena_strdup(p->arena, str_text(&literal))};
    PUSH(p->arena, e->string.part.item, e->string.part.n, e->string.part.cap, rest);
    return e;
}

static void names_of_args(Arena *a, Table *t, const ArgList *list) {
    for (int32_t i = 0; i < list->n; i++) ast_expr_names(a, t, list->item[i].value);
}

void ast_expr_names(Arena *a, Table *t, const AstExpr *x) {
    if (!x) return;
    switch (x->kind) {
    case X_NAME: table_set(a, t, x->name, (void *)((uintptr_t)table_get(t, x->name) + 1)); break;
    case X_ERROR:
    case X_NUMBER:
    case X_DIM: break;
    case X_STRING:
        for (int32_t i = 0; i < x->string.part.n; i++) ast_expr_names(a, t, x->string.part.item[i].value);
        break;
    case X_LIST:
        for (int32_t i = 0; i < x->list.n; i++) ast_expr_names(a, t, x->list.item[i]);
        break;
    case X_CALL:
    case X_ANNOTATE:
        ast_expr_names(a, t, x->call.callee);
        names_of_args(a, t, &x->call.arg);
        break;
    case X_INDEX:
    case X_FIELD:
        ast_expr_names(a, t, x->access.base);
        ast_expr_names(a, t, x->access.index);
        break;
    case X_UNARY:
    case X_BINARY:
        ast_expr_names(a, t, x->op.a);
        ast_expr_names(a, t, x->op.b);
        break;
    case X_COND:
        ast_expr_names(a, t, x->cond.value);
        ast_expr_names(a, t, x->cond.test);
        ast_expr_names(a, t, x->cond.other);
        break;
    case X_ARROW:
        ast_expr_names(a, t, x->arrow.from);
        ast_expr_names(a, t, x->arrow.to);
        break;
    }
}

static void names_of_stmt(Arena *a, Table *t, const AstStmt *s) {
    ast_expr_names(a, t, s->value);
    if (s->body) ast_body_names(a, t, s->body);
    if (s->other) ast_body_names(a, t, s->other);
    if (s->else_if) names_of_stmt(a, t, s->else_if);
}

void ast_body_names(Arena *a, Table *t, const Body *body) {
    for (int32_t i = 0; i < body->n; i++) names_of_stmt(a, t, body->item[i]);
}
