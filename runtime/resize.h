/* One resize, the same for training, evaluation and deployment and on every processor: integers only after the weights.
 *
 * Each axis by itself, first rows (horizontal), then columns, with a rounding to 8 bits between. On one axis, `in`
 * source pixels from position start to start + length become `size` pixels. Pixel i has its centre at i + 1/2. With
 * scale = length / size:
 *
 *   centre c(i) = start + (i + 1/2) * scale
 *   stretch f   = antialias ? max(scale, 1) : 1
 *   support s   = f * radius                              radius: bilinear 1, bicubic 2
 *   sources     = j from trunc(c - s + 1/2) to trunc(c + s + 1/2) - 1, limited to low .. high-1
 *   weight w(j) = filter((j + 1/2 - c) / f), divided by the sum of the weights, in fixed point: round(w * 2^22)
 *   result      = clip8((2^21 + sum of w(j) * pixel(j)) >> 22)
 *
 *   bilinear(x) = max(0, 1 - |x|)
 *   bicubic(x)  = (1.5 |x| - 2.5) x^2 + 1 for |x| < 1, ((-0.5 |x| + 2.5) |x| - 4) |x| + 2 for |x| < 2, else 0
 *   nearest: the source pixel trunc(c(i)), limited to low .. high-1.
 *
 * Of wide pictures the sums are floats, in the order of j, and the result is sum * 2^-22 within 0 .. 65535, without
 * rounding to whole levels.
 *
 * With antialias, and low, high = the whole picture, this is Pillow's Image.resize, byte for byte as far as tested; low
 * and high limit what the filter may see, so that crop-then-resize needs no copy of the crop. Only a window of the
 * result need be computed: a crop after a resize costs nothing. */
#ifndef CNNC_RUNTIME_RESIZE_H
#define CNNC_RUNTIME_RESIZE_H

#include "image.h"

typedef enum Filter { FILTER_NEAREST, FILTER_BILINEAR, FILTER_BICUBIC, FILTER_COUNT } Filter;

/* The filter of this name, or FILTER_COUNT. */
Filter filter_by_name(const char *name);

/* How one axis is resized. */
typedef struct Axis {
    double start, length; /* the box, in source pixels; length > 0 */
    int32_t low, high;    /* the source pixels that may be seen; low < high */
    int32_t size;         /* pixels of the whole result */
    int32_t first, count; /* the window of it that is computed */
} Axis;

/* The weights of one axis: target pixel i takes taps[i].count source pixels from taps[i].from. Grows and is used again;
 * zeroed = empty. */
typedef struct Tap {
    int32_t from, count;
} Tap;
typedef struct Weights {
    Tap *tap;
    int32_t *weight; /* [count][stride], fixed point */
    double *real;    /* room for one row before rounding */
    int32_t count, stride;
    int32_t low, high; /* the source pixels that have a weight at all: what must be decoded */
    int32_t copy_from; /* target pixel i is source pixel copy_from + i: no work on this axis; else -1 */
    int32_t *row;      /* scratch of resize_image */
    size_t tap_capacity, weight_capacity, real_capacity, row_capacity;
} Weights;

bool weights_make(Weights *w, const Axis *axis, Filter filter, bool antialias, RtError *err);
/* Of an axis of `size` pixels that keeps its size and is blurred: w(j) = exp(-((j - i) / sigma)^2 / 2) where that
 * exponent's
 * |j - i| is at most 3 sigma and j is in the picture, divided by their sum. sigma > 0, in pixels. */
bool weights_blur(Weights *w, int32_t size, double sigma, RtError *err);
void weights_free(Weights *w);

/* Resizes into out, which becomes x->count by y->count. `in` holds the source pixels from column x0 and row y0 on and
 * must hold all that the weights want. `middle` is scratch for the half-done picture; the three images differ. */
bool resize_image(const Image *in, int32_t x0, int32_t y0, Weights *x, Weights *y, Image *middle, Image *out,
                  RtError *err);

#endif
