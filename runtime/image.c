#include "image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exif.h"
#include "image_codec.h"

static const Codec *const codecs[] = {&image_jpeg, &image_png};
enum { N_CODECS = sizeof codecs / sizeof codecs[0], NONE = N_CODECS };

struct ImageReader {
    void *state[N_CODECS];
    int codec; /* of the open file, or NONE */
    Source source;
    char *name;
    size_t name_capacity;
    uint8_t *file;
    size_t file_capacity;
    int32_t width, height;
};

/* ---- pixels ---- */

bool image_resize_buffer(Image *image, int32_t width, int32_t height, RtError *err) {
    if (width < 1 || height < 1 || (int64_t)width * height > IMAGE_PIXEL_LIMIT) {
        rt_fail(err, RT_LIMIT, "a picture of %d x %d pixels is over the limit of %d", width, height, IMAGE_PIXEL_LIMIT);
        return false;
    }
    size_t bytes = (size_t)width * (size_t)height * image_pixel_bytes(image);
    if (!rt_reserve(&image->pixel, &image->capacity, bytes, 1, err)) return false;
    image->width = width;
    image->height = height;
    return true;
}

bool image_resize_like(Image *image, const Image *other, int32_t width, int32_t height, RtError *err) {
    image->wide = other->wide;
    return image_resize_buffer(image, width, height, err);
}

/* In place, from the last number on: each goes where only those behind it were. */
bool image_widen(Image *image, RtError *err) {
    size_t numbers = (size_t)image->width * (size_t)image->height * IMAGE_PIXEL_BYTES;
    if (image->wide) return true;
    if (!rt_reserve(&image->pixel, &image->capacity, numbers * sizeof(float), 1, err)) return false;
    image->wide = true;
    for (size_t i = numbers; i-- > 0;) {
        float x = (float)(image->pixel[i] * (IMAGE_WIDE_MOST / IMAGE_MOST));
        memcpy(image->pixel + i * sizeof x, &x, sizeof x);
    }
    return true;
}

void image_free(Image *image) {
    free(image->pixel);
    *image = (Image){0};
}

/* ---- what a file is ---- */

/* Formats that are met in picture folders and are not pictures for us, by bytes at an offset. The first row that fits
 * counts. */
static const struct Kind {
    const char *bytes;
    uint8_t size, offset;
    const char *what;
} kinds[] = {
    {"GIF8", 4, 0, "a GIF picture"},
    {"WEBP", 4, 8, "a WebP picture"},
    {"ftypheic", 8, 4, "a HEIC picture"},
    {"ftypmif1", 8, 4, "a HEIF picture"},
    {"ftypavif", 8, 4, "an AVIF picture"},
    {"BM", 2, 0, "a BMP picture"},
    {"II*\0", 4, 0, "a TIFF picture"},
    {"MM\0*", 4, 0, "a TIFF picture"},
    {"\0\0\0\014jP  ", 8, 0, "a JPEG 2000 picture"},
    {"\377\012", 2, 0, "a JPEG XL picture"},
    {"8BPS", 4, 0, "a Photoshop picture"},
    {"%PDF", 4, 0, "a PDF document"},
    {"PK\3\4", 4, 0, "a ZIP archive"},
    {"\037\213", 2, 0, "a gzip file"},
    {"\0\0\0\1Bud1", 8, 0, "a .DS_Store file"},
    {"\0\5\026\7", 4, 0, "an AppleDouble file"},
    {"<!doctype html", 14, 0, "an HTML page"},
    {"<html", 5, 0, "an HTML page"},
    {"<svg", 4, 0, "an SVG picture"},
    {"<?xml", 5, 0, "an XML file"},
};

/* No control characters, and none of the bytes that UTF-8 never has. */
static bool is_text(const uint8_t *data, size_t size) {
    for (size_t i = 0; i < size; i++)
        if ((data[i] < 32 && !(data[i] >= '\t' && data[i] <= '\r')) || data[i] >= 0xF8) return false;
    return true;
}

