/* The net for pictures of other sizes than the input's: those that `sizes` of augment and `size` of eval name. */
#ifndef CNNC_FRONTEND_SIZES_H
#define CNNC_FRONTEND_SIZES_H

#include "bundle.h"

/* Builds the net once more for each such size, with the chosen section train, into u->sized; u->net, u->train and the
 * deployed outputs are complete. section: the evaluated sections, as sections_build gave them. Reports a net that
 * cannot follow: one whose parameters or whose kind of scores depend on the size. */
void sizes_build(Bundle *p, Unit *u, const Value *section, const Value *input);

#endif
