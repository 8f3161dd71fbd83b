/* See deploy.h. */
#include "deploy.h"

#include <string.h>

#include "../ir/number.h"

/* ---- outputs ---- */

static const Output *find_output(const Graph *g, const char *name) {
    for (int i = 0; i < g->n_output; i++)
        if (!strcmp(g->output[i].name, name)) return &g->output[i];
    return NULL;
}

/* Is there such an output, and is it deployed? Reported at `at` otherwise. */
static bool check_output(Elab *e, const Graph *g, const char *name, Span at) {
    const Output *o = find_output(g, name);
    if (o && o->only != ONLY_TRAIN) return true;
    if (o) {
        diag_error(e->diags, at, "E0430", "output `%s` is for training only", name);
        return false;
    }
    const char **known = NEW_ARRAY(e->arena, const char *, g->n_output);
    int n = 0;
    for (int i = 0; i < g->n_output; i++)
        if (g->output[i].only != ONLY_TRAIN) known[n++] = g->output[i].name;
    const char *near = did_you_mean(name, known, n);
    diag_error(e->diags, at, "E0430",
               near ? "the net has no output `%s`; did you mean `%s`?" : "the net has no output `%s`", name, near);
    return false;
}

static bool is_listed(const Value *list, const char *name) {
    for (int32_t i = 0; i < list->n; i++)
        if (!strcmp(list->item[i].text, name)) return true;
    return false;
}

/* What is not listed stays for training, whose loss may read it. */
static void keep_outputs(Elab *e, Graph *g, const AstExpr *x, const Value *list) {
    for (int32_t i = 0; i < list->n; i++) {
        bool itself = x->kind == X_LIST && x->list.n == list->n;
        if (!check_output(e, g, list->item[i].text, itself ? x->list.item[i]->span : x->span)) return;
    }
    for (int i = 0; i < g->n_output; i++)
        if (!is_listed(list, g->output[i].name)) {
            g->output[i].left_out = g->output[i].only != ONLY_TRAIN;
            g->output[i].only = ONLY_TRAIN;
        }
}

/* ---- the section ---- */

void deploy_build(Elab *e, Unit *u, Graph *graph, const SettingList *list, const Record *r) {
    const Field *outputs = record_field(r, "outputs"), *batches = record_field(r, "batches");
    const Field *march = record_field(r, "march"), *memory = record_field(r, "max_memory");
    DeployConfig *d = &u->deploy;
    *d = (DeployConfig){0};
    u->half_weights = !strcmp(record_field(r, "weights")->value.text, "fp16");
    if (outputs->value.kind == V_LIST && graph)
        keep_outputs(e, graph, settings_value(list, "outputs"), &outputs->value);
    for (int32_t i = 0; batches->value.kind == V_LIST && i < batches->value.n; i++) {
        int32_t n = (int32_t)value_whole(&batches->value.item[i]);
        if (i == 0) d->batch = n;
        if (n > d->max_batch) d->max_batch = n;
    }
    if (march->value.kind == V_TEXT) {
        d->march = march->value.text;
        d->march_at = settings_value(list, "march")->span;
    }
    if (memory->value.kind != V_NONE) {
        d->max_memory = (int64_t)value_double(&memory->value);
        d->memory_at = settings_value(list, "max_memory")->span;
    }
}
