/* Compile-time values: making, comparing, printing. See value.h. Operators are in eval_op.c. */
#include "eval.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const measure_name[] = {"", "epochs", "steps", "batches", "images", "s", "bytes"};

Value value_int(int64_t n) { return (Value){.kind = V_RATIO, .ratio = {n, 1}}; }
Value value_real(double x) { return (Value){.kind = V_REAL, .real = x}; }
Value value_bool(bool b) { return (Value){.kind = V_BOOL, .flag = b}; }
Value value_text(const char *text) { return (Value){.kind = V_TEXT, .text = text}; }
Value value_list(const Value *item, int32_t n) { return (Value){.kind = V_LIST, .n = n, .item = item}; }

Value value_dim(int64_t h, int64_t w) {
    if (h < 1 || w < 1 || h > INT32_MAX || w > INT32_MAX) return (Value){.kind = V_ERROR};
    return (Value){.kind = V_DIM, .dim = {(int32_t)h, (int32_t)w}};
}

static Wide gcd(Wide a, Wide b) {
    while (b) {
        Wide t = a % b;
        a = b;
        b = t;
    }
    return a;
}

Value value_ratio(Wide num, Wide den) {
    if (den == 0) return (Value){.kind = V_ERROR};
    Wide g = gcd(num < 0 ? -num : num, den < 0 ? -den : den);
    if (den < 0) g = -g;
    num /= g;
    den /= g;
    if (num > INT64_MAX || num < -INT64_MAX || den > INT64_MAX) return (Value){.kind = V_ERROR};
    return (Value){.kind = V_RATIO, .ratio = {(int64_t)num, (int64_t)den}};
}

bool value_is_number(const Value *v) { return v->kind == V_RATIO || v->kind == V_REAL; }

/* Reals count as whole only where doubles are still exact integers. */
bool value_is_whole(const Value *v) {
    if (v->unit != UNIT_NONE) return false;
    if (v->kind == V_RATIO) return v->ratio.den == 1;
    return v->kind == V_REAL && v->real == floor(v->real) && fabs(v->real) < 9007199254740992.0;
}

double value_double(const Value *v) {
    return v->kind == V_RATIO ? (double)v->ratio.num / (double)v->ratio.den : v->real;
}

int64_t value_whole(const Value *v) { return v->kind == V_RATIO ? v->ratio.num : (int64_t)v->real; }

int value_compare(const Value *a, const Value *b) {
    if (a->kind == V_RATIO && b->kind == V_RATIO) {
        Wide left = (Wide)a->ratio.num * b->ratio.den, right = (Wide)b->ratio.num * a->ratio.den;
        return (left > right) - (left < right);
    }
    double left = value_double(a), right = value_double(b);
    return (left > right) - (left < right);
}

static bool list_equal(const Value *a, const Value *b, int64_t *budget) {
    if (a->n != b->n) return false;
    if (a->item == b->item) return true;
    for (int32_t i = 0; i < a->n && *budget >= 0; i++)
        if (!value_equal(&a->item[i], &b->item[i], budget)) return false;
    return true;
}

bool value_equal(const Value *a, const Value *b, int64_t *budget) {
    --*budget;
    if (value_is_number(a) && value_is_number(b))
        return a->unit == b->unit && value_compare(a, b) == 0;
    if (a->kind != b->kind) return false;
    switch (a->kind) {
    case V_BOOL: return a->flag == b->flag;
    case V_TEXT: return !strcmp(a->text, b->text);
    case V_DIM: return a->dim.h == b->dim.h && a->dim.w == b->dim.w;
    case V_LIST: return list_equal(a, b, budget);
    case V_TENSOR: return a->tensor == b->tensor;
    case V_FUNC: return a->func == b->func;
    default: return false;
    }
}

static void print_number(Str *s, const Value *v) {
    if (v->kind == V_REAL) str_add_double(s, v->real);
    else if (v->ratio.den == 1) str_addf(s, "%lld", (long long)v->ratio.num);
    else str_addf(s, "%lld/%lld", (long long)v->ratio.num, (long long)v->ratio.den);
    if (v->unit != UNIT_NONE) str_addf(s, " %s", v->unit == UNIT_SECONDS ? "sec" : measure_name[v->unit]);
}

static void print_list(Str *s, const Value *v, size_t stop) {
    str_add(s, "[");
    for (int32_t i = 0; i < v->n; i++) {
        if (i) str_add(s, ", ");
        if (s->n >= stop) {
            str_add(s, "...");
            break;
        }
        value_print(s, &v->item[i], stop - s->n);
    }
    str_add(s, "]");
}

void value_print(Str *s, const Value *v, size_t limit) {
    switch (v->kind) {
    case V_RATIO:
    case V_REAL: print_number(s, v); break;
    case V_BOOL: str_add(s, v->flag ? "true" : "false"); break;
    case V_TEXT: str_addn(s, v->text, strnlen(v->text, limit)); break;
    case V_DIM: str_addf(s, "%dx%d", v->dim.h, v->dim.w); break;
    case V_LIST: print_list(s, v, s->n + limit); break;
    case V_FUNC: str_add(s, v->func->name); break;
    default: str_add(s, value_kind_name(v)); break;
    }
}

const char *value_text_of(Arena *a, const Value *v) {
    Str s = STR(a);
    value_print(&s, v, 80);
    return str_text(&s);
}

