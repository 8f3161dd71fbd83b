/* The settings that the commands need, from the JSON sections of abi.h, with the command line's changes on top. */
#ifndef CNNC_RUNTIME_SETTINGS_H
#define CNNC_RUNTIME_SETTINGS_H

#include "metrics.h"
#include "model.h"
#include "schedule.h"
#include "weights.h"

typedef enum Clip { CLIP_NONE, CLIP_NORM, CLIP_VALUE } Clip;

typedef struct TrainSettings {
    int batch; /* the largest that the train program was made for */
    int accumulate; /* batches in a step */
    int64_t max_memory; /* bytes; 0: not said */
    Clip clip;
    double clip_limit;
    const json_t *lr;
    Quantity stop, evaluate, checkpoint;
    int keep;      /* checkpoints */
    Measure best;  /* of evaluations: what says which weights are the best */
    uint64_t seed;
    bool drop_last;
    const char *init_path; /* start from these weights; NULL: from initial values */
    Globs init_except;     /* parameters that init_path does not have to hold */
} TrainSettings;

/* The programs that a training takes in turn, one for each size of settings.augment; the input's own where it names
 * none. */
enum { TRAIN_SIZES = 16 };
typedef struct TrainSizes {
    int n;
    const ModelProgram *program[TRAIN_SIZES];
} TrainSizes;

typedef struct DataSettings {
    const json_t *train, *val, *test; /* sources for dataset_new; NULL if absent */
    int workers, prefetch;
    bool balanced; /* training sees each class as often as the others */
    const json_t *on_error;
} DataSettings;

typedef struct EvalSettings {
    const ModelProgram *program; /* for the size of the pictures */
    int batch; /* never more than Model.max_batch */
    int crops;
    const json_t *metrics; /* words and calls; NULL: all that there are */
    const char *save_predictions; /* a path, or NULL */
} EvalSettings;

/* RT_USAGE, saying why, if the program cannot train; else RT_INTERNAL on a malformed section. Release with _free. */
bool train_settings(const Model *m, TrainSettings *s, RtError *err);
void train_settings_free(TrainSettings *s);
/* The most pictures of such a batch that a call of the training program takes. */
int64_t train_at_once(const Model *m, int64_t batch);
bool train_sizes(const Model *m, TrainSizes *s, RtError *err);
bool data_settings(const Model *m, DataSettings *s, RtError *err);
bool eval_settings(const Model *m, EvalSettings *s, RtError *err);
/* settings.input as it is for evaluation, where eval may name another size; to be released. */
json_t *eval_input(const Model *m);
/* Does eval.metrics list the word? */
bool eval_wants(const EvalSettings *s, const char *word);
/* Calibration's bins; 0: nobody asks for it. */
int eval_bins(const EvalSettings *s, RtError *err);

#endif
