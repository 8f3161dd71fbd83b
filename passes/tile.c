/* tile: register tiles for sums of products, and unrolling of what is left inside.
 *
 * Needs naive nests from lower; makes REG buffers as large as the tile; declines kernels that hold no sum. Before
 * vectorise because lanes are sunk with the tile loops.
 *
 * A sum is   for outputs { acc = init; for reduction { acc = acc + f }; finish(acc) }.
 *   split   a BLOCK or POINT loop of extent E by f: E/f tiles of f and one tile of the rest, each with a body of its
 *   own
 *   sink    the tile and LANE loops are taken from around the sum and put around each of its parts, and acc gets one
 *           element for each of their iterations
 *   unroll  tile loops and short inner reductions are expanded, so that all indices of acc are constants
 * These three make every register-tiled kernel: convolutions, fully connected layers, their gradients, depthwise ones. */
#include "pass.h"
#include "tile_problem.h"
#include "tile_window.h"

#include <string.h>

/* Bodies of at most UNROLL_WORK vector operations, but no further loop around UNROLL_ENOUGH: the next loop out moves
 * the picture by a pixel, LLVM would keep what both positions read in registers, and spill. */
enum { PATH_MAX_LOOPS = 20, UNROLL_WORK = 480, UNROLL_ENOUGH = 64, UNROLL_ALONE = 16, LONG_SUM = 300 };

typedef struct Tiler {
    Kernel *k;
    const Stmt *path[PATH_MAX_LOOPS]; /* loops around the sum, outermost first */
    int32_t factor[PATH_MAX_LOOPS];   /* 1: not tiled */
    int32_t n_path;
    const Stmt *sum; /* the sequence inside */
    struct {
        int32_t var;
        int64_t extent;
        LoopRole role;
    } inner[PATH_MAX_LOOPS]; /* loops to sink, outermost first */
    int32_t n_inner;
    double times;     /* iterations of the loops around the path */
    const Expr **map; /* of the variant being built: old variable -> its value */
    int32_t map_cap;
    int32_t *unit;     /* buffer -> part of the sum that uses it; -1 unseen, -2 several */
    bool *expand;      /* buffer -> needs an element for each tile iteration */
    int64_t *elements; /* buffer -> elements before tiling */
} Tiler;

static bool has_loop(const Stmt *s) {
    if (s->kind == ST_FOR) return true;
    for (int32_t i = 0; s->kind == ST_SEQ && i < s->u.seq.n; i++)
        if (has_loop(s->u.seq.item[i])) return true;
    return false;
}

/* Follows the only child down; true if that ends in a sum, which starts by setting an accumulator. */
static bool find_sum(Tiler *t, const Stmt *s) {
    t->n_path = 0;
    while (s->kind == ST_FOR && t->n_path < PATH_MAX_LOOPS) {
        t->factor[t->n_path] = 1;
        t->path[t->n_path++] = s;
        s = s->u.loop.body;
    }
    t->sum = s;
    return s->kind == ST_SEQ && has_loop(s) && s->u.seq.item[0]->kind == ST_STORE;
}

static bool extent_of(const Stmt *loop, int64_t *extent) {
    int64_t lo, hi;
    if (!ex_is_int(loop->u.loop.lo, &lo) || !ex_is_int(loop->u.loop.hi, &hi) || lo != 0) return false;
    *extent = hi;
    return true;
}

/* ---- choosing ------------------------------------------------------------------------------------------------- */

/* Cuts the outer point loop into bands of `band` iterations, and puts the loop over the bands around the block loop. */
static void split_band(Tiler *t, TileLoops *at, int64_t band) {
    Kernel *k = t->k;
    if (!band || at->block < 0 || at->block > at->point[1] || t->n_path == PATH_MAX_LOOPS) return;
    const Stmt *rows = t->path[at->point[1]];
    int64_t extent;
    if (!extent_of(rows, &extent)) return;
    int32_t outer = kernel_add_var(k, "band"), inner = kernel_add_var(k, k->var[rows->u.loop.var]);
    const Expr *row = ex2(k, EX_add, ex2(k, EX_mul, ex_var(k, outer), ex_int(k, band)), ex_var(k, inner));
    const Expr **map = NEW_ARRAY(k->arena, const Expr *, k->n_var);
    map[rows->u.loop.var] = row;
    t->sum = st_subst(k, t->sum, map);
    t->path[at->point[1]] = st_for(k, inner, ex_int(k, 0), ex_int(k, band), LOOP_SERIAL, ROLE_POINT, rows->u.loop.body);
    for (int32_t i = t->n_path++; i > at->block; i--) t->path[i] = t->path[i - 1];
    t->path[at->block] =
        st_for(k, outer, ex_int(k, 0), ex_int(k, extent / band), LOOP_SERIAL, ROLE_TASK, rows->u.loop.body);
    at->block++;
    for (int i = 0; i < 2; i++) at->point[i]++;
}

