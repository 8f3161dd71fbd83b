/* The algorithm model by itself: what it chooses for convolutions of well-known shapes, how it orders choices, that
 * what was measured comes before it; and how long it takes. */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <time.h>

#include "frontend/frontend.h"
#include "ir/winograd.h"
#include "passes/algorithm_model.h"
#include "passes/pass.h"

/* A server of 2023. */
static const Machine machine = {.isa = "v4",
                                .cpu = "x86-64-v4",
                                .features = "",
                                .vector_lanes = 16,
                                .vector_registers = 32,
                                .fma = true,
                                .cache_bytes = {48 << 10, 2 << 20, 2 << 20},
                                .fma_units = 2,
                                .load_units = 2,
                                .fma_latency = 4,
                                .line_cycles = {1.4, 8, 14.7}};

typedef struct Shape {
    int32_t in, size, out, kernel, stride, groups, pictures;
    bool plain;
} Shape;

static Type x_type, y_type;
static ConvAttr attr;

static ConvProblem problem(const Shape *s) {
    int32_t pad = s->kernel / 2, side = (s->size + 2 * pad - s->kernel) / s->stride + 1;
    x_type = type_make(DT_F32, 4, (const int32_t[]){BATCH, s->in, s->size, s->size});
    y_type = type_make(DT_F32, 4, (const int32_t[]){BATCH, s->out, side, side});
    attr = (ConvAttr){{s->kernel, s->kernel}, {s->stride, s->stride}, {1, 1}, {pad, pad, pad, pad}, s->groups, 0, 0, 0};
    return (ConvProblem){
        .conv = &attr, .x = &x_type, .y = &y_type, .plain = s->plain, .pictures = s->pictures, .machine = &machine};
}

static ConvChoice best(const Shape *s) {
    ConvChoice choice[CONV_CHOICES];
    ConvProblem p = problem(s);
    CU_ASSERT_FATAL(conv_choices(&p, WINOGRAD_AUTO, choice) > 0);
    return choice[0];
}

static void test_best(void) {
    ConvChoice c = best(&(Shape){64, 56, 64, 3, 1, 1, 1, false});
    CU_ASSERT(c.tile == 4 && c.band > 0);
    c = best(&(Shape){512, 7, 512, 3, 1, 1, 1, false}); /* weights from memory decide */
    CU_ASSERT_EQUAL(c.tile, 2);
    c = best(&(Shape){160, 7, 320, 3, 1, 1, 1, false});
    CU_ASSERT_EQUAL(c.tile, 0);
    c = best(&(Shape){256, 14, 256, 3, 1, 1, 1, false}); /* 49 tiles hide more than 25 do */
    CU_ASSERT_EQUAL(c.tile, 2);
    c = best(&(Shape){256, 14, 256, 3, 1, 1, 4, false});
    CU_ASSERT_EQUAL(c.tile, 3);
    c = best(&(Shape){64, 56, 192, 3, 1, 1, 1, false}); /* bands of weights and taps would push each other out */
    CU_ASSERT(c.tile == 4 && c.band == 0);
    c = best(&(Shape){512, 28, 512, 3, 1, 1, 1, false});
    CU_ASSERT_EQUAL(c.tile, 4);
    c = best(&(Shape){512, 7, 512, 3, 1, 1, 64, false}); /* many pictures share them */
    CU_ASSERT(c.tile >= 3);
    c = best(&(Shape){64, 28, 96, 5, 1, 1, 1, false});
    CU_ASSERT_EQUAL(c.tile, 2);
}

/* Weights that are new in every call are worth their transforms where many pictures share them. */
static void test_fresh(void) {
    ConvProblem p = problem(&(Shape){512, 14, 512, 3, 1, 1, 1, false});
    ConvChoice kept[CONV_CHOICES], choice[CONV_CHOICES];
    CU_ASSERT(conv_choices(&p, WINOGRAD_AUTO, kept) > 0 && kept[0].tile > 0);
    p.fresh = true;
    CU_ASSERT(conv_choices(&p, WINOGRAD_AUTO, choice) > 0 && choice[0].tile == 0);
    CU_ASSERT(conv_cycles(&p, kept[0].tile, kept[0].band) > kept[0].cycles);
    p.pictures = 32;
    CU_ASSERT(conv_choices(&p, WINOGRAD_AUTO, choice) > 0 && choice[0].tile > 0);
}

