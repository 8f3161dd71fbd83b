/* Why a tensor has the shape that it has: what follows an error in a layer. The graph says which layer decided a
 * dimension, its Site where that was written, and derive.h how the number came about. Nothing here runs before there
 * is an error, and the 20 errors that are shown bound what it costs. */
#ifndef CNNC_FRONTEND_BLAME_H
#define CNNC_FRONTEND_BLAME_H

#include "eval.h"

/* After an error in a call of a layer or function, b: its arguments if they were bound: labels, notes, in which use of
 * which block, and what would help. Nothing if the error is one that is not shown. */
void explain_call(Elab *e, const Call *c, const Bound *b);
/* After an error about the value of the expression x: how it came about. */
void explain_value(Elab *e, const AstExpr *x, const Value *v);
/* In which use of which block the statement is that runs now, and with which values of the loops' variables. */
void note_uses(Elab *e);
/* A note where the tensor's number of channels was decided. `name` is what to call it. */
void note_channels(Elab *e, const char *name, Ref r);
/* Once the net has run: how many uses the blocks have. */
void finish_use_notes(Elab *e);

/* ---- shared with advise.c ---- */

typedef struct Operand {         /* a tensor that a call takes */
    Ref ref;
    Span at;                     /* line 0: it has no text of its own */
    const AstExpr *text;         /* NULL: a part of a list */
} Operand;

typedef struct Fault {
    Elab *e;
    const char *code;
    const Call *call;
    const Bound *bound;          /* may be NULL */
    Operand *operand;
    int32_t n;
    int32_t odd, even;           /* of several operands: one that does not fit, and one that it should fit */
} Fault;

const Type *ref_type(const Elab *e, Ref r);
/* Of the layer that made it; NULL of an input. */
const Site *site_of(const Elab *e, Ref r);
/* The layer that decided how many channels r has. */
Ref channels_from(const Elab *e, Ref r);
/* The layers that changed height or width from `stop` (0: from the input) to r, the last first, at most `most`. */
int changers(const Elab *e, Ref r, Ref stop, Ref *list, int most);
/* The last tensor from which both were made, 0 if there is none. */
Ref common_origin(const Elab *e, Ref a, Ref b);
/* The argument that its parameter does not take: the one at the message's place, NULL if it is not written. */
const Actual *argument_at_fault(const Fault *f);
/* The argument's index, -1 if the layer has no such parameter. */
int argument(const Bound *b, const char *param);
bool same_plane(const Type *a, const Type *b);
const char *plane_text(const Elab *e, const Type *t);
/* y may be multiplied with x, or was meant to: a number for each channel. */
bool is_gate(const Type *x, const Type *y);

/* What would help, as proposals where an edit of the text does. */
void advise(const Fault *f);

#endif
