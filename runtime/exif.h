/* The one thing of EXIF that matters for pixels: how the camera was held. */
#ifndef CNNC_RUNTIME_EXIF_H
#define CNNC_RUNTIME_EXIF_H

#include <stddef.h>
#include <stdint.h>

/* The orientation, 1 to 8, that the first EXIF segment of a JPEG file says (CIPA DC-008, 4.6.5.1: tag 0x0112): 1 as it
 * is, 2 mirrored left to right, 3 upside down, 4 mirrored top to bottom, 5 mirrored at the diagonal, 6 to be turned
 * clockwise, 7 mirrored at the other diagonal, 8 to be turned anticlockwise. 1 if there is none, or what is there makes
 * no sense. */
int exif_orientation(const uint8_t *jpeg, size_t size);

#endif
