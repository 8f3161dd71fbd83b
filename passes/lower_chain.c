/* Chains (chain.h): for every band of rows the first convolution's rows that the window reads, those of the window,
 * those of the last convolution, each as the nest that it would be in a kernel of its own.
 *
 * Bands overlap where the window is higher than its stride: those rows are computed twice. Rows beyond the picture are
 * the window's padding: zero for a convolution, minus infinity for a maximum. A window needs its own channels only:
 * without a last convolution, channel blocks are tasks, too, and a band may be the whole picture. */
#include "lower_conv.h"

#include <math.h>

#include "chain.h"
#include "lower_maxpool.h"

/* Scratch memory for `rows` rows of the node's tensor, from row `first` on, in `blocks` blocks from `block` on. */
static void hold_rows(Lower *l, Ref node, const char *name, const Expr *first, int64_t rows, const Expr *block,
                      int64_t blocks) {
    Band *b = NEW(l->arena, Band);
    *b = (Band){.type = graph_node(l->g, node)->type, .first = first, .block = block};
    b->type.dim[0] = 1;
    b->type.dim[1] = (int32_t)(blocks * b->type.layout.b1);
    b->type.dim[2] = (int32_t)rows;
    b->type.layout.halo.top = b->type.layout.halo.bottom = 0;
    b->type.layout.from = b->type.layout.whole = 0;
    l->band[node] = b;
    l->stored[node] = true;
    l->arg_of[node] = lower_local(l, name, type_stored(&b->type));
}

static void release_rows(Lower *l, Ref node) {
    if (!node) return;
    l->band[node] = NULL;
    l->stored[node] = false;
}

/* A number in columns [from, to) of a row of a band. */
static Stmt *fill_columns(Lower *l, Ref node, double x, const Expr *place, int32_t from, int32_t to) {
    Nest nest = {0};
    const Type *t = &l->band[node]->type;
    Coord at = {{ex_int(l->k, 0)}, {ex_int(l->k, 0)}};
    at.outer[1] = nest_loop(l, &nest, "cb", t->dim[1] / t->layout.b1, ROLE_NONE);
    at.outer[2] = place;
    at.outer[3] = nest_range(l, &nest, "s", ex_int(l->k, from), ex_int(l->k, to), ROLE_NONE);
    at.lane[1] = nest_loop(l, &nest, "i", t->layout.b1, ROLE_LANE);
    return nest_wrap(l, &nest, st_store(l->k, l->arg_of[node], index_at(l, t, &at), num(l, x)));
}

/* The window's padding left and right, of all rows of the band. */
static Stmt *zero_sides(Lower *l, Ref node) {
    const Type *t = &l->band[node]->type;
    int32_t left = t->layout.halo.left, right = t->layout.halo.right, width = t->dim[3];
    Nest rows = {0};
    Stmt *seq = st_seq(l->k);
    const Expr *row = nest_loop(l, &rows, "r", t->dim[2], ROLE_NONE);
    if (left) st_append(l->k, seq, fill_columns(l, node, 0, row, -left, 0));
    if (right) st_append(l->k, seq, fill_columns(l, node, 0, row, width, width + right));
    return nest_wrap(l, &rows, seq);
}

/* The members from a stage on, up to the next one, are finished together; gives the last of them. */
static Ref enter_stage(Lower *l, Ref stage) {
    for (l->head = 0; l->member[l->head] != stage;) l->head++;
    for (l->tail = l->head + 1; l->tail < l->n_member; l->tail++)
        if (chain_is_stage(l->g, l->member[l->tail])) break;
    return l->member[l->tail - 1];
}

static Chain stages(const Lower *l) {
    Chain c = {0, 0, 0};
    for (int32_t m = 0; m < l->n_member; m++) {
        if (!chain_is_stage(l->g, l->member[m])) continue;
        if (chain_is_window(l->g, l->member[m]))
            c.window = l->member[m];
        else
            *(c.window ? &c.after : &c.before) = l->member[m];
    }
    return c;
}

bool conv_is_chain(const Lower *l) {
    int32_t n = 0;
    for (int32_t m = 0; m < l->n_member; m++) n += chain_is_stage(l->g, l->member[m]);
    return n > 1;
}

/* What the window finds beyond the picture. */
static double beyond(const Lower *l, const Chain *c) {
    return graph_node(l->g, c->window)->op == OP_conv ? 0 : -INFINITY;
}

/* Rows of the first convolution's result for the window: those of the picture are computed, those above and below it
 * are the window's padding. */
