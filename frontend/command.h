/* The command line of cnnc, as data: options.def is the only list of options. */
#ifndef CNNC_FRONTEND_COMMAND_H
#define CNNC_FRONTEND_COMMAND_H

#include <stdio.h>

#include "frontend.h"

typedef enum Product { OUT_AST, OUT_GRAPH, OUT_LOOPS, OUT_LLVM_IR, OUT_ASM, OUT_OBJ, OUT_EXE, OUT_COUNT } Product;

typedef enum Report { REPORT_SCHEDULE, REPORT_MEMORY, REPORT_COUNT } Report;

typedef struct CommandLine {
    Arena *arena;
    const char *input, *output;      /* output NULL: a name made from the input's */
    Product product;
    Definition *definition;
    int32_t n_definition, cap_definition;
    Options options;
    const char *march;               /* NULL: as the product asks for */
    int32_t tune_seconds;            /* 0: the models decide */
    const char *linker, *stop_after, *explain;
    const char **dump_after;
    int32_t n_dump_after, cap_dump_after;
    bool report[REPORT_COUNT];
    bool check_roundtrip, time_report, list_passes, version, help;
} CommandLine;

/* Reads the command line. NULL, after a message to stderr, if it is wrong (exit EX_USAGE). */
CommandLine *command_read(Arena *a, int argc, char **argv);
void command_print_help(FILE *to);

#endif
