/* The commands of a program, called in this process on the hand-written net and pictures made on the spot: training
 * does what it should, a run that was cut and resumed is the uninterrupted one byte for byte, and mistakes leave
 * nothing behind. */
#include <CUnit/Basic.h>
#include <dirent.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pictures.h"
#include "runtime/cli.h"
#include "runtime/safetensors.h"
#include "runtime/signals.h"
#include "toy_net.h"

static Model *model;
static char second_epoch[64]; /* of an uninterrupted run */
static int class_drawn;

/* The channel of its class is bright; the rest is noise that depends on the place. */
static uint8_t paint_class(int x, int y, int c, int w, int h) {
    (void)w, (void)h;
    return (uint8_t)((c == class_drawn ? 130 : 10) + (x * 31 + y * 17 + c * 53) % 90);
}

static void make_pictures(const char *part, int n) {
    static const char *const name[] = {"ant", "bee", "cat"};
    char file[64];
    for (class_drawn = 0; class_drawn < 3; class_drawn++)
        for (int i = 0; i < n; i++) {
            snprintf(file, sizeof file, "data/%s/%s/%02d.png", part, name[class_drawn], i);
            pic_png(pic_path(file), (PicPng){.width = 4 + i % 3, .height = 4 + i % 2, .type = PNG_COLOR_TYPE_RGB},
                    paint_class);
        }
}

static int set_up(void) {
    RtError err = {.code = RT_OK};
    model = model_parse(toy_model, "{}", NULL, TOY_KERNELS, &err);
    if (!model || !pic_begin() || chdir(pic_root) != 0) return 1;
    make_pictures("train", 9); /* 27 pictures: 6 batches of 4, one of 3 */
    make_pictures("test", 4);
    return 0;
}

static int tear_down(void) {
    model_free(model);
    pic_end();
    return chdir("/");
}

/* Runs the command line with stdout and stderr in the file "log"; returns the exit code, *why is its message. */
__attribute__((sentinel)) static int run(RtError *why, ...) {
    Context c = {.model = model, .kernel = toy_kernel, .program = "toy", .folder = NULL};
    const char *argument[32] = {"toy"};
    int n = 1, out = dup(1), errors = dup(2);
    va_list args;
    va_start(args, why);
    while (n < 31 && (argument[n] = va_arg(args, const char *))) n++;
    va_end(args);
    char *argv[32];
    memcpy(argv, argument, sizeof argv);
    fflush(stdout);
    FILE *log = fopen("log", "w");
    if (!log) abort();
    dup2(fileno(log), 1);
    dup2(fileno(log), 2);
    *why = (RtError){.code = RT_OK};
    signals_stop = 0;
    int code = cli_main(&c, n, argv, why);
    fflush(stdout);
    dup2(out, 1);
    dup2(errors, 2);
    close(out);
    close(errors);
    fclose(log);
    return code;
}

static bool same_file(const char *a, const char *b) {
    size_t n = 0, m = 0;
    if (access(a, R_OK) || access(b, R_OK)) return false;
    uint8_t *x = pic_slurp(a, &n), *y = pic_slurp(b, &m);
    bool same = n == m && n > 0 && memcmp(x, y, n) == 0;
    free(x);
    free(y);
    return same;
}

static int count_files(const char *folder) {
    int n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) n += e->d_name[0] != '.';
    if (d) closedir(d);
    return n;
}

static bool log_has(const char *text) {
    size_t n;
    uint8_t *log = pic_slurp("log", &n);
    bool found = memmem(log, n, text, strlen(text)) != NULL;
    free(log);
    return found;
}

/* What the log says of an epoch's loss and accuracy. */
static void epoch_figures(const char *epoch, char figures[64]) {
    size_t n;
    uint8_t *log = pic_slurp("log", &n);
    const char *at = memmem(log, n, epoch, strlen(epoch));
    snprintf(figures, 64, "%.40s", at ? at : "");
    free(log);
}

