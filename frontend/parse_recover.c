/* Going on after a mistake as if it had not been made: tokens that nobody wrote but that are missing, and words and
 * signs of other languages for those of this one (foreign.def). So the rest of the file is read as its author meant it,
 * and one mistake gives one message. See parse.h. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "foreign.h"
#include "parse.h"
#include "parser.h"
#include "settings.h"

static const struct {
    const char *text;
    int token;
} word_token[] = {
#define KEYWORD(text, token) {#text, token},
#define TOP_WORD(text, token) {#text, token},
#include "words.def"
};

static int token_of(const char *word, size_t n) {
    for (int i = 0; i < ARRAY_LEN(word_token); i++)
        if (strlen(word_token[i].text) == n && !memcmp(word_token[i].text, word, n)) return word_token[i].token;
    return 0;
}

#define NAME_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"

static void make_due(Parse *p, int token) { PUSH(p->arena, p->due, p->n_due, p->cap_due, token); }

static const char *rest(const Parse *p) { return p->text + p->offset; }
static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_'; }
static const char *blanks(const char *s) { return s + strspn(s, " \t"); }
static bool ends_line(const char *s) { return *s == 0 || *s == '\n' || *s == '#'; }
static bool newline_counts(const Parse *p) { return p->depth == 0 || strchr("{:", p->open[p->depth - 1].kind); }

static Span end_of(const Parse *p, Place at) { return (Span){.file = p->file, .line = at.end_line, .col = at.end_col}; }

static bool ends_value(int token) {
    return token == IDENT || token == QTY || token == STR || token == DIM || token == ')' || token == ']';
}

/* ---- signs ---- */

static int sign_token(union NET_STYPE *v, const char *here) {
    static const struct {
        const char *text;
        int token;
        Operator op;
    } row[] = {
        {"->", ARROW, OPR_or}, {"and", AND, OPR_or}, {"or", OR, OPR_or},  {"not", NOT, OPR_or}, {"..", DOTDOT, OPR_or},
        {"==", CMP, OPR_eq},   {"!=", CMP, OPR_ne},  {"<=", CMP, OPR_le}, {">=", CMP, OPR_ge},
    };
    for (int i = 0; i < ARRAY_LEN(row); i++)
        if (!strcmp(row[i].text, here)) {
            if (row[i].token == CMP) v->op = row[i].op;
            return row[i].token;
        }
    return (unsigned char)here[0];
}

/* The replacement with the blanks that a word needs between words. */
static const char *spaced(Parse *p, const char *here, size_t length) {
    char before = p->offset > length ? p->text[p->offset - length - 1] : ' ', after = *rest(p);
    bool word = isalpha((unsigned char)here[0]);
    return arena_printf(p->arena, "%s%s%s", word && is_word(before) ? " " : "", here,
                        word && (is_word(after) || after == '(') ? " " : "");
}

/* Several of one sign in a line are one mistake. */
static void replace_sign(Parse *p, Span at, const char *text, const char *here) {
    Diags *d = p->diags;
    const Message *m = d->current >= 0 && d->n_message > d->current + 1 ? &d->message[d->current] : NULL;
    const char *sentence = arena_printf(p->arena, "`%s` is not part of the language; did you mean `%s`?", text, here);
    if (m && m->span.line == at.line && m->span.file == at.file && !strcmp(m->text, sentence)) {
        d->message[d->current + 1].text = "in each place";
        diag_edit(d, at, spaced(p, here, strlen(text)));
        return;
    }
    diag_error(d, at, "E0013", "%s", sentence);
    diag_fix(d, at, spaced(p, here, strlen(text)), "%s", "");
}

/* `>>` and `|` behind a number or string are no arrows: what is meant there; NULL where they are. */
static const char *not_an_arrow(const Parse *p, const Foreign *f) {
    bool value = p->last == QTY || p->last == STR || p->last == DIM;
    if (!value || !f->here || strcmp(f->here, "->") != 0) return NULL;
    if (!strcmp(f->written, "=>")) return "the channels of the input are known: conv(out, kernel)";
    if (!strcmp(f->written, ">>")) return "a half is a quotient: 64 / 2";
    return !strcmp(f->written, "|") ? "one of several values: option name = value in [value, value]" : NULL;
}

