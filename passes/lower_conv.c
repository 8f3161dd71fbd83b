/* Convolution: forward, backward to data and backward to weights, all sums of products. Two kinds:
 *   dense     w is OIhw{v}i{v}o: a vector of output channels times one input value; groups fill whole blocks
 *   grouped   w is Ohw{v}o: lower_grouped.c */
#include "lower_conv.h"

static bool is_dense(const Type *w, const ConvAttr *a) { return a->groups == 1 || w->layout.b1 > 1; }

static const Type *type_of(Lower *l, Ref r) { return &graph_node(l->g, r)->type; }

/* base + block within the group: the channel block index of group g. */
static const Expr *in_group(Lower *l, const Expr *g, int64_t blocks, const Expr *block) {
    return add_e(l, mul_i(l, g, blocks), block);
}

/* ---- forward -------------------------------------------------------------------------------------------------- */

const Expr *conv_read(Lower *l, const Expr *out, int32_t stride, const Expr *k, int32_t dilation, int32_t pad) {
    return add_i(l, add_e(l, mul_i(l, out, stride), mul_i(l, k, dilation)), -pad);
}

void conv_taps(Lower *l, Sum *s, Coord *x, Coord *w, const ConvAttr *a, int d, const Expr *out, LoopRole role) {
    const Expr *k = nest_loop(l, &s->red, d ? "kw" : "kh", a->kernel[d], role);
    x->outer[2 + d] = conv_read(l, out, a->stride[d], k, a->dilation[d], a->pad[2 * d]);
    w->outer[2 + d] = k;
}

const Expr *conv_picture(Lower *l, Sum *s, const ConvRows *r) {
    return r ? r->pic : nest_loop(l, &s->out, "n", BATCH, ROLE_TASK);
}

const Expr *conv_block(Lower *l, Sum *s, const ConvRows *r, int64_t blocks, LoopRole role) {
    bool some = r && r->blocks;
    const Expr *block = nest_loop(l, &s->out, "ob", some ? r->blocks : blocks, role);
    return some ? add_e(l, r->block, block) : block;
}

const Expr *conv_row(Lower *l, Sum *s, const Node *n, const ConvRows *r) {
    const Expr *row = nest_loop(l, &s->out, "oh", r ? r->rows : n->type.dim[2], ROLE_POINT);
    return r ? add_e(l, r->first, row) : row;
}

/* Reduction over `blocks` blocks of input channels from block `from` on, the first `lanes` channels of each. The
 * channels of a plain picture are innermost: what is unrolled then has no loads in common, for which there are no
 * registers. */
static void dense_products(Lower *l, Sum *s, const Node *n, const Expr *g, int64_t from, int64_t blocks,
                           int64_t lanes) {
    const ConvAttr *a = &n->attr.conv;
    const Type *w = type_of(l, n->in[1]);
    const Coord *y = &s->result;
    bool plain = w->layout.b1 == 1;
    const Expr *ib = plain ? NULL : add_i(l, nest_loop(l, &s->red, "ib", blocks, ROLE_REDUCE), from);
    s->a = (Coord){{0}, {s->lane}};
    s->b = (Coord){{0}, {0}};
    conv_taps(l, s, &s->b, &s->a, a, 0, y->outer[2], ROLE_REDUCE);
    conv_taps(l, s, &s->b, &s->a, a, 1, y->outer[3], ROLE_REDUCE);
    if (plain) ib = nest_loop(l, &s->red, "ic", blocks, ROLE_REDUCE);
    s->a.outer[0] = y->outer[1], s->a.outer[1] = ib;
    s->b.outer[0] = y->outer[0], s->b.outer[1] = in_group(l, g, div_up(w->dim[1], w->layout.b1), ib);
    s->a.lane[1] = s->b.lane[1] = nest_loop(l, &s->red, "i", lanes, ROLE_REDUCE);
}

/* The last block of input channels is a reduction by itself if it is not full: its pads are left out. The sums begin
 * with the bias, which so takes no addition. */
