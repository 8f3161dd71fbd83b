#include "resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FRACTION = 22, HALF = 1 << (FRACTION - 1) }; /* 8 bits of pixel, 22 of weight, sign and one to spare */

static double bilinear(double x) {
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

static double bicubic(double x) {
    const double a = -0.5;
    x = fabs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static double gaussian(double x) { return exp(-x * x / 2); }

static const struct Kernel {
    const char *name;
    double radius; /* 0: takes one pixel, has no function */
    double (*at)(double x);
} kernels[FILTER_COUNT] = {
    [FILTER_NEAREST] = {"nearest", 0, NULL},
    [FILTER_BILINEAR] = {"bilinear", 1, bilinear},
    [FILTER_BICUBIC] = {"bicubic", 2, bicubic},
};

Filter filter_by_name(const char *name) {
    int f = 0;
    while (f < FILTER_COUNT && strcmp(kernels[f].name, name)) f++;
    return (Filter)f;
}

/* ---- weights ---- */

static int32_t limit(double x, int32_t low, int32_t high) { return x <= low ? low : x >= high ? high : (int32_t)x; }

/* Rounds n weights to fixed point after dividing them by their sum. */
static void fix(int32_t *weight, const double *real, int32_t n, double sum) {
    for (int32_t i = 0; i < n; i++) {
        double w = (sum != 0 ? real[i] / sum : real[i]) * (1 << FRACTION);
        weight[i] = (int32_t)(w < 0 ? w - 0.5 : w + 0.5);
    }
}

static void make_tap(Weights *w, int32_t at, const Axis *a, const struct Kernel *kernel, double centre,
                     double stretch) {
    double support = kernel->radius * stretch, sum = 0;
    int32_t from = limit(centre - support + 0.5, a->low, a->high - 1),
            to = limit(centre + support + 0.5, from + 1, a->high);
    for (int32_t j = from; j < to; j++) {
        double x = kernel->at((j - centre + 0.5) * (1 / stretch));
        w->real[j - from] = x;
        sum += x;
    }
    fix(w->weight + (size_t)at * (size_t)w->stride, w->real, to - from, sum);
    w->tap[at] = (Tap){from, to - from};
}

static void make_nearest(Weights *w, int32_t at, const Axis *a, double centre) {
    w->tap[at] = (Tap){limit(centre, a->low, a->high - 1), 1};
    w->weight[(size_t)at * (size_t)w->stride] = 1 << FRACTION;
}

static bool reserve(Weights *w, RtError *err) {
    size_t n = (size_t)w->count, stride = (size_t)w->stride, all;
    if (!rt_mul(n, stride, &all)) return !rt_fail(err, RT_LIMIT, "resize: too many weights");
    return rt_reserve(&w->tap, &w->tap_capacity, n, sizeof *w->tap, err) &&
           rt_reserve(&w->weight, &w->weight_capacity, all, sizeof *w->weight, err) &&
           rt_reserve(&w->real, &w->real_capacity, stride, sizeof *w->real, err);
}

/* The source pixel that a tap copies, or -1 if it mixes several. */
static int32_t copied(const Weights *w, int32_t at) {
    const int32_t *weight = w->weight + (size_t)at * (size_t)w->stride;
    int32_t from = -1;
    for (int32_t j = 0; j < w->tap[at].count; j++)
        if (weight[j] == 1 << FRACTION)
            from = w->tap[at].from + j;
        else if (weight[j] != 0)
            return -1;
    return from;
}

/* What the taps are together: the range they reach over, and whether they copy neighbours to neighbours. */
static void summarise(Weights *w) {
    w->low = INT32_MAX;
    w->high = 0;
    w->copy_from = copied(w, 0);
    for (int32_t i = 0; i < w->count; i++) {
        Tap t = w->tap[i];
        w->low = t.from < w->low ? t.from : w->low;
        w->high = t.from + t.count > w->high ? t.from + t.count : w->high;
        if (w->copy_from >= 0 && copied(w, i) != w->copy_from + i) w->copy_from = -1;
    }
}

static bool fill(Weights *w, const Axis *a, const struct Kernel *kernel, double stretch, RtError *err) {
    double scale = a->length / a->size;
    if (!(a->length > 0) || a->low < 0 || a->low >= a->high || a->first < 0 || a->count < 1 ||
        a->size - a->count < a->first)
        return !rt_fail(err, RT_INTERNAL, "resize: window %d + %d of %d", a->first, a->count, a->size);
    double widest = ceil(kernel->radius * stretch) * 2 + 1;
    w->count = a->count;
    w->stride = (int32_t)fmin(widest, a->high - a->low);
    if (!reserve(w, err)) return false;
    for (int32_t i = 0; i < a->count; i++) {
        double centre = a->start + (a->first + i + 0.5) * scale;
        if (kernel->at)
            make_tap(w, i, a, kernel, centre, stretch);
        else
            make_nearest(w, i, a, centre);
    }
    summarise(w);
    return true;
}

bool weights_make(Weights *w, const Axis *a, Filter filter, bool antialias, RtError *err) {
    double scale = a->length / a->size;
    return fill(w, a, &kernels[filter], antialias && scale > 1 ? scale : 1, err);
}

bool weights_blur(Weights *w, int32_t size, double sigma, RtError *err) {
    static const struct Kernel kernel = {"gaussian", 3, gaussian};
    const Axis axis = {.length = size, .high = size, .size = size, .count = size};
    return fill(w, &axis, &kernel, sigma, err);
}

void weights_free(Weights *w) {
    free(w->tap);
    free(w->weight);
    free(w->real);
    free(w->row);
    *w = (Weights){0};
}

/* ---- pixels ---- */

/* The inner loops are compiled a second time for AVX2, whose multiplication of 32-bit integers makes them several times
 * as fast; the first call takes what fits the processor. Integers: both give the same bytes. Sanitizers do not get
 * along with choosing a function before they have started. */
#if defined __x86_64__ && !defined __clang__ && !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
#define HOT __attribute__((target_clones("avx2", "default"), optimize("O3")))
#else
#define HOT
#endif

typedef int32_t Sum __attribute__((vector_size(16))); /* one for each channel */

/* Widens n bytes of a row: the loops over taps then only multiply and add. */
HOT static void widen(int32_t *to, const uint8_t *from, size_t n) {
    for (size_t i = 0; i < n; i++) to[i] = from[i];
}

/* out = clip8(sum / 2^22); the half that rounds is in the sum already. */
HOT static void narrow(uint8_t *to, const int32_t *sum, size_t n) {
    for (size_t i = 0; i < n; i++) {
        int32_t x = sum[i] >> FRACTION;
        x = x < 0 ? 0 : x;
        to[i] = (uint8_t)(x > 255 ? 255 : x);
    }
}

/* Each target pixel's sums from a widened row that begins with source column x0. */
HOT static void sum_taps(Sum *sum, const Sum *row, int32_t x0, const Weights *w) {
    for (int32_t i = 0; i < w->count; i++) {
        const int32_t *weight = w->weight + (size_t)i * (size_t)w->stride;
        const Sum *p = row + (w->tap[i].from - x0);
        Sum s = {HALF, HALF, HALF, HALF};
        for (int32_t j = 0; j < w->tap[i].count; j++) s += p[j] * weight[j];
        sum[i] = s;
    }
}

/* Adds a row of n bytes, weighted. */
HOT static void add_row(int32_t *restrict sum, const uint8_t *restrict from, size_t n, int32_t weight) {
    for (size_t i = 0; i < n; i++) sum[i] += from[i] * weight;
}

/* ---- wide pixels: the same in floats, one compilation for all processors ---- */

static void narrow_wide(float *to, const float *sum, size_t n) {
    for (size_t i = 0; i < n; i++) {
        float x = sum[i] * (1.0f / (1 << FRACTION));
        x = x < 0 ? 0 : x;
        to[i] = x > IMAGE_WIDE_MOST ? IMAGE_WIDE_MOST : x;
    }
}

/* A row of pixels that begins with source column x0. */
static void resize_row(float *to, const float *from, int32_t x0, const Weights *w) {
    for (int32_t i = 0; i < w->count; i++, to += IMAGE_PIXEL_BYTES) {
        const int32_t *weight = w->weight + (size_t)i * (size_t)w->stride;
        const float *p = from + (size_t)(w->tap[i].from - x0) * IMAGE_PIXEL_BYTES;
        float sum[IMAGE_PIXEL_BYTES] = {0};
        for (int32_t j = 0; j < w->tap[i].count; j++, p += IMAGE_PIXEL_BYTES)
            for (int c = 0; c < IMAGE_PIXEL_BYTES; c++) sum[c] += p[c] * (float)weight[j];
        narrow_wide(to, sum, IMAGE_PIXEL_BYTES);
    }
}

/* Row i of the result from rows of n numbers, of which the first is source row `low`. */
static void resize_column(float *to, const float *in, size_t n, const Weights *w, int32_t i) {
    const int32_t *weight = w->weight + (size_t)i * (size_t)w->stride;
    const float *from = in + (size_t)(w->tap[i].from - w->low) * n;
    memset(to, 0, n * sizeof *to);
    for (int32_t j = 0; j < w->tap[i].count; j++, from += n)
        for (size_t k = 0; k < n; k++) to[k] += from[k] * (float)weight[j];
    narrow_wide(to, to, n);
}

/* All the rows that the vertical pass will want, made x->count wide. x->row has room for a source row and a target row.
 */
static bool pass_x(const Image *in, int32_t x0, int32_t skip, Weights *x, int32_t rows, Image *out, RtError *err) {
    if (!image_resize_like(out, in, x->count, rows, err) ||
        !rt_reserve(&x->row, &x->row_capacity, (size_t)in->width + (size_t)x->count, IMAGE_PIXEL_BYTES * sizeof *x->row,
                    err))
        return false;
    size_t bytes = image_pixel_bytes(in), from_stride = (size_t)in->width * bytes, to_stride = (size_t)x->count * bytes;
    int32_t *wide = x->row, *sum = wide + (size_t)in->width * IMAGE_PIXEL_BYTES;
    const uint8_t *from = in->pixel + (size_t)skip * from_stride;
    for (int32_t y = 0; y < rows; y++, from += from_stride) {
        uint8_t *to = out->pixel + (size_t)y * to_stride;
        if (x->copy_from >= 0) {
            memcpy(to, from + (size_t)(x->copy_from - x0) * bytes, to_stride);
        } else if (in->wide) {
            resize_row((float *)(void *)to, (const float *)(const void *)from, x0, x);
        } else {
            widen(wide, from, from_stride);
            sum_taps((Sum *)(void *)sum, (const Sum *)(void *)wide, x0, x);
            narrow(to, sum, to_stride);
        }
    }
    return true;
}

/* The rows of `in`, which begin with source row y->low, become those of out. */
static bool pass_y(const Image *in, Weights *y, Image *out, RtError *err) {
    size_t n = (size_t)in->width * IMAGE_PIXEL_BYTES;
    if (!image_resize_like(out, in, in->width, y->count, err) ||
        !rt_reserve(&y->row, &y->row_capacity, n, sizeof *y->row, err))
        return false;
    for (int32_t i = 0; i < y->count && in->wide; i++)
        resize_column(image_wide(out) + (size_t)i * n, image_wide(in), n, y, i);
    for (int32_t i = 0; i < y->count && !in->wide; i++) {
        const int32_t *weight = y->weight + (size_t)i * (size_t)y->stride;
        const uint8_t *from = in->pixel + (size_t)(y->tap[i].from - y->low) * n;
        for (size_t k = 0; k < n; k++) y->row[k] = HALF;
        for (int32_t j = 0; j < y->tap[i].count; j++, from += n) add_row(y->row, from, n, weight[j]);
        narrow(out->pixel + (size_t)i * n, y->row, n);
    }
    return true;
}

bool resize_image(const Image *in, int32_t x0, int32_t y0, Weights *x, Weights *y, Image *middle, Image *out,
                  RtError *err) {
    if (x->low < x0 || x->high > x0 + in->width || y->low < y0 || y->high > y0 + in->height)
        return !rt_fail(err, RT_INTERNAL, "resize: pixels that are not there");
    if (y->copy_from >= 0) return pass_x(in, x0, y->copy_from - y0, x, y->count, out, err);
    return pass_x(in, x0, y->low - y0, x, y->high - y->low, middle, err) && pass_y(middle, y, out, err);
}
