#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

bool files_write_all(int fd, const char *bytes, size_t n) {
    while (n > 0) {
        ssize_t w = write(fd, bytes, n);
        if (w < 0 && errno == EINTR) continue;
        if (w < 0) return false;
        bytes += w;
        n -= (size_t)w;
    }
    return true;
}

bool files_is_special(const char *path) {
    struct stat at;
    return !stat(path, &at) && !S_ISREG(at.st_mode);
}

int files_write_special(const char *path, const char *bytes, size_t n) {
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return EX_CANTCREAT;
    int why = files_write_all(fd, bytes, n) ? 0 : errno;
    if (close(fd) && !why) why = errno;
    errno = why;
    return why ? EX_IOERR : 0;
}

void files_hold(sigset_t *before) {
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
    sigset_t held;
    sigemptyset(&held);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) sigaddset(&held, ends[i]);
    pthread_sigmask(SIG_BLOCK, &held, before);
}

void files_release(const sigset_t *before) { pthread_sigmask(SIG_SETMASK, before, NULL); }
