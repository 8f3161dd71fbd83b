/* Files, `use`, constants, options and blocks. See bundle.h. */
#include "bundle.h"

#include <string.h>

#include "derive.h"
#include "foreign.h"
#include "parse.h"

/* ---- options ---- */

/* [0.0, 0.9] is an interval; [11, 13] is a set of two. */
bool option_set_is_interval(const Value *set) {
    const Value *lo = set->item, *hi = set->item + 1;
    if (set->n != 2 || !value_is_number(lo) || !value_is_number(hi)) return false;
    return lo->kind != V_RATIO || lo->ratio.den != 1 || hi->kind != V_RATIO || hi->ratio.den != 1;
}

static bool within(const Value *v, const Value *set, int64_t *budget) {
    const Value *lo = set->item, *hi = set->item + 1;
    if (value_is_number(v) && option_set_is_interval(set))
        return lo->unit == v->unit && hi->unit == v->unit && value_compare(lo, v) <= 0 && value_compare(v, hi) <= 0;
    for (int32_t i = 0; i < set->n; i++)
        if (value_equal(v, &set->item[i], budget)) return true;
    return false;
}

static bool check_set(Elab *e, const Item *item, const Value *v, Span at) {
    Value set = item->set ? eval(e, item->set) : v_none;
    if (set.kind == V_NONE) return true;
    if (set.kind == V_ERROR) return false;
    if (set.kind != V_LIST) {
        diag_error(e->diags, item->set->span, "E0109", "`in` wants a list or range; this is %s", value_kind_name(&set));
        return false;
    }
    int64_t budget = MAX_STEPS;
    if (within(v, &set, &budget)) return true;
    const char **word = NEW_ARRAY(e->arena, const char *, set.n);
    int n = 0;
    for (int32_t i = 0; i < set.n; i++)
        if (set.item[i].kind == V_TEXT) word[n++] = set.item[i].text;
    Suggestion s = {0};
    if (v->kind == V_TEXT) s = foreign_suggest(FOREIGN_NAME, "", v->text, word, n);
    diag_error(e->diags, at, "E0122", "option `%s` is %s, which is not in %s%s", item->name, value_text_of(e->arena, v),
               value_text_of(e->arena, &set), foreign_question(e->arena, &s));
    const AstExpr *x = item->set;
    bool range = x->kind == X_BINARY && x->op.op == OPR_range && set.n > 0;
    if (range && value_is_whole(v) && value_whole(v) == value_whole(&set.item[set.n - 1]) + 1)
        diag_help(e->diags, (Span){0}, "the end of a range is not part of it: %s..%lld", expr_text(e, x->op.a),
                  (long long)value_whole(v) + 1);
    return false;
}

/* A word that means nothing stands for the value of an option that is no string: says what the option is. */
static void report_word(Elab *e, const Item *item, const Value *usual, const AstExpr *x) {
    static const char *const truth[] = {"true", "false"};
    Value set = item->set ? eval(e, item->set) : v_none;
    bool listed = set.kind == V_LIST && set.n > 0 && !option_set_is_interval(&set);
    const char *kind = value_kind_name(usual);
    if (listed)
        kind = arena_printf(e->arena, "one of %s", value_text_of(e->arena, &set));
    else if (usual->unit != UNIT_NONE)
        kind = arena_printf(e->arena, "a number with a unit, as in %s", value_text_of(e->arena, usual));
    Suggestion s = {0};
    if (usual->kind == V_BOOL) s = foreign_suggest(FOREIGN_NAME, "", x->name, truth, ARRAY_LEN(truth));
    diag_error(e->diags, x->span, "E0122", "option `%s` is %s; this is `%s`%s", item->name, kind, x->name,
               foreign_question(e->arena, &s));
}

static const Definition *definition_of(Bundle *p, Name name) {
    const Definition *found = NULL;
    for (int i = 0; i < p->options->n_definition; i++)
        if (!strcmp(p->options->definition[i].name, name)) {
            found = &p->options->definition[i];
            p->defined[i] = true;
        }
    return found;   /* the last one, as with cc */
}

