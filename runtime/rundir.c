#include "rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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

/* PROGRAM.checkpoint.2.safetensors is the checkpoint before the last one. */
static char *kept_path(const Context *c, const char *where, int age, RtError *err) {
    char suffix[40];
    snprintf(suffix, sizeof suffix, ".checkpoint.%d" PARAMS_SUFFIX, age);
    return params_path(c, where, suffix, err);
}

static bool name_kept(RunDir *d, const Context *c, const char *where, int keep, RtError *err) {
    d->kept = rt_alloc((size_t)keep, sizeof *d->kept, err);
    for (d->keep = keep; d->kept && !err->code && keep > 1; keep--) d->kept[keep - 2] = kept_path(c, where, keep, err);
    return d->kept && !err->code;
}

static bool move(const char *from, const char *to, RtError *err) {
    return rename(from, to) == 0 || !rt_fail(err, RT_IO, "cannot rename %s to %s: %m", from, to);
}

static bool exists(const char *path) { return access(path, F_OK) == 0; }

/* Where a kill came between the rename of the last checkpoint and the writing of a new one, the newest of the others is
 * the last; only then those that a training which kept more has left may go. */
static bool tidy_kept(const RunDir *d, const Context *c, const char *where, RtError *err) {
    for (int age = 2; age <= CHECKPOINTS_MOST && !err->code; age++) {
        char *path = kept_path(c, where, age, err);
        if (path && exists(path) && !exists(d->checkpoint))
            move(path, d->checkpoint, err);
        else if (path && exists(path) && age > d->keep && unlink(path) != 0)
            rt_fail(err, RT_NO_OUTPUT, "cannot remove %s: %m", path);
        free(path);
    }
    return !err->code;
}

bool rundir_has_checkpoint(const RunDir *d) { return exists(d->checkpoint); }

/* Only up to the first gap, so that none is lost where the last one was never written. */
bool rundir_rotate(const RunDir *d, RtError *err) {
    int n = 0;
    if (d->keep == 1 || !exists(d->checkpoint)) return true;
    while (n < d->keep - 1 && exists(d->kept[n])) n++;
    if (n == d->keep - 1) n--;
    for (; n > 0; n--)
        if (!move(d->kept[n - 1], d->kept[n], err)) return false;
    return move(d->checkpoint, d->kept[0], err);
}

bool rundir_open(RunDir *d, const Context *c, const char *folder, int keep, RtError *err) {
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
    if (err->code || !name_kept(d, c, where, keep, err) || !outfile_open(&probe, d->weights, err)) return false;
    outfile_abort(&probe);
    if (!take_lock(d, err)) return false;
    outfile_remove_stale(d->best);
    outfile_remove_stale(d->checkpoint);
    return tidy_kept(d, c, where, err);
}

void rundir_close(RunDir *d) {
    if (d->lock && d->lock_fd >= 0) {
        unlink(d->lock);
        close(d->lock_fd);
    }
    free(d->weights);
    free(d->best);
    free(d->checkpoint);
    for (int i = 0; d->kept && i < d->keep - 1; i++) free(d->kept[i]);
    free(d->kept);
    free(d->lock);
    *d = (RunDir){0};
}
