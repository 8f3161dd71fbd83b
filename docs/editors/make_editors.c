/* Writes what editors need to colour .net files, from the tables of the compiler, to standard output: Vim's syntax
 * file, or the TextMate grammar that VS Code and others read.
 *
 *     make_editors vim >docs/editors/vim/syntax/cnnc.vim
 *     make_editors textmate >docs/editors/vscode/syntaxes/cnnc.tmLanguage.json
 *
 * `sh tests/editors.sh CNNC --update` writes both; tests/editors.sh without it fails if they are not up to date. Both
 * know the same contexts: the top level, bodies of blocks and nets, each section, and arguments in either. A key is one
 * only in its section, so that a name that is mistyped stays without a colour. */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WORDS = 1024, MAX_WORD = 64 };

typedef struct Words {
    char item[MAX_WORDS][MAX_WORD];
    int n;
} Words;

/* ---- the tables ---- */

static const struct {
    const char *text, *token;
} top_word[] = {
#define TOP_WORD(text, token) {#text, #token},
#include "../../frontend/words.def"
};

static const char *const keyword[] = {
#define KEYWORD(text, token) #text,
#include "../../frontend/words.def"
};

static const char *const unit[] = {
#define UNIT(text, num, den, measure) text,
#include "../../frontend/words.def"
};

static const char *const constant[] = {
#define CONSTANT(text, value) #text,
#include "../../frontend/words.def"
};

static const char *const field[] = {
#define FIELD(text, of_type, side) #text,
#include "../../frontend/words.def"
};

static const char *const annotation[] = {
#define ANNOTATION(text) #text,
#include "../../frontend/words.def"
};

static const char *const layer[] = {
#define LAYER(id, text) #id,
#include "../../frontend/layers.def"
#undef LAYER
#define FORK(text) #text,
#include "../../frontend/words.def"
};

static const char *const function[] = {
#define FUNCTION(id, text) #id,
#include "../../frontend/builtins.def"
#undef FUNCTION
};

static const char *const figure[] = {
#define FIGURE(id, NAME, measure, when, example) #id,
#include "../../ir/figures.def"
#undef FIGURE
};

/* Sections with keys, and calls with parameters: both are signatures. `group` is NULL for a section, "" for `group`
 * itself. */
static const struct {
    const char *group, *name, *signature;
} setting[] = {
#define SECTION(id, text, ...) {NULL, #id, text},
#define STEPS(id) {NULL, #id, ""},
#define CLAUSES(id) {NULL, #id, ""},
#define CALL(group, id, text) {#group, #id, text},
#define GROUP(text) {"", "group", text},
#include "../../frontend/settings.def"
#undef SECTION
#undef STEPS
#undef CLAUSES
#undef CALL
#undef GROUP
};

#define LENGTH(array) ((int)(sizeof(array) / sizeof((array)[0])))

static void add(Words *w, const char *text, size_t n) {
    for (int i = 0; i < w->n; i++)
        if (strlen(w->item[i]) == n && !memcmp(w->item[i], text, n)) return;
    if (w->n == MAX_WORDS || n >= MAX_WORD) {
        fprintf(stderr, "make_editors: a table is too large\n");
        exit(70);
    }
    memcpy(w->item[w->n], text, n);
    w->item[w->n++][n] = 0;
}

static void add_all(Words *w, const char *const *text, int n) {
    for (int i = 0; i < n; i++) add(w, text[i], strlen(text[i]));
}

/* "word(a|b)": a and b. "workers = auto": auto. */
static void add_choices(Words *w, const char *type, size_t n) {
    const char *end = type + n, *p = memchr(type, '(', n), *value = memchr(type, '=', n);
    if (!strncmp(type, "word(", 5) || !strncmp(type, "words(", 6)) {
        do add(w, p + 1, strcspn(p + 1, "|)"));
        while (*(p += 1 + strcspn(p + 1, "|)")) == '|');
    } else if (value && strncmp(type, "call(", 5) && strncmp(type, "bool", 4)) {
        value += 1 + strspn(value + 1, " ");
        size_t letters = strspn(value, "abcdefghijklmnopqrstuvwxyz_");
        if (letters && value + letters == end) add(w, value, letters);
    }
}

