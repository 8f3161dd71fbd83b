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
#define SANITIZE_OPTION "-fsanitize=address,undefined",
#else
#define SANITIZE_OPTION
#endif

int link_program(const char *object, const char *out, const char *runtime_dir, const char *linker) {
    Arena *a = arena_new();
    char *driver = as_file(a, linker ? linker : "cc"), *dir = as_file(a, runtime_dir);
    char *main_part = arena_printf(a, "%s/libcnncrt_main.a", dir), *rest = arena_printf(a, "%s/libcnncrt.a", dir);
    int code;
    if (access(main_part, R_OK) || access(rest, R_OK)) {
        code = complain("cannot read the runtime in %s: %s", dir, strerror(errno));
    } else {
        const char *const argv[] = {driver, SANITIZE_OPTION "-o", as_file(a, out), as_file(a, object), main_part, rest,
                                    "-Wl,-Bstatic", "-ljpeg", "-lpng", "-ljansson", "-lz", "-Wl,-Bdynamic", "-lm", "-lpthread",
                                    "-Wl,--gc-sections", NULL};
        char *copy[ARRAY_LEN(argv)];
        memcpy(copy, argv, sizeof argv);
        code = run(driver, copy);
    }
    arena_free(a);
    return code;
}