/* For reports. A window's model compares but does not count all. */
static void note_choice(const Tiler *t, const TileLoops *at, TileProblem p, Tile tile, bool slides) {
    Kernel *k = t->k;
    double times = t->times;
    int64_t extent;
    Name text = name_format("%dx%d", tile.blocks, tile.points[0] * tile.points[1]);
    if (!k->tiles || !strstr(k->tiles, text)) k->tiles = k->tiles ? name_format("%s,%s", k->tiles, text) : text;
    for (int32_t i = 0; i < t->n_path; i++)
        if (i != at->block && i != at->point[0] && i != at->point[1] && t->path[i]->u.loop.role != ROLE_LANE &&
            extent_of(t->path[i], &extent))
            times *= (double)extent;
    for (int i = 0; i < 2; i++)
        if (p.points[i] == TILE_UNKNOWN) { /* pictures */
            p.points[i] = tile.points[i] = 1;
            p.point_bytes[0] = p.point_bytes[1] = 0;
        }
    if (at->over_pictures) { /* of which one counts */
        p.steps /= TILE_UNKNOWN;
        p.vector_bytes /= TILE_UNKNOWN;
        for (int i = 0; i < 2; i++) p.point_bytes[i] /= TILE_UNKNOWN;
    }
    if (!slides) k->cycles += times * tile_cost(&p, &tile);
}

/* Without points nothing is used twice and memory decides: four rows keep it busy, one does not; more are no faster. */
static Tile tile_rows(const TileProblem *p) { return (Tile){(int32_t)min_i64(p->blocks, 4), {1, 1}, 0}; }

static void choose_factors(Tiler *t, const Machine *m) {
    TileLoops at;
    TileProblem p = tile_problem(t->path, t->n_path, t->sum, m, &at);
    WindowProblem w = {.registers = m->vector_registers};
    int32_t var[2], n_point = 0;
    while (n_point < 2 && at.point[n_point] >= 0) {
        var[n_point] = t->path[at.point[n_point]]->u.loop.var;
        n_point++;
    }
    for (int32_t i = 0; i < 2; i++) w.points[i] = p.points[i];
    bool slides = window_find(t->sum, var, n_point, &w);
    Tile best = slides ? tile_window(&w) : n_point ? tile_choose(&p) : tile_rows(&p);
    note_choice(t, &at, p, best, slides);
    split_band(t, &at, best.band);
    for (int32_t i = 0; i < t->n_path; i++) t->factor[i] = 1;
    if (at.block >= 0) t->factor[at.block] = best.blocks;
    for (int32_t i = 0; i < n_point; i++) t->factor[at.point[i]] = best.points[i];
}

/* ---- sinking -------------------------------------------------------------------------------------------------- */

static void note_use(Tiler *t, int32_t buf, int32_t unit) {
    if (t->k->buf[buf].cls != BUF_REG) return;
    if (t->unit[buf] == -1) t->unit[buf] = unit;
    if (t->unit[buf] != unit) t->expand[buf] = true;
}

static void note_expr(Tiler *t, const Expr *e, int32_t unit) {
    if (e->kind == EX_load) note_use(t, e->buf, unit);
    for (int32_t i = 0; i < expr_info[e->kind].n; i++) note_expr(t, e->a[i], unit);
}

static void note_stmt(Tiler *t, const Stmt *s, int32_t unit) {
    switch (s->kind) {
    case ST_FOR: note_stmt(t, s->u.loop.body, unit); break;
    case ST_GUARD: note_stmt(t, s->u.guard.body, unit); break;
    case ST_SEQ:
        for (int32_t i = 0; i < s->u.seq.n; i++) note_stmt(t, s->u.seq.item[i], unit);
        break;
    case ST_PREFETCH: break;
    case ST_STORE:
        note_use(t, s->u.store.buf, unit);
        note_expr(t, s->u.store.value, unit);
        break;
    }
}

