/* The folder that a training writes to: made if missing, checked to be writable, and locked against a second training
 * of the same program, before the first step. */
#ifndef CNNC_RUNTIME_RUNDIR_H
#define CNNC_RUNTIME_RUNDIR_H

#include "cli.h"

typedef struct RunDir {
    char *weights, *best, *checkpoint; /* paths of the files: last weights, best weights, checkpoint */
    char *lock;
    int lock_fd;
} RunDir;

/* folder NULL: the current one. RT_NO_OUTPUT if it cannot be written or is in use. */
bool rundir_open(RunDir *d, const Context *c, const char *folder, RtError *err);
/* Also takes a zeroed one. */
void rundir_close(RunDir *d);

#endif
