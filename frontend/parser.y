/* The grammar of the .net language. Actions only call builders of ast.h.
 *
 * A line end (NL) ends a statement, except inside ( ) and [ ] and before a line that starts with `->`; the lexer
 * supplies one before `}` and at the end of the file. After a mistake the parser goes on at the next line end, so that
 * one run reports several. */
%require "3.8"
%define api.pure full
%define api.location.type {Place}
%define parse.error custom
%define parse.lac full
%define api.prefix {net_}
%locations
%parse-param {Parse *p} {void *scanner}
%lex-param {Parse *p} {void *scanner}
%expect 0

%code requires {
#include "parse.h"
}

%union {
    Name name;
    Operator op;
    AstExpr *expr;
    AstStmt *stmt;
    Body *body;
    Item *item;
    Arg arg;
    Choice choice;
    Param param;
    ArgList *args;
    ExprList *exprs;
    NameList *names;
    ParamList *params;
    Setting *setting;
    SettingList *settings;
}

%code {
#include <string.h>

int net_lex_init_extra(Parse *p, void **scanner);
int net_lex_destroy(void *scanner);
struct yy_buffer_state *net__scan_bytes(const char *text, int n, void *scanner);
int parse_next_token(YYSTYPE *v, Place *at, Parse *p, void *scanner);
#define net_lex parse_next_token

#define AT(place) parse_span(p, place)
#define WHOLE(place) whole_span(p, place)
#define YYLLOC_DEFAULT(here, rhs, n)                                                                 \
    do {                                                                                             \
        if (n) {                                                                                     \
            (here) = YYRHSLOC(rhs, 1);                                                               \
            (here).end_line = YYRHSLOC(rhs, n).end_line;                                             \
            (here).end_col = YYRHSLOC(rhs, n).end_col;                                               \
        } else {                                                                                     \
            (here) = YYRHSLOC(rhs, 0);                                                               \
            (here).line = (here).end_line;                                                           \
            (here).col = (here).end_col;                                                             \
        }                                                                                            \
    } while (0)

static void net_error(const Place *at, Parse *p, void *scanner, const char *message);
static void check_version(Parse *p, Span at, const AstExpr *number);
static void check_deep(Parse *p, const AstExpr *e);
static Item *add_item(Parse *p, ItemKind kind, Span at, Name name);
static Setting *new_setting(Parse *p, Name key, Span at, AstExpr *value);
static Span callee_span(Span whole, const AstExpr *callee);
static Span whole_span(const Parse *p, Place at);
static Span sign_span(const Parse *p, Place arrow);
static Place join(Place from, Place to);
}

%token END 0      "end of file"
%token NL         "end of line"
%token FILE_GOAL EXPR_GOAL
%token CNNC       "`cnnc`"
%token USE        "`use`"
%token CONST      "`const`"
%token OPTION     "`option`"
%token INPUT      "`input`"
%token BLOCK      "`block`"
%token NET        "`net`"
%token GROUP      "`group`"
%token FOR        "`for`"
%token IN         "`in`"
%token IF         "`if`"
%token ELSE       "`else`"
%token RETURN     "`return`"
%token OUTPUT     "`output`"
%token ONLY       "`only`"
%token AND        "`and`"
%token OR         "`or`"
%token NOT        "`not`"
%token ARROW      "`->`"
%token DOTDOT     "`..`"
%token SHL        "`<<`"
%token <op> CMP   "a comparison"
%token <op> UPDATE "an assignment"
%token '?' "`?`" ':' "`:`"
%token <name> IDENT   "a name"
%token <name> SECTION "a section"
%token <expr> QTY     "a number"
%token <expr> STR     "a string"
%token <expr> DIM     "a size"
%token '(' "`(`" ')' "`)`" '[' "`[`" ']' "`]`" '{' "`{`" '}' "`}`" '=' "`=`" ',' "`,`" '.' "`.`" '@' "`@`"
%token '+' "`+`" '-' "`-`" '*' "`*`" '/' "`/`" '%' "`%`"

%type <expr> value test expr chain tern or and not cmp range add mul un post prim
%type <exprs> list elist
%type <args> args arglist
%type <arg> arg
%type <param> param
%type <params> params plist
%type <names> names
%type <stmt> stmt cond
%type <choice> choice
%type <body> body stmts
%type <setting> attr
%type <settings> attrs alist

%%

