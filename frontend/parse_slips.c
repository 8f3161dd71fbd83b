/* What the parser did not expect: the slips that such a place usually is. Each row of the table at the end looks at the
 * token that does not fit and at what stands around it, and says what was meant. See parse.h. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "eval.h"
#include "parse.h"
#include "parser.h"
#include "settings.h"

static Span at_place(const Parse *p, Place at) { return parse_span(p, at); }

/* An empty place at the end, or at the start. */
static Span end_of(const Parse *p, Place at) { return (Span){.file = p->file, .line = at.end_line, .col = at.end_col}; }
static Span start_of(const Parse *p, Place at) { return (Span){.file = p->file, .line = at.line, .col = at.col}; }

/* The line of the place without comment and blanks at its end, and how long that is. The comment ends it also where the
 * sign stands in a string: what is proposed for a line like that is left out by its caller. */
static const char *code_of(const Parse *p, Place at, size_t *n) {
    const char *line = diag_line(p->diags, at_place(p, at), n);
    if (!line) return NULL;
    const char *comment = memchr(line, '#', *n);
    if (comment) *n = (size_t)(comment - line);
    while (*n > 0 && strchr(" \t\r", line[*n - 1])) --*n;
    return line;
}

/* The text of the place; "" if it is on several lines. */
static const char *source(const Parse *p, Place at) {
    size_t n;
    const char *line = at.line == at.end_line ? diag_line(p->diags, at_place(p, at), &n) : NULL;
    return line && at.end_col - 1 <= n ? arena_strndup(p->arena, line + at.col - 1, at.end_col - at.col) : "";
}

static bool ends_value(int token) {
    return token == IDENT || token == QTY || token == STR || token == DIM || token == ')' || token == ']';
}

static bool starts_value(int token) { return token == IDENT || token == QTY || token == STR || token == DIM; }
static char bracket(const Parse *p) { return p->depth > 0 ? p->open[p->depth - 1].kind : 0; }
static bool in_list(const Parse *p) { return bracket(p) == '(' || bracket(p) == '['; }
static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

/* What follows the token on its line, behind blanks. */
static const char *rest(const Parse *p) {
    const char *s = p->text + p->offset;
    return s + strspn(s, " \t");
}

/* The place where the value of the statement starts: behind its `=` or its word; false if that is on another line. */
static bool value_start(const Parse *p, Place at, Span *start) {
    size_t n;
    const char *line = code_of(p, at, &n);
    if (!line || p->statement_at.line != at.line) return false;
    size_t col = p->statement_at.end_col - 1;
    if (p->statement != RETURN) {
        const char *sign = memchr(line + col, '=', at.col - 1 - col);
        if (!sign) return false;
        col = (size_t)(sign - line) + 1;
    }
    col += strspn(line + col, " ");
    *start = (Span){.file = p->file, .line = at.line, .col = (uint32_t)col + 1};
    return true;
}

/* ---- the slips ---- */

/* The first word of a file is not one. */
static bool no_version(Parse *p, int token, Place at) {
    if (p->started || !p->ast || token == CNNC) return false;
    p->started = true;
    diag_error(p->diags, at_place(p, at), "E0012", "a file starts with the version of the language: `cnnc 1`");
    return true;
}

/* for (i = 0; i < 3; i++) */
static bool for_of_c(Parse *p, int token, Place at) {
    size_t left = strcspn(p->text + p->offset, "\n");
    if (p->statement != FOR || !memchr(p->text + p->offset, ';', left)) return false;
    (void)token;
    diag_error(p->diags, at_place(p, at), "E0013", "`for` runs over a list");
    diag_help(p->diags, (Span){0}, "for i in 0..3 { ... } runs with 0, 1 and 2");
    return true;
}

/* [16 * i for i in range(3)] */
static bool comprehension(Parse *p, int token, Place at) {
    if (token != FOR || bracket(p) != '[') return false;
    diag_error(p->diags, at_place(p, at), "E0013", "a list is not built by `for`");
    diag_help(p->diags, (Span){0}, "compute the values in the loop that uses them: for i in 1..4 { ... 16 * i ... }");
    return true;
}

