/* What the commands that only run `infer` share: threads, an instance with parameters in it, class names. */
#ifndef CNNC_RUNTIME_SESSION_H
#define CNNC_RUNTIME_SESSION_H

#include "cli.h"
#include "exec.h"

typedef struct InferSession {
    Pool *pool;
    Exec *exec;
    json_t *labels; /* of --labels or the weight file, or NULL */
} InferSession;

/* Parameters as params_load finds them, labels those of --labels if it is given. max_n: largest batch. Close it after a
 * failure too. */
bool infer_open(InferSession *s, const Context *c, const Options *o, int64_t max_n, RtError *err);
/* With params_load_any, and no labels. */
bool infer_open_any(InferSession *s, const Context *c, const Options *o, int64_t max_n, RtError *err);
void infer_close(InferSession *s);
/* The name of a class: its label, else "class N" written to room[32]. */
const char *infer_label(const InferSession *s, int index, char room[32]);

#endif
