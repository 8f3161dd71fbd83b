/* Statements, blocks and the net. */
#ifndef CNNC_FRONTEND_ELAB_H
#define CNNC_FRONTEND_ELAB_H

#include "eval.h"

/* Runs the net's body with its one parameter bound to the picture; the graph's outputs are set. Returns the net's
 * scope, in which the loss finds its variables. */
Scope *elab_net(Elab *e, const Item *net, Ref image);

#endif
