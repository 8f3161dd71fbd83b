/* The graph interpreter: pooling and local response normalisation. Compiled for each REAL by ref.c.
 *
 * Each pooling operator calls sum_window or max_window for every window of every plane. A plane is one channel of one
 * picture; x is its start in the unpooled tensor, h and w are the window's two axes. */

typedef struct REF(Plane) {
    int64_t in_h, in_w, out_h, out_w, count; /* count: pictures times channels */
} REF(Plane);

static REF(Plane) REF(planes)(const RefRun *r, const Type *in, const Type *out) {
    return (REF(Plane)){type_height(in), type_width(in), type_height(out), type_width(out), r->n * type_channels(in)};
}

static Window REF(rows)(const PoolAttr *a, int64_t oh, int64_t in_h) {
    if (a->to[0]) return window_share(oh, a->to[0], in_h);
    return window_of(oh, a->kernel[0], a->stride[0], a->pad[0], a->pad[1], in_h);
}

static Window REF(columns)(const PoolAttr *a, int64_t ow, int64_t in_w) {
    if (a->to[1]) return window_share(ow, a->to[1], in_w);
    return window_of(ow, a->kernel[1], a->stride[1], a->pad[2], a->pad[3], in_w);
}

/* Where the maximum of the window is in the plane: the first of equals, but a NaN beats everything before it. */
static int64_t REF(max_window)(const REAL *x, int64_t in_w, Window h, Window w) {
    int64_t best = h.begin * in_w + w.begin;
    for (int64_t ih = h.begin; ih < h.end; ih++)
        for (int64_t iw = w.begin; iw < w.end; iw++)
            if (x[ih * in_w + iw] > x[best] || isnan(x[ih * in_w + iw])) best = ih * in_w + iw;
    return best;
}

static void REF(maxpool)(const RefRun *r, const Node *n, REAL *y) {
    const PoolAttr *a = &n->attr.pool;
    const REAL *x = r->value[n->in[0]];
    REF(Plane) p = REF(planes)(r, type_in(r, n, 0), &n->type);
    for (int64_t i = 0; i < p.count; i++, x += p.in_h * p.in_w)
        for (int64_t oh = 0; oh < p.out_h; oh++)
            for (int64_t ow = 0; ow < p.out_w; ow++)
                *y++ = x[REF(max_window)(x, p.in_w, REF(rows)(a, oh, p.in_h), REF(columns)(a, ow, p.in_w))];
}

static void REF(maxpool_index)(const RefRun *r, const Node *n, REAL *y) {
    const PoolAttr *a = &n->attr.pool;
    const REAL *x = r->value[n->in[0]];
    REF(Plane) p = REF(planes)(r, type_in(r, n, 0), &n->type);
    for (int64_t i = 0; i < p.count; i++, x += p.in_h * p.in_w)
        for (int64_t oh = 0; oh < p.out_h; oh++)
            for (int64_t ow = 0; ow < p.out_w; ow++) {
                int64_t at = REF(max_window)(x, p.in_w, REF(rows)(a, oh, p.in_h), REF(columns)(a, ow, p.in_w));
                int64_t kh = at / p.in_w - REF(rows)(a, oh, p.in_h).start;
                int64_t kw = at % p.in_w - REF(columns)(a, ow, p.in_w).start;
                *y++ = (REAL)(kh * a->kernel[1] + kw);
            }
}

static void REF(maxpool_grad)(const RefRun *r, const Node *n, REAL *dx) {
    const PoolAttr *a = &n->attr.pool;
    const REAL *dy = r->value[n->in[0]], *index = r->value[n->in[1]];
    REF(Plane) p = REF(planes)(r, &n->type, type_in(r, n, 0));
    for (int64_t i = 0; i < p.count; i++, dx += p.in_h * p.in_w)
        for (int64_t oh = 0; oh < p.out_h; oh++)
            for (int64_t ow = 0; ow < p.out_w; ow++, dy++, index++) {
                int64_t ih = REF(rows)(a, oh, p.in_h).start + (int64_t)*index / a->kernel[1];
                int64_t iw = REF(columns)(a, ow, p.in_w).start + (int64_t)*index % a->kernel[1];
                dx[ih * p.in_w + iw] += *dy;
            }
}

static REAL REF(divisor)(const PoolAttr *a, Window h, Window w) {
    return (REAL)(a->count_pad ? h.padded * w.padded : (h.end - h.begin) * (w.end - w.begin));
}

