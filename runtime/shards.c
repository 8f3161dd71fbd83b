#include "shards.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "patterns.h"
#include "tar.h"

enum { CLASS_MOST = 256 }; /* bytes of a .cls member */

/* A picture, or a class while they are joined. */
typedef struct Piece {
    size_t name, class; /* where they begin in `names`; the class of a folder ends at a / */
    uint64_t at, size;
    uint32_t archive;
    bool is_class;
} Piece;

struct Shards {
    PathList archive;
    uint64_t *size; /* [archive.n] */
    Piece *piece;
    size_t n, piece_room;
    char *names; /* texts one after the other: a million pieces take few allocations */
    size_t names_size, names_room;
    size_t passed_over;
    bool numbered; /* classes are members, not folders */
};

/* What is known while an archive is read. */
typedef struct Reading {
    Shards *s;
    int fd;
    uint32_t archive;
    const char *inside; /* the folder that an archive in an archive stands for, or NULL */
} Reading;

/* ---- names ---- */

static const char *last_part(const char *name) {
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

static bool ends_in(const char *name, const char *ending) {
    const char *dot = strrchr(last_part(name), '.');
    return dot && !strcasecmp(dot, ending);
}

static bool is_picture(const char *name) {
    return ends_in(name, ".jpg") || ends_in(name, ".jpeg") || ends_in(name, ".png");
}

/* As it is from the first dot on. */
static bool is_plain_picture(const char *name) {
    const char *dot = strchr(last_part(name), '.');
    return dot == strrchr(last_part(name), '.');
}

/* How long the key of a name is. */
static size_t key_length(const char *name) {
    const char *part = last_part(name);
    return (size_t)(part - name) + strcspn(part, ".");
}

/* Writes the parts of a name with one / between them; false if one begins with a dot but for ".", which says nothing.
 * */
static bool clean(const char *name, char *to) {
    while (*name) {
        size_t n = strcspn(name, "/");
        bool nothing = n == 0 || (n == 1 && *name == '.');
        if (!nothing && *name == '.') return false;
        if (!nothing) {
            memcpy(to, name, n);
            to += n;
            *to++ = '/';
        }
        name += n + (name[n] == '/');
    }
    *to = 0;
    if (to[-1] == '/') to[-1] = 0;
    return true;
}

static const char *name_of(const Shards *s, const Piece *p) { return s->names + p->name; }

static bool wrong_piece(const Shards *s, const Piece *p, const char *what, RtError *err) {
    return !rt_fail(err, RT_DATA, "%s:%s%s", s->archive.path[p->archive], name_of(s, p), what);
}

/* ---- reading archives ---- */

/* Room for n bytes more in `names`. */
static char *names_room(Shards *s, size_t n, RtError *err) {
    return rt_reserve(&s->names, &s->names_room, s->names_size + n, 1, err) ? s->names + s->names_size : NULL;
}

static bool add_piece(const Reading *r, Piece p, RtError *err) {
    Shards *s = r->s;
    if (s->n == UINT32_MAX)
        return !rt_fail(err, RT_LIMIT, "%s: more than %u pictures", s->archive.path[r->archive], UINT32_MAX);
    if (!rt_reserve(&s->piece, &s->piece_room, s->n + 1, sizeof *s->piece, err)) return false;
    s->piece[s->n++] = p;
    return true;
}

/* The text of a .cls member behind the names. */
static bool read_class(const Reading *r, const Piece *p, size_t *class, RtError *err) {
    Shards *s = r->s;
    if (p->size > CLASS_MOST) return wrong_piece(s, p, " is too long for a class: it has more than 256 bytes", err);
    size_t n = (size_t)p->size;
    char *text = names_room(s, n + 1, err);
    if (!text || !tar_bytes(r->fd, s->archive.path[r->archive], p->at, text, n, err)) return false;
    while (n > 0 && strchr(" \t\r\n", text[n - 1])) n--;
    text[n] = 0;
    size_t blanks = strspn(text, " \t\r\n");
    for (size_t i = blanks; i < n; i++)
        if ((uint8_t)text[i] < ' ') return wrong_piece(s, p, " is no line of text", err);
    if (n == blanks) return wrong_piece(s, p, " is empty", err);
    *class = s->names_size + blanks;
    s->names_size += n + 1;
    return true;
}

static bool read_inner(const Reading *outer, const char *name, uint64_t at, uint64_t size, RtError *err);

static bool visit(void *context, const char *name, uint64_t at, uint64_t size, RtError *err) {
    const Reading *r = context;
    Shards *s = r->s;
    size_t before = r->inside ? strlen(r->inside) + 1 : 0;
    if (ends_in(name, ".tar") && !r->inside) return read_inner(r, name, at, size, err);
    bool class = ends_in(name, ".cls");
    if (!class && !is_picture(name)) return true;
    char *to = names_room(s, before + strlen(name) + 2, err);
    if (!to) return false;
    if (before) snprintf(to, before + 1, "%s/", r->inside);
    if (!clean(name, to + before)) return true;
    Piece p = {.name = s->names_size, .at = at, .size = size, .archive = r->archive, .is_class = class};
    s->names_size += strlen(to) + 1;
    s->numbered |= class;
    return (!class || read_class(r, &p, &p.class, err)) && add_piece(r, p, err);
}

/* An archive in an archive: only folders of pictures come so, and no further ones in them. */
static bool read_inner(const Reading *outer, const char *name, uint64_t at, uint64_t size, RtError *err) {
    Reading r = *outer;
    Shards *s = r.s;
    char *label = NULL, *folder = rt_alloc(strlen(name) + 2, 1, err);
    bool good = folder != NULL, shown = good && clean(name, folder);
    if (shown) {
        folder[strlen(folder) - strlen(".tar")] = 0;
        r.inside = folder;
        good =
            asprintf(&label, "%s:%s", s->archive.path[r.archive], name) >= 0 || !rt_fail(err, RT_OS, "out of memory");
        good = good && tar_walk(&(TarPart){r.fd, label, at, at + size}, visit, &r, &s->passed_over, err);
    }
    free(label);
    free(folder);
    return good;
}

static bool read_archive(Shards *s, uint32_t i, RtError *err) {
    struct stat st;
    const char *path = s->archive.path[i];
    int fd = rt_open_plain(path, err);
    if (fd < 0) return false;
    bool good = !fstat(fd, &st) || !rt_fail(err, RT_NO_INPUT, "%s: %m", path);
    if (good) {
        Reading r = {.s = s, .fd = fd, .archive = i};
        s->size[i] = (uint64_t)st.st_size;
        posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM); /* headers lie far apart: what is between them is not wanted now */
        good = tar_walk(&(TarPart){fd, path, 0, s->size[i]}, visit, &r, &s->passed_over, err);
    }
    close(fd);
    return good;
}

