/* Operators that take each pixel of the result from fixed places of a picture, channel by channel: pad (which also
 * crops) and resize, nearest and bilinear. All channels of a block move together, so everything is whole vectors.
 *
 * Resizing works axis by axis. Position o of `out` lies at (p o + q) / d in the `in` numbers of the axis, limited to 0:
 * with align_corners the first and last ones meet, otherwise the edges of the picture do. These are whole numbers, so
 * nothing is rounded but the weights. Where `out` is a multiple of `in`, the weights are the same for every pixel of
 * the source, and the results next to it are written out. */
#include "lower.h"

static const Type *type_of(Lower *l, Ref r) { return &graph_node(l->g, r)->type; }

static const Expr *limited(Lower *l, const Expr *i, int64_t lo, int64_t hi) {
    return ex2(l->k, EX_min, ex2(l->k, EX_max, i, ex_int(l->k, lo)), ex_int(l->k, hi));
}

/* Loops over pictures, blocks and the rows of t. */
static Coord row_loops(Lower *l, Nest *nest, const Type *t, const char *row) {
    Coord c = {.outer[0] = nest_loop(l, nest, "n", BATCH, ROLE_TASK), .lane[0] = ex_int(l->k, 0)};
    c.outer[1] = nest_loop(l, nest, "cb", div_up(t->dim[1], t->layout.b1), ROLE_TASK);
    c.outer[2] = nest_loop(l, nest, row, t->dim[2], ROLE_TASK);
    return c;
}

/* ---- pad ------------------------------------------------------------------------------------------------------- */

/* Where position `at` of the result's axis d is in x; *inside: whether it is there at all, NULL if always. */
static const Expr *unpadded(Lower *l, const Node *n, int d, const Expr *at, const Expr **inside) {
    const int32_t *pad = n->attr.pad.pad + 2 * d;
    int64_t size = type_of(l, n->in[0])->dim[2 + d];
    const Expr *from = add_i(l, at, -pad[0]), *left = NULL, *right = NULL;
    if (pad[0] > 0) left = ex2(l->k, EX_le, ex_int(l->k, 0), from);
    if (pad[1] > 0) right = ex2(l->k, EX_lt, from, ex_int(l->k, size));
    *inside = left && right ? ex2(l->k, EX_and, left, right) : left ? left : right;
    return *inside ? limited(l, from, 0, size - 1) : from;
}

const Expr *lower_pad(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    Nest nest = {0};
    lower_begin(l);
    Coord y = row_loops(l, &nest, &n->type, "h");
    y.outer[3] = nest_loop(l, &nest, "w", n->type.dim[3], ROLE_NONE);
    y.lane[1] = nest_loop(l, &nest, "i", n->type.layout.b1, ROLE_LANE);
    Coord x = y;
    const Expr *row, *column;
    x.outer[2] = unpadded(l, n, 0, y.outer[2], &row);
    x.outer[3] = unpadded(l, n, 1, y.outer[3], &column);
    const Expr *inside = row && column ? ex2(l->k, EX_and, row, column) : row ? row : column;
    const Expr *value = load_at(l, n->in[0], &x);
    if (inside) value = ex3(l->k, EX_select, inside, value, num(l, n->attr.pad.value));
    if (n->attr.pad.value != 0) value = zero_pads(l, &n->type, &y, value);
    lower_end(l, nest_wrap(l, &nest, lower_finish(l, &y, value)));
    return NULL;
}

/* ---- resize ---------------------------------------------------------------------------------------------------- */

typedef struct Axis {
    int64_t in, out, p, q, d;
    bool linear;
} Axis;

/* Two places and the weight of the second; that of the first is the rest. One place if second is NULL. */
typedef struct Taps {
    const Expr *first, *second, *weight;
} Taps;

