/* Values: float, integer and condition expressions as scalars or vectors of E lanes. */
#include "llvm.h"

bool uses_lane(const Gen *g, const Expr *e) {
    if (e->kind == EX_var) return e->i == g->lane_var;
    for (int32_t i = 0; i < expr_info[e->kind].n; i++)
        if (uses_lane(g, e->a[i])) return true;
    return false;
}

bool loads_from(const Expr *e, int32_t buf) {
    if (e->kind == EX_load && e->buf == buf) return true;
    for (int32_t i = 0; i < expr_info[e->kind].n; i++)
        if (loads_from(e->a[i], buf)) return true;
    return false;
}

static bool is_whole(const Gen *g, LLVMValueRef v) {
    LLVMTypeRef type = LLVMTypeOf(v);
    if (LLVMGetTypeKind(type) == LLVMVectorTypeKind) type = LLVMGetElementType(type);
    return type == g->m->i64 || type == g->m->i32;
}

/* v as a vector, if `vector`; a vector of integers with elements of i32 only if `small`. */
static Val shaped(const Gen *g, Val v, bool vector, bool small) {
    if (!vector) return v;
    LLVMTypeRef element = small ? g->m->i32 : g->m->i64;
    if (!v.vector && is_whole(g, v.v)) v.v = LLVMBuildIntCast2(g->b, v.v, element, 1, "");
    v.v = llvm_as_vector(g, v);
    if (is_whole(g, v.v)) v.v = LLVMBuildIntCast2(g->b, v.v, llvm_like(LLVMTypeOf(v.v), element), 1, "");
    return (Val){v.v, true, small};
}

/* Both as vectors of one type if one is a vector. */
static bool unify(const Gen *g, Val *a, Val *b) {
    bool vector = a->vector || b->vector, small = a->small && b->small;
    *a = shaped(g, *a, vector, small);
    *b = shaped(g, *b, vector, small);
    return vector;
}

/* ---- loads ---- */

static LLVMValueRef load_typed(Gen *g, int32_t buf, LLVMValueRef pointer, LLVMTypeRef type) {
    LLVMValueRef v = LLVMBuildLoad2(g->b, type, pointer, "");
    alias_mark(g, buf, v);
    return v;
}

/* Integers are i64, or i32 in vectors, and floats are f32, whatever the buffer holds. */
static LLVMValueRef widen(const Gen *g, int32_t buf, LLVMValueRef v) {
    DType t = g->k->buf[buf].dtype;
    if (t == DT_F32) return v;
    if (t == DT_F16) return half_widen(g, v);
    bool vector = LLVMGetTypeKind(LLVMTypeOf(v)) == LLVMVectorTypeKind;
    if (vector && t == DT_I32) return v;
    LLVMTypeRef wide = llvm_like(LLVMTypeOf(v), vector ? g->m->i32 : g->m->i64);
    return t == DT_U8 ? LLVMBuildZExt(g->b, v, wide, "") : LLVMBuildSExt(g->b, v, wide, "");
}

static LLVMValueRef load_scalar(Gen *g, int32_t buf, const Lin *at) {
    return widen(g, buf, load_typed(g, buf, address_of(g, buf, at), llvm_dtype(g->m, g->k->buf[buf].dtype)));
}

/* Does the vector lie across two of the vectors that a REG buffer is made of? */
static bool across(const Gen *g, int32_t buf, const Lin *at) {
    const Buf *b = &g->k->buf[buf];
    return b->cls == BUF_REG && at->n == 0 && at->constant % g->lanes &&
           at->constant + 2 * g->lanes - at->constant % g->lanes <= b->elements;
}

/* One vector out of two neighbours: a single load would keep the buffer from being registers. */
static LLVMValueRef load_across(Gen *g, int32_t buf, const Lin *at, LLVMTypeRef type) {
    LLVMValueRef part[2], lane[LANES_MAX];
    int64_t shift = at->constant % g->lanes;
    for (int i = 0; i < 2; i++) {
        Lin from = lin_const(at->constant - shift + i * g->lanes);
        part[i] = load_typed(g, buf, address_of(g, buf, &from), type);
    }
    for (int32_t i = 0; i < g->lanes; i++) lane[i] = llvm_whole(g->m->i32, shift + i);
    return LLVMBuildShuffleVector(g->b, part[0], part[1], LLVMConstVector(lane, (unsigned)g->lanes), "");
}