static REAL REF(sum_window)(const REAL *x, int64_t in_w, Window h, Window w) {
    REAL sum = 0;
    for (int64_t ih = h.begin; ih < h.end; ih++)
        for (int64_t iw = w.begin; iw < w.end; iw++) sum += x[ih * in_w + iw];
    return sum;
}

static void REF(avgpool)(const RefRun *r, const Node *n, REAL *y) {
    const PoolAttr *a = &n->attr.pool;
    const REAL *x = r->value[n->in[0]];
    REF(Plane) p = REF(planes)(r, type_in(r, n, 0), &n->type);
    for (int64_t i = 0; i < p.count; i++, x += p.in_h * p.in_w)
        for (int64_t oh = 0; oh < p.out_h; oh++)
            for (int64_t ow = 0; ow < p.out_w; ow++) {
                Window h = REF(rows)(a, oh, p.in_h), w = REF(columns)(a, ow, p.in_w);
                *y++ = REF(sum_window)(x, p.in_w, h, w) / REF(divisor)(a, h, w);
            }
}

static void REF(avgpool_grad)(const RefRun *r, const Node *n, REAL *dx) {
    const PoolAttr *a = &n->attr.pool;
    const REAL *dy = r->value[n->in[0]];
    REF(Plane) p = REF(planes)(r, &n->type, type_in(r, n, 0));
    for (int64_t i = 0; i < p.count; i++, dx += p.in_h * p.in_w)
        for (int64_t oh = 0; oh < p.out_h; oh++)
            for (int64_t ow = 0; ow < p.out_w; ow++, dy++) {
                Window h = REF(rows)(a, oh, p.in_h), w = REF(columns)(a, ow, p.in_w);
                for (int64_t ih = h.begin; ih < h.end; ih++)
                    for (int64_t iw = w.begin; iw < w.end; iw++) dx[ih * p.in_w + iw] += *dy / REF(divisor)(a, h, w);
            }
}

/* k + alpha/size * sum of squares, for channel c of the pixel whose channel 0 is x[0]; channels are `step` apart. */
static REAL REF(lrn_sum)(const LrnAttr *a, const REAL *x, int64_t channels, int64_t step, int64_t c) {
    REAL sum = 0;
    for (int64_t j = max_i64(0, c - a->size / 2); j < min_i64(channels, c + (a->size - 1) / 2 + 1); j++)
        sum += x[j * step] * x[j * step];
    return (REAL)a->k + (REAL)a->alpha / (REAL)a->size * sum;
}

static void REF(lrn)(const RefRun *r, const Node *n, REAL *y) {
    const LrnAttr *a = &n->attr.lrn;
    const REAL *x = r->value[n->in[0]];
    View v = view_of(r, &n->type);
    for (int64_t e = 0; e < v.outer * v.channels * v.inner; e++) {
        int64_t c = e / v.inner % v.channels;
        y[e] = x[e] * pow(REF(lrn_sum)(a, x + e - c * v.inner, v.channels, v.inner, c), -(REAL)a->beta);
    }
}

/* x_c is a factor of y_c and a term of the sums of the channels whose window holds c. */
static void REF(lrn_grad)(const RefRun *r, const Node *n, REAL *dx) {
    const LrnAttr *a = &n->attr.lrn;
    View v = view_of(r, &n->type);
    REAL beta = (REAL)a->beta, factor = 2 * (REAL)a->alpha * beta / (REAL)a->size;
    for (int64_t e = 0; e < v.outer * v.channels * v.inner; e++) {
        int64_t c = e / v.inner % v.channels, first = e - c * v.inner;
        const REAL *dy = (const REAL *)r->value[n->in[0]] + first, *x = (const REAL *)r->value[n->in[1]] + first;
        REAL sum = 0;
        for (int64_t j = max_i64(0, c - (a->size - 1) / 2); j < min_i64(v.channels, c + a->size / 2 + 1); j++)
            sum += dy[j * v.inner] * x[j * v.inner] * pow(REF(lrn_sum)(a, x, v.channels, v.inner, j), -beta - 1);
        dx[e] =
            dy[c * v.inner] * pow(REF(lrn_sum)(a, x, v.channels, v.inner, c), -beta) - factor * x[c * v.inner] * sum;
    }
}
