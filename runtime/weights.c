#include "weights.h"

#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLICE = 1 << 18, /* logical elements read or written at a time: 1 MiB */
    NAME_ROOM = 320, /* a name of the net, whose layers' names have at most 255 bytes */
};

/* As patterns of `freeze`: the whole name, or the name of something that it is in. */
static bool glob_match(const char *glob, const char *name) {
    char part[NAME_ROOM];
    for (const char *dot = strchr(name, '.'); dot && dot - name < NAME_ROOM; dot = strchr(dot + 1, '.')) {
        snprintf(part, sizeof part, "%.*s", (int)(dot - name), name);
        if (fnmatch(glob, part, 0) == 0) return true;
    }
    return fnmatch(glob, name, 0) == 0;
}

static bool globs_match(const Globs *g, const char *name) {
    for (int i = 0; g && i < g->n; i++)
        if (glob_match(g->glob[i], name)) return true;
    return false;
}

/* ---- does the file belong to the net? ---- */

/* A file may flatten or unfold the inputs of a layer (a fully connected weight as [O,I] or [O,C,H,W]), never the
 * outputs. */
static bool same_shape(const ModelParam *p, const SafeTensor *t) {
    int64_t first = t->rank ? t->shape[0] : 1, own = p->rank ? p->shape[0] : 1;
    return first == own && t->elements == p->elements;
}

static const ModelParam *find_param(const ModelParam *param, int n, const char *name) {
    for (int i = 0; i < n; i++)
        if (strcmp(param[i].name, name) == 0) return &param[i];
    return NULL;
}

/* What is collected about one kind of difference: how many, and the first few by name. */
typedef struct Difference {
    int n;
    char names[130];
} Difference;

__attribute__((format(printf, 2, 3))) static void differ(Difference *d, const char *format, ...) {
    enum { NAMED = 3 };
    if (++d->n > NAMED) return;
    size_t used = strlen(d->names);
    if (used) used += (size_t)snprintf(d->names + used, sizeof d->names - used, ", ");
    if (used >= sizeof d->names) return;
    va_list args;
    va_start(args, format);
    vsnprintf(d->names + used, sizeof d->names - used, format, args);
    va_end(args);
}

static void shape_text(int rank, const int64_t *shape, char *text, size_t room) {
    size_t used = (size_t)snprintf(text, room, "[");
    for (int i = 0; i < rank && used < room; i++)
        used += (size_t)snprintf(text + used, room - used, i ? ",%lld" : "%lld", (long long)shape[i]);
    if (used < room) snprintf(text + used, room - used, "]");
}

static void compare_shape(const ModelParam *p, const SafeTensor *t, Difference *shape, Difference *type) {
    char net[48], file[48];
    if (strcmp(t->dtype, "F32") != 0) {
        differ(type, "%.40s (%s)", p->name, t->dtype);
        return;
    }
    if (same_shape(p, t)) return;
    shape_text(p->file_rank, p->file_shape, net, sizeof net);
    shape_text(t->rank, t->shape, file, sizeof file);
    differ(shape, "%.40s (net %s, file %s)", p->name, net, file);
}

static void add_difference(char *text, size_t room, const Difference *d, const char *what) {
    size_t used = strlen(text);
    if (d->n && used < room)
        snprintf(text + used, room - used, "; %d %s: %s%s", d->n, what, d->names, d->n > 3 ? ", ..." : "");
}

/* PyTorch's batch norm counts its batches in a tensor of its own; nothing here depends on it. */
static bool is_counter(const char *name) {
    static const char counter[] = ".num_batches_tracked";
    size_t length = strlen(name);
    return length >= sizeof counter - 1 && strcmp(name + length - (sizeof counter - 1), counter) == 0;
}

static bool is_spare(const Model *m, const char *name) {
    for (size_t i = 0; i < json_array_size(m->spare); i++) {
        const char *spare = json_string_value(json_array_get(m->spare, i));
        if (spare && strcmp(spare, name) == 0) return true;
    }
    return false;
}

static bool is_wanted(const ModelParam *p, const Globs *except, WeightsUse use) {
    return !(p->train && use == WEIGHTS_TO_INFER) && !globs_match(except, p->name);
}

static bool names_something(const Model *m, const SafeFile *f, const char *glob) {
    bool named = false;
    for (int i = 0; i < m->n_param; i++) named = named || glob_match(glob, m->param[i].name);
    for (size_t i = 0; i < f->n; i++) named = named || glob_match(glob, f->tensor[i].name);
    return named;
}

