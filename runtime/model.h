/* The net as the runtime sees it: the JSON texts of abi.h, of the model and of one instruction set's plan, parsed once
 * and checked; as one JSON object from then on.
 *
 * Everything a later index or address is made of is checked here, so that the other files need not: kernel numbers,
 * regions, offsets, shapes, sizes. A broken text is our own bug (RT_INTERNAL), never the user's. All strings belong to
 * Model.json. */
#ifndef CNNC_RUNTIME_MODEL_H
#define CNNC_RUNTIME_MODEL_H

#include <jansson.h>

#include "abi.h"
#include "pack.h"
#include "rt.h"

typedef enum RegionId {
    RG_PARAM, RG_STATE, RG_GRADIENT, RG_FIXED, RG_BATCH, RG_IMAGE, RG_LABEL, RG_PARTNER, RG_SHARE, RG_SCALAR, RG_COUNT
} RegionId;

enum { MODEL_MAX_RANK = 4 };

typedef enum InitKind { INIT_CONSTANT, INIT_NORMAL, INIT_UNIFORM, INIT_HE, INIT_XAVIER, INIT_TORCH } InitKind;

typedef struct ModelParam {
    const char *name, *role; /* "weight", "buffer", "momentum", "gradient" */
    int rank;
    int64_t shape[MODEL_MAX_RANK];
    int file_rank; /* the shape written to weight files: the same unless the model says otherwise */
    int64_t file_shape[MODEL_MAX_RANK];
    Form form;
    int64_t offset, bytes; /* in its region */
    int64_t elements;      /* logical */
    InitKind init;
    double a, b;
    bool frozen;
    bool train; /* only training has it */
} ModelParam;

typedef struct ModelArg {
    RegionId region;
    int64_t offset; /* bytes; times n in RG_BATCH */
    int64_t stride; /* and so many more for each picture before the slice */
} ModelArg;

typedef struct ModelRange {
    int64_t offset, bytes;
} ModelRange;

typedef struct ModelStep {
    int32_t kernel, n_arg;
    ModelArg *arg;
    int64_t tasks;
    bool per_picture; /* tasks * n in all */
    bool along;       /* may run at the same time as the step before it, and as those that step runs along with */
    const char *layer, *what, *how; /* "" where the plan says nothing */
    int64_t macs; /* per picture */
    int line;
    int32_t n_release;
    ModelRange *release; /* whole pages of RG_PARAM that are not needed after this step */
} ModelStep;

typedef struct ModelOutput {
    const char *name;
    int64_t offset;          /* in RG_BATCH, times n */
    int64_t stride;          /* bytes from picture to picture */
    int64_t channels, plane; /* channels = shape[0] or 1; plane = the product of the others */
    int64_t block;           /* channels are stored in blocks of this many */
    int rank;
    int64_t shape[MODEL_MAX_RANK];
    bool softmax; /* its channels are probabilities */
} ModelOutput;

typedef struct ModelSlice {
    int begin, end;   /* steps */
    int64_t pictures; /* of each thread at a time; 0: all pictures of the call */
} ModelSlice;

typedef struct ModelProgram {
    const char *name; /* "infer" or "train" */
    bool present;
    int height, width;   /* of the pictures */
    int64_t param_bytes; /* of RG_PARAM, the first so many: what is behind is not of this program */
    int64_t batch_bytes; /* of RG_BATCH, per picture */
    int64_t fixed_bytes; /* of RG_FIXED */
    int64_t gradient_bytes; /* of RG_GRADIENT */
    int64_t scratch;     /* of one thread, while it works on a step */
    int64_t lower_bound; /* what any plan of RG_BATCH needs at least, per picture */
    int64_t once_bytes; /* of RG_PARAM and RG_FIXED, at most at a time during the once-steps; 0: all */
    int64_t released;   /* of RG_PARAM, by them together */
    int n_once, n_step;
    int update; /* the first of the steps that run once for all calls of a training step; n_step: there are none */
    int64_t at_once; /* of train: pictures in a call; 0: a batch */
    int n_slice;
    ModelSlice *slice;
    ModelStep *step;
    int n_output;
    ModelOutput *output;
    int64_t macs; /* of all steps, per picture */
} ModelProgram;

typedef struct ModelLayer {
    const char *name, *op;
    int rank;
    int64_t shape[MODEL_MAX_RANK];
    int64_t params, macs;
    int line;
} ModelLayer;

typedef struct Model {
    json_t *json;
    const char *name, *file, *source, *version;
    const json_t *options, *target, *settings; /* objects */
    int64_t max_batch;
    int channels, height, width; /* of the picture the net reads */
    int classes;                 /* channels of the scores */
    bool trains; /* the program can; whether `train` is there is for model_parse to say */
    int64_t params_total, macs_total;
    int n_layer;
    ModelLayer *layer;
    int64_t param_bytes, state_bytes;
    int n_param, n_state, n_gradient;
    ModelParam *param, *state, *gradient;
    const json_t *spare; /* names of parameters that the source has and the program has not; NULL: none */
    double ema;              /* settings.train.ema; below 0: none. Else, from state byte average_offset on, lies what looks */
    int64_t average_offset;  /* like the parameters: their averages, "<parameter>.ema" of the last n_param of `state` */
    ModelProgram infer, train; /* for pictures of `height` x `width` */
    int n_sized;
    ModelProgram *sized; /* for pictures of other sizes; two for each, of which one may not be present */
} Model;

/* Parses and checks the texts; the members of the others are added to the model's. training: NULL if nothing is to be
 * trained, which leaves `train` and its like absent. NULL with RT_INTERNAL on any fault; err is not NULL. */
Model *model_parse(const char *text, const char *plan, const char *training, int64_t n_kernel, RtError *err);
void model_free(Model *m);

/* Bytes of one f32 picture: channels * height * width * 4. */
int64_t model_image_bytes(const Model *m);
/* The same of one that the program takes. */
int64_t program_image_bytes(const Model *m, const ModelProgram *p);
/* The program "infer" or "train" for pictures of that size; NULL with RT_INTERNAL if there is none. */
const ModelProgram *model_program(const Model *m, const char *name, int height, int width, RtError *err);
/* How many trained numbers a weight file holds: params_total and what only training needs. */
int64_t model_weights(const Model *m);
/* The unnamed section of a kind ("data", "augment", "train", "eval"), or NULL. */
const json_t *model_section(const Model *m, const char *kind);
/* Whether a parameter lies in the first `bytes` of its region. */
static inline bool model_within(const ModelParam *p, int64_t bytes) { return p->offset + p->bytes <= bytes; }
/* All sections of a kind by name, or NULL. */
const json_t *model_sections(const Model *m, const char *kind);
/* From now on the section of that name is the one without a name; false if there is none. */
bool model_choose(const Model *m, const char *kind, const char *name);
/* settings.input: there is only one input, so it has no name. */
const json_t *model_input_settings(const Model *m);
/* Whether the scores of the net are probabilities: its last layer is a softmax. */
bool model_gives_probabilities(const Model *m);
/* The output of that name, or NULL. */
const ModelOutput *program_output(const ModelProgram *p, const char *name);
/* The output whose channels are the classes: "scores", else the first. */
const ModelOutput *program_scores(const ModelProgram *p);
/* Byte address, from the start of RG_BATCH, of element (picture, channel, position in the plane) when n pictures run.
 */
int64_t output_address(const ModelOutput *o, int64_t n, int64_t picture, int64_t channel, int64_t position);

#endif
