/* What people write who come from other frameworks and languages: the rows of foreign.def, and the changes that they
 * propose. */
#ifndef CNNC_FRONTEND_FOREIGN_H
#define CNNC_FRONTEND_FOREIGN_H

#include "eval.h"

#define FOREIGN_KINDS(_) _(NAME) _(CALL) _(PARAM) _(WORD) _(FIELD) _(PREFIX) _(UNIT) _(SIGN) _(LEAD)

typedef enum ForeignKind {
#define KIND(id) FOREIGN_##id,
    FOREIGN_KINDS(KIND)
#undef KIND
} ForeignKind;

typedef struct Foreign {        /* as foreign.def says */
    ForeignKind kind;
    const char *where, *written, *here, *note;
} Foreign;

extern const Foreign foreign_table[];
extern const int n_foreign;

/* The row, or NULL. */
const Foreign *foreign_find(ForeignKind kind, const char *where, const char *written);
/* Are the names equal but for the case of letters and for _? */
bool foreign_same(const char *a, const char *b);

typedef struct Suggestion {
    const Foreign *row;          /* NULL: no row, at most a typing mistake */
    const char *name;            /* what was probably meant, NULL if nobody knows */
} Suggestion;

/* What `word` was meant to be: by spelling, by a row whose `here` starts with a candidate or is none at all, by
 * likeness. */
Suggestion foreign_suggest(ForeignKind kind, const char *where, const char *word, const char *const *candidate, int n);

/* "; did you mean `conv`?" or "": ends the message about the word. */
const char *foreign_question(Arena *a, const Suggestion *s);
/* After that message: the note of the row as help, and the edit of `at` to the name. */
void foreign_fix_word(Diags *d, Span at, const Suggestion *s);

/* The callee of `x`, a call or a name, is known to be nothing here: reports it with the call as it would be. */
void foreign_report_callee(Elab *e, const AstExpr *x, const AstExpr *callee);
/* Is it the name of a foreign layer that is written without its arguments here? */
bool foreign_drops_arguments(const AstExpr *callee);
/* The same for a callee with a prefix, nn.Conv2d; false if the prefix is no foreign one. */
bool foreign_report_prefixed(Elab *e, const AstExpr *x, const AstExpr *callee);
/* The actual of the call has a name that the function lacks; `known` are the names that it has. */
void foreign_fix_param(Elab *e, const Call *c, const Actual *a, const Suggestion *s, const char *const *known, int n);
/* The value of the parameter is a string that means something elsewhere, pad="same": reports it, else false. */
bool foreign_fix_value(Elab *e, const Call *c, const char *param, const Actual *a);
/* The value of the argument was just reported; if it is None, the argument goes. */
void foreign_drop_argument(Elab *e, const AstExpr *call, int32_t k);
/* The actual was just reported as one too many: proposes the call without it. */
void foreign_leave_out(Elab *e, const Call *c, const Actual *a);
/* The text of the place, which is on one line. */
const char *foreign_source(const Diags *d, Span at);

#endif
