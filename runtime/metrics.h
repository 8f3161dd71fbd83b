/* Loss and accuracy over pictures.
 *
 * A tie is wrong: a label counts for top-k only if fewer than k classes have a score at least as large as its own. So a
 * net that gives every class the same score has accuracy 0, not whatever the order of the classes makes of it. */
#ifndef CNNC_RUNTIME_METRICS_H
#define CNNC_RUNTIME_METRICS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct Metrics {
    int64_t pictures, top1, top5;
    double loss; /* sum over pictures */
} Metrics;

/* How many classes score at least as much as `label`, itself not counted. A NaN scores as much as anything. */
int metrics_rank(const float *scores, int classes, int label);
/* -log of the label's probability. probabilities: the scores are, else they are logits. */
double metrics_cross_entropy(const float *scores, int classes, int label, bool probabilities);
void metrics_add(Metrics *m, const float *scores, int classes, int label, double loss);

double metrics_loss(const Metrics *m); /* mean; 0 for no pictures */
double metrics_percent(const Metrics *m, int64_t correct);
/* Half the width, in percent, of the 95 % interval of a share of correct ones (Wilson's, taken as symmetric). */
double metrics_interval(const Metrics *m, int64_t correct);

/* out[classes] = softmax of the scores, or the scores themselves if they are probabilities. */
void metrics_probabilities(const float *scores, int classes, bool probabilities, double *out);

#endif
