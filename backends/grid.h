/* A small layered drawing: boxes in ranks from top to bottom and columns from left to right, links that go down. A box
 * may take several ranks, so that what stands beside a tall one need not be stretched. Ranks and columns depend only
 * on who is linked with whom (grid_arrange); coordinates follow from them and from the sizes of the boxes
 * (grid_place), so that page.js can do the second part again when a box opens or closes. */
#ifndef CNNC_BACKENDS_GRID_H
#define CNNC_BACKENDS_GRID_H

#include "../ir/base.h"

enum {   /* pixels; page.js has the same */
    GRID_LANE = 10,    /* width of a column that only links go through */
    GRID_GAP_X = 12, GRID_GAP_Y = 14,
    GRID_EDGE = 10,    /* a link ends at least so far from a corner */
    GRID_TOP = -1, GRID_BOTTOM = -2   /* ends of links, instead of boxes: the upper and the lower edge */
};

typedef struct GridBox {
    int32_t w, h;            /* size, w even; of a stretched box after grid_place what it got */
    int32_t ranks;           /* how many it takes, from 1 */
    bool stretches;          /* over the columns of those that it is linked with */
    int32_t rank, a, b;      /* its first rank, its first and last column */
    int32_t x, y;            /* upper left corner */
} GridBox;

typedef struct GridLink {
    int32_t from, to;        /* boxes, from < to; or GRID_TOP, GRID_BOTTOM */
    int32_t lane;            /* the column in which it passes the ranks between; -1: there are none */
} GridLink;

typedef struct Grid {
    Arena *arena;
    GridBox *box;
    GridLink *link;
    int32_t n_box, cap_box, n_link, cap_link;
    int32_t n_rank, n_column;
    int32_t head;            /* free space above the upper edge, for a title */
    int32_t least;           /* width */
    int32_t w, h;            /* of the whole */
    int32_t *column_x, *column_w, *rank_h;
    int32_t *rank_y;         /* where each begins, and where one more would */
} Grid;

/* Sets rank, a, b, lane. Boxes of a rank have columns of their own, and no link passes through a box. */
void grid_arrange(Grid *g);
/* Sets x, y, w, h from the sizes of the boxes. */
void grid_place(Grid *g);
/* The link as data of an SVG path. */
void grid_path(Str *s, const Grid *g, const GridLink *l);

#endif
