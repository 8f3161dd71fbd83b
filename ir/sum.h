/* Integer expressions as flat sums: coef * term + ... + constant, with the terms in order of first appearance and equal
 * terms merged. A term is anything that is neither a sum nor a product with a constant: a variable, N, a quotient, a
 * minimum. The builders of loop.h keep every INT sum in this form, so two equal sums built alike are equal text. */
#ifndef CNNC_IR_SUM_H
#define CNNC_IR_SUM_H

#include "loop.h"

enum { SUM_MAX = 32 };
typedef struct Sum {
    int32_t n;
    const Expr *term[SUM_MAX];
    int64_t coef[SUM_MAX]; /* not 0, and never INT64_MIN; nor is the constant */
    int64_t constant;
} Sum;

bool ex_equal(const Expr *a, const Expr *b); /* the same expression, node by node */

/* s += scale * e. False if a number overflows or there are too many terms; s is then worthless. */
bool sum_add(Sum *s, const Expr *e, int64_t scale);
void sum_remove(Sum *s, int32_t i);
const Expr *sum_build(Kernel *k, const Sum *s);

/* s = d * quotient + rest for d > 0: the quotient takes what d divides, so that the rest's constant is in [0, d). */
void sum_divide(const Sum *s, int64_t d, Sum *quotient, Sum *rest);
/* Is 0 <= s < d for any values of the variables? Known when all terms are remainders, counted positively. */
bool sum_within(const Sum *s, int64_t d);

/* Rounded down, for d > 0. */
static inline int64_t floor_div(int64_t a, int64_t d) { return a / d - (a % d < 0); }
static inline int64_t floor_mod(int64_t a, int64_t d) { return a % d + (a % d < 0 ? d : 0); }

#endif
