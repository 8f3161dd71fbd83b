/* cnnc sweep FILE.net: parameters, multiply-adds and memory for every combination of the values that options may have,
 * and the reason where a combination is not legal. Each combination is a compilation of its own in an arena of its own,
 * as far as the plan of the memory; processes share them out. */
#include <malloc.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "../backends/target.h"
#include "../ir/number.h"
#include "../passes/figures.h"
#include "driver.h"
#include "fit.h"
#include "footprint.h"

enum { MOST_COMBINATIONS = 1000000, REASON_BYTES = 240, PATH_BYTES = 120 };

typedef enum State { STATE_OPEN, STATE_LEGAL, STATE_ILLEGAL } State;

typedef struct Result { /* of one combination; in memory that the processes share */
    State state;
    Figures figures;
    char code[8], path[PATH_BYTES], reason[REASON_BYTES];
    uint32_t line, col;
} Result;

typedef struct Shared {
    atomic_long next; /* the combination that nobody has begun */
    Result result[];
} Shared;

typedef struct Sweep {
    const CommandLine *c;
    const char *path;
    Targets targets; /* figures are for the first */
    OptionSet *option; /* all options */
    int32_t n_option;
    OptionSet **swept; /* those with more than one value; the last one changes fastest */
    int32_t n_swept;
    int64_t n; /* combinations */
    Shared *shared;
    FigureCache *cache[TARGETS_MAX]; /* of this process, one for each of the targets */
} Sweep;

/* ---- what to sweep ---- */

/* A value of --values in JSON: as the option's set has it; else what looks like a number or truth value is one. */
static const char *json_of_text(Arena *a, const OptionSet *o, const char *text) {
    size_t sign = *text == '-', number = strspn(text + sign, "0123456789");
    if (number > 0 && text[sign + number] == '.') number += 1 + strspn(text + sign + number + 1, "0123456789");
    bool zero = text[sign] == '0' && text[sign + 1] && text[sign + 1] != '.', plain = number > 0 && !text[sign + number];
    for (int32_t i = 0; i < o->n; i++)
        if (!strcmp(o->value[i], text)) return o->json[i];
    if ((plain && !zero && text[sign + number - 1] != '.') || !strcmp(text, "true") || !strcmp(text, "false")) return text;
    Str s = STR(a);
    str_add_json(&s, text);
    return str_text(&s);
}

/* The values in "1,[2, 3],x": commas inside brackets do not count. */
static void split_values(Arena *a, OptionSet *o, const char *text) {
    const OptionSet set = *o;
    int depth = 0;
    o->value = NEW_ARRAY(a, const char *, strlen(text) + 1);
    o->json = NEW_ARRAY(a, const char *, strlen(text) + 1);
    o->n = 0;
    for (const char *from = text, *at = text;; at++) {
        depth += (*at == '[') - (*at == ']' && depth > 0);
        if (*at && (*at != ',' || depth > 0)) continue;
        o->value[o->n] = arena_strndup(a, from, (size_t)(at - from));
        o->json[o->n] = json_of_text(a, &set, o->value[o->n]);
        o->n++;
        if (!*at) break;
        from = at + 1;
    }
}

static const char *defined_value(const Definition *d, int32_t n, const char *name) {
    const char *value = NULL;
    for (int32_t i = 0; i < n; i++)
        if (!strcmp(d[i].name, name)) value = d[i].value;
    return value;
}

static bool choose_values(Sweep *s) {
    const CommandLine *c = s->c;
    for (int32_t i = 0; i < s->n_option; i++) {
        OptionSet *o = &s->option[i];
        const char *values = defined_value(c->values, c->n_values, o->name);
        if (values)
            split_values(c->arena, o, values);
        else if (defined_value(c->definition, c->n_definition, o->name))
            o->n = 0;
        if (o->n > 1 || values) s->swept[s->n_swept++] = o;
    }
    for (int32_t k = 0; k < c->n_values; k++) {
        bool known = false;
        for (int32_t i = 0; i < s->n_option; i++) known = known || !strcmp(s->option[i].name, c->values[k].name);
        if (known) continue;
        fprintf(stderr, "cnnc: error: --values=%.120s: there is no such option\n", c->values[k].name);
        return false;
    }
    return true;
}

static bool count_combinations(Sweep *s) {
    s->n = 1;
    for (int32_t i = 0; i < s->n_swept && s->n <= MOST_COMBINATIONS; i++) s->n *= s->swept[i]->n;
    if (s->n <= MOST_COMBINATIONS) return true;
    fprintf(stderr, "cnnc: error: more than %d combinations; fix an option with -D or choose with --values\n",
            MOST_COMBINATIONS);
    return false;
}

