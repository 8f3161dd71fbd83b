/* Reading picture files: JPEG and PNG, told apart by their first bytes, never by the name.
 *
 * Every input is hostile. A file must be regular, at most 64 MiB, and say at most 2^26 pixels, all before pixels are
 * allocated; a single pixel (what stands for a missing picture on the web) is an error; a progressive JPEG may have at
 * most 100 scans; nothing but the pixels is interpreted (no profiles, no gamma, no text, of EXIF only what
 * image_orientation says), and whatever is wrong with what is read is an error with the library's own words: truncated
 * data, bad checksums, palette indices out of range. A JPEG must have an end marker after the rows that were read, so
 * that a file that was cut is found out even when a crop needs only its top.
 *
 * What the pixels are: 8 bits, red, green, blue; of wide pictures, which input's depth = 16 asks for, floats from 0 to
 * 65535 instead: 16 bits as the file has them, 8 bits times 257. Grey is repeated, palettes are looked up, alpha is
 * dropped, 16 bits are rounded to 8 (v * 255 / 65535), CMYK and YCCK are taken as Adobe writes them (inverted): r = c *
 * k / 255. JPEG uses the accurate integer DCT and smooth chroma upsampling, as Pillow does; the pixels of a region are
 * the same bytes that a full decode has there. */
#ifndef CNNC_RUNTIME_IMAGE_H
#define CNNC_RUNTIME_IMAGE_H

#include <math.h>

#include "rt.h"

enum {
    IMAGE_FILE_LIMIT = 64 << 20, /* bytes */
    IMAGE_PIXEL_LIMIT = 1 << 26,
    IMAGE_SCAN_LIMIT = 100,
    IMAGE_PIXEL_BYTES = 4, /* r, g, b, and one of no meaning: a pixel is one 32-bit word */
    IMAGE_MOST = 255,
    IMAGE_WIDE_MOST = 65535, /* of wide pictures */
};

/* Pixels, rows from the top without gaps. Grows when needed and is then used again. Zeroed = empty. */
typedef struct Image {
    int32_t width, height;
    uint8_t *pixel;
    size_t capacity;
    bool wide; /* a pixel is IMAGE_PIXEL_BYTES floats, at image_wide */
} Image;

static inline float *image_wide(const Image *image) { return (float *)(void *)image->pixel; }

static inline size_t image_pixel_bytes(const Image *image) { return image->wide ? 4 * sizeof(float) : IMAGE_PIXEL_BYTES; }

/* A level from 0 to 1 among those of a picture: a whole one if it has 8 bits. */
static inline float image_level(const Image *image, double part) {
    double x = part < 0 ? 0 : part > 1 ? 1 : part;
    return (float)(image->wide ? x * IMAGE_WIDE_MOST : rint(x * IMAGE_MOST));
}

/* Makes room for width x height pixels, wide or not as it is, contents undefined; RT_LIMIT or RT_OS. Old pixels are
 * lost. */
bool image_resize_buffer(Image *image, int32_t width, int32_t height, RtError *err);
/* The same for pixels as `other` has them. */
bool image_resize_like(Image *image, const Image *other, int32_t width, int32_t height, RtError *err);
/* Makes a picture wide if it is not. */
bool image_widen(Image *image, RtError *err);
void image_free(Image *image);

/* Rows [y0, y1) and columns [x0, x1). */
typedef struct Region {
    int32_t x0, y0, x1, y1;
} Region;

/* What reads files; one per thread, used again for each file so that nothing is allocated anew. */
typedef struct ImageReader ImageReader;
ImageReader *image_reader_new(RtError *err);
void image_reader_free(ImageReader *reader);

/* Reads the file, recognises it and its header; *width and *height are its size. Errors name the path: RT_NO_INPUT,
 * RT_DATA, RT_LIMIT. The reader may be used for the next file after any error. */
bool image_open(ImageReader *reader, const char *path, int32_t *width, int32_t *height, RtError *err);

/* The same for a mask, whose pixels are numbers: a PNG file, grey with 8 bits at most or with a palette, whose colours
 * do not matter. Decoded pixels have the number as their first byte, and 0 in the others. */
bool image_open_numbers(ImageReader *reader, const char *path, int32_t *width, int32_t *height, RtError *err);

/* A picture that is a part of a file, an archive: `size` bytes from byte `at` on. `whole` is the size that the file had
 * when the places in it were found; has it another one now, then they mean nothing and it is RT_DATA. `name` is what
 * messages call the picture. */
typedef struct ImagePart {
    const char *name, *file;
    uint64_t whole, at, size;
} ImagePart;
bool image_open_part(ImageReader *reader, const ImagePart *part, int32_t *width, int32_t *height, RtError *err);

/* The same from memory; the bytes must stay until image_decode has returned. name is what messages call it. */
bool image_open_memory(ImageReader *reader, const uint8_t *data, size_t size, const char *name, int32_t *width,
                       int32_t *height, RtError *err);

/* How the opened file says that it has to be turned, as in exif.h; 1 for a PNG. Decoding does not turn it. */
int image_orientation(const ImageReader *reader);

/* The largest shift s in 0 .. 3 such that the file can be decoded at 1/2^s of its size (JPEG: 8, PNG: 0) and width x
 * height pixels of it are still at least least_width x least_height. */
int image_scale_for(const ImageReader *reader, double width, double height, int32_t least_width, int32_t least_height);

/* Decodes a part of the opened file at 1/2^shift of its size, which then is ceil(size / 2^shift). The region is in
 * pixels of that scaled picture and must lie within it. `out` becomes wide or not as it is. Call once per image_open. */
bool image_decode(ImageReader *reader, int shift, Region region, Image *out, RtError *err);

/* All of it in one call. */
bool image_read(ImageReader *reader, const char *path, Image *out, RtError *err);

#endif
