/* Random nets (net_gen.h) through the whole compiler: text, front end, passes, machine code, the runtime's threads;
 * against the double interpreter of the net as it was written, within the bounds of net_bound.h. Whole numbers must
 * come out exactly; 1, 2, 3, 4 and 7 threads, and single tasks from the last to the first, must give the same bits;
 * memory beyond a region must not be touched, and what an earlier call with another number of pictures left must not
 * matter.
 *
 *     test_random_nets [COUNT [FIRST]]      that many nets from number FIRST on; COUNT is else CNNC_TEST_NETS, or
 *     CI_NETS
 *     test_random_nets one NUMBER [FILE [PASS]]    one net, or the net in FILE with that one's target and numbers, and
 *     what
 *                                                  pass PASS makes of it
 *
 * Nets are shared out to one process a processor, so that a net that crashes the compiler is a failure like others.
 * What fails is printed as text, made smaller as long as it still fails. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frontend/frontend.h"
#include "kernel_lab.h"
#include "net_bound.h"
#include "net_gen.h"
#include "net_known.h"
#include "net_shrink.h"
#include "passes/algorithm_model.h"
#include "passes/pass.h"
#include "passes/slice.h"
#include "runtime/pool.h"

enum { CI_NETS = 2000, MAX_WORKERS = 16, MAX_FAILED = 1000, SHOWN = 3, SECONDS = 120, RUNS = 2 };
enum { PAIRS_EACH = 5 };
static const int thread_counts[] = {1, 2, 3, 4, 7};
enum { N_THREAD_COUNTS = ARRAY_LEN(thread_counts) };

/* What all processes see. */
typedef struct Shared {
    atomic_int next, n_failed, failed[MAX_FAILED], busy[MAX_WORKERS];
    atomic_long outputs, exact, winograd;
    _Atomic double worst; /* largest error, in bounds */
} Shared;
static Shared *shared;

/* How a net is compiled and run: drawn from its number, too. */
typedef struct Config {
    uint64_t seed;
    int target;
    Machine machine;
    Options options;
    int64_t n[RUNS];
    bool whole, any_algorithm; /* any that can do a convolution, not the best one */
} Config;

typedef enum Verdict { NET_GOOD, NET_WRONG, NET_REFUSED } Verdict;

/* ---- targets ---------------------------------------------------------------------------------------------------- */

static const char *const target_names[] = {"native", "native", "x86-64-v3", "x86-64-v2"};
enum { N_TARGETS = ARRAY_LEN(target_names) };
static const Machine *targets[N_TARGETS];

static void find_targets(Arena *a) {
    bool runs[N_TARGETS] = {true, true};
#if defined(__x86_64__)
    runs[2] = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    runs[3] = __builtin_cpu_supports("sse4.2");
#endif
    const char *error = "";
    for (int i = 0; i < N_TARGETS; i++)
        if (runs[i]) targets[i] = target_machine(a, target_names[i], &error);
    for (int i = 0; i < N_TARGETS; i++)
        if (!targets[i]) targets[i] = targets[0];
}

/* Small caches and few registers make the passes choose what they else choose for large layers. */
static void draw_config(Config *c, uint64_t seed) {
    static const int64_t cache[3][3] = {
        {8 << 10, 16 << 10, 32 << 10}, {64 << 10, 512 << 10, 2 << 20}, {1 << 20, 4 << 20, 32 << 20}};
    Gen g = {.state = ~seed};
    *c = (Config){.seed = seed, .target = gen_below(&g, N_TARGETS), .whole = seed % 3 == 0};
    c->machine = *targets[c->target];
    int32_t direct = gen_below(&g, 100) - (c->whole ? 60 : 0);
    c->options = (Options){.opt_level = gen_below(&g, 4), .max_batch = 32};
    c->options.batch = gen_chance(&g, 50) ? 0 : gen_from(&g, 1, 20);
    c->options.winograd = direct < 20 ? WINOGRAD_NEVER : direct < 65 ? WINOGRAD_ALWAYS : WINOGRAD_AUTO;
    for (int i = 0; i < 3; i++)
        if (gen_chance(&g, 50)) c->machine.cache_bytes[i] = cache[i][gen_below(&g, 3)];
    if (gen_chance(&g, 20)) c->machine.vector_registers = 16;
    c->any_algorithm = gen_chance(&g, c->whole ? 20 : 60);
    c->n[0] = gen_from(&g, 1, 5);
    c->n[1] = gen_from(&g, 1, 5);
#ifdef CNNC_TEST_BLAS
    if (gen_chance(&g, 30)) c->options.blas = BLAS_ALWAYS;
#endif
}

