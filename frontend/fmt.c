/* See fmt.h. From marks to lines: blocks of statements (write_block), the words of one statement (layout), then the
 * comments at line ends (print_lines). */
#include "fmt.h"

#include <stdlib.h>
#include <string.h>

#include "fmt_marks.h"

typedef struct Line {
    const char *code; /* with its indentation; "" under a comment that goes on */
    int32_t width;
    bool blank;          /* an empty line before it */
    const char *comment; /* behind the code, NULL: none */
} Line;

typedef struct Put { /* where a mark was put */
    int32_t line, column;
} Put;

typedef struct Format {
    Arena *arena;
    Marks m;
    Put *put;        /* per mark; lines count within the file */
    int32_t *indent; /* of the line that a mark is in */
    Line *line;
    int32_t n_line, cap_line;
} Format;

/* ---- lines ---- */

static void add_line(Format *f, const char *code, int32_t width, bool blank, const char *comment) {
    Line l = {.code = code, .width = width, .blank = blank, .comment = comment};
    PUSH(f->arena, f->line, f->n_line, f->cap_line, l);
}

/* Comments on lines of their own. */
static void add_comments(Format *f, const CommentList *list, int32_t indent, bool first) {
    for (int32_t i = 0; i < list->n; i++)
        add_line(f, arena_printf(f->arena, "%*s%s", indent, "", list->item[i].text), 0,
                 list->item[i].blank && !(first && i == 0), NULL);
}

/* The code of a line that ends with mark i, and the comments there. */
static void add_code(Format *f, const Str *code, int32_t width, bool blank, int32_t i) {
    const CommentList *trail = &f->m.item[i].trail;
    add_line(f, arena_strdup(f->arena, str_text(code)), width, blank, trail->n ? trail->item[0].text : NULL);
    for (int32_t k = 1; k < trail->n; k++) add_line(f, "", 0, false, trail->item[k].text);
}

/* ---- the words of a statement ---- */

typedef struct Writer {
    Format *f;
    int32_t from, to;   /* marks from, from + 1, ... to - 1 */
    int32_t indent;     /* of the first line */
    bool blank;         /* before it */
    int32_t first_line; /* in f->line */
    Str code;           /* of the line being written */
    int32_t width;
    int32_t start; /* the mark that it begins with */
} Writer;

/* Does nothing follow the bracket on its line? */
static bool hangs(const Format *f, int32_t open) {
    return f->m.item[open + 1].broken && f->m.item[open].match != open + 1;
}

static bool breaks(const Format *f, int32_t i) {
    const Mark *k = &f->m.item[i];
    if (marks_must_break(&f->m, i) || k->broken) return true;
    bool closing = k->match >= 0 && k->match < i;
    return closing && hangs(f, k->match);
}

/* The first -> of mark i's part of the statement: behind the bracket or the last comma there, or of the whole; -1 if it
 * is not on the line where that part begins. */
static int32_t first_arrow(const Writer *l, int32_t i) {
    const Format *f = l->f;
    int32_t open = f->m.item[i].open, begin = open < 0 ? l->from : open + 1, arrow = -1;
    for (int32_t k = i - 1; k >= begin; k--) {
        const Mark *m = &f->m.item[k];
        if (m->match >= 0 && m->match < k && m->match >= begin) {
            k = m->match; /* over what is in brackets */
            continue;
        }
        if (mark_is(m, "->")) arrow = k;
        if (mark_is(m, ",") && open >= 0) begin = k + 1;
    }
    return arrow >= 0 && f->put[arrow].line == f->put[begin].line ? arrow : -1;
}

/* How far the line that begins with mark i is indented. */
static int32_t line_indent(const Writer *l, int32_t i) {
    const Format *f = l->f;
    const Mark *k = &f->m.item[i];
    int32_t open = k->open;
    if (k->match >= 0 && k->match < i) return hangs(f, k->match) ? f->indent[k->match] : f->put[k->match].column;
    int32_t base = open < 0 ? l->indent + 4 : hangs(f, open) ? f->indent[open] + 4 : f->put[open].column + 1;
    if (!mark_is(k, "->")) return base;
    int32_t arrow = first_arrow(l, i);
    return arrow >= 0 && arrow != i ? f->put[arrow].column : open < 0 ? base : base + 4;
}

static void begin_line(Writer *l, int32_t i, int32_t indent) {
    l->code = STR(l->f->arena);
    str_addf(&l->code, "%*s", indent, "");
    l->width = indent;
    l->start = i;
}

static void end_line(Writer *l, int32_t next) {
    bool first = l->f->n_line == l->first_line;
    add_code(l->f, &l->code, l->width, first && l->blank, next - 1);
}

