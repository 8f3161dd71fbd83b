/* Group norm: runs of channels of a picture, less their mean and divided by their deviation.
 *
 * A task is a slab: the fewest blocks of channels that hold whole groups, or all blocks of the picture. It goes several
 * times through its planes, which the first time brings into the second-level cache. Sums are kept by channel, in
 * vectors, and added up by group at the end of each pass; what belongs to a group is then kept by channel, too, so that
 * the next pass reads vectors of it. Pads of the last block count as channels whose numbers are all 0. */
#include "lower.h"

enum { TILE = 4, MAX_SUMS = 3 };

typedef struct Slab {
    const Type *t;
    int64_t lanes, blocks, size, groups; /* lanes a block; of the slab: blocks; channels a group; groups */
    Coord first;                         /* its picture and first block */
    Ref x, dy, gain;                     /* operands, 0 if there is none; gain: a factor of dy by channel */
    int32_t mean, r, offset, slope;      /* scratch memory, one number a channel; r: what the mean is off by, then 1 / deviation */
} Slab;

/* An element of the slab. */
typedef struct Place {
    Coord c;
    const Expr *block, *lane, *pixel; /* of the slab; of the block; of a tile of columns */
    const Expr *channel, *at;         /* place in scratch memory; in registers of one number a pixel and lane */
} Place;

/* Begins the kernel: loops over slabs. */
static Nest slabs(Lower *l, Slab *s, int32_t groups) {
    Nest tasks = {0};
    int64_t channels = s->t->dim[1];
    s->lanes = s->t->layout.b1;
    s->size = channels / groups;
    s->blocks = s->size / common_divisor(s->size, s->lanes);
    int64_t n = channels / (s->blocks * s->lanes);
    if (n * s->blocks * s->lanes != channels) n = 1, s->blocks = div_up(channels, s->lanes);
    s->groups = groups / n;
    lower_begin(l);
    s->first.lane[0] = ex_int(l->k, 0);
    s->first.outer[0] = nest_loop(l, &tasks, "n", BATCH, ROLE_TASK);
    s->first.outer[1] = mul_i(l, nest_loop(l, &tasks, "slab", n, ROLE_TASK), s->blocks);
    s->mean = lower_local(l, "mean", s->blocks * s->lanes);
    s->r = lower_local(l, "r", s->blocks * s->lanes);
    return tasks;
}

/* ---- values at an element --------------------------------------------------------------------------------------- */

static const Expr *of_channel(Lower *l, const Place *p, int32_t buf) { return ex_load(l->k, buf, p->channel); }

static const Expr *term_x(Lower *l, const Slab *s, const Place *p) { return load_at(l, s->x, &p->c); }

static const Expr *guess(Lower *l, const Slab *s, const Place *p) {
    return mul_e(l, term_x(l, s, p), num(l, (double)type_height(s->t) * type_width(s->t)));
}

static const Expr *corrected(Lower *l, const Slab *s, const Place *p) {
    return add_e(l, of_channel(l, p, s->mean), of_channel(l, p, s->r));
}

static const Expr *centred(Lower *l, const Slab *s, const Place *p) {
    return ex2(l->k, EX_sub, term_x(l, s, p), of_channel(l, p, s->mean));
}

static const Expr *term_square(Lower *l, const Slab *s, const Place *p) {
    const Expr *d = centred(l, s, p);
    return mul_e(l, d, d);
}

/* The gradient of the standardised number. */
static const Expr *steep(Lower *l, const Slab *s, const Place *p) {
    const Expr *dy = load_at(l, s->dy, &p->c);
    return s->gain ? mul_e(l, dy, ex_load(l->k, lower_arg(l, s->gain), coord_channel(l, s->t, &p->c))) : dy;
}

static const Expr *term_product(Lower *l, const Slab *s, const Place *p) {
    return mul_e(l, steep(l, s, p), centred(l, s, p));
}

/* ---- planes ----------------------------------------------------------------------------------------------------- */

typedef const Expr *Term(Lower *l, const Slab *s, const Place *p);

typedef struct Sums {
    int n;
    Term *term[MAX_SUMS];
    int32_t sum[MAX_SUMS];                   /* scratch memory, one number a channel */
    int32_t part[MAX_SUMS], total[MAX_SUMS]; /* registers: of a row, one number a pixel and lane; of a plane */
} Sums;

/* What happens to an element: `sums` if they are given, else the node's finish. */
typedef Stmt *ElementRule(Lower *l, const Slab *s, const Place *p, const Sums *sums);

