/* Between the files of convolutions: windows, phases and bands. */
#ifndef CNNC_PASSES_LOWER_CONV_H
#define CNNC_PASSES_LOWER_CONV_H

#include "lower_sum.h"

/* Row or column of x that a tap of the window sees: out * stride + k * dilation - pad. */
const Expr *conv_read(Lower *l, const Expr *out, int32_t stride, const Expr *k, int32_t dilation, int32_t pad);

/* The reduction loop over rows (d = 0) or columns (1) of the window: sets row or column of x, and the tap of w. */
void conv_taps(Lower *l, Sum *s, Coord *x, Coord *w, const ConvAttr *a, int d, const Expr *out, LoopRole role);

/* dx[i*s + phase] needs the window taps k with (i*s + phase + pad - k*d) divisible by s; these are k = first + t*step
 * for t < count, and the output row of tap t is i + base + t*on. One phase is thus a dense stride-1 sum, no tap is
 * wasted. Taps run from the last to the first, so that rows ascend. */
typedef struct Phase {
    int32_t phase, first, step, count, base, on;
} Phase;

int64_t phase_extent(const Phase *p, int32_t size, int32_t stride);
/* The reduction loop over the taps of one phase, of row or column `at` of the phase: sets that of the result and of dy,
 * and the tap of w. */
void phase_taps(Lower *l, Sum *s, Coord *dy, Coord *w, const ConvAttr *a, int d, const Phase *p, const Expr *at,
                LoopRole role);

/* Loops over the output pixels: bands outside, rows and columns of a band as reduction. Gives row and column. */
void band_loops(Lower *l, Sum *s, const Type *dy, const Expr **row, const Expr **column);

/* Rows of a convolution's result, of one picture: `rows` from row `first` on; of `blocks` channel blocks from `block`
 * on, of all if that is 0. */
typedef struct ConvRows {
    const Expr *pic, *first;
    int64_t rows;
    const Expr *block;
    int64_t blocks;
} ConvRows;

/* The loops of a forward convolution over these rows; NULL: over all rows of all pictures. */
Stmt *conv_dense_nest(Lower *l, const Node *n, const ConvRows *r);
Stmt *conv_grouped_nest(Lower *l, const Node *n, const ConvRows *r);   /* groups that do not fill blocks */
/* The picture, channel block and row that these loops begin with. */
const Expr *conv_picture(Lower *l, Sum *s, const ConvRows *r);
const Expr *conv_block(Lower *l, Sum *s, const ConvRows *r, int64_t blocks, LoopRole role);
const Expr *conv_row(Lower *l, Sum *s, const Node *n, const ConvRows *r);

/* Whether the group is a chain of convolutions, and all of its kernel if it is. */
bool conv_is_chain(const Lower *l);
void conv_chain(Lower *l);

/* Gradients for groups that do not fill whole blocks: lower_grouped.c. n is the gradient, all in one kernel. */
void dgrad_grouped(Lower *l, const Node *n, const ConvAttr *a, const Phase phase[2]);
void wgrad_grouped(Lower *l, const Node *n, const ConvAttr *a);

#endif
