#include "mix.h"

#include <math.h>
#include <string.h>

#include "rng.h"

enum { CHUNK = 1024 }; /* floats that a task keeps of the last picture */

static const char *const name[MIX_KINDS] = {[MIX_MIXUP] = "mixup", [MIX_CUTMIX] = "cutmix"};

static int kind_of(const json_t *step) {
    const char *call = json_string_value(json_object_get(step, "call"));
    int kind = 0;
    while (kind < MIX_KINDS && (!call || strcmp(call, name[kind]))) kind++;
    return kind;
}

bool mix_is_step(const json_t *step) { return kind_of(step) < MIX_KINDS; }

static bool parse_step(Mixer *m, const json_t *step, bool own[MIX_KINDS], RtError *err) {
    int kind = kind_of(step);
    const json_t *p = json_object_get(step, "p");
    m->alpha[kind] = json_number_value(json_object_get(step, "alpha"));
    m->p[kind] = p ? json_number_value(p) : 0;
    own[kind] = !p;
    if (m->alpha[kind] > 0 && m->p[kind] >= 0 && m->p[kind] <= 1) return true;
    return !rt_fail(err, RT_DATA, "%s: `alpha` must be over 0 and `p` from 0 to 1", name[kind]);
}

bool mix_parse(Mixer *m, const json_t *augment, RtError *err) {
    bool own[MIX_KINDS] = {false};
    double left = 1;
    int sharing = 0;
    *m = (Mixer){0};
    for (size_t i = 0; i < json_array_size(augment); i++)
        if (mix_is_step(json_array_get(augment, i)) && !parse_step(m, json_array_get(augment, i), own, err))
            return false;
    for (int k = 0; k < MIX_KINDS; k++) {
        left -= m->p[k];
        sharing += own[k];
    }
    if (left < -1e-9) return !rt_fail(err, RT_DATA, "augment: the `p` of mixup and cutmix are together above 1");
    for (int k = 0; k < MIX_KINDS; k++)
        if (own[k]) m->p[k] = fmax(0, left) / sharing;
    return true;
}

/* The logarithm of a number from Gamma(shape, 1), by Marsaglia and Tsang ("A simple method for generating gamma
 * variables", 2000); a shape below 1 from the next one, whose logarithm does not leave the range that the number itself
 * may leave. */
static double log_gamma_draw(Rng *r, double shape) {
    double d = (shape < 1 ? shape + 1 : shape) - 1.0 / 3, c = 1 / sqrt(9 * d), v, x, u;
    double boost = shape < 1 ? log((rng_u32(r) + 1.0) * 0x1p-32) / shape : 0;
    do {
        x = rng_normal(r);
        v = 1 + c * x;
        v = v * v * v;
        u = (rng_u32(r) + 1.0) * 0x1p-32;
    } while (!(v > 0) || log(u) >= 0.5 * x * x + d * (1 - v + log(v)));
    return log(d * v) + boost;
}

/* From Beta(alpha, alpha). */
static double beta_draw(Rng *r, double alpha) {
    double a = log_gamma_draw(r, alpha), b = log_gamma_draw(r, alpha);
    return 1 / (1 + exp(b - a));
}

static int32_t within(int32_t x, int32_t most) { return x < 0 ? 0 : x > most ? most : x; }

/* The box of torchvision's CutMix. */
static Mixed draw_box(const MixPlane *m, double draw, Rng *r) {
    int32_t x = (int32_t)rng_below(r, (uint32_t)m->width), y = (int32_t)rng_below(r, (uint32_t)m->height);
    double half = 0.5 * sqrt(1 - draw);
    int32_t w = (int32_t)(half * m->width), h = (int32_t)(half * m->height);
    Mixed box = {.x0 = within(x - w, m->width),
                 .y0 = within(y - h, m->height),
                 .x1 = within(x + w, m->width),
                 .y1 = within(y + h, m->height)};
    double part = (double)(box.x1 - box.x0) * (box.y1 - box.y0) / ((double)m->width * m->height);
    box.label = (float)(1 - part);
    return box;
}

Mixed mix_draw(const Mixer *m, const MixPlane *plane, uint64_t seed, uint32_t epoch, uint32_t number) {
    Rng r = rng_stream(RNG_MIX, seed, epoch, number, 0);
    double which = rng_range(&r, 0, 1);
    Mixed all = {.x1 = plane->width, .y1 = plane->height, .share = 1, .label = 1};
    if (which < m->p[MIX_MIXUP]) {
        all.share = all.label = (float)beta_draw(&r, m->alpha[MIX_MIXUP]);
        return all;
    }
    if (which >= m->p[MIX_MIXUP] + m->p[MIX_CUTMIX]) return all;
    return draw_box(plane, beta_draw(&r, m->alpha[MIX_CUTMIX]), &r);
}

typedef struct Blend {
    const MixPlane *plane;
    const Mixed *mixed;
    int n;
    float *images;
} Blend;

/* `count` numbers at `at` of each picture; the last picture first, whose own numbers are kept for the first one. */
static void blend(const Blend *b, size_t at, size_t count) {
    float kept[CHUNK], own = b->mixed->share, other = 1 - own;
    size_t picture = (size_t)b->plane->channels * (size_t)b->plane->height * (size_t)b->plane->width;
    memcpy(kept, b->images + (size_t)(b->n - 1) * picture + at, count * sizeof *kept);
    for (int i = b->n - 1; i >= 0; i--) {
        float *x = b->images + (size_t)i * picture + at;
        const float *from = i ? x - picture : kept;
        for (size_t k = 0; k < count; k++) x[k] = own * x[k] + other * from[k];
    }
}

/* A task for each row of the box in each channel. */
static void blend_task(void *const *arg, const CnncRun *run, int64_t begin, int64_t end) {
    const Blend *b = arg[0];
    const Mixed *box = b->mixed;
    int64_t rows = box->y1 - box->y0;
    (void)run;
    for (int64_t t = begin; t < end; t++) {
        int64_t row = t / rows * b->plane->height + box->y0 + t % rows;
        for (int64_t x = box->x0; x < box->x1; x += CHUNK)
            blend(b, (size_t)(row * b->plane->width + x), (size_t)(box->x1 - x < CHUNK ? box->x1 - x : CHUNK));
    }
}

void mix_images(const MixPlane *plane, const Mixed *mixed, Pool *pool, int n, float *images) {
    Blend b = {plane, mixed, n, images};
    CnncRun run = {.n = n};
    void *arg[] = {&b};
    int64_t rows = (int64_t)plane->channels * (mixed->y1 - mixed->y0);
    if (mixed->label < 1 && mixed->x1 > mixed->x0) pool_run(pool, blend_task, arg, &run, rows);
}
