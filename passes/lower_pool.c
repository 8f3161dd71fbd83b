/* Windows: pooling and its gradients. A window is cut to the picture by the bounds of its loops, so padding is never
 * read. */
#include "lower_maxpool.h"

typedef struct Window {
    const Expr *lo[2], *hi[2]; /* taps inside the picture; where windows share it out, its rows and columns */
    const Expr *start[2];      /* of tap 0 in the picture; may be negative */
} Window;

/* Axis d of window `at` where windows share the picture out (PoolAttr.to). */
static void share_at(Lower *l, const PoolAttr *a, int d, int64_t in, const Expr *at, Window *w) {
    const Expr *to = ex_int(l->k, a->to[d]);
    w->start[d] = w->lo[d] = ex2(l->k, EX_div, mul_i(l, at, in), to);
    w->hi[d] = ex2(l->k, EX_div, add_i(l, mul_i(l, at, in), in + a->to[d] - 1), to);
}

/* The window of output pixel (oh, ow) over a picture of height x width. */
static Window window_at(Lower *l, const PoolAttr *a, const int32_t out[2], const int32_t in[2],
                        const Expr *const at[2]) {
    Window w;
    for (int d = 0; d < 2; d++) {
        if (a->to[d]) {
            share_at(l, a, d, in[d], at[d], &w);
            continue;
        }
        int32_t pad = a->pad[2 * d];
        bool inside = pad == 0 && (out[d] - 1) * a->stride[d] + a->kernel[d] <= in[d];
        w.start[d] = add_i(l, mul_i(l, at[d], a->stride[d]), -pad);
        const Expr *before = ex2(l->k, EX_sub, ex_int(l->k, 0), w.start[d]);
        const Expr *after = ex2(l->k, EX_sub, ex_int(l->k, in[d]), w.start[d]);
        w.lo[d] = inside ? ex_int(l->k, 0) : ex2(l->k, EX_max, ex_int(l->k, 0), before);
        w.hi[d] = inside ? ex_int(l->k, a->kernel[d]) : ex2(l->k, EX_min, ex_int(l->k, a->kernel[d]), after);
    }
    return w;
}

typedef struct Pool {
    Nest out, red;
    Coord y, x; /* output element; input element under the present tap */
    const Expr *lane;
    const Expr *tap, *first; /* number of the present tap, and of the first one in the picture: kh * KW + kw */
    Window win;
    const PoolAttr *attr;
    int32_t big[2]; /* rows and columns of the tensor the windows lie on */
    int64_t lanes;
} Pool;

/* Begins the kernel of a pooling or of a gradient: loops over the windows' results, then over the taps of each window.
 * A gradient's own result is what the windows lie on, and its rows are not shared out, since windows overlap. */
static Pool pool_begin(Lower *l, Ref node, bool gradient) {
    const Node *n = graph_node(l->g, node);
    const Type *operand = &graph_node(l->g, n->in[0])->type;
    const Type *t = gradient ? operand : &n->type, *under = gradient ? &n->type : operand;
    Pool p = {.attr = &n->attr.pool, .big = {under->dim[2], under->dim[3]}, .lanes = t->layout.b1};
    const int32_t out[2] = {t->dim[2], t->dim[3]};
    lower_begin(l);
    const Expr *pic = nest_loop(l, &p.out, "n", BATCH, ROLE_TASK);
    const Expr *cb = nest_loop(l, &p.out, "cb", div_up(t->dim[1], t->layout.b1), ROLE_TASK);
    const Expr *at[2];
    at[0] = nest_loop(l, &p.out, "oh", out[0], gradient ? ROLE_NONE : ROLE_TASK);
    at[1] = nest_loop(l, &p.out, "ow", out[1], ROLE_NONE);
    p.lane = nest_loop(l, &p.out, "i", t->layout.b1, ROLE_LANE);
    p.win = window_at(l, p.attr, out, p.big, at);
    const Expr *zero = ex_int(l->k, 0);
    p.y = p.x = (Coord){{pic, cb, at[0], at[1]}, {zero, p.lane}};
    p.tap = p.first = zero;
    for (int d = 0; d < 2; d++) {
        const Expr *k = nest_range(l, &p.red, d ? "kw" : "kh", p.win.lo[d], p.win.hi[d], ROLE_REDUCE);
        bool shared = p.attr->to[d] > 0;
        p.x.outer[2 + d] = shared ? k : add_e(l, p.win.start[d], k);
        p.tap = add_e(l, mul_i(l, p.tap, p.attr->kernel[d]), shared ? ex2(l->k, EX_sub, k, p.win.start[d]) : k);
        p.first = add_e(l, mul_i(l, p.first, p.attr->kernel[d]), shared ? zero : p.win.lo[d]);
    }
    return p;
}

/* Of a window of any size. */
static void maxpool_by_taps(Lower *l, Ref node) {
    const Node *n = graph_node(l->g, node);
    Pool p = pool_begin(l, node, false);
    int32_t best = lower_reg(l, "best", DT_F32, p.lanes);
    const Expr *now = ex_load(l->k, best, p.lane);
    Stmt *body = st_seq(l->k);
    st_append(l->k, body, st_store(l->k, best, p.lane, num(l, -1.0 / 0.0)));
    const Expr *more = ex2(l->k, EX_max, now, load_at(l, n->in[0], &p.x));
    more = ex3(l->k, EX_select, ex2(l->k, EX_eq, now, now), more, now); /* a NaN stays */
    st_append(l->k, body, nest_wrap(l, &p.red, st_store(l->k, best, p.lane, more)));
    st_append(l->k, body, lower_finish(l, &p.y, now));
    lower_end(l, nest_wrap(l, &p.out, body));
}

