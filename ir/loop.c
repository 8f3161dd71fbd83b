#include "loop.h"

#include <ctype.h>
#include <string.h>

#include "diag.h"
#include "sum.h"

const ExprInfo expr_info[EX_COUNT] = {
#define EXPR(id, n, result) [EX_##id] = {#id, n, ET_##result},
#include "exprs.def"
#undef EXPR
};

const char *const loop_mode_name[LOOP_MODE_COUNT] = {"serial", "parallel", "vector", "unroll", "blas"};
const char *const loop_role_name[ROLE_COUNT] = {"none", "task", "lane", "block", "point", "reduce", "tap"};
const char *const buf_class_name[BUF_CLASS_COUNT] = {"arg", "local", "reg"};

/* Kernels, buffers, variables. */

Kernel *kernel_new(Arena *a, Name name) {
    Kernel *k = NEW(a, Kernel);
    k->arena = a;
    k->name = name;
    k->body = st_seq(k);
    return k;
}

/* Words of the text format that a name alone could be mistaken for. */
static bool reserved(const char *name) {
    static const char *const word[] = {"N", "true", "false", "inf", "nan", "for", "if", "in", "batched", "written"};
    for (int i = 0; i < ARRAY_LEN(word); i++)
        if (!strcmp(name, word[i])) return true;
    return false;
}

static size_t without_number(const char *name) {
    size_t n = strlen(name), end = n;
    while (end && isdigit((unsigned char)name[end - 1])) end--;
    return end > 1 && end < n && name[end - 1] == '_' ? end - 1 : n;
}

static bool buf_taken(const Kernel *k, Name name) {
    for (int32_t i = 0; i < k->n_buf; i++)
        if (k->buf[i].name == name) return true;
    return false;
}

static bool var_taken(const Kernel *k, Name name) {
    for (int32_t i = 0; i < k->n_var; i++)
        if (k->var[i] == name) return true;
    return false;
}

/* `wish` if it is free, else the first free of wish_1, wish_2, ...; a copy of ow_1 is ow_2, not ow_1_1. */
static Name unique(const Kernel *k, const char *wish, bool (*taken)(const Kernel *, Name)) {
    Name name = name_of(wish);
    size_t stem = without_number(wish);
    for (int i = 1; reserved(name) || taken(k, name); i++) name = name_format("%.*s_%d", (int)stem, wish, i);
    return name;
}

int32_t kernel_add_buf(Kernel *k, Name name, BufClass cls, DType dtype, int64_t elements, bool batched) {
    ICE_UNLESS(cls != BUF_ARG || k->n_arg == k->n_buf, "kernel %s: argument %s after a local buffer", k->name, name);
    ICE_UNLESS(cls == BUF_ARG || !batched, "kernel %s: buffer %s is batched but no argument", k->name, name);
    ICE_UNLESS(elements > 0, "kernel %s: buffer %s is empty", k->name, name);
    Buf b = {.name = unique(k, name, buf_taken), .cls = cls, .dtype = dtype, .elements = elements, .batched = batched};
    PUSH(k->arena, k->buf, k->n_buf, k->cap_buf, b);
    if (cls == BUF_ARG) k->n_arg++;
    return k->n_buf - 1;
}

static int64_t scratch_bytes(const Buf *b) {
    int64_t bytes = b->elements * dtype_bytes[b->dtype];
    return b->cls == BUF_LOCAL && bytes > STACK_BYTES ? round_up(bytes, 64) : 0;
}

int64_t kernel_scratch(const Kernel *k, int32_t buf) {
    int64_t at = 0;
    if (buf < k->n_buf && !scratch_bytes(&k->buf[buf])) return -1;
    for (int32_t i = 0; i < buf; i++) at += scratch_bytes(&k->buf[i]);
    return at;
}

int32_t kernel_add_var(Kernel *k, const char *name) {
    Name free_name = unique(k, name, var_taken);
    PUSH(k->arena, k->var, k->n_var, k->cap_var, free_name);
    return k->n_var - 1;
}

