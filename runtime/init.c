#include "init.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rng.h"

enum { SLICE = 1 << 16 }; /* logical elements that one task makes at a time: 256 KiB */

/* Every kind comes down to centre + scale * x with x normal, uniform in [-1, 1) or nothing at all. */
typedef enum Shape { SHAPE_CONSTANT, SHAPE_NORMAL, SHAPE_UNIFORM } Shape;

typedef struct Law {
    Shape shape;
    double centre, scale;
} Law;

static double fan_in(const ModelParam *p) { return (double)(p->form.dim[1] * p->form.dim[2] * p->form.dim[3]); }

static double fan_out(const ModelParam *p) { return (double)(p->form.dim[0] * p->form.dim[2] * p->form.dim[3]); }

static Law law_of(const ModelParam *p) {
    switch (p->init) {
    case INIT_NORMAL: return (Law){SHAPE_NORMAL, p->a, p->b};
    case INIT_UNIFORM: return (Law){SHAPE_UNIFORM, (p->a + p->b) / 2, (p->b - p->a) / 2};
    case INIT_HE: return (Law){SHAPE_NORMAL, 0, sqrt(2 / fan_in(p))};
    case INIT_XAVIER: return (Law){SHAPE_UNIFORM, 0, sqrt(6 / (fan_in(p) + fan_out(p)))};
    case INIT_TORCH: return (Law){SHAPE_UNIFORM, 0, 1 / sqrt(p->a > 0 ? p->a : fan_in(p))};
    default: return (Law){SHAPE_CONSTANT, p->a, 0};
    }
}

/* Four normal values from four words: two pairs of Box and Muller's transform. */
static void normal4(const uint32_t word[4], double x[4]) {
    for (int i = 0; i < 4; i += 2) {
        double r = sqrt(-2 * log(((double)word[i] + 1) * 0x1p-32)), t = 2 * M_PI * 0x1p-32 * (double)word[i + 1];
        x[i] = r * cos(t);
        x[i + 1] = r * sin(t);
    }
}

static void uniform4(const uint32_t word[4], double x[4]) {
    for (int i = 0; i < 4; i++) x[i] = 2 * 0x1p-32 * (double)word[i] - 1;
}

/* out[n] = values first .. first + n - 1 of the parameter with that number; first need not be a multiple of 4. */
static void fill(const Law *law, const uint32_t key[2], uint32_t site, int64_t first, int64_t n, float *out) {
    double x[4] = {0};
    for (int64_t e = first; e < first + n; e++) {
        if (law->shape != SHAPE_CONSTANT && (e % 4 == 0 || e == first)) {
            uint64_t block = (uint64_t)e / 4;
            uint32_t word[4], counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), site, RNG_INIT};
            rng_philox(key, counter, word);
            if (law->shape == SHAPE_NORMAL)
                normal4(word, x);
            else
                uniform4(word, x);
        }
        *out++ = (float)(law->centre + law->scale * x[e % 4]);
    }
}

typedef struct Job {
    const ModelParam *param;
    uint32_t key[2], site;
    float *stored;
    float *buffer; /* [threads][slice] */
    int64_t slice; /* elements of the largest slice */
    int64_t slices, threads;
} Job;

/* Task t does every threads-th slice, in its own buffer. */
static void fill_task(void *const *arg, const CnncRun *run, int64_t begin, int64_t end) {
    (void)run;
    const Job *j = arg[0];
    Law law = law_of(j->param);
    for (int64_t t = begin; t < end; t++)
        for (int64_t i = t; i < j->slices; i += j->threads) {
            Slice s = form_slice(&j->param->form, SLICE, i);
            float *logical = j->buffer + t * j->slice;
            fill(&law, j->key, j->site, s.logical, form_elements(&s.form), logical);
            pack(&s.form, logical, j->stored + s.stored);
        }
}

/* FNV-1a (Fowler, Noll, Vo). */
static uint32_t hash(const char *name) {
    uint32_t h = 0x811c9dc5u;
    for (; *name; name++) h = (h ^ (unsigned char)*name) * 0x01000193u;
    return h;
}

static bool init_param(const ModelParam *p, uint64_t seed, Pool *pool, float *params, RtError *err) {
    Job j = {.param = p,
             .key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
             .site = hash(p->name),
             .stored = params + p->offset / 4,
             .slice = form_slice_elements(&p->form, SLICE),
             .slices = form_slices(&p->form, SLICE),
             .threads = pool_size(pool)};
    j.buffer = rt_alloc_aligned((size_t)(j.slice * j.threads), sizeof *j.buffer, err);
    if (!j.buffer) return false;
    void *arg[] = {&j};
    CnncRun run = {.n = 1};
    memset(j.stored, 0, (size_t)p->bytes);
    pool_run(pool, fill_task, arg, &run, j.threads);
    free(j.buffer);
    return true;
}

bool init_params(const Model *m, uint64_t seed, Pool *pool, float *params, int64_t bytes, RtError *err) {
    for (int i = 0; i < m->n_param; i++)
        if (model_within(&m->param[i], bytes) && !init_param(&m->param[i], seed, pool, params, err)) return false;
    return true;
}
