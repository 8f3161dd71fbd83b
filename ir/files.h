/* How files are written: a new one stands under a passing name until it is whole, and nothing is left of it otherwise. */
#ifndef CNNC_IR_FILES_H
#define CNNC_IR_FILES_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

/* All n bytes; false with errno. */
bool files_write_all(int fd, const char *bytes, size_t n);

/* Is there something at `path`, perhaps at the end of a link, that is no plain file: a device, a pipe, a folder? It
 * must not be replaced by one. */
bool files_is_special(const char *path);
/* Writes into it where it stands, perhaps when a reader comes: 0, or EX_CANTCREAT or EX_IOERR with errno. */
int files_write_special(const char *path, const char *bytes, size_t n);

/* From here on SIGINT, SIGTERM and SIGHUP do not come to this thread, and wait if there is no other: while files stand
 * under passing names. *before is for files_release, after which those that waited arrive. */
void files_hold(sigset_t *before);
void files_release(const sigset_t *before);

#endif