static void set_lane(Lower *l, const Slab *s, Place *p, Nest *nest) {
    p->lane = p->c.lane[1] = nest_loop(l, nest, "i", s->lanes, ROLE_LANE);
    p->channel = add_e(l, mul_i(l, p->block, s->lanes), p->lane);
    p->at = p->pixel ? add_e(l, mul_i(l, p->pixel, s->lanes), p->lane) : p->lane;
}

static Stmt *for_pixels(Lower *l, int32_t var, int32_t count, Stmt *body) {
    if (count == 1) return body;
    return st_for(l->k, var, ex_int(l->k, 0), ex_int(l->k, count), LOOP_UNROLL, ROLE_NONE, body);
}

/* The elements of a row: tiles of columns, and the rest of them. */
static void row(Lower *l, const Slab *s, const Place *at, Stmt *body, ElementRule *rule, const Sums *sums) {
    int32_t width = type_width(s->t), tiles = width / TILE;
    for (int rest = 0; rest < 2; rest++) {
        int32_t count = rest ? width % TILE : TILE, var = kernel_add_var(l->k, "p");
        if (count == 0 || (!rest && tiles == 0)) continue;
        Nest tile = {0}, lane = {0};
        Place p = *at;
        p.pixel = count > 1 ? ex_var(l->k, var) : ex_int(l->k, 0);
        p.c.outer[3] = rest ? ex_int(l->k, tiles * TILE) : mul_i(l, nest_loop(l, &tile, "w", tiles, ROLE_NONE), TILE);
        p.c.outer[3] = add_e(l, p.c.outer[3], p.pixel);
        set_lane(l, s, &p, &lane);
        Stmt *one = nest_wrap(l, &lane, rule(l, s, &p, sums));
        st_append(l->k, body, nest_wrap(l, &tile, for_pixels(l, var, count, one)));
    }
}

static Stmt *add_terms(Lower *l, const Slab *s, const Place *p, const Sums *sums) {
    Stmt *seq = st_seq(l->k);
    for (int i = 0; i < sums->n; i++) {
        const Expr *more = add_e(l, ex_load(l->k, sums->part[i], p->at), sums->term[i](l, s, p));
        st_append(l->k, seq, st_store(l->k, sums->part[i], p->at, more));
    }
    return seq;
}

/* total = 0, or total += the sums of a row, which begin anew. */
static Stmt *end_row(Lower *l, const Slab *s, Place p, const Sums *sums, bool begin) {
    Nest lane = {0};
    Stmt *seq = st_seq(l->k);
    int32_t pixels = type_width(s->t) < TILE ? type_width(s->t) : TILE;
    set_lane(l, s, &p, &lane);
    for (int i = 0; i < sums->n; i++) {
        const Expr *sum = begin ? num(l, 0) : ex_load(l->k, sums->total[i], p.lane);
        for (int32_t k = 0; k < pixels && !begin; k++)
            sum = add_e(l, sum, ex_load(l->k, sums->part[i], add_i(l, p.lane, k * s->lanes)));
        st_append(l->k, seq, st_store(l->k, sums->total[i], p.lane, sum));
        for (int32_t k = 0; k < pixels; k++)
            st_append(l->k, seq, st_store(l->k, sums->part[i], add_i(l, p.lane, k * s->lanes), num(l, 0)));
    }
    return nest_wrap(l, &lane, seq);
}

static Stmt *keep_totals(Lower *l, const Slab *s, Place p, const Sums *sums) {
    Nest lane = {0};
    Stmt *seq = st_seq(l->k);
    set_lane(l, s, &p, &lane);
    for (int i = 0; i < sums->n; i++)
        st_append(l->k, seq, st_store(l->k, sums->sum[i], p.channel, ex_load(l->k, sums->total[i], p.lane)));
    return nest_wrap(l, &lane, seq);
}

/* Loops over blocks and rows. */
static void planes(Lower *l, const Slab *s, Stmt *body, ElementRule *rule, const Sums *sums) {
    Nest blocks = {0}, rows = {0};
    Stmt *block = st_seq(l->k), *line = st_seq(l->k);
    Place p = {.c = s->first};
    p.block = nest_loop(l, &blocks, "cb", s->blocks, ROLE_NONE);
    p.c.outer[1] = add_e(l, s->first.outer[1], p.block);
    if (s->t->rank > 2) p.c.outer[2] = nest_loop(l, &rows, "h", s->t->dim[2], ROLE_NONE);
    row(l, s, &p, line, rule, sums);
    if (sums) st_append(l->k, line, end_row(l, s, p, sums, false));
    if (sums) st_append(l->k, block, end_row(l, s, p, sums, true));
    st_append(l->k, block, nest_wrap(l, &rows, line));
    if (sums) st_append(l->k, block, keep_totals(l, s, p, sums));
    st_append(l->k, body, nest_wrap(l, &blocks, block));
}

