/* See tune_cache.h. */
#include "tune_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../ir/files.h"

enum { FILE_MOST = 1 << 20, LINE_MOST = 300, ENTRIES_MOST = 4096 };

typedef struct CacheLine {
    Name key;
    TunedConv conv;
} CacheLine;

struct TuneCache {
    Arena *arena;
    Name key;
    const char *folder[2], *path; /* folders to make, the outer one first */
    CacheLine *line;
    int32_t n, cap;
};

/* The environment's folder counts if it is absolute, as its specification asks. */
static void find_path(TuneCache *c) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && *cache == '/')
        c->folder[0] = arena_strdup(c->arena, cache);
    else if (home && *home == '/')
        c->folder[0] = arena_printf(c->arena, "%s/.cache", home);
    else
        return;
    c->folder[1] = arena_printf(c->arena, "%s/cnnc", c->folder[0]);
    c->path = arena_printf(c->arena, "%s/tune", c->folder[1]);
}

/* The whole file as a text, NULL if it is not to be trusted. */
static char *read_text(Arena *a, const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return NULL;
    struct stat s;
    bool mine = !fstat(fd, &s) && S_ISREG(s.st_mode) && s.st_uid == geteuid() && !(s.st_mode & 022);
    char *text = NULL;
    if (mine && s.st_size <= FILE_MOST) {
        text = arena_alloc(a, (size_t)s.st_size + 1);
        ssize_t n = read(fd, text, (size_t)s.st_size);
        text[n > 0 ? n : 0] = 0;
    }
    close(fd);
    return text;
}

static void add_line(TuneCache *c, Name key, const TunedConv *conv) {
    for (int32_t i = 0; i < c->n; i++)
        if (c->line[i].key == key && c->line[i].conv.shape == conv->shape) {
            c->line[i].conv = *conv;
            return;
        }
    if (c->n < ENTRIES_MOST) PUSH(c->arena, c->line, c->n, c->cap, ((CacheLine){key, *conv}));
}

static bool is_word(const char *s) {
    for (; *s; s++)
        if (*s <= ' ' || *s > '~') return false;
    return true;
}

static void read_line(TuneCache *c, const char *line) {
    char key[129], shape[129];
    int tile, band, end = 0;
    double us;
    if (sscanf(line, "%128s %128s %d %d %lf%n", key, shape, &tile, &band, &us, &end) != 5 || line[end]) return;
    if (!is_word(key) || !is_word(shape) || tile < 0 || tile > 8 || band < 0 || !(us > 0 && us < 1e9)) return;
    add_line(c, name_of(key), &(TunedConv){name_of(shape), tile, band, us});
}

TuneCache *tune_cache_read(Arena *a, Name key) {
    TuneCache *c = NEW(a, TuneCache);
    *c = (TuneCache){.arena = a, .key = key};
    find_path(c);
    char *text = c->path ? read_text(a, c->path) : NULL;
    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        if (strlen(line) < LINE_MOST) read_line(c, line);
    }
    return c;
}

const char *tune_cache_path(const TuneCache *c) { return c->path; }

const TunedConv *tune_cache_find(const TuneCache *c, Name shape) {
    for (int32_t i = 0; i < c->n; i++)
        if (c->line[i].key == c->key && c->line[i].conv.shape == shape) return &c->line[i].conv;
    return NULL;
}

void tune_cache_add(TuneCache *c, const TunedConv *conv) { add_line(c, c->key, conv); }

static bool write_lines(const TuneCache *c, const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    if (!f) {
        if (fd >= 0) close(fd);
        return false;
    }
    for (int32_t i = 0; i < c->n; i++) {
        const TunedConv *t = &c->line[i].conv;
        fprintf(f, "%s %s %d %d %.2f\n", c->line[i].key, t->shape, t->tile, t->band, t->microseconds);
    }
    bool good = !ferror(f);
    return !fclose(f) && good;
}

/* By way of a temporary file, so that compilers that run at the same time see whole files. */
bool tune_cache_write(const TuneCache *c) {
    if (!c->path) {
        errno = ENOENT;
        return false;
    }
    for (int i = 0; i < 2; i++)
        if (mkdir(c->folder[i], 0700) && errno != EEXIST) return false;
    const char *temporary = arena_printf(c->arena, "%s.tmp%ld", c->path, (long)getpid());
    sigset_t before;
    files_hold(&before);
    bool good = write_lines(c, temporary) && !rename(temporary, c->path);
    int why = errno;
    if (!good) unlink(temporary);
    files_release(&before);
    errno = why;
    return good;
}
