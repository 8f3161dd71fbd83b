/* Signals that end the compiler wait while files stand under passing names, so that none is left behind. Header only. */
#ifndef CNNC_IR_HOLD_H
#define CNNC_IR_HOLD_H

#include <signal.h>

/* From here on SIGINT, SIGTERM and SIGHUP do not come to this thread, and wait if there is no other; *before is for hold_end. */
static inline void hold_begin(sigset_t *before) {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &ends, before);
}

/* Those that came in between arrive now. */
static inline void hold_end(const sigset_t *before) { pthread_sigmask(SIG_SETMASK, before, NULL); }

#endif
