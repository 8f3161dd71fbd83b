/* Parameters of a net <-> a safetensors file.
 *
 * A file holds one F32 tensor a parameter, in logical form, and in its metadata what a reader should know: "net",
 * "labels" (a JSON list of class names), "input" (the input section as JSON), "options", "cnnc" (version) and what
 * training adds. A checkpoint is the same file with the optimiser's state and the place in the training besides. */
#ifndef CNNC_RUNTIME_WEIGHTS_H
#define CNNC_RUNTIME_WEIGHTS_H

#include "model.h"
#include "safetensors.h"

/* Names that a file does not have to hold or may hold otherwise: globs. */
typedef struct Globs {
    const char **glob;
    int n;
} Globs;

typedef enum WeightsUse { WEIGHTS_TO_TRAIN, WEIGHTS_TO_INFER } WeightsUse;

/* Fills params (storage form) from the file: with WEIGHTS_TO_INFER those that inference has, which lie
 * in the first infer.param_bytes; the others may lack and are not read. Every parameter must be in it with its shape (or one with equal first
 * extent and equal size), and every tensor of the file must be one of the net's parameters, also of those that
 * the program leaves out, or its state: otherwise
 * RT_DATA and a list of the differences; RT_DATA, too, if a pattern of `except` matches nothing on either side. Names that `except` (may be NULL) matches are left alone on both sides, and
 * PyTorch's "num_batches_tracked" in the file. NaN or
 * infinity: RT_NOT_FINITE. A wrong checksum: RT_DATA. On failure params may be partly filled. */
bool weights_read(const Model *m, const SafeFile *f, const Globs *except, WeightsUse use, float *params, RtError *err);
/* The optimiser's state of a checkpoint, with averages if the training keeps some: all of it is needed. */
bool weights_read_state(const Model *m, const SafeFile *f, float *state, RtError *err);

/* Writes the file atomically. state: the optimiser's goes in too; NULL: not. extra: metadata besides the fixed entries,
 * or NULL. A NaN or an infinity among the values: RT_NOT_FINITE, and the file stays as it was. */
bool weights_write(const Model *m, const float *params, const float *state, const char *path, json_t *extra,
                   RtError *err);

/* A number that parameters of other values, the first `bytes` of them, hardly share, the same for all layouts: FNV-1a over the words of the logical
 * form, Fowler, Noll, Vo, 1991. No protection against anybody. */
bool weights_digest(const Model *m, const float *params, int64_t bytes, uint64_t *digest, RtError *err);

/* The class names in a file's metadata, as a JSON array of Model.classes texts, to be released; NULL if it has none. */
json_t *weights_labels(const Model *m, const SafeFile *f);

#endif
