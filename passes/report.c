/* See report.h. Predictions are cycles; a nominal clock turns them into milliseconds, so that a report says the same on
 * every machine. */
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../ir/columns.h"
#include "../ir/number.h"

static const double nominal_ghz = 3.5;

static const char *text(Name n) { return n ? n : ""; }

/* ---- schedule ---- */

static void schedule_row(Str *s, const Step *step, const char *when) {
    char tasks[32], ms[32] = "-", macs[32] = "-";
    snprintf(tasks, sizeof tasks, "%lld%s", (long long)step->tasks, step->tasks_batched ? "*N" : "");
    if (step->cycles > 0) snprintf(ms, sizeof ms, "%.3f", step->cycles / nominal_ghz * 1e-6);
    if (step->macs > 0) snprintf(macs, sizeof macs, "%.2f", (double)step->macs * 1e-6);
    str_addf(s, "%-4s %-24.24s %-28.28s %8s %9s %10s  %s\n", when, text(step->layer), step->what, tasks,
             ms, macs, text(step->how));
}

void report_schedule(Str *s, const Unit *u) {
    for (int e = 0; e < ENTRY_COUNT; e++) {
        const Program *p = u->program[e];
        if (!p) continue;
        int32_t pictures = unit_pictures(u, (Entry)e);
        str_addf(s, "%s on %s: predicted for %d pictures and one core of %.1f GHz\n", p->name, u->machine->cpu,
                 pictures, nominal_ghz);
        if (p->n_slice) str_add(s, "a number: of pictures of each thread that a large batch runs these steps for at a time\n");
        str_addf(s, "%-4s %-24.24s %-28.28s %8s %9s %10s  %s\n", "", "layer", "what", "tasks", "ms", "M macs", "how");
        double cycles = 0;
        for (int32_t i = 0; i < p->n_step; i++) {
            const Slice *slice = program_slice(p, i);
            const char *some = slice ? arena_printf(u->arena, "%d", slice->pictures) : "";
            schedule_row(s, &p->step[i], i < p->n_once ? "once" : some);
            cycles += i < p->n_once ? 0 : p->step[i].cycles;
        }
        str_addf(s, "%-4s %-24s %-28s %8s %9.3f\n\n", "", "all predicted", "", "", cycles / nominal_ghz * 1e-6);
    }
}

/* ---- memory ---- */

static void memory_row(Columns *c, const Program *p, const Storage *at) {
    Arena *a = c->arena;
    const char *dies = at->dies == INT32_MAX ? "end" : arena_printf(a, "%d", at->dies);
    const char *place = at->alias >= 0 ? text(p->storage[at->alias].name) : "";
    columns_add(c, text(at->name), region_name[at->region], number_thousands(a, at->offset),
                number_thousands(a, at->bytes), arena_printf(a, "%d", at->born), dies, place);
}

/* Bytes of region batch that live at a time, each memory once. */
static int64_t live_at(const Program *p, int32_t time) {
    int64_t live = 0;
    for (int32_t i = 0; i < p->n_storage; i++) {
        const Storage *s = &p->storage[i];
        if (s->region == REGION_BATCH && s->alias < 0 && s->born <= time && time <= s->dies) live += s->bytes;
    }
    return live;
}

/* The first step at which the most is live, and what it is. */
static void add_peak(Str *s, Arena *a, const Program *p) {
    const int32_t *time_of = program_times(a, p);
    for (int32_t i = 0; i < p->n_step; i++) {
        if (live_at(p, time_of[i]) < p->lower_bound_bytes) continue;
        str_addf(s, "most is live at %d, %s:", time_of[i], text(p->step[i].layer));
        for (int32_t k = 0, n = 0; k < p->n_storage; k++) {
            const Storage *at = &p->storage[k];
            if (at->region != REGION_BATCH || at->alias >= 0 || at->born > time_of[i] || at->dies < time_of[i]) continue;
            str_addf(s, "%s %s (%s)", n++ ? " +" : "", text(at->name), number_bytes(a, at->bytes));
        }
        str_add(s, "\n");
        return;
    }
}

