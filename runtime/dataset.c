#include "dataset.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fields.h"
#include "rng.h"
#include "shards.h"
#include "stored.h"
#include "synsets.h"

enum { DEPTH_LIMIT = 32, LINE_LIMIT = 8192 };

typedef struct Sample {
    size_t name; /* where its path within the class begins in `names`; its number where it is no file */
    int32_t label;
} Sample;

struct Dataset {
    char *root;
    char *masks; /* where the masks are, or NULL: a folder a class */
    int32_t ignore;
    char *list; /* the text whose paths, from `root` on or whole ones, are the names; NULL: they are from the class's folder on */
    Stored *stored; /* pictures that are no files, or NULL */
    Shards *shards; /* pictures in archives, or NULL */
    char **class_name;
    char **shown; /* what the classes are called, or NULL: as class_name */
    Sample *sample;
    char *names; /* texts one after the other: a million samples take few allocations */
    size_t n_classes, n_samples, names_size;
    size_t class_capacity, sample_capacity, names_capacity;
};

/* A folder being walked and those around it. A folder met again inside itself, by way of a link, is a loop. */
typedef struct Level {
    const struct Level *around;
    dev_t device;
    ino_t inode;
    int depth;
} Level;

/* ---- folders ---- */

static DIR *open_folder(int at, const char *name, const char *path, RtError *err) {
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (!folder) {
        rt_fail(err, RT_NO_INPUT, "%s: %m", path);
        if (fd >= 0) close(fd);
    }
    return folder;
}

/* The next name that does not begin with a dot, or NULL; check err for why. */
static const struct dirent *next_entry(DIR *folder, const char *path, RtError *err) {
    const struct dirent *entry;
    do {
        errno = 0;
        entry = readdir(folder);
    } while (entry && entry->d_name[0] == '.');
    if (!entry && errno) rt_fail(err, RT_NO_INPUT, "%s: %m", path);
    return entry;
}

typedef enum Kind { KIND_FILE, KIND_FOLDER, KIND_OTHER } Kind;

/* What a name stands for, links followed. A link to nothing counts as a file, so that reading it says what is wrong. */
static Kind kind_of(DIR *folder, const struct dirent *entry) {
    struct stat st;
    if (entry->d_type == DT_REG || entry->d_type == DT_DIR) return entry->d_type == DT_REG ? KIND_FILE : KIND_FOLDER;
    if (fstatat(dirfd(folder), entry->d_name, &st, 0)) return KIND_FILE;
    return S_ISREG(st.st_mode) ? KIND_FILE : S_ISDIR(st.st_mode) ? KIND_FOLDER : KIND_OTHER;
}

/* ---- samples ---- */

/* Adds prefix + name of the class that is being walked. */
static bool add_sample(Dataset *d, const char *prefix, const char *name, RtError *err) {
    size_t a = strlen(prefix), b = strlen(name) + 1;
    if (d->n_samples == UINT32_MAX) return !rt_fail(err, RT_LIMIT, "%s: more than %u files", d->root, UINT32_MAX);
    if (!rt_reserve(&d->names, &d->names_capacity, d->names_size + a + b, 1, err) ||
        !rt_reserve(&d->sample, &d->sample_capacity, d->n_samples + 1, sizeof *d->sample, err))
        return false;
    memcpy(d->names + d->names_size, prefix, a);
    memcpy(d->names + d->names_size + a, name, b);
    d->sample[d->n_samples++] = (Sample){d->names_size, (int32_t)d->n_classes - 1};
    d->names_size += a + b;
    return true;
}

static bool is_loop(const Level *level) {
    for (const Level *l = level->around; l; l = l->around)
        if (l->device == level->device && l->inode == level->inode) return true;
    return false;
}

static bool walk(Dataset *d, int at, const char *name, const char *path, const char *prefix, const Level *around,
                 RtError *err);

