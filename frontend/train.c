/* See train.h. */
#include "train.h"

#include <string.h>

#include "blame.h"
#include "foreign.h"

/* ---- patterns ---- */

/* Shell pattern against s[0..n): `*` any run, dots included, `?` any byte. Linear in the usual case, never exponential.
 */
static bool glob_match(const char *p, const char *s, size_t n) {
    const char *end = s + n, *star = NULL, *retry = NULL;
    while (s < end) {
        if (*p == '*') {
            star = p++;
            retry = s;
        } else if (*p == *s || *p == '?') {
            p++;
            s++;
        } else if (star) {
            p = star + 1;
            s = ++retry;
        } else {
            return false;
        }
    }
    while (*p == '*') p++;
    return !*p;
}

/* Does the pattern name the parameter or something it is part of: "conv1" means all of conv1, "layer1.*" all inside. */
static bool names_param(const char *pattern, Name name) {
    for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.'))
        if (glob_match(pattern, name, (size_t)(dot - name))) return true;
    return glob_match(pattern, name, strlen(name));
}

typedef void Change(ParamAttr *param, const Record *group);

/* A pattern like this one that names some: "*.bias" for "*.biases", "conv1" for "conv_1"; NULL if none is near. */
static const char *near_pattern(const Elab *e, const char *pattern) {
    enum { MOST = 1024 };
    const char **known = NEW_ARRAY(e->arena, const char *, MOST);
    bool any = !strncmp(pattern, "*.", 2);
    const char *word = any ? pattern + 2 : pattern;
    int n = 0;
    for (int32_t i = 1; i < e->graph->n_node && !strpbrk(word, "*?"); i++) {
        const Node *node = &e->graph->node[i];
        if (node->op != OP_param) continue;
        if (any && n < MOST) known[n++] = strrchr(node->name, '.') ? strrchr(node->name, '.') + 1 : node->name;
        for (const char *dot = any ? NULL : strchr(node->name, '.'); dot && n < MOST; dot = strchr(dot + 1, '.'))
            known[n++] = arena_strndup(e->arena, node->name, (size_t)(dot - node->name));
    }
    const char *near = did_you_mean(word, known, n);
    return near && any ? arena_printf(e->arena, "*.%s", near) : near;
}

/* Applies `change` to the parameters that the pattern names; a pattern that names none is a mistake. */
static void each_param(Elab *e, const char *pattern, Span at, Change *change, const Record *group) {
    Graph *g = e->graph;
    bool any = false;
    for (int32_t i = 1; i < g->n_node; i++) {
        Node *n = &g->node[i];
        if (n->op != OP_param || !names_param(pattern, n->name)) continue;
        change(&n->attr.param, group);
        any = true;
    }
    if (any || e->lost) return;
    const char *near = near_pattern(e, pattern);
    diag_error(e->diags, at, "E0410", near ? "the pattern \"%s\" matches no parameter; did you mean \"%s\"?"
                                           : "the pattern \"%s\" matches no parameter", pattern, near);
    if (near && foreign_source(e->diags, at)[0] == '"') diag_fix(e->diags, at, arena_printf(e->arena, "\"%s\"", near), "%s", "");
}

static void freeze(ParamAttr *param, const Record *group) {
    (void)group;
    param->frozen = true;
}

static void nothing(ParamAttr *param, const Record *group) { (void)param, (void)group; }

static bool names_one(const Value *patterns, Name name) {
    for (int32_t i = 0; i < patterns->n; i++)
        if (names_param(patterns->item[i].text, name)) return true;
    return false;
}

/* Patterns, or all(except=patterns); `source` is what is written there, NULL if nothing is. */
static void apply_freeze(Elab *e, const Field *f, const AstExpr *source) {
    bool all = f->value.kind == V_RECORD;
    const Value *patterns = all ? &f->value.record->field[0].value : &f->value;
    const ExprList *items = source && source->kind == X_LIST && source->list.n == patterns->n ? &source->list : NULL;
    for (int32_t i = 0; i < patterns->n; i++)
        each_param(e, patterns->item[i].text, items ? items->item[i]->span : f->span, all ? nothing : freeze, NULL);
    for (int32_t i = 1; all && i < e->graph->n_node; i++) {
        Node *n = &e->graph->node[i];
        if (n->op == OP_param && !names_one(patterns, n->name)) n->attr.param.frozen = true;
    }
}

