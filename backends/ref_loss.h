/* The graph interpreter: classification and the effects of a training step. Compiled for each REAL by ref.c. */

/* The softmax of K numbers that lie `step` apart; the largest is taken off first, so that nothing overflows. */
static void REF(softmax_row)(REAL *y, const REAL *x, int64_t length, int64_t step) {
    REAL largest = x[0], sum = 0;
    for (int64_t k = 1; k < length; k++) largest = x[k * step] > largest ? x[k * step] : largest;
    for (int64_t k = 0; k < length; k++) sum += y[k * step] = exp(x[k * step] - largest);
    for (int64_t k = 0; k < length; k++) y[k * step] /= sum;
}

static void REF(softmax)(const RefRun *r, const Node *n, REAL *y) {
    const REAL *x = r->value[n->in[0]];
    View v = view_of(r, &n->type);
    for (int64_t o = 0; o < v.outer; o++)
        for (int64_t i = 0; i < v.inner; i++) {
            int64_t at = o * v.channels * v.inner + i;
            REF(softmax_row)(y + at, x + at, v.channels, v.inner);
        }
}

static void REF(log_softmax)(const RefRun *r, const Node *n, REAL *y) {
    const REAL *x = r->value[n->in[0]];
    View v = view_of(r, &n->type);
    for (int64_t e = 0; e < v.outer * v.channels * v.inner; e++) {
        const REAL *row = x + e - e / v.inner % v.channels * v.inner;
        REAL largest = row[0], sum = 0;
        for (int64_t k = 1; k < v.channels; k++) largest = row[k * v.inner] > largest ? row[k * v.inner] : largest;
        for (int64_t k = 0; k < v.channels; k++) sum += exp(row[k * v.inner] - largest);
        y[e] = x[e] - largest - log(sum);
    }
}

static void REF(log_softmax_grad)(const RefRun *r, const Node *n, REAL *dx) {
    const REAL *dy = r->value[n->in[0]], *y = r->value[n->in[1]];
    View v = view_of(r, &n->type);
    for (int64_t e = 0; e < v.outer * v.channels * v.inner; e++) {
        int64_t first = e - e / v.inner % v.channels * v.inner;
        REAL sum = 0;
        for (int64_t k = 0; k < v.channels; k++) sum += dy[first + k * v.inner];
        dx[e] = dy[e] - exp(y[e]) * sum;
    }
}

static void REF(softmax_grad)(const RefRun *r, const Node *n, REAL *dx) {
    const REAL *dy = r->value[n->in[0]], *y = r->value[n->in[1]];
    View v = view_of(r, &n->type);
    for (int64_t e = 0; e < v.outer * v.channels * v.inner; e++) {
        int64_t first = e - e / v.inner % v.channels * v.inner;
        REAL dot = 0;
        for (int64_t k = 0; k < v.channels; k++) dot += dy[first + k * v.inner] * y[first + k * v.inner];
        dx[e] = y[e] * (dy[e] - dot);
    }
}

/* Logits, labels and perhaps weights of classes. */
typedef struct REF(Entropy) {
    const REAL *x, *label, *weight;
    int64_t classes;
    REAL factor, smoothing;
} REF(Entropy);

static bool REF(is_class)(const REF(Entropy) *e, int64_t p) {
    return e->label[p] >= 0 && e->label[p] < (REAL)e->classes;
}

/* With weights a batch gives the sum of what its pictures give, divided by the sum of the weights of their labels, instead
 * of by N: factor is N / that sum. */
static REF(Entropy) REF(entropy_of)(const RefRun *r, const Node *n, int weights) {
    REF(Entropy) e = {r->value[n->in[0]], r->value[n->in[1]], NULL, type_elements(type_in(r, n, 0)), 1, 0};
    e.smoothing = (REAL)n->attr.loss.smoothing;
    if (n->n_in <= weights) return e;
    REAL sum = 0;
    e.weight = r->value[n->in[weights]];
    for (int64_t p = 0; p < r->n; p++) sum += REF(is_class)(&e, p) ? e.weight[(int64_t)e.label[p]] : 0;
    e.factor = (REAL)r->n / sum;
    return e;
}

