/* The graph interpreter: activations and losses from the rows of ir/acts.def and ir/losses.def. Compiled for each REAL
 * by ref.c. */

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
#define LOG(a) log(a)
#define SIGMOID(a) (1 / (1 + exp(-(a))))
#define TANH(a) tanh(a)
#define ERF(a) erf(a)
#define LT(a, b) ((a) < (b))
#define AND(a, b) ((a) && (b))
#define IF(condition, yes, no) ((condition) ? (yes) : (no))
#define LO ((REAL)n->attr.clip.lo)
#define HI ((REAL)n->attr.clip.hi)
#define SLOPE ((REAL)n->attr.slope.slope)
#define POWER ((REAL)n->attr.focal.power)
#define HIT ((REAL)n->attr.focal.hit)
#define MISS ((REAL)n->attr.focal.miss)

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

/* A label that is no class has loss 0 and gradient 0. */
#define LOSS(id, value, gradient, ...)                                                             \
    static void REF(id)(const RefRun *r, const Node *n, REAL *y) {                                 \
        const REAL *x = REF(operand)(r, n, 0), *label = REF(operand)(r, n, 1);                     \
        int64_t classes = type_elements(type_in(r, n, 0));                                         \
        for (int64_t i = 0; i < r->n * classes; i++) {                                             \
            REAL X = x[i], to = label[i / classes], T = (REAL)(to == (REAL)(i % classes));         \
            if (to >= 0 && to < (REAL)classes) y[i / classes] += (value) / (REAL)classes;          \
        }                                                                                          \
    }                                                                                              \
    static void REF(id##_grad)(const RefRun *r, const Node *n, REAL *dx) {                         \
        const REAL *x = REF(operand)(r, n, 0), *label = REF(operand)(r, n, 1);                     \
        const REAL *dloss = REF(operand)(r, n, 2);                                                 \
        int64_t classes = type_elements(&n->type);                                                 \
        for (int64_t i = 0; i < r->n * classes; i++) {                                             \
            REAL X = x[i], to = label[i / classes], T = (REAL)(to == (REAL)(i % classes));         \
            bool known = to >= 0 && to < (REAL)classes;                                            \
            dx[i] = known ? (gradient) * dloss[i / classes] / (REAL)classes : 0;                   \
        }                                                                                          \
    }
#include "../ir/losses.def"
#undef LOSS

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
#undef LOG
#undef SIGMOID
#undef TANH
#undef ERF
#undef LT
#undef AND
#undef IF
#undef LO
#undef HI
#undef SLOPE
#undef POWER
#undef HIT
#undef MISS
