/* See net_input.h. */
#include "net_input.h"

#include <string.h>

#include "idle.h"
static Field *field(Record *r, const char *key) { return (Field *)(uintptr_t)record_field(r, key); }

static void add_field(Elab *e, Record *r, const char *key, Value v) {
    Field f = {.key = name_of(key), .value = v};
    PUSH(e->arena, r->field, r->n, r->cap, f);
}

/* mean and std: one number per channel; absent ones change nothing. */
static bool complete_levels(Elab *e, Record *r, const char *key, int32_t channels, double neutral) {
    Field *f = field(r, key);
    if (f->value.kind == V_NONE) {
        Value *item = NEW_ARRAY(e->arena, Value, channels);
        for (int32_t i = 0; i < channels; i++) item[i] = value_real(neutral);
        f->value = value_list(item, channels);
    }
    if (f->value.n == channels) return true;
    diag_error(e->diags, f->span, "E0406", "`%s` needs %d number%s, one per channel; this has %d", key, channels,
               channels == 1 ? "" : "s", f->value.n);
    if (f->value.n == 1) {
        const char *one = value_text_of(e->arena, &f->value.item[0]);
        diag_fix(e->diags, f->span, arena_printf(e->arena, "[%s, %s, %s]", one, one, one), "one for each channel");
    }
    return false;
}

/* Levels are from 0 to 1: numbers above 1 were meant for those from 0 to 255. */
static void check_levels(Elab *e, const Field *f) {
    bool large = false;
    Str text = STR(e->arena);
    for (int32_t i = 0; i < f->value.n; i++) {
        const Value *v = &f->value.item[i];
        large = large || value_double(v) > 1;
        str_addf(&text, "%s%s / 255", i ? ", " : "[", value_text_of(e->arena, v));
    }
    if (!large) return;
    diag_warning(e->diags, f->span, "W0139", "levels of colours are from 0 to 1, and `%s` is above that", f->key);
    diag_fix(e->diags, f->span, arena_printf(e->arena, "%s]", str_text(&text)), "of levels from 0 to 255 it is");
}

static void label_sizes(Elab *e, Span size_at, const Value *size, Span other_at, const Value *other) {
    diag_label(e->diags, size_at, "%dx%d", size->dim.h, size->dim.w);
    diag_label(e->diags, other_at, "%dx%d", other->dim.h, other->dim.w);
}

/* A window that is larger than every picture has a black rim. */
static void check_window(Elab *e, const Field *resize, const Value *crop, Span at) {
    const Value *to = &resize->value.record->field[0].value;
    bool exact = to->kind == V_DIM;
    int64_t side = exact ? 0 : value_whole(to), least = crop->dim.h < crop->dim.w ? crop->dim.h : crop->dim.w;
    bool rim = exact ? crop->dim.h > to->dim.h || crop->dim.w > to->dim.w : least > side;
    if (!rim) return;
    diag_warning(e->diags, at, "W0160", "the crop is larger than the pictures, which get a black rim");
    diag_label(e->diags, resize->span, "%s", exact ? arena_printf(e->arena, "%dx%d", to->dim.h, to->dim.w)
                                                   : arena_printf(e->arena, "the shorter side has %lld", (long long)side));
    diag_help(e->diags, (Span){0}, "resize to more than the crop, as 256 for 224x224, or crop less");
}

/* Pictures come out of resize and crop; what comes out last must have the size. */
static bool check_size(Elab *e, Record *r) {
    const Value size = field(r, "size")->value;
    const Span at = field(r, "size")->span;
    Field *crop = field(r, "crop"), *resize = field(r, "resize");
    if (crop->value.kind == V_RECORD) {
        Value c = crop->value.record->field[0].value;
        if (resize->value.kind == V_RECORD) check_window(e, resize, &c, crop->span);
        if (c.dim.h == size.dim.h && c.dim.w == size.dim.w) return true;
        diag_error(e->diags, crop->span, "E0407", "the crop gives %dx%d, but `size` is %dx%d", c.dim.h, c.dim.w,
                   size.dim.h, size.dim.w);
        label_sizes(e, at, &size, crop->span, &c);
        return false;
    }
    if (resize->value.kind == V_RECORD && !strcmp(resize->value.record->call, "shorter")) {
        diag_error(e->diags, resize->span, "E0407", "`shorter` keeps the aspect, so pictures need a crop to %dx%d",
                   size.dim.h, size.dim.w);
        diag_help(e->diags, (Span){0}, "crop = centre(%dx%d)", size.dim.h, size.dim.w);
        return false;
    }
    if (resize->value.kind != V_RECORD) return true;
    Value s = resize->value.record->field[0].value;
    if (s.dim.h == size.dim.h && s.dim.w == size.dim.w) return true;
    diag_error(e->diags, resize->span, "E0407", "resize gives %dx%d, but `size` is %dx%d", s.dim.h, s.dim.w, size.dim.h,
               size.dim.w);
    label_sizes(e, at, &size, resize->span, &s);
    return false;
}

