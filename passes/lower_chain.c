/* Chains of convolutions (chain.h): for every band of rows the first convolution's rows that the window reads, those of
 * the window, those of the last one, each as the nest that it would be in a kernel of its own.
 *
 * Bands overlap where the window is higher than its stride: those rows are computed twice. Rows beyond the picture are the
 * window's padding: the first convolution repeats its nearest row instead, and they are set to zero. */
#include "lower_conv.h"

#include "chain.h"

/* Scratch memory for `rows` rows, from row `first` on, of the node's tensor. */
static void hold_rows(Lower *l, Ref node, const char *name, const Expr *first, int64_t rows) {
    Band *b = NEW(l->arena, Band);
    *b = (Band){.type = graph_node(l->g, node)->type, .first = first};
    b->type.dim[0] = 1;
    b->type.dim[2] = (int32_t)rows;
    b->type.layout.halo.top = b->type.layout.halo.bottom = 0;
    l->band[node] = b;
    l->stored[node] = true;
    l->arg_of[node] = lower_local(l, name, type_stored(&b->type));
}

static void release_rows(Lower *l, Ref node) {
    l->band[node] = NULL;
    l->stored[node] = false;
}

/* Zero in columns [from, to) of some rows of a band, or in those rows only that `outside` says. */
static void zero_columns(Lower *l, Stmt *seq, Ref node, const Expr *row, const Expr *outside, int32_t from,
                         int32_t to) {
    if (from >= to) return;
    Nest nest = {0};
    const Type *t = &l->band[node]->type;
    Coord at = {{ex_int(l->k, 0)}, {ex_int(l->k, 0)}};
    at.outer[1] = nest_loop(l, &nest, "cb", div_up(t->dim[1], t->layout.b1), ROLE_NONE);
    at.outer[2] = row;
    at.outer[3] = nest_range(l, &nest, "s", ex_int(l->k, from), ex_int(l->k, to), ROLE_NONE);
    at.lane[1] = nest_loop(l, &nest, "i", t->layout.b1, ROLE_LANE);
    Stmt *zero = nest_wrap(l, &nest, st_store(l->k, l->arg_of[node], index_at(l, t, &at), num(l, 0)));
    st_append(l->k, seq, outside ? st_guard(l->k, outside, zero) : zero);
}

/* The window's padding: columns left and right, rows above and below the picture. */
static Stmt *zero_padding(Lower *l, Ref node) {
    const Band *b = l->band[node];
    int32_t left = b->type.layout.halo.left, right = b->type.layout.halo.right, width = b->type.dim[3];
    int32_t height = graph_node(l->g, node)->type.dim[2];
    Nest rows = {0};
    Stmt *seq = st_seq(l->k);
    const Expr *row = nest_loop(l, &rows, "r", b->type.dim[2], ROLE_NONE), *at = add_e(l, b->first, row);
    zero_columns(l, seq, node, row, NULL, -left, 0);
    zero_columns(l, seq, node, row, NULL, width, width + right);
    zero_columns(l, seq, node, row, ex2(l->k, EX_lt, at, ex_int(l->k, 0)), 0, width);
    zero_columns(l, seq, node, row, ex2(l->k, EX_le, ex_int(l->k, height), at), 0, width);
    return nest_wrap(l, &rows, seq);
}

/* The members from conv on, up to the next convolution, are finished together; gives the last of them. */
static Ref enter_stage(Lower *l, Ref conv) {
    for (l->head = 0; l->member[l->head] != conv;) l->head++;
    for (l->tail = l->head + 1; l->tail < l->n_member; l->tail++)
        if (graph_node(l->g, l->member[l->tail])->op == OP_conv) break;
    return l->member[l->tail - 1];
}

static Chain stages(const Lower *l) {
    Chain c = {0, 0, 0};
    for (int32_t m = 0; m < l->n_member; m++) {
        if (graph_node(l->g, l->member[m])->op != OP_conv) continue;
        if (chain_is_window(l->g, l->member[m]))
            c.window = l->member[m];
        else
            *(c.window ? &c.after : &c.before) = l->member[m];
    }
    return c;
}

bool conv_is_chain(const Lower *l) {
    int32_t n = 0;
    for (int32_t m = 0; m < l->n_member; m++) n += graph_node(l->g, l->member[m])->op == OP_conv;
    return n > 1;
}

void conv_chain(Lower *l) {
    Chain c = stages(l);
    const Node *window = graph_node(l->g, c.window);
    const ConvAttr *a = &window->attr.conv;
    int64_t rows = chain_rows(l->g, &c, l->u->machine);
    Nest bands = {0};
    lower_begin(l);
    const Expr *pic = nest_loop(l, &bands, "n", BATCH, ROLE_TASK);
    const Expr *first = mul_i(l, nest_loop(l, &bands, "band", window->type.dim[2] / rows, ROLE_TASK), rows);
    Stmt *body = st_seq(l->k);
    Ref x = 0, y = 0;
    if (c.before) {
        x = enter_stage(l, c.before);
        const Expr *from = add_i(l, mul_i(l, first, a->stride[0]), -a->pad[0]);
        ConvRows r = {pic, from, chain_reads(a, rows), graph_node(l->g, x)->type.dim[2]};
        hold_rows(l, x, "x", from, r.rows);
        st_append(l->k, body, zero_padding(l, x));
        st_append(l->k, body, conv_dense_nest(l, graph_node(l->g, c.before), &r));
    }
    ConvRows r = {pic, first, rows, 0};
    y = enter_stage(l, c.window);
    if (c.after) hold_rows(l, y, "y", first, rows);
    st_append(l->k, body, conv_grouped_nest(l, window, &r));
    if (c.after) {
        enter_stage(l, c.after);
        st_append(l->k, body, conv_dense_nest(l, graph_node(l->g, c.after), &r));
    }
    lower_end(l, nest_wrap(l, &bands, body));
    if (x) release_rows(l, x);
    if (c.after) release_rows(l, y);
}
