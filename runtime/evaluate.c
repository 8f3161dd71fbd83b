#include "evaluate.h"

#include <stdlib.h>
#include <string.h>

struct Evaluator {
    const Model *model;
    const Dataset *data;
    const ModelOutput *output;
    Exec *exec;
    Pipeline *pipeline[PIPELINE_CROPS];
    LoaderConfig config;
    float *scores; /* [classes * plane], one picture */
    int32_t *map;  /* [plane], if that is more than 1 */
    Overlap overlap;
    Confusion confusion; /* without counts where nobody asks for them */
    Calibration calibration; /* without bins where nobody asks for it */
    bool probabilities; /* the net gives them */
    int crops;
    const char *view;
    double *probability; /* [classes], of a picture or of a crop */
    double *sum;         /* [classes], with several crops: of those seen of `sample` */
    int n_summed;
    uint32_t sample;
    void (*seen)(void *context, uint32_t sample, const float *scores);
    void *seen_context;
};

static bool make_pipelines(Evaluator *e, const json_t *input, RtError *err) {
    if (e->crops == 1) return (e->pipeline[0] = pipeline_new(input, NULL, err)) != NULL;
    if (e->output->plane > 1) return !rt_fail(err, RT_DATA, "eval.crops: crops of a map cannot be averaged");
    for (int k = 0; k < e->crops; k++)
        if (!(e->pipeline[k] = pipeline_new_crop(input, k, err))) return false;
    e->sum = rt_alloc((size_t)e->output->channels, sizeof *e->sum, err);
    return e->sum != NULL;
}

static bool configure(Evaluator *e, int batch, int threads, RtError *err) {
    if (!source_config(e->model, e->output, e->data, e->pipeline[0], batch, threads, &e->config, err)) return false;
    e->config.crops = e->pipeline;
    e->config.n_crops = e->crops;
    return true;
}

static bool set_up(Evaluator *e, CnncKernel *const *kernel, Pool *pool, bool crops, RtError *err) {
    const Model *m = e->model;
    EvalSettings settings;
    if (!eval_settings(m, &settings, err)) return false;
    e->output = program_scores(settings.program);
    e->probabilities = model_gives_probabilities(m);
    e->scores = rt_alloc((size_t)(e->output->channels * e->output->plane), sizeof(float), err);
    e->crops = crops ? settings.crops : 1;
    e->probability = rt_alloc((size_t)e->output->channels, sizeof *e->probability, err);
    json_t *input = eval_input(m);
    e->view = e->crops > 1 ? "ten crops" : json_is_object(json_object_get(input, "crop")) ? "one central crop" : "whole pictures";
    bool made = e->scores && e->probability && make_pipelines(e, input, err);
    json_decref(input);
    if (!made) return false;
    if (e->output->plane > 1) {
        e->map = rt_alloc((size_t)e->output->plane, sizeof *e->map, err);
        if (!e->map || !overlap_new(&e->overlap, (int)e->output->channels, err)) return false;
    }
    bool confusion = eval_wants(&settings, "confusion") || eval_wants(&settings, "per_class");
    e->calibration.bins = e->map ? 0 : eval_bins(&settings, err);
    if (confusion && !e->map && !confusion_new(&e->confusion, (int)e->output->channels, err)) return false;
    if (!configure(e, settings.batch, pool_size(pool), err)) return false;
    e->exec = exec_new(settings.program, kernel, pool, NULL, NULL, settings.batch, err);
    return e->exec != NULL;
}

Evaluator *evaluator_new(const Model *m, CnncKernel *const *kernel, Pool *pool, const Dataset *data, bool crops,
                         RtError *err) {
    Evaluator *e = rt_alloc(1, sizeof *e, err);
    if (!e) return NULL;
    e->model = m;
    e->data = data;
    if (set_up(e, kernel, pool, crops, err)) return e;
    evaluator_free(e);
    return NULL;
}

void evaluator_free(Evaluator *e) {
    if (!e) return;
    exec_free(e->exec);
    for (int k = 0; k < PIPELINE_CROPS; k++) pipeline_free(e->pipeline[k]);
    free(e->probability);
    free(e->sum);
    free(e->scores);
    free(e->map);
    overlap_free(&e->overlap);
    confusion_free(&e->confusion);
    free(e);
}

void evaluator_watch(Evaluator *e, void (*seen)(void *context, uint32_t sample, const float *scores), void *context) {
    e->seen = seen;
    e->seen_context = context;
}

