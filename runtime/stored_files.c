#include "stored_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

/* ---- bytes of a file, packed or not ---- */

typedef struct Reader {
    gzFile file;
    const char *path;
    size_t at; /* of the unpacked bytes */
} Reader;

static bool reader_open(Reader *r, const char *path, RtError *err) {
    *r = (Reader){.path = path};
    int fd = rt_open_plain(path, err);
    if (fd < 0) return false;
    if ((r->file = gzdopen(fd, "rb"))) return true;
    close(fd);
    return !rt_fail(err, RT_OS, "out of memory");
}

static void reader_close(Reader *r) {
    if (r->file) gzclose(r->file);
    *r = (Reader){0};
}

/* Reads n bytes, fewer only at the end: how many, or -1 and an error. n < 2^31. */
static int64_t reader_take(Reader *r, void *to, size_t n, RtError *err) {
    int code, got = gzread(r->file, to, (unsigned)n);
    if (got < 0) {
        const char *why = gzerror(r->file, &code);
        if (code == Z_ERRNO)
            rt_fail(err, RT_NO_INPUT, "%s: at byte %zu: %m", r->path, r->at);
        else
            rt_fail(err, RT_DATA, "%s: at byte %zu: %s", r->path, r->at, why);
        return -1;
    }
    r->at += (size_t)got;
    return got;
}

/* n bytes that have to be there: `what`. */
static bool reader_want(Reader *r, void *to, size_t n, const char *what, RtError *err) {
    int64_t got = reader_take(r, to, n, err);
    if (got < 0 || (size_t)got == n) return got >= 0;
    return !rt_fail(err, RT_DATA, "%s: the file ends at byte %zu, within %s", r->path, r->at, what);
}

/* Nothing may follow. Reading on also checks the sum at the end of a packed file, which may be cut, too. */
static bool reader_ends(Reader *r, RtError *err) {
    uint8_t more;
    int code;
    size_t at = r->at;
    int64_t got = reader_take(r, &more, 1, err);
    if (got < 0) return false;
    if (got > 0)
        return !rt_fail(err, RT_DATA, "%s: the file goes on at byte %zu, behind what it says it has", r->path, at);
    gzerror(r->file, &code);
    return code != Z_BUF_ERROR || !rt_fail(err, RT_DATA, "%s: at byte %zu: the packed file lacks its end", r->path, at);
}

/* ---- pictures ---- */

static size_t picture_bytes(const Stored *s) { return (size_t)s->planes * (size_t)s->height * (size_t)s->width; }

/* Room for one picture more, as they come: what a file says of their number is not believed. */
static bool make_room(Stored *s, RtError *err) {
    if (s->count >= STORED_MOST) return !rt_fail(err, RT_LIMIT, "%s: more than %d pictures", s->name, STORED_MOST);
    return rt_reserve(&s->pixel, &s->pixel_room, (s->count + 1) * picture_bytes(s), 1, err) &&
           rt_reserve(&s->label, &s->label_room, s->count + 1, 1, err);
}

static bool read_pixels(Stored *s, Reader *r, RtError *err) {
    char what[40];
    snprintf(what, sizeof what, "picture %zu", s->count);
    return reader_want(r, s->pixel + s->count * picture_bytes(s), picture_bytes(s), what, err);
}

/* ---- CIFAR ---- */

enum { CIFAR_SIDE = 32, CIFAR_FILES = 5 };

typedef struct Cifar {
    int32_t classes;
    size_t class_bytes; /* the last of them counts */
    const char *names, *train[CIFAR_FILES], *test;
} Cifar;

