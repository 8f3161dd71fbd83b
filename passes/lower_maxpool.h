/* Maximum pooling by rows: passes/lower_maxpool.c. */
#ifndef CNNC_PASSES_LOWER_MAXPOOL_H
#define CNNC_PASSES_LOWER_MAXPOOL_H

#include "lower_conv.h"

/* Whether the window is small enough for all of it to be written out. */
bool maxpool_is_small(const PoolAttr *a);
/* The loops of such a node over these rows, which read rows beyond the picture, too; NULL: over all rows of all
 * pictures. */
Stmt *maxpool_nest(Lower *l, Ref node, const ConvRows *rows);
/* The kernel of such a node; its group is being lowered. */
void maxpool_rows(Lower *l, Ref node);

#endif