/* Where the line that begins with l->start and is too long with mark i should have ended: before the last comma's
 * successor, else before the last ->, of the outermost brackets that have one. -1: nowhere. */
static int32_t find_break(const Writer *l, int32_t i) {
    int32_t best = -1, best_rank = 0, depth = 0;
    for (int32_t k = l->start; k <= i; k++) {
        const Mark *m = &l->f->m.item[k];
        if (m->match >= 0 && m->match < k) depth--;
        bool comma = k > 0 && mark_is(&l->f->m.item[k - 1], ",");
        int32_t rank = 2 * depth + !comma;
        if (k > l->start && ((comma && m->open >= 0) || mark_is(m, "->")) && (best < 0 || rank <= best_rank)) {
            best = k;
            best_rank = rank;
        }
        if (m->match > k) depth++;
    }
    return best;
}

/* Back to before mark i, which is in the present line. */
static void cut_line(Writer *l, int32_t i) {
    int32_t column = l->f->put[i].column - l->f->m.item[i].pad;
    size_t n = 0;
    for (int32_t at = 0; at < column || (l->code.p[n] & 0xC0) == 0x80; n++) at += (l->code.p[n] & 0xC0) != 0x80;
    while (n > 0 && l->code.p[n - 1] == ' ') n--;
    l->code.n = n;
    l->code.p[n] = 0;
    l->f->m.item[i].broken = true;
}

static void put_mark(Writer *l, int32_t i) {
    Format *f = l->f;
    Mark *k = &f->m.item[i];
    int32_t blanks = i == l->start ? 0 : marks_gap(&f->m, i);
    str_addf(&l->code, "%*s", blanks + k->pad, "");
    f->put[i] = (Put){f->n_line, l->width + blanks + k->pad};
    f->indent[i] = l->start == i ? f->put[i].column - k->pad : f->indent[l->start];
    str_add(&l->code, k->text);
    l->width = f->put[i].column + k->width;
}

/* Writes the words as one or more lines. */
static void layout(Writer l) {
    Format *f = l.f;
    l.first_line = f->n_line;
    begin_line(&l, l.from, l.indent);
    for (int32_t i = l.from; i < l.to; i++) {
        if (i > l.from && breaks(f, i)) {
            int32_t indent = line_indent(&l, i);
            end_line(&l, i);
            add_comments(f, &f->m.item[i].lead, indent, false);
            begin_line(&l, i, indent);
        }
        put_mark(&l, i);
        int32_t cut = l.width > FMT_WIDTH ? find_break(&l, i) : -1;
        if (cut < 0) continue;
        cut_line(&l, cut);
        i = cut - 1;
    }
    end_line(&l, l.to);
}

/* Of the words in one line. */
static int32_t flat_width(Format *f, int32_t from, int32_t to) {
    int32_t width = 0;
    for (int32_t i = from; i < to; i++)
        width += (i > from ? marks_gap(&f->m, i) + f->m.item[i].pad : 0) + f->m.item[i].width;
    return width;
}

/* ---- statements ---- */

/* One past the head of the statement that begins with mark i: behind its first {, or its end. */
static int32_t head_end(const Format *f, int32_t i) {
    while (!f->m.item[i].ends && !mark_is(&f->m.item[i], "{")) i++;
    return i + 1;
}

static bool has_braces(const Format *f, int32_t i) { return mark_is(&f->m.item[head_end(f, i) - 1], "{"); }

/* One past the statement that begins with mark i, with all its braces. */
static int32_t statement_end(const Format *f, int32_t i) {
    int depth = 0;
    for (;; i++) {
        const Mark *k = &f->m.item[i];
        depth += mark_is(k, "{") - mark_is(k, "}");
        bool goes_on = mark_is(k, "{") || (mark_is(k, "}") && mark_is(k + 1, "else") && k[1].shape == TOKEN_WORD);
        if (depth == 0 && !goes_on && (k->ends || mark_is(k, "}"))) return i + 1;
    }
}

static bool is_end(const Format *f, int32_t i) {
    return f->m.item[i].shape == TOKEN_END || mark_is(&f->m.item[i], "}");
}

/* Was a statement with braces written on one line, with at most one plain statement in each, and does it fit? */
static bool is_flat(Format *f, int32_t from, int32_t to, int32_t indent) {
    int depth = 0, n = 0;
    for (int32_t i = from; i < to; i++) {
        const Mark *k = &f->m.item[i];
        if (i > from && (k->broken || marks_must_break(&f->m, i) || k->line != f->m.item[from].line)) return false;
        depth += mark_is(k, "{") - mark_is(k, "}");
        n = mark_is(k, "{") ? 0 : n + (depth == 1 && k->ends);
        if (depth > 1 || n > 1) return false;
    }
    return indent + flat_width(f, from, to) <= FMT_WIDTH;
}

