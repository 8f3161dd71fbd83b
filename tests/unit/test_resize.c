/* Resizing: bytes that Pillow gives, the formula of resize.h as a naive reference in double precision, and the laws
 * that a window is a part of the whole and a flat picture stays flat. */
#include <CUnit/Basic.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/resize.h"

/* The golden bytes below were made by Pillow 9.4:
 *
 *   import numpy as np
 *   from PIL import Image
 *   y, x, c = np.mgrid[0:5, 0:7, 0:3]
 *   im = Image.fromarray(((37*x + 59*y + 101*c + 7*x*y) % 256).astype(np.uint8))
 *   for w, h, f in ((4, 3, 'BILINEAR'), (11, 2, 'BILINEAR'), (3, 8, 'BICUBIC'), (9, 4, 'BICUBIC')):
 *       print(', '.join(map(str, np.asarray(im.resize((w, h), getattr(Image, f))).ravel())))
 */
static const uint8_t bilinear_4x3[] = {46,  147, 131, 109, 179, 84,  160, 144, 128, 140, 96,  133,
                                       142, 121, 91,  139, 110, 154, 107, 151, 105, 114, 114, 114,
                                       168, 88,  182, 106, 144, 138, 169, 131, 144, 98,  145, 164};
static const uint8_t bilinear_11x2[] = {
    59,  148, 86,  79,  142, 106, 106, 138, 127, 127, 166, 103, 130, 156, 105, 121, 117, 125, 149, 145, 117, 149,
    148, 123, 110, 117, 151, 122, 105, 122, 137, 98,  94,  177, 92,  123, 166, 92,  149, 149, 97,  179, 119, 134,
    164, 107, 137, 141, 107, 115, 111, 143, 151, 111, 155, 160, 127, 133, 130, 163, 104, 126, 150, 83,  126, 134};
static const uint8_t bicubic_3x8[] = {22,  124, 194, 106, 215, 55,  203, 83,  140, 49,  163, 122, 146, 169, 94,
                                      148, 102, 143, 96,  199, 36,  185, 107, 147, 79,  128, 136, 146, 131, 81,
                                      117, 105, 148, 107, 135, 80,  173, 79,  133, 85,  140, 135, 127, 129, 89,
                                      174, 64,  172, 105, 192, 116, 128, 117, 160, 145, 107, 183, 142, 137, 124,
                                      119, 142, 172, 123, 142, 184, 167, 87,  134, 112, 162, 170};
static const uint8_t bicubic_9x4[] = {
    8,   106, 160, 31,  141, 200, 62,  181, 127, 95,  196, 24,  135, 175, 68,  169, 214, 109, 160, 115, 146, 160,
    47,  153, 190, 97,  133, 78,  200, 16,  108, 147, 46,  161, 151, 88,  180, 157, 135, 121, 57,  181, 166, 88,
    123, 98,  150, 144, 60,  156, 125, 113, 102, 35,  153, 102, 99,  206, 56,  135, 180, 57,  195, 91,  113, 207,
    51,  175, 111, 91,  228, 57,  162, 175, 75,  156, 95,  138, 70,  60,  190, 235, 56,  171, 130, 107, 228, 71,
    178, 181, 99,  179, 83,  164, 57,  97,  228, 107, 157, 149, 121, 225, 75,  149, 196, 87,  205, 88};

static uint8_t pattern(int x, int y, int c) { return (uint8_t)(37 * x + 59 * y + 101 * c + 7 * x * y); }

static Image make_picture(int w, int h) {
    Image image = {0};
    if (!image_resize_buffer(&image, w, h, NULL)) abort();
    for (int i = 0; i < w * h * 4; i++) image.pixel[i] = pattern(i / 4 % w, i / 4 / w, i % 4);
    return image;
}

/* Source box and target window of a test; the boxes are whole pixels or not. */
typedef struct Job {
    Axis x, y;
    Filter filter;
    bool antialias;
} Job;

