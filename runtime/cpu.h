/* Whether this processor has what the program was compiled for. */
#ifndef CNNC_RUNTIME_CPU_H
#define CNNC_RUNTIME_CPU_H

#include "model.h"

/* False and RT_OS, naming what is missing, instead of an illegal instruction later. Features that are not known here
 * pass. */
bool cpu_check(const Model *m, RtError *err);

#endif
