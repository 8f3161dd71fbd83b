/* cnnc check FILE.net...: every mistake of each file, and what its net costs. Passes run only where
 * require { memory } asks for them: all else that the author of a net can do wrong is found by the front end. */
#include <sysexits.h>

#include "../passes/figures.h"
#include "contract.h"
#include "driver.h"

static void check_memory(const CommandLine *c, Unit *u) {
    Figures f;
    u->machine = driver_machine(c);
    if (!u->machine) return;
    figures_of(u, NULL, &f);
    contract_check(u, FIGURE_MEMORY, f.memory);
}

static int check_file(const CommandLine *c, const char *path) {
    Arena *a = arena_new();
    Diags *d = driver_diags(a, c);
    Unit *u = driver_unit(a, d, c, path, c->definition, c->n_definition);
    if (u && contract_mentions(u, FIGURE_MEMORY)) check_memory(c, u);
    int code = d->n_error ? driver_exit_code(d) : EX_OK;
    diag_print(d);
    if (u && !d->n_error) {
        int64_t parameters, macs;
        graph_costs(u->net, a, &parameters, &macs);
        printf("%s: net %s, %s parameters, %s MACs per picture\n", path, u->name, driver_thousands(a, parameters),
               driver_scaled(a, macs));
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
