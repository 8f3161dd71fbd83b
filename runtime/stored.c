#include "stored.h"

#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "stored_files.h"
#include "synthetic.h"

/* What a source was opened with. */
typedef struct Origin {
    const json_t *source;
    const char *base;
    bool training;
} Origin;

static bool open_synthetic(Stored *s, const Origin *o, RtError *err) {
    s->count = (size_t)field_int(o->source, "count", 1, STORED_MOST, "synthetic", err);
    s->classes = (int32_t)field_int(o->source, "classes", 1, STORED_MOST, "synthetic", err);
    s->seed = (uint64_t)field_int_or(o->source, "seed", 1, 0, INT64_MAX, "synthetic", err);
    return !err->code && (s->name = rt_copy_text("synthetic", err));
}

/* The source goes by the name of its folder or its pictures. */
static bool open_folder(Stored *s, const Origin *o, bool open(Stored *, const char *, bool, RtError *), RtError *err) {
    s->name = field_path(o->source, "path", o->base, err);
    return s->name && open(s, s->name, o->training, err);
}

static bool open_cifar10(Stored *s, const Origin *o, RtError *err) { return open_folder(s, o, stored_cifar10, err); }

static bool open_cifar100(Stored *s, const Origin *o, RtError *err) { return open_folder(s, o, stored_cifar100, err); }

static bool open_idx(Stored *s, const Origin *o, RtError *err) {
    s->name = field_path(o->source, "images", o->base, err);
    char *labels = field_path(o->source, "labels", o->base, err);
    bool good = s->name && labels && stored_idx(s, s->name, labels, err);
    free(labels);
    return good;
}

/* ONE ROW PER SOURCE. */
static const struct Kind {
    const char *call;
    bool (*open)(Stored *s, const Origin *o, RtError *err);
} kinds[] = {
    {"synthetic", open_synthetic},
    {"cifar10", open_cifar10},
    {"cifar100", open_cifar100},
    {"idx", open_idx},
};

static const struct Kind *find_kind(const char *call) {
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (!strcmp(kinds[i].call, call)) return &kinds[i];
    return NULL;
}

bool stored_knows(const char *call) { return find_kind(call) != NULL; }

Stored *stored_open(const json_t *source, const char *base, bool training, RtError *err) {
    const char *call = json_string_value(json_object_get(source, "call"));
    RtError own = {.code = RT_OK};
    Stored *s = rt_alloc(1, sizeof *s, err);
    if (!s) return NULL;
    if (find_kind(call)->open(s, &(Origin){source, base, training}, &own)) return s;
    rt_fail(err, own.code ? own.code : RT_DATA, "%s", own.code ? own.text : "data: a path is missing");
    stored_free(s);
    return NULL;
}

void stored_free(Stored *s) {
    if (!s) return;
    for (int32_t i = 0; s->class_name && i < s->classes; i++) free(s->class_name[i]);
    free(s->class_name);
    free(s->pixel);
    free(s->label);
    free(s->name);
    free(s);
}

int32_t stored_label(const Stored *s, size_t i) { return s->label ? s->label[i] : (int32_t)(i % (size_t)s->classes); }

/* Grey is the same in all three; the byte of no meaning is 0. */
static void copy_planes(const uint8_t *from, int32_t planes, Image *out) {
    size_t n = (size_t)out->width * (size_t)out->height, next = planes == 1 ? 0 : n;
    uint8_t *pixel = out->pixel;
    for (size_t i = 0; i < n; i++, pixel += IMAGE_PIXEL_BYTES) {
        pixel[0] = from[i];
        pixel[1] = from[next + i];
        pixel[2] = from[2 * next + i];
        pixel[3] = 0;
    }
}

void stored_paint(const Stored *s, size_t i, Image *out) {
    size_t bytes = (size_t)s->planes * (size_t)s->height * (size_t)s->width;
    if (s->pixel)
        copy_planes(s->pixel + i * bytes, s->planes, out);
    else
        synthetic_paint(s->seed, (uint32_t)i, stored_label(s, i), out);
}
