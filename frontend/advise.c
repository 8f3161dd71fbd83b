/* What would help after an error in a layer: sentences, and edits of the text where these solve it. See blame.h. An
 * edit is proposed only if arithmetic says that the shapes fit after it. */
#include <string.h>

#include "../ir/shape.h"
#include "blame.h"
#include "derive.h"

/* ---- edits ---- */

/* The argument in the brackets of the call, NULL if it is not there: a default, or what an arrow gives. */
static const Arg *written(const Bound *b, const char *param) {
    int i = argument(b, param);
    const ArgList *list = b && b->call ? &b->call->call.arg : NULL;
    for (int32_t k = 0; list && i >= 0 && k < list->n; k++)
        if (list->item[k].value == b->text[i]) return &list->item[k];
    return NULL;
}

/* Is its span all of it? That of an expression of several lines is its first byte. */
static bool is_on_one_line(const AstExpr *x) { return x->kind == X_NAME || expr_is_literal(x) || x->span.len > 1; }

static Span up_to(Span from, uint32_t end) {
    from.len = end - from.col;
    return from;
}

/* Where an argument can be changed: its text, or the brackets that it would be added to. */
typedef struct Spot {
    const AstExpr *text; /* NULL: it is not written */
    const AstExpr *call; /* NULL: nowhere */
    const char *param;
} Spot;

/* A parameter of the block that was not given another value is what its caller says. */
static const Variable *parameter_of(const Scope *s, const AstExpr *x) {
    const Variable *v = x && x->kind == X_NAME && s->caller ? table_get(&s->variables, x->name) : NULL;
    const ParamList *list = &s->item->param;
    for (int32_t i = 0; v && i < list->n; i++)
        if (list->item[i].name == x->name && list->item[i].span.line == v->set.line &&
            list->item[i].span.col == v->set.col)
            return v;
    return NULL;
}

static bool is_mentioned_once(const Elab *e, const Scope *s, Name name) {
    Table names = {0};
    ast_body_names(e->arena, &names, s->item->body);
    return (uintptr_t)table_get(&names, name) == 1;
}

static Spot own_spot(const Bound *b, const char *param) {
    int i = argument(b, param);
    return i < 0 ? (Spot){0} : (Spot){.text = b->text[i], .call = b->call, .param = param};
}

/* From conv(n, k, pad=pad) in a block to the use of the block, which says pad=1, or could. Nowhere if other layers of
 * the block would change with it. */
static Spot spot_of(const Elab *e, const Site *s, const char *param) {
    const Scope *scope = s->scope;
    Spot spot = own_spot(s->bound, param);
    const Variable *v;
    while (spot.text && (v = parameter_of(scope, spot.text))) {
        bool given = v->where == scope->caller;
        if ((given && !v->from) || !is_mentioned_once(e, scope, spot.text->name)) return (Spot){0};
        spot = (Spot){.text = given ? v->from : NULL, .call = scope->source, .param = spot.text->name};
        scope = scope->caller;
    }
    return spot;
}

/* Says `help`, with the edit that gives param=value there: a new argument, or another value. */
static void propose(Elab *e, Spot spot, const char *value, const char *help) {
    if (spot.text && is_on_one_line(spot.text)) {
        diag_fix(e->diags, spot.text->span, value, "%s", help);
    } else if (!spot.text && spot.call && spot.call->call.brackets.len > 0) {
        const char *comma = spot.call->call.arg.n > 0 ? ", " : "";
        Span at = spot.call->call.brackets;
        at.col += at.len - 1;
        at.len = 0;
        diag_fix(e->diags, at, arena_printf(e->arena, "%s%s=%s", comma, spot.param, value), "%s", help);
    } else {
        diag_help(e->diags, (Span){0}, "%s", help);
    }
}

/* A pad goes with a kernel: where that is the block's parameter, the block cannot say one for all. */
static Spot pad_spot(const Elab *e, const Site *s) {
    Spot spot = spot_of(e, s, "pad"), kernel = own_spot(s->bound, "kernel");
    bool here = !spot.text && spot.call == s->bound->call;
    return here && kernel.text && !expr_is_literal(kernel.text) ? (Spot){0} : spot;
}

