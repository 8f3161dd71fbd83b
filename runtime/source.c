#include "source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fields.h"

static bool is_folder(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The names to try in order, for each use. */
static const char *const names[][2] = {
    [SOURCE_TRAIN] = {"train", NULL}, [SOURCE_VALIDATE] = {"val", "test"}, [SOURCE_TEST] = {"test", "val"}};

/* A folder that has nothing but a part to train on has no pictures to test on; with others, train may be a class. */
static Dataset *open_itself(const char *folder, RtError *err) {
    Dataset *d = dataset_folder(folder, err);
    char *train = d && dataset_classes(d) == 1 ? rt_join_path(folder, names[SOURCE_TRAIN][0], err) : NULL;
    if (train && is_folder(train)) rt_fail(err, RT_NO_INPUT, "%s has no folder \"test\" or \"val\"", folder);
    free(train);
    if (d && !err->code) return d;
    dataset_free(d);
    return NULL;
}

/* The first of the subfolders that exists, or the folder itself for evaluation; NULL without an error if there is none.
 */
static Dataset *open_folder(SourceUse use, const char *folder, RtError *err) {
    if (!is_folder(folder)) {
        rt_fail(err, RT_NO_INPUT, "cannot open %s: no such folder", folder);
        return NULL;
    }
    for (int i = 0; i < 2 && names[use][i]; i++) {
        char *path = rt_join_path(folder, names[use][i], err);
        Dataset *d = path && is_folder(path) ? dataset_folder(path, err) : NULL;
        free(path);
        if (d || err->code) return d;
    }
    if (use == SOURCE_TRAIN) rt_fail(err, RT_NO_INPUT, "%s has no folder \"train\"", folder);
    return use == SOURCE_TEST ? open_itself(folder, err) : NULL;
}

/* The source of that use in settings.data, or NULL; check err for why. */
static const json_t *find_source(const Model *m, SourceUse use, RtError *err) {
    DataSettings s;
    if (!data_settings(m, &s, err)) return NULL;
    const json_t *first = use == SOURCE_TRAIN ? s.train : use == SOURCE_VALIDATE ? s.val : s.test;
    const json_t *second = use == SOURCE_TRAIN ? NULL : use == SOURCE_VALIDATE ? s.test : s.val;
    return first ? first : second;
}

static bool names_masks(const json_t *source) {
    const char *call = json_string_value(json_object_get(source, "call"));
    return call && strcmp(call, "masks") == 0;
}

static Dataset *open_source(const Model *m, SourceUse use, const char *folder, RtError *err) {
    const json_t *source = find_source(m, use, err);
    if (err->code) return NULL;
    if (folder && !names_masks(source)) return open_folder(use, folder, err);
    return source ? dataset_new(source, folder, use == SOURCE_TRAIN, err) : NULL;
}

/* Settings that hold for whatever source it is. */
static bool prepare(const Model *m, Dataset *d, RtError *err) {
    const json_t *data = model_section(m, "data"), *labels = json_object_get(data, "labels");
    double share = field_number_or(data, "subset", 1, "data", err);
    return !err->code && dataset_subset(d, share, err) && (!json_is_object(labels) || dataset_name_classes(d, labels, err));
}

/* What was left of a source is not silently missing. */
static void warn_passed_over(const Dataset *d) {
    size_t n = dataset_passed_over(d);
    if (!n) return;
    char *path = dataset_path(d, 0, NULL);
    fprintf(stderr, "warning: data: %zu members of archives are links or devices and are passed over; the first picture is ",
            n);
    rt_show(stderr, path ? path : "?");
    fputc('\n', stderr);
    free(path);
}

/* With pixels, source_config says more. */
static bool same_number(const Model *m, const Dataset *d, const char *help, RtError *err) {
    int n = dataset_classes(d);
    if (dataset_has_masks(d, NULL) || program_scores(&m->infer)->plane > 1 || n == m->classes) return true;
    char *path = dataset_path(d, 0, NULL);
    rt_fail(err, RT_DATA, "the data have %d class%s, net %s has %d outputs; the first picture is %s%s%s", n, n == 1 ? "" : "es",
            m->name, m->classes, path ? path : "?",
            n < m->classes ? "; with `labels = file(...)` in `data`, classes may lack pictures" : "", n < m->classes ? help : "");
    free(path);
    return false;
}

Dataset *source_open(const Model *m, SourceUse use, const char *folder, RtError *err) {
    Dataset *d = open_source(m, use, folder, err);
    if (d) warn_passed_over(d);
    if (d && !prepare(m, d, err)) {
        dataset_free(d);
        return NULL;
    }
    if (!d || use != SOURCE_TRAIN || same_number(m, d, "", err)) return d;
    dataset_free(d);
    return NULL;
}

static void name_skipped(void *context, size_t sample, const char *why) {
    (void)context, (void)sample;
    fputs("warning: left out: ", stderr);
    rt_show(stderr, why); /* which names the file */
    fputc('\n', stderr);
}

/* Masks go with a number for each pixel, none of which lies outside of the picture. */
static bool find_form(const Model *m, const ModelOutput *scores, const Dataset *data, const Pipeline *pipeline, LabelForm *form,
                      RtError *err) {
    int32_t height = pipeline_height(pipeline), width = pipeline_width(pipeline);
    *form = (LabelForm){.classes = (int32_t)scores->channels};
    bool masks = dataset_has_masks(data, &form->ignore), map = scores->plane > 1;
    if (!map && !masks) return true;
    if (!masks)
        return !rt_fail(err, RT_DATA, "net %s has scores for each pixel, so its data are pictures with masks, "
                                      "train = masks(\"PICTURES\", \"MASKS\"), not a folder a class", m->name);
    if (!map)
        return !rt_fail(err, RT_DATA, "net %s has scores for a picture, not for its pixels, so masks do not go with it", m->name);
    if (scores->shape[1] > height || scores->shape[2] > width)
        return !rt_fail(err, RT_DATA, "net %s has scores for %lld x %lld pixels of pictures of %d x %d: no mask says them",
                        m->name, (long long)scores->shape[2], (long long)scores->shape[1], width, height);
    form->height = (int32_t)scores->shape[1];
    form->width = (int32_t)scores->shape[2];
    return true;
}

bool source_config(const Model *m, const ModelOutput *scores, const Dataset *data, const Pipeline *pipeline, int batch,
                   int threads, LoaderConfig *config, RtError *err) {
    DataSettings s;
    LabelForm form;
    if (!data_settings(m, &s, err) || !find_form(m, scores, data, pipeline, &form, err)) return false;
    *config = (LoaderConfig){.data = data,
                             .form = form,
                             .pipeline = pipeline,
                             .batch = batch,
                             .threads = s.workers ? s.workers : threads,
                             .prefetch = s.prefetch,
                             .balanced = s.balanced,
                             .on_skip = name_skipped};
    return loader_set_on_error(config, s.on_error, err);
}

json_t *source_labels(const Dataset *data) {
    json_t *labels = json_array();
    for (int32_t i = 0; i < dataset_classes(data); i++) {
        json_t *name = json_string(dataset_class_name(data, i));
        json_array_append_new(labels, name ? name : json_sprintf("class %d", i)); /* a name that is not UTF-8 */
    }
    return labels;
}

bool source_match_labels(const Model *m, Dataset *data, const json_t *labels, RtError *err) {
    size_t n = json_array_size(labels);
    if (dataset_has_masks(data, NULL)) return true;
    if (!n) return same_number(m, data, ", and so they may if the weights know the names: export --labels=FILE", err);
    const char **name = rt_alloc(n, sizeof *name, err);
    for (size_t i = 0; name && i < n; i++) name[i] = json_string_value(json_array_get(labels, i));
    bool good = name && dataset_match_classes(data, name, n, err);
    free(name);
    return good;
}

int32_t source_absent(const Dataset *data) {
    int32_t absent = 0;
    for (int32_t i = 0; i < dataset_classes(data); i++) absent += !dataset_has_class(data, i);
    return absent;
}

void source_show_absent(const Dataset *data) {
    enum { NAMED = 5 };
    int32_t absent = source_absent(data), named = 0;
    if (!absent) return;
    printf("no pictures of %d of the %d classes:", absent, dataset_classes(data));
    for (int32_t i = 0; i < dataset_classes(data) && named < NAMED; i++) {
        if (dataset_has_class(data, i)) continue;
        fputs(named++ ? ", " : " ", stdout);
        rt_show(stdout, dataset_class_name(data, i));
    }
    puts(absent > NAMED ? ", ..." : "");
}