/* Expressions. */

/* What each operand must be: i INT, f FLOAT, b BOOL, s INT or FLOAT like the last operand, t any type like the last. */
static const char operand_types[EX_COUNT][4] = {
    [EX_load] = "i", [EX_add] = "ss",     [EX_sub] = "ss",    [EX_mul] = "ss",   [EX_div] = "ss",
    [EX_mod] = "ii", [EX_min] = "ss",     [EX_max] = "ss",    [EX_fma] = "fff",  [EX_sqrt] = "f", [EX_rsqrt] = "f",
    [EX_exp] = "f",  [EX_log] = "f",      [EX_expm1] = "f",    [EX_sigmoid] = "f", [EX_tanh] = "f", [EX_erf] = "f",      [EX_lt] = "ss",     [EX_le] = "ss",    [EX_eq] = "ss",
    [EX_and] = "bb", [EX_select] = "btt", [EX_tofloat] = "i", [EX_random] = "i",
};

static bool accepts_one(char want, ExprType type, ExprType last) {
    switch (want) {
    case 'i': return type == ET_INT;
    case 'f': return type == ET_FLOAT;
    case 'b': return type == ET_BOOL;
    case 's': return type == last && type != ET_BOOL;
    default: return type == last;
    }
}

bool ex_accepts(ExprKind kind, const Expr *const *a) {
    int32_t n = expr_info[kind].n;
    for (int32_t i = 0; i < n; i++)
        if (!accepts_one(operand_types[kind][i], a[i]->type, a[n - 1]->type)) return false;
    return true;
}

static void check_operation(const Kernel *k, ExprKind kind, int32_t n, const Expr *const *a) {
    const ExprInfo *info = &expr_info[kind];
    ICE_UNLESS(info->n == n, "kernel %s: %s takes %d operands, not %d", k->name, info->name, info->n, n);
    ICE_UNLESS(ex_accepts(kind, a), "kernel %s: an operand of %s has the wrong type", k->name, info->name);
}

static Expr *node(Kernel *k, ExprKind kind, ExprType type) {
    Expr *e = NEW(k->arena, Expr);
    e->kind = kind;
    e->type = type;
    return e;
}

static const Expr *operation(Kernel *k, ExprKind kind, const Expr *const *a) {
    int32_t n = expr_info[kind].n;
    ExprType result = expr_info[kind].result;
    Expr *e = node(k, kind, result == ET_SAME ? a[n - 1]->type : result);
    memcpy(e->a, a, (size_t)n * sizeof *a);
    return e;
}

static const Expr *binary(Kernel *k, ExprKind kind, const Expr *a, const Expr *b) {
    return operation(k, kind, (const Expr *const[]){a, b});
}

const Expr *ex_int(Kernel *k, int64_t i) {
    Expr *e = node(k, EX_int, ET_INT);
    e->i = i;
    return e;
}

static const Expr *ex_bool(Kernel *k, bool b) {
    Expr *e = node(k, EX_int, ET_BOOL);
    e->i = b;
    return e;
}

const Expr *ex_float(Kernel *k, double f) {
    Expr *e = node(k, EX_float, ET_FLOAT);
    e->f = (double)(float)f;
    return e;
}

const Expr *ex_var(Kernel *k, int32_t var) {
    ICE_UNLESS(var >= 0 && var < k->n_var, "kernel %s has no variable %d", k->name, var);
    Expr *e = node(k, EX_var, ET_INT);
    e->i = var;
    return e;
}

const Expr *ex_batch(Kernel *k) { return node(k, EX_batch, ET_INT); }

const Expr *ex_load(Kernel *k, int32_t buf, const Expr *index) {
    ICE_UNLESS(buf >= 0 && buf < k->n_buf, "kernel %s has no buffer %d", k->name, buf);
    Expr *e = node(k, EX_load, dtype_real(k->buf[buf].dtype) ? ET_FLOAT : ET_INT);
    e->buf = buf;
    e->a[0] = index;
    return e;
}

