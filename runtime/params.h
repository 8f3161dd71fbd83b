/* Which parameters a command works with. */
#ifndef CNNC_RUNTIME_PARAMS_H
#define CNNC_RUNTIME_PARAMS_H

#include "cli.h"
#include "weights.h"

enum { PARAMS_SEED = 1 }; /* of initial values where nothing says another */

#define PARAMS_SUFFIX ".safetensors"

/* The path of one of this program's files: FOLDER/PROGRAM<suffix>, to be freed. */
char *params_path(const Context *c, const char *folder, const char *suffix, RtError *err);

/* Fills params, those that `use` needs, from `weights`, else from PROGRAM.safetensors in the current folder or beside the
 * program; RT_NO_INPUT if there is none. *labels (to be released; may be NULL) becomes the class names that came with them, or NULL. */
bool params_load(const Context *c, const char *weights, WeightsUse use, float *params, json_t **labels, RtError *err);

/* The same, where any values do, as for timing: if there is no file, initial values and a warning on stderr. */
bool params_load_any(const Context *c, const char *weights, WeightsUse use, Pool *pool, float *params, RtError *err);

/* The names of a text file, one for each class of the net, in their order (to be released). NULL: as labels_read, or
 * RT_DATA where their number is another or one is not UTF-8. */
json_t *params_labels(const Context *c, const char *path, RtError *err);

/* From one named file; `except` and `use` as weights_read. */
bool params_read(const Context *c, const char *path, const Globs *except, WeightsUse use, float *params, json_t **labels,
                 RtError *err);

#endif
