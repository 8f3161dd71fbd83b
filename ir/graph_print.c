#include "graph.h"

#include <ctype.h>
#include <string.h>

const char *const output_only_name[ONLY_COUNT] = {
    [ONLY_BOTH] = "both", [ONLY_TRAIN] = "train", [ONLY_DEPLOY] = "deploy"};

/* Letters, digits, "_.-/" and single spaces between words: needs no quotes before " {". */
static bool is_plain(const char *name) {
    for (const char *c = name; *c; c++) {
        bool between = *c == ' ' && c > name && c[-1] != ' ' && c[1];
        if (!isalnum((unsigned char)*c) && !strchr("_.-/", *c) && !between) return false;
    }
    return *name != 0;
}

static void print_operands(Str *s, const Node *n) {
    if (n->n_in == 0) return;
    for (int32_t i = 0; i < n->n_in; i++) str_addf(s, i ? ", %%%u" : "(%%%u", n->in[i]);
    str_add(s, ")");
}

static void print_node(Str *s, const Node *n, int32_t number) {
    const OpInfo *info = &op_info[n->op];
    str_addf(s, "  %%%d = %s", number, info->name);
    print_operands(s, n);
    if (info->attr != ATTR_NONE) str_add(s, " ");
    attr_print(s, info->attr, &n->attr);
    if (n->name) {
        str_add(s, " ");
        str_add_json(s, n->name);
    }
    if (n->group) str_addf(s, " group=%d", n->group);
    str_add(s, n->frozen ? " frozen" : "");
    str_add(s, n->nofuse ? " nofuse : " : " : ");
    type_print(s, &n->type);
    str_add(s, "\n");
}

void graph_print(Str *s, const Graph *g) {
    str_add(s, "graph ");
    if (is_plain(g->name))
        str_add(s, g->name);
    else
        str_add_json(s, g->name);
    str_add(s, " {\n");
    for (int32_t i = 1; i < g->n_node; i++) print_node(s, &g->node[i], i);
    for (int32_t i = 0; i < g->n_output; i++) {
        const Output *o = &g->output[i];
        str_add(s, "  output ");
        str_add_json(s, o->name);
        str_addf(s, " %%%u", o->ref);
        if (o->only != ONLY_BOTH) str_addf(s, " only=%s", output_only_name[o->only]);
        str_add(s, "\n");
    }
    str_add(s, "}\n");
}
