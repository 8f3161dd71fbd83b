#include "frame.h"

#include <stdlib.h>
#include <string.h>

#include "colour.h"

/* What was noted: `box` of the source is resized to to_width x to_height; of that the window at (x, y) is kept, which
 * may stick out; then it is flipped. Before a resize the box is the whole source and to_* its size. */
typedef struct Notes {
    Region box;
    int32_t to_width, to_height;
    bool resized, antialias;
    Filter filter;
    int32_t x, y, width, height;
    bool flip_x, flip_y;
} Notes;

struct Frame {
    ImageReader *reader;
    bool undecoded; /* the source is the open file; otherwise it is `image` */
    bool scaled, mask, wide;
    int32_t file_width, file_height;
    int orientation; /* of the open file; notes are about the turned picture */
    Notes notes;
    Image image, source, middle;
    Weights x, y;
};

Frame *frame_new(RtError *err) {
    Frame *f = rt_alloc(1, sizeof *f, err);
    if (f && !(f->reader = image_reader_new(err))) {
        free(f);
        return NULL;
    }
    return f;
}

void frame_free(Frame *f) {
    if (!f) return;
    image_reader_free(f->reader);
    image_free(&f->image);
    image_free(&f->source);
    image_free(&f->middle);
    weights_free(&f->x);
    weights_free(&f->y);
    free(f);
}

static Notes nothing_noted(int32_t width, int32_t height) {
    return (Notes){.box = {0, 0, width, height},
                   .to_width = width,
                   .to_height = height,
                   .filter = FILTER_NEAREST,
                   .width = width,
                   .height = height};
}

/* Right after the file was opened, or could not be. */
static bool start(Frame *f, bool opened, bool scaled, bool mask) {
    f->undecoded = true;
    f->scaled = scaled;
    f->mask = mask;
    f->wide = false;
    f->orientation = 1;
    if (opened) f->notes = nothing_noted(f->file_width, f->file_height);
    return opened;
}

bool frame_open(Frame *f, const char *path, bool scaled, RtError *err) {
    return start(f, image_open(f->reader, path, &f->file_width, &f->file_height, err), scaled, false);
}

bool frame_open_part(Frame *f, const ImagePart *part, bool scaled, RtError *err) {
    return start(f, image_open_part(f->reader, part, &f->file_width, &f->file_height, err), scaled, false);
}

bool frame_open_memory(Frame *f, const uint8_t *data, size_t size, const char *name, bool scaled, RtError *err) {
    return start(f, image_open_memory(f->reader, data, size, name, &f->file_width, &f->file_height, err), scaled, false);
}

bool frame_open_mask(Frame *f, const char *path, RtError *err) {
    return start(f, image_open_numbers(f->reader, path, &f->file_width, &f->file_height, err), false, true);
}

Image *frame_open_blank(Frame *f, int32_t width, int32_t height, RtError *err) {
    f->undecoded = f->scaled = f->mask = f->wide = f->image.wide = false;
    f->orientation = 1;
    if (!image_resize_buffer(&f->image, width, height, err)) return NULL;
    f->notes = nothing_noted(width, height);
    return &f->image;
}

/* What has to be done to a file's pixels: rows become columns; the file's columns, or rows, come in reverse. */
static const struct Turn {
    bool across, x, y;
} turns[] = {[2] = {.x = true},
             [3] = {.x = true, .y = true},
             [4] = {.y = true},
             [5] = {.across = true},
             [6] = {.across = true, .y = true},
             [7] = {.across = true, .x = true, .y = true},
             [8] = {.across = true, .x = true}};

void frame_orient(Frame *f) {
    f->orientation = image_orientation(f->reader);
    if (turns[f->orientation].across) f->notes = nothing_noted(f->file_height, f->file_width);
}

bool frame_widen(Frame *f, RtError *err) {
    f->wide = true;
    return f->undecoded || image_widen(&f->image, err);
}

int32_t frame_width(const Frame *f) { return f->notes.width; }

int32_t frame_height(const Frame *f) { return f->notes.height; }

/* ---- noting ---- */

bool frame_crop(Frame *f, int32_t x, int32_t y, int32_t width, int32_t height, RtError *err) {
    Notes *n = &f->notes;
    if (width < 1 || height < 1 || abs(x) > IMAGE_PIXEL_LIMIT || abs(y) > IMAGE_PIXEL_LIMIT)
        return !rt_fail(err, RT_LIMIT, "a crop of %d x %d pixels at (%d, %d)", width, height, x, y);
    n->x += n->flip_x ? n->width - x - width : x; /* flips are done last, so the window is the mirrored one */
    n->y += n->flip_y ? n->height - y - height : y;
    n->width = width;
    n->height = height;
    return true;
}

static bool window_is_inside(const Notes *n) {
    return n->x >= 0 && n->y >= 0 && n->x <= n->to_width - n->width && n->y <= n->to_height - n->height;
}

