/* Calls, arrows, pipelines and annotations.
 *
 * A call whose first tensor is missing is a pipeline: a value that waits for it. A block that has all its arguments
 * waits for nothing: it is one of numbers. `a -> f(args)` is f(a, args); with a pipeline on the left it is the longer
 * pipeline. */
#include <string.h>

#include "blame.h"
#include "foreign.h"
#include "settings.h"

bool value_is_tensorish(const Value *v) {
    while (v->kind == V_LIST && v->n > 0) v = &v->item[0];
    return v->kind == V_TENSOR || value_is_lost(v);
}

/* Did an argument fail? */
static bool has_failed(const Call *c) {
    for (int32_t i = 0; i < c->n; i++)
        if (c->actual[i].value.kind == V_ERROR) return true;
    return c->lost;
}

static bool wants_tensor(const Function *f) { return f->kind != FN_BUILTIN; }

static Name first_param(Elab *e, const Function *f) {
    if (f->kind == FN_BLOCK) return f->block->param.n > 0 ? f->block->param.item[0].name : NULL;
    return signature_of(e, f->signature)->param[0].name;
}

/* Are there as many arguments as the block has parameters, so that nothing can come in front? */
static bool is_full(const Call *c) { return c->fn->kind == FN_BLOCK && c->n >= c->fn->block->param.n; }

/* Is the first tensor there, in front or by name? Blocks without parameters want none. */
static bool has_tensor(Elab *e, const Call *c) {
    Name first = first_param(e, c->fn);
    if (!first || is_full(c)) return true;
    if (c->n > 0 && !c->actual[0].name) return value_is_tensorish(&c->actual[0].value);
    for (int32_t i = 0; i < c->n; i++)
        if (c->actual[i].name == first) return true;
    return false;
}

static void push_actual(Elab *e, Call *c, Actual a) { PUSH(e->arena, c->actual, c->n, c->cap, a); }

static bool push_spread(Elab *e, Call *c, const Arg *arg, Value v) {
    if (v.kind != V_LIST) {
        diag_error(e->diags, arg->span, "E0124", "`*` spreads a list; this is %s", value_kind_name(&v));
        return false;
    }
    if (!spend(e, v.n)) return false;
    for (int32_t i = 0; i < v.n; i++)
        push_actual(e, c, (Actual){.value = v.item[i], .span = arg->span, .at = arg->span});
    return true;
}

/* pad=same: a word of another framework, which is no name here. */
static bool is_foreign_word(Elab *e, const Arg *arg) {
    Value v;
    const AstExpr *x = arg->value;
    bool pad = arg->name && !strcmp(arg->name, "pad") && x->kind == X_NAME;
    return pad && foreign_find(FOREIGN_WORD, "pad", x->name) && !name_value(e, x->name, &v);
}

/* avgpool(global): the name of an argument, as if that alone switched it on. */
static bool is_bare_name(Elab *e, const Call *c, const Arg *arg) {
    Value v;
    const AstExpr *x = arg->value;
    if (arg->name || arg->spread || x->kind != X_NAME || !c->fn || !c->fn->signature || name_value(e, x->name, &v))
        return false;
    const Signature *s = signature_of(e, c->fn->signature);
    const ParamSpec *p = s->param, *end = p + s->n;
    while (p < end && p->name != x->name) p++;
    if (p == end) return false;
    diag_error(e->diags, x->span, "E0101", "`%s` is an argument of `%s` and wants a value", x->name, c->fn->name);
    if (!strcmp(p->type->name, "bool"))
        diag_fix(e->diags, x->span, arena_printf(e->arena, "%s=true", x->name), "what it switches on");
    else
        diag_help(e->diags, (Span){0}, "%s=: %s", x->name, p->type->wants);
    return true;
}