/* The names in "name: type = default, name?: word(a|b)"; those words go to `choices`. */
static void add_signature(Words *names, Words *choices, const char *text) {
    while (*text) {
        text += strspn(text, " ");
        size_t n = strcspn(text, "?.:");
        add(names, text, n);
        text += n + strspn(text + n, "?.: ");
        const char *type = text;
        for (int depth = 0; *text && (depth || *text != ','); text++)
            depth += (*text == '(' || *text == '[') - (*text == ')' || *text == ']');
        add_choices(choices, type, (size_t)(text - type));
        text += *text == ',';
    }
}

/* ---- classes of words ---- */

typedef enum Class {
    C_TOP,
    C_SECTION,
    C_KEYWORD,
    C_CONSTANT,
    C_FIELD,
    C_ANNOTATION,
    C_LAYER,
    C_FUNCTION,
    C_CALL,
    C_KEY,
    C_PARAMETER,
    C_CHOICE,
    C_COMMENT,
    C_STRING,
    C_ESCAPE,
    C_NUMBER,
    C_SIZE,
    C_OPERATOR,
    C_NAME,
    C_COUNT
} Class;

/* ONE ROW PER CLASS: Vim's name, what it is linked to there, the scope in TextMate's grammar. */
static const struct {
    const char *vim, *link, *scope;
} class_row[C_COUNT] = {
    [C_TOP] = {"cnncTop", "Keyword", "keyword.other.top.cnnc"},
    [C_SECTION] = {"cnncSection", "Structure", "storage.type.section.cnnc"},
    [C_KEYWORD] = {"cnncKeyword", "Statement", "keyword.control.cnnc"},
    [C_CONSTANT] = {"cnncConstant", "Boolean", "constant.language.cnnc"},
    [C_FIELD] = {"cnncField", "Special", "support.variable.property.cnnc"},
    [C_ANNOTATION] = {"cnncAnnotation", "PreProc", "storage.modifier.annotation.cnnc"},
    [C_LAYER] = {"cnncLayer", "Function", "support.function.layer.cnnc"},
    [C_FUNCTION] = {"cnncFunction", "Function", "support.function.builtin.cnnc"},
    [C_CALL] = {"cnncCall", "Function", "support.function.setting.cnnc"},
    [C_KEY] = {"cnncKey", "Identifier", "support.type.property-name.cnnc"},
    [C_PARAMETER] = {"cnncParameter", "Type", "variable.parameter.cnnc"},
    [C_CHOICE] = {"cnncChoice", "Constant", "support.constant.cnnc"},
    [C_COMMENT] = {"cnncComment", "Comment", "comment.line.number-sign.cnnc"},
    [C_STRING] = {"cnncString", "String", "string.quoted.double.cnnc"},
    [C_ESCAPE] = {"cnncEscape", "SpecialChar", "constant.character.escape.cnnc"},
    [C_NUMBER] = {"cnncNumber", "Number", "constant.numeric.cnnc"},
    [C_SIZE] = {"cnncSize", "Number", "constant.numeric.size.cnnc"},
    [C_OPERATOR] = {"cnncOperator", "Operator", "keyword.operator.cnnc"},
    [C_NAME] = {"cnncName", "Title", "entity.name.function.cnnc"},
};

/* The words of a class that do not depend on the section. */
static void class_words(Class c, Words *w) {
    Words unused = {.n = 0};
    w->n = 0;
    if (c == C_KEYWORD) add_all(w, keyword, LENGTH(keyword));
    if (c == C_CONSTANT) add_all(w, constant, LENGTH(constant));
    if (c == C_FIELD) add_all(w, field, LENGTH(field));
    if (c == C_ANNOTATION) add_all(w, annotation, LENGTH(annotation));
    if (c == C_LAYER) add_all(w, layer, LENGTH(layer));
    if (c == C_FUNCTION) add_all(w, function, LENGTH(function));
    for (int i = 0; i < LENGTH(setting); i++) {
        const char *group = setting[i].group;
        if (group && !*group) continue;
        if (c == C_CALL && group) add(w, setting[i].name, strlen(setting[i].name));
        if (c == C_PARAMETER && group) add_signature(w, &unused, setting[i].signature);
        if (c == C_CHOICE) add_signature(&unused, w, setting[i].signature);
    }
}

