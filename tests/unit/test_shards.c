/* Pictures in tar archives: the same as in folders, however the archive was written; hostile archives. */
#include <CUnit/Basic.h>

#include "pictures.h"
#include "runtime/loader.h"
#include "runtime/patterns.h"
#include "runtime/tar.h"

enum { BLOCK = 512, SIDE = 16, FLOATS = 3 * SIDE * SIDE, CLASSES = 3, PER_CLASS = 5, ALL = CLASSES * PER_CLASS };

/* ---- writing archives ---- */

typedef struct Archive {
    uint8_t data[1 << 19];
    size_t n;
} Archive;

static Archive archive;

/* In octal, with a zero byte behind it. */
static void put_number(uint8_t *field, size_t n, uint64_t value) {
    for (field[--n] = 0; n-- > 0; value >>= 3) field[n] = (uint8_t)('0' + value % 8);
}

static void put_sum(uint8_t *header) {
    unsigned sum = 0;
    memset(header + 148, ' ', 8);
    for (int i = 0; i < BLOCK; i++) sum += header[i];
    put_number(header + 148, 7, sum);
}

/* Adds a header and the bytes behind it; the header, to be changed (and summed again). */
static uint8_t *put(char kind, const char *name, const void *data, size_t size) {
    uint8_t *header = archive.data + archive.n;
    size_t padded = (size + BLOCK - 1) / BLOCK * BLOCK;
    if (archive.n + BLOCK + padded > sizeof archive.data) abort();
    memset(header, 0, BLOCK + padded);
    strncpy((char *)header, name, 100);
    put_number(header + 124, 12, size);
    header[156] = (uint8_t)kind;
    memcpy(header + 257, "ustar\00000", 8);
    put_sum(header);
    if (size) memcpy(header + BLOCK, data, size);
    archive.n += BLOCK + padded;
    return header;
}

/* Ends the archive and writes it. */
static const char *finish(const char *name) {
    const char *path = pic_path(name);
    memset(archive.data + archive.n, 0, 2 * BLOCK);
    pic_write(path, archive.data, archive.n + 2 * BLOCK);
    archive.n = 0;
    return path;
}

static void put_text(const char *name, const char *text) { put('0', name, text, strlen(text)); }

/* ---- a set of pictures, in a folder and in archives ---- */

static char *folder;

static const char *member_of(int i) {
    static char name[64];
    snprintf(name, sizeof name, "%s/%02d.jpg", (const char *const[]){"a", "a-b", "c"}[i / PER_CLASS], i % PER_CLASS);
    return name;
}

static uint8_t *picture(int i, size_t *size) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, member_of(i));
    return pic_slurp(path, size);
}

static void make_folder(void) {
    folder = strdup(pic_path("set"));
    for (int i = 0; i < ALL; i++) {
        char file[80];
        snprintf(file, sizeof file, "set/%s", member_of(i));
        pic_jpeg(pic_path(file), (PicJpeg){.width = 20 + i, .height = 40 - i, .components = 3}, paint_smooth);
    }
}

static void put_picture(const char *name, int i) {
    size_t size;
    uint8_t *data = picture(i, &size);
    put('0', name, data, size);
    free(data);
}

/* All pictures, the last ones first, in folders below `before`. */
static void put_all(const char *before) {
    for (int i = ALL; i-- > 0;) {
        char name[128];
        snprintf(name, sizeof name, "%s%s", before, member_of(i));
        put_picture(name, i);
    }
}

static Dataset *open_tar(const char *path, RtError *err) {
    json_t *paths = json_pack("[s]", path);
    Dataset *d = dataset_shards(paths, NULL, err);
    json_decref(paths);
    return d;
}

typedef struct Epoch {
    int n;
    RtError err;
    int32_t labels[ALL];
    float images[ALL * FLOATS];
} Epoch;

static Pipeline *pipeline;