/* Walks the folder `name` in `folder`; its samples' paths begin with prefix/name/. */
static bool walk_inner(Dataset *d, DIR *folder, const char *name, const char *path, const char *prefix,
                       const Level *around, RtError *err) {
    char *inner_path = rt_join_path(path, name, err),
         *inner_prefix = rt_alloc(strlen(prefix) + strlen(name) + 2, 1, err);
    bool good = inner_path && inner_prefix;
    if (good) {
        size_t a = strlen(prefix), b = strlen(name);
        memcpy(inner_prefix, prefix, a);
        memcpy(inner_prefix + a, name, b);
        inner_prefix[a + b] = '/';
        good = walk(d, dirfd(folder), name, inner_path, inner_prefix, around, err);
    }
    free(inner_path);
    free(inner_prefix);
    return good;
}

/* Adds all files under the folder `name` relative to the open folder `at`; `path` is the whole path, for messages. */
static bool walk(Dataset *d, int at, const char *name, const char *path, const char *prefix, const Level *around,
                 RtError *err) {
    struct stat st;
    const struct dirent *entry;
    DIR *folder = open_folder(at, name, path, err);
    if (!folder) return false;
    bool good = !fstat(dirfd(folder), &st) || !rt_fail(err, RT_NO_INPUT, "%s: %m", path);
    Level level = {around, st.st_dev, st.st_ino, around ? around->depth + 1 : 0};
    if (good && level.depth > DEPTH_LIMIT)
        good = !rt_fail(err, RT_LIMIT, "%s: folders nested more than %d deep", path, DEPTH_LIMIT);
    while (good && !is_loop(&level) && (entry = next_entry(folder, path, err))) {
        Kind kind = kind_of(folder, entry);
        if (kind == KIND_FILE)
            good = add_sample(d, prefix, entry->d_name, err);
        else if (kind == KIND_FOLDER)
            good = walk_inner(d, folder, entry->d_name, path, prefix, &level, err);
    }
    closedir(folder);
    return good && err->code == RT_OK;
}

/* ---- classes ---- */

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static int by_pointed(const void *a, const void *b) { return strcmp(**(char **const *)a, **(char **const *)b); }

static int by_name(const void *a, const void *b, void *names) {
    return strcmp((const char *)names + ((const Sample *)a)->name, (const char *)names + ((const Sample *)b)->name);
}

static bool list_classes(Dataset *d, char ***names, size_t *n, RtError *err) {
    const struct dirent *entry;
    size_t capacity = 0;
    DIR *folder = open_folder(AT_FDCWD, d->root, d->root, err);
    bool good = folder != NULL;
    while (good && (entry = next_entry(folder, d->root, err))) {
        if (kind_of(folder, entry) != KIND_FOLDER) continue;
        good = rt_reserve(names, &capacity, *n + 1, sizeof **names, err) &&
               ((*names)[*n] = rt_copy_text(entry->d_name, err));
        *n += good;
    }
    if (folder) closedir(folder);
    if (*n > 0) qsort(*names, *n, sizeof **names, by_bytes);
    if (good && *n == 0 && err->code == RT_OK)
        rt_fail(err, RT_DATA, "%s: no pictures: a folder for each class is needed", d->root);
    return good && err->code == RT_OK;
}

static bool add_class(Dataset *d, const char *name, RtError *err) {
    size_t first = d->n_samples;
    char *path = rt_join_path(d->root, name, err);
    bool good = path && walk(d, AT_FDCWD, path, path, "", NULL, err);
    if (good && d->n_samples == first) good = !rt_fail(err, RT_DATA, "%s: no pictures in this class", path);
    if (good) qsort_r(d->sample + first, d->n_samples - first, sizeof *d->sample, by_name, d->names);
    free(path);
    return good;
}

static bool fill(Dataset *d, const char *path, RtError *err) {
    size_t n = 0;
    bool good = (d->root = rt_copy_text(path, err)) && list_classes(d, &d->class_name, &n, err);
    for (size_t i = 0; good && i < n; i++) {
        d->n_classes = i + 1;
        good = add_class(d, d->class_name[i], err);
    }
    d->n_classes = n; /* all of them, also on failure: they are released by this count */
    return good;
}

