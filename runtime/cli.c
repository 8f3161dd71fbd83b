#include "cli.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum Kind { KIND_FLAG, KIND_TEXT, KIND_COUNT, KIND_REAL } Kind;

/* A row of the option table. `in` are the commands that take it. */
typedef struct OptionRow {
    const char *name;
    char letter; /* 0: none */
    Kind kind;
    size_t offset;            /* of its value in Options */
    int64_t least, most;      /* of a count */
    const char *value, *help; /* value: what --help calls the argument, NULL for a flag */
    const char *in;
} OptionRow;

#define AT(field) offsetof(Options, field)

static const OptionRow rows[] = {
    {"data", 0, KIND_TEXT, AT(data), 0, 0, "DIR|NAME", "pictures: DIR/train, DIR/val or DIR/test; or the section `data NAME`",
     "train eval"},
    {"augment", 0, KIND_TEXT, AT(augment), 0, 0, "NAME", "augment as the section `augment NAME` says", "train"},
    {"eval", 0, KIND_TEXT, AT(eval), 0, 0, "NAME", "evaluate as the section `eval NAME` says", "train eval"},
    {"weights", 'w', KIND_TEXT, AT(weights), 0, 0, "FILE", "start from these weights", "train"},
    {"weights", 'w', KIND_TEXT, AT(weights), 0, 0, "FILE", "use these weights", "eval predict bench export test"},
    {"init", 0, KIND_TEXT, AT(weights), 0, 0, "FILE", "the same as --weights", "train"},
    {"init", 0, KIND_FLAG, AT(init), 0, 0, NULL, "write the initial values, not trained ones", "export"},
    {"labels", 0, KIND_TEXT, AT(labels), 0, 0, "FILE", "the classes are called as the lines of FILE say", "predict export"},
    {"out", 'o', KIND_TEXT, AT(out), 0, 0, "DIR", "where weights and checkpoint go (.)", "train"},
    {"out", 'o', KIND_TEXT, AT(out), 0, 0, "PATH", "write the class of each pixel: to PATH, a .png file, or into the folder PATH", "predict"},
    {"output", 'o', KIND_TEXT, AT(output), 0, 0, "FILE", "the safetensors file to write", "export"},
    {"resume", 0, KIND_FLAG, AT(resume), 0, 0, NULL, "go on from the checkpoint in --out, if there is one", "train"},
    {"epochs", 0, KIND_COUNT, AT(epochs), 1, 1000000000, "N", "stop after N epochs", "train"},
    {"steps", 0, KIND_COUNT, AT(steps), 1, 1000000000000, "N", "stop after N steps, with the learning rates of all",
     "train"},
    {"batch", 'b', KIND_COUNT, AT(batch), 1, 1 << 20, "N", "pictures in a step", "train"},
    {"batch", 'b', KIND_TEXT, AT(batches), 0, 0, "N,...", "batches to time (1,16; with --train the net's)", "bench"},
    {"seconds", 0, KIND_REAL, AT(seconds), 0, 0, "S", "time a batch for S seconds and once at least (1, five times)",
     "bench"},
    {"seconds", 0, KIND_REAL, AT(seconds), 0, 0, "S", "begin to compare gradients for S seconds (60)", "test"},
    {"lr", 0, KIND_REAL, AT(lr), 0, 0, "X", "this learning rate throughout", "train"},
    {"seed", 0, KIND_COUNT, AT(seed), 0, INT64_MAX, "N", "of all random numbers", "train export"},
    {"replay", 0, KIND_TEXT, AT(replay), 0, 0, "FILE", "take batches from a safetensors file: images.K, labels.K",
     "train"},
    {"replay", 0, KIND_TEXT, AT(replay), 0, 0, "FILE", "take the tensor \"images\" from a safetensors file", "predict"},
    {"scores", 0, KIND_TEXT, AT(scores), 0, 0, "FILE", "with --replay: write the tensor \"scores\"", "predict"},
    {"top", 'k', KIND_COUNT, AT(k), 1, 1000000, "K", "how many classes to print for a picture (5)", "predict"},
    {"train", 0, KIND_FLAG, AT(train), 0, 0, NULL, "time training steps", "bench"},
    {"layers", 0, KIND_FLAG, AT(layers), 0, 0, NULL, "also print a table of the steps", "bench"},
    {"source", 0, KIND_FLAG, AT(source), 0, 0, NULL, "print the .net text that the program was made from", "info"},
    {"test", 0, KIND_TEXT, AT(test), 0, 0, "NAME", "test as the section `test NAME` says", "test"},
    {"golden", 0, KIND_TEXT, AT(golden), 0, 0, "FILE", "the file of golden values (PROGRAM.golden.safetensors)", "test"},
    {"update", 0, KIND_FLAG, AT(update), 0, 0, NULL, "write the golden values: of these pictures, or of made-up ones", "test"},
    {"json", 0, KIND_FLAG, AT(json), 0, 0, NULL, "print JSON", "eval predict bench info test"},
    {"threads", 't', KIND_COUNT, AT(threads), 1, POOL_MAX_THREADS, "N", "threads (CNNC_THREADS, or all processors)",
     "train eval predict bench export test"},
    {"help", 'h', KIND_FLAG, AT(help), 0, 0, NULL, "print this", "train eval predict bench info export test"},
};
enum { N_ROWS = sizeof rows / sizeof rows[0] };