/* Evaluates all arguments, so that each reports its own mistakes. */
static void push_args(Elab *e, Call *c, const AstExpr *call) {
    const ArgList *list = &call->call.arg;
    for (int32_t i = 0; i < list->n; i++) {
        const Arg *arg = &list->item[i];
        int32_t before = e->diags->n_error;
        Actual a = {.name = arg->name, .span = arg->span, .at = arg->value->span, .text = arg->value, .value = v_error};
        if (is_foreign_word(e, arg)) a.value = value_text(arg->value->name);
        else if (!is_bare_name(e, c, arg)) a.value = eval(e, arg->value);
        if (e->diags->n_error > before) foreign_drop_argument(e, call, i);
        if (!arg->spread) push_actual(e, c, a);
        else if (a.value.kind == V_ERROR || !push_spread(e, c, arg, a.value)) c->lost = true;
    }
}

static bool has_notes(const Notes *n) { return n->label || n->freeze || n->nofuse; }

static Value no_notes(Elab *e, Span at, const char *name) {
    diag_error(e->diags, at, "E0123", "`%s` is not a layer or block: it takes no annotations", name);
    diag_help(e->diags, (Span){0}, "an annotation follows the call that it is about: conv(16, 3)@name(\"stem\")");
    return v_error;
}

/* A variable has the name of the layer or function that is called. */
static bool is_hidden(Elab *e, Span at, const AstExpr *callee, const Value *v) {
    const Variable *variable = callee->kind == X_NAME ? variable_find(e, callee->name) : NULL;
    if (!variable || !(layer_find(callee->name) || builtin_find(callee->name))) return false;
    diag_error(e->diags, at, "E0104", "`%s` is %s here, which hides the %s of that name", callee->name,
               value_kind_name(v), layer_find(callee->name) ? "layer" : "function");
    diag_note(e->diags, variable->span, "it is this `%s`: take another name for it", callee->name);
    return true;
}

static bool not_callable(Elab *e, Span at, const AstExpr *callee, const Value *v) {
    if (v->kind == V_ERROR || is_hidden(e, at, callee, v)) return false;
    diag_error(e->diags, at, "E0104", "%s cannot be called", value_kind_name(v));
    if (v->kind == V_TEXT && layer_find(name_of(v->text)))
        diag_help(e->diags, (Span){0}, "layers are values themselves: %s without quotes", v->text);
    if (v->kind == V_TENSOR) diag_help(e->diags, (Span){0}, "data flow from left to right: the tensor stands first");
    if (callee->kind == X_FIELD && value_is_number(v))
        diag_help(e->diags, (Span){0}, "it is a number already: .%s without ( )", callee->access.field);
    if (v->kind == V_LIST) diag_help(e->diags, (Span){0}, "a list of layers is gone through by a loop: for f in list { x = x -> f }");
    return false;
}

/* What x calls; a name that is nothing here is reported with its arguments. */
static Value eval_callee(Elab *e, const AstExpr *x, const AstExpr *callee) {
    Value v;
    if (callee->kind == X_NAME && !name_value(e, callee->name, &v)) foreign_report_callee(e, x, callee);
    else if (!foreign_report_prefixed(e, x, callee)) return eval(e, callee);
    return v_error;
}

/* f(args) without running it. *pipe is set instead if f is a pipeline (which takes one argument: its tensor). */
static bool prepare(Elab *e, const AstExpr *x, Call *c, const Pipe **pipe) {
    bool call = x->kind == X_CALL;
    const AstExpr *callee = call ? x->call.callee : x;
    Value f = eval_callee(e, x, callee);
    c->span = x->span;
    c->source = call ? x : NULL;
    bool wanted = call && !(f.kind == V_ERROR && foreign_drops_arguments(x->call.callee));
    if (f.kind == V_FUNC) c->fn = f.func;
    if (wanted) push_args(e, c, x);
    if (f.kind == V_PIPE) *pipe = f.pipe;
    else if (c->fn) return true;
    else if (has_notes(&c->notes) && !call && f.kind != V_ERROR) no_notes(e, x->span, foreign_source(e->diags, x->span));
    else not_callable(e, x->span, callee, &f);
    return c->fn || *pipe;
}

