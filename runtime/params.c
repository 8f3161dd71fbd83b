#include "params.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "init.h"
#include "synsets.h"

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

bool params_read(const Context *c, const char *path, const Globs *except, WeightsUse use, float *params,
                 json_t **labels, RtError *err) {
    SafeFile *f = safe_open(path, err);
    if (!f) return false;
    bool ok = weights_read(c->model, f, except, use, params, err);
    if (ok && labels) *labels = weights_labels(c->model, f);
    safe_close(f);
    malloc_trim(0); /* what the file's head and slices took is of no use any more, and would count as the process's */
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

static bool read_default(const Context *c, const char *path, WeightsUse use, float *params, json_t **labels,
                         RtError *err) {
    bool ok = params_read(c, path, NULL, use, params, labels, err);
    if (ok) fprintf(stderr, "%s: weights from %s\n", c->program, path);
    return ok;
}

bool params_load(const Context *c, const char *weights, WeightsUse use, float *params, json_t **labels, RtError *err) {
    if (labels) *labels = NULL;
    if (weights) return params_read(c, weights, NULL, use, params, labels, err);
    char *path = find_default(c, err);
    bool ok = path && read_default(c, path, use, params, labels, err);
    if (!path)
        rt_fail(err, RT_NO_INPUT,
                "no weights: there is no %s%s here or beside the program; --weights FILE names others", c->program,
                PARAMS_SUFFIX);
    free(path);
    return ok;
}

bool params_load_any(const Context *c, const char *weights, WeightsUse use, Pool *pool, float *params, RtError *err) {
    char *path = weights ? NULL : find_default(c, err);
    bool ok = !err->code;
    if (ok && (weights || path)) {
        ok = params_load(c, weights, use, params, NULL, err);
    } else if (ok) {
        fprintf(stderr, "%s: warning: no weights found: using initial (untrained) values; see --weights\n", c->program);
        ok = init_params(c->model, PARAMS_SEED, pool, params,
                         use == WEIGHTS_TO_INFER ? c->model->infer.param_bytes : c->model->param_bytes, err);
    }
    free(path);
    return ok;
}

static void free_names(char **name, size_t n) {
    for (size_t i = 0; name && i < n; i++) free(name[i]);
    free(name);
}

json_t *params_labels(const Context *c, const char *path, RtError *err) {
    size_t n = 0;
    char **name = labels_read(path, &n, err);
    if (!name) return NULL;
    json_t *labels = NULL;
    if (n == (size_t)c->model->classes)
        labels = json_array();
    else
        rt_fail(err, RT_DATA, "%s: %zu names of classes, and net %s has %d outputs", path, n, c->model->name,
                c->model->classes);
    for (size_t i = 0; labels && i < n && !err->code; i++)
        if (json_array_append_new(labels, json_string(name[i])))
            rt_fail(err, RT_DATA, "%s:%zu: the name is not UTF-8 text", path, i + 1);
    free_names(name, n);
    if (!err->code) return labels;
    json_decref(labels);
    return NULL;
}
