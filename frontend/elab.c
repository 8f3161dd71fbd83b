/* Statements, uses of blocks, names of layers, the net. See elab.h and eval.h. */
#include "blame.h"
#include "elab.h"

#include <stdio.h>
#include <string.h>

#include "foreign.h"

/* ---- names ---- */

Name name_join(const char *a, const char *b, const char *c) {
    char text[2 * MAX_IDENT + 32];
    snprintf(text, sizeof text, "%.*s%s%.*s", MAX_IDENT, a, b, MAX_IDENT, c);
    return name_of(text);
}

/* "conv3": the ordinal counts the nameless ones of that kind in this use of a block. */
static Name next_ordinal(Elab *e, const char *kind) {
    Name key = name_of(kind);
    int32_t *count = table_get(&e->scope->ordinals, key);
    if (!count) {
        count = NEW(e->arena, int32_t);
        table_set(e->arena, &e->scope->ordinals, key, count);
    }
    char ordinal[16];
    snprintf(ordinal, sizeof ordinal, "%d", ++*count);
    return name_join(kind, "", ordinal);
}

Name layer_name(Elab *e, const char *kind, const Notes *notes, Span at, const Bound *b) {
    if (!e->scope) {
        diag_error(e->diags, at, "E0129", "`%s` is a layer: it belongs into a net or block", kind);
        return NULL;
    }
    if (++e->n_layers > MAX_LAYERS) {
        exceed(e, at, "E0905", "the net has too many layers", MAX_LAYERS);
        return NULL;
    }
    const char *last = notes->label ? notes->label : next_ordinal(e, kind);
    if (strlen(e->scope->prefix) + strlen(last) > MAX_IDENT) {
        exceed(e, at, "E0903", "the name of this layer, with those of its blocks, is too long", MAX_IDENT);
        return NULL;
    }
    Name name = name_join(e->scope->prefix, "", last);
    const Site *other = table_get(&e->layers, name);
    if (other) {
        diag_error(e->diags, notes->label ? notes->label_span : at, "E0113", "there is a layer `%s` already", name);
        diag_note(e->diags, other->at, "it is here");
        if (notes->label && e->scope->loop)
            diag_help(e->diags, (Span){0}, "a loop gives each its own name by a value in braces: \"%s{%s}\"", notes->label,
                      e->scope->loop->names->item[0]);
        else if (notes->label)
            diag_help(e->diags, (Span){0}, "each layer has parameters of its own, and so its own name");
        return NULL;
    }
    Site *site = NEW(e->arena, Site);
    *site = (Site){.at = at, .kind = kind, .scope = e->scope, .bound = b, .stmt = e->scope->stmt};
    table_set(e->arena, &e->layers, name, site);
    return name;
}

/* ---- statements ---- */

static void run_body(Elab *e, const Body *body);

static void assign(Elab *e, const NameList *names, int32_t i, Value v, const AstExpr *from) {
    Name name = names->item[i];
    if (table_get(&e->globals, name) && !variable_find(e, name)) {
        diag_error(e->diags, names->span[i], "E0103", "`%s` is fixed outside of this body; take another name", name);
        return;
    }
    variable_set(e, name, names->span[i], v, from);
}

/* for i, n in [16, 32] */
static void propose_enumerate(Elab *e, Span list) {
    const char *text = foreign_source(e->diags, list);
    if (*text && list.len > 1) diag_fix(e->diags, list, arena_printf(e->arena, "enumerate(%s)", text), "numbered from 0");
    else diag_help(e->diags, (Span){0}, "enumerate(list) numbers the members from 0");
}

/* a, b = [1, 2]: one name takes the value, several take a list apart. from: the expression, or NULL if v is one of a
 * list; `loops`: of a `for`. */
