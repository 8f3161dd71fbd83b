/* Convolution by Winograd's method (ir/winograd.h): three phases over tiles of the picture, each vectors of channels.
 *
 *   input     a x a pixels of a tile become a x a transformed ones
 *   product   for each of the a*a taps a matrix product, channels by tiles: a sum like any other contraction
 *   output    a x a sums become m x m pixels, which are finished like those of any convolution
 *
 * Either each phase is a kernel and the transformed tensors lie in memory, or one kernel takes a band of tiles through
 * all phases in scratch memory that stays in the second-level cache; `algorithm` decides which (attr.band). Both are
 * made of the same three nests. The input of a tile at the edge reads the halo, which is wide enough (layout); an
 * output tile that hangs over the edge is cut. */
#include "lower_sum.h"

#include "../ir/winograd.h"

#include <math.h>

/* Where a transformed tensor is: a stored one of a node, or scratch memory of its own. */
typedef struct Taps {
    int32_t buf;
    Type type;       /* [N or 1, channels, a*a, tiles] */
    const Expr *pic; /* index of its picture */
} Taps;

typedef struct Wino {
    Lower *l;
    const WinogradAttr *attr;
    WinogradMatrices m;
    int32_t side, across; /* a; tiles in a row of tiles */
    const Expr *pic;      /* of the tensors of nodes */
    const Expr *row0;     /* first row of tiles, and how many */
    int64_t rows;
    int32_t temps;
} Wino;

static Wino wino_of(Lower *l, const Node *n) {
    Wino w = {.l = l, .attr = &n->attr.winograd};
    bool known = winograd_matrices(w.attr->tile, w.attr->kernel, &w.m);
    ICE_UNLESS(known, "no points for F(%d,%d)", w.attr->tile, w.attr->kernel);
    w.side = w.m.bt.rows;
    w.across = (int32_t)div_up(w.attr->out[2], w.attr->tile);
    w.row0 = ex_int(l->k, 0);
    w.rows = div_up(w.attr->out[1], w.attr->tile);
    return w;
}

/* ---- small matrices times vectors ----------------------------------------------------------------------------- */

/* A block of values; each is a load of a register or of memory, cheap to mention twice. */
typedef struct Block {
    int32_t rows, cols;
    const Expr *at[WINOGRAD_MAX][WINOGRAD_MAX];
} Block;

/* Where vectors of values are computed: statements inside a lane loop. */
typedef struct Line {
    Stmt *seq;
    const Expr *lane;
    int64_t lanes;
} Line;

/* Puts a value in a register of its own. */
static const Expr *hold(Wino *w, const Line *line, const Expr *value) {
    char name[16];
    snprintf(name, sizeof name, "w%d", w->temps++);
    int32_t reg = lower_reg(w->l, name, DT_F32, line->lanes);
    st_append(w->l->k, line->seq, st_store(w->l->k, reg, line->lane, value));
    return ex_load(w->l->k, reg, line->lane);
}

/* The sum of c[i] * x[i]; NULL if all c are 0. */
static const Expr *combine(Lower *l, int32_t n, const double *c, const Expr *const *x) {
    const Expr *sum = NULL;
    for (int pass = 0; pass < 2; pass++) /* those that cost no multiplication first */
        for (int32_t i = 0; i < n; i++) {
            bool one = fabs(c[i]) == 1;
            if (c[i] == 0 || one == (pass == 1)) continue;
            if (!sum)
                sum = c[i] == 1 ? x[i] : ex2(l->k, EX_mul, num(l, c[i]), x[i]);
            else if (one)
                sum = ex2(l->k, c[i] > 0 ? EX_add : EX_sub, sum, x[i]);
            else
                sum = ex3(l->k, EX_fma, num(l, c[i]), x[i], sum);
        }
    return sum;
}

/* Whether rows i and j of m are equal but for signs, and differ. */
static bool mirrored(const Matrix *m, int32_t i, int32_t j) {
    bool differ = false;
    for (int32_t k = 0; k < m->cols; k++) {
        if (fabs(m->at[i][k]) != fabs(m->at[j][k])) return false;
        differ = differ || m->at[i][k] != m->at[j][k];
    }
    return differ;
}

