/* The graph passes keep what the net computes, and the pipeline enforces its rules. Everything is interpreted in double
 * before and after. */
#include <CUnit/Basic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "ir/unit.h"
#include "lab.h"
#include "passes/order.h"
#include "passes/pass.h"

enum { PICTURES = 3 };
static const double tolerance = 1e-12;

static const Options options = {.max_batch = 4};

static Unit *new_unit(Arena *a) {
    Unit *u = NEW(a, Unit);
    *u = (Unit){.arena = a, .diags = diag_new(a), .opt = &options, .name = name_of("lab")};
    u->net = graph_new(a, u->name);
    return u;
}

static Ref op1(Unit *u, Op op, Ref x, const Attr *attr) { return graph_op1(u->net, op, x, attr, x); }

static Ref weight(Unit *u, const char *name, int rank, const int32_t *dim) {
    return lab_param(u->net, name, PARAM_WEIGHT, rank, dim);
}

static Ref vector(Unit *u, const char *layer, const char *what, ParamRole role, int32_t c) {
    return lab_param(u->net, name_format("%s.%s", layer, what), role, 1, &c);
}

static Ref add_conv(Unit *u, Ref x, const char *name, int32_t outputs, int32_t groups) {
    int32_t inputs = type_channels(&graph_node(u->net, x)->type);
    Attr attr = {.conv = {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, groups, 0, 0, 0}};
    const int32_t dim[] = {outputs, inputs / groups, 3, 3};
    return graph_op2(u->net, OP_conv, x, weight(u, name_format("%s.weight", name), 4, dim), &attr, x);
}

static Ref add_bias(Unit *u, Ref x, const char *name) {
    int32_t c = type_channels(&graph_node(u->net, x)->type);
    return graph_op2(u->net, OP_add, x, vector(u, name, "bias", PARAM_WEIGHT, c), NULL, x);
}

static Ref add_bn(Unit *u, Ref x, const char *name) {
    int32_t c = type_channels(&graph_node(u->net, x)->type);
    Attr attr = {.norm = {1e-5, 0.25, 0}};
    Ref in[] = {x, vector(u, name, "running_mean", PARAM_BUFFER, c), vector(u, name, "running_var", PARAM_BUFFER, c),
                vector(u, name, "weight", PARAM_WEIGHT, c), vector(u, name, "bias", PARAM_WEIGHT, c)};
    return graph_add(u->net, OP_bn, 5, in, &attr, name_of(name), (Span){0}, NULL);
}

static Ref add_fc(Unit *u, Ref x, const char *name, int32_t outputs) {
    const int32_t dim[] = {outputs, type_channels(&graph_node(u->net, x)->type)};
    return graph_op2(u->net, OP_fc, x, weight(u, name_format("%s.weight", name), 2, dim), NULL, x);
}

/* Everything canon rewrites: a chain below flatten, identities, two heads of which one is for training. */
static void make_head(Unit *u, Ref x) {
    Attr drop = {.dropout = {0.4, 3}}, none = {.dropout = {0, 4}}, one = {.scale = {.alpha = 1}};
    Ref flat = op1(u, OP_flatten, op1(u, OP_concat, x, NULL), NULL);
    Ref y = op1(u, OP_dropout, op1(u, OP_relu, op1(u, OP_flatten, flat, NULL), NULL), &drop);
    Ref logits = add_bias(u, add_fc(u, op1(u, OP_scale, y, &one), "fc", 5), "fc");
    Ref aux = op1(u, OP_scale, add_fc(u, op1(u, OP_dropout, flat, &none), "aux", 3), &one);
    op1(u, OP_relu, logits, NULL); /* dead */
    graph_output(u->net, name_of("scores"), op1(u, OP_softmax, logits, NULL), ONLY_DEPLOY);
    graph_output(u->net, name_of("flat"), flat, ONLY_BOTH);
    graph_output(u->net, name_of("aux"), aux, ONLY_TRAIN);
    u->train = (TrainConfig){.present = true, .batch = 4, .n_loss = 2, .optimizer = OP_sgd, .update = {.sgd = {.momentum = 0.9}}};
    u->train.loss = NEW_ARRAY(u->arena, LossTerm, 2);
    u->train.loss[0] = (LossTerm){.weight = 1, .logits = logits, .op = OP_cross_entropy};
    u->train.loss[1] = (LossTerm){.weight = 0.5, .logits = aux, .op = OP_cross_entropy, .attr = {.loss = {0.1}}};
}

