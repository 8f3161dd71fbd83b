/* Ten crops: the scores of a picture against crops that are cut, and a net that is run, by hand. */
#include <CUnit/Basic.h>
#include <math.h>

#include "pictures.h"
#include "runtime/evaluate.h"
#include "runtime/init.h"
#include "toy_net.h"

enum { WIDTH = 9, HEIGHT = 7, SIDE = 4, PER_CLASS = 5, ALL = TOY_OUT * PER_CLASS };

#define SETTINGS(crops)                                                                                                \
    "{\"input\": {\"colour\": \"rgb\", \"size\": [4,4], \"crop\": {\"call\": \"centre\", \"size\": [4,4]}," \
    " \"mean\": [0.5,0.5,0.5], \"std\": [0.25,0.25,0.25]},"                                                          \
    " \"data\": {\"\": {\"on_error\": {\"call\": \"skip\", \"at_most\": 0.1}}},"                                       \
    " \"eval\": {\"\": {\"batch\": 7, \"crops\": " crops "}}}"

static unsigned painted; /* which picture paint_noise paints */

static uint8_t noise(unsigned picture, int x, int y, int c) {
    return (uint8_t)((picture * 7907u + (unsigned)(x * 7919 + y * 104729 + c * 1299709)) * 2654435761u >> 24);
}

static uint8_t paint_noise(int x, int y, int c, int w, int h) {
    (void)w, (void)h;
    return noise(painted, x, y, c);
}

