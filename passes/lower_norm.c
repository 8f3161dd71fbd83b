/* Normalisations and reductions to channels: local response normalisation, mean, variance, sums. */
#include <float.h>
#include <math.h>

#include "lower.h"

static const Type *operand_type(Lower *l, const Node *n, int i) { return &graph_node(l->g, n->in[i])->type; }

/* ---- local response normalisation: windows of channels ------------------------------------------------------- */

/* Sum of a line from `first` to `last` channels away. */
static const Expr *line_sum(Lower *l, int32_t buf, const Expr *at, int32_t first, int32_t last) {
    const Expr *sum = ex_load(l->k, buf, add_i(l, at, first));
    for (int32_t j = first + 1; j <= last; j++) sum = add_e(l, sum, ex_load(l->k, buf, add_i(l, at, j)));
    return sum;
}

/* x^exponent of a number that is >= 0, or not a number. Powers by quarters, which all published nets have, are products
 * of reciprocal roots: x^(-3/4) = r sqrt(r) = r (r rsqrt(r)) with r = rsqrt(x). r is kept in a register, which seq
 * sets. The largest float has a root, infinity none. */
static const Expr *power(Lower *l, Stmt *seq, const Expr *lane, int64_t lanes, const Expr *x, double exponent) {
    double quarters = -4 * exponent;
    if (!(quarters >= 1 && quarters <= 16 && quarters == floor(quarters)))
        return ex1(l->k, EX_exp, ex2(l->k, EX_mul, num(l, exponent), ex1(l->k, EX_log, x)));
    int32_t reg = lower_reg(l, "root", DT_F32, lanes), n = (int32_t)quarters;
    const Expr *r = ex_load(l->k, reg, lane);
    st_append(l->k, seq, st_store(l->k, reg, lane, ex1(l->k, EX_rsqrt, ex2(l->k, EX_min, num(l, FLT_MAX), x))));
    const Expr *y = n % 2 ? mul_e(l, r, ex1(l->k, EX_rsqrt, r)) : r;
    for (int32_t i = n % 2 ? 1 : 2; i < n; i += 2) y = mul_e(l, y, r);
    return y;
}

/* t = k + alpha/size * sum of squares in the window of channel c: c - size/2 .. c + (size-1)/2, as PyTorch. `line` is
 * the place of channel c's square in buf. */
static const Expr *lrn_scale(Lower *l, const LrnAttr *a, int32_t buf, const Expr *line) {
    const Expr *sum = line_sum(l, buf, line, -(a->size / 2), (a->size - 1) / 2);
    return ex3(l->k, EX_fma, num(l, a->alpha / a->size), sum, num(l, a->k));
}

/* Row by row and block by block: the windows of a block's channels reach into the blocks before and after, whose
 * squares are in registers beside its own. */
static Stmt *lrn_block(Lower *l, Ref node, const Coord *row, const Expr *cb, bool first, bool last) {
    Kernel *k = l->k;
    const Node *n = graph_node(l->g, node);
    int64_t lanes = n->type.layout.b1;
    int32_t squares = lower_reg(l, "squares", DT_F32, 3 * lanes);
    Nest pixel = {0}, square = {0}, lane = {0};
    Coord c = *row;
    c.outer[1] = cb;
    c.outer[3] = nest_loop(l, &pixel, "w", n->type.dim[3], ROLE_NONE);
    c.lane[1] = nest_loop(l, &square, "i", lanes, ROLE_LANE);
    Stmt *body = st_seq(k), *all = st_seq(k), *one = st_seq(k);
    for (int i = 0; i < 3; i++) {
        Coord at = c;
        at.outer[1] = add_i(l, cb, i - 1);
        bool outside = (i == 0 && first) || (i == 2 && last);
        const Expr *x = outside ? num(l, 0) : load_at(l, n->in[0], &at);
        st_append(k, all, st_store(k, squares, add_i(l, c.lane[1], i * lanes), outside ? x : mul_e(l, x, x)));
    }
    st_append(k, body, nest_wrap(l, &square, all));
    c.lane[1] = nest_loop(l, &lane, "i", lanes, ROLE_LANE);
    const Expr *t = lrn_scale(l, &n->attr.lrn, squares, add_i(l, c.lane[1], lanes));
    const Expr *factor = power(l, one, c.lane[1], lanes, t, -n->attr.lrn.beta);
    const Expr *y = zero_pads(l, &n->type, &c, mul_e(l, load_at(l, n->in[0], &c), factor));
    st_append(k, one, lower_finish(l, &c, y));
    st_append(k, body, nest_wrap(l, &lane, one));
    return nest_wrap(l, &pixel, body);
}

