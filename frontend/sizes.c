/* See sizes.h. The text of the net is run again, because a size decides more than shapes: x.height may be anywhere in
 * it. */
#include "sizes.h"

#include <string.h>

#include "blame.h"
#include "net_input.h"
#include "train.h"

typedef struct Wish { /* a size that a section wants programs for */
    int32_t h, w;
    Entry entry;
    Span at;
    const char *key;
} Wish;

/* ---- the net again ---- */

/* Blocks count their uses, for messages and names. */
static int32_t *block_uses(Elab *e) {
    int32_t *uses = NEW_ARRAY(e->arena, int32_t, e->n_global + 1);
    for (int32_t i = 0; i < e->n_global; i++) {
        Global *g = table_get(&e->globals, e->global_name[i]);
        uses[i] = g->uses;
        g->uses = 0;
    }
    return uses;
}

static void restore(Elab *e, const Elab *before, const int32_t *uses) {
    Elab after = *e;
    *e = *before;
    e->signatures = after.signatures;
    e->steps = after.steps;
    e->stopped = after.stopped;
    for (int32_t i = 0; i < e->n_global; i++) ((Global *)table_get(&e->globals, e->global_name[i]))->uses = uses[i];
}

/* What the chosen section train says, for the net that was just built. */
static void train_again(Bundle *p, const Unit *u, Unit *sized, Scope *net, const Value *section) {
    for (int32_t i = 0; i < p->sections.n; i++) {
        const Item *item = p->sections.item[i];
        bool chosen = !strcmp(item->section, "train") && section[i].kind == V_RECORD;
        if (chosen && u->train.present) train_build(p->elab, sized, net, item, section[i].record);
    }
    LossTerm *loss = sized->train.loss;
    int32_t n_loss = sized->train.n_loss;
    sized->train = u->train; /* other sections have had their say in it */
    sized->train.loss = loss;
    sized->train.n_loss = n_loss;
}

/* deploy { outputs } has spoken about the net at the input's size. */
static void keep_outputs(const Unit *u, Graph *g) {
    for (int32_t i = 0; i < g->n_output; i++)
        for (int32_t k = 0; k < u->net->n_output; k++)
            if (g->output[i].name == u->net->output[k].name) g->output[i].only = u->net->output[k].only;
}

static Unit *build(Bundle *p, const Unit *u, const Wish *wish, const Value *section, const Record *input) {
    Elab *e = p->elab;
    const Elab before = *e;
    const int32_t *uses = block_uses(e);
    const Node *image = graph_node(u->net, u->image);
    Unit *sized = NEW(u->arena, Unit);
    *sized = *u;
    sized->sized = NULL;
    sized->n_sized = sized->cap_sized = 0;
    sized->base = u;
    for (int k = 0; k < ENTRY_COUNT; k++) sized->unwanted[k] = true;
    sized->net = e->graph = graph_new(e->arena, u->name);
    e->scope = NULL;
    e->layers = (Table){0};
    e->use_note = NULL;
    e->n_use_note = e->cap_use_note = e->n_layers = e->n_dropout = 0;
    e->n_parameters = 0;
    sized->image = net_image(e, input, wish->h, wish->w, image->name, image->span);
    Scope *net = sized->image ? elab_net(e, p->net, sized->image) : NULL;
    finish_use_notes(e);
    e->scope = NULL;
    if (net && !e->diags->n_error) train_again(p, u, sized, net, section);
    keep_outputs(u, sized->net);
    train_mark_frozen(sized->net);
    restore(e, &before, uses);
    return sized;
}

/* ---- whether the net can follow ---- */

/* Marks what the roots of an entry are computed from. */
static bool *needed(const Unit *u, const Graph *g, Entry entry, const TrainConfig *train) {
    bool *need = NEW_ARRAY(u->arena, bool, g->n_node);
    for (int32_t i = 0; entry == ENTRY_INFER && i < g->n_output; i++)
        if (g->output[i].only != ONLY_TRAIN) need[g->output[i].ref] = true;
    for (int32_t i = 0; entry == ENTRY_TRAIN && i < train->n_loss; i++) need[train->loss[i].logits] = true;
    for (Ref r = (Ref)g->n_node - 1; r > 0; r--)
        for (int32_t k = 0; need[r] && k < graph_node(g, r)->n_in; k++) need[graph_node(g, r)->in[k]] = true;
    return need;
}

/* The first node that reads r. */
static Ref reader_of(const Graph *g, Ref r) {
    for (Ref n = 1; n < (Ref)g->n_node; n++)
        for (int32_t k = 0; k < graph_node(g, n)->n_in; k++)
            if (graph_node(g, n)->in[k] == r) return n;
    return 0;
}

/* The flatten that the layer reads, perhaps through layers that leave the shape; 0: none. */
static Ref flatten_before(const Graph *g, Ref r) {
    while (r && graph_node(g, r)->n_in > 0) {
        Ref x = graph_node(g, r)->in[0];
        const Node *n = graph_node(g, x);
        if (n->op == OP_flatten) return x;
        r = type_same_dims(&n->type, &graph_node(g, n->n_in ? n->in[0] : x)->type) ? x : 0;
    }
    return 0;
}

/* -> flatten becomes -> avgpool(global=true) -> flatten. */
static void propose_pooling(Elab *e, const Node *flatten) {
    size_t n;
    const char *line = diag_line(e->diags, flatten->span, &n);
    size_t from = flatten->span.col - 1;
    bool word = line && flatten->span.len == strlen("flatten") && from + flatten->span.len <= n &&
                !memcmp(line + from, "flatten", flatten->span.len);
    Span at = flatten->span;
    at.len = 0;
    if (word)
        diag_fix(e->diags, at, "avgpool(global=true) -> ", "average each plane: a number for each channel at any size");
    else
        diag_help(e->diags, (Span){0}, "average each plane first: -> avgpool(global=true) -> flatten");
}

