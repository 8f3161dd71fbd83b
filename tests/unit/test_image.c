/* Reading pictures: what each kind of file becomes, regions, scaled decoding, and what is refused and how it is called.
 * Where no formula says what the pixels are, they were compared with Pillow by hand once: equal. */
#include <CUnit/Basic.h>
#include <math.h>

#include "pictures.h"
#include "runtime/image.h"

static ImageReader *reader;

/* Reads a file that must be good. */
static Image read_good(const char *path) {
    Image image = {0};
    RtError err = {.code = RT_OK};
    if (!image_read(reader, path, &image, &err)) printf("\n%s\n", err.text);
    CU_ASSERT_EQUAL_FATAL(err.code, RT_OK);
    return image;
}

/* The code of reading a file; the message must contain `says`. */
static int code_of(const char *path, const char *says) {
    Image image = {0};
    RtError err = {.code = RT_OK};
    bool good = image_read(reader, path, &image, &err);
    image_free(&image);
    CU_ASSERT_EQUAL(good, err.code == RT_OK);
    if (!good && (!strstr(err.text, says) || !strstr(err.text, path)))
        printf("\n\"%s\" should name the file and say \"%s\"\n", err.text, says);
    CU_ASSERT(good || (strstr(err.text, says) && strstr(err.text, path)));
    return err.code;
}

/* The largest difference between the picture and what was painted. */
static int distance(const Image *image, Paint *paint, int channels) {
    int worst = 0;
    for (int i = 0; i < image->width * image->height; i++)
        for (int c = 0; c < 3; c++) {
            int want = paint(i % image->width, i / image->width, channels == 1 ? 0 : c, image->width, image->height);
            int off = abs(image->pixel[i * 4 + c] - want);
            worst = off > worst ? off : worst;
        }
    return worst;
}

/* ---- what is read ---- */

static void test_jpeg_colours(void) {
    const char *path = pic_path("a.png"); /* the name must not matter */
    pic_jpeg(path, (PicJpeg){.width = 61, .height = 45, .components = 3}, paint_smooth);
    Image image = read_good(path);
    CU_ASSERT(image.width == 61 && image.height == 45 && distance(&image, paint_smooth, 3) <= 6);
    image_free(&image);
    pic_jpeg(path, (PicJpeg){.width = 61, .height = 45, .components = 1}, paint_smooth);
    image = read_good(path);
    CU_ASSERT(distance(&image, paint_smooth, 1) <= 3);
    image_free(&image);
}

static uint8_t paint_through_ink(int x, int y, int c, int w, int h) {
    return (uint8_t)((paint_smooth(x, y, c, w, h) * paint_smooth(x, y, 3, w, h) + 127) / 255);
}

static void test_cmyk(void) {
    for (int ycck = 0; ycck < 2; ycck++) {
        const char *path = pic_path("cmyk.jpg");
        pic_jpeg(path, (PicJpeg){.width = 64, .height = 48, .components = 4, .quality = 100, .ycck = ycck},
                 paint_smooth);
        Image image = read_good(path);
        CU_ASSERT(distance(&image, paint_through_ink, 3) <= (ycck ? 4 : 2));
        image_free(&image);
    }
}

static uint8_t paint_bits(int x, int y, int c, int w, int h) {
    (void)w, (void)h;
    return (uint8_t)(x * 7 + y * 13 + c * 29);
}

/* What a PNG sample of paint_bits is as 8 bits. */
static int png_level(int v, int depth) {
    if (depth == 16) return (int)lround((v * 256 + 255 - v) * 255.0 / 65535);
    return (v & ((1 << depth) - 1)) * 255 / ((1 << depth) - 1);
}

static void check_png(PicPng p) {
    const char *path = pic_path("a.jpg");
    int channels = pic_png_channels(p.type), worst = 0;
    pic_png(path, p, paint_bits);
    Image image = read_good(path);
    CU_ASSERT_FATAL(image.width == p.width && image.height == p.height);
    for (int i = 0; i < p.width * p.height * 3; i++) {
        int x = i / 3 % p.width, y = i / 3 / p.width, c = channels >= 3 ? i % 3 : 0;
        int v = paint_bits(x, y, c, p.width, p.height), got = image.pixel[i / 3 * 4 + i % 3];
        int want = p.palette ? (v & ((1 << p.depth) - 1)) * (i % 3 + 1) % 256 : png_level(v, p.depth);
        worst = abs(got - want) > worst ? abs(got - want) : worst;
    }
    CU_ASSERT_EQUAL(worst, 0);
    image_free(&image);
}

