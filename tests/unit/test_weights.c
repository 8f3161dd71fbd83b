/* Weight files: one bad file for each rule of the format, files of another net, and the way there and back. */
#include <CUnit/Basic.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/weights.h"
#include "toy_net.h"

static char folder[] = "/tmp/cnnc-weights-XXXXXX";
static char path[64];

static int make_folder(void) {
    if (!mkdtemp(folder)) return 1;
    snprintf(path, sizeof path, "%s/w.safetensors", folder);
    return 0;
}

static int remove_folder(void) {
    unlink(path);
    return rmdir(folder); /* fails if anything was left behind */
}

/* A file of `length` as header length, the header, and `data` zero bytes. */
static void write_file(uint64_t length, const char *header, size_t bytes, size_t data) {
    FILE *f = fopen(path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    for (int i = 0; i < 8; i++) fputc((int)(length >> 8 * i & 255), f);
    fwrite(header, 1, bytes, f);
    for (size_t i = 0; i < data; i++) fputc(0, f);
    fclose(f);
}

static void write_bytes(const char *bytes, size_t n) {
    FILE *f = fopen(path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT_EQUAL(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

static int open_code(void) {
    RtError err = {.code = RT_OK};
    SafeFile *f = safe_open(path, &err);
    CU_ASSERT_EQUAL(f != NULL, err.code == RT_OK);
    safe_close(f);
    return err.code;
}

#define F32(shape, begin, end) "{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"

/* Every rule: header, bytes of data, and what must come of it. */
static const struct {
    const char *header;
    size_t data;
    int code;
} rules[] = {
    {"{}", 0, RT_OK},
    {"{\"a\":" F32("[2,2]", 0, 16) "}", 16, RT_OK},
    {" \n\t{\"a\":" F32("[2,2]", 0, 16) "}  \n", 16, RT_OK},                /* white space at both ends */
    {"{\"a\":" F32("[]", 0, 4) ",\"b\":" F32("[0,9]", 4, 4) "}", 4, RT_OK}, /* a scalar; nothing at all */
    {"{\"b\":" F32("[1]", 4, 8) ",\"a\":" F32("[1]", 0, 4) "}", 8, RT_OK},  /* any order */
    {"{\"__metadata__\":{\"k\":\"v\"},\"a\":" F32("[1]", 0, 4) "}", 4, RT_OK},
    {"[]", 0, RT_DATA},
    {"", 0, RT_DATA},
    {"{\"a\":" F32("[2,2]", 0, 16) "", 16, RT_DATA}, /* cut */
    {"{\"a\":" F32("[1]", 0, 4) ",}", 4, RT_DATA},
    {"{\"a\":" F32("[1]", 0, 4) "} // no", 4, RT_DATA},
    {"{\"a\":" F32("[1]", 0, 4) "}{}", 4, RT_DATA},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[NaN],\"data_offsets\":[0,4]}}", 4, RT_DATA},
    {"{\"\xff\":" F32("[1]", 0, 4) "}", 4, RT_DATA},    /* not UTF-8 */
    {"{\"\\ud800\":" F32("[1]", 0, 4) "}", 4, RT_DATA}, /* half a surrogate pair */
    {"{\"a\\u0000\":" F32("[1]", 0, 4) "}", 4, RT_DATA},
    {"{\"a\":" F32("[1]", 0, 4) ",\"a\":" F32("[1]", 4, 8) "}", 8, RT_DATA},       /* the same name twice */
    {"{\"a\":" F32("[1]", 0, 4) ",\"\\u0061\":" F32("[1]", 4, 8) "}", 8, RT_DATA}, /* ... written otherwise */
    {"{\"__metadata__\":{},\"__metadata__\":{},\"a\":" F32("[1]", 0, 4) "}", 4, RT_DATA},
    {"{\"__metadata__\":{\"k\":1},\"a\":" F32("[1]", 0, 4) "}", 4, RT_DATA},
    {"{\"__metadata__\":\"k\",\"a\":" F32("[1]", 0, 4) "}", 4, RT_DATA},
    {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, RT_DATA},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, RT_DATA}, /* something is missing */
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, RT_DATA},
    {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, RT_DATA},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":0}}", 4, RT_DATA},
    {"{\"a\":[]}", 4, RT_DATA},
    {"{\"a\":{\"dtype\":\"F4\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, RT_DATA},
    {"{\"a\":{\"dtype\":4,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, RT_DATA},
    {"{\"a\":" F32("[2,2]", 0, 15) "}", 15, RT_DATA}, /* the size lies */
    {"{\"a\":" F32("[2,3]", 0, 16) "}", 16, RT_DATA},
    {"{\"a\":" F32("[1]", 4, 0) "}", 4, RT_DATA},
    {"{\"a\":" F32("[1]", -4, 0) "}", 4, RT_DATA},
    {"{\"a\":" F32("[1]", 0, 4.0) "}", 4, RT_DATA},
    {"{\"a\":" F32("[1]", 0, 4e0) "}", 4, RT_DATA},
    {"{\"a\":" F32("[1]", "0", 4) "}", 4, RT_DATA},
    {"{\"a\":" F32("[-1]", 0, 4) "}", 4, RT_DATA},
    {"{\"a\":" F32("[1.0]", 0, 4) "}", 4, RT_DATA},
    {"{\"a\":" F32("[2,18446744073709551614]", 0, 4) "}", 4, RT_DATA},
    {"{\"a\":" F32("[2,9223372036854775807]", 0, 4) "}", 4, RT_DATA},
    {"{\"a\":" F32("[4611686018427387904]", 0, 0) "}", 0, RT_DATA}, /* * 4 bytes is 0 modulo 2^64 */
    {"{\"a\":" F32("[1,1,1,1,1,1,1,1,1]", 0, 4) "}", 4, RT_DATA},
    {"{\"a\":" F32("[1]", 0, 4) ",\"b\":" F32("[1]", 0, 4) "}", 4, RT_DATA}, /* overlap */
    {"{\"a\":" F32("[2]", 0, 8) ",\"b\":" F32("[2]", 4, 12) "}", 12, RT_DATA},
    {"{\"a\":" F32("[2]", 0, 8) ",\"b\":" F32("[1]", 4, 8) "}", 12, RT_DATA},  /* ... of which the sizes add up */
    {"{\"a\":" F32("[1]", 0, 4) ",\"b\":" F32("[1]", 8, 12) "}", 12, RT_DATA}, /* hole */
    {"{\"a\":" F32("[1]", 4, 8) "}", 8, RT_DATA},                              /* hole at the start */
    {"{\"a\":" F32("[1]", 0, 4) "}", 5, RT_DATA},                              /* a byte too many */
    {"{\"a\":" F32("[1]", 0, 4) "}", 3, RT_DATA},                              /* a byte too few */
    {"{\"a\":" F32("[250]", 0, 1000) "}", 8, RT_DATA},
};

static void test_rules(void) {
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        size_t n = strlen(rules[i].header);
        write_file(n, rules[i].header, n, rules[i].data);
        int code = open_code();
        CU_ASSERT_EQUAL(code, rules[i].code);
        if (code != rules[i].code) fprintf(stderr, "rule %zu: %s: %d\n", i, rules[i].header, code);
    }
}

static void test_header_length(void) {
    static const char header[] = "{\"a\":" F32("[1]", 0, 4) "}";
    static const uint64_t bad[] = {
        0, 1, sizeof header + 4, sizeof header + 100, SAFE_MAX_HEADER + 1ull, INT64_MAX, UINT64_MAX, UINT64_MAX - 7};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_file(bad[i], header, sizeof header - 1, 4);
        CU_ASSERT_EQUAL(open_code(), RT_DATA);
    }
    for (off_t n = 0; n < 8; n++) {
        CU_ASSERT_EQUAL(truncate(path, n), 0);
        CU_ASSERT_EQUAL(open_code(), RT_DATA);
    }
}

