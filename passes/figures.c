/* See figures.h. */
#include "figures.h"

#include <string.h>

#include "pass.h"

/* As in runtime/exec.c: after the steps that run once, which give back parameters that nobody reads again; or while they run. */
int64_t figures_memory(Arena *a, const Program *p) {
    int64_t released = 0;
    for (int32_t i = 0; i < p->n_once; i++)
        for (int32_t k = 0; k < p->step[i].n_arg; k++)
            if (program_releases(p, i, p->step[i].arg[k]))
                released += max_i64(release_bytes(&p->storage[p->step[i].arg[k]]), 0);
    int64_t after =
        p->region_bytes[REGION_PARAM] - released + p->region_bytes[REGION_FIXED] + p->region_bytes[REGION_BATCH];
    return max_i64(after, program_once_bytes(a, p));
}

/* The passes that decide which tensors there are and in which order they are made, and the plan. */
static int needed_passes(Arena *a, Pass **table) {
    int n = 0;
    *table = NEW_ARRAY(a, Pass, n_passes);
    for (int i = 0; i < n_passes; i++) {
        const Pass *p = &pass_table[i];
        bool lower = p->makes & F_LOOPS, plan = p->makes & F_PLAN;
        if (p->level == LEVEL_LOOPS && !lower && !plan) continue;
        (*table)[n] = *p;
        if (plan) (*table)[n].needs = F_LOOPS;
        n++;
    }
    return n;
}

void figures_of(const Unit *u, Figures *out) {
    Unit copy = *u;
    Pass *table;
    PassOptions options = {0};
    graph_costs(u->net, u->arena, &out->parameters, &out->macs);
    copy.net = graph_clone(u->arena, u->net);
    copy.train = (TrainConfig){0};
    int n = needed_passes(u->arena, &table);
    ICE_UNLESS(pipeline_run_table(&copy, &options, table, n), "a pass refused a net without training");
    out->memory = figures_memory(u->arena, copy.program[ENTRY_INFER]);
}
