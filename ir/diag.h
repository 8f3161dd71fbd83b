/* Messages. Two families that never mix: diag_* is for the author of a .net file (located, collected, exit EX_DATAERR);
 * ice() is for our own mistakes (prints the pass and what to report, exit EX_SOFTWARE).
 *
 * Exit codes of cnnc and of the programs it makes are those of <sysexits.h>, documented in README.md:
 *   0 done; 64 EX_USAGE; 65 EX_DATAERR (bad .net, picture, weights); 66 EX_NOINPUT; 70 EX_SOFTWARE (our bug);
 *   71 EX_OSERR (no memory, no linker); 73 EX_CANTCREAT; 74 EX_IOERR; 75 EX_TEMPFAIL (stopped by a signal);
 *   76 EX_PROTOCOL (non-finite training); 77 EX_NOPERM; 78 EX_CONFIG (limit exceeded). */
#ifndef CNNC_IR_DIAG_H
#define CNNC_IR_DIAG_H

#include "base.h"

/* A place in the source: file is an index into Diags.file; line and col count from 1, col in bytes. line 0 means "no
 * place"; len 0 means that the source is not to be shown, because it may not be text. */
typedef struct Span {
    uint32_t file, line, col, len;
} Span;

/* Errors and warnings start a group; the others belong to the one before them: a label marks a further place in the
 * excerpt of the error, warning or note before it, and an edit says what the help before it proposes. */
typedef enum Severity { SEV_ERROR, SEV_WARNING, SEV_NOTE, SEV_HELP, SEV_LABEL, SEV_EDIT } Severity;

typedef struct Message {
    Severity severity;
    Span span;          /* of an edit: what it replaces; len 0: it inserts before col */
    Name code;          /* "E0107"; NULL but for errors and warnings */
    const char *text;   /* of an edit: the replacement; of a help "": its edits are only for machines */
    int32_t group;      /* index of the error or warning that it belongs to, its own for these */
} Message;

typedef struct SourceFile {
    const char *path;
    const char *text;   /* terminated; kept for carets and for the program's `info --source` */
    size_t bytes;
} SourceFile;

typedef enum WarningAction { WARN_SHOW, WARN_HIDE, WARN_ERROR } WarningAction;

typedef struct Diags Diags;

typedef struct DiagOptions {    /* zero: every warning shown, as text without colour */
    WarningAction (*warning)(const struct DiagOptions *o, const char *code);   /* NULL: WARN_SHOW */
    const void *chosen;         /* for `warning` */
    void (*print)(const Diags *d);   /* instead of text */
    bool colour;
} DiagOptions;

struct Diags {
    Arena *arena;
    const DiagOptions *options;
    SourceFile *file;
    int32_t n_file, cap_file;
    Message *message;
    int32_t n_message, cap_message;
    int32_t n_error, n_warning;
    int32_t n_repeat;   /* errors that were not kept because there is one of that code at that place */
    int32_t current;    /* the group that notes go to; -1: the last error or warning is not shown, nor are its notes */
};

enum { MAX_ERRORS = 20 };

Diags *diag_new(Arena *a);
/* Registers a source; returns its index for Span.file. `text` must outlive the Diags. */
uint32_t diag_add_file(Diags *d, const char *path, const char *text, size_t bytes);

void diag_error(Diags *d, Span at, const char *code, const char *format, ...) __attribute__((format(printf, 4, 5)));
void diag_warning(Diags *d, Span at, const char *code, const char *format, ...) __attribute__((format(printf, 4, 5)));
/* These belong to the last error or warning, or to the group of diag_resume. */
void diag_note(Diags *d, Span at, const char *format, ...) __attribute__((format(printf, 3, 4)));
void diag_help(Diags *d, Span at, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* A further place in the excerpt of the error or note just reported, with a text beside its mark. The place may be that
 * of the message itself. */
void diag_label(Diags *d, Span at, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* What the help just reported proposes: the span becomes `replacement`. Several make one proposal. */
void diag_edit(Diags *d, Span at, const char *replacement);
/* diag_help and diag_edit in one. The text shows the line as it would be; an empty format is for machines alone. */
void diag_fix(Diags *d, Span at, const char *replacement, const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Gives message i, an index into Diags.message, another text. */
void diag_reword(Diags *d, int32_t i, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Notes that follow belong to `group`, the index of an error or warning. */
void diag_resume(Diags *d, int32_t group);

/* All messages to stderr in source order, as the options say; as text: file:line:col: error: text [code], then source
 * lines with carets, notes and proposals. At most MAX_ERRORS errors are shown, then a count of the rest. Control bytes
 * are escaped. */
void diag_print(const Diags *d);

/* The messages in the order in which they are shown: each error or warning followed by what belongs to it. Returns the
 * indices, n_message of them, from the Diags' arena. Those of errors beyond MAX_ERRORS are left out: *n says how many
 * there are, *more how many errors were left out. */
const int32_t *diag_order(const Diags *d, int32_t *n, int32_t *more);
/* The start of the line in its file, or NULL, and its length without the line end. */
const char *diag_line(const Diags *d, Span at, size_t *n);

/* The candidate nearest to `word` by edit distance, letters of either case being equal, if it is near enough to be a
 * typing mistake, else NULL. */
const char *did_you_mean(const char *word, const char *const *candidate, int n);

/* What the compiler was doing, shown by ice(): set by the driver before each pass. */
void ice_context(const char *stage, const char *detail);
_Noreturn void ice(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define ICE_UNLESS(condition, ...)        \
    do {                                  \
        if (!(condition)) ice(__VA_ARGS__); \
    } while (0)

#endif