static const char *signature_of(const char *section) {
    for (int i = 0; i < LENGTH(setting); i++)
        if ((!setting[i].group || !*setting[i].group) && !strcmp(setting[i].name, section)) return setting[i].signature;
    return NULL;
}

/* The keys of a section; figures are what `require` has. */
static void section_keys(const char *section, Words *w) {
    Words unused = {.n = 0};
    w->n = 0;
    const char *signature = signature_of(section);
    if (signature && *signature) add_signature(w, &unused, signature);
    if (!strcmp(section, "require")) add_all(w, figure, LENGTH(figure));
    if (!strcmp(section, "train")) add_signature(w, &unused, signature_of("group"));
}

/* Top-level words with a section of settings behind them; the others stand alone or have a body. */
static bool is_section(int i) {
    return (!strcmp(top_word[i].token, "SECTION") || !strcmp(top_word[i].token, "INPUT")) &&
           signature_of(top_word[i].text);
}

/* All texts up to NULL in one. Never freed: the program ends soon. */
static const char *concat(const char *first, ...) {
    char *whole;
    size_t n;
    FILE *f = open_memstream(&whole, &n);
    if (!f) exit(71);
    va_list rest;
    va_start(rest, first);
    for (const char *text = first; text; text = va_arg(rest, const char *)) fputs(text, f);
    va_end(rest);
    fclose(f);
    return whole;
}
#define TEXT(...) concat(__VA_ARGS__, (const char *)NULL)

/* "a|b|c", with this between the words. */
static const char *either(const Words *w, const char *between) {
    const char *text = w->n ? w->item[0] : "";
    for (int i = 1; i < w->n; i++) text = TEXT(text, between, w->item[i]);
    return text;
}

static const char *either_of(Class c, const char *between) {
    Words w;
    class_words(c, &w);
    return either(&w, between);
}

/* Units that are words, which may stand apart from their number, or the suffixes of one character, which may not. */
static const char *either_unit(bool words, const char *between) {
    Words w = {.n = 0};
    for (int i = 0; i < LENGTH(unit); i++)
        if ((strlen(unit[i]) > 1) == words) add(&w, unit[i], strlen(unit[i]));
    return either(&w, between);
}

/* Top-level words without settings: those with the name of a block or net behind them, or the others. */
static const char *either_top(bool named, const char *between) {
    Words w = {.n = 0};
    for (int i = 0; i < LENGTH(top_word); i++) {
        bool body = !strcmp(top_word[i].token, "BLOCK") || !strcmp(top_word[i].token, "NET");
        if (!is_section(i) && body == named) add(&w, top_word[i].text, strlen(top_word[i].text));
    }
    return either(&w, between);
}

/* Clauses of `require` compare, other keys are given a value. */
static bool compares(const char *section) { return !strcmp(section, "require"); }

/* ---- Vim ---- */

/* Of matches that start at one place Vim takes the one defined last. */
static void vim_match(const char *name, const char *pattern, const char *more) {
    printf("syn match %s \"%s\"%s%s\n", name, pattern, *more ? " " : "", more);
}

static void vim_words(Class c, const char *before, const char *after, const char *more) {
    vim_match(class_row[c].vim, TEXT(before, "\\%(", either_of(c, "\\|"), "\\)", after), more);
}

static void vim_link(const char *name, Class c) { printf("hi def link %s %s\n", name, class_row[c].vim); }

