/* The graph: building, redirecting, compaction, text, and one test for every rule of the verifier. */
#include "ir/graph.h"

#include <CUnit/Basic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static Arena *arena;

/* A step of training one weight: node numbers are used below. */
static const char step_text[] =
    "graph train tiny {\n"
    "  %1 = input {role=image, type=f32[N,3,8,8]} \"image\" : f32[N,3,8,8]\n"
    "  %2 = input {role=lr, type=f32[]} \"lr\" : f32[]\n"
    "  %3 = param {role=weight, init=he, a=0, b=0, frozen=false, lr_scale=1, weight_decay=0.0001, type=f32[4,3,3,3]} "
    "\"conv1.weight\" : f32[4,3,3,3]{8,1;0,0,0,0}\n"
    "  %4 = param {role=momentum, init=constant, a=0, b=0, frozen=false, lr_scale=1, weight_decay=0, "
    "type=f32[4,3,3,3]} \"conv1.weight.momentum\" : f32[4,3,3,3]\n"
    "  %5 = conv(%1, %3) {kernel=[3,3], stride=[1,1], dilation=[1,1], pad=[1,1,1,1], groups=1, in_c=0, in_h=0, in_w=0} "
    "\"conv1\" group=1 : f32[N,4,8,8]{1,8;0,0,0,0}\n"
    "  %6 = relu(%5) \"relu1\" group=1 frozen : f32[N,4,8,8]{1,8;1,1,1,1}\n"
    "  %7 = relu_grad(%6, %6) : f32[N,4,8,8]\n"
    "  %8 = conv_wgrad(%7, %1) {kernel=[3,3], stride=[1,1], dilation=[1,1], pad=[1,1,1,1], groups=1, in_c=3, in_h=0, "
    "in_w=0} \"conv1\" nofuse : f32[4,3,3,3]\n"
    "  %9 = sgd(%3, %8, %4, %2) {momentum=0.9, weight_decay=0.0001, lr_scale=1, nesterov=false} \"conv1\" : f32[]\n"
    "  output \"scores\" %6\n"
    "  output \"debug\" %7 only=train\n"
    "}\n";

static const char *text_of(const Graph *g) {
    Str s = STR(arena);
    graph_print(&s, g);
    return str_text(&s);
}

