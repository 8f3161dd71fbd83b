/* The model's, the plans' and their trainings' JSON: everything of runtime/abi.h's first comment, in its order. */
#include <string.h>

#include "../runtime/abi.h"
#include "emit.h"

typedef struct Writer {
    const Unit *u;
    Str *s;
    const KernelTable *kernels;
} Writer;

/* ---- small pieces ---- */

/* A separator before every item of a list but the first. */
static void item(Writer *w, bool *first) {
    if (!*first) str_add(w->s, ",\n ");
    *first = false;
}

static void key_text(Writer *w, const char *key, const char *text) {
    str_addf(w->s, "\"%s\": ", key);
    str_add_json(w->s, text ? text : "");
}

/* The dimensions without the batch. */
static void shape(Writer *w, const Type *t) {
    str_add(w->s, "[");
    for (int d = type_batched(t) ? 1 : 0, first = d; d < t->rank; d++) str_addf(w->s, d > first ? ",%d" : "%d", t->dim[d]);
    str_add(w->s, "]");
}

static bool is_param(const Node *n) { return n->op == OP_param; }

/* ---- head ---- */

static void head(Writer *w) {
    const Unit *u = w->u;
    const SourceFile *file = u->diags->n_file ? &u->diags->file[0] : NULL;
    const Type *in = &graph_node(u->net, u->image)->type;
    const Graph *infer = u->program[ENTRY_INFER]->graph;
    int64_t params, macs;
    ICE_UNLESS(infer->n_output > 0, "the net has no output");
    graph_costs(u->net, u->arena, &params, &macs);
    str_addf(w->s, "{\"abi\": %d, \"version\": \"%s\", ", CNNC_ABI, CNNC_VERSION);
    key_text(w, "name", u->name);
    str_add(w->s, ", ");
    key_text(w, "file", file ? file->path : "");
    str_add(w->s, ",\n");
    key_text(w, "source", file ? file->text : "");
    str_addf(w->s, ",\n\"options\": %s,\n\"max_batch\": %d,\n", u->options_json ? u->options_json : "{}",
             u->opt->max_batch);
    str_addf(w->s, "\"input\": {\"channels\": %d, \"height\": %d, \"width\": %d},\n", in->dim[1], in->dim[2], in->dim[3]);
    str_addf(w->s, "\"classes\": %d,\n", type_channels(&graph_node(infer, graph_scores(infer))->type));
    str_addf(w->s, "\"trains\": %s, \"params_total\": %lld, \"macs_total\": %lld,\n",
             u->program[ENTRY_TRAIN] ? "true" : "false", (long long)params, (long long)macs);
}

/* ---- layers: the net as written, nodes of one layer together ---- */

typedef struct LayerInfo {
    Name name;
    const char *op;
    const Type *type;      /* of the last node */
    int64_t params, macs;
    uint32_t line;
} LayerInfo;

static int64_t operand_params(const Graph *g, const Node *n) {
    int64_t sum = 0;
    for (int32_t i = 0; i < n->n_in; i++) {
        const Node *p = graph_node(g, n->in[i]);
        if (is_param(p) && p->attr.param.role == PARAM_WEIGHT) sum += type_elements(&p->type);
    }
    return sum;
}

static void print_layer(Writer *w, const LayerInfo *l, bool *first) {
    item(w, first);
    str_add(w->s, "{");
    key_text(w, "name", l->name);
    str_addf(w->s, ", \"op\": \"%s\", \"shape\": ", l->op);
    shape(w, l->type);
    str_addf(w->s, ", \"params\": %lld, \"macs\": %lld, \"line\": %u}", (long long)l->params, (long long)l->macs, l->line);
}

/* A layer's nodes need not be neighbours; it stands where its first node does. */
static void layers(Writer *w) {
    const Graph *g = w->u->net;
    LayerInfo *layer = NULL;
    int32_t n_layer = 0, cap = 0;
    for (int32_t i = 1; i < g->n_node; i++) {
        const Node *n = graph_node(g, (Ref)i);
        if (op_info[n->op].min_in == 0) continue;
        Name name = n->name ? n->name : name_of(op_info[n->op].name);
        int32_t at = 0;
        while (at < n_layer && (!n->name || layer[at].name != name)) at++;
        if (at == n_layer)
            PUSH(w->u->arena, layer, n_layer, cap,
                 ((LayerInfo){.name = name, .op = op_info[n->op].name, .line = n->span.line}));
        layer[at].type = &n->type;
        layer[at].params += operand_params(g, n);
        layer[at].macs += node_macs(g, n);
    }
    str_add(w->s, "\"layers\": [");
    bool first = true;
    for (int32_t i = 0; i < n_layer; i++) print_layer(w, &layer[i], &first);
    str_add(w->s, "],\n");
}

