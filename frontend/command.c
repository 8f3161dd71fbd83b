/* See command.h. */
#include "command.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diag_format.h"

typedef enum Joining { ALONE, JOINED, NEXT } Joining;

/* False if the value is wrong. */
typedef bool SetOption(CommandLine *c, const char *value);

static const char *const product_name[OUT_COUNT] = {"ast", "graph", "loops", "llvm-ir", "asm", "obj", "exe", "dot", "html"};

static bool set_output(CommandLine *c, const char *value) { c->output = value; return *value != 0; }
static bool set_object(CommandLine *c, const char *value) { (void)value; c->product = OUT_OBJ; return true; }
static bool set_assembly(CommandLine *c, const char *value) { (void)value; c->product = OUT_ASM; return true; }
static bool set_march(CommandLine *c, const char *value) { c->march = value; return *value != 0; }
static bool set_linker(CommandLine *c, const char *value) { c->linker = value; return *value != 0; }
static bool set_stop(CommandLine *c, const char *value) { c->stop_after = value; return *value != 0; }
static bool set_list_passes(CommandLine *c, const char *value) { (void)value; return c->list_passes = true; }
static bool set_roundtrip(CommandLine *c, const char *value) { (void)value; return c->check_roundtrip = true; }
static bool set_time_report(CommandLine *c, const char *value) { (void)value; return c->time_report = true; }
static bool set_verbose(CommandLine *c, const char *value) { (void)value; return c->options.verbose = true; }
static bool set_no_winograd(CommandLine *c, const char *value) {
    (void)value;
    c->options.winograd = WINOGRAD_NEVER;
    return true;
}
static bool set_check(CommandLine *c, const char *value) { (void)value; return c->check = true; }
static bool set_in_place(CommandLine *c, const char *value) { (void)value; return c->in_place = true; }
static bool set_warning(CommandLine *c, const char *value) {
    c->told = !diag_choose_warning(c->arena, &c->diag, value);
    return !c->told;
}

static bool set_format(CommandLine *c, const char *value) {
    static const struct { const char *name; void (*print)(const Diags *d); } format[] = {
        {"text", NULL}, {"json", diag_print_json}, {"sarif", diag_print_sarif}};
    for (int i = 0; i < ARRAY_LEN(format); i++)
        if (!strcmp(value, format[i].name)) {
            c->diag.print = format[i].print;
            return true;
        }
    return false;
}

/* https://no-color.org: any value that is not empty. */
static bool wants_colour(void) {
    const char *no = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return isatty(STDERR_FILENO) && !(no && *no) && terminal && strcmp(terminal, "dumb") != 0;
}

static bool set_colour(CommandLine *c, const char *value) {
    c->diag.colour = !strcmp(value, "always") || (!strcmp(value, "auto") && wants_colour());
    return c->diag.colour || !strcmp(value, "never") || !strcmp(value, "auto");
}

static bool set_explain(CommandLine *c, const char *value) {
    c->explain = value + (*value == '=');
    return *c->explain != 0;
}
static bool set_version(CommandLine *c, const char *value) { (void)value; return c->version = true; }
static bool set_help(CommandLine *c, const char *value) { (void)value; return c->help = true; }

static bool set_blas(CommandLine *c, const char *value) {
    static const char *const name[] = {[BLAS_NEVER] = "never", [BLAS_AUTO] = "auto", [BLAS_ALWAYS] = "always"};
    for (int i = 0; i < ARRAY_LEN(name); i++)
        if (!strcmp(value, name[i])) {
            c->options.blas = (BlasUse)i;
            return true;
        }
    return false;
}

static bool set_emit(CommandLine *c, const char *value) {
    for (int i = 0; i < OUT_COUNT; i++)
        if (!strcmp(value, product_name[i])) {
            c->product = (Product)i;
            return true;
        }
    return false;
}

static bool set_report(CommandLine *c, const char *value) {
    static const char *const name[REPORT_COUNT] = {"summary", "schedule", "fusion", "memory"};
    for (int i = 0; i < REPORT_COUNT; i++)
        if (!strcmp(value, name[i])) return c->report[i] = true;
    return false;
}

static bool set_dump(CommandLine *c, const char *value) {
    PUSH(c->arena, c->dump_after, c->n_dump_after, c->cap_dump_after, value);
    return *value != 0;
}

static bool set_definition(CommandLine *c, const char *value) {
    const char *equals = strchr(value, '=');
    if (!equals || equals == value || !equals[1]) return false;
    Definition d = {.name = arena_strndup(c->arena, value, (size_t)(equals - value)), .value = equals + 1};
    PUSH(c->arena, c->definition, c->n_definition, c->cap_definition, d);
    return true;
}

