#include "overlap.h"

#include <stdlib.h>

/* The difference of the two indices is coef[0] * d[0] + ... where d[j] is an integer in a known range: for the loop
 * itself the distance of the two iterations, not 0; for a term inside both accesses with the same coefficient, how far
 * apart it is. Sorted by coefficient, and as in a number system: when every coefficient is larger than all that the
 * smaller terms can add up to, the sum is 0 only if every d[j] is. Terms below the loop's own need not be like that
 * among themselves. */

enum { TERMS_MAX = 2 * SUM_MAX + 2 };
static const int64_t ENDLESS = INT64_MAX, FAR = INT64_MAX / 4;

typedef struct Part {
    int64_t coef;  /* positive */
    int64_t reach; /* |d| is at most this */
    bool self;     /* the loop itself */
} Part;

typedef struct Parts {
    Part part[TERMS_MAX];
    int32_t n;
} Parts;

static bool mentions(const Expr *e, int32_t var) {
    if (e->kind == EX_var) return e->i == var;
    for (int32_t i = 0; i < expr_info[e->kind].n; i++)
        if (mentions(e->a[i], var)) return true;
    return false;
}

static bool mentions_inner(const Expr *e, const Access *a, int32_t at) {
    for (int32_t i = at + 1; i < a->n_loop; i++)
        if (mentions(e, a->loop[i]->u.loop.var)) return true;
    return false;
}

/* Smallest and largest value of a term. False if they depend on N, are not known or not to be reckoned with. */
static bool range_of(const Access *a, const Expr *e, int64_t *low, int64_t *high) {
    Sum s = {0};
    if (!sum_add(&s, e, 1)) return false;
    Bound lo = bound_lower(a->loop, a->n_loop, &s), hi = bound_upper(a->loop, a->n_loop, &s);
    *low = lo.c;
    *high = hi.c;
    bool constant = lo.known && hi.known && lo.n == 0 && hi.n == 0;
    return constant && lo.c > -FAR && hi.c < FAR;
}

static int64_t farther(int64_t a, int64_t b) { return max_i64(llabs(a), llabs(b)); }

static void add_part(Parts *p, int64_t coef, int64_t reach, bool self) {
    if (reach) p->part[p->n++] = (Part){llabs(coef), reach, self};
}

static int64_t reach_alone(const Access *a, const Expr *e) {
    int64_t low, high;
    return range_of(a, e, &low, &high) ? farther(low, high) : ENDLESS;
}

static int64_t reach_apart(const Access *a, const Expr *x, const Access *b, const Expr *y) {
    int64_t xl, xh, yl, yh;
    if (!range_of(a, x, &xl, &xh) || !range_of(b, y, &yl, &yh)) return ENDLESS;
    return farther(xl - yh, xh - yl);
}

static bool fixed(const Access *a, const Expr *e, int32_t at) {
    return !mentions(e, a->loop[at]->u.loop.var) && !mentions_inner(e, a, at);
}

/* Takes from `other` the term that x, with coefficient c in `a`, is best compared with: itself if it is fixed for both,
 * otherwise one that moves by the same coefficient. -1: none. */
static int32_t partner(const Access *a, const Expr *x, int64_t c, const Access *b, const Sum *other, int32_t at) {
    for (int32_t i = 0; i < other->n; i++)
        if (other->coef[i] == c && ex_equal(other->term[i], x)) return i;
    if (fixed(a, x, at)) return -1;
    for (int32_t i = 0; i < other->n; i++)
        if (other->coef[i] == c && !fixed(b, other->term[i], at)) return i;
    return -1;
}

static void add_pairs(Parts *p, const Access *a, const Sum *s, const Access *b, Sum *other, int32_t at) {
    for (int32_t i = 0; i < s->n; i++) {
        int32_t j = partner(a, s->term[i], s->coef[i], b, other, at);
        if (j < 0) {
            add_part(p, s->coef[i], reach_alone(a, s->term[i]), false);
            continue;
        }
        bool same = fixed(a, s->term[i], at) && ex_equal(s->term[i], other->term[j]);
        if (!same) add_part(p, s->coef[i], reach_apart(a, s->term[i], b, other->term[j]), false);
        sum_remove(other, j);
    }
    for (int32_t i = 0; i < other->n; i++) add_part(p, other->coef[i], reach_alone(b, other->term[i]), false);
}

/* Removes the term of the loop's own variable; false if the variable is in some other term too. */
static bool take_self(Sum *s, int32_t var, int64_t *coef) {
    *coef = 0;
    for (int32_t i = s->n - 1; i >= 0; i--) {
        if (s->term[i]->kind == EX_var && s->term[i]->i == var) {
            *coef = s->coef[i];
            sum_remove(s, i);
        } else if (mentions(s->term[i], var)) {
            return false;
        }
    }
    return true;
}

/* Own term last among equals: another that moves as far spoils it. */
static int by_coefficient(const void *x, const void *y) {
    const Part *a = x, *b = y;
    if (a->coef != b->coef) return a->coef < b->coef ? -1 : 1;
    return (int)a->self - (int)b->self;
}

static int64_t divisor_from(const Parts *p, int32_t from) {
    int64_t g = 0;
    for (int32_t i = from; i < p->n; i++) g = common_divisor(g, p->part[i].coef);
    return g;
}

