/* Forms that the grammar accepts only so that the message can name the mistake and propose the change. See parse.h. */
#include <string.h>

#include "parse.h"
#include "parser.h"

static Span at_place(const Parse *p, Place at) { return parse_span(p, at); }

/* An empty place at the end, or at the start. */
static Span end_of(const Parse *p, Place at) { return (Span){.file = p->file, .line = at.end_line, .col = at.end_col}; }
static Span start_of(const Parse *p, Place at) { return (Span){.file = p->file, .line = at.line, .col = at.col}; }

/* The text of the place; NULL if it is on several lines. */
static const char *source(const Parse *p, Place at) {
    size_t n;
    const char *line = at.line == at.end_line ? diag_line(p->diags, at_place(p, at), &n) : NULL;
    return line && at.end_col - 1 <= n ? arena_strndup(p->arena, line + at.col - 1, at.end_col - at.col) : NULL;
}

AstExpr *parse_value(Parse *p, AstExpr *e) {
    bool lost = p->lost;
    p->lost = false;
    return lost && e->kind != X_ERROR ? ast_expr_error(p->arena, e->span) : e;
}

/* With the file's only input the net can be looked at. */
void parse_net_without_input(Parse *p, Item *net, Place name) {
    const Item *input = NULL;
    int n = 0;
    for (int32_t i = 0; i < p->ast->n_item; i++)
        if (p->ast->item[i]->kind == I_INPUT) {
            input = p->ast->item[i];
            n++;
        }
    const char *text = arena_printf(p->arena, "(%s)", n == 1 ? input->name : "image");
    diag_error(p->diags, at_place(p, name), "E0204", "a net has one parameter, the name of its input");
    diag_fix(p->diags, end_of(p, name), text, "in brackets after its name");
    net->broken = n != 1;
    Param param = {.name = n == 1 ? input->name : NULL, .span = net->span};
    if (n == 1) PUSH(p->arena, net->param.item, net->param.n, net->param.cap, param);
}

AstStmt *parse_update(Parse *p, Name name, Place at, Operator op, Place sign, AstExpr *by) {
    const char *text = arena_printf(p->arena, "= %s %s", name, operator_text[op]);
    diag_error(p->diags, at_place(p, sign), "E0013", "`%s=` is not part of the language", operator_text[op]);
    diag_fix(p->diags, at_place(p, sign), text, "the name stands on both sides");
    AstExpr *old = ast_expr_name(p->arena, at_place(p, at), name);
    AstExpr *sum = by->kind == X_ERROR ? by : ast_expr_operator(p->arena, by->span, op, old, by);
    AstStmt *s = ast_stmt(p->arena, S_ASSIGN, at_place(p, at), sum);
    s->names = *parse_add_name(p, NULL, name, at_place(p, at));
    return s;
}

/* The name that the first layer of the expression is given: it is probably meant to take the result, too. */
static Name flows_from(const AstExpr *e) {
    while (e->kind == X_ARROW || e->kind == X_ANNOTATE) e = e->kind == X_ARROW ? e->arrow.from : e->call.callee;
    if (e->kind == X_CALL) e = e->call.arg.n > 0 && !e->call.arg.item[0].name ? e->call.arg.item[0].value : e;
    return e->kind == X_NAME ? e->name : NULL;
}

/* list.append(item): NULL if it is not. */
static AstStmt *append(Parse *p, const AstExpr *e, Place at) {
    const AstExpr *callee = e->kind == X_CALL ? e->call.callee : NULL;
    bool appends = callee && callee->kind == X_FIELD && !strcmp(callee->access.field, "append");
    if (!appends || callee->access.base->kind != X_NAME || e->call.arg.n != 1) return NULL;
    const Arg *arg = &e->call.arg.item[0];
    if (arg->name || arg->spread) return NULL;
    AstExpr *base = callee->access.base;
    diag_error(p->diags, at_place(p, at), "E0013", "`append` is not part of the language; lists are joined by +");
    size_t n;
    const char *line = diag_line(p->diags, arg->whole, &n);
    if (arg->whole.len > 0 && at.line == at.end_line && line)
        diag_fix(p->diags, at_place(p, at),
                 arena_printf(p->arena, "%s = %s + [%.*s]", base->name, base->name, (int)arg->whole.len,
                              line + arg->whole.col - 1),
                 "this is written");
    ExprList one = {0};
    AstExpr *item = (AstExpr *)(uintptr_t)arg->value;
    PUSH(p->arena, one.item, one.n, one.cap, item);
    AstExpr *list = ast_expr_list(p->arena, arg->span, one);
    AstStmt *s = ast_stmt(p->arena, S_ASSIGN, base->span, ast_expr_operator(p->arena, e->span, OPR_add, base, list));
    s->names = *parse_add_name(p, NULL, base->name, base->span);
    return s;
}

