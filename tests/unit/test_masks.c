/* Masks: the numbers in the files, their moves with their pictures, the data set, how classes overlap, maps as files. */
#include <CUnit/Basic.h>
#include <math.h>

#include "pictures.h"
#include "runtime/augment.h"
#include "runtime/classmap.h"
#include "runtime/dataset.h"
#include "runtime/metrics.h"

/* 1 .. 250: 0 is what lies outside of a picture, and no number lies beside an equal one. */
static uint8_t paint_numbers(int x, int y, int c, int w, int h) {
    (void)c, (void)w, (void)h;
    return (uint8_t)(1 + (x * 7 + y * 31) % 250);
}

static uint8_t paint_low(int x, int y, int c, int w, int h) {
    (void)c, (void)w, (void)h;
    return (uint8_t)((x * 7 + y * 31) % 256);
}

/* ---- the numbers in a file ---- */

static bool numbers_are(const char *path, int bits) {
    RtError err = {.code = RT_OK};
    ImageReader *r = image_reader_new(&err);
    Image image = {0};
    int32_t w, h;
    bool good = r && image_open_numbers(r, path, &w, &h, &err) && image_decode(r, 0, (Region){1, 2, w, h}, &image, &err);
    for (int32_t y = 0; good && y < image.height; y++)
        for (int32_t x = 0; x < image.width; x++) {
            const uint8_t *p = image.pixel + 4 * (y * image.width + x);
            good = good && p[0] == (paint_low(x + 1, y + 2, 0, w, h) & ((1 << bits) - 1)) && !p[1] && !p[2] && !p[3];
        }
    image_free(&image);
    image_reader_free(r);
    return good;
}

static void test_numbers(void) {
    for (int bits = 1; bits <= 8; bits *= 2)
        for (int k = 0; k < 4; k++) {
            bool palette = k & 1;
            PicPng p = {37, 21, bits, palette ? PNG_COLOR_TYPE_PALETTE : PNG_COLOR_TYPE_GRAY, k & 2, palette ? 1 << bits : 0};
            const char *path = pic_path("numbers.png");
            pic_png(path, p, paint_low);
            CU_ASSERT(numbers_are(path, bits));
        }
}

static void refused(const char *path, const char *why) {
    RtError err = {.code = RT_OK};
    int32_t w, h;
    ImageReader *r = image_reader_new(&err);
    CU_ASSERT_FALSE(image_open_numbers(r, path, &w, &h, &err));
    CU_ASSERT_EQUAL(err.code, RT_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, path));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, why));
    image_reader_free(r);
}

static void test_no_numbers(void) {
    const char *path = pic_path("no.png");
    pic_png(path, (PicPng){9, 9, 16, PNG_COLOR_TYPE_GRAY, false, 0}, paint_low);
    refused(path, "one channel");
    pic_png(path, (PicPng){9, 9, 8, PNG_COLOR_TYPE_RGB, false, 0}, paint_low);
    refused(path, "one channel");
    pic_png(path, (PicPng){9, 9, 8, PNG_COLOR_TYPE_GRAY_ALPHA, false, 0}, paint_low);
    refused(path, "one channel");
    pic_jpeg(path, (PicJpeg){.width = 9, .height = 9, .components = 1}, paint_low);
    refused(path, "PNG");
}

/* ---- moves ---- */

enum { SIDE = 32, W = 70, H = 53, DRAWS = 40 };

typedef struct Pair {
    Pipeline *pipeline;
    Frame *frame, *mask_frame;
    float tensor[SIDE * SIDE];
    int32_t labels[SIDE * SIDE];
} Pair;

static Pair pair_new(const char *augment) {
    static const char input[] = "{\"colour\": \"grey\", \"size\": [32, 32],"
                                " \"resize\": {\"call\": \"exact\", \"size\": [32, 32], " PIC_NEAREST "}}";
    RtError err = {.code = RT_OK};
    json_t *in = json_loads(input, 0, NULL), *steps = augment ? json_loads(augment, 0, NULL) : NULL;
    Pair p = {.pipeline = pipeline_new(in, steps, &err), .frame = frame_new(&err), .mask_frame = frame_new(&err)};
    if (err.code) printf("\n%s\n", err.text);
    CU_ASSERT_FATAL(p.pipeline && p.frame && p.mask_frame);
    json_decref(in);
    json_decref(steps);
    return p;
}

