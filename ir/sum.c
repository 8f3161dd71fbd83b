#include "sum.h"

#include <string.h>

static bool same_bits(double a, double b) { return memcmp(&a, &b, sizeof a) == 0; }

bool ex_equal(const Expr *a, const Expr *b) {
    if (a == b) return true;
    if (a->kind != b->kind || a->type != b->type || a->i != b->i || a->buf != b->buf || !same_bits(a->f, b->f))
        return false;
    for (int32_t i = 0; i < expr_info[a->kind].n; i++)
        if (!ex_equal(a->a[i], b->a[i])) return false;
    return true;
}

void sum_remove(Sum *s, int32_t i) {
    size_t after = (size_t)(--s->n - i);
    memmove(&s->term[i], &s->term[i + 1], after * sizeof s->term[0]);
    memmove(&s->coef[i], &s->coef[i + 1], after * sizeof s->coef[0]);
}

static bool add_term(Sum *s, const Expr *term, int64_t coef) {
    int32_t i = 0;
    if (coef == 0) return true;
    while (i < s->n && !ex_equal(s->term[i], term)) i++;
    if (i == SUM_MAX || coef == INT64_MIN) return false;
    if (i == s->n) {
        s->term[i] = term;
        s->coef[i] = 0;
        s->n++;
    }
    if (!add_ok(s->coef[i], coef, &s->coef[i]) || s->coef[i] == INT64_MIN) return false;
    if (s->coef[i] == 0) sum_remove(s, i);
    return true;
}

bool sum_add(Sum *s, const Expr *e, int64_t scale) {
    int64_t c;
    switch (e->kind) {
    case EX_int: return mul_ok(e->i, scale, &c) && add_ok(s->constant, c, &s->constant) && s->constant != INT64_MIN;
    case EX_add: return sum_add(s, e->a[0], scale) && sum_add(s, e->a[1], scale);
    case EX_sub: return mul_ok(scale, -1, &c) && sum_add(s, e->a[0], scale) && sum_add(s, e->a[1], c);
    case EX_mul:
        if (ex_is_int(e->a[0], &c)) return mul_ok(scale, c, &c) && sum_add(s, e->a[1], c);
        if (ex_is_int(e->a[1], &c)) return mul_ok(scale, c, &c) && sum_add(s, e->a[0], c);
        return add_term(s, e, scale);
    default: return add_term(s, e, scale);
    }
}

/* The two operands' operation as it stands: sums are where the builders' simplification ends. */
static const Expr *plain(Kernel *k, ExprKind kind, const Expr *a, const Expr *b) {
    Expr *e = NEW(k->arena, Expr);
    *e = (Expr){.kind = kind, .type = ET_INT, .a = {a, b}};
    return e;
}

static const Expr *scaled(Kernel *k, int64_t coef, const Expr *e) {
    return coef == 1 ? e : plain(k, EX_mul, ex_int(k, coef), e);
}

static const Expr *plus(Kernel *k, const Expr *sum, int64_t coef, const Expr *e) {
    if (!sum) return scaled(k, coef, e);
    return coef > 0 ? plain(k, EX_add, sum, scaled(k, coef, e)) : plain(k, EX_sub, sum, scaled(k, -coef, e));
}

/* Begins with something positive if there is any, so that it prints without a leading minus. */
const Expr *sum_build(Kernel *k, const Sum *s) {
    int32_t first = 0;
    while (first < s->n && s->coef[first] < 0) first++;
    const Expr *e = NULL;
    bool lead = first == s->n && s->constant > 0;
    if (first < s->n) e = scaled(k, s->coef[first], s->term[first]);
    if (lead) e = ex_int(k, s->constant);
    for (int32_t i = 0; i < s->n; i++)
        if (i != first) e = plus(k, e, s->coef[i], s->term[i]);
    if (!e) return ex_int(k, s->constant);
    if (lead || s->constant == 0) return e;
    return plain(k, s->constant > 0 ? EX_add : EX_sub, e, ex_int(k, s->constant > 0 ? s->constant : -s->constant));
}

void sum_divide(const Sum *s, int64_t d, Sum *quotient, Sum *rest) {
    *quotient = (Sum){.constant = floor_div(s->constant, d)};
    *rest = (Sum){.constant = floor_mod(s->constant, d)};
    for (int32_t i = 0; i < s->n; i++) {
        bool divides = s->coef[i] % d == 0;
        Sum *to = divides ? quotient : rest;
        to->term[to->n] = s->term[i];
        to->coef[to->n++] = divides ? s->coef[i] / d : s->coef[i];
    }
}

bool sum_within(const Sum *s, int64_t d) {
    int64_t most = s->constant, m, part;
    for (int32_t i = 0; i < s->n; i++) {
        const Expr *t = s->term[i];
        if (t->kind != EX_mod || s->coef[i] < 0 || !ex_is_int(t->a[1], &m) || m <= 0) return false;
        if (!mul_ok(s->coef[i], m - 1, &part) || !add_ok(most, part, &most)) return false;
    }
    return s->constant >= 0 && most < d;
}
