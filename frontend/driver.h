/* What the driver and the verbs share: exit codes, output files, from a file to its unit, numbers for people. */
#ifndef CNNC_FRONTEND_DRIVER_H
#define CNNC_FRONTEND_DRIVER_H

#include "../ir/machine.h"
#include "../ir/outline.h"
#include "command.h"

struct FigureCache;
struct Targets;       /* backends/target.h */
struct PassOptions;   /* passes/pass.h */

/* For messages in `a`, shown as the command line says. */
Diags *driver_diags(Arena *a, const CommandLine *c);
/* The exit code that the messages ask for, the gravest first; EX_DATAERR for any other error. */
int driver_exit_code(const Diags *d);
/* Prints "cnnc: error: WHAT PATH: " and what errno says; returns `code`. */
int driver_complain(int code, const char *what, const char *path);
/* Writes the text to the file at `path`, by way of a temporary file beside it, so that a failure leaves what was
 * there; straight to what is no plain file; to standard output if path is NULL or "-". Returns the exit code, after a
 * message if it is not 0. */
int driver_write(Arena *a, const char *path, const Str *s);
/* The unit of a file with these definitions and what else the command line says. NULL if there were errors, which are
 * in `d` and not printed. */
Unit *driver_unit(Arena *a, Diags *d, const CommandLine *c, const char *path, const Definition *definition, int n);

/* The processors that -march names, else those of the file's deploy { march }, else `usual`; `u` may be NULL. False
 * after a message: about the command line to stderr, about the file to its messages. */
bool driver_targets(const CommandLine *c, const Unit *u, const char *usual, struct Targets *t);
/* The processor that figures are for: the first of those, with the default for programs. NULL likewise. */
const Machine *driver_machine(const CommandLine *c, const Unit *u);
/* footprint_check of the net as the front end left it, for each of the processors until one fails; cache: NULL, or one
 * for each of them. Does nothing where the file says nothing of memory. */
void driver_check_footprint(Unit *u, const struct Targets *t, struct FigureCache *const *cache);
/* The same net, at all its sizes, for a processor of its own: passes change the net. */
Unit *driver_unit_for(const Unit *u, const Machine *m);
/* All passes on it and on its sizes; false if one reported an error. */
bool driver_passes(Unit *u, const struct PassOptions *o);
/* Adds what the command line asks to know about a compiled unit and its sizes; `o`: of its net before any pass. */
void driver_reports(Str *s, const CommandLine *c, const Unit *u, const Outline *o);
/* Does the command line ask for a report that needs passes? */
bool driver_reports_need_passes(const CommandLine *c);

#endif