void report_memory(Str *s, const Unit *u) {
    Arena *a = u->arena;
    for (int e = 0; e < ENTRY_COUNT; e++) {
        const Program *p = u->program[e];
        if (!p) continue;
        Columns c = {.arena = a, .align = "llrrrrl"};
        str_addf(s, "%s on %s: bytes, of one picture in region batch; first and last kernel (--report=fusion)\n",
                 p->name, u->machine->cpu);
        columns_add(&c, "tensor", "region", "offset", "bytes", "from", "to", "in the place of");
        for (int32_t i = 0; i < p->n_storage; i++)
            if (p->storage[i].region <= REGION_BATCH && p->storage[i].dies >= 0) memory_row(&c, p, &p->storage[i]);
        columns_print(s, &c);
        int64_t bytes = p->region_bytes[REGION_BATCH];
        str_addf(s, "batch: %s bytes a picture (%s), %.3f times what any plan needs; fixed: %s; parameters: %s\n",
                 number_thousands(a, bytes), number_bytes(a, bytes),
                 p->lower_bound_bytes ? (double)bytes / (double)p->lower_bound_bytes : 1.0,
                 number_bytes(a, p->region_bytes[REGION_FIXED]), number_bytes(a, p->region_bytes[REGION_PARAM]));
        add_peak(s, a, p);
        str_add(s, "\n");
    }
}

/* ---- summary ---- */

static const char *indented(Arena *a, int32_t depth, const char *label) {
    return arena_printf(a, "%*s%s", 2 * (int)depth, "", label);
}

static const char *result_bytes(Arena *a, const Type *t) {
    return number_bytes(a, type_elements(t) * dtype_bytes[t->dtype]);
}

static const char *or_nothing(Arena *a, int64_t n, const char *(*say)(Arena *a, int64_t n)) {
    return n ? say(a, n) : "-";
}

/* A block is one row, of its last layer's shape, from `depth` on. */
static void block_row(Columns *c, const Outline *o, const LayerBlock *b, bool closed) {
    Arena *a = c->arena;
    const char *name = indented(a, b->depth - 1, b->label), *kind = arena_printf(a, "(%s)", b->kind);
    const Type *t = &o->layer[b->end - 1].type;
    if (closed)
        columns_add(c, name, kind, type_shape_text(a, t), or_nothing(a, b->parameters, number_thousands),
                    or_nothing(a, b->macs, number_scaled), result_bytes(a, t));
    else
        columns_add(c, name, kind, "", "", "", "");
}

static void layer_row(Columns *c, const Outline *o, const Layer *l) {
    Arena *a = c->arena;
    const char *what = l->deployed ? l->what : arena_printf(a, "%s (training)", l->what);
    columns_add(c, indented(a, o->block[l->block].depth, l->label), what, type_shape_text(a, &l->type),
                or_nothing(a, l->parameters, number_thousands), or_nothing(a, l->macs, number_scaled),
                result_bytes(a, &l->type));
}

/* Each layer after the blocks that begin with it; of a closed block only its row. */
static void summary_rows(Columns *c, const Outline *o, int32_t depth) {
    for (int32_t i = 0, next = 1; i < o->n_layer; i++) {
        for (; next < o->n_block && o->block[next].first == i; next++)
            if (o->block[next].depth <= depth) block_row(c, o, &o->block[next], o->block[next].depth == depth);
        if (o->block[o->layer[i].block].depth < depth) layer_row(c, o, &o->layer[i]);
    }
}

static void add_totals(Str *s, Arena *a, const Outline *o) {
    int64_t all = 0, results = 0;
    int32_t n = 0;
    for (int32_t i = 0; i < o->n_layer; i++) {
        const Layer *l = &o->layer[i];
        all += l->parameters;
        n += l->deployed;
        if (l->deployed) results += type_elements(&l->type) * dtype_bytes[l->type.dtype];
    }
    str_addf(s, "layers      %d%s\n", n, n < o->n_layer ? arena_printf(a, ", and %d for training alone", o->n_layer - n) : "");
    str_addf(s, "parameters  %s (%s)", number_thousands(a, o->parameters), number_bytes(a, o->parameters * 4));
    if (all > o->parameters) str_addf(s, ", and %s for training alone", number_thousands(a, all - o->parameters));
    str_addf(s, "\nMACs        %s per picture\n", number_thousands(a, o->macs));
    str_addf(s, "results     %s per picture, if each had memory of its own\n\n", number_bytes(a, results));
}

void report_summary(Str *s, Arena *a, const Outline *o, int32_t depth) {
    const Graph *g = o->net;
    Columns c = {.arena = a, .align = "lllrrr"};
    columns_add(&c, "layer", "what", "output", "parameters", "MACs", "result");
    columns_line(&c);
    for (int32_t i = 1; i < g->n_node; i++) {
        const Node *n = graph_node(g, (Ref)i);
        if (n->op != OP_input) continue;
        columns_add(&c, text(n->name), "input", type_shape_text(a, &n->type), "-", "-", result_bytes(a, &n->type));
    }
    summary_rows(&c, o, depth > 0 ? depth : INT32_MAX);
    columns_line(&c);
    str_addf(s, "net %s\n", g->name);
    columns_print(s, &c);
    add_totals(s, a, o);
}