/* y = m x for one column. Points come in pairs +p and -p, so rows do: they share the sum of the terms on which they
 * agree and that of the others. */
static void times_column(Wino *w, const Line *line, const Matrix *m, const Expr *const *x, const Expr **y) {
    Lower *l = w->l;
    for (int32_t i = 0; i < m->rows; i++) y[i] = NULL;
    for (int32_t i = 0; i < m->rows; i++) {
        if (y[i]) continue;
        int32_t pair = i + 1;
        while (pair < m->rows && !mirrored(m, i, pair)) pair++;
        double same[WINOGRAD_MAX] = {0}, other[WINOGRAD_MAX] = {0};
        for (int32_t k = 0; k < m->cols; k++)
            *(pair == m->rows || m->at[i][k] == m->at[pair][k] ? &same[k] : &other[k]) = m->at[i][k];
        const Expr *s = combine(l, m->cols, same, x);
        if (pair == m->rows) {
            y[i] = hold(w, line, s);
            continue;
        }
        s = hold(w, line, s);
        const Expr *o = hold(w, line, combine(l, m->cols, other, x));
        y[i] = hold(w, line, ex2(l->k, EX_add, s, o));
        y[pair] = hold(w, line, ex2(l->k, EX_sub, s, o));
    }
}

/* The same for a matrix whose columns come in pairs that agree but for signs: of two values only the sum and the
 * difference are needed. */
static void times_paired(Wino *w, const Line *line, const Matrix *m, const Expr *const *x, const Expr **y) {
    Lower *l = w->l;
    Matrix t = {.rows = m->cols, .cols = m->rows};
    for (int32_t i = 0; i < t.rows; i++)
        for (int32_t k = 0; k < t.cols; k++) t.at[i][k] = m->at[k][i];
    const Expr *sum[WINOGRAD_MAX], *difference[WINOGRAD_MAX] = {0};
    bool gone[WINOGRAD_MAX] = {false};
    int32_t partner[WINOGRAD_MAX];
    for (int32_t i = 0; i < t.rows; i++) {
        sum[i] = x[i];
        partner[i] = i;
        for (int32_t j = i + 1; j < t.rows && !gone[i] && partner[i] == i; j++)
            if (!gone[j] && mirrored(&t, i, j)) {
                partner[i] = j;
                gone[j] = true;
            }
        if (partner[i] == i) continue;
        sum[i] = hold(w, line, ex2(l->k, EX_add, x[i], x[partner[i]]));
        difference[i] = hold(w, line, ex2(l->k, EX_sub, x[i], x[partner[i]]));
    }
    for (int32_t r = 0; r < m->rows; r++) {
        double c[WINOGRAD_MAX] = {0};
        const Expr *term[WINOGRAD_MAX] = {0};
        for (int32_t i = 0; i < t.rows; i++) {
            if (gone[i]) continue;
            bool agree = partner[i] == i || m->at[r][i] == m->at[r][partner[i]];
            c[i] = m->at[r][i];
            term[i] = agree ? sum[i] : difference[i];
        }
        y[r] = hold(w, line, combine(l, t.rows, c, term));
    }
}

/* m x m^T. */
static Block sandwich(Wino *w, const Line *line, const Matrix *m, const Block *x) {
    Block t = *x;
    for (int side = 0; side < 2; side++) {
        Block y = {.rows = t.cols, .cols = m->rows};
        for (int32_t c = 0; c < t.cols; c++) {
            const Expr *in[WINOGRAD_MAX], *out[WINOGRAD_MAX];
            for (int32_t r = 0; r < t.rows; r++) in[r] = t.at[r][c];
            (m->rows < m->cols ? times_paired : times_column)(w, line, m, in, out);
            for (int32_t r = 0; r < m->rows; r++) y.at[c][r] = out[r]; /* transposed, for the other side */
        }
        t = y;
    }
    return t;
}

/* ---- the phases ----------------------------------------------------------------------------------------------- */

