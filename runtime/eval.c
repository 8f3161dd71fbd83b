/* The command `eval`: accuracy and loss on held-out pictures. */
#include <stdio.h>
#include <stdlib.h>

#include "evaluate.h"
#include "params.h"
#include "progress.h"
#include "require.h"

static void show_progress(void *context, int64_t done, int64_t all) { progress_evaluate(context, done, all); }

static void print_text(const Context *c, const Evaluation *e) {
    const Metrics *m = &e->metrics;
    long long n = (long long)m->pictures;
    printf("net %s, one central crop, %lld pictures in %.1f s (%.1f img/s)", c->model->name, n, e->seconds,
           e->seconds > 0 ? (double)n / e->seconds : 0);
    if (e->skipped) printf(", %lld left out", (long long)e->skipped);
    printf("\ntop-1 %6.2f %%  +- %.2f  (%lld of %lld)\n", metrics_percent(m, m->top1), metrics_interval(m, m->top1),
           (long long)m->top1, n);
    printf("top-5 %6.2f %%  +- %.2f  (%lld of %lld)\n", metrics_percent(m, m->top5), metrics_interval(m, m->top5),
           (long long)m->top5, n);
    printf("loss  %.4f\n", metrics_loss(m));
}

/* top1 and top5 as parts of 1. */
static json_t *as_json(const Context *c, const Evaluation *e) {
    const Metrics *m = &e->metrics;
    return json_pack("{s:s, s:i, s:I, s:I, s:f, s:f, s:f, s:f, s:f}", "net", c->model->name, "crops", 1,
                     "pictures", (json_int_t)m->pictures, "skipped", (json_int_t)e->skipped, "top1",
                     metrics_percent(m, m->top1) / 100, "top5", metrics_percent(m, m->top5) / 100, "top1_interval",
                     metrics_interval(m, m->top1) / 100, "loss", metrics_loss(m), "seconds", e->seconds);
}

/* The result, and whether the net keeps what its file requires. */
static void print(const Context *c, const Options *o, const Evaluation *e, RtError *err) {
    const Metrics *m = &e->metrics;
    const Measured measured[] = {{"top1", metrics_percent(m, m->top1) / 100}, {"top5", metrics_percent(m, m->top5) / 100}};
    json_t *j = o->json ? as_json(c, e) : NULL;
    if (!j) print_text(c, e);
    require_check(c->model, measured, 2, j, err);
    if (!j) return;
    json_dumpf(j, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(j);
}

static Dataset *open_data(const Context *c, const Options *o, RtError *err) {
    EvalSettings settings;
    if (!eval_settings(c->model, &settings, err)) return NULL;
    if (settings.crops != 1)
        fprintf(stderr, "%s: warning: eval.crops is %d: only the central crop is evaluated\n", c->program,
                settings.crops);
    Dataset *d = source_open(c->model, SOURCE_TEST, o->data, err);
    if (!d) rt_fail(err, RT_USAGE, "no pictures to evaluate on: %s names none; use --data DIR", c->model->file);
    return d;
}

/* A net whose loss or scores are not numbers has no accuracy that could be reported. */
static void report(const Context *c, const Options *o, const Evaluation *e, RtError *err) {
    if (!e->metrics.pictures)
        rt_fail(err, RT_DATA, "not one picture could be read");
    else if (!(metrics_loss(&e->metrics) < 1e30))
        rt_fail(err, RT_NOT_FINITE, "the net's scores are not finite");
    else
        print(c, o, e, err);
}

int eval_command(const Context *c, const Options *o, RtError *err) {
    Evaluation e;
    Progress progress;
    json_t *labels = NULL;
    int threads = pool_threads((int)o->threads, err);
    Pool *pool = threads ? pool_new(threads, err) : NULL;
    Dataset *data = pool ? open_data(c, o, err) : NULL;
    Evaluator *evaluator = data ? evaluator_new(c->model, c->kernel, pool, data, err) : NULL;
    progress_start(&progress);
    bool ok = evaluator && params_load(c, o->weights, pool, evaluator_params(evaluator), &labels, err) &&
              source_check_labels(data, labels, err) &&
              evaluator_run(evaluator, NULL, show_progress, &progress, &e, err);
    progress_clear(&progress);
    if (ok) report(c, o, &e, err);
    evaluator_free(evaluator);
    dataset_free(data);
    json_decref(labels);
    pool_free(pool);
    return err->code;
}
