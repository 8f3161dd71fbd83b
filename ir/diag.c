/* Collecting and printing messages. See diag.h. */
#include "diag.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { MAX_WORD = 64 };   /* longer words get no suggestion */

Diags *diag_new(Arena *a) {
    static const DiagOptions plain;
    Diags *d = NEW(a, Diags);
    *d = (Diags){.arena = a, .options = &plain, .current = -1};
    return d;
}

uint32_t diag_add_file(Diags *d, const char *path, const char *text, size_t bytes) {
    SourceFile file = {.path = path, .text = text, .bytes = bytes};
    PUSH(d->arena, d->file, d->n_file, d->cap_file, file);
    return (uint32_t)(d->n_file - 1);
}

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

static void push(Diags *d, Severity severity, Span at, const char *code, const char *text) {
    Message m = {.severity = severity, .span = at, .code = code ? name_of(code) : NULL, .text = text, .group = d->current};
    PUSH(d->arena, d->message, d->n_message, d->cap_message, m);
}

/* What the options make of a warning. False: it is not shown. */
static bool judge(const Diags *d, Severity *severity, const char *code) {
    if (*severity != SEV_WARNING || !d->options->warning) return true;
    WarningAction action = d->options->warning(d->options, code);
    if (action == WARN_ERROR) *severity = SEV_ERROR;
    return action != WARN_HIDE;
}

static void start(Diags *d, Severity severity, Span at, const char *code, const char *format, va_list ap)
    __attribute__((format(printf, 5, 0)));
static void start(Diags *d, Severity severity, Span at, const char *code, const char *format, va_list ap) {
    bool repeat = is_repeat(d, at, code);
    d->current = -1;
    d->n_repeat += repeat && severity == SEV_ERROR;
    if (repeat || !judge(d, &severity, code)) return;
    d->current = d->n_message;
    push(d, severity, at, code, arena_vprintf(d->arena, format, ap));
    d->n_error += severity == SEV_ERROR;
    d->n_warning += severity == SEV_WARNING;
}

/* A note without an error before it stands alone. */
static void follow(Diags *d, Severity severity, Span at, const char *format, va_list ap) __attribute__((format(printf, 4, 0)));
static void follow(Diags *d, Severity severity, Span at, const char *format, va_list ap) {
    bool alone = d->n_message == 0;
    if (alone) d->current = 0;
    if (d->current >= 0) push(d, severity, at, NULL, arena_vprintf(d->arena, format, ap));
}

#define FORWARD(call)         \
    do {                      \
        va_list ap;           \
        va_start(ap, format); \
        call;                 \
        va_end(ap);           \
    } while (0)

void diag_error(Diags *d, Span at, const char *code, const char *format, ...) {
    FORWARD(start(d, SEV_ERROR, at, code, format, ap));
}
void diag_warning(Diags *d, Span at, const char *code, const char *format, ...) {
    FORWARD(start(d, SEV_WARNING, at, code, format, ap));
}
void diag_note(Diags *d, Span at, const char *format, ...) { FORWARD(follow(d, SEV_NOTE, at, format, ap)); }
void diag_help(Diags *d, Span at, const char *format, ...) { FORWARD(follow(d, SEV_HELP, at, format, ap)); }
/* In front of the proposals at the end, if there are some: a label belongs to what they follow. */
void diag_label(Diags *d, Span at, const char *format, ...) {
    int32_t before = d->n_message;
    FORWARD(follow(d, SEV_LABEL, at, format, ap));
    for (int32_t i = before; i > 0 && i < d->n_message; i--) {
        Message *m = &d->message[i], label = *m;
        if (m[-1].group != label.group || (m[-1].severity != SEV_HELP && m[-1].severity != SEV_EDIT)) return;
        m[0] = m[-1];
        m[-1] = label;
    }
}

void diag_edit(Diags *d, Span at, const char *replacement) {
    if (d->current >= 0) push(d, SEV_EDIT, at, NULL, replacement);
}

void diag_fix(Diags *d, Span at, const char *replacement, const char *format, ...) {
    FORWARD(follow(d, SEV_HELP, (Span){0}, format, ap));
    diag_edit(d, at, replacement);
}

void diag_reword(Diags *d, int32_t i, const char *format, ...) {
    FORWARD(d->message[i].text = arena_vprintf(d->arena, format, ap));
}

void diag_resume(Diags *d, int32_t group) { d->current = group; }

static int min3(int a, int b, int c) {
    int m = a < b ? a : b;
    return m < c ? m : c;
}

static bool same_letter(char a, char b) { return tolower((unsigned char)a) == tolower((unsigned char)b); }

/* Optimal string alignment: insertions, deletions, changes and swaps of neighbours cost 1. */
static int edit_distance(const char *a, const char *b) {
    int n = (int)strlen(a), m = (int)strlen(b);
    int row[3][MAX_WORD + 1] = {{0}};
    int *before = row[0], *above = row[1], *here = row[2];
    for (int j = 0; j <= m; j++) above[j] = j;
    for (int i = 1; i <= n; i++) {
        here[0] = i;
        for (int j = 1; j <= m; j++) {
            here[j] = min3(above[j] + 1, here[j - 1] + 1, above[j - 1] + !same_letter(a[i - 1], b[j - 1]));
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
    int best_distance = length < 2 ? 1 : (int)max_i64(1, ((int64_t)length + 1) / 3) + 1;   /* exclusive: a third of the letters */
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