static void print_config(const Config *c) {
    static const char *const winograd_use[] = {
        [WINOGRAD_AUTO] = "auto", [WINOGRAD_NEVER] = "never", [WINOGRAD_ALWAYS] = "always"};
    const int64_t *cache = c->machine.cache_bytes;
    printf(
        "# net %llu: %s, -O%d, Winograd %s, caches %lld %lld %lld, %d registers, for %d, %lld then %lld pictures%s%s\n",
        (unsigned long long)c->seed, target_names[c->target], c->options.opt_level, winograd_use[c->options.winograd],
        (long long)cache[0], (long long)cache[1], (long long)cache[2], c->machine.vector_registers, c->options.batch,
        (long long)c->n[0], (long long)c->n[1], c->options.blas ? ", OpenBLAS" : "", c->whole ? ", whole numbers" : "");
}

/* ---- the reference ---------------------------------------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

/* Element i of an input or parameter. Weights are such that numbers stay of one size from layer to layer; whole ones
 * are mostly zero, so that sums stay small. */
static double leaf(const Config *c, const Node *n, int64_t i) {
    uint64_t seed = lab_seed_of(n) + c->seed * 1000003;
    double u = lab_uniform(seed, (uint64_t)i), fan_in = 0;
    if (n->op == OP_param && n->type.rank > 1) fan_in = (double)type_elements(&n->type) / n->type.dim[0];
    if (c->whole && fan_in > 0) return lab_uniform(seed + 1, (uint64_t)i) < 12 / fan_in ? floor(5 * u) - 2 : 0;
    if (n->name && ends_with(n->name, "running_var")) return (double)(float)(0.5 + u);
    if (n->op == OP_param && n->attr.param.init == INIT_CONSTANT && n->attr.param.a == 1)
        u = u < 0.5 ? u / 2 : (1 + u) / 2; /* far from 0 */
    if (c->whole) return floor(7 * u) - 3;
    return (double)(float)((2 * u - 1) * (fan_in > 0 ? sqrt(6 / fan_in) : 1));
}

/* The net as written, but dropout, which does nothing when nobody trains. */
static Graph *written(Arena *a, const Graph *net) {
    Graph *g = graph_clone(a, net);
    for (Ref r = 1; r < (Ref)g->n_node; r++)
        if (graph_node(g, r)->op == OP_dropout) graph_replace(g, r, graph_node(g, r)->in[0]);
    graph_compact(g, a);
    return g;
}

static RefRun *reference(Arena *a, const Config *c, const Graph *g, int64_t n) {
    RefRun *r = ref_new(a, g, n, true);
    for (Ref x = 1; x < (Ref)g->n_node; x++) {
        const Node *node = graph_node(g, x);
        if (!bound_leaf(node->op)) continue;
        for (int64_t i = 0; i < ref_count(r, x); i++) ref_set(r, x, i, leaf(c, node, i));
    }
    ref_run(r);
    return r;
}

static bool is_conv(const Node *n) { return n->op == OP_conv || n->op == OP_conv_dgrad; }

/* Which convolutions of g the compiler does by Winograd's algorithm: its nodes keep the layer's name. */
static const bool *winograd_layers(Arena *a, const Graph *g, const Graph *compiled) {
    bool *found = NEW_ARRAY(a, bool, g->n_node);
    for (Ref r = 1; r < (Ref)compiled->n_node; r++) {
        const Node *n = graph_node(compiled, r);
        if (strncmp(op_info[n->op].name, "winograd", 8) != 0) continue;
        for (Ref x = 1; x < (Ref)g->n_node; x++)
            if (is_conv(graph_node(g, x)) && graph_node(g, x)->name == n->name) found[x] = true;
        shared->winograd += n->op == OP_winograd_output;
    }
    return found;
}

/* ---- running ---------------------------------------------------------------------------------------------------- */

/* A program's memory: its regions, and the threads' scratch as one more. Each ends at a page that nobody may touch, and
 * begins behind one. What nobody wrote reads as NaN. */
