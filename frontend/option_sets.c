/* The sets that options are chosen from, as text: what `cnnc sweep` goes through. See frontend.h. */
#include <string.h>

#include "bundle.h"

/* As source. On its own a string has no quotes, as -D wants it. */
static void add_source(Str *s, const Value *v, bool alone) {
    if (v->kind == V_LIST) {
        str_add(s, "[");
        for (int32_t i = 0; i < v->n; i++) {
            if (i) str_add(s, ", ");
            add_source(s, &v->item[i], false);
        }
        str_add(s, "]");
    } else if (v->kind == V_TEXT && !alone) {
        str_add(s, "\"");
        for (const char *c = v->text; *c; c++) str_addf(s, strchr("\"\\{}", *c) ? "\\%c" : "%c", *c);
        str_add(s, "\"");
    } else {
        value_print(s, v, MAX_STRING);
    }
}

static const char *text_of(Arena *a, const Value *v) {
    Str s = STR(a);
    add_source(&s, v, true);
    return str_text(&s);
}

static const char *json_of(Arena *a, const Value *v) {
    Str s = STR(a);
    value_json(&s, v);
    return str_text(&s);
}

static void add_value(Arena *a, OptionSet *o, const Value *v) {
    o->value[o->n] = text_of(a, v);
    o->json[o->n++] = json_of(a, v);
}

/* The ends of an interval and the usual value, if that is between them. */
static void add_interval(Arena *a, OptionSet *o, const Value *set, const Value *usual) {
    double lo = value_double(&set->item[0]), hi = value_double(&set->item[1]), x = value_double(usual);
    o->members = -1;
    add_value(a, o, &set->item[0]);
    if (lo < x && x < hi) add_value(a, o, usual);
    if (lo < hi) add_value(a, o, &set->item[1]);
}

/* Can -D say it? */
static bool has_text(const Value *v) {
    bool good = v->kind != V_PIPE && v->kind != V_INIT;
    for (int32_t i = 0; good && v->kind == V_LIST && i < v->n; i++) good = has_text(&v->item[i]);
    return good;
}

static void add_set(Arena *a, OptionSet *o, const Value *set, const Value *usual) {
    if (set->kind != V_LIST) return;
    int32_t most = set->n < OPTION_SET_MOST ? set->n : OPTION_SET_MOST;
    o->value = NEW_ARRAY(a, const char *, most + 1);
    o->json = NEW_ARRAY(a, const char *, most + 1);
    o->members = set->n;
    if (value_is_number(usual) && option_set_is_interval(set)) {
        add_interval(a, o, set, usual);
        return;
    }
    for (int32_t i = 0; has_text(set) && set->n <= OPTION_SET_MOST && i < set->n; i++) add_value(a, o, &set->item[i]);
}

bool frontend_option_sets(Arena *a, Diags *d, const char *path, const FrontendOptions *options, OptionSet **out,
                          int32_t *n) {
    Elab *e = NEW(a, Elab);
    *e = (Elab){.arena = a, .diags = d};
    Bundle *p = NEW(a, Bundle);
    *p = (Bundle){.elab = e, .options = options};
    bundle_load(p, path);
    if (d->n_error) return false;
    *n = p->option.n;
    *out = NEW_ARRAY(a, OptionSet, *n);
    for (int32_t i = 0; i < *n; i++) {
        const Item *item = p->option.item[i];
        const Global *g = table_get(&e->globals, item->name);
        OptionSet *o = &(*out)[i];
        *o = (OptionSet){.name = item->name, .usual = text_of(a, &g->value)};
        Value set = item->set ? eval(e, item->set) : v_none;
        add_set(a, o, &set, &g->value);
    }
    return d->n_error == 0;
}
