/* input { depth = 16 }: what 16 bits become, that 8 bits mean the same as ever, and that each step does to wide pixels
 * what it does to the others, but for the rounding. */
#include <CUnit/Basic.h>
#include <math.h>

#include "pictures.h"
#include "runtime/augment.h"

enum { W = 40, H = 30, MOST = 3 * 64 * 64 };

static Frame *frame;

/* The tensor of a picture; how many numbers, 0 if it cannot be made. settings: of input, behind depth and mean. */
static size_t tensor(int depth, const char *settings, const char *augment, const char *path, uint32_t sample,
                     float *out) {
    char text[512];
    RtError err = {.code = RT_OK};
    snprintf(text, sizeof text, "{\"depth\": %d, \"mean\": [0.4, 0.5, 0.3], \"std\": [0.2, 0.25, 0.5], %s}", depth,
             settings);
    json_t *input = json_loads(text, 0, NULL), *steps = augment ? json_loads(augment, 0, NULL) : NULL;
    CU_ASSERT_FATAL(input && (steps || !augment));
    Pipeline *p = pipeline_new(input, steps, &err);
    CU_ASSERT_FATAL(p && pipeline_floats(p) <= MOST);
    bool good = pipeline_tensor(p, frame, path, &(Draw){.seed = 5, .sample = sample}, out, &err);
    size_t n = pipeline_floats(p);
    if (!good) printf("\n%s\n", err.text);
    pipeline_free(p);
    json_decref(input);
    json_decref(steps);
    return good ? n : 0;
}

static float level(int c, double x) {
    static const double mean[] = {0.4, 0.5, 0.3}, std[] = {0.2, 0.25, 0.5};
    return (float)((x - mean[c]) / std[c]);
}

/* ---- 16 bits ---- */

static void check_exact(PicPng png, const char *settings, int channels) {
    static float x[MOST];
    const char *path = pic_path("deep.png");
    png.width = W, png.height = H, png.depth = 16;
    pic_png(path, png, paint_smooth);
    CU_ASSERT_EQUAL_FATAL(tensor(16, settings, NULL, path, 0, x), (size_t)channels * W * H);
    bool good = true;
    for (int i = 0; i < channels * W * H; i++) {
        int c = i / (W * H), v = paint_smooth(i % W, i / W % H, png.type ? c : 0, W, H);
        good = good && x[i] == level(c, (v * 256 + 255 - v) / 65535.0);
    }
    CU_ASSERT(good);
}

static void test_exact(void) {
    check_exact((PicPng){.type = PNG_COLOR_TYPE_RGB}, "\"size\": [30, 40]", 3);
    check_exact((PicPng){.type = PNG_COLOR_TYPE_RGB, .interlaced = true}, "\"size\": [30, 40]", 3);
    check_exact((PicPng){.type = PNG_COLOR_TYPE_RGBA}, "\"size\": [30, 40]", 3);
    check_exact((PicPng){.type = PNG_COLOR_TYPE_GRAY}, "\"size\": [30, 40]", 3);
    check_exact((PicPng){.type = PNG_COLOR_TYPE_GRAY}, "\"size\": [30, 40], \"colour\": \"grey\"", 1);
    check_exact((PicPng){.type = PNG_COLOR_TYPE_GRAY_ALPHA, .interlaced = true},
                "\"size\": [30, 40], \"colour\": \"grey\"", 1);
}

static uint8_t ramp(int x, int y, int c, int w, int h) {
    (void)y, (void)c, (void)h;
    return (uint8_t)(x * x * 255 / (w * w));
}

static double deep_ramp(int x) {
    int v = ramp(x < 0 ? 0 : x >= W ? W - 1 : x, 0, 0, W, H);
    return v * 256 + 255 - v;
}

/* Twice as wide: 3/4 of a pixel and 1/4 of its neighbour. The error is below a twentieth of one of 65536 levels. */
static void test_resize(void) {
    static float x[MOST];
    const char *path = pic_path("ramp.png");
    pic_png(path, (PicPng){.width = W, .height = H, .depth = 16}, ramp);
    size_t n =
        tensor(16, "\"size\": [30, 80], \"resize\": {\"call\": \"exact\", \"size\": [30, 80]}, \"colour\": \"grey\"",
               NULL, path, 0, x);
    CU_ASSERT_EQUAL_FATAL(n, 2 * W * H);
    double worst = 0;
    for (int i = 0; i < 2 * W * H; i++) {
        int at = i % (2 * W) / 2;
        double near = i % 2 ? deep_ramp(at + 1) : deep_ramp(at - 1), want = 0.75 * deep_ramp(at) + 0.25 * near;
        worst = fmax(worst, fabs(((double)x[i] * 0.2 + 0.4) * 65535 - want));
    }
    CU_ASSERT(worst < 0.05);
}

