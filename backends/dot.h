/* The graph of a net as text for Graphviz. */
#ifndef CNNC_BACKENDS_DOT_H
#define CNNC_BACKENDS_DOT_H

#include "../ir/outline.h"

/* A box for each layer with its name, what it is and its result; uses of blocks are clusters, outputs are ellipses.
 * For equal nets the text is equal. */
void dot_print(Str *s, const Outline *o);

#endif
