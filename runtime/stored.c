#include "stored.h"

#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "synthetic.h"

/* Fills s from the settings of its source. */
typedef bool Open(Stored *s, const json_t *source, RtError *err);

enum { MOST_PICTURES = 1 << 24 };

static bool open_synthetic(Stored *s, const json_t *source, RtError *err) {
    s->count = (size_t)field_int(source, "count", 1, MOST_PICTURES, "synthetic", err);
    s->classes = (int32_t)field_int(source, "classes", 1, MOST_PICTURES, "synthetic", err);
    s->seed = (uint64_t)field_int_or(source, "seed", 1, 0, INT64_MAX, "synthetic", err);
    return !err->code;
}

/* ONE ROW PER SOURCE. */
static const struct Kind {
    const char *call;
    Open *open;
} kinds[] = {
    {"synthetic", open_synthetic},
};

static const struct Kind *find_kind(const char *call) {
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (!strcmp(kinds[i].call, call)) return &kinds[i];
    return NULL;
}

bool stored_knows(const char *call) { return find_kind(call) != NULL; }

Stored *stored_open(const json_t *source, RtError *err) {
    const char *call = json_string_value(json_object_get(source, "call"));
    RtError own = {.code = RT_OK};
    Stored *s = rt_alloc(1, sizeof *s, err);
    if (!s) return NULL;
    if ((s->name = rt_copy_text(call, &own)) && find_kind(call)->open(s, source, &own)) return s;
    rt_fail(err, own.code, "%s", own.text);
    stored_free(s);
    return NULL;
}

void stored_free(Stored *s) {
    if (!s) return;
    for (int32_t i = 0; s->class_name && i < s->classes; i++) free(s->class_name[i]);
    free(s->class_name);
    free(s->name);
    free(s);
}

int32_t stored_label(const Stored *s, size_t i) { return (int32_t)(i % (size_t)s->classes); }

void stored_paint(const Stored *s, size_t i, Image *out) {
    synthetic_paint(s->seed, (uint32_t)i, stored_label(s, i), out);
}