static void vim_values(void) {
    printf(
        "syn match cnncComment \"#.*$\" contains=@Spell\n"
        "syn match cnncEscape +\\\\[\"\\\\{}nt]+ contained\n"
        "syn region cnncSubstitution matchgroup=cnncEscape start=+{+ end=+}\\|\"\\@=+ contained oneline "
        "contains=@cnncBody\n"
        "syn region cnncString start=+\"+ skip=+\\\\.+ end=+\"+ oneline contains=cnncEscape,cnncSubstitution,@Spell\n");
    vim_match("cnncOperator", "->\\|\\.\\.\\|<<\\|[=!<>]=\\|[-+*/%<>]", "");
    vim_match("cnncNumber",
              TEXT("\\<\\d\\+\\%(\\.\\d\\+\\)\\=\\%([eE][+-]\\=\\d\\+\\)\\=\\%(\\%(", either_unit(false, "\\|"),
                   "\\)\\w\\@!\\|\\s*\\%(", either_unit(true, "\\|"), "\\)\\>\\)\\="),
              "");
    vim_match("cnncSize", "\\<\\d\\+x\\d\\+\\>", "");
    vim_words(C_FUNCTION, "\\<", "\\>", "");
    vim_words(C_LAYER, "\\<", "\\>", "");
    vim_words(C_FIELD, "\\%([^.]\\.\\)\\@2<=", "\\>", "");
    vim_words(C_ANNOTATION, "@", "\\>", "");
    vim_words(C_KEYWORD, "\\<", "\\>", "");
    vim_words(C_CONSTANT, "\\<", "\\>", "");
}

static void vim_bodies(void) {
    printf("\n");
    vim_match("cnncTop", TEXT("^\\s*\\%(", either_top(false, "\\|"), "\\)\\>"), "");
    vim_match("cnncTop", TEXT("^\\s*\\%(", either_top(true, "\\|"), "\\)\\>"), "nextgroup=cnncName skipwhite");
    vim_match("cnncName", "\\h\\w*", "contained");
    vim_match("cnncParameter", "\\<\\h\\w*\\ze\\s*==\\@!", "contained");
    printf("syn region cnncArguments transparent start=\"(\" end=\")\" contains=@cnncBody,cnncParameter\n"
           "syn region cnncBraces transparent start=\"{\" end=\"}\" contains=@cnncBody,cnncBraces\n"
           "syn cluster cnncShared "
           "contains=cnncComment,cnncString,cnncOperator,cnncNumber,cnncSize,cnncFunction,cnncField,"
           "cnncKeyword,cnncConstant\n"
           "syn cluster cnncBody contains=@cnncShared,cnncLayer,cnncAnnotation,cnncArguments\n");
}

static void vim_section(const char *section) {
    const char *key = TEXT("cnncKey_", section), *name = TEXT("cnncName_", section),
               *block = TEXT("cnncBlock_", section);
    Words keys;
    section_keys(section, &keys);
    printf("\n");
    vim_match("cnncSection", TEXT("^\\s*", section, "\\>\\ze\\s*\\%(\\h\\w*\\s*\\)\\={"),
              TEXT("nextgroup=", name, ",", block, " skipwhite"));
    vim_match(name, "\\h\\w*", TEXT("contained nextgroup=", block, " skipwhite"));
    printf("syn region %s contained transparent start=\"{\" end=\"}\" contains=@cnncSettings,%s,%s\n", block, key,
           block);
    if (keys.n)
        vim_match(key,
                  TEXT("\\<\\%(", either(&keys, "\\|"), compares(section) ? "\\)\\ze\\s*[<>]" : "\\)\\ze\\s*==\\@!"),
                  "contained");
    vim_link(name, C_NAME);
    vim_link(key, C_KEY);
}

