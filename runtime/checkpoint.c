#include "checkpoint.h"

#include <stdlib.h>
#include <string.h>

#include "fields.h"

static const char training_key[] = "training";

static json_t *state_json(const TrainState *at) {
    const Metrics *r = &at->running;
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:f, s:b, s:I, s:I, s:I, s:I, s:f, s:I, s:I, s:f}", "step", (json_int_t)at->step,
                     "epoch", (json_int_t)at->epoch, "batch", (json_int_t)at->batch, "seed", (json_int_t)at->seed,
                     "batch_size", (json_int_t)at->batch_size, "accumulate", (json_int_t)at->accumulate,
                     "samples", (json_int_t)at->samples, "measure", measure_name(at->measure), "best", at->best,
                     "evaluate", (int)at->evaluate, "pictures", (json_int_t)r->pictures, "top1", (json_int_t)r->top1,
                     "top5", (json_int_t)r->top5, "pixels", (json_int_t)r->pixels, "loss", r->loss,
                     "falls", (json_int_t)at->plateau.falls, "since", (json_int_t)at->plateau.since, "plateau",
                     at->plateau.best);
}

static TrainState parse_state(const json_t *j, RtError *err) {
    static const char where[] = "the place in the training";
    const int64_t most = (int64_t)1 << 53;
    TrainState at = {0};
    at.step = field_int(j, "step", 0, most, where, err);
    at.epoch = field_int(j, "epoch", 0, INT32_MAX, where, err);
    at.batch = field_int(j, "batch", 0, most, where, err);
    at.seed = (uint64_t)field_int(j, "seed", 0, INT64_MAX, where, err);
    at.batch_size = field_int(j, "batch_size", 1, INT32_MAX, where, err);
    at.accumulate = field_int_or(j, "accumulate", 1, 1, INT32_MAX, where, err);
    at.samples = field_int(j, "samples", 0, most, where, err);
    at.best = field_number(j, "best", where, err);
    at.evaluate = field_bool_or(j, "evaluate", false, where, err);
    at.running.pictures = field_int(j, "pictures", 0, most, where, err);
    at.running.top1 = field_int(j, "top1", 0, most, where, err);
    at.running.top5 = field_int(j, "top5", 0, most, where, err);
    at.running.pixels = field_int_or(j, "pixels", 0, 0, most, where, err);
    at.running.loss = field_number(j, "loss", where, err);
    at.plateau.falls = field_int_or(j, "falls", 0, 0, most, where, err);
    at.plateau.since = field_int_or(j, "since", 0, 0, most, where, err);
    at.plateau.best = field_number_or(j, "plateau", PLATEAU_NONE, where, err);
    return at;
}

/* Of another measure, or of none that is known, nothing can be compared. */
static void keep_best(const json_t *j, Measure wanted, TrainState *at) {
    const char *name = json_string_value(json_object_get(j, "measure"));
    at->measure = wanted;
    if (name && strcmp(name, measure_name(wanted)) != 0) at->best = -1;
}

static void add_text(json_t *to, const char *key, const json_t *value) {
    char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;
    if (text) json_object_set_new(to, key, json_string(text));
    free(text);
}

json_t *checkpoint_metadata(json_t *labels, const TrainState *at, const char *name, double score) {
    json_t *j = json_object();
    if (json_array_size(labels)) add_text(j, "labels", labels);
    json_object_set_new(j, "steps", json_sprintf("%lld", (long long)at->step));
    json_object_set_new(j, "seed", json_sprintf("%llu", (unsigned long long)at->seed));
    if (score >= 0) json_object_set_new(j, name, json_sprintf("%.4f", score));
    return j;
}

bool checkpoint_write(const Model *m, const float *params, const float *state, const TrainState *at, json_t *labels,
                      const char *path, RtError *err) {
    json_t *extra = checkpoint_metadata(labels, at, "", -1), *place = state_json(at);
    add_text(extra, training_key, place);
    bool ok = weights_write(m, params, state, path, extra, err);
    json_decref(place);
    json_decref(extra);
    return ok;
}

static bool same(const char *what, int64_t file, int64_t now, const char *path, RtError *err) {
    if (file == now) return true;
    rt_fail(err, RT_DATA, "%s is of another training: its %s is %lld, here it is %lld", path, what, (long long)file,
            (long long)now);
    return false;
}

static bool read_state(const SafeFile *f, TrainState *at, RtError *err) {
    RtError why = {.code = RT_OK};
    const char *text = safe_metadata(f, training_key);
    json_t *j = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    TrainState found = parse_state(j, &why);
    keep_best(j, at->measure, &found);
    json_decref(j);
    if (why.code) {
        rt_fail(err, RT_DATA, "%s is not a checkpoint: %.200s", f->path, why.text);
        return false;
    }
    bool ok = same("seed", (int64_t)found.seed, (int64_t)at->seed, f->path, err) &&
              same("batch", found.batch_size, at->batch_size, f->path, err) &&
              same("accumulate", found.accumulate, at->accumulate, f->path, err) &&
              same("number of pictures", found.samples, at->samples, f->path, err);
    if (ok) *at = found;
    return ok;
}

bool checkpoint_read(const Model *m, float *params, float *state, TrainState *at, const char *path, RtError *err) {
    SafeFile *f = safe_open(path, err);
    if (!f) return false;
    RtError why = {.code = RT_OK};
    bool ok = read_state(f, at, err);
    if (ok && (!weights_read(m, f, NULL, WEIGHTS_TO_TRAIN, params, &why) || !weights_read_state(m, f, state, &why)))
        ok = !rt_fail(err, why.code, "%s%s", why.text,
                      why.code == RT_DATA ? "; a net that changed, or other `freeze` or `optimizer`, cannot go on from it" : "");
    safe_close(f);
    return ok;
}
