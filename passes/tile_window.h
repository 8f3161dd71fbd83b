/* Sliding windows: sums whose neighbouring points read the same elements, as in depthwise convolutions. */
#ifndef CNNC_PASSES_TILE_WINDOW_H
#define CNNC_PASSES_TILE_WINDOW_H

#include "../ir/loop.h"
#include "tile_model.h"

/* Which TAP loop of the sum slides with the loops of the variables point[0..n), n <= 2: something is loaded at
 * stride * point + dilation * tap, in small steps. Fills window, 1 tap where there is none, and channels. False if none
 * slides. */
bool window_find(const Stmt *sum, const int32_t *point, int32_t n, WindowProblem *p);

/* `taps` is a TAP loop around unrolled POINT loops. Of "for tap, for point: if the tap were here" it makes "for what is
 * read, for point: if a tap of this point reads that", all unrolled: every element is loaded once, then used by all the
 * accumulators that need it, and each of these still adds in the order of its taps. Where no unrolled loop slides with
 * the taps they become an ordinary reduction. Reductions between the taps are unrolled. */
Stmt *window_slide(Kernel *k, Stmt *taps);

#endif