/* conv(8, 3)@name = stem */
static bool annotation_assigned(Parse *p, int token, Place at) {
    size_t n;
    const char *line = code_of(p, at, &n), *name = source(p, p->last_at);
    bool noted = token == '=' && p->last == IDENT && line && p->last_at.line == at.line && p->last_at.col > 1;
    if (!noted || line[p->last_at.col - 2] != '@') return false;
    const char *value = rest(p);
    size_t length = 0;
    while (is_word(value[length]) || value[length] == '.') length++;
    Span all = at_place(p, at);
    all.len = (uint32_t)(value + length - (p->text + p->offset)) + 1;
    bool quoted = *value == '"';
    diag_error(p->diags, at_place(p, at), "E0013", "an annotation is a call: @%s(...)", name);
    if (length > 0 && !quoted)
        diag_fix(p->diags, all, arena_printf(p->arena, "(\"%.*s\")", (int)length, value), "this is written");
    return true;
}

/* relu@freeze -> fc(10) */
static bool annotation_bare(Parse *p, int token, Place at) {
    size_t n;
    const char *line = code_of(p, p->last_at, &n);
    if (token == '(' || p->last != IDENT || !line || p->last_at.col < 2 || line[p->last_at.col - 2] != '@')
        return false;
    diag_error(p->diags, at_place(p, p->last_at), "E0013", "an annotation is a call: @%s(...)", source(p, p->last_at));
    diag_fix(p->diags, end_of(p, p->last_at), "()", "%s", "");
    (void)at;
    return true;
}

/* conv(in=3, out=16) */
static bool in_channels(Parse *p, int token, Place at) {
    if (token != IN || bracket(p) != '(' || *rest(p) != '=') return false;
    diag_error(p->diags, at_place(p, at), "E0013", "`in` is not a parameter");
    diag_help(p->diags, (Span){0}, "the channels of the input are known: leave it out");
    return true;
}

/* {16, 32} */
static bool braces_of_list(Parse *p, int token, Place at) {
    const char *close = strpbrk(rest(p), "}:\"\n");
    bool value = p->last == '=' || p->last == '(' || p->last == ',' || p->last == '[' || p->last == IN;
    if (token != '{' || !value || !close || *close != '}') return false;
    Span end = at_place(p, at);
    end.col += (uint32_t)(close - (p->text + p->offset)) + 1;
    diag_error(p->diags, at_place(p, at), "E0013", "a list stands in [ ]");
    diag_fix(p->diags, at_place(p, at), "[", "this is written");
    diag_edit(p->diags, end, "]");
    return true;
}

/* 1...3 and 1..=3, which has 3 */
static bool longer_range(Parse *p, int token, Place at) {
    if (p->last != DOTDOT || (token != '.' && token != '=')) return false;
    Span all = at_place(p, at);
    const char *end = p->text + p->offset, *text = "";
    size_t n = strspn(end, "0123456789");
    if (token == '=' && n > 0 && n < 9 && !is_word(end[n])) {
        text = arena_printf(p->arena, "%lld", atoll(end) + 1);
        all.len += (uint32_t)n;
    }
    diag_error(p->diags, at_place(p, at), "E0013", "a range is a..b");
    diag_fix(p->diags, all, text, "b is not part of it: 1..4 is 1, 2 and 3");
    return true;
}

/* @freeze() conv(16, 3) */
static bool annotation_before(Parse *p, int token, Place at) {
    const char *word = p->text + p->offset;
    size_t n = 0;
    if (token != '@' || ends_value(p->last)) return false;
    while (is_word(word[n])) n++;
    diag_error(p->diags, at_place(p, at), "E0013", "an annotation stands behind what it is about");
    diag_help(p->diags, (Span){0}, "conv(16, 3)@%.*s(...)", n ? (int)n : 6, n ? word : "freeze");
    return true;
}

/* in = image -> flatten, x = group -> relu */
static bool word_of_language(Parse *p, int token, Place at) {
    static const int words[] = {IN, ONLY, GROUP, OUTPUT, RETURN, FOR, AND, OR};
    bool word = false, assigned = *rest(p) == '=' && rest(p)[1] != '=';
    for (int i = 0; i < ARRAY_LEN(words); i++) word = word || token == words[i];
    bool sign = p->last > 0 && p->last < 128 && strchr("=(,[+-*/", p->last);
    bool value = (sign || p->last == ARROW) && p->last_at.end_line == at.line;
    if (!word || ends_value(p->last) || (!assigned && !value)) return false;
    diag_error(p->diags, at_place(p, at), "E0013", "`%s` is a word of the language, and no name", source(p, at));
    diag_help(p->diags, (Span){0}, "take another one");
    return true;
}

