#include "tile_window.h"

#include "../ir/sum.h"

enum { WINDOW_POINTS = 8 };

static int64_t step_of(const Sum *s, int32_t var) {
    for (int32_t i = 0; i < s->n; i++)
        if (s->term[i]->kind == EX_var && s->term[i]->i == var) return s->coef[i];
    return 0;
}

/* A point that moves far while the tap moves little lies along another dimension. */
static void keep_nearer(Window *w, int64_t stride, int64_t dilation) {
    int64_t unit = common_divisor(stride, dilation);
    if (w->stride && w->stride * w->dilation <= stride / unit * (dilation / unit)) return;
    w->stride = stride / unit;
    w->dilation = dilation / unit;
}

/* How far the two variables move what e loads, in units of their common step; w->stride stays 0 if nothing moves with
 * both. */
static void steps_in_expr(const Expr *e, int32_t point, int32_t tap, Window *w) {
    Sum s = {0};
    if (e->kind == EX_load && sum_add(&s, e->a[0], 1) && step_of(&s, point) > 0 && step_of(&s, tap) > 0)
        keep_nearer(w, step_of(&s, point), step_of(&s, tap));
    for (int32_t i = 0; i < expr_info[e->kind].n; i++) steps_in_expr(e->a[i], point, tap, w);
}

static void steps_in(const Stmt *s, int32_t point, int32_t tap, Window *w) {
    switch (s->kind) {
    case ST_FOR: steps_in(s->u.loop.body, point, tap, w); break;
    case ST_GUARD: steps_in(s->u.guard.body, point, tap, w); break;
    case ST_STORE: steps_in_expr(s->u.store.value, point, tap, w); break;
    case ST_PREFETCH: break;
    case ST_SEQ:
        for (int32_t i = 0; i < s->u.seq.n; i++) steps_in(s->u.seq.item[i], point, tap, w);
        break;
    }
}

/* Which of the points slides with a TAP loop, -1 if none does: the nearest. */
static int32_t partner(const Stmt *taps, const int32_t *point, int32_t n, Window *w) {
    int32_t best = -1;
    *w = (Window){0};
    for (int32_t i = 0; i < n; i++) {
        Window before = *w;
        steps_in(taps->u.loop.body, point[i], taps->u.loop.var, w);
        if (w->stride != before.stride || w->dilation != before.dilation) best = i;
    }
    return best;
}

static int64_t known_extent(const Stmt *loop) {
    int64_t lo, hi;
    return ex_is_int(loop->u.loop.lo, &lo) && lo == 0 && ex_is_int(loop->u.loop.hi, &hi) ? hi : 0;
}

static void find_in(const Stmt *s, const int32_t *point, int32_t n, bool inside, WindowProblem *p) {
    Window found;
    for (int32_t i = 0; s->kind == ST_SEQ && i < s->u.seq.n; i++) find_in(s->u.seq.item[i], point, n, inside, p);
    if (s->kind != ST_FOR) return;
    bool tap = s->u.loop.role == ROLE_TAP;
    int32_t best = tap ? partner(s, point, n, &found) : -1;
    found.taps = known_extent(s);
    if (best >= 0 && found.taps > 0) p->window[best] = found;
    if (inside && s->u.loop.role == ROLE_REDUCE) p->channels *= found.taps;
    find_in(s->u.loop.body, point, n, inside || tap, p);
}

bool window_find(const Stmt *sum, const int32_t *point, int32_t n, WindowProblem *p) {
    for (int32_t i = 0; i < 2; i++) p->window[i] = (Window){1, 1, 1};
    p->channels = 1;
    find_in(sum, point, n, false, p);
    return p->window[0].taps > 1 || p->window[1].taps > 1;
}

/* ---- sliding -------------------------------------------------------------------------------------------------- */

static bool is_unrolled(const Stmt *s) { return s->kind == ST_FOR && s->u.loop.mode == LOOP_UNROLL; }

/* The unrolled POINT loop that slides with the TAP loop, or NULL. */
static const Stmt *sliding_loop(const Stmt *taps, Window *w) {
    const Stmt *loop[WINDOW_POINTS];
    int32_t point[WINDOW_POINTS], n = 0;
    for (const Stmt *s = taps->u.loop.body; is_unrolled(s); s = s->u.loop.body) {
        if (s->u.loop.role != ROLE_POINT || n == WINDOW_POINTS) continue;
        loop[n] = s;
        point[n++] = s->u.loop.var;
    }
    int32_t best = partner(taps, point, n, w);
    return best < 0 || !known_extent(loop[best]) ? NULL : loop[best];
}

static const Expr *in_range(Kernel *k, const Expr *e, int64_t extent) {
    return ex2(k, EX_and, ex2(k, EX_le, ex_int(k, 0), e), ex2(k, EX_lt, e, ex_int(k, extent)));
}

static Stmt *guard_innermost(Kernel *k, const Expr *cond, Stmt *s) {
    if (!is_unrolled(s)) return st_guard(k, cond, s);
    s->u.loop.body = guard_innermost(k, cond, s->u.loop.body);
    return s;
}

/* Loops between the taps are unrolled with them. */
static void unroll_reductions(Stmt *s) {
    for (; s->kind == ST_FOR && s->u.loop.role != ROLE_LANE; s = s->u.loop.body)
        if (s->u.loop.role == ROLE_REDUCE && known_extent(s)) s->u.loop.mode = LOOP_UNROLL;
}

Stmt *window_slide(Kernel *k, Stmt *taps) {
    Window w;
    unroll_reductions(taps->u.loop.body);
    const Stmt *point = sliding_loop(taps, &w);
    w.taps = known_extent(taps);
    if (!point || !w.taps) {
        taps->u.loop.role = ROLE_REDUCE;
        return taps;
    }
    int32_t var = kernel_add_var(k, k->var[point->u.loop.var]);
    const Expr *at = ex2(k, EX_sub, ex_var(k, var), ex2(k, EX_mul, ex_int(k, w.stride), ex_var(k, point->u.loop.var)));
    const Expr *cond = in_range(k, at, (w.taps - 1) * w.dilation + 1), *unit = ex_int(k, w.dilation);
    if (w.dilation > 1) cond = ex2(k, EX_and, cond, ex2(k, EX_eq, ex2(k, EX_mod, at, unit), ex_int(k, 0)));
    const Expr **map = NEW_ARRAY(k->arena, const Expr *, k->n_var);
    map[taps->u.loop.var] = w.dilation > 1 ? ex2(k, EX_div, at, unit) : at;
    Stmt *body = guard_innermost(k, cond, st_subst(k, taps->u.loop.body, map));
    int64_t span = (known_extent(point) - 1) * w.stride + (w.taps - 1) * w.dilation + 1;
    return st_for(k, var, ex_int(k, 0), ex_int(k, span), LOOP_UNROLL, ROLE_TAP, body);
}
