/* Signatures, and arguments matched to them: by position, by name, with defaults. See eval.h. */
#include <string.h>

#include "blame.h"
#include "foreign.h"
#include "parse.h"
#include "settings.h"

/* ---- signature texts ---- */

static const char *skip(const char *p, const char *set) { return p + strspn(p, set); }

/* The comma that ends this parameter, or the end: commas inside brackets belong to it. */
static const char *param_end(const char *p) {
    for (int depth = 0; *p && (depth > 0 || *p != ','); p++)
        depth += (*p == '(' || *p == '[') - (*p == ')' || *p == ']');
    return p;
}

/* A default is source text; it is evaluated where no name of the user's is visible. */
static void read_default(Elab *e, ParamSpec *p, const char *text, size_t n) {
    Elab *clean = NEW(e->arena, Elab);
    *clean = (Elab){.arena = e->arena, .diags = diag_new(e->arena)};
    diag_add_file(clean->diags, "signature", "", 0);
    const AstExpr *x = parse_expr(e->arena, clean->diags, text, n, (Span){.line = 1, .col = 1, .len = 1});
    if (!x || !param_eval(clean, p, x, &p->value))
        ice("default of `%s`: %s", p->name, clean->diags->n_message ? clean->diags->message[0].text : "no value");
    p->optional = true;
}

/* name[?|...]: type[(choice)] [= default] */
static ParamSpec read_param(Elab *e, const char *p, const char *end) {
    ParamSpec spec = {.value = v_none};
    size_t n = strcspn(p, "?.: ");
    spec.name = name_of_n(p, n);
    p += n;
    spec.optional = *p == '?';
    spec.rest = *p == '.';
    p = skip(p, "?.: ");
    n = strcspn(p, " ,(=");
    if (p + n > end) n = (size_t)(end - p);
    spec.type = type_find(p, n);
    ICE_UNLESS(spec.type, "parameter `%s` has a type that is not known", spec.name);
    p += n;
    if (p < end && *p == '(') {
        const char *close = strchr(p, ')');
        spec.choice = arena_strndup(e->arena, p + 1, (size_t)(close - p) - 1);
        p = close + 1;
    }
    p = skip(p, " ");
    if (p < end && *p == '=') read_default(e, &spec, skip(p + 1, " "), (size_t)(end - skip(p + 1, " ")));
    return spec;
}

const Signature *signature_of(Elab *e, const char *text) {
    Name key = name_of(text);
    Signature *s = table_get(&e->signatures, key);
    if (s) return s;
    s = NEW(e->arena, Signature);
    s->param = NEW_ARRAY(e->arena, ParamSpec, MAX_PARAMS);
    for (const char *p = skip(text, " "); *p;) {
        const char *end = param_end(p);
        ICE_UNLESS(s->n < MAX_PARAMS, "too many parameters: %s", text);
        s->param[s->n++] = read_param(e, p, end);
        p = skip(end, ", ");
    }
    table_set(e->arena, &e->signatures, key, s);
    return s;
}

/* ---- types of parameters ---- */

/* cats/train without quotes: names that are nothing here. */
static bool is_bare_path(Elab *e, const AstExpr *x) {
    Value v;
    if (x->kind == X_BINARY && x->op.op == OPR_div) return is_bare_path(e, x->op.a) && *foreign_source(e->diags, x->span);
    while (x->kind == X_FIELD) x = x->access.base;
    return x->kind == X_NAME && !name_value(e, x->name, &v) && !foreign_find(FOREIGN_NAME, "", x->name);
}

bool report_bare_text(Elab *e, const AstExpr *x, const char *label, const char *what) {
    if (!is_bare_path(e, x)) return false;
    diag_error(e->diags, x->span, "E0109", "`%s` wants a string: %s stands in quotes", label, what);
    diag_fix(e->diags, x->span, arena_printf(e->arena, "\"%s\"", foreign_source(e->diags, x->span)), "%s", "");
    return true;
}

/* A call that the language has in place of a plain value, and this version does not. */
static bool is_later_call(Elab *e, const ParamSpec *p, const AstExpr *x) {
    Value v;
    const AstExpr *callee = x->kind == X_CALL ? x->call.callee : x;
    if (callee->kind != X_NAME || !settings_is_later(p->name, callee->name) || name_value(e, callee->name, &v)) return false;
    diag_error(e->diags, callee->span, "E0401", "`%s` is not part of this version", callee->name);
    return true;
}

/* ema = ema(0.999) */
static bool is_own_call(Elab *e, const ParamSpec *p, const AstExpr *x) {
    Value v;
    bool own = x->kind == X_CALL && x->call.callee->kind == X_NAME && !strcmp(x->call.callee->name, p->name);
    if (!own || name_value(e, p->name, &v)) return false;
    diag_error(e->diags, x->call.callee->span, "E0109", "`%s` is no call: it wants %s", p->name, p->type->wants);
    if (x->call.arg.n == 1) diag_help(e->diags, (Span){0}, "its value stands alone");
    return true;
}

