#include "source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool is_folder(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The names to try in order, for each use. */
static const char *const names[][2] = {
    [SOURCE_TRAIN] = {"train", NULL}, [SOURCE_VALIDATE] = {"val", "test"}, [SOURCE_TEST] = {"test", "val"}};

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
    return use == SOURCE_TEST ? dataset_folder(folder, err) : NULL;
}

static Dataset *open_settings(const Model *m, SourceUse use, RtError *err) {
    DataSettings s;
    if (!data_settings(m, &s, err)) return NULL;
    const json_t *first = use == SOURCE_TRAIN ? s.train : use == SOURCE_VALIDATE ? s.val : s.test;
    const json_t *second = use == SOURCE_TRAIN ? NULL : use == SOURCE_VALIDATE ? s.test : s.val;
    const json_t *source = first ? first : second;
    return source ? dataset_new(source, NULL, err) : NULL;
}

Dataset *source_open(const Model *m, SourceUse use, const char *folder, RtError *err) {
    Dataset *d = folder ? open_folder(use, folder, err) : open_settings(m, use, err);
    if (!d || dataset_classes(d) == m->classes) return d;
    char *path = dataset_path(d, 0, NULL);
    rt_fail(err, RT_DATA, "the data have %d classes, net %s has %d outputs; the first picture is %s",
            dataset_classes(d), m->name, m->classes, path ? path : "?");
    free(path);
    dataset_free(d);
    return NULL;
}

static void name_skipped(void *context, size_t sample, const char *why) {
    (void)context, (void)sample;
    fprintf(stderr, "warning: left out: %s\n", why); /* `why` names the file */
}

bool source_config(const Model *m, const Dataset *data, const Pipeline *pipeline, int batch, int threads,
                   LoaderConfig *config, RtError *err) {
    DataSettings s;
    if (!data_settings(m, &s, err)) return false;
    *config = (LoaderConfig){.data = data,
                             .pipeline = pipeline,
                             .batch = batch,
                             .threads = s.workers ? s.workers : threads,
                             .prefetch = s.prefetch,
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

bool source_check_labels(const Dataset *data, const json_t *labels, RtError *err) {
    size_t n = json_array_size(labels);
    if (!n) return true;
    const char **name = rt_alloc(n, sizeof *name, err);
    for (size_t i = 0; name && i < n; i++) name[i] = json_string_value(json_array_get(labels, i));
    bool same = name && dataset_same_classes(data, name, n, err);
    free(name);
    return same;
}
