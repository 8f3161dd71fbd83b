/* See foreign.h. */
#include "foreign.h"

#include <ctype.h>
#include <string.h>

#include "settings.h"

const Foreign foreign_table[] = {
#define FOREIGN(kind, where, written, here, note) {FOREIGN_##kind, where, written, here, note},
#include "foreign.def"
#undef FOREIGN
};
const int n_foreign = ARRAY_LEN(foreign_table);

bool foreign_same(const char *a, const char *b) {
    for (;; a++, b++) {
        while (*a == '_') a++;
        while (*b == '_') b++;
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b)) return false;
        if (!*a) return true;
    }
}

const Foreign *foreign_find(ForeignKind kind, const char *where, const char *written) {
    for (int i = 0; i < n_foreign; i++) {
        const Foreign *f = &foreign_table[i];
        if (f->kind == kind && !strcmp(f->where, where) && foreign_same(f->written, written)) return f;
    }
    return NULL;
}

/* The candidate that `here` names: its first word. */
static const char *named(const char *here, const char *const *candidate, int n) {
    here += here[0] == '-';
    size_t length = strspn(here, "abcdefghijklmnopqrstuvwxyz_0123456789");
    for (int i = 0; i < n; i++)
        if (strlen(candidate[i]) == length && !memcmp(candidate[i], here, length)) return candidate[i];
    return NULL;
}

Suggestion foreign_suggest(ForeignKind kind, const char *where, const char *word, const char *const *candidate, int n) {
    for (int i = 0; i < n; i++)
        if (strcmp(candidate[i], word) != 0 && foreign_same(candidate[i], word))
            return (Suggestion){.name = candidate[i]};
    for (int i = 0; i < n_foreign; i++) {
        const Foreign *f = &foreign_table[i];
        if (f->kind != kind || strcmp(f->where, where) != 0 || !foreign_same(f->written, word)) continue;
        const char *name = f->here ? named(f->here, candidate, n) : NULL;
        if (!name && f->here && settings_is_later(where, f->here)) name = f->here;
        bool special = !f->here || !*f->here || !strcmp(f->here, "..") || !strcmp(f->here, "->") || f->here[0] == '@';
        if (name || special) return (Suggestion){.row = f, .name = name};
    }
    return (Suggestion){.name = did_you_mean(word, candidate, n)};
}

const char *foreign_question(Arena *a, const Suggestion *s) {
    return s->name ? arena_printf(a, "; did you mean `%s`?", s->name) : "";
}

static const char *note_of(const Foreign *row) { return row && row->note ? row->note : ""; }

void foreign_fix_word(Diags *d, Span at, const Suggestion *s) {
    const char *note = note_of(s->row);
    if (s->name)
        diag_fix(d, at, s->name, "%s", note);
    else if (*note)
        diag_help(d, (Span){0}, "%s", note);
}

const char *foreign_source(const Diags *d, Span at) {
    size_t n;
    const char *line = diag_line(d, at, &n);
    if (!line || at.col - 1 + at.len > n) return "";
    return arena_strndup(d->arena, line + at.col - 1, at.len);
}

/* A help whose edits follow. */
static int32_t start_help(Diags *d, const char *note) {
    diag_help(d, (Span){0}, "%s", note);
    return d->n_message - 1;
}

static bool is_before(const Span *a, const Span *b) {
    return a->line < b->line || (a->line == b->line && a->col < b->col);
}

/* The message says already what one word becomes; more than that is worth a look, and a help of nothing is none. */
static void end_help(Diags *d, int32_t help) {
    for (int32_t i = help + 2; d->current >= 0 && i < d->n_message; i++)   /* edits in the order of the text */
        for (int32_t k = i; k > help + 1 && is_before(&d->message[k].span, &d->message[k - 1].span); k--) {
            Message m = d->message[k];
            d->message[k] = d->message[k - 1];
            d->message[k - 1] = m;
        }
    if (d->current < 0 || *d->message[help].text) return;
    int32_t edits = d->n_message - 1 - help;
    if (edits > 1) d->message[help].text = "this is written";
    if (edits == 0) d->n_message = help;
}

/* ---- edits of arguments ---- */

static Span after(Span s) { return (Span){.file = s.file, .line = s.line, .col = s.col + s.len}; }

/* From the start of `a` to the start of `b`, on one line; len 0 if they are not. */
static Span between(Span a, Span b) {
    a.len = a.line == b.line && b.col > a.col ? b.col - a.col : 0;
    return a;
}

/* What has to go so that the argument is not there; len 0 if the arguments stand on several lines. */
static Span argument_extent(const AstExpr *call, int32_t k) {
    const Arg *item = call->call.arg.item;
    if (!item[k].whole.len) return (Span){0};
    if (k == 0) return call->call.arg.n > 1 ? between(item[0].whole, item[1].whole) : call->call.brackets;
    return item[k - 1].whole.len ? between(after(item[k - 1].whole), after(item[k].whole)) : (Span){0};
}

