/* Operators that only move elements: flatten, reshape, concat, slice, pad_channels. Parts that lie where they belong
 * (layout_parts.c) stay there. Of the others those that begin and end on channel blocks move by whole vectors, the rest
 * by logical elements. */
#include "lower.h"

static const Type *type_of(Lower *l, Ref r) { return &graph_node(l->g, r)->type; }

/* Copies `count` channels from channel `from` of src to channel `to` of dst; all other dimensions agree. */
static void copy_channels(Lower *l, Ref dst, Ref src, int32_t to, int32_t from, int32_t n_channels) {
    const Type *d = type_of(l, dst), *s = type_of(l, src);
    int32_t b = d->layout.b1;
    bool whole = s->layout.b1 == b && to % b == 0 && from % b == 0 &&
                 (n_channels % b == 0 || (from + n_channels == s->dim[1] && to + n_channels == d->dim[1]));
    Type part = *d;
    part.dim[1] = n_channels;
    Nest nest = {0};
    lower_begin(l);
    Coord at, of;
    if (whole) {
        at = of = nest_tensor(l, &nest, &part);
        at.outer[1] = add_i(l, at.outer[1], to / b);
        of.outer[1] = add_i(l, of.outer[1], from / b);
    } else {
        const Expr *i[MAX_RANK], *j[MAX_RANK];
        nest_logical(l, &nest, &part, i);
        for (int k = 0; k < d->rank; k++) j[k] = k == 1 ? add_i(l, i[k], from) : i[k];
        i[1] = add_i(l, i[1], to);
        at = coord_logical(l, d, i);
        of = coord_logical(l, s, j);
    }
    lower_end(l, nest_wrap(l, &nest, st_store(l->k, lower_arg(l, dst), index_at(l, d, &at), load_at(l, src, &of))));
    if (!whole && to + n_channels == d->dim[1]) lower_zero_pads(l, dst);
}

const Expr *lower_concat(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    int32_t to = 0;
    for (int32_t i = 0; i < graph_node(l->g, node)->n_in; i++) {
        Ref in = graph_node(l->g, node)->in[i];
        if (!lower_in_place(l, in, node, to)) copy_channels(l, node, in, to, 0, type_of(l, in)->dim[1]);
        to += type_of(l, in)->dim[1];
    }
    return NULL;
}

const Expr *lower_slice(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    if (!lower_in_place(l, node, n->in[0], n->attr.slice.from))
        copy_channels(l, node, n->in[0], 0, n->attr.slice.from, n->attr.slice.count);
    return NULL;
}

const Expr *lower_pad_channels(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    lower_zero(l, node);
    copy_channels(l, node, n->in[0], n->attr.slice.from, 0, type_of(l, n->in[0])->dim[1]);
    return NULL;
}

/* One side has rank 4 [N,C,H,W], the other rank 2 [N,C*H*W]; loops run over the rank-4 side. */
static void copy_flat(Lower *l, Ref node, bool flat_result) {
    const Node *n = graph_node(l->g, node);
    const Type *square = flat_result ? type_of(l, n->in[0]) : &n->type,
               *flat = flat_result ? &n->type : type_of(l, n->in[0]);
    Nest nest = {0};
    lower_begin(l);
    const Expr *i[MAX_RANK];
    nest_logical(l, &nest, square, i);
    const Expr *k = i[1];
    for (int d = 2; d < square->rank; d++) k = add_e(l, mul_i(l, k, square->dim[d]), i[d]);
    const Expr *j[MAX_RANK] = {i[0], k};
    Coord a = coord_logical(l, square, i), b = coord_logical(l, flat, j);
    const Coord *to = flat_result ? &b : &a, *from = flat_result ? &a : &b;
    lower_end(l, nest_wrap(l, &nest, lower_finish(l, to, load_at(l, n->in[0], from))));
    lower_zero_pads(l, node);
}

const Expr *lower_flatten(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    copy_flat(l, node, true);
    return NULL;
}

const Expr *lower_reshape(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    copy_flat(l, node, graph_node(l->g, node)->type.rank == 2);
    return NULL;
}