/* sum[i], one number a channel, becomes the sum of term[i] over the channel's plane. */
static void plane_sums(Lower *l, const Slab *s, Stmt *body, Sums sums) {
    int32_t pixels = type_width(s->t) < TILE ? type_width(s->t) : TILE;
    for (int i = 0; i < sums.n; i++) {
        sums.part[i] = lower_reg(l, "part", DT_F32, s->lanes * pixels);
        sums.total[i] = lower_reg(l, "total", DT_F32, s->lanes);
    }
    planes(l, s, body, add_terms, &sums);
}

/* ---- groups ----------------------------------------------------------------------------------------------------- */

static const Expr *mean_of(Lower *l, const Slab *s, const Expr *sum) {
    return ex2(l->k, EX_div, sum, num(l, (double)s->size * type_height(s->t) * type_width(s->t)));
}

static const Expr *inverse(Lower *l, const Expr *variance, double eps) {
    return ex2(l->k, EX_div, num(l, 1), ex1(l->k, EX_sqrt, add_e(l, variance, num(l, eps))));
}

/* Of each group the sum of `buf` becomes the mean of its elements, or with `invert` 1 / sqrt(mean + eps): buf then has
 * it for each of its channels, and 0 for pads. */
static void by_group(Lower *l, const Slab *s, Stmt *body, int32_t buf, bool invert, double eps) {
    Kernel *k = l->k;
    int64_t width = s->size % s->lanes ? 1 : s->lanes;
    Nest groups = {0}, runs[2] = {{0}, {0}}, zero = {0}, fold = {0}, pads = {0};
    int32_t part = lower_reg(l, "run", DT_F32, width), all = lower_reg(l, "all", DT_F32, 1);
    const Expr *none = ex_int(k, 0), *sum = ex_load(k, all, none), *at[2], *lane[2];
    const Expr *from = mul_i(l, nest_loop(l, &groups, "g", s->groups, ROLE_NONE), s->size);
    for (int i = 0; i < 2; i++) {
        const Expr *run = nest_loop(l, &runs[i], "j", s->size / width, ROLE_NONE);
        lane[i] = nest_loop(l, &runs[i], "i", width, ROLE_LANE);
        at[i] = add_e(l, add_e(l, from, mul_i(l, run, width)), lane[i]);
    }
    Stmt *one = st_seq(k);
    const Expr *first = nest_loop(l, &zero, "i", width, ROLE_LANE), *last = nest_loop(l, &fold, "i", width, ROLE_LANE);
    st_append(k, one, nest_wrap(l, &zero, st_store(k, part, first, num(l, 0))));
    const Expr *more = add_e(l, ex_load(k, part, lane[0]), ex_load(k, buf, at[0]));
    st_append(k, one, nest_wrap(l, &runs[0], st_store(k, part, lane[0], more)));
    st_append(k, one, st_store(k, all, none, num(l, 0)));
    st_append(k, one, nest_wrap(l, &fold, st_store(k, all, none, add_e(l, sum, ex_load(k, part, last)))));
    const Expr *mean = mean_of(l, s, sum);
    st_append(k, one, st_store(k, all, none, invert ? inverse(l, mean, eps) : mean));
    st_append(k, one, nest_wrap(l, &runs[1], st_store(k, buf, at[1], sum)));
    st_append(k, body, nest_wrap(l, &groups, one));
    int64_t real = s->groups * s->size, stored = s->blocks * s->lanes;
    if (real == stored) return;
    const Expr *pad = nest_range(l, &pads, "pad", ex_int(k, real), ex_int(k, stored), ROLE_NONE);
    st_append(k, body, nest_wrap(l, &pads, st_store(k, buf, pad, num(l, 0))));
}

/* Loops over the channels of the slab. */
static Place each_channel(Lower *l, const Slab *s, Nest *nest) {
    Place p = {.c = s->first, .block = nest_loop(l, nest, "cb", s->blocks, ROLE_NONE)};
    p.c.outer[1] = add_e(l, s->first.outer[1], p.block);
    set_lane(l, s, &p, nest);
    return p;
}

/* buf[channel] = term at the first pixel of the channel. */
static void for_channels(Lower *l, const Slab *s, Stmt *body, int32_t buf, Term *term) {
    Nest nest = {0};
    Place p = each_channel(l, s, &nest);
    p.c.outer[2] = p.c.outer[3] = ex_int(l->k, 0);
    st_append(l->k, body, nest_wrap(l, &nest, st_store(l->k, buf, p.channel, term(l, s, &p))));
}

