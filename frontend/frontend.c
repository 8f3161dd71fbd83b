/* From files to a Unit: load, elaborate the net, evaluate the sections. See frontend.h. */
#include "frontend.h"

#include <string.h>

#include "blame.h"
#include "contract.h"
#include "foreign.h"
#include "net_input.h"
#include "parse.h"
#include "bundle.h"
#include "sections.h"
#include "sizes.h"
#include "train.h"

bool frontend_print_ast(Arena *a, Diags *d, const char *path, Str *out) {
    Source source;
    int64_t total = 0;
    if (!source_read(a, d, path, (Span){0}, false, &total, &source)) return false;
    ast_print(out, parse_file(a, d, source.file));
    return d->n_error == 0;
}

/* ---- the net and its input ---- */

static bool is_mentioned(const Bundle *p, Name name) {
    Table names = {0};
    ast_body_names(p->elab->arena, &names, p->net->body);
    return table_get(&names, name);
}

static const Item *find_input(Bundle *p) {
    Diags *d = p->elab->diags;
    const ParamList *list = &p->net->param;
    if (list->n != 1 || list->item[0].value) {
        diag_error(d, p->net->span, "E0204", "a net has one parameter, the name of its input");
        if (list->n > 1 && list->item[1].value)
            diag_help(d, (Span){0}, "what else it depends on is an option of the file: option %s = ...", list->item[1].name);
        return NULL;
    }
    const char *known[16];
    int n = 0;
    for (int32_t i = 0; i < p->inputs.n; i++) {
        if (p->inputs.item[i]->name == list->item[0].name) return p->inputs.item[i];
        if (n < ARRAY_LEN(known)) known[n++] = p->inputs.item[i]->name;
    }
    const char *name = list->item[0].name;
    if (p->inputs.n == 0 && d->n_error) return NULL;   /* the item or file that has it may be what is wrong */
    Suggestion near = {.name = did_you_mean(name, known, n)};
    diag_error(d, list->item[0].span, "E0203", "there is no `input %s`%s", name, foreign_question(p->elab->arena, &near));
    if (near.name) foreign_fix_word(d, list->item[0].span, &near);
    else if (p->inputs.n == 1 && !is_mentioned(p, name)) diag_fix(d, list->item[0].span, known[0], "the parameter has the name of the input");
    else if (p->inputs.n == 1) diag_fix(d, p->inputs.item[0]->span, name, "the input and the parameter have one name");
    else diag_help(d, (Span){0}, "input %s { size = 224x224 } says how pictures become a tensor", name);
    return NULL;
}

static void check_net(Elab *e, const Item *net) {
    for (int32_t i = 0; i < e->graph->n_output; i++)
        if (e->graph->output[i].only != ONLY_TRAIN) return;
    if (e->diags->n_error) return;
    diag_error(e->diags, net->span, "E0205", "net `%s` has no output for deployment", net->name);
    const AstStmt *last = net->body->n > 0 ? net->body->item[net->body->n - 1] : NULL;
    Span at = last ? last->span : (Span){0};
    at.len = 0;
    if (last && last->kind == S_ASSIGN && last->names.n == 1) diag_fix(e->diags, at, "output ", "the last value is probably one");
    else diag_help(e->diags, (Span){0}, "name a result: output scores = softmax(logits)");
}

/* Builds the net; returns its scope, NULL if there is none to look at further. */
static Scope *build_net(Bundle *p, Unit *u, Value *input) {
    Elab *e = p->elab;
    if (!p->net) {
        if (p->n_loaded > 0 && !e->diags->n_error)
            diag_error(e->diags, (Span){.file = p->loaded[0]->source.file, .line = 1, .col = 1, .len = 1}, "E0201",
                       "there is no network: no `net name(input) { }` in this file");
        return NULL;
    }
    if (p->net->broken) return NULL;
    const Item *item = find_input(p);
    if (!item) return NULL;
    *input = section_eval(e, section_find("input"), item->settings, item->span);
    u->name = p->net->name;
    u->net = e->graph = graph_new(e->arena, u->name);
    u->image = input->kind == V_RECORD ? net_input(e, (Record *)(uintptr_t)input->record, item->name, item->span) : 0;
    Scope *scope = elab_net(e, p->net, u->image);
    finish_use_notes(e);
    e->scope = NULL;
    check_net(e, p->net);
    return scope;
}

bool frontend_build(Unit *u, const char *path, const FrontendOptions *options) {
    static const FrontendOptions usual;
    Elab *e = NEW(u->arena, Elab);
    *e = (Elab){.arena = u->arena, .diags = u->diags};
    Bundle *p = NEW(u->arena, Bundle);
    *p = (Bundle){.elab = e, .options = options ? options : &usual};
    bundle_load(p, path);
    if (p->n_loaded == 0 || e->stopped) return false;
    Value input = v_error;
    Scope *net = build_net(p, u, &input);
    const Value *section = sections_build(p, u, net, &input);
    bundle_check_unused(p);
    if (u->diags->n_error) return false;
    train_mark_frozen(u->net);
    sizes_build(p, u, section, &input);
    u->settings_json = sections_json(p, u, section, &input);
    u->options_json = bundle_options_json(p);
    int64_t parameters, macs;
    graph_costs(u->net, u->arena, &parameters, &macs);
    contract_check(u, FIGURE_PARAMS, parameters);
    contract_check(u, FIGURE_MACS, macs);
    return u->diags->n_error == 0;
}
