/* Operators that only move channels: concat, slice, pad_channels, channel_shuffle. Parts that lie where they belong
 * (layout_parts.c) stay there.
 *
 * All others are one thing: channel c of the result is a channel of one of several sources, or zero. A block of the
 * result is put together from the blocks that its channels are in, each of which is read as one vector and permuted.
 * Which blocks and which lanes these are is known here, so each block of the result has loops of its own, with
 * constants only. Where that would be too much code, or where blocks differ in size, logical elements move one by one. */
#include "lower.h"

enum { MAX_BLOCKS = 512 };

/* Channels [to, to + n) of the result: channel to + k is channel shuffled(from + k) of the node, where `groups` runs of
 * equal length are read in turns: shuffled(j) = j % groups * (channels / groups) + j / groups. */
typedef struct Source {
    Ref node;
    int32_t to, n, from, groups;
} Source;

static const Type *type_of(Lower *l, Ref r) { return &graph_node(l->g, r)->type; }

static bool holds(const Source *s, int64_t c) { return c >= s->to && c < (int64_t)s->to + s->n; }

static int64_t channel_of(const Source *s, const Type *x, int64_t c) {
    int64_t j = c - s->to + s->from;
    return j % s->groups * (x->dim[1] / s->groups) + j / s->groups;
}

/* The same as an expression. */
static const Expr *channel_at(Lower *l, const Source *s, const Type *x, const Expr *c) {
    const Expr *j = add_i(l, c, s->from - s->to), *groups = ex_int(l->k, s->groups);
    if (s->groups == 1) return j;
    return add_e(l, mul_i(l, ex2(l->k, EX_mod, j, groups), x->dim[1] / s->groups), ex2(l->k, EX_div, j, groups));
}

static const Expr *both(Lower *l, const Expr *a, const Expr *b) { return !a ? b : !b ? a : ex2(l->k, EX_and, a, b); }

/* Whether channel c, somewhere in [first, end), is one of the source's; NULL if all of them are. */
static const Expr *is_in(Lower *l, const Source *s, const Expr *c, int64_t first, int64_t end) {
    const Expr *not_below = first < s->to ? ex2(l->k, EX_le, ex_int(l->k, s->to), c) : NULL;
    const Expr *not_above = end > (int64_t)s->to + s->n ? ex2(l->k, EX_lt, c, ex_int(l->k, s->to + s->n)) : NULL;
    return both(l, not_below, not_above);
}

typedef struct Block { /* of the result */
    Coord at;
    const Expr *c;      /* the lane's channel */
    int64_t first, end; /* its channels */
    const Expr *value;  /* so far */
} Block;

/* What the source's block number q has for the block, above what other blocks have. */
static void take(Lower *l, Block *b, const Source *s, int64_t q) {
    const Type *x = type_of(l, s->node);
    int64_t size = x->layout.b1, n = 0;
    bool all = true;
    for (int64_t c = b->first; c < b->end; c++) {
        bool here = holds(s, c) && channel_of(s, x, c) / size == q;
        n += here;
        all = all && here;
    }
    if (n == 0) return;
    const Expr *channel = channel_at(l, s, x, b->c);
    Coord of = b->at;
    of.outer[1] = ex_int(l->k, q);
    of.lane[1] = ex2(l->k, EX_mod, channel, ex_int(l->k, size));
    const Expr *value = load_at(l, s->node, &of);
    const Expr *here = ex2(l->k, EX_eq, ex2(l->k, EX_div, channel, ex_int(l->k, size)), ex_int(l->k, q));
    here = both(l, here, is_in(l, s, b->c, b->first, b->end));
    b->value = all ? value : ex3(l->k, EX_select, here, value, b->value);
}

/* Loops over the pictures and pixels of block number `number` of the node's tensor. */
static Stmt *one_block(Lower *l, Ref node, int64_t number, const Source *source, int32_t n_source) {
    const Type *t = type_of(l, node);
    int64_t size = t->layout.b1;
    Nest nest = {0};
    Block b = {.first = number * size, .end = min_i64((number + 1) * size, t->dim[1]), .value = num(l, 0)};
    b.at.outer[0] = nest_loop(l, &nest, "n", t->dim[0], ROLE_TASK);
    b.at.outer[1] = ex_int(l->k, number);
    if (t->rank > 2) b.at.outer[2] = nest_loop(l, &nest, "h", t->dim[2], ROLE_TASK);
    if (t->rank > 3) b.at.outer[3] = nest_loop(l, &nest, "w", t->dim[3], ROLE_NONE);
    b.at.lane[0] = ex_int(l->k, 0);
    b.at.lane[1] = nest_loop(l, &nest, "i", size, ROLE_LANE);
    b.c = coord_channel(l, t, &b.at);
    for (int32_t i = 0; i < n_source; i++) {
        const Type *x = type_of(l, source[i].node);
        bool *seen = NEW_ARRAY(l->arena, bool, div_up(x->dim[1], x->layout.b1));
        for (int64_t c = b.first; c < b.end; c++) {
            int64_t q = holds(&source[i], c) ? channel_of(&source[i], x, c) / x->layout.b1 : -1;
            if (q < 0 || seen[q]) continue;
            seen[q] = true;
            take(l, &b, &source[i], q);
        }
    }
    return nest_wrap(l, &nest, lower_finish(l, &b.at, zero_pads(l, t, &b.at, b.value)));
}

