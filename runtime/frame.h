/* A picture on its way to the net. Crops, resizes and flips are noted, not done; when pixels are needed, only those
 * that can be seen are decoded (a part of the file, at a fraction of its size where the target is much smaller) and
 * resized, in one go. The result is the same as doing each step by itself, the scaled decode excepted.
 *
 * A frame has a size at any time: that of the picture as the steps so far would have made it. One frame per thread; it
 * keeps its buffers from picture to picture. */
#ifndef CNNC_RUNTIME_FRAME_H
#define CNNC_RUNTIME_FRAME_H

#include "resize.h"
#include "rotate.h"

typedef struct Frame Frame;
Frame *frame_new(RtError *err);
void frame_free(Frame *f);

/* Starts a new picture. scaled: JPEG files may be decoded at 1/2, 1/4 or 1/8 if the picture stays as large as it is
 * asked for. */
bool frame_open(Frame *f, const char *path, bool scaled, RtError *err);

/* The same for a picture in an archive. */
bool frame_open_part(Frame *f, const ImagePart *part, bool scaled, RtError *err);

/* Turns and mirrors the picture as its file says (exif.h). Right after frame_open, before anything else. */
void frame_orient(Frame *f);

/* The same for a file's bytes (image_open_memory). */
bool frame_open_memory(Frame *f, const uint8_t *data, size_t size, const char *name, bool scaled, RtError *err);
/* The same for a mask (image_open_numbers): every resize then takes the nearest pixel, and what lies outside has 255 in
 * all bytes, where pixels of the file have 0 in all but the first. */
bool frame_open_mask(Frame *f, const char *path, RtError *err);

/* Starts a picture that is in no file: the caller fills these pixels, of that size, before it calls another frame
 * function. NULL: RT_LIMIT or RT_OS. */
Image *frame_open_blank(Frame *f, int32_t width, int32_t height, RtError *err);

/* The pixels of the picture are wide (image.h). Right after it was opened or, of one that is in no file, filled. */
bool frame_widen(Frame *f, RtError *err);

int32_t frame_width(const Frame *f);
int32_t frame_height(const Frame *f);

/* Keeps width x height pixels from (x, y). What lies outside the picture is black. */
bool frame_crop(Frame *f, int32_t x, int32_t y, int32_t width, int32_t height, RtError *err);
bool frame_resize(Frame *f, int32_t width, int32_t height, Filter filter, bool antialias, RtError *err);
void frame_flip(Frame *f, bool horizontal, bool vertical);

/* Turns it counter-clockwise about its middle, which changes pixels but not the size: bilinear, and with `fill` (red,
 * green, blue, from 0 to 1) where nothing of the picture is. Of a mask the nearest pixel, and none (255) there. */
bool frame_rotate(Frame *f, double degrees, const double fill[3], RtError *err);

/* The same with any move (rotate.h), of which `nearest` holds for pictures and `outside` is set here. */
bool frame_move(Frame *f, Move *m, const double fill[3], RtError *err);

/* image_sharpen (colour.h). */
bool frame_sharpen(Frame *f, int32_t factor, RtError *err);
bool frame_is_mask(const Frame *f);

/* Blurs it by a Gaussian of this standard deviation in pixels (resize.h). */
bool frame_blur(Frame *f, double sigma, RtError *err);

/* Does what was noted. The pixels may be changed in place, and stay until the next call of a frame function. */
bool frame_settle(Frame *f, Image **pixels, RtError *err);

#endif