/* Half a window at that spot; where the layer's dilation is a name, for each value that it may have. */
static const char *pad_text(const Elab *e, const Bound *b, Spot at, int64_t pad) {
    Spot dilation = own_spot(b, "dilation"), kernel = own_spot(b, "kernel");
    bool named = dilation.text && dilation.text->kind == X_NAME && kernel.text && expr_is_literal(kernel.text);
    if (!named || at.call != b->call) return arena_printf(e->arena, "%lld", (long long)pad);
    int32_t half = b->value[argument(b, "kernel")].dim.h / 2;
    return half == 1 ? dilation.text->name : arena_printf(e->arena, "%d * %s", half, dilation.text->name);
}

/* The layer that failed, which is not in the graph. */
static Site site_here(const Fault *f) {
    return (Site){.at = f->call->span, .kind = f->call->fn->name, .scope = f->e->scope, .bound = f->bound};
}

/* The same, where the argument goes and param=value takes its place. */
static void propose_instead(Elab *e, const Bound *b, const char *gone, const char *replacement, const char *help) {
    const Arg *arg = written(b, gone);
    if (arg && is_on_one_line(arg->value) && arg->span.line == arg->value->span.line)
        diag_fix(e->diags, up_to(arg->span, arg->value->span.col + arg->value->span.len), replacement, "%s", help);
    else
        diag_help(e->diags, (Span){0}, "%s", help);
}

/* A line before the statement that runs, if that starts its line. */
static bool propose_line(Elab *e, const char *line, const char *help) {
    const AstStmt *s = e->scope->stmt;
    size_t n;
    const char *text = s ? diag_line(e->diags, s->span, &n) : NULL;
    if (!text || strspn(text, " \t") != s->span.col - 1) return false;
    Span at = s->span;
    at.len = 0;
    const char *indent = arena_strndup(e->arena, text, at.col - 1);
    diag_fix(e->diags, at, arena_printf(e->arena, "%s\n%s", line, indent), "%s", help);
    return true;
}

/* The argument as its layer's text has it, where that can be read here, too; else its value. */
static const char *argument_text(Elab *e, const Site *s, const char *param, int64_t value) {
    int i = s ? argument(s->bound, param) : -1;
    const AstExpr *x = i >= 0 ? s->bound->text[i] : NULL;
    if (x && s->scope == e->scope) {
        Value now = eval_quietly(e, e->scope, x);
        if (value_is_whole(&now) && value_whole(&now) == value) return expr_text(e, x);
    }
    return arena_printf(e->arena, "%lld", (long long)value);
}

/* ---- shapes that differ ---- */

/* The stride of a 1x1 convolution that makes heights and widths of `from` those of `to`, 0 if none does. */
static int64_t projecting_stride(const Type *from, const Type *to) {
    int64_t stride = 1;
    if (to->dim[2] > 1)
        stride = (from->dim[2] - 1) / (to->dim[2] - 1);
    else if (to->dim[3] > 1)
        stride = (from->dim[3] - 1) / (to->dim[3] - 1);
    if (stride < 1) return 0;
    for (int d = 2; d < 4; d++)
        if (window_count(from->dim[d], 0, 1, stride, 1) != to->dim[d]) return 0;
    return stride;
}

/* The stride as this text has it on the way from stop to r: the block's parameter `stride` also where it is 1 now. */
static const char *stride_text(Elab *e, Ref r, Ref stop, int64_t stride) {
    for (; r != stop && site_of(e, r); r = graph_node(e->graph, r)->in[0]) {
        Spot spot = own_spot(site_of(e, r)->bound, "stride");
        if (site_of(e, r)->scope != e->scope || !spot.text || expr_is_literal(spot.text)) continue;
        Value now = eval_quietly(e, e->scope, spot.text);
        if (value_is_whole(&now) && value_whole(&now) == stride) return expr_text(e, spot.text);
    }
    return stride == 1 ? NULL : arena_printf(e->arena, "%lld", (long long)stride);
}