static void assign_all(Elab *e, const NameList *names, Value v, Span at, const AstExpr *from, bool loops) {
    bool apart = names->n > 1 && v.kind != V_ERROR;
    if (apart && (v.kind != V_LIST || v.n != names->n)) {
        diag_error(e->diags, at, "E0120", "%d names need a list of as many; this is %s", names->n,
                   v.kind == V_LIST ? value_text_of(e->arena, &v) : value_kind_name(&v));
        help_waiting(e, &v);
        note_uses(e);
        if (loops && names->n == 2 && v.kind != V_LIST) propose_enumerate(e, at);
        v = v_error;
        apart = false;
    }
    for (int32_t i = 0; i < names->n; i++) assign(e, names, i, apart ? v.item[i] : v, apart ? NULL : from);
}

/* The statement does not run because it is not known how: what it would have assigned is not known either. */
static void lose(Elab *e, const AstStmt *s);

static void lose_names(Elab *e, const NameList *names) {
    for (int32_t i = 0; i < names->n; i++) {
        const Variable *v = variable_find(e, names->item[i]);
        bool tensor = v && value_is_tensorish(&v->value);
        if (v || !table_get(&e->globals, names->item[i]))
            variable_set(e, names->item[i], names->span[i], tensor ? v_lost : v_error, NULL);
    }
}

static void lose_body(Elab *e, const Body *body) {
    for (int32_t i = 0; body && i < body->n && spend(e, 1); i++) lose(e, body->item[i]);
}

static void lose(Elab *e, const AstStmt *s) {
    lose_names(e, &s->names);
    lose_body(e, s->body);
    lose_body(e, s->other);
    if (s->else_if) lose(e, s->else_if);
    if (s->kind != S_RETURN || e->scope->item->kind == I_NET) return;
    e->scope->result = v_lost;   /* whether it would have returned is not known, and what comes after is not judged */
    e->scope->returned = true;
}

static void run_for(Elab *e, const AstStmt *s) {
    Value list = eval(e, s->value);
    if (list.kind != V_LIST) {
        if (list.kind != V_ERROR)
            diag_error(e->diags, s->value->span, "E0109", "`for` runs over a list; this is %s", value_kind_name(&list));
        if (value_is_whole(&list))
            diag_fix(e->diags, (Span){s->value->span.file, s->value->span.line, s->value->span.col, 0}, "0..", "a range is a list");
        lose(e, s);
        return;
    }
    const Loop here = {.names = &s->names, .outer = e->scope->loop};
    e->scope->loop = &here;
    for (int32_t i = 0; i < list.n && !e->scope->returned && spend(e, 1); i++) {
        assign_all(e, &s->names, list.item[i], s->value->span, NULL, true);
        run_body(e, s->body);
    }
    e->scope->loop = here.outer;
}

static void run_if(Elab *e, const AstStmt *s) {
    for (; s; s = s->else_if) {
        Truth truth = eval_condition(e, s->value);
        if (truth == IS_UNKNOWN) lose(e, s);
        if (truth == IS_TRUE) run_body(e, s->body);
        if (truth == IS_FALSE && s->other) run_body(e, s->other);
        if (truth != IS_FALSE || e->stopped) return;
    }
}

static void run_return(Elab *e, const AstStmt *s) {
    if (e->scope->item->kind == I_NET) {
        diag_error(e->diags, s->span, "E0115", "a net gives its results by `output name = ...`, not by return");
        diag_fix(e->diags, s->span, "output scores =", "a name for the result");
        return;
    }
    e->scope->result = eval(e, s->value);
    e->scope->returned = true;
}

static OutputOnly only_of(Elab *e, const AstStmt *s) {
    static const char *const word[] = {"train", "deploy"};
    if (!s->only) return ONLY_BOTH;
    if (!strcmp(s->only, "train")) return ONLY_TRAIN;
    if (!strcmp(s->only, "deploy")) return ONLY_DEPLOY;
    Suggestion better = foreign_suggest(FOREIGN_WORD, "only", s->only, word, 2);
    diag_error(e->diags, s->only_span, "E0127", "`only` knows train and deploy, not `%s`%s", s->only, foreign_question(e->arena, &better));
    foreign_fix_word(e->diags, s->only_span, &better);
    return ONLY_BOTH;
}