/* Tile loops sink into loops that every iteration runs alike; a loop over lanes or a window's bound by the tile stays
 * whole. */
static bool sinks_into(const Stmt *s) {
    return s->kind == ST_FOR && (s->u.loop.role == ROLE_REDUCE || s->u.loop.role == ROLE_TAP);
}

/* The parts of a sequence: each statement before the last reduction loop by itself, all after it together. */
static int32_t parts(const Stmt *seq) {
    for (int32_t i = seq->u.seq.n - 1; i >= 0; i--)
        if (sinks_into(seq->u.seq.item[i])) return i + 1;
    return 0;
}

static void note_parts(Tiler *t, const Stmt *s, int32_t *unit) {
    if (sinks_into(s)) {
        note_parts(t, s->u.loop.body, unit);
    } else if (s->kind == ST_SEQ && parts(s)) {
        int32_t n = parts(s);
        for (int32_t i = 0; i < n; i++) note_parts(t, s->u.seq.item[i], unit);
        for (int32_t i = n; i < s->u.seq.n; i++) note_stmt(t, s->u.seq.item[i], *unit);
        ++*unit;
    } else {
        note_stmt(t, s, (*unit)++);
    }
}

/* Number of the present tile iteration; lanes are not counted, their buffers have an element each already. */
static const Expr *tile_index(Tiler *t) {
    const Expr *i = ex_int(t->k, 0);
    for (int32_t j = 0; j < t->n_inner; j++) {
        if (t->inner[j].role == ROLE_LANE) continue;
        i = ex2(t->k, EX_mul, i, ex_int(t->k, t->inner[j].extent));
        i = ex2(t->k, EX_add, i, ex_var(t->k, t->inner[j].var));
    }
    return i;
}

static const Expr *tile_access(Tiler *t, int32_t buf, const Expr *index) {
    if (!t->expand[buf]) return index;
    return ex2(t->k, EX_add, ex2(t->k, EX_mul, tile_index(t), ex_int(t->k, t->elements[buf])), index);
}

static const Expr *expand_expr(Tiler *t, const Expr *e) {
    if (expr_info[e->kind].n == 0) return e;
    const Expr *a[3] = {0};
    for (int32_t i = 0; i < expr_info[e->kind].n; i++) a[i] = expand_expr(t, e->a[i]);
    switch (expr_info[e->kind].n) {
    case 1:
        if (e->kind == EX_load) return ex_load(t->k, e->buf, tile_access(t, e->buf, a[0]));
        if (e->kind == EX_random) return ex_random(t->k, e->i, a[0]);
        return ex1(t->k, e->kind, a[0]);
    case 2: return ex2(t->k, e->kind, a[0], a[1]);
    default: return ex3(t->k, e->kind, a[0], a[1], a[2]);
    }
}

static Stmt *expand_stmt(Tiler *t, const Stmt *s) {
    Stmt *seq;
    switch (s->kind) {
    case ST_FOR:
        return st_for(t->k, s->u.loop.var, s->u.loop.lo, s->u.loop.hi, s->u.loop.mode, s->u.loop.role,
                      expand_stmt(t, s->u.loop.body));
    case ST_GUARD: return st_guard(t->k, s->u.guard.cond, expand_stmt(t, s->u.guard.body));
    case ST_PREFETCH: return st_prefetch(t->k, s->u.prefetch.buf, s->u.prefetch.index);
    case ST_STORE:
        return st_store(t->k, s->u.store.buf, tile_access(t, s->u.store.buf, s->u.store.index),
                        expand_expr(t, s->u.store.value));
    case ST_SEQ: break;
    }
    seq = st_seq(t->k);
    for (int32_t i = 0; i < s->u.seq.n; i++) st_append(t->k, seq, expand_stmt(t, s->u.seq.item[i]));
    return seq;
}

static int64_t inner_count(const Tiler *t, LoopRole role) {
    int64_t n = 1;
    for (int32_t j = 0; j < t->n_inner; j++) n *= t->inner[j].role == role ? t->inner[j].extent : 1;
    return n;
}

