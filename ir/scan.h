/* Reading back the texts that our own printers write, piece by piece and strictly: no space where none is printed.
 *
 * Every function takes the place in the text, returns true and moves it past the piece if it is next. On false the
 * place may have moved, except for scan_text and scan_one_of, which are for alternatives. */
#ifndef CNNC_IR_SCAN_H
#define CNNC_IR_SCAN_H

#include "base.h"

bool scan_text(const char **p, const char *expected);
/* A run of letters, digits and '_', and nothing longer, that equals one of the n names; *which is its index. NULL names
 * are skipped. */
bool scan_one_of(const char **p, const char *const *name, int n, int *which);
/* A decimal number as %d prints it: no plus, no leading zeros. */
bool scan_i32(const char **p, int32_t *out);
/* A finite decimal number. */
bool scan_double(const char **p, double *out);
/* What str_add_json writes; `a` holds it meanwhile. */
bool scan_json(Arena *a, const char **p, Name *out);

#endif
