#include "slopes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec.h"
#include "fields.h"
#include "init.h"
#include "params.h"
#include "rng.h"
#include "settings.h"

enum { PICTURES = 4, LENGTHS = 6 };

static const double allowed = 0.02; /* of a slope */
static const double reach = 0.1;    /* the longest way, as a part of the length of the tensor */
static const double wanted = 3e-3;  /* the change of the loss to begin with, as a part of it */
static const double patience = 60;  /* seconds; then the tensors not yet compared are left out */
static const double signal = 2e-5;  /* one that rounding does not hide */

typedef struct Probe {
    const Model *model;
    Pool *pool;
    Exec *exec;
    int64_t n;
    float *start, *params, *state; /* as the program has them */
    float *gradient;               /* at the start */
    float *way;                    /* of one tensor, of length 1, in the form that it is stored in */
    float *images;
    int32_t *labels;
    float *shares;       /* of its own label of each picture, where pictures are mixed: all */
    double loss;         /* at start */
    int compared, small; /* tensors */
    double worst;        /* error of a slope */
    const char *where;
} Probe;

/* ---- the point ---- */

static bool make_batch(Probe *p, RtError *err) {
    const ModelOutput *logits = program_output(&p->model->train, "logits");
    int64_t labels = p->n * logits->plane;
    p->images = rt_alloc_aligned((size_t)p->n, (size_t)model_image_bytes(p->model), err);
    p->labels = rt_alloc_aligned((size_t)labels, sizeof *p->labels, err);
    p->shares = rt_alloc_aligned((size_t)p->n, sizeof *p->shares, err);
    if (!p->images || !p->labels || !p->shares) return false;
    Rng r = rng_stream(RNG_AUGMENT, 1, 0, 0, 0);
    for (int64_t i = 0; i < p->n * model_image_bytes(p->model) / 4; i++) p->images[i] = (float)rng_normal(&r);
    for (int64_t i = 0; i < labels; i++) p->labels[i] = (int32_t)rng_below(&r, (uint32_t)logits->channels);
    for (int64_t i = 0; i < p->n; i++) p->shares[i] = 1;
    exec_set_mix(p->exec, p->labels, p->shares);
    return true;
}

static bool probe_open(Probe *p, const Context *c, const Options *o, RtError *err) {
    const Model *m = c->model;
    TrainSettings s;
    *p = (Probe){.model = m, .where = "none"};
    if (!train_settings(m, &s, err)) return false;
    const ModelOutput *logits = program_output(&m->train, "logits");
    p->n = logits->plane > 1 ? 1 : s.batch < PICTURES ? s.batch : PICTURES; /* a map has many labels */
    train_settings_free(&s);
    int threads = pool_threads((int)o->threads, err);
    p->pool = threads ? pool_new(threads, err) : NULL;
    p->start = block_alloc(m->param_bytes, err);
    p->params = block_alloc(m->param_bytes, err);
    p->gradient = block_alloc(m->train.gradient_bytes, err);
    p->way = block_alloc(m->param_bytes, err);
    p->state = block_alloc(m->state_bytes, err);
    if (!p->pool || !p->start || !p->params || !p->gradient || !p->way || !p->state) return false;
    p->exec = exec_new(&m->train, c->kernel, p->pool, p->params, p->state, p->n, err);
    return p->exec && make_batch(p, err) && params_load_any(c, o->weights, WEIGHTS_TO_TRAIN, p->pool, p->start, err);
}

static void probe_close(Probe *p) {
    exec_free(p->exec);
    pool_free(p->pool);
    block_free(p->start);
    block_free(p->params);
    block_free(p->gradient);
    block_free(p->way);
    block_free(p->state);
    free(p->images);
    free(p->labels);
    free(p->shares);
}

/* The sum of the pictures' losses; their gradients then are in region "gradient". Running means of batch norm are
 * overwritten, which changes no loss of training. */
static double run(Probe *p) {
    static const uint32_t key[2] = {1, 1};
    const ModelOutput *loss = program_output(&p->model->train, "loss");
    double sum = 0;
    exec_set_again(p->exec, false);
    exec_gather(p->exec, p->n, p->images, p->labels, key);
    for (int64_t i = 0; i < p->n; i++) sum += (double)exec_output(p->exec, loss, i, 0, 0);
    return sum;
}

/* The parameter that a gradient is of, "NAME.gradient". */
static const ModelParam *find_weight(const Model *m, const ModelParam *gradient) {
    size_t n = strlen(gradient->name) - strlen(".gradient");
    for (int i = 0; i < m->n_param; i++)
        if (strlen(m->param[i].name) == n && !strncmp(m->param[i].name, gradient->name, n)) return &m->param[i];
    return NULL;
}

static bool find_gradients(Probe *p, RtError *err) {
    const Model *m = p->model;
    if (!m->n_gradient) return !rt_fail(err, RT_INTERNAL, "the program keeps no gradients");
    memcpy(p->params, p->start, (size_t)m->param_bytes);
    p->loss = run(p);
    memcpy(p->gradient, exec_gradients(p->exec), (size_t)m->train.gradient_bytes);
    return isfinite(p->loss) || !rt_fail(err, RT_NOT_FINITE, "the loss is not finite: gradients cannot be compared");
}