typedef struct Memory {
    ProgramRun run;
    int64_t scratch_bytes; /* of a thread */
    char *map[REGION_COUNT + 1];
    size_t bytes[REGION_COUNT + 1];
} Memory;

static char *memory_map(Memory *m, int region, int64_t bytes) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = (size_t)round_up(bytes, (int64_t)page);
    m->bytes[region] = size + 2 * page;
    m->map[region] = mmap(NULL, m->bytes[region], PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (m->map[region] == MAP_FAILED || (size && mprotect(m->map[region] + page, size, PROT_READ | PROT_WRITE)))
        ice("no memory for a test");
    return memset(m->map[region] + page + size - round_up(bytes, 64), 0xff, (size_t)round_up(bytes, 64));
}

static Memory memory_new(Program *p, int64_t most, int threads) {
    Memory m = {.run = {.p = p, .n = most}};
    for (int r = 0; r < REGION_COUNT; r++) {
        bool input = r == REGION_IMAGE || r == REGION_LABEL || r == REGION_SCALAR;
        int64_t bytes =
            input ? lab_place_inputs(p, (Region)r, most) : p->region_bytes[r] * (r == REGION_BATCH ? most : 1);
        m.run.base[r] = memory_map(&m, r, bytes);
        if (r == REGION_PARAM) memset(m.run.base[r], 0, (size_t)bytes);
    }
    for (int32_t i = 0; i < p->n_kernel; i++)
        m.scratch_bytes = max_i64(m.scratch_bytes, kernel_scratch(p->kernel[i], p->kernel[i]->n_buf));
    m.scratch_bytes = round_up(m.scratch_bytes, 64);
    m.run.scratch = memory_map(&m, REGION_COUNT, m.scratch_bytes * threads);
    return m;
}

static void memory_free(Memory *m) {
    for (int r = 0; r <= REGION_COUNT; r++) munmap(m->map[r], m->bytes[r]);
}

static void set_leaves(const Config *c, const ProgramRun *run, Op op) {
    for (int32_t s = 0; s < run->p->n_storage; s++) {
        const Storage *at = &run->p->storage[s];
        const Node *n = at->ref ? graph_node(run->p->graph, at->ref) : NULL;
        if (!n || n->op != op) continue;
        int64_t count = type_elements(&at->type) * (type_batched(&at->type) ? run->n : 1);
        for (int64_t i = 0; i < count; i++) {
            double x = leaf(c, n, i);
            lab_element(run, s, i, &x);
        }
    }
}

/* Inputs or parameters in their region of `bytes`; made once, then copied. */
static void load_leaves(Arena *a, const Config *c, const ProgramRun *run, Op op, int64_t bytes, char **copy) {
    char *base = run->base[op == OP_param ? REGION_PARAM : REGION_IMAGE];
    if (*copy) {
        memcpy(base, *copy, (size_t)bytes);
        return;
    }
    set_leaves(c, run, op);
    *copy = memcpy(arena_alloc(a, (size_t)bytes), base, (size_t)bytes);
}

/* Bytes from picture to picture in what the slices of a step have in places of their own. */
static int64_t slice_stride(const Storage *s) {
    bool moves = s->region == REGION_IMAGE || (s->region == REGION_BATCH && !s->sliced);
    return moves ? type_stored(&s->type) * dtype_bytes[s->type.dtype] : 0;
}

static PoolWork work_of(const Memory *m, Jit *jit, const Step *s, int64_t before, int64_t n) {
    const ProgramRun *r = &m->run;
    CnncKernel *kernel = (CnncKernel *)(uintptr_t)jit_kernel(jit, s->kernel);
    char **arg = calloc((size_t)s->n_arg + 1, sizeof *arg);
    for (int32_t k = 0; k < s->n_arg; k++)
        arg[k] = lab_address(r, s->arg[k]) + before * slice_stride(&r->p->storage[s->arg[k]]);
    return (PoolWork){kernel, (void *const *)arg, s->tasks * (s->tasks_batched ? n : 1)};
}

/* Steps from .. end - 1 for n pictures after the first `before`. Pool NULL: tasks one by one, the last first, and of
 * steps that may run along with each other the last first. */
