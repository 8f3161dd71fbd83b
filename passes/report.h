/* Tables for people, ASCII: `--report`. */
#ifndef CNNC_PASSES_REPORT_H
#define CNNC_PASSES_REPORT_H

#include "../ir/outline.h"
#include "../ir/unit.h"

/* One line for each layer of a net: what it is, its result, what it costs; then what all cost. depth > 0: blocks
 * inside so many are one line each. */
void report_summary(Str *s, Arena *a, const Outline *o, int32_t depth);

/* The others are of compiled programs: all passes are done.
 *
 * One line for each step of each program: layer, operators, algorithm and register tiles, tasks, what the models
 * predict, multiply-adds. */
void report_schedule(Str *s, const Unit *u);
/* One line for each tensor that has a planned place, when it lives, how far the plan is from what any plan needs, and
 * what is live when the most is. */
void report_memory(Str *s, const Unit *u);
/* One line for each kernel: the layers and operators in it, and why pass fuse kept its first one apart from what that
 * reads. `o` is the outline of u's net before any pass. */
void report_fusion(Str *s, const Unit *u, const Outline *o);

#endif
