/* The front end's whole interface: from a .net file to a Unit that passes can work on. */
#ifndef CNNC_FRONTEND_FRONTEND_H
#define CNNC_FRONTEND_FRONTEND_H

#include "../ir/unit.h"
#include "source.h"

typedef struct Definition {      /* -Dname=value */
    const char *name, *value;
} Definition;

typedef struct FrontendOptions { /* of the command line */
    const Definition *definition;
    int32_t n_definition;
    const char **include;        /* -I: folders where `use` looks after the one of the file that says so */
    int32_t n_include, cap_include;
    SourceShelf shelf;           /* where files are; zero: on the disk */
    const char *train, *deploy;  /* --train=, --deploy=: the section of that name; NULL: the one without a name */
} FrontendOptions;

/* Prints the file itself (not what it uses) as source in the house form. False if there were errors. */
bool frontend_print_ast(Arena *a, Diags *d, const char *path, Str *out);
/* Reads the file and all it uses and elaborates the net: fills name, net, image, train, settings_json and options_json
 * of `u`, whose arena and diags must be set. `options` may be NULL. False if there were errors; some may be of limits
 * (E09xx) or missing files (E0601). */
bool frontend_build(Unit *u, const char *path, const FrontendOptions *options);

typedef struct OptionSet {       /* option NAME = USUAL in SET */
    const char *name;
    const char **value;          /* as -DNAME=VALUE takes it: the members of the set; of an interval its ends and the usual value */
    const char **json;           /* the same as JSON */
    int32_t n;                   /* 0 where there is no set, or one of more than OPTION_SET_MOST members */
    int64_t members;             /* -1: an interval; 0: no set */
    const char *usual;           /* in force with these options */
} OptionSet;

enum { OPTION_SET_MOST = 64 };

/* The options of the file and all it uses, in order. False if there were errors. */
bool frontend_option_sets(Arena *a, Diags *d, const char *path, const FrontendOptions *options, OptionSet **out, int32_t *n);

#endif
