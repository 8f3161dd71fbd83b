/* cnnc: the driver. The only file that sees front end, passes and back ends: it runs them one after the other and turns
 * their results into exit codes (ir/diag.h). */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "../backends/dot.h"
#include "../backends/elf.h"
#include "../backends/emit.h"
#include "../backends/page.h"
#include "../backends/target.h"
#include "../ir/files.h"
#include "../passes/figures.h"
#include "../passes/pass.h"
#include "../passes/report.h"
#include "../runtime/process.h"
#include "codes.h"
#include "command.h"
#include "contract.h"
#include "driver.h"
#include "fit.h"
#include "footprint.h"
#include "tune.h"

/* ---- steps ---- */

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void report_time(const CommandLine *c, const char *what, double start) {
    if (c->time_report) fprintf(stderr, "%-12s %9.2f ms\n", what, now_ms() - start);
}

static void report_costs(const Unit *u) {
    int64_t parameters, macs;
    graph_costs(u->net, u->arena, &parameters, &macs);
    fprintf(stderr, "%s: %lld parameters, %lld multiply-adds per picture\n", u->name, (long long)parameters,
            (long long)macs);
}

static const Pass *find_pass(const char *name) {
    for (int i = 0; i < n_passes; i++)
        if (!strcmp(pass_table[i].name, name)) return &pass_table[i];
    return NULL;
}

/* Every pass that the command line names must exist. */
static bool check_passes(const CommandLine *c) {
    for (int32_t i = -1; i < c->n_dump_after; i++) {
        const char *name = i < 0 ? c->stop_after : c->dump_after[i];
        if (!name || find_pass(name) || (i >= 0 && !strcmp(name, "all"))) continue;
        fprintf(stderr, "cnnc: error: there is no pass %.120s; cnnc --list-passes lists them\n", name);
        return false;
    }
    return true;
}

static void list_passes(void) {
    for (int i = 0; i < n_passes; i++) printf("%-12s %s\n", pass_table[i].name, pass_table[i].help);
}

/* Where libcnncrt.a is: as the environment says, where it was built, or beside cnnc. */
static const char *runtime_dir(Arena *a) {
    const char *dir = getenv("CNNC_RUNTIME_DIR");
    if (dir && *dir) return dir;
    if (!access(CNNC_RUNTIME_DIR "/libcnncrt.a", R_OK)) return CNNC_RUNTIME_DIR;
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    path[n > 0 ? n : 0] = 0;
    char *slash = strrchr(path, '/');
    if (!slash) return ".";
    *slash = 0;
    return arena_strdup(a, path);
}

/* "dir/alexnet.net" -> "alexnet" + the suffix of the product; text goes to standard output. */
static const char *output_path(const CommandLine *c) {
    static const char *const suffix[OUT_COUNT] = {
        [OUT_LLVM_IR] = ".ll", [OUT_ASM] = ".s", [OUT_OBJ] = ".o", [OUT_EXE] = "", [OUT_HTML] = ".html"};
    if (c->output) return c->output;
    const char *slash = strrchr(c->input, '/'), *base = slash ? slash + 1 : c->input, *dot = strrchr(base, '.');
    int n = dot && dot > base ? (int)(dot - base) : (int)strlen(base);
    return arena_printf(c->arena, "%.*s%s%s", n, base, dot && dot > base ? "" : ".out", suffix[c->product]);
}

/* Bytes of the numbers that a weights file has for what is deployed. */
static int64_t weight_bytes(const Graph *g) {
    int64_t sum = 0;
    for (Ref r = 1; r < (Ref)g->n_node; r++)
        if (graph_node(g, r)->op == OP_param) sum += (int64_t)sizeof(float) * type_elements(&graph_node(g, r)->type);
    return sum;
}

/* Whether the finished program keeps what the file requires of its size. */
static bool accept(void *context, const char *path) {
    const Unit *u = context;
    struct stat file;
    int64_t code = elf_code_bytes(path);
    if (stat(path, &file) || (code < 0 && contract_mentions(u, FIGURE_CODE_SIZE)))
        return driver_complain(EX_IOERR, "cannot read", path) == EX_OK;
    contract_check(u, FIGURE_CODE_SIZE, code);
    contract_check(u, FIGURE_SIZE, (int64_t)file.st_size + weight_bytes(u->graph[ENTRY_INFER]));
    return u->diags->n_error == 0;
}