static bool overlaps(const Span *a, const Span *b) {
    return a->line == b->line && a->col < b->col + b->len && b->col < a->col + a->len;
}

/* False if that is not possible beside the edits before it. */
static bool remove_argument(Diags *d, const AstExpr *call, int32_t k) {
    Span all = argument_extent(call, k);
    for (int32_t i = d->n_message - 1; i > d->current && d->current >= 0 && d->message[i].severity == SEV_EDIT; i--)
        if (overlaps(&d->message[i].span, &all)) return false;
    if (all.len) diag_edit(d, all, "");
    return all.len;
}

void foreign_drop_argument(Elab *e, const AstExpr *call, int32_t k) {
    const AstExpr *value = call->call.arg.item[k].value;
    const Foreign *row = value->kind == X_NAME ? foreign_find(FOREIGN_NAME, "", value->name) : NULL;
    if (row && !row->here && call->call.arg.item[k].name) remove_argument(e->diags, call, k);
}

/* A layer or annotation that stands behind the call instead of an argument: activation="relu", name="c1". */
static void move_behind(Diags *d, const AstExpr *call, int32_t k, const Foreign *row) {
    const AstExpr *value = call->call.arg.item[k].value;
    bool layer = !strcmp(row->here, "->");
    const char *text = value->kind == X_STRING ? value->string.text : foreign_source(d, value->span);
    const Foreign *known = layer ? foreign_find(FOREIGN_CALL, "", text) : NULL;
    if (known && known->here) text = known->here;
    if (!call->call.brackets.len || !*text || !remove_argument(d, call, k)) return;
    diag_edit(d, after(call->call.brackets),
              layer ? arena_printf(d->arena, " -> %s", text) : arena_printf(d->arena, "%s(\"%s\")", row->here, text));
}

/* stop=%s epochs: the key and the value. */
static void replace_both(Diags *d, Span key, Span value, const char *here) {
    size_t n = strcspn(here, "=");
    const char *old = foreign_source(d, value), *hole = strstr(here, "%s");
    diag_edit(d, key, arena_strndup(d->arena, here, n));
    if (hole && *old)
        diag_edit(
            d, value,
            arena_printf(d->arena, "%.*s%s%s", (int)(hole - here - (ptrdiff_t)n - 1), here + n + 1, old, hole + 2));
    else if (!hole)
        diag_edit(d, value, here + n + 1);
}

/* Half of the kernel that the call gives as a number, where that keeps the size; NULL if it does not say or is even. */
static const char *half_kernel(Elab *e, const Call *c) {
    const Signature *s = signature_of(e, c->fn->signature);
    int kernel = 0, next = 0;
    while (kernel < s->n && strcmp(s->param[kernel].name, "kernel") != 0) kernel++;
    for (int32_t i = 0; i < c->n; i++) {
        const Actual *a = &c->actual[i];
        const Foreign *row = a->name ? foreign_find(FOREIGN_PARAM, "*", a->name) : NULL;
        const char *name = row && row->here ? row->here : a->name;
        bool here = a->name ? !strcmp(name, "kernel") : next++ == kernel;
        if (here && value_is_whole(&a->value) && value_whole(&a->value) % 2 == 1)
            return arena_printf(e->arena, "%lld", (long long)value_whole(&a->value) / 2);
    }
    return NULL;
}

/* What the string stands for as the value of the parameter; NULL if that is not known. */
static const char *meaning(Elab *e, const Call *c, const char *param, const Value *v, const Foreign **row) {
    bool words = c->fn->kind == FN_LAYER && !strcmp(param, "pad"); /* of layers; others are of sections */
    *row = v->kind == V_TEXT && words ? foreign_find(FOREIGN_WORD, param, v->text) : NULL;
    return !*row ? NULL : !strcmp((*row)->here, "half") ? half_kernel(e, c) : (*row)->here;
}

bool foreign_fix_value(Elab *e, const Call *c, const char *param, const Actual *a) {
    const Foreign *row;
    const char *text = meaning(e, c, param, &a->value, &row);
    if (!row) return false;
    diag_error(e->diags, a->at, "E0109", "`%s` is a number; this is \"%s\"", param, a->value.text);
    int32_t help = start_help(e->diags, note_of(row));
    if (text) diag_edit(e->diags, a->at, text);
    end_help(e->diags, help);
    return true;
}