static LLVMValueRef load_vector(Gen *g, int32_t buf, const Lin *at) {
    LLVMTypeRef type = LLVMVectorType(llvm_dtype(g->m, g->k->buf[buf].dtype), (unsigned)g->lanes);
    if (across(g, buf, at)) return widen(g, buf, load_across(g, buf, at, type));
    return widen(g, buf, load_typed(g, buf, address_of(g, buf, at), type));
}

/* Where each lane is. True if all are in one block, of a power of two of elements, which lies in the buffer as a whole:
 * from *first on. */
static bool lanes_in_block(Gen *g, const Expr *e, Lin *first, int64_t *size, int64_t *place) {
    int64_t min = INT64_MAX, max = INT64_MIN, unit = g->k->buf[e->buf].elements;
    for (int32_t lane = 0; lane < g->lanes; lane++) {
        Lin at;
        g->lane_at = lane;
        lin_of(g, e->a[0], &at);
        g->lane_at = -1;
        place[lane] = at.constant;
        min = at.constant < min ? at.constant : min;
        max = at.constant > max ? at.constant : max;
        at.constant = 0;
        if (lane == 0) *first = at;
        else if (!lin_equal(first, &at)) return false;
    }
    for (int32_t i = 0; i < first->n; i++) unit |= first->coef[i];
    *size = 1;
    while (*size < LANES_MAX && *size < 2 * g->lanes && (min & -*size) != (max & -*size)) *size *= 2;
    first->constant = min & -*size;
    return (min & -*size) == (max & -*size) && (unit & (*size - 1)) == 0;
}

/* One load and a permutation. */
static LLVMValueRef permuted(Gen *g, const Expr *e, const Lin *first, int64_t size, const int64_t *place) {
    LLVMTypeRef type = LLVMVectorType(llvm_dtype(g->m, g->k->buf[e->buf].dtype), (unsigned)size);
    LLVMValueRef lane[LANES_MAX], block = load_typed(g, e->buf, address_of(g, e->buf, first), type);
    for (int32_t i = 0; i < g->lanes; i++) lane[i] = llvm_whole(g->m->i32, place[i] - first->constant);
    LLVMValueRef order = LLVMConstVector(lane, (unsigned)g->lanes);
    return widen(g, e->buf, LLVMBuildShuffleVector(g->b, block, LLVMGetPoison(type), order, ""));
}

/* What the lanes of an index differ by, if that is one quotient of neighbouring dividends: their groups of channels. */
typedef struct Quotient {
    Lin dividend;     /* of lane 0 */
    int64_t divisor;  /* 0: none found yet */
} Quotient;

static Lin lin_of_lane(Gen *g, const Expr *e, int32_t lane) {
    Lin at;
    g->lane_at = lane;
    lin_of(g, e, &at);
    g->lane_at = -1;
    return at;
}

static bool differs_by_quotient(Gen *g, const Expr *e, Quotient *q) {
    if (!uses_lane(g, e)) return true;
    if (e->kind == EX_var || e->kind == EX_load) return false;
    Lin a;
    int64_t divisor;
    if (e->kind == EX_div && ex_is_int(e->a[1], &divisor) && lin_of(g, e->a[0], &a) && a.lane == 1) {
        Lin dividend = lin_of_lane(g, e->a[0], 0);
        if (q->divisor) return q->divisor == divisor && lin_equal(&q->dividend, &dividend);
        *q = (Quotient){dividend, divisor};
        return divisor > 0;
    }
    for (int32_t i = 0; i < expr_info[e->kind].n; i++)
        if (!differs_by_quotient(g, e->a[i], q)) return false;
    return true;
}

/* The lanes before the `end` of quotients counted from that of lane 0: o with (dividend mod divisor) + o < end *
 * divisor. */
static LLVMValueRef lanes_before(Gen *g, const Quotient *q, int32_t end) {
    LLVMValueRef lane[LANES_MAX];
    Lin divisor = lin_const(q->divisor), rest = lin_opaque(g, EX_mod, &q->dividend, &divisor, 0, q->divisor - 1);
    Lin limit = lin_const(end * q->divisor);
    limit = lin_add(g, &limit, &rest, -1);
    for (int32_t i = 0; i < g->lanes; i++) lane[i] = llvm_i64(g, i);
    LLVMValueRef all = LLVMConstVector(lane, (unsigned)g->lanes);
    return LLVMBuildICmp(g->b, LLVMIntSLT, all, llvm_splat(g, lin_value(g, &limit), g->lanes), "");
}