/* dropout(.5) */
static bool bare_fraction(Parse *p, int token, Place at) {
    if (token != '.' || ends_value(p->last) || !isdigit((unsigned char)p->text[p->offset])) return false;
    diag_error(p->diags, at_place(p, at), "E0004", "a number starts with a digit");
    diag_fix(p->diags, start_of(p, at), "0", "this is written");
    return true;
}

/* dropout(50 %) */
static bool loose_percent(Parse *p, int token, Place at) {
    size_t n;
    const char *line = p->last == '%' ? code_of(p, p->last_at, &n) : NULL;
    if (!line || (token != ')' && token != ',' && token != NL && token != ']')) return false;
    Span blanks = at_place(p, p->last_at);
    while (blanks.col > 1 && strchr(" \t", line[blanks.col - 2])) blanks.col--;
    blanks.len = p->last_at.col - blanks.col;
    diag_error(p->diags, at_place(p, p->last_at), "E0004", "a percent sign stands at its number, without a blank");
    diag_fix(p->diags, blanks, "", "this is written");
    (void)at;
    return true;
}

/* if strong { hflip } in augment */
static bool statement_in_section(Parse *p, int token, Place at) {
    const SectionKind *section = parse_section(p);
    if ((token != IF && token != FOR) || !section || in_list(p) || ends_value(p->last)) return false;
    diag_error(p->diags, at_place(p, at), "E0013", "there is no `%s` in sections", source(p, at));
    diag_help(p->diags, (Span){0}, "a value may be a if c else b; several sections have names: %s strong { ... }", section->name);
    return true;
}

/* augment = [ ... ] */
static bool section_of_list(Parse *p, int token, Place at) {
    bool named = p->last == IDENT && token == '=' && p->depth == 0;
    if (p->statement != SECTION || (!named && (p->last != '=' || token == '{'))) return false;
    diag_error(p->diags, at_place(p, at), "E0013", "what a section holds stands in { }");
    diag_help(p->diags, (Span){0}, "%s { ... }, with each on a line of its own", source(p, p->statement_at));
    return true;
}

/* group "*.bias", "bn*" { ... } */
static bool two_patterns(Parse *p, int token, Place at) {
    if (p->statement != GROUP || p->last != STR || token != ',') return false;
    diag_error(p->diags, at_place(p, at), "E0013", "a group has one pattern");
    diag_help(p->diags, (Span){0}, "each has its own group \"pattern\" { ... }");
    return true;
}

/* size = s x s */
static bool size_of_names(Parse *p, int token, Place at) {
    bool beside = ends_value(p->last) && p->last_at.end_line == at.line;
    if (token != IDENT || !beside || strcmp(source(p, at), "x") != 0 || !is_word(*rest(p))) return false;
    const char *height = source(p, p->last_at), *width = rest(p);
    size_t n = 0;
    while (is_word(width[n])) n++;
    Span all = at_place(p, p->last_at);
    all.len = (uint32_t)(width + n - (p->text + p->offset)) + at.end_col - p->last_at.col;
    diag_error(p->diags, at_place(p, at), "E0013", "a size of computed numbers is a list");
    diag_fix(p->diags, all, arena_printf(p->arena, "[%s, %.*s]", height, (int)n, width), "height and width");
    return true;
}

/* optimizer { name = sgd } in train */
static bool section_in_section(Parse *p, int token, Place at) {
    const SectionKind *section = parse_section(p);
    bool first = p->last_at.line == p->statement_at.line && p->last_at.col == p->statement_at.col;
    if (token != '{' || p->last != IDENT || !first || !section || section->contract) return false;
    const char *key = source(p, p->last_at);
    if (!section->keys) {
        diag_error(p->diags, at_place(p, at), "E0013", "arguments of a step stand in ( )");
        diag_help(p->diags, (Span){0}, "%s(...), with commas between them", key);
        return true;
    }
    diag_error(p->diags, at_place(p, at), "E0013", "`%s` holds no settings of its own: a key has a value", section->name);
    diag_help(p->diags, (Span){0}, "%s = ..., which may be a call with arguments", key);
    return true;
}

/* group = "*.bias" { ... } */
static bool group_assigned(Parse *p, int token, Place at) {
    if (p->statement != GROUP || p->last != GROUP || token != '=') return false;
    Span all = at_place(p, at);
    all.len += (uint32_t)(rest(p) - (p->text + p->offset));
    diag_error(p->diags, at_place(p, at), "E0013", "nothing is assigned to `group`");
    diag_fix(p->diags, all, "", "its pattern follows it");
    return true;
}

