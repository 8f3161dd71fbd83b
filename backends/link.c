#include "link.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "../ir/base.h"

extern char **environ;

/* A file name that no driver takes for an option. */
static char *as_file(Arena *a, const char *path) {
    return path[0] == '-' ? arena_printf(a, "./%s", path) : arena_strdup(a, path);
}

__attribute__((format(printf, 1, 2))) static int complain(const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    fputs("cnnc: error: ", stderr);
    vfprintf(stderr, format, ap);
    fputc('\n', stderr);
    va_end(ap);
    return EX_OSERR;
}

static int wait_for(const char *linker, pid_t pid) {
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return complain("cannot wait for `%s`: %s", linker, strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
    if (WIFSIGNALED(status)) return complain("`%s` was killed: %s", linker, strsignal(WTERMSIG(status)));
    return complain("`%s` cannot link the program; its messages are above", linker);
}

static int run(const char *linker, char *const *argv) {
    pid_t pid;
    int error = posix_spawnp(&pid, linker, NULL, NULL, argv, environ);
    if (error == ENOENT)
        return complain("cannot run `%s`: not found; install gcc or use --linker=, or -c to stop at the object", linker);
    if (error) return complain("cannot run `%s`: %s", linker, strerror(error));
    return wait_for(linker, pid);
}

/* A runtime that was built with sanitizers needs them linked in; they bring their own dynamic libraries. */
#ifdef CNNC_SANITIZE
static const char *const sanitize = "-fsanitize=address,undefined";
#else
static const char *const sanitize = NULL;
#endif

static int link_with(Arena *a, const char *driver, const char *const *object, int n, const char *out, const char *dir) {
    static const char *const tail[] = {
        "-Wl,-Bstatic", "-ljpeg", "-lpng", "-ljansson", "-lz", "-Wl,-Bdynamic", "-lm", "-lpthread", "-Wl,--gc-sections"};
    char *argv[8 + LINK_OBJECTS_MAX + ARRAY_LEN(tail)], *file = as_file(a, driver);
    int k = 0;
    argv[k++] = file;
    if (sanitize) argv[k++] = arena_strdup(a, sanitize);
    argv[k++] = arena_strdup(a, "-o");
    argv[k++] = as_file(a, out);
    for (int i = 0; i < n; i++) argv[k++] = as_file(a, object[i]);
    argv[k++] = arena_printf(a, "%s/libcnncrt_main.a", dir);
    argv[k++] = arena_printf(a, "%s/libcnncrt.a", dir);
    for (int i = 0; i < ARRAY_LEN(tail); i++) argv[k++] = arena_strdup(a, tail[i]);
    argv[k] = NULL;
    return run(file, argv);
}

int link_program(const char *const *object, int n, const char *out, const char *runtime_dir, const char *linker) {
    Arena *a = arena_new();
    const char *dir = as_file(a, runtime_dir);
    int code;
    if (access(arena_printf(a, "%s/libcnncrt_main.a", dir), R_OK) || access(arena_printf(a, "%s/libcnncrt.a", dir), R_OK))
        code = complain("cannot read the runtime in %s: %s", dir, strerror(errno));
    else
        code = link_with(a, linker ? linker : "cc", object, n, out, dir);
    arena_free(a);
    return code;
}
