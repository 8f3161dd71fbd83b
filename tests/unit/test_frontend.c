/* The front end as a whole: values of compile-time expressions, names and attributes of what layers build, training
 * settings that reach the graph. Each net is written to a file, because files are what the front end reads. */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../frontend/frontend.h"
#include "../../frontend/settings.h"

static char path[64];

static void write_net(const char *text) {
    FILE *f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f)) exit(70);
}

/* The unit of that text, NULL if it has mistakes (printed). */
static Unit *build(Arena *a, const char *text, const Definition *d, int n) {
    write_net(text);
    Unit *u = NEW(a, Unit);
    *u = (Unit){.arena = a, .diags = diag_new(a)};
    if (frontend_build(u, path, &(FrontendOptions){.definition = d, .n_definition = n})) return u;
    diag_print(u->diags);
    return NULL;
}

#define INPUT "cnnc 1\ninput image { size = 8x8 }\n"
#define NET "net n(image) { output y = image -> flatten -> fc(2) }\n"

static const struct { const char *expression, *json; } values[] = {
    {"7 / 2", "3.5"}, {"7 / 2 * 2", "7"}, {"1 / 3 * 3", "1"}, {"-7 % 3", "2"}, {"7.5 % 2", "1.5"}, {"64 << 3", "512"},
    {"0.1 + 0.2", "0.30000000000000004"}, {"61M", "61000000"}, {"50%", "0.5"}, {"2 MiB", "2097152"},
    {"3 * 5 epochs", "{\"value\": 15, \"unit\": \"epochs\"}"}, {"20 min / 2", "{\"value\": 600, \"unit\": \"s\"}"},
    {"20 min / 10 sec", "120"}, {"0..3", "[0, 1, 2]"}, {"3..0", "[]"}, {"[1] + [2, 3]", "[1, 2, 3]"},
    {"[4, 5][1]", "5"}, {"min(3, 2, 4)", "2"}, {"max([3, 2.5])", "3"}, {"len([1, 2])", "2"}, {"abs(-3 / 2)", "1.5"},
    {"ceil(7 / 2)", "4"}, {"floor(-7 / 2)", "-4"}, {"ceil(-3.5)", "-3"}, {"enumerate([7, 8])", "[[0, 7], [1, 8]]"},
    {"\"a{1 + 1}-{3x4}\"", "\"a2-3x4\""}, {"\"{00..07}\"", "\"{00..07}\""}, {"\"\\{1\\}\"", "\"{1}\""},
    {"1 < 2 and not 3 == 4", "true"}, {"true or 1 / 0 == 1", "true"}, {"[1, [2]] == [1, [2.0]]", "true"},
    {"1 if 2 > 3 else 4", "4"}, {"224x112", "[224, 112]"}, {"224x112.width", "112"}, {"1 -> min(2) -> max(3)", "3"},
    {"- -2", "2"}, {"min(*[5, 4])", "4"}, {"9223372036854775807", "9223372036854775807"},
    /* Beyond what doubles tell apart, and results that fit where products of their parts do not. */
    {"9007199254740993 > 9007199254740992", "true"}, {"9007199254740993 == 9007199254740992", "false"},
    {"1 / 9223372036854775807 < 1 / 9223372036854775806", "true"}, {"min(9007199254740993, 9007199254740992)", "9007199254740992"},
    {"max(9007199254740993, 9007199254740992)", "9007199254740993"}, {"9007199254740993 / 2 <= 9007199254740992 / 2", "false"},
    {"9223372036854775805 / 2 + 9223372036854775805 / 2", "9223372036854775805"},
    {"9223372036854775807 / 2 - 9223372036854775805 / 2", "1"}, {"9223372036854775807 / 3 * 3", "9223372036854775807"},
    {"9223372036854775807 / 2 / (9223372036854775807 / 4)", "2"}, {"9223372036854775807 / 2 % (1 / 2)", "0"},
    {"-9223372036854775807 % 2", "1"}, {"9223372036854775807 % -2", "-1"},
    {"9223372036854775807 / 7 % (9223372036854775807 / 5) * 7", "9223372036854775807"},
};

