/* Convolutions with groups that do not fill whole blocks, of which depthwise ones are the case of one channel a group.
 *
 * The weight is Ohw{v}o, input channel by input channel: a vector of it belongs to several groups. Each lane multiplies
 * it with the input channel of its own group, so the other factor is a vector of the picture with its lanes in another
 * order: none at all for depthwise convolutions; for groups of 4 channels 0 0 0 0 4 4 4 4 .. from one and the same
 * block. Neighbouring pixels share these vectors: the taps are a sliding window. */
#include "lower_conv.h"

static const Type *type_of(Lower *l, Ref r) { return &graph_node(l->g, r)->type; }

/* Groups: channels of the lanes' side and of the other side. in_block: what the lanes of one block need lies in one
 * block. Then all channels of a group are taken while the rows slide: the block is in the first-level cache, and only
 * with unrolled channels the order of the lanes is known. */
typedef struct Groups {
    int64_t lanes, others, n;
    bool in_block;
} Groups;

/* Channel `other` of the group to which lane `lane` of block `block` belongs, in a tensor of type t. Pad lanes may be
 * beyond the last group: what they read does not matter, for their weights are zero, but it must exist. */
static Coord in_group_of(Lower *l, const Groups *g, const Type *t, const Expr *block, const Expr *lane, int32_t v,
                         const Expr *other) {
    if (g->lanes == 1 && g->others == 1 && t->layout.b1 == v) return (Coord){{NULL, block}, {ex_int(l->k, 0), lane}};
    int64_t last = (round_up(g->lanes * g->n, v) - 1) / g->lanes;
    const Expr *group = ex2(l->k, EX_div, add_e(l, mul_i(l, block, v), lane), ex_int(l->k, g->lanes));
    if ((last + 1) * g->others > round_up(t->dim[1], t->layout.b1))
        group = ex2(l->k, EX_min, group, ex_int(l->k, g->n - 1));
    const Expr *zero = ex_int(l->k, 0),
               *index[MAX_RANK] = {zero, add_e(l, mul_i(l, group, g->others), other), zero, zero};
    return coord_logical(l, t, index);
}

static Groups groups_of(const Type *w, const ConvAttr *a) {
    int64_t lanes = w->dim[0] / a->groups;
    return (Groups){lanes, w->dim[1], a->groups, lanes == w->dim[1] && w->layout.b0 % lanes == 0};
}

Stmt *conv_grouped_nest(Lower *l, const Node *n, const ConvRows *r) {
    const ConvAttr *a = &n->attr.conv;
    const Type *w = type_of(l, n->in[1]);
    int32_t v = w->layout.b0;
    Groups g = groups_of(w, a);
    Sum s = {0};
    const Expr *pic = conv_picture(l, &s, r);
    const Expr *ob = conv_block(l, &s, r, div_up(w->dim[0], v), ROLE_TASK);
    const Expr *oh = conv_row(l, &s, n, r);
    const Expr *ow = nest_loop(l, &s.out, "ow", n->type.dim[3], ROLE_POINT);
    sum_lane(l, &s, v);
    Coord x = {{0}, {0}}, k = {{0}, {0}};
    if (g.in_block) conv_taps(l, &s, &x, &k, a, 0, oh, ROLE_TAP);
    const Expr *ic = nest_loop(l, &s.red, "ic", g.others, ROLE_REDUCE);
    if (!g.in_block) conv_taps(l, &s, &x, &k, a, 0, oh, ROLE_TAP);
    conv_taps(l, &s, &x, &k, a, 1, ow, ROLE_TAP);
    s.a = (Coord){{ob, ic, k.outer[2], k.outer[3]}, {s.lane, ex_int(l->k, 0)}};
    s.b = in_group_of(l, &g, type_of(l, n->in[0]), ob, s.lane, v, ic);
    s.b.outer[0] = pic, s.b.outer[2] = x.outer[2], s.b.outer[3] = x.outer[3];
    s.result = (Coord){{pic, ob, oh, ow}, {ex_int(l->k, 0), s.lane}};
    return sum_stmt(l, &s, n->in[1], n->in[0], lower_addend(l, &s.result));
}

