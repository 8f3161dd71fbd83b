/* Statements and kernels: loops to basic blocks. */
#include "../ir/product.h"
#include "llvm.h"

#include <string.h>

static void gen_stmt(Gen *g, const Stmt *s);

/* ---- stores ---- */

static void store_at(Gen *g, int32_t buf, const Lin *at, LLVMValueRef v) {
    DType t = g->k->buf[buf].dtype;
    if (t == DT_F16) v = half_narrow(g, v);
    else if (t != DT_F32) v = LLVMBuildIntCast2(g->b, v, llvm_like(LLVMTypeOf(v), llvm_dtype(g->m, t)), 1, "");
    alias_mark(g, buf, LLVMBuildStore(g->b, v, address_of(g, buf, at)));
}

/* `s` once for each lane, with the lane a constant. */
static void gen_per_lane(Gen *g, const Stmt *s) {
    for (int32_t lane = 0; lane < g->lanes; lane++) {
        g->lane_at = lane;
        gen_stmt(g, s);
    }
    g->lane_at = -1;
}

/* Lanes [from, from + n) of v. */
static LLVMValueRef part(const Gen *g, LLVMValueRef v, unsigned from, unsigned n) {
    LLVMValueRef lane[LANES_MAX];
    for (unsigned i = 0; i < n; i++) lane[i] = LLVMConstInt(g->m->i32, from + i, 0);
    return LLVMBuildShuffleVector(g->b, v, LLVMGetPoison(LLVMTypeOf(v)), LLVMConstVector(lane, n), "");
}

/* The sum of the lanes, as a tree: halves are added until one is left; the odd lane of each level goes to the end. */
static LLVMValueRef sum_lanes(const Gen *g, LLVMValueRef v) {
    LLVMValueRef odd = NULL;
    for (unsigned n = LLVMGetVectorSize(LLVMTypeOf(v)); n > 1; n /= 2) {
        if (n % 2) {
            LLVMValueRef last = LLVMBuildExtractElement(g->b, v, llvm_i64(g, n - 1), "");
            odd = odd ? LLVMBuildFAdd(g->b, odd, last, "") : last;
        }
        v = LLVMBuildFAdd(g->b, part(g, v, 0, n / 2), part(g, v, n / 2, n / 2), "");
    }
    LLVMValueRef sum = LLVMBuildExtractElement(g->b, v, llvm_i64(g, 0), "");
    return odd ? LLVMBuildFAdd(g->b, sum, odd, "") : sum;
}

static bool loads_same(Gen *g, const Expr *e, int32_t buf, const Lin *at) {
    Lin other;
    return e->kind == EX_load && e->buf == buf && lin_of(g, e->a[0], &other) && lin_equal(&other, at);
}

/* The x of b[i] = b[i] + x, or NULL if the store is no sum of lanes. */
static const Expr *summand(Gen *g, const Stmt *s, const Lin *at) {
    const Expr *e = s->u.store.value;
    if (e->kind != EX_add || g->k->buf[s->u.store.buf].dtype != DT_F32) return NULL;
    for (int i = 0; i < 2; i++)
        if (loads_same(g, e->a[i], s->u.store.buf, at) && !loads_from(e->a[1 - i], s->u.store.buf)) return e->a[1 - i];
    return NULL;
}

/* A store whose place does not move with the lane. */
static void gen_store_fixed(Gen *g, const Stmt *s, const Lin *at) {
    int32_t buf = s->u.store.buf;
    const Expr *x = summand(g, s, at);
    if (x) {
        Lin from = *at;
        LLVMValueRef sum = sum_lanes(g, llvm_as_vector(g, gen_expr(g, x)));
        LLVMValueRef old = LLVMBuildLoad2(g->b, g->m->f32, address_of(g, buf, &from), "");
        alias_mark(g, buf, old);
        store_at(g, buf, at, LLVMBuildFAdd(g->b, old, sum, ""));
    } else if (!uses_lane(g, s->u.store.value) && !loads_from(s->u.store.value, buf)) {
        store_at(g, buf, at, gen_expr(g, s->u.store.value).v);
    } else {
        gen_per_lane(g, s);
    }
}

