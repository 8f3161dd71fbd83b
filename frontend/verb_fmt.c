/* cnnc fmt FILE.net...: the canonical form of files, printed, or written back, or only compared. A file with mistakes
 * stays as it is. */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "driver.h"
#include "fmt.h"
#include "source.h"

enum { EX_NOT_CANONICAL = 1 };

static bool is_standard_input(const char *path) { return !strcmp(path, "-"); }

static bool read_file(Arena *a, Diags *d, const char *path, Source *source) {
    int64_t total = 0;
    return is_standard_input(path) ? source_read_input(a, d, source)
                                   : source_read(a, d, path, (Span){0}, false, &total, source);
}

/* What to do with the canonical form of a file whose text was `text`. */
static int deliver(const CommandLine *c, Arena *a, const char *path, const char *text, const Str *canonical) {
    bool same = !strcmp(text, str_text(canonical));
    if (c->check) {
        if (!same) fprintf(stderr, "%s: not in the canonical form\n", path);
        return same ? EX_OK : EX_NOT_CANONICAL;
    }
    if (!c->in_place || is_standard_input(path)) return driver_write(a, NULL, canonical);
    if (same) return EX_OK;
    char *target = realpath(path, NULL);   /* a link stays one */
    int code = target ? driver_write(a, target, canonical) : driver_complain(EX_NOINPUT, "cannot find", path);
    free(target);
    return code;
}

static int format_file(const CommandLine *c, const char *path) {
    Arena *a = arena_new();
    Diags *d = driver_diags(a, c);
    Source source;
    Str canonical = STR(a);
    ice_context("fmt", path);
    bool good = read_file(a, d, path, &source) && fmt_file(a, d, source.file, &canonical);
    int code = good ? deliver(c, a, path, d->file[source.file].text, &canonical) : driver_exit_code(d);
    diag_print(d);
    arena_free(a);
    return code;
}

/* A failure comes before a file that is not canonical; all files are looked at. */
int verb_fmt(const CommandLine *c) {
    int code = EX_OK;
    for (int32_t i = 0; i < c->n_word; i++) {
        int one = format_file(c, c->word[i].text);
        if (code <= EX_NOT_CANONICAL && one != EX_OK) code = one;
    }
    return code;
}