/* A training that changes nothing. */
static void check_trains(Elab *e, Span at) {
    int params = 0;
    for (int32_t i = 1; i < e->graph->n_node; i++) {
        const Node *n = &e->graph->node[i];
        if (n->op != OP_param || n->attr.param.role != PARAM_WEIGHT) continue;
        if (!n->attr.param.frozen) return;
        params++;
    }
    if (params == 0 || e->lost || e->diags->n_error) return;
    diag_warning(e->diags, at, "W0137", "every parameter is frozen, so nothing is trained");
    diag_help(e->diags, (Span){0}, "all(except=\"fc*\") freezes all but those that match");
}

static void apply_group(ParamAttr *param, const Record *group) {
    if (param->role != PARAM_WEIGHT) return;
    const Value *scale = &group->field[0].value, *decay = &group->field[1].value;
    if (scale->kind != V_NONE) param->lr_scale = value_double(scale);
    if (decay->kind != V_NONE) param->weight_decay = value_double(decay);
}

void train_mark_frozen(Graph *g) {
    for (int32_t i = 1; i < g->n_node; i++) {
        Node *n = &g->node[i];
        int params = 0, frozen = 0;
        for (int k = 0; k < n->n_in; k++) {
            const Node *in = &g->node[n->in[k]];
            params += in->op == OP_param;
            frozen += in->op == OP_param && in->attr.param.frozen;
        }
        if (params > 0 && params == frozen) n->frozen = true;
    }
}

/* ---- loss ---- */

static bool bad_loss(Elab *e, Span at, const char *why) {
    diag_error(e->diags, at, "E0409", "%s", why);
    diag_help(e->diags, (Span){0}, "a loss looks like cross_entropy(logits, smoothing=0.1) + 0.3 * cross_entropy(aux)");
    return false;
}

/* A block of the file in which the name is assigned, NULL if there is none. */
static const Item *block_with(const Elab *e, Name name) {
    for (int32_t i = 0; i < e->n_global; i++) {
        const Global *g = table_get(&e->globals, e->global_name[i]);
        Table names = {0};
        if (g->fn.name) ast_body_names(e->arena, &names, g->item->body);
        if (g->fn.name && table_get(&names, name)) return g->item;
    }
    return NULL;
}

/* Where no other name is near, what there is. */
static void report_no_scores(Elab *e, const AstExpr *x) {
    enum { MOST = 6 };
    int32_t before = e->diags->n_message, n = 0;
    report_unknown_name(e, x);
    const Item *block = block_with(e, x->name);
    if (e->diags->current < 0 || e->diags->n_message > before + 1) return;
    if (block) {
        diag_help(e->diags, (Span){0}, "the names inside of the block `%s` are its own: a net's value is named in the net", block->name);
        return;
    }
    Str s = STR(e->arena);
    for (int32_t i = 0; i < e->graph->n_output && n < MOST; i++)
        str_addf(&s, "%s%s", n++ ? ", " : "", e->graph->output[i].name);
    if (n > 0) diag_help(e->diags, (Span){0}, "a loss takes an output or a variable of the net: %s", str_text(&s));
}

/* The tensor of that name: a variable of the net, or an output. */
static Ref find_scores(Elab *e, const char *loss, const AstExpr *x) {
    if (!x || x->kind != X_NAME) {
        bad_loss(e, x ? x->span : (Span){0}, arena_printf(e->arena, "`%s` takes the name of one of the net's values", loss));
        return 0;
    }
    const Variable *v = variable_find(e, x->name);
    Ref r = v && v->value.kind == V_TENSOR ? v->value.tensor : graph_find_output(e->graph, x->name);
    Value known;
    bool lost = name_value(e, x->name, &known) && known.kind == V_ERROR;
    if (!r && !lost) report_no_scores(e, x);
    return r;
}

/* What a loss does itself, so that it must not have been done before. */
static bool done_before(Op loss, Op last) {
    bool softmax = last == OP_softmax || last == OP_log_softmax, sigmoid = last == OP_sigmoid || last == OP_hsigmoid;
    if (loss == OP_mse) return false;
    if (loss == OP_hinge) return softmax || sigmoid; /* which never give less than 0, where its other margin lies */
    return loss == OP_cross_entropy ? softmax : sigmoid;
}

/* The variable of the net that has this value, NULL if there is none. */
static Name variable_of(const Elab *e, Ref r) {
    const Table *t = &e->scope->variables;
    for (int32_t i = 0; i < t->cap; i++) {
        const Variable *v = t->key[i] ? t->value[i] : NULL;
        if (v && v->value.kind == V_TENSOR && v->value.tensor == r) return t->key[i];
    }
    return NULL;
}