/* A broadcast for each place that the lanes may read, each for the lanes that have its quotient: lane j * divisor has
 * the j-th one, and the last lane may have another. */
static LLVMValueRef select_places(Gen *g, const Expr *e, const Quotient *q) {
    int32_t last = (int32_t)((g->lanes - 1) / q->divisor);
    Lin at = lin_of_lane(g, e->a[0], g->lanes - 1);
    LLVMValueRef all = llvm_splat(g, load_scalar(g, e->buf, &at), g->lanes);
    for (int32_t j = last; j >= 0; j--) {
        at = lin_of_lane(g, e->a[0], (int32_t)(j * q->divisor));
        LLVMValueRef one = llvm_splat(g, load_scalar(g, e->buf, &at), g->lanes);
        all = LLVMBuildSelect(g->b, lanes_before(g, q, j + 1), one, all, "");
    }
    return all;
}

/* Lanes from anywhere: one scalar load per lane, if they do not lie together and are not copies of a few. */
static LLVMValueRef gather(Gen *g, const Expr *e) {
    Lin first;
    Quotient q = {.divisor = 0};
    int64_t size, place[LANES_MAX];
    if (lanes_in_block(g, e, &first, &size, place)) return permuted(g, e, &first, size, place);
    if (e->type == ET_FLOAT && differs_by_quotient(g, e->a[0], &q) && (g->lanes - 1) / q.divisor + 2 <= g->lanes / 2)
        return select_places(g, e, &q);
    LLVMTypeRef element = e->type == ET_FLOAT ? g->m->f32 : g->m->i32;
    LLVMValueRef all = LLVMGetPoison(LLVMVectorType(element, (unsigned)g->lanes));
    for (int32_t lane = 0; lane < g->lanes; lane++) {
        Lin at;
        g->lane_at = lane;
        lin_of(g, e->a[0], &at);
        LLVMValueRef x = load_scalar(g, e->buf, &at);
        if (e->type == ET_INT) x = LLVMBuildTrunc(g->b, x, element, "");
        all = LLVMBuildInsertElement(g->b, all, x, llvm_i64(g, lane), "");
    }
    g->lane_at = -1;
    return all;
}

static Val gen_load(Gen *g, const Expr *e) {
    Lin at;
    bool linear = lin_of(g, e->a[0], &at);
    bool small = e->type == ET_INT;
    if (linear && at.lane == 0) return (Val){load_scalar(g, e->buf, &at), false, small};
    if (linear && at.lane == 1) return (Val){load_vector(g, e->buf, &at), true, small};
    return (Val){gather(g, e), true, small};
}

/* Both sides are evaluated: neither may read out of bounds. */
static Val gen_select(Gen *g, const Expr *e) {
    int known = lin_decide(g, e->a[0]);
    if (known >= 0) return gen_expr(g, known ? e->a[1] : e->a[2]);
    Val cond = gen_expr(g, e->a[0]);
    Val yes = gen_expr(g, e->a[1]), no = gen_expr(g, e->a[2]);
    bool vector = yes.vector || no.vector || cond.vector, small = yes.small && no.small;
    yes = shaped(g, yes, vector, small);
    no = shaped(g, no, vector, small);
    return (Val){LLVMBuildSelect(g->b, cond.v, yes.v, no.v, ""), vector, small};
}

/* ---- arithmetic of two operands, float or i64, scalar or vector ---- */

typedef LLVMValueRef Binary(const Gen *g, LLVMValueRef a, LLVMValueRef b);

static LLVMValueRef float_add(const Gen *g, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildFAdd(g->b, a, b, ""); }
static LLVMValueRef float_sub(const Gen *g, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildFSub(g->b, a, b, ""); }
static LLVMValueRef float_mul(const Gen *g, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildFMul(g->b, a, b, ""); }
static LLVMValueRef float_div(const Gen *g, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildFDiv(g->b, a, b, ""); }