static int emit(const CommandLine *c, Unit *const *unit, int n) {
    static const EmitKind kind[OUT_COUNT] = {
        [OUT_LLVM_IR] = EMIT_LLVM_IR, [OUT_ASM] = EMIT_ASM, [OUT_OBJ] = EMIT_OBJECT, [OUT_EXE] = EMIT_EXE};
    double start = now_ms();
    ice_context("emit", c->input);
    int code = emit_file(&(EmitJob){.unit = unit, .n = n, .kind = kind[c->product], .path = output_path(c),
                                    .runtime_dir = runtime_dir(c->arena), .linker = c->linker, .accept = accept,
                                    .context = unit[0]});
    report_time(c, "emit", start);
    return code;
}

static int print_unit(const CommandLine *c, const Unit *u, Level level) {
    Str s = STR(c->arena);
    unit_print_all(&s, u, level);
    return driver_write(c->arena, c->output, &s);
}

static int print_dot(const CommandLine *c, const Outline *o) {
    Str s = STR(c->arena);
    dot_print(&s, o);
    return driver_write(c->arena, c->output, &s);
}

/* `u`: after all passes. */
static int print_page(const CommandLine *c, const Unit *u, const Outline *o) {
    Str s = STR(c->arena);
    PageNet p = {.path = c->input, .outline = o, .unit = u};
    Memory memory = figures_memory(u, u->program[ENTRY_INFER]);
    p.memory = footprint(&memory, 1);
    page_print(&s, &p);
    return driver_write(c->arena, output_path(c), &s);
}

static void print_report(const Str *s) { fputs(str_text(s), stderr); }

static void check_memory(const Unit *u, bool several) {
    Memory m = figures_memory(u, u->program[ENTRY_INFER]);
    if (!u->diags->n_error) footprint_check(u, &m, several ? u->machine->cpu : NULL);
}

/* Passes for each processor, then what was asked for. */
static int compile(const CommandLine *c, const Unit *u, const Targets *t) {
    const Outline *outline = outline_of(u->net, c->arena);
    Str summary = STR(c->arena);
    if (c->report[REPORT_SUMMARY]) report_summary(&summary, c->arena, outline, c->depth);
    print_report(&summary);
    if (c->product == OUT_GRAPH && !c->stop_after) return print_unit(c, u, LEVEL_NET);
    if (c->product == OUT_DOT) return print_dot(c, outline);
    PassOptions o = {.dump_after = c->dump_after, .n_dump_after = c->n_dump_after, .stop_after = c->stop_after,
                     .time_report = c->time_report, .check_roundtrip = c->check_roundtrip, .dump = stdout};
    Unit *unit[TARGETS_MAX];
    for (int i = 0; i < t->n; i++) {
        Str reports = STR(c->arena);
        unit[i] = driver_unit_for(u, t->machine[i]);
        if (t->n > 1 && (c->options.verbose || c->time_report)) fprintf(stderr, "for %s:\n", t->machine[i]->cpu);
        if (!driver_passes(unit[i], &o)) return driver_exit_code(u->diags);
        if (!c->stop_after) driver_reports(&reports, c, unit[i], outline);
        print_report(&reports);
        if (!c->stop_after) check_memory(unit[i], t->n > 1);
    }
    if (u->diags->n_error) return driver_exit_code(u->diags);
    fflush(stdout);
    if (c->stop_after) return print_unit(c, unit[0], find_pass(c->stop_after)->level);
    if (c->product == OUT_HTML) return print_page(c, unit[0], outline);
    return c->product == OUT_LOOPS ? print_unit(c, unit[0], LEVEL_LOOPS) : emit(c, unit, t->n);
}

/* Options with what was measured. */
static const Options *tuned_options(const CommandLine *c, const Unit *u) {
    Options *o = NEW(c->arena, Options);
    double start = now_ms();
    *o = *u->opt;
    o->tuned = tune(u, c->tune_seconds);
    report_time(c, "tune", start);
    return o;
}

