/* Mixed batches: what is drawn for them, and that every picture gets what its neighbour was. */
#include <CUnit/Basic.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/mix.h"

enum { C = 3, H = 5, W = 1100, N = 4, PICTURE = C * H * W, DRAWS = 20000 };

static const MixPlane plane = {C, H, W};

static Mixer mixer_of(const char *steps) {
    RtError err = {.code = RT_OK};
    json_t *augment = json_loads(steps, 0, NULL);
    Mixer m;
    CU_ASSERT(mix_parse(&m, augment, &err));
    json_decref(augment);
    return m;
}

static void test_shares_of_batches(void) {
    static const struct {
        const char *steps;
        double mixup, cutmix;
    } row[] = {
        {"[{\"call\": \"hflip\", \"p\": 0.5}]", 0, 0},
        {"[{\"call\": \"mixup\", \"alpha\": 1}]", 1, 0},
        {"[{\"call\": \"mixup\", \"alpha\": 1}, {\"call\": \"cutmix\", \"alpha\": 1}]", 0.5, 0.5},
        {"[{\"call\": \"mixup\", \"alpha\": 1, \"p\": 0.25}, {\"call\": \"cutmix\", \"alpha\": 1}]", 0.25, 0.75},
        {"[{\"call\": \"mixup\", \"alpha\": 1, \"p\": 0.25}, {\"call\": \"cutmix\", \"alpha\": 1, \"p\": 0.5}]", 0.25, 0.5},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        Mixer m = mixer_of(row[i].steps);
        int mixup = 0, cutmix = 0;
        for (uint32_t k = 0; k < DRAWS; k++) {
            Mixed mixed = mix_draw(&m, &plane, 1, 2, k);
            mixup += mixed.label < 1 && mixed.share > 0;
            cutmix += mixed.share == 0;
        }
        CU_ASSERT_DOUBLE_EQUAL((double)mixup / DRAWS, row[i].mixup, 0.015);
        CU_ASSERT_DOUBLE_EQUAL((double)cutmix / DRAWS, row[i].cutmix, 0.015);
    }
}

/* Beta(alpha, alpha) has the mean 1/2 and the variance 1 / (4 (2 alpha + 1)). A tiny alpha gives nearly only 0 and 1. */
static void test_beta(void) {
    static const double alpha[] = {1e-4, 0.2, 1, 8};
    for (size_t i = 0; i < sizeof alpha / sizeof alpha[0]; i++) {
        Mixer m = {.alpha = {alpha[i], 1}, .p = {1, 0}};
        double sum = 0, squares = 0;
        for (uint32_t k = 0; k < DRAWS; k++) {
            Mixed mixed = mix_draw(&m, &plane, 3, 0, k);
            CU_ASSERT_FATAL(mixed.share >= 0 && mixed.share <= 1);
            sum += (double)mixed.share;
            squares += pow((double)mixed.share - 0.5, 2);
        }
        CU_ASSERT_DOUBLE_EQUAL(sum / DRAWS, 0.5, 0.015);
        CU_ASSERT_DOUBLE_EQUAL(squares / DRAWS, 1 / (4 * (2 * alpha[i] + 1)), 0.01);
    }
}

/* A box has the form of the picture, but where an edge cut it off; its label is what is left. */
static void test_box(void) {
    const Mixer m = {.alpha = {1, 1}, .p = {0, 1}};
    const MixPlane wide = {C, 200, 100};
    double across = 0, down = 0;
    int whole = 0;
    for (uint32_t k = 0; k < DRAWS; k++) {
        Mixed b = mix_draw(&m, &wide, 5, 1, k);
        CU_ASSERT_FATAL(b.x0 >= 0 && b.x0 <= b.x1 && b.x1 <= wide.width && b.y0 >= 0 && b.y0 <= b.y1 && b.y1 <= wide.height);
        double area = (double)(b.x1 - b.x0) * (b.y1 - b.y0) / (wide.width * wide.height);
        CU_ASSERT_DOUBLE_EQUAL((double)b.label, 1 - area, 1e-6);
        if (b.x0 == 0 || b.y0 == 0 || b.x1 == wide.width || b.y1 == wide.height) continue;
        across += (double)(b.x1 - b.x0) / wide.width;
        down += (double)(b.y1 - b.y0) / wide.height;
        whole++;
    }
    CU_ASSERT(whole > DRAWS / 10);
    CU_ASSERT_DOUBLE_EQUAL(across / down, 1, 0.05);
}

static float number_at(int i, int k) { return (float)((i * 131 + k * 7) % 97) / 8; }

static void check_images(const Mixed *mixed, int n, int threads) {
    RtError err = {.code = RT_OK};
    Pool *pool = pool_new(threads, &err);
    float *x = malloc(sizeof(float) * N * PICTURE);
    CU_ASSERT_FATAL(pool && x);
    for (int i = 0; i < n * PICTURE; i++) x[i] = number_at(i / PICTURE, i % PICTURE);
    mix_images(&plane, mixed, pool, n, x);
    int wrong = 0;
    for (int i = 0; i < n * PICTURE; i++) {
        int k = i % PICTURE, row = k / W % H, column = k % W, own = i / PICTURE;
        bool inside = column >= mixed->x0 && column < mixed->x1 && row >= mixed->y0 && row < mixed->y1;
        float want = number_at(own, k);
        if (inside && mixed->label < 1) want = mixed->share * want + (1 - mixed->share) * number_at((own + n - 1) % n, k);
        wrong += !(fabsf(x[i] - want) <= 1e-5F);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    free(x);
    pool_free(pool);
}

static void test_images(void) {
    static const Mixed all[] = {{0, 0, W, H, 0.25F, 0.25F}, {3, 1, W - 2, 4, 0, 0.5F}, {7, 2, 7, 4, 0, 1}, {0, 0, W, H, 1, 1}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        for (int threads = 1; threads <= 3; threads += 2) {
            check_images(&all[i], N, threads);
            check_images(&all[i], 1, threads);
        }
}

static void test_mistakes(void) {
    static const char *const steps[] = {
        "[{\"call\": \"mixup\", \"alpha\": 0}]", "[{\"call\": \"cutmix\", \"p\": 2, \"alpha\": 1}]",
        "[{\"call\": \"mixup\", \"p\": 0.75, \"alpha\": 0.2}, {\"call\": \"cutmix\", \"p\": 0.5, \"alpha\": 1}]"};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        RtError err = {.code = RT_OK};
            json_t *augment = json_loads(steps[i], 0, NULL);
        Mixer m;
        CU_ASSERT(!mix_parse(&m, augment, &err));
        CU_ASSERT_EQUAL(err.code, RT_DATA);
        json_decref(augment);
    }
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("mix", NULL, NULL);
    CU_add_test(suite, "which batches", test_shares_of_batches);
    CU_add_test(suite, "Beta(alpha, alpha)", test_beta);
    CU_add_test(suite, "boxes", test_box);
    CU_add_test(suite, "neighbours", test_images);
    CU_add_test(suite, "mistakes in settings", test_mistakes);
    CU_basic_run_tests();
    int failed = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed > 0;
}