start  : FILE_GOAL file
       | EXPR_GOAL expr                             { p->expr = $2; }
       ;
file   : blank                                      /* reported later: there is no net */
       | blank CNNC QTY NL                          { check_version(p, AT(@3), $3); }
         items
       | blank CNNC error NL                        { yyerrok; }
         items
       ;
blank  : %empty | blank NL ;
items  : %empty | items item ;
item   : NL
       | USE STR NL                                 { add_item(p, I_USE, AT(@2), NULL)->value = $2; }
       | CONST IDENT '=' value                      { add_item(p, I_CONST, AT(@2), $2)->value = $4; }
       | OPTION IDENT '=' value                     { add_item(p, I_OPTION, AT(@2), $2)->value = $4; }
       | OPTION IDENT '=' expr IN expr NL           { Item *i = add_item(p, I_OPTION, AT(@2), $2);
                                                      i->value = $4; i->set = $6; }
       | CONST IDENT IDENT '=' value                { parse_type_before(p, @2, @3); add_item(p, I_CONST, AT(@3), $3)->value = $5; }
       | OPTION IDENT IDENT '=' value               { parse_type_before(p, @2, @3); add_item(p, I_OPTION, AT(@3), $3)->value = $5; }
       | OPTION IDENT IDENT '=' expr IN expr NL     { Item *i = add_item(p, I_OPTION, AT(@3), $3);
                                                      i->value = $5; i->set = $7; parse_type_before(p, @2, @3); }
       | CONST IDENT error NL                       { yyerrok; parse_lost_value(p, add_item(p, I_CONST, AT(@2), $2)); }
       | OPTION IDENT error NL                      { yyerrok; parse_lost_value(p, add_item(p, I_OPTION, AT(@2), $2)); }
       | INPUT IDENT attrs                          { add_item(p, I_INPUT, AT(@2), $2)->settings = $3; }
       | BLOCK IDENT '(' params ')' body            { Item *i = add_item(p, I_BLOCK, AT(@2), $2);
                                                      i->param = *$4; i->body = $6; }
       | NET IDENT '(' params ')' body              { Item *i = add_item(p, I_NET, AT(@2), $2);
                                                      i->param = *$4; i->body = $6; }
       | SECTION attrs                              { Item *i = add_item(p, I_SECTION, AT(@1), NULL);
                                                      i->section = $1; i->settings = $2; }
       | SECTION IDENT attrs                        { Item *i = add_item(p, I_SECTION, AT(@2), $2);
                                                      i->section = $1; i->settings = $3; }
       | SECTION '=' attrs                          { Item *i = add_item(p, I_SECTION, AT(@1), NULL);
                                                      i->section = $1; i->settings = $3; parse_not_assigned(p, @1, @2); }
       | SECTION '=' error NL                       { yyerrok; }
       | INPUT IDENT '=' attrs                      { add_item(p, I_INPUT, AT(@2), $2)->settings = $4; parse_not_assigned(p, @2, @3); }
       | NET IDENT body                             { Item *i = add_item(p, I_NET, AT(@2), $2);
                                                      i->body = $3; parse_net_without_input(p, i, @2); }
       | BLOCK IDENT error body                     { Item *i = add_item(p, I_BLOCK, AT(@2), $2);
                                                      i->body = $4; i->broken = true; }
       | NET IDENT error body                       { Item *i = add_item(p, I_NET, AT(@2), $2);
                                                      i->body = $4; i->broken = true; }
       | INPUT IDENT error attrs                    { add_item(p, I_INPUT, AT(@2), $2)->settings = $4; }
       | BLOCK error body
       | NET error body
       | INPUT error attrs
       | SECTION error attrs
       | error NL                                   { yyerrok; }
       | error body                                 { yyerrok; }
       ;
params : %empty                                     { $$ = NEW(p->arena, ParamList); }
       | plist
       ;
plist  : param                                      { $$ = NEW(p->arena, ParamList);
                                                      PUSH(p->arena, $$->item, $$->n, $$->cap, $1); }
       | plist ',' param                            { $$ = $1; PUSH(p->arena, $$->item, $$->n, $$->cap, $3); }
       ;
param  : IDENT                                      { $$ = (Param){.name = $1, .span = AT(@1)}; }
       | IDENT '=' expr                             { $$ = (Param){.name = $1, .span = AT(@1), .value = $3}; }
       ;
