/* Collecting and printing messages. See diag.h. */
#include "diag.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum {
    MAX_ECHO = 120,    /* bytes of a source line or of a message argument that are shown */
    MAX_WORD = 64      /* longer words get no suggestion */
};

Diags *diag_new(Arena *a) {
    Diags *d = NEW(a, Diags);
    d->arena = a;
    return d;
}

uint32_t diag_add_file(Diags *d, const char *path, const char *text, size_t bytes) {
    SourceFile file = {.path = path, .text = text, .bytes = bytes};
    PUSH(d->arena, d->file, d->n_file, d->cap_file, file);
    return (uint32_t)(d->n_file - 1);
}

static void add(Diags *d, Severity severity, Span at, const char *code, const char *format, va_list ap)
    __attribute__((format(printf, 5, 0)));

/* Layers in loops and blocks meet the same mistake at the same place again and again: the first time is enough. */
static bool is_repeat(const Diags *d, Span at, const char *code) {
    for (int i = 0; i < d->n_message && at.line > 0; i++) {
        const Message *m = &d->message[i];
        if (m->code && m->span.file == at.file && m->span.line == at.line && m->span.col == at.col &&
            !strcmp(m->code, code))
            return true;
    }
    return false;
}

static void add(Diags *d, Severity severity, Span at, const char *code, const char *format, va_list ap) {
    if (severity <= SEV_WARNING) d->muted = is_repeat(d, at, code);
    if (d->muted) return;
    Message m = {.severity = severity, .span = at, .code = code ? name_of(code) : NULL,
                 .text = arena_vprintf(d->arena, format, ap)};
    PUSH(d->arena, d->message, d->n_message, d->cap_message, m);
    d->n_error += severity == SEV_ERROR;
    d->n_warning += severity == SEV_WARNING;
}

void diag_error(Diags *d, Span at, const char *code, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    add(d, SEV_ERROR, at, code, format, ap);
    va_end(ap);
}

void diag_warning(Diags *d, Span at, const char *code, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    add(d, SEV_WARNING, at, code, format, ap);
    va_end(ap);
}

void diag_note(Diags *d, Span at, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    add(d, SEV_NOTE, at, NULL, format, ap);
    va_end(ap);
}

void diag_help(Diags *d, Span at, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    add(d, SEV_HELP, at, NULL, format, ap);
    va_end(ap);
}

static bool is_control(unsigned char c) {
    return c < 0x20 || c == 0x7f;
}

/* Message texts may quote the user's bytes, which must not drive the terminal. Newlines of our own stay. */
static void print_escaped(Str *s, const char *text) {
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (is_control(*p) && *p != '\n') str_addf(s, "\\x%02x", *p);
        else str_addn(s, (const char *)p, 1);
    }
}

/* Adds source byte c to the shown line and its width in blanks (or `mark`) to the line of carets below. Bytes that
 * continue a UTF-8 character take no width of their own; a tab stays a tab in both lines. */
static void show_byte(Str *line, Str *below, unsigned char c, char mark) {
    char m[4] = {mark, mark, mark, mark};
    if (c == '\t') {
        str_add(line, "\t");
        str_addn(below, mark == ' ' ? "\t" : m, 1);
    } else if (is_control(c)) {
        str_addf(line, "\\x%02x", c);
        str_addn(below, m, 4);
    } else {
        str_addn(line, (const char *)&c, 1);
        if ((c & 0xC0) != 0x80) str_addn(below, m, 1);
    }
}

static const char *line_start(const SourceFile *f, uint32_t line) {
    const char *p = f->text, *end = f->text + f->bytes;
    for (uint32_t i = 1; i < line && p; i++) {
        p = memchr(p, '\n', (size_t)(end - p));
        if (p) p++;
    }
    return p;
}

/* The source line with a caret under the first byte of the span and tildes under the rest of it. A long line is shown
 * as a window around the span. */
static void print_excerpt(Str *s, const Diags *d, Span at) {
    const SourceFile *f = &d->file[at.file];
    const char *p = line_start(f, at.line);
    if (!p) return;
    const char *end = memchr(p, '\n', (size_t)(f->text + f->bytes - p));
    size_t n = (size_t)((end ? end : f->text + f->bytes) - p);
    if (n > 0 && p[n - 1] == '\r') n--;
    size_t col = at.col > 0 ? at.col - 1 : 0;
    size_t from = col > MAX_ECHO / 2 && n > MAX_ECHO ? col - MAX_ECHO / 2 : 0;
    size_t to = n < from + MAX_ECHO ? n : from + MAX_ECHO;
    Str line = STR(d->arena), below = STR(d->arena);
    for (size_t i = from; i < to; i++)
        show_byte(&line, &below, (unsigned char)p[i], i < col || i >= col + at.len ? ' ' : i == col ? '^' : '~');
    if (col >= to) str_add(&below, "^");
    while (below.n > 0 && below.p[below.n - 1] == ' ') below.p[--below.n] = 0;
    str_addf(s, "%5u | %s\n      | %s\n", at.line, str_text(&line), str_text(&below));
}

