/* The tables of settings.def, and sections through them. See settings.h. */
#include "settings.h"

#include <string.h>

#include "foreign.h"

typedef struct SettingsCall {
    const char *group;
    Function fn;
} SettingsCall;

static const SectionKind section_table[] = {
#define SECTION(id, text, ...) {.name = #id, .keys = text, __VA_ARGS__},
#define STEPS(id) {.name = #id},
#define CLAUSES(id) {.name = #id, .contract = true},
#define CALL(group, id, text)
#define GROUP(text)
#include "settings.def"
#undef SECTION
#undef STEPS
#undef CLAUSES
#undef CALL
#undef GROUP
};

static const SettingsCall call_table[] = {
#define SECTION(...)
#define STEPS(id)
#define CLAUSES(id)
#define CALL(of, id, text) {.group = #of, .fn = {.kind = FN_BUILTIN, .name = #id, .signature = text}},
#define GROUP(text)
#include "settings.def"
#undef SECTION
#undef STEPS
#undef CLAUSES
#undef CALL
#undef GROUP
};

const SectionKind *section_find(const char *name) {
    for (int i = 0; i < ARRAY_LEN(section_table); i++)
        if (!strcmp(section_table[i].name, name)) return &section_table[i];
    return NULL;
}

const SectionKind *section_at(int i) { return i < ARRAY_LEN(section_table) ? &section_table[i] : NULL; }

const Function *settings_call_find(const char *group, const char *name) {
    for (int i = 0; i < ARRAY_LEN(call_table); i++)
        if (!strcmp(call_table[i].group, group) && !strcmp(call_table[i].fn.name, name)) return &call_table[i].fn;
    return NULL;
}

int settings_call_names(const char *group, const char **out, int cap) {
    int n = 0;
    for (int i = 0; i < ARRAY_LEN(call_table) && n < cap; i++)
        if (!strcmp(call_table[i].group, group)) out[n++] = call_table[i].fn.name;
    return n;
}

bool settings_is_later(const char *where, const char *name) {
    static const char *const later[][2] = {
#define LATER(where, name) {#where, #name},
#include "later.def"
#undef LATER
    };
    for (int i = 0; i < ARRAY_LEN(later); i++)
        if (!strcmp(later[i][0], where) && !strcmp(later[i][1], name)) return true;
    return false;
}

const AstExpr *settings_value(const SettingList *list, const char *key) {
    for (int32_t i = 0; i < list->n; i++)
        if (list->item[i]->key && !strcmp(list->item[i]->key, key)) return list->item[i]->value;
    return NULL;
}

static bool misplaced(Elab *e, const char *section, const Setting *s, const char *wants) {
    diag_error(e->diags, s->span, "E0402", "`%s` holds %s", section, wants);
    return false;
}

/* hflip = true is hflip(). */
static void propose_step(Elab *e, const char *group, const Setting *s) {
    enum { MOST = 64 };
    const char *known[MOST];
    int n = settings_call_names(group, known, MOST);
    Suggestion better = s->key ? foreign_suggest(FOREIGN_WORD, group, s->key, known, n) : (Suggestion){0};
    const char *name = s->key && settings_call_find(group, s->key) ? s->key : better.name;
    Span all = s->span;
    if (!name || s->value->span.line != all.line) return;
    all.len = s->value->span.col + s->value->span.len - all.col;
    diag_fix(e->diags, all, arena_printf(e->arena, "%s()", name), "a step is a call");
}

static Value eval_steps(Elab *e, const SectionKind *kind, const SettingList *list) {
    Value *item = NEW_ARRAY(e->arena, Value, list->n);
    const ParamSpec step = {.name = name_of(kind->name), .type = type_find("call", 4), .choice = kind->name};
    bool good = true;
    for (int32_t i = 0; i < list->n; i++) {
        const Setting *s = list->item[i];
        if (s->key || s->group) {
            good = misplaced(e, kind->name, s, "steps, one call a line");
            propose_step(e, kind->name, s);
        }
        else if (s->value->kind == X_ARROW) {
            diag_error(e->diags, s->value->arrow.sign, "E0402", "steps of `%s` stand one a line, in their order, without `->`", kind->name);
            good = false;
        }
        else good = param_eval(e, &step, s->value, &item[i]) && good;
    }
    return good ? value_list(item, list->n) : v_error;
}

/* key = value lines as named arguments of a call of the section's name. */
static bool bind_keys(Elab *e, const Function *fn, bool groups, const SettingList *list, Span at, Bound *b) {
    Call c = {.fn = fn, .span = at};
    bool good = true;
    for (int32_t i = 0; i < list->n; i++) {
        const Setting *s = list->item[i];
        if (s->group && groups) continue;
        if (!s->key) {
            good = misplaced(e, fn->name, s, "settings of the form key = value");
            continue;
        }
        Actual a = {.name = s->key, .expr = s->value, .span = s->span, .at = s->value->span};
        PUSH(e->arena, c.actual, c.n, c.cap, a);
    }
    return bind_call(e, &c, b) && good;
}

static Value eval_keys(Elab *e, const Function *fn, bool groups, const SettingList *list, Span at) {
    Bound *b = NEW(e->arena, Bound);
    if (!bind_keys(e, fn, groups, list, at, b)) return v_error;
    Record *r = NEW(e->arena, Record);
    for (int i = 0; i < b->signature->n; i++) {
        Field f = {
            .key = b->signature->param[i].name, .value = b->value[i], .span = b->given[i] ? b->span[i] : (Span){0}};
        PUSH(e->arena, r->field, r->n, r->cap, f);
    }
    return (Value){.kind = V_RECORD, .record = r};
}

Value section_eval(Elab *e, const SectionKind *kind, const SettingList *list, Span at) {
    if (!kind->keys) return eval_steps(e, kind, list);
    const Function fn = {.kind = FN_BUILTIN, .name = kind->name, .signature = kind->keys};
    return eval_keys(e, &fn, kind->train, list, at);
}

Value group_eval(Elab *e, const SettingList *list, Span at) {
    static const Function fn = {.kind = FN_BUILTIN, .name = "group", .signature =
#define SECTION(...)
#define STEPS(id)
#define CLAUSES(id)
#define CALL(group, id, text)
#define GROUP(text) text
#include "settings.def"
    };
    return eval_keys(e, &fn, false, list, at);
}
