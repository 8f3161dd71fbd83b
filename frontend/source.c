/* See source.h. */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool refuse(Diags *d, Span at, const char *code, const char *path, const char *why) {
    diag_error(d, at, code, "cannot read `%.*s`: %s", (int)strnlen(path, 120), path, why);
    return false;
}

/* Only regular files: a FIFO or a device would block or never end. */
static bool open_regular(Diags *d, const char *path, Span at, int *fd, struct stat *st) {
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0) return refuse(d, at, "E0601", path, strerror(errno));
    if (fstat(*fd, st)) refuse(d, at, "E0601", path, strerror(errno));
    else if (!S_ISREG(st->st_mode))
        refuse(d, at, "E0602", path, S_ISDIR(st->st_mode) ? "it is a directory" : "it is not a file");
    else if (st->st_size > MAX_SOURCE) refuse(d, at, "E0901", path, "it is larger than 16 MiB");
    else return true;
    close(*fd);
    return false;
}

static bool read_all(Diags *d, const char *path, Span at, int fd, char *text, size_t *n) {
    size_t got = 0;
    while (got < *n) {
        ssize_t r = read(fd, text + got, *n - got);
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) return refuse(d, at, "E0601", path, strerror(errno));
        if (r == 0) break;
        got += (size_t)r;
    }
    *n = got;
    return true;
}

/* CRLF and CR become LF, in place; a byte order mark goes. */
static size_t normalise(char *text, size_t n) {
    size_t from = n >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3) ? 3 : 0, to = 0;
    for (; from < n; from++) {
        if (text[from] == '\r') {
            text[to++] = '\n';
            if (from + 1 < n && text[from + 1] == '\n') from++;
        } else {
            text[to++] = text[from];
        }
    }
    text[to] = 0;
    return to;
}

/* Bytes of the UTF-8 character at p (Unicode 15, table 3-7), 0 if it is none. *code is set. */
static size_t utf8_length(const unsigned char *p, size_t n, uint32_t *code) {
    static const struct { unsigned char lead_lo, lead_hi, second_lo, second_hi; size_t length;
    } row[] = {
        {0x00, 0x7F, 0x00, 0xFF, 1}, {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
        {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
        {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
    };
    for (int i = 0; i < ARRAY_LEN(row); i++) {
        if (p[0] < row[i].lead_lo || p[0] > row[i].lead_hi) continue;
        size_t length = row[i].length;
        *code = length == 1 ? p[0] : p[0] & (0x7Fu >> length);
        if (length > n || (length > 1 && (p[1] < row[i].second_lo || p[1] > row[i].second_hi))) return 0;
        for (size_t k = 1; k < length; k++) {
            if ((p[k] & 0xC0) != 0x80) return 0;
            *code = *code << 6 | (p[k] & 0x3F);
        }
        return length;
    }
    return 0;
}

/* Characters that reorder what a reader sees (Unicode TR 36; "Trojan Source", Boucher and Anderson 2021). */
static bool is_bidi(uint32_t c) {
    return c == 0x61C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

static bool check_text(Diags *d, uint32_t file, const char *text, size_t n) {
    Span at = {.file = file, .line = 1, .col = 1};   /* len 0: the line is not shown */
    for (size_t i = 0; i < n;) {
        uint32_t c;
        size_t length = utf8_length((const unsigned char *)text + i, n - i, &c);
        const char *why = length == 0                                            ? "this is not UTF-8"
                          : c == 0                                               ? "a NUL byte"
                          : (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F    ? "a control character"
                          : is_bidi(c) ? "a character that changes the direction of text"
                                       : NULL;
        if (why) {
            diag_error(d, at, "E0001", "%s", why);
            return false;
        }
        i += length;
        at.col += (uint32_t)length;
        if (c == '\n') {
            at.line++;
            at.col = 1;
        }
    }
    return true;
}

/* Does the text open with the word `cnnc`, after blank and comment lines? */
static bool is_net(const char *p) {
    for (p += strspn(p, " \t\n"); *p == '#'; p += strspn(p, " \t\n")) p += strcspn(p, "\n");
    return !strncmp(p, "cnnc", 4) && strspn(p + 4, " \t") > 0;
}

static const SourceFile *find_text(const SourceShelf *shelf, const char *path) {
    for (int32_t i = 0; i < shelf->n_text; i++)
        if (!strcmp(shelf->text[i].path, path)) return &shelf->text[i];
    return NULL;
}

bool source_exists(const SourceShelf *shelf, const char *path) {
    return shelf->text ? find_text(shelf, path) != NULL : !access(path, F_OK);
}

/* Registers what was read, if it is what a source may be. */
static bool accept(Diags *d, const char *path, Span at, bool used, char *text, size_t n, int64_t *total, Source *out) {
    n = normalise(text, n);
    *total += (int64_t)n;
    if (*total > MAX_ALL_SOURCES) return refuse(d, at, "E0901", path, "all files together are larger than 64 MiB");
    if (used && !is_net(text)) return refuse(d, at, "E0604", path, "it does not start with `cnnc 1`");
    out->file = diag_add_file(d, path, text, n);
    return check_text(d, out->file, text, n);
}

bool source_read(Arena *a, Diags *d, const char *path, Span at, bool used, int64_t *total, Source *out) {
    int fd;
    struct stat st;
    if (!open_regular(d, path, at, &fd, &st)) return false;
    size_t n = (size_t)st.st_size;
    char *text = arena_alloc(a, n + 1);
    bool good = read_all(d, path, at, fd, text, &n);
    close(fd);
    *out = (Source){.device = st.st_dev, .inode = st.st_ino};
    return good && accept(d, path, at, used, text, n, total, out);
}

bool source_take(Arena *a, Diags *d, const SourceShelf *shelf, const char *path, Span at, bool used, int64_t *total,
                 Source *out) {
    if (!shelf->text) return source_read(a, d, path, at, used, total, out);
    const SourceFile *f = find_text(shelf, path);
    if (!f) return refuse(d, at, "E0601", path, strerror(ENOENT));
    if (f->bytes > MAX_SOURCE) return refuse(d, at, "E0901", path, "it is larger than 16 MiB");
    *out = (Source){.inode = (ino_t)(f - shelf->text)};
    return accept(d, path, at, used, arena_strndup(a, f->text, f->bytes), f->bytes, total, out);
}

bool source_read_input(Arena *a, Diags *d, Source *out) {
    const char *name = "<stdin>";
    char *text = arena_alloc(a, MAX_SOURCE + 2);
    size_t n = MAX_SOURCE + 1;
    if (!read_all(d, name, (Span){0}, STDIN_FILENO, text, &n)) return false;
    if (n > MAX_SOURCE) return refuse(d, (Span){0}, "E0901", name, "it is larger than 16 MiB");
    int64_t total = 0;
    *out = (Source){0};
    return accept(d, name, (Span){0}, false, text, n, &total, out);
}