Stmt *conv_dense_nest(Lower *l, const Node *n, const ConvRows *r) {
    const Type *w = type_of(l, n->in[1]);
    int64_t ob_group = div_up(w->dim[0] / n->attr.conv.groups, w->layout.b0);
    int64_t lanes = w->layout.b1, whole = w->dim[1] / lanes, rest = w->dim[1] % lanes;
    Sum s = {0}, last = {0};
    const Expr *pic = conv_picture(l, &s, r);
    const Expr *g = nest_loop(l, &s.out, "g", n->attr.conv.groups, ROLE_TASK);
    const Expr *ob = in_group(l, g, ob_group, conv_block(l, &s, r, ob_group, ROLE_BLOCK));
    const Expr *oh = conv_row(l, &s, n, r);
    const Expr *ow = nest_loop(l, &s.out, "ow", n->type.dim[3], ROLE_POINT);
    sum_lane(l, &s, w->layout.b0);
    last.result = s.result = (Coord){{pic, ob, oh, ow}, {ex_int(l->k, 0), s.lane}};
    last.lane = s.lane;
    dense_products(l, &s, n, g, 0, whole ? whole : 1, whole ? lanes : rest);
    if (whole && rest) dense_products(l, &last, n, g, whole, 1, rest);
    const Expr *sum = sum_value(l, &s), *bias = lower_addend(l, &s.result);
    last.acc = s.acc;
    Stmt *end = st_seq(l->k);
    if (whole && rest)
        st_append(l->k, end, sum_products(l, &last, load_at(l, n->in[1], &last.a), load_at(l, n->in[0], &last.b)));
    st_append(l->k, end, lower_finish(l, &s.result, sum));
    return sum_nest(l, &s, load_at(l, n->in[1], &s.a), load_at(l, n->in[0], &s.b), bias, end);
}

const Expr *lower_conv(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    if (conv_is_chain(l)) {
        conv_chain(l);
        return NULL;
    }
    lower_begin(l);
    bool dense = is_dense(type_of(l, n->in[1]), &n->attr.conv);
    lower_end(l, (dense ? conv_dense_nest : conv_grouped_nest)(l, n, NULL));
    return NULL;
}

/* ---- backward to data ----------------------------------------------------------------------------------------- */

static Phase phase_of(int32_t phase, int32_t stride, int32_t pad, int32_t kernel, int32_t dilation) {
    Phase p = {.phase = phase};
    int32_t found[2], n = 0;
    for (int32_t k = kernel - 1; k >= 0; k--)
        if ((phase + pad - k * dilation) % stride == 0) {
            if (n < 2) found[n] = k;
            n++;
        }
    p.count = n;
    if (n > 0) p.first = found[0];
    if (n > 1) p.step = found[1] - found[0];
    p.base = (phase + pad - p.first * dilation) / stride;
    p.on = -p.step * dilation / stride;
    return p;
}

static const Expr *phase_row(Lower *l, const Phase *p, const Expr *i, const Expr *t) {
    return add_i(l, add_e(l, i, mul_i(l, t, p->on)), p->base);
}

static const Expr *phase_tap(Lower *l, const Phase *p, const Expr *t) {
    return add_i(l, mul_i(l, t, p->step), p->first);
}

int64_t phase_extent(const Phase *p, int32_t size, int32_t stride) { return div_up(size - p->phase, stride); }

void phase_taps(Lower *l, Sum *s, Coord *dy, Coord *w, const ConvAttr *a, int d, const Phase *p, const Expr *at,
                LoopRole role) {
    const Expr *t = nest_loop(l, &s->red, d ? "tw" : "th", p->count, role);
    dy->outer[2 + d] = phase_row(l, p, at, t);
    w->outer[2 + d] = phase_tap(l, p, t);
    s->result.outer[2 + d] = add_i(l, mul_i(l, at, a->stride[d]), p->phase);
}

