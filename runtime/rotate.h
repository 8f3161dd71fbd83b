/* A picture turned about its middle, sheared or shifted: in integers behind the numbers of the matrix, so every
 * processor gets the same bytes.
 *
 * Pixel (x, y) has its centre at (x + 1/2, y + 1/2). With u, v from the middle to that centre, the result's pixel is
 * what the source has at the middle + shift + matrix (u, v): places in 16.16 fixed point. Bilinear: the four pixels
 * whose centres are around the place, with weights in steps of 1/256; nearest: the pixel that the place is in. What
 * lies outside of the picture has one colour. */
#ifndef CNNC_RUNTIME_ROTATE_H
#define CNNC_RUNTIME_ROTATE_H

#include "image.h"

enum { MOVE_ONE = 1 << 16 }; /* steps of places and of the matrix in a pixel */

typedef struct Move {
    double matrix[4], shift[2];       /* rows; pixels to the right and down */
    bool nearest;                     /* else bilinear */
    float outside[IMAGE_PIXEL_BYTES]; /* a whole pixel, in the levels of the picture */
} Move;

/* Sets the matrix to that of a turn, counter-clockwise as seen. */
void move_rotate(Move *m, double degrees);
/* `out` gets the size of `in`, which differs from it. RT_LIMIT or RT_OS. */
bool image_move(const Image *in, const Move *m, Image *out, RtError *err);

#endif