static bool has_mask(const Dataset *d, size_t sample, RtError *err) {
    struct stat st;
    char *mask = dataset_mask_path(d, sample, err), *path = dataset_path(d, sample, err);
    bool good = mask && path;
    if (good && (stat(mask, &st) || !S_ISREG(st.st_mode)))
        good = !rt_fail(err, RT_NO_INPUT, "%s has no mask: there is no file %s", path, mask);
    free(mask);
    free(path);
    return good;
}

static bool fill_masks(Dataset *d, const char *path, const char *masks, RtError *err) {
    bool good = (d->root = rt_copy_text(path, err)) && (d->masks = rt_copy_text(masks, err)) &&
                walk(d, AT_FDCWD, path, path, "", NULL, err);
    if (good && !d->n_samples) good = !rt_fail(err, RT_DATA, "%s: no pictures", path);
    if (good) qsort_r(d->sample, d->n_samples, sizeof *d->sample, by_name, d->names);
    for (size_t i = 0; good && i < d->n_samples; i++) good = has_mask(d, i, err);
    return good;
}

static Dataset *filled(Dataset *d, bool good, const RtError *own, RtError *err) {
    if (good) return d;
    rt_fail(err, own->code, "%s", own->text);
    dataset_free(d);
    return NULL;
}

Dataset *dataset_folder(const char *path, RtError *err) {
    RtError own = {.code = RT_OK};
    Dataset *d = rt_alloc(1, sizeof *d, err);
    return d ? filled(d, fill(d, path, &own), &own, err) : NULL;
}

static Dataset *dataset_masks(const char *path, const char *masks, int32_t ignore, RtError *err) {
    RtError own = {.code = RT_OK};
    Dataset *d = rt_alloc(1, sizeof *d, err);
    if (!d) return NULL;
    d->ignore = ignore;
    return filled(d, fill_masks(d, path, masks, &own), &own, err);
}

/* ---- lists ---- */

/* The class of a line, its last word; the path before it then ends where it ends. NULL if there are not both. */
static char *split_line(char *line) {
    size_t end = strlen(line), at;
    while (end > 0 && strchr(" \t\r\n", line[end - 1])) end--;
    line[end] = 0;
    for (at = end; at > 0 && !strchr(" \t", line[at - 1]);) at--;
    for (end = at; end > 0 && strchr(" \t", line[end - 1]);) end--;
    if (end == 0) return NULL;
    line[end] = 0;
    return line + at;
}

/* Adds a picture for each line; class_name[i] is that of sample i until the classes are sorted out. */
static bool read_lines(Dataset *d, FILE *f, const char *path, RtError *err) {
    char *line = NULL;
    size_t capacity = 0, number = 0;
    ssize_t n;
    bool good = true;
    d->n_classes = 0;
    while (good && (n = getline(&line, &capacity, f)) >= 0) {
        number++;
        if (strspn(line, " \t\r\n") == strlen(line)) continue;
        char *class = (size_t)n == strlen(line) ? split_line(line) : NULL;
        good = (class && n <= LINE_LIMIT) ||
               !rt_fail(err, RT_DATA, "%s:%zu: a line is the path of a picture, a blank and its class", path, number);
        good = good && add_sample(d, "", line, err) &&
               rt_reserve(&d->class_name, &d->class_capacity, d->n_classes + 1, sizeof *d->class_name, err) &&
               (d->class_name[d->n_classes] = rt_copy_text(class, err));
        d->n_classes += good;
    }
    if (good && ferror(f)) good = !rt_fail(err, RT_NO_INPUT, "%s: %m", path);
    free(line);
    return good;
}

/* Classes that are all whole numbers are taken as them. */
static bool are_numbers(const Dataset *d) {
    for (size_t i = 0; i < d->n_classes; i++) {
        size_t digits = strspn(d->class_name[i], "0123456789");
        if (digits == 0 || digits > 6 || d->class_name[i][digits]) return false;
    }
    return true;
}

static int by_bytes_or_number(const void *a, const void *b, void *numbers) {
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    long m = numbers ? strtol(x, NULL, 10) : 0, n = numbers ? strtol(y, NULL, 10) : 0;
    return m != n ? (m > n) - (m < n) : numbers ? 0 : strcmp(x, y);
}