void dgrad_grouped(Lower *l, const Node *n, const ConvAttr *a, const Phase phase[2]) {
    const Type *w = type_of(l, n->in[1]); /* swapped: [C, O/g, KH, KW] */
    int32_t v = w->layout.b0;
    Groups g = groups_of(w, a);
    Sum s = {0};
    const Expr *pic = nest_loop(l, &s.out, "n", BATCH, ROLE_TASK);
    const Expr *cb = nest_loop(l, &s.out, "cb", div_up(w->dim[0], v), ROLE_TASK);
    const Expr *i = nest_loop(l, &s.out, "h", phase_extent(&phase[0], n->type.dim[2], a->stride[0]), ROLE_POINT);
    const Expr *j = nest_loop(l, &s.out, "w", phase_extent(&phase[1], n->type.dim[3], a->stride[1]), ROLE_POINT);
    sum_lane(l, &s, v);
    Coord dy = {{0}, {0}}, k = {{0}, {0}};
    s.result = (Coord){{pic, cb}, {ex_int(l->k, 0), s.lane}};
    if (g.in_block) phase_taps(l, &s, &dy, &k, a, 0, &phase[0], i, ROLE_TAP);
    const Expr *oc = nest_loop(l, &s.red, "oc", g.others, ROLE_REDUCE);
    if (!g.in_block) phase_taps(l, &s, &dy, &k, a, 0, &phase[0], i, ROLE_TAP);
    phase_taps(l, &s, &dy, &k, a, 1, &phase[1], j, ROLE_TAP);
    s.a = (Coord){{cb, oc, k.outer[2], k.outer[3]}, {s.lane, ex_int(l->k, 0)}};
    s.b = in_group_of(l, &g, type_of(l, n->in[0]), cb, s.lane, v, oc);
    s.b.outer[0] = pic, s.b.outer[2] = dy.outer[2], s.b.outer[3] = dy.outer[3];
    sum_emit(l, &s, n->in[1], n->in[0], NULL);
}

void wgrad_grouped(Lower *l, const Node *n, const ConvAttr *a) {
    const Type *dy = type_of(l, n->in[0]), *w = &n->type;
    int32_t v = w->layout.b0;
    Groups g = groups_of(w, a);
    Sum s = {0};
    const Expr *row, *column;
    const Expr *ob = nest_loop(l, &s.out, "ob", div_up(w->dim[0], v), ROLE_TASK);
    const Expr *ic = nest_loop(l, &s.out, "ic", g.others, ROLE_TASK);
    const Expr *pic = nest_loop(l, &s.out, "n", BATCH, ROLE_NONE);
    band_loops(l, &s, dy, &row, &column);
    const Expr *kh = nest_loop(l, &s.out, "kh", a->kernel[0], ROLE_POINT);
    const Expr *kw = nest_loop(l, &s.out, "kw", a->kernel[1], ROLE_POINT);
    sum_lane(l, &s, v);
    s.a = (Coord){{pic, ob, row, column}, {ex_int(l->k, 0), s.lane}};
    s.b = in_group_of(l, &g, type_of(l, n->in[1]), ob, s.lane, v, ic);
    s.b.outer[0] = pic;
    s.b.outer[2] = conv_read(l, row, a->stride[0], kh, a->dilation[0], a->pad[0]);
    s.b.outer[3] = conv_read(l, column, a->stride[1], kw, a->dilation[1], a->pad[2]);
    s.result = (Coord){{ob, ic, kh, kw}, {s.lane, ex_int(l->k, 0)}};
    sum_emit(l, &s, n->in[0], n->in[1], load_at(l, l->member[0], &s.result));
}
