/* Activations: the expressions of ir/acts.def as expressions of a kernel. */
#include "lower.h"

#define K(number) num(l, number)
#define NEG(a) ex2(l->k, EX_mul, num(l, -1), a)
#define ADD(a, b) ex2(l->k, EX_add, a, b)
#define SUB(a, b) ex2(l->k, EX_sub, a, b)
#define MUL(a, b) ex2(l->k, EX_mul, a, b)
#define DIV(a, b) ex2(l->k, EX_div, a, b)
#define MIN(a, b) ex2(l->k, EX_min, a, b)
#define MAX(a, b) ex2(l->k, EX_max, a, b)
#define EXP(a) ex1(l->k, EX_exp, a)
#define EXPM1(a) ex1(l->k, EX_expm1, a)
#define TANH(a) ex1(l->k, EX_tanh, a)
#define ERF(a) ex1(l->k, EX_erf, a)
#define LT(a, b) ex2(l->k, EX_lt, a, b)
#define AND(a, b) ex2(l->k, EX_and, a, b)
#define IF(condition, yes, no) ex3(l->k, EX_select, condition, yes, no)
#define LO num(l, graph_node(l->g, node)->attr.clip.lo)
#define HI num(l, graph_node(l->g, node)->attr.clip.hi)
#define SLOPE num(l, graph_node(l->g, node)->attr.slope.slope)

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