static Axis whole_axis(int32_t in, int32_t out) {
    return (Axis){.start = 0, .length = in, .low = 0, .high = in, .size = out, .first = 0, .count = out};
}

static Image run(const Image *in, const Job *j) {
    Weights x = {0}, y = {0};
    Image middle = {0}, out = {0};
    RtError err = {.code = RT_OK};
    bool good = weights_make(&x, &j->x, j->filter, j->antialias, &err) &&
                weights_make(&y, &j->y, j->filter, j->antialias, &err) &&
                resize_image(in, 0, 0, &x, &y, &middle, &out, &err);
    CU_ASSERT_FATAL(good);
    weights_free(&x);
    weights_free(&y);
    image_free(&middle);
    return out;
}

static void check_golden(int w, int h, Filter filter, const uint8_t *golden) {
    Image in = make_picture(7, 5);
    Image out = run(&in, &(Job){whole_axis(7, w), whole_axis(5, h), filter, true});
    for (int i = 0; i < w * h * 3; i++) CU_ASSERT(abs(out.pixel[i / 3 * 4 + i % 3] - golden[i]) <= 1);
    image_free(&in);
    image_free(&out);
}

static void test_golden(void) {
    check_golden(4, 3, FILTER_BILINEAR, bilinear_4x3);
    check_golden(11, 2, FILTER_BILINEAR, bilinear_11x2);
    check_golden(3, 8, FILTER_BICUBIC, bicubic_3x8);
    check_golden(9, 4, FILTER_BICUBIC, bicubic_9x4);
}

/* ---- the formula, naively ---- */