/* ---- alignment of = ---- */

typedef struct Equals { /* those of one run */
    int32_t *item;
    int32_t n, cap, most;
} Equals;

static void align(Format *f, Equals *e, const int32_t *width) {
    for (int32_t i = 0; i < e->n; i++) f->m.item[e->item[i]].pad = e->most - width[i];
    *e = (Equals){0};
}

/* The = of a plain statement, or the comparison of a clause of require; -1: none. */
static int32_t find_equals(const Format *f, int32_t i) {
    for (int32_t end = head_end(f, i); i < end; i++)
        if (f->m.item[i].open < 0 && strchr("=<>!", f->m.item[i].text[0]) && !mark_is(&f->m.item[i], "<<")) return i;
    return -1;
}

/* In sections all = stand in one column; elsewhere those of consecutive lines that begin with the same keyword. */
static void align_block(Format *f, int32_t i, bool settings) {
    Equals run = {0};
    int32_t *width = NULL, n_width = 0, cap_width = 0;
    const char *word = "";
    for (; !is_end(f, i); i = statement_end(f, i)) {
        const Mark *k = &f->m.item[i];
        int32_t equals = has_braces(f, i) ? -1 : find_equals(f, i);
        bool same = settings || (k->shape == TOKEN_WORD && mark_is(k, word) && !k->blank && !k->lead.n);
        if (!same) {
            align(f, &run, width);
            n_width = 0;
        }
        word = k->text;
        if (equals < 0 || (!settings && k->shape != TOKEN_WORD)) continue;
        int32_t wide = flat_width(f, i, equals);
        run.most = wide > run.most ? wide : run.most;
        PUSH(f->arena, run.item, run.n, run.cap, equals);
        PUSH(f->arena, width, n_width, cap_width, wide);
    }
    align(f, &run, width);
}

/* ---- columns of numbers ---- */

/* [[1, 2], [3, 4]]: rows of as many single words each. Returns how many words, 0 if it is no such list. */
static int32_t table_columns(const Format *f, int32_t open) {
    int32_t columns = 0, end = f->m.item[open].match, rows = 0;
    for (int32_t i = open + 1; i < end; i++, rows++) {
        int32_t n = 0, close = f->m.item[i].match;
        if (!mark_is(&f->m.item[i], "[")) return 0;
        for (int32_t k = i + 1; k < close; k += 2, n++)
            if ((f->m.item[k].shape != TOKEN_NUMBER && f->m.item[k].shape != TOKEN_TEXT) || !(k + 1 == close || mark_is(&f->m.item[k + 1], ","))) return 0;
        if (rows && n != columns) return 0;
        columns = n;
        i = close + 1;
        if (i < end && !mark_is(&f->m.item[i], ",")) return 0;
    }
    return rows > 1 ? columns : 0;
}

static bool has_breaks(const Format *f, int32_t from, int32_t to) {
    for (int32_t i = from; i < to; i++)
        if (f->m.item[i].broken) return true;
    return false;
}

static void align_table(Format *f, int32_t open, int32_t columns) {
    int32_t *width = NEW_ARRAY(f->arena, int32_t, columns), end = f->m.item[open].match;
    for (int pass = 0; pass < 2; pass++)
        for (int32_t i = open + 1; i < end; i = f->m.item[i].match + 2)
            for (int32_t k = 0; k < columns; k++) {
                Mark *number = &f->m.item[i + 1 + 2 * k];
                if (pass)
                    number->pad = width[k] - number->width;
                else if (number->width > width[k])
                    width[k] = number->width;
            }
}

static void align_tables(Format *f) {
    for (int32_t i = 0; i < f->m.n; i++) {
        if (!mark_is(&f->m.item[i], "[") || !mark_is(&f->m.item[i + 1], "[")) continue;
        int32_t columns = has_breaks(f, i, f->m.item[i].match) ? table_columns(f, i) : 0;
        if (columns > 1) align_table(f, i, columns);
    }
}

/* ---- blocks ---- */

static void write_block(Format *f, int32_t *i, int level, bool settings);

static bool has_blank(const Mark *k) {
    for (int32_t i = 0; i < k->lead.n; i++)
        if (k->lead.item[i].blank) return true;
    return k->blank;
}

/* Items with braces, and the version, stand apart. */
static void set_apart(Mark *k) {
    if (has_blank(k)) return;
    if (k->lead.n)
        k->lead.item[0].blank = true;
    else
        k->blank = true;
}

