/* Files that hold many pictures: CIFAR's and IDX, whole, cut, and with bytes that cannot be. */
#include <CUnit/Basic.h>

#include "pictures.h"
#include "runtime/dataset.h"

/* ---- CIFAR ---- */

enum { CIFAR_PIXELS = 32 * 32 * 3, CIFAR_RECORD = 1 + CIFAR_PIXELS };

/* Records of `labels_each` labels, of which the last is number % classes and the others 77; byte k of picture n is n +
 * 3 k. */
static void write_records(const char *name, int labels_each, int classes, int first, int n, long cut) {
    FILE *f = fopen(pic_path(name), "wb");
    for (int i = first; i < first + n; i++) {
        for (int k = 1; k < labels_each; k++) putc(77, f);
        putc(i % classes, f);
        for (int k = 0; k < CIFAR_PIXELS; k++) putc((i + 3 * k) & 0xFF, f);
    }
    if (!f || fclose(f) || (cut && truncate(pic_path(name), cut))) abort();
}

static void write_names(const char *path, int n) {
    FILE *f = fopen(pic_path(path), "w");
    for (int i = 0; i < n; i++) fprintf(f, "class%d\r\n", i);
    if (!f || fputs("\n", f) < 0 || fclose(f)) abort();
}

static Dataset *open_part(const char *text, bool training, RtError *err) {
    json_t *source = json_loads(text, 0, NULL);
    Dataset *d = dataset_new(source, pic_root, training, err);
    json_decref(source);
    return d;
}

static void check_cifar(const char *text, bool training, int n, int classes, int first) {
    static uint8_t byte[32 * 32 * IMAGE_PIXEL_BYTES];
    Image image = {.width = 32, .height = 32, .pixel = byte};
    RtError err = {.code = RT_OK};
    int32_t width = 0, height = 0;
    Dataset *d = open_part(text, training, &err);
    if (!d) printf("\n%s\n", err.text);
    CU_ASSERT_FATAL(d && dataset_count(d) == (size_t)n && dataset_classes(d) == classes);
    dataset_stored_size(d, &width, &height);
    CU_ASSERT(width == 32 && height == 32 && !strcmp(dataset_class_name(d, 7), "class7"));
    for (int i = 0; i < n; i++) {
        dataset_paint(d, (size_t)i, &image);
        CU_ASSERT_EQUAL(dataset_label(d, (size_t)i), (first + i) % classes);
        for (int k = 0; k < CIFAR_PIXELS; k++)
            if (byte[k % 1024 * IMAGE_PIXEL_BYTES + k / 1024] != ((first + i + 3 * k) & 0xFF)) CU_FAIL_FATAL("pixels");
    }
    dataset_free(d);
}

static const char cifar10[] = "{\"call\": \"cifar10\", \"path\": \"cifar10\"}";
static const char cifar100[] = "{\"call\": \"cifar100\", \"path\": \"cifar100\"}";

static void test_cifar(void) {
    char name[40];
    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "cifar10/data_batch_%d.bin", i + 1);
        write_records(name, 1, 10, 4 * i, 4, 0);
    }
    write_records("cifar10/test_batch.bin", 1, 10, 100, 3, 0);
    write_names("cifar10/batches.meta.txt", 10);
    check_cifar(cifar10, true, 20, 10, 0);
    check_cifar(cifar10, false, 3, 10, 100);
    write_records("cifar100/train.bin", 2, 100, 50, 7, 0);
    write_records("cifar100/test.bin", 2, 100, 98, 4, 0);
    write_names("cifar100/fine_label_names.txt", 100);
    check_cifar(cifar100, true, 7, 100, 50);
    check_cifar(cifar100, false, 4, 100, 98);
}

static void check_refused(const char *text, int code, const char *says) {
    RtError err = {.code = RT_OK};
    Dataset *d = open_part(text, true, &err);
    CU_ASSERT_PTR_NULL(d);
    if (err.code != code || !strstr(err.text, says)) printf("\nwanted %s\nhave %s\n", says, err.text);
    CU_ASSERT(err.code == code && strstr(err.text, says));
    dataset_free(d);
}

static void test_bad_cifar(void) {
    write_records("cifar10/data_batch_3.bin", 1, 10, 0, 3, 2 * CIFAR_RECORD + 100);
    check_refused(cifar10, RT_DATA, "cifar10/data_batch_3.bin: the file ends at byte 6246, within picture 10");
    write_records("cifar10/data_batch_3.bin", 1, 10, 0, 0, 0);
    check_refused(cifar10, RT_DATA, "cifar10/data_batch_3.bin: the file is empty");
    write_records("cifar10/data_batch_3.bin", 1, 11, 9, 3, 0);
    check_refused(cifar10, RT_DATA, "cifar10/data_batch_3.bin: at byte 3073: class 10; there are 0 to 9");
    remove(pic_path("cifar10/data_batch_3.bin"));
    check_refused(cifar10, RT_NO_INPUT, "cifar10/data_batch_3.bin: No such file");
    mkdir(pic_path("cifar10/data_batch_3.bin"), 0700);
    check_refused(cifar10, RT_NO_INPUT, "cifar10/data_batch_3.bin: not a regular file");
    write_names("cifar10/batches.meta.txt", 9);
    check_refused(cifar10, RT_DATA, "cifar10/batches.meta.txt: 9 names of classes in 73 bytes; 10 are needed");
    write_names("cifar10/batches.meta.txt", 11);
    check_refused(cifar10, RT_DATA, "cifar10/batches.meta.txt: more than 10 names, of which `class10` is the first");
    write_records("cifar100/train.bin", 2, 100, 0, 1, 1);
    check_refused(cifar100, RT_DATA, "cifar100/train.bin: the file ends at byte 1, within picture 0");
}

