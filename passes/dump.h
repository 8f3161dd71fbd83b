/* Texts of a unit, and the check that they read back. */
#ifndef CNNC_PASSES_DUMP_H
#define CNNC_PASSES_DUMP_H

#include "pass.h"

/* The level whose text says what the last pass did: that of the pass, or LEVEL_GRAPH if a net pass made graphs. */
Level dump_level(const Unit *u, Level of_pass);
/* Print, read, print gives the same text for each graph or kernel of that level; an ICE naming the pass otherwise. */
void dump_check_roundtrip(const Unit *u, Level level, const char *pass);

#endif