/* Lanes go to scattered places: the value is made at once where that cannot be told from doing it lane by lane. */
static void gen_store_scattered(Gen *g, const Stmt *s) {
    if (loads_from(s->u.store.value, s->u.store.buf)) {
        gen_per_lane(g, s);
        return;
    }
    Val v = gen_expr(g, s->u.store.value);
    for (int32_t lane = 0; lane < g->lanes; lane++) {
        Lin at;
        LLVMValueRef x = llvm_lane(g, v, lane);
        g->lane_at = lane;
        lin_of(g, s->u.store.index, &at);
        store_at(g, s->u.store.buf, &at, x);
    }
    g->lane_at = -1;
}

static void gen_store(Gen *g, const Stmt *s) {
    Lin at;
    bool linear = lin_of(g, s->u.store.index, &at);
    if (!llvm_by_lanes(g)) store_at(g, s->u.store.buf, &at, gen_expr(g, s->u.store.value).v);
    else if (linear && at.lane == 1) store_at(g, s->u.store.buf, &at, llvm_as_vector(g, gen_expr(g, s->u.store.value)));
    else if (linear && at.lane == 0) gen_store_fixed(g, s, &at);
    else gen_store_scattered(g, s);
}

/* Into the second level of the cache, to be read: the first is too small for a panel of weights. The address may be
 * beyond the buffer: that is no fault. */
static void gen_prefetch(Gen *g, const Stmt *s) {
    enum { TO_READ = 0, SECOND_LEVEL = 2, DATA = 1 };
    Lin at;
    lin_of(g, s->u.prefetch.index, &at);
    LLVMValueRef arg[4] = {address_of(g, s->u.prefetch.buf, &at), LLVMConstInt(g->m->i32, TO_READ, 0),
                           LLVMConstInt(g->m->i32, SECOND_LEVEL, 0), LLVMConstInt(g->m->i32, DATA, 0)};
    llvm_intrinsic(g, "llvm.prefetch", &g->m->ptr, 1, arg, 4);
}

/* ---- loops ---- */

static bool holds_unrolled_sum(const Stmt *s) {
    if (s->kind == ST_STORE || s->kind == ST_PREFETCH) return false;
    if (s->kind == ST_GUARD) return holds_unrolled_sum(s->u.guard.body);
    bool sum = s->kind == ST_FOR && (s->u.loop.role == ROLE_REDUCE || s->u.loop.role == ROLE_TAP);
    if (s->kind == ST_FOR) return (sum && s->u.loop.mode == LOOP_UNROLL) || holds_unrolled_sum(s->u.loop.body);
    for (int32_t i = 0; i < s->u.seq.n; i++)
        if (holds_unrolled_sum(s->u.seq.item[i])) return true;
    return false;
}

static void gen_unrolled(Gen *g, const Stmt *s, int64_t lo, int64_t hi) {
    bool sum = s->u.loop.role == ROLE_REDUCE, outer = sum && holds_unrolled_sum(s->u.loop.body);
    for (int64_t i = lo; i < hi; i++) {
        if (sum && i > lo) llvm_barrier(g, outer);
        g->bind[s->u.loop.var] = lin_const(i);
        gen_stmt(g, s->u.loop.body);
    }
}

static void gen_vector(Gen *g, const Stmt *s, int64_t lo, int64_t hi) {
    g->lane_var = s->u.loop.var;
    g->lane_from = lo;
    g->lanes = (int32_t)(hi - lo);
    gen_stmt(g, s->u.loop.body);
    g->lane_var = -1;
}

/* A loop being generated: for (v = lo; v < hi; v++), tested at the end, and before the start unless it surely runs. */
typedef struct Running {
    LLVMBasicBlockRef head, exit;
    LLVMValueRef v, hi;
} Running;

static Running loop_begin(Gen *g, LLVMValueRef lo, LLVMValueRef hi, bool surely) {
    Running r = {.hi = hi};
    LLVMBasicBlockRef before = LLVMGetInsertBlock(g->b);
    r.head = LLVMAppendBasicBlockInContext(g->m->ctx, g->fn, "");
    r.exit = LLVMAppendBasicBlockInContext(g->m->ctx, g->fn, "");
    if (surely) LLVMBuildBr(g->b, r.head);
    else LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, lo, hi, ""), r.head, r.exit);
    LLVMPositionBuilderAtEnd(g->b, r.head);
    r.v = LLVMBuildPhi(g->b, g->m->i64, "");
    LLVMAddIncoming(r.v, &lo, &before, 1);
    scope_open(g, r.head);
    return r;
}

