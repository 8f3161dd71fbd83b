/* Runs programs in tests: memory for their regions, tensors in and out in storage form, steps by the loop interpreter
 * or by compiled code. */
#ifndef CNNC_TESTS_UNIT_PROGRAM_LAB_H
#define CNNC_TESTS_UNIT_PROGRAM_LAB_H

#include <stdlib.h>
#include <string.h>

#include "backends/emit.h"
#include "backends/ref.h"
#include "backends/ref_loop.h"
#include "ir/half.h"
#include "ir/unit.h"
#include "runtime/abi.h"

typedef struct ProgramRun {
    Program *p;
    int64_t n;
    uint32_t key[2];
    char *base[REGION_COUNT], *scratch;
} ProgramRun;

/* Inputs have no planned place: they lie one behind the other here. */
static inline int64_t lab_place_inputs(Program *p, Region region, int64_t n) {
    int64_t at = 0;
    for (int32_t i = 0; i < p->n_storage; i++) {
        Storage *s = &p->storage[i];
        if (s->region != region) continue;
        s->offset = at;
        at += round_up(s->bytes * (type_batched(&s->type) ? n : 1), 64);
    }
    return at;
}

/* Fills memory with a pattern that reads as NaN, so that what nobody wrote is seen. */
static inline ProgramRun lab_program(Program *p, int64_t n, const uint32_t key[2]) {
    ProgramRun r = {.p = p, .n = n, .key = {key[0], key[1]}};
    for (int g = 0; g < REGION_COUNT; g++) {
        int64_t bytes = g == REGION_IMAGE || g == REGION_LABEL || g == REGION_SCALAR ? lab_place_inputs(p, (Region)g, n)
                        : g == REGION_BATCH                                         ? p->region_bytes[g] * n
                                                                                    : p->region_bytes[g];
        r.base[g] = aligned_alloc(64, (size_t)bytes + 64);
        memset(r.base[g], g <= REGION_GRADIENT ? 0 : 0xff, (size_t)bytes + 64);
    }
    int64_t scratch = 0;
    for (int32_t i = 0; i < p->n_kernel; i++)
        scratch = max_i64(scratch, kernel_scratch(p->kernel[i], p->kernel[i]->n_buf));
    r.scratch = aligned_alloc(64, (size_t)scratch + 64);
    memset(r.scratch, 0xff, (size_t)scratch + 64);
    return r;
}

static inline void lab_program_free(ProgramRun *r) {
    free(r->scratch);
    for (int g = 0; g < REGION_COUNT; g++) free(r->base[g]);
}

static inline char *lab_address(const ProgramRun *r, int32_t storage) {
    const Storage *s = &r->p->storage[storage];
    return r->base[s->region] + s->offset * (s->region == REGION_BATCH ? r->n : 1);
}

/* Where logical element i of the tensor is stored, in elements. */
static inline int64_t lab_place(const ProgramRun *r, const Type *t, int64_t i) {
    int64_t index[MAX_RANK] = {0};
    for (int d = t->rank - 1; d >= 0; d--) {
        int64_t extent = t->dim[d] == BATCH ? r->n : t->dim[d];
        index[d] = i % extent;
        i /= extent;
    }
    return type_offset(t, index);
}

static inline double lab_element(const ProgramRun *r, int32_t storage, int64_t i, const double *set) {
    const Type *t = &r->p->storage[storage].type;
    char *at = lab_address(r, storage) + lab_place(r, t, i) * dtype_bytes[t->dtype];
    if (set && t->dtype == DT_F32) *(float *)(void *)at = (float)*set;
    if (set && t->dtype == DT_I32) *(int32_t *)(void *)at = (int32_t)*set;
    if (t->dtype == DT_F32) return (double)*(float *)(void *)at;
    if (t->dtype == DT_F16) return half_value(*(uint16_t *)(void *)at);
    return t->dtype == DT_I32 ? *(int32_t *)(void *)at : *(uint8_t *)at;
}

/* Copies the leaves of the interpreter's run into the program's memory. */
static inline void lab_load_leaves(ProgramRun *r, const RefRun *ref) {
    for (Ref x = 1; x < (Ref)ref->graph->n_node; x++) {
        const Node *node = graph_node(ref->graph, x);
        int32_t s = r->p->storage_of[x];
        if (s < 0 || (node->op != OP_param && node->op != OP_input)) continue;
        for (int64_t i = 0; i < ref_count(ref, x); i++) {
            double v = ref_get(ref, x, i);
            lab_element(r, s, i, &v);
        }
    }
}

/* All steps in order; jit NULL: by the loop interpreter. Tasks are shared out over `threads` contiguous parts, which
 * run from the last to the first, so that a dependence between tasks shows. */
static inline void lab_run_steps(ProgramRun *r, Jit *jit, int threads) {
    for (int32_t i = 0; i < r->p->n_step; i++) {
        const Step *s = &r->p->step[i];
        void *arg[64];
        for (int32_t k = 0; k < s->n_arg; k++) arg[k] = lab_address(r, s->arg[k]);
        if (!jit) {
            ref_loop_run(r->p->kernel[s->kernel], arg, r->n, r->key);
            continue;
        }
        CnncKernel *kernel = (CnncKernel *)(uintptr_t)jit_kernel(jit, s->kernel);
        CnncRun run = {.n = r->n, .key = {r->key[0], r->key[1]}, .scratch = r->scratch};
        int64_t tasks = s->tasks * (s->tasks_batched ? r->n : 1);
        for (int t = threads - 1; t >= 0; t--) kernel(arg, &run, tasks * t / threads, tasks * (t + 1) / threads);
    }
}

#endif
