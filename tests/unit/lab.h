/* Small graphs with numbers in them, for test_grad.c and test_passes.c. */
#ifndef CNNC_TESTS_UNIT_LAB_H
#define CNNC_TESTS_UNIT_LAB_H

#include <math.h>
#include <string.h>

#include "backends/ref.h"
#include "ir/graph.h"

/* How the numbers of a leaf are made: around 0; positive; far from each other and from 0, for kinks and maxima. */
typedef enum Fill { FILL_SIGNED, FILL_POSITIVE, FILL_SPACED } Fill;

/* A number in [0,1) that depends on its arguments only (the finaliser of splitmix64). */
static inline double lab_uniform(uint64_t seed, uint64_t i) {
    uint64_t z = seed * 0x9e3779b97f4a7c15u + (i + 1) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/* Number i of `count`. Spaced numbers are a permutation of odd multiples of 0.005: i -> a i + b mod count, where a is
 * the first number from about 0.6 count on that has no divisor in common with it. */
static inline double lab_number(Fill fill, uint64_t seed, int64_t i, int64_t count) {
    if (fill == FILL_POSITIVE) return 0.5 + lab_uniform(seed, (uint64_t)i);
    if (fill == FILL_SIGNED) return 2 * lab_uniform(seed, (uint64_t)i) - 1;
    int64_t a = count * 6 / 10 + 1;
    for (int64_t x = a, y = count; y > 0 && x != 1;) {
        int64_t rest = x % y;
        x = y;
        y = rest;
        if (y == 0 && x != 1) x = ++a, y = count;
    }
    int64_t place = (i * a + (int64_t)(seed % 1000)) % count;
    return 0.005 * (double)(2 * place - count + (count % 2 == 0));
}

/* Attributes of activation number i: limits on both sides of most numbers, or amid them; slopes, also 0. */
static inline Attr lab_act_attr(Op op, int i) {
    if (op_info[op].attr == ATTR_CLIP) return (Attr){.clip = {i % 3 ? -0.3 : -2, i % 3 == 1 ? 0.25 : 6}};
    return (Attr){.slope = {0.3 * (i % 4)}};
}

/* Of loss number i, also with no power. */
static inline Attr lab_loss_attr(Op op, int i) {
    double hit = i % 3 ? 0.25 : 1;
    return op_info[op].attr == ATTR_FOCAL ? (Attr){.focal = {i % 4 * 0.75, hit, i % 3 ? 1 - hit : 1}}
                                          : (Attr){.loss = {0.05 * (i % 4)}};
}

/* Weights of classes: 1.5, 0.5, 2.5, 1, 0.25 and so on. */
static inline Ref lab_class_weights(Graph *g, int32_t classes) {
    Str s = STR(g->arena);
    static const char *const number[] = {"1.5", "0.5", "2.5", "1", "0.25"};
    for (int32_t i = 0; i < classes; i++) str_addf(&s, i ? ",%s" : "%s", number[i % 5]);
    Attr attr = {.table = {name_of(str_text(&s))}};
    return graph_add(g, OP_table, 0, NULL, &attr, name_of("weights"), (Span){0}, NULL);
}

/* A label for each picture, or for each pixel of a map. */
static inline Ref lab_labels(Graph *g, Ref logits) {
    const Type *t = &graph_node(g, logits)->type;
    const int32_t dim[] = {BATCH, 1, type_height(t), type_width(t)};
    Attr label = {.input = {INPUT_LABEL, type_make(DT_I32, t->rank > 2 ? 4 : 1, dim)}};
    return graph_add(g, OP_input, 0, NULL, &label, name_of("labels"), (Span){0}, NULL);
}

/* Appends the factor, and with `weighted` weights of classes, to the n operands in `in`, whose first two are logits and
 * labels; returns how many there are then. */
static inline int lab_class_operands(Graph *g, Ref *in, int n, bool factor, bool weighted) {
    Attr attr = {.classes = {type_channels(&graph_node(g, in[0])->type)}};
    if (!factor && !weighted) return n;
    Ref of[] = {in[1], weighted ? lab_class_weights(g, attr.classes.classes) : 0};
    in[n++] = graph_add(g, OP_label_factor, weighted ? 2 : 1, of, &attr, name_of("factor"), (Span){0}, NULL);
    if (weighted) in[n++] = of[1];
    return n;
}

static inline const Attr *lab_attr_or_null(Op op, const Attr *attr) {
    return op_info[op].attr == ATTR_NONE ? NULL : attr;
}

static inline Type lab_type(int rank, const int32_t *dim) { return type_make(DT_F32, rank, dim); }

static inline Ref lab_image(Graph *g, int32_t c, int32_t h, int32_t w) {
    Attr attr = {.input = {INPUT_IMAGE, lab_type(4, (const int32_t[]){BATCH, c, h, w})}};
    return graph_add(g, OP_input, 0, NULL, &attr, name_of("image"), (Span){0}, NULL);
}

static inline Ref lab_param(Graph *g, const char *name, ParamRole role, int rank, const int32_t *dim) {
    Attr attr = {.param = {.role = role, .init = INIT_NORMAL, .b = 1, .lr_scale = 1, .type = lab_type(rank, dim)}};
    return graph_add(g, OP_param, 0, NULL, &attr, name_of(name), (Span){0}, NULL);
}

static inline uint64_t lab_seed_of(const Node *n) {
    uint64_t seed = 7;
    for (const char *c = n->name ? n->name : ""; *c; c++) seed = seed * 31 + (unsigned char)*c;
    return seed;
}

/* Gives every input and param numbers that depend on its name only, so that equal names in two graphs hold equal
 * numbers. Labels are 0, 1, 2, -1, 0, ...; the learning rate is lr; names that end in "var" are positive; momentum is
 * 0. */
static inline void lab_set_leaves(RefRun *r, double lr) {
    for (Ref ref = 1; ref < (Ref)r->graph->n_node; ref++) {
        const Node *n = graph_node(r->graph, ref);
        if (n->op != OP_param && n->op != OP_input) continue;
        size_t length = n->name ? strlen(n->name) : 0;
        bool positive = length >= 3 && strcmp(n->name + length - 3, "var") == 0;
        for (int64_t i = 0; i < ref_count(r, ref); i++) {
            double x = lab_number(positive ? FILL_POSITIVE : FILL_SIGNED, lab_seed_of(n), i, 0);
            if (n->op == OP_param && n->attr.param.role == PARAM_MOMENTUM) x = 0;
            if (n->op == OP_input && n->attr.input.role == INPUT_LABEL) x = (double)((i + 1) % 4 - 1);
            if (n->op == OP_input && n->attr.input.role == INPUT_LR) x = lr;
            if (n->op == OP_input && n->attr.input.role == INPUT_AGAIN) x = 0;
            ref_set(r, ref, i, x);
        }
    }
}

#endif