static void test_trains(void) {
    RtError why;
    CU_ASSERT_EQUAL(run(&why, "train", "--data", "data", "--out", "whole", "-t1", NULL), RT_OK);
    CU_ASSERT(log_has("epoch 3/3"));
    CU_ASSERT_EQUAL(toy_key[0], 7);
    CU_ASSERT_EQUAL(toy_key[1], 20);
    epoch_figures("epoch 2/3  loss", second_epoch);
    CU_ASSERT(!log_has("epoch 1/3  loss 0.0") && strstr(second_epoch, "loss 0.0")); /* figures are of one epoch */
    CU_ASSERT_EQUAL(count_files("whole"), 3);
    CU_ASSERT_EQUAL(run(&why, "eval", "--data=data", "--weights", "whole/toy.safetensors", "--json", NULL), RT_OK);
    CU_ASSERT(log_has("\"top1\": 1.0"));
    CU_ASSERT_EQUAL(run(&why, "predict", "-k1", "-w", "whole/toy.safetensors", "data/test/bee/00.png", NULL), RT_OK);
    CU_ASSERT(log_has("%  bee") && !log_has("cat"));
}

static void test_threads_do_not_matter(void) {
    RtError why;
    CU_ASSERT_EQUAL(run(&why, "train", "--data", "data", "--out", "threads", "--threads=3", NULL), RT_OK);
    CU_ASSERT(same_file("whole/toy.safetensors", "threads/toy.safetensors"));
    CU_ASSERT_EQUAL(run(&why, "train", "--data", "data", "--out", "seed", "--seed", "8", NULL), RT_OK);
    CU_ASSERT(!same_file("whole/toy.safetensors", "seed/toy.safetensors"));
}

/* Cut after 2 steps, in the middle of the second epoch, right at its end, and once more with nothing left to do. */
static void test_resume(void) {
    static const char *const steps[] = {"2", "10", "14", "15", "21", "21"};
    RtError why;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        char figures[64];
        CU_ASSERT_EQUAL(run(&why, "train", "--data", "data", "--out", "cut", "--resume", "--steps", steps[i], NULL),
                        RT_OK);
        epoch_figures("epoch 2/3  loss", figures); /* of a whole one: of a part its share comes first */
        if (figures[0]) CU_ASSERT_STRING_EQUAL(figures, second_epoch);
    }
    CU_ASSERT(log_has("nothing to do"));
    CU_ASSERT(same_file("whole/toy.safetensors", "cut/toy.safetensors"));
    CU_ASSERT(same_file("whole/toy.checkpoint.safetensors", "cut/toy.checkpoint.safetensors"));
    CU_ASSERT_EQUAL(run(&why, "train", "--data", "data", "--out", "cut", "--resume", "--seed", "9", NULL), RT_DATA);
    CU_ASSERT_EQUAL(run(&why, "train", "--data", "data", "--out", "cut", "--resume", "--batch", "3", NULL), RT_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "batch"));
}

/* Trains into `out`, with SIGTERM at some time in every run, until the training ends by itself; how often it was
 * stopped. */
static int train_with_signals(const char *out) {
    RtError why;
    int code = RT_STOPPED, stops = 0;
    for (int i = 0; i < 200 && code == RT_STOPPED; i++) {
        pid_t child = fork();
        if (child == 0) {
            usleep((useconds_t)(3000 + i * 1700 % 40000));
            kill(getppid(), SIGTERM);
            _exit(0);
        }
        signal(SIGTERM, SIG_IGN); /* until the training catches it */
        code = run(&why, "train", "--data", "data", "--out", out, "--epochs", "120", "--resume", NULL);
        stops += code == RT_STOPPED;
        signal(SIGTERM, SIG_IGN);
        kill(child, SIGKILL);
        while (child > 0 && waitpid(child, NULL, 0) != child) {}
    }
    signal(SIGTERM, SIG_DFL);
    CU_ASSERT_EQUAL(code, RT_OK);
    return stops;
}

