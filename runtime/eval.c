/* The command `eval`: accuracy, of maps also how classes overlap, and loss on held-out pictures. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evaluate.h"
#include "params.h"
#include "predictions.h"
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

/* The name of a class; of one without a name its number. */
static void print_class(const json_t *labels, int class) {
    const char *label = json_string_value(json_array_get(labels, (size_t)class));
    if (label)
        rt_show(stdout, label);
    else
        printf("class %d", class);
}

static void print_part(double x) {
    if (x < 0)
        printf("       -    ");
    else
        printf("  %6.2f %%  ", 100 * x);
}

static void print_iou(const Evaluation *e, const json_t *labels) {
    printf("mean IoU       %6.2f %%\n", evaluation_score(e));
    for (int i = 0; i < e->overlap->classes; i++) {
        double iou = overlap_iou(e->overlap, i);
        print_part(iou);
        print_class(labels, i);
        printf("\n");
    }
}

static void print_per_class(const Evaluation *e, const json_t *labels) {
    printf("  recall      precision  pictures  class\n");
    for (int i = 0; i < e->confusion->classes; i++) {
        print_part(confusion_recall(e->confusion, i));
        print_part(confusion_precision(e->confusion, i));
        printf("%8lld  ", (long long)confusion_pictures(e->confusion, i));
        print_class(labels, i);
        printf("\n");
    }
}

/* The mistakes that were made most often: --json has all. */
static void print_confusion(const Evaluation *e, const json_t *labels) {
    enum { MOST = 20 };
    int64_t classes = e->confusion->classes, last = INT64_MAX, at = -1;
    for (int n = 0; n < MOST; n++) {
        int64_t best = 0, place = -1; /* the largest count behind (last, at) by count, then by place */
        for (int64_t i = 0; i < classes * classes; i++) {
            int64_t count = e->confusion->count[i];
            bool behind = count < last || (count == last && i > at);
            if (i / classes != i % classes && count > best && behind) best = count, place = i;
        }
        if (place < 0) return;
        last = best;
        at = place;
        printf("  %6lld  ", (long long)best);
        print_class(labels, (int)(place / classes));
        printf(" taken for ");
        print_class(labels, (int)(place % classes));
        printf("\n");
    }
}

static void print_calibration(const Evaluation *e, const json_t *labels) {
    (void)labels;
    printf("calibration error %6.2f %%\n", 100 * calibration_error(e->calibration));
}

/* ONE ROW PER WORD of eval.metrics; map: of nets that give a score for each pixel, else of those that do not; usual:
 * printed where no metrics are listed. */
static const struct {
    const char *word;
    bool map, usual;
    void (*print)(const Evaluation *e, const json_t *labels);
} metric_table[] = {
    {"top1", false, true, print_top1},
    {"top5", false, true, print_top5},
    {"per_class", false, false, print_per_class},
    {"confusion", false, false, print_confusion},
    {"calibration", false, false, print_calibration},
    {"pixel_accuracy", true, true, print_pixels},
    {"mean_iou", true, true, print_iou},
};

static void print_text(const Context *c, const Evaluation *e, const EvalSettings *s, const Dataset *data,
                       const json_t *labels) {
    const Metrics *m = &e->metrics;
    long long n = (long long)m->pictures;
    printf("net %s, %s, %lld pictures in %.1f s (%.1f img/s)", c->model->name, e->view, n, e->seconds,
           e->seconds > 0 ? (double)n / e->seconds : 0);
    if (e->skipped) printf(", %lld left out", (long long)e->skipped);
    printf("\n");
    source_show_absent(data);
    for (size_t i = 0; i < sizeof metric_table / sizeof metric_table[0]; i++)
        if (metric_table[i].map == (e->overlap != NULL) &&
            (s->metrics ? eval_wants(s, metric_table[i].word) : metric_table[i].usual))
            metric_table[i].print(e, labels);
    printf("loss  %.4f\n", metrics_loss(m));
}

static json_t *part_json(double x) { return x < 0 ? json_null() : json_real(x); }

