#include "gradients.h"

#include <math.h>
#include <stdlib.h>

enum { CHUNK = 1 << 14, LANES = 8 }; /* floats of a task, and how many of its sums go on side by side */

static int64_t chunks(const Gradients *g) { return (g->n + CHUNK - 1) / CHUNK; }

static int64_t chunk_end(const Gradients *g, int64_t chunk) {
    return (chunk + 1) * CHUNK < g->n ? (chunk + 1) * CHUNK : g->n;
}

bool gradients_open(Gradients *g, float *value, int64_t n, RtError *err) {
    *g = (Gradients){.value = value, .n = n};
    g->part = rt_alloc((size_t)chunks(g), sizeof *g->part, err);
    return g->part != NULL;
}

void gradients_close(Gradients *g) { free(g->part); }

static double squares(const float *x, int64_t n) {
    double sum[LANES] = {0}, all = 0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++) sum[k] += (double)x[i + k] * (double)x[i + k];
    for (; i < n; i++) sum[0] += (double)x[i] * (double)x[i];
    for (int k = 0; k < LANES; k++) all += sum[k];
    return all;
}

static void squares_task(void *const *arg, const CnncRun *run, int64_t begin, int64_t end) {
    const Gradients *g = arg[0];
    (void)run;
    for (int64_t i = begin; i < end; i++) g->part[i] = squares(g->value + i * CHUNK, chunk_end(g, i) - i * CHUNK);
}

double gradients_norm(Gradients *g, Pool *pool) {
    CnncRun run = {.n = 1};
    void *arg[] = {g};
    double sum = 0;
    pool_run(pool, squares_task, arg, &run, chunks(g));
    for (int64_t i = 0; i < chunks(g); i++) sum += g->part[i];
    return sqrt(sum);
}

/* What gradients_scale is to do. */
typedef struct Scale {
    Gradients *g;
    float factor, limit;
} Scale;

/* The order of operands keeps a NaN a NaN. */
static void scale_task(void *const *arg, const CnncRun *run, int64_t begin, int64_t end) {
    const Scale *s = arg[0];
    float *value = s->g->value, factor = s->factor, limit = s->limit;
    (void)run;
    for (int64_t i = begin * CHUNK; i < chunk_end(s->g, end - 1); i++) {
        float x = factor * value[i];
        x = x > limit ? limit : x;
        value[i] = x < -limit ? -limit : x;
    }
}

void gradients_scale(Gradients *g, Pool *pool, double factor, double limit) {
    CnncRun run = {.n = 1};
    Scale s = {g, (float)factor, (float)limit};
    void *arg[] = {&s};
    pool_run(pool, scale_task, arg, &run, chunks(g));
}
