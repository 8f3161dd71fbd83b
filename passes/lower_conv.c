/* Convolution: forward, backward to data and backward to weights, all sums of products. Three kinds, told by the layout
 * of the weight:
 *   dense      w is OIhw{v}i{v}o: a vector of output channels times one input value
 *   depthwise  w is Ohw{v}o with one input channel a group: vector times vector
 *   plain      groups that do not fill whole blocks: scalar loops, right but slow */
#include "lower_sum.h"

typedef enum ConvKind { CONV_DENSE, CONV_DEPTHWISE, CONV_PLAIN } ConvKind;

static ConvKind conv_kind(const Type *w, const ConvAttr *a) {
    if (w->layout.b0 == 1) return CONV_PLAIN;
    return a->groups > 1 && w->dim[1] == 1 && w->layout.b1 == 1 ? CONV_DEPTHWISE : CONV_DENSE;
}

static const Type *type_of(Lower *l, Ref r) { return &graph_node(l->g, r)->type; }

/* base + block within the group: the channel block index of group g. */
static const Expr *in_group(Lower *l, const Expr *g, int64_t blocks, const Expr *block) {
    return add_e(l, mul_i(l, g, blocks), block);
}

/* ---- forward -------------------------------------------------------------------------------------------------- */

static const Expr *window(Lower *l, const Expr *out, int32_t stride, const Expr *k, int32_t dilation, int32_t pad) {
    return add_i(l, add_e(l, mul_i(l, out, stride), mul_i(l, k, dilation)), -pad);
}

static void conv_window(Lower *l, Sum *s, Coord *x, Coord *w, const ConvAttr *a, const Expr *oh, const Expr *ow) {
    const Expr *kh = nest_loop(l, &s->red, "kh", a->kernel[0], ROLE_REDUCE);
    const Expr *kw = nest_loop(l, &s->red, "kw", a->kernel[1], ROLE_REDUCE);
    x->outer[2] = window(l, oh, a->stride[0], kh, a->dilation[0], a->pad[0]);
    x->outer[3] = window(l, ow, a->stride[1], kw, a->dilation[1], a->pad[2]);
    w->outer[2] = kh;
    w->outer[3] = kw;
}

static void conv_dense(Lower *l, Ref node, const ConvAttr *a) {
    const Node *n = graph_node(l->g, node);
    const Type *x = type_of(l, n->in[0]), *w = type_of(l, n->in[1]);
    int64_t ob_group = div_up(w->dim[0] / a->groups, w->layout.b0), ib_group = div_up(w->dim[1], w->layout.b1);
    Sum s = {0};
    const Expr *pic = nest_loop(l, &s.out, "n", BATCH, ROLE_TASK);
    const Expr *g = nest_loop(l, &s.out, "g", a->groups, ROLE_TASK);
    const Expr *ob = in_group(l, g, ob_group, nest_loop(l, &s.out, "ob", ob_group, ROLE_BLOCK));
    const Expr *oh = nest_loop(l, &s.out, "oh", n->type.dim[2], ROLE_POINT);
    const Expr *ow = nest_loop(l, &s.out, "ow", n->type.dim[3], ROLE_POINT);
    sum_lane(l, &s, w->layout.b0);
    const Expr *ib = nest_loop(l, &s.red, "ib", ib_group, ROLE_REDUCE);
    s.a = (Coord){{ob, ib}, {s.lane}};
    s.b = (Coord){{pic, in_group(l, g, ib_group, ib)}, {0}};
    conv_window(l, &s, &s.b, &s.a, a, oh, ow);
    s.a.lane[1] = s.b.lane[1] = nest_loop(l, &s.red, "i", x->layout.b1, ROLE_REDUCE);
    s.result = (Coord){{pic, ob, oh, ow}, {ex_int(l->k, 0), s.lane}};
    sum_emit(l, &s, n->in[1], n->in[0], NULL);
}

