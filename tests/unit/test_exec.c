/* Instances of a program, initial values, accuracy: against the same arithmetic written plainly. */
#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/exec.h"
#include "runtime/init.h"
#include "runtime/metrics.h"
#include "runtime/rng.h"
#include "toy_net.h"

static const uint32_t no_key[2] = {0, 0};

static Model *parse(const char *text) {
    RtError err = {.code = RT_OK};
    Model *m = model_parse(text, "{}", NULL, TOY_KERNELS, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(m);
    return m;
}

static float *pictures(int n) {
    float *x = rt_alloc_aligned((size_t)n, TOY_IN * sizeof *x, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(x);
    for (int i = 0; i < n * TOY_IN; i++) x[i] = (float)(i * 37 % 101) / 50 - 1;
    return x;
}

/* ---- running ---- */

static void infer(const char *model) {
    enum { MOST = 8 };
    Model *m = parse(model);
    RtError err = {.code = RT_OK};
    Pool *pool = pool_new(3, &err);
    Exec *e = exec_new(&m->infer, toy_kernel, pool, NULL, NULL, MOST, &err);
    float *x = pictures(MOST), out[TOY_OUT];
    CU_ASSERT_PTR_NOT_NULL_FATAL(e);
    CU_ASSERT(init_params(m, 3, pool, exec_params(e), m->param_bytes, &err));
    for (int n = 1; n <= MOST; n++) {
        exec_run(e, n, x, NULL, no_key);
        for (int i = 0; i < n; i++) {
            const float *w = exec_params(e), *b = w + 192;
            float logit[TOY_OUT], want[TOY_OUT];
            for (int o = 0; o < TOY_OUT; o++) {
                logit[o] = b[o];
                for (int k = 0; k < TOY_IN; k++) logit[o] += x[i * TOY_IN + k] * w[k * TOY_BLOCK + o];
            }
            toy_softmax_row(logit, want);
            exec_output_copy(e, program_scores(&m->infer), i, out);
            for (int o = 0; o < TOY_OUT; o++) CU_ASSERT_DOUBLE_EQUAL(out[o], want[o], 1e-6);
        }
    }
    exec_free(e);
    pool_free(pool);
    free(x);
    model_free(m);
}

static void test_infer(void) { infer(toy_model); }

#define SLICED(slices, logits)                                                                                         \
    "{\"batch_bytes\": 128, \"fixed_bytes\": 0, \"once\": 0, \"slices\": " slices ", \"steps\": [{\"kernel\": 0, "    \
    "\"args\": [[\"image\",0,192],[\"param\",0],[\"param\",768]," logits "], \"tasks\": 1, \"per_picture\": true},"    \
    "{\"kernel\": 1, \"args\": [" logits ",[\"batch\",64,64]], \"tasks\": 1, \"per_picture\": true}],"              \
    " \"outputs\": {\"scores\": " TOY_OUTPUT(64) "}}"

/* Logits of a slice only, in one place; of all pictures, for the step after it or for other slices. */
static void test_slices(void) {
    infer(TOY_MODEL(TOY_PARAMS, TOY_STATE, SLICED("[[2,1]]", "[\"batch\",0]"), "null", "{}"));
    infer(TOY_MODEL(TOY_PARAMS, TOY_STATE, SLICED("[[2,2]]", "[\"batch\",0]"), "null", "{}"));
    infer(TOY_MODEL(TOY_PARAMS, TOY_STATE, SLICED("[[1,1]]", "[\"batch\",0,64]"), "null", "{}"));
    infer(TOY_MODEL(TOY_PARAMS, TOY_STATE, SLICED("[[1,2],[2,1]]", "[\"batch\",0,64]"), "null", "{}"));
}

static void test_slices_in_disorder(void) {
    static const char *const text[] = {
        TOY_MODEL(TOY_PARAMS, TOY_STATE, SLICED("[[3,1]]", "[\"batch\",0]"), "null", "{}"),
        TOY_MODEL(TOY_PARAMS, TOY_STATE, SLICED("[[1,1],[1,2]]", "[\"batch\",0]"), "null", "{}"),
        TOY_MODEL(TOY_PARAMS, TOY_STATE, SLICED("[[2,-1]]", "[\"batch\",0]"), "null", "{}"),
        TOY_MODEL(TOY_PARAMS, TOY_STATE, SLICED("[[2,1]]", "[\"batch\",0,129]"), "null", "{}"),
        TOY_MODEL(TOY_PARAMS, TOY_STATE, SLICED("[[2,1]]", "[\"param\",0,64]"), "null", "{}"),
    };
    for (size_t i = 0; i < sizeof text / sizeof text[0]; i++) {
        RtError err = {.code = RT_OK};
        CU_ASSERT_PTR_NULL(model_parse(text[i], "{}", NULL, TOY_KERNELS, &err));
        CU_ASSERT_EQUAL(err.code, RT_INTERNAL);
    }
}

/* Two programs of one instance take turns with the same pictures, and leave what each would by itself. */
static void test_turns(void) {
    enum { N = 4, TURNS = 3 };
    static const int32_t label[16] __attribute__((aligned(64))) = {2, 0, 1, 2};
    Model *m = parse(toy_model);
    RtError err = {.code = RT_OK};
    Pool *pool = pool_new(2, &err);
    const ModelProgram *both[] = {&m->infer, &m->train}, *train = &m->train;
    float *x = pictures(N), *params[2], *state[2], scores[TOY_OUT], out[2][TOY_OUT];
    Exec *e[2];
    for (int k = 0; k < 2; k++) {
        params[k] = block_alloc(m->param_bytes, &err);
        state[k] = block_alloc(m->state_bytes, &err);
        CU_ASSERT(init_params(m, 3, pool, params[k], m->param_bytes, &err));
        e[k] = exec_new_several(k ? &train : both, k ? 1 : 2, toy_kernel, pool, params[k], state[k], N, &err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(e[k]);
        exec_set_lr(e[k], 0.05f);
    }
    CU_ASSERT_EQUAL(exec_bytes_several(both, 2, N, 2), exec_bytes_several(&train, 1, N, 2));
    for (int i = 0; i < TURNS; i++) {
        exec_use(e[0], &m->infer);
        exec_run(e[0], N, x, label, no_key);
        exec_output_copy(e[0], program_scores(&m->infer), 1, scores);
        exec_use(e[0], &m->train);
        for (int k = 0; k < 2; k++) {
            exec_run(e[k], N, x, label, no_key);
            exec_output_copy(e[k], program_output(&m->train, "logits"), 1, out[k]);
        }
        CU_ASSERT(!memcmp(out[0], out[1], sizeof out[0]) && !memcmp(params[0], params[1], (size_t)m->param_bytes));
        toy_softmax_row(out[1], out[0]);
        CU_ASSERT(!memcmp(scores, out[0], sizeof scores));
    }
    for (int k = 0; k < 2; k++) {
        exec_free(e[k]);
        block_free(params[k]);
        block_free(state[k]);
    }
    pool_free(pool);
    free(x);
    model_free(m);
}

/* 20 steps; the parameters after them. */
static void train(const Model *m, int threads, float *params) {
    enum { N = 4 };
    static const int32_t label[16] __attribute__((aligned(64))) = {2, 0, 1, 2};
    RtError err = {.code = RT_OK};
    Pool *pool = pool_new(threads, &err);
    float *state = block_alloc(m->state_bytes, &err), *x = pictures(N);
    CU_ASSERT(init_params(m, 3, pool, params, m->param_bytes, &err));
    Exec *e = exec_new(&m->train, toy_kernel, pool, params, state, N, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(e);
    float first = 0, last = 0;
    exec_set_lr(e, 0.05f);
    for (int i = 0; i < 20; i++) {
        exec_run(e, N, x, label, no_key);
        last = exec_output(e, program_output(&m->train, "loss"), 1, 0, 0);
        if (i == 0) first = last;
    }
    CU_ASSERT(last < first / 4);
    exec_free(e);
    pool_free(pool);
    block_free(state);
    free(x);
}

static void test_training_does_not_depend_on_threads(void) {
    Model *m = parse(toy_model);
    float *a = block_alloc(m->param_bytes, NULL), *b = block_alloc(m->param_bytes, NULL);
    CU_ASSERT_FATAL(a && b);
    train(m, 1, a);
    for (int threads = 2; threads <= 7; threads++) {
        train(m, threads, b);
        CU_ASSERT_EQUAL(memcmp(a, b, (size_t)m->param_bytes), 0);
    }
    block_free(a);
    block_free(b);
    model_free(m);
}

/* arg: param; counts its runs in the parameter. */
static void count_run(void *const *arg, const CnncRun *run, int64_t begin, int64_t end) {
    (void)run, (void)begin, (void)end;
    ++*(float *)arg[0];
}

static void test_once_steps(void) {
    static const char text[] = TOY_MODEL(TOY_PARAMS, TOY_STATE,
                                         "{\"batch_bytes\": 64, \"fixed_bytes\": 0, \"once\": 1, \"steps\": ["
                                         "{\"kernel\": 0, \"args\": [[\"param\",0]], \"tasks\": 1}, {\"kernel\": 0, "
                                         "\"args\": [[\"param\",4]], \"tasks\": 1}],"
                                         "\"outputs\": {\"scores\": " TOY_OUTPUT(0) "}}",
                                         "null", "{}");
    static CnncKernel *const kernel[] = {count_run};
    Model *m = parse(text);
    RtError err = {.code = RT_OK};
    double seconds[2] = {0, 0};
    Pool *pool = pool_new(1, &err);
    Exec *e = exec_new(&m->infer, kernel, pool, NULL, NULL, 2, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(e);
    float *x = pictures(1);
    for (int i = 0; i < 3; i++) exec_run(e, 1, x, NULL, no_key);
    CU_ASSERT_EQUAL(exec_params(e)[0], 1);
    CU_ASSERT_EQUAL(exec_params(e)[1], 3);
    exec_params_changed(e);
    exec_time_steps(e, seconds);
    exec_run(e, 2, x, NULL, no_key);
    CU_ASSERT_EQUAL(exec_params(e)[0], 2);
    CU_ASSERT_EQUAL(exec_params(e)[1], 4);
    CU_ASSERT(seconds[0] > 0 && seconds[1] > 0);
    exec_free(e);
    pool_free(pool);
    free(x);
    model_free(m);
}

/* The second page of the parameters goes after the once-step, the first stays; the figure knows it. */
static void test_release(void) {
    enum { PAGE_BYTES = 4096, FIXED = 2 * PAGE_BYTES };
    RtError err = {.code = RT_OK};
    Model *m = parse(toy_model);
    ModelProgram *p = &m->infer;
    int64_t all = exec_bytes(p, 1, 1);
    p->param_bytes = 2 * PAGE_BYTES;
    p->n_once = p->slice[0].begin = 1;
    p->fixed_bytes = FIXED;
    p->step[0].release = rt_alloc(1, sizeof *p->step[0].release, &err);
    p->step[0].n_release = 1;
    p->step[0].release[0] = (ModelRange){PAGE_BYTES, PAGE_BYTES};
    p->released = PAGE_BYTES;
    p->once_bytes = 3 * PAGE_BYTES;
    CU_ASSERT_EQUAL(exec_bytes(p, 1, 1), all + FIXED);
    Pool *pool = pool_new(2, &err);
    Exec *e = exec_new(p, toy_kernel, pool, NULL, NULL, 1, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(e);
    float *x = pictures(1), *params = exec_params(e);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 2 * PAGE_BYTES / 4; i++) params[i] = 1;
        exec_params_changed(e);
        exec_run(e, 1, x, NULL, no_key);
        exec_run(e, 1, x, NULL, no_key);
        CU_ASSERT(params[0] == 1 && params[PAGE_BYTES / 4 - 1] == 1);
        CU_ASSERT(params[PAGE_BYTES / 4] == 0 && params[2 * PAGE_BYTES / 4 - 1] == 0);
    }
    exec_free(e);
    pool_free(pool);
    free(x);
    model_free(m);
}

static void test_blocks_are_zero_and_aligned(void) {
    static const int64_t size[] = {0, 1, 64, 4096, 100000, 2 << 20, (5 << 20) + 64};
    for (size_t i = 0; i < sizeof size / sizeof size[0]; i++) {
        char *p = block_alloc(size[i], NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(p);
        CU_ASSERT_EQUAL((uintptr_t)p % (size[i] >= 2 << 20 ? 2 << 20 : 64), 0);
        int64_t wrong = 0;
        for (int64_t k = 0; k < size[i]; k++) wrong += p[k] != 0;
        CU_ASSERT_EQUAL(wrong, 0);
        memset(p, 1, (size_t)size[i]);
        block_free(p);
    }
    RtError err = {.code = RT_OK};
    CU_ASSERT_PTR_NULL(block_alloc((int64_t)1 << 60, &err));
    CU_ASSERT_EQUAL(err.code, RT_OS);
}

/* ---- initial values ---- */

#define PARAM(shape, block, kind, a, b)                                                                                \
    TOY_MODEL("[{\"name\": \"w\", \"role\": \"weight\", \"shape\": " shape ", \"block\": " block                       \
              ", \"offset\": 0, \"bytes\": 4194304, "                                                                  \
              "\"init\": {\"kind\": \"" kind "\", \"a\": " a ", \"b\": " b "}}]",                                      \
              "[]", TOY_INFER, "null", "{}")

/* The model with room for one large parameter. */
static Model *one_param(const char *text) {
    static const char small[] = "\"param_bytes\": 832", large[] = "\"param_bytes\": 4194304";
    RtError err = {.code = RT_OK};
    const char *at = strstr(text, small);
    char *copy = malloc(strlen(text) + sizeof large);
    CU_ASSERT_FATAL(at && copy);
    memcpy(copy, text, (size_t)(at - text));
    memcpy(copy + (at - text), large, sizeof large);
    memcpy(copy + (at - text) + sizeof large - 1, at + sizeof small - 1, strlen(at) - sizeof small + 2);
    Model *m = model_parse(copy, "{}", NULL, TOY_KERNELS, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(m);
    free(copy); /* nothing of the text is used by these tests */
    return m;
}

/* The logical values that init_params gives; the caller frees. */
static float *initial(const char *text, uint64_t seed, int threads) {
    Model *m = one_param(text);
    RtError err = {.code = RT_OK};
    Pool *pool = pool_new(threads, &err);
    float *params = rt_alloc_aligned(1, (size_t)m->param_bytes, &err),
          *logical = rt_alloc(1, (size_t)m->param_bytes, &err);
    CU_ASSERT_FATAL(params && logical && init_params(m, seed, pool, params, m->param_bytes, &err));
    unpack(&m->param[0].form, params, logical);
    free(params);
    pool_free(pool);
    model_free(m);
    return logical;
}

static void test_initial_values_do_not_depend_on_layout(void) {
    enum { N = 70 * 30 * 9 };
    static const char *const texts[] = {
        PARAM("[70,30,3,3]", "[1,1]", "he", "0", "0"), PARAM("[70,30,3,3]", "[16,16]", "he", "0", "0"),
        PARAM("[70,30,3,3]", "[8,1]", "he", "0", "0"), PARAM("[70,30,3,3]", "[1,4]", "he", "0", "0")};
    float *want = initial(texts[0], 5, 1), *other = initial(texts[0], 6, 1);
    for (int i = 0; i < 4; i++)
        for (int threads = 1; threads <= 3; threads++) {
            float *got = initial(texts[i], 5, threads);
            CU_ASSERT_EQUAL(memcmp(got, want, N * sizeof *got), 0);
            free(got);
        }
    CU_ASSERT_NOT_EQUAL(memcmp(other, want, N * sizeof *want), 0);
    free(want);
    free(other);
}

#define VALUE(name, offset)                                                                                            \
    "{\"name\": \"" name "\", \"role\": \"weight\", \"shape\": [8], \"block\": [1,1], \"offset\": " offset             \
    ", \"bytes\": 64, \"init\": {\"kind\": \"normal\", \"a\": 0, \"b\": 1}}"

/* Values 4 and 5 of w, from the formula of init.h. */
static void test_initial_values_are_the_formula(void) {
    static const char text[] =
        TOY_MODEL("[" VALUE("v", "0") "," VALUE("w", "64") "]", TOY_STATE, TOY_INFER, "null", "{}");
    const uint32_t key[2] = {5, 1}, counter[4] = {1, 0, 0xf20c3f36, RNG_INIT};
    RtError err = {.code = RT_OK};
    uint32_t word[4];
    Model *m = parse(text);
    Pool *pool = pool_new(1, &err);
    float *value = rt_alloc_aligned(1, (size_t)m->param_bytes, &err);
    CU_ASSERT_FATAL(value && init_params(m, 1ull << 32 | 5, pool, value, m->param_bytes, &err));
    rng_philox(key, counter, word);
    double radius = sqrt(-2 * log((word[0] + 1.0) / 4294967296.0)), angle = 2 * M_PI * word[1] / 4294967296.0;
    CU_ASSERT_DOUBLE_EQUAL(value[16 + 4], radius * cos(angle), 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(value[16 + 5], radius * sin(angle), 1e-6);
    free(value);
    pool_free(pool);
    model_free(m);
}

/* Mean, deviation and range of 400 x 90 x 9 values, fan_in 810, fan_out 3600. */
static void test_laws(void) {
    enum { N = 400 * 90 * 9 };
    const double he = sqrt(2.0 / 810), xavier = sqrt(6.0 / 4410), torch = 1 / sqrt(810.0);
    const struct {
        const char *text;
        double mean, deviation, least, most;
    } law[] = {
        {PARAM("[400,90,3,3]", "[16,16]", "constant", "0.75", "9"), 0.75, 0, 0.75, 0.75},
        {PARAM("[400,90,3,3]", "[16,16]", "normal", "2", "0.5"), 2, 0.5, -1, 5},
        {PARAM("[400,90,3,3]", "[16,16]", "uniform", "-1", "3"), 1, 4 / sqrt(12), -1, 3},
        {PARAM("[400,90,3,3]", "[16,16]", "he", "0", "0"), 0, he, -6 * he, 6 * he},
        {PARAM("[400,90,3,3]", "[16,16]", "xavier", "0", "0"), 0, xavier / sqrt(3), -xavier, xavier},
        {PARAM("[400,90,3,3]", "[16,16]", "torch", "0", "0"), 0, torch / sqrt(3), -torch, torch},
        {PARAM("[400,90,3,3]", "[16,16]", "torch", "25", "0"), 0, 0.2 / sqrt(3), -0.2, 0.2},
    };
    for (size_t i = 0; i < sizeof law / sizeof law[0]; i++) {
        float *x = initial(law[i].text, 1, 2);
        double sum = 0, squares = 0, least = 1e9, most = -1e9;
        for (int k = 0; k < N; k++) {
            sum += (double)x[k];
            least = fmin(least, (double)x[k]);
            most = fmax(most, (double)x[k]);
        }
        for (int k = 0; k < N; k++) squares += ((double)x[k] - sum / N) * ((double)x[k] - sum / N);
        CU_ASSERT_DOUBLE_EQUAL(sum / N, law[i].mean, 5 * law[i].deviation / sqrt(N) + 1e-12);
        CU_ASSERT_DOUBLE_EQUAL(sqrt(squares / N), law[i].deviation, 0.01 * law[i].deviation + 1e-12);
        CU_ASSERT(least >= law[i].least - 1e-6 && most <= law[i].most + 1e-6);
        free(x);
    }
}

/* ---- accuracy ---- */

static void test_ties_are_wrong(void) {
    static const float even[6] = {1, 1, 1, 1, 1, 1}, two[6] = {3, 3, 1, 0, -1, -2},
                       bad[6] = {0, NAN, NAN, NAN, NAN, NAN};
    Metrics m = {0};
    CU_ASSERT_EQUAL(metrics_rank(even, 6, 2), 5);
    CU_ASSERT_EQUAL(metrics_rank(two, 6, 0), 1);
    CU_ASSERT_EQUAL(metrics_rank(two, 6, 4), 4);
    CU_ASSERT_EQUAL(metrics_rank(bad, 6, 0), 5);
    CU_ASSERT_EQUAL(metrics_rank(bad, 6, 1), 5);
    metrics_add(&m, even, 6, 2, 1); /* neither top-1 nor top-5 */
    metrics_add(&m, two, 6, 0, 2);  /* top-5 only */
    metrics_add(&m, two, 6, 4, 3);  /* fifth */
    CU_ASSERT_EQUAL(m.top1, 0);
    CU_ASSERT_EQUAL(m.top5, 2);
    CU_ASSERT_DOUBLE_EQUAL(metrics_loss(&m), 2, 1e-12);
}

static void test_confusion(void) {
    static const float zero[] = {2, 1, 1}, one[] = {0, 3, 3}, two[] = {-3, -2, -1};
    RtError err = {.code = RT_OK};
    Confusion c;
    CU_ASSERT_FATAL(confusion_new(&c, 3, &err));
    confusion_add(&c, zero, 0);
    confusion_add(&c, zero, 0);
    confusion_add(&c, two, 0);
    confusion_add(&c, one, 2); /* the first of equals */
    CU_ASSERT_EQUAL(confusion_pictures(&c, 0), 3);
    CU_ASSERT_DOUBLE_EQUAL(confusion_recall(&c, 0), 2.0 / 3, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(confusion_precision(&c, 0), 1, 1e-12);
    CU_ASSERT_EQUAL(confusion_recall(&c, 1), -1);
    CU_ASSERT_EQUAL(confusion_precision(&c, 1), 0);
    CU_ASSERT_EQUAL(confusion_recall(&c, 2), 0);
    CU_ASSERT_EQUAL(c.count[0 * 3 + 2], 1);
    CU_ASSERT_EQUAL(c.count[2 * 3 + 1], 1);
    confusion_clear(&c);
    CU_ASSERT_EQUAL(confusion_pictures(&c, 0), 0);
    confusion_free(&c);
    CU_ASSERT(!confusion_new(&c, CONFUSION_CLASSES + 1, &err) && err.code == RT_LIMIT);
}

/* Two pictures in the bin above 14/15, of which one is right, two in the bin up to 10/15, both right. */
static void test_calibration(void) {
    static const double sure[3] = {0.95, 0.03, 0.02}, surer[3] = {0, 0, 1}, unsure[3] = {0.25, 0.65, 0.1}, edge[3] = {2.0 / 3, 1.0 / 3, 0};
    Calibration c = {.bins = 15};
    CU_ASSERT_EQUAL(calibration_error(&c), 0);
    calibration_add(&c, sure, 3, 0);
    calibration_add(&c, surer, 3, 0);
    calibration_add(&c, unsure, 3, 1);
    calibration_add(&c, edge, 3, 0);
    CU_ASSERT_EQUAL(c.pictures[14], 2);
    CU_ASSERT_EQUAL(c.right[14], 1);
    CU_ASSERT_EQUAL(c.pictures[9], 2);
    double high = fabs(0.5 - (0.95 + 1) / 2), low = fabs(1 - (0.65 + 2.0 / 3) / 2);
    CU_ASSERT_DOUBLE_EQUAL(calibration_error(&c), high / 2 + low / 2, 1e-12);
    Calibration one = {.bins = 1}, most = {.bins = CALIBRATION_MOST};
    calibration_add(&one, sure, 3, 0);
    calibration_add(&one, unsure, 3, 0);
    CU_ASSERT_DOUBLE_EQUAL(calibration_error(&one), fabs(0.5 - (0.95 + 0.65) / 2), 1e-12);
    calibration_add(&most, surer, 3, 2);
    calibration_add(&most, unsure, 3, 1);
    CU_ASSERT(most.right[CALIBRATION_MOST - 1] == 1 && most.right[649] == 1);
}

static void test_measures(void) {
    Measure m = MEASURE_TOP1;
    CU_ASSERT(measure_find("loss", &m) && m == MEASURE_LOSS && !measure_find("accuracy", &m));
    for (Measure i = 0; i < N_MEASURES; i++) {
        bool smaller = i == MEASURE_LOSS;
        CU_ASSERT(measure_find(measure_name(i), &m) && m == i);
        CU_ASSERT(measure_better(i, 0, -1) && measure_better(i, 50, -1) && !measure_better(i, 50, 50));
        CU_ASSERT(measure_better(i, 49, 50) == smaller && measure_better(i, 51, 50) == !smaller);
        CU_ASSERT(!measure_better(i, NAN, -1) && !measure_better(i, INFINITY, -1));
    }
}

static void test_cross_entropy(void) {
    static const float logits[3] = {1000, 999, 998}, p[3] = {0.5f, 0.25f, 0.25f};
    double out[3];
    CU_ASSERT_DOUBLE_EQUAL(metrics_cross_entropy(logits, 3, 1, false), 1 + log(1 + exp(-1) + exp(-2)), 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(metrics_cross_entropy(p, 3, 1, true), log(4), 1e-12);
    CU_ASSERT(isnan(metrics_cross_entropy((const float[3]){NAN, NAN, NAN}, 3, 1, true)));
    metrics_probabilities(logits, 3, false, out);
    CU_ASSERT_DOUBLE_EQUAL(out[0] + out[1] + out[2], 1, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(out[1] / out[0], exp(-1), 1e-12);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("exec", NULL, NULL);
    CU_add_test(suite, "infer", test_infer);
    CU_add_test(suite, "slices", test_slices);
    CU_add_test(suite, "slices in disorder", test_slices_in_disorder);
    CU_add_test(suite, "programs take turns", test_turns);
    CU_add_test(suite, "training does not depend on threads", test_training_does_not_depend_on_threads);
    CU_add_test(suite, "once-steps", test_once_steps);
    CU_add_test(suite, "once-steps release parameters", test_release);
    CU_add_test(suite, "blocks are zero and aligned", test_blocks_are_zero_and_aligned);
    CU_add_test(suite, "initial values do not depend on layout", test_initial_values_do_not_depend_on_layout);
    CU_add_test(suite, "initial values are the formula", test_initial_values_are_the_formula);
    CU_add_test(suite, "laws", test_laws);
    CU_add_test(suite, "ties are wrong", test_ties_are_wrong);
    CU_add_test(suite, "cross entropy", test_cross_entropy);
    CU_add_test(suite, "confusion", test_confusion);
    CU_add_test(suite, "calibration", test_calibration);
    CU_add_test(suite, "measures", test_measures);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed > 0;
}