static void test_png_kinds(void) {
    static const struct {
        int type, depth, palette;
    } kinds[] = {
        {PNG_COLOR_TYPE_GRAY, 1, 0},      {PNG_COLOR_TYPE_GRAY, 2, 0},       {PNG_COLOR_TYPE_GRAY, 4, 0},
        {PNG_COLOR_TYPE_GRAY, 8, 0},      {PNG_COLOR_TYPE_GRAY, 16, 0},      {PNG_COLOR_TYPE_RGB, 8, 0},
        {PNG_COLOR_TYPE_RGB, 16, 0},      {PNG_COLOR_TYPE_GRAY_ALPHA, 8, 0}, {PNG_COLOR_TYPE_GRAY_ALPHA, 16, 0},
        {PNG_COLOR_TYPE_RGB_ALPHA, 8, 0}, {PNG_COLOR_TYPE_RGB_ALPHA, 16, 0}, {PNG_COLOR_TYPE_PALETTE, 1, 2},
        {PNG_COLOR_TYPE_PALETTE, 2, 4},   {PNG_COLOR_TYPE_PALETTE, 4, 16},   {PNG_COLOR_TYPE_PALETTE, 8, 256},
    };
    for (size_t i = 0; i < 2 * sizeof kinds / sizeof kinds[0]; i++) {
        PicPng p = {.width = 37,
                    .height = 19,
                    .depth = kinds[i / 2].depth,
                    .type = kinds[i / 2].type,
                    .palette = kinds[i / 2].palette,
                    .interlaced = i % 2};
        check_png(p);
    }
}

static void test_tiny(void) {
    static const int side[][2] = {{2, 1}, {500, 1}, {1, 500}, {1, 2}};
    for (int i = 0; i < 8; i++) {
        const char *path = pic_path("tiny");
        int w = side[i / 2][0], h = side[i / 2][1];
        if (i % 2)
            pic_jpeg(path, (PicJpeg){.width = w, .height = h, .components = 3, .sampling = 2}, paint_smooth);
        else
            pic_png(path, (PicPng){.width = w, .height = h}, paint_smooth);
        Image image = read_good(path);
        CU_ASSERT(image.width == w && image.height == h);
        image_free(&image);
    }
    pic_png(pic_path("dot"), (PicPng){.width = 1, .height = 1}, paint_smooth);
    CU_ASSERT_EQUAL(code_of(pic_path("dot"), "1 x 1 pixels"), RT_DATA);
    pic_jpeg(pic_path("dot"), (PicJpeg){.width = 1, .height = 1, .components = 3}, paint_smooth);
    CU_ASSERT_EQUAL(code_of(pic_path("dot"), "1 x 1 pixels"), RT_DATA);
}

/* ---- parts ---- */

static bool same_part(const Image *part, const Image *all, Region r) {
    bool same = part->width == r.x1 - r.x0 && part->height == r.y1 - r.y0;
    for (int y = r.y0; same && y < r.y1; y++)
        same = !memcmp(part->pixel + (size_t)(y - r.y0) * (size_t)part->width * 4,
                       all->pixel + ((size_t)y * (size_t)all->width + (size_t)r.x0) * 4, (size_t)part->width * 4);
    return same;
}

static Image decode(const char *path, int shift, const Region *region) {
    Image image = {0};
    RtError err = {.code = RT_OK};
    int32_t w, h;
    CU_ASSERT_FATAL(image_open(reader, path, &w, &h, &err));
    Region all = {0, 0, (w + (1 << shift) - 1) >> shift, (h + (1 << shift) - 1) >> shift};
    CU_ASSERT_FATAL(image_decode(reader, shift, region ? *region : all, &image, &err));
    return image;
}

static void check_regions(const char *path, int max_shift) {
    for (int shift = 0; shift <= max_shift; shift++) {
        Image all = decode(path, shift, NULL);
        for (int round = 0; round < 60; round++) {
            int x0 = rand() % all.width, y0 = rand() % all.height;
            Region r = {x0, y0, x0 + 1 + rand() % (all.width - x0), y0 + 1 + rand() % (all.height - y0)};
            Image part = decode(path, shift, &r);
            CU_ASSERT(same_part(&part, &all, r));
            image_free(&part);
        }
        image_free(&all);
    }
}