/* a > b ? a : b is b if either is NaN: exactly loop.h's max, and exactly one instruction of x86. */
static LLVMValueRef float_max(const Gen *g, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildSelect(g->b, LLVMBuildFCmp(g->b, LLVMRealOGT, a, b, ""), a, b, "");
}

static LLVMValueRef float_min(const Gen *g, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildSelect(g->b, LLVMBuildFCmp(g->b, LLVMRealOLT, a, b, ""), a, b, "");
}

static LLVMValueRef int_add(const Gen *g, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildAdd(g->b, a, b, ""); }
static LLVMValueRef int_sub(const Gen *g, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildSub(g->b, a, b, ""); }
static LLVMValueRef int_mul(const Gen *g, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildMul(g->b, a, b, ""); }

static LLVMValueRef int_max(const Gen *g, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildSelect(g->b, LLVMBuildICmp(g->b, LLVMIntSGT, a, b, ""), a, b, "");
}

static LLVMValueRef int_min(const Gen *g, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildSelect(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, a, b, ""), a, b, "");
}

static LLVMValueRef int_mod(const Gen *g, LLVMValueRef a, LLVMValueRef b) {
    LLVMValueRef r = LLVMBuildSRem(g->b, a, b, ""), zero = LLVMConstNull(LLVMTypeOf(r));
    LLVMValueRef negative = LLVMBuildICmp(g->b, LLVMIntSLT, r, zero, "");
    return LLVMBuildAdd(g->b, r, LLVMBuildSelect(g->b, negative, b, zero, ""), "");
}

/* Floor: exact division of what is left after the floor remainder. */
static LLVMValueRef int_div(const Gen *g, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildSDiv(g->b, LLVMBuildSub(g->b, a, int_mod(g, a, b), ""), b, "");
}

static LLVMValueRef bool_and(const Gen *g, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildAnd(g->b, a, b, ""); }

static Binary *const float_rule[EX_COUNT] = {
    [EX_add] = float_add, [EX_sub] = float_sub, [EX_mul] = float_mul,
    [EX_div] = float_div, [EX_max] = float_max, [EX_min] = float_min,
};
static Binary *const int_rule[EX_COUNT] = {
    [EX_add] = int_add, [EX_sub] = int_sub, [EX_mul] = int_mul, [EX_div] = int_div,
    [EX_mod] = int_mod, [EX_max] = int_max, [EX_min] = int_min,
};
static Binary *const bool_rule[EX_COUNT] = {[EX_and] = bool_and};

static Val gen_binary(Gen *g, const Expr *e) {
    Binary *const *rule = e->type == ET_FLOAT ? float_rule : e->type == ET_INT ? int_rule : bool_rule;
    ICE_UNLESS(rule[e->kind], "kernel %s: no code for %s of this type", g->k->name, expr_info[e->kind].name);
    Val a = gen_expr(g, e->a[0]), b = gen_expr(g, e->a[1]);
    bool may_grow = e->kind == EX_add || e->kind == EX_sub || e->kind == EX_mul;
    bool vector = a.vector || b.vector, small = a.small && b.small && !may_grow;
    a = shaped(g, a, vector, small);
    b = shaped(g, b, vector, small);
    return (Val){rule[e->kind](g, a.v, b.v), vector, small};
}

static Val gen_compare(Gen *g, const Expr *e) {
    int known = lin_decide(g, e);
    if (known >= 0) return (Val){.v = LLVMConstInt(g->m->i1, (unsigned)known, 0)};
    bool is_float = e->a[0]->type == ET_FLOAT;
    LLVMRealPredicate real = e->kind == EX_lt ? LLVMRealOLT : e->kind == EX_le ? LLVMRealOLE : LLVMRealOEQ;
    LLVMIntPredicate whole = e->kind == EX_lt ? LLVMIntSLT : e->kind == EX_le ? LLVMIntSLE : LLVMIntEQ;
    Val a = gen_expr(g, e->a[0]), b = gen_expr(g, e->a[1]);
    bool vector = unify(g, &a, &b);
    LLVMValueRef v = is_float ? LLVMBuildFCmp(g->b, real, a.v, b.v, "") : LLVMBuildICmp(g->b, whole, a.v, b.v, "");
    return (Val){.v = v, .vector = vector};
}

/* ---- the rest ---- */