/* IDX files of n pictures, packed or not; all but the first `size` bytes are left out. */
static void write_idx(const char *name, bool packed, const uint8_t *head, size_t n_head, int n, int each, size_t size) {
    static uint8_t all[1024];
    size_t at = n_head;
    memcpy(all, head, n_head);
    for (int i = 0; i < n * each; i++) all[at++] = (uint8_t)(each > 1 ? i : i % 4);
    gzFile f = gzopen(pic_path(name), packed ? "wb" : "wbT");
    if (!f || gzwrite(f, all, (unsigned)(size < at ? size : at)) < 0 || gzclose(f) != Z_OK) abort();
}

static void truncate_by(const char *name, off_t n) {
    struct stat st;
    if (stat(pic_path(name), &st) || truncate(pic_path(name), st.st_size - n)) abort();
}

static const uint8_t idx_pictures[16] = {0, 0, 8, 3, 0, 0, 0, 6, 0, 0, 0, 3, 0, 0, 0, 5}, idx_labels[8] = {0, 0, 8, 1, 0, 0, 0, 6};
static const char idx[] = "{\"call\": \"idx\", \"images\": \"idx/i\", \"labels\": \"idx/l\"}";

static void test_idx(void) {
    uint8_t byte[5 * 3 * IMAGE_PIXEL_BYTES];
    Image image = {.width = 5, .height = 3, .pixel = byte};
    for (int packed = 0; packed < 2; packed++) {
        RtError err = {.code = RT_OK};
        int32_t width = 0, height = 0;
        write_idx("idx/i", packed, idx_pictures, 16, 6, 15, SIZE_MAX);
        write_idx("idx/l", packed, idx_labels, 8, 6, 1, SIZE_MAX);
        Dataset *d = open_part(idx, packed, &err);
        if (!d) printf("\n%s\n", err.text);
        CU_ASSERT_FATAL(d && dataset_count(d) == 6 && dataset_classes(d) == 4 && !strcmp(dataset_class_name(d, 3), "3"));
        dataset_stored_size(d, &width, &height);
        CU_ASSERT(width == 5 && height == 3);
        dataset_paint(d, 4, &image);
        for (int k = 0; k < 15; k++)
            CU_ASSERT(byte[4 * k] == 60 + k && byte[4 * k + 1] == 60 + k && byte[4 * k + 2] == 60 + k && !byte[4 * k + 3]);
        CU_ASSERT(dataset_label(d, 3) == 3 && dataset_label(d, 5) == 1);
        dataset_free(d);
    }
}

static void test_bad_idx(void) {
    uint8_t head[16];
    memcpy(head, idx_pictures, 16);
    for (int packed = 0; packed < 2; packed++) {
        write_idx("idx/l", packed, idx_labels, 8, 6, 1, SIZE_MAX);
        write_idx("idx/i", packed, idx_pictures, 16, 6, 15, 16 + 40);
        check_refused(idx, RT_DATA, "idx/i: the file ends at byte 56, within picture 2");
        write_idx("idx/i", packed, idx_pictures, 16, 6, 15, 9);
        check_refused(idx, RT_DATA, "idx/i: the file ends at byte 9, within its header");
        write_idx("idx/i", packed, idx_pictures, 16, 7, 15, SIZE_MAX);
        check_refused(idx, RT_DATA, "idx/i: the file goes on at byte 106, behind what it says it has");
        write_idx("idx/i", packed, idx_pictures, 16, 6, 15, SIZE_MAX);
        write_idx("idx/l", packed, idx_labels, 8, 6, 1, 11);
        check_refused(idx, RT_DATA, "idx/l: the file ends at byte 11, within the labels");
    }
    write_idx("idx/l", true, idx_labels, 8, 6, 1, SIZE_MAX);
    truncate_by("idx/l", 3);
    check_refused(idx, RT_DATA, "idx/l: at byte 14: the packed file lacks its end");
    write_idx("idx/l", false, idx_pictures, 16, 6, 1, SIZE_MAX);
    check_refused(idx, RT_DATA, "idx/l: at byte 0: 00000803; IDX labels begin with 00000801");
    write_idx("idx/l", false, idx_labels, 8, 6, 1, SIZE_MAX);
    head[7] = 7;
    write_idx("idx/i", false, head, 16, 7, 15, SIZE_MAX);
    check_refused(idx, RT_DATA, "idx/l: at byte 4: 6 labels, and ");
    memset(head + 8, 0x7F, 8);
    write_idx("idx/i", false, head, 16, 6, 15, SIZE_MAX);
    check_refused(idx, RT_DATA, "idx/i: at byte 8: 2139062143 pixels in a row or column");
    memcpy(head + 8, (uint8_t[8]){1, 0, 0, 0, 1, 0, 0, 0}, 8);
    head[7] = 6;
    write_idx("idx/i", false, head, 16, 6, 15, SIZE_MAX);
    check_refused(idx, RT_LIMIT, "over the limit");
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("stored", NULL, NULL);
    CU_add_test(suite, "CIFAR", test_cifar);
    CU_add_test(suite, "CIFAR with mistakes", test_bad_cifar);
    CU_add_test(suite, "IDX", test_idx);
    CU_add_test(suite, "IDX with mistakes", test_bad_idx);
    if (pic_begin()) CU_basic_run_tests();
    pic_end();
    bool failed = CU_get_number_of_failures() > 0 || CU_get_number_of_tests_run() == 0;
    CU_cleanup_registry();
    return failed;
}
