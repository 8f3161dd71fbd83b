/* The graph interpreter: convolutions, fully connected layers and their gradients. Compiled for each REAL by ref.c. */

/* A convolution and its two gradients are sums over the same products. For each of them `at` says where the three
 * elements are that meet there; the product of two is added to the third. */
enum { REF(AT_X), REF(AT_W), REF(AT_Y) };

typedef struct REF(Sum) {
    REAL *to;
    const REAL *a, *b;
    int at_to, at_a, at_b; /* which of AT_X, AT_W, AT_Y each is */
    bool swapped;          /* the weight is [I,O/g,KH,KW], as swap_io gives it */
} REF(Sum);

/* All taps of one output element y[p,o,oh,ow]. */
static void REF(sum_taps)(const REF(Sum) *s, const ConvAttr *a, const Type *x, const Type *y, int64_t p,
                          const int32_t *out) {
    int32_t in_g = type_channels(x) / a->groups, out_g = type_channels(y) / a->groups;
    int32_t group = out[0] / out_g, height = type_height(x), width = type_width(x);
    for (int32_t i = group * in_g; i < (group + 1) * in_g; i++)
        for (int32_t kh = 0; kh < a->kernel[0]; kh++)
            for (int32_t kw = 0; kw < a->kernel[1]; kw++) {
                int32_t ih = out[1] * a->stride[0] - a->pad[0] + kh * a->dilation[0];
                int32_t iw = out[2] * a->stride[1] - a->pad[2] + kw * a->dilation[1];
                if (ih < 0 || ih >= height || iw < 0 || iw >= width) continue;
                int64_t row = s->swapped ? (int64_t)i * out_g + out[0] % out_g : (int64_t)out[0] * in_g + i % in_g;
                int64_t at[3];
                at[REF(AT_X)] = ((p * type_channels(x) + i) * height + ih) * width + iw;
                at[REF(AT_W)] = (row * a->kernel[0] + kh) * a->kernel[1] + kw;
                at[REF(AT_Y)] = ((p * type_channels(y) + out[0]) * type_height(y) + out[1]) * type_width(y) + out[2];
                s->to[at[s->at_to]] += s->a[at[s->at_a]] * s->b[at[s->at_b]];
            }
}

static void REF(sum_products)(const RefRun *r, const REF(Sum) *s, const ConvAttr *a, const Type *x, const Type *y) {
    for (int64_t p = 0; p < r->n; p++)
        for (int32_t o = 0; o < type_channels(y); o++)
            for (int32_t oh = 0; oh < type_height(y); oh++)
                for (int32_t ow = 0; ow < type_width(y); ow++)
                    REF(sum_taps)(s, a, x, y, p, (const int32_t[]){o, oh, ow});
}

static void REF(conv)(const RefRun *r, const Node *n, REAL *y) {
    REF(Sum) s = {y, r->value[n->in[0]], r->value[n->in[1]], REF(AT_Y), REF(AT_X), REF(AT_W), false};
    REF(sum_products)(r, &s, &n->attr.conv, type_in(r, n, 0), &n->type);
}

static void REF(conv_dgrad)(const RefRun *r, const Node *n, REAL *dx) {
    REF(Sum) s = {dx, r->value[n->in[0]], r->value[n->in[1]], REF(AT_X), REF(AT_Y), REF(AT_W), true};
    REF(sum_products)(r, &s, &n->attr.conv, &n->type, type_in(r, n, 0));
}

static void REF(conv_wgrad)(const RefRun *r, const Node *n, REAL *dw) {
    REF(Sum) s = {dw, r->value[n->in[0]], r->value[n->in[1]], REF(AT_W), REF(AT_Y), REF(AT_X), false};
    REF(sum_products)(r, &s, &n->attr.conv, type_in(r, n, 1), type_in(r, n, 0));
}

/* [O,I/g,KH,KW] -> [I,O/g,KH,KW]: in each group the two leading dimensions change places; the taps stay as they are. */
static void REF(swap_io)(const RefRun *r, const Node *n, REAL *y) {
    const REAL *w = r->value[n->in[0]];
    const Type *t = type_in(r, n, 0);
    int64_t in_g = t->dim[1], out_g = t->dim[0] / n->attr.conv.groups, taps = (int64_t)t->dim[2] * t->dim[3];
    for (int64_t o = 0; o < t->dim[0]; o++)
        for (int64_t i = 0; i < in_g; i++)
            memcpy(y + ((o / out_g * in_g + i) * out_g + o % out_g) * taps, w + (o * in_g + i) * taps,
                   (size_t)taps * sizeof(REAL));
}

static void REF(fc)(const RefRun *r, const Node *n, REAL *y) {
    const REAL *x = r->value[n->in[0]], *w = r->value[n->in[1]];
    int64_t length = type_elements(type_in(r, n, 0)), rows = type_channels(&n->type);
    for (int64_t i = 0; i < r->n * rows; i++)
        for (int64_t k = 0; k < length; k++) y[i] += x[i / rows * length + k] * w[i % rows * length + k];
}

static void REF(fc_dgrad)(const RefRun *r, const Node *n, REAL *dx) {
    const REAL *dy = r->value[n->in[0]], *w = r->value[n->in[1]];
    int64_t length = type_elements(&n->type), rows = type_channels(type_in(r, n, 0));
    for (int64_t i = 0; i < r->n * rows; i++)
        for (int64_t k = 0; k < length; k++) dx[i / rows * length + k] += dy[i] * w[i % rows * length + k];
}

static void REF(fc_wgrad)(const RefRun *r, const Node *n, REAL *dw) {
    const REAL *dy = r->value[n->in[0]], *x = r->value[n->in[1]];
    int64_t length = type_elements(type_in(r, n, 1)), rows = type_channels(type_in(r, n, 0));
    for (int64_t i = 0; i < r->n * rows; i++)
        for (int64_t k = 0; k < length; k++) dw[i % rows * length + k] += dy[i] * x[i / rows * length + k];
}
