/* See product.h. */
#include "product.h"

#include <limits.h>

static const Stmt *only_statement(const Stmt *s) {
    while (s->kind == ST_SEQ && s->u.seq.n == 1) s = s->u.seq.item[0];
    return s;
}

static bool mentions(const Expr *e, const int32_t *var, int n) {
    for (int i = 0; e->kind == EX_var && i < n; i++)
        if (e->i == var[i]) return true;
    for (int32_t i = 0; i < expr_info[e->kind].n; i++)
        if (mentions(e->a[i], var, n)) return true;
    return false;
}

/* Opens the three loops; gives what the innermost one holds, or NULL. */
static const Stmt *open_loops(const Stmt *s, Product *p) {
    for (int i = 0; i < 3; i++) {
        int64_t lo, hi;
        if (s->kind != ST_FOR || !ex_is_int(s->u.loop.lo, &lo) || lo != 0) return NULL;
        p->var[i] = s->u.loop.var;
        p->extent[i] = s->u.loop.hi;
        if (mentions(p->extent[i], p->var, i) || (ex_is_int(p->extent[i], &hi) && hi > INT32_MAX)) return NULL;
        s = only_statement(s->u.loop.body);
    }
    return s;
}

/* A matrix that moves with the variables row and column and not with the third one. */
static bool matrix_of(const Kernel *k, int32_t buf, const Expr *index, const int32_t var[3], int row, int column,
                      Matrix *m) {
    Affine at;
    if (k->buf[buf].dtype != DT_F32 || !affine_of(index, &at) || affine_coef(&at, var[3 - row - column])) return false;
    *m = (Matrix){buf, index, affine_coef(&at, var[row]), affine_coef(&at, var[column])};
    int64_t longer = max_i64(m->row, m->column);
    return min_i64(m->row, m->column) == 1 && longer <= INT32_MAX;
}

static bool same_place(const Expr *a, const Expr *b) {
    Affine x, y;
    if (!affine_of(a, &x) || !affine_of(b, &y) || x.n != y.n || x.constant != y.constant) return false;
    for (int32_t i = 0; i < x.n; i++)
        if (x.var[i] != y.var[i] || x.coef[i] != y.coef[i]) return false;
    return true;
}

bool product_of(const Kernel *k, const Stmt *loop, Product *p) {
    enum { I, J, P };
    const Stmt *s = open_loops(loop, p);
    if (!s || s->kind != ST_STORE || s->u.store.value->kind != EX_fma) return false;
    const Expr *const *in = s->u.store.value->a;
    for (int i = 0; i < 3; i++)
        if (in[i]->kind != EX_load) return false;
    int32_t c = s->u.store.buf;
    return in[2]->buf == c && in[0]->buf != c && in[1]->buf != c && same_place(s->u.store.index, in[2]->a[0]) &&
           matrix_of(k, c, s->u.store.index, p->var, I, J, &p->c) && p->c.column == 1 &&
           matrix_of(k, in[0]->buf, in[0]->a[0], p->var, I, P, &p->a) &&
           matrix_of(k, in[1]->buf, in[1]->a[0], p->var, P, J, &p->b);
}

bool holds_product(const Stmt *s) {
    if (s->kind == ST_GUARD) return holds_product(s->u.guard.body);
    if (s->kind == ST_FOR) return s->u.loop.mode == LOOP_BLAS || holds_product(s->u.loop.body);
    for (int32_t i = 0; s->kind == ST_SEQ && i < s->u.seq.n; i++)
        if (holds_product(s->u.seq.item[i])) return true;
    return false;
}
