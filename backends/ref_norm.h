/* The graph interpreter: layer norm. Compiled for each REAL by ref.c. */

/* Mean and 1 / deviation of the channels of the pixel whose channel 0 is x[0]; channels are `step` apart. */
static void REF(pixel)(const REAL *x, int64_t channels, int64_t step, REAL eps, REAL *mean, REAL *r) {
    REAL sum = 0, squares = 0;
    for (int64_t c = 0; c < channels; c++) sum += x[c * step];
    *mean = sum / (REAL)channels;
    for (int64_t c = 0; c < channels; c++) squares += (x[c * step] - *mean) * (x[c * step] - *mean);
    *r = 1 / sqrt(squares / (REAL)channels + eps);
}

static void REF(layer_norm)(const RefRun *r, const Node *n, REAL *y) {
    View v = view_of(r, &n->type);
    const REAL *gamma = REF(operand)(r, n, 1), *beta = REF(operand)(r, n, 2);
    for (int64_t i = 0; i < v.outer * v.inner; i++) {
        int64_t first = i / v.inner * v.channels * v.inner + i % v.inner;
        const REAL *x = REF(operand)(r, n, 0) + first;
        REAL mean, scale;
        REF(pixel)(x, v.channels, v.inner, (REAL)n->attr.eps.eps, &mean, &scale);
        for (int64_t c = 0; c < v.channels; c++)
            y[first + c * v.inner] = (x[c * v.inner] - mean) * scale * gamma[c] + beta[c];
    }
}

/* With g the gradient of s: dx = scale (g - mean of g - s mean of g s). */
static void REF(layer_norm_grad)(const RefRun *r, const Node *n, REAL *dx) {
    View v = view_of(r, &n->type);
    const REAL *gamma = REF(operand)(r, n, 2);
    for (int64_t i = 0; i < v.outer * v.inner; i++) {
        int64_t first = i / v.inner * v.channels * v.inner + i % v.inner, step = v.inner;
        const REAL *dy = REF(operand)(r, n, 0) + first, *x = REF(operand)(r, n, 1) + first;
        REAL mean, scale, sum = 0, dot = 0;
        REF(pixel)(x, v.channels, step, (REAL)n->attr.eps.eps, &mean, &scale);
        for (int64_t c = 0; c < v.channels; c++) {
            sum += dy[c * step] * gamma[c];
            dot += dy[c * step] * gamma[c] * (x[c * step] - mean) * scale;
        }
        for (int64_t c = 0; c < v.channels; c++) {
            REAL s = (x[c * step] - mean) * scale;
            dx[first + c * step] = scale * (dy[c * step] * gamma[c] - (sum + s * dot) / (REAL)v.channels);
        }
    }
}

static void REF(layer_norm_dot)(const RefRun *r, const Node *n, REAL *y) {
    View v = view_of(r, type_in(r, n, 0));
    int64_t width = type_width(type_in(r, n, 0));
    for (int64_t i = 0; i < v.outer * v.inner; i++) {
        int64_t first = i / v.inner * v.channels * v.inner + i % v.inner;
        const REAL *dy = REF(operand)(r, n, 0) + first, *x = REF(operand)(r, n, 1) + first;
        REAL mean, scale;
        REF(pixel)(x, v.channels, v.inner, (REAL)n->attr.eps.eps, &mean, &scale);
        for (int64_t c = 0; c < v.channels; c++)
            y[(first + c * v.inner) / width] += dy[c * v.inner] * (x[c * v.inner] - mean) * scale;
    }
}
