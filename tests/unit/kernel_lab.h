/* Compares programs with the double interpreter of graphs: the graph goes through the passes for a target, and after
 * lower, after tile, after vectorise and parallel, and as compiled code it must compute what ref_run computes. */
#ifndef CNNC_TESTS_UNIT_KERNEL_LAB_H
#define CNNC_TESTS_UNIT_KERNEL_LAB_H

#include <stdio.h>

#include "backends/target.h"
#include "lab.h"
#include "passes/pass.h"
#include "program_lab.h"

/* What the leaves hold: numbers that are floats (small in weights with init=he); whole numbers so small that no sum of
 * products is rounded; their sizes and ones, from which the error bound of a sum of products is made. */
typedef enum Data { DATA_RANDOM, DATA_WHOLE, DATA_SIZES, DATA_ONES } Data;

/* One computation: a graph, for n pictures, run `steps` times (effects change the params in between). */
typedef struct Trial {
    const char *what;
    const Graph *g; /* no layouts, no groups */
    int64_t n;
    int steps;
    bool contraction; /* the outputs are sums of products of leaves */
    double tolerance; /* otherwise: largest error, relative to the largest number of the tensor, at least 1 */
} Trial;

/* What the double interpreter says; size and terms only for contractions: sum of |a b|, and number of products. */
typedef struct Want {
    const Trial *trial;
    Data data;
    RefRun *run, *size, *terms;
} Want;

static const uint32_t lab_key[2] = {3, 4};

static inline double lab_leaf(const Node *n, int64_t i, Data data) {
    size_t length = n->name ? strlen(n->name) : 0;
    bool positive = length >= 3 && strcmp(n->name + length - 3, "var") == 0;
    if (n->op == OP_param && n->attr.param.role == PARAM_MOMENTUM) return 0;
    if (n->op == OP_input && n->attr.input.role == INPUT_LABEL) return (double)((i + 1) % 4 - 1);
    if (n->op == OP_input && n->attr.input.role == INPUT_LR) return (double)0.1f;
    if (n->op == OP_input && n->attr.input.role == INPUT_AGAIN) return n->name == name_of("again");
    if (data == DATA_ONES) return 1;
    if (data == DATA_WHOLE) return floor(7 * lab_uniform(lab_seed_of(n), (uint64_t)i)) - 3;
    double x = lab_number(positive ? FILL_POSITIVE : FILL_SIGNED, lab_seed_of(n), i, 0);
    if (n->op == OP_param && n->attr.param.init == INIT_HE)
        x *= sqrt(2.0 * n->type.dim[0] / (double)type_elements(&n->type));
    x = (double)(float)x;
    return data == DATA_SIZES ? fabs(x) : x;
}

static inline RefRun *lab_reference(Arena *a, const Trial *t, Data data, int steps) {
    RefRun *r = ref_new(a, t->g, t->n, true);
    memcpy(r->key, lab_key, sizeof r->key);
    for (Ref x = 1; x < (Ref)t->g->n_node; x++) {
        const Node *n = graph_node(t->g, x);
        if (n->op != OP_param && n->op != OP_input) continue;
        for (int64_t i = 0; i < ref_count(r, x); i++) ref_set(r, x, i, lab_leaf(n, i, data));
    }
    for (int s = 0; s < steps; s++) ref_run(r);
    return r;
}

static inline Want lab_want(Arena *a, const Trial *t, Data data) {
    Want w = {.trial = t, .data = data, .run = lab_reference(a, t, data, t->steps)};
    if (t->contraction && data == DATA_RANDOM) {
        w.size = lab_reference(a, t, DATA_SIZES, 1);
        w.terms = lab_reference(a, t, DATA_ONES, 1);
    }
    return w;
}

static inline double lab_largest(const RefRun *r, Ref ref) {
    double largest = 1;
    for (int64_t i = 0; i < ref_count(r, ref); i++) largest = fmax(largest, fabs(ref_get(r, ref, i)));
    return largest;
}

/* How far element i may be off. A sum of K products in any order is off by at most (K + 2) u sum |a b|, and since
 * roundings are not all of one sign by much less when K is large. */
static inline double lab_limit(const Want *w, Ref ref, int64_t i, double largest) {
    if (w->data == DATA_WHOLE) return 0;
    if (!w->size) return w->trial->tolerance * largest;
    double terms = ref_get(w->terms, ref, i);
    return fmin(terms + 2, 8 * sqrt(terms)) * 0x1p-24 * ref_get(w->size, ref, i);
}

static inline bool lab_same_numbers(const Want *w, const ProgramRun *run, int32_t storage, Ref ref, const char *name) {
    double largest = lab_largest(w->run, ref);
    for (int64_t i = 0; i < ref_count(w->run, ref); i++) {
        double want = ref_get(w->run, ref, i), got = lab_element(run, storage, i, NULL);
        if (isnan(want) ? isnan(got) : fabs(want - got) <= lab_limit(w, ref, i, largest)) continue;
        printf("\n  %s[%lld] is %.9g, should be %.9g", name, (long long)i, got, want);
        return false;
    }
    return true;
}