static double filter_at(Filter filter, double x) {
    x = fabs(x);
    if (filter == FILTER_BILINEAR) return fmax(0, 1 - x);
    return x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

/* Target pixel i of an axis over samples at(0) .. at(n-1) with a given stride. */
static double naive(const Axis *a, Filter filter, bool antialias, int i, const double *samples, int stride) {
    double scale = a->length / a->size, f = antialias && scale > 1 ? scale : 1,
           centre = a->start + (a->first + i + 0.5) * scale;
    double s = f * (filter == FILTER_BICUBIC ? 2 : 1), sum = 0, weights = 0;
    if (filter == FILTER_NEAREST) return samples[(int)fmin(fmax(centre, a->low), a->high - 1) * stride];
    for (int j = a->low; j < a->high; j++) {
        bool seen = j >= trunc(centre - s + 0.5) && j < trunc(centre + s + 0.5);
        double w = seen ? filter_at(filter, (j + 0.5 - centre) / f) : 0;
        sum += w * samples[j * stride];
        weights += w;
    }
    return sum / weights;
}

static void check_naive(const Image *in, const Job *job) {
    int iw = in->width, ih = in->height, ow = job->x.count, oh = job->y.count, worst = 0;
    double *middle = calloc((size_t)(ow * ih), sizeof *middle), *plane = calloc((size_t)(iw * ih), sizeof *plane);
    Image out = run(in, job);
    for (int c = 0; c < 3; c++) {
        for (int i = 0; i < iw * ih; i++) plane[i] = in->pixel[i * 4 + c];
        for (int i = 0; i < ow * ih; i++) {
            double v = naive(&job->x, job->filter, job->antialias, i % ow, plane + i / ow * iw, 1);
            middle[i] = fmin(fmax(floor(v + 0.5), 0), 255);
        }
        for (int i = 0; i < ow * oh; i++) {
            double v = naive(&job->y, job->filter, job->antialias, i / ow, middle + i % ow, ow);
            int off = abs((int)fmin(fmax(floor(v + 0.5), 0), 255) - out.pixel[i * 4 + c]);
            worst = off > worst ? off : worst;
        }
    }
    CU_ASSERT(worst <= 1);
    free(middle);
    free(plane);
    image_free(&out);
}

static Axis random_axis(int in) {
    int low = rand() % in, high = low + 1 + rand() % (in - low), size = 1 + rand() % 60, first = rand() % size;
    return (Axis){.start = low,
                  .length = high - low,
                  .low = low,
                  .high = high,
                  .size = size,
                  .first = first,
                  .count = 1 + rand() % (size - first)};
}

static void test_formula(void) {
    srand(1);
    for (int round = 0; round < 300; round++) {
        int w = 1 + rand() % 50, h = 1 + rand() % 50;
        Image in = make_picture(w, h);
        Job job = {random_axis(w), random_axis(h), (Filter)(rand() % FILTER_COUNT), rand() % 2 == 0};
        if (round % 3 == 0 && job.x.length > 1) /* boxes that begin within a pixel, as after a scaled decode */
            job.x.start += 0.375, job.x.length -= 0.5;
        check_naive(&in, &job);
        image_free(&in);
    }
}

/* ---- laws ---- */

static void test_window_is_part_of_the_whole(void) {
    Image in = make_picture(31, 23);
    for (int f = 0; f < FILTER_COUNT; f++) {
        Job job = {whole_axis(31, 20), whole_axis(23, 40), (Filter)f, true};
        Image all = run(&in, &job);
        job.x.first = 3, job.x.count = 11;
        job.y.first = 17, job.y.count = 23;
        Image part = run(&in, &job);
        for (int y = 0; y < 23; y++)
            CU_ASSERT(!memcmp(part.pixel + y * 11 * 4, all.pixel + ((y + 17) * 20 + 3) * 4, 11 * 4));
        image_free(&all);
        image_free(&part);
    }
    image_free(&in);
}

static void test_same_size_copies(void) {
    Image in = make_picture(13, 9);
    for (int f = 0; f < FILTER_COUNT; f++) {
        Image out = run(&in, &(Job){whole_axis(13, 13), whole_axis(9, 9), (Filter)f, true});
        CU_ASSERT(!memcmp(in.pixel, out.pixel, 13 * 9 * 4));
        image_free(&out);
    }
    image_free(&in);
}

static void test_flat_stays_flat(void) {
    static const int sizes[][4] = {
        {1, 1, 224, 224}, {1, 500, 7, 3}, {17, 20, 224, 1}, {300, 2, 1, 1}, {64, 64, 63, 65}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] * FILTER_COUNT; i++) {
        const int *s = sizes[i / FILTER_COUNT];
        Image in = make_picture(s[0], s[1]);
        memset(in.pixel, 201, (size_t)s[0] * (size_t)s[1] * 4);
        Image out =
            run(&in, &(Job){whole_axis(s[0], s[2]), whole_axis(s[1], s[3]), (Filter)(i % FILTER_COUNT), i % 2 == 0});
        bool flat = out.width == s[2] && out.height == s[3];
        for (int k = 0; k < s[2] * s[3] * 4; k++) flat &= out.pixel[k] == 201;
        CU_ASSERT(flat);
        image_free(&in);
        image_free(&out);
    }
}

static void test_names(void) {
    CU_ASSERT_EQUAL(filter_by_name("nearest"), FILTER_NEAREST);
    CU_ASSERT_EQUAL(filter_by_name("bicubic"), FILTER_BICUBIC);
    CU_ASSERT_EQUAL(filter_by_name("lanczos"), FILTER_COUNT);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("resize", NULL, NULL);
    CU_add_test(suite, "bytes of Pillow", test_golden);
    CU_add_test(suite, "the formula in double precision", test_formula);
    CU_add_test(suite, "a window is a part of the whole", test_window_is_part_of_the_whole);
    CU_add_test(suite, "the same size is a copy", test_same_size_copies);
    CU_add_test(suite, "a flat picture stays flat", test_flat_stays_flat);
    CU_add_test(suite, "filters by name", test_names);
    CU_basic_run_tests();
    int failed = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed > 0;
}
