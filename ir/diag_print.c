/* Messages as text: excerpts of the source with marks and labels, and proposed lines. See diag.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"

enum {
    MAX_ECHO = 120, /* bytes of a source line that are shown */
    MAX_MARKS = 8   /* places that one message marks */
};

/* ---- what comes in which order ---- */

/* Sort key: errors and warnings by place; places that are missing come first. */
typedef struct Group {
    const Message *first;
    int32_t index, n;
} Group;

static int compare_group(const void *pa, const void *pb) {
    const Group *a = pa, *b = pb;
    const uint32_t ka[3] = {a->first->span.file, a->first->span.line, a->first->span.col};
    const uint32_t kb[3] = {b->first->span.file, b->first->span.line, b->first->span.col};
    for (int i = 0; i < 3; i++)
        if (ka[i] != kb[i]) return ka[i] < kb[i] ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

const int32_t *diag_order(const Diags *d, int32_t *n, int32_t *more) {
    Group *group = NEW_ARRAY(d->arena, Group, d->n_message + 1);
    int32_t *order = NEW_ARRAY(d->arena, int32_t, d->n_message + 1), n_group = 0, errors = 0;
    for (int32_t i = 0; i < d->n_message; i++)
        if (d->message[i].group == i) group[n_group++] = (Group){.first = &d->message[i], .index = i};
    qsort(group, (size_t)n_group, sizeof *group, compare_group);
    *n = 0;
    for (int32_t g = 0; g < n_group; g++) {
        if (group[g].first->severity == SEV_ERROR && ++errors > MAX_ERRORS) continue;
        for (int32_t i = group[g].index; i < d->n_message; i++)
            if (d->message[i].group == group[g].index) order[(*n)++] = i;
    }
    *more = errors > MAX_ERRORS ? errors - MAX_ERRORS : 0;
    return order;
}

const char *diag_line(const Diags *d, Span at, size_t *n) {
    const SourceFile *f = &d->file[at.file];
    const char *p = f->text, *end = f->text + f->bytes;
    for (uint32_t i = 1; i < at.line && p; i++) {
        p = memchr(p, '\n', (size_t)(end - p));
        if (p) p++;
    }
    if (!p) return NULL;
    const char *stop = memchr(p, '\n', (size_t)(end - p));
    *n = (size_t)((stop ? stop : end) - p);
    if (*n > 0 && p[*n - 1] == '\r') --*n;
    return p;
}

/* ---- text that cannot drive the terminal ---- */

static bool is_control(unsigned char c) { return c < 0x20 || c == 0x7f; }

/* Message texts may quote the user's bytes. Newlines of our own stay. */
static void print_escaped(Str *s, const char *text) {
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (is_control(*p) && *p != '\n')
            str_addf(s, "\\x%02x", *p);
        else
            str_addn(s, (const char *)p, 1);
    }
}

typedef enum Paint { PAINT_ERROR, PAINT_WARNING, PAINT_NOTE, PAINT_HELP, PAINT_PLACE, PAINT_ADDED } Paint;

static void paint(Str *s, const Diags *d, Paint p) {
    static const char *const code[] = {"1;31", "1;35", "1;36", "1;32", "1", "32"};
    if (d->options->colour) str_addf(s, "\033[%sm", code[p]);
}

static void unpaint(Str *s, const Diags *d) {
    if (d->options->colour) str_add(s, "\033[0m");
}

/* ---- one line of source with marks below ---- */

typedef struct Mark {
    Span span;
    const char *label; /* NULL: none */
} Mark;

/* A part of a line as it is shown: bytes from..to, each as wide as `width` says. */
typedef struct Window {
    const char *text;
    size_t from, to;
} Window;

/* A long line is shown as a window around `col`. */
static Window window_of(const char *text, size_t n, size_t col) {
    Window w = {.text = text, .from = col > MAX_ECHO / 2 && n > MAX_ECHO ? col - MAX_ECHO / 2 : 0};
    w.to = n < w.from + MAX_ECHO ? n : w.from + MAX_ECHO;
    return w;
}

/* Columns that a source byte takes: those that continue a UTF-8 character take none, controls are escaped. */
static int width(unsigned char c) { return (c & 0xC0) == 0x80 ? 0 : is_control(c) && c != '\t' ? 4 : 1; }

static void show_text(Str *s, const Window *w) {
    for (size_t i = w->from; i < w->to; i++) {
        unsigned char c = (unsigned char)w->text[i];
        if (is_control(c) && c != '\t')
            str_addf(s, "\\x%02x", c);
        else
            str_addn(s, w->text + i, 1);
    }
}

static bool covers(const Span *s, size_t i) { return i + 1 >= s->col && i + 1 < s->col + (s->len ? s->len : 1); }

/* The mark under byte i: ^ where a span starts, ~ where it goes on. A message with labels underlines between them only
 * what is not blank. */