static Graph *step(void) {
    const char *error = NULL;
    Graph *g = graph_read(arena, step_text, &error);
    if (!g) printf("\n    %s\n", error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(g);
    return g;
}

static void text_reads_back(void) {
    CU_ASSERT_STRING_EQUAL(text_of(step()), step_text);
    static const char *const name[] = {"", "a b", " a", "a {", "\"", "a\nb\x01", "naïve"};
    for (int i = 0; i < ARRAY_LEN(name); i++) {
        const char *error, *text = text_of(graph_new(arena, name_of(name[i])));
        const Graph *again = graph_read(arena, text, &error);
        CU_ASSERT_PTR_NOT_NULL_FATAL(again);
        CU_ASSERT_PTR_EQUAL(again->name, name_of(name[i]));
    }
}

/* `from` replaced by `to`, once. */
static const char *edited(const char *text, const char *from, const char *to) {
    const char *at = strstr(text, from);
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    return arena_printf(arena, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static void reading_is_strict(void) {
    static const struct {
        const char *from, *to, *error;
    } row[] = {
        {"graph", "Graph", "line 1: expected `graph` at `Graph train tiny {`"},
        {" {\n", "{\n", "line 1: expected ` {` at `"},
        {"%2 =", "%3 =", "line 3: expected the next node's number"},
        {"%2 =", "%2=", "line 3: expected ` = `"},
        {"relu(", "relu7(", "line 7: expected an operator at `relu7(%5) \"relu1\" gr`"},
        {"(%1, %3)", "(%1,%3)", "line 6: expected `, ` or `)` at `,%3)"},
        {"relu(%5)", "relu(%0)", "line 7: expected a node such as %1"},
        {"stride=[1,1]", "stride=[1,1,1]", "line 6: expected the operator's attributes"},
        {"role=image", "role=picture", "line 2: expected the operator's attributes"},
        {"lr_scale=1, ", "", "line 4: expected the operator's attributes"},
        {"a=0", "a=nan", "line 4: expected the operator's attributes"},
        {"a=0", "a=1e999", "line 4: expected the operator's attributes"},
        {"frozen=false", "frozen=0", "line 4: expected the operator's attributes"},
        {"group=1", "group=x", "line 6: expected a group's number"},
        {" frozen :", "  frozen :", "line 7: expected ` : ` and a type"},
        {"f32[]\n", "f32[] \n", "line 3: expected the end of the line"},
        {"\"relu1\"", "\"relu1", "line 7: expected a name in quotes"},
        {"\"relu1\"", "\"\\u0000\"", "line 7: expected a name in quotes"},
        {"output", "outputs", "line 11: expected a node, an output or `}`"},
        {"only=train", "only=both", "line 12: expected `train` or `deploy`"},
        {"\n}\n", "\n}\n\n", "line 13: expected the end of the text"},
        {"relu(%5)", "relu(%6)", "topological: %6 = relu reads %6, which is not before it"},
    };
    for (int i = 0; i < ARRAY_LEN(row); i++) {
        const char *error = NULL;
        CU_ASSERT_PTR_NULL(graph_read(arena, edited(step_text, row[i].from, row[i].to), &error));
        bool same = error && strncmp(error, row[i].error, strlen(row[i].error)) == 0;
        if (!same) printf("\n    %s\n    wants %s\n", error, row[i].error);
        CU_ASSERT_TRUE(same);
    }
}

static void break_operators(Graph *g) { g->node[7].op = OP_COUNT; }
static void break_arity(Graph *g) { g->node[7].n_in = 1; }
static void break_topological(Graph *g) { g->node[5].in[0] = 6; }
static void break_attributes(Graph *g) { g->node[9].attr.sgd.momentum = 1e308 * 10; }
static void break_attribute_word(Graph *g) { g->node[3].attr.param.init = INIT_COUNT; }
static void break_types(Graph *g) { g->node[6].type.dim[1] = 5; }
static void break_shapes(Graph *g) { g->node[8].attr.conv.in_c = 2; }
static void break_layouts(Graph *g) { g->node[6].type.layout.halo.left = -1; }
static void break_rows_halo(Graph *g) { g->node[6].type.layout.rows = true; }
static void break_batch_blocks(Graph *g) { g->node[6].type.layout.b0 = 2; }
static void break_weight_halo(Graph *g) { g->node[3].type.layout.halo.top = 1; }
static void break_stored_size(Graph *g) { g->node[6].type.layout.halo = (Halo){0, INT32_MAX, 0, INT32_MAX}; }
static void break_part(Graph *g, int32_t from, int32_t whole) {
    g->node[6].type.layout.from = from;
    g->node[6].type.layout.whole = whole;
}
static void break_part_without_whole(Graph *g) { break_part(g, 8, 0); }
static void break_part_beyond_whole(Graph *g) { break_part(g, 8, 11); }
static void break_part_in_mid_block(Graph *g) { break_part(g, 12, 16); }
static void break_part_of_a_block(Graph *g) { break_part(g, 8, 16); }
static void break_param_names(Graph *g) { g->node[4].name = g->node[3].name; }
static void break_param_without_name(Graph *g) { g->node[4].name = NULL; }
static void break_outputs(Graph *g) { g->output[1].ref = 10; }
static void break_effect_output(Graph *g) { g->output[1].ref = 9; }
static void break_output_kind(Graph *g) { g->output[1].only = ONLY_COUNT; }
static void break_group_of_source(Graph *g) { g->node[3].group = 2; }
static void break_group_number(Graph *g) { g->node[7].group = -1; }

/* %5 and %6 are of two layers and in one group. */
static void break_nofuse(Graph *g) { g->node[5].nofuse = true; }

/* conv and its wgrad in one group, relu_grad between them not. */
static void break_groups_by_a_detour(Graph *g) { g->node[8].group = 1; }

static void break_effects_target(Graph *g) { g->node[9].in[0] = 8; }

/* Something reads the weight after sgd has changed it. */
static void break_effects_order(Graph *g) {
    graph_output(g, name_of("late"), graph_op1(g, OP_relu, 3, NULL, 3), ONLY_BOTH);
}

/* Groups 7 = {10, 13} and 8 = {11, 12}: 10 -> 12 and 11 -> 13. Each is convex, but they wait for each other. */
static void break_groups_by_a_circle(Graph *g) {
    Ref a = graph_op1(g, OP_relu, 7, NULL, 7), b = graph_op1(g, OP_relu, 7, NULL, 7),
        c = graph_op1(g, OP_relu, a, NULL, 7), d = graph_op1(g, OP_relu, b, NULL, 7);
    graph_node(g, a)->group = graph_node(g, d)->group = 7;
    graph_node(g, b)->group = graph_node(g, c)->group = 8;
}

static void every_rule_can_be_broken(void) {
    static const struct {
        void (*damage)(Graph *g);
        const char *error;
    } row[] = {{break_operators, "operators: %7 has operator"},
               {break_arity, "arity: %7 = relu_grad has 1 operands"},
               {break_topological, "topological: %5 = conv reads %6, which is not before it"},
               {break_attributes, "attributes: %9 = sgd has an impossible `momentum`"},
               {break_attribute_word, "attributes: %3 = param has an impossible `init`"},
               {break_types, "types: %6 = relu should be f32[N,4,8,8]"},
               {break_shapes, "types: %8 = conv_wgrad: `conv_wgrad` has in_c = 2, but x has 3 channels"},
               {break_layouts, "layouts: %6 = relu cannot be stored as f32[N,4,8,8]{1,8;1,1,-1,1}"},
               {break_rows_halo, "layouts: %6 = relu cannot be stored as f32[N,4,8,8]{1,8;1,1,1,1;rows}"},
               {break_batch_blocks, "layouts: %6 = relu cannot be stored as f32[N,4,8,8]{2,8;1,1,1,1}"},
               {break_weight_halo, "layouts: %3 = param cannot be stored"},
               {break_stored_size, "layouts: %6 = relu cannot be stored"},
               {break_part_without_whole, "layouts: %6 = relu cannot be stored"},
               {break_part_beyond_whole, "layouts: %6 = relu cannot be stored as f32[N,4,8,8]{1,8;1,1,1,1;8/11}"},
               {break_part_in_mid_block, "layouts: %6 = relu cannot be stored"},
               {break_part_of_a_block, "layouts: %6 = relu cannot be stored"},
               {break_param_names, "params: %3 and %4 are both param \"conv1.weight\""},
               {break_param_without_name, "params: %4 = param has no name"},
               {break_effects_target, "effects: %9 = sgd changes %8, which is no param"},
               {break_effects_order, "effects: %10 = relu reads \"conv1.weight\" after %9 = sgd changed it"},
               {break_outputs, "outputs: \"debug\" is %10, which has no result"},
               {break_effect_output, "outputs: \"debug\" is %9, which has no result"},
               {break_output_kind, "outputs: \"debug\" is of kind 3"},
               {break_group_of_source, "groups: %3 = param cannot be in a group"},
               {break_group_number, "groups: %7 has group -1"},
               {break_nofuse, "groups: %6 = relu is in a kernel of another layer, against nofuse"},
               {break_groups_by_a_detour, "groups: group 1, of %5 = conv, would wait for itself"},
               {break_groups_by_a_circle, "groups: group 7, of %10 = relu, would wait for itself"}};
    CU_ASSERT_PTR_NULL(graph_verify(arena, step()));
    for (int i = 0; i < ARRAY_LEN(row); i++) {
        Graph *g = step();
        row[i].damage(g);
        const char *error = graph_verify(arena, g);
        bool same = error && strncmp(error, row[i].error, strlen(row[i].error)) == 0;
        if (!same) printf("\n    %s\n    wants %s\n", error ? error : "no offence", row[i].error);
        CU_ASSERT_TRUE(same);
    }
}

static void compaction_of_a_tidy_graph_changes_nothing(void) {
    Graph *g = step();
    Ref *map = graph_compact(g, arena);
    for (Ref r = 1; r < 10; r++) CU_ASSERT_EQUAL(map[r], r);
    CU_ASSERT_STRING_EQUAL(text_of(g), step_text);
}

static void compaction_drops_what_nobody_needs(void) {
    Graph *g = step();
    Ref dead = graph_op1(g, OP_relu, 7, NULL, 7);
    graph_op1(g, OP_relu, dead, NULL, 7);
    g->n_output = 1;
    graph_compact(g, arena);
    CU_ASSERT_EQUAL(g->n_node, 10);   /* relu_grad lives on: sgd needs it */
    Graph *empty = step();
    empty->n_output = 0;
    empty->n_node = 9;   /* without sgd */
    Ref *map = graph_compact(empty, arena);
    CU_ASSERT_EQUAL(empty->n_node, 2);   /* the picture, which every program is given */
    CU_ASSERT_EQUAL(map[1], 1);
    CU_ASSERT_EQUAL(map[6], 0);
}

/* A node appended at the end and put between two others lands right before the first that needs it. */
static void compaction_moves_late_nodes_forward(void) {
    Graph *g = step();
    Ref late = graph_op1(g, OP_relu, 5, NULL, 5);
    graph_node(g, late)->group = 1;
    graph_replace(g, 5, late);
    CU_ASSERT_EQUAL(g->node[6].in[0], late);
    CU_ASSERT_EQUAL(g->node[late].in[0], 5);
    Ref *map = graph_compact(g, arena);
    CU_ASSERT_EQUAL(map[5], 5);
    CU_ASSERT_EQUAL(map[late], 6);
    CU_ASSERT_EQUAL(map[9], 10);
    CU_ASSERT_PTR_NULL(graph_verify(arena, g));
}

/* A reader of the weight that was appended after sgd must still see the weight before the update. */
static void compaction_keeps_reads_before_updates(void) {
    Graph *g = step();
    Ref late = graph_op1(g, OP_relu, 3, NULL, 3);
    graph_output(g, name_of("late"), late, ONLY_BOTH);
    Ref *map = graph_compact(g, arena);
    CU_ASSERT_EQUAL(map[late], 9);
    CU_ASSERT_EQUAL(map[9], 10);
    CU_ASSERT_PTR_NULL(graph_verify(arena, g));
}

/* A layer used twice: two updates of one statistic keep their order and do not wait for each other. */
static void two_updates_of_one_param_keep_their_order(void) {
    Graph *g = graph_new(arena, name_of("twice"));
    Attr p = {.param = {.role = PARAM_BUFFER, .type = type_make(DT_F32, 1, (const int32_t[]){3})}};
    Attr x = {.input = {.role = INPUT_IMAGE, .type = type_make(DT_F32, 4, (const int32_t[]){BATCH, 3, 2, 2})}};
    Attr e = {.ema = {.momentum = 0.1, .pixels = 4}};
    Ref image = graph_add(g, OP_input, 0, NULL, &x, NULL, (Span){0}, NULL);
    Ref running = graph_add(g, OP_param, 0, NULL, &p, name_of("mean"), (Span){0}, NULL);
    Ref mean = graph_op1(g, OP_mean, image, NULL, image);
    Ref first = graph_op2(g, OP_ema, running, mean, &e, image), second = graph_op2(g, OP_ema, running, mean, &e, image);
    Ref *map = graph_compact(g, arena);
    CU_ASSERT_TRUE(map[first] && map[first] < map[second]);
    CU_ASSERT_PTR_NULL(graph_verify(arena, g));
}

/* 100000 nodes in a chain, in reverse order: neither the stack nor the time runs out. */
static void compaction_takes_long_chains(void) {
    enum { LENGTH = 100000 };
    Graph *g = graph_new(arena, name_of("chain"));
    Attr x = {.input = {.role = INPUT_IMAGE, .type = type_make(DT_F32, 4, (const int32_t[]){BATCH, 3, 2, 2})}};
    Ref image = graph_add(g, OP_input, 0, NULL, &x, NULL, (Span){0}, NULL);
    for (int i = 0; i < LENGTH; i++) graph_op1(g, OP_relu, image, NULL, image);
    for (Ref r = 2; r <= LENGTH; r++) g->node[r].in[0] = r + 1;
    graph_output(g, name_of("end"), 2, ONLY_BOTH);
    Ref *map = graph_compact(g, arena);
    CU_ASSERT_EQUAL(map[2], LENGTH + 1);
    CU_ASSERT_EQUAL(map[LENGTH + 1], 2);
    CU_ASSERT_PTR_NULL(graph_verify(arena, g));
}

static void replacing_reaches_operands_and_outputs(void) {
    Graph *g = step();
    graph_replace(g, 6, 5);
    CU_ASSERT_EQUAL(g->output[0].ref, 5);
    CU_ASSERT_TRUE(g->node[7].in[0] == 5 && g->node[7].in[1] == 5);
}

static void uses_and_readers_count_the_same(void) {
    const Graph *g = step();
    int32_t *uses = graph_uses(g, arena);
    Readers r = graph_readers(g, arena);
    static const int32_t want[10] = {0, 2, 1, 2, 1, 1, 3, 2, 1, 0};   /* 6 and 7 are outputs too */
    for (int i = 0; i < 10; i++) {
        CU_ASSERT_EQUAL(uses[i], want[i]);
        CU_ASSERT_EQUAL(r.start[i + 1] - r.start[i], want[i] - (i == 6 || i == 7));
    }
    CU_ASSERT_TRUE(r.node[r.start[1]] == 5 && r.node[r.start[1] + 1] == 8);
    CU_ASSERT_TRUE(r.node[r.start[6]] == 7 && r.node[r.start[6] + 1] == 7);
}

static void names_are_found(void) {
    const Graph *g = step();
    CU_ASSERT_EQUAL(graph_find_output(g, "debug"), 7);
    CU_ASSERT_EQUAL(graph_find_output(g, "conv1"), 0);
    CU_ASSERT_EQUAL(graph_find_param(g, name_of("conv1.weight.momentum")), 4);
    CU_ASSERT_EQUAL(graph_find_param(g, name_of("conv1")), 0);
}

static void clones_share_nothing(void) {
    Graph *g = step(), *copy = graph_clone(arena, g);
    copy->node[7].in[0] = 5;
    copy->node[9].attr.sgd.momentum = 0;
    copy->output[0].ref = 5;
    graph_op1(copy, OP_relu, 5, NULL, 6);
    CU_ASSERT_TRUE(copy->node[10].frozen && copy->node[10].name == copy->node[6].name);
    CU_ASSERT_STRING_EQUAL(text_of(g), step_text);
}

/* A pass that builds what does not fit is our mistake: exit 70, not a message about the model. */
static void misfits_of_passes_are_internal_errors(void) {
    fflush(stdout);
    pid_t child = fork();
    CU_ASSERT_FATAL(child >= 0);
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr)) _exit(1);
        graph_op2(step(), OP_add, 1, 6, NULL, 6);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 70);
}