static void loop_end(Gen *g, const Running *r) {
    scope_close(g);
    LLVMValueRef next = LLVMBuildNSWAdd(g->b, r->v, llvm_i64(g, 1), "");
    LLVMBasicBlockRef latch = LLVMGetInsertBlock(g->b);
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, next, r->hi, ""), r->head, r->exit);
    LLVMAddIncoming(r->v, &next, &latch, 1);
    LLVMMoveBasicBlockAfter(r->exit, latch);
    LLVMPositionBuilderAtEnd(g->b, r->exit);
}

static void gen_serial(Gen *g, const Stmt *s, const Lin *lo, const Lin *hi) {
    Lin extent = lin_add(g, hi, lo, -1);
    int64_t min, max, least, most;
    lin_range(g, &extent, &min, &max);
    if (max <= 0) return;
    lin_range(g, lo, &least, &most);
    lin_range(g, hi, &max, &most);
    Running r = loop_begin(g, lin_value(g, lo), lin_value(g, hi), min > 0);
    int32_t v = num_new(g, r.v, g->n_scope - 1, least, most == INT64_MAX ? most : most - 1);
    g->bind[s->u.loop.var] = (Lin){.n = 1, .num = {v}, .coef = {1}};
    gen_stmt(g, s->u.loop.body);
    loop_end(g, &r);
}

/* The address of a matrix: of the element where the product's variables are 0, as they are bound to be. */
static LLVMValueRef matrix_address(Gen *g, const Matrix *m) {
    Lin at;
    lin_of(g, m->index, &at);
    return address_of(g, m->buf, &at);
}

static LLVMValueRef sgemm(Gen *g, LLVMTypeRef *type) {
    LLVMTypeRef ptr = g->m->ptr, i64 = g->m->i64;
    LLVMTypeRef parameter[] = {i64, i64, i64, ptr, i64, i64, ptr, i64, i64, ptr, i64};
    *type = LLVMFunctionType(LLVMVoidTypeInContext(g->m->ctx), parameter, ARRAY_LEN(parameter), 0);
    LLVMValueRef fn = LLVMGetNamedFunction(g->m->module, "cnnc_sgemm");
    return fn ? fn : LLVMAddFunction(g->m->module, "cnnc_sgemm", *type);
}

/* A call of runtime/abi.h's cnnc_sgemm. */
static void gen_blas(Gen *g, const Stmt *s) {
    Product p;
    ICE_UNLESS(product_of(g->k, s, &p), "kernel %s: a blas loop is no product", g->k->name);
    LLVMValueRef extent[3];
    for (int i = 0; i < 3; i++) {
        Lin hi;
        lin_of(g, p.extent[i], &hi);
        extent[i] = lin_value(g, &hi);
        g->bind[p.var[i]] = lin_const(0);
    }
    LLVMTypeRef type;
    LLVMValueRef fn = sgemm(g, &type);
    LLVMValueRef arg[] = {extent[0], extent[1], extent[2],
                          matrix_address(g, &p.a), llvm_i64(g, p.a.row), llvm_i64(g, p.a.column),
                          matrix_address(g, &p.b), llvm_i64(g, p.b.row), llvm_i64(g, p.b.column),
                          matrix_address(g, &p.c), llvm_i64(g, p.c.row)};
    LLVMBuildCall2(g->b, type, fn, arg, ARRAY_LEN(arg), "");
}

/* Modes change nothing but how: what cannot be expanded, its bounds being unknown, is run as a plain loop. */
static void gen_for(Gen *g, const Stmt *s) {
    if (s->u.loop.mode == LOOP_BLAS) {
        gen_blas(g, s);
        return;
    }
    if (llvm_by_lanes(g) && (uses_lane(g, s->u.loop.lo) || uses_lane(g, s->u.loop.hi))) {
        gen_per_lane(g, s);
        return;
    }
    Lin lo, hi;
    int64_t from, to;
    lin_of(g, s->u.loop.lo, &lo);
    lin_of(g, s->u.loop.hi, &hi);
    bool known = lin_is_const(&lo, &from) && lin_is_const(&hi, &to);
    LoopMode mode = known ? s->u.loop.mode : LOOP_SERIAL;
    bool vector = mode == LOOP_VECTOR && to - from > 1 && to - from <= LANES_MAX;
    if (vector) gen_vector(g, s, from, to);
    else if (mode == LOOP_UNROLL || (mode == LOOP_VECTOR && to - from <= LANES_MAX) || (known && to - from <= 1))
        gen_unrolled(g, s, from, to);
    else gen_serial(g, s, &lo, &hi);
}

