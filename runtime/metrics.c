#include "metrics.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int metrics_rank(const float *scores, int classes, int label) {
    int rank = 0;
    for (int i = 0; i < classes; i++) rank += i != label && !(scores[i] < scores[label]);
    return rank;
}

/* The numbers are `step` apart. */
static double log_sum_exp(const float *x, int n, int64_t step, double *largest) {
    double most = x[0], sum = 0;
    for (int i = 1; i < n; i++) most = x[i * step] > most ? (double)x[i * step] : most;
    for (int i = 0; i < n; i++) sum += exp((double)x[i * step] - most);
    *largest = most;
    return log(sum);
}

static double cross_entropy(const float *scores, int classes, int64_t step, int label, bool probabilities) {
    double largest, own = (double)scores[label * step];
    if (probabilities) return -log(own < FLT_MIN ? FLT_MIN : own); /* a NaN stays one */
    double rest = log_sum_exp(scores, classes, step, &largest);
    return largest + rest - own;
}

double metrics_cross_entropy(const float *scores, int classes, int label, bool probabilities) {
    return cross_entropy(scores, classes, 1, label, probabilities);
}

void metrics_add(Metrics *m, const float *scores, int classes, int label, double loss) {
    int rank = metrics_rank(scores, classes, label);
    m->pictures++;
    m->top1 += rank < 1;
    m->top5 += rank < 5;
    m->loss += loss;
}

double metrics_loss(const Metrics *m) { return m->pictures ? m->loss / (double)m->pictures : 0; }

double metrics_percent(const Metrics *m, int64_t correct) {
    int64_t all = m->pixels ? m->pixels : m->pictures;
    return all ? 100 * (double)correct / (double)all : 0;
}

double metrics_interval(const Metrics *m, int64_t correct) {
    if (!m->pictures) return 0;
    double n = (double)m->pictures, p = (double)correct / n, z = 1.959964;
    return 100 * z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
}

/* ---- maps ---- */

bool overlap_new(Overlap *o, int classes, RtError *err) {
    *o = (Overlap){.classes = classes, .both = rt_alloc(3 * (size_t)classes, sizeof *o->both, err)};
    o->labelled = o->both + classes;
    o->mapped = o->labelled + classes;
    return o->both != NULL;
}

void overlap_free(Overlap *o) {
    free(o->both);
    *o = (Overlap){0};
}

void overlap_clear(Overlap *o) { memset(o->both, 0, 3 * (size_t)o->classes * sizeof *o->both); }

double overlap_iou(const Overlap *o, int class) {
    int64_t either = o->labelled[class] + o->mapped[class] - o->both[class];
    return either ? (double)o->both[class] / (double)either : -1;
}

double overlap_mean(const Overlap *o) {
    double sum = 0;
    int n = 0;
    for (int c = 0; c < o->classes; c++) {
        double iou = overlap_iou(o, c);
        if (iou >= 0) sum += iou, n++;
    }
    return n ? sum / n : 0;
}

void metrics_map(const float *scores, int classes, int64_t plane, int32_t *map) {
    for (int64_t i = 0; i < plane; i++) {
        int best = 0;
        for (int c = 1; c < classes; c++)
            if (scores[c * plane + i] > scores[best * plane + i]) best = c;
        map[i] = best;
    }
}

void metrics_add_map(Metrics *m, Overlap *o, const int32_t *map, const int32_t *labels, int64_t plane, double loss) {
    m->pictures++;
    m->loss += loss;
    for (int64_t i = 0; i < plane; i++) {
        if (labels[i] < 0) continue;
        m->pixels++;
        m->top1 += map[i] == labels[i];
        if (!o) continue;
        o->both[map[i]] += map[i] == labels[i];
        o->labelled[labels[i]]++;
        o->mapped[map[i]]++;
    }
}

