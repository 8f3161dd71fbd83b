/* The command `export`: the parameters as a weight file, for other programs. */
#include <stdio.h>
#include <stdlib.h>

#include "exec.h"
#include "init.h"
#include "params.h"

static json_t *labels_metadata(const json_t *labels) {
    json_t *extra = json_object();
    char *text = labels ? json_dumps(labels, JSON_COMPACT) : NULL;
    if (text) json_object_set_new(extra, "labels", json_string(text));
    free(text);
    return extra;
}

static bool fill(const Context *c, const Options *o, Pool *pool, float *params, json_t **labels, RtError *err) {
    uint64_t seed = o->seed >= 0 ? (uint64_t)o->seed : PARAMS_SEED;
    if (o->init && o->weights) return rt_fail(err, RT_USAGE, "--init and --weights exclude each other"), false;
    bool ok = o->init ? init_params(c->model, seed, pool, params, c->model->param_bytes, err)
                      : params_load(c, o->weights, WEIGHTS_TO_TRAIN, params, labels, err);
    if (!ok || !o->labels) return ok;
    json_decref(*labels);
    return (*labels = params_labels(c, o->labels, err));
}

int export_command(const Context *c, const Options *o, RtError *err) {
    json_t *labels = NULL;
    if (!o->output) return rt_fail(err, RT_USAGE, "export needs --output FILE");
    int threads = pool_threads((int)o->threads, err);
    Pool *pool = threads ? pool_new(threads, err) : NULL;
    float *params = pool ? block_alloc(c->model->param_bytes, err) : NULL;
    if (params && fill(c, o, pool, params, &labels, err)) {
        json_t *extra = labels_metadata(labels);
        if (weights_write(c->model, params, NULL, o->output, extra, err))
            printf("wrote %s: %d tensors, %lld parameters\n", o->output, c->model->n_param,
                   (long long)model_weights(c->model));
        json_decref(extra);
    }
    json_decref(labels);
    block_free(params);
    pool_free(pool);
    return err->code;
}
