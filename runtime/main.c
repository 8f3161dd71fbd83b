/* The main program of every net that cnnc compiles: the only file that knows the generated symbols, and the only one
 * that prints errors and exits. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "cpu.h"
#include "process.h"

static void print_error(const char *program, const RtError *err) {
    fprintf(stderr, "%s: %s", program, err->code == RT_STOPPED ? "" : "error: ");
    rt_show(stderr, err->text);
    if (err->code == RT_INTERNAL) fputs("\nThis is a bug in cnnc; please report it.", stderr);
    fputc('\n', stderr);
}

/* Splits the path of this program's file into folder and name, both in `path`. */
static void find_program(const char *argv0, char path[PATH_MAX], Context *c) {
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);
    if (n > 0)
        path[n] = '\0';
    else
        snprintf(path, PATH_MAX, "%s", argv0 ? argv0 : "");
    char *slash = strrchr(path, '/');
    c->program = slash ? slash + 1 : path;
    if (!slash) return;
    *slash = '\0';
    c->folder = slash == path ? "/" : path;
}

static int run(Context *c, int argc, char **argv, RtError *err) {
    const CnncVariant *v = cpu_choose(cnnc_variant, cnnc_n_variant, getenv("CNNC_ISA"), err);
    Model *m = v ? model_parse(cnnc_model, v->plan, cli_trains(argc, argv) ? v->training : NULL, v->n_kernel, err) : NULL;
    if (!m) return err->code;
    c->model = m;
    c->kernel = v->kernel;
    int code = cli_main(c, argc, argv, err);
    model_free(m);
    return code;
}

int main(int argc, char **argv) {
    static char path[PATH_MAX];
    RtError err = {.code = RT_OK};
    Context c = {.variant = cnnc_variant, .n_variant = cnnc_n_variant};
    process_prepare();
    find_program(argc ? argv[0] : NULL, path, &c);
    int code = run(&c, argc, argv, &err);
    if (fflush(stdout) != 0 || ferror(stdout))
        code = rt_fail(&err, RT_IO, "cannot write to stdout: %s", strerror(errno));
    if (err.code) print_error(c.program, &err);
    return err.code ? err.code : code;
}