/* Noise, so that a smoothed neighbour that is missing shows. */
static uint8_t paint_noise(int x, int y, int c, int w, int h) {
    (void)h;
    uint32_t v = (uint32_t)((y * w + x) * 4 + c) * 2654435761u;
    return (uint8_t)(v >> 24);
}

static void test_regions_are_what_they_are_in_the_whole(void) {
    static const jpeg_scan_info scans[] = {
        {3, {0, 1, 2}, 0, 0, 0, 0}, {1, {0}, 1, 63, 0, 0}, {1, {1}, 1, 63, 0, 0}, {1, {2}, 1, 63, 0, 0}};
    srand(2);
    for (int i = 0; i < 6; i++) {
        const char *path = pic_path("region.jpg");
        pic_jpeg(path,
                 (PicJpeg){.width = 133,
                           .height = 97,
                           .components = i == 4   ? 1
                                         : i == 5 ? 4
                                                  : 3,
                           .sampling = 1 + i % 2,
                           .scans = i == 2 || i == 3 ? scans : NULL,
                           .n_scans = 4},
                 paint_noise);
        check_regions(path, 3);
    }
    for (int i = 0; i < 2; i++) {
        const char *path = pic_path("region.png");
        pic_png(path, (PicPng){.width = 133, .height = 97, .type = PNG_COLOR_TYPE_RGB, .interlaced = i}, paint_noise);
        check_regions(path, 0);
    }
}

static void test_scale(void) {
    const char *path = pic_path("scale.jpg");
    RtError err = {.code = RT_OK};
    int32_t w, h;
    pic_jpeg(path, (PicJpeg){.width = 640, .height = 480, .components = 3}, paint_smooth);
    CU_ASSERT_FATAL(image_open(reader, path, &w, &h, &err));
    CU_ASSERT_EQUAL(image_scale_for(reader, 640, 480, 224, 224), 1);
    CU_ASSERT_EQUAL(image_scale_for(reader, 640, 480, 320, 240), 1);
    CU_ASSERT_EQUAL(image_scale_for(reader, 640, 480, 321, 240), 0);
    CU_ASSERT_EQUAL(image_scale_for(reader, 640, 480, 32, 32), 3);
    CU_ASSERT_EQUAL(image_scale_for(reader, 100, 480, 60, 60), 0);
    Image half = decode(path, 1, NULL);
    CU_ASSERT(half.width == 320 && half.height == 240 && distance(&half, paint_smooth, 3) <= 6);
    image_free(&half);
}

/* ---- what is refused ---- */

static void test_other_files_are_named(void) {
    static const struct {
        const char *bytes;
        size_t size;
        const char *what;
    } files[] = {
        {"", 0, "empty"},
        {"GIF89a....", 10, "a GIF picture"},
        {"RIFF\4\0\0\0WEBPVP8 ", 16, "a WebP picture"},
        {"\0\0\0\030ftypheic", 12, "a HEIC picture"},
        {"\0\0\0\030ftypavif", 12, "an AVIF picture"},
        {"BM\066\0\0\0\0\0", 8, "a BMP"},
        {"II*\0\10\0\0\0", 8, "a TIFF"},
        {"\n\n<!DOCTYPE html>\n<p>404", 22, "an HTML page"},
        {"<HTML><body>", 12, "an HTML page"},
        {"not found\n", 10, "a text file"},
        {"\0\0\0\1Bud1\0\0", 10, "a .DS_Store file"},
        {"\0\5\026\7\0\2\0\0", 8, "an AppleDouble"},
        {"\1\2\3\4\5\6\7\10", 8, "not known"},
        {"\xFF\xD8", 2, "not known"},
        {"%PDF-1.4", 8, "a PDF"},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const char *path = pic_path("other.JPEG");
        pic_write(path, files[i].bytes, files[i].size);
        CU_ASSERT_EQUAL(code_of(path, files[i].what), RT_DATA);
    }
}