static void run_steps(const Memory *m, Jit *jit, Pool *pool, int32_t from, int32_t end, int64_t before, int64_t n) {
    const Program *p = m->run.p;
    CnncRun call = {.n = n, .scratch = m->run.scratch, .scratch_bytes = m->scratch_bytes};
    for (int32_t i = from; i < end;) {
        PoolWork work[STEPS_ALONG];
        int works = 0;
        do work[works++] = work_of(m, jit, &p->step[i++], before, n);
        while (i < end && works < STEPS_ALONG && p->step[i].along);
        if (pool) pool_run_all(pool, work, works, &call);
        for (int w = works - 1; w >= 0 && !pool; w--)
            for (int64_t t = work[w].tasks - 1; t >= 0; t--) work[w].fn(work[w].arg, &call, t, t + 1);
        for (int w = 0; w < works; w++) free((void *)(uintptr_t)work[w].arg);
    }
}

/* As runtime/exec.c does. */
static void run_slices(const Memory *m, Jit *jit, Pool *pool) {
    const Program *p = m->run.p;
    int32_t begin = p->n_once;
    for (int32_t i = 0; i < p->n_slice; begin = p->slice[i++].end) {
        int64_t most = p->slice[i].pictures ? p->slice[i].pictures * (pool ? pool_size(pool) : 1) : m->run.n;
        for (int64_t before = 0; before < m->run.n; before += most)
            run_steps(m, jit, pool, begin, p->slice[i].end, before, min_i64(most, m->run.n - before));
    }
    run_steps(m, jit, pool, begin, p->n_step, 0, m->run.n);
}

static uint64_t digest(const ProgramRun *run) {
    uint64_t sum = 0;
    for (int32_t o = 0; o < run->p->graph->n_output; o++) {
        int32_t s = run->p->storage_of[run->p->graph->output[o].ref];
        const Type *t = &run->p->storage[s].type;
        const unsigned char *byte = (const unsigned char *)lab_address(run, s);
        int64_t n = type_stored(t) * dtype_bytes[t->dtype] * (type_batched(t) ? run->n : 1);
        for (int64_t i = 0; i < n; i++) sum = (sum ^ byte[i]) * 0x100000001b3u;
    }
    return sum;
}

/* ---- one net ---------------------------------------------------------------------------------------------------- */

typedef struct Check {
    Arena *arena;
    const Config *config;
    const GenNet *net; /* NULL: from a file */
    const char *dump_after;
    Options options;
    Unit *unit;
    Graph *written;
    Jit *jit;
    const Bound *bound[RUNS];
    char *leaves[RUNS + 1]; /* the pictures of each run, then the parameters, as they are stored */
} Check;

static Pool *pools[N_THREAD_COUNTS];

/* As if that had been measured. */
static const TunedConvs *any_algorithms(const Check *c) {
    Gen g = {.state = c->config->seed};
    TunedConvs *t = NEW(c->arena, TunedConvs);
    for (Ref r = 1; r < (Ref)c->written->n_node; r++) {
        if (!is_conv(graph_node(c->written, r))) continue;
        ConvChoice choice[CONV_CHOICES];
        ConvProblem p = conv_problem(c->unit, c->written, r, c->options.batch > 0 ? c->options.batch : 1);
        int n = conv_choices(&p, c->options.winograd, choice), i = gen_below(&g, n);
        TunedConv conv = {.shape = conv_shape(&p), .tile = choice[i].tile, .band = choice[i].band};
        if (choice[i].cycles < 1e30) PUSH(c->arena, t->conv, t->n, t->cap, conv);
    }
    return t;
}

static bool build(Check *c, const char *path) {
    Unit *u = c->unit = NEW(c->arena, Unit);
    *u = (Unit){.arena = c->arena, .diags = diag_new(c->arena), .opt = &c->options, .machine = &c->config->machine};
    if (!frontend_build(u, path, NULL)) {
        diag_print(u->diags);
        return false;
    }
    c->written = written(c->arena, u->net);
    if (c->config->any_algorithm) c->options.tuned = any_algorithms(c);
    return true;
}

/* The generator works shapes out by itself. */
static bool same_shapes(const Check *c) {
    for (int32_t i = 0; c->net && i < c->net->n; i++) {
        if (!c->net->value[i].output || c->net->value[i].shape.rank == 0) continue;
        const GenShape *want = &c->net->value[i].shape;
        const Type *t = &graph_node(c->written, graph_find_output(c->written, name_format("o%d", i)))->type;
        if (t->rank == want->rank && t->dim[1] == want->c && type_height(t) == want->h && type_width(t) == want->w)
            continue;
        printf("v%d should be %dx%dx%d, but is %s\n", i, want->c, want->h, want->w, type_shape_text(c->arena, t));
        return false;
    }
    return true;
}