static void say_who_asks(Elab *e, const Wish *w) { diag_note(e->diags, w->at, "`%s` is here", w->key); }

/* Parameter r of the one net is another, or none (other 0), in the other. */
static void report_parameter(Elab *e, const Wish *w, const Graph *g, Ref r, const Graph *other, Ref s) {
    Ref reader = reader_of(g, r);
    const Node *layer = graph_node(g, reader ? reader : r), *param = graph_node(g, r);
    Ref flatten = s ? flatten_before(g, reader) : 0;
    if (flatten)
        diag_error(e->diags, layer->span, "E0466",
                   "`%s` after `flatten` fixes the size of pictures, but `%s` has %dx%d", op_info[layer->op].name,
                   w->key, w->h, w->w);
    else
        diag_error(e->diags, layer->span, "E0466", "`%s` fixes the size of pictures, but `%s` has %dx%d", param->name,
                   w->key, w->h, w->w);
    if (s)
        diag_label(e->diags, layer->span, "%s is %s, and %s at %dx%d", param->name,
                   type_shape_text(e->arena, &param->type), type_shape_text(e->arena, &graph_node(other, s)->type),
                   w->h, w->w);
    say_who_asks(e, w);
    if (flatten) propose_pooling(e, graph_node(g, flatten));
}

/* Parameters of g that are needed are so, with the same shape, in the other. */
static bool same_parameters(Elab *e, const Wish *w, const Graph *g, const bool *need, const Graph *other,
                            const bool *need_there) {
    for (Ref r = 1; r < (Ref)g->n_node; r++) {
        const Node *n = graph_node(g, r);
        if (n->op != OP_param || !need[r]) continue;
        Ref s = graph_find_param(other, n->name);
        if (s && need_there[s] && type_same_shape(&n->type, &graph_node(other, s)->type)) continue;
        report_parameter(e, w, g, r, other, s);
        return false;
    }
    return true;
}

static bool same_scores(Elab *e, const Wish *w, const Item *net, const Graph *g, const Graph *other) {
    if (train_classes(g) == train_classes(other) && train_scores_pixels(g) == train_scores_pixels(other)) return true;
    bool pixels = train_scores_pixels(other);
    diag_error(e->diags, net->span, "E0466", "at %dx%d the net has scores for %s, at the input's size for %s", w->h,
               w->w, pixels ? "each pixel" : "a picture", train_scores_pixels(g) ? "each pixel" : "a picture");
    say_who_asks(e, w);
    return false;
}

/* Errors of the net at that size say so. */
static void explain_errors(Elab *e, const Wish *w, int32_t first) {
    for (int32_t i = first, n = e->diags->n_message; i < n; i++) {
        if (e->diags->message[i].severity != SEV_ERROR) continue;
        diag_resume(e->diags, i);
        diag_note(e->diags, w->at, "this is the net for pictures of %dx%d, which `%s` asks for", w->h, w->w, w->key);
    }
}

static bool can_follow(Bundle *p, const Unit *u, const Unit *sized, const Wish *w) {
    Elab *e = p->elab;
    const bool *here = needed(u, u->net, w->entry, &u->train), *there = needed(u, sized->net, w->entry, &sized->train);
    return same_parameters(e, w, u->net, here, sized->net, there) &&
           same_parameters(e, w, sized->net, there, u->net, here) && same_scores(e, w, p->net, u->net, sized->net);
}

/* ---- who wants what ---- */

static Unit *find_size(const Unit *u, const Wish *w) {
    for (int32_t i = 0; i < u->n_sized; i++) {
        const Type *t = &graph_node(u->sized[i]->net, u->sized[i]->image)->type;
        if (t->dim[2] == w->h && t->dim[3] == w->w) return u->sized[i];
    }
    return NULL;
}

static void fulfil(Bundle *p, Unit *u, const Wish *w, const Value *section, const Value *input) {
    Elab *e = p->elab;
    const Type *t = &graph_node(u->net, u->image)->type;
    if (e->diags->n_error || (t->dim[2] == w->h && t->dim[3] == w->w) || (w->entry == ENTRY_TRAIN && !u->train.present))
        return;
    Unit *sized = find_size(u, w);
    int32_t first = e->diags->n_message;
    if (!sized) {
        sized = build(p, u, w, section, input->record);
        PUSH(u->arena, u->sized, u->n_sized, u->cap_sized, sized);
        explain_errors(e, w, first);
    }
    if (!e->diags->n_error && can_follow(p, u, sized, w)) sized->unwanted[w->entry] = false;
}

void sizes_build(Bundle *p, Unit *u, const Value *section, const Value *input) {
    for (int32_t i = 0; i < p->sections.n; i++) {
        const Value *v = &section[i];
        for (int32_t k = 0; v->kind == V_LIST && k < v->n; k++) {
            const Field *f = record_field(v->item[k].record, "sizes");
            for (int32_t s = 0; f && f->value.kind == V_LIST && s < f->value.n; s++) {
                const Value *size = &f->value.item[s];
                fulfil(p, u, &(Wish){size->dim.h, size->dim.w, ENTRY_TRAIN, f->span, "sizes"}, section, input);
            }
        }
        const Field *f = v->kind == V_RECORD && !strcmp(p->sections.item[i]->section, "eval")
                             ? record_field(v->record, "size")
                             : NULL;
        if (f && f->value.kind == V_DIM)
            fulfil(p, u, &(Wish){f->value.dim.h, f->value.dim.w, ENTRY_INFER, f->span, "size"}, section, input);
    }
}
