/* See grid.h.
 *
 * Boxes are cut into chains: a box continues the chain of the deepest box that it reads, if it is the one of that
 * box's readers from which the way down is the longest. A chain has a column for all ranks from its first box to where
 * its last one is read; the columns are taken first-fit. Links that pass ranks elsewhere get lanes in what is free,
 * short ones first, so that long ones go around them. */
#include "grid.h"

#include <stdlib.h>
#include <string.h>

typedef struct Arrange {
    Grid *g;
    int32_t *height;        /* of the longest way down from a box */
    int32_t *above, *below; /* the next box of its chain, or -1 */
    int32_t *column;        /* of its chain */
    uint8_t **taken;        /* [column][rank] */
    int32_t n_taken, cap_taken;
} Arrange;

/* The last rank of what a link comes from, the first one of what it goes to. */
static int32_t rank_from(const Grid *g, int32_t from) {
    return from == GRID_TOP ? -1 : g->box[from].rank + g->box[from].ranks - 1;
}
static int32_t rank_to(const Grid *g, int32_t to) { return to == GRID_BOTTOM ? g->n_rank : g->box[to].rank; }

/* ---- ranks and chains ---- */

static int by_target(const void *x, const void *y) {
    const GridLink *a = x, *b = y;
    uint32_t ta = (uint32_t)a->to, tb = (uint32_t)b->to; /* the lower edge comes last */
    return ta != tb ? (ta > tb) - (ta < tb) : (a->from > b->from) - (a->from < b->from);
}

/* Links sorted by their lower ends, each once. */
static void sort_links(Grid *g) {
    int32_t n = 0;
    if (g->n_link) qsort(g->link, (size_t)g->n_link, sizeof *g->link, by_target);
    for (int32_t i = 0; i < g->n_link; i++)
        if (n == 0 || by_target(&g->link[n - 1], &g->link[i]) != 0) g->link[n++] = g->link[i];
    g->n_link = n;
}

static void find_ranks(Grid *g) {
    g->n_rank = 0;
    for (int32_t i = 0; i < g->n_box; i++) g->box[i].rank = 0;
    for (int32_t i = 0; i < g->n_link; i++) {
        const GridLink *l = &g->link[i];
        if (l->to >= 0) g->box[l->to].rank = (int32_t)max_i64(g->box[l->to].rank, rank_from(g, l->from) + 1);
    }
    for (int32_t i = 0; i < g->n_box; i++) g->n_rank = (int32_t)max_i64(g->n_rank, rank_from(g, i) + 1);
}

static void find_chains(Arrange *a) {
    Grid *g = a->g;
    for (int32_t i = 0; i < g->n_box; i++) a->above[i] = a->below[i] = -1;
    for (int32_t i = g->n_link - 1; i >= 0; i--) {
        const GridLink *l = &g->link[i];
        if (l->from < 0) continue;
        int32_t here = l->to >= 0 ? a->height[l->to] + 1 : 1;
        if (here > a->height[l->from] || (here == a->height[l->from] && l->to >= 0)) {
            a->height[l->from] = here;
            a->below[l->from] = l->to;
        }
    }
    for (int32_t i = 0; i < g->n_link; i++) {
        const GridLink *l = &g->link[i];
        if (l->from < 0 || l->to < 0) continue;
        int32_t best = a->above[l->to];
        if (best < 0 || rank_from(g, l->from) > rank_from(g, best)) a->above[l->to] = l->from;
    }
    for (int32_t i = 0; i < g->n_box; i++)
        if (a->below[i] < 0 || a->above[a->below[i]] != i) a->below[i] = -1;
    for (int32_t i = 0; i < g->n_box; i++)
        if (a->above[i] >= 0 && a->below[a->above[i]] != i) a->above[i] = -1;
}

/* ---- columns ---- */

static bool is_free(Arrange *a, int32_t column, int32_t from, int32_t to) {
    while (column >= a->n_taken) {
        uint8_t *ranks = NEW_ARRAY(a->g->arena, uint8_t, a->g->n_rank + 1);
        PUSH(a->g->arena, a->taken, a->n_taken, a->cap_taken, ranks);
    }
    for (int32_t r = from; r <= to; r++)
        if (a->taken[column][r]) return false;
    return true;
}

