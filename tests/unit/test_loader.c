/* Folders of pictures and batches of them: order, classes, bad files, and that the number of threads changes nothing.
 */
#include <CUnit/Basic.h>
#include <math.h>

#include "pictures.h"
#include "runtime/loader.h"

enum { CLASSES = 3, PER_CLASS = 13, ALL = CLASSES * PER_CLASS, SIDE = 24, FLOATS = 3 * SIDE * SIDE };

static Pipeline *train, *eval;

static Pipeline *make_pipeline(const char *augment) {
    RtError err = {.code = RT_OK};
    json_t *input = json_loads(
        "{\"size\": [24, 24], \"resize\": {\"call\": \"shorter\", \"size\": 28}, \"crop\": {\"call\": \"centre\","
        " \"size\": [24, 24]}}",
        0, NULL);
    json_t *steps = augment ? json_loads(augment, 0, NULL) : NULL;
    Pipeline *p = pipeline_new(input, steps, &err);
    json_decref(input);
    json_decref(steps);
    if (!p) abort();
    return p;
}

/* Pictures of many sizes, JPEG and PNG, in classes b, c, d under `name`. */
static char *make_set(const char *name) {
    char file[64];
    for (int i = 0; i < ALL; i++) {
        snprintf(file, sizeof file, "%s/%c/%02d.jpg", name, 'b' + i / PER_CLASS, i % PER_CLASS);
        if (i % 3)
            pic_jpeg(pic_path(file), (PicJpeg){.width = 20 + 7 * i, .height = 300 - 6 * i, .components = 3},
                     paint_smooth);
        else
            pic_png(pic_path(file), (PicPng){.width = 1 + 5 * i, .height = 90 - i, .type = PNG_COLOR_TYPE_RGB},
                    paint_place);
    }
    return strdup(pic_path(name));
}

static Dataset *open_set(const char *path) {
    RtError err = {.code = RT_OK};
    Dataset *d = dataset_folder(path, &err);
    if (!d) printf("\n%s\n", err.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    return d;
}

/* ---- data sets ---- */

static void check_no_set(const char *path, int code, const char *says) {
    RtError err = {.code = RT_OK};
    Dataset *d = dataset_folder(path, &err);
    CU_ASSERT_PTR_NULL(d);
    CU_ASSERT(err.code == code && strstr(err.text, path) && strstr(err.text, says));
    dataset_free(d);
}

static void test_bad_folders(void) {
    check_no_set(pic_path("missing"), RT_NO_INPUT, "No such file or directory");
    pic_write(pic_path("plain"), "x", 1);
    check_no_set(pic_path("plain"), RT_NO_INPUT, "Not a directory");
    pic_path("nothing/.hidden/x");
    pic_write(pic_path("nothing/words.txt"), "x", 1);
    check_no_set(pic_path("nothing"), RT_DATA, "no pictures");
    pic_write(pic_path("hollow/full/1.png"), "x", 1);
    pic_path("hollow/empty/x");
    pic_write(pic_path("hollow/empty/.DS_Store"), "x", 1);
    check_no_set(pic_path("hollow"), RT_DATA, "hollow/empty: no pictures in this class");
}

static void test_order_is_by_bytes(void) {
    static const char *const files[] = {
        "order/a/2.png", "order/a/10.png",          "order/a/B.png",       "order/a/a/z.png",  "order/B/\xC3\xA9.png",
        "order/B/z.png", "order/\xC3\xA9/x\ny.png", "order/a/.hidden.png", "order/.git/x.png", "order/words.txt"};
    static const char *const expected[] = {"order/B/z.png",          "order/B/\xC3\xA9.png", "order/a/10.png",
                                           "order/a/2.png",          "order/a/B.png",        "order/a/a/z.png",
                                           "order/\xC3\xA9/x\ny.png"};
    static const int32_t labels[] = {0, 0, 1, 1, 1, 1, 2};
    static const char *const classes[] = {"B", "a", "\xC3\xA9"}, *const others[] = {"B", "b", "\xC3\xA9"};
    enum { N = sizeof expected / sizeof expected[0] };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) pic_write(pic_path(files[i]), "x", 1);
    Dataset *d = open_set(pic_path("order"));
    CU_ASSERT_EQUAL_FATAL(dataset_count(d), N);
    for (size_t i = 0; i < N; i++) {
        char *path = dataset_path(d, i, NULL);
        CU_ASSERT(path && !strcmp(path, pic_path(expected[i])) && dataset_label(d, i) == labels[i]);
        free(path);
    }
    RtError err = {.code = RT_OK};
    CU_ASSERT_EQUAL(dataset_classes(d), 3);
    CU_ASSERT(dataset_match_classes(d, classes, 3, &err));
    CU_ASSERT(!dataset_match_classes(d, others, 3, &err) && err.code == RT_DATA &&
              strstr(err.text, "the net has no class `a`; of its 3 the first is `B`"));
    CU_ASSERT(!dataset_match_classes(d, classes, 2, NULL));
    dataset_free(d);
}

