/* See blame.h. What would help is in advise.c. */
#include "blame.h"

#include <string.h>

#include "../ir/shape.h"
#include "derive.h"

enum {
    MAX_SHOWN = 5,      /* operands that get a label */
    MAX_STEPS_BACK = 3, /* layers that a note about heights and widths shows */
    MAX_HISTORY = 8,    /* and planes that a list of them has */
    MAX_USES = 3,       /* blocks around an error */
    MAX_JUDGED = 500    /* operands among which the one that does not fit is looked for */
};

/* ---- uses of blocks ---- */

static const char *ordinal(const Elab *e, int32_t n) {
    static const char *const suffix[] = {"th", "st", "nd", "rd"};
    bool teen = n / 10 % 10 == 1;
    return arena_printf(e->arena, "%d%s", n, suffix[!teen && n % 10 < 4 ? n % 10 : 0]);
}

/* of: only these names, if it is not NULL. */
static void add_loops(const Scope *s, const Loop *loop, const Table *of, Str *text) {
    if (!loop) return;
    add_loops(s, loop->outer, of, text);
    for (int32_t i = 0; i < loop->names->n; i++) {
        const Variable *v = table_get(&s->variables, loop->names->item[i]);
        if (of && !table_get(of, loop->names->item[i])) continue;
        if (v && (value_is_number(&v->value) || v->value.kind == V_TEXT || v->value.kind == V_BOOL))
            str_addf(text, "%s%s = %s", text->n ? ", " : "", loop->names->item[i],
                     value_text_of(text->arena, &v->value));
    }
}

/* " (s = 0, b = 0)": the variables of the loops that the statement mentions; if it mentions none, all. */
static const char *loops_text(const Elab *e, const Scope *s) {
    Str text = STR(e->arena);
    Table mentioned = {0};
    if (s->loop && s->stmt) ast_expr_names(e->arena, &mentioned, s->stmt->value);
    add_loops(s, s->loop, &mentioned, &text);
    if (text.n == 0) add_loops(s, s->loop, NULL, &text);
    return text.n ? arena_printf(e->arena, " (%s)", str_text(&text)) : "";
}

static const char *use_text(const Elab *e, const UseNote *u, int32_t uses) {
    const Scope *s = u->scope;
    const char *of = uses > 0 ? arena_printf(e->arena, " of %d", uses) : "";
    const char *which = uses == 1
                            ? "the only use"
                            : arena_printf(e->arena, "the %s%s use%s", ordinal(e, s->use), of, uses > 0 ? "s" : "");
    return arena_printf(e->arena, "in `%.*s`, %s of `%s`%s", (int)strlen(s->prefix) - 1, s->prefix, which,
                        s->item->name, u->loops);
}

void note_uses(Elab *e) {
    int shown = 0;
    if (e->diags->current < 0 || !e->scope) return;
    const char *own = loops_text(e, e->scope);
    if (*own) diag_note(e->diags, (Span){0}, "in the pass of the loop with %.*s", (int)strlen(own) - 3, own + 2);
    for (const Scope *s = e->scope; s->caller; s = s->caller) {
        if (++shown > MAX_USES && s->caller->caller) continue; /* the outermost is where the net says so */
        UseNote u = {.message = e->diags->n_message, .scope = s, .loops = loops_text(e, s->caller)};
        Span at = s->call;
        at.len = 0;
        diag_note(e->diags, at, "%s", use_text(e, &u, 0));
        PUSH(e->arena, e->use_note, e->n_use_note, e->cap_use_note, u);
    }
}

void finish_use_notes(Elab *e) {
    for (int32_t i = 0; i < e->n_use_note && !e->stopped; i++) {
        const UseNote *u = &e->use_note[i];
        const Global *block = table_get(&e->globals, u->scope->item->name);
        diag_reword(e->diags, u->message, "%s", use_text(e, u, block->uses));
    }
}

/* ---- walking back ---- */

const Type *ref_type(const Elab *e, Ref r) { return &graph_node(e->graph, r)->type; }

const Site *site_of(const Elab *e, Ref r) {
    Name name = graph_node(e->graph, r)->name;
    return name ? table_get(&e->layers, name) : NULL;
}