/* Batch normalisation where it folds (after a convolution, grouped, after a bias), and where it does not (after relu,
 * after a convolution with a second reader). */
static void make_net(Unit *u) {
    Attr pool = {.pool = {.kernel = {2, 2}, .stride = {2, 2}}};
    u->image = lab_image(u->net, 3, 8, 6);
    Ref x = op1(u, OP_relu, add_bn(u, add_conv(u, u->image, "conv1", 6, 1), "bn1"), NULL);
    x = add_bn(u, add_bias(u, add_conv(u, x, "conv2", 6, 3), "conv2"), "bn2");
    x = add_bn(u, op1(u, OP_relu, x, NULL), "bn3");
    x = op1(u, OP_maxpool, op1(u, OP_relu, x, NULL), &pool);
    Ref shared = add_conv(u, x, "conv4", 6, 2);
    x = graph_op2(u->net, OP_add, add_bn(u, shared, "bn4"), shared, NULL, x);
    make_head(u, x);
}

static const Pass canon = {.name = "canon", .level = LEVEL_NET, .makes = F_CANON, .run = pass_canon};
static const Pass specialise = {
    .name = "specialise", .level = LEVEL_NET, .needs = F_CANON, .makes = F_SPECIAL, .run = pass_specialise};
static const Pass autodiff = {
    .name = "autodiff", .level = LEVEL_GRAPH, .needs = F_SPECIAL, .makes = F_GRADS, .run = pass_autodiff};
static const Pass order = {
    .name = "order", .level = LEVEL_GRAPH, .needs = F_GRADS, .makes = F_ORDER, .run = pass_order};

static bool run_passes(Unit *u, int n, const Pass *table) {
    return pipeline_run_table(u, &(PassOptions){.check_roundtrip = true}, table, n);
}

static RefRun *run_as(const Graph *g, bool in_double) {
    RefRun *r = ref_new(g->arena, g, PICTURES, in_double);
    r->key[1] = 9;
    lab_set_leaves(r, 0.1);
    ref_run(r);
    return r;
}

static RefRun *run_graph(const Graph *g) { return run_as(g, true); }

static bool near(double a, double b) { return fabs(a - b) <= tolerance * fmax(1, fmax(fabs(a), fabs(b))); }

static bool same_array(const RefRun *a, Ref x, const RefRun *b, Ref y) {
    bool same = x && y && ref_count(a, x) == ref_count(b, y);
    for (int64_t i = 0; same && i < ref_count(a, x); i++) same = near(ref_get(a, x, i), ref_get(b, y, i));
    return same;
}

static int count_op(const Graph *g, Op op) {
    int n = 0;
    for (Ref r = 1; r < (Ref)g->n_node; r++) n += graph_node(g, r)->op == op;
    return n;
}

static Ref find_op(const Graph *g, Op op) {
    for (Ref r = 1; r < (Ref)g->n_node; r++)
        if (graph_node(g, r)->op == op) return r;
    return 0;
}

