/* How a value came about, for messages: "out = planes * expansion = 64 * 4". */
#ifndef CNNC_FRONTEND_DERIVE_H
#define CNNC_FRONTEND_DERIVE_H

#include "eval.h"

/* s: NULL outside of blocks and net. Where v, the number that x had in this scope, comes from: "= 32 * 0.35" of an
 * expression, "out = planes * expansion = 64 * 4" of a variable, "base = 3" of an option. NULL if there is nothing to
 * say: x is a literal or no number, it runs layers, or its variables have changed since. */
const char *derive(Elab *e, Scope *s, const AstExpr *x, const Value *v);
/* x, which runs no layers, in that scope; V_ERROR without a message if it cannot be evaluated. */
Value eval_quietly(Elab *e, Scope *s, const AstExpr *x);
bool expr_is_literal(const AstExpr *x);
const char *expr_text(const Elab *e, const AstExpr *x);

#endif
