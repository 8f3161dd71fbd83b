#include "trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "init.h"
#include "params.h"

static bool take_batch(Trainer *t, const Options *o, RtError *err) {
    t->batch = o->batch ? (int)o->batch : t->settings.batch;
    if (t->batch <= t->settings.batch) return true;
    rt_fail(err, RT_USAGE, "--batch: %d is more than %d, the batch of the train section that this program was made for",
            t->batch, t->settings.batch);
    return false;
}

/* Labels count whole. */
static void unmix(Trainer *t) {
    for (int i = 0; i < t->batch; i++) {
        t->partners[i] = 0;
        t->shares[i] = 1;
    }
}

void trainer_mix(Trainer *t, int n, const int32_t *partners, const float *shares) {
    memcpy(t->partners, partners, (size_t)n * sizeof *partners);
    memcpy(t->shares, shares, (size_t)n * sizeof *shares);
}

void trainer_use(Trainer *t, int k) {
    const ModelProgram *p = t->sizes.program[k];
    t->program = p;
    t->loss = program_output(p, "loss");
    t->logits = program_output(p, "logits");
    if (t->exec) exec_use(t->exec, p);
}

static bool take_memory(Trainer *t, RtError *err) {
    const Model *m = t->model;
    t->at_once = train_at_once(m, t->batch);
    int64_t plane = 1;
    for (int i = 0; i < t->sizes.n; i++) {
        const ModelOutput *logits = program_output(t->sizes.program[i], "logits");
        if (logits->plane > plane) plane = logits->plane;
    }
    t->params = block_alloc(m->param_bytes, err);
    t->state = block_alloc(m->state_bytes, err);
    t->scores = rt_alloc((size_t)(t->logits->channels * plane), sizeof *t->scores, err);
    t->map = rt_alloc((size_t)plane, sizeof *t->map, err);
    t->partners = rt_alloc_aligned((size_t)t->batch, sizeof *t->partners, err);
    t->shares = rt_alloc_aligned((size_t)t->batch, sizeof *t->shares, err);
    if (!t->params || !t->state || !t->scores || !t->map || !t->partners || !t->shares) return false;
    unmix(t);
    if (m->ema >= 0) t->average = t->state + m->average_offset / 4;
    t->exec = exec_new_several(t->sizes.program, t->sizes.n, t->context->kernel, t->pool, t->params, t->state,
                               t->at_once, err);
    return t->exec && gradients_open(&t->gradients, exec_gradients(t->exec), m->train.gradient_bytes / 4, err);
}

bool trainer_open(Trainer *t, const Context *c, const Options *o, bool by_sizes, RtError *err) {
    *t = (Trainer){.context = c, .model = c->model, .sizes = {1, {&c->model->train}}, .norm = -1};
    if (!train_settings(c->model, &t->settings, err) || !take_batch(t, o, err)) return false;
    if (by_sizes && !train_sizes(c->model, &t->sizes, err)) return false;
    if (o->seed >= 0) t->settings.seed = (uint64_t)o->seed;
    int threads = pool_threads((int)o->threads, err);
    t->pool = threads ? pool_new(threads, err) : NULL;
    trainer_use(t, 0);
    t->at = (TrainState){.seed = t->settings.seed, .batch_size = t->batch, .accumulate = t->settings.accumulate,
                          .measure = t->settings.best, .best = -1, .plateau = {.best = PLATEAU_NONE}};
    return t->pool && take_memory(t, err);
}

void trainer_close(Trainer *t) {
    exec_free(t->exec);
    gradients_close(&t->gradients);
    pool_free(t->pool);
    block_free(t->params);
    block_free(t->state);
    free(t->scores);
    free(t->map);
    free(t->partners);
    free(t->shares);
    schedule_free(t->schedule);
    train_settings_free(&t->settings);
}

bool trainer_schedule(Trainer *t, const Options *o, int64_t steps_per_epoch, RtError *err) {
    Quantity stop = t->settings.stop;
    if (o->epochs) stop = (Quantity){(double)o->epochs, UNIT_EPOCHS};
    t->total = stop.unit == UNIT_SECONDS ? -1 : quantity_steps(stop, steps_per_epoch, "train.stop", err);
    t->last = o->steps && (t->total < 0 || o->steps < t->total) ? o->steps : t->total;
    json_t *constant = o->lr >= 0 ? json_pack("[{s:s, s:f}]", "call", "constant", "base", o->lr) : NULL;
    t->schedule = err->code ? NULL : schedule_new(constant ? constant : t->settings.lr, steps_per_epoch, t->total, err);
    json_decref(constant);
    return t->schedule != NULL;
}

bool trainer_initialise(Trainer *t, const Options *o, RtError *err) {
    const char *path = o->weights ? o->weights : t->settings.init_path;
    const Globs *except = o->weights ? NULL : &t->settings.init_except;
    if (!init_params(t->model, t->at.seed, t->pool, t->params, t->model->param_bytes, err)) return false;
    return !path || params_read(t->context, path, except, WEIGHTS_TO_TRAIN, t->params, NULL, err);
}

double trainer_lr(const Trainer *t) { return schedule_lr(t->schedule, t->at.step); }

