/* The code generator's inside: one kernel at a time from loops to LLVM IR. Used only by backends/llvm_*.c.
 *
 * Integers decide the speed of a kernel, so they are not left to the optimiser. Every index is brought to a linear form
 * (Lin) over numbers (Num); a number knows the loop scope that makes it. Whatever depends only on outer scopes is
 * computed once, at the head of the scope it belongs to, and remembered there: an address is the buffer's base plus,
 * scope by scope, the terms of that scope, and constants last, which become displacements. So the innermost body of a
 * register tile has one pointer a stream, without any loop-invariant code motion or strength reduction.
 *
 * REG and LOCAL buffers are stack arrays; LLVM's SROA turns the REG ones into SSA values, since all their indices are
 * constant, and takes care of buffers that are used as vectors here and as single lanes there.
 *
 * Inside a VECTOR loop the lane is a term of its own (Lin.lane); a value that does not move with the lane stays scalar
 * until it meets one that does. What cannot be done by lanes (an index that divides the lane, a lane-dependent guard)
 * is done once per lane with the lane a constant. */
#ifndef CNNC_BACKENDS_LLVM_H
#define CNNC_BACKENDS_LLVM_H

#include <llvm-c/Core.h>

#include "../ir/diag.h"
#include "../ir/loop.h"
#include "../ir/machine.h"

enum {
    LIN_MAX = 16,          /* terms of a linear form; a longer one is folded into a number */
    LANES_MAX = 64,
    DEPTH_HERE = 1 << 30   /* of a number made in mid-body (a loaded index): never moved, never remembered */
};

typedef struct Lin {       /* sum of coef[i] * num[i] + lane * (lane number) + constant; num[] ascending */
    int32_t n;
    int32_t num[LIN_MAX];
    int64_t coef[LIN_MAX];
    int64_t lane, constant;
} Lin;

typedef struct Num {
    LLVMValueRef v;        /* i64 */
    int32_t depth;         /* scope in whose head it is available */
    int64_t min, max;      /* proven range */
} Num;

typedef struct Memo {      /* something computed at a scope's head */
    int32_t kind;          /* an ExprKind, or MEMO_ADDRESS */
    int32_t buf;
    Lin a, b;
    int32_t num;
    LLVMValueRef pointer;
} Memo;
enum { MEMO_ADDRESS = EX_COUNT };

typedef struct Scope {     /* one open run-time loop; scope 0 is the function's entry, scope 1 the task */
    LLVMBasicBlockRef head;
    Memo *memo;
    int32_t n_memo, cap_memo;
} Scope;

typedef struct Val {       /* an expression's value: float, i64 or i1, or a vector of E of them */
    LLVMValueRef v;
    bool vector;
    bool small;            /* an integer that is proven to fit in 32 bits; a vector of such has elements of type i32 */
} Val;

typedef struct Module {    /* what kernels of one LLVM module share */
    LLVMContextRef ctx;
    LLVMModuleRef module;
    LLVMBuilderRef b;
    const Machine *machine;
    LLVMTypeRef ptr, i1, i8, i32, i64, f16, f32;
    unsigned md_scope, md_noalias;   /* metadata kinds */
    Arena *arena;
} Module;

typedef struct Gen {       /* one kernel being generated */
    Module *m;
    LLVMBuilderRef b;
    Arena *arena;          /* freed with the kernel */
    const Kernel *k;
    LLVMValueRef fn;
    LLVMValueRef *base;    /* by buffer: its first byte */
    LLVMValueRef *scope_md, *noalias_md;   /* by ARG buffer; see llvm_index.c */
    LLVMValueRef key[2];   /* i32: of the run */
    int32_t batch;         /* the number that N is */
    Lin *bind;             /* by variable: its value */
    Num *num;
    int32_t n_num, cap_num;
    Scope *scope;
    int32_t n_scope, cap_scope;
    int32_t lane_var;      /* of the open VECTOR loop, or -1 */
    int32_t lanes;         /* its extent E */
    int64_t lane_from;     /* its lower bound */
    int32_t lane_at;       /* -1: all lanes at once; else only this lane, as a constant */
} Gen;

/* ---- llvm.c: small helpers ---- */
Module *llvm_module_new(Arena *a, const char *name, const Machine *machine);
void llvm_module_free(Module *m);
LLVMValueRef llvm_i64(const Gen *g, int64_t i);
LLVMTypeRef llvm_dtype(const Module *m, DType t);
static inline bool llvm_by_lanes(const Gen *g) { return g->lane_var >= 0 && g->lane_at < 0; }
/* The vector of E copies: written as insertelement and shufflevector, which becomes one broadcast load; a splat written
 * as an addition to zero costs 35 % of a convolution, since the shuffle then takes the second FMA port. */
