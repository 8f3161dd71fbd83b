#include "op.h"

#include "scan.h"
#include "shape.h"

#include <math.h>
#include <string.h>

#define OP(id, diff, ...) [OP_##id] = {.name = #id, .shape = shape_##id, __VA_ARGS__},
const OpInfo op_info[OP_COUNT] = {
    [OP_none] = {.name = "none"},
#include "ops.def"
};
#undef OP

Op op_by_name(const char *name) {
    for (int op = OP_none + 1; op < OP_COUNT; op++)
        if (strcmp(op_info[op].name, name) == 0) return (Op)op;
    return OP_none;
}

/* What follows prints, reads, compares and judges attributes, all from one table of fields per kind. */

typedef enum FieldKind { FIELD_I32, FIELD_F64, FIELD_BOOL, FIELD_ENUM, FIELD_TYPE, FIELD_NUMBERS } FieldKind;

typedef struct Field {
    const char *name;
    size_t offset;             /* from the start of Attr */
    FieldKind kind;
    int count;                 /* above 1: an array, printed in brackets */
    const char *const *word;   /* FIELD_ENUM: the names of its n_word values */
    int n_word;
} Field;

static const char *const input_word[INPUT_ROLE_COUNT] = {
    [INPUT_IMAGE] = "image", [INPUT_LABEL] = "label", [INPUT_PARTNER] = "partner",
    [INPUT_SHARE] = "share", [INPUT_LR] = "lr",       [INPUT_AGAIN] = "again"};
const char *const param_role_name[PARAM_ROLE_COUNT] = {
    [PARAM_WEIGHT] = "weight", [PARAM_BUFFER] = "buffer", [PARAM_MOMENTUM] = "momentum", [PARAM_GRADIENT] = "gradient"};
const char *const init_kind_name[INIT_COUNT] = {
    [INIT_CONSTANT] = "constant", [INIT_NORMAL] = "normal", [INIT_UNIFORM] = "uniform",
    [INIT_HE] = "he",             [INIT_XAVIER] = "xavier", [INIT_TORCH] = "torch"};

#define F(member, id, k, n) {.name = #id, .offset = offsetof(Attr, member.id), .kind = FIELD_##k, .count = (n)}
#define F_ENUM(member, id, words)                                                                   \
    {.name = #id, .offset = offsetof(Attr, member.id), .kind = FIELD_ENUM, .count = 1, .word = (words), \
     .n_word = ARRAY_LEN(words)}

static const Field input_field[] = {F_ENUM(input, role, input_word), F(input, type, TYPE, 1)};
static const Field param_field[] = {
    F_ENUM(param, role, param_role_name), F_ENUM(param, init, init_kind_name), F(param, a, F64, 1), F(param, b, F64, 1),
    F(param, frozen, BOOL, 1), F(param, lr_scale, F64, 1), F(param, weight_decay, F64, 1), F(param, type, TYPE, 1)};
static const Field fill_field[] = {F(fill, value, F64, 1), F(fill, per_picture, BOOL, 1), F(fill, type, TYPE, 1)};
static const Field conv_field[] = {
    F(conv, kernel, I32, 2), F(conv, stride, I32, 2), F(conv, dilation, I32, 2), F(conv, pad, I32, 4),
    F(conv, groups, I32, 1), F(conv, in_c, I32, 1), F(conv, in_h, I32, 1), F(conv, in_w, I32, 1)};
static const Field scale_field[] = {F(scale, alpha, F64, 1), F(scale, beta, F64, 1), F(scale, per_picture, BOOL, 1)};
static const Field clip_field[] = {F(clip, lo, F64, 1), F(clip, hi, F64, 1)};
static const Field slope_field[] = {F(slope, slope, F64, 1)};
static const Field norm_field[] = {F(norm, eps, F64, 1), F(norm, momentum, F64, 1), F(norm, ghost, I32, 1)};
static const Field eps_field[] = {F(eps, eps, F64, 1)};
static const Field groups_field[] = {F(groups, eps, F64, 1), F(groups, groups, I32, 1)};
static const Field ghost_field[] = {F(ghost, pictures, I32, 1)};
static const Field dropout_field[] = {F(dropout, p, F64, 1), F(dropout, site, I32, 1), F(dropout, per_picture, BOOL, 1)};
static const Field pool_field[] = {
    F(pool, kernel, I32, 2), F(pool, stride, I32, 2), F(pool, pad, I32, 4), F(pool, ceil, BOOL, 1),
    F(pool, count_pad, BOOL, 1), F(pool, in_h, I32, 1), F(pool, in_w, I32, 1), F(pool, to, I32, 2)};
