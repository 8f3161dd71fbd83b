/* How large and how small an INT expression can be inside given loops, for every number of pictures N >= 1.
 *
 * Variables are eliminated from the innermost loop outward, each by the end of its loop's range that matters; a minimum
 * or maximum met on the way is followed into both operands. So ranges that are cut to fit, like a pooling window's rows
 * max(0, 1 - 2*h)..min(3, 57 - 2*h), are exact where intervals alone would be too wide. */
#ifndef CNNC_IR_BOUNDS_H
#define CNNC_IR_BOUNDS_H

#include "sum.h"

/* n * N + c, or nothing known. */
typedef struct Bound {
    bool known;
    int64_t n, c;
} Bound;

/* loop[0..n_loop-1]: the loops that are open, outermost first; each is taken to run at least once. */
Bound bound_upper(const Stmt *const *loop, int32_t n_loop, const Sum *s);
Bound bound_lower(const Stmt *const *loop, int32_t n_loop, const Sum *s);

#endif
