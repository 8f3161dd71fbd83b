#include "ref_loop.h"

#include <math.h>
#include <string.h>

#include "../ir/diag.h"
#include "../ir/half.h"

/* The kernel is first turned into a tree of operations that know their function, their memory and, where an INT
 * expression is affine, its coefficients: convolutions of some ten million products are run in tests. */

typedef struct Mem {
    Name name;
    DType dtype;
    int64_t elements;
    union {
        void *p;
        float *f32;
        int32_t *i32;
        uint8_t *u8;
        uint16_t *f16;
    } at;
    size_t scratch_bytes; /* 0: an argument */
} Mem;

typedef struct Run {
    Arena *arena;
    const Kernel *kernel;
    Mem *mem;     /* by buffer */
    int64_t *var; /* by variable: its value now */
    int64_t n;
    uint32_t key[2];
    bool in_task;
} Run;

typedef struct Op Op;
typedef int64_t IntFn(const Run *, const Op *); /* BOOL too */
typedef float FloatFn(const Run *, const Op *);

struct Op {
    IntFn *as_int; /* of the two, the one that the type says */
    FloatFn *as_float;
    const Op *a[3];
    const Mem *mem;
    int64_t i;
    float f;
    int32_t n_term;
    const int32_t *term_var;
    const int64_t *term_coef;
};

static int64_t int_of(const Run *r, const Op *o) { return o->as_int(r, o); }
static float float_of(const Run *r, const Op *o) { return o->as_float(r, o); }

static int64_t checked_index(const Run *r, const Op *index, const Mem *m) {
    int64_t i = int_of(r, index);
    ICE_UNLESS(i >= 0 && i < m->elements, "kernel %s: %s[%lld] is outside its %lld elements", r->kernel->name, m->name,
               (long long)i, (long long)m->elements);
    return i;
}

/* Integer operations. */

static int64_t floor_div(int64_t a, int64_t d) { return a / d - (a % d < 0); }

#define INT_OP(id, result)                                                                                             \
    static int64_t int_##id(const Run *r, const Op *o) { return result; }
#define A int_of(r, o->a[0])
#define B int_of(r, o->a[1])
INT_OP(add, A + B)
INT_OP(sub, A - B)
INT_OP(mul, (A) * (B))
INT_OP(div, floor_div(A, B))
INT_OP(mod, A - floor_div(A, B) * B)
INT_OP(min, min_i64(A, B))
INT_OP(max, max_i64(A, B))
INT_OP(lt, A < B)
INT_OP(le, A <= B)
INT_OP(eq, A == B)
INT_OP(and, (A) & (B))
INT_OP(load_i32, o->mem->at.i32[checked_index(r, o->a[0], o->mem)])
INT_OP(load_u8, o->mem->at.u8[checked_index(r, o->a[0], o->mem)])

static int64_t int_affine(const Run *r, const Op *o) {
    int64_t sum = o->i;
    for (int32_t i = 0; i < o->n_term; i++) sum += o->term_coef[i] * r->var[o->term_var[i]];
    return sum;
}

/* Both sides are evaluated, as they may be in generated code: neither may be out of bounds. */
static int64_t int_select(const Run *r, const Op *o) {
    int64_t yes = int_of(r, o->a[1]), no = int_of(r, o->a[2]);
    return A ? yes : no;
}

/* Float operations; comparisons are BOOL and so have integer results. */

#define FLOAT_OP(id, result)                                                                                           \
    static float float_##id(const Run *r, const Op *o) { return result; }
#define X float_of(r, o->a[0])
#define Y float_of(r, o->a[1])
#define Z float_of(r, o->a[2])
FLOAT_OP(add, X + Y)
FLOAT_OP(sub, X - Y)
FLOAT_OP(mul, (X) * (Y))
FLOAT_OP(div, X / Y)
FLOAT_OP(fma, fmaf(X, Y, Z))
FLOAT_OP(sqrt, sqrtf(X))
FLOAT_OP(rsqrt, 1 / sqrtf(X))
FLOAT_OP(exp, expf(X))
FLOAT_OP(log, logf(X))
FLOAT_OP(expm1, expm1f(X))
FLOAT_OP(sigmoid, 1 / (1 + expf(-X)))
FLOAT_OP(tanh, tanhf(X))
FLOAT_OP(erf, erff(X))
FLOAT_OP(tofloat, (float)A)
FLOAT_OP(load, o->mem->at.f32[checked_index(r, o->a[0], o->mem)])
FLOAT_OP(load_f16, (float)half_value(o->mem->at.f16[checked_index(r, o->a[0], o->mem)]))
INT_OP(lt_float, X < Y)
INT_OP(le_float, X <= Y)
INT_OP(eq_float, X == Y)

static float float_constant(const Run *r, const Op *o) {
    (void)r;
    return o->f;
}

/* b if either is NaN or both are zeros, as the vector instructions of x86 do it. */
static float float_min(const Run *r, const Op *o) {
    float a = X, b = Y;
    return a < b ? a : b;
}

static float float_max(const Run *r, const Op *o) {
    float a = X, b = Y;
    return a > b ? a : b;
}

