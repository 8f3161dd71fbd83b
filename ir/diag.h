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

typedef enum Severity { SEV_ERROR, SEV_WARNING, SEV_NOTE, SEV_HELP } Severity;

typedef struct Message {
    Severity severity;
    Span span;
    Name code;          /* "E0107"; NULL for notes and help, which belong to the message before them */
    const char *text;
} Message;

typedef struct SourceFile {
    const char *path;
    const char *text;   /* terminated; kept for carets and for the program's `info --source` */
    size_t bytes;
} SourceFile;

typedef struct Diags {
    Arena *arena;
    SourceFile *file;
    int32_t n_file, cap_file;
    Message *message;
    int32_t n_message, cap_message;
    int32_t n_error, n_warning;
    bool muted;         /* the last error or warning repeated an earlier one: it and its notes are left out */
} Diags;

enum { MAX_ERRORS = 20 };

Diags *diag_new(Arena *a);
/* Registers a source; returns its index for Span.file. `text` must outlive the Diags. */
uint32_t diag_add_file(Diags *d, const char *path, const char *text, size_t bytes);

void diag_error(Diags *d, Span at, const char *code, const char *format, ...) __attribute__((format(printf, 4, 5)));
void diag_warning(Diags *d, Span at, const char *code, const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Belong to the last error or warning. A help line proposes an edit. */
void diag_note(Diags *d, Span at, const char *format, ...) __attribute__((format(printf, 3, 4)));
void diag_help(Diags *d, Span at, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* All messages to stderr in source order, with source line and caret: file:line:col: error: text [code]. At most
 * MAX_ERRORS errors are shown, then a count of the rest. Control bytes are escaped. */
void diag_print(const Diags *d);

/* The candidate nearest to `word` by edit distance if it is near enough to be a typing mistake, else NULL. */
const char *did_you_mean(const char *word, const char *const *candidate, int n);

/* What the compiler was doing, shown by ice(): set by the driver before each pass. */
void ice_context(const char *stage, const char *detail);
_Noreturn void ice(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define ICE_UNLESS(condition, ...)        \
    do {                                  \
        if (!(condition)) ice(__VA_ARGS__); \
    } while (0)

#endif
