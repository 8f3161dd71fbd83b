/* cnnc_model: a good text is understood, and each kind of broken one is refused as our own bug, never crashed on. */
#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/model.h"
#include "toy_net.h"

static void test_good(void) {
    RtError err = {.code = RT_OK};
    Model *m = model_parse(toy_model, "{}", NULL, TOY_KERNELS, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(m);
    CU_ASSERT_STRING_EQUAL(m->name, "toy");
    CU_ASSERT_EQUAL(model_image_bytes(m), 3 * 4 * 4 * 4);
    CU_ASSERT_EQUAL(m->n_param, 2);
    CU_ASSERT_EQUAL(m->param[0].elements, 144);
    CU_ASSERT_EQUAL(form_stored(&m->param[0].form), 192);
    CU_ASSERT_EQUAL(m->train.n_step, 3);
    CU_ASSERT_EQUAL(m->train.step[2].n_arg, 7);
    CU_ASSERT_EQUAL(m->infer.macs, 144);
    CU_ASSERT_PTR_NOT_NULL(model_section(m, "train"));
    CU_ASSERT_PTR_NULL(model_section(m, "eval"));
    CU_ASSERT(model_gives_probabilities(m));
    CU_ASSERT_STRING_EQUAL(program_scores(&m->train)->name, "loss"); /* no "scores" there: the first */
    model_free(m);
}

#define SIZE(height, programs) "{\"sizes\": [{\"height\": " height ", \"width\": 6, \"programs\": {" programs "}}]}"

/* Programs for pictures of another size: found by it, checked like the others. */
static void test_sizes(void) {
    static const char *const bad[] = {SIZE("0", "\"infer\": " TOY_INFER), SIZE("8", "\"infer\": " TOY_TRAIN),
                                      SIZE("8", "\"train\": " TOY_INFER), SIZE("8", "\"train\": {}")};
    RtError err = {.code = RT_OK};
    Model *m = model_parse(toy_model, SIZE("8", "\"infer\": " TOY_INFER), NULL, TOY_KERNELS, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(m);
    const ModelProgram *p = model_program(m, "infer", 8, 6, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    CU_ASSERT(p != &m->infer && p->n_step == m->infer.n_step && program_image_bytes(m, p) == 3 * 8 * 6 * 4);
    CU_ASSERT_PTR_EQUAL(model_program(m, "train", 4, 4, &err), &m->train);
    CU_ASSERT_EQUAL(err.code, RT_OK);
    CU_ASSERT_PTR_NULL(model_program(m, "train", 8, 6, &err));
    CU_ASSERT_EQUAL(err.code, RT_INTERNAL);
    model_free(m);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        err = (RtError){.code = RT_OK};
        CU_ASSERT_PTR_NULL(model_parse(toy_model, bad[i], NULL, TOY_KERNELS, &err));
        CU_ASSERT_EQUAL(err.code, RT_INTERNAL);
    }
}

/* Element (picture, channel, position) of an output of shape [5,2,3] in blocks of 4, in a batch of 7. */
static void test_output_address(void) {
    ModelOutput o = {.offset = 128, .stride = 256, .channels = 5, .plane = 6, .block = 4};
    CU_ASSERT_EQUAL(output_address(&o, 7, 0, 0, 0), 128 * 7);
    CU_ASSERT_EQUAL(output_address(&o, 7, 2, 3, 0), 128 * 7 + 2 * 256 + 3 * 4);
    CU_ASSERT_EQUAL(output_address(&o, 7, 0, 3, 5), 128 * 7 + (5 * 4 + 3) * 4);
    CU_ASSERT_EQUAL(output_address(&o, 7, 1, 4, 5), 128 * 7 + 256 + (6 * 4 + 5 * 4) * 4);
}

#define PARAM(shape, block, offset, bytes)                                                                             \
    "{\"name\": \"w\", \"role\": \"weight\", \"shape\": " shape ", \"block\": " block ", \"offset\": " offset          \
    ", \"bytes\": " bytes ", \"init\": {\"kind\": \"he\"}}"
#define PARAMS(p) TOY_MODEL("[" p "]", TOY_STATE, TOY_INFER, TOY_TRAIN, TOY_SETTINGS)
#define INFER(batch, steps, outputs)                                                                                   \
    TOY_MODEL(TOY_PARAMS, TOY_STATE,                                                                                   \
              "{\"batch_bytes\": " batch ", \"fixed_bytes\": 0, \"once\": 0, \"steps\": [" steps "], "                 \
              "\"outputs\": {" outputs "}}",                                                                           \
              "null", TOY_SETTINGS)
#define STEP(kernel, args, tasks) "{\"kernel\": " kernel ", \"args\": " args ", \"tasks\": " tasks "}"
#define SCORES(region, offset, shape, block)                                                                           \
    "\"scores\": {\"region\": " region ", \"offset\": " offset ", \"shape\": " shape ", \"block\": " block "}"
#define FINE SCORES("\"batch\"", "0", "[3]", "[1,16]")

static const char *const broken[] = {
    "",
    "{",
    "[]",
    "{\"abi\": 2}",
    "{\"abi\": 1}",
    TOY_MODEL(TOY_PARAMS, TOY_STATE, "null", TOY_TRAIN, TOY_SETTINGS), /* no infer */
    TOY_MODEL("null", TOY_STATE, TOY_INFER, TOY_TRAIN, TOY_SETTINGS),
    TOY_MODEL(TOY_PARAMS, "[1]", TOY_INFER, TOY_TRAIN, TOY_SETTINGS),
    PARAMS(PARAM("[3,48]", "[4,1]", "0", "760")),   /* smaller than its elements */
    PARAMS(PARAM("[3,48]", "[4,1]", "128", "768")), /* beyond the region */
    PARAMS(PARAM("[3,48]", "[4,1]", "32", "768")),  /* not on 64 bytes */
    PARAMS(PARAM("[3,48]", "[4,1]", "-64", "768")),
    PARAMS(PARAM("[3,48]", "[0,1]", "0", "768")),
    PARAMS(PARAM("[3,0]", "[4,1]", "0", "768")),
    PARAMS(PARAM("[3,1,1,1,1]", "[4,1]", "0", "768")),
    PARAMS(PARAM("[2147483647,2147483647,2147483647,2147483647]", "[1,1]", "0", "768")),
    PARAMS(PARAM("[3,48]", "[4,1]", "0", "9223372036854775807")),
    PARAMS(PARAM("[3,48]", "[4,1]", "0", "768.5")),
    INFER("64", STEP("4", "[]", "1"), FINE), /* no such kernel */
    INFER("64", STEP("-1", "[]", "1"), FINE),
    INFER("64", STEP("0", "[]", "-1"), FINE),
    INFER("64", STEP("0", "[[\"batch\", 64]]", "1"), FINE), /* an address outside its region */
    INFER("64", STEP("0", "[[\"batch\", -4]]", "1"), FINE),
    INFER("64", STEP("0", "[[\"fixed\", 0]]", "1"), FINE),
    INFER("64", STEP("0", "[[\"image\", 64]]", "1"), FINE),
    INFER("64", STEP("0", "[[\"stack\", 0]]", "1"), FINE),
    INFER("64", STEP("0", "[[\"batch\"]]", "1"), FINE),
    INFER("64", STEP("0", "[7]", "1"), FINE),
    INFER("64", STEP("0", "7", "1"), FINE),
    INFER("64", STEP("0", "[], \"release\": [[0, 0]]", "1"), FINE), /* in no once-step */
    INFER("64", STEP("0", "[], \"release\": [[0, 64]]", "1"), FINE),
    INFER("64", STEP("0", "[], \"release\": [[0, 4096]]", "1"), FINE), /* beyond the region */
    INFER("64", STEP("0", "[], \"release\": [0]", "1"), FINE),
    INFER("64", "", ""), /* no output */
    INFER("64", "", SCORES("\"fixed\"", "0", "[3]", "[1,16]")),
    INFER("64", "", SCORES("\"batch\"", "64", "[3]", "[1,16]")),
    INFER("64", "", SCORES("\"batch\"", "0", "[17]", "[1,16]")), /* 32 floats in 64 bytes */
    INFER("64", "", SCORES("\"batch\"", "0", "[4]", "[1,16]")),  /* not the number of classes */
    INFER("64", "", SCORES("\"batch\"", "0", "[3]", "[2,16]")),
};

static void test_broken(void) {
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        RtError err = {.code = RT_OK};
        Model *m = model_parse(broken[i], "{}", NULL, TOY_KERNELS, &err);
        CU_ASSERT_PTR_NULL(m);
        CU_ASSERT_EQUAL(err.code, RT_INTERNAL);
        if (m) fprintf(stderr, "not refused: %zu\n", i);
        model_free(m);
    }
    RtError err = {.code = RT_OK};
    Model *fine = model_parse(INFER("64", STEP("0", "[[\"batch\", 0]]", "1"), FINE), "{}", NULL, TOY_KERNELS, &err);
    CU_ASSERT_PTR_NOT_NULL(fine); /* so that the texts above are refused for what they say they are */
    model_free(fine);
}

/* Every prefix and every text with one byte changed is refused or understood, but neither crashes nor leaks. */
static void test_damaged(void) {
    size_t n = strlen(toy_model);
    char *text = malloc(n + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    for (size_t i = 0; i < n; i++) {
        RtError err = {.code = RT_OK};
        memcpy(text, toy_model, n + 1);
        if (i % 2)
            text[i] = '\0';
        else
            text[i] = text[i] == '0' ? '9' : '0';
        model_free(model_parse(text, "{}", NULL, TOY_KERNELS, &err));
    }
    CU_PASS("no crash");
    free(text);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("model", NULL, NULL);
    CU_add_test(suite, "good", test_good);
    CU_add_test(suite, "sizes", test_sizes);
    CU_add_test(suite, "output address", test_output_address);
    CU_add_test(suite, "broken", test_broken);
    CU_add_test(suite, "damaged", test_damaged);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed > 0;
}