static void test_values(void) {
    for (int i = 0; i < ARRAY_LEN(values); i++) {
        Arena *a = arena_new();
        const char *text = arena_printf(a, INPUT NET "option v = %s\n", values[i].expression);
        const Unit *u = build(a, text, NULL, 0);
        const char *expected = arena_printf(a, "{\"v\": %s}", values[i].json);
        CU_ASSERT_PTR_NOT_NULL(u);
        if (u && strcmp(u->options_json, expected) != 0)
            printf("%s: expected %s, got %s\n", values[i].expression, expected, u->options_json);
        CU_ASSERT(u && !strcmp(u->options_json, expected));
        arena_free(a);
    }
}

static void test_definitions(void) {
    Arena *a = arena_new();
    const Definition d[] = {{"k", "3"}, {"path", "a b"}, {"k", "2 + 3"}};
    const Unit *u =
        build(a, INPUT NET "option k = 1 in 1..9\noption path = \"x\"\noption p = 0.5 in [0.0, 0.9]\n", d, 3);
    CU_ASSERT(u && !strcmp(u->options_json, "{\"k\": 5, \"path\": \"a b\", \"p\": 0.5}"));
    arena_free(a);
}

static const char blocks[] = INPUT
    "block unit(x, n, k=1, m=n * 2) {\n"
    "    x = x -> conv(n, k, bias=false) -> bn\n"
    "    if m == 6 { x = x -> conv(m, 1)@name(\"wide\") }\n"
    "    return x -> relu\n"
    "}\n"
    "net n(image) {\n"
    "    x = image -> conv(4, 3, pad=[1, 2, 3, 4]) -> unit(2) -> unit(3)@name(\"u\") -> unit(n=2, k=[1, 2])\n"
    "    for i in 0..2 { x = x -> fork(unit(1), relu -> unit(1), identity) -> concat }\n"
    "    x = x + x -> maxpool(2) -> flatten -> fc(5, bias=0.5)@name(\"head\")@freeze()\n"
    "    output y = softmax(x)\n"
    "}\n";