const Expr *ex_random(Kernel *k, int64_t site, const Expr *index) {
    Expr *e = node(k, EX_random, ET_FLOAT);
    e->i = site;
    e->a[0] = index;
    return e;
}

bool ex_is_int(const Expr *e, int64_t *value) {
    if (e->kind != EX_int) return false;
    *value = e->i;
    return true;
}

/* Integer arithmetic. */

static const Expr *int_add(Kernel *k, ExprKind kind, const Expr *a, const Expr *b) {
    Sum s = {0};
    if (!sum_add(&s, a, 1) || !sum_add(&s, b, kind == EX_add ? 1 : -1)) return binary(k, kind, a, b);
    return sum_build(k, &s);
}

static const Expr *int_mul(Kernel *k, ExprKind kind, const Expr *a, const Expr *b) {
    int64_t c;
    Sum s = {0};
    if ((ex_is_int(a, &c) && sum_add(&s, b, c)) || (ex_is_int(b, &c) && sum_add(&s, a, c))) return sum_build(k, &s);
    return binary(k, kind, a, b);
}

/* floor((d*q + r) / d) = q + floor(r / d) and (d*q + r) mod d = r mod d for all integers. */
static const Expr *int_div(Kernel *k, ExprKind kind, const Expr *a, const Expr *b) {
    int64_t d;
    Sum s = {0}, quotient, rest;
    if (!ex_is_int(b, &d) || d <= 0 || !sum_add(&s, a, 1)) return binary(k, kind, a, b);
    sum_divide(&s, d, &quotient, &rest);
    if (sum_within(&rest, d)) return sum_build(k, kind == EX_div ? &quotient : &rest);
    const Expr *inner = binary(k, kind, sum_build(k, &rest), b);
    return kind == EX_mod ? inner : int_add(k, EX_add, sum_build(k, &quotient), inner);
}

/* Is a - b constant? Then so is how they compare. */
static bool constant_difference(const Expr *a, const Expr *b, int64_t *d) {
    Sum s = {0};
    if (!sum_add(&s, a, 1) || !sum_add(&s, b, -1) || s.n) return false;
    *d = s.constant;
    return true;
}

static const Expr *int_min(Kernel *k, ExprKind kind, const Expr *a, const Expr *b) {
    int64_t d;
    if (!constant_difference(a, b, &d)) return binary(k, kind, a, b);
    return (d <= 0) == (kind == EX_min) ? a : b;
}

static const Expr *int_compare(Kernel *k, ExprKind kind, const Expr *a, const Expr *b) {
    int64_t d;
    if (!constant_difference(a, b, &d)) return binary(k, kind, a, b);
    return ex_bool(k, kind == EX_lt ? d < 0 : kind == EX_le ? d <= 0 : d == 0);
}

static const Expr *bool_and(Kernel *k, ExprKind kind, const Expr *a, const Expr *b) {
    int64_t c;
    if (ex_is_int(a, &c)) return c ? b : a;
    if (ex_is_int(b, &c)) return c ? a : b;
    return binary(k, kind, a, b);
}

typedef const Expr *Fold(Kernel *, ExprKind, const Expr *, const Expr *);
static Fold *const int_fold[EX_COUNT] = {
    [EX_add] = int_add, [EX_sub] = int_add, [EX_mul] = int_mul,    [EX_div] = int_div,    [EX_mod] = int_div,
    [EX_min] = int_min, [EX_max] = int_min, [EX_lt] = int_compare, [EX_le] = int_compare, [EX_eq] = int_compare,
};

const Expr *ex1(Kernel *k, ExprKind kind, const Expr *a) {
    check_operation(k, kind, 1, &a);
    return operation(k, kind, &a);
}

const Expr *ex2(Kernel *k, ExprKind kind, const Expr *a, const Expr *b) {
    check_operation(k, kind, 2, (const Expr *const[]){a, b});
    if (a->type == ET_INT && b->type == ET_INT && int_fold[kind]) return int_fold[kind](k, kind, a, b);
    if (kind == EX_and) return bool_and(k, kind, a, b);
    return binary(k, kind, a, b);
}