static void gen_guard(Gen *g, const Stmt *s) {
    int known = lin_decide(g, s->u.guard.cond);
    if (known == 0) return;
    if (known == 1) {
        gen_stmt(g, s->u.guard.body);
        return;
    }
    if (llvm_by_lanes(g) && uses_lane(g, s->u.guard.cond)) {
        gen_per_lane(g, s);
        return;
    }
    LLVMBasicBlockRef yes = LLVMAppendBasicBlockInContext(g->m->ctx, g->fn, "");
    LLVMBasicBlockRef after = LLVMAppendBasicBlockInContext(g->m->ctx, g->fn, "");
    LLVMBuildCondBr(g->b, gen_expr(g, s->u.guard.cond).v, yes, after);
    LLVMPositionBuilderAtEnd(g->b, yes);
    gen_stmt(g, s->u.guard.body);
    LLVMBuildBr(g->b, after);
    LLVMPositionBuilderAtEnd(g->b, after);
}

static void gen_seq(Gen *g, const Stmt *s) {
    for (int32_t i = 0; i < s->u.seq.n; i++) gen_stmt(g, s->u.seq.item[i]);
}

static void gen_stmt(Gen *g, const Stmt *s) {
    static void (*const rule[])(Gen *, const Stmt *) = {
        [ST_FOR] = gen_for, [ST_STORE] = gen_store, [ST_SEQ] = gen_seq, [ST_GUARD] = gen_guard, [ST_PREFETCH] = gen_prefetch};
    rule[s->kind](g, s);
}

/* ---- kernels ---- */

static LLVMValueRef load_word(Gen *g, LLVMTypeRef type, LLVMValueRef from, int64_t byte) {
    LLVMValueRef at = llvm_i64(g, byte);
    return LLVMBuildLoad2(g->b, type, LLVMBuildGEP2(g->b, g->m->i8, from, &at, 1, ""), "");
}

/* Memory for a buffer that is no argument. */
static LLVMValueRef local_memory(Gen *g, int32_t buf, LLVMValueRef scratch) {
    const Buf *b = &g->k->buf[buf];
    int64_t at = kernel_scratch(g->k, buf);
    if (at >= 0) {
        LLVMValueRef byte = llvm_i64(g, at);
        return LLVMBuildGEP2(g->b, g->m->i8, scratch, &byte, 1, "");
    }
    LLVMValueRef stack = LLVMBuildAlloca(g->b, LLVMArrayType2(llvm_dtype(g->m, b->dtype), (uint64_t)b->elements), "");
    LLVMSetAlignment(stack, 64);
    return stack;
}

/* The function's entry: everything of the call, and the stack. struct CnncRun is {int64 n; uint32 key[2]; ptr scratch;
 * ...}. */
static void gen_entry(Gen *g) {
    const Kernel *k = g->k;
    LLVMValueRef arg = LLVMGetParam(g->fn, 0), run = LLVMGetParam(g->fn, 1);
    LLVMValueRef scratch = kernel_scratch(k, k->n_buf) ? load_word(g, g->m->ptr, run, 16) : NULL;
    g->base = NEW_ARRAY(g->arena, LLVMValueRef, k->n_buf + 1);
    for (int32_t i = 0; i < k->n_buf; i++) {
        if (k->buf[i].cls == BUF_ARG) g->base[i] = load_word(g, g->m->ptr, arg, 8 * i);
        else g->base[i] = local_memory(g, i, scratch);
    }
    g->batch = num_new(g, load_word(g, g->m->i64, run, 0), 0, 1, INT32_MAX);
    for (int i = 0; i < 2; i++) g->key[i] = load_word(g, g->m->i32, run, 8 + 4 * i);
}