static void pair_free(Pair *p) {
    pipeline_free(p->pipeline);
    frame_free(p->frame);
    frame_free(p->mask_frame);
}

/* A picture that is its own mask: every label is the pixel that it belongs to, or none where the picture has nothing. */
static void check_moves(const char *augment, bool outside) {
    const char *path = pic_path("moves.png");
    pic_png(path, (PicPng){.width = W, .height = H}, paint_numbers);
    const LabelForm form = {SIDE, SIDE, 251, 255};
    Pair p = pair_new(augment);
    bool good = true, any_outside = false;
    for (uint32_t k = 0; k < DRAWS; k++) {
        RtError err = {.code = RT_OK};
        Draw draw = {7, k / 5, k};
        CU_ASSERT_FATAL(pipeline_pair(p.pipeline, p.frame, p.mask_frame, path, path, &draw, &form, p.tensor, p.labels, &err));
        for (int i = 0; i < SIDE * SIDE; i++) {
            int value = (int)(p.tensor[i] * 255 + 0.5f);
            good = good && p.labels[i] == (value ? value : -1);
            any_outside = any_outside || p.labels[i] < 0;
        }
    }
    CU_ASSERT(good);
    CU_ASSERT_EQUAL(any_outside, outside);
    pair_free(&p);
}

static void test_moves(void) {
    check_moves(NULL, false);
    check_moves("[{\"call\": \"random_crop\", \"size\": [32, 32], \"pad\": 9}]", true);
    check_moves("[{\"call\": \"random_resized_crop\", \"size\": [32, 32], " PIC_USUAL_BOX ", " PIC_NEAREST "},"
                " {\"call\": \"hflip\", \"p\": 0.5}, {\"call\": \"vflip\", \"p\": 0.5}]",
                false);
    check_moves("[{\"call\": \"random_scale\", \"shorter\": [33, 90], " PIC_NEAREST
                "}, {\"call\": \"hflip\", \"p\": 0.5},"
                " {\"call\": \"random_crop\", \"size\": [40, 48], \"pad\": 3, " PIC_NEAREST "}, {\"call\": \"grey\", \"p\": 0.5},"
                " {\"call\": \"resize\", \"size\": [32, 32], " PIC_NEAREST "}, {\"call\": \"vflip\", \"p\": 0.5}]",
                true);
    check_moves(
        "[{\"call\": \"random_crop\", \"size\": [32, 32], \"pad\": 0}, {\"call\": \"rotate\", \"degrees\": [90, 90],"
        " \"fill\": \"black\"}, {\"call\": \"hflip\", \"p\": 0.5}]",
        false);
}

static uint8_t paint_stripes(int x, int y, int c, int w, int h) {
    (void)c, (void)w, (void)h;
    return x / 3 % 2 || y / 2 % 2 ? 200 : 3;
}

/* However the picture is resized: between two classes there is no third. */
static void test_nearest(void) {
    const char *path = pic_path("stripes.png");
    pic_png(path, (PicPng){.width = W, .height = H}, paint_stripes);
    const LabelForm form = {SIDE, SIDE, 251, 255};
    Pair p = pair_new("[{\"call\": \"random_resized_crop\", \"size\": [32, 32], \"filter\": \"bicubic\","
                      " \"antialias\": true, " PIC_USUAL_BOX "}]");
    bool good = true, between = false;
    for (uint32_t k = 0; k < DRAWS; k++) {
        RtError err = {.code = RT_OK};
        Draw draw = {7, 0, k};
        CU_ASSERT_FATAL(pipeline_pair(p.pipeline, p.frame, p.mask_frame, path, path, &draw, &form, p.tensor, p.labels, &err));
        for (int i = 0; i < SIDE * SIDE; i++) {
            good = good && (p.labels[i] == 3 || p.labels[i] == 200);
            between = between || (p.tensor[i] > 0.3f && p.tensor[i] < 0.5f);
        }
    }
    CU_ASSERT(good && between);
    pair_free(&p);
}

/* A picture of the net's size that is its own mask, after one step. */
static Pair one_step(const char *step, Paint *paint) {
    const char *path = pic_path("step.png");
    const LabelForm form = {SIDE, SIDE, 251, 255};
    const Draw draw = {7, 0, 1};
    RtError err = {.code = RT_OK};
    pic_png(path, (PicPng){.width = SIDE, .height = SIDE}, paint);
    Pair p = pair_new(step);
    CU_ASSERT_FATAL(pipeline_pair(p.pipeline, p.frame, p.mask_frame, path, path, &draw, &form, p.tensor, p.labels, &err));
    return p;
}