static bool set_include(CommandLine *c, const char *value) {
    FrontendOptions *f = &c->frontend;
    PUSH(c->arena, f->include, f->n_include, f->cap_include, value);
    return *value != 0;
}

static bool set_train(CommandLine *c, const char *value) { c->frontend.train = value; return *value != 0; }
static bool set_deploy(CommandLine *c, const char *value) { c->frontend.deploy = value; return *value != 0; }

static bool set_level(CommandLine *c, const char *value) {
    c->options.opt_level = value[0] - '0';
    return value[0] >= '0' && value[0] <= '3' && !value[1];
}

/* 1 to most. */
static bool read_number(const char *value, int32_t most, int32_t *n) {
    for (*n = 0; *value >= '0' && *value <= '9' && *n <= most; value++) *n = 10 * *n + (*value - '0');
    return !*value && *n >= 1 && *n <= most;
}


static bool set_max_batch(CommandLine *c, const char *value) { return read_number(value, PICTURES_MOST, &c->options.max_batch); }
static bool set_batch(CommandLine *c, const char *value) { return read_number(value, PICTURES_MOST, &c->options.batch); }

static bool set_depth(CommandLine *c, const char *value) { return read_number(value, 1000, &c->depth); }

static bool set_tune_seconds(CommandLine *c, const char *value) { return read_number(value, 3600, &c->tune_seconds); }
static bool set_tune(CommandLine *c, const char *value) { return !*value && set_tune_seconds(c, "10"); }

static bool set_json(CommandLine *c, const char *value) { (void)value; return c->json = true; }
static bool set_jobs(CommandLine *c, const char *value) { return read_number(value, 256, &c->jobs); }

static bool set_kind(CommandLine *c, const char *value) { c->kind = value; return *value != 0; }

static bool set_values(CommandLine *c, const char *value) {
    const char *equals = strchr(value, '=');
    if (!equals || equals == value || !equals[1]) return false;
    Definition d = {.name = arena_strndup(c->arena, value, (size_t)(equals - value)), .value = equals + 1};
    PUSH(c->arena, c->values, c->n_values, c->cap_values, d);
    return true;
}

static const struct OptionRow {
    const char *text, *argument;
    Joining joining;
    SetOption *set;
    const char *help;
    enum { COMPILER, VERBS, COMMON } whose;
} option_table[] = {
#define OPTION(text, argument, joining, set, help) {text, argument, joining, set, help, COMPILER},
#define VERB_OPTION(text, argument, joining, set, help) {text, argument, joining, set, help, VERBS},
#define COMMON_OPTION(text, argument, joining, set, help) {text, argument, joining, set, help, COMMON},
#include "options.def"
#undef OPTION
#undef VERB_OPTION
#undef COMMON_OPTION
};

enum { MANY = INT32_MAX };
static const Verb verb_table[] = {
#define VERB(id, ...) {.name = #id, .run = verb_##id, __VA_ARGS__},
#include "verbs.def"
#undef VERB
};

/* ---- help ---- */

/* Is the option's text in the verb's list, or does the compiler take it? */
static bool takes(const Verb *v, const struct OptionRow *o) {
    size_t n = strlen(o->text);
    if (o->whose == COMMON || !v) return o->whose != VERBS;
    for (const char *at = v->options; (at = strstr(at, o->text)); at += n)
        if ((at == v->options || at[-1] == ' ') && at[n] == ' ') return true;
    return false;
}

static void help_of_verbs(FILE *to) {
    fputs("\nVerbs; cnnc VERB --help says more:\n", to);
    for (int i = 0; i < ARRAY_LEN(verb_table); i++) {
        char left[64];
        snprintf(left, sizeof left, "%s %s", verb_table[i].name, verb_table[i].arguments);
        fprintf(to, "  %-22s %s\n", left, verb_table[i].help);
    }
}

void command_print_help(FILE *to, const CommandLine *c) {
    const Verb *v = c->verb;
    if (v)
        fprintf(to, "usage: cnnc %s [options] %s\n%c%s.\n\n", v->name, v->arguments, v->help[0] - 'a' + 'A',
                v->help + 1);
    else
        fputs("usage: cnnc [options] FILE.net\n       cnnc VERB [options] ...\n"
              "Compiles a description of a convolutional network to a program that trains it and predicts with it.\n\n",
              to);
    for (int i = 0; i < ARRAY_LEN(option_table); i++) {
        const struct OptionRow *o = &option_table[i];
        char left[64];
        if (!takes(v, o)) continue;
        snprintf(left, sizeof left, "%s%s%s", o->text, o->joining == NEXT ? " " : "", o->argument ? o->argument : "");
        fprintf(to, "  %-22s %s\n", left, o->help);
    }
    if (!v) help_of_verbs(to);
}

