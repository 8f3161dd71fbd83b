/* Passes: rows of passes.def, run by pipeline.c and by nothing else. A pass neither prints nor verifies: the driver
 * does that for all alike. What a pass needs and makes is data the driver enforces. */
#ifndef CNNC_PASSES_PASS_H
#define CNNC_PASSES_PASS_H

#include <stdio.h>

#include "../ir/unit.h"

typedef enum Level { LEVEL_NET, LEVEL_GRAPH, LEVEL_LOOPS } Level;

enum {   /* facts */
    F_CANON = 1, F_SPECIAL = 2, F_GRADS = 4, F_ORDER = 8, F_GROUPS = 16, F_LAYOUT = 32, F_LOOPS = 64, F_TILED = 128,
    F_VECTOR = 256, F_PARALLEL = 512, F_PLAN = 1024, F_ALGORITHM = 2048
};

typedef struct Pass {
    const char *name, *help;
    Level level;          /* which printer and verifier apply after it; LEVEL_NET passes run once on Unit.net */
    unsigned needs, makes, breaks;
    void (*run)(Unit *u, Entry entry);   /* entry is ENTRY_INFER for LEVEL_NET */
} Pass;

extern const Pass pass_table[];
extern const int n_passes;
#define PASS(id, ...) void pass_##id(Unit *u, Entry entry);
#include "passes.def"
#undef PASS

typedef struct PassOptions {
    const char *const *dump_after;   /* names, or "all" */
    int n_dump_after;
    const char *stop_after;          /* NULL: run all */
    bool time_report, check_roundtrip;   /* roundtrip: print, read, print must be byte-equal after every pass (tests) */
    FILE *dump;
} PassOptions;

/* Which nodes of a graph are lowered to steps that run once: graph_constants, but for training under max_memory. */
const bool *once_nodes(const Unit *u, const Graph *g);
/* Runs the table. False if a pass reported errors to u->diags. Broken invariants are an ICE naming pass and rule. */
bool pipeline_run(Unit *u, const PassOptions *o);
/* The same for another table: pipeline_run is this on pass_table. */
bool pipeline_run_table(Unit *u, const PassOptions *o, const Pass *table, int n);
/* Prints the unit at its present level: the net, the graphs, or the programs. */
void unit_print(Str *s, const Unit *u, Level level);
/* The same, and its sizes behind it. */
void unit_print_all(Str *s, const Unit *u, Level level);

#endif