attrs  : '{' alist '}'                              { $$ = $2; }
       ;
alist  : %empty                                     { $$ = NEW(p->arena, SettingList); }
       | alist attr                                 { $$ = $1; if ($2) PUSH(p->arena, $$->item, $$->n, $$->cap, $2); }
       ;
attr   : NL                                         { $$ = NULL; }
       | IDENT '=' value                            { $$ = new_setting(p, $1, AT(@1), $3); }
       | expr NL                                    { $$ = new_setting(p, NULL, AT(@1), $1); }
       | GROUP STR attrs                            { $$ = new_setting(p, NULL, AT(@2), $2); $$->group = $3; }
       | GROUP error attrs                          { $$ = NULL; }
       | error NL                                   { $$ = NULL; yyerrok; }
       | error attrs                                { $$ = NULL; yyerrok; }
       ;
body   : '{' stmts '}'                              { $$ = $2; }
       ;
stmts  : %empty                                     { $$ = NEW(p->arena, Body); }
       | stmts stmt                                 { $$ = $1; if ($2) PUSH(p->arena, $$->item, $$->n, $$->cap, $2); }
       ;
stmt   : NL                                         { $$ = NULL; }
       | names '=' value                            { $$ = ast_stmt(p->arena, S_ASSIGN, AT(@1), $3); $$->names = *$1; }
       | IDENT UPDATE expr NL                       { $$ = parse_update(p, $1, @1, $2, @2, parse_value(p, $3)); }
       | expr NL                                    { $$ = parse_no_effect(p, $1, @1); }
       | FOR names IN expr body                     { $$ = ast_stmt(p->arena, S_FOR, AT(@1), parse_value(p, $4));
                                                      $$->names = *$2; $$->body = $5; }
       | cond
       | RETURN value                               { $$ = ast_stmt(p->arena, S_RETURN, AT(@1), $2); }
       | OUTPUT IDENT '=' value                     { $$ = ast_stmt(p->arena, S_OUTPUT, AT(@2), $4);
                                                      $$->names = *parse_add_name(p, NULL, $2, AT(@2)); }
       | OUTPUT expr NL                             { $$ = parse_output_name(p, $2, @2); }
       | OUTPUT IDENT '=' expr ONLY IDENT NL        { $$ = ast_stmt(p->arena, S_OUTPUT, AT(@2), parse_value(p, $4));
                                                      $$->names = *parse_add_name(p, NULL, $2, AT(@2));
                                                      $$->only = $6; $$->only_span = AT(@6); }
       | FOR '(' names IN expr ')' body             { $$ = ast_stmt(p->arena, S_FOR, AT(@1), parse_value(p, $5));
                                                      $$->names = *$3; $$->body = $7;
                                                      parse_for_brackets(p, @2, @6); }
       | FOR '(' names ')' IN expr body             { $$ = ast_stmt(p->arena, S_FOR, AT(@1), parse_value(p, $6));
                                                      $$->names = *$3; $$->body = $7;
                                                      parse_for_brackets(p, @2, @4); }
       | FOR error body                             { $$ = NULL; }
       | IF error body                              { $$ = NULL; }
       | error NL                                   { $$ = NULL; yyerrok; }
       | error body                                 { $$ = NULL; yyerrok; }
       ;
value  : expr NL                                    { $$ = parse_value(p, $1); }
       | error NL                                   { $$ = parse_value(p, ast_expr_error(p->arena, AT(@1))); yyerrok; }
       | error body                                 { $$ = parse_value(p, ast_expr_error(p->arena, AT(@1))); yyerrok;
                                                      p->choosing = false; }
       | choice                                     { $$ = parse_choice_of_bodies(p, &$1, @1); }
       ;
choice : choose expr body                           { $$ = (Choice){.test = @2, .yes = @3, .statements = $3->n}; }
       | choose expr body ELSE body                 { $$ = (Choice){.test = @2, .yes = @3, .no = @5, .statements = $3->n + $5->n}; }
       | choose expr body ELSE choice               { $$ = (Choice){.test = @2, .yes = @3}; }
       ;
choose : IF                                         { p->choosing = true; }
       ;
test   : expr                                       { $$ = parse_value(p, $1); }
       | expr '=' expr                              { parse_single_equals(p, @2);
                                                      $$ = parse_value(p, ast_expr_operator(p->arena, AT(@$), OPR_eq, $1, $3)); }
       ;
