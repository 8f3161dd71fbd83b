/* A .net file with everything it uses, in order: constants, options and blocks are known to the Elab; the net, the
 * inputs and the sections wait here. */
#ifndef CNNC_FRONTEND_BUNDLE_H
#define CNNC_FRONTEND_BUNDLE_H

#include "elab.h"
#include "frontend.h"
#include "source.h"

typedef struct ItemList {
    const Item **item;
    int32_t n, cap;
} ItemList;

typedef struct Loaded {          /* a file, and how we came to it */
    Source source;
    const struct Loaded *by;     /* NULL: the command line */
    Span use;                    /* the statement that named it */
    bool open;                   /* its items are being read: using it now is a cycle */
} Loaded;

typedef struct Bundle {
    Elab *elab;
    const FrontendOptions *options;
    bool *defined;               /* for each definition: its option exists */
    Loaded *loaded[MAX_SOURCES];
    int n_loaded;
    int64_t bytes;
    const Item *net;
    ItemList inputs, sections;   /* of equal kind and name only the last */
    ItemList option;             /* all `option` items, in order */
    Ref *wanted;                 /* what the losses of all train sections are about */
    int32_t n_wanted, cap_wanted;
} Bundle;

/* Reads the file and what it uses. Errors are in the Diags. */
void bundle_load(Bundle *p, const char *path);
/* Does the set of an option stand for all numbers from its first to its second member? */
bool option_set_is_interval(const Value *set);
/* {"name": value, ...} of all options. */
const char *bundle_options_json(const Bundle *p);
/* Reports what is assigned or offered and never used: variables of blocks and the net, options; in the file itself also
 * constants, blocks and inputs; layers of the net whose result nothing reads, and those that change nothing. Nothing if there are errors already. */
void bundle_check_unused(Bundle *p);

#endif