/* ---- classes that are folders ---- */

/* The part of the name at `from` ends with a /, that is a folder; how long it is, or 0. */
static size_t folder_length(const char *from) {
    size_t n = strcspn(from, "/");
    return from[n] ? n : 0;
}

/* How much of all names are folders that all have in common and that are followed by another. */
static size_t common_folders(const Shards *s) {
    const char *first = name_of(s, &s->piece[0]);
    for (size_t common = 0;;) {
        size_t n = folder_length(first + common);
        bool all = n > 0;
        for (size_t i = 0; all && i < s->n; i++) {
            const char *name = name_of(s, &s->piece[i]);
            all = !strncmp(name + common, first + common, n + 1) && folder_length(name + common + n + 1) > 0;
        }
        if (!all) return common;
        common += n + 1;
    }
}

static int by_class_and_path(const void *a, const void *b, void *names) {
    const Piece *x = a, *y = b;
    const char *p = (const char *)names + x->class, *q = (const char *)names + y->class;
    size_t m = strcspn(p, "/"), n = strcspn(q, "/");
    int order = memcmp(p, q, m < n ? m : n);
    if (order == 0) order = (m > n) - (m < n);
    if (order == 0) order = strcmp(p + m, q + n);
    return order ? order : (x->archive > y->archive) - (x->archive < y->archive);
}

static bool take_folders(Shards *s, RtError *err) {
    size_t common = common_folders(s);
    for (size_t i = 0; i < s->n; i++) {
        Piece *p = &s->piece[i];
        p->class = p->name + common;
        if (!folder_length(s->names + p->class))
            return wrong_piece(s, p, " has no class: it is in no folder of the archive, and there is no .cls for it",
                               err);
    }
    qsort_r(s->piece, s->n, sizeof *s->piece, by_class_and_path, s->names);
    for (size_t i = 1; i < s->n; i++)
        if (!by_class_and_path(&s->piece[i - 1], &s->piece[i], s->names))
            return wrong_piece(s, &s->piece[i], " is twice in the archive", err);
    return true;
}

/* ---- classes that are members ---- */

