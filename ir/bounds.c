#include "bounds.h"

enum { FUEL = 2000 }; /* steps for one bound: each minimum or maximum doubles the work */

typedef struct Search {
    const Stmt *const *loop;
    int32_t n_loop;
    int fuel;
} Search;

static const Bound unknown = {0};

static Bound upper(Search *r, Sum s);

static Bound lower(Search *r, const Sum *s) {
    Sum minus = *s;
    for (int32_t i = 0; i < s->n; i++) minus.coef[i] = -s->coef[i];
    minus.constant = -s->constant;
    Bound b = upper(r, minus);
    return (Bound){b.known, -b.n, -b.c};
}

/* Of two upper bounds that both hold, the better one. */
static Bound tighter(Bound a, Bound b) {
    if (!a.known || !b.known) return a.known ? a : b;
    return a.n < b.n || (a.n == b.n && a.c <= b.c) ? a : b;
}

/* An upper bound of both for all N >= 1: the steeper slope through the higher of the two at N = 1. */
static Bound looser(Bound a, Bound b) {
    int64_t at_a, at_b, n = max_i64(a.n, b.n), c;
    if (!a.known || !b.known || !add_ok(a.n, a.c, &at_a) || !add_ok(b.n, b.c, &at_b)) return unknown;
    return add_ok(max_i64(at_a, at_b), -n, &c) ? (Bound){true, n, c} : unknown;
}

/* The loop that runs a variable: its place in the nest, or -1. */
static int32_t depth_of(const Search *r, const Expr *var) {
    int32_t i = r->n_loop - 1;
    while (i >= 0 && r->loop[i]->u.loop.var != var->i) i--;
    return i;
}

/* What to eliminate next: anything complicated, then the innermost variable; -1 if only N is left. */
static int32_t next_term(const Search *r, const Sum *s) {
    int32_t best = -1, best_depth = -1;
    for (int32_t i = 0; i < s->n; i++) {
        if (s->term[i]->kind == EX_batch) continue;
        if (s->term[i]->kind != EX_var) return i;
        int32_t depth = depth_of(r, s->term[i]);
        if (best < 0 || depth > best_depth) {
            best = i;
            best_depth = depth;
        }
    }
    return best;
}

static Bound with(Search *r, Sum s, const Expr *e, int64_t coef, int64_t constant) {
    if (e && !sum_add(&s, e, coef)) return unknown;
    if (!add_ok(s.constant, constant, &s.constant) || s.constant == INT64_MIN) return unknown;
    return upper(r, s);
}

static Bound with_var(Search *r, const Sum *s, const Expr *var, int64_t c) {
    int32_t depth = depth_of(r, var);
    if (depth < 0) return unknown;
    const Stmt *loop = r->loop[depth];
    return c > 0 ? with(r, *s, loop->u.loop.hi, c, -c) : with(r, *s, loop->u.loop.lo, c, 0);
}

/* c * min(a, b) is at most both c*a and c*b when c > 0, at most one of them when c < 0; max the other way round. */
static Bound with_either(Search *r, const Sum *s, const Expr *e, int64_t c) {
    int first = e->kind == EX_select ? 1 : 0;
    Bound a = with(r, *s, e->a[first], c, 0), b = with(r, *s, e->a[first + 1], c, 0);
    return e->kind != EX_select && (e->kind == EX_min) == (c > 0) ? tighter(a, b) : looser(a, b);
}

static bool positive_divisor(const Expr *e, int64_t *d, Sum *dividend) {
    *dividend = (Sum){0};
    return ex_is_int(e->a[1], d) && *d > 0 && sum_add(dividend, e->a[0], 1);
}

static Bound with_quotient(Search *r, const Sum *s, const Expr *e, int64_t c) {
    static const Expr batch = {.kind = EX_batch, .type = ET_INT};
    int64_t d, add;
    Sum x, t = *s;
    if (!positive_divisor(e, &d, &x)) return unknown;
    Bound b = c > 0 ? upper(r, x) : lower(r, &x);
    if (!b.known || b.n % d || !mul_ok(floor_div(b.c, d), c, &add) || !mul_ok(b.n / d, c, &b.n)) return unknown;
    return sum_add(&t, &batch, b.n) ? with(r, t, NULL, 0, add) : unknown;
}

/* A remainder of something that is in [0, d) anyway is that something itself. */
static Bound with_remainder(Search *r, const Sum *s, const Expr *e, int64_t c) {
    int64_t d, add;
    Sum x;
    if (!positive_divisor(e, &d, &x)) return unknown;
    Bound low = lower(r, &x), high = upper(r, x);
    bool in_range = low.known && low.n == 0 && low.c >= 0 && high.known && high.n == 0 && high.c < d;
    if (in_range) return with(r, *s, e->a[0], c, 0);
    if (!mul_ok(c > 0 ? d - 1 : 0, c, &add)) return unknown;
    return with(r, *s, NULL, 0, add);
}

static Bound upper(Search *r, Sum s) {
    if (r->fuel-- <= 0) return unknown;
    int32_t i = next_term(r, &s);
    if (i < 0) return (Bound){true, s.n ? s.coef[0] : 0, s.constant};
    const Expr *term = s.term[i];
    int64_t c = s.coef[i];
    sum_remove(&s, i);
    switch (term->kind) {
    case EX_var: return with_var(r, &s, term, c);
    case EX_min:
    case EX_max:
    case EX_select: return with_either(r, &s, term, c);
    case EX_div: return with_quotient(r, &s, term, c);
    case EX_mod: return with_remainder(r, &s, term, c);
    default: return unknown;
    }
}

Bound bound_upper(const Stmt *const *loop, int32_t n_loop, const Sum *s) {
    return upper(&(Search){loop, n_loop, FUEL}, *s);
}

Bound bound_lower(const Stmt *const *loop, int32_t n_loop, const Sum *s) {
    return lower(&(Search){loop, n_loop, FUEL}, s);
}