cond   : IF test body                               { $$ = ast_stmt(p->arena, S_IF, AT(@1), $2); $$->body = $3; }
       | IF test body ELSE body                     { $$ = ast_stmt(p->arena, S_IF, AT(@1), $2);
                                                      $$->body = $3; $$->other = $5; }
       | IF test body ELSE cond                     { $$ = ast_stmt(p->arena, S_IF, AT(@1), $2);
                                                      $$->body = $3; $$->else_if = $5; }
       ;
names  : IDENT                                      { $$ = parse_add_name(p, NULL, $1, AT(@1)); }
       | names ',' IDENT                            { $$ = parse_add_name(p, $1, $3, AT(@3)); }
       ;
expr   : tern
       | chain                                      { $$ = parse_chain(p, $1, @1); check_deep(p, $$); }
       ;
chain  : tern ARROW post                            { $$ = ast_expr_arrow(p->arena, AT(@$), $1, sign_span(p, @2), $3);
                                                       check_deep(p, $$); }
       | chain ARROW post                           { $$ = ast_expr_arrow(p->arena, AT(@$), $1, sign_span(p, @2), $3);
                                                       check_deep(p, $$); }
       ;
tern   : or
       | or '?' tern ':' tern                       { $$ = parse_question(p, $1, @1, $3, @3, $5, @5); check_deep(p, $$); }
       | or IF or ELSE tern                         { $$ = ast_expr_cond(p->arena, AT(@$), $1, $3, $5);
                                                       $$->cond.last = WHOLE(@5); check_deep(p, $$); }
       ;
or     : and
       | or OR and                                  { $$ = ast_expr_operator(p->arena, AT(@$), OPR_or, $1, $3);
                                                      check_deep(p, $$); }
       ;
and    : not
       | and AND not                                { $$ = ast_expr_operator(p->arena, AT(@$), OPR_and, $1, $3);
                                                      check_deep(p, $$); }
       ;
not    : cmp
       | NOT not                                    { $$ = ast_expr_operator(p->arena, AT(@$), OPR_not, $2, NULL);
                                                      check_deep(p, $$); }
       ;
cmp    : range
       | cmp CMP range                              { $$ = ast_expr_operator(p->arena, AT(@$), $2, $1, $3);
                                                      check_deep(p, $$); }
       ;
range  : add
       | add DOTDOT add                             { $$ = ast_expr_operator(p->arena, AT(@$), OPR_range, $1, $3);
                                                      check_deep(p, $$); }
       ;
add    : mul
       | add '+' mul                                { $$ = ast_expr_operator(p->arena, AT(@$), OPR_add, $1, $3);
                                                      check_deep(p, $$); }
       | add '-' mul                                { $$ = ast_expr_operator(p->arena, AT(@$), OPR_sub, $1, $3);
                                                      check_deep(p, $$); }
       ;
mul    : un
       | mul '*' un                                 { $$ = ast_expr_operator(p->arena, AT(@$), OPR_mul, $1, $3);
                                                      check_deep(p, $$); }
       | mul '/' un                                 { $$ = ast_expr_operator(p->arena, AT(@$), OPR_div, $1, $3);
                                                      check_deep(p, $$); }
       | mul '%' un                                 { $$ = ast_expr_operator(p->arena, AT(@$), OPR_mod, $1, $3);
                                                      check_deep(p, $$); }
       | mul SHL un                                 { $$ = ast_expr_operator(p->arena, AT(@$), OPR_shl, $1, $3);
                                                      check_deep(p, $$); }
       ;
un     : post
       | '-' un                                     { $$ = ast_expr_operator(p->arena, AT(@$), OPR_neg, $2, NULL);
                                                      check_deep(p, $$); }
       ;
post   : prim
       | post '(' args ')'                          { $$ = ast_expr_call(p->arena, callee_span(AT(@$), $1), $1, *$3);
                                                      $$->call.brackets = WHOLE(join(@2, @4));
                                                      check_deep(p, $$); }
       | post '[' expr ']'                          { $$ = ast_expr_index(p->arena, AT(@$), $1, $3);
                                                       check_deep(p, $$); }
       | post '[' expr ',' elist ']'                { $$ = parse_bracket_call(p, $1, @2, $3, $5, @6); }
       | post '.' IDENT                             { $$ = ast_expr_field(p->arena, AT(@$), $1, $3);
                                                       $$->access.dot = AT(@2);
                                                       check_deep(p, $$); }
       | post '@' IDENT '(' args ')'                { $$ = ast_expr_annotate(p->arena, AT(@3), $1, $3, *$5);
                                                      check_deep(p, $$); }
       ;