int parse_sign(Parse *p, union NET_STYPE *v, const char *text) {
    const Foreign *f = foreign_find(FOREIGN_SIGN, "", text);
    Span at = parse_span(p, p->here);
    if (!f) {
        bool ascii = (unsigned char)text[0] < 0x80;
        if (!p->wrong)
            diag_error(p->diags, at, "E0002",
                       ascii ? "this character means nothing here" : "names and symbols are ASCII");
        p->wrong = true;
        return NET_error;
    }
    if (*text == ';' && p->statement == FOR && !newline_counts(p)) {
        if (!p->wrong) {
            diag_error(p->diags, at, "E0013", "`for` runs over a list");
            diag_help(p->diags, (Span){0}, "for i in 0..3 { ... } runs with 0, 1 and 2");
        }
        p->wrong = true;
        return NET_error;
    }
    const char *unlike = not_an_arrow(p, f);
    if (unlike || (!strcmp(text, "**") && (p->last == '(' || p->last == ','))) {
        diag_error(p->diags, at, "E0013", "`%s` is not part of the language", text);
        if (!unlike) diag_fix(p->diags, at, "*", "a list is spread: its members are arguments by position");
        else diag_help(p->diags, (Span){0}, "%s", unlike);
        p->lost = true;
        return '*';
    }
    bool gone = f->here && !*f->here, list = gone && !newline_counts(p);
    const char *here = list && *text == ';' ? "," : f->here;
    if (here && *here) {
        replace_sign(p, at, text, here);
        return sign_token(v, here);
    }
    diag_error(p->diags, at, "E0013", gone ? "`%s` is not needed" : "`%s` is not part of the language", text);
    if (!gone) {
        diag_help(p->diags, (Span){0}, "%s", f->note);
        p->lost = true;
        return '*';
    }
    bool ends = *text != ';' || ends_line(blanks(rest(p))) || *blanks(rest(p)) == '}';
    diag_fix(p->diags, at, ends && *text != '\xc2' ? "" : ends ? " " : "\n", "%s", f->note);
    return ends ? 0 : NL;
}

/* ---- colons and indented bodies ---- */

static uint32_t line_indent(const Parse *p, uint32_t line) {
    size_t n;
    const char *text = diag_line(p->diags, (Span){.file = p->file, .line = line, .col = 1, .len = 1}, &n);
    return text ? (uint32_t)(blanks(text) - text) + 1 : 1;
}

/* The words of statements that have a body, or of what has settings. */
static bool has_body(int token) {
    static const int with_body[] = {FOR, IF, ELSE, BLOCK, NET, INPUT, SECTION};
    for (int i = 0; i < ARRAY_LEN(with_body); i++)
        if (with_body[i] == token) return true;
    return false;
}

/* for x in list: with the body indented, or behind it on the line. */
static int open_body(Parse *p) {
    Span at = parse_span(p, p->here);
    diag_error(p->diags, at, "E0013", "`:` starts no body; a body stands in { }");
    int32_t message = p->diags->current;
    bool alone = ends_line(blanks(rest(p)));
    diag_fix(p->diags, at, alone ? " {" : " {", "{ and } stand around the body");
    uint32_t indent = alone ? line_indent(p, p->statement_at.line) : UINT32_MAX;
    if (p->depth == MAX_NESTING) return NET_error;
    Bracket b = {.kind = ':', .at = p->here, .indent = indent, .message = message};
    PUSH(p->arena, p->open, p->depth, p->cap_open, b);
    return '{';
}

/* for x in list do, if a == b then: `end` or } closes it, or what is indented less. */
static int open_by_word(Parse *p, const char *word) {
    Span at = parse_span(p, p->here);
    diag_error(p->diags, at, "E0013", "`%s` starts no body; a body stands in { }", word);
    diag_fix(p->diags, at, "{", "{ and } stand around the body");
    if (p->depth == MAX_NESTING) return NET_error;
    Bracket b = {.kind = '{', .at = p->here, .message = p->diags->current, .word = true};
    PUSH(p->arena, p->open, p->depth, p->cap_open, b);
    return '{';
}

/* The word is that of the last message, too: what stands for a } there goes into its proposal. */
static void edit_of(Parse *p, const Bracket *b, Span at, const char *text) {
    int32_t current = p->diags->current;
    diag_resume(p->diags, b->message);
    diag_edit(p->diags, at, text);
    diag_resume(p->diags, current);
}