static int32_t take(Arrange *a, int32_t column, int32_t from, int32_t to) {
    while (!is_free(a, column, from, to)) column++;
    if (to >= from) memset(a->taken[column] + from, 1, (size_t)(to - from + 1));
    return column;
}

/* The last rank that the chain of which a box is the last has its column for: that before its deepest reader's. */
static int32_t *chain_ends(const Arrange *a) {
    const Grid *g = a->g;
    int32_t *end = NEW_ARRAY(g->arena, int32_t, g->n_box + 1);
    for (int32_t i = 0; i < g->n_box; i++) end[i] = rank_from(g, i);
    for (int32_t i = 0; i < g->n_link; i++) {
        const GridLink *l = &g->link[i];
        if (l->from >= 0) end[l->from] = (int32_t)max_i64(end[l->from], rank_to(g, l->to) - 1);
    }
    return end;
}

static void find_columns(Arrange *a) {
    Grid *g = a->g;
    const int32_t *end = chain_ends(a);
    for (int32_t rank = 0, done = 0; done < g->n_box && rank < g->n_rank; rank++)
        for (int32_t i = 0; i < g->n_box; i++) {
            if (g->box[i].rank != rank || a->above[i] >= 0) continue;
            int32_t last = i;
            while (a->below[last] >= 0) last = a->below[last];
            int32_t column = take(a, 0, rank, end[last]);
            for (int32_t k = i; k >= 0; k = a->below[k], done++) g->box[k].a = g->box[k].b = a->column[k] = column;
        }
}

/* ---- boxes over several columns ---- */

/* Lets box `i` span these columns, too, if it can be stretched and nobody else is there. */
static void span(Arrange *a, int32_t i, int32_t lo, int32_t hi) {
    GridBox *b = &a->g->box[i];
    if (!b->stretches) return;
    lo = (int32_t)min_i64(lo, b->a);
    hi = (int32_t)max_i64(hi, b->b);
    for (int32_t c = lo; c <= hi; c++)
        if (c != a->column[i] && !is_free(a, c, b->rank, rank_from(a->g, i))) return;
    for (int32_t c = lo; c <= hi; c++) memset(a->taken[c] + b->rank, 1, (size_t)b->ranks);
    b->a = lo;
    b->b = hi;
}

typedef struct Range {
    int32_t lo, hi, n;
} Range;

static void widen(Range *r, int32_t column) {
    r->lo = r->n ? (int32_t)min_i64(r->lo, column) : column;
    r->hi = r->n ? (int32_t)max_i64(r->hi, column) : column;
    r->n++;
}

static void find_spans(Arrange *a) {
    Grid *g = a->g;
    Range *over = NEW_ARRAY(g->arena, Range, g->n_box + 1), *under = NEW_ARRAY(g->arena, Range, g->n_box + 1);
    for (int32_t i = 0; i < g->n_link; i++) {
        const GridLink *l = &g->link[i];
        if (l->from < 0 || l->to < 0) continue;
        widen(&over[l->to], a->column[l->from]);
        if (g->box[l->to].rank == rank_from(g, l->from) + 1) widen(&under[l->from], a->column[l->to]);
    }
    for (int32_t i = 0; i < g->n_box; i++) {
        if (over[i].n > 1)
            span(a, i, over[i].lo, over[i].hi);
        else if (under[i].n > 1)
            span(a, i, under[i].lo, under[i].hi);
    }
}

/* ---- lanes ---- */

typedef struct Lane { /* all long links of one box or of the upper edge */
    int32_t from, first, last;
} Lane;

static int shorter_first(const void *x, const void *y) {
    const Lane *a = x, *b = y;
    int32_t na = a->last - a->first, nb = b->last - b->first;
    return na != nb ? (na > nb) - (na < nb) : (a->from > b->from) - (a->from < b->from);
}

/* In the chain's own column: to its next box, or from its last box. */
static bool in_chain(const Arrange *a, const GridLink *l) {
    return l->from >= 0 && (a->below[l->from] < 0 || a->below[l->from] == l->to);
}

