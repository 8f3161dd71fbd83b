#include "colour.h"

#include <string.h>

static uint8_t away_from(int32_t base, int32_t value, int32_t factor) {
    int64_t x = base + (((int64_t)(value - base) * factor + FACTOR_ONE / 2) >> 16);
    return (uint8_t)(x < 0 ? 0 : x > 255 ? 255 : x);
}

static float clip_wide(float x) { return x < 0 ? 0 : x > IMAGE_WIDE_MOST ? IMAGE_WIDE_MOST : x; }

static float wide_away_from(float base, float value, int32_t factor) {
    return clip_wide(base + (value - base) * ((float)factor / FACTOR_ONE));
}

static size_t count(const Image *image) { return (size_t)image->width * (size_t)image->height; }

static void same_base(Image *image, int32_t base, int32_t factor) {
    uint8_t table[256];
    for (int32_t v = 0; v < 256; v++) table[v] = away_from(base, v, factor);
    uint8_t *p = image->pixel;
    for (size_t i = 0; i < count(image); i++, p += IMAGE_PIXEL_BYTES)
        for (int c = 0; c < 3; c++) p[c] = table[p[c]];
}

static void wide_same_base(Image *image, float base, int32_t factor) {
    float *p = image_wide(image);
    for (size_t i = 0; i < count(image); i++, p += IMAGE_PIXEL_BYTES)
        for (int c = 0; c < 3; c++) p[c] = wide_away_from(base, p[c], factor);
}

void image_brightness(Image *image, int32_t factor) {
    if (image->wide)
        wide_same_base(image, 0, factor);
    else
        same_base(image, 0, factor);
}

static void wide_contrast(Image *image, int32_t factor) {
    double sum = 0;
    for (size_t i = 0; i < count(image); i++) sum += (double)wide_grey_of(image_wide(image) + i * IMAGE_PIXEL_BYTES);
    wide_same_base(image, (float)(sum / (double)count(image)), factor);
}

void image_contrast(Image *image, int32_t factor) {
    uint64_t sum = 0, n = count(image);
    if (image->wide) {
        wide_contrast(image, factor);
        return;
    }
    for (size_t i = 0; i < n; i++) sum += grey_of(image->pixel + i * IMAGE_PIXEL_BYTES);
    same_base(image, (int32_t)((sum + n / 2) / n), factor);
}

static void wide_saturation(Image *image, int32_t factor) {
    float *p = image_wide(image);
    for (size_t i = 0; i < count(image); i++, p += IMAGE_PIXEL_BYTES) {
        float grey = wide_grey_of(p);
        for (int c = 0; c < 3; c++) p[c] = wide_away_from(grey, p[c], factor);
    }
}

void image_saturation(Image *image, int32_t factor) {
    uint8_t *p = image->pixel;
    if (image->wide) {
        wide_saturation(image, factor);
        return;
    }
    for (size_t i = 0; i < count(image); i++, p += IMAGE_PIXEL_BYTES) {
        int32_t grey = grey_of(p);
        for (int c = 0; c < 3; c++) p[c] = away_from(grey, p[c], factor);
    }
}

static void wide_shift(Image *image, const double part[3]) {
    float *p = image_wide(image);
    for (size_t i = 0; i < count(image); i++, p += IMAGE_PIXEL_BYTES)
        for (int c = 0; c < 3; c++) p[c] = clip_wide(p[c] + (float)(IMAGE_WIDE_MOST * part[c]));
}

void image_shift(Image *image, const double part[3]) {
    uint8_t table[3][256], *p = image->pixel;
    if (image->wide) {
        wide_shift(image, part);
        return;
    }
    for (int c = 0; c < 3; c++)
        for (int32_t v = 0; v < 256; v++) {
            int32_t x = v + (int32_t)lrint(IMAGE_MOST * part[c]);
            table[c][v] = (uint8_t)(x < 0 ? 0 : x > 255 ? 255 : x);
        }
    for (size_t i = 0; i < count(image); i++, p += IMAGE_PIXEL_BYTES)
        for (int c = 0; c < 3; c++) p[c] = table[c][p[c]];
}

void image_fill(Image *image, Region region, const double colour[3]) {
    for (int32_t y = region.y0; y < region.y1; y++)
        for (int32_t x = region.x0; x < region.x1; x++) {
            size_t at = ((size_t)y * (size_t)image->width + (size_t)x) * IMAGE_PIXEL_BYTES;
            for (int c = 0; c < 3 && image->wide; c++)
                image_wide(image)[at + (size_t)c] = image_level(image, colour[c]);
            for (int c = 0; c < 3 && !image->wide; c++)
                image->pixel[at + (size_t)c] = (uint8_t)image_level(image, colour[c]);
        }
}

