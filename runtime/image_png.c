/* PNG by libpng's low-level row API; its simplified API and colour quantiser, where most of its past holes were, are
 * not used. Chunks that are not needed for the pixels are never unpacked: no text, no profiles. What libpng would let
 * pass with a warning (bad checksums, an index beyond the palette, rubbish in the data) is an error. */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "image_codec.h"

enum { RGB = 3, WIDE_RGB = 6, INDEX = 1 }; /* bytes of a pixel as libpng gives it */

typedef struct Png {
    png_structp png;
    png_infop info;
    jmp_buf out;
    const Source *source;
    size_t at;          /* bytes read so far */
    png_colorp palette; /* NULL if pixels are colours or numbers */
    int n_palette;
    Region region;
    Image *image;
    uint8_t *rows; /* one row, or all of them if they come interlaced */
    size_t rows_capacity;
    RtError *err;
} Png;

static void stop(png_structp png, png_const_charp text) {
    Png *p = png_get_error_ptr(png);
    rt_fail(p->err, RT_DATA, "%s: %s", p->source->name, text);
    longjmp(p->out, 1);
}

static void ignore(png_structp png, png_const_charp text) {
    (void)png;
    (void)text;
}

static void take(png_structp png, png_bytep to, size_t n) {
    Png *p = png_get_io_ptr(png);
    if (n > p->source->size - p->at) png_error(png, "the file is cut off");
    memcpy(to, p->source->data + p->at, n);
    p->at += n;
}

static void close_file(Png *p) { png_destroy_read_struct(&p->png, &p->info, NULL); }

/* Runs body; false if it or libpng fails. All that body changes lives in *p, so no local can be clobbered by the jump.
 */
static bool guarded(Png *p, bool (*body)(Png *p), RtError *err) {
    p->err = err;
    bool good = !setjmp(p->out) && body(p);
    if (!good) close_file(p);
    return good;
}

static void *png_create_state(RtError *err) { return rt_alloc(1, sizeof(Png), err); }

static void png_destroy_state(void *state) {
    Png *p = state;
    close_file(p);
    free(p->rows);
    free(p);
}

static bool open_body(Png *p) {
    p->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, p, stop, ignore);
    p->info = p->png ? png_create_info_struct(p->png) : NULL;
    if (!p->info) return !rt_fail(p->err, RT_OS, "out of memory");
    png_set_benign_errors(p->png, 0);
    png_set_keep_unknown_chunks(p->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_read_fn(p->png, p, take);
    png_read_info(p->png, p->info);
    return true;
}

/* Grey of 8 bits at most, or indices. */
static bool has_numbers(const Png *p) {
    int type = png_get_color_type(p->png, p->info), bits = png_get_bit_depth(p->png, p->info);
    return bits <= 8 && (type == PNG_COLOR_TYPE_GRAY || type == PNG_COLOR_TYPE_PALETTE);
}

static bool png_open(void *state, const Source *source, int32_t *width, int32_t *height, RtError *err) {
    Png *p = state;
    close_file(p);
    p->source = source;
    p->at = 0;
    if (!guarded(p, open_body, err)) return false;
    if (source->numbers && !has_numbers(p))
        return !rt_fail(err, RT_DATA, "%s: a mask has the number of a class in each pixel, so it is a PNG file of one "
                                      "channel, grey with 8 bits at most or with a palette", source->name);
    *width = (int32_t)png_get_image_width(p->png, p->info); /* libpng allows a million at most */
    *height = (int32_t)png_get_image_height(p->png, p->info);
    return true;
}

static bool png_is_wide(void *state) {
    Png *p = state;
    return png_get_bit_depth(p->png, p->info) == 16;
}

/* Whatever the file holds, rows come as r, g, b, of 8 bits or for a wide picture of 16, the higher byte first, or as
 * 8-bit indices: libpng would look up indices beyond the palette too. */
static int set_output(Png *p) {
    bool numbers = p->source->numbers;
    p->palette = NULL;
    if (!numbers && png_get_color_type(p->png, p->info) == PNG_COLOR_TYPE_PALETTE)
        png_get_PLTE(p->png, p->info, &p->palette, &p->n_palette);
    png_set_packing(p->png);
    if (!p->palette && !numbers) {
        if (!p->image->wide) png_set_scale_16(p->png);
        png_set_expand_gray_1_2_4_to_8(p->png);
        png_set_strip_alpha(p->png);
        png_set_gray_to_rgb(p->png);
    }
    int passes = png_set_interlace_handling(p->png);
    png_read_update_info(p->png, p->info);
    return passes;
}

