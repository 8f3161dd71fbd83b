/* The codes of messages: ONE ROW PER CODE in codes_text.def, codes_names.def, codes_net.def and codes_files.def, from
 * which
 * --explain prints and whose examples tests/explain.sh compiles. Rows:
 *
 *     CODE(E0107, title, text, form, wrong, right)             an error
 *     WARN(W0131, name, title, text, form, wrong, right)       a warning; -Wno-<name> switches it off
 *     PAGE(E0300, title, text)                                 one that no small file can cause; the text says why
 *
 * `wrong` is a file that gives this code and no other, `right` the nearest file that gives no message. The form says
 * what the two texts are: WHOLE files; TOP level items, which a small net stands before; the BODY of a net. A file that
 * starts with "# cnnc ARGUMENTS example.net" is about these arguments. */
#ifndef CNNC_FRONTEND_CODES_H
#define CNNC_FRONTEND_CODES_H

#include "../ir/base.h"

typedef enum ExampleForm { NO_EXAMPLE, WHOLE, TOP, BODY } ExampleForm;

typedef struct CodeRow {
    const char *code;            /* "E0107" */
    const char *name;            /* "unused-option"; NULL for errors */
    const char *title, *text;
    ExampleForm form;
    const char *wrong, *right;   /* NULL if there are no examples */
} CodeRow;

extern const CodeRow code_table[];
extern const int n_codes;
/* NULL if there is no such code. */
const CodeRow *code_find(const char *code);

/* What --explain prints for `topic`: the page of a code, all codes for "list", and for "E0107:wrong" or "E0107:right"
 * that example as a complete file. Returns EX_OK, or EX_USAGE after a message to stderr. */
int explain(Arena *a, const char *topic, Str *out);

#endif
