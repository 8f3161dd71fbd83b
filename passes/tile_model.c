#include "tile_model.h"

#include <stdbool.h>

/* Each accumulator is one FMA (two a cycle, four cycles of latency); each vector and broadcast one load (two a cycle).
 * Loads do not hide behind FMAs entirely (misses, split lines), so a part of them is charged: among tiles that keep
 * both FMA ports busy the one with fewer loads per FMA wins, 4x6 (0.42) before 2x14 (0.57) before 2x4 (0.75). */
double tile_cycles(int64_t b, int64_t p) {
    double fma = (double)(b * p) / 2, load = (double)(b + p) / 2, latency = 4;
    double cycles = fma > load ? fma : load;
    return (cycles > latency ? cycles : latency) + 0.24 * load;
}

static bool fits(int64_t b, int64_t p, int32_t registers) { return b * p + (b < p ? b : p) + 1 <= registers; }

/* All tiles of one size along a loop of `extent`: full ones, and a smaller one at the end, which costs a body of its
 * own. */
static double along(int64_t extent, int64_t size, int64_t other, bool points) {
    int64_t full = extent / size, rest = extent == TILE_UNKNOWN ? 0 : extent % size;
    double c = (double)full * (points ? tile_cycles(other, size) : tile_cycles(size, other));
    if (rest) c += points ? tile_cycles(other, rest) : tile_cycles(rest, other);
    return rest ? c * 1.02 : c;
}

/* Cost of the whole problem: tails in one direction are charged at the full size of the other. */
static double cost(const TileProblem *p, const Tile *t) {
    int64_t points = (int64_t)t->points[0] * t->points[1];
    double per_row = along(p->points[0], t->points[0], (int64_t)t->blocks * t->points[1], true);
    int64_t extent = p->points[0] * (t->points[1] > 1 ? p->points[1] : 1);
    double c = t->points[1] > 1 ? along(extent, points, t->blocks, true) : per_row;
    double blocks = along(p->blocks, t->blocks, points, false) / tile_cycles(t->blocks, points);
    return c * blocks * (t->points[1] > 1 ? 1 : (double)p->points[1]);
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
    Tile best = {1, {1, 1}};
    double least = window_cost(p, 1, 1);
    for (int64_t r = 1; r <= p->points[1] && r <= p->registers; r++)
        for (int64_t c = 1; c <= p->points[0] && window_fits(p, c, r); c++) {
            double cost = window_cost(p, c, r);
            if (cost >= least * 0.999) continue;
            best = (Tile){1, {(int32_t)c, (int32_t)r}};
            least = cost;
        }
    return best;
}

/* ---- the choice ----------------------------------------------------------------------------------------------- */

static int32_t at_most(int64_t a, int32_t b) { return a < b ? (int32_t)a : b; }

Tile tile_choose(const TileProblem *p) {
    Tile best = {1, {1, 1}};
    double least = cost(p, &best);
    for (int32_t b = 1; b <= at_most(p->blocks, 8); b++) {
        for (int32_t i = 1; i <= at_most(p->points[0], p->registers) && fits(b, i, p->registers); i++) {
            for (int32_t j = 1; j <= at_most(p->points[1], p->registers) && fits(b, (int64_t)i * j, p->registers);
                 j++) {
                if (j > 1 && i != p->points[0]) break;
                Tile t = {b, {i, j}};
                double c = cost(p, &t);
                if (c < least * 0.999) {
                    best = t;
                    least = c;
                }
            }
        }
    }
    return best;
}