/* Lanes innermost. Of blocks and points the fewer are inside: their operands stay in registers while those of the
 * others pass by one at a time, as the tile model reckons. */
static Stmt *wrap_inner(Tiler *t, const Stmt *part) {
    bool few_blocks = inner_count(t, ROLE_BLOCK) <= inner_count(t, ROLE_POINT);
    const LoopRole innermost_first[] = {ROLE_LANE, few_blocks ? ROLE_BLOCK : ROLE_POINT,
                                        few_blocks ? ROLE_POINT : ROLE_BLOCK};
    Stmt *s = expand_stmt(t, part);
    for (int r = 0; r < ARRAY_LEN(innermost_first); r++)
        for (int32_t j = t->n_inner - 1; j >= 0; j--)
            if (t->inner[j].role == innermost_first[r])
                s = st_for(t->k, t->inner[j].var, ex_int(t->k, 0), ex_int(t->k, t->inner[j].extent),
                           t->inner[j].role == ROLE_LANE ? LOOP_SERIAL : LOOP_UNROLL, t->inner[j].role, s);
    return s;
}

static Stmt *sink(Tiler *t, const Stmt *s) {
    if (sinks_into(s)) {
        Stmt *loop = st_for(t->k, s->u.loop.var, s->u.loop.lo, s->u.loop.hi, s->u.loop.mode, s->u.loop.role,
                            sink(t, s->u.loop.body));
        return s->u.loop.role == ROLE_TAP ? window_slide(t->k, loop) : loop;
    }
    int32_t n = s->kind == ST_SEQ ? parts(s) : 0;
    if (!n) return wrap_inner(t, s);
    Stmt *seq = st_seq(t->k), *rest = st_seq(t->k);
    for (int32_t i = 0; i < n; i++) st_append(t->k, seq, sink(t, s->u.seq.item[i]));
    for (int32_t i = n; i < s->u.seq.n; i++) st_append(t->k, rest, s->u.seq.item[i]);
    if (rest->u.seq.n) st_append(t->k, seq, wrap_inner(t, rest));
    return seq;
}

/* ---- building the variants ------------------------------------------------------------------------------------ */

static Stmt *build(Tiler *t, int32_t at);

static void map_var(Tiler *t, int32_t var, const Expr *value) {
    ICE_UNLESS(var < t->map_cap, "tile maps a variable of its own");
    t->map[var] = value;
}

static int32_t fresh(Tiler *t, int32_t like) { return kernel_add_var(t->k, t->k->var[like]); }

/* The rest of the path with iterations [base, base + extent) of loop `at` in a register tile. */
static Stmt *build_inner(Tiler *t, int32_t at, const Expr *base, int64_t extent) {
    int32_t old = t->path[at]->u.loop.var;
    if (extent == 1) {
        map_var(t, old, base);
        return build(t, at + 1);
    }
    int32_t var = fresh(t, old);
    map_var(t, old, ex2(t->k, EX_add, base, ex_var(t->k, var)));
    t->inner[t->n_inner].var = var;
    t->inner[t->n_inner].extent = extent;
    t->inner[t->n_inner++].role = t->path[at]->u.loop.role;
    Stmt *s = build(t, at + 1);
    t->n_inner--;
    return s;
}

static Stmt *build_tiles(Tiler *t, int32_t at, const Expr *tiles, int64_t size) {
    int64_t n;
    if (ex_is_int(tiles, &n) && n == 1) return build_inner(t, at, ex_int(t->k, 0), size);
    int32_t var = fresh(t, t->path[at]->u.loop.var);
    Stmt *body = build_inner(t, at, ex2(t->k, EX_mul, ex_var(t->k, var), ex_int(t->k, size)), size);
    return st_for(t->k, var, ex_int(t->k, 0), tiles, LOOP_SERIAL, ROLE_TASK, body);
}

/* The last hi mod f iterations, where hi is known at run time only: tiles of the powers of two that they are made of. */
static void build_rest(Tiler *t, int32_t at, Stmt *seq, const Expr *hi, int64_t f) {
    Kernel *k = t->k;
    int64_t power = 1;
    while (2 * power < f) power *= 2;
    const Expr *rest = ex2(k, EX_mod, hi, ex_int(k, f)), *base = ex2(k, EX_sub, hi, rest);
    for (; power > 0; power /= 2) {
        const Expr *bit = ex2(k, EX_mod, ex2(k, EX_div, rest, ex_int(k, power)), ex_int(k, 2));
        st_append(k, seq, st_guard(k, ex2(k, EX_eq, bit, ex_int(k, 1)), build_inner(t, at, base, power)));
        base = ex2(k, EX_add, base, ex2(k, EX_mul, bit, ex_int(k, power)));
    }
}

