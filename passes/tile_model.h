/* The tile model: how a sum of products is cut into register tiles, and in which order these come, from plain numbers.
 * A pure function. */
#ifndef CNNC_PASSES_TILE_MODEL_H
#define CNNC_PASSES_TILE_MODEL_H

#include "../ir/machine.h"

enum { TILE_UNKNOWN = 1 << 20 };   /* an extent not known at compile time: large, and its tail does not count */

typedef struct TileProblem {
    int64_t blocks;          /* extent of the loop whose iterations each need a vector of their own; 1 if there is none */
    int64_t points[2];       /* extents of the loops whose iterations each need a broadcast; innermost first; 1 if none */
    int64_t steps;           /* products in each sum */
    int64_t vector_bytes;    /* what one block reads in all */
    int64_t point_bytes[2];  /* what the points of one iteration of the outer loop read, and those of all */
    const Machine *machine;
    bool pixels;             /* points are rows and columns of a picture, all of which a kernel before wrote */
} TileProblem;

typedef struct Tile {
    int32_t blocks, points[2];
    int32_t band;            /* iterations of the outer point loop that all blocks go through before the next; 0: all */
} Tile;

/* The tile and band with the least estimated cycles for the whole problem. blocks * points accumulators, the smaller of
 * the two factors' vectors and one broadcast fit in the registers: with 16 of them 3x4 takes all and is faster than 2x6
 * by a tenth on rows of 28. Where a product is an instruction of its own, it needs two registers more: with one, 2x6
 * still spills. A second point loop is tiled only where the first fits whole; a band divides the outer point loop into
 * equal parts of whole tiles. */
Tile tile_choose(const TileProblem *p);

/* Estimated cycles of the whole problem with that tile and band. */
double tile_cost(const TileProblem *p, const Tile *t);

/* Point i reads at stride * i + dilation * tap, for each of its taps; 1 tap: points have nothing in common. */
typedef struct Window {
    int64_t taps, stride, dilation;
} Window;

typedef struct WindowProblem {
    int64_t points[2];     /* as above */
    Window window[2];
    int64_t channels;      /* vectors at each tap, all in one block: lanes change places in each of them if not 1 */
    int32_t registers;
} WindowProblem;

/* The same for a sliding window of vectors, with one block. The columns slide: what neighbours read is loaded once, one
 * window row's weights stay in registers. With several rows all slide and all weights stay in registers. */
Tile tile_window(const WindowProblem *p);

#endif
