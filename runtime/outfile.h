/* Writing a file so that its name always holds a whole one: the old or the new, after any failure, kill or power cut.
 *
 * The bytes go to "<path>.tmp.<pid>" in the same folder (O_EXCL, mode 0600); outfile_commit gives it the mode of the file
 * in whose place it comes, or of any new file (umask), syncs it, renames it and syncs the folder. A failed sync is never
 * tried again: the kernel may have dropped the pages. */
#ifndef CNNC_RUNTIME_OUTFILE_H
#define CNNC_RUNTIME_OUTFILE_H

#include <sys/types.h>

#include "rt.h"

typedef struct OutFile {
    int fd;
    char *path, *temp;
    uint64_t written;
    mode_t mode; /* of the file in its place */
} OutFile;

/* Calls outfile_remove_stale. RT_NO_OUTPUT if the file cannot be created. */
bool outfile_open(OutFile *f, const char *path, RtError *err);
bool outfile_write(OutFile *f, const void *data, size_t bytes, RtError *err);
/* Overwrites bytes already written. */
bool outfile_patch(OutFile *f, uint64_t offset, const void *data, size_t bytes, RtError *err);
/* Puts the file in place. On failure nothing is left behind and `path` is as it was. Ends f either way. */
bool outfile_commit(OutFile *f, RtError *err);
/* Removes the temporary file and ends f. Does nothing to an ended or zeroed f. */
void outfile_abort(OutFile *f);
/* Removes what killed processes left of attempts at this path. */
void outfile_remove_stale(const char *path);

#endif
