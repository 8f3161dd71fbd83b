/* What parameters accept: one conversion function per type, and the table of them. Types that exist only in settings
 * are in settings_types.c. */
#include <string.h>

#include "foreign.h"
#include "settings.h"

static bool wants(Elab *e, Span at, const char *label, const char *type, const Value *got) {
    return report_wants(e, at, label, type_find(type, strlen(type))->wants, got);
}

static bool to_any(Elab *e, Value *v, Span at, const char *label) {
    (void)e, (void)v, (void)at, (void)label;
    return true;
}

static bool to_tensor(Elab *e, Value *v, Span at, const char *label) {
    if (v->kind == V_TENSOR) return true;
    wants(e, at, label, "tensor", v);
    if (v->kind == V_LIST && v->n > 0 && v->item[0].kind == V_TENSOR)
        diag_help(e->diags, (Span){0}, "a list of tensors is joined by concat, add or mul: -> concat");
    return false;
}

/* A list of tensors; several arguments arrive as a list whose only item may itself be the list. */
static bool to_tensors(Elab *e, Value *v, Span at, const char *label) {
    if (v->kind == V_LIST && v->n == 1 && v->item[0].kind == V_LIST) *v = v->item[0];
    if (v->kind != V_LIST || v->n == 0) return wants(e, at, label, "tensors", v);
    for (int32_t i = 0; i < v->n; i++)
        if (v->item[i].kind != V_TENSOR) return wants(e, at, label, "tensors", &v->item[i]);
    return true;
}

static bool to_list(Elab *e, Value *v, Span at, const char *label) {
    return v->kind == V_LIST || wants(e, at, label, "list", v);
}

/* Proposes another text for a number that stands there as such; false, as the message before it did. */
static bool propose(Elab *e, Span at, const char *text, const char *note) {
    const char *source = foreign_source(e->diags, at);
    size_t n = strspn(source, "0123456789.abcdefghijklmnopqrstuvwxyzKMGB% ");
    if (source[0] >= '0' && source[0] <= '9' && !source[n]) diag_fix(e->diags, at, text, "%s", note);
    return false;
}

static bool unwanted_unit(Elab *e, const Value *v, Span at, const char *label, const char *type) {
    Value plain = *v;
    plain.unit = UNIT_NONE;
    wants(e, at, label, type, v);
    return propose(e, at, value_text_of(e->arena, &plain), "");
}

/* Whole and within int32: the message says so apart from a wrong kind, because 96/64 is the usual slip. */
static bool whole_from(Elab *e, Value *v, Span at, const char *label, const char *type, int64_t least) {
    if (value_is_number(v) && v->unit) return unwanted_unit(e, v, at, label, type);
    if (!value_is_number(v)) return wants(e, at, label, type, v);
    if (!value_is_whole(v)) {
        diag_error(e->diags, at, "E0117", "`%s` must be a whole number; this is %s", label, value_text_of(e->arena, v));
        return false;
    }
    int64_t n = value_whole(v);
    if (n < least || n > INT32_MAX) return wants(e, at, label, type, v);
    *v = value_int(n);
    return true;
}

static bool to_count(Elab *e, Value *v, Span at, const char *label) {
    return whole_from(e, v, at, label, "count", 1);
}

static bool to_whole(Elab *e, Value *v, Span at, const char *label) {
    return whole_from(e, v, at, label, "whole", 0);
}

/* Beyond this a float32 would be infinite. */
#define MAX_REAL 1e30

/* A number without unit in [lo, hi], or (lo, hi) where the flag excludes the end. */
static bool real_in(Elab *e, Value *v, Span at, const char *label, const char *type, double lo, double hi, bool open_lo,
                    bool open_hi) {
    if (!value_is_number(v) || v->unit) return wants(e, at, label, type, v);
    double x = value_double(v);
    if (x >= lo && x <= hi && !(open_lo && x == lo) && !(open_hi && x == hi)) return true;
    if (x > hi && hi == MAX_REAL) return report_wants(e, at, label, "a number of at most 1e30", v);
    if (x < lo && lo == -MAX_REAL) return report_wants(e, at, label, "a number of at least -1e30", v);
    wants(e, at, label, type, v);
    bool percent = hi == 1 && x > 1 && x < 100;
    return percent && propose(e, at, arena_printf(e->arena, "%s%%", value_text_of(e->arena, v)), "per cent are written");
}

static bool to_number(Elab *e, Value *v, Span at, const char *label) {
    return value_is_number(v) || wants(e, at, label, "number", v);
}

static bool to_real(Elab *e, Value *v, Span at, const char *label) {
    return real_in(e, v, at, label, "real", -MAX_REAL, MAX_REAL, false, false);
}

static bool to_positive(Elab *e, Value *v, Span at, const char *label) {
    return real_in(e, v, at, label, "positive", 0, MAX_REAL, true, false);
}

/* Smaller ones are no normal float32s, or soon are none. */
static bool to_eps(Elab *e, Value *v, Span at, const char *label) {
    return real_in(e, v, at, label, "eps", 1e-30, MAX_REAL, false, false);
}

