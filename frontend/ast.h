/* The syntax tree: a .net file as its author wrote it. The parser builds it, ast_print prints it back, elaboration
 * reads it; nothing changes it. Everything lives in the arena. */
#ifndef CNNC_FRONTEND_AST_H
#define CNNC_FRONTEND_AST_H

#include "../ir/diag.h"
#include "table.h"
#include "value.h"

enum {
    MAX_NESTING = 200,          /* open brackets */
    MAX_EXPR_DEPTH = 1000,      /* operators on the longest path of one expression */
    MAX_TOKENS = 2000000,       /* of one file: bounds memory */
    MAX_IDENT = 255, MAX_STRING = 4096, MAX_DIGITS = 64
};

typedef enum AstExprKind {
    X_NAME, X_NUMBER, X_STRING, X_DIM, X_LIST, X_CALL, X_INDEX, X_FIELD, X_ANNOTATE, X_UNARY, X_BINARY, X_COND, X_ARROW,
    X_ERROR                     /* what stood there was reported */
} AstExprKind;

/* ONE ROW PER OPERATOR: id, spelling, precedence of the expression. Higher binds tighter; see ast_precedence. */
#define OPERATORS(_)                                                                      \
    _(or, "or", 2) _(and, "and", 3) _(not, "not ", 4)                                     \
    _(eq, "==", 5) _(ne, "!=", 5) _(lt, "<", 5) _(le, "<=", 5) _(gt, ">", 5) _(ge, ">=", 5) \
    _(range, "..", 6) _(add, "+", 7) _(sub, "-", 7)                                       \
    _(mul, "*", 8) _(div, "/", 8) _(mod, "%", 8) _(shl, "<<", 8) _(neg, "-", 9)

typedef enum Operator {
#define OPERATOR(id, spelling, precedence) OPR_##id,
    OPERATORS(OPERATOR)
#undef OPERATOR
    OPR_COUNT
} Operator;
extern const char *const operator_text[OPR_COUNT];
extern const int operator_precedence[OPR_COUNT];

typedef struct AstExpr AstExpr;

typedef struct Arg {            /* of a call: expr, name = expr, or *expr */
    Name name;                  /* NULL: positional */
    bool spread;
    Span span;                  /* of the name, or of the expression */
    Span whole;                 /* with name and value; len 0 if it runs over several lines */
    const AstExpr *value;
} Arg;

typedef struct ArgList {
    Arg *item;
    int32_t n, cap;
} ArgList;

typedef struct ExprList {
    AstExpr **item;
    int32_t n, cap;
} ExprList;

typedef struct Part {           /* of a string: text, then the value of an expression if there is one */
    const char *text;
    AstExpr *value;
} Part;

typedef struct PartList {
    Part *item;
    int32_t n, cap;
} PartList;

struct AstExpr {
    AstExprKind kind;
    int32_t depth;              /* operators on the longest path below */
    Span span;
    union {
        Name name;                                                      /* X_NAME */
        struct { Value value; const char *text; } literal;              /* X_NUMBER, X_DIM; text as written */
        struct { const char *text; PartList part; } string;             /* text as written, without quotes */
        ExprList list;
        struct { AstExpr *callee; ArgList arg; Name label; Span brackets; } call;   /* X_CALL; X_ANNOTATE: callee
                                                    @label(arg); brackets.len 0: they are on several lines */
        struct { AstExpr *base, *index; Name field; Span dot; } access;    /* X_INDEX, X_FIELD; the place of the dot */
        struct { Operator op; AstExpr *a, *b; } op;                        /* X_UNARY (b NULL), X_BINARY */
        struct { AstExpr *value, *test, *other; Span last; } cond;         /* value if test else other; last: the place
                                                    of that, line 0 if there are parentheses around it all */
        struct { AstExpr *from, *to; Span sign; } arrow;
    };
};

typedef struct NameList {
    Name *item;
    Span *span;
    int32_t n, cap, cap_span;
} NameList;

typedef struct AstStmt AstStmt;

typedef struct Body {
    AstStmt **item;
    int32_t n, cap;
} Body;

