/* The canonical form of a .net file, for `cnnc fmt`.
 *
 * What the author wrote stays, word for word: every word, every comment, and every line break that the language allows
 * between words (before ->, inside brackets). All else follows from rules, so that nobody has to argue:
 *   - four blanks of indentation; one statement a line; a body of one statement stays on the line of its braces if it
 *   was
 *     written there and fits;
 *   - a line that begins with -> stands under the first -> of its statement's line, or four blanks in;
 *   - inside brackets lines stand behind the bracket, or four blanks in if nothing follows it on its line; the closing
 *     bracket then has a line of its own; no comma before it;
 *   - lines end by column FMT_WIDTH if there is a comma or -> to break at, of the outermost brackets first;
 *   - `=` stands in one column in a section, and in consecutive lines of option, const or output;
 *   - rows of numbers over several lines have columns;
 *   - comments at line ends stand in column FMT_COMMENT, or in one further right if a line of theirs is longer;
 *   - at most one empty line, none inside a brace, one around each item with braces and behind `cnnc 1`. */
#ifndef CNNC_FRONTEND_FMT_H
#define CNNC_FRONTEND_FMT_H

#include "../ir/diag.h"

enum { FMT_WIDTH = 120, FMT_COMMENT = 44 };

/* Appends the canonical form of the registered file. False, and nothing appended, if it has mistakes. The form of the
 * form is itself. */
bool fmt_file(Arena *a, Diags *d, uint32_t file, Str *out);

#endif