static Axis axis_of(const ResizeAttr *a, int d) {
    Axis x = {.in = a->from[d], .out = a->to[d], .linear = a->linear};
    if (!a->linear) {
        x.p = x.in, x.q = 0, x.d = x.out;
    } else if (a->corners) {
        x.p = x.out > 1 ? x.in - 1 : 0, x.q = 0, x.d = x.out > 1 ? x.out - 1 : 1;
    } else {
        x.p = 2 * x.in, x.q = x.in - x.out, x.d = 2 * x.out;
    }
    int64_t by = common_divisor(common_divisor(x.p, x.q), x.d);
    x.p /= by, x.q /= by, x.d /= by;
    return x;
}

static Taps taps_at(Lower *l, const Axis *a, const Expr *o) {
    const Expr *at = add_i(l, mul_i(l, o, a->p), a->q), *d = ex_int(l->k, a->d);
    if (a->q < 0) at = ex2(l->k, EX_max, at, ex_int(l->k, 0));
    Taps t = {.first = ex2(l->k, EX_div, at, d)};
    if (!a->linear || a->d == 1) return t;
    t.second = ex2(l->k, EX_min, add_i(l, t.first, 1), ex_int(l->k, a->in - 1));
    t.weight = mul_e(l, ex1(l->k, EX_tofloat, ex2(l->k, EX_mod, at, d)), num(l, 1.0 / (double)a->d));
    return t;
}

/* Of result number `phase` of the out / in results that source pixel k has, edges of the picture meeting. */
static Taps taps_of_phase(Lower *l, const Axis *a, const Expr *k, int64_t phase) {
    int64_t times = a->out / a->in, lag = 2 * phase + 1 - times;
    if (!a->linear || lag == 0) return (Taps){k, NULL, NULL};
    Taps t = {.first = lag < 0 ? ex2(l->k, EX_max, add_i(l, k, -1), ex_int(l->k, 0)) : k};
    t.second = lag < 0 ? k : ex2(l->k, EX_min, add_i(l, k, 1), ex_int(l->k, a->in - 1));
    t.weight = num(l, (double)(lag < 0 ? lag + 2 * times : lag) / (double)(2 * times));
    return t;
}

/* a + weight (b - a) */
static const Expr *mix(Lower *l, const Taps *t, const Expr *a, const Expr *b) {
    return ex3(l->k, EX_fma, t->weight, ex2(l->k, EX_sub, b, a), a);
}

static const Expr *in_column(Lower *l, Ref x, Coord at, const Taps *rows, const Expr *column) {
    at.outer[3] = column;
    at.outer[2] = rows->first;
    const Expr *v = load_at(l, x, &at);
    if (!rows->second) return v;
    at.outer[2] = rows->second;
    return mix(l, rows, v, load_at(l, x, &at));
}

static const Expr *in_picture(Lower *l, Ref x, const Coord *at, const Taps *rows, const Taps *columns) {
    const Expr *v = in_column(l, x, *at, rows, columns->first);
    return columns->second ? mix(l, columns, v, in_column(l, x, *at, rows, columns->second)) : v;
}

enum { MAX_PHASES = 8 };

const Expr *lower_resize(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    const ResizeAttr *a = &n->attr.resize;
    Axis high = axis_of(a, 0), wide = axis_of(a, 1);
    bool phased = wide.out % wide.in == 0 && wide.out / wide.in <= MAX_PHASES && !(a->linear && a->corners);
    int64_t times = phased ? wide.out / wide.in : 1;
    Nest nest = {0};
    lower_begin(l);
    Coord y = row_loops(l, &nest, &n->type, "h");
    const Expr *k = nest_loop(l, &nest, "w", n->type.dim[3] / times, ROLE_NONE);
    y.lane[1] = nest_loop(l, &nest, "i", n->type.layout.b1, ROLE_LANE);
    Taps rows = taps_at(l, &high, y.outer[2]);
    Stmt *body = st_seq(l->k);
    for (int64_t phase = 0; phase < times; phase++) {
        Taps columns = phased ? taps_of_phase(l, &wide, k, phase) : taps_at(l, &wide, k);
        y.outer[3] = add_i(l, mul_i(l, k, times), phase);
        st_append(l->k, body, lower_finish(l, &y, in_picture(l, n->in[0], &y, &rows, &columns)));
    }
    lower_end(l, nest_wrap(l, &nest, body));
    return NULL;
}

