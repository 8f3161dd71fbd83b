#include "outfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The folder of path, in a new text. */
static char *folder_of(const char *path, RtError *err) {
    const char *slash = strrchr(path, '/');
    if (!slash) return rt_copy_text(".", err);
    char *folder = rt_copy_text(path, err);
    if (folder) folder[slash == path ? 1 : slash - path] = '\0';
    return folder;
}

/* True for "<base>.tmp.<pid>" where no process has that pid any more. */
static bool is_stale(const char *name, const char *base) {
    static const char middle[] = ".tmp.";
    size_t n = strlen(base);
    if (strncmp(name, base, n) != 0 || strncmp(name + n, middle, sizeof middle - 1) != 0) return false;
    const char *digits = name + n + sizeof middle - 1;
    char *end;
    long pid = strtol(digits, &end, 10);
    return end > digits && !*end && pid > 0 && pid <= INT32_MAX && kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

void outfile_remove_stale(const char *path) {
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    char *folder = folder_of(path, NULL);
    DIR *dir = folder ? opendir(folder) : NULL;
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (is_stale(entry->d_name, base)) unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir) closedir(dir);
    free(folder);
}

static bool make_names(OutFile *f, const char *path, RtError *err) {
    enum { SUFFIX = 32 };
    size_t room = strlen(path) + SUFFIX;
    f->path = rt_copy_text(path, err);
    f->temp = f->path ? rt_alloc(room, 1, err) : NULL;
    if (!f->temp) return false;
    snprintf(f->temp, room, "%s.tmp.%ld", path, (long)getpid());
    return true;
}

/* What the umask, which can only be read by setting it, leaves of a file that all may read. */
static mode_t usual_mode(void) {
    mode_t mask = umask(077);
    umask(mask);
    return 0666 & ~mask;
}

bool outfile_open(OutFile *f, const char *path, RtError *err) {
    *f = (OutFile){.fd = -1};
    struct stat st;
    bool replaces = stat(path, &st) == 0;
    if (replaces && !S_ISREG(st.st_mode)) {
        rt_fail(err, RT_NO_OUTPUT, "cannot write %s: it exists and is not a plain file", path);
        return false;
    }
    outfile_remove_stale(path);
    if (make_names(f, path, err)) {
        unlink(f->temp); /* of an earlier process with our pid */
        f->fd = open(f->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        f->mode = replaces ? st.st_mode & 0777 : usual_mode();
        if (f->fd < 0) rt_fail(err, RT_NO_OUTPUT, "cannot create %s: %s", f->temp, strerror(errno));
    }
    if (f->fd >= 0) return true;
    free(f->path);
    free(f->temp);
    *f = (OutFile){.fd = -1};
    return false;
}

static bool write_at(const OutFile *f, uint64_t offset, const char *data, size_t bytes, RtError *err) {
    while (bytes > 0) {
        ssize_t n = pwrite(f->fd, data, bytes, (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            rt_fail(err, RT_IO, "cannot write %s: %s", f->temp, n < 0 ? strerror(errno) : "the disk takes no more");
            return false;
        }
        data += n;
        bytes -= (size_t)n;
        offset += (uint64_t)n;
    }
    return true;
}

bool outfile_write(OutFile *f, const void *data, size_t bytes, RtError *err) {
    if (!write_at(f, f->written, data, bytes, err)) return false;
    f->written += bytes;
    return true;
}

bool outfile_patch(OutFile *f, uint64_t offset, const void *data, size_t bytes, RtError *err) {
    return write_at(f, offset, data, bytes, err);
}

/* A rename is only safe against a power cut when the folder has been synced too. */
static bool sync_folder(const char *path, RtError *err) {
    char *folder = folder_of(path, err);
    if (!folder) return false;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok) rt_fail(err, RT_IO, "cannot sync folder %s: %s", folder, strerror(errno));
    if (fd >= 0) close(fd);
    free(folder);
    return ok;
}

static void end(OutFile *f) {
    if (f->fd >= 0) close(f->fd);
    free(f->path);
    free(f->temp);
    *f = (OutFile){.fd = -1};
}

bool outfile_commit(OutFile *f, RtError *err) {
    int fd = f->fd;
    f->fd = -1;
    (void)!fchmod(fd, f->mode); /* some file systems have no modes */
    bool ok = fsync(fd) == 0;
    if (close(fd) != 0) ok = false;
    if (!ok || rename(f->temp, f->path) != 0) {
        rt_fail(err, RT_IO, "cannot write %s: %s", f->path, strerror(errno));
        unlink(f->temp);
        ok = false;
    }
    ok = ok && sync_folder(f->path, err);
    end(f);
    return ok;
}

void outfile_abort(OutFile *f) {
    if (!f->temp) return;
    unlink(f->temp);
    end(f);
}