/* ---- params ---- */

static const Storage *storage_of(const Program *p, Ref r) {
    int32_t s = p->storage_of[r];
    return s < 0 ? NULL : &p->storage[s];
}

/* Weight files have the shape that the net was written with; a pass may have given the parameter another of equal size
 * (a fully connected layer after a flatten). */
static void file_shape(Writer *w, const Node *n) {
    Ref r = graph_find_param(w->u->net, n->name);
    if (!r || type_same_shape(&graph_node(w->u->net, r)->type, &n->type)) return;
    str_add(w->s, ", \"file_shape\": ");
    shape(w, &graph_node(w->u->net, r)->type);
}

/* `train`: only training has it. */
static void param(Writer *w, const Node *n, const Storage *s, bool train) {
    const ParamAttr *a = &n->attr.param;
    str_add(w->s, "{");
    key_text(w, "name", n->name);
    str_addf(w->s, ", \"role\": \"%s\", \"shape\": ", param_role_name[a->role]);
    shape(w, &n->type);
    file_shape(w, n);
    str_addf(w->s, ", \"block\": [%d,%d], \"offset\": %lld, \"bytes\": %lld, \"init\": {\"kind\": \"%s\", \"a\": ",
             s->type.layout.b0, s->type.layout.b1, (long long)s->offset, (long long)s->bytes, init_kind_name[a->init]);
    str_add_double(w->s, a->a);
    str_add(w->s, ", \"b\": ");
    str_add_double(w->s, a->b);
    str_addf(w->s, "}, \"frozen\": %s%s}", a->frozen ? "true" : "false", train ? ", \"train\": true" : "");
}

/* The same parameter in the program of the other entry, or NULL. */
static const Storage *twin(const Unit *u, int entry, const Node *n) {
    const Program *p = u->program[entry];
    Ref r = p ? graph_find_param(p->graph, n->name) : 0;
    return r ? storage_of(p, r) : NULL;
}

/* Each parameter once, though both programs have it: they must agree on where and how it lies. */
static void params(Writer *w, const char *key, Region region) {
    bool first = true;
    str_addf(w->s, "\"%s\": [", key);
    for (int e = ENTRY_COUNT - 1; e >= 0; e--) {
        const Program *p = w->u->program[e];
        for (int32_t i = 1; p && i < p->graph->n_node; i++) {
            const Node *n = graph_node(p->graph, (Ref)i);
            const Storage *s = is_param(n) ? storage_of(p, (Ref)i) : NULL;
            if (!s || s->region != region) continue;
            const Storage *other = e == ENTRY_INFER ? twin(w->u, ENTRY_TRAIN, n) : NULL;
            bool train = e == ENTRY_TRAIN && region == REGION_PARAM && w->u->program[ENTRY_INFER] && !twin(w->u, ENTRY_INFER, n);
            ICE_UNLESS(!other || (other->offset == s->offset && type_equal(&other->type, &s->type)),
                       "parameter %s lies differently in infer and train", n->name);
            if (other) continue;
            item(w, &first);
            param(w, n, s, train);
        }
    }
    str_add(w->s, "],\n");
}

static bool has_param(const Program *p, Name name) { return p && graph_find_param(p->graph, name); }

/* What the net has and no program: of outputs that are only for training, where nothing is trained, or not deployed. */
static void spare(Writer *w) {
    const Graph *g = w->u->net;
    bool first = true;
    str_add(w->s, "\"spare\": [");
    for (int32_t i = 1; i < g->n_node; i++) {
        const Node *n = graph_node(g, (Ref)i);
        if (n->op != OP_param || has_param(w->u->program[ENTRY_INFER], n->name) || has_param(w->u->program[ENTRY_TRAIN], n->name))
            continue;
        item(w, &first);
        str_add_json(w->s, n->name);
    }
    str_add(w->s, "],\n");
}

