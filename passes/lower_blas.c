/* The fully connected layer and its gradients as products of matrices, which OpenBLAS computes (-fblas).
 *
 * A weight by rows is a matrix [outputs, features], its columns in the order in which a picture's features lie;
 * activations are matrices [pictures, features]. A task computes tiles of the result: zero, one product for each
 * stretch of features that lies densely (a row of the picture if there is a halo, else all of it), then the finish of
 * the group, all in memory of the thread that stays in the second cache. Tiles do not depend on the number of threads,
 * so results do not either. */
#include "lower_blas.h"

static const Type *type_of(Lower *l, Ref r) { return &graph_node(l->g, r)->type; }

/* Columns of a tile and its elements: wide enough that packing one matrix for each tile costs little beside the
 * product, small enough for the second cache; and enough tiles to share out. */
enum { COLUMNS = 512, ELEMENTS = 1 << 17, ROWS = 256, TILES_ENOUGH = 8 };

/* A dimension of the result in units (blocks of channels, outputs): tasks x per_task units from `from` on. */
typedef struct Cut {
    int64_t from, per_task, tasks;
} Cut;

/* The next cut of n units after `c`; false if there is none. Tasks are alike, and what is left over is another cut, as
 * is the last unit where `ragged` says that it is not whole. */
static bool next_cut(Cut *c, int64_t n, int64_t most, bool ragged) {
    c->from += c->per_task * c->tasks;
    int64_t left = n - c->from;
    if (left <= 0) return false;
    c->per_task = max_i64(1, min_i64(most, n / TILES_ENOUGH));
    if (c->per_task > left) c->per_task = left;
    c->tasks = left / c->per_task;
    if (ragged && c->tasks > 1 && c->tasks * c->per_task == left) c->tasks--;
    return true;
}

/* A tile in the making: its memory and its loops over rows. */
typedef struct Tile {
    Lower *l;
    int32_t sum;           /* the buffer */
    int64_t columns, rows; /* as stored; rows: at most */
    const Expr *n_rows;    /* of the present tile */
    const Expr *first;     /* its first row in the result */
} Tile;

static int64_t rows_of(int64_t columns) { return max_i64(1, min_i64(ROWS, ELEMENTS / columns)); }

static Tile tile_new(Lower *l, int64_t columns) {
    Tile t = {.l = l, .rows = rows_of(columns), .columns = columns};
    t.sum = lower_local(l, "product", t.rows * columns);
    return t;
}

/* Pictures by runs of as many as the tile has rows. */
static void run_pictures(Tile *t, Nest *nest) {
    Kernel *k = t->l->k;
    const Expr *runs = ex2(k, EX_div, add_i(t->l, ex_batch(k), t->rows - 1), ex_int(k, t->rows));
    t->first = mul_i(t->l, nest_range(t->l, nest, "run", ex_int(k, 0), runs, ROLE_NONE), t->rows);
    t->n_rows = ex2(k, EX_min, ex2(k, EX_sub, ex_batch(k), t->first), ex_int(k, t->rows));
}

static Stmt *zero_tile(const Tile *t) {
    Lower *l = t->l;
    Nest nest = {0};
    int64_t lanes = l->u->machine->vector_lanes;
    while (t->columns % lanes) lanes /= 2;
    const Expr *row = nest_range(l, &nest, "r", ex_int(l->k, 0), t->n_rows, ROLE_NONE);
    const Expr *column = mul_i(l, nest_loop(l, &nest, "c", t->columns / lanes, ROLE_NONE), lanes);
    column = add_e(l, column, nest_loop(l, &nest, "i", lanes, ROLE_LANE));
    return nest_wrap(l, &nest, st_store(l->k, t->sum, add_e(l, mul_i(l, row, t->columns), column), num(l, 0)));
}

/* The loops of a product while its operands are found: element (row, column) of a stretch is the sum over `inner`. */
typedef struct Loops {
    int32_t var[3];
    const Expr *row, *column, *inner;
} Loops;

static Loops product_loops(Lower *l) {
    static const char *const name[3] = {"r", "c", "p"};
    Loops p;
    for (int i = 0; i < 3; i++) p.var[i] = kernel_add_var(l->k, name[i]);
    p.row = ex_var(l->k, p.var[0]);
    p.column = ex_var(l->k, p.var[1]);
    p.inner = ex_var(l->k, p.var[2]);
    return p;
}

