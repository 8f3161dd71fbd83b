/* cnnc check FILE.net...: every mistake of each file, and what its net costs. No pass runs: all that the author of a net can do
 * wrong is found by the front end. */
#include <sysexits.h>

#include "driver.h"

static int check_file(const CommandLine *c, const char *path) {
    Arena *a = arena_new();
    Diags *d = driver_diags(a, c);
    const Unit *u = driver_unit(a, d, c, path, c->definition, c->n_definition);
    int code = u ? EX_OK : driver_exit_code(d);
    diag_print(d);
    if (u) {
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