/* ---- levels of 8 bits ---- */

enum { LEVELS = 256 };

typedef void MakeTable(const uint64_t histogram[LEVELS], double parameter, uint8_t table[LEVELS]);

/* Replaces each channel's levels by those of a table made from its histogram. */
static void by_table(Image *image, MakeTable *make, double parameter) {
    for (int c = 0; c < 3; c++) {
        uint64_t histogram[LEVELS] = {0};
        uint8_t table[LEVELS], *p = image->pixel + c;
        for (size_t i = 0; i < count(image); i++) histogram[p[i * IMAGE_PIXEL_BYTES]]++;
        make(histogram, parameter, table);
        for (size_t i = 0; i < count(image); i++) p[i * IMAGE_PIXEL_BYTES] = table[p[i * IMAGE_PIXEL_BYTES]];
    }
}

static uint8_t clip(double x) { return (uint8_t)(x < 0 ? 0 : x > IMAGE_MOST ? IMAGE_MOST : x); }

static void make_posterize(const uint64_t histogram[LEVELS], double bits, uint8_t table[LEVELS]) {
    (void)histogram;
    for (int v = 0; v < LEVELS; v++) table[v] = (uint8_t)(v & ~((1 << (8 - (int)bits)) - 1));
}

static void make_solarize(const uint64_t histogram[LEVELS], double threshold, uint8_t table[LEVELS]) {
    (void)histogram;
    for (int v = 0; v < LEVELS; v++) table[v] = (uint8_t)(v < threshold ? v : IMAGE_MOST - v);
}

static void make_autocontrast(const uint64_t histogram[LEVELS], double parameter, uint8_t table[LEVELS]) {
    int low = 0, high = LEVELS - 1;
    (void)parameter;
    while (low < LEVELS - 1 && !histogram[low]) low++;
    while (high > 0 && !histogram[high]) high--;
    double scale = high > low ? (double)IMAGE_MOST / (high - low) : 1, offset = high > low ? -low * scale : 0;
    for (int v = 0; v < LEVELS; v++) table[v] = clip(v * scale + offset);
}

static void make_equalize(const uint64_t histogram[LEVELS], double parameter, uint8_t table[LEVELS]) {
    uint64_t all = 0, last = 0;
    (void)parameter;
    for (int v = 0; v < LEVELS; v++) {
        all += histogram[v];
        if (histogram[v]) last = histogram[v];
    }
    uint64_t step = (all - last) / IMAGE_MOST, n = step / 2;
    for (int v = 0; v < LEVELS; v++) {
        table[v] = step ? clip((double)(n / step)) : (uint8_t)v;
        n += histogram[v];
    }
}

void image_posterize(Image *image, int32_t bits) { by_table(image, make_posterize, bits); }
void image_solarize(Image *image, double threshold) { by_table(image, make_solarize, threshold); }
void image_autocontrast(Image *image) { by_table(image, make_autocontrast, 0); }
void image_equalize(Image *image) { by_table(image, make_equalize, 0); }

/* 13 times the weighted mean of a channel around p. */
static int32_t around(const uint8_t *p, size_t row) {
    int32_t sum = 4 * p[0];
    for (int x = -1; x <= 1; x++) {
        const uint8_t *at = p + x * IMAGE_PIXEL_BYTES;
        sum += *(at - row) + *at + *(at + row);
    }
    return sum;
}

bool image_sharpen(const Image *in, int32_t factor, Image *out, RtError *err) {
    const size_t row = (size_t)in->width * IMAGE_PIXEL_BYTES;
    if (!image_resize_like(out, in, in->width, in->height, err)) return false;
    memcpy(out->pixel, in->pixel, count(in) * IMAGE_PIXEL_BYTES);
    for (int32_t y = 1; y < in->height - 1; y++)
        for (int32_t x = 1; x < in->width - 1; x++)
            for (int c = 0; c < 3; c++) {
                size_t at = (size_t)y * row + (size_t)x * IMAGE_PIXEL_BYTES + (size_t)c;
                int32_t smooth = (2 * around(in->pixel + at, row) + 13) / 26;
                out->pixel[at] = away_from(smooth, in->pixel[at], factor);
            }
    return true;
}