static float float_select(const Run *r, const Op *o) {
    float yes = Y, no = Z;
    return A ? yes : no;
}

/* Philox4x32-10 (Salmon et al. 2011), first word; constants of the paper. */
static float float_random(const Run *r, const Op *o) {
    uint64_t index = (uint64_t)A;
    uint32_t c[4] = {(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)o->i, 0};
    uint32_t k0 = r->key[0], k1 = r->key[1];
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c[0], p1 = (uint64_t)0xCD9E8D57u * c[2];
        uint32_t next0 = (uint32_t)(p1 >> 32) ^ c[1] ^ k0, next2 = (uint32_t)(p0 >> 32) ^ c[3] ^ k1;
        c[0] = next0;
        c[1] = (uint32_t)p1;
        c[2] = next2;
        c[3] = (uint32_t)p0;
    }
    return (float)(c[0] >> 8) * 0x1p-24f;
}
#undef A
#undef B
#undef X
#undef Y
#undef Z

static IntFn *const int_fn[EX_COUNT] = {
    [EX_add] = int_add, [EX_sub] = int_sub, [EX_mul] = int_mul, [EX_div] = int_div,
    [EX_mod] = int_mod, [EX_min] = int_min, [EX_max] = int_max, [EX_lt] = int_lt,
    [EX_le] = int_le,   [EX_eq] = int_eq,   [EX_and] = int_and, [EX_select] = int_select,
};
static IntFn *const compare_float_fn[EX_COUNT] = {
    [EX_lt] = int_lt_float,
    [EX_le] = int_le_float,
    [EX_eq] = int_eq_float,
};
static FloatFn *const float_fn[EX_COUNT] = {
    [EX_float] = float_constant, [EX_load] = float_load,       [EX_add] = float_add,       [EX_sub] = float_sub,
    [EX_mul] = float_mul,        [EX_div] = float_div,         [EX_min] = float_min,       [EX_max] = float_max,
    [EX_fma] = float_fma,        [EX_sqrt] = float_sqrt, [EX_rsqrt] = float_rsqrt,       [EX_exp] = float_exp,       [EX_log] = float_log,
    [EX_expm1] = float_expm1,    [EX_tanh] = float_tanh,       [EX_erf] = float_erf,
    [EX_sigmoid] = float_sigmoid,
    [EX_select] = float_select,  [EX_tofloat] = float_tofloat, [EX_random] = float_random,
};

/* From expressions to operations. */

/* Whoever asks for a value of a type that the expression does not have ends here. */
static int64_t int_wrong(const Run *r, const Op *o) {
    (void)o;
    ice("kernel %s: a float stands where an integer should", r->kernel->name);
}

static float float_wrong(const Run *r, const Op *o) {
    (void)o;
    ice("kernel %s: an integer stands where a float should", r->kernel->name);
}

static Op *op_new(Run *r) {
    Op *o = NEW(r->arena, Op);
    o->as_int = int_wrong;
    o->as_float = float_wrong;
    return o;
}

static const Op *op_affine(Run *r, const Affine *f) {
    Op *o = op_new(r);
    int32_t *var = NEW_ARRAY(r->arena, int32_t, f->n);
    int64_t *coef = NEW_ARRAY(r->arena, int64_t, f->n);
    for (int32_t i = 0; i < f->n; i++) {
        var[i] = f->var[i];
        coef[i] = f->coef[i];
    }
    o->as_int = int_affine;
    o->i = f->constant;
    o->n_term = f->n;
    o->term_var = var;
    o->term_coef = coef;
    return o;
}

static IntFn *int_fn_of(const Run *r, const Expr *e) {
    if (e->kind == EX_load) return r->mem[e->buf].dtype == DT_U8 ? int_load_u8 : int_load_i32;
    if (e->type == ET_BOOL && e->kind != EX_and && e->kind != EX_select && e->a[0]->type == ET_FLOAT)
        return compare_float_fn[e->kind];
    return int_fn[e->kind];
}

static const Op *op_of(Run *r, const Expr *e) {
    Affine f;
    if (e->type == ET_BOOL && e->kind == EX_int) return op_affine(r, &(Affine){.constant = e->i});
    if (e->kind == EX_batch) return op_affine(r, &(Affine){.constant = r->n});
    if (affine_of(e, &f)) return op_affine(r, &f);
    Op *o = op_new(r);
    for (int32_t i = 0; i < expr_info[e->kind].n; i++) o->a[i] = op_of(r, e->a[i]);
    if (e->kind == EX_load) o->mem = &r->mem[e->buf];
    o->i = e->i;
    o->f = (float)e->f;
    if (e->type == ET_FLOAT && float_fn[e->kind]) o->as_float = float_fn[e->kind];
    if (e->type == ET_FLOAT && e->kind == EX_load && o->mem->dtype == DT_F16) o->as_float = float_load_f16;
    if (e->type != ET_FLOAT && int_fn_of(r, e)) o->as_int = int_fn_of(r, e);
    return o;
}

/* Statements, turned into code the same way. */

