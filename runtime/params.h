/* Which parameters a command works with. */
#ifndef CNNC_RUNTIME_PARAMS_H
#define CNNC_RUNTIME_PARAMS_H

#include "cli.h"
#include "weights.h"

enum { PARAMS_SEED = 1 }; /* of initial values where nothing says another */

#define PARAMS_SUFFIX ".safetensors"

/* The path of one of this program's files: FOLDER/PROGRAM<suffix>, to be freed. */
char *params_path(const Context *c, const char *folder, const char *suffix, RtError *err);

/* Fills params from `weights`, else from PROGRAM.safetensors in the current folder or beside the program, else with
 * initial values and a warning on stderr. *labels (to be released; may be NULL) becomes the class names that came with
 * them, or NULL. */
bool params_load(const Context *c, const char *weights, Pool *pool, float *params, json_t **labels, RtError *err);

/* From one named file; `except` as weights_read. */
bool params_read(const Context *c, const char *path, const Globs *except, float *params, json_t **labels, RtError *err);

#endif