static void copy_indices(const Png *p, uint8_t *to, const uint8_t *row, size_t n) {
    for (size_t i = 0; i < n; i++, to += IMAGE_PIXEL_BYTES) {
        if (row[i] >= p->n_palette) png_error(p->png, "a pixel's index is beyond the palette");
        to[0] = p->palette[row[i]].red;
        to[1] = p->palette[row[i]].green;
        to[2] = p->palette[row[i]].blue;
        to[3] = 255;
    }
}

static void copy_colours(uint8_t *to, const uint8_t *row, size_t n) {
    for (size_t i = 0; i < n; i++, to += IMAGE_PIXEL_BYTES, row += RGB) {
        to[0] = row[0];
        to[1] = row[1];
        to[2] = row[2];
        to[3] = 255;
    }
}

static void copy_wide(float *to, const uint8_t *row, size_t n) {
    for (size_t i = 0; i < n; i++, to += IMAGE_PIXEL_BYTES, row += WIDE_RGB) {
        for (int c = 0; c < 3; c++) to[c] = (float)(row[2 * c] << 8 | row[2 * c + 1]);
        to[3] = 0;
    }
}

static void copy_numbers(uint8_t *to, const uint8_t *row, size_t n) {
    memset(to, 0, n * IMAGE_PIXEL_BYTES);
    for (size_t i = 0; i < n; i++) to[i * IMAGE_PIXEL_BYTES] = row[i];
}

/* Copies row y's part of the region, if it has one. */
static void copy_row(const Png *p, const uint8_t *row, int32_t y) {
    if (y < p->region.y0 || y >= p->region.y1) return;
    size_t n = (size_t)p->image->width;
    uint8_t *to = p->image->pixel + (size_t)(y - p->region.y0) * n * image_pixel_bytes(p->image);
    if (p->image->wide)
        copy_wide((float *)(void *)to, row + (size_t)p->region.x0 * WIDE_RGB, n);
    else if (p->source->numbers)
        copy_numbers(to, row + p->region.x0, n);
    else if (p->palette)
        copy_indices(p, to, row + p->region.x0, n);
    else
        copy_colours(to, row + (size_t)p->region.x0 * RGB, n);
}

/* Reads the file to its end even if the region ends earlier, for the checksums. */
static bool decode_body(Png *p) {
    int passes = set_output(p);
    int32_t height = (int32_t)png_get_image_height(p->png, p->info);
    size_t stride = png_get_rowbytes(p->png, p->info), kept = passes > 1 ? (size_t)height : 1;
    size_t pixel = p->palette || p->source->numbers ? INDEX : p->image->wide ? WIDE_RGB : RGB;
    if (stride != (size_t)png_get_image_width(p->png, p->info) * pixel)
        return !rt_fail(p->err, RT_INTERNAL, "%s: rows of %zu bytes", p->source->name, stride);
    if (!rt_reserve(&p->rows, &p->rows_capacity, stride * kept, 1, p->err)) return false;
    for (int pass = 0; pass < passes; pass++)
        for (int32_t y = 0; y < height; y++) {
            uint8_t *row = p->rows + (kept > 1 ? (size_t)y * stride : 0);
            png_read_row(p->png, row, NULL);
            if (pass == passes - 1) copy_row(p, row, y);
        }
    png_read_end(p->png, NULL);
    return true;
}

static bool png_decode(void *state, int shift, Region region, Image *out, RtError *err) {
    Png *p = state;
    (void)shift; /* max_shift is 0 */
    p->region = region;
    p->image = out;
    bool good = guarded(p, decode_body, err);
    close_file(p);
    return good;
}

const Codec image_png = {
    .magic = "\x89PNG\r\n\x1A\n",
    .magic_size = 8,
    .max_shift = 0,
    .create = png_create_state,
    .destroy = png_destroy_state,
    .open = png_open,
    .is_wide = png_is_wide,
    .decode = png_decode,
};