static void lrn_by_blocks(Lower *l, Ref node) {
    const Type *t = &graph_node(l->g, node)->type;
    int64_t blocks = div_up(t->dim[1], t->layout.b1);
    Nest rows = {0}, middle = {0};
    Coord row = {{nest_loop(l, &rows, "n", BATCH, ROLE_TASK)}, {ex_int(l->k, 0)}};
    row.outer[2] = nest_loop(l, &rows, "h", t->dim[2], ROLE_TASK);
    Stmt *body = st_seq(l->k);
    st_append(l->k, body, lrn_block(l, node, &row, ex_int(l->k, 0), true, blocks == 1));
    if (blocks > 2) {
        const Expr *cb = nest_range(l, &middle, "cb", ex_int(l->k, 1), ex_int(l->k, blocks - 1), ROLE_NONE);
        st_append(l->k, body, nest_wrap(l, &middle, lrn_block(l, node, &row, cb, false, false)));
    }
    if (blocks > 1) st_append(l->k, body, lrn_block(l, node, &row, ex_int(l->k, blocks - 1), false, true));
    lower_end(l, nest_wrap(l, &rows, body));
}

/* Wider windows, and gradients: one pixel at a time. Its channels lie blocks apart in memory, so they are gathered into
 * a line with room for the window on both sides; on the line a window is an unaligned vector. */
typedef struct Lrn {
    Nest pixel;
    Coord at;                            /* the pixel; channel block and lane are filled in by each loop */
    int64_t blocks, lanes, before, line; /* elements in front of channel 0; whole line */
    const LrnAttr *attr;
} Lrn;

static Lrn lrn_pixel(Lower *l, const Type *t, const LrnAttr *a) {
    Lrn p = {.attr = a, .blocks = div_up(t->dim[1], t->layout.b1), .lanes = t->layout.b1, .before = a->size};
    p.line = p.blocks * p.lanes + 2 * a->size;
    p.at.outer[0] = nest_loop(l, &p.pixel, "n", BATCH, ROLE_TASK);
    if (t->rank > 2) p.at.outer[2] = nest_loop(l, &p.pixel, "h", t->dim[2], ROLE_TASK);
    if (t->rank > 3) p.at.outer[3] = nest_loop(l, &p.pixel, "w", t->dim[3], ROLE_NONE);
    p.at.lane[0] = ex_int(l->k, 0);
    return p;
}

/* Loops over the channels of the pixel; *c is the element, *line its place on a line. */
static Nest lrn_channels(Lower *l, const Lrn *p, Coord *c, const Expr **line) {
    Nest nest = {0};
    *c = p->at;
    c->outer[1] = nest_loop(l, &nest, "cb", p->blocks, ROLE_NONE);
    c->lane[1] = nest_loop(l, &nest, "i", p->lanes, ROLE_LANE);
    *line = add_e(l, add_i(l, mul_i(l, c->outer[1], p->lanes), p->before), c->lane[1]);
    return nest;
}

static Stmt *zero_ends(Lower *l, const Lrn *p, int32_t buf) {
    Stmt *seq = st_seq(l->k);
    for (int side = 0; side < 2; side++) {
        Nest nest = {0};
        int64_t from = side ? p->line - p->before : 0;
        const Expr *i = nest_loop(l, &nest, "e", p->before, ROLE_NONE);
        st_append(l->k, seq, nest_wrap(l, &nest, st_store(l->k, buf, add_i(l, i, from), num(l, 0))));
    }
    return seq;
}

