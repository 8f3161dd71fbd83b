/* The rules of loops: one row, one function and one test a rule (tests/unit/test_loop_verify.c). */
#include <string.h>

#include "overlap.h"
#include "product.h"

typedef struct Rule Rule;

typedef struct Walk {
    Arena *arena;
    const Kernel *k;
    const Rule *rule;
    const Stmt **loop; /* open ones, outermost first */
    int32_t n_loop, cap_loop, guards;
    bool top;       /* nothing but PARALLEL loops is open */
    Access *access; /* all of them, in order, for rules of the whole kernel */
    int32_t n_access, cap_access;
    const char *broken; /* the first thing found */
} Walk;

struct Rule { /* each function may be NULL */
    const char *name;
    void (*tables)(Walk *); /* of buffers and variables, before the walk */
    void (*stmt)(Walk *, const Stmt *);
    void (*expr)(Walk *, const Expr *);
    void (*access)(Walk *, const Access *);
    void (*whole)(Walk *); /* after the walk; Walk.access is complete */
};

static void broken(Walk *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void broken(Walk *w, const char *format, ...) {
    va_list ap;
    if (w->broken) return;
    va_start(ap, format);
    w->broken = arena_printf(w->arena, "%s: %s", w->rule->name, arena_vprintf(w->arena, format, ap));
    va_end(ap);
}

static const char *var_name(const Walk *w, int64_t var) { return var >= 0 && var < w->k->n_var ? w->k->var[var] : "?"; }

static const char *loop_name(const Walk *w, const Stmt *s) { return var_name(w, s->u.loop.var); }

/* The walk: statements in order; a loop's bounds belong to the loops around it. */

static void visit_access(Walk *w, int32_t buf, const Expr *index, bool store) {
    if (buf < 0 || buf >= w->k->n_buf) return; /* a matter of the types rule */
    Access a = {buf, index, store, NULL, w->n_loop};
    if (w->rule->access) {
        a.loop = w->loop;
        w->rule->access(w, &a);
    }
    if (!w->rule->whole) return;
    const Stmt **loop = NEW_ARRAY(w->arena, const Stmt *, w->n_loop);
    for (int32_t i = 0; i < w->n_loop; i++) loop[i] = w->loop[i];
    a.loop = loop;
    PUSH(w->arena, w->access, w->n_access, w->cap_access, a);
}

static void visit_expr(Walk *w, const Expr *e) {
    if (w->rule->expr) w->rule->expr(w, e);
    if (w->broken) return;
    if (e->kind == EX_load) visit_access(w, e->buf, e->a[0], false);
    for (int32_t i = 0; i < expr_info[e->kind].n; i++) visit_expr(w, e->a[i]);
}

static void visit_stmt(Walk *w, const Stmt *s);

static void visit_for(Walk *w, const Stmt *s) {
    visit_expr(w, s->u.loop.lo);
    visit_expr(w, s->u.loop.hi);
    bool top = w->top;
    w->top = top && s->u.loop.mode == LOOP_PARALLEL;
    PUSH(w->arena, w->loop, w->n_loop, w->cap_loop, s);
    visit_stmt(w, s->u.loop.body);
    w->n_loop--;
    w->top = top;
}

static void visit_guard(Walk *w, const Stmt *s) {
    bool top = w->top;
    visit_expr(w, s->u.guard.cond);
    w->top = false;
    w->guards++;
    visit_stmt(w, s->u.guard.body);
    w->guards--;
    w->top = top;
}

static void visit_seq(Walk *w, const Stmt *s) {
    for (int32_t i = 0; i < s->u.seq.n; i++) visit_stmt(w, s->u.seq.item[i]);
}

static void visit_stmt(Walk *w, const Stmt *s) {
    if (w->rule->stmt) w->rule->stmt(w, s);
    if (w->broken) return;
    switch (s->kind) {
    case ST_FOR: visit_for(w, s); break;
    case ST_GUARD: visit_guard(w, s); break;
    case ST_SEQ: visit_seq(w, s); break;
    case ST_PREFETCH: visit_expr(w, s->u.prefetch.index); break;
    case ST_STORE:
        visit_access(w, s->u.store.buf, s->u.store.index, true);
        visit_expr(w, s->u.store.index);
        visit_expr(w, s->u.store.value);
        break;
    }
}

/* buffers: names are unique, arguments first and counted, sizes positive, scratch small enough for a stack. */
static void rule_buffers(Walk *w) {
    const Kernel *k = w->k;
    int64_t scratch = 0, bytes = 0;
    for (int32_t i = 0; i < k->n_buf; i++) {
        const Buf *b = &k->buf[i];
        for (int32_t j = 0; j < i; j++)
            if (k->buf[j].name == b->name) broken(w, "two buffers are named %s", b->name);
        if ((b->cls == BUF_ARG) != (i < k->n_arg)) broken(w, "%s is not where arguments or locals belong", b->name);
        if (b->batched && b->cls != BUF_ARG) broken(w, "%s is batched but no argument", b->name);
        if (b->elements <= 0) broken(w, "%s has no elements", b->name);
        if (b->cls == BUF_ARG) continue;
        bool fits = mul_ok(b->elements, dtype_bytes[b->dtype], &bytes) && add_ok(scratch, bytes, &scratch);
        if (!fits || scratch > LOCAL_BYTES) broken(w, "scratch up to %s exceeds %d bytes", b->name, LOCAL_BYTES);
    }
}

static void rule_variables(Walk *w) {
    for (int32_t i = 0; i < w->k->n_var; i++)
        for (int32_t j = 0; j < i; j++)
            if (w->k->var[i] == w->k->var[j]) broken(w, "two variables are named %s", w->k->var[i]);
}

/* types: what each expression is follows from its operands, its buffer and its constant. */
static bool constant_ok(const Expr *e) {
    if (e->kind == EX_int) return e->type == ET_INT || (e->type == ET_BOOL && (e->i == 0 || e->i == 1));
    return e->kind != EX_float || e->f == (double)(float)e->f || e->f != e->f; /* NaN is a float */
}

static ExprType type_due(const Walk *w, const Expr *e) {
    const ExprInfo *info = &expr_info[e->kind];
    if (info->result == ET_SAME) return e->a[info->n - 1]->type;
    if (info->result == ET_LOADED) return dtype_real(w->k->buf[e->buf].dtype) ? ET_FLOAT : ET_INT;
    return e->kind == EX_int ? e->type : info->result;
}

static void rule_expr_types(Walk *w, const Expr *e) {
    const char *name = expr_info[e->kind].name;
    if (e->kind == EX_load && (e->buf < 0 || e->buf >= w->k->n_buf))
        broken(w, "a load names no buffer");
    else if (!constant_ok(e))
        broken(w, "a constant %s does not fit its type", name);
    else if (!ex_accepts(e->kind, e->a))
        broken(w, "an operand of %s", name);
    else if (e->type != type_due(w, e))
        broken(w, "the result of %s", name);
}

static void rule_stmt_types(Walk *w, const Stmt *s) {
    if (s->kind == ST_FOR && (s->u.loop.lo->type != ET_INT || s->u.loop.hi->type != ET_INT))
        broken(w, "a bound of loop %s", loop_name(w, s));
    if (s->kind == ST_GUARD && s->u.guard.cond->type != ET_BOOL) broken(w, "a guard's condition");
    if (s->kind == ST_PREFETCH &&
        (s->u.prefetch.buf < 0 || s->u.prefetch.buf >= w->k->n_arg || s->u.prefetch.index->type != ET_INT))
        broken(w, "a prefetch of no argument");
    if (s->kind != ST_STORE) return;
    if (s->u.store.buf < 0 || s->u.store.buf >= w->k->n_buf) {
        broken(w, "a store names no buffer");
        return;
    }
    const Buf *b = &w->k->buf[s->u.store.buf];
    ExprType due = dtype_real(b->dtype) ? ET_FLOAT : ET_INT;
    if (s->u.store.index->type != ET_INT || s->u.store.value->type != due) broken(w, "a store to %s", b->name);
}

static void rule_divisors(Walk *w, const Expr *e) {
    int64_t d;
    if ((e->kind != EX_div && e->kind != EX_mod) || e->type != ET_INT) return;
    if (!ex_is_int(e->a[1], &d) || d <= 0) broken(w, "%s by what is no positive constant", expr_info[e->kind].name);
}

static void rule_written(Walk *w, const Stmt *s) {
    if (s->kind == ST_STORE && !w->k->buf[s->u.store.buf].written)
        broken(w, "%s is stored to but not marked as written", w->k->buf[s->u.store.buf].name);
}

/* scope: a variable is used only inside a loop that runs it, and no loop inside runs it again. */
static const Stmt *running(const Walk *w, int64_t var) {
    for (int32_t i = w->n_loop - 1; i >= 0; i--)
        if (w->loop[i]->u.loop.var == var) return w->loop[i];
    return NULL;
}

static void rule_scope(Walk *w, const Expr *e) {
    if (e->kind == EX_var && !running(w, e->i)) broken(w, "%s is used outside its loop", var_name(w, e->i));
}

static void rule_shadow(Walk *w, const Stmt *s) {
    if (s->kind != ST_FOR) return;
    if (s->u.loop.var < 0 || s->u.loop.var >= w->k->n_var) broken(w, "a loop has no variable");
    if (running(w, s->u.loop.var)) broken(w, "a loop inside loop %s runs the same variable", loop_name(w, s));
}

/* extent: loops that are expanded have a constant number of iterations. */
static bool constant_extent(const Stmt *s) {
    Sum extent = {0};
    return sum_add(&extent, s->u.loop.hi, 1) && sum_add(&extent, s->u.loop.lo, -1) && extent.n == 0;
}

static bool expanded(const Stmt *s) { return s->u.loop.mode == LOOP_VECTOR || s->u.loop.mode == LOOP_UNROLL; }

static void rule_extent(Walk *w, const Stmt *s) {
    if (s->kind == ST_FOR && expanded(s) && !constant_extent(s))
        broken(w, "%s loop %s has no constant extent", loop_mode_name[s->u.loop.mode], loop_name(w, s));
}

static void rule_vector(Walk *w, const Stmt *s) {
    if (s->kind != ST_FOR || (s->u.loop.mode != LOOP_VECTOR && s->u.loop.mode != LOOP_PARALLEL)) return;
    for (int32_t i = 0; i < w->n_loop; i++)
        if (w->loop[i]->u.loop.mode == LOOP_VECTOR)
            broken(w, "vector loop %s holds %s loop %s", loop_name(w, w->loop[i]), loop_mode_name[s->u.loop.mode],
                   loop_name(w, s));
}

/* blas: what a library computes is a product of matrices. */
static void rule_blas(Walk *w, const Stmt *s) {
    Product p;
    if (s->kind == ST_FOR && s->u.loop.mode == LOOP_BLAS && !product_of(w->k, s, &p))
        broken(w, "loop %s is no product of matrices", loop_name(w, s));
}

/* tasks: there are only sequences and other PARALLEL loops around a PARALLEL loop, and how many iterations it has
 * depends on N only. So a step's tasks can be counted before it runs. */
static bool mentions_var(const Expr *e) {
    if (e->kind == EX_var || e->kind == EX_load) return true;
    for (int32_t i = 0; i < expr_info[e->kind].n; i++)
        if (mentions_var(e->a[i])) return true;
    return false;
}

static void rule_tasks(Walk *w, const Stmt *s) {
    if (s->kind != ST_FOR || s->u.loop.mode != LOOP_PARALLEL) return;
    if (!w->top) broken(w, "parallel loop %s is not part of the nest at the top", loop_name(w, s));
    if (mentions_var(s->u.loop.lo) || mentions_var(s->u.loop.hi))
        broken(w, "a bound of parallel loop %s is not known beforehand", loop_name(w, s));
}

/* bounds: accesses whose index has provable bounds stay inside the buffer. What a guard protects, or what depends on
 * loaded numbers, is left to the interpreter. */
static void rule_bounds(Walk *w, const Access *a) {
    const Buf *b = &w->k->buf[a->buf];
    Sum s = {0};
    if (w->guards || !sum_add(&s, a->index, 1)) return;
    Bound low = bound_lower(a->loop, a->n_loop, &s), high = bound_upper(a->loop, a->n_loop, &s);
    int64_t per_picture = b->batched ? b->elements : 0, first, last; /* the last two of one picture, N = 1 */
    if (low.known && (low.n < 0 || !add_ok(low.n, low.c, &first) || first < 0))
        broken(w, "%s[] may begin at %lld*N + %lld", b->name, (long long)low.n, (long long)low.c);
    if (high.known && (high.n > per_picture || !add_ok(high.n, high.c, &last) || last >= b->elements))
        broken(w, "%s[] may reach %lld*N + %lld of %lld elements", b->name, (long long)high.n, (long long)high.c,
               (long long)b->elements);
}

/* registers: an index of a REG buffer depends only on loops that are expanded, or will be: LANE loops become vectors.
 * Without the role this would not hold before the passes that set modes have run. */
static bool becomes_constant(const Walk *w, const Expr *e) {
    if (e->kind == EX_load || e->kind == EX_batch) return false;
    if (e->kind == EX_var) {
        const Stmt *loop = running(w, e->i);
        return loop && (expanded(loop) || loop->u.loop.role == ROLE_LANE) && constant_extent(loop) &&
               becomes_constant(w, loop->u.loop.lo);
    }
    for (int32_t i = 0; i < expr_info[e->kind].n; i++)
        if (!becomes_constant(w, e->a[i])) return false;
    return true;
}

static void rule_registers(Walk *w, const Access *a) {
    const Buf *b = &w->k->buf[a->buf];
    if (b->cls == BUF_REG && !becomes_constant(w, a->index))
        broken(w, "an index of %s does not become constant", b->name);
}

/* overlap: two iterations of a PARALLEL loop never meet at an element of an argument to which one of them stores. */
static void check_pair(Walk *w, const Access *a, const Access *b) {
    for (int32_t at = 0; at < a->n_loop && at < b->n_loop && a->loop[at] == b->loop[at]; at++)
        if (a->loop[at]->u.loop.mode == LOOP_PARALLEL && accesses_meet(a, b, at) == MEET_MAYBE)
            broken(w, "parallel iterations of %s may meet in %s", loop_name(w, a->loop[at]), w->k->buf[a->buf].name);
}

static void rule_overlap(Walk *w) {
    for (int32_t i = 0; i < w->n_access; i++) {
        const Access *a = &w->access[i];
        if (!a->store || w->k->buf[a->buf].cls != BUF_ARG) continue;
        for (int32_t j = 0; j < w->n_access && !w->broken; j++)
            if (w->access[j].buf == a->buf && (j >= i || !w->access[j].store)) check_pair(w, a, &w->access[j]);
    }
}

/* In this order: a rule may rely on those above it. */
static const Rule rule_table[] = {
    {.name = "buffers", .tables = rule_buffers},
    {.name = "variables", .tables = rule_variables},
    {.name = "types", .stmt = rule_stmt_types, .expr = rule_expr_types},
    {.name = "divisors", .expr = rule_divisors},
    {.name = "written", .stmt = rule_written},
    {.name = "shadow", .stmt = rule_shadow},
    {.name = "scope", .expr = rule_scope},
    {.name = "extent", .stmt = rule_extent},
    {.name = "vector", .stmt = rule_vector},
    {.name = "blas", .stmt = rule_blas},
    {.name = "tasks", .stmt = rule_tasks},
    {.name = "bounds", .access = rule_bounds},
    {.name = "registers", .access = rule_registers},
    {.name = "overlap", .whole = rule_overlap},
};

const char *loop_verify(Arena *a, const Kernel *k) {
    for (int i = 0; i < ARRAY_LEN(rule_table); i++) {
        Walk w = {.arena = a, .k = k, .rule = &rule_table[i], .top = true};
        if (w.rule->tables)
            w.rule->tables(&w);
        else
            visit_stmt(&w, k->body);
        if (w.rule->whole && !w.broken) w.rule->whole(&w);
        if (w.broken) return w.broken;
    }
    return NULL;
}