static void test_deep_header(void) {
    enum { DEPTH = 100000 };
    char *header = malloc(DEPTH);
    CU_ASSERT_PTR_NOT_NULL_FATAL(header);
    memset(header, '[', DEPTH);
    memcpy(header, "{\"a\":", 5);
    write_file(DEPTH, header, DEPTH, 0);
    CU_ASSERT_EQUAL(open_code(), RT_DATA);
    free(header);
}

/* Other formats are told apart; things that are not files do not hang. */
static void test_not_a_file(void) {
    static const char *const magic[] = {"PK\3\4xxxxxxxx", "\x80\2ccopy_reg", "\x89HDF\r\n\x1a\n1234", "GGUF12345678",
                                        "\x93NUMPY123456"};
    for (size_t i = 0; i < sizeof magic / sizeof magic[0]; i++) {
        write_bytes(magic[i], 12);
        CU_ASSERT_EQUAL(open_code(), RT_DATA);
    }
    unlink(path);
    CU_ASSERT_EQUAL(open_code(), RT_NO_INPUT);
    CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
    CU_ASSERT_EQUAL(open_code(), RT_NO_INPUT);
    unlink(path);
    static const char *const other[] = {"/dev/zero", "/tmp", "/nowhere/at/all"};
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        RtError err = {.code = RT_OK};
        CU_ASSERT_PTR_NULL(safe_open(other[i], &err));
        CU_ASSERT_EQUAL(err.code, RT_NO_INPUT);
    }
}