/* Picture i of all is the i-th by name; number `bad`, if it is one, is no picture. */
static Dataset *make_set(const char *name, unsigned bad) {
    char file[64];
    RtError err = {.code = RT_OK};
    for (painted = 0; painted < ALL; painted++) {
        snprintf(file, sizeof file, "%s/%c/%02u.png", name, (char)('a' + painted / PER_CLASS), painted);
        if (painted == bad)
            pic_write(pic_path(file), "none", 4);
        else
            pic_png(pic_path(file), (PicPng){.width = WIDTH, .height = HEIGHT, .type = PNG_COLOR_TYPE_RGB},
                    paint_noise);
    }
    Dataset *d = dataset_folder(pic_path(name), &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    return d;
}

typedef struct Seen {
    int times[ALL];
    float scores[ALL][TOY_OUT];
} Seen;

static void see(void *context, uint32_t sample, const float *scores) {
    Seen *seen = context;
    CU_ASSERT_FATAL(sample < ALL);
    seen->times[sample]++;
    memcpy(seen->scores[sample], scores, sizeof seen->scores[sample]);
}

/* Adds the probabilities of one crop. */
static void add_by_hand(const float *params, unsigned picture, int left, int top, bool mirrored, double *sum) {
    float logits[TOY_OUT], scores[TOY_OUT];
    for (int o = 0; o < TOY_OUT; o++) {
        logits[o] = params[TOY_IN * TOY_BLOCK + o];
        for (int i = 0; i < TOY_IN; i++) {
            int c = i / (SIDE * SIDE), y = i / SIDE % SIDE, x = mirrored ? SIDE - 1 - i % SIDE : i % SIDE;
            double value = (noise(picture, left + x, top + y, c) / 255.0 - 0.5) / 0.25;
            logits[o] += params[i * TOY_BLOCK + o] * (float)value;
        }
    }
    toy_softmax_row(logits, scores);
    for (int o = 0; o < TOY_OUT; o++) sum[o] += (double)scores[o];
}

static void check_scores(const float *params, unsigned picture, bool crops, const float *scores) {
    static const int at[5][2] = {{0, 0}, {WIDTH - SIDE, 0}, {0, HEIGHT - SIDE}, {WIDTH - SIDE, HEIGHT - SIDE}, {2, 2}};
    double sum[TOY_OUT] = {0};
    int n = 0;
    for (int k = crops ? 0 : 4; k < 5; k++)
        for (int mirrored = 0; mirrored <= (int)crops; mirrored++, n++)
            add_by_hand(params, picture, at[k][0], at[k][1], mirrored, sum);
    for (int o = 0; o < TOY_OUT; o++) CU_ASSERT_DOUBLE_EQUAL(scores[o], sum[o] / n, 1e-5);
}

static void check(const char *model, bool ask, bool crops, unsigned bad) {
    static Seen seen;
    static float params[832 / sizeof(float)];
    RtError err = {.code = RT_OK};
    Evaluation result;
    Model *m = model_parse(model, "{}", NULL, TOY_KERNELS, &err);
    Dataset *data = make_set(bad < ALL ? "bad" : "good", bad);
    Pool *pool = pool_new(2, &err);
    CU_ASSERT_FATAL(m && pool);
    Evaluator *e = evaluator_new(m, toy_kernel, pool, data, ask, &err);
    CU_ASSERT_FATAL(e && init_params(m, 3, pool, evaluator_params(e), m->param_bytes, &err));
    memcpy(params, evaluator_params(e), sizeof params);
    evaluator_watch(e, see, &seen);
    for (int run = 0; run < 2; run++) { /* nothing of the first stays for the second */
        seen = (Seen){0};
        CU_ASSERT_FATAL(evaluator_run(e, NULL, NULL, NULL, &result, &err));
        CU_ASSERT(result.metrics.pictures == ALL - (bad < ALL) && result.skipped == (bad < ALL));
        for (unsigned i = 0; i < ALL; i++) {
            CU_ASSERT_EQUAL(seen.times[i], i != bad);
            if (i != bad) check_scores(params, i, crops, seen.scores[i]);
        }
    }
    evaluator_free(e);
    pool_free(pool);
    dataset_free(data);
    model_free(m);
}

#define MODEL(crops) TOY_MODEL(TOY_PARAMS, TOY_STATE, TOY_INFER, TOY_TRAIN, SETTINGS(crops))

static void test_middle(void) { check(MODEL("1"), true, false, ALL); }

static void test_ten(void) { check(MODEL("10"), true, true, ALL); }

/* Evaluations of training do not ask for them. */
static void test_not_asked(void) { check(MODEL("10"), false, false, ALL); }

/* In the middle of a batch, with crops in two, first and last. */
static void test_bad_picture(void) {
    check(MODEL("10"), true, true, 4);
    check(MODEL("10"), true, true, 0);
    check(MODEL("10"), true, true, ALL - 1);
}

static void test_nothing_to_move(void) {
    static const char model[] = TOY_MODEL(TOY_PARAMS, TOY_STATE, TOY_INFER, TOY_TRAIN,
                                          "{\"input\": {\"size\": [4,4]}, \"eval\": {\"\": {\"crops\": 10}}}");
    RtError err = {.code = RT_OK};
    Model *m = model_parse(model, "{}", NULL, TOY_KERNELS, &err);
    Dataset *data = make_set("good", ALL);
    Pool *pool = pool_new(1, &err);
    CU_ASSERT_FATAL(m && pool);
    CU_ASSERT_PTR_NULL(evaluator_new(m, toy_kernel, pool, data, true, &err));
    CU_ASSERT(err.code == RT_DATA && strstr(err.text, "`crop`"));
    pool_free(pool);
    dataset_free(data);
    model_free(m);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("evaluate", NULL, NULL);
    CU_add_test(suite, "the middle", test_middle);
    CU_add_test(suite, "ten crops", test_ten);
    CU_add_test(suite, "ten crops are for eval alone", test_not_asked);
    CU_add_test(suite, "ten crops of a bad picture", test_bad_picture);
    CU_add_test(suite, "ten crops without a crop", test_nothing_to_move);
    if (pic_begin()) CU_basic_run_tests();
    pic_end();
    bool failed = CU_get_number_of_failures() > 0 || CU_get_number_of_tests_run() == 0;
    CU_cleanup_registry();
    return failed;
}
