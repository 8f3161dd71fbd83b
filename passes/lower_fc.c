/* The fully connected layer and its gradients: sums of products over the features of a picture. */
#include "lower_sum.h"

static const Type *type_of(Lower *l, Ref r) { return &graph_node(l->g, r)->type; }

/* The operand's own dimensions (channel block, row, column) as loops. */
static void feature_loops(Lower *l, Nest *nest, const Type *x, const Expr *outer[3], LoopRole first, LoopRole rest) {
    outer[0] = nest_loop(l, nest, "cb", div_up(x->dim[1], x->layout.b1), first);
    outer[1] = nest_loop(l, nest, "h", type_height(x), rest);
    outer[2] = nest_loop(l, nest, "w", type_width(x), rest);
}

/* The sum over them. Where features lie as densely as in a row of weights, one loop runs over all: the last coordinate takes
 * what the others leave at 0. */
static void sum_features(Lower *l, Nest *nest, const Type *x, const Expr *outer[3]) {
    const Layout *y = &x->layout;
    if (y->halo.top || y->halo.bottom || y->halo.left || y->halo.right) {
        feature_loops(l, nest, x, outer, ROLE_REDUCE, ROLE_REDUCE);
        return;
    }
    for (int d = 0; d < 3; d++) outer[d] = ex_int(l->k, 0);
    int64_t blocks = div_up(x->dim[1], y->b1) * type_height(x) * type_width(x);
    outer[x->rank - 2] = nest_loop(l, nest, "f", blocks, ROLE_REDUCE);
}

const Expr *lower_fc(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    const Type *x = type_of(l, n->in[0]), *w = type_of(l, n->in[1]);
    const Expr *f[3];
    Sum s = {0};
    lower_begin(l);
    const Expr *ob = nest_loop(l, &s.out, "ob", div_up(w->dim[0], w->layout.b0), ROLE_BLOCK);
    const Expr *pic = nest_loop(l, &s.out, "n", BATCH, ROLE_POINT);
    sum_lane(l, &s, w->layout.b0);
    sum_features(l, &s.red, x, f);
    const Expr *i = nest_loop(l, &s.red, "i", x->layout.b1, ROLE_REDUCE);
    s.a = (Coord){{ob, f[0], f[1], f[2]}, {s.lane, i}};
    s.b = (Coord){{pic, f[0], f[1], f[2]}, {ex_int(l->k, 0), i}};
    s.result = (Coord){{pic, ob}, {ex_int(l->k, 0), s.lane}};
    sum_emit(l, &s, n->in[1], n->in[0], NULL);
    return NULL;
}

/* The weights lie with the output channel in the lane, so the sum runs along lanes: partial sums a lane, added at the
 * end. */
const Expr *lower_fc_dgrad(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    const Type *w = type_of(l, n->in[1]), *dx = &n->type;
    const Expr *f[3];
    Nest out = {0}, red = {0}, lane_nest[3] = {{0}, {0}, {0}};
    lower_begin(l);
    Kernel *k = l->k;
    feature_loops(l, &out, dx, f, ROLE_TASK, ROLE_TASK);
    const Expr *pic = nest_loop(l, &out, "n", BATCH, ROLE_BLOCK);
    const Expr *i = nest_loop(l, &out, "i", dx->layout.b1, ROLE_POINT);
    int32_t acc = lower_reg(l, "acc", DT_F32, w->layout.b0), sum = lower_reg(l, "sum", DT_F32, 1);
    const Expr *zero = ex_int(k, 0), *lane[3];
    for (int j = 0; j < 3; j++) lane[j] = nest_loop(l, &lane_nest[j], "o", w->layout.b0, ROLE_LANE);
    Stmt *body = st_seq(k), *finish = st_seq(k);
    st_append(k, body, nest_wrap(l, &lane_nest[0], st_store(k, acc, lane[0], num(l, 0))));
    const Expr *ob = nest_loop(l, &red, "ob", div_up(w->dim[0], w->layout.b0), ROLE_REDUCE);
    Coord dy = {{pic, ob}, {zero, lane[1]}}, at = {{ob, f[0], f[1], f[2]}, {lane[1], i}};
    const Expr *product =
        ex3(k, EX_fma, load_at(l, n->in[0], &dy), load_at(l, n->in[1], &at), ex_load(k, acc, lane[1]));
    st_append(k, body, nest_wrap(l, &red, nest_wrap(l, &lane_nest[1], st_store(k, acc, lane[1], product))));
    st_append(k, finish, st_store(k, sum, zero, num(l, 0)));
    const Expr *add = ex2(k, EX_add, ex_load(k, sum, zero), ex_load(k, acc, lane[2]));
    st_append(k, finish, nest_wrap(l, &lane_nest[2], st_store(k, sum, zero, add)));
    Coord result = {{pic, f[0], f[1], f[2]}, {zero, i}};
    l->one_by_one = true;
    st_append(k, finish, lower_finish(l, &result, ex_load(k, sum, zero)));
    l->one_by_one = false;
    st_append(k, body, finish);
    lower_end(l, nest_wrap(l, &out, body));
    return NULL;
}

const Expr *lower_fc_wgrad(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    const Type *w = &n->type, *x = type_of(l, n->in[1]);
    const Expr *f[3];
    Sum s = {0};
    lower_begin(l);
    const Expr *ob = nest_loop(l, &s.out, "ob", div_up(w->dim[0], w->layout.b0), ROLE_BLOCK);
    feature_loops(l, &s.out, x, f, ROLE_TASK, ROLE_TASK);
    const Expr *i = nest_loop(l, &s.out, "i", w->layout.b1, ROLE_POINT);
    sum_lane(l, &s, w->layout.b0);
    const Expr *pic = nest_loop(l, &s.red, "n", BATCH, ROLE_REDUCE);
    s.a = (Coord){{pic, ob}, {ex_int(l->k, 0), s.lane}};
    s.b = (Coord){{pic, f[0], f[1], f[2]}, {ex_int(l->k, 0), i}};
    s.result = (Coord){{ob, f[0], f[1], f[2]}, {s.lane, i}};
    sum_emit(l, &s, n->in[0], n->in[1], NULL);
    return NULL;
}
