/* What a net costs to deploy, without making code: for the verbs that compare nets and for contracts. */
#ifndef CNNC_PASSES_FIGURES_H
#define CNNC_PASSES_FIGURES_H

#include "../ir/unit.h"

/* What inference takes, by its plan; fit.h of the front end makes one figure of it. */
typedef struct Memory {
    int64_t param, released; /* of parameters; of them what is given back when weights are prepared */
    int64_t fixed, once;     /* what else calls share; the most of both while weights are prepared */
    int64_t picture, image;  /* of a picture: what a call adds for it; as it is put in */
    int64_t scratch;         /* of a thread */
    int64_t steps;
} Memory;

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
 * gives, since the passes that are left out (tiles, vectors, threads) add neither a tensor nor a step, nor scratch. `cache` may be
 * NULL. */
void figures_of(const Unit *u, FigureCache *cache, Figures *out);
/* The memory of a planned program of inference, for pictures like that node of the net. */
Memory figures_memory(const Unit *u, const Program *p);

#endif