bool frame_resize(Frame *f, int32_t width, int32_t height, Filter filter, bool antialias, RtError *err) {
    Notes *n = &f->notes;
    Image *pixels;
    if (width == n->width && height == n->height) return true;
    if (width < 1 || height < 1) return !rt_fail(err, RT_LIMIT, "a resize to %d x %d pixels", width, height);
    if ((n->resized || n->flip_x || n->flip_y || !window_is_inside(n)) && !frame_settle(f, &pixels, err)) return false;
    *n = (Notes){.box = {n->x, n->y, n->x + n->width, n->y + n->height},
                 .to_width = width,
                 .to_height = height,
                 .resized = true,
                 .antialias = antialias && !f->mask,
                 .filter = f->mask ? FILTER_NEAREST : filter,
                 .width = width,
                 .height = height};
    return true;
}

void frame_flip(Frame *f, bool horizontal, bool vertical) {
    f->notes.flip_x ^= horizontal;
    f->notes.flip_y ^= vertical;
}

/* ---- doing ---- */

/* One axis of the notes, on the source at 1/2^shift of its size: from `box` to `to` pixels, window [at, at + extent) as
 * far as it is within the picture. */
static Axis axis(int32_t box0, int32_t box1, int32_t to, int32_t at, int32_t extent, int shift) {
    double unit = 1.0 / (1 << shift);
    int32_t first = at < 0 ? 0 : at, last = at > to - extent ? to : at + extent;
    return (Axis){.start = box0 * unit,
                  .length = (box1 - box0) * unit,
                  .low = box0 >> shift,
                  .high = (int32_t)(((int64_t)box1 + (1 << shift) - 1) >> shift),
                  .size = to,
                  .first = first,
                  .count = last - first};
}

static int choose_shift(const Frame *f) {
    const Notes *n = &f->notes;
    if (!f->undecoded || !f->scaled || !n->resized || !n->antialias || n->filter == FILTER_NEAREST) return 0;
    int shift = image_scale_for(f->reader, n->box.x1 - n->box.x0, n->box.y1 - n->box.y0, n->to_width, n->to_height);
    /* A reversed side begins with the file's last pixels, which only then are as wide as the others. */
    while (f->orientation > 1 && shift > 0 && (f->file_width | f->file_height) & ((1 << shift) - 1)) shift--;
    return shift;
}

/* Where a part of the turned picture, at 1/2^shift of its size, is in the file. */
static Region region_of_file(const Frame *f, int shift, Region r) {
    int32_t width = (f->file_width + (1 << shift) - 1) >> shift, height = (f->file_height + (1 << shift) - 1) >> shift;
    const struct Turn t = turns[f->orientation];
    if (t.across) r = (Region){r.y0, r.x0, r.y1, r.x1};
    if (t.x) r = (Region){width - r.x1, r.y0, width - r.x0, r.y1};
    if (t.y) r = (Region){r.x0, height - r.y1, r.x1, height - r.y0};
    return r;
}

/* A pixel in 32-bit words. */
static size_t words_of(const Image *image) { return image_pixel_bytes(image) / sizeof(uint32_t); }

/* Turns `source`, pixels of the file. */
static bool turn(Frame *f, RtError *err) {
    const Image *from = &f->source;
    const struct Turn t = turns[f->orientation];
    int32_t width = t.across ? from->height : from->width, height = t.across ? from->width : from->height;
    if (!image_resize_like(&f->middle, from, width, height, err)) return false;
    size_t words = words_of(from);
    uint32_t *to = (uint32_t *)(void *)f->middle.pixel;
    const uint32_t *pixel = (const uint32_t *)(const void *)from->pixel;
    for (int32_t row = 0; row < height; row++)
        for (int32_t column = 0; column < width; column++) {
            int32_t a = t.across ? row : column, b = t.across ? column : row;
            if (t.x) a = from->width - 1 - a;
            if (t.y) b = from->height - 1 - b;
            const uint32_t *at = pixel + ((size_t)b * (size_t)from->width + (size_t)a) * words;
            for (size_t k = 0; k < words; k++) *to++ = at[k];
        }
    Image turned = f->middle;
    f->middle = f->source;
    f->source = turned;
    return true;
}

/* Makes `source` the pixels that the weights want; *x0, *y0 is where they begin. */
static bool fetch(Frame *f, int shift, int32_t *x0, int32_t *y0, RtError *err) {
    if (!f->undecoded) {
        Image t = f->image;
        f->image = f->source;
        f->source = t;
        *x0 = *y0 = 0;
        return true;
    }
    f->undecoded = false;
    f->source.wide = f->wide;
    *x0 = f->x.low;
    *y0 = f->y.low;
    Region region = region_of_file(f, shift, (Region){f->x.low, f->y.low, f->x.high, f->y.high});
    return image_decode(f->reader, shift, region, &f->source, err) && (f->orientation == 1 || turn(f, err));
}

