/* See figures.h. */
#include "figures.h"

#include "pass.h"

Memory figures_memory(const Unit *u, const Program *p) {
    const Type *image = &graph_node(u->net, u->image)->type;
    Memory m = {.param = p->region_bytes[REGION_PARAM],
                .fixed = p->region_bytes[REGION_FIXED],
                .once = program_once_bytes(u->arena, p),
                .picture = p->region_bytes[REGION_BATCH],
                .image = (int64_t)sizeof(float) * image->dim[1] * image->dim[2] * image->dim[3],
                .scratch = program_scratch(p),
                .steps = p->n_step};
    int64_t from;
    for (int32_t i = 0; i < p->n_once; i++)
        for (int32_t k = 0; k < p->step[i].n_arg; k++) m.released += program_releases(p, i, k, &from);
    return m;
}

/* ---- the cache ---- */

typedef struct Known {
    uint64_t key[2];
    Memory memory;
} Known;

struct FigureCache {
    Arena *arena;
    Known *item;
    int32_t n, cap;
};

FigureCache *figure_cache_new(Arena *a) {
    FigureCache *c = NEW(a, FigureCache);
    c->arena = a;
    return c;
}

/* Two hashes of the graph's text, FNV-1a and a polynomial: 128 bits together. */
static void hash_graph(const Unit *u, uint64_t key[2]) {
    Str s = STR(u->arena);
    graph_print(&s, u->graph[ENTRY_INFER]);
    key[0] = 0xcbf29ce484222325u;
    key[1] = 0;
    for (size_t i = 0; i < s.n; i++) {
        key[0] = (key[0] ^ (unsigned char)s.p[i]) * 0x100000001b3u;
        key[1] = key[1] * 0x9E3779B97F4A7C15u + (unsigned char)s.p[i];
    }
}

static const Known *find_known(const FigureCache *c, const uint64_t key[2]) {
    for (int32_t i = 0; c && i < c->n; i++)
        if (c->item[i].key[0] == key[0] && c->item[i].key[1] == key[1]) return &c->item[i];
    return NULL;
}

/* ---- the passes ---- */

typedef bool Choose(const Pass *p);

static bool makes_graph(const Pass *p) { return p->level != LEVEL_LOOPS; }
/* Decides which tensors there are and in which order they are made; the loops are not used. */
static bool makes_loops(const Pass *p) { return p->makes & F_LOOPS; }

/* Runs these rows of the table; the facts that they need hold because of what is left out or ran before. */
static void run_some(Unit *u, Choose *choose) {
    static const PassOptions options;
    Pass *table = NEW_ARRAY(u->arena, Pass, n_passes);
    int n = 0;
    for (int i = 0; i < n_passes; i++) {
        if (!choose(&pass_table[i])) continue;
        table[n] = pass_table[i];
        table[n++].needs = 0;
    }
    ICE_UNLESS(pipeline_run_table(u, &options, table, n), "a pass refused a net without training");
}

void figures_of(const Unit *u, FigureCache *cache, Figures *out) {
    Unit copy = *u;
    uint64_t key[2];
    graph_costs(u->net, u->arena, &out->parameters, &out->macs);
    copy.net = graph_clone(u->arena, u->net);
    copy.train = (TrainConfig){0};
    run_some(&copy, makes_graph);
    hash_graph(&copy, key);
    const Known *known = find_known(cache, key);
    if (!known) {
        run_some(&copy, makes_loops);
        pass_slice(&copy, ENTRY_INFER); /* it and plan change no loop, so that there is nothing to verify after them */
        pass_plan(&copy, ENTRY_INFER);
        Known k = {{key[0], key[1]}, figures_memory(&copy, copy.program[ENTRY_INFER])};
        if (cache) PUSH(cache->arena, cache->item, cache->n, cache->cap, k);
        out->memory = k.memory;
    } else {
        out->memory = known->memory;
    }
}