int parse_close_by_word(Parse *p, const char *word) {
    Bracket b = p->depth > 0 ? p->open[p->depth - 1] : (Bracket){0};
    static const char *const ends[] = {"end", "done", "fi", "endif", "endfor"};
    bool end = false, other = !strcmp(word, "else");
    for (int i = 0; i < ARRAY_LEN(ends); i++) end = end || !strcmp(word, ends[i]);
    if (!b.word || (!end && !other) || !ends_line(blanks(rest(p)))) return -1;
    edit_of(p, &b, parse_span(p, p->here), end ? "}" : "} else {");
    if (end) {
        p->depth--;
        return '}';
    }
    make_due(p, ELSE);
    make_due(p, '{');
    return '}';
}

int parse_colon(Parse *p) {
    Span at = parse_span(p, p->here);
    if (p->questions > 0) {
        p->questions--;
        return ':';
    }
    if (*rest(p) == '=') {
        at.len++;
        diag_error(p->diags, at, "E0013", "`:=` is not part of the language; did you mean `=`?");
        diag_fix(p->diags, at, "=", "%s", "");
        return 0;
    }
    if (newline_counts(p) && has_body(p->statement)) return open_body(p);
    if (p->last == CNNC) {
        diag_error(p->diags, at, "E0013", "`:` is not needed");
        diag_fix(p->diags, at, *rest(p) == ' ' ? "" : " ", "the version follows: cnnc 1");
        return 0;
    }
    bool named = p->statement == OPTION || p->statement == CONST || p->statement == OUTPUT;
    size_t type = strspn(blanks(rest(p)), NAME_BYTES);
    bool variable = p->last == IDENT && p->depth > 0 && newline_counts(p) && !parse_section(p) &&
                    p->last_at.line == p->statement_at.line && p->last_at.col == p->statement_at.col;
    bool typed = (p->statement == OPTION || p->statement == CONST || variable) && type > 0 &&
                 *blanks(blanks(rest(p)) + type) == '=';
    bool key = p->last == IDENT && (!newline_counts(p) || named || p->last_at.col == p->statement_at.col);
    if (typed || (!newline_counts(p) && (p->statement == BLOCK || p->statement == NET))) {
        size_t n = strcspn(rest(p), ",)=\n#");
        while (n > 0 && rest(p)[n - 1] == ' ') n--;
        at.len += (uint32_t)n;
        diag_error(p->diags, at, "E0013",
                   variable ? "values have no other type than their own"
                   : typed  ? "options and constants have the type of their value"
                            : "parameters have no types");
        diag_fix(p->diags, at, "", typed ? "this is written" : "a block takes what its layers take");
        p->typed = true;
        return 0;
    }
    if (key) {
        diag_error(p->diags, at, "E0013", "`:` is not part of the language; did you mean `=`?");
        diag_fix(p->diags, at, newline_counts(p) ? " =" : "=", "%s", "");
        return '=';
    }
    if (!p->wrong) diag_error(p->diags, at, "E0013", "`:` is not part of the language");
    p->wrong = true;
    return NET_error;
}

/* The insertion of a } where the body that was only indented ends: before `else`, or on a line of its own. */
static void end_body(Parse *p, const Bracket *b) {
    int32_t current = p->diags->current;
    diag_resume(p->diags, b->message);
    bool other = !strncmp(rest(p), "else", 4) || !strncmp(rest(p), "elif", 4);
    Span at = {.file = p->file, .line = p->here.end_line, .col = other ? p->here.end_col : 1};
    if (b->indent == UINT32_MAX)
        diag_edit(p->diags, end_of(p, p->last_at), " }");
    else
        diag_edit(p->diags, at, other ? "} " : arena_printf(p->arena, "%*s}\n", (int)b->indent - 1, ""));
    diag_resume(p->diags, current);
}

/* ---- braces that are missing ---- */

typedef struct Brace {
    uint32_t line, col, indent;
} Brace;

typedef struct Scan { /* the text line by line, without strings and comments */
    Parse *p;
    Brace *open;
    int32_t n, cap;
    uint32_t line;
    bool unbalanced;
    Brace missing[MAX_GAPS]; /* that the indentation of a } shows to be open */
    int n_missing;
} Scan;