/* ---- one combination ---- */

/* Which value of each swept option combination i has. */
static int32_t value_index(const Sweep *s, int64_t i, int32_t option) {
    for (int32_t k = s->n_swept - 1; k > option; k--) i /= s->swept[k]->n;
    return (int32_t)(i % s->swept[option]->n);
}

static const Message *first_error(const Diags *d) {
    for (int32_t i = 0; i < d->n_message; i++)
        if (d->message[i].severity == SEV_ERROR) return &d->message[i];
    return NULL;
}

static void keep_reason(Result *r, const Diags *d) {
    const Message *m = first_error(d);
    if (!m) return;
    snprintf(r->code, sizeof r->code, "%s", m->code ? m->code : "");
    snprintf(r->reason, sizeof r->reason, "%s", m->text);
    if (m->span.line > 0) snprintf(r->path, sizeof r->path, "%s", d->file[m->span.file].path);
    r->line = m->span.line;
    r->col = m->span.col;
}

static void run_one(const Sweep *s, int64_t i) {
    const CommandLine *c = s->c;
    Arena *a = arena_new();
    Diags *d = driver_diags(a, c);
    int32_t n = c->n_definition;
    Definition *definition = NEW_ARRAY(a, Definition, n + s->n_swept);
    for (int32_t k = 0; k < n; k++) definition[k] = c->definition[k];
    for (int32_t k = 0; k < s->n_swept; k++)
        definition[n++] = (Definition){s->swept[k]->name, s->swept[k]->value[value_index(s, i, k)]};
    Result *r = &s->shared->result[i];
    Unit *u = driver_unit(a, d, c, s->path, definition, n);
    if (u) {
        u->machine = s->targets.machine[0];
        figures_of(u, s->cache[0], &r->figures);
        driver_check_footprint(u, &s->targets, s->cache);
        fit_training(u, s->targets.machine, s->targets.n);
    }
    if (d->n_error) keep_reason(r, d);
    r->state = d->n_error ? STATE_ILLEGAL : STATE_LEGAL;
    arena_free(a);
}

static void run_share(Sweep *s) {
    mallopt(M_MMAP_THRESHOLD, 1 << 30);   /* what one arena gives back the next one gets, without page faults */
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    for (int i = 0; i < s->targets.n; i++) s->cache[i] = figure_cache_new(s->c->arena);
    for (int64_t i; (i = atomic_fetch_add(&s->shared->next, 1)) < s->n;) run_one(s, i);
}

/* ---- all of them ---- */

static int32_t processors(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
}

/* Waits for the processes; returns the exit status of one that did not end well, or 0. */
static int join(const pid_t *child, int32_t n) {
    int worst = EX_OK;
    for (int32_t i = 0; i < n; i++) {
        int status = 0;
        if (waitpid(child[i], &status, 0) != child[i] || (WIFEXITED(status) && WEXITSTATUS(status) == EX_OK)) continue;
        worst = WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
    }
    return worst;
}

static int run_all(Sweep *s) {
    int32_t jobs = s->c->jobs ? s->c->jobs : processors(), n = 0;
    pid_t *child = NEW_ARRAY(s->c->arena, pid_t, jobs);
    jobs = (int32_t)min_i64(jobs, s->n);
    fflush(NULL);
    for (; n < jobs - 1; n++) {
        child[n] = fork();
        if (child[n] < 0) break; /* then the others do its share */
        if (child[n] > 0) continue;
        run_share(s);
        _exit(EX_OK);
    }
    run_share(s);
    return join(child, n);
}

/* ---- output ---- */

static void print_reason(const Result *r) {
    if (r->line > 0) printf("%s:%u:%u: ", r->path, r->line, r->col);
    printf("%s", r->reason);
    if (r->code[0]) printf(" [%s]", r->code);
}

/* How wide the column of each option is. */
static int32_t *column_widths(const Sweep *s) {
    int32_t *width = NEW_ARRAY(s->c->arena, int32_t, s->n_swept + 1);
    for (int32_t k = 0; k < s->n_swept; k++) {
        const OptionSet *o = s->swept[k];
        size_t most = strlen(o->name);
        for (int32_t i = 0; i < o->n; i++) most = strlen(o->value[i]) > most ? strlen(o->value[i]) : most;
        width[k] = (int32_t)most;
    }
    return width;
}

static void print_kept(const Sweep *s) {
    for (int32_t i = 0; i < s->n_option; i++) {
        const OptionSet *o = &s->option[i];
        if (o->members <= OPTION_SET_MOST || defined_value(s->c->values, s->c->n_values, o->name)) continue;
        printf("%s = %s: its set has %lld members; --values=%s=... chooses some\n", o->name, o->usual,
               (long long)o->members, o->name);
    }
}