/* Classes 0 to the largest number, whether or not each has pictures here. */
static bool number_classes(Dataset *d, const char *largest, RtError *err) {
    size_t n = (size_t)strtol(largest, NULL, 10) + 1;
    char **name = rt_alloc(n, sizeof *name, err), text[24];
    for (size_t i = 0; i < d->n_samples && name; i++) d->sample[i].label = (int32_t)strtol(d->class_name[i], NULL, 10);
    for (size_t i = 0; i < d->n_classes; i++) free(d->class_name[i]);
    free(d->class_name);
    d->class_name = name;
    d->n_classes = 0;
    for (size_t i = 0; name && i < n; i++) {
        snprintf(text, sizeof text, "%zu", i);
        if (!(name[i] = rt_copy_text(text, err))) return false;
        d->n_classes++;
    }
    return name != NULL;
}

/* The different names, sorted, become the classes. */
static bool name_classes(Dataset *d, char **sorted, RtError *err) {
    char **name = rt_alloc(d->n_samples, sizeof *name, err);
    size_t n = 0;
    if (!name) return false;
    for (size_t i = 0; i < d->n_samples; i++)
        if (i == 0 || strcmp(sorted[i], sorted[i - 1])) name[n++] = sorted[i];
    for (size_t i = 0; i < d->n_samples; i++) {
        char **found = bsearch(&d->class_name[i], name, n, sizeof *name, by_bytes);
        d->sample[i].label = (int32_t)(found - name);
    }
    for (size_t i = 0, k = 0; i < d->n_samples; i++) {
        if (k < n && sorted[i] == name[k]) k++;
        else free(sorted[i]);
    }
    free(d->class_name);
    d->class_name = name;
    d->n_classes = n;
    return true;
}

/* class_name[i] is that of sample i before, and of class i after. numbered: numbers are taken as them. */
static bool sort_classes(Dataset *d, bool numbered, RtError *err) {
    bool numbers = numbered && are_numbers(d);
    char **sorted = rt_alloc(d->n_samples, sizeof *sorted, err);
    if (!sorted) return false;
    memcpy(sorted, d->class_name, d->n_samples * sizeof *sorted);
    qsort_r(sorted, d->n_samples, sizeof *sorted, by_bytes_or_number, numbers ? d : NULL);
    bool good = numbers ? number_classes(d, sorted[d->n_samples - 1], err) : name_classes(d, sorted, err);
    free(sorted);
    return good;
}

/* Paths in a list are from its own folder on. */
static bool fill_list(Dataset *d, const char *path, RtError *err) {
    const char *slash = strrchr(path, '/');
    d->list = strdup(path);
    d->root = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    if (!d->list || !d->root) return !rt_fail(err, RT_OS, "out of memory");
    FILE *f = rt_open_text(path, err);
    if (!f) return false;
    bool good = read_lines(d, f, path, err);
    fclose(f);
    if (good && !d->n_samples) good = !rt_fail(err, RT_DATA, "%s: no pictures in this list", path);
    return good && sort_classes(d, true, err);
}

Dataset *dataset_list(const char *path, RtError *err) {
    RtError own = {.code = RT_OK};
    Dataset *d = rt_alloc(1, sizeof *d, err);
    return d ? filled(d, fill_list(d, path, &own), &own, err) : NULL;
}

/* ---- pictures that are no files ---- */

static char *copy_class_name(const Stored *s, size_t class, RtError *err) {
    char text[24];
    snprintf(text, sizeof text, "%zu", class);
    return rt_copy_text(s->class_name ? s->class_name[class] : text, err);
}

static bool fill_stored(Dataset *d, RtError *err) {
    const Stored *s = d->stored;
    size_t n = (size_t)s->classes;
    if (!(d->root = rt_copy_text(s->name, err)) || !(d->class_name = rt_alloc(n, sizeof *d->class_name, err)) ||
        !(d->sample = rt_alloc(s->count, sizeof *d->sample, err)))
        return false;
    for (; d->n_classes < n; d->n_classes++)
        if (!(d->class_name[d->n_classes] = copy_class_name(s, d->n_classes, err))) return false;
    d->n_samples = s->count;
    for (size_t i = 0; i < s->count; i++) d->sample[i] = (Sample){i, stored_label(s, i)};
    return true;
}