static void vim_sections(void) {
    printf("\n");
    vim_words(C_CALL, "\\<", "\\>", "contained");
    vim_words(C_CHOICE, "\\<", "\\>\\%(\\s*(\\)\\@!", "contained");
    vim_match("cnncParameterKnown", TEXT("\\<\\%(", either_of(C_PARAMETER, "\\|"), "\\)\\ze\\s*==\\@!"), "contained");
    vim_link("cnncParameterKnown", C_PARAMETER);
    printf("syn region cnncSettingArguments contained transparent start=\"(\" end=\")\" "
           "contains=@cnncSettings,cnncParameterKnown\n"
           "syn cluster cnncSettings contains=@cnncShared,cnncCall,cnncChoice,cnncSettingArguments\n");
    for (int i = 0; i < LENGTH(top_word); i++)
        if (is_section(i)) vim_section(top_word[i].text);
}

static void write_vim(void) {
    printf("\" Vim syntax file of the .net language of cnnc, written by docs/editors/make_editors.c from the "
           "compiler's tables.\n"
           "if exists(\"b:current_syntax\")\n    finish\nendif\n"
           "let s:cpo_save = &cpo\nset cpo&vim\nsyn case match\nsyn sync fromstart\n\n");
    vim_values();
    vim_bodies();
    vim_sections();
    printf("\n");
    for (int i = 0; i < C_COUNT; i++) printf("hi def link %s %s\n", class_row[i].vim, class_row[i].link);
    printf("\nlet b:current_syntax = \"cnnc\"\nlet &cpo = s:cpo_save\nunlet s:cpo_save\n");
}

/* ---- TextMate ---- */