static void run_output(Elab *e, const AstStmt *s) {
    Name name = s->names.item[0];
    if (e->scope->item->kind != I_NET) {
        diag_error(e->diags, s->span, "E0126", "outputs belong to the net; a block returns");
        return;
    }
    Value v = eval(e, s->value);
    OutputOnly only = only_of(e, s);
    if (v.kind == V_ERROR) {
        if (!variable_find(e, name)) lose_names(e, &s->names);
    } else if (v.kind != V_TENSOR) {
        diag_error(e->diags, s->value->span, "E0126", "an output is a tensor; this is %s", value_kind_name(&v));
    } else if (graph_find_output(e->graph, name)) {
        const Variable *first = variable_find(e, name);
        diag_error(e->diags, s->span, "E0102", "there is an output `%s` already", name);
        if (first) diag_note(e->diags, first->set, "`%s` is this", name);
        note_uses(e);
    } else {
        graph_output(e->graph, name, v.tensor, only);
        if (!variable_find(e, name) && !table_get(&e->globals, name)) variable_set(e, name, s->span, v, s->value);
    }
}

/* x = relu, where x is a tensor: the layer was not given it. */
static bool forgot_tensor(Elab *e, const AstStmt *s) {
    Value layer;
    const Variable *v = s->names.n == 1 ? variable_find(e, s->names.item[0]) : NULL;
    bool name = s->value->kind == X_NAME && name_value(e, s->value->name, &layer) && layer.kind == V_FUNC;
    if (!v || v->value.kind != V_TENSOR || !name) return false;
    Span at = s->value->span;
    diag_error(e->diags, at, "E0140", "`%s` is a tensor, and `%s` a layer that is given none", s->names.item[0], s->value->name);
    at.len = 0;
    diag_fix(e->diags, at, arena_printf(e->arena, "%s -> ", s->names.item[0]), "layers are given a tensor by ->");
    return true;
}

static void run_stmt(Elab *e, const AstStmt *s) {
    e->scope->stmt = s;
    switch (s->kind) {
    case S_ASSIGN:
        if (s->value->kind == X_ERROR || forgot_tensor(e, s)) lose(e, s);
        else assign_all(e, &s->names, eval(e, s->value), s->value->span, s->value, false);
        break;
    case S_FOR: run_for(e, s); break;
    case S_IF: run_if(e, s); break;
    case S_RETURN: run_return(e, s); break;
    case S_OUTPUT: run_output(e, s); break;
    }
}

static void run_body(Elab *e, const Body *body) {
    e->depth++;
    for (int32_t i = 0; i < body->n && !e->scope->returned && spend(e, 1); i++) run_stmt(e, body->item[i]);
    e->depth--;
}

/* ---- blocks ---- */

static bool is_recursive(Elab *e, const Call *c) {
    for (const Scope *s = e->scope; s; s = s->caller) {
        if (s->item != c->fn->block) continue;
        diag_error(e->diags, c->span, "E0114", "block `%s` uses itself; blocks may not recurse", c->fn->name);
        note_uses(e);
        return true;
    }
    return false;
}

static int32_t param_index(const ParamList *list, Name name) {
    for (int32_t i = 0; i < list->n; i++)
        if (list->item[i].name == name) return i;
    return -1;
}

static void report_unknown(Elab *e, const Call *c, const Actual *a) {
    enum { MOST = 256 };
    const char *known[MOST];
    const ParamList *list = &c->fn->block->param;
    int n = list->n < MOST ? list->n : MOST;
    for (int i = 0; i < n; i++) known[i] = list->item[i].name;
    Suggestion better = foreign_suggest(FOREIGN_PARAM, c->fn->name, a->name, known, n);
    diag_error(e->diags, a->span, "E0107", "`%s` has no parameter `%s`%s", c->fn->name, a->name,
               foreign_question(e->arena, &better));
    foreign_fix_param(e, c, a, &better, known, n);
}