typedef struct CommandRow {
    const char *name;
    Command *run;
    const char *operands; /* NULL: takes none */
    bool trains;          /* has to do with programs that train */
    const char *help;
} CommandRow;

static const CommandRow commands[] = {
    {"train", train_command, NULL, true, "train on a folder of pictures for each class"},
    {"eval", eval_command, NULL, false, "accuracy and loss on a set of pictures"},
    {"predict", predict_command, "FILE...", false, "the most likely classes of pictures"},
    {"bench", bench_command, NULL, true, "time the net"},
    {"info", info_command, NULL, true, "layers, parameters, memory"},
    {"export", export_command, NULL, false, "write weights to a safetensors file"},
    {"test", test_command, "[FILE...]", true, "compare with the golden values that `test --update` wrote"},
};
enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

/* ---- did you mean? ---- */

static int least_of(int a, int b, int c) {
    int m = a < b ? a : b;
    return m < c ? m : c;
}

/* Edits (insert, drop, change one byte) from a to b; 99 for words longer than any of ours. */
static int edits(const char *a, const char *b) {
    enum { LONGEST = 32 };
    int row[LONGEST + 1], n = (int)strlen(b);
    if (n > LONGEST || strlen(a) > LONGEST) return 99;
    for (int j = 0; j <= n; j++) row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            int above = row[j];
            row[j] = least_of(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[n];
}

typedef struct Guess {
    const char *word, *best;
    int distance;
} Guess;

static void guess(Guess *g, const char *candidate) {
    int d = edits(g->word, candidate);
    if (d > 2 || d >= (int)strlen(candidate) || (g->best && d >= g->distance)) return;
    g->best = candidate;
    g->distance = d;
}

/* ---- options ---- */

static bool takes(const OptionRow *row, const CommandRow *command) {
    size_t n = strlen(command->name);
    for (const char *p = row->in; (p = strstr(p, command->name)); p += n)
        if ((p == row->in || p[-1] == ' ') && (p[n] == ' ' || !p[n])) return true;
    return false;
}

static const OptionRow *find_long(const CommandRow *command, const char *name, size_t length, RtError *err) {
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)(length < 60 ? length : 60), name);
    Guess g = {.word = word};
    for (int i = 0; i < N_ROWS; i++) {
        if (!takes(&rows[i], command)) continue;
        if (strcmp(rows[i].name, word) == 0) return &rows[i];
        guess(&g, rows[i].name);
    }
    rt_fail(err, RT_USAGE, "%s has no option --%s%s%s%s", command->name, word, g.best ? "; did you mean --" : "",
            g.best ? g.best : "", g.best ? "?" : "");
    return NULL;
}

static const OptionRow *find_letter(const CommandRow *command, char letter, RtError *err) {
    for (int i = 0; i < N_ROWS; i++)
        if (rows[i].letter == letter && takes(&rows[i], command)) return &rows[i];
    rt_fail(err, RT_USAGE, "%s has no option -%c", command->name, letter);
    return NULL;
}

static void set_count(const OptionRow *row, const char *value, int64_t *to, RtError *err) {
    char *end;
    errno = 0;
    long long n = strtoll(value, &end, 10);
    if (end == value || *end || errno || n < row->least || n > row->most)
        rt_fail(err, RT_USAGE, "--%s: \"%.60s\" is not a number from %lld to %lld", row->name, value,
                (long long)row->least, (long long)row->most);
    else
        *to = n;
}

static void set_real(const OptionRow *row, const char *value, double *to, RtError *err) {
    char *end;
    double x = strtod(value, &end);
    if (end == value || *end || !isfinite(x) || x < 0)
        rt_fail(err, RT_USAGE, "--%s: \"%.60s\" is not a number of at least 0", row->name, value);
    else
        *to = x;
}

static void set_value(const OptionRow *row, const char *value, Options *o, RtError *err) {
    void *to = (char *)o + row->offset;
    switch (row->kind) {
    case KIND_FLAG: *(bool *)to = true; break;
    case KIND_TEXT: *(const char **)to = value; break;
    case KIND_COUNT: set_count(row, value, to, err); break;
    case KIND_REAL: set_real(row, value, to, err); break;
    }
}

/* argv[*i] is an option; takes its value, from the next argument if need be. */
static void parse_option(const CommandRow *command, char **argv, int argc, int *i, Options *o, RtError *err) {
    const char *text = argv[*i], *value = NULL;
    const OptionRow *row;
    if (text[1] == '-') {
        value = strchr(text, '=');
        row = find_long(command, text + 2, value ? (size_t)(value - text) - 2 : strlen(text) - 2, err);
        if (value) value++;
    } else {
        row = find_letter(command, text[1], err);
        if (text[2]) value = text + 2;
    }
    if (!row) return;
    if (row->kind == KIND_FLAG && value) rt_fail(err, RT_USAGE, "--%s takes no value", row->name);
    if (row->kind != KIND_FLAG && !value && ++*i < argc) value = argv[*i];
    if (row->kind != KIND_FLAG && !value) rt_fail(err, RT_USAGE, "--%s needs a value: %s", row->name, row->value);
    if (!err->code) set_value(row, value, o, err);
}