/* x + y, where y was made of x: x goes through a 1x1 convolution. */
static bool advise_projection(const Fault *f) {
    Elab *e = f->e;
    if (f->n != 2 || strcmp(f->code, E_SHAPES) != 0) return false;
    Ref origin = common_origin(e, f->operand[0].ref, f->operand[1].ref);
    int s = origin && origin == f->operand[1].ref ? 1 : 0;
    const Operand *shortcut = &f->operand[s], *other = &f->operand[1 - s];
    const Type *from = ref_type(e, shortcut->ref), *to = ref_type(e, other->ref);
    if (!origin || shortcut->ref != origin || from->rank != 4 || to->rank != 4) return false;
    int64_t stride = projecting_stride(from, to);
    if (!stride) return false;
    Str conv = STR(e->arena);
    str_addf(&conv, "conv(%s, 1", argument_text(e, site_of(e, channels_from(e, other->ref)), "out", to->dim[1]));
    const char *as_there = stride_text(e, other->ref, origin, stride);
    if (as_there) str_addf(&conv, ", stride=%s", as_there);
    str_add(&conv, ", bias=false) -> bn");
    const AstExpr *x = shortcut->text;
    if (x && x->kind == X_NAME && variable_find(e, x->name) &&
        propose_line(e, arena_printf(e->arena, "%s = %s -> %s", x->name, x->name, str_text(&conv)),
                     "project the shortcut first"))
        return true;
    diag_help(e->diags, (Span){0}, "project the shortcut first: -> %s", str_text(&conv));
    return true;
}

/* A shortcut that goes through a 1x1 convolution already lacks the stride of the other way. */
static bool advise_stride(const Fault *f) {
    Elab *e = f->e;
    for (int i = 0; i < 2 && f->n == 2; i++) {
        Ref r = channels_from(e, f->operand[i].ref), list[1];
        const Node *n = graph_node(e->graph, r);
        const ConvAttr *a = &n->attr.conv;
        const Type *want = ref_type(e, f->operand[1 - i].ref);
        if (n->op == OP_add && n->n_in > 0) n = graph_node(e->graph, n->in[0]), a = &n->attr.conv; /* its bias */
        bool projects =
            n->op == OP_conv && a->kernel[0] == 1 && a->kernel[1] == 1 && a->stride[0] == 1 && a->stride[1] == 1;
        int64_t stride = projects && want->rank == 4 ? projecting_stride(ref_type(e, n->in[0]), want) : 0;
        Ref stop = common_origin(e, f->operand[0].ref, f->operand[1].ref);
        if (stride <= 1 || changers(e, f->operand[i].ref, stop, list, 1) > 0) continue;
        propose(e, spot_of(e, site_of(e, r), "stride"), stride_text(e, f->operand[1 - i].ref, stop, stride),
                "the projection needs the stride of the other way");
        return true;
    }
    return false;
}

/* The channels of operand i are to be those of the other: another argument `out`. */
static void advise_channels(const Fault *f, int32_t i, int32_t other) {
    Elab *e = f->e;
    int32_t want = type_channels(ref_type(e, f->operand[other].ref));
    const AstExpr *x = f->operand[other].text;
    Ref r = channels_from(e, f->operand[i].ref);
    const Site *s = site_of(e, r);
    const char *value = arena_printf(e->arena, "%d", want);
    bool gate = is_gate(ref_type(e, f->operand[other].ref), ref_type(e, f->operand[i].ref));
    if (gate && s && s->scope == e->scope && x && x->kind == X_NAME)
        value = arena_printf(e->arena, "%s.channels", x->name);
    if (s && s->scope == e->scope && written(s->bound, "out"))
        propose(e, spot_of(e, s, "out"), value,
                arena_printf(e->arena, "%s as many channels: %s", gate ? "the gate needs" : "both need", value));
    else if (!gate)
        diag_help(e->diags, (Span){0}, "a 1x1 convolution changes the number: -> conv(%s, 1, bias=false) -> bn", value);
}

/* A window of a convolution or pooling along one axis, 0: height. */
typedef struct Window {
    int64_t span, stride;
    const int32_t *pad;
} Window;