/* The text of -Dname=value as an expression, with places in "-Dname=value". A string needs no quotes. */
static Value definition_value(Bundle *p, const Item *item, const Definition *d, const Value *usual, Span *at) {
    Elab *e = p->elab;
    const char *text = arena_printf(e->arena, "-D%s=%s", d->name, d->value);
    size_t name = strlen(d->name) + 3, n = strlen(d->value);
    uint32_t file = diag_add_file(e->diags, "command line", text, strlen(text));
    *at = (Span){.file = file, .line = 1, .col = (uint32_t)name + 1, .len = (uint32_t)n};
    if (usual->kind == V_TEXT && d->value[0] != '"') return value_text(d->value);
    const AstExpr *x = parse_expr(e->arena, e->diags, d->value, n, *at);
    Value v;
    if (x && x->kind == X_NAME && !name_value(e, x->name, &v)) {
        report_word(e, item, usual, x);
        return v_error;
    }
    v = x ? eval(e, x) : v_error;
    bool same = v.kind == usual->kind || (value_is_number(&v) && value_is_number(usual));
    if (v.kind == V_ERROR || (same && v.unit == usual->unit)) return v;
    if (same)
        diag_error(e->diags, *at, "E0122",
                   usual->unit == UNIT_NONE ? "option `%s` has no unit, as in %s; this is %s"
                                            : "option `%s` has a unit, as in %s; this is %s",
                   d->name, value_text_of(e->arena, usual), value_text_of(e->arena, &v));
    else
        diag_error(e->diags, *at, "E0122", "option `%s` is %s; this is %s", d->name, value_kind_name(usual),
                   value_kind_name(&v));
    return v_error;
}

static Value option_value(Bundle *p, const Item *item) {
    const Definition *d = definition_of(p, item->name);   /* first, so that it is known to be one whatever is wrong here */
    Value v = eval(p->elab, item->value);
    if (v.kind == V_ERROR || !check_set(p->elab, item, &v, item->value->span)) return v_error;
    Span at;
    if (!d) return v;
    v = definition_value(p, item, d, &v, &at);
    return v.kind != V_ERROR && check_set(p->elab, item, &v, at) ? v : v_error;
}

/* ---- items ---- */

static bool is_defined(Elab *e, const Item *item) {
    const Global *other = table_get(&e->globals, item->name);
    if (!other) return false;
    diag_error(e->diags, item->span, "E0102", "`%s` is defined twice", item->name);
    diag_note(e->diags, other->item->span, "the first definition");
    return true;
}

/* The name stands for what the user meant from here on: uses of it are no further mistakes. */
static bool is_taken(Elab *e, const Item *item) {
    bool layer = layer_find(item->name);
    if (!layer && !builtin_find(item->name)) return false;
    diag_error(e->diags, item->span, "E0102", "`%s` is the name of a %s", item->name, layer ? "layer" : "function");
    diag_help(e->diags, (Span){0}, "it is taken everywhere in the file: choose another one, like `%s_%s`",
              item->kind == I_BLOCK ? "my" : "the", item->name);
    return true;
}

static void check_params(Elab *e, const Item *item) {
    Table seen = {0};
    for (int32_t i = 0; i < item->param.n; i++) {
        const Param *q = &item->param.item[i];
        if (table_get(&seen, q->name)) diag_error(e->diags, q->span, "E0102", "parameter `%s` is there twice", q->name);
        table_set(e->arena, &seen, q->name, &item->param.item[i]);
    }
}

static void add_global(Bundle *p, const Item *item) {
    Elab *e = p->elab;
    if (is_defined(e, item)) return;
    bool taken = is_taken(e, item);
    Global *g = NEW(e->arena, Global);
    g->item = item;
    table_set(e->arena, &e->globals, item->name, g);
    PUSH(e->arena, e->global_name, e->n_global, e->cap_global, item->name);
    if (item->kind == I_BLOCK) {
        if (item->broken) g->value = v_error;
        else g->fn = (Function){.kind = FN_BLOCK, .name = item->name, .block = item};
        check_params(e, item);
    } else if (item->kind == I_OPTION) {
        PUSH(e->arena, p->option.item, p->option.n, p->option.cap, item);
        g->value = option_value(p, item);
    } else {
        g->value = eval(e, item->value);
    }
    if (taken && item->kind != I_BLOCK) g->value = v_error;
}

