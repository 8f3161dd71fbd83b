/* Learning rates by step, computed by hand; lengths, units, and schedules that cannot work. */
#include <CUnit/Basic.h>
#include <math.h>
#include <stdlib.h>

#include "runtime/schedule.h"

enum { EPOCH = 10, TOTAL = 100 }; /* steps */

static Schedule *make(const char *text, int64_t total, RtError *err) {
    json_t *j = json_loads(text, 0, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(j);
    Schedule *s = schedule_new(j, EPOCH, total, err);
    json_decref(j); /* a schedule keeps nothing of its text */
    return s;
}

typedef struct Point {
    int64_t step;
    double lr;
} Point;

static const struct {
    const char *text;
    Point point[6];
} good[] = {
    {"[{\"call\": \"constant\", \"base\": 0.5}]", {{0, 0.5}, {99, 0.5}, {1000, 0.5}, {0, 0.5}, {0, 0.5}, {0, 0.5}}},
    {"[{\"call\": \"step\", \"base\": 1, \"gamma\": 0.1, \"every\": {\"value\": 3, \"unit\": \"epochs\"}}]",
     {{0, 1}, {29, 1}, {30, 0.1}, {59, 0.1}, {60, 0.01}, {90, 0.001}}},
    {"[{\"call\": \"exp\", \"base\": 1, \"gamma\": 0.25, \"every\": {\"value\": 20, \"unit\": \"steps\"}}]",
     {{0, 1}, {10, 0.5}, {20, 0.25}, {30, 0.125}, {40, 0.0625}, {60, 0.015625}}},
    {"[{\"call\": \"multistep\", \"base\": 2, \"gamma\": 0.5, \"at\": [{\"value\": 3, \"unit\": \"epochs\"}, "
     "{\"value\": 50, "
     "\"unit\": \"batches\"}]}]",
     {{0, 2}, {29, 2}, {30, 1}, {49, 1}, {50, 0.5}, {99, 0.5}}},
    {"[{\"call\": \"poly\", \"base\": 1, \"power\": 2, \"to\": 0}]",
     {{0, 1}, {50, 0.25}, {90, 0.01}, {100, 0}, {200, 0}, {0, 1}}},
    {"[{\"call\": \"cosine\", \"base\": 1, \"to\": 0.2}]",
     {{0, 1}, {50, 0.6}, {25, 0.6 + 0.4 * M_SQRT1_2}, {100, 0.2}, {500, 0.2}, {0, 1}}},
    {"[{\"call\": \"inv\", \"base\": 2, \"gamma\": 0.5, \"power\": 2, \"every\": {\"value\": 1, \"unit\": \"steps\"}}]",
     {{0, 2}, {2, 0.5}, {6, 0.125}, {8, 0.08}, {98, 0.0008}, {0, 2}}},
    {"[{\"call\": \"cyclic\", \"base\": 1, \"to\": 3, \"gamma\": 0.5, \"every\": {\"value\": 2, \"unit\": \"epochs\"}}]",
     {{0, 1}, {5, 2}, {10, 3}, {15, 2}, {30, 2}, {50, 1.5}}},
    {"[{\"call\": \"cyclic\", \"base\": 1, \"to\": 3, \"every\": {\"value\": 10, \"unit\": \"steps\"}}]",
     {{0, 1}, {5, 3}, {9, 1.4}, {10, 1}, {95, 3}, {97, 2.2}}},
    {"[{\"call\": \"linear\", \"base\": 1, \"to\": 0}]",
     {{0, 1}, {1, 0.99}, {50, 0.5}, {99, 0.01}, {100, 0}, {101, 0}}},
    {"[{\"call\": \"warmup\", \"for\": {\"value\": 2, \"unit\": \"epochs\"}, \"from\": 0.1}, {\"call\": \"cosine\", "
     "\"base\": 0.5, "
     "\"to\": 0}]",
     {{0, 0.1}, {10, 0.3}, {19, 0.48}, {20, 0.5}, {60, 0.25}, {100, 0}}},
    {"[{\"call\": \"warmup\", \"for\": {\"value\": 1, \"unit\": \"epochs\"}, \"from\": 0}, {\"call\": \"constant\", "
     "\"base\": 1, "
     "\"for\": {\"value\": 30, \"unit\": \"steps\"}}, {\"call\": \"linear\", \"base\": 1, \"to\": 0}]",
     {{0, 0}, {5, 0.5}, {10, 1}, {39, 1}, {40, 1}, {70, 0.5}}},
    {"[{\"call\": \"warmup\", \"for\": {\"value\": 1, \"unit\": \"epochs\"}, \"from\": 0}, {\"call\": \"multistep\", "
     "\"base\": 1, "
     "\"gamma\": 0.1, \"at\": [{\"value\": 30, \"unit\": \"steps\"}]}]",
     {{0, 0}, {10, 1}, {29, 1}, {30, 0.1}, {99, 0.1}, {5, 0.5}}}, /* `at` counts from the start of the training */
};

static void test_rates(void) {
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        RtError err = {.code = RT_OK};
        Schedule *s = make(good[i].text, TOTAL, &err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(s);
        for (int k = 0; k < 6; k++)
            CU_ASSERT_DOUBLE_EQUAL(schedule_lr(s, good[i].point[k].step), good[i].point[k].lr, 1e-12);
        schedule_free(s);
    }
}

static void test_refused(void) {
    static const struct {
        const char *text;
        int64_t total;
        int code;
    } bad[] = {
        {"[]", TOTAL, RT_INTERNAL},
        {"[{\"call\": \"hill\", \"base\": 1}]", TOTAL, RT_INTERNAL},
        {"[{\"call\": \"constant\"}]", TOTAL, RT_INTERNAL},
        {"[{\"call\": \"cosine\", \"base\": 1, \"to\": 0}]", -1, RT_DATA}, /* no end to fall to */
        {"[{\"call\": \"step\", \"base\": 1, \"gamma\": 0.1}]", TOTAL, RT_DATA},
        {"[{\"call\": \"step\", \"base\": 1, \"gamma\": 0.1, \"every\": {\"value\": 5, \"unit\": \"s\"}}]", TOTAL,
         RT_DATA},
        {"[{\"call\": \"step\", \"base\": 1, \"gamma\": 0.1, \"every\": {\"value\": 0, \"unit\": \"steps\"}}]", TOTAL,
         RT_DATA},
        {"[{\"call\": \"step\", \"base\": 1, \"gamma\": 0.1, \"every\": {\"value\": 5, \"unit\": \"miles\"}}]", TOTAL,
         RT_INTERNAL},
        {"[{\"call\": \"warmup\", \"for\": {\"value\": 5, \"unit\": \"steps\"}, \"from\": 0}]", TOTAL, RT_DATA},
        {"[{\"call\": \"constant\", \"base\": 1}, {\"call\": \"constant\", \"base\": 2}]", -1, RT_DATA},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        RtError err = {.code = RT_OK};
        CU_ASSERT_PTR_NULL(make(bad[i].text, bad[i].total, &err));
        CU_ASSERT_EQUAL(err.code, bad[i].code);
    }
}

static void test_quantities(void) {
    RtError err = {.code = RT_OK};
    Quantity absent = quantity_parse(NULL, "x", &err);
    CU_ASSERT_EQUAL(absent.unit, UNIT_NONE);
    CU_ASSERT_EQUAL(quantity_steps(absent, EPOCH, "x", &err), -1);
    CU_ASSERT_EQUAL(quantity_steps((Quantity){2.5, UNIT_EPOCHS}, EPOCH, "x", &err), 25);
    CU_ASSERT_EQUAL(quantity_steps((Quantity){7, UNIT_STEPS}, EPOCH, "x", &err), 7);
    CU_ASSERT_EQUAL(err.code, RT_OK);
    quantity_steps((Quantity){7, UNIT_SECONDS}, EPOCH, "x", &err);
    CU_ASSERT_EQUAL(err.code, RT_DATA);
}

/* Evaluations every five steps with a patience of ten: what does not become better twice falls, and once more. */
static void test_plateau(void) {
    RtError err = {.code = RT_OK};
    Schedule *s = make("[{\"call\": \"warmup\", \"for\": {\"value\": 4, \"unit\": \"steps\"}, \"from\": 0},"
                       " {\"call\": \"plateau\", \"base\": 1, \"gamma\": 0.5, \"on\": \"top1\","
                       " \"patience\": {\"value\": 1, \"unit\": \"epochs\"}}]", -1, &err);
    static const double score[] = {50, 60, 55, 60, 60, 59, 61, 61, 61, 61}, rate[] = {1, 1, 1, .5, .5, .25, .25, .25, .125, .125};
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    CU_ASSERT(schedule_has_plateau(s));
    Plateau p = {.best = PLATEAU_NONE};
    for (int i = 0; i < 10; i++) {
        bool falls = schedule_judge(s, &p, 5 * (i + 1), score[i], 0);
        CU_ASSERT_EQUAL(falls, i > 0 && rate[i] < rate[i - 1]);
        CU_ASSERT_EQUAL(schedule_lr(s, 5 * (i + 1)), rate[i]);
        CU_ASSERT_DOUBLE_EQUAL(schedule_lr(s, 2), 0.5, 1e-12);
    }
    schedule_resume(s, &(Plateau){.falls = 1, .since = 5});
    CU_ASSERT_EQUAL(schedule_lr(s, 100), 0.5);
    schedule_free(s);
}

/* Each plateau judges its own evaluations, with its own patience, and only while it lasts. */
static void test_two_plateaus(void) {
    RtError err = {.code = RT_OK};
    Schedule *s = make("[{\"call\": \"plateau\", \"base\": 8, \"gamma\": 0.5, \"on\": \"top1\","
                       " \"patience\": {\"value\": 1, \"unit\": \"steps\"}, \"for\": {\"value\": 4, \"unit\": \"steps\"}},"
                       " {\"call\": \"constant\", \"base\": 3, \"for\": {\"value\": 2, \"unit\": \"steps\"}},"
                       " {\"call\": \"plateau\", \"base\": 2, \"gamma\": 0.5, \"on\": \"loss\","
                       " \"patience\": {\"value\": 2, \"unit\": \"steps\"}}]", -1, &err);
    static const double rate[] = {8, 8, 4, 2, 3, 3, 2, 2, 1, 1, 0.5, 0.5}; /* at each step, of the same score all along */
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    Plateau p = {.best = PLATEAU_NONE};
    for (int i = 0; i < 12; i++) {
        bool falls = i > 0 && schedule_judge(s, &p, i, 50, 1);
        CU_ASSERT_EQUAL(schedule_lr(s, i), rate[i]);
        CU_ASSERT_EQUAL(falls, i == 2 || i == 3 || i == 8 || i == 10);
    }
    schedule_free(s);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("schedule", NULL, NULL);
    CU_add_test(suite, "rates", test_rates);
    CU_add_test(suite, "plateau", test_plateau);
    CU_add_test(suite, "two plateaus", test_two_plateaus);
    CU_add_test(suite, "refused", test_refused);
    CU_add_test(suite, "quantities", test_quantities);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed > 0;
}