/* Puts the squares of the node's channels on a line. */
static Stmt *fill_squares(Lower *l, const Lrn *p, Ref x, int32_t squares) {
    Coord c;
    const Expr *line;
    Stmt *seq = zero_ends(l, p, squares);
    Nest nest = lrn_channels(l, p, &c, &line);
    const Expr *v = load_at(l, x, &c);
    st_append(l->k, seq, nest_wrap(l, &nest, st_store(l->k, squares, line, mul_e(l, v, v))));
    return seq;
}

const Expr *lower_lrn(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    lower_begin(l);
    if (n->attr.lrn.size / 2 <= n->type.layout.b1) {
        lrn_by_blocks(l, node);
        return NULL;
    }
    Lrn p = lrn_pixel(l, &n->type, &n->attr.lrn);
    int32_t squares = lower_local(l, "squares", p.line);
    Coord c;
    const Expr *line;
    Stmt *body = fill_squares(l, &p, n->in[0], squares);
    Nest nest = lrn_channels(l, &p, &c, &line);
    Stmt *one = st_seq(l->k);
    const Expr *factor = power(l, one, c.lane[1], p.lanes, lrn_scale(l, p.attr, squares, line), -p.attr->beta);
    const Expr *y = zero_pads(l, &n->type, &c, mul_e(l, load_at(l, n->in[0], &c), factor));
    st_append(l->k, one, lower_finish(l, &c, y));
    st_append(l->k, body, nest_wrap(l, &nest, one));
    lower_end(l, nest_wrap(l, &p.pixel, body));
    return NULL;
}

/* dx_c = dy_c t_c^-b - 2 b alpha/size x_c * sum over windows j that hold c of dy_j x_j t_j^(-b-1). */
const Expr *lower_lrn_grad(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    const LrnAttr *a = &n->attr.lrn;
    lower_begin(l);
    Kernel *k = l->k;
    Lrn p = lrn_pixel(l, &n->type, a);
    int32_t squares = lower_local(l, "squares", p.line), share = lower_local(l, "share", p.line);
    Coord c;
    const Expr *line;
    Stmt *body = fill_squares(l, &p, n->in[1], squares);
    st_append(k, body, zero_ends(l, &p, share));
    Nest nest = lrn_channels(l, &p, &c, &line);
    const Expr *product = mul_e(l, load_at(l, n->in[0], &c), load_at(l, n->in[1], &c));
    Stmt *one = st_seq(k), *last = st_seq(k);
    const Expr *t = lrn_scale(l, a, squares, line);
    const Expr *s = mul_e(l, product, power(l, one, c.lane[1], p.lanes, t, -a->beta - 1));
    st_append(k, one, st_store(k, share, line, s));
    st_append(k, body, nest_wrap(l, &nest, one));
    nest = lrn_channels(l, &p, &c, &line);
    const Expr *sum = line_sum(l, share, line, -((a->size - 1) / 2), a->size / 2);
    t = lrn_scale(l, a, squares, line);
    const Expr *direct = mul_e(l, load_at(l, n->in[0], &c), power(l, last, c.lane[1], p.lanes, t, -a->beta));
    const Expr *back = mul_e(l, num(l, -2 * a->beta * a->alpha / a->size), load_at(l, n->in[1], &c));
    st_append(k, last, lower_finish(l, &c, zero_pads(l, &n->type, &c, ex3(k, EX_fma, back, sum, direct))));
    st_append(k, body, nest_wrap(l, &nest, last));
    lower_end(l, nest_wrap(l, &p.pixel, body));
    return NULL;
}

/* ---- reductions over pictures and pixels ---------------------------------------------------------------------- */

/* One channel block: rows are summed by themselves, then added up, which keeps the rounding error of long sums small. */
typedef struct Reduce {
    Nest out; /* pictures, if each has a sum of its own; channel blocks, lane */
    const Expr *pic, *lane, *cb; /* pic NULL: over all pictures */
    const Type *x;
    int64_t lanes;
} Reduce;