const Expr *ex3(Kernel *k, ExprKind kind, const Expr *a, const Expr *b, const Expr *c) {
    check_operation(k, kind, 3, (const Expr *const[]){a, b, c});
    int64_t condition;
    if (kind == EX_select && ex_is_int(a, &condition)) return condition ? b : c;
    return operation(k, kind, (const Expr *const[]){a, b, c});
}

/* Statements. */

static Stmt *statement(Kernel *k, StmtKind kind) {
    Stmt *s = NEW(k->arena, Stmt);
    s->kind = kind;
    return s;
}

Stmt *st_for(Kernel *k, int32_t var, const Expr *lo, const Expr *hi, LoopMode mode, LoopRole role, Stmt *body) {
    ICE_UNLESS(var >= 0 && var < k->n_var, "kernel %s has no variable %d", k->name, var);
    Stmt *s = statement(k, ST_FOR);
    s->u.loop.var = var;
    s->u.loop.lo = lo;
    s->u.loop.hi = hi;
    s->u.loop.mode = mode;
    s->u.loop.role = role;
    s->u.loop.body = body;
    return s;
}

Stmt *st_store(Kernel *k, int32_t buf, const Expr *index, const Expr *value) {
    ICE_UNLESS(buf >= 0 && buf < k->n_buf, "kernel %s has no buffer %d", k->name, buf);
    Stmt *s = statement(k, ST_STORE);
    s->u.store.buf = buf;
    s->u.store.index = index;
    s->u.store.value = value;
    k->buf[buf].written = true;
    return s;
}

Stmt *st_seq(Kernel *k) { return statement(k, ST_SEQ); }

void st_append(Kernel *k, Stmt *seq, Stmt *item) {
    ICE_UNLESS(seq->kind == ST_SEQ, "kernel %s: st_append to a statement that is no sequence", k->name);
    if (item->kind != ST_SEQ) {
        PUSH(k->arena, seq->u.seq.item, seq->u.seq.n, seq->u.seq.cap, item);
        return;
    }
    for (int32_t i = 0; i < item->u.seq.n; i++) st_append(k, seq, item->u.seq.item[i]);
}

Stmt *st_prefetch(Kernel *k, int32_t buf, const Expr *index) {
    ICE_UNLESS(buf >= 0 && buf < k->n_buf, "kernel %s has no buffer %d", k->name, buf);
    Stmt *s = statement(k, ST_PREFETCH);
    s->u.prefetch.buf = buf;
    s->u.prefetch.index = index;
    return s;
}

/* A condition known to be true leaves the body alone, one known to be false leaves an empty sequence. */
Stmt *st_guard(Kernel *k, const Expr *cond, Stmt *body) {
    int64_t known;
    if (ex_is_int(cond, &known)) return known ? body : st_seq(k);
    Stmt *s = statement(k, ST_GUARD);
    s->u.guard.cond = cond;
    s->u.guard.body = body;
    return s;
}

/* Substitution. Operations are built anew, so that what becomes constant folds; what does not change is shared. */

static const Expr *rebuild(Kernel *k, const Expr *e, const Expr *const *a) {
    switch (e->kind) {
    case EX_load: return ex_load(k, e->buf, a[0]);
    case EX_random: return ex_random(k, e->i, a[0]);
    default: break;
    }
    switch (expr_info[e->kind].n) {
    case 1: return ex1(k, e->kind, a[0]);
    case 2: return ex2(k, e->kind, a[0], a[1]);
    default: return ex3(k, e->kind, a[0], a[1], a[2]);
    }
}

const Expr *ex_subst(Kernel *k, const Expr *e, const Expr *const *map) {
    if (e->kind == EX_var) return map[e->i] ? map[e->i] : e;
    const Expr *a[3];
    bool changed = false;
    for (int32_t i = 0; i < expr_info[e->kind].n; i++) {
        a[i] = ex_subst(k, e->a[i], map);
        changed |= a[i] != e->a[i];
    }
    return changed ? rebuild(k, e, a) : e;
}