/* Pad lanes and halo hold zeros. */
static inline bool lab_zero_elsewhere(const ProgramRun *run, int32_t storage, const char *name) {
    const Type *t = &run->p->storage[storage].type;
    int64_t pictures = type_batched(t) ? run->n : 1, stored = type_stored(t) * pictures;
    bool *seen = calloc((size_t)stored, sizeof *seen), good = true;
    for (int64_t i = 0; i < type_elements(t) * pictures; i++) seen[lab_place(run, t, i)] = true;
    for (int64_t i = 0; i < stored && good; i++) {
        if (seen[i] || !dtype_real(t->dtype)) continue;
        const void *at = lab_address(run, storage) + i * dtype_bytes[t->dtype];
        float x = t->dtype == DT_F32 ? *(const float *)at : (float)half_value(*(const uint16_t *)at);
        good = x == 0;
        if (!good) printf("\n  %s: a pad, stored element %lld, is %g", name, (long long)i, (double)x);
    }
    free(seen);
    return good;
}

static inline bool lab_has_effects(const Graph *g) {
    for (Ref r = 1; r < (Ref)g->n_node; r++)
        if (op_info[graph_node(g, r)->op].effect) return true;
    return false;
}

/* All outputs, and where effects change them all params. Adds the bytes of all that to *digest. */
static inline bool lab_compare(const Want *w, const ProgramRun *run, uint64_t *digest) {
    const Graph *g = w->trial->g, *mine = run->p->graph;
    bool good = true, effects = lab_has_effects(g);
    int32_t found = 0;
    for (int32_t s = 0; s < run->p->n_storage; s++) {
        const Storage *at = &run->p->storage[s];
        Ref ref = effects && graph_node(mine, at->ref)->op == OP_param ? graph_find_param(g, at->name) : 0;
        const char *name = at->name ? at->name : "";
        for (int32_t o = 0; o < mine->n_output; o++) {
            if (run->p->storage_of[mine->output[o].ref] != s) continue;
            if (ref) good = good && lab_same_numbers(w, run, s, ref, name); /* one tensor, two outputs */
            ref = g->output[o].ref;
            name = g->output[o].name;
            found++;
        }
        if (!ref || !at->ref) continue;
        good = good && lab_same_numbers(w, run, s, ref, name) && lab_zero_elsewhere(run, s, name);
        const unsigned char *byte = (const unsigned char *)lab_address(run, s);
        int64_t n = type_stored(&at->type) * dtype_bytes[at->type.dtype] * (type_batched(&at->type) ? run->n : 1);
        for (int64_t i = 0; i < n; i++) *digest = (*digest ^ byte[i]) * 0x100000001b3u;
    }
    if (found < mine->n_output) printf("\n  %d of %d outputs are stored", found, mine->n_output);
    return good && found == mine->n_output;
}

/* Runs the program on the leaves, by the interpreter of loops if jit is NULL, and compares. */
static inline bool lab_run(const Want *w, Program *p, Jit *jit, int threads, uint64_t *digest) {
    ProgramRun run = lab_program(p, w->trial->n, lab_key);
    for (int32_t s = 0; s < p->n_storage; s++) {
        Ref ref = p->storage[s].ref;
        if (!ref || (graph_node(p->graph, ref)->op != OP_param && graph_node(p->graph, ref)->op != OP_input)) continue;
        int64_t n = type_elements(&p->storage[s].type) * (type_batched(&p->storage[s].type) ? run.n : 1);
        for (int64_t i = 0; i < n; i++) {
            double x = lab_leaf(graph_node(p->graph, ref), i, w->data);
            lab_element(&run, s, i, &x);
        }
    }
    for (int i = 0; i < w->trial->steps; i++) lab_run_steps(&run, jit, threads);
    bool good = lab_compare(w, &run, digest);
    lab_program_free(&run);
    return good;
}

/* Compiles the program and runs it as one part and as two, which must give the same bits. */
static inline bool lab_run_compiled(const Want *w, int n_want, Program *p, const Machine *m, int opt_level) {
    const char *error = "";
    Jit *jit = jit_new(m, opt_level, p->kernel, p->n_kernel, &error);
    bool good = jit != NULL;
    if (!good) printf("\n  %s", error);
    for (int i = 0; i < n_want && good; i++) {
        uint64_t one = 0, two = 0;
        good = lab_run(&w[i], p, jit, 1, &one) && lab_run(&w[i], p, jit, 2, &two);
        if (good && one != two) printf("\n  results depend on how tasks are shared out");
        good = good && one == two;
    }
    if (jit) jit_free(jit);
    return good;
}

static inline bool lab_verify(Arena *a, const Program *p) {
    for (int32_t i = 0; i < p->n_kernel; i++) {
        const char *broken = loop_verify(a, p->kernel[i]);
        if (!broken) continue;
        printf("\n  kernel %s: %s", p->kernel[i]->name, broken);
        return false;
    }
    return true;
}

/* A copy with addresses, so that passes after this one may change the program itself. */
static inline Program *lab_planned(Unit *u, Entry e) {
    Program *p = u->program[e], *copy = NEW(u->arena, Program);
    *copy = *p;
    copy->storage = NEW_ARRAY(u->arena, Storage, p->n_storage + 1);
    memcpy(copy->storage, p->storage, (size_t)p->n_storage * sizeof *p->storage);
    u->program[e] = copy;
    pass_plan(u, e);
    u->program[e] = p;
    return copy;
}

#endif
