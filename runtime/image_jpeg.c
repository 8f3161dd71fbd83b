/* JPEG by libjpeg-turbo's scanline API.
 *
 * libjpeg ends the process on an error and goes on after a warning; here both come back to `guarded` by a jump,
 * warnings because they mean that pixels are made up (truncated or corrupt data). A few that leave the pixels alone are
 * let pass. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

#include "image_codec.h"

typedef struct Jpeg {
    struct jpeg_decompress_struct c;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf out;
    const Source *source;
    int shift; /* arguments of decode */
    Region region;
    Image *image;
    uint8_t *row; /* one line of the decoder's own width */
    size_t row_capacity;
    RtError *err;
} Jpeg;

/* ---- errors ---- */

static Jpeg *self(j_common_ptr c) { return c->client_data; }

static void stop(j_common_ptr c) {
    char text[JMSG_LENGTH_MAX];
    Jpeg *j = self(c);
    c->err->format_message(c, text);
    rt_fail(j->err, RT_DATA, "%s: %s", j->source ? j->source->name : "libjpeg", text);
    longjmp(j->out, 1);
}

static bool is_harmless(int code) {
    static const int harmless[] = {JWRN_EXTRANEOUS_DATA, JWRN_ADOBE_XFORM, JWRN_JFIF_MAJOR, JWRN_BOGUS_ICC};
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
        if (code == harmless[i]) return true;
    return false;
}

/* level < 0 is a warning, the others are traces. */
static void on_message(j_common_ptr c, int level) {
    if (level < 0 && !is_harmless(c->err->msg_code)) stop(c);
}

/* A file of a few kilobytes may ask for thousands of passes over a huge picture. */
static void on_progress(j_common_ptr c) {
    Jpeg *j = self(c);
    if (j->c.input_scan_number <= IMAGE_SCAN_LIMIT) return;
    rt_fail(j->err, RT_LIMIT, "%s: more than %d scans", j->source->name, IMAGE_SCAN_LIMIT);
    longjmp(j->out, 1);
}

/* Runs body; false if it or libjpeg fails. All that body changes lives in *j, so no local can be clobbered by the jump.
 */
static bool guarded(Jpeg *j, bool (*body)(Jpeg *j), RtError *err) {
    j->err = err;
    if (setjmp(j->out)) {
        jpeg_abort_decompress(&j->c);
        return false;
    }
    return body(j);
}

/* ---- state ---- */

static bool create_body(Jpeg *j) {
    j->c.client_data = j;
    jpeg_create_decompress(&j->c);
    j->progress.progress_monitor = on_progress;
    j->c.progress = &j->progress;
    return true;
}

static void jpeg_destroy_state(void *state) {
    Jpeg *j = state;
    jpeg_destroy_decompress(&j->c);
    free(j->row);
    free(j);
}

static void *jpeg_create_state(RtError *err) {
    Jpeg *j = rt_alloc(1, sizeof *j, err);
    if (!j) return NULL;
    j->c.err = jpeg_std_error(&j->errors);
    j->errors.error_exit = stop;
    j->errors.emit_message = on_message;
    if (guarded(j, create_body, err)) return j;
    free(j);
    return NULL;
}

/* ---- header ---- */

static bool open_body(Jpeg *j) {
    jpeg_abort_decompress(&j->c);
    jpeg_mem_src(&j->c, j->source->data, j->source->size);
    jpeg_read_header(&j->c, TRUE);
    if (j->c.num_components == 2 || j->c.num_components > 4)
        return !rt_fail(j->err, RT_DATA, "%s: a JPEG of %d components; 1, 3 or 4 are understood", j->source->name,
                        j->c.num_components);
    return true;
}

static bool jpeg_open(void *state, const Source *source, int32_t *width, int32_t *height, RtError *err) {
    Jpeg *j = state;
    j->source = source;
    if (!guarded(j, open_body, err)) return false;
    *width = (int32_t)j->c.image_width;
    *height = (int32_t)j->c.image_height;
    return true;
}

/* ---- pixels ---- */

