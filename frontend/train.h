/* Section train, as far as the compiler needs it: the loss's terms, and what groups and freeze say of each parameter.
 */
#ifndef CNNC_FRONTEND_TRAIN_H
#define CNNC_FRONTEND_TRAIN_H

#include "elab.h"
#include "settings.h"
#include "../ir/unit.h"

/* Fills u->train and the parameters' attributes from the evaluated section `r` and its text; `net` is the net's scope.
 */
void train_build(Elab *e, Unit *u, Scope *net, const Item *section, const Record *r);
/* Has the output whose channels are the classes ("scores", else the first) a number for each pixel? */
bool train_scores_pixels(const Graph *g);
/* How many classes that output has; 0: there is none. */
int32_t train_classes(const Graph *g);
/* Marks the layers whose parameters are all frozen. */
void train_mark_frozen(Graph *g);

#endif