static int by_key(const void *a, const void *b, void *names) {
    const Piece *x = a, *y = b;
    const char *p = (const char *)names + x->name, *q = (const char *)names + y->name;
    size_t m = key_length(p), n = key_length(q);
    if (x->archive != y->archive) return x->archive > y->archive ? 1 : -1;
    int order = memcmp(p, q, m < n ? m : n);
    return order ? order : (m > n) - (m < n);
}

static int by_place(const void *a, const void *b) {
    const Piece *x = a, *y = b;
    if (x->archive != y->archive) return x->archive > y->archive ? 1 : -1;
    return (x->at > y->at) - (x->at < y->at);
}

/* The pieces of one key are a picture and a class; the picture stays, as piece `kept`. */
static bool join(Shards *s, size_t first, size_t end, size_t kept, RtError *err) {
    const Piece *one = &s->piece[first], *other = &s->piece[end - 1];
    if (end - first > 2 || (end - first == 2 && one->is_class == other->is_class))
        return wrong_piece(
            s, other, other->is_class ? " is a second class of its picture" : " is a second picture of its name", err);
    if (end - first == 1)
        return wrong_piece(
            s, one, one->is_class ? " is the class of no picture" : " has no class: there is no .cls of its name", err);
    Piece picture = one->is_class ? *other : *one;
    picture.class = one->is_class ? one->class : other->class;
    s->piece[kept] = picture;
    return true;
}

static bool take_classes(Shards *s, RtError *err) {
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        if (is_plain_picture(name_of(s, &s->piece[i]))) s->piece[n++] = s->piece[i];
    qsort_r(s->piece, n, sizeof *s->piece, by_key, s->names);
    s->n = 0;
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && !by_key(&s->piece[i], &s->piece[end], s->names);) end++;
        if (!join(s, i, end, s->n, err)) return false;
        s->n++;
    }
    qsort(s->piece, s->n, sizeof *s->piece, by_place);
    return true;
}

/* ---- all of them ---- */

static bool find_archives(Shards *s, const json_t *paths, const char *base, RtError *err) {
    bool good = true;
    for (size_t i = 0; good && i < json_array_size(paths); i++) {
        const char *text = json_string_value(json_array_get(paths, i));
        char *path = !base || text[0] == '/' ? rt_copy_text(text, err) : rt_join_path(base, text, err);
        good = path && patterns_expand(&s->archive, path, err);
        free(path);
    }
    return good && (s->archive.n || !rt_fail(err, RT_DATA, "data: `tar` names no archive"));
}

static bool fill(Shards *s, const json_t *paths, const char *base, RtError *err) {
    if (!find_archives(s, paths, base, err) || !(s->size = rt_alloc(s->archive.n, sizeof *s->size, err))) return false;
    for (size_t i = 0; i < s->archive.n; i++)
        if (!read_archive(s, (uint32_t)i, err)) return false;
    if (s->n && !(s->numbered ? take_classes(s, err) : take_folders(s, err))) return false;
    return s->n || !rt_fail(err, RT_DATA, "%s: no pictures in this archive", shards_name(s));
}

Shards *shards_open(const json_t *paths, const char *base, RtError *err) {
    Shards *s = rt_alloc(1, sizeof *s, err);
    if (s && fill(s, paths, base, err)) return s;
    shards_free(s);
    return NULL;
}

void shards_free(Shards *s) {
    if (!s) return;
    patterns_free(&s->archive);
    free(s->size);
    free(s->piece);
    free(s->names);
    free(s);
}

size_t shards_count(const Shards *s) { return s->n; }

const char *shards_name(const Shards *s) { return s->archive.path[0]; }

size_t shards_passed_over(const Shards *s) { return s->passed_over; }

bool shards_numbered(const Shards *s) { return s->numbered; }

char *shards_class(const Shards *s, size_t i, RtError *err) {
    const char *class = s->names + s->piece[i].class;
    char *copy = strndup(class, s->numbered ? strlen(class) : strcspn(class, "/"));
    if (!copy) rt_fail(err, RT_OS, "out of memory");
    return copy;
}

char *shards_path(const Shards *s, size_t i, RtError *err) {
    char *path = NULL;
    const Piece *p = &s->piece[i];
    if (asprintf(&path, "%s:%s", s->archive.path[p->archive], name_of(s, p)) >= 0) return path;
    rt_fail(err, RT_OS, "out of memory");
    return NULL;
}

ImagePart shards_part(const Shards *s, size_t i) {
    const Piece *p = &s->piece[i];
    return (ImagePart){.file = s->archive.path[p->archive], .whole = s->size[p->archive], .at = p->at, .size = p->size};
}
