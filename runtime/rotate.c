#include "rotate.h"

#include <math.h>
#include <string.h>

enum { PLACE_BITS = 16, WEIGHT_BITS = 8, WEIGHT_ONE = 1 << WEIGHT_BITS };

/* A place in the source, in fixed point. */
typedef struct Place {
    int64_t x, y;
} Place;

/* What a rotation takes from: pixels, and what is there instead outside. */
typedef struct From {
    const Image *in;
    uint8_t outside[IMAGE_PIXEL_BYTES];
    float wide_outside[IMAGE_PIXEL_BYTES];
} From;

/* `wide` is what the picture is, said where it is constant. */
static inline const void *pixel_at(const From *f, bool wide, int64_t x, int64_t y) {
    const Image *in = f->in;
    if (x < 0 || y < 0 || x >= in->width || y >= in->height)
        return wide ? (const void *)f->wide_outside : (const void *)f->outside;
    size_t at = ((size_t)y * (size_t)in->width + (size_t)x) * IMAGE_PIXEL_BYTES;
    return wide ? (const void *)(image_wide(in) + at) : (const void *)(in->pixel + at);
}

static void take_nearest(const From *f, Place at, void *out) {
    memcpy(out, pixel_at(f, f->in->wide, at.x >> PLACE_BITS, at.y >> PLACE_BITS), image_pixel_bytes(f->in));
}

/* The four pixels around a place, and how far it is from them, in parts of WEIGHT_ONE. */
typedef struct Four {
    const void *a, *b, *c, *d;
    int32_t left, right, above, below;
} Four;

static inline Four four_at(const From *f, bool wide, Place at) {
    const int64_t half = (int64_t)1 << (PLACE_BITS - 1);
    const int64_t steps_x = (at.x - half) >> (PLACE_BITS - WEIGHT_BITS), x = steps_x >> WEIGHT_BITS;
    const int64_t steps_y = (at.y - half) >> (PLACE_BITS - WEIGHT_BITS), y = steps_y >> WEIGHT_BITS;
    const int32_t right = (int32_t)(steps_x & (WEIGHT_ONE - 1)), below = (int32_t)(steps_y & (WEIGHT_ONE - 1));
    return (Four){.a = pixel_at(f, wide, x, y),
                  .b = pixel_at(f, wide, x + 1, y),
                  .c = pixel_at(f, wide, x, y + 1),
                  .d = pixel_at(f, wide, x + 1, y + 1),
                  .left = WEIGHT_ONE - right,
                  .right = right,
                  .above = WEIGHT_ONE - below,
                  .below = below};
}

static void take_four(const From *f, Place at, void *out) {
    const Four t = four_at(f, false, at);
    const uint8_t *a = t.a, *b = t.b, *c = t.c, *d = t.d;
    uint8_t *to = out;
    for (int i = 0; i < IMAGE_PIXEL_BYTES; i++) {
        int32_t sum = t.above * (t.left * a[i] + t.right * b[i]) + t.below * (t.left * c[i] + t.right * d[i]);
        to[i] = (uint8_t)((sum + (1 << (2 * WEIGHT_BITS - 1))) >> (2 * WEIGHT_BITS));
    }
}

static void take_four_wide(const From *f, Place at, void *out) {
    const Four t = four_at(f, true, at);
    const float *a = t.a, *b = t.b, *c = t.c, *d = t.d;
    const float left = (float)t.left, right = (float)t.right, above = (float)t.above, below = (float)t.below;
    float *to = out;
    for (int i = 0; i < IMAGE_PIXEL_BYTES; i++)
        to[i] = (above * (left * a[i] + right * b[i]) + below * (left * c[i] + right * d[i])) *
                (1.0f / (1 << 2 * WEIGHT_BITS));
}

bool image_move(const Image *in, const Move *m, Image *out, RtError *err) {
    const double one = 1 << PLACE_BITS;
    int64_t a[4], shift[2];
    void (*const take)(const From *, Place, void *) = m->nearest ? take_nearest : in->wide ? take_four_wide : take_four;
    From from = {.in = in};
    for (int c = 0; c < IMAGE_PIXEL_BYTES; c++) {
        from.outside[c] = (uint8_t)fminf(m->outside[c], IMAGE_MOST);
        from.wide_outside[c] = m->outside[c];
    }
    for (int i = 0; i < 4; i++) a[i] = llrint(m->matrix[i] * one);
    shift[0] = llrint((in->width + 2 * m->shift[0]) * one);
    shift[1] = llrint((in->height + 2 * m->shift[1]) * one);
    if (!image_resize_like(out, in, in->width, in->height, err)) return false;
    uint8_t *pixel = out->pixel;
    for (int64_t y = 0; y < in->height; y++)
        for (int64_t x = 0; x < in->width; x++, pixel += image_pixel_bytes(in)) {
            int64_t u = 2 * x + 1 - in->width, v = 2 * y + 1 - in->height; /* twice, so that they are whole */
            Place at = {(shift[0] + a[0] * u + a[1] * v) >> 1, (shift[1] + a[2] * u + a[3] * v) >> 1};
            take(&from, at, pixel);
        }
    return true;
}

void move_rotate(Move *m, double degrees) {
    const double radians = degrees * (3.14159265358979323846 / 180), c = cos(radians), s = sin(radians);
    memcpy(m->matrix, (const double[4]){c, -s, s, c}, sizeof m->matrix);
}