static void compute_before(Lower *l, Stmt *seq, const Chain *c, ConvRows r) {
    Ref x = enter_stage(l, c->before);
    const Band *b = l->band[x];
    Nest rows = {0};
    Stmt *body = st_seq(l->k);
    const Expr *zero = ex_int(l->k, 0), *last = ex_int(l->k, graph_node(l->g, x)->type.dim[2] - 1);
    r.first = add_e(l, r.first, nest_loop(l, &rows, "r", r.rows, ROLE_NONE));
    r.rows = 1;
    const Expr *inside = ex2(l->k, EX_and, ex2(l->k, EX_le, zero, r.first), ex2(l->k, EX_le, r.first, last));
    const Expr *below = ex2(l->k, EX_sub, r.first, last), *above = ex2(l->k, EX_sub, zero, r.first);
    const Expr *outside = ex2(l->k, EX_lt, zero, ex2(l->k, EX_max, above, below));
    st_append(l->k, body, st_guard(l->k, inside, conv_dense_nest(l, graph_node(l->g, c->before), &r)));
    const Expr *place = ex2(l->k, EX_sub, r.first, b->first);
    st_append(l->k, body, st_guard(l->k, outside, fill_columns(l, x, beyond(l, c), place, 0, b->type.dim[3])));
    st_append(l->k, seq, nest_wrap(l, &rows, body));
}

/* The same where one band is all of the window's result: what is computed is known beforehand, and takes one nest. */
static void compute_picture(Lower *l, Stmt *seq, const Chain *c, ConvRows r) {
    Ref x = enter_stage(l, c->before);
    const Band *b = l->band[x];
    int64_t above = chain_attr(graph_node(l->g, c->window)).pad[0], end = r.rows;
    int64_t below = min_i64(end, above + graph_node(l->g, x)->type.dim[2]);
    const int64_t outside[2][2] = {{0, above}, {below, end}};
    for (int i = 0; i < 2; i++) {
        Nest rows = {0};
        const Expr *lo = ex_int(l->k, outside[i][0]), *hi = ex_int(l->k, outside[i][1]);
        const Expr *row = nest_range(l, &rows, "r", lo, hi, ROLE_NONE);
        if (outside[i][0] < outside[i][1])
            st_append(l->k, seq, nest_wrap(l, &rows, fill_columns(l, x, beyond(l, c), row, 0, b->type.dim[3])));
    }
    r.first = ex_int(l->k, 0);
    r.rows = below - above;
    st_append(l->k, seq, conv_dense_nest(l, graph_node(l->g, c->before), &r));
}

/* The first convolution and the window, for the rows r of the window's result. Gives what is in scratch memory between
 * them, or 0. */
static Ref compute_window(Lower *l, Stmt *seq, const Chain *c, const ConvRows *r) {
    const Node *window = graph_node(l->g, c->window);
    ConvAttr a = chain_attr(window);
    Ref x = 0;
    if (c->before) {
        ConvRows in = *r;
        in.first = add_i(l, mul_i(l, r->first, a.stride[0]), -a.pad[0]);
        in.rows = chain_reads(&a, r->rows);
        x = enter_stage(l, c->before);
        hold_rows(l, x, "x", in.first, in.rows, in.block, in.blocks);
        st_append(l->k, seq, zero_sides(l, x));
        (r->rows < window->type.dim[2] ? compute_before : compute_picture)(l, seq, c, in);
    }
    enter_stage(l, c->window);
    bool pool = window->op == OP_maxpool;
    st_append(l->k, seq, pool ? maxpool_nest(l, c->window, r) : conv_grouped_nest(l, window, r));
    return x;
}

void conv_chain(Lower *l) {
    Chain c = stages(l);
    ChainPlan plan = chain_plan(l->g, &c, l->u->machine);
    const Type *t = &graph_node(l->g, c.window)->type;
    int64_t blocks = div_up(t->dim[1], t->layout.b1);
    Nest tasks = {0};
    lower_begin(l);
    Stmt *body = st_seq(l->k);
    ConvRows r = {.pic = nest_loop(l, &tasks, "n", BATCH, ROLE_TASK), .rows = plan.rows, .blocks = plan.blocks};
    r.first = mul_i(l, nest_loop(l, &tasks, "band", t->dim[2] / plan.rows, ROLE_TASK), plan.rows);
    r.block = mul_i(l, nest_loop(l, &tasks, "group", blocks / plan.blocks, ROLE_TASK), plan.blocks);
    Ref y = enter_stage(l, c.window);
    if (c.after) hold_rows(l, y, "y", r.first, plan.rows, r.block, plan.blocks);
    Ref x = compute_window(l, body, &c, &r);
    if (c.after) {
        enter_stage(l, c.after);
        r.blocks = 0;
        st_append(l->k, body, conv_dense_nest(l, graph_node(l->g, c.after), &r));
    }
    lower_end(l, nest_wrap(l, &tasks, body));
    release_rows(l, x);
    if (c.after) release_rows(l, y);
}