/* What is stored is 255 - ink (Adobe's habit, which everybody follows), so light passes by the product. Divides by 255
 * with rounding, exactly. */
static void cmyk_to_rgb(uint8_t *to, const uint8_t *from, size_t n) {
    for (size_t i = 0; i < n; i++, to += 4, from += 4) {
        for (int k = 0; k < 3; k++) {
            uint32_t product = (uint32_t)from[k] * from[3] + 128;
            to[k] = (uint8_t)((product + (product >> 8)) >> 8);
        }
        to[3] = 255;
    }
}

/* Decodes only the columns that are needed. Chroma is smoothed with its neighbours, so one more pixel on each side is
 * decoded for the region to be what it is in the whole picture. Returns the column that the decoder's rows begin with.
 */
static int32_t narrow(Jpeg *j) {
    enum { MARGIN = 2 };
    int32_t full = (int32_t)j->c.output_width;
    int32_t first = j->region.x0 > MARGIN ? j->region.x0 - MARGIN : 0;
    int32_t last = j->region.x1 < full - MARGIN ? j->region.x1 + MARGIN : full;
    if (first == 0 && last == full) return 0;
    JDIMENSION x = (JDIMENSION)first, width = (JDIMENSION)(last - first);
    jpeg_crop_scanline(&j->c, &x, &width);
    return (int32_t)x;
}

/* A file that was cut has no end marker after the place where reading stopped. Entropy-coded data never holds one. */
static bool has_end(Jpeg *j) {
    const uint8_t *p = j->c.src->next_input_byte, *end = p + j->c.src->bytes_in_buffer;
    if (j->c.unread_marker == JPEG_EOI || jpeg_input_complete(&j->c)) return true;
    while (p < end && (p = memchr(p, 0xFF, (size_t)(end - p))) && p + 1 < end)
        if (*++p == JPEG_EOI) return true;
    return !rt_fail(j->err, RT_DATA, "%s: the file is cut off: it has no end marker", j->source->name);
}

static void set_output(Jpeg *j) {
    bool cmyk = j->c.num_components == 4;
    j->c.scale_num = 1;
    j->c.scale_denom = 1u << j->shift;
    j->c.out_color_space = cmyk ? JCS_CMYK : JCS_EXT_RGBX;
    j->c.dct_method = JDCT_ISLOW;
    j->c.do_fancy_upsampling = TRUE;
}

static bool decode_body(Jpeg *j) {
    set_output(j);
    jpeg_start_decompress(&j->c);
    size_t first = (size_t)(j->region.x0 - narrow(j)), width = (size_t)j->image->width;
    if (!rt_reserve(&j->row, &j->row_capacity, (size_t)j->c.output_width * IMAGE_PIXEL_BYTES, 1, j->err)) return false;
    jpeg_skip_scanlines(&j->c, (JDIMENSION)j->region.y0);
    uint8_t *to = j->image->pixel;
    for (int32_t y = j->region.y0; y < j->region.y1; y++, to += width * IMAGE_PIXEL_BYTES) {
        jpeg_read_scanlines(&j->c, &j->row, 1);
        const uint8_t *from = j->row + first * IMAGE_PIXEL_BYTES;
        if (j->c.num_components == 4)
            cmyk_to_rgb(to, from, width);
        else
            memcpy(to, from, width * IMAGE_PIXEL_BYTES);
    }
    bool whole = has_end(j);
    jpeg_abort_decompress(&j->c);
    return whole;
}

static bool jpeg_decode(void *state, int shift, Region region, Image *out, RtError *err) {
    Jpeg *j = state;
    j->shift = shift;
    j->region = region;
    j->image = out;
    bool good = guarded(j, decode_body, err);
    j->image = NULL;
    return good;
}

const Codec image_jpeg = {
    .magic = "\xFF\xD8\xFF",
    .magic_size = 3,
    .max_shift = 3,
    .create = jpeg_create_state,
    .destroy = jpeg_destroy_state,
    .open = jpeg_open,
    .decode = jpeg_decode,
};