/* What of the text of `s` made r: the layer, or the use of the block that it is in. at.line 0: nothing there. */
static Site site_in(const Elab *e, Ref r, Scope *s) {
    const Site *made = site_of(e, r);
    if (!made) return (Site){0};
    Site site = *made;
    for (; site.scope && site.scope != s; site.scope = site.scope->caller)
        site = (Site){.at = site.scope->call, .kind = site.scope->item->name, .scope = site.scope};
    return site.scope ? site : (Site){0};
}

int argument(const Bound *b, const char *param) {
    for (int i = 0; b && i < b->signature->n; i++)
        if (!strcmp(b->signature->param[i].name, param)) return i;
    return -1;
}

bool same_plane(const Type *a, const Type *b) {
    return a->rank == b->rank && type_height(a) == type_height(b) && type_width(a) == type_width(b);
}

const char *plane_text(const Elab *e, const Type *t) {
    return arena_printf(e->arena, "%dx%d", type_height(t), type_width(t));
}

bool is_gate(const Type *x, const Type *y) {
    return x->rank == 4 && y->rank == 4 && !same_plane(x, y) && type_height(y) == 1 && type_width(y) == 1;
}

/* The operand from which a node has its shape, 0 if there is none. */
static Ref before(const Elab *e, Ref r) {
    const Node *n = graph_node(e->graph, r);
    return n->n_in > 0 ? n->in[0] : 0;
}

Ref channels_from(const Elab *e, Ref r) {
    for (;;) {
        const Site *s = site_of(e, r);
        Ref b = before(e, r);
        if (!s || !b || argument(s->bound, "out") >= 0) return r;
        const Type *here = ref_type(e, r), *there = ref_type(e, b);
        if (type_channels(here) != type_channels(there) || here->rank != there->rank) return r;
        r = b;
    }
}

int changers(const Elab *e, Ref r, Ref stop, Ref *list, int most) {
    int n = 0;
    for (Ref b; r != stop && (b = before(e, r)) && site_of(e, r) && n < most; r = b)
        if (!same_plane(ref_type(e, r), ref_type(e, b))) list[n++] = r;
    return n;
}

Ref common_origin(const Elab *e, Ref a, Ref b) {
    while (a != b && a && b) {
        if (a > b)
            a = before(e, a);
        else
            b = before(e, b);
    }
    return a == b ? a : 0;
}

/* ---- arithmetic of heights and widths: d is 0 or 1 ---- */

static void add_pads(Str *s, const char *sign, int32_t first, int32_t second) {
    if (first == second)
        str_addf(s, " %s 2*%d", sign, first);
    else
        str_addf(s, " %s %d %s %d", sign, first, sign, second);
}

static void add_window(Str *s, int64_t in, const int32_t *pad, int64_t span, int32_t stride, int64_t out, bool ceil) {
    int64_t room = in + pad[0] + pad[1] - span;
    str_addf(s, "%s%lld", stride > 1 ? "(" : "", (long long)in);
    add_pads(s, "+", pad[0], pad[1]);
    str_addf(s, " - %lld%s", (long long)span, stride > 1 ? ")" : "");
    if (stride > 1) str_addf(s, "/%d", stride);
    str_add(s, " + 1 = ");
    if (room % stride == 0)
        str_addf(s, "%lld", (long long)out);
    else
        str_addf(s, "%.4g, rounded %s to %lld", (double)room / stride + 1, ceil ? "up" : "down", (long long)out);
}

static void conv_size(Str *s, const Node *n, const Type *x, int d) {
    const ConvAttr *a = &n->attr.conv;
    int64_t span = (int64_t)a->dilation[d] * (a->kernel[d] - 1) + 1;
    int32_t in = x->dim[2 + d], out = n->type.dim[2 + d];
    if (n->op == OP_conv_dgrad) {
        str_addf(s, "(%d - 1)*%d", in, a->stride[d]);
        add_pads(s, "-", a->pad[2 * d], a->pad[2 * d + 1]);
        int64_t extra = out - ((int64_t)(in - 1) * a->stride[d] - a->pad[2 * d] - a->pad[2 * d + 1] + span);
        str_addf(s, " + %lld", (long long)span);
        if (extra) str_addf(s, " + %lld", (long long)extra);
        str_addf(s, " = %d", out);
    } else {
        add_window(s, in, a->pad + 2 * d, span, a->stride[d], out, false);
    }
    if (a->dilation[d] > 1)
        str_addf(s, " (%d taps, %d apart, span %lld)", a->kernel[d], a->dilation[d], (long long)span);
}

