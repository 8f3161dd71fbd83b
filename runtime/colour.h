/* Changes to the colours of a picture, in place, in integers only so that every processor gets the same bytes.
 *
 * Wide pictures are floats, and nothing is rounded to whole levels; their clip is 0 .. 65535.
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

/* The same of a wide pixel, without rounding. */
static inline float wide_grey_of(const float *pixel) {
    return (float)((19595.0 * (double)pixel[0] + 38470.0 * (double)pixel[1] + 7471.0 * (double)pixel[2]) / 65536.0);
}

void image_brightness(Image *image, int32_t factor); /* base: black */
void image_contrast(Image *image, int32_t factor);   /* base: the mean grey of the picture, rounded */
void image_saturation(Image *image, int32_t factor); /* base: the pixel's own grey; factor 0 makes it grey */

/* Adds part[c] of the highest level, rounded to whole levels, to red, green and blue of each pixel, within the levels. */
void image_shift(Image *image, const double part[3]);

/* The changes of Pillow's ImageOps to each channel of a picture of 8 bits: the upper `bits` bits of a level alone;
 * levels of at least `threshold` reversed; levels stretched so that the lowest is 0 and the highest 255; levels spread
 * so that about as many pixels have each. */
void image_posterize(Image *image, int32_t bits);
void image_solarize(Image *image, double threshold);
void image_autocontrast(Image *image);
void image_equalize(Image *image);

/* A factor moves each pixel away from the mean of it (weight 5) and its eight neighbours (weight 1), as Pillow's
 * Sharpness; pixels at an edge stay. Of 8 bits. `out` gets the size of `in`. RT_LIMIT or RT_OS. */
bool image_sharpen(const Image *in, int32_t factor, Image *out, RtError *err);

/* The region, which lies within the picture, in one colour: red, green, blue as parts of 1 (image_level). */
void image_fill(Image *image, Region region, const double colour[3]);

#endif