/* A small letter in the pattern stands for the capital too. */
static bool matches(const struct Kind *kind, const uint8_t *data, size_t size) {
    if (size < (size_t)kind->offset + kind->size) return false;
    for (int i = 0; i < kind->size; i++) {
        char want = kind->bytes[i];
        char have = (char)data[kind->offset + i];
        if (have != want && !(want >= 'a' && want <= 'z' && have == want - 'a' + 'A')) return false;
    }
    return true;
}

static const char *describe(const uint8_t *data, size_t size) {
    enum { LOOK_AT = 256 };
    if (size == 0) return "empty";
    while (size > 1 && (*data == ' ' || (*data >= '\t' && *data <= '\r'))) data++, size--;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (matches(&kinds[i], data, size)) return kinds[i].what;
    return is_text(data, size < LOOK_AT ? size : LOOK_AT) ? "a text file" : "of a format that is not known";
}

/* ---- reading ---- */

ImageReader *image_reader_new(RtError *err) {
    ImageReader *r = rt_alloc(1, sizeof *r, err);
    if (r) r->codec = NONE;
    for (int i = 0; r && i < N_CODECS; i++) {
        r->state[i] = codecs[i]->create(err);
        if (!r->state[i]) {
            image_reader_free(r);
            return NULL;
        }
    }
    return r;
}

void image_reader_free(ImageReader *r) {
    if (!r) return;
    for (int i = 0; i < N_CODECS; i++)
        if (r->state[i]) codecs[i]->destroy(r->state[i]);
    free(r->name);
    free(r->file);
    free(r);
}

/* What is read, and where: all of a file or a part of it. */
typedef struct Extent {
    int fd;
    uint64_t at, size;
} Extent;

