#include "require.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "fields.h"

/* How people write a figure: its number times `scale`, with so many digits, and a unit. */
typedef struct Style {
    const char *figure;
    double scale;
    int digits;
    const char *unit;
} Style;

static const Style styles[] = {
    {"top1", 100, 2, " %"}, {"top5", 100, 2, " %"}, {"latency", 1e3, 3, " ms"}, {"throughput", 1, 1, " img/s"}};

static const Style *style_of(const char *figure) {
    for (size_t i = 0; i < sizeof styles / sizeof styles[0]; i++)
        if (strcmp(styles[i].figure, figure) == 0) return &styles[i];
    return NULL;
}

static double value_of(const Measured *measured, int n, const char *figure) {
    for (int i = 0; i < n; i++)
        if (strcmp(measured[i].figure, figure) == 0) return measured[i].value;
    return NAN;
}

static bool holds(double value, const char *order, double limit) {
    if (order[1] == '=' && value == limit) return true;
    return order[0] == '<' ? value < limit : value > limit;
}

/* "top1 >= 56.50 %" */
static void clause_text(char *text, size_t size, const Style *s, const char *order, double limit) {
    snprintf(text, size, "%s %.2s %.*f%s", s->figure, order, s->digits, limit * s->scale, s->unit);
}

static void check_clause(const json_t *clause, const Measured *measured, int n, json_t *list, RtError *unkept,
                         RtError *err) {
    char text[96];
    const char *figure = field_text(clause, "figure", "require", err),
               *order = field_text(clause, "order", "require", err);
    double limit = field_number(clause, "limit", "require", err), value = value_of(measured, n, figure);
    const Style *s = style_of(figure);
    if (!s) rt_fail(err, RT_INTERNAL, "there is no figure \"%.60s\"", figure);
    if (err->code || isnan(value)) return;
    bool kept = holds(value, order, limit);
    clause_text(text, sizeof text, s, order, limit);
    if (list)
        json_array_append_new(list, json_pack("{s:s, s:s, s:f, s:f, s:b}", "figure", figure, "order", order, "limit",
                                              limit, "measured", value, "kept", kept));
    else
        printf("require %s: measured %.*f%s, %s\n", text, s->digits, value * s->scale, s->unit,
               kept ? "kept" : "not kept");
    if (!kept)
        rt_fail(unkept, RT_UNKEPT, "%s is %.*f%s, and require { } says %s", figure, s->digits, value * s->scale,
                s->unit, text);
}

bool require_check(const Model *m, const Measured *measured, int n, json_t *into, RtError *err) {
    const json_t *clauses = json_object_get(m->settings, "require");
    json_t *list = into ? json_array() : NULL;
    RtError unkept = {.code = RT_OK};
    for (size_t i = 0; i < json_array_size(clauses) && !err->code; i++)
        check_clause(json_array_get(clauses, i), measured, n, list, &unkept, err);
    if (into && json_array_size(list) > 0)
        json_object_set_new(into, "require", list);
    else
        json_decref(list);
    if (unkept.code) rt_fail(err, unkept.code, "%s", unkept.text);
    return !err->code;
}