/* filter and antialias are given to resize but hold for the section. */
static void lift_filter(Elab *e, Record *r) {
    const Value resize = field(r, "resize")->value;
    Value filter = value_text("bilinear"), antialias = value_bool(true);
    if (resize.kind == V_RECORD) {
        Field *f = field((Record *)(uintptr_t)resize.record, "filter"),
              *a = field((Record *)(uintptr_t)resize.record, "antialias");
        filter = f->value;
        antialias = a->value;
        f->value = a->value = v_none;
    }
    add_field(e, r, "filter", filter);
    add_field(e, r, "antialias", antialias);
}

static int32_t channels_of(const Record *r) { return strcmp(record_field(r, "colour")->value.text, "grey") ? 3 : 1; }

Ref net_input(Elab *e, Record *r, Name name, Span at) {
    int32_t channels = channels_of(r);
    bool good = complete_levels(e, r, "mean", channels, 0);
    good = complete_levels(e, r, "std", channels, 1) && good;
    if (good) check_levels(e, field(r, "mean"));
    if (good) check_levels(e, field(r, "std"));
    good = check_size(e, r) && good;
    lift_filter(e, r);
    Value size = field(r, "size")->value;
    return good ? net_image(e, r, size.dim.h, size.dim.w, name, at) : 0;
}

Ref net_image(Elab *e, const Record *r, int32_t h, int32_t w, Name name, Span at) {
    int32_t dim[] = {BATCH, channels_of(r), h, w};
    Attr attr = {.input = {INPUT_IMAGE, type_make(DT_F32, 4, dim)}};
    return graph_add(e->graph, OP_input, 0, NULL, &attr, name, at, e->diags);
}

/* ---- other sizes ---- */

/* n * to / from, to the nearest whole number of pixels, halves up. */
static int64_t in_proportion(int64_t n, int32_t to, int32_t from) {
    Wide pixels = ((Wide)2 * n * to + from) / ((Wide)2 * from);
    return pixels < 1 ? 1 : pixels > INT32_MAX ? INT32_MAX : (int64_t)pixels;
}

/* A call of the same name with another size. */
static Value with_size(Elab *e, const Value *call, Value size) {
    Record *r = NEW(e->arena, Record);
    Field f = {.key = name_of("size"), .value = size};
    r->call = call->record->call;
    PUSH(e->arena, r->field, r->n, r->cap, f);
    return (Value){.kind = V_RECORD, .record = r};
}

void input_at_size(Elab *e, const Record *input, Record *eval) {
    const Value to = record_field(eval, "size")->value, from = record_field(input, "size")->value;
    const Value *resize = &record_field(input, "resize")->value, *crop = &record_field(input, "crop")->value;
    if (to.kind != V_DIM) return;
    if (resize->kind == V_RECORD) {
        Value size = record_field(resize->record, "size")->value;
        bool taller = (int64_t)to.dim.h * from.dim.w > (int64_t)to.dim.w * from.dim.h;
        if (size.kind == V_DIM)
            size = value_dim(in_proportion(size.dim.h, to.dim.h, from.dim.h),
                             in_proportion(size.dim.w, to.dim.w, from.dim.w));
        else
            size = value_int(taller ? in_proportion(value_whole(&size), to.dim.h, from.dim.h)
                                    : in_proportion(value_whole(&size), to.dim.w, from.dim.w));
        add_field(e, eval, "resize", with_size(e, resize, size));
    }
    if (crop->kind == V_RECORD) add_field(e, eval, "crop", with_size(e, crop, to));
}

/* ---- augment ---- */

/* What a step does to the size: V_DIM it fixes it, V_LIST it makes it one of several, V_NONE it leaves it, V_TEXT it
 * makes it anything. */