typedef enum StmtForm { S_ASSIGN, S_FOR, S_IF, S_RETURN, S_OUTPUT } StmtForm;

struct AstStmt {
    StmtForm kind;
    Span span;
    NameList names;             /* S_ASSIGN, S_FOR; S_OUTPUT: one */
    AstExpr *value;                /* right side, iterated list, condition, result */
    Body *body, *other;         /* S_FOR, S_IF; `other` NULL: no else */
    AstStmt *else_if;              /* instead of `other` */
    Name only;                  /* S_OUTPUT: NULL, "train" or "deploy" as written */
    Span only_span;
};

typedef struct Param {          /* of a block or net */
    Name name;
    Span span;
    AstExpr *value;                /* default, or NULL */
} Param;

typedef struct ParamList {
    Param *item;
    int32_t n, cap;
} ParamList;

typedef struct Setting Setting;

typedef struct SettingList {
    Setting **item;
    int32_t n, cap;
} SettingList;

struct Setting {
    Name key;                   /* key = value; NULL: a step or a group */
    Span span;                  /* of the key, or of the step */
    AstExpr *value;                /* of a group: its pattern */
    SettingList *group;         /* NULL unless group PATTERN { } */
};

typedef enum ItemKind { I_USE, I_CONST, I_OPTION, I_INPUT, I_BLOCK, I_NET, I_SECTION } ItemKind;

typedef struct Item {
    ItemKind kind;
    Span span;                  /* of the name, or of the first word */
    Name section;               /* I_SECTION: "data", "train", ... */
    Name name;                  /* NULL: an unnamed section */
    AstExpr *value, *set;          /* I_USE: the path; I_CONST, I_OPTION: value, and the set after `in` */
    ParamList param;            /* I_BLOCK, I_NET */
    Body *body;
    SettingList *settings;      /* I_INPUT, I_SECTION */
    bool broken;                /* its parameters were reported: uses of it are not judged */
} Item;

typedef struct Ast {            /* one file */
    Arena *arena;
    uint32_t file;              /* in Diags */
    Item **item;
    int32_t n_item, cap_item;
} Ast;

/* Builders, for the parser. Children may be NULL only where the struct says so. */
AstExpr *ast_expr_error(Arena *a, Span at);
AstExpr *ast_expr_name(Arena *a, Span at, Name name);
AstExpr *ast_expr_literal(Arena *a, Span at, AstExprKind kind, Value value, const char *text);
AstExpr *ast_expr_list(Arena *a, Span at, ExprList list);
AstExpr *ast_expr_call(Arena *a, Span at, AstExpr *callee, ArgList arg);
AstExpr *ast_expr_annotate(Arena *a, Span at, AstExpr *callee, Name label, ArgList arg);
AstExpr *ast_expr_index(Arena *a, Span at, AstExpr *base, AstExpr *index);
AstExpr *ast_expr_field(Arena *a, Span at, AstExpr *base, Name field);
AstExpr *ast_expr_operator(Arena *a, Span at, Operator op, AstExpr *x, AstExpr *y);
AstExpr *ast_expr_cond(Arena *a, Span at, AstExpr *value, AstExpr *test, AstExpr *other);   /* as in parentheses */
AstExpr *ast_expr_arrow(Arena *a, Span at, AstExpr *from, Span sign, AstExpr *to);
AstStmt *ast_stmt(Arena *a, StmtForm kind, Span at, AstExpr *value);
Item *ast_item(Arena *a, ItemKind kind, Span at, Name name);

/* 0 for ->, 1 for if-else, then operator_precedence, 10 for calls, fields and what needs no parentheses at all. */
int ast_precedence(const AstExpr *e);
/* Counts in the table, as (uintptr_t), how often x, or the statements, mention each name. */
void ast_expr_names(Arena *a, Table *t, const AstExpr *x);
void ast_body_names(Arena *a, Table *t, const Body *body);
/* The file as source in the house form: parsing the result and printing again gives the same bytes. */
void ast_print(Str *s, const Ast *ast);
void ast_expr_print(Str *s, const AstExpr *e);

#endif
