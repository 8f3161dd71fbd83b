/* prefetch: what streams from memory is fetched ahead of its use: weights, and large pictures.
 *
 * Needs the final nests; adds PREFETCH statements and nothing else. A stream is what the innermost run-time loop of a
 * sum reads of an argument, one vector after the other, that is no activation, too large for the cache to have kept it
 * since the last call, and read once in a task for each run over the pictures. The hardware follows a few such streams
 * by itself, but not across pages, and not far enough ahead where each iteration takes little time: fully connected
 * layers at batch 1 run at 17 GB/s without and 19 GB/s with, of 19 that a plain loop reads, and with halves at 17 and
 * 28 GB/s.
 *
 * Weights that a few tiles of pixels share are fetched panel by panel: the products of a Winograd convolution of 256
 * channels at 14x14 go from 425 to 494 GFLOP/s, of 512 channels at 7x7 from 225 to 288 (effective, one thread). Where
 * the panel is short a stream would not reach the next one in time: 5x5 convolutions of 24 to 64 channels at 14x14 go
 * from
 * 0.096 to 0.056 ms.
 *
 * Large pictures are fetched tile by tile of points: at batch 16, 1x1 convolutions of 512 to 128 channels at 28x28 go
 * from 139 to 173 GFLOP/s, of 1024 to 256 at 14x14 from 158 to 171. Of smaller ones the cache has kept too much to
 * gain.
 *
 * What a tile adds to its sums when they are done, the other operand of a residual block, is asked for before the sums:
 * at batch 16 these layers of ResNet-50 take 4 % less time. */
#include "pass.h"

#include <string.h>

enum {
    STREAM_AHEAD = 10240, /* bytes that a loop reads between a stream's prefetch and its use */
    STREAM_SHARE = 8,     /* a stream, or what is fetched by panels, is larger than this part of the second cache */
    POINTS_SHARE = 4,     /* and a picture that is fetched by tiles of points, than this */
    PANEL_TILES = 16,     /* more than so many tiles hide the first one's wait anyway */
    CACHE_LINE = 64,
    DEPTH_MAX = 32,
    STREAMS_MAX = 4 /* of one loop */
};

typedef struct Nesting {
    Kernel *k;
    int64_t least_bytes;   /* of an argument that is a stream, or is fetched by panels */
    int64_t point_bytes;   /* of one picture that is fetched by tiles of points */
    double cache_bytes;    /* what the second-level cache keeps of a stream */
    Stmt *loop[DEPTH_MAX]; /* open ones, outermost first */
    int32_t n;
    struct {
        const Expr *load;
        Stmt *(*fetch)(const struct Nesting *t, const Expr *load, int32_t sum, int32_t step);
    } found[STREAMS_MAX]; /* what is to be fetched */
    int32_t n_found;
    const Stmt *seq[DEPTH_MAX]; /* open sequences, outermost first, and the present place in each */
    int32_t item[DEPTH_MAX], n_seq;
} Nesting;

static bool runs(const Stmt *loop) { return loop->u.loop.mode == LOOP_SERIAL || loop->u.loop.mode == LOOP_PARALLEL; }

static bool holds_run(const Stmt *s) {
    if (s->kind == ST_FOR) return runs(s) || holds_run(s->u.loop.body);
    if (s->kind == ST_GUARD) return holds_run(s->u.guard.body);
    for (int32_t i = 0; s->kind == ST_SEQ && i < s->u.seq.n; i++)
        if (holds_run(s->u.seq.item[i])) return true;
    return false;
}

static bool constant_extent(const Stmt *loop, int64_t *extent) {
    int64_t lo, hi;
    if (!ex_is_int(loop->u.loop.lo, &lo) || !ex_is_int(loop->u.loop.hi, &hi)) return false;
    *extent = hi - lo;
    return true;
}

/* Bytes that the address moves from an iteration of a loop to the next. */
static int64_t stride(const Nesting *t, const Expr *load, const Affine *at, const Stmt *loop) {
    return affine_coef(at, loop->u.loop.var) * dtype_bytes[t->k->buf[load->buf].dtype];
}

/* Bytes that the loops inside loop[outer] read. */
static double bytes_inside(const Nesting *t, const Expr *load, const Affine *at, int32_t outer) {
    double bytes = dtype_bytes[t->k->buf[load->buf].dtype];
    int64_t extent;
    for (int32_t i = outer + 1; i < t->n; i++)
        if (affine_coef(at, t->loop[i]->u.loop.var) && constant_extent(t->loop[i], &extent)) bytes *= (double)extent;
    return bytes;
}