static void conv_depthwise(Lower *l, Ref node, const ConvAttr *a) {
    const Node *n = graph_node(l->g, node);
    const Type *w = type_of(l, n->in[1]);
    Sum s = {0};
    const Expr *pic = nest_loop(l, &s.out, "n", BATCH, ROLE_TASK);
    const Expr *cb = nest_loop(l, &s.out, "cb", div_up(w->dim[0], w->layout.b0), ROLE_TASK);
    const Expr *oh = nest_loop(l, &s.out, "oh", n->type.dim[2], ROLE_TASK);
    const Expr *ow = nest_loop(l, &s.out, "ow", n->type.dim[3], ROLE_POINT);
    sum_lane(l, &s, w->layout.b0);
    s.a = (Coord){{cb, ex_int(l->k, 0)}, {s.lane}};
    s.b = (Coord){{pic, cb}, {ex_int(l->k, 0), s.lane}};
    conv_window(l, &s, &s.b, &s.a, a, oh, ow);
    s.result = (Coord){{pic, cb, oh, ow}, {ex_int(l->k, 0), s.lane}};
    sum_emit(l, &s, n->in[1], n->in[0], NULL);
}

static void zero_group_pads(Lower *l) {
    for (int32_t m = 0; m < l->n_member; m++)
        if (l->stored[l->member[m]]) lower_zero_pads(l, l->member[m]);
}

static void conv_plain(Lower *l, Ref node, const ConvAttr *a) {
    const Node *n = graph_node(l->g, node);
    const Type *x = type_of(l, n->in[0]), *w = type_of(l, n->in[1]);
    int64_t oc_group = w->dim[0] / a->groups;
    Sum s = {.lanes = 1, .lane = ex_int(l->k, 0)};
    const Expr *pic = nest_loop(l, &s.out, "n", BATCH, ROLE_TASK);
    const Expr *g = nest_loop(l, &s.out, "g", a->groups, ROLE_TASK);
    const Expr *oc = in_group(l, g, oc_group, nest_loop(l, &s.out, "oc", oc_group, ROLE_TASK));
    const Expr *oh = nest_loop(l, &s.out, "oh", n->type.dim[2], ROLE_NONE);
    const Expr *ow = nest_loop(l, &s.out, "ow", n->type.dim[3], ROLE_NONE);
    const Expr *ic = nest_loop(l, &s.red, "ic", w->dim[1], ROLE_REDUCE);
    s.a = (Coord){{oc, ic}, {0}};
    Coord at = {{0}, {0}};
    conv_window(l, &s, &at, &s.a, a, oh, ow);
    const Expr *xi[MAX_RANK] = {pic, in_group(l, g, w->dim[1], ic), at.outer[2], at.outer[3]};
    const Expr *yi[MAX_RANK] = {pic, oc, oh, ow};
    s.b = coord_logical(l, x, xi);
    s.result = coord_logical(l, &n->type, yi);
    sum_emit(l, &s, n->in[1], n->in[0], NULL);
    zero_group_pads(l);
}

const Expr *lower_conv(Lower *l, Ref node, const Expr *const *operand) {
    static void (*const kind[])(Lower *, Ref, const ConvAttr *) = {conv_dense, conv_depthwise, conv_plain};
    (void)operand;
    const Node *n = graph_node(l->g, node);
    lower_begin(l);
    kind[conv_kind(type_of(l, n->in[1]), &n->attr.conv)](l, node, &n->attr.conv);
    return NULL;
}

/* ---- backward to data ----------------------------------------------------------------------------------------- */

/* dx[i*s + phase] needs the window taps k with (i*s + phase + pad - k*d) divisible by s; these are k = first + t*step
 * for t < count, and the output row of tap t is i + base - t*back. One phase is thus a dense stride-1 sum, no tap is
 * wasted. */
typedef struct Phase {
    int32_t phase, first, step, count, base, back;
} Phase;

static Phase phase_of(int32_t phase, int32_t stride, int32_t pad, int32_t kernel, int32_t dilation) {
    Phase p = {.phase = phase, .step = 1};
    int32_t found[2], n = 0;
    for (int32_t k = 0; k < kernel; k++)
        if ((phase + pad - k * dilation) % stride == 0) {
            if (n < 2) found[n] = k;
            n++;
        }
    p.count = n;
    if (n > 0) p.first = found[0];
    if (n > 1) p.step = found[1] - found[0];
    p.base = (phase + pad - p.first * dilation) / stride;
    p.back = p.step * dilation / stride;
    return p;
}

