/* The tuner: measures on this machine which algorithm is the fastest for each convolution of a net. Besides the driver
 * the only part that sees passes and back ends: what it times is what they make. */
#ifndef CNNC_FRONTEND_TUNE_H
#define CNNC_FRONTEND_TUNE_H

#include "../ir/unit.h"

/* u: as the front end made it, for the native machine; it is not changed. Takes what earlier runs measured from the
 * user's cache, measures the best few choices of the algorithm model for the other shapes, the costliest first, for
 * about that many seconds, and adds to the cache. The result, from u's arena, is for Options.tuned; shapes for which
 * there was no time are not in it. Says with -v what it did. */
const TunedConvs *tune(const Unit *u, double seconds);

#endif