static bool no_arguments(Elab *e, const AstExpr *x) {
    const ArgList *arg = &x->call.arg;
    if (arg->n == 0) return true;
    diag_error(e->diags, arg->item[0].span, "E0106", "`@%s` takes no arguments", x->call.label);
    return false;
}

static bool note_freeze(Elab *e, const AstExpr *x, Notes *notes) {
    notes->freeze = true;
    return no_arguments(e, x);
}

static bool note_nofuse(Elab *e, const AstExpr *x, Notes *notes) {
    notes->nofuse = true;
    return no_arguments(e, x);
}

static bool note_name(Elab *e, const AstExpr *x, Notes *notes) {
    const ArgList *arg = &x->call.arg;
    Value v = arg->n == 1 && !arg->item[0].name ? eval(e, arg->item[0].value) : v_none;
    if (v.kind == V_TEXT && v.text[0]) {
        notes->label = v.text;
        notes->label_span = arg->item[0].span;
        return true;
    }
    if (v.kind != V_ERROR) diag_error(e->diags, x->span, "E0123", "`@name` takes one string that is not empty");
    return false;
}

static const struct { const char *name; bool (*add)(Elab *e, const AstExpr *x, Notes *notes); } note_table[] = {
#define ANNOTATION(text) {#text, note_##text},
#include "words.def"
};

static bool add_note(Elab *e, const AstExpr *x, Notes *notes) {
    const char *known[ARRAY_LEN(note_table)], *label = x->call.label;
    for (int i = 0; i < ARRAY_LEN(note_table); i++) {
        if (!strcmp(label, note_table[i].name)) return note_table[i].add(e, x, notes);
        known[i] = note_table[i].name;
    }
    if (settings_is_later("annotation", label)) {
        diag_error(e->diags, x->span, "E0401", "`@%s` is not part of this version", label);
        return false;
    }
    Suggestion better = foreign_suggest(FOREIGN_WORD, "annotation", label, known, ARRAY_LEN(known));
    diag_error(e->diags, x->span, "E0123", "there is no annotation `@%s`%s", label, foreign_question(e->arena, &better));
    foreign_fix_word(e->diags, x->span, &better);
    if (layer_find(name_of(label))) diag_help(e->diags, (Span){0}, "a tensor is given to a layer by ->");
    else if (!better.name) diag_help(e->diags, (Span){0}, "annotations are @name(\"...\"), @freeze() and @nofuse()");
    return false;
}

/* Strips annotations from a call, outermost last. */
static const AstExpr *take_notes(Elab *e, const AstExpr *x, Notes *notes, bool *good) {
    if (x->kind != X_ANNOTATE) return x;
    const AstExpr *call = take_notes(e, x->call.callee, notes, good);
    if (!add_note(e, x, notes)) *good = false;
    return call;
}

static Value as_pipe(Elab *e, const Pipe *before, const Call *c) {
    Pipe *p = NEW(e->arena, Pipe);
    *p = (Pipe){.before = before, .call = *c};
    return (Value){.kind = V_PIPE, .pipe = p};
}

/* The call with `first` in front of its arguments. */
static Call with_first(Elab *e, const Call *c, Value first, Span at, const AstExpr *text) {
    Call longer = {.fn = c->fn, .source = c->source, .span = c->span, .notes = c->notes, .lost = c->lost};
    push_actual(e, &longer, (Actual){.value = first, .span = at, .at = at, .text = text});
    for (int32_t i = 0; i < c->n; i++) push_actual(e, &longer, c->actual[i]);
    return longer;
}

/* The calls of a pipeline, last first. */
static const Pipe **pipe_calls(Elab *e, const Pipe *p, int32_t *n) {
    int32_t cap = 0;
    const Pipe **chain = NULL;
    for (*n = 0; p; p = p->before) PUSH(e->arena, chain, *n, cap, p);
    return chain;
}

static Value pipe_join(Elab *e, const Pipe *a, const Pipe *b) {
    int32_t n;
    const Pipe **chain = pipe_calls(e, b, &n);
    if (!spend(e, n)) return v_error;
    Value joined = {.kind = V_PIPE, .pipe = a};
    while (n > 0) joined = as_pipe(e, joined.pipe, &chain[--n]->call);
    return joined;
}

