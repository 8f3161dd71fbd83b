/* Fuzz target: whatever bytes a .net file has, `cnnc check` and `cnnc fmt` end soon with a verdict.
 *
 * The input is one file, or several: a line `#file PATH` starts a further one, which `use` can find; nothing on the
 * disk is ever opened. A line `#define NAME=VALUE` of the first is a -D of the command line. Then, as the verbs do:
 * parse, evaluate, build the graph, sections, contracts, and print the messages in the three formats; what was accepted
 * keeps these promises:
 *   - the graph is whole (graph_verify), prints, and reads back to the same text;
 *   - settings and options are JSON;
 *   - the tree prints to what parses to the same tree; the canonical form is its own canonical form.
 * More than FUZZ_SECONDS of processor time is a failure like any other; for memory libFuzzer looks itself.
 *
 * Built with -fsanitize=fuzzer it is a libFuzzer program, else replay.c calls it for files. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../frontend/contract.h"
#include "../../frontend/footprint.h"
#include "../../frontend/diag_format.h"
#include "../../frontend/fmt.h"
#include "../../frontend/frontend.h"
#include "../../frontend/parse.h"
#include "../../passes/figures.h"
#include "../../passes/report.h"

enum {
    MAX_TEXTS = 8,
    MAX_DEFINITIONS = 8,
    SMALL_NET = 300 /* nodes of nets that are read back and planned: that takes longer than all else */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__asan_default_options(void);

static FILE *quiet; /* where messages go */

/* Small blocks are freed and made anew all the time: a long quarantine only fills memory. */
const char *__asan_default_options(void) { return "quarantine_size_mb=8:allocator_release_to_os_interval_ms=1000"; }

static void broken(const char *what, const char *detail) {
    fprintf(stderr, "fuzz_net: %s\n%s\n", what, detail);
    abort();
}

/* ---- the input as files and definitions ---- */

typedef struct Input {
    SourceFile text[MAX_TEXTS];
    int32_t n_text;
    Definition definition[MAX_DEFINITIONS];
    int32_t n_definition;
} Input;

/* The rest of the line at p if it starts with that word, else NULL. */
static const char *directive(Arena *a, const char *p, const char *end, const char *word) {
    size_t n = strlen(word);
    const char *stop = memchr(p, '\n', (size_t)(end - p));
    if ((size_t)(end - p) < n || memcmp(p, word, n) != 0) return NULL;
    return arena_strndup(a, p + n, (size_t)((stop ? stop : end) - p) - n);
}

static void add_definition(Input *in, char *text) {
    char *equals = strchr(text, '=');
    if (!equals || in->n_definition == MAX_DEFINITIONS) return;
    *equals = 0;
    in->definition[in->n_definition++] = (Definition){text, equals + 1};
}

static void read_input(Arena *a, Input *in, const char *p, size_t n) {
    const char *end = p + n;
    in->text[in->n_text++] = (SourceFile){"main.net", p, n};
    for (const char *line = p; line < end;) {
        SourceFile *f = &in->text[in->n_text - 1];
        const char *path = directive(a, line, end, "#file "), *nl = memchr(line, '\n', (size_t)(end - line));
        const char *define = directive(a, line, end, "#define "), *next = nl ? nl + 1 : end;
        if (define) add_definition(in, (char *)(uintptr_t)define);
        if (path && in->n_text < MAX_TEXTS) {
            f->bytes = (size_t)(line - f->text);
            in->text[in->n_text++] = (SourceFile){path, next, (size_t)(end - next)};
        }
        line = next;
    }
}

/* ---- check ---- */

static void show(Diags *d) {
    DiagOptions plain = *d->options, json = plain, sarif = plain, colour = plain;
    json.print = diag_print_json;
    sarif.print = diag_print_sarif;
    colour.colour = true;
    const DiagOptions *const all[] = {&json, &sarif, &colour};
    FILE *screen = stderr;
    stderr = quiet;
    for (int i = 0; i < ARRAY_LEN(all); i++) {
        d->options = all[i];
        diag_print(d);
    }
    stderr = screen;
}

static void check_json(const char *what, const char *text) {
    json_error_t error;
    json_t *j = json_loads(text, JSON_DECODE_ANY, &error);
    if (!j) broken(what, text);
    json_decref(j);
}