/* The innermost loop from there outwards that moves the place and is no reduction; -1 if there is none. */
static int32_t outward(const Nesting *t, const Affine *at, int32_t from) {
    while (from >= 0 && (!runs(t->loop[from]) || t->loop[from]->u.loop.role == ROLE_REDUCE ||
                         affine_coef(at, t->loop[from]->u.loop.var) <= 0))
        from--;
    return from;
}

/* Read again by another iteration of a loop of known length around it, from the cache if that holds it all. */
static bool read_again(const Nesting *t, const Expr *load, const Affine *at, int32_t sum) {
    int64_t extent;
    for (int32_t i = 0; i < sum; i++)
        if (affine_coef(at, t->loop[i]->u.loop.var) == 0 && constant_extent(t->loop[i], &extent) && extent > 1 &&
            bytes_inside(t, load, at, i) <= t->cache_bytes)
            return true;
    return false;
}

static bool loads(const Expr *e, int32_t buf) {
    if (e->kind == EX_load && e->buf == buf) return true;
    for (int32_t i = 0; i < expr_info[e->kind].n; i++)
        if (loads(e->a[i], buf)) return true;
    return false;
}

static bool reads(const Stmt *s, int32_t buf) {
    if (s->kind == ST_FOR) return reads(s->u.loop.body, buf);
    if (s->kind == ST_GUARD) return reads(s->u.guard.body, buf);
    if (s->kind == ST_STORE) return loads(s->u.store.value, buf);
    for (int32_t i = 0; s->kind == ST_SEQ && i < s->u.seq.n; i++)
        if (reads(s->u.seq.item[i], buf)) return true;
    return false;
}

/* One of several ways, chosen by the number of pictures: only one of them runs. */
static bool is_way(const Stmt *s) {
    if (s->kind != ST_GUARD || !expr_info[s->u.guard.cond->kind].n) return false;
    return s->u.guard.cond->a[0]->kind == EX_batch || s->u.guard.cond->a[1]->kind == EX_batch;
}

/* Read by a statement before: by the tiles that this one is the rest of. */
static bool read_before(const Nesting *t, int32_t buf) {
    for (int32_t i = 0; i < t->n_seq; i++)
        for (int32_t j = 0; j < t->item[i]; j++)
            if (!is_way(t->seq[i]->u.seq.item[j]) && reads(t->seq[i]->u.seq.item[j], buf)) return true;
    return false;
}

/* Is what is read an argument that nothing here writes, an activation or not, of at least so many bytes (of one
 * picture)? */
static bool is_large(const Nesting *t, const Expr *load, bool batched, int64_t least) {
    const Buf *b = &t->k->buf[load->buf];
    return b->cls == BUF_ARG && b->batched == batched && !b->written && b->elements * dtype_bytes[b->dtype] >= least;
}

/* loop[sum]: the innermost run-time loop. The innermost of all is the vector's. */
static bool is_stream(const Nesting *t, const Expr *load, int32_t sum) {
    Affine at;
    const Stmt *lane = t->loop[t->n - 1];
    if (!is_large(t, load, false, t->least_bytes)) return false;
    if (!affine_of(load->a[0], &at) || lane->u.loop.mode != LOOP_VECTOR) return false;
    return affine_coef(&at, lane->u.loop.var) == 1 && stride(t, load, &at, t->loop[sum]) > 0 &&
           !read_again(t, load, &at, sum) && !read_before(t, load->buf);
}

/* Weights that several tiles of pixels read one after the other come from the cache for all but the first tile: while
 * one panel of them (the blocks of a tile) is at work, the next is fetched, a part by each tile. next: the loop whose
 * next iteration reads on where the panel ends; block: the unrolled loop over its blocks, -1 if there is one. */
typedef struct Panel {
    int32_t next, block;
    int64_t blocks, tiles; /* tiles that read the panel */
    const Expr *tile;      /* number of the present one */
} Panel;

