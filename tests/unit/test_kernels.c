/* Every operator of ir/ops.def, fused chains and whole small nets: what the passes and the code generator make of them
 * against the double interpreter of graphs, for targets of 16, 8 and 4 lanes.
 *
 * Sums of products must come within their rounding error bound of the true value (lab_limit), and be exact on small
 * whole numbers; everything else within 1e-5 of the largest number of the tensor. An argument runs what its text
 * begins. One process a core shares the cases out. */
#include <CUnit/Basic.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel_chains.h"
#include "kernel_lab.h"
#include "kernel_nets.h"

enum { MIN_CASES = 10, MAX_WANTS = 3 };
static const double tolerance = 1e-5;
static const char *only = "";
static Options options = {.opt_level = 2, .max_batch = 32};

typedef struct Target {
    const char *name;
    bool runs; /* this processor can */
    const Machine *machine;
} Target;
static Target targets[] = {{"native", true, NULL}, {"x86-64-v3", false, NULL}, {"x86-64-v2", false, NULL}};
enum { N_TARGETS = ARRAY_LEN(targets) };
static const int opt_levels[] = {0, 2, 3};
enum { N_LEVELS = ARRAY_LEN(opt_levels) };

/* The same processor with another second-level cache: with hardly any everything streams. */
static const Machine *with_cache(Arena *a, const Machine *m, int64_t bytes) {
    Machine *small = NEW(a, Machine);
    *small = *m;
    small->cache_bytes[1] = bytes;
    return small;
}

static void find_targets(Arena *a) {
#if defined(__x86_64__)
    targets[1].runs = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    targets[2].runs = __builtin_cpu_supports("sse4.2");
#endif
    for (int i = 0; i < N_TARGETS; i++) {
        const char *error = "this processor cannot run it";
        if (targets[i].runs) targets[i].machine = target_machine(a, targets[i].name, &error);
        if (!targets[i].machine)
            printf("skipped: %s: %s\n", targets[i].name, error);
        else
            printf("%s: %d lanes\n", targets[i].name, targets[i].machine->vector_lanes);
    }
    static const int64_t cache[N_TARGETS] = {0, 64, 1 << 13}; /* with the last, long rows of weights are cut */
    for (int i = 1; i < N_TARGETS; i++)
        if (targets[i].machine) targets[i].machine = with_cache(a, targets[i].machine, cache[i]);
}

/* The first case that no process has taken. */
static atomic_int *untaken;

/* All processes walk through the same cases; true where the next one falls to this process. */
static bool falls_to_me(void) {
    static int at, taken = -1;
    if (taken < 0) taken = atomic_fetch_add(untaken, 1);
    if (at++ != taken) return false;
    taken = -1;
    return true;
}

static bool chosen(const char *what) { return strncmp(what, only, strlen(only)) == 0; }

static Unit *new_unit(Arena *a, const Machine *m) {
    Unit *u = NEW(a, Unit);
    *u = (Unit){.arena = a, .diags = diag_new(a), .opt = &options, .machine = m, .name = name_of("lab")};
    return u;
}

/* ---- graphs through the passes from layout on ------------------------------------------------------------------- */

static bool stage(Unit *u, const char *name, const Want *w) {
    uint64_t digest = 0;
    ice_context(name, w->trial->what);
    bool good = lab_verify(u->arena, u->program[0]) && lab_run(w, lab_planned(u, ENTRY_INFER), NULL, 1, &digest);
    if (!good) printf("\n  %s, %s, after %s ", w->trial->what, u->machine->cpu, name);
    return good;
}

/* Compiled at n_levels of opt_levels, from number `level` on. */
static bool check_on(const Trial *t, const Machine *m, int level, int n_levels, const Want *want, int n_want) {
    Arena *a = arena_new();
    Unit *u = new_unit(a, m);
    u->graph[ENTRY_INFER] = graph_clone(a, t->g);
    ice_context("layout and fuse", t->what);
    pass_layout(u, ENTRY_INFER);
    graph_compact(u->graph[ENTRY_INFER], a);
    pass_fuse(u, ENTRY_INFER);
    graph_compact(u->graph[ENTRY_INFER], a);
    const char *broken = graph_verify(a, u->graph[ENTRY_INFER]);
    if (broken) printf("\n  %s: %s", t->what, broken);
    bool good = !broken;
    if (good) pass_lower(u, ENTRY_INFER);
    good = good && stage(u, "lower", &want[0]);
    if (good) pass_tile(u, ENTRY_INFER);
    good = good && stage(u, "tile", &want[0]);
    if (good) pass_vectorise(u, ENTRY_INFER), pass_parallel(u, ENTRY_INFER), pass_prefetch(u, ENTRY_INFER);
    good = good && stage(u, "parallel", &want[0]);
    for (int i = 0; i < n_levels && good; i++) {
        int opt_level = opt_levels[(level + i) % N_LEVELS];
        good = lab_run_compiled(want, n_want, lab_planned(u, ENTRY_INFER), m, opt_level);
        if (!good) printf("\n  %s, %s, compiled at -O%d ", t->what, m->cpu, opt_level);
    }
    arena_free(a);
    return good;
}