bool param_eval(Elab *e, const ParamSpec *p, const AstExpr *x, Value *v) {
    if (x->kind == X_ERROR) return false;
    if (!strcmp(p->type->name, "text") && report_bare_text(e, x, p->name, "a path")) return false;
    if (p->type->from_expr) return p->type->from_expr(e, x, v, p->name, p->choice);
    if (is_later_call(e, p, x) || is_own_call(e, p, x)) return false;
    *v = eval(e, x);
    const Value before = *v;
    if (v->kind == V_ERROR) return false;
    if (p->type->convert(e, v, x->span, p->name)) return true;
    explain_value(e, x, &before);
    return false;
}

void help_waiting(Elab *e, const Value *v) {
    const Function *f = v->kind == V_PIPE ? v->pipe->call.fn : NULL;
    if (!f || f->kind != FN_BLOCK) return;
    diag_help(e->diags, (Span){0}, "`%s` waits for its tensor; if its first parameter is a number, name it: %s(%s=...)",
              f->name, f->name, f->block->param.item[0].name);
}

bool report_wants(Elab *e, Span at, const char *label, const char *wants, const Value *got) {
    static const char *const kind[] = {[V_TEXT] = "the string ", [V_DIM] = "the size ", [V_LIST] = "the list "};
    bool named = got->kind < ARRAY_LEN(kind) && kind[got->kind];
    const char *quote = got->kind == V_TEXT ? "\"" : "";
    const char *text = named || value_is_number(got) ? value_text_of(e->arena, got) : value_kind_name(got);
    diag_error(e->diags, at, "E0109", "`%s` wants %s; this is %s%s%s%s", label, wants, named ? kind[got->kind] : "", quote,
               text, quote);
    bool quantity = got->kind == V_TEXT && strspn(got->text, "0123456789") > 0 && foreign_source(e->diags, at)[0] == '"';
    if (quantity) diag_fix(e->diags, at, got->text, "numbers, sizes and times stand without quotes");
    help_waiting(e, got);
    return false;
}

/* ---- binding ---- */

/* Was its value lost before? */
static bool has_failed(const Actual *a) { return !a->expr && a->value.kind == V_ERROR; }

static int find_param(const Signature *s, Name name) {
    for (int i = 0; i < s->n; i++)
        if (s->param[i].name == name) return i;
    return -1;
}

static bool report_unknown_param(Elab *e, const Call *c, const Signature *s, const Actual *a) {
    if (settings_is_later(c->fn->name, a->name)) {
        diag_error(e->diags, a->span, "E0401", "`%s` of `%s` is not part of this version", a->name, c->fn->name);
        return false;
    }
    const char *known[MAX_PARAMS];
    for (int i = 0; i < s->n; i++) known[i] = s->param[i].name;
    const char *where = c->fn->kind == FN_LAYER ? "*" : c->fn->name, *what = section_find(c->fn->name) ? "key" : "parameter";
    Suggestion better = foreign_suggest(FOREIGN_PARAM, where, a->name, known, s->n);
    diag_error(e->diags, a->span, "E0107", "`%s` has no %s `%s`%s", c->fn->name, what, a->name,
               foreign_question(e->arena, &better));
    bool layer = s->n > 0 && c->fn->kind == FN_LAYER;   /* its first parameter comes by the arrow */
    foreign_fix_param(e, c, a, &better, known + layer, s->n - layer);
    return false;
}

/* The parameter that the actual goes to, or -1 if there is none (reported). `next` counts the positional ones. */
static int target(Elab *e, const Call *c, const Signature *s, const Actual *a, int *next) {
    int i;
    if (a->name) {
        i = find_param(s, a->name);
        if (i < 0) report_unknown_param(e, c, s, a);
        return i;
    }
    i = *next < s->n ? *next : -1;
    bool after_tensor = i == 1 && (!strcmp(s->param[i].name, "eps") || !strcmp(s->param[i].name, "shared"));
    bool channels = (after_tensor || (i >= 0 && !strcmp(s->param[i].name, "eps"))) && value_is_whole(&a->value) &&
                    value_whole(&a->value) >= 1;
    if (channels) {
        diag_error(e->diags, a->span, "E0108", "one argument too many: `%s` knows the channels of its input", c->fn->name);
        foreign_leave_out(e, c, a);
        return -1;
    }
    if (i >= 0 && s->param[i].type->by_name && !has_failed(a)) {
        diag_error(e->diags, a->span, "E0108", "one argument too many, or `%s` of `%s` without its name: %s=%s",
                   s->param[i].name, c->fn->name, s->param[i].name, value_text_of(e->arena, &a->value));
        return -1;
    }
    if (i < 0 && !has_failed(a)) diag_error(e->diags, a->span, "E0108", "`%s` takes at most %d argument%s", c->fn->name, s->n,
                              s->n == 1 ? "" : "s");
    if (i >= 0 && !s->param[i].rest) ++*next;
    return i;
}

