/* The command line of a produced program: PROGRAM COMMAND [OPTIONS] [FILES].
 *
 * One table row an option drives parsing, --help and messages; one table row a command drives everything else. GNU
 * style:
 * --name=value, --name value, -n value, -nvalue, "--" ends the options. */
#ifndef CNNC_RUNTIME_CLI_H
#define CNNC_RUNTIME_CLI_H

#include "model.h"
#include "pool.h"

/* What every command gets. */
typedef struct Context {
    const Model *model;
    CnncKernel *const *kernel;
    const CnncVariant *variant; /* all instruction sets of the program */
    int n_variant;
    const char *program; /* name of the program's file, without folder; names its weight files */
    const char *folder;  /* where that file is, or NULL if that is not known */
} Context;

/* Values of options; 0 or NULL where an option was not given, -1 for seed, lr and seconds. */
typedef struct Options {
    const char *data, *augment, *eval, *weights, *out, *output, *batches, *replay, *scores, *test, *golden, *labels;
    int64_t epochs, batch, threads, seed, steps, k;
    double lr, seconds;
    bool resume, json, layers, train, source, init, update, help;
    const char *const *operand;
    int n_operand;
} Options;

/* Whether the command that the arguments name may need what is only there to train: Context.model has to have it. */
bool cli_trains(int argc, char **argv);

/* Runs the program: parses the arguments and calls the command. Returns the exit code; err holds the message if it is
 * not RT_OK. Help and version go to stdout. */
int cli_main(const Context *c, int argc, char **argv, RtError *err);

/* The commands, each in the file of its name. They print their results to stdout and return an exit code as cli_main.
 */
typedef int Command(const Context *c, const Options *o, RtError *err);
Command train_command, eval_command, predict_command, bench_command, info_command, export_command, test_command;

#endif