static bool find_panel(const Nesting *t, const Expr *load, const Affine *at, int32_t sum, Panel *p) {
    *p = (Panel){.next = -1, .block = -1, .blocks = 1, .tiles = 1, .tile = ex_int(t->k, 0)};
    for (int32_t i = sum + 1; i < t->n; i++)
        if (t->loop[i]->u.loop.role == ROLE_BLOCK && affine_coef(at, t->loop[i]->u.loop.var) > 0) p->block = i;
    int64_t bytes =
        p->block < 0 ? (int64_t)bytes_inside(t, load, at, outward(t, at, sum)) : stride(t, load, at, t->loop[p->block]);
    if (p->block >= 0 && !constant_extent(t->loop[p->block], &p->blocks)) return false;
    for (int32_t i = 0; i < sum; i++)
        if (runs(t->loop[i]) && stride(t, load, at, t->loop[i]) == p->blocks * bytes) p->next = i;
    for (int32_t i = p->next + 1; i < sum; i++) {
        int64_t extent;
        if (affine_coef(at, t->loop[i]->u.loop.var) || !constant_extent(t->loop[i], &extent)) continue;
        p->tile =
            ex2(t->k, EX_add, ex2(t->k, EX_mul, p->tile, ex_int(t->k, extent)), ex_var(t->k, t->loop[i]->u.loop.var));
        p->tiles *= extent;
    }
    return p->next >= 0 && p->tiles > 1 && p->tiles <= PANEL_TILES;
}

static bool is_panel(const Nesting *t, const Expr *load, int32_t sum) {
    Affine at;
    Panel p;
    return is_large(t, load, false, t->least_bytes) && affine_of(load->a[0], &at) &&
           affine_coef(&at, t->loop[t->n - 1]->u.loop.var) == 1 && find_panel(t, load, &at, sum, &p);
}

/* A panel that lies in one piece, read by a body of unrolled steps at a time. */
typedef struct Spread {
    int64_t steps, vector, body; /* steps of a body; elements of a vector, and of what a body reads of one block */
    int64_t fetches, bodies;     /* vectors that each body fetches; bodies of a tile */
} Spread;

/* Each body of a tile fetches the same number of vectors, so that memory is never asked for more than it can give. */
static bool find_spread(const Nesting *t, const Affine *at, int32_t sum, int32_t step, const Panel *p, Spread *s) {
    int64_t extent, step_by = affine_coef(at, t->loop[step]->u.loop.var);
    *s = (Spread){.bodies = 1};
    if (step <= sum || runs(t->loop[step]) || !constant_extent(t->loop[step], &s->steps)) return false;
    if (!constant_extent(t->loop[t->n - 1], &s->vector) || step_by != s->vector) return false;
    s->body = s->steps * s->vector;
    s->fetches = div_up(s->steps * p->blocks, p->tiles);
    for (int32_t i = p->next + 1; i < step; i++) {
        int64_t by = affine_coef(at, t->loop[i]->u.loop.var);
        if (by == 0) continue;
        if (!runs(t->loop[i]) || by % s->body || !constant_extent(t->loop[i], &extent)) return false;
        s->bodies *= extent;
    }
    return affine_coef(at, t->loop[p->block < 0 ? p->next : p->block]->u.loop.var) == s->bodies * s->body;
}

static Stmt *fetch_spread(const Nesting *t, const Expr *load, const Affine *at, int32_t step, const Panel *p,
                          const Spread *s) {
    Kernel *k = t->k;
    const Expr **map = NEW_ARRAY(k->arena, const Expr *, k->n_var);
    const Expr *from = ex2(k, EX_mul, p->tile, ex_int(k, s->bodies * s->fetches * s->vector));
    for (int32_t i = p->next + 1; i < t->n; i++) {
        int32_t var = t->loop[i]->u.loop.var;
        int64_t by = affine_coef(at, var);
        if (by == 0) continue;
        map[var] = ex_int(k, 0);
        if (i >= step || i == p->block) continue;
        by = by / s->body * s->fetches * s->vector;
        from = ex2(k, EX_add, from, ex2(k, EX_mul, ex_var(k, var), ex_int(k, by)));
    }
    int32_t next = t->loop[p->next]->u.loop.var;
    map[next] = ex2(k, EX_add, ex_var(k, next), ex_int(k, 1));
    from = ex2(k, EX_add, ex_subst(k, load->a[0], map), from);
    Stmt *seq = st_seq(k);
    for (int64_t i = 0; i < s->fetches; i++) {
        const Expr *now = ex2(k, EX_eq, ex_var(k, t->loop[step]->u.loop.var), ex_int(k, i * s->steps / s->fetches));
        const Expr *place = ex2(k, EX_add, from, ex_int(k, i * s->vector));
        st_append(k, seq, st_guard(k, now, st_prefetch(k, load->buf, place)));
    }
    return seq;
}

/* Any other panel, where each step reads a vector of each block: the next ones of the blocks that are this tile's
 * share. */