static bool all_tasks(const Stmt *s) {
    bool all = s->kind == ST_FOR ? s->u.loop.role == ROLE_TASK : s->kind == ST_SEQ && s->u.seq.n > 0;
    for (int32_t i = 0; s->kind == ST_SEQ && i < s->u.seq.n; i++) all = all && all_tasks(s->u.seq.item[i]);
    return all;
}

/* What stands beside other tiles is a task, or several, as they are. */
static Stmt *as_task(Tiler *t, Stmt *s) {
    if (all_tasks(s)) return s;
    return st_for(t->k, kernel_add_var(t->k, "rest"), ex_int(t->k, 0), ex_int(t->k, 1), LOOP_SERIAL, ROLE_TASK, s);
}

/* Splits loop `at` by its factor: whole tiles, then the rest, in one tile where the extent is known. */
static Stmt *build_split(Tiler *t, int32_t at) {
    const Stmt *loop = t->path[at];
    int64_t f = t->factor[at], extent;
    const Expr *size = ex_int(t->k, f);
    Stmt *seq = st_seq(t->k);
    if (extent_of(loop, &extent)) {
        Stmt *tiles = build_tiles(t, at, ex_int(t->k, extent / f), f);
        if (extent % f == 0) return tiles;
        st_append(t->k, seq, as_task(t, tiles));
        st_append(t->k, seq, as_task(t, build_inner(t, at, ex_int(t->k, extent - extent % f), extent % f)));
    } else {
        const Expr *tiles = ex2(t->k, EX_div, loop->u.loop.hi, size);
        st_append(t->k, seq, build_tiles(t, at, tiles, f));
        build_rest(t, at, seq, loop->u.loop.hi, f);
    }
    return seq->u.seq.n == 1 ? seq->u.seq.item[0] : seq;
}

static Stmt *build(Tiler *t, int32_t at) {
    if (at == t->n_path) return sink(t, st_subst(t->k, t->sum, t->map));
    const Stmt *loop = t->path[at];
    LoopRole role = loop->u.loop.role;
    int64_t extent;
    if (role == ROLE_LANE && extent_of(loop, &extent)) return build_inner(t, at, ex_int(t->k, 0), extent);
    if (t->factor[at] > 1) return build_split(t, at);
    int32_t var = fresh(t, loop->u.loop.var);
    map_var(t, loop->u.loop.var, ex_var(t->k, var));
    if (role == ROLE_BLOCK || role == ROLE_POINT) role = ROLE_TASK; /* its iterations are independent */
    return st_for(t->k, var, loop->u.loop.lo, loop->u.loop.hi, LOOP_SERIAL, role, build(t, at + 1));
}

/* ---- unrolling ------------------------------------------------------------------------------------------------ */

static int64_t largest_divisor(int64_t n, int64_t most) {
    int64_t d = most < n ? most : n;
    while (n % d) d--;
    return d;
}

/* Vector operations that one run of s expands to; 0 if it holds a loop that stays a loop. Unrolls reductions on the
 * way: whole where that is little work, else by the largest divisor of their extent that is. A long sum stays a loop of
 * at least two iterations: in one piece with what finishes it, LLVM would keep the constants of an activation in
 * registers and spill sums (EfficientNet-B0 on one thread: 6.6 and 6.0 ms). within: s is in a loop of the same sum. */