static Value pipe_run(Elab *e, const Pipe *p, Value first, Span at, const AstExpr *text) {
    int32_t n;
    const Pipe **chain = pipe_calls(e, p, &n);
    while (n > 0 && value_is_tensorish(&first)) {
        Call c = with_first(e, &chain[--n]->call, first, at, text);
        first = call_run(e, &c);
        at = c.span;
        text = NULL;
    }
    return first;
}

static Value not_a_pipeline(Elab *e, const Actual *a) {
    if (a->name) {
        diag_error(e->diags, a->span, "E0107", "`fork` has no parameter `%s`", a->name);
        diag_help(e->diags, (Span){0}, "its results are a list, in the order of the pipelines: a, b = fork(x, p, q)");
        return v_lost;
    }
    diag_error(e->diags, a->span, "E0109", "`fork` takes pipelines; this is %s", value_kind_name(&a->value));
    if (a->value.kind == V_LIST) diag_help(e->diags, (Span){0}, "without the brackets, or with `*` before a list: fork(x, *list)");
    if (a->value.kind == V_TENSOR)
        diag_help(e->diags, (Span){0}, "a pipeline lacks its first tensor, conv(16, 3); tensors are joined by concat(a, b)");
    return v_lost;
}

/* fork(p, q, ...) feeds x to each pipeline and gives the list of results. */
static Value fork_run(Elab *e, const Call *c) {
    Value *item = NEW_ARRAY(e->arena, Value, c->n);
    const Actual *x = &c->actual[0];
    bool failed = c->lost;
    for (int32_t i = 1; i < c->n; i++) {
        const Actual *a = &c->actual[i];
        Call alone = {.span = a->span};
        if (a->value.kind == V_ERROR) {
            failed = true;
            continue;
        }
        if (a->name || (a->value.kind != V_PIPE && a->value.kind != V_FUNC)) return not_a_pipeline(e, a);
        alone.fn = a->value.kind == V_FUNC ? a->value.func : NULL;
        Call first = with_first(e, &alone, x->value, x->at, x->text);
        item[i - 1] = alone.fn ? call_run(e, &first) : pipe_run(e, a->value.pipe, x->value, x->at, x->text);
        failed = failed || item[i - 1].kind == V_ERROR;
    }
    return failed ? v_lost : value_list(item, c->n - 1);
}

/* What annotations say about the nodes of a layer; layer_mark says what those of the blocks around it do. */
static void annotate_from(const Elab *e, const Notes *notes, int32_t first) {
    bool freeze = notes->freeze || (e->scope && e->scope->frozen);
    for (int32_t i = first; i < e->graph->n_node; i++) {
        Node *n = &e->graph->node[i];
        n->frozen = n->frozen || freeze;
        if (n->op == OP_param) n->attr.param.frozen = n->attr.param.frozen || freeze;
        else n->nofuse = n->nofuse || notes->nofuse;
    }
}

/* A variable that one layer does not take as a number would be reported for every other that it is given to. */
static void lose_refused(Elab *e, const Actual *a) {
    Variable *v = a && a->text && a->text->kind == X_NAME ? variable_find(e, a->text->name) : NULL;
    if (v && value_is_number(&v->value)) v->value = v_error;
}

/* A layer that failed has taken its name, and so the layers after it have the names that they will have. */
static Value layer_run(Elab *e, const Call *c) {
    Bound *b = NEW(e->arena, Bound);
    int32_t before = e->diags->n_error, first_node = e->graph ? e->graph->n_node : 0;
    bool good = bind_call(e, c, b);
    if (e->diags->n_error > before) explain_call(e, c, b);
    lose_refused(e, b->refused);
    if (!good && !e->scope) return v_error;
    before = e->diags->n_error;
    b->name = layer_name(e, c->fn->name, &c->notes, c->span, b);
    Value v = b->name && good ? c->fn->run(e, b) : v_lost;
    if (e->diags->n_error > before) explain_call(e, c, b);
    if (e->scope) layer_mark(e, first_node, c->fn->name);
    if (e->graph) annotate_from(e, &c->notes, first_node);
    if (v.kind != V_ERROR) return v;
    e->lost = true;
    return v_lost;
}