static void test_missing_and_special(void) {
    const char *fifo = pic_path("fifo.jpg");
    CU_ASSERT_EQUAL(code_of(pic_path("nothing.jpg"), "No such file"), RT_NO_INPUT);
    CU_ASSERT_EQUAL(code_of(pic_root, "not a regular file"), RT_NO_INPUT);
    CU_ASSERT_EQUAL_FATAL(mkfifo(fifo, 0600), 0);
    CU_ASSERT_EQUAL(code_of(fifo, "not a regular file"), RT_NO_INPUT);
    CU_ASSERT_EQUAL(code_of("/dev/zero", "not a regular file"), RT_NO_INPUT);
    const char *huge = pic_path("huge.jpg");
    pic_write(huge, "x", 1);
    CU_ASSERT_EQUAL_FATAL(truncate(huge, (off_t)IMAGE_FILE_LIMIT + 1), 0);
    CU_ASSERT_EQUAL(code_of(huge, "over the limit"), RT_LIMIT);
}

/* Every cut is found, also by a reader that wants the first rows only. */
static void check_cuts(const char *path) {
    size_t size;
    uint8_t *data = pic_slurp(path, &size);
    const char *cut = pic_path("cut.jpg");
    Image image = {0};
    for (size_t i = 0; i < 64; i++) {
        size_t keep = i < 60 ? size * i / 60 : size - 1 - (i - 60);
        RtError err = {.code = RT_OK};
        int32_t w, h;
        pic_write(cut, data, keep);
        CU_ASSERT_EQUAL(code_of(cut, ""), RT_DATA);
        bool good =
            image_open(reader, cut, &w, &h, &err) && image_decode(reader, 0, (Region){0, 0, 9, 9}, &image, &err);
        CU_ASSERT(!good && err.code == RT_DATA);
    }
    image_free(&image);
    free(data);
}

static void test_truncated(void) {
    const char *path = pic_path("whole");
    pic_jpeg(path, (PicJpeg){.width = 200, .height = 150, .components = 3, .sampling = 2}, paint_noise);
    check_cuts(path);
    pic_png(path, (PicPng){.width = 120, .height = 90, .type = PNG_COLOR_TYPE_RGB}, paint_noise);
    check_cuts(path);
}

static void test_garbage_behind(void) {
    const char *path = pic_path("tail.jpg");
    size_t size;
    pic_jpeg(path, (PicJpeg){.width = 40, .height = 30, .components = 3}, paint_smooth);
    uint8_t *data = pic_slurp(path, &size);
    memset(data + size, 'x', 100000);
    pic_write(path, data, size + 100000);
    Image image = read_good(path);
    CU_ASSERT(distance(&image, paint_smooth, 3) <= 6);
    image_free(&image);
    free(data);
}

/* Changes a byte of the file at `at`, counted from the end if negative. */
static void poke(const char *path, long at, uint8_t value) {
    size_t size;
    uint8_t *data = pic_slurp(path, &size);
    data[at < 0 ? (long)size + at : at] = value;
    pic_write(path, data, size);
    free(data);
}

static void test_bad_png(void) {
    const char *path = pic_path("bad.png");
    pic_png(path, (PicPng){.width = 30, .height = 20, .depth = 4, .type = PNG_COLOR_TYPE_PALETTE, .palette = 3},
            paint_noise);
    CU_ASSERT_EQUAL(code_of(path, "palette"), RT_DATA);
    enum { CRC_OF_IHDR = 29, CRC_OF_IDAT = -16 };
    for (int i = 0; i < 2; i++) {
        pic_png(path, (PicPng){.width = 30, .height = 20}, paint_noise);
        poke(path, i ? CRC_OF_IDAT : CRC_OF_IHDR, 0x5A);
        CU_ASSERT_EQUAL(code_of(path, "CRC"), RT_DATA);
    }
}