static bool to_nonnegative(Elab *e, Value *v, Span at, const char *label) {
    return real_in(e, v, at, label, "nonnegative", 0, MAX_REAL, false, false);
}

static bool to_fraction(Elab *e, Value *v, Span at, const char *label) {
    return real_in(e, v, at, label, "fraction", 0, 1, false, false);
}

static bool to_below_one(Elab *e, Value *v, Span at, const char *label) {
    return real_in(e, v, at, label, "below_one", 0, 1, false, true);
}

static bool to_bool(Elab *e, Value *v, Span at, const char *label) {
    return v->kind == V_BOOL || wants(e, at, label, "bool", v);
}

static bool to_text(Elab *e, Value *v, Span at, const char *label) {
    return v->kind == V_TEXT || wants(e, at, label, "text", v);
}

/* Exactly n whole numbers of at least `least` from a list. */
static bool list_of_whole(const Value *v, int n, int64_t least, int32_t *out) {
    if (v->kind != V_LIST || v->n != n) return false;
    for (int i = 0; i < n; i++) {
        if (!value_is_whole(&v->item[i])) return false;
        int64_t x = value_whole(&v->item[i]);
        if (x < least || x > INT32_MAX) return false;
        out[i] = (int32_t)x;
    }
    return true;
}

/* k, [kh, kw] or KHxKW, all at least 1: V_DIM. */
static bool to_pair(Elab *e, Value *v, Span at, const char *label) {
    if (v->kind == V_DIM) return true;
    int32_t hw[2];
    if (list_of_whole(v, 2, 1, hw)) {
        *v = value_dim(hw[0], hw[1]);
        return true;
    }
    if (v->kind == V_LIST) return wants(e, at, label, "pair", v);
    if (!whole_from(e, v, at, label, "pair", 1)) return false;
    *v = value_dim(v->ratio.num, v->ratio.num);
    return true;
}

/* n, [h, w] or [top, bottom, left, right], all at least 0: V_PAD. */
static bool to_pad(Elab *e, Value *v, Span at, const char *label) {
    Value pad = {.kind = V_PAD};
    int32_t hw[2];
    if (list_of_whole(v, 2, 0, hw)) {
        pad.pad[0] = pad.pad[1] = hw[0];
        pad.pad[2] = pad.pad[3] = hw[1];
    } else if (!list_of_whole(v, 4, 0, pad.pad)) {
        if (v->kind == V_LIST || v->kind == V_DIM) return wants(e, at, label, "pad", v);
        if (!whole_from(e, v, at, label, "pad", 0)) return false;
        for (int i = 0; i < 4; i++) pad.pad[i] = (int32_t)v->ratio.num;
    }
    *v = pad;
    return true;
}

/* A count, or a list of counts. */
static bool to_parts(Elab *e, Value *v, Span at, const char *label) {
    if (v->kind != V_LIST) return whole_from(e, v, at, label, "parts", 1);
    bool good = v->n > 0;
    for (int32_t i = 0; i < v->n && good; i++)
        good = value_is_whole(&v->item[i]) && value_whole(&v->item[i]) >= 1 && value_whole(&v->item[i]) <= INT32_MAX;
    return good || wants(e, at, label, "parts", v);
}

/* n or [height, width], at least 0: V_PAD with these two. */
static bool to_extra(Elab *e, Value *v, Span at, const char *label) {
    int32_t two[2];
    if (!list_of_whole(v, 2, 0, two)) {
        if (v->kind == V_LIST) return wants(e, at, label, "extra", v);
        if (!whole_from(e, v, at, label, "extra", 0)) return false;
        two[0] = two[1] = (int32_t)v->ratio.num;
    }
    *v = (Value){.kind = V_PAD, .pad = {two[0], 0, two[1], 0}};
    return true;
}

/* [top, left]: V_PAD with these two. */
static bool to_place(Elab *e, Value *v, Span at, const char *label) {
    int32_t two[2];
    if (!list_of_whole(v, 2, 0, two)) return wants(e, at, label, "place", v);
    *v = (Value){.kind = V_PAD, .pad = {two[0], 0, two[1], 0}};
    return true;
}

/* V_BOOL, true for bilinear. */
static bool to_filter(Elab *e, Value *v, Span at, const char *label) {
    bool linear = v->kind == V_TEXT && !strcmp(v->text, "bilinear");
    if (!linear && !(v->kind == V_TEXT && !strcmp(v->text, "nearest"))) return wants(e, at, label, "filter", v);
    *v = value_bool(linear);
    return true;
}

