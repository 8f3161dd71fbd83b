/* The command `bench`: milliseconds of inference or of a training step on made-up pictures, and where they go. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec.h"
#include "init.h"
#include "params.h"
#include "peak.h"
#include "require.h"
#include "rng.h"
#include "settings.h"

enum { WARM = 2, LEAST = 5, MOST = 1000, MAX_SIZES = 16 };
static const double least_seconds = 1.0; /* a size is timed for that long and LEAST times, or as --seconds says */

typedef struct Bench {
    const Context *context;
    const Options *options;
    const ModelProgram *program;
    Pool *pool;
    float *params, *state; /* of training; inference has its own */
    Exec *exec;            /* for the largest batch */
    float *images;
    int32_t *labels;
    float *shares; /* of the labels of mixed pictures */
    double *step; /* [n_step] seconds of the present run, for --layers */
    double
        peak; /* GFLOP/s, for --layers; Winograd's convolutions exceed it, since they have fewer products than count */
    json_t *results;
    double latency, throughput; /* seconds of a call of one picture, most pictures a second; NAN: not timed */
} Bench;

typedef struct Timing {
    int64_t n;
    int runs;
    double median; /* seconds of a batch */
    double *step;  /* [n_step] seconds of the fastest run: what disturbs a step only ever adds to it */
} Timing;

/* ---- what to time ---- */

static int64_t largest_batch(const Bench *b, RtError *err) {
    TrainSettings s;
    if (!b->options->train) return b->context->model->max_batch;
    bool ok = train_settings(b->context->model, &s, err);
    int64_t batch = train_at_once(b->context->model, s.batch);
    train_settings_free(&s);
    return ok ? batch : 0;
}

/* Fills size[] from "1,16"; returns how many. */
static int parse_sizes(const char *text, int64_t most, int64_t *size, RtError *err) {
    int n = 0;
    for (const char *p = text; n < MAX_SIZES; p++) {
        char *end;
        long long x = strtoll(p, &end, 10);
        if (end == p || (*end && *end != ',') || x < 1 || x > most) break;
        size[n++] = x;
        if (!*end) return n;
        p = end;
    }
    rt_fail(err, RT_USAGE, "--batch: \"%.60s\" is not a list of numbers from 1 to %lld", text, (long long)most);
    return 0;
}

/* The sizes of deploy { batches } that the program can take; the command line may have made it for fewer pictures. */
static int deployed_sizes(const Bench *b, int64_t most, int64_t *size) {
    const json_t *list = json_object_get(model_section(b->context->model, "deploy"), "batches");
    int n = 0;
    for (size_t i = 0; i < json_array_size(list) && n < MAX_SIZES; i++) {
        int64_t x = json_integer_value(json_array_get(list, i));
        if (x >= 1 && x <= most) size[n++] = x;
    }
    return n;
}

static int choose_sizes(const Bench *b, int64_t *size, RtError *err) {
    enum { COMMON = 16 };
    int64_t most = largest_batch(b, err);
    if (!most) return 0;
    if (b->options->batches) return parse_sizes(b->options->batches, most, size, err);
    if (b->options->train) {
        size[0] = most;
        return 1;
    }
    int n = deployed_sizes(b, most, size);
    if (n > 0) return n;
    size[0] = 1;
    size[1] = most < COMMON ? most : COMMON;
    return size[1] > 1 ? 2 : 1;
}

/* ---- timing ---- */

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void keep_fastest(const Bench *b, const Timing *t) {
    for (int i = 0; i < b->program->n_step; i++) {
        if (t->runs == 0 || b->step[i] < t->step[i]) t->step[i] = b->step[i];
        b->step[i] = 0;
    }
}

static void time_size(const Bench *b, Timing *t) {
    static const uint32_t key[2] = {1, 1};
    const int32_t *labels = b->options->train ? b->labels : NULL;
    bool asked = b->options->seconds >= 0;
    double sample[MOST], begin, seconds = asked ? b->options->seconds : least_seconds;
    int warm = asked ? 1 : WARM, least = asked ? 1 : LEAST;
    exec_time_steps(b->exec, NULL);
    for (int i = 0; i < warm; i++) exec_run(b->exec, t->n, b->images, labels, key);
    exec_time_steps(b->exec, t->step ? b->step : NULL);
    begin = rt_now();
    for (t->runs = 0; t->runs < MOST && (t->runs < least || rt_now() - begin < seconds); t->runs++) {
        double start = rt_now();
        exec_run(b->exec, t->n, b->images, labels, key);
        sample[t->runs] = rt_now() - start;
        if (t->step) keep_fastest(b, t);
    }
    qsort(sample, (size_t)t->runs, sizeof sample[0], by_value);
    t->median = t->runs % 2 ? sample[t->runs / 2] : (sample[t->runs / 2] + sample[t->runs / 2 - 1]) / 2;
}

