/* The command line of cnnc, as data: options.def is the only list of options, verbs.def the only list of verbs. */
#ifndef CNNC_FRONTEND_COMMAND_H
#define CNNC_FRONTEND_COMMAND_H

#include <stdio.h>

#include "frontend.h"

typedef enum Product { OUT_AST, OUT_GRAPH, OUT_LOOPS, OUT_LLVM_IR, OUT_ASM, OUT_OBJ, OUT_EXE, OUT_DOT, OUT_HTML, OUT_COUNT } Product;

typedef enum Report { REPORT_SUMMARY, REPORT_SCHEDULE, REPORT_FUSION, REPORT_MEMORY, REPORT_COUNT } Report;

typedef struct CommandLine CommandLine;

/* `cnnc VERB ...` instead of compiling: the first argument, where it is in verbs.def. */
typedef struct Verb {
    const char *name, *arguments;    /* "fmt", "FILE.net..." */
    const char *options;             /* the texts of the rows of options.def that it takes, each followed by a blank */
    int32_t least, most;             /* how many words it takes that are no options */
    int (*run)(const CommandLine *c);   /* returns the exit status */
    const char *help;
} Verb;

#define VERB(id, ...) int verb_##id(const CommandLine *c);
#include "verbs.def"
#undef VERB

typedef struct Word {                /* an argument that is no option */
    const char *text;
    int32_t n_definition;            /* -D before it */
} Word;

struct CommandLine {
    Arena *arena;
    const Verb *verb;                /* NULL: compile `input` */
    Word *word;
    int32_t n_word, cap_word;
    const char *input, *output;      /* input: the first word; output NULL: a name made from the input's */
    Product product;
    Definition *definition;
    int32_t n_definition, cap_definition;
    FrontendOptions frontend;        /* without definitions */
    Options options;
    const char *march;               /* NULL: as the product asks for */
    int32_t tune_seconds;            /* 0: the models decide */
    const char *linker, *stop_after, *explain;
    const char **dump_after;
    int32_t n_dump_after, cap_dump_after;
    bool report[REPORT_COUNT];
    int32_t depth;                   /* of the summary; 0: every layer */
    bool check_roundtrip, time_report, list_passes, version, help;
    DiagOptions diag;                /* of every message about a file */
    bool told;                       /* the message about an option was printed */
    bool check, in_place;            /* of fmt */
    const char *kind;                /* of new; NULL: the usual one */
    bool json;                       /* of sweep */
    int32_t jobs;                    /* of sweep; 0: as many as processors */
    Definition *values;              /* of sweep: NAME=V,V,... */
    int32_t n_values, cap_values;
};

/* Reads the command line. NULL, after a message to stderr, if it is wrong (exit EX_USAGE). */
CommandLine *command_read(Arena *a, int argc, char **argv);
/* Of the compiler, or of the verb of the command line. */
void command_print_help(FILE *to, const CommandLine *c);

#endif