/* option width in [16, 32] = 16 */
static bool set_before_value(Parse *p, int token, Place at) {
    size_t n;
    const char *line = code_of(p, at, &n);
    if (token != IN || p->statement != OPTION || p->last != IDENT || !line) return false;
    const char *set = line + at.col - 1, *value = memchr(set, '=', n - at.col + 1);
    diag_error(p->diags, at_place(p, at), "E0010", "unexpected `in`: an option has its value before the set");
    if (!value) {
        diag_help(p->diags, (Span){0}, "option %s = ... in ...", source(p, p->last_at));
        return true;
    }
    const char *end = value;
    while (end > set && strchr(" \t", end[-1])) end--;
    Span all = at_place(p, at);
    all.len = (uint32_t)(line + n - set);
    diag_fix(p->diags, all,
             arena_printf(p->arena, "%.*s %.*s", (int)(line + n - value), value, (int)(end - set), set), "this is written");
    return true;
}

/* cnnc "1.0" */
static bool no_number_of_version(Parse *p, int token, Place at) {
    if (p->last != CNNC || token == NL) return false;
    diag_error(p->diags, at_place(p, at), "E0012", "the language version is a whole number: `cnnc 1`");
    return true;
}

/* x -> fork { ... } -> concat */
static bool braces_of_call(Parse *p, int token, Place at) {
    static const int statement[] = {IDENT, RETURN, OUTPUT};
    bool value = false;
    for (int i = 0; i < ARRAY_LEN(statement); i++) value = value || p->statement == statement[i];
    if (token == ARROW && p->last == '}' && p->braces) return true; /* what is left of that statement */
    size_t n;
    const char *line = code_of(p, at, &n), *arrow = line ? strstr(arena_strndup(p->arena, line, at.col - 1), "->") : NULL;
    if (token != '{' || !value || in_list(p) || p->last != IDENT || !arrow) return false;
    diag_error(p->diags, at_place(p, at), "E0013", "arguments stand in ( ), with commas between them");
    diag_help(p->diags, (Span){0}, "%s(a, b); after a comma a line may end", source(p, p->last_at));
    p->choosing = p->braces = true; /* its lines are no statements */
    return true;
}

static bool assigned_value(Parse *p, int token, Place at) {
    if (token != '=' || (p->last != ')' && p->last != ']' && p->last != IDENT)) return false;
    diag_error(p->diags, at_place(p, at), "E0010", "unexpected `=`: only a name alone is assigned");
    return true;
}

static bool ends_early(Parse *p, int token, Place at) {
    const char *before = source(p, p->last_at);
    if (token != NL || !*before || p->last == NL) return false;
    diag_error(p->diags, at_place(p, at), "E0010", "the line ends after `%s`, where something has to follow", before);
    return true;
}

/* mean = 0.5, 0.5, 0.5 and return a, b */
static bool bare_list(Parse *p, int token, Place at) {
    Span start;
    size_t n;
    if (token != ',' || in_list(p) || !ends_value(p->last) || p->statement == FOR || !value_start(p, at, &start))
        return false;
    const char *line = code_of(p, at, &n), *item = rest(p);
    while (is_word(*item)) item++;
    item += strspn(item, " ");
    if (*item == '=' && item[1] != '=') {
        diag_error(p->diags, at_place(p, at), "E0015", "a line end is missing behind `%s`", source(p, p->last_at));
        diag_help(p->diags, (Span){0}, "each setting stands on a line of its own");
        return true;
    }
    if (strpbrk(arena_strndup(p->arena, line, n), "{}\"")) return false;
    diag_error(p->diags, at_place(p, at), "E0013", "a list stands in [ ]");
    diag_fix(p->diags, start, "[", "this is written");
    diag_edit(p->diags, (Span){.file = p->file, .line = at.line, .col = (uint32_t)n + 1}, "]");
    return true;
}

/* output a, b = x, y */
static bool two_outputs(Parse *p, int token, Place at) {
    if (token != ',' || p->statement != OUTPUT || p->last != IDENT) return false;
    diag_error(p->diags, at_place(p, at), "E0010", "unexpected `,`: an output has one name");
    diag_help(p->diags, (Span){0}, "each stands on a line of its own: output %s = ...", source(p, p->last_at));
    return true;
}