/* Slices of any size, which begin where a root does, in place of the model's. */
static Gen slice_gen;

static void any_slices(Unit *u, Entry entry) {
    Program *p = u->program[entry];
    if (entry != ENTRY_INFER) return;
    p->slice = NEW_ARRAY(u->arena, Slice, p->n_step + 1);
    bool never = false;
    for (int32_t i = p->n_once + 1; i <= p->n_step; i++) {
        never = never || slice_never(p, &p->step[i - 1]);
        if (i < p->n_step && (p->step[i].root == p->step[i - 1].root || gen_below(&slice_gen, 3))) continue;
        p->slice[p->n_slice++] = (Slice){i, never ? 0 : gen_below(&slice_gen, 4)};
        never = false;
    }
}

static bool run_passes(Check *c, const PassOptions *o) {
    Pass *table = NEW_ARRAY(c->arena, Pass, n_passes);
    slice_gen = (Gen){.state = c->config->seed};
    for (int i = 0; i < n_passes; i++) {
        table[i] = pass_table[i];
        if (table[i].run == pass_slice) table[i].run = any_slices;
    }
    return pipeline_run_table(c->unit, o, table, n_passes);
}

static bool compile(Check *c) {
    PassOptions options = {.dump_after = &c->dump_after, .n_dump_after = c->dump_after != NULL, .dump = stdout};
    const char *error = "";
    if (!run_passes(c, &options)) {
        diag_print(c->unit->diags);
        return false;
    }
    const Program *p = c->unit->program[ENTRY_INFER];
    c->jit = jit_new(&c->config->machine, c->config->options.opt_level, p->kernel, p->n_kernel, &error);
    if (!c->jit) printf("%s\n", error);
    return c->jit != NULL;
}

static bool find_bounds(Check *c) {
    const bool *winograd = winograd_layers(c->arena, c->written, c->unit->graph[ENTRY_INFER]);
    for (int i = 0; i < RUNS; i++) {
        Op missing;
        const RefRun *r = reference(c->arena, c->config, c->written, c->config->n[i]);
        c->bound[i] = bound_new(c->arena, r, winograd, c->config->whole, c->unit->half_weights, &missing);
        if (missing == OP_none) continue;
        printf("net_bound.h has no rule for `%s`\n", op_info[missing].name);
        return false;
    }
    return true;
}

static void note_worst(double x) {
    double old = shared->worst;
    while (x > old && !atomic_compare_exchange_weak(&shared->worst, &old, x)) continue;
}

/* The largest number of a result and of those that it was made of element by element, or by a softmax: relu6 and
 * softmax hide how large they were, and what they are off by they pass on. */
static double largest_at(const Bound *b, Ref ref) {
    const Node *n = graph_node(b->run->graph, ref);
    double largest = bound_largest(b->run->value[ref], ref_count(b->run, ref));
    return op_info[n->op].elementwise || n->op == OP_softmax ? fmax(largest, largest_at(b, n->in[0])) : largest;
}

/* Nets come within 1e-5 + 1e-4 of their largest number, whatever roundings could do, unless weights are rounded. */
static bool right_output(const Check *c, const ProgramRun *run, const Bound *b, int32_t output) {
    const Output *o = &run->p->graph->output[output];
    Ref ref = graph_find_output(c->written, o->name);
    int32_t storage = run->p->storage_of[o->ref];
    double most = c->unit->half_weights ? INFINITY : 1e-5 + 1e-4 * largest_at(b, ref);
    for (int64_t i = 0; i < ref_count(b->run, ref); i++) {
        double want = ref_get(b->run, ref, i), got = lab_element(run, storage, i, NULL);
        double limit = fmin(b->err[ref][i], most), off = fabs(want - got);
        if (off > 0) note_worst(off / limit);
        if (isfinite(want) && off <= limit) continue;
        printf("%s[%lld] of %lld is %.9g, should be %.9g with an error of at most %.3g\n", o->name, (long long)i,
               (long long)ref_count(b->run, ref), got, want, limit);
        return false;
    }
    shared->outputs++;
    shared->exact += b->unit[ref] > 0;
    return true;
}

