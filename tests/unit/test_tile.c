/* The tile model, sharing out and planning by themselves; what they do to results is test_kernels.c's business. */
#include <CUnit/Basic.h>

#include "kernel_chains.h"
#include "kernel_nets.h"
#include "passes/pass.h"
#include "passes/tile_problem.h"

/* ---- the tile model --------------------------------------------------------------------------------------------- */

/* Processors with 32 registers of 16 lanes and with 16 of 8. */
static const Machine wide = {.vector_lanes = 16,
                             .vector_registers = 32,
                             .fma = true,
                             .cache_bytes = {48 << 10, 2 << 20, 4 << 20},
                             .fma_units = 2,
                             .load_units = 2,
                             .fma_latency = 4,
                             .line_cycles = {1.4, 8, 14.7}};
static const Machine narrow = {.vector_lanes = 8,
                               .vector_registers = 16,
                               .fma = true,
                               .cache_bytes = {32 << 10, 512 << 10, 1 << 20},
                               .fma_units = 2,
                               .load_units = 2,
                               .fma_latency = 4,
                               .line_cycles = {1.4, 8, 14.7}};

static int32_t registers_of(const Tile *t) {
    int32_t points = t->points[0] * t->points[1];
    return t->blocks * points + (t->blocks < points ? t->blocks : points) + 1;
}

static bool valid(const TileProblem *p, const Tile *t) {
    int32_t registers = p->machine->vector_registers;
    bool inside = t->blocks >= 1 && t->points[0] >= 1 && t->points[1] >= 1 && t->blocks <= p->blocks &&
                  t->points[0] <= p->points[0] && t->points[1] <= p->points[1];
    bool whole_first = t->points[1] == 1 || t->points[0] == p->points[0];
    bool parts = !t->band || (p->points[1] % t->band == 0 && t->band % t->points[1] == 0 && t->band < p->points[1]);
    bool good = inside && whole_first && parts && (registers_of(t) <= registers || registers_of(t) == 3);
    if (!good)
        printf("\n  %d x %d x %d by %d for %lld, %lld x %lld and %d registers ", t->blocks, t->points[0], t->points[1],
               t->band, (long long)p->blocks, (long long)p->points[0], (long long)p->points[1], registers);
    return good;
}

static void test_registers(void) {
    static const int32_t registers[] = {4, 8, 16, 32}, rows[] = {1, 2, 3, 7, 14, 56, TILE_UNKNOWN};
    for (int r = 0; r < ARRAY_LEN(registers); r++) {
        Machine m = wide;
        m.vector_registers = registers[r];
        for (int32_t b = 1; b <= 40; b += b < 9 ? 1 : 5)
            for (int32_t w = 1; w <= 65; w++)
                for (int h = 0; h < ARRAY_LEN(rows); h++) {
                    TileProblem p = {b, {w == 65 ? TILE_UNKNOWN : w, rows[h]}, 576, 36864, {9000, 1 << 20}, &m, h % 2};
                    Tile t = tile_choose(&p);
                    if (!valid(&p, &t)) CU_FAIL("a tile that is not allowed");
                }
    }
    CU_PASS("tried all");
}

/* The least cost of any tile of rows. */
static double least_cost(const TileProblem *p) {
    double least = INFINITY;
    for (int32_t b = 1; b <= p->blocks; b++)
        for (int32_t i = 1; i <= p->points[0]; i++) {
            Tile t = {b, {i, 1}, 0};
            if (registers_of(&t) <= p->machine->vector_registers) least = fmin(least, tile_cost(p, &t));
        }
    return least;
}

/* The choice is the best there is, but for gains too small to count. */
static void test_best(void) {
    for (int i = 0; i < 2; i++)
        for (int32_t b = 1; b <= 8; b++) /* the model looks no further */
            for (int32_t w = 1; w <= 60; w++) {
                TileProblem p = {b, {w, 1}, 256, 16384, {0, 0}, i ? &narrow : &wide, false};
                Tile t = tile_choose(&p);
                CU_ASSERT(tile_cost(&p, &t) <= 1.02 * least_cost(&p));
            }
}

