/* From text to syntax tree. Errors go to the Diags; lexer and parser share the struct below and nothing else. */
#ifndef CNNC_FRONTEND_PARSE_H
#define CNNC_FRONTEND_PARSE_H

#include "ast.h"

/* The registered source `file` as a tree; never NULL. What is broken is reported and left out. */
Ast *parse_file(Arena *a, Diags *d, uint32_t file);
/* One expression: a default of a signature, a -D value, or what stands in braces in a string. `at` is the place of its
 * first byte. NULL if it was reported. */
AstExpr *parse_expr(Arena *a, Diags *d, const char *text, size_t n, Span at);

/* Inside the parser. */
typedef struct Place {          /* bison's location; columns in bytes from 1, the end is exclusive */
    uint32_t line, col, end_line, end_col;
} Place;

typedef struct Parse {
    Arena *arena;
    Diags *diags;
    uint32_t file;
    Place here;                 /* of the last token */
    int goal;                   /* the token that selects file or expression; 0 once it was given out */
    bool at_line_start;         /* the last token was a line end, or there was none */
    bool newline_due;           /* a line end was supplied before `}`, which comes next */
    bool stopped;               /* a limit was exceeded: nothing more is read or reported */
    int n_tokens;
    int depth;                  /* open brackets */
    char open[MAX_NESTING];
    Ast *ast;
    AstExpr *expr;
} Parse;

Span parse_span(const Parse *p, Place at);
/* The literal between the quotes: escapes resolved, {expr} parsed. */
AstExpr *parse_string(Parse *p, Span at, const char *text, size_t n);

#endif