/* Lane numbers times `step`. */
static LLVMValueRef lane_numbers(const Gen *g, LLVMTypeRef element, int64_t step) {
    LLVMValueRef lane[LANES_MAX];
    for (int32_t i = 0; i < g->lanes; i++) lane[i] = LLVMConstInt(element, (unsigned long long)(step * i), 1);
    return LLVMConstVector(lane, (unsigned)g->lanes);
}

static Val gen_linear(Gen *g, const Lin *at) {
    int64_t min, max;
    lin_range(g, at, &min, &max);
    Val v = {lin_value(g, at), false, min >= INT32_MIN && max <= INT32_MAX};
    if (at->lane == 0) return v;
    v = shaped(g, v, true, v.small);
    v.v = LLVMBuildAdd(g->b, v.v, lane_numbers(g, v.small ? g->m->i32 : g->m->i64, at->lane), "");
    return v;
}

static Val gen_literal(Gen *g, const Expr *e) {
    if (e->kind == EX_float) return (Val){.v = LLVMConstReal(g->m->f32, e->f)};
    return (Val){.v = LLVMConstInt(g->m->i1, e->i != 0, 0)};
}

static Val gen_fma(Gen *g, const Expr *e) {
    Val v[3];
    bool vector = false;
    for (int i = 0; i < 3; i++) {
        v[i] = gen_expr(g, e->a[i]);
        vector |= v[i].vector;
    }
    LLVMValueRef arg[3];
    for (int i = 0; i < 3; i++) arg[i] = vector ? llvm_as_vector(g, v[i]) : v[i].v;
    return (Val){.v = llvm_fma(g, arg[0], arg[1], arg[2]), .vector = vector};
}

static Val gen_function(Gen *g, const Expr *e) {
    Val x = gen_expr(g, e->a[0]);
    LLVMTypeRef type = LLVMTypeOf(x.v);
    switch (e->kind) {
    case EX_sqrt: x.v = llvm_intrinsic(g, "llvm.sqrt", &type, 1, &x.v, 1); break;
    case EX_rsqrt: x.v = math_rsqrt(g, x.v); break;
    case EX_exp: x.v = math_exp(g, x.v); break;
    case EX_log: x.v = math_log(g, x.v); break;
    case EX_expm1: x.v = math_expm1(g, x.v); break;
    case EX_sigmoid: x.v = math_sigmoid(g, x.v); break;
    case EX_tanh: x.v = math_tanh(g, x.v); break;
    case EX_erf: x.v = math_erf(g, x.v); break;
    case EX_tofloat: x.v = LLVMBuildSIToFP(g->b, x.v, llvm_like(type, g->m->f32), ""); break;
    default: x.v = math_random(g, shaped(g, x, x.vector, false).v, e->i); break;
    }
    x.small = false;
    return x;
}

typedef Val ValueRule(Gen *g, const Expr *e);
static ValueRule *const value_rule[EX_COUNT] = {
    [EX_int] = gen_literal,  [EX_float] = gen_literal,  [EX_load] = gen_load,    [EX_add] = gen_binary,
    [EX_sub] = gen_binary,   [EX_mul] = gen_binary,     [EX_div] = gen_binary,   [EX_mod] = gen_binary,
    [EX_min] = gen_binary,   [EX_max] = gen_binary,     [EX_fma] = gen_fma,      [EX_sqrt] = gen_function, [EX_rsqrt] = gen_function,
    [EX_exp] = gen_function, [EX_log] = gen_function,   [EX_expm1] = gen_function, [EX_tanh] = gen_function,
    [EX_sigmoid] = gen_function, [EX_erf] = gen_function, [EX_lt] = gen_compare,   [EX_le] = gen_compare,
    [EX_eq] = gen_compare,   [EX_and] = gen_binary,     [EX_select] = gen_select, [EX_tofloat] = gen_function,
    [EX_random] = gen_function,
};

Val gen_expr(Gen *g, const Expr *e) {
    Lin at;
    bool plain = e->type == ET_INT && e->kind != EX_load && e->kind != EX_select;
    if (plain && lin_of(g, e, &at)) return gen_linear(g, &at);
    ICE_UNLESS(value_rule[e->kind], "kernel %s: no code for %s", g->k->name, expr_info[e->kind].name);
    return value_rule[e->kind](g, e);
}