static void test_direct(void) {
    static const Shape shape[] = {
        {64, 56, 256, 1, 1, 1, 1, false},  {128, 56, 128, 3, 2, 1, 1, false}, {96, 27, 256, 5, 1, 2, 1, false},
        {64, 224, 64, 3, 1, 1, 1, true},   {3, 224, 64, 3, 1, 1, 1, false},   {64, 56, 64, 7, 1, 1, 1, false},
        {32, 112, 32, 3, 1, 32, 1, false},
    };
    for (int i = 0; i < ARRAY_LEN(shape); i++) CU_ASSERT_EQUAL(best(&shape[i]).tile, 0);
}

/* Transformed tensors are larger than those that they are made from, and have limits, too. */
static void test_limits(void) {
    static const struct {
        Shape shape;
        bool tile[5]; /* which may be taken; 0: none but the direct sum */
    } limit[] = {
        {{1000, 32768, 1000, 3, 1, 1, 1, false}, {[0] = true}},         /* numbers of a tensor */
        {{8, 1 << 17, 8, 3, 1, 1, 1, false}, {[3] = true, [4] = true}}, /* tiles */
        {{8, 8, 1 << 26, 3, 1, 1, 1, false}, {[2] = true, [3] = true}}, /* rows of the weights' matrices */
    };
    for (int i = 0; i < ARRAY_LEN(limit); i++) {
        ConvChoice choice[CONV_CHOICES];
        ConvProblem p = problem(&limit[i].shape);
        int n = conv_choices(&p, WINOGRAD_ALWAYS, choice);
        CU_ASSERT(n > 0);
        for (int k = 0; k < n; k++) CU_ASSERT(limit[i].tile[choice[k].tile]);
    }
}

/* Sorted, all different, all possible. */
static void test_order(void) {
    ConvChoice choice[CONV_CHOICES];
    ConvProblem p = problem(&(Shape){64, 56, 64, 3, 1, 1, 1, false});
    int n = conv_choices(&p, WINOGRAD_AUTO, choice);
    CU_ASSERT(n > 5 && n <= CONV_CHOICES);
    for (int i = 0; i < n; i++) {
        WinogradMatrices ignored;
        const ConvChoice *c = &choice[i];
        CU_ASSERT(i == 0 || c->cycles >= c[-1].cycles);
        CU_ASSERT_EQUAL(c->cycles, conv_cycles(&p, c->tile, c->band));
        CU_ASSERT(!c->tile || winograd_matrices(c->tile, 3, &ignored));
        CU_ASSERT(!c->band || div_up(56, c->tile) % c->band == 0);
        for (int k = 0; k < i; k++) CU_ASSERT(choice[k].tile != c->tile || choice[k].band != c->band);
    }
    CU_ASSERT(conv_choices(&p, WINOGRAD_NEVER, choice) == 1 && choice[0].tile == 0);
    n = conv_choices(&p, WINOGRAD_ALWAYS, choice);
    for (int i = 0; i < n; i++) CU_ASSERT(choice[i].tile > 0);
}

/* ---- whole nets ----------------------------------------------------------------------------------------------- */

static double spent[2]; /* CPU seconds of algorithm and tile */

static double cpu_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void timed_algorithm(Unit *u, Entry entry) {
    double start = cpu_seconds();
    pass_algorithm(u, entry);
    spent[0] += entry == ENTRY_INFER ? cpu_seconds() - start : 0;
}

static void timed_tile(Unit *u, Entry entry) {
    double start = cpu_seconds();
    pass_tile(u, entry);
    spent[1] += entry == ENTRY_INFER ? cpu_seconds() - start : 0;
}

/* ResNet-50 through the passes up to `last`. */
static Unit *resnet_until(Arena *a, const Options *options, void (*last)(Unit *, Entry)) {
    static const Definition depth = {.name = "depth", .value = "50"};
    Unit *u = NEW(a, Unit);
    *u = (Unit){.arena = a, .diags = diag_new(a), .opt = options, .machine = &machine};
    CU_ASSERT_FATAL(
        frontend_build(u, "examples/resnet.net", &(FrontendOptions){.definition = &depth, .n_definition = 1}));
    Pass *table = NEW_ARRAY(a, Pass, n_passes);
    int n = 0;
    do {
        table[n] = pass_table[n];
        if (table[n].run == pass_algorithm) table[n].run = timed_algorithm;
        if (table[n].run == pass_tile) table[n].run = timed_tile;
    } while (table[n++].run != last);
    CU_ASSERT_FATAL(pipeline_run_table(u, &(PassOptions){.dump = stdout}, table, n));
    return u;
}

