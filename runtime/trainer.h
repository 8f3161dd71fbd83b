/* One training: parameters, the optimiser's state, the train program, and steps on batches. Where batches come from and
 * when to evaluate or save is for the callers (train.c, replay.c). */
#ifndef CNNC_RUNTIME_TRAINER_H
#define CNNC_RUNTIME_TRAINER_H

#include "checkpoint.h"
#include "cli.h"
#include "exec.h"
#include "gradients.h"
#include "settings.h"

typedef struct Trainer {
    const Context *context;
    const Model *model;
    Pool *pool;
    TrainSettings settings;
    Schedule *schedule; /* set by trainer_schedule */
    int64_t total;      /* steps of the whole training, which the schedule goes by; -1: not known */
    int64_t last;       /* the step this run ends with: total, or --steps if that is earlier; -1: not known */
    int batch;
    int64_t at_once; /* pictures of it in one run of the program */
    float *params, *state, *average; /* average: of the parameters, in the state; NULL: none */
    Exec *exec;
    TrainSizes sizes;
    Gradients gradients; /* of a program that keeps them until the updates */
    int calls, batches;  /* of the step that is under way: runs of the program, and what they came from */
    int64_t pictures;
    double loss_sum;     /* over these */
    double mean_loss;    /* of the last step */
    double norm;         /* of the last step's gradients, before they were clipped; < 0: not asked for */
    const ModelProgram *program;      /* of the size in use */
    const ModelOutput *loss, *logits; /* of this */
    float *scores;                    /* [channels * plane] of the logits of one picture */
    int32_t *map;                     /* [plane], if that is more than 1 */
    int32_t *partners;                /* [batch], of mixed pictures */
    float *shares;
    TrainState at;
} Trainer;

/* Takes everything a training needs but data, schedule and initial values. by_sizes: pictures are of the sizes that
 * settings.augment names, the first of them is in use; else of the input's size. */
bool trainer_open(Trainer *t, const Context *c, const Options *o, bool by_sizes, RtError *err);
/* The pictures of the steps from now on have size k of `sizes`. */
void trainer_use(Trainer *t, int k);
void trainer_close(Trainer *t);
/* Works out `total`, `last` and the learning rates. */
bool trainer_schedule(Trainer *t, const Options *o, int64_t steps_per_epoch, RtError *err);
/* Initial values, or the weights of --weights or settings.train.init. */
bool trainer_initialise(Trainer *t, const Options *o, RtError *err);

double trainer_lr(const Trainer *t); /* of the next step */
/* A batch of n <= t->batch pictures for the step under way. images, labels: see exec_run; labels of pictures must lie
 * in 0..classes-1, those of pixels may be below 0: no class. */
void trainer_add(Trainer *t, int n, const float *images, const int32_t *labels);
/* How many pictures a whole step has. */
int64_t trainer_pictures(const Trainer *t);
/* Does the step have its batches? */
bool trainer_due(const Trainer *t);
/* Ends a step of at least one batch: mean_loss and norm become the step's; at.step and at.running go on. RT_NOT_FINITE
 * if the loss is not finite, or the norm of gradients that are to be clipped by it. */
bool trainer_step(Trainer *t, RtError *err);

/* Before trainer_add of pictures that are mixed: for each of n the label of the other picture, and what its own counts,
 * 0 .. 1. For that batch only, in which the larger one is the label that top-1 goes by. */
void trainer_mix(Trainer *t, int n, const int32_t *partners, const float *shares);

/* What the training makes: the parameters, or their averages with settings.train.ema. To be evaluated and saved. */
const float *trainer_result(const Trainer *t);

#endif