static bool window_of(const Node *n, int d, Window *w) {
    const ConvAttr *c = &n->attr.conv;
    const PoolAttr *p = &n->attr.pool;
    if (n->op == OP_conv)
        *w = (Window){(int64_t)c->dilation[d] * (c->kernel[d] - 1) + 1, c->stride[d], c->pad + 2 * d};
    else if (op_info[n->op].attr == ATTR_POOL && p->to[0] == 0)
        *w = (Window){p->kernel[d], p->stride[d], p->pad + 2 * d};
    else
        return false;
    return true;
}

/* The pad of half a window, if the layer r would have the wanted height and width with it; else -1. */
static int64_t better_pad(const Elab *e, Ref r, const Type *want) {
    const Node *n = graph_node(e->graph, r);
    const Type *x = ref_type(e, n->in[0]);
    Window w[2];
    for (int d = 0; d < 2; d++)
        if (!window_of(n, d, &w[d]) || w[d].span % 2 == 0 || w[d].span != w[0].span ||
            window_count(x->dim[2 + d], 2 * (w[d].span / 2), w[d].span, w[d].stride, 1) != want->dim[2 + d])
            return -1;
    return w[0].span / 2;
}

static const char *size_of(const Fault *f, int32_t i) {
    const AstExpr *x = f->operand[i].text;
    if (x && x->kind == X_NAME) return arena_printf(f->e->arena, "[%s.height, %s.width]", x->name, x->name);
    return plane_text(f->e, ref_type(f->e, f->operand[i].ref));
}

/* A deconv makes less than is wanted, by less than its stride. */
static bool advise_output_pad(const Fault *f, Ref r, const Type *is, const Type *want) {
    const Node *n = graph_node(f->e->graph, r);
    int64_t h = (int64_t)want->dim[2] - is->dim[2], w = (int64_t)want->dim[3] - is->dim[3];
    if (n->op != OP_conv_dgrad || h != w || h < 1 || h >= n->attr.conv.stride[0] || h >= n->attr.conv.stride[1])
        return false;
    const char *value = arena_printf(f->e->arena, "%lld", (long long)h);
    propose(f->e, spot_of(f->e, site_of(f->e, r), "output_pad"), value,
            arena_printf(f->e->arena, "output_pad=%s makes %s", value, plane_text(f->e, want)));
    return true;
}

/* Operand i has another height or width than the other one: says which of the layers since both were one could be
 * changed. */
static bool advise_plane(const Fault *f, int32_t i, int32_t other) {
    Elab *e = f->e;
    Ref list[2], r = f->operand[i].ref, stop = common_origin(e, r, f->operand[other].ref);
    const Type *is = ref_type(e, r), *want = ref_type(e, f->operand[other].ref);
    int n = changers(e, r, stop, list, 2);
    if (n == 0 || is->rank != 4 || want->rank != 4) return false;
    const Site *s = site_of(e, list[0]);
    int64_t pad = better_pad(e, list[0], want);
    if (pad >= 0) {
        Spot spot = pad_spot(e, s);
        const char *value = pad_text(e, s->bound, spot, pad);
        propose(e, spot, value, arena_printf(e->arena, "pad=%s makes %s", value, plane_text(e, want)));
        return true;
    }
    if (graph_node(e->graph, list[0])->op == OP_resize && s->scope == e->scope) {
        const char *size = arena_printf(e->arena, "size=%s", size_of(f, other));
        propose_instead(e, s->bound, written(s->bound, "scale") ? "scale" : "size", size,
                        arena_printf(e->arena, "%s makes %s, whatever was rounded before", size, plane_text(e, want)));
        return true;
    }
    return advise_output_pad(f, list[0], is, want);
}