/* What the loss wants class k of picture p to be, times the class's weight. */
static REAL REF(target)(const REF(Entropy) *e, int64_t k, int64_t p) {
    REAL wanted = (1 - e->smoothing) * (REAL)((REAL)k == e->label[p]) + e->smoothing / (REAL)e->classes;
    return e->weight ? e->weight[k] * wanted : wanted;
}

/* A label that is no class has loss 0 and gradient 0. */
static void REF(cross_entropy)(const RefRun *r, const Node *n, REAL *y) {
    REF(Entropy) e = REF(entropy_of)(r, n, 2);
    for (int64_t p = 0; p < r->n; p++) {
        const REAL *x = e.x + p * e.classes;
        REAL largest = x[0], sum = 0;
        if (!REF(is_class)(&e, p)) continue;
        for (int64_t k = 1; k < e.classes; k++) largest = x[k] > largest ? x[k] : largest;
        for (int64_t k = 0; k < e.classes; k++) sum += exp(x[k] - largest);
        for (int64_t k = 0; k < e.classes; k++)
            y[p] += REF(target)(&e, k, p) * (log(sum) + largest - x[k]) * e.factor;
    }
}

static void REF(cross_entropy_grad)(const RefRun *r, const Node *n, REAL *dx) {
    REF(Entropy) e = REF(entropy_of)(r, n, 3);
    const REAL *dloss = r->value[n->in[2]];
    for (int64_t p = 0; p < r->n; p++) {
        REAL *d = dx + p * e.classes, all = 0;
        if (!REF(is_class)(&e, p)) continue;
        REF(softmax_row)(d, e.x + p * e.classes, e.classes, 1);
        for (int64_t k = 0; k < e.classes; k++) all += REF(target)(&e, k, p);
        for (int64_t k = 0; k < e.classes; k++) d[k] = (all * d[k] - REF(target)(&e, k, p)) * dloss[p] * e.factor;
    }
}

/* As PyTorch does it: decay joins the gradient, the velocity is not scaled by the learning rate. */
static void REF(sgd)(const RefRun *r, const Node *n, REAL *y) {
    REAL *w = r->value[n->in[0]], *velocity = r->value[n->in[2]];
    const REAL *gradient = r->value[n->in[1]], *lr = r->value[n->in[3]];
    const SgdAttr *a = &n->attr.sgd;
    int64_t count = type_elements(type_in(r, n, 0));
    for (int64_t i = 0; i < count; i++) {
        REAL g = gradient[i] + (REAL)a->weight_decay * w[i];
        velocity[i] = (REAL)a->momentum * velocity[i] + g;
        w[i] -= lr[0] * (REAL)a->lr_scale * (a->nesterov ? g + (REAL)a->momentum * velocity[i] : velocity[i]);
    }
    *y = 0;
}

static void REF(ema)(const RefRun *r, const Node *n, REAL *y) {
    REAL *running = r->value[n->in[0]];
    const EmaAttr *a = &n->attr.ema;
    int64_t channels = type_elements(type_in(r, n, 0)), run = a->ghost ? a->ghost : r->n;
    for (int64_t first = 0; first < r->n; first += run) {
        const REAL *value = (const REAL *)r->value[n->in[1]] + first * channels;
        REAL m = (REAL)a->momentum, samples = (REAL)(min_i64(run, r->n - first) * a->pixels);
        REAL factor = a->unbias && samples > 1 ? samples / (samples - 1) : 1;
        for (int64_t c = 0; c < channels; c++) running[c] = (1 - m) * running[c] + m * factor * value[c];
    }
    *y = 0;
}