static bool report_done(Elab *e, const char *loss, const Node *n, const AstExpr *scores) {
    const char *done = op_info[n->op].name;
    Name before = variable_of(e, n->in[0]);
    diag_error(e->diags, scores->span, "E0409", "`%s` takes the values before %s", loss, done);
    diag_note(e->diags, n->span, "`%s` went through %s here", scores->name, done);
    if (before)
        diag_fix(e->diags, scores->span, before, "`%s` is what it was made of", before);
    else
        diag_help(e->diags, (Span){0}, "give them a name: logits = ..., and output %s = %s(logits)", scores->name,
                  done);
    return false;
}

/* What leaves no score below 0, so that no class can be said to be unlikely. */
static void warn_bounded(Elab *e, Op loss, const Node *n, const AstExpr *scores) {
    bool bounded = n->op == OP_relu || n->op == OP_sigmoid || n->op == OP_hsigmoid;
    if (!bounded || loss == OP_mse) return;
    Name before = variable_of(e, n->in[0]);
    const char *done = op_info[n->op].name, *note = "a loss takes scores of any sign";
    diag_warning(e->diags, scores->span, "W0140", "`%s` went through %s, so that no score is below 0", scores->name, done);
    diag_note(e->diags, n->span, "`%s` is made here", scores->name);
    if (before)
        diag_fix(e->diags, scores->span, before, "%s", note);
    else
        diag_help(e->diags, (Span){0}, "%s: leave %s out", note, done);
}

static bool report_classes(Elab *e, const LossTerm *first, Ref r, const AstExpr *scores) {
    int32_t many = type_channels(&graph_node(e->graph, first->logits)->type);
    int32_t classes = type_channels(&graph_node(e->graph, r)->type);
    diag_error(e->diags, scores->span, "E0409",
               "the terms of a loss are about the same classes, but the first has %d and this %d", many, classes);
    diag_label(e->diags, first->span, "%d classes", many);
    diag_label(e->diags, scores->span, "%d classes", classes);
    Name name = variable_of(e, first->logits);
    note_channels(e, name ? arena_printf(e->arena, "`%s`", name) : "the first", first->logits);
    note_channels(e, arena_printf(e->arena, "`%s`", scores->name), r);
    return false;
}

static const Type *type_of_scores(const Graph *g) {
    Ref scores = graph_scores(g);
    return scores ? &graph_node(g, scores)->type : NULL;
}

int32_t train_classes(const Graph *g) {
    const Type *t = type_of_scores(g);
    return t ? type_channels(t) : 0;
}

bool train_scores_pixels(const Graph *g) {
    const Type *t = type_of_scores(g);
    return t && (int64_t)type_height(t) * type_width(t) > 1;
}

static Ref find_image(const Graph *g) {
    Ref r = 1;
    while (graph_node(g, r)->op != OP_input) r++;
    return r;
}

/* Each score of a map is compared with the pixel of the mask in its place: a map that is smaller, as convolutions
 * without padding make it, is in the middle of the picture. One of half the size or less was scaled down. */
static bool check_map(Elab *e, const Node *n, const AstExpr *scores) {
    const Type *image = &graph_node(e->graph, find_image(e->graph))->type;
    int32_t h = type_height(&n->type), w = type_width(&n->type);
    bool fits = h <= image->dim[2] && w <= image->dim[3] && 2 * (int64_t)h > image->dim[2] && 2 * (int64_t)w > image->dim[3];
    if (n->type.rank == 2 || fits) return true;
    diag_error(e->diags, scores->span, "E0440", "scores of %dx%d pixels do not lie on a picture of %dx%d", h, w, image->dim[2],
               image->dim[3]);
    diag_note(e->diags, n->span, "`%s` is made here", scores->name);
    diag_help(e->diags, (Span){0}, "-> upsample(size=%dx%d, filter=\"bilinear\") brings them to the picture's size", image->dim[2],
              image->dim[3]);
    return false;
}

/* All terms are about the labels of pictures, or of the same pixels. */
static bool check_labels(Elab *e, const LossTerm *first, const Node *n, const AstExpr *scores) {
    const Type *t = &graph_node(e->graph, first->logits)->type;
    bool same = t->rank == n->type.rank && type_height(t) == type_height(&n->type) && type_width(t) == type_width(&n->type);
    if (same) return true;
    diag_error(e->diags, scores->span, "E0409", "the terms of a loss are about the same labels, but the first is %s and this %s",
               type_shape_text(e->arena, t), type_shape_text(e->arena, &n->type));
    diag_note(e->diags, n->span, "`%s` is made here", scores->name);
    return false;
}

