/* The clauses of require { } that a program checks itself: eval top1 and top5, bench latency and throughput. */
#ifndef CNNC_RUNTIME_REQUIRE_H
#define CNNC_RUNTIME_REQUIRE_H

#include <jansson.h>

#include "model.h"

typedef struct Measured {
    const char *figure;
    double value; /* a part of 1, seconds, pictures a second; NAN: not measured this time */
} Measured;

/* Compares what was measured with the clauses about it: prints a line for each clause, or with `into` (an object) adds
 * the member "require" instead. RT_UNKEPT, naming what was measured against what is required, if one does not hold. */
bool require_check(const Model *m, const Measured *measured, int n, json_t *into, RtError *err);

#endif
