/* SIGTERM, SIGINT and SIGHUP ask a training to finish its step, save and exit; a second one ends the program at once.
 */
#ifndef CNNC_RUNTIME_SIGNALS_H
#define CNNC_RUNTIME_SIGNALS_H

#include <signal.h>

/* Becomes 1 when a signal came. */
extern volatile sig_atomic_t signals_stop;
void signals_catch(void);

#endif
