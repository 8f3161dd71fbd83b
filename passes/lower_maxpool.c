/* Maximum pooling by rows.
 *
 * A row of the result is made in tiles of some pixels, all in registers: first the maximum of each column that the
 * tile's windows see, which neighbours share, then the maximum of each window's columns. Taps outside of the picture
 * read the nearest pixel inside instead: it is in the window, too, since every window has one (ir/shape_window.c).
 * Tiles at the ends of a row stand at constant places, so that elsewhere columns need no such care. */
#include "lower_maxpool.h"

#include <math.h>

enum { SMALL_TAPS = 64 };

typedef struct Row {
    Ref x;
    const PoolAttr *attr;
    Coord y;               /* of the result, without the column */
    const Expr *top;       /* row of x under the first tap */
    bool rows_outside;     /* there are windows that reach beyond the rows of x */
    int32_t height, width; /* of x */
    int32_t lanes, apart;  /* columns in registers from one window to the next */
    int32_t column, best;  /* registers */
} Row;

bool maxpool_is_small(const PoolAttr *a) { return !a->to[0] && (int64_t)a->kernel[0] * a->kernel[1] <= SMALL_TAPS; }

static const Expr *nearest(Lower *l, const Expr *i, int32_t size) {
    return ex2(l->k, EX_max, ex_int(l->k, 0), ex2(l->k, EX_min, ex_int(l->k, size - 1), i));
}

/* reg[at] = the maximum of n values; NaN if one is. max gives its second operand where either is NaN, so only the
 * others have to be looked at: three values take two maxima and one comparison. */
static void take_maximum(Lower *l, Stmt *seq, int32_t reg, const Expr *at, const Expr *const *value, int32_t n) {
    Kernel *k = l->k;
    const Expr *now = ex_load(k, reg, at), *is_number = ex2(k, EX_eq, now, now);
    st_append(k, seq, st_store(k, reg, at, value[0]));
    for (int32_t i = 1; i < n; i += 2) {
        const Expr *more = ex2(k, EX_max, now, value[i]), *other = now, *both = is_number;
        if (i + 1 < n) {
            more = ex2(k, EX_max, more, value[i + 1]);
            other = num(l, NAN);
            both = ex2(k, EX_and, is_number, ex2(k, EX_eq, value[i], value[i]));
        }
        st_append(k, seq, st_store(k, reg, at, ex3(k, EX_select, both, more, other)));
    }
}

static Stmt *unrolled(Lower *l, int32_t var, int64_t extent, Stmt *body) {
    return st_for(l->k, var, ex_int(l->k, 0), ex_int(l->k, extent), LOOP_UNROLL, ROLE_NONE, body);
}

static const Expr *register_at(Lower *l, const Row *r, const Expr *vector, const Expr *lane) {
    return add_e(l, mul_i(l, vector, r->lanes), lane);
}

/* The maxima of `count` columns, from that of the first tap of window `first` on. */
static Stmt *columns(Lower *l, const Row *r, const Expr *first, int32_t count, bool outside) {
    const PoolAttr *a = r->attr;
    const Expr *value[SMALL_TAPS];
    int32_t var = kernel_add_var(l->k, "c");
    const Expr *c = ex_var(l->k, var), *w = c;
    if (r->apart < a->stride[1]) /* columns between two windows are left out */
        w = add_e(l, mul_i(l, ex2(l->k, EX_div, c, ex_int(l->k, a->kernel[1])), a->stride[1]),
                  ex2(l->k, EX_mod, c, ex_int(l->k, a->kernel[1])));
    w = add_e(l, add_i(l, mul_i(l, first, a->stride[1]), -a->pad[2]), w);
    Nest nest = {0};
    Coord x = r->y;
    x.lane[1] = nest_loop(l, &nest, "i", r->lanes, ROLE_LANE);
    x.outer[3] = outside ? nearest(l, w, r->width) : w;
    for (int32_t i = 0; i < a->kernel[0]; i++) {
        const Expr *h = add_i(l, r->top, i);
        x.outer[2] = r->rows_outside ? nearest(l, h, r->height) : h;
        value[i] = load_at(l, r->x, &x);
    }
    Stmt *body = st_seq(l->k);
    take_maximum(l, body, r->column, register_at(l, r, c, x.lane[1]), value, a->kernel[0]);
    return unrolled(l, var, count, nest_wrap(l, &nest, body));
}