/* A net may know more classes than the data have, and in another order: names decide, and paths stay. */
static void test_matched_classes(void) {
    static const char *const names[] = {"\xC3\xA9", "none", "a", "B", "nobody"}, *const twice[] = {"B", "B", "a", "\xC3\xA9"};
    static const int32_t present[] = {1, 0, 1, 1, 0};
    RtError err = {.code = RT_OK};
    Dataset *d = open_set(pic_path("order"));
    size_t n = dataset_count(d);
    int32_t before[16];
    char *path[16];
    CU_ASSERT_FATAL(n <= 16);
    CU_ASSERT(!dataset_match_classes(d, twice, 4, &err) && strstr(err.text, "2 classes of the net are called `B`"));
    for (size_t i = 0; i < n; i++) {
        before[i] = dataset_label(d, i);
        path[i] = dataset_path(d, i, NULL);
    }
    CU_ASSERT_FATAL(dataset_match_classes(d, names, 5, NULL) && dataset_classes(d) == 5);
    for (int32_t k = 0; k < 5; k++) {
        CU_ASSERT_STRING_EQUAL(dataset_class_name(d, k), names[k]);
        CU_ASSERT_EQUAL(dataset_has_class(d, k), present[k]);
    }
    for (size_t i = 0; i < n; i++) {
        char *now = dataset_path(d, i, NULL);
        CU_ASSERT(now && path[i] && !strcmp(now, path[i]));
        CU_ASSERT_EQUAL(dataset_label(d, i), ((const int32_t[]){3, 2, 0})[before[i]]);
        free(now);
        free(path[i]);
    }
    dataset_free(d);
}

/* Lists: paths from the list on and whole ones, blanks in them, any line ends; classes by name or by number. */
static Dataset *list_of(const char *text, RtError *err) {
    const char *path = pic_path("lists/list.txt");
    pic_write(path, text, strlen(text));
    return dataset_list(path, err);
}