static bool right_outputs(const Check *c, const ProgramRun *run, const Bound *b) {
    bool good = run->p->graph->n_output == c->written->n_output;
    if (!good) printf("%d outputs of %d\n", run->p->graph->n_output, c->written->n_output);
    for (int32_t o = 0; o < run->p->graph->n_output && good; o++) {
        const Output *out = &run->p->graph->output[o];
        good = right_output(c, run, b, o) && lab_zero_elsewhere(run, run->p->storage_of[out->ref], out->name);
    }
    return good;
}

/* Both numbers of pictures in the same memory, which holds NaN before. sums: of the first number of threads. */
static bool run_with(Check *c, Pool *pool, bool compare, uint64_t *sums) {
    const int64_t *n = c->config->n;
    Program *p = c->unit->program[ENTRY_INFER];
    Memory m = memory_new(p, max_i64(n[0], n[1]), pool ? pool_size(pool) : 1);
    bool good = true;
    load_leaves(c->arena, c->config, &m.run, OP_param, p->region_bytes[REGION_PARAM], &c->leaves[RUNS]);
    for (int i = 0; i < RUNS && good; i++) {
        m.run.n = n[i];
        load_leaves(c->arena, c->config, &m.run, OP_input, lab_place_inputs(p, REGION_IMAGE, n[i]), &c->leaves[i]);
        if (i == 0) run_steps(&m, c->jit, pool, 0, p->n_once, 0, n[i]);
        run_slices(&m, c->jit, pool);
        uint64_t sum = digest(&m.run);
        if (compare) good = right_outputs(c, &m.run, c->bound[i]);
        if (compare) sums[i] = sum;
        if (sum == sums[i]) continue;
        printf("other bits with %d threads\n", pool ? pool_size(pool) : 0);
        good = false;
    }
    memory_free(&m);
    return good;
}

static bool run_all(Check *c) {
    uint64_t sums[RUNS] = {0};
    bool good = true;
    for (int t = 0; t < N_THREAD_COUNTS && good; t++) good = run_with(c, pools[t], t == 0, sums);
    return good && run_with(c, NULL, false, sums);
}

static Verdict check_file(const GenNet *net, const Config *config, const char *path, const char *dump_after) {
    Check c = {
        .arena = arena_new(), .config = config, .options = config->options, .net = net, .dump_after = dump_after};
    Verdict v = NET_REFUSED;
    ice_context("net", arena_printf(c.arena, "%llu", (unsigned long long)config->seed));
    if (build(&c, path)) v = same_shapes(&c) && compile(&c) && find_bounds(&c) && run_all(&c) ? NET_GOOD : NET_WRONG;
    if (c.jit) jit_free(c.jit);
    arena_free(c.arena);
    return v;
}

static void print_net(const GenNet *net) {
    Arena *a = arena_new();
    Str text = STR(a);
    gen_print(&text, net);
    fputs(str_text(&text), stdout);
    arena_free(a);
}

/* A file without a name goes with its process, even one that crashes. */
static Verdict check_text(const GenNet *net, const char *text, const Config *config) {
    Arena *a = arena_new();
    size_t n = strlen(text);
    int fd = memfd_create("random.net", MFD_CLOEXEC);
    if (fd < 0 || write(fd, text, n) != (ssize_t)n) ice("no memory for a net");
    Verdict v = check_file(net, config, arena_printf(a, "/proc/self/fd/%d", fd), NULL);
    close(fd);
    arena_free(a);
    return v;
}

static Verdict check_net(const GenNet *net, const Config *config) {
    Arena *a = arena_new();
    Str text = STR(a);
    gen_print(&text, net);
    Verdict v = check_text(net, str_text(&text), config);
    arena_free(a);
    return v;
}

static void open_pools(void) {
    for (int t = 0; t < N_THREAD_COUNTS; t++)
        if (!pools[t] && !(pools[t] = pool_new(thread_counts[t], NULL))) ice("no threads for a test");
}

/* ---- what fails ------------------------------------------------------------------------------------------------- */

/* In a process of its own. */
static Verdict check_apart(const GenNet *net, const char *text, const Config *c, bool silent) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(SECONDS);
        if (silent && (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))) _exit(NET_REFUSED);
        open_pools();
        Verdict v = net ? check_net(net, c) : check_text(NULL, text, c);
        fflush(NULL);
        _exit((int)v);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) return NET_REFUSED;
    if (!WIFEXITED(status)) return NET_WRONG;
    return WEXITSTATUS(status) == NET_GOOD ? NET_GOOD : WEXITSTATUS(status) == NET_REFUSED ? NET_REFUSED : NET_WRONG;
}

