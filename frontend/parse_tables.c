/* Tables of other languages, {18: [2, 2], 34: [3, 4]}[depth]: this one chooses by `a if c else b`. See parse.h. */
#include <ctype.h>
#include <string.h>

#include "parse.h"
#include "parser.h"

enum { MOST_PAIRS = 16 };

/* A part of the text. */
typedef struct Piece {
    const char *from;
    size_t n;
} Piece;

typedef struct DictionaryText {
    Piece key[MOST_PAIRS], value[MOST_PAIRS], index; /* index: n is 0 where nothing picks a value */
    int n;
    const char *end; /* behind it all */
} DictionaryText;

static Piece trimmed(const char *from, const char *end) {
    while (from < end && isspace((unsigned char)*from)) from++;
    while (end > from && isspace((unsigned char)end[-1])) end--;
    return (Piece){from, (size_t)(end - from)};
}

/* The first of `signs` outside of brackets, strings and comments, or the bracket that closes what s is in; NULL: the text
 * ends first. */
static const char *find_outside(const char *s, const char *signs) {
    for (int depth = 0; *s; s++) {
        if (depth == 0 && (strchr(signs, *s) || strchr(")]}", *s))) return s;
        if (*s == '#')
            s += strcspn(s, "\n") - 1;
        else if (*s == '"' || *s == '\'')
            s = strchr(s + 1, *s);
        else if (strchr("([{", *s))
            depth++;
        else if (strchr(")]}", *s))
            depth--;
        if (!s) return NULL;
    }
    return NULL;
}

/* [depth] or .get(depth) behind it. */
static void read_index(DictionaryText *d) {
    static const char get[] = ".get(";
    bool call = !strncmp(d->end, get, sizeof get - 1);
    const char *from = d->end + (call ? sizeof get - 1 : 1), *end;
    if ((!call && *d->end != '[') || !(end = find_outside(from, ",")) || *end != (call ? ')' : ']')) return;
    d->index = trimmed(from, end);
    d->end = end + 1;
}

/* s: behind the {. */
static bool read_dictionary(const char *s, DictionaryText *d) {
    for (const char *end; (end = find_outside(s, ":,")); s = end + 1) {
        Piece key = trimmed(s, end);
        if (*end == '}' && key.n == 0 && d->n > 0) {
            d->end = end + 1;
            read_index(d);
            return true;
        }
        const char *value = *end == ':' ? end + 1 : NULL;
        end = value ? find_outside(value, ",") : NULL;
        if (!value || !end || (*end != ',' && *end != '}') || key.n == 0) return false;
        if (d->n < MOST_PAIRS) d->key[d->n] = key, d->value[d->n] = trimmed(value, end);
        d->n++;
        if (*end == '}')
            end--; /* which ends the list next */
        else
            continue;
        d->end = end + 2;
        read_index(d);
        return true;
    }
    return false;
}

/* [2, 2] if depth == 18 else [3, 4] */
static const char *as_choice(Arena *a, const DictionaryText *d) {
    Str s = STR(a);
    for (int i = 0; i < d->n - 1; i++)
        str_addf(&s, "%.*s if %.*s == %.*s else ", (int)d->value[i].n, d->value[i].from, (int)d->index.n, d->index.from,
                 (int)d->key[i].n, d->key[i].from);
    str_addn(&s, d->value[d->n - 1].from, d->value[d->n - 1].n);
    return str_text(&s);
}

size_t parse_dictionary(Parse *p) {
    DictionaryText d = {0};
    const char *text = p->text + p->offset;
    bool value =
        p->last == '=' || p->last == '(' || p->last == ',' || p->last == '[' || p->last == IN || p->last == RETURN;
    bool place = p->depth > 0 ? !parse_section(p) : p->statement == CONST || p->statement == OPTION;
    if (!value || !place || !p->ast || !read_dictionary(text, &d)) return 0;
    size_t n = (size_t)(d.end - text);
    Span at = parse_span(p, p->here);
    diag_error(p->diags, at, "E0013", "the language has no tables with keys");
    at.len += (uint32_t)n;
    if (d.index.n > 0 && d.n > 1 && d.n <= MOST_PAIRS && !memchr(text, '\n', n) && !memchr(text, '\'', n))
        diag_fix(p->diags, at, as_choice(p->arena, &d), "a value is chosen by `a if c else b`");
    else
        diag_help(p->diags, (Span){0}, "a value is chosen by `a if depth == 18 else b if depth == 34 else c`");
    return n;
}
