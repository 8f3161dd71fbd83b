/* Pictures and folders for the tests of the runtime's data side, made on the spot in a temporary folder. Included by
 * one test each, so everything is static. */
#ifndef CNNC_TESTS_PICTURES_H
#define CNNC_TESTS_PICTURES_H

#include <errno.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jpeglib.h>
#include <png.h>
#include <zlib.h>

/* What random_resized_crop has where the .net file says nothing. */
#define PIC_USUAL_BOX "\"area\": [0.08, 1], \"ratio\": [0.75, 1.3333333333333333]"
/* A resize takes single pixels of the picture, so that a pixel says where it came from. */
#define PIC_NEAREST "\"filter\": \"nearest\", \"antialias\": false"

static char pic_root[256];

/* Makes the temporary folder; call once. */
static inline bool pic_begin(void) {
    const char *tmp = getenv("TMPDIR");
    snprintf(pic_root, sizeof pic_root, "%s/cnnc-pictures-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(pic_root) != NULL;
}

static inline int pic_remove(const char *path, const struct stat *st, int flag, struct FTW *at) {
    (void)st, (void)flag, (void)at;
    return remove(path);
}

static inline void pic_end(void) { nftw(pic_root, pic_remove, 16, FTW_DEPTH | FTW_PHYS); }

/* The path of `name` in the temporary folder, in one of a few buffers that take turns. Folders on the way are made. */
static inline const char *pic_path(const char *name) {
    static char buffer[8][512];
    static int turn;
    char *path = buffer[turn++ % 8];
    snprintf(path, sizeof buffer[0], "%s/%s", pic_root, name);
    for (char *p = path + strlen(pic_root) + 1; (p = strchr(p, '/')); p++) {
        *p = 0;
        mkdir(path, 0700);
        *p = '/';
    }
    return path;
}

static inline void pic_write(const char *path, const void *data, size_t size) {
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f)) abort();
}

/* The whole file in new memory. */
static inline uint8_t *pic_slurp(const char *path, size_t *size) {
    enum { MOST = 1 << 24 };
    uint8_t *data = malloc(MOST);
    FILE *f = fopen(path, "rb");
    if (!data || !f) abort();
    *size = fread(data, 1, MOST, f);
    fclose(f);
    return data;
}

/* What is painted: channel c of pixel (x, y) of a picture of w x h. */
typedef uint8_t Paint(int x, int y, int c, int w, int h);

/* Slow changes, so that JPEG keeps them nearly as they are. */
static inline uint8_t paint_smooth(int x, int y, int c, int w, int h) {
    int across = x * 255 / w, down = y * 255 / h;
    int value[4] = {across, down, (across + 255 - down) / 2, 255 - across / 2};
    return (uint8_t)value[c];
}

/* Red is the column, green the row: says where a pixel came from. */
static inline uint8_t paint_place(int x, int y, int c, int w, int h) {
    (void)w, (void)h;
    return (uint8_t)(c == 0 ? x : c == 1 ? y : x * y);
}

typedef struct PicJpeg {
    int width, height;
    int components; /* 1 grey, 3 RGB stored as YCbCr, 4 CMYK as Adobe stores it */
    int sampling;   /* of luma, both ways: 1 or 2; 0 is 1 */
    int quality;    /* 0 is 95 */
    bool ycck;
    const jpeg_scan_info *scans; /* progressive if given */
    int n_scans;
} PicJpeg;

static inline void pic_jpeg(const char *path, PicJpeg p, Paint *paint) {
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    uint8_t *row = malloc((size_t)p.width * 4);
    FILE *f = fopen(path, "wb");
    if (!f || !row) abort();
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    jpeg_stdio_dest(&c, f);
    c.image_width = (JDIMENSION)p.width;
    c.image_height = (JDIMENSION)p.height;
    c.input_components = p.components;
    c.in_color_space = p.components == 1 ? JCS_GRAYSCALE : p.components == 3 ? JCS_RGB : JCS_CMYK;
    jpeg_set_defaults(&c);
    if (p.ycck) jpeg_set_colorspace(&c, JCS_YCCK);
    jpeg_set_quality(&c, p.quality ? p.quality : 95, TRUE);
    c.comp_info[0].h_samp_factor = c.comp_info[0].v_samp_factor = p.sampling == 2 ? 2 : 1;
    if (p.scans) {
        c.scan_info = p.scans;
        c.num_scans = p.n_scans;
    }
    jpeg_start_compress(&c, TRUE);
    for (int y = 0; y < p.height; y++) {
        for (int i = 0; i < p.width * p.components; i++)
            row[i] = paint(i / p.components, y, i % p.components, p.width, p.height);
        jpeg_write_scanlines(&c, &row, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    fclose(f);
    free(row);
}

typedef struct PicPng {
    int width, height;
    int depth; /* bits: 1, 2, 4, 8, 16; 0 is 8 */
    int type;  /* PNG_COLOR_TYPE_...; 0 is grey */
    bool interlaced;
    int palette; /* entries; entry i is (i, 2i, 3i) modulo 256 */
} PicPng;

static inline int pic_png_channels(int type) {
    return ((type & PNG_COLOR_MASK_COLOR) && type != PNG_COLOR_TYPE_PALETTE ? 3 : 1) + !!(type & PNG_COLOR_MASK_ALPHA);
}

/* Samples of less than 8 bits are the low bits of what is painted; of 16 bits, v * 256 + (255 - v). */
static inline void pic_png_row(uint8_t *row, PicPng p, Paint *paint, int y) {
    int channels = pic_png_channels(p.type), depth = p.depth ? p.depth : 8;
    memset(row, 0, (size_t)p.width * 8 + 8);
    for (int i = 0; i < p.width * channels; i++) {
        uint8_t v = paint(i / channels, y, i % channels, p.width, p.height);
        if (depth == 16)
            row[2 * i] = v, row[2 * i + 1] = (uint8_t)(255 - v);
        else if (depth == 8)
            row[i] = v;
        else
            row[i * depth / 8] =
                (uint8_t)(row[i * depth / 8] | (v & ((1 << depth) - 1)) << (8 - depth - i * depth % 8));
    }
}

static inline void pic_png(const char *path, PicPng p, Paint *paint) {
    png_color palette[256];
    FILE *f = fopen(path, "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    uint8_t *row = malloc((size_t)p.width * 8 + 8);
    if (!f || !info || !row) abort();
    png_init_io(png, f);
    png_set_check_for_invalid_index(png, 0);
    png_set_IHDR(png, info, (png_uint_32)p.width, (png_uint_32)p.height, p.depth ? p.depth : 8, p.type,
                 p.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    for (int i = 0; i < p.palette; i++) palette[i] = (png_color){(png_byte)i, (png_byte)(2 * i), (png_byte)(3 * i)};
    if (p.palette) png_set_PLTE(png, info, palette, p.palette);
    png_write_info(png, info);
    int passes = png_set_interlace_handling(png);
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < p.height; y++) {
            pic_png_row(row, p, paint, y);
            png_write_row(png, row);
        }
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    fclose(f);
    free(row);
}

#endif
