/* The command `eval`: accuracy, of maps also how classes overlap, and loss on held-out pictures. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evaluate.h"
#include "params.h"
#include "progress.h"
#include "require.h"

static void show_progress(void *context, int64_t done, int64_t all) { progress_evaluate(context, done, all); }

/* ---- what is printed ---- */

static void print_share(const char *name, const Metrics *m, int64_t correct) {
    int64_t all = m->pixels ? m->pixels : m->pictures;
    printf("%s %6.2f %%", name, metrics_percent(m, correct));
    if (!m->pixels) printf("  +- %.2f", metrics_interval(m, correct)); /* pixels of a picture are alike: no such interval */
    printf("  (%lld of %lld)\n", (long long)correct, (long long)all);
}

static void print_top1(const Evaluation *e, const json_t *labels) {
    (void)labels;
    print_share("top-1", &e->metrics, e->metrics.top1);
}

static void print_top5(const Evaluation *e, const json_t *labels) {
    (void)labels;
    print_share("top-5", &e->metrics, e->metrics.top5);
}

static void print_pixels(const Evaluation *e, const json_t *labels) {
    (void)labels;
    print_share("pixel accuracy", &e->metrics, e->metrics.top1);
}

static void print_iou(const Evaluation *e, const json_t *labels) {
    printf("mean IoU       %6.2f %%\n", evaluation_score(e));
    for (int i = 0; i < e->overlap->classes; i++) {
        double iou = overlap_iou(e->overlap, i);
        const char *label = json_string_value(json_array_get(labels, (size_t)i));
        if (iou < 0)
            printf("       -    ");
        else
            printf("  %6.2f %%  ", 100 * iou);
        if (label)
            printf("%s\n", label);
        else
            printf("class %d\n", i);
    }
}

/* ONE ROW PER WORD of eval.metrics; map: of nets that give a score for each pixel, else of those that do not. */
static const struct {
    const char *word;
    bool map;
    void (*print)(const Evaluation *e, const json_t *labels);
} metric_table[] = {
    {"top1", false, print_top1},
    {"top5", false, print_top5},
    {"pixel_accuracy", true, print_pixels},
    {"mean_iou", true, print_iou},
};

static bool is_listed(const json_t *words, const char *word) {
    for (size_t i = 0; i < json_array_size(words); i++)
        if (!strcmp(json_string_value(json_array_get(words, i)), word)) return true;
    return words == NULL;
}

static void print_text(const Context *c, const Evaluation *e, const json_t *words, const json_t *labels) {
    const Metrics *m = &e->metrics;
    long long n = (long long)m->pictures;
    printf("net %s, one central crop, %lld pictures in %.1f s (%.1f img/s)", c->model->name, n, e->seconds,
           e->seconds > 0 ? (double)n / e->seconds : 0);
    if (e->skipped) printf(", %lld left out", (long long)e->skipped);
    printf("\n");
    for (size_t i = 0; i < sizeof metric_table / sizeof metric_table[0]; i++)
        if (metric_table[i].map == (e->overlap != NULL) && is_listed(words, metric_table[i].word))
            metric_table[i].print(e, labels);
    printf("loss  %.4f\n", metrics_loss(m));
}

static void add_map_json(json_t *j, const Evaluation *e) {
    json_t *iou = json_array();
    for (int i = 0; i < e->overlap->classes; i++) {
        double x = overlap_iou(e->overlap, i);
        json_array_append_new(iou, x < 0 ? json_null() : json_real(x));
    }
    json_object_set_new(j, "pixel_accuracy", json_real(metrics_percent(&e->metrics, e->metrics.top1) / 100));
    json_object_set_new(j, "mean_iou", json_real(evaluation_score(e) / 100));
    json_object_set_new(j, "iou", iou);
}

static void add_picture_json(json_t *j, const Metrics *m) {
    json_object_set_new(j, "top1", json_real(metrics_percent(m, m->top1) / 100));
    json_object_set_new(j, "top5", json_real(metrics_percent(m, m->top5) / 100));
    json_object_set_new(j, "top1_interval", json_real(metrics_interval(m, m->top1) / 100));
}

/* Shares as parts of 1; of maps, "iou" has null for a class that is nowhere. */
static json_t *as_json(const Context *c, const Evaluation *e) {
    const Metrics *m = &e->metrics;
    json_t *j = json_pack("{s:s, s:i, s:I, s:I}", "net", c->model->name, "crops", 1, "pictures",
                          (json_int_t)m->pictures, "skipped", (json_int_t)e->skipped);
    if (e->overlap)
        add_map_json(j, e);
    else
        add_picture_json(j, m);
    json_object_set_new(j, "loss", json_real(metrics_loss(m)));
    json_object_set_new(j, "seconds", json_real(e->seconds));
    return j;
}

/* The result, and whether the net keeps what its file requires of pictures. */
static void print(const Context *c, const Options *o, const Evaluation *e, const json_t *labels, RtError *err) {
    const Metrics *m = &e->metrics;
    EvalSettings settings;
    const Measured measured[] = {{"top1", metrics_percent(m, m->top1) / 100}, {"top5", metrics_percent(m, m->top5) / 100}};
    if (!eval_settings(c->model, &settings, err)) return;
    json_t *j = o->json ? as_json(c, e) : NULL;
    if (!j) print_text(c, e, settings.metrics, labels);
    require_check(c->model, measured, e->overlap ? 0 : 2, j, err);
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
static void report(const Context *c, const Options *o, const Evaluation *e, const json_t *labels, RtError *err) {
    if (!e->metrics.pictures)
        rt_fail(err, RT_DATA, "not one picture could be read");
    else if (!(metrics_loss(&e->metrics) < 1e30))
        rt_fail(err, RT_NOT_FINITE, "the net's scores are not finite");
    else
        print(c, o, e, labels, err);
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
    if (ok) report(c, o, &e, labels, err);
    evaluator_free(evaluator);
    dataset_free(data);
    json_decref(labels);
    pool_free(pool);
    return err->code;
}