static bool starts_item(const char *s) {
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz");
    int token = token_of(s, n);
    bool top =
        token == BLOCK || token == NET || token == INPUT || token == SECTION || token == CONST || token == OPTION;
    const char *after = blanks(s + n);
    if (!top) return false;
    if (token == SECTION && *after == '{') return true;
    after += strspn(after, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
    return after > blanks(s + n) &&
           strchr(token == SECTION || token == INPUT  ? "{"
                  : token == CONST || token == OPTION ? "="
                                                      : "(",
                  *blanks(after)) &&
           *blanks(after);
}

static void close_brace(Scan *s, bool first, uint32_t indent) {
    while (first && s->n > 1 && s->open[s->n - 1].indent > indent && s->open[s->n - 2].indent >= indent) {
        if (s->n_missing < MAX_GAPS) s->missing[s->n_missing++] = s->open[s->n - 1];
        s->n--;
    }
    if (s->n > 0) s->n--;
}

static const char *scan_line(Scan *s, const char *line) {
    uint32_t indent = (uint32_t)(blanks(line) - line) + 1;
    const char *c = blanks(line);
    if (indent == 1 && s->n > 0 && starts_item(c)) {
        s->unbalanced = true;
        return c;
    }
    for (bool first = true; !ends_line(c); c++, first = false) {
        Brace b = {s->line, (uint32_t)(c - line) + 1, indent};
        if (*c == '"') {
            for (c++; *c && *c != '\n' && *c != '"'; c++) c += *c == '\\' && c[1] && c[1] != '\n';
            if (*c != '"') break;
        } else if (*c == '{') {
            PUSH(s->p->arena, s->open, s->n, s->cap, b);
        } else if (*c == '}') {
            close_brace(s, first, indent);
        }
    }
    c += strcspn(c, "\n");
    return *c ? c + 1 : c;
}

/* The first line behind the brace that is not indented deeper than its own, and not the } of another. */
static uint32_t line_after(const Parse *p, const Brace *b) {
    uint32_t line = 1;
    const char *c = p->text;
    for (; *c; line++) {
        bool blank = ends_line(blanks(c)), deeper = (uint32_t)(blanks(c) - c) + 1 > b->indent;
        if (line > b->line && !blank && !deeper) return line;
        c += strcspn(c, "\n");
        if (*c) c++;
    }
    return line;
}

static void report_gap(Parse *p, const Brace *b) {
    if (p->n_gap == MAX_GAPS) return;
    uint32_t line = line_after(p, b);
    int at = p->n_gap++;
    for (; at > 0 && p->gap[at - 1] > line; at--) p->gap[at] = p->gap[at - 1];
    p->gap[at] = line;
    bool last = !p->text[0] || p->text[strlen(p->text) - 1] != '\n';
    diag_error(p->diags, (Span){p->file, b->line, b->col, 1}, "E0014", "this `{` is not closed");
    if (last)
        diag_help(p->diags, (Span){0}, "a `}` is missing at the end");
    else
        diag_fix(p->diags, (Span){.file = p->file, .line = line, .col = 1},
                 arena_printf(p->arena, "%*s}\n", (int)b->indent - 1, ""), "a `}` is missing before line %u", line);
}

/* A { is open where an item of the file starts or where the file ends. Which one, the indentation of the } says that
 * closed the wrong ones; if it does not, the outermost. */
void parse_find_gaps(Parse *p) {
    Scan s = {.p = p, .line = 1};
    const char *c = p->text;
    for (; *c && !s.unbalanced; s.line++) c = scan_line(&s, c);
    if (!*c && s.n + s.n_missing > 0) s.unbalanced = s.n > 0 || s.n_missing > 0;
    int32_t depth = 0;
    for (const char *d = p->text; *d; d++) depth += (*d == '{') - (*d == '}');
    if (!s.unbalanced || depth <= 0) return;
    for (int i = 0; i < s.n_missing; i++) report_gap(p, &s.missing[i]);
    for (int32_t i = 0; i < s.n && s.n_missing == 0; i++) report_gap(p, &s.open[i]);
}

/* ---- line ends ---- */

/* `}` and, on the next line, `else`. */
static bool else_follows(Parse *p) {
    bool other =
        p->last == '}' && (!strncmp(rest(p), "else", 4) || !strncmp(rest(p), "elif", 4)) && !is_word(rest(p)[4]);
    if (!other) return false;
    Span at = {.file = p->file, .line = p->here.end_line, .col = p->here.end_col, .len = 4};
    diag_error(p->diags, at, "E0013", "`else` stands on the line of the `}` before it");
    return true;
}

/* The { of a body or section on a line of its own. */
static bool brace_follows(Parse *p) {
    bool head = p->last != '{' && p->last != '}' && p->last != NL;
    if (!head || *rest(p) != '{' || !has_body(p->statement)) return false;
    Span at = {.file = p->file, .line = p->here.end_line, .col = p->here.end_col, .len = 1};
    diag_error(p->diags, at, "E0013", "`{` stands on the line that it belongs to");
    diag_fix(p->diags, end_of(p, p->last_at), " {", "one line up");
    diag_edit(p->diags, at, "");
    return true;
}

/* Does a `}` follow the lines that are indented deeper, which start here? */
static bool brace_closes(const Parse *p, uint32_t indent) {
    const char *c = rest(p);
    for (uint32_t col = UINT32_MAX; *c; col = (uint32_t)strspn(c, " \t") + 1, c = blanks(c)) {
        if (col <= indent && !ends_line(c)) return *c == '}';
        c += strcspn(c, "\n");
        c += *c == '\n';
    }
    return false;
}

/* May the statement have had its {, and has not? */
static bool lacks_brace(const Parse *p) {
    const Bracket *top = p->depth > 0 ? &p->open[p->depth - 1] : NULL;
    bool opened = top && top->at.line == p->statement_at.line && top->at.col > p->statement_at.col;
    bool ends = ends_value(p->last) || p->last == SECTION || p->last == ELSE;
    return !opened && ends && has_body(p->statement) && !p->wrong && p->depth < MAX_NESTING;
}

/* Opens the body whose { is missing. `closed`: it has a }; `indent`: of its statement, UINT32_MAX if it ends with the line. */
static void open_unbraced(Parse *p, bool closed, uint32_t indent) {
    diag_error(p->diags, parse_span(p, p->last_at), "E0014", "behind this a `{` is missing");
    Bracket b = {.kind = closed ? '{' : ':', .at = p->last_at, .indent = indent, .message = p->diags->current};
    diag_fix(p->diags, end_of(p, p->last_at), " {", closed ? "a body stands in { }" : "{ and } stand around the body");
    PUSH(p->arena, p->open, p->depth, p->cap_open, b);
}

/* The body follows, indented. */
static bool body_follows(Parse *p) {
    uint32_t indent = line_indent(p, p->statement_at.line);
    if (!*rest(p) || p->here.end_col <= indent || !lacks_brace(p)) return false;
    open_unbraced(p, brace_closes(p, indent), indent);
    make_due(p, NL);
    return true;
}

int parse_line_end(Parse *p) {
    if (!newline_counts(p)) return 0;
    if (p->last == ARROW && *rest(p)) {
        diag_error(p->diags, parse_span(p, p->last_at), "E0013",
                   "an arrow starts the next line instead of ending this one");
        diag_fix(p->diags, parse_span(p, p->last_at), "", "the line with the arrow goes on with the statement");
        diag_edit(p->diags, (Span){.file = p->file, .line = p->here.end_line, .col = p->here.end_col}, "-> ");
        return 0;
    }
    if (brace_follows(p)) return 0;
    if (body_follows(p)) return '{';
    bool end = !*rest(p), closed = false;
    uint32_t col = end ? 1 : p->here.end_col;
    for (bool more = true; more && p->depth > 0;) {
        Bracket b = p->open[p->depth - 1];
        more = false;
        if (b.kind == ':' && (b.indent == UINT32_MAX || col <= b.indent)) {
            end_body(p, &b);
            more = true;
        } else if (b.kind == '{' && p->next_gap < p->n_gap && p->here.end_line >= p->gap[p->next_gap]) {
            p->next_gap++;
            more = true;
        }
        if (!more) break;
        make_due(p, '}');
        p->depth--;
        closed = true;
    }
    return closed || !else_follows(p) ? NL : 0;
}

/* ---- ( and [ that are missing ---- */

bool parse_starts_statement(const Parse *p, const char *text, int top) {
    if (newline_counts(p) || p->here.line == p->last_at.end_line) return false;
    if (p->here.col == 1 && top) return true;
    const char *after = blanks(rest(p));
    int token = token_of(text, strlen(text));
    if (token == OUTPUT || token == RETURN) return true;
    bool name = !token || token == SECTION; /* which is a key of data, too */
    return ends_value(p->last) && name && after[0] == '=' && after[1] != '=';
}

int parse_second_statement(Parse *p, const char *text) {
    const char *after = blanks(rest(p));
    bool assigns = after[0] == '=' && after[1] != '=' && !token_of(text, strlen(text));
    bool first = p->last_at.line == p->statement_at.line && p->last_at.col == p->statement_at.col;
    if (!assigns || first || !ends_value(p->last) || p->depth == 0 || !newline_counts(p) ||
        p->here.line != p->last_at.end_line)
        return 0;
    if (lacks_brace(p)) {
        open_unbraced(p, false, UINT32_MAX);
        return '{';
    }
    diag_error(p->diags, parse_span(p, p->here), "E0015", "a line end is missing before `%s`", text);
    diag_help(p->diags, (Span){0}, "each stands on a line of its own");
    return NL;
}

const SectionKind *parse_section(const Parse *p) {
    size_t n;
    const char *line = p->ast && p->depth > 0 ? diag_line(p->diags, parse_span(p, p->open[0].at), &n) : NULL;
    return line ? section_find(arena_strndup(p->arena, line, strspn(line, "abcdefghijklmnopqrstuvwxyz"))) : NULL;
}

bool parse_missing_equals(Parse *p) {
    const char *next = blanks(rest(p));
    bool first = p->now == IDENT && p->now_at.line == p->statement_at.line && p->now_at.col == p->statement_at.col;
    if (!first || !p->ast || p->depth == 0 || !newline_counts(p) || next == rest(p)) return false;
    size_t n = strspn(next, NAME_BYTES);
    const char *word = arena_strndup(p->arena, next, n), *after = blanks(next + n);
    bool name =
        n > 0 && !isdigit((unsigned char)*next) && !token_of(word, n) && !foreign_find(FOREIGN_LEAD, "inside", word);
    const SectionKind *section = parse_section(p);
    bool setting =
        section && section->keys && (*next == '"' || (n > 0 && !name) || (name && (*after == '(' || ends_line(after))));
    if ((!setting && !(name && !strncmp(after, "->", 2))) || token_of(word, n)) return false;
    const char *key =
        arena_strndup(p->arena, rest(p) - (p->now_at.end_col - p->now_at.col), p->now_at.end_col - p->now_at.col);
    diag_error(p->diags, parse_span(p, p->now_at), "E0015", "`=` is missing behind `%s`", key);
    diag_fix(p->diags, end_of(p, p->now_at), " =", "this is written");
    make_due(p, '=');
    return true;
}

/* The place where the bracket probably ends: before the first arrow in it, or behind all that was read. */
static Span end_of_bracket(const Parse *p, const Bracket *b) {
    return b->kind == '(' && b->arrow.line == b->at.line ? end_of(p, b->arrow) : end_of(p, p->last_at);
}

bool parse_unclosed(Parse *p) {
    if (newline_counts(p)) return false;
    for (bool first = true; !newline_counts(p); p->depth--, first = false) {
        const Bracket *b = &p->open[p->depth - 1];
        char close = b->kind == '(' ? ')' : ']';
        if (first) {
            diag_error(p->diags, parse_span(p, b->at), "E0014", "this `%c` is not closed", b->kind);
            diag_fix(p->diags, end_of_bracket(p, b), arena_printf(p->arena, "%c", close), "a `%c` is missing", close);
        }
        make_due(p, close);
    }
    make_due(p, NL);
    p->lost = true;
    p->questions = 0;
    return true;
}

/* ---- words ---- */

/* The block that is left out: its name is known, and uses of it are not judged. */
static void forget_block(Parse *p, Span at) {
    if (!p->ast) return;
    const char *name = blanks(rest(p));
    size_t n = 0;
    while (is_word(name[n]) && n < MAX_IDENT) n++;
    Item *i = ast_item(p->arena, I_BLOCK, at, name_of_n(name, n));
    i->broken = true;
    i->body = NEW(p->arena, Body);
    PUSH(p->arena, p->ast->item, p->ast->n_item, p->ast->cap_item, i);
}

static int lead(Parse *p, const Foreign *f, Name *out, bool *skip) {
    const char *word = *out;
    Span at = parse_span(p, p->here);
    const char *here = f->here;
    if (!here) {
        diag_error(p->diags, at, "E0013", "`%s` is not part of the language", word);
        diag_help(p->diags, (Span){0}, "%s", f->note);
        if (!strcmp(word, "def") && is_word(*blanks(rest(p)))) forget_block(p, at);
        *skip = true;
        return 0;
    }
    size_t name = strspn(blanks(rest(p)), NAME_BYTES);
    const char *after = blanks(blanks(rest(p)) + name);
    if (!*here && name > 0 && (*after == ';' || ends_line(after))) {
        diag_error(p->diags, at, "E0013", "a name is there when something is assigned to it: `%s %.*s` is not needed",
                   word, (int)name, blanks(rest(p)));
        at.len += (uint32_t)(after - rest(p)) + (*after == ';');
        diag_fix(p->diags, at, "", "%s", "");
        *skip = true;
        return 0;
    }
    if (!*here) {
        diag_error(p->diags, at, "E0013", "`%s` is not needed", word);
        Span gone = at;
        gone.len += (uint32_t)(blanks(rest(p)) - rest(p));
        diag_fix(p->diags, gone, "", "%s", f->note);
        return 0;
    }
    diag_error(p->diags, at, "E0013", "`%s` is not part of the language; did you mean `%s`?", word, here);
    diag_fix(p->diags, at, here, "%s", f->note ? f->note : "");
    size_t n = strcspn(here, " ");
    *out = name_of_n(here, n);
    if (here[n]) make_due(p, token_of(here + n + 1, strlen(here + n + 1)));
    return token_of(here, n);
}

/* Is the row's word meant, or is it a name of the user's? A word that is not needed stands before a name, or alone. */
static bool is_meant(const Parse *p, const Foreign *f) {
    const char *after = blanks(rest(p));
    bool top = !strcmp(f->where, "top"), name = isalpha((unsigned char)*after) || *after == '_';
    bool other = isdigit((unsigned char)*after) || strchr(top ? "({\"" : "(\"!", *after);
    return name || (*after && other && !(f->here && !*f->here));
}

/* In a body: a section, or a word before a name that is nearly one of those that start statements. */
static int misplaced(Parse *p, Name *word, bool *skip) {
    static const char *const known[] = {"output", "return", "for", "if"};
    const char *after = blanks(rest(p));
    int top = token_of(*word, strlen(*word));
    Span at = parse_span(p, p->here);
    if ((top == SECTION || top == INPUT || top == BLOCK || top == OPTION) && newline_counts(p) &&
        p->open[p->depth - 1].kind == '{' && starts_item(p->text + p->offset - at.len)) {
        diag_error(p->diags, at, "E0017", "`%s` stands outside of nets, blocks and other sections", *word);
        if (top == BLOCK) forget_block(p, at);
        *skip = true;
        return 0;
    }
    const char *near = isalpha((unsigned char)*after) && !top ? did_you_mean(*word, known, ARRAY_LEN(known)) : NULL;
    if (!near) return -1;
    diag_error(p->diags, at, "E0017", "no statement starts with `%s`; did you mean `%s`?", *word, near);
    diag_fix(p->diags, at, near, "%s", "");
    *word = name_of(near);
    return token_of(near, strlen(near));
}

int parse_lead(Parse *p, Name *word, bool *skip) {
    const char *after = blanks(rest(p));
    const Foreign *f = ends_line(after) || *after == '}' ? foreign_find(FOREIGN_LEAD, "alone", *word) : NULL;
    if (f && p->depth > 0 && !strcmp(f->written, *word)) return lead(p, f, word, skip);
    f = foreign_find(FOREIGN_LEAD, p->depth == 0 ? "top" : "body", *word);
    if (f && !strcmp(f->written, *word) && is_meant(p, f)) return lead(p, f, word, skip);
    return p->depth == 0 ? -1 : misplaced(p, word, skip);
}

int parse_inside(Parse *p, Name word) {
    bool body = !strcmp(word, "do") || !strcmp(word, "then");
    bool head = (p->statement == FOR || p->statement == IF) && newline_counts(p) && ends_value(p->last);
    if (body && head && ends_line(blanks(rest(p)))) return open_by_word(p, word);
    const Foreign *f = foreign_find(FOREIGN_LEAD, "inside", word);
    if (!f || strcmp(f->written, word) != 0) return -1;
    bool gone = f->here, fits = gone ? *blanks(rest(p)) == '{' : isalpha((unsigned char)*blanks(rest(p)));
    bool loop = !strncmp(blanks(rest(p)), "in", 2) && !is_word(blanks(rest(p))[2]); /* it is the name of one */
    if (!fits || loop) return -1;
    Span at = parse_span(p, p->here);
    diag_error(p->diags, at, "E0013", gone ? "`%s` is not needed" : "`%s` is not part of the language", word);
    if (gone)
        diag_fix(p->diags, (Span){at.file, at.line, at.col, at.len + (uint32_t)(blanks(rest(p)) - rest(p))}, "", "%s",
                 f->note);
    else
        diag_help(p->diags, (Span){0}, "%s", f->note);
    p->wrong = !gone;
    return gone ? 0 : NET_error;
}

int parse_outside(Parse *p, Name *out, bool *skip) {
    Name word = *out;
    int found = parse_lead(p, out, skip);
    if (found >= 0) {
        p->outside = false;
        return found;
    }
    const char *known[ARRAY_LEN(word_token)], *after = blanks(rest(p));
    int n = 0;
    for (int i = 0; i < ARRAY_LEN(word_token); i++)
        if (word_token[i].token == SECTION || word_token[i].token < FOR) known[n++] = word_token[i].text;
    bool assigns = *after == '=' && after[1] != '=';
    const char *near = assigns ? NULL : did_you_mean(word, known, n);
    Span at = parse_span(p, p->here);
    bool again = p->outside;
    p->outside = !near;
    if (near) {
        diag_error(p->diags, at, "E0017", "nothing starts with `%s`; did you mean `%s`?", word, near);
        diag_fix(p->diags, at, near, "%s", "");
        *out = name_of(near);
        return token_of(near, strlen(near));
    }
    if (!again && assigns) {
        diag_error(p->diags, at, "E0017", "`%s` is assigned outside of nets and blocks", word);
        if (p->closed.line) diag_note(p->diags, parse_span(p, p->closed), "what stands before it ends here");
        diag_help(p->diags, (Span){0}, "a constant is: const %s = ...; layers stand in net name(image) { ... }", word);
    } else if (!again) {
        diag_error(p->diags, at, "E0017", "nothing starts with `%s`", word);
        bool of_body = token_of(word, strlen(word)) > 0;
        if (p->closed.line && of_body) diag_note(p->diags, parse_span(p, p->closed), "what stands before it ends here");
        diag_help(
            p->diags, (Span){0},
            "a file has use, const, option, input, block, net, data, augment, train, eval, deploy, require and test");
    }
    if (!assigns) {
        *skip = true;
        return 0;
    }
    p->lost = p->plain = true;
    return CONST;
}

bool parse_no_version(Parse *p, const char *word) {
    const Foreign *f = foreign_find(FOREIGN_LEAD, "top", word);
    p->started = !f || f->here; /* what is left out stands before the first statement */
    if (!p->started || !strcmp(word, "cnnc")) return false;
    Span at = {.file = p->file, .line = 1, .col = 1};
    diag_error(p->diags, parse_span(p, p->here), "E0012", "a file starts with the version of the language: `cnnc 1`");
    diag_fix(p->diags, at, "cnnc 1\n", "%s", "");
    make_due(p, CNNC);
    make_due(p, QTY);
    make_due(p, NL);
    return true;
}

/* ---- units ---- */

const char *parse_unit(Parse *p, const char *text, size_t n) {
    size_t digits = strspn(text, "0123456789.");
    if (digits < n && (text[digits] == 'e' || text[digits] == 'E') && strspn(text + digits + 1, "0123456789+-") > 0 &&
        digits + 1 + strspn(text + digits + 1, "0123456789+-") <= n)
        digits += 1 + strspn(text + digits + 1, "0123456789+-");
    const char *word = arena_strndup(p->arena, blanks(text + digits), n - (size_t)(blanks(text + digits) - text));
    const Foreign *f = foreign_find(FOREIGN_UNIT, "", word);
    const char *error = NULL;
    Value x = value_read_number(text, digits, &error);
    if (!f || x.kind == V_ERROR) return NULL;
    size_t factor = strspn(f->here, "0123456789");
    const char *here = arena_strndup(p->arena, text, digits);
    if (factor > 1 && value_is_whole(&x) && value_whole(&x) < 100000)
        here = arena_printf(p->arena, "%lld", (long long)(value_whole(&x) * strtoll(f->here, NULL, 10)));
    const char *good = arena_printf(p->arena, "%s%s", here, f->here + factor);
    Span at = parse_span(p, p->here);
    diag_error(p->diags, at, "E0004", "`%s` is not a unit; did you mean `%s`?", word, good);
    diag_fix(p->diags, at, good, "%s", f->note ? f->note : "");
    return good;
}