double metrics_map_loss(const float *scores, int classes, int64_t plane, const int32_t *labels, bool probabilities) {
    double sum = 0;
    int64_t n = 0;
    for (int64_t i = 0; i < plane; i++) {
        if (labels[i] < 0) continue;
        sum += cross_entropy(scores + i, classes, plane, labels[i], probabilities);
        n++;
    }
    return n ? sum / (double)n : 0;
}

void metrics_probabilities(const float *scores, int classes, bool probabilities, double *out) {
    double largest = 0, rest = probabilities ? 0 : log_sum_exp(scores, classes, 1, &largest);
    for (int i = 0; i < classes; i++)
        out[i] = probabilities ? (double)scores[i] : exp((double)scores[i] - largest - rest);
}

/* ---- confusion ---- */

bool confusion_new(Confusion *c, int classes, RtError *err) {
    *c = (Confusion){.classes = classes};
    if (classes > CONFUSION_CLASSES)
        return !rt_fail(err, RT_LIMIT, "eval.metrics: confusion and per_class are for at most %d classes, not %d",
                        CONFUSION_CLASSES, classes);
    c->count = rt_alloc((size_t)classes * (size_t)classes, sizeof *c->count, err);
    return c->count != NULL;
}

void confusion_free(Confusion *c) {
    free(c->count);
    *c = (Confusion){0};
}

void confusion_clear(Confusion *c) { memset(c->count, 0, (size_t)c->classes * (size_t)c->classes * sizeof *c->count); }

static int64_t cell(const Confusion *c, int label, int taken) { return c->count[(size_t)label * (size_t)c->classes + (size_t)taken]; }

void confusion_add(Confusion *c, const float *scores, int label) {
    int best = 0;
    for (int i = 1; i < c->classes; i++)
        if (scores[i] > scores[best]) best = i;
    c->count[(size_t)label * (size_t)c->classes + (size_t)best]++;
}

int64_t confusion_pictures(const Confusion *c, int class) {
    int64_t sum = 0;
    for (int i = 0; i < c->classes; i++) sum += cell(c, class, i);
    return sum;
}

static double share(int64_t part, int64_t all) { return all ? (double)part / (double)all : -1; }

double confusion_recall(const Confusion *c, int class) { return share(cell(c, class, class), confusion_pictures(c, class)); }

double confusion_precision(const Confusion *c, int class) {
    int64_t taken = 0;
    for (int i = 0; i < c->classes; i++) taken += cell(c, i, class);
    return share(cell(c, class, class), taken);
}

/* ---- calibration ---- */

void calibration_add(Calibration *c, const double *probability, int classes, int label) {
    int best = 0;
    for (int i = 1; i < classes; i++)
        if (probability[i] > probability[best]) best = i;
    double p = probability[best];
    int bin = p > 0 ? (int)ceil(fmin(p, 1) * c->bins) - 1 : 0; /* also of what is no number */
    c->pictures[bin]++;
    c->right[bin] += best == label;
    c->sure[bin] += p;
}

double calibration_error(const Calibration *c) {
    double sum = 0;
    int64_t pictures = 0;
    for (int b = 0; b < c->bins; b++) {
        sum += fabs((double)c->right[b] - c->sure[b]);
        pictures += c->pictures[b];
    }
    return pictures ? sum / (double)pictures : 0;
}

/* ---- which is the best ---- */

static const char *const measure_table[N_MEASURES] = {
    [MEASURE_TOP1] = "top1", [MEASURE_TOP5] = "top5", [MEASURE_LOSS] = "loss", [MEASURE_MEAN_IOU] = "mean_iou"};

const char *measure_name(Measure m) { return measure_table[m]; }

bool measure_find(const char *name, Measure *m) {
    for (Measure i = 0; i < N_MEASURES; i++) {
        if (strcmp(measure_table[i], name) != 0) continue;
        *m = i;
        return true;
    }
    return false;
}

bool measure_better(Measure m, double value, double best) {
    return isfinite(value) && (best < 0 || (m == MEASURE_LOSS ? value < best : value > best));
}