static void dgrad_dense(Lower *l, const Node *n, const ConvAttr *a, const Phase phase[2]) {
    const Type *w = type_of(l, n->in[1]); /* swapped: [C, O/g, KH, KW] */
    int64_t cb_group = div_up(w->dim[0] / a->groups, w->layout.b0), ob_group = div_up(w->dim[1], w->layout.b1);
    Sum s = {0};
    const Expr *pic = nest_loop(l, &s.out, "n", BATCH, ROLE_TASK);
    const Expr *g = nest_loop(l, &s.out, "g", a->groups, ROLE_TASK);
    const Expr *cb = in_group(l, g, cb_group, nest_loop(l, &s.out, "cb", cb_group, ROLE_BLOCK));
    const Expr *i = nest_loop(l, &s.out, "h", phase_extent(&phase[0], n->type.dim[2], a->stride[0]), ROLE_POINT);
    const Expr *j = nest_loop(l, &s.out, "w", phase_extent(&phase[1], n->type.dim[3], a->stride[1]), ROLE_POINT);
    sum_lane(l, &s, w->layout.b0);
    const Expr *ob = nest_loop(l, &s.red, "ob", ob_group, ROLE_REDUCE);
    s.a = (Coord){{cb, ob}, {s.lane}};
    s.b = (Coord){{pic, in_group(l, g, ob_group, ob)}, {0}};
    s.result = (Coord){{pic, cb}, {ex_int(l->k, 0), s.lane}};
    phase_taps(l, &s, &s.b, &s.a, a, 0, &phase[0], i, ROLE_REDUCE);
    phase_taps(l, &s, &s.b, &s.a, a, 1, &phase[1], j, ROLE_REDUCE);
    s.a.lane[1] = s.b.lane[1] = nest_loop(l, &s.red, "i", w->layout.b1, ROLE_REDUCE);
    sum_emit(l, &s, n->in[1], n->in[0], NULL);
}

const Expr *lower_conv_dgrad(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    const ConvAttr *a = &n->attr.conv;
    const Type *w = type_of(l, n->in[1]);
    for (int32_t h = 0; h < a->stride[0] && h < n->type.dim[2]; h++) {
        for (int32_t v = 0; v < a->stride[1] && v < n->type.dim[3]; v++) {
            Phase phase[2] = {phase_of(h, a->stride[0], a->pad[0], a->kernel[0], a->dilation[0]),
                              phase_of(v, a->stride[1], a->pad[2], a->kernel[1], a->dilation[1])};
            lower_begin(l);
            (is_dense(w, a) ? dgrad_dense : dgrad_grouped)(l, n, a, phase);
            l->p->step[l->p->n_step - 1].macs = (int64_t)w->dim[0] * w->dim[1] * phase[0].count * phase[1].count *
                                                phase_extent(&phase[0], n->type.dim[2], a->stride[0]) *
                                                phase_extent(&phase[1], n->type.dim[3], a->stride[1]);
        }
    }
    return NULL;
}

/* ---- backward to weights -------------------------------------------------------------------------------------- */

/* Rows of the picture summed in registers at a time: enough pixels that loading and storing the accumulators does not
 * count, few enough that the rows stay in the first-level cache. */
static int32_t band_rows(int32_t height, int32_t width) {
    int32_t best = 1;
    for (int32_t r = 1; r <= height; r++)
        if (height % r == 0 && r * width <= 256) best = r;
    return best;
}

void band_loops(Lower *l, Sum *s, const Type *dy, const Expr **row, const Expr **column) {
    int32_t rows = band_rows(dy->dim[2], dy->dim[3]);
    const Expr *band = nest_loop(l, &s->out, "band", dy->dim[2] / rows, ROLE_NONE);
    const Expr *r = nest_loop(l, &s->red, "r", rows, ROLE_REDUCE);
    *column = nest_loop(l, &s->red, "ow", dy->dim[3], ROLE_REDUCE);
    *row = add_e(l, mul_i(l, band, rows), r);
}

