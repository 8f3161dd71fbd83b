/* EXIF's orientation: the eight of them against the standard's words, with crops, flips, resizes and scaled decoding as
 * if the file were turned; and segments that make no sense. */
#include <CUnit/Basic.h>

#include "pictures.h"
#include "runtime/augment.h"
#include "runtime/exif.h"
#include "runtime/frame.h"

enum { APP1_SIZE = 36 };

static Frame *frame, *other;

/* An EXIF segment with one entry, in either byte order. */
static void make_exif(uint8_t *out, bool big, int orientation) {
    static const uint8_t little_bytes[] = {0xFF, 0xE1, 0,    34, 'E', 'x', 'i', 'f', 0, 0, 'I', 'I', 42, 0, 8, 0, 0, 0,
                                           1,    0,    0x12, 1,  3,   0,   1,   0,   0, 0, 0,   0,   0,  0, 0, 0, 0, 0};
    static const uint8_t big_bytes[] = {0xFF, 0xE1, 0, 34,   'E', 'x', 'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8,
                                        0,    1,    1, 0x12, 0,   3,   0,   0,   0, 1, 0,   0,   0, 0,  0, 0, 0, 0};
    memcpy(out, big ? big_bytes : little_bytes, APP1_SIZE);
    out[big ? 29 : 28] = (uint8_t)orientation;
}

/* The path of the same pixels, with this orientation. */
static const char *tagged(const char *plain, int orientation) {
    size_t size;
    uint8_t *data = pic_slurp(plain, &size), *longer = malloc(size + APP1_SIZE);
    const char *path = pic_path("tagged.jpg");
    if (!longer) abort();
    memcpy(longer, data, 2);
    make_exif(longer + 2, orientation % 2, orientation);
    memcpy(longer + 2 + APP1_SIZE, data + 2, size - 2);
    pic_write(path, longer, size + APP1_SIZE);
    free(data);
    free(longer);
    return path;
}

/* Where the file's pixel (x, y) of w x h is seen: its row 0 is at the side `row`, its column 0 at the side `column`, as
 * the standard says it: top, bottom, left, right. */
static void seen_at(int orientation, int x, int y, int w, int h, int *sx, int *sy) {
    static const char row[] = " ttbblrrl", column[] = " lrrlttbb";
    const int at[2] = {y, x}, last[2] = {h - 1, w - 1};
    const char side[2] = {row[orientation], column[orientation]};
    for (int i = 0; i < 2; i++) {
        if (side[i] == 't') *sy = at[i];
        if (side[i] == 'b') *sy = last[i] - at[i];
        if (side[i] == 'l') *sx = at[i];
        if (side[i] == 'r') *sx = last[i] - at[i];
    }
}

static Image *opened(Frame *f, const char *path, bool turned) {
    RtError err = {.code = RT_OK};
    Image *image = NULL;
    CU_ASSERT_FATAL(frame_open(f, path, false, &err));
    if (turned) frame_orient(f);
    CU_ASSERT_FATAL(frame_settle(f, &image, &err));
    return image;
}

static const uint8_t *at(const Image *i, int x, int y) {
    return i->pixel + ((size_t)y * (size_t)i->width + (size_t)x) * 4;
}

static void test_eight(void) {
    enum { W = 45, H = 29 };
    char *plain = strdup(pic_path("plain.jpg")); /* pic_path has a few buffers only */
    pic_jpeg(plain, (PicJpeg){.width = W, .height = H, .components = 3, .sampling = 2}, paint_smooth);
    for (int o = 1; o <= 8; o++) {
        const Image *file = opened(frame, plain, true), *image = opened(other, tagged(plain, o), true);
        int wrong = 0;
        CU_ASSERT_FATAL(image->width == (o < 5 ? W : H) && image->height == (o < 5 ? H : W));
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++) {
                int sx = 0, sy = 0;
                seen_at(o, x, y, W, H, &sx, &sy);
                wrong += memcmp(at(file, x, y), at(image, sx, sy), 3) != 0;
            }
        CU_ASSERT_EQUAL(wrong, 0);
        const Image *ignored = opened(other, tagged(plain, o), false);
        CU_ASSERT(ignored->width == W && !memcmp(ignored->pixel, file->pixel, (size_t)W * H * 4));
    }
    free(plain);
}

static bool same_image(const Image *a, const Image *b) {
    if (a->width != b->width || a->height != b->height) return false;
    for (int i = 0; i < a->width * a->height; i++)
        if (memcmp(a->pixel + (size_t)i * 4, b->pixel + (size_t)i * 4, 3)) return false;
    return true;
}

/* Noted steps on the turned file, and each step on pixels. */
static void test_steps(void) {
    char *plain = strdup(pic_path("plain.jpg")); /* pic_path has a few buffers only */
    pic_jpeg(plain, (PicJpeg){.width = 61, .height = 40, .components = 3, .sampling = 2}, paint_smooth);
    for (int o = 1; o <= 8; o++) {
        const char *path = tagged(plain, o);
        RtError err = {.code = RT_OK};
        Image *lazy = NULL, *step = NULL;
        CU_ASSERT_FATAL(frame_open(frame, path, false, &err));
        frame_orient(frame);
        CU_ASSERT_FATAL(frame_crop(frame, 3, 7, 31, 22, &err) &&
                        frame_resize(frame, 17, 19, FILTER_BILINEAR, true, &err));
        frame_flip(frame, true, false);
        CU_ASSERT_FATAL(frame_crop(frame, -2, 3, 12, 14, &err) && frame_settle(frame, &lazy, &err));
        opened(other, path, true);
        CU_ASSERT_FATAL(frame_crop(other, 3, 7, 31, 22, &err) && frame_settle(other, &step, &err));
        CU_ASSERT_FATAL(frame_resize(other, 17, 19, FILTER_BILINEAR, true, &err) && frame_settle(other, &step, &err));
        frame_flip(other, true, false);
        CU_ASSERT_FATAL(frame_settle(other, &step, &err) && frame_crop(other, -2, 3, 12, 14, &err) &&
                        frame_settle(other, &step, &err));
        CU_ASSERT(same_image(lazy, step));
    }
    free(plain);
}

