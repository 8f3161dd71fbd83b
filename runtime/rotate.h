/* A picture turned about its middle: in integers behind the sine and cosine, so every processor gets the same bytes.
 *
 * Pixel (x, y) has its centre at (x + 1/2, y + 1/2). With u, v from the middle to that centre and the angle a, counter-
 * clockwise as seen, the result's pixel is what the source has at the middle + (u cos a - v sin a, u sin a + v cos a):
 * places in 16.16 fixed point. Bilinear: the four pixels whose centres are around the place, with weights in steps of
 * 1/256; nearest: the pixel that the place is in. What lies outside of the picture has one colour. */
#ifndef CNNC_RUNTIME_ROTATE_H
#define CNNC_RUNTIME_ROTATE_H

#include "image.h"

typedef struct Rotation {
    double degrees;
    bool nearest;                       /* else bilinear */
    float outside[IMAGE_PIXEL_BYTES];   /* a whole pixel, in the levels of the picture */
} Rotation;

/* `out` gets the size of `in`, which differs from it. RT_LIMIT or RT_OS. */
bool image_rotate(const Image *in, const Rotation *rotation, Image *out, RtError *err);

#endif