static void wgrad_dense(Lower *l, const Node *n, const ConvAttr *a) {
    const Type *dy = type_of(l, n->in[0]), *w = &n->type;
    int64_t ob_group = div_up(w->dim[0] / a->groups, w->layout.b0), ib_group = div_up(w->dim[1], w->layout.b1);
    Sum s = {0};
    const Expr *row, *column;
    const Expr *g = nest_loop(l, &s.out, "g", a->groups, ROLE_TASK);
    const Expr *ob = in_group(l, g, ob_group, nest_loop(l, &s.out, "ob", ob_group, ROLE_BLOCK));
    const Expr *ib = nest_loop(l, &s.out, "ib", ib_group, ROLE_TASK);
    const Expr *kh = nest_loop(l, &s.out, "kh", a->kernel[0], ROLE_TASK);
    const Expr *pic = nest_loop(l, &s.out, "n", BATCH, ROLE_NONE);
    band_loops(l, &s, dy, &row, &column);
    const Expr *kw = nest_loop(l, &s.out, "kw", a->kernel[1], ROLE_POINT);
    const Expr *ii = nest_loop(l, &s.out, "i", w->layout.b1, ROLE_POINT);
    sum_lane(l, &s, w->layout.b0);
    s.a = (Coord){{pic, ob, row, column}, {ex_int(l->k, 0), s.lane}};
    s.b = (Coord){{pic, in_group(l, g, ib_group, ib), conv_read(l, row, a->stride[0], kh, a->dilation[0], a->pad[0]),
                   conv_read(l, column, a->stride[1], kw, a->dilation[1], a->pad[2])},
                  {ex_int(l->k, 0), ii}};
    s.result = (Coord){{ob, ib, kh, kw}, {s.lane, ii}};
    sum_emit(l, &s, n->in[0], n->in[1], load_at(l, l->member[0], &s.result));
}

const Expr *lower_conv_wgrad(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    lower_zero(l, node);
    l->p->step[l->p->n_step - 1].macs = 0;
    lower_begin(l);
    (is_dense(&n->type, &n->attr.conv) ? wgrad_dense : wgrad_grouped)(l, n, &n->attr.conv);
    return NULL;
}

/* Group by group, [O, I/g, KH, KW] becomes [I, O/g, KH, KW]; logical indices, since blocks cross. */
const Expr *lower_swap_io(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    const Type *w = type_of(l, n->in[0]), *t = &n->type;
    int32_t groups = n->attr.conv.groups, i_group = w->dim[1], o_group = t->dim[1];
    bool blocks = w->layout.b0 == t->layout.b0 && w->layout.b1 == t->layout.b1 && w->layout.b0 == w->layout.b1 &&
                  w->layout.b0 > 1;
    Nest nest = {0};
    lower_begin(l);
    if (blocks && groups == 1) { /* whole blocks change places; within a block lanes do */
        Coord c = nest_tensor(l, &nest, t);
        Coord from = {{c.outer[1], c.outer[0], c.outer[2], c.outer[3]}, {c.lane[1], c.lane[0]}};
        lower_end(l, nest_wrap(l, &nest, lower_finish(l, &c, load_at(l, n->in[0], &from))));
        return NULL;
    }
    const Expr *g = nest_loop(l, &nest, "g", groups, ROLE_TASK), *i = nest_loop(l, &nest, "i", i_group, ROLE_TASK);
    const Expr *o = nest_loop(l, &nest, "o", o_group, ROLE_NONE);
    const Expr *kh = nest_loop(l, &nest, "kh", t->dim[2], ROLE_NONE),
               *kw = nest_loop(l, &nest, "kw", t->dim[3], ROLE_NONE);
    const Expr *to[MAX_RANK] = {in_group(l, g, i_group, i), o, kh, kw},
               *at[MAX_RANK] = {in_group(l, g, o_group, o), i, kh, kw};
    Coord c = coord_logical(l, t, to), from = coord_logical(l, w, at);
    lower_end(l, nest_wrap(l, &nest, lower_finish(l, &c, load_at(l, n->in[0], &from))));
    lower_zero_pads(l, node);
    return NULL;
}