/* One past the next { that has something in its braces, or `to`. */
static int32_t filled_brace(const Format *f, int32_t i, int32_t to) {
    for (; i < to; i++)
        if (mark_is(&f->m.item[i], "{") && (!mark_is(&f->m.item[i + 1], "}") || marks_must_break(&f->m, i + 1)))
            return i + 1;
    return to;
}

/* head { body } else { body }: *i is the first mark, then one past the last. */
static void write_braces(Format *f, int32_t *i, int level, bool blank, bool settings) {
    int32_t to = statement_end(f, *i);
    if (is_flat(f, *i, to, 4 * level)) {
        layout((Writer){.f = f, .from = *i, .to = to, .indent = 4 * level, .blank = blank});
        *i = to;
        return;
    }
    while (*i < to) {
        int32_t end = filled_brace(f, *i, to);
        layout((Writer){.f = f, .from = *i, .to = end, .indent = 4 * level, .blank = blank});
        *i = end;
        if (end < to) write_block(f, i, level + 1, settings);
        blank = false;
    }
}

/* Is what the first word opens a body of statements, not settings? */
static bool opens_body(const Mark *k) {
    static const char *const word[] = {"block", "net", "for", "if"};
    for (int i = 0; i < ARRAY_LEN(word); i++)
        if (k->shape == TOKEN_WORD && mark_is(k, word[i])) return true;
    return false;
}

/* The statements from mark *i up to a } or the end. */
static void write_block(Format *f, int32_t *i, int level, bool settings) {
    bool first = true, apart = false;
    align_block(f, *i, settings);
    while (!is_end(f, *i)) {
        Mark *k = &f->m.item[*i];
        bool braces = has_braces(f, *i), version = mark_is(k, "cnnc") && k->shape == TOKEN_WORD;
        if (level == 0 && !first && (apart || braces)) set_apart(k);
        add_comments(f, &k->lead, 4 * level, first);
        bool blank = k->blank && !(first && !k->lead.n);
        if (braces) {
            write_braces(f, i, level, blank, !opens_body(k));
        } else {
            int32_t to = statement_end(f, *i);
            layout((Writer){.f = f, .from = *i, .to = to, .indent = 4 * level, .blank = blank});
            *i = to;
        }
        apart = braces || version;
        first = false;
    }
    add_comments(f, &f->m.item[*i].lead, 4 * level, first);
}

/* ---- the whole ---- */

/* Comments of consecutive lines stand in one column. */
static void print_lines(Format *f, Str *out) {
    for (int32_t i = 0; i < f->n_line;) {
        int32_t end = i, column = FMT_COMMENT - 1;
        for (; end < f->n_line && f->line[end].comment && (end == i || !f->line[end].blank); end++)
            if (f->line[end].width + 2 > column) column = f->line[end].width + 2;
        for (end = end > i ? end : i + 1; i < end; i++) {
            const Line *l = &f->line[i];
            str_addf(out, "%s%s", l->blank ? "\n" : "", l->code);
            if (l->comment) str_addf(out, "%*s%s", column - l->width, "", l->comment);
            str_add(out, "\n");
        }
    }
}

/* One round. */
static void format(Arena *a, Diags *d, uint32_t file, Str *out) {
    TokenList token = {0};
    int32_t i = 0;
    parse_file_tokens(a, d, file, &token);
    Format f = {.arena = a, .m = marks_make(a, d->file[file].text, &token)};
    f.put = NEW_ARRAY(a, Put, f.m.n);
    f.indent = NEW_ARRAY(a, int32_t, f.m.n);
    align_tables(&f);
    write_block(&f, &i, 0, false);
    print_lines(&f, out);
}

/* NULL if it has mistakes. */
static const char *tree_text(Arena *a, Diags *d, uint32_t file) {
    Str s = STR(a);
    int32_t before = d->n_error;
    ast_print(&s, parse_file(a, d, file));
    return d->n_error > before ? NULL : str_text(&s);
}

/* What a round decides may change what the next one sees: a row of numbers that had to be broken is then a table. */
bool fmt_file(Arena *a, Diags *d, uint32_t file, Str *out) {
    enum { MOST_ROUNDS = 8 };
    const char *tree = tree_text(a, d, file), *text = d->file[file].text, *path = d->file[file].path;
    if (!tree) return false;
    for (int round = 0; round < MOST_ROUNDS; round++) {
        Str s = STR(a);
        format(a, d, file, &s);
        if (!strcmp(text, str_text(&s))) {
            const char *after = tree_text(a, d, file);
            ICE_UNLESS(after && !strcmp(tree, after), "fmt changed the meaning of the file");
            str_add(out, text);
            return true;
        }
        text = str_text(&s);
        file = diag_add_file(d, path, text, s.n);
    }
    ice("fmt finds no form that stays as it is");
}
