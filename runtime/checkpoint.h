/* The place in a training, and the file it is continued from.
 *
 * A checkpoint is a weight file (weights.h) with the optimiser's state and, in its metadata, the entry "training": this
 * struct as JSON. Together with the data it decides everything that comes after, bit for bit. */
#ifndef CNNC_RUNTIME_CHECKPOINT_H
#define CNNC_RUNTIME_CHECKPOINT_H

#include "metrics.h"
#include "schedule.h"
#include "weights.h"

typedef struct TrainState {
    int64_t step;         /* steps done */
    int64_t epoch, batch; /* the next batch */
    uint64_t seed;
    int64_t batch_size, accumulate;
    int64_t samples; /* in the data set; 0 for a replay */
    Measure measure; /* of evaluations, what says which is the best */
    double best;     /* the best of all of them; -1 before the first */
    bool evaluate;   /* an evaluation was due but was not finished */
    Metrics running; /* of the epoch so far */
    Plateau plateau;
} TrainState;

/* labels: JSON array of class names or NULL. */
bool checkpoint_write(const Model *m, const float *params, const float *state, const TrainState *at, json_t *labels,
                      const char *path, RtError *err);
/* Fills everything. RT_DATA if the file belongs to another net or to a training with another seed, batch or data set
 * than *at holds on entry. The best so far is forgotten where that was by another measure. */
bool checkpoint_read(const Model *m, float *params, float *state, TrainState *at, const char *path, RtError *err);

/* Metadata for weight files: "labels" and, if not negative, the measure of the last evaluation by its
 * name. To be released. */
json_t *checkpoint_metadata(json_t *labels, const TrainState *at, const char *name, double score);

#endif