static const Field lrn_field[] = {F(lrn, size, I32, 1), F(lrn, alpha, F64, 1), F(lrn, beta, F64, 1), F(lrn, k, F64, 1)};
static const Field shape_field[] = {F(shape, type, TYPE, 1)};
static const Field slice_field[] = {F(slice, from, I32, 1), F(slice, count, I32, 1)};
static const Field shuffle_field[] = {F(shuffle, groups, I32, 1)};
static const Field pad_field[] = {F(pad, pad, I32, 4), F(pad, value, F64, 1)};
static const Field resize_field[] = {
    F(resize, from, I32, 2), F(resize, to, I32, 2), F(resize, linear, BOOL, 1), F(resize, corners, BOOL, 1)};
static const Field loss_field[] = {F(loss, smoothing, F64, 1)};
static const Field classes_field[] = {F(classes, classes, I32, 1)};
static const Field table_field[] = {F(table, numbers, NUMBERS, 1)};
static const Field focal_field[] = {F(focal, power, F64, 1), F(focal, hit, F64, 1), F(focal, miss, F64, 1)};
static const Field sgd_field[] = {
    F(sgd, momentum, F64, 1), F(sgd, weight_decay, F64, 1), F(sgd, lr_scale, F64, 1), F(sgd, nesterov, BOOL, 1)};
static const Field adam_field[] = {
    F(adam, beta, F64, 2),     F(adam, eps, F64, 1),       F(adam, weight_decay, F64, 1),
    F(adam, lr_scale, F64, 1), F(adam, decoupled, BOOL, 1)};
static const Field rmsprop_field[] = {
    F(rmsprop, alpha, F64, 1),        F(rmsprop, eps, F64, 1),      F(rmsprop, momentum, F64, 1),
    F(rmsprop, weight_decay, F64, 1), F(rmsprop, lr_scale, F64, 1), F(rmsprop, centred, BOOL, 1),
    F(rmsprop, eps_inside, BOOL, 1)};
static const Field lars_field[] = {
    F(lars, momentum, F64, 1), F(lars, weight_decay, F64, 1), F(lars, trust, F64, 1), F(lars, eps, F64, 1),
    F(lars, lr_scale, F64, 1)};
static const Field ema_field[] = {
    F(ema, momentum, F64, 1), F(ema, unbias, BOOL, 1), F(ema, pixels, I32, 1), F(ema, ghost, I32, 1)};

static const Field winograd_field[] = {
    F(winograd, tile, I32, 1), F(winograd, kernel, I32, 1), F(winograd, pad, I32, 2), F(winograd, out, I32, 3),
    F(winograd, band, I32, 1), F(winograd, flip, BOOL, 1)};

#define FIELDS(table) {(table), ARRAY_LEN(table)}
static const struct {
    const Field *field;
    int n;
} attr_fields[ATTR_COUNT] = {
    [ATTR_INPUT] = FIELDS(input_field), [ATTR_PARAM] = FIELDS(param_field), [ATTR_FILL] = FIELDS(fill_field),
    [ATTR_CONV] = FIELDS(conv_field),   [ATTR_SCALE] = FIELDS(scale_field), [ATTR_CLIP] = FIELDS(clip_field),
    [ATTR_SLOPE] = FIELDS(slope_field), [ATTR_NORM] = FIELDS(norm_field), [ATTR_EPS] = FIELDS(eps_field),
    [ATTR_GROUPS] = FIELDS(groups_field), [ATTR_GHOST] = FIELDS(ghost_field),
    [ATTR_DROPOUT] = FIELDS(dropout_field), [ATTR_POOL] = FIELDS(pool_field), [ATTR_LRN] = FIELDS(lrn_field),
    [ATTR_SHAPE] = FIELDS(shape_field), [ATTR_SLICE] = FIELDS(slice_field), [ATTR_LOSS] = FIELDS(loss_field),
    [ATTR_FOCAL] = FIELDS(focal_field), [ATTR_TABLE] = FIELDS(table_field), [ATTR_CLASSES] = FIELDS(classes_field),
    [ATTR_SGD] = FIELDS(sgd_field), [ATTR_ADAM] = FIELDS(adam_field), [ATTR_RMSPROP] = FIELDS(rmsprop_field),
    [ATTR_LARS] = FIELDS(lars_field), [ATTR_EMA] = FIELDS(ema_field), [ATTR_WINOGRAD] = FIELDS(winograd_field),
    [ATTR_SHUFFLE] = FIELDS(shuffle_field), [ATTR_PAD] = FIELDS(pad_field), [ATTR_RESIZE] = FIELDS(resize_field)};