/* Only programs have code for several processors; what else a file is compiled to is for the first that the file names.
 * A page is for the one that figures are for, so that it is the same everywhere. */
static bool find_targets(const CommandLine *c, const Unit *u, Targets *t) {
    if (c->product == OUT_HTML && !c->tune_seconds && !c->stop_after) {
        *t = (Targets){.n = 1, .machine = {driver_machine(c, u)}};
        return t->machine[0] != NULL;
    }
    bool program = c->product == OUT_EXE && !c->stop_after;
    const char *march = c->march ? c->march : u->deploy.march;
    if (c->tune_seconds && march && strcmp(march, "native") != 0) {
        fprintf(stderr, "cnnc: error: --tune measures on this processor: it goes with -march=native only\n");
        return false;
    }
    if (!driver_targets(c, u, program && !c->tune_seconds ? target_default : "native", t)) return false;
    if (program || t->n == 1) return true;
    t->n = 1;
    if (c->march) fprintf(stderr, "cnnc: error: -march=%.120s: only a program is for several\n", march);
    return !c->march;
}

static int run_file(const CommandLine *c) {
    Diags *d = driver_diags(c->arena, c);
    Str text = STR(c->arena);
    int code = EX_OK;
    if (c->product == OUT_AST) {
        code = frontend_print_ast(c->arena, d, c->input, &text) ? driver_write(c->arena, c->output, &text) : driver_exit_code(d);
        diag_print(d);
        return code;
    }
    double start = now_ms();
    Unit *u = driver_unit(c->arena, d, c, c->input, c->definition, c->n_definition);
    report_time(c, "front end", start);
    Targets targets;
    if (u && !find_targets(c, u, &targets)) {
        diag_print(d);
        return d->n_error ? driver_exit_code(d) : EX_USAGE;
    }
    if (u) u->machine = targets.machine[0];
    if (u && c->options.verbose) report_costs(u);
    if (u && c->tune_seconds) u->opt = tuned_options(c, u);
    bool passes = c->product != OUT_DOT && (c->product != OUT_GRAPH || c->stop_after);
    bool fits = u && (!passes || fit_training(u, targets.machine, targets.n));
    code = fits ? compile(c, u, &targets) : driver_exit_code(d);
    diag_print(d);
    return code;
}

static int print_explanation(const CommandLine *c) {
    Str s = STR(c->arena);
    int code = explain(c->arena, c->explain, &s);
    return code == EX_OK ? driver_write(c->arena, c->output, &s) : code;
}

typedef struct Invocation {
    int argc;
    char **argv;
    int code;
    sigset_t signals;   /* that were held when it began */
} Invocation;

static void *run(void *data) {
    Invocation *p = data;
    files_release(&p->signals);
    Arena *arena = arena_new();
    const CommandLine *c = command_read(arena, p->argc, p->argv);
    int code = EX_OK;
    if (!c || !check_passes(c)) code = EX_USAGE;
    else if (c->help) command_print_help(stdout, c);
    else if (c->verb) code = c->verb->run(c);
    else if (c->version) printf("cnnc %s\n", CNNC_VERSION);
    else if (c->list_passes) list_passes();
    else if (c->explain) code = print_explanation(c);
    else code = run_file(c);
    arena_free(arena);
    if (fflush(stdout) && code == EX_OK) code = driver_complain(EX_IOERR, "cannot write", "standard output");
    p->code = code;
    return NULL;
}

/* On a thread, for the sake of its stack: what MAX_DEPTH and MAX_EXPR_DEPTH allow fits whatever `ulimit -s` says.
 * It alone takes signals, so that it can hold them. */
int main(int argc, char **argv) {
    enum { COMPILER_STACK = 16 << 20 };
    Invocation p = {.argc = argc, .argv = argv, .code = EX_OSERR};
    pthread_attr_t attr;
    pthread_t thread;
    process_prepare();
    files_hold(&p.signals);
    errno = pthread_attr_init(&attr);
    if (!errno) errno = pthread_attr_setstacksize(&attr, COMPILER_STACK);
    if (!errno) errno = pthread_create(&thread, &attr, run, &p);
    if (errno) return driver_complain(EX_OSERR, "cannot start", "the compiler");
    pthread_join(thread, NULL);
    return p.code;
}
