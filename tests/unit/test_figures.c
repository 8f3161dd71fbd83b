/* The figures of nets without code are those of compiled ones: of every example, for processors with 16, 8 and 4 lanes,
 * the memory is what the plan of all passes gives; and a figure from the cache is the figure. */
#include <CUnit/Basic.h>
#include <glob.h>
#include <stdio.h>

#include "../../backends/target.h"
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

static void compare(const char *path, const Machine *machine) {
    Arena *a = arena_new();
    Unit *u = build(a, path, machine);
    FigureCache *cache = figure_cache_new(a);
    Figures alone, first, again;
    figures_of(u, NULL, &alone);
    figures_of(u, cache, &first);
    figures_of(u, cache, &again);
    u->train = (TrainConfig){0};
    PassOptions o = {0};
    CU_ASSERT(pipeline_run(u, &o));
    Memory plan = figures_memory(a, u->program[ENTRY_INFER]);
    int64_t planned = memory_for(&plan, 1);
    CU_ASSERT_EQUAL(memory_for(&alone.memory, 1), planned);
    CU_ASSERT_EQUAL(memory_for(&first.memory, 1), planned);
    CU_ASSERT_EQUAL(memory_for(&again.memory, 1), planned);
    const int64_t *region = u->program[ENTRY_INFER]->region_bytes, work = region[REGION_FIXED] + region[REGION_BATCH];
    CU_ASSERT(planned >= work && planned <= work + region[REGION_PARAM]);
    CU_ASSERT(planned >= alone.parameters * 4 / 2);   /* half of the bytes of the weights: they may be fp16 */
    if (memory_for(&alone.memory, 1) != planned)
        fprintf(stderr, "%s on %s: %lld, planned %lld\n", path, machine->cpu, (long long)memory_for(&alone.memory, 1), (long long)planned);
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
