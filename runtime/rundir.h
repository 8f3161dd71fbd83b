/* The folder that a training writes to: made if missing, checked to be writable, and locked against a second training
 * of the same program, before the first step. */
#ifndef CNNC_RUNTIME_RUNDIR_H
#define CNNC_RUNTIME_RUNDIR_H

#include "cli.h"

typedef struct RunDir {
    char *weights, *best, *checkpoint; /* paths of the files: last weights, best weights, checkpoint */
    char **kept; /* [keep - 1]: the checkpoint before, the one before that, ... */
    int keep;
    char *lock;
    int lock_fd;
} RunDir;

enum { CHECKPOINTS_MOST = 100 };

/* folder NULL: the current one. keep: checkpoints, 1 .. CHECKPOINTS_MOST; older ones of earlier trainings are removed,
 * but where a kill has left only such the newest becomes the last. RT_NO_OUTPUT if the folder cannot be written or is
 * in use. */
bool rundir_open(RunDir *d, const Context *c, const char *folder, int keep, RtError *err);
bool rundir_has_checkpoint(const RunDir *d);
/* Before a new checkpoint is written: makes the last one an older one, and the oldest goes. RT_IO if a file cannot be
 * renamed. */
bool rundir_rotate(const RunDir *d, RtError *err);
/* Also takes a zeroed one. */
void rundir_close(RunDir *d);

#endif