/* A picture that is too large is refused by its header. The PNG's header is right to the checksum. */
static void test_pixel_bomb(void) {
    static const uint8_t png[] = {0x89, 'P', 'N', 'G',  13,   10, 26, 10,   0,    0, 0, 13, 'I', 'H', 'D',
                                  'R',  0,   0,   0x75, 0x30, 0,  0,  0x75, 0x30, 8, 2, 0,  0,   0};
    const char *path = pic_path("bomb");
    uint8_t file[64] = {0};
    memcpy(file, png, sizeof png);
    uint32_t crc = (uint32_t)crc32(0, png + 12, 17);
    for (int i = 0; i < 4; i++) file[sizeof png + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
    memcpy(file + sizeof png + 4, "\0\0\0\0IDAT", 8);
    pic_write(path, file, sizeof png + 12);
    CU_ASSERT_EQUAL(code_of(path, "30000 x 30000 pixels"), RT_LIMIT);
    size_t size;
    pic_jpeg(path, (PicJpeg){.width = 16, .height = 16, .components = 3}, paint_smooth);
    uint8_t *data = pic_slurp(path, &size);
    for (size_t i = 0; i + 9 < size; i++)
        if (data[i] == 0xFF && data[i + 1] == 0xC0) memcpy(data + i + 5, "\xFF\x00\xFF\x00", 4);
    pic_write(path, data, size);
    CU_ASSERT_EQUAL(code_of(path, "65280 x 65280 pixels"), RT_LIMIT);
    free(data);
}

static void test_scan_bomb(void) {
    enum { N = 1 + 3 * 63 };
    static jpeg_scan_info scans[N];
    const char *path = pic_path("scans.jpg");
    scans[0] = (jpeg_scan_info){3, {0, 1, 2}, 0, 0, 0, 0};
    for (int i = 1; i < N; i++)
        scans[i] = (jpeg_scan_info){1, {(i - 1) / 63}, 1 + (i - 1) % 63, 1 + (i - 1) % 63, 0, 0};
    pic_jpeg(path, (PicJpeg){.width = 64, .height = 64, .components = 3, .scans = scans, .n_scans = N}, paint_noise);
    CU_ASSERT_EQUAL(code_of(path, "more than 100 scans"), RT_LIMIT);
}

/* Thousands of broken files: each one is a picture or an error, and the reader goes on. The sanitizers see the rest. */
static void test_mutations(void) {
    enum { KINDS = 4, EACH = 700 };
    Image image = {0};
    srand(3);
    for (int kind = 0; kind < KINDS; kind++) {
        const char *path = pic_path("mutant");
        size_t size;
        if (kind < 2)
            pic_jpeg(path, (PicJpeg){.width = 70, .height = 50, .components = kind ? 4 : 3, .sampling = 2},
                     paint_noise);
        else
            pic_png(path,
                    (PicPng){.width = 70,
                             .height = 50,
                             .type = kind == 2 ? 2 : 3,
                             .palette = kind == 2 ? 0 : 256,
                             .interlaced = kind == 3},
                    paint_noise);
        uint8_t *good = pic_slurp(path, &size), *bad = malloc(size);
        for (int i = 0; i < EACH; i++) {
            RtError err = {.code = RT_OK};
            int32_t w, h;
            memcpy(bad, good, size);
            for (int k = 0; k <= i % 4; k++)
                bad[(i % 2 ? (size_t)rand() % size : (size_t)rand() % (size < 700 ? size : 700))] = (uint8_t)rand();
            bool read = image_open_memory(reader, bad, size, "mutant", &w, &h, &err) && (int64_t)w * h < 1 << 20 &&
                        image_decode(reader, 0, (Region){0, 0, w, h}, &image, &err);
            CU_ASSERT(!read || err.code == RT_OK);
        }
        free(good);
        free(bad);
    }
    image_free(&image);
    test_tiny();
}

int main(void) {
    RtError err = {.code = RT_OK};
    reader = image_reader_new(&err);
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("image", NULL, NULL);
    CU_add_test(suite, "JPEG in colour and grey", test_jpeg_colours);
    CU_add_test(suite, "CMYK and YCCK", test_cmyk);
    CU_add_test(suite, "every kind of PNG", test_png_kinds);
    CU_add_test(suite, "tiny pictures", test_tiny);
    CU_add_test(suite, "regions are what they are in the whole", test_regions_are_what_they_are_in_the_whole);
    CU_add_test(suite, "decoding at a fraction", test_scale);
    CU_add_test(suite, "other files are named", test_other_files_are_named);
    CU_add_test(suite, "missing and special files", test_missing_and_special);
    CU_add_test(suite, "truncated files", test_truncated);
    CU_add_test(suite, "garbage behind a picture", test_garbage_behind);
    CU_add_test(suite, "PNG with mistakes", test_bad_png);
    CU_add_test(suite, "too many pixels", test_pixel_bomb);
    CU_add_test(suite, "too many scans", test_scan_bomb);
    CU_add_test(suite, "mutations", test_mutations);
    if (reader && pic_begin()) CU_basic_run_tests();
    pic_end();
    image_reader_free(reader);
    bool failed = CU_get_number_of_failures() > 0 || CU_get_number_of_tests_run() == 0;
    CU_cleanup_registry();
    return failed;
}
