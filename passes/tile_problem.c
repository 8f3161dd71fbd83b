#include "tile_problem.h"

#include <stdlib.h>

enum { RANGES_MAX = 24 };

typedef struct Range { /* a loop that moves an operand */
    int32_t var;
    int64_t extent;
    bool pictures;
} Range;

typedef struct Ranges {
    int32_t n;
    Range at[RANGES_MAX];
} Ranges;

static int64_t extent_of(const Stmt *loop) {
    int64_t lo, hi;
    bool known = ex_is_int(loop->u.loop.lo, &lo) && lo == 0 && ex_is_int(loop->u.loop.hi, &hi);
    return known ? hi : TILE_UNKNOWN;
}

static void add_range(Ranges *r, const Stmt *loop) {
    if (r->n < RANGES_MAX)
        r->at[r->n++] = (Range){loop->u.loop.var, extent_of(loop), loop->u.loop.hi->kind == EX_batch};
}

enum { ELEMENT = 4, GRANULE = 128 / ELEMENT }; /* lines come in pairs: the neighbour of one that is read comes, too */

/* Elements of a buffer that an index meets while the loops run: from the smallest step up, loops either go on in what
 * is met already or repeat it elsewhere. 0 if the index is not affine. */
typedef struct Term {
    int64_t step, extent;
} Term;

static int by_step(const void *a, const void *b) {
    const Term *x = a, *y = b;
    return (x->step > y->step) - (x->step < y->step);
}

static int64_t met(const Expr *index, const Ranges *r) {
    Affine a;
    Term term[RANGES_MAX];
    int32_t n = 0;
    int64_t run = 1, times = 1;
    if (!affine_of(index, &a)) return 0;
    for (int32_t i = 0; i < r->n; i++) {
        int64_t step = affine_coef(&a, r->at[i].var);
        if (step) term[n++] = (Term){step < 0 ? -step : step, r->at[i].extent};
    }
    qsort(term, (size_t)n, sizeof *term, by_step);
    for (int32_t i = 0; i < n; i++) {
        if (term[i].step > max_i64(run, GRANULE) || term[i].extent == TILE_UNKNOWN)
            times *= term[i].extent;
        else
            run += term[i].step * (term[i].extent - 1);
        if (run > INT32_MAX || times > INT32_MAX) return INT64_MAX / 16; /* of no cache's size */
    }
    return run * times;
}

/* The product of the sum, and the loops around it within the sum: of several the first that has most of them. */
static const Expr *find_product(const Stmt *s, Ranges *red) {
    const Expr *found = NULL, *e;
    const Ranges around = *red;
    Ranges inside;
    if (s->kind == ST_STORE) return s->u.store.value->kind == EX_fma ? s->u.store.value : NULL;
    if (s->kind == ST_GUARD) return find_product(s->u.guard.body, red);
    if (s->kind == ST_FOR) {
        add_range(red, s);
        return find_product(s->u.loop.body, red);
    }
    for (int32_t i = 0; i < s->u.seq.n; i++) {
        inside = around;
        e = find_product(s->u.seq.item[i], &inside);
        if (!e || (found && inside.n <= red->n)) continue;
        found = e;
        *red = inside;
    }
    return found;
}

/* Products in a sum, of all its parts. */
static int64_t products(const Stmt *s, bool inside) {
    int64_t n = 0;
    if (s->kind == ST_STORE) return inside && s->u.store.value->kind == EX_fma;
    if (s->kind == ST_GUARD) return products(s->u.guard.body, inside);
    if (s->kind == ST_FOR) {
        bool reduces = inside || s->u.loop.role == ROLE_REDUCE;
        return min_i64(products(s->u.loop.body, reduces), TILE_UNKNOWN) * extent_of(s);
    }
    for (int32_t i = 0; i < s->u.seq.n; i++) n += products(s->u.seq.item[i], inside);
    return n;
}

static bool moves(const Expr *load, const Stmt *loop) {
    Affine a;
    return affine_of(load->a[0], &a) && affine_coef(&a, loop->u.loop.var) != 0;
}

static void operand_bytes(TileProblem *p, const Stmt *const *path, int32_t n, const TileLoops *at, const Expr *load,
                          Ranges red) {
    if (load->kind != EX_load) return;
    bool vector = at->block >= 0 ? moves(load, path[at->block]) : moves(load, path[n - 1]);
    if (vector) {
        if (path[n - 1]->u.loop.role == ROLE_LANE) add_range(&red, path[n - 1]);
        p->vector_bytes = ELEMENT * met(load->a[0], &red);
        return;
    }
    if (at->point[0] >= 0) add_range(&red, path[at->point[0]]);
    p->point_bytes[0] = ELEMENT * met(load->a[0], &red);
    if (at->point[1] >= 0) add_range(&red, path[at->point[1]]);
    p->point_bytes[1] = ELEMENT * met(load->a[0], &red);
}

TileProblem tile_problem(const Stmt *const *path, int32_t n, const Stmt *sum, const Machine *machine,
                         TileLoops *loops) {
    TileProblem p = {.blocks = 1, .points = {1, 1}, .steps = 1, .machine = machine};
    int32_t n_point = 0;
    *loops = (TileLoops){.block = -1, .point = {-1, -1}};
    for (int32_t i = n - 1; i >= 0; i--) {
        if (path[i]->u.loop.role == ROLE_BLOCK && loops->block < 0) {
            loops->block = i;
            p.blocks = extent_of(path[i]);
        } else if (path[i]->u.loop.role == ROLE_POINT && n_point < 2) {
            loops->point[n_point] = i;
            p.points[n_point++] = extent_of(path[i]);
        }
    }
    Ranges red = {0};
    const Expr *product = find_product(sum, &red);
    if (!product || n == 0) return p;
    p.steps = max_i64(products(sum, false), 1);
    for (int32_t i = 0; i < red.n; i++) loops->over_pictures |= red.at[i].pictures;
    p.pixels = !loops->over_pictures && p.points[1] > 1;
    for (int32_t i = loops->block + 1; i < n; i++) p.pixels = p.pixels && path[i]->u.loop.hi->kind != EX_batch;
    for (int i = 0; i < 2; i++) operand_bytes(&p, path, n, loops, product->a[i], red);
    return p;
}