static Dataset *dataset_stored(Stored *stored, RtError *err) {
    RtError own = {.code = RT_OK};
    Dataset *d = stored ? rt_alloc(1, sizeof *d, err) : NULL;
    if (!d) {
        stored_free(stored);
        return NULL;
    }
    d->stored = stored;
    return filled(d, fill_stored(d, &own), &own, err);
}

/* ---- pictures in archives ---- */

static bool fill_shards(Dataset *d, RtError *err) {
    const Shards *s = d->shards;
    size_t n = shards_count(s);
    if (!(d->root = rt_copy_text(shards_name(s), err)) || !(d->sample = rt_alloc(n, sizeof *d->sample, err)) ||
        !(d->class_name = rt_alloc(n, sizeof *d->class_name, err)))
        return false;
    for (d->n_samples = n; d->n_classes < n; d->n_classes++) {
        d->sample[d->n_classes].name = d->n_classes;
        if (!(d->class_name[d->n_classes] = shards_class(s, d->n_classes, err))) return false;
    }
    return sort_classes(d, shards_numbered(s), err);
}

Dataset *dataset_shards(const json_t *paths, const char *base, RtError *err) {
    RtError own = {.code = RT_OK};
    Dataset *d = rt_alloc(1, sizeof *d, err);
    if (!d) return NULL;
    d->shards = shards_open(paths, base, &own);
    return filled(d, d->shards && fill_shards(d, &own), &own, err);
}

bool dataset_in_archives(const Dataset *d) { return d->shards != NULL; }

bool dataset_part(const Dataset *d, size_t sample, ImagePart *part, RtError *err) {
    *part = shards_part(d->shards, d->sample[sample].name);
    return (part->name = dataset_path(d, sample, err)) != NULL;
}

size_t dataset_passed_over(const Dataset *d) { return d->shards ? shards_passed_over(d->shards) : 0; }

/* ---- any source ---- */

/* A product like 100 * 7 % must not be rounded up for the last bit of a double. */
static double rounded_up(double k, double share) { return ceil(k * share - 1e-9); }

bool dataset_subset(Dataset *d, double share, RtError *err) {
    size_t *seen = rt_alloc(d->masks ? 1 : d->n_classes, sizeof *seen, err), kept = 0;
    if (!seen) return false;
    for (size_t i = 0; i < d->n_samples; i++) {
        double k = (double)seen[d->masks ? 0 : d->sample[i].label]++;
        if (rounded_up(k + 1, share) > rounded_up(k, share)) d->sample[kept++] = d->sample[i];
    }
    d->n_samples = kept;
    free(seen);
    return true;
}

/* Are the classes numbers in the data, not names? */
static bool has_numbers(const Dataset *d) {
    return d->stored || ((d->list || (d->shards && shards_numbered(d->shards))) && are_numbers(d));
}

/* Pictures in files may be without the last classes; a list of them knows no better. */
static bool enough_labels(const Dataset *d, const char *path, size_t n, RtError *err) {
    if (d->stored ? d->n_classes == n : d->n_classes <= n) return true;
    return !rt_fail(err, RT_DATA, "%s: %zu names, and the data have %zu classes, 0 to %zu", path, n, d->n_classes, d->n_classes - 1);
}

