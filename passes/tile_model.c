#include "tile_model.h"

#include <stdbool.h>

/* Costs are cycles of one core. Everything is added up, since nothing hides behind the FMAs entirely: of what should go
 * on beside them a share shows. Measured with 4x4 to 3x9 tiles, each of 4 to 29 loads a step, weights in either cache. */
static const double load_share = 0.12; /* of a load */
static const double l2_share = 0.15;   /* of a line that comes from the second-level cache */
static const double l3_share = 0.75;   /* of a line from beyond, where nothing says beforehand that it will be needed */
static const double shared_line = 12;  /* cycles of a line that another core wrote */
enum { TILE_START = 8, PRODUCT_REGISTERS = 2 };

static double at_least(double a, double b) { return a > b ? a : b; }
static double lines(double bytes) { return bytes / (double)LINE_BYTES; }

static double fma_cycles(const Machine *m, double n) { return n * machine_fma_cycles(m); }

/* One term of b x p sums: b vectors and p broadcasts are loaded. */
static double step_cycles(const Machine *m, int64_t b, int64_t p) {
    double fma = fma_cycles(m, (double)(b * p)), load = (double)(b + p) / m->load_units;
    return at_least(at_least(fma, load), m->fma_latency) + load_share * (double)(b + p);
}

static bool fits(int64_t b, int64_t p, int32_t registers) { return b * p + (b < p ? b : p) + 1 <= registers; }

/* One tile, with what finishing it costs: about two operations a sum. The panel of weights that all tiles of these
 * blocks read stays in the first-level cache if it takes at most half of it, in the second-level cache likewise. */
static double tile_cycles(const TileProblem *q, int64_t b, int64_t p) {
    const Machine *m = q->machine;
    double bytes = (double)(b * q->vector_bytes), steps = (double)q->steps * step_cycles(m, b, p);
    if (bytes > (double)m->cache_bytes[0] / 2) steps += lines(bytes) * l2_share * m->line_cycles[0];
    if (bytes > (double)m->cache_bytes[1] / 2) steps = at_least(steps, lines(bytes) * m->line_cycles[1]);
    return steps + 2.0 * (double)(b * p) / m->fma_units + (double)TILE_START;
}

/* Of a panel that comes from beyond the second-level cache as fast as it can: what its first tile waits for it. */
static double first_touch(const TileProblem *q, int64_t b, int64_t p) {
    double fma = fma_cycles(q->machine, (double)(q->steps * b * p));
    return at_least(0, lines((double)(b * q->vector_bytes)) * q->machine->line_cycles[1] - fma);
}

static double band_bytes(const TileProblem *q, int64_t band) {
    double one = (double)q->point_bytes[0], all = (double)q->point_bytes[1];
    return q->points[1] > 1 ? one + (all - one) * (double)(band - 1) / (double)(q->points[1] - 1) : all;
}

/* What the points read for the first time comes from beyond the second-level cache, if it is large, plane by plane and
 * so with little help from prefetchers. It shows where few blocks use a line before the next one is due. */
static double points_first(const TileProblem *q, int64_t b) {
    const Machine *m = q->machine;
    double bytes = band_bytes(q, q->points[1]), n = lines(bytes);
    if (bytes <= (double)m->cache_bytes[1] / 4) return 0;
    double fma = fma_cycles(m, (double)b * (double)q->steps * (double)q->points[0] * (double)q->points[1]);
    return at_least(0, 2.5 * n * m->line_cycles[1] - fma);
}

/* The same, once more for each tile of blocks after the first. */
static double points_again(const TileProblem *q, double bytes) {
    const Machine *m = q->machine;
    if (bytes <= (double)m->cache_bytes[0] / 2) return 0;
    if (bytes <= (double)m->cache_bytes[1] / 2) return lines(bytes) * l2_share * m->line_cycles[0];
    return lines(bytes) * l3_share * m->line_cycles[1];
}

/* Threads share out what is outermost. If that is tiles of blocks, each of two threads reads all points, of which the
 * other wrote half; if it is bands, those that it wrote itself. */
static double points_of_others(const TileProblem *q, bool by_blocks) {
    return by_blocks && q->pixels ? lines(band_bytes(q, q->points[1])) * shared_line : 0;
}

/* Sizes of the tiles along a loop and how many there are of each; the rest is one more. */
typedef struct Along {
    int64_t size[2], n[2];
} Along;

static Along along(int64_t extent, int64_t size) {
    int64_t rest = extent == TILE_UNKNOWN ? 0 : extent % size;
    return (Along){{size, rest}, {extent / size, rest > 0}};
}

double tile_cost(const TileProblem *q, const Tile *t) {
    bool rows = t->points[1] > 1;
    int64_t band = t->band ? t->band : q->points[1], bands = q->points[1] / band;
    Along b = along(q->blocks, t->blocks),
          p = along(rows ? q->points[1] : q->points[0], rows ? t->points[1] : t->points[0]);
    int64_t across = rows ? q->points[0] : 1, times = rows ? 1 : q->points[1];
    bool stays = (double)(q->blocks * q->vector_bytes) <= (double)q->machine->cache_bytes[1] / 4;
    double cost = points_first(q, t->blocks) + points_of_others(q, bands == 1 && b.n[0] + b.n[1] > 1);
    cost += (double)((b.n[0] + b.n[1] - 1) * bands) * points_again(q, band_bytes(q, band));
    for (int i = 0; i < 2; i++) {
        if (!b.n[i]) continue;
        cost += (double)(b.n[i] * (stays ? 1 : bands)) * first_touch(q, b.size[i], p.size[0] * across);
        for (int j = 0; j < 2; j++)
            if (p.n[j]) cost += (double)(b.n[i] * p.n[j] * times) * tile_cycles(q, b.size[i], p.size[j] * across);
    }
    return b.n[1] ? cost * 1.02 : cost; /* a kernel of its own, for which the points are read once more */
}