static Reduce reduce_begin(Lower *l, const Type *x, bool by_picture) {
    Reduce r = {.x = x, .lanes = x->layout.b1};
    ICE_UNLESS(type_batched(x) && x->rank >= 2, "a channel reduction of an unbatched tensor");
    if (by_picture) r.pic = nest_loop(l, &r.out, "n", BATCH, ROLE_TASK);
    r.cb = nest_loop(l, &r.out, "cb", div_up(x->dim[1], x->layout.b1), ROLE_TASK);
    r.lane = nest_loop(l, &r.out, "i", r.lanes, ROLE_LANE);
    return r;
}

/* total = sum over all elements of `term` at c, which the caller builds between begin and end. */
typedef struct ReduceSum {
    Nest rows, row;
    Coord c;
    int32_t total, part;
} ReduceSum;

static ReduceSum sum_begin(Lower *l, const Reduce *r, const char *name) {
    ReduceSum s = {0};
    s.total = lower_reg(l, name, DT_F32, r->lanes);
    s.part = lower_reg(l, "part", DT_F32, r->lanes);
    s.c.outer[0] = r->pic ? r->pic : nest_loop(l, &s.rows, "n", BATCH, ROLE_REDUCE);
    s.c.outer[1] = r->cb;
    if (r->x->rank > 2) s.c.outer[2] = nest_loop(l, &s.rows, "h", r->x->dim[2], ROLE_REDUCE);
    if (r->x->rank > 3) s.c.outer[3] = nest_loop(l, &s.row, "w", r->x->dim[3], ROLE_REDUCE);
    s.c.lane[0] = ex_int(l->k, 0);
    s.c.lane[1] = r->lane;
    return s;
}

static void sum_end(Lower *l, const Reduce *r, const ReduceSum *s, Stmt *body, const Expr *term) {
    Kernel *k = l->k;
    const Expr *part = ex_load(k, s->part, r->lane), *total = ex_load(k, s->total, r->lane);
    Stmt *one_row = st_seq(k);
    st_append(k, one_row, st_store(k, s->part, r->lane, num(l, 0)));
    st_append(k, one_row, nest_wrap(l, &s->row, st_store(k, s->part, r->lane, add_e(l, part, term))));
    st_append(k, one_row, st_store(k, s->total, r->lane, add_e(l, total, part)));
    st_append(k, body, st_store(k, s->total, r->lane, num(l, 0)));
    st_append(k, body, nest_wrap(l, &s->rows, one_row));
}

static const Expr *count(Lower *l, const Reduce *r) { /* of what is summed, as a float */
    int64_t pixels = (int64_t)type_height(r->x) * type_width(r->x);
    return r->pic ? num(l, (double)pixels) : ex1(l->k, EX_tofloat, mul_i(l, ex_batch(l->k), pixels));
}

static void reduce_end(Lower *l, const Reduce *r, Stmt *body, const Expr *value) {
    const Expr *zero = ex_int(l->k, 0);
    Coord vector = {{r->cb}, {r->lane}}, planes = {{r->pic, r->cb, zero, zero}, {zero, r->lane}};
    const Coord c = r->pic ? planes : vector;
    st_append(l->k, body, lower_finish(l, &c, value));
    lower_end(l, nest_wrap(l, &r->out, body));
}

/* The sum over all elements of the operand, or of the product of two; divided by how many there are for a mean. */
static const Expr *reduce_one(Lower *l, Ref node, bool by_picture, bool divide) {
    const Node *n = graph_node(l->g, node);
    lower_begin(l);
    Reduce r = reduce_begin(l, operand_type(l, n, 0), by_picture);
    Stmt *body = st_seq(l->k);
    ReduceSum s = sum_begin(l, &r, "total");
    const Expr *term = load_at(l, n->in[0], &s.c);
    if (n->n_in == 2) term = mul_e(l, term, load_at(l, n->in[1], &s.c));
    sum_end(l, &r, &s, body, term);
    const Expr *total = ex_load(l->k, s.total, r.lane);
    reduce_end(l, &r, body, divide ? ex2(l->k, EX_div, total, count(l, &r)) : total);
    return NULL;
}