/* ---- slopes ---- */

static double length_of(const float *x, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

/* A random way of length 1, in the form that the parameter is stored in. */
static bool random_way(Probe *p, const ModelParam *w, uint32_t site, RtError *err) {
    Rng r = rng_stream(RNG_AUGMENT, 1, 0, 0, site);
    float *logical = rt_alloc((size_t)w->elements, sizeof *logical, err), each = (float)(1 / sqrt((double)w->elements));
    if (!logical) return false;
    for (int64_t i = 0; i < w->elements; i++) logical[i] = rng_below(&r, 2) ? each : -each;
    pack(&w->form, logical, p->way);
    free(logical);
    return true;
}

/* The loss behind a way of that length from the start. */
static double loss_at(Probe *p, const ModelParam *w, double length) {
    float *to = p->params + w->offset / 4;
    memcpy(p->params, p->start, (size_t)p->model->param_bytes);
    for (int64_t i = 0; i < w->bytes / 4; i++) to[i] += (float)(length * (double)p->way[i]);
    return run(p);
}

/* The smallest error of a slope, as a part of it; negative: all changes of the loss are too small to tell. */
static double slope_error(Probe *p, const ModelParam *w, double slope) {
    double size = length_of(p->start + w->offset / 4, w->bytes / 4), loss = fmax(fabs(p->loss), 1e-3), least = -1;
    double length = reach * fmax(size, 0.1 * sqrt((double)w->elements));
    if (2 * length * fabs(slope) > wanted * loss) length = wanted * loss / (2 * fabs(slope));
    for (int i = 0; i < LENGTHS && (least < 0 || least > allowed / 4); i++, length /= 3) {
        double change = loss_at(p, w, length) - loss_at(p, w, -length), said = 2 * length * slope;
        double larger = fmax(fabs(change), fabs(said)), error = fabs(change - said) / larger;
        if (larger >= signal * loss && (least < 0 || error < least)) least = error;
        if (isnan(change) || isnan(said)) return INFINITY;
    }
    return least;
}

static bool check_tensor(Probe *p, int i, RtError *err) {
    const ModelParam *kept = &p->model->gradient[i], *w = find_weight(p->model, kept);
    const float *g = p->gradient + kept->offset / 4;
    if (!w || w->bytes != kept->bytes) return !rt_fail(err, RT_INTERNAL, "%s does not lie as its weight", kept->name);
    int64_t n = w->bytes / 4;
    double slope = length_of(g, n), error;
    if (slope > 0)
        for (int64_t j = 0; j < n; j++) p->way[j] = (float)((double)g[j] / slope);
    error = slope > 0 ? slope_error(p, w, slope) : -1;
    if (error < 0) {
        if (!random_way(p, w, (uint32_t)i, err)) return false;
        double along = 0;
        for (int64_t j = 0; j < n; j++) along += (double)g[j] * (double)p->way[j];
        error = slope_error(p, w, along);
    }
    p->small += error < 0;
    p->compared++;
    if (error > p->worst) p->worst = error, p->where = w->name;
    return true;
}

static int common_divisor(int a, int b) { return b ? common_divisor(b, a % b) : a; }

/* In an order that comes everywhere soon: steps of about 0.618 of all. */
static bool check_tensors(Probe *p, double seconds, RtError *err) {
    int n = p->model->n_gradient, stride = (int)(0.618 * n) + 1;
    double begin = rt_now();
    while (common_divisor(n, stride) > 1) stride++;
    for (int k = 0; k < n && (k == 0 || rt_now() - begin < seconds); k++)
        if (!check_tensor(p, (int)((int64_t)k * stride % n), err)) return false;
    return true;
}

static void say(const Probe *p, json_t *into) {
    bool kept = p->worst <= allowed;
    if (into)
        json_object_set_new(into, "gradients",
                            json_pack("{s:i, s:i, s:i, s:o, s:f, s:s, s:b}", "tensors", p->model->n_gradient,
                                      "compared", p->compared, "too_small", p->small, "error", field_real(p->worst), "allowed",
                                      allowed, "at", p->where, "kept", kept));
    else
        printf("gradients of %d of %d tensors, %d too small to measure: largest error %.2f %%, at %s, allowed %.0f %%: "
               "%s\n",
               p->compared, p->model->n_gradient, p->small, 100 * p->worst, p->where, 100 * allowed,
               kept ? "kept" : "not kept");
}

bool slopes_check(const Context *c, const Options *o, json_t *into, RtError *err) {
    Probe p;
    bool good = probe_open(&p, c, o, err) && find_gradients(&p, err) &&
                check_tensors(&p, o->seconds >= 0 ? o->seconds : patience, err);
    if (good) say(&p, into);
    if (good && p.worst > allowed)
        good = !rt_fail(err, RT_UNKEPT, "the gradient of %s is wrong by %.1f %%, measured by the loss itself", p.where,
                        100 * p.worst);
    probe_close(&p);
    return good;
}