/* Adds a * b to `columns` columns of the tile from `from` on. */
static Stmt *product(const Tile *t, const Loops *p, const Expr *a, const Expr *b, const Expr *from, int64_t columns,
                     const Expr *n_inner) {
    Kernel *k = t->l->k;
    const Expr *at = add_e(t->l, add_e(t->l, mul_i(t->l, p->row, t->columns), from), p->column);
    const Expr *extent[3] = {t->n_rows, ex_int(k, columns), n_inner};
    Stmt *s = st_store(k, t->sum, at, ex3(k, EX_fma, a, b, ex_load(k, t->sum, at)));
    for (int i = 2; i >= 0; i--)
        s = st_for(k, p->var[i], ex_int(k, 0), extent[i], i ? LOOP_SERIAL : LOOP_BLAS, ROLE_NONE, s);
    return s;
}

/* ---- features ------------------------------------------------------------------------------------------------- */

static int64_t row_elements(const Type *t) { return (int64_t)type_width(t) * t->layout.b1; }
static int64_t block_elements(const Type *t) { return type_height(t) * row_elements(t); }

/* What a tile has of the features: blocks of channels, from the first on. */
typedef struct Part {
    const Expr *first;
    int64_t n;
} Part;

/* Features that lie one after the other: from row h of block cb on; `at`: where that is among those of the part. */
typedef struct Stretch {
    const Expr *block, *height, *at;
    int64_t elements;
} Stretch;

static bool is_dense(const Type *x) {
    const Halo *h = &x->layout.halo;
    return !h->top && !h->bottom && !h->left && !h->right;
}

/* Opens loops over the stretches of x's features in the part. */
static Stretch stretches(Lower *l, Nest *nest, const Type *x, const Part *p) {
    const Expr *zero = ex_int(l->k, 0);
    if (is_dense(x)) return (Stretch){p->first, zero, zero, p->n * block_elements(x)};
    const Expr *block = nest_loop(l, nest, "cb", p->n, ROLE_NONE);
    const Expr *height = nest_loop(l, nest, "h", type_height(x), ROLE_NONE);
    const Expr *at = mul_i(l, add_e(l, mul_i(l, block, type_height(x)), height), row_elements(x));
    return (Stretch){add_e(l, p->first, block), height, at, row_elements(x)};
}

/* Feature `at` of the stretch, for a picture or an output: the innermost coordinate takes what the others leave at 0. */
static Coord feature(Lower *l, const Type *t, const Expr *outer, const Stretch *s, const Expr *at) {
    const Expr *zero = ex_int(l->k, 0);
    Coord c = {{outer, s->block, s->height, zero}, {zero, at}};
    int last = t->rank - 1;
    if (t->layout.b1 == 1) c.outer[last] = add_e(l, c.outer[last], at);
    return c;
}

/* Coordinate `at` of a vector of channels for each picture. */
static Coord channel(Lower *l, const Expr *picture, const Expr *at) {
    return (Coord){{picture, ex_int(l->k, 0)}, {ex_int(l->k, 0), at}};
}

/* The group's finish on the tile, whose rows are the result's from `first` on and whose columns the part's. */
static Stmt *finish(const Tile *t, const Type *result, const Part *p) {
    Lower *l = t->l;
    Nest nest = {0};
    const Expr *row = nest_range(l, &nest, "r", ex_int(l->k, 0), t->n_rows, ROLE_NONE);
    const Expr *block = nest_loop(l, &nest, "cb", p->n, ROLE_NONE);
    const Expr *h = nest_loop(l, &nest, "h", type_height(result), ROLE_NONE);
    const Expr *w = nest_loop(l, &nest, "w", type_width(result), ROLE_NONE);
    const Expr *lane = nest_loop(l, &nest, "i", result->layout.b1, ROLE_LANE);
    const Expr *pixel = add_e(l, mul_i(l, add_e(l, mul_i(l, block, type_height(result)), h), type_width(result)), w);
    const Expr *column = add_e(l, mul_i(l, pixel, result->layout.b1), lane);
    const Expr *value = ex_load(l->k, t->sum, add_e(l, mul_i(l, row, t->columns), column));
    Coord at = {{add_e(l, t->first, row), add_e(l, p->first, block), h, w}, {ex_int(l->k, 0), lane}};
    return nest_wrap(l, &nest, lower_finish(l, &at, value));
}

/* ---- the rules ------------------------------------------------------------------------------------------------ */

static const Expr *task_first(Lower *l, Nest *nest, const char *name, const Cut *c) {
    return add_i(l, mul_i(l, nest_loop(l, nest, name, c->tasks, ROLE_TASK), c->per_task), c->from);
}

static void end_kernel(Tile *t, const Nest *tasks, const Nest *runs, Stmt *sum, const Type *result, const Part *p) {
    Lower *l = t->l;
    Stmt *body = st_seq(l->k);
    st_append(l->k, body, zero_tile(t));
    st_append(l->k, body, sum);
    st_append(l->k, body, finish(t, result, p));
    l->k->tiles = name_of("OpenBLAS");
    lower_end(l, nest_wrap(l, tasks, nest_wrap(l, runs, body)));
}