/* Being refused is no failure: most changes make no net. */
static bool still_fails(const GenNet *net, const Config *c) { return check_apart(net, NULL, c, true) == NET_WRONG; }

/* All targets, all levels, whole numbers and others. */
static bool check_known(void) {
    enum { CONFIGS = 12 };
    bool good = true;
    for (int i = 0; i < ARRAY_LEN(known_nets); i++) {
        Arena *a = arena_new();
        const char *text = arena_printf(a, "cnnc 1\ninput x {\n    size = %s\n}\nnet known(x) {\n    %s\n}\n",
                                        known_nets[i].size, known_nets[i].body);
        for (int seed = 0; seed < CONFIGS; seed++) {
            Config c;
            draw_config(&c, (uint64_t)seed);
            if (check_apart(NULL, text, &c, false) == NET_GOOD) continue;
            printf("FAIL known net: %s, as ", known_nets[i].what);
            print_config(&c);
            good = false;
        }
        arena_free(a);
    }
    return good;
}

static void shrink(GenNet *net, Config *c) {
    enum { MOST_TRIES = 300 };
    int32_t k = 0;
    Config single = *c;
    single.n[0] = single.n[1] = 1;
    if (still_fails(net, &single)) *c = single;
    for (int tries = 0; tries < MOST_TRIES; k++) {
        GenNet smaller = *net;
        int change = shrink_change(&smaller, k);
        if (change == 0) break;
        if (change < 0) continue;
        tries++;
        for (int32_t i = 0; i < smaller.n; i++) smaller.value[i].shape.rank = 0; /* no longer known */
        smaller.value[0].shape = net->value[0].shape.rank ? smaller.value[0].shape : net->value[0].shape;
        if (!still_fails(&smaller, c)) continue;
        *net = smaller;
        k = -1;
    }
}

static void show_failure(int seed) {
    Config c;
    GenNet net;
    draw_config(&c, (uint64_t)seed);
    gen_net(&net, c.seed, c.whole);
    printf("---- ");
    print_config(&c);
    print_net(&net);
    if (!still_fails(&net, &c)) {
        printf("It does not fail again, or the front end refuses it.\n");
        return;
    }
    shrink(&net, &c);
    printf("---- smaller: ");
    print_config(&c);
    print_net(&net);
}

/* ---- all nets --------------------------------------------------------------------------------------------------- */

static void note_failure(int seed) {
    int i = shared->n_failed++;
    if (i < MAX_FAILED) shared->failed[i] = seed;
}

static void work(int me, int end) {
    open_pools();
    for (int seed; (seed = shared->next++) < end;) {
        Config c;
        GenNet net;
        shared->busy[me] = seed;
        draw_config(&c, (uint64_t)seed);
        gen_net(&net, c.seed, c.whole);
        alarm(SECONDS);
        if (check_net(&net, &c) == NET_GOOD) continue;
        printf("FAIL net %d\n", seed);
        fflush(NULL);
        note_failure(seed);
    }
    shared->busy[me] = -1;
}

static pid_t start_worker(int me, int end) {
    fflush(NULL);
    pid_t child = fork();
    if (child != 0) return child;
    work(me, end);
    fflush(NULL);
    _exit(0);
}