/* ---- results ---- */

static double gflops(int64_t macs, int64_t n, double seconds) {
    return seconds > 0 ? 2e-9 * (double)macs * (double)n / seconds : 0;
}

static json_t *steps_json(const Bench *b, const Timing *t) {
    json_t *list = json_array();
    for (int i = b->program->n_once; i < b->program->n_step; i++) {
        const ModelStep *s = &b->program->step[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:i, s:f, s:f}", "layer", s->layer, "what", s->what,
                                              "how", s->how, "line", s->line, "ms", 1e3 * t->step[i], "gflops",
                                              gflops(s->macs, t->n, t->step[i])));
    }
    return list;
}

static void add_json(const Bench *b, const Timing *t) {
    json_t *j = json_pack("{s:I, s:i, s:f, s:f, s:f, s:f}", "batch", (json_int_t)t->n, "runs", t->runs, "ms_per_batch",
                          1e3 * t->median, "ms_per_picture", 1e3 * t->median / (double)t->n, "pictures_per_second",
                          (double)t->n / t->median, "gflops", gflops(b->program->macs, t->n, t->median));
    if (t->step) json_object_set_new(j, "steps", steps_json(b, t));
    json_array_append_new(b->results, j);
}

static void print_steps(const Bench *b, const Timing *t) {
    printf("\n  %-24s %-28s %5s %9s %6s %9s %7s  %s\n", "layer", "what", "line", "ms", "%", "GFLOP/s", "of peak",
           "how");
    for (int i = b->program->n_once; i < b->program->n_step; i++) {
        const ModelStep *s = &b->program->step[i];
        printf("  %-24.24s %-28.28s %5d %9.3f %6.1f %9.1f %7.2f  %s\n", s->layer, s->what, s->line, 1e3 * t->step[i],
               100 * t->step[i] / t->median, gflops(s->macs, t->n, t->step[i]),
               gflops(s->macs, t->n, t->step[i]) / b->peak, s->how);
    }
    printf("\n");
}

static void print_text(const Bench *b, const Timing *t) {
    printf("batch %4lld: %9.3f ms, %9.3f ms per picture, %8.1f img/s, %7.1f GFLOP/s  (median of %d)\n", (long long)t->n,
           1e3 * t->median, 1e3 * t->median / (double)t->n, (double)t->n / t->median,
           gflops(b->program->macs, t->n, t->median), t->runs);
    if (t->step) print_steps(b, t);
    fflush(stdout);
}

static void keep_figures(Bench *b, const Timing *t) {
    if (b->options->train) return;
    if (t->n == 1) b->latency = t->median;
    b->throughput = fmax(b->throughput, (double)t->n / t->median); /* fmax passes over NAN */
}

static bool bench_size(Bench *b, int64_t n, RtError *err) {
    Timing t = {.n = n};
    if (b->options->layers) t.step = rt_alloc((size_t)b->program->n_step, sizeof *t.step, err);
    if (!err->code) {
        time_size(b, &t);
        keep_figures(b, &t);
        if (b->results)
            add_json(b, &t);
        else
            print_text(b, &t);
    }
    free(t.step);
    return !err->code;
}

/* Normal numbers, as normalised pictures are; labels in turn. */
static bool make_pictures(Bench *b, int64_t n, RtError *err) {
    const Model *m = b->context->model;
    b->images = rt_alloc_aligned((size_t)n, (size_t)model_image_bytes(m), err);
    const ModelOutput *logits = program_output(&m->train, "logits");
    int64_t labels = n * (logits ? logits->plane : 1), classes = logits ? logits->channels : 1;
    b->labels = rt_alloc_aligned((size_t)labels, sizeof *b->labels, err);
    b->shares = rt_alloc_aligned((size_t)n, sizeof *b->shares, err);
    if (!b->images || !b->labels || !b->shares) return false;
    Rng r = rng_stream(RNG_AUGMENT, 1, 0, 0, 0);
    int64_t floats = n * model_image_bytes(m) / 4;
    for (int64_t i = 0; i < floats; i++) b->images[i] = (float)rng_normal(&r);
    for (int64_t i = 0; i < labels; i++) b->labels[i] = (int32_t)(i % classes);
    for (int64_t i = 0; i < n; i++) b->shares[i] = 1;
    if (b->options->train) exec_set_mix(b->exec, b->labels, b->shares); /* mixed with themselves */
    return true;
}