static Stmt *fetch_blocks(const Nesting *t, const Expr *load, const Panel *p) {
    int64_t share = div_up(p->blocks, p->tiles);
    int32_t next = t->loop[p->next]->u.loop.var;
    const Expr **map = NEW_ARRAY(t->k->arena, const Expr *, t->k->n_var), *blocks = ex_int(t->k, p->blocks);
    map[t->loop[t->n - 1]->u.loop.var] = ex_int(t->k, 0);
    map[next] = ex2(t->k, EX_add, ex_var(t->k, next), ex_int(t->k, 1));
    Stmt *seq = st_seq(t->k);
    for (int64_t i = 0; i < share; i++) {
        const Expr *block = ex2(t->k, EX_add, ex2(t->k, EX_mul, p->tile, ex_int(t->k, share)), ex_int(t->k, i));
        if (p->block >= 0)
            map[t->loop[p->block]->u.loop.var] = p->tiles > p->blocks ? ex2(t->k, EX_mod, block, blocks) : block;
        st_append(t->k, seq, st_prefetch(t->k, load->buf, ex_subst(t->k, load->a[0], map)));
    }
    return seq;
}

/* Statements for one step of the reduction. */
static Stmt *fetch_panel(const Nesting *t, const Expr *load, int32_t sum, int32_t step) {
    Affine at;
    Panel p;
    Spread s;
    affine_of(load->a[0], &at);
    find_panel(t, load, &at, sum, &p);
    return find_spread(t, &at, sum, step, &p, &s) ? fetch_spread(t, load, &at, step, &p, &s)
                                                  : fetch_blocks(t, load, &p);
}

/* A prefetch of the first lane, `ahead` iterations of loop[sum] later, around it those of the loops inside loop[from]
 * that move it. Where a vector is less than a line, one of several neighbours is enough. */
static Stmt *fetch_stream(const Nesting *t, const Expr *load, int32_t sum, int32_t from) {
    Affine at;
    affine_of(load->a[0], &at);
    int64_t vector = 1, step = (int64_t)bytes_inside(t, load, &at, sum), size = dtype_bytes[t->k->buf[load->buf].dtype];
    constant_extent(t->loop[t->n - 1], &vector);
    const Expr **map = NEW_ARRAY(t->k->arena, const Expr *, t->k->n_var);
    map[t->loop[t->n - 1]->u.loop.var] = ex_int(t->k, 0);
    int32_t var = t->loop[sum]->u.loop.var;
    map[var] = ex2(t->k, EX_add, ex_var(t->k, var), ex_int(t->k, div_up(STREAM_AHEAD, step)));
    Stmt *s = st_prefetch(t->k, load->buf, ex_subst(t->k, load->a[0], map));
    for (int32_t i = sum + 1; i < t->n - 1; i++) {
        if (stride(t, load, &at, t->loop[i]) != vector * size || vector * size >= CACHE_LINE) continue;
        const Expr *part =
            ex2(t->k, EX_mod, ex_var(t->k, t->loop[i]->u.loop.var), ex_int(t->k, CACHE_LINE / (vector * size)));
        s = st_guard(t->k, ex2(t->k, EX_eq, part, ex_int(t->k, 0)), s);
    }
    for (int32_t i = t->n - 2; i > from; i--)
        if (affine_coef(&at, t->loop[i]->u.loop.var))
            s = st_for(t->k, t->loop[i]->u.loop.var, t->loop[i]->u.loop.lo, t->loop[i]->u.loop.hi, LOOP_UNROLL,
                       t->loop[i]->u.loop.role, s);
    return s;
}

/* The innermost loop that is still only reduction: its body runs once for all blocks and points of a tile. */
static int32_t place(const Nesting *t, int32_t sum) {
    int32_t i = sum;
    while (i + 1 < t->n && t->loop[i + 1]->u.loop.role == ROLE_REDUCE && t->loop[i]->u.loop.body == t->loop[i + 1]) i++;
    return i;
}

/* What the points of a tile read of a large picture, a line of each plane of channels, are more streams than the
 * hardware follows: while a tile is at work, what the next one reads is fetched. next: the loop over tiles; row: the
 * loop around it where the picture goes on when that ends, or -1. */
typedef struct Points {
    int32_t next, row;
    int64_t tiles, steps, points; /* tiles in a row, steps of a body, points of a tile */
} Points;