/* Decoding at a fraction gives nearly the same; of sizes that a fraction does not divide, too. */
static void test_scaled(void) {
    static const int size[][2] = {{320, 240}, {317, 237}};
    for (int k = 0; k < 2; k++) {
        char *plain = strdup(pic_path("plain.jpg")); /* pic_path has a few buffers only */
        pic_jpeg(plain, (PicJpeg){.width = size[k][0], .height = size[k][1], .components = 3, .sampling = 2},
                 paint_smooth);
        for (int o = 1; o <= 8; o++) {
            const char *path = tagged(plain, o);
            RtError err = {.code = RT_OK};
            Image *image[2] = {NULL, NULL};
            int worst = 0;
            for (int i = 0; i < 2; i++) {
                Frame *f = i ? other : frame;
                CU_ASSERT_FATAL(frame_open(f, path, i, &err));
                frame_orient(f);
                CU_ASSERT_FATAL(frame_resize(f, 30, 30, FILTER_BILINEAR, true, &err) &&
                                frame_settle(f, &image[i], &err));
            }
            for (int i = 0; i < 30 * 30 * 4; i++) {
                int apart = abs(image[0]->pixel[i] - image[1]->pixel[i]);
                if (i % 4 < 3 && apart > worst) worst = apart;
            }
            CU_ASSERT(worst <= 3);
        }
        free(plain);
    }
}

/* The setting: a file on its side fits the net only where it is turned. */
static void test_setting(void) {
    static const char *const setting[] = {"", ", \"orientation\": \"ignore\"", ", \"orientation\": \"exif\""};
    char *plain = strdup(pic_path("plain.jpg"));
    pic_jpeg(plain, (PicJpeg){.width = 40, .height = 24, .components = 3, .sampling = 2}, paint_smooth);
    const char *path = tagged(plain, 8);
    for (int i = 0; i < 3; i++) {
        char text[128];
        RtError err = {.code = RT_OK};
        Image *image;
        snprintf(text, sizeof text, "{\"size\": [40, 24]%s}", setting[i]);
        json_t *input = json_loads(text, 0, NULL);
        Pipeline *p = pipeline_new(input, NULL, &err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(p);
        CU_ASSERT_EQUAL(pipeline_pixels(p, frame, path, &(Draw){0, 0, 0}, &image, &err), i == 2);
        pipeline_free(p);
        json_decref(input);
    }
    free(plain);
}

/* Anything else is orientation 1, and nothing outside of the file is read: each size and each byte of the segment. */
static void test_nonsense(void) {
    uint8_t file[2 + APP1_SIZE + 2] = {0xFF, 0xD8};
    for (int big = 0; big < 2; big++) {
        make_exif(file + 2, big, 6);
        CU_ASSERT_EQUAL(exif_orientation(file, sizeof file), 6);
        for (size_t n = 0; n <= 2 + APP1_SIZE; n++) {
            uint8_t *exact = malloc(n ? n : 1);
            if (!exact) abort();
            memcpy(exact, file, n);
            CU_ASSERT_EQUAL(exif_orientation(exact, n), n < 2 + APP1_SIZE ? 1 : 6);
            free(exact);
        }
        for (size_t i = 0; i < APP1_SIZE; i++)
            for (int v = 0; v < 256; v++) {
                uint8_t was = file[2 + i];
                file[2 + i] = (uint8_t)v;
                int o = exif_orientation(file, sizeof file);
                CU_ASSERT(o >= 1 && o <= 8);
                file[2 + i] = was;
            }
        for (int o = 0; o < 256; o += o < 10 ? 1 : 41) {
            make_exif(file + 2, big, o);
            CU_ASSERT_EQUAL(exif_orientation(file, sizeof file), o >= 1 && o <= 8 ? o : 1);
        }
    }
}

int main(void) {
    RtError err = {.code = RT_OK};
    frame = frame_new(&err);
    other = frame_new(&err);
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("orientation", NULL, NULL);
    CU_add_test(suite, "the eight", test_eight);
    CU_add_test(suite, "steps", test_steps);
    CU_add_test(suite, "scaled decoding", test_scaled);
    CU_add_test(suite, "the setting", test_setting);
    CU_add_test(suite, "segments that make no sense", test_nonsense);
    if (frame && other && pic_begin()) {
        CU_basic_set_mode(CU_BRM_VERBOSE);
        CU_basic_run_tests();
    }
    pic_end();
    frame_free(frame);
    frame_free(other);
    bool failed = CU_get_number_of_failures() > 0 || CU_get_number_of_tests_run() == 0;
    CU_cleanup_registry();
    return failed;
}