/* ---- gradient of resize ---------------------------------------------------------------------------------------- */

/* The results that read number `i` of the axis: from *lo to below *hi. Those at (p o + q) / d read floor and, if
 * linear, the next one. */
static void readers(Lower *l, const Axis *a, const Expr *i, const Expr **lo, const Expr **hi) {
    *lo = ex_int(l->k, 0);
    *hi = ex_int(l->k, a->out);
    if (a->p == 0) return;
    const Expr *p = ex_int(l->k, a->p);
    const Expr *first = add_i(l, mul_i(l, i, a->d), -a->q - (a->linear ? a->d - 1 : 0) + a->p - 1);
    const Expr *end = add_i(l, mul_i(l, i, a->d), a->d - a->q + a->p - 1);
    *lo = limited(l, ex2(l->k, EX_div, first, p), 0, a->out);
    *hi = limited(l, ex2(l->k, EX_div, end, p), 0, a->out);
}

/* How much result o takes from number i: the weight of either place, or of both where they meet. */
static const Expr *share(Lower *l, const Axis *a, const Expr *o, const Expr *i) {
    Taps t = taps_at(l, a, o);
    if (!t.second) return ex3(l->k, EX_select, ex2(l->k, EX_eq, t.first, i), num(l, 1), num(l, 0));
    const Expr *first = ex2(l->k, EX_sub, num(l, 1), t.weight), *none = num(l, 0);
    first = ex3(l->k, EX_select, ex2(l->k, EX_eq, t.first, i), first, none);
    return add_e(l, first, ex3(l->k, EX_select, ex2(l->k, EX_eq, t.second, i), t.weight, none));
}

const Expr *lower_resize_grad(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    Axis axis[2] = {axis_of(&n->attr.resize, 0), axis_of(&n->attr.resize, 1)};
    Nest nest = {0}, red = {0}, lane[3] = {{0}, {0}, {0}};
    lower_begin(l);
    Kernel *k = l->k;
    int64_t lanes = n->type.layout.b1;
    int32_t acc = lower_reg(l, "acc", DT_F32, lanes);
    Coord x = row_loops(l, &nest, &n->type, "h");
    x.outer[3] = nest_loop(l, &nest, "w", n->type.dim[3], ROLE_NONE);
    Coord y = x;
    const Expr *lo, *hi, *i[3], *weight = NULL;
    for (int j = 0; j < 3; j++) i[j] = nest_loop(l, &lane[j], "i", lanes, ROLE_LANE);
    for (int d = 0; d < 2; d++) {
        readers(l, &axis[d], x.outer[2 + d], &lo, &hi);
        y.outer[2 + d] = nest_range(l, &red, d ? "ow" : "oh", lo, hi, ROLE_REDUCE);
        const Expr *s = share(l, &axis[d], y.outer[2 + d], x.outer[2 + d]);
        weight = weight ? mul_e(l, weight, s) : s;
    }
    y.lane[1] = i[1];
    x.lane[1] = i[2];
    Stmt *body = st_seq(k);
    const Expr *more = ex3(k, EX_fma, weight, load_at(l, n->in[0], &y), ex_load(k, acc, i[1]));
    st_append(k, body, nest_wrap(l, &lane[0], st_store(k, acc, i[0], num(l, 0))));
    st_append(k, body, nest_wrap(l, &red, nest_wrap(l, &lane[1], st_store(k, acc, i[1], more))));
    st_append(k, body, nest_wrap(l, &lane[2], lower_finish(l, &x, ex_load(k, acc, i[2]))));
    lower_end(l, nest_wrap(l, &nest, body));
    return NULL;
}