static void find_lanes(Arrange *a) {
    Grid *g = a->g;
    Lane *lane = NEW_ARRAY(g->arena, Lane, g->n_box + 1); /* of box i at i + 1 */
    int32_t *column = NEW_ARRAY(g->arena, int32_t, g->n_box + 1);
    for (int32_t i = 0; i <= g->n_box; i++) lane[i] = (Lane){i - 1, rank_from(g, i - 1) + 1, -1};
    for (int32_t i = 0; i < g->n_link; i++) {
        GridLink *l = &g->link[i];
        int32_t last = rank_to(g, l->to) - 1;
        l->lane = -1;
        if (rank_from(g, l->from) == last) continue;
        if (in_chain(a, l))
            l->lane = a->column[l->from];
        else
            lane[l->from + 1].last = (int32_t)max_i64(lane[l->from + 1].last, last);
    }
    qsort(lane, (size_t)g->n_box + 1, sizeof *lane, shorter_first);
    for (int32_t i = 0; i <= g->n_box; i++) {
        const Lane *at = &lane[i];
        if (at->last >= at->first)
            column[at->from + 1] = take(a, at->from < 0 ? 0 : g->box[at->from].b + 1, at->first, at->last);
    }
    for (int32_t i = 0; i < g->n_link; i++) {
        GridLink *l = &g->link[i];
        if (rank_to(g, l->to) - 1 > rank_from(g, l->from) && !in_chain(a, l)) l->lane = column[l->from + 1];
    }
}

void grid_arrange(Grid *g) {
    Arrange a = {.g = g};
    sort_links(g);
    find_ranks(g);
    a.column = NEW_ARRAY(g->arena, int32_t, g->n_box + 1);
    a.height = NEW_ARRAY(g->arena, int32_t, g->n_box + 1);
    a.above = NEW_ARRAY(g->arena, int32_t, g->n_box + 1);
    a.below = NEW_ARRAY(g->arena, int32_t, g->n_box + 1);
    find_chains(&a);
    find_columns(&a);
    find_spans(&a);
    find_lanes(&a);
    g->n_column = a.n_taken;
    g->column_x = NEW_ARRAY(g->arena, int32_t, g->n_column + 1);
    g->column_w = NEW_ARRAY(g->arena, int32_t, g->n_column + 1);
    g->rank_y = NEW_ARRAY(g->arena, int32_t, g->n_rank + 2);
    g->rank_h = NEW_ARRAY(g->arena, int32_t, g->n_rank + 1);
}

/* ---- coordinates; place() and path() of page.js do the same ---- */

/* Boxes of one column and of one rank first. */
static void measure(Grid *g) {
    for (int32_t c = 0; c < g->n_column; c++) g->column_w[c] = GRID_LANE;
    for (int32_t r = 0; r < g->n_rank; r++) g->rank_h[r] = 0;
    for (int32_t i = 0; i < g->n_box; i++) {
        const GridBox *b = &g->box[i];
        if (b->ranks == 1) g->rank_h[b->rank] = (int32_t)max_i64(g->rank_h[b->rank], b->h);
        if (b->a == b->b) g->column_w[b->a] = (int32_t)max_i64(g->column_w[b->a], b->w);
    }
}

static int32_t span_width(const Grid *g, const GridBox *b) {
    int32_t w = GRID_GAP_X * (b->b - b->a);
    for (int32_t c = b->a; c <= b->b; c++) w += g->column_w[c];
    return w;
}

/* Ranks of no height have no gap below them. */
static int32_t with_gap(int32_t h) { return h > 0 ? h + GRID_GAP_Y : 0; }

static int32_t ranks_height(const Grid *g, const GridBox *b) {
    int32_t h = 0;
    for (int32_t r = b->rank; r < b->rank + b->ranks; r++) h += with_gap(g->rank_h[r]);
    return h - GRID_GAP_Y;
}

static int by_last_rank(const void *x, const void *y, void *grid) {
    const Grid *g = grid;
    int32_t i = *(const int32_t *)x, k = *(const int32_t *)y, a = rank_from(g, i), b = rank_from(g, k);
    return a != b ? (a > b) - (a < b) : (i > k) - (i < k);
}