static Unit *resnet(Arena *a, const Options *options) { return resnet_until(a, options, timed_tile); }

/* Layers by Winograd's method and their gradients, whose taps come in reverse order. */
static void test_training(void) {
    Arena *a = arena_new();
    static const Options options = {.opt_level = 2, .max_batch = 256},
                         direct = {.winograd = WINOGRAD_NEVER, .max_batch = 256};
    const Graph *g = resnet(a, &options)->graph[ENTRY_TRAIN];
    int32_t n[2] = {0};
    for (int32_t i = 1; i < g->n_node; i++)
        if (graph_node(g, (Ref)i)->op == OP_winograd_weight) n[graph_node(g, (Ref)i)->attr.winograd.flip]++;
    CU_ASSERT_EQUAL(n[false], 13);
    CU_ASSERT_EQUAL(n[true], 13);
    g = resnet(a, &direct)->graph[ENTRY_TRAIN];
    for (int32_t i = 1; i < g->n_node; i++) CU_ASSERT(op_info[graph_node(g, (Ref)i)->op].attr != ATTR_WINOGRAD);
    arena_free(a);
}

/* Reports reckon as the choice does: a step of training transforms its weights. What is cut into pieces counts once. */
static void test_predicted(void) {
    Arena *a = arena_new();
    static const Options options = {.opt_level = 2, .max_batch = 256};
    const Unit *u = resnet_until(a, &options, pass_explain);
    const Program *p = u->program[ENTRY_TRAIN];
    ConvProblem fresh = problem(&(Shape){512, 7, 512, 3, 1, 1, u->train.batch, false});
    fresh.fresh = true;
    double predicted = 0, reckoned = 0;
    int32_t n = 0;
    for (int32_t i = 0; i < p->n_step; i++) {
        const Node *root = graph_node(p->graph, p->step[i].root);
        const WinogradAttr *w = &root->attr.winograd;
        if (root->op != OP_winograd_product || w->out[0] != 512 || w->flip) continue;
        predicted += p->step[i].cycles;
        reckoned += p->step[i].macs ? conv_cycles(&fresh, w->tile, w->band) : 0;
        n += p->step[i].macs > 0;
    }
    CU_ASSERT_EQUAL(n, 2);
    CU_ASSERT_DOUBLE_EQUAL(predicted, reckoned, 1);
    arena_free(a);
}

/* Nothing takes less than all its multiply-adds at the full rate, nor 20 times that: of weight gradients, too, which
 * are sums over the pictures. */
static void test_predicted_sums(void) {
    Arena *a = arena_new();
    static const Options options = {.winograd = WINOGRAD_NEVER, .opt_level = 2, .max_batch = 256};
    const Unit *u = resnet_until(a, &options, pass_explain);
    const Program *p = u->program[ENTRY_TRAIN];
    for (int32_t i = 0; i < p->n_step; i++) {
        double least = (double)p->step[i].macs * u->train.batch / (machine.vector_lanes * machine.fma_units);
        if (least == 0 || p->step[i].cycles == 0) continue;
        CU_ASSERT(p->step[i].cycles >= least);
        CU_ASSERT(p->step[i].cycles <= 20 * least);
    }
    arena_free(a);
}

static int32_t count_winograd(const Unit *u, Entry entry, int32_t tile, int32_t band) {
    const Graph *g = u->graph[entry];
    int32_t n = 0;
    for (int32_t i = 1; i < g->n_node; i++) {
        const Node *node = graph_node(g, (Ref)i);
        n += node->op == OP_winograd_product && node->attr.winograd.tile == tile && node->attr.winograd.band == band;
    }
    return n;
}