static void test_canon(void) {
    Arena *a = arena_new();
    Unit *u = new_unit(a);
    make_net(u);
    RefRun *before = run_graph(graph_clone(a, u->net));
    const LossTerm was[2] = {u->train.loss[0], u->train.loss[1]};
    CU_ASSERT(run_passes(u, 1, &canon));
    const Graph *g = u->net;
    RefRun *after = run_graph(g);
    for (int i = 0; i < g->n_output; i++)
        CU_ASSERT(same_array(before, graph_find_output(before->graph, g->output[i].name), after, g->output[i].ref));
    for (int i = 0; i < 2; i++) CU_ASSERT(same_array(before, was[i].logits, after, u->train.loss[i].logits));
    CU_ASSERT_EQUAL(graph_node(g, u->image)->op, OP_input);
    CU_ASSERT_EQUAL(count_op(g, OP_flatten), 1); /* the output's own */
    CU_ASSERT_EQUAL(count_op(g, OP_concat) + count_op(g, OP_scale), 0);
    CU_ASSERT_EQUAL(count_op(g, OP_dropout), 1);
    CU_ASSERT(graph_node(g, graph_node(g, find_op(g, OP_maxpool))->in[0])->op == OP_bn); /* not relu */
    CU_ASSERT_EQUAL(graph_node(g, graph_find_param(g, name_of("fc.weight")))->type.rank, 4);
    CU_ASSERT_EQUAL(graph_node(g, graph_find_param(g, name_of("aux.weight")))->attr.param.type.rank, 4);
    arena_free(a);
}

/* A weight with two readers keeps its shape. */
static void test_canon_shared_weight(void) {
    Arena *a = arena_new();
    Unit *u = new_unit(a);
    u->image = lab_image(u->net, 2, 3, 2);
    Ref first = add_fc(u, op1(u, OP_flatten, u->image, NULL), "fc", 12);
    Ref w = graph_find_param(u->net, name_of("fc.weight"));
    graph_output(u->net, name_of("y"), graph_op2(u->net, OP_fc, first, w, NULL, first), ONLY_BOTH);
    RefRun *before = run_graph(graph_clone(a, u->net));
    CU_ASSERT(run_passes(u, 1, &canon));
    CU_ASSERT(
        same_array(before, graph_find_output(before->graph, "y"), run_graph(u->net), graph_find_output(u->net, "y")));
    CU_ASSERT_EQUAL(count_op(u->net, OP_flatten), 1);
    arena_free(a);
}

/* The net, but nothing is dropped out: what inference must compute. */
static const Graph *without_dropout(Unit *u) {
    Graph *g = graph_clone(u->arena, u->net);
    for (Ref r = 1; r < (Ref)g->n_node; r++)
        if (graph_node(g, r)->op == OP_dropout) graph_node(g, r)->attr.dropout.p = 0;
    return g;
}

static void test_infer(void) {
    Arena *a = arena_new();
    Unit *u = new_unit(a);
    make_net(u);
    RefRun *before = run_graph(without_dropout(u));
    CU_ASSERT(run_passes(u, 2, (const Pass[]){canon, specialise}));
    const Graph *g = u->graph[ENTRY_INFER];
    RefRun *after = run_graph(g);
    CU_ASSERT_EQUAL(g->n_output, 2);
    CU_ASSERT_EQUAL(graph_find_output(g, "aux"), 0);
    for (int i = 0; i < g->n_output; i++)
        CU_ASSERT(same_array(before, graph_find_output(before->graph, g->output[i].name), after, g->output[i].ref));
    CU_ASSERT_EQUAL(count_op(g, OP_dropout), 0);
    CU_ASSERT_EQUAL(count_op(g, OP_bn), 2); /* bn3 and bn4 do not fold */
    CU_ASSERT_EQUAL(count_op(g, OP_conv), 3);
    CU_ASSERT_EQUAL(graph_find_param(g, name_of("aux.weight")), 0);
    arena_free(a);
}

