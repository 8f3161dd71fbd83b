/* Loss and accuracy over pictures, or over the pixels of maps.
 *
 * A tie is wrong: a label counts for top-k only if fewer than k classes have a score at least as large as its own. So a
 * net that gives every class the same score has accuracy 0, not whatever the order of the classes makes of it. A pixel
 * of a map is of the class with the largest score, the first of equals; pixels with a label below 0 do not count. */
#ifndef CNNC_RUNTIME_METRICS_H
#define CNNC_RUNTIME_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "rt.h"

typedef struct Metrics {
    int64_t pictures, top1, top5;
    int64_t pixels; /* of maps: those with a label, of which top1 have the right class; else 0 */
    double loss;    /* sum over pictures, of maps of the mean over a picture's pixels */
} Metrics;

/* How the classes of maps overlap with those of their labels: pixels that have the class in both, in the labels, in the
 * map. */
typedef struct Overlap {
    int classes;
    int64_t *both, *labelled, *mapped; /* [classes] */
} Overlap;

bool overlap_new(Overlap *o, int classes, RtError *err);
void overlap_free(Overlap *o); /* also a zeroed one */
void overlap_clear(Overlap *o);
/* Intersection over union of a class, 0 .. 1; -1 if it is neither in a label nor in a map. The mean leaves these out. */
double overlap_iou(const Overlap *o, int class);
double overlap_mean(const Overlap *o);

/* How often pictures of one class were taken for another: the class with the largest score, the first of equals. */
typedef struct Confusion {
    int classes;
    int64_t *count; /* [classes of labels][classes of scores] */
} Confusion;

enum { CONFUSION_CLASSES = 4096 }; /* 128 MiB */

bool confusion_new(Confusion *c, int classes, RtError *err); /* RT_LIMIT with more than those */
void confusion_free(Confusion *c);                           /* also a zeroed one */
void confusion_clear(Confusion *c);
void confusion_add(Confusion *c, const float *scores, int label);
/* Pictures with that label; the share of them that was taken for it (recall), and the share of those taken for it that
 * have the label (precision), 0 .. 1; -1 if there are none. */
int64_t confusion_pictures(const Confusion *c, int class);
double confusion_recall(const Confusion *c, int class);
double confusion_precision(const Confusion *c, int class);

/* How sure a net is of the classes that it takes pictures for, and how often it is right: Guo, Pleiss, Sun, Weinberger,
 * "On calibration of modern neural networks", 2017. Bin b has the pictures whose largest probability is above b / bins
 * and at most (b + 1) / bins; sure: the sum of these. The class is that of the largest, the first of equals. */
enum { CALIBRATION_MOST = 1000 };
typedef struct Calibration {
    int bins; /* 1 .. CALIBRATION_MOST; the rest is 0 at the start */
    int64_t pictures[CALIBRATION_MOST], right[CALIBRATION_MOST];
    double sure[CALIBRATION_MOST];
} Calibration;

void calibration_add(Calibration *c, const double *probability, int classes, int label);
/* The expected calibration error, 0 .. 1: of each bin how far the share of right ones is from the mean probability,
 * weighted by its pictures. 0 without any. */
double calibration_error(const Calibration *c);

/* map[i] = the class of pixel i. scores: [classes][plane]. */
void metrics_map(const float *scores, int classes, int64_t plane, int32_t *map);
/* Counts a map and its labels; o may be NULL. */
void metrics_add_map(Metrics *m, Overlap *o, const int32_t *map, const int32_t *labels, int64_t plane, double loss);
/* Mean of metrics_cross_entropy over the pixels with a label; 0 without any. */
double metrics_map_loss(const float *scores, int classes, int64_t plane, const int32_t *labels, bool probabilities);

/* How many classes score at least as much as `label`, itself not counted. A NaN scores as much as anything. */
int metrics_rank(const float *scores, int classes, int label);
/* -log of the label's probability. probabilities: the scores are, else they are logits. */
double metrics_cross_entropy(const float *scores, int classes, int label, bool probabilities);
void metrics_add(Metrics *m, const float *scores, int classes, int label, double loss);

/* What says which of two evaluations is the better: the smaller loss, the larger of the others, in percent. */
typedef enum Measure { MEASURE_TOP1, MEASURE_TOP5, MEASURE_LOSS, MEASURE_MEAN_IOU, N_MEASURES } Measure;

const char *measure_name(Measure m);
bool measure_find(const char *name, Measure *m);
/* best: the one so far, below 0 before the first. What is not finite is never better. */
bool measure_better(Measure m, double value, double best);

double metrics_loss(const Metrics *m); /* mean; 0 for no pictures */
/* Of all pictures; of maps, of all pixels. */
double metrics_percent(const Metrics *m, int64_t correct);
/* Half the width, in percent, of the 95 % interval of a share of correct ones (Wilson's, taken as symmetric). */
double metrics_interval(const Metrics *m, int64_t correct);

/* out[classes] = softmax of the scores, or the scores themselves if they are probabilities. */
void metrics_probabilities(const float *scores, int classes, bool probabilities, double *out);

#endif