const char *value_kind_name(const Value *v) {
    static const char *const name[] = {
        "a mistake", "nothing", "a number", "a number", "true or false", "a string", "a size", "a padding", "a list",
        "a tensor", "a pipeline", "a function", "an initialiser", "a call"
    };
    if (value_is_number(v) && v->unit != UNIT_NONE) return "a number with a unit";
    return name[v->kind];
}

static void json_number(Str *s, const Value *v) {
    if (v->kind == V_RATIO && v->ratio.den == 1) str_addf(s, "%lld", (long long)v->ratio.num);
    else str_add_double(s, value_double(v));
}

static void json_record(Str *s, const Record *r) {
    const char *separator = "";
    str_add(s, "{");
    if (r->call) {
        str_add(s, "\"call\": ");
        str_add_json(s, r->call);
        separator = ", ";
    }
    for (int32_t i = 0; i < r->n; i++) {
        if (r->field[i].value.kind == V_NONE) continue;
        str_add(s, separator);
        str_add_json(s, r->field[i].key);
        str_add(s, ": ");
        value_json(s, &r->field[i].value);
        separator = ", ";
    }
    str_add(s, "}");
}

void value_json(Str *s, const Value *v) {
    switch (v->kind) {
    case V_RATIO:
    case V_REAL:
        if (v->unit == UNIT_NONE || v->unit == UNIT_BYTES) {
            json_number(s, v);
        } else {
            str_add(s, "{\"value\": ");
            json_number(s, v);
            str_addf(s, ", \"unit\": \"%s\"}", measure_name[v->unit]);
        }
        break;
    case V_BOOL: str_add(s, v->flag ? "true" : "false"); break;
    case V_TEXT: str_add_json(s, v->text); break;
    case V_DIM: str_addf(s, "[%d, %d]", v->dim.h, v->dim.w); break;
    case V_LIST:
        str_add(s, "[");
        for (int32_t i = 0; i < v->n; i++) {
            if (i) str_add(s, ", ");
            value_json(s, &v->item[i]);
        }
        str_add(s, "]");
        break;
    case V_RECORD: json_record(s, v->record); break;
    case V_FUNC: str_add_json(s, v->func->name); break;
    default: str_add(s, "null"); break;
    }
}

const Field *record_field(const Record *r, const char *key) {
    for (int32_t i = 0; i < r->n; i++)
        if (!strcmp(r->field[i].key, key)) return &r->field[i];
    return NULL;
}

/* What may stand behind a number: the factor is num/den. */
static const struct { const char *text; int64_t num, den; Measure unit; } suffix[] = {
    {"", 1, 1, UNIT_NONE},
#define UNIT(text, num, den, measure) {text, num, den, measure},
#include "words.def"
};

static Value bad_number(const char **error, const char *why) {
    *error = why;
    return (Value){.kind = V_ERROR};
}

static Value read_integer(const char *text, size_t n, const char **error) {
    int64_t x = 0;
    for (size_t i = 0; i < n; i++)
        if (!mul_ok(x, 10, &x) || !add_ok(x, text[i] - '0', &x)) return bad_number(error, "this number is too large");
    return value_int(x);
}

static Value read_real(const char *text, size_t n, const char **error) {
    char buffer[128];
    if (n >= sizeof buffer) return bad_number(error, "this number is too long");
    memcpy(buffer, text, n);
    buffer[n] = 0;
    double x = strtod(buffer, NULL);
    if (!isfinite(x)) return bad_number(error, "this number is too large");
    if (x != 0 && fabs(x) < 1e-300) return bad_number(error, "this number is too near to zero");
    if (x == 0 && strspn(buffer, "0.") < strcspn(buffer, "eE"))
        return bad_number(error, "this number is too near to zero");
    return value_real(x);
}

static Value scale_number(Value x, int64_t num, int64_t den, const char **error) {
    if (x.kind == V_REAL) return value_real(x.real * (double)num / (double)den);
    x = value_ratio((Wide)x.ratio.num * num, den);
    return x.kind == V_ERROR ? bad_number(error, "this number is too large") : x;
}

Value value_read_number(const char *text, size_t n, const char **error) {
    size_t digits = 0;
    bool real = false;
    while (digits < n && (strchr("0123456789.", text[digits]) || (strchr("eE", text[digits]) && digits + 1 < n &&
                                                                 strchr("0123456789+-", text[digits + 1])))) {
        if (strchr("eE", text[digits])) digits++;   /* the sign or digit after it belongs to the exponent */
        real = real || text[digits] == '.' || strchr("eE", text[digits > 0 ? digits - 1 : 0]);
        digits++;
    }
    if (digits > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9')
        return bad_number(error, "a number does not start with 0");
    Value x = real ? read_real(text, digits, error) : read_integer(text, digits, error);
    size_t unit = digits;
    while (unit < n && strchr(" \t", text[unit])) unit++;
    for (int i = 0; i < ARRAY_LEN(suffix) && x.kind != V_ERROR; i++)
        if (strlen(suffix[i].text) == n - unit && !memcmp(suffix[i].text, text + unit, n - unit)) {
            x = scale_number(x, suffix[i].num, suffix[i].den, error);
            x.unit = (uint8_t)suffix[i].unit;
            return x;
        }
    return x.kind == V_ERROR ? x : bad_number(error, "this unit is not known");
}
