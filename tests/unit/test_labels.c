/* What the classes of a data set are called, and in which order they come: the texts of settings.data's labels. */
#include <CUnit/Basic.h>

#include "pictures.h"
#include "runtime/dataset.h"

/* Folders B, a and \xC3\xA9 of pictures, in this order, of two, four and one. */
static void make_order(void) {
    static const char *const files[] = {"order/a/2.png", "order/a/10.png", "order/a/B.png", "order/a/a/z.png", "order/B/y.png",
                                        "order/B/z.png", "order/\xC3\xA9/x.png"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) pic_write(pic_path(files[i]), "x", 1);
}

static Dataset *open_order(void) {
    RtError err = {.code = RT_OK};
    Dataset *d = dataset_folder(pic_path("order"), &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    return d;
}

static Dataset *list_of(const char *text) {
    RtError err = {.code = RT_OK};
    pic_write(pic_path("list.txt"), text, strlen(text));
    Dataset *d = dataset_list(pic_path("list.txt"), &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    return d;
}

/* Six pictures of two classes by number. */
static Dataset *two_classes(void) {
    RtError err = {.code = RT_OK};
    json_t *source = json_pack("{s:s, s:i, s:i}", "call", "synthetic", "count", 6, "classes", 2);
    Dataset *d = dataset_new(source, pic_root, true, &err);
    json_decref(source);
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    return d;
}

/* ---- what classes are called ---- */

/* d with its classes named, or NULL. */
static Dataset *named_by(Dataset *d, const char *call, const char *path, RtError *err) {
    json_t *labels = json_pack("{s:s, s:s}", "call", call, "path", path);
    bool good = d && dataset_name_classes(d, labels, err);
    json_decref(labels);
    if (good) return d;
    dataset_free(d);
    return NULL;
}

static Dataset *order_with_names(const char *text, RtError *err) {
    const char *path = pic_path("order/words.txt");
    pic_write(path, text, strlen(text));
    return named_by(open_order(), "synsets", path, err);
}

static void test_names(void) {
    RtError err = {.code = RT_OK};
    static const char *const names[] = {"the capital one", "tench, Tinca tinca", "acute"};
    static const char *const others[] = {"the capital one", "crane", "acute"};
    Dataset *d = order_with_names("a\ttench, Tinca tinca  \r\n\nzebra a striped one\n  \xC3\xA9 acute\nB  the capital one", &err);
    if (!d) printf("\n%s\n", err.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    for (int i = 0; i < 3; i++) CU_ASSERT_STRING_EQUAL(dataset_class_name(d, i), names[i]);
    char *file = dataset_path(d, 0, &err);
    CU_ASSERT(file && strstr(file, "order/B/y.png"));
    CU_ASSERT(dataset_match_classes(d, names, 3, &err));
    CU_ASSERT(!dataset_match_classes(d, others, 3, &err) && strstr(err.text, "the net has no class `tench, Tinca tinca`"));
    free(file);
    dataset_free(d);
}

static void test_bad_names(void) {
    static const struct {
        const char *text, *says;
    } bad[] = {{"a tench\nB x\n", "words.txt: no line for the class `\xC3\xA9`"},
               {"a tench\nB\n", "words.txt:2: a line is the name of a folder"},
               {"a tench\n\na crane\n", "words.txt:3: `a` has a name already"},
               {"", "words.txt: no line for the class `B`"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        RtError err = {.code = RT_OK};
        CU_ASSERT(!order_with_names(bad[i].text, &err) && err.code == RT_DATA && strstr(err.text, bad[i].says));
    }
    RtError err = {.code = RT_OK};
    CU_ASSERT(!named_by(open_order(), "synsets", pic_path("none/words.txt"), &err) && err.code == RT_NO_INPUT);
}

/* ---- labels = file(...) ---- */

static Dataset *with_labels(Dataset *d, const char *text, RtError *err) {
    pic_write(pic_path("labels.txt"), text, strlen(text));
    return named_by(d, "file", pic_path("labels.txt"), err);
}

/* The classes of folders and of lists with names come in the order of the lines. */
static void test_labels_order(void) {
    static const char *const names[] = {"\xC3\xA9", "B", "zebra", "a"};
    static const int32_t labels[] = {1, 1, 3, 3, 3, 3, 0};
    RtError err = {.code = RT_OK};
    Dataset *d = with_labels(open_order(), "\xC3\xA9\r\nB\n zebra \na\n\n", &err);
    if (!d) printf("\n%s\n", err.text);
    CU_ASSERT_FATAL(d && dataset_match_classes(d, names, 4, &err));
    for (size_t i = 0; i < 7; i++) CU_ASSERT_EQUAL(dataset_label(d, i), labels[i]);
    char *file = dataset_path(d, 0, &err), *last = dataset_path(d, 6, &err);
    CU_ASSERT(file && strstr(file, "order/B/y.png") && last && strstr(last, "order/\xC3\xA9/x"));
    free(file);
    free(last);
    dataset_free(d);
    d = with_labels(list_of("1.png cat\n2.png ant\n3.png cat\n"), "dog\ncat\nant", &err);
    CU_ASSERT_FATAL(d && dataset_classes(d) == 3);
    CU_ASSERT(dataset_label(d, 0) == 1 && dataset_label(d, 1) == 2 && dataset_label(d, 2) == 1);
    dataset_free(d);
}

/* Numbers get the names of the lines, of a list that lacks the last ones, too. */
static void test_labels_of_numbers(void) {
    RtError err = {.code = RT_OK};
    Dataset *d = with_labels(list_of("1.png 2\n2.png 0\n"), "zebra\nant\n7\nbee\n", &err);
    CU_ASSERT_FATAL(d && dataset_classes(d) == 4);
    CU_ASSERT(dataset_label(d, 0) == 2 && dataset_label(d, 1) == 0);
    CU_ASSERT(!strcmp(dataset_class_name(d, 0), "zebra") && !strcmp(dataset_class_name(d, 2), "7"));
    dataset_free(d);
    d = with_labels(two_classes(), "up\ndown", &err);
    CU_ASSERT_FATAL(d && dataset_classes(d) == 2);
    CU_ASSERT(dataset_label(d, 3) == 1 && !strcmp(dataset_class_name(d, 1), "down"));
    dataset_free(d);
}

static void check_bad_labels(Dataset *d, const char *text, int code, const char *says) {
    RtError err = {.code = RT_OK};
    CU_ASSERT(d && !with_labels(d, text, &err) && err.code == code && strstr(err.text, says));
    if (!strstr(err.text, says)) printf("\n%s\n", err.text);
}

static void test_bad_labels(void) {
    static char wide[70000];
    RtError err = {.code = RT_OK};
    static const struct {
        const char *text, *says;
    } bad[] = {{"B\na\n", "labels.txt: no line for the class `\xC3\xA9` of the data"},
               {"B\na\n\xC3\xA9\nb\nB\n", "labels.txt:5: `B` is a class already, that of line 1"},
               {"B\n\n \na\n", "labels.txt:2: an empty line"},
               {"\nB\n", "labels.txt:1: an empty line"},
               {"", "labels.txt: no names of classes"},
               {"\n \n", "labels.txt: no names of classes"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        check_bad_labels(open_order(), bad[i].text, RT_DATA, bad[i].says);
    memset(wide, 'x', sizeof wide - 1);
    check_bad_labels(open_order(), wide, RT_DATA, "labels.txt:1: not a line of text");
    check_bad_labels(list_of("1.png 2\n2.png 0\n"), "a\nb\n", RT_DATA, "labels.txt: 2 names, and the data have 3 classes, 0 to 2");
    check_bad_labels(two_classes(), "a\nb\nc\n", RT_DATA, "labels.txt: 3 names, and the data have 2 classes");
    CU_ASSERT(!named_by(open_order(), "file", pic_path("none/labels.txt"), &err) && err.code == RT_NO_INPUT);
}

int main(void) {
    CU_TestInfo tests[] = {{"synsets", test_names},
                           {"synsets with mistakes", test_bad_names},
                           {"labels in another order", test_labels_order},
                           {"labels of numbers", test_labels_of_numbers},
                           {"labels with mistakes", test_bad_labels},
                           CU_TEST_INFO_NULL};
    CU_SuiteInfo suites[] = {{"labels", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    if (CU_initialize_registry() || CU_register_suites(suites)) return 1;
    if (pic_begin()) {
        make_order();
        CU_basic_run_tests();
    }
    pic_end();
    bool failed = CU_get_number_of_failures() > 0 || CU_get_number_of_tests_run() == 0;
    CU_cleanup_registry();
    return failed;
}