/* ---- reading ---- */

static const struct OptionRow *find_row(const Verb *v, const char *word) {
    for (int i = 0; i < ARRAY_LEN(option_table); i++) {
        const struct OptionRow *o = &option_table[i];
        bool same = o->joining == ALONE ? !strcmp(word, o->text) : !strncmp(word, o->text, strlen(o->text));
        if (same && takes(v, o)) return o;
    }
    return NULL;
}

static const char *nearest_option(const Verb *v, const char *word) {
    const char *known[ARRAY_LEN(option_table)];
    int n = 0;
    for (int i = 0; i < ARRAY_LEN(option_table); i++)
        if (takes(v, &option_table[i])) known[n++] = option_table[i].text;
    char start[64]; /* up to the value, which would only add distance */
    snprintf(start, sizeof start, "%.*s", (int)min_i64((int64_t)strcspn(word, "=") + 1, 60), word);
    return did_you_mean(start, known, n);
}

static bool read_option(CommandLine *c, const char *word, const char *next, bool *used_next) {
    const struct OptionRow *o = find_row(c->verb, word);
    if (!o) {
        const char *near = nearest_option(c->verb, word);
        fprintf(stderr, "cnnc: error: %s%sthere is no option %.120s%s%s%s\n", c->verb ? c->verb->name : "",
                c->verb ? ": " : "", word, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
        return false;
    }
    const char *value = word + strlen(o->text);
    *used_next = o->joining == NEXT && !*value;
    if (*used_next) value = next ? next : "";
    if (o->set(c, value)) return true;
    if (!c->told) fprintf(stderr, "cnnc: error: %s wants %s: %s\n", o->text, o->argument, o->help);
    return false;
}

static const Verb *find_verb(const char *word) {
    for (int i = 0; i < ARRAY_LEN(verb_table); i++)
        if (!strcmp(word, verb_table[i].name)) return &verb_table[i];
    return NULL;
}

/* The verb that a word without dot and slash was perhaps meant to be, if there is no file of that name. */
static const char *nearest_verb(const char *word) {
    const char *known[ARRAY_LEN(verb_table)];
    for (int i = 0; i < ARRAY_LEN(verb_table); i++) known[i] = verb_table[i].name;
    return strpbrk(word, "./") || !access(word, F_OK) ? NULL : did_you_mean(word, known, ARRAY_LEN(verb_table));
}

static bool check_words(const CommandLine *c) {
    const Verb *v = c->verb;
    const char *near = !v && c->input ? nearest_verb(c->input) : NULL;
    if (c->help || (!v && (c->explain || c->version || c->list_passes))) return true;
    if (near)
        fprintf(stderr, "cnnc: error: there is no verb or file %.120s; did you mean %s?\n", c->input, near);
    else if (v && c->n_word < v->least)
        fprintf(stderr, "cnnc: error: usage: cnnc %s [options] %s\n", v->name, v->arguments);
    else if (v && c->n_word > v->most)
        fprintf(stderr, "cnnc: error: %.120s is one too many: cnnc %s [options] %s\n", c->word[v->most].text, v->name,
                v->arguments);
    else if (!v && c->n_word > 1)
        fprintf(stderr, "cnnc: error: one .net file at a time: %.120s and %.120s\n", c->input, c->word[1].text);
    else if (!c->input)
        fputs("cnnc: error: no input file; cnnc --help lists the options\n", stderr);
    else
        return true;
    return false;
}

CommandLine *command_read(Arena *a, int argc, char **argv) {
    CommandLine *c = NEW(a, CommandLine);
    *c = (CommandLine){.arena = a,
                       .product = OUT_EXE,
                       .options = {.opt_level = 2},
                       .verb = argc > 1 ? find_verb(argv[1]) : NULL};
    c->diag.colour = wants_colour();
    bool only_files = false;
    for (int i = c->verb ? 2 : 1; i < argc; i++) {
        bool used_next = false;
        if (!only_files && !strcmp(argv[i], "--")) {
            only_files = true;
        } else if (!only_files && argv[i][0] == '-' && argv[i][1]) {
            if (!read_option(c, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &used_next)) return NULL;
            i += used_next;
        } else {
            Word w = {argv[i], c->n_definition};
            PUSH(a, c->word, c->n_word, c->cap_word, w);
        }
    }
    c->input = c->n_word ? c->word[0].text : NULL;
    return check_words(c) ? c : NULL;
}