/* The edits that make the named argument k of the call, or the setting if there is no call, what the row says. */
static void edit_param(Diags *d, const AstExpr *call, int32_t k, Span key, Span value, const Suggestion *s) {
    const char *here = s->row ? s->row->here : s->name;
    if (!here) return;
    if (!*here) {
        if (call) remove_argument(d, call, k);
    } else if (!strcmp(here, "->") || here[0] == '@') {
        if (call) move_behind(d, call, k, s->row);
    } else if (strchr(here, '=')) {
        replace_both(d, key, value, here);
    } else {
        diag_edit(d, key, here);
    }
}

static int32_t argument_index(const AstExpr *call, Span name) {
    for (int32_t i = 0; call && i < call->call.arg.n; i++)
        if (call->call.arg.item[i].span.line == name.line && call->call.arg.item[i].span.col == name.col) return i;
    return -1;
}

void foreign_fix_param(Elab *e, const Call *c, const Actual *a, const Suggestion *s, const char *const *known, int n) {
    Diags *d = e->diags;
    int32_t k = argument_index(c->source, a->span);
    if (s->row || s->name) {
        const Foreign *row;
        const char *text = s->name ? meaning(e, c, s->name, &a->value, &row) : NULL;
        int32_t help = start_help(d, text ? note_of(row) : note_of(s->row));
        edit_param(d, k >= 0 ? c->source : NULL, k, a->span, a->at, s);
        if (text) diag_edit(d, a->at, text);
        end_help(d, help);
        return;
    }
    Str all = STR(d->arena);
    for (int i = 0; i < n; i++) str_addf(&all, "%s%s", i == 0 ? "" : i == n - 1 ? " and " : ", ", known[i]);
    if (n > 0) diag_help(d, (Span){0}, "`%s` has %s", c->fn->name, str_text(&all));
}

void foreign_leave_out(Elab *e, const Call *c, const Actual *a) {
    int32_t help = start_help(e->diags, "leave it out"), k = argument_index(c->source, a->span);
    if (k >= 0) remove_argument(e->diags, c->source, k);
    end_help(e->diags, help);
}

/* ---- calls ---- */

/* pad="same" of a foreign call whose kernel is a number behind `from` + 1 others or has its name. */
static const char *half_text(Elab *e, const AstExpr *call, const AstExpr *pad, int32_t from) {
    const AstExpr *kernel = NULL;
    for (int32_t i = 0; i < call->call.arg.n; i++) {
        const Arg *a = &call->call.arg.item[i];
        const Foreign *row = a->name ? foreign_find(FOREIGN_PARAM, "*", a->name) : NULL;
        if (a->name ? row && row->here && !strcmp(row->here, "kernel") : i == from + 1) kernel = a->value;
    }
    if (kernel && kernel->kind == X_LIST && kernel->list.n > 0) kernel = kernel->list.item[0];
    const Foreign *word = pad->kind == X_STRING ? foreign_find(FOREIGN_WORD, "pad", pad->string.text) : NULL;
    if (!word || strcmp(word->here, "half") != 0) return word ? word->here : NULL;
    bool odd = kernel && kernel->kind == X_NUMBER && value_is_whole(&kernel->literal.value) &&
               value_whole(&kernel->literal.value) % 2;
    return odd ? arena_printf(e->arena, "%lld", (long long)value_whole(&kernel->literal.value) / 2) : NULL;
}

/* The named arguments of a foreign call, as the layer `here` has them. */
static void edit_named(Elab *e, const AstExpr *call, const Function *fn, int32_t from) {
    const Signature *signature = signature_of(e, fn->signature);
    const char *known[MAX_PARAMS];
    for (int i = 0; i < signature->n; i++) known[i] = signature->param[i].name;
    for (int32_t i = 0; i < 2 * call->call.arg.n; i++) { /* annotations first: they stand nearest to the call */
        int32_t k = i % call->call.arg.n;
        const Arg *a = &call->call.arg.item[k];
        bool good = !a->name;
        for (int j = 0; j < signature->n && !good; j++) good = !strcmp(known[j], a->name);
        if (good || k < from) continue;
        Suggestion s = foreign_suggest(FOREIGN_PARAM, "*", a->name, known, signature->n);
        bool annotation = s.row && s.row->here && s.row->here[0] == '@';
        if (annotation == (i >= call->call.arg.n)) continue;
        const char *half = s.name && !strcmp(s.name, "pad") ? half_text(e, call, a->value, from) : NULL;
        if (s.row || s.name) edit_param(e->diags, call, k, a->span, a->value->span, &s);
        if (half) diag_edit(e->diags, a->value->span, half);
    }
}