/* Training starts from initial values, if none are given, with learning rate 0, so that steps on noise cannot blow up. */
static bool fill_params(Bench *b, RtError *err) {
    const Options *o = b->options;
    if (o->train) exec_set_lr(b->exec, 0);
    if (o->train && !o->weights) return init_params(b->context->model, PARAMS_SEED, b->pool, b->params, b->context->model->param_bytes, err);
    return params_load_any(b->context, o->weights, o->train ? WEIGHTS_TO_TRAIN : WEIGHTS_TO_INFER, b->pool,
                           o->train ? b->params : exec_params(b->exec), err);
}

static bool bench_open(Bench *b, int64_t most, RtError *err) {
    const Model *m = b->context->model;
    int threads = pool_threads((int)b->options->threads, err);
    b->program = b->options->train ? &m->train : &m->infer;
    b->pool = threads ? pool_new(threads, err) : NULL;
    if (b->options->json) b->results = json_array();
    b->step = rt_alloc((size_t)b->program->n_step, sizeof *b->step, err);
    if (!b->pool || !b->step) return false;
    if (b->options->train) {
        b->params = block_alloc(m->param_bytes, err);
        b->state = block_alloc(m->state_bytes, err);
        if (!b->params || !b->state) return false;
    }
    b->exec = exec_new(b->program, b->context->kernel, b->pool, b->params, b->state, most, err);
    return b->exec && make_pictures(b, most, err) && fill_params(b, err);
}

static void bench_close(Bench *b) {
    exec_free(b->exec);
    block_free(b->params);
    block_free(b->state);
    pool_free(b->pool);
    free(b->images);
    free(b->labels);
    free(b->shares);
    free(b->step);
    json_decref(b->results);
}

/* Of the vectors that this program's code has. */
static double find_peak(const Bench *b) {
    const json_t *target = b->context->model->target;
    const char *features = json_string_value(json_object_get(target, "features"));
    int lanes = (int)json_integer_value(json_object_get(target, "lanes"));
    return peak_gflops(b->pool, lanes, features && strstr(features, "+fma"));
}

static int64_t largest_of(const int64_t *size, int n) {
    int64_t most = 1;
    for (int i = 0; i < n; i++) most = size[i] > most ? size[i] : most;
    return most;
}

/* The end of the report: whether the net keeps what its file requires, and everything as JSON. */
static void print_results(const Bench *b, RtError *err) {
    const Measured measured[] = {{"latency", b->latency}, {"throughput", b->throughput}};
    if (!b->results) {
        require_check(b->context->model, measured, 2, NULL, err);
        return;
    }
    json_t *j = json_pack("{s:s, s:s, s:i, s:O}", "net", b->context->model->name, "program", b->program->name,
                          "threads", pool_size(b->pool), "results", b->results);
    if (b->options->layers) json_object_set_new(j, "peak_gflops", json_real(b->peak));
    require_check(b->context->model, measured, 2, j, err);
    json_dumpf(j, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(j);
}

int bench_command(const Context *c, const Options *o, RtError *err) {
    Bench b = {.context = c, .options = o, .latency = NAN, .throughput = NAN};
    int64_t size[MAX_SIZES];
    int n = choose_sizes(&b, size, err);
    if (n && bench_open(&b, largest_of(size, n), err)) {
        if (o->layers) b.peak = find_peak(&b);
        if (!o->json) printf("net %s, %s, %d thread%s", c->model->name, b.program->name, pool_size(b.pool), pool_size(b.pool) == 1 ? "" : "s");
        if (!o->json) printf(o->layers ? ", peak %.1f GFLOP/s\n" : "\n", b.peak);
        for (int i = 0; i < n && !err->code; i++) bench_size(&b, size[i], err);
        if (!err->code) print_results(&b, err);
    }
    bench_close(&b);
    return err->code;
}
