/* Layer norm: the channels of each pixel, by themselves, less their mean and divided by their deviation.
 *
 * A task is a row of a picture. It goes through tiles of neighbouring pixels, and for a tile several times through its
 * channel blocks, which the first time brings into the first-level cache: for the mean, for the squares of what differs
 * from it, for the result. A block of a tile is contiguous in memory; sums are kept by lanes, and added up at the end. */
#include "lower.h"

enum { TILE = 4, MAX_SUMS = 3 };

typedef struct Tile {
    const Type *t;
    Coord first; /* its first pixel, without channels */
    int32_t pixels;
    int64_t lanes;
    Ref x, dy, gain; /* operands; 0 if there is none: then what they stand for is 1 */
    int32_t mean, r; /* registers, one number a pixel; r: 1 / deviation */
    int32_t sums;    /* scratch memory, one number a channel */
} Tile;

/* Loops over blocks, pixels and lanes. */
typedef struct Walk {
    Nest block, lane;
    int32_t var;
    Coord c;
    const Expr *pixel, *at; /* its number in the tile; place in registers of one number a pixel and lane */
} Walk;

static Walk walk_begin(Lower *l, const Tile *t, bool blocks) {
    Walk w = {.c = t->first, .var = kernel_add_var(l->k, "p")};
    w.pixel = t->pixels > 1 ? ex_var(l->k, w.var) : ex_int(l->k, 0);
    if (blocks) w.c.outer[1] = nest_loop(l, &w.block, "cb", div_up(t->t->dim[1], t->lanes), ROLE_NONE);
    if (t->t->rank > 3) w.c.outer[3] = add_e(l, t->first.outer[3], w.pixel);
    w.c.lane[1] = nest_loop(l, &w.lane, "i", t->lanes, ROLE_LANE);
    w.at = add_e(l, mul_i(l, w.pixel, t->lanes), w.c.lane[1]);
    return w;
}

static Stmt *for_pixels(Lower *l, const Tile *t, const Walk *w, Stmt *body) {
    if (t->pixels == 1) return body;
    return st_for(l->k, w->var, ex_int(l->k, 0), ex_int(l->k, t->pixels), LOOP_UNROLL, ROLE_NONE, body);
}

static Stmt *walk_end(Lower *l, const Tile *t, const Walk *w, Stmt *body) {
    return nest_wrap(l, &w->block, for_pixels(l, t, w, nest_wrap(l, &w->lane, body)));
}

/* ---- values at an element of a walk --------------------------------------------------------------------------- */

static const Expr *of_pixel(Lower *l, const Walk *w, int32_t reg) { return ex_load(l->k, reg, w->pixel); }

static const Expr *centred(Lower *l, const Tile *t, const Walk *w) {
    const Expr *x = load_at(l, t->x, &w->c);
    return zero_pads(l, t->t, &w->c, ex2(l->k, EX_sub, x, of_pixel(l, w, t->mean)));
}

/* The gradient of the standardised number. */
static const Expr *steep(Lower *l, const Tile *t, const Walk *w) {
    const Expr *dy = load_at(l, t->dy, &w->c);
    return t->gain ? mul_e(l, dy, ex_load(l->k, lower_arg(l, t->gain), coord_channel(l, t->t, &w->c))) : dy;
}

typedef const Expr *Term(Lower *l, const Tile *t, const Walk *w);

static const Expr *term_square(Lower *l, const Tile *t, const Walk *w) {
    const Expr *d = centred(l, t, w);
    return mul_e(l, d, d);
}

static const Expr *term_product(Lower *l, const Tile *t, const Walk *w) {
    return mul_e(l, steep(l, t, w), centred(l, t, w));
}

/* ---- sums over channels --------------------------------------------------------------------------------------- */

/* Sets one register of each pixel; the value is at the walk's pixel. */
static void set_pixels(Lower *l, const Tile *t, Stmt *body, const Walk *w, int32_t reg, const Expr *value) {
    st_append(l->k, body, for_pixels(l, t, w, st_store(l->k, reg, w->pixel, value)));
}

/* mean[p] = the sum of the pixel's lanes of `part`, divided by how many channels there are. */
static void fold(Lower *l, const Tile *t, Stmt *body, int32_t part, int32_t mean) {
    Walk w = walk_begin(l, t, false);
    set_pixels(l, t, body, &w, mean, num(l, 0));
    w = walk_begin(l, t, false);
    const Expr *more = add_e(l, of_pixel(l, &w, mean), ex_load(l->k, part, w.at));
    st_append(l->k, body, walk_end(l, t, &w, st_store(l->k, mean, w.pixel, more)));
    w = walk_begin(l, t, false);
    set_pixels(l, t, body, &w, mean, ex2(l->k, EX_div, of_pixel(l, &w, mean), num(l, t->t->dim[1])));
}

