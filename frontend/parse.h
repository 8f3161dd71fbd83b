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
typedef struct Bracket {        /* an open one */
    char kind;                  /* ( [ {, or : of a body that is only indented */
    Place at;
    Place arrow;                /* where what stands before the first -> in it ends; line 0: nowhere */
    uint32_t indent;            /* of a `:` the column of its statement */
    int32_t message;            /* of a `:` and of a word in place of a { what was reported */
    bool word;                  /* a { that was written `do` or `then` */
} Bracket;

enum { MAX_GAPS = 8 };

typedef struct Parse {
    Arena *arena;
    Diags *diags;
    uint32_t file;
    const char *text;           /* that is read */
    size_t offset;              /* of what follows the last token */
    Place here;                 /* of the last token */
    int goal;                   /* the token that selects file or expression; 0 once it was given out */
    bool at_line_start;         /* the last token was a line end, or there was none */
    bool newline_due;           /* a line end was supplied before `}`, which comes next */
    bool stopped;               /* a limit was exceeded: nothing more is read or reported */
    int n_tokens;
    Bracket *open;
    int32_t depth, cap_open;    /* open brackets */
    /* What recovery needs (parse_recover.c). */
    int now, last, statement;   /* this token (in the parser), the one before it, and the first of its statement */
    Place now_at, last_at, statement_at;
    int *due;                   /* tokens that nobody wrote and that come next */
    int32_t n_due, cap_due, next_due;
    bool lost;                  /* the statement was reported: its value is not judged */
    bool started;               /* the line `cnnc 1` was there or was reported */
    bool outside;               /* statements outside of nets and blocks were reported */
    bool plain;                 /* the next word is a name */
    bool wrong;                 /* something in this line cannot be read: signs that follow are not judged */
    bool typed;                 /* the type of a parameter is left out, up to the next , ) or = */
    Place closed;               /* of the last } outside of which there is nothing */
    bool choosing;              /* inside of a Choice: a body may be a value */
    bool braces;                /* a call had its arguments in { } */
    int questions;              /* ? that wait for their : */
    uint32_t skip_col;          /* of a statement that is skipped */
    bool skip_brace;            /* it has a { */
    size_t swallow;             /* bytes that are passed over: they were reported, and stand for a value */
    uint32_t gap[MAX_GAPS];     /* lines before which a `}` is missing, ascending */
    int n_gap, next_gap;
    TokenList *tokens;          /* NULL: nobody wants them */
    Ast *ast;
    AstExpr *expr;
} Parse;

typedef struct Choice {         /* if test { yes } else { no } where a value is wanted */
    Place test, yes, no;        /* no: line 0 where there is none, or another choice */
    int32_t statements;         /* in its bodies, which are not values alone */
} Choice;

Span parse_span(const Parse *p, Place at);

NameList *parse_add_name(Parse *p, NameList *list, Name name, Span at);   /* NULL: makes the list */

/* parse_forms.c: what the grammar accepts only to say what is wrong with it. Each reports and gives what was meant. */
AstExpr *parse_value(Parse *p, AstExpr *e);   /* e, or an X_ERROR if the statement was reported */
void parse_net_without_input(Parse *p, Item *net, Place name);
AstStmt *parse_update(Parse *p, Name name, Place at, Operator op, Place sign, AstExpr *by);   /* x += y */
AstStmt *parse_no_effect(Parse *p, AstExpr *e, Place at);
AstStmt *parse_output_name(Parse *p, AstExpr *e, Place at);
void parse_single_equals(Parse *p, Place at);
void parse_type_before(Parse *p, Place type, Place name);   /* const int n = 3 */
void parse_not_assigned(Parse *p, Place what, Place sign);   /* train = { ... } */
void parse_lost_value(Parse *p, Item *item);   /* its name is known, its value is not */
void parse_for_brackets(Parse *p, Place open, Place close);
AstExpr *parse_question(Parse *p, AstExpr *test, Place a, AstExpr *yes, Place b, AstExpr *no, Place c);
AstExpr *parse_choice_of_bodies(Parse *p, const Choice *c, Place at);
AstExpr *parse_chain(Parse *p, AstExpr *chain, Place at);   /* of arrows */
AstExpr *parse_bracket_call(Parse *p, AstExpr *callee, Place open, AstExpr *first, const ExprList *rest, Place close);
AstExpr *parse_tuple(Parse *p, Place open, AstExpr *first, const ExprList *rest, Place close);
/* parse_slips.c: the token does not fit there: reports what was probably meant. False if nobody knows. */
bool parse_slip(Parse *p, int token, Place at);

/* parse_recover.c: tokens that nobody wrote, and words and signs of other languages. Tokens are those of parser.h; 0:
 * there is none, read on. `v` is what the parser takes with the token. */
union NET_STYPE;
int parse_sign(Parse *p, union NET_STYPE *v, const char *text);
int parse_colon(Parse *p);
/* The first word of a statement becomes what it stands for; *skip: leave out all that is indented deeper. -1: an
 * ordinary word. */
int parse_lead(Parse *p, Name *word, bool *skip);
/* The first word of a statement is `end`, or its like, of a body that a word opened, or `else` between two: the token that
 * closes it; else -1. */
int parse_close_by_word(Parse *p, const char *word);
/* A { where a value is wanted, with a colon between the first two: a table of another language, which is reported. How many
 * bytes of the text behind the { it has, with what picks a value of it; 0: it is something else. */
size_t parse_dictionary(Parse *p);
/* A word that is not the first one, as parse_lead; -1: an ordinary word. */
int parse_inside(Parse *p, Name word);
/* A word at the start of a line outside of everything that starts nothing; as parse_lead. */
int parse_outside(Parse *p, Name *word, bool *skip);
/* The first word of a file: if it is not `cnnc`, reports it and makes that line due. */
bool parse_no_version(Parse *p, const char *word);
/* Brackets that should have been closed here: makes what closes them due. False if there are none. */
bool parse_unclosed(Parse *p);
/* Is this the start of a statement, so that brackets before it are not closed? `text` is the word there. */
bool parse_starts_statement(const Parse *p, const char *text, int top);
/* Is this the start of a second statement on the line? Reports it, and gives NL or { that should stand before it; else 0.
 * `text` is the word there. */
int parse_second_statement(Parse *p, const char *text);
/* The kind of section that the outermost open brace is of; NULL: of something else, or there is none. */
const struct SectionKind *parse_section(const Parse *p);
/* Does the first name of a statement lack the = behind it? Reports it and makes the = due. */
bool parse_missing_equals(Parse *p);
/* A line ends: gives NL, or 0 if that does not count, or a forgotten {; the ends of indented bodies and forgotten } are due
 * then. */
int parse_line_end(Parse *p);
/* Finds the gaps of the text. */
void parse_find_gaps(Parse *p);
/* The number with a unit of another language, as it is written here; NULL if the unit is not known there either. */
const char *parse_unit(Parse *p, const char *text, size_t n);

/* The literal between the quotes: escapes resolved, {expr} parsed. */
AstExpr *parse_string(Parse *p, Span at, const char *text, size_t n);

#endif
