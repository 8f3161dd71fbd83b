/* Loops: what a kernel does, as loop nests over typed buffers.
 *
 * Semantics. A kernel runs its body; a FOR runs its body for lo <= v < hi in order; a STORE evaluates the value, then
 * writes it; a PREFETCH does nothing but hint that an element will be read soon, and that one may be beyond the end.
 * `mode` never changes what is computed, only how: PARALLEL iterations may run in any order on any thread
 * (so they must not write what another iteration reads or writes); where the kernel's body, or what such loops hold, is
 * a sequence with such loops at the top of its statements, all their iterations are tasks alike, and a statement
 * without one is one task (stmt_has_tasks); UNROLL is expanded by the code generator; VECTOR
 * runs its iterations as lanes of one vector. A VECTOR loop whose store index does not move with the lane, of the form
 * b[i] = b[i] + x, sums the lanes (in tree order in generated code, in sequence in the interpreter: the only place
 * where rounding may differ, but for BLAS). BLAS is a product of matrices (product.h), all three loops of it, that the
 * matrix library OpenBLAS computes; it adds the products in an order of its own. Float arithmetic is IEEE single, never
 * reassociated or contracted; `fma` is explicit, and rounds twice where the target has no such instruction
 * (Machine.fma), whose function would take a hundred cycles a lane.
 *
 * Buffers. ARG: a tensor given by the caller. LOCAL: scratch of one task, undefined at start: on the stack up to
 * STACK_BYTES a buffer, above that in memory that the caller has for each thread (kernel_scratch); LOCAL_BYTES in all.
 * REG: like LOCAL, but every index must become constant once UNROLL and VECTOR loops are expanded;
 * the code generator keeps it in registers. This is how every register-tiled kernel is made.
 *
 * Index expressions are INT expressions; most are affine in the loop variables (affine_of). */
#ifndef CNNC_IR_LOOP_H
#define CNNC_IR_LOOP_H

#include "type.h"

enum { LOCAL_BYTES = 1 << 24, STACK_BYTES = 1 << 14 };

typedef enum ExprKind {
#define EXPR(id, n, result) EX_##id,
#include "exprs.def"
#undef EXPR
    EX_COUNT
} ExprKind;

typedef enum ExprType { ET_INT, ET_FLOAT, ET_BOOL, ET_SAME, ET_LOADED } ExprType;   /* the last two only in ExprInfo */

typedef struct ExprInfo {
    const char *name;
    int32_t n;            /* operands */
    ExprType result;
} ExprInfo;
extern const ExprInfo expr_info[EX_COUNT];

typedef struct Expr {     /* immutable once built; may be shared */
    ExprKind kind;
    ExprType type;
    int32_t buf;          /* load */
    int64_t i;            /* int, var, random */
    double f;             /* float: a float's value exactly */
    const struct Expr *a[3];
} Expr;

typedef enum LoopMode { LOOP_SERIAL, LOOP_PARALLEL, LOOP_VECTOR, LOOP_UNROLL, LOOP_BLAS, LOOP_MODE_COUNT } LoopMode;
extern const char *const loop_mode_name[LOOP_MODE_COUNT];

/* What the lowering knows of a loop and the scheduling passes use. A role never changes what is computed.
 *   TASK    iterations are independent and big enough to share out among threads
 *   LANE    one vector: the block part of a channel index; unit stride or invariant in every hot access
 *   BLOCK   channel blocks of an output: candidates for register tiling, one vector each
 *   POINT   pixels, pictures or window taps of an output: candidates for register tiling, one broadcast each
 *   REDUCE  a sum's index
 *   TAP     a sum's index in a window whose neighbours read the same vectors; or, unrolled, what all of them read */
typedef enum LoopRole {
    ROLE_NONE, ROLE_TASK, ROLE_LANE, ROLE_BLOCK, ROLE_POINT, ROLE_REDUCE, ROLE_TAP, ROLE_COUNT
} LoopRole;
extern const char *const loop_role_name[ROLE_COUNT];

typedef enum StmtKind { ST_FOR, ST_STORE, ST_SEQ, ST_GUARD, ST_PREFETCH } StmtKind;

typedef struct Stmt Stmt;
struct Stmt {
    StmtKind kind;
    union {
        struct { int32_t var; const Expr *lo, *hi; LoopMode mode; LoopRole role; Stmt *body; } loop;
        struct { int32_t buf; const Expr *index, *value; } store;
        struct { Stmt **item; int32_t n, cap; } seq;
        struct { const Expr *cond; Stmt *body; } guard;
        struct { int32_t buf; const Expr *index; } prefetch;
    } u;
};

typedef enum BufClass { BUF_ARG, BUF_LOCAL, BUF_REG, BUF_CLASS_COUNT } BufClass;
extern const char *const buf_class_name[BUF_CLASS_COUNT];