static char mark_at(const Mark *mark, int n, size_t i, char c) {
    for (int k = n - 1; k >= 0; k--)
        if (covers(&mark[k].span, i)) {
            if (i + 1 == mark[k].span.col) return '^';
            return k == 0 && n > 1 && (c == ' ' || c == '\t') ? ' ' : '~';
        }
    return ' ';
}

/* Where a row of text below the line starts: blanks, and tabs under tabs, up to byte `col`. Pending labels are drawn as
 * |. */
static void indent_to(Str *s, const Window *w, size_t col, const Mark *pending, int n_pending) {
    for (size_t i = w->from; i < col; i++) {
        bool tab = i < w->to && w->text[i] == '\t', bar = false;
        for (int k = 0; k < n_pending; k++) bar = bar || (pending[k].label && pending[k].span.col == i + 1);
        int columns = i < w->to ? width((unsigned char)w->text[i]) : 1;
        for (int k = 0; k < columns; k++) str_add(s, tab && !bar ? "\t" : k == 0 && bar ? "|" : " ");
    }
}

static void show_marks(Str *s, const Window *w, const Mark *mark, int n) {
    Str row = STR(s->arena);
    for (size_t i = w->from; i < w->to; i++) {
        char m = mark_at(mark, n, i, w->text[i]);
        int columns = width((unsigned char)w->text[i]);
        for (int k = 0; k < columns; k++) str_addn(&row, m == ' ' && w->text[i] == '\t' ? "\t" : &m, 1);
    }
    if (mark[0].span.col > w->to) str_add(&row, "^");
    while (row.n > 0 && (row.p[row.n - 1] == ' ' || row.p[row.n - 1] == '\t')) row.p[--row.n] = 0;
    str_add(s, str_text(&row));
}

static void gutter(Str *s, uint32_t line) {
    if (line)
        str_addf(s, "%5u | ", line);
    else
        str_add(s, "      | ");
}

static int compare_mark(const void *pa, const void *pb) {
    const Mark *a = pa, *b = pb;
    return a->span.col < b->span.col ? -1 : a->span.col > b->span.col;
}

/* The labels: that of the line's last mark beside it, the others below, each at its mark. */
static void show_labels(Str *s, const Diags *d, Paint p, const Window *w, const Mark *mark, int n) {
    Mark labelled[MAX_MARKS];
    int m = 0;
    for (int k = 0; k < n; k++)
        if (mark[k].label && *mark[k].label) labelled[m++] = mark[k];
    qsort(labelled, (size_t)m, sizeof *labelled, compare_mark);
    bool beside = m > 0; /* the last mark's label; another one would be taken for it */
    for (int k = 0; k < n; k++) beside = beside && mark[k].span.col <= labelled[m - 1].span.col;
    if (beside) {
        str_add(s, " ");
        print_escaped(s, labelled[m - 1].label);
    }
    for (int k = m - 1 - beside; k >= 0; k--) {
        unpaint(s, d);
        str_add(s, "\n");
        gutter(s, 0);
        paint(s, d, p);
        indent_to(s, w, labelled[k].span.col - 1, labelled, k);
        print_escaped(s, labelled[k].label);
    }
}

/* The marks of one line; the first decides which part of a long line is seen. */
static void show_line(Str *s, const Diags *d, Paint p, const Mark *mark, int n) {
    size_t bytes;
    const char *text = diag_line(d, mark[0].span, &bytes);
    if (!text) return;
    Window w = window_of(text, bytes, mark[0].span.col > 0 ? mark[0].span.col - 1 : 0);
    gutter(s, mark[0].span.line);
    show_text(s, &w);
    str_add(s, "\n");
    gutter(s, 0);
    paint(s, d, p);
    show_marks(s, &w, mark, n);
    show_labels(s, d, p, &w, mark, n);
    unpaint(s, d);
    str_add(s, "\n");
}

/* The marks of each line of the first mark's file, lines from above. */
static void show_excerpt(Str *s, const Diags *d, Paint p, const Mark *mark, int n) {
    for (uint32_t line = 0;;) {
        uint32_t next = UINT32_MAX;
        for (int i = 0; i < n; i++)
            if (mark[i].span.file == mark[0].span.file && mark[i].span.line > line)
                next = mark[i].span.line < next ? mark[i].span.line : next;
        if (next == UINT32_MAX) return;
        Mark here[MAX_MARKS];
        int m = 0;
        for (int i = 0; i < n; i++)
            if (mark[i].span.file == mark[0].span.file && mark[i].span.line == next) here[m++] = mark[i];
        show_line(s, d, p, here, m);
        line = next;
    }
}

/* ---- proposals ---- */

/* A new line, which ends where the old one starts: without its indentation at the end. */
static bool is_new_line(const Message *edit) {
    const char *end = strchr(edit->text, '\n');
    return edit->span.len == 0 && end && end[1 + strspn(end + 1, " \t")] == 0;
}

