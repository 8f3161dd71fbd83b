/* cnnc fmt: every example, every file of tests/parse and 1,000 generated nets, each mangled: blanks, line ends and
 * comments at random wherever the language allows them. The canonical form keeps the tree (fmt_file checks that itself)
 * and every comment, and is its own canonical form; blanks alone do not change it. And what single rules do. */
#include <CUnit/Basic.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../frontend/fmt.h"
#include "../../frontend/parse.h"
#include "../../frontend/source.h"
#include "net_gen.h"

/* ---- the canonical form of a text ---- */

/* NULL, after printing why, if it has mistakes. */
static const char *canonical(Arena *a, const char *text) {
    Diags *d = diag_new(a);
    Str s = STR(a);
    uint32_t file = diag_add_file(d, "test.net", text, strlen(text));
    if (fmt_file(a, d, file, &s)) return str_text(&s);
    diag_print(d);
    return NULL;
}

/* Comments in the text; they are numbered, so that none can stand for another. */
static int count_comments(const char *text, int n) {
    int found = 0;
    for (int i = 0; i < n; i++) {
        char comment[32];
        snprintf(comment, sizeof comment, "#<%d>", i);
        const char *at = strstr(text, comment);
        found += at && !strstr(at + 1, comment);
    }
    return found;
}

/* ---- mangling ---- */

typedef struct Mangler {
    Gen random;
    int lines, comments;     /* percent of the places that have one of their own */
    int n_comment;
} Mangler;

static void add_break(Str *s, Mangler *m, bool needed) {
    bool comment = gen_chance(&m->random, m->comments), line = comment || needed || gen_chance(&m->random, m->lines);
    if (comment) str_addf(s, " #<%d>", m->n_comment++);
    for (int i = line ? gen_from(&m->random, 1, 3) : 0; i > 0; i--) {
        str_addf(s, "\n%*s", gen_below(&m->random, 9), "");
        if (gen_chance(&m->random, m->comments / 2)) str_addf(s, "#<%d>\n", m->n_comment++);
    }
}

static bool touches(const Token *a, const Token *b) { return a->at.end_line == b->at.line && a->at.end_col == b->at.col; }

/* The text of a token, and whether a line may end behind it. */
static void add_token(Str *s, const char *const *start, const Token *t, int *depth) {
    const char *from = start[t->at.line] + t->at.col - 1;
    int n = (int)(t->at.end_col - t->at.col);
    str_addf(s, "%.*s", n, from);
    if (n == 1 && strchr("([", *from)) ++*depth;
    if (n == 1 && strchr(")]", *from)) --*depth;
}

/* The same words and statements with other blanks, and with line ends and comments if m has some. */
static const char *mangle(Arena *a, Mangler *m, const char *text) {
    Diags *d = diag_new(a);
    TokenList list = {0};
    parse_file_tokens(a, d, diag_add_file(d, "test.net", text, strlen(text)), &list);
    const char **start = NULL;
    int32_t n = 0, cap = 0;
    PUSH(a, start, n, cap, text);
    PUSH(a, start, n, cap, text);
    for (const char *nl = text; (nl = strchr(nl, '\n')); nl++) PUSH(a, start, n, cap, nl + 1);
    Str s = STR(a);
    int depth = 0;
    for (int32_t i = 0; i + 1 < list.n; i++) {
        const Token *t = &list.item[i], *next = t + 1;
        if (t->shape == TOKEN_LINE_END) {
            add_break(&s, m, true);
            continue;
        }
        add_token(&s, start, t, &depth);
        const char *sign = start[next->at.line] + next->at.col - 1;
        bool arrow = next->shape == TOKEN_SIGN && !strncmp(sign, "->", 2);
        if (depth > 0 || arrow) add_break(&s, m, false);
        if (next->shape != TOKEN_LINE_END && !(touches(t, next) && gen_chance(&m->random, 50)))
            str_addf(&s, "%*s", gen_from(&m->random, 1, 4), "");
    }
    return str_text(&s);
}

/* The source without comments: the words, which are what is mangled. */
static void check_mangled(Arena *a, const char *text, uint64_t seed) {
    Mangler m = {.random = {.state = seed}, .lines = gen_below(&(Gen){.state = seed}, 60), .comments = (int)(seed % 40)};
    const char *wild = mangle(a, &m, text), *first = canonical(a, wild), *second = first ? canonical(a, first) : NULL;
    CU_ASSERT_PTR_NOT_NULL_FATAL(first);
    CU_ASSERT_PTR_NOT_NULL_FATAL(second);
    CU_ASSERT_STRING_EQUAL(first, second);
    CU_ASSERT_EQUAL(count_comments(first, m.n_comment), m.n_comment);
    if (strcmp(first, second) || count_comments(first, m.n_comment) != m.n_comment)
        fprintf(stderr, "seed %llu:\n%s\n---- first\n%s\n---- second\n%s\n", (unsigned long long)seed, wild, first, second);
}

/* ---- files ---- */

static const char *read_text(Arena *a, const char *path) {
    Diags *d = diag_new(a);
    Source source;
    int64_t total = 0;
    CU_ASSERT_FATAL(source_read(a, d, path, (Span){0}, false, &total, &source));
    return d->file[source.file].text;
}