/* A mask that is turned has its classes and no others; the corners, which show nothing of it, have none, and the
 * picture is black there. */
static void test_rotated(void) {
    Pair p = one_step("[{\"call\": \"rotate\", \"degrees\": [45, 45], \"fill\": \"black\"}]", paint_stripes);
    bool good = true;
    int none = 0, between = 0;
    for (int i = 0; i < SIDE * SIDE; i++) {
        int x = 2 * (i % SIDE) + 1 - SIDE, y = 2 * (i / SIDE) + 1 - SIDE, corner = abs(x) + abs(y);
        double least = SIDE * 1.41421356 - 4, most = SIDE * 1.41421356 + 4;
        good = good && (p.labels[i] == 3 || p.labels[i] == 200 || p.labels[i] == -1);
        good = good && (corner < most || (p.labels[i] == -1 && p.tensor[i] == 0)) && (corner > least || p.labels[i] > 0);
        none += p.labels[i] == -1;
        between += p.tensor[i] > 0.3f && p.tensor[i] < 0.5f;
    }
    CU_ASSERT(good && none > SIDE * SIDE / 8 && between > 0);
    pair_free(&p);
}

/* Either the picture moved, and its mask with it, or its colours changed, and the mask stayed; both are drawn. */
static void check_changes(const char *augment) {
    const char *path = pic_path("changes.png");
    const LabelForm form = {SIDE, SIDE, 251, 255};
    Pair p = pair_new(NULL), q = pair_new(augment);
    RtError none = {.code = RT_OK};
    int moved = 0, coloured = 0, wrong = 0;
    pic_png(path, (PicPng){.width = W, .height = H}, paint_numbers);
    CU_ASSERT_FATAL(pipeline_pair(p.pipeline, p.frame, p.mask_frame, path, path, &(Draw){7, 0, 0}, &form, p.tensor, p.labels, &none));
    for (uint32_t k = 0; k < 10 * DRAWS; k++) {
        RtError err = {.code = RT_OK};
        Draw draw = {7, k / 5, k};
        CU_ASSERT_FATAL(pipeline_pair(q.pipeline, q.frame, q.mask_frame, path, path, &draw, &form, q.tensor, q.labels, &err));
        bool same = true, with_mask = true;
        for (int i = 0; i < SIDE * SIDE; i++) {
            int value = (int)(q.tensor[i] * 255 + 0.5f);
            same = same && q.labels[i] == p.labels[i];
            with_mask = with_mask && q.labels[i] == (value ? value : -1);
        }
        wrong += !same && !with_mask;
        moved += !same;
        coloured += !with_mask;
    }
    CU_ASSERT(wrong == 0 && moved > DRAWS && coloured > DRAWS);
    pair_free(&p);
    pair_free(&q);
}

static void test_changes(void) {
    check_changes("[{\"call\": \"trivial_augment\", \"fill\": \"black\"}]");
    check_changes("[{\"call\": \"rand_augment\", \"n\": 1, \"m\": 20, \"fill\": \"black\"}]");
}

/* What is erased from the picture keeps its classes. */
static void test_erased(void) {
    Pair p = one_step("[{\"call\": \"random_erase\", \"p\": 1, \"area\": [0.3, 0.4], \"ratio\": [0.3, 3.3]}]",
                      paint_numbers);
    bool good = true;
    int erased = 0;
    for (int i = 0; i < SIDE * SIDE; i++) {
        good = good && p.labels[i] == paint_numbers(i % SIDE, i / SIDE, 0, SIDE, SIDE);
        erased += p.tensor[i] == 0;
    }
    CU_ASSERT(good && erased > SIDE * SIDE / 4);
    pair_free(&p);
}

/* The middle of the mask, and a number that is none. */
static void test_middle(void) {
    const char *path = pic_path("middle.png");
    RtError err = {.code = RT_OK};
    pic_png(path, (PicPng){.width = SIDE, .height = SIDE}, paint_numbers);
    const int none = paint_numbers(15, 15, 0, SIDE, SIDE);
    const LabelForm form = {10, 7, 251, none};
    Draw draw = {0};
    Pair p = pair_new(NULL);
    CU_ASSERT_FATAL(pipeline_pair(p.pipeline, p.frame, p.mask_frame, path, path, &draw, &form, p.tensor, p.labels, &err));
    bool good = true, some = false;
    for (int i = 0; i < 70; i++) {
        int value = paint_numbers(11 + i % 10, 12 + i / 10, 0, SIDE, SIDE);
        good = good && p.labels[i] == (value == none ? -1 : value);
        some = some || value == none;
    }
    CU_ASSERT(good && some);
    pair_free(&p);
}

