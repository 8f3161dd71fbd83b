/* Can two accesses to one buffer, made in different iterations of a loop, meet at the same element? */
#ifndef CNNC_IR_OVERLAP_H
#define CNNC_IR_OVERLAP_H

#include "bounds.h"

/* An access and the loops open around it, outermost first. */
typedef struct Access {
    int32_t buf;
    const Expr *index;
    bool store;
    const Stmt *const *loop;
    int32_t n_loop;
} Access;

typedef enum Meeting { MEET_NEVER, MEET_MAYBE, MEET_UNKNOWN } Meeting;

/* a and b both lie inside the loop number `at` of their nests, the same one; loops outside it stand still. MEET_NEVER
 * is proven; MEET_UNKNOWN: an index is not affine in the loop's variable, so nothing was tried. */
Meeting accesses_meet(const Access *a, const Access *b, int32_t at);

#endif