/* What boxes need beyond that is the last column's and the last rank's; those that end first come first. */
static void widen_more(Grid *g) {
    int32_t *order = NEW_ARRAY(g->arena, int32_t, g->n_box + 1);
    for (int32_t i = 0; i < g->n_box; i++) order[i] = i;
    qsort_r(order, (size_t)g->n_box, sizeof *order, by_last_rank, g);
    for (int32_t i = 0; i < g->n_box; i++) {
        const GridBox *b = &g->box[order[i]];
        int32_t last = rank_from(g, order[i]), more = b->h - ranks_height(g, b);
        if (b->a < b->b) g->column_w[b->b] += (int32_t)max_i64(b->w - span_width(g, b), 0);
        if (b->ranks > 1 && more > 0)
            g->rank_h[last] += g->rank_h[last] > 0 ? more : (int32_t)max_i64(more - GRID_GAP_Y, 1);
    }
}

/* Where columns and ranks begin, and the size of the whole. */
static void add_up(Grid *g) {
    int32_t all = GRID_GAP_X, y = g->head + GRID_GAP_Y;
    for (int32_t c = 0; c < g->n_column; c++) all += g->column_w[c] + GRID_GAP_X;
    g->w = (int32_t)max_i64(all, g->least);
    int32_t x = GRID_GAP_X + (g->w - all) / 2;
    for (int32_t c = 0; c < g->n_column; x += g->column_w[c++] + GRID_GAP_X) g->column_x[c] = x;
    for (int32_t r = 0; r < g->n_rank; y += with_gap(g->rank_h[r++])) g->rank_y[r] = y;
    g->rank_y[g->n_rank] = g->h = y;
}

void grid_place(Grid *g) {
    measure(g);
    widen_more(g);
    add_up(g);
    for (int32_t i = 0; i < g->n_box; i++) {
        GridBox *b = &g->box[i];
        int32_t all = span_width(g, b);
        if (b->a < b->b) b->w = all;
        b->x = g->column_x[b->a] + (all - b->w) / 2;
        b->y = g->rank_y[b->rank];
    }
}

static int32_t clamp(int32_t x, int32_t lo, int32_t hi) { return x < lo ? lo : x > hi ? hi : x; }

/* Where a link that comes from or goes to `x` meets the box. */
static int32_t meets(const GridBox *b, int32_t x) {
    return b->a < b->b ? clamp(x, b->x + GRID_EDGE, b->x + b->w - GRID_EDGE) : b->x + b->w / 2;
}

/* From where the path is, x0 at y0, to x at y. */
static void add_bend(Str *s, int32_t x0, int32_t y0, int32_t x, int32_t y) {
    int32_t middle = (y0 + y) / 2;
    if (x == x0)
        str_addf(s, "V%d", y);
    else
        str_addf(s, "C%d %d %d %d %d %d", x0, middle, x, middle, x, y);
}

void grid_path(Str *s, const Grid *g, const GridLink *l) {
    const GridBox *from = l->from >= 0 ? &g->box[l->from] : NULL, *to = l->to >= 0 ? &g->box[l->to] : NULL;
    int32_t lane = l->lane >= 0 ? g->column_x[l->lane] + g->column_w[l->lane] / 2 : -1;
    int32_t guess = lane >= 0 ? lane : to ? to->x + to->w / 2 : from->x + from->w / 2;
    int32_t x0 = from ? meets(from, guess) : guess, x1 = to ? meets(to, lane >= 0 ? lane : x0) : g->w / 2;
    if (!from && lane < 0) x0 = x1;
    int32_t r0 = rank_from(g, l->from), r1 = rank_to(g, l->to);
    int32_t y0 = from ? from->y + from->h : g->head, below = r0 >= 0 ? g->rank_y[r0 + 1] - GRID_GAP_Y : y0;
    int32_t y1 = to ? to->y : g->h;
    str_addf(s, "M%d %d", x0, y0);
    if (below != y0) str_addf(s, "V%d", below);
    if (lane < 0) {
        add_bend(s, x0, below, x1, y1);
        return;
    }
    int32_t leave = g->rank_y[r1] - GRID_GAP_Y;
    add_bend(s, x0, below, lane, g->rank_y[r0 + 1]);
    str_addf(s, "V%d", leave);
    add_bend(s, lane, leave, x1, y1);
}
