/* The learning rate of each step, from settings.train.lr (abi.h), and quantities with a unit.
 *
 * A schedule is a list of pieces in sequence. A piece runs for its "for"; the last one until the end of the training;
 * so all but the last need a "for". warmup(for, from) rises linearly from `from` to the first value of the piece after
 * it. A piece counts steps from its own start, t = 0, 1, ...; only multistep's `at` counts from the start of the
 * training, because that is how papers give it. L is the length of the piece in steps:
 *   constant   base
 *   step       base * gamma^floor(t / every)
 *   exp        base * gamma^(t / every)
 *   inv        base * (1 + gamma * t / every)^-power
 *   cyclic     base + (to - base) * gamma^floor(t / every) * (1 - |2 frac(t / every) - 1|)
 *   multistep  base * gamma^(how many of `at` are past)
 *   plateau    base * gamma^(how often the evaluations had not become better for `patience`; schedule_judge counts)
 *   poly       to + (base - to) * (1 - t/L)^power
 *   cosine     to + (base - to) * (1 + cos(pi t/L)) / 2
 *   linear     base + (to - base) * t/L
 *   warmup     from + (next - from) * t/L */
#ifndef CNNC_RUNTIME_SCHEDULE_H
#define CNNC_RUNTIME_SCHEDULE_H

#include <jansson.h>

#include "rt.h"

typedef enum Unit { UNIT_NONE, UNIT_STEPS, UNIT_EPOCHS, UNIT_SECONDS } Unit;

typedef struct Quantity {
    double value;
    Unit unit; /* UNIT_NONE: absent */
} Quantity;

/* {"value": 5, "unit": "epochs"}; steps and batches are the same. NULL gives an absent quantity. */
Quantity quantity_parse(const json_t *j, const char *where, RtError *err);
/* In steps, rounded to the nearest; 0 with RT_DATA for seconds, -1 for an absent one. */
int64_t quantity_steps(Quantity q, int64_t steps_per_epoch, const char *where, RtError *err);

typedef struct Schedule Schedule;

/* What the last plateau has seen. */
typedef struct Plateau {
    int64_t falls, since; /* since: the step of its best evaluation, or of its last fall */
    double best;          /* PLATEAU_NONE before the first evaluation */
} Plateau;
#define PLATEAU_NONE (-1e300)

/* lr: the list of pieces. total: steps of the whole training, or -1 if only time or a signal ends it; pieces that need
 * their length are an error then. */
Schedule *schedule_new(const json_t *lr, int64_t steps_per_epoch, int64_t total, RtError *err);
void schedule_free(Schedule *s);
/* The rate at step 0, 1, ...; after the last step it stays as it was at the end. */
double schedule_lr(const Schedule *s, int64_t step);

bool schedule_has_plateau(const Schedule *s);
/* Takes an evaluation after `step` steps into *p, which the schedule goes by from then on, if a plateau has begun and
 * not ended there: score is top-1 or the mean overlap, whichever is better if larger. True if the rate falls. */
bool schedule_judge(Schedule *s, Plateau *p, int64_t step, double score, double loss);
/* Goes by *p, of a checkpoint. */
void schedule_resume(Schedule *s, const Plateau *p);

#endif
