#include "params.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "init.h"

char *params_path(const Context *c, const char *folder, const char *suffix, RtError *err) {
    size_t room = strlen(c->program) + strlen(suffix) + 1;
    char *name = rt_alloc(room, 1, err);
    if (!name) return NULL;
    snprintf(name, room, "%s%s", c->program, suffix);
    if (strcmp(folder, ".") == 0) return name;
    char *path = rt_join_path(folder, name, err);
    free(name);
    return path;
}

bool params_read(const Context *c, const char *path, const Globs *except, float *params, json_t **labels,
                 RtError *err) {
    SafeFile *f = safe_open(path, err);
    if (!f) return false;
    bool ok = weights_read(c->model, f, except, params, err);
    if (ok && labels) *labels = weights_labels(c->model, f);
    safe_close(f);
    return ok;
}

/* The default file that exists, to be freed; NULL if there is none. */
static char *find_default(const Context *c, RtError *err) {
    const char *folders[] = {".", c->folder};
    for (int i = 0; i < 2 && folders[i]; i++) {
        char *path = params_path(c, folders[i], PARAMS_SUFFIX, err);
        if (!path || access(path, F_OK) == 0) return path;
        free(path);
    }
    return NULL;
}

bool params_load(const Context *c, const char *weights, Pool *pool, float *params, json_t **labels, RtError *err) {
    if (labels) *labels = NULL;
    if (weights) return params_read(c, weights, NULL, params, labels, err);
    char *path = find_default(c, err);
    if (err->code) return false;
    if (!path) {
        fprintf(stderr, "%s: warning: no weights found: using initial (untrained) values; see --weights\n", c->program);
        return init_params(c->model, PARAMS_SEED, pool, params, err);
    }
    bool ok = params_read(c, path, NULL, params, labels, err);
    if (ok) fprintf(stderr, "%s: weights from %s\n", c->program, path);
    free(path);
    return ok;
}