prim   : IDENT                                      { $$ = ast_expr_name(p->arena, AT(@1), $1); }
       | QTY
       | STR
       | DIM
       | '(' expr ')'                               { $$ = $2;
                                                      if ($$->kind == X_COND) $$->cond.last = (Span){0}; }
       | '(' expr ',' list ')'                      { $$ = parse_tuple(p, @1, $2, $4, @5); }
       | '[' list ']'                               { $$ = ast_expr_list(p->arena, AT(@$), *$2); check_deep(p, $$); }
       ;
args   : %empty                                     { $$ = NEW(p->arena, ArgList); }
       | arglist
       | arglist ','
       ;
arglist: arg                                        { $$ = NEW(p->arena, ArgList);
                                                      PUSH(p->arena, $$->item, $$->n, $$->cap, $1); }
       | arglist ',' arg                            { $$ = $1; PUSH(p->arena, $$->item, $$->n, $$->cap, $3); }
       ;
arg    : expr                                       { $$ = (Arg){.span = AT(@1), .whole = WHOLE(@$), .value = $1}; }
       | IDENT '=' expr                             { $$ = (Arg){.name = $1, .span = AT(@1), .whole = WHOLE(@$), .value = $3}; }
       | choice                                     { $$ = (Arg){.span = AT(@1), .whole = WHOLE(@$),
                                                                 .value = parse_choice_of_bodies(p, &$1, @1)}; }
       | FOR '=' expr                               { $$ = (Arg){.name = name_of("for"), .span = AT(@1), .whole = WHOLE(@$),
                                                                 .value = $3}; }
       | GROUP '=' expr                             { $$ = (Arg){.name = name_of("group"), .span = AT(@1), .whole = WHOLE(@$),
                                                                 .value = $3}; }
       | '*' expr                                   { $$ = (Arg){.spread = true, .span = AT(@2), .whole = WHOLE(@$), .value = $2}; }
       ;
list   : %empty                                     { $$ = NEW(p->arena, ExprList); }
       | elist
       | elist ','
       ;
elist  : expr                                       { $$ = NEW(p->arena, ExprList);
                                                      PUSH(p->arena, $$->item, $$->n, $$->cap, $1); }
       | elist ',' expr                             { $$ = $1; PUSH(p->arena, $$->item, $$->n, $$->cap, $3); }
       ;

%%

Span parse_span(const Parse *p, Place at) {
    uint32_t len = at.end_line == at.line && at.end_col > at.col ? at.end_col - at.col : 1;
    return (Span){.file = p->file, .line = at.line, .col = at.col, .len = len};
}

static Place join(Place from, Place to) { return (Place){from.line, from.col, to.end_line, to.end_col}; }

/* The place if it is on one line, else one of length 0. */
static Span whole_span(const Parse *p, Place at) {
    Span s = parse_span(p, at);
    if (at.line != at.end_line) s.len = 0;
    return s;
}

/* Without the line ends before it. */
static Span sign_span(const Parse *p, Place arrow) {
    return parse_span(p, (Place){arrow.end_line, arrow.end_col - 2, arrow.end_line, arrow.end_col});
}

/* A call of a plain name is marked at the name: its arguments may run over many lines. */
static Span callee_span(Span whole, const AstExpr *callee) {
    return callee->kind == X_NAME || callee->kind == X_FIELD ? callee->span : whole;
}

static void check_version(Parse *p, Span at, const AstExpr *number) {
    const Value *v = &number->literal.value;
    if (!value_is_whole(v) || value_whole(v) < 1)
        diag_error(p->diags, at, "E0012", "the language version is a whole number: `cnnc 1`");
    else if (value_whole(v) > 1)
        diag_error(p->diags, at, "E0012", "this file needs language version %s; this compiler knows version 1",
                   number->literal.text);
}

static void check_deep(Parse *p, const AstExpr *e) {
    if (e->depth <= MAX_EXPR_DEPTH || p->stopped) return;
    diag_error(p->diags, e->span, "E0902", "this expression is too deep (at most %d operators)", MAX_EXPR_DEPTH);
    p->stopped = true;
}