static int64_t unroll(Kernel *k, Stmt *s, bool within) {
    if (s->kind == ST_STORE || s->kind == ST_PREFETCH) return 1;
    if (s->kind == ST_GUARD) return unroll(k, s->u.guard.body, within);
    int64_t work = 0;
    if (s->kind == ST_SEQ) {
        bool loops = false;
        for (int32_t i = 0; i < s->u.seq.n; i++) {
            int64_t w = unroll(k, s->u.seq.item[i], within);
            loops = loops || !w;
            work += w;
        }
        return loops ? 0 : work;
    }
    int64_t extent;
    work = unroll(k, s->u.loop.body, within || s->u.loop.role == ROLE_REDUCE);
    if (s->u.loop.role == ROLE_LANE) return work;
    if (s->u.loop.mode == LOOP_UNROLL) return extent_of(s, &extent) ? work * extent : 0;
    if (s->u.loop.role != ROLE_REDUCE || !work || work >= UNROLL_ENOUGH || !extent_of(s, &extent) || extent == 0)
        return 0;
    int64_t most = work >= 8 ? UNROLL_WORK / work : UNROLL_ALONE;
    int64_t by = most < 1 ? 1 : largest_divisor(extent, most);
    if (by == extent && !within && work * extent >= LONG_SUM) by = largest_divisor(extent, extent / 2);
    if (by == extent) {
        s->u.loop.mode = LOOP_UNROLL;
        return work * extent;
    }
    if (by > 1) {
        int32_t inner = kernel_add_var(k, k->var[s->u.loop.var]);
        const Expr **map = NEW_ARRAY(k->arena, const Expr *, k->n_var);
        map[s->u.loop.var] = ex2(k, EX_add, ex2(k, EX_mul, ex_var(k, s->u.loop.var), ex_int(k, by)), ex_var(k, inner));
        Stmt *body = st_subst(k, s->u.loop.body, map);
        s->u.loop.body = st_for(k, inner, ex_int(k, 0), ex_int(k, by), LOOP_UNROLL, ROLE_REDUCE, body);
        s->u.loop.hi = ex_int(k, extent / by);
    }
    return 0;
}

/* ---- the pass ------------------------------------------------------------------------------------------------- */

/* The sum at the end of the present path, with tiles. */
static Stmt *tile_sum(Tiler *t, const Machine *m) {
    Kernel *k = t->k;
    choose_factors(t, m);
    t->map_cap = 4 * k->n_var + 64;
    t->map = NEW_ARRAY(k->arena, const Expr *, t->map_cap);
    t->unit = NEW_ARRAY(k->arena, int32_t, k->n_buf);
    t->expand = NEW_ARRAY(k->arena, bool, k->n_buf);
    t->elements = NEW_ARRAY(k->arena, int64_t, k->n_buf);
    for (int32_t i = 0; i < k->n_buf; i++) {
        t->unit[i] = -1;
        t->elements[i] = k->buf[i].elements;
    }
    int64_t tile = 1;
    for (int32_t i = 0; i < t->n_path; i++) tile *= t->factor[i];
    int32_t unit = 0;
    note_parts(t, t->sum, &unit);
    for (int32_t i = 0; i < k->n_buf; i++)
        if (t->expand[i]) k->buf[i].elements *= tile;
    return build(t, 0);
}

/* s with every sum in it tiled. A kernel may hold several, one after the other under common loops; each has registers
 * of its own. */
static Stmt *tile_stmt(Tiler *t, Stmt *s, const Machine *m) {
    if (find_sum(t, s)) return tile_sum(t, m);
    double times = t->times;
    int64_t extent;
    if (s->kind == ST_FOR) {
        if (extent_of(s, &extent)) t->times *= (double)extent;
        s->u.loop.body = tile_stmt(t, s->u.loop.body, m);
        t->times = times;
    }
    if (s->kind == ST_GUARD) {
        double cycles = t->k->cycles;
        bool several = s->u.guard.cond->kind == EX_lt && s->u.guard.cond->a[1]->kind == EX_batch;
        s->u.guard.body = tile_stmt(t, s->u.guard.body, m);
        if (several) t->k->cycles = cycles; /* the estimate is for one picture */
    }
    for (int32_t i = 0; s->kind == ST_SEQ && i < s->u.seq.n; i++) s->u.seq.item[i] = tile_stmt(t, s->u.seq.item[i], m);
    return s;
}

static void tile_kernel(Kernel *k, const Machine *m) {
    Tiler t = {.k = k, .times = 1};
    k->body = tile_stmt(&t, k->body, m);
    unroll(k, k->body, false);
}

void pass_tile(Unit *u, Entry entry) {
    for (int32_t i = 0; i < u->program[entry]->n_kernel; i++) tile_kernel(u->program[entry]->kernel[i], u->machine);
}