/* Can the node's blocks be put together from those of the sources? */
static bool by_blocks(Lower *l, Ref node, const Source *source, int32_t n_source) {
    const Type *t = type_of(l, node);
    bool alike = type_batched(t) && t->rank >= 2 && div_up(t->dim[1], t->layout.b1) <= MAX_BLOCKS;
    for (int32_t i = 0; i < n_source; i++) alike = alike && type_of(l, source[i].node)->layout.b1 == t->layout.b1;
    return alike;
}

/* One kernel: the channels of one source, element by element. */
static void by_elements(Lower *l, Ref node, const Source *s) {
    const Type *t = type_of(l, node), *x = type_of(l, s->node);
    Type part = *t;
    part.dim[type_channel_dim(t)] = s->n;
    Nest nest = {0};
    lower_begin(l);
    const Expr *i[MAX_RANK], *j[MAX_RANK];
    nest_logical(l, &nest, &part, i);
    int d = type_channel_dim(t);
    for (int k = 0; k < t->rank; k++) j[k] = i[k];
    i[d] = add_i(l, i[d], s->to);
    j[d] = channel_at(l, s, x, i[d]);
    Coord at = coord_logical(l, t, i), of = coord_logical(l, x, j);
    lower_end(l, nest_wrap(l, &nest, lower_finish(l, &at, load_at(l, s->node, &of))));
    for (int32_t m = 0; m < l->n_member && s->to + s->n == t->dim[d]; m++)
        if (l->stored[l->member[m]]) lower_zero_pads(l, l->member[m]);
}

/* One kernel: blocks [first, end) of the node's tensor. */
static void copy_blocks(Lower *l, Ref node, int64_t first, int64_t end, const Source *source, int32_t n_source) {
    if (first >= end) return;
    lower_begin(l);
    Stmt *all = st_seq(l->k);
    for (int64_t b = first; b < end; b++) st_append(l->k, all, one_block(l, node, b, source, n_source));
    lower_end(l, all);
}

static void from_one(Lower *l, Ref node, Source s) {
    const Type *t = type_of(l, node);
    if (by_blocks(l, node, &s, 1)) {
        copy_blocks(l, node, 0, div_up(t->dim[1], t->layout.b1), &s, 1);
        return;
    }
    if (s.n < type_channels(t)) lower_zero(l, node);
    by_elements(l, node, &s);
}

/* A kernel for each operand makes the blocks that begin in it; the last of these may have channels of the next ones. */
static void join_blocks(Lower *l, Ref node, const Source *source, int32_t n) {
    int64_t size = type_of(l, node)->layout.b1;
    for (int32_t i = 0; i < n; i++) {
        const Source *s = &source[i];
        int64_t first = div_up(s->to, size), end = div_up((int64_t)s->to + s->n, size);
        int32_t last = i + 1;
        while (last < n && source[last].to < end * size) last++;
        if (!lower_in_place(l, s->node, node, s->to)) copy_blocks(l, node, first, end, s, last - i);
    }
}

const Expr *lower_concat(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    Source *source = NEW_ARRAY(l->arena, Source, n->n_in);
    int32_t to = 0;
    for (int32_t i = 0; i < n->n_in; i++) {
        source[i] = (Source){n->in[i], to, type_channels(type_of(l, n->in[i])), 0, 1};
        to += source[i].n;
    }
    if (by_blocks(l, node, source, n->n_in)) {
        join_blocks(l, node, source, n->n_in);
        return NULL;
    }
    for (int32_t i = 0; i < n->n_in; i++)
        if (!lower_in_place(l, n->in[i], node, source[i].to)) by_elements(l, node, &source[i]);
    return NULL;
}

const Expr *lower_slice(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    const SliceAttr *a = &n->attr.slice;
    if (!lower_in_place(l, node, n->in[0], a->from)) from_one(l, node, (Source){n->in[0], 0, a->count, a->from, 1});
    return NULL;
}

const Expr *lower_pad_channels(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    from_one(l, node, (Source){n->in[0], n->attr.slice.from, type_channels(type_of(l, n->in[0])), 0, 1});
    return NULL;
}

const Expr *lower_channel_shuffle(Lower *l, Ref node, const Expr *const *operand) {
    (void)operand;
    const Node *n = graph_node(l->g, node);
    from_one(l, node, (Source){n->in[0], 0, type_channels(&n->type), 0, n->attr.shuffle.groups});
    return NULL;
}