static const Stmt *unwrapped(const Stmt *s) {
    while (s->kind == ST_SEQ && s->u.seq.n == 1) s = s->u.seq.item[0];
    return s;
}

/* The perfectly nested PARALLEL loops at the top of s, outermost first; *body is what they hold. */
enum { TASK_LOOPS_MAX = 16 };
static int32_t peel_tasks(const Kernel *k, const Stmt *s, const Stmt **loop, const Stmt **body) {
    int32_t n = 0;
    for (;;) {
        s = unwrapped(s);
        if (s->kind != ST_FOR || s->u.loop.mode != LOOP_PARALLEL) break;
        ICE_UNLESS(n < TASK_LOOPS_MAX, "kernel %s: more than %d parallel loops", k->name, TASK_LOOPS_MAX);
        loop[n++] = s;
        s = s->u.loop.body;
    }
    *body = s;
    return n;
}

/* Takes the task number apart, innermost loop first, and binds the parallel variables. */
static void bind_tasks(Gen *g, LLVMValueRef task, const Stmt *const *loop, int32_t n) {
    int64_t min, most = INT64_MAX;
    Lin lo, extent[TASK_LOOPS_MAX];
    for (int32_t i = 0; i < n; i++) {
        Lin hi;
        lin_of(g, loop[i]->u.loop.lo, &lo);
        lin_of(g, loop[i]->u.loop.hi, &hi);
        extent[i] = lin_add(g, &hi, &lo, -1);
        ICE_UNLESS(lin_depth(g, &extent[i]) == 0, "kernel %s: a parallel bound depends on a variable", g->k->name);
    }
    if (n == 1) lin_range(g, &extent[0], &min, &most);
    int32_t t = num_new(g, task, g->n_scope - 1, 0, most == INT64_MAX ? most : most - 1);
    Lin rest = {.n = 1, .num = {t}, .coef = {1}};
    for (int32_t i = n - 1; i >= 0; i--) {
        Lin at = rest, one = extent[i];
        int64_t c, outer = INT64_MAX;
        bool fixed = lin_is_const(&one, &c);
        lin_range(g, &one, &min, &most);
        if (fixed && c == 1) at = lin_const(0);
        else if (i > 0) {
            if (i == 1) lin_range(g, &extent[0], &min, &outer);
            at = lin_opaque(g, EX_mod, &rest, &one, 0, most - 1);
            rest = lin_opaque(g, EX_div, &rest, &one, 0, outer == INT64_MAX ? outer : outer - 1);
        }
        lin_of(g, loop[i]->u.loop.lo, &lo);
        g->bind[loop[i]->u.loop.var] = lin_add(g, &at, &lo, 1);
    }
}

/* How many tasks s has: a number, or one times N. */
static Lin count_tasks(Gen *g, const Stmt *s) {
    const Stmt *loop[TASK_LOOPS_MAX], *body;
    int32_t n = peel_tasks(g->k, s, loop, &body);
    bool several = stmt_has_tasks(body);
    Lin count = lin_const(several ? 0 : 1);
    for (int32_t i = 0; several && i < body->u.seq.n; i++) {
        Lin one = count_tasks(g, body->u.seq.item[i]);
        count = lin_add(g, &count, &one, 1);
    }
    for (int32_t i = 0; i < n; i++) {
        Lin lo, hi;
        int64_t c;
        lin_of(g, loop[i]->u.loop.lo, &lo);
        lin_of(g, loop[i]->u.loop.hi, &hi);
        Lin extent = lin_add(g, &hi, &lo, -1);
        if (lin_is_const(&extent, &c)) count = lin_scale(&count, c);
        else {
            ICE_UNLESS(lin_is_const(&count, &c), "kernel %s: two parallel loops over pictures", g->k->name);
            count = lin_scale(&extent, c);
        }
    }
    return count;
}

/* x - before, but not below 0 and not above count. */
static LLVMValueRef within(Gen *g, LLVMValueRef x, LLVMValueRef before, LLVMValueRef count) {
    LLVMValueRef i = LLVMBuildSub(g->b, x, before, ""), zero = llvm_i64(g, 0);
    i = LLVMBuildSelect(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, i, zero, ""), zero, i, "");
    return LLVMBuildSelect(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, count, i, ""), count, i, "");
}

