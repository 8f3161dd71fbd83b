#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
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

/* Signals end a child although they wait here (ir/files.h). */
static int spawn(pid_t *pid, const posix_spawn_file_actions_t *actions, char *const *argv) {
    posix_spawnattr_t attr;
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    int error = posix_spawnp(pid, argv[0], actions, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    return error;
}

static int run(char *const *argv) {
    const char *linker = argv[0];
    pid_t pid;
    int error = spawn(&pid, NULL, argv);
    if (error == ENOENT)
        return complain("cannot run `%s`: not found; install gcc or use --linker=, or -c to stop at the object",
                        linker);
    if (error) return complain("cannot run `%s`: %s", linker, strerror(error));
    return wait_for(linker, pid);
}

/* A runtime that was built with sanitizers needs them linked in; they bring their own dynamic libraries. */
#ifdef CNNC_SANITIZE
static const char *const sanitize = "-fsanitize=address,undefined";
#else
static const char *const sanitize = NULL;
#endif

/* Whether the driver knows of the file, as it says by its whole path; true if the driver cannot be asked. */
static bool finds(Arena *a, const char *driver, const char *file) {
    char *argv[] = {as_file(a, driver), arena_printf(a, "-print-file-name=%s", file), NULL}, said[4096];
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int end[2];
    if (pipe2(end, O_CLOEXEC)) return true;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, end[1], STDOUT_FILENO);
    bool asked = !spawn(&pid, &actions, argv);
    posix_spawn_file_actions_destroy(&actions);
    close(end[1]);
    ssize_t n = asked ? read(end[0], said, sizeof said) : 0;
    close(end[0]);
    int status = 1;
    if (asked)
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    return n <= 0 || status || memchr(said, '/', (size_t)n);
}

static bool finds_openblas(Arena *a, const char *driver) {
    return finds(a, driver, "libopenblas.so") || finds(a, driver, "libopenblas.a");
}

static int link_with(Arena *a, const char *driver, const Linking *l, const char *dir) {
    static const char *const tail[] = {"-Wl,-Bstatic",  "-ljpeg", "-lpng",     "-ljansson",        "-lz",
                                       "-Wl,-Bdynamic", "-lm",    "-lpthread", "-Wl,--gc-sections"};
    char *argv[9 + LINK_OBJECTS_MAX + ARRAY_LEN(tail)], *file = as_file(a, driver);
    int k = 0;
    argv[k++] = file;
    if (sanitize) argv[k++] = arena_strdup(a, sanitize);
    argv[k++] = arena_strdup(a, "-o");
    argv[k++] = as_file(a, l->out);
    for (int i = 0; i < l->n_object; i++) argv[k++] = as_file(a, l->object[i]);
    argv[k++] = arena_printf(a, "%s/libcnncrt_main.a", dir);
    argv[k++] = arena_printf(a, "%s/libcnncrt.a", dir);
    for (int i = 0; i < ARRAY_LEN(tail); i++) argv[k++] = arena_strdup(a, tail[i]);
    if (l->blas) argv[k++] = arena_strdup(a, "-lopenblas");
    argv[k] = NULL;
    return run(argv);
}

int link_program(const Linking *l) {
    Arena *a = arena_new();
    const char *dir = as_file(a, l->runtime_dir), *driver = l->linker ? l->linker : "cc";
    int code;
    if (access(arena_printf(a, "%s/libcnncrt_main.a", dir), R_OK) ||
        access(arena_printf(a, "%s/libcnncrt.a", dir), R_OK))
        code = complain("cannot read the runtime in %s: %s", dir, strerror(errno));
    else if (l->blas && !finds_openblas(a, driver))
        code = complain("-fblas needs OpenBLAS, and `%s` does not find it; install libopenblas-dev or use -fblas=never",
                        driver);
    else
        code = link_with(a, driver, l, dir);
    arena_free(a);
    return code;
}