/* The sum of the losses, in the order of the pictures, so it is the same for any number of threads. */
static double count_pictures(Trainer *t, int n, const int32_t *labels) {
    double sum = 0;
    int64_t plane = t->logits->plane;
    int classes = (int)t->logits->channels;
    for (int i = 0; i < n; i++) {
        double loss = (double)exec_output(t->exec, t->loss, i, 0, 0);
        sum += loss;
        exec_output_copy(t->exec, t->logits, i, t->scores);
        if (plane > 1) {
            metrics_map(t->scores, classes, plane, t->map);
            metrics_add_map(&t->at.running, NULL, t->map, labels + i * plane, plane, loss);
        } else {
            metrics_add(&t->at.running, t->scores, classes, t->shares[i] < 0.5F ? t->partners[i] : labels[i], loss);
        }
    }
    return sum;
}

enum { CHUNK = 1 << 14 }; /* floats that a task averages */

/* average += (1 - ema) * (param - average), which leaves alone what does not change. */
static void average_task(void *const *arg, const CnncRun *run, int64_t begin, int64_t end) {
    const Trainer *t = arg[0];
    (void)run;
    int64_t all = t->model->param_bytes / 4, last = end * CHUNK < all ? end * CHUNK : all;
    const float *param = t->params, part = (float)(1 - t->model->ema);
    float *average = t->average;
    for (int64_t i = begin * CHUNK; i < last; i++) average[i] += part * (param[i] - average[i]);
}

/* The first step's parameters are the average so far. */
static void average(Trainer *t) {
    CnncRun run = {.n = 1};
    void *arg[] = {t};
    if (!t->average) return;
    if (t->at.step == 1)
        memcpy(t->average, t->params, (size_t)t->model->param_bytes);
    else
        pool_run(t->pool, average_task, arg, &run, (t->model->param_bytes / 4 + CHUNK - 1) / CHUNK);
}

const float *trainer_result(const Trainer *t) { return t->average ? t->average : t->params; }

/* ---- steps ---- */

int64_t trainer_pictures(const Trainer *t) { return (int64_t)t->batch * t->settings.accumulate; }

/* A number of its own for each run of the program in the whole training, which dropout draws by. */
static int64_t run_number(const Trainer *t) {
    int64_t of_batch = (t->settings.batch + t->at_once - 1) / t->at_once;
    return t->at.step * t->settings.accumulate * of_batch + t->calls;
}

/* n pictures of a batch, from number `from` on. */
static void gather(Trainer *t, int64_t from, int n, const float *images, const int32_t *labels) {
    uint32_t key[2] = {(uint32_t)(t->at.seed ^ t->at.seed >> 32), (uint32_t)run_number(t)};
    exec_set_lr(t->exec, (float)trainer_lr(t));
    exec_set_again(t->exec, t->calls > 0);
    exec_set_mix(t->exec, t->partners + from, t->shares + from);
    exec_gather(t->exec, n, images, labels, key);
    t->loss_sum += count_pictures(t, n, labels);
    t->calls++;
}

void trainer_add(Trainer *t, int n, const float *images, const int32_t *labels) {
    int64_t floats = program_image_bytes(t->model, t->program) / 4, plane = t->logits->plane;
    for (int64_t from = 0; from < n; from += t->at_once) {
        int64_t left = n - from;
        gather(t, from, (int)(left < t->at_once ? left : t->at_once), images + from * floats, labels + from * plane);
    }
    unmix(t);
    t->pictures += n;
    t->batches++;
}

bool trainer_due(const Trainer *t) { return t->batches == t->settings.accumulate; }

static bool check_finite(const Trainer *t, const char *what, double x, RtError *err) {
    if (isfinite(x)) return true;
    rt_fail(err, RT_NOT_FINITE, "step %lld: %s is %s (learning rate %g, epoch %lld); saved files were not touched",
            (long long)t->at.step + 1, what, isnan(x) ? "not a number" : "infinite", trainer_lr(t), (long long)t->at.epoch + 1);
    return false;
}

/* From gradients of the sum of losses to what the updates take: of the mean, clipped as torch.nn.utils does it. */
static bool finish_gradients(Trainer *t, RtError *err) {
    const TrainSettings *s = &t->settings;
    double factor = 1 / (double)t->pictures, limit = s->clip == CLIP_VALUE ? s->clip_limit : (double)INFINITY;
    if (t->gradients.n == 0) return true;
    if (s->clip == CLIP_NORM) {
        t->norm = factor * gradients_norm(&t->gradients, t->pool);
        if (!check_finite(t, "the norm of the gradients", t->norm, err)) return false;
        factor *= fmin(1, s->clip_limit / (t->norm + 1e-6));
    }
    gradients_scale(&t->gradients, t->pool, factor, limit);
    return true;
}

bool trainer_step(Trainer *t, RtError *err) {
    t->mean_loss = t->loss_sum / (double)t->pictures;
    if (!check_finite(t, "the loss", t->mean_loss, err) || !finish_gradients(t, err)) return false;
    exec_update(t->exec);
    t->at.step++;
    average(t);
    t->calls = t->batches = 0;
    t->pictures = 0;
    t->loss_sum = 0;
    return true;
}