typedef struct Code Code;
struct Code {
    StmtKind kind;
    LoopMode mode;
    bool chain; /* a PARALLEL loop whose body has tasks of its own */
    int32_t var;
    const Op *a, *b; /* lo, hi; index, value; condition */
    const Mem *mem;
    const Code **item; /* a loop's or guard's body, a sequence's items */
    int32_t n_item;
};

static const Code *code_of(Run *r, const Stmt *s);

static void code_items(Run *r, Code *c, Stmt *const *item, int32_t n) {
    c->item = NEW_ARRAY(r->arena, const Code *, n);
    c->n_item = n;
    for (int32_t i = 0; i < n; i++) c->item[i] = code_of(r, item[i]);
}

static void code_for(Run *r, Code *c, const Stmt *s) {
    c->var = s->u.loop.var;
    c->mode = s->u.loop.mode;
    c->a = op_of(r, s->u.loop.lo);
    c->b = op_of(r, s->u.loop.hi);
    code_items(r, c, &s->u.loop.body, 1);
    c->chain = c->mode == LOOP_PARALLEL && stmt_has_tasks(s->u.loop.body);
}

static void code_store(Run *r, Code *c, const Stmt *s) {
    c->mem = &r->mem[s->u.store.buf];
    c->a = op_of(r, s->u.store.index);
    c->b = op_of(r, s->u.store.value);
}

static const Code *code_of(Run *r, const Stmt *s) {
    Code *c = NEW(r->arena, Code);
    c->kind = s->kind;
    switch (s->kind) {
    case ST_FOR: code_for(r, c, s); break;
    case ST_STORE: code_store(r, c, s); break;
    case ST_PREFETCH: break;
    case ST_SEQ: code_items(r, c, s->u.seq.item, s->u.seq.n); break;
    case ST_GUARD:
        c->a = op_of(r, s->u.guard.cond);
        code_items(r, c, &s->u.guard.body, 1);
        break;
    }
    return c;
}

/* Running. */

/* Scratch is undefined when a task begins: NaNs tell of a use before a store, or of one left by another task. */
static void spoil_scratch(Run *r) {
    for (int32_t i = r->kernel->n_arg; i < r->kernel->n_buf; i++) memset(r->mem[i].at.p, 0xff, r->mem[i].scratch_bytes);
}

static void run_store(const Run *r, const Code *c) {
    int64_t i = checked_index(r, c->a, c->mem);
    switch (c->mem->dtype) {
    case DT_F32: c->mem->at.f32[i] = float_of(r, c->b); break;
    case DT_F16: c->mem->at.f16[i] = half_nearest((double)float_of(r, c->b)); break;
    case DT_I32: c->mem->at.i32[i] = (int32_t)int_of(r, c->b); break;
    default: c->mem->at.u8[i] = (uint8_t)int_of(r, c->b); break;
    }
}

static void run_code(Run *r, const Code *c);

static void run_for(Run *r, const Code *c) {
    bool inside = r->in_task, begins_task = !inside && c->mode == LOOP_PARALLEL && !c->chain;
    int64_t hi = int_of(r, c->b);
    r->in_task = inside || !c->chain;
    for (int64_t v = int_of(r, c->a); v < hi; v++) {
        r->var[c->var] = v;
        if (begins_task) spoil_scratch(r);
        run_code(r, c->item[0]);
    }
    r->in_task = inside;
}

static void run_code(Run *r, const Code *c) {
    switch (c->kind) {
    case ST_FOR: run_for(r, c); break;
    case ST_STORE: run_store(r, c); break;
    case ST_SEQ:
        for (int32_t i = 0; i < c->n_item; i++) run_code(r, c->item[i]);
        break;
    case ST_GUARD:
        if (int_of(r, c->a)) run_code(r, c->item[0]);
        break;
    case ST_PREFETCH: break;
    }
}

static Mem mem_of(Run *r, const Buf *b, void *arg) {
    Mem m = {.name = b->name, .dtype = b->dtype, .elements = b->elements, .at.p = arg};
    ICE_UNLESS(mul_ok(b->elements, b->batched ? r->n : 1, &m.elements), "%s: %s overflows", r->kernel->name, b->name);
    if (b->cls == BUF_ARG) return m;
    m.scratch_bytes = checked_bytes(b->elements, (size_t)dtype_bytes[b->dtype]);
    m.at.p = arena_alloc(r->arena, m.scratch_bytes);
    return m;
}

void ref_loop_run(const Kernel *k, void *const *arg, int64_t n, const uint32_t key[2]) {
    Run r = {.arena = arena_new(), .kernel = k, .n = n, .key = {key[0], key[1]}};
    r.mem = NEW_ARRAY(r.arena, Mem, k->n_buf);
    r.var = NEW_ARRAY(r.arena, int64_t, k->n_var);
    for (int32_t i = 0; i < k->n_buf; i++) r.mem[i] = mem_of(&r, &k->buf[i], i < k->n_arg ? arg[i] : NULL);
    spoil_scratch(&r);
    run_code(&r, code_of(&r, k->body));
    arena_free(r.arena);
}