/* A worker that dies has failed with the net it was at; another takes its place. */
static void run_workers(int n, int end) {
    pid_t worker[MAX_WORKERS];
    for (int i = 0; i < n; i++) worker[i] = start_worker(i, end);
    for (int alive = n; alive > 0;) {
        int status, i = 0;
        pid_t dead = wait(&status);
        if (dead < 0) ice("a worker cannot be made");
        while (i < n && worker[i] != dead) i++;
        if (i == n) continue;
        alive--;
        if (shared->busy[i] < 0) continue;
        printf("FAIL net %d: the compiler or its code died (%s %d)\n", shared->busy[i],
               WIFSIGNALED(status) ? "signal" : "exit status",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        note_failure(shared->busy[i]);
        worker[i] = start_worker(i, end);
        alive++;
    }
}

/* ---- the generator itself --------------------------------------------------------------------------------------- */

/* Can b read what a (NULL: the picture) gives? */
static bool legal(const GenRule *a, const GenRule *b) {
    bool vector = a && ((a->flags & GEN_VECTOR) || a->rank == 2), plane = !a || a->rank == 4;
    return !(vector && b->rank == 4) && !(plane && b->rank == 2);
}

/* How many nets have each ordered pair of layers; false if one that is legal is in fewer than `least`. */
static bool covers_pairs(int first, int end, int least) {
    static int nets[N_GEN_RULES + 1][N_GEN_RULES];
    int fewest = end - first;
    for (int seed = first; seed < end; seed++) {
        bool has[N_GEN_RULES + 1][N_GEN_RULES] = {{false}};
        GenNet net;
        gen_net(&net, (uint64_t)seed, seed % 3 == 0);
        for (int32_t i = 1; i < net.n; i++)
            for (int32_t k = 0; k < net.value[i].n_in; k++) {
                const char *from = net.value[net.value[i].in[k]].layer;
                has[from ? gen_rule(from) - gen_rules : N_GEN_RULES][gen_rule(net.value[i].layer) - gen_rules] = true;
            }
        for (int i = 0; i <= N_GEN_RULES; i++)
            for (int k = 0; k < N_GEN_RULES; k++) nets[i][k] += has[i][k];
    }
    for (int i = 0; i <= N_GEN_RULES; i++)
        for (int k = 0; k < N_GEN_RULES; k++) {
            const GenRule *from = i < N_GEN_RULES ? &gen_rules[i] : NULL;
            if (!legal(from, &gen_rules[k])) continue;
            if (nets[i][k] < fewest) fewest = nets[i][k];
            if (nets[i][k] < least)
                printf("FAIL %s -> %s is in %d nets\n", from ? from->layer : "picture", gen_rules[k].layer, nets[i][k]);
        }
    printf("every legal pair of layers is in %d nets or more\n", fewest);
    return fewest >= least;
}

/* ONE ROW PER LAYER here, too. */
static bool has_all_layers(void) {
    static const char *const names[] = {
#define LAYER(id, text) #id,
#include "frontend/layers.def"
#undef LAYER
    };
    bool good = true;
    for (int i = 0; i < ARRAY_LEN(names); i++) {
        if (gen_rule(names[i])) continue;
        printf("FAIL net_gen.h has no row for `%s`\n", names[i]);
        good = false;
    }
    return good;
}

static int number(const char *text, int otherwise) {
    char *end;
    long n = text ? strtol(text, &end, 10) : otherwise;
    return n >= 0 && n <= INT32_MAX / 2 ? (int)n : otherwise;
}

static int run_one(int argc, char **argv) {
    Config c;
    GenNet net;
    draw_config(&c, (uint64_t)number(argv[2], 0));
    gen_net(&net, c.seed, c.whole);
    open_pools();
    print_config(&c);
    if (argc <= 3) print_net(&net);
    Verdict v = argc > 3 ? check_file(NULL, &c, argv[3], argc > 4 ? argv[4] : NULL) : check_net(&net, &c);
    printf("%s\n", v == NET_GOOD ? "good" : v == NET_WRONG ? "WRONG" : "refused");
    return v != NET_GOOD;
}

int main(int argc, char **argv) {
    Arena *a = arena_new();
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) return 1;
    find_targets(a);
    if (argc > 2 && !strcmp(argv[1], "one")) return run_one(argc, argv);
    int count = number(argc > 1 ? argv[1] : getenv("CNNC_TEST_NETS"), CI_NETS);
    int first = argc > 2 ? number(argv[2], 0) : 0, end = first + count;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    shared->next = first;
    bool good = has_all_layers();
    good = check_known() && good;
    good = covers_pairs(first, end, count >= CI_NETS ? PAIRS_EACH : 0) && good;
    run_workers((int)min_i64(max_i64(cores, 1), MAX_WORKERS), end);
    printf("%d nets, %d failed; %ld outputs, %ld of them whole numbers that must be equal, %ld layers by Winograd; "
           "largest error "
           "%.3g of its bound\n",
           count, shared->n_failed, shared->outputs, shared->exact, shared->winograd, shared->worst);
    for (int i = 0; i < shared->n_failed && i < SHOWN; i++) show_failure(shared->failed[i]);
    arena_free(a);
    return !good || shared->n_failed > 0;
}