/* output = softmax(x); input { size = 32x32 } */
static bool nameless(Parse *p, int token, Place at) {
    static const struct Nameless {
        int word, sign;
        const char *title, *name, *use;
    } forms[] = {
        {OUTPUT, '=', "an output has a name", " scores", "programs and other files know it by that"},
        {INPUT, '{', "an input has a name", " image", "the net has it as its parameter: net small(image) { ... }"}};
    (void)at;
    for (int i = 0; i < ARRAY_LEN(forms); i++) {
        if (p->last != forms[i].word || token != forms[i].sign) continue;
        diag_error(p->diags, at_place(p, p->last_at), "E0018", "%s", forms[i].title);
        diag_fix(p->diags, end_of(p, p->last_at), forms[i].name, "%s", forms[i].use);
        return true;
    }
    return false;
}

/* use resnet, and names of groups without quotes. */
static bool bare_text(Parse *p, int token, Place at) {
    bool use = p->statement == USE && p->last == USE, group = p->last == GROUP;
    size_t n;
    const char *line = code_of(p, at, &n);
    if ((!use && !group) || token == STR || token == NL || token == '{' || !line || at.col > n) return false;
    const char *from = line + at.col - 1, *end = group ? memchr(from, '{', n - at.col + 1) : line + n;
    if (!end) end = line + n;
    while (end > from && strchr(" \t", end[-1])) end--;
    Span all = {.file = p->file, .line = at.line, .col = at.col, .len = (uint32_t)(end - from)};
    bool brackets = *from == '(' && end - from > 1 && end[-1] == ')';
    const char *text = arena_strndup(p->arena, from + brackets, (size_t)(end - from) - 2 * brackets);
    bool quoted = *text == '"', angles = *text == '<' && text[strlen(text) - 1] == '>';
    if (angles) text = arena_strndup(p->arena, text + 1, strlen(text) - 2);
    if (*from == '(' && !brackets) return false;
    diag_error(p->diags, all, "E0013", brackets ? "`group` is not a call" : "a string stands in double quotes, \"");
    const char *blank = at.col > 1 && is_word(from[-1]) ? " " : "", *quote = quoted ? "" : "\"";
    diag_fix(p->diags, all, arena_printf(p->arena, "%s%s%s%s", blank, quote, text, quote), "this is written");
    return true;
}

/* val = /home/me/val */
static bool bare_path(Parse *p, int token, Place at) {
    const char *path = p->text + p->offset;
    if (token != '/' || ends_value(p->last) || !is_word(*path)) return false;
    Span all = at_place(p, at);
    all.len += (uint32_t)strcspn(path, " \t\n,)]}#");
    diag_error(p->diags, all, "E0013", "a string stands in double quotes, \"");
    diag_fix(p->diags, all, arena_printf(p->arena, "\"/%.*s\"", (int)all.len - 1, path), "a path is a string");
    return true;
}

/* [*widths, 512] */
static bool spread_in_list(Parse *p, int token, Place at) {
    if (token != '*' || bracket(p) != '[' || (p->last != '[' && p->last != ',')) return false;
    diag_error(p->diags, at_place(p, at), "E0013", "`*` spreads a list in calls only");
    diag_help(p->diags, (Span){0}, "lists are joined by +: widths + [512]");
    return true;
}

/* x = a -> relu + b: what flows in stands before the operator. */
static bool after_arrow(Parse *p, int token, Place at) {
    static const int operators[] = {'+', '-', '*', '/', '%', CMP, SHL, AND, OR, DOTDOT};
    size_t n;
    const char *line = code_of(p, at, &n);
    bool found = token == IF, arrow = false;
    Span start;
    for (int i = 0; i < ARRAY_LEN(operators); i++) found = found || token == operators[i];
    if (!found || !ends_value(p->last) || in_list(p) || !value_start(p, at, &start)) return false;
    for (const char *c = line + start.col - 1; c + 1 < line + at.col - 1; c++) arrow = arrow || !strncmp(c, "->", 2);
    if (!arrow) return false;
    if (token == IF && !strstr(arena_strndup(p->arena, line, n) + at.col, " else ")) {
        diag_error(p->diags, at_place(p, at), "E0010", "unexpected `if` behind `->`, which binds more loosely");
        diag_help(p->diags, (Span){0}, "with ( ) around the chain, and with both sides: (x -> relu) if c else x");
        return true;
    }
    const char *sign = source(p, at);
    diag_error(p->diags, at_place(p, at), "E0010", "unexpected `%s` behind `->`, which binds more loosely", sign);
    if (token == '*' && isdigit((unsigned char)*rest(p))) {
        diag_help(p->diags, (Span){0}, "layers are repeated by a loop: for i in 0..3 { x = x -> ... }");
        return true;
    }
    diag_fix(p->diags, start, "(", "with ( ) around the chain");
    diag_edit(p->diags, end_of(p, p->last_at), ")");
    return true;
}