static void test_halves(void) {
    Arena *a = arena_new();
    Unit *u = new_unit(a);
    make_net(u);
    u->half_weights = true;
    Pass halves = {.name = "halves", .level = LEVEL_GRAPH, .needs = F_SPECIAL, .run = pass_halves};
    CU_ASSERT(run_passes(u, 2, (const Pass[]){canon, specialise}));
    const Graph *g = u->graph[ENTRY_INFER], *before = graph_clone(a, g);
    halves.needs = 0;
    CU_ASSERT(run_passes(u, 1, &halves));
    CU_ASSERT(count_op(g, OP_fc) > 0 && count_op(g, OP_to_half) == count_op(g, OP_fc));
    CU_ASSERT_EQUAL(count_op(u->graph[ENTRY_TRAIN], OP_to_half), 0);
    RefRun *want = run_graph(before), *got = run_graph(g);
    Ref y = g->output[0].ref, x = before->output[0].ref;
    double worst = 0;
    for (int64_t i = 0; i < ref_count(got, y); i++) worst = fmax(worst, fabs(ref_get(got, y, i) - ref_get(want, x, i)));
    CU_ASSERT(worst > 0 && worst < 1e-3);
    arena_free(a);
}

/* Running statistics after a step: 3/4 of the old, 1/4 of the batch's, the variance divided by M - 1. */
static void check_ema(const Graph *g, const RefRun *r, Ref ema) {
    const Node *n = graph_node(g, ema), *value = graph_node(g, n->in[1]), *running = graph_node(g, n->in[0]);
    const Type *x = &graph_node(g, value->in[0])->type;
    double m = PICTURES * type_height(x) * type_width(x);
    bool var = strstr(running->name, "var") != NULL;
    CU_ASSERT_EQUAL(value->op, var ? OP_var : OP_mean);
    for (int64_t c = 0; c < ref_count(r, n->in[0]); c++) {
        double old = lab_number(var ? FILL_POSITIVE : FILL_SIGNED, lab_seed_of(running), c, 0);
        double want = 0.75 * old + 0.25 * ref_get(r, n->in[1], c) * (var ? m / (m - 1) : 1);
        CU_ASSERT(near(ref_get(r, n->in[0], c), want));
    }
}

static void test_train(void) {
    Arena *a = arena_new();
    Unit *u = new_unit(a);
    make_net(u);
    for (Ref r = 1; r < (Ref)u->net->n_node; r++) /* bn2 is frozen */
        if (graph_node(u->net, r)->op == OP_bn && graph_node(u->net, r)->name == name_of("bn2"))
            graph_node(u->net, r)->frozen = true;
    CU_ASSERT(run_passes(u, 2, (const Pass[]){canon, specialise}));
    const Graph *g = u->graph[ENTRY_TRAIN];
    RefRun *r = run_graph(g);
    CU_ASSERT_EQUAL(g->n_output, 2);
    CU_ASSERT_EQUAL(count_op(g, OP_softmax), 0);
    CU_ASSERT_EQUAL(count_op(g, OP_dropout), 1);
    CU_ASSERT_EQUAL(count_op(g, OP_ema), 6);
    for (Ref e = 1; e < (Ref)g->n_node; e++)
        if (graph_node(g, e)->op == OP_ema) check_ema(g, r, e);
    Ref frozen = graph_find_param(g, name_of("bn2.running_mean"));
    for (int64_t c = 0; c < 6; c++)
        CU_ASSERT_EQUAL(ref_get(r, frozen, c), lab_number(FILL_SIGNED, lab_seed_of(graph_node(g, frozen)), c, 0));
    arena_free(a);
}

static double peak_of(const Graph *g) {
    Ref *seq = NEW_ARRAY(g->arena, Ref, g->n_node);
    for (int32_t i = 1; i < g->n_node; i++) seq[i - 1] = (Ref)i;
    return order_peak(g, seq, g->n_node - 1, 4);
}

static const char *text_of(const Graph *g) {
    Str s = STR(g->arena);
    graph_print(&s, g);
    return str_text(&s);
}

/* The order changes, results do not; the peak gets no worse; compaction keeps it; every update comes right after what
 * it waits for, not at the end. */