/* A convolution of C to O channels with a KxK window on a plane, as tile_problem makes it. */
static TileProblem layer(int32_t c, int32_t o, int32_t k, int32_t plane, const Machine *m) {
    int64_t steps = (int64_t)c * k * k, row = 4 * (int64_t)c * plane;
    return (TileProblem){o / m->vector_lanes,
                         {plane, plane},
                         steps,
                         steps * m->vector_lanes * 4,
                         {k * row, (plane + k - 1) * row},
                         m,
                         false};
}

/* Layers of ResNet-50 and what was fastest when all tiles were timed on a processor like `wide`. */
static void test_measured(void) {
    static const struct Known {
        int32_t c, o, k, plane, blocks, points[2];
    } known[] = {{64, 64, 1, 56, 4, {6, 1}},    {256, 64, 1, 56, 4, {6, 1}},    {512, 128, 1, 28, 4, {6, 1}},
                 {256, 256, 3, 14, 2, {14, 1}}, {256, 1024, 1, 14, 2, {14, 1}}, {512, 512, 3, 7, 2, {7, 2}},
                 {2048, 512, 1, 7, 2, {7, 2}}};
    for (int i = 0; i < ARRAY_LEN(known); i++) {
        const struct Known *e = &known[i];
        TileProblem p = layer(e->c, e->o, e->k, e->plane, &wide);
        Tile t = tile_choose(&p);
        bool right = t.blocks == e->blocks && t.points[0] == e->points[0] && t.points[1] == e->points[1];
        if (!right) printf("\n  layer %d: %d x %d x %d ", i, t.blocks, t.points[0], t.points[1]);
        CU_ASSERT(right);
    }
}

