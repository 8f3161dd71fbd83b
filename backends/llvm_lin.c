/* Linear forms: integer expressions as sums over numbers, with ranges, so that what unrolling makes constant is folded
 * and divisions that ranges can decide vanish. */
#include "llvm.h"

#include <string.h>

__extension__ typedef __int128 Wide;

Lin lin_const(int64_t c) { return (Lin){.constant = c}; }

bool lin_is_const(const Lin *a, int64_t *c) {
    *c = a->constant;
    return a->n == 0 && a->lane == 0;
}

bool lin_equal(const Lin *a, const Lin *b) {
    size_t n = (size_t)a->n;
    return a->n == b->n && a->lane == b->lane && a->constant == b->constant &&
           !memcmp(a->num, b->num, n * sizeof a->num[0]) && !memcmp(a->coef, b->coef, n * sizeof a->coef[0]);
}

/* a + b * by; an index that leaves 64 bits is a mistake of whoever made the kernel. */
static int64_t mul_add(int64_t a, int64_t b, int64_t by) {
    int64_t product, sum;
    ICE_UNLESS(mul_ok(b, by, &product) && add_ok(a, product, &sum), "an index overflows 64 bits");
    return sum;
}

Lin lin_scale(const Lin *a, int64_t by) {
    if (by == 0) return lin_const(0);
    Lin r = *a;
    for (int32_t i = 0; i < r.n; i++) r.coef[i] = mul_add(0, r.coef[i], by);
    r.lane = mul_add(0, r.lane, by);
    r.constant = mul_add(0, r.constant, by);
    return r;
}

/* The terms of `a` as one number. */
static Lin folded(Gen *g, const Lin *a) {
    Lin terms = *a, zero = lin_const(0);
    terms.lane = terms.constant = 0;
    int64_t min, max;
    lin_range(g, &terms, &min, &max);
    Lin r = lin_opaque(g, EX_add, &terms, &zero, min, max);
    r.lane = a->lane;
    r.constant = a->constant;
    return r;
}

static void append(Lin *r, int32_t num, int64_t coef) {
    if (coef == 0) return;
    r->num[r->n] = num;
    r->coef[r->n++] = coef;
}

Lin lin_add(Gen *g, const Lin *a, const Lin *b, int64_t by) {
    Lin fa = a->n + b->n > LIN_MAX ? folded(g, a) : *a, fb = fa.n + b->n > LIN_MAX ? folded(g, b) : *b;
    Lin r = {.lane = mul_add(fa.lane, fb.lane, by), .constant = mul_add(fa.constant, fb.constant, by)};
    for (int32_t i = 0, j = 0; i < fa.n || j < fb.n;) {
        if (j == fb.n || (i < fa.n && fa.num[i] < fb.num[j])) {
            append(&r, fa.num[i], fa.coef[i]);
            i++;
        } else if (i == fa.n || fb.num[j] < fa.num[i]) {
            append(&r, fb.num[j], mul_add(0, fb.coef[j], by));
            j++;
        } else {
            append(&r, fa.num[i], mul_add(fa.coef[i], fb.coef[j], by));
            i++;
            j++;
        }
    }
    return r;
}

static int64_t clamp(Wide x) { return x < INT64_MIN ? INT64_MIN : x > INT64_MAX ? INT64_MAX : (int64_t)x; }

static void range_add(int64_t *min, int64_t *max, int64_t coef, int64_t lo, int64_t hi) {
    int64_t at_min = coef >= 0 ? lo : hi, at_max = coef >= 0 ? hi : lo;
    *min = *min == INT64_MIN ? INT64_MIN : clamp((Wide)*min + (Wide)coef * at_min);
    *max = *max == INT64_MAX ? INT64_MAX : clamp((Wide)*max + (Wide)coef * at_max);
}

void lin_range(const Gen *g, const Lin *a, int64_t *min, int64_t *max) {
    *min = *max = a->constant;
    for (int32_t i = 0; i < a->n; i++) range_add(min, max, a->coef[i], g->num[a->num[i]].min, g->num[a->num[i]].max);
    if (a->lane) range_add(min, max, a->lane, 0, g->lanes - 1);
}

