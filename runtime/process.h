/* What cnnc and the programs it makes do before anything else, so that what the system refuses comes back as an error
 * and not as a signal. Header only: the compiler and the runtime have no library in common. */
#ifndef CNNC_RUNTIME_PROCESS_H
#define CNNC_RUNTIME_PROCESS_H

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

/* A pipe that nobody reads and a file over the limit of size (ulimit -f) become errors of write. Standard files that
 * were closed are filled, or the next file that is opened would be standard output; writing to them goes on failing. */
static inline void process_prepare(void) {
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    int fd = 0;
    while (fd >= 0 && fd <= STDERR_FILENO) fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd > STDERR_FILENO) close(fd);
}

#endif
