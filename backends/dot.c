/* See dot.h. */
#include "dot.h"

/* In quotes; of what is not a quoted string's own, only quotes and backslashes count in Graphviz. */
static void add_quoted(Str *s, const char *text) {
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') str_add(s, "\\");
        if ((unsigned char)*text < ' ')
            str_add(s, " ");
        else
            str_addn(s, text, 1);
    }
}

/* l3 [label="first\nsecond\nthird"MORE]; with lines that are not empty. */
static void add_box(Str *s, int32_t indent, const char *id, const char *const line[3], const char *more) {
    str_addf(s, "%*s%s [label=\"", (int)indent, "", id);
    for (int i = 0; i < 3; i++) {
        if (i > 0 && *line[i]) str_add(s, "\\n");
        add_quoted(s, line[i]);
    }
    str_addf(s, "\"%s];\n", more);
}

static void open_block(Str *s, const LayerBlock *b, int32_t index) {
    int indent = 4 * (int)b->depth;
    str_addf(s, "%*ssubgraph cluster_%d {\n%*s    label=\"", indent, "", index, indent, "");
    add_quoted(s, b->label);
    str_add(s, " (");
    add_quoted(s, b->kind);
    str_add(s, ")\";\n");
}

/* Every layer, in the clusters of its blocks. */
static void add_layers(Str *s, const Outline *o, Arena *a) {
    for (int32_t i = 0, next = 1; i < o->n_layer; i++) {
        const Layer *l = &o->layer[i];
        for (; next < o->n_block && o->block[next].first == i; next++) open_block(s, &o->block[next], next);
        int32_t depth = o->block[l->block].depth;
        const char *const line[3] = {l->label, l->what, type_shape_text(a, &l->type)};
        add_box(s, 4 * (depth + 1), arena_printf(a, "l%d", i), line, l->deployed ? "" : ", style=dashed");
        for (int32_t b = l->block; b > 0 && o->block[b].end == i + 1; b = o->block[b].parent)
            str_addf(s, "%*s}\n", 4 * (int)o->block[b].depth, "");
    }
}

static const char *source_of(Arena *a, int32_t layer) { return layer >= 0 ? arena_printf(a, "l%d", layer) : "picture"; }

static void add_outputs(Str *s, const Outline *o, Arena *a) {
    const Graph *g = o->net;
    for (int32_t i = 0; i < g->n_output; i++) {
        const Output *out = &g->output[i];
        const char *only = out->only == ONLY_BOTH ? "" : arena_printf(a, "only %s", output_only_name[out->only]);
        const char *const line[3] = {out->name, only, ""};
        add_box(s, 4, arena_printf(a, "o%d", i), line, ", shape=ellipse");
        str_addf(s, "    %s -> o%d;\n", source_of(a, o->layer_of[out->ref]), i);
    }
}

static void add_picture(Str *s, const Outline *o, Arena *a) {
    const Graph *g = o->net;
    for (int32_t i = 1; i < g->n_node; i++) {
        const Node *n = graph_node(g, (Ref)i);
        const char *const line[3] = {n->name ? n->name : "", type_shape_text(a, &n->type), ""};
        if (n->op == OP_input) add_box(s, 4, "picture", line, ", shape=ellipse");
    }
}

void dot_print(Str *s, const Outline *o) {
    Arena *a = s->arena;
    str_add(s, "digraph \"");
    add_quoted(s, o->net->name);
    str_add(s, "\" {\n    graph [fontname=\"Helvetica\", fontsize=10, ranksep=0.3];\n"
               "    node [shape=box, fontname=\"Helvetica\", fontsize=10, height=0.3];\n");
    add_picture(s, o, a);
    add_layers(s, o, a);
    for (int32_t i = 0; i < o->n_layer; i++)
        for (int32_t k = 0; k < o->layer[i].n_from; k++)
            str_addf(s, "    %s -> l%d;\n", source_of(a, o->layer[i].from[k]), i);
    add_outputs(s, o, a);
    str_add(s, "}\n");
}