static Value builtin_run(Elab *e, const Call *c) {
    Bound *b = NEW(e->arena, Bound);
    int32_t before = e->diags->n_error;
    Value v = bind_call(e, c, b) ? c->fn->run(e, b) : v_error;
    if (e->diags->n_error > before) explain_call(e, c, b);
    return v;
}

static Value function_run(Elab *e, const Call *c) {
    if (c->fn->kind == FN_BLOCK) return block_run(e, c);
    if (!c->fn->run) return fork_run(e, c);
    return c->fn->kind == FN_LAYER ? layer_run(e, c) : builtin_run(e, c);
}

Value call_run(Elab *e, const Call *c) {
    if (!spend(e, 1)) return v_error;
    if (wants_tensor(c->fn) && !has_tensor(e, c)) return has_failed(c) ? v_error : as_pipe(e, NULL, c);
    if (!c->fn->run && c->fn->kind != FN_BLOCK && has_notes(&c->notes)) return no_notes(e, c->span, c->fn->name);
    if (c->fn->kind == FN_BUILTIN && has_notes(&c->notes)) return no_notes(e, c->span, c->fn->name);
    return function_run(e, c);
}

Value eval_call(Elab *e, const AstExpr *x) {
    Call c = {0};
    const Pipe *pipe = NULL;
    bool good = true;
    const AstExpr *call = take_notes(e, x, &c.notes, &good);
    if ((!good && call->kind != X_CALL) || !prepare(e, call, &c, &pipe) || !good) return v_error;
    if (!pipe) return call_run(e, &c);
    if (has_notes(&c.notes)) return no_notes(e, c.span, "pipeline");
    if (x->kind == X_CALL && c.n == 1 && value_is_tensorish(&c.actual[0].value))
        return pipe_run(e, pipe, c.actual[0].value, c.actual[0].at, c.actual[0].text);
    diag_error(e->diags, c.span, "E0104", "a pipeline takes one tensor");
    return v_error;
}

/* `first` given to what stands right of the arrow. */
static Value flow(Elab *e, const AstExpr *x, Value first, Call *c, const Pipe *pipe) {
    Span from = x->arrow.from->span;
    if (first.kind == V_FUNC) {
        Call start = {.fn = first.func, .span = from};
        first = as_pipe(e, NULL, &start);
    }
    if (pipe && has_notes(&c->notes)) return no_notes(e, c->span, "pipeline");
    if (first.kind == V_PIPE) return pipe ? pipe_join(e, first.pipe, pipe) : as_pipe(e, first.pipe, c);
    if (pipe && c->n > 0) {
        diag_error(e->diags, c->span, "E0104", "a pipeline takes one tensor");
        return v_error;
    }
    if (first.kind == V_ERROR && !value_is_lost(&first)) return v_error;
    if ((pipe || wants_tensor(c->fn)) && !value_is_tensorish(&first)) {
        diag_error(e->diags, from, "E0109", "`%s` takes a tensor; this is %s", pipe ? "->" : c->fn->name,
                   value_kind_name(&first));
        return v_error;
    }
    if (pipe) return pipe_run(e, pipe, first, from, x->arrow.from);
    Call longer = with_first(e, c, first, from, x->arrow.from);
    return call_run(e, &longer);
}

Value eval_arrow(Elab *e, const AstExpr *x) {
    Value first = eval(e, x->arrow.from);
    Call c = {0};
    const Pipe *pipe = NULL;
    bool good = true;
    const AstExpr *call = take_notes(e, x->arrow.to, &c.notes, &good);
    if (!prepare(e, call, &c, &pipe) || !good) return v_error;
    return flow(e, x, first, &c, pipe);
}
