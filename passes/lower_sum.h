/* Sums of products: the one form of every contraction. Accumulators over output indices, a sum of products over
 * reduction indices, a finish. What differs from rule to rule is the coordinates of the two factors; the tile pass
 * makes register tiles of it by the loops' roles. */
#ifndef CNNC_PASSES_LOWER_SUM_H
#define CNNC_PASSES_LOWER_SUM_H

#include "lower.h"

typedef struct Sum {    /* being built */
    Nest out, red;      /* output loops (the lane last), reduction loops */
    Coord a, b, result; /* the vector factor or weight, the other factor, the element of the root's result */
    const Expr *lane;   /* index of the accumulator */
    int64_t lanes;
    int32_t acc;        /* its registers */
} Sum;

/* The last output loop: one vector of results. */
void sum_lane(Lower *l, Sum *s, int64_t lanes);
/* The accumulator, for the finish. Once, after the loops. */
const Expr *sum_value(Lower *l, Sum *s);
/* Only the reduction: acc += a * b. Another one may so follow the first, before the finish. */
Stmt *sum_products(Lower *l, const Sum *s, const Expr *a, const Expr *b);
/* The loops: acc = init; acc += a * b over the reduction; then the finish. init NULL: zero. */
Stmt *sum_nest(Lower *l, const Sum *s, const Expr *a, const Expr *b, const Expr *init, Stmt *finish);
/* Such loops over elements of two nodes, s->a and s->b, finished at s->result. */
Stmt *sum_stmt(Lower *l, Sum *s, Ref a, Ref b, const Expr *init);
/* Ends the kernel with them. */
void sum_emit(Lower *l, Sum *s, Ref a, Ref b, const Expr *init);

#endif