/* HxW or [h, w], nothing shorter: a size of pictures. */
static bool to_dim(Elab *e, Value *v, Span at, const char *label) {
    int32_t hw[2];
    if (list_of_whole(v, 2, 1, hw)) *v = value_dim(hw[0], hw[1]);
    if (v->kind == V_DIM) return true;
    wants(e, at, label, "dim", v);
    const char *side = value_is_whole(v) && value_whole(v) >= 1 ? value_text_of(e->arena, v) : NULL;
    const char *source = foreign_source(e->diags, at);
    bool literal = *source >= '0' && *source <= '9';
    if (side && *source && !literal)
        diag_fix(e->diags, at, arena_printf(e->arena, "[%s, %s]", source, source), "height and width");
    return side && literal && propose(e, at, arena_printf(e->arena, "%sx%s", side, side), "height and width");
}

/* `he` alone is he(). */
static bool to_init(Elab *e, Value *v, Span at, const char *label) {
    if (v->kind == V_FUNC && v->func->kind == FN_BUILTIN && !strcmp(v->func->signature, "")) {
        Call c = {.fn = v->func, .span = at};
        *v = call_run(e, &c);
    }
    if (v->kind == V_INIT) return true;
    wants(e, at, label, "init", v);
    const Function *named = v->kind == V_TEXT ? builtin_find(name_of(v->text)) : NULL;
    return named && !strcmp(named->signature, "") && propose(e, at, named->name, "");
}

static bool to_bias(Elab *e, Value *v, Span at, const char *label) {
    if (v->kind == V_BOOL) return true;
    if (!value_is_number(v)) return wants(e, at, label, "bias", v);
    return to_real(e, v, at, label);
}

/* The functions floor and ceil, as words: V_BOOL, true for ceil. */
static bool to_round(Elab *e, Value *v, Span at, const char *label) {
    bool ceil = v->kind == V_FUNC && !strcmp(v->func->name, "ceil");
    if (!ceil && !(v->kind == V_FUNC && !strcmp(v->func->name, "floor"))) return wants(e, at, label, "round", v);
    *v = value_bool(ceil);
    return true;
}

/* As PyTorch spells it: V_BOOL, true for "tanh". */
static bool to_approximation(Elab *e, Value *v, Span at, const char *label) {
    bool tanh = v->kind == V_TEXT && !strcmp(v->text, "tanh");
    if (!tanh && !(v->kind == V_TEXT && !strcmp(v->text, "none"))) return wants(e, at, label, "approximation", v);
    *v = value_bool(tanh);
    return true;
}

/* ONE ROW PER TYPE that values have. */
static const ParamType type_table[] = {
    {.name = "any", .wants = "a value", .convert = to_any},
    {.name = "tensor", .wants = "a tensor", .convert = to_tensor},
    {.name = "tensors", .wants = "tensors", .convert = to_tensors},
    {.name = "list", .wants = "a list", .convert = to_list},
    {.name = "count", .wants = "a whole number from 1 to 2147483647", .convert = to_count},
    {.name = "whole", .wants = "a whole number from 0 to 2147483647", .convert = to_whole},
    {.name = "number", .wants = "a number", .convert = to_number},
    {.name = "real", .wants = "a number without a unit", .convert = to_real},
    {.name = "positive", .wants = "a number above 0", .convert = to_positive},
    {.name = "eps", .wants = "a number of at least 1e-30", .convert = to_eps, .by_name = true}, /* of norms, and no channels */
    {.name = "nonnegative", .wants = "a number of at least 0", .convert = to_nonnegative},
    {.name = "fraction", .wants = "a number from 0 to 1", .convert = to_fraction},
    {.name = "below_one", .wants = "a number of at least 0 and below 1", .convert = to_below_one},
    {.name = "bool", .wants = "true or false", .convert = to_bool, .by_name = true},
    {.name = "text", .wants = "a string", .convert = to_text},
    {.name = "pair", .wants = "a whole number above 0, [height, width] or a size like 3x5", .convert = to_pair},
    {.name = "pad",
     .wants = "a whole number of at least 0, [height, width] or [top, bottom, left, right]",
     .convert = to_pad},
    {.name = "parts", .wants = "how many equal parts, or a list of their channels", .convert = to_parts},
    {.name = "extra", .wants = "a whole number of at least 0 or [height, width]", .convert = to_extra},
    {.name = "place", .wants = "[top, left]", .convert = to_place},
    {.name = "filter", .wants = "\"nearest\" or \"bilinear\"", .convert = to_filter},
    {.name = "dim", .wants = "a size like 224x224", .convert = to_dim},
    {.name = "init",
     .wants = "an initialiser: normal(std), uniform(a, b), constant(c), he, xavier or torch",
     .convert = to_init,
     .by_name = true},
    {.name = "bias", .wants = "true, false or the number it starts with", .convert = to_bias, .by_name = true},
    {.name = "round", .wants = "floor or ceil", .convert = to_round},
    {.name = "approximation", .wants = "\"none\" or \"tanh\"", .convert = to_approximation},
};

const ParamType *type_find(const char *name, size_t n) {
    for (int i = 0; i < ARRAY_LEN(type_table); i++)
        if (strlen(type_table[i].name) == n && !memcmp(type_table[i].name, name, n)) return &type_table[i];
    return settings_type_find(name, n);
}
