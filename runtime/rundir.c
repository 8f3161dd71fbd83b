#include "rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "outfile.h"
#include "params.h"

/* The lock file is removed by its owner, so a lock only counts if the file that was locked is still the one of that
 * name. */
static bool try_lock(RunDir *d) {
    struct stat locked, named;
    d->lock_fd = open(d->lock, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (d->lock_fd < 0) return false;
    if (flock(d->lock_fd, LOCK_EX | LOCK_NB) == 0 && fstat(d->lock_fd, &locked) == 0 && stat(d->lock, &named) == 0 &&
        locked.st_ino == named.st_ino && locked.st_dev == named.st_dev)
        return true;
    int cause = errno;
    close(d->lock_fd);
    d->lock_fd = -1;
    errno = cause;
    return false;
}

static bool take_lock(RunDir *d, RtError *err) {
    errno = 0;
    if (try_lock(d) || try_lock(d)) return true;
    if (errno == EWOULDBLOCK)
        rt_fail(err, RT_NO_OUTPUT, "another training is writing there: %s is locked", d->lock);
    else
        rt_fail(err, RT_NO_OUTPUT, "cannot create %s: %s", d->lock, strerror(errno));
    return false;
}

bool rundir_open(RunDir *d, const Context *c, const char *folder, RtError *err) {
    const char *where = folder ? folder : ".";
    OutFile probe;
    *d = (RunDir){.lock_fd = -1};
    if (mkdir(where, 0777) != 0 && errno != EEXIST) {
        rt_fail(err, RT_NO_OUTPUT, "cannot create folder %s: %s", where, strerror(errno));
        return false;
    }
    d->weights = params_path(c, where, PARAMS_SUFFIX, err);
    d->best = params_path(c, where, ".best" PARAMS_SUFFIX, err);
    d->checkpoint = params_path(c, where, ".checkpoint" PARAMS_SUFFIX, err);
    d->lock = params_path(c, where, ".lock", err);
    if (err->code || !outfile_open(&probe, d->weights, err)) return false;
    outfile_abort(&probe);
    if (!take_lock(d, err)) return false;
    outfile_remove_stale(d->best);
    outfile_remove_stale(d->checkpoint);
    return true;
}

void rundir_close(RunDir *d) {
    if (d->lock && d->lock_fd >= 0) {
        unlink(d->lock);
        close(d->lock_fd);
    }
    free(d->weights);
    free(d->best);
    free(d->checkpoint);
    free(d->lock);
    *d = (RunDir){0};
}