static bool check_scores(Elab *e, const TrainConfig *t, Op loss, Ref r, const AstExpr *scores) {
    const Node *n = graph_node(e->graph, r);
    const char *name = op_info[loss].name;
    if (done_before(loss, n->op)) return report_done(e, name, n, scores);
    warn_bounded(e, loss, n, scores);
    bool map = n->type.rank == 4 && train_scores_pixels(e->graph);
    if (n->type.rank != 2 && !(map && loss == OP_cross_entropy)) {
        diag_error(e->diags, scores->span, "E0409", "`%s` takes one number per class; this is %s", name,
                   type_shape_text(e->arena, &n->type));
        diag_note(e->diags, n->span, "`%s` is made here", scores->name);
        diag_help(e->diags, (Span){0}, "flatten it, or average each plane: -> avgpool(global=true) -> flatten");
        return false;
    }
    const LossTerm *first = t->n_loss > 0 ? &t->loss[0] : NULL;
    if (first && type_channels(&graph_node(e->graph, first->logits)->type) != type_channels(&n->type))
        return report_classes(e, first, r, scores);
    return (!first || check_labels(e, first, n, scores)) && check_map(e, n, scores);
}

static Attr loss_attr(Op loss, const Bound *b) {
    if (loss == OP_cross_entropy) return (Attr){.loss = {bound_real(b, "smoothing")}};
    if (loss != OP_focal) return (Attr){.loss = {0}};
    double hit = bound_given(b, "alpha") ? bound_real(b, "alpha") : 1;
    return (Attr){.focal = {bound_real(b, "gamma"), hit, bound_given(b, "alpha") ? 1 - hit : 1}};
}

/* One number of at least 0 a class, some above 0, as TableAttr has them. */
static bool class_weights(Elab *e, const Bound *b, Ref scores, Name *text) {
    const Value *w = bound(b, "weights");
    int32_t classes = type_channels(&graph_node(e->graph, scores)->type);
    bool good = w->n == classes, some = false;
    Str s = STR(e->arena);
    for (int32_t i = 0; i < w->n; i++) {
        double x = value_double(&w->item[i]);
        good = good && x >= 0;
        some = some || x > 0;
        if (i) str_add(&s, ",");
        str_add_double(&s, x);
    }
    *text = name_of(str_text(&s));
    if (!good || !some)
        diag_error(e->diags, bound_span(b, "weights"), "E0320",
                   "`weights` wants one number of at least 0 for each of %d classes, not all of them 0; this is %s", classes,
                   value_text_of(e->arena, w));
    return good && some;
}

static bool unknown_loss(Elab *e, const AstExpr *x, const AstExpr *callee) {
    enum { MOST = 16 };
    while (callee->kind == X_CALL) callee = callee->call.callee;
    const char *known[MOST], *got = callee->kind == X_NAME ? callee->name : NULL;
    if (callee->kind == X_FIELD) got = callee->access.field;
    if (callee->kind == X_STRING) got = callee->string.text;
    int n = settings_call_names("loss", known, MOST);
    Suggestion better = got ? foreign_suggest(FOREIGN_WORD, "loss", got, known, n) : (Suggestion){0};
    Str s = STR(e->arena);
    for (int i = 0; i < n; i++) str_addf(&s, "%s%s", i == 0 ? "" : i == n - 1 ? " and " : ", ", known[i]);
    bool known_text = callee->kind == X_STRING && settings_call_find("loss", got);
    if (!got || known_text)
        return bad_loss(e, x->span, known_text ? "a loss is a call, and takes values of the net"
                                               : arena_printf(e->arena, "a loss is a sum of terms, and terms are %s", str_text(&s)));
    diag_error(e->diags, callee->span, "E0409", "there is no loss `%s`%s", got, foreign_question(e->arena, &better));
    if (better.row || better.name) foreign_fix_word(e->diags, callee->span, &better);
    else diag_help(e->diags, (Span){0}, "losses are %s", str_text(&s));
    return false;
}

/* cross_entropy(logits, smoothing=s), or `logits -> cross_entropy(...)`; x is the call, `first` what the arrow gives.
 */