static void test_order(void) {
    Arena *a = arena_new();
    Unit *u = new_unit(a);
    make_net(u);
    CU_ASSERT(run_passes(u, 3, (const Pass[]){canon, specialise, autodiff}));
    for (Entry e = ENTRY_INFER; e < ENTRY_COUNT; e++) {
        Graph *g = u->graph[e], *old = graph_clone(a, g);
        pass_order(u, e);
        CU_ASSERT_PTR_NULL(graph_verify(a, g));
        CU_ASSERT(peak_of(g) <= peak_of(old));
        const char *text = text_of(g);
        graph_compact(g, a);
        CU_ASSERT_STRING_EQUAL(text_of(g), text);
        CU_ASSERT_EQUAL(g->n_node, old->n_node);
        RefRun *before = run_graph(old), *after = run_graph(g);
        for (int i = 0; i < g->n_output; i++)
            CU_ASSERT(same_array(before, graph_find_output(old, g->output[i].name), after, g->output[i].ref));
        for (Ref p = 1; p < (Ref)g->n_node; p++)
            if (graph_node(g, p)->op == OP_param)
                CU_ASSERT(same_array(before, graph_find_param(old, graph_node(g, p)->name), after, p));
    }
    Graph *train = u->graph[ENTRY_TRAIN];
    CU_ASSERT(find_op(train, OP_maxpool_index) < find_op(train, OP_cross_entropy)); /* bn3 need not wait for it */
    CU_ASSERT_EQUAL(graph_node(train, (Ref)train->n_node - 1)->op, OP_sgd);
    int last_run = 0;
    for (int32_t i = train->n_node - 1; graph_node(train, (Ref)i)->op == OP_sgd; i--) last_run++;
    CU_ASSERT(last_run < count_op(train, OP_sgd) / 2);
    arena_free(a);
}

/* Gradients that are kept: first all of them, then all updates, which read them and nothing else that a call computes. */
static void test_gathered_order(void) {
    Arena *a = arena_new();
    Unit *u = new_unit(a);
    make_net(u);
    u->train.gathers = true;
    CU_ASSERT(run_passes(u, 3, (const Pass[]){canon, specialise, autodiff}));
    Graph *g = u->graph[ENTRY_TRAIN];
    pass_order(u, ENTRY_TRAIN);
    CU_ASSERT_PTR_NULL(graph_verify(a, g));
    CU_ASSERT_EQUAL(count_op(g, OP_accumulate), count_op(g, OP_sgd));
    Ref first = 1;
    while (!graph_updates(g, first)) first++;
    for (Ref r = first; r < (Ref)g->n_node; r++) {
        const Node *n = graph_node(g, r);
        CU_ASSERT(n->op == OP_sgd || n->op == OP_param || n->op == OP_input);
        if (n->op == OP_sgd) CU_ASSERT_EQUAL(graph_node(g, n->in[1])->op, OP_accumulate);
    }
    arena_free(a);
}

/* The float half of the interpreter, operator by operator, on a whole training step. */
static void test_float(void) {
    Arena *a = arena_new();
    Unit *u = new_unit(a);
    make_net(u);
    CU_ASSERT(run_passes(u, 4, (const Pass[]){canon, specialise, autodiff, order}));
    const Graph *g = u->graph[ENTRY_TRAIN];
    RefRun *exact = run_as(g, true), *single = run_as(g, false);
    for (Ref r = 1; r < (Ref)g->n_node; r++)
        for (int64_t i = 0; i < ref_count(exact, r); i++) {
            double want = ref_get(exact, r, i), error = fabs(ref_get(single, r, i) - want);
            if (error > 1e-4 * (1 + fabs(want)))
                printf("\n  %%%u %s is off by %g ", r, op_info[graph_node(g, r)->op].name, error);
            CU_ASSERT(error <= 1e-4 * (1 + fabs(want)));
        }
    arena_free(a);
}

