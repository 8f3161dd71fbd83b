/* A file as `cnnc fmt` sees it: its words with the comments around them, and where lines may break. Private to fmt.c. */
#ifndef CNNC_FRONTEND_FMT_MARKS_H
#define CNNC_FRONTEND_FMT_MARKS_H

#include "parse.h"

typedef struct Comment {
    const char *text;       /* with its #, without blanks at the end */
    uint32_t column;        /* in the source */
    bool blank;             /* an empty line before it */
} Comment;

typedef struct CommentList {
    Comment *item;
    int32_t n, cap;
} CommentList;

typedef struct Mark {       /* a word or sign */
    const char *text;
    int32_t width;          /* in characters */
    TokenShape shape;
    uint32_t line, end_line;
    int32_t open;           /* the bracket ( or [ around it in its statement, -1: none */
    int32_t match;          /* of a bracket: the other one */
    bool ends;              /* the last one of its statement */
    bool broken;            /* begins a line */
    bool blank;             /* an empty line before it, behind its comments */
    bool dropped;           /* a comma before a closing bracket */
    int32_t pad;            /* blanks before it that align it */
    CommentList lead;       /* comments on lines of their own before it */
    CommentList trail;      /* a comment behind it on its line, and lines that go on with it below */
} Mark;

typedef struct Marks {
    Mark *item;             /* the last one is the end of the file: an empty text that has the last comments */
    int32_t n, cap;
} Marks;

/* The words of the text; `token` is what the lexer found in it. */
Marks marks_make(Arena *a, const char *text, const TokenList *token);

bool mark_is(const Mark *m, const char *text);
/* Blanks before mark i if it is in one line with the mark before it, alignment not counted. */
int marks_gap(const Marks *m, int32_t i);
/* May a line begin with mark i? */
bool marks_may_break(const Marks *m, int32_t i);
/* Must one, because of a comment? */
bool marks_must_break(const Marks *m, int32_t i);

#endif
