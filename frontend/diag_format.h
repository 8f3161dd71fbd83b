/* How messages are shown: -fdiagnostics-format=, --color= and -W. docs/cnnc.1 documents the JSON. */
#ifndef CNNC_FRONTEND_DIAG_FORMAT_H
#define CNNC_FRONTEND_DIAG_FORMAT_H

#include "../ir/diag.h"

/* One JSON object to stderr. Places are 1-based, columns and lengths in bytes. */
void diag_print_json(const Diags *d);
/* A SARIF 2.1.0 log (OASIS, 2020) to stderr; columns in code points. */
void diag_print_sarif(const Diags *d);

/* What follows -W: NAME, no-NAME, all, error, no-error, error=NAME, no-error=NAME; later ones win. Changes what
 * o->chosen says, which it makes in `a` the first time. False, after a message to stderr, if there is no such warning. */
bool diag_choose_warning(Arena *a, DiagOptions *o, const char *value);

#endif
