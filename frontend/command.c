/* See command.h. */
#include "command.h"

#include <string.h>

typedef enum Joining { ALONE, JOINED, NEXT } Joining;

/* False if the value is wrong. */
typedef bool SetOption(CommandLine *c, const char *value);

static const char *const product_name[OUT_COUNT] = {"ast", "graph", "loops", "llvm-ir", "asm", "obj", "exe"};

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
static bool set_explain(CommandLine *c, const char *value) {
    c->explain = value + (*value == '=');
    return *c->explain != 0;
}
static bool set_version(CommandLine *c, const char *value) { (void)value; return c->version = true; }
static bool set_help(CommandLine *c, const char *value) { (void)value; return c->help = true; }

static bool set_emit(CommandLine *c, const char *value) {
    for (int i = 0; i < OUT_COUNT; i++)
        if (!strcmp(value, product_name[i])) {
            c->product = (Product)i;
            return true;
        }
    return false;
}

static bool set_report(CommandLine *c, const char *value) {
    static const char *const name[REPORT_COUNT] = {"schedule", "memory"};
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

static bool set_level(CommandLine *c, const char *value) {
    c->options.opt_level = value[0] - '0';
    return value[0] >= '0' && value[0] <= '3' && !value[1];
}

/* 1 to most. */
static bool read_number(const char *value, int32_t most, int32_t *n) {
    for (*n = 0; *value >= '0' && *value <= '9' && *n <= most; value++) *n = 10 * *n + (*value - '0');
    return !*value && *n >= 1 && *n <= most;
}

enum { PICTURES_MOST = 65536 };

static bool set_max_batch(CommandLine *c, const char *value) { return read_number(value, PICTURES_MOST, &c->options.max_batch); }
static bool set_batch(CommandLine *c, const char *value) { return read_number(value, PICTURES_MOST, &c->options.batch); }

static bool set_tune_seconds(CommandLine *c, const char *value) { return read_number(value, 3600, &c->tune_seconds); }
static bool set_tune(CommandLine *c, const char *value) { return !*value && set_tune_seconds(c, "10"); }

static const struct OptionRow {
    const char *text, *argument;
    Joining joining;
    SetOption *set;
    const char *help;
} option_table[] = {
#define OPTION(text, argument, joining, set, help) {text, argument, joining, set, help},
#include "options.def"
#undef OPTION
};

void command_print_help(FILE *to) {
    fputs("usage: cnnc [options] FILE.net\n"
          "Compiles a description of a convolutional network to a program that trains it and predicts with it.\n\n",
          to);
    for (int i = 0; i < ARRAY_LEN(option_table); i++) {
        const struct OptionRow *o = &option_table[i];
        char left[64];
        snprintf(left, sizeof left, "%s%s%s", o->text, o->joining == NEXT ? " " : "", o->argument ? o->argument : "");
        fprintf(to, "  %-22s %s\n", left, o->help);
    }
}

static const struct OptionRow *find_row(const char *word) {
    for (int i = 0; i < ARRAY_LEN(option_table); i++) {
        const struct OptionRow *o = &option_table[i];
        if (o->joining == ALONE ? !strcmp(word, o->text) : !strncmp(word, o->text, strlen(o->text))) return o;
    }
    return NULL;
}

static const char *nearest_option(const char *word) {
    const char *known[ARRAY_LEN(option_table)];
    for (int i = 0; i < ARRAY_LEN(option_table); i++) known[i] = option_table[i].text;
    char start[64];   /* up to the value, which would only add distance */
    snprintf(start, sizeof start, "%.*s", (int)min_i64((int64_t)strcspn(word, "=") + 1, 60), word);
    return did_you_mean(start, known, ARRAY_LEN(option_table));
}

static bool read_option(CommandLine *c, const char *word, const char *next, bool *used_next) {
    const struct OptionRow *o = find_row(word);
    if (!o) {
        const char *near = nearest_option(word);
        fprintf(stderr, "cnnc: error: there is no option %.120s%s%s%s\n", word, near ? "; did you mean " : "",
                near ? near : "", near ? "?" : "");
        return false;
    }
    const char *value = word + strlen(o->text);
    *used_next = o->joining == NEXT && !*value;
    if (*used_next) value = next ? next : "";
    if (o->set(c, value)) return true;
    fprintf(stderr, "cnnc: error: %s wants %s: %s\n", o->text, o->argument, o->help);
    return false;
}

CommandLine *command_read(Arena *a, int argc, char **argv) {
    CommandLine *c = NEW(a, CommandLine);
    *c =
        (CommandLine){.arena = a, .product = OUT_EXE, .options = {.opt_level = 2, .max_batch = 256}};
    bool only_files = false;
    for (int i = 1; i < argc; i++) {
        bool used_next = false;
        if (!only_files && !strcmp(argv[i], "--")) {
            only_files = true;
        } else if (!only_files && argv[i][0] == '-' && argv[i][1]) {
            if (!read_option(c, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &used_next)) return NULL;
            i += used_next;
        } else if (c->input) {
            fprintf(stderr, "cnnc: error: one .net file at a time: %.120s and %.120s\n", c->input, argv[i]);
            return NULL;
        } else {
            c->input = argv[i];
        }
    }
    if (c->input || c->explain || c->help || c->version || c->list_passes) return c;
    fputs("cnnc: error: no input file; cnnc --help lists the options\n", stderr);
    return NULL;
}
