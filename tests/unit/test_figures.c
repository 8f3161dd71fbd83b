/* The figures of nets without code are those of compiled ones: of every example, for processors with 16, 8 and 4 lanes,
 * the memory is what the plan of all passes gives; and a figure from the cache is the figure. */
#include <CUnit/Basic.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "../../backends/target.h"
#include "../../frontend/footprint.h"
#include "../../frontend/frontend.h"
#include "../../passes/figures.h"
#include "../../passes/pass.h"

static const Options options = {.opt_level = 2, .max_batch = 256};

static Unit *build(Arena *a, const char *path, const Machine *machine) {
    Unit *u = NEW(a, Unit);
    *u = (Unit){.arena = a, .diags = diag_new(a), .opt = &options, .machine = machine};
    bool good = frontend_build(u, path, NULL);
    if (!good) diag_print(u->diags);
    CU_ASSERT_FATAL(good);
    return u;
}

/* Whether layers have parameters that only training knows. */
static bool trained_apart(const Graph *g) {
    for (int32_t i = 0; i < g->n_output; i++)
        if (g->output[i].only == ONLY_TRAIN) return true;
    return false;
}

static bool same(const Memory *a, const Memory *b) { return !memcmp(a, b, sizeof *a); }

static void compare(const char *path, const Machine *machine) {
    Arena *a = arena_new();
    Unit *u = build(a, path, machine);
    FigureCache *cache = figure_cache_new(a);
    Figures alone, first, again;
    figures_of(u, NULL, &alone);
    figures_of(u, cache, &first);
    figures_of(u, cache, &again);
    if (!trained_apart(u->net)) u->train = (TrainConfig){0}; /* training takes time to plan and matters to none of the others */
    PassOptions o = {0};
    CU_ASSERT(pipeline_run(u, &o));
    Memory plan = figures_memory(u, u->program[ENTRY_INFER]);
    CU_ASSERT(same(&alone.memory, &plan));
    CU_ASSERT(same(&first.memory, &plan));
    CU_ASSERT(same(&again.memory, &plan));
    int64_t planned = footprint(&plan, 1), work = plan.param + plan.fixed + plan.picture;
    CU_ASSERT(planned >= work - plan.released && planned <= work + plan.once + (64 << 20));
    CU_ASSERT(planned >= alone.parameters * 4 / 2);   /* half of the bytes of the weights: they may be fp16 */
    if (!same(&alone.memory, &plan))
        fprintf(stderr, "%s on %s: %lld, planned %lld\n", path, machine->cpu, (long long)footprint(&alone.memory, 1),
                (long long)planned);
    arena_free(a);
}

static void test_examples(void) {
    Arena *a = arena_new();
    glob_t files = {0};
    Targets targets;
    const char *error;
    CU_ASSERT_FATAL(!glob("examples/*.net", 0, NULL, &files));
    CU_ASSERT_FATAL(target_list(a, "x86-64-v2,x86-64-v3,x86-64-v4", &targets, &error));
    for (size_t i = 0; i < files.gl_pathc; i++)
        for (int t = 0; t < targets.n; t++) compare(files.gl_pathv[i], targets.machine[t]);
    globfree(&files);
    arena_free(a);
}

int main(void) {
    if (CU_initialize_registry()) return 70;
    CU_pSuite suite = CU_add_suite("figures", NULL, NULL);
    CU_add_test(suite, "examples", test_examples);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed != 0;
}