static const Cifar cifar10 = {10, 1, "batches.meta.txt",
                              {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"},
                              "test_batch.bin"};
static const Cifar cifar100 = {100, 2, "fine_label_names.txt", {"train.bin"}, "test.bin"};

/* The next record; *end is set if there is none. */
static bool read_record(Stored *s, Reader *r, const Cifar *c, bool *end, RtError *err) {
    uint8_t class[2] = {0};
    if (!make_room(s, err)) return false;
    int64_t got = reader_take(r, class, c->class_bytes, err);
    *end = got == 0;
    if (got <= 0) return got == 0;
    uint8_t label = class[c->class_bytes - 1];
    if ((size_t)got == c->class_bytes && label >= c->classes)
        return !rt_fail(err, RT_DATA, "%s: at byte %zu: class %d; there are 0 to %d", r->path, r->at - 1, label, c->classes - 1);
    if (!read_pixels(s, r, err)) return false;
    s->label[s->count++] = label;
    return true;
}

static bool read_records(Stored *s, const char *folder, const char *name, const Cifar *c, RtError *err) {
    Reader r = {0};
    bool end = false;
    size_t before = s->count;
    char *path = rt_join_path(folder, name, err);
    bool good = path && reader_open(&r, path, err);
    while (good && !end) good = read_record(s, &r, c, &end, err);
    if (good && s->count == before) good = !rt_fail(err, RT_DATA, "%s: the file is empty", path);
    reader_close(&r);
    free(path);
    return good;
}

/* The names of the classes, one a line; s->classes counts those that there are, to be released. */
static bool read_names(Stored *s, FILE *f, const char *path, int32_t classes, RtError *err) {
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    bool good = (s->class_name = rt_alloc((size_t)classes, sizeof *s->class_name, err));
    while (good && (n = getline(&line, &room, f)) >= 0) {
        while (n > 0 && strchr(" \t\r\n", line[n - 1])) line[--n] = 0;
        if (n == 0) continue;
        if (s->classes == classes)
            good = !rt_fail(err, RT_DATA, "%s: more than %d names, of which `%.40s` is the first", path, classes, line);
        good = good && (s->class_name[s->classes] = rt_copy_text(line, err));
        s->classes += good;
    }
    free(line);
    if (good && s->classes < classes)
        good = !rt_fail(err, RT_DATA, "%s: %d names of classes in %ld bytes; %d are needed", path, s->classes, ftell(f), classes);
    return good;
}

static bool open_names(Stored *s, const char *folder, const Cifar *c, RtError *err) {
    char *path = rt_join_path(folder, c->names, err);
    FILE *f = path ? rt_open_text(path, err) : NULL;
    bool good = f && read_names(s, f, path, c->classes, err);
    if (f) fclose(f);
    free(path);
    return good;
}

static bool open_cifar(Stored *s, const char *folder, const Cifar *c, bool training, RtError *err) {
    s->width = s->height = CIFAR_SIDE;
    s->planes = 3;
    if (!open_names(s, folder, c, err)) return false;
    if (!training) return read_records(s, folder, c->test, c, err);
    for (int i = 0; i < CIFAR_FILES && c->train[i]; i++)
        if (!read_records(s, folder, c->train[i], c, err)) return false;
    return true;
}

bool stored_cifar10(Stored *s, const char *folder, bool training, RtError *err) {
    return open_cifar(s, folder, &cifar10, training, err);
}

bool stored_cifar100(Stored *s, const char *folder, bool training, RtError *err) {
    return open_cifar(s, folder, &cifar100, training, err);
}

/* ---- IDX ---- */

enum { WORD = 4, MOST_EXTENTS = 3, UNSIGNED_BYTES = 8 };

static int64_t word_at(const uint8_t *p) { return (int64_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]; }

/* The header of a file of n extents, each at most what a picture and a source may have. */
static bool read_header(Reader *r, int n, const char *what, int64_t *extent, RtError *err) {
    uint8_t word[WORD];
    if (!reader_want(r, word, WORD, "its header", err)) return false;
    if (word[0] || word[1] || word[2] != UNSIGNED_BYTES || word[3] != n)
        return !rt_fail(err, RT_DATA, "%s: at byte 0: %02x%02x%02x%02x; IDX %s begin with 0000%02x%02x", r->path, word[0], word[1],
                        word[2], word[3], what, UNSIGNED_BYTES, n);
    for (int i = 0; i < n; i++) {
        if (!reader_want(r, word, WORD, "its header", err)) return false;
        extent[i] = word_at(word);
        if (extent[i] < 1 || extent[i] > (i ? IMAGE_PIXEL_LIMIT : STORED_MOST))
            return !rt_fail(err, RT_DATA, "%s: at byte %zu: %lld %s", r->path, r->at - WORD, (long long)extent[i],
                            i ? "pixels in a row or column" : what);
    }
    return true;
}

static bool read_both(Stored *s, Reader *images, Reader *labels, RtError *err) {
    int64_t extent[MOST_EXTENTS], count;
    if (!read_header(images, MOST_EXTENTS, "pictures", extent, err) || !read_header(labels, 1, "labels", &count, err)) return false;
    if (count != extent[0])
        return !rt_fail(err, RT_DATA, "%s: at byte %d: %lld labels, and %s has %lld pictures", labels->path, WORD, (long long)count,
                        images->path, (long long)extent[0]);
    if (extent[1] * extent[2] > IMAGE_PIXEL_LIMIT)
        return !rt_fail(err, RT_LIMIT, "%s: at byte %d: pictures of %lld x %lld pixels, over the limit of %d", images->path, 2 * WORD,
                        (long long)extent[2], (long long)extent[1], IMAGE_PIXEL_LIMIT);
    s->planes = 1;
    s->height = (int32_t)extent[1];
    s->width = (int32_t)extent[2];
    for (int64_t i = 0; i < count; i++) {
        if (!make_room(s, err) || !read_pixels(s, images, err)) return false;
        if (!reader_want(labels, s->label + s->count, 1, "the labels", err)) return false;
        if (s->label[s->count] >= s->classes) s->classes = s->label[s->count] + 1;
        s->count++;
    }
    return reader_ends(images, err) && reader_ends(labels, err);
}

bool stored_idx(Stored *s, const char *images, const char *labels, RtError *err) {
    Reader pictures = {0}, classes = {0};
    bool good = reader_open(&pictures, images, err) && reader_open(&classes, labels, err) && read_both(s, &pictures, &classes, err);
    reader_close(&pictures);
    reader_close(&classes);
    return good;
}