static int64_t region_bytes(const Unit *u, Region r) {
    int64_t most = 0;
    for (int e = 0; e < ENTRY_COUNT; e++)
        if (u->program[e]) most = max_i64(most, u->program[e]->region_bytes[r]);
    return most;
}

/* ---- programs ---- */

/* What of the parameters nobody reads after this step. */
static void releases(Writer *w, const Program *p, const Step *s) {
    int n = 0;
    for (int32_t k = 0; k < s->n_arg; k++) {
        int64_t from, bytes = program_releases(p, (int32_t)(s - p->step), k, &from);
        if (bytes > 0) str_addf(w->s, n++ ? ", [%lld,%lld]" : ", \"release\": [[%lld,%lld]", (long long)from, (long long)bytes);
    }
    if (n) str_add(w->s, "]");
}

/* From picture to picture, as kernels see it: without rounding. */
static int64_t stride_of(const Storage *s) { return type_stored(&s->type) * dtype_bytes[s->type.dtype]; }

/* number: of the program's kernels in the file. */
static void step(Writer *w, const Program *p, const int32_t *number, const Step *s) {
    str_addf(w->s, "{\"kernel\": %d, \"args\": [", number[s->kernel]);
    for (int32_t i = 0; i < s->n_arg; i++) {
        const Storage *arg = &p->storage[s->arg[i]];
        str_addf(w->s, "%s[\"%s\",%lld", i ? "," : "", region_name[arg->region], (long long)arg->offset);
        bool moves = arg->region == REGION_IMAGE || (arg->region == REGION_BATCH && !arg->sliced);
        if (moves && program_slice(p, (int32_t)(s - p->step))) str_addf(w->s, ",%lld", (long long)stride_of(arg));
        str_add(w->s, "]");
    }
    str_addf(w->s, "], \"tasks\": %lld, \"per_picture\": %s, ", (long long)s->tasks, s->tasks_batched ? "true" : "false");
    if (s->along) str_add(w->s, "\"along\": true, ");
    key_text(w, "layer", s->layer);
    str_add(w->s, ", ");
    key_text(w, "what", s->what);
    if (s->how && *s->how) {
        str_add(w->s, ", ");
        key_text(w, "how", s->how);
    }
    str_addf(w->s, ", \"macs\": %lld, \"line\": %u", (long long)s->macs, s->span.line);
    releases(w, p, s);
    str_add(w->s, "}");
}

static void output(Writer *w, const Program *p, const Output *o) {
    const Storage *s = storage_of(p, o->ref);
    ICE_UNLESS(s, "output %s has no storage", o->name);
    const Halo *h = &s->type.layout.halo;
    ICE_UNLESS(h->top + h->bottom + h->left + h->right == 0, "output %s has a halo", o->name);
    str_add_json(w->s, o->name);
    str_addf(w->s, ": {\"region\": \"%s\", \"offset\": %lld, \"shape\": ", region_name[s->region], (long long)s->offset);
    shape(w, &s->type);
    str_addf(w->s, ", \"block\": [%d,%d], \"stride\": %lld", s->type.layout.b0, s->type.layout.b1,
             (long long)stride_of(s));
    Ref written = graph_find_output(w->u->net, o->name);   /* 0: of training, made by a pass */
    str_add(w->s, written && graph_node(w->u->net, written)->op == OP_softmax ? ", \"softmax\": true}" : "}");
}

/* key: NULL in a list. */
static void program(Writer *w, const char *key, const Program *p, const int32_t *number) {
    bool first = true;
    if (key) str_addf(w->s, "\"%s\": ", key);
    str_addf(w->s, "{\"param_bytes\": %lld, \"batch_bytes\": %lld, \"fixed_bytes\": %lld, \"gradient_bytes\": %lld, \"update\": %d, \"at_once\": %d, \"scratch\": %lld, \"lower_bound\": %lld, \"once\": %d, \"once_bytes\": %lld, \"slices\": [",
             (long long)p->region_bytes[REGION_PARAM], (long long)p->region_bytes[REGION_BATCH], (long long)p->region_bytes[REGION_FIXED],
             (long long)p->region_bytes[REGION_GRADIENT], program_update(p), w->u->train.at_once, (long long)program_scratch(p),
             (long long)p->lower_bound_bytes, p->n_once,
             (long long)program_once_bytes(w->u->arena, p));
    for (int32_t i = 0; i < p->n_slice; i++)
        str_addf(w->s, "%s[%d,%d]", i ? "," : "", p->slice[i].end, p->slice[i].pictures);
    str_add(w->s, "],\n\"steps\": [");
    for (int32_t i = 0; i < p->n_step; i++) {
        item(w, &first);
        step(w, p, number, &p->step[i]);
    }
    str_add(w->s, "],\n\"outputs\": {");
    first = true;
    for (int32_t i = 0; i < p->graph->n_output; i++) {
        item(w, &first);
        output(w, p, &p->graph->output[i]);
    }
    str_add(w->s, "}}");
}