const Expr *lower_mean(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    return reduce_one(l, node, false, true);
}

const Expr *lower_channel_sum(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    return reduce_one(l, node, false, false);
}

const Expr *lower_channel_dot(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    return reduce_one(l, node, false, false);
}

const Expr *lower_plane_dot(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    return reduce_one(l, node, true, false);
}

/* A few hundred numbers: one after the other. */
const Expr *lower_total(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    Nest channels = {0};
    lower_begin(l);
    Kernel *k = l->k;
    const Expr *zero = ex_int(k, 0);
    int32_t sum = lower_reg(l, "sum", DT_F32, 1);
    Stmt *body = st_seq(k);
    st_append(k, body, st_store(k, sum, zero, num(l, 0)));
    const Expr *c = nest_loop(l, &channels, "c", operand_type(l, n, 0)->dim[0], ROLE_NONE);
    const Expr *more = add_e(l, ex_load(k, sum, zero), ex_load(k, lower_arg(l, n->in[0]), c));
    st_append(k, body, nest_wrap(l, &channels, st_store(k, sum, zero, more)));
    st_append(k, body, st_store(k, lower_arg(l, node), zero, ex_load(k, sum, zero)));
    lower_end(l, body);
    lower_zero_pads(l, node);
    return NULL;
}

/* result[o] = the sum of the lanes of acc, in their order. */
static void sum_lanes(Lower *l, Stmt *body, int32_t acc, int64_t lanes, Ref result, const Expr *o) {
    Kernel *k = l->k;
    const Expr *sum = ex_load(k, acc, ex_int(k, 0));
    for (int64_t i = 1; i < lanes; i++) sum = add_e(l, sum, ex_load(k, acc, ex_int(k, i)));
    st_append(k, body, st_store(k, lower_arg(l, result), o, sum));
}

/* A task for each block of rows, whose lanes are rows; or, where rows are in no blocks, for each row, whose columns'
 * lanes are added up at the end. Sums of the innermost loops are added to those of the others, so that long ones lose
 * less. */
const Expr *lower_row_squares(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    const Type *t = operand_type(l, n, 0);
    bool by_row = t->rank > 1 && t->layout.b0 == 1;
    int64_t lanes = by_row ? t->layout.b1 : t->layout.b0;
    Nest out = {0}, lane = {0}, rows = {0}, row = {0};
    lower_begin(l);
    Kernel *k = l->k;
    int32_t total = lower_reg(l, "total", DT_F32, lanes), part = lower_reg(l, "part", DT_F32, lanes);
    Coord c = {{nest_loop(l, &out, "ob", div_up(t->dim[0], t->layout.b0), ROLE_TASK)}, {ex_int(k, 0), ex_int(k, 0)}};
    const Expr *i = nest_loop(l, by_row ? &lane : &out, "i", lanes, ROLE_LANE);
    c.lane[by_row] = i;
    if (t->rank > 1) c.outer[1] = nest_loop(l, &rows, "ib", div_up(t->dim[1], t->layout.b1), ROLE_REDUCE);
    if (t->rank > 2) c.outer[2] = nest_loop(l, &row, "kh", t->dim[2], ROLE_REDUCE);
    if (t->rank > 3) c.outer[3] = nest_loop(l, &row, "kw", t->dim[3], ROLE_REDUCE);
    if (t->rank > 1 && !by_row) c.lane[1] = nest_loop(l, &row, "j", t->layout.b1, ROLE_REDUCE);
    const Expr *x = load_at(l, n->in[0], &c), *of_part = ex_load(k, part, i), *of_total = ex_load(k, total, i);
    Stmt *body = st_seq(k), *one = st_seq(k), *sums = st_seq(k);
    st_append(k, one, st_store(k, part, i, num(l, 0)));
    st_append(k, one, nest_wrap(l, &row, st_store(k, part, i, ex3(k, EX_fma, x, x, of_part))));
    st_append(k, one, st_store(k, total, i, add_e(l, of_total, of_part)));
    st_append(k, sums, st_store(k, total, i, num(l, 0)));
    st_append(k, sums, nest_wrap(l, &rows, one));
    st_append(k, body, nest_wrap(l, &lane, sums));
    if (by_row)
        sum_lanes(l, body, total, lanes, node, c.outer[0]);
    else
        st_append(k, body, lower_finish(l, &c, of_total));
    lower_end(l, nest_wrap(l, &out, body));
    if (by_row) lower_zero_pads(l, node);
    return NULL;
}