const Expr *lower_maxpool(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    if (maxpool_is_small(&graph_node(l->g, node)->attr.pool)) {
        lower_begin(l);
        maxpool_rows(l, node);
    } else {
        maxpool_by_taps(l, node);
    }
    return NULL;
}

/* The first maximum wins, as in PyTorch; the window's own numbering, kh * KW + kw. */
const Expr *lower_maxpool_index(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    Pool p = pool_begin(l, node, false);
    Kernel *k = l->k;
    int32_t best = lower_reg(l, "best", DT_F32, p.lanes), which = lower_reg(l, "which", DT_I32, p.lanes);
    const Expr *here = load_at(l, n->in[0], &p.x), *now = ex_load(k, best, p.lane);
    const Expr *better = ex2(k, EX_lt, now, here);
    Stmt *body = st_seq(k), *step = st_seq(k);
    st_append(k, body, st_store(k, best, p.lane, num(l, -1.0 / 0.0)));
    st_append(k, body, st_store(k, which, p.lane, p.first));
    st_append(k, step, st_store(k, which, p.lane, ex3(k, EX_select, better, p.tap, ex_load(k, which, p.lane))));
    st_append(k, step, st_store(k, best, p.lane, ex2(k, EX_max, now, here)));
    st_append(k, body, nest_wrap(l, &p.red, step));
    st_append(k, body, st_store(k, lower_arg(l, node), index_at(l, &n->type, &p.y), ex_load(k, which, p.lane)));
    lower_end(l, nest_wrap(l, &p.out, body));
    return NULL;
}

/* Gradients add each output's share to the pixels of its window. Windows of one plane may overlap, so a plane is one
 * task and starts with zeros. share: what the window gives to the pixel under the present tap. */
static void scatter(Lower *l, Ref node, Pool *p, const Expr *share) {
    Kernel *k = l->k;
    const Node *n = graph_node(l->g, node);
    int32_t dx = lower_arg(l, node);
    Nest zero = {0}, tasks = p->out, inner = {0};
    tasks.n = 0;
    for (int32_t i = 0; i < p->out.n; i++) { /* picture and channel block stay outside, pixels and lanes go inside */
        Nest *to = p->out.loop[i].role == ROLE_TASK ? &tasks : &inner;
        to->loop[to->n++] = p->out.loop[i];
    }
    Coord c = p->y;
    c.outer[2] = nest_loop(l, &zero, "h", n->type.dim[2], ROLE_NONE);
    c.outer[3] = nest_loop(l, &zero, "w", n->type.dim[3], ROLE_NONE);
    c.lane[1] = nest_loop(l, &zero, "j", n->type.layout.b1, ROLE_LANE);
    Stmt *body = st_seq(k);
    st_append(k, body, nest_wrap(l, &zero, st_store(k, dx, index_at(l, &n->type, &c), num(l, 0))));
    const Expr *at = index_at(l, &n->type, &p->x);
    Nest lane = {0};
    if (inner.n && inner.loop[inner.n - 1].role == ROLE_LANE) lane.loop[lane.n++] = inner.loop[--inner.n];
    Stmt *add = st_store(k, dx, at, ex2(k, EX_add, ex_load(k, dx, at), share));
    st_append(k, body, nest_wrap(l, &inner, nest_wrap(l, &p->red, nest_wrap(l, &lane, add))));
    lower_end(l, nest_wrap(l, &tasks, body));
}

const Expr *lower_maxpool_grad(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    Pool p = pool_begin(l, node, true);
    const Expr *chosen = ex2(l->k, EX_eq, load_at(l, n->in[1], &p.y), p.tap);
    scatter(l, node, &p, ex3(l->k, EX_select, chosen, load_at(l, n->in[0], &p.y), num(l, 0)));
    return NULL;
}

/* Pixels an average divides by: of the window cut to the picture, or to the padded picture with count_pad. */
static const Expr *pixels(Lower *l, const Pool *p) {
    const PoolAttr *a = p->attr;
    const Expr *count = ex_int(l->k, 1);
    for (int d = 0; d < 2; d++) {
        const Expr *n = ex2(l->k, EX_sub, p->win.hi[d], p->win.lo[d]);
        if (a->count_pad) {
            const Expr *end = ex2(l->k, EX_sub, ex_int(l->k, p->big[d] + a->pad[2 * d + 1]), p->win.start[d]);
            n = ex2(l->k, EX_min, ex_int(l->k, a->kernel[d]), end);
        }
        count = mul_e(l, count, n);
    }
    return ex1(l->k, EX_tofloat, count);
}

const Expr *lower_avgpool(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    Pool p = pool_begin(l, node, false);
    int32_t acc = lower_reg(l, "acc", DT_F32, p.lanes);
    const Expr *sum = ex_load(l->k, acc, p.lane);
    Stmt *body = st_seq(l->k);
    st_append(l->k, body, st_store(l->k, acc, p.lane, num(l, 0)));
    const Expr *more = ex2(l->k, EX_add, sum, load_at(l, n->in[0], &p.x));
    st_append(l->k, body, nest_wrap(l, &p.red, st_store(l->k, acc, p.lane, more)));
    st_append(l->k, body, lower_finish(l, &p.y, ex2(l->k, EX_div, sum, pixels(l, &p))));
    lower_end(l, nest_wrap(l, &p.out, body));
    return NULL;
}

const Expr *lower_avgpool_grad(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    Pool p = pool_begin(l, node, true);
    scatter(l, node, &p, ex2(l->k, EX_div, load_at(l, n->in[0], &p.y), pixels(l, &p)));
    return NULL;
}
