#include "lower_sum.h"

/* Whether a loop of the nest never runs: what it would read need not exist. */
static bool never_runs(const Nest *nest) {
    int64_t hi;
    for (int32_t i = 0; i < nest->n; i++)
        if (ex_is_int(nest->loop[i].hi, &hi) && hi == 0) return true;
    return false;
}

const Expr *sum_value(Lower *l, Sum *s) {
    s->acc = lower_reg(l, "acc", DT_F32, s->lanes);
    return ex_load(l->k, s->acc, s->lane);
}

Stmt *sum_products(Lower *l, const Sum *s, const Expr *a, const Expr *b) {
    const Expr *product = ex3(l->k, EX_fma, a, b, ex_load(l->k, s->acc, s->lane));
    return nest_wrap(l, &s->red, st_store(l->k, s->acc, s->lane, product));
}

Stmt *sum_nest(Lower *l, const Sum *s, const Expr *a, const Expr *b, const Expr *init, Stmt *finish) {
    Kernel *k = l->k;
    Stmt *body = st_seq(k);
    st_append(k, body, st_store(k, s->acc, s->lane, init ? init : num(l, 0)));
    if (!never_runs(&s->red)) st_append(k, body, sum_products(l, s, a, b));
    st_append(k, body, finish);
    return nest_wrap(l, &s->out, body);
}

Stmt *sum_stmt(Lower *l, Sum *s, Ref a, Ref b, const Expr *init) {
    const Expr *x = load_at(l, a, &s->a), *y = load_at(l, b, &s->b), *sum = sum_value(l, s);
    return sum_nest(l, s, x, y, init, lower_finish(l, &s->result, sum));
}

void sum_emit(Lower *l, Sum *s, Ref a, Ref b, const Expr *init) { lower_end(l, sum_stmt(l, s, a, b, init)); }

void sum_lane(Lower *l, Sum *s, int64_t lanes) {
    s->lane = nest_loop(l, &s->out, "o", lanes, ROLE_LANE);
    s->lanes = lanes;
}