static void test_shrinking_file(void) {
    static const char header[] = "{\"a\":" F32("[64]", 0, 256) "}";
    RtError err = {.code = RT_OK};
    float to[64];
    write_file(sizeof header - 1, header, sizeof header - 1, 256);
    SafeFile *f = safe_open(path, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT(safe_read(f, safe_find(f, "a"), 0, to, sizeof to, &err));
    CU_ASSERT_EQUAL(truncate(path, 100), 0);
    CU_ASSERT(!safe_read(f, safe_find(f, "a"), 0, to, sizeof to, &err));
    CU_ASSERT_EQUAL(err.code, RT_IO);
    safe_close(f);
}

/* ---- of a net ---- */

static Model *toy(void) {
    RtError err = {.code = RT_OK};
    Model *m = model_parse(toy_model, "{}", NULL, TOY_KERNELS, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(m);
    return m;
}

/* Parameters in storage form, element e of the logical one being e + first. */
static void fill(const ModelParam *param, int n, float *region, float first) {
    float logical[TOY_IN * TOY_OUT];
    for (int i = 0; i < n; i++) {
        for (int64_t e = 0; e < param[i].elements; e++) logical[e] = (float)e + first;
        pack(&param[i].form, logical, region + param[i].offset / 4);
    }
}

static int read_code(const Model *m, const Globs *except, float *params) {
    RtError err = {.code = RT_OK};
    SafeFile *f = safe_open(path, &err);
    if (f) weights_read(m, f, except, WEIGHTS_TO_TRAIN, params, &err);
    safe_close(f);
    return err.code;
}

static void test_round_trip(void) {
    Model *m = toy();
    float params[208] = {0}, state[208] = {0}, params2[208], state2[208];
    RtError err = {.code = RT_OK};
    json_t *extra = json_pack("{s:s}", "labels", "[\"cat\",\"dog\",\"eel\"]");
    fill(m->param, m->n_param, params, 1);
    fill(m->state, m->n_state, state, 1000);
    unlink(path);
    mode_t mask = umask(027); /* which decides who may read a new file */
    CU_ASSERT(weights_write(m, params, state, path, extra, &err));
    umask(mask);
    SafeFile *f = safe_open(path, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT_EQUAL(f->data % 64, 0);
    CU_ASSERT(safe_check(f, &err));
    CU_ASSERT_STRING_EQUAL(safe_metadata(f, "net"), "toy");
    json_t *labels = weights_labels(m, f);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(labels, 2)), "eel");
    memset(params2, 0xff, sizeof params2);
    memset(state2, 0xff, sizeof state2);
    CU_ASSERT(weights_read(m, f, NULL, WEIGHTS_TO_TRAIN, params2, &err) && weights_read_state(m, f, state2, &err));
    CU_ASSERT_EQUAL(memcmp(params, params2, (size_t)m->param_bytes), 0);
    CU_ASSERT_EQUAL(memcmp(state, state2, (size_t)m->state_bytes), 0);
    struct stat st;
    CU_ASSERT_EQUAL(stat(path, &st), 0);
    CU_ASSERT_EQUAL(st.st_mode & 0777, 0640);
    json_decref(labels);
    json_decref(extra);
    safe_close(f);
    model_free(m);
}

/* Every bit of the data is under the checksum. */
static void test_bit_flips(void) {
    Model *m = toy();
    float params[208] = {0};
    RtError err = {.code = RT_OK};
    fill(m->param, m->n_param, params, 1);
    CU_ASSERT(weights_write(m, params, NULL, path, NULL, &err));
    int fd = open(path, O_RDWR), accepted = 0;
    CU_ASSERT_FATAL(fd >= 0);
    off_t end = lseek(fd, 0, SEEK_END);
    for (off_t at = end - TOY_OUT * (TOY_IN + 1) * 4; at < end; at += 7) {
        unsigned char byte, flipped;
        CU_ASSERT_EQUAL(pread(fd, &byte, 1, at), 1);
        flipped = (unsigned char)(byte ^ 1u << at % 8);
        CU_ASSERT_EQUAL(pwrite(fd, &flipped, 1, at), 1);
        accepted += read_code(m, NULL, params) == RT_OK;
        CU_ASSERT_EQUAL(pwrite(fd, &byte, 1, at), 1);
    }
    close(fd);
    CU_ASSERT_EQUAL(accepted, 0);
    CU_ASSERT_EQUAL(read_code(m, NULL, params), RT_OK);
    model_free(m);
}

/* Every length short of the whole is refused; no single flipped bit of the header crashes anything. */
static void test_damaged(void) {
    Model *m = toy();
    float params[208] = {0};
    RtError err = {.code = RT_OK};
    CU_ASSERT(weights_write(m, params, NULL, path, NULL, &err));
    FILE *f = fopen(path, "rb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    char good[4096], bad[4096];
    size_t n = fread(good, 1, sizeof good, f);
    fclose(f);
    CU_ASSERT_FATAL(n > 600 && n < sizeof good);
    for (size_t length = 0; length < n; length++) {
        write_bytes(good, length);
        CU_ASSERT_NOT_EQUAL(read_code(m, NULL, params), RT_OK);
    }
    for (size_t bit = 0; bit < 8 * (n - TOY_OUT * (TOY_IN + 1) * 4); bit++) {
        memcpy(bad, good, n);
        bad[bit / 8] = (char)(bad[bit / 8] ^ 1 << bit % 8);
        write_bytes(bad, n);
        read_code(m, NULL, params);
    }
    model_free(m);
}

static void test_other_net(void) {
    static const struct {
        const char *header;
        size_t data;
        int code;
    } files[] = {
        {"{\"fc.weight\":" F32("[3,48]", 0, 576) ",\"fc.bias\":" F32("[3]", 576, 588) "}", 588, RT_OK},
        {"{\"fc.weight\":" F32("[3,3,4,4]", 0, 576) ",\"fc.bias\":" F32("[3]", 576, 588) "}", 588,
         RT_OK}, /* unfolded */
        {"{\"fc.weight\":" F32("[48,3]", 0, 576) ",\"fc.bias\":" F32("[3]", 576, 588) "}", 588,
         RT_DATA}, /* transposed */
        {"{\"fc.weight\":" F32("[3,40]", 0, 480) ",\"fc.bias\":" F32("[3]", 480, 492) "}", 492, RT_DATA},
        {"{\"fc.weight\":" F32("[3,48]", 0, 576) "}", 576, RT_DATA}, /* missing */
        {"{\"fc.weight\":" F32("[3,48]", 0, 576) ",\"fc.bias\":" F32("[3]", 576, 588) ",\"x\":" F32("[]", 588, 592) "}",
         592, RT_DATA},
        {"{\"fc.weight\":" F32("[3,48]", 0, 576) ",\"fc.bias\":" F32("[3]", 576, 588)
             ",\"bn.num_batches_tracked\":" F32("[]", 588, 592) "}",
         592, RT_OK},
        {"{\"fc.weight\":{\"dtype\":\"I32\",\"shape\":[3,48],\"data_offsets\":[0,576]},\"fc.bias\":" F32("[3]", 576,
                                                                                                         588) "}",
         588, RT_DATA},
        {"{}", 0, RT_DATA},
    };
    Model *m = toy();
    float params[208];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        write_file(strlen(files[i].header), files[i].header, strlen(files[i].header), files[i].data);
        CU_ASSERT_EQUAL(read_code(m, NULL, params), files[i].code);
    }
    static const struct { const char *glob; int code; } except[] = {
        {"fc.*", RT_OK}, {"fc", RT_OK}, {"f?", RT_OK}, {"*", RT_OK}, {"f", RT_DATA}, {"weight", RT_DATA}, {"fc.weight.x", RT_DATA}};
    params[0] = 42;
    for (size_t i = 0; i < sizeof except / sizeof except[0]; i++) { /* the empty file, of which nothing may be needed */
        const char *glob[] = {except[i].glob};
        CU_ASSERT_EQUAL(read_code(m, &(Globs){glob, 1}, params), except[i].code);
    }
    CU_ASSERT_EQUAL(read_code(m, &(Globs){(const char *[]){"fc.*", "cf.*"}, 2}, params), RT_DATA); /* of no use, so a slip */
    CU_ASSERT_EQUAL(params[0], 42);
    model_free(m);
}

/* A head that only training has: a file without it is one to infer with, and none to train with. */
static void test_training_alone(void) {
    static const char header[] = "{\"fc.weight\":" F32("[3,48]", 0, 576) "}";
    Model *m = toy();
    RtError err = {.code = RT_OK};
    float params[208];
    memset(params, 0xff, sizeof params);
    for (int i = 0; i < m->n_param; i++) m->param[i].train = strcmp(m->param[i].name, "fc.bias") == 0;
    write_file(sizeof header - 1, header, sizeof header - 1, 576);
    CU_ASSERT_EQUAL(read_code(m, NULL, params), RT_DATA);
    SafeFile *f = safe_open(path, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT(weights_read(m, f, NULL, WEIGHTS_TO_INFER, params, &err));
    for (int i = 0; i < m->n_param; i++)
        if (m->param[i].train) CU_ASSERT(isnan(params[m->param[i].offset / 4])); /* inference has no room for it */
    safe_close(f);
    model_free(m);
}

static void test_differences_are_named(void) {
    static const char header[] = "{\"fc.weight\":" F32("[48,3]", 0, 576) ",\"head\":" F32("[]", 576, 580) "}";
    Model *m = toy();
    RtError err = {.code = RT_OK};
    float params[208];
    write_file(sizeof header - 1, header, sizeof header - 1, 580);
    SafeFile *f = safe_open(path, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT(!weights_read(m, f, NULL, WEIGHTS_TO_TRAIN, params, &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "1 missing: fc.bias"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "1 not of this net: head"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "fc.weight (net [3,48], file [48,3])"));
    safe_close(f);
    model_free(m);
}

/* Neither read nor written; what was there stays. */
static void test_not_finite(void) {
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    Model *m = toy();
    float params[208] = {0};
    RtError err = {.code = RT_OK};
    CU_ASSERT(weights_write(m, params, NULL, path, NULL, &err));
    for (int i = 0; i < 3; i++) {
        RtError why = {.code = RT_OK};
        params[5] = bad[i];
        CU_ASSERT(!weights_write(m, params, NULL, path, NULL, &why));
        CU_ASSERT_EQUAL(why.code, RT_NOT_FINITE);
        CU_ASSERT_EQUAL(read_code(m, NULL, params), RT_OK);
        CU_ASSERT_EQUAL(params[5], 0);
    }
    static const char header[] = "{\"fc.weight\":" F32("[3,48]", 0, 576) ",\"fc.bias\":" F32("[3]", 576, 588) "}";
    write_file(sizeof header - 1, header, sizeof header - 1, 584);
    FILE *f = fopen(path, "ab");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fwrite(&bad[0], 4, 1, f);
    fclose(f);
    CU_ASSERT_EQUAL(read_code(m, NULL, params), RT_NOT_FINITE);
    model_free(m);
}

static void test_cannot_write(void) {
    Model *m = toy();
    float params[208] = {0};
    static const char *const where[] = {"/nowhere/at/all", "/dev/full", "/tmp", "/proc/x"};
    for (size_t i = 0; i < sizeof where / sizeof where[0]; i++) {
        RtError err = {.code = RT_OK};
        CU_ASSERT(!weights_write(m, params, NULL, where[i], NULL, &err));
        CU_ASSERT_EQUAL(err.code, RT_NO_OUTPUT);
    }
    model_free(m);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("weights", make_folder, remove_folder);
    CU_add_test(suite, "rules", test_rules);
    CU_add_test(suite, "header length", test_header_length);
    CU_add_test(suite, "deep header", test_deep_header);
    CU_add_test(suite, "not a file", test_not_a_file);
    CU_add_test(suite, "shrinking file", test_shrinking_file);
    CU_add_test(suite, "round trip", test_round_trip);
    CU_add_test(suite, "bit flips", test_bit_flips);
    CU_add_test(suite, "damaged", test_damaged);
    CU_add_test(suite, "other net", test_other_net);
    CU_add_test(suite, "training alone", test_training_alone);
    CU_add_test(suite, "differences are named", test_differences_are_named);
    CU_add_test(suite, "not finite", test_not_finite);
    CU_add_test(suite, "cannot write", test_cannot_write);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures() + CU_get_number_of_suites_failed();
    CU_cleanup_registry();
    return failed > 0;
}
