/* What a training shows while it runs: on a terminal one line that is drawn over, elsewhere a plain line now and then.
 * The lines that stay (an epoch, an evaluation) go to stdout, the one that moves to stderr. NO_COLOR is respected. */
#ifndef CNNC_RUNTIME_PROGRESS_H
#define CNNC_RUNTIME_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "metrics.h"

typedef struct Progress {
    bool terminal, colour;
    bool drawn;            /* a moving line is on the screen */
    double started, shown; /* seconds of rt_now */
} Progress;

void progress_start(Progress *p);

typedef struct ProgressTrain {
    int64_t epoch, epochs; /* epoch counts from 1; epochs 0: not known */
    int64_t done, all;     /* batches of this epoch */
    const Metrics *running;
    double lr;
    double norm;    /* of the gradients of the last step, before clipping; < 0: not known */
    double rate;    /* pictures a second */
    double waiting; /* part of the time spent waiting for pictures, 0..1 */
    double left;    /* seconds; < 0: not known */
} ProgressTrain;

/* Called after every step; shows something when it is time to. */
void progress_train(Progress *p, const ProgressTrain *t);
/* The line of a finished epoch, or of what there was of the last one, with its share. */
void progress_epoch(Progress *p, const ProgressTrain *t, double seconds);
void progress_evaluate(Progress *p, int64_t done, int64_t all);
/* Takes the moving line away, before something else is printed. */
void progress_clear(Progress *p);

#endif
