/* Batches of an epoch, made ahead of their use by threads.
 *
 * Which pictures are in which batch, their order in it and their pixels are a function of (data set, pipeline, batch,
 * seed, epoch), not of the number of threads. Memory: prefetch + 1 batches, allocated at the start.
 *
 * Crops of a picture come one behind the other, and may be in two batches. One that has lost some counts as one bad
 * picture, and the others come nevertheless.
 *
 * A picture that cannot be read either ends the epoch (the error is the first such picture's in the order of the
 * batches) or is left out: its batch is then smaller, and batches with nothing left are passed over. More of them
 * than the part at_most of all samples end the epoch too. */
#ifndef CNNC_RUNTIME_LOADER_H
#define CNNC_RUNTIME_LOADER_H

#include "augment.h"
#include "dataset.h"

/* How pictures of one size are made. */
typedef struct LoaderSize {
    const Pipeline *pipeline;
    LabelForm form; /* of the labels, if the data have masks; else one label a picture */
} LoaderSize;

typedef struct LoaderConfig {
    const Dataset *data; /* these two must outlive the loader */
    const Pipeline *pipeline;
    Pipeline *const *crops; /* [n_crops], instead of pipeline, tensors of the same size: each picture is taken by each */
    int32_t n_crops;        /* of them in turn and is as many in the batches. 0: by pipeline */
    LabelForm form;   /* with pipeline */
    const LoaderSize *sizes; /* [n_sizes], instead of pipeline and form: each batch has one of these sizes, drawn from the */
    int32_t n_sizes;         /* stream of (seed, epoch, its number). 0: by pipeline */
    int32_t batch;    /* pictures, >= 1 */
    int32_t threads;  /* at most POOL_MAX_THREADS; 0: as many as the processors that this process may use */
    int32_t prefetch; /* batches, >= 1 */
    bool shuffle, drop_last;
    int32_t together; /* with drop_last: batches are left out unless so many are there to make a step; 0: one */
    bool balanced; /* with shuffle: each class as often as the others (dataset_balance) */
    uint64_t seed;
    uint32_t epoch;
    size_t first_batch; /* batches to pass over: to go on in the middle of an epoch */
    bool skip;          /* leave bad pictures out */
    double at_most;     /* at most this part of the samples; with skip */
    void (*on_skip)(void *context, size_t sample, const char *why); /* called by loader_next, in order; may be NULL */
    void *context;
} LoaderConfig;

/* Reads {"call": "fail"} or {"call": "skip", "at_most": x} into config; NULL means fail. */
bool loader_set_on_error(LoaderConfig *config, const json_t *on_error, RtError *err);

typedef struct Batch {
    int32_t n;         /* pictures, 1 .. config.batch */
    size_t number;     /* of this batch in the epoch, from 0 */
    int32_t size;      /* which of config.sizes its pictures have; else 0 */
    float *images;     /* [n][channels][height][width] */
    int32_t *labels;   /* [n], or [n][form.height][form.width] */
    uint32_t *samples; /* [n], numbers in the data set */
} Batch;

typedef struct Loader Loader;
Loader *loader_new(const LoaderConfig *config, RtError *err);

/* The next batch, valid until the next call; NULL at the end of the epoch (err->code stays RT_OK) or on an error. One
 * consumer. */
const Batch *loader_next(Loader *loader, RtError *err);

/* Stops the threads at their next picture and releases everything; at any time. NULL is allowed. */
void loader_free(Loader *loader);

size_t loader_batches(const Loader *loader); /* of the whole epoch, first_batch or not, bad pictures or not */
size_t loader_skipped(const Loader *loader); /* bad pictures so far */

/* Seconds that loader_next waited for pictures, and seconds since the loader was made: their ratio says what starves
 * what. */
double loader_waited(const Loader *loader);
double loader_elapsed(const Loader *loader);

#endif