static void add_map_json(json_t *j, const Evaluation *e) {
    json_t *iou = json_array();
    for (int i = 0; i < e->overlap->classes; i++) {
        double x = overlap_iou(e->overlap, i);
        json_array_append_new(iou, part_json(x));
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

/* A row for each class: what its pictures were taken for. */
static void add_confusion_json(json_t *j, const Confusion *c) {
    json_t *rows = json_array(), *each = json_array();
    for (int i = 0; i < c->classes; i++) {
        json_t *row = json_array();
        for (int k = 0; k < c->classes; k++) json_array_append_new(row, json_integer(c->count[i * (int64_t)c->classes + k]));
        json_array_append_new(rows, row);
        json_array_append_new(each, json_pack("{s:I, s:o, s:o}", "pictures", (json_int_t)confusion_pictures(c, i), "recall",
                                              part_json(confusion_recall(c, i)), "precision",
                                              part_json(confusion_precision(c, i))));
    }
    json_object_set_new(j, "per_class", each);
    json_object_set_new(j, "confusion", rows);
}

/* The error, and of each bin what it is made of. */
static void add_calibration_json(json_t *j, const Calibration *c) {
    json_t *bins = json_array();
    for (int b = 0; b < c->bins; b++) {
        double n = (double)c->pictures[b];
        json_array_append_new(bins, json_pack("{s:I, s:o, s:o}", "pictures", (json_int_t)c->pictures[b], "right",
                                              part_json(n > 0 ? (double)c->right[b] / n : -1), "probability",
                                              part_json(n > 0 ? c->sure[b] / n : -1)));
    }
    json_object_set_new(j, "calibration", json_real(calibration_error(c)));
    json_object_set_new(j, "calibration_bins", bins);
}

/* Shares as parts of 1; of maps, "iou" has null for a class that is nowhere. */
static json_t *as_json(const Context *c, const Evaluation *e, const Dataset *data, int crops) {
    const Metrics *m = &e->metrics;
    json_t *j = json_pack("{s:s, s:i, s:I, s:I}", "net", c->model->name, "crops", crops, "pictures",
                          (json_int_t)m->pictures, "skipped", (json_int_t)e->skipped);
    if (e->overlap)
        add_map_json(j, e);
    else
        add_picture_json(j, m);
    if (source_absent(data)) json_object_set_new(j, "classes_without_pictures", json_integer(source_absent(data)));
    if (e->calibration) add_calibration_json(j, e->calibration);
    if (e->confusion) add_confusion_json(j, e->confusion);
    json_object_set_new(j, "loss", json_real(metrics_loss(m)));
    json_object_set_new(j, "seconds", json_real(e->seconds));
    return j;
}

/* The result, and whether the net keeps what its file requires of pictures. */
static void print(const Context *c, const Options *o, const Evaluation *e, const Dataset *data, const json_t *labels,
                  RtError *err) {
    const Metrics *m = &e->metrics;
    EvalSettings settings;
    const Measured measured[] = {{"top1", metrics_percent(m, m->top1) / 100}, {"top5", metrics_percent(m, m->top5) / 100}};
    if (!eval_settings(c->model, &settings, err)) return;
    json_t *j = o->json ? as_json(c, e, data, settings.crops) : NULL;
    if (!j) print_text(c, e, &settings, data, labels);
    require_check(c->model, measured, e->overlap ? 0 : 2, j, err);
    if (!j) return;
    json_dumpf(j, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(j);
}

static Dataset *open_data(const Context *c, const Options *o, RtError *err) {
    Dataset *d = source_open(c->model, SOURCE_TEST, o->data, err);
    if (!d) rt_fail(err, RT_USAGE, "no pictures to evaluate on: %s names none; use --data DIR", c->model->file);
    return d;
}

/* A net whose loss or scores are not numbers has no accuracy that could be reported. */
static void report(const Context *c, const Options *o, const Evaluation *e, const Dataset *data, const json_t *labels,
                   RtError *err) {
    if (!e->metrics.pictures)
        rt_fail(err, RT_DATA, "not one picture could be read");
    else if (!(metrics_loss(&e->metrics) < 1e30))
        rt_fail(err, RT_NOT_FINITE, "the net's scores are not finite");
    else
        print(c, o, e, data, labels, err);
}

/* Opens the table that the file asks for, if it does. */
static bool open_predictions(const Context *c, const Dataset *data, Evaluator *evaluator, Predictions *p, RtError *err) {
    EvalSettings settings;
    if (!eval_settings(c->model, &settings, err)) return false;
    if (!settings.save_predictions) return true;
    evaluator_watch(evaluator, predictions_add, p);
    return predictions_open(p, settings.save_predictions, data, evaluator_gives_probabilities(evaluator), err);
}

int eval_command(const Context *c, const Options *o, RtError *err) {
    Evaluation e;
    Progress progress;
    Predictions predictions = {0};
    json_t *labels = NULL;
    int threads = pool_threads((int)o->threads, err);
    Pool *pool = threads ? pool_new(threads, err) : NULL;
    Dataset *data = pool ? open_data(c, o, err) : NULL;
    Evaluator *evaluator = data ? evaluator_new(c->model, c->kernel, pool, data, true, err) : NULL;
    progress_start(&progress);
    bool ok = evaluator && params_load(c, o->weights, WEIGHTS_TO_INFER, evaluator_params(evaluator), &labels, err) &&
              source_match_labels(c->model, data, labels, err) && open_predictions(c, data, evaluator, &predictions, err) &&
              evaluator_run(evaluator, NULL, show_progress, &progress, &e, err);
    progress_clear(&progress);
    ok = predictions_close(&predictions, ok, err) && ok;
    if (ok && !labels) labels = source_labels(data); /* weights that were never trained know none */
    if (ok) report(c, o, &e, data, labels, err);
    evaluator_free(evaluator);
    dataset_free(data);
    json_decref(labels);
    pool_free(pool);
    return err->code;
}