/* Operand i kept its height and width where the other way has a stride: the first window on its way could have it. */
static bool advise_missing_stride(const Fault *f, int32_t i, int32_t other) {
    Elab *e = f->e;
    const Type *want = ref_type(e, f->operand[other].ref);
    Ref r = f->operand[i].ref, stop = common_origin(e, r, f->operand[other].ref), first = 0, list[1];
    Window w, h;
    if (!stop || want->rank != 4 || changers(e, r, stop, list, 1) > 0) return false;
    for (; r != stop && site_of(e, r); r = graph_node(e->graph, r)->in[0])
        if (window_of(graph_node(e->graph, r), 0, &h)) first = r;
    const Type *x = first ? ref_type(e, graph_node(e->graph, first)->in[0]) : NULL;
    if (!x || !window_of(graph_node(e->graph, first), 1, &w) || h.stride != 1 || w.stride != 1) return false;
    int64_t stride = want->dim[2] > 1 ? (x->dim[2] - 1) / (want->dim[2] - 1) : 0;
    (void)window_of(graph_node(e->graph, first), 0, &h);
    if (stride <= 1 || window_count(x->dim[2], h.pad[0] + h.pad[1], h.span, stride, 1) != want->dim[2] ||
        window_count(x->dim[3], w.pad[0] + w.pad[1], w.span, stride, 1) != want->dim[3])
        return false;
    propose(e, spot_of(e, site_of(e, first), "stride"), stride_text(e, f->operand[other].ref, stop, stride),
            arena_printf(e->arena, "the stride of the other way makes %s", plane_text(e, want)));
    return true;
}

/* The last resort: the middle of the larger one, or as much pooling on both ways. */
static void advise_reduction(const Fault *f) {
    Elab *e = f->e;
    const Type *a = ref_type(e, f->operand[f->even].ref), *b = ref_type(e, f->operand[f->odd].ref);
    if (a->rank != 4 || b->rank != 4) return;
    bool larger = a->dim[2] > b->dim[2] || a->dim[3] > b->dim[3];
    const Type *large = larger ? a : b, *small = larger ? b : a;
    int32_t of = larger ? f->even : f->odd, to = larger ? f->odd : f->even;
    if (small->dim[2] > large->dim[2] || small->dim[3] > large->dim[3]) return;
    int64_t times = small->dim[2] > 0 ? large->dim[2] / small->dim[2] : 1;
    const AstExpr *x = f->operand[of].text;
    const char *name = x && x->kind == X_NAME ? arena_printf(e->arena, "%s ", x->name) : "";
    if (times > 1 && window_count(large->dim[2], 0, times, times, 1) == small->dim[2] &&
        window_count(large->dim[3], 0, times, times, 1) == small->dim[3])
        diag_help(e->diags, (Span){0}, "the same stride on both ways, or %s-> avgpool(%lld), which makes %s of %s",
                  name, (long long)times, plane_text(e, small), plane_text(e, large));
    else
        diag_help(e->diags, (Span){0}, "the middle of the larger one fits: %s-> crop(%s)", name, size_of(f, to));
}

static void advise_operands(const Fault *f) {
    if (f->n < 2) return;
    const Type *a = ref_type(f->e, f->operand[f->even].ref), *b = ref_type(f->e, f->operand[f->odd].ref);
    bool sum = !strcmp(f->code, E_SHAPES), gate = is_gate(a, b) || is_gate(b, a);
    if (!gate && advise_projection(f)) return;
    if (!same_plane(a, b) && !(sum && gate)) {
        bool advised = advise_stride(f) || advise_plane(f, f->odd, f->even) || advise_plane(f, f->even, f->odd) ||
                       advise_missing_stride(f, f->odd, f->even) || advise_missing_stride(f, f->even, f->odd);
        if (!advised) advise_reduction(f);
    } else if (sum && type_channels(a) != type_channels(b)) {
        bool first = is_gate(b, a); /* the gate is the one to change */
        advise_channels(f, first ? f->even : f->odd, first ? f->odd : f->even);
    }
}

/* ---- windows ---- */

/* Rows (d = 0) or columns that the input needs so that r has `need`; 0 if that is not a matter of windows alone. */
static int64_t needed(const Elab *e, Ref r, int d, int64_t need) {
    for (;; r = graph_node(e->graph, r)->in[0]) {
        const Node *n = graph_node(e->graph, r);
        if (!site_of(e, r)) return need;
        const Type *x = ref_type(e, n->in[0]);
        if (x->rank != 4 || n->type.rank != 4) return 0;
        if (same_plane(x, &n->type)) continue;
        Window w;
        int global = argument(site_of(e, r)->bound, "global");
        if (!window_of(n, d, &w) || (global >= 0 && site_of(e, r)->bound->value[global].flag)) return 0;
        need = max_i64((need - 1) * w.stride + w.span - w.pad[0] - w.pad[1], 1);
        if (need > INT32_MAX) return 0;
    }
}