int32_t lin_depth(const Gen *g, const Lin *a) {
    int32_t depth = 0;
    for (int32_t i = 0; i < a->n; i++)
        if (g->num[a->num[i]].depth > depth) depth = g->num[a->num[i]].depth;
    return depth;
}

static int64_t floor_div(int64_t a, int64_t d) { return a / d - (a % d < 0); }

/* a = d * quotient + rest, where the quotient takes every term that d divides and rest.constant is in [0, d). */
static void lin_split(const Lin *a, int64_t d, Lin *quotient, Lin *rest) {
    *quotient = lin_const(floor_div(a->constant, d));
    *rest = lin_const(a->constant - d * quotient->constant);
    for (int32_t i = 0; i < a->n; i++) {
        bool divides = a->coef[i] % d == 0;
        append(divides ? quotient : rest, a->num[i], divides ? a->coef[i] / d : a->coef[i]);
    }
    if (a->lane % d == 0) quotient->lane = a->lane / d;
    else rest->lane = a->lane;
}

/* floor((d*q + r) / d) = q + floor(r / d), and the remainder is that of r: exact for all integers. */
static bool divide(Gen *g, ExprKind kind, const Lin *a, int64_t d, Lin *out) {
    Lin quotient, rest, divisor = lin_const(d);
    int64_t min, max;
    ICE_UNLESS(d > 0, "kernel %s divides by %lld", g->k->name, (long long)d);
    lin_split(a, d, &quotient, &rest);
    lin_range(g, &rest, &min, &max);
    if (min >= 0 && max < d) {
        *out = kind == EX_div ? quotient : rest;
        return true;
    }
    if (rest.lane) return false;
    if (kind == EX_mod) {
        *out = lin_opaque(g, EX_mod, &rest, &divisor, 0, d - 1);
        return true;
    }
    Lin q = lin_opaque(g, EX_div, &rest, &divisor, floor_div(min, d), floor_div(max, d));
    *out = lin_add(g, &quotient, &q, 1);
    return true;
}

static bool linear_div(Gen *g, const Expr *e, const Lin *a, const Lin *b, Lin *out) {
    int64_t d;
    if (lin_is_const(b, &d)) return divide(g, e->kind, a, d, out);
    if (a->lane || b->lane) return false;
    *out = lin_opaque(g, e->kind, a, b, INT64_MIN, INT64_MAX);
    return true;
}

static bool linear_sum(Gen *g, const Expr *e, const Lin *a, const Lin *b, Lin *out) {
    *out = lin_add(g, a, b, e->kind == EX_add ? 1 : -1);
    return true;
}

static bool linear_mul(Gen *g, const Expr *e, const Lin *a, const Lin *b, Lin *out) {
    int64_t c, a_min, a_max, b_min, b_max;
    if (lin_is_const(b, &c)) return *out = lin_scale(a, c), true;
    if (lin_is_const(a, &c)) return *out = lin_scale(b, c), true;
    if (a->lane || b->lane) return false;
    lin_range(g, a, &a_min, &a_max);
    lin_range(g, b, &b_min, &b_max);
    bool known = a_min >= 0 && b_min >= 0;
    *out = lin_opaque(g, e->kind, a, b, known ? 0 : INT64_MIN, known ? clamp((Wide)a_max * b_max) : INT64_MAX);
    return true;
}

static bool linear_min(Gen *g, const Expr *e, const Lin *a, const Lin *b, Lin *out) {
    int64_t min, max, a_min, a_max, b_min, b_max;
    bool is_min = e->kind == EX_min;
    Lin d = lin_add(g, a, b, -1);
    lin_range(g, &d, &min, &max);
    if (max <= 0 || min >= 0) {
        *out = (max <= 0) == is_min ? *a : *b;
        return true;
    }
    if (a->lane || b->lane) return false;
    lin_range(g, a, &a_min, &a_max);
    lin_range(g, b, &b_min, &b_max);
    *out = is_min ? lin_opaque(g, e->kind, a, b, min_i64(a_min, b_min), min_i64(a_max, b_max))
                  : lin_opaque(g, e->kind, a, b, max_i64(a_min, b_min), max_i64(a_max, b_max));
    return true;
}