static bool resize_window(Frame *f, RtError *err) {
    const Notes *n = &f->notes;
    int shift = choose_shift(f);
    int32_t x0, y0;
    Axis x = axis(n->box.x0, n->box.x1, n->to_width, n->x, n->width, shift);
    Axis y = axis(n->box.y0, n->box.y1, n->to_height, n->y, n->height, shift);
    return weights_make(&f->x, &x, n->filter, n->antialias, err) &&
           weights_make(&f->y, &y, n->filter, n->antialias, err) && fetch(f, shift, &x0, &y0, err) &&
           resize_image(&f->source, x0, y0, &f->x, &f->y, &f->middle, &f->image, err);
}

static int outside(const Frame *f) { return f->mask ? 255 : 0; }

/* What was made in `middle` is the picture. */
static void use_middle(Frame *f) {
    Image t = f->image;
    f->image = f->middle;
    f->middle = t;
}

/* Puts `image` at (x, y) of a black picture of the window's size. */
static bool surround(Frame *f, int32_t x, int32_t y, RtError *err) {
    const Notes *n = &f->notes;
    if (!image_resize_like(&f->middle, &f->image, n->width, n->height, err)) return false;
    size_t bytes = image_pixel_bytes(&f->image), to_stride = (size_t)n->width * bytes, stride = (size_t)f->image.width * bytes;
    memset(f->middle.pixel, outside(f), to_stride * (size_t)n->height);
    for (int32_t row = 0; row < f->image.height; row++)
        memcpy(f->middle.pixel + (size_t)(y + row) * to_stride + (size_t)x * bytes,
               f->image.pixel + (size_t)row * stride, stride);
    use_middle(f);
    return true;
}

static void swap_pixels(uint32_t *a, uint32_t *b, size_t words) {
    for (size_t k = 0; k < words; k++) {
        uint32_t t = a[k];
        a[k] = b[k];
        b[k] = t;
    }
}

static void flip(Image *image, bool x, bool y) {
    uint32_t *pixel = (uint32_t *)(void *)image->pixel;
    size_t words = words_of(image), stride = (size_t)image->width * words;
    for (int32_t row = 0; x && row < image->height; row++) {
        uint32_t *a = pixel + (size_t)row * stride, *b = a + stride - words;
        for (; a < b; a += words, b -= words) swap_pixels(a, b, words);
    }
    for (int32_t a = 0, b = image->height - 1; y && a < b; a++, b--)
        swap_pixels(pixel + (size_t)a * stride, pixel + (size_t)b * stride, stride);
}

/* A window that shows nothing of the picture is black; nothing is decoded for it. */
static bool all_black(Frame *f, RtError *err) {
    f->undecoded = false;
    f->image.wide = f->wide;
    if (!image_resize_buffer(&f->image, f->notes.width, f->notes.height, err)) return false;
    memset(f->image.pixel, outside(f), (size_t)f->notes.width * (size_t)f->notes.height * image_pixel_bytes(&f->image));
    return true;
}

static bool make_window(Frame *f, RtError *err) {
    const Notes *n = &f->notes;
    if (n->x >= n->to_width || n->y >= n->to_height || n->x <= -n->width || n->y <= -n->height)
        return all_black(f, err);
    if (!resize_window(f, err)) return false;
    return window_is_inside(n) || surround(f, n->x < 0 ? -n->x : 0, n->y < 0 ? -n->y : 0, err);
}

bool frame_settle(Frame *f, Image **pixels, RtError *err) {
    const Notes *n = &f->notes;
    bool as_it_is =
        !f->undecoded && !n->resized && n->x == 0 && n->y == 0 && n->width == n->to_width && n->height == n->to_height;
    if (!as_it_is && !make_window(f, err)) return false;
    flip(&f->image, n->flip_x, n->flip_y);
    f->notes = nothing_noted(n->width, n->height);
    *pixels = &f->image;
    return true;
}

bool frame_blur(Frame *f, double sigma, RtError *err) {
    Image *pixels;
    int32_t x0, y0;
    return frame_settle(f, &pixels, err) && weights_blur(&f->x, pixels->width, sigma, err) &&
           weights_blur(&f->y, pixels->height, sigma, err) && fetch(f, 0, &x0, &y0, err) &&
           resize_image(&f->source, x0, y0, &f->x, &f->y, &f->middle, &f->image, err);
}

bool frame_move(Frame *f, Move *m, const double fill[3], RtError *err) {
    Image *pixels;
    if (!frame_settle(f, &pixels, err)) return false;
    m->nearest |= f->mask;
    for (int c = 0; c < IMAGE_PIXEL_BYTES; c++)
        m->outside[c] = f->mask ? (float)outside(f) : c < 3 ? image_level(pixels, fill[c]) : 0;
    if (!image_move(pixels, m, &f->middle, err)) return false;
    use_middle(f);
    return true;
}

bool frame_rotate(Frame *f, double degrees, const double fill[3], RtError *err) {
    Move m = {.nearest = false};
    move_rotate(&m, degrees);
    return frame_move(f, &m, fill, err);
}

bool frame_sharpen(Frame *f, int32_t factor, RtError *err) {
    Image *pixels;
    if (!frame_settle(f, &pixels, err) || !image_sharpen(pixels, factor, &f->middle, err)) return false;
    use_middle(f);
    return true;
}

bool frame_is_mask(const Frame *f) { return f->mask; }
