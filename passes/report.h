/* Tables about compiled programs, for people: `--report`. All passes are done. */
#ifndef CNNC_PASSES_REPORT_H
#define CNNC_PASSES_REPORT_H

#include "../ir/unit.h"

/* One line for each step of each program: layer, operators, algorithm and register tiles, tasks, what the models predict,
 * multiply-adds. */
void report_schedule(Str *s, const Unit *u);
/* One line for each tensor that has a planned place, and how far the plan is from what any plan needs. */
void report_memory(Str *s, const Unit *u);

#endif