static const Expr *taps_at(Lower *l, const Taps *t, const Expr *block, const Expr *lane, const Expr *tap,
                           const Expr *tile) {
    Coord c = {{t->pic, block, tap, tile}, {ex_int(l->k, 0), lane}};
    return index_at(l, &t->type, &c);
}

static const Expr *tap_load(Lower *l, const Taps *t, const Expr *block, const Expr *lane, int32_t tap,
                            const Expr *tile) {
    return ex_load(l->k, t->buf, taps_at(l, t, block, lane, ex_int(l->k, tap), tile));
}

/* Loops over the tiles of the rows at hand: *ty and *tx the tile, *tile its number within those rows. */
static void tile_loops(Wino *w, Nest *nest, LoopRole rows, const Expr **ty, const Expr **tx, const Expr **tile) {
    Lower *l = w->l;
    const Expr *r = nest_loop(l, nest, "ty", w->rows, rows);
    *ty = add_e(l, w->row0, r);
    *tx = nest_loop(l, nest, "tx", w->across, ROLE_NONE);
    *tile = add_e(l, mul_i(l, r, w->across), *tx);
}

/* V from x, for all channels of x. */
static Stmt *input_nest(Wino *w, Nest *nest, LoopRole role, Ref x, const Taps *v) {
    Lower *l = w->l;
    Kernel *k = l->k;
    const Type *t = &graph_node(l->g, x)->type;
    const Expr *ty, *tx, *tile;
    const Expr *ib = nest_loop(l, nest, "ib", div_up(t->dim[1], t->layout.b1), role);
    tile_loops(w, nest, role, &ty, &tx, &tile);
    Line line = {.seq = st_seq(k), .lanes = t->layout.b1};
    line.lane = nest_loop(l, nest, "i", line.lanes, ROLE_LANE);
    Block d = {.rows = w->side, .cols = w->side};
    for (int32_t i = 0; i < w->side; i++)
        for (int32_t j = 0; j < w->side; j++) {
            Coord c = {{w->pic, ib, add_i(l, mul_i(l, ty, w->attr->tile), i - w->attr->pad[0]),
                        add_i(l, mul_i(l, tx, w->attr->tile), j - w->attr->pad[1])},
                       {ex_int(k, 0), line.lane}};
            d.at[i][j] = load_at(l, x, &c);
        }
    Block y = sandwich(w, &line, &w->m.bt, &d);
    for (int32_t i = 0; i < w->side * w->side; i++)
        st_append(
            k, line.seq,
            st_store(k, v->buf, taps_at(l, v, ib, line.lane, ex_int(k, i), tile), y.at[i / w->side][i % w->side]));
    return nest_wrap(l, nest, line.seq);
}

/* Blocks of input channels at a time, so that the weights of a register tile (four vectors wide at most) stay in
 * two thirds of the first-level cache from one tile to the next; in between the sums lie in M. All of them where no
 * such number divides them, and where all points are one register tile, which reads weights once, as a stream. */
static int64_t input_blocks(const Lower *l, int64_t blocks, int64_t lanes, int64_t points) {
    enum { TILE_WIDTH = 4 };
    if (points <= l->u->machine->vector_registers / 2) return blocks;
    int64_t most = min_i64(blocks, l->u->machine->cache_bytes[0] * 2 / 3 / (TILE_WIDTH * lanes * lanes * 4));
    while (most > 1 && blocks % most) most--;
    return most > 2 ? most : blocks;
}

/* M from V and u for `blocks` blocks of output channels from block `from` on. Small products go tap by tap with all
 * pictures, so that a panel of weights is read once; where a picture has tiles enough, picture by picture. */
