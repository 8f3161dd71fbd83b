/* What is written and changes nothing, or nearly: layers (W0145), steps of augment (W0146), and softmax where nothing is
 * left for it to do (W0147, W0164). One row of a table for each layer and step that can.
 *
 * Only numbers that stand there count: dropout(p) with an option that is 0 today is how the layer is switched off, and
 * `cnnc sweep` should not scold each combination that does so. A line of a block is told of if it changes nothing in any
 * of its uses. */
#include "idle.h"

#include <math.h>
#include <string.h>

#include "derive.h"

/* ---- where the numbers of a tensor can be ---- */

typedef struct Range {
    double low, high;
} Range;

static const Range anywhere = {-INFINITY, INFINITY};

static Range join(Range a, Range b) { return (Range){fmin(a.low, b.low), fmax(a.high, b.high)}; }

static Range range_as_before(const Node *n, const Range *in) {
    Range all = in[n->in[0]];
    for (int32_t i = 1; i < n->n_in; i++) all = join(all, in[n->in[i]]);
    return all;
}

static Range range_with_zero(const Node *n, const Range *in) { return join(in[n->in[0]], (Range){0, 0}); }

static Range range_padded(const Node *n, const Range *in) {
    return join(in[n->in[0]], (Range){n->attr.pad.value, n->attr.pad.value});
}

/* What is left is made larger in training. */
static Range range_dropout(const Node *n, const Range *in) {
    Range x = in[n->in[0]];
    return (Range){x.low >= 0 ? 0 : -INFINITY, x.high <= 0 ? 0 : INFINITY};
}

static Range range_relu(const Node *n, const Range *in) {
    Range x = in[n->in[0]];
    return (Range){fmax(x.low, 0), fmax(x.high, 0)};
}

static Range range_clip(const Node *n, const Range *in) {
    double low = n->attr.clip.lo, high = n->attr.clip.hi;
    Range x = in[n->in[0]];
    return (Range){fmin(fmax(x.low, low), high), fmin(fmax(x.high, low), high)};
}

static Range range_share(const Node *n, const Range *in) {
    (void)n, (void)in;
    return (Range){0, 1};
}

static Range range_tanh(const Node *n, const Range *in) {
    (void)n, (void)in;
    return (Range){-1, 1};
}

/* Leaky ones: what is not below 0 stays as it is. */
static Range range_leaky(const Node *n, const Range *in) {
    Range x = in[n->in[0]];
    return x.low >= 0 ? x : anywhere;
}

static Range range_sum(const Node *n, const Range *in) {
    Range x = in[n->in[0]], y = in[n->in[1]];
    return (Range){x.low + y.low, x.high + y.high};
}

static Range range_product(const Node *n, const Range *in) {
    Range x = in[n->in[0]], y = in[n->in[1]];
    bool finite = isfinite(x.high) && isfinite(y.high);
    if (x.low < 0 || y.low < 0) return anywhere;
    return (Range){0, finite ? x.high * y.high : INFINITY};
}

/* An operator without a row can give any number. */
static Range (*const range_of[OP_COUNT])(const Node *n, const Range *in) = {
    [OP_relu] = range_relu,         [OP_clip] = range_clip,
    [OP_sigmoid] = range_share,     [OP_hsigmoid] = range_share,
    [OP_softmax] = range_share,     [OP_tanh] = range_tanh,
    [OP_leaky_relu] = range_leaky,  [OP_elu] = range_leaky,
    [OP_add] = range_sum,           [OP_mul] = range_product,
    [OP_dropout] = range_dropout,   [OP_maxpool] = range_as_before,
    [OP_avgpool] = range_with_zero, [OP_flatten] = range_as_before,
    [OP_reshape] = range_as_before, [OP_slice] = range_as_before,
    [OP_concat] = range_as_before,  [OP_pad] = range_padded,
    [OP_resize] = range_as_before,  [OP_channel_shuffle] = range_as_before,
};

static const Range *find_ranges(const Graph *g, Arena *a) {
    Range *range = NEW_ARRAY(a, Range, g->n_node);
    for (int32_t i = 1; i < g->n_node; i++) {
        const Node *n = &g->node[i];
        range[i] = n->n_in > 0 && range_of[n->op] ? range_of[n->op](n, range) : anywhere;
    }
    return range;
}

/* ---- layers ---- */

typedef struct Look {
    const Elab *e;
    const Range *range;
    const Bound *bound; /* of the layer that is looked at */
} Look;

static Ref input_of(const Look *l) { return bound(l->bound, "x")->tensor; }

static const Node *input_node(const Look *l) { return graph_node(l->e->graph, input_of(l)); }