/* name[n]: which class each line is, by what the data call it. */
static bool order_classes(Dataset *d, const char *path, char **name, size_t n, RtError *err) {
    bool good = true;
    char ***sorted = rt_alloc(n, sizeof *sorted, err);
    int32_t *becomes = rt_alloc(d->n_classes, sizeof *becomes, err);
    for (size_t i = 0; sorted && i < n; i++) sorted[i] = &name[i];
    if (sorted) qsort(sorted, n, sizeof *sorted, by_pointed);
    for (size_t i = 0; good && sorted && becomes && i < d->n_classes; i++) {
        char **class = &d->class_name[i], ***found = bsearch(&class, sorted, n, sizeof *sorted, by_pointed);
        good = found || !rt_fail(err, RT_DATA, "%s: no line for the class `%s` of the data", path, *class);
        if (good) becomes[i] = (int32_t)(*found - name);
    }
    good = good && sorted && becomes;
    for (size_t i = 0; good && i < d->n_samples; i++) d->sample[i].label = becomes[d->sample[i].label];
    free(sorted);
    free(becomes);
    return good;
}

static void free_names(char **name, size_t n) {
    for (size_t i = 0; name && i < n; i++) free(name[i]);
    free(name);
}

static bool take_labels(Dataset *d, const char *path, RtError *err) {
    size_t n;
    char **name = labels_read(path, &n, err);
    if (!name) return false;
    if (has_numbers(d) ? !enough_labels(d, path, n, err) : !order_classes(d, path, name, n, err)) {
        free_names(name, n);
        return false;
    }
    free_names(d->class_name, d->n_classes);
    d->class_name = name;
    d->n_classes = n;
    return true;
}

bool dataset_name_classes(Dataset *d, const json_t *labels, RtError *err) {
    const char *call = field_text(labels, "call", "data.labels", err), *path = field_text(labels, "path", "data.labels", err);
    if (err->code) return false;
    if (d->masks) return !rt_fail(err, RT_DATA, "%s: masks have numbers of classes, and no folders that could be named", d->root);
    if (!strcmp(call, "file")) return take_labels(d, path, err);
    d->shown = synsets_read(path, d->class_name, d->n_classes, err);
    return d->shown != NULL;
}

Dataset *dataset_new(const json_t *source, const char *base, bool training, RtError *err) {
    const char *call = json_string_value(json_object_get(source, "call"));
    const json_t *ignore = json_object_get(source, "ignore");
    char *path = field_path(source, "path", base, err), *masks = field_path(source, "masks", base, err);
    Dataset *d = NULL;
    if (call && path && !strcmp(call, "folder"))
        d = dataset_folder(path, err);
    else if (call && path && !strcmp(call, "list"))
        d = dataset_list(path, err);
    else if (call && path && masks && !strcmp(call, "masks"))
        d = dataset_masks(path, masks, (int32_t)json_integer_value(ignore), err);
    else if (call && !strcmp(call, "tar"))
        d = dataset_shards(json_object_get(source, "path"), base, err);
    else if (call && stored_knows(call))
        d = dataset_stored(stored_open(source, base, training, err), err);
    else
        rt_fail(err, RT_DATA, "data: `%s` is not a source of pictures that can be read here", call ? call : "(none)");
    free(path);
    free(masks);
    return d;
}

void dataset_free(Dataset *d) {
    if (!d) return;
    free_names(d->class_name, d->n_classes);
    free_names(d->shown, d->n_classes);
    stored_free(d->stored);
    shards_free(d->shards);
    free(d->masks);
    free(d->list);
    free(d->sample);
    free(d->names);
    free(d->root);
    free(d);
}

/* ---- questions ---- */

size_t dataset_count(const Dataset *d) { return d->n_samples; }

int32_t dataset_classes(const Dataset *d) { return (int32_t)d->n_classes; }

const char *dataset_class_name(const Dataset *d, int32_t label) { return (d->shown ? d->shown : d->class_name)[label]; }

int32_t dataset_label(const Dataset *d, size_t sample) { return d->sample[sample].label; }

bool dataset_has_masks(const Dataset *d, int32_t *ignore) {
    if (ignore) *ignore = d->ignore;
    return d->masks != NULL;
}

bool dataset_is_stored(const Dataset *d) { return d->stored != NULL; }

void dataset_stored_size(const Dataset *d, int32_t *width, int32_t *height) {
    if (!d->stored->width) return;
    *width = d->stored->width;
    *height = d->stored->height;
}

void dataset_paint(const Dataset *d, size_t sample, Image *out) {
    stored_paint(d->stored, d->sample[sample].name, out);
}