static const Expr *phase_row(Lower *l, const Phase *p, const Expr *i, const Expr *t) {
    return add_i(l, ex2(l->k, EX_sub, i, mul_i(l, t, p->back)), p->base);
}

static const Expr *phase_tap(Lower *l, const Phase *p, const Expr *t) {
    return add_i(l, mul_i(l, t, p->step), p->first);
}

static int64_t phase_extent(const Phase *p, int32_t size, int32_t stride) { return div_up(size - p->phase, stride); }

/* Row and column loops of one phase: sets the pixel of the result and of dy, and the tap of w. */
static void phase_loops(Lower *l, Sum *s, Coord *dy, Coord *w, const ConvAttr *a, const Phase *ph, const Phase *pw,
                        const Expr *i, const Expr *j) {
    const Expr *t = nest_loop(l, &s->red, "th", ph->count, ROLE_REDUCE);
    const Expr *v = nest_loop(l, &s->red, "tw", pw->count, ROLE_REDUCE);
    dy->outer[2] = phase_row(l, ph, i, t);
    dy->outer[3] = phase_row(l, pw, j, v);
    w->outer[2] = phase_tap(l, ph, t);
    w->outer[3] = phase_tap(l, pw, v);
    s->result.outer[2] = add_i(l, mul_i(l, i, a->stride[0]), ph->phase);
    s->result.outer[3] = add_i(l, mul_i(l, j, a->stride[1]), pw->phase);
}

static void dgrad_dense(Lower *l, const Node *n, const ConvAttr *a, const Phase *ph, const Phase *pw) {
    const Type *w = type_of(l, n->in[1]); /* swapped: [C, O/g, KH, KW] */
    int64_t cb_group = div_up(w->dim[0] / a->groups, w->layout.b0), ob_group = div_up(w->dim[1], w->layout.b1);
    Sum s = {0};
    const Expr *pic = nest_loop(l, &s.out, "n", BATCH, ROLE_TASK);
    const Expr *g = nest_loop(l, &s.out, "g", a->groups, ROLE_TASK);
    const Expr *cb = in_group(l, g, cb_group, nest_loop(l, &s.out, "cb", cb_group, ROLE_BLOCK));
    const Expr *i = nest_loop(l, &s.out, "h", phase_extent(ph, n->type.dim[2], a->stride[0]), ROLE_POINT);
    const Expr *j = nest_loop(l, &s.out, "w", phase_extent(pw, n->type.dim[3], a->stride[1]), ROLE_POINT);
    sum_lane(l, &s, w->layout.b0);
    const Expr *ob = nest_loop(l, &s.red, "ob", ob_group, ROLE_REDUCE);
    s.a = (Coord){{cb, ob}, {s.lane}};
    s.b = (Coord){{pic, in_group(l, g, ob_group, ob)}, {0}};
    s.result = (Coord){{pic, cb}, {ex_int(l->k, 0), s.lane}};
    phase_loops(l, &s, &s.b, &s.a, a, ph, pw, i, j);
    s.a.lane[1] = s.b.lane[1] = nest_loop(l, &s.red, "i", w->layout.b1, ROLE_REDUCE);
    sum_emit(l, &s, n->in[1], n->in[0], NULL);
}

