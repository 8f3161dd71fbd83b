#include "session.h"

#include <stdio.h>

#include "params.h"

static bool make_instance(InferSession *s, const Context *c, const Options *o, int64_t max_n, RtError *err) {
    *s = (InferSession){.pool = NULL};
    int threads = pool_threads((int)o->threads, err);
    s->pool = threads ? pool_new(threads, err) : NULL;
    s->exec = s->pool ? exec_new(&c->model->infer, c->kernel, s->pool, NULL, NULL, max_n, err) : NULL;
    return s->exec != NULL;
}

bool infer_open(InferSession *s, const Context *c, const Options *o, int64_t max_n, RtError *err) {
    if (!make_instance(s, c, o, max_n, err) || !params_load(c, o->weights, WEIGHTS_TO_INFER, exec_params(s->exec), &s->labels, err))
        return false;
    if (!o->labels) return true;
    json_decref(s->labels);
    return (s->labels = params_labels(c, o->labels, err));
}

bool infer_open_any(InferSession *s, const Context *c, const Options *o, int64_t max_n, RtError *err) {
    return make_instance(s, c, o, max_n, err) && params_load_any(c, o->weights, WEIGHTS_TO_INFER, s->pool, exec_params(s->exec), err);
}

void infer_close(InferSession *s) {
    exec_free(s->exec);
    pool_free(s->pool);
    json_decref(s->labels);
}

const char *infer_label(const InferSession *s, int index, char room[32]) {
    const char *label = json_string_value(json_array_get(s->labels, (size_t)index));
    if (label) return label;
    snprintf(room, 32, "class %d", index);
    return room;
}