/* AlexNet's first layers in grouped form; forward, backward to data and backward to weights take the same. */
static void macs_are_counted(void) {
    static const char text[] =
        "graph macs {\n"
        "  %1 = input {role=image, type=f32[N,96,27,27]} : f32[N,96,27,27]\n"
        "  %2 = param {role=weight, init=he, a=0, b=0, frozen=false, lr_scale=1, weight_decay=0, type=f32[256,48,5,5]} "
        "\"w\" : f32[256,48,5,5]\n"
        "  %3 = conv(%1, %2) {kernel=[5,5], stride=[2,2], dilation=[1,1], pad=[2,2,2,2], groups=2, in_c=0, in_h=0, "
        "in_w=0} : f32[N,256,14,14]\n"
        "  %4 = swap_io(%2) {kernel=[5,5], stride=[1,1], dilation=[1,1], pad=[0,0,0,0], groups=2, in_c=0, in_h=0, "
        "in_w=0} : f32[96,128,5,5]\n"
        "  %5 = conv_dgrad(%3, %4) {kernel=[5,5], stride=[2,2], dilation=[1,1], pad=[2,2,2,2], groups=2, in_c=96, "
        "in_h=27, in_w=27} : f32[N,96,27,27]\n"
        "  %6 = conv_wgrad(%3, %1) {kernel=[5,5], stride=[2,2], dilation=[1,1], pad=[2,2,2,2], groups=2, in_c=96, "
        "in_h=0, in_w=0} : f32[256,48,5,5]\n"
        "  %7 = fill {value=1, per_picture=false, type=f32[10,96,27,27]} : f32[10,96,27,27]\n"
        "  %8 = fc(%1, %7) : f32[N,10]\n"
        "  %9 = fc_dgrad(%8, %7) : f32[N,96,27,27]\n"
        "  %10 = fc_wgrad(%8, %1) : f32[10,96,27,27]\n"
        "}\n";
    const int64_t conv = 256LL * 14 * 14 * 48 * 25, fc = 10LL * 96 * 27 * 27;
    const int64_t want[11] = {0, 0, 0, conv, 0, conv, conv, 0, fc, fc, fc};
    const char *error = NULL;
    const Graph *g = graph_read(arena, text, &error);
    if (!g) printf("\n    %s\n", error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(g);
    for (Ref r = 1; r <= 10; r++) CU_ASSERT_EQUAL(node_macs(g, graph_node(g, r)), want[r]);
}

int main(void) {
    arena = arena_new();
    if (CU_initialize_registry() != CUE_SUCCESS) return 1;
    CU_pSuite s = CU_add_suite("graph", NULL, NULL);
    CU_ADD_TEST(s, text_reads_back);
    CU_ADD_TEST(s, reading_is_strict);
    CU_ADD_TEST(s, every_rule_can_be_broken);
    CU_ADD_TEST(s, compaction_of_a_tidy_graph_changes_nothing);
    CU_ADD_TEST(s, compaction_drops_what_nobody_needs);
    CU_ADD_TEST(s, compaction_moves_late_nodes_forward);
    CU_ADD_TEST(s, compaction_keeps_reads_before_updates);
    CU_ADD_TEST(s, two_updates_of_one_param_keep_their_order);
    CU_ADD_TEST(s, compaction_takes_long_chains);
    CU_ADD_TEST(s, replacing_reaches_operands_and_outputs);
    CU_ADD_TEST(s, uses_and_readers_count_the_same);
    CU_ADD_TEST(s, names_are_found);
    CU_ADD_TEST(s, clones_share_nothing);
    CU_ADD_TEST(s, misfits_of_passes_are_internal_errors);
    CU_ADD_TEST(s, macs_are_counted);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    arena_free(arena);
    return failures != 0;
}
