#include "classmap.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <png.h>

#include "outfile.h"

typedef struct Writer {
    png_structp png;
    png_infop info;
    jmp_buf out;
    OutFile file;
    png_byte *row;
    const char *path;
    int32_t width, height;
    int classes;
    const int32_t *map;
    RtError *err;
} Writer;

static void stop(png_structp png, png_const_charp text) {
    Writer *w = png_get_error_ptr(png);
    rt_fail(w->err, RT_OS, "%s: %s", w->path, text);
    longjmp(w->out, 1);
}

static void ignore(png_structp png, png_const_charp text) { (void)png, (void)text; }

static void put(png_structp png, png_bytep data, size_t n) {
    Writer *w = png_get_io_ptr(png);
    if (!outfile_write(&w->file, data, n, w->err)) longjmp(w->out, 1);
}

static void flush(png_structp png) { (void)png; }

/* The bits of the number, three at a time from the lowest, become bits of red, green and blue from the highest. */
static png_color colour_of(int number) {
    png_color c = {0, 0, 0};
    for (int bit = 7; number; bit--, number >>= 3) {
        c.red |= (png_byte)((number & 1) << bit);
        c.green |= (png_byte)((number >> 1 & 1) << bit);
        c.blue |= (png_byte)((number >> 2 & 1) << bit);
    }
    return c;
}

static bool write_body(Writer *w) {
    png_color palette[CLASSMAP_CLASSES];
    w->png = png_create_write_struct(PNG_LIBPNG_VER_STRING, w, stop, ignore);
    w->info = w->png ? png_create_info_struct(w->png) : NULL;
    if (!w->info) return !rt_fail(w->err, RT_OS, "out of memory");
    png_set_write_fn(w->png, w, put, flush);
    png_set_IHDR(w->png, w->info, (png_uint_32)w->width, (png_uint_32)w->height, 8, PNG_COLOR_TYPE_PALETTE,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    for (int i = 0; i < w->classes; i++) palette[i] = colour_of(i);
    png_set_PLTE(w->png, w->info, palette, w->classes);
    png_write_info(w->png, w->info);
    for (int32_t y = 0; y < w->height; y++) {
        for (int32_t x = 0; x < w->width; x++) w->row[x] = (png_byte)w->map[(int64_t)y * w->width + x];
        png_write_row(w->png, w->row);
    }
    png_write_end(w->png, NULL);
    return true;
}

/* Everything that changes lies in *w, so no local can be clobbered by the jump. */
static bool guarded(Writer *w) { return !setjmp(w->out) && write_body(w); }

bool classmap_write(const char *path, int32_t width, int32_t height, int classes, const int32_t *map, RtError *err) {
    Writer w = {.path = path, .width = width, .height = height, .classes = classes, .map = map, .err = err};
    if (classes > CLASSMAP_CLASSES)
        return !rt_fail(err, RT_LIMIT, "%s: a PNG file holds %d classes at most, the net has %d", path, CLASSMAP_CLASSES,
                        classes);
    w.row = rt_alloc((size_t)width, 1, err);
    bool good = w.row && outfile_open(&w.file, path, err) && guarded(&w);
    png_destroy_write_struct(&w.png, &w.info);
    if (good)
        good = outfile_commit(&w.file, err);
    else
        outfile_abort(&w.file);
    free(w.row);
    return good;
}

bool classmap_is_file(const char *out) {
    size_t n = strlen(out);
    return n > 4 && strcasecmp(out + n - 4, ".png") == 0;
}

char *classmap_path(const char *out, const char *picture, RtError *err) {
    if (classmap_is_file(out)) return rt_copy_text(out, err);
    const char *slash = strrchr(picture, '/'), *name = slash ? slash + 1 : picture, *dot = strrchr(name, '.');
    size_t stem = dot && dot > name ? (size_t)(dot - name) : strlen(name);
    char *file = rt_alloc(stem + sizeof ".png", 1, err), *path = NULL;
    if (file) {
        memcpy(file, name, stem);
        memcpy(file + stem, ".png", sizeof ".png");
        path = rt_join_path(out, file, err);
    }
    free(file);
    return path;
}
