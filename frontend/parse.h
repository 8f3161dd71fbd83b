/* From text to syntax tree. Errors go to the Diags; lexer and parser share the struct below and nothing else. */
#ifndef CNNC_FRONTEND_PARSE_H
#define CNNC_FRONTEND_PARSE_H

#include "ast.h"

/* One expression: a default of a signature, a -D value, or what stands in braces in a string. `at` is the place of its
 * first byte. NULL if it was reported. */
AstExpr *parse_expr(Arena *a, Diags *d, const char *text, size_t n, Span at);

typedef struct Place {          /* bison's location; columns in bytes from 1, the end is exclusive */
    uint32_t line, col, end_line, end_col;
} Place;

typedef enum TokenShape { TOKEN_LINE_END, TOKEN_NAME, TOKEN_NUMBER, TOKEN_TEXT, TOKEN_WORD, TOKEN_SIGN, TOKEN_END } TokenShape;

typedef struct Token {          /* TOKEN_WORD: a keyword where it is one; TOKEN_TEXT: a string */
    TokenShape shape;
    Place at;
} Token;

typedef struct TokenList {
    Token *item;
    int32_t n, cap;
} TokenList;

/* The registered source `file` as a tree; never NULL. What is broken is reported and left out. */
Ast *parse_file(Arena *a, Diags *d, uint32_t file);
/* The same, with its tokens. */
Ast *parse_file_tokens(Arena *a, Diags *d, uint32_t file, TokenList *tokens);
/* A number as the tree keeps it: one blank before a unit that is a word. */
const char *parse_number_text(Arena *a, const char *text, size_t n);

/* Inside the parser. */
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
    TokenList *tokens;          /* NULL: nobody wants them */
    Ast *ast;
    AstExpr *expr;
} Parse;

Span parse_span(const Parse *p, Place at);
/* The literal between the quotes: escapes resolved, {expr} parsed. */
AstExpr *parse_string(Parse *p, Span at, const char *text, size_t n);

#endif