static Stmt *product_nest(Wino *w, bool stored, Ref u, const Taps *v, const Taps *m, const Expr *from, int64_t blocks) {
    enum { TILES_ENOUGH = 8 };
    Lower *l = w->l;
    Kernel *k = l->k;
    const Type *t = &graph_node(l->g, u)->type;
    Taps x = *v, y = *m;
    int64_t lanes = t->layout.b0, tiles = v->type.dim[3], rows = t->dim[0] / (w->side * w->side) / lanes;
    Sum s = {0};
    const Expr *tap = nest_loop(l, &s.out, "tap", w->side * w->side, ROLE_TASK);
    bool together = stored && tiles < TILES_ENOUGH;
    if (stored && !together) x.pic = y.pic = nest_loop(l, &s.out, "n", BATCH, ROLE_TASK);
    const Expr *ob = nest_loop(l, &s.out, "ob", blocks, ROLE_BLOCK);
    if (together) x.pic = y.pic = nest_loop(l, &s.out, "n", BATCH, ROLE_POINT);
    int64_t all = div_up(t->dim[1], t->layout.b1), some = input_blocks(l, all, lanes, together ? INT32_MAX : tiles);
    const Expr *part = nest_loop(l, &s.out, "part", all / some, ROLE_NONE), *first = mul_i(l, part, some);
    const Expr *tile = nest_loop(l, &s.out, "t", tiles, ROLE_POINT);
    sum_lane(l, &s, lanes);
    const Expr *ib = add_e(l, first, nest_loop(l, &s.red, "ib", some, ROLE_REDUCE));
    const Expr *i = nest_loop(l, &s.red, "i", t->layout.b1, ROLE_REDUCE);
    Coord weight = {{add_e(l, mul_i(l, tap, rows), add_e(l, from, ob)), ib}, {s.lane, i}};
    const Expr *a = load_at(l, u, &weight), *b = ex_load(k, x.buf, taps_at(l, &x, ib, i, tap, tile));
    const Expr *sum = sum_value(l, &s), *at = taps_at(l, &y, ob, s.lane, tap, tile), *init = NULL;
    if (some < all) init = ex3(k, EX_select, ex2(k, EX_lt, ex_int(k, 0), part), ex_load(k, y.buf, at), num(l, 0));
    return sum_nest(l, &s, a, b, init, st_store(k, y.buf, at, sum));
}

/* The part of a tile that lies in the picture, pixel by pixel, from a copy of the tile in memory. */
static Stmt *cut_tile(Wino *w, const Line *line, const Block *y, const Expr *ob, const Expr *ty, const Expr *tx) {
    Lower *l = w->l;
    Kernel *k = l->k;
    int32_t m = w->attr->tile, tile = lower_local(l, "tile", m * m * line->lanes);
    Nest pixel = {0}, lane = {0};
    const Expr *at[2], *first[2] = {mul_i(l, ty, m), mul_i(l, tx, m)};
    const Expr *o = nest_loop(l, &lane, "o", line->lanes, ROLE_LANE);
    for (int32_t i = 0; i < m * m; i++)
        st_append(k, line->seq, st_store(k, tile, add_i(l, line->lane, i * line->lanes), y->at[i / m][i % m]));
    for (int d = 0; d < 2; d++) {
        const Expr *left = ex2(k, EX_sub, ex_int(k, w->attr->out[1 + d]), first[d]);
        at[d] = nest_range(l, &pixel, d ? "j" : "i", ex_int(k, 0), ex2(k, EX_min, ex_int(k, m), left), ROLE_NONE);
    }
    Coord c = {{w->pic, ob, add_e(l, first[0], at[0]), add_e(l, first[1], at[1])}, {ex_int(k, 0), o}};
    const Expr *from = add_e(l, mul_i(l, add_e(l, mul_i(l, at[0], m), at[1]), line->lanes), o);
    Stmt *finish = lower_finish(l, &c, ex_load(k, tile, from));
    return nest_wrap(l, &pixel, nest_wrap(l, &lane, finish));
}

static void whole_tile(Wino *w, const Line *line, const Block *y, const Expr *ob, const Expr *ty, const Expr *tx) {
    Lower *l = w->l;
    int32_t m = w->attr->tile;
    for (int32_t i = 0; i < m * m; i++) {
        Coord c = {{w->pic, ob, add_i(l, mul_i(l, ty, m), i / m), add_i(l, mul_i(l, tx, m), i % m)},
                   {ex_int(l->k, 0), line->lane}};
        st_append(l->k, line->seq, lower_finish(l, &c, y->at[i / m][i % m]));
    }
}