/* A block of numbers is called with all its arguments, or with the first by name; with fewer it waits for a tensor. */
static void test_blocks_of_numbers(void) {
    static const char text[] = INPUT
        "block whole(v) { return floor((v + 4) / 8) * 8 }\n"
        "block multiple(v, of=8) { return max(of, whole(v * 8 / of) / 8 * of) }\n"
        "block unit(x, n) { return x -> conv(n, 1) }\n"
        "net n(image) {\n"
        "    x = image -> conv(whole(37), 3) -> conv(multiple(2, 4), 3) -> unit(multiple(v=21.0))\n"
        "    x = x -> fork(unit(whole(9)), unit(whole(17))) -> concat\n"
        "    output y = x -> flatten -> fc(x.channels)\n"
        "}\n";
    static const struct { const char *name; int64_t out; } layer[] = {
        {"conv1", 40}, {"conv2", 4}, {"unit1.conv1", 24}, {"unit2.conv1", 8}, {"unit3.conv1", 16}, {"fc1", 24}};
    Arena *a = arena_new();
    const Unit *u = build(a, text, NULL, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(u);
    for (int i = 0; i < ARRAY_LEN(layer); i++) {
        Ref r = graph_find_param(u->net, name_of(arena_printf(a, "%s.bias", layer[i].name)));
        CU_ASSERT_FATAL(r != 0);
        CU_ASSERT(graph_node(u->net, r)->type.dim[0] == layer[i].out);
    }
    arena_free(a);
}

static const char *const block_params[] = {
    "conv1.weight", "conv1.bias", "unit1.conv1.weight", "unit1.bn1.running_var", "u.conv1.weight", "u.wide.weight",
    "u.wide.bias", "unit2.conv1.weight", "unit3.conv1.weight", "unit4.bn1.bias", "unit6.conv1.weight", "head.weight",
};

static void test_blocks(void) {
    Arena *a = arena_new();
    const Unit *u = build(a, blocks, NULL, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(u);
    for (int i = 0; i < ARRAY_LEN(block_params); i++) {
        Ref r = graph_find_param(u->net, name_of(block_params[i]));
        if (!r) printf("no parameter %s\n", block_params[i]);
        CU_ASSERT(r != 0);
    }
    CU_ASSERT(graph_find_param(u->net, name_of("unit7.conv1.weight")) == 0);
    const Node *bias = graph_node(u->net, graph_find_param(u->net, name_of("head.bias")));
    CU_ASSERT(bias->attr.param.frozen && bias->attr.param.init == INIT_CONSTANT && bias->attr.param.a == 0.5);
    CU_ASSERT(!graph_node(u->net, graph_find_param(u->net, name_of("conv1.bias")))->attr.param.frozen);
    CU_ASSERT(graph_node(u->net, graph_find_param(u->net, name_of("conv1.bias")))->attr.param.a == 27);
    CU_ASSERT_PTR_NULL(graph_verify(a, u->net));
    arena_free(a);
}

/* Layers that stand for several, and what they stand for; windows of spp that divide the plane, and others. */
static const char *const composed[][2] = {
    {INPUT "net n(image) { output y = image -> conv(4, 2) -> spp([7, 2, 1]) -> fc(3) }\n",
     INPUT "net n(image) { output y = image -> conv(4, 2) -> fork(maxpool(to=7) -> flatten, maxpool(to=2) -> flatten,\n"
           "maxpool(global=true) -> flatten) -> concat -> fc(3) }\n"},
    {INPUT "net n(image) { output y = image -> conv(4, [2, 3]) -> se(2) -> flatten -> fc(3) }\n",
     INPUT "net n(image) {\n    x = image -> conv(4, [2, 3])\n"
           "    s = x -> avgpool(global=true) -> conv(2, 1)@name(\"se1.fc1\") -> relu -> conv(4, 1)@name(\"se1.fc2\") -> sigmoid\n"
           "    output y = mul(x, s) -> flatten -> fc(3)\n}\n"},
    {INPUT "net n(image) { output y = image -> conv(8, 1) -> se(3, init=he) -> flatten -> fc(3) }\n",
     INPUT "net n(image) {\n    x = image -> conv(8, 1)\n"
           "    s = x -> avgpool(global=true) -> conv(3, 1, init=he)@name(\"se1.fc1\") -> relu\n"
           "          -> conv(8, 1, init=he)@name(\"se1.fc2\") -> sigmoid\n"
           "    output y = mul(x, s) -> flatten -> fc(3)\n}\n"},
};

static void same_graph(const char *const *text) {
    Arena *a = arena_new();
    const Unit *u[] = {build(a, text[0], NULL, 0), build(a, text[1], NULL, 0)};
    CU_ASSERT_FATAL(u[0] && u[1] && u[0]->net->n_node == u[1]->net->n_node);
    for (Ref r = 1; r < (Ref)u[0]->net->n_node; r++) {
        const Node *one = graph_node(u[0]->net, r), *other = graph_node(u[1]->net, r);
        CU_ASSERT(one->op == other->op && type_equal(&one->type, &other->type));
        CU_ASSERT(one->n_in == other->n_in && !memcmp(one->in, other->in, (size_t)one->n_in * sizeof *one->in));
        CU_ASSERT(!memcmp(&one->attr, &other->attr, sizeof one->attr));
        CU_ASSERT(one->op != OP_param || one->name == other->name);
    }
    arena_free(a);
}

static void test_composed(void) {
    for (int i = 0; i < ARRAY_LEN(composed); i++) same_graph(composed[i]);
}

static const char train[] = INPUT
    "net n(image) {\n"
    "    x = image -> conv(4, 3, bias=false) -> bn -> relu -> conv(2, 1) -> flatten\n"
    "    logits = x -> fc(3)\n"
    "    output aux = x -> fc(3) only train\n"
    "    output scores = softmax(logits)\n"
    "}\n"
    "train {\n"
    "    loss = cross_entropy(logits, smoothing=0.1) + 0.3 * (aux -> cross_entropy)\n"
    "    optimizer = sgd(momentum=0.9, weight_decay=0.01)\n"
    "    group \"*.bias\" { weight_decay = 0 }\n"
    "    group \"conv2\" { lr_scale = 2 }\n"
    "    freeze = [\"conv1\", \"bn*\"]\n"
    "    lr = warmup(1 epochs) -> cosine(0.1, to=0, for=4 epochs) -> 0.001\n"
    "    stop = 9 epochs\n"
    "}\n";

static const char variants[] = INPUT
    "net n(image) {\n"
    "    logits = image -> flatten -> fc(3)\n"
    "    output scores = softmax(logits)\n"
    "}\n"
    "data cats { workers = 3 }\n"
    "train { loss = cross_entropy(logits)\nlr = 0.1\nstop = 1 epochs\n}\n"
    "train slow { loss = cross_entropy(logits)\nlr = 0.01\nstop = 1 epochs\nbatch = 8\nfreeze = \"fc1.bias\"\n}\n"
    "deploy half { weights = fp16 }\n"
    "deploy { }\n";

static const ParamAttr *param(const Unit *u, const char *name) {
    return &graph_node(u->net, graph_find_param(u->net, name_of(name)))->attr.param;
}

/* The section that is chosen holds, and the others leave no trace. */
static void test_named_sections(void) {
    for (int named = 0; named < 2; named++) {
        Arena *a = arena_new();
        Unit *u = NEW(a, Unit);
        const FrontendOptions o = {.train = named ? "slow" : NULL, .deploy = named ? "half" : NULL};
        write_net(variants);
        *u = (Unit){.arena = a, .diags = diag_new(a)};
        CU_ASSERT_FATAL(frontend_build(u, path, &o));
        CU_ASSERT(u->train.present && u->train.n_loss == 1 && u->train.batch == (named ? 8 : 32));
        CU_ASSERT_EQUAL(param(u, "fc1.bias")->frozen, named);
        CU_ASSERT_EQUAL(u->half_weights, named);
        CU_ASSERT_PTR_NOT_NULL(strstr(u->settings_json, named ? "\"base\": 0.01}" : "\"base\": 0.1}"));
        CU_ASSERT_PTR_NULL(strstr(u->settings_json, named ? "\"base\": 0.1}" : "\"base\": 0.01}"));
        CU_ASSERT_PTR_NOT_NULL(strstr(u->settings_json, "\"data\": {\"cats\": {\"workers\": 3"));
        CU_ASSERT_PTR_NULL(strstr(u->settings_json, "slow"));
        CU_ASSERT_EQUAL(u->diags->n_message, 0);
        arena_free(a);
    }
}

static void test_freeze_all(void) {
    Arena *a = arena_new();
    const Unit *u = build(a, INPUT "net n(image) { logits = image -> conv(2, 3) -> bn -> flatten -> fc(3)\n"
                             "output y = softmax(logits) }\ntrain { loss = cross_entropy(logits)\nlr = 0.1\n"
                             "stop = 1 epochs\nfreeze = all(except=[\"fc*\", \"bn1.weight\"])\n}\n", NULL, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(u);
    CU_ASSERT(param(u, "conv1.weight")->frozen && param(u, "bn1.bias")->frozen && param(u, "bn1.running_mean")->frozen);
    CU_ASSERT(!param(u, "fc1.weight")->frozen && !param(u, "fc1.bias")->frozen && !param(u, "bn1.weight")->frozen);
    arena_free(a);
}

/* What later.def lists is refused as such: a row whose name has come is found here. */
static void test_later(void) {
    static const char *const later[][2] = {
#define LATER(where, name) {#where, #name},
#include "../../frontend/later.def"
#undef LATER
    };
    static const char *const sections[] = {"input", "data", "train", "eval", "deploy"};
    for (int i = 0; i < ARRAY_LEN(later); i++) {
        const char *where = later[i][0], *name = later[i][1];
        CU_ASSERT(settings_is_later(where, name));
        CU_ASSERT_PTR_NULL(settings_call_find(where, name));
        if (!strcmp(where, "section")) CU_ASSERT_PTR_NULL(section_find(name));
        for (int k = 0; k < ARRAY_LEN(sections); k++) {
            if (strcmp(where, sections[k]) != 0) continue;
            Elab *e = &(Elab){.arena = arena_new()};
            e->diags = diag_new(e->arena);
            const Signature *s = signature_of(e, section_find(where)->keys);
            for (int p = 0; p < s->n; p++) CU_ASSERT_STRING_NOT_EQUAL(s->param[p].name, name);
            arena_free(e->arena);
        }
    }
}

static void test_train(void) {
    Arena *a = arena_new();
    const Unit *u = build(a, train, NULL, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(u);
    CU_ASSERT(u->train.present && u->train.n_loss == 2 && u->train.batch == 32);
    CU_ASSERT(u->train.loss[0].attr.loss.smoothing == 0.1 && u->train.loss[1].weight == 0.3);
    CU_ASSERT(u->train.loss[1].logits == graph_find_output(u->net, "aux"));
    CU_ASSERT(param(u, "fc1.weight")->weight_decay == 0.01 && param(u, "fc1.bias")->weight_decay == 0);
    CU_ASSERT(param(u, "conv2.bias")->lr_scale == 2 && param(u, "fc1.bias")->lr_scale == 1);
    CU_ASSERT(param(u, "conv1.weight")->frozen && param(u, "bn1.running_var")->frozen &&
              !param(u, "conv2.weight")->frozen);
    int frozen = 0;
    for (int32_t i = 1; i < u->net->n_node; i++) frozen += u->net->node[i].op != OP_param && u->net->node[i].frozen;
    CU_ASSERT_EQUAL(frozen, 2);   /* conv1 and bn1 */
    CU_ASSERT(strstr(u->settings_json,
                     "\"lr\": [{\"call\": \"warmup\", \"for\": {\"value\": 1, \"unit\": \"epochs\"}, "
                     "\"from\": 0}, {\"call\": \"cosine\", \"base\": 0.1, \"to\": 0, \"for\": {\"value\": "
                     "4, \"unit\": \"epochs\"}}, {\"call\": \"constant\", \"base\": 0.001}]") != NULL);
    arena_free(a);
}

/* Several mistakes in one run, in source order, and one message for a mistake that a loop repeats. */
static void test_many_errors(void) {
    Arena *a = arena_new();
    write_net(INPUT "const a = 1 +\nnet n(image) {\n    for i in 0..9 { x = image -> conv(3, 9) }\n"
                    "    y = image -> nothing\n    output z = image -> relu(q=1) -> conv()\n}\n");
    Unit *u = NEW(a, Unit);
    *u = (Unit){.arena = a, .diags = diag_new(a)};
    CU_ASSERT(!frontend_build(u, path, NULL));
    int n[4] = {0};
    static const char *const code[] = {"E0010", "E0304", "E0101", "E0107"};
    for (int i = 0; i < u->diags->n_message; i++)
        for (int k = 0; k < 4; k++) n[k] += u->diags->message[i].code == name_of(code[k]);
    for (int k = 0; k < 4; k++) CU_ASSERT_EQUAL(n[k], 1);
    arena_free(a);
}

int main(void) {
    snprintf(path, sizeof path, "/tmp/test_frontend.XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0 || close(fd) || CU_initialize_registry() != CUE_SUCCESS) return 1;
    CU_pSuite suite = CU_add_suite("frontend", NULL, NULL);
    CU_add_test(suite, "values of expressions", test_values);
    CU_add_test(suite, "definitions on the command line", test_definitions);
    CU_add_test(suite, "blocks, names, pipelines", test_blocks);
    CU_add_test(suite, "blocks of numbers", test_blocks_of_numbers);
    CU_add_test(suite, "layers that stand for several", test_composed);
    CU_add_test(suite, "train section", test_train);
    CU_add_test(suite, "all parameters frozen but some", test_freeze_all);
    CU_add_test(suite, "names of later versions", test_later);
    CU_add_test(suite, "sections with names", test_named_sections);
    CU_add_test(suite, "several mistakes in one run", test_many_errors);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    unlink(path);
    return failures != 0;
}