typedef bool LinearRule(Gen *g, const Expr *e, const Lin *a, const Lin *b, Lin *out);
static LinearRule *const linear_rule[EX_COUNT] = {
    [EX_add] = linear_sum, [EX_sub] = linear_sum, [EX_mul] = linear_mul, [EX_div] = linear_div,
    [EX_mod] = linear_div, [EX_min] = linear_min, [EX_max] = linear_min,
};

/* A loaded or selected integer: a number made where the builder stands. */
static bool linear_here(Gen *g, const Expr *e, Lin *out) {
    if (llvm_by_lanes(g) && uses_lane(g, e)) return false;
    int64_t min = INT64_MIN, max = INT64_MAX;
    if (e->kind == EX_load) {
        bool is_u8 = g->k->buf[e->buf].dtype == DT_U8;
        min = is_u8 ? 0 : INT32_MIN;
        max = is_u8 ? UINT8_MAX : INT32_MAX;
    }
    Val v = gen_expr(g, e);
    *out = lin_const(0);
    append(out, num_new(g, v.v, DEPTH_HERE, min, max), 1);
    return true;
}

static bool linear_var(const Gen *g, const Expr *e, Lin *out) {
    *out = g->bind[e->i];
    if (e->i != g->lane_var) return true;
    *out = lin_const(g->lane_from);
    if (g->lane_at >= 0) out->constant += g->lane_at;
    else out->lane = 1;
    return true;
}

bool lin_of(Gen *g, const Expr *e, Lin *out) {
    Lin a, b;
    switch (e->kind) {
    case EX_int: return *out = lin_const(e->i), true;
    case EX_var: return linear_var(g, e, out);
    case EX_batch: *out = lin_const(0); append(out, g->batch, 1); return true;
    case EX_select: {
        int known = lin_decide(g, e->a[0]);
        return known < 0 ? linear_here(g, e, out) : lin_of(g, known ? e->a[1] : e->a[2], out);
    }
    case EX_load: return linear_here(g, e, out);
    default: break;
    }
    LinearRule *rule = linear_rule[e->kind];
    ICE_UNLESS(rule && e->type == ET_INT, "kernel %s: %s is no integer", g->k->name, expr_info[e->kind].name);
    return lin_of(g, e->a[0], &a) && lin_of(g, e->a[1], &b) && rule(g, e, &a, &b, out);
}

static bool has_load(const Expr *e) {
    if (e->kind == EX_load) return true;
    for (int32_t i = 0; i < expr_info[e->kind].n; i++)
        if (has_load(e->a[i])) return true;
    return false;
}

static int decide_compare(Gen *g, const Expr *e) {
    Lin a, b;
    int64_t min, max;
    if (e->a[0]->type != ET_INT || has_load(e) || !lin_of(g, e->a[0], &a) || !lin_of(g, e->a[1], &b)) return -1;
    Lin d = lin_add(g, &b, &a, -1);
    lin_range(g, &d, &min, &max);
    if (e->kind == EX_eq) return min == 0 && max == 0 ? 1 : min > 0 || max < 0 ? 0 : -1;
    int64_t least = e->kind == EX_lt;
    return min >= least ? 1 : max < least ? 0 : -1;
}

int lin_decide(Gen *g, const Expr *cond) {
    if (cond->kind == EX_int) return cond->i != 0;
    if (cond->kind != EX_and) return cond->kind == EX_select || cond->kind == EX_load ? -1 : decide_compare(g, cond);
    int a = lin_decide(g, cond->a[0]), b = lin_decide(g, cond->a[1]);
    return a == 0 || b == 0 ? 0 : a == 1 && b == 1 ? 1 : -1;
}