static int64_t dilated(const Bound *b, int d) {
    int kernel = argument(b, "kernel"), dilation = argument(b, "dilation");
    const Value *k = &b->value[kernel], *apart = dilation >= 0 ? &b->value[dilation] : NULL;
    int64_t taps = d == 0 ? k->dim.h : k->dim.w;
    return (taps - 1) * (!apart ? 1 : d == 0 ? apart->dim.h : apart->dim.w) + 1;
}

static void advise_larger_input(const Fault *f) {
    const Value *pad = &f->bound->value[argument(f->bound, "pad")];
    int64_t size[2];
    for (int d = 0; d < 2; d++) {
        size[d] = needed(f->e, f->operand[0].ref, d,
                         max_i64(dilated(f->bound, d) - pad->pad[2 * d] - pad->pad[2 * d + 1], 1));
        if (size[d] == 0) return;
    }
    diag_help(f->e->diags, (Span){0}, "pictures of %lldx%lld or more are large enough here", (long long)size[0],
              (long long)size[1]);
}

/* avgpool(7) -> avgpool(global=true): all that is in the brackets. */
static void advise_global(const Fault *f) {
    Elab *e = f->e;
    const Arg *first = written(f->bound, "kernel");
    const char *help = "global=true averages the whole plane, whatever its size";
    const Span *in = first ? &f->bound->call->call.brackets : NULL;
    if (first && in->len > 0)
        diag_fix(e->diags, up_to(first->span, in->col + in->len - 1), "global=true", "%s", help);
    else
        diag_help(e->diags, (Span){0}, "%s", help);
}

static void advise_window(const Fault *f) {
    const Site here = site_here(f);
    if (f->n < 1 || argument(f->bound, "kernel") < 0) return;
    bool square = dilated(f->bound, 0) == dilated(f->bound, 1);
    if (!strcmp(f->call->fn->name, "avgpool")) {
        advise_global(f);
    } else if (!strcmp(f->call->fn->name, "conv") && square && dilated(f->bound, 0) < INT32_MAX) {
        Spot spot = pad_spot(f->e, &here);
        const char *pad = pad_text(f->e, f->bound, spot, dilated(f->bound, 0) / 2);
        propose(f->e, spot, pad, arena_printf(f->e->arena, "pad=%s makes room for it", pad));
    }
    advise_larger_input(f);
}

static void advise_pool_pad(const Fault *f) {
    const Site here = site_here(f);
    const Value *k = &f->bound->value[argument(f->bound, "kernel")];
    int32_t most = (k->dim.h < k->dim.w ? k->dim.h : k->dim.w) / 2;
    const char *pad = arena_printf(f->e->arena, "%d", most);
    propose(f->e, pad_spot(f->e, &here), pad, arena_printf(f->e->arena, "pad=%s is half a window", pad));
}

/* ---- channels ---- */

static const char *divisors(const Elab *e, int64_t of) {
    enum { MOST = 10, LARGEST = 65536 };
    Str s = STR(e->arena);
    int n = 0;
    for (int64_t d = 1; d <= of && d <= LARGEST && n < MOST; d++)
        if (of % d == 0) str_addf(&s, "%s%lld", n++ ? ", " : "", (long long)d);
    return str_text(&s);
}

static void advise_groups(const Fault *f) {
    Elab *e = f->e;
    int groups = argument(f->bound, "groups"), out = argument(f->bound, "out");
    if (f->n < 1 || groups < 0) return;
    int64_t in = type_channels(ref_type(e, f->operand[0].ref)),
            outputs = out >= 0 ? value_whole(&f->bound->value[out]) : in;
    const AstExpr *x = f->operand[0].text;
    if (out >= 0 && value_whole(&f->bound->value[groups]) == outputs && outputs % in == 0) {
        const char *all = x && x->kind == X_NAME ? arena_printf(e->arena, "%s.channels", x->name)
                                                 : arena_printf(e->arena, "%lld", (long long)in);
        propose(e, own_spot(f->bound, "groups"), all,
                "a depthwise convolution has a group for each channel of its input");
        return;
    }
    if (in == outputs)
        diag_help(e->diags, (Span){0}, "what divides %lld: %s", (long long)in, divisors(e, in));
    else
        diag_help(e->diags, (Span){0}, "what divides both %lld and %lld: %s", (long long)in, (long long)outputs,
                  divisors(e, common_divisor(in, outputs)));
}