/* That of a unit; number: of its kernels. */
static void inference(Writer *w, const Unit *u, int32_t *const number[ENTRY_COUNT]) {
    str_add(w->s, "\"programs\": {");
    if (u->program[ENTRY_INFER]) program(w, "infer", u->program[ENTRY_INFER], number[ENTRY_INFER]);
    str_add(w->s, "}");
}

static void sizes(Writer *w) {
    const Unit *u = w->u;
    bool first = true;
    str_add(w->s, "\"sizes\": [");
    for (int32_t i = 0; i < u->n_sized; i++) {
        const Unit *sized = u->sized[i];
        const Type *in = &graph_node(sized->net, sized->image)->type;
        item(w, &first);
        str_addf(w->s, "{\"height\": %d, \"width\": %d, ", in->dim[2], in->dim[3]);
        inference(w, sized, w->kernels->number[i + 1]);
        str_add(w->s, "}");
    }
    str_add(w->s, "]");
}

/* The programs of "sizes" that train, in its order. */
static void training_sizes(Writer *w) {
    bool first = true;
    str_add(w->s, "\"sizes\": [");
    for (int32_t i = 0; i < w->u->n_sized; i++) {
        const Program *p = w->u->sized[i]->program[ENTRY_TRAIN];
        item(w, &first);
        if (p) program(w, NULL, p, w->kernels->number[i + 1][ENTRY_TRAIN]);
        else str_add(w->s, "null");
    }
    str_add(w->s, "]");
}

const char *emit_model_json(const Unit *u) {
    Str s = STR(u->arena);
    Writer w = {.u = u, .s = &s};
    head(&w);
    layers(&w);
    str_addf(&s, "\"settings\": %s}\n", u->settings_json ? u->settings_json : "{}");
    return str_text(&s);
}

static void target(Writer *w) {
    const Machine *m = w->u->machine;
    str_add(w->s, "{\"target\": {");
    key_text(w, "isa", m->isa);
    str_add(w->s, ", ");
    key_text(w, "cpu", m->cpu);
    str_add(w->s, ", ");
    key_text(w, "features", m->features);
    str_addf(w->s, ", \"lanes\": %d},\n", m->vector_lanes);
}

const char *emit_plan_json(const Unit *u, const KernelTable *kernels) {
    Str s = STR(u->arena);
    Writer w = {.u = u, .s = &s, .kernels = kernels};
    target(&w);
    str_addf(&s, "\"param_bytes\": %lld, \"state_bytes\": %lld,\n", (long long)region_bytes(u, REGION_PARAM),
             (long long)region_bytes(u, REGION_STATE));
    params(&w, "params", REGION_PARAM);
    params(&w, "state", REGION_STATE);
    spare(&w);
    inference(&w, u, kernels->number[0]);
    str_add(&s, ",\n");
    sizes(&w);
    str_add(&s, "}\n");
    return str_text(&s);
}

const char *emit_training_json(const Unit *u, const KernelTable *kernels) {
    Str s = STR(u->arena);
    Writer w = {.u = u, .s = &s, .kernels = kernels};
    if (!u->program[ENTRY_TRAIN]) return "";
    str_add(&s, "{");
    params(&w, "gradients", REGION_GRADIENT);
    program(&w, "program", u->program[ENTRY_TRAIN], kernels->number[0][ENTRY_TRAIN]);
    str_add(&s, ",\n");
    training_sizes(&w);
    str_add(&s, "}\n");
    return str_text(&s);
}
