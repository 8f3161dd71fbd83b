/* Reading .net files: limits, and text that cannot surprise (UTF-8 without control or bidirectional characters). */
#ifndef CNNC_FRONTEND_SOURCE_H
#define CNNC_FRONTEND_SOURCE_H

#include <sys/types.h>

#include "../ir/diag.h"

enum { MAX_SOURCE = 16 << 20, MAX_SOURCES = 1024, MAX_USE_DEPTH = 64 };
#define MAX_ALL_SOURCES ((int64_t)64 << 20)

typedef struct Source {
    uint32_t file;           /* in Diags */
    dev_t device;            /* with inode: which file it really is */
    ino_t inode;
} Source;

/* Where files are looked for: on the disk, or, if `text` is not NULL, among these and nowhere else. */
typedef struct SourceShelf {
    const SourceFile *text;
    int32_t n_text;
} SourceShelf;

/* Is there anything of that name? */
bool source_exists(const SourceShelf *shelf, const char *path);
/* Reads and registers a file; line ends become \n, a byte order mark is dropped. Reports at `at` (line 0: the command
 * line named it) and returns false if it cannot be read or is not clean text. A used file must start with `cnnc`, so
 * that nothing of another kind of file is ever shown. `total` counts bytes over all files. */
bool source_read(Arena *a, Diags *d, const char *path, Span at, bool used, int64_t *total, Source *out);
/* The same from a shelf. */
bool source_take(Arena *a, Diags *d, const SourceShelf *shelf, const char *path, Span at, bool used, int64_t *total,
                 Source *out);
/* The same of standard input, up to its end, as the file "<stdin>". */
bool source_read_input(Arena *a, Diags *d, Source *out);

#endif