/* A later input or section of the same kind and name replaces the earlier: of another file that is what `use` is for,
 * in one file it is a mistake. */
static void add_replacing(Bundle *p, ItemList *list, const Item *item) {
    Elab *e = p->elab;
    const char *kind = item->section ? item->section : "input";
    for (int32_t i = 0; i < list->n; i++) {
        const Item *old = list->item[i];
        if (old->section != item->section || old->name != item->name) continue;
        if (old->span.file != item->span.file) {
            diag_note(e->diags, item->span, "this `%s` replaces the one of %s", kind,
                      e->diags->file[old->span.file].path);
            list->item[i] = item;
            return;
        }
        diag_error(e->diags, item->span, "E0102", "there is a `%s` of this name already", kind);
        diag_note(e->diags, old->span, "it is here");
        return;
    }
    PUSH(e->arena, list->item, list->n, list->cap, item);
}

static void add_net(Bundle *p, const Item *item) {
    if (!p->net) {
        p->net = item;
        return;
    }
    diag_error(p->elab->diags, item->span, "E0202", "there is a net already, `%s`", p->net->name);
    diag_note(p->elab->diags, p->net->span, "it is here");
}

/* ---- files ---- */

static void load(Bundle *p, const char *path, const Loaded *by, Span use);

/* The path relative to the folder of the file that uses it. */
static const char *relative_path(Bundle *p, const Item *item, const char *path) {
    const char *from = p->elab->diags->file[item->value->span.file].path, *slash = strrchr(from, '/');
    if (path[0] == '/' || !slash) return path;
    return arena_printf(p->elab->arena, "%.*s/%s", (int)(slash - from), from, path);
}

/* The path in the folder of the file that uses it, or else in the first folder of the command line that has it. */
static const char *search(Bundle *p, const Item *item, const char *path) {
    const char *first = relative_path(p, item, path);
    if (path[0] == '/' || source_exists(&p->options->shelf, first)) return first;
    for (int32_t i = 0; i < p->options->n_include; i++) {
        const char *there = arena_printf(p->elab->arena, "%s/%s", p->options->include[i], path);
        if (source_exists(&p->options->shelf, there)) return there;
    }
    return first;
}

static void add_use(Bundle *p, const Item *item, const Loaded *by) {
    Value path = eval(p->elab, item->value);
    if (path.kind != V_TEXT) return;
    int32_t before = p->elab->diags->n_error;
    const char *found = search(p, item, path.text), *longer = arena_printf(p->elab->arena, "%s.net", path.text);
    load(p, found, by, item->value->span);
    if (p->elab->diags->n_error > before && !source_exists(&p->options->shelf, found) &&
        source_exists(&p->options->shelf, search(p, item, longer)))
        diag_fix(p->elab->diags, item->value->span, arena_printf(p->elab->arena, "\"%s\"", longer), "this file is there");
}

static void add_item(Bundle *p, const Item *item, const Loaded *by) {
    switch (item->kind) {
    case I_USE: add_use(p, item, by); break;
    case I_CONST:
    case I_OPTION:
    case I_BLOCK: add_global(p, item); break;
    case I_NET: add_net(p, item); break;
    case I_INPUT: add_replacing(p, &p->inputs, item); break;
    case I_SECTION: add_replacing(p, &p->sections, item); break;
    }
}

static void report_cycle(Bundle *p, const Loaded *again, const Loaded *by, Span use) {
    Diags *d = p->elab->diags;
    diag_error(d, use, "E0603", "this file is being read already: a cycle of `use`");
    for (const Loaded *l = by; l && l != again; l = l->by)
        diag_note(d, l->use, "%s is used here", d->file[l->source.file].path);
}

