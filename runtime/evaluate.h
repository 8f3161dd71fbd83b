/* Accuracy, for maps the overlap of classes, and loss of some parameters on a data set. */
#ifndef CNNC_RUNTIME_EVALUATE_H
#define CNNC_RUNTIME_EVALUATE_H

#include <signal.h>

#include "exec.h"
#include "metrics.h"
#include "source.h"

typedef struct Evaluator Evaluator;

/* data must outlive it. Everything it needs besides the loader's threads and buffers is taken here. crops: of each
 * picture as many as eval.crops says, whose probabilities are averaged; else the middle. */
Evaluator *evaluator_new(const Model *m, CnncKernel *const *kernel, Pool *pool, const Dataset *data, bool crops,
                         RtError *err);
void evaluator_free(Evaluator *e);
/* Where parameters go in storage form before evaluator_run; they are used up by it (see abi.h on once-steps). */
float *evaluator_params(Evaluator *e);
/* Bytes of them: what only training has lies behind. */
int64_t evaluator_param_bytes(const Evaluator *e);

/* `seen` is told of each picture of the runs from now on that are not of maps: its number in the data set, its
 * scores, which are probabilities if evaluator_gives_probabilities. */
void evaluator_watch(Evaluator *e, void (*seen)(void *context, uint32_t sample, const float *scores), void *context);

bool evaluator_gives_probabilities(const Evaluator *e);

typedef struct Evaluation {
    Metrics metrics;
    const Overlap *overlap; /* of maps; valid until the next run. Else NULL */
    const Confusion *confusion; /* of pictures where eval.metrics asks for it; likewise */
    const Calibration *calibration; /* likewise */
    const char *view; /* what of each picture the net saw, for people */
    int64_t skipped;
    double seconds;
    bool stopped; /* *stop became non-zero; the figures are not complete */
} Evaluation;

/* What of two evaluations says which is the better: the mean of the classes' overlaps for maps, else top-1; in
 * percent. */
double evaluation_score(const Evaluation *e);
/* Another; MEASURE_MEAN_IOU is of maps, top-1 and top-5 are not. */
double evaluation_measure(const Evaluation *e, Measure m);

/* stop may be NULL. progress (may be NULL) is called after each batch with the number of pictures done and of all. */
bool evaluator_run(Evaluator *e, const volatile sig_atomic_t *stop,
                   void (*progress)(void *context, int64_t done, int64_t all), void *context, Evaluation *result,
                   RtError *err);

#endif