/* Of the shortcuts with a stride, only those to 1024 and 2048 channels are wide enough. */
static void test_gather(void) {
    Arena *a = arena_new();
    static const Options options = {.opt_level = 2, .max_batch = 256};
    const Graph *g = resnet(a, &options)->graph[ENTRY_INFER];
    int32_t pixels = 0, strided = 0;
    for (int32_t i = 1; i < g->n_node; i++) {
        const Node *n = graph_node(g, (Ref)i);
        bool conv = n->op == OP_conv && n->attr.conv.kernel[0] == 1;
        if (conv && n->attr.conv.stride[0] > 1) strided += n->type.dim[1] == 512 ? 1 : 100;
        if (!conv || graph_node(g, n->in[0])->op != OP_maxpool) continue;
        const PoolAttr *p = &graph_node(g, n->in[0])->attr.pool;
        if (p->kernel[0] == 1 && p->stride[1] == 2) pixels += n->type.dim[1];
    }
    CU_ASSERT_EQUAL(pixels, 1024 + 2048);
    CU_ASSERT_EQUAL(strided, 1);
    arena_free(a);
}

static void test_time(void) {
    Arena *a = arena_new();
    static const Options options = {.opt_level = 2, .max_batch = 256};
    spent[0] = spent[1] = 0;
    resnet(a, &options);
    printf("\n  ResNet-50: algorithm %.2f ms, tile %.2f ms of CPU ", 1e3 * spent[0], 1e3 * spent[1]);
    arena_free(a);
}

/* What was measured is taken if it is possible, and for its shape alone. */
static void test_measured(void) {
    Arena *a = arena_new();
    ConvProblem p = problem(&(Shape){64, 56, 64, 3, 1, 1, 1, false});
    TunedConv measured[] = {{conv_shape(&p), 3, 1, 100}, {name_of("nonsense"), 4, 1, 1}};
    TunedConvs tuned = {measured, ARRAY_LEN(measured), 0};
    Options options = {.opt_level = 2, .max_batch = 256, .tuned = &tuned};
    CU_ASSERT_EQUAL(count_winograd(resnet(a, &options), ENTRY_INFER, 3, 1), 3);
    measured[0].band = 5; /* does not divide 19 rows of tiles */
    const Unit *u = resnet(a, &options);
    CU_ASSERT_EQUAL(count_winograd(u, ENTRY_INFER, 3, 5), 0);
    CU_ASSERT_EQUAL(count_winograd(u, ENTRY_INFER, 4, 1), 3);
    arena_free(a);
}

/* What was measured with weights that stay says nothing of a step that transforms them, nor what a convolution took
 * of a transposed one, whose result is larger. */
static void test_measured_alike(void) {
    Arena *a = arena_new();
    enum { BATCH_OF_RESNET = 64 };
    ConvProblem p = problem(&(Shape){64, 56, 64, 3, 1, 1, BATCH_OF_RESNET, false}), other = p;
    TunedConv measured[] = {{conv_shape(&p), 3, 1, 100}};
    TunedConvs tuned = {measured, ARRAY_LEN(measured), 0};
    Options options = {.opt_level = 2, .max_batch = 256, .batch = BATCH_OF_RESNET, .tuned = &tuned};
    const Unit *u = resnet(a, &options);
    CU_ASSERT_EQUAL(u->train.batch, BATCH_OF_RESNET);
    CU_ASSERT_EQUAL(count_winograd(u, ENTRY_TRAIN, 3, 1), 0);
    other.fresh = true;
    CU_ASSERT(conv_shape(&other) != conv_shape(&p));
    other.fresh = false, other.transposed = true;
    CU_ASSERT(conv_shape(&other) != conv_shape(&p));
    arena_free(a);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("algorithm", NULL, NULL);
    CU_add_test(suite, "choices for known shapes", test_best);
    CU_add_test(suite, "what is computed directly", test_direct);
    CU_add_test(suite, "choices within the limits of tensors", test_limits);
    CU_add_test(suite, "choices in order", test_order);
    CU_add_test(suite, "choices where weights are new", test_fresh);
    CU_add_test(suite, "training", test_training);
    CU_add_test(suite, "what reports predict of training", test_predicted);
    CU_add_test(suite, "what reports predict of sums over pictures", test_predicted_sums);
    CU_add_test(suite, "what was measured", test_measured);
    CU_add_test(suite, "what was measured of the like", test_measured_alike);
    CU_add_test(suite, "pixels are gathered for wide 1x1 convolutions", test_gather);
    CU_add_test(suite, "time for a whole net", test_time);
    CU_basic_run_tests();
    int failed = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed > 0;
}
