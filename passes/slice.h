/* Slices: a call of many pictures runs some steps of a net for a few pictures at a time, so that what one step leaves
 * for the next is still in the second-level cache of the core that made it. Steps whose weights are large and whose
 * pictures are small have more pictures at a time, or all of them. */
#ifndef CNNC_PASSES_SLICE_H
#define CNNC_PASSES_SLICE_H

#include "../ir/unit.h"

typedef struct Slices {
    Slice *slice; /* one after the other; none if all steps run for all pictures */
    int32_t n, cap;
} Slices;

/* The slices that take least time, by a model of caches, before there are steps: nodes stand for them. */
Slices slice_of_graph(const Unit *u, const Graph *g);
/* Does a step depend on how many pictures it has? Those that OpenBLAS computes do, by roundings. */
bool slice_never(const Program *p, const Step *s);
/* How many pictures of a thread step i should be made for, in a call of as many as the options say. */
int32_t slice_pictures(const Unit *u, const Slice *slice, int32_t n_slice, int32_t i);

#endif