/* By group the mean of what differs from a guess, and the guess: so what the roundings of a sum leave is a small part
 * of the deviation, not of the mean, and nothing of planes of one number, where it would be divided by sqrt(eps). The
 * guess is the mean of the first pixel. */
static void group_means(Lower *l, const Slab *s, Stmt *body) {
    for_channels(l, s, body, s->mean, guess);
    by_group(l, s, body, s->mean, false, 0);
    plane_sums(l, s, body, (Sums){.n = 1, .term = {centred}, .sum = {s->r}});
    by_group(l, s, body, s->r, false, 0);
    for_channels(l, s, body, s->mean, corrected);
}

/* ---- rules ------------------------------------------------------------------------------------------------------ */

static const GroupsAttr *attr_of(const Lower *l, Ref node) { return &graph_node(l->g, node)->attr.groups; }

static Stmt *normalise(Lower *l, const Slab *s, const Place *p, const Sums *sums) {
    (void)sums;
    const Node *n = graph_node(l->g, l->member[0]);
    const Expr *channel = coord_channel(l, s->t, &p->c), *weight = ex_load(l->k, lower_arg(l, n->in[1]), channel);
    const Expr *standard = mul_e(l, centred(l, s, p), of_channel(l, p, s->r));
    return lower_finish(l, &p->c, ex3(l->k, EX_fma, standard, weight, ex_load(l->k, lower_arg(l, n->in[2]), channel)));
}

const Expr *lower_group_norm(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    Slab s = {.x = graph_node(l->g, node)->in[0]};
    s.t = &graph_node(l->g, s.x)->type;
    Nest tasks = slabs(l, &s, attr_of(l, node)->groups);
    Stmt *body = st_seq(l->k);
    group_means(l, &s, body);
    plane_sums(l, &s, body, (Sums){.n = 1, .term = {term_square}, .sum = {s.r}});
    by_group(l, &s, body, s.r, true, attr_of(l, node)->eps);
    planes(l, &s, body, normalise, NULL);
    lower_end(l, nest_wrap(l, &tasks, body));
    return NULL;
}

/* dx = r (g - mean of g - s mean of g s), where g is the gradient of the standardised s = (x - mean) r. */
static Stmt *descend(Lower *l, const Slab *s, const Place *p, const Sums *sums) {
    (void)sums;
    const Expr *r = of_channel(l, p, s->r);
    const Expr *level = ex2(l->k, EX_sub, steep(l, s, p), of_channel(l, p, s->offset));
    const Expr *slope = mul_e(l, of_channel(l, p, s->slope), mul_e(l, r, r));
    const Expr *dx = mul_e(l, r, ex2(l->k, EX_sub, level, mul_e(l, centred(l, s, p), slope)));
    return lower_finish(l, &p->c, dx);
}

const Expr *lower_group_norm_grad(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    Slab s = {.dy = n->in[0], .x = n->in[1], .gain = n->in[2], .t = &graph_node(l->g, n->in[1])->type};
    Nest tasks = slabs(l, &s, attr_of(l, node)->groups);
    Stmt *body = st_seq(l->k);
    s.offset = lower_local(l, "offset", s.blocks * s.lanes);
    s.slope = lower_local(l, "slope", s.blocks * s.lanes);
    group_means(l, &s, body);
    plane_sums(l, &s, body,
               (Sums){.n = 3, .term = {term_square, steep, term_product}, .sum = {s.r, s.offset, s.slope}});
    by_group(l, &s, body, s.r, true, attr_of(l, node)->eps);
    by_group(l, &s, body, s.offset, false, 0);
    by_group(l, &s, body, s.slope, false, 0);
    planes(l, &s, body, descend, NULL);
    lower_end(l, nest_wrap(l, &tasks, body));
    return NULL;
}

/* Sums of dy s over planes. */
const Expr *lower_group_norm_dot(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    Slab s = {.dy = n->in[0], .x = n->in[1], .t = &graph_node(l->g, n->in[1])->type};
    Nest tasks = slabs(l, &s, attr_of(l, node)->groups), nest = {0};
    Stmt *body = st_seq(l->k);
    s.slope = lower_local(l, "slope", s.blocks * s.lanes);
    group_means(l, &s, body);
    plane_sums(l, &s, body, (Sums){.n = 2, .term = {term_square, term_product}, .sum = {s.r, s.slope}});
    by_group(l, &s, body, s.r, true, attr_of(l, node)->eps);
    Place p = each_channel(l, &s, &nest);
    const Expr *sum = mul_e(l, of_channel(l, &p, s.slope), of_channel(l, &p, s.r));
    st_append(l->k, body, nest_wrap(l, &nest, lower_finish(l, &p.c, sum)));
    lower_end(l, nest_wrap(l, &tasks, body));
    return NULL;
}
