/* Targets: which processors cnnc can make code for, as plain numbers for the passes (ir/machine.h). */
#ifndef CNNC_BACKENDS_TARGET_H
#define CNNC_BACKENDS_TARGET_H

#include "../ir/base.h"
#include "../ir/machine.h"

/* march: "native" (this machine, caches read from the system), "x86-64-v2", "x86-64-v3", "x86-64-v4" or any CPU name
 * LLVM knows. NULL if LLVM does not know it; *error then says what names there are. */
const Machine *target_machine(Arena *a, const char *march, const char **error);

#endif
