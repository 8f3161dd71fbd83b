/* Winograd's convolution: its matrices, that the phases compute the convolution, and how exactly. */
#include <CUnit/Basic.h>

#include "ir/winograd.h"
#include "lab.h"

enum { N_ALGORITHMS = 4 };
static const struct Algorithm {
    int32_t m, r;
} algorithms[N_ALGORITHMS] = {{2, 3}, {3, 3}, {4, 3}, {2, 5}};

/* For one dimension: the sum over j of at[i][j] g[j][t] bt[j][k] is 1 where input k meets tap t in output i = k - t. */
static void test_matrices(void) {
    for (int q = 0; q < N_ALGORITHMS; q++) {
        WinogradMatrices w;
        CU_ASSERT_FATAL(winograd_matrices(algorithms[q].m, algorithms[q].r, &w));
        for (int32_t i = 0; i < w.at.rows; i++)
            for (int32_t t = 0; t < w.g.cols; t++)
                for (int32_t k = 0; k < w.bt.cols; k++) {
                    double sum = 0;
                    for (int32_t j = 0; j < w.at.cols; j++) sum += w.at.at[i][j] * w.g.at[j][t] * w.bt.at[j][k];
                    CU_ASSERT_DOUBLE_EQUAL(sum, k == i + t, 1e-14);
                }
    }
    WinogradMatrices none;
    CU_ASSERT_FALSE(winograd_matrices(1, 3, &none) || winograd_matrices(3, 1, &none) || winograd_matrices(6, 3, &none));
}

/* y of the graph: the convolution, or the transposed one, by its phases or directly. */
static RefRun *run(Arena *a, struct Algorithm q, bool transposed, bool phases, bool in_double) {
    enum { IN = 64, OUT = 8, SIZE = 13 };
    Graph *g = graph_new(a, name_of("lab"));
    Ref x = lab_image(g, IN, SIZE, SIZE), y;
    Ref w = lab_param(g, name_of("w"), PARAM_WEIGHT, 4, (const int32_t[]){OUT, IN, q.r, q.r});
    int32_t above = q.r / 2, right = 1, cut = transposed ? 1 - q.r : q.r - 1;
    int32_t height = SIZE - cut + (transposed ? -above : above), width = SIZE - cut + (transposed ? -right : right);
    Attr direct = {.conv = {{q.r, q.r}, {1, 1}, {1, 1}, {above, 0, 0, right}, 1, 0, 0, 0}};
    Attr wino = {.winograd = {q.m, q.r, {above, 0}, {OUT, height, width}, 0, transposed}};
    if (transposed) {
        direct.conv.in_c = OUT, direct.conv.in_h = height, direct.conv.in_w = width;
        wino.winograd.pad[0] = q.r - 1 - above, wino.winograd.pad[1] = q.r - 1;
    }
    if (phases) {
        Ref u = graph_op1(g, OP_winograd_weight, w, &wino, w), v = graph_op1(g, OP_winograd_input, x, &wino, x);
        y = graph_op1(g, OP_winograd_output, graph_op2(g, OP_winograd_product, v, u, &wino, x), &wino, x);
    } else {
        y = graph_op2(g, transposed ? OP_conv_dgrad : OP_conv, x, w, &direct, x);
    }
    graph_output(g, name_of("y"), y, ONLY_BOTH);
    RefRun *r = ref_new(a, g, 2, in_double);
    lab_set_leaves(r, 1);
    ref_run(r);
    return r;
}

/* Largest difference of the outputs relative to the largest output. */
static double distance(const RefRun *a, const RefRun *b) {
    Ref x = a->graph->output[0].ref, y = b->graph->output[0].ref;
    double worst = 0, largest = 0;
    for (int64_t i = 0; i < ref_count(a, x); i++) {
        worst = fmax(worst, fabs(ref_get(a, x, i) - ref_get(b, y, i)));
        largest = fmax(largest, fabs(ref_get(b, y, i)));
    }
    return worst / largest;
}

static void check_phases(bool transposed) {
    Arena *a = arena_new();
    for (int q = 0; q < N_ALGORITHMS; q++) {
        RefRun *truth = run(a, algorithms[q], transposed, false, true);
        double exact = distance(run(a, algorithms[q], transposed, true, true), truth);
        double direct = distance(run(a, algorithms[q], transposed, false, false), truth);
        double phases = distance(run(a, algorithms[q], transposed, true, false), truth);
        printf("\n  F(%d,%d): in double %.1e; in float %.1e, direct %.1e ", algorithms[q].m, algorithms[q].r, exact, phases,
               direct);
        CU_ASSERT(exact < 1e-14);
        CU_ASSERT(phases < 2e-5);
    }
    arena_free(a);
}

static void test_phases(void) { check_phases(false); }
static void test_transposed(void) { check_phases(true); }

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("winograd", NULL, NULL);
    CU_add_test(suite, "matrices", test_matrices);
    CU_add_test(suite, "phases compute the convolution", test_phases);
    CU_add_test(suite, "phases compute a transposed convolution", test_transposed);
    CU_basic_run_tests();
    int failed = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed > 0;
}