/* Is what the argument says the same wherever the text stands? It is a number there, or the parameter's default. */
static bool is_said(const Look *l, const char *param) {
    const Bound *b = l->bound;
    for (int i = 0; i < b->signature->n; i++)
        if (!strcmp(b->signature->param[i].name, param))
            return !b->given[i] || (b->text[i] && expr_is_literal(b->text[i]));
    return false;
}

static const char *never_negative(const Look *l) {
    return l->range[input_of(l)].low >= 0 ? "no number that it gets is below 0" : NULL;
}

static const char *from_0_to_6(const Look *l) {
    Range x = l->range[input_of(l)];
    return x.low >= 0 && x.high <= 6 ? "all numbers that it gets are from 0 to 6" : NULL;
}

static const char *drops_nothing(const Look *l) {
    return is_said(l, "p") && value_double(bound(l->bound, "p")) == 0 ? "p is 0, so that nothing is dropped" : NULL;
}

static bool is_pair_of(const Look *l, const char *param, int32_t number) {
    const Value *v = bound(l->bound, param);
    return is_said(l, param) && v->kind == V_DIM && v->dim.h == number && v->dim.w == number;
}

static const char *pools_one(const Look *l) {
    const int32_t *pad = bound(l->bound, "pad")->pad;
    bool moves = bound_given(l->bound, "stride") && !is_pair_of(l, "stride", 1);
    if (!bound_given(l->bound, "kernel") || !is_pair_of(l, "kernel", 1) || moves || !is_said(l, "pad")) return NULL;
    return pad[0] || pad[1] || pad[2] || pad[3] ? NULL : "its windows are single numbers, one for each";
}

static const char *pads_nothing(const Look *l) {
    const int32_t *pad = bound(l->bound, "pad")->pad;
    return is_said(l, "pad") && !pad[0] && !pad[1] && !pad[2] && !pad[3] ? "there is nothing to add" : NULL;
}

static const char *scales_by_one(const Look *l) {
    return bound_given(l->bound, "scale") && is_pair_of(l, "scale", 1) ? "the scale is 1" : NULL;
}

static const char *one_group(const Look *l) {
    return is_said(l, "groups") && value_double(bound(l->bound, "groups")) == 1 ? "there is one group" : NULL;
}

static const char *flat_already(const Look *l) { return input_node(l)->type.rank == 2 ? "it is flat already" : NULL; }

static const char *softmax_of_one(const Look *l) {
    return type_channels(&input_node(l)->type) == 1 ? "of one number is the same, whatever that is" : NULL;
}

static const char *softmax_again(const Look *l) {
    return input_node(l)->op == OP_softmax       ? "was done before: shares of shares are all nearly alike"
           : input_node(l)->op == OP_log_softmax ? "of log_softmax is what it would be without that"
                                                 : NULL;
}

static const struct IdleLayer {
    const char *layer, *code;
    const char *(*why)(const Look *l); /* NULL: it does something */
    bool input;                        /* that is a matter of what it gets */
} layer_row[] = {
    {"relu", "W0145", never_negative, true},
    {"leaky_relu", "W0145", never_negative, true},
    {"prelu", "W0145", never_negative, true},
    {"elu", "W0145", never_negative, true},
    {"relu6", "W0145", from_0_to_6, true},
    {"dropout", "W0145", drops_nothing, false},
    {"stochastic_depth", "W0145", drops_nothing, false},
    {"maxpool", "W0145", pools_one, false},
    {"avgpool", "W0145", pools_one, false},
    {"pad", "W0145", pads_nothing, false},
    {"upsample", "W0145", scales_by_one, false},
    {"channel_shuffle", "W0145", one_group, false},
    {"flatten", "W0145", flat_already, true},
    {"softmax", "W0147", softmax_of_one, true},
    {"log_softmax", "W0147", softmax_of_one, true},
    {"softmax", "W0164", softmax_again, true},
    {"log_softmax", "W0164", softmax_again, true},
};

/* A layer that does nothing, by that row. */
typedef struct Found {
    const struct IdleLayer *row;
    const Site *site;
    const char *why;
    Name place; /* file, line and column of its text */
    Ref input;
} Found;

/* The arrow before the call goes with it. */
static void propose_without(Elab *e, Span at, const AstExpr *call) {
    size_t n;
    const char *line = diag_line(e->diags, at, &n);
    uint32_t from = at.col - 1, end = from + at.len;
    if (!line || (call && call->call.brackets.len == 0)) return;
    if (call) end = call->call.brackets.col - 1 + call->call.brackets.len;
    if (end < n && line[end] == '@') return;
    while (from > 0 && line[from - 1] == ' ') from--;
    if (from < 2 || strncmp(line + from - 2, "->", 2) != 0 || strspn(line, " ") == from - 2) return;
    for (from -= 2; line[from - 1] == ' ';) from--;
    at.col = from + 1;
    at.len = end - from;
    diag_fix(e->diags, at, "", "it can go");
}

