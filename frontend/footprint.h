/* What a prediction by the program will take, foreseen from its plan: the one figure of memory that require { memory },
 * deploy { max_memory }, pages and the verbs speak of, and that `info` of the program prints. */
#ifndef CNNC_FRONTEND_FOOTPRINT_H
#define CNNC_FRONTEND_FOOTPRINT_H

#include "../ir/unit.h"

struct Memory; /* passes/figures.h */

/* `info` takes as many threads as its machine has; contracts must not depend on where they are checked. */
enum { FOOTPRINT_THREADS = 2 };

/* Bytes of a process that predicts so many pictures at a time: its peak, its code and libraries included. */
int64_t footprint(const struct Memory *m, int64_t pictures);
/* Whether the file says anything that footprint_check compares. */
bool footprint_matters(const Unit *u);
/* Compares it with the clauses of require { memory }, of one picture (E0420), and, for the most pictures of a call, with
 * deploy { max_memory } (E0432, with the number that would fit). processor: whose code it is, or NULL if there is only
 * one. */
void footprint_check(const Unit *u, const struct Memory *m, const char *processor);

#endif