/* mean[i], one number a pixel, becomes the mean of term[i] over the channels. */
static void means(Lower *l, const Tile *t, Stmt *body, int n, Term *const *term, const int32_t *mean) {
    Kernel *k = l->k;
    int32_t part[MAX_SUMS];
    Walk w = walk_begin(l, t, false);
    Stmt *start = st_seq(k), *add = st_seq(k);
    for (int i = 0; i < n; i++) {
        part[i] = lower_reg(l, "part", DT_F32, t->lanes * t->pixels);
        st_append(k, start, st_store(k, part[i], w.at, num(l, 0)));
    }
    st_append(k, body, walk_end(l, t, &w, start));
    w = walk_begin(l, t, true);
    for (int i = 0; i < n; i++)
        st_append(k, add, st_store(k, part[i], w.at, add_e(l, ex_load(k, part[i], w.at), term[i](l, t, &w))));
    st_append(k, body, walk_end(l, t, &w, add));
    for (int i = 0; i < n; i++) fold(l, t, body, part[i], mean[i]);
}

/* t->r from the variance, which it holds. */
static void invert_deviation(Lower *l, const Tile *t, Stmt *body, double eps) {
    Walk w = walk_begin(l, t, false);
    const Expr *deviation = ex1(l->k, EX_sqrt, add_e(l, of_pixel(l, &w, t->r), num(l, eps)));
    set_pixels(l, t, body, &w, t->r, ex2(l->k, EX_div, num(l, 1), deviation));
}

/* t->mean: the pixel's first channel, and the mean of what differs from it: so what the roundings of a sum leave is a
 * small part of the deviation, not of the mean, and nothing of a pixel of one number, where it would be divided by
 * sqrt(eps). */
static void find_mean(Lower *l, const Tile *t, Stmt *body) {
    Walk w = walk_begin(l, t, false);
    w.c.outer[1] = w.c.lane[1] = ex_int(l->k, 0);
    set_pixels(l, t, body, &w, t->mean, load_at(l, t->x, &w.c));
    means(l, t, body, 1, (Term *const[]){centred}, &t->r);
    w = walk_begin(l, t, false);
    set_pixels(l, t, body, &w, t->mean, add_e(l, of_pixel(l, &w, t->mean), of_pixel(l, &w, t->r)));
}

