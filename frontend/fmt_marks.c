/* See fmt_marks.h. */
#include "fmt_marks.h"

#include <string.h>

bool mark_is(const Mark *m, const char *text) { return !strcmp(m->text, text); }

static bool opens(const Mark *m) { return mark_is(m, "(") || mark_is(m, "["); }
static bool closes(const Mark *m) { return mark_is(m, ")") || mark_is(m, "]"); }

static int32_t characters(const char *text, size_t n) {
    int32_t width = 0;
    for (size_t i = 0; i < n; i++) width += ((unsigned char)text[i] & 0xC0) != 0x80;
    return width;
}

/* ---- comments ---- */

typedef struct Scan { /* the text between two words */
    const char *at, *end;
    const char *line; /* where the line of `at` begins */
} Scan;

static Comment read_comment(Arena *a, Scan *s) {
    const char *from = s->at, *end = memchr(from, '\n', (size_t)(s->end - from));
    if (!end) end = s->end;
    s->at = end;
    while (end[-1] == ' ' || end[-1] == '\t') end--;
    return (Comment){.text = arena_strndup(a, from, (size_t)(end - from)), .column = (uint32_t)(from - s->line) + 1};
}

/* Blanks and line ends; returns how many of the latter. */
static int skip(Scan *s) {
    int lines = 0;
    for (; s->at < s->end && *s->at != '#'; s->at++)
        if (*s->at == '\n') {
            lines++;
            s->line = s->at + 1;
        }
    return lines;
}

/* The comments between `before` (NULL at the start) and m. One right below a comment at a line's end, in its column,
 * goes on with it. */
static void read_comments(Arena *a, Scan s, Mark *before, Mark *m) {
    int lines = skip(&s);
    bool trailing = before && lines == 0 && s.at < s.end;
    while (s.at < s.end) {
        Comment c = read_comment(a, &s);
        c.blank = lines > 1;
        CommentList *trail = before ? &before->trail : NULL;
        trailing = trailing && lines <= 1 && (trail->n == 0 || trail->item[0].column == c.column);
        if (trailing)
            PUSH(a, trail->item, trail->n, trail->cap, c);
        else
            PUSH(a, m->lead.item, m->lead.n, m->lead.cap, c);
        lines = skip(&s);
    }
    m->blank = lines > 1;
}

/* ---- commas ---- */

static void prepend(Arena *a, CommentList *to, const CommentList *from) {
    CommentList all = {0};
    for (int32_t i = 0; i < from->n; i++) PUSH(a, all.item, all.n, all.cap, from->item[i]);
    for (int32_t i = 0; i < to->n; i++) PUSH(a, all.item, all.n, all.cap, to->item[i]);
    *to = all;
}

/* A comma stands right behind what it follows, so comments before it go behind it; none stands before a closing
 * bracket. */
static void settle_commas(Arena *a, Marks *m) {
    for (int32_t i = 1; i + 1 < m->n; i++) {
        Mark *before = &m->item[i - 1], *comma = &m->item[i], *next = &m->item[i + 1];
        if (!mark_is(comma, ",")) continue;
        prepend(a, &next->lead, &comma->lead);
        comma->lead = (CommentList){0};
        comma->dropped = closes(next) && !(before->trail.n && comma->trail.n);
        Mark *keeps = comma->dropped ? before : comma, *gives = comma->dropped ? comma : before;
        if (keeps->trail.n) continue;
        keeps->trail = gives->trail;
        gives->trail = (CommentList){0};
    }
}

static void remove_dropped(Marks *m) {
    int32_t n = 0;
    for (int32_t i = 0; i < m->n; i++)
        if (!m->item[i].dropped) m->item[n++] = m->item[i];
    m->n = n;
}

/* ---- brackets ---- */

static void match_brackets(Marks *m) {
    int32_t open = -1;
    for (int32_t i = 0; i < m->n; i++) {
        Mark *k = &m->item[i];
        if (closes(k) && open >= 0) {
            k->match = open;
            m->item[open].match = i;
            k->open = open;
            open = m->item[open].open;
        } else {
            k->open = open;
            if (opens(k)) open = i;
        }
        if (k->ends) open = -1;
    }
}

/* ---- from tokens ---- */

/* Where each line begins. */
static const char **line_starts(Arena *a, const char *text) {
    const char **start = NULL;
    int32_t n = 0, cap = 0;
    PUSH(a, start, n, cap, text);
    PUSH(a, start, n, cap, text); /* lines count from 1 */
    for (const char *nl = text; (nl = strchr(nl, '\n')); nl++) PUSH(a, start, n, cap, nl + 1);
    return start;
}