/* Only sums whose terms lie in other places for each step of the run-time loops: in windows, neighbours share them. */
static bool find_points(const Nesting *t, const Expr *load, const Affine *at, int32_t sum, int32_t step, Points *p) {
    int64_t extent, span = 0;
    *p = (Points){.points = 1, .next = outward(t, at, sum)};
    p->row = outward(t, at, p->next - 1);
    if (p->next < 0 || step <= sum || !constant_extent(t->loop[step], &p->steps)) return false;
    if (p->steps * stride(t, load, at, t->loop[step]) > CACHE_LINE) return false;
    for (int32_t i = step + 1; i < t->n; i++) {
        int64_t by = stride(t, load, at, t->loop[i]);
        if (by && (by < CACHE_LINE || !constant_extent(t->loop[i], &extent))) return false;
        if (by) p->points *= extent, span += by * (extent - 1);
    }
    for (int32_t i = p->next + 1; i <= sum; i++)
        if (affine_coef(at, t->loop[i]->u.loop.var) && stride(t, load, at, t->loop[i]) <= span) return false;
    return constant_extent(t->loop[p->next], &p->tiles);
}

static bool is_points(const Nesting *t, const Expr *load, int32_t sum) {
    Affine at;
    Points p;
    return is_large(t, load, true, t->point_bytes) && affine_of(load->a[0], &at) &&
           affine_coef(&at, t->loop[t->n - 1]->u.loop.var) == 0 && find_points(t, load, &at, sum, place(t, sum), &p);
}

/* Each point's line of the next tile, evenly over the steps of a body. */
static Stmt *fetch_points(const Nesting *t, const Expr *load, int32_t sum, int32_t step) {
    Kernel *k = t->k;
    Affine at;
    Points p;
    affine_of(load->a[0], &at);
    find_points(t, load, &at, sum, step, &p);
    const Expr **map = NEW_ARRAY(k->arena, const Expr *, k->n_var), *tiles = ex_int(k, p.tiles);
    int32_t next = t->loop[p.next]->u.loop.var, row = p.row < 0 ? -1 : t->loop[p.row]->u.loop.var;
    const Expr *tile = ex2(k, EX_add, ex_var(k, next), ex_int(k, 1));
    map[next] = row < 0 ? tile : ex2(k, EX_mod, tile, tiles);
    if (row >= 0) map[row] = ex2(k, EX_add, ex_var(k, row), ex2(k, EX_div, tile, tiles));
    map[t->loop[step]->u.loop.var] = ex_int(k, 0);
    Stmt *seq = st_seq(k);
    for (int64_t i = 0; i < p.points; i++) {
        int64_t rest = i, extent;
        for (int32_t j = t->n - 1; j > step; j--) {
            if (!affine_coef(&at, t->loop[j]->u.loop.var) || !constant_extent(t->loop[j], &extent)) continue;
            map[t->loop[j]->u.loop.var] = ex_int(k, rest % extent);
            rest /= extent;
        }
        const Expr *now = ex2(k, EX_eq, ex_var(k, t->loop[step]->u.loop.var), ex_int(k, i * p.steps / p.points));
        st_append(k, seq, st_guard(k, now, st_prefetch(k, load->buf, ex_subst(k, load->a[0], map))));
    }
    return seq;
}

static void find_fetches(Nesting *t, const Expr *e, int32_t sum) {
    if (e->kind == EX_load && t->n_found < STREAMS_MAX) {
        t->found[t->n_found].load = e;
        t->found[t->n_found].fetch = is_panel(t, e, sum)    ? fetch_panel
                                     : is_stream(t, e, sum) ? fetch_stream
                                     : is_points(t, e, sum) ? fetch_points
                                                            : NULL;
        if (t->found[t->n_found].fetch) t->n_found++;
    }
    for (int32_t i = 0; i < expr_info[e->kind].n; i++) find_fetches(t, e->a[i], sum);
}

static void add_fetches(Nesting *t, const Stmt *store) {
    int32_t sum = t->n - 1;
    while (sum >= 0 && !runs(t->loop[sum])) sum--;
    if (sum < 0 || t->loop[sum]->u.loop.role != ROLE_REDUCE || holds_run(t->loop[sum]->u.loop.body)) return;
    t->n_found = 0;
    find_fetches(t, store->u.store.value, sum);
    int32_t at = place(t, sum);
    for (int32_t i = 0; i < t->n_found; i++) {
        Stmt *seq = st_seq(t->k);
        st_append(t->k, seq, t->found[i].fetch(t, t->found[i].load, sum, at));
        st_append(t->k, seq, t->loop[at]->u.loop.body);
        t->loop[at]->u.loop.body = seq;
    }
}

