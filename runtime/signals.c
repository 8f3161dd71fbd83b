#include "signals.h"

#include <string.h>

volatile sig_atomic_t signals_stop;

static void on_signal(int number) {
    (void)number;
    signals_stop = 1;
}

/* SA_RESETHAND: the second signal of a kind does what it does by default. */
void signals_catch(void) {
    static const int caught[] = {SIGTERM, SIGINT, SIGHUP};
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = (int)(SA_RESETHAND | SA_RESTART);
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof caught / sizeof caught[0]; i++) sigaction(caught[i], &action, NULL);
}