static bool add_term(Elab *e, TrainConfig *t, int32_t *cap, const AstExpr *x, const AstExpr *first, double weight) {
    const AstExpr *callee = x->kind == X_CALL ? x->call.callee : x;
    Name name = callee->kind == X_NAME ? callee->name : NULL;
    Call c = {.fn = name ? settings_call_find("loss", name) : NULL, .span = x->span};
    if (!c.fn) return unknown_loss(e, x, callee);
    Op op = op_by_name(name);
    const char *scores_name = signature_of(e, c.fn->signature)->param[0].name;
    const AstExpr *scores = first;
    if (first) PUSH(e->arena, c.actual, c.n, c.cap, ((Actual){.expr = first, .span = first->span, .at = first->span}));
    for (int32_t i = 0; x->kind == X_CALL && i < x->call.arg.n; i++) {
        const Arg *a = &x->call.arg.item[i];
        if (a->spread) return bad_loss(e, a->span, "`*` does not work in settings");
        PUSH(e->arena, c.actual, c.n, c.cap,
             ((Actual){.name = a->name, .expr = a->value, .span = a->span, .at = a->value->span}));
        if (!scores && (!a->name || a->name == scores_name)) scores = a->value;
    }
    Bound *b = NEW(e->arena, Bound);
    if (!bind_call(e, &c, b)) return false;
    Ref r = find_scores(e, name, scores);
    if (!r || !check_scores(e, t, op, r, scores)) return false;
    LossTerm term = {.weight = weight, .logits = r, .op = op, .attr = loss_attr(op, b), .span = x->span};
    bool weighted = op == OP_cross_entropy && bound_given(b, "weights");
    if (weighted && !class_weights(e, b, r, &term.class_weights)) return false;
    PUSH(e->arena, t->loss, t->n_loss, *cap, term);
    return true;
}

static bool has_call(const AstExpr *x) {
    if (x->kind == X_BINARY) return has_call(x->op.a) || has_call(x->op.b);
    return x->kind == X_CALL || x->kind == X_ARROW;
}

static bool add_terms(Elab *e, TrainConfig *t, int32_t *cap, const AstExpr *x, double weight);

/* number * term, term * number, term / number */
static bool add_weighted(Elab *e, TrainConfig *t, int32_t *cap, const AstExpr *x, double weight) {
    bool left = has_call(x->op.a), divide = x->op.op == OPR_div;
    if (left && has_call(x->op.b)) return bad_loss(e, x->span, "terms of a loss are added, not multiplied");
    const AstExpr *number = left ? x->op.b : x->op.a;
    Value v = eval(e, number);
    if (v.kind == V_ERROR) return false;
    if ((divide && !left) || !value_is_number(&v) || v.unit || !(value_double(&v) > 0))
        return bad_loss(e, number->span, "the weight of a term is a number above 0");
    double by = value_double(&v);
    return add_terms(e, t, cap, left ? x->op.a : x->op.b, divide ? weight / by : weight * by);
}

static bool add_terms(Elab *e, TrainConfig *t, int32_t *cap, const AstExpr *x, double weight) {
    if (x->kind == X_BINARY && x->op.op == OPR_add) {
        bool left = add_terms(e, t, cap, x->op.a, weight), right = add_terms(e, t, cap, x->op.b, weight);
        return left && right;
    }
    if (x->kind == X_BINARY && (x->op.op == OPR_mul || x->op.op == OPR_div)) return add_weighted(e, t, cap, x, weight);
    if (x->kind == X_ARROW) return add_term(e, t, cap, x->arrow.to, x->arrow.from, weight);
    return add_term(e, t, cap, x, NULL, weight);
}

/* ---- the section ---- */

static void apply_groups(Elab *e, const SettingList *list) {
    for (int32_t i = 0; i < list->n; i++) {
        const Setting *s = list->item[i];
        if (!s->group) continue;
        Value group = group_eval(e, s->group, s->span), pattern = eval(e, s->value);
        if (group.kind == V_RECORD && pattern.kind == V_TEXT)
            each_param(e, pattern.text, s->span, apply_group, group.record);
    }
}

static double number_of(const Record *r, const char *key) { return value_double(&record_field(r, key)->value); }

static void take_sgd(Elab *e, TrainConfig *t, const Field *optimizer) {
    const Record *r = optimizer->value.record;
    t->optimizer = OP_sgd;
    t->update = (Attr){.sgd = {.momentum = number_of(r, "momentum"),
                               .nesterov = record_field(r, "nesterov")->value.flag}};
    if (t->update.sgd.nesterov && t->update.sgd.momentum == 0)
        diag_error(e->diags, optimizer->span, "E0412", "nesterov needs a momentum above 0");
}

