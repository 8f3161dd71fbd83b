#include "metrics.h"

#include <float.h>
#include <math.h>

int metrics_rank(const float *scores, int classes, int label) {
    int rank = 0;
    for (int i = 0; i < classes; i++) rank += i != label && !(scores[i] < scores[label]);
    return rank;
}

static double log_sum_exp(const float *x, int n, double *largest) {
    double most = x[0], sum = 0;
    for (int i = 1; i < n; i++) most = x[i] > most ? (double)x[i] : most;
    for (int i = 0; i < n; i++) sum += exp((double)x[i] - most);
    *largest = most;
    return log(sum);
}

double metrics_cross_entropy(const float *scores, int classes, int label, bool probabilities) {
    double largest;
    if (probabilities) return -log(fmax((double)scores[label], FLT_MIN));
    double rest = log_sum_exp(scores, classes, &largest);
    return largest + rest - (double)scores[label];
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
    return m->pictures ? 100 * (double)correct / (double)m->pictures : 0;
}

double metrics_interval(const Metrics *m, int64_t correct) {
    if (!m->pictures) return 0;
    double n = (double)m->pictures, p = (double)correct / n, z = 1.959964;
    return 100 * z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
}

void metrics_probabilities(const float *scores, int classes, bool probabilities, double *out) {
    double largest = 0, rest = probabilities ? 0 : log_sum_exp(scores, classes, &largest);
    for (int i = 0; i < classes; i++)
        out[i] = probabilities ? (double)scores[i] : exp((double)scores[i] - largest - rest);
}