static void dgrad_depthwise(Lower *l, const Node *n, const ConvAttr *a, const Phase *ph, const Phase *pw) {
    const Type *w = type_of(l, n->in[1]);
    Sum s = {0};
    const Expr *pic = nest_loop(l, &s.out, "n", BATCH, ROLE_TASK);
    const Expr *cb = nest_loop(l, &s.out, "cb", div_up(w->dim[0], w->layout.b0), ROLE_TASK);
    const Expr *i = nest_loop(l, &s.out, "h", phase_extent(ph, n->type.dim[2], a->stride[0]), ROLE_TASK);
    const Expr *j = nest_loop(l, &s.out, "w", phase_extent(pw, n->type.dim[3], a->stride[1]), ROLE_POINT);
    sum_lane(l, &s, w->layout.b0);
    s.a = (Coord){{cb, ex_int(l->k, 0)}, {s.lane}};
    s.b = (Coord){{pic, cb}, {ex_int(l->k, 0), s.lane}};
    s.result = s.b;
    phase_loops(l, &s, &s.b, &s.a, a, ph, pw, i, j);
    sum_emit(l, &s, n->in[1], n->in[0], NULL);
}

static void dgrad_plain(Lower *l, const Node *n, const ConvAttr *a, const Phase *ph, const Phase *pw) {
    const Type *w = type_of(l, n->in[1]), *dy = type_of(l, n->in[0]);
    int64_t c_group = w->dim[0] / a->groups;
    Sum s = {.lanes = 1, .lane = ex_int(l->k, 0)};
    const Expr *pic = nest_loop(l, &s.out, "n", BATCH, ROLE_TASK);
    const Expr *g = nest_loop(l, &s.out, "g", a->groups, ROLE_TASK);
    const Expr *c = in_group(l, g, c_group, nest_loop(l, &s.out, "c", c_group, ROLE_TASK));
    const Expr *i = nest_loop(l, &s.out, "h", phase_extent(ph, n->type.dim[2], a->stride[0]), ROLE_NONE);
    const Expr *j = nest_loop(l, &s.out, "w", phase_extent(pw, n->type.dim[3], a->stride[1]), ROLE_NONE);
    const Expr *oc = nest_loop(l, &s.red, "oc", w->dim[1], ROLE_REDUCE);
    Coord at = {{0}, {0}};
    s.a = (Coord){{c, oc}, {0}};
    phase_loops(l, &s, &at, &s.a, a, ph, pw, i, j);
    const Expr *dyi[MAX_RANK] = {pic, in_group(l, g, w->dim[1], oc), at.outer[2], at.outer[3]};
    const Expr *dxi[MAX_RANK] = {pic, c, s.result.outer[2], s.result.outer[3]};
    s.b = coord_logical(l, dy, dyi);
    s.result = coord_logical(l, &n->type, dxi);
    sum_emit(l, &s, n->in[1], n->in[0], NULL);
}