/* Operands are moved to the front of argv, in order. */
static void parse(const CommandRow *command, int argc, char **argv, Options *o, RtError *err) {
    bool options = true;
    for (int i = 0; i < argc && !err->code; i++) {
        if (options && strcmp(argv[i], "--") == 0)
            options = false;
        else if (options && argv[i][0] == '-' && argv[i][1])
            parse_option(command, argv, argc, &i, o, err);
        else
            argv[o->n_operand++] = argv[i];
    }
    o->operand = (const char *const *)argv;
    if (o->n_operand && !command->operands && !err->code && !o->help)
        rt_fail(err, RT_USAGE, "%s takes no argument \"%.80s\"", command->name, o->operand[0]);
}

/* ---- sections with names ---- */

/* The section of that name takes the place of the one without. */
static void choose(const Model *m, const char *kind, const char *name, RtError *err) {
    const json_t *known = model_sections(m, kind);
    if (!name || model_choose(m, kind, name)) return;
    Guess g = {.word = name};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)known, key, value) guess(&g, key);
    rt_fail(err, RT_USAGE, "--%s: %s has no section `%s %.60s`%s%s%s", kind, m->file, kind, name,
            g.best ? "; did you mean " : "", g.best ? g.best : "", g.best ? "?" : "");
}

/* --data names a section if there is one of that name, else a folder. */
static void choose_sections(const Model *m, Options *o, RtError *err) {
    choose(m, "augment", o->augment, err);
    choose(m, "eval", o->eval, err);
    choose(m, "test", o->test, err);
    if (o->data && model_choose(m, "data", o->data)) o->data = NULL;
}

/* ---- help ---- */

static void print_command_help(const Context *c, const CommandRow *command) {
    printf("usage: %s %s [options]%s%s\n%s\n\n", c->program, command->name, command->operands ? " " : "",
           command->operands ? command->operands : "", command->help);
    for (int i = 0; i < N_ROWS; i++) {
        const OptionRow *r = &rows[i];
        if (!takes(r, command)) continue;
        char letter[] = {r->letter ? '-' : ' ', r->letter ? r->letter : ' ', r->letter ? ',' : ' ', 0}, name[32];
        snprintf(name, sizeof name, "--%s%s%s", r->name, r->value ? "=" : "", r->value ? r->value : "");
        printf("  %s %-17s %s\n", letter, name, r->help);
    }
}

static void print_help(const Context *c) {
    printf("usage: %s COMMAND [options]\nnet %s, compiled by cnnc %s from %s\n\n", c->program, c->model->name,
           c->model->version, c->model->file);
    for (int i = 0; i < N_COMMANDS; i++)
        if (c->model->trains || commands[i].run != train_command)
            printf("  %-8s %s\n", commands[i].name, commands[i].help);
    printf("\n%s COMMAND --help says what a command takes. Exit codes: 1 `require` or a test is not kept;\n"
           "those of sysexits.h: 64 usage, 65 bad data, 66 missing file, 70 our bug, 71 memory, 73 and 74 output,\n"
           "75 stopped by a signal after saving, 76 not finite, 78 over a limit.\n",
           c->program);
}

/* ---- entry ---- */

static const CommandRow *find_command(const char *name, RtError *err) {
    Guess g = {.word = name};
    for (int i = 0; i < N_COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
        guess(&g, commands[i].name);
    }
    rt_fail(err, RT_USAGE, "there is no command \"%.60s\"%s%s%s", name,
            g.best ? "; did you mean " : "; --help lists them", g.best ? g.best : "", g.best ? "?" : "");
    return NULL;
}

bool cli_trains(int argc, char **argv) {
    RtError ignored = {0};
    const CommandRow *command = argc > 1 ? find_command(argv[1], &ignored) : NULL;
    return command && command->trains;
}

int cli_main(const Context *c, int argc, char **argv, RtError *err) {
    if (argc < 2) return rt_fail(err, RT_USAGE, "a command is missing; %s --help lists them", c->program);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(c);
        return RT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("%s, compiled by cnnc %s from %s\n", c->program, c->model->version, c->model->file);
        return RT_OK;
    }
    const CommandRow *command = find_command(argv[1], err);
    if (!command) return err->code;
    Options o = {.seed = -1, .lr = -1, .seconds = -1};
    parse(command, argc - 2, argv + 2, &o, err);
    choose_sections(c->model, &o, err);
    if (err->code) return err->code;
    if (o.help) {
        print_command_help(c, command);
        return RT_OK;
    }
    int code = command->run(c, &o, err);
    return err->code ? err->code : code;
}
