/* From a file to a tensor: what the steps do, where the crops lie, and that nothing but (seed, epoch, sample) decides.
 */
#include <CUnit/Basic.h>
#include <math.h>

#include "pictures.h"
#include "runtime/augment.h"

enum { W = 200, H = 150 }; /* of the pictures whose red is the column and green the row */

static Frame *frame;
static char *place; /* a picture of paint_place */

static const char input_64[] = "{\"colour\": \"rgb\", \"size\": [64, 64]}";

static Pipeline *make(const char *input, const char *augment, RtError *err) {
    json_t *in = json_loads(input, 0, NULL), *steps = augment ? json_loads(augment, 0, NULL) : NULL;
    CU_ASSERT_FATAL(in && (steps || !augment));
    Pipeline *p = pipeline_new(in, steps, err);
    json_decref(in);
    json_decref(steps);
    return p;
}

static Pipeline *make_good(const char *input, const char *augment) {
    RtError err = {.code = RT_OK};
    Pipeline *p = make(input, augment, &err);
    if (!p) printf("\n%s\n", err.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    return p;
}

static const Image *pixels(const Pipeline *p, const char *path, Draw draw) {
    RtError err = {.code = RT_OK};
    Image *image = NULL;
    if (!pipeline_pixels(p, frame, path, &draw, &image, &err)) printf("\n%s\n", err.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(image);
    return image;
}

/* Red (column) and green (row) of the picture's pixel (x, y). */
static int red(const Image *i, int x, int y) { return i->pixel[(y * i->width + x) * 4]; }

static int green(const Image *i, int x, int y) { return i->pixel[(y * i->width + x) * 4 + 1]; }

/* ---- crops ---- */

/* Chi-square of draws in equal bins is near the number of bins. */
static bool is_even(const int *count, int bins, int draws) {
    double expected = (double)draws / bins, chi = 0;
    for (int i = 0; i < bins; i++) chi += (count[i] - expected) * (count[i] - expected) / expected;
    return chi < bins + 5 * sqrt(2.0 * bins);
}

/* A crop of 64 x 64 without a resize shows its offset in its first pixel: all offsets occur, none more than others, and
 * the whole window is the picture from there on. Fails if an offset is dropped, fixed, or used for the wrong axis. */
static void check_offsets(const char *augment) {
    enum { DRAWS = 4000, XS = W - 64 + 1, YS = H - 64 + 1, BINS = 8 };
    int at_x[XS] = {0}, at_y[YS] = {0}, bin[BINS] = {0}, both = 0;
    Pipeline *p = make_good(input_64, augment);
    for (int i = 0; i < DRAWS; i++) {
        const Image *image = pixels(p, place, (Draw){1, (uint32_t)i / 100, (uint32_t)i % 100});
        int x = red(image, 0, 0), y = green(image, 0, 0);
        CU_ASSERT_FATAL(image->width == 64 && image->height == 64 && x < XS && y < YS);
        CU_ASSERT(red(image, 63, 5) == x + 63 && green(image, 5, 63) == y + 63);
        at_x[x]++, at_y[y]++, bin[x * BINS / XS]++;
        both += (x < XS / 2) == (y < YS / 2);
    }
    CU_ASSERT(is_even(at_x, XS, DRAWS));
    CU_ASSERT(is_even(at_y, YS, DRAWS));
    CU_ASSERT(at_x[0] && at_x[XS - 1] && at_y[0] && at_y[YS - 1]);
    CU_ASSERT(abs(both - DRAWS / 2) < 5 * (int)sqrt(DRAWS / 4)); /* x and y are independent */
    pipeline_free(p);
}

static void test_random_crop_offsets(void) {
    check_offsets("[{\"call\": \"random_crop\", \"size\": [64, 64], \"pad\": 0}]");
}

/* An area of 64 * 64 / (200 * 150) and ratio 1 draw boxes of 64 x 64 only. */
static void test_resized_crop_offsets(void) {
    check_offsets("[{\"call\": \"random_resized_crop\", \"size\": [64, 64], \"area\": [0.13653, 0.13654], \"ratio\": "
                  "[1, 1], " PIC_NEAREST "}]");
}

/* The box of a resized crop, from the places that its corner pixels came from: nearest takes the pixel under the
 * centre, so first and last are half a target pixel inside. */
static void box_of(const Image *image, double *w, double *h) {
    *w = (red(image, 63, 0) - red(image, 0, 0)) * 64 / 63.0;
    *h = (green(image, 0, 63) - green(image, 0, 0)) * 64 / 63.0;
}

static void test_resized_crop_bounds(void) {
    enum { DRAWS = 3000 };
    double areas = 0, low = 1, high = 0, wide = 0;
    Pipeline *p = make_good(input_64, "[{\"call\": \"random_resized_crop\", \"size\": [64, 64], \"area\": [0.1, 0.5],"
                                      " \"ratio\": [0.75, 1.3333333333], " PIC_NEAREST "}]");
    for (int i = 0; i < DRAWS; i++) {
        double w, h;
        box_of(pixels(p, place, (Draw){5, 0, (uint32_t)i}), &w, &h);
        double area = w * h / (W * H), slack = (w + h) * 1.6 / (W * H), ratio = w / h;
        CU_ASSERT(area > 0.1 - slack && area < 0.5 + slack);
        CU_ASSERT(ratio > 0.75 * (1 - 3 / h) && ratio < 1.3334 * (1 + 3 / h));
        areas += area;
        low = fmin(low, area), high = fmax(high, area), wide += ratio > 1;
    }
    CU_ASSERT_DOUBLE_EQUAL(areas / DRAWS, 0.3, 0.01);
    CU_ASSERT(low < 0.11 && high > 0.48);
    CU_ASSERT(fabs(wide / DRAWS - 0.5) < 0.06); /* the logarithm of the ratio is even about 0 */
    pipeline_free(p);
}

/* Boxes that never fit: the central one of the nearest shape. */
static void test_resized_crop_falls_back(void) {
    Pipeline *p = make_good(
        input_64,
        "[{\"call\": \"random_resized_crop\", \"size\": [64, 64], \"area\": [1, 1], \"ratio\": [1, 1], " PIC_NEAREST
        "}]");
    const Image *image = pixels(p, place, (Draw){1, 1, 1});
    CU_ASSERT(abs(red(image, 0, 0) - (W - H) / 2) <= 2 && abs(red(image, 63, 0) - (W + H) / 2) <= 3);
    CU_ASSERT(green(image, 0, 0) <= 1 && green(image, 0, 63) >= H - 3);
    pipeline_free(p);
}

/* Padding by 4 and cropping to the old size, as for CIFAR: 9 x 9 shifts, black where the picture has gone. */
static void test_pad(void) {
    enum { S = 32, PAD = 4 };
    bool seen[2 * PAD + 1] = {false};
    const char *path = pic_path("pad.png");
    pic_png(path, (PicPng){.width = S, .height = S, .type = PNG_COLOR_TYPE_RGB}, paint_place);
    Pipeline *p = make_good("{\"size\": [32, 32]}", "[{\"call\": \"random_crop\", \"size\": [32, 32], \"pad\": 4}]");
    for (uint32_t i = 0; i < 200; i++) {
        const Image *image = pixels(p, path, (Draw){1, 0, i});
        int dx = red(image, S / 2, S / 2) - S / 2, dy = green(image, S / 2, S / 2) - S / 2, wrong = 0;
        CU_ASSERT_FATAL(abs(dx) <= PAD && abs(dy) <= PAD);
        seen[dx + PAD] = true;
        for (int y = 0; y < S; y++)
            for (int x = 0; x < S; x++) {
                bool inside = x + dx >= 0 && x + dx < S && y + dy >= 0 && y + dy < S;
                wrong += red(image, x, y) != (inside ? x + dx : 0) || green(image, x, y) != (inside ? y + dy : 0);
            }
        CU_ASSERT_EQUAL(wrong, 0);
    }
    for (int i = 0; i <= 2 * PAD; i++) CU_ASSERT(seen[i]);
    pipeline_free(p);
}

/* ---- other steps ---- */

static void test_flips(void) {
    const char *resize = "{\"size\": [150, 200]}";
    Pipeline *h = make_good(resize, "[{\"call\": \"hflip\", \"p\": 1}]"),
             *v = make_good(resize, "[{\"call\": \"vflip\", \"p\": 1}]");
    const Image *image = pixels(h, place, (Draw){1, 0, 0});
    CU_ASSERT(red(image, 0, 7) == W - 1 && red(image, W - 1, 7) == 0 && green(image, 3, 7) == 7);
    image = pixels(v, place, (Draw){1, 0, 0});
    CU_ASSERT(green(image, 3, 0) == H - 1 && green(image, 3, H - 1) == 0 && red(image, 3, 7) == 3);
    pipeline_free(h);
    pipeline_free(v);
}

static void test_flip_is_a_fair_coin(void) {
    enum { DRAWS = 1000 };
    int mirrored = 0;
    Pipeline *p = make_good(input_64, "[{\"call\": \"crop\", \"size\": [64, 64]}, {\"call\": \"hflip\", \"p\": 0.5}]");
    for (uint32_t i = 0; i < DRAWS; i++) {
        const Image *image = pixels(p, place, (Draw){1, i / 500, i % 500});
        int x = red(image, 0, 0);
        CU_ASSERT(x == (W - 64) / 2 || x == (W - 64) / 2 + 63);
        mirrored += x > W / 2;
    }
    CU_ASSERT(abs(mirrored - DRAWS / 2) < 5 * (int)sqrt(DRAWS / 4));
    pipeline_free(p);
}

/* The scales differ and stay within their range: the crop's width in the picture says which. */
static void test_random_scale(void) {
    double low = 1e9, high = 0;
    Pipeline *p = make_good(input_64, "[{\"call\": \"random_scale\", \"shorter\": [75, 300], " PIC_NEAREST
                                      "}, {\"call\": \"random_crop\", \"size\": [64, 64], \"pad\": 0}]");
    for (uint32_t i = 0; i < 500; i++) {
        double w, h;
        box_of(pixels(p, place, (Draw){1, 0, i}), &w, &h);
        low = fmin(low, w), high = fmax(high, w);
    }
    CU_ASSERT(low >= 31 && low < 35 && high <= 130 && high > 118);
    pipeline_free(p);
}

/* Columns and rows are linear, so what bilinear makes of them is the place itself. outside: red where nothing is. */
static void check_angle(const char *steps, double degrees, int outside) {
    Pipeline *p = make_good("{\"size\": [64, 90], \"mean\": [0.8, 0.4, 0.2]}", steps);
    const Image *image = pixels(p, place, (Draw){1, 0, 0});
    double c = cos(degrees * acos(-1) / 180), s = sin(degrees * acos(-1) / 180);
    int wrong = 0, uncovered = 0;
    for (int y = 0; y < 64; y++)
        for (int x = 0; x < 90; x++) {
            double u = x + 0.5 - 45, v = y + 0.5 - 32, sx = 45 + u * c - v * s, sy = 32 + u * s + v * c;
            bool inside = sx > 0.5 && sx < 89.5 && sy > 0.5 && sy < 63.5;
            bool far = sx < -0.5 || sx > 90.5 || sy < -0.5 || sy > 64.5;
            if (inside) wrong += fabs(red(image, x, y) - (54.5 + sx)) > 0.6 || fabs(green(image, x, y) - (42.5 + sy)) > 0.6;
            if (far) wrong += red(image, x, y) != outside;
            uncovered += far;
        }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(uncovered > 0, degrees != 0);
    pipeline_free(p);
}

static void test_rotate(void) {
#define TURN(range, fill)                                                                                              \
    "[{\"call\": \"crop\", \"size\": [64, 90]}, {\"call\": \"rotate\", \"degrees\": [" range "], \"fill\": \"" fill    \
    "\"}]"
    check_angle(TURN("0, 0", "black"), 0, 0);
    check_angle(TURN("90, 90", "black"), 90, 0);
    check_angle(TURN("-30, -30", "black"), -30, 0);
    check_angle(TURN("200, 200", "mean"), 200, 204);
}

/* Rows along the line through the middle rise with the sine of the angle: all angles, none outside of the interval. */
static void test_angles(void) {
    enum { DRAWS = 600, BINS = 10 };
    int bin[BINS] = {0};
    Pipeline *p = make_good("{\"size\": [64, 90]}", TURN("-15, 25", "black"));
    for (uint32_t i = 0; i < DRAWS; i++) {
        const Image *image = pixels(p, place, (Draw){1, i / 100, i % 100});
        double degrees = asin((green(image, 79, 32) - green(image, 10, 32)) / 69.0) * 180 / acos(-1);
        CU_ASSERT(degrees > -16 && degrees < 26);
        bin[(int)fmin(BINS - 1, fmax(0, (degrees + 15) / 4))]++;
    }
    CU_ASSERT(is_even(bin, BINS, DRAWS));
    pipeline_free(p);
#undef TURN
}

/* Every operation on pictures of one and of two pixels a side, where there is nothing around a pixel. */
static void test_changes_of_little(void) {
    static const char *const input[] = {"{\"size\": [1, 1]}", "{\"size\": [2, 90]}"};
    static const char *const augment[] = {"[{\"call\": \"crop\", \"size\": [1, 1]}, {\"call\": \"rand_augment\", "
                                          "\"n\": 14, \"m\": 30, \"fill\": \"black\"}]",
                                          "[{\"call\": \"crop\", \"size\": [2, 90]}, {\"call\": \"rand_augment\", "
                                          "\"n\": 14, \"m\": 30, \"fill\": \"mean\"}]"};
    for (int i = 0; i < 2; i++) {
        Pipeline *p = make_good(input[i], augment[i]);
        for (uint32_t k = 0; k < 50; k++) CU_ASSERT_PTR_NOT_NULL(pixels(p, place, (Draw){1, 0, k}));
        pipeline_free(p);
    }
}

static uint8_t paint_flat(int x, int y, int c, int w, int h) {
    (void)x, (void)y, (void)w, (void)h;
    return c == 0 ? 100 : c == 1 ? 120 : 60;
}

static void check_jitter(const char *augment, int channel, int low, int high) {
    const char *path = pic_path("flat.png");
    int least = 255, most = 0;
    pic_png(path, (PicPng){.width = 8, .height = 8, .type = PNG_COLOR_TYPE_RGB}, paint_flat);
    Pipeline *p = make_good("{\"size\": [8, 8]}", augment);
    for (uint32_t i = 0; i < 400; i++) {
        int v = pixels(p, path, (Draw){1, 0, i})->pixel[4 * 9 + channel];
        least = v < least ? v : least;
        most = v > most ? v : most;
    }
    if (least < low || most > high || least > low + 3 || most < high - 3)
        printf("\n%s: %d .. %d\n", augment, least, most);
    CU_ASSERT(least >= low && least <= low + 3 && most <= high && most >= high - 3);
    pipeline_free(p);
}

static void test_colour(void) {
    const int grey = (19595 * 100 + 38470 * 120 + 7471 * 60 + 32768) >> 16;
    check_jitter("[{\"call\": \"colour_jitter\", \"brightness\": 0.4, \"contrast\": 0, \"saturation\": 0}]", 0, 60,
                 140);
    check_jitter("[{\"call\": \"colour_jitter\", \"brightness\": 2, \"contrast\": 0, \"saturation\": 0}]", 1, 0, 255);
    check_jitter("[{\"call\": \"colour_jitter\", \"brightness\": 0, \"contrast\": 0.5, \"saturation\": 0}]", 2,
                 grey + (60 - grey) * 3 / 2, grey + (60 - grey) / 2);
    check_jitter("[{\"call\": \"colour_jitter\", \"brightness\": 0, \"contrast\": 0, \"saturation\": 1}]", 2,
                 2 * 60 - grey, grey);
    check_jitter("[{\"call\": \"grey\", \"p\": 1}]", 2, grey, grey);
    check_jitter("[{\"call\": \"grey\", \"p\": 0}]", 2, 60, 60);
}

static uint8_t paint_noise(int x, int y, int c, int w, int h) {
    (void)w, (void)h;
    return (uint8_t)((unsigned)(x * 7919 + y * 104729 + c * 1299709) * 2654435761u >> 24);
}

/* What the definition says of pixel (x, y), as one sum over the plane, in double. */
static double blurred(int x, int y, int c, int w, int h, double sigma) {
    double sum = 0, weights = 0;
    for (int v = 0; v < h; v++)
        for (int u = 0; u < w; u++) {
            double k = exp(-((x - u) * (x - u) + (y - v) * (y - v)) / (2 * sigma * sigma));
            if (abs(x - u) > 3 * sigma || abs(y - v) > 3 * sigma) continue;
            sum += k * paint_noise(u, v, c, w, h), weights += k;
        }
    return sum / weights;
}

/* Within one level: half of one for each of the two roundings. Corners and sides have only what is in the picture. */
static void test_blur(void) {
    enum { BW = 23, BH = 11 };
    static const double sigmas[] = {0.01, 0.5, 1.1, 2, 30};
    const char *path = pic_path("noise.png");
    pic_png(path, (PicPng){.width = BW, .height = BH, .type = PNG_COLOR_TYPE_RGB}, paint_noise);
    for (size_t k = 0; k < sizeof sigmas / sizeof sigmas[0]; k++) {
        char steps[100];
        double worst = 0;
        snprintf(steps, sizeof steps, "[{\"call\": \"blur\", \"sigma\": [%g, %g], \"p\": 1}]", sigmas[k], sigmas[k]);
        Pipeline *p = make_good("{\"size\": [11, 23]}", steps);
        const Image *image = pixels(p, path, (Draw){1, 0, 0});
        for (int i = 0; i < BW * BH * 3; i++) {
            int x = i / 3 % BW, y = i / 3 / BW;
            worst = fmax(worst, fabs(image->pixel[4 * (i / 3) + i % 3] - blurred(x, y, i % 3, BW, BH, sigmas[k])));
        }
        CU_ASSERT(worst <= (k == 0 ? 0 : 1.001));
        pipeline_free(p);
    }
}

/* How far a plane of the noise is from flat. */
static double roughness(double (*at)(const void *context, int x, int y), const void *context) {
    double sum = 0, squares = 0;
    for (int i = 0; i < 23 * 11; i++) {
        double v = at(context, i % 23, i / 23);
        sum += v, squares += v * v;
    }
    return squares - sum * sum / (23 * 11);
}

static double red_of(const void *image, int x, int y) { return red(image, x, y); }

static double red_blurred(const void *sigma, int x, int y) { return blurred(x, y, 0, 23, 11, *(const double *)sigma); }

/* As often as asked for, and more or less, within the interval and up to its ends. */
static void test_blur_is_random(void) {
    enum { DRAWS = 1000 };
    static const double sigma[4] = {0.5, 0.55, 1.4, 1.5};
    double rough[4], most = 0, least = 1e9;
    int sharp = 0;
    const char *path = pic_path("noise.png");
    pic_png(path, (PicPng){.width = 23, .height = 11, .type = PNG_COLOR_TYPE_RGB}, paint_noise);
    Pipeline *p = make_good("{\"size\": [11, 23]}", "[{\"call\": \"blur\", \"sigma\": [0.5, 1.5], \"p\": 0.3}]");
    for (int i = 0; i < 4; i++) rough[i] = roughness(red_blurred, &sigma[i]);
    for (uint32_t i = 0; i < DRAWS; i++) {
        double r = roughness(red_of, pixels(p, path, (Draw){1, i / 500, i % 500}));
        if (r > 1.05 * rough[0]) {
            sharp++;
            continue;
        }
        CU_ASSERT(r > 0.95 * rough[3]);
        most = fmax(most, r), least = fmin(least, r);
    }
    CU_ASSERT(abs(sharp - DRAWS * 7 / 10) < 5 * (int)sqrt(DRAWS * 0.21));
    CU_ASSERT(most > rough[1] && least < rough[2]);
    pipeline_free(p);
}

/* Along each component, what colour_pca adds has the deviation asked for, and none has to do with another; all pixels
 * of a picture get the same. */
static void test_colour_pca(void) {
    enum { DRAWS = 4000 };
    static const double values[3] = {0.2175, 0.0188, 0.0045}, vectors[3][3] = {{-0.5675, 0.7192, 0.4009},
                                                                              {-0.5808, -0.0045, -0.8140},
                                                                              {-0.5836, -0.6948, 0.4203}};
    double part[3], variance[3];
    static const int flat[3] = {100, 120, 60};
    double mean[3] = {0}, product[3][3] = {{0}};
    const char *path = pic_path("flat.png");
    pic_png(path, (PicPng){.width = 8, .height = 8, .type = PNG_COLOR_TYPE_RGB}, paint_flat);
    Pipeline *p = make_good("{\"size\": [8, 8]}", "[{\"call\": \"colour_pca\", \"sigma\": 0.25}]");
    for (uint32_t i = 0; i < DRAWS; i++) {
        const uint8_t *pixel = pixels(p, path, (Draw){1, i / 500, i % 500})->pixel;
        CU_ASSERT(!memcmp(pixel, pixel + 4 * 63, 3));
        for (int a = 0; a < 3; a++) {
            part[a] = 0;
            for (int c = 0; c < 3; c++) part[a] += vectors[c][a] * (pixel[c] - flat[c]);
            mean[a] += part[a] / DRAWS;
            for (int b = 0; b <= a; b++) product[a][b] += part[a] * part[b] / DRAWS;
        }
    }
    for (int a = 0; a < 3; a++) {
        variance[a] = pow(0.25 * 255 * values[a], 2) + 1.0 / 12; /* the twelfth is of the rounding to whole levels */
        CU_ASSERT_DOUBLE_EQUAL(product[a][a], variance[a], 0.15 * variance[a]);
        CU_ASSERT(fabs(mean[a]) < 5 * sqrt(variance[a] / DRAWS));
        for (int b = 0; b < a; b++) CU_ASSERT(fabs(product[a][b]) < 5 * sqrt(variance[a] * variance[b] / DRAWS));
    }
    pipeline_free(p);
}

/* Where the box of random_erase is, from its first and last pixels; its pixels and no others have the colour. */
static bool find_erased(const Image *image, const uint8_t *colour, Region *box) {
    int n = 0;
    *box = (Region){image->width, image->height, 0, 0};
    for (int y = 0; y < image->height; y++)
        for (int x = 0; x < image->width; x++) {
            if (memcmp(image->pixel + 4 * (y * image->width + x), colour, 3)) continue;
            box->x0 = x < box->x0 ? x : box->x0, box->x1 = x + 1 > box->x1 ? x + 1 : box->x1;
            box->y0 = y < box->y0 ? y : box->y0, box->y1 = y + 1, n++;
        }
    CU_ASSERT(!n || n == (box->x1 - box->x0) * (box->y1 - box->y0));
    return n > 0;
}

/* With the probability, areas and ratios asked for, in the colour that is the mean, and nowhere outside. */
static void test_random_erase(void) {
    enum { DRAWS = 2000, S = 100 };
    static const uint8_t colour[3] = {51, 102, 204}; /* 0.2, 0.4 and 0.8 of 255; paint_flat has none of them */
    const char *path = pic_path("erase.png");
    int erased = 0, wide = 0, corners = 0;
    double areas = 0;
    pic_png(path, (PicPng){.width = S, .height = S, .type = PNG_COLOR_TYPE_RGB}, paint_flat);
    Pipeline *p = make_good("{\"size\": [100, 100], \"colour\": \"bgr\", \"mean\": [0.8, 0.4, 0.2]}",
                            "[{\"call\": \"random_erase\", \"p\": 0.4, \"area\": [0.1, 0.3], \"ratio\": [0.5, 2]}]");
    for (uint32_t i = 0; i < DRAWS; i++) {
        Region b;
        if (!find_erased(pixels(p, path, (Draw){1, i / 500, i % 500}), colour, &b)) continue;
        double w = b.x1 - b.x0, h = b.y1 - b.y0;
        CU_ASSERT(w * h > 0.09 * S * S && w * h < 0.315 * S * S && w / h > 0.47 && w / h < 2.1);
        erased++, wide += w > h, areas += w * h / (S * S), corners += b.x0 < S / 4;
    }
    CU_ASSERT(abs(erased - DRAWS * 4 / 10) < 5 * (int)sqrt(DRAWS * 0.24));
    CU_ASSERT(abs(wide - erased / 2) < 5 * (int)sqrt(erased / 4.0) && corners > erased / 5 && corners < erased * 3 / 5);
    CU_ASSERT_DOUBLE_EQUAL(areas / erased, 0.2, 0.01);
    pipeline_free(p);
}

/* No box of these fits, and one of all colours is 0 in the tensor within half of a level. */
static void test_random_erase_limits(void) {
    static float tensor[8 * 8];
    RtError err = {.code = RT_OK};
    const char *path = pic_path("flat.png");
    Region b;
    pic_png(path, (PicPng){.width = 8, .height = 8, .type = PNG_COLOR_TYPE_RGB}, paint_flat);
    Pipeline *p = make_good("{\"size\": [8, 8]}",
                            "[{\"call\": \"random_erase\", \"p\": 1, \"area\": [1, 1], \"ratio\": [2, 3]}]");
    CU_ASSERT(!find_erased(pixels(p, path, (Draw){1, 0, 0}), (const uint8_t[3]){0, 0, 0}, &b));
    pipeline_free(p);
    p = make_good("{\"size\": [8, 8], \"colour\": \"grey\", \"mean\": [0.4568], \"std\": [0.5]}",
                  "[{\"call\": \"random_erase\", \"p\": 1, \"area\": [1, 1], \"ratio\": [1, 1]}]");
    CU_ASSERT_FATAL(pipeline_tensor(p, frame, path, &(Draw){1, 0, 0}, tensor, &err));
    for (int i = 0; i < 8 * 8; i++) CU_ASSERT(fabsf(tensor[i]) <= 0.5f / 255 / 0.5f);
    pipeline_free(p);
}

/* ---- what decides ---- */

static void tensor_of(const Pipeline *p, const char *path, Draw draw, float *to) {
    RtError err = {.code = RT_OK};
    CU_ASSERT_FATAL(pipeline_tensor(p, frame, path, &draw, to, &err));
}

static void test_only_the_draw_decides(void) {
    enum { N = 3 * 64 * 64 };
    static float first[N], again[N], other[N];
    static const Draw others[] = {{2, 3, 4}, {1, 9, 4}, {1, 3, 9}};
    Pipeline *p = make_good(
        "{\"size\": [64, 64]}",
        "[{\"call\": \"random_resized_crop\", \"size\": [64, 64], \"area\": [0.08, 1], \"ratio\": [0.75, 1.33]},"
        " {\"call\": \"hflip\", \"p\": 0.5},"
        " {\"call\": \"colour_jitter\", \"brightness\": 0.4, \"contrast\": 0.4, \"saturation\": 0.4}]");
    tensor_of(p, place, (Draw){1, 3, 4}, first);
    for (size_t i = 0; i < 3; i++) {
        tensor_of(p, place, others[i], other);
        CU_ASSERT(memcmp(first, other, sizeof first));
    }
    tensor_of(p, place, (Draw){1, 3, 4}, again);
    CU_ASSERT(!memcmp(first, again, sizeof first));
    pipeline_free(p);
}

/* The tensor of an evaluation, made here step by step without windows: shorter side to 80, centre 64, colours, mean,
 * std. */
static void check_eval(const char *colour, const int *source, int channels) {
    char input[400];
    static float got[3 * 64 * 64];
    const double mean[3] = {0.485, 0.456, 0.406}, std[3] = {0.229, 0.224, 0.225};
    int wrong = 0;
    snprintf(input, sizeof input,
             "{\"colour\": \"%s\", \"size\": [64, 64], \"resize\": {\"call\": \"shorter\", \"size\": 80}, \"crop\": "
             "{\"call\": \"centre\", \"size\": [64, 64]}, \"mean\": "
             "[0.485, 0.456, 0.406],"
             " \"std\": [0.229, 0.224, 0.225]}",
             colour);
    Pipeline *p = make_good(input, NULL);
    CU_ASSERT_EQUAL(pipeline_floats(p), (size_t)channels * 64 * 64);
    tensor_of(p, place, (Draw){0, 0, 0}, got);
    RtError err = {.code = RT_OK};
    Image *image;
    CU_ASSERT_FATAL(frame_open(frame, place, false, &err) &&
                    frame_resize(frame, 106, 80, FILTER_BILINEAR, true, &err) && frame_settle(frame, &image, &err));
    for (int i = 0; i < channels * 64 * 64; i++) {
        int c = i / (64 * 64), x = 21 + i % 64, y = 8 + i / 64 % 64;
        const uint8_t *pixel = image->pixel + (y * 106 + x) * 4;
        int v = source ? pixel[source[c]] : (19595 * pixel[0] + 38470 * pixel[1] + 7471 * pixel[2] + 32768) >> 16;
        wrong += got[i] != (float)((v / 255.0 - mean[c]) / std[c]);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    pipeline_free(p);
}

static void test_evaluation(void) {
    check_eval("rgb", (const int[]){0, 1, 2}, 3);
    check_eval("bgr", (const int[]){2, 1, 0}, 3);
    check_eval("grey", NULL, 1);
}

/* Training from a large JPEG decodes at a fraction; the picture is nearly the same as evaluation's. */
static void test_scaled_decoding(void) {
    const char *path = pic_path("large.jpg");
    int worst = 0;
    pic_jpeg(path, (PicJpeg){.width = 900, .height = 700, .components = 3, .sampling = 2}, paint_smooth);
    const char *step = "{\"size\": [64, 64], \"resize\": {\"call\": \"exact\", \"size\": [64, 64]}}";
    Pipeline *train = make_good(step, "[]"), *eval = make_good(step, NULL);
    Image copy = {0};
    const Image *image = pixels(train, path, (Draw){1, 1, 1});
    CU_ASSERT_FATAL(image_resize_buffer(&copy, 64, 64, NULL));
    memcpy(copy.pixel, image->pixel, 64 * 64 * 4);
    image = pixels(eval, path, (Draw){1, 1, 1});
    for (int i = 0; i < 64 * 64 * 4; i++)
        worst =
            i % 4 < 3 && abs(image->pixel[i] - copy.pixel[i]) > worst ? abs(image->pixel[i] - copy.pixel[i]) : worst;
    CU_ASSERT(worst <= 3);
    image_free(&copy);
    pipeline_free(train);
    pipeline_free(eval);
}

/* Pictures smaller than the crop are scaled up. */
static void test_small_pictures(void) {
    static const int sizes[][2] = {{2, 1}, {1, 500}, {500, 1}, {17, 20}, {223, 224}};
    static const char *const steps[] = {
        "[{\"call\": \"random_crop\", \"size\": [224, 224], \"pad\": 0}]",
        "[{\"call\": \"random_crop\", \"size\": [224, 224], \"pad\": 4}]",
        "[{\"call\": \"crop\", \"size\": [224, 224]}]",
        "[{\"call\": \"random_resized_crop\", \"size\": [224, 224], " PIC_USUAL_BOX "}]",
        "[{\"call\": \"random_scale\", \"shorter\": [5, 9]}, {\"call\": \"vflip\", \"p\": 0.5}, {\"call\": "
        "\"random_crop\", "
        "\"size\": [224, 224], \"pad\": 0}]",
        NULL,
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
            const char *path = pic_path("small");
            pic_png(path, (PicPng){.width = sizes[i][0], .height = sizes[i][1], .type = PNG_COLOR_TYPE_RGB},
                    paint_flat);
            Pipeline *p = make_good("{\"size\": [224, 224], \"resize\": {\"call\": \"shorter\", \"size\": 100, "
                                    "\"filter\": \"bicubic\"}, \"crop\": "
                                    "{\"call\": \"centre\", \"size\": [224, 224]}}",
                                    steps[s]);
            const Image *image = pixels(p, path, (Draw){1, 1, 1});
            CU_ASSERT(image->width == 224 && image->height == 224);
            CU_ASSERT(red(image, 112, 112) == 100 && green(image, 100, 110) == 120);
            pipeline_free(p);
        }
}

/* ---- mistakes ---- */

static void check_refused(const char *input, const char *augment, const char *says) {
    RtError err = {.code = RT_OK};
    Pipeline *p = make(input, augment, &err);
    CU_ASSERT_PTR_NULL(p);
    CU_ASSERT(err.code == RT_DATA && strstr(err.text, says));
    pipeline_free(p);
}

static void test_mistakes(void) {
    check_refused("{}", NULL, "`size` must be");
    check_refused("{\"size\": [0, 5]}", NULL, "`size` must be");
    check_refused("{\"size\": [5, 5], \"colour\": \"cmyk\"}", NULL, "`colour` must be");
    check_refused("{\"size\": [5, 5], \"std\": [0, 0, 0]}", NULL, "`std` must be");
    check_refused("{\"size\": [5, 5]}", "[{\"call\": \"spin\"}]", "`spin` is not a step");
    check_refused("{\"size\": [5, 5]}", "[{\"call\": \"hflip\", \"p\": 2}]", "`p` must be a number from 0 to 1");
    check_refused("{\"size\": [5, 5]}", "[{\"call\": \"random_crop\", \"size\": 5, \"pad\": 0}]", "[height, width]");
    check_refused("{\"size\": [5, 5]}",
                  "[{\"call\": \"random_resized_crop\", \"size\": [5, 5], \"area\": [1, 0.5], \"ratio\": [0.75, "
                  "1.3333333333333333]}]",
                  "two rising numbers");
    check_refused("{\"size\": [5, 5]}", "[{\"call\": \"rand_augment\", \"m\": 31, \"n\": 2, \"fill\": \"black\"}]",
                  "`m` must be a number from 0 to 30");
    check_refused("{\"size\": [5, 5]}", "[{\"call\": \"trivial_augment\", \"fill\": \"red\"}]", "`fill` must be");
    check_refused("{\"size\": [5, 5]}", "[{\"call\": \"resize\", \"size\": [5, 5], \"filter\": \"sinc\"}]",
                  "`filter` must be");
}

static void test_wrong_size_is_said(void) {
    RtError err = {.code = RT_OK};
    Image *image;
    Pipeline *p = make_good(input_64, NULL);
    CU_ASSERT(!pipeline_pixels(p, frame, place, &(Draw){0, 0, 0}, &image, &err));
    CU_ASSERT(err.code == RT_DATA && strstr(err.text, place) && strstr(err.text, "200 x 150") &&
              strstr(err.text, "64 x 64"));
    pipeline_free(p);
}

static void run_all(void) {
    place = strdup(pic_path("place.png"));
    pic_png(place, (PicPng){.width = W, .height = H, .type = PNG_COLOR_TYPE_RGB}, paint_place);
    CU_basic_run_tests();
    free(place);
}

int main(void) {
    RtError err = {.code = RT_OK};
    frame = frame_new(&err);
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("augment", NULL, NULL);
    CU_add_test(suite, "offsets of random_crop", test_random_crop_offsets);
    CU_add_test(suite, "offsets of random_resized_crop", test_resized_crop_offsets);
    CU_add_test(suite, "area and ratio of random_resized_crop", test_resized_crop_bounds);
    CU_add_test(suite, "random_resized_crop where nothing fits", test_resized_crop_falls_back);
    CU_add_test(suite, "padding", test_pad);
    CU_add_test(suite, "flips", test_flips);
    CU_add_test(suite, "a flip is a fair coin", test_flip_is_a_fair_coin);
    CU_add_test(suite, "random_scale", test_random_scale);
    CU_add_test(suite, "rotate", test_rotate);
    CU_add_test(suite, "angles of rotate", test_angles);
    CU_add_test(suite, "changes of little pictures", test_changes_of_little);
    CU_add_test(suite, "colours", test_colour);
    CU_add_test(suite, "blur", test_blur);
    CU_add_test(suite, "a blur is drawn", test_blur_is_random);
    CU_add_test(suite, "colour_pca", test_colour_pca);
    CU_add_test(suite, "random_erase", test_random_erase);
    CU_add_test(suite, "random_erase of nothing and of everything", test_random_erase_limits);
    CU_add_test(suite, "only seed, epoch and sample decide", test_only_the_draw_decides);
    CU_add_test(suite, "evaluation", test_evaluation);
    CU_add_test(suite, "scaled decoding", test_scaled_decoding);
    CU_add_test(suite, "pictures smaller than the crop", test_small_pictures);
    CU_add_test(suite, "mistakes in settings", test_mistakes);
    CU_add_test(suite, "a wrong size is said", test_wrong_size_is_said);
    if (frame && pic_begin()) run_all();
    pic_end();
    frame_free(frame);
    bool failed = CU_get_number_of_failures() > 0 || CU_get_number_of_tests_run() == 0;
    CU_cleanup_registry();
    return failed;
}