static void test_bad_pairs(void) {
    const char *path = pic_path("picture.png"), *small = pic_path("small.png");
    RtError err = {.code = RT_OK}, number = {.code = RT_OK}, missing = {.code = RT_OK};
    pic_png(path, (PicPng){.width = W, .height = H}, paint_numbers);
    pic_png(small, (PicPng){.width = H, .height = W}, paint_numbers);
    const LabelForm form = {SIDE, SIDE, 251, 255}, few = {SIDE, SIDE, 5, 255};
    Draw draw = {0};
    Pair p = pair_new(NULL);
    CU_ASSERT_FALSE(pipeline_pair(p.pipeline, p.frame, p.mask_frame, path, small, &draw, &form, p.tensor, p.labels, &err));
    CU_ASSERT(err.code == RT_DATA && strstr(err.text, small) == err.text && strstr(err.text, path));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "the mask has 53 x 70 pixels"));
    CU_ASSERT_FALSE(pipeline_pair(p.pipeline, p.frame, p.mask_frame, path, path, &draw, &few, p.tensor, p.labels, &number));
    CU_ASSERT(number.code == RT_DATA && strstr(number.text, "classes 0 to 4, and 255 is none"));
    CU_ASSERT_FALSE(pipeline_pair(p.pipeline, p.frame, p.mask_frame, path, "/no/such", &draw, &few, p.tensor, p.labels, &missing));
    CU_ASSERT_EQUAL(missing.code, RT_NO_INPUT);
    pair_free(&p);
}

/* ---- the data set ---- */

