/* Activations: the expressions of ir/acts.def as expressions of a kernel. */
#include "lower_words.h"

#define ACT(id, of, value, gradient, ...)                                                          \
    const Expr *lower_##id(Lower *l, Ref node, const Expr *const *operand) {                       \
        const Expr *X = operand[0];                                                                \
        (void)node;                                                                                \
        return value;                                                                              \
    }                                                                                              \
    const Expr *lower_##id##_grad(Lower *l, Ref node, const Expr *const *operand) {                \
        const Expr *D = operand[0], *of = operand[1];                                              \
        (void)node;                                                                                \
        return gradient;                                                                           \
    }
#include "../ir/acts.def"