static void run_epoch(const Dataset *d, int threads, bool skip, Epoch *e) {
    const Batch *b;
    LoaderConfig c = {
        .data = d, .pipeline = pipeline, .batch = 4, .threads = threads, .prefetch = 2, .seed = 3, .shuffle = true};
    c.skip = skip;
    c.at_most = 1;
    memset(e, 0, sizeof *e);
    Loader *l = loader_new(&c, &e->err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(l);
    while ((b = loader_next(l, &e->err))) {
        memcpy(e->labels + e->n, b->labels, (size_t)b->n * sizeof *b->labels);
        memcpy(e->images + e->n * FLOATS, b->images, (size_t)b->n * FLOATS * sizeof(float));
        e->n += b->n;
    }
    loader_free(l);
}

/* The archive is what the folder is: pictures, order, classes, what the net sees. */
static void check_same(const char *path) {
    static Epoch one, other;
    RtError err = {.code = RT_OK};
    Dataset *f = dataset_folder(folder, &err), *d = open_tar(path, &err);
    if (err.code) printf("\n%s\n", err.text);
    CU_ASSERT_FATAL(f && d && dataset_count(d) == ALL && dataset_classes(d) == CLASSES);
    for (int32_t i = 0; i < CLASSES; i++) CU_ASSERT_STRING_EQUAL(dataset_class_name(d, i), dataset_class_name(f, i));
    for (size_t i = 0; i < ALL; i++) {
        char *name = dataset_path(d, i, NULL);
        CU_ASSERT(!strncmp(name, path, strlen(path)) && strstr(name, member_of((int)i)) &&
                  dataset_label(d, i) == dataset_label(f, i));
        free(name);
    }
    run_epoch(f, 1, false, &one);
    run_epoch(d, 3, false, &other);
    CU_ASSERT(one.n == ALL && !memcmp(&one, &other, sizeof one));
    dataset_free(f);
    dataset_free(d);
}

static void test_same_as_folder(void) {
    put_all("");
    check_same(finish("plain.tar"));
    put('5', "./train/", NULL, 0);
    put_text("./train/README", "not a picture");
    put_text("./train/a/.hidden.jpg", "not seen");
    put_text("../a/00.jpg", "not seen");
    put_all("./train//");
    check_same(finish("deep.tar"));
}

/* ---- how archives say names and sizes ---- */

static const char *record(const char *key, const char *value) {
    static char text[600];
    int length = (int)strlen(key) + (int)strlen(value) + 3;
    for (int digits = 1; digits < 4; digits++)
        if (snprintf(NULL, 0, "%d", length + digits) == digits) length += digits, digits = 9;
    snprintf(text, sizeof text, "%d %s=%s\n", length, key, value);
    return text;
}

static void test_names(void) {
    static char before[201];
    char name[400];
    memset(before, 'x', 200);
    before[199] = '/';
    for (int i = 0; i < ALL; i++) {
        snprintf(name, sizeof name, "%s%s", before, member_of(i));
        if (i % 2)
            put('L', "././@LongLink", name, strlen(name) + 1);
        else
            put('x', "pax", record("path", name), strlen(record("path", name)));
        put_picture("truncated", i);
    }
    check_same(finish("long.tar"));
    memset(before, 'y', 150);
    before[149] = '/';
    before[150] = 0;
    for (int i = 0; i < ALL; i++) {
        put_picture(member_of(i), i);
        size_t size;
        free(picture(i, &size));
        uint8_t *header = archive.data + archive.n - (size + BLOCK - 1) / BLOCK * BLOCK - BLOCK;
        memcpy(header + 345, before, 149);
        if (i % 3 == 0)
            header[124] = 0x80, memset(header + 125, 0, 9), header[134] = (uint8_t)(size >> 8),
            header[135] = (uint8_t)size;
        put_sum(header);
    }
    check_same(finish("ustar.tar"));
}

static void test_size_record(void) {
    size_t size;
    uint8_t *data = picture(0, &size);
    char number[24];
    snprintf(number, sizeof number, "%zu", size);
    for (int i = 0; i < 2; i++) {
        put('x', "pax", record("size", number), strlen(record("size", number)));
        uint8_t *header = put('0', i ? "b/x.jpg" : "a/x.jpg", data, size);
        put_number(header + 124, 12, 0);
        put_sum(header);
    }
    RtError err = {.code = RT_OK};
    Dataset *d = open_tar(finish("size.tar"), &err);
    CU_ASSERT(d && dataset_count(d) == 2);
    dataset_free(d);
    free(data);
}

/* Folders are archives in the archive, as ImageNet comes. */
static void test_inner(void) {
    static Archive outer;
    outer.n = 0;
    for (int c = 0; c < CLASSES; c++) {
        char name[64];
        for (int i = c * PER_CLASS; i < (c + 1) * PER_CLASS; i++) put_picture(strchr(member_of(i), '/') + 1, i);
        memset(archive.data + archive.n, 0, 2 * BLOCK);
        static Archive inner;
        inner = archive;
        archive = outer;
        snprintf(name, sizeof name, "%.*s.tar", (int)strcspn(member_of(c * PER_CLASS), "/"), member_of(c * PER_CLASS));
        put('0', name, inner.data, inner.n + 2 * BLOCK);
        outer = archive;
        archive.n = 0;
    }
    archive = outer;
    check_same(finish("imagenet.tar"));
}

/* ---- shards of WebDataset ---- */

static void make_shards(void) {
    for (int shard = 0, i = 0; shard < 3; shard++) {
        char name[64];
        for (int k = 0; k < 4; k++, i++) {
            snprintf(name, sizeof name, "%04d.cls", k);
            put_text(name, (const char *const[]){"7", "10\n", " 2 "}[i % 3]);
            snprintf(name, sizeof name, "%04d.json", k);
            put_text(name, "{}");
            snprintf(name, sizeof name, "%04d.seg.png", k);
            put_text(name, "a mask");
            snprintf(name, sizeof name, "%04d.JPG", k);
            put_picture(name, i);
        }
        snprintf(name, sizeof name, "shards/s-%03d.tar", shard + 8);
        finish(name);
    }
}

static void test_webdataset(void) {
    static const char *const patterns[] = {"shards/s-{008..010}.tar", "shards/s-*.tar", "shards/s-0?[0-9].tar"};
    static const int32_t labels[] = {7, 10, 2};
    make_shards();
    for (size_t p = 0; p < sizeof patterns / sizeof patterns[0]; p++) {
        RtError err = {.code = RT_OK};
        json_t *paths = json_pack("[s]", patterns[p]);
        Dataset *d = dataset_shards(paths, pic_root, &err);
        CU_ASSERT_FATAL(d && dataset_count(d) == 12 && dataset_classes(d) == 11);
        for (size_t i = 0; i < 12; i++) CU_ASSERT_EQUAL(dataset_label(d, i), labels[i % 3]);
        char *path = dataset_path(d, 5, NULL);
        CU_ASSERT(path && strstr(path, "/shards/s-009.tar:0001.JPG"));
        free(path);
        static Epoch e;
        run_epoch(d, 2, false, &e);
        CU_ASSERT(e.n == 12 && e.err.code == RT_OK);
        dataset_free(d);
        json_decref(paths);
    }
}

static void test_patterns(void) {
    PathList list = {0};
    RtError err = {.code = RT_OK};
    pic_write(pic_path("odd{1..2}[x].tar"), "x", 1);
    CU_ASSERT(patterns_expand(&list, "/no/{8..10}-{0..1}", &err) &&
              patterns_expand(&list, pic_path("odd{1..2}[x].tar"), &err));
    CU_ASSERT_FATAL(list.n == 7);
    CU_ASSERT_STRING_EQUAL(list.path[0], "/no/8-0");
    CU_ASSERT_STRING_EQUAL(list.path[5], "/no/10-1");
    CU_ASSERT(strstr(list.path[6], "odd{1..2}[x].tar") != NULL);
    CU_ASSERT(!patterns_expand(&list, "/no/*.tar", &err) && err.code == RT_NO_INPUT);
    err.code = RT_OK;
    CU_ASSERT(!patterns_expand(&list, "{2..1}", &err) && err.code == RT_DATA);
    err.code = RT_OK;
    CU_ASSERT(!patterns_expand(&list, "{0..99999999}", &err) && err.code == RT_LIMIT);
    patterns_free(&list);
}

/* ---- mistakes ---- */

static void expect(const char *name, int code, const char *says) {
    RtError err = {.code = RT_OK};
    const char *path = finish(name);
    Dataset *d = open_tar(path, &err);
    if (d || err.code != code || !strstr(err.text, says)) printf("\n%s: %d, %s\n", name, err.code, err.text);
    CU_ASSERT(!d && err.code == code && strstr(err.text, says) && strstr(err.text, path));
    dataset_free(d);
}

static void test_wrong_sets(void) {
    put_text("README", "x");
    expect("none.tar", RT_DATA, "no pictures");
    put_text("a.jpg", "x");
    expect("rootless.tar", RT_DATA, ":a.jpg has no class: it is in no folder");
    put_text("a/x.jpg", "x"), put_text("b/y.jpg", "x"), put_text("./a/x.jpg", "x");
    expect("twice.tar", RT_DATA, ":a/x.jpg is twice");
    put_text("a.jpg", "x"), put_text("a.cls", "1"), put_text("b.jpg", "x");
    expect("unlabelled.tar", RT_DATA, ":b.jpg has no class: there is no .cls");
    put_text("a.jpg", "x"), put_text("a.cls", "1"), put_text("b.cls", "1");
    expect("alone.tar", RT_DATA, ":b.cls is the class of no picture");
    put_text("a.jpg", "x"), put_text("a.png", "x"), put_text("a.cls", "1");
    expect("two.tar", RT_DATA, " is a second ");
    put_text("a.jpg", "x"), put_text("a.cls", " \n");
    expect("blank.tar", RT_DATA, ":a.cls is empty");
    put_text("a.jpg", "x"), put_text("a.cls", "1\n2");
    expect("lines.tar", RT_DATA, ":a.cls is no line of text");
}

static void test_links(void) {
    RtError err = {.code = RT_OK};
    put('2', "a/link.jpg", NULL, 0);
    uint8_t *header = put('1', "a/hard.jpg", NULL, 0);
    put_number(header + 124, 12, 1 << 20);
    put_sum(header);
    put('3', "a/device.jpg", NULL, 0);
    put_all("");
    Dataset *d = open_tar(finish("links.tar"), &err);
    CU_ASSERT(d && dataset_count(d) == ALL && dataset_passed_over(d) == 3);
    dataset_free(d);
}

/* A member of one byte, whose header a test then spoils. */
static uint8_t *one(void) { return put('0', "a/x.jpg", "x", 1); }

static void test_wrong_headers(void) {
    uint8_t *h = one();
    memset(h + 124, 0xff, 12), put_sum(h);
    expect("negative.tar", RT_DATA, "at byte 0: the size of a member is no number");
    h = one();
    memset(h + 124, 0, 12), h[124] = 0x80, h[128] = 0x80, put_sum(h);
    expect("huge.tar", RT_DATA, "at byte 0: the size of a member is no number");
    h = one();
    memset(h + 124, 'z', 12), put_sum(h);
    expect("letters.tar", RT_DATA, "at byte 0: the size of a member is no number");
    h = one();
    put_number(h + 124, 12, (uint64_t)1 << 32), put_sum(h);
    expect("long.tar", RT_DATA, "at byte 0: a member of 4294967296 bytes, and the archive ends at byte 2048");
    h = one(), h[200] ^= 1;
    expect("sum.tar", RT_DATA, "at byte 0: the sum of a header is wrong");
    put('S', "a/x.jpg", "x", 1);
    expect("sparse.tar", RT_DATA, "at byte 0: a sparse member");
    put('x', "pax", record("GNU.sparse.major", "1"), strlen(record("GNU.sparse.major", "1"))), one();
    expect("pax_sparse.tar", RT_DATA, "at byte 0: a sparse member");
    put('x', "pax", "99 path=x\n", 10), one();
    expect("pax_length.tar", RT_DATA, "at byte 0: a pax header that is damaged");
    put('x', "pax", "12 path=a\0b\n", 12), one();
    expect("pax_zero.tar", RT_DATA, "at byte 0: a name with a zero byte");
    put('x', "pax", record("size", "99999999999999999999"), strlen(record("size", "99999999999999999999"))), one();
    expect("pax_size.tar", RT_DATA, "at byte 0: the size in a pax header is no number");
    static char name[5001];
    memset(name, 'n', 5000);
    put('L', "././@LongLink", name, 5000), one();
    expect("name.tar", RT_LIMIT, "at byte 0: a name of 5000 bytes");
    memcpy(archive.data, "\037\213\010", 4), archive.n = BLOCK;
    expect("gzip.tar", RT_DATA, "an archive packed by gzip");
}

static void test_ends(void) {
    RtError err = {.code = RT_OK};
    one();
    const char *path = pic_path("end.tar");
    memset(archive.data + archive.n, 0, 4 * BLOCK);
    static const struct {
        size_t more;
        const char *says;
    } cut[] = {{0, "at byte 1024: the archive was cut"},
               {BLOCK, "one block of zeros"},
               {100, "at byte 1024: the archive ends within a header"}};
    for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++) {
        err.code = RT_OK;
        pic_write(path, archive.data, archive.n + cut[i].more);
        CU_ASSERT(!open_tar(path, &err) && err.code == RT_DATA && strstr(err.text, cut[i].says));
    }
    archive.data[archive.n + 3 * BLOCK] = 1;
    pic_write(path, archive.data, archive.n + 4 * BLOCK);
    err.code = RT_OK;
    CU_ASSERT(!open_tar(path, &err) && strstr(err.text, "at byte 2560: the archive goes on behind its end"));
    archive.n = 0;
}