/* On a busy machine a whole training may pass before its signal comes: such a try shows nothing and is made again. */
static void test_signals(void) {
    RtError why;
    char out[32], file[64];
    int stops = 0;
    CU_ASSERT_EQUAL(run(&why, "train", "--data", "data", "--out", "long", "--epochs", "120", NULL), RT_OK);
    for (int i = 0; i < 50 && stops == 0; i++) {
        snprintf(out, sizeof out, "stopped%d", i);
        snprintf(file, sizeof file, "%s/toy.checkpoint.safetensors", out);
        stops = train_with_signals(out);
        CU_ASSERT(same_file("long/toy.checkpoint.safetensors", file));
        CU_ASSERT_EQUAL(count_files(out), 3);
    }
    CU_ASSERT(stops > 0);
}

/* A loss that is not finite ends the training and leaves the files of the run before alone. */
static void test_not_finite(void) {
    RtError why;
    CU_ASSERT_EQUAL(run(&why, "train", "--data", "data", "--out", "nan", "--steps", "3", NULL), RT_OK);
    CU_ASSERT_EQUAL(run(&why, "train", "--data", "data", "--out", "nan", "--lr", "1e38", NULL), RT_NOT_FINITE);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "step "));
    CU_ASSERT_EQUAL(run(&why, "train", "--data", "data", "--out", "three", "--steps", "3", NULL), RT_OK);
    CU_ASSERT(same_file("nan/toy.safetensors", "three/toy.safetensors"));
}

static void test_mistakes(void) {
    RtError why;
    CU_ASSERT_EQUAL(run(&why, "train", "--data", "nowhere", "--out", "none", NULL), RT_NO_INPUT);
    CU_ASSERT_EQUAL(run(&why, "train", "--out", "none", NULL), RT_USAGE);
    CU_ASSERT_EQUAL(run(&why, "train", "--data", "data", "--out", "data/train/ant/00.png", NULL), RT_NO_OUTPUT);
    CU_ASSERT_EQUAL(run(&why, "train", "--data", "data", "--batch", "5", NULL), RT_USAGE);
    CU_ASSERT_EQUAL(run(&why, "train", "--data", "data", "--weights", "log", "--out", "w", NULL), RT_DATA);
    CU_ASSERT_EQUAL(count_files("w"), 0);
    CU_ASSERT_EQUAL(run(&why, "train", "extra", NULL), RT_USAGE);
    CU_ASSERT_EQUAL(run(&why, "train", "--epoch", "3", NULL), RT_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "--epochs"));
    CU_ASSERT_EQUAL(run(&why, "train", "--epochs", "3x", NULL), RT_USAGE);
    CU_ASSERT_EQUAL(run(&why, "train", "--epochs", NULL), RT_USAGE);
    CU_ASSERT_EQUAL(run(&why, "train", "--resume=yes", NULL), RT_USAGE);
    CU_ASSERT_EQUAL(run(&why, "trian", NULL), RT_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "train"));
    CU_ASSERT_EQUAL(run(&why, NULL), RT_USAGE);
    CU_ASSERT_EQUAL(run(&why, "predict", NULL), RT_USAGE);
    CU_ASSERT_EQUAL(run(&why, "predict", "data/test/ant/00.png", NULL), RT_NO_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "no weights"));
    CU_ASSERT_EQUAL(run(&why, "export", "-o", "none", NULL), RT_NO_INPUT);
    CU_ASSERT_EQUAL(run(&why, "eval", "--data", "data", NULL), RT_NO_INPUT);
    CU_ASSERT_EQUAL(run(&why, "predict", "-w", "whole/toy.safetensors", "none.png", NULL), RT_NO_INPUT);
    CU_ASSERT_EQUAL(run(&why, "predict", "-w", "whole/toy.safetensors", "none.png", "data/test/ant/00.png", "log", NULL), RT_DATA);
    CU_ASSERT(log_has("none.png") && log_has("data/test/ant/00.png\n"));
    CU_ASSERT_EQUAL(run(&why, "export", NULL), RT_USAGE);
    CU_ASSERT_EQUAL(run(&why, "bench", "--batch", "1,9", NULL), RT_USAGE);
    CU_ASSERT_EQUAL(access("none", F_OK), -1);
}

