/* The fully connected layer and its gradients: sums of products over the features of a picture.
 *
 * A matrix library has nothing to add to the layer: ms of a 9216x4096 and of a 4096x4096 layer on one core, here and by
 * OpenBLAS 0.3.21 (sgemm on weights [O,K]; SkylakeX kernels), in one run by the processor's clock:
 *     pictures      1            16             64             256
 *     9216x4096     8.1 : 20.9   11.5 : 27.4    31.9 : 48.1    124.9 : 129.8
 *     4096x4096     3.5 :  9.5    5.2 : 12.3    14.5 : 21.2     54.3 :  57.8 */
#include "lower_blas.h"
#include "lower_sum.h"

static const Type *type_of(Lower *l, Ref r) { return &graph_node(l->g, r)->type; }

/* The operand's own dimensions (channel block, row, column) as loops. */
static void feature_loops(Lower *l, Nest *nest, const Type *x, const Expr *outer[3], LoopRole first, LoopRole rest) {
    outer[0] = nest_loop(l, nest, "cb", div_up(x->dim[1], x->layout.b1), first);
    outer[1] = nest_loop(l, nest, "h", type_height(x), rest);
    outer[2] = nest_loop(l, nest, "w", type_width(x), rest);
}

/* How the sum of a layer is taken apart. A task computes `groups` groups of `blocks` blocks of outputs. Of a long row
 * of features it takes one part after the other, each for all of its groups and PICTURES pictures, and keeps the sums
 * so far in memory: what it reads of the pictures stays in the second cache meanwhile, and each weight comes from
 * memory once. Two blocks at a time and many pictures, not four and few: that asks for the least of weights that come
 * from far. */
typedef struct Division {
    int32_t from, blocks, groups, tasks; /* of blocks of outputs; `from`: the first */
    int64_t parts, features;             /* of a row: how many, and of how many blocks of features each */
} Division;

enum { PICTURES = 84, PART_SHARE = 4, TASKS_ENOUGH = 16, GROUPS_MAX = 4 };

static bool features_are_dense(const Type *x) {
    const Halo *h = &x->layout.halo;
    return !h->top && !h->bottom && !h->left && !h->right;
}

static int64_t feature_blocks(const Type *x) {
    return div_up(x->dim[1], x->layout.b1) * type_height(x) * type_width(x);
}

/* Parts are equally long, and such that PICTURES of them take a fourth of the second cache; a row that has no such
 * parts stays whole. */
static void divide_features(Division *d, const Machine *m, const Type *x) {
    int64_t total = feature_blocks(x), most = m->cache_bytes[1] / PART_SHARE / (PICTURES * 4 * x->layout.b1);
    int64_t best = min_i64(most, total);
    while (best > 0 && total % best) best--;
    bool cut = features_are_dense(x) && best < total && best > 0 && best >= most / 4;
    d->features = cut ? best : total;
    d->parts = total / d->features;
}

static void divide_outputs(Division *d, int32_t n_blocks) {
    int32_t left = n_blocks - d->from;
    d->blocks = left % 2 && left % 3 == 0 ? 3 : left > 1 ? 2 : 1;
    d->groups = GROUPS_MAX;
    while (d->groups > 1 && left / (d->blocks * d->groups) < TASKS_ENOUGH) d->groups /= 2;
    d->tasks = left / (d->blocks * d->groups);
}

typedef struct Fc {
    Lower *l;
    Ref node;
    const Type *x, *w;
    Division d;
    const Expr *task, *first, *pictures; /* the present run's first picture, and how many it has */
} Fc;

/* Loops over the task's groups, their blocks, the run's pictures, and lanes. Gives the number of the accumulator among
 * the run's; s->result says which output it is. */
static const Expr *output_loops(const Fc *f, Sum *s) {
    Lower *l = f->l;
    const Expr *zero = ex_int(l->k, 0), *group = nest_loop(l, &s->out, "og", f->d.groups, ROLE_NONE);
    const Expr *block = nest_loop(l, &s->out, "ob", f->d.blocks, ROLE_BLOCK);
    const Expr *pic = nest_range(l, &s->out, "n", zero, f->pictures, ROLE_POINT);
    sum_lane(l, s, f->w->layout.b0);
    int32_t of_task = f->d.blocks * f->d.groups;
    const Expr *at = add_e(l, mul_i(l, group, f->d.blocks), block);
    const Expr *ob = add_i(l, add_e(l, mul_i(l, f->task, of_task), at), f->d.from);
    s->result = (Coord){{add_e(l, f->first, pic), ob}, {zero, s->lane}};
    return add_e(l, mul_i(l, add_e(l, mul_i(l, pic, of_task), at), s->lanes), s->lane);
}

/* The features of a part lie as densely as in a row of weights, so one loop runs over all of them: the last coordinate
 * takes what the others leave at 0. */
static void factors(const Fc *f, Sum *s, const Expr *part) {
    Lower *l = f->l;
    const Expr *at[3] = {ex_int(l->k, 0), ex_int(l->k, 0), ex_int(l->k, 0)};
    if (features_are_dense(f->x))
        at[f->x->rank - 2] =
            add_e(l, mul_i(l, part, f->d.features), nest_loop(l, &s->red, "f", f->d.features, ROLE_REDUCE));
    else
        feature_loops(l, &s->red, f->x, at, ROLE_REDUCE, ROLE_REDUCE);
    const Expr *i = nest_loop(l, &s->red, "i", f->x->layout.b1, ROLE_REDUCE);
    s->a = (Coord){{s->result.outer[1], at[0], at[1], at[2]}, {s->lane, i}};
    s->b = (Coord){{s->result.outer[0], at[0], at[1], at[2]}, {ex_int(l->k, 0), i}};
}

