/* The front end's whole interface: from a .net file to a Unit that passes can work on. */
#ifndef CNNC_FRONTEND_FRONTEND_H
#define CNNC_FRONTEND_FRONTEND_H

#include "../ir/unit.h"

typedef struct Definition {      /* -Dname=value */
    const char *name, *value;
} Definition;

/* Prints the file itself (not what it uses) as source in the house form. False if there were errors. */
bool frontend_print_ast(Arena *a, Diags *d, const char *path, Str *out);
/* Reads the file and all it uses and elaborates the net: fills name, net, image, train, settings_json and options_json
 * of `u`, whose arena and diags must be set. False if there were errors; some may be of limits (E09xx) or missing
 * files (E0601). */
bool frontend_build(Unit *u, const char *path, const Definition *definition, int n_definition);

#endif