/* ---- fusion ---- */

typedef struct Fusion {
    Arena *arena;
    const Program *p;
    Columns *table;
    Name *computed;          /* layers of which a kernel computes something */
    int32_t n_computed, cap_computed;
} Fusion;

/* What pass fuse tried first to join `n` to. */
static const char *operand_name(const Graph *g, const Node *n) {
    Ref best = n->in[0];
    for (int32_t i = 0; i < n->n_in && op_info[n->op].elementwise; i++)
        if (n->in[i] > best) best = n->in[i];
    return text(graph_node(g, best)->name);
}

/* Bytes of `name` up to the dot behind which it stops to be as `other`, with the dot. */
static size_t common_blocks(Name name, Name other, size_t most) {
    size_t n = 0;
    for (size_t i = 0; i < most && name[i] && name[i] == other[i]; i++)
        if (name[i] == '.') n = i + 1;
    return n;
}

/* "layer1.0: conv1, bn1, relu1" */
static const char *list_names(Arena *a, const Name *name, int32_t n) {
    Str s = STR(a);
    size_t common = n > 1 ? strlen(name[0]) : 0;
    for (int32_t i = 1; i < n; i++) common = common_blocks(name[0], name[i], common);
    if (common) str_addf(&s, "%.*s: ", (int)common - 1, name[0]);
    for (int32_t i = 0; i < n; i++) str_addf(&s, "%s%s", i ? ", " : "", name[i] + common);
    return str_text(&s);
}

/* Members of a group have numbers that follow each other. */
static void fusion_row(Fusion *f, int32_t time, Ref root) {
    const Graph *g = f->p->graph;
    int32_t group = graph_node(g, root)->group, first = (int32_t)root, before = f->n_computed;
    Str ops = STR(f->arena);
    while (group && first > 1 && g->node[first - 1].group == group) first--;
    for (int32_t i = first; i == first || (i < g->n_node && group && g->node[i].group == group); i++) {
        const Node *n = graph_node(g, (Ref)i);
        str_addf(&ops, "%s%s", ops.n ? "+" : "", op_info[n->op].name);
        bool again = !n->name || (f->n_computed > before && f->computed[f->n_computed - 1] == n->name);
        if (!again) PUSH(f->arena, f->computed, f->n_computed, f->cap_computed, n->name);
    }
    const Node *n = graph_node(g, (Ref)first);
    const char *why = n->apart ? arena_printf(f->arena, "%s: %s", operand_name(g, n), n->apart) : "";
    columns_add(f->table, arena_printf(f->arena, "%d", time),
                list_names(f->arena, f->computed + before, f->n_computed - before), str_text(&ops), why);
}

static int by_address(const void *x, const void *y) {
    uintptr_t a = (uintptr_t) * (const Name *)x, b = (uintptr_t) * (const Name *)y;
    return (a > b) - (a < b);
}

static void add_rest(Str *s, Fusion *f, const Outline *o) {
    Str names = STR(f->arena);
    if (f->n_computed) qsort(f->computed, (size_t)f->n_computed, sizeof *f->computed, by_address);
    for (int32_t i = 0; i < o->n_layer; i++) {
        const Layer *l = &o->layer[i];
        bool computed = f->n_computed && bsearch(&l->name, f->computed, (size_t)f->n_computed, sizeof l->name, by_address);
        if (l->deployed && !computed) str_addf(&names, "%s%s", names.n ? ", " : "", l->name);
    }
    if (names.n) str_addf(s, "in no kernel, since nothing is left to compute: %s\n", str_text(&names));
}

void report_fusion(Str *s, const Unit *u, const Outline *o) {
    Arena *a = u->arena;
    for (int e = 0; e < ENTRY_COUNT; e++) {
        const Program *p = u->program[e];
        if (!p) continue;
        Columns c = {.arena = a, .align = "rlll"};
        Fusion f = {.arena = a, .p = p, .table = &c};
        const int32_t *time_of = program_times(a, p);
        int32_t once = p->n_once ? time_of[p->n_once - 1] + 1 : 0;
        columns_add(&c, "kernel", "layers", "operators", "apart from what it reads, because");
        for (int32_t i = p->n_once; i < p->n_step; i++)
            if (i == 0 || time_of[i] != time_of[i - 1]) fusion_row(&f, time_of[i], p->step[i].root);
        str_addf(s, "%s on %s: %d kernels, after %d that run once when the weights are there\n", p->name,
                 u->machine->cpu, time_of[p->n_step] - once, once);
        columns_print(s, &c);
        if (e == ENTRY_INFER) add_rest(s, &f, o);
        str_add(s, "\n");
    }
}
