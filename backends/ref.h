/* The naive interpreter of the graph, in float and in double: the oracle that every kernel and every pass is compared
 * with. It works on plain row-major arrays of logical elements, whatever the layouts say, and shares no code with the
 * passes. Kept simple for ever; never optimise it. */
#ifndef CNNC_BACKENDS_REF_H
#define CNNC_BACKENDS_REF_H

#include "../ir/graph.h"

/* One array per node: logical elements in row-major order, batch outermost; doubles in the double interpreter, floats
 * in the float one; integer tensors hold their values as such numbers. */
typedef struct RefRun {
    const Graph *graph;
    int64_t n;                 /* pictures */
    bool in_double;
    uint32_t key[2];           /* of dropout */
    void **value;              /* by node number; inputs and params are set by the caller, the rest by ref_run */
    Arena *arena;
} RefRun;

RefRun *ref_new(Arena *a, const Graph *g, int64_t n, bool in_double);
int64_t ref_count(const RefRun *r, Ref ref);             /* elements of the node's array: n times for batched ones */
double ref_get(const RefRun *r, Ref ref, int64_t i);
void ref_set(RefRun *r, Ref ref, int64_t i, double x);   /* allocates on first use */
/* Computes every node in order. Effects (sgd, ema and their like) change the arrays of their params. */
void ref_run(RefRun *r);

#endif