static bool bind_one(Elab *e, const Call *c, Bound *b, int i, const Actual *a) {
    const ParamSpec *p = &b->signature->param[i];
    if (b->given[i]) {
        diag_error(e->diags, a->span, "E0106", "`%s` of `%s` is given twice", p->name, c->fn->name);
        return false;
    }
    b->given[i] = true;
    b->value[i] = a->value;
    b->span[i] = a->at;
    b->text[i] = a->text;
    if (has_failed(a)) return true;
    if (a->value.kind == V_TEXT && foreign_fix_value(e, c, p->name, a)) return false;
    if (a->expr) return param_eval(e, p, a->expr, &b->value[i]);
    if (p->type->convert(e, &b->value[i], a->at, p->name)) return true;
    b->refused = a;
    return false;
}

static void push_rest(Elab *e, Bound *b, int i, const Actual *a, Value **rest, int32_t *n, int32_t *cap) {
    PUSH(e->arena, *rest, *n, *cap, a->value);
    if (!b->given[i]) b->span[i] = a->span;
    b->given[i] = true;
    b->value[i] = value_list(*rest, *n);
}

/* The call with what it needs: conv(out, kernel). The tensor of a layer comes by the arrow. */
static void show_required(Elab *e, const Call *c, const Signature *s) {
    Str text = STR(e->arena);
    bool some = false;
    for (int i = c->fn->kind == FN_LAYER; i < s->n; i++) {
        if (s->param[i].optional) continue;
        str_addf(&text, "%s%s", some ? ", " : "", s->param[i].name);
        some = true;
    }
    if (some) diag_help(e->diags, (Span){0}, "it is called as %s(%s)", c->fn->name, str_text(&text));
}

/* `loss`, `lr` and `stop`: what is missing from parameter i on. */
static const char *missing_text(Elab *e, const Bound *b, int i) {
    Str s = STR(e->arena);
    int last = i;
    for (int k = i; k < b->signature->n; k++)
        if (!b->given[k] && !b->signature->param[k].optional) last = k;
    for (int k = i; k <= last; k++) {
        if (b->given[k] || b->signature->param[k].optional) continue;
        str_addf(&s, "%s`%s`", k == i ? "" : k == last ? " and " : ", ", b->signature->param[k].name);
    }
    return str_text(&s);
}

static bool fill_defaults(Elab *e, const Call *c, Bound *b) {
    bool good = true, told = c->lost;
    for (int i = 0; i < b->signature->n; i++) {
        const ParamSpec *p = &b->signature->param[i];
        if (b->given[i]) continue;
        if (!p->optional && !told) {
            diag_error(e->diags, c->span, "E0105", "`%s` needs %s", c->fn->name, missing_text(e, b, i));
            if (!section_find(c->fn->name)) show_required(e, c, b->signature);
            told = true;
        }
        good = good && p->optional;
        b->value[i] = p->value;
        b->span[i] = c->span;
    }
    return good;
}

bool bind_call(Elab *e, const Call *c, Bound *b) {
    *b = (Bound){.signature = signature_of(e, c->fn->signature), .at = c->span, .call = c->source};
    Value *rest = NULL;
    int32_t n_rest = 0, cap_rest = 0;
    int next = 0;
    bool good = true, lost = c->lost;
    for (int32_t k = 0; k < c->n; k++) {
        const Actual *a = &c->actual[k];
        lost = lost || has_failed(a);
        int i = target(e, c, b->signature, a, &next);
        if (i < 0) good = false;
        else if (b->signature->param[i].rest && !a->name) push_rest(e, b, i, a, &rest, &n_rest, &cap_rest);
        else good = bind_one(e, c, b, i, a) && good;
    }
    for (int i = 0; i < b->signature->n; i++) {
        const ParamSpec *p = &b->signature->param[i];
        if (p->rest && b->given[i] && !lost) good = p->type->convert(e, &b->value[i], b->span[i], p->name) && good;
    }
    return good && fill_defaults(e, c, b) && !lost;
}

static int bound_index(const Bound *b, const char *param) {
    for (int i = 0; i < b->signature->n; i++)
        if (!strcmp(b->signature->param[i].name, param)) return i;
    ice("a builder asks for the parameter `%s`, which its signature lacks", param);
}

const Value *bound(const Bound *b, const char *param) { return &b->value[bound_index(b, param)]; }
Span bound_span(const Bound *b, const char *param) { return b->span[bound_index(b, param)]; }
bool bound_given(const Bound *b, const char *param) { return b->value[bound_index(b, param)].kind != V_NONE; }
int64_t bound_int(const Bound *b, const char *param) { return value_whole(bound(b, param)); }
double bound_real(const Bound *b, const char *param) { return value_double(bound(b, param)); }