/* What a table of passes does to a fresh unit, in a process of its own: its exit status. The message is not shown. */
static int status_of(const Pass *table, int n) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        Unit *u = new_unit(arena_new());
        make_net(u);
        if (!freopen("/dev/null", "w", stderr)) _exit(EX_OSERR);
        _exit(pipeline_run_table(u, &(PassOptions){0}, table, n) ? 0 : EX_DATAERR);
    }
    int status = -1;
    CU_ASSERT(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void break_type(Unit *u, Entry entry) {
    (void)entry;
    Ref out = u->net->output[0].ref;
    graph_node(u->net, out)->type.dim[1]++;
}

static void report_error(Unit *u, Entry entry) {
    (void)entry;
    diag_error(u->diags, (Span){0}, "E0000", "no");
}

static void test_pipeline_rules(void) {
    Pass broken = {.name = "broken", .level = LEVEL_NET, .run = break_type}, forgetful = canon;
    Pass unhappy = {.name = "unhappy", .level = LEVEL_NET, .run = report_error}, later = specialise;
    forgetful.breaks = F_CANON;
    forgetful.makes = 0;
    later.needs = F_CANON | F_LAYOUT;
    CU_ASSERT_EQUAL(status_of((const Pass[]){canon, specialise, autodiff, order}, 4), 0);
    CU_ASSERT_EQUAL(status_of((const Pass[]){specialise}, 1), EX_SOFTWARE);
    CU_ASSERT_EQUAL(status_of((const Pass[]){canon, later}, 2), EX_SOFTWARE);
    CU_ASSERT_EQUAL(status_of((const Pass[]){canon, forgetful, specialise}, 3), EX_SOFTWARE);
    CU_ASSERT_EQUAL(status_of((const Pass[]){broken}, 1), EX_SOFTWARE);
    CU_ASSERT_EQUAL(status_of((const Pass[]){unhappy, broken}, 2), EX_DATAERR);
}

static void test_dump_and_stop(void) {
    Arena *a = arena_new();
    Unit *u = new_unit(a);
    char *text = NULL;
    size_t length = 0;
    make_net(u);
    FILE *f = open_memstream(&text, &length);
    PassOptions o = {
        .dump_after = (const char *const[]){"all"}, .n_dump_after = 1, .stop_after = "specialise", .dump = f};
    CU_ASSERT(pipeline_run_table(u, &o, (const Pass[]){canon, canon, specialise, autodiff}, 4));
    fclose(f);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "# after canon\ngraph "));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "# after canon (unchanged)\n# after specialise\ngraph infer"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "graph train"));
    CU_ASSERT_PTR_NULL(strstr(text, "# after autodiff"));
    CU_ASSERT_EQUAL(count_op(u->graph[ENTRY_TRAIN], OP_sgd), 0);
    free(text);
    arena_free(a);
}

/* One term about pixels and one about pictures are the author's mistake, reported at the term that does not fit the
 * first. */
static void test_bad_loss(void) {
    Arena *a = arena_new();
    Unit *u = new_unit(a);
    make_net(u);
    u->train.loss[0].logits = u->image;
    u->train.loss[1].span = (Span){0, 3, 1, 2};
    CU_ASSERT_FALSE(run_passes(u, 3, (const Pass[]){canon, specialise, autodiff}));
    CU_ASSERT_EQUAL(u->diags->n_error, 1);
    CU_ASSERT_EQUAL(u->diags->message[0].span.line, 3);
    arena_free(a);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("passes", NULL, NULL);
    CU_add_test(suite, "canon keeps results", test_canon);
    CU_add_test(suite, "canon leaves a shared weight", test_canon_shared_weight);
    CU_add_test(suite, "specialise for inference keeps results", test_infer);
    CU_add_test(suite, "halves changes inference, and little", test_halves);
    CU_add_test(suite, "specialise for training takes batch statistics", test_train);
    CU_add_test(suite, "order keeps results and lowers the peak", test_order);
    CU_add_test(suite, "updates come after all gradients that are kept", test_gathered_order);
    CU_add_test(suite, "the float interpreter agrees with the double one", test_float);
    CU_add_test(suite, "the pipeline enforces needs and invariants", test_pipeline_rules);
    CU_add_test(suite, "dumps and stop-after", test_dump_and_stop);
    CU_add_test(suite, "a loss on no scores is reported", test_bad_loss);
    CU_basic_run_tests();
    int failed = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed > 0;
}