/* Is this the last statement of a block's body? Then its result was meant. */
static bool ends_block(const Parse *p) {
    const char *next = p->text + p->offset;
    size_t n;
    const char *line = p->depth == 1 ? diag_line(p->diags, at_place(p, p->open[0].at), &n) : NULL;
    return line && !strncmp(line, "block ", 6) && (p->now == '}' || next[strspn(next, " \t\n")] == '}');
}

/* A call that is indented deeper than the line before it, which opens nothing. */
static bool goes_on(const Parse *p, const AstExpr *e, Place at) {
    size_t n;
    while (e->kind == X_ARROW) e = e->arrow.from;
    const char *line = at.line > 1 ? diag_line(p->diags, (Span){.file = p->file, .line = at.line - 1, .col = 1, .len = 1}, &n) : NULL;
    size_t indent = line ? strspn(line, " \t") : 0;
    return line && e->kind == X_CALL && indent < n && line[indent] != '#' && !memchr(line, '{', n) && indent + 1 < at.col;
}

AstStmt *parse_no_effect(Parse *p, AstExpr *e, Place at) {
    bool lost = parse_value(p, e) != e;
    Name name = flows_from(e);
    if (lost || e->kind == X_ERROR || p->choosing) return NULL;
    AstStmt *appended = append(p, e, at);
    if (appended) return appended;
    if (e->kind == X_BINARY && e->op.op == OPR_eq && e->op.a->kind == X_NAME) {
        diag_error(p->diags, at_place(p, at), "E0016",
                   "`==` compares, and nothing takes the result; an assignment has one `=`");
        return NULL;
    }
    diag_error(p->diags, at_place(p, at), "E0016", "nothing takes the result of this");
    if (ends_block(p))
        diag_fix(p->diags, start_of(p, at), "return ", "a block gives its result by return");
    else if (goes_on(p, e, at))
        diag_fix(p->diags, start_of(p, at), "-> ", "with an arrow the line goes on with the one before it");
    else if (name)
        diag_fix(p->diags, start_of(p, at), arena_printf(p->arena, "%s = ", name),
                 "layers do not change their input: give the result a name");
    else
        diag_help(p->diags, (Span){0}, "a value is given a name, x = ..., an output or a return");
    return NULL;
}

AstStmt *parse_output_name(Parse *p, AstExpr *e, Place at) {
    e = parse_value(p, e);
    Name name = e->kind == X_NAME ? e->name : name_of("scores");
    diag_error(p->diags, at_place(p, at), "E0018", "an output has a name");
    diag_fix(p->diags, start_of(p, at), arena_printf(p->arena, "%s = ", name),
             "programs and other files know it by that");
    AstStmt *s = ast_stmt(p->arena, S_OUTPUT, at_place(p, at), e);
    s->names = *parse_add_name(p, NULL, name, at_place(p, at));
    return s;
}

void parse_type_before(Parse *p, Place type, Place name) {
    Span gone = at_place(p, type);
    diag_error(p->diags, gone, "E0013", "`%s` is not needed", source(p, type));
    if (name.line == type.line) gone.len = name.col - type.col;
    diag_fix(p->diags, gone, "", "values have the type of what they are");
}

void parse_not_assigned(Parse *p, Place what, Place sign) {
    Span all = end_of(p, what);
    diag_error(p->diags, at_place(p, sign), "E0013", "nothing is assigned to a section");
    all.len = sign.line == what.end_line ? sign.end_col - all.col : 0;
    if (all.len) diag_fix(p->diags, all, "", "its { follows its name");
}

void parse_lost_value(Parse *p, Item *item) { item->value = ast_expr_error(p->arena, item->span); }

void parse_single_equals(Parse *p, Place at) {
    diag_error(p->diags, at_place(p, at), "E0013", "`=` assigns; a comparison is `==`");
    diag_fix(p->diags, at_place(p, at), "==", "%s", "");
}

AstExpr *parse_question(Parse *p, AstExpr *test, Place a, AstExpr *yes, Place b, AstExpr *no, Place c) {
    const char *ta = source(p, a), *tb = source(p, b), *tc = source(p, c);
    Place all = {a.line, a.col, c.end_line, c.end_col};
    diag_error(p->diags, at_place(p, all), "E0013", "`? :` is not part of the language; a choice is `a if c else b`");
    if (ta && tb && tc && a.line == c.line)
        diag_fix(p->diags, at_place(p, all), arena_printf(p->arena, "%s if %s else %s", tb, ta, tc), "this is written");
    return ast_expr_cond(p->arena, at_place(p, all), yes, test, no);
}