/* On all targets: at every level of optimisation for this processor, at one for the others, which over the cases of an
 * operator take all. Compiled code also runs for another number of pictures, and sums of products on whole numbers. */
static bool check(const Trial *t, int i) {
    Arena *a = arena_new();
    Trial other = *t;
    other.n = t->n == 1 ? 3 : 1;
    Want want[MAX_WANTS] = {lab_want(a, t, DATA_RANDOM), lab_want(a, &other, DATA_RANDOM)};
    int n_want = 2;
    if (t->contraction) want[n_want++] = lab_want(a, t, DATA_WHOLE);
    bool good = true;
    for (int k = 0; k < N_TARGETS; k++)
        if (targets[k].machine)
            good = check_on(t, targets[k].machine, i + k, k == 0 ? N_LEVELS : 1, want, n_want) && good;
    arena_free(a);
    return good;
}

static bool check_case(const char *what, Build *build, int i, bool contraction) {
    if (!falls_to_me()) return true;
    Arena *a = arena_new();
    Case c = {.g = graph_new(a, name_of("infer")), .n = 1};
    Ref y = build(&c, i);
    if (y) case_output(&c, y);
    Trial t = {.what = arena_printf(a, "%s, case %d", what, i),
               .g = c.g,
               .n = c.n,
               .steps = 1,
               .contraction = contraction,
               .tolerance = tolerance};
    bool good = check(&t, i);
    arena_free(a);
    return good;
}

static void test_operators(void) {
    for (int op = 1; op < OP_COUNT; op++) {
        const struct OpCases *o = &op_cases[op];
        if (o->n < MIN_CASES) printf("\n  %s has %d cases, needs %d ", op_info[op].name, o->n, MIN_CASES);
        CU_ASSERT(o->n >= MIN_CASES);
        for (int i = 0; i < o->n && chosen(op_info[op].name); i++)
            CU_ASSERT(check_case(op_info[op].name, o->build, i, o->contraction));
    }
}

static void test_chains(void) {
    for (int k = 0; k < ARRAY_LEN(chains); k++)
        for (int i = 0; i < chains[k].n && chosen(chains[k].name); i++)
            CU_ASSERT(check_case(chains[k].name, chains[k].build, i, false));
}

/* What is too large for the cache goes through several convolutions band by band. */
static void test_bands(void) {
    Arena *a = arena_new();
    Target kept[N_TARGETS];
    memcpy(kept, targets, sizeof kept);
    for (int k = 0; k < N_TARGETS; k++)
        if (kept[k].machine) targets[k].machine = with_cache(a, kept[k].machine, BAND_CACHE);
    for (int i = 0; i < N_BAND_SHAPES && chosen("bands"); i++) CU_ASSERT(check_case("bands", build_bands, i, false));
    for (int i = 0; i < N_POOL_BAND_SHAPES && chosen("bands"); i++)
        CU_ASSERT(check_case("bands that are pooled", build_pool_bands, i, false));
    for (int i = 0; i < 2 && chosen("bands"); i++) CU_ASSERT(check_case("bands in turn", build_band_series, i, false));
    memcpy(targets, kept, sizeof kept);
    arena_free(a);
}

/* ---- nets through the whole pipeline ---------------------------------------------------------------------------- */

static Unit *net_unit(Arena *a, const struct Net *net, const Machine *m) {
    Unit *u = new_unit(a, m);
    net_make(u, net);
    if (options.blas == BLAS_AUTO) u->train.batch = 256; /* then training takes it, and inference does not */
    return u;
}

/* The pipeline with the first n_kept of the passes that make loops fast. */
static void run_pipeline(Unit *u, int n_kept) {
    static const char *const fast[] = {"tile", "vectorise", "parallel"};
    PassOptions how = {.check_roundtrip = true};
    Pass *table = NEW_ARRAY(u->arena, Pass, n_passes);
    int n = 0;
    for (int i = 0; i < n_passes; i++) {
        bool kept = true;
        for (int k = n_kept; k < ARRAY_LEN(fast); k++) kept = kept && strcmp(pass_table[i].name, fast[k]) != 0;
        if (!kept) continue;
        table[n] = pass_table[i];
        if (n_kept < ARRAY_LEN(fast)) table[n].needs = 0;
        n++;
    }
    CU_ASSERT(pipeline_run_table(u, &how, table, n));
}

/* The double interpreter runs the graphs as they are before anything is ordered, laid out or fused: inference once,
 * training three steps, with what these make of the parameters. */