static void pool_size(Str *s, const Node *n, const Type *x, int d) {
    const PoolAttr *a = &n->attr.pool;
    if (a->to[d])
        str_addf(s, "to=%d of %d", a->to[d], x->dim[2 + d]);
    else if (a->kernel[d] == x->dim[2 + d] && n->type.dim[2 + d] == 1)
        str_add(s, "the whole plane");
    else
        add_window(s, x->dim[2 + d], a->pad + 2 * d, a->kernel[d], a->stride[d], n->type.dim[2 + d], a->ceil);
}

static void pad_size(Str *s, const Node *n, const Type *x, int d) {
    const int32_t *p = n->attr.pad.pad + 2 * d;
    str_addf(s, "%d %c %d %c %d = %d", x->dim[2 + d], p[0] < 0 ? '-' : '+', p[0] < 0 ? -p[0] : p[0],
             p[1] < 0 ? '-' : '+', p[1] < 0 ? -p[1] : p[1], n->type.dim[2 + d]);
}

static void resize_size(Str *s, const Node *n, const Type *x, int d) {
    int32_t in = x->dim[2 + d], out = n->type.dim[2 + d];
    if (out % in == 0)
        str_addf(s, "%d * %d = %d", out / in, in, out);
    else
        str_addf(s, "%d of %d", out, in);
}

/* How the node's height or width comes from its operand's; "" if that is not a matter of arithmetic. */
static const char *size_text(const Elab *e, Ref r, int d) {
    static const struct {
        AttrKind kind;
        void (*add)(Str *s, const Node *n, const Type *x, int d);
    } row[] = {{ATTR_CONV, conv_size}, {ATTR_POOL, pool_size}, {ATTR_PAD, pad_size}, {ATTR_RESIZE, resize_size}};
    const Node *n = graph_node(e->graph, r);
    const Type *x = ref_type(e, before(e, r));
    Str s = STR(e->arena);
    if (x->rank != n->type.rank)
        str_addf(&s, "%s becomes %s", type_shape_text(e->arena, x), type_shape_text(e->arena, &n->type));
    for (int i = 0; i < ARRAY_LEN(row) && x->rank == 4 && n->type.rank == 4; i++)
        if (row[i].kind == op_info[n->op].attr) row[i].add(&s, n, x, d);
    return str_text(&s);
}

static int odd_dimension(const Type *a, const Type *b) { return type_height(a) != type_height(b) ? 0 : 1; }

/* ---- notes ---- */

/* "`x`", or what else to call it. */
static const char *operand_name(const Fault *f, int32_t i) {
    static const char *const side[] = {"the left side", "the right side"};
    const AstExpr *x = f->operand[i].text;
    if (x && x->kind == X_NAME) return arena_printf(f->e->arena, "`%s`", x->name);
    if (!f->bound && f->n == 2) return side[i];
    return f->n == 1 ? "the input" : arena_printf(f->e->arena, "the %s tensor", ordinal(f->e, i + 1));
}

/* The parameter of this block that x is, if nothing was assigned to it. */
static const Variable *unchanged_parameter(const Elab *e, const AstExpr *x) {
    if (!x || x->kind != X_NAME || !e->scope->caller) return NULL;
    const Variable *v = variable_find(e, x->name);
    const ParamList *list = &e->scope->item->param;
    for (int32_t i = 0; v && i < list->n; i++)
        if (list->item[i].name == x->name && list->item[i].span.line == v->set.line &&
            list->item[i].span.col == v->set.col)
            return v;
    return NULL;
}

static const char *line_text(const Elab *e, Span at, Span here) {
    if (at.file == here.file) return arena_printf(e->arena, "line %u", at.line);
    return arena_printf(e->arena, "line %u of %s", at.line, e->diags->file[at.file].path);
}

/* "it is the parameter of `bottleneck`, unchanged since line 17, and comes from `maxpool` at line 29", or NULL. */
static const char *parameter_text(const Fault *f, int32_t i) {
    const Elab *e = f->e;
    const Operand *o = &f->operand[i];
    const Variable *v = unchanged_parameter(e, o->text);
    if (!v) return NULL;
    Site from = site_in(e, o->ref, e->scope->caller);
    Str s = STR(e->arena);
    str_addf(&s, "it is the parameter of `%s`, unchanged since %s", e->scope->item->name,
             line_text(e, v->span, f->call->span));
    if (from.at.line)
        str_addf(&s, ", and comes from `%s` at %s", from.kind, line_text(e, from.at, f->call->span));
    else if (!site_of(e, o->ref))
        str_add(&s, ", and is the net's input");
    return str_text(&s);
}

