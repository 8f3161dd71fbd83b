/* The graph interpreter: the phases of Winograd's convolution, tile by tile as their definition says. Compiled for each
 * REAL by ref.c. */

/* y = m x m^T. */
static void REF(sandwich)(const Matrix *m, const REAL x[WINOGRAD_MAX][WINOGRAD_MAX],
                          REAL y[WINOGRAD_MAX][WINOGRAD_MAX]) {
    REAL t[WINOGRAD_MAX][WINOGRAD_MAX] = {{0}};
    for (int32_t i = 0; i < m->rows; i++)
        for (int32_t j = 0; j < m->cols; j++)
            for (int32_t k = 0; k < m->cols; k++) t[i][j] += (REAL)m->at[i][k] * x[k][j];
    for (int32_t i = 0; i < m->rows; i++)
        for (int32_t j = 0; j < m->rows; j++) {
            y[i][j] = 0;
            for (int32_t k = 0; k < m->cols; k++) y[i][j] += t[i][k] * (REAL)m->at[j][k];
        }
}

static WinogradMatrices REF(matrices)(const Node *n) {
    WinogradMatrices m;
    bool known = winograd_matrices(n->attr.winograd.tile, n->attr.winograd.kernel, &m);
    ICE_UNLESS(known, "no points for F(%d,%d)", n->attr.winograd.tile, n->attr.winograd.kernel);
    return m;
}

static void REF(winograd_weight)(const RefRun *r, const Node *n, REAL *u) {
    const REAL *from = r->value[n->in[0]];
    const Type *w = type_in(r, n, 0);
    const WinogradMatrices m = REF(matrices)(n);
    int64_t rows = round_up(w->dim[0], 16), inputs = w->dim[1], taps = w->dim[2];
    bool flip = n->attr.winograd.flip;
    for (int64_t o = 0; o < w->dim[0]; o++)
        for (int64_t i = 0; i < inputs; i++) {
            REAL x[WINOGRAD_MAX][WINOGRAD_MAX] = {{0}}, y[WINOGRAD_MAX][WINOGRAD_MAX];
            for (int64_t k = 0; k < taps * taps; k++)
                x[k / taps][k % taps] = from[(o * inputs + i) * taps * taps + (flip ? taps * taps - 1 - k : k)];
            REF(sandwich)(&m.g, x, y);
            for (int64_t k = 0; k < m.g.rows * m.g.rows; k++)
                u[(k * rows + o) * inputs + i] = y[k / m.g.rows][k % m.g.rows];
        }
}

static void REF(winograd_input)(const RefRun *r, const Node *n, REAL *v) {
    const REAL *from = r->value[n->in[0]];
    const Type *x = type_in(r, n, 0), *t = &n->type;
    const WinogradAttr *a = &n->attr.winograd;
    const WinogradMatrices m = REF(matrices)(n);
    int32_t side = m.bt.rows, across = (int32_t)div_up(a->out[2], a->tile);
    for (int64_t plane = 0; plane < r->n * x->dim[1]; plane++)
        for (int32_t tile = 0; tile < t->dim[3]; tile++) {
            REAL d[WINOGRAD_MAX][WINOGRAD_MAX] = {{0}}, y[WINOGRAD_MAX][WINOGRAD_MAX];
            for (int32_t k = 0; k < side * side; k++) {
                int32_t row = tile / across * a->tile + k / side - a->pad[0];
                int32_t column = tile % across * a->tile + k % side - a->pad[1];
                if (row < 0 || column < 0 || row >= x->dim[2] || column >= x->dim[3]) continue;
                d[k / side][k % side] = from[(plane * x->dim[2] + row) * x->dim[3] + column];
            }
            REF(sandwich)(&m.bt, d, y);
            for (int32_t k = 0; k < side * side; k++)
                v[(plane * t->dim[2] + k) * t->dim[3] + tile] = y[k / side][k % side];
        }
}

static void REF(winograd_product)(const RefRun *r, const Node *n, REAL *y) {
    const REAL *from = r->value[n->in[0]], *weight = r->value[n->in[1]];
    const Type *v = type_in(r, n, 0), *t = &n->type;
    int64_t inputs = v->dim[1], outputs = t->dim[1], taps = t->dim[2], tiles = t->dim[3], rows = round_up(outputs, 16);
    for (int64_t p = 0; p < r->n; p++)
        for (int64_t o = 0; o < outputs; o++)
            for (int64_t k = 0; k < taps; k++)
                for (int64_t tile = 0; tile < tiles; tile++) {
                    REAL sum = 0;
                    for (int64_t i = 0; i < inputs; i++)
                        sum += weight[(k * rows + o) * inputs + i] * from[((p * inputs + i) * taps + k) * tiles + tile];
                    y[((p * outputs + o) * taps + k) * tiles + tile] = sum;
                }
}

static void REF(winograd_output)(const RefRun *r, const Node *n, REAL *y) {
    const REAL *from = r->value[n->in[0]];
    const Type *in = type_in(r, n, 0), *t = &n->type;
    const WinogradAttr *a = &n->attr.winograd;
    const WinogradMatrices m = REF(matrices)(n);
    int32_t side = m.at.cols, across = (int32_t)div_up(a->out[2], a->tile);
    for (int64_t plane = 0; plane < r->n * t->dim[1]; plane++)
        for (int32_t tile = 0; tile < in->dim[3]; tile++) {
            REAL d[WINOGRAD_MAX][WINOGRAD_MAX] = {{0}}, z[WINOGRAD_MAX][WINOGRAD_MAX];
            for (int32_t k = 0; k < side * side; k++)
                d[k / side][k % side] = from[(plane * in->dim[2] + k) * in->dim[3] + tile];
            REF(sandwich)(&m.at, d, z);
            for (int32_t k = 0; k < a->tile * a->tile; k++) {
                int32_t row = tile / across * a->tile + k / a->tile, column = tile % across * a->tile + k % a->tile;
                if (row < t->dim[2] && column < t->dim[3])
                    y[(plane * t->dim[2] + row) * t->dim[3] + column] = z[k / a->tile][k % a->tile];
            }
        }
}
