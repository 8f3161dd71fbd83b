/* What is written and never read. Judged by the text, not by the run, so that a name used in a branch that was not
 * taken counts as used. */
#include <string.h>

#include "bundle.h"
#include "idle.h"

static void read_settings(Arena *a, Table *t, const SettingList *list) {
    for (int32_t i = 0; i < list->n; i++) {
        ast_expr_names(a, t, list->item[i]->value);
        if (list->item[i]->group) read_settings(a, t, list->item[i]->group);
    }
}

/* Assignments in the body to names that are not in `read`; each is reported once. */
static void check_body(Elab *e, Table *read, const Body *body) {
    for (int32_t i = 0; i < body->n; i++)
        for (const AstStmt *s = body->item[i]; s; s = s->else_if) {
            bool alone = s->kind == S_ASSIGN && s->names.n == 1; /* several names: some are there to be skipped */
            if (alone && !table_get(read, s->names.item[0])) {
                diag_error(e->diags, s->span, "E0116", "`%s` is never used", s->names.item[0]);
                table_set(e->arena, read, s->names.item[0], (void *)(uintptr_t)s);
            }
            if (s->body) check_body(e, read, s->body);
            if (s->other) check_body(e, read, s->other);
        }
}

static void check_block(Bundle *p, const Item *item) {
    Arena *a = p->elab->arena;
    Table read = {0};
    ast_body_names(a, &read, item->body);
    for (int32_t i = 0; item->kind == I_NET && i < p->sections.n; i++)
        read_settings(a, &read, p->sections.item[i]->settings);
    check_body(p->elab, &read, item->body);
}

/* Everything that some expression of the program mentions. */
static void read_program(Bundle *p, Table *t) {
    Elab *e = p->elab;
    for (int32_t i = 0; i < e->n_global; i++) {
        const Item *item = ((const Global *)table_get(&e->globals, e->global_name[i]))->item;
        ast_expr_names(e->arena, t, item->value);
        ast_expr_names(e->arena, t, item->set);
        if (item->body) ast_body_names(e->arena, t, item->body);
        for (int32_t k = 0; k < item->param.n; k++) ast_expr_names(e->arena, t, item->param.item[k].value);
    }
    if (p->net) ast_body_names(e->arena, t, p->net->body);
    for (int32_t i = 0; i < p->inputs.n; i++) read_settings(e->arena, t, p->inputs.item[i]->settings);
    for (int32_t i = 0; i < p->sections.n; i++) read_settings(e->arena, t, p->sections.item[i]->settings);
}

/* For tools: nothing instead of the line, if that is all of it. */
static void report_unused(Diags *d, const Item *item, const char *code, const char *what) {
    diag_warning(d, item->span, code, "%s `%s` is never used", what, item->name);
    size_t n;
    const char *line = diag_line(d, item->span, &n);
    const AstExpr *value = item->value;
    bool whole = line && n > 0 && value && value->span.line == item->span.line && value->kind != X_LIST;
    Span all = {.file = item->span.file, .line = item->span.line, .col = 1, .len = (uint32_t)n};
    if (item->kind == I_OPTION)
        diag_help(d, (Span){0}, "-D%s=... is accepted and changes nothing: leave the option out", item->name);
    if (whole) diag_fix(d, all, "", "%s", "");
}

/* Parameters that neither the body reads nor a default: what calls give for them changes nothing. */
static void check_params(Bundle *p, const Item *item) {
    Arena *a = p->elab->arena;
    Table read = {0};
    ast_body_names(a, &read, item->body);
    for (int32_t i = 0; i < item->param.n; i++) ast_expr_names(a, &read, item->param.item[i].value);
    for (int32_t i = 0; i < item->param.n; i++) {
        const Param *q = &item->param.item[i];
        if (table_get(&read, q->name)) continue;
        diag_warning(p->elab->diags, q->span, "W0138", "parameter `%s` of `%s` is never used", q->name, item->name);
        diag_help(p->elab->diags, (Span){0}, "what calls give for it changes nothing");
    }
}

/* What a file that others use offers need not be used by all of them; but an option says that it may be set. */
/* What stands behind a return. */
static void check_ends(Diags *d, const Body *body) {
    for (int32_t i = 0; body && i < body->n; i++) {
        const AstStmt *s = body->item[i];
        for (const AstStmt *branch = s; branch; branch = branch->else_if) {
            check_ends(d, branch->body);
            check_ends(d, branch->other);
        }
        if (s->kind != S_RETURN || i + 1 == body->n) continue;
        diag_warning(d, body->item[i + 1]->span, "W0166", "this never runs: the block ends before it");
        diag_note(d, s->span, "by this `return`");
        return;
    }
}

static void check_global(Bundle *p, const Table *read, const Item *item) {
    static const struct {
        ItemKind kind;
        const char *code, *what;
    } row[] = {{I_OPTION, "W0131", "option"}, {I_BLOCK, "W0135", "block"}, {I_CONST, "W0136", "constant"}};
    bool ours = item->span.file == p->loaded[0]->source.file;
    for (int i = 0; i < ARRAY_LEN(row); i++)
        if (row[i].kind == item->kind && (ours || item->kind == I_OPTION) && !table_get(read, item->name))
            report_unused(p->elab->diags, item, row[i].code, row[i].what);
    if (item->kind == I_BLOCK && ours && table_get(read, item->name)) check_params(p, item);
    if (item->kind == I_BLOCK) check_block(p, item);
    if (item->kind == I_BLOCK && ours) check_ends(p->elab->diags, item->body);
}