static Item *add_item(Parse *p, ItemKind kind, Span at, Name name) {
    Item *i = ast_item(p->arena, kind, at, name);
    PUSH(p->arena, p->ast->item, p->ast->n_item, p->ast->cap_item, i);
    return i;
}

NameList *parse_add_name(Parse *p, NameList *list, Name name, Span at) {
    if (!list) list = NEW(p->arena, NameList);
    int32_t n = list->n;
    PUSH(p->arena, list->item, list->n, list->cap, name);
    PUSH(p->arena, list->span, n, list->cap_span, at);
    return list;
}

static Setting *new_setting(Parse *p, Name key, Span at, AstExpr *value) {
    Setting *s = NEW(p->arena, Setting);
    *s = (Setting){.key = key, .span = at, .value = value};
    return s;
}

/* Only for the parser's stack: syntax errors go to yyreport_syntax_error. */
static void net_error(const Place *at, Parse *p, void *scanner, const char *message) {
    (void)scanner, (void)message;
    if (p->stopped) return;
    diag_error(p->diags, parse_span(p, *at), "E0902", "nesting is too deep for the parser");
    p->stopped = true;
}

/* What stands there: the word itself for names, else the kind of token. */
static const char *found(Parse *p, yysymbol_kind_t kind, Place at) {
    bool spelled = kind == YYSYMBOL_IDENT || kind == YYSYMBOL_SECTION || kind == YYSYMBOL_QTY || kind == YYSYMBOL_CMP;
    const SourceFile *f = &p->diags->file[p->file];
    if (!spelled || at.line != at.end_line || !f->bytes) return yysymbol_name(kind);
    const char *line = f->text;
    for (uint32_t i = 1; i < at.line; i++) line = strchr(line, '\n') + 1;
    return arena_printf(p->arena, "`%.*s`", (int)min_i64(at.end_col - at.col, 60), line + at.col - 1);
}

static int yyreport_syntax_error(const yypcontext_t *context, Parse *p, void *scanner) {
    (void)scanner;
    if (p->stopped) return 0;
    enum { MOST = 5 };   /* more possibilities than this help nobody */
    yysymbol_kind_t expected[MOST];
    if (parse_slip(p, p->now, *yypcontext_location(context))) return 0;
    int n = yypcontext_expected_tokens(context, expected, MOST);
    Place at = *yypcontext_location(context);
    Str s = STR(p->arena);
    const char *there = found(p, yypcontext_token(context), at);
    str_addf(&s, "unexpected %s", there + (strncmp(there, "a ", 2) ? 0 : 2));
    if (n == MOST) n = 0;
    for (int i = 0; i < n; i++)
        str_addf(&s, "%s%s", i == 0 ? "; expected " : i == n - 1 ? " or " : ", ", yysymbol_name(expected[i]));
    diag_error(p->diags, parse_span(p, at), "E0010", "%s", str_text(&s));
    p->wrong = true;
    return 0;
}

static void run(Parse *p, const char *text, size_t n) {
    void *scanner;
    if (net_lex_init_extra(p, &scanner)) ice("no memory for the lexer");
    net__scan_bytes(text, (int)n, scanner);
    net_parse(p, scanner);
    net_lex_destroy(scanner);
}

Ast *parse_file(Arena *a, Diags *d, uint32_t file) { return parse_file_tokens(a, d, file, NULL); }

Ast *parse_file_tokens(Arena *a, Diags *d, uint32_t file, TokenList *tokens) {
    Ast *ast = NEW(a, Ast);
    *ast = (Ast){.arena = a, .file = file};
    Parse *p = NEW(a, Parse);
    *p = (Parse){.arena = a, .diags = d, .file = file, .text = d->file[file].text, .goal = FILE_GOAL, .tokens = tokens,
                 .ast = ast, .at_line_start = true, .here = {1, 1, 1, 1}};
    parse_find_gaps(p);
    run(p, d->file[file].text, d->file[file].bytes);
    return ast;
}

AstExpr *parse_expr(Arena *a, Diags *d, const char *text, size_t n, Span at) {
    Parse *p = NEW(a, Parse);
    *p = (Parse){.arena = a, .diags = d, .file = at.file, .text = text, .goal = EXPR_GOAL, .started = true,
                 .here = {at.line, at.col, at.line, at.col}};
    int before = d->n_error;
    run(p, text, n);
    return d->n_error > before ? NULL : p->expr;
}
