/* The only loop over passes. After each pass it cleans up (graphs are compacted), verifies, dumps and takes the time,
 * the same for all: a pass has no code for any of that. */
#include <string.h>
#include <time.h>

#include "dump.h"

static const char *const entry_name[ENTRY_COUNT] = {"infer", "train"};

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static bool must_dump(const PassOptions *o, const char *pass) {
    for (int i = 0; i < o->n_dump_after; i++)
        if (strcmp(o->dump_after[i], "all") == 0 || strcmp(o->dump_after[i], pass) == 0) return true;
    return false;
}

/* Compacts the net. The loss terms point into it like outputs, so they are outputs while it is renumbered. */
static void compact_net(Unit *u) {
    Graph *g = u->net;
    int32_t n_output = g->n_output;
    for (int i = 0; i < u->train.n_loss; i++)
        graph_output(g, name_of("loss term"), u->train.loss[i].logits, ONLY_TRAIN);
    const Ref *map = graph_compact(g, u->arena);
    u->image = map[u->image];
    for (int i = 0; i < u->train.n_loss; i++) u->train.loss[i].logits = g->output[n_output + i].ref;
    g->n_output = n_output;
}

static void compact(Unit *u, Level level) {
    if (level == LEVEL_NET) compact_net(u);
    for (int e = 0; level != LEVEL_LOOPS && e < ENTRY_COUNT; e++)
        if (u->graph[e]) graph_compact(u->graph[e], u->arena);
}

static void verify_graph(const Unit *u, const Graph *g, const char *pass) {
    const char *broken = graph_verify(u->arena, g);
    ICE_UNLESS(!broken, "pass %s broke graph %s: %s", pass, g->name, broken);
}

static void verify_program(const Unit *u, const Program *p, const char *pass) {
    for (int32_t i = 0; i < p->n_kernel; i++) {
        const char *broken = loop_verify(u->arena, p->kernel[i]);
        ICE_UNLESS(!broken, "pass %s broke kernel %s of %s: %s", pass, p->kernel[i]->name, p->name, broken);
    }
}

static void verify(const Unit *u, Level level, const char *pass) {
    if (level == LEVEL_NET) verify_graph(u, u->net, pass);
    for (int e = 0; e < ENTRY_COUNT; e++) {
        if (level != LEVEL_LOOPS && u->graph[e]) verify_graph(u, u->graph[e], pass);
        if (level == LEVEL_LOOPS && u->program[e]) verify_program(u, u->program[e], pass);
    }
}

static void run_pass(Unit *u, const Pass *p) {
    for (Entry e = ENTRY_INFER; e < ENTRY_COUNT; e++) {
        if (p->level == LEVEL_NET ? e != ENTRY_INFER : !u->graph[e]) continue;
        ice_context(p->name, p->level == LEVEL_NET ? "net" : entry_name[e]);
        p->run(u, e);
    }
    ice_context(p->name, "checks after it");
}

static void dump(const Unit *u, const PassOptions *o, const Pass *p, const char *before) {
    Str after = STR(u->arena);
    unit_print(&after, u, dump_level(u, p->level));
    bool same = strcmp(before, str_text(&after)) == 0;
    fprintf(o->dump, "# after %s%s\n%s", p->name, same ? " (unchanged)" : "", same ? "" : str_text(&after));
}

/* One pass and everything that follows from it. False if the author of the net has to act. */
static bool step(Unit *u, const PassOptions *o, const Pass *p) {
    bool dumped = must_dump(o, p->name);
    Str before = STR(u->arena);
    if (dumped) unit_print(&before, u, dump_level(u, p->level));
    int32_t n_error = u->diags->n_error;
    run_pass(u, p);
    if (u->diags->n_error > n_error) return false;
    compact(u, p->level);
    verify(u, p->level, p->name);
    if (dumped) dump(u, o, p, str_text(&before));
    if (o->check_roundtrip) dump_check_roundtrip(u, dump_level(u, p->level), p->name);
    return true;
}

bool pipeline_run_table(Unit *u, const PassOptions *o, const Pass *table, int n) {
    unsigned facts = 0;
    double start = now_ms();
    for (int i = 0; i < n; i++) {
        const Pass *p = &table[i];
        ice_context(p->name, "its needs");
        ICE_UNLESS((facts & p->needs) == p->needs, "pass %s needs facts %#x, but only %#x hold", p->name, p->needs,
                   facts);
        double pass_start = now_ms();
        if (!step(u, o, p)) return false;
        if (o->time_report) fprintf(stderr, "%-12s %9.2f ms\n", p->name, now_ms() - pass_start);
        facts = (facts & ~p->breaks) | p->makes;
        if (o->stop_after && strcmp(o->stop_after, p->name) == 0) break;
    }
    if (o->time_report) fprintf(stderr, "%-12s %9.2f ms\n", "all passes", now_ms() - start);
    ice_context("after the passes", "");
    return true;
}