typedef struct Buf {
    Name name;            /* unique in the kernel: "x", "w", "acc" */
    BufClass cls;
    DType dtype;
    int64_t elements;     /* as stored; of one picture if batched */
    bool batched;         /* ARG only: N times as many */
    bool written;         /* some store names it; kept by stmt builders */
} Buf;

typedef struct Kernel {
    Arena *arena;
    Name name;
    Buf *buf;             /* the ARGs come first, in the order in which a step binds them */
    int32_t n_buf, cap_buf, n_arg;
    Name *var;            /* variable names; an index is a variable; names are unique in the kernel */
    int32_t n_var, cap_var;
    Stmt *body;
    Name tiles;           /* of the sums in it, blocks x points: "4x6"; or the library; NULL: no sums. For reports, as the next */
    double cycles;        /* of one core for one picture, by the model of tiles; 0: it has no opinion */
} Kernel;

Kernel *kernel_new(Arena *a, Name name);
int32_t kernel_add_buf(Kernel *k, Name name, BufClass cls, DType dtype, int64_t elements, bool batched);
int32_t kernel_add_var(Kernel *k, const char *name);   /* made unique by a number */

/* Where LOCAL buffer `buf` begins in the thread's scratch memory, in bytes; -1 if it is on the stack. With buf = n_buf:
 * the scratch bytes that the kernel needs. */
int64_t kernel_scratch(const Kernel *k, int32_t buf);

/* Builders. Integer arithmetic folds constants and keeps sums of products tidy; float constants are rounded to float. */
const Expr *ex_int(Kernel *k, int64_t i);
const Expr *ex_float(Kernel *k, double f);
const Expr *ex_var(Kernel *k, int32_t var);
const Expr *ex_batch(Kernel *k);
const Expr *ex_load(Kernel *k, int32_t buf, const Expr *index);
const Expr *ex_random(Kernel *k, int64_t site, const Expr *index);
const Expr *ex1(Kernel *k, ExprKind kind, const Expr *a);
const Expr *ex2(Kernel *k, ExprKind kind, const Expr *a, const Expr *b);
const Expr *ex3(Kernel *k, ExprKind kind, const Expr *a, const Expr *b, const Expr *c);
bool ex_is_int(const Expr *e, int64_t *value);   /* a constant? */
/* Do the operands have the types that the operation asks for? Building one with others is an ICE. */
bool ex_accepts(ExprKind kind, const Expr *const *a);

Stmt *st_for(Kernel *k, int32_t var, const Expr *lo, const Expr *hi, LoopMode mode, LoopRole role, Stmt *body);
Stmt *st_store(Kernel *k, int32_t buf, const Expr *index, const Expr *value);
Stmt *st_seq(Kernel *k);                          /* empty; st_append adds; nested sequences are spliced in */
void st_append(Kernel *k, Stmt *seq, Stmt *item);
Stmt *st_guard(Kernel *k, const Expr *cond, Stmt *body);
Stmt *st_prefetch(Kernel *k, int32_t buf, const Expr *index);

/* Copies with each variable v replaced by map[v] where that is not NULL (map: n_var entries). */
const Expr *ex_subst(Kernel *k, const Expr *e, const Expr *const *map);
Stmt *st_subst(Kernel *k, const Stmt *s, const Expr *const *map);

/* use[buf] |= what s does with each buffer; prefetches count as nothing. */
enum { BUF_LOADED = 1, BUF_STORED = 2 };
void stmt_uses(const Stmt *s, uint8_t *use);

/* Is s a PARALLEL loop, or a sequence with one among its statements? Else it is one task, or part of one. */
bool stmt_has_tasks(const Stmt *s);

/* An affine view: sum of coef[i] * var[i] + constant, variables in increasing number. */
enum { AFFINE_MAX = 24 };
typedef struct Affine {
    int32_t n;
    int32_t var[AFFINE_MAX];
    int64_t coef[AFFINE_MAX];
    int64_t constant;
} Affine;
/* False if e is not affine in the loop variables with constant coefficients. */
bool affine_of(const Expr *e, Affine *out);
int64_t affine_coef(const Affine *a, int32_t var);   /* 0 if absent */

/* Text and back, one statement a line. loop_read returns NULL and sets *error on a mistake.
 *     kernel conv1 {
 *       arg x f32 154587 batched
 *       arg y f32 290400 batched written
 *       reg acc f32 16
 *       for n in 0..N parallel task {
 *         for i in 0..16 vector lane {
 *           acc[i] = 0.0
 *           y[290400*n + 16*ow + i] = max(fma(x[...], w[...], acc[i]), 0.0)
 *         }
 *         if lt(ow, 13) { ... }
 *         prefetch w[...]
 *       }
 *     } */
void loop_print(Str *s, const Kernel *k);
Kernel *loop_read(Arena *a, const char *text, const char **error);
/* The first broken rule as "rule-name: what", or NULL: types, variables in scope, bounds of affine accesses provable
 * from constant loop bounds, REG indices constant after expansion, PARALLEL loops whose affine stores do not overlap. */
const char *loop_verify(Arena *a, const Kernel *k);

#endif