/* ---- operands of the finish ----------------------------------------------------------------------------------- */

/* A large picture of which each vector is a cache line. */
static bool is_operand(const Nesting *t, const Expr *e, const Stmt *lane) {
    int64_t lanes;
    Affine at;
    if (e->kind != EX_load || !constant_extent(lane, &lanes) || !affine_of(e->a[0], &at)) return false;
    const Buf *b = &t->k->buf[e->buf];
    return b->cls == BUF_ARG && b->batched && !b->written && lanes * dtype_bytes[b->dtype] == CACHE_LINE &&
           b->elements * dtype_bytes[b->dtype] >= t->least_bytes && affine_coef(&at, lane->u.loop.var) == 1;
}

static void fetch_operand(const Nesting *t, const Expr *e, const Stmt *lane, Stmt *seq) {
    if (is_operand(t, e, lane)) {
        const Expr **map = NEW_ARRAY(t->k->arena, const Expr *, t->k->n_var);
        map[lane->u.loop.var] = ex_int(t->k, 0);
        st_append(t->k, seq, st_prefetch(t->k, e->buf, ex_subst(t->k, e->a[0], map)));
    }
    for (int32_t i = 0; i < expr_info[e->kind].n; i++) fetch_operand(t, e->a[i], lane, seq);
}

static void fetch_stored(const Nesting *t, const Stmt *s, const Stmt *lane, Stmt *seq) {
    if (s->kind == ST_STORE) fetch_operand(t, s->u.store.value, lane, seq);
    for (int32_t i = 0; s->kind == ST_SEQ && i < s->u.seq.n; i++) fetch_stored(t, s->u.seq.item[i], lane, seq);
}

/* The unrolled loops of a finish around prefetches of what it loads; NULL if that is nothing. */
static Stmt *fetch_finish(const Nesting *t, const Stmt *s) {
    if (s->kind != ST_FOR) return NULL;
    if (s->u.loop.mode == LOOP_VECTOR) {
        Stmt *seq = st_seq(t->k);
        fetch_stored(t, s->u.loop.body, s, seq);
        return seq->u.seq.n ? seq : NULL;
    }
    Stmt *body = s->u.loop.mode == LOOP_UNROLL ? fetch_finish(t, s->u.loop.body) : NULL;
    if (!body) return NULL;
    return st_for(t->k, s->u.loop.var, s->u.loop.lo, s->u.loop.hi, LOOP_UNROLL, s->u.loop.role, body);
}

/* seq: sets sums, adds to them, finishes them. */
static void add_operands(Nesting *t, Stmt *seq) {
    int32_t n = seq->u.seq.n;
    if (n < 3 || seq->u.seq.item[n - 2]->kind != ST_FOR) return;
    const Stmt *sum = seq->u.seq.item[n - 2];
    if (sum->u.loop.role != ROLE_REDUCE || !runs(sum)) return;
    Stmt *fetch = fetch_finish(t, seq->u.seq.item[n - 1]);
    if (!fetch) return;
    st_append(t->k, seq, fetch);
    for (int32_t i = n; i > n - 3; i--) seq->u.seq.item[i] = seq->u.seq.item[i - 1];
    seq->u.seq.item[n - 3] = fetch;
}

static void walk(Nesting *t, Stmt *s) {
    if (s->kind == ST_STORE) {
        add_fetches(t, s);
    } else if (s->kind == ST_GUARD) {
        walk(t, s->u.guard.body);
    } else if (s->kind == ST_FOR && t->n < DEPTH_MAX) {
        t->loop[t->n++] = s;
        walk(t, s->u.loop.body);
        t->n--;
    } else if (s->kind == ST_SEQ && t->n_seq < DEPTH_MAX) {
        int32_t at = t->n_seq++;
        t->seq[at] = s;
        for (t->item[at] = 0; t->item[at] < s->u.seq.n; t->item[at]++) walk(t, s->u.seq.item[t->item[at]]);
        t->n_seq--;
        add_operands(t, s);
    }
}

void pass_prefetch(Unit *u, Entry entry) {
    for (int32_t i = 0; i < u->program[entry]->n_kernel; i++) {
        Nesting t = {.k = u->program[entry]->kernel[i],
                     .least_bytes = u->machine->cache_bytes[1] / STREAM_SHARE,
                     .point_bytes = u->machine->cache_bytes[1] / POINTS_SHARE,
                     .cache_bytes = (double)u->machine->cache_bytes[1] / 2};
        walk(&t, t.k->body);
    }
}