/* Was the file read before? Then its items are there already. */
static bool seen(Bundle *p, const Source *s, const Loaded *by, Span use) {
    for (int i = 0; i < p->n_loaded; i++) {
        Loaded *l = p->loaded[i];
        if (l->source.device != s->device || l->source.inode != s->inode) continue;
        if (l->open) report_cycle(p, l, by, use);
        return true;
    }
    return false;
}

static bool has_room(Bundle *p, const Loaded *by, Span use) {
    int depth = 0;
    for (const Loaded *l = by; l; l = l->by) depth++;
    if (depth >= MAX_USE_DEPTH) exceed(p->elab, use, "E0909", "files use each other too deep", MAX_USE_DEPTH);
    else if (p->n_loaded == MAX_SOURCES) exceed(p->elab, use, "E0909", "too many files", MAX_SOURCES);
    return !p->elab->stopped;
}

/* #include "blocks.net" and #define WIDTH 16 are comments, which their author does not know. */
static void warn_directives(Diags *d, uint32_t file) {
    static const struct {
        const char *word, *follows, *here;
    } row[] = {{"#include", "\"<", "other files are read by: use \"blocks.net\""},
               {"#define", "ABCDEFGHIJKLMNOPQRSTUVWXYZ_", "a constant is: const WIDTH = 16"}};
    uint32_t line = 1;
    for (const char *c = d->file[file].text; *c; line++) {
        for (int i = 0; i < ARRAY_LEN(row); i++) {
            size_t n = strlen(row[i].word);
            const char *after = !strncmp(c, row[i].word, n) ? c + n + strspn(c + n, " ") : "";
            if (!*after || after == c + n || !strchr(row[i].follows, *after)) continue;
            diag_warning(d, (Span){.file = file, .line = line, .col = 1, .len = (uint32_t)n}, "W0162",
                         "this is a comment: `#` starts one");
            diag_help(d, (Span){0}, "%s", row[i].here);
        }
        c += strcspn(c, "\n");
        c += *c == '\n';
    }
}

static void load(Bundle *p, const char *path, const Loaded *by, Span use) {
    Elab *e = p->elab;
    Loaded *l = NEW(e->arena, Loaded);
    *l = (Loaded){.by = by, .use = use, .open = true};
    if (!has_room(p, by, use)) return;
    if (!source_take(e->arena, e->diags, &p->options->shelf, path, use, by != NULL, &p->bytes, &l->source) ||
        seen(p, &l->source, by, use))
        return;
    p->loaded[p->n_loaded++] = l;
    warn_directives(e->diags, l->source.file);
    const Ast *ast = parse_file(e->arena, e->diags, l->source.file);
    for (int32_t i = 0; i < ast->n_item && !e->stopped; i++) add_item(p, ast->item[i], l);
    l->open = false;
}

static void check_definitions(Bundle *p) {
    enum { MOST = 256 };
    const char *known[MOST];
    int n = p->option.n < MOST ? p->option.n : MOST;
    for (int i = 0; i < n; i++) known[i] = p->option.item[i]->name;
    for (int i = 0; i < p->options->n_definition; i++) {
        if (p->defined[i]) continue;
        const char *name = p->options->definition[i].name, *near = did_you_mean(name, known, n);
        diag_error(p->elab->diags, (Span){0}, "E0130",
                   near ? "-D%s: there is no option `%s`; did you mean `%s`?" : "-D%s: there is no option `%s`", name,
                   name, near);
    }
}

void bundle_load(Bundle *p, const char *path) {
    p->defined = NEW_ARRAY(p->elab->arena, bool, p->options->n_definition);
    load(p, path, NULL, (Span){0});
    if (p->n_loaded > 0) check_definitions(p);
}

const char *bundle_options_json(const Bundle *p) {
    Str s = STR(p->elab->arena);
    str_add(&s, "{");
    for (int32_t i = 0; i < p->option.n; i++) {
        const Global *g = table_get(&p->elab->globals, p->option.item[i]->name);
        if (i) str_add(&s, ", ");
        str_add_json(&s, p->option.item[i]->name);
        str_add(&s, ": ");
        value_json(&s, &g->value);
    }
    str_add(&s, "}");
    return str_text(&s);
}