static void statistics(Lower *l, const Tile *t, Stmt *body, double eps) {
    find_mean(l, t, body);
    means(l, t, body, 1, (Term *const[]){term_square}, &t->r);
    invert_deviation(l, t, body, eps);
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

typedef void TileRule(Lower *l, Ref node, const Tile *t, Stmt *body);

static void tile_at(Lower *l, Ref node, Tile t, const Expr *column, int32_t pixels, TileRule *rule, Stmt *body) {
    if (pixels == 0) return;
    t.pixels = pixels;
    t.first.outer[3] = column;
    t.mean = lower_reg(l, "mean", DT_F32, pixels);
    t.r = lower_reg(l, "r", DT_F32, pixels);
    rule(l, node, &t, body);
}

/* The tiles of the row t.first. */
static void row_tiles(Lower *l, Ref node, const Tile *t, TileRule *rule, Stmt *body) {
    int32_t width = type_width(t->t);
    Nest nest = {0};
    Stmt *whole = st_seq(l->k);
    if (width >= TILE) {
        const Expr *column = mul_i(l, nest_loop(l, &nest, "w", width / TILE, ROLE_NONE), TILE);
        tile_at(l, node, *t, column, TILE, rule, whole);
        st_append(l->k, body, nest_wrap(l, &nest, whole));
    }
    tile_at(l, node, *t, ex_int(l->k, width / TILE * TILE), width % TILE, rule, body);
}

/* Loops over rows of x; t->first is the row. */
static Nest rows_of(Lower *l, Tile *t) {
    Nest rows = {0};
    t->lanes = t->t->layout.b1;
    t->first.lane[0] = ex_int(l->k, 0);
    t->first.outer[0] = nest_loop(l, &rows, "n", BATCH, ROLE_TASK);
    if (t->t->rank > 2) t->first.outer[2] = nest_loop(l, &rows, "h", t->t->dim[2], ROLE_TASK);
    return rows;
}

static void by_rows(Lower *l, Ref node, Tile t, TileRule *rule) {
    t.t = &graph_node(l->g, t.x)->type;
    lower_begin(l);
    Nest rows = rows_of(l, &t);
    Stmt *body = st_seq(l->k);
    row_tiles(l, node, &t, rule, body);
    lower_end(l, nest_wrap(l, &rows, body));
}

/* ---- rules ------------------------------------------------------------------------------------------------------ */

static double eps_of(const Lower *l, Ref node) { return graph_node(l->g, node)->attr.eps.eps; }

static void normalise(Lower *l, Ref node, const Tile *t, Stmt *body) {
    const Node *n = graph_node(l->g, node);
    statistics(l, t, body, n->attr.eps.eps);
    Walk w = walk_begin(l, t, true);
    const Expr *channel = coord_channel(l, t->t, &w.c), *weight = ex_load(l->k, lower_arg(l, n->in[1]), channel);
    const Expr *standard = mul_e(l, centred(l, t, &w), of_pixel(l, &w, t->r));
    const Expr *y = ex3(l->k, EX_fma, standard, weight, ex_load(l->k, lower_arg(l, n->in[2]), channel));
    st_append(l->k, body, walk_end(l, t, &w, lower_finish(l, &w.c, y)));
}

const Expr *lower_layer_norm(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    by_rows(l, node, (Tile){.x = graph_node(l->g, node)->in[0]}, normalise);
    return NULL;
}

/* dx = r (g - mean of g - s mean of g s), where g is the gradient of the standardised s = (x - mean) r. */
static void gradient(Lower *l, Ref node, const Tile *t, Stmt *body) {
    Kernel *k = l->k;
    int32_t offset = lower_reg(l, "offset", DT_F32, t->pixels), slope = lower_reg(l, "slope", DT_F32, t->pixels);
    find_mean(l, t, body);
    means(l, t, body, 3, (Term *const[]){term_square, steep, term_product}, (const int32_t[]){t->r, offset, slope});
    invert_deviation(l, t, body, eps_of(l, node));
    Walk w = walk_begin(l, t, false);
    const Expr *r = of_pixel(l, &w, t->r);
    set_pixels(l, t, body, &w, slope, mul_e(l, of_pixel(l, &w, slope), mul_e(l, r, r)));
    w = walk_begin(l, t, true);
    const Expr *level = ex2(k, EX_sub, steep(l, t, &w), of_pixel(l, &w, offset));
    const Expr *tilt = mul_e(l, centred(l, t, &w), of_pixel(l, &w, slope));
    const Expr *dx = mul_e(l, of_pixel(l, &w, t->r), ex2(k, EX_sub, level, tilt));
    st_append(k, body, walk_end(l, t, &w, lower_finish(l, &w.c, zero_pads(l, t->t, &w.c, dx))));
}

const Expr *lower_layer_norm_grad(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    by_rows(l, node, (Tile){.dy = n->in[0], .x = n->in[1], .gain = n->in[2]}, gradient);
    return NULL;
}

static void accumulate(Lower *l, Ref node, const Tile *t, Stmt *body) {
    statistics(l, t, body, eps_of(l, node));
    Walk w = walk_begin(l, t, true);
    const Expr *at = coord_channel(l, t->t, &w.c), *sum = ex_load(l->k, t->sums, at);
    const Expr *product = mul_e(l, term_product(l, t, &w), of_pixel(l, &w, t->r));
    st_append(l->k, body, walk_end(l, t, &w, st_store(l->k, t->sums, at, add_e(l, sum, product))));
}

/* Sums of dy s along rows. */
const Expr *lower_layer_norm_dot(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    Tile t = {.dy = n->in[0], .x = n->in[1], .t = &graph_node(l->g, n->in[1])->type};
    lower_begin(l);
    Kernel *k = l->k;
    Nest rows = rows_of(l, &t), nest[2] = {{0}, {0}};
    int64_t blocks = div_up(t.t->dim[1], t.lanes);
    t.sums = lower_local(l, "sums", blocks * t.lanes);
    Stmt *body = st_seq(k);
    Coord c[2] = {t.first, t.first};
    for (int i = 0; i < 2; i++) {
        c[i].outer[1] = nest_loop(l, &nest[i], "cb", blocks, ROLE_NONE);
        c[i].lane[1] = nest_loop(l, &nest[i], "i", t.lanes, ROLE_LANE);
        c[i].outer[3] = ex_int(k, 0);
    }
    Stmt *zero = st_store(k, t.sums, coord_channel(l, t.t, &c[0]), num(l, 0));
    st_append(k, body, nest_wrap(l, &nest[0], zero));
    row_tiles(l, node, &t, accumulate, body);
    const Expr *sum = ex_load(k, t.sums, coord_channel(l, t.t, &c[1]));
    st_append(k, body, nest_wrap(l, &nest[1], lower_finish(l, &c[1], sum)));
    lower_end(l, nest_wrap(l, &rows, body));
    return NULL;
}