static void advise_parts(const Fault *f) {
    if (f->n < 1) return;
    int32_t in = type_channels(ref_type(f->e, f->operand[0].ref));
    diag_help(f->e->diags, (Span){0}, "what divides %d: %s", in, divisors(f->e, in));
}

/* floor(...) where the number is computed: at the argument, or where its variable of this text was set. */
static void advise_whole(const Fault *f) {
    const Actual *a = argument_at_fault(f);
    const AstExpr *x = a ? a->text : NULL;
    const Variable *v = x && x->kind == X_NAME ? variable_find(f->e, x->name) : NULL;
    if (v && v->from && v->where == f->e->scope && !parameter_of(f->e->scope, x)) x = v->from;
    double number = a ? value_double(&a->value) : 0;
    if (!x || !is_on_one_line(x) || expr_is_literal(x) || number < 1 || number > INT32_MAX) return;
    Span start = x->span, end = start;
    end.col += end.len;
    start.len = end.len = 0;
    diag_fix(f->e->diags, start, "floor(", "rounded down, if that is meant, it is %d", (int)number);
    diag_edit(f->e->diags, end, ")");
}

/* ---- flat or not ---- */

/* Did an arrow give the tensor? Then something can stand before the call. */
static bool by_arrow(const Fault *f) {
    return f->bound && f->bound->call && f->n == 1 && !written(f->bound, f->bound->signature->param[0].name);
}

static void advise_flatten(const Fault *f) {
    Elab *e = f->e;
    const Arg *x = f->bound ? written(f->bound, f->bound->signature->param[0].name) : NULL;
    Span at = f->call->span;
    at.len = 0;
    if (by_arrow(f))
        diag_fix(e->diags, at, "flatten -> ", "flatten it first");
    else if (x && is_on_one_line(x->value))
        diag_fix(e->diags, x->value->span, arena_printf(e->arena, "flatten(%s)", expr_text(e, x->value)),
                 "flatten it first");
    else
        diag_help(e->diags, (Span){0}, "flatten it first: fc(flatten(x), ...)");
}

/* flatten -> maxpool(2) becomes maxpool(2) -> flatten. */
static void advise_before_flatten(const Fault *f) {
    Elab *e = f->e;
    if (!by_arrow(f)) return;
    Ref r = channels_from(e, f->operand[0].ref);
    const Site *s = site_of(e, r);
    const AstExpr *call = f->bound->call;
    if (!s || graph_node(e->graph, r)->op != OP_flatten) return;
    const char *help = arena_printf(e->arena, "`%s` before `flatten`", f->call->fn->name);
    const Span *in = &call->call.brackets;
    bool one_line = in->len > 0 && s->scope == e->scope && s->at.line == in->line && s->at.file == in->file;
    if (!one_line) {
        diag_help(e->diags, (Span){0}, "%s", help);
        return;
    }
    diag_fix(e->diags, s->at, expr_text(e, call), "%s", help);
    diag_edit(e->diags, up_to(call->span, in->col + in->len), "flatten");
}

static void advise_filter(const Fault *f) {
    propose(f->e, own_spot(f->bound, "filter"), "\"bilinear\"", "there are corners to align between pixels only there");
}

static const struct {
    const char *code;
    void (*advise)(const Fault *f);
} row[] = {
    {E_SHAPES, advise_operands},   {E_CONCAT, advise_operands}, {E_KERNEL, advise_window},
    {E_POOL_PAD, advise_pool_pad}, {E_GROUPS, advise_groups},   {E_OPERAND, advise_before_flatten},
    {"E0313", advise_flatten},     {"E0330", advise_parts},     {"E0117", advise_whole},
    {"E0334", advise_filter},
};

void advise(const Fault *f) {
    for (int i = 0; i < ARRAY_LEN(row); i++)
        if (!strcmp(row[i].code, f->code)) row[i].advise(f);
}