const Expr *lower_plane_mean(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    return reduce_one(l, node, true, true);
}

/* Two passes: the mean, then the squares of what differs from it. */
static const Expr *variance(Lower *l, Ref node, bool by_picture) {
    const Node *n = graph_node(l->g, node);
    lower_begin(l);
    Kernel *k = l->k;
    Reduce r = reduce_begin(l, operand_type(l, n, 0), by_picture);
    Stmt *body = st_seq(k);
    int32_t mean = lower_reg(l, "mean", DT_F32, r.lanes);
    ReduceSum s = sum_begin(l, &r, "total");
    sum_end(l, &r, &s, body, load_at(l, n->in[0], &s.c));
    st_append(k, body, st_store(k, mean, r.lane, ex2(k, EX_div, ex_load(k, s.total, r.lane), count(l, &r))));
    ReduceSum q = sum_begin(l, &r, "squares");
    const Expr *off = ex2(k, EX_sub, load_at(l, n->in[0], &q.c), ex_load(k, mean, r.lane));
    sum_end(l, &r, &q, body, mul_e(l, off, off));
    reduce_end(l, &r, body, ex2(k, EX_div, ex_load(k, q.total, r.lane), count(l, &r)));
    return NULL;
}

const Expr *lower_var(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    return variance(l, node, false);
}

const Expr *lower_plane_var(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    return variance(l, node, true);
}

/* Each picture by itself adds up its run, which is short, and its numbers are few. */
const Expr *lower_ghost_mean(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    int64_t run = n->attr.ghost.pictures;
    Nest out = {0}, red = {0};
    lower_begin(l);
    Kernel *k = l->k;
    Coord c = nest_tensor(l, &out, &n->type), of = c;
    int32_t sum = lower_reg(l, "sum", DT_F32, n->type.layout.b1);
    const Expr *first = mul_i(l, ex2(k, EX_div, c.outer[0], ex_int(k, run)), run), *now = ex_load(k, sum, c.lane[1]);
    const Expr *pictures = ex2(k, EX_min, ex_int(k, run), ex2(k, EX_sub, ex_batch(k), first));
    const Expr *at = add_e(l, first, nest_range(l, &red, "m", ex_int(k, 0), pictures, ROLE_REDUCE));
    of.outer[0] = ex2(k, EX_min, at, add_i(l, ex_batch(k), -1));
    Stmt *body = st_seq(k);
    st_append(k, body, st_store(k, sum, c.lane[1], num(l, 0)));
    st_append(k, body, nest_wrap(l, &red, st_store(k, sum, c.lane[1], add_e(l, now, load_at(l, n->in[0], &of)))));
    st_append(k, body, lower_finish(l, &c, ex2(k, EX_div, now, ex1(k, EX_tofloat, pictures))));
    lower_end(l, nest_wrap(l, &out, body));
    return NULL;
}

const Expr *lower_spread(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    Nest nest = {0};
    lower_begin(l);
    Coord c = nest_tensor(l, &nest, &n->type);
    const Expr *v = ex_load(l->k, lower_arg(l, n->in[0]), coord_channel(l, &n->type, &c));
    lower_end(l, nest_wrap(l, &nest, lower_finish(l, &c, v)));
    return NULL;
}
