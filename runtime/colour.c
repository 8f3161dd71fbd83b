#include "colour.h"

static uint8_t away_from(int32_t base, int32_t value, int32_t factor) {
    int64_t x = base + (((int64_t)(value - base) * factor + FACTOR_ONE / 2) >> 16);
    return (uint8_t)(x < 0 ? 0 : x > 255 ? 255 : x);
}

static size_t count(const Image *image) { return (size_t)image->width * (size_t)image->height; }

static void same_base(Image *image, int32_t base, int32_t factor) {
    uint8_t table[256];
    for (int32_t v = 0; v < 256; v++) table[v] = away_from(base, v, factor);
    uint8_t *p = image->pixel;
    for (size_t i = 0; i < count(image); i++, p += IMAGE_PIXEL_BYTES)
        for (int c = 0; c < 3; c++) p[c] = table[p[c]];
}

void image_brightness(Image *image, int32_t factor) { same_base(image, 0, factor); }

void image_contrast(Image *image, int32_t factor) {
    uint64_t sum = 0, n = count(image);
    for (size_t i = 0; i < n; i++) sum += grey_of(image->pixel + i * IMAGE_PIXEL_BYTES);
    same_base(image, (int32_t)((sum + n / 2) / n), factor);
}

void image_saturation(Image *image, int32_t factor) {
    uint8_t *p = image->pixel;
    for (size_t i = 0; i < count(image); i++, p += IMAGE_PIXEL_BYTES) {
        int32_t grey = grey_of(p);
        for (int c = 0; c < 3; c++) p[c] = away_from(grey, p[c], factor);
    }
}

void image_shift(Image *image, const int32_t levels[3]) {
    uint8_t table[3][256], *p = image->pixel;
    for (int c = 0; c < 3; c++)
        for (int32_t v = 0; v < 256; v++) {
            int32_t x = v + levels[c];
            table[c][v] = (uint8_t)(x < 0 ? 0 : x > 255 ? 255 : x);
        }
    for (size_t i = 0; i < count(image); i++, p += IMAGE_PIXEL_BYTES)
        for (int c = 0; c < 3; c++) p[c] = table[c][p[c]];
}

void image_fill(Image *image, Region region, const uint8_t colour[3]) {
    for (int32_t y = region.y0; y < region.y1; y++)
        for (int32_t x = region.x0; x < region.x1; x++) {
            uint8_t *p = image->pixel + ((size_t)y * (size_t)image->width + (size_t)x) * IMAGE_PIXEL_BYTES;
            for (int c = 0; c < 3; c++) p[c] = colour[c];
        }
}