bool evaluator_gives_probabilities(const Evaluator *e) { return e->probabilities || e->crops > 1; }

float *evaluator_params(Evaluator *e) { return exec_params(e->exec); }

int64_t evaluator_param_bytes(const Evaluator *e) { return exec_param_bytes(e->exec); }

static void count_map(Evaluator *e, const int32_t *labels, Metrics *metrics) {
    int classes = (int)e->output->channels;
    int64_t plane = e->output->plane;
    double loss = metrics_map_loss(e->scores, classes, plane, labels, e->probabilities);
    metrics_map(e->scores, classes, plane, e->map);
    metrics_add_map(metrics, &e->overlap, e->map, labels, plane, loss);
}

/* A picture's scores. */
static void count_picture(Evaluator *e, uint32_t sample, int32_t label, Metrics *metrics) {
    double loss = metrics_cross_entropy(e->scores, e->model->classes, label, evaluator_gives_probabilities(e));
    metrics_add(metrics, e->scores, e->model->classes, label, loss);
    if (e->seen) e->seen(e->seen_context, sample, e->scores);
    if (e->confusion.count) confusion_add(&e->confusion, e->scores, label);
    if (!e->calibration.bins) return;
    metrics_probabilities(e->scores, e->model->classes, evaluator_gives_probabilities(e), e->probability);
    calibration_add(&e->calibration, e->probability, e->model->classes, label);
}

/* A crop's scores; true when they have become the mean of all crops of the picture. */
static bool add_crop(Evaluator *e, uint32_t sample) {
    size_t classes = (size_t)e->model->classes;
    if (e->crops == 1) return true;
    if (e->n_summed == 0 || sample != e->sample) { /* the picture before may have lost a crop */
        memset(e->sum, 0, classes * sizeof *e->sum);
        e->n_summed = 0;
        e->sample = sample;
    }
    metrics_probabilities(e->scores, e->model->classes, e->probabilities, e->probability);
    for (size_t c = 0; c < classes; c++) e->sum[c] += e->probability[c];
    if (++e->n_summed < e->crops) return false;
    for (size_t c = 0; c < classes; c++) e->scores[c] = (float)(e->sum[c] / e->crops);
    e->n_summed = 0;
    return true;
}

static void run_batch(Evaluator *e, const Batch *b, Metrics *metrics) {
    static const uint32_t key[2] = {0, 0};
    exec_run(e->exec, b->n, b->images, NULL, key);
    for (int32_t i = 0; i < b->n; i++) {
        exec_output_copy(e->exec, e->output, i, e->scores);
        if (e->map)
            count_map(e, b->labels + i * e->output->plane, metrics);
        else if (add_crop(e, b->samples[i]))
            count_picture(e, b->samples[i], b->labels[i], metrics);
    }
}

double evaluation_score(const Evaluation *e) {
    return e->overlap ? 100 * overlap_mean(e->overlap) : metrics_percent(&e->metrics, e->metrics.top1);
}

double evaluation_measure(const Evaluation *e, Measure m) {
    if (m == MEASURE_LOSS) return metrics_loss(&e->metrics);
    return m == MEASURE_TOP5 ? metrics_percent(&e->metrics, e->metrics.top5) : evaluation_score(e);
}

bool evaluator_run(Evaluator *e, const volatile sig_atomic_t *stop,
                   void (*progress)(void *context, int64_t done, int64_t all), void *context, Evaluation *result,
                   RtError *err) {
    double start = rt_now();
    *result = (Evaluation){.view = e->view,
                           .overlap = e->map ? &e->overlap : NULL,
                           .confusion = e->confusion.count ? &e->confusion : NULL,
                           .calibration = e->calibration.bins ? &e->calibration : NULL};
    e->calibration = (Calibration){.bins = e->calibration.bins};
    e->n_summed = 0;
    if (e->map) overlap_clear(&e->overlap);
    if (e->confusion.count) confusion_clear(&e->confusion);
    Loader *loader = loader_new(&e->config, err);
    if (!loader) return false;
    exec_params_changed(e->exec);
    const Batch *b;
    while (!result->stopped && (b = loader_next(loader, err))) {
        run_batch(e, b, &result->metrics);
        if (progress) progress(context, result->metrics.pictures, (int64_t)dataset_count(e->data));
        result->stopped = stop && *stop;
    }
    result->skipped = (int64_t)loader_skipped(loader);
    result->seconds = rt_now() - start;
    loader_free(loader);
    return !err->code;
}