static void test_dataset(void) {
    RtError err = {.code = RT_OK};
    int32_t ignore = 0;
    static const char *const pictures[] = {"in/b.jpeg", "in/a/x.png", "in/a/x.y.jpg"}, *const masks[] = {"out/b.png", "out/a/x.png", "out/a/x.y.png"};
    for (int i = 0; i < 3; i++) {
        pic_write(pic_path(pictures[i]), "x", 1);
        pic_write(pic_path(masks[i]), "x", 1);
    }
    json_t *source = json_pack("{s:s, s:s, s:s, s:i}", "call", "masks", "path", "in", "masks", "out", "ignore", 17);
    Dataset *d = dataset_new(source, pic_root, true, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    CU_ASSERT_EQUAL(dataset_count(d), 3);
    CU_ASSERT_EQUAL(dataset_classes(d), 0);
    CU_ASSERT(dataset_has_masks(d, &ignore) && ignore == 17);
    static const int order[] = {1, 2, 0}; /* a/x.png, a/x.y.jpg, b.jpeg */
    for (int i = 0; i < 3; i++) {
        char *path = dataset_path(d, (size_t)i, &err), *mask = dataset_mask_path(d, (size_t)i, &err);
        CU_ASSERT_STRING_EQUAL(path, pic_path(pictures[order[i]]));
        CU_ASSERT_STRING_EQUAL(mask, pic_path(masks[order[i]]));
        free(path);
        free(mask);
    }
    dataset_free(d);
    remove(pic_path("out/a/x.y.png"));
    CU_ASSERT_PTR_NULL(dataset_new(source, pic_root, true, &err));
    CU_ASSERT(err.code == RT_NO_INPUT && strstr(err.text, "in/a/x.y.jpg has no mask") && strstr(err.text, "out/a/x.y.png"));
    json_decref(source);
}

/* ---- figures and files ---- */

static void test_overlap(void) {
    /* Four classes over six pixels: two are no class, one is right by class 0, one by 1, one is 1 and called 2, one is
     * 1 and called 0; class 3 is nowhere. */
    static const int32_t map[] = {0, 1, 2, 0, 3, 1}, labels[] = {0, 1, 1, 1, -1, -1};
    RtError err = {.code = RT_OK};
    Metrics m = {0};
    Overlap o;
    CU_ASSERT_FATAL(overlap_new(&o, 4, &err));
    metrics_add_map(&m, &o, map, labels, 6, 0.5);
    CU_ASSERT(m.pictures == 1 && m.pixels == 4 && m.top1 == 2);
    CU_ASSERT_DOUBLE_EQUAL(metrics_percent(&m, m.top1), 50, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(overlap_iou(&o, 0), 1 / 2., 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(overlap_iou(&o, 1), 1 / 3., 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(overlap_iou(&o, 2), 0, 1e-12);
    CU_ASSERT_EQUAL(overlap_iou(&o, 3), -1);
    CU_ASSERT_DOUBLE_EQUAL(overlap_mean(&o), (1 / 2. + 1 / 3.) / 3, 1e-12);
    overlap_clear(&o);
    CU_ASSERT_EQUAL(overlap_mean(&o), 0);
    overlap_free(&o);
}

static void test_map_of_scores(void) {
    static const float scores[] = {1, 0, 2, /**/ 1, 3, 1, /**/ 0, 3, 5}; /* [3 classes][3 pixels] */
    static const int32_t labels[] = {0, 2, -1};
    int32_t map[3];
    metrics_map(scores, 3, 3, map);
    CU_ASSERT(map[0] == 0 && map[1] == 1 && map[2] == 2); /* the first of equals */
    float first[] = {1, 1, 0}, second[] = {0, 3, 3};
    double want = (metrics_cross_entropy(first, 3, 0, false) + metrics_cross_entropy(second, 3, 2, false)) / 2;
    CU_ASSERT_DOUBLE_EQUAL(metrics_map_loss(scores, 3, 3, labels, false), want, 1e-12);
    static const int32_t none[] = {-1, -1, -1};
    CU_ASSERT_EQUAL(metrics_map_loss(scores, 3, 3, none, false), 0);
    static const float probabilities[] = {0.25f, 0, NAN, /**/ 0.75f, 1, NAN}; /* [2 classes][3 pixels] */
    CU_ASSERT_DOUBLE_EQUAL(metrics_map_loss(probabilities, 2, 3, (const int32_t[]){0, 1, -1}, true), log(4) / 2, 1e-7);
    CU_ASSERT(isnan(metrics_map_loss(probabilities, 2, 3, (const int32_t[]){0, 1, 1}, true)));
}

static void test_classmap(void) {
    RtError err = {.code = RT_OK};
    int32_t map[37 * 21];
    const char *path = pic_path("map.png");
    for (int i = 0; i < 37 * 21; i++) map[i] = paint_low(i % 37, i / 37, 0, 37, 21);
    CU_ASSERT(classmap_write(path, 37, 21, 256, map, &err));
    CU_ASSERT(numbers_are(path, 8));
    CU_ASSERT_FALSE(classmap_write(path, 37, 21, 257, map, &err));
    CU_ASSERT_EQUAL(err.code, RT_LIMIT);
    RtError folder = {.code = RT_OK};
    CU_ASSERT_FALSE(classmap_write("/no/such/folder.png", 37, 21, 256, map, &folder));
    CU_ASSERT_EQUAL(folder.code, RT_NO_OUTPUT);
    static const char *const names[][3] = {
        {"out", "a/b.c.jpg", "out/b.c.png"}, {"out", "x", "out/x.png"}, {"out", ".y", "out/.y.png"}, {"m.PNG", "a.jpg", "m.PNG"}};
    for (int i = 0; i < 4; i++) {
        char *name = classmap_path(names[i][0], names[i][1], &err);
        CU_ASSERT_STRING_EQUAL(name, names[i][2]);
        free(name);
    }
}

int main(void) {
    if (!pic_begin()) return 1;
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("masks", NULL, NULL);
    CU_add_test(suite, "numbers of every depth", test_numbers);
    CU_add_test(suite, "files without numbers", test_no_numbers);
    CU_add_test(suite, "labels move with their pixels", test_moves);
    CU_add_test(suite, "no class where nothing is turned to", test_rotated);
    CU_add_test(suite, "moves or colours", test_changes);
    CU_add_test(suite, "erased pixels keep their classes", test_erased);
    CU_add_test(suite, "no class between two classes", test_nearest);
    CU_add_test(suite, "a smaller map is the middle", test_middle);
    CU_add_test(suite, "pairs that do not fit", test_bad_pairs);
    CU_add_test(suite, "data sets", test_dataset);
    CU_add_test(suite, "overlap of classes", test_overlap);
    CU_add_test(suite, "the class of a pixel", test_map_of_scores);
    CU_add_test(suite, "maps as files", test_classmap);
    CU_basic_run_tests();
    int failed = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    pic_end();
    return failed > 0;
}
