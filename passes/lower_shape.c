/* Flatten and reshape: blocked channels become rows and the other way round, element by logical element. Operators that
 * move channels are in lower_channels.c. */
#include "lower.h"

static const Type *type_of(Lower *l, Ref r) { return &graph_node(l->g, r)->type; }

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
