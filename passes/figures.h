/* What a net costs to deploy, without making code: for the verbs that compare nets and for contracts. */
#ifndef CNNC_PASSES_FIGURES_H
#define CNNC_PASSES_FIGURES_H

#include "../ir/unit.h"

/* Bytes of inference by the plan: parameters, activations, packed weights; not the program itself, nor what each thread
 * has for itself. */
typedef struct Memory {
    int64_t rest, picture;    /* what calls share; what each picture of a call adds */
    int64_t once;             /* the peak while the steps run that prepare weights */
} Memory;

static inline int64_t memory_for(const Memory *m, int64_t pictures) {
    return m->rest + pictures * m->picture > m->once ? m->rest + pictures * m->picture : m->once;
}

typedef struct Figures {
    int64_t parameters;    /* trained numbers of what is deployed */
    int64_t macs;          /* multiply-adds for one picture */
    Memory memory;
} Figures;

/* What was found out about memory before: nets that differ only in what training or the settings do have one plan. It
 * lives in the arena. */
typedef struct FigureCache FigureCache;
FigureCache *figure_cache_new(Arena *a);

/* Figures of u->net as the front end left it, for u->machine; `u` stays as it is. Memory is what the plan of all passes
 * gives, since the passes that are left out (tiles, vectors, threads) neither add a tensor nor a step. `cache` may be
 * NULL. */
void figures_of(const Unit *u, FigureCache *cache, Figures *out);
/* The memory of a planned program of inference. */
Memory figures_memory(Arena *a, const Program *p);

#endif