static void print_i32(Str *s, const Field *f, const void *v) {
    (void)f;
    str_addf(s, "%d", *(const int32_t *)v);
}

static bool read_i32(const char **p, const Field *f, void *v) {
    (void)f;
    return scan_i32(p, v);
}

static bool equal_i32(const void *a, const void *b) { return *(const int32_t *)a == *(const int32_t *)b; }

static void print_f64(Str *s, const Field *f, const void *v) {
    (void)f;
    str_add_double(s, *(const double *)v);
}

static bool read_f64(const char **p, const Field *f, void *v) {
    (void)f;
    return scan_double(p, v);
}

/* By bits: 0 and -0 print differently. */
static bool equal_f64(const void *a, const void *b) { return memcmp(a, b, sizeof(double)) == 0; }

static bool valid_f64(const Field *f, const void *v) {
    (void)f;
    return isfinite(*(const double *)v);
}

static const char *const bool_word[] = {"false", "true"};

static void print_bool(Str *s, const Field *f, const void *v) {
    (void)f;
    str_add(s, bool_word[*(const bool *)v]);
}

static bool read_bool(const char **p, const Field *f, void *v) {
    int which;
    (void)f;
    if (!scan_one_of(p, bool_word, ARRAY_LEN(bool_word), &which)) return false;
    *(bool *)v = which;
    return true;
}

static bool equal_bool(const void *a, const void *b) { return *(const bool *)a == *(const bool *)b; }

/* The enumerations of op.h have no negative values, so gcc and clang store each as an unsigned. */
static void print_enum(Str *s, const Field *f, const void *v) { str_add(s, f->word[*(const unsigned *)v]); }

static bool read_enum(const char **p, const Field *f, void *v) {
    int which;
    if (!scan_one_of(p, f->word, f->n_word, &which)) return false;
    *(unsigned *)v = (unsigned)which;
    return true;
}

static bool equal_enum(const void *a, const void *b) { return *(const unsigned *)a == *(const unsigned *)b; }
static bool valid_enum(const Field *f, const void *v) { return *(const unsigned *)v < (unsigned)f->n_word; }

static void print_type(Str *s, const Field *f, const void *v) {
    (void)f;
    type_print(s, v);
}

static bool read_type(const char **p, const Field *f, void *v) {
    (void)f;
    return type_read(p, v);
}

static bool equal_type(const void *a, const void *b) { return type_equal(a, b); }

static bool valid_type(const Field *f, const void *v) {
    const Type *t = v;
    (void)f;
    return t->dtype < DT_COUNT && t->rank >= 0 && t->rank <= MAX_RANK;
}

static void print_numbers(Str *s, const Field *f, const void *v) {
    (void)f;
    str_addf(s, "[%s]", *(const Name *)v);
}

static bool read_numbers(const char **p, const Field *f, void *v) {
    double x;
    (void)f;
    if (!scan_text(p, "[")) return false;
    const char *from = *p;
    do
        if (!scan_double(p, &x)) return false;
    while (scan_text(p, ","));
    *(Name *)v = name_of_n(from, (size_t)(*p - from));
    return scan_text(p, "]");
}

/* Names are equal if they are the same. */
static bool equal_numbers(const void *a, const void *b) { return *(const Name *)a == *(const Name *)b; }

static bool valid_numbers(const Field *f, const void *v) {
    (void)f;
    return *(const Name *)v && **(const Name *)v;
}