static void check_list(const char *text, int n, const char *const *path, const int *label, int classes, const char *last) {
    RtError err = {.code = RT_OK};
    Dataset *d = list_of(text, &err);
    if (!d) printf("\n%s\n", err.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    CU_ASSERT_EQUAL_FATAL(dataset_count(d), (size_t)n);
    CU_ASSERT_EQUAL(dataset_classes(d), classes);
    CU_ASSERT_STRING_EQUAL(dataset_class_name(d, classes - 1), last);
    for (int i = 0; i < n; i++) {
        char *got = dataset_path(d, (size_t)i, NULL);
        CU_ASSERT(got && !strcmp(got, path[i][0] == '/' ? path[i] : pic_path(path[i])));
        CU_ASSERT_EQUAL(dataset_label(d, (size_t)i), label[i]);
        free(got);
    }
    dataset_free(d);
}

static void test_lists(void) {
    check_list("b/1.jpg dog\n\n/tmp/two words.png \t cat\r\nx.jpg dog \ny.jpg ant", 4,
               (const char *const[]){"lists/b/1.jpg", "/tmp/two words.png", "lists/x.jpg", "lists/y.jpg"},
               (const int[]){2, 1, 2, 0}, 3, "dog");
    check_list("a.jpg 10\nb.jpg 2\nc.jpg 0\n", 3, (const char *const[]){"lists/a.jpg", "lists/b.jpg", "lists/c.jpg"},
               (const int[]){10, 2, 0}, 11, "10");
    check_list("a.jpg 1st\nb.jpg 2\n", 2, (const char *const[]){"lists/a.jpg", "lists/b.jpg"}, (const int[]){0, 1}, 2, "2");
}

static void check_no_text(const char *path) {
    RtError err = {.code = RT_OK};
    CU_ASSERT_PTR_NULL(dataset_list(path, &err));
    CU_ASSERT(err.code == RT_NO_INPUT && strstr(err.text, "not a regular file"));
}

static void test_bad_lists(void) {
    static const char *const bad[] = {"", "\n \n", "a.jpg\n", "a.jpg cat\nb.jpg\n", " cat\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        RtError err = {.code = RT_OK};
        CU_ASSERT_PTR_NULL(list_of(bad[i], &err));
        CU_ASSERT(err.code == RT_DATA && strstr(err.text, i == 3 ? "list.txt:2: a line is" : "list.txt"));
    }
    RtError err = {.code = RT_OK}, other = {.code = RT_OK};
    Dataset *d = list_of("a.jpg cat\n", &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    CU_ASSERT(!dataset_match_classes(d, (const char *const[]){"dog"}, 1, &other) && strstr(other.text, "lists/list.txt: the net has no class `cat`"));
    dataset_free(d);
    CU_ASSERT_PTR_NULL(dataset_list(pic_path("lists/none.txt"), &err));
    CU_ASSERT(err.code == RT_NO_INPUT && strstr(err.text, "none.txt"));
    check_no_text("/dev/zero");
    CU_ASSERT_EQUAL_FATAL(mkfifo(pic_path("lists/pipe"), 0600), 0);
    check_no_text(pic_path("lists/pipe"));
}

/* The share of each class, rounded up, spread over it. */
static void test_subset(void) {
    static const struct {
        double share;
        int of_a, of_b;
    } row[] = {{1, 100, 3}, {0.07, 7, 1}, {0.1, 10, 1}, {0.5, 50, 2}, {1e-6, 1, 1}, {0.999, 100, 3}};
    for (size_t k = 0; k < sizeof row / sizeof row[0]; k++) {
        char text[103 * 16], *p = text;
        RtError err = {.code = RT_OK};
        int of[2] = {0, 0}, last = -1;
        for (int i = 0; i < 103; i++) p += snprintf(p, 16, "%d.jpg %c\n", i, i < 100 ? 'a' : 'b');
        Dataset *d = list_of(text, &err);
        CU_ASSERT_FATAL(d && dataset_subset(d, row[k].share, &err));
        for (size_t i = 0; i < dataset_count(d); i++) {
            char *path = dataset_path(d, i, NULL);
            int number = path ? (int)strtol(strrchr(path, '/') + 1, NULL, 10) : 0, label = dataset_label(d, i);
            double step = 1 / row[k].share;
            if (of[label]++ && label == 0) CU_ASSERT(number - last >= floor(step) && number - last <= ceil(step));
            last = number;
            free(path);
        }
        CU_ASSERT(of[0] == row[k].of_a && of[1] == row[k].of_b);
        dataset_free(d);
    }
}

static void test_links(void) {
    pic_write(pic_path("links/a/1.png"), "x", 1);
    CU_ASSERT_EQUAL_FATAL(symlink("..", pic_path("links/a/loop")), 0); /* to what holds the class */
    CU_ASSERT_EQUAL_FATAL(symlink(".", pic_path("links/a/self")), 0);
    CU_ASSERT_EQUAL_FATAL(symlink("1.png", pic_path("links/a/2.png")), 0);
    CU_ASSERT_EQUAL_FATAL(symlink("gone.png", pic_path("links/a/3.png")), 0);
    CU_ASSERT_EQUAL_FATAL(symlink("a", pic_path("links/b")), 0);
    CU_ASSERT_EQUAL_FATAL(mkfifo(pic_path("links/a/fifo"), 0600), 0);
    RtError err = {.code = RT_OK};
    Dataset *d = dataset_folder(pic_path("links"), &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    CU_ASSERT_EQUAL(dataset_classes(d), 2);
    for (size_t i = 0; i < dataset_count(d); i++) {
        char *path = dataset_path(d, i, NULL);
        CU_ASSERT(path && !strstr(path, "self") && !strstr(path, "fifo"));
        free(path);
    }
    CU_ASSERT(dataset_count(d) < 40);
    dataset_free(d);
}

static void test_sources(void) {
    RtError err = {.code = RT_OK};
    json_t *folder = json_pack("{s:s, s:s}", "call", "folder", "path", "order"),
           *tar = json_pack("{s:s, s:s}", "call", "tar", "path", "x");
    Dataset *d = dataset_new(folder, pic_root, true, &err);
    CU_ASSERT(d && dataset_count(d) == 7);
    CU_ASSERT(!dataset_new(tar, pic_root, true, &err) && err.code == RT_DATA && strstr(err.text, "`tar`"));
    dataset_free(d);
    json_decref(folder);
    json_decref(tar);
}

static Dataset *open_source(const char *text, RtError *err) {
    json_t *source = json_loads(text, 0, NULL);
    Dataset *d = dataset_new(source, pic_root, true, err);
    json_decref(source);
    return d;
}

/* How far apart the mean pictures of two sets' classes are: sums of the squares of the differences. */
enum { SYNTHETIC = 40, SYNTHETIC_CLASSES = 4, SHOWN = 16 };

static void mean_pictures(const Dataset *d, double mean[SYNTHETIC_CLASSES][SHOWN * SHOWN * 3]) {
    static uint8_t byte[SHOWN * SHOWN * IMAGE_PIXEL_BYTES];
    Image image = {.width = SHOWN, .height = SHOWN, .pixel = byte};
    memset(mean, 0, SYNTHETIC_CLASSES * sizeof mean[0]);
    for (size_t i = 0; i < dataset_count(d); i++) {
        double *sum = mean[dataset_label(d, i)];
        dataset_paint(d, i, &image);
        for (int k = 0; k < SHOWN * SHOWN * 3; k++) sum[k] += byte[k / 3 * IMAGE_PIXEL_BYTES + k % 3];
    }
}

static double distance(const double *a, const double *b) {
    double sum = 0;
    for (int k = 0; k < SHOWN * SHOWN * 3; k++) sum += (a[k] - b[k]) * (a[k] - b[k]);
    return sum;
}

/* Pictures of one class look alike, whatever the seed, and unlike those of others. */
static void test_synthetic(void) {
    static double a[SYNTHETIC_CLASSES][SHOWN * SHOWN * 3], b[SYNTHETIC_CLASSES][SHOWN * SHOWN * 3];
    RtError err = {.code = RT_OK};
    int32_t width = 7, height = 9;
    Dataset *one = open_source("{\"call\": \"synthetic\", \"count\": 40, \"classes\": 4, \"seed\": 1}", &err);
    Dataset *two = open_source("{\"call\": \"synthetic\", \"count\": 40, \"classes\": 4, \"seed\": 2}", &err);
    CU_ASSERT_FATAL(one && two && dataset_is_stored(one) && dataset_count(one) == SYNTHETIC);
    CU_ASSERT(dataset_classes(one) == SYNTHETIC_CLASSES && !strcmp(dataset_class_name(one, 3), "3"));
    for (size_t i = 0; i < SYNTHETIC; i++) CU_ASSERT_EQUAL(dataset_label(one, i), (int32_t)i % SYNTHETIC_CLASSES);
    dataset_stored_size(one, &width, &height);
    CU_ASSERT(width == 7 && height == 9);
    mean_pictures(one, a);
    mean_pictures(two, b);
    for (int i = 0; i < SYNTHETIC_CLASSES; i++)
        for (int k = 0; k < SYNTHETIC_CLASSES; k++)
            CU_ASSERT(i == k ? memcmp(a[i], b[k], sizeof a[i]) != 0 : distance(a[i], b[i]) < distance(a[i], b[k]) / 2);
    CU_ASSERT(dataset_subset(one, 0.25, &err) && dataset_count(one) == 12);
    dataset_free(one);
    dataset_free(two);
    CU_ASSERT(!open_source("{\"call\": \"synthetic\", \"count\": 0, \"classes\": 4}", &err) && strstr(err.text, "count"));
}

/* The bytes of a picture are the same for ever, on every machine. */
static void test_synthetic_bytes(void) {
    RtError err = {.code = RT_OK};
    uint8_t byte[8 * 5 * IMAGE_PIXEL_BYTES];
    uint32_t sum = 0;
    Image image = {.width = 8, .height = 5, .pixel = byte};
    Dataset *d = open_source("{\"call\": \"synthetic\", \"count\": 40, \"classes\": 4, \"seed\": 7}", &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    dataset_paint(d, 13, &image);
    for (size_t i = 0; i < sizeof byte; i++) sum = sum * 31 + byte[i];
    CU_ASSERT_EQUAL(sum, 1161910716);
    dataset_free(d);
}

static void test_shuffle(void) {
    enum { N = 1000 };
    uint32_t a[N], b[N];
    bool seen[N] = {false};
    int fixed = 0;
    dataset_shuffle(N, 1, 0, a);
    dataset_shuffle(N, 1, 0, b);
    CU_ASSERT(!memcmp(a, b, sizeof a));
    for (size_t i = 0; i < N; i++) {
        CU_ASSERT_FATAL(a[i] < N && !seen[a[i]]);
        seen[a[i]] = true;
        fixed += a[i] == i;
    }
    CU_ASSERT(fixed < 10);
    dataset_shuffle(N, 1, 1, b);
    CU_ASSERT(memcmp(a, b, sizeof a));
    dataset_shuffle(N, 2, 0, b);
    CU_ASSERT(memcmp(a, b, sizeof a));
}

/* ---- batches ---- */

/* A whole epoch in one piece. */
typedef struct Epoch {
    int n, batches, sizes[ALL];
    uint32_t samples[ALL];
    int32_t labels[ALL];
    float images[ALL * FLOATS];
    RtError err;
} Epoch;

static LoaderConfig config_of(const Dataset *d) {
    return (LoaderConfig){
        .data = d, .pipeline = train, .batch = 5, .threads = 2, .prefetch = 2, .shuffle = true, .seed = 3, .epoch = 1};
}

static void run_epoch(const LoaderConfig *config, Epoch *e) {
    const Batch *b;
    *e = (Epoch){0};
    Loader *l = loader_new(config, &e->err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(l);
    while ((b = loader_next(l, &e->err))) {
        CU_ASSERT_FATAL(b->n >= 1 && b->n <= config->batch && e->n + b->n <= ALL);
        CU_ASSERT(b->number >= config->first_batch && b->number < loader_batches(l));
        memcpy(e->samples + e->n, b->samples, (size_t)b->n * sizeof *b->samples);
        memcpy(e->labels + e->n, b->labels, (size_t)b->n * sizeof *b->labels);
        memcpy(e->images + e->n * FLOATS, b->images, (size_t)b->n * FLOATS * sizeof *b->images);
        e->n += b->n;
        e->sizes[e->batches++] = b->n;
    }
    CU_ASSERT_PTR_NULL(loader_next(l, NULL));
    CU_ASSERT(loader_waited(l) >= 0 && loader_waited(l) <= loader_elapsed(l));
    loader_free(l);
}

enum { SIZES = 3, BATCHES = 8 };

static void open_sizes(LoaderSize sizes[SIZES]) {
    static const int32_t side[SIZES][2] = {{24, 24}, {8, 16}, {24, 12}};
    RtError err = {.code = RT_OK};
    json_t *input = json_loads("{\"size\": [9, 9]}", 0, NULL);
    json_t *steps = json_loads(
        "[{\"call\": \"random_resized_crop\", \"sizes\": [[24, 24], [8, 16], [24, 12]], " PIC_USUAL_BOX "}]", 0, NULL);
    CU_ASSERT_EQUAL(json_array_size(pipeline_sizes(steps)), SIZES);
    for (int k = 0; k < SIZES; k++) {
        Pipeline *p = pipeline_new_sized(input, steps, side[k][0], side[k][1], &err);
        CU_ASSERT_FATAL(p && pipeline_height(p) == side[k][0] && pipeline_width(p) == side[k][1]);
        sizes[k] = (LoaderSize){.pipeline = p};
    }
    json_decref(input);
    json_decref(steps);
}

/* The size of each batch that comes, and its pictures. */
static void run_sizes(const LoaderConfig *config, int size[BATCHES], float images[BATCHES][5 * FLOATS]) {
    RtError err = {.code = RT_OK};
    Loader *l = loader_new(config, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(l);
    for (const Batch *b; (b = loader_next(l, &err));) {
        CU_ASSERT_FATAL(b->size >= 0 && b->size < SIZES && b->number < BATCHES);
        size[b->number] = b->size;
        size_t floats = pipeline_floats(config->n_sizes ? config->sizes[b->size].pipeline : config->pipeline);
        memcpy(images[b->number], b->images, (size_t)b->n * floats * sizeof(float));
    }
    CU_ASSERT_EQUAL(err.code, RT_OK);
    loader_free(l);
}

/* Which size a batch has depends on seed, epoch and its number alone, and each size is as likely as the others; its
 * pictures are those of its size's pipeline, one behind the other. */
static void test_sizes(void) {
    enum { EPOCHS = 40 };
    static float alone[SIZES][BATCHES][5 * FLOATS], images[BATCHES][5 * FLOATS];
    int size[BATCHES], again[BATCHES], seen[SIZES] = {0};
    LoaderSize sizes[SIZES];
    char *path = make_set("set");
    Dataset *d = open_set(path);
    LoaderConfig c = config_of(d);
    open_sizes(sizes);
    for (int k = 0; k < SIZES; k++) {
        c.pipeline = sizes[k].pipeline;
        run_sizes(&c, size, alone[k]);
    }
    c.sizes = sizes;
    c.n_sizes = SIZES;
    run_sizes(&c, size, images);
    for (int i = 0; i < BATCHES; i++) CU_ASSERT(!memcmp(images[i], alone[size[i]][i], sizeof images[i]));
    c.threads = 3;
    c.first_batch = 5;
    run_sizes(&c, again, images);
    CU_ASSERT(!memcmp(size + 5, again + 5, 3 * sizeof *size));
    c.first_batch = 0;
    for (c.epoch = 0; c.epoch < EPOCHS; c.epoch++) {
        run_sizes(&c, size, images);
        for (int i = 0; i < BATCHES; i++) seen[size[i]]++;
    }
    for (int k = 0; k < SIZES; k++) /* four standard deviations */
        CU_ASSERT(abs(seen[k] - EPOCHS * BATCHES / SIZES) < 34);
    for (int k = 0; k < SIZES; k++) pipeline_free((Pipeline *)(uintptr_t)sizes[k].pipeline);
    dataset_free(d);
    free(path);
}

static void test_threads_change_nothing(void) {
    static Epoch one, many;
    static const int32_t threads[] = {2, 3, 300};
    char *path = make_set("set");
    Dataset *d = open_set(path);
    LoaderConfig c = config_of(d);
    c.threads = 1;
    run_epoch(&c, &one);
    CU_ASSERT(one.n == ALL && one.batches == 8 && one.sizes[7] == 4 && one.err.code == RT_OK);
    for (int i = 0; i < one.n; i++) CU_ASSERT_EQUAL(one.labels[i], (int32_t)one.samples[i] / PER_CLASS);
    for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++)
        for (c.prefetch = 1; c.prefetch <= 20; c.prefetch += 19) {
            c.threads = threads[i];
            run_epoch(&c, &many);
            CU_ASSERT(!memcmp(&one, &many, sizeof one));
        }
    c.epoch = 2;
    run_epoch(&c, &many);
    CU_ASSERT(memcmp(one.samples, many.samples, sizeof one.samples));
    dataset_free(d);
    free(path);
}

/* ---- sampling = class_balanced ---- */

enum { RARE = 4, SOME = 7, OFTEN = 28, MIDDLE = 18, UNEQUAL = RARE + SOME + OFTEN };

/* A list of the pictures of "set", of classes 0, 2 and 5: the numbers in between have none. The rare ones are about as
 * wide as high: others would often be cropped in one way only. */
static Dataset *unequal(RtError *err) {
    char text[UNEQUAL * 32];
    size_t n = 0;
    for (int i = 0; i < UNEQUAL; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "set/%c/%02d.jpg %d\n", 'b' + (i + MIDDLE) % ALL / PER_CLASS,
                              (i + MIDDLE) % ALL % PER_CLASS, i < RARE ? 0 : i < RARE + SOME ? 2 : 5);
    pic_write(pic_path("unequal.txt"), text, n);
    return dataset_list(pic_path("unequal.txt"), err);
}

static void test_balance(void) {
    RtError err = {.code = RT_OK};
    uint32_t order[UNEQUAL], again[UNEQUAL];
    Dataset *d = unequal(&err);
    CU_ASSERT_FATAL(d && dataset_count(d) == UNEQUAL && dataset_classes(d) == 6);
    for (uint32_t epoch = 0; epoch < 20; epoch++) {
        int drawn[UNEQUAL] = {0}, of_class[6] = {0};
        CU_ASSERT_FATAL(dataset_balance(d, 3, epoch, order, &err) && dataset_balance(d, 3, epoch, again, &err));
        CU_ASSERT(!memcmp(order, again, sizeof order));
        for (int i = 0; i < UNEQUAL; i++) drawn[order[i]]++, of_class[dataset_label(d, order[i])]++;
        for (int c = 0; c < 6; c++) CU_ASSERT_EQUAL(of_class[c], c == 0 || c == 2 || c == 5 ? UNEQUAL / 3 : 0);
        for (int i = 0; i < UNEQUAL; i++)
            CU_ASSERT(i < RARE ? drawn[i] == 3 || drawn[i] == 4 : i < RARE + SOME ? drawn[i] == 1 || drawn[i] == 2 : drawn[i] <= 1);
        CU_ASSERT(dataset_balance(d, 3, epoch + 1, again, &err) && memcmp(order, again, sizeof order));
        CU_ASSERT(dataset_balance(d, 4, epoch, again, &err) && memcmp(order, again, sizeof order));
    }
    dataset_free(d);
}

/* A picture that comes again is cropped otherwise, and threads change nothing of it. */
static void test_balanced_epoch(void) {
    static Epoch one, many;
    RtError err = {.code = RT_OK};
    int same = 0, repeats = 0;
    Dataset *d = unequal(&err);
    CU_ASSERT_FATAL(d && dataset_subset(d, 0.5, &err));
    LoaderConfig c = config_of(d);
    c.balanced = true;
    c.threads = 1;
    run_epoch(&c, &one);
    c.threads = 3;
    run_epoch(&c, &many);
    CU_ASSERT(one.err.code == RT_OK && one.n == (int)dataset_count(d) && !memcmp(&one, &many, sizeof one));
    for (int i = 0; i < one.n; i++)
        for (int k = 0; k < i; k++) {
            if (one.samples[i] != one.samples[k]) continue;
            repeats++;
            same += !memcmp(one.images + i * FLOATS, one.images + k * FLOATS, FLOATS * sizeof *one.images);
        }
    CU_ASSERT(repeats > 0 && same == 0);
    dataset_free(d);
}

static void test_synthetic_threads(void) {
    static Epoch one, many;
    RtError err = {.code = RT_OK};
    Dataset *d = open_source("{\"call\": \"synthetic\", \"count\": 39, \"classes\": 3}", &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    LoaderConfig c = config_of(d);
    c.threads = 1;
    run_epoch(&c, &one);
    CU_ASSERT(one.n == ALL && one.err.code == RT_OK);
    for (int i = 0; i < one.n; i++) CU_ASSERT_EQUAL(one.labels[i], (int32_t)one.samples[i] % 3);
    c.threads = 3;
    run_epoch(&c, &many);
    CU_ASSERT(!memcmp(&one, &many, sizeof one));
    dataset_free(d);
}

/* Each batch holds what its pictures are by themselves. */
static void test_batches_hold_the_pictures(void) {
    static Epoch e;
    static float alone[FLOATS];
    RtError err = {.code = RT_OK};
    Dataset *d = open_set(pic_path("set"));
    LoaderConfig c = config_of(d);
    Frame *frame = frame_new(&err);
    run_epoch(&c, &e);
    for (int i = 0; i < e.n; i++) {
        char *path = dataset_path(d, e.samples[i], &err);
        CU_ASSERT_FATAL(pipeline_tensor(train, frame, path, &(Draw){3, 1, e.samples[i]}, alone, &err));
        CU_ASSERT(!memcmp(alone, e.images + i * FLOATS, sizeof alone));
        free(path);
    }
    frame_free(frame);
    dataset_free(d);
}

static void test_parts_of_an_epoch(void) {
    static Epoch all, part;
    Dataset *d = open_set(pic_path("set"));
    LoaderConfig c = config_of(d);
    run_epoch(&c, &all);
    c.first_batch = 3;
    run_epoch(&c, &part);
    CU_ASSERT(part.n == ALL - 15 &&
              !memcmp(part.images, all.images + 15 * FLOATS, (size_t)part.n * FLOATS * sizeof(float)));
    c.first_batch = 99;
    run_epoch(&c, &part);
    CU_ASSERT_EQUAL(part.n, 0);
    c.first_batch = 0;
    c.drop_last = true;
    run_epoch(&c, &part);
    CU_ASSERT(part.n == ALL - 4 && !memcmp(part.samples, all.samples, (size_t)part.n * sizeof all.samples[0]));
    c.shuffle = false;
    c.pipeline = eval;
    run_epoch(&c, &part);
    for (int i = 0; i < part.n; i++) CU_ASSERT_EQUAL(part.samples[i], (uint32_t)i);
    RtError err = {.code = RT_OK};
    c.batch = ALL + 1;
    CU_ASSERT(!loader_new(&c, &err) && err.code == RT_DATA && strstr(err.text, "fewer than one batch"));
    dataset_free(d);
}

static void test_stop_at_any_time(void) {
    Dataset *d = open_set(pic_path("set"));
    LoaderConfig c = config_of(d);
    for (int after = 0; after < 9; after++) {
        RtError err = {.code = RT_OK};
        c.threads = 1 + after % 3;
        Loader *l = loader_new(&c, &err);
        for (int i = 0; i < after; i++) loader_next(l, &err);
        loader_free(l);
        CU_ASSERT_EQUAL(err.code, RT_OK);
    }
    loader_free(NULL);
    dataset_free(d);
}

/* ---- bad pictures ---- */

typedef struct Log {
    int n;
    uint32_t sample[ALL];
    char why[512];
} Log;

static void note(void *context, size_t sample, const char *why) {
    Log *log = context;
    log->sample[log->n++] = (uint32_t)sample;
    snprintf(log->why, sizeof log->why, "%s", why);
}

/* A set where samples 4 and 20 .. 25 cannot be read: text, cut, gone, empty. */
static Dataset *open_bad_set(void) {
    char *path = make_set("bad");
    Dataset *d = open_set(path);
    static const size_t bad[] = {4, 20, 21, 22, 23, 24, 25};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *file = dataset_path(d, bad[i], NULL);
        if (i % 3 == 0)
            pic_write(file, "this is no picture\n", 19);
        else if (i % 3 == 1)
            CU_ASSERT_EQUAL(truncate(file, 300), 0);
        if (i % 3 == 2) remove(file);
        free(file);
    }
    free(path);
    return d;
}

static void test_fail_names_the_first(void) {
    static Epoch e;
    Dataset *d = open_bad_set();
    LoaderConfig c = config_of(d);
    c.shuffle = false;
    for (c.threads = 1; c.threads <= 3; c.threads++) {
        run_epoch(&c, &e);
        CU_ASSERT(e.n == 0 && e.err.code == RT_DATA);
        CU_ASSERT_PTR_NOT_NULL(strstr(e.err.text, "bad/b/04.jpg: the file is a text file"));
    }
    dataset_free(d);
}

static void test_skip(void) {
    static Epoch one, many;
    static Log log;
    Dataset *d = open_bad_set();
    LoaderConfig c = config_of(d);
    c.shuffle = false;
    c.skip = true;
    c.at_most = 0.2;
    c.on_skip = note;
    c.context = &log;
    c.threads = 1;
    run_epoch(&c, &one);
    CU_ASSERT(one.n == ALL - 7 && one.err.code == RT_OK && log.n == 7 && one.sizes[0] == 4);
    CU_ASSERT(one.batches == 7); /* batch 4 had five bad ones: passed over */
    CU_ASSERT(log.sample[0] == 4 && log.sample[6] == 25 && strstr(log.why, "bad/c/12.jpg"));
    c.threads = 3;
    run_epoch(&c, &many);
    CU_ASSERT(!memcmp(&one, &many, sizeof one));
    dataset_free(d);
    c.data = d = open_set(pic_path("set")); /* the same pictures, all good */
    run_epoch(&c, &many);
    for (int i = 0; i < one.n; i++) {
        uint32_t sample = one.samples[i];
        CU_ASSERT_FATAL(sample < ALL && (i == 0 || sample > one.samples[i - 1]));
        CU_ASSERT_EQUAL(one.labels[i], many.labels[sample]);
        CU_ASSERT(!memcmp(one.images + i * FLOATS, many.images + sample * FLOATS, FLOATS * sizeof(float)));
    }
    dataset_free(d);
}

static void test_skip_at_most(void) {
    static Epoch e;
    Dataset *d = open_bad_set();
    LoaderConfig c = config_of(d);
    c.skip = true;
    c.at_most = 0.1;
    run_epoch(&c, &e);
    CU_ASSERT(e.err.code == RT_DATA && strstr(e.err.text, "4 bad pictures of 39, more than the 10% allowed"));
    dataset_free(d);
}

static void test_on_error_setting(void) {
    static const struct {
        const char *text;
        bool good, skip;
    } settings[] = {{"{\"call\": \"fail\"}", true, false},
                    {"{\"call\": \"skip\", \"at_most\": 0.001}", true, true},
                    {"{\"call\": \"skip\", \"at_most\": 2}", false, true},
                    {"{\"call\": \"retry\"}", false, false}};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        LoaderConfig c = {0};
        RtError err = {.code = RT_OK};
        json_t *json = json_loads(settings[i].text, 0, NULL);
        CU_ASSERT_EQUAL(loader_set_on_error(&c, json, &err), settings[i].good);
        CU_ASSERT(c.skip == settings[i].skip && (err.code == RT_OK) == settings[i].good);
        json_decref(json);
    }
}

static void run_all(void) {
    train = make_pipeline("[{\"call\": \"random_resized_crop\", \"size\": [24, 24], " PIC_USUAL_BOX
                          "}, {\"call\": \"hflip\", \"p\": 0.5}]");
    eval = make_pipeline(NULL);
    CU_basic_run_tests();
    pipeline_free(train);
    pipeline_free(eval);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("loader", NULL, NULL);
    CU_add_test(suite, "folders that are no data set", test_bad_folders);
    CU_add_test(suite, "the order is by bytes", test_order_is_by_bytes);
    CU_add_test(suite, "classes by their names", test_matched_classes);
    CU_add_test(suite, "links and loops", test_links);
    CU_add_test(suite, "sources", test_sources);
    CU_add_test(suite, "lists", test_lists);
    CU_add_test(suite, "lists with mistakes", test_bad_lists);
    CU_add_test(suite, "subsets", test_subset);
    CU_add_test(suite, "pictures made on the fly", test_synthetic);
    CU_add_test(suite, "their bytes", test_synthetic_bytes);
    CU_add_test(suite, "threads change nothing of them", test_synthetic_threads);
    CU_add_test(suite, "shuffling", test_shuffle);
    CU_add_test(suite, "several sizes", test_sizes);
    CU_add_test(suite, "threads change nothing", test_threads_change_nothing);
    CU_add_test(suite, "balanced sampling", test_balance);
    CU_add_test(suite, "balanced epochs", test_balanced_epoch);
    CU_add_test(suite, "batches hold the pictures", test_batches_hold_the_pictures);
    CU_add_test(suite, "parts of an epoch", test_parts_of_an_epoch);
    CU_add_test(suite, "stopping at any time", test_stop_at_any_time);
    CU_add_test(suite, "a bad picture ends the epoch", test_fail_names_the_first);
    CU_add_test(suite, "bad pictures are left out", test_skip);
    CU_add_test(suite, "not more than allowed", test_skip_at_most);
    CU_add_test(suite, "the setting on_error", test_on_error_setting);
    if (pic_begin()) run_all();
    pic_end();
    bool failed = CU_get_number_of_failures() > 0 || CU_get_number_of_tests_run() == 0;
    CU_cleanup_registry();
    return failed;
}