static void for_files(void (*check)(Arena *a, const char *text)) {
    glob_t files = {0};
    CU_ASSERT_FATAL(!glob("examples/*.net", 0, NULL, &files) && !glob("tests/parse/*.net", GLOB_APPEND, NULL, &files));
    for (size_t i = 0; i < files.gl_pathc; i++) {
        Arena *a = arena_new();
        check(a, read_text(a, files.gl_pathv[i]));
        arena_free(a);
    }
    globfree(&files);
}

static void mangle_many(Arena *a, const char *text) {
    const char *plain = canonical(a, text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(plain);
    CU_ASSERT_STRING_EQUAL(plain, canonical(a, plain));
    for (uint64_t seed = 1; seed <= 40; seed++) check_mangled(a, plain, seed * 7919);
}

static void test_files(void) { for_files(mangle_many); }

static void test_generated(void) {
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        Arena *a = arena_new();
        GenNet net;
        Str s = STR(a);
        gen_net(&net, seed, false);
        gen_print(&s, &net);
        check_mangled(a, str_text(&s), seed);
        arena_free(a);
    }
}

/* ---- rules ---- */

static const struct { const char *what, *from, *to; } rules[] = {
    {"blanks", "cnnc  1\nconst a=( 1+2 )*- 3\n", "cnnc 1\n\nconst a = (1 + 2) * -3\n"},
    {"units", "cnnc 1\nconst a = 5epochs\nconst b = 3   MiB\nconst c = 2k\n",
     "cnnc 1\n\nconst a = 5 epochs\nconst b = 3 MiB\nconst c = 2k\n"},
    {"fractions", "cnnc 1\nconst a = [3 / 4, 4 / 3, 2 * 3/4]\n", "cnnc 1\n\nconst a = [3/4, 4/3, 2 * 3 / 4]\n"},
    {"equals", "cnnc 1\nconst a = 1\nconst long = 2\noption b = 1\n", "cnnc 1\n\nconst a    = 1\nconst long = 2\noption b = 1\n"},
    {"sections", "cnnc 1\ntest { a = 1\n# c\n\n\n  long = 2 }\n", "cnnc 1\n\ntest {\n    a    = 1\n    # c\n\n    long = 2\n}\n"},
    {"one line", "cnnc 1\ninput i {size=8x8}\ntest{ }\n", "cnnc 1\n\ninput i { size = 8x8 }\n\ntest {}\n"},
    {"tables", "cnnc 1\nconst a = [[1, 20],\n[300, 4]]\n", "cnnc 1\n\nconst a = [[  1, 20],\n           [300,  4]]\n"},
    {"comma", "cnnc 1\nconst a = [1, # c\n 2, # d\n]\n",
     "cnnc 1\n\nconst a = [1,                              # c\n           2                               # d\n          ]\n"},
    {"arrow", "cnnc 1\nblock b(x) {\nreturn x\n-> relu\n}\nblock c(x) {\ny = x -> relu\n-> relu\nreturn y\n}\n",
     "cnnc 1\n\nblock b(x) {\n    return x\n        -> relu\n}\n\nblock c(x) {\n    y = x -> relu\n          -> relu\n"
     "    return y\n}\n"},
    {"else", "cnnc 1\nblock b(x) {\nif true {\nx = x\n} else if false { } else {\nreturn x }\n}\n",
     "cnnc 1\n\nblock b(x) {\n    if true {\n        x = x\n    } else if false {} else {\n        return x\n    }\n}\n"},
    {"comment that goes on", "cnnc 1\nconst a = 1 # c\n            # d\nconst b = 2\n",
     "cnnc 1\n\nconst a = 1                                # c\n                                           # d\nconst b = 2\n"},
    {"end", "cnnc 1\n\n\n\n# last\n\n\n", "cnnc 1\n\n# last\n"},
};

static void test_rules(void) {
    for (int i = 0; i < ARRAY_LEN(rules); i++) {
        Arena *a = arena_new();
        const char *got = canonical(a, rules[i].from);
        CU_ASSERT_PTR_NOT_NULL_FATAL(got);
        CU_ASSERT_STRING_EQUAL(got, rules[i].to);
        if (strcmp(got, rules[i].to)) fprintf(stderr, "%s:\n%s\nexpected\n%s", rules[i].what, got, rules[i].to);
        arena_free(a);
    }
}

/* A list of 100,000 numbers on one line, and a chain of 900 arrows: broken, in time. */
static void test_long(void) {
    Arena *a = arena_new();
    Str s = STR(a);
    str_add(&s, "cnnc 1\nconst a = [");
    for (int i = 0; i < 100000; i++) str_addf(&s, "%s%d", i ? ", " : "", i);
    str_add(&s, "]\nblock b(x) {\n    return x");
    for (int i = 0; i < 900; i++) str_add(&s, " -> relu");
    str_add(&s, "\n}\n");
    const char *text = canonical(a, str_text(&s));
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    size_t most = 0;
    for (const char *at = text; *at; at += strcspn(at, "\n") + 1) {
        size_t n = strcspn(at, "\n");
        most = n > most ? n : most;
    }
    CU_ASSERT(most <= FMT_WIDTH && most > FMT_WIDTH - 10);
    arena_free(a);
}

int main(void) {
    if (CU_initialize_registry()) return 70;
    CU_pSuite suite = CU_add_suite("fmt", NULL, NULL);
    CU_add_test(suite, "rules", test_rules);
    CU_add_test(suite, "long lines", test_long);
    CU_add_test(suite, "mangled files", test_files);
    CU_add_test(suite, "generated nets", test_generated);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed != 0;
}