int32_t table_numbers(const TableAttr *t, void (*each)(void *context, int32_t i, double x), void *context) {
    const char *p = t->numbers;
    int32_t n = 0;
    for (double x; scan_double(&p, &x); n++) {
        if (each) each(context, n, x);
        if (!scan_text(&p, ",")) return n + 1;
    }
    return n;
}

_Static_assert(sizeof(InputRole) == sizeof(unsigned) && sizeof(ParamRole) == sizeof(unsigned) &&
               sizeof(InitKind) == sizeof(unsigned), "FIELD_ENUM is read and written as an unsigned");

static const struct {
    size_t size;
    void (*print)(Str *s, const Field *f, const void *v);
    bool (*read)(const char **p, const Field *f, void *v);
    bool (*equal)(const void *a, const void *b);
    bool (*valid)(const Field *f, const void *v);   /* NULL: any value will do */
} field_kind[] = {
    [FIELD_I32] = {sizeof(int32_t), print_i32, read_i32, equal_i32, NULL},
    [FIELD_F64] = {sizeof(double), print_f64, read_f64, equal_f64, valid_f64},
    [FIELD_BOOL] = {sizeof(bool), print_bool, read_bool, equal_bool, NULL},
    [FIELD_ENUM] = {sizeof(unsigned), print_enum, read_enum, equal_enum, valid_enum},
    [FIELD_TYPE] = {sizeof(Type), print_type, read_type, equal_type, valid_type},
    [FIELD_NUMBERS] = {sizeof(Name), print_numbers, read_numbers, equal_numbers, valid_numbers}};

static void print_field(Str *s, const Field *f, const char *v) {
    str_addf(s, f->count > 1 ? "%s=[" : "%s=", f->name);
    for (int i = 0; i < f->count; i++) {
        str_add(s, i ? "," : "");
        field_kind[f->kind].print(s, f, v + (size_t)i * field_kind[f->kind].size);
    }
    str_add(s, f->count > 1 ? "]" : "");
}

void attr_print(Str *s, AttrKind kind, const Attr *attr) {
    if (kind == ATTR_NONE) return;
    for (int i = 0; i < attr_fields[kind].n; i++) {
        const Field *f = &attr_fields[kind].field[i];
        str_add(s, i ? ", " : "{");
        print_field(s, f, (const char *)attr + f->offset);
    }
    str_add(s, "}");
}

static bool read_field(const char **p, const Field *f, char *v) {
    if (!scan_text(p, f->name) || !scan_text(p, f->count > 1 ? "=[" : "=")) return false;
    for (int i = 0; i < f->count; i++) {
        if (i && !scan_text(p, ",")) return false;
        if (!field_kind[f->kind].read(p, f, v + (size_t)i * field_kind[f->kind].size)) return false;
    }
    return f->count == 1 || scan_text(p, "]");
}

bool attr_read(const char **text, AttrKind kind, Attr *attr) {
    memset(attr, 0, sizeof *attr);
    if (kind == ATTR_NONE) return true;
    for (int i = 0; i < attr_fields[kind].n; i++) {
        const Field *f = &attr_fields[kind].field[i];
        if (!scan_text(text, i ? ", " : "{") || !read_field(text, f, (char *)attr + f->offset)) return false;
    }
    return scan_text(text, "}");
}

bool attr_equal(AttrKind kind, const Attr *a, const Attr *b) {
    for (int i = 0; i < attr_fields[kind].n; i++) {
        const Field *f = &attr_fields[kind].field[i];
        for (int k = 0; k < f->count; k++) {
            size_t at = f->offset + (size_t)k * field_kind[f->kind].size;
            if (!field_kind[f->kind].equal((const char *)a + at, (const char *)b + at)) return false;
        }
    }
    return true;
}

const char *attr_invalid(AttrKind kind, const Attr *attr) {
    for (int i = 0; i < attr_fields[kind].n; i++) {
        const Field *f = &attr_fields[kind].field[i];
        for (int k = 0; k < f->count && field_kind[f->kind].valid; k++)
            if (!field_kind[f->kind].valid(f, (const char *)attr + f->offset + (size_t)k * field_kind[f->kind].size))
                return f->name;
    }
    return NULL;
}