static void print_message(Str *s, const Diags *d, const Message *m) {
    static const char *const word[] = {"error", "warning", "note", "help"};
    bool placed = m->span.line > 0 && (int32_t)m->span.file < d->n_file;
    if (placed) {
        print_escaped(s, d->file[m->span.file].path);
        str_addf(s, ":%u:%u: ", m->span.line, m->span.col);
    }
    str_addf(s, "%s: ", placed || m->severity >= SEV_NOTE ? word[m->severity] : "cnnc: error");
    print_escaped(s, m->text);
    if (m->code) str_addf(s, " [%s]", m->code);
    str_add(s, "\n");
    if (placed && m->span.len > 0) print_excerpt(s, d, m->span);
}

/* Sort key: the messages that start a group (errors and warnings) by place; places that are missing come first. */
typedef struct Group {
    const Message *first;
    int32_t n;
} Group;

static int compare_group(const void *pa, const void *pb) {
    const Group *a = pa, *b = pb;
    const uint32_t ka[3] = {a->first->span.file, a->first->span.line, a->first->span.col};
    const uint32_t kb[3] = {b->first->span.file, b->first->span.line, b->first->span.col};
    for (int i = 0; i < 3; i++)
        if (ka[i] != kb[i]) return ka[i] < kb[i] ? -1 : 1;
    return a->first < b->first ? -1 : a->first > b->first;
}

void diag_print(const Diags *d) {
    Group *group = NEW_ARRAY(d->arena, Group, d->n_message + 1);
    int n = 0;
    for (int i = 0; i < d->n_message; i++) {
        const Message *m = &d->message[i];
        if (m->severity <= SEV_WARNING || n == 0) group[n++] = (Group){.first = m, .n = 1};
        else group[n - 1].n++;
    }
    qsort(group, (size_t)n, sizeof *group, compare_group);
    Str s = STR(d->arena);
    int shown = 0;
    for (int i = 0; i < n; i++) {
        if (group[i].first->severity == SEV_ERROR && ++shown > MAX_ERRORS) continue;
        for (int j = 0; j < group[i].n; j++) print_message(&s, d, group[i].first + j);
    }
    if (shown > MAX_ERRORS) str_addf(&s, "cnnc: %d more errors not shown\n", shown - MAX_ERRORS);
    fputs(str_text(&s), stderr);
}

static int min3(int a, int b, int c) {
    int m = a < b ? a : b;
    return m < c ? m : c;
}

/* Optimal string alignment: insertions, deletions, changes and swaps of neighbours cost 1. */
static int edit_distance(const char *a, const char *b) {
    int n = (int)strlen(a), m = (int)strlen(b);
    int row[3][MAX_WORD + 1] = {{0}};
    int *before = row[0], *above = row[1], *here = row[2];
    for (int j = 0; j <= m; j++) above[j] = j;
    for (int i = 1; i <= n; i++) {
        here[0] = i;
        for (int j = 1; j <= m; j++) {
            here[j] = min3(above[j] + 1, here[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && before[j - 2] + 1 < here[j]) here[j] = before[j - 2] + 1;
        }
        int *t = before;
        before = above;
        above = here;
        here = t;
    }
    return above[m];
}

const char *did_you_mean(const char *word, const char *const *candidate, int n) {
    size_t length = strlen(word);
    if (length > MAX_WORD) return NULL;
    const char *best = NULL;
    int best_distance = length < 3 ? 2 : (int)length / 3 + 2;   /* exclusive: up to a third of the letters, plus one */
    for (int i = 0; i < n; i++) {
        if (strlen(candidate[i]) > MAX_WORD || strcmp(word, candidate[i]) == 0) continue;
        int distance = edit_distance(word, candidate[i]);
        if (distance < best_distance && distance < (int)strlen(candidate[i])) {
            best = candidate[i];
            best_distance = distance;
        }
    }
    return best;
}

static const char *ice_stage = "starting", *ice_detail = "";

void ice_context(const char *stage, const char *detail) {
    ice_stage = stage ? stage : "";
    ice_detail = detail ? detail : "";
}

void ice(const char *format, ...) {
    va_list ap;
    fflush(stdout);
    fprintf(stderr, "cnnc: internal error: ");
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fprintf(stderr, "\ncnnc: while %s%s%s; please report this with the .net file (cnnc %s)\n", ice_stage,
            *ice_detail ? " " : "", ice_detail, CNNC_VERSION);
    exit(EX_SOFTWARE);
}
