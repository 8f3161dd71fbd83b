/* Which of the program's instruction sets runs on this processor. */
#ifndef CNNC_RUNTIME_CPU_H
#define CNNC_RUNTIME_CPU_H

#include "abi.h"
#include "rt.h"

/* What `features` (LLVM's names: "+avx2,+fma,-avx512f") asks for and this processor or its system lacks: the name and
 * its length, or NULL. Features that are not known here are not asked for. */
const char *cpu_lacks(const char *features, size_t *length);

/* The first of n variants that this processor can run, or the one that `isa` names if that is neither NULL nor empty:
 * "v3" or "x86-64-v3". NULL if there is none: RT_USAGE where the program has no code of that name, RT_OS, naming what
 * is missing, where the processor cannot run it, instead of an illegal instruction later. */
const CnncVariant *cpu_choose(const CnncVariant *variant, int n, const char *isa, RtError *err);

#endif