static void test_other_commands(void) {
    RtError why;
    CU_ASSERT_EQUAL(run(&why, "info", NULL), RT_OK);
    CU_ASSERT(log_has("parameters  147") && log_has("memory"));
    CU_ASSERT_EQUAL(run(&why, "info", "--source", NULL), RT_OK);
    CU_ASSERT(log_has("net toy\n"));
    CU_ASSERT_EQUAL(run(&why, "info", "--json", NULL), RT_OK);
    CU_ASSERT(log_has("\"params_total\": 147") && log_has("\"programs\": {"));
    CU_ASSERT_EQUAL(run(&why, "--help", NULL), RT_OK);
    CU_ASSERT(log_has("predict"));
    CU_ASSERT_EQUAL(run(&why, "train", "--help", NULL), RT_OK);
    CU_ASSERT(log_has("--replay"));
    CU_ASSERT_EQUAL(run(&why, "export", "--init", "-o", "a.safetensors", NULL), RT_OK);
    CU_ASSERT_EQUAL(run(&why, "export", "-w", "a.safetensors", "-ob.safetensors", NULL), RT_OK);
    CU_ASSERT(same_file("a.safetensors", "b.safetensors"));
}

/* Two batches and their scores from a file; the same steps again give the same losses. */
static void test_replay(void) {
    SafeTensor tensor[] = {{.name = "images.0", .dtype = "F32", .rank = 4, .shape = {4, 3, 4, 4}},
                           {.name = "images.1", .dtype = "F32", .rank = 4, .shape = {2, 3, 4, 4}},
                           {.name = "images", .dtype = "F32", .rank = 4, .shape = {19, 3, 4, 4}},
                           {.name = "labels.0", .dtype = "I32", .rank = 1, .shape = {4}},
                           {.name = "labels.1", .dtype = "I64", .rank = 1, .shape = {2}}};
    const int32_t label0[4] = {0, 1, 2, 1};
    const int64_t label1[2] = {2, 0};
    float x[25 * TOY_IN];
    RtError why = {.code = RT_OK};
    for (int i = 0; i < 25 * TOY_IN; i++) x[i] = (float)(i * 29 % 83) / 41 - 1;
    SafeWriter *w = safe_create("replay.safetensors", tensor, 5, NULL, &why);
    CU_ASSERT_PTR_NOT_NULL_FATAL(w);
    CU_ASSERT(safe_write(w, x, sizeof x, &why) && safe_write(w, label0, sizeof label0, &why) &&
              safe_write(w, label1, sizeof label1, &why) && safe_commit(w, &why));
    CU_ASSERT_EQUAL(run(&why, "train", "--replay", "replay.safetensors", "--lr", "0.1", "--out", ".", NULL), RT_OK);
    CU_ASSERT(log_has("step 1 loss ") && log_has("step 2 loss ") && !log_has("step 3"));
    CU_ASSERT_EQUAL(run(&why, "predict", "--replay", "replay.safetensors", "--scores", "s.safetensors", NULL), RT_OK);
    SafeFile *f = safe_open("s.safetensors", &why);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT_EQUAL(safe_find(f, "scores")->shape[0], 19);
    CU_ASSERT_EQUAL(safe_find(f, "scores")->shape[1], 3);
    safe_close(f);
    CU_ASSERT_EQUAL(run(&why, "train", "--replay", "s.safetensors", NULL), RT_DATA);
    unlink("toy.safetensors");
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("train", set_up, tear_down);
    CU_add_test(suite, "trains", test_trains);
    CU_add_test(suite, "threads do not matter", test_threads_do_not_matter);
    CU_add_test(suite, "resume", test_resume);
    CU_add_test(suite, "signals", test_signals);
    CU_add_test(suite, "not finite", test_not_finite);
    CU_add_test(suite, "mistakes", test_mistakes);
    CU_add_test(suite, "other commands", test_other_commands);
    CU_add_test(suite, "replay", test_replay);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures() + CU_get_number_of_suites_failed();
    CU_cleanup_registry();
    return failed > 0;
}
