/* The graph interpreter: sources, element-wise operators, shapes and reductions. Compiled for each REAL by ref.c. */

static const REAL *REF(operand)(const RefRun *r, const Node *n, int i) { return r->value[n->in[i]]; }

/* Sources. */

static void REF(input)(const RefRun *r, const Node *n, REAL *y) { (void)r, (void)n, (void)y; }

static void REF(param)(const RefRun *r, const Node *n, REAL *y) { (void)r, (void)n, (void)y; }

static void REF(fill)(const RefRun *r, const Node *n, REAL *y) {
    const FillAttr *a = &n->attr.fill;
    int64_t count = type_elements(&n->type) * pictures(r, &n->type);
    REAL value = (REAL)a->value / (REAL)(a->per_picture ? r->n : 1);
    for (int64_t i = 0; i < count; i++) y[i] = value;
}

static void REF(put)(void *context, int32_t i, double x) { ((REAL *)context)[i] = (REAL)x; }

static void REF(table)(const RefRun *r, const Node *n, REAL *y) {
    (void)r;
    table_numbers(&n->attr.table, REF(put), y);
}

/* Element-wise. Where the operand has fewer elements than the result, each serves `inner` of the result's in a row, and
 * after `period` of them it begins anew. */
typedef struct REF(Operand) {
    const REAL *p;
    int64_t inner, period;
} REF(Operand);

static REF(Operand) REF(spread_operand)(const RefRun *r, const Node *n, int i) {
    View v = view_of(r, &n->type);
    Broadcast b = type_broadcast(&n->type, type_in(r, n, i));
    int64_t inner = b == BROADCAST_NONE ? 1 : v.inner;
    int64_t period = b == BROADCAST_CHANNEL ? v.channels : b == BROADCAST_ONE ? 1 : INT64_MAX;
    return (REF(Operand)){REF(operand)(r, n, i), inner, period};
}

static REAL REF(at)(REF(Operand) o, int64_t e) { return o.p[e / o.inner % o.period]; }

static int64_t REF(length)(const RefRun *r, const Node *n) { return type_elements(&n->type) * pictures(r, &n->type); }

static void REF(add)(const RefRun *r, const Node *n, REAL *y) {
    REF(Operand) a = REF(spread_operand)(r, n, 0), b = REF(spread_operand)(r, n, 1);
    for (int64_t i = 0; i < REF(length)(r, n); i++) y[i] = REF(at)(a, i) + REF(at)(b, i);
}

static void REF(sub)(const RefRun *r, const Node *n, REAL *y) {
    REF(Operand) a = REF(spread_operand)(r, n, 0), b = REF(spread_operand)(r, n, 1);
    for (int64_t i = 0; i < REF(length)(r, n); i++) y[i] = REF(at)(a, i) - REF(at)(b, i);
}

static void REF(mul)(const RefRun *r, const Node *n, REAL *y) {
    REF(Operand) a = REF(spread_operand)(r, n, 0), b = REF(spread_operand)(r, n, 1);
    for (int64_t i = 0; i < REF(length)(r, n); i++) y[i] = REF(at)(a, i) * REF(at)(b, i);
}

static void REF(scale)(const RefRun *r, const Node *n, REAL *y) {
    const REAL *x = REF(operand)(r, n, 0);
    REAL alpha = (REAL)n->attr.scale.alpha / (REAL)(n->attr.scale.per_picture ? r->n : 1);
    for (int64_t i = 0; i < REF(length)(r, n); i++) y[i] = alpha * x[i] + (REAL)n->attr.scale.beta;
}

static void REF(rsqrt)(const RefRun *r, const Node *n, REAL *y) {
    const REAL *x = REF(operand)(r, n, 0);
    for (int64_t i = 0; i < REF(length)(r, n); i++) y[i] = 1 / sqrt(x[i]);
}

static void REF(to_half)(const RefRun *r, const Node *n, REAL *y) {
    const REAL *x = REF(operand)(r, n, 0);
    for (int64_t i = 0; i < REF(length)(r, n); i++) {
        double size = fabs((double)x[i]) > HALF_MAX ? HALF_MAX : fabs((double)x[i]);
        y[i] = (REAL)half_value(half_nearest(copysign(size, (double)x[i])));
    }
}