/* ---- 8 bits in 16 ---- */

static uint8_t *with_orientation(const char *path, int orientation, size_t *size) {
    uint8_t exif[] = {0xFF, 0xE1, 0, 34, 'E', 'x', 'i',  'f', 0, 0, 'M', 'M', 0, 42, 0,
                      0,    0,    8, 0,  1,   1,   0x12, 0,   3, 0, 0,   0,   1, 0,  (uint8_t)orientation,
                      0,    0,    0, 0,  0,   0};
    uint8_t *data = pic_slurp(path, size);
    memmove(data + 2 + sizeof exif, data + 2, *size - 2);
    memcpy(data + 2, exif, sizeof exif);
    *size += sizeof exif;
    return data;
}

static void check_same(const char *path, const char *settings, const char *augment) {
    static float narrow[MOST], wide[MOST];
    for (uint32_t sample = 0; sample < 4; sample++) {
        size_t n = tensor(8, settings, augment, path, sample, narrow);
        CU_ASSERT(n && tensor(16, settings, augment, path, sample, wide) == n &&
                  !memcmp(narrow, wide, n * sizeof *wide));
    }
}

/* What moves pixels and does not mix them gives the same bits, whatever the file. */
static void test_same(void) {
    static const char moves[] = "[{\"call\": \"random_crop\", \"size\": [34, 34], \"pad\": 12}, {\"call\": \"hflip\", "
                                "\"p\": 0.5}, {\"call\": \"vflip\", \"p\": 0.5},"
                                " {\"call\": \"random_crop\", \"size\": [20, 24], \"pad\": 0}]";
    char *jpeg = strdup(pic_path("eight.jpg")), *png = strdup(pic_path("eight.png")),
         *turned = strdup(pic_path("turned.jpg"));
    pic_jpeg(jpeg, (PicJpeg){.width = W, .height = H, .components = 3}, paint_smooth);
    pic_png(png, (PicPng){.width = W, .height = H, .type = PNG_COLOR_TYPE_PALETTE, .palette = 256}, paint_smooth);
    check_same(jpeg, "\"size\": [30, 40]", NULL);
    check_same(png, "\"size\": [30, 40], \"colour\": \"bgr\"", NULL);
    check_same(jpeg, "\"size\": [20, 24]", moves);
    check_same(png, "\"size\": [20, 24]", moves);
    for (int orientation = 1; orientation <= 8; orientation++) {
        size_t size;
        uint8_t *data = with_orientation(jpeg, orientation, &size);
        pic_write(turned, data, size);
        check_same(turned,
                   orientation > 4 ? "\"size\": [40, 30], \"orientation\": \"exif\""
                                   : "\"size\": [30, 40], \"orientation\": \"exif\"",
                   NULL);
        free(data);
    }
    free(jpeg);
    free(png);
    free(turned);
}

/* ---- every step ---- */

/* Levels of 8 bits that roundings make at most: half of one each, more where a later step makes them larger. */
static void check_near(const char *settings, const char *augment, double levels) {
    static const double std[] = {0.2, 0.25, 0.5};
    static float narrow[MOST], wide[MOST];
    char *path = strdup(pic_path("near.png"));
    double worst = 0, changed = 0;
    size_t channels = strstr(settings, "grey") ? 1 : 3;
    pic_png(path, (PicPng){.width = W, .height = H, .type = PNG_COLOR_TYPE_RGB}, paint_smooth);
    for (uint32_t sample = 0; sample < 12; sample++) {
        size_t n = tensor(8, settings, augment, path, sample, narrow);
        CU_ASSERT_FATAL(n && tensor(16, settings, augment, path, sample, wide) == n);
        for (size_t i = 0; i < n; i++) {
            double off = fabs((double)wide[i] - (double)narrow[i]) * 255 * std[i / (n / channels)];
            worst = fmax(worst, off);
            changed += off > 1e-4;
        }
    }
    if (worst > levels) printf("\n%s: %g levels\n", augment, worst);
    CU_ASSERT(worst <= levels && changed > 0);
    free(path);
}