/* What is in the archive no longer is what was found in it. */
static void test_changed(void) {
    static Epoch e;
    RtError err = {.code = RT_OK};
    put_all("");
    const char *path = finish("changed.tar");
    Dataset *d = open_tar(path, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    CU_ASSERT_EQUAL(truncate(path, 5000), 0);
    run_epoch(d, 2, false, &e);
    CU_ASSERT(e.err.code == RT_DATA && strstr(e.err.text, "changed.tar:") && strstr(e.err.text, "another size"));
    run_epoch(d, 2, true, &e);
    CU_ASSERT(e.n == 0 && e.err.code == RT_OK);
    dataset_free(d);
}

/* Whatever bytes there are, there is a data set or an error, and reading it ends, too. */
static void test_mutants(void) {
    enum { TIMES = 3000 };
    static Archive good;
    RtError err;
    const char *path = pic_path("mutant.tar");
    put('x', "pax", record("path", "a/one.jpg"), strlen(record("path", "a/one.jpg")));
    put_text("x", "1");
    put('L', "long", "b/two.jpg", 10);
    put_text("y", "2");
    put_text("b/two.cls", "5");
    put_text("a/one.cls", "6");
    put_text("c/t.tar", "");
    memset(archive.data + archive.n, 0, 2 * BLOCK);
    archive.n += 2 * BLOCK;
    good = archive;
    srand(1);
    for (int i = 0; i < TIMES; i++) {
        archive = good;
        for (int k = 0; k <= i % 3; k++)
            archive.data[(size_t)rand() % good.n] = (uint8_t)(rand() % 3 ? rand() : "0579xLgS\0"[rand() % 9]);
        for (size_t at = 0; i % 2 && at < good.n - 2 * BLOCK; at += BLOCK)
            if (!memcmp(archive.data + at + 257, "ustar", 5)) put_sum(archive.data + at);
        pic_write(path, archive.data, i % 5 ? good.n : (size_t)rand() % good.n);
        err.code = RT_OK;
        Dataset *d = open_tar(path, &err);
        CU_ASSERT((d != NULL) == (err.code == RT_OK));
        dataset_free(d);
    }
    archive.n = 0;
}

int main(void) {
    RtError err = {.code = RT_OK};
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("shards", NULL, NULL);
    CU_add_test(suite, "an archive is what its folder is", test_same_as_folder);
    CU_add_test(suite, "names and sizes in all their forms", test_names);
    CU_add_test(suite, "a size in a pax header", test_size_record);
    CU_add_test(suite, "archives in an archive", test_inner);
    CU_add_test(suite, "shards with classes", test_webdataset);
    CU_add_test(suite, "patterns of paths", test_patterns);
    CU_add_test(suite, "archives that are no data set", test_wrong_sets);
    CU_add_test(suite, "links", test_links);
    CU_add_test(suite, "wrong headers", test_wrong_headers);
    CU_add_test(suite, "wrong ends", test_ends);
    CU_add_test(suite, "an archive that changes", test_changed);
    CU_add_test(suite, "mutants", test_mutants);
    json_t *input = json_loads("{\"size\": [16, 16], \"resize\": {\"call\": \"exact\", \"size\": [16, 16]}}", 0, NULL);
    pipeline = pipeline_new(input, NULL, &err);
    if (pipeline && pic_begin()) {
        make_folder();
        CU_basic_run_tests();
    }
    pic_end();
    pipeline_free(pipeline);
    json_decref(input);
    free(folder);
    bool failed = CU_get_number_of_failures() > 0 || CU_get_number_of_tests_run() == 0;
    CU_cleanup_registry();
    return failed;
}
