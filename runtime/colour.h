/* Changes to the colours of a picture, in place, in integers only so that every processor gets the same bytes.
 *
 * A factor moves each channel v away from (> 1) or towards (< 1) a base b: clip8(b + (v - b) * factor), rounded.
 * Factors are in 16.16 fixed point. As Pillow's ImageEnhance within one level (Pillow cuts where this rounds). */
#ifndef CNNC_RUNTIME_COLOUR_H
#define CNNC_RUNTIME_COLOUR_H

#include "image.h"

enum { FACTOR_ONE = 1 << 16 };

/* The grey of a colour: ITU-R 601 weights, as Pillow's mode L. */
static inline uint8_t grey_of(const uint8_t *pixel) {
    return (uint8_t)((19595u * pixel[0] + 38470u * pixel[1] + 7471u * pixel[2] + 0x8000u) >> 16);
}

void image_brightness(Image *image, int32_t factor); /* base: black */
void image_contrast(Image *image, int32_t factor);   /* base: the mean grey of the picture, rounded */
void image_saturation(Image *image, int32_t factor); /* base: the pixel's own grey; factor 0 makes it grey */

/* Adds levels[c] to red, green and blue of each pixel, within 0 .. 255. */
void image_shift(Image *image, const int32_t levels[3]);

/* The region, which lies within the picture, in one colour: red, green, blue. */
void image_fill(Image *image, Region region, const uint8_t colour[3]);

#endif