/* What stands in the braces; NULL if it is nothing, or on several lines. */
static const char *inside_of(const Parse *p, Place body) {
    const char *text = body.line ? source(p, body) : NULL;
    if (!text) return NULL;
    text += 1 + strspn(text + 1, " ");
    size_t n = strlen(text) - 1;
    while (n > 0 && text[n - 1] == ' ') n--;
    if (n == 0) return NULL;
    return arena_printf(p->arena, strstr(text, "->") ? "(%.*s)" : "%.*s", (int)n, text);
}

AstExpr *parse_choice_of_bodies(Parse *p, const Choice *c, Place at) {
    const char *yes = inside_of(p, c->yes), *no = inside_of(p, c->no), *test = source(p, c->test);
    p->choosing = false;
    diag_error(p->diags, parse_span(p, (Place){at.line, at.col, at.line, at.col + 2}), "E0013",
               "`if` with { } has no value; a choice is `a if c else b`");
    if (yes && no && test && c->statements == 0 && at.line == at.end_line)
        diag_fix(p->diags, at_place(p, at), arena_printf(p->arena, "%s if %s else %s", yes, test, no),
                 "this is written");
    else
        diag_help(p->diags, (Span){0},
                  "or the name is given its value in both bodies: if c { x = ... } else { x = ... }");
    return ast_expr_error(p->arena, at_place(p, at));
}

/* a if c else b -> f: by binding the choice flows into f, but most who write it mean b -> f, unless the arrow starts a
 * line. */
AstExpr *parse_chain(Parse *p, AstExpr *chain, Place at) {
    AstExpr *first = chain;
    while (first->arrow.from->kind == X_ARROW) first = first->arrow.from;
    AstExpr *choice = first->arrow.from, *inner = choice;
    if (choice->kind != X_COND || !choice->cond.last.line) return chain;
    while (inner->cond.other->kind == X_COND && inner->cond.other->cond.last.line) inner = inner->cond.other;
    Span last = inner->cond.last, sign = first->arrow.sign;
    diag_error(p->diags, sign, "E0010", "unexpected `->` behind `else`, which binds more tightly");
    if (last.len > 0 && sign.line > last.line) {
        diag_fix(p->diags, start_of(p, at), "(",
                 "with ( ) around the choice, or around the chain if only that side flows on");
        diag_edit(p->diags, (Span){.file = p->file, .line = last.line, .col = last.col + last.len}, ")");
        return chain;
    }
    last.len = 0;
    diag_fix(p->diags, last, "(", "with ( ) around the chain, or around the choice if both sides flow on");
    diag_edit(p->diags, end_of(p, at), ")");
    first->arrow.from = inner->cond.other;
    inner->cond.other = chain;
    choice->depth = chain->depth + 1; /* not less than it is: that of the chain counted the choice */
    return choice;
}

void parse_for_brackets(Parse *p, Place open, Place close) {
    diag_error(p->diags, at_place(p, open), "E0013", "there are no ( ) behind `for`");
    diag_fix(p->diags, at_place(p, open), "", "this is written");
    diag_edit(p->diags, at_place(p, close), "");
}

static void replace_brackets(Parse *p, Place open, Place close, const char *a, const char *b, const char *note) {
    diag_fix(p->diags, at_place(p, open), a, "%s", note);
    diag_edit(p->diags, at_place(p, close), b);
}

AstExpr *parse_bracket_call(Parse *p, AstExpr *callee, Place open, AstExpr *first, const ExprList *rest, Place close) {
    ArgList list = {0};
    if (callee->kind == X_LIST) {
        diag_error(p->diags, at_place(p, open), "E0015", "a comma is missing before this `[`");
        diag_help(p->diags, (Span){0}, "members of a list stand with commas between them, also on lines of their own");
        return ast_expr_error(p->arena, callee->span);
    }
    diag_error(p->diags, at_place(p, open), "E0013", "arguments stand in ( ); [ ] is an index into a list");
    replace_brackets(p, open, close, "(", ")", "this is written");
    for (int32_t i = -1; i < rest->n; i++) {
        AstExpr *x = i < 0 ? first : rest->item[i];
        Arg arg = {.span = x->span, .value = x};
        PUSH(p->arena, list.item, list.n, list.cap, arg);
    }
    return ast_expr_call(p->arena, callee->span, callee, list);
}

AstExpr *parse_tuple(Parse *p, Place open, AstExpr *first, const ExprList *rest, Place close) {
    ExprList list = {0};
    diag_error(p->diags, at_place(p, open), "E0013", "a list stands in [ ]");
    replace_brackets(p, open, close, "[", "]", "this is written");
    PUSH(p->arena, list.item, list.n, list.cap, first);
    for (int32_t i = 0; i < rest->n; i++) PUSH(p->arena, list.item, list.n, list.cap, rest->item[i]);
    return ast_expr_list(p->arena, at_place(p, open), list);
}
