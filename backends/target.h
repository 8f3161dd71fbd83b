/* Targets: which processors cnnc can make code for, as plain numbers for the passes (ir/machine.h). */
#ifndef CNNC_BACKENDS_TARGET_H
#define CNNC_BACKENDS_TARGET_H

#include "../ir/base.h"
#include "../ir/machine.h"

enum { TARGETS_MAX = 8 };

/* The processors that one program has code for, the most able first: the order in which a program tries them. */
typedef struct Targets {
    const Machine *machine[TARGETS_MAX];
    int n;
} Targets;

/* What a program is compiled for unless the command line says otherwise: a list for target_list. */
extern const char *const target_default;

/* march: "native" (this machine, caches read from the system), "x86-64-v2", "x86-64-v3", "x86-64-v4" or any CPU name
 * LLVM knows. NULL if LLVM does not know it; *error then says what names there are. */
const Machine *target_machine(Arena *a, const char *march, const char **error);

/* Several of them with commas between. False, and *error says why, if one is unknown or named twice, or if there are
 * too many. */
bool target_list(Arena *a, const char *march, Targets *out, const char **error);

#endif