const Expr *lower_conv_dgrad(Lower *l, Ref node, const Expr *const *operand) {
    static void (*const kind[])(Lower *, const Node *, const ConvAttr *, const Phase *,
                                const Phase *) = {dgrad_dense, dgrad_depthwise, dgrad_plain};
    (void)operand;
    const Node *n = graph_node(l->g, node);
    const ConvAttr *a = &n->attr.conv;
    const Type *w = type_of(l, n->in[1]);
    ConvKind k = conv_kind(w, a);
    for (int32_t ph = 0; ph < a->stride[0] && ph < n->type.dim[2]; ph++) {
        for (int32_t pw = 0; pw < a->stride[1] && pw < n->type.dim[3]; pw++) {
            Phase h = phase_of(ph, a->stride[0], a->pad[0], a->kernel[0], a->dilation[0]);
            Phase v = phase_of(pw, a->stride[1], a->pad[2], a->kernel[1], a->dilation[1]);
            lower_begin(l);
            kind[k](l, n, a, &h, &v);
            l->p->step[l->p->n_step - 1].macs = (int64_t)w->dim[0] * w->dim[1] * h.count * v.count *
                                                phase_extent(&h, n->type.dim[2], a->stride[0]) *
                                                phase_extent(&v, n->type.dim[3], a->stride[1]);
        }
    }
    if (k == CONV_PLAIN) zero_group_pads(l);
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

/* Loops over the output pixels: bands outside, rows and columns of a band as reduction. Gives row and column. */
static void band_loops(Lower *l, Sum *s, const Type *dy, const Expr **row, const Expr **column) {
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
    s.b = (Coord){{pic, in_group(l, g, ib_group, ib), window(l, row, a->stride[0], kh, a->dilation[0], a->pad[0]),
                   window(l, column, a->stride[1], kw, a->dilation[1], a->pad[2])},
                  {ex_int(l->k, 0), ii}};
    s.result = (Coord){{ob, ib, kh, kw}, {s.lane, ii}};
    sum_emit(l, &s, n->in[0], n->in[1], load_at(l, l->member[0], &s.result));
}

static void wgrad_depthwise(Lower *l, const Node *n, const ConvAttr *a) {
    const Type *dy = type_of(l, n->in[0]), *w = &n->type;
    Sum s = {0};
    const Expr *row, *column;
    const Expr *cb = nest_loop(l, &s.out, "cb", div_up(w->dim[0], w->layout.b0), ROLE_TASK);
    const Expr *pic = nest_loop(l, &s.out, "n", BATCH, ROLE_NONE);
    band_loops(l, &s, dy, &row, &column);
    const Expr *kh = nest_loop(l, &s.out, "kh", a->kernel[0], ROLE_POINT);
    const Expr *kw = nest_loop(l, &s.out, "kw", a->kernel[1], ROLE_POINT);
    sum_lane(l, &s, w->layout.b0);
    s.a = (Coord){{pic, cb, row, column}, {ex_int(l->k, 0), s.lane}};
    s.b = (Coord){{pic, cb, window(l, row, a->stride[0], kh, a->dilation[0], a->pad[0]),
                   window(l, column, a->stride[1], kw, a->dilation[1], a->pad[2])},
                  {ex_int(l->k, 0), s.lane}};
    s.result = (Coord){{cb, ex_int(l->k, 0), kh, kw}, {s.lane}};
    sum_emit(l, &s, n->in[0], n->in[1], load_at(l, l->member[0], &s.result));
}

static void wgrad_plain(Lower *l, const Node *n, const ConvAttr *a) {
    const Type *dy = type_of(l, n->in[0]), *x = type_of(l, n->in[1]), *w = &n->type;
    int64_t oc_group = w->dim[0] / a->groups;
    Sum s = {.lanes = 1, .lane = ex_int(l->k, 0)};
    const Expr *row, *column;
    const Expr *g = nest_loop(l, &s.out, "g", a->groups, ROLE_TASK);
    const Expr *oc = in_group(l, g, oc_group, nest_loop(l, &s.out, "oc", oc_group, ROLE_TASK));
    const Expr *ic = nest_loop(l, &s.out, "ic", w->dim[1], ROLE_TASK);
    const Expr *kh = nest_loop(l, &s.out, "kh", a->kernel[0], ROLE_NONE);
    const Expr *pic = nest_loop(l, &s.out, "n", BATCH, ROLE_NONE);
    band_loops(l, &s, dy, &row, &column);
    const Expr *kw = nest_loop(l, &s.out, "kw", a->kernel[1], ROLE_NONE);
    const Expr *dyi[MAX_RANK] = {pic, oc, row, column};
    const Expr *xi[MAX_RANK] = {pic, in_group(l, g, w->dim[1], ic),
                                window(l, row, a->stride[0], kh, a->dilation[0], a->pad[0]),
                                window(l, column, a->stride[1], kw, a->dilation[1], a->pad[2])};
    s.a = coord_logical(l, dy, dyi);
    s.b = coord_logical(l, x, xi);
    s.result = (Coord){{oc, ic, kh, kw}, {0}};
    sum_emit(l, &s, n->in[0], n->in[1], load_at(l, l->member[0], &s.result));
}

const Expr *lower_conv_wgrad(Lower *l, Ref node, const Expr *const *operand) {
    static void (*const kind[])(Lower *, const Node *, const ConvAttr *) = {wgrad_dense, wgrad_depthwise, wgrad_plain};
    (void)operand;
    const Node *n = graph_node(l->g, node);
    lower_zero(l, node);
    l->p->step[l->p->n_step - 1].macs = 0;
    lower_begin(l);
    kind[conv_kind(&n->type, &n->attr.conv)](l, n, &n->attr.conv);
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
