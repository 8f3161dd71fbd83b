/* The sections of a program besides `input`: which of several of a kind holds, what they say to the compiler, and the
 * JSON for the program. Sections with a name that the program can choose when it runs are all in it; of those that
 * decide how it is compiled the one that the command line names, or the one without a name. The others are checked all
 * the same. */
#ifndef CNNC_FRONTEND_SECTIONS_H
#define CNNC_FRONTEND_SECTIONS_H

#include "bundle.h"
#include "settings.h"

/* Evaluates all sections and fills u->train and what else of `u` they decide. `net` is the scope of the net, NULL if
 * there is none, `input` its input's value. The result has one value for each of p->sections: V_NONE for what is not in
 * the program. */
const Value *sections_build(Bundle *p, Unit *u, Scope *net, const Value *input);
/* {"input": {...}, "data": {"": {...}, "cats": {...}}, ...} as runtime/abi.h describes it. */
const char *sections_json(const Bundle *p, const Unit *u, const Value *section, const Value *input);

#endif