/* " in `layer1.0.conv2`" if that is not in the text that runs now. */
static const char *elsewhere(const Elab *e, const Site *s, Ref r) {
    return s->scope == e->scope ? "" : arena_printf(e->arena, " in `%s`", graph_node(e->graph, r)->name);
}

static const char *joined_channels(const Elab *e, const Node *n) {
    enum { MOST = 8 };
    Str s = STR(e->arena);
    for (int i = 0; i < n->n_in && i < MOST; i++)
        str_addf(&s, "%s%d", i ? " + " : "", type_channels(ref_type(e, n->in[i])));
    return arena_printf(e->arena, "%s%s = %d", str_text(&s), n->n_in > MOST ? " + ..." : "", type_channels(&n->type));
}

static const char *channels_text(const Elab *e, const Node *n) {
    const Type *x = n->n_in > 0 ? ref_type(e, n->in[0]) : NULL;
    if (n->op == OP_concat) return joined_channels(e, n);
    if (n->op == OP_flatten && x->rank == 4)
        return arena_printf(e->arena, "%d * %d * %d = %d", x->dim[1], x->dim[2], x->dim[3], type_channels(&n->type));
    return "";
}

static const char *count_text(const Elab *e, int32_t channels) {
    return arena_printf(e->arena, channels == 1 ? "%d channel" : "%d channels", channels);
}

void note_channels(Elab *e, const char *name, Ref tensor) {
    int32_t channels = type_channels(ref_type(e, tensor));
    Ref r = channels_from(e, tensor);
    const Node *n = graph_node(e->graph, r);
    const Site *s = site_of(e, r);
    if (!s) {
        diag_note(e->diags, n->span, "%s has %s: those of the net's input", name, count_text(e, channels));
        return;
    }
    int out = argument(s->bound, "out");
    bool says = out >= 0 && s->bound->text[out];
    const char *how = says ? derive(e, s->scope, s->bound->text[out], &s->bound->value[out]) : channels_text(e, n);
    diag_note(e->diags, says ? s->bound->span[out] : s->at, "%s has %s, decided%s by `%s`", name,
              count_text(e, channels), elsewhere(e, s, r), s->kind);
    if (how && *how) diag_label(e->diags, says ? s->bound->span[out] : s->at, "%s", how);
}

/* Where the operand's number of channels was decided, or how it came into this block. */
static void blame_channels(const Fault *f, int32_t i) {
    Elab *e = f->e;
    Ref r = f->operand[i].ref;
    const char *name = operand_name(f, i), *parameter = parameter_text(f, i);
    if (parameter)
        diag_note(e->diags, (Span){0}, "%s has %s: %s", name, count_text(e, type_channels(ref_type(e, r))), parameter);
    else
        note_channels(e, name, r);
}

/* "28x28 -> conv 26x26 -> maxpool 13x13": the planes on the way to r. */
static const char *history(const Elab *e, Ref r, Ref stop) {
    Ref list[MAX_HISTORY];
    int n = changers(e, r, stop, list, MAX_HISTORY);
    Str s = STR(e->arena);
    if (n == MAX_HISTORY) str_add(&s, "... ");
    if (n > 0) str_add(&s, plane_text(e, ref_type(e, before(e, list[n - 1]))));
    for (int i = n - 1; i >= 0; i--) {
        const Type *t = ref_type(e, list[i]);
        str_addf(&s, " -> %s %s", site_of(e, list[i])->kind,
                 t->rank == 4 ? plane_text(e, t) : type_shape_text(e->arena, t));
    }
    return str_text(&s);
}

static bool is_repeated(const Elab *e, const Ref *list, int n) {
    for (int i = 1; i < n; i++)
        for (int k = 0; k < i; k++) {
            Span a = site_of(e, list[i])->at, b = site_of(e, list[k])->at;
            if (a.line == b.line && a.col == b.col) return true;
        }
    return false;
}

