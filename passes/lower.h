/* Shared by the lowering files (passes/lower*.c): from a fused group of graph nodes to loop nests.
 *
 * A group is one root (contraction, window, reduction or element-wise node) and the element-wise nodes that follow it.
 * The root's rule builds the nests; wherever it has a finished element of the root's result it calls lower_finish,
 * which evaluates the rest of the group on that element and stores what later kernels need. Rules build naive nests,
 * right as they stand (ref_loop runs them); making them fast is the business of tile, vectorise and parallel, to which
 * the rules speak by loop roles only. */
#ifndef CNNC_PASSES_LOWER_H
#define CNNC_PASSES_LOWER_H

#include "pass.h"

/* An element of a tensor by block and lane: logical index of dimension d (0 or 1) = outer[d] * b_d + lane[d]. */
typedef struct Coord {
    const Expr *outer[MAX_RANK];
    const Expr *lane[2];
} Coord;

/* Some rows of some channel blocks of a node's tensor, in scratch memory of a kernel: from row `first` and block
 * `block` on. */
typedef struct Band {
    Type type;
    const Expr *first, *block;
} Band;

enum { KERNEL_ARGUMENTS = 64 };

typedef struct Lower {
    Unit *u;
    Arena *arena;
    Program *p;
    Graph *g;
    Kernel *k;                /* being built */
    int32_t *arg_of;          /* node -> argument of k, -1 */
    int32_t arg_storage[KERNEL_ARGUMENTS];   /* argument -> storage */
    Ref *member;              /* the group, root first, in topological order */
    int32_t n_member;
    int32_t head;             /* the member whose value lower_finish is given: the root, but where the root's rule says another */
    int32_t tail;             /* the member after the last one that lower_finish evaluates */
    Band **band;              /* node -> its rows that the kernel holds, mostly NULL; arg_of then says where */
    int32_t *uses_inside;     /* node -> uses by members of its own group */
    bool *stored;             /* node -> some other kernel or an output needs it */
    bool *zeroed;             /* node -> a kernel zeroes its halo */
    Ref *home;                /* node -> in whose memory it lies: its own, or another node's */
    const Expr **value;       /* member -> its value at the element being finished */
    const Coord *at;          /* that element */
    const Expr *const *logical;   /* its logical indices where operands lie in other blocks, else NULL */
    bool one_by_one;          /* lanes of the result are finished in turn, each with registers of its own */
    int32_t n_temp;
    const char **kernel_text; /* of the program's kernels, without their names: equal ones are one */
    int32_t n_text, cap_text;
} Lower;

/* The rule of each operator. Element-wise operators get the values of their operands and give their value; all others
 * get NULL, emit kernels for the group whose root they are, and give NULL. */
typedef const Expr *LowerRule(Lower *l, Ref node, const Expr *const *operand);
#define OP(id, diff, ...) LowerRule lower_##id;
#include "../ir/ops.def"
#undef OP

/* Loops from the outermost in, wrapped around a body at the end. A loop of extent 1 is no loop: its variable is 0. */
enum { NEST_MAX = 16 };
typedef struct Nest {
    int32_t n;
    struct { int32_t var; const Expr *lo, *hi; LoopRole role; } loop[NEST_MAX];
} Nest;
const Expr *nest_loop(Lower *l, Nest *nest, const char *name, int64_t extent, LoopRole role);   /* extent may be BATCH */
const Expr *nest_range(Lower *l, Nest *nest, const char *name, const Expr *lo, const Expr *hi, LoopRole role);
Stmt *nest_wrap(Lower *l, const Nest *nest, Stmt *body);

/* Start and end of a kernel. The end adds a step of the group's root; equal kernels are shared. */
void lower_begin(Lower *l);
void lower_end(Lower *l, Stmt *body);

/* The argument of the present kernel that holds the node's tensor. */
int32_t lower_arg(Lower *l, Ref node);
/* Is the memory of `part` that of `whole` from channel `from` on, so that what one of them has the other has, too? */
bool lower_in_place(const Lower *l, Ref part, Ref whole, int32_t from);
int32_t lower_reg(Lower *l, const char *name, DType dtype, int64_t elements);
int32_t lower_local(Lower *l, const char *name, int64_t elements);

const Expr *index_at(Lower *l, const Type *t, const Coord *c);        /* position in the stored tensor */
Coord coord_logical(Lower *l, const Type *t, const Expr *const *index);   /* from logical indices, by div and mod */
const Expr *coord_channel(Lower *l, const Type *t, const Coord *c);   /* logical channel */
const Expr *load_at(Lower *l, Ref node, const Coord *c);
/* Loops over every stored block, pixel and lane of t; the halo is left out. Gives the element's coordinate. */
Coord nest_tensor(Lower *l, Nest *nest, const Type *t);
/* Loops over the logical elements; pads stay untouched. */
void nest_logical(Lower *l, Nest *nest, const Type *t, const Expr *index[MAX_RANK]);

/* Statements that finish one element of the root's result at c: the group's element-wise members and all stores. */
Stmt *lower_finish(Lower *l, const Coord *c, const Expr *value);
/* If the member after the head is the only one that needs the head's result, and adds a channel vector to it: that
 * vector's element at c, which is then in the value that lower_finish is given; that member becomes the head. Else
 * NULL. */
const Expr *lower_addend(Lower *l, const Coord *c);
/* Zero in the pad lanes of a value of type t at c, where an operator would put something else there. */
const Expr *zero_pads(Lower *l, const Type *t, const Coord *c, const Expr *value);
/* One kernel that zeroes the pad lanes of the node's tensor; nothing if it has none. For rules that write logical
 * elements. */
void lower_zero_pads(Lower *l, Ref node);
/* One kernel that sets every element (not the halo) to zero. */
void lower_zero(Lower *l, Ref node);

/* Short arithmetic. */
static inline const Expr *mul_i(Lower *l, const Expr *a, int64_t c) { return ex2(l->k, EX_mul, a, ex_int(l->k, c)); }
static inline const Expr *add_i(Lower *l, const Expr *a, int64_t c) { return ex2(l->k, EX_add, a, ex_int(l->k, c)); }
static inline const Expr *add_e(Lower *l, const Expr *a, const Expr *b) { return ex2(l->k, EX_add, a, b); }
static inline const Expr *mul_e(Lower *l, const Expr *a, const Expr *b) { return ex2(l->k, EX_mul, a, b); }
static inline const Expr *num(Lower *l, double x) { return ex_float(l->k, x); }

#endif
