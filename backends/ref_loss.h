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

static void REF(log_softmax_row)(REAL *y, const REAL *x, int64_t length, int64_t step) {
    REAL largest = x[0], sum = 0;
    for (int64_t k = 1; k < length; k++) largest = x[k * step] > largest ? x[k * step] : largest;
    for (int64_t k = 0; k < length; k++) sum += exp(x[k * step] - largest);
    for (int64_t k = 0; k < length; k++) y[k * step] = x[k * step] - largest - log(sum);
}

static void REF(log_softmax)(const RefRun *r, const Node *n, REAL *y) {
    const REAL *x = r->value[n->in[0]];
    View v = view_of(r, &n->type);
    for (int64_t o = 0; o < v.outer; o++)
        for (int64_t i = 0; i < v.inner; i++) {
            int64_t at = o * v.channels * v.inner + i;
            REF(log_softmax_row)(y + at, x + at, v.channels, v.inner);
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

/* Logits, labels, perhaps a factor and weights of classes. Pixel p of the batch has its label at label[p]. */
typedef struct REF(Entropy) {
    const REAL *x, *label, *weight;
    View v; /* of the logits */
    REAL factor, smoothing;
} REF(Entropy);

/* `more`: where the factor is among the operands, if there is one. */
static REF(Entropy) REF(entropy_of)(const RefRun *r, const Node *n, int more) {
    REF(Entropy) e = {r->value[n->in[0]], r->value[n->in[1]], NULL, view_of(r, type_in(r, n, 0)), 1, 0};
    e.smoothing = (REAL)n->attr.loss.smoothing;
    if (n->n_in > more) e.factor = *(const REAL *)r->value[n->in[more]];
    if (n->n_in > more + 1) e.weight = r->value[n->in[more + 1]];
    return e;
}

static bool REF(is_class)(const REF(Entropy) *e, int64_t p) {
    return e->label[p] >= 0 && e->label[p] < (REAL)e->v.channels;
}

/* Where the scores of pixel p begin; they are v.inner apart. */
static int64_t REF(scores_at)(const REF(Entropy) *e, int64_t p) {
    return p / e->v.inner * e->v.channels * e->v.inner + p % e->v.inner;
}

/* A batch gives the sum of what its pictures or pixels give, divided by the sum of the weights of their labels, instead
 * of by the N of pictures: the factor is N / that sum. The least number keeps a batch without any label at a loss of 0. */
static void REF(label_factor)(const RefRun *r, const Node *n, REAL *y) {
    const REAL *label = r->value[n->in[0]], *weight = n->n_in > 1 ? r->value[n->in[1]] : NULL;
    REAL sum = 0;
    for (int64_t p = 0; p < ref_count(r, n->in[0]); p++)
        if (label[p] >= 0 && label[p] < (REAL)n->attr.classes.classes) sum += weight ? weight[(int64_t)label[p]] : 1;
    *y = (REAL)r->n / (sum > (REAL)1e-30 ? sum : (REAL)1e-30);
}

/* What the loss wants class k of picture p to be, times the class's weight. */
static REAL REF(target)(const REF(Entropy) *e, int64_t k, int64_t p) {
    REAL wanted = (1 - e->smoothing) * (REAL)((REAL)k == e->label[p]) + e->smoothing / (REAL)e->v.channels;
    return e->weight ? e->weight[k] * wanted : wanted;
}

/* A label that is no class has loss 0 and gradient 0. */
static void REF(cross_entropy)(const RefRun *r, const Node *n, REAL *y) {
    REF(Entropy) e = REF(entropy_of)(r, n, 2);
    for (int64_t p = 0; p < r->n * e.v.inner; p++) {
        const REAL *x = e.x + REF(scores_at)(&e, p);
        REAL largest = x[0], sum = 0;
        if (!REF(is_class)(&e, p)) continue;
        for (int64_t k = 1; k < e.v.channels; k++) largest = x[k * e.v.inner] > largest ? x[k * e.v.inner] : largest;
        for (int64_t k = 0; k < e.v.channels; k++) sum += exp(x[k * e.v.inner] - largest);
        for (int64_t k = 0; k < e.v.channels; k++)
            y[p / e.v.inner] += REF(target)(&e, k, p) * (log(sum) + largest - x[k * e.v.inner]) * e.factor;
    }
}

static void REF(cross_entropy_grad)(const RefRun *r, const Node *n, REAL *dx) {
    REF(Entropy) e = REF(entropy_of)(r, n, 3);
    const REAL *dloss = r->value[n->in[2]];
    for (int64_t p = 0; p < r->n * e.v.inner; p++) {
        REAL *d = dx + REF(scores_at)(&e, p), all = 0, scale = dloss[p / e.v.inner] * e.factor;
        if (!REF(is_class)(&e, p)) continue;
        REF(softmax_row)(d, e.x + REF(scores_at)(&e, p), e.v.channels, e.v.inner);
        for (int64_t k = 0; k < e.v.channels; k++) all += REF(target)(&e, k, p);
        for (int64_t k = 0; k < e.v.channels; k++)
            d[k * e.v.inner] = (all * d[k * e.v.inner] - REF(target)(&e, k, p)) * scale;
    }
}

static void REF(accumulate)(const RefRun *r, const Node *n, REAL *y) {
    REAL *sum = r->value[n->in[0]];
    const REAL *gradient = r->value[n->in[1]], *again = r->value[n->in[2]];
    for (int64_t i = 0; i < type_elements(&n->type); i++) y[i] = sum[i] = *again > 0 ? sum[i] + gradient[i] : gradient[i];
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

/* As PyTorch does it, but for the sums, which it has as 1 - beta^step. */
static void REF(adam)(const RefRun *r, const Node *n, REAL *y) {
    REAL *w = r->value[n->in[0]], *mean = r->value[n->in[2]], *square = r->value[n->in[3]];
    const REAL *gradient = r->value[n->in[1]], *lr = r->value[n->in[6]];
    const AdamAttr *a = &n->attr.adam;
    REAL b0 = (REAL)a->beta[0], b1 = (REAL)a->beta[1], decay = (REAL)a->weight_decay, rate = lr[0] * (REAL)a->lr_scale;
    const REAL *old0 = r->value[n->in[4]], *old1 = r->value[n->in[5]];
    REAL sum0 = b0 * *old0 + (1 - b0), sum1 = b1 * *old1 + (1 - b1);
    for (int64_t i = 0; i < type_elements(type_in(r, n, 0)); i++) {
        REAL g = a->decoupled ? gradient[i] : gradient[i] + decay * w[i];
        mean[i] = b0 * mean[i] + (1 - b0) * g;
        square[i] = b1 * square[i] + (1 - b1) * g * g;
        if (a->decoupled) w[i] -= rate * decay * w[i];
        w[i] -= rate / sum0 * mean[i] / ((REAL)sqrt(square[i] / sum1) + (REAL)a->eps);
    }
    *y = 0;
}

static void REF(rmsprop)(const RefRun *r, const Node *n, REAL *y) {
    const RmspropAttr *a = &n->attr.rmsprop;
    REAL *w = r->value[n->in[0]], *square = r->value[n->in[2]], *velocity = a->momentum > 0 ? r->value[n->in[3]] : NULL;
    REAL *mean = a->centred ? r->value[n->in[n->n_in - 2]] : NULL, alpha = (REAL)a->alpha;
    const REAL *gradient = r->value[n->in[1]], *lr = r->value[n->in[n->n_in - 1]];
    for (int64_t i = 0; i < type_elements(type_in(r, n, 0)); i++) {
        REAL g = gradient[i] + (REAL)a->weight_decay * w[i];
        square[i] = alpha * square[i] + (1 - alpha) * g * g;
        if (mean) mean[i] = alpha * mean[i] + (1 - alpha) * g;
        REAL size = square[i] - (mean ? mean[i] * mean[i] : 0);
        if (size < 0) size = 0;
        g /= a->eps_inside ? (REAL)sqrt(size + (REAL)a->eps) : (REAL)sqrt(size) + (REAL)a->eps;
        if (velocity) g = velocity[i] = (REAL)a->momentum * velocity[i] + g;
        w[i] -= lr[0] * (REAL)a->lr_scale * g;
    }
    *y = 0;
}

static void REF(lars)(const RefRun *r, const Node *n, REAL *y) {
    const LarsAttr *a = &n->attr.lars;
    REAL *w = r->value[n->in[0]], *velocity = r->value[n->in[2]];
    const REAL *gradient = r->value[n->in[1]], *lr = r->value[n->in[n->n_in - 1]];
    REAL rate = lr[0] * (REAL)a->lr_scale, decay = (REAL)a->weight_decay;
    if (n->n_in > 4) {
        const REAL *of_w = r->value[n->in[3]], *of_g = r->value[n->in[4]];
        REAL length = (REAL)sqrt(*of_w), slope = (REAL)sqrt(*of_g);
        if (length > 0) rate *= (REAL)a->trust * length / (slope + decay * length + (REAL)a->eps);
    }
    for (int64_t i = 0; i < type_elements(type_in(r, n, 0)); i++) {
        velocity[i] = (REAL)a->momentum * velocity[i] + rate * (gradient[i] + decay * w[i]);
        w[i] -= velocity[i];
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