static void show_new_line(Str *s, const Diags *d, const Message *edit) {
    size_t bytes, n = strcspn(edit->text, "\n");
    const char *text = diag_line(d, edit->span, &bytes);
    str_addf(s, "%5u + ", edit->span.line);
    paint(s, d, PAINT_ADDED);
    for (size_t i = 0; text && i < edit->span.col - 1 && i < bytes; i++) str_add(s, text[i] == '\t' ? "\t" : " ");
    print_escaped(s, arena_strndup(s->arena, edit->text, n));
    unpaint(s, d);
    str_add(s, "\n");
}

/* The line with all edits of the proposal, and + under what is new. Nothing for edits of several lines or with line
 * ends. */
static void show_edited(Str *s, const Diags *d, const Message *const *edit, int n) {
    size_t bytes;
    if (n == 1 && is_new_line(edit[0])) {
        show_new_line(s, d, edit[0]);
        return;
    }
    const char *text = diag_line(d, edit[0]->span, &bytes);
    for (int i = 0; i < n; i++)
        if (!text || edit[i]->span.line != edit[0]->span.line || strchr(edit[i]->text, '\n')) return;
    Window w = window_of(text, bytes, edit[0]->span.col - 1);
    Str line = STR(s->arena), below = STR(s->arena);
    for (size_t i = w.from; i <= w.to; i++) {
        bool gone = false;
        for (int k = 0; k < n; k++) {
            const Span *at = &edit[k]->span;
            gone = gone || (i + 1 >= at->col && i + 1 < at->col + at->len);
            if (i + 1 != at->col) continue;
            print_escaped(&line, edit[k]->text);
            for (const char *c = edit[k]->text; *c; c++)
                if (width((unsigned char)*c)) str_add(&below, "+");
        }
        if (gone || i == w.to) continue;
        Window one = {.text = text, .from = i, .to = i + 1};
        show_text(&line, &one);
        indent_to(&below, &one, i + 1, NULL, 0);
    }
    while (below.n > 0 && below.p[below.n - 1] != '+') below.p[--below.n] = 0;
    gutter(s, edit[0]->span.line);
    str_addf(s, "%s\n", str_text(&line));
    if (below.n == 0) return;
    gutter(s, 0);
    paint(s, d, PAINT_ADDED);
    str_add(s, str_text(&below));
    unpaint(s, d);
    str_add(s, "\n");
}

/* ---- messages ---- */

static bool is_placed(const Diags *d, const Message *m) {
    return m->span.line > 0 && (int32_t)m->span.file < d->n_file;
}

static void show_head(Str *s, const Diags *d, const Message *m) {
    static const char *const word[] = {"error", "warning", "note", "help"};
    bool placed = is_placed(d, m);
    if (placed) {
        paint(s, d, PAINT_PLACE);
        print_escaped(s, d->file[m->span.file].path);
        str_addf(s, ":%u:%u: ", m->span.line, m->span.col);
        unpaint(s, d);
    } else if (m->severity < SEV_NOTE) {
        str_add(s, "cnnc: ");
    }
    paint(s, d, (Paint)m->severity);
    str_addf(s, "%s: ", word[m->severity]);
    unpaint(s, d);
    print_escaped(s, m->text);
    if (m->code) str_addf(s, " [%s]", m->code);
    str_add(s, "\n");
}

/* The message order[*i] with its labels or edits; moves *i past them. */
static void show_message(Str *s, const Diags *d, const int32_t *order, int32_t n, int32_t *i) {
    const Message *m = &d->message[order[(*i)++]], *edit[MAX_MARKS];
    Mark mark[MAX_MARKS] = {{.span = m->span}};
    int marks = 1, edits = 0;
    for (; *i < n && d->message[order[*i]].severity >= SEV_LABEL; ++*i) {
        const Message *part = &d->message[order[*i]];
        if (part->severity == SEV_EDIT && edits < MAX_MARKS) edit[edits++] = part;
        if (part->severity == SEV_LABEL && marks < MAX_MARKS)
            mark[marks++] = (Mark){.span = part->span, .label = part->text};
    }
    if (m->severity == SEV_HELP && !*m->text) return;
    show_head(s, d, m);
    if (is_placed(d, m) && m->span.len > 0) show_excerpt(s, d, (Paint)m->severity, mark, marks);
    if (edits > 0) show_edited(s, d, edit, edits);
}

void diag_print(const Diags *d) {
    if (d->options->print) {
        d->options->print(d);
        return;
    }
    int32_t n, more;
    const int32_t *order = diag_order(d, &n, &more);
    Str s = STR(d->arena);
    for (int32_t i = 0; i < n;) show_message(&s, d, order, n, &i);
    if (more > 0) str_addf(&s, "cnnc: %d more errors not shown\n", more);
    fputs(str_text(&s), stderr);
}