/* Where data enters a chain of arrows. */
static const AstExpr *source_of(const AstExpr *x) {
    while (x->kind == X_ARROW) x = x->arrow.from;
    return x;
}

/* After a warning about a layer that nothing reads: its variable was set again, perhaps from something else by a
 * slip. */
static void note_replaced(Elab *e, const Site *site) {
    const AstStmt *s = site ? site->stmt : NULL;
    if (e->diags->current < 0 || !s || s->kind != S_ASSIGN || s->names.n != 1) return;
    Name name = s->names.item[0];
    const Variable *v = table_get(&site->scope->variables, name);
    if (!v || v->set.line == s->names.span[0].line || v->set.file != s->span.file) return;
    diag_note(e->diags, v->set, "`%s` has another value from here on", name);
    const AstExpr *from = v->from ? source_of(v->from) : NULL;
    if (from && from->kind == X_NAME && from != v->from && from->name != name)
        diag_fix(e->diags, from->span, name, "`%s` instead of `%s` reads it", name, from->name);
}

/* Layers of which no other layer, no output and no loss reads the result. */
static void check_layers(const Bundle *p) {
    const Graph *g = p->elab->graph;
    int32_t *uses = graph_uses(g, p->elab->arena);
    for (int32_t i = 0; i < p->n_wanted; i++) uses[p->wanted[i]]++;
    for (int32_t i = 1; i < g->n_node; i++) {
        const Node *n = &g->node[i];
        if (uses[i] > 0 || n->op == OP_param || n->op == OP_input) continue;
        diag_warning(p->elab->diags, n->span, "W0134", "nothing reads what `%s` computes", n->name);
        note_replaced(p->elab, table_get(&p->elab->layers, n->name));
    }
}

/* Marks what the marked nodes are made of, too. */
static void spread(const Graph *g, bool *need) {
    for (Ref r = (Ref)g->n_node - 1; r > 0; r--)
        for (int32_t k = 0; need[r] && k < graph_node(g, r)->n_in; k++) need[graph_node(g, r)->in[k]] = true;
}

/* Outputs for training alone with parameters that no loss reaches, and no other output has. */
static void check_heads(const Bundle *p) {
    const Graph *g = p->elab->graph;
    bool *need = NEW_ARRAY(p->elab->arena, bool, g->n_node);
    for (int32_t i = 0; i < p->n_wanted; i++) need[p->wanted[i]] = true;
    for (int32_t i = 0; i < g->n_output; i++)
        if (g->output[i].only != ONLY_TRAIN) need[g->output[i].ref] = true;
    spread(g, need);
    enum { MOST = 16 }; /* of very many, these are enough to see */
    for (int32_t i = 0, n = 0; i < g->n_output && p->n_wanted > 0 && n < MOST; i++) {
        if (g->output[i].only != ONLY_TRAIN || g->output[i].left_out) continue;
        bool *own = NEW_ARRAY(p->elab->arena, bool, g->n_node), idle = false;
        own[g->output[i].ref] = true;
        n++;
        spread(g, own);
        for (int32_t k = 1; k < g->n_node; k++) idle |= own[k] && !need[k] && g->node[k].op == OP_param;
        if (!idle) continue;
        diag_warning(p->elab->diags, graph_node(g, g->output[i].ref)->span, "W0165",
                     "no loss reads the output `%s`, which is for training only", g->output[i].name);
        diag_help(p->elab->diags, (Span){0}, "in `train`: loss = ... + 0.3 * cross_entropy(%s)", g->output[i].name);
    }
}

/* Of the file itself, like blocks: others may offer several. */
static void check_inputs(const Bundle *p) {
    Name read = p->net && p->net->param.n > 0 ? p->net->param.item[0].name : NULL;
    for (int32_t i = 0; i < p->inputs.n && read; i++) {
        const Item *item = p->inputs.item[i];
        if (item->name == read || item->span.file != p->loaded[0]->source.file) continue;
        diag_warning(p->elab->diags, item->span, "W0150", "no net reads the input `%s`", item->name);
        diag_note(p->elab->diags, p->net->param.item[0].span, "`%s` reads `%s`", p->net->name, read);
    }
}

void bundle_check_unused(Bundle *p) {
    Elab *e = p->elab;
    if (e->diags->n_error) return; /* what should have used it may be what is wrong */
    Table read = {0};
    read_program(p, &read);
    for (int32_t i = 0; i < e->n_global; i++)
        check_global(p, &read, ((const Global *)table_get(&e->globals, e->global_name[i]))->item);
    if (p->net) check_block(p, p->net);
    check_inputs(p);
    if (!e->graph || e->diags->n_error) return;
    check_layers(p);
    check_heads(p);
    idle_check_layers(e);
}