/* The layers that gave the operand its height and width, since both were one; nothing if it is that one. */
static void note_plane(const Fault *f, int32_t i, int32_t other) {
    Elab *e = f->e;
    Ref r = f->operand[i].ref, list[MAX_STEPS_BACK], stop = common_origin(e, r, f->operand[other].ref);
    int d = odd_dimension(ref_type(e, r), ref_type(e, f->operand[other].ref));
    int n = changers(e, r, stop, list, MAX_STEPS_BACK);
    const char *shape = type_shape_text(e->arena, ref_type(e, r)), *name = operand_name(f, i);
    if (n == 0) return;
    if (is_repeated(e, list, n)) {
        Span at = site_of(e, list[0])->at;
        at.len = 0;
        diag_note(e->diags, at, "%s is %s: %s", name, shape, history(e, r, stop));
        return;
    }
    diag_note(e->diags, site_of(e, list[0])->at, "%s is %s since `%s`%s", name, shape, site_of(e, list[0])->kind,
              elsewhere(e, site_of(e, list[0]), list[0]));
    for (int k = 0; k < n; k++) diag_label(e->diags, site_of(e, list[k])->at, "%s", size_text(e, list[k], d));
}

/* ---- what is wrong, by code ---- */

static void label_operands(const Fault *f) {
    int shown = 0;
    for (int32_t i = 0; i < f->n; i++) {
        bool blamed = i == f->odd || i == f->even;
        if (f->operand[i].at.line == 0 || (!blamed && ++shown > MAX_SHOWN - 2)) continue;
        diag_label(f->e->diags, f->operand[i].at, "%s",
                   type_shape_text(f->e->arena, ref_type(f->e, f->operand[i].ref)));
    }
}

static void blame_operands(const Fault *f) {
    label_operands(f);
    if (f->n < 2) return;
    const int32_t pair[] = {f->even < f->odd ? f->even : f->odd, f->even < f->odd ? f->odd : f->even};
    const Type *a = ref_type(f->e, f->operand[pair[0]].ref), *b = ref_type(f->e, f->operand[pair[1]].ref);
    bool channels = !strcmp(f->code, E_SHAPES) && type_channels(a) != type_channels(b);
    bool planes = !same_plane(a, b) && !(is_gate(a, b) || is_gate(b, a));
    for (int i = 0; i < 2; i++) {
        if (channels) blame_channels(f, pair[i]);
        if (planes) note_plane(f, pair[i], pair[1 - i]);
    }
}

/* Labels the argument if the text does not show its value. */
static void label_argument(const Fault *f, const char *param) {
    int i = argument(f->bound, param);
    if (i < 0 || !f->bound->text[i]) return;
    const char *how = derive(f->e, f->e->scope, f->bound->text[i], &f->bound->value[i]);
    if (how) diag_label(f->e->diags, f->bound->span[i], "%s", how);
}

static void blame_window(const Fault *f) {
    static const char *const shown[] = {"kernel", "dilation", "size", "pad"};
    Elab *e = f->e;
    for (int i = 0; i < ARRAY_LEN(shown); i++) label_argument(f, shown[i]);
    if (f->n < 1) return;
    const char *way = history(e, f->operand[0].ref, 0);
    if (!*way) return;
    Span at = site_of(e, f->operand[0].ref)->at;
    at.len = 0;
    diag_note(e->diags, at, "the way to %s: %s", plane_text(e, ref_type(e, f->operand[0].ref)), way);
}

static void blame_groups(const Fault *f) {
    label_argument(f, "groups");
    int groups = argument(f->bound, "groups");
    if (f->n < 1 || groups < 0) return;
    if (type_channels(ref_type(f->e, f->operand[0].ref)) % value_whole(&f->bound->value[groups]) != 0)
        blame_channels(f, 0);
    else
        label_argument(f, "out");
}

static void blame_input(const Fault *f) {
    if (f->n == 1) blame_channels(f, 0);
}

static void blame_parts(const Fault *f) {
    label_argument(f, "parts");
    blame_input(f);
}