/* block unit(x) -> Tensor { */
static bool result_type(Parse *p, int token, Place at) {
    bool head = p->depth == 0 && (p->statement == BLOCK || p->statement == NET);
    if (token != ARROW || !head || p->last != ')' || at.line != at.end_line) return false;
    Span all = at_place(p, at);
    all.len += (uint32_t)strcspn(p->text + p->offset, "{\n#");
    diag_error(p->diags, all, "E0013", "nothing stands between ( ) and { }");
    diag_fix(p->diags, all, "", "results are given by return in a block and by output in a net");
    return true;
}

/* 0..8..2 */
static bool stepped_range(Parse *p, int token, Place at) {
    if (token != DOTDOT || !ends_value(p->last)) return false;
    diag_error(p->diags, at_place(p, at), "E0010", "unexpected `..`: a range is a..b and goes by one");
    diag_help(p->diags, (Span){0}, "compute from it: for i in 0..4 { ... 2 * i ... }");
    return true;
}

static const char *const unit[] = {
#define UNIT(text, num, den, measure) text,
#include "words.def"
};

static bool is_unit(const char *word) {
    for (int i = 0; i < ARRAY_LEN(unit); i++)
        if (!strcmp(unit[i], word)) return true;
    return false;
}

/* 4 threads, 10 epocs */
static bool unknown_unit(Parse *p, int token, Place at) {
    if (token != IDENT || p->last != QTY || p->last_at.end_line != at.line) return false;
    if (in_list(p) && *rest(p) && strchr("=(", *rest(p))) return false; /* an argument, and its comma is missing */
    const char *word = source(p, at), *near = did_you_mean(word, unit, ARRAY_LEN(unit)), *many;
    bool one = !strcmp(source(p, p->last_at), "1");
    for (int i = 0; near && !one && i < ARRAY_LEN(unit); i++) { /* 10 ephocs are epochs */
        many = unit[i];
        if (!strncmp(many, near, strlen(near)) && (!strcmp(many + strlen(near), "s") || !strcmp(many + strlen(near), "es"))) near = many;
    }
    if (strlen(word) == 1 && strchr("kMGK", *word)) {
        const char *joined = arena_printf(p->arena, "%s%s", source(p, p->last_at), *word == 'K' ? "k" : word);
        Span all = at_place(p, p->last_at);
        all.len = at.end_col - p->last_at.col;
        diag_error(p->diags, all, "E0004", "`%s` stands at its number, without a blank", word);
        diag_fix(p->diags, all, joined, "%s", "");
        return true;
    }
    Str all = STR(p->arena);
    for (int i = 0; i < ARRAY_LEN(unit); i++)
        str_addf(&all, "%s%s", i == 0 ? "" : i == ARRAY_LEN(unit) - 1 ? " and " : ", ", unit[i]);
    diag_error(p->diags, at_place(p, at), "E0004",
               near ? "`%s` is not a unit; did you mean `%s`?" : "`%s` is not a unit", word, near);
    if (near)
        diag_fix(p->diags, at_place(p, at), near, "%s", "");
    else
        diag_help(p->diags, (Span){0}, "units are %s", str_text(&all));
    return true;
}

/* random_crop(32x32) hflip(p=0.5) in augment, params 61M in require */
static bool step_or_clause(Parse *p, int token, Place at) {
    const SectionKind *section = parse_section(p);
    bool beside = ends_value(p->last) && starts_value(token) && p->last_at.end_line == at.line;
    if (!section || section->keys || in_list(p) || !beside) return false;
    const char *before = source(p, p->last_at), *here = source(p, at);
    if (section->contract && token == QTY) {
        diag_error(p->diags, at_place(p, at), "E0015", "a comparison is missing between `%s` and `%s`", before, here);
        diag_help(p->diags, (Span){0}, "%s <= %s, or with another of <, >= and >", before, here);
        return true;
    }
    if (section->contract || token != IDENT || p->last != ')') return false;
    diag_error(p->diags, at_place(p, at), "E0015", "a line end is missing before `%s`", here);
    diag_help(p->diags, (Span){0}, "each stands on a line of its own");
    return true;
}