static void REF(bn)(const RefRun *r, const Node *n, REAL *y) {
    const REAL *x = REF(operand)(r, n, 0);
    REF(Operand) mean = REF(spread_operand)(r, n, 1), var = REF(spread_operand)(r, n, 2);
    REF(Operand) gamma = REF(spread_operand)(r, n, 3), beta = REF(spread_operand)(r, n, 4);
    for (int64_t i = 0; i < REF(length)(r, n); i++) {
        REAL norm = 1 / sqrt(REF(at)(var, i) + (REAL)n->attr.norm.eps);
        y[i] = (x[i] - REF(at)(mean, i)) * norm * REF(at)(gamma, i) + REF(at)(beta, i);
    }
}

static void REF(dropout)(const RefRun *r, const Node *n, REAL *y) {
    const REAL *x = REF(operand)(r, n, 0);
    const DropoutAttr *a = &n->attr.dropout;
    int64_t unit = a->per_picture ? type_elements(&n->type) : 1;
    for (int64_t i = 0; i < REF(length)(r, n); i++)
        y[i] = uniform(r, a->site, i / unit) >= a->p ? x[i] * (REAL)(1 / (1 - a->p)) : 0;
}

/* Shapes: the elements stay in row-major order. */

static void REF(copy)(const RefRun *r, const Node *n, REAL *y) {
    memcpy(y, REF(operand)(r, n, 0), (size_t)REF(length)(r, n) * sizeof(REAL));
}

static void REF(flatten)(const RefRun *r, const Node *n, REAL *y) { REF(copy)(r, n, y); }

static void REF(reshape)(const RefRun *r, const Node *n, REAL *y) { REF(copy)(r, n, y); }

/* Copies `count` channels, x's from `x_from` on to y's from `y_from` on. */
static void REF(copy_channels)(REAL *y, View vy, int64_t y_from, const REAL *x, View vx, int64_t x_from,
                               int64_t count) {
    for (int64_t o = 0; o < vy.outer; o++)
        memcpy(y + (o * vy.channels + y_from) * vy.inner, x + (o * vx.channels + x_from) * vx.inner,
               (size_t)(count * vy.inner) * sizeof(REAL));
}

static void REF(concat)(const RefRun *r, const Node *n, REAL *y) {
    int64_t from = 0;
    for (int i = 0; i < n->n_in; i++) {
        View v = view_of(r, type_in(r, n, i));
        REF(copy_channels)(y, view_of(r, &n->type), from, REF(operand)(r, n, i), v, 0, v.channels);
        from += v.channels;
    }
}

static void REF(slice)(const RefRun *r, const Node *n, REAL *y) {
    View v = view_of(r, type_in(r, n, 0));
    REF(copy_channels)(y, view_of(r, &n->type), 0, REF(operand)(r, n, 0), v, n->attr.slice.from, n->attr.slice.count);
}

static void REF(pad_channels)(const RefRun *r, const Node *n, REAL *y) {
    View v = view_of(r, type_in(r, n, 0));
    REF(copy_channels)(y, view_of(r, &n->type), n->attr.slice.from, REF(operand)(r, n, 0), v, 0, v.channels);
}

static void REF(channel_shuffle)(const RefRun *r, const Node *n, REAL *y) {
    View v = view_of(r, &n->type);
    int64_t groups = n->attr.shuffle.groups;
    for (int64_t c = 0; c < v.channels; c++)
        REF(copy_channels)(y, v, c, REF(operand)(r, n, 0), v, c % groups * (v.channels / groups) + c / groups, 1);
}

static void REF(spread)(const RefRun *r, const Node *n, REAL *y) {
    REF(Operand) x = REF(spread_operand)(r, n, 0);
    for (int64_t i = 0; i < REF(length)(r, n); i++) y[i] = REF(at)(x, i);
}

/* Reductions over everything but the channel. */

static void REF(channel_sum)(const RefRun *r, const Node *n, REAL *y) {
    View v = view_of(r, type_in(r, n, 0));
    const REAL *x = REF(operand)(r, n, 0);
    for (int64_t i = 0; i < v.outer * v.channels * v.inner; i++) y[i / v.inner % v.channels] += x[i];
}