static void print_table(const Sweep *s) {
    const int32_t *width = column_widths(s);
    print_kept(s);
    for (int32_t k = 0; k < s->n_swept; k++) printf("%-*s  ", width[k], s->swept[k]->name);
    printf("%15s %10s %11s\n", "parameters", "MACs", "memory");
    for (int64_t i = 0; i < s->n; i++) {
        const Result *r = &s->shared->result[i];
        Arena *a = arena_new();
        for (int32_t k = 0; k < s->n_swept; k++) printf("%-*s  ", width[k], s->swept[k]->value[value_index(s, i, k)]);
        if (r->state == STATE_LEGAL)
            printf("%15s %10s %11s", number_thousands(a, r->figures.parameters), number_scaled(a, r->figures.macs),
                   number_bytes(a, footprint(&r->figures.memory, 1)));
        else
            print_reason(r);
        printf("\n");
        arena_free(a);
    }
}

static void add_options(Str *t, const Sweep *s, int64_t i) {
    str_add(t, "{\"options\": {");
    for (int32_t k = 0; k < s->n_swept; k++) {
        if (k) str_add(t, ", ");
        str_add_json(t, s->swept[k]->name);
        str_addf(t, ": %s", s->swept[k]->json[value_index(s, i, k)]);
    }
    str_add(t, "}, ");
}

static void add_error(Str *t, const Result *r) {
    str_add(t, "\"error\": {\"code\": ");
    str_add_json(t, r->code);
    str_add(t, ", \"file\": ");
    str_add_json(t, r->path);
    str_addf(t, ", \"line\": %u, \"column\": %u, \"message\": ", r->line, r->col);
    str_add_json(t, r->reason);
    str_add(t, "}");
}

static void print_json(const Sweep *s) {
    Str head = STR(s->c->arena);
    str_add(&head, "{\"file\": ");
    str_add_json(&head, s->path);
    str_addf(&head, ", \"processor\": \"%s\", \"combinations\": [\n", s->targets.machine[0]->cpu);
    fputs(str_text(&head), stdout);
    for (int64_t i = 0; i < s->n; i++) {
        const Result *r = &s->shared->result[i];
        Arena *a = arena_new();
        Str t = STR(a);
        add_options(&t, s, i);
        if (r->state == STATE_LEGAL)
            str_addf(&t, "\"parameters\": %lld, \"macs\": %lld, \"memory\": %lld", (long long)r->figures.parameters,
                     (long long)r->figures.macs, (long long)footprint(&r->figures.memory, 1));
        else
            add_error(&t, r);
        printf("%s}%s\n", str_text(&t), i + 1 < s->n ? "," : "");
        arena_free(a);
    }
    fputs("]}\n", stdout);
}

/* Does any combination do? */
static int verdict(const Sweep *s, int failed) {
    for (int64_t i = 0; failed == EX_OK && i < s->n; i++)
        if (s->shared->result[i].state == STATE_LEGAL) return EX_OK;
    return failed == EX_OK ? EX_DATAERR : failed;
}

/* A process that stopped (a limit of memory, a bug) leaves what it had begun without a result. */
static void settle(const Sweep *s, int failed) {
    for (int64_t i = 0; i < s->n; i++) {
        Result *r = &s->shared->result[i];
        if (r->state != STATE_OPEN) continue;
        snprintf(r->reason, sizeof r->reason, "the compiler stopped with exit status %d", failed);
        r->state = STATE_ILLEGAL;
    }
}

int verb_sweep(const CommandLine *c) {
    Sweep s = {.c = c, .path = c->word[0].text};
    if (!driver_targets(c, NULL, target_default, &s.targets)) return EX_USAGE;
    Diags *d = driver_diags(c->arena, c);
    FrontendOptions o = c->frontend;
    o.definition = c->definition;
    o.n_definition = c->n_definition;
    if (!frontend_option_sets(c->arena, d, s.path, &o, &s.option, &s.n_option)) {
        diag_print(d);
        return driver_exit_code(d);
    }
    s.swept = NEW_ARRAY(c->arena, OptionSet *, s.n_option + 1);
    if (!choose_values(&s)) return EX_USAGE;
    if (!count_combinations(&s)) return EX_CONFIG;
    size_t bytes = sizeof(Shared) + (size_t)s.n * sizeof(Result);
    s.shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (s.shared == MAP_FAILED) return driver_complain(EX_OSERR, "no memory for", s.path);
    int failed = run_all(&s);
    settle(&s, failed);
    if (c->json)
        print_json(&s);
    else
        print_table(&s);
    int code = verdict(&s, failed);
    munmap(s.shared, bytes);
    return code;
}