static const Expr *weight(const Fc *f, const Sum *s) {
    return load_at(f->l, graph_node(f->l->g, f->node)->in[1], &s->a);
}

static const Expr *input(const Fc *f, const Sum *s) {
    return load_at(f->l, graph_node(f->l->g, f->node)->in[0], &s->b);
}

static Stmt *whole_sum(const Fc *f) {
    Sum s = {0};
    output_loops(f, &s);
    factors(f, &s, ex_int(f->l->k, 0));
    const Expr *value = sum_value(f->l, &s);
    return sum_nest(f->l, &s, weight(f, &s), input(f, &s), NULL, lower_finish(f->l, &s.result, value));
}

/* Zero; then for each part, what it adds; then the finish. */
static Stmt *sum_of_parts(const Fc *f) {
    Lower *l = f->l;
    int32_t partial = lower_local(l, "partial", (int64_t)PICTURES * f->d.blocks * f->d.groups * f->w->layout.b0);
    Stmt *seq = st_seq(l->k);
    Sum zero = {0}, sum = {0}, last = {0};
    const Expr *at = output_loops(f, &zero);
    st_append(l->k, seq, nest_wrap(l, &zero.out, st_store(l->k, partial, at, num(l, 0))));
    const Expr *part = nest_loop(l, &sum.out, "part", f->d.parts, ROLE_NONE);
    at = output_loops(f, &sum);
    factors(f, &sum, part);
    const Expr *value = sum_value(l, &sum);
    st_append(l->k, seq,
              sum_nest(l, &sum, weight(f, &sum), input(f, &sum), ex_load(l->k, partial, at),
                       st_store(l->k, partial, at, value)));
    at = output_loops(f, &last);
    st_append(l->k, seq, nest_wrap(l, &last.out, lower_finish(l, &last.result, ex_load(l->k, partial, at))));
    return seq;
}

/* One picture: all that counts is that weights stream, each row from end to end. Four rows at a time: fewer do not keep
 * memory busy, with eight it is 6 % slower. */
static Stmt *one_picture(Fc f) {
    int32_t of_task = f.d.blocks * f.d.groups;
    if (of_task % 4 == 0) f.d.blocks = 4;
    f.d.groups = of_task / f.d.blocks;
    f.d.features *= f.d.parts;
    f.d.parts = 1;
    f.first = ex_int(f.l->k, 0);
    f.pictures = ex_int(f.l->k, 1);
    return whole_sum(&f);
}

static Stmt *many_pictures(Fc f) {
    Kernel *k = f.l->k;
    Nest nest = {0};
    f.first = ex_int(k, 0);
    f.pictures = ex_batch(k);
    if (f.d.parts == 1) return whole_sum(&f);
    const Expr *runs = ex2(k, EX_div, add_i(f.l, f.pictures, PICTURES - 1), ex_int(k, PICTURES));
    f.first = mul_i(f.l, nest_range(f.l, &nest, "run", f.first, runs, ROLE_NONE), PICTURES);
    f.pictures = ex2(k, EX_min, ex2(k, EX_sub, f.pictures, f.first), ex_int(k, PICTURES));
    return nest_wrap(f.l, &nest, sum_of_parts(&f));
}

/* A kernel for as many tasks as the outputs from d.from on make. */
static void lower_tasks(Fc *f) {
    Lower *l = f->l;
    Nest nest = {0};
    lower_begin(l);
    const Expr *one = ex_int(l->k, 1), *n = ex_batch(l->k);
    f->task = nest_loop(l, &nest, "task", f->d.tasks, ROLE_TASK);
    Stmt *seq = st_seq(l->k);
    st_append(l->k, seq, st_guard(l->k, ex2(l->k, EX_eq, n, one), one_picture(*f)));
    st_append(l->k, seq, st_guard(l->k, ex2(l->k, EX_lt, one, n), many_pictures(*f)));
    lower_end(l, nest_wrap(l, &nest, seq));
}

const Expr *lower_fc(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    if (blas_weight(type_of(l, n->in[1]))) return lower_fc_blas(l, node);
    Fc f = {.l = l, .node = node, .x = type_of(l, n->in[0]), .w = type_of(l, n->in[1])};
    int32_t n_blocks = (int32_t)div_up(f.w->dim[0], f.w->layout.b0);
    divide_features(&f.d, l->u->machine, f.x);
    while (f.d.from < n_blocks) {
        divide_outputs(&f.d, n_blocks);
        lower_tasks(&f);
        f.d.from += f.d.tasks * f.d.groups * f.d.blocks;
    }
    return NULL;
}

/* The weights lie with the output channel in the lane, so the sum runs along lanes: partial sums a lane, added at the
 * end. */
const Expr *lower_fc_dgrad(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    const Type *w = type_of(l, n->in[1]), *dx = &n->type;
    if (blas_weight(w)) return lower_fc_dgrad_blas(l, node);
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
    if (blas_weight(w)) return lower_fc_wgrad_blas(l, node);
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