/* Arguments by position and name into the new scope's variables. */
static bool bind_actuals(Elab *e, const Call *c, Scope *s) {
    const ParamList *list = &c->fn->block->param;
    bool good = true;
    for (int32_t k = 0, next = 0; k < c->n; k++) {
        const Actual *a = &c->actual[k];
        int32_t i = a->name ? param_index(list, a->name) : next++;
        if (i < 0) {
            report_unknown(e, c, a);
            good = false;
        } else if (i >= list->n) {
            diag_error(e->diags, a->span, "E0108", "`%s` takes at most %d argument%s", c->fn->name, list->n,
                       list->n == 1 ? "" : "s");
            if (list->n > 0 && value_is_tensorish(&c->actual[0].value))
                diag_help(e->diags, (Span){0}, "what flows in is the first of them, `%s`", list->item[0].name);
            return false;
        } else if (table_get(&s->variables, list->item[i].name)) {
            diag_error(e->diags, a->span, "E0106", "`%s` of `%s` is given twice", list->item[i].name, c->fn->name);
            good = false;
        } else {
            Variable *v = NEW(e->arena, Variable);
            const Span at = list->item[i].span;
            *v = (Variable){.value = a->value, .span = at, .set = at, .from = a->text, .where = s->caller};
            table_set(e->arena, &s->variables, list->item[i].name, v);
        }
    }
    return good;
}

/* Defaults are evaluated inside the block, so they may use the parameters before them. e->scope is the block's. */
static bool bind_defaults(Elab *e, const Call *c) {
    const ParamList *list = &c->fn->block->param;
    bool good = true;
    for (int32_t i = 0; i < list->n; i++) {
        const Param *p = &list->item[i];
        if (variable_find(e, p->name)) continue;
        if (!p->value) {
            diag_error(e->diags, c->span, "E0105", "`%s` needs `%s`", c->fn->name, p->name);
            diag_note(e->diags, p->span, "it has no default");
        }
        good = good && p->value;
        variable_set(e, p->name, p->span, p->value ? eval(e, p->value) : v_error, p->value);
    }
    return good;
}

static Value run_in(Elab *e, const Call *c, Scope *s) {
    e->scope = s;
    if (!bind_defaults(e, c)) return v_error;
    run_body(e, c->fn->block->body);
    if (!s->returned && !e->stopped) {
        diag_error(e->diags, c->fn->block->span, "E0115", "block `%s` ends without `return`", c->fn->name);
        diag_note(e->diags, c->span, "it is used here");
    }
    return s->returned ? s->result : v_lost;
}

Value block_run(Elab *e, const Call *c) {
    if (is_recursive(e, c)) return v_error;
    if (e->depth >= MAX_DEPTH) {
        exceed(e, c->span, "E0902", "blocks nest too deep", MAX_DEPTH);
        return v_error;
    }
    Name name = layer_name(e, c->fn->name, &c->notes, c->span, NULL);
    if (!name) return v_error;
    Scope *caller = e->scope;
    Scope *s = NEW(e->arena, Scope);
    *s = (Scope){.item = c->fn->block, .caller = caller, .call = c->span, .source = c->source,
                 .prefix = name_join(name, ".", ""), .frozen = c->notes.freeze || caller->frozen,
                 .nofuse = c->notes.nofuse || caller->nofuse};
    Global *block = table_get(&e->globals, c->fn->block->name);
    s->use = ++block->uses;
    s->block = e->graph->n_block;
    PUSH(e->graph->arena, e->graph->block, e->graph->n_block, e->graph->cap_block,
         ((BlockUse){.name = name, .kind = c->fn->name, .parent = caller->block}));
    if (c->lost || !bind_actuals(e, c, s)) return v_lost;
    e->depth += 8;   /* a use of a block costs several C frames */
    Value v = run_in(e, c, s);
    e->depth -= 8;
    e->scope = caller;
    return v;
}

Scope *elab_net(Elab *e, const Item *net, Ref image) {
    Scope *s = NEW(e->arena, Scope);
    *s = (Scope){.item = net, .prefix = name_of(""), .call = net->span};
    e->scope = s;
    variable_set(e, net->param.item[0].name, net->param.item[0].span,
                 image ? (Value){.kind = V_TENSOR, .tensor = image} : v_lost, NULL);
    run_body(e, net->body);
    return s;
}