/* range(n) is 0..n, range(a, b) is a..b. */
static void edit_range(Diags *d, const AstExpr *call, Span callee) {
    const ArgList *arg = &call->call.arg;
    Span brackets = call->call.brackets,
         open = between(callee, after((Span){brackets.file, brackets.line, brackets.col, 1}));
    if (!brackets.len || !open.len || arg->n < 1 || arg->n > 2 || !arg->item[0].whole.len) return;
    diag_edit(d, open, arg->n == 1 ? "0.." : "");
    if (arg->n == 2) diag_edit(d, between(after(arg->item[0].whole), arg->item[1].whole), "..");
    diag_edit(d, (Span){brackets.file, brackets.line, brackets.col + brackets.len - 1, 1}, "");
}

static int positional(const AstExpr *call) {
    int n = 0;
    while (n < call->call.arg.n && !call->call.arg.item[n].name) n++;
    return n;
}

/* Is it the tensor, and not the channels of it? */
static bool is_tensor(Elab *e, const AstExpr *x) {
    Value v;
    return x->kind == X_CALL || x->kind == X_ARROW ||
           (x->kind == X_NAME && name_value(e, x->name, &v) && value_is_tensorish(&v));
}

/* Arguments that the layer needs behind its arrow. */
static int required(Elab *e, const Function *fn) {
    const Signature *s = signature_of(e, fn->signature);
    int n = 0;
    for (int i = 1; i < s->n; i++) n += !s->param[i].optional;
    return n;
}

/* The call as `here` has it; the callee stands at `at`. */
static void edit_call(Elab *e, const AstExpr *x, Span at, const char *here) {
    const AstExpr *call = x->kind == X_CALL ? x : NULL;
    const char *bracket = strchr(here, '(');
    bool drop = here[0] == '-';
    size_t n = strcspn(here + drop, "(");
    const char *name = arena_strndup(e->arena, here + drop, n);
    const Function *fn = layer_find(name);
    if (!strcmp(here, "..")) {
        if (call) edit_range(e->diags, call, at);
        return;
    }
    if (bracket) {
        bool bare = !strcmp(bracket, "()");
        diag_edit(e->diags, at, bare ? name : here);
        if (call && call->call.brackets.len) diag_edit(e->diags, call->call.brackets, "");
        return;
    }
    diag_edit(e->diags, at, name);
    drop = drop && call && positional(call) > required(e, fn) && !is_tensor(e, call->call.arg.item[0].value);
    if (drop) remove_argument(e->diags, call, 0);
    if (call && fn && fn->run) edit_named(e, call, fn, drop);
}

enum { MOST_NAMES = 512 };

static void report_callee(Elab *e, const AstExpr *x, Span at, const char *written, const char *name, const char *note) {
    const char *candidate[MOST_NAMES];
    int n = known_names(e, candidate, MOST_NAMES);
    Suggestion s = foreign_suggest(FOREIGN_CALL, "", name, candidate, n);
    diag_error(e->diags, at, "E0101", "`%s` is not defined%s", written, foreign_question(e->arena, &s));
    const char *here = s.row ? s.row->here : s.name;
    int32_t help = start_help(e->diags, s.row && s.row->note ? s.row->note : note);
    if (here) edit_call(e, x, at, here);
    end_help(e->diags, help);
}

bool foreign_drops_arguments(const AstExpr *callee) {
    const Foreign *row = callee->kind == X_NAME ? foreign_find(FOREIGN_CALL, "", callee->name) : NULL;
    return row && row->here && strchr(row->here, '(');
}

void foreign_report_callee(Elab *e, const AstExpr *x, const AstExpr *callee) {
    const Foreign *row = foreign_find(FOREIGN_NAME, "", callee->name);
    if (row && x->kind != X_CALL) {
        Suggestion s = {.row = row, .name = row->here};
        diag_error(e->diags, callee->span, "E0101", "`%s` is not defined%s", callee->name,
                   foreign_question(e->arena, &s));
        foreign_fix_word(e->diags, callee->span, &s);
        return;
    }
    report_callee(e, x, callee->span, callee->name, callee->name, "");
}

bool foreign_report_prefixed(Elab *e, const AstExpr *x, const AstExpr *callee) {
    const AstExpr *root = callee;
    while (root->kind == X_FIELD) root = root->access.base;
    const Foreign *row = root->kind == X_NAME ? foreign_find(FOREIGN_PREFIX, "", root->name) : NULL;
    if (callee->kind != X_FIELD || !row || variable_find(e, root->name) || table_get(&e->globals, root->name))
        return false;
    const char *name = callee->access.field;
    Name field = name_of(name);
    const char *written = foreign_source(e->diags, callee->span);
    if (layer_find(field) || builtin_find(field)) {
        diag_error(e->diags, callee->span, "E0101", "`%s` is not defined; did you mean `%s`?", written, name);
        diag_fix(e->diags, callee->span, name, "%s", row->note);
    } else {
        report_callee(e, x, callee->span, written, name, row->note);
    }
    return true;
}