/* 24 input channels are a whole block of 16 and one of 8: one sum in two parts. */
static void test_parts(void) {
    Arena *a = arena_new();
    static const char text[] =
        "kernel k {\n  arg w f32 9216\n  arg x f32 4224 batched\n  arg y f32 2880 batched written\n"
        "  reg acc f32 16 written\n  for ob in 0..2 serial block {\n    for ow in 0..9 serial point {\n"
        "      for o in 0..16 serial lane {\n        acc[o] = 0.0\n"
        "        for kw in 0..3 serial reduce {\n          for i in 0..16 serial reduce {\n"
        "            acc[o] = fma(w[1152*ob + 256*kw + 16*i + o], x[16*ow + 16*kw + i], acc[o])\n"
        "          }\n        }\n"
        "        for kw_1 in 0..3 serial reduce {\n          for i_1 in 0..8 serial reduce {\n"
        "            acc[o] = fma(w[1152*ob + 256*kw_1 + 16*i_1 + o + 768], x[16*ow + 16*kw_1 + i_1 + 2112], acc[o])\n"
        "          }\n        }\n        y[144*ob + 16*ow + o] = acc[o]\n      }\n    }\n  }\n}\n";
    const char *error = NULL;
    const Kernel *k = loop_read(a, text, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(k);
    const Stmt *path[3], *s = k->body;
    for (int i = 0; i < ARRAY_LEN(path); i++, s = s->u.loop.body) {
        while (s->kind == ST_SEQ) s = s->u.seq.item[0];
        path[i] = s;
    }
    TileLoops loops;
    TileProblem p = tile_problem(path, ARRAY_LEN(path), s, &wide, &loops);
    CU_ASSERT(loops.block == 0 && loops.point[0] == 1 && p.blocks == 2 && p.points[0] == 9);
    CU_ASSERT_EQUAL(p.steps, 3 * 16 + 3 * 8);
    CU_ASSERT_EQUAL(p.vector_bytes, 4 * 3 * 16 * 16); /* of the part with most of them */
    arena_free(a);
}

/* Where the picture exceeds the second-level cache and several tiles of blocks read it, rows come in bands; likewise
 * where threads would read all of a picture that they wrote parts of, and the weights can be read again. */
static void test_bands(void) {
    TileProblem large = layer(512, 512, 1, 28, &wide), small = layer(64, 512, 1, 28, &wide);
    TileProblem shared = small, heavy = layer(256, 8192, 1, 14, &wide);
    shared.pixels = heavy.pixels = true;
    Tile a = tile_choose(&large), b = tile_choose(&small);
    CU_ASSERT(a.band > 0 && large.point_bytes[1] * a.band / 28 <= wide.cache_bytes[1] / 2);
    CU_ASSERT_EQUAL(b.band, 0);
    CU_ASSERT(tile_choose(&shared).band > 0);
    CU_ASSERT_EQUAL(tile_choose(&heavy).band, 0);
}

/* Two FMA units of four cycles' latency need eight accumulators, a row of seven less; two loads a cycle must nearly
 * suffice for two FMAs. */
static void test_busy(void) {
    static const int32_t blocks[] = {4, 8, 16, 32, 4, 2, 64}, plane[] = {56, 28, 14, 7, 224, 112, TILE_UNKNOWN};
    for (int m = 0; m < 2; m++)
        for (int i = 0; i < ARRAY_LEN(blocks); i++) {
            int32_t rows = plane[i] == TILE_UNKNOWN ? 1 : plane[i];
            TileProblem p = {blocks[i], {plane[i], rows}, 256, 16384, {0, 0}, m ? &narrow : &wide, false};
            Tile t = tile_choose(&p);
            int32_t points = t.points[0] * t.points[1];
            CU_ASSERT(t.blocks * points >= 7 && t.blocks + points <= t.blocks * points + 1);
        }
    TileProblem row = {1, {28, 28}, 256, 16384, {0, 0}, &wide, false},
                one = {1, {1, 1}, 256, 16384, {0, 0}, &wide, false};
    Tile r = tile_choose(&row), o = tile_choose(&one);
    CU_ASSERT(r.blocks == 1 && r.points[0] * r.points[1] >= 14);
    CU_ASSERT(o.blocks == 1 && o.points[0] == 1 && o.points[1] == 1);
}

/* Sliding windows: accumulators, weights, one vector and a free register; and where registers suffice, what is loaded
 * is used twice at least. */
static void test_windows(void) {
    static const int64_t taps[] = {1, 2, 3, 5, 7}, extents[] = {1, 2, 7, 14, 56, TILE_UNKNOWN};
    for (int i = 0; i < 5 * 5 * 6 * 6 * 2 * 3; i++) {
        WindowProblem p = {.window = {{taps[i % 5], 1 + i / 900 % 2, 1}, {taps[i / 5 % 5], 1 + i / 900 % 2, 1}},
                           .points = {extents[i / 25 % 6], extents[i / 150 % 6]},
                           .channels = 1 << (2 * (i / 1800)),
                           .registers = 32};
        Tile t = tile_window(&p);
        int64_t weights = p.window[0].taps * (t.points[1] > 1 ? p.window[1].taps : 1);
        CU_ASSERT(t.blocks == 1 && t.points[0] <= p.points[0] && t.points[1] <= p.points[1]);
        CU_ASSERT(t.points[0] * t.points[1] + weights + 2 < p.registers || t.points[0] * t.points[1] == 1);
    }
    for (int32_t size = 7; size <= 112; size *= 2) {
        WindowProblem p = {.points = {size, size}, .window = {{3, 1, 1}, {3, 1, 1}}, .channels = 1, .registers = 32};
        Tile t = tile_window(&p);
        CU_ASSERT(2 * ((t.points[0] + 2) * (t.points[1] + 2) + 9) <= 9 * t.points[0] * t.points[1]);
    }
}

/* ---- sharing out ------------------------------------------------------------------------------------------------ */

static Unit *new_unit(Arena *a, int32_t lanes) {
    static const Options options = {.opt_level = 2, .max_batch = 4};
    Machine *m = NEW(a, Machine);
    *m = (Machine){.cpu = "test",
                   .features = "",
                   .vector_lanes = lanes,
                   .vector_registers = lanes == 16 ? 32 : 16,
                   .cache_bytes = {32 << 10, 512 << 10, 1 << 20},
                   .fma_units = 2,
                   .load_units = 2,
                   .fma_latency = 4,
                   .line_cycles = {1.4, 8, 14.7}};
    Unit *u = NEW(a, Unit);
    *u = (Unit){.arena = a, .diags = diag_new(a), .opt = &options, .machine = m, .name = name_of("lab")};
    return u;
}

/* Sequences of one statement, which only text has, become that statement. */
static Stmt *unwrap(Stmt *s) {
    if (s->kind == ST_SEQ && s->u.seq.n == 1) return unwrap(s->u.seq.item[0]);
    if (s->kind == ST_FOR) s->u.loop.body = unwrap(s->u.loop.body);
    for (int32_t i = 0; s->kind == ST_SEQ && i < s->u.seq.n; i++) s->u.seq.item[i] = unwrap(s->u.seq.item[i]);
    return s;
}

/* The steps that `parallel` makes of one step with this kernel: tasks of each, negative if they are counted per
 * picture. The text opens with the kernel's arguments. */
static int32_t share(Arena *a, const char *text, int64_t tasks[8]) {
    const char *error = NULL;
    Unit *u = new_unit(a, 16);
    Program *p = NEW(a, Program);
    *p = (Program){.name = name_of("infer"), .n_kernel = 1, .n_step = 1, .n_once = 1, .owns = true};
    p->kernel = NEW_ARRAY(a, Kernel *, 1);
    p->step = NEW_ARRAY(a, Step, 1);
    p->step[0].macs = 7;
    p->kernel[0] = loop_read(a, text, &error);
    u->program[ENTRY_INFER] = p;
    if (error) printf("\n  %s", error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p->kernel[0]);
    p->kernel[0]->body = unwrap(p->kernel[0]->body);
    pass_parallel(u, ENTRY_INFER);
    int64_t macs = 0;
    for (int32_t i = 0; i < p->n_step; i++) {
        const char *broken = loop_verify(a, p->kernel[p->step[i].kernel]);
        if (broken) printf("\n  %s", broken);
        CU_ASSERT_PTR_NULL(broken);
        tasks[i] = p->step[i].tasks * (p->step[i].tasks_batched ? -1 : 1);
        macs += p->step[i].macs;
    }
    CU_ASSERT_EQUAL(macs, 7);
    CU_ASSERT_EQUAL(p->n_once, p->n_step);
    return p->n_step;
}

/* Three parameters of 4 MiB. Each of two once-steps reads one and writes as much; the second parameter lies across huge
 * pages; the third is read at each call. */
static void test_releases(void) {
    enum { MIB = 1 << 20 };
    Arena *a = arena_new();
    Storage storage[5] = {{.region = REGION_PARAM, .offset = 0},
                          {.region = REGION_PARAM, .offset = 5 * MIB},
                          {.region = REGION_PARAM, .offset = 9 * MIB},
                          {.region = REGION_FIXED, .offset = 0},
                          {.region = REGION_FIXED, .offset = 4 * MIB}};
    int32_t arg[3][3] = {{0, 3, 3}, {1, 4, 4}, {2, 3, 4}};
    Step step[3] = {{.arg = arg[0], .n_arg = 2}, {.arg = arg[1], .n_arg = 2}, {.arg = arg[2], .n_arg = 3}};
    Program p = {.step = step, .n_step = 3, .n_once = 2, .owns = true, .storage = storage, .n_storage = 5};
    for (int i = 0; i < 5; i++) {
        storage[i].bytes = 4 * MIB;
        storage[i].alias = -1;
    }
    p.region_bytes[REGION_PARAM] = 13 * MIB;
    p.region_bytes[REGION_FIXED] = 8 * MIB;
    int64_t from;
    CU_ASSERT_EQUAL(program_releases(&p, 0, 0, &from), 4 * MIB);
    CU_ASSERT_EQUAL(program_releases(&p, 1, 0, &from), 2 * MIB);
    CU_ASSERT_EQUAL(from, 6 * MIB);
    CU_ASSERT_EQUAL(program_releases(&p, 0, 1, &from), 0);
    CU_ASSERT_EQUAL(program_releases(&p, 2, 0, &from), 0);
    CU_ASSERT_EQUAL(program_once_bytes(a, &p), (13 + 4) * MIB); /* after 4 went, as much comes */
    arg[1][1] = 0; /* the second step reads it too: then the first one gives nothing back */
    CU_ASSERT_EQUAL(program_releases(&p, 0, 0, &from), 0);
    CU_ASSERT_EQUAL(program_releases(&p, 1, 1, &from), 4 * MIB);
    storage[3] =
        (Storage){.region = REGION_PARAM, .bytes = 4 * MIB, .alias = 0}; /* or what the first one put in its place */
    arg[1][1] = 3;
    CU_ASSERT_EQUAL(program_releases(&p, 0, 0, &from), 0);
    CU_ASSERT_EQUAL(program_releases(&p, 0, 1, &from), 0);
    arg[2][1] = 2;
    CU_ASSERT_EQUAL(program_releases(&p, 1, 1, &from), 4 * MIB);
    storage[0].dies = INT32_MAX; /* or what the calls read */
    CU_ASSERT_EQUAL(program_releases(&p, 1, 1, &from), 0);
    arg[2][0] = 1; /* read again at each call */
    CU_ASSERT_EQUAL(program_releases(&p, 1, 0, &from), 0);
    arena_free(a);
}

static void test_tasks(void) {
    Arena *a = arena_new();
    int64_t t[8] = {0};
    CU_ASSERT_EQUAL(share(a,
                          "kernel k {\n  arg y f32 64 batched written\n  for n in 0..N serial task {\n"
                          "    for i in 0..64 serial task {\n      y[64*n + i] = 0.0\n    }\n  }\n}\n",
                          t),
                    1);
    CU_ASSERT_EQUAL(t[0], -64);
    CU_ASSERT_EQUAL(share(a,
                          "kernel k {\n  arg y f32 4096 written\n  for i in 0..16 serial task {\n" /* 256 are enough */
                          "    for j in 0..16 serial task {\n      for k in 0..16 serial task {\n"
                          "        y[256*i + 16*j + k] = 0.0\n      }\n    }\n  }\n}\n",
                          t),
                    1);
    CU_ASSERT_EQUAL(t[0], 256);
    CU_ASSERT_EQUAL(share(a,
                          "kernel k {\n  arg y f32 64 written\n  for i in 0..4 serial task {\n" /* not a task */
                          "    for j in 0..16 serial {\n      y[16*i + j] = 0.0\n    }\n  }\n}\n",
                          t),
                    1);
    CU_ASSERT_EQUAL(t[0], 4);
    CU_ASSERT_EQUAL(share(a,
                          "kernel k {\n  arg y f32 64 written\n  for i in 2..4 serial task {\n" /* not from 0 */
                          "    y[i] = 0.0\n  }\n}\n",
                          t),
                    1);
    CU_ASSERT_EQUAL(t[0], 1);
    arena_free(a);
}

static void test_distribution(void) {
    Arena *a = arena_new();
    int64_t t[8] = {0};
    static const char two[] = "kernel k {\n  arg y f32 64 batched written\n  for n in 0..N serial task {\n"
                              "    for b in 0..4 serial task {\n"
                              "      for i in 0..3 serial task {\n        y[64*n + 16*b + i] = 0.0\n      }\n"
                              "      for j in 3..16 serial %s{\n        y[64*n + 16*b + j] = 1.0\n      }\n"
                              "    }\n    for c in 0..2 serial task {\n      y[64*n + 3 + c] = %s\n    }\n  }\n}\n";
    CU_ASSERT_EQUAL(share(a, arena_printf(a, two, "task ", "0.0"), t), 1); /* loop and tail, what stands beside both */
    CU_ASSERT(t[0] == -(12 + 4 + 2));
    CU_ASSERT_EQUAL(share(a, arena_printf(a, two, "", "0.0"), t), 1); /* the tail is not for threads: b stays whole */
    CU_ASSERT(t[0] == -(4 + 2));
    CU_ASSERT_EQUAL(share(a, arena_printf(a, two, "task ", "y[64*n + 3 + c]"), t),
                    3); /* one reads what another writes */
    CU_ASSERT(t[0] == -12 && t[1] == -4 && t[2] == -2);
    static const char rest[] =
        "kernel k {\n  arg x f32 64 batched\n  arg y f32 4096 batched written\n"
        "  for n in 0..N serial task {\n    for b in 0..%d serial task {\n"
        "      for i in 0..3 serial task {\n        y[4096*n + 16*b + i] = x[64*n]\n      }\n"
        "      for r in 0..1 serial task {\n        y[4096*n + 16*b + 3] = %s\n      }\n    }\n  }\n}\n";
    CU_ASSERT_EQUAL(share(a, arena_printf(a, rest, 5, "x[64*n + 1]"), t), 1); /* few panels: tiles and rest are tasks */
    CU_ASSERT_EQUAL(t[0], -5 * (3 + 1));
    CU_ASSERT_EQUAL(share(a, arena_printf(a, rest, 64, "x[64*n + 1]"), t), 1); /* enough of them */
    CU_ASSERT_EQUAL(t[0], -64);
    CU_ASSERT_EQUAL(share(a, arena_printf(a, rest, 5, "y[4096*n + 16*b + 3]"), t), 1); /* not independent: stays */
    CU_ASSERT_EQUAL(t[0], -5);
    arena_free(a);
}

/* ---- the plan --------------------------------------------------------------------------------------------------- */

typedef struct Life {
    int32_t first, last; /* steps that touch it */
} Life;

static Life life_of(const Program *p, int32_t storage) {
    Life l = {INT32_MAX, -1};
    for (int32_t i = 0; i < p->n_step; i++)
        for (int32_t k = 0; k < p->step[i].n_arg; k++)
            if (p->step[i].arg[k] == storage) {
                l.first = l.first < i ? l.first : i;
                l.last = i;
            }
    bool outlives = l.first < p->n_once && l.last >= p->n_once; /* the steps that run once do not run again */
    for (int32_t o = 0; o < p->graph->n_output; o++) outlives |= p->storage_of[p->graph->output[o].ref] == storage;
    if (outlives && l.last >= 0) l.last = INT32_MAX;
    if (p->storage[storage].region == REGION_PARAM && p->storage[storage].alias < 0)
        l.first = -1; /* set by the caller */
    return l;
}

static bool meet_in_memory(const Storage *a, const Storage *b) {
    return a->region == b->region && a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

/* One may write where the other is only if the other is not needed any more: its last step is before, or it is the step
 * that writes the one in the other's place. */
static bool pair_is_right(const Program *p, int32_t i, int32_t k) {
    const Storage *a = &p->storage[i], *b = &p->storage[k];
    Life x = life_of(p, i), y = life_of(p, k);
    if (x.last < 0 || y.last < 0 || !meet_in_memory(a, b)) return true;
    if (x.first > y.first) return pair_is_right(p, k, i);
    bool in_place = b->alias >= 0 && a->offset == b->offset && type_equal(&a->type, &b->type) && y.first > x.first;
    bool good = x.last < y.first || (in_place && p->step[x.last].root == p->step[y.first].root);
    if (!good)
        printf("\n  storages %d (steps %d to %d) and %d (%d to %d) meet in region %s ", i, x.first, x.last, k, y.first,
               y.last, region_name[a->region]);
    return good;
}

static bool is_input(Region r) { return r == REGION_IMAGE || r == REGION_LABEL || r == REGION_SCALAR; }

static void check_plan(const Program *p) {
    for (int32_t i = 0; i < p->n_storage; i++) {
        const Storage *s = &p->storage[i];
        if (is_input(s->region) || life_of(p, i).last < 0) continue;
        CU_ASSERT(s->offset % 64 == 0 && s->bytes % 64 == 0 && s->offset >= 0);
        CU_ASSERT(s->offset + s->bytes <= p->region_bytes[s->region]);
        if (s->alias >= 0)
            CU_ASSERT(type_equal(&s->type, &p->storage[s->alias].type) && p->storage[s->alias].alias < 0);
        for (int32_t k = 0; k < i; k++)
            if (!is_input(p->storage[k].region)) CU_ASSERT(pair_is_right(p, i, k));
    }
    CU_ASSERT(p->lower_bound_bytes <= p->region_bytes[REGION_BATCH]);
}

static Program *plan_of(Arena *a, Build *build, int i, int32_t lanes) {
    Case c = {.g = graph_new(a, name_of("infer")), .n = 1};
    Ref y = build(&c, i);
    if (y) case_output(&c, y);
    Unit *u = new_unit(a, lanes);
    u->graph[ENTRY_INFER] = c.g;
    static void (*const pass[])(Unit *, Entry) = {pass_layout,    pass_fuse,     pass_lower, pass_tile,
                                                  pass_vectorise, pass_parallel, pass_plan};
    for (int k = 0; k < ARRAY_LEN(pass); k++) {
        pass[k](u, ENTRY_INFER);
        if (k < 2) graph_compact(c.g, a);
    }
    return u->program[ENTRY_INFER];
}

static void test_plans_of_chains(void) {
    for (int k = 0; k < ARRAY_LEN(chains); k++)
        for (int i = 0; i < chains[k].n; i++) {
            Arena *a = arena_new();
            check_plan(plan_of(a, chains[k].build, i, i % 2 ? 8 : 16));
            arena_free(a);
        }
}

static int32_t count_aliases(const Program *p) {
    int32_t n = 0;
    for (int32_t i = 0; i < p->n_storage; i++) n += p->storage[i].alias >= 0;
    return n;
}

/* relu(conv(x) + r): the result takes r's place. With r read later it may not. */
static Ref build_sum(Case *c, int i) {
    Ref x = chain_x(c, 0), r = case_stored(c, x), y = chain_conv(c, chain_x(c, 0), 17, 1);
    y = chain_relu(c, case_op2(c, OP_add, y, r, NULL));
    if (i) case_output(c, case_stored(c, r));
    return y;
}

/* x is read by its neighbours' kernel windows too: nothing may take its place. */
static Ref build_window(Case *c, int i) {
    Ref x = chain_x(c, i), y = chain_conv(c, x, 17, 1);
    return case_op2(c, OP_add, y, x, NULL);
}

static void test_in_place(void) {
    Arena *a = arena_new();
    CU_ASSERT_EQUAL(count_aliases(plan_of(a, build_sum, 0, 16)), 1);
    CU_ASSERT_EQUAL(count_aliases(plan_of(a, build_sum, 1, 16)), 0);
    CU_ASSERT_EQUAL(count_aliases(plan_of(a, build_window, 0, 16)), 0);
    arena_free(a);
}

/* Both programs see a parameter at the same place, and inference folds norms into weights where these lie. */
static void check_agreement(const Unit *u) {
    const Program *infer = u->program[ENTRY_INFER], *train = u->program[ENTRY_TRAIN];
    for (int32_t i = 0; i < infer->n_storage; i++)
        for (int32_t k = 0; k < train->n_storage; k++) {
            const Storage *a = &infer->storage[i], *b = &train->storage[k];
            if (a->region != REGION_PARAM || b->region != REGION_PARAM || a->name != b->name || a->alias >= 0) continue;
            CU_ASSERT(a->offset == b->offset && a->bytes == b->bytes && type_equal(&a->type, &b->type));
        }
    CU_ASSERT(infer->region_bytes[REGION_PARAM] <= train->region_bytes[REGION_PARAM]);
}

static void test_plans_of_nets(void) {
    for (int i = 0; i < ARRAY_LEN(nets); i++) {
        Arena *a = arena_new();
        Unit *u = new_unit(a, 16);
        net_make(u, &nets[i]);
        PassOptions options = {.time_report = false};
        CU_ASSERT_FATAL(pipeline_run(u, &options));
        check_plan(u->program[ENTRY_INFER]);
        check_plan(u->program[ENTRY_TRAIN]);
        check_agreement(u);
        CU_ASSERT(count_aliases(u->program[ENTRY_INFER]) > 0);
        arena_free(a);
    }
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("tile", NULL, NULL);
    CU_add_test(suite, "tiles fit the registers", test_registers);
    CU_add_test(suite, "tiles are the best", test_best);
    CU_add_test(suite, "tiles that were measured", test_measured);
    CU_add_test(suite, "sums in several parts", test_parts);
    CU_add_test(suite, "bands of what exceeds a cache", test_bands);
    CU_add_test(suite, "tiles keep the units busy", test_busy);
    CU_add_test(suite, "sliding windows", test_windows);
    CU_add_test(suite, "task loops are shared out", test_tasks);
    CU_add_test(suite, "task loops are distributed", test_distribution);
    CU_add_test(suite, "plans of chains", test_plans_of_chains);
    CU_add_test(suite, "what once-steps release", test_releases);
    CU_add_test(suite, "results in place", test_in_place);
    CU_add_test(suite, "plans of nets", test_plans_of_nets);
    CU_basic_run_tests();
    int failed = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed > 0;
}
