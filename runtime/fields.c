#include "fields.h"

#include <math.h>

static const json_t *need(const json_t *object, const char *key, const char *where, RtError *err) {
    const json_t *value = json_object_get(object, key);
    if (!value) rt_fail(err, RT_INTERNAL, "%s has no \"%s\"", where, key);
    return value;
}

static int64_t checked_int(const json_t *value, const char *key, int64_t lo, int64_t hi, const char *where,
                           RtError *err) {
    if (!value) return lo;
    if (!json_is_integer(value)) {
        rt_fail(err, RT_INTERNAL, "%s: \"%s\" is not an integer", where, key);
        return lo;
    }
    int64_t x = json_integer_value(value);
    if (x >= lo && x <= hi) return x;
    rt_fail(err, RT_INTERNAL, "%s: \"%s\" is %lld, outside %lld..%lld", where, key, (long long)x, (long long)lo,
            (long long)hi);
    return lo;
}

int64_t field_int(const json_t *object, const char *key, int64_t lo, int64_t hi, const char *where, RtError *err) {
    return checked_int(need(object, key, where, err), key, lo, hi, where, err);
}

static double checked_number(const json_t *value, const char *key, const char *where, RtError *err) {
    if (value && !json_is_number(value)) rt_fail(err, RT_INTERNAL, "%s: \"%s\" is not a number", where, key);
    return json_number_value(value);
}

double field_number(const json_t *object, const char *key, const char *where, RtError *err) {
    return checked_number(need(object, key, where, err), key, where, err);
}

const char *field_text(const json_t *object, const char *key, const char *where, RtError *err) {
    const json_t *value = need(object, key, where, err);
    if (value && !json_is_string(value)) rt_fail(err, RT_INTERNAL, "%s: \"%s\" is not a text", where, key);
    return json_is_string(value) ? json_string_value(value) : "";
}

const json_t *field_array(const json_t *object, const char *key, const char *where, RtError *err) {
    const json_t *value = need(object, key, where, err);
    if (value && !json_is_array(value)) rt_fail(err, RT_INTERNAL, "%s: \"%s\" is not a list", where, key);
    return json_is_array(value) ? value : NULL;
}

const json_t *field_object(const json_t *object, const char *key, const char *where, RtError *err) {
    const json_t *value = need(object, key, where, err);
    if (value && !json_is_object(value)) rt_fail(err, RT_INTERNAL, "%s: \"%s\" is not an object", where, key);
    return json_is_object(value) ? value : NULL;
}

static const json_t *present(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

double field_number_or(const json_t *object, const char *key, double otherwise, const char *where, RtError *err) {
    const json_t *value = present(object, key);
    return value ? checked_number(value, key, where, err) : otherwise;
}

bool field_bool_or(const json_t *object, const char *key, bool otherwise, const char *where, RtError *err) {
    const json_t *value = present(object, key);
    if (value && !json_is_boolean(value)) rt_fail(err, RT_INTERNAL, "%s: \"%s\" is not true or false", where, key);
    return value ? json_is_true(value) : otherwise;
}

int64_t field_int_or(const json_t *object, const char *key, int64_t otherwise, int64_t lo, int64_t hi,
                     const char *where, RtError *err) {
    const json_t *value = present(object, key);
    return value ? checked_int(value, key, lo, hi, where, err) : otherwise;
}

int field_ints(const json_t *object, const char *key, int64_t lo, int64_t hi, int64_t *out, int most, const char *where,
               RtError *err) {
    const json_t *list = field_array(object, key, where, err);
    size_t n = json_array_size(list);
    if (n > (size_t)most) {
        rt_fail(err, RT_INTERNAL, "%s: \"%s\" has %zu entries, more than %d", where, key, n, most);
        return 0;
    }
    for (size_t i = 0; i < n; i++) out[i] = checked_int(json_array_get(list, i), key, lo, hi, where, err);
    return (int)n;
}

char *field_path(const json_t *object, const char *key, const char *base, RtError *err) {
    const char *path = json_string_value(json_object_get(object, key));
    return !path ? NULL : !base || path[0] == '/' ? rt_copy_text(path, err) : rt_join_path(base, path, err);
}

json_t *field_real(double x) { return isfinite(x) ? json_real(x) : json_null(); }
