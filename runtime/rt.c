#include "rt.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int rt_fail(RtError *err, int code, const char *format, ...) {
    if (!err || err->code != RT_OK) return code;
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    err->code = code;
    return code;
}

bool rt_mul(size_t a, size_t b, size_t *result) {
    size_t product;
    if (__builtin_mul_overflow(a, b, &product)) return false;
    *result = product;
    return true;
}

void *rt_alloc(size_t count, size_t size, RtError *err) {
    void *memory = calloc(count ? count : 1, size ? size : 1);
    if (!memory) rt_fail(err, RT_OS, "out of memory: %zu x %zu bytes", count, size);
    return memory;
}

void *rt_alloc_aligned(size_t count, size_t size, RtError *err) {
    enum { LINE = 64 };
    size_t bytes, padded;
    void *memory = NULL;
    if (rt_mul(count, size, &bytes) && !__builtin_add_overflow(bytes, LINE, &padded))
        memory = aligned_alloc(LINE, padded / LINE * LINE);
    if (!memory) rt_fail(err, RT_OS, "out of memory: %zu x %zu bytes", count, size);
    return memory;
}

bool rt_reserve(void *array, size_t *capacity, size_t need, size_t size, RtError *err) {
    enum { FIRST = 16 };
    if (need <= *capacity) return true;
    size_t grown = *capacity < FIRST ? FIRST : *capacity, bytes;
    while (grown < need && rt_mul(grown, 2, &grown))
        ;
    void *old, *memory = NULL;
    memcpy(&old, array, sizeof old);
    if (grown >= need && rt_mul(grown, size, &bytes)) memory = realloc(old, bytes);
    if (!memory) {
        rt_fail(err, RT_OS, "out of memory: %zu x %zu bytes", need, size);
        return false;
    }
    memcpy(array, &memory, sizeof memory);
    *capacity = grown;
    return true;
}

char *rt_copy_text(const char *text, RtError *err) {
    char *copy = strdup(text);
    if (!copy) rt_fail(err, RT_OS, "out of memory: %zu bytes", strlen(text));
    return copy;
}

char *rt_join_path(const char *folder, const char *name, RtError *err) {
    size_t a = strlen(folder), b = strlen(name);
    char *path = rt_alloc(a + b + 2, 1, err);
    if (!path) return NULL;
    memcpy(path, folder, a);
    path[a] = '/';
    memcpy(path + a + 1, name, b + 1);
    return path;
}

int rt_open_plain(const char *path, RtError *err) {
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* not blocked by a pipe that nobody writes to */
    if (fd < 0 || fstat(fd, &st) != 0)
        rt_fail(err, RT_NO_INPUT, "%s: %m", path);
    else if (S_ISREG(st.st_mode))
        return fd;
    else
        rt_fail(err, RT_NO_INPUT, "%s: not a regular file%s", path, S_ISDIR(st.st_mode) ? " but a folder" : "");
    if (fd >= 0) close(fd);
    return -1;
}

FILE *rt_open_text(const char *path, RtError *err) {
    int fd = rt_open_plain(path, err);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
    if (fd < 0 || f) return f;
    rt_fail(err, RT_OS, "%s: %m", path);
    close(fd);
    return NULL;
}

void rt_show(FILE *to, const char *text) {
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte < 32 || byte == 127)
            fprintf(to, "\\x%02x", byte);
        else
            fputc(byte, to);
    }
}

double rt_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
