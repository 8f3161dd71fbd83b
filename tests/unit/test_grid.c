/* Layered drawings: of random graphs no two boxes meet, links go down and through no box, and nothing is outside; the
 * shapes of nets that people draw (a chain, a fork, a shortcut, the brackets of a U) come out as they draw them. */
#include <CUnit/Basic.h>
#include <stdio.h>

#include "../../backends/grid.h"

static uint32_t state = 1;

static int32_t below(int32_t n) {
    state = state * 1664525u + 1013904223u;
    return (int32_t)((state >> 8) % (uint32_t)n);
}

static void box(Grid *g, int32_t w, int32_t h, int32_t ranks, bool stretches) {
    GridBox b = {.w = w, .h = h, .ranks = ranks, .stretches = stretches};
    PUSH(g->arena, g->box, g->n_box, g->cap_box, b);
}

static void link(Grid *g, int32_t from, int32_t to) {
    GridLink l = {.from = from, .to = to};
    PUSH(g->arena, g->link, g->n_link, g->cap_link, l);
}

/* ---- random graphs ---- */

static Grid *random_grid(Arena *a) {
    Grid *g = NEW(a, Grid);
    *g = (Grid){.arena = a, .head = 2 * below(10), .least = 2 * below(200)};
    int32_t n = 1 + below(30);
    for (int32_t i = 0; i < n; i++) {
        int32_t ranks = below(3) ? 1 : 2 + below(5);
        box(g, 20 + 2 * below(100), 10 + below(ranks > 1 ? 300 : 60), ranks, ranks == 1);
        for (int32_t k = below(4); k > 0; k--) link(g, below(4) && i ? below(i) : i ? i - 1 : GRID_TOP, i);
        if (!below(6)) link(g, i, GRID_BOTTOM);
        if (!below(8)) link(g, GRID_TOP, i);
    }
    grid_arrange(g);
    grid_place(g);
    return g;
}

static bool apart(const GridBox *a, const GridBox *b) {
    return a->x + a->w <= b->x || b->x + b->w <= a->x || a->y + a->h <= b->y || b->y + b->h <= a->y;
}

static void check_boxes(const Grid *g) {
    bool good = true;
    for (int32_t i = 0; i < g->n_box; i++) {
        const GridBox *b = &g->box[i];
        good = good && b->x >= 0 && b->y >= g->head && b->x + b->w <= g->w && b->y + b->h <= g->h;
        for (int32_t k = 0; k < i; k++) good = good && apart(b, &g->box[k]);
    }
    CU_ASSERT(good);
}

/* The straight part of a link through the ranks between its ends. */
static bool passes_free(const Grid *g, const GridLink *l) {
    if (l->lane < 0) return true;
    int32_t r0 = l->from < 0 ? -1 : g->box[l->from].rank + g->box[l->from].ranks - 1;
    int32_t r1 = l->to < 0 ? g->n_rank : g->box[l->to].rank;
    GridBox lane = {.x = g->column_x[l->lane] + g->column_w[l->lane] / 2, .y = g->rank_y[r0 + 1]};
    lane.h = g->rank_y[r1] - GRID_GAP_Y - lane.y;
    for (int32_t i = 0; i < g->n_box; i++)
        if (lane.h > 0 && !apart(&lane, &g->box[i])) return false;
    return true;
}

static void check_links(const Grid *g) {
    bool good = true;
    for (int32_t i = 0; i < g->n_link; i++) {
        const GridLink *l = &g->link[i];
        const GridBox *from = l->from < 0 ? NULL : &g->box[l->from], *to = l->to < 0 ? NULL : &g->box[l->to];
        good = good && (!from || !to || from->y + from->h < to->y) && passes_free(g, l);
    }
    CU_ASSERT(good);
}

static void test_random(void) {
    for (int i = 0; i < 3000; i++) {
        Arena *a = arena_new();
        const Grid *g = random_grid(a);
        check_boxes(g);
        check_links(g);
        arena_free(a);
    }
}

/* ---- what people draw ---- */

static Grid *grid_of(Arena *a, int32_t n, const int32_t (*pair)[2], int32_t n_pair) {
    Grid *g = NEW(a, Grid);
    *g = (Grid){.arena = a};
    for (int32_t i = 0; i < n; i++) box(g, 100, 30, 1, true);
    for (int32_t i = 0; i < n_pair; i++) link(g, pair[i][0], pair[i][1]);
    grid_arrange(g);
    grid_place(g);
    return g;
}

static void test_residual(void) {
    static const int32_t pair[][2] = {{0, 1}, {1, 2}, {2, 3}, {0, 3}};
    Arena *a = arena_new();
    const Grid *g = grid_of(a, 4, pair, ARRAY_LEN(pair));
    for (int32_t i = 1; i < 4; i++) CU_ASSERT(g->box[i].x == g->box[0].x && g->box[i].rank == i);
    for (int32_t i = 0; i < g->n_link; i++)
        if (g->link[i].from == 0 && g->link[i].to == 3) {
            Str s = STR(a);
            grid_path(&s, g, &g->link[i]);
            CU_ASSERT_STRING_EQUAL(str_text(&s), "M62 44C62 51 129 51 129 58V132C129 139 62 139 62 146");
        }
    arena_free(a);
}

static void test_branches(void) {
    static const int32_t pair[][2] = {{GRID_TOP, 0}, {GRID_TOP, 1}, {1, 2}, {GRID_TOP, 3},
                                      {0, 4},        {2, 4},        {3, 4}, {4, GRID_BOTTOM}};
    Arena *a = arena_new();
    const Grid *g = grid_of(a, 5, pair, ARRAY_LEN(pair));
    CU_ASSERT(g->box[0].rank == 0 && g->box[1].rank == 0 && g->box[2].rank == 1 && g->box[3].rank == 0 &&
              g->box[4].rank == 2);
    CU_ASSERT(g->box[4].a == 0 && g->box[4].b == 2);
    CU_ASSERT(g->box[4].x == g->box[0].x && g->box[4].w == 3 * 100 + 2 * GRID_GAP_X);
    arena_free(a);
}

/* Of nested shortcuts the shorter ones are further inside, so that none crosses another. */
static void test_brackets(void) {
    static const int32_t pair[][2] = {{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}, {5, 6}, {0, 6}, {1, 5}, {2, 4}};
    Arena *a = arena_new();
    const Grid *g = grid_of(a, 7, pair, ARRAY_LEN(pair));
    for (int32_t i = 0; i < g->n_link; i++)
        if (g->link[i].to > g->link[i].from + 1) CU_ASSERT_EQUAL(g->link[i].lane, 3 - g->link[i].from);
    arena_free(a);
}

/* Equal links are one, and nothing at all is something, too. */
static void test_few(void) {
    static const int32_t pair[][2] = {{0, 1}, {0, 1}};
    Arena *a = arena_new();
    CU_ASSERT_EQUAL(grid_of(a, 2, pair, 2)->n_link, 1);
    const Grid *none = grid_of(a, 0, pair, 0);
    CU_ASSERT(none->n_rank == 0 && none->h >= 0);
    arena_free(a);
}

int main(void) {
    if (CU_initialize_registry()) return 70;
    CU_pSuite suite = CU_add_suite("grid", NULL, NULL);
    CU_add_test(suite, "3,000 random graphs", test_random);
    CU_add_test(suite, "a shortcut", test_residual);
    CU_add_test(suite, "branches", test_branches);
    CU_add_test(suite, "brackets", test_brackets);
    CU_add_test(suite, "few", test_few);
    CU_basic_run_tests();
    int failures = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0;
}