static void gen_tasks(Gen *g, const Stmt *s, LLVMValueRef begin, LLVMValueRef end);

/* The tasks of a sequence's statements are numbered through. */
static void gen_task_seq(Gen *g, const Stmt *s, LLVMValueRef begin, LLVMValueRef end) {
    Lin before = lin_const(0);
    for (int32_t i = 0; i < s->u.seq.n; i++) {
        Lin count = count_tasks(g, s->u.seq.item[i]);
        LLVMValueRef first = lin_value(g, &before), tasks = lin_value(g, &count);
        gen_tasks(g, s->u.seq.item[i], within(g, begin, first, tasks), within(g, end, first, tasks));
        before = lin_add(g, &before, &count, 1);
    }
}

/* Tasks begin <= t < end of s. The loops around a sequence with tasks run for those iterations that have some of them. */
static void gen_tasks(Gen *g, const Stmt *s, LLVMValueRef begin, LLVMValueRef end) {
    const Stmt *loop[TASK_LOOPS_MAX], *body;
    int32_t n = peel_tasks(g->k, s, loop, &body);
    bool several = stmt_has_tasks(body);
    if (several && n == 0) {
        gen_task_seq(g, body, begin, end);
        return;
    }
    LLVMValueRef each = NULL, from = begin, to = end;
    if (several) {
        Lin count = count_tasks(g, body);
        each = lin_value(g, &count);
        from = LLVMBuildSDiv(g->b, begin, each, "");
        to = LLVMBuildSDiv(g->b, LLVMBuildAdd(g->b, end, LLVMBuildSub(g->b, each, llvm_i64(g, 1), ""), ""), each, "");
    }
    Running run = loop_begin(g, from, to, false);
    bind_tasks(g, run.v, loop, n);
    if (several) {
        LLVMValueRef before = LLVMBuildMul(g->b, run.v, each, "");
        gen_task_seq(g, body, within(g, begin, before, each), within(g, end, before, each));
    } else {
        gen_stmt(g, body);
    }
    loop_end(g, &run);
}

static void gen_body(Gen *g) {
    gen_tasks(g, g->k->body, LLVMGetParam(g->fn, 2), LLVMGetParam(g->fn, 3));
    LLVMBuildRetVoid(g->b);
}

static void add_attribute(Gen *g, const char *key, const char *value) {
    LLVMAttributeRef a = LLVMCreateStringAttribute(g->m->ctx, key, (unsigned)strlen(key), value, (unsigned)strlen(value));
    LLVMAddAttributeAtIndex(g->fn, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, a);
}

/* prefer-vector-width: without it LLVM tunes some processors for half of their vectors. */
static void add_attributes(Gen *g) {
    unsigned nounwind = LLVMGetEnumAttributeKindForName("nounwind", 8);
    LLVMAddAttributeAtIndex(g->fn, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                            LLVMCreateEnumAttribute(g->m->ctx, nounwind, 0));
    add_attribute(g, "target-cpu", g->m->machine->cpu);
    add_attribute(g, "target-features", g->m->machine->features);
    add_attribute(g, "prefer-vector-width", "512");
    add_attribute(g, "no-trapping-math", "true");
    add_attribute(g, "frame-pointer", "none");
    add_attribute(g, "no-builtins", "");
}

LLVMValueRef llvm_kernel(Module *m, const Kernel *k, const char *name) {
    LLVMTypeRef parameter[4] = {m->ptr, m->ptr, m->i64, m->i64};
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(m->ctx), parameter, 4, 0);
    Gen *g = &(Gen){.m = m, .b = m->b, .k = k, .arena = arena_new(), .lane_var = -1, .lane_at = -1};
    g->fn = LLVMAddFunction(m->module, name, type);
    g->bind = NEW_ARRAY(g->arena, Lin, k->n_var + 1);
    add_attributes(g);
    alias_prepare(g);
    LLVMBasicBlockRef entry = LLVMAppendBasicBlockInContext(m->ctx, g->fn, "");
    LLVMPositionBuilderAtEnd(g->b, entry);
    gen_entry(g);
    scope_open(g, entry);
    gen_body(g);
    arena_free(g->arena);
    return g->fn;
}