/* What was to start afresh would not, and nobody would see it. The file may have what the net lacks: only both decide. */
static bool check_except(const Model *m, const SafeFile *f, const Globs *except, RtError *err) {
    for (int i = 0; except && i < except->n; i++) {
        if (names_something(m, f, except->glob[i])) continue;
        rt_fail(err, RT_DATA, "the pattern \"%.120s\" of `except` matches nothing, neither of net %s nor of %s", except->glob[i],
                m->name, f->path);
        return false;
    }
    return true;
}

static bool belongs(const Model *m, const SafeFile *f, const Globs *except, WeightsUse use, RtError *err) {
    Difference missing = {0}, extra = {0}, shape = {0}, type = {0};
    for (int i = 0; i < m->n_param; i++) {
        const ModelParam *p = &m->param[i];
        const SafeTensor *t = safe_find(f, p->name);
        if (!is_wanted(p, except, use)) continue;
        if (!t)
            differ(&missing, "%.40s", p->name);
        else
            compare_shape(p, t, &shape, &type);
    }
    for (size_t i = 0; i < f->n; i++) {
        const char *name = f->tensor[i].name;
        bool known = find_param(m->param, m->n_param, name) || find_param(m->state, m->n_state, name);
        if (!known && !is_counter(name) && !is_spare(m, name) && !globs_match(except, name)) differ(&extra, "%.40s", name);
    }
    if (!missing.n && !extra.n && !shape.n && !type.n) return true;
    char text[460] = "";
    add_difference(text, sizeof text, &missing, "missing");
    add_difference(text, sizeof text, &extra, "not of this net");
    add_difference(text, sizeof text, &shape, "of another shape");
    add_difference(text, sizeof text, &type, "not F32");
    rt_fail(err, RT_DATA, "%s does not fit net %s: %s%s", f->path, m->name, text + 2,
            except ? "; what `except` of `init` names starts afresh" : "");
    return false;
}

/* ---- reading and writing tensors ---- */

static bool all_finite(const float *x, int64_t n) {
    const uint32_t exponent = 0x7f800000; /* all ones in a NaN or an infinity, and only there */
    bool bad = false;
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        bad |= (bits & exponent) == exponent;
    }
    return !bad;
}

static bool any_negative(const float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (x[i] < 0) return true;
    return false;
}

static bool check_values(const ModelParam *p, const SafeFile *f, const float *x, int64_t n, RtError *err) {
    static const char variance[] = "running_var";
    size_t length = strlen(p->name);
    if (!all_finite(x, n)) {
        rt_fail(err, RT_NOT_FINITE, "%s: tensor \"%.120s\" holds a NaN or an infinity", f->path, p->name);
        return false;
    }
    bool is_variance = length >= sizeof variance - 1 && strcmp(p->name + length - (sizeof variance - 1), variance) == 0;
    if (!is_variance || !any_negative(x, n)) return true;
    rt_fail(err, RT_DATA, "%s: tensor \"%.120s\" holds a negative variance", f->path, p->name);
    return false;
}

static bool read_param(const ModelParam *p, const SafeFile *f, float *region, float *buffer, RtError *err) {
    const SafeTensor *t = safe_find(f, p->name);
    float *stored = region + p->offset / 4;
    memset(stored, 0, (size_t)p->bytes);
    for (int64_t i = 0; i < form_slices(&p->form, SLICE); i++) {
        Slice s = form_slice(&p->form, SLICE, i);
        int64_t n = form_elements(&s.form);
        if (!safe_read(f, t, (uint64_t)s.logical * 4, buffer, (size_t)n * 4, err)) return false;
        if (!check_values(p, f, buffer, n, err)) return false;
        pack(&s.form, buffer, stored + s.stored);
    }
    return true;
}

/* A file never gets a NaN, so that the last good one is not lost to a training that went wrong. */
static bool write_param(const ModelParam *p, SafeWriter *w, const float *region, float *buffer, RtError *err) {
    const float *stored = region + p->offset / 4;
    for (int64_t i = 0; i < form_slices(&p->form, SLICE); i++) {
        Slice s = form_slice(&p->form, SLICE, i);
        int64_t n = form_elements(&s.form);
        unpack(&s.form, stored + s.stored, buffer);
        if (!all_finite(buffer, n)) {
            rt_fail(err, RT_NOT_FINITE, "parameter %.120s holds a NaN or an infinity; nothing was saved", p->name);
            return false;
        }
        if (!safe_write(w, buffer, (size_t)n * 4, err)) return false;
    }
    return true;
}

/* Room for the largest slice of any of these. */
static float *slice_buffer(const ModelParam *param, int n, RtError *err) {
    int64_t most = 1;
    for (int i = 0; i < n; i++) {
        int64_t elements = form_slice_elements(&param[i].form, SLICE);
        if (elements > most) most = elements;
    }
    return rt_alloc((size_t)most, sizeof(float), err);
}