static void want_net(Arena *a, const struct Net *net, Trial *trial, Want *want) {
    PassOptions how = {.stop_after = "autodiff"};
    Unit *u = net_unit(a, net, NULL);
    CU_ASSERT(pipeline_run(u, &how));
    for (int e = 0; e < ENTRY_COUNT; e++) {
        trial[e] = (Trial){.what = arena_printf(a, "%s, %s", net->name, e == ENTRY_TRAIN ? "train" : "infer"),
                           .g = u->graph[e],
                           .n = NET_BATCH,
                           .steps = e == ENTRY_TRAIN ? 3 : 1,
                           .tolerance = tolerance};
        want[e] = lab_want(a, &trial[e], DATA_RANDOM);
    }
}

static bool net_stage(const struct Net *net, const Machine *m, int n_kept, const Want *want, int opt_level) {
    Arena *a = arena_new();
    Unit *u = net_unit(a, net, m);
    bool good = true;
    run_pipeline(u, n_kept);
    for (int e = 0; e < ENTRY_COUNT; e++) {
        uint64_t digest = 0;
        bool right = lab_run(&want[e], u->program[e], NULL, 1, &digest);
        if (right && opt_level >= 0) right = lab_run_compiled(&want[e], 1, u->program[e], m, opt_level);
        if (!right) printf("\n  %s, %s, %d fast passes, -O%d ", want[e].trial->what, m->cpu, n_kept, opt_level);
        good = good && right;
    }
    arena_free(a);
    return good;
}

static bool check_net(const struct Net *net) {
    if (!falls_to_me()) return true;
    Arena *a = arena_new();
    Trial trial[ENTRY_COUNT];
    Want want[ENTRY_COUNT];
    want_net(a, net, trial, want);
    bool good = true;
    for (int k = 0; k < N_TARGETS; k++) {
        const Machine *m = targets[k].machine;
        if (!m) continue;
        options.winograd = k ? WINOGRAD_ALWAYS : WINOGRAD_AUTO;
        good = net_stage(net, m, 0, want, -1) && good;
        if (k == 0) good = net_stage(net, m, 1, want, -1) && good;
        good = net_stage(net, m, 3, want, opt_levels[(net - nets + k) % N_LEVELS]) && good;
    }
    options.winograd = WINOGRAD_AUTO;
    arena_free(a);
    return good;
}

static void test_nets(void) {
    for (int i = 0; i < ARRAY_LEN(nets); i++)
        if (chosen(nets[i].name)) CU_ASSERT(check_net(&nets[i]));
}

/* ---- OpenBLAS --------------------------------------------------------------------------------------------------- */

/* Fully connected layers by OpenBLAS: in all programs, and where only training has it and inference copies the weights. */
static void test_blas(void) {
#ifdef CNNC_TEST_BLAS
    options.blas = BLAS_ALWAYS;
    for (int op = OP_fc; op <= OP_fc_wgrad; op++)
        for (int i = 0; i < op_cases[op].n && chosen("blas"); i++)
            CU_ASSERT(check_case(op_info[op].name, op_cases[op].build, i, true));
    for (int k = 0; k < ARRAY_LEN(chains); k++)
        for (int i = 0; i < chains[k].n && !strncmp(chains[k].name, "fc", 2) && chosen("blas"); i++)
            CU_ASSERT(check_case(chains[k].name, chains[k].build, i, false));
    for (int i = 0; i < ARRAY_LEN(nets) && chosen("blas"); i++) {
        options.blas = i % 2 ? BLAS_AUTO : BLAS_ALWAYS;
        CU_ASSERT(check_net(&nets[i]));
    }
    options.blas = BLAS_NEVER;
#else
    printf("skipped: libopenblas-dev is not installed ");
#endif
}

static int run(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("kernels", NULL, NULL);
    CU_add_test(suite, "every operator", test_operators);
    CU_add_test(suite, "fused chains", test_chains);
    CU_add_test(suite, "bands of several convolutions", test_bands);
    CU_add_test(suite, "nets: inference, three steps of training", test_nets);
    CU_add_test(suite, "fully connected layers by OpenBLAS", test_blas);
    CU_basic_run_tests();
    int failed = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed > 0;
}

int main(int argc, char **argv) {
    if (argc > 1) only = argv[1];
    untaken = mmap(NULL, sizeof *untaken, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (untaken == MAP_FAILED) return 1;
    int others = (int)sysconf(_SC_NPROCESSORS_ONLN) - 1, status;
    bool child = false;
    for (int i = 0; i < others && !child; i++) child = fork() == 0;
    Arena *a = arena_new();
    find_targets(a);
    int failed = run();
    arena_free(a);
    while (!child && wait(&status) > 0) failed |= status != 0;
    return failed;
}