/* ---- windows -------------------------------------------------------------------------------------------------- */

enum { WINDOW_WORK = 1024 };

/* How many different places `points` neighbours read. */
static int64_t reach(const Window *w, int64_t points) {
    int64_t span = (points - 1) * w->stride + (w->taps - 1) * w->dilation + 1;
    return span < points * w->taps ? span : points * w->taps;
}

/* One tile of c columns and r rows, with what it stores. Several channels: their weights do not stay while the rows
 * slide, and changing places takes one of the FMA ports. */
static double window_cycles(const WindowProblem *p, int64_t c, int64_t r) {
    int64_t kw = p->window[0].taps, kh = p->window[1].taps, columns = reach(&p->window[0], c);
    int64_t reads = (r > 1 ? reach(&p->window[1], r) : kh) * columns;
    int64_t loads = reads + kh * kw * (p->channels > 1 ? r : 1);
    double fma = (double)((c * r > 8 ? c * r : 8) * kh * kw) / 2, load = (double)loads / 2;
    if (p->channels > 1) fma += (double)reads / 2;
    return (double)p->channels * ((fma > load ? fma : load) + 0.24 * load) + 0.5 * (double)(c * r) + 2;
}

/* Code that slides in both directions is all unrolled. */
static bool window_fits(const WindowProblem *p, int64_t c, int64_t r) {
    int64_t taps = p->window[0].taps * (r > 1 ? p->window[1].taps : 1);
    return c * r + taps + 2 < p->registers && (r == 1 || c * r * taps * p->channels <= WINDOW_WORK);
}

/* The whole plane: full tiles, smaller ones at the right and at the bottom. */
static double window_cost(const WindowProblem *p, int64_t c, int64_t r) {
    const int64_t size[2] = {c, r};
    double sum = 0;
    for (int i = 0; i < 4; i++) {
        int64_t n = 1, at[2];
        for (int d = 0; d < 2; d++) {
            int64_t extent = p->points[d], rest = extent == TILE_UNKNOWN ? 0 : extent % size[d];
            bool full = !(i >> d & 1);
            at[d] = full ? size[d] : rest;
            n *= full ? extent / size[d] : rest > 0;
        }
        if (n) sum += (double)n * window_cycles(p, at[0], at[1]) * (i ? 1.02 : 1);
    }
    return sum;
}

Tile tile_window(const WindowProblem *p) {
    Tile best = {1, {1, 1}, 0};
    double least = window_cost(p, 1, 1);
    for (int64_t r = 1; r <= p->points[1] && r <= p->registers; r++)
        for (int64_t c = 1; c <= p->points[0] && window_fits(p, c, r); c++) {
            double cost = window_cost(p, c, r);
            if (cost >= least * 0.999) continue;
            best = (Tile){1, {(int32_t)c, (int32_t)r}, 0};
            least = cost;
        }
    return best;
}

/* ---- the choice ----------------------------------------------------------------------------------------------- */

static int32_t at_most(int64_t a, int32_t b) { return a < b ? (int32_t)a : b; }

typedef struct Best {
    Tile tile;
    double cost;
} Best;

/* Bands make more and shorter loops: they have to gain something. */
static void consider(const TileProblem *p, Tile t, Best *best) {
    double cost = tile_cost(p, &t) * (t.band ? 1.01 : 1);
    if (cost < best->cost * 0.999) *best = (Best){t, cost};
}

/* The tile with each band. */
static void consider_bands(const TileProblem *p, Tile t, Best *best) {
    consider(p, t, best);
    if (p->points[1] == TILE_UNKNOWN || t.blocks >= p->blocks || p->points[1] % t.points[1]) return;
    for (t.band = at_most(p->points[1] / 2, INT32_MAX); t.band >= 1; t.band--)
        if (p->points[1] % t.band == 0 && t.band % t.points[1] == 0) consider(p, t, best);
}

Tile tile_choose(const TileProblem *p) {
    int32_t registers = p->machine->vector_registers - (p->machine->fma ? 0 : PRODUCT_REGISTERS);
    Best best = {.tile = {1, {1, 1}, 0}};
    best.cost = tile_cost(p, &best.tile);
    for (int32_t b = 1; b <= at_most(p->blocks, 8); b++)
        for (int32_t i = 1; i <= at_most(p->points[0], registers) && fits(b, i, registers); i++) {
            int32_t rows = i == p->points[0] ? at_most(p->points[1], registers) : 1;
            for (int32_t j = 1; j <= rows && fits(b, (int64_t)i * j, registers); j++)
                consider_bands(p, (Tile){b, {i, j}, 0}, &best);
        }
    return best.tile;
}