Marks marks_make(Arena *a, const char *text, const TokenList *token) {
    Marks m = {0};
    const char **start = line_starts(a, text), *end = text;
    for (int32_t i = 0; i < token->n; i++) {
        const Token *t = &token->item[i];
        if (t->shape == TOKEN_LINE_END) {
            if (m.n) m.item[m.n - 1].ends = true;
            continue;
        }
        bool last = t->shape == TOKEN_END;
        const char *from = last ? text + strlen(text) : start[t->at.line] + t->at.col - 1;
        size_t n = last ? 0 : (size_t)(start[t->at.end_line] + t->at.end_col - 1 - from);
        Mark k = {.shape = t->shape, .line = t->at.line, .end_line = t->at.end_line, .match = -1};
        k.text = t->shape == TOKEN_NUMBER ? parse_number_text(a, from, n) : arena_strndup(a, from, n);
        k.width = characters(k.text, strlen(k.text));
        Mark *before = m.n ? &m.item[m.n - 1] : NULL;
        read_comments(a, (Scan){end, from, start[before ? before->end_line : 1]}, before, &k);
        k.broken = before && before->end_line < k.line;
        PUSH(a, m.item, m.n, m.cap, k);
        end = from + n;
    }
    settle_commas(a, &m);
    remove_dropped(&m);
    match_brackets(&m);
    for (int32_t i = 0; i < m.n; i++) m.item[i].broken = m.item[i].broken && marks_may_break(&m, i);
    return m;
}

/* ---- spacing and breaking ---- */

/* Is something complete there, so that what follows is an operator or opens its arguments? */
static bool is_operand(const Mark *m) {
    return m->shape == TOKEN_NAME || m->shape == TOKEN_NUMBER || m->shape == TOKEN_TEXT || closes(m);
}

/* A sign before its only operand, or the star of a list that is spread. */
static bool is_prefix(const Marks *m, int32_t i) {
    const Mark *k = &m->item[i];
    return (mark_is(k, "-") || mark_is(k, "*")) && (i == 0 || !is_operand(&m->item[i - 1]));
}

static bool any(const Mark *m, const char *const *text, int n) {
    for (int i = 0; i < n; i++)
        if (mark_is(m, text[i])) return true;
    return false;
}

/* Nothing between it and what comes before, or behind. */
static bool clings_left(const Mark *m) {
    static const char *const text[] = {",", ")", "]", ".", "@", "..", ""};
    return any(m, text, ARRAY_LEN(text)) || (mark_is(m, "=") && m->open >= 0);
}

static bool clings_right(const Mark *m) {
    static const char *const text[] = {"(", "[", ".", "@", ".."};
    return any(m, text, ARRAY_LEN(text)) || (mark_is(m, "=") && m->open >= 0);
}

/* Is mark i the stroke of a fraction that stands alone, as in [3/4, 4/3]? */
static bool is_fraction(const Marks *m, int32_t i) {
    static const char *const before[] = {"[", ",", "="}, *const behind[] = {")", "]", ","};
    const Mark *k = &m->item[i];
    if (!mark_is(k, "/") || i < 2 || i + 2 >= m->n) return false;
    bool alone = any(k - 2, before, ARRAY_LEN(before)) && (k[1].ends || any(k + 2, behind, ARRAY_LEN(behind)));
    return alone && k[-1].shape == TOKEN_NUMBER && k[1].shape == TOKEN_NUMBER;
}

int marks_gap(const Marks *m, int32_t i) {
    const Mark *before = &m->item[i - 1], *k = &m->item[i];
    if (is_fraction(m, i) || is_fraction(m, i - 1)) return 0;
    bool arguments = opens(k) && is_operand(before);
    bool empty = mark_is(before, "{") && mark_is(k, "}");
    return !(clings_left(k) || clings_right(before) || is_prefix(m, i - 1) || arguments || empty);
}

bool marks_may_break(const Marks *m, int32_t i) {
    if (i == 0 || mark_is(&m->item[i], "->")) return true;
    const Mark *before = &m->item[i - 1], *k = &m->item[i];
    return k->open >= 0 && (opens(before) || marks_gap(m, i) > 0) && !closes(k);
}

bool marks_must_break(const Marks *m, int32_t i) { return m->item[i - 1].trail.n || m->item[i].lead.n; }