/* The source and the picture's number in it. */
static char *stored_path(const Dataset *d, size_t sample, RtError *err) {
    char *path = NULL;
    if (asprintf(&path, "%s#%zu", d->root, d->sample[sample].name) >= 0) return path;
    rt_fail(err, RT_OS, "out of memory");
    return NULL;
}

/* The picture's name with another ending. */
char *dataset_mask_path(const Dataset *d, size_t sample, RtError *err) {
    static const char ending[] = ".png";
    const char *name = d->names + d->sample[sample].name, *slash = strrchr(name, '/'), *dot = strrchr(name, '.');
    size_t stem = dot && dot > (slash ? slash : name) ? (size_t)(dot - name) : strlen(name), root = strlen(d->masks);
    char *path = rt_alloc(root + 1 + stem + sizeof ending, 1, err);
    if (!path) return NULL;
    memcpy(path, d->masks, root);
    path[root] = '/';
    memcpy(path + root + 1, name, stem);
    memcpy(path + root + 1 + stem, ending, sizeof ending);
    return path;
}

char *dataset_path(const Dataset *d, size_t sample, RtError *err) {
    if (d->stored) return stored_path(d, sample, err);
    if (d->shards) return shards_path(d->shards, d->sample[sample].name, err);
    if (d->masks) return rt_join_path(d->root, d->names + d->sample[sample].name, err);
    const char *class = d->class_name[d->sample[sample].label], *name = d->names + d->sample[sample].name;
    if (d->list) return name[0] == '/' ? rt_copy_text(name, err) : rt_join_path(d->root, name, err);
    size_t a = strlen(d->root), b = strlen(class), c = strlen(name);
    char *path = rt_alloc(a + b + c + 3, 1, err);
    if (!path) return NULL;
    memcpy(path, d->root, a);
    path[a] = '/';
    memcpy(path + a + 1, class, b);
    path[a + 1 + b] = '/';
    memcpy(path + a + b + 2, name, c);
    return path;
}

/* names[n]: the one that is this name; n and an error if none is, or several are. */
static size_t find_class(const Dataset *d, const char *own, const char *const *names, size_t n, RtError *err) {
    const char *where = d->list ? d->list : d->root;
    size_t found = n, times = 0;
    for (size_t i = 0; i < n; i++)
        if (!strcmp(own, names[i])) found = i, times++;
    if (times == 1) return found;
    if (times)
        rt_fail(err, RT_DATA, "%s: %zu classes of the net are called `%s`: which one is meant where some are missing?", where, times, own);
    else
        rt_fail(err, RT_DATA, "%s: the net has no class `%s`; of its %zu the first is `%s`, the last `%s`", where, own, n, names[0],
                names[n - 1]);
    return n;
}

static bool same_classes(const Dataset *d, const char *const *names, size_t n) {
    size_t same = 0;
    while (same < n && same < d->n_classes && !strcmp(dataset_class_name(d, (int32_t)same), names[same])) same++;
    return same == n && same == d->n_classes;
}

/* What the classes are called, in two ways: folders keep their names, where paths begin. */
static bool rename_classes(Dataset *d, const size_t *becomes, const char *const *names, size_t n, RtError *err) {
    char **name = rt_alloc(n, sizeof *name, err), **shown = rt_alloc(n, sizeof *shown, err);
    bool good = name && shown;
    for (size_t i = 0; good && i < d->n_classes; i++) {
        name[becomes[i]] = d->class_name[i];
        d->class_name[i] = NULL;
    }
    for (size_t k = 0; good && k < n; k++)
        good = (name[k] || (name[k] = rt_copy_text(names[k], err))) && (shown[k] = rt_copy_text(names[k], err));
    free_names(d->class_name, d->n_classes);
    free_names(d->shown, d->n_classes);
    d->class_name = name;
    d->shown = shown;
    d->n_classes = name && shown ? n : 0;
    return good;
}