static void test_steps(void) {
    static const char whole[] = "\"size\": [30, 40]", part[] = "\"size\": [24, 24]";
    check_near("\"size\": [20, 20], \"resize\": {\"call\": \"shorter\", \"size\": 23}, \"crop\": {\"call\": "
               "\"centre\", \"size\": [20, 20]}",
               NULL, 1.1);
    check_near(part, "[{\"call\": \"random_resized_crop\", \"size\": [24, 24], " PIC_USUAL_BOX "}]", 1.1);
    check_near(part,
               "[{\"call\": \"random_resized_crop\", \"size\": [24, 24], \"filter\": \"bicubic\", " PIC_USUAL_BOX
               "}, {\"call\": \"hflip\", \"p\": 0.5}]",
               1.5);
    check_near(part,
               "[{\"call\": \"random_scale\", \"shorter\": [20, 40]}, {\"call\": \"random_crop\", \"size\": [24, 24], "
               "\"pad\": 9}]",
               1.6);
    check_near(part, "[{\"call\": \"resize\", \"size\": 27}, {\"call\": \"crop\", \"size\": [24, 24]}]", 1.1);
    check_near(whole, "[{\"call\": \"rotate\", \"degrees\": [-90, 90], \"fill\": \"black\"}]", 0.51);
    check_near(whole, "[{\"call\": \"rotate\", \"degrees\": [-90, 90], \"fill\": \"mean\"}]", 1.01);
    check_near(whole, "[{\"call\": \"blur\", \"p\": 1, \"sigma\": [0.1, 2]}]", 1.1);
    check_near(whole, "[{\"call\": \"grey\", \"p\": 1}]", 1.01);
    check_near(whole, "[{\"call\": \"colour_jitter\", \"brightness\": 0.5, \"contrast\": 0, \"saturation\": 0}]", 0.51);
    check_near(whole, "[{\"call\": \"colour_jitter\", \"contrast\": 0.5, \"brightness\": 0, \"saturation\": 0}]", 0.8);
    check_near(whole, "[{\"call\": \"colour_jitter\", \"saturation\": 0.5, \"brightness\": 0, \"contrast\": 0}]", 1.01);
    check_near(whole, "[{\"call\": \"colour_jitter\", \"brightness\": 0.4, \"contrast\": 0.4, \"saturation\": 0.4}]",
               3);
    check_near(whole, "[{\"call\": \"colour_pca\", \"sigma\": 1}]", 0.51);
    check_near(whole, "[{\"call\": \"random_erase\", \"p\": 1, \"area\": [0.02, 0.33], \"ratio\": [0.3, 3.3]}]", 0.51);
    check_near("\"size\": [24, 24], \"colour\": \"grey\"",
               "[{\"call\": \"random_resized_crop\", \"size\": [24, 24], " PIC_USUAL_BOX "}]", 1.7);
}

/* A box that is erased is 0 in the tensor, to the last bits of a float. */
static void test_erase(void) {
    static float x[MOST];
    const char *path = pic_path("erase.png");
    pic_png(path, (PicPng){.width = W, .height = H, .depth = 16, .type = PNG_COLOR_TYPE_RGB}, paint_smooth);
    size_t n = tensor(16, "\"size\": [30, 40]",
                      "[{\"call\": \"random_erase\", \"p\": 1, \"area\": [0.5, 0.6], \"ratio\": [1, 1]}]", path, 0, x);
    int zero = 0;
    for (size_t i = 0; i < n; i++) zero += fabsf(x[i]) < 1e-6f;
    CU_ASSERT(zero >= 3 * W * H / 2 - 3 * W && zero <= 3 * W * H * 6 / 10 + 3 * W);
}

/* What is in no file is painted in 8 bits. */
static void test_blank(void) {
    static float tensors[2][MOST];
    for (int k = 0; k < 2; k++) {
        RtError err = {.code = RT_OK};
        json_t *input = json_pack("{s:[i, i], s:i}", "size", H, W, "depth", k ? 16 : 8);
        Pipeline *p = pipeline_new(input, NULL, &err);
        Image *pixels = frame_open_blank(frame, W, H, &err);
        CU_ASSERT_FATAL(p && pixels);
        for (int i = 0; i < W * H * IMAGE_PIXEL_BYTES; i++) pixels->pixel[i] = (uint8_t)(i * 7);
        CU_ASSERT(pipeline_blank(p, frame, &(Draw){0}, tensors[k], &err));
        pipeline_free(p);
        json_decref(input);
    }
    CU_ASSERT(!memcmp(tensors[0], tensors[1], sizeof(float) * 3 * W * H));
}

int main(void) {
    RtError err = {.code = RT_OK};
    frame = frame_new(&err);
    if (!frame || !pic_begin()) return 1;
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("depth", NULL, NULL);
    CU_add_test(suite, "16 bits are what they are", test_exact);
    CU_add_test(suite, "a resize by the formula", test_resize);
    CU_add_test(suite, "8 bits are what they were", test_same);
    CU_add_test(suite, "every step", test_steps);
    CU_add_test(suite, "an erased box is 0", test_erase);
    CU_add_test(suite, "pictures in no file", test_blank);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    frame_free(frame);
    pic_end();
    return failed > 0;
}