/* A loop inside `s` may itself run a substituted variable: then it is renamed, which needs another variable. */
static int32_t renamed(const Kernel *k, int32_t var, const Expr *const *map) {
    if (!map[var]) return var;
    ICE_UNLESS(map[var]->kind == EX_var, "kernel %s: substitutes %s, which a loop inside runs", k->name, k->var[var]);
    return (int32_t)map[var]->i;
}

Stmt *st_subst(Kernel *k, const Stmt *s, const Expr *const *map) {
    switch (s->kind) {
    case ST_FOR:
        return st_for(k, renamed(k, s->u.loop.var, map), ex_subst(k, s->u.loop.lo, map), ex_subst(k, s->u.loop.hi, map),
                      s->u.loop.mode, s->u.loop.role, st_subst(k, s->u.loop.body, map));
    case ST_STORE:
        return st_store(k, s->u.store.buf, ex_subst(k, s->u.store.index, map), ex_subst(k, s->u.store.value, map));
    case ST_GUARD: return st_guard(k, ex_subst(k, s->u.guard.cond, map), st_subst(k, s->u.guard.body, map));
    case ST_PREFETCH: return st_prefetch(k, s->u.prefetch.buf, ex_subst(k, s->u.prefetch.index, map));
    case ST_SEQ: break;
    }
    Stmt *copy = st_seq(k);
    for (int32_t i = 0; i < s->u.seq.n; i++) st_append(k, copy, st_subst(k, s->u.seq.item[i], map));
    return copy;
}

/* Uses. */

static void expr_uses(const Expr *e, uint8_t *use) {
    if (e->kind == EX_load) use[e->buf] |= BUF_LOADED;
    for (int32_t i = 0; i < expr_info[e->kind].n; i++) expr_uses(e->a[i], use);
}

void stmt_uses(const Stmt *s, uint8_t *use) {
    switch (s->kind) {
    case ST_FOR:
        stmt_uses(s->u.loop.body, use);
        break;
    case ST_GUARD:
        expr_uses(s->u.guard.cond, use);
        stmt_uses(s->u.guard.body, use);
        break;
    case ST_SEQ:
        for (int32_t i = 0; i < s->u.seq.n; i++) stmt_uses(s->u.seq.item[i], use);
        break;
    case ST_STORE:
        expr_uses(s->u.store.index, use);
        expr_uses(s->u.store.value, use);
        use[s->u.store.buf] |= BUF_STORED;
        break;
    case ST_PREFETCH:
        break;
    }
}

bool stmt_has_tasks(const Stmt *s) {
    if (s->kind == ST_FOR) return s->u.loop.mode == LOOP_PARALLEL;
    for (int32_t i = 0; s->kind == ST_SEQ && i < s->u.seq.n; i++)
        if (stmt_has_tasks(s->u.seq.item[i])) return true;
    return false;
}

/* Affine views. */

static bool affine_insert(Affine *a, int32_t var, int64_t coef) {
    if (a->n == AFFINE_MAX) return false;
    int32_t i = a->n++;
    for (; i > 0 && a->var[i - 1] > var; i--) {
        a->var[i] = a->var[i - 1];
        a->coef[i] = a->coef[i - 1];
    }
    a->var[i] = var;
    a->coef[i] = coef;
    return true;
}

bool affine_of(const Expr *e, Affine *out) {
    Sum s = {0};
    if (e->type != ET_INT || !sum_add(&s, e, 1)) return false;
    *out = (Affine){.constant = s.constant};
    for (int32_t i = 0; i < s.n; i++)
        if (s.term[i]->kind != EX_var || !affine_insert(out, (int32_t)s.term[i]->i, s.coef[i])) return false;
    return true;
}

int64_t affine_coef(const Affine *a, int32_t var) {
    for (int32_t i = 0; i < a->n; i++)
        if (a->var[i] == var) return a->coef[i];
    return 0;
}
