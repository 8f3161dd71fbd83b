/* What the tile model asks of a sum of products, read off its loops. */
#ifndef CNNC_PASSES_TILE_PROBLEM_H
#define CNNC_PASSES_TILE_PROBLEM_H

#include "../ir/loop.h"
#include "tile_model.h"

/* The loops that may be tiled, as places in `path`; -1 where there is none. points: innermost first. */
typedef struct TileLoops {
    int32_t block, point[2];
    bool over_pictures; /* sums go over the pictures, too: TILE_UNKNOWN of them in the problem's steps and bytes */
} TileLoops;

/* path: the n loops around `sum`, outermost first. Numbers that are no constants, or that the sum's form hides, are
 * such that they decide nothing. */
TileProblem tile_problem(const Stmt *const *path, int32_t n, const Stmt *sum, const Machine *machine, TileLoops *loops);

#endif
