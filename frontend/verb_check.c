/* cnnc check FILE.net...: every mistake of each file, what its net costs, and reports. Passes run only where
 * require { memory }, max_memory or a report asks for them: all else that the author of a net can do wrong is found by
 * the front end. */
#include <sysexits.h>

#include "../backends/target.h"
#include "../ir/number.h"
#include "../passes/pass.h"
#include "../passes/report.h"
#include "driver.h"
#include "fit.h"
#include "footprint.h"

/* What the file says of the program's processors and memory. */
static void check_deployment(const CommandLine *c, Unit *u) {
    Targets t;
    if (!footprint_matters(u) && !u->deploy.march && !u->train.max_memory) return;
    if (!driver_targets(c, u, target_default, &t)) return;
    u->machine = t.machine[0];
    if (fit_training(u, t.machine, t.n)) driver_check_footprint(u, &t, NULL);
}

/* The reports that the command line asks for, of the processor that figures are for. */
static void add_reports(Str *s, const CommandLine *c, const Unit *u) {
    static const PassOptions options;
    const Outline *o = outline_of(u->net, u->arena);
    if (c->report[REPORT_SUMMARY]) report_summary(s, u->arena, o, c->depth);
    if (!driver_reports_need_passes(c)) return;
    const Machine *machine = driver_machine(c, u);
    Unit *copy = machine ? driver_unit_for(u, machine) : NULL;
    if (copy && driver_passes(copy, &options)) driver_reports(s, c, copy, o);
}

static int check_file(const CommandLine *c, const char *path) {
    Arena *a = arena_new();
    Diags *d = driver_diags(a, c);
    Unit *u = driver_unit(a, d, c, path, c->definition, c->n_definition);
    if (u) check_deployment(c, u);
    Str reports = STR(a);
    if (u && !d->n_error) add_reports(&reports, c, u);
    int code = d->n_error ? driver_exit_code(d) : EX_OK;
    diag_print(d);
    if (u && !d->n_error) {
        int64_t parameters, macs;
        graph_costs(u->net, a, &parameters, &macs);
        printf("%s: net %s, %s parameters, %s MACs per picture\n", path, u->name, number_thousands(a, parameters),
               number_scaled(a, macs));
        fputs(str_text(&reports), stdout);
    }
    arena_free(a);
    return code;
}

/* The first failure is the result, and the other files are checked all the same. */
int verb_check(const CommandLine *c) {
    int code = EX_OK;
    for (int32_t i = 0; i < c->n_word; i++) {
        int one = check_file(c, c->word[i].text);
        if (code == EX_OK) code = one;
    }
    return code;
}