static Value size_after(const Record *step) {
    const Field *size = record_field(step, "size"), *sizes = record_field(step, "sizes");
    if (sizes && sizes->value.kind == V_LIST) return sizes->value;
    if (size) return size->value.kind == V_DIM ? size->value : value_text(step->call);
    return record_field(step, "shorter") ? value_text(step->call) : v_none;
}

/* A step that offers both takes one of the two. */
static bool check_sizes(Elab *e, const Record *step, Span at) {
    const Field *size = record_field(step, "size"), *sizes = record_field(step, "sizes");
    if (!sizes || (size->value.kind == V_NONE) != (sizes->value.kind == V_NONE)) return true;
    if (size->value.kind == V_NONE) {
        diag_error(e->diags, at, "E0105", "`%s` needs `size` or `sizes`", step->call);
    } else {
        diag_error(e->diags, at, "E0465", "`%s` takes `size` or `sizes`, not both", step->call);
        diag_label(e->diags, size->span, "one size");
        diag_label(e->diags, sizes->span, "one of several for each batch");
    }
    return false;
}

static bool is_mix(const Record *step) { return !strcmp(step->call, "mixup") || !strcmp(step->call, "cutmix"); }

const Span *augment_mixes(const SettingList *list, const Value *steps) {
    for (int32_t i = 0; i < steps->n; i++)
        if (is_mix(steps->item[i].record)) return &list->item[i]->span;
    return NULL;
}

/* Batches are mixed when their pictures are ready, each way once, and for at most all batches. */
static void check_mixes(Elab *e, const SettingList *list, const Value *steps) {
    double all = 0;
    const Record *last = NULL, *before = NULL; /* the one or two that mix */
    for (int32_t i = 0; i < steps->n; i++) {
        const Record *r = steps->item[i].record;
        Span at = list->item[i]->span;
        bool twice = (last && !strcmp(r->call, last->call)) || (before && !strcmp(r->call, before->call));
        if (last && (!is_mix(r) || twice)) {
            diag_error(e->diags, at, "E0480",
                       twice ? "`%s` is there twice" : "`%s` comes after `%s`, which mixes pictures that are ready", r->call,
                       last->call);
            return;
        }
        if (!is_mix(r)) continue;
        before = last;
        last = r;
        const Value *p = &record_field(r, "p")->value;
        all += p->kind == V_NONE ? 0 : value_double(p);
        if (all > 1 + 1e-9)
            diag_error(e->diags, at, "E0480",
                       "mixup and cutmix are for different batches, so their `p` are together at most 1");
    }
}

/* Their operations go by the levels of 8 bits. */
static void check_depth(Elab *e, const SettingList *list, const Value *steps, const Record *input) {
    const Value *depth = &record_field(input, "depth")->value;
    for (int32_t i = 0; i < steps->n && value_is_whole(depth) && value_whole(depth) > 8; i++) {
        const char *call = steps->item[i].record->call;
        if (!strcmp(call, "trivial_augment") || !strcmp(call, "rand_augment"))
            diag_error(e->diags, list->item[i]->span, "E0482", "`%s` is for pictures of 8 bits, and the input has depth = 16", call);
    }
}

void check_augment(Elab *e, const SettingList *list, const Value *steps, const Record *input) {
    check_mixes(e, list, steps);
    idle_check_steps(e, list, steps);
    check_depth(e, list, steps, input);
    Value last = v_none, want = record_field(input, "size")->value;
    Span at = {0};
    for (int32_t i = 0; i < steps->n; i++) {
        const Record *step = steps->item[i].record;
        const Span here = list->item[i]->span;
        if (!check_sizes(e, step, here)) return;
        Value v = size_after(step);
        if (v.kind == V_NONE) continue;
        if (last.kind == V_LIST) {
            diag_error(e->diags, here, "E0465", "pictures have one of several sizes, and `%s` gives them another",
                       step->call);
            diag_note(e->diags, at, "`sizes` is for the last step that decides the size");
            return;
        }
        last = v;
        at = here;
    }
    if (last.kind == V_TEXT)
        diag_error(e->diags, at, "E0408", "after `%s` pictures need a crop to %dx%d", last.text, want.dim.h,
                   want.dim.w);
    else if (last.kind == V_DIM && (last.dim.h != want.dim.h || last.dim.w != want.dim.w))
        diag_error(e->diags, at, "E0408", "this gives pictures of %dx%d, but the input's size is %dx%d", last.dim.h,
                   last.dim.w, want.dim.h, want.dim.w);
}