static bool read_all(ImageReader *r, const Extent *x, RtError *err) {
    if (x->size > IMAGE_FILE_LIMIT)
        return !rt_fail(err, RT_LIMIT, "%s: %llu bytes, over the limit of %d for a picture", r->name, (unsigned long long)x->size,
                        IMAGE_FILE_LIMIT);
    if (!rt_reserve(&r->file, &r->file_capacity, (size_t)x->size, 1, err)) return false;
    for (size_t done = 0; done < x->size;) {
        ssize_t n = pread(x->fd, r->file + done, (size_t)x->size - done, (off_t)(x->at + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return !rt_fail(err, RT_NO_INPUT, "%s: %m", r->name);
        if (n == 0) return !rt_fail(err, RT_DATA, "%s: the file got shorter while it was read", r->name);
        done += (size_t)n;
    }
    return true;
}

/* part: which of the file, or NULL: all of it. */
static bool load_file(ImageReader *r, int fd, const char *path, const ImagePart *part, size_t *size, RtError *err) {
    struct stat st;
    if (fstat(fd, &st)) return !rt_fail(err, RT_NO_INPUT, "%s: %m", path);
    if (part && (uint64_t)st.st_size != part->whole)
        return !rt_fail(err, RT_DATA, "%s: %s has another size than when it was opened", r->name, path);
    Extent all = {fd, part ? part->at : 0, part ? part->size : (uint64_t)st.st_size};
    *size = (size_t)all.size;
    return read_all(r, &all, err);
}

static bool open_source(ImageReader *r, const Source *source, int32_t *width, int32_t *height, RtError *err);

static bool keep_name(ImageReader *r, const char *name, RtError *err) {
    size_t length = strlen(name) + 1;
    r->codec = NONE;
    if (!rt_reserve(&r->name, &r->name_capacity, length, 1, err)) return false;
    memcpy(r->name, name, length);
    return true;
}

static bool open_path(ImageReader *r, const char *path, const ImagePart *part, bool numbers, int32_t *width, int32_t *height,
                      RtError *err) {
    size_t size = 0;
    if (!keep_name(r, part ? part->name : path, err)) return false;
    int fd = rt_open_plain(path, err);
    if (fd < 0) return false;
    bool good = load_file(r, fd, path, part, &size, err);
    close(fd);
    Source source = {r->file, size, r->name, numbers};
    return good && open_source(r, &source, width, height, err);
}

bool image_open(ImageReader *r, const char *path, int32_t *width, int32_t *height, RtError *err) {
    return open_path(r, path, NULL, false, width, height, err);
}

bool image_open_numbers(ImageReader *r, const char *path, int32_t *width, int32_t *height, RtError *err) {
    return open_path(r, path, NULL, true, width, height, err);
}

bool image_open_part(ImageReader *r, const ImagePart *part, int32_t *width, int32_t *height, RtError *err) {
    return open_path(r, part->file, part, false, width, height, err);
}

bool image_open_memory(ImageReader *r, const uint8_t *data, size_t size, const char *name, int32_t *width,
                       int32_t *height, RtError *err) {
    Source source = {data, size, name, false};
    return open_source(r, &source, width, height, err);
}

static bool open_source(ImageReader *r, const Source *source, int32_t *width, int32_t *height, RtError *err) {
    const uint8_t *data = source->data;
    const char *name = source->name;
    size_t size = source->size;
    int kind = 0;
    r->codec = NONE;
    r->source = *source;
    while (kind < N_CODECS &&
           (size < codecs[kind]->magic_size || memcmp(data, codecs[kind]->magic, codecs[kind]->magic_size)))
        kind++;
    if (kind == N_CODECS)
        return !rt_fail(err, RT_DATA, "%s: the file is %s; JPEG or PNG is needed", name, describe(data, size));
    if (source->numbers && codecs[kind] != &image_png)
        return !rt_fail(err, RT_DATA, "%s: a mask must be a PNG file: other formats do not keep the numbers of pixels", name);
    if (!codecs[kind]->open(r->state[kind], &r->source, width, height, err)) return false;
    if ((int64_t)*width * *height > IMAGE_PIXEL_LIMIT)
        return !rt_fail(err, RT_LIMIT, "%s: %d x %d pixels, over the limit of %d", name, *width, *height,
                        IMAGE_PIXEL_LIMIT);
    if (*width == 1 && *height == 1)
        return !rt_fail(err, RT_DATA, "%s: a picture of 1 x 1 pixels shows nothing; it is a placeholder", name);
    r->codec = kind;
    r->width = *width;
    r->height = *height;
    return true;
}

int image_orientation(const ImageReader *r) {
    bool jpeg = r->codec != NONE && codecs[r->codec] == &image_jpeg;
    return jpeg ? exif_orientation(r->source.data, r->source.size) : 1;
}

int image_scale_for(const ImageReader *r, double width, double height, int32_t least_width, int32_t least_height) {
    int shift = r->codec == NONE ? 0 : codecs[r->codec]->max_shift;
    while (shift > 0 &&
           (width < (double)((int64_t)least_width << shift) || height < (double)((int64_t)least_height << shift)))
        shift--;
    return shift;
}

static int32_t scaled(int32_t size, int shift) { return (int32_t)(((int64_t)size + (1 << shift) - 1) >> shift); }

bool image_decode(ImageReader *r, int shift, Region region, Image *out, RtError *err) {
    int codec = r->codec;
    r->codec = NONE;
    if (codec == NONE || shift < 0 || shift > codecs[codec]->max_shift || region.x0 < 0 || region.y0 < 0 ||
        region.x0 >= region.x1 || region.y0 >= region.y1 || region.x1 > scaled(r->width, shift) ||
        region.y1 > scaled(r->height, shift))
        return !rt_fail(err, RT_INTERNAL, "image_decode: region [%d, %d) x [%d, %d) at 1/%d", region.x0, region.x1,
                        region.y0, region.y1, 1 << shift);
    bool wide = out->wide;
    if (!image_resize_buffer(out, region.x1 - region.x0, region.y1 - region.y0, err)) return false;
    out->wide = wide && codecs[codec]->is_wide && codecs[codec]->is_wide(r->state[codec]);
    return codecs[codec]->decode(r->state[codec], shift, region, out, err) && (!wide || image_widen(out, err));
}

bool image_read(ImageReader *r, const char *path, Image *out, RtError *err) {
    int32_t width, height;
    return image_open(r, path, &width, &height, err) && image_decode(r, 0, (Region){0, 0, width, height}, out, err);
}