static void REF(channel_dot)(const RefRun *r, const Node *n, REAL *y) {
    View v = view_of(r, type_in(r, n, 0));
    const REAL *a = REF(operand)(r, n, 0), *b = REF(operand)(r, n, 1);
    for (int64_t i = 0; i < v.outer * v.channels * v.inner; i++) y[i / v.inner % v.channels] += a[i] * b[i];
}

static void REF(plane_dot)(const RefRun *r, const Node *n, REAL *y) {
    View v = view_of(r, type_in(r, n, 0));
    const REAL *a = REF(operand)(r, n, 0), *b = REF(operand)(r, n, 1);
    for (int64_t i = 0; i < v.outer * v.channels * v.inner; i++) y[i / v.inner] += a[i] * b[i];
}

static void REF(total)(const RefRun *r, const Node *n, REAL *y) {
    const REAL *x = REF(operand)(r, n, 0);
    for (int64_t i = 0; i < type_elements(type_in(r, n, 0)); i++) y[0] += x[i];
}

static void REF(row_squares)(const RefRun *r, const Node *n, REAL *y) {
    const Type *t = type_in(r, n, 0);
    const REAL *x = REF(operand)(r, n, 0);
    int64_t all = type_elements(t);
    for (int64_t i = 0; i < all; i++) y[i / (all / t->dim[0])] += x[i] * x[i];
}

static void REF(mean)(const RefRun *r, const Node *n, REAL *y) {
    View v = view_of(r, type_in(r, n, 0));
    REF(channel_sum)(r, n, y);
    for (int64_t c = 0; c < v.channels; c++) y[c] /= (REAL)(v.outer * v.inner);
}

static void REF(plane_mean)(const RefRun *r, const Node *n, REAL *y) {
    View v = view_of(r, type_in(r, n, 0));
    const REAL *x = REF(operand)(r, n, 0);
    for (int64_t i = 0; i < v.outer * v.channels * v.inner; i++) y[i / v.inner] += x[i] / (REAL)v.inner;
}

static void REF(plane_var)(const RefRun *r, const Node *n, REAL *y) {
    View v = view_of(r, type_in(r, n, 0));
    for (int64_t p = 0; p < v.outer * v.channels; p++) {
        const REAL *x = REF(operand)(r, n, 0) + p * v.inner;
        REAL mean = 0;
        for (int64_t i = 0; i < v.inner; i++) mean += x[i] / (REAL)v.inner;
        for (int64_t i = 0; i < v.inner; i++) y[p] += (x[i] - mean) * (x[i] - mean) / (REAL)v.inner;
    }
}

static void REF(ghost_mean)(const RefRun *r, const Node *n, REAL *y) {
    View v = view_of(r, &n->type);
    const REAL *x = REF(operand)(r, n, 0);
    int64_t run = n->attr.ghost.pictures;
    for (int64_t i = 0; i < v.outer * v.channels; i++) {
        int64_t first = i / v.channels / run * run, end = min_i64(first + run, v.outer);
        for (int64_t o = first; o < end; o++) y[i] += x[o * v.channels + i % v.channels] / (REAL)(end - first);
    }
}

/* Two passes: the sum of squares about zero would cancel. */
static void REF(var)(const RefRun *r, const Node *n, REAL *y) {
    View v = view_of(r, type_in(r, n, 0));
    const REAL *x = REF(operand)(r, n, 0);
    for (int64_t c = 0; c < v.channels; c++) {
        REAL mean = 0, sum = 0;
        for (int64_t o = 0; o < v.outer; o++)
            for (int64_t i = 0; i < v.inner; i++) mean += x[(o * v.channels + c) * v.inner + i];
        mean /= (REAL)(v.outer * v.inner);
        for (int64_t o = 0; o < v.outer; o++)
            for (int64_t i = 0; i < v.inner; i++) {
                REAL d = x[(o * v.channels + c) * v.inner + i] - mean;
                sum += d * d;
            }
        y[c] = sum / (REAL)(v.outer * v.inner);
    }
}
