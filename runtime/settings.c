#include "settings.h"

#include <stdlib.h>
#include <string.h>

#include "augment.h"
#include "fields.h"
#include "metrics.h"
#include "pool.h"
#include "rundir.h"
#include "step.h"

static bool parse_globs(Globs *g, const json_t *list, RtError *err) {
    size_t n = json_array_size(list);
    g->glob = rt_alloc(n, sizeof *g->glob, err);
    for (size_t i = 0; g->glob && i < n; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (!text)
            rt_fail(err, RT_INTERNAL, "train.init: \"except\" is not a list of texts");
        else
            g->glob[g->n++] = text;
    }
    return !err->code;
}

static void parse_init(TrainSettings *s, const json_t *train, RtError *err) {
    const json_t *init = json_object_get(train, "init");
    if (!json_is_object(init)) return;
    s->init_path = field_text(init, "path", "train.init", err);
    parse_globs(&s->init_except, json_object_get(init, "except"), err);
}

static void parse_clip(TrainSettings *s, const json_t *train, RtError *err) {
    const json_t *clip = json_object_get(train, "clip");
    if (!json_is_object(clip)) return;
    bool norm = strcmp(field_text(clip, "call", "train.clip", err), "norm") == 0;
    s->clip = norm ? CLIP_NORM : CLIP_VALUE;
    s->clip_limit = field_number(clip, "limit", "train.clip", err);
    if (!(s->clip_limit > 0)) rt_fail(err, RT_INTERNAL, "train.clip: the limit is not above 0");
}

static void parse_checkpoint(const Model *m, TrainSettings *s, const json_t *train, RtError *err) {
    const json_t *checkpoint = json_object_get(train, "checkpoint");
    const char *best = json_string_value(json_object_get(checkpoint, "best"));
    s->checkpoint = quantity_parse(json_object_get(checkpoint, "time"), "train.checkpoint", err);
    s->keep = (int)field_int_or(checkpoint, "keep", 1, 1, CHECKPOINTS_MOST, "train.checkpoint", err);
    s->best = program_scores(&m->infer)->plane > 1 ? MEASURE_MEAN_IOU : MEASURE_TOP1;
    if (best && !measure_find(best, &s->best)) rt_fail(err, RT_INTERNAL, "train.checkpoint: `%s` is no measure", best);
}

bool train_settings(const Model *m, TrainSettings *s, RtError *err) {
    const json_t *j = model_section(m, "train");
    *s = (TrainSettings){.batch = 1};
    if (!m->train.present || !j) {
        rt_fail(err, RT_USAGE, "this program cannot train: %s has no train section with a loss", m->file);
        return false;
    }
    s->batch = (int)field_int(j, "batch", 1, 1 << 20, "train", err);
    s->accumulate = (int)field_int_or(j, "accumulate", 1, 1, 1 << 20, "train", err);
    parse_clip(s, j, err);
    s->lr = field_array(j, "lr", "train", err);
    s->stop = quantity_parse(json_object_get(j, "stop"), "train.stop", err);
    s->evaluate = quantity_parse(json_object_get(j, "evaluate"), "train.evaluate", err);
    parse_checkpoint(m, s, j, err);
    s->seed = (uint64_t)field_int_or(j, "seed", 1, 0, INT64_MAX, "train", err);
    s->max_memory = field_int_or(j, "max_memory", 0, 1, INT64_MAX, "train", err);
    s->drop_last = field_bool_or(j, "drop_last", true, "train", err);
    parse_init(s, j, err);
    return !err->code;
}

void train_settings_free(TrainSettings *s) {
    free(s->init_except.glob);
    s->init_except = (Globs){0};
}

/* [h, w], or what the net was written for. */
static const ModelProgram *program_for(const Model *m, const char *name, const json_t *size, RtError *err) {
    int32_t width = m->width, height = m->height;
    if (size && !step_parse_size(size, name, &width, &height, err)) return NULL;
    return model_program(m, name, height, width, err);
}

int64_t train_at_once(const Model *m, int64_t batch) {
    return m->train.at_once && m->train.at_once < batch ? m->train.at_once : batch;
}

bool train_sizes(const Model *m, TrainSizes *s, RtError *err) {
    const json_t *list = pipeline_sizes(model_section(m, "augment"));
    size_t n = json_array_size(list);
    *s = (TrainSizes){0};
    if (n > TRAIN_SIZES) return !rt_fail(err, RT_INTERNAL, "augment: more than %d sizes", TRAIN_SIZES);
    do s->program[s->n] = program_for(m, "train", json_array_get(list, (size_t)s->n), err);
    while (!err->code && ++s->n < (int)n);
    return !err->code;
}

bool data_settings(const Model *m, DataSettings *s, RtError *err) {
    enum { PREFETCH_MOST = 1024 };
    const json_t *j = model_section(m, "data");
    s->train = json_object_get(j, "train");
    s->val = json_object_get(j, "val");
    s->test = json_object_get(j, "test");
    s->on_error = json_object_get(j, "on_error");
    const char *sampling = json_string_value(json_object_get(j, "sampling"));
    s->balanced = sampling && strcmp(sampling, "class_balanced") == 0;
    s->workers = (int)field_int_or(j, "workers", 0, 0, POOL_MAX_THREADS, "data", err);
    s->prefetch = (int)field_int_or(j, "prefetch", CNNC_PREFETCH, 1, PREFETCH_MOST, "data", err);
    return !err->code;
}

bool eval_settings(const Model *m, EvalSettings *s, RtError *err) {
    const json_t *j = model_section(m, "eval");
    s->program = program_for(m, "infer", json_object_get(j, "size"), err);
    if (!s->program) return false;
    s->batch = (int)field_int_or(j, "batch", cnnc_eval_pictures(s->program->batch_bytes), 1, 1 << 20, "eval", err);
    s->metrics = json_object_get(j, "metrics");
    s->save_predictions = json_string_value(json_object_get(j, "save_predictions"));
    s->crops = (int)field_int_or(j, "crops", 1, 1, PIPELINE_CROPS, "eval", err);
    if (s->crops != 1 && s->crops != PIPELINE_CROPS) rt_fail(err, RT_INTERNAL, "eval: `crops` is neither 1 nor 10");
    if (s->batch > m->max_batch) s->batch = (int)m->max_batch;
    return !err->code;
}

json_t *eval_input(const Model *m) {
    static const char *const keys[] = {"size", "resize", "crop"};
    json_t *input = json_copy((json_t *)(uintptr_t)model_input_settings(m));
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        json_t *value = json_object_get(model_section(m, "eval"), keys[i]);
        if (value) json_object_set(input, keys[i], value);
    }
    return input;
}

/* A word stands there itself, or as a call if it has parameters. */
static const json_t *find_metric(const EvalSettings *s, const char *word) {
    for (size_t i = 0; i < json_array_size(s->metrics); i++) {
        const json_t *item = json_array_get(s->metrics, i);
        const char *text = json_string_value(json_is_object(item) ? json_object_get(item, "call") : item);
        if (text && strcmp(text, word) == 0) return item;
    }
    return NULL;
}

bool eval_wants(const EvalSettings *s, const char *word) { return find_metric(s, word) != NULL; }

int eval_bins(const EvalSettings *s, RtError *err) {
    const json_t *calibration = find_metric(s, "calibration");
    return calibration ? (int)field_int(calibration, "bins", 1, CALIBRATION_MOST, "eval.metrics", err) : 0;
}