/* Which blocks of channels of `result`, whose blocks have `elements` each, a tile takes at most. */
static int64_t most_blocks(int64_t elements) { return max_i64(1, COLUMNS / elements); }

/* y[pictures, outputs] = x[pictures, features] * w[outputs, features]^T */
const Expr *lower_fc_blas(Lower *l, Ref node) {
    const Node *n = graph_node(l->g, node);
    const Type *y = &n->type, *x = type_of(l, n->in[0]), *w = type_of(l, n->in[1]);
    int32_t block = y->layout.b1;
    Cut cut = {0};
    while (next_cut(&cut, div_up(y->dim[1], block), most_blocks(block), y->dim[1] % block != 0)) {
        Nest tasks = {0}, runs = {0}, sums = {0};
        lower_begin(l);
        Part outputs = {task_first(l, &tasks, "task", &cut), cut.per_task};
        Part features = {ex_int(l->k, 0), div_up(x->dim[1], x->layout.b1)};
        Tile t = tile_new(l, cut.per_task * block);
        run_pictures(&t, &runs);
        Stretch s = stretches(l, &sums, x, &features);
        Loops p = product_loops(l);
        Coord a = feature(l, x, add_e(l, t.first, p.row), &s, p.inner);
        Coord b = feature(l, w, add_e(l, mul_i(l, outputs.first, block), p.column), &s, p.inner);
        Stmt *sum = product(&t, &p, load_at(l, n->in[0], &a), load_at(l, n->in[1], &b), ex_int(l->k, 0),
                            min_i64(t.columns, y->dim[1] - cut.from * block), ex_int(l->k, s.elements));
        end_kernel(&t, &tasks, &runs, nest_wrap(l, &sums, sum), y, &outputs);
    }
    return NULL;
}

/* dx[pictures, features] = dy[pictures, outputs] * w[outputs, features] */
const Expr *lower_fc_dgrad_blas(Lower *l, Ref node) {
    const Node *n = graph_node(l->g, node);
    const Type *dx = &n->type, *w = type_of(l, n->in[1]);
    Cut cut = {0};
    while (next_cut(&cut, div_up(dx->dim[1], dx->layout.b1), most_blocks(block_elements(w)), false)) {
        Nest tasks = {0}, runs = {0};
        lower_begin(l);
        Part features = {task_first(l, &tasks, "task", &cut), cut.per_task};
        Tile t = tile_new(l, cut.per_task * block_elements(w));
        run_pictures(&t, &runs);
        const Expr *zero = ex_int(l->k, 0);
        Stretch s = {features.first, zero, zero, t.columns};
        Loops p = product_loops(l);
        Coord a = channel(l, add_e(l, t.first, p.row), p.inner), b = feature(l, w, p.inner, &s, p.column);
        Stmt *sum = product(&t, &p, load_at(l, n->in[0], &a), load_at(l, n->in[1], &b), zero, t.columns,
                            ex_int(l->k, w->dim[0]));
        end_kernel(&t, &tasks, &runs, sum, dx, &features);
    }
    return NULL;
}

/* Tiles of rows and columns: of outputs and features. */
static void wgrad_kernel(Lower *l, const Node *n, const Cut *rows, const Cut *blocks) {
    const Type *dw = &n->type, *x = type_of(l, n->in[1]);
    Nest tasks = {0}, runs = {0}, sums = {0};
    lower_begin(l);
    const Expr *first = task_first(l, &tasks, "rows", rows);
    Part features = {task_first(l, &tasks, "task", blocks), blocks->per_task};
    Tile t = tile_new(l, blocks->per_task * block_elements(dw));
    t.first = first;
    t.n_rows = ex_int(l->k, rows->per_task);
    Stretch s = stretches(l, &sums, x, &features);
    Loops p = product_loops(l);
    Coord a = channel(l, p.inner, add_e(l, first, p.row)), b = feature(l, x, p.inner, &s, p.column);
    Stmt *sum = product(&t, &p, load_at(l, n->in[0], &a), load_at(l, n->in[1], &b), s.at, s.elements, ex_batch(l->k));
    end_kernel(&t, &tasks, &runs, nest_wrap(l, &sums, sum), dw, &features);
}

/* dw[outputs, features] = dy[pictures, outputs]^T * x[pictures, features] */
const Expr *lower_fc_wgrad_blas(Lower *l, Ref node) {
    const Node *n = graph_node(l->g, node);
    const Type *dw = &n->type;
    int64_t most = most_blocks(block_elements(dw));
    Cut blocks = {0};
    while (next_cut(&blocks, div_up(dw->dim[1], dw->layout.b1), most, false)) {
        Cut rows = {0};
        while (next_cut(&rows, dw->dim[0], rows_of(blocks.per_task * block_elements(dw)), false))
            wgrad_kernel(l, n, &rows, &blocks);
    }
    return NULL;
}