/* The result from M, for `blocks` blocks of channels from block `from` on. */
static Stmt *output_nest(Wino *w, Nest *nest, LoopRole role, const Taps *m, const Expr *from, int64_t blocks) {
    Lower *l = w->l;
    Kernel *k = l->k;
    const Expr *ty, *tx, *tile;
    Nest lane = {0};
    const Expr *block = nest_loop(l, nest, "ob", blocks, role), *ob = add_e(l, from, block);
    tile_loops(w, nest, role, &ty, &tx, &tile);
    Line line = {.seq = st_seq(k), .lanes = m->type.layout.b1};
    line.lane = nest_loop(l, &lane, "o", line.lanes, ROLE_LANE);
    Block d = {.rows = w->side, .cols = w->side};
    for (int32_t i = 0; i < w->side * w->side; i++)
        d.at[i / w->side][i % w->side] = tap_load(l, m, block, line.lane, i, tile);
    Block y = sandwich(w, &line, &w->m.at, &d);
    bool whole = w->attr->out[1] % w->attr->tile == 0 && w->attr->out[2] % w->attr->tile == 0;
    Stmt *body = st_seq(k), *rest = NULL;
    if (whole)
        whole_tile(w, &line, &y, ob, ty, tx);
    else
        rest = cut_tile(w, &line, &y, ob, ty, tx);
    st_append(k, body, nest_wrap(l, &lane, line.seq));
    if (rest) st_append(k, body, rest);
    return nest_wrap(l, nest, body);
}

/* ---- kernels -------------------------------------------------------------------------------------------------- */

static Taps stored_taps(Lower *l, Ref node, const Expr *pic) {
    return (Taps){lower_arg(l, node), graph_node(l->g, node)->type, pic};
}

/* Room for `tiles` tiles of `channels` channels in scratch memory. */
static Taps local_taps(Lower *l, const char *name, const Type *like, int64_t channels, int64_t tiles) {
    Taps t = {.type = *like, .pic = ex_int(l->k, 0)};
    t.type.dim[0] = 1;
    t.type.dim[1] = (int32_t)channels;
    t.type.dim[3] = (int32_t)tiles;
    t.buf = lower_local(l, name, type_stored(&t.type));
    return t;
}

/* Blocks of output channels whose sums stay in the cache together with the band's transformed input. */
static int64_t chunk_blocks(const Lower *l, const Type *m, int64_t tiles) {
    int64_t blocks = div_up(m->dim[1], m->layout.b1), block_bytes = 4 * m->layout.b1 * m->dim[2] * tiles;
    int64_t most = max_i64(1, l->u->machine->cache_bytes[1] / 5 / block_bytes);
    for (int64_t n = blocks; n > 1; n--)
        if (blocks % n == 0 && n <= most) return n;
    return 1;
}

/* All phases of a band of tiles in one kernel. */
static void lower_band(Lower *l, Ref input, Ref product, Ref output) {
    const Node *n = graph_node(l->g, input), *p = graph_node(l->g, product);
    Nest bands = {0}, in = {0}, chunks = {0}, out = {0};
    while (l->member[l->head] != output) l->head++;
    lower_begin(l);
    Kernel *k = l->k;
    Wino w = wino_of(l, n);
    int64_t tiles = (int64_t)w.attr->band * w.across, blocks = chunk_blocks(l, &p->type, tiles);
    w.pic = nest_loop(l, &bands, "n", BATCH, ROLE_TASK);
    w.row0 = mul_i(l, nest_loop(l, &bands, "band", w.rows / w.attr->band, ROLE_TASK), w.attr->band);
    w.rows = w.attr->band;
    Taps v = local_taps(l, "v", &n->type, n->type.dim[1], tiles);
    Taps m = local_taps(l, "m", &p->type, blocks * p->type.layout.b1, tiles);
    Stmt *body = st_seq(k), *chunk = st_seq(k);
    st_append(k, body, input_nest(&w, &in, ROLE_NONE, n->in[0], &v));
    int64_t n_chunk = div_up(p->type.dim[1], p->type.layout.b1) / blocks;
    const Expr *from = mul_i(l, nest_loop(l, &chunks, "chunk", n_chunk, ROLE_NONE), blocks);
    st_append(k, chunk, product_nest(&w, false, p->in[1], &v, &m, from, blocks));
    st_append(k, chunk, output_nest(&w, &out, ROLE_NONE, &m, from, blocks));
    st_append(k, body, nest_wrap(l, &chunks, chunk));
    lower_end(l, nest_wrap(l, &bands, body));
}

