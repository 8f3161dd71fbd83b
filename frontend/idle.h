/* What is written and changes nothing. */
#ifndef CNNC_FRONTEND_IDLE_H
#define CNNC_FRONTEND_IDLE_H

#include "elab.h"

/* Warns of layers of the net, which has been built without an error, that change nothing: W0145, W0147, W0164. */
void idle_check_layers(Elab *e);
/* The same of the steps of a section augment: W0146. steps: what the lines of the list came to, one for each. */
void idle_check_steps(Elab *e, const SettingList *list, const Value *steps);

#endif