static Stmt *windows(Lower *l, const Row *r, const Expr *first, int32_t count) {
    const Expr *value[SMALL_TAPS];
    int32_t var = kernel_add_var(l->k, "o");
    Nest nest = {0};
    Coord y = r->y;
    y.outer[3] = add_e(l, first, ex_var(l->k, var));
    y.lane[1] = nest_loop(l, &nest, "i", r->lanes, ROLE_LANE);
    for (int32_t i = 0; i < r->attr->kernel[1]; i++) {
        const Expr *column = add_i(l, mul_i(l, ex_var(l->k, var), r->apart), i);
        value[i] = ex_load(l->k, r->column, register_at(l, r, column, y.lane[1]));
    }
    Stmt *body = st_seq(l->k);
    take_maximum(l, body, r->best, y.lane[1], value, r->attr->kernel[1]);
    st_append(l->k, body, lower_finish(l, &y, ex_load(l->k, r->best, y.lane[1])));
    return unrolled(l, var, count, nest_wrap(l, &nest, body));
}

static int32_t seen(const Row *r, int32_t n) { return (n - 1) * r->apart + r->attr->kernel[1]; }

static Stmt *tile(Lower *l, const Row *r, const Expr *first, int32_t n, bool outside) {
    Stmt *seq = st_seq(l->k);
    st_append(l->k, seq, columns(l, r, first, seen(r, n), outside));
    st_append(l->k, seq, windows(l, r, first, n));
    return seq;
}

/* Half of the registers hold columns. */
static int32_t tile_size(const Lower *l, const Row *r, int32_t width) {
    int32_t n = 1;
    while (n < width && seen(r, n + 1) <= l->u->machine->vector_registers / 2 + 1) n++;
    return n;
}

/* The row's tiles of n: those before `lo` and from `hi` on see what is outside of the picture. */
static Stmt *tiles(Lower *l, const Row *r, int32_t width, int32_t n) {
    const PoolAttr *a = r->attr;
    int64_t full = width / n, inner = r->width + a->pad[2] - a->kernel[1];
    int64_t lo = min_i64(full, div_up(div_up(a->pad[2], a->stride[1]), n));
    int64_t hi = inner < 0 ? lo : max_i64(lo, min_i64(full, (inner / a->stride[1] + 1) / n));
    Stmt *seq = st_seq(l->k);
    for (int64_t i = 0; i < full; i++) {
        Nest nest = {0};
        bool outside = i < lo || i >= hi;
        const Expr *at = ex_int(l->k, i);
        if (!outside) at = nest_range(l, &nest, "ow", at, ex_int(l->k, hi), ROLE_NONE);
        st_append(l->k, seq, nest_wrap(l, &nest, tile(l, r, mul_i(l, at, n), n, outside)));
        if (!outside) i = hi - 1;
    }
    if (width % n) st_append(l->k, seq, tile(l, r, ex_int(l->k, full * n), (int32_t)(width % n), true));
    return seq;
}

Stmt *maxpool_nest(Lower *l, Ref node, const ConvRows *rows) {
    const Node *n = graph_node(l->g, node);
    const Type *x = &graph_node(l->g, n->in[0])->type, *y = &n->type;
    const PoolAttr *a = &n->attr.pool;
    Row r = {.x = n->in[0], .attr = a, .height = x->dim[2], .width = x->dim[3], .lanes = y->layout.b1};
    bool beyond = a->pad[0] > 0 || (y->dim[2] - 1) * a->stride[0] - a->pad[0] + a->kernel[0] > r.height;
    r.apart = a->stride[1] < a->kernel[1] ? a->stride[1] : a->kernel[1];
    r.rows_outside = beyond && !rows;
    int32_t size = tile_size(l, &r, y->dim[3]);
    r.column = lower_reg(l, "column", DT_F32, (int64_t)r.lanes * seen(&r, size));
    r.best = lower_reg(l, "best", DT_F32, r.lanes);
    Nest nest = {0};
    LoopRole role = rows ? ROLE_NONE : ROLE_TASK;
    r.y = (Coord){{rows ? rows->pic : nest_loop(l, &nest, "n", BATCH, ROLE_TASK)}, {ex_int(l->k, 0)}};
    r.y.outer[1] = nest_loop(l, &nest, "cb", rows ? rows->blocks : div_up(y->dim[1], r.lanes), role);
    r.y.outer[2] = nest_loop(l, &nest, "oh", rows ? rows->rows : y->dim[2], role);
    if (rows) {
        r.y.outer[1] = add_e(l, rows->block, r.y.outer[1]);
        r.y.outer[2] = add_e(l, rows->first, r.y.outer[2]);
    }
    r.top = add_i(l, mul_i(l, r.y.outer[2], a->stride[0]), -a->pad[0]);
    return nest_wrap(l, &nest, tiles(l, &r, y->dim[3], size));
}

void maxpool_rows(Lower *l, Ref node) { lower_end(l, maxpool_nest(l, node, NULL)); }