static void check_graph(Unit *u) {
    const char *rule = graph_verify(u->arena, u->net), *error = NULL;
    if (rule) broken("the graph is not whole", rule);
    if (u->net->n_node > SMALL_NET) return;
    Str once = STR(u->arena), twice = STR(u->arena);
    graph_print(&once, u->net);
    const Graph *back = graph_read(u->arena, str_text(&once), &error);
    if (!back) broken(error, str_text(&once));
    graph_print(&twice, back);
    if (strcmp(str_text(&once), str_text(&twice)) != 0) broken("the graph reads back as another", str_text(&twice));
}

/* What only `require { memory }`, `deploy { max_memory }` and --report=summary ask for, of every net. */
static void check_memory(Unit *u) {
    if (u->net->n_node > SMALL_NET) return;
    static const Machine avx2 = {.isa = "v3",
                                 .cpu = "x86-64-v3",
                                 .features = "",
                                 .vector_lanes = 8,
                                 .vector_registers = 16,
                                 .fma = true,
                                 .cache_bytes = {32 << 10, 1 << 20, 4 << 20},
                                 .fma_units = 2,
                                 .load_units = 2,
                                 .fma_latency = 4,
                                 .line_cycles = {2, 8, 20}};
    Figures f;
    u->machine = &avx2;
    figures_of(u, NULL, &f);
    footprint_check(u, &f.memory, NULL);
    Str s = STR(u->arena);
    report_summary(&s, u->arena, outline_of(u->net, u->arena), 0);
}

static void check_net(Arena *a, const Input *in) {
    static const Options usual = {.opt_level = 2, .max_batch = 32};
    FrontendOptions options = {.definition = in->definition,
                               .n_definition = in->n_definition,
                               .shelf = {.text = in->text, .n_text = in->n_text}};
    Unit *u = NEW(a, Unit);
    *u = (Unit){.arena = a, .diags = diag_new(a), .opt = &usual};
    ice_context("check", "the input");
    bool good = frontend_build(u, in->text[0].path, &options);
    if (good != (u->diags->n_error == 0)) broken("success and messages disagree", "");
    if (good) {
        check_graph(u);
        check_json("the settings are no JSON", u->settings_json);
        check_json("the options are no JSON", u->options_json);
        check_memory(u);
    }
    show(u->diags);
}

/* ---- fmt ---- */

static const char *tree_text(Arena *a, Diags *d, const char *text, size_t n) {
    Str s = STR(a);
    ast_print(&s, parse_file(a, d, diag_add_file(d, "main.net", text, n)));
    return d->n_error ? NULL : str_text(&s);
}

/* fmt_file itself compares the trees before and after. */
static void check_forms(Arena *a, const Input *in) {
    Diags *d = diag_new(a);
    SourceShelf shelf = {.text = in->text, .n_text = 1};
    Source source;
    int64_t total = 0;
    ice_context("fmt", "the input");
    if (!source_take(a, d, &shelf, in->text[0].path, (Span){0}, false, &total, &source)) return;
    Str once = STR(a), twice = STR(a);
    if (!fmt_file(a, d, source.file, &once)) return;
    if (!fmt_file(a, d, diag_add_file(d, "once.net", str_text(&once), once.n), &twice))
        broken("the canonical form has mistakes", str_text(&once));
    if (strcmp(str_text(&once), str_text(&twice)) != 0) broken("the canonical form has another", str_text(&twice));
    const char *tree = tree_text(a, d, str_text(&once), once.n),
               *again = tree ? tree_text(a, d, tree, strlen(tree)) : NULL;
    if (!again || strcmp(tree, again) != 0) broken("the printed tree is another", tree ? tree : "");
}

/* ---- the target ---- */

static double processor_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!quiet) quiet = fopen("/dev/null", "w");
    double start = processor_seconds();
    Arena *a = arena_new();
    Input in = {0};
    read_input(a, &in, (const char *)data, size);
    check_net(a, &in);
    check_forms(a, &in);
    arena_free(a);
    names_free();
    double seconds = processor_seconds() - start;
    if (seconds > FUZZ_SECONDS) {
        char text[64];
        snprintf(text, sizeof text, "%.2f s, more than %g", seconds, (double)FUZZ_SECONDS);
        broken("the input takes too long", text);
    }
    return 0;
}