bool dataset_match_classes(Dataset *d, const char *const *names, size_t n, RtError *err) {
    if (same_classes(d, names, n)) return true;
    size_t *becomes = rt_alloc(d->n_classes, sizeof *becomes, err);
    bool good = becomes != NULL;
    for (size_t i = 0; good && i < d->n_classes; i++)
        good = (becomes[i] = find_class(d, dataset_class_name(d, (int32_t)i), names, n, err)) < n;
    for (size_t i = 0; good && i < d->n_samples; i++) d->sample[i].label = (int32_t)becomes[d->sample[i].label];
    good = good && rename_classes(d, becomes, names, n, err);
    free(becomes);
    return good;
}

bool dataset_has_class(const Dataset *d, int32_t label) {
    for (size_t i = 0; i < d->n_samples; i++)
        if (d->sample[i].label == label) return true;
    return false;
}

/* Which stream of random numbers of an epoch. */
enum { SITE_ALL, SITE_BALANCED };

/* Fisher and Yates. */
static void shuffle(uint32_t *item, size_t n, Rng *r) {
    for (size_t i = n; i > 1; i--) {
        size_t k = rng_below(r, (uint32_t)i);
        uint32_t t = item[i - 1];
        item[i - 1] = item[k];
        item[k] = t;
    }
}

void dataset_shuffle(size_t count, uint64_t seed, uint32_t epoch, uint32_t *order) {
    Rng r = rng_stream(RNG_SHUFFLE, seed, epoch, 0, SITE_ALL);
    for (size_t i = 0; i < count; i++) order[i] = (uint32_t)i;
    shuffle(order, count, &r);
}

/* The pictures of each class, those of class c from first[c] to first[c + 1]. */
typedef struct ByClass {
    uint32_t *sample, *class; /* [samples]; [n_present], those that have pictures */
    size_t *first, *drawn;    /* [classes + 1], [classes] */
    size_t n_present;
} ByClass;

static bool by_class_make(ByClass *b, const Dataset *d, RtError *err) {
    size_t n = d->n_classes;
    b->sample = rt_alloc(d->n_samples, sizeof *b->sample, err);
    b->class = rt_alloc(n, sizeof *b->class, err);
    b->first = rt_alloc(n + 2, sizeof *b->first, err);
    b->drawn = rt_alloc(n, sizeof *b->drawn, err);
    if (!b->sample || !b->class || !b->first || !b->drawn) return false;
    for (size_t i = 0; i < d->n_samples; i++) b->first[d->sample[i].label + 2]++;
    for (size_t c = 0; c < n; c++) {
        if (b->first[c + 2]) b->class[b->n_present++] = (uint32_t)c;
        b->first[c + 2] += b->first[c + 1];
    }
    for (size_t i = 0; i < d->n_samples; i++) b->sample[b->first[d->sample[i].label + 1]++] = (uint32_t)i;
    return true;
}

static void by_class_free(ByClass *b) {
    free(b->sample);
    free(b->class);
    free(b->first);
    free(b->drawn);
}

/* The next picture of a class; all come once, in a new order, before one comes again. */
static uint32_t draw(ByClass *b, uint32_t class, Rng *r) {
    size_t first = b->first[class], n = b->first[class + 1] - first, k = b->drawn[class]++ % n;
    if (k == 0) shuffle(b->sample + first, n, r);
    return b->sample[first + k];
}

bool dataset_balance(const Dataset *d, uint64_t seed, uint32_t epoch, uint32_t *order, RtError *err) {
    if (d->masks) return !rt_fail(err, RT_DATA, "%s: sampling = class_balanced needs a class for each picture, not masks", d->root);
    Rng r = rng_stream(RNG_SHUFFLE, seed, epoch, 0, SITE_BALANCED);
    ByClass b = {0};
    bool good = by_class_make(&b, d, err);
    if (good) shuffle(b.class, b.n_present, &r); /* where the classes do not divide the pictures, the first get one more */
    for (size_t i = 0; good && i < d->n_samples; i++) order[i] = draw(&b, b.class[i % b.n_present], &r);
    if (good) shuffle(order, d->n_samples, &r);
    by_class_free(&b);
    return good;
}