static void report_layer(Elab *e, const Found *f) {
    const char *code = f->row->code;
    bool idle = !strcmp(code, "W0145");
    diag_warning(e->diags, f->site->at, code, idle ? "`%s` changes nothing: %s" : "`%s` %s", f->site->kind, f->why);
    const Site *before = table_get(&e->layers, graph_node(e->graph, f->input)->name);
    if (before && before->bound && f->row->input)
        diag_note(e->diags, before->at, "it gets what `%s` gives", before->kind);
    propose_without(e, f->site->at, f->site->bound->call);
}

typedef struct FoundList {
    Found *item;
    int32_t n, cap;
    Table busy; /* places where some layer does something */
} FoundList;

/* What the rows say of a layer; one that does nothing is told of once. */
static void look_at(Elab *e, Look *l, const Site *s, FoundList *list) {
    const char *place = arena_printf(e->arena, "%u:%u:%u", s->at.file, s->at.line, s->at.col);
    bool rows = false, idle = false;
    l->bound = s->bound;
    for (int i = 0; i < ARRAY_LEN(layer_row) && !idle; i++) {
        if (strcmp(layer_row[i].layer, s->kind) != 0) continue;
        rows = true;
        Found f = {&layer_row[i], s, layer_row[i].why(l), name_of(place), input_of(l)};
        idle = f.why != NULL;
        if (idle) PUSH(e->arena, list->item, list->n, list->cap, f);
    }
    if (rows && !idle) table_set(e->arena, &list->busy, name_of(place), e);
}

void idle_check_layers(Elab *e) {
    Look l = {.e = e, .range = find_ranges(e->graph, e->arena)};
    FoundList list = {0};
    Table seen = {0};
    for (int32_t i = 1; i < e->graph->n_node; i++) {
        Name name = e->graph->node[i].name;
        const Site *s = name ? table_get(&e->layers, name) : NULL;
        if (!s || !s->bound || table_get(&seen, name)) continue;
        table_set(e->arena, &seen, name, e);
        look_at(e, &l, s, &list);
    }
    for (int32_t i = 0; i < list.n; i++)
        if (!table_get(&list.busy, list.item[i].place)) report_layer(e, &list.item[i]);
}

/* ---- steps of augment ---- */

static const struct IdleStep {
    const char *step, *key[3]; /* does nothing if all of these are 0 */
} step_row[] = {
    {"hflip", {"p"}},        {"vflip", {"p"}},
    {"grey", {"p"}},         {"blur", {"p"}},
    {"random_erase", {"p"}}, {"mixup", {"p"}},
    {"cutmix", {"p"}},       {"colour_pca", {"sigma"}},
    {"rotate", {"degrees"}}, {"colour_jitter", {"brightness", "contrast", "saturation"}},
};

static bool is_zero(const Value *v) {
    for (int32_t i = 0; v->kind == V_LIST && i < v->n; i++)
        if (!is_zero(&v->item[i])) return false;
    return v->kind == V_LIST || (value_is_number(v) && value_double(v) == 0);
}

static bool does_nothing(const struct IdleStep *row, const Record *step) {
    for (int i = 0; i < ARRAY_LEN(row->key) && row->key[i]; i++)
        if (!is_zero(&record_field(step, row->key[i])->value)) return false;
    return true;
}

static bool is_number(const AstExpr *x) {
    for (int32_t i = 0; x->kind == X_LIST && i < x->list.n; i++)
        if (!expr_is_literal(x->list.item[i])) return false;
    return x->kind == X_LIST || expr_is_literal(x);
}

static bool only_numbers(const AstExpr *step) {
    for (int32_t i = 0; step->kind == X_CALL && i < step->call.arg.n; i++)
        if (!is_number(step->call.arg.item[i].value)) return false;
    return true;
}

static void report_step(Elab *e, const struct IdleStep *row, const Setting *s) {
    Str keys = STR(e->arena);
    for (int i = 0; i < ARRAY_LEN(row->key) && row->key[i]; i++) str_addf(&keys, "%s%s", i ? ", " : "", row->key[i]);
    diag_warning(e->diags, s->span, "W0146", "`%s` changes no picture: %s %s 0", row->step, str_text(&keys),
                 row->key[1] ? "are" : "is");
}

void idle_check_steps(Elab *e, const SettingList *list, const Value *steps) {
    for (int32_t i = 0; i < steps->n; i++)
        for (int k = 0; k < ARRAY_LEN(step_row); k++) {
            const Record *step = steps->item[i].record;
            bool same = !strcmp(step_row[k].step, step->call);
            if (same && only_numbers(list->item[i]->value) && does_nothing(&step_row[k], step))
                report_step(e, &step_row[k], list->item[i]);
        }
}
