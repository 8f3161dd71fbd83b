#include "evaluate.h"

#include <stdlib.h>

struct Evaluator {
    const Model *model;
    const Dataset *data;
    const ModelOutput *output;
    Exec *exec;
    Pipeline *pipeline;
    LoaderConfig config;
    float *scores; /* [classes * plane], one picture */
    bool probabilities;
};

static bool set_up(Evaluator *e, CnncKernel *const *kernel, Pool *pool, RtError *err) {
    const Model *m = e->model;
    EvalSettings settings;
    if (!eval_settings(m, &settings, err)) return false;
    e->output = program_scores(&m->infer);
    e->probabilities = model_gives_probabilities(m);
    e->scores = rt_alloc((size_t)(e->output->channels * e->output->plane), sizeof(float), err);
    e->pipeline = pipeline_new(model_input_settings(m), NULL, err);
    if (!e->scores || !e->pipeline) return false;
    if (!source_config(m, e->data, e->pipeline, settings.batch, pool_size(pool), &e->config, err)) return false;
    e->exec = exec_new(m, &m->infer, kernel, pool, NULL, NULL, settings.batch, err);
    return e->exec != NULL;
}

Evaluator *evaluator_new(const Model *m, CnncKernel *const *kernel, Pool *pool, const Dataset *data, RtError *err) {
    Evaluator *e = rt_alloc(1, sizeof *e, err);
    if (!e) return NULL;
    e->model = m;
    e->data = data;
    if (set_up(e, kernel, pool, err)) return e;
    evaluator_free(e);
    return NULL;
}

void evaluator_free(Evaluator *e) {
    if (!e) return;
    exec_free(e->exec);
    pipeline_free(e->pipeline);
    free(e->scores);
    free(e);
}

float *evaluator_params(Evaluator *e) { return exec_params(e->exec); }

static void run_batch(Evaluator *e, const Batch *b, Metrics *metrics) {
    static const uint32_t key[2] = {0, 0};
    exec_run(e->exec, b->n, b->images, NULL, key);
    for (int32_t i = 0; i < b->n; i++) {
        exec_output_copy(e->exec, e->output, i, e->scores);
        double loss = metrics_cross_entropy(e->scores, e->model->classes, b->labels[i], e->probabilities);
        metrics_add(metrics, e->scores, e->model->classes, b->labels[i], loss);
    }
}

bool evaluator_run(Evaluator *e, const volatile sig_atomic_t *stop,
                   void (*progress)(void *context, int64_t done, int64_t all), void *context, Evaluation *result,
                   RtError *err) {
    double start = rt_now();
    *result = (Evaluation){0};
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