/* Once the loop's own term is in, the terms so far cannot cancel; if the others are all multiples of something larger
 * than what these can add up to, they cannot cancel them either, however far they reach. */
static bool apart(Parts *p) {
    int64_t below = 0, width;
    bool seen = false;
    qsort(p->part, (size_t)p->n, sizeof p->part[0], by_coefficient);
    for (int32_t i = 0; i < p->n; i++) {
        const Part *q = &p->part[i];
        if (seen && divisor_from(p, i) > below) return true;
        seen |= q->self;
        if (seen && q->coef <= below) return false;
        if (!mul_ok(q->coef, q->reach, &width) || !add_ok(below, width, &below)) below = ENDLESS;
    }
    return true;
}

/* Both sums without what is the same for every iteration of the loop. */
static void drop_common(const Access *a, Sum *s, const Access *b, Sum *t, int32_t at) {
    for (int32_t i = s->n - 1; i >= 0; i--)
        for (int32_t j = t->n - 1; j >= 0; j--) {
            if (s->coef[i] != t->coef[j] || !ex_equal(s->term[i], t->term[j])) continue;
            if (!fixed(a, s->term[i], at) || !fixed(b, t->term[j], at)) continue;
            sum_remove(s, i);
            sum_remove(t, j);
            break;
        }
}

/* Takes the terms out of s that move by more than c a step; *g becomes a common divisor of their coefficients. */
static void drop_far(Sum *s, int64_t c, int64_t *g) {
    for (int32_t i = s->n - 1; i >= 0; i--) {
        if (llabs(s->coef[i]) <= llabs(c)) continue;
        *g = common_divisor(*g, s->coef[i]);
        sum_remove(s, i);
    }
}

/* Both indices lie in a range of less than `most` numbers; terms with N do not count as a range. */
static bool within(const Access *a, const Sum *s, const Access *b, const Sum *t, int64_t most) {
    Bound al = bound_lower(a->loop, a->n_loop, s), ah = bound_upper(a->loop, a->n_loop, s);
    Bound bl = bound_lower(b->loop, b->n_loop, t), bh = bound_upper(b->loop, b->n_loop, t);
    if (!al.known || !ah.known || !bl.known || !bh.known || al.n || ah.n || bl.n || bh.n) return false;
    int64_t low = min_i64(al.c, bl.c), high = max_i64(ah.c, bh.c);
    return low > -FAR && high < FAR && high - low < most;
}

/* x without multiples of g, the nearest to 0. */
static int64_t remainder_near(int64_t x, int64_t g) {
    int64_t rest = x % g;
    return rest > g / 2 ? rest - g : rest < -(g / 2) ? rest + g : rest;
}

/* The plain case: the terms keep both indices within a span shorter than the loop's own step c, so that different
 * iterations differ by something other than 0. With without_far only the near terms need do so, and far ones must be
 * multiples of more than all that (so may be a part of the constant); but a far term may be what keeps a near one in
 * its span, as in the rows 4*oh + kh of a window with kh < 5 - 4*oh. */
static bool within_step(const Access *a, Sum s, const Access *b, Sum t, int32_t at, int64_t c,
                        bool without_far) {
    const Expr self = {.kind = EX_var, .type = ET_INT, .i = a->loop[at]->u.loop.var};
    int64_t g = 0;
    drop_common(a, &s, b, &t, at);
    if (without_far) {
        drop_far(&s, c, &g);
        drop_far(&t, c, &g);
        if (g) s.constant = floor_mod(s.constant, g); /* a constant has a far part, too */
        if (g) t.constant = floor_mod(t.constant, g);
    }
    if (g && !add_ok(t.constant, remainder_near(s.constant - t.constant, g), &s.constant)) return false;
    if (!within(a, &s, b, &t, llabs(c))) return false;
    return g == 0 || (sum_add(&s, &self, c) && sum_add(&t, &self, c) && within(a, &s, b, &t, g));
}

Meeting accesses_meet(const Access *a, const Access *b, int32_t at) {
    const Stmt *loop = a->loop[at];
    Sum s = {0}, t = {0}, extent = {0};
    int64_t c, d, between;
    if (!sum_add(&s, a->index, 1) || !sum_add(&t, b->index, 1)) return MEET_UNKNOWN;
    if (!take_self(&s, loop->u.loop.var, &c) || !take_self(&t, loop->u.loop.var, &d)) return MEET_UNKNOWN;
    bool sized = sum_add(&extent, loop->u.loop.hi, 1) && sum_add(&extent, loop->u.loop.lo, -1) && extent.n == 0;
    if (sized && extent.constant <= 1) return MEET_NEVER;
    if (c == 0 || c != d || !add_ok(s.constant, -t.constant, &between) || between == INT64_MIN) return MEET_MAYBE;
    int64_t reach = sized ? extent.constant - 1 : ENDLESS;
    if (within_step(a, s, b, t, at, c, false) || within_step(a, s, b, t, at, c, true)) return MEET_NEVER;
    Parts p = {.n = 0};
    add_part(&p, between, between != 0, false); /* the constant: a part like any other, of which there is one */
    add_part(&p, c, reach, true);
    add_pairs(&p, a, &s, b, &t, at);
    return apart(&p) ? MEET_NEVER : MEET_MAYBE;
}
