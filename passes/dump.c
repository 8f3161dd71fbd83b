#include "dump.h"

#include <string.h>

Level dump_level(const Unit *u, Level of_pass) {
    return of_pass == LEVEL_NET && (u->graph[ENTRY_INFER] || u->graph[ENTRY_TRAIN]) ? LEVEL_GRAPH : of_pass;
}

/* Kernels are the text that reads back; what a program adds to them, who calls whom, is above them as comments. */
static void print_program(Str *s, const Program *p) {
    str_addf(s, "# program %s: %d steps, %d of them once; %d kernels\n", p->name, p->n_step, p->n_once, p->n_kernel);
    for (int32_t i = 0; i < p->n_slice; i++)
        str_addf(s, "# steps up to %d for %d pictures of each thread at a time (0: all)\n", p->slice[i].end - 1,
                 p->slice[i].pictures);
    for (int32_t i = 0; i < p->n_step; i++) {
        const Step *step = &p->step[i];
        str_addf(s, "# step %d: %s(", i, p->kernel[step->kernel]->name);
        for (int32_t k = 0; k < step->n_arg; k++) str_addf(s, "%s%s", k ? ", " : "", p->storage[step->arg[k]].name);
        str_addf(s, ") tasks=%lld%s%s # %s: %s\n", (long long)step->tasks, step->tasks_batched ? "*N" : "",
                 step->along ? " along" : "", step->layer ? step->layer : "", step->what ? step->what : "");
    }
    for (int32_t i = 0; i < p->n_kernel; i++) loop_print(s, p->kernel[i]);
}

void unit_print(Str *s, const Unit *u, Level level) {
    if (level == LEVEL_NET) graph_print(s, u->net);
    for (int e = 0; e < ENTRY_COUNT; e++) {
        if (level == LEVEL_GRAPH && u->graph[e]) graph_print(s, u->graph[e]);
        if (level == LEVEL_LOOPS && u->program[e]) print_program(s, u->program[e]);
    }
}

void unit_print_all(Str *s, const Unit *u, Level level) {
    unit_print(s, u, level);
    for (int32_t i = 0; i < u->n_sized; i++) unit_print(s, u->sized[i], level);
}

static void check_graph(const Unit *u, const Graph *g, const char *pass) {
    Str first = STR(u->arena), second = STR(u->arena);
    const char *error = NULL;
    graph_print(&first, g);
    const Graph *back = graph_read(u->arena, str_text(&first), &error);
    ICE_UNLESS(back, "after %s the graph %s does not read back: %s", pass, g->name, error);
    graph_print(&second, back);
    ICE_UNLESS(strcmp(str_text(&first), str_text(&second)) == 0, "after %s the graph %s reads back differently", pass,
               g->name);
}

static void check_kernel(const Unit *u, const Kernel *k, const char *pass) {
    Str first = STR(u->arena), second = STR(u->arena);
    const char *error = NULL;
    loop_print(&first, k);
    const Kernel *back = loop_read(u->arena, str_text(&first), &error);
    ICE_UNLESS(back, "after %s the kernel %s does not read back: %s", pass, k->name, error);
    loop_print(&second, back);
    ICE_UNLESS(strcmp(str_text(&first), str_text(&second)) == 0, "after %s the kernel %s reads back differently", pass,
               k->name);
}

void dump_check_roundtrip(const Unit *u, Level level, const char *pass) {
    if (level == LEVEL_NET) check_graph(u, u->net, pass);
    for (int e = 0; e < ENTRY_COUNT; e++) {
        if (level == LEVEL_GRAPH && u->graph[e]) check_graph(u, u->graph[e], pass);
        for (int32_t i = 0; level == LEVEL_LOOPS && u->program[e] && i < u->program[e]->n_kernel; i++)
            check_kernel(u, u->program[e]->kernel[i], pass);
    }
}