/* {"a": 1} */
static bool dictionary(Parse *p, int token, Place at) {
    bool value = p->last == '=' || p->last == '(' || p->last == ',' || p->last == '[' || p->last == IN;
    if (token != '{' || !value) return false;
    diag_error(p->diags, at_place(p, at), "E0013", "no value starts with `{`");
    diag_help(p->diags, (Span){0}, "a list stands in [ ], and one of two is chosen by `a if c else b`");
    return true;
}

/* conv 16 3 */
static bool call_without_brackets(Parse *p, int token, Place at) {
    bool value = token == QTY || token == DIM || token == STR;
    if (p->last != IDENT || !value || in_list(p) || p->last_at.end_line != at.line) return false;
    const char *name = source(p, p->last_at), *first = source(p, at);
    diag_error(p->diags, at_place(p, at), "E0015", "`(` is missing between `%s` and `%s`", name, first);
    diag_help(p->diags, (Span){0}, "arguments stand in brackets: %s(%s, ...)", name, first);
    return true;
}

/* len widths */
static bool function_without_brackets(Parse *p, int token, Place at) {
    if (token != IDENT || p->last != IDENT || p->last_at.end_line != at.line || *rest(p) == '(') return false;
    const char *function = source(p, p->last_at), *of = source(p, at);
    if (!builtin_find(name_of(function))) return false;
    Span blanks = {.file = p->file, .line = at.line, .col = p->last_at.end_col, .len = at.col - p->last_at.end_col};
    diag_error(p->diags, at_place(p, at), "E0015", "`(` is missing between `%s` and `%s`", function, of);
    diag_fix(p->diags, blanks, "(", "arguments stand in brackets");
    diag_edit(p->diags, end_of(p, at), ")");
    return true;
}

/* Two values beside each other. */
static bool no_operator(Parse *p, int token, Place at) {
    bool list = in_list(p), name = token == IDENT, apart = p->last_at.end_line != at.line;
    if (!ends_value(p->last) || !starts_value(token) || (apart && !list)) return false;
    const char *before = source(p, p->last_at), *here = source(p, at);
    if (apart) {
        diag_error(p->diags, at_place(p, p->last_at), "E0015", "a comma is missing behind this `%s`", before);
        diag_fix(p->diags, end_of(p, p->last_at), ",", "this is written");
        return true;
    }
    if (name && !list && is_unit(here)) {
        diag_error(p->diags, at_place(p, at), "E0004", "a unit stands behind a number, and `%s` is none", before);
        diag_help(p->diags, (Span){0}, "option %s = 90 %s has it, or %s * 1 %s gives it", before, here, before, here);
        return true;
    }
    const char *what = list ? "a comma" : name ? "`->`" : "an operator";
    diag_error(p->diags, at_place(p, at), "E0015", "%s is missing between `%s` and `%s`", what, before, here);
    if (list)
        diag_fix(p->diags, end_of(p, p->last_at), ",", "%s", "");
    else if (name)
        diag_fix(p->diags, start_of(p, at), "-> ", "%s", "");
    return true;
}

/* In this order: the first that fits reports. */
static bool (*const slip[])(Parse *p, int token, Place at) = {
    no_version, for_of_c, comprehension, annotation_assigned, annotation_bare, in_channels, braces_of_list,
    longer_range, nameless, annotation_before, group_assigned, set_before_value, no_number_of_version,
    braces_of_call, bare_fraction, loose_percent, section_in_section, word_of_language, statement_in_section,
    two_patterns, size_of_names, section_of_list, assigned_value, ends_early, two_outputs, bare_list, bare_text,
    bare_path, spread_in_list, after_arrow, unknown_unit, step_or_clause, dictionary, call_without_brackets,
    function_without_brackets, result_type, stepped_range, no_operator,
};

bool parse_slip(Parse *p, int token, Place at) {
    for (int i = 0; i < ARRAY_LEN(slip); i++)
        if (slip[i](p, token, at)) {
            p->wrong = p->wrong || token != NL;
            return true;
        }
    return false;
}