static void json_text(const char *text) {
    putchar('"');
    for (; *text; text++) printf(*text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    putchar('"');
}

/* "key": "text", */
static void member(const char *key, const char *text) {
    printf("\"%s\": ", key);
    json_text(text);
    printf(", ");
}

/* The scopes of a pattern's first two groups. */
static void captures(const char *key, Class first, Class second) {
    printf("\"%s\": {\"1\": {\"name\": \"%s\"}, \"2\": {\"name\": \"%s\"}}", key, class_row[first].scope,
           class_row[second].scope);
}

/* The list of these rules, whose names stand apart by blanks. */
static void includes(const char *rules) {
    printf("\"patterns\": [");
    for (const char *p = rules; *p;) {
        size_t n = strcspn(p, " ");
        printf("%s{\"include\": \"#%.*s\"}", p == rules ? "" : ", ", (int)n, p);
        p += n + strspn(p + n, " ");
    }
    printf("]");
}

/* Of patterns that match at one place the first of its list is taken. */
static void mate_match(const char *rule, Class c, const char *pattern) {
    printf("    \"%s\": {\"name\": \"%s\", \"match\": ", rule, class_row[c].scope);
    json_text(pattern);
    printf("},\n");
}

static void mate_words(const char *rule, Class c, const char *before, const char *after) {
    mate_match(rule, c, TEXT(before, "(?:", either_of(c, "|"), ")", after));
}

static void mate_list(const char *rule, const char *rules) {
    printf("    \"%s\": {", rule);
    includes(rules);
    printf("},\n");
}

static void mate_region(const char *rule, const char *begin, const char *end, const char *rules) {
    printf("    \"%s\": {", rule);
    member("begin", begin);
    member("end", end);
    includes(rules);
    printf("},\n");
}

static void mate_values(void) {
    mate_match("comment", C_COMMENT, "#.*$");
    printf("    \"string\": {\"name\": \"%s\", ", class_row[C_STRING].scope);
    member("begin", "\"");
    member("end", "\"|$");
    includes("escape substitution");
    printf("},\n");
    mate_match("escape", C_ESCAPE, "\\\\[\"\\\\{}nt]");
    printf("    \"substitution\": {\"name\": \"meta.embedded.line.cnnc\", \"captures\": {\"0\": {\"name\": \"%s\"}}, ",
           class_row[C_ESCAPE].scope);
    member("begin", "\\{");
    member("end", "\\}|(?=\")|$");
    includes("body");
    printf("},\n");
    mate_match("operator", C_OPERATOR, "->|\\.\\.|<<|[=!<>]=|[-+*/%<>]");
    mate_match("number", C_NUMBER,
               TEXT("\\b\\d+(?:\\.\\d+)?(?:[eE][+-]?\\d+)?(?:(?:", either_unit(false, "|"),
                    ")(?!\\w)|\\s*(?:", either_unit(true, "|"), ")\\b)?"));
    mate_match("size", C_SIZE, "\\b\\d+x\\d+\\b");
    mate_words("function", C_FUNCTION, "\\b", "\\b");
    mate_words("layer", C_LAYER, "\\b", "\\b");
    mate_words("field", C_FIELD, "(?<=[^.]\\.)", "\\b");
    mate_words("annotation", C_ANNOTATION, "@", "\\b");
    mate_words("keyword", C_KEYWORD, "\\b", "\\b");
    mate_words("constant", C_CONSTANT, "\\b", "\\b");
    mate_list("shared", "comment string size number field constant keyword function operator");
}

static void mate_bodies(void) {
    mate_match("top", C_TOP, TEXT("^\\s*(?:", either_top(false, "|"), ")\\b"));
    printf("    \"named\": {");
    member("match", TEXT("^\\s*(", either_top(true, "|"), ")\\b\\s*([A-Za-z_]\\w*)?"));
    captures("captures", C_TOP, C_NAME);
    printf("},\n");
    mate_match("parameter", C_PARAMETER, "\\b[A-Za-z_]\\w*(?=\\s*=(?!=))");
    mate_region("arguments", "\\(", "\\)", "parameter body");
    mate_region("braces", "\\{", "\\}", "body braces");
    mate_list("body", "layer annotation shared arguments");
}

static void mate_section(const char *section) {
    Words keys;
    section_keys(section, &keys);
    const char *rules = TEXT(keys.n ? TEXT("key_", section, " ") : "", "settings inside_", section);
    printf("    \"%s\": {", section);
    member("begin", TEXT("^\\s*(", section, ")\\b\\s*([A-Za-z_]\\w*)?\\s*\\{"));
    member("end", "\\}");
    captures("beginCaptures", C_SECTION, C_NAME);
    printf(", ");
    includes(rules);
    printf("},\n");
    mate_region(TEXT("inside_", section), "\\{", "\\}", rules);
    if (!keys.n) return;
    const char *after = compares(section) ? ")(?=\\s*[<>])" : ")(?=\\s*=(?!=))";
    mate_match(TEXT("key_", section), C_KEY, TEXT("\\b(?:", either(&keys, "|"), after));
}

static const char *mate_sections(void) {
    const char *all = "";
    mate_words("call", C_CALL, "\\b", "\\b");
    mate_words("choice", C_CHOICE, "\\b", "\\b(?!\\s*\\()");
    mate_words("known_parameter", C_PARAMETER, "\\b", "(?=\\s*=(?!=))");
    mate_region("setting_arguments", "\\(", "\\)", "known_parameter settings");
    for (int i = 0; i < LENGTH(top_word); i++) {
        if (!is_section(i)) continue;
        mate_section(top_word[i].text);
        all = TEXT(all, top_word[i].text, " ");
    }
    return all;
}

static void write_textmate(void) {
    printf(
        "{\n  \"information_for_contributors\": \"Written by docs/editors/make_editors.c from the compiler's "
        "tables.\",\n"
        "  \"name\": \"cnnc\",\n  \"scopeName\": \"source.cnnc\",\n  \"fileTypes\": [\"net\"],\n  \"repository\": {\n");
    mate_values();
    mate_bodies();
    const char *sections = mate_sections();
    printf("    \"settings\": {");
    includes("choice call shared setting_arguments");
    printf("}\n  },\n  ");
    includes(TEXT(sections, "named top body braces"));
    printf("\n}\n");
}

int main(int argc, char **argv) {
    if (argc == 2 && !strcmp(argv[1], "vim"))
        write_vim();
    else if (argc == 2 && !strcmp(argv[1], "textmate"))
        write_textmate();
    else
        return fprintf(stderr, "usage: make_editors vim|textmate\n"), 64;
    return fflush(stdout) || ferror(stdout) ? 74 : 0;
}
