/* The graph interpreter: activations, from the rows of ir/acts.def. Compiled for each REAL by ref.c. */

#define K(number) ((REAL)(number))
#define NEG(a) (-(a))
#define ADD(a, b) ((a) + (b))
#define SUB(a, b) ((a) - (b))
#define MUL(a, b) ((a) * (b))
#define DIV(a, b) ((a) / (b))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define EXP(a) exp(a)
#define EXPM1(a) expm1(a)
#define TANH(a) tanh(a)
#define ERF(a) erf(a)
#define LT(a, b) ((a) < (b))
#define AND(a, b) ((a) && (b))
#define IF(condition, yes, no) ((condition) ? (yes) : (no))
#define LO ((REAL)n->attr.clip.lo)
#define HI ((REAL)n->attr.clip.hi)
#define SLOPE ((REAL)n->attr.slope.slope)

#define ACT(id, of, value, gradient, ...)                                                          \
    static void REF(id)(const RefRun *r, const Node *n, REAL *y) {                                 \
        const REAL *x = REF(operand)(r, n, 0);                                                     \
        for (int64_t i = 0; i < REF(length)(r, n); i++) {                                          \
            REAL X = x[i];                                                                         \
            y[i] = value;                                                                          \
        }                                                                                          \
    }                                                                                              \
    static void REF(id##_grad)(const RefRun *r, const Node *n, REAL *dx) {                         \
        const REAL *dy = REF(operand)(r, n, 0), *known = REF(operand)(r, n, 1);                    \
        for (int64_t i = 0; i < REF(length)(r, n); i++) {                                          \
            REAL D = dy[i], of = known[i];                                                         \
            dx[i] = gradient;                                                                      \
        }                                                                                          \
    }
#include "../ir/acts.def"
#undef ACT

#undef K
#undef NEG
#undef ADD
#undef SUB
#undef MUL
#undef DIV
#undef MIN
#undef MAX
#undef EXP
#undef EXPM1
#undef TANH
#undef ERF
#undef LT
#undef AND
#undef IF
#undef LO
#undef HI
#undef SLOPE