/* Height and width are gone: since which layer? */
static void blame_rank(const Fault *f) {
    Elab *e = f->e;
    if (f->n < 1) return;
    for (Ref r = f->operand[0].ref, b; (b = before(e, r)) && site_of(e, r); r = b)
        if (ref_type(e, r)->rank != ref_type(e, b)->rank) {
            const Site *s = site_of(e, r);
            diag_note(e->diags, s->at, "flat since `%s`%s", s->kind, elsewhere(e, s, r));
            diag_label(e->diags, s->at, "%s becomes %s", type_shape_text(e->arena, ref_type(e, b)),
                       type_shape_text(e->arena, ref_type(e, r)));
            return;
        }
}

void explain_value(Elab *e, const AstExpr *x, const Value *v) {
    const char *how = e->diags->current >= 0 ? derive(e, e->scope, x, v) : NULL;
    if (how) diag_label(e->diags, x->span, "%s", how);
}

const Actual *argument_at_fault(const Fault *f) {
    const Message *m = &f->e->diags->message[f->e->diags->current];
    for (int32_t i = 0; i < f->call->n; i++) {
        const Actual *a = &f->call->actual[i];
        if (a->text && a->at.file == m->span.file && a->at.line == m->span.line && a->at.col == m->span.col) return a;
    }
    return NULL;
}

static void blame_value(const Fault *f) {
    const Actual *a = argument_at_fault(f);
    if (a) explain_value(f->e, a->text, &a->value);
}

static const struct {
    const char *code;
    void (*blame)(const Fault *f);
} row[] = {
    {E_SHAPES, blame_operands}, {E_CONCAT, blame_operands}, {E_KERNEL, blame_window}, {E_GROUPS, blame_groups},
    {E_OPERAND, blame_rank},    {"E0330", blame_parts},     {"E0331", blame_parts},   {"E0332", blame_window},
    {"E0109", blame_value},     {"E0117", blame_value},     {"E0907", blame_input},
};

/* ---- a fault ---- */

static bool fits(const Fault *f, int32_t i, int32_t k) {
    const Type *a = ref_type(f->e, f->operand[i].ref), *b = ref_type(f->e, f->operand[k].ref);
    if (!strcmp(f->code, E_CONCAT)) return same_plane(a, b);
    return type_broadcast(a, b) != BROADCAST_MISFIT || type_broadcast(b, a) != BROADCAST_MISFIT;
}

/* Most of them are right: the first that fits most others is, and the first that does not fit it is not. */
static void choose_blamed(Fault *f) {
    int32_t best = -1;
    for (int32_t i = 0; i < f->n && i < MAX_JUDGED; i++) {
        int32_t n = 0;
        for (int32_t k = 0; k < f->n && k < MAX_JUDGED; k++) n += fits(f, i, k);
        if (n > best) f->even = i, best = n;
    }
    f->odd = f->even == 0 && f->n > 1 ? 1 : 0;
    for (int32_t i = 0; i < f->n; i++)
        if (!fits(f, f->even, i)) {
            f->odd = i;
            return;
        }
}

static void add_operand(Fault *f, int32_t *cap, const Value *v, Span at, const AstExpr *text) {
    if (v->kind != V_TENSOR) return;
    if (!text && f->e->scope) at = site_in(f->e, v->tensor, f->e->scope).at;
    PUSH(f->e->arena, f->operand, f->n, *cap, ((Operand){.ref = v->tensor, .at = at, .text = text}));
}

static void collect_operands(Fault *f) {
    int32_t cap = 0;
    for (int32_t i = 0; i < f->call->n; i++) {
        const Actual *a = &f->call->actual[i];
        add_operand(f, &cap, &a->value, a->at, a->text);
        if (a->value.kind != V_LIST) continue;
        bool listed = a->text && a->text->kind == X_LIST && a->text->list.n == a->value.n;
        for (int32_t k = 0; k < a->value.n; k++) {
            const AstExpr *text = listed ? a->text->list.item[k] : NULL;
            add_operand(f, &cap, &a->value.item[k], text ? text->span : (Span){0}, text);
        }
    }
}

void explain_call(Elab *e, const Call *c, const Bound *b) {
    if (e->diags->current < 0) return;
    Fault f = {.e = e, .code = e->diags->message[e->diags->current].code, .call = c, .bound = b};
    if (e->graph) collect_operands(&f);
    if (f.n > 1) choose_blamed(&f);
    for (int i = 0; i < ARRAY_LEN(row); i++)
        if (!strcmp(row[i].code, f.code)) row[i].blame(&f);
    note_uses(e);
    advise(&f);
}
