#include "rotate.h"

#include <math.h>
#include <string.h>

enum { PLACE_BITS = 16, WEIGHT_BITS = 8, WEIGHT_ONE = 1 << WEIGHT_BITS };

/* A place in the source, in fixed point. */
typedef struct Place {
    int64_t x, y;
} Place;

static const uint8_t *pixel_at(const Image *in, const Rotation *r, int64_t x, int64_t y) {
    if (x < 0 || y < 0 || x >= in->width || y >= in->height) return r->outside;
    return in->pixel + ((size_t)y * (size_t)in->width + (size_t)x) * IMAGE_PIXEL_BYTES;
}

static void take_nearest(const Image *in, const Rotation *r, Place at, uint8_t *out) {
    memcpy(out, pixel_at(in, r, at.x >> PLACE_BITS, at.y >> PLACE_BITS), IMAGE_PIXEL_BYTES);
}

static void take_four(const Image *in, const Rotation *r, Place at, uint8_t *out) {
    const int64_t half = (int64_t)1 << (PLACE_BITS - 1);
    const int64_t steps_x = (at.x - half) >> (PLACE_BITS - WEIGHT_BITS), x = steps_x >> WEIGHT_BITS;
    const int64_t steps_y = (at.y - half) >> (PLACE_BITS - WEIGHT_BITS), y = steps_y >> WEIGHT_BITS;
    const int32_t right = (int32_t)(steps_x & (WEIGHT_ONE - 1)), left = WEIGHT_ONE - right;
    const int32_t below = (int32_t)(steps_y & (WEIGHT_ONE - 1)), above = WEIGHT_ONE - below;
    const uint8_t *a = pixel_at(in, r, x, y), *b = pixel_at(in, r, x + 1, y);
    const uint8_t *c = pixel_at(in, r, x, y + 1), *d = pixel_at(in, r, x + 1, y + 1);
    for (int i = 0; i < IMAGE_PIXEL_BYTES; i++) {
        int32_t sum = above * (left * a[i] + right * b[i]) + below * (left * c[i] + right * d[i]);
        out[i] = (uint8_t)((sum + (1 << (2 * WEIGHT_BITS - 1))) >> (2 * WEIGHT_BITS));
    }
}

bool image_rotate(const Image *in, const Rotation *r, Image *out, RtError *err) {
    const double radians = r->degrees * (3.14159265358979323846 / 180);
    const int64_t one = 1 << PLACE_BITS;
    const int64_t cosine = llrint(cos(radians) * (double)one), sine = llrint(sin(radians) * (double)one);
    void (*const take)(const Image *, const Rotation *, Place, uint8_t *) = r->nearest ? take_nearest : take_four;
    if (!image_resize_buffer(out, in->width, in->height, err)) return false;
    uint8_t *pixel = out->pixel;
    for (int64_t y = 0; y < in->height; y++)
        for (int64_t x = 0; x < in->width; x++, pixel += IMAGE_PIXEL_BYTES) {
            int64_t u = 2 * x + 1 - in->width, v = 2 * y + 1 - in->height; /* twice, so that they are whole */
            Place at = {(one * in->width + cosine * u - sine * v) >> 1,
                        (one * in->height + sine * u + cosine * v) >> 1};
            take(in, r, at, pixel);
        }
    return true;
}