bool weights_read(const Model *m, const SafeFile *f, const Globs *except, WeightsUse use, float *params, RtError *err) {
    if (!check_except(m, f, except, err) || !belongs(m, f, except, use, err) || !safe_check(f, err)) return false;
    float *buffer = slice_buffer(m->param, m->n_param, err);
    bool ok = buffer != NULL;
    for (int i = 0; ok && i < m->n_param; i++)
        if (is_wanted(&m->param[i], except, use))
            ok = read_param(&m->param[i], f, params, buffer, err);
    free(buffer);
    return ok;
}

bool weights_read_state(const Model *m, const SafeFile *f, float *state, RtError *err) {
    float *buffer = slice_buffer(m->state, m->n_state, err);
    bool ok = buffer != NULL;
    for (int i = 0; ok && i < m->n_state; i++) {
        const ModelParam *p = &m->state[i];
        const SafeTensor *t = safe_find(f, p->name);
        ok = t && same_shape(p, t) && strcmp(t->dtype, "F32") == 0;
        if (!ok)
            rt_fail(err, RT_DATA, "%s does not fit net %s: tensor \"%.120s\" is missing or of another shape", f->path,
                    m->name, p->name);
        ok = ok && read_param(p, f, state, buffer, err);
    }
    free(buffer);
    return ok;
}

/* ---- writing a file ---- */

static void describe(const ModelParam *p, SafeTensor *t) {
    *t = (SafeTensor){.name = p->name, .dtype = "F32", .rank = p->file_rank};
    memcpy(t->shape, p->file_shape, sizeof p->file_shape);
}

static void add_json_text(json_t *to, const char *key, const json_t *value) {
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    if (text) json_object_set_new(to, key, json_string(text));
    free(text);
}

static json_t *metadata_of(const Model *m, json_t *extra) {
    json_t *j = json_pack("{s:s, s:s}", "net", m->name, "cnnc", CNNC_VERSION);
    add_json_text(j, "options", m->options);
    add_json_text(j, "input", model_input_settings(m));
    if (extra) json_object_update(j, extra);
    return j;
}

static bool write_all(const Model *m, const float *params, const float *state, SafeWriter *w, RtError *err) {
    float *a = slice_buffer(m->param, m->n_param, err), *b = slice_buffer(m->state, m->n_state, err);
    bool ok = a && b;
    for (int i = 0; ok && i < m->n_param; i++) ok = write_param(&m->param[i], w, params, a, err);
    for (int i = 0; ok && state && i < m->n_state; i++) ok = write_param(&m->state[i], w, state, b, err);
    free(a);
    free(b);
    return ok;
}

bool weights_write(const Model *m, const float *params, const float *state, const char *path, json_t *extra,
                   RtError *err) {
    size_t n = (size_t)m->n_param + (state ? (size_t)m->n_state : 0);
    SafeTensor *tensor = rt_alloc(n, sizeof *tensor, err);
    if (!tensor) return false;
    for (int i = 0; i < m->n_param; i++) describe(&m->param[i], &tensor[i]);
    for (int i = 0; state && i < m->n_state; i++) describe(&m->state[i], &tensor[m->n_param + i]);
    json_t *metadata = metadata_of(m, extra);
    SafeWriter *w = safe_create(path, tensor, n, metadata, err);
    json_decref(metadata);
    free(tensor);
    if (!w) return false;
    if (write_all(m, params, state, w, err)) return safe_commit(w, err);
    safe_abort(w);
    return false;
}

static uint64_t add_words(uint64_t hash, const float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        uint32_t word;
        memcpy(&word, &x[i], sizeof word);
        hash = (hash ^ word) * 0x100000001b3u;
    }
    return hash;
}

bool weights_digest(const Model *m, const float *params, int64_t bytes, uint64_t *digest, RtError *err) {
    float *buffer = slice_buffer(m->param, m->n_param, err);
    *digest = 0xcbf29ce484222325u;
    for (int i = 0; buffer && i < m->n_param; i++) {
        const ModelParam *p = &m->param[i];
        for (int64_t k = 0; model_within(p, bytes) && k < form_slices(&p->form, SLICE); k++) {
            Slice s = form_slice(&p->form, SLICE, k);
            unpack(&s.form, params + p->offset / 4 + s.stored, buffer);
            *digest = add_words(*digest, buffer, form_elements(&s.form));
        }
    }
    free(buffer);
    return buffer != NULL;
}

json_t *weights_labels(const Model *m, const SafeFile *f) {
    const char *text = safe_metadata(f, "labels");
    json_t *labels = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    bool ok = json_is_array(labels) && json_array_size(labels) == (size_t)m->classes;
    for (size_t i = 0; ok && i < json_array_size(labels); i++) ok = json_is_string(json_array_get(labels, i));
    if (ok) return labels;
    json_decref(labels);
    return NULL;
}