LLVMValueRef llvm_splat(const Gen *g, LLVMValueRef scalar, int32_t lanes);
LLVMValueRef llvm_as_vector(const Gen *g, Val v);
/* Lane `lane` of v, whichever it is. */
LLVMValueRef llvm_lane(const Gen *g, Val v, int32_t lane);
/* The intrinsic `name`, overloaded on n_type types, applied to n values. */
LLVMValueRef llvm_intrinsic(const Gen *g, const char *name, LLVMTypeRef *type, int n_type, LLVMValueRef *arg, int n);
/* a * b + c, floats or vectors of them, as loop.h's fma. */
LLVMValueRef llvm_fma(const Gen *g, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c);
/* The float or integer constant x as a `type`, which may be a vector. */
LLVMValueRef llvm_real(LLVMTypeRef type, double x);
LLVMValueRef llvm_whole(LLVMTypeRef type, int64_t x);
/* `scalar` with as many lanes as `like` has (a scalar if that is one). */
LLVMTypeRef llvm_like(LLVMTypeRef like, LLVMTypeRef scalar);
/* Keeps the loads on either side apart in machine code. Between the iterations of an unrolled REDUCE loop it stops
 * instruction selection from clustering the loads of several iterations, whose results a register tile has no room for:
 * a 2x14 tile of 3x3 convolution has 36 spills without it and none with it. The passes do not see it, so neighbours
 * still share loads (a depthwise window), unless it is strong: between the iterations of a REDUCE loop around another
 * one a shared load would have to live through all of the inner loop (82 spills where kw is unrolled around 16
 * channels). */
void llvm_barrier(const Gen *g, bool strong);
/* After the passes: the marks that llvm_barrier left become real (fences of one thread, which emit no instruction). */
void llvm_place_barriers(Module *m);

/* ---- llvm_lin.c: linear forms ---- */
Lin lin_const(int64_t c);
bool lin_is_const(const Lin *a, int64_t *c);
bool lin_equal(const Lin *a, const Lin *b);
Lin lin_scale(const Lin *a, int64_t by);
/* a + by * b. */
Lin lin_add(Gen *g, const Lin *a, const Lin *b, int64_t by);
/* The smallest and the largest value; the whole int64 range where nothing is known. */
void lin_range(const Gen *g, const Lin *a, int64_t *min, int64_t *max);
int32_t lin_depth(const Gen *g, const Lin *a);
/* The form of an INT expression; false if it is not linear in the lane (never false when not llvm_by_lanes). */
bool lin_of(Gen *g, const Expr *e, Lin *out);
/* -1 unknown, else the condition's value for every lane. */
int lin_decide(Gen *g, const Expr *cond);

/* ---- llvm_index.c: numbers, scopes, addresses ---- */
int32_t num_new(Gen *g, LLVMValueRef v, int32_t depth, int64_t min, int64_t max);
/* Opens a scope: a head block that `v` enters by a branch from the current block, the builder left in the body. */
void scope_open(Gen *g, LLVMBasicBlockRef head);
void scope_close(Gen *g);
/* An i64 with the form's value (lane ignored), computed where the builder stands. */
LLVMValueRef lin_value(Gen *g, const Lin *a);
/* kind(a, b) for div, mod, mul, min, max, as a number at the head of the scope it belongs to. */
Lin lin_opaque(Gen *g, ExprKind kind, const Lin *a, const Lin *b, int64_t min, int64_t max);
/* The address of element `index` (lane ignored) of a buffer. */
LLVMValueRef address_of(Gen *g, int32_t buf, const Lin *index);
/* Marks a load or store of an ARG buffer with what it may alias. */
void alias_mark(const Gen *g, int32_t buf, LLVMValueRef access);
void alias_prepare(Gen *g);

/* ---- llvm_expr.c ---- */
Val gen_expr(Gen *g, const Expr *e);
bool uses_lane(const Gen *g, const Expr *e);
bool loads_from(const Expr *e, int32_t buf);

/* ---- llvm_loop.c ---- */
/* Adds the kernel to the module as `void name(ptr arg, ptr run, i64 begin, i64 end)`. */
LLVMValueRef llvm_kernel(Module *m, const Kernel *k, const char *name);

/* ---- llvm_math.c: float functions, on scalars and vectors alike ---- */
LLVMValueRef math_rsqrt(const Gen *g, LLVMValueRef x);
LLVMValueRef math_exp(const Gen *g, LLVMValueRef x);
LLVMValueRef math_expm1(const Gen *g, LLVMValueRef x);
LLVMValueRef math_sigmoid(const Gen *g, LLVMValueRef x);
LLVMValueRef math_tanh(const Gen *g, LLVMValueRef x);
LLVMValueRef math_erf(const Gen *g, LLVMValueRef x);
LLVMValueRef math_log(const Gen *g, LLVMValueRef x);
/* Philox: index is i64 or a vector of i64. */
LLVMValueRef math_random(const Gen *g, LLVMValueRef index, int64_t site);

/* ---- llvm_half.c: halves to floats and, rounded to nearest even, back ---- */
LLVMValueRef half_widen(const Gen *g, LLVMValueRef half);
LLVMValueRef half_narrow(const Gen *g, LLVMValueRef x);

#endif
