#include "lower_sum.h"

/* Whether a loop of the nest never runs: what it would read need not exist. */
static bool never_runs(const Nest *nest) {
    int64_t hi;
    for (int32_t i = 0; i < nest->n; i++)
        if (ex_is_int(nest->loop[i].hi, &hi) && hi == 0) return true;
    return false;
}

void sum_emit(Lower *l, Sum *s, Ref a, Ref b, const Expr *init) {
    Kernel *k = l->k;
    int32_t acc = lower_reg(l, "acc", DT_F32, s->lanes);
    const Expr *sum = ex_load(k, acc, s->lane);
    Stmt *body = st_seq(k);
    st_append(k, body, st_store(k, acc, s->lane, init ? init : num(l, 0)));
    const Expr *product = ex3(k, EX_fma, load_at(l, a, &s->a), load_at(l, b, &s->b), sum);
    if (!never_runs(&s->red)) st_append(k, body, nest_wrap(l, &s->red, st_store(k, acc, s->lane, product)));
    st_append(k, body, lower_finish(l, &s->result, sum));
    lower_end(l, nest_wrap(l, &s->out, body));
}

void sum_lane(Lower *l, Sum *s, int64_t lanes) {
    s->lane = nest_loop(l, &s->out, "o", lanes, ROLE_LANE);
    s->lanes = lanes;
}