static void take_adam(Elab *e, TrainConfig *t, const Field *optimizer) {
    (void)e;
    const Record *r = optimizer->value.record;
    const Value *beta = record_field(r, "betas")->value.item;
    t->optimizer = OP_adam;
    t->update = (Attr){.adam = {.beta = {value_double(&beta[0]), value_double(&beta[1])},
                                .eps = number_of(r, "eps"),
                                .decoupled = !strcmp(r->call, "adamw")}};
}

static void take_rmsprop(Elab *e, TrainConfig *t, const Field *optimizer) {
    (void)e;
    const Record *r = optimizer->value.record;
    t->optimizer = OP_rmsprop;
    t->update = (Attr){.rmsprop = {.alpha = number_of(r, "alpha"),
                                   .eps = number_of(r, "eps"),
                                   .momentum = number_of(r, "momentum"),
                                   .centred = record_field(r, "centred")->value.flag,
                                   .eps_inside = record_field(r, "eps_inside")->value.flag}};
}

static void take_lars(Elab *e, TrainConfig *t, const Field *optimizer) {
    (void)e;
    const Record *r = optimizer->value.record;
    t->optimizer = OP_lars;
    t->update = (Attr){
        .lars = {.momentum = number_of(r, "momentum"), .trust = number_of(r, "trust"), .eps = number_of(r, "eps")}};
}

static void take_optimizer(Elab *e, TrainConfig *t, const Field *optimizer) {
    static const struct {
        const char *call;
        void (*take)(Elab *e, TrainConfig *t, const Field *optimizer);
    } row[] = {{"sgd", take_sgd}, {"adam", take_adam}, {"adamw", take_adam}, {"rmsprop", take_rmsprop},
               {"lars", take_lars}};
    for (int i = 0; i < ARRAY_LEN(row); i++)
        if (!strcmp(optimizer->value.record->call, row[i].call)) row[i].take(e, t, optimizer);
}

/* What the runtime counts with. */
static void check_step(Elab *e, const SettingList *list, const Record *r) {
    enum { MOST = 1 << 20 };
    const Field *accumulate = record_field(r, "accumulate");
    int64_t batch = value_whole(&record_field(r, "batch")->value), times = value_whole(&accumulate->value);
    if (batch <= MOST / times) return;
    const AstExpr *at = settings_value(list, times > 1 ? "accumulate" : "batch");
    diag_error(e->diags, at ? at->span : accumulate->span, "E0461", "a step of %lld pictures is more than %d", (long long)(batch * times), MOST);
}

void train_build(Elab *e, Unit *u, Scope *net, const Item *section, const Record *r) {
    const Field *optimizer = record_field(r, "optimizer");
    double decay = number_of(optimizer->value.record, "weight_decay");
    TrainConfig *t = &u->train;
    *t = (TrainConfig){.batch = (int32_t)value_whole(&record_field(r, "batch")->value),
                       .accumulate = (int32_t)value_whole(&record_field(r, "accumulate")->value),
                       .span = section->span};
    check_step(e, section->settings, r);
    const Field *memory = record_field(r, "max_memory");
    const AstExpr *batch = settings_value(section->settings, "batch");
    t->batch_at = batch ? batch->span : section->span;
    t->memory_at = memory->span;
    t->max_memory = memory->value.kind == V_NONE ? 0 : (int64_t)value_double(&memory->value);
    t->averages = record_field(r, "ema")->value.kind != V_NONE;
    t->gathers = record_field(r, "clip")->value.kind != V_NONE || t->accumulate > 1;
    take_optimizer(e, t, optimizer);
    for (int32_t i = 1; i < e->graph->n_node; i++) {
        Node *n = &e->graph->node[i];
        if (n->op == OP_param && n->attr.param.role == PARAM_WEIGHT) n->attr.param.weight_decay = decay;
    }
    apply_groups(e, section->settings);
    const AstExpr *frozen = settings_value(section->settings, "freeze");
    apply_freeze(e, record_field(r, "freeze"), frozen);
    check_trains(e, frozen ? frozen->span : section->span);
    int32_t cap = 0;
    e->scope = net;
    const AstExpr *loss = settings_value(section->settings, "loss");
    t->present = loss->kind != X_ERROR && add_terms(e, t, &cap, loss, 1);
    e->scope = NULL;
}