const Expr *lower_winograd_input(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    if (n->attr.winograd.band) {
        lower_band(l, node, l->member[1], l->member[2]);
        return NULL;
    }
    Nest nest = {0};
    lower_begin(l);
    Wino w = wino_of(l, n);
    w.pic = nest_loop(l, &nest, "n", BATCH, ROLE_TASK);
    Taps v = stored_taps(l, node, w.pic);
    lower_end(l, input_nest(&w, &nest, ROLE_TASK, n->in[0], &v));
    return NULL;
}

const Expr *lower_winograd_product(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    lower_begin(l);
    Wino w = wino_of(l, n);
    Taps v = stored_taps(l, n->in[0], NULL), m = stored_taps(l, node, NULL);
    int64_t blocks = div_up(n->type.dim[1], n->type.layout.b1);
    lower_end(l, product_nest(&w, true, n->in[1], &v, &m, ex_int(l->k, 0), blocks));
    return NULL;
}

const Expr *lower_winograd_output(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    Nest nest = {0};
    lower_begin(l);
    Wino w = wino_of(l, n);
    w.pic = nest_loop(l, &nest, "n", BATCH, ROLE_TASK);
    Taps m = stored_taps(l, n->in[0], w.pic);
    int64_t blocks = div_up(n->type.dim[1], n->type.layout.b1);
    lower_end(l, output_nest(&w, &nest, ROLE_TASK, &m, ex_int(l->k, 0), blocks));
    return NULL;
}

/* Where blocks are smaller than the 16 rows that a tap is padded to, the last of them have no weight to come from. */
const Expr *lower_winograd_weight(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    const Type *from = &graph_node(l->g, n->in[0])->type, *t = &n->type;
    Nest nest = {0};
    if (round_up(from->dim[0], 16) != round_up(from->dim[0], t->layout.b0)) lower_zero(l, node);
    lower_begin(l);
    Kernel *k = l->k;
    Wino w = wino_of(l, n);
    int32_t r = w.attr->kernel;
    const Expr *ob = nest_loop(l, &nest, "ob", div_up(from->dim[0], from->layout.b0), ROLE_TASK);
    const Expr *ib = nest_loop(l, &nest, "ib", div_up(from->dim[1], from->layout.b1), ROLE_TASK);
    const Expr *i = nest_loop(l, &nest, "i", from->layout.b1, ROLE_NONE);
    Line line = {.seq = st_seq(k), .lanes = from->layout.b0};
    line.lane = nest_loop(l, &nest, "o", line.lanes, ROLE_LANE);
    Block x = {.rows = r, .cols = r};
    for (int32_t j = 0; j < r * r; j++) {
        int32_t tap = w.attr->flip ? r * r - 1 - j : j;
        Coord c = {{ob, ib, ex_int(k, tap / r), ex_int(k, tap % r)}, {line.lane, i}};
        x.at[j / r][j % r] = load_at(l, n->in[0], &c);
    }
    Block y = sandwich(&w, &line, &w.m.g, &x);
    for (int32_t j = 0; j < w.side * w.side; j++) {
        Coord c = {{add_i(l, ob, j * (t->dim[0] / (w.side * w.side) / t->layout.b0)), ib}, {line.lane, i}};
        st_append(k, line.seq, st_store(k, lower_arg(l, node), index_at(l, t, &c), y.at[j / w.side][j % w.side]));
    }
    lower_end(l, nest_wrap(l, &nest, line.seq));
    return NULL;
}
